/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -numa and set-numa-node: the NUMA nodes of the guest.
 *
 * Each argument is stored when it is parsed and checked when all other options are known, because
 * it refers to CPUs (-smp) and memory back ends (-object). numa_apply() then completes the nodes
 * and stores them in the description. The rules are those of QEMU.
 */
#include <string.h>

#include "internal.h"

enum { NUMA_CPUS_MAX = 512, NUMA_NO_NODE = UINT8_MAX };

/* The nodes while arguments are added. */
typedef struct NumaNodes {
    Session *s;
    const PlanMachineType *t;
    unsigned cpus; /* of the machine */
    bool present[PLAN_NODES_MAX];
    char *memdev[PLAN_NODES_MAX];                     /* NULL: not given */
    uint64_t size[PLAN_NODES_MAX];                    /* bytes of memdev= or mem= */
    uint8_t distance[PLAN_NODES_MAX][PLAN_NODES_MAX]; /* 0: not given */
    uint8_t node_of[NUMA_CPUS_MAX];                   /* NUMA_NO_NODE: not given */
    bool any_cpus, any_memdev, any_mem, any_distance;
} NumaNodes;

typedef bool NumaFn(NumaNodes *n, struct json_object *o, GError **err);

/* Return the text of a key, borrowed; NULL if it is not given. */
static const char *numa_key(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static bool numa_parse_number(const char *text, unsigned max, unsigned *out)
{
    guint64 v;

    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &v, NULL)) {
        return false;
    }
    *out = (unsigned)v;
    return true;
}

static unsigned numa_count(const NumaNodes *n)
{
    unsigned count = 0;

    while (count < PLAN_NODES_MAX && n->present[count]) {
        count++;
    }
    return count;
}

/* Set *node to the node that a key names. */
static bool numa_read_node(const NumaNodes *n, struct json_object *o, const char *key,
                           unsigned *node, GError **err)
{
    const char *text = numa_key(o, key);

    if (!text) {
        return error_set(err, ERROR_USER, "property '%s' is required: the number of a node", key);
    }
    if (!numa_parse_number(text, PLAN_NODES_MAX - 1, node) || !n->present[*node]) {
        unsigned count = numa_count(n);
        g_autofree char *known = count ? g_strdup_printf("the last one is %u", count - 1)
                                       : g_strdup("no node is declared");

        return error_set(err, ERROR_USER,
                         "%s=%s: there is no such node, %s: add -numa node,nodeid=%s before", key,
                         text, known, text);
    }
    return true;
}

/* --- -numa node --- */

static bool numa_assign(NumaNodes *n, unsigned cpu, unsigned node, GError **err)
{
    if (cpu >= n->cpus) {
        return error_set(err, ERROR_USER,
                         "CPU %u does not exist: the machine has the CPUs 0 to %u (-smp)", cpu,
                         n->cpus - 1);
    }
    if (n->node_of[cpu] != NUMA_NO_NODE) {
        return error_set(err, ERROR_USER, "CPU %u is already assigned to node %u", cpu,
                         n->node_of[cpu]);
    }
    n->node_of[cpu] = (uint8_t)node;
    n->any_cpus = true;
    return true;
}

/* Assign the CPUs "A" or "A-B". */
static bool numa_assign_range(NumaNodes *n, const char *text, unsigned node, GError **err)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);
    unsigned first, last;

    if (!ends[0] || !numa_parse_number(ends[0], UINT16_MAX, &first) ||
        !numa_parse_number(ends[1] ? ends[1] : ends[0], UINT16_MAX, &last) || last < first) {
        return error_set(err, ERROR_USER, "cpus=%s: use a number or a range, as in cpus=0-1,cpus=4",
                         text);
    }
    for (unsigned cpu = first; cpu <= last; cpu++) {
        if (!numa_assign(n, cpu, node, err)) {
            return false;
        }
    }
    return true;
}

static bool numa_assign_list(NumaNodes *n, struct json_object *v, unsigned node, GError **err)
{
    if (!json_object_is_type(v, json_type_array)) {
        return numa_assign_range(n, json_object_get_string(v), node, err);
    }
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        if (!numa_assign_range(n, json_object_get_string(json_object_array_get_idx(v, i)), node,
                               err)) {
            return false;
        }
    }
    return true;
}

static bool numa_parse_size(const char *key, const char *text, uint64_t *size, GError **err)
{
    const PlanProp prop = { .name = key, .kind = PLAN_PROP_SIZE, .min = 1, .max = 1ull << 52 };
    PlanValue v;

    if (!plan_value_parse(&prop, text, &v, err)) {
        return false;
    }
    *size = v.u;
    return true;
}

static bool numa_use_memdev(NumaNodes *n, unsigned node, const char *id, GError **err)
{
    const PlanHostPart *part = plan_find_host(n->s->plan, "object", id);
    const char *type = part ? numa_key(part->options, "qom-type") : NULL;
    const char *size = part ? numa_key(part->options, "size") : NULL;

    if (!type || !g_str_has_prefix(type, "memory-backend-")) {
        return error_set(
            err, ERROR_USER, "memdev=%s: %s; add -object memory-backend-ram,id=%s,size=SIZE", id,
            part ? "the object is not a memory back end" : "there is no such object", id);
    }
    for (unsigned i = 0; i < PLAN_NODES_MAX; i++) {
        if (g_strcmp0(n->memdev[i], id) == 0) {
            return error_set(err, ERROR_USER,
                             "memdev=%s: node %u uses this memory back end; each node requires its "
                             "own",
                             id, i);
        }
    }
    n->memdev[node] = g_strdup(id);
    n->any_memdev = true;
    if (!size) {
        return error_set(err, ERROR_USER, "memdev=%s: the object has no size=", id);
    }
    if (!numa_parse_size("size", size, &n->size[node], err)) {
        g_prefix_error(err, "memdev=%s: ", id);
        return false;
    }
    return true;
}

/* The memory of a node: memdev= of all nodes, or mem= of all nodes. */
static bool numa_read_memory(NumaNodes *n, struct json_object *o, unsigned node, GError **err)
{
    const char *memdev = numa_key(o, "memdev"), *mem = numa_key(o, "mem");
    g_autofree char *full = NULL;

    if ((memdev && (mem || n->any_mem)) || (mem && n->any_memdev)) {
        return error_set(err, ERROR_USER,
                         "mem= and memdev= exclude each other: use memdev= for all nodes");
    }
    if (mem) { /* a number without a suffix is in MiB */
        full = g_strconcat(mem, strspn(mem, "0123456789") == strlen(mem) ? "M" : "", NULL);
        n->any_mem = true;
        return numa_parse_size("mem", full, &n->size[node], err);
    }
    return !memdev || numa_use_memdev(n, node, memdev, err);
}

static bool numa_add_node(NumaNodes *n, struct json_object *o, GError **err)
{
    const char *id = numa_key(o, "nodeid");
    unsigned node = numa_count(n);
    struct json_object *cpus;

    if (numa_key(o, "initiator")) {
        return error_set(err, ERROR_USER,
                         "initiator= requires the ACPI table HMAT, which no machine has: omit it");
    }
    if ((id && !numa_parse_number(id, UINT16_MAX, &node)) || node >= n->t->max_nodes) {
        g_autofree char *number = g_strdup_printf("%u", node);

        return error_set(err, ERROR_USER, "nodeid=%s: machine %s accepts the nodes 0 to %u",
                         id ? id : number, n->t->name, n->t->max_nodes - 1);
    }
    if (n->present[node]) {
        return error_set(err, ERROR_USER, "nodeid=%u: there is a node with this number", node);
    }
    n->present[node] = true;
    return (!json_object_object_get_ex(o, "cpus", &cpus) || numa_assign_list(n, cpus, node, err)) &&
           numa_read_memory(n, o, node, err);
}

/* --- -numa dist and -numa cpu --- */

static bool numa_add_distance(NumaNodes *n, struct json_object *o, GError **err)
{
    const char *text = numa_key(o, "val");
    unsigned src, dst, val;

    if (!numa_read_node(n, o, "src", &src, err) || !numa_read_node(n, o, "dst", &dst, err)) {
        return false;
    }
    if (!text || !numa_parse_number(text, UINT8_MAX, &val) || val < PLAN_DISTANCE_LOCAL) {
        return error_set(err, ERROR_USER, "val=%s: use a distance from %d to %d", text ? text : "",
                         PLAN_DISTANCE_LOCAL, UINT8_MAX);
    }
    if (src == dst && val != PLAN_DISTANCE_LOCAL) {
        return error_set(err, ERROR_USER, "val=%u: the distance of node %u to itself is %d", val,
                         src, PLAN_DISTANCE_LOCAL);
    }
    n->distance[src][dst] = (uint8_t)val;
    n->any_distance = true;
    return true;
}

/* A CPU is identified by its core, as query-cpus-fast describes it; without core-id, all CPUs. */
static bool numa_add_cpu(NumaNodes *n, struct json_object *o, GError **err)
{
    static const char *const absent[] = { "socket-id", "die-id", "cluster-id", "thread-id" };
    const char *core = numa_key(o, "core-id");
    unsigned node, cpu;

    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (numa_key(o, absent[i])) {
            return error_set(err, ERROR_USER,
                             "%s= does not identify a CPU of this machine: use core-id=0 to %u",
                             absent[i], n->cpus - 1);
        }
    }
    if (!numa_read_node(n, o, "node-id", &node, err)) {
        return false;
    }
    if (core) {
        return numa_parse_number(core, UINT16_MAX, &cpu)
                   ? numa_assign(n, cpu, node, err)
                   : error_set(err, ERROR_USER, "core-id=%s: use a number from 0 to %u", core,
                               n->cpus - 1);
    }
    for (cpu = 0; cpu < n->cpus; cpu++) {
        if (!numa_assign(n, cpu, node, err)) {
            return false;
        }
    }
    return true;
}

/* --- adding arguments --- */

static const struct NumaType {
    const char *name;
    NumaFn *fn;
    const char *keys[8];
} numa_types[] = {
    { "node", numa_add_node, { "nodeid", "cpus", "memdev", "mem", "initiator" } },
    { "dist", numa_add_distance, { "src", "dst", "val" } },
    { "cpu",
      numa_add_cpu,
      { "node-id", "core-id", "socket-id", "die-id", "cluster-id", "thread-id" } },
};

static const struct NumaType *numa_type(struct json_object *o, GError **err)
{
    const char *name = numa_key(o, "type");

    for (size_t i = 0; name && i < G_N_ELEMENTS(numa_types); i++) {
        if (strcmp(numa_types[i].name, name) == 0) {
            return &numa_types[i];
        }
    }
    if (name && g_str_has_prefix(name, "hmat-")) {
        error_set(err, ERROR_USER,
                  "type %s describes the ACPI table HMAT, which no machine has: use node, dist or "
                  "cpu",
                  name);
    } else {
        error_set(err, ERROR_USER, "type '%s' is unknown: use node, dist or cpu", name ? name : "");
    }
    return NULL;
}

static bool numa_add(NumaNodes *n, struct json_object *o, GError **err)
{
    const struct NumaType *t = numa_type(o, err);

    if (!t) {
        return false;
    }
    if (!n->t->max_nodes) {
        return error_set(err, ERROR_USER, "machine %s has no NUMA nodes", n->t->name);
    }
    json_object_object_foreach(o, key, v)
    {
        if (!v || (strcmp(key, "type") != 0 && !g_strv_contains(t->keys, key))) {
            g_autofree char *keys = g_strjoinv(", ", (char **)t->keys);

            return error_set(err, ERROR_USER, "key '%s' is %s; the keys of %s are %s", key,
                             v ? "unknown" : "null", t->name, keys);
        }
    }
    return t->fn(n, o, err);
}

/* --- completing --- */

/* Without any assignment, distribute the CPUs equally; the last node gets the remainder. */
static bool numa_complete_cpus(NumaNodes *n, unsigned nodes, GError **err)
{
    unsigned each = n->cpus / nodes;

    if (!each) {
        return error_set(err, ERROR_USER,
                         "-numa: %u nodes require at least %u CPUs, and the machine has %u (-smp)",
                         nodes, nodes, n->cpus);
    }
    for (unsigned cpu = 0; cpu < n->cpus; cpu++) {
        if (!n->any_cpus) {
            n->node_of[cpu] = (uint8_t)MIN(cpu / each, nodes - 1);
        } else if (n->node_of[cpu] == NUMA_NO_NODE) {
            return error_set(err, ERROR_USER,
                             "-numa: CPU %u belongs to no node: assign each CPU of 0 to %u (cpus=)",
                             cpu, n->cpus - 1);
        }
        if (cpu && n->node_of[cpu] < n->node_of[cpu - 1]) {
            return error_set(err, ERROR_USER,
                             "-numa: CPU %u is assigned to node %u and CPU %u to node %u: the CPUs "
                             "of a node are consecutive, and follow those of the node before",
                             cpu - 1, n->node_of[cpu - 1], cpu, n->node_of[cpu]);
        }
    }
    return true;
}

static bool numa_complete_distances(NumaNodes *n, unsigned nodes, GError **err)
{
    bool asymmetric = false;

    for (unsigned i = 0; i < nodes; i++) {
        n->distance[i][i] = PLAN_DISTANCE_LOCAL;
        for (unsigned j = 0; j < i; j++) {
            uint8_t a = n->distance[i][j], b = n->distance[j][i];

            if (!a && !b) {
                return error_set(err, ERROR_USER,
                                 "-numa dist: the distance between node %u and node %u is missing",
                                 j, i);
            }
            asymmetric |= a && b && a != b;
        }
    }
    for (unsigned i = 0; i < nodes; i++) {
        for (unsigned j = 0; j < nodes; j++) {
            if (!n->distance[i][j] && asymmetric) {
                return error_set(err, ERROR_USER,
                                 "-numa dist,src=%u,dst=%u is missing: with asymmetric distances, "
                                 "state both directions of each pair of nodes",
                                 i, j);
            }
            n->distance[i][j] = n->distance[i][j] ? n->distance[i][j] : n->distance[j][i];
        }
    }
    return true;
}

static bool numa_check_memory(const NumaNodes *n, unsigned nodes, GError **err)
{
    for (unsigned i = 0; i < nodes; i++) {
        if (!n->size[i]) {
            return error_set(err, ERROR_USER,
                             "-numa node,nodeid=%u has no memory: add memdev=ID (-object "
                             "memory-backend-ram,id=ID,size=SIZE)",
                             i);
        }
    }
    return true;
}

/* Check that the nodes have the numbers 0 to N-1. Return N, or 0 with an error. */
static unsigned numa_check_numbers(const NumaNodes *n, GError **err)
{
    unsigned nodes = numa_count(n);

    for (unsigned i = nodes; i < PLAN_NODES_MAX; i++) {
        if (n->present[i]) {
            error_set(err, ERROR_USER,
                      "-numa node,nodeid=%u: there is no node %u; nodes are numbered from 0 "
                      "without gaps",
                      i, nodes);
            return 0;
        }
    }
    return nodes;
}

static void numa_store(const NumaNodes *n, unsigned nodes)
{
    PlanMachine *m = n->s->plan;
    g_autoptr(GPtrArray) ids = g_ptr_array_new();

    memset(m->nodes, 0, sizeof(m->nodes));
    m->n_nodes = nodes;
    for (unsigned cpu = 0; cpu < n->cpus; cpu++) {
        m->nodes[n->node_of[cpu]].cpus++;
    }
    for (unsigned i = 0; i < nodes; i++) {
        m->nodes[i].ram_size = n->size[i];
        for (unsigned j = 0; j < nodes && n->any_distance; j++) {
            m->nodes[i].distance[j] = n->distance[i][j];
        }
        if (n->memdev[i]) {
            g_ptr_array_add(ids, n->memdev[i]);
        }
    }
    plan_node_memory_set(m, ids->len ? ids : NULL);
}

/* Add all arguments. */
static bool numa_collect(NumaNodes *n, GError **err)
{
    for (guint i = 0; i < n->s->numa->len; i++) {
        struct json_object *o = n->s->numa->pdata[i];

        if (!numa_add(n, o, err)) {
            g_prefix_error(err, "-numa %s: ", numa_key(o, "type") ? numa_key(o, "type") : "");
            return false;
        }
    }
    return true;
}

static void numa_begin(NumaNodes *n, Session *s, const PlanMachineType *t)
{
    *n = (NumaNodes){ .s = s, .t = t, .cpus = MIN(MAX(s->plan->cpus, 1), NUMA_CPUS_MAX) };
    memset(n->node_of, NUMA_NO_NODE, sizeof(n->node_of));
}

static void numa_end(NumaNodes *n)
{
    for (unsigned i = 0; i < PLAN_NODES_MAX; i++) {
        g_free(n->memdev[i]);
    }
}

bool numa_apply(Session *s, const PlanMachineType *t, GError **err)
{
    NumaNodes n;
    unsigned nodes;
    bool ok;

    if (!s->numa->len) {
        return true;
    }
    numa_begin(&n, s, t);
    ok = numa_collect(&n, err);
    nodes = ok ? numa_check_numbers(&n, err) : 0;
    ok = nodes && numa_complete_cpus(&n, nodes, err) && numa_check_memory(&n, nodes, err) &&
         (!n.any_distance || numa_complete_distances(&n, nodes, err));
    if (ok) {
        numa_store(&n, nodes);
    }
    numa_end(&n);
    return ok;
}

bool numa_check(Session *s, const PlanMachineType *t, GError **err)
{
    NumaNodes n;
    bool ok;

    numa_begin(&n, s, t);
    ok = numa_collect(&n, err);
    numa_end(&n);
    return ok;
}

/* --- parsing --- */

/* "cpus=0,cpus=2": collect the values of a key that is repeated, which the parser of options
 * replaces by the last one. */
static struct json_object *numa_take_cpus(char **words)
{
    struct json_object *list = json_object_new_array();
    unsigned to = 0;

    for (unsigned i = 0; words[i]; i++) {
        if (g_str_has_prefix(words[i], "cpus=")) {
            json_object_array_add(list, json_object_new_string(words[i] + strlen("cpus=")));
            g_free(words[i]);
        } else {
            words[to++] = words[i];
        }
    }
    words[to] = NULL;
    return list;
}

struct json_object *numa_parse(const char *arg, GError **err)
{
    g_auto(GStrv) words = NULL;
    g_autofree char *rest = NULL;
    struct json_object *cpus, *o;

    if (*arg == '{') {
        return plan_options_parse(arg, NULL, err);
    }
    words = g_strsplit(arg, ",", 0);
    cpus = numa_take_cpus(words);
    rest = g_strjoinv(",", words);
    o = plan_options_parse(rest, "type", err);
    if (o && json_object_array_length(cpus)) {
        json_object_object_add(o, "cpus", cpus);
    } else {
        json_object_put(cpus);
    }
    return o;
}

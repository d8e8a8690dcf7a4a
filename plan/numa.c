/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA nodes of a description: reading, writing, comparing and checking them.
 *
 * The CPUs of a machine with nodes are distributed in order: the first ones belong to node 0, those
 * that follow to node 1, and so on. The same holds for its RAM.
 */
#include <stdarg.h>

#include "plan/internal.h"

enum { NODE_PAGE = 4096 }; /* the RAM of a node consists of pages */

unsigned plan_node_of_cpu(const PlanMachine *m, unsigned cpu)
{
    unsigned node = 0, end = m->n_nodes ? m->nodes[0].cpus : 0;

    while (node + 1 < m->n_nodes && cpu >= end) {
        end += m->nodes[++node].cpus;
    }
    return node;
}

void plan_nodes_copy(PlanMachine *to, const PlanMachine *from)
{
    memcpy(to->nodes, from->nodes, sizeof(to->nodes));
    to->n_nodes = from->n_nodes;
}

void plan_node_memory_set(PlanMachine *m, const GPtrArray *ids)
{
    GPtrArray *copy = ids ? g_ptr_array_new_with_free_func(g_free) : NULL;

    for (guint i = 0; ids && i < ids->len; i++) {
        g_ptr_array_add(copy, g_strdup(ids->pdata[i]));
    }
    g_clear_pointer(&m->node_memory, g_ptr_array_unref);
    m->node_memory = copy;
}

/* --- JSON --- */

static bool node_has_distances(const PlanMachine *m)
{
    return m->n_nodes && m->nodes[0].distance[0];
}

struct json_object *plan_nodes_to_json(const PlanMachine *m)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < m->n_nodes; i++) {
        const PlanNode *n = &m->nodes[i];
        struct json_object *o = json_object_new_object(), *row;

        json_object_object_add(o, "cpus", json_object_new_uint64(n->cpus));
        json_object_object_add(o, "ram", json_object_new_uint64(n->ram_size));
        if (node_has_distances(m)) {
            row = json_object_new_array();
            for (unsigned j = 0; j < m->n_nodes; j++) {
                json_object_array_add(row, json_object_new_int(n->distance[j]));
            }
            json_object_object_add(o, "distances", row);
        }
        json_object_array_add(list, o);
    }
    return list;
}

struct json_object *plan_node_memory_to_json(const PlanMachine *m)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; m->node_memory && i < m->node_memory->len; i++) {
        json_object_array_add(list, json_object_new_string(m->node_memory->pdata[i]));
    }
    return list;
}

/* Set *out to a number in [min, max]. @where: the place of @v for the message. */
static bool node_number(struct json_object *v, uint64_t min, uint64_t max, uint64_t *out,
                        const char *where, GError **err)
{
    int64_t n = json_object_get_int64(v);

    *out = (uint64_t)n;
    return (json_object_is_type(v, json_type_int) && n >= 0 && (uint64_t)n >= min &&
            (uint64_t)n <= max) ||
           plan_fail(err, "%s must be a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                     where, min, max);
}

static bool node_read_distances(PlanNode *n, struct json_object *v, const char *where, GError **err)
{
    uint64_t d;

    if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) > PLAN_NODES_MAX) {
        return plan_fail(err, "%s must be a list of at most %d distances", where, PLAN_NODES_MAX);
    }
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        if (!node_number(json_object_array_get_idx(v, i), PLAN_DISTANCE_LOCAL, UINT8_MAX, &d, where,
                         err)) {
            return false;
        }
        n->distance[i] = (uint8_t)d;
    }
    return true;
}

static bool node_read(PlanNode *n, struct json_object *o, unsigned index, GError **err)
{
    uint64_t cpus;

    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "guest.nodes[%u] must be an object", index);
    }
    json_object_object_foreach(o, key, v)
    {
        g_autofree char *name = plan_quote(key);
        g_autofree char *where = g_strdup_printf("guest.nodes[%u].%s", index, key);
        bool ok;

        if (strcmp(key, "cpus") == 0) {
            ok = node_number(v, 1, 1 << 16, &cpus, where, err);
            n->cpus = ok ? (unsigned)cpus : 0;
        } else if (strcmp(key, "ram") == 0) {
            ok = node_number(v, 1, 1ull << 52, &n->ram_size, where, err);
        } else if (strcmp(key, "distances") == 0) {
            ok = node_read_distances(n, v, where, err);
        } else {
            ok = plan_fail(err,
                           "guest.nodes[%u] has the unknown key %s: known are cpus, ram, distances",
                           index, name);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool plan_read_nodes(PlanMachine *m, struct json_object *list, GError **err)
{
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    if (n == 0 || n > PLAN_NODES_MAX) {
        return plan_fail(err, "guest.nodes must be a list of 1 to %d nodes", PLAN_NODES_MAX);
    }
    memset(m->nodes, 0, sizeof(m->nodes));
    m->n_nodes = (unsigned)n;
    for (unsigned i = 0; i < n; i++) {
        if (!node_read(&m->nodes[i], json_object_array_get_idx(list, i), i, err)) {
            return false;
        }
    }
    return true;
}

bool plan_read_node_memory(PlanMachine *m, struct json_object *list, GError **err)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    if (n == 0 || n > PLAN_NODES_MAX) {
        return plan_fail(err, "host.node-memory must be a list of 1 to %d ids", PLAN_NODES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const char *id;

        if (!plan_json_string(json_object_array_get_idx(list, i), PLAN_ID_MAX, &id, err)) {
            g_prefix_error(err, "host.node-memory[%zu] ", i);
            return false;
        }
        g_ptr_array_add(ids, (char *)id);
    }
    plan_node_memory_set(m, ids);
    return true;
}

/* --- options --- */

static void node_add_option(GPtrArray *args, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void node_add_option(GPtrArray *args, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    g_ptr_array_add(args, g_strdup("-numa"));
    g_ptr_array_add(args, g_strdup_vprintf(format, values));
    va_end(values);
}

void plan_nodes_to_args(const PlanMachine *m, GPtrArray *args)
{
    unsigned cpu = 0;

    for (unsigned i = 0; i < m->n_nodes; i++) {
        const PlanNode *n = &m->nodes[i];
        g_autofree char *size = g_strdup_printf("mem=%" G_GUINT64_FORMAT "k", n->ram_size >> 10);
        g_autofree char *memdev =
            m->node_memory ? g_strconcat("memdev=", m->node_memory->pdata[i], NULL) : NULL;

        node_add_option(args, "node,nodeid=%u,cpus=%u-%u,%s", i, cpu, cpu + n->cpus - 1,
                        memdev ? memdev : size);
        cpu += n->cpus;
    }
    for (unsigned i = 0; i < m->n_nodes; i++) {
        for (unsigned j = 0; j < m->n_nodes && node_has_distances(m); j++) {
            node_add_option(args, "dist,src=%u,dst=%u,val=%u", i, j, m->nodes[i].distance[j]);
        }
    }
}

/* --- comparing --- */

char *plan_nodes_text(const PlanMachine *m)
{
    GString *s = g_string_new(m->n_nodes ? NULL : "none");

    for (unsigned i = 0; i < m->n_nodes; i++) {
        const PlanNode *n = &m->nodes[i];

        g_string_append_printf(s, "%s%u CPU%s and ", i ? ", " : "", n->cpus,
                               n->cpus == 1 ? "" : "s");
        plan_append_size(s, n->ram_size);
        for (unsigned j = 0; j < m->n_nodes && node_has_distances(m); j++) {
            g_string_append_printf(s, "%s%u", j ? "/" : " at distances ", n->distance[j]);
        }
    }
    return g_string_free(s, FALSE);
}

/* --- checking --- */

/* A description has no distances, or all: 10 to the node itself and more to each other one. */
static bool node_check_distances(const PlanMachine *m, unsigned i, GError **err)
{
    bool any = node_has_distances(m);

    for (unsigned j = 0; j < PLAN_NODES_MAX; j++) {
        unsigned d = m->nodes[i].distance[j];

        if (!any || j >= m->n_nodes ? d != 0 : i == j ? d != PLAN_DISTANCE_LOCAL : d == 0) {
            return plan_fail(err,
                             "NUMA node %u has the distance %u to node %u: each of the %u nodes "
                             "has a distance to each node, which is %d to itself",
                             i, d, j, m->n_nodes, PLAN_DISTANCE_LOCAL);
        }
    }
    return true;
}

static bool node_check_totals(const PlanMachine *m, GError **err)
{
    uint64_t ram = 0;
    unsigned cpus = 0;

    for (unsigned i = 0; i < m->n_nodes; i++) {
        const PlanNode *n = &m->nodes[i];

        if (!n->cpus || !n->ram_size || n->ram_size % NODE_PAGE) {
            return plan_fail(err,
                             "NUMA node %u has %u CPUs and %" G_GUINT64_FORMAT
                             " bytes of RAM: each node requires a CPU and RAM in multiples of %d",
                             i, n->cpus, n->ram_size, NODE_PAGE);
        }
        cpus += n->cpus;
        ram += n->ram_size;
    }
    if (cpus != m->cpus) {
        return plan_fail(err, "the NUMA nodes have %u CPUs, the machine %u: use the same number",
                         cpus, m->cpus);
    }
    return ram == m->ram_size ||
           plan_fail(err,
                     "the NUMA nodes have %" G_GUINT64_FORMAT
                     " bytes of RAM, the machine %" G_GUINT64_FORMAT " (-m): use the same size",
                     ram, m->ram_size);
}

bool plan_check_nodes(const PlanMachine *m, const PlanMachineType *t, GError **err)
{
    guint ids = m->node_memory ? m->node_memory->len : 0;

    if (m->n_nodes > t->max_nodes) {
        return plan_fail(err, "machine %s accepts %u NUMA nodes at most, not %u", t->name,
                         t->max_nodes, m->n_nodes);
    }
    if (ids && ids != m->n_nodes) {
        return plan_fail(err, "%u memory back ends for %u NUMA nodes: name one for each node", ids,
                         m->n_nodes);
    }
    for (unsigned i = 0; i < m->n_nodes; i++) {
        if (!node_check_distances(m, i, err)) {
            return false;
        }
    }
    return !m->n_nodes || node_check_totals(m, err);
}

bool plan_check_root_node(const PlanMachine *m, const PlanMachineType *t, const PlanDevice *d,
                          GError **err)
{
    const PlanValue *v = d->t->role == PLAN_PCI_EXTRA_ROOT ? plan_device_get(d, "numa_node") : NULL;
    g_autofree char *label = NULL;

    if (!v || v->u == PLAN_NODE_NONE || v->u < m->n_nodes || !t->max_nodes) {
        return true;
    }
    label = plan_device_label(d);
    if (!m->n_nodes) {
        return plan_fail(err,
                         "%s: numa_node=%" G_GUINT64_FORMAT
                         ": the machine has no NUMA nodes; add -numa node or omit the property",
                         label, v->u);
    }
    return plan_fail(err,
                     "%s: numa_node=%" G_GUINT64_FORMAT
                     ": there is no such NUMA node; the nodes are 0 to %u",
                     label, v->u, m->n_nodes - 1);
}

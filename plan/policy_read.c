/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies as JSON. A message begins with the path inside the document: "devices[3].hotplug: ...".
 */
#include "plan/json.h"
#include "plan/policy_internal.h"

enum {
    POLICY_BYTES = 1 << 20,
    POLICY_VALUES = 1 << 16,
    POLICY_DEPTH = 8,
    POLICY_FORMAT = 1,
    POLICY_PORTS = 248, /* 31 slots with eight functions */
    POLICY_BUSES = 255
};

static const char *const grow_kind_names[PLAN_GROW_KINDS + 1] = { "root-port", "switch", "bridge",
                                                                  "extra-root", NULL };
static const char *const controller_names[POLICY_CONTROLLERS + 1] = {
    "root-port", "upstream", "downstream", "pcie-bridge", "pci-bridge", "extra-root", NULL
};

static const struct PolicyNumber {
    const char *key;
    size_t at;
    unsigned min, max;
} policy_numbers[] = {
    { "spare-ports", offsetof(PlanPolicy, spare_ports), 0, POLICY_PORTS },
    { "switch-ports", offsetof(PlanPolicy, switch_ports), 2, POLICY_PORTS },
    { "bridges", offsetof(PlanPolicy, bridges), 0, POLICY_PORTS },
    { "port-slots", offsetof(PlanPolicy, port_slots), 0, 31 },
    { "root-buses", offsetof(PlanPolicy, root_buses), 2, POLICY_BUSES },
};

const char *plan_grow_kind_name(PlanGrowKind kind)
{
    return grow_kind_names[kind];
}

/* Put the position of a value in front of a message; the colon follows the last position. */
static bool policy_at(GError **err, const char *before, const char *key)
{
    bool nested = strchr(".[", (*err)->message[0]) != NULL;

    g_prefix_error(err, "%s%s%s", before, key, nested ? "" : ": ");
    return false;
}

static bool policy_unknown(const char *key, const char *known, GError **err)
{
    g_autofree char *quoted = plan_quote(key);

    return plan_fail(err, "there is no key %s: known are %s", quoted, known);
}

static bool policy_uint(struct json_object *o, uint64_t min, uint64_t max, uint64_t *to,
                        GError **err)
{
    int64_t n = json_object_is_type(o, json_type_int) ? json_object_get_int64(o) : -1;

    if (n < 0 || (uint64_t)n < min || (uint64_t)n > max) {
        return plan_fail(err, "must be an integer from %" PRIu64 " to %" PRIu64, min, max);
    }
    *to = (uint64_t)n;
    return true;
}

/* Read a size: a number of bytes, or text with a suffix. */
static bool policy_size(struct json_object *o, uint64_t *to, GError **err)
{
    static const PlanProp size = { .name = "size", .kind = PLAN_PROP_SIZE, .max = 1ull << 48 };
    PlanValue v;

    if (!json_object_is_type(o, json_type_string)) {
        return policy_uint(o, 0, size.max, to, err);
    }
    if (!plan_value_parse(&size, json_object_get_string(o), &v, err)) {
        return false;
    }
    *to = v.u;
    return true;
}

static bool policy_name(struct json_object *o, const char *const *names, unsigned *to, GError **err)
{
    g_autofree char *list = g_strjoinv(", ", (char **)names);
    const char *text;

    if (!plan_json_string(o, PLAN_NAME_MAX, &text, err)) {
        return false;
    }
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *to = i;
            return true;
        }
    }
    return plan_fail(err, "must be one of %s", list);
}

static bool policy_array(struct json_object *o, size_t max, GError **err)
{
    if (!json_object_is_type(o, json_type_array)) {
        return plan_fail(err, "must be an array");
    }
    return json_object_array_length(o) <= max ||
           plan_fail(err, "must have at most %zu elements", max);
}

static bool policy_growth(PlanPolicy *p, struct json_object *o, GError **err)
{
    if (!policy_array(o, PLAN_GROW_KINDS, err)) {
        return false;
    }
    p->n_growth = 0;
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        unsigned kind = 0;

        if (!policy_name(json_object_array_get_idx(o, i), grow_kind_names, &kind, err)) {
            return false;
        }
        if (plan_policy_grows(p, kind)) {
            return plan_fail(err, "names '%s' twice", grow_kind_names[kind]);
        }
        p->growth[p->n_growth++] = kind;
    }
    return true;
}

static bool policy_strict(PlanPolicy *p, struct json_object *o, GError **err)
{
    static const char *const names[] = { "io", "msi", NULL };
    bool strict[2] = { false, false };

    if (!policy_array(o, G_N_ELEMENTS(strict), err)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        unsigned n = 0;

        if (!policy_name(json_object_array_get_idx(o, i), names, &n, err)) {
            return false;
        }
        strict[n] = true;
    }
    p->strict_io = strict[0];
    p->strict_msi = strict[1];
    return true;
}

static bool policy_reserve(PlanPolicy *p, struct json_object *o, GError **err)
{
    const struct {
        const char *key;
        uint64_t *to;
    } rows[] = { { "io", &p->reserve.io },
                 { "mem", &p->reserve.mem },
                 { "pref64", &p->reserve.pref64 } };

    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "must be an object");
    }
    json_object_object_foreach(o, key, value)
    {
        uint64_t n = 0;
        size_t i = 0;
        bool ok;

        while (i < G_N_ELEMENTS(rows) && strcmp(rows[i].key, key) != 0) {
            i++;
        }
        if (i < G_N_ELEMENTS(rows)) {
            ok = policy_size(value, rows[i].to, err);
        } else if (strcmp(key, "buses") == 0) {
            ok = policy_uint(value, 0, POLICY_BUSES, &n, err);
            p->reserve.buses = (unsigned)n;
        } else {
            return policy_unknown(key, "buses, io, mem and pref64", err);
        }
        if (!ok) {
            return policy_at(err, ".", key);
        }
    }
    return true;
}

static bool policy_types(PlanPolicy *p, struct json_object *o, GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "must be an object");
    }
    json_object_object_foreach(o, key, value)
    {
        unsigned i = 0;
        const char *text;

        while (controller_names[i] && strcmp(controller_names[i], key) != 0) {
            i++;
        }
        if (!controller_names[i]) {
            g_autofree char *list = g_strjoinv(", ", (char **)controller_names);

            return policy_unknown(key, list, err);
        }
        if (!plan_json_string(value, PLAN_NAME_MAX, &text, err)) {
            return policy_at(err, ".", key);
        }
        g_free(p->type[i]);
        p->type[i] = g_strdup(text);
    }
    return true;
}

/* --- the rules for devices --- */

static bool policy_rule_key(PolicyRule *r, const char *key, struct json_object *value, GError **err)
{
    char **to = strcmp(key, "class") == 0  ? &r->class_name
                : strcmp(key, "type") == 0 ? &r->type
                : strcmp(key, "id") == 0   ? &r->id
                                           : NULL;
    const char *text =
        json_object_is_type(value, json_type_int) ? json_object_get_string(value) : NULL;

    if ((!text || to) && !plan_json_string(value, PLAN_NAME_MAX, &text, err)) {
        g_autofree char *quoted = plan_quote(key);

        g_prefix_error(err, "key %s ", quoted);
        return false;
    }
    if (!to) {
        return plan_prefs_set(&r->prefs, key, text, err);
    }
    g_free(*to);
    *to = g_strdup(text);
    return to != &r->class_name || plan_policy_class_ok(text) ||
           plan_fail(err, "class must be one of storage, network, display, multimedia, bridge, "
                          "communication, serial-bus and other");
}

static bool policy_rule(PlanPolicy *p, struct json_object *o, GError **err)
{
    PolicyRule *r;

    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "must be an object");
    }
    r = g_new0(PolicyRule, 1);
    plan_prefs_init(&r->prefs);
    g_ptr_array_add(p->rules, r);
    json_object_object_foreach(o, key, value)
    {
        if (!policy_rule_key(r, key, value, err)) {
            return false;
        }
    }
    return true;
}

static bool policy_devices(PlanPolicy *p, struct json_object *o, GError **err)
{
    if (!policy_array(o, POLICY_RULES_MAX, err)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        if (!policy_rule(p, json_object_array_get_idx(o, i), err)) {
            g_autofree char *at = g_strdup_printf("[%zu]", i);

            return policy_at(err, "", at);
        }
    }
    return true;
}

static const struct {
    const char *key;
    bool (*read)(PlanPolicy *p, struct json_object *o, GError **err);
} policy_members[] = {
    { "growth", policy_growth }, { "strict", policy_strict },   { "reserve", policy_reserve },
    { "types", policy_types },   { "devices", policy_devices },
};

static bool policy_member(PlanPolicy *p, const char *key, struct json_object *o, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(policy_members); i++) {
        if (strcmp(policy_members[i].key, key) == 0) {
            return policy_members[i].read(p, o, err);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(policy_numbers); i++) {
        const struct PolicyNumber *n = &policy_numbers[i];
        uint64_t value = 0;

        if (strcmp(n->key, key) == 0) {
            bool ok = policy_uint(o, n->min, n->max, &value, err);

            *(unsigned *)((char *)p + n->at) = (unsigned)value;
            return ok;
        }
    }
    return plan_fail(err, "unknown key: known are backplane-policy, base, spare-ports, "
                          "switch-ports, bridges, port-slots, root-buses, growth, reserve, strict, "
                          "types and devices");
}

/* Return the policy that "base" names, or one without rules. NULL with @err set on failure. */
static PlanPolicy *policy_base(struct json_object *o, GError **err)
{
    struct json_object *base = NULL;
    const char *name;

    if (!json_object_object_get_ex(o, "base", &base)) {
        return plan_policy_new();
    }
    if (!plan_json_string(base, PLAN_NAME_MAX, &name, err)) {
        policy_at(err, "", "base");
        return NULL;
    }
    return plan_policy_builtin(name, err);
}

static bool policy_check_format(struct json_object *o, GError **err)
{
    struct json_object *format = NULL;

    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "the policy must be an object");
    }
    json_object_object_get_ex(o, "backplane-policy", &format);
    return (json_object_is_type(format, json_type_int) &&
            json_object_get_int(format) == POLICY_FORMAT) ||
           plan_fail(err, "backplane-policy: must be %d", POLICY_FORMAT);
}

static bool policy_read(PlanPolicy *p, struct json_object *o, GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        if (strcmp(key, "base") == 0 || strcmp(key, "backplane-policy") == 0) {
            continue;
        }
        if (!policy_member(p, key, value, err)) {
            g_autofree char *quoted = plan_quote(key),
                            *name = g_strndup(quoted + 1, strlen(quoted) - 2);

            return policy_at(err, "", name);
        }
    }
    return true;
}

PlanPolicy *plan_policy_from_text(const char *text, size_t len, GError **err)
{
    static const PlanJsonLimits limits = { POLICY_BYTES, POLICY_VALUES, POLICY_DEPTH };
    struct json_object *o = plan_json_read(text, len, "the policy", &limits, err);
    g_autoptr(PlanPolicy) p = NULL;
    GError *error = NULL;

    if (!o) {
        return NULL;
    }
    p = policy_check_format(o, &error) ? policy_base(o, &error) : NULL;
    if (p && !policy_read(p, o, &error)) {
        g_clear_pointer(&p, plan_policy_free);
    }
    json_object_put(o);
    if (error) {
        g_propagate_error(err, error);
    }
    return g_steal_pointer(&p);
}

/* --- writing --- */

static struct json_object *policy_rule_to_json(const PolicyRule *r)
{
    struct json_object *o = json_object_new_object();

    if (r->class_name) {
        json_object_object_add(o, "class", json_object_new_string(r->class_name));
    }
    if (r->type) {
        json_object_object_add(o, "type", json_object_new_string(r->type));
    }
    if (r->id) {
        json_object_object_add(o, "id", json_object_new_string(r->id));
    }
    plan_prefs_to_json(&r->prefs, o);
    return o;
}

static struct json_object *policy_reserve_to_json(const PlanReserve *r)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "buses", json_object_new_int((int)r->buses));
    json_object_object_add(o, "io", json_object_new_uint64(r->io));
    json_object_object_add(o, "mem", json_object_new_uint64(r->mem));
    json_object_object_add(o, "pref64", json_object_new_uint64(r->pref64));
    return o;
}

struct json_object *plan_policy_to_json(const PlanPolicy *p)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array(),
                       *types = json_object_new_object();

    json_object_object_add(o, "backplane-policy", json_object_new_int(POLICY_FORMAT));
    for (size_t i = 0; i < G_N_ELEMENTS(policy_numbers); i++) {
        json_object_object_add(
            o, policy_numbers[i].key,
            json_object_new_int(*(const int *)((const char *)p + policy_numbers[i].at)));
    }
    for (unsigned i = 0; i < p->n_growth; i++) {
        json_object_array_add(list, json_object_new_string(grow_kind_names[p->growth[i]]));
    }
    json_object_object_add(o, "growth", list);
    json_object_object_add(o, "reserve", policy_reserve_to_json(&p->reserve));
    list = json_object_new_array();
    if (p->strict_io) {
        json_object_array_add(list, json_object_new_string("io"));
    }
    if (p->strict_msi) {
        json_object_array_add(list, json_object_new_string("msi"));
    }
    json_object_object_add(o, "strict", list);
    for (unsigned i = 0; i < POLICY_CONTROLLERS; i++) {
        if (p->type[i]) {
            json_object_object_add(types, controller_names[i], json_object_new_string(p->type[i]));
        }
    }
    json_object_object_add(o, "types", types);
    list = json_object_new_array();
    for (guint i = 0; i < p->rules->len; i++) {
        json_object_array_add(list, policy_rule_to_json(p->rules->pdata[i]));
    }
    json_object_object_add(o, "devices", list);
    return o;
}

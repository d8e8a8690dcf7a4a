/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between two machines that a guest can observe. Devices are matched by their places,
 * because a guest cannot observe ids. For a property that names a host part, the
 * comparison is limited to whether the property is set.
 */
#include "plan/internal.h"

static struct json_object *text_or_null(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

void plan_report_difference(struct json_object *out, const char *device, const char *property,
                            struct json_object *wanted, struct json_object *have)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "device", text_or_null(device));
    json_object_object_add(o, "property", json_object_new_string(property));
    json_object_object_add(o, "wanted", wanted);
    json_object_object_add(o, "have", have);
    json_object_array_add(out, o);
}

static void compare_text(struct json_object *out, const char *property, const char *wanted,
                         const char *have)
{
    if (g_strcmp0(wanted, have) != 0) {
        plan_report_difference(out, NULL, property, text_or_null(wanted), text_or_null(have));
    }
}

static void compare_number(struct json_object *out, const char *property, uint64_t wanted,
                           uint64_t have)
{
    if (wanted != have) {
        plan_report_difference(out, NULL, property, json_object_new_uint64(wanted),
                               json_object_new_uint64(have));
    }
}

static void compare_nodes(struct json_object *out, const PlanMachine *wanted,
                          const PlanMachine *have)
{
    g_autofree char *a = plan_nodes_text(wanted), *b = plan_nodes_text(have);

    compare_text(out, "NUMA nodes", a, b);
}

static bool same_for_guest(const PlanProp *p, const PlanValue *a, const PlanValue *b)
{
    if (p->flags & PLAN_PROP_HOST) {
        return true;
    }
    return p->kind == PLAN_PROP_BACKEND ? !a->s == !b->s : plan_value_equal(a, b);
}

static void compare_settings(struct json_object *out, const char *device, const PlanProp *props,
                             size_t n, const GPtrArray *wanted, const GPtrArray *have)
{
    for (size_t i = 0; i < n; i++) {
        const PlanSetting *a = wanted->pdata[i], *b = have->pdata[i];

        if (!same_for_guest(&props[i], &a->value, &b->value)) {
            plan_report_difference(out, device, props[i].name,
                                   plan_value_to_json(&props[i], &a->value),
                                   plan_value_to_json(&props[i], &b->value));
        }
    }
}

/* Return the path of the device from its root bus, as in "0000:40/01.0/00.0". */
static char *path_of(const PlanDevice *d)
{
    GString *path;

    if (!d->on) {
        return g_strdup(d->place);
    }
    path = g_string_new(NULL);
    while (d) {
        const PlanBusNode *on = d->on;
        bool top = !on->owner || on->root == on;

        g_string_prepend(path, strrchr(d->place, '/'));
        if (top) {
            g_autofree char *root = on->rule->addr == PLAN_ADDR_PCI
                                        ? g_strdup_printf("0000:%02x", on->number)
                                        : g_strdup(on->name);

            g_string_prepend(path, root);
        }
        d = top ? NULL : on->owner;
    }
    return g_string_free(path, FALSE);
}

static GHashTable *by_path(const PlanMachine *m)
{
    GHashTable *devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < m->devices->len; i++) {
        g_hash_table_insert(devices, path_of(m->devices->pdata[i]), m->devices->pdata[i]);
    }
    return devices;
}

/* Return the default of a property of a board device: the value of -global or of a compatibility
 * row, which were checked when the machine was resolved, or the value of the table. */
static void diff_board_default(const PlanMachine *m, const PlanType *t, const PlanProp *p,
                               PlanValue *v)
{
    GHashTable *of_type = g_hash_table_lookup(m->index->defaults, t->name);
    const char *text = of_type ? g_hash_table_lookup(of_type, p->name) : NULL;

    if (!text || !plan_value_parse(p, text, v, NULL)) {
        plan_value_default(p, v);
    }
}

static bool diff_is_board_type(const PlanType *t)
{
    return t->plugs_into == PLAN_BUS_SYSTEM && !t->user_creatable;
}

/* Compare the properties of board devices, which are not devices of a description. */
static void diff_board_devices(struct json_object *out, const PlanMachine *wanted,
                               const PlanMachine *have)
{
    const PlanCatalog *c = wanted->index->catalog;

    for (size_t i = 0; i < c->n_types; i++) {
        const PlanType *t = c->types[i];

        for (size_t k = 0; diff_is_board_type(t) && k < t->n_props; k++) {
            const PlanProp *p = &t->props[k];
            PlanValue a, b;

            diff_board_default(wanted, t, p, &a);
            diff_board_default(have, t, p, &b);
            if (!same_for_guest(p, &a, &b)) {
                plan_report_difference(out, t->name, p->name, plan_value_to_json(p, &a),
                                       plan_value_to_json(p, &b));
            }
            plan_value_clear(&a);
            plan_value_clear(&b);
        }
    }
}

static void compare_devices(struct json_object *out, const PlanMachine *wanted,
                            const PlanMachine *have)
{
    g_autoptr(GHashTable) theirs = by_path(have);

    for (guint i = 0; i < wanted->devices->len; i++) {
        const PlanDevice *d = wanted->devices->pdata[i], *other;
        g_autofree char *path = path_of(d);

        other = g_hash_table_lookup(theirs, path);
        g_hash_table_remove(theirs, path);
        if (!other || other->t != d->t) {
            plan_report_difference(out, plan_device_name(d), "type", text_or_null(d->type),
                                   text_or_null(other ? other->type : NULL));
        } else {
            compare_settings(out, plan_device_name(d), d->t->props, d->t->n_props, d->settings,
                             other->settings);
        }
    }
    for (guint i = 0; i < have->devices->len; i++) {
        const PlanDevice *d = have->devices->pdata[i];
        g_autofree char *path = path_of(d);

        if (g_hash_table_contains(theirs, path)) {
            plan_report_difference(out, plan_device_name(d), "type", NULL, text_or_null(d->type));
        }
    }
}

/* Report devices at equal places with different names. A stream identifies the state of a device by
 * its name. */
static struct json_object *diff_names(const PlanMachine *wanted, const PlanMachine *have)
{
    g_autoptr(GHashTable) theirs = by_path(have);
    struct json_object *out = json_object_new_array();

    for (guint i = 0; i < wanted->devices->len; i++) {
        const PlanDevice *d = wanted->devices->pdata[i], *other;
        g_autofree char *path = path_of(d);

        other = g_hash_table_lookup(theirs, path);
        if (other && other->t == d->t && g_strcmp0(d->id, other->id) != 0) {
            plan_report_difference(out, plan_device_name(d), "id", text_or_null(d->id),
                                   text_or_null(other->id));
        }
    }
    return out;
}

static struct json_object *diff_resolved(const PlanMachine *wanted, const PlanMachine *have)
{
    struct json_object *out = json_object_new_array();
    const PlanMachineType *t = wanted->index->machine;

    compare_text(out, "machine", wanted->type, have->type);
    compare_text(out, "cpu", wanted->cpu, have->cpu);
    compare_number(out, "cpus", wanted->cpus, have->cpus);
    compare_number(out, "ram", wanted->ram_size, have->ram_size);
    compare_nodes(out, wanted, have);
    if (t == have->index->machine) {
        compare_settings(out, NULL, t->props, t->n_props, wanted->settings, have->settings);
    }
    compare_devices(out, wanted, have);
    if (t == have->index->machine) {
        diff_board_devices(out, wanted, have);
    }
    return out;
}

/* Return @m if it has an index; otherwise a resolved copy, also stored in *copy. NULL with @err set
 * if the description cannot be resolved. */
static const PlanMachine *indexed(const PlanMachine *m, const PlanCatalog *c, PlanMachine **copy,
                                  GError **err)
{
    if (m->index) {
        return m;
    }
    *copy = plan_machine_copy(m);
    return plan_resolve(*copy, c, err) ? *copy : NULL;
}

typedef struct json_object *CompareFn(const PlanMachine *wanted, const PlanMachine *have);

static struct json_object *compare(const PlanMachine *wanted, const PlanMachine *have,
                                   const PlanCatalog *c, CompareFn *fn)
{
    PlanMachine *copy[2] = { NULL };
    g_autoptr(GError) err_wanted = NULL, err_have = NULL;
    const PlanMachine *a = indexed(wanted, c, &copy[0], &err_wanted);
    const PlanMachine *b = indexed(have, c, &copy[1], &err_have);
    struct json_object *out;

    if (a && b) {
        out = fn(a, b);
    } else {
        out = json_object_new_array();
        plan_report_difference(out, NULL, "description",
                               text_or_null(err_wanted ? err_wanted->message : NULL),
                               text_or_null(err_have ? err_have->message : NULL));
    }
    plan_machine_free(copy[0]);
    plan_machine_free(copy[1]);
    return out;
}

struct json_object *plan_diff(const PlanMachine *wanted, const PlanMachine *have,
                              const PlanCatalog *c)
{
    return compare(wanted, have, c, diff_resolved);
}

struct json_object *plan_diff_names(const PlanMachine *wanted, const PlanMachine *have,
                                    const PlanCatalog *c)
{
    return compare(wanted, have, c, diff_names);
}

static void diff_match_device(GHashTable *out, const PlanDevice *a, const PlanDevice *b)
{
    for (size_t i = 0; i < a->t->n_props; i++) {
        const PlanProp *p = &a->t->props[i];
        const PlanSetting *theirs = a->settings->pdata[i], *ours = b->settings->pdata[i];

        if (p->kind == PLAN_PROP_BACKEND && theirs->value.s && ours->value.s) {
            g_hash_table_replace(out, plan_backend_key(p->backend, theirs->value.s),
                                 g_strdup(ours->value.s));
        }
    }
}

static GHashTable *diff_match_resolved(const PlanMachine *wanted, const PlanMachine *have)
{
    GHashTable *out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) places = by_path(have);

    for (guint i = 0; i < wanted->devices->len; i++) {
        const PlanDevice *d = wanted->devices->pdata[i], *other;
        g_autofree char *path = path_of(d);

        other = g_hash_table_lookup(places, path);
        if (other && other->t == d->t) {
            diff_match_device(out, d, other);
        }
    }
    return out;
}

char *plan_backend_key(const char *backend, const char *id)
{
    return g_strconcat(backend, "\n", id, NULL);
}

GHashTable *plan_match_backends(const PlanMachine *wanted, const PlanMachine *have,
                                const PlanCatalog *c)
{
    PlanMachine *copy[2] = { NULL };
    const PlanMachine *a = indexed(wanted, c, &copy[0], NULL);
    const PlanMachine *b = indexed(have, c, &copy[1], NULL);
    GHashTable *out = a && b ? diff_match_resolved(a, b) : NULL;

    plan_machine_free(copy[0]);
    plan_machine_free(copy[1]);
    return out;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a resolved description: hash tables of ids, buses and types, and the slots of each
 * bus.
 */
#include "plan/alloc.h"
#include "plan/internal.h"

static void bus_free(gpointer bus)
{
    PlanBusNode *node = bus;

    for (unsigned i = 0; i < G_N_ELEMENTS(node->slot); i++) {
        g_free(node->slot[i]);
    }
    if (node->numbers) {
        g_hash_table_unref(node->numbers);
    }
    plan_alloc_free(node->scsi);
    g_free(node->name);
    g_free(node);
}

PlanBusNode *plan_index_add_bus(PlanIndex *x, const char *name, PlanBusKind kind, PlanDevice *owner)
{
    PlanBusNode *node = g_new0(PlanBusNode, 1);

    node->name = g_strdup(name);
    node->kind = kind;
    node->rule = plan_bus_rule(kind);
    node->owner = owner;
    node->serial = ++x->last_serial;
    if (node->rule->addr == PLAN_ADDR_NUMBER) {
        node->numbers = g_hash_table_new(NULL, NULL);
    }
    if (node->rule->addr == PLAN_ADDR_SCSI) {
        plan_scsi_init(node);
    }
    if (owner) {
        owner->brings = node;
    }
    g_hash_table_insert(x->buses, node->name, node);
    g_ptr_array_add(x->bus_order, node);
    plan_places_add_bus(x, node);
    return node;
}

void plan_index_remove_bus(PlanIndex *x, PlanBusNode *node)
{
    if (node->owner) {
        node->owner->brings = NULL;
        node->owner = NULL;
        g_hash_table_remove(x->buses, node->name);
        plan_places_drop_bus(node);
    }
    node->orphan = node->n_devices > 0;
    if (!node->orphan) {
        g_ptr_array_remove(x->bus_order, node);
    }
}

static void add_default(PlanIndex *x, const PlanType *t, const char *prop, const char *value)
{
    GHashTable *of_type = g_hash_table_lookup(x->defaults, t->name);

    if (!of_type) {
        of_type = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
        g_hash_table_insert(x->defaults, (gpointer)t->name, of_type);
    }
    g_hash_table_insert(of_type, (gpointer)plan_find_prop(t->props, t->n_props, prop)->name,
                        g_strdup(value));
}

static void add_compat(PlanIndex *x, const PlanType *t, const char *prop)
{
    const char *value = plan_find_prop(t->props, t->n_props, prop)
                            ? plan_compat_value(x->catalog, x->machine, t->name, prop)
                            : NULL;

    if (value) {
        add_default(x, t, prop, value);
    }
}

static void add_compats(PlanIndex *x)
{
    for (size_t i = 0; i < x->catalog->n_compats; i++) {
        const PlanCompat *row = &x->catalog->compats[i];
        const PlanType *t = row->type ? g_hash_table_lookup(x->types, row->type) : NULL;

        if (t) {
            add_compat(x, t, row->prop);
        } else if (row->type && strcmp(row->type, "*") == 0) {
            for (size_t j = 0; j < x->catalog->n_types; j++) {
                add_compat(x, x->catalog->types[j], row->prop);
            }
        }
    }
}

static const char *index_prop_name(const void *table, size_t i)
{
    return ((const PlanProp *)table)[i].name;
}

/* Return whether the type is a member of a family that -global can name. A global of a family
 * applies to each member that has the property. */
static bool in_family(const PlanType *t, const char *family)
{
    bool virtio = g_str_has_prefix(t->name, "virtio-") && t->role == PLAN_PCI_ENDPOINT;

    return strcmp(family, "device") == 0 ||
           (strcmp(family, "pci-device") == 0 && t->role != PLAN_PCI_NONE) ||
           (strcmp(family, "virtio-pci") == 0 && virtio);
}

static bool add_global_to(PlanIndex *x, const PlanType *t, PlanGlobal *g, GError **err)
{
    const PlanProp *p = plan_find_prop(t->props, t->n_props, g->prop);
    PlanValue v;

    if (!plan_value_parse(p, g->value, &v, err)) {
        g_prefix_error(err, "-global %s.%s: ", g->type, p->name);
        return false;
    }
    plan_value_clear(&v);
    add_default(x, t, p->name, g->value);
    return true;
}

static bool add_family_global(PlanIndex *x, PlanGlobal *g, GError **err)
{
    g_autofree char *quoted = plan_quote(g->prop);
    bool family = false, any = false;

    for (size_t i = 0; i < x->catalog->n_types; i++) {
        const PlanType *t = x->catalog->types[i];

        if (!in_family(t, g->type)) {
            continue;
        }
        family = true;
        if (plan_find_prop(t->props, t->n_props, g->prop)) {
            any = true;
            if (!add_global_to(x, t, g, err)) {
                return false;
            }
        }
    }
    g->used = family;
    return any || !family ||
           plan_fail(err, "-global: no type of family %s has a property %s", g->type, quoted);
}

static bool add_global(PlanIndex *x, PlanGlobal *g, GError **err)
{
    const PlanType *t = g_hash_table_lookup(x->types, g->type);

    if (!t) {
        return add_family_global(x, g, err);
    }
    g->used = true;
    if (!plan_find_prop(t->props, t->n_props, g->prop)) {
        g_autofree char *hint = suggest_hint_of(g->prop, index_prop_name, t->props, t->n_props);
        g_autofree char *quoted = plan_quote(g->prop);

        return plan_fail(err, "-global: type %s has no property %s%s", t->name, quoted, hint);
    }
    return add_global_to(x, t, g, err);
}

char *plan_type_defaults(const PlanMachine *m, const char *type)
{
    GHashTable *of_type = m->index ? g_hash_table_lookup(m->index->defaults, type) : NULL;
    GString *out = g_string_new(NULL);
    GHashTableIter iter;
    gpointer prop, value;

    if (of_type) {
        g_hash_table_iter_init(&iter, of_type);
        while (g_hash_table_iter_next(&iter, &prop, &value)) {
            g_auto(GStrv) parts = g_strsplit(value, ",", -1);
            g_autofree char *quoted = g_strjoinv(",,", parts);

            g_string_append_printf(out, "%s%s=%s", out->len ? "," : "", (char *)prop, quoted);
        }
    }
    return g_string_free(out, FALSE);
}

PlanIndex *plan_index_new(PlanMachine *m, const PlanCatalog *c, const PlanMachineType *machine,
                          GError **err)
{
    PlanIndex *x = g_new0(PlanIndex, 1);

    x->catalog = c;
    x->machine = machine;
    x->types = g_hash_table_new(g_str_hash, g_str_equal);
    x->defaults =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_hash_table_unref);
    x->devices = g_hash_table_new(g_str_hash, g_str_equal);
    x->board = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    x->buses = g_hash_table_new(g_str_hash, g_str_equal);
    x->bus_order = g_ptr_array_new_with_free_func(bus_free);
    x->unique = g_hash_table_new(NULL, NULL);
    for (size_t i = 0; i < c->n_types; i++) {
        g_hash_table_insert(x->types, (gpointer)c->types[i]->name, (gpointer)c->types[i]);
        if (c->types[i]->alias) {
            g_hash_table_insert(x->types, (gpointer)c->types[i]->alias, (gpointer)c->types[i]);
        }
    }
    add_compats(x);
    for (guint i = 0; i < m->globals->len; i++) {
        if (!add_global(x, m->globals->pdata[i], err)) {
            plan_index_free(x);
            return NULL;
        }
    }
    if (machine->root_bus) {
        x->root = plan_index_add_bus(x, machine->root_bus, machine->root_kind, NULL);
        x->root->root = x->root;
        x->root->hotplug = machine->root_hotplug;
        x->root->n_buses = 1;
    }
    for (unsigned n = machine->n_mmio_buses; n > 0; n--) { /* in the order of filling */
        g_autofree char *name = g_strdup_printf("%s%u", machine->mmio_bus, n - 1);
        PlanBusNode *node = plan_index_add_bus(x, name, PLAN_BUS_VIRTIO_MMIO, NULL);

        node->root = node;
    }
    return x;
}

void plan_index_free(PlanIndex *x)
{
    if (x) {
        g_hash_table_unref(x->types);
        g_hash_table_unref(x->defaults);
        g_hash_table_unref(x->devices);
        g_hash_table_unref(x->board);
        g_hash_table_unref(x->buses);
        g_hash_table_unref(x->unique);
        g_ptr_array_unref(x->bus_order);
        plan_places_free(x->places);
        g_free(x);
    }
}

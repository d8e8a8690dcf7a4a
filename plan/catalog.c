/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookups in a catalogue.
 */
#include "plan/internal.h"

static bool catalog_is_named(const char *name, const char *own, const char *alias)
{
    return strcmp(own, name) == 0 || (alias && strcmp(alias, name) == 0);
}

const PlanType *plan_find_type(const PlanCatalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_types; i++) {
        if (catalog_is_named(name, c->types[i]->name, c->types[i]->alias)) {
            return c->types[i];
        }
    }
    return NULL;
}

/* Return the name (even @i) or alias (odd @i) of type i / 2; NULL if users may not create the type.
 * @i is less than 2 * n_types. */
static const char *catalog_type_name(const void *catalog, size_t i)
{
    const PlanCatalog *c = catalog;
    const PlanType *t = c->types[i / 2];

    return !t->user_creatable ? NULL : i % 2 ? t->alias : t->name;
}

static const PlanAbsent *catalog_absent(const PlanCatalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_absent; i++) {
        if (g_pattern_match_simple(c->absent[i].pattern, name)) {
            return &c->absent[i];
        }
    }
    return NULL;
}

const PlanType *plan_expect_type(const PlanCatalog *c, const char *name, GError **err)
{
    const PlanType *t = plan_find_type(c, name);
    const PlanAbsent *absent = t ? NULL : catalog_absent(c, name);
    g_autofree char *quoted = NULL, *hint = NULL;

    if (t) {
        return t;
    }
    quoted = plan_quote(name);
    if (absent) {
        plan_fail(err,
                  "unknown device type %s: this version does not have %s%s%s; -device help lists "
                  "the types",
                  quoted, absent->feature, absent->instead ? "; use " : "",
                  absent->instead ? absent->instead : "");
        return NULL;
    }
    hint = suggest_hint_of(name, catalog_type_name, c, 2 * c->n_types);
    plan_fail(err, "unknown device type %s%s: -device help lists the types", quoted, hint);
    return NULL;
}

const PlanMachineType *plan_find_machine(const PlanCatalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_machines; i++) {
        if (catalog_is_named(name, c->machines[i]->name, c->machines[i]->alias)) {
            return c->machines[i];
        }
    }
    return NULL;
}

static const char *row_value(const PlanCatalog *c, const char *machine, const char *type,
                             const char *prop)
{
    for (size_t i = 0; i < c->n_compats; i++) {
        const PlanCompat *row = &c->compats[i];

        if (strcmp(row->machine, machine) == 0 && g_strcmp0(row->type, type) == 0 &&
            strcmp(row->prop, prop) == 0) {
            return row->value;
        }
    }
    return NULL;
}

const char *plan_compat_value(const PlanCatalog *c, const PlanMachineType *machine,
                              const char *type, const char *prop)
{
    /* a chain of `newer` cannot be longer than the list of machines */
    for (size_t left = c->n_machines; machine && left; left--) {
        const char *value = row_value(c, machine->name, type, prop);

        if (!value && type) {
            value = row_value(c, machine->name, "*", prop);
        }
        if (value) {
            return value;
        }
        machine = machine->newer ? plan_find_machine(c, machine->newer) : NULL;
    }
    return NULL;
}

const PlanProp *plan_find_prop(const PlanProp *props, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(props[i].name, name) == 0) {
            return &props[i];
        }
    }
    return NULL;
}

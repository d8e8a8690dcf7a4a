/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine versions: every compat row names a versioned machine, an existing type and property, and
 * a legal value, and applies to that version and not to the newest one.
 */
#include <string.h>

#include "hw/core/type_catalog.h"
#include "plan/description.h"

static const PlanMachineType *find_machine(const PlanCatalog *c, const char *name)
{
    for (size_t i = 0; i < c->n_machines; i++) {
        if (g_str_equal(c->machines[i]->name, name))
            return c->machines[i];
    }
    return NULL;
}

static const PlanProp *find_prop(const PlanCatalog *c, const PlanMachineType *machine,
                                 const PlanCompat *row)
{
    const PlanType *t = row->type ? plan_find_type(c, row->type) : NULL;

    for (size_t i = 0; g_strcmp0(row->type, "*") == 0 && i < c->n_types; i++) {
        const PlanProp *p = plan_find_prop(c->types[i]->props, c->types[i]->n_props, row->prop);

        if (p)
            return p;
    }
    if (row->type && (!t || !g_str_equal(t->name, row->type)))
        return NULL; /* an alias would never match */
    return t ? plan_find_prop(t->props, t->n_props, row->prop)
             : plan_find_prop(machine->props, machine->n_props, row->prop);
}

static void test_rows(void)
{
    PlanCatalog *c = type_catalog_new();

    g_assert_cmpuint(c->n_compats, >, 0);
    for (size_t i = 0; i < c->n_compats; i++) {
        const PlanCompat *row = &c->compats[i];
        const PlanMachineType *machine = find_machine(c, row->machine);
        const PlanProp *p = machine ? find_prop(c, machine, row) : NULL;
        g_autofree char *name =
            g_strdup_printf("%s %s.%s=%s", row->machine, row->type ? row->type : "(machine)",
                            row->prop, row->value);
        g_autofree char *text = NULL, *def = NULL;
        g_autoptr(GError) err = NULL;
        PlanValue v, own;

        g_test_message("%s", name);
        g_assert_nonnull(p);
        g_assert_nonnull(machine->newer); /* the newest version has no rows */
        g_assert_cmpint(p->flags & PLAN_PROP_HOST, ==, 0);
        g_assert_true(plan_value_parse(p, row->value, &v, &err));
        text = plan_value_format(p, &v);
        plan_value_default(p, &own);
        def = plan_value_format(p, &own);
        g_assert_cmpstr(text, !=, def);
        plan_value_clear(&v);
        plan_value_clear(&own);
        for (size_t j = 0; j < i; j++) /* one row for each */
            g_assert_false(g_str_equal(c->compats[j].machine, row->machine) &&
                           g_strcmp0(c->compats[j].type, row->type) == 0 &&
                           g_str_equal(c->compats[j].prop, row->prop));
    }
    type_catalog_free(c);
}

static void test_versions(void)
{
    PlanCatalog *c = type_catalog_new();

    g_assert_true(plan_find_machine(c, "virt") == plan_find_machine(c, "virt-0.3"));
    for (size_t i = 0; i < c->n_machines; i++) {
        const PlanMachineType *m = c->machines[i];

        g_assert_true(!m->newer || find_machine(c, m->newer));
        g_assert_false(m->newer && (m->alias || m->is_default));
    }
    type_catalog_free(c);
}

static char *aia_of(const PlanCatalog *c, const char *machine)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;
    const PlanMachineType *t = plan_find_machine(c, machine);

    g_assert_true(plan_machine_parse(m, machine, &err));
    g_assert_true(plan_resolve(m, c, &err));
    g_assert_no_error(err);
    return plan_value_format(plan_find_prop(t->props, t->n_props, "aia"),
                             plan_machine_get(m, "aia"));
}

static void test_aia(void)
{
    static const char *const want[][2] = {
        { "virt", "none" },
        { "virt-0.2", "none" },
        { "virt-0.1", "aplic-imsic" },
    };
    PlanCatalog *c = type_catalog_new();

    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        g_autofree char *aia = aia_of(c, want[i][0]);

        g_assert_cmpstr(aia, ==, want[i][1]);
    }
    type_catalog_free(c);
}

/* Every PCI type that a user can create keeps its layout. */
static void test_layout_rows(void)
{
    PlanCatalog *c = type_catalog_new();
    const PlanMachineType *old = plan_find_machine(c, "virt-0.1");

    for (size_t i = 0; i < c->n_types; i++) {
        const PlanType *t = c->types[i];

        if (t->user_creatable && t->n_caps && plan_find_prop(t->props, t->n_props, "qemu-layout")) {
            g_assert_cmpstr(plan_compat_value(c, old, t->name, "qemu-layout"), ==, "off");
        }
    }
    type_catalog_free(c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/compat/rows", test_rows);
    g_test_add_func("/compat/versions", test_versions);
    g_test_add_func("/compat/aia", test_aia);
    g_test_add_func("/compat/layout-rows", test_layout_rows);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A catalogue printed as C and linked into this program must be equal to the original.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void same_text(const char *a, const char *b)
{
    g_assert_cmpstr(a, ==, b);
}

static void same_list(const char *const *a, const char *const *b)
{
    g_assert_true(!a == !b);
    for (; a && *a; a++, b++) {
        same_text(*a, *b);
    }
    g_assert_true(!b || !*b);
}

static void same_props(const PlanProp *a, const PlanProp *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        same_text(a[i].name, b[i].name);
        same_text(a[i].def_str, b[i].def_str);
        same_text(a[i].backend, b[i].backend);
        same_text(a[i].doc, b[i].doc);
        same_list(a[i].choices, b[i].choices);
        g_assert_cmpint(a[i].kind, ==, b[i].kind);
        g_assert_cmpint(a[i].flags, ==, b[i].flags);
        g_assert_cmpuint(a[i].def, ==, b[i].def);
        g_assert_cmpuint(a[i].min, ==, b[i].min);
        g_assert_cmpuint(a[i].max, ==, b[i].max);
    }
}

static void same_type(const PlanType *a, const PlanType *b)
{
    same_text(a->name, b->name);
    same_text(a->alias, b->alias);
    same_text(a->doc, b->doc);
    g_assert_cmpuint(a->n_props, ==, b->n_props);
    same_props(a->props, b->props, a->n_props);
    g_assert_cmpint(a->plugs_into, ==, b->plugs_into);
    g_assert_cmpint(a->role, ==, b->role);
    g_assert_cmpint(a->slots, ==, b->slots);
    g_assert_cmpint(a->provides, ==, b->provides);
    g_assert_true(a->hotpluggable == b->hotpluggable);
    g_assert_true(a->user_creatable == b->user_creatable);
    g_assert_cmpuint(a->n_bars, ==, b->n_bars);
    for (size_t i = 0; i < a->n_bars; i++) {
        g_assert_cmpint(a->bars[i].index, ==, b->bars[i].index);
        g_assert_cmpuint(a->bars[i].size, ==, b->bars[i].size);
        g_assert_true(a->bars[i].io == b->bars[i].io && a->bars[i].is64 == b->bars[i].is64 &&
                      a->bars[i].prefetch == b->bars[i].prefetch);
        same_text(a->bars[i].size_prop, b->bars[i].size_prop);
    }
    g_assert_cmpuint(a->n_caps, ==, b->n_caps);
    for (size_t i = 0; i < a->n_caps; i++) {
        g_assert_cmpint(a->caps[i].id, ==, b->caps[i].id);
        g_assert_cmpint(a->caps[i].length, ==, b->caps[i].length);
        g_assert_true(a->caps[i].extended == b->caps[i].extended &&
                      a->caps[i].required == b->caps[i].required);
        same_text(a->caps[i].prop, b->caps[i].prop);
    }
}

static void same_machine(const PlanMachineType *a, const PlanMachineType *b)
{
    same_text(a->name, b->name);
    same_text(a->alias, b->alias);
    same_text(a->doc, b->doc);
    same_text(a->default_cpu, b->default_cpu);
    same_text(a->default_ram_id, b->default_ram_id);
    same_text(a->root_bus, b->root_bus);
    same_text(a->newer, b->newer);
    same_list(a->implicit, b->implicit);
    g_assert_true(a->is_default == b->is_default);
    g_assert_cmpuint(a->max_cpus, ==, b->max_cpus);
    g_assert_cmpuint(a->max_nodes, ==, b->max_nodes);
    g_assert_cmpuint(a->default_ram, ==, b->default_ram);
    g_assert_cmpint(a->root_kind, ==, b->root_kind);
    g_assert_cmpuint(a->n_props, ==, b->n_props);
    same_props(a->props, b->props, a->n_props);
}

/* plan_catalog is the copy of tc_catalog that test-catalog-print generated. */
static void test_linked(void)
{
    g_autofree char *one = plan_catalog_to_c(&tc_catalog);
    g_autofree char *two = plan_catalog_to_c(&plan_catalog);

    g_assert_cmpstr(one, ==, two);
    g_assert_cmpuint(plan_catalog.n_types, ==, tc_catalog.n_types);
    for (size_t i = 0; i < tc_catalog.n_types; i++) {
        same_type(plan_catalog.types[i], tc_catalog.types[i]);
    }
    g_assert_cmpuint(plan_catalog.n_machines, ==, tc_catalog.n_machines);
    for (size_t i = 0; i < tc_catalog.n_machines; i++) {
        same_machine(plan_catalog.machines[i], tc_catalog.machines[i]);
    }
    g_assert_cmpuint(plan_catalog.n_compats, ==, tc_catalog.n_compats);
    for (size_t i = 0; i < tc_catalog.n_compats; i++) {
        same_text(plan_catalog.compats[i].machine, tc_catalog.compats[i].machine);
        same_text(plan_catalog.compats[i].type, tc_catalog.compats[i].type);
        same_text(plan_catalog.compats[i].value, tc_catalog.compats[i].value);
    }
}

static void test_find(void)
{
    g_assert_true(plan_find_type(&tc_catalog, "nic-pci") == &tc_nic);
    g_assert_true(plan_find_type(&tc_catalog, "old") == &tc_old);
    g_assert_null(plan_find_type(&tc_catalog, ""));
    g_assert_true(plan_find_machine(&tc_catalog, "virt") == &tc_virt);
    g_assert_null(plan_find_machine(&tc_catalog, "pc"));
    g_assert_true(plan_find_prop(tc_nic_props, 3, "pm") == &tc_nic_props[2]);
    g_assert_null(plan_find_prop(tc_nic_props, 2, "pm"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/catalog/linked", test_linked);
    g_test_add_func("/catalog/find", test_find);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings against a table: completed in the order of the table; unknown names are rejected.
 */
#include <string.h>

#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

static void test_order(void)
{
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(plan_setting_free);
    g_autoptr(GHashTable) defaults = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) err = NULL;

    plan_settings_set(settings, "speed", "8");
    plan_settings_set(settings, "msix", "0xA0");
    g_hash_table_insert(defaults, (gpointer) "bias", (gpointer) "3");
    g_hash_table_insert(defaults, (gpointer) "speed", (gpointer) "5");
    plan_resolve_settings(&settings, tc_nic_props, G_N_ELEMENTS(tc_nic_props), defaults, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(settings->len, ==, G_N_ELEMENTS(tc_nic_props));
    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];

        g_assert_cmpstr(s->name, ==, tc_nic_props[i].name);
        g_assert_true(s->resolved);
        g_assert_true(s->given == (strcmp(s->name, "speed") == 0 || strcmp(s->name, "msix") == 0));
    }
    g_assert_cmpstr(plan_setting_find(settings, "msix")->text, ==, "0xa0");
    g_assert_cmpint(plan_setting_find(settings, "bias")->value.i, ==, 3);
    g_assert_cmpuint(plan_setting_find(settings, "speed")->value.u, ==, 2);
}

/* A rejection leaves the settings unchanged. */
static void test_refused(void)
{
    static const char *const rows[][2] = {
        { "nope", "1" },
        { "vectors", "many" },
        { "mac", NULL },
        { "", "" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(plan_setting_free);
        g_autoptr(GError) err = NULL;

        plan_settings_set(settings, "speed", "8");
        plan_settings_set(settings, rows[i][0], rows[i][1]);
        g_assert_false(
            plan_resolve_settings(&settings, tc_nic_props, G_N_ELEMENTS(tc_nic_props), NULL, &err));
        tc_sentence(err);
        g_assert_cmpuint(settings->len, ==, 2);
    }
}

/* A setting that the user explicitly sets to null stays unset. */
static void test_null(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    PlanDevice *d = plan_device_parse("{'driver': 'nic', 'model': null}", NULL);

    g_ptr_array_add(m->devices, d);
    g_assert_true(plan_resolve(m, &tc_catalog, NULL));
    g_assert_null(plan_device_get(d, "model")->s);
    g_assert_false(plan_device_flag(d, "csum", false));
    g_assert_true(plan_device_flag(d, "csum", true)); /* auto */
    g_assert_true(plan_device_flag(d, "nope", true));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/props/order", test_order);
    g_test_add_func("/props/refused", test_refused);
    g_test_add_func("/props/null", test_null);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses in every form, and the table of rules of the buses.
 */
#include <string.h>

#include "plan/bus.h"
#include "tests/unit/plan/test-catalog.h"

static const struct {
    const char *text, *canonical; /* NULL: rejected */
    bool full;
} rows[] = {
    { "04.0", "04.0", false },
    { "4.0", "04.0", false },
    { "4", "04.0", false },
    { "0x06", "06.0", false },
    { "0x06.0", "06.0", false },
    { "0X6.7", "06.7", false },
    { "0x1.0x1", "01.1", false },
    { "1f.7", "1f.7", false },
    { "1.0x", NULL, false },
    { "0x0x1", NULL, false },
    { "1F", "1f.0", false },
    { "0000:01:00.0", "0000:01:00.0", true },
    { "40:05.1", "0000:40:05.1", true },
    { "1:ff:1f.3", "0001:ff:1f.3", true },
    { "20", NULL, false },
    { "5.8", NULL, false },
    { "5.", NULL, false },
    { ".5", NULL, false },
    { "", NULL, false },
    { "5.1.1", NULL, false },
    { "5 ", NULL, false },
    { "-1", NULL, false },
    { "005", NULL, false },
    { "zz", NULL, false },
    { "100:05.0", NULL, true },
    { "00000:01:00.0", NULL, true },
    { "0:0:0:0", NULL, true },
    { ":5.0", NULL, true },
    { "00:", NULL, true },
};

static void test_forms(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *text = NULL;
        PlanPciAddr addr, again;
        bool full;

        if (!plan_addr_parse(rows[i].text, &addr, &full, &err)) {
            tc_sentence(err);
            g_assert_null(rows[i].canonical);
            continue;
        }
        g_assert_true(full == rows[i].full);
        text = plan_addr_format(&addr, full);
        g_assert_cmpstr(text, ==, rows[i].canonical);
        g_assert_true(plan_addr_parse(text, &again, NULL, NULL));
        g_assert_cmpint(plan_addr_compare(&addr, &again), ==, 0);
    }
}

static void test_every(void)
{
    PlanPciAddr last = { 0 };

    for (unsigned i = 0; i < 256; i++) {
        PlanPciAddr addr = { .slot = (uint8_t)(i >> 3), .fn = i & 7 }, again;
        g_autofree char *text = plan_addr_format(&addr, false);

        g_assert_true(plan_addr_parse(text, &again, NULL, NULL));
        g_assert_cmpuint(again.slot * 8u + again.fn, ==, i);
        g_assert_cmpint(plan_addr_compare(&last, &again), ==, i ? -1 : 0);
        last = again;
    }
}

static void test_rules(void)
{
    for (int k = -1; k <= PLAN_BUS_KINDS; k++) {
        const PlanBusRule *r = plan_bus_rule((PlanBusKind)k);

        g_assert_nonnull(r->name);
        g_assert_nonnull(r->doc);
        g_assert_nonnull(r->takes);
        g_assert_cmpuint(r->first_slot, <=, r->last_slot);
        g_assert_cmpuint(r->last_slot, <, 32);
        g_assert_true((r->addr == PLAN_ADDR_NUMBER) == (r->number_prop != NULL));
        g_assert_true((r->addr != PLAN_ADDR_NONE) == (r->suffix != NULL));
        g_assert_true((r->hotplug == PLAN_HOTPLUG_IF || r->hotplug == PLAN_HOTPLUG_UNLESS) ==
                      (r->hotplug_prop != NULL));
    }
    for (int role = 0; role <= PLAN_PCI_HOST + 1; role++) {
        g_assert_nonnull(plan_role_name((PlanPciRole)role));
    }
    g_assert_true(plan_bus_is_express(PLAN_BUS_PCIE_PORT));
    g_assert_false(plan_bus_is_express(PLAN_BUS_PCI));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/addr/forms", test_forms);
    g_test_add_func("/addr/every", test_every);
    g_test_add_func("/addr/rules", test_rules);
    return g_test_run();
}

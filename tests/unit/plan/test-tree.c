/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of buses: loops, depth, and available bus numbers.
 */
#include <string.h>

#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

/* Return a machine with @n bridges, each on the previous one, in reverse order. */
static PlanMachine *chain(int n)
{
    PlanMachine *m = plan_machine_new();

    for (int i = n - 1; i >= 0; i--) {
        g_autofree char *text =
            i ? g_strdup_printf("bridge,id=b%d,bus=b%d", i, i - 1) : g_strdup("bridge,id=b0");

        g_ptr_array_add(m->devices, plan_device_parse(text, NULL));
    }
    return m;
}

static void test_depth(void)
{
    g_autoptr(PlanMachine) fits = chain(PLAN_DEPTH_MAX);

    g_assert_true(plan_resolve(fits, &tc_catalog, NULL));
    tc_refused(chain(PLAN_DEPTH_MAX + 1), "its bus is below|at most 24");
    tc_refused(chain(200), "its bus is below");
}

static void test_loop(void)
{
    TC_REFUSED("on its own bus", "bridge,id=a,bus=a");
    TC_REFUSED("on its own bus", "bridge,id=a,bus=b", "bridge,id=b,bus=c", "bridge,id=c,bus=a",
               "old,bus=a");
}

/* 255 buses fit below bus 0. One more does not fit, and neither does a root that reduces the
 * range. */
static void test_numbers(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanDevice) extra = plan_device_parse("bridge,bus=b2,addr=1f", NULL);
    g_autoptr(PlanDevice) root = plan_device_parse("pxb,bus_nr=200", NULL);

    for (int i = 0; i < 255; i++) {
        g_autofree char *text = i < 31 ? g_strdup_printf("bridge,id=b%d", i)
                                       : g_strdup_printf("pcie-bridge,bus=p%d", i);

        if (i >= 31) {
            g_free(text);
            text = g_strdup_printf("bridge,bus=b%d,addr=%x", (i - 31) / 16, (i - 31) % 16);
        }
        g_ptr_array_add(m->devices, plan_device_parse(text, NULL));
    }
    plan_resolve(m, &tc_catalog, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(m->index->root->n_buses, ==, 256);
    plan_device_set(extra, "chassis_nr", "1");
    g_assert_false(plan_add_device(m, &tc_catalog, extra, false, &err));
    tc_sentence(err);
    g_clear_error(&err);
    g_assert_cmpuint(m->index->root->n_buses, ==, 256);
    g_assert_false(plan_add_device(m, &tc_catalog, root, false, &err));
    tc_sentence(err);
    g_assert_cmpuint(m->index->root->n_buses, ==, 256);
}

static void test_roots(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("pxb,id=p,bus_nr=64", "root-port,bus=p", "pxb,id=q,bus_nr=0x80");

    g_assert_cmpuint(m->index->root->n_buses, ==, 1);
    g_assert_cmpuint(plan_find_device(m, "p")->brings->n_buses, ==, 2);
    g_assert_cmpuint(plan_find_device(m, "q")->brings->number, ==, 128);
    TC_REFUSED("bus_nr|1 to 255", "pxb,bus_nr=0");
    TC_REFUSED("'bus_nr' is required", "pxb");
    TC_REFUSED("too few|0x00 to 0x00", "pxb,bus_nr=1", "root-port");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tree/depth", test_depth);
    g_test_add_func("/tree/loop", test_loop);
    g_test_add_func("/tree/numbers", test_numbers);
    g_test_add_func("/tree/roots", test_roots);
    return g_test_run();
}

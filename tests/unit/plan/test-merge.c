/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command line laid over a file.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void test_merge(void)
{
    g_autoptr(PlanMachine) base = TC_RESOLVED("nic,id=a,vectors=3", "nic,id=b", "old");
    g_autoptr(PlanMachine) over = TC_MACHINE("disk,id=a,drive=d", "nic,id=c", "old");
    g_autoptr(GError) err = NULL;

    plan_machine_add_host(base, plan_host_part_parse("drive", "id=d,format=raw", NULL), NULL);
    plan_machine_add_host(over, plan_host_part_parse("drive", "id=d,format=qcow2", NULL), NULL);
    plan_machine_add_host(over, plan_host_part_parse("drive", "id=e,format=raw", NULL), NULL);
    plan_machine_parse(over, "virt,aia=none", NULL);
    plan_machine_add_global(over, "nic.speed=8", NULL);
    over->cpus = 4;
    g_assert_true(plan_merge(base, over, &err));
    plan_resolve(base, &tc_catalog, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(base->cpus, ==, 4);
    g_assert_cmpuint(base->ram_size, ==, 128 << 20);
    g_assert_cmpuint(plan_machine_get(base, "aia")->u, ==, 0);
    g_assert_cmpuint(base->devices->len, ==, 3 + 5);
    g_assert_cmpstr(plan_find_device(base, "a")->type, ==, "disk");
    g_assert_cmpstr(plan_find_device(base, "b")->place, ==, "pcie.0/02.0");
    g_assert_cmpuint(plan_device_get(plan_find_device(base, "c"), "speed")->u, ==, 2);
    g_assert_cmpuint(base->host->len, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/merge/merge", test_merge);
    return g_test_run();
}

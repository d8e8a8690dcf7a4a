/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that are unique in a machine.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static unsigned number(const PlanMachine *m, const char *id, const char *prop)
{
    return (unsigned)plan_device_get(plan_find_device(m, id), prop)->u;
}

static void test_chosen(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED(
        "root-port,id=a", "root-port,id=b,slot=0", "root-port,id=c", "root-port,id=d,chassis=7",
        "root-port,id=e,chassis=7", "bridge,id=x", "bridge,id=y,chassis_nr=2", "bridge,id=z");

    g_assert_cmpuint(number(m, "a", "slot"), ==, 1); /* given numbers are reserved first */
    g_assert_cmpuint(number(m, "b", "slot"), ==, 0);
    g_assert_cmpuint(number(m, "c", "slot"), ==, 2);
    g_assert_cmpuint(number(m, "d", "slot"), ==, 0);
    g_assert_cmpuint(number(m, "e", "slot"), ==, 1);
    g_assert_cmpuint(number(m, "x", "chassis_nr"), ==, 1);
    g_assert_cmpuint(number(m, "z", "chassis_nr"), ==, 3);
}

/* A number is available again when its owner was removed. */
static void test_released(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("bridge,id=x,chassis_nr=9");
    g_autoptr(GError) err = NULL;
    PlanDevice *again = plan_device_parse("bridge,id=y,chassis_nr=9", NULL);

    g_assert_false(plan_add_device(m, &tc_catalog, again, false, &err));
    tc_sentence(err);
    g_assert_nonnull(strstr(err->message, "chassis_nr=9 is already used by device 'x'"));
    g_clear_error(&err);
    plan_remove_device(m, plan_find_device(m, "x"));
    plan_add_device(m, &tc_catalog, again, false, &err);
    g_assert_no_error(err);
}

static void test_used_up(void)
{
    PlanMachine *m = plan_machine_new();

    for (int i = 0; i < 256; i++) {
        g_autofree char *text = g_strdup_printf("bridge,addr=%x.%d,multifunction=on", i / 8, i % 8);

        g_ptr_array_add(m->devices, plan_device_parse(text, NULL));
    }
    tc_refused(m, "no value of 'chassis_nr' up to 255 is free");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/numbers/chosen", test_chosen);
    g_test_add_func("/numbers/released", test_released);
    g_test_add_func("/numbers/used-up", test_used_up);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capability properties against the bus and the port type.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static int64_t cap(const PlanMachine *m, const char *id, const char *name)
{
    return plan_device_get(plan_find_device(m, id), name)->i;
}

/* A capability that was not requested and is not possible is off, and the dump shows it. */
static void test_left_out(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("bridge,id=b", "nic,id=c,bus=b", "nic,id=e", "nic,id=x,express=off");

    g_assert_cmpint(cap(m, "c", "express"), ==, PLAN_CAP_OFF);
    g_assert_cmpint(cap(m, "c", "aer"), ==, PLAN_CAP_OFF);
    g_assert_cmpint(cap(m, "c", "msix"), ==, PLAN_CAP_ANYWHERE);
    g_assert_cmpint(cap(m, "e", "express"), ==, PLAN_CAP_ANYWHERE);
    g_assert_cmpint(cap(m, "e", "aer"), ==, PLAN_CAP_ANYWHERE);
    g_assert_cmpint(cap(m, "x", "aer"), ==, PLAN_CAP_OFF);
}

static void test_refused(void)
{
    TC_REFUSED("express=on is not possible|conventional PCI", "bridge,id=b",
               "nic,id=c,bus=b,express=on");
    TC_REFUSED("aer=0x150|requires the Express capability", "bridge,id=b", "nic,bus=b,aer=0x150");
    TC_REFUSED("aer=on|requires the Express capability", "nic,aer=on,express=off");
    TC_REFUSED("'r' (root-port)|express=off|must have the capability",
               "root-port,id=r,express=off");
    TC_REFUSED("pm=off|power management", "nic,pm=off");
    TC_REFUSED("msix=0xf8|no room for the 12 bytes|0x40 to 0xf4", "nic,msix=0xf8");
    TC_REFUSED("'msix' does not accept '0x3c'", "nic,msix=0x3c");
    TC_REFUSED("msix=0x200|no room", "nic,msix=0x200");
    TC_REFUSED("'aer' does not accept '0xc0'|0x100", "nic,aer=0xc0");
    TC_REFUSED("aer=0xffc|0xfd4", "nic,aer=0xffc");
}

static void test_accepted(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED(
        "bridge,id=b", "nic,id=c,bus=b,pm=off,express=off", "nic,id=d,pm=off,express=off",
        "nic,id=e,msix=0xf4,aer=0xfd4", "root-port,id=r,express=0x80");

    g_assert_cmpint(cap(m, "c", "pm"), ==, PLAN_CAP_OFF);
    g_assert_cmpint(cap(m, "d", "pm"), ==, PLAN_CAP_OFF);
    g_assert_cmpint(cap(m, "e", "msix"), ==, 0xf4);
    g_assert_cmpint(cap(m, "r", "express"), ==, 0x80);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/caps/left-out", test_left_out);
    g_test_add_func("/caps/refused", test_refused);
    g_test_add_func("/caps/accepted", test_accepted);
    return g_test_run();
}

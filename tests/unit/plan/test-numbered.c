/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of buses whose addresses are numbers: allocation, its order, and error messages.
 */
#include <string.h>

#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

static PlanDevice *add(PlanMachine *m, const char *text)
{
    PlanDevice *d = plan_device_parse(text, NULL);
    g_autoptr(GError) err = NULL;

    plan_add_device(m, &tc_catalog, d, true, &err);
    g_assert_no_error(err);
    return d;
}

static void refused(PlanMachine *m, const char *text, const char *sentence)
{
    g_autoptr(PlanDevice) d = plan_device_parse(text, NULL);
    g_autoptr(GError) err = NULL;

    g_assert_false(plan_add_device(m, &tc_catalog, d, true, &err));
    if (!strstr(err->message, sentence)) {
        g_error("'%s' does not contain '%s'", err->message, sentence);
    }
}

static const char *place(const PlanMachine *m, const char *id)
{
    return plan_find_device(m, id)->place;
}

/* Given numbers are reserved before any is chosen, for any order of the options. */
static void test_order(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("serialport,id=a", "serialport,id=b,nr=1",
                                           "serialport,id=c", "serial-pci,id=s");

    g_assert_cmpstr(place(m, "b"), ==, "s.0/1");
    g_assert_cmpstr(place(m, "a"), ==, "s.0/2");
    g_assert_cmpstr(place(m, "c"), ==, "s.0/3");
    g_assert_cmpuint(plan_device_get(plan_find_device(m, "c"), "nr")->u, ==, 3);
}

/* The bus of an anonymous device has its name, and exists, only when the device has its address. */
static void test_anonymous(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("serialport,id=a,nr=3", "serialport,id=b", "serial-pci,addr=5", "serial-pci");

    g_assert_cmpstr(place(m, "a"), ==, "pcie.0/05.0.0/3");
    g_assert_cmpstr(place(m, "b"), ==, "pcie.0/05.0.0/1");
}

/* A full bus is skipped. A released number is used again. */
static void test_full(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("serial-pci,id=s,max_ports=3", "serial-pci,id=t,max_ports=2");
    PlanDevice *second;

    add(m, "serialport,id=a");
    second = add(m, "serialport,id=b");
    g_assert_cmpstr(second->place, ==, "s.0/2");
    g_assert_cmpstr(add(m, "serialport,id=c")->place, ==, "t.0/1");
    refused(m, "serialport",
            "the device requires a bus: no free bus of the running machine accepts the device, "
            "start the machine"
            " with a free 'serial-pci'");
    refused(m, "serialport,bus=s.0", "bus 's.0' is full: max_ports=3 of its owner is reached");
    plan_remove_device(m, second);
    g_assert_cmpstr(add(m, "serialport")->place, ==, "s.0/2");
}

static void test_messages(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("serial-pci,id=s,max_ports=9", "serialport,id=a,nr=2", "serialport,id=b,nr=6");

    refused(
        m, "serialport,bus=s.0,nr=6",
        "nr=6 on bus 's.0' is already used by device 'b' (serialport): free there: 1, 3-5, 7-8");
    refused(m, "serialport,bus=s.0,nr=9",
            "nr=9 is beyond the end of bus 's.0', max_ports=9 of its owner: free there: 1, 3-5");
    refused(m, "serialport,bus=s.0,nr=0", "use a number from 1 to 30");
    refused(m, "serialport,bus=t.0",
            "there is no bus 't.0': free buses that accept the device now: 's.0'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/numbered/order", test_order);
    g_test_add_func("/plan/numbered/anonymous", test_anonymous);
    g_test_add_func("/plan/numbered/full", test_full);
    g_test_add_func("/plan/numbered/messages", test_messages);
    return g_test_run();
}

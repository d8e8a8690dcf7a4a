/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adding one device to a resolved machine: addresses, hot-plug rules, removal. A rejected device
 * does not change the machine.
 */
#include <string.h>

#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

static PlanDevice *add(PlanMachine *m, const char *option, bool running)
{
    g_autoptr(GError) err = NULL;
    PlanDevice *d = plan_device_parse(option, &err);

    g_assert_no_error(err);
    plan_add_device(m, &tc_catalog, d, running, &err);
    g_assert_no_error(err);
    return d;
}

static void refused(PlanMachine *m, const char *option, bool running, const char *words)
{
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    g_autofree char *slots = plan_slots_to_text(m, &tc_catalog), *slots_after = NULL;
    g_auto(GStrv) word = g_strsplit(words, "|", -1);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanDevice) d = plan_device_parse(option, NULL);

    g_assert_false(plan_add_device(m, &tc_catalog, d, running, &err));
    tc_sentence(err);
    for (guint i = 0; word[i]; i++) {
        if (!strstr(err->message, word[i])) {
            g_error("'%s' is not in: %s", word[i], err->message);
        }
    }
    after = plan_to_text(m, &tc_catalog, false);
    slots_after = plan_slots_to_text(m, &tc_catalog);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpstr(slots, ==, slots_after);
}

/* Devices can be plugged inside a switch while the emulator permits it. These buses are not
 * suggested. */
static void test_switch(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "root-port,id=rp2");
    g_autofree char *slots = NULL;

    add(m, "upstream,id=up,bus=rp", true);
    add(m, "downstream,id=down,bus=up,hotplug=off", true);
    add(m, "old,bus=down", true); /* conventional */
    add(m, "nic,bus=rp2", true);
    slots = plan_slots_to_text(m, &tc_catalog);
    g_assert_nonnull(strstr(slots, "switch downstream ports\n  hotplug  no\n"));
}

static void test_add_remove(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp");
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;

    for (int i = 0; i < 1000; i++) {
        PlanDevice *sw = add(m, "upstream,id=up,bus=rp", true);
        PlanDevice *port = add(m, "downstream,id=down,bus=up", false);
        PlanDevice *nic = add(m, "nic,bus=down", true);

        g_assert_cmpstr(nic->place, ==, "down/00.0");
        g_assert_true(plan_find_device(m, "down/00.0") == nic);
        plan_remove_device(m, nic);
        plan_remove_device(m, port);
        plan_remove_device(m, sw);
        g_assert_null(plan_find_device(m, "down/00.0"));
        g_assert_null(plan_find_device(m, "up"));
    }
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpuint(m->index->root->n_buses, ==, 2);
    g_assert_cmpuint(g_hash_table_size(m->index->unique), ==, 1);
}

/* A device may exist for a short time after its bridge while the host still holds a reference. */
static void test_bridge_first(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp");
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    PlanDevice *sw = add(m, "upstream,id=up,bus=rp", true);
    PlanDevice *port = add(m, "downstream,id=down,bus=up", false);
    PlanDevice *nic = add(m, "nic,bus=down", true), *nic_again;

    plan_remove_device(m, port);
    plan_remove_device(m, sw);
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    add(m, "upstream,id=up,bus=rp", true);
    add(m, "downstream,id=down,bus=up", false);
    nic_again = add(m, "nic,bus=down", true);
    plan_remove_device(m, nic);
    g_assert_true(plan_find_device(m, "down/00.0") == nic_again);
}

static void test_hotplug(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("root-port,id=r0", "root-port,id=r1,hotplug=off", "nic,id=n0,bus=r0",
                    "bridge,id=b0", "bridge,id=b1,shpc=0x60", "root-port,id=r2,addr=9");

    refused(m, "nic", true, "'pcie.0' accepts no device while the guest runs|'b1', 'r2'");
    refused(m, "nic,bus=r1", true, "'r1' accepts no device|'b1', 'r2'");
    refused(m, "old,bus=b0", true, "'b0' accepts no device|'b1'");
    refused(m, "disk,drive=d,bus=r0", true, "one slot, 00, already used by device 'n0'|'r2'");
    refused(m, "root-port", true, "cannot be plugged while the guest runs");
    add(m, "disk,drive=d,bus=r2", true);
    refused(m, "disk,drive=d", true,
            "no free bus of the running machine accepts the device, start the machine with a free "
            "'root-port'");
    g_assert_cmpstr(add(m, "old,bus=b1", true)->place, ==, "b1/01.0");
    refused(m, "old,bus=b1,addr=0", true, "hot-plug controller");
}

/* Every bus that the message lists accepts the device on a running machine; no other does. */
static void test_running_names(void)
{
    static const char *const wanted[] = { "nic",      "nic,bus=r0",  "nic,bus=r1",
                                          "old",      "old,bus=b1",  "serialport",
                                          "upstream", "pcie-bridge", "disk,drive=d" };

    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=r0", "root-port,id=r1,hotplug=off",
                                               "nic,bus=r0", "bridge,id=b0", "bridge,id=b1,shpc=on",
                                               "root-port,id=r2", "serial-pci,id=s,max_ports=1");
        g_autoptr(PlanDevice) d = plan_device_parse(wanted[i], NULL);
        g_autoptr(GError) err = NULL;
        const char *list;
        g_auto(GStrv) words = NULL;

        if (plan_add_device(m, &tc_catalog, d, true, &err)) {
            g_steal_pointer(&d);
            continue;
        }
        list = strstr(err->message, "free buses that accept the device now: ");
        words = g_strsplit(list ? list : "", "'", -1);
        for (guint k = 1; words[0] && words[k] && words[k + 1]; k += 2) {
            g_auto(GStrv) parts = g_strsplit(wanted[i], ",bus=", 2);
            g_autofree char *followed = g_strdup_printf("%s,bus=%s", parts[0], words[k]);

            plan_remove_device(m, add(m, followed, true));
            g_assert_cmpstr(words[k], !=, "pcie.0");
        }
        if (!list) {
            g_assert_nonnull(strstr(err->message, "the running machine accepts the device"));
        }
    }
}

/* A full bus: the message names the option and an available function. Both devices that it suggests
 * for more slots provide them. */
static PlanMachine *full_machine(const char *const *changes, const char *last)
{
    PlanMachine *m = plan_machine_new();

    for (unsigned i = 1; i <= 32; i++) {
        const char *text = i == 32 && last ? last : "nic";
        g_autofree char *first = g_strdup_printf("nic%s", i == 1 && changes ? *changes : "");
        PlanDevice *d = plan_device_parse(i == 1 ? first : text, NULL);

        d->option = i;
        g_ptr_array_add(m->devices, d);
    }
    return m;
}

static void test_full_root(void)
{
    static const char *const multifunction = ",addr=01.0,multifunction=on";
    static const char *const followed[] = { "nic,addr=1.1", "root-port,id=more,addr=1.1",
                                            "pxb,id=more,bus_nr=128,addr=1.1" };
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) full = full_machine(NULL, NULL);

    g_assert_false(plan_resolve(full, &tc_catalog, &err));
    g_assert_cmpstr(err->message, ==,
                    "device 'nic' (-device option 32): bus 'pcie.0' has no free slot: addr=01.1 on "
                    "bus 'pcie.0' is a free function, next to device 'nic' (-device option 1) with "
                    "addr=01.0,multifunction=on; for more devices, a 'root-port' or a 'pxb' with "
                    "bus_nr=128 there provides a further bus");
    for (size_t i = 0; i < G_N_ELEMENTS(followed); i++) {
        g_autoptr(PlanMachine) m = full_machine(&multifunction, followed[i]);

        g_clear_error(&err);
        plan_resolve(m, &tc_catalog, &err);
        g_assert_no_error(err);
        if (i > 0) {
            add(m, "nic,bus=more", false);
        }
    }
}

/* A full root bus and free ports: the message lists the ports, and a switch on one. */
static void test_full_root_with_ports(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=r0");

    for (int i = 0; i < 30; i++) {
        add(m, "nic", false);
    }
    refused(m, "nic", false,
            "free buses that accept the device: 'r0'; for more devices, a 'upstream' on 'r0' "
            "starts a switch");
    add(m, "upstream,id=up,bus=r0", false);
    add(m, "downstream,id=down,bus=up", false);
    add(m, "nic,bus=down", false);
    refused(m, "nic", false, "no free slot: addr=01.1 on bus 'pcie.0'");
    refused(m, "nic,addr=3", false, "is already used by|addr=01.1 on bus 'pcie.0'");
    refused(m, "nic,bus=down", false,
            "no free bus of the machine accepts the device, add a downstream first");
    add(m, "downstream,id=again,bus=up", false);
    add(m, "nic,bus=again", false);
}

/* multifunction cannot be changed for a function that the machine creates. */
static void test_beside_the_host(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=n");

    refused(m, "nic,addr=0.1", false, "single-function device of the machine; free");
    refused(m, "nic,addr=1.1", false, "device 'n' (nic), is a single-function device: set");
}

/* Each device of the chain can be added in the given order. */
static void test_chains(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=n");

    refused(m, "downstream", false, "add a root-port and on its bus a upstream first");
    add(m, "root-port,id=a", false);
    refused(m, "downstream", false, "add a upstream first");
    add(m, "upstream,id=b,bus=a", false);
    add(m, "downstream,id=c,bus=b", false);
    refused(m, "serialport", false, "add a serial-pci first");
    add(m, "serial-pci", false);
    add(m, "serialport", false);
}

/* Functions above 0 are plugged first; function 0 completes the device. */
static void test_functions(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=r0");

    refused(m, "nic,bus=r0,addr=0.1", true, "00.0 first");
    add(m, "nic,bus=r0,addr=0.1,multifunction=on", true);
    refused(m, "nic,bus=r0,addr=0.0", true, "single-function device");
    add(m, "nic,bus=r0,addr=0.0,multifunction=on", true);
    refused(m, "nic,bus=r0,addr=0.2", true, "plug function 0 last");
    add(m, "nic,bus=r0,addr=0.2", false);
}

static void test_ari(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=r0", "root-port,id=r1");

    refused(m, "nic,bus=r0,addr=3.1", false, "no slot 03|require ARI");
    add(m, "nic,bus=r0,addr=0,ari=on", false);
    g_assert_cmpstr(add(m, "nic,bus=r0,addr=3.1,ari=on", false)->place, ==, "r0/03.1");
    add(m, "nic,bus=r1,addr=0", false);
    refused(m, "nic,bus=r1,addr=1.0,ari=on", false, "function 8|requires ARI at function 0");
}

static void test_fill(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("bridge,id=b");

    for (int i = 0; i < 32; i++) {
        g_autofree char *place = g_strdup_printf("b/%02x.0", i);

        g_assert_cmpstr(add(m, "old,bus=b", false)->place, ==, place);
    }
    refused(m, "old,bus=b", false, "'b' has no free slot|'pcie.0'");
    plan_remove_device(m, plan_find_device(m, "b/11.0"));
    g_assert_cmpstr(add(m, "old,bus=b", false)->place, ==, "b/11.0");
}

static void test_ports(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("serial-pci,id=s,max_ports=3");

    g_assert_cmpstr(add(m, "serialport,nr=2", true)->place, ==, "s.0/2");
    g_assert_cmpstr(add(m, "serialport,bus=s.0,id=p", true)->place, ==, "s.0/1");
    refused(m, "serialport", true,
            "requires a bus|no free bus of the running machine accepts the device");
    refused(m, "serialport,bus=pcie.0", true, "bus 'pcie.0' is a PCI Express root bus");
    plan_remove_device(m, plan_find_device(m, "p"));
    g_assert_cmpstr(add(m, "serialport", true)->place, ==, "s.0/1");
}

static void test_bad_add(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=n");

    refused(m, "nic,id=n", false, "id is already used");
    refused(m, "root-port,id=pcie.0", false, "bus 'pcie.0' exists already");
    refused(m, "what", false, "unknown device type");
    refused(m, "nic,vectors=9999", false, "0 to 2048");
    refused(m, "host", false, "are created by the machine");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/place/add-remove", test_add_remove);
    g_test_add_func("/place/switch", test_switch);
    g_test_add_func("/place/bridge-first", test_bridge_first);
    g_test_add_func("/place/hotplug", test_hotplug);
    g_test_add_func("/place/running-names", test_running_names);
    g_test_add_func("/place/full-root", test_full_root);
    g_test_add_func("/place/full-root-with-ports", test_full_root_with_ports);
    g_test_add_func("/place/beside-the-host", test_beside_the_host);
    g_test_add_func("/place/chains", test_chains);
    g_test_add_func("/place/functions", test_functions);
    g_test_add_func("/place/ari", test_ari);
    g_test_add_func("/place/fill", test_fill);
    g_test_add_func("/place/ports", test_ports);
    g_test_add_func("/place/bad-add", test_bad_add);
    return g_test_run();
}

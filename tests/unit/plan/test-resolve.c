/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resolving: addresses are chosen, rules are observed, and error messages name alternatives.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static const char *addr_of(PlanMachine *m, const char *id)
{
    static char text[80];
    PlanDevice *d = plan_find_device(m, id);
    g_autofree char *addr = NULL;

    g_assert_nonnull(d);
    addr = plan_addr_format(&d->addr, false);
    g_snprintf(text, sizeof(text), "%s/%s", d->bus, addr);
    return text;
}

static void test_places(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("nic,id=a", "nic,id=b,addr=2", "nic,id=c,addr=0x1.0", "nic,id=d",
                    "nic,id=e,bus=rp", "root-port,id=rp,addr=1f.0", "nic,id=f,addr=0000:00:07.0");

    g_assert_cmpstr(m->type, ==, "virt-0.1");
    g_assert_cmpuint(m->ram_size, ==, 128 << 20);
    g_assert_cmpuint(m->cpus, ==, 1);
    g_assert_cmpstr(addr_of(m, "a"), ==, "pcie.0/03.0");
    g_assert_cmpstr(addr_of(m, "b"), ==, "pcie.0/02.0");
    g_assert_cmpstr(addr_of(m, "c"), ==, "pcie.0/01.0");
    g_assert_cmpstr(addr_of(m, "d"), ==, "pcie.0/04.0");
    g_assert_cmpstr(addr_of(m, "e"), ==, "rp/00.0");
    g_assert_cmpstr(addr_of(m, "f"), ==, "pcie.0/07.0");
    /* a device that provides a bus is first */
    g_assert_cmpstr(((PlanDevice *)m->devices->pdata[0])->place, ==, "system/uart");
    g_assert_cmpstr(((PlanDevice *)m->devices->pdata[1])->place, ==, "system/uart.1");
    g_assert_cmpstr(((PlanDevice *)m->devices->pdata[2])->place, ==, "pcie.0/00.0");
    g_assert_cmpstr(((PlanDevice *)m->devices->pdata[7])->id, ==, "rp");
    g_assert_cmpstr(((PlanDevice *)m->devices->pdata[8])->id, ==, "e");
}

static void test_topology(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED(
        "root-port,addr=1", "upstream,bus=pcie.0/01.0,addr=0", "downstream,bus=pcie.0/01.0/00.0",
        "downstream,bus=pcie.0/01.0/00.0", "nic,id=n,bus=pcie.0/01.0/00.0/01.0",
        "pxb,id=p,bus_nr=64", "root-port,id=q,bus=p", "pcie-bridge,id=pb,bus=q",
        "bridge,id=b,bus=pb", "old,id=o,bus=b", "nic,id=full,addr=0000:40:05.1,multifunction=on");

    g_assert_cmpstr(addr_of(m, "n"), ==, "pcie.0/01.0/00.0/01.0/00.0");
    g_assert_cmpstr(addr_of(m, "o"), ==, "b/00.0");
    g_assert_cmpstr(addr_of(m, "full"), ==, "p/05.1");
    g_assert_cmpstr(plan_find_device(m, "pcie.0/01.0/00.0/00.0")->type, ==, "downstream");
}

/* A value that a device set when it was created counts as given, and only if it is valid. */
static void test_decided(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=a", "nic,id=b");
    PlanDevice *a = plan_find_device(m, "a");
    g_autoptr(PlanMachine) copy = NULL;
    const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

    g_assert_cmpuint(plan_device_get(a, "csum")->u, ==, PLAN_AUTO);
    plan_device_decide(a, "csum", "on");
    plan_device_decide(a, "mac", "52:54:00:01:02:03");
    plan_device_decide(a, "csum", "maybe");
    plan_device_decide(a, "nothing", "on");
    g_assert_cmpuint(plan_device_get(a, "csum")->u, ==, PLAN_ON);
    g_assert_cmpmem(plan_device_get(a, "mac")->mac, 6, mac, 6);
    g_assert_cmpuint(plan_device_get(plan_find_device(m, "b"), "csum")->u, ==, PLAN_AUTO);
    copy = plan_machine_copy(m);
    g_assert_true(plan_resolve(copy, &tc_catalog, NULL));
    g_assert_cmpuint(plan_device_get(plan_find_device(copy, "a"), "csum")->u, ==, PLAN_ON);
}

static void test_values(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;
    PlanDevice *d =
        plan_device_parse("nic,id=n,msix=0x98,speed=8,bar-size=64k,queue-path=/x", NULL);

    g_assert_true(plan_machine_parse(m, "virt-0.0,aia=none", &err));
    g_assert_true(plan_machine_add_global(m, "nic-pci.speed=5", &err));
    g_assert_true(plan_machine_add_global(m, "nic.bias=7", &err));
    g_assert_true(plan_machine_add_global(m, "elsewhere.x=7", &err));
    g_ptr_array_add(m->devices, d);
    plan_resolve(m, &tc_catalog, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(plan_machine_get(m, "aia")->u, ==, 0);
    g_assert_cmpint(plan_device_get(d, "msix")->i, ==, 0x98);
    g_assert_cmpuint(plan_device_get(d, "vectors")->u, ==, 2); /* compat of virt-0.0 */
    g_assert_cmpuint(plan_device_get(d, "speed")->u, ==, 2);   /* a given property overrides a
                                                                * global */
    g_assert_cmpint(plan_device_get(d, "bias")->i, ==, 7);     /* global */
    g_assert_cmpuint(plan_device_get(d, "bar-size")->u, ==, 65536);
    g_assert_cmpstr(plan_device_get(d, "model")->s, ==, "plain");
    g_assert_null(plan_device_get(d, "netdev")->s);
    g_assert_null(plan_device_get(d, "nope"));
    g_assert_true(((PlanGlobal *)m->globals->pdata[0])->used);
    g_assert_false(((PlanGlobal *)m->globals->pdata[2])->used);
}

/* A row applies to its version and to older ones. The row of the oldest version has priority. */
static void test_versions(void)
{
    static const struct {
        const char *machine;
        uint64_t aia, vectors, speed;
        int64_t bias;
    } want[] = {
        { "virt", 2, 4, 0, -5 },
        { "virt-0.0", 1, 2, 0, -5 },
        { "virt-alpha", 0, 2, 2, 7 }, /* speed by a row for every type */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
        g_autoptr(PlanMachine) m = plan_machine_new();
        g_autoptr(GError) err = NULL;
        g_autofree char *defaults = NULL;
        PlanDevice *d = plan_device_parse("nic,id=n", NULL);

        g_assert_true(plan_machine_parse(m, want[i].machine, &err));
        g_ptr_array_add(m->devices, d);
        plan_resolve(m, &tc_catalog, &err);
        g_assert_no_error(err);
        g_assert_cmpuint(plan_machine_get(m, "aia")->u, ==, want[i].aia);
        g_assert_cmpuint(plan_device_get(d, "vectors")->u, ==, want[i].vectors);
        g_assert_cmpuint(plan_device_get(d, "speed")->u, ==, want[i].speed);
        g_assert_cmpint(plan_device_get(d, "bias")->i, ==, want[i].bias);
        defaults = plan_type_defaults(m, "nic");
        g_assert_true(!!strstr(defaults, "vectors=2") == (want[i].vectors == 2));
        g_assert_true(!!strstr(defaults, "bias=7") == (want[i].bias == 7));
    }
}

static void test_again(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=a", "root-port,id=b", "nic,bus=b");
    g_autoptr(GError) err = NULL;
    g_autofree char *before = g_strdup(addr_of(m, "b"));

    g_assert_cmpuint(plan_device_get(plan_find_device(m, "b"), "slot")->u, ==, 1);
    plan_remove_device(m, plan_find_device(m, "a"));
    plan_resolve(m, &tc_catalog, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(plan_device_get(plan_find_device(m, "b"), "slot")->u, ==, 1);
    g_assert_cmpstr(before, ==, addr_of(m, "b"));
}

static void test_refusals(void)
{
    TC_REFUSED("'b' (nic)|05.0 on bus 'pcie.0' is already used by device 'a' (old): free slots|: "
               "01-04, 06-1f",
               "old,id=a,addr=5", "nic,id=b,addr=5");
    TC_REFUSED("id is already used", "nic,id=a", "old,id=a");
    TC_REFUSED("unknown device type 'nic2' (did you mean 'nic'?)", "nic2");
    TC_REFUSED("are created by the machine", "uart");
    TC_REFUSED("no bus 'nope'|'pcie.0', 'rp'", "nic,id=a,bus=nope", "root-port,id=rp");
    TC_REFUSED("conventional endpoint|'sw'|'pcie.0', 'rp', 'rp2'", "old,id=a,bus=sw",
               "upstream,id=sw,bus=rp", "root-port,id=rp", "root-port,id=rp2");
    TC_REFUSED("Express endpoint|conventional bus|'pcie.0'", "disk,drive=d,bus=b", "bridge,id=b");
    TC_REFUSED("switch downstream port|add a root-port and on its bus a upstream first",
               "downstream");
    TC_REFUSED("switch upstream port|'rp'", "upstream", "root-port,id=rp");
    TC_REFUSED("root port|'sw'", "root-port,bus=sw", "upstream,id=sw,bus=rp", "root-port,id=rp");
    TC_REFUSED("only the root bus of the machine", "pxb,bus_nr=8,id=p", "pxb,bus_nr=9,bus=p");
    TC_REFUSED("no slot 01|00 to 00|require ARI", "nic,bus=rp,addr=1", "root-port,id=rp");
    TC_REFUSED("one slot, 00, already used by device 'a'", "nic,bus=rp,id=a", "nic,bus=rp,id=b",
               "root-port,id=rp");
    TC_REFUSED("single-function device|multifunction=on", "nic,addr=5,id=a", "nic,addr=5.1");
    TC_REFUSED("05.0 first|multifunction=on", "nic,addr=5.1");
    TC_REFUSED("slot 00 of bus 'b' belongs to the hot-plug controller|free slots|: 01-1f",
               "old,bus=b,addr=0", "bridge,id=b,shpc=on");
    TC_REFUSED("not on a root bus|'pcie.0'|bus=NAME", "nic,addr=0000:01:00.0");
    TC_REFUSED("names a different bus", "nic,addr=0000:00:05.0,bus=rp", "root-port,id=rp");
    TC_REFUSED("no property 'vectros'|'vectors'", "nic,id=a,vectros=3");
    TC_REFUSED("no property 'zzz': known are multifunction, dma_mask", "old,zzz=3");
    TC_REFUSED("and 3 more", "nic,id=a,zzz=3");
    TC_REFUSED("-device help", "zzz");
    TC_REFUSED("'vectors' does not accept '4096'|0 to 2048", "nic,vectors=4096");
    TC_REFUSED("'drive' is required", "disk");
    TC_REFUSED("is on its own bus, or on a bus below it", "bridge,id=a,bus=b", "bridge,id=b,bus=a");
    TC_REFUSED("chassis=1,slot=2 is already used by device 'a'", "root-port,id=a,chassis=1,slot=2",
               "root-port,id=b,chassis=1,slot=2");
    TC_REFUSED("bus_nr=7 is already used", "pxb,bus_nr=7", "pxb,bus_nr=7");
    TC_REFUSED("too few|0xff to 0xff", "pxb,bus_nr=255,id=p", "root-port,bus=p");
    TC_REFUSED("nr=3 on bus 's.0' is already used by device 'x'", "serial-pci,id=s",
               "serialport,nr=3,id=x", "serialport,nr=3");
    TC_REFUSED("requires a bus|add a serial-pci first", "serialport");
    TC_REFUSED("does not accept addr", "serialport,addr=3", "serial-pci");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resolve/places", test_places);
    g_test_add_func("/resolve/topology", test_topology);
    g_test_add_func("/resolve/values", test_values);
    g_test_add_func("/resolve/versions", test_versions);
    g_test_add_func("/resolve/decided", test_decided);
    g_test_add_func("/resolve/again", test_again);
    g_test_add_func("/resolve/refusals", test_refusals);
    return g_test_run();
}

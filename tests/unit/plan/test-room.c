/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Space for BARs: packing, bridges' windows, sizes from properties, and excessive sizes.
 */
#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

static PlanRoom room(const PlanMachine *m, const char *bus, PlanResource r)
{
    return plan_bus_room(m->index, g_hash_table_lookup(m->index->buses, bus), r);
}

static void check(const PlanMachine *m, const char *bus, PlanResource r, uint64_t need,
                  uint64_t window)
{
    PlanRoom got = room(m, bus, r);

    g_assert_cmphex(got.need, ==, need);
    g_assert_cmphex(got.window, ==, window);
}

/* Two levels of bridges. The size of each window is that of the BARs below it, rounded up to its
 * granularity. */
static void test_bridges(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "pcie-bridge,id=br,bus=rp",
                                           "old,bus=br", "old,bus=br", "old,bus=br", "old,addr=9");

    check(m, "br", PLAN_ROOM_IO, 3 * 64, 0x1000);
    check(m, "br", PLAN_ROOM_MEM32, 3 << 19, 2 << 20);
    check(m, "rp", PLAN_ROOM_MEM32, 2 << 20, 2 << 20);
    check(m, "pcie.0", PLAN_ROOM_IO, 0x1000 + 64, 1 << 16);
    check(m, "pcie.0", PLAN_ROOM_MEM32, (2 << 20) + (1 << 19), 1 << 30);
    check(m, "pcie.0", PLAN_ROOM_MEM64, 0, 1ull << 34);
}

/* The largest BAR is placed first, so that alignment wastes no space. */
static void test_packing(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("nic,addr=1,bar-size=4096", "nic,addr=2,bar-size=1M",
                    "nic,addr=3,bar-size=4096", "nic,addr=4,bar-size=1M,msix=off");

    check(m, "pcie.0", PLAN_ROOM_MEM64, (2 << 20) + 2 * 4096, 1ull << 34);
    check(m, "pcie.0", PLAN_ROOM_MEM32, 4 * 4096, 1 << 30); /* without MSI-X its BAR remains */
}

/* Sums beyond 64 bits saturate. A size need not be a power of two here. */
static void test_huge(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("root-port,id=rp", "nic,bus=rp,bar-size=8G", "nic,addr=3,bar-size=5000");

    check(m, "rp", PLAN_ROOM_MEM64, 8ull << 30, 8ull << 30);
    check(m, "pcie.0", PLAN_ROOM_MEM64, (8ull << 30) + 5000, 1ull << 34);
}

/* Root buses share the windows of the host bridge in proportion to their bus numbers. */
static void test_extra_root(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("pxb,id=x,bus_nr=16", "root-port,id=rp,bus=x",
                                           "nic,bus=rp", "pxb,id=y,bus_nr=255");

    check(m, "x", PLAN_ROOM_MEM64, 1 << 20, (1ull << 34) / 256 * 239);
    check(m, "x", PLAN_ROOM_IO, 0, 0xe000);
    check(m, "y", PLAN_ROOM_MEM32, 0, 4 << 20);
    check(m, "y", PLAN_ROOM_IO, 0, 0); /* 256 ports are smaller than the granularity of a window */
    check(m, "pcie.0", PLAN_ROOM_MEM64, 0, (1ull << 34) / 256 * 16);
}

/* The size depends on the table of MSI-X and its pending bits. */
static void test_vectors(void)
{
    static const struct {
        const char *option;
        uint64_t size;
    } rows[] = {
        { "nic,vectors=0", 4096 },   { "nic,vectors=128", 4096 },
        { "nic,vectors=129", 4096 }, { "nic,vectors=254", 4096 },
        { "nic,vectors=255", 8192 }, { "nic,vectors=2048", 65536 },
        { "nic,vectors=256", 8192 }, { "nic,vectors=1024,msix=off", 32768 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(PlanMachine) m = TC_RESOLVED(rows[i].option);

        check(m, "pcie.0", PLAN_ROOM_MEM32, rows[i].size, 1 << 30);
    }
}

static void fits(const char *const *devices)
{
    g_autoptr(PlanMachine) m = tc_resolved(devices);

    g_assert_nonnull(m->index);
}
#define FITS(...) fits((const char *const[]){ __VA_ARGS__, NULL })

/* A machine that no guest could configure is rejected with the window and its largest users. */
static void test_refused(void)
{
    FITS("nic,bar-size=16G");
    TC_REFUSED(
        "require 32769M of the 64-bit memory window, which has 16G|device 'b' (nic) with 32G",
        "nic,id=a", "nic,id=b,bar-size=32G");
    FITS("nic,bar-size=16G", "nic,bar-size=512M"); /* the second is below 4 GiB */
    FITS("nic,bar-size=16G", "nic,bar-size=512M", "nic,bar-size=256M");
    TC_REFUSED(
        "require 17G of the 64-bit memory window|with 16G|with 512M, device 'c' (nic) with 512M",
        "nic,id=a,bar-size=16G", "nic,id=b,bar-size=512M", "nic,id=c,bar-size=512M");
    TC_REFUSED(
        "bus 'x' and below it require 128M of the 64-bit memory window, which has 64M|'n' (nic)",
        "pxb,id=x,bus_nr=255", "nic,id=n,bus=x,bar-size=128M");
    TC_REFUSED("require 1025M of the 64-bit memory window, which has 128M", "pxb,id=x,bus_nr=16",
               "root-port,id=rp", "nic,bus=rp,bar-size=1G", "nic,addr=5,bar-size=1M",
               "pxb,id=z,bus_nr=2");
}

/* The window below 4 GiB, through many bridges. */
static void test_refused_low(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;

    for (unsigned i = 1; i <= 35; i++) {
        g_autofree char *bridge = g_strdup_printf("pcie-bridge,id=b%u,addr=%x.%u,multifunction=on",
                                                  i, i % 31 + 1, i / 31);

        g_ptr_array_add(m->devices, plan_device_parse(bridge, NULL));
        for (unsigned k = 0; k < 32; k++) {
            for (unsigned fn = 0; fn < 2; fn++) {
                g_autofree char *text =
                    g_strdup_printf("old,bus=b%u,addr=%x.%u,multifunction=on", i, k, fn);

                g_ptr_array_add(m->devices, plan_device_parse(text, NULL));
            }
        }
    }
    g_assert_false(plan_resolve(m, &tc_catalog, &err));
    g_assert_nonnull(strstr(err->message,
                            "on bus 'pcie.0' and below it require 1120M of the 32-bit "
                            "memory window, which has 1G; the largest users are "));
    g_assert_nonnull(strstr(err->message, "device 'old' at 00.0 with 512K, device 'old'"));
}

/* Only a device that does not fit is rejected. The machine is unchanged. */
static void test_add(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "nic,id=a,bar-size=16G");
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    PlanDevice *d = plan_device_parse("nic,id=b,bus=rp,bar-size=2G", NULL);
    g_autoptr(GError) err = NULL;

    g_assert_false(plan_add_device(m, &tc_catalog, d, true, &err));
    g_assert_nonnull(strstr(err->message,
                            "require 18G of the 64-bit memory window, which has 16G; the "
                            "largest users are device 'a' (nic) with 16G, device 'b' "
                            "(nic) with 2G"));
    plan_device_free(d);
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    g_clear_error(&err);
    d = plan_device_parse("nic,id=b,bus=rp,bar-size=512M", NULL);
    g_assert_true(plan_add_device(m, &tc_catalog, d, true, &err));
}

/* An extra root bus receives a part of the windows of the others. */
static void test_add_extra_root(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=a,bar-size=8G", "nic,id=b,bar-size=4G");
    PlanDevice *d = plan_device_parse("pxb,id=x,bus_nr=128", NULL);
    g_autoptr(GError) err = NULL;

    g_assert_false(plan_add_device(m, &tc_catalog, d, false, &err));
    g_assert_nonnull(strstr(err->message, "require 12G of the 64-bit memory window, which has 8G"));
    plan_device_free(d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/room/bridges", test_bridges);
    g_test_add_func("/room/packing", test_packing);
    g_test_add_func("/room/huge", test_huge);
    g_test_add_func("/room/extra-root", test_extra_root);
    g_test_add_func("/room/vectors", test_vectors);
    g_test_add_func("/room/refused", test_refused);
    g_test_add_func("/room/refused-low", test_refused_low);
    g_test_add_func("/room/add", test_add);
    g_test_add_func("/plan/room/add-extra-root", test_add_extra_root);
    return g_test_run();
}

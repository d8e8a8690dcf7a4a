/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for BARs: packing, bridges' windows, sizes from properties, and sizes without measure.
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

/* Two levels of bridges, each as large as what is behind it, in steps of its window. */
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

/* The largest goes first, so that nothing is lost to alignment. */
static void test_packing(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("nic,addr=1,bar-size=4096", "nic,addr=2,bar-size=1M",
                    "nic,addr=3,bar-size=4096", "nic,addr=4,bar-size=1M,msix=off");

    check(m, "pcie.0", PLAN_ROOM_MEM64, (2 << 20) + 2 * 4096, 1ull << 34);
    check(m, "pcie.0", PLAN_ROOM_MEM32, 3 * 4096, 1 << 30); /* no MSI-X, no BAR for it */
}

/* Sums past 64 bits stop at the end; a size need not be a power of two here. */
static void test_huge(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("root-port,id=rp", "nic,bus=rp,bar-size=1T", "nic,addr=3,bar-size=5000");

    check(m, "rp", PLAN_ROOM_MEM64, 1ull << 40, 1ull << 40);
    check(m, "pcie.0", PLAN_ROOM_MEM64, (1ull << 40) + 5000, 1ull << 34);
}

/* Extra roots share the host's windows: how much of them is not this library's to say. */
static void test_extra_root(void)
{
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("pxb,id=x,bus_nr=16", "root-port,id=rp,bus=x", "nic,bus=rp");

    check(m, "x", PLAN_ROOM_MEM64, 1 << 20, 0);
    check(m, "pcie.0", PLAN_ROOM_MEM64, 0, 1ull << 34);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/room/bridges", test_bridges);
    g_test_add_func("/room/packing", test_packing);
    g_test_add_func("/room/huge", test_huge);
    g_test_add_func("/room/extra-root", test_extra_root);
    return g_test_run();
}

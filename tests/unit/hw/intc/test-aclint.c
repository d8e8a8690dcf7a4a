/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACLINT: software interrupts, timer compare and its deadlines, halves of 64-bit registers.
 */
#include "../fixture.h"

enum { SWI = 0x2000000, TIMER = 0x2004000, SSWI = 0x2f00000, MTIME = TIMER + 0x7ff8 };

static void test_swi(void)
{
    Machine *m = fixture_new(2);
    Device *dev = fixture_device(m, "riscv.aclint.swi", "num-harts=2", SWI);

    guest_write32(m, SWI + 4, 0xffffffff);
    g_assert_true(fixture_input(m, 1, 3));
    g_assert_false(fixture_input(m, 0, 3));
    g_assert_cmphex(guest_read32(m, SWI + 4), ==, 1);
    guest_write32(m, SWI + 8, 1); /* no such hart */
    g_assert_cmphex(guest_read32(m, SWI + 8), ==, 0);
    check_state_round_trip(dev);
    device_reset_tree(dev, RESET_HOT);
    g_assert_false(fixture_input(m, 1, 3));
    random_accesses(m, SWI, 64, 1000);
    machine_free(m);
}

static void test_sswi(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "riscv.aclint.swi", "num-harts=1,sswi=on", SSWI);
    guest_write32(m, SSWI, 0);
    g_assert_false(fixture_input(m, 0, 1));
    guest_write32(m, SSWI, 1);
    g_assert_true(fixture_input(m, 0, 1));
    g_assert_cmphex(guest_read32(m, SSWI), ==, 0);
    check_state_round_trip(dev);
    g_assert_true(fixture_input(m, 0, 1));
    device_reset_tree(dev, RESET_HOT);
    g_assert_false(fixture_input(m, 0, 1));
    machine_free(m);
}

static void test_timer(void)
{
    Machine *m = fixture_new(2);
    Device *dev = fixture_device(m, "riscv.aclint.mtimer", "num-harts=2", TIMER);

    g_assert_false(fixture_input(m, 0, 7));
    clock_step_ns(m, 12345);
    g_assert_cmpuint(guest_read(m, MTIME, 8), ==, 123);
    guest_write(m, TIMER, 8, 200);
    guest_write(m, TIMER + 8, 8, 150);
    clock_step_ns(m, 15000 - 12345 - 1);
    g_assert_false(fixture_input(m, 1, 7));
    clock_step_ns(m, 1);
    g_assert_true(fixture_input(m, 1, 7));
    g_assert_false(fixture_input(m, 0, 7));
    clock_step_ns(m, 5000);
    g_assert_true(fixture_input(m, 0, 7));
    guest_write(m, TIMER, 8, 201);
    g_assert_false(fixture_input(m, 0, 7));
    check_state_round_trip(dev);
    clock_step_ns(m, 100);
    g_assert_true(fixture_input(m, 0, 7));
    guest_write32(m, TIMER + 4, 0xffffffff); /* only the high half */
    g_assert_false(fixture_input(m, 0, 7));
    g_assert_cmphex(guest_read(m, TIMER, 8), ==, 0xffffffff000000c9);
    g_assert_cmphex(guest_read32(m, TIMER + 4), ==, 0xffffffff);
    guest_write(m, MTIME, 8, 0xffffffff000000c9); /* time itself is writable */
    g_assert_true(fixture_input(m, 0, 7));
    machine_free(m);
}

static void test_extremes(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "riscv.aclint.mtimer", "num-harts=1,timebase-freq=1", TIMER);

    guest_write(m, TIMER, 8, UINT64_MAX - 1); /* beyond the range of the clock: never */
    g_assert_cmpint(clocks_deadline(m->clocks, CLOCK_KIND_VIRTUAL), ==, CLOCK_NEVER);
    guest_write(m, MTIME, 8, UINT64_MAX);
    g_assert_true(fixture_input(m, 0, 7));
    guest_write(m, TIMER, 8, 0);
    random_accesses(m, TIMER, 64, 2000);
    random_accesses(m, TIMER + 0x7ff0, 32, 200);
    guest_write(m, MTIME, 8, 0);
    device_reset_tree(dev, RESET_HOT);
    g_assert_false(fixture_input(m, 0, 7));
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aclint/swi", test_swi);
    g_test_add_func("/aclint/sswi", test_sswi);
    g_test_add_func("/aclint/timer", test_timer);
    g_test_add_func("/aclint/extremes", test_extremes);
    return g_test_run();
}

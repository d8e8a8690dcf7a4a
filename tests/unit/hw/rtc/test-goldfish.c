/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goldfish RTC: latched time, alarm, interrupt, setting the time.
 */
#include "../fixture.h"
#include "hw/rtc/goldfish.h"

enum { BASE = 0x101000 };

static uint64_t read_time(Machine *m)
{
    uint64_t low = guest_read32(m, BASE);

    return low | (uint64_t)guest_read32(m, BASE + 4) << 32;
}

static void set_alarm(Machine *m, uint64_t t)
{
    guest_write32(m, BASE + 0x0c, t >> 32);
    guest_write32(m, BASE + 0x08, t);
}

static void test_time(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "goldfish_rtc", "base=1700000000000000000,clock=vm", BASE);

    g_assert_cmpuint(read_time(m), ==, 1700000000000000000);
    clock_step_ns(m, 5000000000);
    g_assert_cmpuint(read_time(m), ==, 1700000005000000000);
    guest_read32(m, BASE);
    clock_step_ns(m, 5000000000); /* the high half was latched with the low one */
    g_assert_cmphex(guest_read32(m, BASE + 4), ==, 1700000005000000000 >> 32);
    guest_write32(m, BASE + 4, 1);
    guest_write32(m, BASE, 2);
    g_assert_cmphex(read_time(m), ==, 0x100000002);
    check_state_round_trip(dev);
    device_reset_tree(dev, RESET_COLD);
    g_assert_cmphex(read_time(m), ==, 0x100000002);
    machine_free(m);
}

static void note_level(void *opaque, unsigned n, bool level)
{
    *(bool *)opaque = level;
}

static void test_alarm(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "goldfish_rtc", "base=1000,clock=vm", BASE);
    bool level = false;
    IrqPin pin;

    irq_init(&pin, 1, note_level, &level);
    sysdev_connect(dev, 0, &pin);
    guest_write32(m, BASE + 0x10, 1);
    set_alarm(m, 2000);
    g_assert_cmpuint(guest_read32(m, BASE + 0x18), ==, 1);
    check_state_round_trip(dev);
    clock_step_ns(m, 999);
    g_assert_false(level);
    clock_step_ns(m, 1);
    g_assert_true(level);
    g_assert_cmpuint(guest_read32(m, BASE + 0x18), ==, 0);
    guest_write32(m, BASE + 0x10, 0);
    g_assert_false(level);
    guest_write32(m, BASE + 0x10, 1);
    g_assert_true(level);
    guest_write32(m, BASE + 0x1c, 1);
    g_assert_false(level);
    set_alarm(m, 5); /* in the past: immediately */
    g_assert_true(level);
    guest_write32(m, BASE + 0x1c, 1);
    set_alarm(m, 9000);
    guest_write32(m, BASE + 0x14, 1);
    clock_step_ns(m, 20000);
    g_assert_false(level);
    set_alarm(m, UINT64_MAX); /* may never fire */
    clock_step_ns(m, 1000);
    g_assert_false(level);
    random_accesses(m, BASE, 0x40, 2000);
    machine_free(m);
}

/* Saved with one clock and loaded with another: the time continues, and the alarm fires at its
 * time. */
static void test_other_clock(void)
{
    static const char *const clocks[] = { "clock=vm", "clock=rt", "clock=host" };
    const uint64_t base = 1700000000000000000, minute = 60000000000;

    for (unsigned from = 0; from < 3; from++) {
        for (unsigned to = 0; to < 3; to++) {
            g_autofree char *options = g_strdup_printf("base=%" PRIu64 ",%s", base, clocks[from]);
            Machine *a = fixture_new(1), *b = fixture_new(1);
            Device *source = fixture_device(a, "goldfish_rtc", options, BASE);
            Device *target = fixture_device(b, "goldfish_rtc", clocks[to], BASE);
            const VmState *vm = source->type->vmstate;
            g_autoptr(GByteArray) bytes = g_byte_array_new();
            ByteWriter w = { bytes };
            ByteReader r;

            clock_step_ns(b, 777);
            set_alarm(a, base + minute);
            vm_save(vm, source, &w);
            reader_init(&r, bytes->data, bytes->len);
            g_assert_true(vm_load(vm, target, vm->version, &r, "rtc", NULL));
            g_assert_cmpuint(read_time(b), >=, base);
            g_assert_cmpuint(read_time(b), <, base + minute / 2);
            g_assert_cmpuint(guest_read32(b, BASE + 0x18), ==, 1);
            clock_step_ns(b, minute / 2);
            g_assert_cmpuint(guest_read32(b, BASE + 0x18), ==, 1);
            clock_step_ns(b, minute / 2);
            g_assert_cmpuint(guest_read32(b, BASE + 0x18), ==, to != 0);
            machine_free(a);
            machine_free(b);
        }
    }
}

static void test_options(void)
{
    static const char *const bad[] = { "base=", "base=yesterday", "base=2026-13-01", "clock=sun",
                                       "foo",   "base=1960-01-01" };
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "goldfish_rtc", NULL, BASE);

    g_assert_cmpuint(read_time(m) / 1000000000, >=, 1700000000); /* the host's */
    g_assert_true(goldfish_set(dev, "base=2026-11-20T10:00:00,clock=vm", NULL));
    g_assert_cmpuint(read_time(m), ==, 1795168800000000000);
    clock_step_ns(m, 7);
    g_assert_cmpuint(read_time(m), ==, 1795168800000000007);
    g_assert_true(goldfish_set(dev, "base=1970-01-02", NULL));
    g_assert_cmpuint(read_time(m), ==, 86400000000000);
    g_assert_true(goldfish_set(dev, "base=localtime,clock=host,driftfix=none", NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(goldfish_set(dev, bad[i], &err));
        g_assert_nonnull(strstr(err->message, "-rtc"));
    }
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/goldfish/time", test_time);
    g_test_add_func("/goldfish/alarm", test_alarm);
    g_test_add_func("/goldfish/other-clock", test_other_clock);
    g_test_add_func("/goldfish/options", test_options);
    return g_test_run();
}

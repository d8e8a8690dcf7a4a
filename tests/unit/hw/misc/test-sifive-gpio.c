/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GPIO controller with the power button: edges, levels, the interrupt, saved state.
 */
#include "../fixture.h"

#include "hw/core/power_button.h"

#define BASE 0x10060000ull
enum {
    INPUT_VAL = 0,
    INPUT_EN = 4,
    RISE_IE = 0x18,
    RISE_IP = 0x1c,
    FALL_IE = 0x20,
    FALL_IP = 0x24
};
enum { HIGH_IE = 0x28, HIGH_IP = 0x2c, LOW_IE = 0x30, LOW_IP = 0x34 };

typedef struct Gpio {
    Machine *m;
    Device *dev;
    IrqPin pin;
    bool level;
} Gpio;

static void note_level(void *opaque, unsigned n, bool level)
{
    *(bool *)opaque = level;
}

static void gpio_init(Gpio *g)
{
    *g = (Gpio){ .m = fixture_new(1) };
    g->dev = fixture_device(g->m, "sifive_soc.gpio", NULL, BASE);
    irq_init(&g->pin, 1, note_level, &g->level);
    sysdev_connect(g->dev, 0, &g->pin);
    machine_set_state(g->m, RUN_RUNNING);
}

static void gpio_free(Gpio *g)
{
    machine_set_state(g->m, RUN_PAUSED);
    machine_free(g->m);
}

/* As the driver of Linux uses a key: both edges. */
static void test_edges(void)
{
    Gpio g;

    gpio_init(&g);
    guest_write32(g.m, BASE + INPUT_EN, 1);
    guest_write32(g.m, BASE + RISE_IE, 1);
    guest_write32(g.m, BASE + FALL_IE, 1);
    g_assert_false(g.level);
    g_assert_true(power_button_press(g.m, NULL));
    g_assert_true(g.level);
    g_assert_cmphex(guest_read32(g.m, BASE + INPUT_VAL), ==, 1);
    g_assert_cmphex(guest_read32(g.m, BASE + RISE_IP), ==, 1);
    guest_write32(g.m, BASE + RISE_IP, 1);
    g_assert_false(g.level);
    check_state_round_trip(g.dev);
    clock_step_ns(g.m, 99999999);
    g_assert_cmphex(guest_read32(g.m, BASE + INPUT_VAL), ==, 1);
    clock_step_ns(g.m, 1);
    g_assert_true(g.level);
    g_assert_cmphex(guest_read32(g.m, BASE + INPUT_VAL), ==, 0);
    guest_write32(g.m, BASE + FALL_IP, 1);
    g_assert_false(g.level);
    gpio_free(&g);
}

/* A level stays pending while it holds. */
static void test_levels(void)
{
    Gpio g;

    gpio_init(&g);
    guest_write32(g.m, BASE + INPUT_EN, 1);
    guest_write32(g.m, BASE + LOW_IE, 1);
    g_assert_true(g.level);
    guest_write32(g.m, BASE + LOW_IP, 1);
    g_assert_true(g.level);
    power_button_press(g.m, NULL);
    guest_write32(g.m, BASE + LOW_IP, 1);
    g_assert_false(g.level);
    guest_write32(g.m, BASE + HIGH_IE, 1);
    g_assert_true(g.level);
    machine_reset(g.m, RESET_COLD); /* the button is released */
    g_assert_false(g.level);
    g_assert_cmphex(guest_read32(g.m, BASE + HIGH_IP), ==, 0);
    gpio_free(&g);
}

/* Without an enabled input, or while the machine is stopped, a press has no effect. */
static void test_no_effect(void)
{
    g_autoptr(GError) err = NULL;
    Gpio g;

    gpio_init(&g);
    guest_write32(g.m, BASE + RISE_IE, 0xffffffff);
    g_assert_cmphex(guest_read32(g.m, BASE + RISE_IE), ==, 1); /* one pin */
    power_button_press(g.m, NULL);
    g_assert_false(g.level);
    machine_set_state(g.m, RUN_PAUSED);
    g_assert_false(power_button_press(g.m, &err));
    g_assert_nonnull(strstr(err->message, "paused"));
    random_accesses(g.m, BASE, 0x50, 2000);
    gpio_free(&g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sifive-gpio/edges", test_edges);
    g_test_add_func("/sifive-gpio/levels", test_levels);
    g_test_add_func("/sifive-gpio/no-effect", test_no_effect);
    return g_test_run();
}

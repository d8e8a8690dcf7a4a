/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys: names and numbers, presses in order, their limit, and the release when the machine stops.
 */
#include <linux/input.h>
#include <string.h>

#include "hw/core/clock.h"
#include "ui/keys.h"

static GString *reported; /* "+30 -30 " */

static bool record(void *opaque, uint16_t code, bool down)
{
    g_string_append_printf(reported, "%c%u ", down ? '+' : '-', code);
    return true;
}

static Machine *start(void)
{
    Machine *m = machine_new();

    machine_lock(m);
    clocks_set_stepped(m->clocks);
    keyboard_register(m, record, m);
    machine_set_state(m, RUN_RUNNING);
    reported = g_string_new(NULL);
    return m;
}

static void end(Machine *m)
{
    keys_free(m);
    keyboard_unregister(m, record, m);
    machine_free(m);
    g_string_free(reported, TRUE);
}

static void step(Machine *m, int64_t ms)
{
    g_assert_true(clocks_step_to(m->clocks, clock_now_any(m, CLOCK_KIND_VIRTUAL) + ms * 1000000));
}

static void press(Machine *m, uint16_t one, uint16_t two, unsigned hold)
{
    g_autoptr(GError) err = NULL;
    uint16_t codes[] = { one, two };

    g_assert_true(keys_press(m, codes, two ? 2 : 1, hold, &err));
    g_assert_no_error(err);
}

static void test_names(void)
{
    g_assert_cmpint(key_from_name("a"), ==, KEY_A);
    g_assert_cmpint(key_from_name("ret"), ==, KEY_ENTER);
    g_assert_cmpint(key_from_name("meta_r"), ==, KEY_RIGHTMETA);
    g_assert_cmpint(key_from_name("A"), ==, -1);
    g_assert_cmpint(key_from_number(0x1e), ==, KEY_A);
    g_assert_cmpint(key_from_number(0xc8), ==, KEY_UP);
    g_assert_cmpint(key_from_number(0x37), ==, KEY_KPASTERISK);
    g_assert_cmpint(key_from_number(0), ==, -1);
    g_assert_cmpint(key_from_number(INT64_MIN), ==, -1);
}

static void test_order(void)
{
    Machine *m = start();

    press(m, KEY_LEFTCTRL, KEY_C, 10);
    press(m, KEY_A, 0, 5);
    g_assert_cmpstr(reported->str, ==, "+29 +46 ");
    step(m, 9);
    g_assert_cmpstr(reported->str, ==, "+29 +46 ");
    step(m, 1);
    g_assert_cmpstr(reported->str, ==, "+29 +46 -46 -29 +30 ");
    step(m, 100);
    g_assert_cmpstr(reported->str, ==, "+29 +46 -46 -29 +30 -30 ");
    end(m);
}

static void test_stop(void)
{
    Machine *m = start();

    press(m, KEY_A, 0, 1000);
    press(m, KEY_B, 0, 1000);
    machine_set_state(m, RUN_PAUSED);
    g_assert_cmpstr(reported->str, ==, "+30 -30 ");
    machine_set_state(m, RUN_RUNNING);
    step(m, 5000);
    g_assert_cmpstr(reported->str, ==, "+30 -30 ");
    press(m, KEY_B, 0, 1);
    g_assert_cmpstr(reported->str, ==, "+30 -30 +48 ");
    end(m); /* while the key is pressed */
}

static void test_limits(void)
{
    g_autoptr(GError) err = NULL;
    uint16_t code = KEY_A;
    Machine *m = start();

    for (unsigned i = 0; i <= KEYS_MAX_WAITING; i++)
        press(m, KEY_A, 0, 1);
    g_assert_false(keys_press(m, &code, 1, 1, &err));
    g_assert_nonnull(strstr(err->message, "wait already"));
    g_clear_error(&err);
    step(m, 1);
    press(m, KEY_A, 0, 1);
    machine_set_state(m, RUN_PAUSED);
    g_assert_false(keys_press(m, &code, 1, 1, &err));
    g_assert_nonnull(strstr(err->message, "does not run (state paused)"));
    g_clear_error(&err);
    keyboard_unregister(m, record, m);
    g_assert_false(keys_press(m, &code, 1, 1, &err));
    g_assert_nonnull(strstr(err->message, "-device virtio-keyboard-pci"));
    end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ui/keys/names", test_names);
    g_test_add_func("/ui/keys/order", test_order);
    g_test_add_func("/ui/keys/stop", test_stop);
    g_test_add_func("/ui/keys/limits", test_limits);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves: they run once per scheduling, in order, inside the owner's guard, not while the
 * machine is stopped, and never so long that other sources of the main loop starve.
 */
#include "fake-types.h"
#include "hw/core/bottom_half.h"
#include "tests/lib/wait.h"

static const DeviceType type = { .name = "test", .size = sizeof(Device) };

typedef struct Rig {
    Machine *m;
    Device dev[3];
    BottomHalf b[3];
    GString *order;
    unsigned again; /* how often each schedules itself */
    gulong sleep_us;
} Rig;

static void on_bottom_half(void *arg)
{
    BottomHalf *b = arg;
    Rig *r = b->owner->machine->hooks.opaque;

    g_assert_true(b->owner->busy);
    g_string_append_c(r->order, (char)('a' + (b - r->b)));
    if (r->sleep_us) {
        wait_elapse((unsigned)r->sleep_us, "a bottom half that runs for a long time");
    }
    if (r->again > 0) {
        r->again--;
        bottom_half_schedule(b);
    }
}

static void setup(Rig *r)
{
    *r = (Rig){ .m = machine_new(), .order = g_string_new(NULL) };
    machine_lock(r->m);
    r->m->hooks.opaque = r;
    for (unsigned i = 0; i < 3; i++) {
        r->dev[i] = (Device){ .type = &type, .machine = r->m, .pins = 1 };
        bottom_half_setup(&r->b[i], NULL, &r->dev[i], on_bottom_half, &r->b[i]);
    }
    machine_set_state(r->m, RUN_RUNNING);
}

static void teardown(Rig *r)
{
    machine_free(r->m);
    g_string_free(r->order, TRUE);
}

static void expect(Rig *r, const char *order)
{
    for (unsigned i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpstr(r->order->str, ==, order);
    g_string_truncate(r->order, 0);
}

static void test_order(void)
{
    Rig r;

    setup(&r);
    expect(&r, "");
    bottom_half_schedule(&r.b[1]);
    bottom_half_schedule(&r.b[0]);
    bottom_half_schedule(&r.b[1]);
    expect(&r, "ba");
    r.again = 4;
    bottom_half_schedule(&r.b[2]);
    bottom_half_schedule(&r.b[0]);
    expect(&r, "cacaca");
    bottom_half_schedule(&r.b[0]);
    bottom_half_schedule(&r.b[1]);
    bottom_half_cancel(&r.b[0]);
    bottom_half_cancel(&r.b[2]);
    expect(&r, "b");
    bottom_half_cancel(&(BottomHalf){ 0 });
    teardown(&r);
}

static void test_stopped(void)
{
    Rig r;

    setup(&r);
    machine_set_state(r.m, RUN_PAUSED);
    bottom_half_schedule(&r.b[0]);
    expect(&r, "");
    machine_set_state(r.m, RUN_RUNNING);
    expect(&r, "a");
    machine_set_state(r.m, RUN_PAUSED);
    r.m->qtest = true; /* devices act whenever a client requests it */
    bottom_half_schedule(&r.b[0]);
    expect(&r, "a");
    teardown(&r);
}

/* A bottom half of a device on the call stack runs later, one of an unplugged device never. */
static void test_guard(void)
{
    Rig r;

    setup(&r);
    g_assert_true(device_enter(&r.dev[0]));
    bottom_half_schedule(&r.b[0]);
    bottom_half_schedule(&r.b[1]);
    r.dev[1].hidden = true;
    expect(&r, "");
    device_leave(&r.dev[0]);
    expect(&r, "a");
    teardown(&r);
}

static gboolean count(gpointer opaque)
{
    ++*(unsigned *)opaque;
    return G_SOURCE_CONTINUE;
}

/* With endless work, every other source is still dispatched. */
static void test_yields(void)
{
    Rig r;
    unsigned turns = 0;
    guint source;

    setup(&r);
    source = g_idle_add_full(G_PRIORITY_DEFAULT, count, &turns, NULL);
    r.again = 1000;
    r.sleep_us = 2000;
    for (unsigned i = 0; i < 3; i++) {
        bottom_half_schedule(&r.b[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(turns, ==, 9);
    g_assert_cmpuint(r.order->len, ==, 9); /* one per iteration, and none twice before another */
    g_assert_cmpstr(r.order->str, ==, "abcabcabc");
    g_source_remove(source);
    teardown(&r);
}

static void test_round(void)
{
    Rig r;
    unsigned first;

    setup(&r);
    first = bottom_half_round(r.b);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(bottom_half_round(r.b), !=, first);
    teardown(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bottom-half/order", test_order);
    g_test_add_func("/bottom-half/stopped", test_stopped);
    g_test_add_func("/bottom-half/guard", test_guard);
    g_test_add_func("/bottom-half/yields", test_yields);
    g_test_add_func("/bottom-half/round", test_round);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks: order of timers, stepping, re-arming, cancelling inside callbacks, saturation.
 */
#include "hw/core/clock.h"
#include "hw/core/cpu.h"

#include "fake-types.h"
#include "tests/lib/wait.h"

typedef struct Fixture {
    Machine *m;
    GArray *log; /* ids in the order in which they fired */
} Fixture;

typedef struct Item {
    Timer t;
    Fixture *f;
    int id;
    uint64_t period;
    bool again; /* re-arm for the same time */
    Timer *cancel;
    int64_t fired_at;
} Item;

static void fired(void *arg)
{
    Item *item = arg;

    g_array_append_val(item->f->log, item->id);
    item->fired_at = clock_now_any(item->f->m, CLOCK_KIND_VIRTUAL);
    if (item->period || item->again) {
        timer_arm_ns(&item->t, item->period);
    }
    if (item->cancel) {
        timer_cancel(item->cancel);
    }
}

static void setup(Fixture *f)
{
    f->m = machine_new();
    machine_lock(f->m);
    clocks_set_stepped(f->m->clocks);
    f->log = g_array_new(FALSE, FALSE, sizeof(int));
}

static void teardown(Fixture *f)
{
    g_array_free(f->log, TRUE);
    machine_free(f->m);
}

static void item_init(Item *item, Fixture *f, int id)
{
    *item = (Item){ .f = f, .id = id };
    timer_setup_plain(&item->t, f->m, CLOCK_KIND_VIRTUAL, fired, item);
}

static void test_order(void)
{
    Fixture f;
    Item items[100];

    setup(&f);
    for (int i = 0; i < 100; i++) {
        item_init(&items[i], &f, i);
        timer_arm_at(&items[i].t, 1000 + (i * 37) % 100);
    }
    timer_cancel(&items[5].t);
    g_assert_true(clocks_step_to(f.m->clocks, 2000));
    g_assert_cmpuint(f.log->len, ==, 99);
    for (unsigned i = 1; i < f.log->len; i++) {
        int a = g_array_index(f.log, int, i - 1), b = g_array_index(f.log, int, i);

        g_assert_cmpint((a * 37) % 100, <=, (b * 37) % 100);
        g_assert_cmpint(items[b].fired_at, ==, 1000 + (b * 37) % 100);
    }
    g_assert_cmpint(clock_now_any(f.m, CLOCK_KIND_VIRTUAL), ==, 2000);
    g_assert_false(clocks_step_to(f.m->clocks, 1999));
    teardown(&f);
}

static void test_periodic_and_cancel(void)
{
    Fixture f;
    Item tick, victim;

    setup(&f);
    item_init(&tick, &f, 1);
    item_init(&victim, &f, 2);
    tick.period = 10;
    tick.cancel = &victim.t;
    timer_arm_ns(&tick.t, 10);
    timer_arm_ns(&victim.t, 11);
    g_assert_true(clocks_step_to(f.m->clocks, 105));
    g_assert_cmpuint(f.log->len, ==, 10);
    g_assert_false(timer_armed(&victim.t));
    g_assert_cmpint(clocks_deadline(f.m->clocks, CLOCK_KIND_VIRTUAL), ==, 110);
    teardown(&f);
}

/* A timer that re-arms itself for the present time must not block the client endlessly. */
static void test_livelock(void)
{
    Fixture f;
    Item a;

    setup(&f);
    item_init(&a, &f, 1);
    a.again = true;
    timer_arm_at(&a.t, 5);
    g_assert_true(clocks_step_to(f.m->clocks, 6));
    g_assert_cmpuint(f.log->len, >, 1);
    g_assert_cmpuint(f.log->len, <, 5000);
    teardown(&f);
}

static void test_limits(void)
{
    Fixture f;
    Item a;

    setup(&f);
    item_init(&a, &f, 1);
    timer_arm_ns(&a.t, UINT64_MAX);
    g_assert_cmpint(a.t.deadline, ==, CLOCK_NEVER - 1);
    timer_arm_at(&a.t, CLOCK_NEVER);
    g_assert_false(timer_armed(&a.t));
    timer_cancel(&(Timer){ 0 });
    teardown(&f);
}

static void test_running(void)
{
    Machine *m = machine_new();
    int64_t t0, t1;

    machine_lock(m);
    g_assert_cmpint(clock_now_any(m, CLOCK_KIND_VIRTUAL), ==, 0);
    clocks_set_virtual(m->clocks, 5000000000);
    clocks_run_virtual(m->clocks, true);
    t0 = clock_now_any(m, CLOCK_KIND_VIRTUAL);
    wait_elapse(2000, "the clock runs");
    t1 = clock_now_any(m, CLOCK_KIND_VIRTUAL);
    g_assert_cmpint(t0, >=, 5000000000);
    g_assert_cmpint(t1 - t0, >=, 2000000);
    clocks_run_virtual(m->clocks, false);
    t0 = clock_now_any(m, CLOCK_KIND_VIRTUAL);
    wait_elapse(2000, "the clock is stopped");
    g_assert_cmpint(clock_now_any(m, CLOCK_KIND_VIRTUAL), ==, t0);
    machine_free(m);
}

/* The time to wait excludes timers of a stepped clock; for those of a real-time clock it is exact
 * to the nanosecond. */
static void test_wait(void)
{
    Fixture f;
    Item item;
    Timer real;
    int64_t now;

    setup(&f);
    g_assert_cmpint(clocks_wait_ns(f.m->clocks), ==, CLOCK_NEVER);
    item_init(&item, &f, 1);
    timer_arm_ns(&item.t, 5);
    g_assert_cmpint(clocks_wait_ns(f.m->clocks), ==, CLOCK_NEVER);
    timer_setup_plain(&real, f.m, CLOCK_KIND_REALTIME, fired, &item);
    now = clock_now_any(f.m, CLOCK_KIND_REALTIME);
    timer_arm_at(&real, now + 3600 * INT64_C(1000000000));
    g_assert_cmpint(clocks_wait_ns(f.m->clocks), >, 3500 * INT64_C(1000000000));
    g_assert_cmpint(clocks_wait_ns(f.m->clocks), <=, 3600 * INT64_C(1000000000));
    timer_arm_at(&real, now);
    g_assert_cmpint(clocks_wait_ns(f.m->clocks), ==, 0);
    timer_cancel(&real);
    timer_cancel(&item.t);
    teardown(&f);
}

/* --- counting instructions --- */

static uint64_t clock_retired;

static uint64_t clock_fake_retired(Cpu *cpu)
{
    return clock_retired;
}

static void clock_note_wake(void *opaque)
{
    ++*(unsigned *)opaque;
}

/* Virtual time is that of the instructions since the beginning, and timers that become the earliest
 * wake the thread of the CPUs. */
static void test_counting(void)
{
    const CpuType type = { .retired = clock_fake_retired };
    const Cpu cpu = { .type = &type };
    unsigned woken = 0;
    Item first, second;
    Fixture f;

    setup(&f);
    clocks_attach(f.m->clocks);
    clocks_set_wake(f.m->clocks, clock_note_wake, &woken);
    clock_retired = 50;
    clocks_count_begin(f.m->clocks, &cpu, 3);
    g_assert_cmpint(clock_now_any(f.m, CLOCK_KIND_VIRTUAL), ==, 0);
    clock_retired = 60;
    g_assert_cmpint(clock_now_any(f.m, CLOCK_KIND_VIRTUAL), ==, 80);
    clocks_count_end(f.m->clocks);
    clock_retired = 99;
    g_assert_cmpint(clock_now_any(f.m, CLOCK_KIND_VIRTUAL), ==, 80);
    clocks_count_begin(f.m->clocks, &cpu, 0);
    clock_retired = 100;
    g_assert_cmpint(clock_now_any(f.m, CLOCK_KIND_VIRTUAL), ==, 81);
    clocks_count_end(f.m->clocks);
    item_init(&first, &f, 1);
    item_init(&second, &f, 2);
    timer_arm_ns(&first.t, 9);
    timer_arm_ns(&second.t, 19);
    g_assert_cmpuint(woken, ==, 1);
    g_assert_true(clocks_step_to(f.m->clocks, 90));
    g_assert_cmpint(first.fired_at, ==, 90);
    timer_cancel(&second.t);
    clocks_set_wake(f.m->clocks, NULL, NULL);
    teardown(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/order", test_order);
    g_test_add_func("/clock/periodic-and-cancel", test_periodic_and_cancel);
    g_test_add_func("/clock/livelock", test_livelock);
    g_test_add_func("/clock/limits", test_limits);
    g_test_add_func("/clock/running", test_running);
    g_test_add_func("/clock/wait", test_wait);
    g_test_add_func("/clock/counting", test_counting);
    return g_test_run();
}

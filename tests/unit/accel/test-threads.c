/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU threads: they run only while the machine does, park for exclusive sections and for the
 * machine lock, sleep and wake, and handle their deadlines.
 */
#include "fake.h"
#include "tests/lib/wait.h"

enum { PATIENCE = 20000 /* ms: of a loaded machine */ };

typedef struct TestCpu {
    Cpu cpu;
    uint64_t turns;   /* atomic: loops in run() */
    uint32_t running; /* atomic: inside run(), not parked */
    uint32_t sleepy;  /* atomic: sleep instead of spinning */
    uint32_t wants_lock;
    uint32_t got_lock, abandoned, interrupts;
    int64_t deadline;
} TestCpu;

static void run(Cpu *cpu)
{
    TestCpu *t = (TestCpu *)cpu;

    while (!(cpu_pending(cpu) & (CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE))) {
        __atomic_store_n(&t->running, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&t->turns, 1, __ATOMIC_SEQ_CST);
        if (cpu_pending(cpu) & CPU_PENDING_INTERRUPT) {
            cpu_clear_pending(cpu, CPU_PENDING_INTERRUPT);
            __atomic_fetch_add(&t->interrupts, 1, __ATOMIC_SEQ_CST);
        }
        if (__atomic_load_n(&t->wants_lock, __ATOMIC_SEQ_CST)) {
            __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
            if (!cpu_lock_machine(cpu)) {
                __atomic_fetch_add(&t->abandoned, 1, __ATOMIC_SEQ_CST);
                return;
            }
            __atomic_store_n(&t->wants_lock, 0, __ATOMIC_SEQ_CST);
            __atomic_fetch_add(&t->got_lock, 1, __ATOMIC_SEQ_CST);
            cpu_unlock_machine(cpu);
        }
        if (__atomic_load_n(&t->sleepy, __ATOMIC_SEQ_CST)) {
            cpu_sleep_any(cpu, CLOCK_NEVER);
        }
    }
    __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
}

static void nothing(Cpu *cpu)
{
}

static const CpuType type = {
    .name = "test", .run = run, .destroy = nothing, .post_load_arm = nothing
};

typedef struct Env {
    Machine *m;
    TestCpu cpu[2];
} Env;

static Env *env_new(void)
{
    Env *e = g_new0(Env, 1);

    e->m = machine_new();
    machine_lock(e->m);
    for (unsigned i = 0; i < 2; i++) {
        e->cpu[i].cpu = (Cpu){ .type = &type, .machine = e->m, .index = i };
        g_ptr_array_add(e->m->cpus, &e->cpu[i].cpu);
    }
    accel_start(e->m, NULL);
    return e;
}

static void env_free(Env *e)
{
    machine_set_state(e->m, RUN_PAUSED);
    accel_stop(e->m);
    machine_free(e->m);
    g_free(e);
}

static uint64_t turns(Env *e)
{
    return __atomic_load_n(&e->cpu[0].turns, __ATOMIC_SEQ_CST);
}

static bool moves(Env *e)
{
    uint64_t before = turns(e);

    return WAIT_WHETHER(turns(e) != before, 10);
}

static bool still(Env *e)
{
    uint64_t before = turns(e);

    wait_elapse(5000, "no turn in this time");
    return turns(e) == before;
}

static void test_run_state(void)
{
    Env *e = env_new();

    g_assert_true(still(e));
    for (unsigned i = 0; i < 20; i++) {
        machine_set_state(e->m, RUN_RUNNING);
        g_assert_true(moves(e));
        machine_set_state(e->m, RUN_PAUSED);
        g_assert_cmpuint(e->cpu[0].running + e->cpu[1].running, ==, 0);
    }
    g_assert_true(still(e));
    env_free(e);
}

typedef struct Section {
    Env *e;
    unsigned depth;
} Section;

static void in_section(void *opaque)
{
    Section *s = opaque;

    g_assert_cmpuint(s->e->cpu[0].running + s->e->cpu[1].running, ==, 0);
    uint64_t before = turns(s->e);
    if (s->depth++ < 2) {
        cpus_exclusive(s->e->m, in_section, s);
    }
    g_assert_cmpuint(turns(s->e), ==, before);
}

static void test_exclusive(void)
{
    Env *e = env_new();

    machine_set_state(e->m, RUN_RUNNING);
    for (unsigned i = 0; i < 200; i++) {
        Section s = { e, 0 };
        cpus_exclusive(e->m, in_section, &s);
        g_assert_cmpuint(s.depth, ==, 3);
    }
    g_assert_true(moves(e));
    env_free(e);
}

/* Held CPUs do not execute while the machine runs, even if they sleep or wait for the lock. */
static void test_hold(void)
{
    Env *e = env_new();
    Section s = { e, 0 };

    machine_set_state(e->m, RUN_RUNNING);
    for (unsigned i = 0; i < 50; i++) {
        g_assert_true(moves(e));
        cpus_hold(e->m);
        cpus_hold(e->m);
        cpus_exclusive(e->m, in_section, &s); /* waits until they have stopped */
        g_assert_true(still(e));
        cpus_release(e->m);
        g_assert_true(still(e));
        cpus_release(e->m);
    }
    cpus_hold(e->m);
    machine_set_state(e->m, RUN_PAUSED);
    cpus_release(e->m);
    g_assert_true(still(e));
    machine_set_state(e->m, RUN_RUNNING);
    g_assert_true(moves(e));
    env_free(e);
}

/* A CPU that waits for the machine lock is parked. A concurrent stop makes it give up. */
static void test_lock(void)
{
    Env *e = env_new();

    machine_set_state(e->m, RUN_RUNNING);
    g_assert_true(moves(e));
    __atomic_store_n(&e->cpu[0].wants_lock, 1, __ATOMIC_SEQ_CST);
    /* this thread holds the lock: the CPU waits */
    WAIT_UNTIL (!__atomic_load_n(&e->cpu[0].running, __ATOMIC_SEQ_CST), 20) {
    }
    Section s = { e, 2 };
    cpus_exclusive(e->m, in_section, &s);
    machine_set_state(e->m, RUN_PAUSED);
    g_assert_cmpuint(e->cpu[0].got_lock, ==, 0);
    machine_unlock(e->m);
    WAIT_UNTIL (__atomic_load_n(&e->cpu[0].abandoned, __ATOMIC_SEQ_CST), 20) {
    }
    machine_lock(e->m);
    g_assert_cmpuint(e->cpu[0].abandoned, ==, 1);
    g_assert_cmpuint(e->cpu[0].got_lock, ==, 0);
    machine_set_state(e->m, RUN_RUNNING);
    machine_unlock(e->m);
    WAIT_UNTIL (__atomic_load_n(&e->cpu[0].got_lock, __ATOMIC_SEQ_CST), 20) {
    }
    machine_lock(e->m);
    g_assert_cmpuint(e->cpu[0].got_lock, ==, 1);
    env_free(e);
}

static void test_sleep(void)
{
    Env *e = env_new();

    e->cpu[0].sleepy = 1;
    machine_set_state(e->m, RUN_RUNNING);
    WAIT_UNTIL (turns(e) != 0 && still(e), 20) {
    }
    for (unsigned i = 0; i < 50; i++) {
        uint32_t before = __atomic_load_n(&e->cpu[0].interrupts, __ATOMIC_SEQ_CST);
        cpu_raise_any(&e->cpu[0].cpu, CPU_PENDING_INTERRUPT);
        WAIT_UNTIL (__atomic_load_n(&e->cpu[0].interrupts, __ATOMIC_SEQ_CST) > before, 20) {
        }
    }
    env_free(e); /* a sleeping CPU stops too */
}

/* The main loop raises the interrupt at the deadline, not before. A cancelled one is not raised. */
static void test_deadline(void)
{
    Env *e = env_new();

    e->cpu[0].sleepy = 1;
    machine_set_state(e->m, RUN_RUNNING);
    int64_t start = clock_now_any(e->m, CLOCK_KIND_VIRTUAL);
    cpu_set_deadline_any(&e->cpu[0].cpu, start + 20000000);
    WAIT_UNTIL (__atomic_load_n(&e->cpu[0].interrupts, __ATOMIC_SEQ_CST), 20) {
        g_main_context_iteration(NULL, FALSE); /* the CPU's thread may be late: do not block */
    }
    g_assert_cmpint(clock_now_any(e->m, CLOCK_KIND_VIRTUAL), >=, start + 20000000);
    cpu_set_deadline_any(&e->cpu[0].cpu, clock_now_any(e->m, CLOCK_KIND_VIRTUAL) + 1000000);
    cpu_set_deadline_any(&e->cpu[0].cpu, CLOCK_NEVER);
    wait_elapse(5000, "the cancelled deadline passes");
    g_main_context_iteration(NULL, FALSE);
    wait_elapse(2000, "the CPU has had time to handle the interrupt");
    g_assert_cmpuint(e->cpu[0].interrupts, ==, 1);
    env_free(e);
}

static void debug_step_complete(void *opaque)
{
    cpu_debug_stop(opaque, CPU_STOP_STEP, NULL, 0);
}

/* A write by a device that was not reported is dropped with its watchpoint. */
static void test_device_write(void)
{
    const CpuPoint point = { CPU_POINT_WRITE, 0x1000, 8 };
    Env *e = env_new();

    g_assert_true(cpu_point_add(e->m, &point));
    machine_set_state(e->m, RUN_RUNNING);
    cpus_exclusive(e->m, debug_step_complete, &e->cpu[0].cpu);
    cpus_debug_device_stop(e->m, &point, 0x1000);
    WAIT_MAIN(e->m->state == RUN_DEBUG, 20);
    g_assert_cmpint(e->cpu[0].cpu.debug.stop, ==, CPU_STOP_STEP); /* reported before the write */
    g_assert_true(cpu_point_remove(e->m, &point));
    machine_set_state(e->m, RUN_RUNNING);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_true(cpu_point_add(e->m, &point));
    machine_set_state(e->m, RUN_PAUSED);
    machine_set_state(e->m, RUN_RUNNING);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(e->m->state, ==, RUN_RUNNING);
    cpus_debug_device_stop(e->m, &point, 0x1000);
    WAIT_MAIN(e->m->state == RUN_DEBUG, 20);
    g_assert_cmpint(e->cpu[0].cpu.debug.stop, ==, CPU_STOP_POINT);
    cpu_points_clear(e->m);
    env_free(e);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/threads/run-state", test_run_state);
    g_test_add_func("/threads/exclusive", test_exclusive);
    g_test_add_func("/threads/hold", test_hold);
    g_test_add_func("/threads/lock", test_lock);
    g_test_add_func("/threads/sleep", test_sleep);
    g_test_add_func("/threads/deadline", test_deadline);
    g_test_add_func("/threads/device-write", test_device_write);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A throttled CPU runs for its share of the time while the main loop continues.
 */
#include "migration/throttle_internal.h"

#include "../accel/fake.h"
#include "tests/lib/wait.h"

static uint64_t loops; /* accessed atomically */

static void run(Cpu *cpu)
{
    while (!(cpu_pending(cpu) & (CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE))) {
        __atomic_fetch_add(&loops, 1, __ATOMIC_SEQ_CST);
        wait_elapse(100, "a loop of the CPU");
    }
}

static void nothing(Cpu *cpu)
{
}

static const CpuType type = {
    .name = "test", .run = run, .destroy = nothing, .post_load_arm = nothing
};

/* Return the number of loops that the CPU executes while the main loop runs for `ms`. */
static uint64_t loops_in(unsigned ms)
{
    uint64_t before = __atomic_load_n(&loops, __ATOMIC_SEQ_CST);

    WAIT_DURING (ms) {
        g_main_context_iteration(NULL, FALSE);
    }
    return __atomic_load_n(&loops, __ATOMIC_SEQ_CST) - before;
}

static void test_share(void)
{
    Cpu cpu = { .type = &type };
    Machine *m = machine_new();
    Throttle t = { .machine = m };
    uint64_t free_run, held;
    unsigned tries = 0;

    machine_lock(m);
    cpu.machine = m;
    g_ptr_array_add(m->cpus, &cpu);
    accel_start(m, NULL);
    machine_set_state(m, RUN_RUNNING);
    do { /* other processes can take the CPU during one of the measurements */
        free_run = loops_in(300);
        throttle_set(&t, 90);
        held = loops_in(600) / 2;
        g_test_message("%u loops free, %u at 90 %%", (unsigned)free_run, (unsigned)held);
        throttle_set(&t, 99);
        throttle_set(&t, 0);
        throttle_set(&t, 0);
        g_assert_cmpuint(t.timer, ==, 0);
    } while ((held == 0 || held >= free_run / 2) && ++tries < 20);
    g_assert_cmpuint(held, <, free_run / 2);
    g_assert_cmpuint(held, >, 0);
    /* released while it is held */
    throttle_set(&t, 99);
    g_assert_true(t.held);
    throttle_set(&t, 0);
    held = __atomic_load_n(&loops, __ATOMIC_SEQ_CST);
    WAIT_MAIN(__atomic_load_n(&loops, __ATOMIC_SEQ_CST) > held + 1000, 20);
    machine_set_state(m, RUN_PAUSED);
    accel_stop(m);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/throttle/share", test_share);
    return g_test_run();
}

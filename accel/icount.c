/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting instructions (include/hw/core/icount.h): one thread executes the CPUs in turn, each for
 * a share of at most ICOUNT_SHARE instructions or until the next timer is due, and calls the
 * functions of timers between the shares.
 *
 * A share ends at the end of the first block at which the count is reached. That is determined,
 * because blocks depend on the guest's code only.
 */
#include <unistd.h>

#include "accel/threads_internal.h"
#include "hw/core/clock.h"
#include "hw/core/icount.h"
#include "util/sandbox.h"

#define ICOUNT_SHARE    10000
#define ICOUNT_ADAPT_NS 100000000 /* how often shift=auto compares the clocks */
#define ICOUNT_SLACK_NS 10000000

typedef struct Icount {
    const IcountConfig *config;
    unsigned shift, next; /* index of the CPU that has the next share */
    CpuThread *running;   /* the CPU in CpuType.run(); NULL: none */
    bool woken;           /* Accel.lock: a timer was armed while all CPUs are idle */
    /* Comparison with the host, for shift=auto and align: both clocks at the last one. */
    int64_t host_then, virtual_then;
} Icount;

static int64_t icount_now(const Accel *a)
{
    return clock_now_any(a->machine, CLOCK_KIND_VIRTUAL);
}

static int64_t icount_host(const Accel *a)
{
    return clock_now_any(a->machine, CLOCK_KIND_REALTIME);
}

/* A timer was armed by another thread than that of the CPUs. */
static void icount_wake(void *opaque)
{
    Accel *a = opaque;
    CpuThread *first = g_ptr_array_index(a->threads, 0);

    if (g_thread_self() != first->thread) {
        g_mutex_lock(&a->lock);
        a->icount->woken = true;
        cpu_thread_wake(first);
        g_mutex_unlock(&a->lock);
    }
}

void icount_start(Accel *a)
{
    const IcountConfig *config = a->machine->icount;

    if (config) {
        a->icount = g_new0(Icount, 1);
        a->icount->config = config;
        a->icount->shift = config->shift;
        clocks_set_wake(a->machine->clocks, icount_wake, a);
        for (unsigned i = 0; i < a->threads->len; i++) {
            CpuThread *t = g_ptr_array_index(a->threads, i);
            __atomic_fetch_or(&t->cpu->pending, CPU_PENDING_COUNT, __ATOMIC_SEQ_CST);
        }
    }
}

void icount_free(Accel *a)
{
    if (a->icount) {
        clocks_set_wake(a->machine->clocks, NULL, NULL);
        g_free(a->icount);
    }
}

/* Return true if the thread may execute guest code: no CPU stopped for the debugger, and it holds
 * not all. Accel.lock. */
static bool icount_may_run(const Accel *a)
{
    bool any = false;

    if (a->hold) {
        return false;
    }
    for (unsigned i = 0; i < a->threads->len; i++) {
        const CpuThread *t = g_ptr_array_index(a->threads, i);
        if (t->cpu->debug.stop != CPU_STOP_NONE) {
            return false;
        }
        any = any || cpu_thread_may_run(t);
    }
    return any;
}

/* --- events --- */

/* Return the earliest time at which something is due: a timer, or a deadline of a CPU. Lock. */
static int64_t icount_next_event(Accel *a)
{
    int64_t next = clocks_deadline(a->machine->clocks, CLOCK_KIND_VIRTUAL);

    g_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->threads->len; i++) {
        const CpuThread *t = g_ptr_array_index(a->threads, i);
        next = MIN(next, t->deadline);
        next = MIN(next, t->idle ? t->idle_until : CLOCK_NEVER);
    }
    g_mutex_unlock(&a->lock);
    return next;
}

/* Return the number of instructions until a time. */
static uint64_t icount_until(const Accel *a, int64_t time)
{
    unsigned shift = a->icount->shift;
    int64_t left = time == CLOCK_NEVER ? CLOCK_NEVER : time - icount_now(a);

    return left <= 0 ? 0 : ((uint64_t)left + (UINT64_C(1) << shift) - 1) >> shift;
}

/* End the share of the CPU that runs in time for an event. Its own thread. */
static void icount_shorten(Accel *a, int64_t event)
{
    Cpu *cpu = a->icount->running->cpu;

    cpu->count_limit = MIN(cpu->count_limit, cpu->type->retired(cpu) + icount_until(a, event));
}

static bool icount_is_running(const Accel *a)
{
    return a->icount && a->icount->running && a->icount->running->thread == g_thread_self();
}

Cpu *icount_current(const Accel *a)
{
    return icount_is_running(a) ? a->icount->running->cpu : NULL;
}

void icount_deadline_changed(CpuThread *t)
{
    Accel *a = t->accel;

    if (icount_is_running(a)) {
        icount_shorten(a, t->deadline);
    } else if (a->icount) {
        a->icount->woken = true;
        cpu_thread_wake(t);
    }
}

/* Complete the work of devices. After a request for a reset or power-off, no CPU continues. Lock.
 */
static void icount_settle(Accel *a)
{
    const MachineHooks *hooks = &a->machine->hooks;

    if (hooks->settle && !hooks->settle(hooks->opaque)) {
        g_mutex_lock(&a->lock);
        a->hold = true;
        g_mutex_unlock(&a->lock);
        if (a->icount->running) {
            a->icount->running->cpu->count_limit = 0;
        }
    }
}

void icount_device_access(CpuThread *t)
{
    Accel *a = t->accel;

    if (icount_is_running(a)) {
        icount_settle(a);
        icount_shorten(a, icount_next_event(a));
    }
}

void icount_sleep(CpuThread *t, int64_t deadline)
{
    if (icount_is_running(t->accel)) {
        t->idle = true;
        t->idle_until = deadline;
        t->cpu->count_limit = 0;
    }
}

/* Expire everything that is due. Lock. */
static void icount_expire(Accel *a)
{
    ClockSet *clocks = a->machine->clocks;
    int64_t now = icount_now(a);

    if (clocks_deadline(clocks, CLOCK_KIND_VIRTUAL) <= now) {
        clocks_step_to(clocks, now);
        icount_settle(a);
    }
    g_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        if (t->deadline <= now) {
            t->deadline = CLOCK_NEVER;
            __atomic_fetch_or(&t->cpu->pending, CPU_PENDING_INTERRUPT, __ATOMIC_SEQ_CST);
        }
        if (t->idle && t->idle_until <= now) {
            t->idle = false;
        }
    }
    g_mutex_unlock(&a->lock);
}

/* --- comparison with the host --- */

/* Adapt the shift so that virtual time follows the host's. */
static void icount_adapt(Accel *a)
{
    Icount *c = a->icount;
    int64_t ahead = (icount_now(a) - c->virtual_then) - (icount_host(a) - c->host_then);

    if (icount_host(a) - c->host_then < ICOUNT_ADAPT_NS) {
        return;
    }
    if (ahead < -ICOUNT_SLACK_NS && c->shift < ICOUNT_MAX_SHIFT) {
        c->shift++;
    } else if (ahead > ICOUNT_SLACK_NS && c->shift > 0) {
        c->shift--;
    }
    c->host_then = icount_host(a);
    c->virtual_then = icount_now(a);
}

/* Wait in real time, at most `ns`, unless something wakes the thread first. Accel.lock. */
static void icount_wait(Accel *a, int64_t ns)
{
    CpuThread *first = g_ptr_array_index(a->threads, 0);

    if (ns == CLOCK_NEVER) {
        g_cond_wait(&first->wake, &a->lock);
    } else {
        int64_t us = MIN(ns / 1000 + 1, (int64_t)3600 * 1000000);
        g_cond_wait_until(&first->wake, &a->lock, g_get_monotonic_time() + us);
    }
}

/* Delay a guest whose time is ahead of the host's. */
static void icount_align(Accel *a)
{
    Icount *c = a->icount;
    int64_t ahead = (icount_now(a) - c->virtual_then) - (icount_host(a) - c->host_then);

    if (ahead > ICOUNT_SLACK_NS) {
        g_mutex_lock(&a->lock);
        if (icount_may_run(a)) {
            icount_wait(a, ahead);
        }
        g_mutex_unlock(&a->lock);
    }
}

/* --- idle time --- */

/* Return true if a CPU has something to do, and the debugger does not hold it. */
static bool icount_runnable(const CpuThread *t)
{
    uint32_t pending = __atomic_load_n(&t->cpu->pending, __ATOMIC_SEQ_CST);

    return !t->cpu->debug.hold && (!t->idle || (pending & ~(uint32_t)CPU_PENDING_COUNT));
}

static bool icount_any_runnable(const Accel *a)
{
    for (unsigned i = 0; i < a->threads->len; i++) {
        if (icount_runnable(g_ptr_array_index(a->threads, i))) {
            return true;
        }
    }
    return false;
}

static void icount_set_sleeping(Accel *a, bool sleeping)
{
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        __atomic_store_n(&t->sleeping, sleeping, __ATOMIC_SEQ_CST);
    }
}

/* Wait until the event, in real time. Return the time that passed, at most the time until the
 * event; exactly that time unless something outside the guest woke a CPU. */
static int64_t icount_sleep_until(Accel *a, int64_t left)
{
    int64_t start = icount_host(a), passed = 0;

    g_mutex_lock(&a->lock);
    icount_set_sleeping(a, true);
    while (!icount_any_runnable(a) && !a->icount->woken && icount_may_run(a) && passed < left) {
        icount_wait(a, left == CLOCK_NEVER ? CLOCK_NEVER : left - passed);
        passed = icount_host(a) - start;
    }
    a->icount->woken = false;
    icount_set_sleeping(a, false);
    g_mutex_unlock(&a->lock);
    return left == CLOCK_NEVER ? 0 : MIN(passed, left);
}

/* All CPUs are idle: continue at the next event. */
static void icount_idle(Accel *a, int64_t now, int64_t next)
{
    CpuThread *first = g_ptr_array_index(a->threads, 0);
    int64_t passed;

    if (next == CLOCK_NEVER || a->icount->config->sleep) {
        passed = icount_sleep_until(a, next == CLOCK_NEVER ? CLOCK_NEVER : next - now);
    } else {
        passed = next - now;
    }
    if (passed > 0 && cpu_lock_machine(first->cpu)) {
        clocks_step_to(a->machine->clocks, now + passed);
        icount_settle(a);
        cpu_unlock_machine(first->cpu);
    }
}

/* --- shares --- */

static CpuThread *icount_choose(Accel *a)
{
    Icount *c = a->icount;

    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, (c->next + i) % a->threads->len);
        if (icount_runnable(t)) {
            c->next = (t->cpu->index + 1) % a->threads->len;
            return t;
        }
    }
    return NULL;
}

static void icount_run(Accel *a, CpuThread *t, uint64_t count)
{
    Cpu *cpu = t->cpu;

    t->idle = false;
    cpu->count_limit = cpu->type->retired(cpu) + count;
    a->icount->running = t;
    clocks_count_begin(a->machine->clocks, cpu, a->icount->shift);
    cpu->type->run(cpu);
    clocks_count_end(a->machine->clocks);
    a->icount->running = NULL;
}

/* Expire timers and give one CPU a share. */
static void icount_turn(Accel *a)
{
    CpuThread *first = g_ptr_array_index(a->threads, 0);

    if (!cpu_lock_machine(first->cpu)) {
        return;
    }
    icount_expire(a);
    int64_t now = icount_now(a), next = icount_next_event(a);
    CpuThread *t = icount_choose(a);
    uint64_t count = CLAMP(icount_until(a, next), 1, ICOUNT_SHARE);
    cpu_unlock_machine(first->cpu);
    if (t) {
        icount_run(a, t, count);
    } else {
        icount_idle(a, now, next);
    }
    if (a->icount->config->automatic) {
        icount_adapt(a);
    } else if (a->icount->config->align) {
        icount_align(a);
    }
}

/* Start the comparison with the host again, after the guest was stopped. */
static void icount_resume(Accel *a)
{
    a->icount->host_then = icount_host(a);
    a->icount->virtual_then = icount_now(a);
}

gpointer icount_thread(gpointer opaque)
{
    CpuThread *first = opaque;
    Accel *a = first->accel;
    bool confined = false;

    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        g_atomic_int_set(&t->cpu->thread_id, gettid());
    }
    g_mutex_lock(&a->lock);
    icount_resume(a); /* the machine may run already */
    while (!a->quit) {
        if (!icount_may_run(a)) {
            cpu_set_parked(first, true);
            g_cond_wait(&first->wake, &a->lock);
            icount_resume(a);
            continue;
        }
        cpu_set_parked(first, false);
        for (unsigned i = 0; i < a->threads->len; i++) {
            CpuThread *t = g_ptr_array_index(a->threads, i);
            cpu_clear_pending(t->cpu, CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE);
        }
        g_mutex_unlock(&a->lock);
        if (!confined) {
            confined = true;
            sandbox_confine_cpu_thread(a->machine->sandbox);
        }
        icount_turn(a);
        g_mutex_lock(&a->lock);
        for (unsigned i = 0; i < a->threads->len; i++) {
            cpu_thread_debug_report(g_ptr_array_index(a->threads, i));
        }
    }
    cpu_set_parked(first, true);
    g_mutex_unlock(&a->lock);
    return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU threads: running, parking, sleeping, and the timer behind cpu_set_deadline_any()
 * (contracts in accel/accel.h and hw/core/cpu.h).
 *
 * Accel.lock protects all state of this file. It is the innermost lock and is acquired with or
 * without the machine lock held. A CPU is parked while it must acquire one of the two locks and
 * check its pending word before it can access guest state.
 */
#include "accel/threads_internal.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "hw/core/clock.h"
#include "util/watch.h"
#include "util/sandbox.h"

static Accel *machine_accel(Machine *m)
{
    if (m->cpus->len == 0) {
        return NULL;
    }
    CpuThread *t = ((Cpu *)g_ptr_array_index(m->cpus, 0))->accel;
    return t ? t->accel : NULL;
}

/* --- waking --- */

void cpu_thread_wake(CpuThread *t)
{
    CpuThread *own = t->accel->machine->icount ? g_ptr_array_index(t->accel->threads, 0) : t;

    g_cond_signal(&own->wake);
}

void cpu_raise_any(Cpu *cpu, uint32_t bits)
{
    CpuThread *t = cpu->accel;

    __atomic_fetch_or(&cpu->pending, bits, __ATOMIC_SEQ_CST);
    if (t && __atomic_load_n(&t->sleeping, __ATOMIC_SEQ_CST)) {
        g_mutex_lock(&t->accel->lock);
        cpu_thread_wake(t);
        g_mutex_unlock(&t->accel->lock);
    }
}

void cpu_sleep_any(Cpu *cpu, int64_t deadline)
{
    CpuThread *t = cpu->accel;
    Machine *m = cpu->machine;

    if (!t) {
        return;
    }
    if (m->icount) {
        icount_sleep(t, deadline);
        return;
    }
    g_mutex_lock(&t->accel->lock);
    __atomic_store_n(&t->sleeping, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&cpu->pending, __ATOMIC_SEQ_CST) == 0) {
        if (deadline == CLOCK_NEVER) {
            g_cond_wait(&t->wake, &t->accel->lock);
            continue;
        }
        int64_t left = deadline - clock_now_any(m, CLOCK_KIND_VIRTUAL);
        if (left <= 0) {
            break;
        }
        int64_t us = MIN(left / 1000 + 1, (int64_t)3600 * 1000000);
        g_cond_wait_until(&t->wake, &t->accel->lock, g_get_monotonic_time() + us);
    }
    __atomic_store_n(&t->sleeping, 0, __ATOMIC_SEQ_CST);
    g_mutex_unlock(&t->accel->lock);
}

/* --- deadlines --- */

static void arm_timer(Accel *a)
{
    struct itimerspec spec = { 0 };
    int64_t first = CLOCK_NEVER;

    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        first = MIN(first, t->deadline);
    }
    if (a->machine->icount) {
        return; /* icount_turn() compares the deadlines */
    }
    if (first != CLOCK_NEVER && a->running) {
        int64_t left = first - clock_now_any(a->machine, CLOCK_KIND_VIRTUAL);
        left = MAX(left, 1);
        spec.it_value.tv_sec = left / 1000000000;
        spec.it_value.tv_nsec = left % 1000000000;
    }
    timerfd_settime(a->timer_fd, 0, &spec, NULL);
}

static gboolean timer_fired(gint fd, GIOCondition cond, gpointer opaque)
{
    Accel *a = opaque;
    uint64_t count;

    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN) {
        return G_SOURCE_CONTINUE;
    }
    g_mutex_lock(&a->lock);
    int64_t now = clock_now_any(a->machine, CLOCK_KIND_VIRTUAL);
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        if (t->deadline <= now) {
            t->deadline = CLOCK_NEVER;
            __atomic_fetch_or(&t->cpu->pending, CPU_PENDING_INTERRUPT, __ATOMIC_SEQ_CST);
            cpu_thread_wake(t);
        }
    }
    arm_timer(a);
    g_mutex_unlock(&a->lock);
    return G_SOURCE_CONTINUE;
}

void cpu_set_deadline_any(Cpu *cpu, int64_t deadline)
{
    CpuThread *t = cpu->accel;

    if (!t) {
        return;
    }
    g_mutex_lock(&t->accel->lock);
    if (t->deadline != deadline) {
        t->deadline = deadline;
        arm_timer(t->accel);
        icount_deadline_changed(t);
    }
    g_mutex_unlock(&t->accel->lock);
}

/* --- parking --- */

/* While instructions are counted, all CPUs are parked and run together. */
void cpu_set_parked(CpuThread *t, bool parked)
{
    Accel *a = t->accel;

    for (unsigned i = 0; a->machine->icount && i < a->threads->len; i++) {
        CpuThread *other = g_ptr_array_index(a->threads, i);
        other->parked = parked;
    }
    t->parked = parked;
    if (parked) {
        g_cond_broadcast(&t->accel->parked);
    }
}

bool cpu_lock_machine(Cpu *cpu)
{
    CpuThread *t = cpu->accel;

    if (!t) {
        machine_lock(cpu->machine);
        return true;
    }
    if (machine_trylock(cpu->machine)) {
        return true; /* equivalent to acquiring the lock below without waiting */
    }
    g_mutex_lock(&t->accel->lock);
    cpu_set_parked(t, true);
    g_mutex_unlock(&t->accel->lock);
    machine_lock(cpu->machine);
    g_mutex_lock(&t->accel->lock);
    bool go = !(cpu_pending(cpu) & (CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE));
    if (go) {
        cpu_set_parked(t, false);
    }
    g_mutex_unlock(&t->accel->lock);
    /* A CPU that must not continue stays parked and returns to the loop of its thread. */
    if (!go) {
        machine_unlock(cpu->machine);
    }
    return go;
}

void cpu_unlock_machine(Cpu *cpu)
{
    machine_unlock(cpu->machine);
}

/* --- statistics --- */

/* Return the CPU time of the calling thread in ns, without the time of other threads of the host.
 */
static int64_t thread_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Return the time in ns that one reading of the clock adds between two readings. */
static int64_t clock_cost(void)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 32; i++) {
        int64_t start = thread_ns();
        least = MIN(least, thread_ns() - start);
    }
    return least;
}

int64_t cpu_device_enter(Cpu *cpu)
{
    return ++cpu->device_accesses % CPU_DEVICE_SAMPLE ? -1 : thread_ns();
}

void cpu_device_leave(Cpu *cpu, int64_t start)
{
    CpuThread *t = cpu->accel;

    if (start >= 0 && t) {
        cpu->device_ns += MAX(0, thread_ns() - start - t->clock_cost) * CPU_DEVICE_SAMPLE;
    }
    if (t && cpu->machine->icount) {
        icount_device_access(t);
    }
}

/* Request every CPU to park. Requires Accel.lock. */
static void ask_to_park(Accel *a, uint32_t bit)
{
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        __atomic_fetch_or(&t->cpu->pending, bit, __ATOMIC_SEQ_CST);
        cpu_thread_wake(t);
    }
}

/* Request every CPU to park, and wait until all except the calling thread's have parked. Requires
 * Accel.lock. */
static void park_others(Accel *a, uint32_t bit)
{
    ask_to_park(a, bit);
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        while (!t->parked && t->thread != g_thread_self()) {
            g_cond_wait(&a->parked, &a->lock);
        }
    }
}

static void wake_all(Accel *a)
{
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        cpu_thread_wake(t);
    }
}

void cpus_exclusive(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    Accel *a = machine_accel(m);

    if (!a) {
        fn(opaque);
        return;
    }
    g_mutex_lock(&a->lock);
    a->exclusive++;
    park_others(a, CPU_PENDING_EXCLUSIVE);
    g_mutex_unlock(&a->lock);
    fn(opaque);
    g_mutex_lock(&a->lock);
    if (--a->exclusive == 0) {
        a->hold = false;
        wake_all(a);
    }
    g_mutex_unlock(&a->lock);
}

void cpus_hold(Machine *m)
{
    Accel *a = machine_accel(m);

    if (a) {
        g_mutex_lock(&a->lock);
        a->exclusive++;
        ask_to_park(a, CPU_PENDING_EXCLUSIVE);
        g_mutex_unlock(&a->lock);
    }
}

void cpus_release(Machine *m)
{
    Accel *a = machine_accel(m);

    if (a) {
        g_mutex_lock(&a->lock);
        if (--a->exclusive == 0) {
            wake_all(a);
        }
        g_mutex_unlock(&a->lock);
    }
}

/* --- stops for the debugger --- */

void cpu_debug_stop(Cpu *cpu, CpuStop why, const CpuPoint *point, uint64_t addr)
{
    cpu->debug.stop = why;
    cpu->debug.point = point ? point->kind : CPU_POINT_BREAK;
    cpu->debug.addr = addr;
    cpu->debug.step = false;
    __atomic_fetch_or(&cpu->pending, CPU_PENDING_STOP, __ATOMIC_SEQ_CST);
}

/* Return the watchpoint at the address that a device wrote, if the write was not reported yet. */
static const CpuPoint *debug_device_point(const Accel *a)
{
    const CpuPoints *points = a->machine->points;

    return a->device_wrote && points ? cpu_point_watch(points, a->device_addr, 1, false, true)
                                     : NULL;
}

/* Attribute a write by a device to the first CPU. If that stopped for another reason, the machine
 * stops again when it continues. Main loop; the CPUs are parked. */
static void debug_report_device(Accel *a)
{
    const CpuThread *first = g_ptr_array_index(a->threads, 0);
    const CpuPoint *point = debug_device_point(a);

    if (point && first->cpu->debug.stop == CPU_STOP_NONE) {
        a->device_wrote = false;
        cpu_debug_stop(first->cpu, CPU_STOP_POINT, point, a->device_addr);
    }
}

/* Stop the machine, unless it was stopped or started again since the CPU stopped. Main loop. */
static gboolean debug_stop_machine(gpointer opaque)
{
    Accel *a = opaque;
    bool stopped = debug_device_point(a) != NULL;

    a->device_wrote = stopped; /* a watchpoint that was removed does not report it later */
    g_mutex_lock(&a->lock);
    a->debug_source = 0;
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        stopped = stopped || t->cpu->debug.stop != CPU_STOP_NONE;
    }
    g_mutex_unlock(&a->lock);
    if (stopped && machine_running(a->machine)) {
        machine_set_state(a->machine, RUN_DEBUG);
        debug_report_device(a);
    }
    return G_SOURCE_REMOVE;
}

static void debug_request_stop(Accel *a)
{
    if (!a->debug_source) {
        a->debug_source = g_idle_add_full(G_PRIORITY_HIGH, debug_stop_machine, a, NULL);
    }
}

/* Request the stop of the machine after CpuType.run() returned. Requires Accel.lock. */
void cpu_thread_debug_report(CpuThread *t)
{
    if (t->cpu->debug.stop != CPU_STOP_NONE) {
        debug_request_stop(t->accel);
    }
}

static Cpu *cpus_current(const Accel *a)
{
    if (a->icount) {
        return icount_current(a);
    }
    for (unsigned i = 0; i < a->threads->len; i++) {
        const CpuThread *t = g_ptr_array_index(a->threads, i);
        if (t->thread == g_thread_self()) {
            return t->cpu;
        }
    }
    return NULL;
}

void cpus_debug_device_stop(Machine *m, const CpuPoint *point, uint64_t addr)
{
    Accel *a = machine_accel(m);
    Cpu *cpu = a ? cpus_current(a) : NULL;

    if (cpu) {
        cpu_debug_stop(cpu, CPU_STOP_POINT, point, addr);
    } else if (a) {
        a->device_wrote = true;
        a->device_addr = addr;
        g_mutex_lock(&a->lock);
        debug_request_stop(a);
        g_mutex_unlock(&a->lock);
    }
}

static void debug_forget_stops(Accel *a)
{
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        t->cpu->debug.stop = CPU_STOP_NONE;
    }
}

/* Return true if the thread may execute guest code. Requires Accel.lock. */
bool cpu_thread_may_run(const CpuThread *t)
{
    const CpuDebug *d = &t->cpu->debug;

    return t->accel->running && t->accel->exclusive == 0 && !d->hold && d->stop == CPU_STOP_NONE;
}

/* --- the threads --- */

static gpointer cpu_thread(gpointer opaque)
{
    CpuThread *t = opaque;
    Accel *a = t->accel;
    bool confined = false;

    g_atomic_int_set(&t->cpu->thread_id, gettid());
    t->clock_cost = clock_cost();
    g_mutex_lock(&a->lock);
    while (!a->quit) {
        if (!cpu_thread_may_run(t)) {
            cpu_set_parked(t, true);
            g_cond_wait(&t->wake, &a->lock);
            continue;
        }
        cpu_set_parked(t, false);
        cpu_clear_pending(t->cpu, CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE);
        g_mutex_unlock(&a->lock);
        if (!confined) { /* the process filter was installed before the guest was first started */
            confined = true;
            sandbox_confine_cpu_thread(a->machine->sandbox);
        }
        t->cpu->type->run(t->cpu);
        g_mutex_lock(&a->lock);
        cpu_thread_debug_report(t);
    }
    cpu_set_parked(t, true);
    g_mutex_unlock(&a->lock);
    return NULL;
}

static void run_state(void *opaque, bool running, RunState state)
{
    Accel *a = opaque;

    g_mutex_lock(&a->lock);
    a->running = running;
    a->hold = false;
    if (running) {
        debug_forget_stops(a);
        if (a->device_wrote) {
            debug_request_stop(a);
        }
        wake_all(a);
    } else {
        park_others(a, CPU_PENDING_STOP);
    }
    arm_timer(a);
    g_mutex_unlock(&a->lock);
}

static bool start_threads(Accel *a, GError **err)
{
    const CpuThread *first = g_ptr_array_index(a->threads, 0);

    a->machine->threaded = !a->machine->icount;
    for (unsigned i = 0; i < a->threads->len; i++) {
        CpuThread *t = g_ptr_array_index(a->threads, i);
        char name[16];

        g_snprintf(name, sizeof(name), "CPU %u", i);
        t->cpu->type->post_load_arm(t->cpu);
        if (a->machine->icount && i > 0) {
            t->thread = first->thread;
            continue;
        }
        t->thread = g_thread_try_new(name, a->machine->icount ? icount_thread : cpu_thread, t, err);
        if (!t->thread) {
            g_prefix_error(err, "thread for CPU %u: ", i);
            return false;
        }
    }
    return true;
}

bool accel_start(Machine *m, GError **err)
{
    int timer_fd;

    g_assert(machine_locked(m) && !machine_accel(m));
    if (m->cpus->len == 0) {
        return true;
    }
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_fd < 0) {
        g_set_error(err, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "a timer for the CPUs cannot be made: %s", g_strerror(errno));
        return false;
    }
    Accel *a = g_new0(Accel, 1);
    a->machine = m;
    g_mutex_init(&a->lock);
    g_cond_init(&a->parked);
    a->running = machine_running(m);
    a->threads = g_ptr_array_new();
    a->timer_fd = timer_fd;
    a->timer_source = watch_fd(a->timer_fd, G_IO_IN, timer_fired, a);
    for (unsigned i = 0; i < m->cpus->len; i++) {
        CpuThread *t = g_new0(CpuThread, 1);
        t->accel = a;
        t->cpu = g_ptr_array_index(m->cpus, i);
        t->deadline = CLOCK_NEVER;
        t->parked = true;
        g_cond_init(&t->wake);
        t->cpu->accel = t;
        g_ptr_array_add(a->threads, t);
    }
    machine_add_run_fn(m, run_state, a);
    icount_start(a);
    if (!start_threads(a, err)) {
        accel_stop(m);
        return false;
    }
    return true;
}

static void free_thread(CpuThread *t)
{
    if (t->thread && !(t->cpu->index > 0 && t->accel->machine->icount)) {
        g_thread_join(t->thread);
    }
    t->cpu->accel = NULL;
    g_cond_clear(&t->wake);
    g_free(t);
}

void accel_stop(Machine *m)
{
    Accel *a = machine_accel(m);

    if (!a) {
        return;
    }
    machine_remove_run_fn(m, run_state, a);
    g_mutex_lock(&a->lock);
    a->quit = true;
    park_others(a, CPU_PENDING_STOP);
    wake_all(a);
    g_mutex_unlock(&a->lock);
    machine_unlock(m);
    for (unsigned i = 0; i < a->threads->len; i++) {
        free_thread(g_ptr_array_index(a->threads, i));
    }
    machine_lock(m);
    m->threaded = false;
    g_source_remove(a->timer_source);
    if (a->debug_source) {
        g_source_remove(a->debug_source);
    }
    icount_free(a);
    close(a->timer_fd);
    g_ptr_array_free(a->threads, TRUE);
    g_mutex_clear(&a->lock);
    g_cond_clear(&a->parked);
    g_free(a);
}

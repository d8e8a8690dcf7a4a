/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks and timers (contract in hw/core/clock.h).
 *
 * Each clock keeps its armed timers in a binary heap by deadline. The virtual clock is the
 * monotonic clock minus the time during which the guest was stopped. Readers use a sequence count
 * instead of a lock.
 */
#include "hw/core/clock.h"

#include <time.h>

#include "hw/core/cpu.h"
#include "hw/core/device.h"

#define NS_PER_SECOND 1000000000LL
#define STEP_ROUNDS   1000 /* rounds of timers that arm each other; more is a livelock */

typedef struct TimerHeap {
    GPtrArray *timers; /* Timer*, in heap order; heap_pos is the index */
} TimerHeap;

struct ClockSet {
    Machine *machine;
    TimerHeap heaps[CLOCK_KINDS];
    bool stepped;
    /* virtual clock: running ? monotonic + offset : stopped_at */
    unsigned seq; /* odd while being changed */
    bool running;
    int64_t offset, stopped_at;
    /* counting: stopped_at + the instructions that the CPU retired since `counted_from` */
    const Cpu *counted; /* NULL: none runs */
    uint64_t counted_from;
    unsigned shift;
    void (*wake)(void *opaque);
    void *wake_opaque;
    GSource *source;
};

typedef struct ClockSource {
    GSource base;
    ClockSet *clocks;
} ClockSource;

static int64_t clock_host_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

/* Return the time of a clock that is not running: it counts instructions, or it is at rest. */
static int64_t clock_virtual_still(const ClockSet *c)
{
    const Cpu *cpu = __atomic_load_n(&c->counted, __ATOMIC_RELAXED);
    int64_t at = __atomic_load_n(&c->stopped_at, __ATOMIC_RELAXED);

    return cpu ? at + (int64_t)((cpu->type->retired((Cpu *)cpu) - c->counted_from) << c->shift)
               : at;
}

static int64_t clock_virtual_now(const ClockSet *c)
{
    unsigned seq;
    int64_t now;

    do {
        seq = __atomic_load_n(&c->seq, __ATOMIC_ACQUIRE);
        now = __atomic_load_n(&c->running, __ATOMIC_RELAXED)
                  ? clock_host_ns(CLOCK_MONOTONIC) + __atomic_load_n(&c->offset, __ATOMIC_RELAXED)
                  : clock_virtual_still(c);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((seq & 1) || seq != __atomic_load_n(&c->seq, __ATOMIC_RELAXED));
    return now;
}

static void clock_virtual_set(ClockSet *c, bool running, int64_t offset, int64_t stopped_at)
{
    __atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&c->running, running, __ATOMIC_RELAXED);
    __atomic_store_n(&c->offset, offset, __ATOMIC_RELAXED);
    __atomic_store_n(&c->stopped_at, stopped_at, __ATOMIC_RELAXED);
    __atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_RELEASE);
}

static void clock_count(ClockSet *c, const Cpu *cpu, uint64_t from, unsigned shift, int64_t now)
{
    __atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&c->counted, cpu, __ATOMIC_RELAXED);
    __atomic_store_n(&c->counted_from, from, __ATOMIC_RELAXED);
    __atomic_store_n(&c->shift, shift, __ATOMIC_RELAXED);
    __atomic_store_n(&c->stopped_at, now, __ATOMIC_RELAXED);
    __atomic_store_n(&c->seq, c->seq + 1, __ATOMIC_RELEASE);
}

void clocks_count_begin(ClockSet *c, const Cpu *cpu, unsigned shift)
{
    clock_count(c, cpu, cpu->type->retired((Cpu *)cpu), shift, clock_virtual_now(c));
}

void clocks_count_end(ClockSet *c)
{
    clock_count(c, NULL, 0, 0, clock_virtual_now(c));
}

int64_t clock_now_any(const Machine *m, ClockKind kind)
{
    switch (kind) {
    case CLOCK_KIND_VIRTUAL:
        return clock_virtual_now(m->clocks);
    case CLOCK_KIND_HOST:
        return clock_host_ns(CLOCK_REALTIME);
    case CLOCK_KIND_REALTIME:
    case CLOCK_KINDS:
        break;
    }
    return clock_host_ns(CLOCK_MONOTONIC);
}

/* --- the heap --- */

static Timer *clock_heap_at(const TimerHeap *h, unsigned i)
{
    return g_ptr_array_index(h->timers, i);
}

static void clock_heap_place(TimerHeap *h, unsigned i, Timer *t)
{
    g_ptr_array_index(h->timers, i) = t;
    t->heap_pos = i;
}

static void clock_heap_up(TimerHeap *h, Timer *t)
{
    unsigned i = t->heap_pos;

    while (i > 0 && clock_heap_at(h, (i - 1) / 2)->deadline > t->deadline) {
        clock_heap_place(h, i, clock_heap_at(h, (i - 1) / 2));
        i = (i - 1) / 2;
    }
    clock_heap_place(h, i, t);
}

static void clock_heap_down(TimerHeap *h, Timer *t)
{
    unsigned i = t->heap_pos, n = h->timers->len;

    for (;;) {
        unsigned child = 2 * i + 1;

        if (child + 1 < n &&
            clock_heap_at(h, child + 1)->deadline < clock_heap_at(h, child)->deadline) {
            child++;
        }
        if (child >= n || clock_heap_at(h, child)->deadline >= t->deadline) {
            break;
        }
        clock_heap_place(h, i, clock_heap_at(h, child));
        i = child;
    }
    clock_heap_place(h, i, t);
}

static void clock_heap_remove(TimerHeap *h, Timer *t)
{
    Timer *last = clock_heap_at(h, h->timers->len - 1);
    unsigned pos = t->heap_pos;

    g_ptr_array_set_size(h->timers, h->timers->len - 1);
    if (last != t) {
        clock_heap_place(h, pos, last);
        clock_heap_up(h, last);
        clock_heap_down(h, last);
    }
}

/* --- timers --- */

void timer_setup_plain(Timer *t, Machine *m, ClockKind kind, void (*fn)(void *), void *arg)
{
    *t = (Timer){ .machine = m, .fn = fn, .arg = arg, .kind = kind, .deadline = CLOCK_NEVER };
}

void timer_setup(Timer *t, void (*fn)(void *dev), void *dev)
{
    Device *owner = dev;

    timer_setup_plain(t, owner->machine, CLOCK_KIND_VIRTUAL, fn, dev);
    t->owner = owner;
}

/* The main loop reads the deadlines before it waits. It may be waiting already only if another
 * thread changes them. */
static void clock_wake_loop(void)
{
    if (!g_main_context_is_owner(NULL)) {
        g_main_context_wakeup(NULL);
    }
}

void timer_arm_at(Timer *t, int64_t deadline)
{
    ClockSet *c = t->machine->clocks;
    TimerHeap *h = &c->heaps[t->kind];

    if (deadline == CLOCK_NEVER) {
        timer_cancel(t);
        return;
    }
    if (!timer_armed(t)) {
        t->heap_pos = h->timers->len;
        g_ptr_array_add(h->timers, t);
    }
    t->deadline = deadline;
    clock_heap_up(h, t);
    clock_heap_down(h, t);
    if (c->source && t->heap_pos == 0) {
        clock_wake_loop();
    }
    if (c->wake && t->kind == CLOCK_KIND_VIRTUAL && t->heap_pos == 0) {
        c->wake(c->wake_opaque);
    }
}

void timer_arm_ns(Timer *t, uint64_t delay)
{
    int64_t now = clock_now_any(t->machine, t->kind);

    timer_arm_at(t, delay < (uint64_t)(CLOCK_NEVER - 1 - now) ? now + (int64_t)delay
                                                              : CLOCK_NEVER - 1);
}

void timer_cancel(Timer *t)
{
    if (timer_armed(t)) {
        clock_heap_remove(&t->machine->clocks->heaps[t->kind], t);
        t->deadline = CLOCK_NEVER;
    }
}

/* Call the function of a timer. A device that is on the call stack or unplugged is not entered; its
 * timer stays due and expires at the next turn. */
static bool timer_fire(Timer *t)
{
    Device *owner = t->owner;

    if (owner && !device_enter(owner)) {
        return false;
    }
    timer_cancel(t);
    if (owner) {
        device_pin_any(owner);
    }
    t->fn(t->arg);
    if (owner) {
        device_leave(owner);
        device_unpin_any(owner);
    }
    return true;
}

/* --- dispatch --- */

ClockSet *clocks_new(Machine *m)
{
    ClockSet *c = g_new0(ClockSet, 1);

    c->machine = m;
    for (unsigned i = 0; i < CLOCK_KINDS; i++) {
        c->heaps[i].timers = g_ptr_array_new();
    }
    return c;
}

void clocks_free(ClockSet *c)
{
    if (c->source) {
        g_source_destroy(c->source);
        g_source_unref(c->source);
    }
    for (unsigned i = 0; i < CLOCK_KINDS; i++) {
        for (unsigned j = 0; j < c->heaps[i].timers->len; j++) {
            clock_heap_at(&c->heaps[i], j)->deadline = CLOCK_NEVER;
        }
        g_ptr_array_free(c->heaps[i].timers, TRUE);
    }
    g_free(c);
}

void clocks_set_stepped(ClockSet *c)
{
    c->stepped = true;
    clock_virtual_set(c, false, 0, 0);
}

void clocks_set_wake(ClockSet *c, void (*wake)(void *opaque), void *opaque)
{
    c->wake = wake;
    c->wake_opaque = opaque;
}

void clocks_run_virtual(ClockSet *c, bool run)
{
    int64_t now = clock_virtual_now(c);

    if (!c->stepped && run != c->running) {
        clock_virtual_set(c, run, now - clock_host_ns(CLOCK_MONOTONIC), now);
        clock_wake_loop();
    }
}

void clocks_set_virtual(ClockSet *c, int64_t now)
{
    g_assert(!c->running);
    clock_virtual_set(c, false, 0, now);
}

int64_t clocks_deadline(const ClockSet *c, ClockKind kind)
{
    const TimerHeap *h = &c->heaps[kind];

    return h->timers->len ? clock_heap_at(h, 0)->deadline : CLOCK_NEVER;
}

/* Timers due at `now`, each at most once: one that re-arms in the past waits for the next call. */
static unsigned clock_dispatch_heap(TimerHeap *h, int64_t now)
{
    unsigned ran = 0;

    if (h->timers->len == 0 || clock_heap_at(h, 0)->deadline > now) {
        return 0;
    }
    for (unsigned budget = h->timers->len; budget > 0 && h->timers->len > 0; budget--) {
        Timer *t = clock_heap_at(h, 0);

        if (t->deadline > now || !timer_fire(t)) {
            break;
        }
        ran++;
    }
    return ran;
}

unsigned clocks_dispatch(ClockSet *c)
{
    unsigned ran = 0;

    for (unsigned kind = 0; kind < CLOCK_KINDS; kind++) {
        if (kind == CLOCK_KIND_VIRTUAL && (c->stepped || !c->running)) {
            continue;
        }
        ran += clock_dispatch_heap(&c->heaps[kind], clock_now_any(c->machine, kind));
    }
    return ran;
}

bool clocks_step_to(ClockSet *c, int64_t to)
{
    unsigned rounds = 0;

    if (to < c->stopped_at) {
        return false;
    }
    for (;;) {
        int64_t next = clocks_deadline(c, CLOCK_KIND_VIRTUAL);
        int64_t now = MAX(c->stopped_at, MIN(next, to));

        rounds = now == c->stopped_at ? rounds + 1 : 0;
        clock_virtual_set(c, false, 0, now);
        if (next > to || rounds > STEP_ROUNDS ||
            !clock_dispatch_heap(&c->heaps[CLOCK_KIND_VIRTUAL], now)) {
            break;
        }
    }
    clock_virtual_set(c, false, 0, to);
    return true;
}

/* --- the main loop's source --- */

int64_t clocks_wait_ns(const ClockSet *c)
{
    int64_t wait = CLOCK_NEVER;

    for (unsigned kind = 0; kind < CLOCK_KINDS; kind++) {
        int64_t deadline = clocks_deadline(c, kind);

        if (deadline == CLOCK_NEVER ||
            (kind == CLOCK_KIND_VIRTUAL && (c->stepped || !c->running))) {
            continue;
        }
        wait = MIN(wait, MAX(0, deadline - clock_now_any(c->machine, kind)));
    }
    return wait;
}

static gboolean clock_source_prepare(GSource *source, gint *timeout)
{
    int64_t wait = clocks_wait_ns(((ClockSource *)source)->clocks);

    *timeout = wait == CLOCK_NEVER ? -1 : (gint)MIN((wait + 999999) / 1000000, G_MAXINT);
    return wait == 0;
}

static gboolean clock_source_check(GSource *source)
{
    return clocks_wait_ns(((ClockSource *)source)->clocks) == 0;
}

static gboolean clock_source_dispatch(GSource *source, GSourceFunc fn, gpointer data)
{
    clocks_dispatch(((ClockSource *)source)->clocks);
    return G_SOURCE_CONTINUE;
}

void clocks_attach(ClockSet *c)
{
    static GSourceFuncs funcs = {
        clock_source_prepare, clock_source_check, clock_source_dispatch, NULL, NULL, NULL
    };

    c->source = g_source_new(&funcs, sizeof(ClockSource));
    ((ClockSource *)c->source)->clocks = c;
    g_source_attach(c->source, NULL);
}

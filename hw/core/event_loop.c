/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loops (contract in hw/core/event_loop.h).
 */
#include "hw/core/event_loop.h"

#include <poll.h>
#include <time.h>

#include "hw/core/clock.h"

enum {
    LOOP_FIRST_FDS = 16,
    LOOP_FIRST_POLL_NS = 4000,
    LOOP_DEFAULT_GROW = 2,
    LOOP_MOST_SKIPPED = 1023
};

static int64_t loop_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int loop_query(EventLoop *l, int priority, int *timeout)
{
    int n;

    if (!l->fds) {
        l->n_fds = LOOP_FIRST_FDS;
        l->fds = g_new(GPollFD, LOOP_FIRST_FDS);
    }
    while ((n = g_main_context_query(l->context, priority, timeout, l->fds, l->n_fds)) > l->n_fds) {
        l->n_fds = n * 2;
        l->fds = g_renew(GPollFD, l->fds, l->n_fds);
    }
    return n;
}

void event_loop_adapt(EventLoop *l, int64_t waited_ns)
{
    int64_t grow = l->poll_grow ? l->poll_grow : LOOP_DEFAULT_GROW;

    if (waited_ns <= l->poll_ns) {
        return;
    }
    if (waited_ns > l->poll_max_ns) {
        l->poll_ns = l->poll_shrink ? l->poll_ns / l->poll_shrink : 0;
    } else if (l->poll_ns == 0) {
        l->poll_ns = MIN(LOOP_FIRST_POLL_NS, l->poll_max_ns);
    } else {
        l->poll_ns = l->poll_ns > l->poll_max_ns / grow ? l->poll_max_ns : l->poll_ns * grow;
    }
}

/* Wait for `ns`; CLOCK_NEVER: without limit. */
static void loop_sleep(const EventLoop *l, int n, int64_t ns)
{
    struct timespec t = { ns / 1000000000, ns % 1000000000 };

    G_STATIC_ASSERT(sizeof(GPollFD) == sizeof(struct pollfd));
    ppoll((struct pollfd *)l->fds, (nfds_t)n, ns == CLOCK_NEVER ? NULL : &t, NULL);
}

/* Return for how long the next wait polls. */
static int64_t loop_poll_length(EventLoop *l, int64_t ns)
{
    if (l->skipped < l->skip) {
        l->skipped++;
        return 0;
    }
    l->skipped = 0;
    return MIN(l->poll_ns, ns);
}

static void loop_poll_and_sleep(EventLoop *l, int n, int64_t ns)
{
    int64_t start = loop_now_ns(), now = start, most = loop_poll_length(l, ns);

    while (now - start < most) {
        if (poll((struct pollfd *)l->fds, (nfds_t)n, 0) > 0) {
            l->skip = 0;
            event_loop_adapt(l, loop_now_ns() - start);
            return;
        }
        now = loop_now_ns();
    }
    if (most > 0) {
        l->skip = MIN(l->skip * 2 + 1, LOOP_MOST_SKIPPED);
    }
    loop_sleep(l, n, ns == CLOCK_NEVER ? ns : MAX(0, ns - (now - start)));
    event_loop_adapt(l, loop_now_ns() - start);
}

/* Wait until the timeout of GLib in milliseconds or the timer of the machine in nanoseconds,
 * whichever is earlier. */
static void loop_wait(EventLoop *l, int n, int timeout_ms, int64_t timer_ns)
{
    int64_t ns = timeout_ms < 0 ? CLOCK_NEVER : timeout_ms * INT64_C(1000000);

    ns = MIN(ns, timer_ns);
    if (l->poll_max_ns && ns > 0) {
        loop_poll_and_sleep(l, n, ns);
    } else {
        loop_sleep(l, n, ns);
    }
}

void event_loop_iterate(EventLoop *l)
{
    int priority, timeout, n;
    int64_t timer_ns;

    g_main_context_prepare(l->context, &priority);
    n = loop_query(l, priority, &timeout);
    timer_ns = l->timers ? clocks_wait_ns(l->machine->clocks) : CLOCK_NEVER;
    machine_unlock(l->machine);
    loop_wait(l, n, timeout, timer_ns);
    machine_lock(l->machine);
    if (g_main_context_check(l->context, priority, l->fds, n)) {
        g_main_context_dispatch(l->context);
    }
}

void event_loop_clear(EventLoop *l)
{
    g_clear_pointer(&l->fds, g_free);
}

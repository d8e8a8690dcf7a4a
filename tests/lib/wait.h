/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting in C tests. No other file of the C tests sleeps or evaluates a deadline.
 * tests/lib/waiting.py is the equivalent for Python.
 *
 * A limit is given in seconds of an idle machine. When it is reached, the speed of the machine is
 * measured, and the limit is extended accordingly. A wait that times out ends the program with a
 * message that contains the condition, its file and line, and the time waited.
 *
 *   WAIT_UNTIL (m->done == 3, 20) {
 *       g_main_context_iteration(NULL, FALSE);
 *   }
 */
#ifndef TESTS_LIB_WAIT_H
#define TESTS_LIB_WAIT_H

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <glib.h>

#define WAIT_MOST    20.0   /* upper bound of the slowdown factor */
#define WAIT_LOOP    400000 /* iterations of the calibration loop */
#define WAIT_SECONDS 0.0004 /* duration of the loop on an idle machine */

typedef struct Wait {
    const char *what, *where; /* the condition, and its file and line */
    gint64 begin;             /* microseconds of the monotonic clock */
    double seconds, limit;    /* the limit as given, and scaled to this machine */
} Wait;

static inline double wait_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Return the duration of the calibration loop relative to an idle reference machine; with
 * CLOCK_THREAD_CPUTIME_ID, without the time of other threads. */
static inline double wait_speed(clockid_t clock)
{
    double begin = wait_clock(clock);

    for (volatile unsigned i = 0; i < WAIT_LOOP; i++) {
    }
    return (wait_clock(clock) - begin) / WAIT_SECONDS;
}

/* Return the number of runnable threads per CPU: the maximum of now and the last minute. */
static inline double wait_load(void)
{
    double minute = 0, running = 0;
    cpu_set_t cpus;
    FILE *f = fopen("/proc/loadavg", "r");

    if (!f) {
        return 1;
    }
    if (fscanf(f, "%lf %*f %*f %lf/", &minute, &running) != 2) {
        running = 1;
    }
    fclose(f);
    return MAX(minute, running) /
           (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1);
}

/* Scale a limit for a function that accepts only a number: @seconds on an idle machine, times the
 * current slowdown, times $BACKPLANE_TIMEOUT_FACTOR (sanitizers, emulated hosts). A slow CPU and
 * other threads on it multiply. */
static inline double wait_scaled(double seconds)
{
    const char *given = g_getenv("BACKPLANE_TIMEOUT_FACTOR");
    double own = MAX(wait_speed(CLOCK_THREAD_CPUTIME_ID), 1);
    double slow = MIN(MAX(wait_speed(CLOCK_MONOTONIC), own * wait_load()), WAIT_MOST);

    return seconds * MAX(slow, 1) * (given && *given ? g_ascii_strtod(given, NULL) : 1);
}

/* Begin a wait of at most @seconds for @what. */
static inline Wait wait_begin(const char *what, const char *where, double seconds)
{
    return (Wait){ what, where, g_get_monotonic_time(), seconds, seconds };
}

/* Return true if the limit is reached. */
static inline bool wait_over(Wait *w)
{
    double passed = (double)(g_get_monotonic_time() - w->begin) / G_USEC_PER_SEC;

    if (passed > w->limit) {
        w->limit = MAX(w->limit, wait_scaled(w->seconds));
    }
    return passed > w->limit;
}

/* End the program if the limit is reached. */
static inline void wait_check(Wait *w)
{
    if (wait_over(w)) {
        g_error("%s: waited %.1f s for: %s (limit %g s, %.1f s on this machine)", w->where,
                (double)(g_get_monotonic_time() - w->begin) / G_USEC_PER_SEC, w->what, w->seconds,
                w->limit);
    }
}

/* Pause between two evaluations of a condition. Ends the program when the limit is reached. */
static inline void wait_turn(Wait *w)
{
    wait_check(w);
    if (g_get_monotonic_time() - w->begin > 300) {
        g_usleep(200);
    } else {
        sched_yield();
    }
}

/* Run the following block until the condition holds. The condition is evaluated first. */
#define WAIT_UNTIL(condition, seconds)                                                             \
    for (Wait wait_ = wait_begin(#condition, G_STRLOC, seconds); !(condition); wait_turn(&wait_))

static inline gboolean wait_tick(gpointer opaque)
{
    return G_SOURCE_CONTINUE;
}

/* Run one iteration of the default main context. It may block for at most 20 ms. */
static inline void wait_main(void)
{
    guint timer = g_timeout_add(20, wait_tick, NULL);

    g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
}

/* Iterate the default main context until the condition holds. The condition is evaluated first. */
#define WAIT_MAIN(condition, seconds)                                                              \
    for (Wait wait_ = wait_begin(#condition, G_STRLOC, seconds); !(condition);                     \
         wait_check(&wait_)) {                                                                     \
        wait_main();                                                                               \
    }

/* Evaluate to true if the condition holds within @seconds of an idle machine. For conditions that
 * may legitimately stay false. */
#define WAIT_WHETHER(condition, seconds)                                                           \
    __extension__({                                                                                \
        Wait wait_ = wait_begin(#condition, G_STRLOC, seconds);                                    \
        bool holds_;                                                                               \
        while (!(holds_ = (condition)) && !wait_over(&wait_)) {                                    \
            g_usleep(200);                                                                         \
        }                                                                                          \
        holds_;                                                                                    \
    })

/* Wait until @fd is readable or its peer closed the connection. */
static inline void wait_readable(int fd, const char *what, double seconds)
{
    struct pollfd p = { fd, POLLIN, 0 };
    Wait w = wait_begin(what, "wait_readable", seconds);
    int n;

    while ((n = poll(&p, 1, 50)) <= 0) {
        g_assert_true(n == 0 || errno == EINTR);
        wait_turn(&w);
    }
}

/* Let time pass, either because time itself is the stimulus or to observe that nothing happens.
 * Never use this to wait for an event, which requires a condition. @why states the purpose. */
static inline void wait_elapse(unsigned us, const char *why)
{
    g_assert_nonnull(why);
    g_usleep(us);
}

/* Iterate the default main context until it was idle for 50 iterations, 200 us apart. Everything
 * that sockets and threads of this process handed over has then arrived. Iterations are counted
 * instead of time, so that a process that does not get CPU time does not mistake this for an idle
 * context. A source that is always ready delays the return for at most 5000 iterations. */
static inline void wait_quiet(void)
{
    for (unsigned turn = 0, idle = 0; idle < 50 && turn < 5000; turn++) {
        if (g_main_context_iteration(NULL, FALSE)) {
            idle = 0;
        } else {
            idle++;
            g_usleep(200);
        }
    }
}

/* Run the following block for @ms milliseconds, with a pause of 200 us after each iteration: to
 * observe that nothing happens, or what happens in that time. */
#define WAIT_DURING(ms)                                                                            \
    for (gint64 wait_end_ = g_get_monotonic_time() + ((ms)*1000);                                  \
         g_get_monotonic_time() < wait_end_; g_usleep(200))

#endif

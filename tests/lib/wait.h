/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting in C tests; the only file of them that sleeps or looks at a deadline.
 * tests/lib/waiting.py is the same for Python.
 *
 * A limit is given in seconds of an idle machine. When it is reached, the machine is measured and
 * the limit grows with how slow it is. A wait that runs out ends the program with a message that
 * names the condition, its place and the time waited.
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

#include <glib.h>

#define WAIT_MOST    20.0   /* no machine is taken to be slower than this */
#define WAIT_LOOP    400000 /* turns of a loop, and the seconds they take on an idle machine */
#define WAIT_SECONDS 0.0004

typedef struct Wait {
    const char *what, *where; /* the condition, its file and line */
    gint64 begin;             /* microseconds of the monotonic clock */
    double seconds, limit;    /* as given; on this machine */
} Wait;

/* How many times longer than on an idle reference machine a short loop takes now. */
static inline double wait_speed(void)
{
    gint64 begin = g_get_monotonic_time();

    for (volatile unsigned i = 0; i < WAIT_LOOP; i++) {
    }
    return (double)(g_get_monotonic_time() - begin) / (WAIT_SECONDS * G_USEC_PER_SEC);
}

/* Threads that want to run, for each CPU, now or in the last minute. */
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

/* A limit for a function that can only be given a number: `seconds` of an idle machine, times how
 * slow this one is now, times $BACKPLANE_TIMEOUT_FACTOR (sanitizers, emulated hosts). */
static inline double wait_scaled(double seconds)
{
    const char *given = g_getenv("BACKPLANE_TIMEOUT_FACTOR");
    double slow = MIN(MAX(wait_speed(), wait_load()), WAIT_MOST);

    return seconds * MAX(slow, 1) * (given && *given ? g_ascii_strtod(given, NULL) : 1);
}

/* Begin a wait of at most @seconds for @what. */
static inline Wait wait_begin(const char *what, const char *where, double seconds)
{
    return (Wait){ what, where, g_get_monotonic_time(), seconds, seconds };
}

/* Whether the limit is reached. */
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

/* Pause between two looks at a condition; ends the program when the limit is reached. */
static inline void wait_turn(Wait *w)
{
    wait_check(w);
    if (g_get_monotonic_time() - w->begin > 300) {
        g_usleep(200);
    } else {
        sched_yield();
    }
}

/* Run the block that follows until the condition holds, looking first. */
#define WAIT_UNTIL(condition, seconds)                                                             \
    for (Wait wait_ = wait_begin(#condition, G_STRLOC, seconds); !(condition); wait_turn(&wait_))

static inline gboolean wait_tick(gpointer opaque)
{
    return G_SOURCE_CONTINUE;
}

/* One turn of the default main context, which may block, but not for longer than 20 ms. */
static inline void wait_main(void)
{
    guint timer = g_timeout_add(20, wait_tick, NULL);

    g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
}

/* Turn the default main context until the condition holds, looking first. */
#define WAIT_MAIN(condition, seconds)                                                              \
    for (Wait wait_ = wait_begin(#condition, G_STRLOC, seconds); !(condition);                     \
         wait_check(&wait_)) {                                                                     \
        wait_main();                                                                               \
    }

/* Whether the condition comes to hold within @seconds of an idle machine; for what may not. */
#define WAIT_WHETHER(condition, seconds)                                                           \
    __extension__({                                                                                \
        Wait wait_ = wait_begin(#condition, G_STRLOC, seconds);                                    \
        bool holds_;                                                                               \
        while (!(holds_ = (condition)) && !wait_over(&wait_)) {                                    \
            g_usleep(200);                                                                         \
        }                                                                                          \
        holds_;                                                                                    \
    })

/* Wait until @fd has something to read, or its peer hung up. */
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

/* Let time pass because time itself is the stimulus, or to see that nothing happens in it. Never to
 * wait for something: that takes a condition. @why says what the time is for. */
static inline void wait_elapse(unsigned us, const char *why)
{
    g_assert_nonnull(why);
    g_usleep(us);
}

/* Turn the default main context until it had nothing to do in 50 turns, 200 us apart: what sockets
 * and threads of this process hand over has then arrived. Counts turns, not time, so that a process
 * that gets no CPU does not take its own absence for silence. A source that is always ready does
 * not hold it up for more than 5000 turns. */
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

/* Run the block that follows for @ms milliseconds, with a pause of 200 us after each turn: to see
 * that nothing happens, or what happens in that time. */
#define WAIT_DURING(ms)                                                                            \
    for (gint64 wait_end_ = g_get_monotonic_time() + ((ms) * 1000);                                   \
         g_get_monotonic_time() < wait_end_; g_usleep(200))

#endif

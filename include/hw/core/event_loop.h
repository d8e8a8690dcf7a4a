/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loops: a thread that iterates a GLib context and holds the machine lock except while it
 * waits. The main loop is one, and every I/O thread (hw/core/host_iothread.c) is another.
 *
 * The callbacks of all sources therefore run with the lock held, one at a time in the process.
 *
 * Before a loop sleeps it may poll for events, which saves the time that the host needs to wake a
 * thread. The time of polling adapts: it grows while events arrive soon after its end, and shrinks
 * when no event arrives for longer than the limit.
 */
#ifndef HW_CORE_EVENT_LOOP_H
#define HW_CORE_EVENT_LOOP_H

#include "hw/core/machine.h"

typedef struct EventLoop {
    Machine *machine;
    GMainContext *context; /* borrowed; the thread owns it while it iterates */
    bool timers;           /* expired timers of the machine end the wait: the main loop */
    /* Polling. poll_max_ns 0: none; poll_grow 0: as 2; poll_shrink 0: as a divisor without limit.
     */
    int64_t poll_max_ns, poll_grow, poll_shrink;
    int64_t poll_ns; /* now */
    /* Waits without polling after polls without an event: the CPU that they used is missing
     * elsewhere. */
    unsigned skip, skipped;
    GPollFD *fds; /* private, as n_fds */
    int n_fds;
} EventLoop;

/**
 * event_loop_iterate() - Wait for events, and dispatch their sources.
 *
 * The calling thread holds the machine lock and has acquired the context. The lock is released
 * while it waits.
 */
void event_loop_iterate(EventLoop *l);

/** event_loop_adapt() - Choose the next time of polling after a wait of @waited_ns, polling
 * included. */
void event_loop_adapt(EventLoop *l, int64_t waited_ns);

/** event_loop_clear() - Free what event_loop_iterate() allocated. */
void event_loop_clear(EventLoop *l);

#endif

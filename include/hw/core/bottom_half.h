/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves: work of a device that continues on an event loop, the main loop or that of an I/O
 * thread.
 *
 * A device whose work exceeds the budget of one access schedules a bottom half. The loop runs its
 * scheduled ones in turn, inside the re-entrancy guards of their devices, for about a millisecond
 * before it serves its other sources again (monitors, timers, back ends). A bottom half
 * that schedules itself again runs after all others. It does not run while the machine is stopped:
 * it stays scheduled and is not saved, and a device finds its remaining work when the machine runs
 * again.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_BOTTOM_HALF_H
#define HW_CORE_BOTTOM_HALF_H

#include "hw/core/device.h"

typedef struct BottomHalf {
    Device *owner;
    void (*fn)(void *arg);
    void *arg;
    struct BottomHalves *set; /* private */
    GList link;               /* private; in the queue of the loop while scheduled */
    bool scheduled;
} BottomHalf;

/* Initialise a bottom half. fn(arg) is called inside the owner's guard. @context: of the event loop
 * (hw/core/event_loop.h); NULL: the main loop. */
void bottom_half_setup(BottomHalf *b, GMainContext *context, Device *owner, void (*fn)(void *arg),
                       void *arg);
/* Request one call from the event loop. No effect if it is scheduled already. */
void bottom_half_schedule(BottomHalf *b);
/* Undo bottom_half_schedule(). Safe on one that is not scheduled or is zeroed. Required before the
 * owner is freed. */
void bottom_half_cancel(BottomHalf *b);

/* A number that changes with each turn of the event loop of a bottom half. */
unsigned bottom_half_round(const BottomHalf *b);

/* Call the bottom halves of the main loop that are scheduled, each at most once. Return true if
 * there was one. For a thread that completes the work of devices instead of the main loop. */
bool bottom_halves_run(Machine *m);

/* --- for machine.c and host_iothread.c --- */
/* Free the queues of a machine, or the one of a loop that ends. None is scheduled. */
void bottom_halves_free(Machine *m);
void bottom_halves_free_context(Machine *m, const GMainContext *context);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves: work of a device that continues on the main loop.
 *
 * A device whose work exceeds the budget of one access schedules a bottom half. The main loop runs
 * the scheduled ones in turn, inside the re-entrancy guards of their devices, for about a
 * millisecond before it serves its other sources again (monitors, timers, back ends). A bottom half
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
    GList link; /* private; in the machine's queue while scheduled */
    bool scheduled;
} BottomHalf;

/* Initialise a bottom half. fn(arg) is called inside the owner's guard. */
void bottom_half_setup(BottomHalf *b, Device *owner, void (*fn)(void *arg), void *arg);
/* Request one call from the main loop. No effect if it is scheduled already. */
void bottom_half_schedule(BottomHalf *b);
/* Undo bottom_half_schedule(). Safe on one that is not scheduled or is zeroed. Required before the
 * owner is freed. */
void bottom_half_cancel(BottomHalf *b);

/* A number that changes with each turn of the main loop after the first bottom_half_setup() of the
 * machine. */
unsigned bottom_half_round(Machine *m);

/* Call the bottom halves that are scheduled, each at most once. Return true if there was one. For a
 * thread that completes the work of devices instead of the
 * main loop. */
bool bottom_halves_run(Machine *m);

/* --- for machine.c --- */
/* Free the queue of a machine without scheduled bottom halves. */
void bottom_halves_free(Machine *m);

#endif

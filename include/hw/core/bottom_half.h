/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves: work of a device that continues on the main loop.
 *
 * A device that has more to do than one access may take schedules a bottom half. The main loop
 * runs the scheduled ones in turn, inside their devices' re-entrancy guard, for at most about a
 * millisecond before it looks at its other sources again (monitors, timers, back ends). One that
 * schedules itself again runs after all others. A bottom half does not run while the machine is
 * stopped: it stays scheduled, is not saved, and a device finds its work again when the machine
 * runs.
 *
 * Machine lock for everything in this file.
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

/* fn is called with arg, inside the owner's guard. */
void bottom_half_setup(BottomHalf *b, Device *owner, void (*fn)(void *arg), void *arg);
/* Run once from the main loop. No-op if scheduled already. */
void bottom_half_schedule(BottomHalf *b);
/* Safe on one that is not scheduled, or was never set up (zeroed). Required before the owner is
 * freed. */
void bottom_half_cancel(BottomHalf *b);

/* A number that changes with each turn of the main loop, from the first bottom_half_setup() of
 * the machine on. */
unsigned bottom_half_round(Machine *m);

/* --- for machine.c --- */
void bottom_halves_free(Machine *m);

#endif

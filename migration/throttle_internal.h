/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slowing the guest down (auto-converge): its CPUs run in short slices and are held in between,
 * for as long as makes the share wanted. The main loop, and with it the stream, goes on.
 * Machine lock.
 */
#ifndef MIGRATION_THROTTLE_H
#define MIGRATION_THROTTLE_H

#include "hw/core/machine.h"

#define THROTTLE_SLICE_MS 5

typedef struct Throttle {
    Machine *machine;
    unsigned percent; /* of the time that the CPUs are held; 0: not at all */
    unsigned timer;   /* GSource id; 0 while percent is 0 */
    int64_t since;    /* monotonic us: when it held or let go */
    bool held;
} Throttle;

/* percent below 100; 0 lets go at once. The first call needs `machine` set and the rest zero. */
void throttle_set(Throttle *t, unsigned percent);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throttling of the guest (auto-converge). The guest's CPUs run in short slices and are held in
 * between; the length of the hold determines their share of the time. The main loop, which sends
 * the stream, is not throttled.
 *
 * All functions require the machine lock.
 */
#ifndef MIGRATION_THROTTLE_H
#define MIGRATION_THROTTLE_H

#include "hw/core/machine.h"

#define THROTTLE_SLICE_MS 5

typedef struct Throttle {
    Machine *machine;
    unsigned percent; /* share of the time for which the CPUs are held; 0: not at all */
    unsigned timer;   /* GSource id; 0 while percent is 0 */
    int64_t since;    /* monotonic us: when the CPUs were held or released last */
    bool held;
} Throttle;

/* Hold the CPUs for that share of the time; at most 99 percent. 0 releases the CPUs immediately.
 * Before the first call, t->machine must be set and all other members zero. */
void throttle_set(Throttle *t, unsigned percent);

#endif

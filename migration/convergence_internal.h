/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decides after each pass over RAM whether the source stops the guest for the last one, and how far
 * it is slowed down until then (auto-converge).
 *
 * All functions require the machine lock.
 */
#ifndef MIGRATION_CONVERGENCE_INTERNAL_H
#define MIGRATION_CONVERGENCE_INTERNAL_H

#include "migration/internal.h"
#include "migration/throttle_internal.h"

typedef struct Convergence {
    Migration *mig;
    Throttle throttle;
    unsigned tries, stuck; /* passes whose rest fits downtime-limit; those that did not shrink */
    bool warned;           /* the message about devices that exceed downtime-limit was printed */
} Convergence;

/* Prepare a zeroed structure. convergence_end() undoes it. */
void convergence_init(Convergence *c, Migration *mig);
/* Release the CPUs if they are throttled. May be called several times. */
void convergence_end(Convergence *c);
/* Throttle the guest further if it writes faster than the channel transports. @passes: the number
 * of passes so far; @sent: bytes that the last one sent; @dirty: bytes that became dirty meanwhile.
 */
void convergence_throttle(Convergence *c, uint64_t passes, uint64_t sent, uint64_t dirty);
/* Return true if the guest is to be stopped for the @left bytes that are dirty after a pass over
 * @before bytes. mig->stats.bandwidth must not be 0. */
bool convergence_reached(Convergence *c, uint64_t left, uint64_t before);

#endif

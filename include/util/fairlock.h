/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex that no thread waits for without bound.
 *
 * An ordinary mutex can be taken again by the thread that just released it, before a thread that
 * waits for it has woken up, and this can repeat without bound. Here a thread that releases the
 * lock hands it to the first waiter if that one has waited for FAIR_LOCK_PATIENCE_US; waiters
 * are served in the order of their requests. A shorter wait does not cause a hand-over, because the
 * lock is unused until the waiter runs, which on a loaded host costs more than it helps. Without
 * contention taking and releasing cost one atomic operation each.
 *
 * All functions may be called from any thread. The lock is not recursive.
 */
#ifndef UTIL_FAIRLOCK_H
#define UTIL_FAIRLOCK_H

#include <glib.h>
#include <stdbool.h>

#define FAIR_LOCK_PATIENCE_US 1000

typedef struct FairLockWaiter FairLockWaiter;

/* All members are private. */
typedef struct FairLock {
    int held;    /* atomic: 1 while a thread owns the lock */
    int waiters; /* atomic: threads in the queue; written with guard held */
    GMutex guard;
    FairLockWaiter *first, *last; /* the queue; guard */
} FairLock;

/* Initialize a lock that no thread owns. Undone by fair_lock_clear(). */
void fair_lock_init(FairLock *l);

/* Free what the lock uses. No thread may own it or wait for it. */
void fair_lock_clear(FairLock *l);

/* Take the lock. The wait ends at the latest FAIR_LOCK_PATIENCE_US after the request, plus one turn
 * of the owner and of each thread that requested the lock earlier. */
void fair_lock_lock(FairLock *l);

/* Take the lock if that is possible without waiting. Returns false, without effect, if a thread
 * owns the lock or waits for it. */
bool fair_lock_trylock(FairLock *l);

/* Release the lock. The caller must own it. The first waiter owns it when this returns, if it has
 * waited for FAIR_LOCK_PATIENCE_US. */
void fair_lock_unlock(FairLock *l);

#endif

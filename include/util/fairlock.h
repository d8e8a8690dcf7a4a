/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex that is granted in the order of requests.
 *
 * An ordinary mutex can be taken again by the thread that just released it, before a thread that
 * waits for it has woken up. Two threads that take it in quick succession can therefore keep a
 * third one out for an unbounded time. Here the releasing thread hands the lock to the first
 * waiter, so a thread waits for at most one turn of each of the others. Without contention taking
 * and releasing cost one atomic operation each.
 *
 * All functions may be called from any thread. The lock is not recursive.
 */
#ifndef UTIL_FAIRLOCK_H
#define UTIL_FAIRLOCK_H

#include <glib.h>
#include <stdbool.h>

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

/* Take the lock; waits until every thread that requested it earlier has released it. */
void fair_lock_lock(FairLock *l);

/* Take the lock if that is possible at once. Returns false, without effect, if a thread owns the
 * lock or waits for it. */
bool fair_lock_trylock(FairLock *l);

/* Release the lock. The caller must own it. The first waiter owns it when this returns. */
void fair_lock_unlock(FairLock *l);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex that no thread waits for without bound (contract in util/fairlock.h).
 *
 * A thread that finds the lock taken increments `waiters` and then reads `held` again. A thread
 * that releases the lock clears `held` and then reads `waiters` again. All four accesses are
 * sequentially consistent, including the read of a compare-and-exchange that fails, so that at
 * least one of the two threads observes the other and no request is lost.
 */
#include "util/fairlock.h"

struct FairLockWaiter {
    GCond cond;
    bool granted;
    bool woken;   /* signalled, and has not tried to take the lock since */
    gint64 since; /* monotonic us: when the request was made */
    FairLockWaiter *next;
};

void fair_lock_init(FairLock *l)
{
    *l = (FairLock){ 0 };
    g_mutex_init(&l->guard);
}

void fair_lock_clear(FairLock *l)
{
    g_assert(!l->first);
    g_mutex_clear(&l->guard);
}

static bool fair_lock_take_free(FairLock *l)
{
    int free = 0;

    return __atomic_compare_exchange_n(&l->held, &free, 1, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

bool fair_lock_trylock(FairLock *l)
{
    return __atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST) == 0 && fair_lock_take_free(l);
}

/* The first waiter has the lock. Guard. */
static void fair_lock_dequeue(FairLock *l)
{
    FairLockWaiter *w = l->first;

    l->first = w->next;
    if (!l->first) {
        l->last = NULL;
    }
    __atomic_sub_fetch(&l->waiters, 1, __ATOMIC_SEQ_CST);
    w->granted = true;
}

/* Wait in the queue until the lock is granted. Guard. */
static void fair_lock_wait(FairLock *l, FairLockWaiter *w)
{
    g_cond_init(&w->cond);
    if (l->last) {
        l->last->next = w;
    } else {
        l->first = w;
    }
    l->last = w;
    while (!w->granted) {
        g_cond_wait(&w->cond, &l->guard);
        w->woken = false;
        if (!w->granted && l->first == w && fair_lock_take_free(l)) {
            fair_lock_dequeue(l);
        }
    }
    g_cond_clear(&w->cond);
}

void fair_lock_lock(FairLock *l)
{
    FairLockWaiter w = { .granted = false };

    if (fair_lock_take_free(l)) {
        return;
    }
    g_mutex_lock(&l->guard);
    __atomic_add_fetch(&l->waiters, 1, __ATOMIC_SEQ_CST);
    if (fair_lock_take_free(l)) {
        __atomic_sub_fetch(&l->waiters, 1, __ATOMIC_SEQ_CST);
    } else {
        w.since = g_get_monotonic_time();
        fair_lock_wait(l, &w);
    }
    g_mutex_unlock(&l->guard);
}

void fair_lock_unlock(FairLock *l)
{
    FairLockWaiter *w;

    if (__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST) == 0) {
        __atomic_store_n(&l->held, 0, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&l->waiters, __ATOMIC_SEQ_CST) == 0) {
            return;
        }
        g_mutex_lock(&l->guard);
    } else {
        g_mutex_lock(&l->guard);
        w = l->first;
        if (w && g_get_monotonic_time() - w->since >= FAIR_LOCK_PATIENCE_US) {
            fair_lock_dequeue(l);
            g_cond_signal(&w->cond);
            g_mutex_unlock(&l->guard);
            return;
        }
        __atomic_store_n(&l->held, 0, __ATOMIC_SEQ_CST);
    }
    w = l->first;
    if (w && !w->woken) {
        w->woken = true;
        g_cond_signal(&w->cond);
    }
    g_mutex_unlock(&l->guard);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fair lock excludes, loses no request, and lets waiters in, in the order of their requests. */
#include "util/fairlock.h"
#include "tests/lib/wait.h"

enum { ROUNDS = 20000, THREADS = 4 };

typedef struct Shared {
    FairLock lock;
    unsigned count; /* lock */
    unsigned order; /* lock: decimal digits: the threads in the order in which they had the lock */
} Shared;

static gpointer count_thread(gpointer opaque)
{
    Shared *s = opaque;

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 3 || !fair_lock_trylock(&s->lock)) {
            fair_lock_lock(&s->lock);
        }
        s->count++;
        fair_lock_unlock(&s->lock);
    }
    return NULL;
}

static void test_exclusion(void)
{
    GThread *threads[THREADS];
    Shared s = { .count = 0 };

    fair_lock_init(&s.lock);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("count", count_thread, &s);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(s.count, ==, THREADS * ROUNDS);
    g_assert_true(fair_lock_trylock(&s.lock));
    g_assert_false(fair_lock_trylock(&s.lock));
    fair_lock_unlock(&s.lock);
    fair_lock_clear(&s.lock);
}

typedef struct Waiter {
    Shared *shared;
    unsigned number;
} Waiter;

static gpointer wait_thread(gpointer opaque)
{
    Waiter *w = opaque;

    fair_lock_lock(&w->shared->lock);
    w->shared->order = w->shared->order * 10 + w->number;
    fair_lock_unlock(&w->shared->lock);
    return NULL;
}

/* The owner requests the lock again as soon as it has released it: threads that have waited for
 * FAIR_LOCK_PATIENCE_US get it first, in the order of their requests. With an ordinary mutex the
 * owner would get it. */
static void test_order(void)
{
    Shared s = { .count = 0 };
    Waiter waiters[THREADS];
    GThread *threads[THREADS];

    fair_lock_init(&s.lock);
    fair_lock_lock(&s.lock);
    for (unsigned i = 0; i < THREADS; i++) {
        waiters[i] = (Waiter){ &s, i + 1 };
        threads[i] = g_thread_new("wait", wait_thread, &waiters[i]);
        WAIT_UNTIL (__atomic_load_n(&s.lock.waiters, __ATOMIC_SEQ_CST) == (int)i + 1, 10) {
        }
        g_mutex_lock(&s.lock.guard); /* the time of the request is recorded before this */
        g_mutex_unlock(&s.lock.guard);
    }
    g_assert_false(fair_lock_trylock(&s.lock));
    wait_elapse(2 * FAIR_LOCK_PATIENCE_US, "all of them have waited for FAIR_LOCK_PATIENCE_US");
    fair_lock_unlock(&s.lock);
    fair_lock_lock(&s.lock);
    g_assert_cmpuint(s.order, ==, 1234);
    fair_lock_unlock(&s.lock);
    for (unsigned i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
    fair_lock_clear(&s.lock);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fairlock/exclusion", test_exclusion);
    g_test_add_func("/fairlock/order", test_order);
    return g_test_run();
}

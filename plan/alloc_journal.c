/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions of the address allocator: a journal of changes, undone in reverse order.
 */
#include "plan/alloc_internal.h"

typedef enum JournalKind {
    JOURNAL_ATTACHED,
    JOURNAL_DETACHED,
    JOURNAL_POOL_ADDED,
    JOURNAL_POOL_REMOVED,
    JOURNAL_POOL_CHANGED,
} JournalKind;

typedef struct JournalEntry {
    JournalKind kind;
    uint8_t views, closes, order;
    uint64_t first, count;
    char *name;     /* of an owner, owned */
    PlanPool *pool; /* owned if it was removed */
} JournalEntry;

static void journal_holder(PlanAlloc *a, JournalKind kind, const PlanHolder *holder, unsigned views)
{
    if (a->journal) {
        JournalEntry e = {
            .kind = kind,
            .views = (uint8_t)views,
            .order = holder->order,
            .first = holder->first,
            .count = holder->count,
            .name = g_strdup(holder->name),
        };

        g_array_append_val(a->journal, e);
    }
}

static void journal_pool(PlanAlloc *a, JournalKind kind, PlanPool *pool, unsigned views)
{
    if (a->journal) {
        JournalEntry e = { .kind = kind, .views = (uint8_t)views, .pool = pool };

        g_array_append_val(a->journal, e);
    }
}

void plan_journal_attached(PlanAlloc *a, const PlanHolder *holder, unsigned views)
{
    journal_holder(a, JOURNAL_ATTACHED, holder, views);
}

void plan_journal_detached(PlanAlloc *a, const PlanHolder *holder, unsigned views)
{
    journal_holder(a, JOURNAL_DETACHED, holder, views);
}

void plan_journal_set_opened(PlanAlloc *a, unsigned opened)
{
    if (a->journal) {
        g_array_index(a->journal, JournalEntry, a->journal->len - 1).closes = (uint8_t)opened;
    }
}

bool plan_journal_room(const PlanAlloc *a, GError **err)
{
    return !a->journal || a->journal->len < ALLOC_JOURNAL_MAX ||
           plan_fail(err, "a transaction of a set of %s addresses has at most %d changes",
                     a->type->name, ALLOC_JOURNAL_MAX);
}

void plan_journal_pool_added(PlanAlloc *a, PlanPool *pool)
{
    journal_pool(a, JOURNAL_POOL_ADDED, pool, 0);
}

void plan_journal_pool_removed(PlanAlloc *a, PlanPool *pool)
{
    if (!a->journal) {
        g_free(pool);
    }
    journal_pool(a, JOURNAL_POOL_REMOVED, pool, 0);
}

void plan_journal_pool_changed(PlanAlloc *a, PlanPool *pool, unsigned views_before)
{
    journal_pool(a, JOURNAL_POOL_CHANGED, pool, views_before);
}

static void journal_entry_clear(JournalEntry *e)
{
    g_free(e->name);
    if (e->kind == JOURNAL_POOL_REMOVED) {
        g_free(e->pool);
    }
}

void plan_journal_free(PlanAlloc *a)
{
    for (guint i = 0; a->journal && i < a->journal->len; i++) {
        journal_entry_clear(&g_array_index(a->journal, JournalEntry, i));
    }
    if (a->journal) {
        g_array_free(a->journal, TRUE);
        a->journal = NULL;
    }
}

static void journal_undo(PlanAlloc *a, JournalEntry *e)
{
    switch (e->kind) {
    case JOURNAL_ATTACHED:
        plan_alloc_detach(a, plan_alloc_hold(a, e->name, e->first, e->count, e->order), e->views);
        break;
    case JOURNAL_DETACHED:
        plan_alloc_attach(a, plan_alloc_hold(a, e->name, e->first, e->count, e->order), e->views,
                          e->closes);
        break;
    case JOURNAL_POOL_ADDED:
        plan_alloc_pool_leave(a, e->pool);
        g_free(e->pool);
        break;
    case JOURNAL_POOL_REMOVED:
        plan_alloc_pool_enter(a, e->pool);
        e->pool = NULL;
        break;
    case JOURNAL_POOL_CHANGED:
        plan_alloc_pool_change(a, e->pool, e->views);
        break;
    }
}

bool plan_alloc_begin(PlanAlloc *a, GError **err)
{
    if (a->journal) {
        return plan_fail(err, "a transaction of the set of %s addresses is open", a->type->name);
    }
    a->journal = g_array_new(FALSE, FALSE, sizeof(JournalEntry));
    return true;
}

static bool journal_expect(const PlanAlloc *a, GError **err)
{
    return a->journal ||
           plan_fail(err, "no transaction of the set of %s addresses is open", a->type->name);
}

bool plan_alloc_commit(PlanAlloc *a, GError **err)
{
    if (!journal_expect(a, err)) {
        return false;
    }
    plan_journal_free(a);
    return true;
}

bool plan_alloc_rollback(PlanAlloc *a, GError **err)
{
    if (!journal_expect(a, err)) {
        return false;
    }
    for (guint i = a->journal->len; i-- > 0;) {
        journal_undo(a, &g_array_index(a->journal, JournalEntry, i));
    }
    plan_journal_free(a);
    return true;
}

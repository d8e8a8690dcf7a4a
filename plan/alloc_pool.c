/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools of the address allocator: which addresses exist, in which views.
 */
#include "plan/alloc_internal.h"

PlanPool *plan_alloc_pool_at(const PlanAlloc *a, uint64_t addr)
{
    PlanSpan s;

    return plan_span_find(&a->pool_rows, addr, &s) ? s.data : NULL;
}

bool plan_range_check(const PlanAddrType *type, const PlanAddrRange *range, GError **err)
{
    for (unsigned i = 0; i < type->n_dims; i++) {
        uint64_t max = (1ull << type->dim[i].width) - 1;

        if (range->lo[i] > range->hi[i] || range->hi[i] > max) {
            return plan_fail(err,
                             "the range %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " of %s in "
                             "address type '%s' must ascend and end at %" G_GUINT64_FORMAT
                             " or below",
                             range->lo[i], range->hi[i], type->dim[i].name, type->name, max);
        }
    }
    return true;
}

/* Change the free addresses of a pool in one view mask: add them, or remove them. */
static void pool_set_free(PlanAlloc *a, PlanPool *pool, unsigned mask, bool add)
{
    for (unsigned i = 0; i < a->n_orders; i++) {
        PlanSpanTree *t = &a->free[mask][i];
        PlanKeyBox box;

        plan_key_box(&a->order[i], &pool->range, &box);
        for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[i], &box, at, &lo, &hi); at = hi + 1) {
            if (add) {
                plan_span_add(t, lo, hi, pool);
            } else {
                plan_span_cut(t, lo, hi);
            }
        }
    }
}

/* Remove the addresses of one row that have owners or are unavailable from the free ones. */
static void pool_row_settle(PlanAlloc *a, uint64_t lo, uint64_t hi)
{
    PlanSpan s;

    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        for (uint64_t at = lo; plan_span_next(&a->held[v], at, 1, &s) && s.lo <= hi;
             at = s.hi + 1) {
            plan_alloc_refresh(a, MAX(s.lo, lo), MIN(s.hi, hi));
        }
        for (uint64_t at = lo; plan_span_next(&a->closed[v], at, 1, &s) && s.lo <= hi;
             at = s.hi + 1) {
            plan_alloc_refresh(a, MAX(s.lo, lo), MIN(s.hi, hi));
        }
    }
}

void plan_alloc_pool_change(PlanAlloc *a, PlanPool *pool, unsigned views)
{
    unsigned before = pool->views;
    PlanKeyBox box;

    pool->views = views;
    for (unsigned mask = 1; mask <= a->views; mask++) {
        bool was = (mask & ~before) == 0, is = (mask & ~views) == 0;

        if (was != is) {
            pool_set_free(a, pool, mask, is);
        }
    }
    if ((views & ~before) == 0) {
        return;
    }
    plan_key_box(&a->order[0], &pool->range, &box);
    for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[0], &box, at, &lo, &hi); at = hi + 1) {
        pool_row_settle(a, lo, hi);
    }
}

void plan_alloc_pool_enter(PlanAlloc *a, PlanPool *pool)
{
    unsigned views = pool->views;
    PlanKeyBox box;

    plan_key_box(&a->order[0], &pool->range, &box);
    for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[0], &box, at, &lo, &hi); at = hi + 1) {
        plan_span_insert(&a->pool_rows, lo, hi, pool);
    }
    a->rows += pool->rows;
    g_hash_table_insert(a->pools, GUINT_TO_POINTER(pool->id), pool);
    pool->views = 0;
    plan_alloc_pool_change(a, pool, views);
}

void plan_alloc_pool_leave(PlanAlloc *a, PlanPool *pool)
{
    unsigned views = pool->views;
    PlanKeyBox box;

    plan_alloc_pool_change(a, pool, 0);
    pool->views = views;
    plan_key_box(&a->order[0], &pool->range, &box);
    for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[0], &box, at, &lo, &hi); at = hi + 1) {
        plan_span_remove(&a->pool_rows, lo);
    }
    a->rows -= pool->rows;
    g_hash_table_remove(a->pools, GUINT_TO_POINTER(pool->id));
}

/* Return the number of separate ranges in all orders; 0 with @err set if there are too many. */
static uint64_t pool_count_rows(const PlanAlloc *a, const PlanAddrRange *range, GError **err)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < a->n_orders; i++) {
        PlanKeyBox box;
        uint64_t rows;

        plan_key_box(&a->order[i], range, &box);
        rows = plan_key_rows(&a->order[i], &box, PLAN_ALLOC_ROWS);
        if (rows > PLAN_ALLOC_ROWS) {
            g_autofree char *text = plan_range_format(a->type, range);

            plan_fail(err,
                      "the %s addresses %s consist of more than %d separate ranges in order %u",
                      a->type->name, text, PLAN_ALLOC_ROWS, i);
            return 0;
        }
        all += rows;
    }
    if (a->rows + all > PLAN_ALLOC_TOTAL) {
        plan_fail(err, "the pools of a set of %s addresses may consist of %d separate ranges",
                  a->type->name, PLAN_ALLOC_TOTAL);
        return 0;
    }
    return all;
}

static bool pool_check_overlap(const PlanAlloc *a, const PlanAddrRange *range, GError **err)
{
    PlanKeyBox box;

    plan_key_box(&a->order[0], range, &box);
    for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[0], &box, at, &lo, &hi); at = hi + 1) {
        PlanSpan s;

        if (plan_span_next(&a->pool_rows, lo, 1, &s) && s.lo <= hi) {
            const PlanPool *other = s.data;
            g_autofree char *text = plan_range_format(a->type, range);
            g_autofree char *have = plan_range_format(a->type, &other->range);

            return plan_fail(err, "the %s addresses %s overlap pool %u, which has %s",
                             a->type->name, text, other->id, have);
        }
    }
    return true;
}

static bool pool_check_views(const PlanAlloc *a, unsigned views, GError **err)
{
    return alloc_views_ok(a, views) ||
           plan_fail(err, "a pool of this set must be in one or more of the views 0x%x, not 0x%x",
                     a->views, views);
}

uint32_t plan_alloc_add_pool(PlanAlloc *a, const PlanAddrRange *range, unsigned views,
                             uint64_t flags, void *opaque, GError **err)
{
    PlanPool *pool;
    uint64_t rows;

    if (!plan_range_check(a->type, range, err) || !pool_check_views(a, views, err) ||
        !plan_journal_room(a, err)) {
        return 0;
    }
    rows = pool_count_rows(a, range, err);
    if (!rows || !pool_check_overlap(a, range, err)) {
        return 0;
    }
    if (a->last_pool == UINT32_MAX) {
        plan_fail(err, "a set can have %u pools during its life", UINT32_MAX);
        return 0;
    }
    pool = g_new0(PlanPool, 1);
    *pool = (PlanPool){ ++a->last_pool, views, flags, opaque, *range, rows };
    plan_alloc_pool_enter(a, pool);
    plan_journal_pool_added(a, pool);
    return pool->id;
}

static PlanPool *pool_expect(const PlanAlloc *a, uint32_t id, GError **err)
{
    PlanPool *pool = g_hash_table_lookup(a->pools, GUINT_TO_POINTER(id));

    if (!pool) {
        plan_fail(err, "the set of %s addresses has no pool %u", a->type->name, id);
    }
    return pool;
}

/* Fail if an address of the pool is held in one of the views. */
static bool pool_check_unused(const PlanAlloc *a, const PlanPool *pool, unsigned views,
                              GError **err)
{
    PlanKeyBox box;

    plan_key_box(&a->order[0], &pool->range, &box);
    for (uint64_t at = 0, lo, hi; plan_key_row(&a->order[0], &box, at, &lo, &hi); at = hi + 1) {
        for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
            PlanSpan s;

            if ((views >> v & 1) && plan_span_next(&a->held[v], lo, 1, &s) && s.lo <= hi) {
                const PlanHolder *holder = s.data;
                g_autofree char *addr = plan_address_format(a->type, MAX(s.lo, lo));
                g_autofree char *name = plan_quote(holder->name);

                return plan_fail(err, "%s address %s of pool %u is already used by %s%s",
                                 a->type->name, addr, pool->id, name,
                                 plan_alloc_in_views(a, 1u << v));
            }
        }
    }
    return true;
}

bool plan_alloc_remove_pool(PlanAlloc *a, uint32_t id, GError **err)
{
    PlanPool *pool = pool_expect(a, id, err);

    if (!pool || !pool_check_unused(a, pool, a->views, err) || !plan_journal_room(a, err)) {
        return false;
    }
    plan_alloc_pool_leave(a, pool);
    plan_journal_pool_removed(a, pool);
    return true;
}

bool plan_alloc_set_pool_views(PlanAlloc *a, uint32_t id, unsigned views, GError **err)
{
    PlanPool *pool = pool_expect(a, id, err);
    unsigned before = pool ? pool->views : 0;

    if (!pool || !pool_check_views(a, views, err) ||
        !pool_check_unused(a, pool, before & ~views, err) || !plan_journal_room(a, err)) {
        return false;
    }
    plan_alloc_pool_change(a, pool, views);
    plan_journal_pool_changed(a, pool, before);
    return true;
}

bool plan_alloc_get_pool(const PlanAlloc *a, uint32_t id, PlanAddrRange *range, unsigned *views,
                         uint64_t *flags, void **opaque)
{
    const PlanPool *pool = g_hash_table_lookup(a->pools, GUINT_TO_POINTER(id));

    if (pool && range) {
        *range = pool->range;
    }
    if (pool && views) {
        *views = pool->views;
    }
    if (pool && flags) {
        *flags = pool->flags;
    }
    if (pool && opaque) {
        *opaque = pool->opaque;
    }
    return pool != NULL;
}

uint32_t plan_alloc_pool_of(const PlanAlloc *a, uint64_t addr)
{
    const PlanPool *pool = plan_alloc_pool_at(a, addr);

    return pool ? pool->id : 0;
}

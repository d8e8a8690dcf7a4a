/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of the address allocator: owners of addresses, searches and queries.
 */
#include "plan/alloc_internal.h"

static void alloc_free_holder(gpointer holder)
{
    g_free(holder);
}

PlanAlloc *plan_alloc_new(const PlanAddrType *type, unsigned views, const PlanAllocOrder *orders,
                          unsigned n_orders, GError **err)
{
    g_autoptr(PlanAlloc) a = NULL;

    if (!plan_address_type_check(type, err)) {
        return NULL;
    }
    if (views == 0 || views > PLAN_BOTH || n_orders >= PLAN_ALLOC_ORDERS) {
        plan_fail(err, "a set of %s addresses has one or two views and at most %d orders",
                  type->name, PLAN_ALLOC_ORDERS);
        return NULL;
    }
    a = g_new0(PlanAlloc, 1);
    a->type = type;
    a->views = views;
    a->n_orders = n_orders + 1;
    a->pools = g_hash_table_new(NULL, NULL);
    a->holders = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, alloc_free_holder);
    for (unsigned i = 0; i <= n_orders; i++) {
        if (!plan_key_order_init(&a->order[i], type, i ? &orders[i - 1] : NULL, err)) {
            return NULL;
        }
    }
    if (type->group_dims) {
        a->group_mask = (1ull << a->order[0].shift[type->group_dims - 1]) - 1;
    }
    return g_steal_pointer(&a);
}

void plan_alloc_free(PlanAlloc *a)
{
    GHashTableIter iter;
    gpointer pool;

    if (!a) {
        return;
    }
    plan_journal_free(a);
    g_hash_table_iter_init(&iter, a->pools);
    while (g_hash_table_iter_next(&iter, NULL, &pool)) {
        g_free(pool);
    }
    g_hash_table_unref(a->pools);
    g_hash_table_unref(a->holders);
    plan_span_clear(&a->pool_rows);
    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        plan_span_clear(&a->held[v]);
        plan_span_clear(&a->closed[v]);
    }
    for (unsigned mask = 0; mask <= PLAN_BOTH; mask++) {
        for (unsigned i = 0; i < PLAN_ALLOC_ORDERS; i++) {
            plan_span_clear(&a->free[mask][i]);
        }
    }
    g_free(a);
}

const PlanAddrType *plan_alloc_type(const PlanAlloc *a)
{
    return a->type;
}

const char *plan_alloc_in_views(const PlanAlloc *a, unsigned views)
{
    if (a->views != PLAN_BOTH) {
        return "";
    }
    return views == PLAN_LIVE         ? " in the live view"
           : views == PLAN_PERSISTENT ? " in the persistent view"
                                      : " in both views";
}

/* --- the trees of a set --- */

/* Make addresses unavailable in each mask of views that has one of @views. */
static void alloc_forbid(PlanAlloc *a, uint64_t first, uint64_t last, unsigned views)
{
    for (unsigned mask = 1; mask <= a->views; mask++) {
        if (!(mask & views) || !a->free[mask][0].root) {
            continue;
        }
        plan_span_cut(&a->free[mask][0], first, last);
        for (unsigned i = 1; i < a->n_orders; i++) {
            for (uint64_t addr = first; addr <= last; addr++) {
                uint64_t key = plan_key_of(&a->order[i], addr);

                plan_span_cut(&a->free[mask][i], key, key);
            }
        }
    }
}

/* Return the views of @views in which the address has neither an owner nor an unavailable group.
 * @unheld: views in which it has no owner, so that its owner need not be looked up. */
static unsigned alloc_open_views(const PlanAlloc *a, uint64_t addr, unsigned views, unsigned unheld)
{
    PlanSpan s;

    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        if ((views >> v & 1) && ((!(unheld >> v & 1) && plan_span_find(&a->held[v], addr, &s)) ||
                                 plan_span_find(&a->closed[v], addr, &s))) {
            views &= ~(1u << v);
        }
    }
    return views;
}

static void alloc_refresh_one(PlanAlloc *a, uint64_t addr, PlanPool *pool)
{
    unsigned open = alloc_open_views(a, addr, pool->views, 0);

    for (unsigned mask = 1; mask <= a->views; mask++) {
        PlanSpan s;
        bool was = plan_span_find(&a->free[mask][0], addr, &s), is = (mask & ~open) == 0;

        for (unsigned i = 0; was != is && i < a->n_orders; i++) {
            uint64_t key = plan_key_of(&a->order[i], addr);

            if (is) {
                plan_span_add(&a->free[mask][i], key, key, pool);
            } else {
                plan_span_cut(&a->free[mask][i], key, key);
            }
        }
    }
}

/* Make an address free that had an owner in @views until now: it is in no tree of free addresses
 * with one of these views. */
static void alloc_free_one(PlanAlloc *a, uint64_t addr, unsigned views)
{
    PlanPool *pool = plan_alloc_pool_at(a, addr);
    unsigned open = pool ? alloc_open_views(a, addr, pool->views, views) : 0;

    for (unsigned mask = 1; mask <= a->views; mask++) {
        for (unsigned i = 0; (mask & views) && !(mask & ~open) && i < a->n_orders; i++) {
            uint64_t key = plan_key_of(&a->order[i], addr);

            plan_span_add(&a->free[mask][i], key, key, pool);
        }
    }
}

void plan_alloc_refresh(PlanAlloc *a, uint64_t first, uint64_t last)
{
    PlanSpan row;

    for (uint64_t at = first; plan_span_next(&a->pool_rows, at, 1, &row) && row.lo <= last;
         at = row.hi + 1) {
        for (uint64_t addr = MAX(row.lo, first); addr <= MIN(row.hi, last); addr++) {
            alloc_refresh_one(a, addr, row.data);
        }
    }
}

/* Set *first and *last to the addresses of the group of an address. */
static void alloc_group(const PlanAlloc *a, uint64_t addr, uint64_t *first, uint64_t *last)
{
    *first = addr & ~a->group_mask;
    *last = addr | a->group_mask;
}

static uint64_t alloc_count(const PlanSpanTree *t, uint64_t first, uint64_t last)
{
    return first > last ? 0 : plan_span_count_below(t, last + 1) - plan_span_count_below(t, first);
}

uint64_t plan_alloc_group_held(const PlanAlloc *a, uint64_t addr, unsigned views)
{
    uint64_t first, last, n = 0;

    alloc_group(a, addr, &first, &last);
    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        n += views >> v & 1 ? alloc_count(&a->held[v], first, last) : 0;
    }
    return n;
}

static uint64_t alloc_block_addr(const PlanAlloc *a, const PlanHolder *h, uint64_t i)
{
    const PlanKeyOrder *o = &a->order[h->order];

    return plan_key_addr(o, plan_key_of(o, h->first) + i);
}

PlanHolder *plan_alloc_hold(PlanAlloc *a, const char *name, uint64_t first, uint64_t count,
                            unsigned order)
{
    PlanHolder *h = g_hash_table_lookup(a->holders, name);
    size_t len = strlen(name) + 1;

    if (!h) {
        h = g_malloc(sizeof(*h) + len);
        *h = (PlanHolder){ .first = first, .count = count, .order = (uint8_t)order };
        memcpy(h->name, name, len);
        g_hash_table_insert(a->holders, h->name, h);
    }
    return h;
}

/* Enter or remove one address of an owner. Only the addresses of a block can become one range. */
static void alloc_hold_one(PlanSpanTree *held, uint64_t addr, PlanHolder *h)
{
    if (h->count == 1) {
        plan_span_insert(held, addr, addr, h);
    } else {
        plan_span_add(held, addr, addr, h);
    }
}

static void alloc_unhold_one(PlanSpanTree *held, uint64_t addr, const PlanHolder *h)
{
    if (h->count == 1) {
        plan_span_remove(held, addr);
    } else {
        plan_span_cut(held, addr, addr);
    }
}

void plan_alloc_attach(PlanAlloc *a, PlanHolder *h, unsigned views, unsigned closes)
{
    uint64_t first, last;

    for (uint64_t i = 0; i < h->count; i++) {
        uint64_t addr = alloc_block_addr(a, h, i);

        for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
            if (views >> v & 1) {
                alloc_hold_one(&a->held[v], addr, h);
            }
        }
        alloc_forbid(a, addr, addr, views);
    }
    h->views |= (uint8_t)views;
    if (!closes) {
        return;
    }
    alloc_group(a, h->first, &first, &last);
    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        if (closes >> v & 1) {
            plan_span_insert(&a->closed[v], first, last, NULL);
        }
    }
    alloc_forbid(a, first, last, closes);
}

/* Make the group of an address available in the views of @views in which it has no owner left.
 * Return these views. */
static unsigned alloc_open_group(PlanAlloc *a, uint64_t addr, unsigned views)
{
    unsigned opened = 0;

    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        PlanSpan s;

        if ((views >> v & 1) && plan_span_find(&a->closed[v], addr, &s) &&
            !plan_alloc_group_held(a, addr, 1u << v)) {
            plan_span_remove(&a->closed[v], s.lo);
            plan_alloc_refresh(a, s.lo, s.hi);
            opened |= 1u << v;
        }
    }
    return opened;
}

unsigned plan_alloc_detach(PlanAlloc *a, PlanHolder *h, unsigned views)
{
    unsigned opened;

    views &= h->views;
    for (uint64_t i = 0; i < h->count; i++) {
        uint64_t addr = alloc_block_addr(a, h, i);

        for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
            if (views >> v & 1) {
                alloc_unhold_one(&a->held[v], addr, h);
            }
        }
        alloc_free_one(a, addr, views);
    }
    opened = alloc_open_group(a, h->first, views);
    h->views &= (uint8_t)~views;
    if (!h->views) {
        g_hash_table_remove(a->holders, h->name);
    }
    return opened;
}

/* --- searching --- */

static bool alloc_pool_matches(const PlanPool *pool, const PlanRequest *r)
{
    return (r->flags & ~pool->flags) == 0 &&
           (!r->filter || r->filter(pool->id, pool->flags, pool->opaque, r->filter_data));
}

/* Return the smallest value of the last digit, from @digit upwards, at which an aligned block can
 * begin. */
static uint64_t alloc_align(const PlanKeyOrder *o, const PlanRequest *r, uint64_t digit)
{
    uint64_t lowest, align = MAX(r->align, 1);

    if (!o->flip[o->n - 1]) {
        return (digit + align - 1) / align * align;
    }
    /* In descending order the lowest value is that of the last address of the block. */
    if (digit + r->count - 1 > o->mask[o->n - 1]) {
        return digit;
    }
    lowest = o->mask[o->n - 1] - (digit + r->count - 1);
    return digit + lowest % align;
}

/* Check a block of free addresses for everything but being free. */
static bool alloc_block_valid(const PlanAlloc *a, const PlanRequest *r, unsigned mask, uint64_t key)
{
    for (uint64_t i = 0; a->type->check && i < r->count; i++) {
        if (!a->type->check(a->type, plan_key_addr(&a->order[r->order], key + i), NULL)) {
            return false;
        }
    }
    return !(r->options & PLAN_RESERVE_GROUP) ||
           !plan_alloc_group_held(a, plan_key_addr(&a->order[r->order], key), mask);
}

/* Check whether a block can begin at *key, which is free up to @end. If not, set *key to the next
 * key that can be examined and return false. */
static bool alloc_try(const PlanAlloc *a, const PlanRequest *r, unsigned mask,
                      const PlanKeyBox *box, uint64_t end, uint64_t *key)
{
    const PlanKeyOrder *o = &a->order[r->order];
    uint64_t last_mask = o->mask[o->n - 1], digit = *key & last_mask;
    uint64_t aligned = alloc_align(o, r, digit);

    if (aligned + r->count - 1 > box->hi[o->n - 1]) {
        *key = (*key | last_mask) + 1; /* the block does not fit the rest of the row */
        return false;
    }
    *key += aligned - digit;
    if (*key + r->count - 1 > end) {
        *key = MAX(*key, end + 1);
        return false;
    }
    if (!alloc_block_valid(a, r, mask, *key)) {
        ++*key;
        return false;
    }
    return true;
}

static bool alloc_search(const PlanAlloc *a, const PlanRequest *r, unsigned mask, uint64_t *addr)
{
    const PlanKeyOrder *o = &a->order[r->order];
    const PlanSpanTree *t = &a->free[mask][r->order];
    uint64_t key = r->has_after ? plan_key_of(o, r->after) + 1 : 0;
    PlanKeyBox box;
    PlanSpan s;

    plan_key_box(o, &r->range, &box);
    while (plan_key_ceil(o, &box, key, &key) && plan_span_next(t, key, r->count, &s)) {
        if (s.lo > key) {
            key = s.lo; /* possibly outside the box */
        } else if (!alloc_pool_matches(s.data, r)) {
            key = s.hi + 1;
        } else if (alloc_try(a, r, mask, &box, s.hi, &key)) {
            *addr = plan_key_addr(o, key);
            return true;
        }
    }
    return false;
}

/* Return whether an owner may join the group of an address that has no owner in @views. */
static bool alloc_joinable(const PlanAlloc *a, const PlanRequest *r, uint64_t addr, unsigned views)
{
    const PlanPool *pool = plan_alloc_pool_at(a, addr);
    PlanSpan s;

    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        if ((views >> v & 1) && plan_span_find(&a->held[v], addr, &s)) {
            return false;
        }
    }
    return pool && (views & ~pool->views) == 0 && alloc_pool_matches(pool, r) &&
           (!a->type->check || a->type->check(a->type, addr, NULL));
}

/* Search one group, at most 2^PLAN_ADDR_GROUP_BITS addresses. */
static bool alloc_search_group(const PlanAlloc *a, const PlanRequest *r, unsigned mask,
                               uint64_t *addr)
{
    const PlanKeyOrder *o = &a->order[r->order];
    uint64_t key = r->has_after ? plan_key_of(o, r->after) + 1 : 0;
    PlanKeyBox box;

    plan_key_box(o, &r->range, &box);
    for (; plan_key_ceil(o, &box, key, &key); key++) {
        if (alloc_joinable(a, r, plan_key_addr(o, key), mask)) {
            *addr = plan_key_addr(o, key);
            return true;
        }
    }
    return false;
}

/* Find addresses for a new owner, preferably free in all views of the set. */
static bool alloc_choose(const PlanAlloc *a, const PlanRequest *r, uint64_t *addr)
{
    bool (*search)(const PlanAlloc *, const PlanRequest *, unsigned, uint64_t *) =
        r->options & PLAN_RESERVE_JOIN ? alloc_search_group : alloc_search;

    return search(a, r, a->views, addr) || (r->views != a->views && search(a, r, r->views, addr));
}

/* --- requests --- */

void plan_request_init(PlanRequest *r, const PlanAddrType *type)
{
    *r = (PlanRequest){ .size = sizeof(*r), .views = PLAN_LIVE, .count = 1, .align = 1 };
    plan_range_all(type, &r->range);
}

void plan_request_exactly(PlanRequest *r, const PlanAddrType *type, uint64_t addr)
{
    for (unsigned i = 0; i < type->n_dims; i++) {
        r->range.lo[i] = r->range.hi[i] = plan_address_value(type, addr, i);
    }
}

/* Return whether the first @n dimensions of a request have one value. */
static bool request_is_fixed(const PlanRequest *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (r->range.lo[i] != r->range.hi[i]) {
            return false;
        }
    }
    return true;
}

static bool request_check_options(const PlanAlloc *a, const PlanRequest *r, GError **err)
{
    const PlanAddrType *type = a->type;

    if (r->options & ~(unsigned)(PLAN_RESERVE_GROUP | PLAN_RESERVE_JOIN)) {
        return plan_fail(err, "a request has the unknown options 0x%x", r->options);
    }
    if (!r->options) {
        return true;
    }
    if (!type->group_dims || r->count != 1 ||
        r->options == (PLAN_RESERVE_GROUP | PLAN_RESERVE_JOIN)) {
        return plan_fail(err,
                         "options 0x%x of a request for %s addresses require a type with groups, "
                         "one address, and one of the options",
                         r->options, type->name);
    }
    return !(r->options & PLAN_RESERVE_JOIN) || request_is_fixed(r, type->group_dims) ||
           plan_fail(err, "a request for %s addresses that joins a %s must name one %s", type->name,
                     type->group_name, type->group_name);
}

static bool request_check(const PlanAlloc *a, const PlanRequest *r, GError **err)
{
    if (r->size != sizeof(*r)) {
        return plan_fail(err,
                         "a request must have %zu bytes, not %zu: initialize it with "
                         "plan_request_init()",
                         sizeof(*r), r->size);
    }
    if (!alloc_views_ok(a, r->views) || r->order >= a->n_orders) {
        return plan_fail(
            err,
            "a request for %s addresses needs views of 0x%x and an order below %u, not "
            "0x%x and %u",
            a->type->name, a->views, a->n_orders, r->views, r->order);
    }
    if (r->count < 1 || r->count > PLAN_ALLOC_BLOCK || r->align > PLAN_ALLOC_BLOCK) {
        return plan_fail(err,
                         "a block of %s addresses has 1 to %d addresses and an alignment of at "
                         "most as much",
                         a->type->name, PLAN_ALLOC_BLOCK);
    }
    if (r->has_after && r->after > a->order[0].top) {
        return plan_fail(err, "the %s address after which a request begins is too large",
                         a->type->name);
    }
    return plan_range_check(a->type, &r->range, err) && request_check_options(a, r, err);
}

/* --- refusals --- */

/* Return the nearest free addresses as "nearest free addresses: A, B"; g_free(). */
static char *refusal_nearest(const PlanAlloc *a, uint64_t addr, unsigned views)
{
    const PlanSpanTree *t = &a->free[views][0];
    g_autofree char *below = NULL, *above = NULL;
    PlanSpan s;

    if (addr > 0 && plan_span_prev(t, addr - 1, &s)) {
        below = plan_address_format(a->type, MIN(s.hi, addr - 1));
    }
    if (plan_span_next(t, addr + 1, 1, &s)) {
        above = plan_address_format(a->type, MAX(s.lo, addr + 1));
    }
    if (!below && !above) {
        return g_strdup("no other address is free");
    }
    return g_strdup_printf("nearest free %s %s%s%s",
                           below && above ? "addresses:" : "address:", below ? below : above,
                           below && above ? ", " : "", below && above ? above : "");
}

/* Return an owner in the addresses from @first to @last, or NULL; set *addr to one of its
 * addresses and *view to the view. */
static const char *refusal_owner(const PlanAlloc *a, uint64_t first, uint64_t last, unsigned views,
                                 uint64_t *addr, unsigned *view)
{
    for (unsigned v = 0; v < ALLOC_VIEWS; v++) {
        PlanSpan s;

        if ((views >> v & 1) && plan_span_next(&a->held[v], first, 1, &s) && s.lo <= last) {
            *addr = MAX(s.lo, first);
            *view = 1u << v;
            return ((const PlanHolder *)s.data)->name;
        }
    }
    return NULL;
}

/* Return why one address cannot be reserved, as the end of a message; g_free(). */
static char *refusal_reason(const PlanAlloc *a, const PlanRequest *r, uint64_t addr, unsigned views)
{
    const PlanPool *pool = plan_alloc_pool_at(a, addr);
    uint64_t first, last, at = addr;
    unsigned view = views;
    const char *owner = refusal_owner(a, addr, addr, views, &at, &view);
    g_autofree char *quoted = NULL, *other = NULL;

    if (!pool || (views & ~pool->views)) {
        return g_strdup_printf("is not in a pool%s", pool ? plan_alloc_in_views(a, views) : "");
    }
    if (owner) {
        quoted = plan_quote(owner);
        return g_strdup_printf("is already used by %s%s", quoted, plan_alloc_in_views(a, view));
    }
    alloc_group(a, addr, &first, &last);
    owner = refusal_owner(a, first, last, views, &at, &view);
    if (owner && (r->options & PLAN_RESERVE_GROUP || !plan_alloc_is_free(a, addr, views))) {
        quoted = plan_quote(owner);
        other = plan_address_format(a->type, at);
        return g_strdup_printf("is unavailable, because %s holds %s of the same %s", quoted, other,
                               a->type->group_name);
    }
    if (!alloc_pool_matches(pool, r)) {
        return g_strdup_printf(
            "is in pool %u, which does not match the request (its flags are 0x%" G_GINT64_MODIFIER
            "x)",
            pool->id, pool->flags);
    }
    return g_strdup("does not match the request");
}

/* Fail because the address, or a block that begins there, cannot be reserved. */
static bool alloc_refuse(const PlanAlloc *a, const PlanRequest *r, uint64_t addr, unsigned views,
                         GError **err)
{
    g_autofree char *text = NULL, *reason = NULL, *nearest = NULL;

    if (!err) {
        return false;
    }
    text = plan_address_format(a->type, addr);
    if (a->type->check && !a->type->check(a->type, addr, err)) {
        return false;
    }
    reason = refusal_reason(a, r, addr, views);
    nearest = refusal_nearest(a, addr, views);
    return plan_fail(err, "%s address %s %s; %s", a->type->name, text, reason, nearest);
}

/* Fail because no address matches. */
static bool alloc_refuse_any(const PlanAlloc *a, const PlanRequest *r, GError **err)
{
    g_autofree char *text = NULL, *block = NULL;
    uint64_t addr = 0;

    if (!err) {
        return false;
    }
    if (request_is_fixed(r, a->type->n_dims) && r->count == 1 &&
        plan_address_pack(a->type, r->range.lo, &addr, err)) {
        return alloc_refuse(a, r, addr, r->views, err);
    }
    if (*err) {
        return false; /* the rule of the type rejects the address */
    }
    text = plan_range_format(a->type, &r->range);
    block = r->count > 1 ? g_strdup_printf("block of %u addresses", (unsigned)r->count)
                         : g_strdup("address");
    return plan_fail(err, "no free %s %s matches %s%s; free addresses%s: %" G_GUINT64_FORMAT,
                     a->type->name, block, text, r->has_after ? " behind the last one" : "",
                     plan_alloc_in_views(a, r->views), plan_alloc_count_free(a, r->views));
}

/* --- reserving and releasing --- */

static bool alloc_check_owner(const PlanAlloc *a, const char *owner, GError **err)
{
    size_t len = owner ? strlen(owner) : 0;

    if (len == 0 || len > PLAN_ALLOC_NAME) {
        return plan_fail(err, "the owner of %s addresses needs a name of 1 to %d bytes",
                         a->type->name, PLAN_ALLOC_NAME);
    }
    return true;
}

/* Return whether a request accepts an address of a block. */
static bool alloc_in_range(const PlanAlloc *a, const PlanRequest *r, uint64_t addr)
{
    for (unsigned i = 0; i < a->type->n_dims; i++) {
        uint64_t value = plan_address_value(a->type, addr, i);

        if (value < r->range.lo[i] || value > r->range.hi[i]) {
            return false;
        }
    }
    return true;
}

/* Fail because an owner holds an address that differs from the requested ones, or is in the same
 * view. */
static bool alloc_refuse_owner(const PlanAlloc *a, const PlanRequest *r, const PlanHolder *h,
                               GError **err)
{
    g_autofree char *name = NULL, *text = NULL;
    bool again = (h->views & r->views) != 0;

    if (!err) {
        return false;
    }
    name = plan_quote(h->name);
    text = plan_address_format(a->type, h->first);
    return plan_fail(err, "%s %s %s address %s%s%s%s", name, again ? "already holds" : "holds",
                     a->type->name, text, plan_alloc_in_views(a, h->views),
                     again ? "" : " and cannot have another one",
                     again ? "" : plan_alloc_in_views(a, r->views));
}

/* Check that an owner can have its addresses in additional views. */
static bool alloc_check_same(const PlanAlloc *a, const PlanRequest *r, const PlanHolder *h,
                             GError **err)
{
    if ((h->views & r->views) || h->count != r->count) {
        return alloc_refuse_owner(a, r, h, err);
    }
    for (uint64_t i = 0; i < h->count; i++) {
        uint64_t addr = alloc_block_addr(a, h, i);

        if (!alloc_in_range(a, r, addr)) {
            return alloc_refuse_owner(a, r, h, err);
        }
        if (r->options & PLAN_RESERVE_JOIN
                ? !alloc_joinable(a, r, addr, r->views)
                : !plan_alloc_is_free(a, addr, r->views) ||
                      !alloc_pool_matches(plan_alloc_pool_at(a, addr), r)) {
            return alloc_refuse(a, r, addr, r->views, err);
        }
    }
    return !(r->options & PLAN_RESERVE_GROUP) || !plan_alloc_group_held(a, h->first, r->views) ||
           alloc_refuse(a, r, h->first, r->views, err);
}

bool plan_alloc_reserve(PlanAlloc *a, const PlanRequest *r, const char *owner, uint64_t *addr,
                        GError **err)
{
    PlanHolder *h;
    uint64_t first = 0;

    if (!request_check(a, r, err) || !alloc_check_owner(a, owner, err) ||
        !plan_journal_room(a, err)) {
        return false;
    }
    h = g_hash_table_lookup(a->holders, owner);
    if (h ? !alloc_check_same(a, r, h, err)
          : !alloc_choose(a, r, &first) && !alloc_refuse_any(a, r, err)) {
        return false;
    }
    if (!h && g_hash_table_size(a->holders) >= PLAN_ALLOC_OWNERS) {
        return plan_fail(err, "a set of %s addresses has at most %d owners", a->type->name,
                         PLAN_ALLOC_OWNERS);
    }
    h = h ? h : plan_alloc_hold(a, owner, first, r->count, r->order);
    plan_alloc_attach(a, h, r->views, r->options & PLAN_RESERVE_GROUP ? r->views : 0);
    plan_journal_attached(a, h, r->views);
    if (addr) {
        *addr = h->first;
    }
    return true;
}

bool plan_alloc_release(PlanAlloc *a, const char *owner, unsigned views, bool *group_free,
                        GError **err)
{
    PlanHolder *h = owner ? g_hash_table_lookup(a->holders, owner) : NULL;
    uint64_t first, last;
    unsigned opened;

    views &= h ? h->views : 0;
    if (!views) {
        g_autofree char *name = plan_quote(owner ? owner : "");

        return plan_fail(err, "%s holds no %s address%s", name, a->type->name,
                         h ? " in this view" : "");
    }
    if (!plan_journal_room(a, err)) {
        return false;
    }
    first = h->first;
    last = alloc_block_addr(a, h, h->count - 1);
    plan_journal_detached(a, h, views);
    opened = plan_alloc_detach(a, h, views);
    plan_journal_set_opened(a, opened);
    if (group_free) {
        *group_free =
            !plan_alloc_group_held(a, first, a->views) || !plan_alloc_group_held(a, last, a->views);
    }
    return true;
}

/* --- queries --- */

bool plan_alloc_is_free(const PlanAlloc *a, uint64_t addr, unsigned views)
{
    PlanSpan s;

    return alloc_views_ok(a, views) && plan_span_find(&a->free[views][0], addr, &s);
}

/* Return the index of a view, or ALLOC_VIEWS. */
static unsigned alloc_view_index(const PlanAlloc *a, unsigned view)
{
    return !(view & a->views)        ? ALLOC_VIEWS
           : view == PLAN_LIVE       ? 0
           : view == PLAN_PERSISTENT ? 1
                                     : ALLOC_VIEWS;
}

const char *plan_alloc_owner(const PlanAlloc *a, uint64_t addr, unsigned view)
{
    unsigned v = alloc_view_index(a, view);
    PlanSpan s;

    return v < ALLOC_VIEWS && plan_span_find(&a->held[v], addr, &s)
               ? ((const PlanHolder *)s.data)->name
               : NULL;
}

bool plan_alloc_find(const PlanAlloc *a, const char *owner, uint64_t *addr, uint64_t *count,
                     unsigned *views)
{
    const PlanHolder *h = owner ? g_hash_table_lookup(a->holders, owner) : NULL;

    if (h && addr) {
        *addr = h->first;
    }
    if (h && count) {
        *count = h->count;
    }
    if (h && views) {
        *views = h->views;
    }
    return h != NULL;
}

uint64_t plan_alloc_count_free_in(const PlanAlloc *a, unsigned views, uint64_t first, uint64_t last)
{
    return alloc_views_ok(a, views)
               ? alloc_count(&a->free[views][0], first, MIN(last, a->order[0].top))
               : 0;
}

uint64_t plan_alloc_count_free(const PlanAlloc *a, unsigned views)
{
    return plan_alloc_count_free_in(a, views, 0, a->order[0].top);
}

uint64_t plan_alloc_count_held(const PlanAlloc *a, unsigned view, uint64_t first, uint64_t last)
{
    unsigned v = alloc_view_index(a, view);

    return v < ALLOC_VIEWS ? alloc_count(&a->held[v], first, MIN(last, a->order[0].top)) : 0;
}

bool plan_alloc_first(const PlanAlloc *a, const PlanRequest *r, uint64_t *addr)
{
    return request_check(a, r, NULL) && alloc_choose(a, r, addr);
}

static bool alloc_next(const PlanSpanTree *t, uint64_t *addr)
{
    PlanSpan s;

    if (!plan_span_next(t, *addr, 1, &s)) {
        return false;
    }
    *addr = MAX(*addr, s.lo);
    return true;
}

bool plan_alloc_next_free(const PlanAlloc *a, unsigned views, uint64_t *addr)
{
    return alloc_views_ok(a, views) && alloc_next(&a->free[views][0], addr);
}

bool plan_alloc_next_held(const PlanAlloc *a, unsigned view, uint64_t *addr)
{
    unsigned v = alloc_view_index(a, view);

    return v < ALLOC_VIEWS && alloc_next(&a->held[v], addr);
}

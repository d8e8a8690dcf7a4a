/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random sequences of operations on the address allocator, compared with a reference that examines
 * every address.
 *
 * -m slow runs 10^6 sequences, the default 2000. --seed is not used: sequence N always has the same
 * operations, and a failure prints N.
 */
#include <string.h>

#include "plan/alloc.h"

enum { SPACE = 128, GROUPS = 32, OWNERS = 10, POOLS = 64, STEPS = 24, VIEWS = 2, ORDERS = 3 };

static const PlanAddrType type = {
    .name = "test",
    .n_dims = 3,
    .dim = { { "a", "", PLAN_NOTATION_DECIMAL, 2, 0, 0 },
             { "b", ":", PLAN_NOTATION_HEX, 3, 0, 0 },
             { "c", ".", PLAN_NOTATION_DECIMAL, 2, 0, 0 } },
    .group_dims = 2,
    .group_name = "slot",
};
static const unsigned shift[] = { 5, 2, 0 }, mask_of[] = { 3, 7, 3 };
static const PlanAllocOrder orders[ORDERS] = { { { 0, 1, 2 }, 0 },
                                               { { 2, 0, 1 }, 1 << 1 },
                                               { { 1, 2, 0 }, 1 << 2 | 1 << 0 } };

typedef struct RefOwner {
    unsigned views, count, order;
    unsigned first;
} RefOwner;

typedef struct Ref {
    unsigned views;
    unsigned pool[SPACE]; /* 0: none */
    unsigned pool_views[POOLS], last_pool;
    uint64_t pool_flags[POOLS];
    int owner[VIEWS][SPACE]; /* -1: none */
    bool closed[VIEWS][GROUPS];
    RefOwner held[OWNERS];
} Ref;

typedef struct Run {
    PlanAlloc *a;
    Ref ref, saved;
    bool open;
    uint64_t random;
    unsigned sequence;
} Run;

static unsigned sorted[ORDERS][SPACE]; /* addresses in each order */

static unsigned value_of(unsigned addr, unsigned dim)
{
    return addr >> shift[dim] & mask_of[dim];
}

/* Return a number below @n. */
static unsigned pick(Run *run, unsigned n)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return (unsigned)(run->random >> 33) % n;
}

/* Return the digit of an address at a position of an order, as the order sorts it. */
static unsigned digit(unsigned order, unsigned addr, unsigned position)
{
    unsigned dim = orders[order].dim[position], value = value_of(addr, dim);

    return orders[order].down >> dim & 1 ? mask_of[dim] - value : value;
}

static int compare(unsigned order, unsigned x, unsigned y)
{
    for (unsigned i = 0; i < 3; i++) {
        int difference = (int)digit(order, x, i) - (int)digit(order, y, i);

        if (difference) {
            return difference;
        }
    }
    return 0;
}

static void sort_addresses(void)
{
    for (unsigned order = 0; order < ORDERS; order++) {
        for (unsigned i = 0; i < SPACE; i++) {
            unsigned at = i;

            for (; at > 0 && compare(order, i, sorted[order][at - 1]) < 0; at--) {
                sorted[order][at] = sorted[order][at - 1];
            }
            sorted[order][at] = i;
        }
    }
}

/* --- the reference --- */

static bool ref_in_pool(const Ref *ref, unsigned addr, unsigned views)
{
    return ref->pool[addr] && (views & ~ref->pool_views[ref->pool[addr]]) == 0;
}

static bool ref_unowned(const Ref *ref, unsigned addr, unsigned views)
{
    for (unsigned v = 0; v < VIEWS; v++) {
        if ((views >> v & 1) && ref->owner[v][addr] >= 0) {
            return false;
        }
    }
    return true;
}

static bool ref_free(const Ref *ref, unsigned addr, unsigned views)
{
    for (unsigned v = 0; v < VIEWS; v++) {
        if ((views >> v & 1) && ref->closed[v][addr >> 2]) {
            return false;
        }
    }
    return ref_in_pool(ref, addr, views) && ref_unowned(ref, addr, views);
}

static bool ref_group_empty(const Ref *ref, unsigned addr, unsigned views)
{
    for (unsigned i = 0; i < 4; i++) {
        if (!ref_unowned(ref, (addr & ~3u) | i, views)) {
            return false;
        }
    }
    return true;
}

static bool ref_in_range(const PlanRequest *r, unsigned addr)
{
    for (unsigned i = 0; i < 3; i++) {
        if (value_of(addr, i) < r->range.lo[i] || value_of(addr, i) > r->range.hi[i]) {
            return false;
        }
    }
    return true;
}

/* Return whether one address of a block is acceptable. */
static bool ref_matches(const Ref *ref, const PlanRequest *r, unsigned addr, unsigned views)
{
    bool available = r->options & PLAN_RESERVE_JOIN
                         ? ref_in_pool(ref, addr, views) && ref_unowned(ref, addr, views)
                         : ref_free(ref, addr, views);

    return available && ref_in_range(r, addr) &&
           (r->flags & ~ref->pool_flags[ref->pool[addr]]) == 0 &&
           (!(r->options & PLAN_RESERVE_GROUP) || ref_group_empty(ref, addr, views));
}

static bool ref_block(const Ref *ref, const PlanRequest *r, unsigned at, unsigned views)
{
    const unsigned *list = sorted[r->order];
    unsigned dim = orders[r->order].dim[2], lowest = mask_of[dim];

    for (unsigned i = 0; i < r->count; i++) {
        unsigned addr = at + i < SPACE ? list[at + i] : 0;

        if (at + i >= SPACE || digit(r->order, addr, 0) != digit(r->order, list[at], 0) ||
            digit(r->order, addr, 1) != digit(r->order, list[at], 1) ||
            ref->pool[addr] != ref->pool[list[at]] || !ref_matches(ref, r, addr, views)) {
            return false;
        }
        lowest = MIN(lowest, value_of(addr, dim));
    }
    return lowest % MAX(r->align, 1) == 0;
}

static int ref_search(const Ref *ref, const PlanRequest *r, unsigned views)
{
    for (unsigned at = 0; at < SPACE; at++) {
        if ((!r->has_after || compare(r->order, sorted[r->order][at], (unsigned)r->after) > 0) &&
            ref_block(ref, r, at, views)) {
            return (int)sorted[r->order][at];
        }
    }
    return -1;
}

static int ref_choose(const Ref *ref, const PlanRequest *r)
{
    int found = ref_search(ref, r, ref->views);

    return found < 0 && r->views != ref->views ? ref_search(ref, r, r->views) : found;
}

static unsigned ref_block_addr(const RefOwner *o, unsigned i)
{
    unsigned at = 0;

    while (sorted[o->order][at] != o->first) {
        at++;
    }
    return sorted[o->order][at + i];
}

static bool ref_same(const Ref *ref, const PlanRequest *r, const RefOwner *o)
{
    for (unsigned i = 0; i < o->count; i++) {
        if (!ref_matches(ref, r, ref_block_addr(o, i), r->views)) {
            return false;
        }
    }
    return o->count == r->count && !(o->views & r->views);
}

static int ref_reserve(Ref *ref, const PlanRequest *r, unsigned owner)
{
    RefOwner *o = &ref->held[owner];

    if (!o->views) {
        int found = ref_choose(ref, r);

        if (found < 0) {
            return -1;
        }
        *o = (RefOwner){ 0, (unsigned)r->count, r->order, (unsigned)found };
    } else if (!ref_same(ref, r, o)) {
        return -1;
    }
    o->views |= r->views;
    for (unsigned v = 0; v < VIEWS; v++) {
        for (unsigned i = 0; (r->views >> v & 1) && i < o->count; i++) {
            ref->owner[v][ref_block_addr(o, i)] = (int)owner;
        }
        if ((r->views >> v & 1) && (r->options & PLAN_RESERVE_GROUP)) {
            ref->closed[v][o->first >> 2] = true;
        }
    }
    return (int)o->first;
}

static bool ref_release(Ref *ref, unsigned owner, unsigned views, bool *group_free)
{
    RefOwner *o = &ref->held[owner];

    views &= o->views;
    if (!views) {
        return false;
    }
    for (unsigned v = 0; v < VIEWS; v++) {
        for (unsigned i = 0; (views >> v & 1) && i < o->count; i++) {
            ref->owner[v][ref_block_addr(o, i)] = -1;
        }
        if ((views >> v & 1) && ref_group_empty(ref, o->first, 1u << v)) {
            ref->closed[v][o->first >> 2] = false;
        }
    }
    *group_free = ref_group_empty(ref, o->first, ref->views) ||
                  ref_group_empty(ref, ref_block_addr(o, o->count - 1), ref->views);
    o->views &= ~views;
    return true;
}

static bool ref_pool_unused(const Ref *ref, unsigned pool, unsigned views)
{
    for (unsigned i = 0; i < SPACE; i++) {
        if (ref->pool[i] == pool && !ref_unowned(ref, i, views)) {
            return false;
        }
    }
    return true;
}

/* --- random operations on both --- */

static unsigned pick_views(Run *run)
{
    return run->ref.views == PLAN_BOTH ? 1 + pick(run, 3) : PLAN_LIVE;
}

static void pick_range(Run *run, PlanAddrRange *range, unsigned exact)
{
    for (unsigned i = 0; i < 3; i++) {
        unsigned x = pick(run, mask_of[i] + 1), y = pick(run, mask_of[i] + 1);

        range->lo[i] = MIN(x, y);
        range->hi[i] = pick(run, 8) < exact ? range->lo[i] : MAX(x, y);
    }
}

static void step_add_pool(Run *run)
{
    Ref *ref = &run->ref;
    unsigned views = pick_views(run), flags = pick(run, 4);
    PlanAddrRange range;
    PlanRequest box = { 0 };
    uint32_t id;
    bool free_space = true;

    pick_range(run, &range, 2);
    box.range = range;
    for (unsigned i = 0; i < SPACE; i++) {
        free_space &= !ref->pool[i] || !ref_in_range(&box, i);
    }
    id = plan_alloc_add_pool(run->a, &range, views, flags, NULL, NULL);
    g_assert_cmpint(id != 0, ==, free_space);
    if (!id) {
        return;
    }
    g_assert_cmpuint(id, <, POOLS);
    ref->pool_views[id] = views;
    ref->pool_flags[id] = flags;
    ref->last_pool = id;
    for (unsigned i = 0; i < SPACE; i++) {
        if (ref_in_range(&box, i)) {
            ref->pool[i] = id;
        }
    }
}

static void step_remove_pool(Run *run)
{
    Ref *ref = &run->ref;
    unsigned pool = 1 + pick(run, ref->last_pool + 1);
    bool there = pool <= ref->last_pool && ref->pool_views[pool];
    bool ok = there && ref_pool_unused(ref, pool, PLAN_BOTH);

    g_assert_cmpint(plan_alloc_remove_pool(run->a, pool, NULL), ==, ok);
    for (unsigned i = 0; ok && i < SPACE; i++) {
        ref->pool[i] = ref->pool[i] == pool ? 0 : ref->pool[i];
    }
    if (ok) {
        ref->pool_views[pool] = 0;
    }
}

static void step_pool_views(Run *run)
{
    Ref *ref = &run->ref;
    unsigned pool = 1 + pick(run, ref->last_pool + 1), views = pick_views(run);
    bool ok = pool <= ref->last_pool && ref->pool_views[pool] &&
              ref_pool_unused(ref, pool, ref->pool_views[pool] & ~views);

    g_assert_cmpint(plan_alloc_set_pool_views(run->a, pool, views, NULL), ==, ok);
    if (ok) {
        ref->pool_views[pool] = views;
    }
}

static void pick_request(Run *run, PlanRequest *r)
{
    plan_request_init(r, &type);
    r->views = pick_views(run);
    r->order = pick(run, ORDERS);
    r->flags = pick(run, 4) ? 0 : pick(run, 4);
    if (pick(run, 3)) {
        pick_range(run, &r->range, pick(run, 9));
    }
    switch (pick(run, 8)) {
    case 0:
        r->count = 1 + pick(run, 5);
        r->align = 1 + pick(run, 3);
        break;
    case 1:
        r->align = 1 + pick(run, 3);
        break;
    case 2:
    case 3:
        r->options = PLAN_RESERVE_GROUP;
        break;
    case 4:
        r->options = PLAN_RESERVE_JOIN;
        r->range.hi[0] = r->range.lo[0];
        r->range.hi[1] = r->range.lo[1];
        break;
    case 5:
        r->has_after = true;
        r->after = pick(run, SPACE);
        break;
    default:
        break;
    }
}

static void step_reserve(Run *run)
{
    unsigned owner = pick(run, OWNERS);
    char name[] = { 'a', (char)('0' + owner), 0 };
    g_autoptr(GError) err = NULL;
    PlanRequest r;
    uint64_t addr = SPACE;
    int found;
    bool ok;

    pick_request(run, &r);
    found = ref_choose(&run->ref, &r);
    ok = plan_alloc_first(run->a, &r, &addr);
    g_assert_cmpint(ok ? (int)addr : -1, ==, found);
    found = ref_reserve(&run->ref, &r, owner);
    ok = plan_alloc_reserve(run->a, &r, name, &addr, pick(run, 64) ? NULL : &err);
    g_assert_cmpint(ok ? (int)addr : -1, ==, found);
    g_assert_true(!err ||
                  (!ok && g_utf8_validate(err->message, -1, NULL) && !strchr(err->message, '\n')));
}

static void step_release(Run *run)
{
    unsigned owner = pick(run, OWNERS), views = pick_views(run);
    char name[] = { 'a', (char)('0' + owner), 0 };
    bool have = false, want = false;
    bool released = ref_release(&run->ref, owner, views, &want);

    g_assert_cmpint(plan_alloc_release(run->a, name, views, &have, NULL), ==, released);
    g_assert_cmpint(have, ==, want);
}

static void step_transaction(Run *run)
{
    unsigned last = run->ref.last_pool;

    if (!run->open) {
        g_assert_true(plan_alloc_begin(run->a, NULL));
        run->saved = run->ref;
    } else if (pick(run, 2)) {
        g_assert_true(plan_alloc_commit(run->a, NULL));
    } else {
        g_assert_true(plan_alloc_rollback(run->a, NULL));
        run->ref = run->saved;
        run->ref.last_pool = last; /* numbers are not given again */
        for (unsigned i = run->saved.last_pool + 1; i <= last; i++) {
            run->ref.pool_views[i] = 0;
        }
    }
    run->open = !run->open;
}

/* --- comparing --- */

static void compare_view(const Run *run, unsigned view)
{
    uint64_t next = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < SPACE; i++) {
        int owner = run->ref.owner[view >> 1][i];
        const char *name = plan_alloc_owner(run->a, i, view);

        g_assert_cmpint(owner, ==, name ? name[1] - '0' : -1);
        if (owner >= 0) {
            g_assert_true(plan_alloc_next_held(run->a, view, &next));
            g_assert_cmpuint(next, ==, i);
            next++;
            n++;
        }
        g_assert_cmpuint(plan_alloc_count_held(run->a, view, 0, i), ==, n);
    }
    g_assert_false(plan_alloc_next_held(run->a, view, &next));
}

static void compare_free(const Run *run, unsigned views)
{
    uint64_t next = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < SPACE; i++) {
        bool is_free = ref_free(&run->ref, i, views);

        g_assert_cmpint(plan_alloc_is_free(run->a, i, views), ==, is_free);
        if (is_free) {
            g_assert_true(plan_alloc_next_free(run->a, views, &next));
            g_assert_cmpuint(next, ==, i);
            next++;
            n++;
        }
        g_assert_cmpuint(plan_alloc_count_free_in(run->a, views, 0, i), ==, n);
    }
    g_assert_cmpuint(plan_alloc_count_free(run->a, views), ==, n);
}

static void compare_all(const Run *run)
{
    for (unsigned views = 1; views <= run->ref.views; views++) {
        compare_free(run, views);
        if (views != PLAN_BOTH) {
            compare_view(run, views);
        }
    }
    for (unsigned i = 0; i < SPACE; i++) {
        g_assert_cmpuint(plan_alloc_pool_of(run->a, i), ==, run->ref.pool[i]);
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        char name[] = { 'a', (char)('0' + i), 0 };
        unsigned views = 0;

        plan_alloc_find(run->a, name, NULL, NULL, &views);
        g_assert_cmpuint(views, ==, run->ref.held[i].views);
    }
}

static void step(Run *run)
{
    unsigned n = pick(run, 32);

    if (n < 3) {
        step_add_pool(run);
    } else if (n < 4) {
        step_remove_pool(run);
    } else if (n < 6) {
        step_pool_views(run);
    } else if (n < 21) {
        step_reserve(run);
    } else if (n < 29) {
        step_release(run);
    } else {
        step_transaction(run);
    }
}

static void run_sequence(unsigned sequence)
{
    Run run = { .sequence = sequence,
                .random = (sequence + 1) * 0x9e3779b97f4a7c15ull,
                .ref = { .views = sequence % 4 ? PLAN_BOTH : PLAN_LIVE } };

    memset(run.ref.owner, -1, sizeof(run.ref.owner));
    run.a = plan_alloc_new(&type, run.ref.views, &orders[1], ORDERS - 1, NULL);
    for (unsigned i = 0; i < 3; i++) {
        step_add_pool(&run);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        step(&run);
    }
    compare_all(&run);
    if (run.open) {
        step_transaction(&run);
        compare_all(&run);
    }
    plan_alloc_free(run.a);
}

static void test_random(void)
{
    unsigned n = g_test_slow() ? 1000000 : 2000;

    sort_addresses();
    for (unsigned i = 0; i < n; i++) {
        if (i % 10000 == 0) {
            g_test_message("sequence %u", i);
        }
        run_sequence(i);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alloc/random", test_random);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval map compared with a linear search, its balance, and its deterministic shape.
 */
#include <string.h>

#include "memory/imap_internal.h"

enum { SPACE = 512, N = 48 };

typedef struct Fixture {
    MemRegion box, r[N];
    GRand *rand;
} Fixture;

static void set_up(Fixture *f, unsigned seed)
{
    memset(f, 0, sizeof(*f));
    f->rand = g_rand_new_with_seed(seed);
    mem_init_container(&f->box, "box", SPACE, MEM_ZEROES);
}

static void tear_down(Fixture *f)
{
    mem_fini(&f->box);
    g_rand_free(f->rand);
}

static bool covers(const MemRegion *r, uint64_t x)
{
    return r->parent && r->size && r->addr <= x && node_last(r) >= x;
}

static void random_step(Fixture *f)
{
    MemRegion *r = &f->r[g_rand_int_range(f->rand, 0, N)];

    if (r->parent && g_rand_boolean(f->rand)) {
        mem_move(r, g_rand_int_range(f->rand, 0, SPACE));
    } else if (r->parent) {
        mem_unmap(r);
    } else {
        mem_init_mmio(r, "r", g_rand_int_range(f->rand, 0, 80), NULL, NULL);
        mem_map(&f->box, g_rand_int_range(f->rand, 0, SPACE), r, g_rand_int_range(f->rand, -1, 2),
                g_rand_int_range(f->rand, 0, 4));
    }
}

static const MemRegion *linear_best(const Fixture *f, uint64_t x, const MemRegion *after)
{
    const MemRegion *best = NULL;

    for (int i = 0; i < N; i++) {
        const MemRegion *r = &f->r[i];

        if (covers(r, x) && (!after || ranks_before(after, r)) &&
            (!best || ranks_before(r, best))) {
            best = r;
        }
    }
    return best;
}

static void check_narrow(const Fixture *f, uint64_t x, const MemRegion *winner)
{
    uint64_t first = winner ? winner->addr : 0, last = winner ? node_last(winner) : SPACE - 1;
    uint64_t want_first = first, want_last = last;

    for (int i = 0; i < N; i++) {
        const MemRegion *r = &f->r[i];

        if (!r->parent || !r->size || covers(r, x) || (winner && !ranks_before(r, winner))) {
            continue;
        }
        if (r->addr > x) {
            want_last = MIN(want_last, r->addr - 1);
        } else {
            want_first = MAX(want_first, node_last(r) + 1);
        }
    }
    imap_narrow(&f->box, x, winner, &first, &last);
    g_assert_cmpuint(first, ==, want_first);
    g_assert_cmpuint(last, ==, want_last);
}

static void test_model(void)
{
    Fixture f;

    set_up(&f, 1);
    for (int step = 0; step < 100000; step++) {
        uint64_t x = g_rand_int_range(f.rand, 0, SPACE);
        const MemRegion *best, *second;

        random_step(&f);
        best = linear_best(&f, x, NULL);
        g_assert_true(imap_best(&f.box, x, NULL) == best);
        check_narrow(&f, x, best);
        if (best) {
            second = linear_best(&f, x, best);
            g_assert_true(imap_best(&f.box, x, best) == second);
        }
        if (step % 64 == 0) {
            mem_check(&f.box);
        }
    }
    tear_down(&f);
}

static void test_ram_within(void)
{
    g_autofree RamBlock *ram = g_new0(RamBlock, 1);
    MemRegion box = { 0 }, a = { 0 }, b = { 0 };

    ram->size = 0x1000;
    mem_init_container(&box, "box", 0x10000, MEM_ZEROES);
    mem_init_ram(&a, "a", ram, 0, 0x1000);
    mem_init_mmio(&b, "b", 0x1000, NULL, NULL);
    mem_map(&box, 0x2000, &a, 0, 0);
    mem_map(&box, 0x4000, &b, 0, 1);
    g_assert_true(imap_ram_within(&box, 0, 0x2000, NULL));
    g_assert_true(imap_ram_within(&box, 0x2fff, 0xffff, NULL));
    g_assert_false(imap_ram_within(&box, 0x3000, 0xffff, NULL));
    g_assert_false(imap_ram_within(&box, 0, 0x1fff, NULL));
    g_assert_false(imap_ram_within(&box, 0, 0xffff, &a));
    mem_fini(&box);
}

static unsigned height(const MemRegion *n)
{
    unsigned left = n ? height(n->left) : 0, right = n ? height(n->right) : 0;

    return n ? 1 + MAX(left, right) : 0;
}

static bool same_shape(const MemRegion *a, const MemRegion *b)
{
    return (!a && !b) || (a && b && a->addr == b->addr && same_shape(a->left, b->left) &&
                          same_shape(a->right, b->right));
}

static void test_balance(void)
{
    enum { MANY = 20000 };
    MemRegion box[2] = { 0 }, *r[2];

    for (int k = 0; k < 2; k++) {
        mem_init_container(&box[k], "box", UINT64_MAX, MEM_ZEROES);
        r[k] = g_new0(MemRegion, MANY);
        for (int i = 0; i < MANY; i++) { /* the worst order for a plain tree */
            mem_init_mmio(&r[k][i], "r", 16, NULL, NULL);
            mem_map(&box[k], i * 16, &r[k][i], 0, i);
        }
    }
    g_assert_cmpuint(height(box[0].children), <, 50);
    g_assert_true(same_shape(box[0].children, box[1].children));
    for (int k = 0; k < 2; k++) {
        mem_fini(&box[k]);
        g_free(r[k]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/imap/model", test_model);
    g_test_add_func("/memory/imap/ram-within", test_ram_within);
    g_test_add_func("/memory/imap/balance", test_balance);
    return g_test_run();
}

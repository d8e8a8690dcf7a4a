/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookups compared with a painted model of the same map: leaf, offset, background, and the range
 * for which the result is valid.
 */
#include "model.h"

static bool same(const MemLookup *l, const Cell *c)
{
    return l->leaf == c->leaf &&
           (l->leaf ? l->offset == c->offset : l->background == c->background);
}

static void check_all(Model *m, MemRegion *root)
{
    Cell cells[MODEL_SPACE] = { 0 };

    model_paint(root, 0, cells, MODEL_SPACE);
    for (uint64_t x = 0; x < MODEL_SPACE; x++) {
        MemLookup l = mem_lookup(root, x);

        g_assert_true(same(&l, &cells[x]));
        g_assert_true(l.first <= x && x <= l.last && l.last < MODEL_SPACE);
        for (uint64_t y = l.first; y <= l.last; y++) {
            MemLookup at = l;

            at.offset = l.offset + (y - x);
            g_assert_true(same(&at, &cells[y]));
        }
    }
}

static void test_model(void)
{
    Model m;

    model_init(&m, 7);
    for (int step = 0; step < 100000; step++) {
        model_step(&m);
        if (step % 200 == 0) {
            for (int i = 0; i < MODEL_BOXES; i++) {
                check_all(&m, &m.box[i]);
                mem_check(&m.box[i]);
            }
        }
    }
    model_fini(&m);
}

static uint64_t read_place(void *opaque, uint64_t offset, unsigned size)
{
    return GPOINTER_TO_UINT(opaque) + offset;
}

static const MemOps place_ops = { .read = read_place, .impl_max = 8, .unaligned = true };

/* A memo is never older than the map: every change that could alter its result invalidates it. */
static void test_memo(void)
{
    MemMemo memo[MODEL_BOXES][4] = { 0 };
    MemRegion *root;
    Model m;

    model_init(&m, 8);
    m.ram.host = g_malloc(MODEL_SPACE);
    for (int i = 0; i < MODEL_SPACE; i++) {
        m.ram.host[i] = 255 - i;
    }
    for (int i = 1; i < MODEL_LEAVES; i += 2) {
        m.leaf[i].ops = &place_ops;
        m.leaf[i].opaque = GUINT_TO_POINTER(i << 12);
    }
    for (int step = 0; step < 100000; step++) {
        unsigned box = random_below(&m, MODEL_BOXES), size = 1 << random_below(&m, 4);
        uint64_t x = random_below(&m, MODEL_SPACE), want = 0, got = 0;
        MemResult result;

        model_step(&m);
        root = &m.box[box];
        for (int i = 0; i < 3; i++, x = MIN(x + 1, MODEL_SPACE - 1)) {
            result = mem_read(root, x, size, &want);
            g_assert_cmpint(mem_read_memo(root, &memo[box][i], x, size, &got), ==, result);
            g_assert_cmphex(got, ==, want);
        }
    }
    model_fini(&m);
    g_free(m.ram.host);
}

/* A window on a region that is removed: no reference to it remains. */
static void test_memo_gone(void)
{
    static const MemOps ops = { 0 };
    MemRegion root = { 0 }, window = { 0 }, io = { 0 };
    MemMemo memo = { 0 };
    uint64_t v;

    mem_init_container(&root, "root", 0x1000, MEM_ONES);
    mem_init_mmio(&io, "io", 4, &ops, NULL);
    mem_init_window(&window, "window", &io, 0, 4);
    mem_map(&root, 0x10, &window, 0, 0);
    g_assert_cmpint(mem_read_memo(&root, &memo, 0x10, 4, &v), ==, MEM_OK);
    g_assert_cmpint(mem_write_memo(&root, &memo, 0x10, 4, 1), ==, MEM_OK);
    mem_fini(&io);
    g_assert_cmpint(mem_read_memo(&root, &memo, 0x10, 4, &v), ==, MEM_UNMAPPED);
    g_assert_cmphex(v, ==, UINT32_MAX);
    mem_fini(&window);
    mem_fini(&root);
}

static void test_ends(void)
{
    MemRegion root = { 0 }, io = { 0 }, none = { 0 };
    MemLookup l;

    mem_init_container(&root, "root", UINT64_MAX, MEM_ONES);
    mem_init_mmio(&io, "io", 0x1000, NULL, NULL);
    mem_map(&root, UINT64_MAX - 0xff, &io, 0, 0); /* extends past the end of everything */
    l = mem_lookup(&root, UINT64_MAX);
    g_assert_true(l.leaf == &io);
    g_assert_cmphex(l.offset, ==, 0xff);
    g_assert_cmphex(l.last, ==, UINT64_MAX);
    l = mem_lookup(&root, 0);
    g_assert_null(l.leaf);
    g_assert_cmpint(l.background, ==, MEM_ONES);
    g_assert_cmphex(l.last, ==, UINT64_MAX - 0x100);
    mem_fini(&root);

    mem_init_container(&none, "none", 0, MEM_ONES);
    g_assert_null(mem_lookup(&none, 0).leaf);
    mem_init_container(&none, "small", 0x100, MEM_ONES);
    l = mem_lookup(&none, 0x100);
    g_assert_cmpint(l.background, ==, MEM_TRANSPARENT);
    g_assert_cmphex(l.first, ==, 0x100);
}

static void test_deep(void)
{
    enum { DEEP = MEM_MAX_DEPTH + 8 };
    MemRegion box[DEEP] = { 0 }, io = { 0 };

    for (int i = 0; i < DEEP; i++) {
        mem_init_container(&box[i], "box", 0x100, MEM_TRANSPARENT);
        if (i) {
            mem_map(&box[i - 1], 0, &box[i], 0, 0);
        }
    }
    mem_init_mmio(&io, "io", 0x100, NULL, NULL);
    mem_map(&box[DEEP - 1], 0, &io, 0, 0);
    g_assert_null(mem_lookup(&box[0], 0).leaf);
    g_assert_true(mem_lookup(&box[8], 0).leaf == &io);
    for (int i = 0; i < DEEP; i++) {
        mem_fini(&box[i]);
    }
}

static void test_ram_ptr(void)
{
    MemRegion root = { 0 }, r = { 0 };
    RamBlock *block, *ram = ram_block_new("test", 0x4000, &(RamSource){ 0 }, NULL);
    uint64_t offset;

    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    mem_init_ram(&r, "ram", ram, 0x1000, 0x2000);
    mem_map(&root, 0x80000000, &r, 0, 0);
    g_assert_true(mem_ram_ptr(&root, 0x80000010, 16, &block, &offset) == ram->host + 0x1010);
    g_assert_true(block == ram);
    g_assert_cmphex(offset, ==, 0x1010);
    g_assert_nonnull(mem_ram_ptr(&root, 0x80001ff0, 16, NULL, NULL));
    g_assert_null(mem_ram_ptr(&root, 0x80001ff1, 16, NULL, NULL));
    g_assert_null(mem_ram_ptr(&root, 0x80000000, 0, NULL, NULL));
    g_assert_null(mem_ram_ptr(&root, 0x7ffffff8, 16, NULL, NULL));
    mem_fini(&root);
    ram_block_free(ram);
}

/* A hostile guest puts every BAR at one address: the lookup is still fast. */
static void test_pile(void)
{
    enum { MANY = 5000 };
    MemRegion root = { 0 }, *r = g_new0(MemRegion, MANY);

    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    for (int i = 0; i < MANY; i++) {
        mem_init_mmio(&r[i], "io", 0x1000, NULL, NULL);
        mem_map(&root, 0x1000, &r[i], 0, MANY - i);
    }
    for (int i = 0; i < 100000; i++) {
        g_assert_true(mem_lookup(&root, 0x1000 + i % 0x1000).leaf == &r[MANY - 1]);
    }
    mem_fini(&root);
    g_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/lookup/model", test_model);
    g_test_add_func("/memory/lookup/memo", test_memo);
    g_test_add_func("/memory/lookup/memo-gone", test_memo_gone);
    g_test_add_func("/memory/lookup/ends", test_ends);
    g_test_add_func("/memory/lookup/deep", test_deep);
    g_test_add_func("/memory/lookup/ram-ptr", test_ram_ptr);
    g_test_add_func("/memory/lookup/pile", test_pile);
    return g_test_run();
}

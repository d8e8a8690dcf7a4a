/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block cache and the records of code pages: lookup, writes, refinement, filling up.
 */
#include "fake.h"

typedef struct Env {
    RamBlock *ram;
    CodePages *pages;
    BlockCache *c;
} Env;

static Env env_new(void)
{
    Env e = { ram_block_new("ram", 16 * RAM_PAGE_SIZE, &(RamSource){ 0 }, NULL),
              codepages_get(NULL, NULL), g_new0(BlockCache, 1) };

    g_assert_true(blockcache_init(e.c, e.pages, 0));
    e.c->dead_op.id = 999;
    return e;
}

static void env_free(Env *e)
{
    blockcache_fini(e->c);
    codepages_put(e->pages);
    g_assert_null(e->ram->code_written);
    ram_block_free(e->ram);
    g_free(e->c);
}

static Block *add(Env *e, uint64_t va, uint64_t offset, unsigned len)
{
    codepages_mark(e->pages, e->ram, offset, len);
    Block *b = blockcache_new(e->c, 3, 2);
    b->va = va;
    b->host = (uintptr_t)e->ram->host + offset;
    b->len = len;
    b->ops[0].id = 1;
    blockcache_commit(e->c, b);
    return b;
}

static Block *look(Env *e, uint64_t va, uint64_t offset)
{
    return blockcache_find(e->c, va, (uintptr_t)e->ram->host + offset);
}

static void test_lookup(void)
{
    Env e = env_new();
    Block *a = add(&e, 0x1000, 0x1000, 16), *b = add(&e, 0x9000, 0x1000, 16);

    g_assert_true(look(&e, 0x1000, 0x1000) == a);
    g_assert_true(look(&e, 0x9000, 0x1000) == b);
    g_assert_null(look(&e, 0x9000, 0x2000));
    g_assert_true(block_link(a, 1) + 1 == block_link(a, 0));
    g_assert_null(blockcache_jump(e.c, 0x1000, 5));
    blockcache_jump_set(e.c, a, 5);
    g_assert_true(blockcache_jump(e.c, 0x1000, 5) == a);
    g_assert_null(blockcache_jump(e.c, 0x1000, 6));
    blockcache_new_generation(e.c, 1);
    g_assert_null(blockcache_jump(e.c, 0x1000, 5));
    env_free(&e);
}

/* A write drops the blocks that it overlaps and no others. The page is released with its last
 * block. */
static void test_write(void)
{
    Env e = env_new();
    Block *a = add(&e, 0x1000, 0x1000, 16), *b = add(&e, 0x1200, 0x1200, 16);

    g_assert_true(e.ram->pages[1] & RAM_PAGE_CODE);
    ram_written_any(e.ram, 0x1800, 8); /* no code there */
    g_assert_false(code_queue_any(&e.c->queue));
    ram_written_any(e.ram, 0x1008, 1);
    g_assert_true(code_queue_any(&e.c->queue));
    blockcache_sync(e.c, true);
    g_assert_null(look(&e, 0x1000, 0x1000));
    g_assert_cmpuint(a->ops[0].id, ==, 999);
    g_assert_true(a->dead);
    g_assert_true(look(&e, 0x1200, 0x1200) == b);
    g_assert_true(e.ram->pages[1] & RAM_PAGE_CODE);
    ram_written_any(e.ram, 0x1000, 8); /* the granule is unused now */
    g_assert_false(code_queue_any(&e.c->queue));
    ram_written_any(e.ram, 0x120f, 1);
    blockcache_sync(e.c, true);
    g_assert_null(look(&e, 0x1200, 0x1200));
    g_assert_false(e.ram->pages[1] & RAM_PAGE_CODE);
    env_free(&e);
}

/* A write over several pages, and one from another CPU's view: the record remains. */
static void test_wide_write(void)
{
    Env e = env_new();

    add(&e, 0x1000, 0x1ff0, 16);
    add(&e, 0x2000, 0x2000, 16);
    add(&e, 0x3000, 0x3000, 16);
    ram_written_any(e.ram, 0x1000, 0x1001);
    blockcache_sync(e.c, false);
    g_assert_null(look(&e, 0x1000, 0x1ff0));
    g_assert_null(look(&e, 0x2000, 0x2000));
    g_assert_nonnull(look(&e, 0x3000, 0x3000));
    g_assert_true(e.ram->pages[1] & RAM_PAGE_CODE);
    env_free(&e);
}

static void test_overflow(void)
{
    Env e = env_new();
    uint64_t epoch = e.c->epoch;

    add(&e, 0x1000, 0x1000, 16);
    add(&e, 0x3000, 0x3000, 16);
    for (unsigned i = 0; i <= CODE_QUEUE + 3; i++) {
        ram_written_any(e.ram, 0x1000, 1);
    }
    blockcache_sync(e.c, true);
    g_assert_null(look(&e, 0x3000, 0x3000));
    g_assert_cmpuint(e.c->epoch, ==, epoch + 1);
    g_assert_false(code_queue_any(&e.c->queue));
    env_free(&e);
}

static void test_full(void)
{
    Env e = env_new();

    add(&e, 0x1000, 0x1000, 16);
    e.c->used = ARENA_BYTES - 16;
    Block *b = add(&e, 0x2000, 0x2000, 16);
    g_assert_cmpuint(e.c->n_full, ==, 1);
    g_assert_null(look(&e, 0x1000, 0x1000));
    g_assert_true(look(&e, 0x2000, 0x2000) == b);
    env_free(&e);
}

static void test_granules(void)
{
    g_assert_cmphex(code_granules(0, 1), ==, 1);
    g_assert_cmphex(code_granules(63, 2), ==, 3);
    g_assert_cmphex(code_granules(0, RAM_PAGE_SIZE), ==, UINT64_MAX);
    g_assert_cmphex(code_granules(RAM_PAGE_SIZE - 1, 1), ==, UINT64_C(1) << 63);
    g_assert_cmphex(code_granules(5 * RAM_PAGE_SIZE + 128, 64), ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blockcache/lookup", test_lookup);
    g_test_add_func("/blockcache/write", test_write);
    g_test_add_func("/blockcache/wide-write", test_wide_write);
    g_test_add_func("/blockcache/overflow", test_overflow);
    g_test_add_func("/blockcache/full", test_full);
    g_test_add_func("/codepage/granules", test_granules);
    return g_test_run();
}

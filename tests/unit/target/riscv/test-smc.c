/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-modifying code: by the hart itself, through another mapping, from outside. Writes beside
 * code do not invalidate it. A full arena is reset.
 */
#include "harness.h"

/* A function at DATA that is called, patched by a store, and called again after fence.i. */
static void test_own_store(void)
{
    Hart *h = hart_new(NULL);

    h->at = DATA;
    emit_word(h, i_type("addi", 10, 10, 1));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->x[5] = DATA;
    h->cpu->x[6] = i_type("addi", 10, 10, 100);
    h->cpu->x[10] = 0;
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, s_type("sw", 6, 5, 0));
    emit_word(h, match_of("fence.i"));
    emit_word(h, i_type("jalr", 1, 5, 0));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 102);
    g_assert_cmpuint(h->cpu->blocks.n_dropped, >=, 1);
    hart_free(h);
}

/* A thousand patches of the function in a loop, with any state of the page. */
static void test_patch_loop(void)
{
    Hart *h = hart_new(NULL);

    h->at = DATA;
    emit_word(h, i_type("addi", 10, 10, 0));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->x[5] = DATA;
    h->cpu->x[6] = i_type("addi", 10, 10, 0);
    h->cpu->x[7] = 1 << 20; /* the immediate plus one */
    h->cpu->x[8] = 1000;
    h->cpu->x[10] = 0;
    emit_word(h, r_type("add", 6, 6, 7));
    emit_word(h, s_type("sw", 6, 5, 0));
    emit_word(h, match_of("fence.i"));
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, i_type("addi", 8, 8, -1));
    emit_word(h, b_type("bne", 8, 0, -20));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 500500);
    hart_free(h);
}

/* AMO, sc, fp and zeroing stores are writes, too. */
static void test_other_stores(void)
{
    Hart *h = hart_new(NULL);
    uint32_t plus1 = i_type("addi", 10, 10, 1), plus2 = i_type("addi", 10, 10, 2);
    uint32_t ret = i_type("jalr", 0, 1, 0);
    uint32_t writers[4] = { r_type("amoswap.w", 0, 5, 6), s_type("fsw", 6, 5, 0), 0,
                            s_type("sh", 6, 5, 0) };

    for (unsigned i = 0; i < 4; i++) {
        hart_reset(h);
        ram_store(h, DATA, plus1, 4);
        ram_store(h, DATA + 4, ret, 4);
        h->cpu->x[5] = DATA;
        h->cpu->x[6] = plus2;
        h->cpu->f[6] = plus2;
        h->cpu->x[10] = 0;
        emit_word(h, i_type("jalr", 1, 5, 0));
        if (writers[i]) {
            emit_word(h, writers[i]);
            if (i == 3) {
                emit_word(h, i_type("srli", 6, 6, 16));
                emit_word(h, s_type("sh", 6, 5, 2));
            }
        } else {
            emit_word(h, r_type("lr.w", 7, 5, 0));
            emit_word(h, r_type("sc.w", 7, 5, 6));
        }
        emit_word(h, match_of("fence.i"));
        emit_word(h, i_type("jalr", 1, 5, 0));
        hart_run_code(h);
        g_assert_cmpuint(h->cpu->x[10], ==, 3);
    }
    hart_free(h);
}

/* An atomic that is the first operation of its block and overwrites itself. */
static void test_own_block(void)
{
    Hart *h = hart_new(NULL);
    uint32_t amo = r_type("amoswap.w", 7, 5, 6), sc = r_type("sc.w", 9, 5, 6);

    h->at = DATA;
    emit_word(h, amo);
    emit_word(h, i_type("addi", 8, 8, 1));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->x[5] = DATA;
    h->cpu->x[6] = sc;
    h->cpu->x[8] = 0;
    h->cpu->x[9] = 7;
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, match_of("fence.i"));
    emit_word(h, r_type("lr.w", 10, 5, 0));
    emit_word(h, i_type("jalr", 1, 5, 0));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[0], ==, 0);
    g_assert_cmphex(h->cpu->x[7], ==, amo);
    g_assert_cmphex(h->cpu->x[9], ==, 0);
    g_assert_cmpuint(h->cpu->x[8], ==, 2);
    hart_free(h);
}

/* Data in a page with code: slow, but the code stays decoded. */
static void test_beside(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = CODE + 0x800;
    h->cpu->x[6] = 1;
    h->cpu->x[8] = 100;
    emit_word(h, s_type("sd", 6, 5, 0));
    emit_word(h, i_type("addi", 8, 8, -1));
    emit_word(h, b_type("bne", 8, 0, -8));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->blocks.n_dropped, ==, 0);
    g_assert_true(h->ram->pages[0] & RAM_PAGE_CODE);
    hart_free(h);
}

/* When the last code of a page is dropped, its stores become direct again. */
static void test_page_freed(void)
{
    Hart *h = hart_new(NULL);

    h->at = DATA;
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->x[5] = DATA;
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, s_type("sd", 0, 5, 0));
    emit_word(h, s_type("sd", 0, 5, 8));
    hart_run_code(h);
    g_assert_false(h->ram->pages[(DATA - RAM_BASE) / RAM_PAGE_SIZE] & RAM_PAGE_CODE);
    g_assert_cmphex(tlb_at(&h->cpu->tlb, TLB_WRITE, DATA)->tag & TLB_PAGE_MASK, ==, DATA);
    hart_free(h);
}

/* A page that is written directly and then contains code loses its direct entry. */
static void test_data_becomes_code(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA;
    h->cpu->x[6] = i_type("addi", 10, 10, 1);
    h->cpu->x[7] = i_type("jalr", 0, 1, 0);
    h->cpu->x[8] = i_type("addi", 10, 10, 7);
    h->cpu->x[10] = 0;
    emit_word(h, s_type("sw", 6, 5, 0));
    emit_word(h, s_type("sw", 7, 5, 4));
    emit_word(h, match_of("fence.i"));
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, s_type("sw", 8, 5, 0));
    emit_word(h, match_of("fence.i"));
    emit_word(h, i_type("jalr", 1, 5, 0));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 8);
    hart_free(h);
}

/* More writes from outside than the queue holds. */
static void test_many_from_outside(void)
{
    Hart *h = hart_new(NULL);

    h->at = DATA;
    emit_word(h, i_type("addi", 10, 10, 1));
    emit_word(h, i_type("jalr", 0, 1, 0));
    for (unsigned round = 0; round < 2; round++) {
        h->at = CODE;
        h->cpu->x[5] = DATA;
        h->cpu->x[10] = 0;
        emit_word(h, i_type("jalr", 1, 5, 0));
        hart_run_code(h);
        g_assert_cmpuint(h->cpu->x[10], ==, round ? 5 : 1);
        for (unsigned i = 0; i < 3 * CODE_QUEUE; i++) {
            ram_store(h, DATA, i_type("addi", 10, 10, 5), 4);
        }
    }
    hart_free(h);
}

/* Decode far more than the arena holds. */
static void test_arena_full(void)
{
    Hart *h = hart_new(NULL);

    h->at = DATA;
    for (unsigned i = 0; i < 1000; i++) {
        emit_word(h, i_type("addi", 10, 10, 1));
    }
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->blocks.used = ARENA_BYTES - 6000; /* as if much had been decoded */
    h->cpu->x[10] = 0;
    h->cpu->x[5] = DATA;
    for (unsigned i = 0; i < 8; i++) {
        emit_word(h, i_type("jalr", 1, 5, 0));
    }
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 8000);
    g_assert_cmpuint(h->cpu->blocks.n_full, ==, 1);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smc/own-store", test_own_store);
    g_test_add_func("/smc/patch-loop", test_patch_loop);
    g_test_add_func("/smc/other-stores", test_other_stores);
    g_test_add_func("/smc/own-block", test_own_block);
    g_test_add_func("/smc/beside", test_beside);
    g_test_add_func("/smc/page-freed", test_page_freed);
    g_test_add_func("/smc/data-becomes-code", test_data_becomes_code);
    g_test_add_func("/smc/many-from-outside", test_many_from_outside);
    g_test_add_func("/smc/arena-full", test_arena_full);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents of blocks: where they end, which pairs are fused, which exits are near.
 */
#include "harness.h"

static Block *block_at(Hart *h, uint64_t va)
{
    h->cpu->pc = va;
    Block *b = rv_block(h->cpu);
    g_assert_nonnull(b);
    g_assert_cmphex(b->va, ==, va);
    return b;
}

static void test_pairs(void)
{
    Hart *h = hart_new(NULL);

    emit_word(h, u_type("auipc", 5, 0x1000));
    emit_word(h, i_type("addi", 5, 5, 4));
    emit_word(h, u_type("lui", 6, 0x1000));
    emit_word(h, i_type("addiw", 6, 6, 4));
    emit_word(h, u_type("auipc", 7, 0x1000));
    emit_word(h, i_type("ld", 7, 7, 4));
    emit_word(h, i_type("addi", 0, 0, 0));
    emit_word(h, r_type("add", 8, 0, 9));
    emit_word(h, u_type("auipc", 1, 0x1000));
    emit_word(h, i_type("jalr", 1, 1, 8));
    Block *b = block_at(h, CODE);
    static const uint16_t want[] = { OP_LA, OP_LI, OP_LD_PC, OP_MV, OP_JAL_FAR };
    g_assert_cmpuint(b->n_ops, ==, G_N_ELEMENTS(want));
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        g_assert_cmpuint(b->ops[i].id, ==, want[i]);
    }
    g_assert_cmpint(b->ops[4].imm, ==, 0x1000 + 8 + 32);
    g_assert_cmpuint(b->ops[4].aux, ==, 10);
    g_assert_cmpuint(b->len, ==, 40);
    hart_free(h);
}

/* Branches stay inside a block. Jumps and instructions that change the machine end it. */
static void test_ends(void)
{
    static const char *const ends[] = { "ecall", "ebreak",  "mret",       "sret",
                                        "wfi",   "fence.i", "sfence.vma", "wrs.nto" };
    Hart *h = hart_new(NULL);

    emit_word(h, b_type("beq", 1, 2, 8));
    emit_word(h, b_type("bne", 1, 2, 4092));
    emit_word(h, i_type("addi", 5, 5, 1));
    emit_word(h, j_type("jal", 0, -12));
    emit_word(h, i_type("addi", 5, 5, 1));
    Block *b = block_at(h, CODE);
    g_assert_cmpuint(b->n_ops, ==, 4);
    g_assert_cmpuint(b->n_links, ==, 3);
    g_assert_cmpuint(b->ops[0].id, ==, OP_BEQ);
    g_assert_cmpuint(b->ops[1].id, ==, OP_BNE_FAR);
    g_assert_cmpuint(b->ops[3].id, ==, OP_JAL);
    for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
        h->at = DATA + i * 64;
        emit_word(h, i_type("addi", 5, 5, 1));
        emit_word(h, match_of(ends[i]));
        emit_word(h, i_type("addi", 5, 5, 1));
        b = block_at(h, DATA + i * 64);
        g_assert_cmpuint(b->n_ops, ==, 2);
        g_assert_cmpuint(b->len, ==, 8);
    }
    h->at = DATA + 0x800; /* a CSR without side effects does not end it */
    emit_word(h, csr_type("csrrw", 0, 0x340, 1));
    emit_word(h, csr_type("csrrw", 0, 0x100, 1));
    b = block_at(h, DATA + 0x800);
    g_assert_cmpuint(b->n_ops, ==, 2);
    g_assert_cmpuint(b->ops[0].id, ==, OP_CSR_FIELD);
    hart_free(h);
}

/* A block has at most that many instructions, and never extends past the end of a page. */
static void test_limits(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < 1024; i++) {
        emit_word(h, i_type("addi", 5, 5, 1));
    }
    Block *b = block_at(h, CODE);
    g_assert_cmpuint(b->len, <=, 256);
    g_assert_cmpuint(b->ops[b->n_ops - 1].id, ==, OP_END);
    b = block_at(h, CODE + 0xff0);
    g_assert_cmpuint(b->len, ==, 16);
    g_assert_cmpuint(b->ops[b->n_ops - 1].id, ==, OP_END_FAR);
    /* Only branches: as many as fit. */
    h->at = DATA;
    for (unsigned i = 0; i < 200; i++) {
        emit_word(h, b_type("beq", 1, 2, 8));
    }
    b = block_at(h, DATA);
    g_assert_cmpuint(b->n_links, <=, BLOCK_MAX_LINKS);
    hart_free(h);
}

/* One sequence of bytes at two addresses is two blocks; one address is one block. */
static void test_identity(void)
{
    Hart *h = hart_new(NULL);

    emit_word(h, j_type("jal", 0, 0));
    Block *a = block_at(h, CODE);
    g_assert_true(block_at(h, CODE) == a);
    mmu_flush(h->cpu);
    g_assert_true(block_at(h, CODE) == a);
    ram_store(h, CODE, i_type("addi", 5, 5, 1), 4);
    blockcache_sync(&h->cpu->blocks, true);
    g_assert_true(a->dead);
    g_assert_true(block_at(h, CODE) != a);
    hart_free(h);
}

/* An instruction across two pages is not cached by its address. */
static void test_edge(void)
{
    Hart *h = hart_new(NULL);

    h->at = CODE + 0xffe;
    emit_word(h, j_type("jal", 0, 64));
    Block *b = block_at(h, CODE + 0xffe);
    g_assert_cmpuint(b->dead, ==, BLOCK_ONCE);
    g_assert_cmpuint(b->ops[0].id, ==, OP_JAL_FAR);
    g_assert_null(blockcache_jump(&h->cpu->blocks, CODE + 0xffe, h->cpu->fetch_unique));
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/pairs", test_pairs);
    g_test_add_func("/block/ends", test_ends);
    g_test_add_func("/block/limits", test_limits);
    g_test_add_func("/block/identity", test_identity);
    g_test_add_func("/block/edge", test_edge);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed instructions: GNU as output is executed and compared with the manual.
 */
#include "harness.h"

typedef struct Case {
    uint16_t word;
    unsigned reg;  /* register to compare */
    uint64_t want; /* with x8 = DATA, x9 = 0x1234, x10 = -5, x11 = 7, x2 = DATA + 0x100 */
} Case;

static const Case cases[] = {
    { 0x0800, 8, DATA + 0x110 },           /* addi s0,sp,16 */
    { 0x4004, 9, 0x33221100 },             /* lw s1,0(s0) */
    { 0x6404, 9, 0x8877665544332211 + 0 }, /* ld s1,8(s0): see memory below */
    { 0x0515, 10, 0 },                     /* addi a0,a0,5 */
    { 0x2515, 10, 0 },                     /* addiw a0,a0,5 */
    { 0x557d, 10, -1 },                    /* li a0,-1 */
    { 0x6141, 2, DATA + 0x110 },           /* addi sp,sp,16 */
    { 0x6505, 10, 0x1000 },                /* lui a0,1 */
    { 0x8091, 9, 0x123 },                  /* srli s1,s1,4 */
    { 0x8511, 10, -1 },                    /* srai a0,a0,4 */
    { 0x88bd, 9, 4 },                      /* andi s1,s1,15 */
    { 0x8c8d, 9, 0x1234 - 7 },             /* sub s1,s1,a1 */
    { 0x8cad, 9, 0x1234 ^ 7 },             /* xor s1,s1,a1 */
    { 0x8ccd, 9, 0x1234 | 7 },             /* or s1,s1,a1 */
    { 0x8ced, 9, 0x1234 & 7 },             /* and s1,s1,a1 */
    { 0x9c8d, 9, 0x1234 - 7 },             /* subw s1,s1,a1 */
    { 0x9cad, 9, 0x1234 + 7 },             /* addw s1,s1,a1 */
    { 0x0492, 9, 0x12340 },                /* slli s1,s1,4 */
    { 0x84ae, 9, 7 },                      /* mv s1,a1 */
    { 0x94ae, 9, 0x1234 + 7 },             /* add s1,s1,a1 */
    { 0x4482, 9, 0x33221100 },             /* lw s1,0(sp) */
    { 0x64a2, 9, 0x8877665544332211 + 0 }, /* ld s1,8(sp) */
};

static void set_up(Hart *h)
{
    for (unsigned base = 0; base <= 0x100; base += 0x100) {
        ram_store(h, DATA + base, 0x33221100, 8);
        ram_store(h, DATA + base + 8, 0x8877665544332211, 8);
    }
    h->cpu->x[2] = DATA + 0x100;
    h->cpu->x[8] = DATA;
    h->cpu->x[9] = 0x1234;
    h->cpu->x[10] = (uint64_t)-5;
    h->cpu->x[11] = 7;
}

static void test_results(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_up(h);
        emit_word(h, cases[i].word);
        hart_run_code(h);
        if (h->cpu->x[cases[i].reg] != cases[i].want) {
            g_error("word 0x%04x: x%u is 0x%" PRIx64 ", not 0x%" PRIx64, cases[i].word,
                    cases[i].reg, h->cpu->x[cases[i].reg], cases[i].want);
        }
    }
    hart_free(h);
}

static void test_stores(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    emit_word(h, 0xc04c); /* sw a1,4(s0) */
    emit_word(h, 0xe80c); /* sd a1,16(s0) */
    emit_word(h, 0xc22e); /* sw a1,4(sp) */
    emit_word(h, 0xe82e); /* sd a1,16(sp) */
    hart_run_code(h);
    for (unsigned base = 0; base <= 0x100; base += 0x100) {
        g_assert_cmphex(ram_load(h, DATA + base + 4, 4), ==, 7);
        g_assert_cmphex(ram_load(h, DATA + base + 16, 8), ==, 7);
    }
    hart_free(h);
}

/* Return addresses and links of 2-byte calls. */
static void test_calls(void)
{
    Hart *h = hart_new(NULL);

    h->at = CODE + 0x200;
    emit_word(h, 0x8082); /* ret */
    h->at = CODE;
    h->cpu->x[9] = CODE + 0x200;
    h->cpu->x[10] = 0;
    h->cpu->x[11] = 1;
    emit_word(h, 0x9482); /* jalr s1 */
    emit_word(h, 0x86aa); /* mv a3,a0: pc + 2 was in ra */
    emit_word(h, 0xc119); /* beqz a0,.+6 */
    emit_word(h, 0x4585); /* li a1,1: skipped */
    emit_word(h, 0x4589); /* li a1,2: skipped */
    emit_word(h, 0xe191); /* bnez a1,.+4 */
    emit_word(h, 0x458d); /* li a1,3: skipped */
    emit_word(h, 0xa011); /* j .+4 */
    emit_word(h, 0x4591); /* li a1,4: skipped */
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[1], ==, CODE + 2);
    g_assert_cmpuint(h->cpu->x[11], ==, 1);
    hart_free(h);
}

/* c.ebreak stops with its own address; an all-zero word is illegal with tval 0. */
static void test_traps(void)
{
    Hart *h = hart_new(NULL);

    emit_word(h, 0x0001);
    emit_word(h, 0x9002);
    hart_expect_trap(h, CAUSE_BREAKPOINT, CODE + 2, CODE + 2);
    emit_word(h, 0x0001);
    emit_word(h, 0x0000);
    hart_expect_trap(h, CAUSE_ILLEGAL, CODE + 2, 0);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-c/results", test_results);
    g_test_add_func("/interp-c/stores", test_stores);
    g_test_add_func("/interp-c/calls", test_calls);
    g_test_add_func("/interp-c/traps", test_traps);
    return g_test_run();
}

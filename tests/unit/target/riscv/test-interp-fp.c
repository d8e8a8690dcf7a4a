/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point in the hart, which adds to sem_fp: register files, boxing, the rounding mode,
 * flags, mstatus.FS. (The arithmetic has separate tests.)
 */
#include "harness.h"
#include "target/riscv/sem_fp_internal.h"

#define ONE  UINT64_C(0x3ff0000000000000)
#define TWO  UINT64_C(0x4000000000000000)
#define ONES 0x3f800000u

static uint32_t fp(const char *text, unsigned rd, unsigned rs1, unsigned rs2, unsigned rm)
{
    return r_type(text, rd, rs1, rs2) | rm << 12;
}

static void test_off(void)
{
    Hart *h = hart_new(NULL);
    uint32_t words[] = { fp("fadd.d", 1, 2, 3, 0), i_type("fld", 1, 5, 0), s_type("fsw", 1, 5, 0),
                         r_type("fmv.x.d", 1, 2, 0), 0x2188 };

    h->cpu->x[5] = DATA;
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        h->cpu->mstatus &= ~MSTATUS_FS;
        emit_word(h, i_type("addi", 6, 0, i));
        emit_word(h, words[i]);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE + 4, words[i]);
        g_assert_cmpuint(h->cpu->x[6], ==, i);
    }
    /* Write a CSR of it. */
    h->cpu->mstatus &= ~MSTATUS_FS;
    emit_word(h, csr_type("csrrs", 6, 0x003, 0));
    hart_expect_trap(h, CAUSE_ILLEGAL, CODE, csr_type("csrrs", 6, 0x003, 0));
    hart_free(h);
}

static void test_dirty(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->mstatus = UINT64_C(1) << 13; /* initial */
    h->cpu->x[5] = 5;
    emit_word(h, r_type("fmv.d.x", 3, 5, 0));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->mstatus & MSTATUS_FS, ==, MSTATUS_FS);
    g_assert_cmphex(h->cpu->f[3], ==, 5);
    h->cpu->mstatus = UINT64_C(1) << 13;
    emit_word(h, csr_type("csrrwi", 0, 0x002, 3));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->mstatus & MSTATUS_FS, ==, MSTATUS_FS);
    g_assert_cmpuint(h->cpu->frm, ==, 3);
    hart_free(h);
}

static void test_boxing(void)
{
    Hart *h = hart_new(NULL);

    ram_store(h, DATA, ONES, 4);
    h->cpu->x[5] = DATA;
    h->cpu->f[2] = ONES; /* not boxed: a NaN */
    h->cpu->f[4] = UINT64_C(0x1234567800000000);
    emit_word(h, i_type("flw", 1, 5, 0));
    emit_word(h, fp("fadd.s", 3, 1, 1, 7));
    emit_word(h, fp("fadd.s", 6, 1, 2, 7));
    emit_word(h, r_type("fsgnj.s", 7, 2, 2));
    emit_word(h, r_type("fmv.x.w", 10, 4, 0)); /* the raw low half, not the canonical NaN */
    emit_word(h, r_type("fclass.s", 11, 2, 0));
    emit_word(h, s_type("fsw", 4, 5, 8));
    emit_word(h, s_type("fsd", 1, 5, 16));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->f[1], ==, fp_box(ONES));
    g_assert_cmphex(h->cpu->f[3], ==, fp_box(0x40000000));
    g_assert_cmphex(h->cpu->f[6], ==, fp_box(FP32_CANONICAL_NAN));
    g_assert_cmphex(h->cpu->f[7], ==, fp_box(FP32_CANONICAL_NAN));
    g_assert_cmphex(h->cpu->x[10], ==, 0);
    g_assert_cmphex(h->cpu->x[11], ==, 1 << 9);
    g_assert_cmphex(ram_load(h, DATA + 8, 4), ==, 0);
    g_assert_cmphex(ram_load(h, DATA + 16, 8), ==, fp_box(ONES));
    hart_free(h);
}

/* 1/3 in each static mode and through frm; reserved modes are illegal. */
static void test_rounding(void)
{
    Hart *h = hart_new(NULL);
    uint64_t three = UINT64_C(0x4008000000000000);

    for (unsigned rm = 0; rm <= 4; rm++) {
        uint8_t flags = 0;
        uint64_t want = sem_fdiv_d(ONE, three, rm, &flags);
        h->cpu->f[1] = ONE;
        h->cpu->f[2] = three;
        emit_word(h, csr_type("csrrwi", 0, 0x003, 0));
        emit_word(h, fp("fdiv.d", 3, 1, 2, rm));
        emit_word(h, csr_type("csrrwi", 0, 0x002, rm));
        emit_word(h, fp("fdiv.d", 4, 1, 2, 7));
        emit_word(h, csr_type("csrrs", 10, 0x001, 0));
        emit_word(h, csr_type("csrrs", 11, 0x003, 0));
        hart_run_code(h);
        g_assert_cmphex(h->cpu->f[3], ==, want);
        g_assert_cmphex(h->cpu->f[4], ==, want);
        g_assert_cmphex(h->cpu->x[10], ==, FFLAGS_NX);
        g_assert_cmphex(h->cpu->x[11], ==, FFLAGS_NX | rm << 5);
    }
    for (unsigned rm = 5; rm <= 7; rm++) {
        h->cpu->frm = rm;
        emit_word(h, fp("fmul.d", 3, 1, 2, 0));
        emit_word(h, fp("fdiv.d", 4, 1, 2, 7));
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE + 4, fp("fdiv.d", 4, 1, 2, 7));
    }
    hart_free(h);
}

/* Each operation of every format calls its own function with its operands in order. */
static void test_operands(void)
{
    Hart *h = hart_new(NULL);
    uint64_t a = UINT64_C(0x4014000000000000), b = TWO, c = ONE; /* 5, 2, 1 */
    uint8_t fl = 0;

    h->cpu->f[1] = a;
    h->cpu->f[2] = b;
    h->cpu->f[3] = c;
    h->cpu->x[5] = (uint64_t)-7;
    emit_word(h, fp("fsub.d", 10, 1, 2, 0));
    emit_word(h, fp("fdiv.d", 11, 1, 2, 0));
    emit_word(h, fp("fmadd.d", 12, 1, 2, 0) | 3u << 27);
    emit_word(h, fp("fnmsub.d", 13, 1, 2, 0) | 3u << 27);
    emit_word(h, fp("fmsub.d", 14, 1, 2, 0) | 3u << 27);
    emit_word(h, fp("fnmadd.d", 15, 1, 2, 0) | 3u << 27);
    emit_word(h, r_type("flt.d", 10, 2, 1));
    emit_word(h, r_type("fle.d", 11, 1, 2));
    emit_word(h, r_type("feq.d", 12, 1, 1));
    emit_word(h, r_type("fmin.d", 16, 1, 2));
    emit_word(h, r_type("fmax.d", 17, 1, 2));
    emit_word(h, r_type("fsgnjn.d", 18, 1, 2));
    emit_word(h, fp("fcvt.w.d", 13, 1, 0, 1));
    emit_word(h, match_of("fcvt.d.w") | 19u << 7 | 5u << 15);
    emit_word(h, match_of("fcvt.d.lu") | 20u << 7 | 5u << 15);
    emit_word(h, match_of("fcvt.s.d") | 21u << 7 | 1u << 15);
    emit_word(h, match_of("fcvt.d.s") | 22u << 7 | 21u << 15);
    emit_word(h, fp("fsqrt.d", 23, 2, 0, 0));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->f[10], ==, sem_fsub_d(a, b, 0, &fl));
    g_assert_cmphex(h->cpu->f[11], ==, sem_fdiv_d(a, b, 0, &fl));
    g_assert_cmphex(h->cpu->f[12], ==, sem_fmadd_d(a, b, c, 0, &fl));
    g_assert_cmphex(h->cpu->f[13], ==, sem_fnmsub_d(a, b, c, 0, &fl));
    g_assert_cmphex(h->cpu->f[14], ==, sem_fmsub_d(a, b, c, 0, &fl));
    g_assert_cmphex(h->cpu->f[15], ==, sem_fnmadd_d(a, b, c, 0, &fl));
    g_assert_cmpuint(h->cpu->x[10], ==, 1);
    g_assert_cmpuint(h->cpu->x[11], ==, 0);
    g_assert_cmpuint(h->cpu->x[12], ==, 1);
    g_assert_cmpuint(h->cpu->x[13], ==, 5);
    g_assert_cmphex(h->cpu->f[16], ==, b);
    g_assert_cmphex(h->cpu->f[17], ==, a);
    g_assert_cmphex(h->cpu->f[18], ==, a | FP64_SIGN);
    g_assert_cmphex(h->cpu->f[19], ==, sem_fcvt_d_w((uint64_t)-7, 0, &fl));
    g_assert_cmphex(h->cpu->f[20], ==, sem_fcvt_d_lu((uint64_t)-7, 0, &fl));
    g_assert_cmphex(h->cpu->f[21], ==, fp_box(sem_fcvt_s_d(a, 0, &fl)));
    g_assert_cmphex(h->cpu->f[22], ==, a);
    g_assert_cmphex(h->cpu->f[23], ==, sem_fsqrt_d(b, 0, &fl));
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-fp/off", test_off);
    g_test_add_func("/interp-fp/dirty", test_dirty);
    g_test_add_func("/interp-fp/boxing", test_boxing);
    g_test_add_func("/interp-fp/rounding", test_rounding);
    g_test_add_func("/interp-fp/operands", test_operands);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zfh, Zfhmin and Zfa in the hart, which adds to sem_fp: operands, boxing, the rounding mode,
 * flags. (The arithmetic has separate tests.) The words were made with the assembler of LLVM 19.
 */
#include "harness.h"
#include "target/riscv/sem_fp_internal.h"

/* The result of an instruction. f[1] to f[3] are fa1 to fa3, x is a1. */
typedef uint64_t WantFn(const uint64_t *f, uint64_t x, unsigned rm, uint8_t *fl);
#define WANT(name, expr)                                                                           \
    static uint64_t want_##name(const uint64_t *f, uint64_t x, unsigned rm, uint8_t *fl)           \
    {                                                                                              \
        return (expr);                                                                             \
    }
WANT(fmadd_h, fp_box_h(sem_fmadd_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fp_unbox_h(f[3]), rm, fl)))
WANT(fmsub_h, fp_box_h(sem_fmsub_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fp_unbox_h(f[3]), rm, fl)))
WANT(fnmsub_h, fp_box_h(sem_fnmsub_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fp_unbox_h(f[3]), rm, fl)))
WANT(fnmadd_h, fp_box_h(sem_fnmadd_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fp_unbox_h(f[3]), rm, fl)))
WANT(fadd_h, fp_box_h(sem_fadd_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), rm, fl)))
WANT(fsub_h, fp_box_h(sem_fsub_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), rm, fl)))
WANT(fmul_h, fp_box_h(sem_fmul_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), rm, fl)))
WANT(fdiv_h, fp_box_h(sem_fdiv_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), rm, fl)))
WANT(fsqrt_h, fp_box_h(sem_fsqrt_h(fp_unbox_h(f[1]), rm, fl)))
WANT(fsgnj_h, fp_box_h(sem_fsgnj_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]))))
WANT(fsgnjn_h, fp_box_h(sem_fsgnjn_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]))))
WANT(fsgnjx_h, fp_box_h(sem_fsgnjx_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]))))
WANT(fmin_h, fp_box_h(sem_fmin_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl)))
WANT(fmax_h, fp_box_h(sem_fmax_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl)))
WANT(feq_h, sem_feq_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl))
WANT(flt_h, sem_flt_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl))
WANT(fle_h, sem_fle_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl))
WANT(fclass_h, sem_fclass_h(fp_unbox_h(f[1])))
WANT(fmv_x_h, (uint64_t)(int64_t)(int16_t)f[1])
WANT(fmv_h_x, fp_box_h((uint16_t)x))
WANT(fcvt_w_h, sem_fcvt_w_h(fp_unbox_h(f[1]), rm, fl))
WANT(fcvt_wu_h, sem_fcvt_wu_h(fp_unbox_h(f[1]), rm, fl))
WANT(fcvt_l_h, sem_fcvt_l_h(fp_unbox_h(f[1]), rm, fl))
WANT(fcvt_lu_h, sem_fcvt_lu_h(fp_unbox_h(f[1]), rm, fl))
WANT(fcvt_h_w, fp_box_h(sem_fcvt_h_w(x, rm, fl)))
WANT(fcvt_h_wu, fp_box_h(sem_fcvt_h_wu(x, rm, fl)))
WANT(fcvt_h_l, fp_box_h(sem_fcvt_h_l(x, rm, fl)))
WANT(fcvt_h_lu, fp_box_h(sem_fcvt_h_lu(x, rm, fl)))
WANT(fcvt_s_h, fp_box(sem_fcvt_s_h(fp_unbox_h(f[1]), rm, fl)))
WANT(fcvt_h_s, fp_box_h(sem_fcvt_h_s(fp_unbox(f[1]), rm, fl)))
WANT(fcvt_d_h, sem_fcvt_d_h(fp_unbox_h(f[1]), rm, fl))
WANT(fcvt_h_d, fp_box_h(sem_fcvt_h_d(f[1], rm, fl)))
WANT(fli_s, fp_box(sem_fli_s(12)))
WANT(fli_d, sem_fli_d(12))
WANT(fli_h, fp_box_h(sem_fli_h(12)))
WANT(fminm_s, fp_box(sem_fminm_s(fp_unbox(f[1]), fp_unbox(f[2]), fl)))
WANT(fmaxm_s, fp_box(sem_fmaxm_s(fp_unbox(f[1]), fp_unbox(f[2]), fl)))
WANT(fminm_d, sem_fminm_d(f[1], f[2], fl))
WANT(fmaxm_d, sem_fmaxm_d(f[1], f[2], fl))
WANT(fminm_h, fp_box_h(sem_fminm_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl)))
WANT(fmaxm_h, fp_box_h(sem_fmaxm_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl)))
WANT(fround_s, fp_box(sem_fround_s(fp_unbox(f[1]), false, rm, fl)))
WANT(froundnx_s, fp_box(sem_fround_s(fp_unbox(f[1]), true, rm, fl)))
WANT(fround_d, sem_fround_d(f[1], false, rm, fl))
WANT(froundnx_d, sem_fround_d(f[1], true, rm, fl))
WANT(fround_h, fp_box_h(sem_fround_h(fp_unbox_h(f[1]), false, rm, fl)))
WANT(froundnx_h, fp_box_h(sem_fround_h(fp_unbox_h(f[1]), true, rm, fl)))
WANT(fleq_s, sem_fleq_s(fp_unbox(f[1]), fp_unbox(f[2]), fl))
WANT(fltq_s, sem_fltq_s(fp_unbox(f[1]), fp_unbox(f[2]), fl))
WANT(fleq_d, sem_fleq_d(f[1], f[2], fl))
WANT(fltq_d, sem_fltq_d(f[1], f[2], fl))
WANT(fleq_h, sem_fleq_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl))
WANT(fltq_h, sem_fltq_h(fp_unbox_h(f[1]), fp_unbox_h(f[2]), fl))
WANT(fcvtmod_w_d, sem_fcvtmod_w_d(f[1], fl))

static const struct {
    uint32_t word;
    WantFn *want;
    bool to_x, rounds;
} zfh_ops[] = {
    { 0x6cc5f543, want_fmadd_h, false, true },    { 0x6cc5f547, want_fmsub_h, false, true },
    { 0x6cc5f54b, want_fnmsub_h, false, true },   { 0x6cc5f54f, want_fnmadd_h, false, true },
    { 0x04c5f553, want_fadd_h, false, true },     { 0x0cc5f553, want_fsub_h, false, true },
    { 0x14c5f553, want_fmul_h, false, true },     { 0x1cc5f553, want_fdiv_h, false, true },
    { 0x5c05f553, want_fsqrt_h, false, true },    { 0x24c58553, want_fsgnj_h, false, false },
    { 0x24c59553, want_fsgnjn_h, false, false },  { 0x24c5a553, want_fsgnjx_h, false, false },
    { 0x2cc58553, want_fmin_h, false, false },    { 0x2cc59553, want_fmax_h, false, false },
    { 0xa4c5a553, want_feq_h, true, false },      { 0xa4c59553, want_flt_h, true, false },
    { 0xa4c58553, want_fle_h, true, false },      { 0xe4059553, want_fclass_h, true, false },
    { 0xe4058553, want_fmv_x_h, true, false },    { 0xf4058553, want_fmv_h_x, false, false },
    { 0xc405f553, want_fcvt_w_h, true, true },    { 0xc415f553, want_fcvt_wu_h, true, true },
    { 0xc425f553, want_fcvt_l_h, true, true },    { 0xc435f553, want_fcvt_lu_h, true, true },
    { 0xd405f553, want_fcvt_h_w, false, true },   { 0xd415f553, want_fcvt_h_wu, false, true },
    { 0xd425f553, want_fcvt_h_l, false, true },   { 0xd435f553, want_fcvt_h_lu, false, true },
    { 0x40258553, want_fcvt_s_h, false, true },   { 0x4405f553, want_fcvt_h_s, false, true },
    { 0x42258553, want_fcvt_d_h, false, true },   { 0x4415f553, want_fcvt_h_d, false, true },
    { 0xf0160553, want_fli_s, false, false },     { 0xf2160553, want_fli_d, false, false },
    { 0xf4160553, want_fli_h, false, false },     { 0x28c5a553, want_fminm_s, false, false },
    { 0x28c5b553, want_fmaxm_s, false, false },   { 0x2ac5a553, want_fminm_d, false, false },
    { 0x2ac5b553, want_fmaxm_d, false, false },   { 0x2cc5a553, want_fminm_h, false, false },
    { 0x2cc5b553, want_fmaxm_h, false, false },   { 0x4045f553, want_fround_s, false, true },
    { 0x4055f553, want_froundnx_s, false, true }, { 0x4245f553, want_fround_d, false, true },
    { 0x4255f553, want_froundnx_d, false, true }, { 0x4445f553, want_fround_h, false, true },
    { 0x4455f553, want_froundnx_h, false, true }, { 0xa0c5c553, want_fleq_s, true, false },
    { 0xa0c5d553, want_fltq_s, true, false },     { 0xa2c5c553, want_fleq_d, true, false },
    { 0xa2c5d553, want_fltq_d, true, false },     { 0xa4c5c553, want_fleq_h, true, false },
    { 0xa4c5d553, want_fltq_h, true, false },     { 0xc2859553, want_fcvtmod_w_d, true, false },
};

/* A register value of one of the formats, boxed or not. */
static uint64_t fp_value(GRand *rand)
{
    uint64_t v = interesting(rand), exp = 0x3c00 + g_rand_int_range(rand, -0x5000, 0x1000);

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return v;
    case 1:
    case 2:
        return fp_box((uint32_t)v & 0x8fffffff) ^ 0x30000000;
    case 3:
    case 4:
        return (v & UINT64_C(0x800fffffffffffff)) | (uint64_t)g_rand_int_range(rand, 0x3e0, 0x440)
                                                        << 52;
    case 5:
        return fp_box_h((uint16_t)exp);
    default:
        return fp_box_h((uint16_t)v);
    }
}

static void check_one(Hart *h, GRand *rand, unsigned i)
{
    uint64_t f[4] = { 0, fp_value(rand), fp_value(rand), fp_value(rand) }, x = interesting(rand);
    unsigned rm = g_rand_int_range(rand, 0, 5), frm = g_rand_int_range(rand, 0, 5);
    uint32_t word = zfh_ops[i].word;
    bool dynamic = g_rand_boolean(rand);
    uint8_t flags = 0;

    if (zfh_ops[i].rounds) {
        word = (word & ~0x7000u) | (dynamic ? 7 : rm) << 12;
        rm = dynamic ? frm : rm;
    }
    memcpy(&h->cpu->f[10], f, sizeof(f));
    h->cpu->x[11] = x;
    h->cpu->frm = frm;
    h->cpu->fflags = 0;
    emit_word(h, word);
    hart_run_code(h);
    uint64_t want = zfh_ops[i].want(f, x, rm, &flags);
    uint64_t got = zfh_ops[i].to_x ? h->cpu->x[10] : h->cpu->f[10];

    if (got != want || h->cpu->fflags != flags) {
        g_error("%08x gave 0x%" PRIx64 " flags %x, not 0x%" PRIx64 " flags %x", word, got,
                h->cpu->fflags, want, flags);
    }
}

static void test_random(void)
{
    Hart *h = hart_new(HART_ALL);
    GRand *rand = g_rand_new_with_seed(8);

    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(zfh_ops); i++) {
            check_one(h, rand, i);
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

static void test_memory(void)
{
    Hart *h = hart_new("zfhmin=on");

    ram_store(h, DATA, UINT64_C(0x1111bc0022223333), 8);
    h->cpu->x[11] = DATA;
    emit_word(h, 0x00459507); /* flh fa0,4(a1) */
    hart_run_code(h);
    g_assert_cmphex(h->cpu->f[10], ==, UINT64_C(0xffffffffffffbc00));
    h->cpu->x[11] = DATA + 12;
    emit_word(h, 0xfea59e27); /* fsh fa0,-4(a1) */
    hart_run_code(h);
    g_assert_cmphex(ram_load(h, DATA + 8, 8), ==, 0xbc00);
    hart_free(h);
}

/* Expect an illegal instruction for each listed word. */
static void expect_illegal(const char *features, const uint32_t *words, size_t n)
{
    Hart *h = hart_new(features);

    for (size_t i = 0; i < n; i++) {
        emit_word(h, words[i]);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE, words[i]);
    }
    hart_free(h);
}

static void test_off(void)
{
    static const uint32_t zfh_only[] = { 0x04c5f553, 0xe4059553 };
    static const uint32_t with_d[] = { 0x42258553, 0x4415f553 };
    static const uint32_t zfa_d[] = { 0xf2160553, 0xc2859553 };
    static const uint32_t zfa_h[] = { 0xf4160553 };
    static const uint32_t any[] = { 0x00459507, 0x00c5f553, 0x0ac5f553, 0x00452507 };

    expect_illegal("zfhmin=on", zfh_only, G_N_ELEMENTS(zfh_only));
    expect_illegal("zfh=on,d=off", with_d, G_N_ELEMENTS(with_d));
    expect_illegal("zfa=on,d=off", zfa_d, G_N_ELEMENTS(zfa_d));
    expect_illegal("zfa=on,zfhmin=on", zfa_h, G_N_ELEMENTS(zfa_h));
    expect_illegal("f=off,d=off", any, G_N_ELEMENTS(any));
}

/* Without floating point, mstatus.FS is zero and the CSRs do not exist. */
static void test_no_float(void)
{
    Hart *h = hart_new("f=off,d=off");
    uint64_t v = MSTATUS_FS;

    h->cpu->mstatus = 0;
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x300, true, &v));
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x300, false, &v));
    g_assert_cmphex(v & (MSTATUS_FS | MSTATUS_SD), ==, 0);
    g_assert_false(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x003, false, &v));
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x301, false, &v));
    g_assert_cmphex(v & 0x28, ==, 0); /* misa: D, F */
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-zfh/random", test_random);
    g_test_add_func("/interp-zfh/memory", test_memory);
    g_test_add_func("/interp-zfh/off", test_off);
    g_test_add_func("/interp-zfh/no-float", test_no_float);
    return g_test_run();
}

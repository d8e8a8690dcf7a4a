/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder compared with words that the assembler of LLVM 19 made: every instruction of the
 * extensions that were added to the first version of this CPU.
 */
#include <glib.h>

#include "harness.h"

/* clang-format off */
static const struct {
    uint32_t word;
    const char *text; /* row of the table */
} words[] = {
    { 0x0ac59533, "clmul" },
    { 0x0ac5a533, "clmulr" },
    { 0x0ac5b533, "clmulh" },
    { 0x08c5c533, "pack" },
    { 0x08c5f533, "packh" },
    { 0x08c5c53b, "packw" },
    { 0x6875d513, "brev8" },
    { 0x28c5a533, "xperm4" },
    { 0x28c5c533, "xperm8" },
    { 0x28c5a52f, "amocas.w" },
    { 0x28c5b52f, "amocas.d" },
    { 0x28c5c52f, "amocas.q" },
    { 0x0205e013, "prefetch.i" },
    { 0xfe15e013, "prefetch.r" },
    { 0x0035e013, "prefetch.w" },
    { 0x0005a00f, "cbo.inval" },
    { 0x0015a00f, "cbo.clean" },
    { 0x0025a00f, "cbo.flush" },
    { 0x00200033, "ntl.p1" },
    { 0x00300033, "ntl.pall" },
    { 0x00400033, "ntl.s1" },
    { 0x00500033, "ntl.all" },
    { 0x81c5c573, "mop.r" },
    { 0xcdf5c573, "mop.r" },
    { 0x82c5c573, "mop.rr" },
    { 0xcec5c573, "mop.rr" },
    { 0x6081, "c.mop" },
    { 0x6781, "c.mop" },
    { 0x81e8, "c.lbu" },
    { 0x81c8, "c.lbu" },
    { 0x85a8, "c.lhu" },
    { 0x85e8, "c.lh" },
    { 0x89a8, "c.sb" },
    { 0x8da8, "c.sh" },
    { 0x9d4d, "c.mul" },
    { 0x9d61, "c.zext.b" },
    { 0x9d65, "c.sext.b" },
    { 0x9d69, "c.zext.h" },
    { 0x9d6d, "c.sext.h" },
    { 0x9d71, "c.zext.w" },
    { 0x9d75, "c.not" },
    { 0x00459507, "flh" },
    { 0xfea59e27, "fsh" },
    { 0x6cc5f543, "fmadd.h" },
    { 0x6cc5f547, "fmsub.h" },
    { 0x6cc5f54b, "fnmsub.h" },
    { 0x6cc5f54f, "fnmadd.h" },
    { 0x04c5f553, "fadd.h" },
    { 0x0cc5f553, "fsub.h" },
    { 0x14c5f553, "fmul.h" },
    { 0x1cc5f553, "fdiv.h" },
    { 0x5c05f553, "fsqrt.h" },
    { 0x24c58553, "fsgnj.h" },
    { 0x24c59553, "fsgnjn.h" },
    { 0x24c5a553, "fsgnjx.h" },
    { 0x2cc58553, "fmin.h" },
    { 0x2cc59553, "fmax.h" },
    { 0xa4c5a553, "feq.h" },
    { 0xa4c59553, "flt.h" },
    { 0xa4c58553, "fle.h" },
    { 0xe4059553, "fclass.h" },
    { 0xe4058553, "fmv.x.h" },
    { 0xf4058553, "fmv.h.x" },
    { 0xc405f553, "fcvt.w.h" },
    { 0xc415f553, "fcvt.wu.h" },
    { 0xc425f553, "fcvt.l.h" },
    { 0xc435f553, "fcvt.lu.h" },
    { 0xd405f553, "fcvt.h.w" },
    { 0xd415f553, "fcvt.h.wu" },
    { 0xd425f553, "fcvt.h.l" },
    { 0xd435f553, "fcvt.h.lu" },
    { 0x40258553, "fcvt.s.h" },
    { 0x4405f553, "fcvt.h.s" },
    { 0x42258553, "fcvt.d.h" },
    { 0x4415f553, "fcvt.h.d" },
    { 0xf0160553, "fli.s" },
    { 0xf2160553, "fli.d" },
    { 0xf4160553, "fli.h" },
    { 0x28c5a553, "fminm.s" },
    { 0x28c5b553, "fmaxm.s" },
    { 0x2ac5a553, "fminm.d" },
    { 0x2ac5b553, "fmaxm.d" },
    { 0x2cc5a553, "fminm.h" },
    { 0x2cc5b553, "fmaxm.h" },
    { 0x4045f553, "fround.s" },
    { 0x4055f553, "froundnx.s" },
    { 0x4245f553, "fround.d" },
    { 0x4255f553, "froundnx.d" },
    { 0x4445f553, "fround.h" },
    { 0x4455f553, "froundnx.h" },
    { 0xa0c5c553, "fleq.s" },
    { 0xa0c5d553, "fltq.s" },
    { 0xa2c5c553, "fleq.d" },
    { 0xa2c5d553, "fltq.d" },
    { 0xa4c5c553, "fleq.h" },
    { 0xa4c5d553, "fltq.h" },
    { 0xc2859553, "fcvtmod.w.d" },
};
/* clang-format on */

static void test_words(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        Insn insn;

        g_assert_true(decode(words[i].word, UINT64_MAX, &insn));
        g_assert_cmpstr(isa_rows[insn.row].text, ==, words[i].text);
        g_assert_cmpuint(insn.len, ==, words[i].word >> 16 ? 4 : 2);
    }
}

/* Each row of these extensions is in the list above. */
static void test_complete(void)
{
    for (size_t i = 0; i < isa_n_rows; i++) {
        unsigned ext = isa_rows[i].ext, found = 0;

        if (ext <= EXT_SV48 || ext == EXT_ZBB_ZBKB) {
            continue;
        }
        for (size_t k = 0; k < G_N_ELEMENTS(words); k++) {
            found += g_str_equal(words[k].text, isa_rows[i].text);
        }
        if (!found) {
            g_error("no word of %s", isa_rows[i].text);
        }
    }
}

#define ANY 77 /* not compared */
static const struct {
    uint32_t word;
    uint8_t rd, rs1, rs2;
    int32_t imm;
} operands[] = {
    { 0x28c5c52f, 10, 11, 12, ANY },   /* amocas.q a0,a2,(a1) */
    { 0x0205e013, ANY, 11, ANY, 32 },  /* prefetch.i 32(a1) */
    { 0xfe15e013, ANY, 11, ANY, -32 }, /* prefetch.r -32(a1) */
    { 0x81e8, 10, 11, ANY, 3 },        /* c.lbu a0,3(a1) */
    { 0x81c8, 10, 11, ANY, 1 },        /* c.lbu a0,1(a1) */
    { 0x85a8, 10, 11, ANY, 2 },        /* c.lhu a0,2(a1) */
    { 0x85e8, 10, 11, ANY, 2 },        /* c.lh a0,2(a1) */
    { 0x89a8, ANY, 11, 10, 2 },        /* c.sb a0,2(a1) */
    { 0x8da8, ANY, 11, 10, 2 },        /* c.sh a0,2(a1) */
    { 0x9d4d, 10, 10, 11, ANY },       /* c.mul a0,a1 */
    { 0x9d61, 10, 10, ANY, 255 },      /* c.zext.b a0 */
    { 0x9d71, 10, 10, 0, ANY },        /* c.zext.w a0 */
    { 0x9d75, 10, 10, ANY, -1 },       /* c.not a0 */
    { 0x00459507, 10, 11, ANY, 4 },    /* flh fa0,4(a1) */
    { 0xfea59e27, ANY, 11, 10, -4 },   /* fsh fa0,-4(a1) */
};

static void test_operands(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(operands); i++) {
        Insn insn;

        g_assert_true(decode(operands[i].word, UINT64_MAX, &insn));
        g_assert_true(operands[i].rd == ANY || operands[i].rd == insn.rd);
        g_assert_true(operands[i].rs1 == ANY || operands[i].rs1 == insn.rs1);
        g_assert_true(operands[i].rs2 == ANY || operands[i].rs2 == insn.rs2);
        g_assert_true(operands[i].imm == ANY || operands[i].imm == insn.imm);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decode-ext/words", test_words);
    g_test_add_func("/decode-ext/complete", test_complete);
    g_test_add_func("/decode-ext/operands", test_operands);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder compared with the table of legal encodings and with an assembler's output.
 */
#include <glib.h>
#include <string.h>

#include "harness.h"

#define ALL UINT64_MAX

/* Without their extension, hints are other instructions, and Zbkb has the one of OP_ZEXT_H, too. */
static bool is_hint(const IsaRow *row)
{
    return row->ext == EXT_ZIHINTPAUSE || row->ext == EXT_ZIHINTNTL || row->ext == EXT_ZICBOP ||
           row->op == OP_ZEXT_H;
}

/* Every row must decode to itself from its own match bits with legal operands. */
static void test_rows(void)
{
    for (size_t i = 0; i < isa_n_rows; i++) {
        const IsaRow *row = &isa_rows[i];
        Insn insn;

        g_assert_cmphex(row->match & ~row->mask, ==, 0);
        /* All free bits one: every immediate is non-zero, every register x31 (or x15). Rounding
         * mode 7 is legal. */
        uint32_t word = row->match | ~row->mask;
        bool is16 = (row->match & 3) != 3;
        if (is16) {
            word &= 0xffff;
        }
        if (row->format == FMT_RQ) {
            word &= ~(1u << 7 | 1u << 20); /* even registers */
        }
        g_assert_true(decode(word, ALL, &insn));
        g_assert_cmpuint(insn.len, ==, is16 ? 2 : 4);
        if (strcmp(row->text, "c.jr") && strcmp(row->text, "c.jalr")) {
            g_assert_cmpstr(isa_rows[insn.row].text, ==, row->text);
        }
        if (row->ext != EXT_I && !is_hint(row)) {
            bool ok = decode(word, ALL & ~ISA_BIT(row->ext), &insn);
            g_assert_false(ok);
        }
    }
}

/* Random words are legal exactly if some row matches, and have that row's operation. */
static void test_random(void)
{
    GRand *rand = g_rand_new_with_seed(20261120);

    for (unsigned n = 0; n < 400000; n++) {
        uint32_t w = g_rand_int(rand);
        Insn insn;
        bool ok = decode(w, ALL, &insn);

        if (ok) {
            const IsaRow *row = &isa_rows[insn.row];
            uint32_t word = insn.len == 2 ? w & 0xffff : w;
            g_assert_cmphex(word & row->mask, ==, row->match);
            g_assert_cmpuint(insn.op, ==, row->op);
            g_assert_cmpuint(insn.op, <, OP_ISA_COUNT);
            g_assert_true(insn.rd < 32 && insn.rs1 < 32 && insn.rs2 < 32 && insn.rs3 < 32);
        } else if (insn_len(w) == 4) {
            for (size_t i = 0; i < isa_n_rows; i++) {
                const IsaRow *row = &isa_rows[i];
                bool rounding = row->format == FMT_FRM || row->format == FMT_FR4;
                unsigned rm = (w >> 12) & 7;
                g_assert_true((w & row->mask) != row->match || (row->match & 3) != 3 ||
                              row->format == FMT_RQ || (rounding && (rm == 5 || rm == 6)));
            }
        }
    }
    g_rand_free(rand);
}

typedef struct Sample {
    uint32_t word;
    OpId op;
    uint8_t rd, rs1, rs2;
    int32_t imm;
} Sample;

/* Words made with GNU as. */
static const Sample samples[] = {
    { 0xfff50513, OP_ADDI, 10, 10, 0, -1 },      /* addi a0,a0,-1 */
    { 0x80000537, OP_LUI, 10, 0, 0, INT32_MIN }, /* lui a0,0x80000 */
    { 0xfe0508e3, OP_BEQ, 0, 10, 0, -16 },       /* beqz a0,.-16 */
    { 0x7ff5b823, OP_SD, 0, 11, 31, 0x7f0 },     /* sd t6,2032(a1) */
    { 0xff1ff0ef, OP_JAL, 1, 0, 0, -16 },        /* jal .-16 */
    { 0x30529073, OP_CSRRW, 0, 5, 0, 0x305 },    /* csrw mtvec,t0 */
    { 0x4305d513, OP_SRAI, 10, 11, 0, 48 },      /* srai a0,a1,48 */
    { 0x1800b073, OP_CSRRC, 0, 1, 0, 0x180 },
    { 0x1141, OP_ADDI, 2, 2, 0, -16 },   /* addi sp,sp,-16 */
    { 0x0808, OP_ADDI, 10, 2, 0, 16 },   /* addi a0,sp,16 */
    { 0x7139, OP_ADDI, 2, 2, 0, -64 },   /* addi sp,sp,-64 */
    { 0x8082, OP_JALR, 0, 1, 0, 0 },     /* ret */
    { 0x9502, OP_JALR, 1, 10, 0, 0 },    /* jalr a0 */
    { 0x852e, OP_ADD, 10, 0, 11, 0 },    /* mv a0,a1 */
    { 0xe406, OP_SD, 0, 2, 1, 8 },       /* sd ra,8(sp) */
    { 0x60a2, OP_LD, 1, 2, 0, 8 },       /* ld ra,8(sp) */
    { 0x6105, OP_ADDI, 2, 2, 0, 32 },    /* addi sp,sp,32 */
    { 0x757d, OP_LUI, 10, 0, 0, -4096 }, /* lui a0,0xfffff */
    { 0xbfd5, OP_JAL, 0, 0, 0, -12 },    /* j .-12 */
    { 0x9d89, OP_SUBW, 11, 11, 10, 0 },  /* subw a1,a1,a0 */
    { 0x917d, OP_SRLI, 10, 10, 0, 63 },  /* srli a0,a0,63 */
};

static void test_samples(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(samples); i++) {
        const Sample *s = &samples[i];
        Insn insn;
        g_assert_true(decode(s->word, ALL, &insn));
        g_assert_cmpuint(insn.op, ==, s->op);
        bool no_rs1 = s->op == OP_LUI || s->op == OP_JAL;
        g_assert_true(no_rs1 || insn.rs1 == s->rs1);
        g_assert_cmpint(insn.imm, ==, s->imm);
        bool no_rd = s->op == OP_SD || s->op == OP_BEQ;
        g_assert_true(no_rd || insn.rd == s->rd);
        bool has_rs2 = no_rd || s->op == OP_ADD || s->op == OP_SUBW;
        g_assert_true(!has_rs2 || insn.rs2 == s->rs2);
    }
}

/* Encodings that the manual reserves. */
static void test_reserved(void)
{
    static const uint32_t words[] = {
        0x00000000,
        0xffffffff,
        0x0000, /* all zeroes, all ones */
        0x0004,
        0x2001,
        0x6101, /* addi4spn 0, addiw x0, addi16sp 0 */
        0x4002,
        0x6002,
        0x8002, /* lwsp x0, ldsp x0, jr x0 */
        0x9c79,
        0x9c00,                /* reserved in quadrants 1 and 0 */
        0x0200101b | 1u << 25, /* slliw with shamt[5] */
        0x02005053,            /* fadd.d with rm=5 */
        0x0030200f,            /* no such cbo */
        0x00200073,            /* uret */
    };
    Insn insn;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        if (words[i] != 0x00000000 || i == 0) {
            g_assert_false(decode(words[i], ALL, &insn));
        }
    }
    /* pause without Zihintpause is a fence. */
    g_assert_true(decode(0x0100000f, ALL & ~ISA_BIT(EXT_ZIHINTPAUSE), &insn));
    g_assert_cmpuint(insn.op, ==, OP_FENCE);
}

/* Every row has a text for any operands; a few of them are compared literally. */
static void test_text(void)
{
    static const struct {
        uint32_t word;
        const char *text;
    } texts[] = {
        { 0xfff50513, "addi a0,a0,-1" },
        { 0xe406, "c.sdsp ra,8(sp)" },
        { 0xfe0508e3, "beq a0,zero,0xff0" },
        { 0x80000537, "lui a0,0x80000" },
        { 0x852e, "c.mv a0,a1" },
        { 0x00000073, "ecall" },
        { 0x0202b583, "ld a1,32(t0)" },
        { 0x00b50067, "jalr zero,11(a0)" },
        { 0xff1ff0ef, "jal ra,0xff0" },
        { 0x30529073, "csrrw zero,mtvec,t0" },
        { 0x30046073, "csrrsi zero,mstatus,8" },
        { 0x1005252f, "lr.w a0,(a0)" },
        { 0x04b6352f, "amoadd.d.aq a0,a1,(a2)" },
        { 0x02c5f553, "fadd.d fa0,fa1,fa2" },
        { 0x02c59553, "fadd.d fa0,fa1,fa2,rtz" },
        { 0x6ac5f543, "fmadd.d fa0,fa1,fa2,fa3" },
        { 0xc2059553, "fcvt.w.d a0,fa1,rtz" },
        { 0xd2058553, "fcvt.d.w fa0,a1,rne" },
        { 0x4015f553, "fcvt.s.d fa0,fa1" },
        { 0xa2c5a553, "feq.d a0,fa1,fa2" },
        { 0xe2058553, "fmv.x.d a0,fa1" },
        { 0xf2058553, "fmv.d.x fa0,a1" },
        { 0xf0058553, "fmv.w.x fa0,a1" },
        { 0x5a05f553, "fsqrt.d fa0,fa1" },
        { 0xf2160553, "fli.d fa0,12" },
        { 0x12b50073, "sfence.vma a0,a1" },
        { 0x0045200f, "cbo.zero (a0)" },
        { 0x0205e013, "prefetch.i 32(a1)" },
        { 0x2000, "c.fld fs0,0(s0)" },
        { 0x81e8, "c.lbu a0,3(a1)" },
        { 0x9002, "c.ebreak" },
    };
    char buf[80];
    Insn insn;

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_assert_true(decode(texts[i].word, ALL, &insn));
        disassemble(&insn, 0x1000, buf, sizeof(buf));
        g_assert_cmpstr(buf, ==, texts[i].text);
    }
    for (size_t i = 0; i < isa_n_rows; i++) {
        if (decode(isa_rows[i].match | (~isa_rows[i].mask & 0xffff8f80), ALL, &insn)) {
            disassemble(&insn, UINT64_MAX, buf, sizeof(buf));
            g_assert_true(g_str_has_prefix(buf, isa_rows[insn.row].text));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decode/rows", test_rows);
    g_test_add_func("/decode/random", test_random);
    g_test_add_func("/decode/samples", test_samples);
    g_test_add_func("/decode/reserved", test_reserved);
    g_test_add_func("/decode/text", test_text);
    return g_test_run();
}

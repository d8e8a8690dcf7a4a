/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding of an instruction word: a scan of the rows of its major opcode, then the operands by
 * format (unprivileged ISA, "RV32/64G instruction set listings", C chapter 16.8).
 */
#include "target/riscv/isa_internal.h"

/* Row indices. A GROUP has the index of its first row. */
#define GROUP(name, index) GROUP_##name, BEFORE_##name = GROUP_##name - 1,
#define INSN(id, ...)      ROW_##id,
#define ALIAS(id, ...)     ROW_##id,
enum {
#include "target/riscv/isa.def"
};
#undef GROUP
#undef INSN
#undef ALIAS

#define GROUP(name, index)
#define INSN(id, text_, mask_, match_, fmt, ext_)                                                  \
    [ROW_##id] = { text_, mask_, match_, OP_##id, FMT_##fmt, EXT_##ext_ },
#define ALIAS(id, text_, mask_, match_, fmt, ext_, base)                                           \
    [ROW_##id] = { text_, mask_, match_, OP_##base, FMT_##fmt, EXT_##ext_ },
const IsaRow isa_rows[] = {
#include "target/riscv/isa.def"
};
#undef GROUP
#undef INSN
#undef ALIAS
const size_t isa_n_rows = sizeof(isa_rows) / sizeof(isa_rows[0]);

/* First row of each group plus one (0: no such group). */
#define GROUP(name, index) [index] = GROUP_##name + 1,
#define INSN(id, ...)
#define ALIAS(id, ...)
static const uint16_t group_first[] = {
#include "target/riscv/isa.def"
};
#undef GROUP
#undef INSN
#undef ALIAS

const char *const isa_x_names[32] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
    "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
    "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};
const char *const isa_f_names[32] = {
    "ft0", "ft1", "ft2", "ft3", "ft4",  "ft5",  "ft6", "ft7", "fs0",  "fs1",  "fa0",
    "fa1", "fa2", "fa3", "fa4", "fa5",  "fa6",  "fa7", "fs2", "fs3",  "fs4",  "fs5",
    "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
};

static inline uint32_t decode_bits(uint32_t w, unsigned high, unsigned low)
{
    return (w >> low) & ((1u << (high - low + 1)) - 1);
}

/* Return bits high..low of w, moved to bit `at`. */
static inline uint32_t decode_place(uint32_t w, unsigned high, unsigned low, unsigned at)
{
    return decode_bits(w, high, low) << at;
}

static inline int32_t decode_sext(uint32_t v, unsigned width)
{
    return (int32_t)(v << (32 - width)) >> (32 - width);
}

static int32_t decode_imm_s(uint32_t w)
{
    return decode_sext(decode_place(w, 31, 25, 5) | decode_bits(w, 11, 7), 12);
}

static int32_t decode_imm_b(uint32_t w)
{
    return decode_sext(decode_place(w, 31, 31, 12) | decode_place(w, 7, 7, 11) |
                           decode_place(w, 30, 25, 5) | decode_place(w, 11, 8, 1),
                       13);
}

static int32_t decode_imm_j(uint32_t w)
{
    return decode_sext(decode_place(w, 31, 31, 20) | decode_place(w, 19, 12, 12) |
                           decode_place(w, 20, 20, 11) | decode_place(w, 30, 21, 1),
                       21);
}

static bool operands_32(Insn *i, IsaFormat format)
{
    uint32_t w = i->word;

    i->rd = decode_bits(w, 11, 7);
    i->rs1 = decode_bits(w, 19, 15);
    i->rs2 = decode_bits(w, 24, 20);
    i->rs3 = decode_bits(w, 31, 27);
    i->rm = decode_bits(w, 14, 12);
    switch (format) {
    case FMT_I:
    case FMT_FI:
        i->imm = (int32_t)w >> 20;
        break;
    case FMT_CSR:
        i->imm = w >> 20;
        break;
    case FMT_SH6:
        i->imm = decode_bits(w, 25, 20);
        break;
    case FMT_SH5:
        i->imm = decode_bits(w, 24, 20);
        break;
    case FMT_RQ:
        return !((i->rd | i->rs2) & 1);
    case FMT_PF:
        i->imm = (int32_t)(w & 0xfe000000) >> 20;
        break;
    case FMT_S:
    case FMT_FS:
        i->imm = decode_imm_s(w);
        break;
    case FMT_B:
        i->imm = decode_imm_b(w);
        break;
    case FMT_U:
        i->imm = (int32_t)(w & 0xfffff000);
        break;
    case FMT_J:
        i->imm = decode_imm_j(w);
        break;
    case FMT_FRM:
    case FMT_FR4:
        return i->rm != 5 && i->rm != 6;
    default:
        break;
    }
    return true;
}

static int32_t imm_ci(uint32_t w)
{
    return decode_sext(decode_place(w, 12, 12, 5) | decode_bits(w, 6, 2), 6);
}

static int32_t imm_cj(uint32_t w)
{
    return decode_sext(decode_place(w, 12, 12, 11) | decode_place(w, 11, 11, 4) |
                           decode_place(w, 10, 9, 8) | decode_place(w, 8, 8, 10) |
                           decode_place(w, 7, 7, 6) | decode_place(w, 6, 6, 7) |
                           decode_place(w, 5, 3, 1) | decode_place(w, 2, 2, 5),
                       12);
}

static int32_t imm_cb(uint32_t w)
{
    return decode_sext(decode_place(w, 12, 12, 8) | decode_place(w, 11, 10, 3) |
                           decode_place(w, 6, 5, 6) | decode_place(w, 4, 3, 1) |
                           decode_place(w, 2, 2, 5),
                       9);
}

static void decode_set(Insn *i, unsigned rd, unsigned rs1, unsigned rs2, int32_t imm)
{
    i->rd = rd;
    i->rs1 = rs1;
    i->rs2 = rs2;
    i->imm = imm;
}

/* Quadrant 0: loads and stores through x8..x15, and c.addi4spn. */
static bool operands_c0(Insn *i, IsaFormat format)
{
    uint32_t w = i->word;
    unsigned r1 = 8 + decode_bits(w, 9, 7), r2 = 8 + decode_bits(w, 4, 2);
    uint32_t word =
        decode_place(w, 12, 10, 3) | decode_place(w, 6, 6, 2) | decode_place(w, 5, 5, 6);
    uint32_t dword = decode_place(w, 12, 10, 3) | decode_place(w, 6, 5, 6);
    uint32_t byte = decode_place(w, 5, 5, 1) | decode_bits(w, 6, 6);
    uint32_t sp4 = decode_place(w, 12, 11, 4) | decode_place(w, 10, 7, 6) |
                   decode_place(w, 6, 6, 2) | decode_place(w, 5, 5, 3);

    switch (format) {
    case FMT_CIW:
        decode_set(i, r2, 2, 0, sp4);
        return sp4 != 0;
    case FMT_CLW:
        decode_set(i, r2, r1, 0, word);
        return true;
    case FMT_CLD:
        decode_set(i, r2, r1, 0, dword);
        return true;
    case FMT_CSW:
        decode_set(i, 0, r1, r2, word);
        return true;
    case FMT_CZ_BYTE:
        decode_set(i, r2, r1, 0, byte);
        return true;
    case FMT_CZ_HALF:
        decode_set(i, r2, r1, 0, byte & 2);
        return true;
    case FMT_CZ_STORE_BYTE:
        decode_set(i, 0, r1, r2, byte);
        return true;
    case FMT_CZ_STORE_HALF:
        decode_set(i, 0, r1, r2, byte & 2);
        return true;
    default:
        decode_set(i, 0, r1, r2, dword);
        return true;
    }
}

static bool operands_c1(Insn *i, IsaFormat format)
{
    uint32_t w = i->word;
    unsigned rd = decode_bits(w, 11, 7), r1 = 8 + decode_bits(w, 9, 7),
             r2 = 8 + decode_bits(w, 4, 2);
    int32_t imm = imm_ci(w), sp16;

    switch (format) {
    case FMT_CI:
        decode_set(i, rd, rd, 0, imm);
        return true;
    case FMT_CI_RD:
        decode_set(i, rd, rd, 0, imm);
        return rd != 0;
    case FMT_CLI:
        decode_set(i, rd, 0, 0, imm);
        return true;
    case FMT_CI16SP:
        sp16 = decode_sext(decode_place(w, 12, 12, 9) | decode_place(w, 6, 6, 4) |
                               decode_place(w, 5, 5, 6) | decode_place(w, 4, 3, 7) |
                               decode_place(w, 2, 2, 5),
                           10);
        decode_set(i, 2, 2, 0, sp16);
        return sp16 != 0;
    case FMT_CLUI:
        decode_set(i, rd, 0, 0, (int32_t)((uint32_t)imm << 12));
        return imm != 0;
    case FMT_CB_SH:
        decode_set(i, r1, r1, 0, imm & 63);
        return true;
    case FMT_CB_IMM:
        decode_set(i, r1, r1, 0, imm);
        return true;
    case FMT_CA:
        decode_set(i, r1, r1, r2, 0);
        return true;
    case FMT_CZ_UNARY:
        decode_set(i, r1, r1, 0, 0);
        return true;
    case FMT_CZ_ZEXT:
        decode_set(i, r1, r1, 0, 0xff);
        return true;
    case FMT_CZ_NOT:
        decode_set(i, r1, r1, 0, -1);
        return true;
    case FMT_NONE:
        return true;
    case FMT_CJ:
        decode_set(i, 0, 0, 0, imm_cj(w));
        return true;
    default:
        decode_set(i, 0, r1, 0, imm_cb(w));
        return true;
    }
}

static bool operands_c2(Insn *i, IsaFormat format)
{
    uint32_t w = i->word;
    unsigned rd = decode_bits(w, 11, 7), rs2 = decode_bits(w, 6, 2);
    uint32_t ldsp =
        decode_place(w, 12, 12, 5) | decode_place(w, 6, 5, 3) | decode_place(w, 4, 2, 6);
    uint32_t lwsp =
        decode_place(w, 12, 12, 5) | decode_place(w, 6, 4, 2) | decode_place(w, 3, 2, 6);

    switch (format) {
    case FMT_CI_SH:
        decode_set(i, rd, rd, 0, imm_ci(w) & 63);
        return true;
    case FMT_CI_LDSP:
        decode_set(i, rd, 2, 0, ldsp);
        return true;
    case FMT_CI_LDSP_RD:
        decode_set(i, rd, 2, 0, ldsp);
        return rd != 0;
    case FMT_CI_LWSP:
        decode_set(i, rd, 2, 0, lwsp);
        return rd != 0;
    case FMT_CR_JR:
        decode_set(i, 0, rd, 0, 0);
        return rd != 0;
    case FMT_CR_JALR:
        decode_set(i, 1, rd, 0, 0);
        return rd != 0;
    case FMT_CR_MV:
        decode_set(i, rd, 0, rs2, 0);
        return rs2 != 0;
    case FMT_CR_ADD:
        decode_set(i, rd, rd, rs2, 0);
        return rs2 != 0;
    case FMT_CSS_SD:
        decode_set(i, 0, 2, rs2, decode_place(w, 12, 10, 3) | decode_place(w, 9, 7, 6));
        return true;
    case FMT_CSS_SW:
        decode_set(i, 0, 2, rs2, decode_place(w, 12, 9, 2) | decode_place(w, 8, 7, 6));
        return true;
    default:
        decode_set(i, 0, 0, 0, 0);
        return true;
    }
}

static bool operands(Insn *i, IsaFormat format)
{
    if (i->len == 4) {
        return operands_32(i, format);
    }
    switch (i->word & 3) {
    case 0:
        return operands_c0(i, format);
    case 1:
        return operands_c1(i, format);
    default:
        return operands_c2(i, format);
    }
}

uint64_t isa_features(uint64_t features)
{
    /* An instruction requires all of `all` (0: nothing), and one of `any` (0: nothing). */
    static const struct {
        IsaExt ext;
        uint64_t all, any;
    } derived[] = {
        { EXT_ZFHMIN, 0, ISA_BIT(EXT_ZFHMIN) | ISA_BIT(EXT_ZFH) },
        { EXT_ZBB_ZBKB, 0, ISA_BIT(EXT_ZBB) | ISA_BIT(EXT_ZBKB) },
        { EXT_ZBC_ZBKC, 0, ISA_BIT(EXT_ZBC) | ISA_BIT(EXT_ZBKC) },
        { EXT_ZFHMIN_D, ISA_BIT(EXT_ZFHMIN) | ISA_BIT(EXT_D), 0 },
        { EXT_ZFA_D, ISA_BIT(EXT_ZFA) | ISA_BIT(EXT_D), 0 },
        { EXT_ZFA_ZFH, ISA_BIT(EXT_ZFA) | ISA_BIT(EXT_ZFH), 0 },
        { EXT_ZCB_M, ISA_BIT(EXT_ZCB) | ISA_BIT(EXT_M), 0 },
        { EXT_ZCB_ZBA, ISA_BIT(EXT_ZCB) | ISA_BIT(EXT_ZBA), 0 },
        { EXT_ZCB_ZBB, ISA_BIT(EXT_ZCB) | ISA_BIT(EXT_ZBB), 0 },
    };

    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
        bool all = (features & derived[i].all) == derived[i].all;
        bool any = !derived[i].any || (features & derived[i].any);

        features &= ~ISA_BIT(derived[i].ext);
        features |= all && any ? ISA_BIT(derived[i].ext) : 0;
    }
    return features;
}

bool decode(uint32_t word, uint64_t features, Insn *insn)
{
    *insn = (Insn){ .len = insn_len(word), .word = word };
    unsigned group = (word >> 2) & 31;

    if (insn->len == 2) {
        if (!(features & ISA_BIT(EXT_C))) {
            return false;
        }
        insn->word = word & 0xffff;
        group = 32 + (word & 3);
    }
    unsigned first = group_first[group];
    if (first == 0) {
        return false;
    }
    uint32_t w = insn->word, opcode = insn->len == 4 ? 0x7f : 3;
    for (const IsaRow *row = &isa_rows[first - 1]; row < isa_rows + isa_n_rows; row++) {
        if ((row->match ^ w) & opcode) {
            break;
        }
        if ((w & row->mask) == row->match && (features & ISA_BIT(row->ext))) {
            insn->op = row->op;
            insn->row = row - isa_rows;
            if (operands(insn, row->format)) {
                return true;
            }
        }
    }
    return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction set as data: operation ids, the row of each encoding, and the decoder.
 *
 * decode() is pure: it accesses neither CPU state nor memory.
 */
#ifndef TARGET_RISCV_ISA_H
#define TARGET_RISCV_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Extensions of instructions and CSRs: bit numbers of a feature mask. */
typedef enum IsaExt {
    EXT_I,
    EXT_M,
    EXT_A,
    EXT_F,
    EXT_D,
    EXT_C,
    EXT_ZBA,
    EXT_ZBB,
    EXT_ZBS,
    EXT_ZICBOZ,
    EXT_ZICOND,
    EXT_ZAWRS,
    EXT_ZIHINTPAUSE,
    EXT_SSTC,
    EXT_SVINVAL,
    EXT_SVVPTC,
    EXT_SVADU,
    EXT_SVPBMT,
    EXT_SVNAPOT,
    EXT_SMAIA,
    EXT_SSAIA,
    EXT_SV48,
    EXT_ZBC,
    EXT_ZBKB,
    EXT_ZBKC,
    EXT_ZBKX,
    EXT_ZFH,
    EXT_ZFHMIN,
    EXT_ZFA,
    EXT_ZACAS,
    EXT_ZCB,
    EXT_ZICBOM,
    EXT_ZICBOP,
    EXT_ZIHINTNTL,
    EXT_ZIMOP,
    EXT_ZCMOP,
    EXT_SVADE,
    EXT_SSCOFPMF,
    EXT_SMSTATEEN,
    EXT_SDTRIG,
    /* Derived from the others (isa_features()): an instruction of two extensions, or one that
     * requires two. */
    EXT_ZBB_ZBKB,
    EXT_ZBC_ZBKC,
    EXT_ZFHMIN_D,
    EXT_ZFA_D,
    EXT_ZFA_ZFH,
    EXT_ZCB_M,
    EXT_ZCB_ZBA,
    EXT_ZCB_ZBB,
    EXT_COUNT
} IsaExt;

/* A set of extensions. */
#define ISA_BIT(ext) (UINT64_C(1) << (ext))

/* Location of the operands in the word: see decode.c. */
typedef enum IsaFormat {
    FMT_NONE,
    FMT_R,
    FMT_R2,
    FMT_RQ, /* the register pairs rd and rs2 must be even */
    FMT_RS1,
    FMT_PF,
    FMT_RS12,
    FMT_I,
    FMT_SH6,
    FMT_SH5,
    FMT_S,
    FMT_B,
    FMT_U,
    FMT_J,
    FMT_CSR,
    FMT_FI,
    FMT_FS,
    FMT_FR,
    FMT_FRM,
    FMT_FR4,
    FMT_CIW,
    FMT_CLW,
    FMT_CLD,
    FMT_CSW,
    FMT_CSD,
    FMT_CI,
    FMT_CI_RD,
    FMT_CLI,
    FMT_CI16SP,
    FMT_CLUI,
    FMT_CB_SH,
    FMT_CB_IMM,
    FMT_CA,
    FMT_CJ,
    FMT_CB,
    FMT_CI_SH,
    FMT_CI_LDSP,
    FMT_CI_LWSP,
    FMT_CI_LDSP_RD,
    FMT_CR_JR,
    FMT_CR_MV,
    FMT_CR_JALR,
    FMT_CR_ADD,
    FMT_CSS_SD,
    FMT_CSS_SW,
    FMT_CZ_BYTE,
    FMT_CZ_HALF,
    FMT_CZ_STORE_BYTE,
    FMT_CZ_STORE_HALF,
    FMT_CZ_UNARY,
    FMT_CZ_ZEXT,
    FMT_CZ_NOT
} IsaFormat;

/* Operation ids: one per instruction, then those that only blocks contain (block_internal.h). */
#define GROUP(name, index)
#define ALIAS(id, ...)
#define INSN(id, ...) OP_##id,
typedef enum OpId {
#include "target/riscv/isa.def"
    OP_ISA_COUNT,
} OpId;
#undef GROUP
#undef ALIAS
#undef INSN

typedef struct IsaRow {
    const char *text;
    uint32_t mask, match;
    uint16_t op;
    uint8_t format, ext;
} IsaRow;

extern const IsaRow isa_rows[];
extern const size_t isa_n_rows;

/* A decoded instruction. Register numbers are those of the instruction: 0 is x0 or f0. */
typedef struct Insn {
    uint16_t op;
    uint16_t row; /* index in isa_rows */
    uint8_t len;  /* bytes: 2 or 4 */
    uint8_t rd, rs1, rs2, rs3, rm;
    int32_t imm; /* sign-extended. CSR instructions: the CSR number; the register or the 5-bit
                    immediate is in rs1 */
    uint32_t word;
} Insn;

/* Return the length in bytes of the instruction that starts with a half-word. */
static inline unsigned insn_len(uint16_t low)
{
    return (low & 3) == 3 ? 4 : 2;
}

/* Decode one instruction. The upper half of `word` is ignored for a 16-bit instruction. `features`
 * is a set of ISA_BIT(), from isa_features(). Return false if the encoding is illegal with these
 * extensions; insn->len and insn->word are set in either case. */
bool decode(uint32_t word, uint64_t features, Insn *insn);

/* Return a set of extensions with those that it implies and the derived ones. */
uint64_t isa_features(uint64_t features);

/* Write the instruction in assembler syntax ("addi a0,a0,-1") to buf, for logs. */
void disassemble(const Insn *insn, uint64_t pc, char *buf, size_t size);

/* ABI names of the 32 integer and floating-point registers. */
extern const char *const isa_x_names[32], *const isa_f_names[32];

#endif

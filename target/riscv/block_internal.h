/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that only blocks contain, beside those of the instruction set: fused pairs, exits
 * that leave the page, checks.
 *
 * Fields by operation. An exit: imm is the target relative to the block's va, aux the number of
 * instructions retired up to and with it. Branches have their link's number in rd, jumps in rs1
 * (and the instruction's length in rs2), CSR accesses and the end of a block in rs2.
 */
#ifndef TARGET_RISCV_BLOCK_H
#define TARGET_RISCV_BLOCK_H

#include <string.h>

#include "target/riscv/hart_internal.h"

/* clang-format off */
#define BLOCK_OPS(X)                                                                        \
    X(LI)       /* rd = imm */                                                              \
    X(LA)       /* rd = va + imm: auipc, alone or with the addi after it */                 \
    X(MV)       /* rd = rs1 */                                                              \
    X(LD_PC)    /* auipc and ld through it: rd = [va + imm]; aux is the offset of the ld */ \
    X(LW_PC)                                                                                \
    X(BEQ_FAR)                                                                              \
    X(BNE_FAR)                                                                              \
    X(BLT_FAR)                                                                              \
    X(BGE_FAR)                                                                              \
    X(BLTU_FAR)                                                                             \
    X(BGEU_FAR)                                                                             \
    X(JAL_FAR)                                                                              \
    X(END)      /* continue at imm, in the same page */                                     \
    X(END_FAR)                                                                              \
    X(FP_CHECK) /* checks mstatus.FS before the first use of floating point; imm is the     \
                   instruction word there */                                                \
    X(LOG)      /* -d exec, -d cpu: imm is the instruction word that follows */             \
    X(UNDEF)    /* illegal instruction: imm is the word */                                  \
    X(DEAD)     /* the code changed: look the address up again */
/* clang-format on */

#define X(id) OP_##id,
enum { OP_BLOCK_FIRST = OP_ISA_COUNT - 1, BLOCK_OPS(X) OP_COUNT };
#undef X

/* Block.dead: the block may be entered once, but not be linked to or remembered. */
enum { BLOCK_LIVE, BLOCK_DEAD, BLOCK_ONCE };

/* A block under construction. */
#define BLOCK_MAX_BYTES 480 /* Op.off counts half-words in a byte */

typedef struct Builder {
    RiscvCpu *cpu;
    uint64_t va;
    const uint8_t *host;
    unsigned off; /* of the instruction at hand */
    unsigned n_ops, n_links, n_insns;
    unsigned address_op; /* index + 1 of the lui or auipc just before, else 0 */
    bool fp_checked, done, once;
    Op ops[BLOCK_MAX_OPS + 8];
} Builder;

/* Decode one instruction (a word) at b->off; all from b->host to the block's end; and go on behind
 * what was decoded. */
void builder_add(Builder *b, uint32_t word);
void builder_add_all(Builder *b);
void builder_end(Builder *b);

/* The instruction of len bytes at p, and the length of the one there. */
static inline uint32_t word_at(const uint8_t *p, unsigned len)
{
    uint16_t low, high = 0;

    memcpy(&low, p, 2);
    if (len == 4) {
        memcpy(&high, p + 2, 2);
    }
    return low | (uint32_t)high << 16;
}

static inline unsigned len_at(const uint8_t *p)
{
    uint16_t low;

    memcpy(&low, p, 2);
    return insn_len(low);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that only blocks contain, in addition to those of the instruction set: fused pairs,
 * exits that leave the page, checks.
 *
 * Fields of an exit: imm is the target relative to the block's va, aux the number of instructions
 * retired up to and including the exit. The number of the link is in rd of branches, in rs1 of
 * jumps (which have the instruction's length in rs2), and in rs2 of CSR accesses and of the end of
 * a block.
 */
#ifndef TARGET_RISCV_BLOCK_H
#define TARGET_RISCV_BLOCK_H

#include <string.h>

#include "target/riscv/hart_internal.h"

/* clang-format off */
#define BLOCK_OPS(X)                                                                        \
    X(LI)       /* rd = imm */                                                              \
    X(LA)       /* rd = va + imm: auipc, alone or fused with the following addi */                 \
    X(MV)       /* rd = rs1 */                                                              \
    X(LD_PC)    /* auipc fused with ld: rd = [va + imm]; aux is the offset of the ld */ \
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
    X(CSR_FIELD) /* csrrw to csrrci (aux: 0 to 5) of a register without side effects */     \
    X(FP_CHECK) /* checks mstatus.FS before the first use of floating point; imm is the     \
                   instruction word there */                                                \
    X(LOG)      /* -d exec, -d cpu: imm is the instruction word that follows */             \
    X(BREAK)    /* a breakpoint or trigger at the next instruction */                         \
    X(UNDEF)    /* illegal instruction: imm is the word */                                  \
    X(WARM)     /* first operation of a block that may be translated: imm is the number of     \
                   executions until then */                                                \
    X(TRANSLATED) /* first operation of a block with translated code */                     \
    X(PLAIN)    /* first operation of a block that is not translated */                     \
    X(DEAD)     /* the code changed: look the address up again */
/* clang-format on */

#define X(id) OP_##id,
enum { OP_BLOCK_FIRST = OP_ISA_COUNT - 1, BLOCK_OPS(X) OP_COUNT };
#undef X

/* Block.dead. BLOCK_ONCE: the block can be entered once, and is neither linked to nor cached. */
enum { BLOCK_LIVE, BLOCK_DEAD, BLOCK_ONCE };

/* A block under construction. */
#define BLOCK_MAX_BYTES 480 /* Op.off is 8 bits wide and counts half-words */

typedef struct Builder {
    RiscvCpu *cpu;
    uint64_t va;
    const uint8_t *host;
    unsigned off; /* offset of the current instruction */
    unsigned n_ops, n_links, n_insns;
    unsigned address_op; /* index + 1 of the operation of the preceding lui or auipc; 0: none */
    bool fp_checked, done, once;
    bool pass; /* ignore breakpoints */
    Op ops[BLOCK_MAX_OPS + 8];
} Builder;

/* builder_add() decodes one instruction (a word) at b->off, builder_add_all() all instructions from
 * b->host to the end of the block. builder_end() emits the exit to the instruction after them. */
void builder_add(Builder *b, uint32_t word);
void builder_add_all(Builder *b);
void builder_end(Builder *b);

/* Return whether an operation is of floating point, and whether such a one writes an x register. */
bool rv_op_is_fp(unsigned id);
bool rv_op_fp_writes_x(unsigned id);

/* Return the instruction of len bytes at p. */
static inline uint32_t word_at(const uint8_t *p, unsigned len)
{
    uint16_t low, high = 0;

    memcpy(&low, p, 2);
    if (len == 4) {
        memcpy(&high, p + 2, 2);
    }
    return low | (uint32_t)high << 16;
}

/* Return the length in bytes of the instruction at p. */
static inline unsigned len_at(const uint8_t *p)
{
    uint16_t low;

    memcpy(&low, p, 2);
    return insn_len(low);
}

#endif

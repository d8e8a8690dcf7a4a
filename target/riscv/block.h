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

#include "target/riscv/hart.h"

#define BLOCK_OPS(X)                                                                               \
    X(LI)    /* rd = imm */                                                                        \
    X(LA)    /* rd = va + imm: auipc, alone or with the addi after it */                           \
    X(MV)    /* rd = rs1 */                                                                        \
    X(LD_PC) /* auipc and ld through it: rd = [va + imm]; aux is the ld's offset */                \
    X(LW_PC)                                                                                       \
    X(BEQ_FAR)                                                                                     \
    X(BNE_FAR) X(BLT_FAR) X(BGE_FAR) X(BLTU_FAR) X(BGEU_FAR) X(JAL_FAR)                            \
        X(END)                 /* go on at imm, same page */                                       \
        X(END_FAR) X(FP_CHECK) /* before the first use of floating point: mstatus.FS; imm is the   \
                                  word there */                                                    \
        X(LOG)                 /* -d exec, -d cpu: imm is the word that follows */                 \
        X(UNDEF)               /* illegal instruction: imm is the word */                          \
        X(DEAD)                /* the code changed: look the address up again */

#define X(id) OP_##id,
enum { OP_BLOCK_FIRST = OP_ISA_COUNT - 1, BLOCK_OPS(X) OP_COUNT };
#undef X

/* Block.dead: the block may be entered once, but not be linked to or remembered. */
enum { BLOCK_LIVE, BLOCK_DEAD, BLOCK_ONCE };

#endif

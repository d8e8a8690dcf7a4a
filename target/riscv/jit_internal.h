/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of blocks that are executed often into x86-64 code.
 *
 * The source is the block of operations that the interpreter executes. Its first operation counts
 * executions (WARM); after JIT_THRESHOLD of them rv_jit_translate() writes code and the operation
 * becomes TRANSLATED, which enters the code. An operation that has no translation leaves the code,
 * and the interpreter continues with it. Links between blocks, the jump table, the TLB and the
 * invalidation of code are those of the interpreter: Block.code is the entry of a block, and that
 * of a block without a translation or of a dropped block leads back to the interpreter.
 *
 * Register use of translated code: rbp points at the middle of RiscvCpu.x, so that each x register
 * has an 8-bit displacement. Some x registers are in host registers between blocks (jit_host_reg).
 * rax, rcx and rdx are temporary. The registers are stored before each call of a function that may
 * trap, wait, or read them, and loaded afterwards; the state of the hart is complete whenever
 * translated code is left.
 *
 * Code is per hart, like the blocks. It is written while the hart executes no translated code, and
 * all of it is discarded, with all blocks, when the buffer is full.
 */
#ifndef TARGET_RISCV_JIT_H
#define TARGET_RISCV_JIT_H

#include "accel/codebuf.h"
#include "target/riscv/ops_internal.h"

/* Reasons to leave translated code. */
typedef enum JitExit {
    JIT_EXIT_BLOCK,  /* continue with block exit_to, which has no translation */
    JIT_EXIT_LINK,   /* the link of operation exit_op is not valid, or pending is set */
    JIT_EXIT_OP,     /* continue with operation exit_op */
    JIT_EXIT_LOOKUP, /* pc was set: look up the block */
    JIT_EXIT_RAISE,  /* operation exit_op was not carried out; the state was stored before it */
} JitExit;

typedef unsigned JitEnter(RiscvCpu *cpu, const void *code);

#define JIT_BYTES     (32u << 20)
#define JIT_THRESHOLD 24

typedef struct RvJit {
    CodeBuf code;
    size_t first;   /* bytes of common code at the start of the buffer */
    uint64_t epoch; /* of the block cache: code of earlier ones was discarded */
    int32_t threshold;
    bool host_fma; /* the host has fused multiplication and addition */
    JitEnter *enter;
    const uint8_t *call;                      /* common code: call rv_jit_op() */
    const uint8_t *cold, *link, *op, *lookup; /* common code: leave, see JitExit */
    uint64_t n_blocks, n_full;                /* since the start */
} RvJit;

/* Return whether this host can execute translated code. */
bool rv_jit_supported(void);
/* Create the translator of a hart, whose block cache reserved JIT_BYTES. False: see
 * codebuf_init(). */
bool rv_jit_init(RiscvCpu *cpu, GError **err);
void rv_jit_free(RiscvCpu *cpu);
/* Translate a block, or mark it as one that is not. Return false if all blocks were discarded: the
 * caller must look up the block again. */
bool rv_jit_translate(RiscvCpu *cpu, Block *b);
/* Describe the translator for `info jit`. */
void rv_jit_describe(const RiscvCpu *cpu, GString *out);

/* Carry out operation exit_op of block exit_block with the function of the interpreter. False: see
 * rv_fail(). */
bool rv_jit_op(RiscvCpu *cpu);
/* Return whether rv_jit_op() has the operation. */
bool rv_jit_has_op(unsigned id);

static inline Block *jit_exit_block(const RiscvCpu *cpu)
{
    return (Block *)(cpu->blocks.arena + (size_t)cpu->exit_block * 16);
}

/* Return the link number of an exit. */
static inline unsigned jit_exit_link(const Op *op)
{
    if (op->id == OP_END || op->id == OP_END_FAR || rv_op_is_csr(op->id)) {
        return op->rs2;
    }
    return op->id == OP_JAL || op->id == OP_JAL_FAR ? op->rs1 : op->rd;
}

/* Return the address at which an exit through a link continues. */
static inline uint64_t jit_exit_pc(const Block *b, const Op *op)
{
    return b->va + (rv_op_is_csr(op->id) ? op->off * 2u + 4 : (uint64_t)(int64_t)op->imm);
}

#endif

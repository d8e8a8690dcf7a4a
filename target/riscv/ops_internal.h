/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers and macros of the operations in ops_*.inc, which are part of the dispatch function of the
 * interpreter and also the source of the functions that translated code calls (jit_ops.c).
 *
 * The includer has the variables cpu, b (the block) and op (the operation), and defines CASE, NEXT
 * (the operation is complete) and RAISE (it was not carried out; rv_fail() was called).
 */
#ifndef TARGET_RISCV_OPS_H
#define TARGET_RISCV_OPS_H

#include "target/riscv/block_internal.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define RD    (cpu->x[op->rd])
#define RS1   (cpu->x[op->rs1])
#define RS2   (cpu->x[op->rs2])
#define FD    (cpu->f[op->rd])
#define FS1   (cpu->f[op->rs1])
#define FS2   (cpu->f[op->rs2])
#define OP_PC (b->va + op->off * 2)
#define TRAP(cause, tval)                                                                          \
    do {                                                                                           \
        rv_fail(cpu, cause, tval);                                                                 \
        RAISE;                                                                                     \
    } while (0)
#define SX32(v) ((uint64_t)(int64_t)(int32_t)(v))
#define IMM     ((uint64_t)(int64_t)op->imm)
#define U32(v)  ((uint64_t)(uint32_t)(v))

static inline uint64_t div_signed(uint64_t a, uint64_t b)
{
    if (b == 0) {
        return UINT64_MAX;
    }
    return b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t rem_signed(uint64_t a, uint64_t b)
{
    if (b == 0) {
        return a;
    }
    return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint64_t interp_ror64(uint64_t v, uint64_t n)
{
    return v >> (n & 63) | v << (-n & 63);
}

static inline uint64_t interp_rol64(uint64_t v, uint64_t n)
{
    return interp_ror64(v, -n);
}

static inline uint32_t interp_ror32(uint32_t v, uint64_t n)
{
    return v >> (n & 31) | v << (-n & 31);
}

/* Set each byte of v that is not zero to all ones. */
static inline uint64_t or_combine(uint64_t v)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t high = (((v & low) + low) | v) & ~low;

    return high | (high - (high >> 7));
}

static inline bool cbo_zero_allowed(const RiscvCpu *cpu)
{
    if (cpu->priv == PRIV_M) {
        return true;
    }
    return (cpu->menvcfg & ENVCFG_CBZE) && (cpu->priv == PRIV_S || (cpu->senvcfg & ENVCFG_CBZE));
}

#endif

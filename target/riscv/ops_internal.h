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

/* Return the low half of the carry-less product. */
static inline uint64_t carryless_low(uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (; b; b &= b - 1) {
        product ^= a << __builtin_ctzll(b);
    }
    return product;
}

/* Return the high half of the carry-less product. */
static inline uint64_t carryless_high(uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (b &= ~UINT64_C(1); b; b &= b - 1) {
        product ^= a >> (64 - __builtin_ctzll(b));
    }
    return product;
}

static inline uint64_t reverse_in_bytes(uint64_t v)
{
    const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa), pairs = UINT64_C(0xcccccccccccccccc);
    const uint64_t nibbles = UINT64_C(0xf0f0f0f0f0f0f0f0);

    v = (v & odd) >> 1 | (v << 1 & odd);
    v = (v & pairs) >> 2 | (v << 2 & pairs);
    return (v & nibbles) >> 4 | (v << 4 & nibbles);
}

/* Replace each field of `indices` by the field of v with that number; zero if there is none. */
static inline uint64_t permute_fields(uint64_t v, uint64_t indices, unsigned width)
{
    uint64_t mask = (UINT64_C(1) << width) - 1, result = 0;

    for (unsigned at = 0; at < 64; at += width) {
        uint64_t index = indices >> at & mask;
        result |= index < 64 / width ? (v >> (index * width) & mask) << at : 0;
    }
    return result;
}

/* Return whether cbo.clean and cbo.flush are enabled (`field` is ENVCFG_CBCFE) or cbo.inval is
 * (ENVCFG_CBIE, for which each non-zero value permits an operation). */
static inline bool cbo_manage_allowed(const RiscvCpu *cpu, uint64_t field)
{
    if (cpu->priv == PRIV_M) {
        return true;
    }
    return (cpu->menvcfg & field) && (cpu->priv == PRIV_S || (cpu->senvcfg & field));
}

/* Carry out a CSR access, one of those that end their block, or one of a register without side
 * effects. False: see rv_fail(). */
bool rv_op_csr(RiscvCpu *cpu, const Block *b, const Op *op);
bool rv_op_csr_field(RiscvCpu *cpu, const Op *op);
bool rv_op_is_csr(unsigned id);
/* Carry out ecall, ebreak, a return from a trap, or a fence that ends its block: pc is set to the
 * next instruction. False: see rv_fail(). */
bool rv_op_system(RiscvCpu *cpu, const Block *b, const Op *op);
/* Return whether the ebreak at pc, of @insn_len bytes, is a semihosting call. The CPU has a host.
 */
bool rv_semihost_is_call(RiscvCpu *cpu, unsigned insn_len);
/* Carry out the call, and continue behind it or execute it again. @retired: instructions of the
 * block up to this one. False: see rv_fail(). */
bool rv_semihost(RiscvCpu *cpu, unsigned retired);
bool rv_op_is_system(unsigned id);

static inline bool cbo_zero_allowed(const RiscvCpu *cpu)
{
    if (cpu->priv == PRIV_M) {
        return true;
    }
    return (cpu->menvcfg & ENVCFG_CBZE) && (cpu->priv == PRIV_S || (cpu->senvcfg & ENVCFG_CBZE));
}

#endif

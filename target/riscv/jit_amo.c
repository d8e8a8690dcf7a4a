/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of atomic operations and of cbo.zero.
 *
 * An operation that hits the TLB is a host atomic. Each has the prefix lock, so that it is ordered
 * for all combinations of aq and rl. A misaligned address or a miss calls the function of the
 * interpreter.
 */
#include "target/riscv/jit_emit_internal.h"

#define X_XADD      (0xc1u | X_0F)
#define X_CMPXCHG   (0xb1u | X_0F)
#define X_XCHG      0x87u
#define X_STORE_XMM (0x11u | X_0F) /* movups */

static void jit_amo_locked(Jit *j, unsigned opcode, bool wide, unsigned reg, unsigned base)
{
    x86_u8(&j->a, 0xf0);
    x86_rm(&j->a, opcode, wide, reg, base, 0);
}

/* Emit the host address of the operand in rax. Return the tail that carries out the operation if it
 * is misaligned or misses; jit_amo_done() completes it. */
static JitTail *jit_amo_address(Jit *j, const Op *op, TlbKind kind, unsigned size)
{
    jit_forget_hosts(j);
    jit_load_x(j, RAX, op->rs1);
    x86_u8(&j->a, 0xa8); /* test al, size - 1 */
    x86_u8(&j->a, size - 1);
    uint8_t *misaligned = x86_jcc(&j->a, CC_NE);
    JitTail *t = jit_tail(j, misaligned, NULL);
    t->jump[t->n_jumps++] = jit_emit_tlb(j, kind, size);
    return t;
}

/* Store `reg` as the result of an operation on 8 or 4 bytes. */
static bool jit_amo_done(Jit *j, const Op *op, JitTail *t, bool wide, unsigned reg)
{
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, reg, reg);
    }
    jit_store_x(j, op->rd, reg);
    t->resume = x86_here(&j->a);
    return true;
}

/* amoswap and amoadd: xchg and xadd return the old value. */
static bool jit_amo_exchange(Jit *j, const Op *op, unsigned opcode, bool wide)
{
    JitTail *t = jit_amo_address(j, op, TLB_WRITE, wide ? 8 : 4);

    jit_load_x(j, RCX, op->rs2);
    jit_amo_locked(j, opcode, wide, RCX, RAX);
    return jit_amo_done(j, op, t, wide, RCX);
}

/* Start a loop with cmpxchg: rdx = the address of the operand, rax = its value, rcx = a copy. */
static JitTail *jit_amo_begin(Jit *j, const Op *op, bool wide, const uint8_t **again)
{
    JitTail *t = jit_amo_address(j, op, TLB_WRITE, wide ? 8 : 4);

    x86_mov(&j->a, RDX, RAX);
    x86_rm(&j->a, X_MOV, wide, RAX, RDX, 0);
    *again = x86_here(&j->a);
    x86_mov(&j->a, RCX, RAX);
    return t;
}

/* End the loop: store rcx unless the operand changed. */
static bool jit_amo_end(Jit *j, const Op *op, JitTail *t, bool wide, const uint8_t *again)
{
    jit_amo_locked(j, X_CMPXCHG, wide, RCX, RDX);
    x86_jcc_to(&j->a, CC_NE, again);
    return jit_amo_done(j, op, t, wide, RAX);
}

static bool jit_amo_logic(Jit *j, const Op *op, unsigned opcode, bool wide)
{
    const uint8_t *again;
    JitTail *t = jit_amo_begin(j, op, wide, &again);

    jit_with_x(j, opcode, wide, RCX, op->rs2);
    return jit_amo_end(j, op, t, wide, again);
}

/* amomin and so on: the source replaces the operand if `cc` holds for operand and source. */
static bool jit_amo_limit(Jit *j, const Op *op, unsigned cc, bool wide)
{
    const uint8_t *again;
    JitTail *t = jit_amo_begin(j, op, wide, &again);

    jit_with_x(j, X_CMP, wide, RAX, op->rs2);
    jit_with_x(j, X_CMOV + cc, wide, RCX, op->rs2);
    return jit_amo_end(j, op, t, wide, again);
}

static bool jit_lr(Jit *j, const Op *op, unsigned unused, bool wide)
{
    Asm *a = &j->a;
    JitTail *t = jit_amo_address(j, op, TLB_READ, wide ? 8 : 4);

    x86_rm(a, X_MOV, wide, RCX, RAX, 0);
    jit_field(j, X_STORE, true, RAX, JIT_FIELD(lr_host));
    jit_field(j, X_STORE, true, RCX, JIT_FIELD(lr_value));
    x86_rm(a, 0xc7, false, 0, RBP, JIT_FIELD(lr_size)); /* mov dword [lr_size], size */
    x86_u32(a, wide ? 8 : 4);
    return jit_amo_done(j, op, t, wide, RCX);
}

static bool jit_sc(Jit *j, const Op *op, unsigned unused, bool wide)
{
    Asm *a = &j->a;
    JitTail *t = jit_amo_address(j, op, TLB_WRITE, wide ? 8 : 4);

    x86_mov(a, RDX, RAX);
    jit_field(j, X_CMP, true, RDX, JIT_FIELD(lr_host));
    x86_rm(a, 0xc7, true, 0, RBP, JIT_FIELD(lr_host)); /* mov qword [lr_host], 0 */
    x86_u32(a, 0);
    uint8_t *failed = x86_jcc(a, CC_NE);
    jit_field(j, X_MOV, wide, RAX, JIT_FIELD(lr_value));
    jit_load_x(j, RCX, op->rs2);
    jit_amo_locked(j, X_CMPXCHG, wide, RCX, RDX);
    x86_land(a, failed);
    x86_rr(a, X_SETCC + CC_NE, false, 0, RCX);
    x86_rr(a, X_MOVZX8, false, RCX, RCX);
    return jit_amo_done(j, op, t, true, RCX);
}

/* The operations on words, in the order of isa.def; those on double words follow in the same order.
 */
static const struct {
    bool (*emit)(Jit *j, const Op *op, unsigned argument, bool wide);
    unsigned argument;
} jit_amo_rows[] = {
    { jit_amo_exchange, X_XADD },
    { jit_amo_exchange, X_XCHG },
    { jit_lr, 0 },
    { jit_sc, 0 },
    { jit_amo_logic, X_XOR },
    { jit_amo_logic, X_OR },
    { jit_amo_logic, X_AND },
    { jit_amo_limit, CC_G },
    { jit_amo_limit, CC_L },
    { jit_amo_limit, CC_A },
    { jit_amo_limit, CC_B },
};
G_STATIC_ASSERT(OP_AMOADD_D - OP_AMOADD_W == G_N_ELEMENTS(jit_amo_rows));

static bool jit_amo(Jit *j, const Op *op)
{
    bool wide = op->id >= OP_AMOADD_D;
    unsigned i = op->id - (wide ? OP_AMOADD_D : OP_AMOADD_W);

    return jit_amo_rows[i].emit(j, op, jit_amo_rows[i].argument, wide);
}

/* Emit rcx = menvcfg, combined with senvcfg in U-mode. */
static void jit_envcfg(Jit *j)
{
    jit_field(j, X_MOV, true, RCX, JIT_FIELD(menvcfg));
    x86_rm(&j->a, 0x80, false, 7, RBP, JIT_FIELD(priv)); /* cmp byte [priv], PRIV_S */
    x86_u8(&j->a, PRIV_S);
    uint8_t *above = x86_jcc(&j->a, CC_AE);
    jit_field(j, X_AND, true, RCX, JIT_FIELD(senvcfg));
    x86_land(&j->a, above);
}

/* With CBZE clear, rv_jit_op() reports the trap; M-mode ignores the bit. */
static bool jit_cbo_zero(Jit *j, const Op *op)
{
    Asm *a = &j->a;

    jit_forget_hosts(j);
    jit_envcfg(j);
    x86_rr(a, 0xf6, false, 0, RCX); /* test cl, CBZE */
    x86_u8(a, ENVCFG_CBZE);
    JitTail *t = jit_tail(j, x86_jcc(a, CC_E), NULL);
    jit_load_x(j, RAX, op->rs1);
    x86_imm(a, G_AND, true, RAX, -CBO_BLOCK);
    t->jump[t->n_jumps++] = jit_emit_tlb(j, TLB_WRITE, CBO_BLOCK);
    x86_rr(a, X_PXOR, false, 0, 0);
    for (unsigned i = 0; i < CBO_BLOCK; i += 16) {
        x86_rm(a, X_STORE_XMM, false, 0, RAX, (int32_t)i);
    }
    t->resume = x86_here(a);
    return true;
}

JitEmit *jit_emit_amo(unsigned id)
{
    if (id >= OP_AMOADD_W && id <= OP_AMOMAXU_D) {
        return jit_amo;
    }
    return id == OP_CBO_ZERO ? jit_cbo_zero : NULL;
}

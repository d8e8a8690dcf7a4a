/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of floating-point operations.
 *
 * The host computes a result if it is that of RISC-V and raises no flag that is not set: NX is set
 * already, the rounding mode is to nearest, ties to even, and the result is neither a NaN nor
 * infinite nor so small that it may have underflowed (sem_fp_host_internal.h explains why this is
 * sufficient). A sum or a difference cannot underflow, because it is exact if it is subnormal.
 * Otherwise the code calls the function of the interpreter.
 */
#include "target/riscv/jit_emit_internal.h"
#include "target/riscv/sem_fp_internal.h"

#define SSE_SQRT     (0x51u | X_0F)
#define SSE_ADD      (0x58u | X_0F)
#define SSE_MUL      (0x59u | X_0F)
#define SSE_SUB      (0x5cu | X_0F)
#define SSE_DIV      (0x5eu | X_0F)
#define SSE_CONVERT  (0x5au | X_0F) /* between the formats */
#define SSE_COMPARE  (0x2eu | X_0F) /* ucomiss; with X_66 ucomisd */
#define SSE_FROM_INT (0x2au | X_0F)
#define SSE_TO_INT   (0x2cu | X_0F) /* towards zero */
#define SSE_F(dbl)   ((dbl) ? X_F2 : X_F3)

enum { XMM0, XMM1 };

/* Continue in the tail under a condition. */
static void jit_slow(Jit *j, JitTail *s, unsigned cc)
{
    s->jump[s->n_jumps++] = x86_jcc(&j->a, cc);
}

static bool jit_slow_done(Jit *j, JitTail *s)
{
    s->resume = x86_here(&j->a);
    s->op = jit_op_index(j);
    j->tails[j->n_tails++] = *s;
    return true;
}

/* Return whether the rounding mode of an instruction may be to nearest, ties to even. */
static bool jit_fp_nearest(const Op *op)
{
    return (op->aux & 7) == FRM_RNE || (op->aux & 7) == FRM_DYN;
}

/* In the second translation, continue only if NX is set, and frm is RNE if the instruction uses it.
 */
static void jit_fp_guard(Jit *j, JitTail *s, bool dynamic)
{
    if (!j->alone) {
        return;
    }
    if (dynamic) {
        jit_field(j, X_MOVZX16, false, RAX, JIT_FIELD(fflags));
        x86_imm(&j->a, G_AND, false, RAX, FFLAGS_NX | 7 << 8);
        x86_imm(&j->a, G_CMP, false, RAX, FFLAGS_NX);
        jit_slow(j, s, CC_NE);
    } else {
        x86_rm(&j->a, 0xf6, false, 0, RBP, JIT_FIELD(fflags)); /* test byte [fflags], NX */
        x86_u8(&j->a, FFLAGS_NX);
        jit_slow(j, s, CC_E);
    }
}

/* Continue only if a register contains a boxed single. */
static void jit_fp_boxed(Jit *j, JitTail *s, unsigned f)
{
    x86_imm_m(&j->a, G_CMP, false, RBP, jit_f_disp(f) + 4, -1);
    jit_slow(j, s, CC_NE);
}

/* Continue only if the result in xmm0 is finite, and not tiny unless it is `exact` if it is.
 * Changes rax and rcx: rax is the bits of the result. */
static void jit_fp_check_result(Jit *j, JitTail *s, bool dbl, bool exact)
{
    Asm *a = &j->a;
    int32_t most = dbl ? 0x7ff : 0xff;

    x86_rr(a, X_FROM_XMM, dbl, XMM0, RAX);
    x86_rr(a, X_MOV, dbl, RCX, RAX);
    x86_shift(a, G_SHR, dbl, RCX, dbl ? 52 : 23);
    x86_imm(a, G_AND, false, RCX, most);
    if (exact) {
        x86_imm(a, G_CMP, false, RCX, most);
        jit_slow(j, s, CC_E);
    } else { /* the smallest normal exponent may be a tiny result that was rounded up */
        x86_imm(a, G_SUB, false, RCX, 2);
        x86_imm(a, G_CMP, false, RCX, most - 2);
        jit_slow(j, s, CC_AE);
    }
}

/* Check the result in xmm0 and store it. */
static void jit_fp_result(Jit *j, JitTail *s, const Op *op, bool dbl, bool exact)
{
    jit_fp_check_result(j, s, dbl, exact);
    if (dbl) {
        jit_f_write(j, op->rd, XMM0);
        return;
    }
    jit_field(j, X_STORE, false, RAX, jit_f_disp(op->rd));
    x86_rm(&j->a, 0xc7, false, 0, RBP, jit_f_disp(op->rd) + 4);
    x86_u32(&j->a, UINT32_MAX);
}

/* Load an operand into a temporary register. A single must be in memory. */
static void jit_fp_load(Jit *j, unsigned xmm, unsigned f, bool dbl)
{
    unsigned from;

    if (!dbl) {
        jit_field(j, SSE_LOAD | X_F3, false, xmm, jit_f_disp(f));
    } else if ((from = jit_f_source(j, f, xmm)) != xmm) {
        x86_rr(&j->a, SSE_MOVE, false, xmm, from);
    }
}

/* Emit `opcode reg, f`. */
static void jit_fp_with(Jit *j, unsigned opcode, bool dbl, unsigned reg, unsigned f, bool wide)
{
    if (!dbl) {
        jit_field(j, opcode, wide, reg, jit_f_disp(f));
    } else {
        x86_rr(&j->a, opcode, wide, reg, jit_f_source(j, f, XMM1));
    }
}

static bool jit_fp_arithmetic(Jit *j, const Op *op, unsigned opcode, bool dbl, bool exact)
{
    bool unary = opcode == SSE_SQRT;
    JitTail s = { 0 };

    if (!jit_fp_nearest(op)) {
        return false;
    }
    jit_fp_guard(j, &s, (op->aux & 7) == FRM_DYN);
    if (!dbl) {
        jit_fp_boxed(j, &s, op->rs1);
    }
    if (!dbl && !unary) {
        jit_fp_boxed(j, &s, op->rs2);
    }
    if (!unary) {
        jit_fp_load(j, XMM0, op->rs1, dbl);
    }
    jit_fp_with(j, opcode | SSE_F(dbl), dbl, XMM0, unary ? op->rs1 : op->rs2, false);
    jit_fp_result(j, &s, op, dbl, exact);
    return jit_slow_done(j, &s);
}

#define JIT_FP_ARITHMETIC(id, opcode, exact)                                                       \
    static bool jit_##id##_s(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_arithmetic(j, op, opcode, false, exact);                                     \
    }                                                                                              \
    static bool jit_##id##_d(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_arithmetic(j, op, opcode, true, exact);                                      \
    }
JIT_FP_ARITHMETIC(fadd, SSE_ADD, true)
JIT_FP_ARITHMETIC(fsub, SSE_SUB, true)
JIT_FP_ARITHMETIC(fmul, SSE_MUL, false)
JIT_FP_ARITHMETIC(fdiv, SSE_DIV, false)
JIT_FP_ARITHMETIC(fsqrt, SSE_SQRT, false)

/* xmm0 = +-(xmm0 * factor) +- the last operand, one of the instructions vf*213s*. That operand is
 * the xmm register `last`, or memory at `disp` if it is negative. */
static void jit_vex_fused(Jit *j, unsigned opcode, bool dbl, unsigned factor, int last,
                          int32_t disp)
{
    unsigned map = last >= 8 ? 0xc2 : 0xe2, rest = (~factor & 15) << 3 | 1 | (dbl ? 0x80 : 0);
    const uint8_t code[] = { 0xc4, map, rest, opcode };

    x86_bytes(&j->a, code, sizeof(code));
    if (last >= 0) {
        x86_u8(&j->a, 0xc0 | (last & 7));
    } else {
        x86_u8(&j->a, 0x85);
        x86_u32(&j->a, (uint32_t)disp);
    }
}

static bool jit_fp_fused(Jit *j, const Op *op, unsigned opcode, bool dbl)
{
    unsigned rs3 = op->aux >> 3 & 31, factor = XMM1;
    JitTail s = { 0 };
    int last = -1;

    if (!jit_fp_nearest(op) || !j->jit->host_fma) {
        return false;
    }
    jit_fp_guard(j, &s, (op->aux & 7) == FRM_DYN);
    if (!dbl) {
        jit_fp_boxed(j, &s, op->rs1);
        jit_fp_boxed(j, &s, op->rs2);
        jit_fp_boxed(j, &s, rs3);
        jit_fp_load(j, XMM1, op->rs2, dbl);
    } else {
        factor = jit_f_source(j, op->rs2, XMM1);
        last = jit_f_source(j, rs3, XMM0) == XMM0 ? -1 : j->f_reg[rs3];
    }
    jit_fp_load(j, XMM0, op->rs1, dbl);
    jit_vex_fused(j, opcode, dbl, factor, last, jit_f_disp(rs3));
    jit_fp_result(j, &s, op, dbl, false);
    return jit_slow_done(j, &s);
}

#define JIT_FP_FUSED(id, opcode)                                                                   \
    static bool jit_##id##_s(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_fused(j, op, opcode, false);                                                 \
    }                                                                                              \
    static bool jit_##id##_d(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_fused(j, op, opcode, true);                                                  \
    }
JIT_FP_FUSED(fmadd, 0xa9)  /* vfmadd213 */
JIT_FP_FUSED(fmsub, 0xab)  /* vfmsub213 */
JIT_FP_FUSED(fnmsub, 0xad) /* vfnmadd213: -(a * b) + c */
JIT_FP_FUSED(fnmadd, 0xaf) /* vfnmsub213: -(a * b) - c */

/* --- comparisons --- */

/* rd = rs1 OP rs2, which the host computes as rs2 OP' rs1. No flag is raised unless an operand is a
 * NaN. */
static bool jit_fp_compare(Jit *j, const Op *op, unsigned cc, bool dbl)
{
    JitTail s = { 0 };

    if (!dbl) {
        jit_fp_boxed(j, &s, op->rs1);
        jit_fp_boxed(j, &s, op->rs2);
    }
    jit_fp_load(j, XMM0, op->rs2, dbl);
    jit_fp_with(j, SSE_COMPARE | (dbl ? X_66 : 0), dbl, XMM0, op->rs1, false);
    jit_slow(j, &s, CC_P);
    x86_rr(&j->a, X_SETCC + cc, false, 0, RAX);
    x86_rr(&j->a, X_MOVZX8, false, RAX, RAX);
    jit_store_x(j, op->rd, RAX);
    return jit_slow_done(j, &s);
}

#define JIT_FP_COMPARE(id, cc)                                                                     \
    static bool jit_##id##_s(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_compare(j, op, cc, false);                                                   \
    }                                                                                              \
    static bool jit_##id##_d(Jit *j, const Op *op)                                                 \
    {                                                                                              \
        return jit_fp_compare(j, op, cc, true);                                                    \
    }
JIT_FP_COMPARE(feq, CC_E)
JIT_FP_COMPARE(flt, CC_A)
JIT_FP_COMPARE(fle, CC_AE)

/* --- moves --- */

/* fmv.d, fneg.d and fabs.d: sign injection from the same register. `bit`: the operation on bit 63,
 * a number of the group 0x0fba. */
static bool jit_fp_sign(Jit *j, const Op *op, unsigned bit)
{
    if (op->rs1 != op->rs2) {
        return false;
    }
    unsigned from = jit_f_source(j, op->rs1, XMM0);
    if (bit) {
        x86_rr(&j->a, X_FROM_XMM, true, from, RAX);
        x86_rr(&j->a, 0xba | X_0F, true, bit, RAX);
        x86_u8(&j->a, 63);
        x86_rr(&j->a, X_TO_XMM, true, XMM0, RAX);
        from = XMM0;
    }
    jit_f_write(j, op->rd, from);
    return true;
}

static bool jit_fsgnj_d(Jit *j, const Op *op)
{
    return jit_fp_sign(j, op, 0);
}

static bool jit_fsgnjn_d(Jit *j, const Op *op)
{
    return jit_fp_sign(j, op, 7); /* btc */
}

static bool jit_fsgnjx_d(Jit *j, const Op *op)
{
    return jit_fp_sign(j, op, 6); /* btr */
}

static bool jit_fmv_x_d(Jit *j, const Op *op)
{
    unsigned to = jit_result(op->rd);

    x86_rr(&j->a, X_FROM_XMM, true, jit_f_source(j, op->rs1, XMM0), to);
    jit_result_done(j, op->rd, to);
    return true;
}

static bool jit_fmv_x_w(Jit *j, const Op *op)
{
    jit_field(j, X_MOVSXD, true, RAX, jit_f_disp(op->rs1));
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_fmv_d_x(Jit *j, const Op *op)
{
    x86_rr(&j->a, X_TO_XMM, true, XMM0, jit_source(j, op->rs1, RAX));
    jit_f_write(j, op->rd, XMM0);
    return true;
}

static bool jit_fmv_w_x(Jit *j, const Op *op)
{
    jit_field(j, X_STORE, false, jit_source(j, op->rs1, RAX), jit_f_disp(op->rd));
    x86_rm(&j->a, 0xc7, false, 0, RBP, jit_f_disp(op->rd) + 4);
    x86_u32(&j->a, UINT32_MAX);
    return true;
}

/* --- conversions --- */

/* From 32 bits the result is exact. The dynamic rounding mode may be reserved. */
static bool jit_fcvt_d_w(Jit *j, const Op *op)
{
    if ((op->aux & 7) == FRM_DYN) {
        return false;
    }
    x86_rr(&j->a, SSE_FROM_INT | X_F2, false, XMM0, jit_source(j, op->rs1, RAX));
    jit_f_write(j, op->rd, XMM0);
    return true;
}

static bool jit_fcvt_d_wu(Jit *j, const Op *op)
{
    if ((op->aux & 7) == FRM_DYN) {
        return false;
    }
    x86_rr(&j->a, X_MOV, false, RAX, jit_source(j, op->rs1, RAX));
    x86_rr(&j->a, SSE_FROM_INT | X_F2, true, XMM0, RAX);
    jit_f_write(j, op->rd, XMM0);
    return true;
}

/* To an integer towards zero. The host reports a value out of range as the most negative one. */
static bool jit_fp_to_int(Jit *j, const Op *op, bool dbl, bool wide)
{
    JitTail s = { 0 };

    if ((op->aux & 7) != FRM_RTZ) {
        return false;
    }
    jit_fp_guard(j, &s, false);
    if (!dbl) {
        jit_fp_boxed(j, &s, op->rs1);
    }
    jit_fp_with(j, SSE_TO_INT | SSE_F(dbl), dbl, RAX, op->rs1, wide);
    x86_imm(&j->a, G_CMP, wide, RAX, 1);
    jit_slow(j, &s, 0); /* jo: only the most negative value minus one overflows */
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, RAX, RAX);
    }
    jit_store_x(j, op->rd, RAX);
    return jit_slow_done(j, &s);
}

static bool jit_fcvt_w_s(Jit *j, const Op *op)
{
    return jit_fp_to_int(j, op, false, false);
}

static bool jit_fcvt_w_d(Jit *j, const Op *op)
{
    return jit_fp_to_int(j, op, true, false);
}

static bool jit_fcvt_l_s(Jit *j, const Op *op)
{
    return jit_fp_to_int(j, op, false, true);
}

static bool jit_fcvt_l_d(Jit *j, const Op *op)
{
    return jit_fp_to_int(j, op, true, true);
}

static bool jit_fcvt_d_s(Jit *j, const Op *op)
{
    JitTail s = { 0 };

    if (!jit_fp_nearest(op)) {
        return false;
    }
    jit_fp_guard(j, &s, (op->aux & 7) == FRM_DYN);
    jit_fp_boxed(j, &s, op->rs1);
    jit_field(j, SSE_CONVERT | X_F3, false, XMM0, jit_f_disp(op->rs1));
    jit_fp_result(j, &s, op, true, true);
    return jit_slow_done(j, &s);
}

static bool jit_fcvt_s_d(Jit *j, const Op *op)
{
    JitTail s = { 0 };

    if (!jit_fp_nearest(op)) {
        return false;
    }
    jit_fp_guard(j, &s, (op->aux & 7) == FRM_DYN);
    jit_field(j, SSE_CONVERT | X_F2, false, XMM0, jit_f_disp(op->rs1));
    jit_fp_result(j, &s, op, false, false);
    return jit_slow_done(j, &s);
}

#define JIT_FP_BOTH(ID, id) [OP_##ID##_S] = jit_##id##_s, [OP_##ID##_D] = jit_##id##_d

static JitEmit *const jit_fp_table[OP_COUNT] = {
    JIT_FP_BOTH(FADD, fadd),      JIT_FP_BOTH(FSUB, fsub),        JIT_FP_BOTH(FMUL, fmul),
    JIT_FP_BOTH(FDIV, fdiv),      JIT_FP_BOTH(FSQRT, fsqrt),      JIT_FP_BOTH(FMADD, fmadd),
    JIT_FP_BOTH(FMSUB, fmsub),    JIT_FP_BOTH(FNMSUB, fnmsub),    JIT_FP_BOTH(FNMADD, fnmadd),
    JIT_FP_BOTH(FEQ, feq),        JIT_FP_BOTH(FLT, flt),          JIT_FP_BOTH(FLE, fle),
    JIT_FP_BOTH(FCVT_W, fcvt_w),  JIT_FP_BOTH(FCVT_L, fcvt_l),    [OP_FSGNJ_D] = jit_fsgnj_d,
    [OP_FSGNJN_D] = jit_fsgnjn_d, [OP_FSGNJX_D] = jit_fsgnjx_d,   [OP_FMV_X_W] = jit_fmv_x_w,
    [OP_FMV_X_D] = jit_fmv_x_d,   [OP_FMV_W_X] = jit_fmv_w_x,     [OP_FMV_D_X] = jit_fmv_d_x,
    [OP_FCVT_D_W] = jit_fcvt_d_w, [OP_FCVT_D_WU] = jit_fcvt_d_wu, [OP_FCVT_D_S] = jit_fcvt_d_s,
    [OP_FCVT_S_D] = jit_fcvt_s_d,
};

JitEmit *jit_emit_fp(unsigned id)
{
    return jit_fp_table[id];
}

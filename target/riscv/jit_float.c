/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point registers of a block in vector registers of the host, and its two translations.
 *
 * The f registers that operations on doubles use most are kept in xmm2 to xmm15. RiscvCpu.f is
 * always up to date, because each result is also stored, so that calls and exits require no stores,
 * and other operations use the memory. After a call, or a write to the memory, a register is loaded
 * again. In a loop (jit_loop.c), all are loaded before its start.
 *
 * The translation relies on FS being dirty, NX being set and, if an instruction uses frm, on
 * rounding to nearest, ties to even. FP_CHECK checks this, or the entry of a loop; nothing in a
 * block ends it. If it does not hold, the second translation of the operations is executed, in
 * which each operation checks what it relies on (Jit.alone).
 */
#include "target/riscv/jit_emit_internal.h"
#include "target/riscv/sem_fp_internal.h"

#define JIT_F_FIRST 2

/* The f registers of an operation on doubles, as fields of Op. F_MODE: it relies on NX and frm. */
enum { F_RD = 1, F_RS1 = 2, F_RS2 = 4, F_RS3 = 8, F_MODE = 16 };

#define F_ARITHMETIC (F_RD | F_RS1 | F_RS2 | F_MODE)
#define F_FUSED      (F_ARITHMETIC | F_RS3)

static const uint8_t jit_doubles[OP_COUNT] = {
    [OP_FADD_D] = F_ARITHMETIC,
    [OP_FSUB_D] = F_ARITHMETIC,
    [OP_FMUL_D] = F_ARITHMETIC,
    [OP_FDIV_D] = F_ARITHMETIC,
    [OP_FSQRT_D] = F_RD | F_RS1 | F_MODE,
    [OP_FMADD_D] = F_FUSED,
    [OP_FMSUB_D] = F_FUSED,
    [OP_FNMSUB_D] = F_FUSED,
    [OP_FNMADD_D] = F_FUSED,
    [OP_FEQ_D] = F_RS1 | F_RS2,
    [OP_FLT_D] = F_RS1 | F_RS2,
    [OP_FLE_D] = F_RS1 | F_RS2,
    [OP_FSGNJ_D] = F_RD | F_RS1 | F_RS2,
    [OP_FSGNJN_D] = F_RD | F_RS1 | F_RS2,
    [OP_FSGNJX_D] = F_RD | F_RS1 | F_RS2,
    [OP_FMV_X_D] = F_RS1,
    [OP_FMV_D_X] = F_RD,
    [OP_FCVT_D_W] = F_RD,
    [OP_FCVT_D_WU] = F_RD,
    [OP_FCVT_W_D] = F_RS1 | F_MODE,
    [OP_FCVT_L_D] = F_RS1 | F_MODE,
    [OP_FLD] = F_RD,
    [OP_FSD] = F_RS2,
};

static void jit_f_count(const Op *op, unsigned fields, unsigned n, unsigned uses[32])
{
    const unsigned number[] = { op->rd, op->rs1, op->rs2, op->aux >> 3 };

    for (unsigned i = 0; i < G_N_ELEMENTS(number); i++) {
        if (fields >> i & 1) {
            uses[number[i] & 31] += n;
        }
    }
}

/* Assign xmm registers to the registers that are used most. */
static void jit_f_assign(Jit *j, unsigned uses[32])
{
    for (unsigned xmm = JIT_F_FIRST; xmm < 16; xmm++) {
        unsigned best = 0;
        for (unsigned f = 0; f < 32; f++) {
            best = uses[f] > uses[best] ? f : best;
        }
        if (uses[best] == 0) {
            return;
        }
        uses[best] = 0;
        j->f_reg[best] = (int8_t)xmm;
        j->f_all |= UINT32_C(1) << best;
    }
}

void jit_find_floats(Jit *j)
{
    enum { LOOP_WEIGHT = 8 };
    unsigned uses[32] = { 0 };
    const Block *b = j->b;

    memset(j->f_reg, -1, sizeof(j->f_reg));
    j->f_all = j->f_valid = 0;
    j->f_check = 0;
    for (unsigned i = 1; i < b->n_ops; i++) {
        const Op *op = &b->ops[i];
        if (op->id == OP_FP_CHECK && !j->f_check) {
            j->f_check = i;
        }
        jit_f_count(op, jit_doubles[op->id], i < j->loop ? LOOP_WEIGHT : 1, uses);
    }
    jit_f_assign(j, uses);
}

/* --- the condition of the first translation --- */

/* Return the bits of fflags and frm (shifted by 8) that must be those of NX set and RNE. */
static unsigned jit_f_modes(const Block *b)
{
    unsigned mask = 0;

    for (unsigned i = 1; i < b->n_ops; i++) {
        const Op *op = &b->ops[i];
        bool uses = jit_doubles[op->id] ? jit_doubles[op->id] & F_MODE : rv_op_is_fp(op->id);
        if (uses) {
            mask |= FFLAGS_NX | ((op->aux & 7) == FRM_DYN ? 7 << 8 : 0);
        }
    }
    return mask;
}

void jit_emit_float_check(Jit *j, unsigned op)
{
    Asm *a = &j->a;
    unsigned modes = jit_f_modes(j->b);

    G_STATIC_ASSERT(offsetof(RiscvCpu, frm) == offsetof(RiscvCpu, fflags) + 1);
    jit_field(j, X_MOV, false, RAX, JIT_FIELD(mstatus));
    x86_rr(a, 0xf7, false, G_NOT, RAX);
    x86_rr(a, 0xf7, false, 0, RAX); /* test eax, FS: zero if FS is dirty */
    x86_u32(a, (uint32_t)MSTATUS_FS);
    JitTail *t = jit_tail(j, x86_jcc(a, CC_NE), NULL);
    t->leader = true;
    t->op = op;
    if (modes) {
        jit_field(j, X_MOVZX16, false, RAX, JIT_FIELD(fflags));
        x86_imm(a, G_AND, false, RAX, (int32_t)modes);
        x86_imm(a, G_CMP, false, RAX, FFLAGS_NX);
        t->jump[t->n_jumps++] = x86_jcc(a, CC_NE);
    }
}

/* --- registers --- */

void jit_f_forget(Jit *j, const Op *op)
{
    bool writes = rv_op_is_fp(op->id) || op->id == OP_FLW || op->id == OP_FLH;

    if (writes && !jit_doubles[op->id]) {
        j->f_valid &= ~(UINT32_C(1) << (op->rd & 31));
    }
}

void jit_load_floats(Jit *j, uint32_t set)
{
    for (unsigned f = 0; f < 32; f++) {
        if (set >> f & 1) {
            jit_field(j, SSE_LOAD | X_F2, false, (unsigned)j->f_reg[f], jit_f_disp(f));
        }
    }
}

unsigned jit_f_source(Jit *j, unsigned f, unsigned temporary)
{
    uint32_t bit = UINT32_C(1) << f;

    if (j->alone || j->f_reg[f] < 0) {
        jit_field(j, SSE_LOAD | X_F2, false, temporary, jit_f_disp(f));
        return temporary;
    }
    if (!(j->f_valid & bit)) {
        jit_load_floats(j, bit);
        j->f_valid |= bit;
    }
    return (unsigned)j->f_reg[f];
}

int jit_f_target(Jit *j, unsigned f)
{
    if (j->alone || j->f_reg[f] < 0) {
        return -1;
    }
    j->f_valid |= UINT32_C(1) << f;
    return j->f_reg[f];
}

void jit_f_write(Jit *j, unsigned f, unsigned xmm)
{
    int to = jit_f_target(j, f);

    jit_field(j, SSE_STORE | X_F2, false, xmm, jit_f_disp(f));
    if (to >= 0 && (unsigned)to != xmm) {
        x86_rr(&j->a, SSE_MOVE, false, (unsigned)to, xmm);
    }
}

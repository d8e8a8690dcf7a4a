/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of loads, stores and fences.
 *
 * An access that hits the TLB is one host access; x86-64 orders loads and stores as least as
 * strongly as RVWMO, except that a store may be delayed past a later load, which a fence with
 * predecessor w and successor r prevents. Any other access calls the function of the interpreter.
 */
#include "target/riscv/jit_emit_internal.h"

uint8_t *jit_emit_tlb(Jit *j, TlbKind kind, unsigned size)
{
    Asm *a = &j->a;
    int32_t entries = JIT_FIELD(tlb.entry) + (int32_t)(kind * sizeof(TlbEntry) * TLB_SIZE);

    G_STATIC_ASSERT(sizeof(TlbEntry) == 1 << 4);
    x86_mov(a, RCX, RAX);
    x86_shift(a, G_SHR, false, RCX, TLB_PAGE_BITS - 4);
    x86_imm(a, G_AND, false, RCX, (TLB_SIZE - 1) << 4);
    if (size > 1) {
        x86_rm(a, X_LEA, true, RDX, RAX, (int32_t)size - 1);
    } else {
        x86_mov(a, RDX, RAX);
    }
    x86_imm(a, G_AND, true, RDX, (int32_t)TLB_PAGE_MASK);
    jit_field(j, X_OR, true, RDX, JIT_FIELD(data_context));
    x86_rmi(a, X_CMP, true, RDX, RBP, RCX, 0, entries + (int32_t)offsetof(TlbEntry, tag));
    uint8_t *miss = x86_jcc(a, CC_NE);
    x86_rmi(a, X_ADD, true, RAX, RBP, RCX, 0, entries + (int32_t)offsetof(TlbEntry, addend));
    return miss;
}

/* Emit rax = base register + imm. */
static void jit_sum(Jit *j, unsigned rs1, int32_t imm)
{
    int base = jit_host_reg(rs1);

    if (base >= 0) {
        x86_rm(&j->a, X_LEA, true, RAX, base, imm);
        return;
    }
    jit_load_x(j, RAX, rs1);
    if (imm) {
        x86_imm(&j->a, G_ADD, true, RAX, imm);
    }
}

static int32_t jit_group_disp(unsigned number)
{
    return JIT_FIELD(group_host) + (int32_t)number * 8;
}

/* Emit the host address of a member of a group in rax, or in rdx for a store. */
static uint8_t *jit_group_address(Jit *j, const Op *op, const JitGroup *g, TlbKind kind)
{
    unsigned number = g - j->groups.group;
    int32_t offset = j->groups.offset[jit_op_index(j)];
    uint8_t *miss = NULL;

    j->base = kind == TLB_WRITE ? RDX : RAX;
    j->disp = offset - g->low;
    if (g->leader == jit_op_index(j)) {
        jit_sum(j, op->rs1, op->imm + g->low - offset);
        miss = jit_emit_tlb(j, kind, g->high - g->low);
        jit_field(j, X_STORE, true, RAX, jit_group_disp(number));
        x86_mov(&j->a, j->base, RAX);
        jit_forget_hosts(j);
    } else if (j->host[kind] != number) {
        jit_field(j, X_MOV, true, j->base, jit_group_disp(number));
    }
    j->host[kind] = number;
    return miss;
}

/* Emit the translation of the address of a load or store: the host address is j->disp bytes after
 * j->base. Return the jump of a miss; NULL: the access cannot miss. */
static uint8_t *jit_address(Jit *j, const Op *op, TlbKind kind, unsigned size)
{
    const JitGroup *g = jit_group(j);

    if (g) {
        return jit_group_address(j, op, g, kind);
    }
    jit_forget_hosts(j);
    j->base = RAX;
    j->disp = 0;
    if (op->id == OP_LD_PC || op->id == OP_LW_PC) {
        x86_const(&j->a, RAX, j->b->va + (uint64_t)(int64_t)op->imm);
    } else {
        jit_sum(j, op->rs1, op->imm);
    }
    return jit_emit_tlb(j, kind, size);
}

static void jit_complete(Jit *j, uint8_t *miss)
{
    if (miss) {
        JitTail *t = jit_tail(j, miss, x86_here(&j->a));
        t->leader = jit_group(j) != NULL;
        t->leaves = !j->alone && jit_is_access(j->op->id) && j->groups.open[t->op + 1];
    }
}

static bool jit_load(Jit *j, const Op *op, unsigned opcode, bool wide, unsigned size)
{
    uint8_t *miss = jit_address(j, op, TLB_READ, size);
    int host = jit_host_reg(op->rd);
    unsigned to = host >= 0 ? (unsigned)host : RCX;

    x86_rm(&j->a, opcode, wide, to, j->base, j->disp);
    jit_store_x(j, op->rd, to);
    jit_complete(j, miss);
    return true;
}

#define JIT_LOAD(id, opcode, wide, size)                                                           \
    static bool jit_##id(Jit *j, const Op *op)                                                     \
    {                                                                                              \
        return jit_load(j, op, opcode, wide, size);                                                \
    }
JIT_LOAD(lb, X_MOVSX8, true, 1)
JIT_LOAD(lh, X_MOVSX16, true, 2)
JIT_LOAD(lw, X_MOVSXD, true, 4)
JIT_LOAD(ld, X_MOV, true, 8)
JIT_LOAD(lbu, X_MOVZX8, false, 1)
JIT_LOAD(lhu, X_MOVZX16, false, 2)
JIT_LOAD(lwu, X_MOV, false, 4)

static bool jit_store(Jit *j, const Op *op, unsigned opcode, bool wide, unsigned size)
{
    uint8_t *miss = jit_address(j, op, TLB_WRITE, size);

    x86_rm(&j->a, opcode, wide, jit_source(j, op->rs2, RCX), j->base, j->disp);
    jit_complete(j, miss);
    return true;
}

static bool jit_sb(Jit *j, const Op *op)
{
    return jit_store(j, op, X_STORE8, false, 1);
}

static bool jit_sh(Jit *j, const Op *op)
{
    return jit_store(j, op, X_STORE | X_66, false, 2);
}

static bool jit_sw(Jit *j, const Op *op)
{
    return jit_store(j, op, X_STORE, false, 4);
}

static bool jit_sd(Jit *j, const Op *op)
{
    return jit_store(j, op, X_STORE, true, 8);
}

/* --- floating point --- */

static bool jit_fld(Jit *j, const Op *op)
{
    uint8_t *miss = jit_address(j, op, TLB_READ, 8);
    int to = jit_f_target(j, op->rd);
    unsigned xmm = to >= 0 ? (unsigned)to : 0;

    x86_rm(&j->a, SSE_LOAD | X_F2, false, xmm, j->base, j->disp);
    jit_field(j, SSE_STORE | X_F2, false, xmm, jit_f_disp(op->rd));
    jit_complete(j, miss);
    return true;
}

static bool jit_flw(Jit *j, const Op *op)
{
    uint8_t *miss = jit_address(j, op, TLB_READ, 4);

    x86_rm(&j->a, X_MOV, false, RCX, j->base, j->disp);
    x86_rr(&j->a, 0xc7, true, 0, RDX); /* mov rdx, -1: the upper half of a boxed single */
    x86_u32(&j->a, UINT32_MAX);
    x86_shift(&j->a, G_SHL, true, RDX, 32);
    j->host[TLB_WRITE] = 0;
    x86_rr(&j->a, X_OR, true, RCX, RDX);
    jit_field(j, X_STORE, true, RCX, jit_f_disp(op->rd));
    jit_complete(j, miss);
    return true;
}

static bool jit_fsw(Jit *j, const Op *op)
{
    uint8_t *miss = jit_address(j, op, TLB_WRITE, 4);

    jit_field(j, X_MOV, false, RCX, jit_f_disp(op->rs2));
    x86_rm(&j->a, X_STORE, false, RCX, j->base, j->disp);
    jit_complete(j, miss);
    return true;
}

static bool jit_fsd(Jit *j, const Op *op)
{
    uint8_t *miss = jit_address(j, op, TLB_WRITE, 8);

    x86_rm(&j->a, SSE_STORE | X_F2, false, jit_f_source(j, op->rs2, 0), j->base, j->disp);
    jit_complete(j, miss);
    return true;
}

/* With FS off, rv_jit_op() reports the trap. */
static bool jit_fp_check(Jit *j, const Op *op)
{
    if (!j->alone) {
        if (!j->loop) {
            jit_emit_float_check(j, jit_op_index(j));
        }
        return true;
    }
    jit_field(j, X_MOV, true, RAX, JIT_FIELD(mstatus));
    x86_rr(&j->a, 0xf7, false, 0, RAX); /* test eax, FS */
    x86_u32(&j->a, (uint32_t)MSTATUS_FS);
    uint8_t *off = x86_jcc(&j->a, CC_E);
    x86_imm(&j->a, G_OR, true, RAX, (int32_t)MSTATUS_FS);
    jit_field(j, X_STORE, true, RAX, JIT_FIELD(mstatus));
    jit_complete(j, off);
    return true;
}

/* --- fences --- */

enum { JIT_FENCE_PRED_W = 1 << 4, JIT_FENCE_SUCC_R = 1 << 1, JIT_FENCE_SUCC_I = 1 << 3 };

/* rs2 has bit W of the predecessor set and the successor set. The accesses to devices are made with
 * a lock, which orders them. */
static bool jit_fence(Jit *j, const Op *op)
{
    if ((op->rs2 & JIT_FENCE_PRED_W) && (op->rs2 & (JIT_FENCE_SUCC_R | JIT_FENCE_SUCC_I))) {
        x86_u8(&j->a, 0xf0); /* lock or dword [rsp], 0: a full barrier, faster than mfence */
        x86_imm_m(&j->a, G_OR, false, RSP, 0, 0);
    }
    return true;
}

static JitEmit *const jit_mem_table[OP_COUNT] = {
    [OP_LB] = jit_lb,       [OP_LH] = jit_lh,    [OP_LW] = jit_lw,
    [OP_LD] = jit_ld,       [OP_LBU] = jit_lbu,  [OP_LHU] = jit_lhu,
    [OP_LWU] = jit_lwu,     [OP_LD_PC] = jit_ld, [OP_LW_PC] = jit_lw,
    [OP_SB] = jit_sb,       [OP_SH] = jit_sh,    [OP_SW] = jit_sw,
    [OP_SD] = jit_sd,       [OP_FLW] = jit_flw,  [OP_FLD] = jit_fld,
    [OP_FSW] = jit_fsw,     [OP_FSD] = jit_fsd,  [OP_FP_CHECK] = jit_fp_check,
    [OP_FENCE] = jit_fence,
};

JitEmit *jit_emit_mem(unsigned id)
{
    return jit_mem_table[id];
}

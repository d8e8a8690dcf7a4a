/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of integer operations.
 */
#include "target/riscv/jit_emit_internal.h"

/* Load rs1 and combine it with rs2 in the register of the result. */
static bool jit_binary(Jit *j, const Op *op, unsigned opcode, bool wide, bool commutes)
{
    unsigned rs1 = op->rs1, rs2 = op->rs2, to = jit_result(op->rd);

    if (op->rd == rs2 && rs1 != rs2 && to != RAX) {
        if (commutes) {
            rs2 = rs1;
            rs1 = op->rd;
        } else {
            to = RAX;
        }
    }
    jit_load_x(j, to, rs1);
    jit_with_x(j, opcode, wide, to, rs2);
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, to, to);
    }
    jit_result_done(j, op->rd, to);
    return true;
}

#define JIT_BINARY(id, opcode, wide, commutes)                                                     \
    static bool jit_##id(Jit *j, const Op *op)                                                     \
    {                                                                                              \
        return jit_binary(j, op, opcode, wide, commutes);                                          \
    }
JIT_BINARY(add, X_ADD, true, true)
JIT_BINARY(sub, X_SUB, true, false)
JIT_BINARY(xor, X_XOR, true, true)
JIT_BINARY(or, X_OR, true, true)
JIT_BINARY(and, X_AND, true, true)
JIT_BINARY(addw, X_ADD, false, true)
JIT_BINARY(subw, X_SUB, false, false)
JIT_BINARY(mul, X_IMUL, true, true)
JIT_BINARY(mulw, X_IMUL, false, true)

static bool jit_immediate(Jit *j, const Op *op, unsigned group, bool wide)
{
    unsigned to = jit_result(op->rd);

    if (wide && to == RAX && op->rd == op->rs1) {
        x86_imm_m(&j->a, group, true, RBP, jit_x_disp(op->rd), op->imm);
        return true;
    }
    jit_load_x(j, to, op->rs1);
    x86_imm(&j->a, group, wide, to, op->imm);
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, to, to);
    }
    jit_result_done(j, op->rd, to);
    return true;
}

static bool jit_addi(Jit *j, const Op *op)
{
    int from = jit_host_reg(op->rs1);

    if (from >= 0 && op->rd != op->rs1) {
        unsigned to = jit_result(op->rd);
        x86_rm(&j->a, X_LEA, true, to, from, op->imm);
        jit_result_done(j, op->rd, to);
        return true;
    }
    return jit_immediate(j, op, G_ADD, true);
}

#define JIT_IMMEDIATE(id, group, wide)                                                             \
    static bool jit_##id(Jit *j, const Op *op)                                                     \
    {                                                                                              \
        return jit_immediate(j, op, group, wide);                                                  \
    }
JIT_IMMEDIATE(andi, G_AND, true)
JIT_IMMEDIATE(ori, G_OR, true)
JIT_IMMEDIATE(xori, G_XOR, true)
JIT_IMMEDIATE(addiw, G_ADD, false)

/* --- constants --- */

static bool jit_constant(Jit *j, const Op *op, uint64_t value)
{
    unsigned to = jit_result(op->rd);

    if (to == RAX && value == (uint64_t)(int64_t)(int32_t)value) {
        x86_rm(&j->a, 0xc7, true, 0, RBP, jit_x_disp(op->rd));
        x86_u32(&j->a, (uint32_t)value);
        return true;
    }
    x86_const(&j->a, to, value);
    jit_result_done(j, op->rd, to);
    return true;
}

static bool jit_li(Jit *j, const Op *op)
{
    return jit_constant(j, op, (uint64_t)(int64_t)op->imm);
}

static bool jit_la(Jit *j, const Op *op)
{
    return jit_constant(j, op, j->b->va + (uint64_t)(int64_t)op->imm);
}

static bool jit_auipc(Jit *j, const Op *op)
{
    return jit_constant(j, op, j->b->va + op->off * 2 + (uint64_t)(int64_t)op->imm);
}

static bool jit_mv(Jit *j, const Op *op)
{
    jit_store_x(j, op->rd, jit_source(j, op->rs1, RAX));
    return true;
}

/* --- comparisons --- */

/* Emit a comparison of two registers and return whether only the flags were changed. */
static void jit_compare(Jit *j, unsigned rs1, unsigned rs2)
{
    int host = jit_host_reg(rs1);

    if (rs2 == 0 && host >= 0) {
        x86_rr(&j->a, X_TEST, true, host, host);
    } else if (rs2 == 0 && rs1 != 0) {
        x86_imm_m(&j->a, G_CMP, true, RBP, jit_x_disp(rs1), 0);
    } else {
        jit_with_x(j, X_CMP, true, jit_source(j, rs1, RCX), rs2);
    }
}

static void jit_compare_imm(Jit *j, unsigned rs1, int32_t imm)
{
    int host = jit_host_reg(rs1);

    if (host >= 0) {
        x86_imm(&j->a, G_CMP, true, host, imm);
    } else {
        x86_imm_m(&j->a, G_CMP, true, RBP, jit_x_disp(rs1), imm);
    }
}

/* Set rd to a condition. */
static bool jit_condition(Jit *j, const Op *op, unsigned cc)
{
    x86_rr(&j->a, X_SETCC + cc, false, 0, RAX);
    x86_rr(&j->a, X_MOVZX8, false, RAX, RAX);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_slt(Jit *j, const Op *op)
{
    jit_compare(j, op->rs1, op->rs2);
    return jit_condition(j, op, CC_L);
}

static bool jit_sltu(Jit *j, const Op *op)
{
    jit_compare(j, op->rs1, op->rs2);
    return jit_condition(j, op, CC_B);
}

static bool jit_slti(Jit *j, const Op *op)
{
    jit_compare_imm(j, op->rs1, op->imm);
    return jit_condition(j, op, CC_L);
}

static bool jit_sltiu(Jit *j, const Op *op)
{
    jit_compare_imm(j, op->rs1, op->imm);
    return jit_condition(j, op, CC_B);
}

/* --- shifts --- */

static bool jit_shift_imm(Jit *j, const Op *op, unsigned group, bool wide)
{
    unsigned to = jit_result(op->rd);

    jit_load_x(j, to, op->rs1);
    x86_shift(&j->a, group, wide, to, op->imm & (wide ? 63 : 31));
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, to, to);
    }
    jit_result_done(j, op->rd, to);
    return true;
}

/* The host masks the count like the guest. */
static bool jit_shift(Jit *j, const Op *op, unsigned group, bool wide)
{
    unsigned to = jit_result(op->rd);

    jit_load_x(j, RCX, op->rs2);
    jit_load_x(j, to, op->rs1);
    x86_rr(&j->a, 0xd3, wide, group, to);
    if (!wide) {
        x86_rr(&j->a, X_MOVSXD, true, to, to);
    }
    jit_result_done(j, op->rd, to);
    return true;
}

#define JIT_SHIFT(id, group, wide)                                                                 \
    static bool jit_##id##_reg(Jit *j, const Op *op)                                               \
    {                                                                                              \
        return jit_shift(j, op, group, wide);                                                      \
    }                                                                                              \
    static bool jit_##id##_imm(Jit *j, const Op *op)                                               \
    {                                                                                              \
        return jit_shift_imm(j, op, group, wide);                                                  \
    }
JIT_SHIFT(sll, G_SHL, true)
JIT_SHIFT(srl, G_SHR, true)
JIT_SHIFT(sra, G_SAR, true)
JIT_SHIFT(sllw, G_SHL, false)
JIT_SHIFT(srlw, G_SHR, false)
JIT_SHIFT(sraw, G_SAR, false)
JIT_SHIFT(ror, G_ROR, true)
JIT_SHIFT(rorw, G_ROR, false)

static bool jit_rol(Jit *j, const Op *op)
{
    return jit_shift(j, op, G_ROL, true);
}

static bool jit_rolw(Jit *j, const Op *op)
{
    return jit_shift(j, op, G_ROL, false);
}

/* --- multiplication --- */

static bool jit_mul_high(Jit *j, const Op *op, unsigned group)
{
    jit_load_x(j, RAX, op->rs1);
    x86_rr(&j->a, 0xf7, true, group, jit_source(j, op->rs2, RCX));
    jit_store_x(j, op->rd, RDX);
    return true;
}

static bool jit_mulh(Jit *j, const Op *op)
{
    return jit_mul_high(j, op, G_IMUL);
}

static bool jit_mulhu(Jit *j, const Op *op)
{
    return jit_mul_high(j, op, G_MUL);
}

/* --- Zba, Zbb, Zbs, Zicond --- */

/* rd = (rs1 << shift) + rs2, with rs1 zero-extended from 32 bits if !wide. */
static bool jit_shift_add(Jit *j, const Op *op, unsigned shift, bool wide)
{
    jit_load_x(j, RAX, op->rs1);
    if (!wide) {
        x86_rr(&j->a, X_MOV, false, RAX, RAX);
    }
    if (shift) {
        x86_shift(&j->a, G_SHL, true, RAX, shift);
    }
    jit_with_x(j, X_ADD, true, RAX, op->rs2);
    jit_store_x(j, op->rd, RAX);
    return true;
}

#define JIT_SHIFT_ADD(id, shift, wide)                                                             \
    static bool jit_##id(Jit *j, const Op *op)                                                     \
    {                                                                                              \
        return jit_shift_add(j, op, shift, wide);                                                  \
    }
JIT_SHIFT_ADD(sh1add, 1, true)
JIT_SHIFT_ADD(sh2add, 2, true)
JIT_SHIFT_ADD(sh3add, 3, true)
JIT_SHIFT_ADD(add_uw, 0, false)
JIT_SHIFT_ADD(sh1add_uw, 1, false)
JIT_SHIFT_ADD(sh2add_uw, 2, false)
JIT_SHIFT_ADD(sh3add_uw, 3, false)

static bool jit_slli_uw(Jit *j, const Op *op)
{
    jit_load_x(j, RAX, op->rs1);
    x86_rr(&j->a, X_MOV, false, RAX, RAX);
    x86_shift(&j->a, G_SHL, true, RAX, op->imm & 63);
    jit_store_x(j, op->rd, RAX);
    return true;
}

/* Combine rs1 with the complement of rs2. */
static bool jit_with_not(Jit *j, const Op *op, unsigned opcode)
{
    jit_load_x(j, RAX, op->rs2);
    x86_rr(&j->a, 0xf7, true, G_NOT, RAX);
    jit_with_x(j, opcode, true, RAX, op->rs1);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_andn(Jit *j, const Op *op)
{
    return jit_with_not(j, op, X_AND);
}

static bool jit_orn(Jit *j, const Op *op)
{
    return jit_with_not(j, op, X_OR);
}

static bool jit_xnor(Jit *j, const Op *op)
{
    return jit_with_not(j, op, X_XOR);
}

/* rd = rs1, or rs2 if the comparison of rs1 with rs2 gives the condition. */
static bool jit_select(Jit *j, const Op *op, unsigned cc)
{
    jit_load_x(j, RAX, op->rs1);
    jit_with_x(j, X_CMP, true, RAX, op->rs2);
    jit_with_x(j, X_CMOV + cc, true, RAX, op->rs2);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_min(Jit *j, const Op *op)
{
    return jit_select(j, op, CC_G);
}

static bool jit_minu(Jit *j, const Op *op)
{
    return jit_select(j, op, CC_A);
}

static bool jit_max(Jit *j, const Op *op)
{
    return jit_select(j, op, CC_L);
}

static bool jit_maxu(Jit *j, const Op *op)
{
    return jit_select(j, op, CC_B);
}

static bool jit_extend(Jit *j, const Op *op, unsigned opcode)
{
    jit_load_x(j, RAX, op->rs1);
    x86_rr(&j->a, opcode, true, RAX, RAX);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_sext_b(Jit *j, const Op *op)
{
    return jit_extend(j, op, X_MOVSX8);
}

static bool jit_sext_h(Jit *j, const Op *op)
{
    return jit_extend(j, op, X_MOVSX16);
}

static bool jit_zext_h(Jit *j, const Op *op)
{
    return jit_extend(j, op, X_MOVZX16);
}

static bool jit_rev8(Jit *j, const Op *op)
{
    jit_load_x(j, RAX, op->rs1);
    x86_opcode(&j->a, 0xc8 | X_0F, true, 0, RAX); /* bswap rax */
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_trailing(Jit *j, const Op *op, bool wide)
{
    x86_const(&j->a, RCX, wide ? 64 : 32);
    jit_with_x(j, 0xbc | X_0F, wide, RAX, op->rs1); /* bsf; of zero, rax is undefined */
    x86_rr(&j->a, X_CMOV + CC_E, false, RAX, RCX);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_ctz(Jit *j, const Op *op)
{
    return jit_trailing(j, op, true);
}

static bool jit_ctzw(Jit *j, const Op *op)
{
    return jit_trailing(j, op, false);
}

/* Two comparisons with zero make each byte that is not zero 0xff. */
static bool jit_orc_b(Jit *j, const Op *op)
{
    enum { PCMPEQB = 0x74u | X_0F | X_66 };

    x86_rr(&j->a, X_TO_XMM, true, 0, jit_source(j, op->rs1, RAX));
    x86_rr(&j->a, X_PXOR, false, 1, 1);
    x86_rr(&j->a, PCMPEQB, false, 0, 1);
    x86_rr(&j->a, PCMPEQB, false, 0, 1);
    x86_rr(&j->a, X_FROM_XMM, true, 0, RAX);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_bext(Jit *j, const Op *op)
{
    jit_load_x(j, RCX, op->rs2);
    jit_load_x(j, RAX, op->rs1);
    x86_rr(&j->a, 0xd3, true, G_SHR, RAX);
    x86_imm(&j->a, G_AND, false, RAX, 1);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_bexti(Jit *j, const Op *op)
{
    jit_load_x(j, RAX, op->rs1);
    x86_shift(&j->a, G_SHR, true, RAX, op->imm & 63);
    x86_imm(&j->a, G_AND, false, RAX, 1);
    jit_store_x(j, op->rd, RAX);
    return true;
}

/* rd = rs1, or 0 if rs2 gives the condition when it is compared with 0. */
static bool jit_czero(Jit *j, const Op *op, unsigned cc)
{
    unsigned rs2 = jit_source(j, op->rs2, RDX);

    jit_load_x(j, RAX, op->rs1);
    x86_rr(&j->a, X_XOR, false, RCX, RCX);
    x86_rr(&j->a, X_TEST, true, rs2, rs2);
    x86_rr(&j->a, X_CMOV + cc, true, RAX, RCX);
    jit_store_x(j, op->rd, RAX);
    return true;
}

static bool jit_czero_eqz(Jit *j, const Op *op)
{
    return jit_czero(j, op, CC_E);
}

static bool jit_czero_nez(Jit *j, const Op *op)
{
    return jit_czero(j, op, CC_NE);
}

/* --- branches and jumps --- */

uint8_t *jit_emit_condition(Jit *j, const Op *op, bool inverted)
{
    static const uint8_t cc[] = { CC_E, CC_NE, CC_L, CC_GE, CC_B, CC_AE };
    unsigned number = op->id - (op->id >= OP_BEQ_FAR ? OP_BEQ_FAR : OP_BEQ);

    jit_compare(j, op->rs1, op->rs2);
    return x86_jcc(&j->a, cc[number] ^ inverted); /* bit 0 of a condition inverts it */
}

/* Return whether the operation repeats the block as a loop. */
static bool jit_repeats(const Jit *j)
{
    return j->loop == jit_op_index(j) && !j->alone;
}

static bool jit_branch(Jit *j, const Op *op)
{
    if (jit_repeats(j)) {
        return jit_emit_loop_end(j, op);
    }
    jit_exit_tail(j, jit_emit_condition(j, op, false));
    return true;
}

static bool jit_jal(Jit *j, const Op *op)
{
    if (jit_repeats(j)) {
        return jit_emit_loop_end(j, op);
    }
    if (op->rd != X_DUMP) {
        jit_constant(j, op, j->b->va + op->off * 2 + op->rs2);
    }
    jit_emit_exit(j, jit_op_index(j));
    return true;
}

static bool jit_end(Jit *j, const Op *op)
{
    jit_emit_exit(j, jit_op_index(j));
    return true;
}

/* The inline form of blockcache_jump(). rax is the target. */
void jit_emit_jump(Jit *j)
{
    Asm *a = &j->a;

    G_STATIC_ASSERT(sizeof(JumpEntry) == 16); /* rcx: twice the index */
    x86_mov(a, RCX, RAX);
    x86_shift(a, G_SHR, true, RCX, 1 + JUMP_BITS);
    x86_rr(a, X_XOR, false, RCX, RAX);
    x86_imm(a, G_AND, false, RCX, ((1 << JUMP_BITS) - 1) << 1);
    x86_imm_m(a, G_CMP, false, RBP, JIT_FIELD(cpu.pending), 0);
    x86_jcc_to(a, CC_NE, j->jit->lookup);
    x86_rmi(a, X_CMP, true, RAX, RBP, RCX, 3, JIT_FIELD(blocks.jump) + offsetof(JumpEntry, va));
    x86_jcc_to(a, CC_NE, j->jit->lookup);
    x86_rmi(a, X_MOV, false, RDX, RBP, RCX, 3,
            JIT_FIELD(blocks.jump) + offsetof(JumpEntry, context));
    jit_field(j, X_CMP, false, RDX, JIT_FIELD(fetch_unique));
    x86_jcc_to(a, CC_NE, j->jit->lookup);
    x86_rmi(a, X_MOV, false, RAX, RBP, RCX, 3, JIT_FIELD(blocks.jump) + offsetof(JumpEntry, block));
    x86_shift(a, G_SHL, true, RAX, 4);
    jit_field(j, X_ADD, true, RAX, JIT_FIELD(blocks.arena));
    x86_rm(a, 0xff, false, 4, RAX, offsetof(Block, code)); /* jmp [rax + code] */
}

static bool jit_jalr(Jit *j, const Op *op)
{
    jit_load_x(j, RAX, op->rs1);
    if (op->imm) {
        x86_imm(&j->a, G_ADD, true, RAX, op->imm);
    }
    x86_imm(&j->a, G_AND, true, RAX, -2);
    if (op->rd != X_DUMP) {
        x86_const(&j->a, RCX, j->b->va + op->off * 2 + op->rs2);
        jit_store_x(j, op->rd, RCX);
    }
    x86_imm_m(&j->a, G_ADD, true, RBP, JIT_FIELD(retired), op->aux);
    jit_emit_jump(j);
    return true;
}

static JitEmit *const jit_int_table[OP_COUNT] = {
    [OP_ADD] = jit_add,
    [OP_SUB] = jit_sub,
    [OP_XOR] = jit_xor,
    [OP_OR] = jit_or,
    [OP_AND] = jit_and,
    [OP_ADDW] = jit_addw,
    [OP_SUBW] = jit_subw,
    [OP_MUL] = jit_mul,
    [OP_MULW] = jit_mulw,
    [OP_MULH] = jit_mulh,
    [OP_MULHU] = jit_mulhu,
    [OP_ADDI] = jit_addi,
    [OP_ANDI] = jit_andi,
    [OP_ORI] = jit_ori,
    [OP_XORI] = jit_xori,
    [OP_ADDIW] = jit_addiw,
    [OP_LI] = jit_li,
    [OP_LUI] = jit_li,
    [OP_LA] = jit_la,
    [OP_AUIPC] = jit_auipc,
    [OP_MV] = jit_mv,
    [OP_SLT] = jit_slt,
    [OP_SLTU] = jit_sltu,
    [OP_SLTI] = jit_slti,
    [OP_SLTIU] = jit_sltiu,
    [OP_SLL] = jit_sll_reg,
    [OP_SRL] = jit_srl_reg,
    [OP_SRA] = jit_sra_reg,
    [OP_SLLW] = jit_sllw_reg,
    [OP_SRLW] = jit_srlw_reg,
    [OP_SRAW] = jit_sraw_reg,
    [OP_SLLI] = jit_sll_imm,
    [OP_SRLI] = jit_srl_imm,
    [OP_SRAI] = jit_sra_imm,
    [OP_SLLIW] = jit_sllw_imm,
    [OP_SRLIW] = jit_srlw_imm,
    [OP_SRAIW] = jit_sraw_imm,
    [OP_ROR] = jit_ror_reg,
    [OP_RORI] = jit_ror_imm,
    [OP_RORW] = jit_rorw_reg,
    [OP_RORIW] = jit_rorw_imm,
    [OP_ROL] = jit_rol,
    [OP_ROLW] = jit_rolw,
    [OP_SH1ADD] = jit_sh1add,
    [OP_SH2ADD] = jit_sh2add,
    [OP_SH3ADD] = jit_sh3add,
    [OP_ADD_UW] = jit_add_uw,
    [OP_SH1ADD_UW] = jit_sh1add_uw,
    [OP_SH2ADD_UW] = jit_sh2add_uw,
    [OP_SH3ADD_UW] = jit_sh3add_uw,
    [OP_SLLI_UW] = jit_slli_uw,
    [OP_ANDN] = jit_andn,
    [OP_ORN] = jit_orn,
    [OP_XNOR] = jit_xnor,
    [OP_MIN] = jit_min,
    [OP_MINU] = jit_minu,
    [OP_MAX] = jit_max,
    [OP_MAXU] = jit_maxu,
    [OP_SEXT_B] = jit_sext_b,
    [OP_SEXT_H] = jit_sext_h,
    [OP_ZEXT_H] = jit_zext_h,
    [OP_REV8] = jit_rev8,
    [OP_CTZ] = jit_ctz,
    [OP_CTZW] = jit_ctzw,
    [OP_ORC_B] = jit_orc_b,
    [OP_BEXT] = jit_bext,
    [OP_BEXTI] = jit_bexti,
    [OP_CZERO_EQZ] = jit_czero_eqz,
    [OP_CZERO_NEZ] = jit_czero_nez,
    [OP_BEQ] = jit_branch,
    [OP_BNE] = jit_branch,
    [OP_BLT] = jit_branch,
    [OP_BGE] = jit_branch,
    [OP_BLTU] = jit_branch,
    [OP_BGEU] = jit_branch,
    [OP_BEQ_FAR] = jit_branch,
    [OP_BNE_FAR] = jit_branch,
    [OP_BLT_FAR] = jit_branch,
    [OP_BGE_FAR] = jit_branch,
    [OP_BLTU_FAR] = jit_branch,
    [OP_BGEU_FAR] = jit_branch,
    [OP_JAL] = jit_jal,
    [OP_JAL_FAR] = jit_jal,
    [OP_JALR] = jit_jalr,
    [OP_END] = jit_end,
    [OP_END_FAR] = jit_end,
};

JitEmit *jit_emit_int(unsigned id)
{
    return jit_int_table[id];
}

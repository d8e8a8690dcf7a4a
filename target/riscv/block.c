/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of guest code into operations.
 *
 * A block continues after conditional branches, so that the likely path through a function is one
 * block. It ends at a jump, at an instruction that may change how the following code is fetched or
 * executed, or at the end of the page.
 */
#include "target/riscv/csr_internal.h"
#include "target/riscv/jit_internal.h"

#include <string.h>

#include "util/log.h"

#define MAX_INSNS 64

static Op *block_emit(Builder *b, unsigned id)
{
    Op *op = &b->ops[b->n_ops++];

    *op = (Op){ .id = id, .off = b->off / 2, .handler = b->cpu->handlers[id] };
    return op;
}

static void block_set_id(Builder *b, Op *op, unsigned id)
{
    op->id = id;
    op->handler = b->cpu->handlers[id];
}

static uint8_t block_dest(unsigned rd)
{
    return rd ? rd : X_DUMP;
}

/* Return true if an exit to va + rel stays in the page. All exits of one-time blocks are far. */
static bool block_is_near(const Builder *b, int64_t rel)
{
    return !b->once && ((b->va ^ (b->va + rel)) & TLB_PAGE_MASK) == 0;
}

/* --- pairs --- */

static Op *address_before(Builder *b, unsigned id, const Insn *i)
{
    Op *op = b->address_op ? &b->ops[b->address_op - 1] : NULL;

    return op && op->id == id && op->rd == i->rs1 ? op : NULL;
}

static bool block_fits(int64_t v)
{
    return v == (int32_t)v;
}

/* Fuse addi into the preceding lui or auipc, or addiw into lui, if the registers are the same.
 * Return true if done.
 */
static bool fuse_address(Builder *b, const Insn *i)
{
    Op *li = address_before(b, OP_LI, i), *la = address_before(b, OP_LA, i);

    if (i->rd != i->rs1) {
        return false;
    }
    if (li && i->op == OP_ADDIW) {
        li->imm = (int32_t)((uint32_t)li->imm + (uint32_t)i->imm);
        return true;
    }
    if (li && i->op == OP_ADDI && block_fits((int64_t)li->imm + i->imm)) {
        li->imm += i->imm;
        return true;
    }
    if (la && i->op == OP_ADDI && block_fits((int64_t)la->imm + i->imm)) {
        la->imm += i->imm;
        return true;
    }
    return false;
}

static bool fuse_load(Builder *b, const Insn *i)
{
    Op *la = address_before(b, OP_LA, i);

    if (!la || i->rd != i->rs1 || !block_fits((int64_t)la->imm + i->imm)) {
        return false;
    }
    la->imm += i->imm;
    la->aux = (uint16_t)i->imm;
    la->off = b->off / 2; /* the load is the instruction that can fault */
    block_set_id(b, la, i->op == OP_LD ? OP_LD_PC : OP_LW_PC);
    return true;
}

/* --- exits --- */

static void emit_jump(Builder *b, const Insn *i, int64_t target)
{
    Op *op = block_emit(b, block_is_near(b, target) ? OP_JAL : OP_JAL_FAR);

    op->rd = block_dest(i->rd);
    op->rs1 = b->n_links++;
    op->rs2 = i->len;
    op->imm = target;
    op->aux = b->n_insns;
    b->done = true;
}

static void emit_jalr(Builder *b, const Insn *i)
{
    Op *la = address_before(b, OP_LA, i);

    if (la && block_fits((int64_t)la->imm + i->imm)) {
        int32_t target = (la->imm + i->imm) & ~1;
        if (i->rd == i->rs1) {
            b->n_ops--; /* the jump overwrites what auipc computed */
        }
        emit_jump(b, i, target);
        return;
    }
    Op *op = block_emit(b, OP_JALR);
    op->rd = block_dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = i->len;
    op->imm = i->imm;
    op->aux = b->n_insns;
    b->done = true;
}

static void emit_branch(Builder *b, const Insn *i)
{
    int64_t target = (int64_t)b->off + i->imm;
    Op *op = block_emit(b, block_is_near(b, target) ? i->op : i->op - OP_BEQ + OP_BEQ_FAR);

    op->rd = b->n_links++;
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = target;
    op->aux = b->n_insns;
}

void builder_end(Builder *b)
{
    Op *op = block_emit(b, block_is_near(b, b->off) ? OP_END : OP_END_FAR);

    op->rs2 = b->n_links++;
    op->imm = b->off;
    op->aux = b->n_insns;
}

/* Return true if an access to a register has no side effect on what follows. */
static bool block_csr_is_field(const Builder *b, const Insn *i)
{
    const CsrRow *row = csr_find(i->imm);

    return row && !row->read && !row->write && !(row->flags & ~(CSR_SAVED | CSR_PEEK)) &&
           has_ext(b->cpu, row->ext);
}

static void emit_csr(Builder *b, const Insn *i)
{
    if (block_csr_is_field(b, i)) {
        Op *field = block_emit(b, OP_CSR_FIELD);
        field->rd = block_dest(i->rd);
        field->rs1 = i->rs1;
        field->imm = csr_operand(i->imm);
        field->aux = i->op - OP_CSRRW;
        return;
    }
    Op *op = block_emit(b, i->op);

    op->rd = block_dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = b->n_links++;
    op->imm = csr_operand(i->imm);
    op->aux = b->n_insns;
    b->done = true;
}

/* Emit an instruction after which privilege, translation or code may differ. It ends the block; its
 * handler looks up the next block. */
static void emit_system(Builder *b, const Insn *i)
{
    Op *op = block_emit(b, i->op);

    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->word;
    op->aux = b->n_insns;
    op->rd = i->len;
    b->done = true;
}

/* --- other instructions --- */

static bool block_is_fp(const Insn *i)
{
    unsigned format = isa_rows[i->row].format;

    return i->op == OP_FLW || i->op == OP_FLD || i->op == OP_FSW || i->op == OP_FSD ||
           format == FMT_FI || format == FMT_FS || format == FMT_FR || format == FMT_FRM ||
           format == FMT_FR4;
}

/* FP instructions whose rd is an x register. */
static const bool fp_dest_is_x[OP_ISA_COUNT] = {
    [OP_FCVT_W_S] = true, [OP_FCVT_WU_S] = true,   [OP_FCVT_L_S] = true, [OP_FCVT_LU_S] = true,
    [OP_FCVT_W_D] = true, [OP_FCVT_WU_D] = true,   [OP_FCVT_L_D] = true, [OP_FCVT_LU_D] = true,
    [OP_FMV_X_W] = true,  [OP_FMV_X_D] = true,     [OP_FCLASS_S] = true, [OP_FCLASS_D] = true,
    [OP_FEQ_S] = true,    [OP_FLT_S] = true,       [OP_FLE_S] = true,    [OP_FEQ_D] = true,
    [OP_FLT_D] = true,    [OP_FLE_D] = true,       [OP_FCVT_W_H] = true, [OP_FCVT_WU_H] = true,
    [OP_FCVT_L_H] = true, [OP_FCVT_LU_H] = true,   [OP_FMV_X_H] = true,  [OP_FCLASS_H] = true,
    [OP_FEQ_H] = true,    [OP_FLT_H] = true,       [OP_FLE_H] = true,    [OP_FLEQ_S] = true,
    [OP_FLTQ_S] = true,   [OP_FLEQ_D] = true,      [OP_FLTQ_D] = true,   [OP_FLEQ_H] = true,
    [OP_FLTQ_H] = true,   [OP_FCVTMOD_W_D] = true,
};

bool rv_op_is_fp(unsigned id)
{
    return id >= OP_FMADD_S && id < OP_BEQ;
}

bool rv_op_fp_writes_x(unsigned id)
{
    return id < OP_ISA_COUNT && fp_dest_is_x[id];
}

static void emit_fp(Builder *b, const Insn *i)
{
    if (!b->fp_checked) {
        block_emit(b, OP_FP_CHECK)->imm = i->word;
        b->fp_checked = true;
    }
    Op *op = block_emit(b, i->op);
    op->rd = fp_dest_is_x[i->op] ? block_dest(i->rd) : i->rd;
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->imm;
    if (isa_rows[i->row].format == FMT_FRM || isa_rows[i->row].format == FMT_FR4) {
        op->aux = i->rm | i->rs3 << 3;
        op->imm = i->word; /* for the trap if the dynamic rounding mode is reserved */
    }
}

static void emit_plain(Builder *b, const Insn *i)
{
    Op *op = block_emit(b, i->op);

    op->rd = block_dest(i->rd);
    op->rs1 = i->rs1;
    op->rs2 = i->rs2;
    op->imm = i->imm;
}

static void emit_addi(Builder *b, const Insn *i)
{
    if (i->rd == 0 || fuse_address(b, i)) {
        return;
    }
    emit_plain(b, i);
    Op *op = &b->ops[b->n_ops - 1];
    if (i->rs1 == 0) {
        block_set_id(b, op, OP_LI);
    } else if (i->imm == 0) {
        block_set_id(b, op, OP_MV);
    }
}

static void emit_upper(Builder *b, const Insn *i)
{
    Op *op;

    if (i->op == OP_AUIPC && !block_fits((int64_t)b->off + i->imm)) {
        emit_plain(b, i);
        return;
    }
    op = block_emit(b, i->op == OP_LUI ? OP_LI : OP_LA);
    op->rd = block_dest(i->rd);
    op->imm = i->op == OP_LUI ? i->imm : (int32_t)b->off + i->imm;
    if (i->rd) {
        b->address_op = b->n_ops;
    }
}

static void emit_addiw(Builder *b, const Insn *i)
{
    if (!fuse_address(b, i)) {
        emit_plain(b, i);
    }
}

static void emit_add(Builder *b, const Insn *i)
{
    emit_plain(b, i);
    if (i->rs1 == 0) {
        b->ops[b->n_ops - 1].rs1 = i->rs2;
        block_set_id(b, &b->ops[b->n_ops - 1], OP_MV);
    }
}

static void emit_load(Builder *b, const Insn *i)
{
    if (!fuse_load(b, i)) {
        emit_plain(b, i);
    }
}

static void emit_jal(Builder *b, const Insn *i)
{
    emit_jump(b, i, (int64_t)b->off + i->imm);
}

static void emit_nothing(Builder *b, const Insn *i)
{
}

/* Emit a may-be-operation: it writes zero to its destination. */
static void emit_zero(Builder *b, const Insn *i)
{
    block_emit(b, OP_LI)->rd = block_dest(i->rd);
}

typedef void EmitFn(Builder *b, const Insn *i);

/* Instructions that emit_plain() and emit_fp() do not translate. */
static EmitFn *const emitters[OP_ISA_COUNT] = {
    [OP_ADDI] = emit_addi,
    [OP_ADDIW] = emit_addiw,
    [OP_ADD] = emit_add,
    [OP_LD] = emit_load,
    [OP_LW] = emit_load,
    [OP_LUI] = emit_upper,
    [OP_AUIPC] = emit_upper,
    [OP_JAL] = emit_jal,
    [OP_JALR] = emit_jalr,
    [OP_PREFETCH_I] = emit_nothing,
    [OP_PREFETCH_R] = emit_nothing,
    [OP_PREFETCH_W] = emit_nothing,
    [OP_NTL_P1] = emit_nothing,
    [OP_NTL_PALL] = emit_nothing,
    [OP_NTL_S1] = emit_nothing,
    [OP_NTL_ALL] = emit_nothing,
    [OP_MOP_R] = emit_zero,
    [OP_MOP_RR] = emit_zero,
    [OP_BEQ] = emit_branch,
    [OP_BNE] = emit_branch,
    [OP_BLT] = emit_branch,
    [OP_BGE] = emit_branch,
    [OP_BLTU] = emit_branch,
    [OP_BGEU] = emit_branch,
    [OP_CSRRW] = emit_csr,
    [OP_CSRRS] = emit_csr,
    [OP_CSRRC] = emit_csr,
    [OP_CSRRWI] = emit_csr,
    [OP_CSRRSI] = emit_csr,
    [OP_CSRRCI] = emit_csr,
    [OP_ECALL] = emit_system,
    [OP_EBREAK] = emit_system,
    [OP_SRET] = emit_system,
    [OP_MRET] = emit_system,
    [OP_WFI] = emit_system,
    [OP_WRS_NTO] = emit_system,
    [OP_WRS_STO] = emit_system,
    [OP_SFENCE_VMA] = emit_system,
    [OP_SINVAL_VMA] = emit_system,
    [OP_SFENCE_W_INVAL] = emit_system,
    [OP_SFENCE_INVAL_IR] = emit_system,
    [OP_FENCE_I] = emit_system,
};

static void emit_insn(Builder *b, const Insn *i)
{
    if (emitters[i->op]) {
        emitters[i->op](b, i);
    } else if (block_is_fp(i)) {
        emit_fp(b, i);
    } else {
        emit_plain(b, i);
    }
}

static void log_decoded(const Builder *b, const Insn *insn, bool legal)
{
    char text[80] = "illegal";

    if (legal) {
        disassemble(insn, b->va + b->off, text, sizeof(text));
    }
    log_line("0x%016" PRIx64 ": %0*x  %s", b->va + b->off, insn->len * 2, insn->word, text);
}

/* b->address_op is the operation of a lui or auipc until the next instruction is translated. */
void builder_add(Builder *b, uint32_t word)
{
    Insn insn;
    bool legal = decode(word, b->cpu->features, &insn);
    const CpuPoints *points = b->cpu->cpu.machine->points;
    unsigned before = b->address_op;

    b->n_insns++;
    if ((points && !b->pass && cpu_point_at(points, b->va + b->off)) ||
        (b->cpu->triggering && rv_trigger_at(b->cpu, b->va + b->off))) {
        block_emit(b, OP_BREAK);
        b->address_op = 0;
    }
    if (log_on(LOG_EXEC) || (log_on(LOG_CPU) && b->off == 0)) {
        block_emit(b, OP_LOG)->imm = insn.word;
        b->address_op = 0;
    }
    if (legal) {
        emit_insn(b, &insn);
    } else {
        block_emit(b, OP_UNDEF)->imm = insn.word;
        b->done = true;
    }
    if (b->address_op == before) {
        b->address_op = 0;
    }
    if (log_on(LOG_IN_ASM)) {
        log_decoded(b, &insn, legal);
    }
    b->off += insn.len;
}

void builder_add_all(Builder *b)
{
    unsigned page_left = RAM_PAGE_SIZE - (b->va & (RAM_PAGE_SIZE - 1));

    if (b->cpu->jit) {
        block_emit(b, OP_WARM)->imm = b->cpu->jit->threshold;
    }
    while (!b->done) {
        /* An instruction becomes at most four operations. */
        if (b->n_insns >= MAX_INSNS || b->off >= BLOCK_MAX_BYTES || b->n_ops >= BLOCK_MAX_OPS - 4 ||
            b->n_links >= BLOCK_MAX_LINKS - 2 || b->off + 2 > page_left ||
            b->off + len_at(b->host + b->off) > page_left) {
            break;
        }
        builder_add(b, word_at(b->host + b->off, len_at(b->host + b->off)));
    }
    if (!b->done) {
        builder_end(b);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of CSR accesses, traps, returns from traps and fences that end their block.
 *
 * A CSR without side effects is a field of RiscvCpu. All others, and the instructions after which
 * the next address or privilege differs, are calls of the functions of the interpreter, after which
 * translated code continues with the next block.
 */
#include "target/riscv/csr_internal.h"
#include "target/riscv/jit_emit_internal.h"

/* Emit rcx = what a CSR access writes. rax: the old value. `form`: 0 to 5 for csrrw to csrrci. */
static void jit_csr_operand(Jit *j, const Op *op, unsigned form)
{
    if (form >= 3) {
        x86_const(&j->a, RCX, op->rs1);
    } else {
        jit_load_x(j, RCX, op->rs1);
    }
    switch (form % 3) {
    case CSR_OP_SET:
        x86_rr(&j->a, X_OR, true, RCX, RAX);
        break;
    case CSR_OP_CLEAR:
        x86_rr(&j->a, 0xf7, true, G_NOT, RCX);
        x86_rr(&j->a, X_AND, true, RCX, RAX);
        break;
    default:
        break;
    }
}

static void jit_csr_mask(Jit *j, uint64_t mask)
{
    if (mask == (uint64_t)(int64_t)(int32_t)mask) {
        x86_imm(&j->a, G_AND, true, RCX, (int32_t)mask);
    } else {
        x86_const(&j->a, RDX, mask);
        x86_rr(&j->a, X_AND, true, RCX, RDX);
    }
}

static bool jit_csr_field(Jit *j, const Op *op)
{
    const CsrRow *row = csr_operand_row(op->imm);
    unsigned number = csr_operand_number(op->imm), form = op->aux;
    int32_t disp = (int32_t)row->field - JIT_BASE_OFFSET;
    bool write = form % 3 == CSR_OP_WRITE || op->rs1 != 0;

    if (write && number >> 10 == 3) {
        return false; /* always illegal */
    }
    x86_rm(&j->a, 0x80, false, 7, RBP, JIT_FIELD(priv)); /* cmp byte [priv], privilege */
    x86_u8(&j->a, number >> 8 & 3);
    uint8_t *denied = x86_jcc(&j->a, CC_B);
    jit_field(j, X_MOV, true, RAX, disp);
    if (write) {
        jit_csr_operand(j, op, form);
        if (row->wmask != UINT64_MAX) {
            jit_csr_mask(j, row->wmask);
        }
        jit_field(j, X_STORE, true, RCX, disp);
    }
    jit_store_x(j, op->rd, RAX);
    jit_tail(j, denied, x86_here(&j->a));
    return true;
}

static bool jit_csr(Jit *j, const Op *op)
{
    jit_emit_call(j, jit_op_index(j));
    jit_emit_exit(j, jit_op_index(j));
    return true;
}

static bool jit_system(Jit *j, const Op *op)
{
    jit_emit_call(j, jit_op_index(j));
    jit_field(j, X_MOV, true, RAX, JIT_FIELD(pc));
    jit_emit_jump(j);
    return true;
}

JitEmit *jit_emit_sys(unsigned id)
{
    if (id == OP_CSR_FIELD) {
        return jit_csr_field;
    }
    if (rv_op_is_csr(id)) {
        return jit_csr;
    }
    return rv_op_is_system(id) ? jit_system : NULL;
}

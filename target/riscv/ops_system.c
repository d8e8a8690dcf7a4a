/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CSR accesses, traps, returns and fences as functions, which the interpreter and translated code
 * call (contracts in ops_internal.h).
 */
#include "target/riscv/csr_internal.h"
#include "target/riscv/ops_internal.h"

/* The forms of csrrw to csrrci, in the order of their operations. */
static const struct {
    uint8_t op, funct3;
    bool immediate;
} ops_csr[] = {
    { CSR_OP_WRITE, 1, false }, { CSR_OP_SET, 2, false }, { CSR_OP_CLEAR, 3, false },
    { CSR_OP_WRITE, 5, true },  { CSR_OP_SET, 6, true },  { CSR_OP_CLEAR, 7, true },
};

static unsigned ops_csr_form(const Op *op)
{
    return op->id == OP_CSR_FIELD ? op->aux : op->id - OP_CSRRW;
}

/* Return the instruction word of a CSR operation, for xtval. */
static uint32_t ops_csr_word(const Op *op)
{
    unsigned rd = op->rd == X_DUMP ? 0 : op->rd;

    return (uint32_t)csr_operand_number(op->imm) << 20 | (uint32_t)op->rs1 << 15 |
           (uint32_t)ops_csr[ops_csr_form(op)].funct3 << 12 | rd << 7 | 0x73;
}

static bool ops_csr_access(RiscvCpu *cpu, const Op *op)
{
    unsigned form = ops_csr_form(op);
    CsrOp how = ops_csr[form].op;
    bool read = how != CSR_OP_WRITE || op->rd != X_DUMP;
    bool write = how == CSR_OP_WRITE || op->rs1 != 0;
    uint64_t old, operand = ops_csr[form].immediate ? op->rs1 : RS1;

    if (!csr_access_row(cpu, csr_operand_row(op->imm), csr_operand_number(op->imm), how, read,
                        write, operand, &old)) {
        return rv_fail(cpu, CAUSE_ILLEGAL, ops_csr_word(op));
    }
    RD = old;
    return true;
}

bool rv_op_csr_field(RiscvCpu *cpu, const Op *op)
{
    return ops_csr_access(cpu, op);
}

bool rv_op_csr(RiscvCpu *cpu, const Block *b, const Op *op)
{
    cpu->pc = OP_PC;
    cpu->retired += op->aux - 1;
    bool ok = ops_csr_access(cpu, op);
    cpu->retired += 1 - op->aux;
    return ok;
}

bool rv_op_is_csr(unsigned id)
{
    return id >= OP_CSRRW && id <= OP_CSRRCI;
}

static bool ops_sfence_allowed(const RiscvCpu *cpu)
{
    return cpu->priv == PRIV_M || (cpu->priv == PRIV_S && !(cpu->mstatus & MSTATUS_TVM));
}

bool rv_op_is_system(unsigned id)
{
    static const uint16_t ids[] = {
        OP_ECALL,      OP_MRET,    OP_SRET,           OP_SFENCE_VMA,
        OP_SINVAL_VMA, OP_FENCE_I, OP_SFENCE_W_INVAL, OP_SFENCE_INVAL_IR
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Take an exception at the operation, which is not retired. */
static void ops_exception(RiscvCpu *cpu, const Op *op, uint64_t cause, uint64_t tval)
{
    cpu->retired += op->aux - 1;
    rv_trap(cpu, cause, tval);
}

/* Return from a trap, with pc set. */
static bool ops_return(RiscvCpu *cpu, const Op *op, bool (*fn)(RiscvCpu *cpu, uint32_t word))
{
    cpu->retired += op->aux; /* the counters count it in the mode that it leaves */
    if (fn(cpu, op->imm)) {
        return true;
    }
    cpu->retired -= op->aux;
    return false;
}

bool rv_op_system(RiscvCpu *cpu, const Block *b, const Op *op)
{
    cpu->pc = OP_PC;
    switch (op->id) {
    case OP_ECALL:
        ops_exception(cpu, op, CAUSE_ECALL_U + cpu->priv, 0);
        return true;
    case OP_EBREAK:
        if (rv_semihost_is_call(cpu, op->rd)) {
            return rv_semihost(cpu, op->aux);
        }
        ops_exception(cpu, op, CAUSE_BREAKPOINT, OP_PC);
        return true;
    case OP_MRET:
        return ops_return(cpu, op, rv_mret);
    case OP_SRET:
        return ops_return(cpu, op, rv_sret);
    case OP_SFENCE_VMA:
    case OP_SINVAL_VMA:
        if (!ops_sfence_allowed(cpu)) {
            return rv_fail(cpu, CAUSE_ILLEGAL, (uint32_t)op->imm);
        }
        mmu_sfence(cpu, op->rs1 != 0, RS1, op->rs2 != 0, RS2);
        break;
    case OP_FENCE_I:
        /* Blocks of code that this hart wrote are dropped already. This drops those of code that
         * other threads wrote, possibly this block. */
        cpu->retired += op->aux;
        cpu->pc = OP_PC + op->rd;
        blockcache_sync(&cpu->blocks, cpu->cpu.machine->cpus->len <= 1);
        return true;
    default: /* sfence.w.inval, sfence.inval.ir */
        if (cpu->priv < PRIV_S) {
            return rv_fail(cpu, CAUSE_ILLEGAL, (uint32_t)op->imm);
        }
    }
    cpu->retired += op->aux;
    cpu->pc = OP_PC + op->rd;
    return true;
}

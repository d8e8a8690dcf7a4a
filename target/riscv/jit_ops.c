/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of the interpreter as a function that translated code calls where it has no code
 * of its own. The source is the same as that of the interpreter's handlers.
 */
#include "target/riscv/jit_internal.h"
#include "target/riscv/ops_internal.h"
#include "target/riscv/sem_fp_internal.h"

#define CASE(id)      case OP_##id:
#define CASE_ALSO(id) CASE(id)
#define NEXT          return true
#define RAISE         return false

bool rv_jit_op(RiscvCpu *cpu)
{
    const Block *b = jit_exit_block(cpu);
    const Op *op = &b->ops[cpu->exit_op];

    switch (op->id) {
#include "target/riscv/ops_int.inc"
#include "target/riscv/ops_mem.inc"
#include "target/riscv/ops_amo.inc"
#include "target/riscv/ops_fp.inc"
    case OP_CSR_FIELD:
        return rv_op_csr_field(cpu, op);
    default:
        return rv_op_is_csr(op->id) ? rv_op_csr(cpu, b, op) : rv_op_system(cpu, b, op);
    }
}

/* All other operations leave their block, or belong to the interpreter alone. */
bool rv_jit_has_op(unsigned id)
{
    static const uint16_t block_ops[] = { OP_LI,    OP_LA,       OP_MV,       OP_LD_PC,
                                          OP_LW_PC, OP_FP_CHECK, OP_CSR_FIELD };

    for (unsigned i = 0; i < G_N_ELEMENTS(block_ops); i++) {
        if (block_ops[i] == id) {
            return true;
        }
    }
    return id < OP_BEQ && id != OP_FENCE_I;
}

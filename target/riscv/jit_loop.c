/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of blocks with floating point that are loops: one of their exits continues with the
 * block itself, with the f registers in vector registers (jit_float.c).
 */
#include "target/riscv/jit_emit_internal.h"

unsigned jit_find_loop(const Block *b)
{
    unsigned found = 0;
    bool fp = false;

    for (unsigned i = 1; i < b->n_ops; i++) {
        const Op *op = &b->ops[i];
        bool branch = op->id >= OP_BEQ && op->id <= OP_BGEU;
        fp |= op->id == OP_FP_CHECK;
        if (fp && op->imm == 0 && (branch || (op->id == OP_JAL && op->rd == X_DUMP))) {
            found = i;
        }
    }
    return found;
}

/* The entry, and the code for a repetition, which counts the instructions of the iteration before.
 */
void jit_emit_loop_start(Jit *j)
{
    Asm *a = &j->a;

    jit_emit_float_check(j, 1);
    jit_load_floats(j, j->f_all);
    j->f_valid = j->f_all;
    uint8_t *start = x86_jmp(a);
    j->repeat = x86_here(a);
    x86_imm_m(a, G_ADD, true, RBP, JIT_FIELD(retired), j->b->ops[j->loop].aux);
    x86_land(a, start);
}

/* The block is repeated if nothing is pending and it was not dropped. */
bool jit_emit_loop_end(Jit *j, const Op *op)
{
    Asm *a = &j->a;

    jit_load_floats(j, j->f_all & ~j->f_valid);
    j->f_valid = j->f_all;
    x86_imm_m(a, G_CMP, false, RBP, JIT_FIELD(cpu.pending), 0);
    JitTail *t = jit_tail(j, x86_jcc(a, CC_NE), NULL);
    t->again = true;
    x86_rip(a, X_MOVZX16, false, RAX, &j->b->dead);
    x86_rr(a, X_TEST, false, RAX, RAX);
    t->jump[t->n_jumps++] = x86_jcc(a, CC_NE);
    if (op->id == OP_JAL) {
        x86_jmp_to(a, j->repeat);
    } else {
        x86_land_at(a, jit_emit_condition(j, op, false), j->repeat);
    }
    t->resume = x86_here(a);
    return true;
}

void jit_emit_loop_again(Jit *j, const JitTail *t)
{
    if (j->op->id != OP_JAL) {
        x86_land_at(&j->a, jit_emit_condition(j, j->op, true), t->resume);
    }
    jit_emit_exit(j, t->op);
}

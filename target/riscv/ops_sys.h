/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CSR accesses, traps, fences and waiting: part of the dispatch function (interp.c has the
 * macros). Each ends its block.
 */

/* The instruction counts as retired before it looks at the counters, less itself. */
#define CSR_OP(id, how, reads, writes, operand)                                                    \
    CASE(id)                                                                                       \
    {                                                                                              \
        uint64_t old;                                                                              \
        cpu->pc = OP_PC;                                                                           \
        cpu->retired += op->aux - 1;                                                               \
        if (!csr_access(cpu, op->imm, how, reads, writes, operand, &old)) {                        \
            rv_trap(cpu, CAUSE_ILLEGAL, csr_word(op));                                             \
            goto service;                                                                          \
        }                                                                                          \
        cpu->retired += 1 - op->aux;                                                               \
        RD = old;                                                                                  \
        LEAVE_FAR(op->rs2, b->va + op->off * 2 + 4);                                               \
    }
CSR_OP(CSRRW, CSR_OP_WRITE, op->rd != X_DUMP, true, RS1)
CSR_OP(CSRRS, CSR_OP_SET, true, op->rs1 != 0, RS1)
CSR_OP(CSRRC, CSR_OP_CLEAR, true, op->rs1 != 0, RS1)
CSR_OP(CSRRWI, CSR_OP_WRITE, op->rd != X_DUMP, true, op->rs1)
CSR_OP(CSRRSI, CSR_OP_SET, true, op->rs1 != 0, op->rs1)
CSR_OP(CSRRCI, CSR_OP_CLEAR, true, op->rs1 != 0, op->rs1)

CASE(UNDEF)
{
    TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);
}
CASE(ECALL)
{
    TRAP(CAUSE_ECALL_U + cpu->priv, 0);
}
CASE(EBREAK)
{
    TRAP(CAUSE_BREAKPOINT, OP_PC);
}

/* Go on behind the instruction, looking everything up again. */
#define SYS_DONE                                                                                   \
    cpu->retired += op->aux;                                                                       \
    cpu->pc = OP_PC + op->rd;                                                                      \
    goto service;

CASE(MRET)
{
    cpu->pc = OP_PC;
    if (!rv_mret(cpu, op->imm)) {
        goto raise;
    }
    cpu->retired += op->aux;
    goto service;
}
CASE(SRET)
{
    cpu->pc = OP_PC;
    if (!rv_sret(cpu, op->imm)) {
        goto raise;
    }
    cpu->retired += op->aux;
    goto service;
}

CASE(SFENCE_VMA)
CASE_ALSO(SINVAL_VMA)
{
    if (!sfence_allowed(cpu)) {
        TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);
    }
    mmu_sfence(cpu, op->rs1 != 0, RS1, op->rs2 != 0, RS2);
    SYS_DONE
}
CASE(SFENCE_W_INVAL)
CASE_ALSO(SFENCE_INVAL_IR)
{
    if (cpu->priv < PRIV_S) {
        TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);
    }
    SYS_DONE
}
CASE(FENCE_I)
{
    /* The hart's own writes to code are known already; what other threads wrote is carried out
     * now, which may drop this very block. */
    cpu->retired += op->aux;
    cpu->pc = OP_PC + op->rd;
    blockcache_sync(&cpu->blocks, cpu->cpu.machine->cpus->len <= 1);
    goto service;
}

CASE(WFI)
{
    if (!wfi_allowed(cpu)) {
        TRAP(CAUSE_ILLEGAL, (uint32_t)op->imm);
    }
    cpu->retired += op->aux;
    cpu->pc = OP_PC + op->rd;
    rv_wfi(cpu);
    goto service;
}
CASE(WRS_NTO)
{
    cpu->retired += op->aux;
    cpu->pc = OP_PC + op->rd;
    rv_wrs(cpu, false);
    goto service;
}
CASE(WRS_STO)
{
    cpu->retired += op->aux;
    cpu->pc = OP_PC + op->rd;
    rv_wrs(cpu, true);
    goto service;
}
CASE(PAUSE)
{
    NEXT;
}

CASE(LOG)
{
    log_insn(cpu, OP_PC, op);
    NEXT;
}
CASE(DEAD)
{
    cpu->pc = b->va;
    goto lookup;
}

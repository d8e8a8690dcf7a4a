/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter: one function that dispatches operations by computed goto and includes the
 * handlers in ops_*.inc, and the loop around it.
 *
 * Inside a block, only the operations themselves check conditions. The pending word is checked when
 * a block is left. Guest registers are stored in RiscvCpu. cpu->pc is valid only when a block is
 * left and during operations that may trap or access a device.
 */
#include "target/riscv/block_internal.h"
#include "target/riscv/csr_internal.h"
#include "target/riscv/jit_internal.h"
#include "target/riscv/ops_internal.h"
#include "target/riscv/sem_fp_internal.h"
#include "util/log.h"

/* --- helpers of operations --- */

/* Return true if wfi is legal: in M-mode, and in S-mode unless TW is set. */
static bool wfi_allowed(const RiscvCpu *cpu)
{
    return cpu->priv == PRIV_M || (!(cpu->mstatus & MSTATUS_TW) && cpu->priv == PRIV_S);
}

static void log_registers(const RiscvCpu *cpu, uint64_t pc)
{
    GString *s = g_string_new(NULL);

    g_string_printf(s, "pc=%" PRIx64 " priv=%u", pc, cpu->priv);
    for (unsigned i = 1; i < 32; i++) {
        g_string_append_printf(s, " %s=%" PRIx64, isa_x_names[i], cpu->x[i]);
    }
    log_line("%s", s->str);
    g_string_free(s, TRUE);
}

static void log_insn(const RiscvCpu *cpu, uint64_t pc, const Op *op)
{
    if (log_on(LOG_CPU) && op->off == 0) {
        log_registers(cpu, pc);
    }
    if (log_on(LOG_EXEC)) {
        log_line("exec: %016" PRIx64 " %08x", pc, (uint32_t)op->imm);
    }
}

/* Return the number of instructions of a block before the one that an operation belongs to. It is
 * counted on each call, because it is rarely needed. */
static unsigned retired_before(const RiscvCpu *cpu, const Block *b, const Op *op)
{
    unsigned n = 0;

    if (b->dead == BLOCK_ONCE || cpu->blocks.drop_all) {
        return 0;
    }
    for (unsigned off = 0; off < op->off * 2u; n++) {
        uint16_t low;
        __builtin_memcpy(&low, (void *)(uintptr_t)(b->host + off), 2);
        off += insn_len(low);
    }
    return n;
}

/* Drop all blocks if the log mask (-d) changed: blocks contain log operations only if it requires
 * them.
 */
static void check_log(RiscvCpu *cpu)
{
    if (cpu->log_seen != log_mask) {
        cpu->log_seen = log_mask;
        blockcache_drop_all(&cpu->blocks);
    }
}

/* Return true if instructions are counted and the hart has executed its share. */
static bool counted_out(const RiscvCpu *cpu)
{
    return (cpu_pending(&cpu->cpu) & CPU_PENDING_COUNT) && cpu->retired >= cpu->cpu.count_limit;
}

/* Process the pending word. Return false if rv_run() must return. */
static bool service(RiscvCpu *cpu)
{
    if (cpu_pending(&cpu->cpu) == CPU_PENDING_COUNT && !counted_out(cpu)) {
        return true;
    }
    if (UNLIKELY(cpu_pending(&cpu->cpu) & CPU_PENDING_DEBUG) && !rv_debug_service(cpu)) {
        return false;
    }
    if ((cpu_pending(&cpu->cpu) & (CPU_PENDING_STOP | CPU_PENDING_EXCLUSIVE)) || counted_out(cpu)) {
        cpu->one = false; /* the instruction was not executed yet */
        return false;
    }
    cpu_clear_pending(&cpu->cpu, CPU_PENDING_INTERRUPT);
    check_log(cpu);
    blockcache_sync(&cpu->blocks, cpu->cpu.machine->cpus->len <= 1);
    rv_update_mip(cpu);
    if (LIKELY(!cpu->one)) {
        rv_take_interrupt(cpu);
    }
    return true;
}

/* --- the dispatch function --- */

#define CASE(id)      L_##id:
#define CASE_ALSO(id) L_##id:
#define DISPATCH      goto *(const void *)((const char *)&&L_MV + op->handler)
#define NEXT                                                                                       \
    do {                                                                                           \
        op++;                                                                                      \
        DISPATCH;                                                                                  \
    } while (0)
#define ENTER(block)                                                                               \
    do {                                                                                           \
        b = (block);                                                                               \
        op = b->ops;                                                                               \
        DISPATCH;                                                                                  \
    } while (0)
#define RAISE goto raise

/* Leave the block through one of its links. A near link is valid as long as its target exists; a
 * far link only in the context in which it was made. */
#define LEAVE(number, target, valid)                                                               \
    do {                                                                                           \
        link = block_link(b, number);                                                              \
        cpu->retired += op->aux;                                                                   \
        if (LIKELY(!cpu_pending(&cpu->cpu) && (valid))) {                                          \
            ENTER(link->to);                                                                       \
        }                                                                                          \
        cpu->pc = (target);                                                                        \
        goto resolve;                                                                              \
    } while (0)
#define LEAVE_NEAR(number, target) LEAVE(number, target, link->to != NULL)
#define LEAVE_FAR(number, target)  LEAVE(number, target, link->context == cpu->fetch_unique)

/* Run a hart until the pending word requires a return, and return NULL. With cpu == NULL, return
 * the handler offsets. */
static const int32_t *interpret(RiscvCpu *cpu)
{
#define GROUP(name, index)
#define ALIAS(id, ...)
#define INSN(id, ...) [OP_##id] = &&L_##id - &&L_MV,
#define X(id)         [OP_##id] = &&L_##id - &&L_MV,
    static const int32_t handlers[OP_COUNT] = {
#include "target/riscv/isa.def"
        BLOCK_OPS(X)
    };
#undef GROUP
#undef ALIAS
#undef INSN
#undef X
    Block *b = NULL;
    const Op *op = NULL;
    Link *link = NULL;

    if (!cpu) {
        return handlers;
    }

service:
    if (UNLIKELY(cpu_pending(&cpu->cpu)) && !service(cpu)) {
        return NULL;
    }
lookup:
    b = rv_block(cpu);
    if (UNLIKELY(!b)) {
        goto trap;
    }
    ENTER(b);

resolve : {
    uint64_t epoch = cpu->blocks.epoch;
    Block *to;

    if (UNLIKELY(cpu_pending(&cpu->cpu))) {
        goto service;
    }
    to = rv_block(cpu);
    if (UNLIKELY(!to)) {
        goto trap;
    }
    if (to->dead == BLOCK_LIVE && epoch == cpu->blocks.epoch) {
        *link = (Link){ to, cpu->fetch_unique };
    }
    ENTER(to);
}

translated: /* the hart's translator was left; see JitExit */
    switch (cpu->jit->enter(cpu, b->code)) {
    case JIT_EXIT_BLOCK:
        ENTER(cpu->exit_to);
    case JIT_EXIT_LINK:
        b = jit_exit_block(cpu);
        op = &b->ops[cpu->exit_op];
        link = block_link(b, jit_exit_link(op));
        cpu->pc = jit_exit_pc(b, op);
        goto resolve;
    case JIT_EXIT_OP:
        b = jit_exit_block(cpu);
        op = &b->ops[cpu->exit_op];
        DISPATCH;
    case JIT_EXIT_RAISE:
        b = jit_exit_block(cpu);
        op = &b->ops[cpu->exit_op];
        goto raise;
    default:
        goto service;
    }

raise: /* the current operation was not carried out */
    if (cpu->trap_cause == CAUSE_ABANDON) {
        cpu->one = false;
        goto service; /* pc is the address of this instruction, or was set by a reset */
    }
    cpu->pc = OP_PC;
    cpu->retired += retired_before(cpu, b, op);
trap: /* the instruction at cpu->pc was not executed */
    if (cpu->trap_cause >= 0) {
        rv_trap(cpu, cpu->trap_cause, cpu->trap_tval);
    }
    goto service;

#include "target/riscv/ops_int.inc"
#include "target/riscv/ops_exit.inc"
#include "target/riscv/ops_mem.inc"
#include "target/riscv/ops_amo.inc"
#include "target/riscv/ops_fp.inc"
#include "target/riscv/ops_sys.inc"
}

void rv_run(Cpu *c)
{
    RiscvCpu *cpu = riscv_cpu(c);

    check_log(cpu);
    blockcache_sync(&cpu->blocks, c->machine->cpus->len <= 1);
    rv_pmu_resume(cpu);
    rv_update_mip(cpu);
    rv_check_interrupts(cpu);
    rv_debug_enter(cpu);
    interpret(cpu);
}

const int32_t *rv_handlers(void)
{
    return interpret(NULL);
}

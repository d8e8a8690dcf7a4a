/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traps, interrupts and returns from them (privileged ISA, chapters "Machine-Level ISA" and
 * "Supervisor-Level ISA").
 */
#include "target/riscv/hart_internal.h"
#include "util/log.h"

#define CAUSE_INTERRUPT (UINT64_C(1) << 63)

/* A hart that waits for another polls a few times, then sleeps. On a host with fewer CPUs than
 * harts the other hart may need this host CPU, and sched_yield() does not reliably hand it over. */
#define WAIT_POLLS   32
#define WAIT_NAP_NS  INT64_C(20000)
#define WRS_NTO_NAPS 50
#define WRS_STO_NAPS 1

/* Interrupts in descending order of priority. */
static const uint8_t priority[] = {
    IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI, IRQ_STI, IRQ_LCOFI
};

static void enter_s(RiscvCpu *cpu, uint64_t cause, uint64_t tval)
{
    uint64_t s = cpu->mstatus;

    s &= ~(MSTATUS_SPP | MSTATUS_SPIE);
    s |= cpu->priv == PRIV_S ? MSTATUS_SPP : 0;
    s |= s & MSTATUS_SIE ? MSTATUS_SPIE : 0;
    cpu->mstatus = s & ~MSTATUS_SIE;
    cpu->sepc = cpu->pc;
    cpu->scause = cause;
    cpu->stval = tval;
    cpu->priv = PRIV_S;
    cpu->pc = cpu->stvec & ~UINT64_C(3);
    if ((cpu->stvec & 1) && (cause & CAUSE_INTERRUPT)) {
        cpu->pc += 4 * (cause & 0x3f);
    }
}

static void enter_m(RiscvCpu *cpu, uint64_t cause, uint64_t tval)
{
    uint64_t s = cpu->mstatus;

    s &= ~(MSTATUS_MPP | MSTATUS_MPIE);
    s |= (uint64_t)cpu->priv << 11;
    s |= s & MSTATUS_MIE ? MSTATUS_MPIE : 0;
    cpu->mstatus = s & ~MSTATUS_MIE;
    cpu->mepc = cpu->pc;
    cpu->mcause = cause;
    cpu->mtval = tval;
    cpu->priv = PRIV_M;
    cpu->pc = cpu->mtvec & ~UINT64_C(3);
    if ((cpu->mtvec & 1) && (cause & CAUSE_INTERRUPT)) {
        cpu->pc += 4 * (cause & 0x3f);
    }
}

static void trap_priv_changed(RiscvCpu *cpu)
{
    mmu_update_contexts(cpu);
    if (__builtin_expect(cpu->pmu_filtered, false)) {
        rv_pmu_priv_changed(cpu);
    }
}

static void trap_enter(RiscvCpu *cpu, uint64_t cause, uint64_t tval, uint64_t delegated)
{
    bool to_s = cpu->priv <= PRIV_S && (delegated >> (cause & 0x3f) & 1);

    if (log_on(LOG_INT)) {
        log_line("hart %u: %s %u priv %u to %c, epc 0x%" PRIx64 ", tval 0x%" PRIx64 "",
                 cpu->cpu.index, cause & CAUSE_INTERRUPT ? "interrupt" : "exception",
                 (unsigned)(cause & 0x3f), cpu->priv, to_s ? 'S' : 'M', cpu->pc, tval);
    }
    if (to_s) {
        enter_s(cpu, cause, tval);
    } else {
        enter_m(cpu, cause, tval);
    }
    trap_priv_changed(cpu);
}

void rv_trap(RiscvCpu *cpu, uint64_t cause, uint64_t tval)
{
    trap_enter(cpu, cause, tval, cpu->medeleg);
}

/* --- interrupts --- */

void rv_update_mip(RiscvCpu *cpu)
{
    uint64_t mip = cpu->mip_soft;
    bool before = cpu->stip;

    if (cpu->menvcfg & ENVCFG_STCE) {
        cpu->stip = rv_time(cpu) >= cpu->stimecmp;
        mip = (mip & ~MIP(STI)) | (cpu->stip ? MIP(STI) : 0);
    } else {
        cpu->stip = false;
    }
    if (cpu->pmu_deadline != CLOCK_NEVER) {
        rv_pmu_poll(cpu);
        mip |= cpu->mip_soft & MIP(LCOFI);
    }
    mip |= imsic_signals(&cpu->file[MSI_FILE_M]) ? MIP(MEI) : 0;
    mip |= imsic_signals(&cpu->file[MSI_FILE_S]) ? MIP(SEI) : 0;
    cpu->mip_own = mip;
    /* One wake-up serves the timer and the counters: replace that of the timer, which occurred or
     * is late, by that of the counters. */
    if (cpu->stip && !before && cpu->pmu_deadline != CLOCK_NEVER) {
        rv_timer_arm(cpu);
        rv_check_interrupts(cpu);
    }
}

static unsigned highest(uint64_t set)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(priority); i++) {
        if (set >> priority[i] & 1) {
            return priority[i];
        }
    }
    return 0;
}

unsigned rv_top_interrupt(RiscvCpu *cpu, unsigned priv)
{
    uint64_t set = rv_mip(cpu) & cpu->mie;

    return highest(priv == PRIV_M ? set & ~cpu->mideleg : set & cpu->mideleg);
}

/* Return the interrupt to take now; 0: none. Interrupts of M-mode have priority over those of
 * S-mode.
 */
static unsigned trap_due(RiscvCpu *cpu)
{
    uint64_t set = rv_mip(cpu) & cpu->mie;
    uint64_t m = set & ~cpu->mideleg, s = set & cpu->mideleg;

    if (set == 0) {
        return 0;
    }
    if (m && (cpu->priv < PRIV_M || (cpu->mstatus & MSTATUS_MIE))) {
        return highest(m);
    }
    if (s && (cpu->priv < PRIV_S || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_SIE)))) {
        return highest(s);
    }
    return 0;
}

bool rv_take_interrupt(RiscvCpu *cpu)
{
    unsigned irq = trap_due(cpu);

    if (irq) {
        trap_enter(cpu, CAUSE_INTERRUPT | irq, 0, cpu->mideleg);
    }
    return irq != 0;
}

void rv_check_interrupts(RiscvCpu *cpu)
{
    if (trap_due(cpu)) {
        __atomic_fetch_or(&cpu->cpu.pending, CPU_PENDING_INTERRUPT, __ATOMIC_SEQ_CST);
    }
}

void rv_set_input_any(Cpu *cpu, unsigned input, bool level)
{
    RiscvCpu *rv = riscv_cpu(cpu);
    uint64_t bit = UINT64_C(1) << (input & 63);

    if (!(bit & (MIP_S_ALL | MIP_M_ALL))) {
        return;
    }
    uint64_t old = level ? __atomic_fetch_or(&rv->mip_in, bit, __ATOMIC_SEQ_CST)
                         : __atomic_fetch_and(&rv->mip_in, ~bit, __ATOMIC_SEQ_CST);
    if (level && !(old & bit)) {
        cpu_raise_any(cpu, CPU_PENDING_INTERRUPT);
    }
}

void rv_deliver_any(Cpu *cpu, MsiFile file, uint32_t id)
{
    RiscvCpu *rv = riscv_cpu(cpu);

    if (file < MSI_FILES && imsic_deliver_any(&rv->file[file], id)) {
        cpu_raise_any(cpu, CPU_PENDING_INTERRUPT);
    }
}

/* --- returns --- */

bool rv_mret(RiscvCpu *cpu, uint32_t word)
{
    uint64_t s = cpu->mstatus;
    unsigned to = (s & MSTATUS_MPP) >> 11;

    if (cpu->priv != PRIV_M) {
        return rv_fail(cpu, CAUSE_ILLEGAL, word);
    }
    s = (s & ~(MSTATUS_MIE | MSTATUS_MPP)) | (s & MSTATUS_MPIE ? MSTATUS_MIE : 0) | MSTATUS_MPIE;
    cpu->mstatus = to == PRIV_M ? s : s & ~MSTATUS_MPRV;
    cpu->priv = to;
    cpu->pc = cpu->mepc;
    trap_priv_changed(cpu);
    rv_check_interrupts(cpu);
    return true;
}

bool rv_sret(RiscvCpu *cpu, uint32_t word)
{
    uint64_t s = cpu->mstatus;
    unsigned to = s & MSTATUS_SPP ? PRIV_S : PRIV_U;

    if (cpu->priv < PRIV_S || (cpu->priv == PRIV_S && (s & MSTATUS_TSR))) {
        return rv_fail(cpu, CAUSE_ILLEGAL, word);
    }
    s = (s & ~(MSTATUS_SIE | MSTATUS_SPP)) | (s & MSTATUS_SPIE ? MSTATUS_SIE : 0) | MSTATUS_SPIE;
    cpu->mstatus = s & ~MSTATUS_MPRV;
    cpu->priv = to;
    cpu->pc = cpu->sepc;
    trap_priv_changed(cpu);
    rv_check_interrupts(cpu);
    return true;
}

/* --- waiting --- */

/* Carry out wfi. It may end early for a stop or for an input that is not enabled, which the
 * architecture allows. */
void rv_wfi(RiscvCpu *cpu)
{
    rv_update_mip(cpu);
    if (rv_mip(cpu) & cpu->mie) {
        return;
    }
    rv_pmu_halt(cpu);
    __atomic_store_n(&cpu->cpu.halted, true, __ATOMIC_RELAXED);
    cpu_sleep_any(&cpu->cpu, rv_deadline(cpu));
    __atomic_store_n(&cpu->cpu.halted, false, __ATOMIC_RELAXED);
    if (!cpu->cpu.machine->icount) { /* otherwise the hart sleeps until rv_run() */
        rv_pmu_resume(cpu);
    }
    rv_update_mip(cpu);
    rv_check_interrupts(cpu);
}

static bool reservation_kept(const RiscvCpu *cpu)
{
    const void *p = (const void *)(uintptr_t)cpu->lr_host;

    if (!p) {
        return false;
    }
    return cpu->lr_size == 4
               ? __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE) == (uint32_t)cpu->lr_value
               : __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE) == cpu->lr_value;
}

void rv_nap(RiscvCpu *cpu)
{
    int64_t now = clock_now_any(cpu->cpu.machine, CLOCK_KIND_VIRTUAL);

    cpu_sleep_any(&cpu->cpu, now + WAIT_NAP_NS);
}

/* Carry out wrs.nto or wrs.sto ("Zawrs"): wait until another hart or a device changes the reserved
 * word. Linux waits for its locks with them. */
void rv_wrs(RiscvCpu *cpu, bool bounded)
{
    unsigned polls = WAIT_POLLS + (bounded ? WRS_STO_NAPS : WRS_NTO_NAPS);

    for (unsigned i = 0; i < polls && reservation_kept(cpu) && !cpu_pending(&cpu->cpu); i++) {
        if (i >= WAIT_POLLS) {
            rv_nap(cpu);
        }
    }
}

/* Carry out pause ("Zihintpause"), with which a hart polls a word that another hart changes. */
void rv_pause(RiscvCpu *cpu)
{
    if (cpu->cpu.machine->cpus->len > 1 && ++cpu->pauses % WAIT_POLLS == 0) {
        rv_nap(cpu);
    }
}

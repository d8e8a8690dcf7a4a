/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware performance counters: mhpmcounter3 to 31, with the interrupt and the privilege modes of
 * Sscofpmf (Privileged Architecture, chapters "Hardware Performance Monitor" and "Sscofpmf").
 *
 * A counter that counts is stored as the difference to its source, so that nothing happens when an
 * instruction is executed: sources are the virtual clock (cycles of 1 ns), the number of retired
 * instructions, and three numbers of TLB misses. A change of what counts stores the values first
 * (pmu_stop), and the differences afterwards (pmu_start).
 *
 * An overflow is detected when the clock reaches a deadline. That of a counter of cycles is exact.
 * A counter of instructions is compared several times, in ever shorter intervals, so that its
 * interrupt is late by at most PMU_POLL_NS; while instructions are counted (-icount), the same
 * instruction is interrupted in each run. A hart that waits in wfi retires no instructions, so
 * these comparisons stop. A counter of TLB misses is compared at each miss.
 */
#include <libfdt.h>

#include "target/riscv/csr_internal.h"

enum { EVENT_CYCLES = 1, EVENT_INSTRUCTIONS = 2, EVENT_TLB_LOAD = 0x10019 };
enum { EVENT_TLB_STORE = 0x1001b, EVENT_TLB_FETCH = 0x10021 }; /* numbers of the SBI and of QEMU */
#define EVENT_NUMBER UINT64_C(0xfffff)
#define EVENT_OF     (UINT64_C(1) << 63)
#define EVENT_MINH   (UINT64_C(1) << 62)
#define EVENT_SINH   (UINT64_C(1) << 61)
#define EVENT_UINH   (UINT64_C(1) << 60)
#define EVENT_MODES  (EVENT_MINH | EVENT_SINH | EVENT_UINH)
#define PMU_POLL_NS  INT64_C(20000)

/* Return the current value of the source of an event. False: the event does not exist. */
static bool pmu_source(const RiscvCpu *cpu, uint64_t event, uint64_t *value)
{
    switch (event & EVENT_NUMBER) {
    case EVENT_CYCLES:
        *value = rv_cycle(cpu);
        return true;
    case EVENT_INSTRUCTIONS:
        *value = cpu->retired;
        return true;
    case EVENT_TLB_LOAD:
        *value = cpu->tlb_misses[ACCESS_READ];
        return true;
    case EVENT_TLB_STORE:
        *value = cpu->tlb_misses[ACCESS_WRITE];
        return true;
    case EVENT_TLB_FETCH:
        *value = cpu->tlb_misses[ACCESS_FETCH];
        return true;
    default:
        return false;
    }
}

static bool pmu_has(const RiscvCpu *cpu, unsigned i)
{
    return cpu->pmu_mask >> i & 1;
}

/* Return true, and the value of the source, if counter i counts in the mode pmu_priv. */
static bool pmu_counts(const RiscvCpu *cpu, unsigned i, uint64_t *source)
{
    static const uint64_t inhibit[] = {
        [PRIV_U] = EVENT_UINH, [PRIV_S] = EVENT_SINH, [PRIV_M] = EVENT_MINH
    };
    uint64_t event = cpu->hpm_event[i - PMU_FIRST];

    return pmu_has(cpu, i) && !(cpu->mcountinhibit >> i & 1) && !(event & inhibit[cpu->pmu_priv]) &&
           pmu_source(cpu, event, source);
}

uint64_t rv_pmu_read(const RiscvCpu *cpu, unsigned i)
{
    uint64_t source = 0;

    return cpu->hpm_base[i - PMU_FIRST] + (pmu_counts(cpu, i, &source) ? source : 0);
}

/* Store the values of all counters, before a change of what counts. */
static void pmu_stop(RiscvCpu *cpu)
{
    for (unsigned i = PMU_FIRST; i < 32; i++) {
        cpu->hpm_base[i - PMU_FIRST] = rv_pmu_read(cpu, i);
    }
}

/* Compare counter i with its last value. An overflow sets OF, and raises the interrupt if OF was
 * not set. */
static void pmu_compare(RiscvCpu *cpu, unsigned i)
{
    uint64_t value = rv_pmu_read(cpu, i), *event = &cpu->hpm_event[i - PMU_FIRST];

    if (value < cpu->hpm_last[i - PMU_FIRST] && !(*event & EVENT_OF)) {
        *event |= EVENT_OF;
        cpu->mip_soft |= MIP(LCOFI);
        cpu->mip_own |= MIP(LCOFI);
        rv_check_interrupts(cpu);
    }
    cpu->hpm_last[i - PMU_FIRST] = value;
}

/* Return the time at which counter i must be compared; CLOCK_NEVER: no time. */
static int64_t pmu_deadline_of(const RiscvCpu *cpu, unsigned i, int64_t now)
{
    uint64_t event = cpu->hpm_event[i - PMU_FIRST], source, left;

    if ((event & EVENT_OF) || !pmu_counts(cpu, i, &source)) {
        return CLOCK_NEVER;
    }
    left = -(cpu->hpm_base[i - PMU_FIRST] + source);
    if (-left < cpu->hpm_last[i - PMU_FIRST]) {
        return now; /* it overflowed since the last comparison */
    }
    left = left ? left : UINT64_MAX;
    if (left > (uint64_t)INT64_MAX / 2 || now > INT64_MAX / 2) {
        return CLOCK_NEVER;
    }
    if ((event & EVENT_NUMBER) == EVENT_CYCLES) {
        return (int64_t)(source + left);
    }
    return (event & EVENT_NUMBER) == EVENT_INSTRUCTIONS && !cpu->pmu_halted
               ? now + MAX((int64_t)left / 4, PMU_POLL_NS)
               : CLOCK_NEVER;
}

void rv_pmu_arm(RiscvCpu *cpu)
{
    int64_t now = (int64_t)rv_cycle(cpu), next = CLOCK_NEVER;

    cpu->pmu_counts_misses = cpu->pmu_counts_insns = false;
    for (unsigned i = PMU_FIRST; i < 32 && has_ext(cpu, EXT_SSCOFPMF); i++) {
        uint64_t event = cpu->hpm_event[i - PMU_FIRST] & EVENT_NUMBER;

        if (pmu_has(cpu, i)) {
            next = MIN(next, pmu_deadline_of(cpu, i, now));
            cpu->pmu_counts_misses |= event > EVENT_INSTRUCTIONS;
            cpu->pmu_counts_insns |= event == EVENT_INSTRUCTIONS;
        }
    }
    cpu->pmu_deadline = next;
}

/* Determine the next comparison, and request a wake-up for it. */
static void pmu_rearm(RiscvCpu *cpu)
{
    int64_t before = cpu->pmu_deadline;

    rv_pmu_arm(cpu);
    if (cpu->pmu_deadline != before) {
        rv_timer_arm(cpu);
    }
}

/* Compare all counters. The next comparison keeps its time, for which a wake-up was requested. */
static void pmu_compare_all(RiscvCpu *cpu)
{
    for (unsigned i = PMU_FIRST; i < 32 && has_ext(cpu, EXT_SSCOFPMF); i++) {
        if (pmu_has(cpu, i)) {
            pmu_compare(cpu, i);
        }
    }
}

/* Recompute what depends on the privilege mode and on the modes in which counters count. */
static void pmu_set_mode(RiscvCpu *cpu)
{
    cpu->pmu_filtered = false;
    cpu->pmu_priv = cpu->priv;
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        cpu->pmu_filtered |= (cpu->hpm_event[i] & EVENT_MODES) != 0;
    }
}

/* Store the differences to the sources, after a change of what counts. */
static void pmu_start(RiscvCpu *cpu)
{
    uint64_t source;

    pmu_set_mode(cpu);
    for (unsigned i = PMU_FIRST; i < 32; i++) {
        if (pmu_counts(cpu, i, &source)) {
            cpu->hpm_base[i - PMU_FIRST] -= source;
        }
    }
    pmu_compare_all(cpu);
    pmu_rearm(cpu);
}

void rv_pmu_priv_changed(RiscvCpu *cpu)
{
    if (cpu->pmu_priv != cpu->priv) {
        pmu_stop(cpu);
        pmu_start(cpu);
    }
}

void rv_pmu_poll(RiscvCpu *cpu)
{
    if (rv_cycle(cpu) >= (uint64_t)cpu->pmu_deadline) {
        pmu_compare_all(cpu);
        rv_pmu_arm(cpu);
        rv_timer_arm(cpu); /* the previous wake-up may have occurred, even if the time is equal */
    }
}

void rv_pmu_missed(RiscvCpu *cpu)
{
    pmu_compare_all(cpu);
}

void rv_pmu_halt(RiscvCpu *cpu)
{
    if (cpu->pmu_counts_insns) {
        cpu->pmu_halted = true;
        pmu_rearm(cpu); /* immediately, if a counter overflowed already */
    }
}

void rv_pmu_resume(RiscvCpu *cpu)
{
    if (cpu->pmu_halted) {
        cpu->pmu_halted = false;
        pmu_rearm(cpu);
    }
}

void rv_pmu_loaded(RiscvCpu *cpu)
{
    pmu_set_mode(cpu);
    cpu->pmu_counts_misses = cpu->pmu_counts_insns = cpu->pmu_halted = false;
    cpu->pmu_deadline = CLOCK_NEVER; /* until rv_pmu_arm() */
}

uint64_t rv_pmu_event_legal(const RiscvCpu *cpu)
{
    return EVENT_NUMBER | (has_ext(cpu, EXT_SSCOFPMF) ? EVENT_OF | EVENT_MODES : 0);
}

/* --- registers --- */

/* A debugger reads without side effects. */
static void pmu_compare_for_guest(RiscvCpu *cpu)
{
    if (!cpu->in_debug) {
        pmu_compare_all(cpu);
    }
}

void rv_pmu_set_inhibit(RiscvCpu *cpu, uint64_t value)
{
    pmu_stop(cpu);
    cpu->mcountinhibit = value;
    pmu_start(cpu);
}

bool csr_read_mhpmevent(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    pmu_compare_for_guest(cpu);
    *v = cpu->hpm_event[n - 0x323];
    return true;
}

bool csr_write_mhpmevent(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    if (pmu_has(cpu, n - 0x320)) {
        pmu_stop(cpu);
        cpu->hpm_event[n - 0x323] = v & rv_pmu_event_legal(cpu);
        pmu_start(cpu);
    }
    return true;
}

bool csr_read_mhpmcounter(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = rv_pmu_read(cpu, n & 31);
    return true;
}

bool csr_write_mhpmcounter(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    unsigned i = n & 31;
    uint64_t source = 0;

    if (pmu_has(cpu, i)) {
        cpu->hpm_base[i - PMU_FIRST] = pmu_counts(cpu, i, &source) ? v - source : v;
        cpu->hpm_last[i - PMU_FIRST] = v;
        pmu_compare_all(cpu);
        pmu_rearm(cpu);
    }
    return true;
}

/* scountovf: the OF bits of the counters that mcounteren shows to S-mode. */
bool csr_read_scountovf(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    uint64_t shown = cpu->priv == PRIV_M || cpu->in_debug ? UINT64_MAX : cpu->mcounteren;

    pmu_compare_for_guest(cpu);
    *v = 0;
    for (unsigned i = PMU_FIRST; i < 32; i++) {
        *v |= (cpu->hpm_event[i - PMU_FIRST] >> 63) << i;
    }
    *v &= shown;
    return true;
}

/* --- device tree --- */

void rv_pmu_fdt(uint32_t mask, void *fdt)
{
    const uint32_t cells[] = {
        EVENT_CYCLES,       EVENT_CYCLES,       mask | 1, /* and mcycle */
        EVENT_INSTRUCTIONS, EVENT_INSTRUCTIONS, mask | 4, /* and minstret */
        EVENT_TLB_LOAD,     EVENT_TLB_LOAD,     mask,     EVENT_TLB_STORE, EVENT_TLB_STORE, mask,
        EVENT_TLB_FETCH,    EVENT_TLB_FETCH,    mask,
    };
    uint32_t big_endian[G_N_ELEMENTS(cells)];

    for (size_t i = 0; i < G_N_ELEMENTS(cells); i++) {
        big_endian[i] = GUINT32_TO_BE(cells[i]);
    }
    int node = mask ? fdt_add_subnode(fdt, 0, "pmu") : -1;

    if (node >= 0) {
        fdt_setprop_string(fdt, node, "compatible", "riscv,pmu");
        fdt_setprop(fdt, node, "riscv,event-to-mhpmcounters", big_endian, sizeof(big_endian));
    }
}

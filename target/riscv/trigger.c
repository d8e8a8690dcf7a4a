/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sdtrig: triggers that raise a breakpoint exception at an instruction, a load or a store (RISC-V
 * Debug Specification 1.0, chapter 5).
 *
 * Each hart has TRIGGERS triggers of type mcontrol (2) or mcontrol6 (6), which compare addresses;
 * data, size, chains and debug mode are not supported and read as zero. While a trigger is armed,
 * blocks contain a test before the instructions that it matches, and accesses to the pages that it
 * matches do not use the TLB directly. Without one, translated code is unchanged.
 *
 * In a mode whose interrupts are disabled, a trigger does not match if its exception would be taken
 * in that mode (5.4), so that a handler does not interrupt itself.
 */
#include "target/riscv/csr_internal.h"

enum { TYPE_MCONTROL = 2, TYPE_MCONTROL6 = 6, TYPE_DISABLED = 15, TYPE_SHIFT = 60 };
enum { MATCH_EQUAL = 0, MATCH_GE = 2, MATCH_LT = 3, MATCH_SHIFT = 7, MATCH_MASK = 15 };
#define TRIGGER_LOAD    (UINT64_C(1) << 0)
#define TRIGGER_STORE   (UINT64_C(1) << 1)
#define TRIGGER_EXECUTE (UINT64_C(1) << 2)
#define TRIGGER_U       (UINT64_C(1) << 3)
#define TRIGGER_S       (UINT64_C(1) << 4)
#define TRIGGER_M       (UINT64_C(1) << 6)
#define TRIGGER_HIT2    (UINT64_C(1) << 20) /* of mcontrol */
#define TRIGGER_HIT6    (UINT64_C(1) << 22) /* hit0 of mcontrol6 */
#define TRIGGER_ACCESS  (TRIGGER_LOAD | TRIGGER_STORE | TRIGGER_EXECUTE)
#define TRIGGER_MODES   (TRIGGER_U | TRIGGER_S | TRIGGER_M)
#define TRIGGER_MATCH   ((uint64_t)MATCH_MASK << MATCH_SHIFT)

uint64_t rv_trigger_legal(uint64_t v)
{
    uint64_t type = v >> TYPE_SHIFT, match = (v & TRIGGER_MATCH) >> MATCH_SHIFT;
    uint64_t bits = TRIGGER_ACCESS | TRIGGER_MODES;

    if (type != TYPE_MCONTROL && type != TYPE_MCONTROL6) {
        return 0;
    }
    bits |= match == MATCH_GE || match == MATCH_LT ? TRIGGER_MATCH : 0;
    bits |= type == TYPE_MCONTROL ? TRIGGER_HIT2 : TRIGGER_HIT6;
    return type << TYPE_SHIFT | (v & bits);
}

static bool trigger_armed(uint64_t data1)
{
    return (data1 & TRIGGER_ACCESS) && (data1 & TRIGGER_MODES);
}

/* Compare the addresses from `va` to `last`, of an access in any mode. */
static bool trigger_covers(const RiscvCpu *cpu, unsigned i, uint64_t va, uint64_t last)
{
    uint64_t at = cpu->tdata2[i];

    switch ((cpu->tdata1[i] & TRIGGER_MATCH) >> MATCH_SHIFT) {
    case MATCH_GE:
        return last >= at;
    case MATCH_LT:
        return va < at;
    default:
        return va <= at && at <= last;
    }
}

static bool trigger_mode(const RiscvCpu *cpu, uint64_t data1)
{
    static const uint64_t modes[] = {
        [PRIV_U] = TRIGGER_U, [PRIV_S] = TRIGGER_S, [PRIV_M] = TRIGGER_M
    };
    bool delegated = cpu->medeleg >> CAUSE_BREAKPOINT & 1;

    if ((cpu->priv == PRIV_M && !(cpu->mstatus & MSTATUS_MIE)) ||
        (cpu->priv == PRIV_S && delegated && !(cpu->mstatus & MSTATUS_SIE))) {
        return false;
    }
    return data1 & modes[cpu->priv];
}

/* Return true, and mark the trigger, if one matches an access now. */
static bool trigger_fires(RiscvCpu *cpu, uint64_t va, uint64_t last, uint64_t access)
{
    for (unsigned i = 0; i < TRIGGERS; i++) {
        uint64_t data1 = cpu->tdata1[i];

        if (trigger_armed(data1) && (data1 & access) && trigger_mode(cpu, data1) &&
            trigger_covers(cpu, i, va, last)) {
            cpu->tdata1[i] |= data1 >> TYPE_SHIFT == TYPE_MCONTROL ? TRIGGER_HIT2 : TRIGGER_HIT6;
            return true;
        }
    }
    return false;
}

bool rv_trigger_at(const RiscvCpu *cpu, uint64_t pc)
{
    for (unsigned i = 0; i < TRIGGERS; i++) {
        if (trigger_armed(cpu->tdata1[i]) && (cpu->tdata1[i] & TRIGGER_EXECUTE) &&
            trigger_covers(cpu, i, pc, pc)) {
            return true;
        }
    }
    return false;
}

bool rv_trigger_page(const RiscvCpu *cpu, uint64_t page)
{
    for (unsigned i = 0; i < TRIGGERS; i++) {
        if (trigger_armed(cpu->tdata1[i]) && (cpu->tdata1[i] & (TRIGGER_LOAD | TRIGGER_STORE)) &&
            trigger_covers(cpu, i, page, page | ~TLB_PAGE_MASK)) {
            return true;
        }
    }
    return false;
}

bool rv_trigger_execute(RiscvCpu *cpu)
{
    if (!trigger_fires(cpu, cpu->pc, cpu->pc, TRIGGER_EXECUTE)) {
        return false;
    }
    rv_trap(cpu, CAUSE_BREAKPOINT, cpu->pc);
    return true;
}

bool rv_trigger_access(RiscvCpu *cpu, uint64_t va, unsigned size, bool read, bool write)
{
    uint64_t access = (read ? TRIGGER_LOAD : 0) | (write ? TRIGGER_STORE : 0);

    if (!cpu->triggering || !trigger_fires(cpu, va, va + size - 1, access)) {
        return false;
    }
    rv_fail(cpu, CAUSE_BREAKPOINT, va);
    return true;
}

void rv_trigger_changed(RiscvCpu *cpu)
{
    bool before = cpu->triggering;

    cpu->triggering = false;
    for (unsigned i = 0; i < TRIGGERS; i++) {
        cpu->triggering |= trigger_armed(cpu->tdata1[i]);
    }
    if (before || cpu->triggering) {
        cpu->blocks.drop_all = true;
        __atomic_fetch_or(&cpu->cpu.pending, CPU_PENDING_INTERRUPT, __ATOMIC_SEQ_CST);
        mmu_flush(cpu);
    }
}

/* --- registers --- */

bool csr_write_tselect(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->tselect = v < TRIGGERS ? v : cpu->tselect;
    return true;
}

bool csr_read_tdata1(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    uint64_t data1 = cpu->tdata1[cpu->tselect];

    *v = data1 ? data1 : (uint64_t)TYPE_DISABLED << TYPE_SHIFT;
    return true;
}

bool csr_write_tdata1(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->tdata1[cpu->tselect] = rv_trigger_legal(v);
    rv_trigger_changed(cpu);
    return true;
}

bool csr_read_tdata2(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->tdata2[cpu->tselect];
    return true;
}

bool csr_write_tdata2(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->tdata2[cpu->tselect] = v;
    rv_trigger_changed(cpu);
    return true;
}

/* tinfo: version 1, and the types that tdata1 can have. */
bool csr_read_tinfo(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = UINT64_C(1) << 24 | 1u << TYPE_MCONTROL | 1u << TYPE_MCONTROL6 | 1u << TYPE_DISABLED;
    return true;
}

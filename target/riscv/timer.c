/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time, stimecmp (Sstc) and the cycle counter of a hart.
 */
#include "target/riscv/hart_internal.h"

uint64_t rv_time(const RiscvCpu *cpu)
{
    return (uint64_t)clock_now_any(cpu->cpu.machine, CLOCK_KIND_VIRTUAL) / TIME_NS;
}

/* Return the cycle counter: the virtual clock at 1 GHz. */
uint64_t rv_cycle(const RiscvCpu *cpu)
{
    return clock_now_any(cpu->cpu.machine, CLOCK_KIND_VIRTUAL);
}

int64_t rv_deadline(const RiscvCpu *cpu)
{
    bool far = cpu->stimecmp > (uint64_t)INT64_MAX / TIME_NS;
    int64_t deadline = cpu->pmu_deadline;

    if ((cpu->menvcfg & ENVCFG_STCE) && !far && !cpu->stip) {
        deadline = MIN(deadline, (int64_t)(cpu->stimecmp * TIME_NS));
    }
    return deadline;
}

void rv_timer_arm(RiscvCpu *cpu)
{
    cpu_set_deadline_any(&cpu->cpu, rv_deadline(cpu));
}

void rv_timer_update(RiscvCpu *cpu)
{
    rv_update_mip(cpu);
    rv_timer_arm(cpu);
}

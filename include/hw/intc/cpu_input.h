/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt inputs of a RISC-V hart for interrupt controllers: bit numbers of the mip register
 * (Privileged Architecture 3.1.9).
 */
#ifndef HW_INTC_CPU_INPUT_H
#define HW_INTC_CPU_INPUT_H

#include "hw/core/cpu.h"

enum {
    CPU_INPUT_MAX_HARTS = 512, /* harts of an interrupt controller, as in QEMU */
    CPU_INPUT_SAVED_HARTS = 8, /* least number of harts in the saved state of a controller */
};
enum { INPUT_SSIP = 1, INPUT_MSIP = 3, INPUT_MTIP = 7, INPUT_SEIP = 9, INPUT_MEIP = 11 };

/* The first hart that a controller serves, for devices with a member hart_base. */
#define PROP_HART_BASE(S)                                                                          \
    PROP_U32(S, hart_base, "hart-base", 0, 0, CPU_INPUT_MAX_HARTS - 1, "number of the first hart")

/* Drive one input of hart n. No effect if the machine has no such hart. */
static inline void cpu_drive(const Machine *m, unsigned n, unsigned input, bool level)
{
    Cpu *cpu = n < m->cpus->len ? g_ptr_array_index(m->cpus, n) : NULL;

    if (cpu)
        cpu->type->set_input_any(cpu, input, level);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator on hosts for which there is none: the interpreter executes all code (contract in
 * jit_internal.h).
 */
#include "target/riscv/jit_internal.h"

bool rv_jit_supported(void)
{
    return false;
}

bool rv_jit_init(RiscvCpu *cpu, GError **err)
{
    g_assert_not_reached();
}

void rv_jit_free(RiscvCpu *cpu)
{
}

bool rv_jit_translate(RiscvCpu *cpu, Block *b)
{
    g_assert_not_reached();
}

void rv_jit_describe(const RiscvCpu *cpu, GString *out)
{
    g_string_append_printf(out, "CPU %u: interpreter\n", cpu->cpu.index);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Semihosting calls (hw/core/semihost.h): slli x0, x0, 0x1f; ebreak; srai x0, x0, 7, which are
 * 32-bit instructions of one page. a0 is the operation and receives the result, a1 is the
 * parameter.
 */
#include "hw/core/semihost.h"

#include "target/riscv/ops_internal.h"

enum { SEMIHOST_BEFORE = 0x01f01013, SEMIHOST_AFTER = 0x40705013 };
enum { A0 = 10, A1 = 11 };

/* Return true if the instructions before and after the one at pc, in the same page, are those of a
 * call. */
static bool semihost_surrounds(RiscvCpu *cpu)
{
    RamBlock *block;
    uint64_t offset;
    uint32_t word[3];
    Translation t;

    if (mmu_translate(cpu, cpu->pc - 4, ACCESS_FETCH, cpu->priv, &t) != CAUSE_NONE) {
        return false;
    }
    const uint8_t *host = rv_ram(cpu, t.pa, &block, &offset);
    if (!host) {
        return false;
    }
    memcpy(word, host, sizeof(word));
    return word[0] == SEMIHOST_BEFORE && word[2] == SEMIHOST_AFTER;
}

bool rv_semihost_is_call(RiscvCpu *cpu, unsigned insn_len)
{
    const Semihost *s = cpu->cpu.semihost;
    uint64_t in_page = cpu->pc & (RAM_PAGE_SIZE - 1);

    return s && insn_len == 4 && (cpu->priv != PRIV_U || s->userspace) && in_page >= 4 &&
           in_page <= RAM_PAGE_SIZE - 8 && semihost_surrounds(cpu);
}

bool rv_semihost(RiscvCpu *cpu, unsigned retired)
{
    SemihostStep step;

    if (!cpu_lock_machine(&cpu->cpu)) {
        return rv_fail(cpu, CAUSE_ABANDON, 0);
    }
    step =
        cpu->cpu.semihost->call(cpu->cpu.semihost, &cpu->cpu, cpu->x[A0], cpu->x[A1], &cpu->x[A0]);
    cpu_unlock_machine(&cpu->cpu);
    if (step == SEMIHOST_AGAIN) {
        cpu->retired += retired - 1;
        rv_nap(cpu);
        return true;
    }
    cpu->retired += retired;
    cpu->pc += 4;
    return true;
}

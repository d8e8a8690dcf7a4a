/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CSRs of the Advanced Interrupt Architecture: xireg, xtopei, xtopi. The priority arrays are
 * read-only zero, so that the priority in xtopi is always 1 and the default order applies.
 */
#include "target/riscv/csr_internal.h"

enum { IPRIO0 = 0x30, IPRIO15 = 0x3f, IMSIC_FIRST = 0x70, IMSIC_LAST = 0xff };

static bool read_ireg(RiscvCpu *cpu, MsiFile file, uint64_t select, uint64_t *v)
{
    *v = 0;
    if (select >= IPRIO0 && select <= IPRIO15) {
        return (select & 1) == 0;
    }
    if (select >= IMSIC_FIRST && select <= IMSIC_LAST) {
        return imsic_read(&cpu->file[file], select, v);
    }
    return false;
}

static bool write_ireg(RiscvCpu *cpu, MsiFile file, uint64_t select, uint64_t v, uint64_t mask)
{
    if (select >= IPRIO0 && select <= IPRIO15) {
        return (select & 1) == 0;
    }
    if (select >= IMSIC_FIRST && select <= IMSIC_LAST) {
        return imsic_write(&cpu->file[file], select, v, mask);
    }
    return false;
}

bool csr_read_mireg(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    return read_ireg(cpu, MSI_FILE_M, cpu->miselect, v);
}

bool csr_write_mireg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    return write_ireg(cpu, MSI_FILE_M, cpu->miselect, v, mask);
}

bool csr_read_sireg(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    return read_ireg(cpu, MSI_FILE_S, cpu->siselect, v);
}

bool csr_write_sireg(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    return write_ireg(cpu, MSI_FILE_S, cpu->siselect, v, mask);
}

/* Return xtopei: the identity in the upper half and its priority, which is equal, in the lower. */
static uint64_t csr_topei(RiscvCpu *cpu, MsiFile file)
{
    uint64_t id = imsic_top(&cpu->file[file]);
    cpu->topei_read = id;
    return id << 16 | id;
}

bool csr_read_mtopei(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = csr_topei(cpu, MSI_FILE_M);
    return true;
}

bool csr_read_stopei(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = csr_topei(cpu, MSI_FILE_S);
    return true;
}

/* Claim the interrupt that the read of the same instruction returned. The value has no effect. */
bool csr_write_mtopei(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    imsic_claim(&cpu->file[MSI_FILE_M], cpu->topei_read);
    return true;
}

bool csr_write_stopei(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    imsic_claim(&cpu->file[MSI_FILE_S], cpu->topei_read);
    return true;
}

static bool csr_topi(RiscvCpu *cpu, unsigned priv, uint64_t *v)
{
    rv_update_mip(cpu);
    uint64_t irq = rv_top_interrupt(cpu, priv);
    *v = irq ? irq << 16 | 1 : 0;
    return true;
}

bool csr_read_mtopi(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    return csr_topi(cpu, PRIV_M, v);
}

bool csr_read_stopi(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    return csr_topi(cpu, PRIV_S, v);
}

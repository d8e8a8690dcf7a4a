/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Smstateen: M-mode controls which state lower privilege modes can use (RISC-V State Enable
 * Extension 1.0). There is no hypervisor mode and no state that S-mode could deny to U-mode, so
 * that hstateen does not exist and sstateen is read-only zero.
 */
#include "target/riscv/csr_internal.h"

#define STATEEN_IMSIC  (UINT64_C(1) << 58)
#define STATEEN_AIA    (UINT64_C(1) << 59)
#define STATEEN_CSRIND (UINT64_C(1) << 60)
#define STATEEN_ENVCFG (UINT64_C(1) << 62)
#define STATEEN_SE     (UINT64_C(1) << 63)

enum { SENVCFG = 0x10a, SSTATEEN0 = 0x10c, SISELECT = 0x150, SIREG = 0x151, STOPEI = 0x15c };
enum { STOPI = 0xdb0, MSTATEEN0 = 0x30c, SELECT_IMSIC = 0x70 };

uint64_t riscv_mstateen_legal(const RiscvCpu *cpu, unsigned n)
{
    if (!has_ext(cpu, EXT_SMSTATEEN)) {
        return 0;
    }
    if (n > 0) {
        return STATEEN_SE;
    }
    return STATEEN_SE | STATEEN_ENVCFG |
           (has_ext(cpu, EXT_SSAIA) ? STATEEN_IMSIC | STATEEN_AIA | STATEEN_CSRIND : 0);
}

/* Return the bits of mstateen0 that an access to a CSR requires. */
static uint64_t stateen_required(const RiscvCpu *cpu, unsigned number)
{
    switch (number) {
    case SENVCFG:
        return STATEEN_ENVCFG;
    case SISELECT:
        return STATEEN_CSRIND;
    case SIREG:
        return STATEEN_CSRIND | (cpu->siselect >= SELECT_IMSIC ? STATEEN_IMSIC : STATEEN_AIA);
    case STOPEI:
        return STATEEN_IMSIC;
    case STOPI:
        return STATEEN_AIA;
    default:
        return 0;
    }
}

bool csr_stateen_denies(const RiscvCpu *cpu, unsigned number)
{
    if (!has_ext(cpu, EXT_SMSTATEEN) || cpu->priv == PRIV_M) {
        return false;
    }
    if (number >= SSTATEEN0 && number < SSTATEEN0 + 4) {
        return !(cpu->mstateen[number - SSTATEEN0] & STATEEN_SE);
    }
    return stateen_required(cpu, number) & ~cpu->mstateen[0];
}

bool csr_read_mstateen(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = cpu->mstateen[n - MSTATEEN0];
    return true;
}

bool csr_write_mstateen(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    cpu->mstateen[n - MSTATEEN0] = v & riscv_mstateen_legal(cpu, n - MSTATEEN0);
    return true;
}

bool csr_read_sstateen(RiscvCpu *cpu, unsigned n, uint64_t *v)
{
    *v = 0;
    return true;
}

bool csr_write_sstateen(RiscvCpu *cpu, unsigned n, uint64_t v, uint64_t mask)
{
    return true;
}

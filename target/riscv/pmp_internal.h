/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory protection (privileged ISA, "Physical Memory Protection"), compiled on each
 * write of its registers into sorted ranges that cover the whole address space. Pure.
 */
#ifndef TARGET_RISCV_PMP_H
#define TARGET_RISCV_PMP_H

#include <stdbool.h>
#include <stdint.h>

#define PMP_ENTRIES   16
#define PMP_ADDR_MASK ((UINT64_C(1) << 54) - 1)

enum { PMP_R = 1 << 0, PMP_W = 1 << 1, PMP_X = 1 << 2, PMP_L = 1 << 7 };

/* All bytes of [first, last] have the same matching entry. Rights are PMP_R, _W, _X. */
typedef struct PmpRange {
    uint64_t first, last;
    uint8_t m, su; /* rights of M, and of S and U */
} PmpRange;

typedef struct Pmp {
    PmpRange range[2 * PMP_ENTRIES + 1];
    unsigned n;
} Pmp;

/* cfg: PMP_ENTRIES bytes in pairs of registers, as in pmpcfg0 and pmpcfg2. */
void pmp_compile(Pmp *pmp, const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES]);
/* The range an address stands in; never NULL. */
const PmpRange *pmp_find(const Pmp *pmp, uint64_t pa);
/* May [pa, pa + len) be accessed with all of `rights`? */
bool pmp_allows(const Pmp *pmp, bool machine, uint64_t pa, uint64_t len, uint8_t rights);

/* Legal values of the registers after a write: locked entries keep theirs. */
uint64_t pmp_cfg_write(const uint64_t cfg[2], unsigned reg, uint64_t value);
uint64_t pmp_addr_write(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], unsigned i,
                        uint64_t value);

#endif

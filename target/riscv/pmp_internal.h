/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory protection (privileged ISA, "Physical Memory Protection"), compiled on each
 * write of its registers into sorted ranges that cover the entire address space. The functions
 * access no other state.
 */
#ifndef TARGET_RISCV_PMP_H
#define TARGET_RISCV_PMP_H

#include <stdbool.h>
#include <stdint.h>

#define PMP_ENTRIES   16
#define PMP_ADDR_MASK ((UINT64_C(1) << 54) - 1)

enum { PMP_R = 1 << 0, PMP_W = 1 << 1, PMP_X = 1 << 2, PMP_L = 1 << 7 };

/* A range: all bytes of [first, last] match the same entry. Rights are PMP_R, PMP_W and PMP_X. */
typedef struct PmpRange {
    uint64_t first, last;
    uint8_t m, su; /* rights of M-mode, and of S-mode and U-mode */
} PmpRange;

typedef struct Pmp {
    PmpRange range[2 * PMP_ENTRIES + 1];
    unsigned n;
    unsigned recent; /* the range of the last check: most checks concern the same one */
} Pmp;

/* Compile the registers. cfg is pmpcfg0 and pmpcfg2, which have one byte for each entry. */
void pmp_compile(Pmp *pmp, const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES]);
/* Return the range that contains an address; never NULL. */
const PmpRange *pmp_find(const Pmp *pmp, uint64_t pa);
/* Return true if [pa, pa + len) can be accessed with all of `rights`. */
static inline bool pmp_allows(Pmp *pmp, bool machine, uint64_t pa, uint64_t len, uint8_t rights)
{
    const PmpRange *r = &pmp->range[pmp->recent];

    if (pa < r->first || pa > r->last) {
        r = pmp_find(pmp, pa);
        pmp->recent = r - pmp->range;
    }
    return pa + len - 1 <= r->last && ((machine ? r->m : r->su) & rights) == rights;
}

/* Return the values of the registers after a write. Locked entries do not change. */
uint64_t pmp_cfg_write(const uint64_t cfg[2], unsigned reg, uint64_t value);
uint64_t pmp_addr_write(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], unsigned i,
                        uint64_t value);

#endif

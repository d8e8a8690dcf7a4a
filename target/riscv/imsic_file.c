/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interrupt file of an IMSIC (contract in imsic_file_internal.h).
 */
#include "target/riscv/imsic_file_internal.h"

enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIP0 = 0x80, EIE0 = 0xc0, LAST = 0xff };

bool imsic_deliver_any(ImsicFile *f, uint32_t id)
{
    if (id == 0 || id > IMSIC_IDS) {
        return false;
    }
    __atomic_fetch_or(&f->eip[id / 64], UINT64_C(1) << (id % 64), __ATOMIC_SEQ_CST);
    return true;
}

unsigned imsic_top(const ImsicFile *f)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t both = __atomic_load_n(&f->eip[i], __ATOMIC_ACQUIRE) & f->eie[i];
        if (both) {
            unsigned id = i * 64 + __builtin_ctzll(both);
            return f->eithreshold == 0 || id < f->eithreshold ? id : 0;
        }
    }
    return 0;
}

bool imsic_signals(const ImsicFile *f)
{
    return f->eidelivery == 1 && imsic_top(f) != 0;
}

void imsic_claim(ImsicFile *f, unsigned id)
{
    __atomic_fetch_and(&f->eip[id / 64], ~(UINT64_C(1) << (id % 64)), __ATOMIC_SEQ_CST);
}

/* Set *i to the array element of an eip or eie register. Return false for any other number. On RV64
 * only even numbers exist. */
static bool imsic_file_element(unsigned select, unsigned *i)
{
    *i = (select & 0x3f) / 2;
    return select >= EIP0 && select <= LAST && (select & 1) == 0;
}

bool imsic_read(const ImsicFile *f, unsigned select, uint64_t *value)
{
    unsigned i;

    *value = 0;
    if (select == EIDELIVERY) {
        *value = f->eidelivery;
        return true;
    }
    if (select == EITHRESHOLD) {
        *value = f->eithreshold;
        return true;
    }
    if (!imsic_file_element(select, &i)) {
        /* 0x71 and 0x73-0x7f are reserved and read as zero. */
        return select > EIDELIVERY && select < EIP0;
    }
    if (i < 4) {
        *value = select < EIE0 ? __atomic_load_n(&f->eip[i], __ATOMIC_ACQUIRE) : f->eie[i];
    }
    return true;
}

static void change(uint64_t *word, uint64_t value, uint64_t mask)
{
    __atomic_fetch_and(word, ~mask | value, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(word, mask & value, __ATOMIC_SEQ_CST);
}

bool imsic_write(ImsicFile *f, unsigned select, uint64_t value, uint64_t mask)
{
    unsigned i;

    if (select == EIDELIVERY) {
        f->eidelivery = (f->eidelivery & ~mask & 1) | (value & mask & 1);
        return true;
    }
    if (select == EITHRESHOLD) {
        f->eithreshold = (f->eithreshold & ~mask & 0xff) | (value & mask & 0xff);
        return true;
    }
    if (!imsic_file_element(select, &i)) {
        return select > EIDELIVERY && select < EIP0;
    }
    if (i < 4) {
        mask &= i == 0 ? ~UINT64_C(1) : ~UINT64_C(0);
        change(select < EIE0 ? &f->eip[i] : &f->eie[i], value, mask);
    }
    return true;
}

void imsic_reset(ImsicFile *f)
{
    for (unsigned i = 0; i < 4; i++) {
        __atomic_store_n(&f->eip[i], 0, __ATOMIC_SEQ_CST);
        f->eie[i] = 0;
    }
    f->eidelivery = 0;
    f->eithreshold = 0;
}

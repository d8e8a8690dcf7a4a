/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interrupt file of an IMSIC (Advanced Interrupt Architecture, chapter 3): identities 1 to
 * 255, pending and enable bits, delivery and threshold, as reached through xireg and xtopei.
 *
 * Pending bits are set from any thread; everything else is the hart's own.
 */
#ifndef TARGET_RISCV_IMSIC_FILE_H
#define TARGET_RISCV_IMSIC_FILE_H

#include <stdbool.h>
#include <stdint.h>

#define IMSIC_IDS 255

typedef struct ImsicFile {
    uint64_t eip[4]; /* atomic */
    uint64_t eie[4];
    uint64_t eidelivery, eithreshold;
} ImsicFile;

/* Set an identity pending. False: there is no such identity. Any thread. */
bool imsic_deliver_any(ImsicFile *f, uint32_t id);
/* The least identity pending, enabled and below the threshold; 0 if none. */
unsigned imsic_top(const ImsicFile *f);
/* Does the file signal its hart? */
bool imsic_signals(const ImsicFile *f);
void imsic_claim(ImsicFile *f, unsigned id);
/* Registers by xiselect number 0x70-0xff. False: no such register on RV64. */
bool imsic_read(const ImsicFile *f, unsigned select, uint64_t *value);
/* Only the bits in mask change (a csrrs must not lose an identity that arrives meanwhile). */
bool imsic_write(ImsicFile *f, unsigned select, uint64_t value, uint64_t mask);
void imsic_reset(ImsicFile *f);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interrupt file of an IMSIC (Advanced Interrupt Architecture, chapter 3): identities 1 to
 * 255, pending and enable bits, delivery and threshold, which software accesses through xireg and
 * xtopei.
 *
 * Any thread may set pending bits; only the thread of the hart accesses all other members.
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

/* Set the pending bit of an identity. Return false if the identity does not exist. Any thread. */
bool imsic_deliver_any(ImsicFile *f, uint32_t id);
/* Return the lowest identity that is pending, enabled and below the threshold; 0: none. */
unsigned imsic_top(const ImsicFile *f);
/* Return true if the file signals an interrupt to its hart. */
bool imsic_signals(const ImsicFile *f);
void imsic_claim(ImsicFile *f, unsigned id);
/* Read a register by its xiselect number, 0x70 to 0xff. Return false if RV64 has no such register.
 */
bool imsic_read(const ImsicFile *f, unsigned select, uint64_t *value);
/* Write the bits in mask of a register. The other bits do not change, so that a csrrs does not
 * clear an identity that arrives meanwhile. */
bool imsic_write(ImsicFile *f, unsigned select, uint64_t value, uint64_t mask);
void imsic_reset(ImsicFile *f);

#endif

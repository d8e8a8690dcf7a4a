/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CFI flash memory with the Intel command set: one bank of 32 MiB, 32 bits wide, made of two 16-bit
 * devices. A bank with a drive holds the data of the drive and writes changes back to it.
 *
 * References: Common Flash Interface (JEDEC JESD68.01, JEP137); Intel StrataFlash (28F256J3)
 * datasheet, command set 0x0001.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_BLOCK_PFLASH_H
#define HW_BLOCK_PFLASH_H

#include "hw/core/sysdev.h"

#define PFLASH_TYPE "cfi.pflash01"
#define PFLASH_SIZE (32ull << 20) /* of a bank, bytes */

/* Map a bank at an address of the memory space. Called once, in place of sysdev_map(). */
void pflash_map(Device *dev, uint64_t addr);
/* Return whether the bank has a drive. */
bool pflash_has_drive(const Device *dev);

#endif

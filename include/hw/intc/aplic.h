/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link between the two interrupt domains of an APLIC, made by the board.
 */
#ifndef HW_INTC_APLIC_H
#define HW_INTC_APLIC_H

#include "hw/core/device.h"

/* `child` becomes child domain 0 of `root` (both of type riscv.aplic, the same number of
 * sources): it gets the wires of delegated sources and obeys root's MSI address registers. */
void aplic_set_child(Device *root, Device *child);

#endif

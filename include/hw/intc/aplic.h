/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link between the two interrupt domains of an APLIC, which the board creates.
 */
#ifndef HW_INTC_APLIC_H
#define HW_INTC_APLIC_H

#include "hw/core/device.h"

/* Make `child` child domain 0 of `root`. Both are of type riscv.aplic with the same number of
 * sources. The child receives the wires of delegated sources and uses the MSI address registers of
 * the root. Requires the machine lock. */
void aplic_set_child(Device *root, Device *child);

#endif

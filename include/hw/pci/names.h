/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of registers and capabilities, as in the specifications, for messages and for
 * query-pci-config.
 */
#ifndef HW_PCI_NAMES_H
#define HW_PCI_NAMES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hw/pci/config.h"

/* Return the name of a capability ("MSI-X", "Advanced Error Reporting"), or "unknown" for an id
 * without a name. The text is static. */
const char *pci_cap_name(uint16_t id, bool extended);

/* Return the name of the register that contains the byte at addr: "Command", "Base Address 0",
 * "MSI-X Message Control", "Vendor Specific +0x4" in an entry without named registers,
 * "device-specific 0x60" in unallocated space. The caller frees it with g_free(). */
char *pci_register_name(const PCIConfig *c, uint32_t addr);

#endif

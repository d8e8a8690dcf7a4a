/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of registers and capabilities, as the specifications spell them, for messages and for
 * query-pci-config.
 */
#ifndef HW_PCI_NAMES_H
#define HW_PCI_NAMES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "hw/pci/config.h"

/* "MSI-X", "Advanced Error Reporting"; "unknown" for an id that has no name here. Static. */
const char *pci_cap_name(uint16_t id, bool extended);

/* The register that holds the byte at addr: "Command", "Base Address 0", "MSI-X Message
 * Control", "Vendor Specific +0x4" inside an entry without names, "device-specific 0x60" where
 * nothing is allocated. g_free. */
char *pci_register_name(const PCIConfig *c, uint32_t addr);

#endif

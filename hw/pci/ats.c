/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address Translation Services of an endpoint (PCIe 5.0 10.5.1). The host has no translation agent,
 * so the function issues no translation requests, and Enable has no effect. The capability exists
 * for drivers and hosts that require it of a function.
 */
#include "internal.h"

static const RegDesc ats_rows[] = {
    REG_ROW("Capability", PCI_ATS_CAP, 2, .reset = PCI_ATS_CAP_PAGE_ALIGNED, .identity = REG_ALL,
            .doc = "addresses of invalidations are aligned to pages; the queue depth 0 is 32"),
    REG_ROW("Control", PCI_ATS_CTRL, 2, .rw = PCI_ATS_CTRL_ENABLE | PCI_ATS_CTRL_STU_MASK,
            .identity = REG_ALL, .doc = "enable; smallest translation unit"),
};
static const PCIRegTable ats_tables[] = { { .rows = LIST(ats_rows) } };

const PCICapClass pci_ats_class = {
    .id = PCI_EXT_CAP_ID_ATS,
    .extended = true,
    .name = "Address Translation Services",
    .version = 1,
    .present_bit = 12,
    .doc = "Address Translation Services",
    .size = PCI_EXT_CAP_ATS_SIZEOF,
    .tables = LIST(ats_tables),
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Subsystem ID and Subsystem Vendor ID capability of bridges (PCI-to-PCI Bridge 1.2, 3.2.5.13).
 */
#include "internal.h"

static const RegDesc ssvid_rows[] = {
    REG_ROW("Subsystem Vendor ID", PCI_SSVID_VENDOR_ID, 2, .identity = REG_ALL,
            .doc = "vendor of the board"),
    REG_ROW("Subsystem ID", PCI_SSVID_DEVICE_ID, 2, .identity = REG_ALL,
            .doc = "board of that vendor"),
};
static const PCIRegTable ssvid_tables[] = { { .rows = LIST(ssvid_rows) } };

static bool ssvid_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    pci_config_set(&d->config, pos + PCI_SSVID_VENDOR_ID, 2, desc->ssvid.vendor);
    pci_config_set(&d->config, pos + PCI_SSVID_DEVICE_ID, 2, desc->ssvid.id);
    return true;
}

const PCICapClass pci_ssvid_class = {
    .id = PCI_CAP_ID_SSVID,
    .name = "Subsystem ID",
    .present_bit = 5,
    .doc = "subsystem ids of the bridge",
    .size = PCI_SSVID_SIZEOF,
    .tables = LIST(ssvid_tables),
    .setup = ssvid_setup,
};

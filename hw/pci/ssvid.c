/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Subsystem ID and Subsystem Vendor ID capability of bridges (PCI-to-PCI Bridge 1.2, 3.2.5.13):
 * args are the two ids.
 */
#include "hw/pci/pci_int.h"

enum { SSVID_VENDOR = 4, SSVID_ID = 6, SSVID_SIZEOF = 8 };

static uint16_t ssvid_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return SSVID_SIZEOF;
}

static bool ssvid_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];

    pci_config_set(&d->config, pos + SSVID_VENDOR, 2, desc->arg[0]);
    pci_config_set(&d->config, pos + SSVID_ID, 2, desc->arg[1]);
    return true;
}

const PCICapClass pci_ssvid_class = {
    .id = PCI_CAP_ID_SSVID,
    .present_bit = 5,
    .doc = "subsystem ids of the bridge",
    .length = ssvid_length,
    .setup = ssvid_setup,
};

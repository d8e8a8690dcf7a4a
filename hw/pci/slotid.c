/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slot Identification (PCI-to-PCI Bridge 1.2, chapter 13): the chassis that the bridge begins.
 * arg 0 is its number; 0, the chassis the machine itself is in, leaves the capability out.
 */
#include "hw/pci/pci_int.h"

enum {
    SLOTID_EXPANSION = 2, /* slots given by this bridge, and whether it is the chassis' first */
    SLOTID_CHASSIS = 3,
    SLOTID_SIZEOF = 4,
    SLOTID_FIRST = 1 << 5,
};

static uint16_t slotid_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return SLOTID_SIZEOF;
}

static bool slotid_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_cap_count(d, desc) != 0;
}

static uint8_t chassis(const PCIDevice *d, unsigned row)
{
    return pci_cap_count(d, &pci_type(d)->caps[row]);
}

static bool slotid_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    pci_config_set(&d->config, pos + SLOTID_EXPANSION, 1, SLOTID_FIRST);
    pci_config_set(&d->config, pos + SLOTID_CHASSIS, 1, chassis(d, row));
    pci_config_mask_set(&d->config, PCI_WMASK, pos + SLOTID_CHASSIS, 1, 0xff);
    return true;
}

static void slotid_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    pci_config_set(&d->config, d->cap_pos[row] + SLOTID_CHASSIS, 1, chassis(d, row));
}

const PCICapClass pci_slotid_class = {
    .id = PCI_CAP_ID_SLOTID,
    .present_bit = 10,
    .doc = "slot identification: the number of the chassis",
    .length = slotid_length,
    .wanted = slotid_wanted,
    .setup = slotid_setup,
    .reset = slotid_reset,
};

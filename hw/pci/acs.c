/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access Control Services (PCIe 5.0 7.7.8). Arg 0: the capability bits. Traffic between functions
 * of one machine always passes the root, so the controls have nothing to switch off; they are
 * there for software that checks them before it assigns devices.
 */
#include "hw/pci/pci_int.h"

enum { ACS_CAP = 4, ACS_CTL = 6, ACS_SIZEOF = 8 };

static uint16_t acs_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return ACS_SIZEOF;
}

static bool acs_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    uint16_t bits = pci_type(d)->caps[row].arg[0];

    pci_config_set(&d->config, pos + ACS_CAP, 2, bits);
    pci_config_mask_set(&d->config, PCI_WMASK, pos + ACS_CTL, 2, bits);
    return true;
}

const PCICapClass pci_acs_class = {
    .id = PCI_EXT_CAP_ID_ACS,
    .extended = true,
    .version = 1,
    .present_bit = 6,
    .doc = "Access Control Services",
    .length = acs_length,
    .setup = acs_setup,
};

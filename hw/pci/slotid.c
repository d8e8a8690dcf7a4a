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

static const RegDesc slotid_rows[] = {
    REG_ROW("Expansion Slot", SLOTID_EXPANSION, 1, .reset = SLOTID_FIRST, .identity = REG_ALL,
            .doc = "first bridge of its chassis; number of slots (0)"),
    REG_ROW("Chassis Number", SLOTID_CHASSIS, 1, .rw = 0xff, .identity = REG_ALL,
            .doc = "number of the chassis; reset: property chassis_nr"),
};
static const PCIRegTable slotid_tables[] = { { .rows = LIST(slotid_rows) } };

static bool slotid_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_cap_count(d, desc) != 0;
}

static uint8_t slotid_chassis(const PCIDevice *d, unsigned row)
{
    return pci_cap_count(d, &pci_type(d)->caps[row]);
}

static bool slotid_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    pci_config_set(&d->config, pos + SLOTID_CHASSIS, 1, slotid_chassis(d, row));
    return true;
}

static void slotid_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    pci_config_set(&d->config, d->cap_pos[row] + SLOTID_CHASSIS, 1, slotid_chassis(d, row));
}

const PCICapClass pci_slotid_class = {
    .id = PCI_CAP_ID_SLOTID,
    .name = "Slot Identification",
    .present_bit = 10,
    .doc = "slot identification: the number of the chassis",
    .size = SLOTID_SIZEOF,
    .tables = LIST(slotid_tables),
    .wanted = slotid_wanted,
    .setup = slotid_setup,
    .reset = slotid_reset,
};

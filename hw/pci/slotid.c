/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slot Identification (PCI-to-PCI Bridge 1.2, chapter 13) of the first bridge of a chassis. The
 * property that chassis_prop names has the chassis number; 0, the chassis of the machine itself,
 * omits the capability.
 */
#include "internal.h"

static const RegDesc slotid_rows[] = {
    REG_ROW("Expansion Slot", PCI_SID_ESR, 1, .reset = PCI_SID_ESR_FIC, .identity = REG_ALL,
            .doc = "first bridge of its chassis; number of slots (0)"),
    REG_ROW("Chassis Number", PCI_SID_CHASSIS_NR, 1, .rw = 0xff, .identity = REG_ALL,
            .doc = "number of the chassis; reset: property chassis_nr"),
};
static const PCIRegTable slotid_tables[] = { { .rows = LIST(slotid_rows) } };

static const char *slotid_value_prop(const PCICapDesc *desc)
{
    return desc->slotid.chassis_prop;
}

static bool slotid_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_prop_u64(d, desc->slotid.chassis_prop) != 0;
}

static uint8_t slotid_chassis(const PCIDevice *d, unsigned row)
{
    return pci_prop_u64(d, pci_type(d)->caps[row].slotid.chassis_prop);
}

static bool slotid_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    pci_config_set(&d->config, pos + PCI_SID_CHASSIS_NR, 1, slotid_chassis(d, row));
    return true;
}

static void slotid_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    pci_config_set(&d->config, d->cap_pos[row] + PCI_SID_CHASSIS_NR, 1, slotid_chassis(d, row));
}

const PCICapClass pci_slotid_class = {
    .id = PCI_CAP_ID_SLOTID,
    .name = "Slot Identification",
    .present_bit = 10,
    .doc = "slot identification: the number of the chassis",
    .size = PCI_SID_SIZEOF,
    .tables = LIST(slotid_tables),
    .value_prop = slotid_value_prop,
    .wanted = slotid_wanted,
    .setup = slotid_setup,
    .reset = slotid_reset,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access Control Services (PCIe 5.0 7.7.8). Requests between functions of a machine always pass the
 * root complex, so the controls have no effect. They exist for software that checks them before it
 * assigns devices.
 */
#include "internal.h"

static const RegDesc acs_rows[] = {
    REG_ROW("Capability", PCI_ACS_CAP, 2, .identity = REG_ALL,
            .doc = "services that are implemented"),
    REG_ROW("Control", PCI_ACS_CTRL, 2, .identity = REG_ALL, .doc = "services that are enabled"),
};
static const PCIRegTable acs_tables[] = { { .rows = LIST(acs_rows) } };

/* Set the capability bits, and make the control bits of the implemented services writable. */
static bool acs_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    uint16_t bits = pci_type(d)->caps[row].acs.services;
    const RegDesc control = REG_ROW("Control", PCI_ACS_CTRL, 2, .rw = bits, .identity = REG_ALL);

    pci_config_set(&d->config, pos + PCI_ACS_CAP, 2, bits);
    pci_config_compile(&d->config, pos, &control, 1);
    return true;
}

const PCICapClass pci_acs_class = {
    .id = PCI_EXT_CAP_ID_ACS,
    .extended = true,
    .name = "Access Control Services",
    .version = 1,
    .present_bit = 6,
    .doc = "Access Control Services",
    .size = PCI_EXT_CAP_ACS_SIZEOF,
    .tables = LIST(acs_tables),
    .setup = acs_setup,
};

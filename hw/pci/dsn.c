/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Device Serial Number capability (PCIe 5.0 7.9.3). The number is the value of the U64 property
 * that serial_prop of the row names; 0 omits the capability.
 */
#include "internal.h"

static const RegDesc dsn_rows[] = {
    REG_ROW("Serial Number", PCI_DSN_SERIAL, 8, .identity = REG_ALL,
            .doc = "serial number (EUI-64)"),
};
static const PCIRegTable dsn_tables[] = { { .rows = LIST(dsn_rows) } };

static const char *dsn_value_prop(const PCICapDesc *desc)
{
    return desc->dsn.serial_prop;
}

static bool dsn_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_prop_u64(d, desc->dsn.serial_prop) != 0;
}

static bool dsn_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    uint64_t number = pci_prop_u64(d, pci_type(d)->caps[row].dsn.serial_prop);

    pci_config_set(&d->config, pos + PCI_DSN_SERIAL, 4, (uint32_t)number);
    pci_config_set(&d->config, pos + PCI_DSN_SERIAL + 4, 4, number >> 32);
    return true;
}

const PCICapClass pci_dsn_class = {
    .id = PCI_EXT_CAP_ID_DSN,
    .extended = true,
    .name = "Device Serial Number",
    .version = 1,
    .present_bit = 7,
    .doc = "Device Serial Number",
    .size = PCI_EXT_CAP_DSN_SIZEOF,
    .tables = LIST(dsn_tables),
    .value_prop = dsn_value_prop,
    .wanted = dsn_wanted,
    .setup = dsn_setup,
};

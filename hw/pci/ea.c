/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enhanced Allocation of a port (PCIe 5.0 7.8.5): fixed bus numbers behind the port, and no other
 * resource. The first number is the value of the property that bus_prop of the row names; 0 omits
 * the capability. The property that more_prop names has the number of further buses.
 *
 * The specification provides fixed numbers for ports with functions behind them that use Enhanced
 * Allocation. Linux uses the numbers of each port that has them, also while the port is empty, and
 * has no other way to reserve bus numbers behind one port.
 */
#include "internal.h"
#include "util/error.h"

static const RegDesc ea_rows[] = {
    REG_ROW("Num Entries", PCI_EA_NUM_ENT, 2, .identity = REG_ALL, .doc = "no resources (0)"),
    REG_ROW("Fixed Secondary Bus Number", PCI_EA_FIRST_ENT, 1, .identity = REG_ALL,
            .doc = "first bus number behind the port"),
    REG_ROW("Fixed Subordinate Bus Number", PCI_EA_FIRST_ENT + 1, 1, .identity = REG_ALL,
            .doc = "last bus number behind the port"),
    REG_ROW("Reserved", PCI_EA_FIRST_ENT + 2, 2, .identity = REG_ALL, .doc = "zero"),
};
static const PCIRegTable ea_tables[] = { { .rows = LIST(ea_rows) } };

static const char *ea_value_prop(const PCICapDesc *desc)
{
    return desc->ea.bus_prop;
}

static bool ea_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_prop_u64(d, desc->ea.bus_prop) != 0;
}

static bool ea_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];
    const char *prop = desc->ea.bus_prop, *more_prop = desc->ea.more_prop;
    uint64_t first = pci_prop_u64(d, prop), more = pci_prop_u64(d, more_prop);

    if (more == PCI_RESERVE_NONE_32) {
        more = 0;
    }
    if (first + more > UINT8_MAX) {
        return error_set(err, ERROR_USER,
                         "%s: %s=%u and %s=%u exceed the last bus number, 255: with this %s, %s "
                         "must be at most %u",
                         device_name(&d->dev), prop, (unsigned)first, more_prop, (unsigned)more,
                         prop, more_prop, (unsigned)(UINT8_MAX - first));
    }
    pci_config_set(&d->config, pos + PCI_EA_FIRST_ENT, 1, (uint32_t)first);
    pci_config_set(&d->config, pos + PCI_EA_FIRST_ENT + 1, 1, (uint32_t)(first + more));
    return true;
}

const PCICapClass pci_ea_class = {
    .id = PCI_CAP_ID_EA,
    .name = "Enhanced Allocation",
    .present_bit = 11,
    .doc = "Enhanced Allocation: fixed bus numbers behind a port",
    .size = PCI_EA_SIZEOF_BRIDGE,
    .tables = LIST(ea_tables),
    .value_prop = ea_value_prop,
    .wanted = ea_wanted,
    .setup = ea_setup,
};

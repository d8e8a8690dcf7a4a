/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vendor-specific capability with the resources that firmware reserves behind a port for hot
 * plug: bus numbers, I/O and memory. SeaBIOS and edk2 read it. Linux does not.
 */
#include "internal.h"
#include "util/error.h"

/* Offsets in the capability; the header has the length at 2. */
enum {
    RESERVE_TYPE = 3, /* 1: resources to reserve */
    RESERVE_BUS = 4,
    RESERVE_IO = 8,
    RESERVE_MEM = 16,
    RESERVE_PREF32 = 20,
    RESERVE_PREF64 = 24,
};

/* The properties, and where their values are stored. */
static const struct {
    const char *prop;
    uint8_t at, width;
} reserve_fields[] = {
    { "bus-reserve", RESERVE_BUS, 4 },       { "io-reserve", RESERVE_IO, 8 },
    { "mem-reserve", RESERVE_MEM, 4 },       { "pref32-reserve", RESERVE_PREF32, 4 },
    { "pref64-reserve", RESERVE_PREF64, 8 },
};

static uint64_t reserve_value(const PCIDevice *d, const char *prop)
{
    uint64_t value = pci_prop_u64(d, prop);

    return strcmp(prop, "bus-reserve") == 0 && value == PCI_RESERVE_NONE_32 ? PCI_RESERVE_NONE
                                                                            : value;
}

bool pci_reserve_wanted(const PCIDevice *d)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reserve_fields); i++) {
        if (reserve_value(d, reserve_fields[i].prop) != PCI_RESERVE_NONE) {
            return true;
        }
    }
    return false;
}

static bool reserve_check(const PCIDevice *d, GError **err)
{
    static const struct {
        const char *prop;
        uint64_t max;
    } limits[] = {
        { "bus-reserve", UINT8_MAX },
        { "io-reserve", UINT32_MAX },
        { "mem-reserve", UINT32_MAX - 1 },
        { "pref32-reserve", UINT32_MAX - 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        uint64_t value = reserve_value(d, limits[i].prop);

        if (value != PCI_RESERVE_NONE && value > limits[i].max) {
            return error_set(err, ERROR_USER,
                             "%s: %s=%" G_GUINT64_FORMAT " is too large: at most %" G_GUINT64_FORMAT
                             " is accepted",
                             device_name(&d->dev), limits[i].prop, value, limits[i].max);
        }
    }
    if (reserve_value(d, "pref32-reserve") != PCI_RESERVE_NONE &&
        reserve_value(d, "pref64-reserve") != PCI_RESERVE_NONE) {
        return error_set(err, ERROR_USER,
                         "%s: pref32-reserve and pref64-reserve exclude each other: a port has "
                         "one prefetchable window; leave one of them out",
                         device_name(&d->dev));
    }
    return true;
}

bool pci_reserve_setup(PCIDevice *d, uint16_t pos, GError **err)
{
    if (!reserve_check(d, err)) {
        return false;
    }
    pci_config_set(&d->config, pos + RESERVE_TYPE, 1, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(reserve_fields); i++) {
        uint64_t value = reserve_value(d, reserve_fields[i].prop);

        pci_config_set(&d->config, pos + reserve_fields[i].at, 4, (uint32_t)value);
        if (reserve_fields[i].width == 8) {
            pci_config_set(&d->config, pos + reserve_fields[i].at + 4, 4, value >> 32);
        }
    }
    return true;
}

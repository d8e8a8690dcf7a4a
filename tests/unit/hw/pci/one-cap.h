/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function with Express and one further capability, for tests of small capabilities.
 */
#ifndef TESTS_ONE_CAP_H
#define TESTS_ONE_CAP_H

#include "pci-fixture.h"

enum { ONE_FN = PCI_DEVFN(1, 0) };

typedef struct OneCap {
    PCIDevice pci;
    uint64_t serial;
} OneCap;

static const PlanProp one_cap_props[] = {
    PROP_U64(OneCap, serial, "serial", 0, 0, UINT64_MAX, "serial number"),
};

#define ONE_CAP_TYPE(...)                                                                          \
    static const PCICapDesc one_caps[] = { PCI_CAP_PM_D3, PCI_CAP_ENDPOINT, { __VA_ARGS__ } };     \
    static const PCIDeviceType one_type = {                                                        \
        .base = { .name = "one",                                                                   \
                  .kind = &pci_device_kind,                                                        \
                  .size = sizeof(OneCap),                                                          \
                  .props = LIST(one_cap_props) },                                                  \
        .caps = LIST(one_caps),                                                                    \
    }

/* Any write to the capability changes only `mask` of its bytes, at every size and offset. */
static inline void one_cap_only_changes(Fixture *f, PCIDevice *d, uint16_t pos, unsigned size,
                                        const uint8_t *mask)
{
    g_autofree uint8_t *before = g_memdup2(d->config.bytes + pos, size);

    for (unsigned at = 0; at < size; at++) {
        for (unsigned len = 1; len <= 4; len *= 2) {
            config_write(f, d->devfn, pos + at, len, g_test_rand_int());
        }
    }
    for (unsigned at = 0; at < size; at++) {
        g_assert_cmphex((d->config.bytes[pos + at] ^ before[at]) & ~mask[at], ==, 0);
    }
}

/* Save, load, save gives the same bytes. */
static inline void one_cap_round_trip(PCIDevice *d)
{
    g_autoptr(GByteArray) a = save_record(d), b = NULL;

    g_assert_true(load_record(d, a, NULL));
    b = save_record(d);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

#endif

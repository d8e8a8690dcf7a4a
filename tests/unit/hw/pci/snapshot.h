/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that a load could change in a function: its structure, config space with masks and
 * capabilities, the private state of its capabilities, and the addresses at which its BARs decode.
 * Two snapshots of an unmodified function are equal byte for byte.
 */
#ifndef TESTS_HW_PCI_SNAPSHOT_H
#define TESTS_HW_PCI_SNAPSHOT_H

#include "hw/pci/internal.h"

static inline void snapshot_config(const PCIConfig *c, GByteArray *out)
{
    g_byte_array_append(out, c->bytes, c->size);
    for (unsigned b = 0; b < c->size / PCI_MASK_BLOCK; b++) {
        g_byte_array_append(out, (const uint8_t *)c->masks[b], sizeof(PCIMasks));
    }
    for (unsigned i = 0; i < c->n_entries; i++) {
        uint16_t words[4] = { c->entries[i].offset, c->entries[i].size, c->entries[i].id,
                              c->entries[i].extended };

        g_byte_array_append(out, (const uint8_t *)words, sizeof(words));
    }
}

/* The structure of the complete device, except for its config space, which is separate. */
static inline void snapshot_instance(const PCIDevice *d, GByteArray *out)
{
    const uint8_t *bytes = (const uint8_t *)d;
    size_t config = offsetof(PCIDevice, config), behind = config + sizeof(PCIConfig);

    g_byte_array_append(out, bytes, (guint)config);
    g_byte_array_append(out, bytes + behind, (guint)(d->dev.type->size - behind));
    g_byte_array_append(out, (const uint8_t *)&d->config.bytes, sizeof(d->config.bytes));
}

static inline GByteArray *snapshot(PCIDevice *d)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    snapshot_instance(d, out);
    snapshot_config(&d->config, out);
    pci_device_save(d, &w); /* with the MSI-X table and the levels */
    for (unsigned i = 0; i < PCI_NUM_BARS; i++) {
        uint64_t addr = pci_bar(d, i) ? pci_bar_addr(d, i) : 0;

        g_byte_array_append(out, (const uint8_t *)&addr, sizeof(addr));
    }
    return out;
}

static inline bool snapshot_equal(PCIDevice *d, const GByteArray *before)
{
    g_autoptr(GByteArray) now = snapshot(d);

    return now->len == before->len && memcmp(now->data, before->data, now->len) == 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI (PCI 6.8.1): 32- or 64-bit address, 1 to 32 messages, optional per-vector mask and pending
 * bits. All of its state is in the config bytes.
 */
#include "hw/pci/pci_int.h"

enum { MAX_MESSAGES = 32, MME_MASK = 7 << PCI_MSI_MULTIPLE_ENABLE_SHIFT };

static uint16_t control(const PCIDevice *d)
{
    return pci_config_get(&d->config, d->msi_pos + PCI_MSI_CONTROL, 2);
}

static bool is_64bit(const PCIDevice *d)
{
    return control(d) & PCI_MSI_64BIT;
}

static bool maskable(const PCIDevice *d)
{
    return control(d) & PCI_MSI_MASKABLE;
}

static unsigned data_at(const PCIDevice *d)
{
    return d->msi_pos + (is_64bit(d) ? 12 : 8);
}

static unsigned mask_at(const PCIDevice *d)
{
    return data_at(d) + 4;
}

static unsigned pending_at(const PCIDevice *d)
{
    return data_at(d) + 8;
}

static unsigned log2_capable(const PCIDevice *d)
{
    return control(d) >> PCI_MSI_MULTIPLE_CAPABLE_SHIFT & 7;
}

static unsigned log2_enabled(const PCIDevice *d)
{
    return control(d) >> PCI_MSI_MULTIPLE_ENABLE_SHIFT & 7;
}

bool msi_enabled(const PCIDevice *d)
{
    return d->msi_pos && (control(d) & PCI_MSI_ENABLE);
}

static void send(PCIDevice *d, unsigned n)
{
    uint64_t addr = pci_config_get(&d->config, d->msi_pos + PCI_MSI_ADDRESS_LO, 4);
    uint32_t data = pci_config_get(&d->config, data_at(d), 2);
    unsigned messages = 1u << log2_enabled(d);

    if (is_64bit(d)) {
        addr |= (uint64_t)pci_config_get(&d->config, d->msi_pos + PCI_MSI_ADDRESS_HI, 4) << 32;
    }
    pci_msi_send(d, addr, (data & ~(messages - 1)) | n);
}

void msi_notify(PCIDevice *d, unsigned n)
{
    uint32_t pending;

    if (!msi_enabled(d)) {
        return;
    }
    n &= (1u << log2_enabled(d)) - 1;
    if (maskable(d) && (pci_config_get(&d->config, mask_at(d), 4) >> n & 1)) {
        pending = pci_config_get(&d->config, pending_at(d), 4);
        pci_config_set(&d->config, pending_at(d), 4, pending | 1u << n);
        return;
    }
    send(d, n);
}

void msi_clear_pending(PCIDevice *d, unsigned n)
{
    uint32_t pending;
    unsigned messages;

    if (!d->msi_pos || !maskable(d)) {
        return;
    }
    messages = 1u << log2_enabled(d);
    n &= messages - 1;
    for (unsigned source = n; source < PCI_MAX_IRQS; source += messages) {
        if (d->levels >> source & 1) {
            return;
        }
    }
    pending = pci_config_get(&d->config, pending_at(d), 4);
    pci_config_set(&d->config, pending_at(d), 4, pending & ~(1u << n));
}

/* --- the capability --- */

static uint16_t msi_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    bool is64 = desc->arg[1], mask = desc->arg[2];

    return mask ? (is64 ? 24 : 20) : (is64 ? 14 : 10);
}

static bool msi_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return pci_cap_count(d, desc) != 0;
}

static bool msi_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    const PCICapDesc *desc = &pci_type(d)->caps[row];
    uint64_t n = pci_cap_count(d, desc);
    bool is64 = desc->arg[1], mask = desc->arg[2];
    uint16_t data = pos + (is64 ? 12 : 8);
    PCIConfig *c = &d->config;
    uint16_t flags = 0;

    if (n > MAX_MESSAGES || (n & (n - 1))) {
        pci_error(err, "%s: %" PRIu64 " MSI messages%s%s: 1, 2, 4, 8, 16 or 32 are accepted",
                  device_name(&d->dev), n, desc->count_prop ? " as set by " : "",
                  desc->count_prop ? desc->count_prop : "");
        return false;
    }
    flags |= __builtin_ctz(n) << PCI_MSI_MULTIPLE_CAPABLE_SHIFT;
    flags |= is64 ? PCI_MSI_64BIT : 0;
    flags |= mask ? PCI_MSI_MASKABLE : 0;
    pci_config_set(c, pos + PCI_MSI_CONTROL, 2, flags);
    pci_config_mask_set(c, PCI_WMASK, pos + PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE | MME_MASK);
    pci_config_mask_set(c, PCI_WMASK, pos + PCI_MSI_ADDRESS_LO, 4, ~3u);
    if (is64) {
        pci_config_mask_set(c, PCI_WMASK, pos + PCI_MSI_ADDRESS_HI, 4, ~0u);
    }
    pci_config_mask_set(c, PCI_WMASK, data, 2, 0xffff);
    if (mask) {
        uint32_t vectors = (uint32_t)((1ull << n) - 1);

        pci_config_mask_set(c, PCI_WMASK, data + 4, 4, vectors);
        /* Pending bits are state: read-only, yet not compared on load. */
        pci_config_mask_set(c, PCI_CMASK, data + 8, 4, ~vectors);
    }
    return true;
}

static void msi_placed(PCIDevice *d, unsigned row)
{
    d->msi_pos = d->cap_pos[row];
}

/* More messages than the function has are not granted (PCI 6.8.1.3). */
static void clamp_messages(PCIDevice *d)
{
    unsigned capable = log2_capable(d);

    if (log2_enabled(d) > capable) {
        uint16_t flags = control(d) & ~MME_MASK;

        flags |= capable << PCI_MSI_MULTIPLE_ENABLE_SHIFT;
        pci_config_set(&d->config, d->msi_pos + PCI_MSI_CONTROL, 2, flags);
    }
}

static void deliver_pending(PCIDevice *d)
{
    uint32_t mask, pending, due;

    if (!msi_enabled(d) || !maskable(d)) {
        return;
    }
    mask = pci_config_get(&d->config, mask_at(d), 4);
    pending = pci_config_get(&d->config, pending_at(d), 4);
    due = pending & ~mask;
    pci_config_set(&d->config, pending_at(d), 4, pending & mask);
    while (due) {
        unsigned n = __builtin_ctz(due);

        due &= due - 1;
        send(d, n & ((1u << log2_enabled(d)) - 1));
    }
}

static void msi_written(PCIDevice *d, unsigned row, const PCIConfigWrite *w)
{
    clamp_messages(d);
    deliver_pending(d);
}

static void msi_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    if (maskable(d)) {
        pci_config_set(&d->config, pending_at(d), 4, 0);
    }
}

static bool msi_check(const PCIDevice *d, unsigned row, const char *path, GError **err)
{
    uint16_t flags = pci_config_get(&d->config, d->cap_pos[row] + PCI_MSI_CONTROL, 2);
    unsigned enabled = flags >> PCI_MSI_MULTIPLE_ENABLE_SHIFT & 7;
    unsigned capable = flags >> PCI_MSI_MULTIPLE_CAPABLE_SHIFT & 7;

    if (enabled > capable) {
        pci_error(err, "%s: MSI Message Control enables %u messages: at most %u are accepted", path,
                  1u << enabled, 1u << capable);
        return false;
    }
    return true;
}

const PCICapClass pci_msi_class = {
    .id = PCI_CAP_ID_MSI,
    .present_bit = 1,
    .doc = "message-signalled interrupts",
    .length = msi_length,
    .wanted = msi_wanted,
    .setup = msi_setup,
    .placed = msi_placed,
    .written = msi_written,
    .reset = msi_reset,
    .check = msi_check,
};

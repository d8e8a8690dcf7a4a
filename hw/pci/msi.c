/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI (PCI 6.8.1): 32- or 64-bit address, 1 to 32 messages, optional per-vector mask and pending
 * bits. All of its state is in the configuration bytes.
 */
#include "internal.h"
#include "util/error.h"

enum { MSI_MAX_MESSAGES = 32 };

static uint16_t msi_control(const PCIDevice *d)
{
    return pci_config_get(&d->config, d->msi_pos + PCI_MSI_FLAGS, 2);
}

static bool msi_is_64bit(const PCIDevice *d)
{
    return msi_control(d) & PCI_MSI_FLAGS_64BIT;
}

static bool msi_maskable(const PCIDevice *d)
{
    return msi_control(d) & PCI_MSI_FLAGS_MASKBIT;
}

static unsigned msi_data_at(const PCIDevice *d)
{
    return d->msi_pos + (msi_is_64bit(d) ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
}

static unsigned msi_mask_at(const PCIDevice *d)
{
    return d->msi_pos + (msi_is_64bit(d) ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
}

static unsigned msi_pending_at(const PCIDevice *d)
{
    return d->msi_pos + (msi_is_64bit(d) ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32);
}

static unsigned msi_log2_capable(const PCIDevice *d)
{
    return msi_control(d) >> PCI_MSI_FLAGS_QMASK_SHIFT & 7;
}

static unsigned msi_log2_enabled(const PCIDevice *d)
{
    return msi_control(d) >> PCI_MSI_FLAGS_QSIZE_SHIFT & 7;
}

bool msi_enabled(const PCIDevice *d)
{
    return d->msi_pos && (msi_control(d) & PCI_MSI_FLAGS_ENABLE);
}

static void msi_send(PCIDevice *d, unsigned n)
{
    uint64_t addr = pci_config_get(&d->config, d->msi_pos + PCI_MSI_ADDRESS_LO, 4);
    uint32_t data = pci_config_get(&d->config, msi_data_at(d), 2);
    unsigned messages = 1u << msi_log2_enabled(d);

    if (msi_is_64bit(d)) {
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
    n &= (1u << msi_log2_enabled(d)) - 1;
    if (msi_maskable(d) && (pci_config_get(&d->config, msi_mask_at(d), 4) >> n & 1)) {
        pending = pci_config_get(&d->config, msi_pending_at(d), 4);
        pci_config_set(&d->config, msi_pending_at(d), 4, pending | 1u << n);
        return;
    }
    msi_send(d, n);
}

void msi_clear_pending(PCIDevice *d, unsigned n)
{
    uint32_t pending;
    unsigned messages;

    if (!d->msi_pos || !msi_maskable(d)) {
        return;
    }
    messages = 1u << msi_log2_enabled(d);
    n &= messages - 1;
    for (unsigned source = n; source < PCI_MAX_IRQS; source += messages) {
        if (d->levels >> source & 1) {
            return;
        }
    }
    pending = pci_config_get(&d->config, msi_pending_at(d), 4);
    pci_config_set(&d->config, msi_pending_at(d), 4, pending & ~(1u << n));
}

/* --- the capability --- */

/* Limit Multiple Message Enable to the number of messages that the function has (PCI 6.8.1.3). */
static void msi_clamp_messages(PCIDevice *d)
{
    unsigned capable = msi_log2_capable(d);

    if (msi_log2_enabled(d) > capable) {
        uint16_t flags = msi_control(d) & ~PCI_MSI_FLAGS_QSIZE;

        flags |= capable << PCI_MSI_FLAGS_QSIZE_SHIFT;
        pci_config_set(&d->config, d->msi_pos + PCI_MSI_FLAGS, 2, flags);
    }
}

static void msi_deliver_pending(PCIDevice *d)
{
    uint32_t mask, pending, due;

    if (!msi_enabled(d) || !msi_maskable(d)) {
        return;
    }
    mask = pci_config_get(&d->config, msi_mask_at(d), 4);
    pending = pci_config_get(&d->config, msi_pending_at(d), 4);
    due = pending & ~mask;
    pci_config_set(&d->config, msi_pending_at(d), 4, pending & mask);
    while (due) {
        unsigned n = __builtin_ctz(due);

        due &= due - 1;
        msi_send(d, n & ((1u << msi_log2_enabled(d)) - 1));
    }
}

static uint32_t msi_control_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    msi_clamp_messages(dev);
    msi_deliver_pending(dev);
    return (old ^ new) & PCI_MSI_FLAGS_ENABLE ? PCI_EFFECT_INTX : 0;
}

static uint32_t msi_mask_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    msi_deliver_pending(dev);
    return 0;
}

static const RegDesc msi_rows[] = {
    REG_ROW("Message Control", PCI_MSI_FLAGS, 2, .rw = PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE,
            .identity = REG_ALL, .wrote = msi_control_wrote,
            .doc = "enable, messages requested and granted, 64-bit addresses, masking"),
    REG_ROW("Message Address", PCI_MSI_ADDRESS_LO, 4, .rw = 0xfffffffc, .identity = REG_ALL,
            .doc = "address of the message"),
};
#define MSI_DATA(off)                                                                              \
    REG_ROW("Message Data", off, 2, .rw = 0xffff, .identity = REG_ALL,                             \
            .doc = "data of message 0; the low bits are the number of the message")
/* Mask and pending bits. setup() restricts both registers to one bit for each message that the
 * function has. */
#define MSI_MASK(off)                                                                              \
    REG_ROW("Mask Bits", off, 4, .rw = UINT32_MAX, .identity = REG_ALL, .wrote = msi_mask_wrote,   \
            .doc = "messages that are held back")
#define MSI_PENDING(off) REG_ROW("Pending Bits", off, 4, .doc = "masked messages that are due")

static const RegDesc msi_data32_rows[] = { MSI_DATA(PCI_MSI_DATA_32) };
static const RegDesc msi_data64_rows[] = {
    REG_ROW("Message Upper Address", PCI_MSI_ADDRESS_HI, 4, .rw = UINT32_MAX, .identity = REG_ALL,
            .doc = "bits 63:32 of the address"),
    MSI_DATA(PCI_MSI_DATA_64),
};
static const RegDesc msi_mask32_rows[] = { MSI_MASK(PCI_MSI_MASK_32),
                                           MSI_PENDING(PCI_MSI_PENDING_32) };
static const RegDesc msi_mask64_rows[] = { MSI_MASK(PCI_MSI_MASK_64),
                                           MSI_PENDING(PCI_MSI_PENDING_64) };

static bool msi_is32(const PCIDevice *d, const PCICapDesc *desc)
{
    return !desc->msi.addr64;
}

static bool msi_is64(const PCIDevice *d, const PCICapDesc *desc)
{
    return desc->msi.addr64;
}

static bool msi_is32_mask(const PCIDevice *d, const PCICapDesc *desc)
{
    return !desc->msi.addr64 && desc->msi.maskable;
}

static bool msi_is64_mask(const PCIDevice *d, const PCICapDesc *desc)
{
    return desc->msi.addr64 && desc->msi.maskable;
}

static const PCIRegTable msi_tables[] = {
    { .rows = LIST(msi_rows) },
    { .rows = LIST(msi_data32_rows), .applies = msi_is32 },
    { .rows = LIST(msi_data64_rows), .applies = msi_is64 },
    { .rows = LIST(msi_mask32_rows), .applies = msi_is32_mask },
    { .rows = LIST(msi_mask64_rows), .applies = msi_is64_mask },
};

static uint16_t msi_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    bool is64 = desc->msi.addr64, mask = desc->msi.maskable;

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
    bool is64 = desc->msi.addr64, mask = desc->msi.maskable;
    PCIConfig *c = &d->config;
    uint16_t flags = 0;

    if (n > MSI_MAX_MESSAGES || (n & (n - 1))) {
        return error_set(err, ERROR_USER,
                         "%s: %" PRIu64 " MSI messages%s%s: 1, 2, 4, 8, 16 or 32 are accepted",
                         device_name(&d->dev), n, desc->count_prop ? " as set by " : "",
                         desc->count_prop ? desc->count_prop : "");
    }
    flags |= __builtin_ctz(n) << PCI_MSI_FLAGS_QMASK_SHIFT;
    flags |= is64 ? PCI_MSI_FLAGS_64BIT : 0;
    flags |= mask ? PCI_MSI_FLAGS_MASKBIT : 0;
    pci_config_set(c, pos + PCI_MSI_FLAGS, 2, flags);
    if (mask) {
        RegDesc bits[] = { desc->msi.addr64 ? msi_mask64_rows[0] : msi_mask32_rows[0],
                           desc->msi.addr64 ? msi_mask64_rows[1] : msi_mask32_rows[1] };
        uint32_t vectors = (uint32_t)((1ull << n) - 1);

        bits[0].rw = vectors;
        bits[1].identity = ~vectors;
        pci_config_compile(c, pos, LIST(bits));
    }
    return true;
}

static void msi_placed(PCIDevice *d, unsigned row)
{
    d->msi_pos = d->cap_pos[row];
}

static bool msi_check(const PCIDevice *d, unsigned row, const char *path, GError **err)
{
    uint16_t flags = pci_config_get(&d->config, d->cap_pos[row] + PCI_MSI_FLAGS, 2);
    unsigned enabled = flags >> PCI_MSI_FLAGS_QSIZE_SHIFT & 7;
    unsigned capable = flags >> PCI_MSI_FLAGS_QMASK_SHIFT & 7;

    if (enabled > capable) {
        return error_set(err, ERROR_GUEST,
                         "%s: MSI Message Control enables %u messages: at most %u are accepted",
                         path, 1u << enabled, 1u << capable);
    }
    return true;
}

const PCICapClass pci_msi_class = {
    .id = PCI_CAP_ID_MSI,
    .name = "MSI",
    .present_bit = 1,
    .doc = "message-signalled interrupts",
    .tables = LIST(msi_tables),
    .length = msi_length,
    .wanted = msi_wanted,
    .setup = msi_setup,
    .placed = msi_placed,
    .check = msi_check,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modern interface: four structures in one BAR, which vendor-specific capabilities describe,
 * and the PCI configuration access capability (virtio 1.2, 4.1.4).
 */
#include <string.h>

#include "hw/core/reg.h"
#include "util/error.h"
#include "util/log.h"
#include "virtio_pci_internal.h"

static VirtQueue *common_selected(VirtioPCI *p)
{
    return virtio_queue(p->virtio, p->queue_select);
}

/* --- common configuration (4.1.4.3) --- */

static uint64_t common_read_device_feature(void *dev, const RegDesc *r)
{
    VirtioPCI *p = dev;

    return virtio_features_word(p->virtio->host_features, p->device_feature_select);
}

static uint64_t common_read_driver_feature(void *dev, const RegDesc *r)
{
    VirtioPCI *p = dev;

    return virtio_features_word(p->virtio->guest_features | p->virtio->not_offered,
                                p->driver_feature_select);
}

static uint32_t common_write_driver_feature(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_set_features_word(p->virtio, p->driver_feature_select, new);
    return 0;
}

static uint64_t common_read_config_vector(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio->config_vector;
}

static uint32_t common_write_config_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_pci_set_vector(p, &p->virtio->config_vector, new);
    return 0;
}

static uint64_t common_read_num_queues(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio->n_queues;
}

static uint64_t common_read_status(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio->status;
}

static uint32_t common_write_status(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_set_status(p->virtio, new);
    virtio_pci_update_intx(p);
    return 0;
}

static uint64_t common_read_generation(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio->config_generation;
}

static uint64_t common_read_queue_size(void *dev, const RegDesc *r)
{
    VirtQueue *vq = common_selected(dev);

    return vq ? vq->size : 0;
}

static uint32_t common_write_queue_size(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = common_selected(dev);

    if (vq) {
        virtq_set_size(vq, new);
    }
    return 0;
}

static uint64_t common_read_queue_vector(void *dev, const RegDesc *r)
{
    VirtQueue *vq = common_selected(dev);

    return vq ? vq->vector : VIRTIO_MSI_NO_VECTOR;
}

static uint32_t common_write_queue_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = common_selected(dev);

    if (vq) {
        virtio_pci_set_vector(dev, &vq->vector, new);
    }
    return 0;
}

static uint64_t common_read_queue_enable(void *dev, const RegDesc *r)
{
    VirtQueue *vq = common_selected(dev);

    return vq ? vq->enabled : 0;
}

static uint32_t common_write_queue_enable(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = common_selected(dev);

    if (vq && new == 1 && !vq->enabled) {
        virtq_enable(vq);
    } else if (vq && new != 1) {
        guest_error(device_name(vq->v->device), "queue %u: %u written to queue_enable: ignored",
                    vq->index, (unsigned)new);
    }
    return 0;
}

static uint64_t common_read_notify_off(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->queue_select;
}

/* The ring area of a register from VIRTIO_PCI_COMMON_Q_DESCLO to VIRTIO_PCI_COMMON_Q_USEDHI. */
static uint64_t *common_ring_area(VirtQueue *vq, uint64_t at)
{
    return at < VIRTIO_PCI_COMMON_Q_AVAILLO  ? &vq->desc
           : at < VIRTIO_PCI_COMMON_Q_USEDLO ? &vq->driver
                                             : &vq->device;
}

static uint64_t common_read_area(void *dev, const RegDesc *r)
{
    VirtQueue *vq = common_selected(dev);

    return vq ? (uint32_t)(*common_ring_area(vq, r->offset) >> (r->offset & 4 ? 32 : 0)) : 0;
}

static uint32_t common_write_area(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = common_selected(dev);
    unsigned shift = r->offset & 4 ? 32 : 0;

    if (vq) {
        virtq_set_area(vq, common_ring_area(vq, r->offset), 0xffffffffull << shift, new << shift);
    }
    return 0;
}

static uint32_t common_write_queue_reset(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;
    VirtQueue *vq = common_selected(dev);

    if (vq && new == 1 && virtio_has(p->virtio, VIRTIO_F_RING_RESET)) {
        virtq_driver_reset(vq);
    }
    return 0;
}

/* Half of the address of a ring area. */
#define COMMON_AREA(n, off) REG_ROW(n, off, 4, .read = common_read_area, .wrote = common_write_area)
static const RegDesc common_regs[] = {
    REG32(VirtioPCI, device_feature_select, VIRTIO_PCI_COMMON_DFSELECT, .rw = 0xffffffff),
    REG_ROW("device_feature", VIRTIO_PCI_COMMON_DF, 4, .read = common_read_device_feature),
    REG32(VirtioPCI, driver_feature_select, VIRTIO_PCI_COMMON_GFSELECT, .rw = 0xffffffff),
    REG_ROW("driver_feature", VIRTIO_PCI_COMMON_GF, 4, .read = common_read_driver_feature,
            .wrote = common_write_driver_feature),
    REG_ROW("config_msix_vector", VIRTIO_PCI_COMMON_MSIX, 2, .read = common_read_config_vector,
            .wrote = common_write_config_vector),
    REG_ROW("num_queues", VIRTIO_PCI_COMMON_NUMQ, 2, .read = common_read_num_queues),
    REG_ROW("device_status", VIRTIO_PCI_COMMON_STATUS, 1, .read = common_read_status,
            .wrote = common_write_status),
    REG_ROW("config_generation", VIRTIO_PCI_COMMON_CFGGENERATION, 1,
            .read = common_read_generation),
    REG16(VirtioPCI, queue_select, VIRTIO_PCI_COMMON_Q_SELECT, .rw = 0xffff),
    REG_ROW("queue_size", VIRTIO_PCI_COMMON_Q_SIZE, 2, .read = common_read_queue_size,
            .wrote = common_write_queue_size),
    REG_ROW("queue_msix_vector", VIRTIO_PCI_COMMON_Q_MSIX, 2, .read = common_read_queue_vector,
            .wrote = common_write_queue_vector),
    REG_ROW("queue_enable", VIRTIO_PCI_COMMON_Q_ENABLE, 2, .read = common_read_queue_enable,
            .wrote = common_write_queue_enable),
    REG_ROW("queue_notify_off", VIRTIO_PCI_COMMON_Q_NOFF, 2, .read = common_read_notify_off),
    COMMON_AREA("queue_desc_lo", VIRTIO_PCI_COMMON_Q_DESCLO),
    COMMON_AREA("queue_desc_hi", VIRTIO_PCI_COMMON_Q_DESCHI),
    COMMON_AREA("queue_driver_lo", VIRTIO_PCI_COMMON_Q_AVAILLO),
    COMMON_AREA("queue_driver_hi", VIRTIO_PCI_COMMON_Q_AVAILHI),
    COMMON_AREA("queue_device_lo", VIRTIO_PCI_COMMON_Q_USEDLO),
    COMMON_AREA("queue_device_hi", VIRTIO_PCI_COMMON_Q_USEDHI),
    REG_ROW("queue_notify_data", VIRTIO_PCI_COMMON_Q_NDATA, 2, .read = common_read_notify_off),
    REG_ROW("queue_reset", VIRTIO_PCI_COMMON_Q_RESET, 2, .wrote = common_write_queue_reset),
};
static const RegFile common_file = { LIST(common_regs), "virtio common configuration" };

static uint64_t common_read(void *dev, uint64_t at, unsigned size)
{
    return reg_read(&common_file, dev, at, size);
}

static void common_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    reg_write(&common_file, dev, at, value, size);
}

/* --- ISR, device configuration, notification --- */

static uint64_t modern_isr_read(void *dev, uint64_t at, unsigned size)
{
    return at == 0 ? virtio_pci_take_isr(dev) : 0;
}

static void modern_isr_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    guest_error(device_name(dev), "write to the ISR status: ignored");
}

static uint64_t modern_config_read(void *dev, uint64_t at, unsigned size)
{
    return virtio_config_read(((VirtioPCI *)dev)->virtio, at, size);
}

static void modern_config_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    virtio_config_write(((VirtioPCI *)dev)->virtio, at, value, size);
}

static uint64_t modern_notify_read(void *dev, uint64_t at, unsigned size)
{
    return 0;
}

static uint32_t modern_notify_multiplier(const VirtioPCI *p)
{
    return p->page_per_vq ? MODERN_NOTIFY_MULTIPLIER_PAGES : MODERN_NOTIFY_MULTIPLIER;
}

static void modern_notify_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    VirtioPCI *p = dev;
    VirtQueue *vq = virtio_queue(p->virtio, at / modern_notify_multiplier(p));

    if (vq) {
        virtq_kick(vq);
    }
}

static const MemOps part_ops[] = {
    { .read = common_read, .write = common_write, .valid_max = 8, .impl_max = 8 },
    { .read = modern_isr_read, .write = modern_isr_write },
    { .read = modern_config_read,
      .write = modern_config_write,
      .valid_max = 8,
      .impl_max = 8,
      .unaligned = true },
    { .read = modern_notify_read, .write = modern_notify_write },
};

/* --- the capabilities --- */

/* Bytes of the structure at an offset of the BAR. */
static uint32_t modern_part_size(const VirtioPCI *p, uint32_t offset)
{
    return p->page_per_vq && offset == MODERN_NOTIFY_AT ? MODERN_NOTIFY_SIZE_PAGES
                                                        : MODERN_PART_SIZE;
}

static bool modern_add_cap(VirtioPCI *p, uint8_t type, uint32_t offset, uint32_t length,
                           uint8_t size, uint8_t *where, GError **err)
{
    int at = pci_add_capability(&p->pci, 0x09, size);

    if (at < 0) {
        return error_set(err, ERROR_USER,
                         "%s: configuration space has no room for the virtio capabilities",
                         device_name(&p->pci.dev));
    }
    pci_set(&p->pci, at + 2, 1, size);
    pci_set(&p->pci, at + 3, 1, type);
    pci_set(&p->pci, at + 4, 1, type == VIRTIO_PCI_CAP_PCI_CFG ? 0 : MODERN_BAR);
    pci_set(&p->pci, at + 8, 4, offset);
    pci_set(&p->pci, at + 12, 4, length);
    if (type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
        pci_set(&p->pci, at + 16, 4, modern_notify_multiplier(p));
    }
    if (where) {
        *where = at;
    }
    return true;
}

static void modern_add_part(VirtioPCI *p, MemRegion *r, const char *name, uint32_t offset)
{
    mem_init_mmio(r, name, modern_part_size(p, offset), &part_ops[offset / MODERN_PART_SIZE], p);
    mem_set_guard(r, &device_guard, &p->pci.dev);
    mem_map(pci_bar_region(&p->pci, MODERN_BAR), offset, r, 0, 0);
}

/* In the order of QEMU's capability list. Without qemu-layout the order is reversed. */
static const struct {
    uint8_t type, size;
    uint32_t offset;
} modern_caps[] = {
    { VIRTIO_PCI_CAP_COMMON_CFG, 16, MODERN_COMMON_AT },
    { VIRTIO_PCI_CAP_ISR_CFG, 16, MODERN_ISR_AT },
    { VIRTIO_PCI_CAP_DEVICE_CFG, 16, MODERN_DEVICE_AT },
    { VIRTIO_PCI_CAP_NOTIFY_CFG, 20, MODERN_NOTIFY_AT },
    { VIRTIO_PCI_CAP_PCI_CFG, 20, 0 },
};

static bool modern_add_caps(VirtioPCI *p, GError **err)
{
    unsigned n = G_N_ELEMENTS(modern_caps);

    for (unsigned i = 0; i < n; i++) {
        unsigned row = p->pci.qemu_layout ? i : n - 1 - i;
        bool is_window = modern_caps[row].type == VIRTIO_PCI_CAP_PCI_CFG;

        if (!modern_add_cap(p, modern_caps[row].type, modern_caps[row].offset,
                            is_window ? 0 : modern_part_size(p, modern_caps[row].offset),
                            modern_caps[row].size, is_window ? &p->cfg_cap : NULL, err)) {
            return false;
        }
    }
    return true;
}

bool virtio_pci_add_modern(VirtioPCI *p, GError **err)
{
    if (!modern_add_caps(p, err)) {
        return false;
    }
    /* the BAR, offset, length and data fields are writable (4.1.4.9) */
    pci_set_masks(&p->pci, p->cfg_cap + 4, 1, 0xff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 8, 4, 0xffffffff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 12, 4, 0xffffffff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 16, 4, 0xffffffff, 0);
    modern_add_part(p, &p->common, "virtio-common", MODERN_COMMON_AT);
    modern_add_part(p, &p->isr, "virtio-isr", MODERN_ISR_AT);
    modern_add_part(p, &p->config, "virtio-config", MODERN_DEVICE_AT);
    modern_add_part(p, &p->notify, "virtio-notify", MODERN_NOTIFY_AT);
    return true;
}

/* --- the PCI configuration access capability --- */

/* Decode the access that the capability describes. False unless it is in the BAR, 1, 2 or 4 bytes
 * wide, and aligned to its width. */
static bool modern_decode_window(VirtioPCI *p, const MemOps **ops, uint64_t *at, unsigned *size)
{
    uint32_t bar = pci_get(&p->pci, p->cfg_cap + 4, 1);
    uint32_t offset = pci_get(&p->pci, p->cfg_cap + 8, 4);
    uint32_t length = pci_get(&p->pci, p->cfg_cap + 12, 4);

    uint32_t part = MIN(offset / MODERN_PART_SIZE, MODERN_NOTIFY_AT / MODERN_PART_SIZE);
    uint32_t start = part * MODERN_PART_SIZE;

    if (bar != MODERN_BAR || (length != 1 && length != 2 && length != 4) || offset % length ||
        offset - start > modern_part_size(p, start) - length) {
        guest_error(device_name(&p->pci.dev),
                    "configuration access to BAR %u offset 0x%x length %u: ignored", bar, offset,
                    length);
        return false;
    }
    *ops = &part_ops[part];
    *at = offset - start;
    *size = length;
    return true;
}

static bool modern_hits_window(const VirtioPCI *p, uint32_t addr, unsigned len)
{
    return p->cfg_cap && addr < p->cfg_cap + 20u && addr + len > p->cfg_cap + 16u;
}

void virtio_pci_config_reading(void *dev, uint32_t addr, unsigned len)
{
    VirtioPCI *p = dev;
    const MemOps *ops;
    uint64_t at;
    unsigned size;

    if (modern_hits_window(p, addr, len) && modern_decode_window(p, &ops, &at, &size)) {
        pci_set(&p->pci, p->cfg_cap + 16, size, ops->read(p, at, size));
    }
}

void virtio_pci_config_written(void *dev, uint32_t addr, unsigned len)
{
    VirtioPCI *p = dev;
    const MemOps *ops;
    uint64_t at;
    unsigned size;

    if (modern_hits_window(p, addr, len) && modern_decode_window(p, &ops, &at, &size)) {
        ops->write(p, at, pci_get(&p->pci, p->cfg_cap + 16, size), size);
    }
}

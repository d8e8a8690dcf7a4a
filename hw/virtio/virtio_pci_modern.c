/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modern face: four structures in one BAR, found by vendor capabilities, and the
 * configuration-access capability (virtio 1.2, 4.1.4).
 */
#include <string.h>

#include "hw/core/reg.h"
#include "hw/virtio/virtio_pci_faces.h"
#include "util/log.h"

static VirtQueue *selected(VirtioPCI *p)
{
    return virtio_queue(&p->virtio, p->queue_select);
}

/* --- common configuration (4.1.4.3): each register by a pair of small functions --- */

static uint64_t rd_device_feature(void *dev, const RegDesc *r)
{
    VirtioPCI *p = dev;

    return p->device_feature_select < 2
               ? (uint32_t)(p->virtio.host_features >> (32 * p->device_feature_select))
               : 0;
}

static uint64_t rd_driver_feature(void *dev, const RegDesc *r)
{
    VirtioPCI *p = dev;

    return p->driver_feature_select < 2
               ? (uint32_t)((p->virtio.guest_features | p->virtio.not_offered) >>
                            (32 * p->driver_feature_select))
               : 0;
}

static uint32_t wr_driver_feature(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;
    unsigned shift = 32 * p->driver_feature_select;
    uint64_t old_bits = p->virtio.guest_features | p->virtio.not_offered;

    if (p->driver_feature_select < 2) {
        virtio_set_guest_features(&p->virtio,
                                  (old_bits & ~(0xffffffffull << shift)) | new << shift);
    }
    return 0;
}

static uint64_t rd_config_vector(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio.config_vector;
}

static uint32_t wr_config_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_pci_set_vector(p, &p->virtio.config_vector, new);
    return 0;
}

static uint64_t rd_num_queues(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio.n_queues;
}

static uint64_t rd_status(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio.status;
}

static uint32_t wr_status(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_set_status(&p->virtio, new);
    virtio_pci_update_intx(p);
    return 0;
}

static uint64_t rd_generation(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio.config_generation;
}

static uint64_t rd_queue_size(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? vq->size : 0;
}

static uint32_t wr_queue_size(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = selected(dev);

    if (vq) {
        virtq_set_size(vq, new);
    }
    return 0;
}

static uint64_t rd_queue_vector(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? vq->vector : VIRTIO_NO_VECTOR;
}

static uint32_t wr_queue_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = selected(dev);

    if (vq) {
        virtio_pci_set_vector(dev, &vq->vector, new);
    }
    return 0;
}

static uint64_t rd_queue_enable(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? vq->enabled : 0;
}

static uint32_t wr_queue_enable(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = selected(dev);

    if (vq && new == 1 && !vq->enabled) {
        virtq_enable(vq);
    } else if (vq && new != 1) {
        guest_error(device_name(vq->v->device), "queue %u: %u written to queue_enable: ignored",
                    vq->index, (unsigned)new);
    }
    return 0;
}

static uint64_t rd_notify_off(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->queue_select;
}

/* The three ring areas, low and high halves: rows 0x20 to 0x34. */
static uint64_t *area(VirtQueue *vq, uint64_t at)
{
    return at < 0x28 ? &vq->desc : at < 0x30 ? &vq->driver : &vq->device;
}

static uint64_t rd_area(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? (uint32_t)(*area(vq, r->offset) >> (r->offset & 4 ? 32 : 0)) : 0;
}

static uint32_t wr_area(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = selected(dev);
    unsigned shift = r->offset & 4 ? 32 : 0;

    if (vq) {
        virtq_set_area(vq, area(vq, r->offset), 0xffffffffull << shift, new << shift);
    }
    return 0;
}

static uint32_t wr_queue_reset(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;
    VirtQueue *vq = selected(dev);

    if (vq && new == 1 && virtio_has(&p->virtio, VIRTIO_F_RING_RESET)) {
        virtq_driver_reset(vq);
    }
    return 0;
}

#define ROW(n, off, w, ...)                                                                        \
    {                                                                                              \
        .name = (n), .offset = (off), .width = (w), .field = REG_NO_FIELD, __VA_ARGS__             \
    }
static const RegDesc common_regs[] = {
    REG32(VirtioPCI, device_feature_select, 0x00, .rw = 0xffffffff),
    ROW("device_feature", 0x04, 4, .read = rd_device_feature),
    REG32(VirtioPCI, driver_feature_select, 0x08, .rw = 0xffffffff),
    ROW("driver_feature", 0x0c, 4, .read = rd_driver_feature, .wrote = wr_driver_feature),
    ROW("config_msix_vector", 0x10, 2, .read = rd_config_vector, .wrote = wr_config_vector),
    ROW("num_queues", 0x12, 2, .read = rd_num_queues),
    ROW("device_status", 0x14, 1, .read = rd_status, .wrote = wr_status),
    ROW("config_generation", 0x15, 1, .read = rd_generation),
    REG16(VirtioPCI, queue_select, 0x16, .rw = 0xffff),
    ROW("queue_size", 0x18, 2, .read = rd_queue_size, .wrote = wr_queue_size),
    ROW("queue_msix_vector", 0x1a, 2, .read = rd_queue_vector, .wrote = wr_queue_vector),
    ROW("queue_enable", 0x1c, 2, .read = rd_queue_enable, .wrote = wr_queue_enable),
    ROW("queue_notify_off", 0x1e, 2, .read = rd_notify_off),
    ROW("queue_desc_lo", 0x20, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_desc_hi", 0x24, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_driver_lo", 0x28, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_driver_hi", 0x2c, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_device_lo", 0x30, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_device_hi", 0x34, 4, .read = rd_area, .wrote = wr_area),
    ROW("queue_notify_data", 0x38, 2, .read = rd_notify_off),
    ROW("queue_reset", 0x3a, 2, .wrote = wr_queue_reset),
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

static uint64_t isr_read(void *dev, uint64_t at, unsigned size)
{
    return at == 0 ? virtio_pci_take_isr(dev) : 0;
}

static void isr_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    guest_error(device_name(dev), "write of the ISR ignored");
}

static uint64_t config_read(void *dev, uint64_t at, unsigned size)
{
    return virtio_pci_config_read(dev, at, size);
}

static void config_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    virtio_pci_config_write(dev, at, value, size);
}

static uint64_t notify_read(void *dev, uint64_t at, unsigned size)
{
    return 0;
}

static void notify_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    VirtQueue *vq = virtio_queue(&((VirtioPCI *)dev)->virtio, at / VIRTIO_PCI_NOTIFY_STEP);

    if (vq) {
        virtq_kick(vq);
    }
}

static const MemOps part_ops[] = {
    { .read = common_read, .write = common_write, .valid_max = 8, .impl_max = 8 },
    { .read = isr_read, .write = isr_write },
    { .read = config_read,
      .write = config_write,
      .valid_max = 8,
      .impl_max = 8,
      .unaligned = true },
    { .read = notify_read, .write = notify_write },
};

/* --- the capabilities --- */

enum { CAP_COMMON = 1, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_PCI_CFG };

static bool add_cap(VirtioPCI *p, uint8_t type, uint32_t offset, uint32_t length, uint8_t size,
                    uint8_t *where, GError **err)
{
    int at = pci_add_capability(&p->pci, 0x09, size);

    if (at < 0) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
                    "%s: no room in config space for the virtio capabilities",
                    device_name(&p->pci.dev));
        return false;
    }
    pci_set(&p->pci, at + 2, 1, size);
    pci_set(&p->pci, at + 3, 1, type);
    pci_set(&p->pci, at + 4, 1, type == CAP_PCI_CFG ? 0 : VIRTIO_PCI_MODERN_BAR);
    pci_set(&p->pci, at + 8, 4, offset);
    pci_set(&p->pci, at + 12, 4, length);
    if (type == CAP_NOTIFY) {
        pci_set(&p->pci, at + 16, 4, VIRTIO_PCI_NOTIFY_STEP);
    }
    if (where) {
        *where = at;
    }
    return true;
}

static void add_part(VirtioPCI *p, MemRegion *r, const char *name, uint32_t offset)
{
    mem_init_mmio(r, name, VIRTIO_PCI_PART, &part_ops[offset / VIRTIO_PCI_PART], p);
    mem_set_guard(r, &device_guard, &p->pci.dev);
    mem_map(pci_bar_region(&p->pci, VIRTIO_PCI_MODERN_BAR), offset, r, 0, 0);
}

/* In QEMU's order; without qemu-layout, the other way round. */
static const struct {
    uint8_t type, size;
    uint32_t offset;
} modern_caps[] = {
    { CAP_COMMON, 16, VIRTIO_PCI_COMMON },
    { CAP_ISR, 16, VIRTIO_PCI_ISR },
    { CAP_DEVICE, 16, VIRTIO_PCI_CONFIG },
    { CAP_NOTIFY, 20, VIRTIO_PCI_NOTIFY },
    { CAP_PCI_CFG, 20, 0 },
};

static bool add_caps(VirtioPCI *p, GError **err)
{
    unsigned n = G_N_ELEMENTS(modern_caps);

    for (unsigned i = 0; i < n; i++) {
        unsigned row = p->pci.qemu_layout ? i : n - 1 - i;
        bool window = modern_caps[row].type == CAP_PCI_CFG;

        if (!add_cap(p, modern_caps[row].type, modern_caps[row].offset,
                     window ? 0 : VIRTIO_PCI_PART, modern_caps[row].size,
                     window ? &p->cfg_cap : NULL, err)) {
            return false;
        }
    }
    return true;
}

bool virtio_pci_add_modern(VirtioPCI *p, GError **err)
{
    if (!add_caps(p, err)) {
        return false;
    }
    /* bar, offset, length and data of the configuration-access capability (4.1.4.9) */
    pci_set_masks(&p->pci, p->cfg_cap + 4, 1, 0xff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 8, 4, 0xffffffff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 12, 4, 0xffffffff, 0);
    pci_set_masks(&p->pci, p->cfg_cap + 16, 4, 0xffffffff, 0);
    add_part(p, &p->common, "virtio-common", VIRTIO_PCI_COMMON);
    add_part(p, &p->isr, "virtio-isr", VIRTIO_PCI_ISR);
    add_part(p, &p->config, "virtio-config", VIRTIO_PCI_CONFIG);
    add_part(p, &p->notify, "virtio-notify", VIRTIO_PCI_NOTIFY);
    return true;
}

/* --- the configuration-access capability --- */

/* The access that the window describes: false unless it lies in the modern BAR, is 1, 2 or 4
 * bytes wide and aligned to its width. */
static bool window(VirtioPCI *p, const MemOps **ops, uint64_t *at, unsigned *size)
{
    uint32_t bar = pci_get(&p->pci, p->cfg_cap + 4, 1);
    uint32_t offset = pci_get(&p->pci, p->cfg_cap + 8, 4);
    uint32_t length = pci_get(&p->pci, p->cfg_cap + 12, 4);

    if (bar != VIRTIO_PCI_MODERN_BAR || (length != 1 && length != 2 && length != 4) ||
        offset % length || offset > VIRTIO_PCI_MODERN_SIZE - length) {
        guest_error(device_name(&p->pci.dev), "window at bar %u offset 0x%x length %u: ignored",
                    bar, offset, length);
        return false;
    }
    *ops = &part_ops[offset / VIRTIO_PCI_PART];
    *at = offset % VIRTIO_PCI_PART;
    *size = length;
    return true;
}

static bool hits_window(const VirtioPCI *p, uint32_t addr, unsigned len)
{
    return p->cfg_cap && addr < p->cfg_cap + 20u && addr + len > p->cfg_cap + 16u;
}

void virtio_pci_config_reading(void *dev, uint32_t addr, unsigned len)
{
    VirtioPCI *p = dev;
    const MemOps *ops;
    uint64_t at;
    unsigned size;

    if (hits_window(p, addr, len) && window(p, &ops, &at, &size)) {
        pci_set(&p->pci, p->cfg_cap + 16, size, ops->read(p, at, size));
    }
}

void virtio_pci_config_written(void *dev, uint32_t addr, unsigned len)
{
    VirtioPCI *p = dev;
    const MemOps *ops;
    uint64_t at;
    unsigned size;

    if (hits_window(p, addr, len) && window(p, &ops, &at, &size)) {
        ops->write(p, at, pci_get(&p->pci, p->cfg_cap + 16, size), size);
    }
}

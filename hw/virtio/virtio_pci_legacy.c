/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy face: one I/O BAR (virtio 1.2, 4.1.4.10), and what both faces share: the device
 * configuration space and the ISR.
 */
#include <string.h>

#include "hw/core/reg.h"
#include "hw/virtio/virtio_pci_faces.h"

enum {
    LEGACY_VECTORS = 0x14,
    LEGACY_CONFIG_NO_MSIX = 0x14,
    LEGACY_CONFIG_MSIX = 0x18,
    LEGACY_MAX_CONFIG = 256
};

/* --- shared --- */

uint8_t virtio_pci_take_isr(VirtioPCI *p)
{
    uint8_t isr = p->virtio.isr;

    p->virtio.isr = 0;
    virtio_pci_update_intx(p);
    return isr;
}

uint64_t virtio_pci_config_read(VirtioPCI *p, uint64_t at, unsigned size)
{
    const VirtioClass *cls = p->virtio.cls;
    uint8_t config[LEGACY_MAX_CONFIG] = { 0 };
    uint64_t value = 0;

    if (cls->config_read && at < cls->config_size) {
        cls->config_read(&p->virtio, config);
        memcpy(&value, config + at, MIN(size, sizeof(config) - at));
    }
    return value;
}

void virtio_pci_config_write(VirtioPCI *p, uint64_t at, uint64_t value, unsigned size)
{
    const VirtioClass *cls = p->virtio.cls;
    uint8_t config[LEGACY_MAX_CONFIG + 8] = { 0 };

    if (cls->config_written && at < cls->config_size) {
        size = MIN(size, cls->config_size - at);
        cls->config_read(&p->virtio, config);
        memcpy(config + at, &value, size);
        cls->config_written(&p->virtio, config, at, size);
    }
}

/* --- the registers --- */

static VirtQueue *selected(VirtioPCI *p)
{
    return virtio_queue(&p->virtio, p->queue_select);
}

static uint64_t rd_host_features(void *dev, const RegDesc *r)
{
    return (uint32_t)((VirtioPCI *)dev)->virtio.host_features;
}

static uint64_t rd_guest_features(void *dev, const RegDesc *r)
{
    return (uint32_t)((VirtioPCI *)dev)->virtio.guest_features;
}

/* There is no FEATURES_OK: the driver gets what it writes of what is offered (3.1.2). */
static uint32_t wr_guest_features(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioDevice *v = &((VirtioPCI *)dev)->virtio;

    virtio_set_guest_features(v, new & v->host_features);
    if (v->cls->set_features) {
        v->cls->set_features(v, v->guest_features);
    }
    return 0;
}

static uint64_t rd_queue_page(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? virtq_legacy_page(vq) : 0;
}

static uint32_t wr_queue_page(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = selected(dev);

    if (vq) {
        uint16_t vector = vq->vector;

        virtq_set_legacy_page(vq, new);
        vq->vector = vector;
    }
    return 0;
}

static uint64_t rd_queue_size(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    return vq ? vq->size : 0;
}

static uint32_t wr_notify(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_queue(&((VirtioPCI *)dev)->virtio, new);

    if (vq) {
        virtq_kick(vq);
    }
    return 0;
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

static uint64_t rd_isr(void *dev, const RegDesc *r)
{
    return virtio_pci_take_isr(dev);
}

static uint64_t rd_vector(void *dev, const RegDesc *r)
{
    VirtQueue *vq = selected(dev);

    if (r->offset == LEGACY_VECTORS) {
        return ((VirtioPCI *)dev)->virtio.config_vector;
    }
    return vq ? vq->vector : VIRTIO_NO_VECTOR;
}

static uint32_t wr_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;
    VirtQueue *vq = selected(p);

    if (r->offset == LEGACY_VECTORS) {
        virtio_pci_set_vector(p, &p->virtio.config_vector, new);
    } else if (vq) {
        virtio_pci_set_vector(p, &vq->vector, new);
    }
    return 0;
}

#define ROW(n, off, w, ...)                                                                        \
    {                                                                                              \
        .name = (n), .offset = (off), .width = (w), .field = REG_NO_FIELD, __VA_ARGS__             \
    }
static const RegDesc legacy_regs[] = {
    ROW("device_features", 0x00, 4, .read = rd_host_features),
    ROW("driver_features", 0x04, 4, .read = rd_guest_features, .wrote = wr_guest_features),
    ROW("queue_address", 0x08, 4, .read = rd_queue_page, .wrote = wr_queue_page),
    ROW("queue_size", 0x0c, 2, .read = rd_queue_size),
    REG16(VirtioPCI, queue_select, 0x0e, .rw = 0xffff),
    ROW("queue_notify", 0x10, 2, .wrote = wr_notify),
    ROW("device_status", 0x12, 1, .read = rd_status, .wrote = wr_status),
    ROW("isr_status", 0x13, 1, .read = rd_isr),
    ROW("config_msix_vector", 0x14, 2, .read = rd_vector, .wrote = wr_vector),
    ROW("queue_msix_vector", 0x16, 2, .read = rd_vector, .wrote = wr_vector),
};
static const RegFile legacy_file = { LIST(legacy_regs), "virtio legacy header" };

/* Where the device configuration starts moves with MSI-X being enabled. */
static uint64_t config_start(const VirtioPCI *p)
{
    return msix_enabled(&p->pci) ? LEGACY_CONFIG_MSIX : LEGACY_CONFIG_NO_MSIX;
}

static uint64_t legacy_read(void *dev, uint64_t at, unsigned size)
{
    uint64_t start = config_start(dev);

    return at >= start ? virtio_pci_config_read(dev, at - start, size)
                       : reg_read(&legacy_file, dev, at, size);
}

static void legacy_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    uint64_t start = config_start(dev);

    if (at >= start) {
        virtio_pci_config_write(dev, at - start, value, size);
    } else {
        reg_write(&legacy_file, dev, at, value, size);
    }
}

static const MemOps legacy_ops = {
    .read = legacy_read, .write = legacy_write, .valid_max = 4, .unaligned = true
};

static uint64_t legacy_size(const VirtioClass *cls)
{
    uint64_t need = LEGACY_CONFIG_MSIX + cls->config_size, size = 32;

    while (size < need) {
        size *= 2;
    }
    return size;
}

bool virtio_pci_add_legacy(VirtioPCI *p, GError **err)
{
    PCIBarDesc bar = { .index = 0,
                       .kind = PCI_BAR_IO,
                       .size = legacy_size(p->virtio.cls),
                       .ops = &legacy_ops };

    return pci_add_bar(&p->pci, &bar, err);
}

bool virtio_pci_late_bar(const PCIDeviceType *type, PlanBar *out)
{
    const VirtioPCIType *t = (const VirtioPCIType *)type;

    out->io = true;
    out->size = legacy_size(t->cls);
    out->unless_prop = t->face == VIRTIO_FACE_BY_PLACE ? "disable-legacy" : NULL;
    return t->face != VIRTIO_FACE_MODERN;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy interface: one I/O BAR (virtio 1.2, 4.1.4.10). Also the ISR status, which both
 * interfaces share.
 */
#include "hw/core/reg.h"
#include "virtio_pci_internal.h"

/* --- shared by both interfaces --- */

uint8_t virtio_pci_take_isr(VirtioPCI *p)
{
    uint8_t isr = p->virtio->isr;

    p->virtio->isr = 0;
    virtio_pci_update_intx(p);
    return isr;
}

/* --- the registers --- */

static VirtQueue *legacy_selected(VirtioPCI *p)
{
    return virtio_queue(p->virtio, p->queue_select);
}

static uint64_t legacy_read_host_features(void *dev, const RegDesc *r)
{
    return (uint32_t)((VirtioPCI *)dev)->virtio->host_features;
}

static uint64_t legacy_read_guest_features(void *dev, const RegDesc *r)
{
    return (uint32_t)((VirtioPCI *)dev)->virtio->guest_features;
}

static uint32_t legacy_write_guest_features(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    virtio_set_legacy_features(((VirtioPCI *)dev)->virtio, new);
    return 0;
}

static uint64_t legacy_read_queue_page(void *dev, const RegDesc *r)
{
    VirtQueue *vq = legacy_selected(dev);

    return vq && vq->enabled ? vq->desc >> VIRTIO_PCI_QUEUE_ADDR_SHIFT : 0;
}

static uint32_t legacy_write_queue_page(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = legacy_selected(dev);

    if (vq) {
        uint16_t vector = vq->vector;

        virtq_set_legacy_area(vq, new << VIRTIO_PCI_QUEUE_ADDR_SHIFT, VIRTIO_PCI_VRING_ALIGN);
        vq->vector = vector;
    }
    return 0;
}

static uint64_t legacy_read_queue_size(void *dev, const RegDesc *r)
{
    VirtQueue *vq = legacy_selected(dev);

    return vq ? vq->size : 0;
}

static uint32_t legacy_write_notify(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_queue(((VirtioPCI *)dev)->virtio, new);

    if (vq) {
        virtq_kick(vq);
    }
    return 0;
}

static uint64_t legacy_read_status(void *dev, const RegDesc *r)
{
    return ((VirtioPCI *)dev)->virtio->status;
}

static uint32_t legacy_write_status(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;

    virtio_set_status(p->virtio, new);
    virtio_pci_update_intx(p);
    return 0;
}

static uint64_t legacy_read_isr(void *dev, const RegDesc *r)
{
    return virtio_pci_take_isr(dev);
}

static uint64_t legacy_read_vector(void *dev, const RegDesc *r)
{
    VirtQueue *vq = legacy_selected(dev);

    if (r->offset == VIRTIO_MSI_CONFIG_VECTOR) {
        return ((VirtioPCI *)dev)->virtio->config_vector;
    }
    return vq ? vq->vector : VIRTIO_MSI_NO_VECTOR;
}

static uint32_t legacy_write_vector(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioPCI *p = dev;
    VirtQueue *vq = legacy_selected(p);

    if (r->offset == VIRTIO_MSI_CONFIG_VECTOR) {
        virtio_pci_set_vector(p, &p->virtio->config_vector, new);
    } else if (vq) {
        virtio_pci_set_vector(p, &vq->vector, new);
    }
    return 0;
}

#define LEGACY_VECTOR(n, off)                                                                      \
    REG_ROW(n, off, 2, .read = legacy_read_vector, .wrote = legacy_write_vector)
static const RegDesc legacy_regs[] = {
    REG_ROW("device_features", VIRTIO_PCI_HOST_FEATURES, 4, .read = legacy_read_host_features),
    REG_ROW("driver_features", VIRTIO_PCI_GUEST_FEATURES, 4, .read = legacy_read_guest_features,
            .wrote = legacy_write_guest_features),
    REG_ROW("queue_address", VIRTIO_PCI_QUEUE_PFN, 4, .read = legacy_read_queue_page,
            .wrote = legacy_write_queue_page),
    REG_ROW("queue_size", VIRTIO_PCI_QUEUE_NUM, 2, .read = legacy_read_queue_size),
    REG16(VirtioPCI, queue_select, VIRTIO_PCI_QUEUE_SEL, .rw = 0xffff),
    REG_ROW("queue_notify", VIRTIO_PCI_QUEUE_NOTIFY, 2, .wrote = legacy_write_notify),
    REG_ROW("device_status", VIRTIO_PCI_STATUS, 1, .read = legacy_read_status,
            .wrote = legacy_write_status),
    REG_ROW("isr_status", VIRTIO_PCI_ISR, 1, .read = legacy_read_isr),
    LEGACY_VECTOR("config_msix_vector", VIRTIO_MSI_CONFIG_VECTOR),
    LEGACY_VECTOR("queue_msix_vector", VIRTIO_MSI_QUEUE_VECTOR),
};
static const RegFile legacy_file = { LIST(legacy_regs), "virtio legacy header" };

/* The offset of the device configuration depends on whether MSI-X is enabled. */
static uint64_t legacy_config_start(const VirtioPCI *p)
{
    return VIRTIO_PCI_CONFIG_OFF(msix_enabled(&p->pci));
}

static uint64_t legacy_read(void *dev, uint64_t at, unsigned size)
{
    uint64_t start = legacy_config_start(dev);

    return at >= start ? virtio_config_read(((VirtioPCI *)dev)->virtio, at - start, size)
                       : reg_read(&legacy_file, dev, at, size);
}

static void legacy_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    uint64_t start = legacy_config_start(dev);

    if (at >= start) {
        virtio_config_write(((VirtioPCI *)dev)->virtio, at - start, value, size);
    } else {
        reg_write(&legacy_file, dev, at, value, size);
    }
}

static const MemOps legacy_ops = {
    .read = legacy_read, .write = legacy_write, .valid_max = 4, .unaligned = true
};

static uint64_t legacy_size(const VirtioClass *cls)
{
    uint64_t need = VIRTIO_PCI_CONFIG_OFF(true) + cls->config_size, size = 32;

    while (size < need) {
        size *= 2;
    }
    return size;
}

bool virtio_pci_add_legacy(VirtioPCI *p, GError **err)
{
    PCIBarDesc bar = {
        .index = 0, .kind = PCI_BAR_IO, .size = legacy_size(p->virtio->cls), .ops = &legacy_ops
    };

    return pci_add_bar(&p->pci, &bar, err);
}

bool virtio_pci_late_bar(const PCIDeviceType *type, PlanBar *out)
{
    const VirtioPCIType *t = (const VirtioPCIType *)type;

    out->io = true;
    out->size = legacy_size(t->cls);
    out->unless_prop = t->iface == VIRTIO_IFACE_BY_PLACE ? "disable-legacy" : NULL;
    return t->iface != VIRTIO_IFACE_MODERN;
}

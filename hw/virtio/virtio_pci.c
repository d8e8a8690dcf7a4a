/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio PCI transport (virtio 1.2, 4.1): creation and removal of the function, its
 * capabilities, DMA and interrupts. The register files are in virtio_pci_modern.c and
 * virtio_pci_legacy.c.
 */
#include "hw/virtio/virtio_pci.h"

#include <linux/virtio_ids.h>
#include <string.h>

#include "util/error.h"
#include "virtio_pci_internal.h"

const PCIBarDesc virtio_pci_bars[3] = {
    { .index = 1, .kind = PCI_BAR_MEM32, .size = 0 }, /* MSI-X: the vectors determine the size */
    { .index = MODERN_BAR,
      .kind = PCI_BAR_MEM64,
      .prefetch = true,
      .size = MODERN_BAR_SIZE,
      .unless_prop = "page-per-vq" },
    { .index = MODERN_BAR,
      .kind = PCI_BAR_MEM64,
      .prefetch = true,
      .size = MODERN_BAR_SIZE_PAGES,
      .if_prop = "page-per-vq" },
};
const PCICapDesc virtio_pci_caps[5] = {
    { .id = 0x11, .prop = "msix", .msix = { 2, 1, 0, 0 }, .count_prop = "vectors" },
    PCI_CAP_PM_D3,
    PCI_CAP_ENDPOINT,
    PCI_CAP_VPD,
    PCI_CAP_ATS,
};

/* --- the transport's operations --- */

static VirtioPCI *virtio_pci_of(VirtioDevice *v)
{
    return v->instance;
}

static MemResult virtio_pci_dma_read(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len)
{
    return pci_dma_read_ram(&virtio_pci_of(v)->pci, addr, buf, len);
}

static MemResult virtio_pci_dma_write(VirtioDevice *v, uint64_t addr, const void *buf, uint64_t len)
{
    return pci_dma_write_ram(&virtio_pci_of(v)->pci, addr, buf, len);
}

static void *virtio_pci_dma_map(VirtioDevice *v, uint64_t addr, uint64_t len, bool write,
                                void **handle)
{
    PCIDmaMap *map = g_new(PCIDmaMap, 1);

    if (!pci_dma_map(&virtio_pci_of(v)->pci, addr, len, write, map)) {
        g_free(map);
        return NULL;
    }
    *handle = map;
    return map->host;
}

static void virtio_pci_dma_unmap(VirtioDevice *v, void *handle, uint64_t written)
{
    pci_dma_unmap(&virtio_pci_of(v)->pci, handle, written);
    g_free(handle);
}

void virtio_pci_update_intx(VirtioPCI *p)
{
    if (!msix_enabled(&p->pci)) {
        pci_irq_set(&p->pci, 0, p->virtio->isr != 0);
    }
}

static void virtio_pci_interrupt(VirtioDevice *v, uint16_t vector, bool config)
{
    VirtioPCI *p = virtio_pci_of(v);

    if (msix_enabled(&p->pci)) {
        if (vector != VIRTIO_MSI_NO_VECTOR) {
            msix_notify(&p->pci, vector);
        }
        return;
    }
    v->isr |= VIRTIO_PCI_ISR_QUEUE | (config ? VIRTIO_PCI_ISR_CONFIG : 0);
    virtio_pci_update_intx(p);
}

static void virtio_pci_vector_unused(VirtioDevice *v, uint16_t vector)
{
    msix_clear_pending(&virtio_pci_of(v)->pci, vector);
}

static bool virtio_pci_can_dma(VirtioDevice *v)
{
    return pci_bus_master(&virtio_pci_of(v)->pci);
}

void virtio_pci_master_enabled(void *dev)
{
    virtio_resume(((VirtioPCI *)dev)->virtio);
}

static const VirtioTransport virtio_pci_transport = {
    virtio_pci_dma_read,  virtio_pci_dma_write,     virtio_pci_dma_map, virtio_pci_dma_unmap,
    virtio_pci_interrupt, virtio_pci_vector_unused, virtio_pci_can_dma
};

static uint16_t virtio_pci_vector_or_none(const VirtioPCI *p, uint16_t vector)
{
    return vector < msix_vectors(&p->pci) ? vector : VIRTIO_MSI_NO_VECTOR;
}

void virtio_pci_set_vector(VirtioPCI *p, uint16_t *where, uint16_t vector)
{
    virtio_set_vector(p->virtio, where, virtio_pci_vector_or_none(p, vector));
}

/* --- building the function --- */

static const VirtioPCIType *virtio_pci_type_of(const VirtioPCI *p)
{
    return (const VirtioPCIType *)p->pci.dev.type;
}

static bool virtio_pci_below_express_port(const VirtioPCI *p)
{
    return p->pci.dev.bus && p->pci.dev.bus->kind == PLAN_BUS_PCIE_PORT;
}

static bool virtio_pci_choose_interfaces(VirtioPCI *p, GError **err)
{
    VirtioInterface iface = virtio_pci_type_of(p)->iface;

    if (iface == VIRTIO_IFACE_BY_PLACE) {
        p->legacy = p->disable_legacy == PLAN_OFF ||
                    (p->disable_legacy == PLAN_AUTO && !virtio_pci_below_express_port(p));
        p->modern = !p->disable_modern;
    } else {
        p->legacy = iface == VIRTIO_IFACE_TRANSITIONAL;
        p->modern = true;
    }
    if (!p->legacy && !p->modern) {
        error_set(
            err, ERROR_USER,
            "%s: disable-legacy and disable-modern disable both interfaces of the device; one "
            "is required",
            device_name(&p->pci.dev));
    } else if (p->page_per_vq && !p->modern) {
        return error_set(err, ERROR_USER,
                         "%s: page-per-vq=on requires the modern interface: omit disable-modern=on",
                         device_name(&p->pci.dev));
    }
    return p->legacy || p->modern;
}

/* Transitional functions have the device ids of the legacy interface (4.1.2.1, 4.1.2.3). */
static uint16_t virtio_pci_transitional_id(uint16_t device_id)
{
    static const uint16_t ids[] = {
        [VIRTIO_ID_NET] = 0x1000, [VIRTIO_ID_BLOCK] = 0x1001,   [VIRTIO_ID_CONSOLE] = 0x1003,
        [VIRTIO_ID_RNG] = 0x1005, [VIRTIO_ID_BALLOON] = 0x1002, [VIRTIO_ID_SCSI] = 0x1004,
        [VIRTIO_ID_9P] = 0x1009
    };

    return device_id < G_N_ELEMENTS(ids) ? ids[device_id] : 0;
}

static void virtio_pci_set_ids(VirtioPCI *p)
{
    uint16_t id = p->virtio->cls->device_id;

    if (p->legacy) {
        pci_set(&p->pci, 0x02, 2, virtio_pci_transitional_id(id));
        pci_set(&p->pci, 0x08, 1, 0);
        pci_set(&p->pci, 0x2e, 2, id);
    } else {
        pci_set(&p->pci, 0x02, 2, 0x1040 + id);
        pci_set(&p->pci, 0x08, 1, 1);
        pci_set(&p->pci, 0x2e, 2, 0x1100);
    }
    pci_set(&p->pci, 0x2c, 2, 0x1af4);
}

/* On the root bus the five capabilities of the modern interface (88 bytes) precede MSI-X. Behind a
 * port, Express and power management precede them. */
uint16_t virtio_pci_qemu_offset(const PCIDevice *d, unsigned row)
{
    enum { EXPRESS_AT = 0x40, PM_AT = 0x7c, PLAIN_AT = 0x40, EXPRESS_NEXT = 0x84, MODERN = 0x58 };
    const VirtioPCI *p = (const VirtioPCI *)d;
    bool modern = virtio_pci_type_of(p)->iface != VIRTIO_IFACE_BY_PLACE || !p->disable_modern;

    switch (virtio_pci_caps[row].id) {
    case 0x10:
        return EXPRESS_AT;
    case 0x01:
        return pci_is_express(d) ? PM_AT : 0;
    case 0x11:
        return (pci_is_express(d) ? EXPRESS_NEXT : PLAIN_AT) + (modern ? MODERN : 0);
    default:
        return 0;
    }
}

/* ioeventfd=: an I/O thread requires notifications that only wake it. */
static bool virtio_pci_choose_notification(VirtioPCI *p, GError **err)
{
    if (p->ioeventfd == PLAN_OFF && p->virtio->iothread) {
        return error_set(err, ERROR_USER,
                         "%s: ioeventfd=off excludes iothread=: omit one of them, or set "
                         "ioeventfd=on",
                         device_name(&p->pci.dev));
    }
    if (p->ioeventfd == PLAN_ON) {
        p->virtio->kicks_later = UINT64_MAX;
    }
    return true;
}

bool virtio_pci_realize(void *dev, GError **err)
{
    VirtioPCI *p = dev;
    VirtioBase *b = dev;

    p->virtio = &b->virtio;
    if (!virtio_pci_choose_interfaces(p, err) ||
        !virtio_base_init(b, virtio_pci_type_of(p)->cls, &virtio_pci_transport, p->legacy,
                          p->modern, err)) {
        return false;
    }
    virtio_pci_set_ids(p);
    if (!virtio_pci_choose_notification(p, err) || (p->modern && !virtio_pci_add_modern(p, err)) ||
        (p->legacy && !virtio_pci_add_legacy(p, err))) {
        virtio_pci_unrealize(dev);
        return false;
    }
    pci_caps_relink(&p->pci);
    return true;
}

void virtio_pci_unrealize(void *dev)
{
    VirtioPCI *p = dev;

    virtio_base_exit(dev);
    mem_fini(&p->common);
    mem_fini(&p->isr);
    mem_fini(&p->config);
    mem_fini(&p->notify);
}

void virtio_pci_finalize(void *dev)
{
    virtio_base_fini(dev);
}

void virtio_pci_reset(void *dev, ResetKind kind)
{
    VirtioPCI *p = dev;

    virtio_reset(p->virtio);
    p->device_feature_select = p->driver_feature_select = 0;
    p->queue_select = 0;
    virtio_pci_update_intx(p);
}

/* --- saved state --- */

static bool virtio_pci_vectors_exist(void *obj, GError **err)
{
    VirtioPCI *p = obj;

    for (unsigned i = 0; i <= p->virtio->n_queues; i++) {
        uint16_t vector =
            i < p->virtio->n_queues ? p->virtio->queues[i].vector : p->virtio->config_vector;

        if (vector != virtio_pci_vector_or_none(p, vector)) {
            return error_set(err, ERROR_GUEST,
                             "vector %u of a queue or of the configuration does not exist", vector);
        }
    }
    return true;
}

static const VmField state_fields[] = {
    VM_PCI(VirtioPCI, pci),
    VM_RECORD(VirtioBase, virtio, VirtioDevice, &virtio_record_ops),
    VM_U32(VirtioPCI, device_feature_select),
    VM_U32(VirtioPCI, driver_feature_select),
    VM_U16(VirtioPCI, queue_select),
};
const VmState virtio_pci_state = { .name = "virtio-pci",
                                   .version = 1,
                                   .fields = LIST(state_fields),
                                   .check = virtio_pci_vectors_exist };

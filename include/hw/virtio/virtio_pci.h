/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio PCI transport (virtio 1.2, 4.1): the part of a device structure and of a device type
 * that belongs to it. Device files use the macros of hw/virtio/virtio_base.h.
 *
 * Locking: the machine lock for every function.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

/* Which register interfaces a type offers. BY_PLACE: as disable-legacy and disable-modern state; by
 * default the legacy interface is off below an Express port. */
typedef enum VirtioInterface {
    VIRTIO_IFACE_BY_PLACE,
    VIRTIO_IFACE_TRANSITIONAL,
    VIRTIO_IFACE_MODERN
} VirtioInterface;

typedef struct VirtioPCI {
    PCIDevice pci;
    VirtioDevice *virtio; /* the member of VirtioBase; set when the function is realized */
    /* properties */
    uint32_t disable_legacy; /* PlanOnOff; auto: on below an Express port */
    bool disable_modern, page_per_vq;
    uint32_t vectors;
    uint32_t ioeventfd; /* PlanOnOff */
    /* the interfaces of this function; set when it is realized */
    bool legacy, modern;
    /* registers of the transport */
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
    uint8_t cfg_cap; /* offset of the PCI configuration access capability; 0: none */
    MemRegion common, isr, config, notify;
} VirtioPCI;

typedef struct VirtioPCIType {
    PCIDeviceType pci;
    const VirtioClass *cls;
    VirtioInterface iface;
} VirtioPCIType;

/* Members of the types that VIRTIO_TYPES() defines; not for other callers. */

/* PCIDeviceType.late_bar: the BAR of the legacy interface. */
bool virtio_pci_late_bar(const PCIDeviceType *type, PlanBar *out);
/* PCIDeviceType.qemu_offset: offsets of MSI-X, power management and Express in QEMU's layout. */
uint16_t virtio_pci_qemu_offset(const PCIDevice *d, unsigned row);
bool virtio_pci_realize(void *dev, GError **err);
void virtio_pci_unrealize(void *dev);
void virtio_pci_finalize(void *dev);
void virtio_pci_reset(void *dev, ResetKind kind);
/* PCIDeviceType.master_enabled: continue the queues. */
void virtio_pci_master_enabled(void *dev);
/* PCIDeviceType.config_reading and .config_written: the data field of the PCI configuration
 * access capability (4.1.4.9). */
void virtio_pci_config_reading(void *dev, uint32_t addr, unsigned len);
void virtio_pci_config_written(void *dev, uint32_t addr, unsigned len);
extern const PCIBarDesc virtio_pci_bars[3];
extern const PCICapDesc virtio_pci_caps[5];

/* The saved state of the function, the transport and the queues. */
extern const VmState virtio_pci_state;

#endif

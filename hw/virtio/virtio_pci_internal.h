/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two register interfaces of the virtio PCI transport, inside hw/virtio.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_INTERNAL_H
#define HW_VIRTIO_VIRTIO_PCI_INTERNAL_H

#include "hw/virtio/virtio_base.h"
#include "internal.h"

enum {
    MODERN_BAR = 4,
    MODERN_COMMON_AT = 0x0000, /* offsets of the structures in the BAR */
    MODERN_ISR_AT = 0x1000,
    MODERN_DEVICE_AT = 0x2000,
    MODERN_NOTIFY_AT = 0x3000,
    MODERN_PART_SIZE = 0x1000,
    MODERN_BAR_SIZE = 0x4000,
    MODERN_NOTIFY_MULTIPLIER = 4, /* notify_off_multiplier (4.1.4.4) */
    /* with page-per-vq=on, as QEMU has for 1024 queues */
    MODERN_NOTIFY_MULTIPLIER_PAGES = 0x1000,
    MODERN_NOTIFY_SIZE_PAGES = 0x400000,
    MODERN_BAR_SIZE_PAGES = 0x800000,
};

/* Add the registers and capabilities of an interface to the function. */
bool virtio_pci_add_modern(VirtioPCI *p, GError **err);
bool virtio_pci_add_legacy(VirtioPCI *p, GError **err);
/* Set INTx from the ISR status while MSI-X is disabled. */
void virtio_pci_update_intx(VirtioPCI *p);
/* The driver selects a vector for a queue or the configuration (`where` is the member). A vector
 * that does not exist becomes VIRTIO_MSI_NO_VECTOR (4.1.5.1.2). */
void virtio_pci_set_vector(VirtioPCI *p, uint16_t *where, uint16_t vector);
/* Read and clear the ISR status. */
uint8_t virtio_pci_take_isr(VirtioPCI *p);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two register interfaces of the virtio PCI transport, inside hw/virtio.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_FACES_H
#define HW_VIRTIO_VIRTIO_PCI_FACES_H

#include "hw/virtio/ring.h"
#include "hw/virtio/virtio_pci.h"

enum {
    VIRTIO_PCI_MODERN_BAR = 4,
    VIRTIO_PCI_COMMON = 0x0000, /* offsets of the structures in the modern BAR */
    VIRTIO_PCI_ISR = 0x1000,
    VIRTIO_PCI_CONFIG = 0x2000,
    VIRTIO_PCI_NOTIFY = 0x3000,
    VIRTIO_PCI_PART = 0x1000,
    VIRTIO_PCI_MODERN_SIZE = 0x4000,
    VIRTIO_PCI_NOTIFY_STEP = 4,
};

bool virtio_pci_add_modern(VirtioPCI *p, GError **err);
bool virtio_pci_add_legacy(VirtioPCI *p, GError **err);
/* Drive INTx from the ISR while MSI-X is off. */
void virtio_pci_update_intx(VirtioPCI *p);
/* The driver asked for a vector, which becomes VIRTIO_NO_VECTOR if there is none (4.1.5.1.2), for a
 * queue or the configuration (`where`). */
void virtio_pci_set_vector(VirtioPCI *p, uint16_t *where, uint16_t vector);
/* Device configuration space, bytes beyond its end read as zero. */
uint64_t virtio_pci_config_read(VirtioPCI *p, uint64_t at, unsigned size);
void virtio_pci_config_write(VirtioPCI *p, uint64_t at, uint64_t value, unsigned size);
/* Reading the ISR clears it. */
uint8_t virtio_pci_take_isr(VirtioPCI *p);

#endif

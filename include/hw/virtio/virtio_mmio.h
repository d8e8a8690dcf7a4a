/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio MMIO transport (virtio 1.2, 4.2): the part of a device structure and of a device type
 * that belongs to it. Device files use the macros of hw/virtio/virtio_base.h.
 *
 * A board creates slots (type "virtio-mmio"), which own the registers and the interrupt output. A
 * slot with a bus accepts one device. The registers of an empty slot have the device id 0.
 *
 * Locking: the machine lock for every function.
 */
#ifndef HW_VIRTIO_VIRTIO_MMIO_H
#define HW_VIRTIO_VIRTIO_MMIO_H

#include "hw/core/sysdev.h"
#include "hw/virtio/virtio.h"

enum {
    VIRTIO_MMIO_SLOT_SIZE = 0x1000, /* bytes of a slot's region */
    VIRTIO_MMIO_MAX_ALIGN = 1 << 20 /* largest QueueAlign that is accepted */
};

typedef struct VirtioMmioSlot VirtioMmioSlot;

typedef struct VirtioMmio {
    Device dev;
    VirtioDevice *virtio; /* the member of VirtioBase; set when the device is realized */
    VirtioMmioSlot *slot;
    bool legacy; /* the register layout of version 1 */
    /* registers of the transport */
    uint32_t device_feature_select, driver_feature_select, queue_select;
    uint32_t guest_page_size;                /* version 1; 0: not written yet */
    uint32_t queue_align[VIRTIO_MAX_QUEUES]; /* version 1; 0: not written, 4096 */
} VirtioMmio;

/**
 * virtio_mmio_slot_add_bus() - Let a slot of a board accept a device.
 * @slot: a device of type "virtio-mmio", without a bus
 * @name: the name of the bus
 *
 * Return: false with an ERROR_USER if the machine has a bus of that name.
 */
bool virtio_mmio_slot_add_bus(Device *slot, const char *name, GError **err);

typedef struct VirtioMmioType {
    DeviceType base;
    const VirtioClass *cls;
    PlanBusKind provides; /* the bus of the device, or PLAN_BUS_NONE */
} VirtioMmioType;

/* Members of the types that VIRTIO_TYPES() defines; not for other callers. */
extern const DeviceKind virtio_mmio_device_kind;
bool virtio_mmio_realize(void *dev, GError **err);
void virtio_mmio_unrealize(void *dev);
void virtio_mmio_finalize(void *dev);
void virtio_mmio_reset(void *dev, ResetKind kind);

/* The saved state of the transport and the queues. */
extern const VmState virtio_mmio_state;

#endif

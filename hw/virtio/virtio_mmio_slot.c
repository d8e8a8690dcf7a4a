/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An empty virtio-mmio slot (virtio 1.2, 4.2): identification registers with device id 0, which
 * means that no device is present. Other registers read 0 and ignore writes.
 */
#include "hw/core/sysdev.h"

#define VIRTIO_MMIO_MAGIC  0x74726976 /* "virt" */
#define VIRTIO_MMIO_VENDOR 0x554d4551 /* "QEMU": drivers and tests of this board expect it */

typedef struct VirtioMmioSlot {
    SysDevice sys;
    bool force_legacy;
} VirtioMmioSlot;

static uint64_t mmio_slot_read_version(void *dev, const RegDesc *r)
{
    VirtioMmioSlot *s = dev;

    return s->force_legacy ? 1 : 2;
}

static uint64_t mmio_slot_read(void *opaque, uint64_t offset, unsigned size)
{
    static const RegDesc regs[] = {
        REG32_CONST("MagicValue", 0x000, VIRTIO_MMIO_MAGIC),
        REG_ROW("Version", 0x004, 4, .read = mmio_slot_read_version),
        REG32_CONST("DeviceID", 0x008, 0),
        REG32_CONST("VendorID", 0x00c, VIRTIO_MMIO_VENDOR),
    };
    static const RegFile file = { regs, G_N_ELEMENTS(regs), "virtio-mmio" };

    return offset < 0x10 ? reg_read(&file, opaque, offset, size) : 0;
}

static void mmio_slot_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    /* Probing software may write the page size before it reads the device id. */
}

static const MemOps slot_ops = { .read = mmio_slot_read, .write = mmio_slot_write, .impl_max = 4 };

static const SysRegionDesc regions[] = {
    { .name = "virtio-mmio", .size = 0x1000, .ops = &slot_ops },
};

static const PlanProp slot_props[] = {
    PROP_BOOL(VirtioMmioSlot, force_legacy, "force-legacy", true,
              "report the legacy register layout (version 1)"),
};

static const SysDeviceType virtio_mmio_slot_type = {
    .base = {
        .name = "virtio-mmio",
        .doc = "empty virtio-mmio slot",
        .kind = &sys_device_kind,
        .size = sizeof(VirtioMmioSlot),
        .props = slot_props, .n_props = G_N_ELEMENTS(slot_props),
        .internal = true,
    },
    .regions = regions, .n_regions = G_N_ELEMENTS(regions),
    .n_irqs = 1,
};
SYS_DEVICE_TYPE(virtio_mmio_slot_type);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Board devices: what stands at a fixed address of the machine with fixed interrupt lines.
 *
 * A type is a const SysDeviceType: the tables of the DeviceType it embeds, its MMIO regions and
 * the number of its interrupt outputs. An instance's structure starts with SysDevice. The board
 * creates it (device_create), then maps its regions and connects its outputs; it lives as long
 * as the machine. Machine lock for everything here.
 */
#ifndef HW_CORE_SYSDEV_H
#define HW_CORE_SYSDEV_H

#include "hw/core/device.h"

enum { SYS_MAX_REGIONS = 4, SYS_MAX_IRQS = 4 };

/* One MMIO region. Content: a register table, else MMIO ops called with the instance. */
typedef struct SysRegionDesc {
    const char *name;
    uint64_t size; /* bytes; 0: realize() gives it with sysdev_set_size() */
    const RegDesc *regs;
    size_t n_regs;
    const MemOps *ops;
} SysRegionDesc;

typedef struct SysDeviceType {
    DeviceType base;
    const SysRegionDesc *regions;
    size_t n_regions;
    unsigned n_irqs; /* outputs */
} SysDeviceType;

typedef struct SysRegion {
    MemRegion mem;
    RegFile file; /* of register tables */
    void *instance;
} SysRegion;

typedef struct SysDevice {
    Device dev;
    SysRegion region[SYS_MAX_REGIONS];
    struct {
        IrqPin *pin; /* NULL: not connected */
        bool level;
    } irq[SYS_MAX_IRQS];
} SysDevice;

/* The entry in the table of types (see DEVICE_TYPE). */
#define SYS_DEVICE_TYPE(t)                                                                         \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).base

extern const DeviceKind sys_device_kind;

/* Map region n of a board device at a physical address of the memory space. Once per region. */
void sysdev_map(Device *dev, unsigned n, uint64_t addr);
/* From realize(): the size of region n, which its row left open. */
void sysdev_set_size(SysDevice *s, unsigned n, uint64_t size);
/* Output n drives this pin from now on; it gets the present level at once. */
void sysdev_connect(Device *dev, unsigned n, IrqPin *pin);
/* Drive output n; nothing happens unless the level changes. */
void sysdev_irq_set(SysDevice *s, unsigned n, bool level);
/* Input pin n of an interrupt controller; NULL when it has no such input. */
IrqPin *device_irq_in(Device *dev, unsigned n);

#endif

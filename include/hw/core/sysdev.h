/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Board devices: devices at fixed addresses with fixed interrupt lines.
 *
 * A type is a const SysDeviceType: the tables of the embedded DeviceType, its MMIO regions and the
 * number of its interrupt outputs. The structure of an instance starts with SysDevice. The board
 * creates the device with device_create(), maps its regions and connects its outputs. It exists as
 * long as the machine.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_SYSDEV_H
#define HW_CORE_SYSDEV_H

#include "hw/core/device.h"

enum { SYS_MAX_REGIONS = 4, SYS_MAX_IRQS = 4 };

/* One MMIO region: a register table, or MMIO operations that are called with the instance. */
typedef struct SysRegionDesc {
    const char *name;
    uint64_t size; /* bytes; 0: realize() sets it with sysdev_set_size() */
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

/* Map region n of a board device at an address of the memory space. Called once per region. */
void sysdev_map(Device *dev, unsigned n, uint64_t addr);
/* Set the size in bytes of region n, whose row has size 0. Called by realize(). */
void sysdev_set_size(SysDevice *s, unsigned n, uint64_t size);
/* Connect output n to a pin, which is set to the current level of the output. */
void sysdev_connect(Device *dev, unsigned n, IrqPin *pin);
/* Set the level of output n. No effect unless the level changes. */
void sysdev_irq_set(SysDevice *s, unsigned n, bool level);
/* Input pin n of an interrupt controller; NULL: it has no such input. */
IrqPin *device_irq_in(Device *dev, unsigned n);

#endif

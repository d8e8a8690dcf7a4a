/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interface of the ECAM host bridge for boards and extra root buses.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_HOST_ECAM_H
#define HW_PCI_HOST_ECAM_H

#include "hw/pci/bus.h"

typedef struct EcamRange {
    uint64_t base, size; /* bytes */
} EcamRange;

/**
 * ecam_slice() - Compute the part of a host window that belongs to a root bus.
 * @window:    the window of the host
 * @first_bus: bus number of the root bus
 * @end_bus:   bus number after its last one, see ecam_end_bus()
 * @align:     granularity in bytes, a power of two: ECAM_ALIGN_IO or ECAM_ALIGN_MEM
 *
 * Each root bus owns the bus numbers from its own up to that of the next root bus, and of every
 * window the part from first_bus / 256 to end_bus / 256, reduced to multiples of @align. The
 * resources of a root bus depend on bus numbers only and not on the order of creation.
 *
 * Return: the part; its size is 0 if it is smaller than @align.
 */
EcamRange ecam_slice(EcamRange window, unsigned first_bus, unsigned end_bus, uint64_t align);
enum { ECAM_ALIGN_IO = 0x1000, ECAM_ALIGN_MEM = 0x100000 }; /* granularity of bridge windows */

/* The bus number after the last one of the root bus numbered `first`. */
unsigned ecam_end_bus(const PCIHost *h, unsigned first);

/* The segment of a device of type gpex-pcihost. */
PCIHost *ecam_host(Device *dev);

#endif

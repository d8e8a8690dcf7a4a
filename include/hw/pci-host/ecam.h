/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ECAM host bridge as the board and extra roots see it.
 */
#ifndef HW_PCI_HOST_ECAM_H
#define HW_PCI_HOST_ECAM_H

#include "hw/pci/bus.h"

/*
 * Extra roots. Each root owns the bus numbers from its own to the next root's, and of every
 * window the part between the same fractions (first / 256 to end / 256), cut to whole `align`
 * bytes: so a root's resources follow from bus numbers alone, whatever order roots came in.
 */
typedef struct EcamRange {
    uint64_t base, size;
} EcamRange;
EcamRange ecam_slice(EcamRange window, unsigned first_bus, unsigned end_bus, uint64_t align);
enum { ECAM_ALIGN_IO = 0x1000, ECAM_ALIGN_MEM = 0x100000 }; /* granules of bridge windows */
/* The bus number after the last one of the root numbered `first`. */
unsigned ecam_end_bus(const PCIHost *h, unsigned first);

/* The segment of a device of type gpex-pcihost. */
PCIHost *ecam_host(Device *dev);

#endif

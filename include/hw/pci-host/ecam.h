/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ECAM host bridge as the board and extra roots see it.
 */
#ifndef HW_PCI_HOST_ECAM_H
#define HW_PCI_HOST_ECAM_H

#include "hw/pci/bus.h"

/* The segment of a device of type gpex-pcihost. */
PCIHost *ecam_host(Device *dev);

#endif

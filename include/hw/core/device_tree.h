/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creation and destruction of the tree of devices, for machine.c only. The functions require the
 * machine lock.
 */
#ifndef HW_CORE_DEVICE_TREE_H
#define HW_CORE_DEVICE_TREE_H

#include "hw/core/device.h"

/* Create /machine and its standard containers. device_tree_free() undoes it. */
void device_tree_init(Machine *m);
/* Unplug every device, the last created first, and free the tree. */
void device_tree_free(Machine *m);

#endif

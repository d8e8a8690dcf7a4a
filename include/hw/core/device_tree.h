/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree's life, for machine.c only.
 */
#ifndef HW_CORE_DEVICE_TREE_H
#define HW_CORE_DEVICE_TREE_H

#include "hw/core/device.h"

/* Make /machine and its standard containers. */
void device_tree_init(Machine *m);
/* Unplug everything, last created first, and free the tree. */
void device_tree_free(Machine *m);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of HMP commands, in the order in which help lists them.
 */
#include "internal.h"

const HmpTable *const hmp_tables[] = {
    &machine_table,  &device_table,  &qom_table,      &pci_table,  &chardev_table,   &host_table,
    &media_table,    &info_table,    &debug_table,    &dump_table, &migration_table, &unplug_table,
    &object_table,   &balloon_table, &snapshot_table, &numa_table, &display_table,   &input_table,
    &throttle_table, &vnc_table,     &usb_table,      NULL,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every table of monitor commands, in the order in which query-commands and help show them.
 */
#include "internal.h"

const CommandTable *const command_tables[] = {
    &qmp_session_table, &machine_table, &device_table,    &qom_table, &pci_table,   &chardev_table,
    &host_table,        &info_table,    &migration_table, &fd_table,  &fdset_table, &unplug_table,
    &object_table,      NULL,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help texts from the catalogue.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void test_help(void)
{
    g_autofree char *types = plan_help_types(&tc_catalog), *type = plan_help_type(&tc_nic);
    g_autofree char *machines = plan_help_machines(&tc_catalog);
    g_autofree char *machine = plan_help_machine(&tc_catalog, &tc_virt);
    g_autofree char *def = plan_help_default_machine(&tc_catalog);

    g_assert_nonnull(strstr(types, "name \"nic\", bus PCI, alias \"nic-pci\", desc \"a network "
                                   "adapter for tests\"\n"));
    g_assert_nonnull(strstr(types, "name \"serialport\", bus virtio-serial-bus\n"));
    g_assert_null(strstr(types, "uart"));
    g_assert_true(g_str_has_prefix(type, "nic options:\n  addr="));
    for (size_t i = 0; i < G_N_ELEMENTS(tc_nic_props); i++) {
        g_autofree char *line = g_strdup_printf("\n  %s=<", tc_nic_props[i].name);

        g_assert_nonnull(strstr(type, line));
    }
    g_assert_nonnull(strstr(type, "bias=<int32>                 (default: -5)\n"));
    g_assert_nonnull(strstr(type, "ari=<off|on|offset>          (default: off)\n"));
    g_assert_nonnull(strstr(type, "netdev=<netdev>\n"));
    g_assert_cmpstr(machines, ==,
                    "Supported machines are:\n"
                    "virt                 test board (alias of virt-0.1)\n"
                    "virt-0.1             test board (default)\n"
                    "virt-0.0             an older test board\n"
                    "virt-alpha           the oldest test board\n"
                    "none                 empty machine\n");
    g_assert_nonnull(strstr(machine, "aia=<none|aplic|aplic-imsic> - interrupts (default: "
                                     "aplic-imsic)\n"));
    g_assert_cmpstr(def, ==, "default machine: virt-0.1\nvirt means virt-0.1\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/help", test_help);
    return g_test_run();
}

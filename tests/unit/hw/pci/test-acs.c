/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access Control Services: only the controls that a function supports can be set.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_EXT_CAP_ID_ACS, .extended = true, .prop = "acs", .acs = { 0x1d });

static void test_registers(void)
{
    static const uint8_t mask[8] = { [6] = 0x1d };
    Fixture f;
    PCIDevice *d;
    uint16_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    pos = pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ACS);
    g_assert_cmphex(pos, ==, 0x100);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, 0x1d);
    one_cap_only_changes(&f, d, pos, 8, mask);
    config_write(&f, ONE_FN, pos + 6, 2, 0xffff);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 6, 2), ==, 0x1d);
    one_cap_round_trip(d);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, 0x1d);
    fixture_fini(&f);
}

static void test_needs_express(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, "express=off", "acs needs PCI Express");
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "express=off,acs=off");
    g_assert_cmpuint(d->config.size, ==, 256);
    fixture_fini(&f);
    fixture_init_kind(&f, PLAN_BUS_PCI_ROOT); /* without Express it is omitted, too */
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ACS), ==, 0);
    device_unplug(&d->dev);
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, "acs=0x140", "acs needs PCI Express");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/acs/registers", test_registers);
    g_test_add_func("/pci/acs/needs-express", test_needs_express);
    return g_test_run();
}

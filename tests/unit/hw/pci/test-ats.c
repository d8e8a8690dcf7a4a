/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address Translation Services: off by default; only Enable and the smallest translation unit are
 * writable.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_EXT_CAP_ID_ATS, .extended = true, .prop = "ats", .off_by_default = true);

static void test_registers(void)
{
    static const uint8_t mask[8] = { [6] = 0x1f, [7] = 0x80 };
    Fixture f;
    PCIDevice *d;
    uint16_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ATS), ==, 0);
    device_unplug(&d->dev);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "ats=on");
    pos = pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ATS);
    g_assert_cmphex(pos, ==, 0x100);
    g_assert_cmphex(config_read(&f, ONE_FN, pos, 4), ==, 0x1000f);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, PCI_ATS_CAP_PAGE_ALIGNED);
    one_cap_only_changes(&f, d, pos, 8, mask);
    config_write(&f, ONE_FN, pos + 6, 2, 0xffff);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 6, 2), ==, 0x801f);
    one_cap_round_trip(d);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, PCI_ATS_CAP_PAGE_ALIGNED);
    device_unplug(&d->dev);
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, "express=off,ats=on", "ats needs PCI Express");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/ats/registers", test_registers);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slot Identification: the chassis number of a property, writable, restored by a reset.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_CAP_ID_SLOTID, .prop = "slotid", .slotid.chassis_prop = "serial");

static void test_chassis(void)
{
    static const uint8_t mask[4] = { 0, 0, 0, 0xff };
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "serial=7");
    pos = pci_find_capability(d, PCI_CAP_ID_SLOTID);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 2, 2), ==, 0x0720);
    one_cap_only_changes(&f, d, pos, 4, mask);
    config_write(&f, ONE_FN, pos + 3, 1, 0x55);
    one_cap_round_trip(d);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 3, 1), ==, 0x55);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 3, 1), ==, 7);
    fixture_fini(&f);
}

/* Chassis 0 is the machine itself: the capability is omitted. */
static void test_left_out(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_SLOTID), ==, 0);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/slotid/chassis", test_chassis);
    g_test_add_func("/pci/slotid/left-out", test_left_out);
    return g_test_run();
}

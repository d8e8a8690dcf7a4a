/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subsystem ids of bridges: read-only, with the values of the row.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_CAP_ID_SSVID, .prop = "ssvid", .ssvid = { 0x1b36, 0x4321 });

static void test_ids(void)
{
    static const uint8_t mask[8] = { 0 };
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    pos = pci_find_capability(d, PCI_CAP_ID_SSVID);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, 0x43211b36);
    one_cap_only_changes(&f, d, pos, 8, mask);
    one_cap_round_trip(d);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/ssvid/ids", test_ids);
    return g_test_run();
}

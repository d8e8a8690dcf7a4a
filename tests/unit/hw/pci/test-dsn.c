/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device Serial Number: the property's value, read-only. 0 omits the capability. A record with
 * another number is rejected by name.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_EXT_CAP_ID_DSN, .extended = true, .prop = "dsn",
             .dsn.serial_prop = "serial");

static void test_number(void)
{
    static const uint8_t mask[12] = { 0 };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_DSN), ==, 0);
    device_unplug(&d->dev);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "serial=0x1122334455667788,dsn=0x180");
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_DSN), ==, 0x180);
    g_assert_cmphex(config_read(&f, ONE_FN, 0x184, 4), ==, 0x55667788);
    g_assert_cmphex(config_read(&f, ONE_FN, 0x188, 4), ==, 0x11223344);
    one_cap_only_changes(&f, d, 0x180, 12, mask);
    one_cap_round_trip(d);
    fixture_fini(&f);
}

static void test_other_number(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "serial=1");
    bytes = save_record(d);
    device_unplug(&d->dev);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "serial=2");
    g_assert_false(load_record(d, bytes, &err));
    g_assert_nonnull(strstr(err->message, "Device Serial Number Serial Number"));
    g_assert_nonnull(strstr(err->message, "set by property serial"));
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/dsn/number", test_number);
    g_test_add_func("/pci/dsn/other-number", test_other_number);
    return g_test_run();
}

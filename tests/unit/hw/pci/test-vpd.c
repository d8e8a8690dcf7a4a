/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vital Product Data: read through the window dword by dword, the resource list and its checksum,
 * writes without effect, invalid addresses, and the properties that define it.
 */
#include "one-cap.h"

ONE_CAP_TYPE(.id = PCI_CAP_ID_VPD, .prop = "vpd", .off_by_default = true);

static uint32_t read_at(Fixture *f, uint8_t pos, uint16_t addr)
{
    config_write(f, ONE_FN, pos + 2, 2, addr & 0x7fff);
    g_assert_cmphex(config_read(f, ONE_FN, pos + 2, 2), ==, (addr & 0x7fff) | 0x8000);
    return config_read(f, ONE_FN, pos + 4, 4);
}

static void test_contents(void)
{
    uint8_t bytes[64];
    uint8_t sum = 0;
    unsigned ro;
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN,
                      "vpd=on,vpd-part=P-77,vpd-serial=0123456789");
    pos = pci_find_capability(d, PCI_CAP_ID_VPD);
    for (unsigned at = 0; at < sizeof(bytes); at += 4) {
        uint32_t v = read_at(&f, pos, at);

        memcpy(bytes + at, &v, 4);
    }
    g_assert_cmpmem(bytes, 6, "\x82\x03\x00one", 6);
    ro = 6;
    g_assert_cmpmem(bytes + ro, 3, "\x90\x18\x00", 3);
    g_assert_cmpmem(bytes + ro + 3, 20,
                    "PN\x04P-77SN\x0a"
                    "0123456789",
                    20);
    g_assert_cmpmem(bytes + ro + 23, 3, "RV\x01", 3);
    for (unsigned i = 0; i <= ro + 26; i++) {
        sum += bytes[i];
    }
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(bytes[ro + 27], ==, 0x78);
    g_assert_cmphex(read_at(&f, pos, 0x7ffc), ==, 0);      /* past the end */
    g_assert_cmphex(read_at(&f, pos, 2) & 0xff, ==, 0x82); /* complete dwords */
    one_cap_round_trip(d);
    fixture_fini(&f);
}

/* Without properties the part is the type, and there is no serial number. */
static void test_defaults(void)
{
    static const char wanted[] = "\x82\x03\x00one\x90\x0a\x00PN\x03oneRV\x01";
    uint8_t bytes[24];
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, NULL);
    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_VPD), ==, 0);
    device_unplug(&d->dev);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "vpd=0x80");
    pos = pci_find_capability(d, PCI_CAP_ID_VPD);
    g_assert_cmphex(pos, ==, 0x80);
    for (unsigned at = 0; at < sizeof(bytes); at += 4) {
        uint32_t v = read_at(&f, pos, at);

        memcpy(bytes + at, &v, 4);
    }
    g_assert_cmpmem(bytes, sizeof(wanted) - 1, wanted, sizeof(wanted) - 1);
    fixture_fini(&f);
}

static void test_refusals(void)
{
    g_autofree char *longer = g_strnfill(256, 'x'), *longest = g_strnfill(255, 'x');
    g_autofree char *too_long = g_strconcat("vpd=on,vpd-part=", longer, NULL);
    g_autofree char *fits = g_strconcat("vpd=on,vpd-serial=", longest, NULL);
    Fixture f;

    fixture_init(&f);
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, too_long, "at most 255 printable");
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, "vpd=on,vpd-serial=a\tb", "vpd-serial");
    refused(&f, &one_type, "pcie.0", "d", ONE_FN, "vpd=on,vpd-part=\xc3\xa9", "ASCII");
    plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, fits);
    fixture_fini(&f);
}

static void test_stores(void)
{
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &one_type, "pcie.0", "d", ONE_FN, "vpd=on");
    pos = pci_find_capability(d, PCI_CAP_ID_VPD);
    config_write(&f, ONE_FN, pos + 4, 4, 0x12345678);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 4, 4), ==, 0x12345678); /* no transfer yet */
    config_write(&f, ONE_FN, pos + 2, 2, 0x8000);
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 2, 2), ==, 0); /* acknowledged */
    g_assert_cmphex(read_at(&f, pos, 0) & 0xff, ==, 0x82);
    config_write(&f, ONE_FN, pos + 2, 1, 4); /* without the flag's byte no transfer starts */
    g_assert_cmphex(config_read(&f, ONE_FN, pos + 2, 2), ==, 0x8004);
    for (unsigned i = 0; i < 20000; i++) {
        config_write(&f, ONE_FN, pos + g_test_rand_int_range(0, 8),
                     1u << g_test_rand_int_range(0, 3), g_test_rand_int());
    }
    one_cap_round_trip(d);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/vpd/contents", test_contents);
    g_test_add_func("/pci/vpd/defaults", test_defaults);
    g_test_add_func("/pci/vpd/refusals", test_refusals);
    g_test_add_func("/pci/vpd/stores", test_stores);
    return g_test_run();
}

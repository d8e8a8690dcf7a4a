/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources reserved behind a root port: the capability that firmware reads, and the fixed bus
 * numbers that Linux reads.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

enum { PORT = PCI_DEVFN(1, 0) };

static const PCIDeviceType *root_port_type(void)
{
    return (const PCIDeviceType *)device_type_find("pcie-root-port");
}

static PCIDevice *start(Fixture *f, const char *settings)
{
    fixture_init(f);
    return plug_function(f, root_port_type(), "pcie.0", "rp", PORT, settings);
}

/* Save, load, save gives the same bytes. */
static void round_trip(PCIDevice *d)
{
    g_autoptr(GByteArray) a = save_record(d), b = NULL;

    g_assert_true(load_record(d, a, NULL));
    b = save_record(d);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

static void test_firmware(void)
{
    static const uint8_t want[] = {
        0x20, 1,                            /* length, type */
        0x0a, 0,    0,    0,                /* buses */
        0,    0x10, 0,    0,    0, 0, 0, 0, /* I/O */
        0,    0,    0x20, 0,                /* memory */
        0xff, 0xff, 0xff, 0xff,             /* prefetchable, 32 bits */
        0,    0,    0,    0,    1, 0, 0, 0, /* prefetchable, 64 bits */
    };
    Fixture f;
    PCIDevice *d =
        start(&f, "bus-reserve=10,io-reserve=4k,mem-reserve=2M,pref64-reserve=4G,qemu-layout=on");
    uint8_t pos = pci_find_capability(d, PCI_CAP_ID_VNDR);

    g_assert_cmphex(pos, !=, 0);
    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_EA), ==, 0);
    for (unsigned i = 0; i < 0x20 - 2; i++) {
        config_write(&f, PORT, pos + 2 + i, 1, ~0u);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        g_assert_cmphex(config_read(&f, PORT, pos + 2 + i, 1), ==, want[i]);
    }
    round_trip(d);
    machine_reset(f.m, RESET_COLD);
    g_assert_cmphex(config_read(&f, PORT, pos + 4, 4), ==, 10);
    fixture_fini(&f);
}

static void test_fixed(void)
{
    Fixture f;
    PCIDevice *d = start(&f, "bus-reserve=0xe0,x-fixed-bus=0x10");
    uint8_t pos = pci_find_capability(d, PCI_CAP_ID_EA);

    g_assert_cmphex(pos, !=, 0);
    config_write(&f, PORT, pos + 4, 4, ~0u);
    g_assert_cmphex(config_read(&f, PORT, pos + 2, 2), ==, 0);
    g_assert_cmphex(config_read(&f, PORT, pos + 4, 4), ==, 0xf010);
    round_trip(d);
    machine_reset(f.m, RESET_COLD);
    g_assert_cmphex(config_read(&f, PORT, pos + 4, 4), ==, 0xf010);
    fixture_fini(&f);
    d = start(&f, "x-fixed-bus=255");
    pos = pci_find_capability(d, PCI_CAP_ID_EA);
    g_assert_cmphex(config_read(&f, PORT, pos + 4, 4), ==, 0xffff);
    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_VNDR), ==, 0);
    fixture_fini(&f);
}

/* Without the properties, the port has the capabilities that it has in streams of earlier builds.
 */
static void test_left_out(void)
{
    Fixture f;
    PCIDevice *d = start(&f, NULL);

    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_VNDR), ==, 0);
    g_assert_cmpuint(pci_find_capability(d, PCI_CAP_ID_EA), ==, 0);
    fixture_fini(&f);
}

static void test_refused(void)
{
    const PCIDeviceType *t = root_port_type();
    Fixture f;

    fixture_init(&f);
    refused(&f, t, "pcie.0", "a", PORT, "x-fixed-bus=200,bus-reserve=56",
            "bus-reserve must be at most 55");
    refused(&f, t, "pcie.0", "b", PORT, "bus-reserve=256",
            "bus-reserve=256 is too large: at most 255 is accepted");
    refused(&f, t, "pcie.0", "c", PORT, "mem-reserve=4G", "mem-reserve=4294967296 is too large");
    refused(&f, t, "pcie.0", "d", PORT, "pref32-reserve=1M,pref64-reserve=1M",
            "exclude each other");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/reserve/firmware", test_firmware);
    g_test_add_func("/pci/reserve/fixed", test_fixed);
    g_test_add_func("/pci/reserve/left-out", test_left_out);
    g_test_add_func("/pci/reserve/refused", test_refused);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From capability rows to capabilities: switches, offsets, required ones, the parts of a write that
 * affect a register.
 */
#include "pci-fixture.h"

static const PCICapDesc caps[] = {
    { .id = PCI_CAP_ID_VNDR, .prop = "first", .at = 0x50, .vendor = { 12 } },
    { .id = PCI_CAP_ID_VNDR, .vendor = { 8 } },
    { .id = PCI_CAP_ID_VNDR, .prop = "last", .required = true, .vendor = { 4 } },
    PCI_CAP_PM_D3,
    PCI_CAP_ENDPOINT,
};
static const PCIDeviceType type = {
    .base = { .name = "dev", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .caps = LIST(caps),
};
/* Capabilities that do not fit in config space. */
static const PCICapDesc big_caps[] = {
    PCI_CAP_VENDOR(100, "a"),
    PCI_CAP_VENDOR(92, "b"),
    PCI_CAP_PM_D3,
};
static const PCIDeviceType big_type = {
    .base = { .name = "big", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .caps = LIST(big_caps),
};

/* A row without a switch that is not possible here. */
static const PCICapDesc lost_caps[] = { { .id = PCI_EXT_CAP_ID_ACS, .extended = true } };
static const PCIDeviceType lost_type = {
    .base = { .name = "lost", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .caps = LIST(lost_caps),
};

enum { FN = PCI_DEVFN(1, 0) };

static void test_switches(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "first=off");
    g_assert_cmphex(d->cap_pos[0], ==, 0);
    g_assert_cmphex(d->cap_pos[1], !=, 0);
    device_unplug(&d->dev);
    refused(&f, &type, "pcie.0", "d", FN, "last=off", "last cannot be off");
    refused(&f, &type, "pcie.0", "d", FN, "pm=off", "pm cannot be off");
    refused(&f, &lost_type, "pcie.0", "d", FN, NULL, "Access Control Services needs PCI Express");
    plug_function(&f, &type, "pcie.0", "d", FN, "pm=off,express=off");
    fixture_fini(&f);
}

/* A requested offset is granted, regardless of earlier rows of the table. */
static void test_places(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    g_assert_cmphex(d->cap_pos[0], ==, 0x50);
    device_unplug(&d->dev);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "first=0xc0,express=0x40");
    g_assert_cmphex(d->cap_pos[0], ==, 0xc0);
    g_assert_cmphex(d->exp_pos, ==, 0x40);
    device_unplug(&d->dev);
    refused(&f, &type, "pcie.0", "d", FN, "last=0x54", "is used by the Vendor Specific capability");
    refused(&f, &type, "pcie.0", "d", FN, "last=0x1000", "0x40 to 0xff");
    refused(&f, &type, "pcie.0", "d", FN, "last=0x100", "0x40 to 0xff");
    refused(&f, &type, "pcie.0", "d", FN, "last=0x20", "0x40 to 0xff");
    refused(&f, &big_type, "pcie.0", "d", FN, NULL, "no 8 free bytes are left for the Power");
    plug_function(&f, &big_type, "pcie.0", "d", FN, "pm=off");
    fixture_fini(&f);
}

/* Several capabilities with one id: disabling a row removes its own capability. */
static void test_rows(void)
{
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d;
    uint16_t pos[3];

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    memcpy(pos, d->cap_pos, sizeof(pos));
    for (unsigned row = 0; row < 3; row++) {
        g_assert_cmpint(pci_cap_row_at(d, pos[row]), ==, row);
        pci_cap_drop_row(d, row);
        g_assert_null(pci_config_entry_at(&d->config, pos[row]));
        g_assert_nonnull(pci_config_entry_at(&d->config, pos[(row + 1) % 3]));
        g_assert_true(pci_cap_add_row(d, row, pos[row], &err));
        g_assert_cmphex(d->cap_pos[row], ==, pos[row]);
        g_assert_false(pci_cap_add_row(d, row, pos[row], &err));
        g_clear_error(&err);
    }
    g_assert_cmpint(pci_cap_row_at(d, 0xfc), ==, -1);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/caps/switches", test_switches);
    g_test_add_func("/pci/caps/places", test_places);
    g_test_add_func("/pci/caps/rows", test_rows);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worked example, plugged and driven as a guest would do it: config space through ECAM, the
 * BAR, the timer, INTx and MSI-X, power management, save and load.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

enum { DEVFN = PCI_DEVFN(3, 0), CTRL = 4, STATUS = 8, FIRED = 12 };
#define REGS  (MMIO + 0x1000)
#define TABLE (MMIO + 0x2000)

static const PCIDeviceType *ticker(void)
{
    const DeviceType *type = device_type_find("ticker");

    g_assert_nonnull(type);
    return (const PCIDeviceType *)type;
}

static PCIDevice *start(Fixture *f, const char *settings)
{
    PCIDevice *d;

    fixture_init(f);
    d = plug_function(f, ticker(), "pcie.0", "t0", DEVFN, settings);
    g_assert_cmphex(config_read(f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x71c41234);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0 + 4, 4, TABLE);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g_assert_cmphex(guest_read(f, REGS, 4), ==, 0x7469636b);
    return d;
}

static void test_intx(void)
{
    Fixture f;

    start(&f, "period-ns=2000");
    guest_write(&f, REGS + CTRL, 4, 3);
    clock_step_ns(&f, 1999);
    g_assert_false(f.line[3]); /* pin A of slot 3 */
    clock_step_ns(&f, 1);
    g_assert_true(f.line[3]);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    guest_write(&f, REGS + STATUS, 4, 1);
    g_assert_false(f.line[3]);
    clock_step_ns(&f, 6000);
    g_assert_cmpuint(guest_read(&f, REGS + FIRED, 4), ==, 4);
    guest_write(&f, REGS + CTRL, 4, 0);
    clock_step_ns(&f, 6000);
    g_assert_cmpuint(guest_read(&f, REGS + FIRED, 4), ==, 4);
    fixture_fini(&f);
}

static void test_msix(void)
{
    Fixture f;
    PCIDevice *d = start(&f, NULL);
    uint8_t pos = pci_find_capability(d, PCI_CAP_ID_MSIX);

    guest_write(&f, TABLE, 8, RAM + 0x40);
    guest_write(&f, TABLE + 8, 8, 0x5a);
    config_write(&f, DEVFN, pos + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    guest_write(&f, REGS + CTRL, 4, 3);
    clock_step_ns(&f, 1000000);
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0x5a);
    g_assert_cmpuint(f.edges, ==, 0);
    fixture_fini(&f);
}

static void test_reset(void)
{
    Fixture f;

    start(&f, NULL);
    guest_write(&f, REGS + CTRL, 4, 3);
    clock_step_ns(&f, 1000000);
    g_assert_true(f.line[3]);
    machine_reset(f.m, RESET_HOT);
    g_assert_false(f.line[3]);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 0xffffffff); /* does not decode any more */
    config_write(&f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    clock_step_ns(&f, 5000000);
    g_assert_cmpuint(guest_read(&f, REGS + FIRED, 4), ==, 0);
    fixture_fini(&f);
}

static void test_d3hot(void)
{
    Fixture f;
    PCIDevice *d = start(&f, NULL);
    uint8_t pm = pci_find_capability(d, PCI_CAP_ID_PM);

    config_write(&f, DEVFN, pm + PCI_PM_CTRL, 2, PCI_D3hot);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 0xffffffff);
    config_write(&f, DEVFN, pm + PCI_PM_CTRL, 2, 0);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_BASE_ADDRESS_0, 4), ==, 0); /* soft reset */
    fixture_fini(&f);
}

static void test_save_and_load(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d = start(&f, NULL);

    guest_write(&f, REGS + CTRL, 4, 3);
    clock_step_ns(&f, 1000000);
    bytes = save_state(d);
    device_unplug(&d->dev);
    g_assert_false(f.line[3]);
    d = plug_function(&f, ticker(), "pcie.0", "t0", DEVFN, NULL);
    g_assert_true(load_state(d, bytes, &err));
    g_assert_no_error(err);
    g_assert_true(f.line[3]);
    clock_step_ns(&f, 1000000);
    g_assert_cmpuint(guest_read(&f, REGS + FIRED, 4), ==, 2);
    fixture_fini(&f);
}

static void test_properties(void)
{
    Fixture f;
    PCIDevice *d = start(&f, "msix=0x98");
    g_autofree char *at = device_prop_text(&d->dev, "msix");

    g_assert_cmpint(pci_find_capability(d, PCI_CAP_ID_MSIX), ==, 0x98);
    g_assert_nonnull(at);
    device_unplug(&d->dev);
    d = plug_function(&f, ticker(), "pcie.0", NULL, DEVFN, "msix=off");
    g_assert_cmpint(pci_find_capability(d, PCI_CAP_ID_MSIX), ==, 0);
    device_unplug(&d->dev);
    refused(&f, ticker(), "pcie.0", "t0", DEVFN, "pm=off", "cannot be off");
    refused(&f, ticker(), "pcie.0", "t0", DEVFN, "msix=0x42", "multiple of 4");
    refused(&f, ticker(), "pcie.0", "t0", DEVFN, "msix=0xfc", "must lie in");
    refused(&f, ticker(), "pcie.0", "t0", DEVFN, "msix=0x44,pm=0x40",
            "Power Management capability");
    plug_function(&f, ticker(), "pcie.0", "t0", DEVFN, "pm=off,express=off");
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ticker/intx", test_intx);
    g_test_add_func("/ticker/msix", test_msix);
    g_test_add_func("/ticker/reset", test_reset);
    g_test_add_func("/ticker/d3hot", test_d3hot);
    g_test_add_func("/ticker/save-and-load", test_save_and_load);
    g_test_add_func("/ticker/properties", test_properties);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-testdev: selecting a test, its header, counting; both BARs separately; the extra memory BAR.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

enum { DEVFN = PCI_DEVFN(2, 0) };
#define REGS (MMIO + 0x10000)

static void start(Fixture *f, const char *settings)
{
    fixture_init(f);
    plug_function(f, (const PCIDeviceType *)device_type_find("pci-testdev"), "pcie.0", "t0", DEVFN,
                  settings);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

static void test_counting(void)
{
    Fixture f;
    char name[16];
    uint32_t at;

    start(&f, NULL);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x00051b36);
    g_assert_cmpuint(guest_read(&f, REGS + 12, 4), ==, 0);
    guest_write(&f, REGS, 1, 2);
    at = guest_read(&f, REGS + 4, 4);
    g_assert_cmpuint(guest_read(&f, REGS + 1, 1), ==, 1);
    for (unsigned i = 0; i < 15; i++) {
        name[i] = guest_read(&f, REGS + 16 + i, 1);
    }
    name[15] = 0;
    g_assert_cmpstr(name, ==, "mmio-datamatch-");
    guest_write(&f, REGS + at, 1, guest_read(&f, REGS + 8, 1));
    guest_write(&f, REGS + at, 1, 0); /* another value does not count */
    guest_write(&f, REGS + at + 1, 1, 0xfa);
    g_assert_cmpuint(guest_read(&f, REGS + 12, 4), ==, 1);
    guest_write(&f, REGS, 1, 0);
    g_assert_cmpuint(guest_read(&f, REGS + 12, 4), ==, 0);
    at = guest_read(&f, REGS + 4, 4);
    guest_write(&f, REGS + at, 1, 99);
    g_assert_cmpuint(guest_read(&f, REGS + 12, 4), ==, 1);
    guest_write(&f, REGS, 1, 200); /* no such test */
    guest_write(&f, REGS + at, 1, 99);
    g_assert_cmpuint(guest_read(&f, REGS + 12, 4), ==, 0);
    fixture_fini(&f);
}

static void test_membar(void)
{
    Fixture f;

    start(&f, "membar=1M");
    config_write(&f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4, UINT32_MAX);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4), ==, 0xfff0000c);
    config_write(&f, DEVFN, PCI_BASE_ADDRESS_0 + 12, 4, UINT32_MAX);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_BASE_ADDRESS_0 + 12, 4), ==, UINT32_MAX);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci-testdev/counting", test_counting);
    g_test_add_func("/pci-testdev/membar", test_membar);
    return g_test_run();
}

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
    plug(f, (const PCIDeviceType *)device_type_find("pci-testdev"), "pcie.0", "t0", DEVFN,
         settings);
    set_cfg(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    set_cfg(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

static void test_counting(void)
{
    Fixture f;
    char name[16];
    uint32_t at;

    start(&f, NULL);
    g_assert_cmphex(cfg(&f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x00051b36);
    g_assert_cmpuint(rd(&f, REGS + 12, 4), ==, 0);
    wr(&f, REGS, 1, 2);
    at = rd(&f, REGS + 4, 4);
    g_assert_cmpuint(rd(&f, REGS + 1, 1), ==, 1);
    for (unsigned i = 0; i < 15; i++) {
        name[i] = rd(&f, REGS + 16 + i, 1);
    }
    name[15] = 0;
    g_assert_cmpstr(name, ==, "mmio-datamatch-");
    wr(&f, REGS + at, 1, rd(&f, REGS + 8, 1));
    wr(&f, REGS + at, 1, 0); /* another value does not count */
    wr(&f, REGS + at + 1, 1, 0xfa);
    g_assert_cmpuint(rd(&f, REGS + 12, 4), ==, 1);
    wr(&f, REGS, 1, 0);
    g_assert_cmpuint(rd(&f, REGS + 12, 4), ==, 0);
    at = rd(&f, REGS + 4, 4);
    wr(&f, REGS + at, 1, 99);
    g_assert_cmpuint(rd(&f, REGS + 12, 4), ==, 1);
    wr(&f, REGS, 1, 200); /* no such test */
    wr(&f, REGS + at, 1, 99);
    g_assert_cmpuint(rd(&f, REGS + 12, 4), ==, 0);
    fixture_fini(&f);
}

static void test_membar(void)
{
    Fixture f;

    start(&f, "membar=1M");
    set_cfg(&f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4, UINT32_MAX);
    g_assert_cmphex(cfg(&f, DEVFN, PCI_BASE_ADDRESS_0 + 8, 4), ==, 0xfff0000c);
    set_cfg(&f, DEVFN, PCI_BASE_ADDRESS_0 + 12, 4, UINT32_MAX);
    g_assert_cmphex(cfg(&f, DEVFN, PCI_BASE_ADDRESS_0 + 12, 4), ==, UINT32_MAX);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci-testdev/counting", test_counting);
    g_test_add_func("/pci-testdev/membar", test_membar);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * edu as used in a driver course: identification, liveness, factorial, raised interrupts over INTx
 * and MSI, DMA in both directions, and incorrect DMA of a faulty driver.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

enum { DEVFN = PCI_DEVFN(2, 0) };
#define REGS (MMIO + 0x100000)

static PCIDevice *start(Fixture *f)
{
    PCIDevice *d;

    fixture_init(f);
    d = plug_function(f, (const PCIDeviceType *)device_type_find("edu"), "pcie.0", "e0", DEVFN,
                      NULL);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return d;
}

static void test_registers(void)
{
    Fixture f;

    start(&f);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x11e81234);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 0x010000ed);
    guest_write(&f, REGS + 4, 4, 0x12345678);
    g_assert_cmphex(guest_read(&f, REGS + 4, 4), ==, ~0x12345678u);
    fixture_fini(&f);
}

static void test_factorial(void)
{
    Fixture f;

    start(&f);
    guest_write(&f, REGS + 0x20, 4, 0x80);
    guest_write(&f, REGS + 8, 4, 10);
    g_assert_cmphex(guest_read(&f, REGS + 0x20, 4), ==, 0x81);
    guest_write(&f, REGS + 8, 4, 3); /* busy: ignored */
    clock_step_ns(&f, 10000);
    g_assert_cmphex(guest_read(&f, REGS + 0x20, 4), ==, 0x80);
    g_assert_cmpuint(guest_read(&f, REGS + 8, 4), ==, 3628800);
    g_assert_cmphex(guest_read(&f, REGS + 0x24, 4), ==, 1);
    g_assert_true(f.line[2]);
    guest_write(&f, REGS + 0x64, 4, 1);
    g_assert_false(f.line[2]);
    guest_write(&f, REGS + 8, 4, UINT32_MAX);
    clock_step_ns(&f, 10000);
    g_assert_cmpuint(guest_read(&f, REGS + 8, 4), ==, 0);
    fixture_fini(&f);
}

static void test_msi(void)
{
    Fixture f;
    PCIDevice *d = start(&f);
    uint8_t pos = pci_find_capability(d, PCI_CAP_ID_MSI);

    config_write(&f, DEVFN, pos + 4, 4, (uint32_t)(RAM + 0x80));
    config_write(&f, DEVFN, pos + 8, 4, RAM >> 32);
    config_write(&f, DEVFN, pos + 12, 2, 0x77);
    config_write(&f, DEVFN, pos + 2, 2, 1);
    guest_write(&f, REGS + 0x60, 4, 0x10);
    g_assert_cmphex(guest_read(&f, RAM + 0x80, 4), ==, 0x77);
    guest_write(&f, RAM + 0x80, 4, 0);
    guest_write(&f, REGS + 0x60, 4, 0x20); /* each raise is a message */
    g_assert_cmphex(guest_read(&f, RAM + 0x80, 4), ==, 0x77);
    guest_write(&f, RAM + 0x80, 4, 0);
    guest_write(&f, REGS + 0x64, 4, 0x10); /* an acknowledgement is not a message */
    g_assert_cmphex(guest_read(&f, RAM + 0x80, 4), ==, 0);
    g_assert_cmpuint(f.edges, ==, 0);
    fixture_fini(&f);
}

static void dma(Fixture *f, uint64_t src, uint64_t dst, uint64_t len, unsigned cmd)
{
    guest_write(f, REGS + 0x80, 8, src);
    guest_write(f, REGS + 0x88, 8, dst);
    guest_write(f, REGS + 0x90, 8, len);
    guest_write(f, REGS + 0x98, 8, cmd);
    guest_write(f, REGS + 0x80, 8, 0xdead); /* in progress: ignored */
    g_assert_cmphex(guest_read(f, REGS + 0x98, 4) & 1, ==, 1);
    clock_step_ns(f, 100000000);
    g_assert_cmphex(guest_read(f, REGS + 0x98, 4) & 1, ==, 0);
}

static void test_dma(void)
{
    Fixture f;
    uint64_t in = RAM & 0xfffffff;

    start(&f);
    if (in != RAM) { /* the fixture's RAM is above the range of the default mask */
        device_unplug(device_find_id(f.m, "e0"));
        plug_function(&f, (const PCIDeviceType *)device_type_find("edu"), "pcie.0", "e0", DEVFN,
                      "dma_mask=0xffffffffffffffff");
        config_write(&f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
        config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    guest_write(&f, RAM + 0x100, 8, 0x1122334455667788);
    dma(&f, RAM + 0x100, 0x40010, 8, 1 | 4);
    g_assert_true(f.line[2]);
    g_assert_cmphex(guest_read(&f, REGS + 0x24, 4), ==, 0x100);
    dma(&f, 0x40010, RAM + 0x200, 8, 1 | 2);
    g_assert_cmphex(guest_read(&f, RAM + 0x200, 8), ==, 0x1122334455667788);
    /* beyond the buffer: nothing is copied */
    dma(&f, RAM + 0x100, 0x40ffc, 8, 1);
    dma(&f, RAM + 0x100, 0x40000, UINT64_MAX, 1);
    dma(&f, 0x3ffff, RAM + 0x200, 8, 1 | 2);
    /* to its own registers: the guard rejects it */
    dma(&f, 0x40010, REGS + 4, 4, 1 | 2);
    g_assert_cmphex(guest_read(&f, REGS + 4, 4), ==, 0);
    /* without bus mastering nothing is sent */
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    guest_write(&f, RAM + 0x200, 8, 0);
    dma(&f, 0x40010, RAM + 0x200, 8, 1 | 2);
    g_assert_cmphex(guest_read(&f, RAM + 0x200, 8), ==, 0);
    fixture_fini(&f);
}

/* A transfer is started by an access that begins in the count register before the command. */
static void test_dma_across_registers(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d = start(&f);

    guest_write(&f, REGS + 0x96, 4, 0x00050000);
    g_assert_cmphex(guest_read(&f, REGS + 0x98, 8), ==, 5);
    bytes = save_state(d);
    g_assert_true(load_state(d, bytes, &err));
    g_assert_no_error(err);
    clock_step_ns(&f, 100000000);
    g_assert_cmphex(guest_read(&f, REGS + 0x98, 8), ==, 4);
    g_assert_cmphex(guest_read(&f, REGS + 0x24, 4), ==, 0x100);
    fixture_fini(&f);
}

static void test_reset_under_way(void)
{
    Fixture f;

    start(&f);
    guest_write(&f, REGS + 8, 4, 5);
    guest_write(&f, REGS + 0x98, 8, 1);
    machine_reset(f.m, RESET_HOT);
    clock_step_ns(&f, 200000000);
    config_write(&f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(guest_read(&f, REGS + 8, 4), ==, 0);
    g_assert_cmphex(guest_read(&f, REGS + 0x20, 4), ==, 0);
    g_assert_cmphex(guest_read(&f, REGS + 0x98, 4), ==, 0);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/edu/registers", test_registers);
    g_test_add_func("/edu/factorial", test_factorial);
    g_test_add_func("/edu/msi", test_msi);
    g_test_add_func("/edu/dma", test_dma);
    g_test_add_func("/edu/dma-across-registers", test_dma_across_registers);
    g_test_add_func("/edu/reset-under-way", test_reset_under_way);
    return g_test_run();
}

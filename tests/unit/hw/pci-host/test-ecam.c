/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ECAM host: windows according to its properties, config cycles of every size at every
 * boundary, impossible windows rejected, and a clean end.
 */
#include "../fixture.h"
#include "hw/pci-host/ecam.h"

static Device *host(Machine *m, const char *settings)
{
    g_autoptr(GError) err = NULL;
    Device *dev = device_create(m, "gpex-pcihost", settings, NULL, &err);

    g_assert_no_error(err);
    return dev;
}

static void test_windows(void)
{
    Machine *m = fixture_new(1);
    Device *dev = host(m, "ecam-size=1M,pio-base=0x10000000,pio-size=4K,below-4g-mmio-size=1M,"
                          "above-4g-mmio-size=0");

    g_assert_true(ecam_host(dev)->machine == m);
    g_assert_cmphex(guest_read32(m, 0x300ffffc), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(m, 0x30100000), ==, 0);
    g_assert_cmphex(guest_read32(m, 0x10000ffc), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(m, 0x10001000), ==, 0);
    g_assert_cmphex(guest_read32(m, 0x400ffffc), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(m, 0x40100000), ==, 0);
    g_assert_cmphex(guest_read32(m, 0x400000000), ==, 0);
    device_unplug(dev);
    g_assert_cmphex(guest_read32(m, 0x30000000), ==, 0);
    machine_free(m);
}

static void test_refused(void)
{
    Machine *m = fixture_new(1);
    g_autoptr(GError) err = NULL;

    g_assert_null(
        device_create(m, "gpex-pcihost", "above-4g-mmio-base=0xffffffffffff0000", NULL, &err));
    g_assert_nonnull(strstr(err->message, "64-bit memory window"));
    g_clear_error(&err);
    host(m, NULL);
    g_assert_null(device_create(m, "gpex-pcihost", NULL, NULL, &err)); /* only one pcie.0 */
    g_assert_nonnull(strstr(err->message, "pcie.0"));
    machine_free(m);
}

static void test_root_function(void)
{
    Machine *m = fixture_new(1);
    g_autoptr(PlanDevice) d = plan_device_new("gpex-root");
    g_autoptr(GError) err = NULL;
    Device *dev;

    host(m, NULL);
    d->bus = g_strdup("pcie.0");
    d->has_addr = true;
    dev = device_new(m, device_type_find("gpex-root"), d, &err);
    g_assert_true(device_realize(dev, d, NULL, &err));
    g_assert_cmphex(guest_read(m, 0x30000000, 8), ==,
                    guest_read32(m, 0x30000000) | (uint64_t)guest_read32(m, 0x30000004) << 32);
    g_assert_cmphex(guest_read32(m, 0x30000001), ==,
                    (uint32_t)(guest_read(m, 0x30000000, 8) >> 8)); /* unaligned */
    random_accesses(m, 0x30000000, 0x120, 2000);
    random_accesses(m, 0x30000ff0, 0x20, 100);
    random_accesses(m, 0x30000000 + (256 << 20) - 16, 0x20, 10);
    g_assert_cmphex(guest_read32(m, 0x30000000), ==, 0x00081b36);
    machine_free(m);
}

static uint64_t read_word(void *opaque, uint64_t offset, unsigned size)
{
    return *(uint32_t *)opaque;
}

static const MemOps word_ops = { .read = read_word, .impl_min = 4 };

/* An extra root is accessed through its part of the windows, and the first root through the
 * rest. */
static void test_extra_root(void)
{
    Machine *m = fixture_new(1);
    Device *dev = host(m, NULL);
    PCIHost *h = ecam_host(dev);
    PCIBus a, b;
    MemRegion first = { 0 }, second = { 0 };
    uint32_t one = 1, two = 2;

    mem_init_mmio(&first, "one", 16, &word_ops, &one);
    mem_init_mmio(&second, "two", 16, &word_ops, &two);
    g_assert_true(pci_root_init(&a, h, PLAN_BUS_PCIE_ROOT, "a", 0x80, NULL, NULL));
    mem_map(&h->root.mem, 0x60000000, &first, 0, 0);
    mem_map(&a.mem, 0x60000000, &second, 0, 0);
    g_assert_cmphex(guest_read32(m, 0x60000000), ==, 2);
    mem_move(&first, 0x5ffffff0);
    g_assert_cmphex(guest_read32(m, 0x5ffffff0), ==, 1);
    g_assert_true(pci_root_init(&b, h, PLAN_BUS_PCIE_ROOT, "b", 0xc0, NULL, NULL));
    mem_move(&second, 0x70000000); /* b's part now */
    g_assert_cmphex(guest_read32(m, 0x70000000), ==, 0xffffffff);
    g_assert_false(pci_root_init(&(PCIBus){ 0 }, h, PLAN_BUS_PCIE_ROOT, "c", 0xc0, NULL, NULL));
    pci_bus_fini(&b);
    g_assert_cmphex(guest_read32(m, 0x70000000), ==, 2);
    mem_unmap(&second);
    pci_bus_fini(&a);
    mem_move(&first, 0x7ffffff0);
    g_assert_cmphex(guest_read32(m, 0x7ffffff0), ==, 1);
    mem_fini(&first);
    mem_fini(&second);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ecam/windows", test_windows);
    g_test_add_func("/ecam/refused", test_refused);
    g_test_add_func("/ecam/root-function", test_root_function);
    g_test_add_func("/ecam/extra-root", test_extra_root);
    return g_test_run();
}

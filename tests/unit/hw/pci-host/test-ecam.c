/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ECAM host: windows where its properties say, config cycles of every size at every edge,
 * impossible windows refused, and a clean end.
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
    g_assert_cmphex(rd32(m, 0x300ffffc), ==, 0xffffffff);
    g_assert_cmphex(rd32(m, 0x30100000), ==, 0);
    g_assert_cmphex(rd32(m, 0x10000ffc), ==, 0xffffffff);
    g_assert_cmphex(rd32(m, 0x10001000), ==, 0);
    g_assert_cmphex(rd32(m, 0x400ffffc), ==, 0xffffffff);
    g_assert_cmphex(rd32(m, 0x40100000), ==, 0);
    g_assert_cmphex(rd32(m, 0x400000000), ==, 0);
    device_unplug(dev);
    g_assert_cmphex(rd32(m, 0x30000000), ==, 0);
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
    g_assert_null(device_create(m, "gpex-pcihost", NULL, NULL, &err)); /* one pcie.0 only */
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
    g_assert_cmphex(rd(m, 0x30000000, 8), ==,
                    rd32(m, 0x30000000) | (uint64_t)rd32(m, 0x30000004) << 32);
    g_assert_cmphex(rd32(m, 0x30000001), ==, (uint32_t)(rd(m, 0x30000000, 8) >> 8)); /* unaligned */
    hammer(m, 0x30000000, 0x120, 2000);
    hammer(m, 0x30000ff0, 0x20, 100);
    hammer(m, 0x30000000 + (256 << 20) - 16, 0x20, 10);
    g_assert_cmphex(rd32(m, 0x30000000), ==, 0x00081b36);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ecam/windows", test_windows);
    g_test_add_func("/ecam/refused", test_refused);
    g_test_add_func("/ecam/root-function", test_root_function);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng through both faces: entropy in what was asked for and nowhere else, the limit per
 * period on the virtual clock, reset, and the limit across save and load.
 */
#include "virtio-driver.h"

enum { LEN = 64 };

static void offer(Drv *v, unsigned n, uint32_t len)
{
    for (unsigned i = 0; i < n; i++) {
        DrvSeg s = { RAM + DRV_DATA + i * 0x1000, len, true };

        drv_offer(v, 0, &s, 1);
    }
    drv_kick(v, 0);
}

static unsigned differing(Drv *v, unsigned at, unsigned len)
{
    unsigned n = 0;

    for (unsigned i = 0; i < len; i++) {
        n += *drv_ram(v, DRV_DATA + at + i) != 0;
    }
    return n;
}

static void check_bytes(bool legacy)
{
    Fixture f;
    Drv v;

    drv_machine(&f, NULL, NULL);
    drv_plug(&v, &f, "virtio-rng-pci", NULL, legacy);
    drv_start(&v, 0, 1);
    offer(&v, 2, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    g_assert_cmpuint(differing(&v, 0, LEN), >, LEN / 2);
    g_assert_cmpint(memcmp(drv_ram(&v, DRV_DATA), drv_ram(&v, DRV_DATA + 0x1000), LEN), !=, 0);
    g_assert_cmpuint(differing(&v, LEN, 0x1000 - LEN), ==, 0);
    drv_finish(&f);
}

static void test_bytes(void)
{
    check_bytes(false);
    check_bytes(true);
}

/* 100 bytes in a second: the rest of what was asked for comes with the next. */
static void test_limit(void)
{
    Fixture f;
    Drv v;
    g_autoptr(GByteArray) saved = NULL;

    drv_machine(&f, NULL, NULL);
    drv_plug(&v, &f, "virtio-rng-pci", "max-bytes=100,period=1000", false);
    drv_start(&v, 0, 1);
    offer(&v, 4, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, 100 - LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    step_ns(&f, 999999999);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    saved = drv_save(v.d); /* and the period goes on where it is loaded */
    g_assert_true(drv_load(v.d, saved, NULL));
    step_ns(&f, 1);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, 100 - LEN);
    drv_start(&v, 0, 1); /* a reset fills it */
    offer(&v, 1, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

/* A chain without room for a byte gets none; a limit that is not ours is refused. */
static void test_odd(void)
{
    Fixture f;
    Drv v;
    DrvSeg s = { RAM + DRV_DATA, LEN, false };
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;

    drv_machine(&f, NULL, NULL);
    drv_plug(&v, &f, "virtio-rng-pci", "max-bytes=1000", false);
    drv_start(&v, 0, 1);
    drv_offer(&v, 0, &s, 1);
    drv_kick(&v, 0);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, 0);
    drv_running(&v);
    saved = drv_save(v.d);
    device_unplug(&v.d->dev);
    v.d = plug(&f, drv_type("virtio-rng-pci"), "pcie.0", "dut", DRV_DEVFN, "max-bytes=10");
    g_assert_false(drv_load(v.d, saved, &err));
    g_assert_nonnull(strstr(err->message, "max-bytes"));
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rng/bytes", test_bytes);
    g_test_add_func("/rng/limit", test_limit);
    g_test_add_func("/rng/odd", test_odd);
    return g_test_run();
}

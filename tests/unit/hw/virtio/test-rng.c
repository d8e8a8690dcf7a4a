/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng through both interfaces: entropy is written to the requested buffers and nowhere else,
 * the limit per period of the virtual clock, reset, and the limit across save and load.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/host_object.h"
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

/* 100 bytes per second: the rest of the request is served in the next period. */
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
    clock_step_ns(&f, 999999999);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    saved = save_state(v.d); /* and the period continues where it is loaded */
    g_assert_true(load_state(v.d, saved, NULL));
    clock_step_ns(&f, 1);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, 100 - LEN);
    drv_start(&v, 0, 1); /* a reset fills it */
    offer(&v, 1, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

/* A chain without space for a byte gets none. A limit of another machine is rejected. */
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
    saved = save_state(v.d);
    device_unplug(&v.d->dev);
    v.d = plug_function(&f, drv_type("virtio-rng-pci"), "pcie.0", "dut", DRV_DEVFN, "max-bytes=10");
    g_assert_false(load_state(v.d, saved, &err));
    g_assert_nonnull(strstr(err->message, "max-bytes"));
    drv_finish(&f);
}

/* A source without data leaves the buffer with the device. It is filled when there is more, but not
 * while the machine is stopped. */
static void test_source(void)
{
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "fifo", NULL);
    g_autoptr(PlanDevice) options = plan_device_new("rng-random");
    g_autoptr(GError) err = NULL;
    Fixture f;
    Drv v;
    int fd;

    drv_machine(&f, NULL, NULL);
    refused(&f, drv_type("virtio-rng-pci"), "pcie.0", "dut", DRV_DEVFN, "rng=r", "does not exist");
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    options->id = g_strdup("r");
    plan_device_set(options, "filename", path);
    g_assert_nonnull(host_object_new(f.m, options, &err));
    fd = open(path, O_WRONLY);
    drv_plug(&v, &f, "virtio-rng-pci", "rng=r", false);
    g_assert_false(host_object_del(f.m, "r", NULL));
    drv_start(&v, 0, 1);
    offer(&v, 2, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    g_assert_cmpint(write(fd, "0123456789", 10), ==, 10);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, 10);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    machine_set_state(f.m, RUN_PAUSED);
    g_assert_cmpint(write(fd, "abc", 3), ==, 3);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    machine_set_state(f.m, RUN_RUNNING);
    g_assert_cmpint(drv_wait(&v, 0, 1), ==, 3);
    device_unplug(&v.d->dev);
    g_assert_true(host_object_del(f.m, "r", NULL));
    host_object_free_all(f.m);
    close(fd);
    g_unlink(path);
    rmdir(dir);
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rng/bytes", test_bytes);
    g_test_add_func("/rng/limit", test_limit);
    g_test_add_func("/rng/odd", test_odd);
    g_test_add_func("/rng/source", test_source);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The legacy register file: its header with and without MSI-X, queues placed by page number,
 * registers that are read-only while a page is set, notification, and a driver without knowledge of
 * later versions.
 */
#include "virtio-driver.h"

static void start(Fixture *f, Drv *v, const char *settings)
{
    drv_machine(f, DRV_NULL_DRIVE, NULL);
    drv_plug(v, f, "virtio-blk-pci-transitional", settings, true);
}

static bool read_sector(Drv *v, unsigned q)
{
    uint64_t at = RAM + DRV_DATA;
    DrvSeg s[] = { { at, 16, false }, { at + 0x1000, 512, true }, { at + 0x2000, 1, true } };

    memset(drv_ram(v, DRV_DATA), 0, 16);
    drv_offer(v, q, s, 3);
    drv_kick(v, q);
    return drv_wait(v, q, 3) == 513;
}

static void test_header(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,num-queues=2");
    /* only what fits in 32 bits, and no feature of the later specification */
    g_assert_cmphex(drv_legacy_read(&v, L_DEVICE_FEATURES, 4) & F_BIT(VIRTIO_F_ANY_LAYOUT), !=, 0);
    drv_legacy_write(&v, L_DRIVER_FEATURES, 4, UINT32_MAX);
    g_assert_cmphex(drv_legacy_read(&v, L_DRIVER_FEATURES, 4), ==,
                    drv_legacy_read(&v, L_DEVICE_FEATURES, 4));
    drv_legacy_write(&v, L_SELECT, 2, 1);
    g_assert_cmpuint(drv_legacy_read(&v, L_SIZE, 2), ==, 256);
    drv_legacy_write(&v, L_SIZE, 2, 16); /* read-only here */
    g_assert_cmpuint(drv_legacy_read(&v, L_SIZE, 2), ==, 256);
    drv_legacy_write(&v, L_SELECT, 2, 2);
    g_assert_cmpuint(drv_legacy_read(&v, L_SIZE, 2), ==, 0);
    drv_legacy_write(&v, L_PAGE, 4, 0x80000);
    g_assert_cmphex(drv_legacy_read(&v, L_PAGE, 4), ==, 0);
    drv_finish(&f);
}

/* The configuration moves behind the vector registers when MSI-X is enabled (4.1.4.10). */
static void test_configuration_moves(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    g_assert_cmpuint(drv_legacy_read(&v, 0x14, 4), ==, 2048);
    drv_msix(&v, true);
    g_assert_cmphex(drv_legacy_read(&v, 0x14, 4), ==, 0xffffffff);
    g_assert_cmpuint(drv_legacy_read(&v, 0x18, 4), ==, 2048);
    drv_legacy_write(&v, L_CONFIG_VECTOR, 2, 1);
    g_assert_cmphex(drv_legacy_read(&v, L_CONFIG_VECTOR, 2), ==, 1);
    drv_legacy_write(&v, L_CONFIG_VECTOR, 2, 99);
    g_assert_cmphex(drv_legacy_read(&v, L_CONFIG_VECTOR, 2), ==, VIRTIO_MSI_NO_VECTOR);
    drv_msix(&v, false);
    g_assert_cmpuint(drv_legacy_read(&v, 0x14, 4), ==, 2048);
    drv_finish(&f);
}

static void test_frozen_page(void)
{
    Fixture f;
    Drv v;
    uint32_t page;

    start(&f, &v, "drive=d0,num-queues=2");
    drv_start(&v, 0, 2);
    drv_legacy_write(&v, L_SELECT, 2, 1);
    page = drv_legacy_read(&v, L_PAGE, 4);
    g_assert_cmphex(page, ==, (RAM + DRV_RING_SPAN) >> 12);
    drv_legacy_write(&v, L_PAGE, 4, page + 5);
    g_assert_cmphex(drv_legacy_read(&v, L_PAGE, 4), ==, page);
    g_assert_true(read_sector(&v, 1));
    drv_legacy_write(&v, L_SELECT, 2, 1);
    drv_legacy_write(&v, L_PAGE, 4, 0);
    g_assert_cmphex(drv_legacy_read(&v, L_PAGE, 4), ==, 0);
    g_assert_true(read_sector(&v, 0)); /* the other queue is not affected */
    drv_legacy_write(&v, L_SELECT, 2, 1);
    drv_place_ring(&v, 1, 256);
    drv_legacy_write(&v, L_PAGE, 4, page);
    g_assert_true(read_sector(&v, 1));
    drv_finish(&f);
}

/* A queue keeps its vector when its page is cleared and set. */
static void test_vector_stays(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    drv_msix(&v, true);
    drv_start(&v, 0, 1);
    drv_legacy_write(&v, L_SELECT, 2, 0);
    drv_legacy_write(&v, L_PAGE, 4, 0);
    g_assert_cmphex(drv_legacy_read(&v, L_VECTOR, 2), ==, 1);
    drv_place_ring(&v, 0, 256);
    drv_legacy_write(&v, L_PAGE, 4, v.ring[0].desc >> 12);
    g_assert_true(read_sector(&v, 0));
    g_assert_true(drv_interrupted(&v, 1));
    drv_finish(&f);
}

/* A legacy driver cannot be informed of NEEDS_RESET: its queues do nothing until it resets. */
static void test_broken_ring(void)
{
    Fixture f;
    Drv v;
    DrvSeg loop[] = { { RAM + DRV_DATA, 16, false }, { MMIO, 512, true } };

    start(&f, &v, "drive=d0");
    drv_start(&v, 0, 1);
    drv_offer(&v, 0, loop, 2);
    drv_kick(&v, 0);
    g_assert_cmphex(drv_status(&v), ==, DRV_OK);
    drv_start(&v, 0, 1);
    g_assert_true(read_sector(&v, 0));
    drv_finish(&f);
}

static void test_wild_page(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t pages[] = { 0xffffffff, 0x40000, 0x800ff };

        drv_start(&v, 0, 0);
        drv_legacy_write(&v, L_SELECT, 2, 0);
        drv_legacy_write(&v, L_PAGE, 4, pages[i]);
        drv_kick(&v, 0);
        drv_legacy_write(&v, L_NOTIFY, 2, 0xffff);
        g_assert_cmphex(drv_legacy_read(&v, L_PAGE, 4), ==, pages[i]);
    }
    drv_start(&v, 0, 1);
    g_assert_true(read_sector(&v, 0));
    drv_finish(&f);
}

static void test_noise(void)
{
    static const unsigned sizes[] = { 1, 2, 4 };
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,num-queues=4");
    for (unsigned round = 0; round < 40; round++) {
        drv_msix(&v, round & 1);
        for (unsigned i = 0; i < 500; i++) {
            uint64_t at = g_test_rand_int_range(0, 0x80);
            unsigned size = sizes[g_test_rand_int_range(0, 3)];

            guest_write(&f, PIO + DRV_IO + at, size, (uint32_t)g_test_rand_int());
            guest_read(&f, PIO + DRV_IO + at, size);
        }
        drv_start(&v, 0, 1);
        g_assert_true(read_sector(&v, 0));
    }
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/legacy/header", test_header);
    g_test_add_func("/legacy/configuration-moves", test_configuration_moves);
    g_test_add_func("/legacy/frozen-page", test_frozen_page);
    g_test_add_func("/legacy/vector-stays", test_vector_stays);
    g_test_add_func("/legacy/broken-ring", test_broken_ring);
    g_test_add_func("/legacy/wild-page", test_wild_page);
    g_test_add_func("/legacy/noise", test_noise);
    return g_test_run();
}

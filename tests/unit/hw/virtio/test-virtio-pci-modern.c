/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The modern register file: negotiation, registers that become read-only, queue reset, notification
 * by the notify structure and through the configuration-access capability with its checks, and both
 * ring formats with each combination of the features that change them.
 */
#include "virtio-driver.h"

enum { CFG_BAR = 4, CFG_OFFSET = 8, CFG_LENGTH = 12, CFG_DATA = 16 };
enum { RUNNING = DRV_OK | VIRTIO_CONFIG_S_FEATURES_OK };

static void start(Fixture *f, Drv *v, const char *settings)
{
    drv_machine(f, DRV_NULL_DRIVE, NULL);
    drv_plug(v, f, "virtio-blk-pci", settings, false);
}

static void put_read(Drv *v, unsigned q)
{
    uint64_t at = RAM + DRV_DATA;
    DrvSeg s[] = { { at, 16, false }, { at + 0x1000, 512, true }, { at + 0x2000, 1, true } };

    memset(drv_ram(v, DRV_DATA), 0, 16);
    drv_offer(v, q, s, 3);
}

/* --- negotiation (3.1.1) --- */

static void test_negotiation(void)
{
    Fixture f;
    Drv v;
    uint64_t offered;

    start(&f, &v, "drive=d0,packed=on");
    offered = drv_offered(&v);
    g_assert_cmphex(offered >> VIRTIO_F_VERSION_1 & 1, ==, 1);
    drv_common_write(&v, C_DEVICE_SELECT, 4, 2);
    g_assert_cmphex(drv_common_read(&v, C_DEVICE_FEATURE, 4), ==, 0);
    /* a set with a bit that is not offered is rejected completely (2.2.2), also if the machine was
     * migrated before the driver read the status */
    for (unsigned bit = 0; bit < 64; bit++) {
        g_autoptr(GByteArray) saved = NULL;

        if (offered >> bit & 1) {
            continue;
        }
        drv_write_features(&v, offered | F_BIT(bit));
        drv_common_write(&v, C_DRIVER_SELECT, 4, bit / 32);
        g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4) >> (bit % 32) & 1, ==, 1);
        saved = save_state(v.d);
        drv_write_features(&v, 0);
        g_assert_true(load_state(v.d, saved, NULL));
        drv_set_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                               VIRTIO_CONFIG_S_FEATURES_OK);
        g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_FEATURES_OK, ==, 0);
    }
    drv_write_features(&v, offered);
    drv_common_write(&v, C_DRIVER_SELECT, 4, 0);
    g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4), ==, (uint32_t)offered);
    drv_common_write(&v, C_DRIVER_SELECT, 4, 1);
    g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4), ==, offered >> 32);
    drv_common_write(&v, C_DRIVER_SELECT, 4, 3);
    drv_common_write(&v, C_DRIVER_FEATURE, 4, 0);
    g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4), ==, 0);
    /* a driver that supports FEATURES_OK must accept VERSION_1 (6.1) */
    drv_write_features(&v, F_BIT(VIRTIO_F_RING_PACKED));
    drv_set_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                           VIRTIO_CONFIG_S_FEATURES_OK);
    g_assert_cmphex(drv_status(&v), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    drv_write_features(&v, F_BIT(VIRTIO_F_VERSION_1));
    drv_set_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                           VIRTIO_CONFIG_S_FEATURES_OK);
    g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_FEATURES_OK, !=, 0);
    drv_write_features(&v, offered);
    drv_common_write(&v, C_DRIVER_SELECT, 4, 0);
    g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4), ==, 0);
    drv_finish(&f);
}

/* Bits are added one by one and only a reset clears them (2.1.1). */
static void test_status(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    drv_set_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    drv_set_status(&v, VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_NEEDS_RESET);
    g_assert_cmphex(drv_status(&v), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    drv_set_status(&v, VIRTIO_CONFIG_S_FAILED);
    g_assert_cmphex(drv_status(&v), ==,
                    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FAILED);
    drv_set_status(&v, 0);
    g_assert_cmphex(drv_status(&v), ==, 0);
    drv_finish(&f);
}

/* --- what freezes --- */

static void test_frozen(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,packed=on");
    drv_start(&v, F_BIT(VIRTIO_F_RING_RESET), 1);
    drv_common_write(&v, C_SELECT, 2, 0);
    drv_common_write(&v, C_SIZE, 2, 16);
    g_assert_cmpuint(drv_common_read(&v, C_SIZE, 2), ==, 256);
    for (unsigned at = C_DESC; at <= C_DEVICE; at += 8) {
        uint64_t was = drv_common_read(&v, at, 8);

        drv_common_write(&v, at, 8, RAM + 0x80000);
        drv_common_write(&v, at + 4, 4, 1);
        g_assert_cmphex(drv_common_read(&v, at, 8), ==, was);
    }
    drv_common_write(&v, C_ENABLE, 2, 0); /* only a reset disables (4.1.4.3.2) */
    g_assert_cmpuint(drv_common_read(&v, C_ENABLE, 2), ==, 1);
    drv_common_write(&v, C_RESET, 2, 0);
    g_assert_cmpuint(drv_common_read(&v, C_ENABLE, 2), ==, 1);
    drv_common_write(&v, C_RESET, 2, 1);
    g_assert_cmpuint(drv_common_read(&v, C_ENABLE, 2), ==, 0);
    g_assert_cmphex(drv_common_read(&v, C_DESC, 8), ==, 0);
    drv_common_write(&v, C_SIZE, 2, 16);
    g_assert_cmpuint(drv_common_read(&v, C_SIZE, 2), ==, 16);
    drv_running(&v);
    drv_finish(&f);
}

/* Features determine the layout of the rings, so they become read-only with the first ring as
 * well. */
static void test_features_freeze_with_rings(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,packed=on,disable-legacy=off");
    drv_write_features(&v, F_BIT(VIRTIO_F_RING_PACKED));
    drv_common_write(&v, C_SELECT, 2, 0);
    drv_common_write(&v, C_SIZE, 2, 3); /* a packed ring has any size */
    g_assert_cmpuint(drv_common_read(&v, C_SIZE, 2), ==, 3);
    drv_write_features(&v, 0);
    drv_common_write(&v, C_ENABLE, 2, 1);
    g_assert_cmpuint(drv_common_read(&v, C_ENABLE, 2), ==, 0); /* a split one does not */
    drv_set_status(&v, 0);
    drv_start(&v, 0, 1);
    v.legacy = true;
    drv_write_features(&v, UINT32_MAX); /* through the other interface */
    v.legacy = false;
    drv_common_write(&v, C_DRIVER_SELECT, 4, 1);
    g_assert_cmphex(drv_common_read(&v, C_DRIVER_FEATURE, 4), ==, 1);
    put_read(&v, 0);
    drv_kick(&v, 0);
    g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
    drv_finish(&f);
}

/* A driver must accept VIRTIO_F_ACCESS_PLATFORM. Without an IOMMU, its addresses are those of
 * memory. A legacy interface excludes the feature. */
static void test_access_platform(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,disable-legacy=on");
    g_assert_cmphex(drv_offered(&v) & F_BIT(VIRTIO_F_ACCESS_PLATFORM), ==, 0);
    drv_finish(&f);
    start(&f, &v, "drive=d0,disable-legacy=on,iommu_platform=on");
    g_assert_cmphex(drv_offered(&v) & F_BIT(VIRTIO_F_ACCESS_PLATFORM), !=, 0);
    g_assert_false(drv_try_start(&v, 0, 1));
    drv_start(&v, F_BIT(VIRTIO_F_ACCESS_PLATFORM), 1);
    put_read(&v, 0);
    drv_kick(&v, 0);
    g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
    device_unplug(&v.d->dev);
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "x", DRV_DEVFN,
            "drive=d0,disable-legacy=off,iommu_platform=on", "disable-legacy=on");
    drv_finish(&f);
}

static void test_queue_registers(void)
{
    static const uint16_t bad[] = { 0, 3, 257, 512, 0xffff };
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,num-queues=2");
    g_assert_cmpuint(drv_common_read(&v, C_NUM_QUEUES, 2), ==, 2);
    drv_common_write(&v, C_SELECT, 2, 1);
    g_assert_cmpuint(drv_common_read(&v, C_NOTIFY_OFF, 2), ==, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        drv_common_write(&v, C_SIZE, 2, bad[i]);
        g_assert_cmpuint(drv_common_read(&v, C_SIZE, 2), ==, 256);
    }
    drv_common_write(&v, C_SELECT, 2, 2); /* the queue does not exist */
    for (unsigned at = C_SIZE; at < 0x3c; at += 2) {
        drv_common_write(&v, at, 2, 1);
    }
    g_assert_cmpuint(drv_common_read(&v, C_SIZE, 2), ==, 0);
    g_assert_cmphex(drv_common_read(&v, C_VECTOR, 2), ==, VIRTIO_MSI_NO_VECTOR);
    guest_write(&f, v.notify + 8, 2, 2);
    guest_write(&f, v.notify + 0xffe, 2, 2);
    g_assert_cmphex(drv_status(&v), ==, 0);
    /* a misaligned area breaks the device, and a reset recovers it */
    drv_start(&v, 0, 0);
    drv_common_write(&v, C_SELECT, 2, 0);
    drv_common_write(&v, C_DESC, 8, RAM + 8);
    drv_common_write(&v, C_ENABLE, 2, 1);
    g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&v, 0, 2);
    drv_running(&v);
    drv_finish(&f);
}

/* The generation changes with the configuration, so that a torn read is detected (2.5.1). */
static void test_generation(void)
{
    Fixture f;
    Drv v;
    uint8_t was;

    start(&f, &v, "drive=d0");
    drv_start(&v, 0, 1);
    was = drv_common_read(&v, C_GENERATION, 1);
    g_assert_cmpuint(drv_config(&v, 0, 8), ==, 2048);
    g_assert_true(block_resize(block_find(f.m, "d0"), 1 << 21, NULL));
    g_assert_cmpuint(drv_common_read(&v, C_GENERATION, 1), ==, (uint8_t)(was + 1));
    g_assert_cmpuint(drv_config(&v, 0, 8), ==, 4096);
    for (unsigned at = 60; at < 0x1000; at++) { /* nothing past its end */
        guest_write(&f, v.config + at, 1, 0xff);
        g_assert_cmpuint(guest_read(&f, v.config + at, 1), ==, 0);
    }
    g_assert_cmpuint(guest_read(&f, v.config + 60, 8), ==, 0);
    drv_running(&v);
    drv_finish(&f);
}

/* --- notification --- */

static uint64_t through_cap(Drv *v, uint8_t bar, uint32_t offset, uint32_t len, bool write,
                            uint32_t value)
{
    config_write(v->f, DRV_DEVFN, v->cfg_cap + CFG_BAR, 1, bar);
    config_write(v->f, DRV_DEVFN, v->cfg_cap + CFG_OFFSET, 4, offset);
    config_write(v->f, DRV_DEVFN, v->cfg_cap + CFG_LENGTH, 4, len);
    if (write) {
        config_write(v->f, DRV_DEVFN, v->cfg_cap + CFG_DATA, len == 1 || len == 2 ? len : 4, value);
        return 0;
    }
    return config_read(v->f, DRV_DEVFN, v->cfg_cap + CFG_DATA, len == 1 || len == 2 ? len : 4);
}

/* page-per-vq=on: each queue has a notification page, also through the PCI configuration access
 * capability. */
static void test_notification_pages(void)
{
    Fixture f;
    Drv v;
    uint64_t bar;

    start(&f, &v, "drive=d0,page-per-vq=on,num-queues=2");
    bar = config_read(&f, DRV_DEVFN, 0x20, 4);
    config_write(&f, DRV_DEVFN, 0x20, 4, UINT32_MAX);
    g_assert_cmphex(config_read(&f, DRV_DEVFN, 0x20, 4), ==, 0xff80000c);
    config_write(&f, DRV_DEVFN, 0x20, 4, (uint32_t)bar);
    drv_start(&v, 0, 2);
    put_read(&v, 1);
    guest_write(&f, v.notify + 4, 2, 1); /* the page of queue 0 */
    g_assert_cmpint(drv_collect(&v, 1, 3), ==, -1);
    guest_write(&f, v.notify + 0x1000, 2, 1);
    g_assert_cmpint(drv_wait(&v, 1, 3), ==, 513);
    put_read(&v, 1);
    through_cap(&v, 4, 0x4000, 2, true, 1);
    g_assert_cmpint(drv_wait(&v, 1, 3), ==, 513);
    through_cap(&v, 4, 0x403000, 2, true, 1); /* beyond the structure: ignored */
    device_unplug(&v.d->dev);
    refused(&f, drv_type("virtio-blk-pci"), "pcie.0", "x", DRV_DEVFN,
            "drive=d0,disable-modern=on,page-per-vq=on", "omit disable-modern=on");
    drv_finish(&f);
}

/* Bar, length, alignment and end are checked. An invalid access changes and starts nothing
 * (4.1.4.9). */
static void test_access_capability(void)
{
    static const struct {
        uint8_t bar;
        uint32_t offset, len;
    } bad[] = {
        { 0, 0x14, 1 },       { 1, 0x14, 1 },          { 5, 0x14, 1 },       { 0xff, 0x14, 1 },
        { 4, 0x14, 0 },       { 4, 0x14, 3 },          { 4, 0x14, 5 },       { 4, 0x14, 8 },
        { 4, 0x15, 2 },       { 4, 0x16, 4 },          { 4, 0x4000, 1 },     { 4, 0x3fff, 2 },
        { 4, 0xfffffffc, 4 }, { 4, 0x14, 0xffffffff }, { 4, 0xffffffff, 1 },
    };
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    config_write(&f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MASTER); /* BARs disabled: the access
                                                                      * path is this capability */
    through_cap(&v, 4, C_STATUS, 1, true, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    g_assert_cmphex(through_cap(&v, 4, C_STATUS, 1, false, 0), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    g_assert_cmphex(through_cap(&v, 4, C_NUM_QUEUES, 2, false, 0), ==, 1);
    through_cap(&v, 4, C_DEVICE_SELECT, 4, true, 1);
    g_assert_cmphex(through_cap(&v, 4, C_DEVICE_FEATURE, 4, false, 0) & 1, ==, 1);
    g_assert_cmpuint(through_cap(&v, 4, 0x2000, 4, false, 0), ==, 2048); /* the capacity */
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        through_cap(&v, bad[i].bar, bad[i].offset, bad[i].len, true, VIRTIO_CONFIG_S_DRIVER);
        through_cap(&v, bad[i].bar, bad[i].offset, bad[i].len, false, 0);
    }
    g_assert_cmphex(through_cap(&v, 4, C_STATUS, 1, false, 0), ==, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    through_cap(&v, 4, 0, 1, false, 0); /* the window's registers hold what was written */
    g_assert_cmphex(config_read(&f, DRV_DEVFN, v.cfg_cap + CFG_LENGTH, 4), ==, 1);
    drv_finish(&f);
}

static void test_notify_through_capability(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,num-queues=2");
    drv_start(&v, 0, 2);
    for (unsigned q = 0; q < 2; q++) {
        put_read(&v, q);
        through_cap(&v, 4, 0x3000 + 4 * q, 2, true, q);
        g_assert_cmpint(drv_wait(&v, q, 3), ==, 513);
        g_assert_cmphex(through_cap(&v, 4, 0x1000, 1, false, 0), ==, 1); /* the ISR, which a read
                                                                          * clears */
        g_assert_cmphex(guest_read(&f, v.isr, 1), ==, 0);
    }
    drv_finish(&f);
}

/* Buffers made available before DRIVER_OK are processed when it is set, without a notification. */
static void test_before_driver_ok(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0");
    drv_set_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    drv_write_features(&v, F_BIT(VIRTIO_F_VERSION_1));
    drv_set_status(&v, VIRTIO_CONFIG_S_FEATURES_OK);
    drv_queue(&v, 0, 0, 0);
    put_read(&v, 0);
    drv_kick(&v, 0); /* too early */
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(drv_collect(&v, 0, 3), ==, -1);
    drv_set_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
    g_assert_cmphex(drv_status(&v), ==, RUNNING);
    g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
    drv_finish(&f);
}

/* --- both ring formats under every combination --- */

static void test_rings(void)
{
    for (unsigned mix = 0; mix < 8; mix++) {
        Fixture f;
        Drv v;
        uint64_t features = (mix & 1 ? F_BIT(VIRTIO_F_RING_PACKED) : 0) |
                            (mix & 2 ? F_BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
                            (mix & 4 ? F_BIT(VIRTIO_RING_F_EVENT_IDX) : 0);

        start(&f, &v, "drive=d0,packed=on,queue-size=16");
        drv_start(&v, features, 1);
        g_assert_cmphex(v.features, ==, features | F_BIT(VIRTIO_F_VERSION_1));
        for (unsigned i = 0; i < 100; i++) { /* several laps, up to five chains together */
            for (unsigned n = 0; n <= i % 5; n++) {
                put_read(&v, 0);
            }
            drv_kick(&v, 0);
            for (unsigned n = 0; n <= i % 5; n++) {
                g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
            }
        }
        drv_running(&v);
        drv_finish(&f);
    }
}

/* Accesses of any size at any offset, in any order: nothing breaks, and a reset restores
 * everything. */
static void test_noise(void)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    Fixture f;
    Drv v;

    start(&f, &v, "drive=d0,num-queues=4,packed=on");
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 500; i++) {
            uint64_t at = g_test_rand_bit() ? g_test_rand_int_range(0, 0x40)
                                            : g_test_rand_int_range(0, 0x4000);
            unsigned size = sizes[g_test_rand_int_range(0, 4)];

            guest_write(&f, DRV_MODERN + at, size, (uint32_t)g_test_rand_int());
            guest_read(&f, DRV_MODERN + at, size);
        }
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        drv_start(&v, 0, 1);
        drv_running(&v);
        put_read(&v, 0);
        drv_kick(&v, 0);
        g_assert_cmpint(drv_wait(&v, 0, 3), ==, 513);
    }
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/modern/negotiation", test_negotiation);
    g_test_add_func("/modern/status", test_status);
    g_test_add_func("/modern/frozen", test_frozen);
    g_test_add_func("/modern/features-freeze-with-rings", test_features_freeze_with_rings);
    g_test_add_func("/modern/access-platform", test_access_platform);
    g_test_add_func("/modern/notification-pages", test_notification_pages);
    g_test_add_func("/modern/queue-registers", test_queue_registers);
    g_test_add_func("/modern/generation", test_generation);
    g_test_add_func("/modern/access-capability", test_access_capability);
    g_test_add_func("/modern/notify-through-capability", test_notify_through_capability);
    g_test_add_func("/modern/before-driver-ok", test_before_driver_ok);
    g_test_add_func("/modern/rings", test_rings);
    g_test_add_func("/modern/noise", test_noise);
    return g_test_run();
}

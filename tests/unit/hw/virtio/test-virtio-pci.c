/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio function apart from its register files: available interfaces, ids, capabilities,
 * interrupts by vector, by INTx and by neither, DMA that is not permitted, reset and saved state.
 */
#include "virtio-driver.h"

enum { QUEUES = 4, SECTOR = 512 };

/* Read one sector by queue q. Returns false if the request did not complete. */
static bool read_sector(Drv *v, unsigned q)
{
    uint64_t at = RAM + DRV_DATA;
    DrvSeg s[] = { { at, 16, false }, { at + 0x1000, SECTOR, true }, { at + 0x2000, 1, true } };

    memset(drv_ram(v, DRV_DATA), 0, 16);
    *drv_ram(v, DRV_DATA + 0x2000) = 0xff;
    drv_offer(v, q, s, 3);
    drv_kick(v, q);
    return drv_wait(v, q, 3) == SECTOR + 1 && *drv_ram(v, DRV_DATA + 0x2000) == 0;
}

/* --- interfaces --- */

typedef struct Faces {
    const char *type, *settings;
    uint16_t device, subsystem;
    uint8_t revision;
    bool legacy, modern;
} Faces;

static void check_faces(const Faces *row)
{
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, row->type, row->settings, false);
    g_assert_cmphex(config_read(&f, DRV_DEVFN, PCI_VENDOR_ID, 2), ==, 0x1af4);
    g_assert_cmphex(config_read(&f, DRV_DEVFN, 2, 2), ==, row->device);
    g_assert_cmphex(config_read(&f, DRV_DEVFN, 8, 1), ==, row->revision);
    g_assert_cmphex(config_read(&f, DRV_DEVFN, 0x2e, 2), ==, row->subsystem);
    g_assert_cmpint(config_read(&f, DRV_DEVFN, PCI_BASE_ADDRESS_0, 4) & 1, ==, row->legacy);
    g_assert_cmpint(v.common != 0, ==, row->modern);
    g_assert_cmpint(v.notify && v.isr && v.config && v.cfg_cap, ==, row->modern);
    if (row->modern) {
        drv_start(&v, 0, 1);
        g_assert_true(read_sector(&v, 0));
    }
    if (row->legacy) {
        v.legacy = true;
        drv_start(&v, UINT64_MAX, 1);
        g_assert_false(v.features >> 32);
        g_assert_true(read_sector(&v, 0));
    }
    drv_finish(&f);
}

static void test_interfaces(void)
{
    static const Faces rows[] = {
        { "virtio-blk-pci", "drive=d0", 0x1001, 2, 0, true, true },
        { "virtio-blk-pci", "drive=d0,disable-legacy=on", 0x1042, 0x1100, 1, false, true },
        { "virtio-blk-pci", "drive=d0,disable-modern=on", 0x1001, 2, 0, true, false },
        { "virtio-blk-pci-transitional", "drive=d0", 0x1001, 2, 0, true, true },
        { "virtio-blk-pci-non-transitional", "drive=d0", 0x1042, 0x1100, 1, false, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_faces(&rows[i]);
    }
}

/* Below an Express port the legacy interface is off by default, because port I/O is scarce
 * there. */
static void test_face_by_place(void)
{
    Fixture f;
    PCIDevice *d;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    plug_function(&f, drv_type("pcie-root-port"), "pcie.0", "rp", PCI_DEVFN(1, 0), NULL);
    d = plug_function(&f, drv_type("virtio-blk-pci"), "rp", "dut", 0, "drive=d0");
    g_assert_cmphex(pci_get(d, 2, 2), ==, 0x1042);
    device_unplug(&d->dev);
    d = plug_function(&f, drv_type("virtio-blk-pci"), "rp", "dut", 0,
                      "drive=d0,disable-legacy=off");
    g_assert_cmphex(pci_get(d, 2, 2), ==, 0x1001);
    device_unplug(&d->dev);
    refused(&f, drv_type("virtio-blk-pci"), "rp", "dut", 0,
            "drive=d0,disable-legacy=on,disable-modern=on", "both interfaces");
    drv_finish(&f);
}

/* --- interrupts --- */

static void check_vectors(bool legacy)
{
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0,num-queues=4", legacy);
    g_assert_cmpuint(msix_vectors(v.d), ==, QUEUES + 1);
    drv_msix(&v, true);
    drv_start(&v, 0, QUEUES);
    for (unsigned q = 0; q < QUEUES; q++) {
        g_assert_true(read_sector(&v, q));
        for (unsigned n = 0; n <= QUEUES; n++) {
            g_assert_cmpint(drv_interrupted(&v, n), ==, n == q + 1);
        }
    }
    virtio_config_changed(&((VirtioBase *)v.d)->virtio);
    g_assert_true(drv_interrupted(&v, 0));
    g_assert_false(f.line[3]);
    drv_finish(&f);
}

static void test_vectors(void)
{
    check_vectors(false);
    check_vectors(true);
}

/* Vectors that do not exist, or none assigned: the driver reads back that it has none, and is not
 * notified. */
static void test_no_vector(void)
{
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0,vectors=2", false);
    g_assert_cmpuint(msix_vectors(v.d), ==, 2);
    drv_msix(&v, true);
    drv_start(&v, 0, 1);
    drv_common_write(&v, C_SELECT, 2, 0);
    g_assert_cmphex(drv_common_read(&v, C_VECTOR, 2), ==, 1);
    drv_common_write(&v, C_VECTOR, 2, 2);
    g_assert_cmphex(drv_common_read(&v, C_VECTOR, 2), ==, VIRTIO_MSI_NO_VECTOR);
    drv_common_write(&v, C_CONFIG_VECTOR, 2, 7);
    g_assert_cmphex(drv_common_read(&v, C_CONFIG_VECTOR, 2), ==, VIRTIO_MSI_NO_VECTOR);
    g_assert_true(read_sector(&v, 0));
    g_assert_false(drv_interrupted(&v, 0));
    g_assert_false(drv_interrupted(&v, 1));
    drv_finish(&f);
}

/* --- pending bits --- */

static uint64_t pending(Drv *v)
{
    return guest_read(v->f, DRV_MSIX_BAR + 2048, 8);
}

static void mask_vectors(Drv *v, bool masked)
{
    for (unsigned n = 0; n < msix_vectors(v->d); n++) {
        guest_write(v->f, DRV_MSIX_BAR + 16 * n + 12, 4, masked);
    }
}

static void give_vector(Drv *v, unsigned q, uint16_t vector)
{
    if (v->legacy) {
        drv_legacy_write(v, L_SELECT, 2, q);
        drv_legacy_write(v, L_VECTOR, 2, vector);
    } else {
        drv_common_write(v, C_SELECT, 2, q);
        drv_common_write(v, C_VECTOR, 2, vector);
    }
}

static void give_config_vector(Drv *v, uint16_t vector)
{
    if (v->legacy) {
        drv_legacy_write(v, L_CONFIG_VECTOR, 2, vector);
    } else {
        drv_common_write(v, C_CONFIG_VECTOR, 2, vector);
    }
}

/* Queues 0 and 1, and the configuration, have a notification that is masked. */
static void start_pending(Fixture *f, Drv *v, bool legacy)
{
    drv_machine(f, DRV_NULL_DRIVE, NULL);
    drv_plug(v, f, "virtio-blk-pci", "drive=d0,num-queues=4", legacy);
    drv_msix(v, true);
    drv_start(v, F_BIT(VIRTIO_F_RING_RESET), QUEUES);
    mask_vectors(v, true);
    g_assert_true(read_sector(v, 0));
    g_assert_true(read_sector(v, 1));
    virtio_config_changed(&((VirtioBase *)v->d)->virtio);
    g_assert_cmphex(pending(v), ==, 7);
}

/* Remove vectors one after the other, by each of the means of a driver. */
static void check_pending(bool legacy)
{
    Fixture f;
    Drv v;

    start_pending(&f, &v, legacy);
    give_vector(&v, 0, 1); /* no change */
    g_assert_cmphex(pending(&v), ==, 7);
    give_vector(&v, 0, 4);
    g_assert_cmphex(pending(&v), ==, 5);
    give_vector(&v, 2, 2); /* shared now: it is cleared with the last */
    give_vector(&v, 1, VIRTIO_MSI_NO_VECTOR);
    g_assert_cmphex(pending(&v), ==, 5);
    give_config_vector(&v, 2);
    g_assert_cmphex(pending(&v), ==, 4);
    give_vector(&v, 2, VIRTIO_MSI_NO_VECTOR);
    g_assert_cmphex(pending(&v), ==, 4);
    give_config_vector(&v, 99); /* it does not exist: the queue has no vector */
    g_assert_cmphex(pending(&v), ==, 0);
    mask_vectors(&v, false);
    for (unsigned n = 0; n <= QUEUES; n++) {
        g_assert_false(drv_interrupted(&v, n));
    }
    drv_finish(&f);
}

static void check_pending_resets(bool legacy)
{
    for (unsigned way = 0; way < 3; way++) {
        Fixture f;
        Drv v;

        start_pending(&f, &v, legacy);
        switch (way) {
        case 0: /* of a queue */
            if (legacy) {
                drv_legacy_write(&v, L_SELECT, 2, 1);
                drv_legacy_write(&v, L_PAGE, 4, 0);
            } else {
                drv_common_write(&v, C_SELECT, 2, 1);
                drv_common_write(&v, C_RESET, 2, 1);
            }
            g_assert_cmphex(pending(&v), ==, 3);
            break;
        case 1: /* of the device */
            drv_set_status(&v, 0);
            g_assert_cmphex(pending(&v), ==, 0);
            mask_vectors(&v, false);
            g_assert_false(drv_interrupted(&v, 0) || drv_interrupted(&v, 1));
            break;
        case 2: /* of the function */
            pci_device_reset(v.d, RESET_FUNCTION);
            drv_find(&v, &f, v.d, legacy);
            g_assert_cmphex(pending(&v), ==, 0);
            break;
        }
        drv_msix(&v, true); /* and the next driver is notified of its own requests only */
        drv_start(&v, 0, QUEUES);
        g_assert_true(read_sector(&v, 1));
        g_assert_true(drv_interrupted(&v, 2));
        drv_finish(&f);
    }
}

static void test_pending(void)
{
    for (unsigned legacy = 0; legacy < 2; legacy++) {
        check_pending(legacy);
        check_pending_resets(legacy);
    }
}

/* Pending bits are migrated, also to a device whose queues had other vectors. */
static void test_pending_saved(void)
{
    g_autoptr(GByteArray) saved = NULL, again = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    Drv v;

    start_pending(&f, &v, false);
    saved = save_state(v.d);
    for (unsigned q = 0; q < QUEUES; q++) {
        give_vector(&v, q, QUEUES - q);
    }
    g_assert_true(load_state(v.d, saved, &err));
    g_assert_no_error(err);
    again = save_state(v.d);
    g_assert_cmpmem(saved->data, saved->len, again->data, again->len);
    g_assert_cmphex(pending(&v), ==, 7);
    mask_vectors(&v, false);
    for (unsigned n = 0; n <= QUEUES; n++) {
        g_assert_true(drv_interrupted(&v, n) == (n < 3));
    }
    drv_finish(&f);
}

static void check_intx(const char *settings, bool legacy)
{
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", settings, legacy);
    drv_start(&v, 0, 1);
    g_assert_false(f.line[3]);
    g_assert_true(read_sector(&v, 0));
    g_assert_true(f.line[3]);
    g_assert_cmphex(legacy ? drv_legacy_read(&v, L_ISR, 1) : guest_read(&f, v.isr, 1), ==, 1);
    g_assert_false(f.line[3]); /* the read cleared it */
    g_assert_cmphex(legacy ? drv_legacy_read(&v, L_ISR, 1) : guest_read(&f, v.isr, 1), ==, 0);
    virtio_config_changed(&((VirtioBase *)v.d)->virtio);
    g_assert_true(f.line[3]);
    g_assert_true(read_sector(&v, 0));
    g_assert_cmphex(legacy ? drv_legacy_read(&v, L_ISR, 1) : guest_read(&f, v.isr, 1), ==, 3);
    g_assert_true(read_sector(&v, 0));
    drv_set_status(&v, 0); /* a reset deasserts the pin */
    g_assert_false(f.line[3]);
    drv_finish(&f);
}

static void test_intx(void)
{
    check_intx("drive=d0,vectors=0", false);
    check_intx("drive=d0,vectors=0", true);
    check_intx("drive=d0", false); /* MSI-X exists, but is disabled */
    check_intx("drive=d0", true);
    check_intx("drive=d0,msix=off", false);
}

/* --- addresses that the device must not access --- */

static void needs_reset(Drv *v)
{
    g_assert_cmphex(drv_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_true(drv_interrupted(v, 0)); /* the driver is notified (2.1.2) */
    drv_start(v, 0, 1);
    drv_running(v);
    g_assert_true(read_sector(v, 0));
    drv_interrupted(v, 1);
}

/* Buffers and rings outside RAM, in its own BAR, in a sibling's: never a crash, always recoverable
 * by a reset. */
static void test_wild_addresses(void)
{
    static const uint64_t wild[] = { 0,    RAM + RAM_SIZE - 8, MMIO,      MMIO64, MMIO64 + 0x3000,
                                     ECAM, UINT64_MAX - 8,     1ull << 63 };
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0", false);
    drv_msix(&v, true);
    for (size_t i = 0; i < G_N_ELEMENTS(wild); i++) {
        DrvSeg s[] = { { wild[i], 16, false }, { RAM + DRV_DATA, 513, true } };
        DrvSeg t[] = { { RAM + DRV_DATA, 16, false }, { wild[i], 513, true } };

        drv_start(&v, 0, 1);
        drv_offer(&v, 0, s, 2);
        drv_kick(&v, 0);
        needs_reset(&v);
        drv_offer(&v, 0, t, 2);
        drv_kick(&v, 0);
        needs_reset(&v);
        for (unsigned area = C_DESC; area <= C_DEVICE; area += 8) {
            drv_start(&v, F_BIT(VIRTIO_F_RING_RESET), 1);
            drv_common_write(&v, C_RESET, 2, 1);
            drv_common_write(&v, C_DESC, 8, v.ring[0].desc);
            drv_common_write(&v, C_DRIVER, 8, v.ring[0].driver);
            drv_common_write(&v, C_DEVICE, 8, v.ring[0].device);
            drv_common_write(&v, area, 8, wild[i] & ~15ull);
            drv_common_write(&v, C_ENABLE, 2, 1);
            drv_offer(&v, 0, t, 2);
            drv_kick(&v, 0);
            while (g_main_context_iteration(NULL, FALSE)) {
            }
            drv_common_write(&v, C_RESET, 2, 1);
            drv_interrupted(&v, 0);
        }
    }
    drv_start(&v, 0, 1);
    g_assert_true(read_sector(&v, 0));
    drv_finish(&f);
}

/* Without Bus Master Enable nothing is fetched and buffers stay. When it is set again, the device
 * continues: with a request that completed in between, and with buffers whose notification it
 * could not handle. */
static void test_bus_master(void)
{
    DrvSeg s[] = { { RAM + DRV_DATA, 16, false },
                   { RAM + DRV_DATA + 0x1000, SECTOR, true },
                   { RAM + DRV_DATA + 0x2000, 1, true } };
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0", false);
    drv_start(&v, 0, 1);
    memset(drv_ram(&v, DRV_DATA), 0, 16);
    for (unsigned before = 0; before < 2; before++) {
        drv_offer(&v, 0, s, 3);
        if (!before) {
            drv_kick(&v, 0);
        }
        config_write(&f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        drv_kick(&v, 0);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        drv_running(&v);
        g_assert_cmpuint(guest_read(&f, v.ring[0].device + 2, 2), ==, before);
        config_write(&f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        g_assert_cmpuint(guest_read(&f, v.ring[0].device + 2, 2), ==, before);
        g_assert_cmpint(drv_wait(&v, 0, 3), ==, SECTOR + 1);
    }
    drv_running(&v);
    g_assert_true(read_sector(&v, 0));
    drv_finish(&f);
}

/* A ring, or an indirect table, in the registers of another function: the device breaks, and the
 * other function is never accessed. */
static void test_rings_in_registers(void)
{
    static const unsigned areas[] = { C_DESC, C_DRIVER, C_DEVICE };
    const uint64_t bar = MMIO + 0x100000;
    DrvSeg s[] = { { RAM + DRV_DATA, 16, false }, { RAM + DRV_DATA + 0x1000, 513, true } };
    Fixture f;
    Drv v;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0", false);
    plug_function(&f, drv_type("pci-testdev"), "pcie.0", "other", PCI_DEVFN(5, 0), NULL);
    config_write(&f, PCI_DEVFN(5, 0), PCI_BASE_ADDRESS_0, 4, bar);
    config_write(&f, PCI_DEVFN(5, 0), PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    guest_write(&f, bar, 1, 0); /* count writes at the first register with an effect, byte 2048 */
    for (size_t i = 0; i < G_N_ELEMENTS(areas); i++) {
        drv_start(&v, F_BIT(VIRTIO_F_RING_RESET), 1);
        drv_common_write(&v, C_RESET, 2, 1);
        drv_common_write(&v, C_DESC, 8, v.ring[0].desc);
        drv_common_write(&v, C_DRIVER, 8, v.ring[0].driver);
        drv_common_write(&v, C_DEVICE, 8, v.ring[0].device);
        drv_common_write(&v, areas[i], 8, bar + 2048 - 4); /* where used entries would be counted */
        if (areas[i] == C_DESC) {
            drv_common_write(&v, areas[i], 8, bar + 2048);
        }
        drv_common_write(&v, C_ENABLE, 2, 1);
        drv_offer(&v, 0, s, 2);
        drv_kick(&v, 0);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    }
    drv_start(&v, F_BIT(VIRTIO_RING_F_INDIRECT_DESC), 1);
    put_desc(&v, v.ring[0].desc, bar + 2048, 32, VRING_DESC_F_INDIRECT, 0);
    guest_write(&f, v.ring[0].driver + 2, 2, 1);
    drv_kick(&v, 0);
    g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_cmpuint(guest_read(&f, bar + 12, 4), ==, 0);
    drv_finish(&f);
}

/* A change of the configuration sets both bits of the ISR, because some drivers process only their
 * queues. */
static void test_config_isr(void)
{
    for (unsigned legacy = 0; legacy < 2; legacy++) {
        Fixture f;
        Drv v;

        drv_machine(&f, DRV_NULL_DRIVE, NULL);
        drv_plug(&v, &f, "virtio-blk-pci", "drive=d0", legacy);
        drv_start(&v, 0, 1);
        g_assert_true(block_resize(block_find(f.m, "d0"), 2 << 20, NULL));
        g_assert_cmphex(legacy ? drv_legacy_read(&v, L_ISR, 1) : guest_read(&f, v.isr, 1), ==, 3);
        g_assert_cmphex(legacy ? drv_legacy_read(&v, L_ISR, 1) : guest_read(&f, v.isr, 1), ==, 0);
        drv_finish(&f);
    }
}

/* --- resets and saved state --- */

static void offer_many(Drv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = RAM + DRV_DATA;
        DrvSeg s[] = { { at, 16, false }, { at + 0x1000, SECTOR, true }, { at + 0x2000, 1, true } };

        drv_offer(v, i % QUEUES, s, 3);
    }
    for (unsigned q = 0; q < QUEUES; q++) {
        drv_kick(v, q);
    }
}

/* Every type of reset with requests in flight: nothing completes, nothing leaks, everything
 * works. */
static void test_resets_in_flight(void)
{
    Fixture f;
    Drv v;
    uint8_t pm;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0,num-queues=4", false);
    pm = pci_find_capability(v.d, PCI_CAP_ID_PM);
    for (unsigned way = 0; way < 5; way++) {
        drv_msix(&v, true);
        drv_start(&v, F_BIT(VIRTIO_F_RING_RESET), QUEUES);
        memset(drv_ram(&v, DRV_DATA), 0, 16);
        offer_many(&v, 40);
        switch (way) {
        case 0:
            drv_set_status(&v, 0);
            break;
        case 1:
            drv_common_write(&v, C_SELECT, 2, 2);
            drv_common_write(&v, C_RESET, 2, 1);
            g_assert_cmpuint(drv_common_read(&v, C_ENABLE, 2), ==, 0);
            drv_queue(&v, 2, 0, 3); /* a ring that is set up again starts empty (2.6.1) */
            g_assert_true(read_sector(&v, 2));
            drv_running(&v);
            continue;
        case 2:
            pci_device_reset(v.d, RESET_FUNCTION);
            break;
        case 3:
            config_write(&f, DRV_DEVFN, pm + 4, 2, 3);
            config_write(&f, DRV_DEVFN, pm + 4, 2, 0);
            break;
        case 4:
            machine_reset(f.m, RESET_HOT);
            break;
        }
        drv_find(&v, &f, v.d, false);
        g_assert_cmphex(drv_status(&v), ==, 0);
        g_assert_cmpuint(block_in_flight(block_find(f.m, "d0")), ==, 0);
    }
    drv_start(&v, 0, QUEUES);
    offer_many(&v, 40);
    device_unplug(&v.d->dev); /* during I/O as well */
    drv_finish(&f);
}

static void check_state(bool packed)
{
    Fixture f;
    Drv v;
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) one = NULL, two = NULL;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci",
             packed ? "drive=d0,num-queues=4,packed=on" : "drive=d0,num-queues=4", false);
    drv_msix(&v, true);
    drv_start(&v, packed ? F_BIT(VIRTIO_F_RING_PACKED) : 0, QUEUES);
    for (unsigned i = 0; i < 300; i++) {
        g_assert_true(read_sector(&v, i % QUEUES));
    }
    one = save_state(v.d);
    drv_set_status(&v, 0);
    g_assert_true(load_state(v.d, one, &err));
    g_assert_no_error(err);
    two = save_state(v.d);
    g_assert_cmpmem(one->data, one->len, two->data, two->len);
    for (unsigned i = 0; i < 300; i++) {
        g_assert_true(read_sector(&v, i % QUEUES));
        g_assert_true(drv_interrupted(&v, i % QUEUES + 1));
    }
    drv_finish(&f);
}

static void test_state(void)
{
    check_state(false);
    check_state(true);
}

/* Everything that one device negotiated must be offered by the other, and vectors must exist. */
static void test_state_refused(void)
{
    static const char *const settings[] = { "drive=d0,num-queues=4,event_idx=off",
                                            "drive=d0,num-queues=2",
                                            "drive=d0,num-queues=4,vectors=3" };
    Fixture f;
    Drv v;
    g_autoptr(GByteArray) saved = NULL;

    drv_machine(&f, DRV_NULL_DRIVE, NULL);
    drv_plug(&v, &f, "virtio-blk-pci", "drive=d0,num-queues=4", false);
    drv_msix(&v, true);
    drv_start(&v, F_BIT(VIRTIO_RING_F_EVENT_IDX), QUEUES);
    saved = save_state(v.d);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autoptr(GError) err = NULL;

        device_unplug(&v.d->dev);
        v.d =
            plug_function(&f, drv_type("virtio-blk-pci"), "pcie.0", "dut", DRV_DEVFN, settings[i]);
        g_assert_false(load_state(v.d, saved, &err));
        g_assert_nonnull(err);
    }
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/interfaces", test_interfaces);
    g_test_add_func("/virtio-pci/face-by-place", test_face_by_place);
    g_test_add_func("/virtio-pci/vectors", test_vectors);
    g_test_add_func("/virtio-pci/no-vector", test_no_vector);
    g_test_add_func("/virtio-pci/pending", test_pending);
    g_test_add_func("/virtio-pci/pending-saved", test_pending_saved);
    g_test_add_func("/virtio-pci/intx", test_intx);
    g_test_add_func("/virtio-pci/wild-addresses", test_wild_addresses);
    g_test_add_func("/virtio-pci/bus-master", test_bus_master);
    g_test_add_func("/virtio-pci/rings-in-registers", test_rings_in_registers);
    g_test_add_func("/virtio-pci/config-isr", test_config_isr);
    g_test_add_func("/virtio-pci/resets-in-flight", test_resets_in_flight);
    g_test_add_func("/virtio-pci/state", test_state);
    g_test_add_func("/virtio-pci/state-refused", test_state_refused);
    return g_test_run();
}

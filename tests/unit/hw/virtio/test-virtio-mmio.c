/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-mmio slots: identification, both register layouts, accesses of other widths, the life of a
 * queue, the interrupt line, the bus, and saved state.
 */
#include <linux/virtio_blk.h>

#include "virtio-driver.h"

enum { LEN = 64 };

static IrqPin line;

static void start_with(Fixture *f, Drv *v, const char *type, const char *settings, bool legacy)
{
    *v = (Drv){ 0 };
    drv_machine(f, DRV_NULL_DRIVE, NULL);
    line = (IrqPin){ 0 };
    sysdev_connect(drv_add_slot(f, legacy), 0, &line);
    drv_plug_slot(v, f, type, settings, legacy);
}

static void start(Fixture *f, Drv *v, bool legacy)
{
    start_with(f, v, "virtio-rng-device", NULL, legacy);
}

static void offer(Drv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        DrvSeg s = { RAM + DRV_DATA + i * 0x1000, LEN, true };

        drv_offer(v, 0, &s, 1);
    }
    drv_kick(v, 0);
}

static void check_identity(bool legacy)
{
    Fixture f;
    Drv v;

    start(&f, &v, legacy);
    g_assert_cmphex(drv_slot_read(&v, 0x0), ==, 0x74726976);
    g_assert_cmpuint(drv_slot_read(&v, 0x4), ==, legacy ? 1 : 2);
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 4);
    g_assert_cmphex(drv_slot_read(&v, 0xc), ==, 0x554d4551);
    g_assert_true(!(drv_offered(&v) >> VIRTIO_F_VERSION_1 & 1) == legacy);
    drv_slot_write(&v, M_DEVICE_SELECT, 2);
    g_assert_cmphex(drv_slot_read(&v, M_DEVICE_FEATURES), ==, 0);
    g_assert_cmphex(drv_slot_read(&v, M_SHM), ==, legacy ? 0 : UINT32_MAX);
    g_assert_cmpuint(drv_slot_read(&v, M_SIZE_MAX), ==, 8);
    drv_slot_write(&v, M_SELECT, 1);
    g_assert_cmpuint(drv_slot_read(&v, M_SIZE_MAX), ==, 0);
    device_unplug(&v.d->dev); /* the slot is empty again */
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 0);
    g_assert_cmpuint(drv_slot_read(&v, 0x4), ==, legacy ? 1 : 2);
    drv_slot_write(&v, M_PAGE_SIZE, 4096);
    drv_finish(&f);
}

static void test_identity(void)
{
    check_identity(true);
    check_identity(false);
}

/* Control registers are 32 bits wide; other widths read as zero and change nothing (4.2.2.2). */
static void test_widths(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, false);
    g_assert_cmphex(guest_read(&f, DRV_SLOT, 2), ==, 0);
    g_assert_cmphex(guest_read(&f, DRV_SLOT + 1, 1), ==, 0);
    guest_write(&f, DRV_SLOT + M_STATUS, 1, 1);
    g_assert_cmphex(drv_status(&v), ==, 0);
    guest_write(&f, DRV_SLOT + M_STATUS, 2, 1);
    g_assert_cmphex(drv_status(&v), ==, 0);
    g_assert_cmphex(guest_read(&f, DRV_SLOT, 8), ==, 0x274726976ull); /* two registers */
    drv_finish(&f);
}

static void check_bytes(bool legacy, uint64_t features)
{
    Fixture f;
    Drv v;

    start_with(&f, &v, "virtio-rng-device", "packed=on", legacy);
    drv_start(&v, features, 1);
    offer(&v, 2);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
    g_assert_cmpint(memcmp(drv_ram(&v, DRV_DATA), drv_ram(&v, DRV_DATA + 0x1000), LEN), !=, 0);
    drv_running(&v);
    drv_finish(&f);
}

static void test_bytes(void)
{
    check_bytes(true, 0);
    check_bytes(true, UINT64_MAX);
    check_bytes(false, 0);
    check_bytes(false, F_BIT(VIRTIO_F_RING_PACKED));
    check_bytes(false, UINT64_MAX);
}

/* The line follows InterruptStatus: set by a used buffer, cleared by an acknowledgement, by a reset
 * of the device or of the machine, and by unplugging. */
static void check_line(bool legacy)
{
    Fixture f;
    Drv v;

    start(&f, &v, legacy);
    drv_start(&v, 0, 1);
    g_assert_false(line.level);
    offer(&v, 1);
    g_assert_true(line.level);
    g_assert_cmphex(drv_slot_read(&v, M_INTERRUPT), ==, 1);
    drv_slot_write(&v, M_ACK, 2);
    g_assert_true(line.level);
    drv_slot_write(&v, M_ACK, 1);
    g_assert_false(line.level);
    g_assert_cmphex(drv_slot_read(&v, M_INTERRUPT), ==, 0);
    offer(&v, 1);
    drv_set_status(&v, 0);
    g_assert_false(line.level);
    drv_start(&v, 0, 1);
    offer(&v, 1);
    g_assert_true(line.level);
    machine_reset(f.m, RESET_HOT);
    g_assert_false(line.level);
    drv_start(&v, 0, 1);
    offer(&v, 1);
    g_assert_true(line.level);
    device_unplug(&v.d->dev);
    g_assert_false(line.level);
    drv_finish(&f);
}

static void test_line(void)
{
    check_line(true);
    check_line(false);
}

/* Version 1: a page number needs the page size, which survives a reset of the device by the driver,
 * because Linux writes it before. */
static void test_legacy_page(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, true);
    drv_slot_write(&v, M_PAGE, 0x80000);
    g_assert_cmphex(drv_slot_read(&v, M_PAGE), ==, 0);
    drv_slot_write(&v, M_PAGE_SIZE, 4097);
    drv_slot_write(&v, M_PAGE, 0x80000);
    g_assert_cmphex(drv_slot_read(&v, M_PAGE), ==, 0);
    drv_slot_write(&v, M_PAGE_SIZE, 4096);
    drv_set_status(&v, 0);
    drv_slot_write(&v, M_ALIGN, 3); /* ignored */
    drv_slot_write(&v, M_PAGE, 0x80000);
    g_assert_cmphex(drv_slot_read(&v, M_PAGE), ==, 0x80000);
    drv_slot_write(&v, M_PAGE, 0);
    g_assert_cmphex(drv_slot_read(&v, M_PAGE), ==, 0);
    drv_slot_write(&v, M_READY, 1); /* a register of version 2 */
    g_assert_cmphex(drv_slot_read(&v, M_READY), ==, 0);
    machine_reset(f.m, RESET_HOT);
    drv_slot_write(&v, M_PAGE, 0x80000);
    g_assert_cmphex(drv_slot_read(&v, M_PAGE), ==, 0);
    drv_finish(&f);
}

/* A driver of version 1 that neither writes QueueAlign nor omits FEATURES_OK, like that of xv6. */
static void test_legacy_without_align(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, true);
    drv_set_status(&v, 3);
    drv_write_features(&v, 0);
    drv_set_status(&v, 11);
    g_assert_cmphex(drv_status(&v), ==, 11);
    drv_set_status(&v, 15);
    drv_slot_write(&v, M_PAGE_SIZE, 4096);
    drv_slot_write(&v, M_SELECT, 0);
    drv_slot_write(&v, M_SIZE, 8);
    drv_place_ring(&v, 0, 8);
    drv_slot_write(&v, M_PAGE, v.ring[0].desc >> 12);
    offer(&v, 1);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

/* The used ring has the alignment that the driver chose, and the ring its size. */
static void test_legacy_layout(void)
{
    Fixture f;
    Drv v;
    DrvSeg s = { RAM + DRV_DATA, LEN, true };

    start(&f, &v, true);
    drv_start(&v, 0, 0);
    drv_slot_write(&v, M_SIZE, 4);
    drv_place_ring(&v, 0, 4);
    v.ring[0].device = v.ring[0].driver + 64;
    drv_slot_write(&v, M_ALIGN, 64);
    drv_slot_write(&v, M_PAGE, v.ring[0].desc >> 12);
    drv_offer(&v, 0, &s, 1);
    drv_kick(&v, 0);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

/* Version 2: a stopped queue discards its buffers and its addresses, and can start again. */
static void test_ready(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, false);
    drv_start(&v, F_BIT(VIRTIO_F_RING_RESET), 1);
    for (unsigned way = 0; way < 2; way++) {
        drv_slot_write(&v, M_SELECT, 0);
        g_assert_cmphex(drv_slot_read(&v, M_READY), ==, 1);
        drv_slot_write(&v, M_READY, 2); /* ignored */
        g_assert_cmphex(drv_slot_read(&v, M_READY), ==, 1);
        drv_slot_write(&v, way ? M_RESET : M_READY, way);
        g_assert_cmphex(drv_slot_read(&v, M_READY), ==, 0);
        offer(&v, 1);
        g_assert_cmpint(drv_collect(&v, 0, 1), ==, -1);
        drv_queue(&v, 0, 4, VIRTIO_MSI_NO_VECTOR);
        offer(&v, 1);
        g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    }
    drv_running(&v);
    drv_finish(&f);
}

static void test_ring_reset_not_negotiated(void)
{
    Fixture f;
    Drv v;

    start_with(&f, &v, "virtio-rng-device", "queue_reset=off", false);
    drv_start(&v, UINT64_MAX, 1);
    drv_slot_write(&v, M_SELECT, 0);
    drv_slot_write(&v, M_RESET, 1);
    g_assert_cmphex(drv_slot_read(&v, M_READY), ==, 1);
    drv_finish(&f);
}

/* Configuration space: any width, and writes. */
static void test_config(void)
{
    Fixture f;
    Drv v;

    start_with(&f, &v, "virtio-blk-device", "drive=d0", false);
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 2);
    g_assert_cmpuint(drv_config(&v, 0, 8), ==, 2048);
    g_assert_cmpuint(drv_config(&v, 0, 4), ==, 2048);
    g_assert_cmpuint(drv_config(&v, 1, 1), ==, 8);
    g_assert_cmpuint(drv_config(&v, 0x40, 4), ==, 0); /* behind its end */
    g_assert_cmpuint(drv_config(&v, 0xe00, 4), ==, 0);
    drv_start(&v, F_BIT(VIRTIO_BLK_F_CONFIG_WCE) | F_BIT(VIRTIO_BLK_F_FLUSH), 1);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 1);
    guest_write(&f, DRV_SLOT + M_CONFIG + 32, 1, 0);
    g_assert_cmpuint(drv_config(&v, 32, 1), ==, 0);
    drv_finish(&f);
}

/* A malformed ring breaks the device until the driver resets it. */
static void test_broken(void)
{
    Fixture f;
    Drv v;
    DrvSeg bad = { MMIO64, LEN, true };

    start(&f, &v, false);
    drv_start(&v, 0, 1);
    drv_offer(&v, 0, &bad, 1);
    drv_kick(&v, 0);
    g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_cmphex(drv_slot_read(&v, M_INTERRUPT) & 2, !=, 0);
    g_assert_true(line.level);
    drv_start(&v, 0, 1);
    offer(&v, 1);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

/* A ring in the registers of the slot itself, or of nothing, is never accessed. */
static void test_ring_in_registers(void)
{
    static const uint64_t places[] = { DRV_SLOT, 0, MMIO, UINT64_MAX & ~0xfffull };
    Fixture f;
    Drv v;

    start(&f, &v, false);
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        drv_start(&v, 0, 0);
        drv_slot_write(&v, M_SELECT, 0);
        drv_slot_area(&v, M_DESC, places[i]);
        drv_slot_area(&v, M_DRIVER, places[i]);
        drv_slot_area(&v, M_DEVICE, places[i]);
        drv_slot_write(&v, M_READY, 1);
        drv_kick(&v, 0);
        g_assert_cmphex(drv_status(&v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    }
    drv_finish(&f);
}

/* --- the bus --- */

static void refuse_plug(Fixture *f, const char *text, const char *word)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, NULL);
    g_autoptr(GError) err = NULL;
    Device *dev = device_new(f->m, device_type_find(plan->type), plan, &err);

    g_assert_no_error(err);
    g_assert_false(device_realize(dev, plan, NULL, &err));
    g_assert_nonnull(strstr(err->message, word));
}

static void test_bus(void)
{
    Fixture f;
    Drv v;

    start(&f, &v, false);
    g_assert_cmpstr(v.d->dev.plan_id, ==, DRV_BUS);
    refuse_plug(&f, "virtio-rng-device,bus=" DRV_BUS, "has a device already");
    refuse_plug(&f, "virtio-rng-device,bus=pcie.0", "not a virtio-mmio bus");
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 4);
    device_unplug(&v.d->dev);
    refuse_plug(&f, "virtio-blk-device,bus=" DRV_BUS, "property 'drive' is required");
    refuse_plug(&f, "virtio-blk-device,drive=none,bus=" DRV_BUS, "no drive or block node");
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 0);
    drv_plug_slot(&v, &f, "virtio-serial-device", "max_ports=2", false);
    g_assert_cmpuint(drv_slot_read(&v, M_DEVICE_ID), ==, 3);
    g_assert_nonnull(bus_find(f.m, "dut.0"));
    drv_finish(&f);
}

/* The properties are those of the PCI types without the ones of the PCI transport. */
static void test_properties(void)
{
    const DeviceType *t = device_type_find("virtio-blk-device");

    g_assert_nonnull(plan_find_prop(t->props, t->n_props, "indirect_desc"));
    g_assert_nonnull(plan_find_prop(t->props, t->n_props, "drive"));
    g_assert_null(plan_find_prop(t->props, t->n_props, "vectors"));
    g_assert_null(plan_find_prop(t->props, t->n_props, "disable-modern"));
}

/* --- saved state --- */

/* A driver is interrupted by a migration between any two of its accesses. */
static void check_state(bool legacy)
{
    Fixture f;
    Drv v;

    start(&f, &v, legacy);
    for (unsigned step = 0; step < 6; step++) {
        g_autoptr(GByteArray) saved = NULL, again = NULL;
        g_autoptr(GError) err = NULL;

        if (step == 1) {
            drv_set_status(&v, 3);
            drv_slot_write(&v, M_DEVICE_SELECT, 1);
            drv_slot_write(&v, M_DRIVER_SELECT, 1);
            drv_slot_write(&v, M_PAGE_SIZE, 4096);
        } else if (step == 2) {
            drv_slot_write(&v, M_ALIGN, 4096);
        } else if (step == 3) {
            drv_start(&v, 0, 1);
            offer(&v, 1);
        } else if (step == 4) {
            g_assert_true(line.level);
            g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
            drv_slot_write(&v, M_ACK, 1);
        } else if (step == 5) {
            offer(&v, 1);
            g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
        }
        saved = save_state(v.d);
        machine_reset(f.m, RESET_COLD);
        g_assert_false(line.level);
        g_assert_true(load_state(v.d, saved, &err));
        g_assert_no_error(err);
        again = save_state(v.d);
        g_assert_cmpmem(saved->data, saved->len, again->data, again->len);
        g_assert_true(line.level == (step == 3 || step == 5));
    }
    drv_finish(&f);
}

static void test_state(void)
{
    check_state(true);
    check_state(false);
}

/* A state of the other register layout is rejected, and the device works after its reset. */
static void test_state_of_other_version(void)
{
    Fixture f, g;
    Drv v, w;
    g_autoptr(GByteArray) saved = NULL;
    g_autoptr(GError) err = NULL;

    start(&f, &v, true);
    saved = save_state(v.d);
    drv_finish(&f);
    start(&g, &w, false);
    g_assert_false(load_state(w.d, saved, &err));
    g_assert_nonnull(strstr(err->message, "that of version 1, not 2"));
    machine_reset(g.m, RESET_COLD);
    drv_start(&w, 0, 1);
    offer(&w, 1);
    g_assert_cmpint(drv_collect(&w, 0, 1), ==, LEN);
    drv_finish(&g);
}

/* Each changed byte is rejected, or the device continues to work after a reset. */
static void test_mutated_state(void)
{
    Fixture f;
    Drv v;
    g_autoptr(GByteArray) good = NULL;
    unsigned refused_states = 0;

    start(&f, &v, true);
    drv_start(&v, 0, 1);
    offer(&v, 1);
    good = save_state(v.d);
    for (unsigned at = 0; at < good->len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            g_autoptr(GByteArray) bad = g_byte_array_new();
            g_autoptr(GError) err = NULL;

            g_byte_array_append(bad, good->data, good->len);
            bad->data[at] ^= 1u << bit;
            if (!load_state(v.d, bad, &err)) {
                g_assert_true(g_str_has_prefix(err->message, "state"));
                refused_states++;
            }
            drv_kick(&v, 0);
            machine_reset(f.m, RESET_COLD);
        }
    }
    g_assert_cmpuint(refused_states, >, 0);
    drv_start(&v, 0, 1);
    offer(&v, 1);
    g_assert_cmpint(drv_collect(&v, 0, 1), ==, LEN);
    drv_finish(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-mmio/identity", test_identity);
    g_test_add_func("/virtio-mmio/widths", test_widths);
    g_test_add_func("/virtio-mmio/bytes", test_bytes);
    g_test_add_func("/virtio-mmio/line", test_line);
    g_test_add_func("/virtio-mmio/legacy-page", test_legacy_page);
    g_test_add_func("/virtio-mmio/legacy-layout", test_legacy_layout);
    g_test_add_func("/virtio-mmio/legacy-without-align", test_legacy_without_align);
    g_test_add_func("/virtio-mmio/ready", test_ready);
    g_test_add_func("/virtio-mmio/ring-reset-not-negotiated", test_ring_reset_not_negotiated);
    g_test_add_func("/virtio-mmio/config", test_config);
    g_test_add_func("/virtio-mmio/broken", test_broken);
    g_test_add_func("/virtio-mmio/ring-in-registers", test_ring_in_registers);
    g_test_add_func("/virtio-mmio/bus", test_bus);
    g_test_add_func("/virtio-mmio/properties", test_properties);
    g_test_add_func("/virtio-mmio/state", test_state);
    g_test_add_func("/virtio-mmio/state-of-other-version", test_state_of_other_version);
    g_test_add_func("/virtio-mmio/mutated-state", test_mutated_state);
    return g_test_run();
}

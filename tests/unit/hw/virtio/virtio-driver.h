/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small virtio driver over a PCI fixture. It finds the device as a guest would, through its
 * capabilities, its legacy BAR or a virtio-mmio slot, sets up queues through either interface, and
 * submits and collects chains in split and packed rings. It uses at most one chain per ring slot
 * and never wraps its data area, so a test determines the addresses of its buffers.
 */
#ifndef TESTS_VIRTIO_DRIVER_H
#define TESTS_VIRTIO_DRIVER_H

#ifndef FIXTURE_WITH_TYPES
#define FIXTURE_WITH_TYPES
#endif
#include <json-c/json.h>

#include "../pci/pci-fixture.h"

#include "block/block.h"
#include "hw/virtio/internal.h"
#include "hw/virtio/virtio_base.h"
#include "net/net.h"
#include "tests/lib/wait.h"

enum {
    DRV_QUEUES = 24,
    DRV_RING_SPAN = 0x8000,                      /* descriptors, driver and device areas */
    DRV_TABLES = DRV_QUEUES * DRV_RING_SPAN,     /* indirect tables, 32 per queue */
    DRV_DATA = DRV_TABLES + DRV_QUEUES * 0x2000, /* available to tests, up to DRV_MESSAGES */
    DRV_MESSAGES = (int)RAM_SIZE - 0x1000,       /* vector n writes n + 1 at 4 * n */
    DRV_OK = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK,
    DRV_DEVFN = PCI_DEVFN(3, 0),
};
#define DRV_MSIX_BAR MMIO
#define DRV_MODERN   MMIO64
#define DRV_IO       0x1000
#define DRV_SLOT     0x10001000ull /* the virtio-mmio slot */
#define DRV_BUS      "virtio-mmio-bus.0"
#define F_BIT(n)     (1ull << (n))

/* Registers of the common configuration and of the legacy header. */
enum {
    C_DEVICE_SELECT = 0x00,
    C_DEVICE_FEATURE = 0x04,
    C_DRIVER_SELECT = 0x08,
    C_DRIVER_FEATURE = 0x0c,
    C_CONFIG_VECTOR = 0x10,
    C_NUM_QUEUES = 0x12,
    C_STATUS = 0x14,
    C_GENERATION = 0x15,
    C_SELECT = 0x16,
    C_SIZE = 0x18,
    C_VECTOR = 0x1a,
    C_ENABLE = 0x1c,
    C_NOTIFY_OFF = 0x1e,
    C_DESC = 0x20,
    C_DRIVER = 0x28,
    C_DEVICE = 0x30,
    C_RESET = 0x3a,
};
enum {
    L_DEVICE_FEATURES = 0x00,
    L_DRIVER_FEATURES = 0x04,
    L_PAGE = 0x08,
    L_SIZE = 0x0c,
    L_SELECT = 0x0e,
    L_NOTIFY = 0x10,
    L_STATUS = 0x12,
    L_ISR = 0x13,
    L_CONFIG_VECTOR = 0x14,
    L_VECTOR = 0x16,
};

/* Registers of a virtio-mmio slot. */
enum {
    M_DEVICE_ID = 0x08,
    M_DEVICE_FEATURES = 0x10,
    M_DEVICE_SELECT = 0x14,
    M_DRIVER_FEATURES = 0x20,
    M_DRIVER_SELECT = 0x24,
    M_PAGE_SIZE = 0x28,
    M_SELECT = 0x30,
    M_SIZE_MAX = 0x34,
    M_SIZE = 0x38,
    M_ALIGN = 0x3c,
    M_PAGE = 0x40,
    M_READY = 0x44,
    M_NOTIFY = 0x50,
    M_INTERRUPT = 0x60,
    M_ACK = 0x64,
    M_STATUS = 0x70,
    M_DESC = 0x80,
    M_DRIVER = 0x90,
    M_DEVICE = 0xa0,
    M_SHM = 0xb0,
    M_RESET = 0xc0,
    M_GENERATION = 0xfc,
    M_CONFIG = 0x100,
};

typedef struct DrvRing {
    uint64_t desc, driver, device;
    uint16_t size, avail, used; /* split: free-running; packed: slots */
    bool avail_wrap, used_wrap;
    uint16_t next_free; /* descriptors are used cyclically */
} DrvRing;

typedef struct Drv {
    Fixture *f;
    PCIDevice *d; /* of a device in a slot: only d->dev exists */
    bool legacy;
    bool mmio; /* the device is in the slot at DRV_SLOT; legacy: version 1 */
    uint64_t features;
    uint64_t common, isr, config, notify; /* machine addresses; 0: the structure does not exist */
    uint32_t notify_step;
    uint8_t cfg_cap;
    DrvRing ring[DRV_QUEUES];
} Drv;

/* One buffer of a chain. */
typedef struct DrvSeg {
    uint64_t addr;
    uint32_t len;
    bool write;
} DrvSeg;

static inline uint8_t *drv_ram(Drv *v, uint64_t offset)
{
    return machine_ram_find(v->f->m, "ram")->host + offset;
}

/* --- finding the device --- */

static inline void drv_take_cap(Drv *v, uint8_t at)
{
    uint8_t type = config_read(v->f, DRV_DEVFN, at + 3, 1);
    uint64_t where = DRV_MODERN + config_read(v->f, DRV_DEVFN, at + 8, 4);

    switch (type) {
    case 1:
        v->common = where;
        break;
    case 2:
        v->notify = where;
        v->notify_step = config_read(v->f, DRV_DEVFN, at + 16, 4);
        break;
    case 3:
        v->isr = where;
        break;
    case 4:
        v->config = where;
        break;
    case 5:
        v->cfg_cap = at;
        break;
    }
}

static inline void drv_program_msix(Drv *v)
{
    for (unsigned n = 0; n < msix_vectors(v->d); n++) {
        guest_write(v->f, DRV_MSIX_BAR + 16 * n, 4, RAM + DRV_MESSAGES + 4 * n);
        guest_write(v->f, DRV_MSIX_BAR + 16 * n + 8, 4, n + 1);
        guest_write(v->f, DRV_MSIX_BAR + 16 * n + 12, 4, 0);
    }
}

static inline void drv_msix(Drv *v, bool on)
{
    uint8_t at = v->mmio ? 0 : pci_find_capability(v->d, PCI_CAP_ID_MSIX);

    if (at) {
        drv_program_msix(v);
        config_write(v->f, DRV_DEVFN, at + 2, 2, on ? 0x8000 : 0);
    }
}

static inline bool drv_interrupted(Drv *v, unsigned vector)
{
    uint8_t *at = drv_ram(v, DRV_MESSAGES + 4 * vector);
    bool was = at[0] == vector + 1;

    memset(at, 0, 4);
    return was;
}

static inline void drv_find(Drv *v, Fixture *f, PCIDevice *d, bool legacy)
{
    bool mmio = v->mmio;
    uint8_t at = mmio ? 0 : config_read(f, DRV_DEVFN, PCI_CAPABILITY_LIST, 1);

    *v = (Drv){ .f = f, .d = d, .legacy = legacy, .mmio = mmio };
    if (mmio) {
        return;
    }
    config_write(f, DRV_DEVFN, PCI_BASE_ADDRESS_0, 4, DRV_IO);
    config_write(f, DRV_DEVFN, PCI_BASE_ADDRESS_0 + 4, 4, DRV_MSIX_BAR);
    config_write(f, DRV_DEVFN, PCI_BASE_ADDRESS_0 + 16, 4, (uint32_t)DRV_MODERN);
    config_write(f, DRV_DEVFN, PCI_BASE_ADDRESS_0 + 20, 4, DRV_MODERN >> 32);
    config_write(f, DRV_DEVFN, PCI_COMMAND, 2,
                 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    for (unsigned i = 0; at && i < 48; i++, at = config_read(f, DRV_DEVFN, at + 1, 1)) {
        if (config_read(f, DRV_DEVFN, at, 1) == 0x09) {
            drv_take_cap(v, at);
        }
    }
}

/* --- registers --- */

static inline uint64_t drv_common_read(Drv *v, unsigned at, unsigned size)
{
    return guest_read(v->f, v->common + at, size);
}

static inline void drv_common_write(Drv *v, unsigned at, unsigned size, uint64_t value)
{
    guest_write(v->f, v->common + at, size, value);
}

static inline uint64_t drv_legacy_read(Drv *v, unsigned at, unsigned size)
{
    return guest_read(v->f, PIO + DRV_IO + at, size);
}

static inline void drv_legacy_write(Drv *v, unsigned at, unsigned size, uint64_t value)
{
    guest_write(v->f, PIO + DRV_IO + at, size, value);
}

static inline uint32_t drv_slot_read(Drv *v, unsigned at)
{
    return guest_read(v->f, DRV_SLOT + at, 4);
}

static inline void drv_slot_write(Drv *v, unsigned at, uint32_t value)
{
    guest_write(v->f, DRV_SLOT + at, 4, value);
}

static inline uint8_t drv_status(Drv *v)
{
    return v->mmio     ? drv_slot_read(v, M_STATUS)
           : v->legacy ? drv_legacy_read(v, L_STATUS, 1)
                       : drv_common_read(v, C_STATUS, 1);
}

static inline void drv_set_status(Drv *v, uint8_t status)
{
    if (v->mmio) {
        drv_slot_write(v, M_STATUS, status);
    } else if (v->legacy) {
        drv_legacy_write(v, L_STATUS, 1, status);
    } else {
        drv_common_write(v, C_STATUS, 1, status);
    }
}

static inline uint64_t drv_offered(Drv *v)
{
    uint64_t low, high;

    if (v->mmio) {
        drv_slot_write(v, M_DEVICE_SELECT, 0);
        low = drv_slot_read(v, M_DEVICE_FEATURES);
        drv_slot_write(v, M_DEVICE_SELECT, 1);
        return low | (uint64_t)drv_slot_read(v, M_DEVICE_FEATURES) << 32;
    }
    if (v->legacy) {
        return drv_legacy_read(v, L_DEVICE_FEATURES, 4);
    }
    drv_common_write(v, C_DEVICE_SELECT, 4, 0);
    low = drv_common_read(v, C_DEVICE_FEATURE, 4);
    drv_common_write(v, C_DEVICE_SELECT, 4, 1);
    high = drv_common_read(v, C_DEVICE_FEATURE, 4);
    return low | high << 32;
}

/* Return the address of the device-specific configuration in the current interface. */
static inline uint64_t drv_config(Drv *v, unsigned at, unsigned size)
{
    return v->mmio     ? guest_read(v->f, DRV_SLOT + M_CONFIG + at, size)
           : v->legacy ? drv_legacy_read(v, (msix_enabled(v->d) ? 0x18 : 0x14) + at, size)
                       : guest_read(v->f, v->config + at, size);
}

static inline void drv_write_features(Drv *v, uint64_t features)
{
    if (v->mmio) {
        drv_slot_write(v, M_DRIVER_SELECT, 1);
        drv_slot_write(v, M_DRIVER_FEATURES, features >> 32);
        drv_slot_write(v, M_DRIVER_SELECT, 0);
        drv_slot_write(v, M_DRIVER_FEATURES, (uint32_t)features);
        return;
    }
    if (v->legacy) {
        drv_legacy_write(v, L_DRIVER_FEATURES, 4, features);
        return;
    }
    drv_common_write(v, C_DRIVER_SELECT, 4, 0);
    drv_common_write(v, C_DRIVER_FEATURE, 4, (uint32_t)features);
    drv_common_write(v, C_DRIVER_SELECT, 4, 1);
    drv_common_write(v, C_DRIVER_FEATURE, 4, features >> 32);
}

static inline void drv_kick(Drv *v, unsigned q)
{
    if (v->mmio) {
        drv_slot_write(v, M_NOTIFY, q);
    } else if (v->legacy) {
        drv_legacy_write(v, L_NOTIFY, 2, q);
    } else {
        drv_common_write(v, C_SELECT, 2, q);
        guest_write(v->f, v->notify + drv_common_read(v, C_NOTIFY_OFF, 2) * v->notify_step, 2, q);
    }
}

/* --- setting up --- */

static inline void drv_place_ring(Drv *v, unsigned q, uint16_t size)
{
    DrvRing *r = &v->ring[q];

    *r = (DrvRing){
        .desc = RAM + q * DRV_RING_SPAN, .size = size, .avail_wrap = true, .used_wrap = true
    };
    r->driver = r->desc + 16u * r->size;
    r->device = (r->driver + 4 + 2u * r->size + 2 + 4095) & ~4095ull;
    memset(drv_ram(v, q * DRV_RING_SPAN), 0, DRV_RING_SPAN);
}

static inline void drv_slot_area(Drv *v, unsigned at, uint64_t area)
{
    drv_slot_write(v, at, (uint32_t)area);
    drv_slot_write(v, at + 4, area >> 32);
}

static inline void drv_slot_queue(Drv *v, unsigned q, uint16_t size)
{
    drv_slot_write(v, M_SELECT, q);
    size = size ? size : drv_slot_read(v, M_SIZE_MAX);
    drv_place_ring(v, q, size);
    drv_slot_write(v, M_SIZE, size);
    if (v->legacy) {
        drv_slot_write(v, M_ALIGN, 4096);
        drv_slot_write(v, M_PAGE, v->ring[q].desc >> 12);
        return;
    }
    drv_slot_area(v, M_DESC, v->ring[q].desc);
    drv_slot_area(v, M_DRIVER, v->ring[q].driver);
    drv_slot_area(v, M_DEVICE, v->ring[q].device);
    drv_slot_write(v, M_READY, 1);
}

/* Set up queue q with vector `vector` (VIRTIO_MSI_NO_VECTOR: none); size 0: as offered. */
static inline void drv_queue(Drv *v, unsigned q, uint16_t size, uint16_t vector)
{
    if (v->mmio) {
        drv_slot_queue(v, q, size);
        return;
    }
    if (v->legacy) {
        drv_legacy_write(v, L_SELECT, 2, q);
        drv_place_ring(v, q, drv_legacy_read(v, L_SIZE, 2));
        drv_legacy_write(v, L_PAGE, 4, v->ring[q].desc >> 12);
        if (msix_enabled(v->d)) {
            drv_legacy_write(v, L_VECTOR, 2, vector);
        }
        return;
    }
    drv_common_write(v, C_SELECT, 2, q);
    if (size) {
        drv_common_write(v, C_SIZE, 2, size);
    }
    drv_place_ring(v, q, drv_common_read(v, C_SIZE, 2));
    drv_common_write(v, C_DESC, 4, (uint32_t)v->ring[q].desc);
    drv_common_write(v, C_DESC + 4, 4, v->ring[q].desc >> 32);
    drv_common_write(v, C_DRIVER, 8, v->ring[q].driver);
    drv_common_write(v, C_DEVICE, 8, v->ring[q].device);
    drv_common_write(v, C_VECTOR, 2, vector);
    drv_common_write(v, C_ENABLE, 2, 1);
}

/* Reset, negotiate what is offered of `features`, set up n queues (vector q + 1 each), start.
 * Returns false if the device does not accept this set of features. */
static inline bool drv_try_start(Drv *v, uint64_t features, unsigned n)
{
    const uint8_t ok =
        VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;

    drv_set_status(v, 0);
    drv_set_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    v->features = (features | (v->legacy ? 0 : F_BIT(VIRTIO_F_VERSION_1))) & drv_offered(v);
    drv_write_features(v, v->features);
    if (v->mmio && v->legacy) {
        drv_slot_write(v, M_PAGE_SIZE, 4096);
    } else if (v->legacy) {
        if (msix_enabled(v->d)) {
            drv_legacy_write(v, L_CONFIG_VECTOR, 2, 0);
        }
    } else {
        drv_set_status(v, ok);
        if (drv_status(v) != ok) {
            return false;
        }
        if (!v->mmio) {
            drv_common_write(v, C_CONFIG_VECTOR, 2, 0);
        }
    }
    for (unsigned q = 0; q < n; q++) {
        drv_queue(v, q, 0, q + 1);
    }
    drv_set_status(v, v->legacy ? DRV_OK : DRV_OK | VIRTIO_CONFIG_S_FEATURES_OK);
    return true;
}

static inline void drv_start(Drv *v, uint64_t features, unsigned n)
{
    g_assert_true(drv_try_start(v, features, n));
}

static inline void drv_running(Drv *v)
{
    g_assert_cmphex(drv_status(v), ==, v->legacy ? DRV_OK : DRV_OK | VIRTIO_CONFIG_S_FEATURES_OK);
}

/* --- rings --- */

static inline bool drv_packed(const Drv *v)
{
    return v->features >> VIRTIO_F_RING_PACKED & 1;
}

static inline void put_desc(Drv *v, uint64_t at, uint64_t addr, uint32_t len, uint16_t a,
                            uint16_t b)
{
    VringDesc d = { addr, len, a, b };

    memcpy(drv_ram(v, at - RAM), &d, sizeof(d));
}

static inline void split_offer(Drv *v, DrvRing *r, const DrvSeg *s, unsigned n, uint64_t table)
{
    uint16_t head = r->next_free, slot = head;

    for (unsigned i = 0; i < n; i++) {
        uint16_t next = table ? i + 1 : (slot + 1u) % r->size;
        uint16_t flags =
            (i + 1 < n ? VRING_DESC_F_NEXT : 0) | (s[i].write ? VRING_DESC_F_WRITE : 0);

        put_desc(v, table ? table + 16 * i : r->desc + 16 * slot, s[i].addr, s[i].len, flags, next);
        slot = table ? slot : next;
    }
    if (table) {
        put_desc(v, r->desc + 16 * head, table, 16 * n, VRING_DESC_F_INDIRECT, 0);
        slot = (head + 1) % r->size;
    }
    r->next_free = slot;
    guest_write(v->f, r->driver + 4 + 2 * (r->avail % r->size), 2, head);
    guest_write(v->f, r->driver + 2, 2, ++r->avail);
}

static inline void ring_step(DrvRing *r, uint16_t *slot, bool *wrap, unsigned n)
{
    *slot += n;
    if (*slot >= r->size) {
        *slot -= r->size;
        *wrap = !*wrap;
    }
}

static inline void packed_offer(Drv *v, DrvRing *r, const DrvSeg *s, unsigned n, uint64_t table)
{
    uint16_t first = r->avail, first_flags = 0, id = first;

    for (unsigned i = 0; i < n; i++) {
        uint16_t flags = s[i].write ? VRING_DESC_F_WRITE : 0;

        if (table) {
            put_desc(v, table + 16 * i, s[i].addr, s[i].len, 0, flags);
            continue;
        }
        flags |= (i + 1 < n ? VRING_DESC_F_NEXT : 0) | (r->avail_wrap ? 1 << 7 : 1 << 15);
        put_desc(v, r->desc + 16 * r->avail, s[i].addr, s[i].len, id, i ? flags : 0);
        first_flags = i ? first_flags : flags;
        ring_step(r, &r->avail, &r->avail_wrap, 1);
    }
    if (table) {
        first_flags = VRING_DESC_F_INDIRECT | (r->avail_wrap ? 1 << 7 : 1 << 15);
        put_desc(v, r->desc + 16 * first, table, 16 * n, id, 0);
        ring_step(r, &r->avail, &r->avail_wrap, 1);
    }
    guest_write(v->f, r->desc + 16 * first + 14, 2, first_flags);
}

/* Make a chain available in queue q, through an indirect table if the driver negotiated that. */
static inline void drv_offer(Drv *v, unsigned q, const DrvSeg *s, unsigned n)
{
    DrvRing *r = &v->ring[q];
    uint16_t slot = drv_packed(v) ? r->avail : r->next_free;
    bool indirect = (v->features >> VIRTIO_RING_F_INDIRECT_DESC & 1) && n <= 16;
    uint64_t table = indirect ? RAM + DRV_TABLES + 0x100 * (q * 32 + slot % 32) : 0;

    (drv_packed(v) ? packed_offer : split_offer)(v, r, s, n, table);
}

/* Return the length of the next used chain, or -1. n: the number of the chain's buffers (packed
 * rings skip them). */
static inline int64_t drv_collect(Drv *v, unsigned q, unsigned n)
{
    DrvRing *r = &v->ring[q];
    bool indirect = (v->features >> VIRTIO_RING_F_INDIRECT_DESC & 1) && n <= 16;

    if (!drv_packed(v)) {
        if ((uint16_t)guest_read(v->f, r->device + 2, 2) == r->used) {
            return -1;
        }
        return guest_read(v->f, r->device + 4 + 8 * (r->used++ % r->size) + 4, 4);
    }
    VringDesc d;

    memcpy(&d, drv_ram(v, r->desc - RAM + 16 * r->used), sizeof(d));
    if (!!(d.b & 1 << 7) != r->used_wrap || !!(d.b & 1 << 15) != r->used_wrap) {
        return -1;
    }
    ring_step(r, &r->used, &r->used_wrap, indirect ? 1 : n);
    return d.len;
}

/* Like drv_collect(), but run the main loop until a chain is used, within a limit. */
static inline int64_t drv_wait(Drv *v, unsigned q, unsigned n)
{
    Wait w = wait_begin("a used buffer", G_STRLOC, 20);
    int64_t len;

    while ((len = drv_collect(v, q, n)) < 0 && !wait_over(&w)) {
        g_main_context_iteration(NULL, FALSE);
    }
    return len;
}

static inline const PCIDeviceType *drv_type(const char *name)
{
    const DeviceType *t = device_type_find(name);

    g_assert_nonnull(t);
    return (const PCIDeviceType *)t;
}

/* --- a machine for it --- */

/* Back ends, from JSON (NULL: none): a drive, and a netdev. */
static inline void drv_machine(Fixture *f, const char *drive, const char *netdev)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o;

    fixture_init(f);
    if (drive) {
        o = json_tokener_parse(drive);
        block_drive_new(f->m, o, false, &err);
        g_assert_no_error(err);
        json_object_put(o);
    }
    if (netdev) {
        o = json_tokener_parse(netdev);
        netdev_new(f->m, o, &err);
        g_assert_no_error(err);
        json_object_put(o);
    }
    machine_set_state(f->m, RUN_RUNNING);
}

static inline void drv_plug(Drv *v, Fixture *f, const char *type, const char *settings, bool legacy)
{
    v->mmio = false;
    drv_find(v, f, plug_function(f, drv_type(type), "pcie.0", "dut", DRV_DEVFN, settings), legacy);
}

/* Create the slot, with the register layout of version 1 if `legacy`. */
static inline Device *drv_add_slot(Fixture *f, bool legacy)
{
    g_autoptr(GError) err = NULL;
    Device *slot = device_create(f->m, "virtio-mmio",
                                 legacy ? "force-legacy=on" : "force-legacy=off", NULL, &err);

    g_assert_no_error(err);
    sysdev_map(slot, 0, DRV_SLOT);
    virtio_mmio_slot_add_bus(slot, DRV_BUS, &err);
    g_assert_no_error(err);
    return slot;
}

/* Plug a device into the slot. */
static inline void drv_plug_slot(Drv *v, Fixture *f, const char *type, const char *settings,
                                 bool legacy)
{
    g_autofree char *text = g_strdup_printf("%s,id=dut,bus=" DRV_BUS "%s%s", type,
                                            settings ? "," : "", settings ? settings : "");
    g_autoptr(PlanDevice) plan = plan_device_parse(text, NULL);
    g_autoptr(GError) err = NULL;
    Device *dev = device_new(f->m, device_type_find(type), plan, &err);

    g_assert_no_error(err);
    device_realize(dev, plan, NULL, &err);
    g_assert_no_error(err);
    v->mmio = true;
    drv_find(v, f, (PCIDevice *)dev, legacy);
}

static inline void drv_finish(Fixture *f)
{
    fixture_empty(f->m, "peripheral");
    block_free_all(f->m);
    netdev_free_all(f->m);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    fixture_fini(f);
}

#define DRV_NULL_DRIVE                                                                             \
    "{'id':'d0','format':'raw','file':{'driver':'null-co','size':1048576,'read-zeroes':true}}"

#endif

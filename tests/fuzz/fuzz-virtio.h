/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared parts of the fuzz targets of virtio devices. An input is a list of operations on one
 * function, or on a device in a virtio-mmio slot. They access the registers of every interface,
 * config space, and rings and buffers in guest RAM; use the device as a driver would; reset it in
 * every way; save and load it; stop and unplug it.
 *
 * A target defines the type that it plugs in, with which settings, and the behaviour of its back
 * end.
 */
#ifndef FUZZ_VIRTIO_H
#define FUZZ_VIRTIO_H

#define FIXTURE_WITH_TYPES
#include "tests/unit/hw/virtio/virtio-driver.h"

#include "fuzz-input.h"
#include "hw/core/clock.h"

typedef struct FuzzVirtio {
    const char *type;
    const char *const settings[4]; /* the first byte of the input chooses */
    unsigned queues;
    bool pci_only; /* the type has no variant for virtio-mmio */
    const char *drive, *netdev;
    void (*prepare)(Fixture *f);         /* may be NULL */
    void (*plugged)(Fixture *f);         /* after the device was plugged; may be NULL */
    void (*host)(Fixture *f, Input *in); /* a change behind the device */
    void (*driver)(Drv *v, Input *in);   /* a plausible request; may be NULL */
    void (*finish)(Fixture *f);          /* may be NULL */
} FuzzVirtio;

typedef struct FuzzRun {
    const FuzzVirtio *target;
    Fixture f;
    Drv v;
    const char *settings;
    GByteArray *saved;
} FuzzRun;

static inline void fuzz_plug(FuzzRun *r)
{
    if (r->v.mmio) { /* virtio-X-pci: virtio-X-device */
        g_autofree char *name = g_strndup(r->target->type, strlen(r->target->type) - 3);
        g_autofree char *type = g_strconcat(name, "device", NULL);

        drv_plug_slot(&r->v, &r->f, type, r->settings, r->v.legacy);
    } else {
        drv_plug(&r->v, &r->f, r->target->type, r->settings, r->v.legacy);
        drv_msix(&r->v, true);
    }
    if (r->target->plugged) {
        r->target->plugged(&r->f);
    }
}

static inline void fuzz_turn(FuzzRun *r)
{
    for (unsigned i = 0; i < 64 && g_main_context_iteration(NULL, FALSE); i++) {
    }
    clock_step_ns(&r->f, 1000000);
}

static inline void fuzz_chain(FuzzRun *r, Input *in)
{
    unsigned q = input_take(in, 1) % DRV_QUEUES, n = 1 + input_take(in, 1) % 5;
    DrvSeg s[5];

    for (unsigned i = 0; i < n; i++) {
        uint32_t at = input_take(in, 2), len = input_take(in, 2);

        s[i] = (DrvSeg){ RAM + DRV_DATA + at, len & 0x3fff, len >> 15 };
        if ((len >> 14 & 1) && at < 0x100) { /* an unrelated address */
            s[i].addr = (uint64_t)at << 56 | MMIO64 | at;
        }
    }
    if (r->v.ring[q].size) {
        drv_offer(&r->v, q, s, n);
    }
}

static inline void fuzz_poke(FuzzRun *r, Input *in)
{
    uint32_t at = input_take(in, 3) % (uint32_t)(RAM_SIZE - 16);
    unsigned len = input_take(in, 1) % 17;

    for (unsigned i = 0; i < len; i++) {
        *drv_ram(&r->v, at + i) = input_take(in, 1);
    }
}

static inline void fuzz_reset(FuzzRun *r, Input *in)
{
    static const ResetKind kinds[] = { RESET_COLD, RESET_HOT, RESET_FUNCTION, RESET_D3HOT };
    unsigned way = input_take(in, 1);

    if (way & 4 || r->v.mmio) {
        machine_reset(r->f.m, RESET_HOT);
    } else {
        pci_device_reset(r->v.d, kinds[way & 3]);
    }
    if (way & 8) {
        drv_find(&r->v, &r->f, r->v.d, r->v.legacy);
    }
}

/* A saved state loads, and saves again to the same bytes; or load an older state, or one with a
 * changed byte. A device that rejected a state is undefined: its previous state is loaded again. */
static inline void fuzz_state(FuzzRun *r, Input *in)
{
    g_autoptr(GByteArray) now = save_state(r->v.d);
    unsigned way = input_take(in, 1);

    if (way & 1) {
        g_autoptr(GByteArray) again = NULL;

        g_assert_true(load_state(r->v.d, now, NULL));
        again = save_state(r->v.d);
        g_assert_cmpmem(now->data, now->len, again->data, again->len);
    } else if (r->saved) {
        uint32_t at = input_take(in, 2) % r->saved->len;

        r->saved->data[at] ^= way >> 1 & 0x7f;
        if (!load_state(r->v.d, r->saved, NULL)) {
            g_assert_true(load_state(r->v.d, now, NULL));
        }
        r->saved->data[at] ^= way >> 1 & 0x7f;
    }
    if (way & 0x80) {
        g_clear_pointer(&r->saved, g_byte_array_unref);
        r->saved = g_steal_pointer(&now);
    }
}

static inline void fuzz_bar(FuzzRun *r, uint64_t addr, Input *in)
{
    unsigned size = 1u << (input_take(in, 1) & 3);

    guest_write(&r->f, addr, size, input_take(in, size));
    guest_read(&r->f, addr, size);
}

static inline void fuzz_step(FuzzRun *r, Input *in)
{
    uint8_t op = input_take(in, 1);

    if (r->v.mmio && (op & 15) < 5) {
        fuzz_bar(r, DRV_SLOT + input_take(in, 2) % (op & 1 ? 0x100 : 0x1000), in);
        return;
    }
    switch (op & 15) {
    case 0:
        fuzz_bar(r, DRV_MODERN + input_take(in, 2) % 0x4000, in);
        break;
    case 1:
        fuzz_bar(r, DRV_MODERN + input_take(in, 1) % 0x40, in); /* the common configuration */
        break;
    case 2:
        fuzz_bar(r, PIO + DRV_IO + input_take(in, 1), in);
        break;
    case 3:
        fuzz_bar(r, ecam_address(0, DRV_DEVFN, input_take(in, 1)), in);
        break;
    case 4:
        fuzz_bar(r, DRV_MSIX_BAR + input_take(in, 2) % 0x1000, in);
        break;
    case 5:
    case 6:
        fuzz_chain(r, in);
        break;
    case 7:
        drv_kick(&r->v, input_take(in, 1) % DRV_QUEUES);
        break;
    case 8:
        fuzz_poke(r, in);
        break;
    case 9:
        drv_find(&r->v, &r->f, r->v.d, r->v.mmio ? r->v.legacy : op >> 4 & 1);
        drv_msix(&r->v, op >> 5 & 1);
        drv_try_start(&r->v, input_take(in, 8), r->target->queues);
        break;
    case 10:
        fuzz_turn(r);
        break;
    case 11:
        fuzz_reset(r, in);
        break;
    case 12:
        fuzz_state(r, in);
        break;
    case 13:
        device_unplug(&r->v.d->dev);
        fuzz_plug(r);
        break;
    case 14:
        machine_set_state(r->f.m, op >> 4 & 1 ? RUN_RUNNING : RUN_PAUSED);
        break;
    default:
        if (r->target->driver && (op & 0x10)) {
            r->target->driver(&r->v, in);
        } else {
            r->target->host(&r->f, in);
        }
    }
}

static inline int fuzz_virtio(const FuzzVirtio *target, const uint8_t *data, size_t size)
{
    Input in = { data, MIN(size, 4096) };
    FuzzRun *r = g_new0(FuzzRun, 1);
    uint8_t how = input_take(&in, 1);

    r->target = target;
    r->settings = target->settings[how & 3];
    drv_machine(&r->f, target->drive, target->netdev);
    if (target->prepare) {
        target->prepare(&r->f);
    }
    r->v.legacy = how >> 2 & 1;
    r->v.mmio = how >> 4 & 1 && !target->pci_only;
    if (r->v.mmio) {
        drv_add_slot(&r->f, r->v.legacy);
    }
    fuzz_plug(r);
    drv_try_start(&r->v, how & 8 ? UINT64_MAX : input_take(&in, 8), target->queues);
    while (in.left) {
        fuzz_step(r, &in);
    }
    fuzz_turn(r);
    g_clear_pointer(&r->saved, g_byte_array_unref);
    if (target->finish) {
        target->finish(&r->f);
    }
    drv_finish(&r->f);
    g_free(r);
    return 0;
}

#endif

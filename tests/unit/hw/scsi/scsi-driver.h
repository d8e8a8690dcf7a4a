/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of virtio-scsi, and disks on the bus of its controller "dut". Each command has a place
 * of its own for header, response and data.
 */
#ifndef TESTS_SCSI_DRIVER_H
#define TESTS_SCSI_DRIVER_H

#include <json-c/json.h>
#include <linux/virtio_scsi.h>

#include "../virtio/virtio-driver.h"
#include "block/internal.h"
#include "hw/scsi/internal.h"
#include "hw/scsi/virtio_scsi_internal.h"

enum {
    SCSI_HEAD = DRV_DATA,
    SCSI_RESP = DRV_DATA + 0x1000,
    SCSI_TMF = DRV_DATA + 0x2000,
    SCSI_EVENTS = DRV_DATA + 0x3000,
    SCSI_DATA = DRV_DATA + 0x10000, /* 0x8000 bytes for each of 16 commands */
    SCSI_ROOM = 0x8000,
};
enum { NO_RESPONSE = 0xee };

typedef struct Scsi {
    Fixture f;
    Drv v;
    uint8_t target;
    uint32_t lun;
    unsigned n_events; /* event buffers made available so far */
} Scsi;

typedef struct virtio_scsi_cmd_resp Resp;

static inline void scsi_put_lun(uint8_t *at, uint8_t target, uint32_t lun)
{
    memset(at, 0, 8);
    at[0] = 1;
    at[1] = target;
    at[2] = (uint8_t)(0x40 | lun >> 8);
    at[3] = (uint8_t)lun;
}

static inline uint8_t *scsi_data(Scsi *s, unsigned n)
{
    return drv_ram(&s->v, SCSI_DATA + n * SCSI_ROOM);
}

/* Make command n available in the first request queue. out, in: bytes of data. */
static inline void scsi_offer(Scsi *s, unsigned n, const uint8_t *cdb, size_t len, uint32_t out,
                              uint32_t in)
{
    struct virtio_scsi_cmd_req req = { .tag = 100 + n };
    uint64_t data = RAM + SCSI_DATA + n * SCSI_ROOM;
    DrvSeg seg[4] = { { RAM + SCSI_HEAD + n * 64, sizeof(req), false } };
    unsigned count = 1;

    scsi_put_lun(req.lun, s->target, s->lun);
    memcpy(req.cdb, cdb, len);
    memcpy(drv_ram(&s->v, SCSI_HEAD + n * 64), &req, sizeof(req));
    memset(drv_ram(&s->v, SCSI_RESP + n * 128), NO_RESPONSE, sizeof(Resp));
    if (out) {
        seg[count++] = (DrvSeg){ data, out, false };
    }
    seg[count++] = (DrvSeg){ RAM + SCSI_RESP + n * 128, sizeof(Resp), true };
    if (in) {
        seg[count++] = (DrvSeg){ data, in, true };
    }
    drv_offer(&s->v, REQUEST_QUEUES, seg, count);
}

static inline const Resp *scsi_response(Scsi *s, unsigned n)
{
    return (const Resp *)drv_ram(&s->v, SCSI_RESP + n * 128);
}

/* Run one command. */
static inline const Resp *scsi_run(Scsi *s, const uint8_t *cdb, size_t len, uint32_t out,
                                   uint32_t in)
{
    scsi_offer(s, 0, cdb, len, out, in);
    drv_kick(&s->v, REQUEST_QUEUES);
    g_assert_cmpint(drv_wait(&s->v, REQUEST_QUEUES, 2 + (out > 0) + (in > 0)), >=, 0);
    return scsi_response(s, 0);
}

#define SCSI_RUN(s, out, in, ...)                                                                  \
    scsi_run(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), out, in)

static inline void scsi_check_good(const Resp *r)
{
    g_assert_cmpuint(r->response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(r->status, ==, SCSI_GOOD);
}
#define SCSI_OK(s, out, in, ...) scsi_check_good(SCSI_RUN(s, out, in, __VA_ARGS__))

/* Check that a command failed with sense data. */
static inline void scsi_check_sense(const Resp *r, SCSISense sense)
{
    g_assert_cmpuint(r->response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(r->status, ==, SCSI_CHECK_CONDITION);
    g_assert_cmpuint(r->sense_len, ==, SCSI_SENSE_LEN);
    g_assert_cmphex(r->sense[0], ==, 0x70);
    g_assert_cmphex(r->sense[2], ==, sense.key);
    g_assert_cmphex(r->sense[12], ==, sense.asc);
    g_assert_cmphex(r->sense[13], ==, sense.ascq);
}
#define SCSI_FAILS(s, sense, out, in, ...)                                                         \
    scsi_check_sense(SCSI_RUN(s, out, in, __VA_ARGS__), sense)

/* Run a task management function; return its response. */
static inline uint8_t scsi_tmf(Scsi *s, uint32_t subtype, uint8_t target, uint32_t lun,
                               uint64_t tag)
{
    struct virtio_scsi_ctrl_tmf_req req = { .subtype = subtype, .tag = tag };
    DrvSeg seg[] = { { RAM + SCSI_TMF, sizeof(req), false }, { RAM + SCSI_TMF + 64, 1, true } };

    scsi_put_lun(req.lun, target, lun);
    memcpy(drv_ram(&s->v, SCSI_TMF), &req, sizeof(req));
    *drv_ram(&s->v, SCSI_TMF + 64) = NO_RESPONSE;
    drv_offer(&s->v, CONTROL_QUEUE, seg, 2);
    drv_kick(&s->v, CONTROL_QUEUE);
    g_assert_cmpint(drv_wait(&s->v, CONTROL_QUEUE, 2), >=, 0);
    return *drv_ram(&s->v, SCSI_TMF + 64);
}

static inline void scsi_offer_events(Scsi *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        DrvSeg seg = { RAM + SCSI_EVENTS + s->n_events++ * 16, 16, true };

        drv_offer(&s->v, EVENT_QUEUE, &seg, 1);
    }
    drv_kick(&s->v, EVENT_QUEUE);
}

static inline void scsi_settle(void)
{
    for (unsigned i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

static inline Device *scsi_plug(Scsi *s, const char *text, GError **err)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev;

    g_assert_nonnull(plan);
    dev = device_new(s->f.m, device_type_find(plan->type), plan, err);
    return dev && device_realize(dev, plan, NULL, err) ? dev : NULL;
}

/* The machine with a controller and a drive "d0", whose driver runs; no unit. */
static inline void scsi_init(Scsi *s, const char *drive, const char *settings, bool legacy)
{
    *s = (Scsi){ .lun = 0 };
    drv_machine(&s->f, drive, NULL);
    drv_plug(&s->v, &s->f, legacy ? "virtio-scsi-pci-transitional" : "virtio-scsi-pci", settings,
             legacy);
    drv_start(&s->v,
              F_BIT(VIRTIO_SCSI_F_HOTPLUG) | F_BIT(VIRTIO_SCSI_F_CHANGE) |
                  F_BIT(VIRTIO_F_RING_RESET),
              REQUEST_QUEUES + 1);
}

/* Plug a unit, and take its unit attention. */
static inline ScsiDisk *scsi_add(Scsi *s, const char *text)
{
    g_autoptr(GError) err = NULL;
    ScsiDisk *d = (ScsiDisk *)scsi_plug(s, text, &err);

    g_assert_no_error(err);
    d->scsi.attention = 0;
    return d;
}

static inline void scsi_fini(Scsi *s)
{
    drv_finish(&s->f);
}

static inline VirtioScsi *scsi_controller(Scsi *s)
{
    return (VirtioScsi *)s->v.d;
}

#endif

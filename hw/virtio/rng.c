/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng: entropy for the guest (virtio 1.2, 5.4), at most max-bytes in each period.
 */
#include <linux/virtio_ids.h>

#include "hw/core/random.h"
#include "hw/core/host_object.h"
#include "hw/virtio/virtio_base.h"
#include "util/error.h"
#include "util/log.h"

typedef struct VirtioRng {
    VirtioBase base;
    char *rng;          /* id of the back end; NULL: getrandom() of the host */
    HostObject *source; /* the back end, or NULL */
    uint64_t max_bytes; /* per period */
    uint32_t period_ms;
    uint64_t quota; /* bytes left in this period */
    /* Bytes of the next chain that earlier turns have filled. Not saved: the chain is filled again
     * from its start. */
    uint64_t filled;
    Timer refill;
} VirtioRng;

/* Bytes for one read of the source, and for one unit of a turn: getrandom() returns a few hundred
 * bytes in a microsecond. */
enum { CHUNK = 16384, UNIT_BYTES = 256 };

static VirtioRng *virtio_rng_of(VirtioDevice *v)
{
    return v->instance;
}

static size_t rng_read_source(VirtioRng *rng, uint8_t *bytes, size_t len)
{
    return rng->source ? host_rng_read(rng->source, bytes, len)
                       : machine_random(rng->base.dev.machine, bytes, len);
}

/* Find the segment of the chain that contains byte rng->filled, and the byte's offset in it. */
static const struct iovec *rng_find_segment(const VirtioRng *rng, const VirtqBuf *buf, size_t *skip)
{
    const struct iovec *seg = buf->out;

    for (*skip = rng->filled; *skip >= seg->iov_len; seg++) {
        *skip -= seg->iov_len;
    }
    return seg;
}

/* Fill the chain from byte rng->filled to `want`, as far as the turn and the source allow. False:
 * the source has no bytes now. */
static bool rng_fill_chain(VirtioRng *rng, VirtqBuf *buf, size_t want)
{
    const struct iovec *seg = NULL;
    size_t skip = 0;

    while (rng->filled < want && virtio_turn_left(&rng->base.virtio) > 0) {
        size_t part, got;

        if (!seg) {
            seg = rng_find_segment(rng, buf, &skip);
        }
        part = MIN(MIN(seg->iov_len - skip, want - rng->filled), CHUNK);
        got = rng_read_source(rng, (uint8_t *)seg->iov_base + skip, part);
        virtio_turn_charge(&rng->base.virtio, 1 + got / UNIT_BYTES);
        if (got == 0) {
            return false;
        }
        rng->filled += got;
        rng->quota -= got;
        skip += got;
        if (skip == seg->iov_len) {
            seg++;
            skip = 0;
        }
    }
    return true;
}

static void rng_serve_queue(VirtioRng *rng);

/* The source has bytes again. The memory of a stopped machine is not written. */
static void rng_source_ready(void *dev)
{
    VirtioRng *rng = dev;

    if (machine_active(rng->base.dev.machine)) {
        virtq_later(virtio_queue(&rng->base.virtio, 0));
    }
}

/* Serve one chain. False if the chain stays in the ring, because the turn is over (the next turn
 * continues at rng->filled) or because the source has no bytes now. A chain receives the bytes that
 * the source and the period provide, at least one (5.4.6.2). */
static bool rng_serve_chain(VirtioRng *rng, VirtQueue *vq, VirtqBuf *buf)
{
    uint64_t rest = buf->out_len - MIN(buf->out_len, rng->filled);
    size_t want = MIN(rng->filled + MIN(rest, rng->quota), UINT32_MAX);
    bool had = rng_fill_chain(rng, buf, want);

    buf->touched = MIN(rng->filled, buf->out_len);
    if (rng->filled < want && (had || (rng->filled == 0 && rng->source))) {
        virtq_unpop(vq, buf);
        if (had) {
            virtq_later(vq);
        } else {
            host_rng_wait(rng->source, rng_source_ready, rng);
        }
        return false;
    }
    virtq_push(vq, buf, MIN(rng->filled, buf->out_len));
    rng->filled = 0;
    return true;
}

static void rng_serve_queue(VirtioRng *rng)
{
    VirtQueue *vq = virtio_queue(&rng->base.virtio, 0);
    VirtqBuf *buf;

    while (rng->quota > 0 && (buf = virtq_next(vq)) && rng_serve_chain(rng, vq, buf)) {
    }
    virtq_notify(vq);
    if (rng->quota == 0 && !timer_armed(&rng->refill)) {
        timer_arm_ns(&rng->refill, rng->period_ms * 1000000ull);
    }
}

static void rng_refill_quota(void *dev)
{
    VirtioRng *rng = dev;

    rng->quota = rng->max_bytes;
    rng_serve_queue(rng);
}

static void rng_notified(VirtioDevice *v, unsigned queue)
{
    rng_serve_queue(virtio_rng_of(v));
}

static void rng_queue_reset(VirtioDevice *v, unsigned queue)
{
    virtio_rng_of(v)->filled = 0;
}

static void rng_reset(VirtioDevice *v)
{
    timer_cancel(&virtio_rng_of(v)->refill);
    virtio_rng_of(v)->quota = virtio_rng_of(v)->max_bytes;
}

static uint64_t rng_features(VirtioDevice *v)
{
    return 0;
}

static bool rng_init(void *dev, GError **err)
{
    VirtioRng *rng = dev;
    Device *d = &rng->base.dev;

    if (rng->rng && !(rng->source = host_rng_find(d->machine, rng->rng, err))) {
        g_prefix_error(err, "%s: ", device_name(d));
        return false;
    }
    if (rng->source) {
        host_object_use(rng->source, device_name(d));
    }
    virtio_add_queue(&rng->base.virtio, 8);
    timer_setup(&rng->refill, rng_refill_quota, rng);
    rng->quota = rng->max_bytes;
    return true;
}

static void rng_exit(void *dev)
{
    VirtioRng *rng = dev;
    Device *d = &rng->base.dev;

    timer_cancel(&rng->refill);
    if (rng->source) {
        host_rng_wait(rng->source, NULL, NULL);
        host_object_unuse(rng->source, device_name(d));
        rng->source = NULL;
    }
}

static const PlanCount rng_auto_vectors = { 2 };

static const VirtioClass rng_class = {
    .name = "virtio-rng",
    .device_id = VIRTIO_ID_RNG,
    .init = rng_init,
    .exit = rng_exit,
    .features = rng_features,
    .queue_notified = rng_notified,
    .queue_reset = rng_queue_reset,
    .reset = rng_reset,
};
static const PlanProp rng_props[] = {
    VIRTIO_PROPS,
    PROP_BACKEND(VirtioRng, rng, "rng", "rng",
                 "the entropy back end (default: getrandom() of the host)"),
    PROP_U64(VirtioRng, max_bytes, "max-bytes", INT64_MAX, 1, INT64_MAX,
             "bytes provided in a period"),
    PROP_U32(VirtioRng, period_ms, "period", 0x10000, 1, UINT32_MAX, "length of a period in ms"),
};
static bool rng_check(void *obj, GError **err)
{
    VirtioRng *rng = obj;

    if (rng->quota > rng->max_bytes) {
        return error_set(err, ERROR_GUEST,
                         "quota %" G_GUINT64_FORMAT " exceeds max-bytes %" G_GUINT64_FORMAT
                         " of the device",
                         rng->quota, rng->max_bytes);
    }
    return true;
}
VIRTIO_STATES(rng, "virtio-rng", VirtioRng, 1, rng_check, NULL, VM_U64(VirtioRng, quota),
              VM_TIMER(VirtioRng, refill));

VIRTIO_TYPES(rng, "rng", VirtioRng, "entropy source", 0x00ff00, rng_props, rng_class,
             &rng_auto_vectors, PLAN_BUS_NONE);
VIRTIO_DEVICE_TYPES(rng);

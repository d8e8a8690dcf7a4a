/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng: entropy for the guest (virtio 1.2, 5.4), limited to max-bytes every period.
 */
#include <sys/random.h>

#include "hw/core/host_object.h"
#include "hw/virtio/virtio_pci.h"
#include "util/log.h"

typedef struct VirtioRng {
    VirtioPCI vpci;
    char *rng;          /* the back end's id; NULL: the host kernel's generator */
    HostObject *source; /* the back end, or NULL */
    uint64_t max_bytes; /* per period */
    uint32_t period_ms;
    uint64_t quota;  /* bytes left in this period */
    uint64_t filled; /* bytes of the next chain that a turn has filled already. Not saved: the chain
                        is filled anew where the machine goes on */
    Timer refill;
} VirtioRng;

/* Bytes per read of the source, and per unit of a turn: the host's generator gives a few hundred in
 * a microsecond. */
enum { CHUNK = 16384, UNIT_BYTES = 256 };

static VirtioRng *rng_of(VirtioDevice *v)
{
    return v->instance;
}

static size_t read_source(VirtioRng *rng, uint8_t *bytes, size_t len)
{
    ssize_t got;

    if (rng->source) {
        return host_rng_read(rng->source, bytes, len);
    }
    got = getrandom(bytes, len, 0);
    return got > 0 ? got : 0;
}

/* Where byte rng->filled of the chain is: its segment, and *skip bytes into that. */
static const struct iovec *filled_to(const VirtioRng *rng, const VirtqBuf *buf, size_t *skip)
{
    const struct iovec *seg = buf->out;

    for (*skip = rng->filled; *skip >= seg->iov_len; seg++) {
        *skip -= seg->iov_len;
    }
    return seg;
}

/* Fill the chain from byte rng->filled to `want`, as far as the turn and the source go. False: the
 * source has nothing now. */
static bool fill(VirtioRng *rng, VirtqBuf *buf, size_t want)
{
    const struct iovec *seg = NULL;
    size_t skip = 0;

    while (rng->filled < want && virtio_turn_left(&rng->vpci.virtio) > 0) {
        size_t part, got;

        if (!seg) {
            seg = filled_to(rng, buf, &skip);
        }
        part = MIN(MIN(seg->iov_len - skip, want - rng->filled), CHUNK);
        got = read_source(rng, (uint8_t *)seg->iov_base + skip, part);
        virtio_turn_charge(&rng->vpci.virtio, 1 + got / UNIT_BYTES);
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

static void serve(VirtioRng *rng);

/* The source has more: the memory of a stopped machine is left alone. */
static void more(void *dev)
{
    VirtioRng *rng = dev;

    if (machine_active(rng->vpci.pci.dev.machine)) {
        virtq_later(virtio_queue(&rng->vpci.virtio, 0));
    }
}

/* One chain: false if it stays with the driver, since the turn is over (then the next one goes on
 * where this one ended) or the source has nothing now. A chain gets what the source and the period
 * give, one byte or more (5.4.6.2). */
static bool serve_one(VirtioRng *rng, VirtQueue *vq, VirtqBuf *buf)
{
    uint64_t rest = buf->out_len - MIN(buf->out_len, rng->filled);
    size_t want = MIN(rng->filled + MIN(rest, rng->quota), UINT32_MAX);
    bool had = fill(rng, buf, want);

    buf->touched = MIN(rng->filled, buf->out_len);
    if (rng->filled < want && (had || (rng->filled == 0 && rng->source))) {
        virtq_unpop(vq, buf);
        if (had) {
            virtq_later(vq);
        } else {
            host_rng_wait(rng->source, more, rng);
        }
        return false;
    }
    virtq_push(vq, buf, MIN(rng->filled, buf->out_len));
    rng->filled = 0;
    return true;
}

static void serve(VirtioRng *rng)
{
    VirtQueue *vq = virtio_queue(&rng->vpci.virtio, 0);
    VirtqBuf *buf;

    while (rng->quota > 0 && (buf = virtq_next(vq)) && serve_one(rng, vq, buf)) {
    }
    virtq_notify(vq);
    if (rng->quota == 0 && !timer_armed(&rng->refill)) {
        timer_arm_ns(&rng->refill, rng->period_ms * 1000000ull);
    }
}

static void refill(void *dev)
{
    VirtioRng *rng = dev;

    rng->quota = rng->max_bytes;
    serve(rng);
}

static void rng_notified(VirtioDevice *v, unsigned queue)
{
    serve(rng_of(v));
}

static void rng_queue_reset(VirtioDevice *v, unsigned queue)
{
    rng_of(v)->filled = 0;
}

static void rng_reset(VirtioDevice *v)
{
    timer_cancel(&rng_of(v)->refill);
    rng_of(v)->quota = rng_of(v)->max_bytes;
}

static uint64_t rng_features(VirtioDevice *v)
{
    return 0;
}

static bool rng_init(void *dev, GError **err)
{
    VirtioRng *rng = dev;
    Device *d = &rng->vpci.pci.dev;

    if (rng->rng && !(rng->source = host_rng_find(d->machine, rng->rng, err))) {
        g_prefix_error(err, "%s: ", device_name(d));
        return false;
    }
    if (rng->source) {
        host_object_use(rng->source, device_name(d));
    }
    virtio_add_queue(&rng->vpci.virtio, 8);
    timer_setup(&rng->refill, refill, rng);
    rng->quota = rng->max_bytes;
    return true;
}

static void rng_exit(void *dev)
{
    VirtioRng *rng = dev;
    Device *d = &rng->vpci.pci.dev;

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
    .device_id = 4,
    .features = rng_features,
    .queue_notified = rng_notified,
    .queue_reset = rng_queue_reset,
    .reset = rng_reset,
};
static const PlanProp rng_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_BACKEND(VirtioRng, rng, "rng", "rng",
                 "where the entropy comes from (the host's if absent)"),
    PROP_U64(VirtioRng, max_bytes, "max-bytes", INT64_MAX, 1, INT64_MAX, "bytes given in a period"),
    PROP_U32(VirtioRng, period_ms, "period", 0x10000, 1, UINT32_MAX, "length of a period in ms"),
};
static bool rng_check(void *obj, GError **err)
{
    VirtioRng *rng = obj;

    if (rng->quota > rng->max_bytes) {
        g_set_error(err, g_quark_from_static_string("virtio"), 0,
                    "quota is above max-bytes of this device");
        return false;
    }
    return true;
}
static const VmField rng_fields[] = {
    VM_VIRTIO_PCI(VirtioRng, vpci),
    VM_U64(VirtioRng, quota),
    VM_TIMER(VirtioRng, refill),
};
static const VmState rng_state = {
    .name = "virtio-rng", .version = 1, .fields = LIST(rng_fields), .check = rng_check
};

VIRTIO_PCI_TYPES(rng, "rng", VirtioRng, "entropy source", 0x00ff00, rng_props, rng_state, rng_class,
                 rng_init, rng_exit, &rng_auto_vectors);
VIRTIO_DEVICE_TYPES(rng);

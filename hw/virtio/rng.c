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
    uint64_t quota; /* bytes left in this period */
    Timer refill;
} VirtioRng;

enum { CHUNK = 256 };

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

static size_t fill(VirtioRng *rng, VirtqBuf *buf)
{
    size_t want = MIN(buf->out_len, rng->quota), done = 0;
    uint8_t bytes[CHUNK];

    while (done < want) {
        size_t got = read_source(rng, bytes, MIN(want - done, sizeof(bytes)));

        if (got == 0) {
            break;
        }
        virtq_write(buf, done, bytes, got);
        done += got;
    }
    rng->quota -= done;
    return done;
}

static void serve(VirtioRng *rng);

/* The source has more, or the machine runs (again): a stopped one's memory is left alone. */
static void more(void *dev)
{
    VirtioRng *rng = dev;
    Machine *m = rng->vpci.pci.dev.machine;

    if ((machine_running(m) || m->qtest) && device_enter(&rng->vpci.pci.dev)) {
        serve(rng);
        device_leave(&rng->vpci.pci.dev);
    }
}

/* A source that has nothing now leaves the buffer with the driver until it has. */
static void serve(VirtioRng *rng)
{
    VirtQueue *vq = virtio_queue(&rng->vpci.virtio, 0);
    VirtqBuf *buf;

    while (rng->quota > 0 && (buf = virtq_pop(vq))) {
        size_t done = fill(rng, buf);

        if (done == 0 && rng->source && buf->out_len > 0) {
            virtq_unpop(vq, buf);
            host_rng_wait(rng->source, more, rng);
            break;
        }
        virtq_push(vq, buf, done);
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

static void rng_reset(VirtioDevice *v)
{
    timer_cancel(&rng_of(v)->refill);
    rng_of(v)->quota = rng_of(v)->max_bytes;
}

static uint64_t rng_features(VirtioDevice *v)
{
    return 0;
}

static void run_changed(void *opaque, bool running, RunState state)
{
    if (running) {
        more(opaque);
    }
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
        machine_add_run_fn(d->machine, run_changed, rng);
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
        machine_remove_run_fn(d->machine, run_changed, rng);
        host_rng_wait(rng->source, NULL, NULL);
        host_object_unuse(rng->source, device_name(d));
        rng->source = NULL;
    }
}

static unsigned rng_auto_vectors(const void *dev)
{
    return 2;
}

static const VirtioClass rng_class = {
    .name = "virtio-rng",
    .device_id = 4,
    .features = rng_features,
    .queue_notified = rng_notified,
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
                 rng_init, rng_exit, rng_auto_vectors);
VIRTIO_DEVICE_TYPES(rng);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues: operations that both ring formats share, the registers of a queue, and the saved
 * record of queues.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/log.h"

/* --- ring memory --- */

bool ring_read(VirtQueue *vq, uint64_t addr, void *buf, size_t len)
{
    if (vq->v->transport->dma_read(vq->v, addr, buf, len) != MEM_OK) {
        virtio_broken(vq->v, "queue %u: ring memory at 0x%" G_GINT64_MODIFIER "x is not RAM",
                      vq->index, addr);
        return false;
    }
    return true;
}

bool ring_write(VirtQueue *vq, uint64_t addr, const void *buf, size_t len)
{
    if (vq->v->transport->dma_write(vq->v, addr, buf, len) != MEM_OK) {
        virtio_broken(vq->v, "queue %u: ring memory at 0x%" G_GINT64_MODIFIER "x is not RAM",
                      vq->index, addr);
        return false;
    }
    return true;
}

bool ring_read16(VirtQueue *vq, uint64_t addr, uint16_t *v)
{
    return ring_read(vq, addr, v, sizeof(*v)); /* the host is little-endian: reg.c asserts it */
}

bool ring_write16(VirtQueue *vq, uint64_t addr, uint16_t v)
{
    return ring_write(vq, addr, &v, sizeof(v));
}

static const RingOps *virtq_ring_ops(const VirtQueue *vq)
{
    return virtio_has(vq->v, VIRTIO_F_RING_PACKED) ? &ring_packed : &ring_split;
}

/* --- for devices --- */

bool virtio_can_dma(VirtioDevice *v)
{
    return !v->transport->can_dma || v->transport->can_dma(v);
}

bool virtq_ready(const VirtQueue *vq)
{
    return vq->enabled && !vq->v->broken && (vq->v->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
           virtio_can_dma(vq->v);
}

bool virtq_empty(VirtQueue *vq)
{
    return !virtq_ready(vq) || !virtq_ring_ops(vq)->available(vq);
}

static VirtqBuf *virtq_count_taken(VirtQueue *vq, VirtqBuf *buf)
{
    if (buf) {
        vq->in_use++;
        virtio_turn_charge(vq->v, 1 + (buf->n_in + buf->n_out) / 8u);
    }
    return buf;
}

VirtqBuf *virtq_pop(VirtQueue *vq)
{
    return virtq_count_taken(vq, virtq_empty(vq) ? NULL : virtq_ring_ops(vq)->pop(vq));
}

VirtqBuf *virtq_refetch(VirtQueue *vq, uint16_t slot)
{
    return virtq_count_taken(vq, virtq_ready(vq) ? virtq_ring_ops(vq)->fetch(vq, slot) : NULL);
}

static bool virtq_buf_is_stale(const VirtqBuf *buf)
{
    return buf->epoch != buf->vq->epoch;
}

void virtq_push(VirtQueue *vq, VirtqBuf *buf, uint32_t written)
{
    if (!virtq_buf_is_stale(buf)) {
        vq->in_use--;
        if (virtq_ready(vq)) {
            virtq_ring_ops(vq)->push(vq, buf, written);
            vq->unsignalled = true;
        }
    }
    chain_free(buf, written);
}

void virtq_unpop(VirtQueue *vq, VirtqBuf *buf)
{
    if (!virtq_buf_is_stale(buf)) {
        vq->in_use--;
        virtq_ring_ops(vq)->unpop(vq, buf);
    }
    chain_free(buf, 0);
}

void virtq_discard(VirtqBuf *buf)
{
    if (!virtq_buf_is_stale(buf)) {
        buf->vq->in_use--;
    }
    chain_free(buf, 0);
}

void virtq_notify(VirtQueue *vq)
{
    uint16_t old = vq->signalled;
    bool valid = vq->signalled_valid;

    if (!virtq_ready(vq) || !vq->unsignalled) {
        return;
    }
    vq->unsignalled = false;
    vq->signalled = vq->next_used;
    vq->signalled_valid = true;
    if (virtq_ring_ops(vq)->wants_interrupt(vq, old, valid)) {
        vq->v->transport->interrupt(vq->v, vq->vector, false);
    }
}

VirtQueue *virtio_queue(VirtioDevice *v, unsigned n)
{
    return n < v->n_queues ? &v->queues[n] : NULL;
}

unsigned virtq_index(const VirtQueue *vq)
{
    return vq->index;
}

unsigned virtq_size(const VirtQueue *vq)
{
    return vq->size;
}

/* --- for transports --- */

void virtq_reset(VirtQueue *vq)
{
    *vq = (VirtQueue){ .v = vq->v,
                       .index = vq->index,
                       .max_size = vq->max_size,
                       .size = vq->max_size,
                       .vector = VIRTIO_MSI_NO_VECTOR,
                       .avail_wrap = true,
                       .used_wrap = true,
                       .epoch = vq->epoch + 1 };
    vq->v->waiting &= ~(1ull << vq->index);
}

void virtq_driver_reset(VirtQueue *vq)
{
    VirtioDevice *v = vq->v;

    if (v->cls->queue_reset) {
        v->cls->queue_reset(v, vq->index);
    }
    virtio_set_vector(v, &vq->vector, VIRTIO_MSI_NO_VECTOR);
    virtq_reset(vq);
}

static bool virtq_is_frozen(const VirtQueue *vq, const char *what)
{
    if (vq->enabled) {
        guest_error(device_name(vq->v->device),
                    "queue %u: %s changed while the queue is enabled: ignored", vq->index, what);
    }
    return vq->enabled;
}

static bool virtq_size_is_valid(const VirtQueue *vq, uint16_t size)
{
    bool packed = virtio_has(vq->v, VIRTIO_F_RING_PACKED);

    return size > 0 && size <= vq->max_size && (packed || !(size & (size - 1)));
}

void virtq_set_size(VirtQueue *vq, uint16_t size)
{
    if (virtq_is_frozen(vq, "size")) {
        return;
    }
    if (!virtq_size_is_valid(vq, size)) {
        guest_error(device_name(vq->v->device),
                    "queue %u: size %u ignored (at most %u, and a power of two in a split ring)",
                    vq->index, size, vq->max_size);
        return;
    }
    vq->size = size;
}

void virtq_set_area(VirtQueue *vq, uint64_t *area, uint64_t mask, uint64_t bits)
{
    if (!virtq_is_frozen(vq, "address")) {
        *area = (*area & ~mask) | (bits & mask);
    }
}

/* Return whether the ring areas have the alignment that 2.7 and 2.8 require. */
static bool virtq_is_aligned(const VirtQueue *vq)
{
    bool packed = virtio_has(vq->v, VIRTIO_F_RING_PACKED);

    return !(vq->desc & 15) && !(vq->driver & (packed ? 3 : 1)) && !(vq->device & 3);
}

void virtq_enable(VirtQueue *vq)
{
    if (!virtq_is_aligned(vq) || !virtq_size_is_valid(vq, vq->size)) {
        virtio_broken(vq->v, "queue %u: %s", vq->index,
                      virtq_is_aligned(vq) ? "its size is not valid for a split ring"
                                           : "a ring area is not aligned");
        return;
    }
    vq->enabled = true;
}

void virtq_set_legacy_area(VirtQueue *vq, uint64_t desc, uint32_t align)
{
    uint64_t driver = desc + 16 * (uint64_t)vq->size;

    if (desc == 0) {
        virtq_driver_reset(vq);
        return;
    }
    if (virtq_is_frozen(vq, "page")) {
        return;
    }
    vq->desc = desc;
    vq->driver = driver;
    vq->device = (driver + 4 + 2 * (uint64_t)vq->size + 2 + align - 1) & ~(uint64_t)(align - 1);
    virtq_enable(vq);
}

/* --- saved state: the common registers, followed by the queues that the driver set up --- */

enum { Q_ENABLED = 1, Q_AVAIL_WRAP = 2, Q_USED_WRAP = 4, Q_SIGNALLED = 8, Q_ALL = 15 };

static bool virtq_is_live(const VirtQueue *vq)
{
    return vq->enabled || vq->desc || vq->driver || vq->device || vq->size != vq->max_size ||
           vq->vector != VIRTIO_MSI_NO_VECTOR;
}

static void virtq_save(const VirtQueue *vq, ByteWriter *w)
{
    put_be16(w, vq->index);
    put_be16(w, vq->size);
    put_be16(w, vq->vector);
    put_u8(w, (vq->enabled ? Q_ENABLED : 0) | (vq->avail_wrap ? Q_AVAIL_WRAP : 0) |
                  (vq->used_wrap ? Q_USED_WRAP : 0) | (vq->signalled_valid ? Q_SIGNALLED : 0));
    put_be64(w, vq->desc);
    put_be64(w, vq->driver);
    put_be64(w, vq->device);
    put_be16(w, vq->next_avail);
    put_be16(w, vq->next_used);
    put_be16(w, vq->signalled);
}

static void virtio_record_save(void *field, ByteWriter *w)
{
    VirtioDevice *v = field;
    unsigned n = 0;

    for (unsigned i = 0; i < v->n_queues; i++) {
        n += virtq_is_live(&v->queues[i]);
    }
    put_u8(w, v->status);
    put_u8(w, v->isr);
    put_u8(w, v->config_generation);
    put_u8(w, v->broken);
    put_be16(w, v->config_vector);
    put_be64(w, v->guest_features | v->not_offered);
    put_be16(w, n);
    for (unsigned i = 0; i < v->n_queues; i++) {
        if (virtq_is_live(&v->queues[i])) {
            virtq_save(&v->queues[i], w);
        }
    }
}

static bool virtq_check_loaded(const VirtQueue *vq, uint8_t flags, const char *path, GError **err)
{
    bool packed = virtio_has(vq->v, VIRTIO_F_RING_PACKED);

    if (flags & ~Q_ALL) {
        return error_set(err, ERROR_GUEST, "%s: queue %u: unknown flags 0x%x", path, vq->index,
                         flags);
    }
    if (vq->size == 0 || vq->size > vq->max_size ||
        (vq->enabled && !virtq_size_is_valid(vq, vq->size))) {
        return error_set(err, ERROR_GUEST, "%s: queue %u: size %u (at most %u)", path, vq->index,
                         vq->size, vq->max_size);
    }
    if (vq->enabled && !virtq_is_aligned(vq)) {
        return error_set(err, ERROR_GUEST, "%s: queue %u: a ring area is not aligned", path,
                         vq->index);
    }
    if (packed && (vq->next_avail >= vq->size || vq->next_used >= vq->size)) {
        return error_set(err, ERROR_GUEST, "%s: queue %u: position %u/%u in a ring of %u", path,
                         vq->index, vq->next_avail, vq->next_used, vq->size);
    }
    if (!packed && (uint16_t)(vq->next_avail - vq->next_used) > vq->size) {
        return error_set(err, ERROR_GUEST, "%s: queue %u: %u buffers in flight in a ring of %u",
                         path, vq->index, (uint16_t)(vq->next_avail - vq->next_used), vq->size);
    }
    return true;
}

static bool virtq_load(VirtioDevice *v, ByteReader *r, const char *path, GError **err)
{
    uint16_t index = get_be16(r);
    VirtQueue *vq = virtio_queue(v, index);
    uint8_t flags;

    if (!reader_ok(r) || !vq) {
        return error_set(err, ERROR_GUEST, "%s: queue %u does not exist (the device has %u)", path,
                         index, v->n_queues);
    }
    vq->size = get_be16(r);
    vq->vector = get_be16(r);
    flags = get_u8(r);
    vq->enabled = flags & Q_ENABLED;
    vq->avail_wrap = flags & Q_AVAIL_WRAP;
    vq->used_wrap = flags & Q_USED_WRAP;
    vq->signalled_valid = flags & Q_SIGNALLED;
    vq->desc = get_be64(r);
    vq->driver = get_be64(r);
    vq->device = get_be64(r);
    vq->next_avail = get_be16(r);
    vq->next_used = get_be16(r);
    vq->signalled = get_be16(r);
    return reader_ok(r)
               ? virtq_check_loaded(vq, flags, path, err)
               : error_set(err, ERROR_GUEST, "%s: the record ends inside queue %u", path, index);
}

static bool virtio_load_common(VirtioDevice *v, ByteReader *r, const char *path, GError **err)
{
    uint64_t features;
    uint8_t broken;

    v->status = get_u8(r);
    v->isr = get_u8(r);
    v->config_generation = get_u8(r);
    broken = get_u8(r);
    v->config_vector = get_be16(r);
    features = get_be64(r);
    v->guest_features = features & v->host_features;
    v->not_offered = features & ~v->host_features;
    if (broken > 1 || (v->isr & ~3)) {
        return error_set(err, ERROR_GUEST, "%s: broken %u or isr 0x%x is out of range", path,
                         broken, v->isr);
    }
    v->broken = broken;
    /* Before FEATURES_OK a driver may write any bits (2.2.2). */
    if (v->not_offered && (v->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK))) {
        return error_set(err, ERROR_GUEST,
                         "%s: the guest negotiated features 0x%" G_GINT64_MODIFIER
                         "x that this device does not offer",
                         path, v->not_offered);
    }
    return true;
}

static bool virtio_record_load(void *field, ByteReader *r, const char *path, GError **err)
{
    VirtioDevice *v = field;
    unsigned n;

    for (unsigned i = 0; i < v->n_queues; i++) {
        virtq_reset(&v->queues[i]);
    }
    if (!virtio_load_common(v, r, path, err)) {
        return false;
    }
    n = get_be16(r);
    if (!reader_ok(r) || n > v->n_queues) {
        return error_set(err, ERROR_GUEST, "%s: %u queues (the device has %u)", path, n,
                         v->n_queues);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!virtq_load(v, r, path, err)) {
            return false;
        }
    }
    return true;
}

const VmOps virtio_record_ops = { "virtio", virtio_record_save, virtio_record_load };

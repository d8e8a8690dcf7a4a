/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings (virtio 1.2, 2.8): one ring of descriptors, and two event suppression structures.
 */
#include "internal.h"

enum { DESC_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL, DESC_USED = 1 << VRING_PACKED_DESC_F_USED };

/* struct vring_packed_desc_event */
typedef struct EventSuppression {
    uint16_t off_wrap, flags;
} EventSuppression;

static uint64_t packed_slot_addr(const VirtQueue *vq, uint16_t slot)
{
    return vq->desc + 16 * (uint64_t)slot;
}

/* Advance a slot number by n, and toggle the wrap counter at the end of the ring. */
static void packed_advance(const VirtQueue *vq, uint16_t *slot, bool *wrap, uint16_t n)
{
    *slot += n;
    if (*slot >= vq->size) {
        *slot -= vq->size;
        *wrap = !*wrap;
    }
}

static bool packed_available(VirtQueue *vq)
{
    uint16_t flags;

    if (!ring_read16(vq, packed_slot_addr(vq, vq->next_avail) + 14, &flags)) {
        return false;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* read the descriptor after its flags */
    return !!(flags & DESC_AVAIL) == vq->avail_wrap && !!(flags & DESC_USED) != vq->avail_wrap;
}

static bool packed_add_descriptor(VirtqBuf *buf, const VringDesc *d)
{
    VirtQueue *vq = buf->vq;

    if (!(d->b & VRING_DESC_F_INDIRECT)) {
        return chain_add(buf, d->addr, d->len, d->b & VRING_DESC_F_WRITE);
    }
    if (!virtio_has(vq->v, VIRTIO_RING_F_INDIRECT_DESC) || (d->b & VRING_DESC_F_NEXT)) {
        virtio_broken(vq->v, "queue %u: an indirect descriptor that %s", vq->index,
                      d->b & VRING_DESC_F_NEXT ? "has a successor" : "was not negotiated");
        return false;
    }
    return chain_add_indirect(buf, d->addr, d->len, false);
}

static bool packed_read_chain(VirtqBuf *buf, uint16_t slot)
{
    VirtQueue *vq = buf->vq;
    bool wrap = false;
    VringDesc d;

    do {
        if (buf->n_desc == vq->size) {
            virtio_broken(vq->v, "queue %u: a chain longer than the ring", vq->index);
            return false;
        }
        if (!ring_read(vq, packed_slot_addr(vq, slot), &d, sizeof(d)) ||
            !packed_add_descriptor(buf, &d)) {
            return false;
        }
        buf->n_desc++;
        packed_advance(vq, &slot, &wrap, 1);
    } while (d.b & VRING_DESC_F_NEXT);
    buf->id = d.a;
    return true;
}

/* Request a notification when the driver makes the next buffer available. */
static void packed_write_event(VirtQueue *vq)
{
    EventSuppression e = { vq->next_avail | (vq->avail_wrap ? 0x8000 : 0),
                           VRING_PACKED_EVENT_FLAG_DESC };

    ring_write(vq, vq->device, &e, sizeof(e));
}

static VirtqBuf *packed_fetch(VirtQueue *vq, uint16_t slot)
{
    VirtqBuf *buf = chain_new(vq);

    buf->slot = slot;
    if (slot >= vq->size || !packed_read_chain(buf, slot)) {
        chain_free(buf, 0);
        return NULL;
    }
    return buf;
}

static VirtqBuf *packed_pop(VirtQueue *vq)
{
    VirtqBuf *buf = packed_fetch(vq, vq->next_avail);

    if (!buf) {
        return NULL;
    }
    packed_advance(vq, &vq->next_avail, &vq->avail_wrap, buf->n_desc);
    if (virtio_has(vq->v, VIRTIO_RING_F_EVENT_IDX)) {
        packed_write_event(vq);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the ring is read again */
    }
    return buf;
}

static void packed_unpop(VirtQueue *vq, const VirtqBuf *buf)
{
    if (vq->next_avail < buf->n_desc) {
        vq->next_avail += vq->size;
        vq->avail_wrap = !vq->avail_wrap;
    }
    vq->next_avail -= buf->n_desc;
}

static void packed_push(VirtQueue *vq, const VirtqBuf *buf, uint32_t written)
{
    uint64_t at = packed_slot_addr(vq, vq->next_used);
    uint8_t body[6] = { written,       written >> 8,   written >> 16,
                        written >> 24, buf->id & 0xff, buf->id >> 8 };
    uint16_t flags =
        (vq->used_wrap ? DESC_AVAIL | DESC_USED : 0) | (written ? VRING_DESC_F_WRITE : 0);

    if (ring_write(vq, at + 8, body, sizeof(body))) {
        __atomic_thread_fence(__ATOMIC_RELEASE); /* write length and id before the flags */
        ring_write16(vq, at + 14, flags);
        packed_advance(vq, &vq->next_used, &vq->used_wrap, buf->n_desc);
    }
}

static bool packed_wants_interrupt(VirtQueue *vq, uint16_t old, bool old_valid)
{
    EventSuppression e;
    uint16_t event;

    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* write the flags before reading the driver's request */
    if (!ring_read(vq, vq->driver, &e, sizeof(e)) || e.flags == VRING_PACKED_EVENT_FLAG_DISABLE) {
        return false;
    }
    if (e.flags != VRING_PACKED_EVENT_FLAG_DESC || !virtio_has(vq->v, VIRTIO_RING_F_EVENT_IDX) ||
        !old_valid) {
        return true;
    }
    /* Slots of the previous lap become negative, so that vring_need_event() can be used. */
    event = e.off_wrap & 0x7fff;
    if ((e.off_wrap >> 15) != vq->used_wrap) {
        event -= vq->size;
    }
    if (old >= vq->next_used) { /* equal: one complete lap */
        old -= vq->size;
    }
    return vring_need_event(event, vq->next_used, old);
}

const RingOps ring_packed = {
    .available = packed_available,
    .fetch = packed_fetch,
    .pop = packed_pop,
    .unpop = packed_unpop,
    .push = packed_push,
    .wants_interrupt = packed_wants_interrupt,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split rings (virtio 1.2, 2.7): descriptor table, available ring, used ring.
 */
#include "internal.h"

static uint64_t split_avail_entry(const VirtQueue *vq, uint16_t i)
{
    return vq->driver + 4 + 2 * (uint64_t)(i % vq->size);
}

/* Written by the driver: the used index that it requests an interrupt for. */
static uint64_t split_used_event(const VirtQueue *vq)
{
    return vq->driver + 4 + 2 * (uint64_t)vq->size;
}

/* Written by the device: the available index that it requests a notification for. */
static uint64_t split_avail_event(const VirtQueue *vq)
{
    return vq->device + 4 + 8 * (uint64_t)vq->size;
}

static bool split_available(VirtQueue *vq)
{
    uint16_t idx, waiting;

    if (!ring_read16(vq, vq->driver + 2, &idx)) {
        return false;
    }
    waiting = idx - vq->next_avail;
    if (waiting > vq->size) {
        virtio_broken(vq->v, "queue %u: available index moved from %u to %u, queue size %u",
                      vq->index, vq->next_avail, idx, vq->size);
        return false;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE); /* read entries after the index */
    return waiting > 0;
}

static bool split_add_descriptor(VirtqBuf *buf, const VringDesc *d)
{
    VirtQueue *vq = buf->vq;

    if (!(d->a & VRING_DESC_F_INDIRECT)) {
        return chain_add(buf, d->addr, d->len, d->a & VRING_DESC_F_WRITE);
    }
    if (!virtio_has(vq->v, VIRTIO_RING_F_INDIRECT_DESC) || (d->a & VRING_DESC_F_NEXT)) {
        virtio_broken(vq->v, "queue %u: an indirect descriptor that %s", vq->index,
                      d->a & VRING_DESC_F_NEXT ? "has a successor" : "was not negotiated");
        return false;
    }
    return chain_add_indirect(buf, d->addr, d->len, true);
}

static bool split_read_chain(VirtqBuf *buf, uint16_t i)
{
    VirtQueue *vq = buf->vq;
    VringDesc d;
    unsigned seen = 0;

    do {
        if (i >= vq->size || seen++ == vq->size) {
            virtio_broken(vq->v, "queue %u: descriptor %u of %u%s", vq->index, i, vq->size,
                          i < vq->size ? " (a loop)" : "");
            return false;
        }
        if (!ring_read(vq, vq->desc + 16 * (uint64_t)i, &d, sizeof(d)) ||
            !split_add_descriptor(buf, &d)) {
            return false;
        }
        i = d.b;
    } while (d.a & VRING_DESC_F_NEXT);
    return true;
}

static VirtqBuf *split_fetch(VirtQueue *vq, uint16_t head)
{
    VirtqBuf *buf = chain_new(vq);

    buf->id = buf->slot = head;
    buf->n_desc = 1;
    if (!split_read_chain(buf, head)) {
        chain_free(buf, 0);
        return NULL;
    }
    return buf;
}

static VirtqBuf *split_pop(VirtQueue *vq)
{
    VirtqBuf *buf;
    uint16_t head;

    if (!ring_read16(vq, split_avail_entry(vq, vq->next_avail), &head)) {
        return NULL;
    }
    buf = split_fetch(vq, head);
    if (!buf) {
        return NULL;
    }
    vq->next_avail++;
    if (virtio_has(vq->v, VIRTIO_RING_F_EVENT_IDX)) {
        ring_write16(vq, split_avail_event(vq), vq->next_avail);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* before the ring is read again */
    }
    return buf;
}

static void split_unpop(VirtQueue *vq, const VirtqBuf *buf)
{
    vq->next_avail--;
}

static void split_push(VirtQueue *vq, const VirtqBuf *buf, uint32_t written)
{
    uint32_t entry[2] = { buf->id, written };

    if (ring_write(vq, vq->device + 4 + 8 * (uint64_t)(vq->next_used % vq->size), entry,
                   sizeof(entry))) {
        __atomic_thread_fence(__ATOMIC_RELEASE); /* write the entry before the index */
        ring_write16(vq, vq->device + 2, ++vq->next_used);
    }
}

static bool split_wants_interrupt(VirtQueue *vq, uint16_t old, bool old_valid)
{
    uint16_t word;

    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* write the index before reading the driver's request */
    if (virtio_has(vq->v, VIRTIO_RING_F_EVENT_IDX)) {
        return ring_read16(vq, split_used_event(vq), &word) &&
               (!old_valid || vring_need_event(word, vq->next_used, old));
    }
    return ring_read16(vq, vq->driver, &word) && !(word & VRING_AVAIL_F_NO_INTERRUPT);
}

const RingOps ring_split = {
    .available = split_available,
    .fetch = split_fetch,
    .pop = split_pop,
    .unpop = split_unpop,
    .push = split_push,
    .wants_interrupt = split_wants_interrupt,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor chains: from guest descriptors to pinned host memory, all or nothing.
 *
 * A chain that the specification does not allow (2.7.5.3.1, 2.8) breaks the device: more than
 * VIRTIO_MAX_SEGMENTS descriptors, buffers outside RAM, empty buffers, a readable buffer behind a
 * writable one, or a malformed indirect table. A chain may contain more than 4 GiB in total; the
 * device decides what to do with it.
 */
#include <string.h>

#include "internal.h"

typedef struct ChainMap {
    void **handles;
    struct iovec *iov;
    unsigned n, room;
} ChainMap;

VirtqBuf *chain_new(VirtQueue *vq)
{
    VirtqBuf *buf = g_new0(VirtqBuf, 1);

    buf->vq = vq;
    buf->epoch = vq->epoch;
    buf->map = g_new0(ChainMap, 1);
    return buf;
}

static void chain_grow(VirtqBuf *buf, ChainMap *map)
{
    if (map->n == map->room) {
        map->room = map->room ? map->room * 2 : 8;
        map->handles = g_renew(void *, map->handles, map->room);
        map->iov = g_renew(struct iovec, map->iov, map->room);
        buf->addr = g_renew(uint64_t, buf->addr, map->room);
    }
    buf->in = map->iov;
    buf->out = map->iov + buf->n_in;
}

bool chain_add(VirtqBuf *buf, uint64_t addr, uint32_t len, bool writable)
{
    VirtioDevice *v = buf->vq->v;
    ChainMap *map = buf->map;
    void *host, *handle;

    if (map->n == VIRTIO_MAX_SEGMENTS || len == 0) {
        virtio_broken(v, "queue %u: a chain with %s", buf->vq->index,
                      len == 0 ? "an empty buffer" : "more buffers than a queue may hold");
        return false;
    }
    if (!writable && buf->n_out > 0) {
        virtio_broken(v, "queue %u: a readable buffer behind a writable one", buf->vq->index);
        return false;
    }
    host = v->transport->dma_map(v, addr, len, writable, &handle);
    if (!host) {
        virtio_broken(v, "queue %u: buffer at 0x%" G_GINT64_MODIFIER "x, %u bytes, is not in RAM",
                      buf->vq->index, addr, len);
        return false;
    }
    chain_grow(buf, map);
    map->handles[map->n] = handle;
    map->iov[map->n] = (struct iovec){ host, len };
    buf->addr[map->n++] = addr;
    *(writable ? &buf->n_out : &buf->n_in) += 1;
    *(writable ? &buf->out_len : &buf->in_len) += len;
    buf->in = map->iov;
    buf->out = map->iov + buf->n_in;
    return true;
}

static bool chain_table_is_bad(VirtqBuf *buf, uint32_t len)
{
    if (len == 0 || len % sizeof(VringDesc) || len / sizeof(VringDesc) > VIRTIO_MAX_SEGMENTS) {
        virtio_broken(buf->vq->v, "queue %u: an indirect table of %u bytes", buf->vq->index, len);
        return true;
    }
    return false;
}

bool chain_add_indirect(VirtqBuf *buf, uint64_t addr, uint32_t len, bool linked)
{
    unsigned n = len / sizeof(VringDesc), i = 0, seen = 0;
    g_autofree VringDesc *table = NULL;

    if (chain_table_is_bad(buf, len)) {
        return false;
    }
    table = g_malloc(len);
    if (!ring_read(buf->vq, addr, table, len)) {
        return false;
    }
    for (;;) {
        const VringDesc *d = &table[i];
        uint16_t flags = linked ? d->a : d->b;

        if (flags & VRING_DESC_F_INDIRECT || seen++ == n) {
            virtio_broken(buf->vq->v, "queue %u: an indirect table that %s", buf->vq->index,
                          flags & VRING_DESC_F_INDIRECT ? "names another" : "loops");
            return false;
        }
        if (!chain_add(buf, d->addr, d->len, flags & VRING_DESC_F_WRITE)) {
            return false;
        }
        if (linked ? !(flags & VRING_DESC_F_NEXT) : i + 1 == n) {
            return true;
        }
        i = linked ? d->b : i + 1;
        if (i >= n) {
            virtio_broken(buf->vq->v, "queue %u: entry %u of an indirect table of %u",
                          buf->vq->index, i, n);
            return false;
        }
    }
}

void chain_free(VirtqBuf *buf, size_t written)
{
    VirtioDevice *v = buf->vq->v;
    ChainMap *map = buf->map;

    written = MAX(written, buf->touched);
    for (unsigned i = 0; i < map->n; i++) {
        size_t part = i < (unsigned)buf->n_in ? 0 : MIN(written, map->iov[i].iov_len);

        v->transport->dma_unmap(v, map->handles[i], part);
        written -= part;
    }
    g_free(map->handles);
    g_free(map->iov);
    g_free(map);
    g_free(buf->addr);
    g_free(buf);
}

/* Copy between a buffer and segments, from byte `at` of the segments on. to_iov: into the segments.
 */
static size_t chain_copy(const struct iovec *iov, int n, size_t at, void *flat, size_t len,
                         bool to_iov)
{
    size_t done = 0;

    for (int i = 0; i < n && done < len; i++) {
        size_t part;

        if (at >= iov[i].iov_len) {
            at -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - at, len - done);
        if (to_iov) {
            memcpy((uint8_t *)iov[i].iov_base + at, (uint8_t *)flat + done, part);
        } else {
            memcpy((uint8_t *)flat + done, (uint8_t *)iov[i].iov_base + at, part);
        }
        done += part;
        at = 0;
    }
    return done;
}

size_t virtq_read(const VirtqBuf *buf, size_t at, void *dst, size_t len)
{
    return chain_copy(buf->in, buf->n_in, at, dst, len, false);
}

size_t virtq_write(VirtqBuf *buf, size_t at, const void *src, size_t len)
{
    size_t done = chain_copy(buf->out, buf->n_out, at, (void *)src, len, true);

    buf->touched = MAX(buf->touched, at + done);
    return done;
}

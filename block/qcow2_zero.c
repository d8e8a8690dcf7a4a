/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: writes of zeroes, and discards. Complete clusters change only their L2 entries. Version 2
 * has no entry for zeroes: with a backing file zeroes are stored as data, and discards are ignored.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

/* Bytes of zeroes that one step stores. */
enum { ZERO_STEP = 1 << 20 };

static bool zero_has_flag(const Qcow2 *q)
{
    return q->version >= 3;
}

/* Write zeroes as data. */
static int zero_write_data(Qcow2 *q, uint64_t at, uint64_t len)
{
    g_autofree uint8_t *zeroes = g_try_malloc0(MIN(len, ZERO_STEP));
    int r = zeroes ? 0 : -ENOMEM;

    for (uint64_t done = 0; done < len && r == 0; done += ZERO_STEP) {
        struct iovec iov = { zeroes, MIN(len - done, ZERO_STEP) };
        BlockRequest part = { .len = iov.iov_len, .iov = &iov, .n_iov = 1 };

        part.p.op = BLOCK_WRITE;
        part.p.at = at + done;
        r = qcow2_write_request(q, &part);
    }
    return r;
}

/* Zeroes in parts of clusters. What reads as zeroes already is not changed. */
static int zero_part(Qcow2 *q, uint64_t at, uint64_t len)
{
    Qcow2Extent e;
    int r = 0;

    for (uint64_t done = 0; done < len && r == 0; done += e.len) {
        unsigned slot;

        r = qcow2_map_pin(q, at + done, len - done, &e, &slot);
        if (r < 0) {
            return r;
        }
        qcow2_unpin(q, slot);
        if (e.type == QCOW2_DATA || e.type == QCOW2_DEFLATED ||
            (e.type == QCOW2_UNALLOCATED && q->node->backing)) {
            r = zero_write_data(q, at + done, e.len);
        }
    }
    return r;
}

/* The L2 entry of a cluster after zeroes are written or the cluster is discarded. */
static uint64_t zero_entry(const Qcow2 *q, const Qcow2Extent *e, bool discard)
{
    bool kept = !discard && e->copied && (e->type == QCOW2_DATA || e->type == QCOW2_ZEROES_KEPT);

    if (kept) {
        return (e->entry & QCOW2_OFFSET) | QCOW2_COPIED | QCOW2_ZERO;
    }
    return zero_has_flag(q) && (q->node->backing || !discard) ? QCOW2_ZERO : 0;
}

/* Change the entry of one complete cluster. meta is held. */
static int zero_cluster(Qcow2 *q, uint64_t at, bool discard)
{
    Qcow2Extent e;
    uint64_t entry;
    int r = qcow2_map_get(q, at, q->cluster, &e);

    if (r < 0 || (discard && e.type == QCOW2_ZEROES) ||
        (e.type == QCOW2_UNALLOCATED && !q->node->backing)) {
        return r;
    }
    entry = zero_entry(q, &e, discard);
    if (entry == e.entry) {
        return 0;
    }
    r = qcow2_map_own_table(q, at);
    r = r < 0 ? r : qcow2_map_set(q, at, entry);
    if (r == 0 && (entry & QCOW2_OFFSET) == 0) {
        qcow2_unref_entry(q, e.entry);
    }
    return r;
}

/* Change the entries of complete clusters, a bounded number at a time. */
static int zero_clusters(Qcow2 *q, uint64_t at, uint64_t len, bool discard)
{
    enum { CLUSTERS_AT_A_TIME = 1024, FREED_MAX = 4096 };
    uint64_t end = at + len;
    int r = 0;

    while (at < end && r == 0) {
        uint64_t stop = MIN(end, at + (CLUSTERS_AT_A_TIME << q->cluster_bits));

        g_mutex_lock(&q->meta);
        r = qcow2_prepare_write(q);
        while (r == 0 &&
               qcow2_wait_allocs(q, at >> q->cluster_bits, (stop - at) >> q->cluster_bits)) {
        }
        for (; at < stop && r == 0; at += q->cluster) {
            r = zero_cluster(q, at, discard);
        }
        if (r == 0 && q->freed->len > FREED_MAX) {
            r = qcow2_sync(q);
        }
        g_mutex_unlock(&q->meta);
    }
    return r;
}

/* Split [at, at + len) into a part of a cluster, complete clusters, and a part of a cluster. The
 * last cluster of the disk is complete although the disk ends inside it. */
static void zero_split(const Qcow2 *q, uint64_t at, uint64_t len, uint64_t *first, uint64_t *last)
{
    uint64_t end = at + len, mask = q->cluster - 1;

    *first = (at + mask) & ~mask;
    *last = end == q->size ? (end + mask) & ~mask : end & ~mask;
}

int qcow2_discard_request(Qcow2 *q, const BlockRequest *req)
{
    uint64_t first, last;

    zero_split(q, req->p.at, req->len, &first, &last);
    if (first >= last || (!zero_has_flag(q) && q->node->backing)) {
        return 0;
    }
    return qcow2_is_damaged(q) ? -EIO : zero_clusters(q, first, last - first, true);
}

int qcow2_zero_request(Qcow2 *q, const BlockRequest *req)
{
    uint64_t first, last, end = req->p.at + req->len;
    bool data = !zero_has_flag(q) && (q->node->backing || !req->p.unmap);
    int r = 0;

    zero_split(q, req->p.at, req->len, &first, &last);
    if (qcow2_is_damaged(q)) {
        return -EIO;
    }
    if (first >= last || data) {
        return data ? zero_write_data(q, req->p.at, req->len) : zero_part(q, req->p.at, req->len);
    }
    if (first > req->p.at) {
        r = zero_part(q, req->p.at, first - req->p.at);
    }
    r = r < 0 ? r : zero_clusters(q, first, last - first, req->p.unmap);
    return r == 0 && end > last ? zero_part(q, last, end - last) : r;
}

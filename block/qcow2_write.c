/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: writes in the calling thread. A write to clusters that nothing else refers to is
 * stored in place. Any other write allocates clusters, stores the data together with the
 * rest of the old contents, and then changes the L2 entries. The data are written without `meta`;
 * Qcow2Alloc keeps other requests away from the guest clusters meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

typedef struct WritePlan {
    Qcow2Alloc guest;
    uint64_t at, len; /* guest bytes that the request writes */
    uint64_t host;    /* offset of the first cluster */
    bool fresh;       /* the clusters contain zeroes */
    bool kept;        /* the cluster of a QCOW2_ZEROES_KEPT entry is used */
    bool blank;       /* the old contents are zeroes */
} WritePlan;

bool qcow2_wait_allocs(Qcow2 *q, uint64_t first, uint64_t n)
{
    for (const Qcow2Alloc *a = q->allocs; a; a = a->next) {
        if (first < a->first + a->n && a->first < first + n) {
            g_cond_wait(&q->changed, &q->meta);
            return true;
        }
    }
    return false;
}

static void write_begin_alloc(Qcow2 *q, Qcow2Alloc *a)
{
    a->next = q->allocs;
    q->allocs = a;
}

static void write_end_alloc(Qcow2 *q, Qcow2Alloc *a)
{
    Qcow2Alloc **p = &q->allocs;

    while (*p != a) {
        p = &(*p)->next;
    }
    *p = a->next;
    g_cond_broadcast(&q->changed);
}

static bool write_needs_alloc(const Qcow2Extent *e)
{
    return e->type != QCOW2_DATA || !e->copied;
}

/* Count the guest clusters, from `at` on, that need an allocation. */
static int write_count(Qcow2 *q, uint64_t at, uint64_t len, uint64_t *n)
{
    uint64_t table = q->cluster << q->l2_bits;
    uint64_t end = MIN(at + len, (at / table + 1) * table);
    uint64_t first = at >> q->cluster_bits;

    for (*n = 0; (first + *n) << q->cluster_bits < end; ++*n) {
        Qcow2Extent e;
        int r = qcow2_map_get(q, MAX(at, (first + *n) << q->cluster_bits), 1, &e);

        if (r < 0) {
            return r;
        }
        if (!write_needs_alloc(&e)) {
            return 0;
        }
        for (const Qcow2Alloc *a = q->allocs; a; a = a->next) {
            if (first + *n >= a->first && first + *n < a->first + a->n) {
                return 0;
            }
        }
    }
    return 0;
}

/* Choose clusters of the file for a write that begins with the extent e. */
static int write_plan(Qcow2 *q, const Qcow2Extent *e, uint64_t at, uint64_t len, WritePlan *w)
{
    uint64_t first = at >> q->cluster_bits, n = 1, got = 1;
    int r = qcow2_map_own_table(q, at);

    *w = (WritePlan){ .guest.first = first, .at = at };
    w->kept = e->type == QCOW2_ZEROES_KEPT && e->copied;
    if (r == 0 && w->kept) {
        w->host = e->entry & QCOW2_OFFSET;
        r = node_grow_any(qcow2_file(q), w->host + q->cluster);
    } else if (r == 0) {
        r = write_count(q, at, len, &n);
        r = r < 0 ? r : qcow2_allocate(q, n, false, &w->host, &got, &w->fresh);
    }
    w->guest.n = got;
    w->len = MIN(len, ((first + got) << q->cluster_bits) - at);
    return r;
}

/* --- data --- */

/* Fill the rest of the first and the last cluster with the old contents of the guest's clusters.
 * head and tail: their lengths. */
static int write_read_rest(Qcow2 *q, const WritePlan *w, uint8_t *rest, uint64_t head,
                           uint64_t tail)
{
    uint64_t end = w->at + w->len;
    int r = qcow2_read(q, w->at - head, rest, head);

    return r < 0 ? r : qcow2_read(q, end, rest + head, tail);
}

/* Write the data and the rest of the clusters. Neither lock. */
static int write_data(Qcow2 *q, const WritePlan *w, const BlockRequest *req, uint64_t done)
{
    uint64_t head = w->at & (q->cluster - 1);
    uint64_t tail = (w->guest.n << q->cluster_bits) - head - w->len;
    bool rest = !(w->fresh && w->blank) && head + tail > 0;
    g_autofree uint8_t *buf = rest ? g_try_malloc0(head + tail) : NULL;
    g_autofree struct iovec *iov = g_new(struct iovec, req->n_iov + 3);
    int n = 0, r = 0;

    if (rest && !buf) {
        return -ENOMEM;
    }
    if (rest && !w->blank) {
        r = write_read_rest(q, w, buf, head, tail);
    }
    if (r < 0) {
        return r;
    }
    if (rest && head) {
        iov[n++] = (struct iovec){ buf, head };
    }
    n += qcow2_slice_iov(req, done, w->len, iov + n);
    if (rest && tail) {
        iov[n++] = (struct iovec){ buf + head, tail };
    }
    return node_writev_any(qcow2_file(q), w->host + (rest ? 0 : head), iov, n,
                           w->len + (rest ? head + tail : 0));
}

/* Let the L2 entries refer to the new clusters, and count the old ones less. */
static int write_link(Qcow2 *q, const WritePlan *w)
{
    int r = 0;

    for (uint64_t i = 0; i < w->guest.n && r == 0; i++) {
        uint64_t at = (w->guest.first + i) << q->cluster_bits;
        Qcow2Extent old;

        r = qcow2_map_get(q, at, 1, &old);
        r = r < 0 ? r : qcow2_map_set(q, at, (w->host + (i << q->cluster_bits)) | QCOW2_COPIED);
        if (r == 0 && !w->kept) {
            qcow2_unref_entry(q, old.entry);
        } else if (r < 0 && !w->kept) {
            qcow2_unallocate(q, w->host + (i << q->cluster_bits), w->guest.n - i);
        }
    }
    return r;
}

/* --- requests --- */

/* Allocate and write a part of the request. *len: its length; 0: the extent has changed, try again.
 * meta is held, and released meanwhile. */
static int write_allocating(Qcow2 *q, const BlockRequest *req, uint64_t done, uint64_t *len)
{
    uint64_t at = req->p.at + done;
    WritePlan w;
    Qcow2Extent e;
    int r = qcow2_prepare_write(q);

    *len = 0;
    if (r < 0 || qcow2_wait_allocs(q, at >> q->cluster_bits, 1)) {
        return r;
    }
    r = qcow2_map_get(q, at, req->len - done, &e);
    if (r < 0 || !write_needs_alloc(&e)) {
        return r;
    }
    r = write_plan(q, &e, at, MIN(e.len, req->len - done), &w);
    if (r < 0) {
        return r;
    }
    w.blank = e.type == QCOW2_ZEROES || e.type == QCOW2_ZEROES_KEPT ||
              (e.type == QCOW2_UNALLOCATED && !q->node->backing);
    write_begin_alloc(q, &w.guest);
    g_mutex_unlock(&q->meta);
    r = write_data(q, &w, req, done);
    g_mutex_lock(&q->meta);
    if (r == 0) {
        r = write_link(q, &w);
    } else if (!w.kept) {
        qcow2_unallocate(q, w.host, w.guest.n);
    }
    write_end_alloc(q, &w.guest);
    *len = w.len;
    return r;
}

/* Write to clusters that nothing else refers to. */
static int write_in_place(Qcow2 *q, const BlockRequest *req, uint64_t done, const Qcow2Extent *e)
{
    g_autofree struct iovec *iov = g_new(struct iovec, req->n_iov + 1);
    int n = qcow2_slice_iov(req, done, e->len, iov), r = 0;

    if (e->host + e->len > node_size_any(qcow2_file(q))) {
        g_mutex_lock(&q->meta); /* only one thread changes the size */
        r = node_grow_any(qcow2_file(q), e->host + e->len);
        g_mutex_unlock(&q->meta);
    }
    return r < 0 ? r : node_writev_any(qcow2_file(q), e->host, iov, n, e->len);
}

static int write_part(Qcow2 *q, const BlockRequest *req, uint64_t done, uint64_t *len)
{
    Qcow2Extent e;
    unsigned slot;
    int r;

    if (!__atomic_load_n(&q->prepared, __ATOMIC_ACQUIRE)) {
        g_mutex_lock(&q->meta);
        r = qcow2_prepare_write(q);
        g_mutex_unlock(&q->meta);
        if (r < 0) {
            return r;
        }
    }
    r = qcow2_map_pin(q, req->p.at + done, req->len - done, &e, &slot);
    if (r < 0) {
        return r;
    }
    if (!write_needs_alloc(&e)) {
        r = write_in_place(q, req, done, &e);
        *len = e.len;
    }
    qcow2_unpin(q, slot);
    if (write_needs_alloc(&e)) {
        g_mutex_lock(&q->meta);
        r = write_allocating(q, req, done, len);
        g_mutex_unlock(&q->meta);
    }
    return r;
}

int qcow2_write_request(Qcow2 *q, const BlockRequest *req)
{
    int r = 0;

    for (uint64_t done = 0, len = 0; done < req->len && r == 0; done += len) {
        len = 0;
        r = qcow2_is_damaged(q) ? -EIO : write_part(q, req, done, &len);
    }
    return r;
}

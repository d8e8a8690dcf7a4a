/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: reference counts. Clusters are allocated from the lowest free one on. Clusters that lose
 * a reference remain allocated until the change that removed the reference is durable and the
 * requests that may access them have ended.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

#define REFCOUNT_HOST_MAX   (1ull << 56)  /* bytes of a file that L2 entries can refer to */
#define REFCOUNT_BEYOND_MAX (1u << 20)    /* clusters in use beyond the end of the file */
#define REFCOUNT_FREED_MAX  (64ull << 20) /* bytes that wait for a flush */

uint64_t qcow2_refcounts_per_block(const Qcow2 *q)
{
    return q->cluster * 8 >> q->refcount_order;
}

uint64_t qcow2_refcount_max(const Qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : (1ull << (1u << q->refcount_order)) - 1;
}

uint64_t qcow2_refcount_decode(const Qcow2 *q, const uint8_t *block, uint64_t i)
{
    unsigned bits = 1u << q->refcount_order, bytes = bits / 8;
    uint64_t v = 0;

    if (bits < 8) {
        return block[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
    }
    for (unsigned b = 0; b < bytes; b++) {
        v = v << 8 | block[i * bytes + b];
    }
    return v;
}

void qcow2_refcount_encode(const Qcow2 *q, uint8_t *block, uint64_t i, uint64_t value)
{
    unsigned bits = 1u << q->refcount_order, bytes = bits / 8;

    if (bits < 8) {
        uint8_t *p = &block[i * bits / 8];
        unsigned shift = i * bits % 8, mask = (1u << bits) - 1;

        *p = (uint8_t)((*p & ~(mask << shift)) | value << shift);
        return;
    }
    for (unsigned b = bytes; b-- > 0; value >>= 8) {
        block[i * bytes + b] = (uint8_t)value;
    }
}

/* Get the slice with the count of a cluster; NULL: no block exists. *i: the index in the slice. */
static int refcount_slice(Qcow2 *q, uint64_t index, Qcow2Slice **slice, uint64_t *i)
{
    uint64_t per_block = qcow2_refcounts_per_block(q), block = index / per_block;
    uint64_t per_slice = (uint64_t)q->slice * 8 >> q->refcount_order, in = index % per_block;
    uint64_t at = block < q->table_entries ? q->table[block] : 0;

    *slice = NULL;
    *i = in % per_slice;
    if (at == 0) {
        return 0;
    }
    return qcow2_cache_get(q, &q->refcounts, at + in / per_slice * q->slice, slice);
}

int qcow2_refcount_get(Qcow2 *q, uint64_t index, uint64_t *value)
{
    Qcow2Slice *s;
    uint64_t i;
    int r = refcount_slice(q, index, &s, &i);

    *value = r == 0 && s ? qcow2_refcount_decode(q, s->data, i) : 0;
    return r;
}

int qcow2_refcount_set(Qcow2 *q, uint64_t index, uint64_t value)
{
    Qcow2Slice *s;
    uint64_t i;
    int r = refcount_slice(q, index, &s, &i);

    if (r == 0 && !s) {
        return qcow2_damage(q, "cluster without a reference count", index << q->cluster_bits);
    }
    if (r == 0) {
        qcow2_refcount_encode(q, s->data, i, value);
        s->dirty = true;
        qcow2_set_dirty(q);
    }
    return r;
}

/* --- allocation --- */

/* Find the first cluster from *index on whose count is 0, or that has no refcount block. Counts far
 * beyond the end of the file are damage; without a limit the search would be unbounded. */
static int refcount_find_free(Qcow2 *q, uint64_t *index)
{
    uint64_t per_slice = (uint64_t)q->slice * 8 >> q->refcount_order, i;
    uint64_t limit = qcow2_clusters(q, qcow2_file(q)->size) + REFCOUNT_BEYOND_MAX;
    Qcow2Slice *s;

    for (;;) {
        int r = refcount_slice(q, *index, &s, &i);

        if (r < 0 || !s) {
            return r;
        }
        if (*index > limit) {
            return qcow2_damage(q, "reference counts beyond the end of the file",
                                *index << q->cluster_bits);
        }
        for (; i < per_slice; i++, ++*index) {
            if (qcow2_refcount_decode(q, s->data, i) == 0) {
                return 0;
            }
        }
    }
}

/* Count the free clusters from `index` on, up to `want`. *hole: the first one without a refcount
 * block; UINT64_MAX: none. */
static int refcount_run(Qcow2 *q, uint64_t index, uint64_t want, uint64_t *n, uint64_t *hole)
{
    *hole = UINT64_MAX;
    for (*n = 0; *n < want; ++*n) {
        Qcow2Slice *s;
        uint64_t i;
        int r = refcount_slice(q, index + *n, &s, &i);

        if (r < 0) {
            return r;
        }
        if (!s) {
            *hole = index + *n;
            return 0;
        }
        if (qcow2_refcount_decode(q, s->data, i) != 0) {
            return 0;
        }
    }
    return 0;
}

/* Find a run of free clusters, all with refcount blocks. */
static int refcount_search(Qcow2 *q, uint64_t want, bool exact, uint64_t *index, uint64_t *n)
{
    uint64_t at = q->free_hint, hole;

    for (;;) {
        int r = refcount_find_free(q, &at);

        if (r == 0 && at > (REFCOUNT_HOST_MAX >> q->cluster_bits) - want) {
            return -ENOSPC;
        }
        r = r < 0 ? r : refcount_run(q, at, want, n, &hole);
        if (r < 0) {
            return r;
        }
        if (*n == want || (*n > 0 && !exact)) {
            *index = at;
            return 0;
        }
        if (hole == UINT64_MAX) {
            at += *n;
            continue;
        }
        r = qcow2_table_add_block(q, hole, &at);
        if (r < 0) {
            return r;
        }
        at = exact ? at : MIN(at, hole + 1);
    }
}

/* A hostile or damaged image may count a cluster as free that is in use as a table. */
static int refcount_check_overlap(Qcow2 *q, uint64_t index, uint64_t n)
{
    for (uint64_t i = index; i < index + n; i++) {
        if (i == 0 || g_hash_table_contains(q->metadata, GSIZE_TO_POINTER(i))) {
            return qcow2_damage(q, "cluster in use as a table, with a reference count of 0",
                                i << q->cluster_bits);
        }
    }
    return 0;
}

/* Extend the file so that it contains the clusters, in steps. */
static int refcount_extend_file(Qcow2 *q, uint64_t end)
{
    enum { STEP = 1 << 20 };
    uint64_t step = MAX(STEP, q->cluster);

    return end <= qcow2_file(q)->size
               ? 0
               : node_grow_any(qcow2_file(q), (end + step - 1) / step * step);
}

static int refcount_set_run(Qcow2 *q, uint64_t index, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        int r = qcow2_refcount_set(q, index + i, 1);

        if (r < 0) {
            while (i-- > 0) {
                qcow2_refcount_set(q, index + i, 0);
            }
            return r;
        }
    }
    return 0;
}

/* Return whether so many clusters wait for a flush that they are made free before the file grows. A
 * driver that never flushes can therefore not make the file grow beyond what the disk contains by
 * more than an eighth, or 64 MiB. */
static bool refcount_must_reclaim(const Qcow2 *q, uint64_t end)
{
    return end > q->fresh_from && q->freed_bytes > 0 &&
           q->freed_bytes >= MIN(qcow2_file(q)->size / 8, REFCOUNT_FREED_MAX);
}

/* Find free clusters, making those free that wait for a flush if the file would grow otherwise. */
static int refcount_choose(Qcow2 *q, uint64_t want, bool exact, uint64_t *index, uint64_t *got)
{
    int r = refcount_search(q, want, exact, index, got);

    if (r < 0 || !refcount_must_reclaim(q, *index + *got)) {
        return r;
    }
    r = qcow2_sync(q);
    return r < 0 ? r : refcount_search(q, want, exact, index, got);
}

int qcow2_allocate(Qcow2 *q, uint64_t want, bool exact, uint64_t *at, uint64_t *got, bool *fresh)
{
    uint64_t index;
    int r;

    qcow2_release(q);
    r = refcount_choose(q, want, exact, &index, got);
    if (r < 0) {
        return r;
    }
    *fresh = index >= q->fresh_from;
    if (!*fresh && !exact) {
        *got = MIN(*got, q->fresh_from - index);
    }
    r = refcount_check_overlap(q, index, *got);
    r = r < 0 ? r : refcount_extend_file(q, (index + *got) << q->cluster_bits);
    r = r < 0 ? r : refcount_set_run(q, index, *got);
    if (r < 0) {
        return r;
    }
    q->fresh_from = MAX(q->fresh_from, index + *got);
    if (!exact || want == 1) { /* the search began at the hint: nothing below is free */
        q->free_hint = index + *got;
    }
    *at = index << q->cluster_bits;
    return 0;
}

void qcow2_unallocate(Qcow2 *q, uint64_t at, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        qcow2_refcount_set(q, (at >> q->cluster_bits) + i, 0);
    }
    q->free_hint = MIN(q->free_hint, at >> q->cluster_bits);
}

/* --- release --- */

void qcow2_unref(Qcow2 *q, uint64_t at, uint64_t len)
{
    uint64_t start = at & ~(q->cluster - 1);
    Qcow2Range r = { start, ((at + len + q->cluster - 1) & ~(q->cluster - 1)) - start };
    Qcow2Range *last =
        q->freed->len ? &g_array_index(q->freed, Qcow2Range, q->freed->len - 1) : NULL;

    if (last && last->at + last->len == r.at) {
        last->len += r.len;
    } else {
        g_array_append_val(q->freed, r);
    }
    q->freed_bytes += r.len;
    qcow2_set_dirty(q);
}

void qcow2_unref_entry(Qcow2 *q, uint64_t entry)
{
    uint64_t at = entry & QCOW2_OFFSET, len = q->cluster;

    if (entry & QCOW2_COMPRESSED) {
        qcow2_compressed_place(q, entry, &at, &len);
        qcow2_inflate_forget(q);
    }
    if (at) {
        qcow2_unref(q, at, len);
    }
}

/* Count one reference less. *free: it was the last one. */
static int refcount_drop(Qcow2 *q, uint64_t index, bool *free)
{
    uint64_t value;
    int r = qcow2_refcount_get(q, index, &value);

    *free = value == 1;
    if (r == 0 && value == 0) {
        return qcow2_damage(q, "cluster in use, with a reference count of 0",
                            index << q->cluster_bits);
    }
    return r < 0 ? r : qcow2_refcount_set(q, index, value - 1);
}

static void refcount_release_range(Qcow2 *q, Qcow2Range range)
{
    uint64_t end = (range.at + range.len) >> q->cluster_bits, hole = 0, n = 0;

    for (uint64_t i = range.at >> q->cluster_bits; i < end; i++) {
        bool free;

        if (refcount_drop(q, i, &free) < 0) {
            return; /* the clusters remain allocated */
        }
        if (free) {
            qcow2_cache_drop(q, &q->l2, i << q->cluster_bits);
            g_hash_table_remove(q->metadata, GSIZE_TO_POINTER(i));
            q->free_hint = MIN(q->free_hint, i);
            hole = n ? hole : i;
            n++;
        }
        if (n && (!free || i + 1 == end)) {
            if (q->node->discard) { /* a hint: errors do not matter */
                node_discard_any(qcow2_file(q), hole << q->cluster_bits, n << q->cluster_bits);
            }
            n = 0;
        }
    }
}

void qcow2_release(Qcow2 *q)
{
    bool pinned;

    if (q->waiting->len == 0) {
        return;
    }
    g_mutex_lock(&q->map);
    pinned = q->pins[!q->pin_slot] > 0;
    g_mutex_unlock(&q->map);
    if (pinned) {
        return;
    }
    for (guint i = 0; i < q->waiting->len; i++) {
        refcount_release_range(q, g_array_index(q->waiting, Qcow2Range, i));
    }
    g_array_set_size(q->waiting, 0);
}

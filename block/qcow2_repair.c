/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: reference counts of an image with the dirty bit, whose last user (with lazy reference
 * counts) ended without closing it. All references are counted and the counts are stored.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "util/log.h"

typedef struct RepairCounts {
    uint32_t *count; /* references to each cluster of the file */
    uint64_t n;
} RepairCounts;

static int repair_count(Qcow2 *q, RepairCounts *c, uint64_t at, uint64_t len)
{
    uint64_t i = at >> q->cluster_bits, end = qcow2_clusters(q, at + len);

    if (len == 0) {
        return 0;
    }
    if (end > c->n || at + len < at) {
        return qcow2_damage(q, "reference beyond the end of the file", at);
    }
    for (; i < end; i++) {
        c->count[i]++;
    }
    return 0;
}

/* Read a table of 8-byte entries in CPU order; NULL on an error. */
static uint64_t *repair_read_table(Qcow2 *q, uint64_t at, uint64_t n, int *r)
{
    uint64_t *table = g_try_new(uint64_t, MAX(n, 1));

    *r = table ? node_read_any(qcow2_file(q), at, table, n * 8) : -ENOMEM;
    if (*r < 0) {
        g_free(table);
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++) {
        table[i] = GUINT64_FROM_BE(table[i]);
    }
    return table;
}

static int repair_count_entry(Qcow2 *q, RepairCounts *c, uint64_t entry)
{
    uint64_t at = entry & QCOW2_OFFSET, len = q->cluster;

    if (entry & QCOW2_COMPRESSED) {
        qcow2_compressed_place(q, entry, &at, &len);
        /* the last sectors may be beyond the end of the file */
        len = at < c->n << q->cluster_bits ? MIN(len, (c->n << q->cluster_bits) - at) : len;
    } else if (at & (q->cluster - 1)) {
        return qcow2_damage(q, "L2 entry", at);
    }
    return at ? repair_count(q, c, at, len) : 0;
}

static int repair_count_l2(Qcow2 *q, RepairCounts *c, uint64_t at)
{
    uint64_t n = 1ull << q->l2_bits;
    int r = repair_count(q, c, at, q->cluster);
    g_autofree uint64_t *l2 = r < 0 ? NULL : repair_read_table(q, at, n, &r);

    for (uint64_t i = 0; i < n && r == 0; i++) {
        r = repair_count_entry(q, c, l2[i]);
    }
    return r;
}

static int repair_count_l1(Qcow2 *q, RepairCounts *c, uint64_t at, uint32_t n)
{
    int r = repair_count(q, c, at, (uint64_t)n * 8);
    g_autofree uint64_t *l1 = r < 0 ? NULL : repair_read_table(q, at, n, &r);

    for (uint32_t i = 0; i < n && r == 0; i++) {
        uint64_t l2 = l1[i] & QCOW2_OFFSET;

        if (l2 & (q->cluster - 1)) {
            return qcow2_damage(q, "L1 entry", i);
        }
        r = l2 ? repair_count_l2(q, c, l2) : 0;
    }
    return r;
}

/* Bitmaps are not maintained, and their autoclear bit is cleared: their clusters become free. */
static int repair_count_all(Qcow2 *q, RepairCounts *c)
{
    int r = repair_count(q, c, 0, 1);

    r = r < 0 ? r : repair_count_l1(q, c, q->l1_offset, q->l1_size);
    r = r < 0 ? r
              : repair_count(q, c, q->table_offset, (uint64_t)q->table_clusters << q->cluster_bits);
    for (uint32_t i = 0; i < q->table_entries && r == 0; i++) {
        r = q->table[i] ? repair_count(q, c, q->table[i], q->cluster) : 0;
    }
    for (unsigned i = 0; i < q->snapshots->len && r == 0; i++) {
        const Qcow2Snapshot *s = q->snapshots->pdata[i];

        r = repair_count_l1(q, c, s->l1_offset, s->l1_size);
    }
    return r < 0 || !q->n_snapshots ? r : repair_count(q, c, q->snapshot_offset, q->snapshot_bytes);
}

/* Find a cluster without references that the refcount block `block` counts. */
static int repair_find_unused(Qcow2 *q, const RepairCounts *c, uint64_t block, uint64_t *index)
{
    uint64_t per_block = qcow2_refcounts_per_block(q);

    for (uint64_t i = block * per_block; i < (block + 1) * per_block; i++) {
        if (i >= c->n || c->count[i] == 0) {
            *index = i;
            return 0;
        }
    }
    return qcow2_damage(q, "clusters without a refcount block",
                        (block * per_block) << q->cluster_bits);
}

/* Create the refcount blocks that clusters in use lack. The block itself was lost, so at least one
 * of the clusters that it counts is not in use. */
static int repair_add_blocks(Qcow2 *q, RepairCounts *c)
{
    uint64_t per_block = qcow2_refcounts_per_block(q), index = 0, next;
    int r = 0;

    for (uint64_t i = 0; i < c->n && r == 0; i++) {
        if (c->count[i] == 0 || (i / per_block < q->table_entries && q->table[i / per_block])) {
            continue;
        }
        if (i / per_block >= q->table_entries) {
            return qcow2_damage(q, "size of the reference count table", i << q->cluster_bits);
        }
        r = repair_find_unused(q, c, i / per_block, &index);
        r = r < 0 ? r : qcow2_table_add_block(q, index, &next);
        if (r == 0 && index < c->n) {
            c->count[index] = 1;
        }
    }
    return r;
}

static int repair_store(Qcow2 *q, RepairCounts *c)
{
    int r = repair_add_blocks(q, c);

    for (uint64_t i = 0; i < c->n && r == 0; i++) {
        uint64_t value;

        if (c->count[i] > qcow2_refcount_max(q)) {
            return qcow2_damage(q, "number of references to a cluster", i << q->cluster_bits);
        }
        r = qcow2_refcount_get(q, i, &value);
        if (r == 0 && value != c->count[i]) {
            r = qcow2_refcount_set(q, i, c->count[i]);
        }
    }
    return r;
}

/* The counts are durable before the dirty bit is cleared. */
static int repair_finish(Qcow2 *q)
{
    int r = qcow2_sync_refcounts(q);

    if (r < 0) {
        return r;
    }
    q->incompatible &= ~QCOW2_DIRTY;
    qcow2_header_set64(q, QCOW2_H_INCOMPATIBLE, q->incompatible);
    r = qcow2_header_write(q);
    return r < 0 ? r : node_flush_any(qcow2_file(q));
}

int qcow2_repair(Qcow2 *q)
{
    RepairCounts c = { .n = qcow2_clusters(q, qcow2_file(q)->size) };
    int r;

    c.count = g_try_new0(uint32_t, c.n);
    if (!c.count) {
        return -ENOMEM;
    }
    message("qcow2: image '%s' was not closed: its reference counts are computed again",
            node_filename(q->node));
    r = repair_count_all(q, &c);
    r = r < 0 ? r : repair_store(q, &c);
    r = r < 0 ? r : repair_finish(q);
    g_free(c.count);
    return r;
}

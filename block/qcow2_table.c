/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: the refcount table and the L1 table: loading, new refcount blocks, and growth. A table
 * that is too small is written again elsewhere, and the header refers to it when it is durable.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

#define TABLE_RESERVED 0x1ffull

int qcow2_table_zero(Qcow2 *q, uint64_t at, uint64_t n)
{
    g_autofree uint8_t *zeroes = g_try_malloc0(q->cluster);
    int r = zeroes ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < n && r == 0; i++) {
        r = node_write_any(qcow2_file(q), at + (i << q->cluster_bits), zeroes, q->cluster);
    }
    return r;
}

/* --- loading --- */

static bool table_check_entries(Qcow2 *q, GError **err)
{
    for (uint32_t i = 0; i < q->table_entries; i++) {
        uint64_t at = q->table[i] = GUINT64_FROM_BE(q->table[i]);

        if (at && ((at & TABLE_RESERVED) || (at & (q->cluster - 1)) || at >= qcow2_file(q)->size)) {
            return error_set(
                err, ERROR_GUEST,
                "entry %u of the reference count table is invalid: 0x%" G_GINT64_MODIFIER "x", i,
                at);
        }
    }
    return true;
}

bool qcow2_table_load(Qcow2 *q, GError **err)
{
    uint64_t bytes = (uint64_t)q->table_clusters << q->cluster_bits;
    int r;

    g_clear_pointer(&q->table, g_free);
    q->table_entries = (uint32_t)(bytes / 8);
    q->table = g_try_malloc(bytes);
    r = q->table ? node_read_any(qcow2_file(q), q->table_offset, q->table, bytes) : -ENOMEM;
    if (r < 0) {
        return error_set_errno(err, -r, "cannot read the reference count table");
    }
    return table_check_entries(q, err);
}

/* --- growth of the refcount table --- */

/* The new table and the blocks that count its own clusters follow each other in the file. */
typedef struct TableLayout {
    uint64_t start;         /* first cluster */
    uint64_t table, blocks; /* clusters */
    uint64_t entries;
} TableLayout;

/* Find sizes for a table whose clusters begin at `start`, which no block counts yet. */
static void table_plan(const Qcow2 *q, uint64_t start, TableLayout *l)
{
    uint64_t per_block = qcow2_refcounts_per_block(q), first = start / per_block;

    *l = (TableLayout){ .start = start, .table = q->table_clusters, .blocks = 1 };
    for (bool fits = false; !fits;) {
        uint64_t last = (start + l->table + l->blocks - 1) / per_block;

        l->entries = (l->table << q->cluster_bits) / 8;
        fits = true;
        if (last - first + 1 > l->blocks) {
            l->blocks = last - first + 1;
            fits = false;
        }
        if (l->entries < last + 1 + q->table_entries / 2) {
            l->table++;
            fits = false;
        }
    }
}

static int table_write_blocks(Qcow2 *q, const TableLayout *l, uint64_t *table)
{
    uint64_t per_block = qcow2_refcounts_per_block(q), first = l->start / per_block;
    uint64_t end = l->start + l->table + l->blocks;
    g_autofree uint8_t *data = g_try_malloc(q->cluster);
    int r = data ? 0 : -ENOMEM;

    for (uint64_t b = 0; b < l->blocks && r == 0; b++) {
        uint64_t from = MAX(l->start, (first + b) * per_block);
        uint64_t to = MIN(end, (first + b + 1) * per_block);
        uint64_t at = (l->start + l->table + b) << q->cluster_bits;

        memset(data, 0, q->cluster);
        for (uint64_t i = from; i < to; i++) {
            qcow2_refcount_encode(q, data, i % per_block, 1);
        }
        r = node_write_any(qcow2_file(q), at, data, q->cluster);
        table[first + b] = at;
    }
    return r;
}

static int table_write(Qcow2 *q, uint64_t at, const uint64_t *table, uint64_t n)
{
    g_autofree uint64_t *be = g_try_new(uint64_t, n);

    for (uint64_t i = 0; be && i < n; i++) {
        be[i] = GUINT64_TO_BE(table[i]);
    }
    return be ? node_write_any(qcow2_file(q), at, be, n * 8) : -ENOMEM;
}

/* Let the header refer to a table that is complete in the file. */
static int table_switch(Qcow2 *q, const TableLayout *l)
{
    int r = node_flush_any(qcow2_file(q));

    if (r == 0) {
        qcow2_header_set64(q, QCOW2_H_TABLE_OFFSET, l->start << q->cluster_bits);
        qcow2_header_set32(q, QCOW2_H_TABLE_CLUSTERS, (uint32_t)l->table);
        r = qcow2_header_write(q);
    }
    return r < 0 ? r : node_flush_any(qcow2_file(q));
}

static void table_add_metadata(Qcow2 *q, uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        g_hash_table_add(q->metadata, GSIZE_TO_POINTER(first + i));
    }
}

/* Replace the table by a larger one at cluster `start`. */
static int table_grow(Qcow2 *q, uint64_t start, uint64_t *next)
{
    TableLayout l;
    g_autofree uint64_t *table = NULL;
    uint64_t old = q->table_offset, old_clusters = q->table_clusters;
    int r = qcow2_sync_refcounts(q); /* the new table must not refer to unwritten blocks */

    if (r < 0) {
        return r;
    }
    table_plan(q, start, &l);
    *next = l.start + l.table + l.blocks;
    if (l.table << q->cluster_bits > QCOW2_TABLE_MAX) {
        return -EFBIG;
    }
    table = g_try_new0(uint64_t, l.entries);
    if (!table) {
        return -ENOMEM;
    }
    memcpy(table, q->table, q->table_entries * sizeof(*table));
    r = node_grow_any(qcow2_file(q), *next << q->cluster_bits);
    r = r < 0 ? r : table_write_blocks(q, &l, table);
    r = r < 0 ? r : table_write(q, l.start << q->cluster_bits, table, l.entries);
    r = r < 0 ? r : table_switch(q, &l);
    if (r < 0) {
        return r;
    }
    g_free(q->table);
    q->table = g_steal_pointer(&table);
    q->table_entries = (uint32_t)l.entries;
    q->table_offset = l.start << q->cluster_bits;
    q->table_clusters = (uint32_t)l.table;
    q->fresh_from = MAX(q->fresh_from, *next);
    table_add_metadata(q, l.start, l.table + l.blocks);
    qcow2_unref(q, old, old_clusters << q->cluster_bits);
    return 0;
}

int qcow2_table_add_block(Qcow2 *q, uint64_t index, uint64_t *next)
{
    uint64_t per_block = qcow2_refcounts_per_block(q), at = index << q->cluster_bits;
    int r;

    if (index / per_block >= q->table_entries) {
        return table_grow(q, index, next);
    }
    r = g_hash_table_contains(q->metadata, GSIZE_TO_POINTER(index))
            ? qcow2_damage(q, "table without a reference count", at)
            : node_grow_any(qcow2_file(q), at + q->cluster);
    r = r < 0 ? r : qcow2_table_zero(q, at, 1);
    if (r < 0) {
        return r;
    }
    table_add_metadata(q, index, 1);
    q->table[index / per_block] = at;
    q->table_dirty = true;
    q->fresh_from = MAX(q->fresh_from, index + 1);
    *next = index + 1;
    return qcow2_refcount_set(q, index, 1);
}

/* --- the L1 table --- */

static int table_move_l1(Qcow2 *q, uint64_t *l1, uint32_t n, uint64_t at)
{
    uint32_t old_n = q->l1_size;
    uint64_t old = q->l1_offset;
    int r = table_write(q, at, l1, n);

    r = r < 0 ? r : qcow2_sync(q); /* the counts of the new table are durable */
    r = r < 0 ? r : node_flush_any(qcow2_file(q));
    if (r < 0) {
        return r;
    }
    qcow2_header_set32(q, QCOW2_H_L1_SIZE, n);
    qcow2_header_set64(q, QCOW2_H_L1_OFFSET, at);
    r = qcow2_header_write(q);
    r = r < 0 ? r : node_flush_any(qcow2_file(q));
    if (r < 0) {
        return r;
    }
    g_free(q->l1);
    q->l1 = l1;
    q->l1_size = n;
    q->l1_offset = at;
    table_add_metadata(q, at >> q->cluster_bits, qcow2_clusters(q, (uint64_t)n * 8));
    if (old_n) {
        qcow2_unref(q, old, (uint64_t)old_n * 8);
    }
    return 0;
}

int qcow2_table_grow_l1(Qcow2 *q, uint64_t size)
{
    uint64_t per_table = q->cluster << q->l2_bits, at, got;
    uint64_t n = size / per_table + (size % per_table != 0);
    uint64_t *l1;
    bool fresh;
    int r;

    if (n <= q->l1_size) {
        return 0;
    }
    if (n > QCOW2_L1_MAX / 8) {
        return -EFBIG;
    }
    r = qcow2_allocate(q, qcow2_clusters(q, n * 8), true, &at, &got, &fresh);
    if (r < 0) {
        return r;
    }
    r = fresh ? 0 : qcow2_table_zero(q, at, got);
    l1 = r < 0 ? NULL : g_try_new0(uint64_t, n);
    if (l1) {
        memcpy(l1, q->l1, q->l1_size * sizeof(*l1));
        r = table_move_l1(q, l1, (uint32_t)n, at);
    } else if (r == 0) {
        r = -ENOMEM;
    }
    if (r < 0) {
        g_free(l1);
        qcow2_unallocate(q, at, got);
    }
    return r;
}

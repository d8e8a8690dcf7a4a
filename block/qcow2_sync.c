/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: writing metadata in the order that qcow2_internal.h describes, and the bits of the header
 * that state whether the image is in use (dirty) or damaged (corrupt).
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "util/log.h"

void qcow2_set_dirty(Qcow2 *q)
{
    __atomic_store_n(&q->dirty, true, __ATOMIC_RELEASE);
}

/* --- damage --- */

int qcow2_damage_seen(Qcow2 *q, const char *what, uint64_t at)
{
    __atomic_store_n(&q->damaged, true, __ATOMIC_RELEASE);
    if (!__atomic_exchange_n(&q->reported, true, __ATOMIC_ACQ_REL)) {
        message(
            "qcow2: image '%s' (node '%s') is damaged: invalid %s (0x%" G_GINT64_MODIFIER
            "x); writes are rejected. qemu-img check -r all repairs an image that is not in use",
            node_filename(q->node), q->node->name, what, at);
    }
    return -EIO;
}

int qcow2_damage(Qcow2 *q, const char *what, uint64_t at)
{
    qcow2_damage_seen(q, what, at);
    if (q->prepared && q->version >= 3 && !(q->incompatible & QCOW2_CORRUPT)) {
        q->incompatible |= QCOW2_CORRUPT;
        qcow2_header_set64(q, QCOW2_H_INCOMPATIBLE, q->incompatible);
        if (qcow2_header_write(q) == 0) {
            node_flush_any(qcow2_file(q));
        }
    }
    return -EIO;
}

/* --- writing --- */

/* Write the sectors of a table in memory whose entries changed. */
static int sync_write_table(Qcow2 *q, uint64_t at, const uint64_t *table, uint64_t n)
{
    enum { PIECE = 8192 };
    int r = 0;

    for (uint64_t i = 0; i < n && r == 0; i += PIECE) {
        uint64_t be[PIECE], count = MIN(n - i, PIECE);

        for (uint64_t k = 0; k < count; k++) {
            be[k] = GUINT64_TO_BE(table[i + k]);
        }
        r = node_write_any(qcow2_file(q), at + i * 8, be, count * 8);
    }
    return r;
}

static int sync_barrier(Qcow2 *q)
{
    return node_flush_any(qcow2_file(q));
}

int qcow2_sync_refcounts(Qcow2 *q)
{
    int r = qcow2_cache_write(q, &q->refcounts);

    r = r < 0 ? r : sync_barrier(q);
    if (r == 0 && q->table_dirty) {
        r = sync_write_table(q, q->table_offset, q->table, q->table_entries);
        r = r < 0 ? r : sync_barrier(q);
        q->table_dirty = r < 0;
    }
    return r;
}

/* Start to wait for the requests that may access the clusters in `freed`. */
static void sync_move_freed(Qcow2 *q)
{
    GArray *a = q->waiting;
    bool moved;

    qcow2_release(q);
    if (q->freed->len == 0 || q->waiting->len > 0) {
        return;
    }
    g_mutex_lock(&q->map);
    moved = q->pins[!q->pin_slot] == 0; /* all pins are in one slot, which is awaited from now on */
    q->pin_slot ^= moved;
    g_mutex_unlock(&q->map);
    if (moved) {
        q->waiting = q->freed;
        q->freed = a;
        q->freed_bytes = 0;
        qcow2_release(q);
    }
}

/* With lazy reference counts the dirty bit in the header is set: only data must precede. */
static int sync_write_references(Qcow2 *q)
{
    int r = q->lazy ? sync_barrier(q) : qcow2_sync_refcounts(q);

    r = r < 0 ? r : qcow2_cache_write(q, &q->l2);
    if (r == 0 && q->l1_dirty) {
        r = sync_write_table(q, q->l1_offset, q->l1, q->l1_size);
        q->l1_dirty = r < 0;
    }
    return r < 0 ? r : sync_barrier(q);
}

int qcow2_sync(Qcow2 *q)
{
    int r;

    if (!__atomic_load_n(&q->dirty, __ATOMIC_ACQUIRE)) {
        sync_move_freed(q); /* pins may have ended since the last change became durable */
        return 0;
    }
    r = sync_write_references(q);
    if (r == 0) {
        __atomic_store_n(&q->dirty, false, __ATOMIC_RELEASE);
        sync_move_freed(q);
    }
    return r;
}

int qcow2_settle(Qcow2 *q)
{
    int r;

    if (!q->prepared) {
        return 0; /* nothing was changed */
    }
    r = qcow2_sync(q);
    r = r < 0 ? r : qcow2_sync_refcounts(q);
    if (r == 0 && !qcow2_is_damaged(q) && (q->incompatible & QCOW2_DIRTY)) {
        q->incompatible &= ~QCOW2_DIRTY;
        qcow2_header_set64(q, QCOW2_H_INCOMPATIBLE, q->incompatible);
        r = qcow2_header_write(q);
        r = r < 0 ? r : sync_barrier(q);
    }
    if (r == 0) {
        __atomic_store_n(&q->dirty, false, __ATOMIC_RELEASE);
        __atomic_store_n(&q->prepared, false, __ATOMIC_RELEASE);
    }
    return r;
}

/* --- preparation --- */

static void sync_add_range(Qcow2 *q, uint64_t at, uint64_t bytes)
{
    for (uint64_t i = 0; bytes && i < qcow2_clusters(q, bytes); i++) {
        g_hash_table_add(q->metadata, GSIZE_TO_POINTER((at >> q->cluster_bits) + i));
    }
}

/* Collect the clusters of all tables. */
static void sync_find_metadata(Qcow2 *q)
{
    g_hash_table_remove_all(q->metadata);
    sync_add_range(q, q->l1_offset, (uint64_t)q->l1_size * 8);
    sync_add_range(q, q->table_offset, (uint64_t)q->table_clusters << q->cluster_bits);
    for (uint32_t i = 0; i < q->l1_size; i++) {
        if (q->l1[i] & QCOW2_OFFSET) {
            sync_add_range(q, q->l1[i] & QCOW2_OFFSET, q->cluster);
        }
    }
    for (uint32_t i = 0; i < q->table_entries; i++) {
        if (q->table[i]) {
            sync_add_range(q, q->table[i], q->cluster);
        }
    }
    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = q->snapshots->pdata[i];

        sync_add_range(q, s->l1_offset, (uint64_t)s->l1_size * 8);
    }
    sync_add_range(q, q->snapshot_offset, q->snapshot_bytes);
}

/* Bits for features that this driver does not maintain are cleared before the first change. */
static int sync_write_features(Qcow2 *q)
{
    uint64_t incompatible = q->incompatible | (q->lazy ? QCOW2_DIRTY : 0);
    int r;

    if (q->version < 3 || (q->autoclear == 0 && incompatible == q->incompatible)) {
        return 0;
    }
    qcow2_header_set64(q, QCOW2_H_AUTOCLEAR, 0);
    qcow2_header_set64(q, QCOW2_H_INCOMPATIBLE, incompatible);
    r = qcow2_header_write(q);
    r = r < 0 ? r : sync_barrier(q);
    if (r == 0) {
        q->autoclear = 0;
        q->incompatible = incompatible;
    }
    return r;
}

/* Extend the file to a multiple of the blocks of direct I/O. A write of the last block, which
 * restores the size of the file, would otherwise conflict with a later extension. */
static void sync_extend_file(Qcow2 *q)
{
    enum { BLOCK_MAX = 65536 };
    uint64_t unit = MAX(BLOCK_MAX, q->cluster), size = qcow2_file(q)->size;

    node_grow_any(qcow2_file(q), (size + unit - 1) / unit * unit); /* fails for a device: no need */
}

int qcow2_prepare_write(Qcow2 *q)
{
    g_autoptr(GError) err = NULL;
    int r;

    if (qcow2_is_damaged(q)) {
        return -EIO;
    }
    if (q->prepared) {
        return 0;
    }
    if (!qcow2_table_load(q, &err)) {
        message("qcow2: image '%s' (node '%s'): %s", node_filename(q->node), q->node->name,
                err->message);
        return -EIO;
    }
    qcow2_cache_clear(&q->refcounts);
    q->free_hint = 0;
    q->fresh_from = qcow2_clusters(q, qcow2_file(q)->size);
    sync_extend_file(q);
    sync_find_metadata(q);
    r = q->incompatible & QCOW2_DIRTY ? qcow2_repair(q) : 0;
    r = r < 0 ? r : sync_write_features(q);
    if (r == 0) {
        __atomic_store_n(&q->prepared, true, __ATOMIC_RELEASE);
    }
    return r;
}

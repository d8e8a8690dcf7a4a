/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: guest offsets to extents, through the L1 table and slices of L2 tables, and pins.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

/* Reserved bits, which are 0. */
#define L1_RESERVED 0x7f000000000001ffull
#define L2_RESERVED 0x3f000000000001feull

typedef struct MapPlace {
    uint64_t slice; /* offset of the slice in the file */
    unsigned at;    /* offset of the entry in the slice */
} MapPlace;

/* Find the L2 table for a guest offset; 0: none. -EIO: the L1 entry is invalid. */
static int map_table(Qcow2 *q, uint64_t at, uint64_t *table)
{
    uint64_t i = at >> (q->cluster_bits + q->l2_bits);
    uint64_t entry = i < q->l1_size ? q->l1[i] : 0, offset = entry & QCOW2_OFFSET;

    *table = offset;
    if (offset == 0) {
        return 0;
    }
    if ((entry & L1_RESERVED) || (offset & (q->cluster - 1)) ||
        offset >= node_size_any(qcow2_file(q))) {
        return qcow2_damage_seen(q, "L1 entry", i);
    }
    return 0;
}

static int map_place(Qcow2 *q, uint64_t at, MapPlace *p)
{
    uint64_t table, entry = (at >> q->cluster_bits & ((1ull << q->l2_bits) - 1)) * 8;
    int r = map_table(q, at, &table);

    p->slice = table ? table + entry / q->slice * q->slice : 0;
    p->at = entry % q->slice;
    return r;
}

/* Get the L2 entry of a guest offset. map. Returns 0, -ENOENT, or -EIO. */
static int map_entry(Qcow2 *q, uint64_t at, uint64_t *entry)
{
    MapPlace p;
    const Qcow2Slice *s;
    int r = map_place(q, at, &p);

    *entry = 0;
    if (r < 0 || p.slice == 0) {
        return r;
    }
    s = qcow2_cache_peek(&q->l2, p.slice);
    if (!s) {
        return -ENOENT;
    }
    *entry = qcow2_slice_get64(s, p.at);
    return 0;
}

void qcow2_compressed_place(const Qcow2 *q, uint64_t entry, uint64_t *at, uint64_t *len)
{
    unsigned bits = 62 - (q->cluster_bits - 8);
    uint64_t sectors = (entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> bits;

    *at = entry & ((1ull << bits) - 1) & ((1ull << 56) - 1);
    *len = (sectors + 1) * BLOCK_SECTOR - (*at & (BLOCK_SECTOR - 1));
}

/* Interpret an L2 entry for the guest offset `at`. */
static int map_decode(Qcow2 *q, uint64_t at, uint64_t entry, Qcow2Extent *e)
{
    uint64_t offset = entry & QCOW2_OFFSET, end = node_size_any(qcow2_file(q)), len;

    *e = (Qcow2Extent){ .entry = entry, .len = q->cluster - (at & (q->cluster - 1)) };
    if (entry & QCOW2_COMPRESSED) {
        e->type = QCOW2_DEFLATED;
        qcow2_compressed_place(q, entry, &offset, &len);
        return offset < end ? 0 : qcow2_damage_seen(q, "compressed cluster", at);
    }
    if ((entry & L2_RESERVED) || (q->version == 2 && (entry & QCOW2_ZERO)) ||
        (offset & (q->cluster - 1))) {
        return qcow2_damage_seen(q, "L2 entry", at);
    }
    if (offset == 0) {
        e->type = entry & QCOW2_ZERO ? QCOW2_ZEROES : QCOW2_UNALLOCATED;
        return 0;
    }
    e->type = entry & QCOW2_ZERO ? QCOW2_ZEROES_KEPT : QCOW2_DATA;
    e->copied = entry & QCOW2_COPIED;
    e->host = offset + (at & (q->cluster - 1));
    return e->type != QCOW2_DATA || offset < end
               ? 0
               : qcow2_damage_seen(q, "cluster beyond the end of the file", at);
}

static bool map_continues(const Qcow2Extent *e, const Qcow2Extent *next)
{
    if (e->type != next->type || e->type == QCOW2_DEFLATED || e->copied != next->copied) {
        return false;
    }
    return (e->type != QCOW2_DATA && e->type != QCOW2_ZEROES_KEPT) ||
           next->host == e->host + e->len;
}

int qcow2_map_find(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e)
{
    uint64_t entry;
    Qcow2Extent next;
    int r = map_entry(q, at, &entry);

    if (r == 0) {
        r = map_decode(q, at, entry, e);
    }
    if (r < 0) {
        return r;
    }
    while (e->len < len && map_entry(q, at + e->len, &entry) == 0 &&
           map_decode(q, at + e->len, entry, &next) == 0 && map_continues(e, &next)) {
        e->len += next.len;
    }
    e->len = MIN(e->len, len);
    return 0;
}

int qcow2_map_load(Qcow2 *q, uint64_t at)
{
    MapPlace p;
    Qcow2Slice *s;
    int r = map_place(q, at, &p);

    return r < 0 || p.slice == 0 ? r : qcow2_cache_get(q, &q->l2, p.slice, &s);
}

int qcow2_map_get(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e)
{
    int r = qcow2_map_load(q, at);

    return r < 0 ? r : qcow2_map_find(q, at, len, e);
}

unsigned qcow2_pin(Qcow2 *q)
{
    q->pins[q->pin_slot]++;
    return q->pin_slot;
}

void qcow2_unpin(Qcow2 *q, unsigned slot)
{
    g_mutex_lock(&q->map);
    q->pins[slot]--;
    g_mutex_unlock(&q->map);
}

int qcow2_map_pin(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e, unsigned *slot)
{
    int r;

    for (;;) {
        g_mutex_lock(&q->map);
        r = qcow2_map_find(q, at, len, e);
        if (r == 0) {
            *slot = qcow2_pin(q);
        }
        g_mutex_unlock(&q->map);
        if (r != -ENOENT) {
            return r;
        }
        g_mutex_lock(&q->meta);
        r = qcow2_map_load(q, at);
        g_mutex_unlock(&q->meta);
        if (r < 0) {
            return r;
        }
    }
}

/* --- changes --- */

static void map_set_l1(Qcow2 *q, uint64_t i, uint64_t entry)
{
    g_mutex_lock(&q->map);
    q->l1[i] = entry;
    g_mutex_unlock(&q->map);
    q->l1_dirty = true;
    qcow2_set_dirty(q);
}

/* Copy a table that a snapshot shares. */
static int map_copy_table(Qcow2 *q, uint64_t from, uint64_t to)
{
    g_autofree uint8_t *data = g_try_malloc(q->cluster);
    int r;

    if (!data) {
        return -ENOMEM;
    }
    r = node_read_any(qcow2_file(q), from, data, q->cluster);
    return r < 0 ? r : node_write_any(qcow2_file(q), to, data, q->cluster);
}

int qcow2_map_own_table(Qcow2 *q, uint64_t at)
{
    uint64_t i = at >> (q->cluster_bits + q->l2_bits), old, table, got;
    bool fresh;
    int r = map_table(q, at, &old);

    if (r < 0 || (old && (q->l1[i] & QCOW2_COPIED))) {
        return r;
    }
    r = qcow2_allocate(q, 1, true, &table, &got, &fresh);
    if (r < 0) {
        return r;
    }
    if (old) {
        r = map_copy_table(q, old, table);
    } else if (!fresh) {
        r = qcow2_table_zero(q, table, 1);
    }
    if (r < 0) {
        qcow2_unallocate(q, table, 1);
        return r;
    }
    g_hash_table_add(q->metadata, GSIZE_TO_POINTER(table >> q->cluster_bits));
    map_set_l1(q, i, table | QCOW2_COPIED);
    if (old) {
        qcow2_unref(q, old, q->cluster);
    }
    return 0;
}

int qcow2_map_set(Qcow2 *q, uint64_t at, uint64_t entry)
{
    MapPlace p;
    Qcow2Slice *s;
    int r = map_place(q, at, &p);

    if (r < 0) {
        return r;
    }
    r = qcow2_cache_get(q, &q->l2, p.slice, &s);
    if (r == 0) {
        qcow2_slice_set64(q, s, p.at, entry);
    }
    return r;
}

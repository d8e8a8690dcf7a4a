/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: creating, applying and deleting internal snapshots, and the state of the machine in them.
 *
 * A snapshot is a copy of the L1 table. Everything that it refers to has one reference more, and no
 * entry that leads there has the COPIED bit. The state of the machine is stored behind the end of
 * the disk, from the first L1 entry that the disk does not use.
 *
 * The order of writes: reference counts that increase, then tables, then the header, then reference
 * counts that decrease. A process that ends in between leaves clusters whose counts are too high,
 * and in an image of version 3 the dirty bit, so that the counts are computed again.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

enum { CHANGE_FIXED = 40, CHANGE_EXTRA = 24, CHANGE_ID_MAX = 12 };

/* --- references --- */

static int change_ref(Qcow2 *q, uint64_t at, uint64_t len, int delta)
{
    uint64_t last = (at + len - 1) >> q->cluster_bits, value;
    int r = at + len < at ? -EIO : 0;

    for (uint64_t i = at >> q->cluster_bits; delta && i <= last && r == 0; i++) {
        r = qcow2_refcount_get(q, i, &value);
        if (r == 0 && delta > 0 && value >= qcow2_refcount_max(q)) {
            return -E2BIG;
        }
        if (r == 0 && value == 0) {
            return qcow2_damage(q, "cluster in use, with a reference count of 0",
                                i << q->cluster_bits);
        }
        r = r < 0 ? r : qcow2_refcount_set(q, i, value + (uint64_t)(int64_t)delta);
    }
    return r;
}

/* Set the COPIED bit of an entry if nothing else refers to its cluster. */
static int change_fix(Qcow2 *q, uint64_t *entry, bool *changed)
{
    uint64_t count, fixed;
    int r = qcow2_refcount_get(q, (*entry & QCOW2_OFFSET) >> q->cluster_bits, &count);

    fixed = count == 1 ? *entry | QCOW2_COPIED : *entry & ~QCOW2_COPIED;
    *changed |= r == 0 && fixed != *entry;
    *entry = r == 0 ? fixed : *entry;
    return r;
}

static int change_entry(Qcow2 *q, uint64_t *entry, int delta, bool fix, bool *changed)
{
    uint64_t at = *entry & QCOW2_OFFSET, len = q->cluster, end = qcow2_file(q)->size;
    int r;

    if (*entry & QCOW2_COMPRESSED) {
        qcow2_compressed_place(q, *entry, &at, &len);
        len = at < end ? MIN(len, end - at) : len; /* sectors beyond the end of the file */
        return at && at < end ? change_ref(q, at, len, delta)
                              : qcow2_damage(q, "compressed cluster", at);
    }
    if (at == 0) {
        return 0;
    }
    if ((at & (q->cluster - 1)) || at >= end) {
        return qcow2_damage(q, "L2 entry", at);
    }
    r = change_ref(q, at, len, delta);
    return r == 0 && fix ? change_fix(q, entry, changed) : r;
}

static int change_read(Qcow2 *q, uint64_t at, uint64_t *table, uint64_t n)
{
    int r = node_read_any(qcow2_file(q), at, table, n * 8);

    for (uint64_t i = 0; i < n; i++) {
        table[i] = GUINT64_FROM_BE(table[i]);
    }
    return r;
}

/* Write a table, whose entries remain in CPU order. */
static int change_write(Qcow2 *q, uint64_t at, const uint64_t *table, uint64_t n)
{
    g_autofree uint64_t *be = g_try_new(uint64_t, MAX(n, 1));

    for (uint64_t i = 0; be && i < n; i++) {
        be[i] = GUINT64_TO_BE(table[i]);
    }
    return be ? node_write_any(qcow2_file(q), at, be, n * 8) : -ENOMEM;
}

static int change_l2(Qcow2 *q, uint64_t at, uint64_t *l2, int delta, bool fix)
{
    uint64_t n = 1ull << q->l2_bits;
    bool changed = false;
    int r = change_read(q, at, l2, n);

    for (uint64_t i = 0; i < n && r == 0; i++) {
        r = change_entry(q, &l2[i], delta, fix, &changed);
    }
    return r == 0 && changed ? change_write(q, at, l2, n) : r;
}

/* Change the count of everything that n entries refer to. fix: set their COPIED bits. */
static int change_tree(Qcow2 *q, uint64_t *l1, uint64_t n, int delta, bool fix)
{
    g_autofree uint64_t *l2 = g_try_malloc(q->cluster);
    bool changed = false;
    int r = l2 ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < n && r == 0; i++) {
        uint64_t at = l1[i] & QCOW2_OFFSET;

        if (at == 0) {
            continue;
        }
        if ((at & (q->cluster - 1)) || at >= qcow2_file(q)->size) {
            return qcow2_damage(q, "L1 entry", i);
        }
        r = change_ref(q, at, q->cluster, delta);
        r = r < 0 ? r : change_l2(q, at, l2, delta, fix);
        r = r == 0 && fix ? change_fix(q, &l1[i], &changed) : r;
    }
    return r;
}

/* --- begin and end of a change --- */

/* Write all metadata, and set the dirty bit. meta is held until change_end(). */
static int change_begin(Qcow2 *q)
{
    int r;

    g_mutex_lock(&q->meta);
    r = qcow2_prepare_write(q);
    r = r < 0 ? r : qcow2_sync(q);
    r = r < 0 ? r : qcow2_sync_refcounts(q);
    if (r == 0 && q->version >= 3 && !(q->incompatible & QCOW2_DIRTY)) {
        q->incompatible |= QCOW2_DIRTY;
        qcow2_header_set64(q, QCOW2_H_INCOMPATIBLE, q->incompatible);
        r = qcow2_header_write(q);
        r = r < 0 ? r : node_flush_any(qcow2_file(q));
    }
    return r;
}

/* Complete a change and read all metadata again. After a failure the counts are computed again. */
static int change_end(Qcow2 *q, int result)
{
    g_autoptr(GError) err = NULL;
    int r;

    if (result < 0 && !qcow2_is_damaged(q)) {
        qcow2_cache_clear(&q->l2);
        qcow2_repair(q);
        r = change_tree(q, q->l1, q->l1_size, 0, true);
        r = r < 0 ? r : change_write(q, q->l1_offset, q->l1, q->l1_size);
        result = r < 0 ? r : result;
    }
    r = qcow2_settle(q);
    g_mutex_unlock(&q->meta);
    if (!q->node->drv->activate(q->node, &err)) {
        r = qcow2_damage_seen(q, "metadata after a change of snapshots", 0);
    }
    return result < 0 ? result : r;
}

/* --- the snapshot table --- */

static void change_put(GByteArray *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;) {
        uint8_t b = (uint8_t)(value >> 8 * i);

        g_byte_array_append(out, &b, 1);
    }
}

static void change_put_snapshot(GByteArray *out, const Qcow2Snapshot *s)
{
    static const uint8_t zeroes[8];

    change_put(out, s->l1_offset, 8);
    change_put(out, s->l1_size, 4);
    change_put(out, strlen(s->id), 2);
    change_put(out, strlen(s->name), 2);
    change_put(out, s->date_sec, 4);
    change_put(out, s->date_nsec, 4);
    change_put(out, s->vm_clock_ns, 8);
    change_put(out, s->vm_state_size <= UINT32_MAX ? s->vm_state_size : 0, 4);
    change_put(out, CHANGE_EXTRA, 4);
    change_put(out, s->vm_state_size, 8);
    change_put(out, s->disk_size, 8);
    change_put(out, UINT64_MAX, 8); /* number of instructions: not known */
    g_byte_array_append(out, (const uint8_t *)s->id, (guint)strlen(s->id));
    g_byte_array_append(out, (const uint8_t *)s->name, (guint)strlen(s->name));
    g_byte_array_append(out, zeroes, -out->len % 8);
}

/* Write the table without the snapshot `skip` and with the snapshot `add`, either may be NULL, and
 * let the header refer to it. */
static int change_write_list(Qcow2 *q, const Qcow2Snapshot *skip, const Qcow2Snapshot *add)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint64_t old = q->snapshot_offset, old_bytes = q->n_snapshots ? q->snapshot_bytes : 0;
    uint64_t at = 0, got;
    uint32_t n = 0;
    bool fresh;
    int r = 0;

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        if (q->snapshots->pdata[i] != skip) {
            change_put_snapshot(out, q->snapshots->pdata[i]);
            n++;
        }
    }
    if (add) {
        change_put_snapshot(out, add);
        n++;
    }
    if (n) {
        r = qcow2_allocate(q, qcow2_clusters(q, out->len), true, &at, &got, &fresh);
        r = r < 0 ? r : node_write_any(qcow2_file(q), at, out->data, out->len);
    }
    r = r < 0 ? r : qcow2_sync_refcounts(q); /* includes a barrier */
    if (r < 0) {
        return r;
    }
    qcow2_header_set32(q, QCOW2_H_SNAPSHOTS, n);
    qcow2_header_set64(q, QCOW2_H_SNAPSHOT_OFFSET, at);
    r = qcow2_header_write(q);
    r = r < 0 ? r : node_flush_any(qcow2_file(q));
    return r == 0 && old_bytes ? change_ref(q, old, old_bytes, -1) : r;
}

/* --- the state of the machine --- */

static uint64_t change_state_index(const Qcow2 *q)
{
    uint64_t per_table = q->cluster << q->l2_bits;

    return q->size / per_table + (q->size % per_table != 0);
}

static int change_write_state(BlockNode *n, uint64_t at, const void *data, size_t len)
{
    Qcow2 *q = n->priv;
    uint64_t start = change_state_index(q) * (q->cluster << q->l2_bits);
    struct iovec iov = { (void *)data, len };
    BlockRequest req = { .op = BLOCK_WRITE, .len = len, .iov = &iov, .n_iov = 1 };
    int r;

    g_mutex_lock(&q->meta);
    r = qcow2_prepare_write(q);
    r = r < 0 ? r : qcow2_table_grow_l1(q, start + at + len);
    g_mutex_unlock(&q->meta);
    req.p.op = BLOCK_WRITE;
    req.p.at = start + at;
    return r < 0 ? r : qcow2_write_request(q, &req);
}

/* Find the cluster of a guest offset in a snapshot; 0: none. */
static int change_find(Qcow2 *q, const Qcow2Snapshot *s, uint64_t at, uint64_t *host)
{
    uint64_t i = at >> (q->cluster_bits + q->l2_bits), entry = 0;
    uint64_t k = at >> q->cluster_bits & ((1ull << q->l2_bits) - 1);
    int r = i < s->l1_size ? change_read(q, s->l1_offset + i * 8, &entry, 1) : 0;

    *host = 0;
    if (r < 0 || (entry & QCOW2_OFFSET) == 0) {
        return r;
    }
    r = change_read(q, (entry & QCOW2_OFFSET) + k * 8, &entry, 1);
    if (r < 0 || (entry & QCOW2_COMPRESSED)) {
        return r < 0 ? r : -EIO;
    }
    *host = entry & QCOW2_ZERO ? 0 : entry & QCOW2_OFFSET;
    return 0;
}

static int change_read_state(BlockNode *n, unsigned index, uint64_t at, void *data, size_t len)
{
    Qcow2 *q = n->priv;
    const Qcow2Snapshot *s = q->snapshots->pdata[index];
    uint64_t per_table = q->cluster << q->l2_bits;
    uint64_t start = (s->disk_size + per_table - 1) / per_table * per_table;
    int r = 0;

    while (len && r == 0) {
        uint64_t skip = (start + at) & (q->cluster - 1), host;
        size_t piece = MIN(len, q->cluster - skip);

        r = change_find(q, s, start + at, &host);
        if (r == 0 && host) {
            r = node_read_any(qcow2_file(q), host + skip, data, piece);
        } else {
            memset(data, 0, piece);
        }
        data = (uint8_t *)data + piece;
        at += piece;
        len -= piece;
    }
    return r;
}

/* --- create --- */

static uint64_t change_next_id(const Qcow2 *q)
{
    uint64_t next = 1;

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = q->snapshots->pdata[i];
        uint64_t id = g_ascii_strtoull(s->id, NULL, 10);

        next = id >= next && id < UINT32_MAX ? id + 1 : next;
    }
    return next;
}

/* The active table does not keep the state of the machine. */
static int change_drop_state(Qcow2 *q)
{
    uint64_t from = MIN(change_state_index(q), q->l1_size), n = q->l1_size - from;
    g_autofree uint64_t *old = g_try_new(uint64_t, MAX(n, 1));
    int r;

    if (!old) {
        return -ENOMEM;
    }
    memcpy(old, q->l1 + from, n * 8);
    memset(q->l1 + from, 0, n * 8);
    r = change_write(q, q->l1_offset, q->l1, q->l1_size);
    r = r < 0 ? r : node_flush_any(qcow2_file(q));
    return r < 0 ? r : change_tree(q, old, n, -1, false);
}

static int change_add(Qcow2 *q, Qcow2Snapshot *s)
{
    uint64_t got;
    bool fresh;
    int r = qcow2_allocate(q, qcow2_clusters(q, MAX(s->l1_size, 1) * 8ull), true, &s->l1_offset,
                           &got, &fresh);

    r = r < 0 ? r : change_tree(q, q->l1, q->l1_size, 1, true);
    r = r < 0 ? r : change_write(q, s->l1_offset, q->l1, q->l1_size);
    r = r < 0 ? r : qcow2_sync_refcounts(q);
    r = r < 0 ? r : change_write(q, q->l1_offset, q->l1, q->l1_size);
    return r < 0 ? r : change_write_list(q, NULL, s);
}

static int change_create(BlockNode *n, const BlockSnapshot *info)
{
    Qcow2 *q = n->priv;
    g_autofree char *id = g_strdup_printf("%u", (unsigned)change_next_id(q));
    g_autofree char *name = g_strdup(info->name);
    Qcow2Snapshot s = { .l1_size = q->l1_size,
                        .disk_size = q->size,
                        .vm_state_size = info->vm_state_size,
                        .vm_clock_ns = info->vm_clock_ns,
                        .date_sec = (uint32_t)info->date_sec,
                        .date_nsec = info->date_nsec,
                        .id = id,
                        .name = name };
    int r, dropped;

    if (q->n_snapshots >= QCOW2_SNAPSHOTS_MAX) {
        return -EFBIG;
    }
    r = change_begin(q);
    s.l1_size = q->l1_size;
    r = r < 0 ? r : change_add(q, &s);
    dropped = q->prepared ? change_drop_state(q) : 0;
    return change_end(q, r < 0 ? r : dropped);
}

/* --- apply --- */

static int change_switch_l1(Qcow2 *q, const uint64_t *l1, uint32_t n)
{
    uint64_t at, got;
    bool fresh;
    int r = qcow2_allocate(q, qcow2_clusters(q, MAX(n, 1) * 8ull), true, &at, &got, &fresh);

    r = r < 0 ? r : change_write(q, at, l1, n);
    r = r < 0 ? r : qcow2_sync_refcounts(q);
    if (r < 0) {
        return r;
    }
    qcow2_header_set32(q, QCOW2_H_L1_SIZE, n);
    qcow2_header_set64(q, QCOW2_H_L1_OFFSET, at);
    r = qcow2_header_write(q);
    r = r < 0 ? r : node_flush_any(qcow2_file(q));
    return r;
}

/* Refer to the tables of the snapshot, and then no longer to the old ones. */
static int change_revert(Qcow2 *q, const Qcow2Snapshot *s)
{
    uint64_t old_at = q->l1_offset, n = MAX(q->l1_size, s->l1_size);
    g_autofree uint64_t *l1 = g_try_new0(uint64_t, MAX(n, 1));
    g_autofree uint64_t *old = g_try_new(uint64_t, MAX(q->l1_size, 1));
    uint32_t old_n = q->l1_size;
    int r = l1 && old ? change_read(q, s->l1_offset, l1, s->l1_size) : -ENOMEM;

    if (r < 0) {
        return r;
    }
    memcpy(old, q->l1, old_n * 8ull);
    r = change_tree(q, l1, s->l1_size, 1, true);
    r = r < 0 ? r : change_switch_l1(q, l1, (uint32_t)n);
    r = r < 0 ? r : change_tree(q, old, old_n, -1, false);
    return r < 0 || !old_n ? r : change_ref(q, old_at, old_n * 8ull, -1);
}

static bool change_apply(BlockNode *n, unsigned index, GError **err)
{
    Qcow2 *q = n->priv;
    const Qcow2Snapshot *s = q->snapshots->pdata[index];
    int r;

    if (s->disk_size != q->size) {
        return error_set(err, ERROR_USER,
                         "block node '%s': the disk has %" G_GUINT64_FORMAT
                         " bytes, and in snapshot '%s' it has %" G_GUINT64_FORMAT
                         "; resize it first",
                         n->name, q->size, s->name, s->disk_size);
    }
    r = change_begin(q);
    r = r < 0 ? r : change_revert(q, s);
    r = change_end(q, r);
    return r == 0 ||
           error_set_errno(err, -r, "block node '%s': cannot apply the snapshot", n->name);
}

/* --- delete --- */

static int change_forget(Qcow2 *q, const Qcow2Snapshot *s)
{
    g_autofree uint64_t *l1 = g_try_new(uint64_t, MAX(s->l1_size, 1));
    int r = l1 ? change_read(q, s->l1_offset, l1, s->l1_size) : -ENOMEM;

    r = r < 0 ? r : change_write_list(q, s, NULL);
    r = r < 0 ? r : change_tree(q, l1, s->l1_size, -1, false);
    r = r < 0 ? r : change_ref(q, s->l1_offset, MAX(s->l1_size, 1) * 8ull, -1);
    r = r < 0 ? r : qcow2_sync_refcounts(q);
    r = r < 0 ? r : change_tree(q, q->l1, q->l1_size, 0, true);
    return r < 0 ? r : change_write(q, q->l1_offset, q->l1, q->l1_size);
}

static int change_remove(BlockNode *n, unsigned index)
{
    Qcow2 *q = n->priv;
    int r = change_begin(q);

    r = r < 0 ? r : change_forget(q, q->snapshots->pdata[index]);
    return change_end(q, r);
}

static bool change_get(const BlockNode *n, unsigned index, BlockSnapshot *out)
{
    const Qcow2 *q = n->priv;
    const Qcow2Snapshot *s = index < q->snapshots->len ? q->snapshots->pdata[index] : NULL;

    if (s) {
        *out = (BlockSnapshot){ .id = s->id,
                                .name = s->name,
                                .vm_state_size = s->vm_state_size,
                                .vm_clock_ns = s->vm_clock_ns,
                                .date_sec = s->date_sec,
                                .date_nsec = s->date_nsec };
    }
    return s != NULL;
}

const BlockSnapshotOps qcow2_snapshot_ops = {
    .get = change_get,
    .write_state = change_write_state,
    .read_state = change_read_state,
    .create = change_create,
    .apply = change_apply,
    .remove = change_remove,
};

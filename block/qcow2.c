/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qcow2 driver: options, requests, permissions, hand-over and queries (qcow2_internal.h
 * describes the other files).
 *
 * A request for one run of clusters is passed to the file, or to the backing file, with a changed
 * offset. All other requests run on an I/O thread. The image is prepared for writing by the first
 * request that changes it, so that an image that is only open is never changed.
 */
#include "config-host.h"

#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

enum { QCOW2_ZERO_INLINE = 128 << 10 }; /* bytes that the main loop sets to zero */
#define QCOW2_L2_CACHE_MAX       (32ull << 20)
#define QCOW2_REFCOUNT_CACHE_MAX (4ull << 20)

/* --- opening --- */

static bool qcow2_read_options(Qcow2 *q, struct json_object *o, GError **err)
{
    uint64_t all = 0;
    bool given = opt_str(o, "lazy-refcounts") != NULL;

    if (!opt_size(o, "l2-cache-size", 0, &q->l2_cache_bytes, err) ||
        !opt_size(o, "refcount-cache-size", 0, &q->refcount_cache_bytes, err) ||
        !opt_size(o, "cache-size", 0, &all, err) ||
        !opt_bool(o, "lazy-refcounts", q->compatible & QCOW2_LAZY, &q->lazy, err)) {
        return false;
    }
    if (given && q->lazy && q->version < 3 && !q->node->set->machine->dry_run) {
        return error_set(err, ERROR_USER,
                         "Lazy refcounts require a qcow2 image with at least qemu 1.1 "
                         "compatibility level (version 3); this image has version 2");
    }
    if (all && q->l2_cache_bytes && q->refcount_cache_bytes) {
        return error_set(err, ERROR_USER,
                         "cache-size, l2-cache-size and refcount-cache-size may not be set at the "
                         "same time");
    }
    if (all < q->l2_cache_bytes + q->refcount_cache_bytes && all) {
        return error_set(err, ERROR_USER,
                         "l2-cache-size and refcount-cache-size may not exceed cache-size");
    }
    if (all && !q->refcount_cache_bytes) {
        q->refcount_cache_bytes = q->l2_cache_bytes ? all - q->l2_cache_bytes : all / 5;
    }
    if (all && !q->l2_cache_bytes) {
        q->l2_cache_bytes = all - q->refcount_cache_bytes;
    }
    return true;
}

static bool qcow2_read_l1(Qcow2 *q, GError **err)
{
    uint64_t *l1 = g_try_new(uint64_t, MAX(q->l1_size, 1));
    int r = l1 ? node_read_any(qcow2_file(q), q->l1_offset, l1, (size_t)q->l1_size * 8) : -ENOMEM;

    if (r < 0) {
        g_free(l1);
        return error_set_errno(err, -r, "cannot read the L1 table");
    }
    for (uint32_t i = 0; i < q->l1_size; i++) {
        l1[i] = GUINT64_FROM_BE(l1[i]);
    }
    g_free(q->l1);
    q->l1 = l1;
    return true;
}

static void qcow2_init_caches(Qcow2 *q)
{
    qcow2_cache_free(&q->l2);
    qcow2_cache_free(&q->refcounts);
    qcow2_cache_init(&q->l2, q->l2_cache_bytes ? q->l2_cache_bytes : QCOW2_L2_CACHE_MAX, q->slice);
    qcow2_cache_init(&q->refcounts,
                     q->refcount_cache_bytes ? q->refcount_cache_bytes : QCOW2_REFCOUNT_CACHE_MAX,
                     q->slice);
}

/* Read the header and the tables that are always in memory. */
static bool qcow2_load(Qcow2 *q, GError **err)
{
    if (!qcow2_header_read(q, err) || !qcow2_snapshots_read(q, err) || !qcow2_read_l1(q, err)) {
        return false;
    }
    if ((q->incompatible & QCOW2_CORRUPT) && !q->node->read_only) {
        return error_set(err, ERROR_USER,
                         "Image is corrupt; cannot be opened read/write: repair it with qemu-img "
                         "check -r all, or use read-only=on");
    }
#ifndef CONFIG_ZSTD
    if (q->compression) {
        return error_set(err, ERROR_USER,
                         "the image uses zstd compression, which this build does not support");
    }
#endif
    qcow2_init_caches(q);
    q->damaged = q->reported = q->prepared = q->dirty = false;
    g_clear_pointer(&q->inflated, g_free);
    q->inflated_entry = 0;
    g_array_set_size(q->freed, 0);
    q->freed_bytes = 0;
    g_array_set_size(q->waiting, 0);
    q->node->size = q->size & ~(uint64_t)(BLOCK_SECTOR - 1);
    return true;
}

static void qcow2_free(Qcow2 *q)
{
    qcow2_cache_free(&q->l2);
    qcow2_cache_free(&q->refcounts);
    qcow2_header_clear(q);
    g_ptr_array_unref(q->snapshots);
    g_hash_table_destroy(q->metadata);
    g_array_free(q->freed, TRUE);
    g_array_free(q->waiting, TRUE);
    g_mutex_clear(&q->meta);
    g_mutex_clear(&q->map);
    g_mutex_clear(&q->inflate);
    g_cond_clear(&q->changed);
    g_free(q->l1);
    g_free(q->table);
    g_free(q->inflated);
    g_free(q);
}

static void qcow2_close(BlockNode *n)
{
    Qcow2 *q = n->priv;

    if (n->active && q->l1) {
        g_mutex_lock(&q->meta);
        qcow2_settle(q);
        g_mutex_unlock(&q->meta);
    }
    qcow2_free(q);
}

static bool qcow2_open(BlockNode *n, struct json_object *o, GError **err)
{
    Qcow2 *q = g_new0(Qcow2, 1);
    BlockBacking backing;
    bool ok;

    n->priv = q;
    q->node = n;
    g_mutex_init(&q->meta);
    g_mutex_init(&q->map);
    g_mutex_init(&q->inflate);
    g_cond_init(&q->changed);
    q->metadata = g_hash_table_new(NULL, NULL);
    q->freed = g_array_new(FALSE, FALSE, sizeof(Qcow2Range));
    q->waiting = g_array_new(FALSE, FALSE, sizeof(Qcow2Range));
    qcow2_snapshots_clear(q);
    if (n->set->machine->dry_run) {
        n->size = n->child->node->size;
        ok = qcow2_read_options(q, o, err);
    } else {
        ok = qcow2_load(q, err);
        if (!ok) {
            g_prefix_error(err, "Could not open '%s': ", node_filename(n->child->node));
        }
        ok = ok && qcow2_read_options(q, o, err);
    }
    backing = (BlockBacking){ q->backing_name, q->backing_format };
    ok = ok && backing_open(n, o, &backing, err);
    if (!ok) {
        qcow2_free(q);
        return false;
    }
    if (q->slice) {
        qcow2_init_caches(q);
    }
    return true;
}

/* --- requests --- */

/* Pass a request to the clusters of an extent. map is held, which orders the pin before any change
 * of the extent. */
static void qcow2_forward_pinned(BlockNode *n, BlockRequest *req, const Qcow2Extent *e)
{
    Qcow2 *q = n->priv;

    req->p.pin = n;
    req->p.pin_slot = qcow2_pin(q);
    g_mutex_unlock(&q->map);
    req->p.at = e->host;
    node_forward(n->child->node, req);
}

static bool qcow2_write_is_direct(const Qcow2 *q, const BlockRequest *req, const Qcow2Extent *e)
{
    return e->copied && __atomic_load_n(&q->prepared, __ATOMIC_ACQUIRE) && !qcow2_is_damaged(q) &&
           !(req->p.fua && __atomic_load_n(&q->dirty, __ATOMIC_ACQUIRE));
}

/* Perform a transfer without a thread, if it is one extent in one place. */
static bool qcow2_submit_direct(BlockNode *n, BlockRequest *req)
{
    Qcow2 *q = n->priv;
    BlockNode *backing = n->backing ? n->backing->node : NULL;
    bool read = req->p.op == BLOCK_READ, in_backing;
    Qcow2Extent e;

    g_mutex_lock(&q->map);
    if (qcow2_map_find(q, req->p.at, req->len, &e) < 0 || e.len < req->len) {
        g_mutex_unlock(&q->map);
        return false;
    }
    if (e.type == QCOW2_DATA && e.host + e.len <= node_size_any(n->child->node) && !req->p.pin &&
        (read || qcow2_write_is_direct(q, req, &e))) {
        qcow2_forward_pinned(n, req, &e);
        return true;
    }
    g_mutex_unlock(&q->map);
    in_backing = e.type == QCOW2_UNALLOCATED && backing && req->p.at < backing->size;
    if (!read || e.type == QCOW2_DATA || e.type == QCOW2_DEFLATED ||
        (!in_backing && req->len > QCOW2_ZERO_INLINE)) {
        return false;
    }
    if (!in_backing) {
        for (int i = 0; i < req->n_iov; i++) {
            memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
        }
        block_complete_any(req, 0);
    } else if (req->len <= backing->size - req->p.at) {
        node_forward(backing, req);
    } else {
        return false;
    }
    return true;
}

static void qcow2_submit(BlockNode *n, BlockRequest *req)
{
    const Qcow2 *q = n->priv;
    bool data = req->p.op == BLOCK_READ || req->p.op == BLOCK_WRITE;

    if (data && qcow2_submit_direct(n, req)) {
        return;
    }
    if (req->p.op == BLOCK_FLUSH && !__atomic_load_n(&q->dirty, __ATOMIC_ACQUIRE)) {
        node_forward(n->child->node, req);
    } else {
        block_run_threaded(req);
    }
}

static int qcow2_flush(Qcow2 *q)
{
    int r;

    g_mutex_lock(&q->meta);
    r = qcow2_sync(q);
    g_mutex_unlock(&q->meta);
    return r < 0 ? r : node_flush_any(qcow2_file(q));
}

static int qcow2_change(Qcow2 *q, const BlockRequest *req)
{
    switch (req->p.op) {
    case BLOCK_WRITE:
        return qcow2_write_request(q, req);
    case BLOCK_WRITE_ZEROES:
        return qcow2_zero_request(q, req);
    default:
        return qcow2_discard_request(q, req);
    }
}

static int qcow2_perform(BlockNode *n, BlockRequest *req)
{
    Qcow2 *q = n->priv;
    int r;

    switch (req->p.op) {
    case BLOCK_READ:
        return qcow2_read_request(q, req);
    case BLOCK_FLUSH:
        return qcow2_flush(q);
    default:
        r = qcow2_change(q, req);
        return r == 0 && req->p.fua ? qcow2_flush(q) : r;
    }
}

static void qcow2_end_pin(BlockNode *n, unsigned slot)
{
    qcow2_unpin(n->priv, slot);
}

/* --- size --- */

/* Make the bytes of a larger disk zero: those in the last cluster, and those of the backing file.
 */
static int qcow2_clear_new_end(Qcow2 *q, uint64_t old, uint64_t size)
{
    uint64_t edge = (old + q->cluster - 1) & ~(q->cluster - 1), end = MIN(edge, size);
    BlockRequest zero = { 0 };
    int r = 0;

    zero.p.op = BLOCK_WRITE_ZEROES;
    zero.p.at = old;
    zero.len = end - old;
    if (zero.len) {
        r = qcow2_zero_request(q, &zero);
    }
    if (r == 0 && q->node->backing && q->node->backing->node->size > end && size > end) {
        zero.p.at = end;
        zero.len = MIN(size, q->node->backing->node->size) - end;
        r = qcow2_zero_request(q, &zero);
    }
    return r;
}

static int qcow2_discard_end(Qcow2 *q, uint64_t old, uint64_t size)
{
    BlockRequest cut = { .len = old - size };

    cut.p.op = BLOCK_DISCARD;
    cut.p.at = size;
    return qcow2_discard_request(q, &cut);
}

static int qcow2_store_size(Qcow2 *q, uint64_t size)
{
    int r = qcow2_table_grow_l1(q, size);

    r = r < 0 ? r : qcow2_sync(q);
    if (r == 0) {
        qcow2_header_set64(q, QCOW2_H_SIZE, size);
        r = qcow2_header_write(q);
        r = r < 0 ? r : node_flush_any(qcow2_file(q));
    }
    return r;
}

/* No request is in flight. The new end is cleared before the header contains it. */
static int qcow2_change_size(Qcow2 *q, uint64_t size)
{
    uint64_t old = q->size;
    int r;

    g_mutex_lock(&q->meta);
    r = qcow2_prepare_write(q);
    r = r < 0 ? r : qcow2_table_grow_l1(q, size);
    g_mutex_unlock(&q->meta);
    if (r == 0 && size > old) {
        q->size = size;
        r = qcow2_clear_new_end(q, old, size);
        q->size = old;
    }
    g_mutex_lock(&q->meta);
    r = r < 0 ? r : qcow2_store_size(q, size);
    g_mutex_unlock(&q->meta);
    if (r == 0) {
        q->size = size;
    }
    return r;
}

static bool qcow2_resize(BlockNode *n, uint64_t size, GError **err)
{
    Qcow2 *q = n->priv;
    uint64_t old = q->size;
    int r = size > INT64_MAX ? -EFBIG : 0;

    if (r == 0 && size < old && (q->n_snapshots || (q->version == 2 && n->backing))) {
        return error_set(err, ERROR_USER,
                         "block node '%s': an image with internal snapshots, or of version 2 with "
                         "a backing file, cannot be made smaller",
                         n->name);
    }
    r = r < 0 ? r : qcow2_change_size(q, size);
    if (r == 0 && size < old) {
        q->size = old;
        r = qcow2_discard_end(q, old, size);
        q->size = size;
    }
    return r == 0 ||
           error_set_errno(err, -r,
                           "block node '%s' cannot be resized to %" G_GUINT64_FORMAT " bytes",
                           n->name, size);
}

static void qcow2_child_resized(BlockNode *n)
{
    /* the size of the disk is in the header */
}

/* --- permissions and hand-over --- */

static void qcow2_child_perm(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    if (*perm & (BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE | BLOCK_PERM_WRITE_UNCHANGED)) {
        *perm = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE;
    }
    if (*perm && !n->force_share) { /* the tables must not change */
        *shared &= BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED;
    }
}

/* Another process may have changed everything: read all metadata again. */
static bool qcow2_activate(BlockNode *n, GError **err)
{
    Qcow2 *q = n->priv;
    bool ok;

    if (n->set->machine->dry_run) {
        return true;
    }
    g_mutex_lock(&q->meta);
    ok = qcow2_load(q, err);
    g_mutex_unlock(&q->meta);
    return ok;
}

static bool qcow2_inactivate(BlockNode *n, GError **err)
{
    Qcow2 *q = n->priv;
    int r;

    g_mutex_lock(&q->meta);
    r = qcow2_settle(q);
    g_mutex_unlock(&q->meta);
    return r == 0 || error_set_errno(err, -r, "cannot write the metadata of '%s'",
                                     node_filename(n->child->node));
}

/* --- queries --- */

static void qcow2_info_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *qcow2_info_specific(const Qcow2 *q)
{
    struct json_object *o = json_object_new_object(), *data = json_object_new_object();

    qcow2_info_put(o, "type", "qcow2");
    qcow2_info_put(data, "compat", q->version >= 3 ? "1.1" : "0.10");
    if (q->version >= 3) {
        json_object_object_add(data, "lazy-refcounts",
                               json_object_new_boolean((q->compatible & QCOW2_LAZY) != 0));
        json_object_object_add(
            data, "corrupt",
            json_object_new_boolean(qcow2_is_damaged(q) || (q->incompatible & QCOW2_CORRUPT)));
        json_object_object_add(data, "extended-l2", json_object_new_boolean(false));
    }
    json_object_object_add(data, "refcount-bits", json_object_new_int(1 << q->refcount_order));
    qcow2_info_put(data, "compression-type", q->compression ? "zstd" : "zlib");
    json_object_object_add(o, "data", data);
    return o;
}

static void qcow2_info_snapshots(const Qcow2 *q, struct json_object *o)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = q->snapshots->pdata[i];
        struct json_object *e = json_object_new_object();

        qcow2_info_put(e, "id", s->id);
        qcow2_info_put(e, "name", s->name);
        json_object_object_add(e, "vm-state-size", json_object_new_uint64(s->vm_state_size));
        json_object_object_add(e, "date-sec", json_object_new_int64(s->date_sec));
        json_object_object_add(e, "date-nsec", json_object_new_int64(s->date_nsec));
        json_object_object_add(e, "vm-clock-sec",
                               json_object_new_int64(s->vm_clock_ns / 1000000000));
        json_object_object_add(e, "vm-clock-nsec",
                               json_object_new_int64(s->vm_clock_ns % 1000000000));
        json_object_array_add(list, e);
    }
    json_object_object_add(o, "snapshots", list);
}

static void qcow2_info(const BlockNode *n, struct json_object *o)
{
    const Qcow2 *q = n->priv;

    if (!q->l1) {
        return; /* dry run */
    }
    json_object_object_add(o, "cluster-size", json_object_new_uint64(q->cluster));
    json_object_object_add(o, "dirty-flag",
                           json_object_new_boolean((q->incompatible & QCOW2_DIRTY) != 0));
    if (q->backing_name) {
        g_autofree char *name = g_utf8_make_valid(q->backing_name, -1);

        qcow2_info_put(o, "backing-filename", name);
    }
    if (q->backing_format) {
        g_autofree char *format = g_utf8_make_valid(q->backing_format, -1);

        qcow2_info_put(o, "backing-filename-format", format);
    }
    if (q->snapshots->len) {
        qcow2_info_snapshots(q, o);
    }
    json_object_object_add(o, "format-specific", qcow2_info_specific(q));
}

static const char *const qcow2_keys[] = { "file",          "backing",    "lazy-refcounts",
                                          "l2-cache-size", "cache-size", "refcount-cache-size",
                                          NODE_KEYS,       NULL };
const BlockDriver block_qcow2 = {
    .name = "qcow2",
    .keys = qcow2_keys,
    .child = "file",
    .open = qcow2_open,
    .close = qcow2_close,
    .submit = qcow2_submit,
    .perform = qcow2_perform,
    .resize = qcow2_resize,
    .child_resized = qcow2_child_resized,
    .child_perm = qcow2_child_perm,
    .activate = qcow2_activate,
    .inactivate = qcow2_inactivate,
    .unpin = qcow2_end_pin,
    .info = qcow2_info,
    .snapshots = &qcow2_snapshot_ops,
};

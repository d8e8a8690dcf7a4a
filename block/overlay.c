/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overlay: writes are stored in a temporary file, and the child (the base) is not changed. Used by
 * snapshot=on only.
 *
 * The temporary file has no name and is sparse. Data are stored at the same offset as on the disk.
 * A map has one bit for each cluster that the file contains. A write of part of a cluster first
 * copies the rest of the cluster from the base. The map grows with the areas written, by LEAF bytes
 * for each LEAF_CLUSTERS clusters.
 *
 * Threads: a bit is set with `lock` held, after the data were written to the file, and read without
 * `lock`. A bit is never cleared.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

enum { CLUSTER_MIN = 4096, CLUSTER_MAX = 65536, LEAF = 4096, LEAF_CLUSTERS = LEAF * 8 };
enum { LEAVES_MAX = 1 << 17 }; /* limits the map to 512 MiB */

typedef struct BlockOverlay {
    int fd;
    BlockEngineKind engine;
    uint32_t cluster;  /* bytes */
    uint64_t base_end; /* the base is not used from this offset on */
    GMutex lock;       /* held while bits are set */
    uint8_t **leaves;
    size_t n_leaves;
} BlockOverlay;

bool overlay_is(const BlockNode *n)
{
    return n->drv == &block_overlay;
}

/* --- the map --- */

static bool overlay_has(const BlockOverlay *s, uint64_t cluster)
{
    const uint8_t *leaf = __atomic_load_n(&s->leaves[cluster / LEAF_CLUSTERS], __ATOMIC_ACQUIRE);
    unsigned bit = cluster % LEAF_CLUSTERS;

    return leaf && (__atomic_load_n(&leaf[bit / 8], __ATOMIC_ACQUIRE) >> bit % 8 & 1);
}

/* Set the bit of a cluster. `lock` is held. False: no memory. */
static bool overlay_set(BlockOverlay *s, uint64_t cluster)
{
    uint8_t **slot = &s->leaves[cluster / LEAF_CLUSTERS];
    unsigned bit = cluster % LEAF_CLUSTERS;

    if (!*slot) {
        uint8_t *leaf = g_try_malloc0(LEAF);

        if (!leaf) {
            return false;
        }
        __atomic_store_n(slot, leaf, __ATOMIC_RELEASE);
    }
    __atomic_fetch_or(&(*slot)[bit / 8], (uint8_t)(1u << bit % 8), __ATOMIC_RELEASE);
    return true;
}

/* The number of the len bytes from `at` on that have the same source: the file (*has), the base, or
 * zeroes behind the base. */
static uint64_t overlay_run(const BlockOverlay *s, uint64_t at, uint64_t len, bool *has)
{
    uint64_t cluster = at / s->cluster, end = MIN(at + len, (cluster + 1) * s->cluster);

    *has = overlay_has(s, cluster);
    while (end < at + len && overlay_has(s, end / s->cluster) == *has) {
        end = MIN(at + len, end + s->cluster);
    }
    return *has || at >= s->base_end ? end - at : MIN(end, s->base_end) - at;
}

/* --- data, in the calling thread --- */

/* Store the segments of the bytes [skip, skip + len) of the request in `to`; return their number.
 */
static int overlay_slice_iov(const BlockRequest *req, uint64_t skip, uint64_t len, struct iovec *to)
{
    int n = 0;

    for (int i = 0; i < req->n_iov && len > 0; i++) {
        size_t whole = req->iov[i].iov_len, part;

        if (skip >= whole) {
            skip -= whole;
            continue;
        }
        part = MIN(whole - skip, len);
        to[n++] = (struct iovec){ (uint8_t *)req->iov[i].iov_base + skip, part };
        len -= part;
        skip = 0;
    }
    return n;
}

static int overlay_file_write(int fd, const void *buf, size_t len, uint64_t at)
{
    const uint8_t *from = buf;

    for (size_t done = 0; done < len;) {
        ssize_t r = pwrite(fd, from + done, len - done, at + done);

        if (r < 0 && errno != EINTR) {
            return -errno;
        }
        if (r == 0) {
            return -ENOSPC;
        }
        done += MAX(r, 0);
    }
    return 0;
}

static int overlay_file_read(int fd, void *buf, size_t len, uint64_t at)
{
    uint8_t *to = buf;

    for (size_t done = 0; done < len;) {
        ssize_t r = pread(fd, to + done, len - done, at + done);

        if (r < 0 && errno != EINTR) {
            return -errno;
        }
        if (r == 0) { /* behind the end of a partial last cluster */
            memset(to + done, 0, len - done);
            return 0;
        }
        done += MAX(r, 0);
    }
    return 0;
}

/* Read or write each segment. */
static int overlay_file_pieces(const BlockOverlay *s, const struct iovec *iov, int n, uint64_t at,
                               bool write)
{
    int result = 0;

    for (int i = 0; i < n && result == 0; i++) {
        result = write ? overlay_file_write(s->fd, iov[i].iov_base, iov[i].iov_len, at)
                       : overlay_file_read(s->fd, iov[i].iov_base, iov[i].iov_len, at);
        at += iov[i].iov_len;
    }
    return result;
}

static int overlay_base_pieces(BlockNode *n, const struct iovec *iov, int count, uint64_t at)
{
    const BlockOverlay *s = n->priv;
    int result = 0;

    for (int i = 0; i < count && result == 0; i++) {
        if (at >= s->base_end) {
            memset(iov[i].iov_base, 0, iov[i].iov_len);
        } else {
            result = node_read_any(n->child->node, at, iov[i].iov_base, iov[i].iov_len);
        }
        at += iov[i].iov_len;
    }
    return result;
}

static int overlay_read(BlockNode *n, BlockRequest *req, struct iovec *iov)
{
    BlockOverlay *s = n->priv;
    int result = 0;

    for (uint64_t done = 0; done < req->len && result == 0;) {
        uint64_t at = req->p.at + done;
        bool has;
        uint64_t len = overlay_run(s, at, req->len - done, &has);
        int count = overlay_slice_iov(req, done, len, iov);

        result = has ? overlay_file_pieces(s, iov, count, at, false)
                     : overlay_base_pieces(n, iov, count, at);
        done += len;
    }
    return result;
}

/* Copy a cluster from the base, with new contents in [at, at + len), or zeroes if there is no iov.
 * `lock` is held. */
static int overlay_copy_cluster(BlockNode *n, uint64_t at, uint64_t len, const struct iovec *iov,
                                int count)
{
    BlockOverlay *s = n->priv;
    uint64_t start = at / s->cluster * s->cluster;
    g_autofree uint8_t *data = g_try_malloc0(s->cluster);
    uint64_t from_base = start < s->base_end ? MIN(s->cluster, s->base_end - start) : 0;
    uint8_t *to = data + (at - start);
    int result;

    if (!data) {
        return -ENOMEM;
    }
    result = from_base ? node_read_any(n->child->node, start, data, from_base) : 0;
    if (result < 0) {
        return result;
    }
    memset(to, 0, len);
    for (int i = 0; i < count; i++) {
        memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
    result = overlay_file_write(s->fd, data, s->cluster, start);
    return result < 0 ? result : overlay_set(s, start / s->cluster) ? 0 : -ENOMEM;
}

/* Write clusters that the file does not contain yet, up to the next one that it contains. */
static int overlay_write_new(BlockNode *n, BlockRequest *req, uint64_t *done, struct iovec *iov)
{
    BlockOverlay *s = n->priv;
    uint64_t at = req->p.at + *done, left = req->len - *done;
    uint64_t len = MIN(left, s->cluster - at % s->cluster);
    bool whole = len == s->cluster;
    int result = 0;

    g_mutex_lock(&s->lock);
    if (!overlay_has(s, at / s->cluster)) {
        while (whole && left - len >= s->cluster && !overlay_has(s, (at + len) / s->cluster)) {
            len += s->cluster;
        }
        if (whole) {
            result = overlay_file_pieces(s, iov, overlay_slice_iov(req, *done, len, iov), at, true);
            for (uint64_t c = 0; c < len && result == 0; c += s->cluster) {
                result = overlay_set(s, (at + c) / s->cluster) ? 0 : -ENOMEM;
            }
        } else {
            result = overlay_copy_cluster(n, at, len, iov, overlay_slice_iov(req, *done, len, iov));
        }
        *done += len;
    } /* otherwise another request wrote the cluster: the caller checks again */
    g_mutex_unlock(&s->lock);
    return result;
}

static int overlay_write(BlockNode *n, BlockRequest *req, struct iovec *iov)
{
    BlockOverlay *s = n->priv;
    int result = 0;

    for (uint64_t done = 0; done < req->len && result == 0;) {
        uint64_t at = req->p.at + done;
        bool has;
        uint64_t len = overlay_run(s, at, req->len - done, &has);

        if (has) {
            result = overlay_file_pieces(s, iov, overlay_slice_iov(req, done, len, iov), at, true);
            done += len;
        } else {
            result = overlay_write_new(n, req, &done, iov);
        }
    }
    return result;
}

static int overlay_punch_hole(const BlockOverlay *s, uint64_t at, uint64_t len)
{
    static const uint8_t zeroes[CLUSTER_MAX];
    int result = 0;

    if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) == 0) {
        return 0;
    }
    for (uint64_t done = 0; done < len && result == 0; done += s->cluster) {
        result = overlay_file_write(s->fd, zeroes, MIN(s->cluster, len - done), at + done);
    }
    return result;
}

/* Write zeroes from `at` on, up to the next border of clusters. A discard, which is a hint, does
 * not change a part of a cluster. */
static int overlay_zero_once(BlockNode *n, const BlockRequest *req, uint64_t at, uint64_t *len)
{
    BlockOverlay *s = n->priv;
    uint64_t start = at % s->cluster;
    int result = 0;

    if (start || *len < s->cluster) {
        *len = MIN(*len, s->cluster - start);
        if (req->p.op == BLOCK_DISCARD) {
            return 0;
        }
        if (!overlay_has(s, at / s->cluster)) {
            return overlay_copy_cluster(n, at, *len, NULL, 0);
        }
        return overlay_punch_hole(s, at, *len);
    }
    *len -= *len % s->cluster;
    result = overlay_punch_hole(s, at, *len);
    for (uint64_t c = 0; c < *len && result == 0; c += s->cluster) {
        result = overlay_set(s, (at + c) / s->cluster) ? 0 : -ENOMEM;
    }
    return result;
}

static int overlay_zero(BlockNode *n, BlockRequest *req)
{
    BlockOverlay *s = n->priv;
    int result = 0;

    g_mutex_lock(&s->lock);
    for (uint64_t done = 0, len; done < req->len && result == 0; done += len) {
        len = req->len - done;
        result = overlay_zero_once(n, req, req->p.at + done, &len);
    }
    g_mutex_unlock(&s->lock);
    return result;
}

static int overlay_perform(BlockNode *n, BlockRequest *req)
{
    g_autofree struct iovec *iov = g_new(struct iovec, req->n_iov + 1);

    switch (req->p.op) {
    case BLOCK_READ:
        return overlay_read(n, req, iov);
    case BLOCK_WRITE:
        return overlay_write(n, req, iov);
    case BLOCK_FLUSH:
        return 0;
    case BLOCK_DISCARD:
    case BLOCK_WRITE_ZEROES:
        break;
    }
    return overlay_zero(n, req);
}

static void overlay_submit(BlockNode *n, BlockRequest *req)
{
    BlockOverlay *s = n->priv;
    bool data = req->p.op == BLOCK_READ || req->p.op == BLOCK_WRITE, has = false;
    bool alike = data && overlay_run(s, req->p.at, req->len, &has) == req->len;

    if (req->p.op == BLOCK_FLUSH) { /* the data end with the process */
        block_complete_any(req, 0);
    } else if (alike && !has && req->p.op == BLOCK_READ && req->p.at < s->base_end) {
        node_forward(n->child->node, req);
    } else if (!(alike && has && engine_submit(s->engine, req, s->fd))) {
        block_run_threaded(req);
    }
}

/* --- opening and closing --- */

static int overlay_open_temporary(GError **err)
{
    const char *folder = g_getenv("TMPDIR");
    g_autofree char *name = NULL;
    int fd;

    folder = folder && *folder ? folder : "/var/tmp";
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        name = g_strdup_printf("%s/backplane-XXXXXX", folder);
        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlink(name);
        }
    }
    if (fd < 0) {
        error_set_errno(err, errno, "snapshot=on: cannot create a temporary file in '%s' (TMPDIR)",
                        folder);
    }
    return fd;
}

/* Allocate the map for a disk of n->size bytes. False with *err: the disk is too large. */
static bool overlay_make_map(BlockNode *n, GError **err)
{
    BlockOverlay *s = n->priv;

    for (s->cluster = CLUSTER_MIN; s->cluster <= CLUSTER_MAX; s->cluster *= 2) {
        s->n_leaves = n->size / s->cluster / LEAF_CLUSTERS + 1;
        if (s->n_leaves <= LEAVES_MAX) {
            s->leaves = g_new0(uint8_t *, s->n_leaves);
            return true;
        }
    }
    return error_set(err, ERROR_USER,
                     "snapshot=on: a disk of %" G_GUINT64_FORMAT " bytes is too large", n->size);
}

static void overlay_close(BlockNode *n)
{
    BlockOverlay *s = n->priv;

    for (size_t i = 0; s->leaves && i < s->n_leaves; i++) {
        g_free(s->leaves[i]);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    g_mutex_clear(&s->lock);
    g_free(s->leaves);
    g_free(s);
}

static bool overlay_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockOverlay *s = g_new0(BlockOverlay, 1);

    n->priv = s;
    g_mutex_init(&s->lock);
    n->size = s->base_end = n->child->node->size;
    s->fd = -1;
    if (n->set->machine->dry_run) {
        return true;
    }
    s->fd = overlay_open_temporary(err);
    if (s->fd < 0 || !overlay_make_map(n, err)) {
        overlay_close(n);
        return false;
    }
    if (ftruncate(s->fd, n->size) < 0) {
        error_set_errno(err, errno,
                        "snapshot=on: cannot create a temporary file of %" G_GUINT64_FORMAT
                        " bytes (TMPDIR)",
                        n->size);
        overlay_close(n);
        return false;
    }
    s->engine = engine_open(n->set, ENGINE_URING, NULL) ? ENGINE_URING : ENGINE_NONE;
    return true;
}

/* No request is in flight. Bytes that are cut off read as zeroes if the disk grows again. */
static bool overlay_resize(BlockNode *n, uint64_t size, GError **err)
{
    BlockOverlay *s = n->priv;
    size_t leaves = size / s->cluster / LEAF_CLUSTERS + 1;

    if (size > INT64_MAX || leaves > LEAVES_MAX || ftruncate(s->fd, size) < 0) {
        return error_set(err, ERROR_USER,
                         "block node '%s': the temporary file cannot have %" G_GUINT64_FORMAT
                         " bytes",
                         n->name, size);
    }
    if (leaves > s->n_leaves) {
        s->leaves = g_renew(uint8_t *, s->leaves, leaves);
        memset(s->leaves + s->n_leaves, 0, (leaves - s->n_leaves) * sizeof(*s->leaves));
        s->n_leaves = leaves;
    }
    s->base_end = MIN(s->base_end, size);
    return true;
}

/* The base is read-only and locked against writers, but may have changed while it was inactive. */
static void overlay_child_resized(BlockNode *n)
{
    BlockOverlay *s = n->priv;
    uint64_t size = n->child->node->size;

    if (size != n->size && overlay_resize(n, size, NULL)) {
        s->base_end = n->size = size;
    }
}

static void overlay_child_perm(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    *perm = BLOCK_PERM_CONSISTENT_READ;
    *shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED;
}

static const char *const overlay_keys[] = { "base", NODE_KEYS, NULL };
const BlockDriver block_overlay = {
    .name = "overlay",
    .keys = overlay_keys,
    .child = "base",
    .open = overlay_open,
    .close = overlay_close,
    .submit = overlay_submit,
    .perform = overlay_perform,
    .resize = overlay_resize,
    .child_resized = overlay_child_resized,
    .child_perm = overlay_child_perm,
};

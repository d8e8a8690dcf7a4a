/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * raw: the bytes of the child, or with offset= and size= a part of them.
 *
 * A raw node whose format was probed rejects a write that puts the signature of another format into
 * the first sector. The next probe would otherwise detect that format, with which the guest could
 * select files of the host (backing files).
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

typedef struct BlockRaw {
    uint64_t offset, limit; /* in the child; limit 0: to the end of the child */
    bool probed;
} BlockRaw;

static void raw_child_resized(BlockNode *n)
{
    const BlockRaw *s = n->priv;
    uint64_t all = n->child->node->size, rest = all > s->offset ? all - s->offset : 0;

    n->size = s->limit ? MIN(s->limit, rest) : rest;
}

static bool raw_check_range(const BlockNode *n, GError **err)
{
    const BlockRaw *s = n->priv;
    uint64_t all = n->child->node->size;

    if ((s->offset | s->limit) % BLOCK_SECTOR) {
        error_set(err, ERROR_USER, "offset and size must be multiples of %u bytes", BLOCK_SECTOR);
    } else if (s->offset > all || s->limit > all - s->offset) {
        error_set(err, ERROR_USER,
                  "offset %" G_GUINT64_FORMAT " and size %" G_GUINT64_FORMAT
                  " exceed the %" G_GUINT64_FORMAT " bytes of node '%s'",
                  s->offset, s->limit, all, n->child->node->name);
    } else {
        return true;
    }
    return false;
}

static bool raw_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockRaw *s = g_new0(BlockRaw, 1);

    n->priv = s;
    if (opt_size(o, "offset", 0, &s->offset, err) && opt_size(o, "size", 0, &s->limit, err) &&
        raw_check_range(n, err)) {
        raw_child_resized(n);
        return true;
    }
    g_free(s);
    return false;
}

static void raw_close(BlockNode *n)
{
    g_free(n->priv);
}

void raw_set_probed(BlockNode *n)
{
    ((BlockRaw *)n->priv)->probed = true;
}

static bool raw_is_guarded(const BlockNode *n, const BlockRequest *req)
{
    return ((const BlockRaw *)n->priv)->probed && req->p.op == BLOCK_WRITE && req->p.at == 0;
}

static void raw_submit(BlockNode *n, BlockRequest *req)
{
    const BlockRaw *s = n->priv;

    if (raw_is_guarded(n, req)) {
        block_run_threaded(req); /* raw_perform() */
    } else {
        req->p.at += s->offset;
        node_forward(n->child->node, req);
    }
}

static int raw_pass(BlockNode *n, BlockRequest *req)
{
    const BlockRaw *s = n->priv;

    req->p.at += s->offset;
    req->p.node = n->child->node;
    return n->child->node->drv->perform(n->child->node, req);
}

/* Write with a copy of the first sector, so that the guest cannot change it after the check. */
static int raw_write_guarded(BlockNode *n, const BlockRequest *req)
{
    uint8_t head[BLOCK_SECTOR] __attribute__((aligned(BLOCK_SECTOR)));
    g_autofree struct iovec *iov = g_new(struct iovec, req->n_iov + 1);
    BlockRequest copy = *req;
    size_t at = 0;

    iov[0] = (struct iovec){ head, sizeof(head) };
    copy.iov = iov;
    copy.n_iov = 1;
    for (int i = 0; i < req->n_iov; i++) {
        size_t part = MIN(req->iov[i].iov_len, sizeof(head) - at);

        memcpy(head + at, req->iov[i].iov_base, part);
        at += part;
        if (part < req->iov[i].iov_len) {
            iov[copy.n_iov++] = (struct iovec){ (uint8_t *)req->iov[i].iov_base + part,
                                                req->iov[i].iov_len - part };
        }
    }
    return probe_format(head, at) ? -EPERM : raw_pass(n, &copy);
}

static int raw_perform(BlockNode *n, BlockRequest *req)
{
    return raw_is_guarded(n, req) ? raw_write_guarded(n, req) : raw_pass(n, req);
}

static bool raw_resize(BlockNode *n, uint64_t size, GError **err)
{
    const BlockRaw *s = n->priv;
    BlockNode *child = n->child->node;

    if (s->limit) {
        return error_set(err, ERROR_USER,
                         "block node '%s' has a fixed size (size=): it cannot be resized", n->name);
    }
    if (size > INT64_MAX - s->offset) {
        return error_set(err, ERROR_USER,
                         "block node '%s': %" G_GUINT64_FORMAT " bytes are too many", n->name,
                         size);
    }
    if (!child->drv->resize(child, size + s->offset, err)) {
        return false;
    }
    child->size = size + s->offset;
    return true;
}

static void raw_child_perm(const BlockNode *n, unsigned *perm, unsigned *shared)
{
    /* raw needs the same permissions at its child */
}

static bool raw_activate(BlockNode *n, GError **err)
{
    raw_child_resized(n);
    return true;
}

static const char *const raw_keys[] = { "file", "offset", "size", NODE_KEYS, NULL };
const BlockDriver block_raw = {
    .name = "raw",
    .keys = raw_keys,
    .child = "file",
    .open = raw_open,
    .close = raw_close,
    .submit = raw_submit,
    .perform = raw_perform,
    .resize = raw_resize,
    .child_resized = raw_child_resized,
    .child_perm = raw_child_perm,
    .activate = raw_activate,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * null-co and null-aio: a disk without data. Reads return zeroes with read-zeroes=on, and otherwise
 * do not change memory.
 */
#include <string.h>

#include "internal.h"

typedef struct BlockNull {
    bool read_zeroes;
} BlockNull;

static bool null_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockNull *s = g_new0(BlockNull, 1);

    n->priv = s;
    if (!opt_size(o, "size", 1ull << 30, &n->size, err) ||
        !opt_bool(o, "read-zeroes", false, &s->read_zeroes, err)) {
        g_free(s);
        return false;
    }
    return true;
}

static void null_close(BlockNode *n)
{
    g_free(n->priv);
}

static int null_perform(BlockNode *n, BlockRequest *req)
{
    BlockNull *s = n->priv;

    if (req->p.op == BLOCK_READ && s->read_zeroes) {
        for (int i = 0; i < req->n_iov; i++) {
            memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
        }
    }
    return 0;
}

static void null_submit(BlockNode *n, BlockRequest *req)
{
    block_complete_any(req, null_perform(n, req));
}

static bool null_resize(BlockNode *n, uint64_t size, GError **err)
{
    return true;
}

static const char *null_filename(const BlockNode *n)
{
    return n->drv == &block_null_aio ? "null-aio://" : "null-co://";
}

static const char *const null_keys[] = { "size", "read-zeroes", NODE_KEYS, NULL };
#define NULL_DRIVER(n)                                                                             \
    {                                                                                              \
        .name = (n), .keys = null_keys, .open = null_open, .close = null_close,                    \
        .submit = null_submit, .perform = null_perform, .resize = null_resize,                     \
        .filename = null_filename                                                                  \
    }
const BlockDriver block_null = NULL_DRIVER("null-co");
const BlockDriver block_null_aio = NULL_DRIVER("null-aio");

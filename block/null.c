/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * null-co: a disk that holds nothing; reads give zeroes if asked to, else leave memory as it is.
 */
#include <string.h>

#include "block_int.h"

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

static void null_submit(BlockNode *n, BlockRequest *req)
{
    BlockNull *s = n->priv;

    if (req->op == BLOCK_READ && s->read_zeroes) {
        for (int i = 0; i < req->n_iov; i++) {
            memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
        }
    }
    block_complete_any(req, 0);
}

static bool null_resize(BlockNode *n, uint64_t size, GError **err)
{
    return true;
}

static bool null_switch(BlockNode *n, GError **err)
{
    return true;
}

static const char *null_filename(const BlockNode *n)
{
    return "null-co://";
}

static const char *const null_keys[] = { "size", "read-zeroes", NULL };
const BlockDriver block_null = {
    .name = "null-co",
    .keys = null_keys,
    .open = null_open,
    .close = null_close,
    .submit = null_submit,
    .resize = null_resize,
    .activate = null_switch,
    .inactivate = null_switch,
    .filename = null_filename,
};

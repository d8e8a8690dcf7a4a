/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver `nbd` of a build without libnbd: its options are known, and opening fails.
 */
#include "nbd_internal.h"

static bool nbd_absent_open(BlockNode *n, struct json_object *o, GError **err)
{
    return error_set(err, ERROR_USER,
                     "this build has no NBD client: build with libnbd (package libnbd-dev)");
}

static void nbd_absent_close(BlockNode *n)
{
}

const BlockDriver block_nbd = {
    .name = "nbd",
    .keys = nbd_keys,
    .open = nbd_absent_open,
    .close = nbd_absent_close,
};

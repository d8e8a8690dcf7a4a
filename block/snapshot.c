/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots of nodes (contract in block/snapshot.h).
 */
#include "block/snapshot.h"

#include <string.h>

#include "internal.h"

static bool snapshot_is_written(const BlockNode *n)
{
    for (unsigned i = 0; i < n->parents->len; i++) {
        const BlockEdge *e = n->parents->pdata[i];

        if (e->user && (e->perm & BLOCK_PERM_WRITE)) {
            return true;
        }
    }
    return false;
}

/* Return the name for messages. */
static const char *snapshot_node_name(const BlockNode *n)
{
    return n->drive ? n->drive : n->name;
}

static bool snapshot_check_driver(const BlockNode *n, GError **err)
{
    if (overlay_is(n)) {
        return error_set(err, ERROR_USER,
                         "Device '%s' is writable but does not support snapshots: -snapshot or "
                         "snapshot=on keeps its writes in a temporary file; start without it",
                         snapshot_node_name(n));
    }
    return n->drv->snapshots ||
           error_set(err, ERROR_USER,
                     "Device '%s' is writable but does not support snapshots: its format is %s, "
                     "and only qcow2 stores them",
                     snapshot_node_name(n), n->drv->name);
}

bool block_snapshot_disks(Machine *m, GPtrArray **disks, GError **err)
{
    BlockSet *set = block_set(m);
    g_autoptr(GPtrArray) found = g_ptr_array_new();

    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = set->nodes->pdata[i];

        if (!snapshot_is_written(n)) {
            continue;
        }
        if (!snapshot_check_driver(n, err)) {
            return false;
        }
        g_ptr_array_add(found, n);
    }
    if (found->len == 0) {
        return error_set(err, ERROR_USER,
                         "no block device can store vmstate for snapshot: the machine requires a "
                         "writable disk in qcow2 format");
    }
    *disks = g_steal_pointer(&found);
    return true;
}

BlockNode *block_snapshot_disk(Machine *m, const char *name, GError **err)
{
    BlockNode *n = block_find(m, name);

    if (!n) {
        error_set(err, ERROR_USER, "No block device node '%s'", name);
        return NULL;
    }
    if (n->read_only) {
        error_set(err, ERROR_USER, "Block node '%s' is read-only", name);
        return NULL;
    }
    return snapshot_check_driver(n, err) ? n : NULL;
}

bool block_snapshot_get(const BlockNode *n, unsigned i, BlockSnapshot *out)
{
    return n->drv->snapshots && n->drv->snapshots->get(n, i, out);
}

bool block_snapshot_find(const BlockNode *n, const char *name, BlockSnapshot *out)
{
    for (unsigned i = 0; block_snapshot_get(n, i, out); i++) {
        if (strcmp(out->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool snapshot_result(const BlockNode *n, const char *what, int r, GError **err)
{
    return r == 0 || error_set_errno(err, -r, "Device '%s': %s", snapshot_node_name(n), what);
}

/* Find the number of a snapshot. */
static bool snapshot_index(const BlockNode *n, const char *name, unsigned *index, GError **err)
{
    BlockSnapshot s;

    for (*index = 0; block_snapshot_get(n, *index, &s); ++*index) {
        if (strcmp(s.name, name) == 0) {
            return true;
        }
    }
    return error_set(err, ERROR_USER, "Device '%s' does not have the requested snapshot '%s'",
                     snapshot_node_name(n), name);
}

bool block_snapshot_write_state(BlockNode *n, uint64_t at, const void *data, size_t len,
                                GError **err)
{
    return snapshot_result(n, "cannot write the state of the machine",
                           n->drv->snapshots->write_state(n, at, data, len), err);
}

bool block_snapshot_read_state(BlockNode *n, const char *name, uint64_t at, void *data, size_t len,
                               GError **err)
{
    unsigned i;

    return snapshot_index(n, name, &i, err) &&
           snapshot_result(n, "cannot read the state of the machine",
                           n->drv->snapshots->read_state(n, i, at, data, len), err);
}

bool block_snapshot_create(BlockNode *n, const BlockSnapshot *s, GError **err)
{
    return snapshot_result(n, "cannot create the snapshot", n->drv->snapshots->create(n, s), err);
}

bool block_snapshot_apply(BlockNode *n, const char *name, GError **err)
{
    unsigned i;

    return snapshot_index(n, name, &i, err) && n->drv->snapshots->apply(n, i, err);
}

bool block_snapshot_delete(BlockNode *n, const char *name, GError **err)
{
    unsigned i;

    return snapshot_index(n, name, &i, err) &&
           snapshot_result(n, "cannot delete the snapshot", n->drv->snapshots->remove(n, i), err);
}

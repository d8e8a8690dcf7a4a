/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots: states of a disk inside its image, each with the state of the machine or
 * without it (qcow2).
 *
 * All functions require the machine lock, a machine that does not run, and no request in flight,
 * except where stated. They return false with @err set on failure. They block.
 */
#ifndef BLOCK_SNAPSHOT_H
#define BLOCK_SNAPSHOT_H

#include "block/block.h"

typedef struct BlockSnapshot {
    const char *id, *name;  /* owned by the node */
    uint64_t vm_state_size; /* bytes; 0: the snapshot has no state of the machine */
    uint64_t vm_clock_ns;
    int64_t date_sec; /* since 1970 */
    uint32_t date_nsec;
} BlockSnapshot;

/**
 * block_snapshot_disks() - Find the nodes that a snapshot of the machine includes.
 * @disks: set to an array of the nodes that devices may write, g_ptr_array_unref()
 *
 * Fails if one of them cannot store snapshots, or if there is none. The machine may run.
 */
bool block_snapshot_disks(Machine *m, GPtrArray **disks, GError **err);

/** block_snapshot_disk() - Find the node @name; fails if it is absent or cannot store snapshots.
 * The machine may run. */
BlockNode *block_snapshot_disk(Machine *m, const char *name, GError **err);

/** block_snapshot_get() - Describe snapshot @i of a node; false behind the last one. The machine
 * may run. */
bool block_snapshot_get(const BlockNode *n, unsigned i, BlockSnapshot *out);

/** block_snapshot_find() - Describe the snapshot with a name; false if there is none. The machine
 * may run. */
bool block_snapshot_find(const BlockNode *n, const char *name, BlockSnapshot *out);

/** block_snapshot_write_state() - Store @len bytes of the state of the machine from @at on, which
 * block_snapshot_create() makes part of a snapshot. */
bool block_snapshot_write_state(BlockNode *n, uint64_t at, const void *data, size_t len,
                                GError **err);
/** block_snapshot_read_state() - Read bytes of the state of the machine from a snapshot. */
bool block_snapshot_read_state(BlockNode *n, const char *name, uint64_t at, void *data, size_t len,
                               GError **err);

/**
 * block_snapshot_create() - Add a snapshot of the present contents.
 * @s: name, date, clock and size of the state, which was written before; the id is chosen
 *
 * Also after a failure, the written state no longer belongs to the disk.
 */
bool block_snapshot_create(BlockNode *n, const BlockSnapshot *s, GError **err);
/** block_snapshot_apply() - Let the disk have the contents of a snapshot. */
bool block_snapshot_apply(BlockNode *n, const char *name, GError **err);
/** block_snapshot_delete() - Remove a snapshot. */
bool block_snapshot_delete(BlockNode *n, const char *name, GError **err);

#endif

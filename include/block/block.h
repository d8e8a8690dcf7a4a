/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block back ends: named nodes over files, host devices or nothing (null-co).
 *
 * A node is made from its options (-blockdev, -drive, blockdev-add), is found by its node name,
 * and serves one device at a time. Requests are asynchronous: submitted with the machine lock
 * held, completed on the main loop with the lock held; the I/O itself runs in io_uring or a pool
 * of threads without it. Completions of a node come in any order. Sizes are bytes and multiples
 * of BLOCK_SECTOR unless said otherwise.
 *
 * Hand-over: an inactive node holds no lock on its image and has nothing cached. Activation takes
 * the lock (or fails); inactivation needs all requests finished, flushes and unlocks.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <json-c/json.h>
#include <sys/uio.h>

#include "hw/core/machine.h"

#define BLOCK_SECTOR 512

typedef struct BlockNode BlockNode;

typedef enum BlockOp {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,
    BLOCK_DISCARD,
    BLOCK_WRITE_ZEROES
} BlockOp;

/* One request. The caller owns it until `done` was called; iov points to memory that stays
 * valid (guest RAM is pinned by the device). result: 0 or -errno. */
typedef struct BlockRequest BlockRequest;
struct BlockRequest {
    BlockOp op;
    uint64_t offset, len;
    struct iovec *iov; /* READ and WRITE; sums to len */
    int n_iov;
    bool fua;       /* WRITE and WRITE_ZEROES: durable before done */
    bool may_unmap; /* WRITE_ZEROES: may make a hole, if the node does discards */
    void (*done)(BlockRequest *req, int result);
    void *opaque;
    void *priv[3]; /* these two are private to block/ */
    int64_t started_ns;
};

/* What the device behind a node wants to hear. */
typedef struct BlockUser {
    void (*resized)(void *opaque, uint64_t size);
    const char *(*path)(void *opaque); /* of the device in the tree, for queries; may be NULL */
    void *opaque;
} BlockUser;

typedef enum BlockErrorPolicy {
    BLOCK_ON_ERROR_REPORT,
    BLOCK_ON_ERROR_IGNORE,
    BLOCK_ON_ERROR_STOP,
    BLOCK_ON_ERROR_ENOSPC
} BlockErrorPolicy;

/* --- nodes --- */

/* From -blockdev options: {"driver":"file","filename":..,"node-name":..,"read-only":..,
 * "cache":{"direct":..,"no-flush":..},"aio":"io_uring|threads","discard":..} (also "raw" over a
 * "file" child, "host_device", "null-co" with "size", "read-zeroes"). inactive: do
 * not lock or cache yet (-incoming). NULL and a sentence naming the option or the file. */
BlockNode *block_node_new(Machine *m, struct json_object *options, bool inactive, GError **err);
/* From -drive: if=none,id=..,file=..,format=raw,media=disk,readonly=..,cache=..,aio=..,discard=..,
 * werror=..,rerror=..; the node's name is "#block-ID"; found by its drive id too. file may be
 * "null-co://". */
BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err);
/* Refused while a device uses it. */
bool block_node_del(Machine *m, const char *name, GError **err);
BlockNode *block_find(Machine *m, const char *name_or_drive);
void block_free_all(Machine *m);

/* Take a node for a device (false: another holds it); give it back (drains first). */
bool block_attach(BlockNode *n, const BlockUser *user, const char *device, GError **err);
void block_detach(BlockNode *n);

const char *block_name(const BlockNode *n);
const char *block_drive_id(const BlockNode *n); /* of -drive; "" for other nodes */
uint64_t block_size(const BlockNode *n);
bool block_read_only(const BlockNode *n);
/* grow or shrink; calls user->resized. */
bool block_resize(BlockNode *n, uint64_t size, GError **err);
BlockErrorPolicy block_on_error(const BlockNode *n, bool write);
/* For queries: an error that stopped the machine (-errno), or that it is over (0). */
void block_set_io_status(BlockNode *n, int error);

/* --- I/O --- */
/* Always completes through done, never from inside the call. Out of range: -EIO. Write to a
 * read-only node: -EPERM. */
void block_submit(BlockNode *n, BlockRequest *req);
/* Run the main loop's completions until no request of n is in flight. */
void block_drain(BlockNode *n);
void block_drain_all(Machine *m);
unsigned block_in_flight(const BlockNode *n);

/* --- hand-over --- */
bool block_activate_all(Machine *m, GError **err);
/* Everything drained and flushed first. */
bool block_inactivate_all(Machine *m, GError **err);

/* For query-block and query-named-block-nodes; `what` selects drives or all nodes. */
struct json_object *block_query(Machine *m, bool named_nodes);
/* For query-blockstats: what the drives and devices, or all nodes, have done. */
struct json_object *block_query_stats(Machine *m, bool nodes);

#endif

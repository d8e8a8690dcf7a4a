/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block back ends: a graph of named nodes with a device or a drive at the top.
 *
 * Graph. A protocol node (file, host_device, null-co, null-aio) holds the data. A format or filter
 * node (raw, overlay) works on a child: a node named by the user, or one made inline together with
 * its parent. A node lives as long as something refers to it: the user who made it by name
 * (blockdev-add), a parent node, a drive, or a device. A chain is at most BLOCK_DEPTH_MAX nodes
 * deep.
 *
 * Permissions. Every reference to a node states which permissions it uses and which it allows all
 * others to use (BLOCK_PERM_*). References to one node must agree; a reference that conflicts is
 * refused, with nothing changed. A node derives the permissions it needs at its child from those
 * at itself. At a file they become locks on the image, which other processes check (QEMU's
 * protocol): permission n in use is a read lock on byte 100+n, permission n not shared a read
 * lock on byte 200+n.
 *
 * Hand-over. An inactive node holds no lock and caches nothing. Activation takes the locks (or
 * fails); inactivation flushes and releases them.
 *
 * Requests are asynchronous: submitted with the machine lock held, completed on the main loop
 * with the lock held; the I/O itself runs in io_uring or on a pool of threads without it.
 * Requests complete in any order. Sizes are bytes and multiples of BLOCK_SECTOR.
 *
 * Locking: the machine lock for every function.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <json-c/json.h>
#include <sys/uio.h>

#include "hw/core/machine.h"

#define BLOCK_SECTOR    512
#define BLOCK_DEPTH_MAX 16

typedef struct BlockNode BlockNode;

/* Permissions. The position of a bit is the n of its lock bytes. */
enum {
    BLOCK_PERM_CONSISTENT_READ = 1 << 0, /* reads see data that no other user changes halfway */
    BLOCK_PERM_WRITE = 1 << 1,
    BLOCK_PERM_WRITE_UNCHANGED = 1 << 2, /* writes that do not change what is read */
    BLOCK_PERM_RESIZE = 1 << 3,
    BLOCK_PERM_ALL = (1 << 4) - 1
};

typedef enum BlockOp {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,
    BLOCK_DISCARD,
    BLOCK_WRITE_ZEROES
} BlockOp;

/* One request. The caller owns it until `done` was called; iov points to memory that stays
 * valid (guest RAM is pinned by the device). result: 0 or -errno. The public fields are the same
 * afterwards as before, so that a request may be submitted again. */
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
    struct { /* private to block/ */
        BlockRequest *next;
        BlockNode *root, *node; /* submitted to; carried out by */
        uint64_t at;            /* offset in the latter */
        BlockOp op;
        bool fua, unmap;
        int result;
        int64_t started_ns;
    } p;
};

/* What the device at a node wants to hear, and the permissions it needs. */
typedef struct BlockUser {
    void (*resized)(void *opaque, uint64_t size);
    const char *(*path)(void *opaque); /* of the device in the tree, for queries; may be NULL */
    void *opaque;
    unsigned perm, shared; /* BLOCK_PERM_*: used; left to others */
} BlockUser;

typedef enum BlockErrorPolicy {
    BLOCK_ON_ERROR_REPORT,
    BLOCK_ON_ERROR_IGNORE,
    BLOCK_ON_ERROR_STOP,
    BLOCK_ON_ERROR_ENOSPC
} BlockErrorPolicy;

/* --- nodes --- */

/*
 * Make a node from -blockdev options, with its inline children:
 *   any node           driver, node-name, read-only, auto-read-only, force-share, discard,
 *                      detect-zeroes, cache.direct, cache.no-flush
 *   file, host_device  filename, aio, locking
 *   null-co, null-aio  size, read-zeroes
 *   raw                file (a node name, or the options of an inline node), offset, size
 * The format is never probed. inactive: neither lock nor cache before block_activate_all()
 * (-incoming). NULL and *err naming the node, the option and what is accepted; then no node was
 * made. The node belongs to the caller of blockdev-add: block_node_del() ends that reference.
 */
BlockNode *block_node_new(Machine *m, struct json_object *options, bool inactive, GError **err);
/*
 * Make the nodes of a -drive: id (required), file (a path or null-co://, file:PATH, json:{...}; or
 * an object of node options), format or driver, snapshot, media, readonly or read-only, cache,
 * aio, discard, detect-zeroes, werror, rerror, copy-on-read=off, and options of the node. Without
 * a format the image is probed: formats this build cannot open are refused by name, everything
 * else is raw, on which the guest may not write the signature of another format (-EPERM). The top
 * node is "#block-ID" and is found by the drive's id, too.
 */
BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err);
/* Whether the options of a -drive are well formed, without opening anything. */
bool block_drive_check(struct json_object *options, GError **err);
/* The node options that a file name stands for: {"driver":..,"filename":..}; json:{...} stands for
 * what it contains. NULL: an unknown protocol or malformed JSON. Caller frees (json_object_put). */
struct json_object *block_filename_parse(const char *text, GError **err);
/* The names of the formats and protocols, separated by spaces; g_free. */
char *block_format_names(void);
/* Help texts; g_free. driver NULL: the drivers; else its options, NULL and *err if unknown. */
char *block_drive_help(void);
char *block_driver_help(const char *driver, GError **err);
/* End the user's reference. Refused while a node, drive or device refers to it (*err names it). */
bool block_node_del(Machine *m, const char *name, GError **err);
/* By node name or drive id; NULL if there is none. Borrowed. */
BlockNode *block_find(Machine *m, const char *name_or_drive);
void block_free_all(Machine *m);

/*
 * Refer to a node for a device: check user->perm and user->shared against all other references,
 * lock the images below (unless inactive). A drive serves one device. False and *err naming the
 * conflicting reference or the image; nothing changed then. user stays the caller's and must
 * outlive the attachment.
 */
bool block_attach(BlockNode *n, const BlockUser *user, const char *device, GError **err);
/* End it: waits for the node's requests, then releases the locks nobody else needs. */
void block_detach(BlockNode *n, const BlockUser *user);

const char *block_name(const BlockNode *n);
const char *block_drive_id(const BlockNode *n); /* of -drive; "" for other nodes */
uint64_t block_size(const BlockNode *n);
bool block_read_only(const BlockNode *n);
/* Grow or shrink; needs the permission RESIZE for the time of the call. Calls user->resized of
 * every device on the node or above it. */
bool block_resize(BlockNode *n, uint64_t size, GError **err);
BlockErrorPolicy block_on_error(const BlockNode *n, bool write);
/* For queries: an error that stopped the machine (-errno), or that it is over (0). */
void block_set_io_status(BlockNode *n, int error);

/* --- I/O --- */
/* Always completes through done, never from inside the call. Out of range: -EIO. Write to a
 * read-only node: -EPERM. */
void block_submit(BlockNode *n, BlockRequest *req);
/* Run the main loop's completions until no request submitted to n is in flight. */
void block_drain(BlockNode *n);
void block_drain_all(Machine *m);
unsigned block_in_flight(const BlockNode *n);

/* --- hand-over --- */
/* All or none: a lock that another process holds leaves every node as it was. */
bool block_activate_all(Machine *m, GError **err);
/* Everything drained and flushed first; all or none. */
bool block_inactivate_all(Machine *m, GError **err);
/* Whether another process can go on with these images: false and *err naming a drive whose data
 * are in a temporary overlay (snapshot=on). */
bool block_may_hand_over(Machine *m, GError **err);

/* For query-block and query-named-block-nodes: the drives and devices, or all nodes. */
struct json_object *block_query(Machine *m, bool named_nodes);
/* The i-th driver and its own keys (NULL-terminated), and the keys of -drive; false at the end. */
bool block_driver_keys(size_t i, const char **name, const char *const **keys);
const char *const *block_drive_keys(void);
/* For query-blockstats: what the drives and devices, or all nodes, have done. */
struct json_object *block_query_stats(Machine *m, bool nodes);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block back ends: a graph of named nodes with a device or a drive at the top.
 *
 * Graph. A protocol node (file, host_device, nbd, null-co, null-aio) accesses data. A format or
 * filter node (raw, qcow2, blkdebug, throttle, overlay) works on a child: a node that the user
 * named, or one that was created inline together with its parent. A qcow2 node may have a second
 * one, its backing file. A node exists while something refers to it: the user who created it by
 * name (blockdev-add), a parent node, a drive, or a device. A chain has at most BLOCK_DEPTH_MAX
 * nodes.
 *
 * Permissions. Every reference to a node states the permissions that it uses and those that it
 * shares with all other references (BLOCK_PERM_*). A reference that conflicts with another is
 * rejected, with nothing changed. A node derives the permissions that it needs at its child from
 * those at itself. At a file they become locks on the image, which other processes check with
 * QEMU's protocol: permission n in use is a read lock on byte 100 + n, and permission n not shared
 * is a read lock on byte 200 + n.
 *
 * Hand-over. An inactive node holds no locks and caches no data. Activation acquires the locks, or
 * fails. Inactivation flushes and releases them.
 *
 * Requests are asynchronous. They are submitted with the machine lock held, and complete with the
 * lock held, in any order, on the event loop of the device (BlockUser.context). The I/O itself runs
 * in the host kernel (io_uring, Linux AIO) or on a pool of threads. Sizes are bytes and multiples
 * of BLOCK_SECTOR.
 *
 * Locking: the machine lock for every function.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <sys/uio.h>

#include "hw/core/machine.h"
#include "util/io_limits.h"

#define BLOCK_SECTOR    512
#define BLOCK_DEPTH_MAX 64

struct json_object; /* <json-c/json.h>: options and results of monitors */
typedef struct BlockNode BlockNode;

/* Permissions. Bit n corresponds to the lock bytes 100 + n and 200 + n. */
enum {
    BLOCK_PERM_CONSISTENT_READ = 1 << 0, /* read data that is in a consistent state */
    BLOCK_PERM_WRITE = 1 << 1,
    BLOCK_PERM_WRITE_UNCHANGED = 1 << 2, /* write without changing the contents */
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

/*
 * A request. The caller owns it until `done` is called, and keeps the memory of iov valid (a device
 * pins guest RAM). The public members are unchanged afterwards, so that a request may be submitted
 * again.
 */
typedef struct BlockRequest BlockRequest;
struct BlockRequest {
    BlockOp op;
    uint64_t offset, len;
    struct iovec *iov; /* READ and WRITE; the segments have len bytes in total */
    int n_iov;
    bool fua;       /* WRITE and WRITE_ZEROES: durable before `done` is called */
    bool may_unmap; /* WRITE_ZEROES: may deallocate, if the node discards */
    void (*done)(BlockRequest *req, int result); /* result: 0 or -errno */
    void *opaque;
    struct { /* private to block/ */
        BlockRequest *next;
        BlockNode *root, *node; /* the node submitted to; the node that performs it */
        uint64_t at;            /* offset in `node` */
        BlockOp op;
        bool fua, unmap;
        int result;
        int64_t started_ns;
        BlockNode *pin; /* the node to notify when the request completes; NULL: none */
        unsigned pin_slot;
    } p;
};

/* A device that uses a node. Function pointers may be NULL. */
typedef struct BlockUser {
    GMainContext *context; /* of the event loop that completes requests; NULL: the main loop */
    void (*resized)(void *opaque, uint64_t size);
    const char *(*path)(void *opaque); /* id or path of the device, for queries */
    void *opaque;
    unsigned perm, shared; /* BLOCK_PERM_*: used; shared with other references */
    bool removable;        /* the user has removable media (block/media.h) */
} BlockUser;

typedef enum BlockErrorPolicy {
    BLOCK_ON_ERROR_REPORT,
    BLOCK_ON_ERROR_IGNORE,
    BLOCK_ON_ERROR_STOP,
    BLOCK_ON_ERROR_ENOSPC
} BlockErrorPolicy;

/* --- nodes --- */

/**
 * block_node_new() - Create a node from -blockdev options, with its inline children.
 * @options:  driver, node-name, and the options of the driver:
 *            any driver         read-only, auto-read-only, force-share, discard, detect-zeroes,
 *                               cache.direct, cache.no-flush
 *            file, host_device  filename, aio, locking
 *            nbd                server, export, tls-creds, tls-hostname, reconnect-delay,
 *                               open-timeout
 *            null-co, null-aio  size, read-zeroes
 *            raw                file (a node name, or the options of an inline node), offset, size
 *            blkdebug           image, inject-error
 *            throttle           file, throttle-group
 *            qcow2              file, backing (the same, or null), lazy-refcounts, cache-size,
 *                               l2-cache-size, refcount-cache-size
 * @inactive: no locks and no caching before block_activate_all() (-incoming)
 * @err:      names the node, the option and what is accepted
 *
 * The format is never probed. block_node_del() ends the reference of the user who created the node.
 *
 * Return: the node, owned by the graph; NULL on failure, with no node created.
 */
BlockNode *block_node_new(Machine *m, struct json_object *options, bool inactive, GError **err);

/**
 * block_drive_new() - Create the nodes of a -drive.
 * @options: id (required), file (a path, null-co://, nbd://..., file:PATH or json:{...}, or an
 * object of node options), format or driver, snapshot, media, readonly or read-only, cache, aio,
 * discard, detect-zeroes, werror, rerror, copy-on-read=off, and options of the node
 *
 * Without a format the image is probed. A format that this build cannot open is rejected by name.
 * Any other image is raw, and the guest may not write the signature of another format to it
 * (-EPERM). The top node is "#block-ID" and is also found by the id of the drive.
 *
 * Return: the top node, owned by the graph; NULL on failure, with no node created.
 */
BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err);

/** block_drive_check() - Return whether the options of a -drive are well formed, without opening
 * files. */
bool block_drive_check(struct json_object *options, GError **err);

/**
 * block_filename_parse() - Get the node options for a file name.
 * @text: a path, PROTOCOL:..., or json:{...}
 *
 * Return: {"driver":..., "filename":...}, or the contents of json:{...}, which the caller puts;
 * NULL for an unknown protocol or malformed JSON.
 */
struct json_object *block_filename_parse(const char *text, GError **err);

/** block_node_del() - End the reference of the user. False with @err set if there is no such node,
 * or naming the node, drive or device that refers to it. */
bool block_node_del(Machine *m, const char *name, GError **err);

/** block_find() - Find a node by its name or the id of its drive; NULL if there is none. */
BlockNode *block_find(Machine *m, const char *name_or_drive);

/** block_free_all() - Remove all nodes when the machine ends. */
void block_free_all(Machine *m);

/**
 * block_attach() - Refer to a node for a device.
 * @user:   remains owned by the caller until block_detach()
 * @device: name of the device for messages
 * @err:    names the conflicting reference, or the image that another process has locked
 *
 * Checks the permissions against all other references and locks the images below, unless the node
 * is inactive. A drive serves one device. All devices on a node have the same event loop.
 * block_detach() undoes it.
 *
 * Return: false on a conflict, with nothing changed.
 */
bool block_attach(BlockNode *n, const BlockUser *user, const char *device, GError **err);
/** block_detach() - Wait for the requests of the node, and undo block_attach(). */
void block_detach(BlockNode *n, const BlockUser *user);

/** block_name() - Get the node name. Owned by the node. */
const char *block_name(const BlockNode *n);
/** block_drive_id() - Get the id of the -drive; "" for other nodes. Owned by the node. */
const char *block_drive_id(const BlockNode *n);
/** block_size() - Get the size in bytes. */
uint64_t block_size(const BlockNode *n);
bool block_read_only(const BlockNode *n);

/**
 * block_resize() - Change the size of a node.
 * @size: in bytes
 *
 * Requires BLOCK_PERM_RESIZE during the call. BlockUser.resized is called for every device on the
 * node and above it.
 *
 * Return: false with @err set if a reference or the driver does not allow it.
 */
bool block_resize(BlockNode *n, uint64_t size, GError **err);

/**
 * block_set_limits() - Set the I/O limits of a disk (docs/disks.md).
 * @drive:  id of the drive, or NULL with @id
 * @id:     id or path of the device, or NULL with @drive
 * @limits: without any limit the disk leaves its group
 * @group:  the group, whose other members get the limits too; NULL: the present one, or one with
 *          the name of the disk
 *
 * Return: false with an ERROR_USER for an unknown disk, one without a medium, or invalid limits.
 */
bool block_set_limits(Machine *m, const char *drive, const char *id, const IoLimits *limits,
                      const char *group, GError **err);

/** block_on_error() - Get the error policy of the drive (werror=, rerror=). */
BlockErrorPolicy block_on_error(const BlockNode *n, bool write);

/** block_set_io_status() - Set the io-status of queries: the -errno that stopped the machine; 0:
 * none. */
void block_set_io_status(BlockNode *n, int error);

/* --- I/O --- */

/**
 * block_submit() - Start a request.
 *
 * The request always completes by a call of `done`, and never within this function. A request
 * beyond the end fails with -EIO, and a write to a read-only node with -EPERM.
 */
void block_submit(BlockNode *n, BlockRequest *req);

/** block_drain() - Wait until no request submitted to the node is in flight. Completions of other
 * nodes may be delivered as well. */
void block_drain(BlockNode *n);
void block_drain_all(Machine *m);
/** block_in_flight() - Get the number of requests submitted to the node that have not completed. */
unsigned block_in_flight(const BlockNode *n);

/* --- hand-over --- */

/** block_activate_all() - Activate all nodes. False, with every node unchanged, if another process
 * has locked an image. */
bool block_activate_all(Machine *m, GError **err);

/** block_inactivate_all() - Drain, flush and inactivate all nodes. False, with every node active,
 * if a flush fails or block_may_hand_over() is false. */
bool block_inactivate_all(Machine *m, GError **err);

/** block_may_hand_over() - Return whether another process can continue with these images. False
 * with
 * @err naming a drive whose data are in a temporary overlay (snapshot=on). */
bool block_may_hand_over(Machine *m, GError **err);

/* --- monitors and help --- */

/** block_query() - Get the result of query-block, or of query-named-block-nodes; the caller puts
 * it. */
struct json_object *block_query(Machine *m, bool named_nodes);

/** block_query_stats() - Get the result of query-blockstats for drives and devices, or for all
 * nodes; the caller puts it. */
struct json_object *block_query_stats(Machine *m, bool nodes);

/** block_driver_keys() - Get the name and the keys (NULL-terminated) of driver @i; false behind the
 * last one. */
bool block_driver_keys(size_t i, const char **name, const char *const **keys);
/** block_drive_keys() - Get the keys of -drive, NULL-terminated. */
const char *const *block_drive_keys(void);

/** block_format_names() - Get the names of formats and protocols, separated by spaces; g_free. */
char *block_format_names(void);

/** block_drive_help() - Get the help text of -drive; g_free. */
char *block_drive_help(void);

/** block_driver_help() - Get the help text of a driver, or the list of drivers (@driver NULL);
 * g_free. NULL with @err set for an unknown driver. */
char *block_driver_help(const char *driver, GError **err);

#endif

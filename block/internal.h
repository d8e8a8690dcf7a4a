/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes inside block/: nodes and the references between them, drivers, and completions.
 *
 *   node.c        creating, finding and deleting nodes
 *   graph.c       references, permissions, sizes, hand-over
 *   io.c          checks of a request, and options of nodes, before a driver receives it
 *   completion.c  completed requests, I/O threads; uring.c, linux_aio.c: engines of the host kernel
 *   raw.c overlay.c file.c null.c blkdebug.c   drivers; image_lock.c: the locks of file.c
 *   throttle.c    I/O limits and their filter; limits.c: their options; filter.c: parts of filters
 *   qcow2.c       the qcow2 driver (block/qcow2_internal.h); backing.c: backing files
 *   nbd.c         the NBD client (block/nbd_internal.h)
 *   probe.c       signatures of image formats
 *   snapshot.c    internal snapshots, of drivers that store them
 *   drive.c       -drive as node options; query.c stats.c: queries; options.c: option values
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include <json-c/json.h>

#include "block/block.h"
#include "block/snapshot.h"
#include "util/error.h"
#include "util/io_limits.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockEdge BlockEdge;
typedef struct BlockSet BlockSet;
typedef struct BackingStack BackingStack;
typedef struct ThrottleMember ThrottleMember;

/* An asynchronous interface of the host kernel for open files, of one queue of completions. All
 * functions need the machine lock. */
typedef enum BlockEngineKind {
    ENGINE_URING,
    ENGINE_AIO,
    ENGINE_KINDS,
    ENGINE_NONE = ENGINE_KINDS /* threads */
} BlockEngineKind;
typedef struct BlockEngineOps BlockEngineOps;
typedef struct BlockQueue BlockQueue;
typedef struct BlockEngine {
    const BlockEngineOps *ops;
    BlockQueue *queue;
} BlockEngine;
struct BlockEngineOps {
    BlockEngine *(*create)(BlockQueue *queue, GError **err);
    void (*free)(BlockEngine *e);
    bool (*submit)(BlockEngine *e, BlockRequest *req, int fd); /* false: use a thread */
    void (*poll)(BlockEngine *e);                              /* complete what has finished */
};

typedef enum BlockAccess {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_FLUSH,
    ACCESS_UNMAP,
    ACCESS_KINDS
} BlockAccess;

typedef struct BlockCount {
    uint64_t bytes, done, failed;
    int64_t time_ns; /* from submission to completion, including failed requests */
} BlockCount;

typedef struct BlockStats {
    BlockCount count[ACCESS_KINDS];
    uint64_t highest; /* end of the highest write */
    int64_t last_ns;  /* time of the last completion; 0: none */
} BlockStats;

typedef enum DetectZeroes { DETECT_OFF, DETECT_ON, DETECT_UNMAP } DetectZeroes;

/* A reference to a node, held by a parent node, a device or a drive. */
struct BlockEdge {
    BlockNode *node;
    BlockNode *parent;     /* NULL: held by a device or drive */
    const BlockUser *user; /* NULL: held by a parent or drive */
    char *name;            /* "file" of a parent; the name of the device or drive */
    unsigned perm, shared;
};

struct BlockNode {
    BlockSet *set;
    char *name, *drive; /* node name; the id of -drive, or NULL */
    const BlockDriver *drv;
    void *priv; /* of the driver */
    uint64_t size;
    unsigned depth; /* length of the chain that begins with this node */
    bool read_only, discard, no_flush, active, force_share;
    bool write_through; /* every write is durable when it completes */
    bool direct;        /* cache.direct */
    bool named;         /* the user refers to the node */
    DetectZeroes detect_zeroes;
    int io_error; /* the -errno that stopped the machine; 0: none */
    BlockErrorPolicy on_write_error, on_read_error;
    GPtrArray *parents;     /* BlockEdge*: references to this node */
    BlockEdge *child;       /* reference to the child; NULL for a protocol node */
    BlockEdge *backing;     /* reference to the backing file, which is only read; NULL: none */
    BlockEdge *drive_ref;   /* reference of the drive, if this is its top node */
    BlockQueue *queue;      /* of the requests submitted to this node */
    unsigned in_flight;     /* requests submitted to this node, without those to a parent */
    ThrottleMember *limits; /* of the requests submitted to this node; NULL: none */
    BlockStats stats;
};

/* Options of every node, for BlockDriver.keys. */
#define NODE_KEYS                                                                                  \
    "driver", "node-name", "read-only", "auto-read-only", "force-share", "cache", "discard",       \
        "detect-zeroes"

/* Internal snapshots (block/snapshot.h). Return 0 or -errno. index: of an existing snapshot. */
typedef struct BlockSnapshotOps {
    bool (*get)(const BlockNode *n, unsigned index, BlockSnapshot *out);
    int (*write_state)(BlockNode *n, uint64_t at, const void *data, size_t len);
    int (*read_state)(BlockNode *n, unsigned index, uint64_t at, void *data, size_t len);
    int (*create)(BlockNode *n, const BlockSnapshot *info);
    bool (*apply)(BlockNode *n, unsigned index, GError **err);
    int (*remove)(BlockNode *n, unsigned index);
} BlockSnapshotOps;

struct BlockDriver {
    const char *name;
    const char *const *keys; /* all its options, NULL-terminated */
    const char *child;       /* the option that contains the child; NULL: a protocol */
    /* Read the options and open. n->child exists and is inactive. Sets n->size and n->priv. On
     * failure everything is released. */
    bool (*open)(BlockNode *n, struct json_object *options, GError **err);
    void (*close)(BlockNode *n);
    /* Start req, which is allowed and in range: operation req->p.op at req->p.at. It ends with
     * block_complete_any(), or is passed to the child with node_forward(). */
    void (*submit)(BlockNode *n, BlockRequest *req);
    /* Perform req in the calling thread, without the machine lock. Returns 0 or -errno. */
    int (*perform)(BlockNode *n, BlockRequest *req);
    bool (*resize)(BlockNode *n, uint64_t size, GError **err);
    /* The child's size may have changed: set n->size. NULL: a protocol. */
    void (*child_resized)(BlockNode *n);
    /* The permissions needed at the child, from those at the node. NULL: a protocol. */
    void (*child_perm)(const BlockNode *n, unsigned *perm, unsigned *shared);
    /* Lock the image for exactly these permissions. On failure the locks are unchanged. NULL:
     * nothing to lock. */
    bool (*lock)(BlockNode *n, unsigned perm, unsigned shared, GError **err);
    /* Another process may have changed the image: read its size again. NULL: not needed. */
    bool (*activate)(BlockNode *n, GError **err);
    /* Flush the data to the disk. NULL: not needed. */
    bool (*inactivate)(BlockNode *n, GError **err);
    const char *(*filename)(const BlockNode *n); /* NULL: that of the child */
    /* A request with req->p.pin and req->p.pin_slot completed. NULL: the driver sets neither. */
    void (*unpin)(BlockNode *n, unsigned slot);
    /* Add what the image states to the result of a query. NULL: nothing. */
    void (*info)(const BlockNode *n, struct json_object *image);
    const BlockSnapshotOps *snapshots; /* NULL: the format stores none */
};

/*
 * The requests of one event loop that have completed and are not delivered yet. `lock` guards the
 * list; the machine lock guards the other members. A thread that performs a request holds a
 * reference.
 */
struct BlockQueue {
    BlockSet *set;
    GMainContext *context; /* NULL: the main loop */
    unsigned devices;      /* that use it */
    gint refs;             /* atomic */
    int event;             /* eventfd: something finished */
    GSource *source;
    BlockEngine *engines[ENGINE_KINDS]; /* NULL: not used yet */
    GMutex lock;
    BlockRequest *finished, **finished_tail;
};

/* All nodes of a machine, and the pool of I/O threads. The machine lock guards the members. */
struct BlockSet {
    Machine *machine;
    GPtrArray *nodes;            /* children before their parents */
    GPtrArray *media;            /* BlockMedia*: devices with removable media */
    GThreadPool *pool;           /* created with the first request that blocks */
    unsigned n_auto;             /* names given to nodes without one */
    BlockQueue *queue;           /* of the main loop; NULL: not used yet */
    GPtrArray *queues;           /* BlockQueue*, of I/O threads */
    const BackingStack *opening; /* backing.c: images that are being opened */
    GPtrArray *throttle_groups;  /* throttle.c; NULL: none */
    int draining;                /* requests do not wait for limits; atomic */
};

BlockSet *block_set(Machine *m); /* created at the first call */
/* Create the queue of the main loop. False with *err if the host has no descriptors. */
bool block_set_ready(BlockSet *set, GError **err);

/* --- node.c --- */
/* As block_node_new(), for a node that another node or a drive will refer to. The options may lack
 * a name. drv: the driver; NULL: as the option states. */
BlockNode *node_new(Machine *m, const BlockDriver *drv, struct json_object *options, bool inactive,
                    GError **err);
/* The options of an inline child: those given, and options of the parent that the child inherits.
 * Discards are enabled, because the parent decides about them. The caller puts the object. */
struct json_object *node_inline_options(struct json_object *parent, struct json_object *given);
/* As node_new(), for a node whose option `file` is the name of `child`, which is closed on
 * failure. */
BlockNode *node_new_over(Machine *m, struct json_object *options, BlockNode *child, bool inactive,
                         GError **err);
/* Find a node by its name. NULL with *err if there is none. */
BlockNode *node_find_named(Machine *m, const char *name, GError **err);
/* Return whether the driver and the option names of a node exist. */
bool node_check(struct json_object *options, GError **err);
/* Close a node, and then its child, if nothing refers to it any more. */
void node_unref(BlockNode *n);
const BlockDriver *driver_find(const char *name);
const char *node_filename(const BlockNode *n);

/* --- graph.c --- */
/* Refer to a node. NULL with *err on a conflict, with nothing changed. */
BlockEdge *edge_new(BlockNode *n, BlockNode *parent, const BlockUser *user, const char *name,
                    unsigned perm, unsigned shared, GError **err);
/* End a reference, and close the node with its last reference. e may be NULL. */
void edge_free(BlockEdge *e);
/* The first reference of a device; NULL if there is none. */
BlockEdge *node_user(const BlockNode *n);
const char *edge_user_name(const BlockEdge *e);
/* "node 'f' (as its 'file')", "device 'disk0'", "drive 'hd0'"; g_free. */
char *edge_describe(const BlockEdge *e);
/* "drive 'hd0'" or "node 'n'": the top of a chain that the node belongs to; g_free. */
char *node_describe_top(const BlockNode *n);
/* Update the sizes of the nodes above and notify their devices. */
void node_size_changed(BlockNode *n);

/* Update the references and locks below n to the permissions of the references to n. */
bool node_apply(BlockNode *n, GError **err);

/* --- backing.c --- */
/* The backing file that an image names. Members may be NULL. */
typedef struct BlockBacking {
    const char *name, *format;
} BlockBacking;
/* Open the backing file of a node: that of the option `backing`, or that of the image. False with
 * *err if it cannot be opened. */
bool backing_open(BlockNode *n, struct json_object *options, const BlockBacking *image,
                  GError **err);
/* The node options for a path. The caller puts them. */
struct json_object *block_filename_parse_path(const char *path);

/* --- io.c --- */
/* Pass req to a node below its root. req->p.at is the offset in n. */
void node_forward(BlockNode *n, BlockRequest *req);
/* Read from a node in the calling thread. Bytes beyond its end are zero. Returns 0 or -errno. */
int node_read_any(BlockNode *n, uint64_t at, void *buf, size_t len);
/* As node_read_any() for segments of `len` bytes in total, which are changed. */
int node_readv_any(BlockNode *n, uint64_t at, struct iovec *iov, int n_iov, uint64_t len);
/* Change a node in the calling thread, for its parent. Return 0 or -errno. */
int node_write_any(BlockNode *n, uint64_t at, const void *buf, size_t len);
int node_writev_any(BlockNode *n, uint64_t at, struct iovec *iov, int n_iov, uint64_t len);
int node_discard_any(BlockNode *n, uint64_t at, uint64_t len);
int node_flush_any(BlockNode *n);
/* Let a node have at least `size` bytes; the new ones are zero. -ENOSPC if it has a fixed size. */
int node_grow_any(BlockNode *n, uint64_t size);
/* The size of a node, which an I/O thread may increase. */
uint64_t node_size_any(const BlockNode *n);

/* --- completion.c --- */
/* Keep a queue while a thread without the machine lock performs a request, and end that. */
BlockQueue *queue_ref_any(BlockQueue *q);
void queue_unref_any(BlockQueue *q);
/* Complete a request with 0 or -errno. Its `done` is called on the event loop of its device. The
 * caller holds a reference to the queue of the request, or the machine lock. */
void block_complete_any(BlockRequest *req, int result);
/* Perform req on an I/O thread with BlockDriver.perform. */
void block_run_threaded(BlockRequest *req);
/* Wait without the event loop until requests of a queue complete, and deliver them. */
void block_wait(BlockQueue *q);
/* Use the queue of an event loop for a node, which no request uses. False with *err. */
bool queue_join(BlockNode *n, GMainContext *context, GError **err);
/* Undo queue_join(). */
void queue_leave(BlockNode *n);
/* Free all queues of a machine whose threads have ended. */
void queues_free(BlockSet *set);

/* --- throttle.c --- */
/* Join a group of limits, which is created with its first member, with the limits of the object
 * throttle-group of that name if there is one. `to` receives the requests that waited. */
ThrottleMember *throttle_join(BlockSet *set, const char *group, BlockNode *to);
/* Leave the group. Requests that wait start immediately. */
void throttle_leave(ThrottleMember *t);
/* Let another node receive the requests of a member, of which none waits. */
void throttle_move(ThrottleMember *t, BlockNode *to);
/* Return true if the request has to wait: it is passed to the member's node later. */
bool throttle_hold(ThrottleMember *t, BlockRequest *req);
/* Start all requests that wait. */
void throttle_release_all(BlockSet *set);
/* Limits and name of the group of a member. */
void throttle_set_limits(ThrottleMember *t, const IoLimits *limits);
const IoLimits *throttle_limits(const ThrottleMember *t);
const char *throttle_group_name(const ThrottleMember *t);

/* --- limits.c --- */
/* Return whether this option of -drive is a limit. */
bool limits_is_option(const char *key);
/* Read the limits of -drive. *group: the option, or NULL. False with *err. */
bool limits_read(struct json_object *drive, IoLimits *limits, const char **group, GError **err);
/* Set the limits of the requests submitted to a node, in a group. No limit: leave the group. */
void limits_apply(BlockNode *n, const IoLimits *limits, const char *group);
/* Add the limits of a node to the result of a query. */
void limits_query(const BlockNode *n, struct json_object *o);

/* --- filter.c: members of a driver whose node has the size of its child --- */
bool filter_resize(BlockNode *n, uint64_t size, GError **err);
void filter_child_resized(BlockNode *n);
void filter_child_perm(const BlockNode *n, unsigned *perm, unsigned *shared);
bool filter_activate(BlockNode *n, GError **err);

/* --- stats.c --- */
void stats_begin(BlockRequest *req);
void stats_end(BlockNode *n, const BlockRequest *req, int result);

/* --- probe.c --- */
/* The format whose signature is at the start of these bytes; NULL: no known format (raw). */
const char *probe_format(const uint8_t *head, size_t len);
/* Like probe_format(), for the first bytes of a node. False with *err: an I/O error. */
bool probe_node(BlockNode *n, const char **format, GError **err);
/* Return whether this is the name of a format that this build cannot open. */
bool probe_knows(const char *format);

/* --- media.c --- */
struct BlockMedia;
/* The device whose medium belongs to a drive; NULL: none. */
struct BlockMedia *block_media_of_drive(BlockSet *set, const char *drive);

/* --- drive.c --- */
/* Create the read-only nodes of a medium that a monitor inserts. NULL with @err set on failure. The
 * caller attaches a user, or calls node_unref(). */
BlockNode *drive_medium_new(Machine *m, const char *filename, const char *format, GError **err);

/* --- raw.c --- */
/* The format was probed: reject writes that would change the result of probing. */
void raw_set_probed(BlockNode *n);

/* --- nbd_server.c --- */
/* The node options for nbd://..., nbd+tcp://..., nbd+unix://... or nbd:.... NULL with *err. */
struct json_object *nbd_filename_parse(const char *text, GError **err);

/* --- image_lock.c: locks on an open image (facts in block/block.h) --- */
typedef struct ImageLock {
    int fd;
    unsigned perm, unshared; /* held now */
} ImageLock;
/* Lock the bytes of these permissions, and of those not in `shared`. False with QEMU's message if
 * another open file conflicts; the locks are then unchanged. */
bool image_lock_set(ImageLock *l, unsigned perm, unsigned shared, const char *filename,
                    GError **err);
void image_lock_drop(ImageLock *l);
/* Return whether the host supports these locks on this file. */
bool image_lock_possible(int fd);
/* "write", "consistent read" ... of one permission bit. */
const char *perm_name(unsigned perm);

/* --- overlay.c --- */
bool overlay_is(const BlockNode *n);

extern const BlockDriver block_file, block_host_device, block_null, block_null_aio, block_raw,
    block_overlay, block_qcow2, block_blkdebug, block_throttle, block_empty, block_nbd;

/* --- options.c --- */
/* The text of a scalar option, NULL if absent. */
const char *opt_str(struct json_object *o, const char *key);
/* Parse on/off/true/false. False with *err for another value. */
bool opt_bool(struct json_object *o, const char *key, bool def, bool *out, GError **err);
bool opt_size(struct json_object *o, const char *key, uint64_t def, uint64_t *out, GError **err);
/* The index of the value in names (NULL-terminated); def if absent. False with *err listing the
 * names for another value. */
bool opt_enum(struct json_object *o, const char *key, const char *const *names, int def, int *out,
              GError **err);
/* False with *err if a key is not in the list. what: the object, for the message. */
bool opt_known(struct json_object *o, const char *const *keys, const char *what, GError **err);

/* --- engines --- */
/* Create an engine for the main loop, and for other loops when a device uses them. False with *err
 * if the host or the build does not support it. */
bool engine_open(BlockSet *set, BlockEngineKind kind, GError **err);
/* Perform req at req->p.at in an open file with the engine of its event loop. False: the engine is
 * full; use a thread. */
bool engine_submit(BlockEngineKind kind, BlockRequest *req, int fd);
/* For engines: req ended with a number of bytes or -errno. What an engine could not complete is
 * performed again from its start by a thread. Moving the same bytes twice is harmless: the request
 * has not completed yet. */
void engine_complete(BlockRequest *req, int result);

extern const BlockEngineOps engine_uring, engine_aio;

#endif

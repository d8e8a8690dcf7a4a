/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside block/: nodes and the references between them, drivers, and the way back of finished
 * requests.
 *
 *   node.c        making, finding and deleting nodes
 *   graph.c       references, permissions, sizes, hand-over
 *   io.c          what happens to a request before a driver sees it
 *   completion.c  finished requests, I/O threads; uring.c: io_uring
 *   raw.c overlay.c file.c null.c   drivers; image_lock.c: the locks of file.c
 *   probe.c       signatures of image formats
 *   drive.c       -drive as node options; query.c stats.c: queries; options.c: option values
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include "block/block.h"
#include "util/error.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockEdge BlockEdge;
typedef struct BlockSet BlockSet;

/* An asynchronous interface of the host kernel for open files. All functions need the machine
 * lock. */
typedef enum BlockEngineKind { ENGINE_URING, ENGINE_AIO, ENGINE_KINDS } BlockEngineKind;
typedef struct BlockEngineOps BlockEngineOps;
typedef struct BlockEngine {
    const BlockEngineOps *ops;
    BlockSet *set;
} BlockEngine;
struct BlockEngineOps {
    BlockEngine *(*create)(BlockSet *set, GError **err);
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
    int64_t time_ns; /* from submission to the end, of failed ones too */
} BlockCount;

typedef struct BlockStats {
    BlockCount count[ACCESS_KINDS];
    uint64_t highest; /* where the highest write ended */
    int64_t last_ns;  /* when a request last ended; 0: none did */
} BlockStats;

typedef enum DetectZeroes { DETECT_OFF, DETECT_ON, DETECT_UNMAP } DetectZeroes;

/* A reference to a node: of a parent node, of a device, or of a drive. */
struct BlockEdge {
    BlockNode *node;
    BlockNode *parent;     /* NULL: a device's or drive's */
    const BlockUser *user; /* NULL: a parent's or drive's */
    char *name;            /* "file" of a parent; the device; the drive */
    unsigned perm, shared;
};

struct BlockNode {
    BlockSet *set;
    char *name, *drive; /* node name; the id of -drive, or NULL */
    const BlockDriver *drv;
    void *priv; /* the driver's */
    uint64_t size;
    unsigned depth; /* nodes on the longest way down, itself included */
    bool read_only, discard, no_flush, active, force_share;
    bool write_through; /* every write is durable when it ends */
    bool direct;        /* cache.direct */
    bool named;         /* the user's reference */
    DetectZeroes detect_zeroes;
    int io_error; /* -errno that stopped the machine; 0: none */
    BlockErrorPolicy on_write_error, on_read_error;
    GPtrArray *parents;   /* BlockEdge*: who refers to this node */
    BlockEdge *child;     /* what it works on; NULL for a protocol node */
    BlockEdge *drive_ref; /* the drive's reference, if it is the top of one */
    unsigned in_flight;   /* requests submitted to this node, not to a parent */
    BlockStats stats;
};

/* Options of every node, for BlockDriver.keys. */
#define NODE_KEYS                                                                                  \
    "driver", "node-name", "read-only", "auto-read-only", "force-share", "cache", "discard",       \
        "detect-zeroes"

struct BlockDriver {
    const char *name;
    const char *const *keys; /* all its options, NULL-terminated */
    const char *child;       /* the option that holds the child; NULL: a protocol */
    /* Read the options and open. n->child is there, inactive. Sets n->size and n->priv. On
     * failure nothing is left. */
    bool (*open)(BlockNode *n, struct json_object *options, GError **err);
    void (*close)(BlockNode *n);
    /* Start req (allowed and in range): at req->p.at, operation req->p.op. It ends in
     * block_complete_any(), or is handed to the child with node_forward(). */
    void (*submit)(BlockNode *n, BlockRequest *req);
    /* Carry out req in the calling thread (any; without the lock): 0 or -errno. */
    int (*perform)(BlockNode *n, BlockRequest *req);
    bool (*resize)(BlockNode *n, uint64_t size, GError **err);
    /* The child's size may have changed: set n->size. NULL: a protocol. */
    void (*child_resized)(BlockNode *n);
    /* The permissions needed at the child, from those at the node. NULL: a protocol. */
    void (*child_perm)(const BlockNode *n, unsigned *perm, unsigned *shared);
    /* Hold exactly these on the image; on failure those held before. NULL: nothing to lock. */
    bool (*lock)(BlockNode *n, unsigned perm, unsigned shared, GError **err);
    /* The image may have been changed by another process: read its size anew. NULL: no need. */
    bool (*activate)(BlockNode *n, GError **err);
    /* Bring everything to the disk. NULL: no need. */
    bool (*inactivate)(BlockNode *n, GError **err);
    const char *(*filename)(const BlockNode *n); /* NULL: the child's */
};

/*
 * All nodes of a machine, the pool of I/O threads, and the finished requests on their way back.
 * The list is guarded by `lock`; everything else by the machine lock.
 */
struct BlockSet {
    Machine *machine;
    GPtrArray *nodes;                   /* children before their parents */
    GThreadPool *pool;                  /* created with the first request that blocks */
    BlockEngine *engines[ENGINE_KINDS]; /* NULL: not used yet */
    unsigned n_auto;                    /* names given to nodes without one */
    int event;                          /* eventfd: something finished */
    guint source;
    GMutex lock;
    BlockRequest *finished, **finished_tail;
};

BlockSet *block_set(Machine *m); /* made at the first call */
/* Make what requests need. False and a message if the host is out of descriptors. */
bool block_set_ready(BlockSet *set, GError **err);

/* --- node.c --- */
/* As block_node_new(), for a node that another node or a drive is going to refer to: options may
 * lack a name. drv: NULL, or the driver instead of the option. */
BlockNode *node_new(Machine *m, const BlockDriver *drv, struct json_object *options, bool inactive,
                    GError **err);
/* The options of an inline child: as given, and what it does not say itself as at its parent;
 * discards are decided there. Caller frees (json_object_put). */
struct json_object *node_inline_options(struct json_object *parent, struct json_object *given);
/* Whether a node's driver and options exist. */
bool node_check(struct json_object *options, GError **err);
/* Close it if nothing refers to it any more; then its children. */
void node_unref(BlockNode *n);
const BlockDriver *driver_find(const char *name);
const char *node_filename(const BlockNode *n);

/* --- graph.c --- */
/* Refer to a node; all or nothing. */
BlockEdge *edge_new(BlockNode *n, BlockNode *parent, const BlockUser *user, const char *name,
                    unsigned perm, unsigned shared, GError **err);
/* End it, and the node with its last reference. NULL is nothing. */
void edge_free(BlockEdge *e);
/* The reference of a device; NULL if none does. */
BlockEdge *node_user(const BlockNode *n);
const char *edge_user_name(const BlockEdge *e);
/* "node 'f' (as its 'file')", "device 'disk0'", "drive 'hd0'"; g_free. */
char *edge_describe(const BlockEdge *e);
/* Bring sizes of the nodes above up to date and tell their devices. */
void node_size_changed(BlockNode *n);

/* --- io.c --- */
/* Hand req to a node below its root; req->p.at is the offset in n. */
void node_forward(BlockNode *n, BlockRequest *req);
/* Read from a node in the calling thread: 0 or -errno. Beyond its end there are zeroes. */
int node_read_any(BlockNode *n, uint64_t at, void *buf, size_t len);

/* --- completion.c --- */
/* A request ended with 0 or -errno; its `done` runs on the main loop. Any thread. */
void block_complete_any(BlockRequest *req, int result);
/* Have the node's driver perform req on an I/O thread. */
void block_run_threaded(BlockRequest *req);
/* Wait (without the main loop) until something finished, and deliver it. */
void block_wait(BlockSet *set);

/* --- stats.c --- */
void stats_begin(BlockRequest *req);
void stats_end(BlockNode *n, const BlockRequest *req, int result);

/* --- probe.c --- */
/* The format whose signature stands at the start of these bytes; NULL: none known (raw). */
const char *probe_format(const uint8_t *head, size_t len);
/* The same of the first bytes of a node, read in the calling thread. False: an I/O error. */
bool probe_node(BlockNode *n, const char **format, GError **err);
/* Whether the name is a format that this build knows of but cannot open. */
bool probe_knows(const char *format);

/* --- raw.c --- */
/* The format was guessed: refuse a write that would change the guess. */
void raw_set_probed(BlockNode *n);

/* --- image_lock.c: locks on an open image (facts in block/block.h) --- */
typedef struct ImageLock {
    int fd;
    unsigned perm, unshared; /* held now */
} ImageLock;
/* Hold these permissions, and deny those not in `shared`. A conflict with another open file: false
 * with QEMU's text, and the locks as before. */
bool image_lock_set(ImageLock *l, unsigned perm, unsigned shared, const char *filename,
                    GError **err);
void image_lock_drop(ImageLock *l);
/* Whether the host has such locks on this file. */
bool image_lock_possible(int fd);
/* "write", "consistent read" ... of one permission bit. */
const char *perm_name(unsigned perm);

/* --- overlay.c --- */
bool overlay_is(const BlockNode *n);

extern const BlockDriver block_file, block_host_device, block_null, block_null_aio, block_raw,
    block_overlay;

/* --- options.c --- */
/* The text of a scalar option, NULL if absent. */
const char *opt_str(struct json_object *o, const char *key);
/* on/off/true/false; false with a sentence on anything else. */
bool opt_bool(struct json_object *o, const char *key, bool def, bool *out, GError **err);
bool opt_size(struct json_object *o, const char *key, uint64_t def, uint64_t *out, GError **err);
/* The index of the value in names (NULL-terminated), def if absent; false naming those. */
bool opt_enum(struct json_object *o, const char *key, const char *const *names, int def, int *out,
              GError **err);
/* Refuse the first key that is not in the list, naming it and what `what` accepts. */
bool opt_known(struct json_object *o, const char *const *keys, const char *what, GError **err);

/* --- engines --- */
/* The engine of this kind, created at its first use. NULL and *err: the host or the build has
 * none. */
BlockEngine *engine_get(BlockSet *set, BlockEngineKind kind, GError **err);
/* Carry out req at req->p.at in an open file. False: the engine is full, use a thread. */
bool engine_submit(BlockEngine *e, BlockRequest *req, int fd);
/* For engines: req ended with a number of bytes or -errno. What an engine could not complete is
 * performed again from its start by a thread. Moving the same bytes twice is harmless: the request
 * has not completed yet. */
void engine_complete(BlockRequest *req, int result);

extern const BlockEngineOps engine_uring, engine_aio;

#endif

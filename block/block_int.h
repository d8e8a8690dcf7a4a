/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside block/: nodes, drivers, and where finished requests come back.
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include "block/block.h"

typedef struct BlockDriver BlockDriver;
typedef struct BlockSet BlockSet;
typedef struct BlockRing BlockRing; /* io_uring; NULL where the host has none */

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

struct BlockNode {
    BlockSet *set;
    char *name, *drive; /* node name; the id of -drive, or NULL */
    const BlockDriver *drv;
    void *priv; /* the driver's */
    uint64_t size;
    bool read_only, discard, no_flush, active;
    bool write_through; /* every write is durable when it ends */
    bool raw;           /* made as "raw" over a file, or by -drive */
    int io_error;       /* -errno that stopped the machine; 0: none */
    BlockErrorPolicy on_write_error, on_read_error;
    const BlockUser *user; /* NULL: no device */
    char *device;          /* its name, for messages */
    unsigned in_flight;
    BlockStats stats;
    struct json_object *options; /* as given, for queries */
};

struct BlockDriver {
    const char *name;
    const char *const *keys; /* options it knows beside the common ones, NULL-terminated */
    bool (*open)(BlockNode *n, struct json_object *options, GError **err);
    void (*close)(BlockNode *n);
    /* Start the request (in range, allowed); it ends in block_complete_any(). */
    void (*submit)(BlockNode *n, BlockRequest *req);
    bool (*resize)(BlockNode *n, uint64_t size, GError **err);
    /* Take or drop the image's lock; re-read the size when taking. */
    bool (*activate)(BlockNode *n, GError **err);
    bool (*inactivate)(BlockNode *n, GError **err);
    const char *(*filename)(const BlockNode *n);
};

/*
 * All nodes of a machine, the pool of I/O threads, and the finished requests on their way back.
 * The lists are guarded by `lock`; everything else by the machine lock.
 */
struct BlockSet {
    Machine *machine;
    GPtrArray *nodes;
    GThreadPool *pool; /* created with the first file */
    BlockRing *ring;
    int event; /* eventfd: something finished */
    guint source;
    GMutex lock;
    BlockRequest *finished, **finished_tail; /* linked through priv[0] */
};

enum { REQ_NEXT, REQ_NODE, REQ_RESULT, REQ_USES }; /* uses of BlockRequest.priv */

BlockSet *block_set(Machine *m); /* made at the first call */
static inline BlockNode *req_node(const BlockRequest *req)
{
    return req->priv[REQ_NODE];
}

/* A request ended with 0 or -errno; its `done` runs on the main loop. Any thread. */
void block_complete_any(BlockRequest *req, int result);
/* Run fn on an I/O thread; it must end in block_complete_any(). */
void block_run_threaded(BlockRequest *req);
/* Wait (without the main loop) until something finished, and deliver it. */
void block_wait(BlockSet *set);

/* Path or name of the device that uses the node; one does. */
const char *node_user(const BlockNode *n);

/* --- stats.c --- */
void stats_begin(BlockRequest *req);
void stats_end(BlockNode *n, const BlockRequest *req, int result);

extern const BlockDriver block_file, block_host_device, block_null;

/* --- options --- */
/* The text of a scalar option, NULL if absent. */
const char *opt_str(struct json_object *o, const char *key);
/* on/off/true/false; false with a sentence on anything else. */
bool opt_bool(struct json_object *o, const char *key, bool def, bool *out, GError **err);
bool opt_size(struct json_object *o, const char *key, uint64_t def, uint64_t *out, GError **err);
/* Refuse the first key that is in neither list, naming it. */
bool opt_known(struct json_object *o, const char *const *a, const char *const *b, const char *what,
               GError **err);

/* --- io_uring (uring.c) --- */
BlockRing *ring_new(BlockSet *set); /* NULL: the host or the build has none */
void ring_free(BlockRing *ring);
/* False if the ring is full: use a thread. */
bool ring_submit(BlockRing *ring, BlockRequest *req, int fd);
/* Deliver what finished. */
void ring_poll(BlockRing *ring);

/* file.c, for uring.c: do the rest of a request in the calling thread; 0 or -errno. */
int file_do(BlockNode *n, BlockRequest *req, uint64_t done);

#define BLOCK_ERROR(err, ...) g_set_error(err, g_quark_from_static_string("block"), 0, __VA_ARGS__)

#endif

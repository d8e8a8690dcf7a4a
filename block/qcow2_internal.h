/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qcow2 driver: state of an open image and the functions that its files share.
 *
 *   qcow2.c           options, requests, permissions, hand-over, queries
 *   qcow2_header.c    the header: reading, checks, changes
 *   qcow2_cache.c     slices of L2 tables and refcount blocks in memory
 *   qcow2_map.c       guest offset -> extent
 *   qcow2_refcount.c  reference counts: allocation and release of clusters
 *   qcow2_table.c     new refcount blocks, growth of the refcount table and of the L1 table
 *   qcow2_sync.c      ordered writing of metadata
 *   qcow2_read.c qcow2_compress.c   reads
 *   qcow2_write.c     writes that allocate
 *   qcow2_zero.c      zeroes and discards
 *   qcow2_repair.c    reference counts of an image that was not closed
 *   qcow2_snapshot.c  the snapshot table; qcow2_snapshot_change.c: its changes
 *
 * Order of writes. A reference in the file never precedes what it refers to:
 *
 *   1. data, initial contents of tables, reference counts         then a barrier (fdatasync)
 *   2. entries of the refcount table                              then a barrier
 *   3. entries of L2 and L1 tables                                then a barrier
 *   4. clusters that lost their last reference become free.
 *
 * Metadata changes remain in the caches until a flush, until a cache is full, or until the file
 * would grow although many clusters wait to become free. Each of these runs all steps. An image
 * whose process ends at any write therefore has at worst clusters that nothing refers to. Entries
 * are 8 bytes, aligned, so a write that is torn at a sector leaves each of them old or new.
 *
 * Locks. `meta` is held while metadata change, and may be held during I/O. `map` guards the tables
 * and caches in memory, and is never held during I/O; a thread that holds `meta` may read them
 * without `map`. Order: machine lock, meta, map. A request that accesses clusters without `meta`
 * holds a pin: a cluster that is freed is reused only after the pins that existed at that time have
 * ended.
 */
#ifndef BLOCK_QCOW2_INTERNAL_H
#define BLOCK_QCOW2_INTERNAL_H

#include <stdint.h>

#include "internal.h"

enum {
    QCOW2_CLUSTER_BITS_MIN = 9,
    QCOW2_CLUSTER_BITS_MAX = 21,
    QCOW2_SLICE_MAX = 4096,
    QCOW2_NAME_MAX = 1023,
    QCOW2_L1_MAX = 32 << 20,   /* bytes */
    QCOW2_TABLE_MAX = 8 << 20, /* bytes of the refcount table */
    QCOW2_SNAPSHOTS_MAX = 65536,
    QCOW2_HEAD_MAX = 65536, /* bytes of the first cluster that are read */
};

/* Header offsets. */
enum {
    QCOW2_H_MAGIC = 0,
    QCOW2_H_VERSION = 4,
    QCOW2_H_BACKING_OFFSET = 8,
    QCOW2_H_BACKING_SIZE = 16,
    QCOW2_H_CLUSTER_BITS = 20,
    QCOW2_H_SIZE = 24,
    QCOW2_H_CRYPT = 32,
    QCOW2_H_L1_SIZE = 36,
    QCOW2_H_L1_OFFSET = 40,
    QCOW2_H_TABLE_OFFSET = 48,
    QCOW2_H_TABLE_CLUSTERS = 56,
    QCOW2_H_SNAPSHOTS = 60,
    QCOW2_H_SNAPSHOT_OFFSET = 64,
    QCOW2_H_INCOMPATIBLE = 72,
    QCOW2_H_COMPATIBLE = 80,
    QCOW2_H_AUTOCLEAR = 88,
    QCOW2_H_REFCOUNT_ORDER = 96,
    QCOW2_H_LENGTH = 100,
    QCOW2_H_COMPRESSION = 104,
};

#define QCOW2_DIRTY       (1ull << 0)
#define QCOW2_CORRUPT     (1ull << 1)
#define QCOW2_DATA_FILE   (1ull << 2)
#define QCOW2_COMPRESSION (1ull << 3)
#define QCOW2_EXTENDED_L2 (1ull << 4)
#define QCOW2_LAZY        (1ull << 0) /* compatible feature */

/* Bits of L1 and L2 entries. */
#define QCOW2_COPIED     (1ull << 63)
#define QCOW2_COMPRESSED (1ull << 62)
#define QCOW2_ZERO       1ull
#define QCOW2_OFFSET     0x00fffffffffffe00ull

typedef struct Qcow2Slice Qcow2Slice;
struct Qcow2Slice {
    uint64_t at; /* in the file */
    bool dirty;
    GList link; /* in Qcow2Cache.lru */
    uint8_t data[];
};

typedef struct Qcow2Cache {
    GHashTable *slices; /* by offset */
    GQueue lru;         /* most recently used first */
    size_t limit;       /* slices */
} Qcow2Cache;

typedef struct Qcow2Range {
    uint64_t at, len; /* clusters of the file */
} Qcow2Range;

/* Guest clusters that a request is allocating; other requests wait for them. */
typedef struct Qcow2Alloc Qcow2Alloc;
struct Qcow2Alloc {
    uint64_t first, n;
    Qcow2Alloc *next;
};

typedef struct Qcow2Snapshot {
    uint64_t l1_offset, disk_size, vm_state_size, vm_clock_ns;
    uint32_t l1_size, date_sec, date_nsec;
    char *id, *name;
} Qcow2Snapshot;

typedef struct Qcow2 {
    BlockNode *node;
    /* The header. */
    uint8_t head[BLOCK_SECTOR]; /* its first sector, as in the file */
    unsigned version, cluster_bits, refcount_order, compression;
    uint64_t cluster, size, l1_offset, table_offset, snapshot_offset;
    uint32_t l1_size, table_clusters, n_snapshots;
    uint64_t incompatible, compatible, autoclear;
    uint64_t bitmap_dir_offset, bitmap_dir_size; /* header extension; 0: none */
    char *backing_name, *backing_format;         /* NULL: none */
    GPtrArray *snapshots;                        /* Qcow2Snapshot* */
    uint64_t snapshot_bytes;                     /* of the snapshot table */
    /* Options. */
    bool lazy;
    uint64_t l2_cache_bytes, refcount_cache_bytes; /* 0: default */

    GMutex meta, map;
    GCond changed; /* with meta: an allocation ended */
    unsigned l2_bits;
    uint32_t slice;
    uint64_t *l1;    /* l1_size entries */
    uint64_t *table; /* the refcount table; NULL until the image is prepared for writing */
    uint32_t table_entries;
    Qcow2Cache l2, refcounts;
    bool l1_dirty, table_dirty;
    bool dirty;    /* metadata differ from the file; atomic */
    bool prepared; /* qcow2_prepare_write() succeeded; atomic */
    bool damaged;  /* no more writes; atomic */
    bool reported;
    GHashTable *metadata; /* clusters of tables: never allocated for data */
    uint64_t free_hint;   /* no free cluster is below */
    uint64_t fresh_from;  /* this cluster and those after it contain zeroes */
    Qcow2Alloc *allocs;
    GArray *freed, *waiting; /* Qcow2Range: lost a reference; durable and waiting for pins */
    uint64_t freed_bytes;    /* of the ranges in `freed` */
    unsigned pins[2], pin_slot;
    GMutex inflate; /* guards the decompressed cluster */
    uint64_t inflated_entry;
    uint8_t *inflated;
} Qcow2;

typedef enum Qcow2Type {
    QCOW2_UNALLOCATED,
    QCOW2_ZEROES,      /* without a cluster */
    QCOW2_ZEROES_KEPT, /* with a cluster, which is not read */
    QCOW2_DATA,
    QCOW2_DEFLATED
} Qcow2Type;

typedef struct Qcow2Extent {
    Qcow2Type type;
    uint64_t len;
    uint64_t host;  /* ZEROES_KEPT, DATA: offset in the file of the first byte */
    uint64_t entry; /* the L2 entry of the first cluster */
    bool copied;    /* DATA, ZEROES_KEPT: nothing else refers to the clusters */
} Qcow2Extent;

static inline BlockNode *qcow2_file(const Qcow2 *q)
{
    return q->node->child->node;
}

static inline bool qcow2_is_damaged(const Qcow2 *q)
{
    return __atomic_load_n(&q->damaged, __ATOMIC_ACQUIRE);
}

static inline uint64_t qcow2_clusters(const Qcow2 *q, uint64_t bytes)
{
    return (bytes >> q->cluster_bits) + ((bytes & (q->cluster - 1)) != 0);
}

/* --- qcow2_header.c --- */
/* Read and check the header. False with *err: not an image that this driver can open. */
bool qcow2_header_read(Qcow2 *q, GError **err);
void qcow2_header_clear(Qcow2 *q);
/* Write the first sector. Fields are in q->head. Returns 0 or -errno. */
int qcow2_header_write(Qcow2 *q);
void qcow2_header_set64(Qcow2 *q, unsigned at, uint64_t value);
void qcow2_header_set32(Qcow2 *q, unsigned at, uint32_t value);
/* Return whether n entries of `entry` bytes at `at` are in the file and aligned to clusters. */
bool qcow2_check_table(const Qcow2 *q, const char *what, uint64_t at, uint64_t n, uint64_t entry,
                       uint64_t max_bytes, GError **err);

/* --- qcow2_cache.c --- */
void qcow2_cache_init(Qcow2Cache *c, uint64_t bytes, uint32_t slice);
void qcow2_cache_clear(Qcow2Cache *c); /* also drops changes */
void qcow2_cache_free(Qcow2Cache *c);
/* The slice at this offset if it is in memory; NULL otherwise. map or meta. */
Qcow2Slice *qcow2_cache_peek(Qcow2Cache *c, uint64_t at);
/* Load a slice if it is not in memory. meta. Slices of the same cache that were returned before may
 * be freed. Returns 0 or -errno. */
int qcow2_cache_get(Qcow2 *q, Qcow2Cache *c, uint64_t at, Qcow2Slice **slice);
/* Write all changed slices. meta. Returns 0 or -errno. */
int qcow2_cache_write(Qcow2 *q, Qcow2Cache *c);
/* Drop the slices of a cluster. meta. */
void qcow2_cache_drop(Qcow2 *q, Qcow2Cache *c, uint64_t at);
/* A change of a slice. meta. */
void qcow2_slice_set64(Qcow2 *q, Qcow2Slice *s, unsigned at, uint64_t value);
uint64_t qcow2_slice_get64(const Qcow2Slice *s, unsigned at);

/* --- qcow2_map.c --- */
/* Find the extent that begins at a guest offset, of at most len bytes. map. Returns 0, -ENOENT (the
 * table is not in memory), or -EIO (damaged). */
int qcow2_map_find(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e);
/* Load the slice of the L2 table for a guest offset. meta. Returns 0 or -errno. */
int qcow2_map_load(Qcow2 *q, uint64_t at);
/* Find an extent, loading tables as required, and pin it. Neither lock. Returns 0 or -errno. On
 * success qcow2_unpin() ends the pin. */
int qcow2_map_pin(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e, unsigned *slot);
/* As qcow2_map_pin() with meta, without a pin. */
int qcow2_map_get(Qcow2 *q, uint64_t at, uint64_t len, Qcow2Extent *e);
/* Provide an L2 table that may be changed. meta. */
int qcow2_map_own_table(Qcow2 *q, uint64_t at);
/* Set the entry of a guest cluster, in a table from qcow2_map_own_table(). meta. */
int qcow2_map_set(Qcow2 *q, uint64_t at, uint64_t entry);
unsigned qcow2_pin(Qcow2 *q); /* map */
void qcow2_unpin(Qcow2 *q, unsigned slot);
/* Position and length of a compressed cluster in the file. */
void qcow2_compressed_place(const Qcow2 *q, uint64_t entry, uint64_t *at, uint64_t *len);

/* --- qcow2_refcount.c: meta for all functions --- */
/* Allocate up to `want` clusters that follow each other; with `exact`, all of them. Returns 0 or
 * -errno. *fresh: they contain zeroes. */
int qcow2_allocate(Qcow2 *q, uint64_t want, bool exact, uint64_t *at, uint64_t *got, bool *fresh);
/* Undo qcow2_allocate() for clusters that nothing refers to. */
void qcow2_unallocate(Qcow2 *q, uint64_t at, uint64_t n);
/* Count one reference less to the clusters of these bytes, after the next qcow2_sync(). */
void qcow2_unref(Qcow2 *q, uint64_t at, uint64_t len);
/* As qcow2_unref() for the clusters of an L2 entry. */
void qcow2_unref_entry(Qcow2 *q, uint64_t entry);
/* Make clusters free whose references have ended durably, and whose pins have ended. */
void qcow2_release(Qcow2 *q);
int qcow2_refcount_get(Qcow2 *q, uint64_t index, uint64_t *value);
int qcow2_refcount_set(Qcow2 *q, uint64_t index, uint64_t value);
uint64_t qcow2_refcount_decode(const Qcow2 *q, const uint8_t *block, uint64_t i);
void qcow2_refcount_encode(const Qcow2 *q, uint8_t *block, uint64_t i, uint64_t value);
uint64_t qcow2_refcounts_per_block(const Qcow2 *q);
uint64_t qcow2_refcount_max(const Qcow2 *q);

/* --- qcow2_table.c: meta for all functions --- */
/* Create the refcount block of a free cluster in that cluster. *next: where to continue to search.
 */
int qcow2_table_add_block(Qcow2 *q, uint64_t index, uint64_t *next);
bool qcow2_table_load(Qcow2 *q, GError **err);
/* Provide an L1 table for a disk of this size. */
int qcow2_table_grow_l1(Qcow2 *q, uint64_t size);
/* Fill clusters with zeroes. */
int qcow2_table_zero(Qcow2 *q, uint64_t at, uint64_t n);

/* --- qcow2_sync.c: meta for all functions --- */
/* Get ready for changes: checks, repair, features of the header. Returns 0 or -errno. */
int qcow2_prepare_write(Qcow2 *q);
/* Write all metadata and make them durable. */
int qcow2_sync(Qcow2 *q);
/* Write reference counts and the refcount table, with barriers. */
int qcow2_sync_refcounts(Qcow2 *q);
/* qcow2_sync(), and leave the image as another process expects it. */
int qcow2_settle(Qcow2 *q);
void qcow2_set_dirty(Qcow2 *q);
/* The image contradicts itself: report it once, set the corrupt bit, and reject writes from now on.
 * Returns -EIO. */
int qcow2_damage(Qcow2 *q, const char *what, uint64_t at);
/* As qcow2_damage() for threads without meta: reports, and rejects writes. */
int qcow2_damage_seen(Qcow2 *q, const char *what, uint64_t at);

/* --- qcow2_read.c, qcow2_compress.c --- */
/* Read guest data in the calling thread. Neither lock. Returns 0 or -errno. */
int qcow2_read(Qcow2 *q, uint64_t at, void *buf, uint64_t len);
int qcow2_read_request(Qcow2 *q, const BlockRequest *req);
/* Copy a part of a compressed cluster. */
int qcow2_inflate(Qcow2 *q, uint64_t entry, uint64_t skip, void *buf, uint64_t len);
void qcow2_inflate_forget(Qcow2 *q);
/* Store the segments of the bytes [skip, skip + len) of the request in `to`, which has room for
 * n_iov segments; return their number. */
int qcow2_slice_iov(const BlockRequest *req, uint64_t skip, uint64_t len, struct iovec *to);

/* --- qcow2_write.c --- */
/* Write in the calling thread. Neither lock. Returns 0 or -errno. */
int qcow2_write_request(Qcow2 *q, const BlockRequest *req);
/* Wait until no other request allocates these guest clusters. meta, which is released meanwhile.
 * Returns whether it waited. */
bool qcow2_wait_allocs(Qcow2 *q, uint64_t first, uint64_t n);

/* --- qcow2_zero.c --- */
int qcow2_zero_request(Qcow2 *q, const BlockRequest *req);
int qcow2_discard_request(Qcow2 *q, const BlockRequest *req);

/* --- qcow2_repair.c --- */
/* Compute all reference counts again. meta. Returns 0 or -errno. */
int qcow2_repair(Qcow2 *q);

/* --- qcow2_snapshot.c --- */
bool qcow2_snapshots_read(Qcow2 *q, GError **err);
void qcow2_snapshots_clear(Qcow2 *q);

/* --- qcow2_snapshot_change.c --- */
extern const BlockSnapshotOps qcow2_snapshot_ops;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside virtio-blk (virtio 1.2, 5.2): the disk, and what its two files give each other.
 *
 *   virtio_blk.c      life, features, configuration space, saved state
 *   virtio_blk_req.c  requests: from a chain to the block node and back, errors, stops
 */
#ifndef HW_BLOCK_VIRTIO_BLK_H
#define HW_BLOCK_VIRTIO_BLK_H

#include "block/block.h"
#include "hw/virtio/virtio_pci.h"

enum {
    F_SEG_MAX = 2,
    F_RO = 5,
    F_BLK_SIZE = 6,
    F_FLUSH = 9,
    F_TOPOLOGY = 10,
    F_CONFIG_WCE = 11,
    F_MQ = 12,
    F_DISCARD = 13,
    F_WRITE_ZEROES = 14,
};
enum { S_DRIVER_OK = 4 };
enum {
    SEG_MAX = 254,
    MAX_RANGE_SECTORS = 1 << 22, /* of one discard or write-zeroes */
    MAX_QUEUES = 64,
};

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkReq BlkReq;
typedef struct BlkReqList {
    BlkReq *head, *tail; /* tail: only of a list that is not empty */
} BlkReqList;

struct VirtioBlk {
    VirtioPCI vpci;
    char *drive, *serial;
    uint16_t num_queues, queue_size;
    uint32_t logical, physical;
    bool discard, write_zeroes, config_wce;
    uint32_t write_cache;    /* PlanOnOff */
    uint32_t read_only;      /* PlanOnOff, decided in init */
    bool share_rw;           /* others may write to the node */
    uint32_t werror, rerror; /* 0: as the drive says; else BlockErrorPolicy + 1 */
    BlockNode *node;
    BlockUser user;
    uint8_t writeback;
    BlkReqList kept; /* failed, to be issued again when the machine runs */
    BlkReqList due;  /* between two steps, or without a driver that could be told */
    unsigned in_flight;
    uint64_t bytes_in_flight;
    uint64_t stalled; /* bit n: queue n waits for others to end */
    struct KeptHead {
        uint16_t queue, slot;
    } * loaded; /* of a saved machine, until it runs */
    uint32_t n_loaded, loaded_at;
};

static inline VirtioBlk *blk_of(VirtioDevice *v)
{
    return v->instance;
}

/* The write cache is on: a write may end before it is durable. */
bool virtio_blk_writeback(VirtioBlk *blk);
/* VirtioClass.queue_notified and .queue_reset. Requests in flight finish into stale chains; a
 * reset waits for them, which keeps their memory and the order of writes as a driver expects. */
void virtio_blk_notified(VirtioDevice *v, unsigned queue);
void virtio_blk_queue_reset(VirtioDevice *v, unsigned queue);
/* Requests that a load brought are none of this driver's any more. */
void virtio_blk_forget_loaded(VirtioBlk *blk);
/* A RunStateFn: stopping waits for requests, running again makes those that were kept due. */
void virtio_blk_run_changed(void *opaque, bool running, RunState state);
/* The saved list of kept requests, over VirtioBlk.kept. */
extern const VmOps virtio_blk_kept_ops;

#endif

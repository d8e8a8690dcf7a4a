/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a block device (virtio 1.2, 5.2).
 *
 * A chain becomes one request to the block node after the other, of at most STEP bytes each. A
 * request that fails while the error policy is "stop" is kept: the machine stops, and the request
 * is issued again when the machine runs. Requests that are kept, or that are between two steps, are
 * part of the saved state.
 *
 * The number and the bytes of requests in flight are bounded, because a reset, a stop and the end
 * of the process wait for them.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "block/block.h"
#include "hw/virtio/virtio_base.h"
#include "machine-events.h"
#include "util/error.h"
#include "util/iov.h"
#include "util/log.h"

enum {
    SEG_MAX = 254,               /* seg_max of the configuration */
    MAX_RANGE_SECTORS = 1 << 22, /* of one discard or write-zeroes */
    MAX_QUEUES = 64,
    HEADER_LEN = 16,  /* type, reserved and sector */
    RANGE_LEN = 16,   /* sector, num_sectors and flags */
    CONFIG_SIZE = 60, /* struct virtio_blk_config up to write_zeroes_may_unmap */
};
enum {
    STEP = 2 << 20,        /* of a transfer: Linux's requests are smaller */
    RANGE_STEP = 32 << 20, /* of a discard or of zeroes */
    MAX_IN_FLIGHT = 512,
    MAX_BYTES_IN_FLIGHT = 32 << 20,
    SUBMIT_UNITS = 4,  /* of a turn, for one request */
    UNIT_BYTES = 4096, /* bytes for one more unit: reads from the page cache are copied during the
                          submission */
};

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkReq BlkReq;
typedef struct BlkReqList {
    BlkReq *head, *tail; /* tail is valid only while head is not NULL */
} BlkReqList;

struct VirtioBlk {
    VirtioBase base;
    char *drive, *serial, *iothread;
    int32_t bootindex;
    uint16_t num_queues, queue_size;
    uint32_t logical, physical;
    uint32_t cyls, heads, secs; /* geometry; all 0: none */
    bool discard, write_zeroes, config_wce;
    uint32_t write_cache;    /* PlanOnOff */
    uint32_t read_only;      /* PlanOnOff; not PLAN_AUTO after init */
    bool share_rw;           /* other users of the node may write */
    uint32_t werror, rerror; /* 0: the drive's policy; otherwise BlockErrorPolicy + 1 */
    BlockNode *node;
    BlockUser user;
    char *path; /* of the device behind the transport; NULL until virtio_blk_path() */
    uint8_t writeback;
    BlkReqList kept; /* failed requests that are issued again when the machine runs */
    BlkReqList due;  /* requests between two steps, or that ended while DMA is not possible */
    unsigned in_flight;
    uint64_t bytes_in_flight;
    uint64_t stalled; /* bit n: queue n waits until requests in flight end */
    struct KeptHead {
        uint16_t queue, slot;
    } * loaded; /* requests of a loaded state, until the machine runs */
    uint32_t n_loaded, loaded_at;
};

static VirtioBlk *virtio_blk_of(VirtioDevice *v)
{
    return v->instance;
}

/* Return whether the write cache is on, so that a write may complete before it is durable. Streams
 * of earlier versions contain the default for drivers that can neither flush nor switch the cache;
 * for those drivers the cache is off. */
static bool virtio_blk_writeback(VirtioBlk *blk)
{
    VirtioDevice *v = &blk->base.virtio;
    bool fixed = (v->status & VIRTIO_CONFIG_S_DRIVER_OK) && !virtio_has(v, VIRTIO_BLK_F_FLUSH) &&
                 !virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE);

    return blk->writeback && !fixed;
}

struct BlkReq {
    BlockRequest io;
    VirtioBlk *blk;
    VirtqBuf *buf;
    uint32_t type;
    uint64_t offset, len, done; /* on the disk; `done` bytes of len are complete */
    struct iovec *iov, *step; /* the data of the chain; the part of it that is being transferred */
    int n_iov;
    size_t in_data; /* bytes that a successful request writes into the chain, without the status */
    bool ended;     /* with `status`, which the driver has not received yet */
    uint8_t status;
    struct BlkReq *next; /* in a BlkReqList */
};

/* --- lists --- */

static void virtio_blk_list_push(BlkReqList *list, BlkReq *req)
{
    req->next = NULL;
    if (list->head) {
        list->tail->next = req;
    } else {
        list->head = req;
    }
    list->tail = req;
}

static BlkReq *virtio_blk_list_pop(BlkReqList *list)
{
    BlkReq *req = list->head;

    if (req) {
        list->head = req->next;
    }
    return req;
}

/* --- finishing --- */

static void virtio_blk_req_free(BlkReq *req)
{
    g_free(req->step);
    g_free(req->iov);
    g_free(req);
}

/* Complete a request. While DMA is not possible, the request waits until it is. */
static void virtio_blk_req_finish(BlkReq *req, uint8_t status)
{
    VirtQueue *vq = req->buf->vq;

    if (!virtio_can_dma(&req->blk->base.virtio)) {
        req->ended = true;
        req->status = status;
        virtio_blk_list_push(&req->blk->due, req);
        return;
    }
    virtq_write(req->buf, req->buf->out_len - 1, &status, 1);
    virtq_push(vq, req->buf, req->in_data + 1);
    virtq_notify(vq);
    virtio_blk_req_free(req);
}

/* Return the path of the virtio device, which is known once it is realized. */
static const char *virtio_blk_path(void *opaque)
{
    VirtioBlk *blk = opaque;
    const Device *dev = &blk->base.dev;

    if (!blk->path) {
        blk->path = g_strconcat(dev->path, dev->type->kind == &pci_device_kind ? "/" : NULL,
                                VIRTIO_BACKEND, NULL);
    }
    return blk->path;
}

static void virtio_blk_announce_error(BlkReq *req, QmpBlockErrorAction action, int error)
{
    VirtioBlk *blk = req->blk;

    event_block_io_error(blk->base.dev.machine, block_drive_id(blk->node), block_name(blk->node),
                         virtio_blk_path(blk),
                         req->io.op == BLOCK_READ ? QMP_IO_OPERATION_TYPE_READ
                                                  : QMP_IO_OPERATION_TYPE_WRITE,
                         action, error == -ENOSPC, g_strerror(-error));
}

/* The device's own policy, or the drive's. */
static BlockErrorPolicy virtio_blk_policy_for(const BlkReq *req)
{
    bool write = req->io.op != BLOCK_READ;
    uint32_t own = write ? req->blk->werror : req->blk->rerror;

    return own ? (BlockErrorPolicy)(own - 1) : block_on_error(req->blk->node, write);
}

static void virtio_blk_req_failed(BlkReq *req, int error)
{
    BlockErrorPolicy policy = virtio_blk_policy_for(req);
    bool stop =
        policy == BLOCK_ON_ERROR_STOP || (policy == BLOCK_ON_ERROR_ENOSPC && error == -ENOSPC);

    /* Other requests that fail while the machine stops are kept as well. */
    if (stop) {
        virtio_blk_list_push(&req->blk->kept, req);
        block_set_io_status(req->blk->node, error);
        virtio_blk_announce_error(req, QMP_BLOCK_ERROR_ACTION_STOP, error);
        machine_set_state(req->blk->base.dev.machine, RUN_IO_ERROR);
    } else if (policy == BLOCK_ON_ERROR_IGNORE) {
        virtio_blk_announce_error(req, QMP_BLOCK_ERROR_ACTION_IGNORE, error);
        virtio_blk_req_finish(req, VIRTIO_BLK_S_OK);
    } else {
        virtio_blk_announce_error(req, QMP_BLOCK_ERROR_ACTION_REPORT, error);
        req->in_data = 0;
        virtio_blk_req_finish(req, VIRTIO_BLK_S_IOERR);
    }
}

static void virtio_blk_req_step_done(BlkReq *req, int result)
{
    if (req->blk->base.dev.hidden) { /* unplugged: no driver is left */
        virtq_discard(req->buf);
        virtio_blk_req_free(req);
        return;
    }
    if (result < 0) {
        virtio_blk_req_failed(req, result);
        return;
    }
    req->done += req->io.len;
    if (req->done < req->len) {
        virtio_blk_list_push(&req->blk->due, req);
        virtq_later(req->buf->vq);
    } else {
        virtio_blk_req_finish(req, VIRTIO_BLK_S_OK);
    }
}

/* Continue the queues that waited for requests in flight. */
static void virtio_blk_wake_stalled(VirtioBlk *blk)
{
    for (unsigned i = 0; blk->stalled; i++) {
        if (blk->stalled >> i & 1) {
            blk->stalled &= ~(1ull << i);
            virtq_later(virtio_queue(&blk->base.virtio, i));
        }
    }
}

static void virtio_blk_req_done(BlockRequest *io, int result)
{
    BlkReq *req = io->opaque;
    VirtioBlk *blk = req->blk;
    Device *dev = &blk->base.dev;
    /* The guard may already be held: block_drain() is called from a register access or while the
     * machine stops. The completion is handled in the same way. */
    bool entered = !dev->busy && !dev->hidden && device_enter(dev);

    blk->in_flight--;
    blk->bytes_in_flight -= io->len;
    virtio_blk_req_step_done(req, result);
    virtio_blk_wake_stalled(blk);
    if (entered) {
        device_leave(dev);
    }
    device_unpin_any(dev);
}

/* --- starting --- */

/* Submit the next step, of at most `most` bytes. */
static void virtio_blk_req_submit(BlkReq *req, uint64_t most)
{
    VirtioBlk *blk = req->blk;
    uint64_t left = req->len - req->done;

    req->io.offset = req->offset + req->done;
    req->io.len = MIN(left, most);
    req->io.iov = req->iov;
    req->io.n_iov = req->n_iov;
    if (req->iov && req->io.len < req->len) {
        if (!req->step) {
            req->step = g_new(struct iovec, req->n_iov);
        }
        req->io.iov = req->step;
        req->io.n_iov = iov_slice(req->iov, req->n_iov, req->done, req->io.len, req->step);
    }
    req->io.done = virtio_blk_req_done;
    req->io.opaque = req;
    blk->in_flight++;
    blk->bytes_in_flight += req->io.len;
    virtio_turn_charge(&blk->base.virtio, SUBMIT_UNITS + (req->iov ? req->io.len / UNIT_BYTES : 0));
    device_pin_any(&blk->base.dev);
    block_submit(blk->node, &req->io);
}

static void virtio_blk_req_next_step(BlkReq *req)
{
    if (req->ended) {
        virtio_blk_req_finish(req, req->status);
    } else {
        virtio_blk_req_submit(req, req->iov ? STEP : RANGE_STEP);
    }
}

static uint8_t virtio_blk_start_transfer(BlkReq *req, uint64_t sector)
{
    const VirtqBuf *buf = req->buf;
    bool read = req->type == VIRTIO_BLK_T_IN;
    size_t len = read ? buf->out_len - 1 : buf->in_len - HEADER_LEN;

    if (len % BLOCK_SECTOR || len >= UINT32_MAX || sector > (UINT64_MAX - len) / BLOCK_SECTOR ||
        sector * BLOCK_SECTOR + len > block_size(req->blk->node)) {
        return VIRTIO_BLK_S_IOERR;
    }
    req->iov = g_new(struct iovec, (read ? buf->n_out : buf->n_in) + 1);
    req->n_iov = read ? iov_slice(buf->out, buf->n_out, 0, len, req->iov)
                      : iov_slice(buf->in, buf->n_in, HEADER_LEN, len, req->iov);
    req->io.op = read ? BLOCK_READ : BLOCK_WRITE;
    req->offset = sector * BLOCK_SECTOR;
    req->len = len;
    req->io.fua = !read && !virtio_blk_writeback(req->blk);
    req->in_data = read ? len : 0;
    req->buf->touched = req->in_data;
    virtio_blk_req_next_step(req);
    return VIRTIO_BLK_S_OK;
}

/* Start a discard or write-zeroes (5.2.6). The device offers one range per request. */
static uint8_t virtio_blk_start_range(BlkReq *req)
{
    struct {
        uint64_t sector;
        uint32_t sectors, flags;
    } range;
    VirtioBlk *blk = req->blk;
    bool zeroes = req->type == VIRTIO_BLK_T_WRITE_ZEROES;
    uint64_t end = block_size(blk->node) / BLOCK_SECTOR;

    if (req->buf->in_len != HEADER_LEN + RANGE_LEN ||
        virtq_read(req->buf, HEADER_LEN, &range, RANGE_LEN) != RANGE_LEN) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (range.flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u)) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (range.sectors > MAX_RANGE_SECTORS || range.sector > end ||
        range.sectors > end - range.sector) {
        return VIRTIO_BLK_S_IOERR;
    }
    req->io.op = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD;
    req->offset = range.sector * BLOCK_SECTOR;
    req->len = (uint64_t)range.sectors * BLOCK_SECTOR;
    req->io.may_unmap = range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    req->io.fua = zeroes && !virtio_blk_writeback(blk);
    virtio_blk_req_next_step(req);
    return VIRTIO_BLK_S_OK;
}

static void virtio_blk_get_id(BlkReq *req)
{
    char id[VIRTIO_BLK_ID_BYTES] = { 0 };
    size_t len = MIN(sizeof(id), req->buf->out_len - 1);

    if (req->blk->serial) {
        memcpy(id, req->blk->serial, MIN(strlen(req->blk->serial), sizeof(id)));
    }
    req->in_data = virtq_write(req->buf, 0, id, len);
    virtio_blk_req_finish(req, VIRTIO_BLK_S_OK);
}

/* Start a request. The caller completes it with the returned status unless that is
 * VIRTIO_BLK_S_OK. */
static uint8_t virtio_blk_start_request(BlkReq *req, uint64_t sector)
{
    VirtioDevice *v = &req->blk->base.virtio;

    switch (req->type) {
    case VIRTIO_BLK_T_IN:
        return virtio_blk_start_transfer(req, sector);
    case VIRTIO_BLK_T_OUT:
        return req->blk->read_only == PLAN_ON ? VIRTIO_BLK_S_IOERR
                                              : virtio_blk_start_transfer(req, sector);
    case VIRTIO_BLK_T_FLUSH:
        req->io.op = BLOCK_FLUSH;
        virtio_blk_req_next_step(req);
        return VIRTIO_BLK_S_OK;
    case VIRTIO_BLK_T_GET_ID:
        virtio_blk_get_id(req);
        return VIRTIO_BLK_S_OK;
    case VIRTIO_BLK_T_DISCARD:
        return virtio_has(v, VIRTIO_BLK_F_DISCARD) ? virtio_blk_start_range(req)
                                                   : VIRTIO_BLK_S_UNSUPP;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return virtio_has(v, VIRTIO_BLK_F_WRITE_ZEROES) ? virtio_blk_start_range(req)
                                                        : VIRTIO_BLK_S_UNSUPP;
    }
    return VIRTIO_BLK_S_UNSUPP;
}

static void virtio_blk_start_chain(VirtioBlk *blk, VirtqBuf *buf)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    BlkReq *req;
    uint8_t status;

    if (buf->in_len < HEADER_LEN || buf->out_len < 1) {
        virtio_broken(&blk->base.virtio, "a request without %s",
                      buf->in_len < HEADER_LEN ? "a complete header" : "room for the status");
        virtq_discard(buf);
        return;
    }
    virtq_read(buf, 0, &header, HEADER_LEN);
    req = g_new0(BlkReq, 1);
    req->blk = blk;
    req->buf = buf;
    req->type = header.type;
    status = virtio_blk_start_request(req, header.sector);
    if (status != VIRTIO_BLK_S_OK) {
        virtio_blk_req_finish(req, status);
    }
}

/* --- turns --- */

static bool virtio_blk_has_room(const VirtioBlk *blk)
{
    return blk->in_flight < MAX_IN_FLIGHT && blk->bytes_in_flight < MAX_BYTES_IN_FLIGHT;
}

/* Return whether another request may begin in this turn. If not, the queue is continued later. */
static bool virtio_blk_may_start(VirtioBlk *blk, VirtQueue *vq)
{
    if (!virtio_blk_has_room(blk)) {
        blk->stalled |= 1ull << virtq_index(vq);
        return false;
    }
    if (virtio_turn_left(&blk->base.virtio) == 0) {
        virtq_later(vq);
        return false;
    }
    return true;
}

static void virtio_blk_drop_loaded(VirtioBlk *blk)
{
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = blk->loaded_at = 0;
}

static void virtio_blk_restart_loaded(VirtioBlk *blk)
{
    struct KeptHead *head = &blk->loaded[blk->loaded_at++];
    VirtQueue *vq = virtio_queue(&blk->base.virtio, head->queue);
    VirtqBuf *buf = vq ? virtq_refetch(vq, head->slot) : NULL;

    if (buf) {
        virtio_blk_start_chain(blk, buf);
    }
    if (blk->loaded_at == blk->n_loaded) {
        virtio_blk_drop_loaded(blk);
    }
}

/* Continue the requests that were begun earlier, here or before the state was saved; then take new
 * ones from the ring. */
static void virtio_blk_notified(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = virtio_blk_of(v);
    VirtQueue *vq = virtio_queue(v, queue);
    VirtqBuf *buf;

    while (blk->loaded_at < blk->n_loaded || blk->due.head) {
        if (!virtio_blk_may_start(blk, vq)) {
            return;
        }
        if (blk->loaded_at < blk->n_loaded) {
            virtio_blk_restart_loaded(blk);
        } else {
            virtio_blk_req_next_step(virtio_blk_list_pop(&blk->due));
        }
    }
    while (virtio_blk_may_start(blk, vq) && (buf = virtq_pop(vq))) {
        virtio_blk_start_chain(blk, buf);
    }
}

/* --- stopping, running again --- */

static void virtio_blk_run_changed(void *opaque, bool running, RunState state)
{
    VirtioBlk *blk = opaque;
    BlkReqList due = blk->due;
    BlkReq *req;

    if (!running) {
        block_drain(blk->node);
        return;
    }
    block_set_io_status(blk->node, 0);
    blk->due = blk->kept;
    blk->kept = (BlkReqList){ NULL };
    while ((req = virtio_blk_list_pop(&due))) {
        virtio_blk_list_push(&blk->due, req);
    }
}

/* Drop the requests of one queue, or of all queues (-1). */
static void virtio_blk_list_drop(BlkReqList *list, int queue)
{
    BlkReqList old = *list;
    BlkReq *req;

    *list = (BlkReqList){ NULL };
    while ((req = virtio_blk_list_pop(&old))) {
        if (queue < 0 || virtq_index(req->buf->vq) == (unsigned)queue) {
            virtq_discard(req->buf);
            virtio_blk_req_free(req);
        } else {
            virtio_blk_list_push(list, req);
        }
    }
}

static void virtio_blk_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = virtio_blk_of(v);

    if (blk->node && block_in_flight(blk->node)) {
        block_drain(blk->node);
    }
    virtio_blk_list_drop(&blk->kept, (int)queue);
    virtio_blk_list_drop(&blk->due, (int)queue);
    blk->stalled &= ~(1ull << queue);
}

/* --- saved state --- */

static uint32_t virtio_blk_list_save(const BlkReqList *list, ByteWriter *w)
{
    uint32_t n = 0;

    for (BlkReq *r = list->head; r; r = r->next, n++) {
        if (w) {
            put_be16(w, virtq_index(r->buf->vq));
            put_be16(w, r->buf->slot);
        }
    }
    return n;
}

static void virtio_blk_kept_save(void *field, ByteWriter *w)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));

    put_be32(w, blk->n_loaded - blk->loaded_at + virtio_blk_list_save(&blk->kept, NULL) +
                    virtio_blk_list_save(&blk->due, NULL));
    for (uint32_t i = blk->loaded_at; i < blk->n_loaded; i++) {
        put_be16(w, blk->loaded[i].queue);
        put_be16(w, blk->loaded[i].slot);
    }
    virtio_blk_list_save(&blk->kept, w);
    virtio_blk_list_save(&blk->due, w);
}

static bool virtio_blk_kept_load(void *field, ByteReader *r, const char *path, GError **err)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));
    uint32_t n = get_be32(r), most = blk->num_queues * VIRTIO_MAX_QUEUE_SIZE;

    virtio_blk_list_drop(&blk->kept, -1);
    virtio_blk_list_drop(&blk->due, -1);
    virtio_blk_drop_loaded(blk);
    if (!reader_ok(r) || n > most || n > reader_left(r) / 4) {
        return error_set(err, ERROR_GUEST, "%s: %u requests in flight (at most %u)", path, n, most);
    }
    blk->loaded = g_new(struct KeptHead, n);
    for (blk->n_loaded = 0; blk->n_loaded < n; blk->n_loaded++) {
        struct KeptHead *h = &blk->loaded[blk->n_loaded];

        h->queue = get_be16(r);
        h->slot = get_be16(r);
        if (h->queue >= blk->num_queues) {
            return error_set(err, ERROR_GUEST, "%s: a request of queue %u (the device has %u)",
                             path, h->queue, blk->num_queues);
        }
    }
    return true;
}

static const VmOps virtio_blk_kept_ops = { "virtio-blk requests", virtio_blk_kept_save,
                                           virtio_blk_kept_load };

/* --- configuration --- */

static void virtio_blk_reset(VirtioDevice *v)
{
    VirtioBlk *blk = virtio_blk_of(v);

    blk->writeback = blk->write_cache != PLAN_OFF;
    virtio_blk_drop_loaded(blk);
}

static uint64_t virtio_blk_features(VirtioDevice *v)
{
    VirtioBlk *blk = virtio_blk_of(v);
    bool writable = blk->read_only != PLAN_ON;

    return 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE |
           1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_TOPOLOGY |
           (blk->cyls ? 1ull << VIRTIO_BLK_F_GEOMETRY : 0) |
           (writable ? 0 : 1ull << VIRTIO_BLK_F_RO) |
           (blk->num_queues > 1 ? 1ull << VIRTIO_BLK_F_MQ : 0) |
           (blk->config_wce ? 1ull << VIRTIO_BLK_F_CONFIG_WCE : 0) |
           (writable && blk->discard ? 1ull << VIRTIO_BLK_F_DISCARD : 0) |
           (writable && blk->write_zeroes ? 1ull << VIRTIO_BLK_F_WRITE_ZEROES : 0);
}

static void virtio_blk_put_le(uint8_t *config, size_t at, uint64_t v, size_t len)
{
    memcpy(config + at, &v, len); /* little-endian host: reg.c checks */
}

static void virtio_blk_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioBlk *blk = virtio_blk_of(v);
    unsigned exponent = __builtin_ctz(blk->physical / blk->logical);

#define PUT(m, value)                                                                              \
    virtio_blk_put_le(c, offsetof(struct virtio_blk_config, m), value,                             \
                      sizeof(((struct virtio_blk_config *)NULL)->m))
    PUT(capacity, block_size(blk->node) / BLOCK_SECTOR);
    PUT(seg_max, SEG_MAX);
    PUT(geometry.cylinders, blk->cyls);
    PUT(geometry.heads, blk->heads);
    PUT(geometry.sectors, blk->secs);
    PUT(blk_size, blk->logical);
    PUT(physical_block_exp, exponent);
    PUT(min_io_size, blk->physical / blk->logical);
    PUT(wce, virtio_blk_writeback(blk));
    PUT(num_queues, blk->num_queues);
    PUT(max_discard_sectors, MAX_RANGE_SECTORS);
    PUT(max_discard_seg, 1);
    PUT(discard_sector_alignment, blk->physical / BLOCK_SECTOR);
    PUT(max_write_zeroes_sectors, MAX_RANGE_SECTORS);
    PUT(max_write_zeroes_seg, 1);
    PUT(write_zeroes_may_unmap, 1);
#undef PUT
}

/* A driver without VIRTIO_BLK_F_FLUSH cannot write the cache back. The cache is then off until the
 * driver switches it on with VIRTIO_BLK_F_CONFIG_WCE (5.2.5.2, 5.2.6.2). */
static void virtio_blk_choose_writeback(VirtioBlk *blk)
{
    blk->writeback =
        virtio_has(&blk->base.virtio, VIRTIO_BLK_F_FLUSH) && blk->write_cache != PLAN_OFF;
}

static bool virtio_blk_set_features(VirtioDevice *v, uint64_t features)
{
    virtio_blk_choose_writeback(virtio_blk_of(v));
    return true;
}

/* A legacy driver may omit writing the features. */
static void virtio_blk_status_changed(VirtioDevice *v, uint8_t old)
{
    if ((v->status & ~old & VIRTIO_CONFIG_S_DRIVER_OK) && !virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE)) {
        virtio_blk_choose_writeback(virtio_blk_of(v));
    }
}

static void virtio_blk_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE) && at <= offsetof(struct virtio_blk_config, wce) &&
        at + len > offsetof(struct virtio_blk_config, wce)) {
        virtio_blk_of(v)->writeback = c[offsetof(struct virtio_blk_config, wce)] & 1;
    }
}

static void virtio_blk_resized(void *opaque, uint64_t size)
{
    virtio_config_changed(&((VirtioBlk *)opaque)->base.virtio);
}

/* --- life --- */

static bool virtio_blk_power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v >= lo && v <= hi && !(v & (v - 1));
}

static bool virtio_blk_check_props(VirtioBlk *blk, GError **err)
{
    const char *name = device_name(&blk->base.dev), *what = NULL;

    if (!virtio_blk_power_of_two(blk->queue_size, 4, VIRTIO_MAX_QUEUE_SIZE)) {
        what = "queue-size must be a power of two from 4 to 1024";
    } else if (!virtio_blk_power_of_two(blk->logical, 512, 32768)) {
        what = "logical_block_size must be a power of two from 512 to 32768";
    } else if (!virtio_blk_power_of_two(blk->physical, blk->logical, 2 << 20)) {
        what = "physical_block_size must be a power of two, at least logical_block_size";
    } else if (!blk->cyls != !blk->heads || !blk->cyls != !blk->secs) {
        what = "cyls, heads and secs are the geometry of the disk; set all three or none";
    } else if (!blk->drive) {
        what = "property 'drive' is required: create a back end with -drive "
               "if=none,id=NAME,file=FILE,format=raw (or -blockdev node-name=NAME,...) and add "
               "drive=NAME to -device ";
    }
    if (what) {
        error_set(err, ERROR_USER, "%s: %s%s", name, what,
                  blk->drive ? "" : blk->base.dev.type->name);
    }
    return what == NULL;
}

static bool virtio_blk_init(void *dev, GError **err)
{
    VirtioBlk *blk = dev;
    Device *device = &blk->base.dev;

    if (!virtio_blk_check_props(blk, err)) {
        return false;
    }
    blk->node = block_find(device->machine, blk->drive);
    if (!blk->node) {
        return error_set(err, ERROR_USER, "%s: there is no drive or block node named '%s'",
                         device_name(device), blk->drive);
    }
    if (blk->read_only == PLAN_OFF && block_read_only(blk->node)) {
        blk->node = NULL;
        return error_set(err, ERROR_USER,
                         "%s: read-only=off was requested, but block node '%s' is read-only",
                         device_name(device), blk->drive);
    }
    if (blk->read_only == PLAN_AUTO) {
        blk->read_only = block_read_only(blk->node) ? PLAN_ON : PLAN_OFF;
    }
    if (!virtio_use_iothread(&blk->base.virtio, blk->iothread, err)) {
        blk->node = NULL;
        return false;
    }
    blk->user = (BlockUser){
        .context = virtio_context(&blk->base.virtio),
        .resized = virtio_blk_resized,
        .path = virtio_blk_path,
        .opaque = blk,
        .perm = BLOCK_PERM_CONSISTENT_READ | (blk->read_only == PLAN_ON ? 0 : BLOCK_PERM_WRITE),
        .shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED | BLOCK_PERM_RESIZE |
                  (blk->share_rw ? BLOCK_PERM_WRITE : 0),
    };
    if (!block_attach(blk->node, &blk->user, device_name(device), err)) {
        blk->node = NULL;
        return false;
    }
    for (unsigned i = 0; i < blk->num_queues; i++) {
        virtio_add_queue(&blk->base.virtio, blk->queue_size);
    }
    machine_add_run_fn(device->machine, virtio_blk_run_changed, blk);
    return true;
}

static void virtio_blk_exit(void *dev)
{
    VirtioBlk *blk = dev;

    machine_remove_run_fn(blk->base.dev.machine, virtio_blk_run_changed, blk);
    block_detach(blk->node, &blk->user);
    blk->node = NULL;
    g_clear_pointer(&blk->path, g_free);
}

static const PlanCount blk_auto_vectors = { 1, { "num-queues" }, { 1 } };

VIRTIO_STATES(blk, "virtio-blk", VirtioBlk, 1, NULL, NULL, VM_U8(VirtioBlk, writeback, .mask = 1),
              VM_RECORD(VirtioBlk, kept, BlkReqList, &virtio_blk_kept_ops));

static const char *const policies[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

#define ERROR_PROP(m, text)                                                                        \
    {                                                                                              \
        .name = #m, .kind = PLAN_PROP_ENUM, .field = FIELD(VirtioBlk, m, uint32_t),                \
        .choices = policies, .flags = PLAN_PROP_HOST, .doc = (text)                                \
    }
static const PlanProp blk_props[] = {
    VIRTIO_PROPS,
    PROP_BACKEND(VirtioBlk, drive, "drive", "block", "the drive or block node of the device"),
    PROP_BOOTINDEX(VirtioBlk, bootindex),
    PROP_STR(VirtioBlk, serial, "serial", "serial number, up to 20 bytes"),
    PROP_IOTHREAD(VirtioBlk, iothread),
    PROP_U16(VirtioBlk, num_queues, "num-queues", 1, 1, MAX_QUEUES, "request queues"),
    PROP_U16(VirtioBlk, queue_size, "queue-size", 256, 4, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of each queue"),
    PROP_U32(VirtioBlk, logical, "logical_block_size", 512, 512, 32768, "smallest unit of I/O"),
    PROP_U32(VirtioBlk, physical, "physical_block_size", 512, 512, 2 << 20, "unit of the medium"),
    PROP_U32(VirtioBlk, cyls, "cyls", 0, 0, 65535, "cylinders of the geometry (0: not offered)"),
    PROP_U32(VirtioBlk, heads, "heads", 0, 0, 255, "heads of the geometry"),
    PROP_U32(VirtioBlk, secs, "secs", 0, 0, 255, "sectors of a track of the geometry"),
    PROP_BOOL(VirtioBlk, discard, "discard", true, "offer discard"),
    PROP_BOOL(VirtioBlk, write_zeroes, "write-zeroes", true, "offer writing of zeroes"),
    PROP_BOOL(VirtioBlk, config_wce, "config-wce", true,
              "offer the driver control of the write cache"),
    PROP_ONOFF(VirtioBlk, write_cache, "write-cache", PLAN_AUTO, "write cache at reset"),
    { .name = "read-only",
      .kind = PLAN_PROP_ONOFF,
      .flags = PLAN_PROP_DECIDED,
      .field = FIELD(VirtioBlk, read_only, uint32_t),
      .doc = "refuse writes by the guest (auto: as the drive)" },
    { .name = "share-rw",
      .kind = PLAN_PROP_BOOL,
      .flags = PLAN_PROP_HOST,
      .field = FIELD(VirtioBlk, share_rw, bool),
      .doc = "allow other devices and processes to write to the drive" },
    ERROR_PROP(werror, "on a write error (auto: the policy of -drive, else enospc)"),
    ERROR_PROP(rerror, "on a read error (auto: the policy of -drive, else report)"),
};
static const VirtioClass blk_class = {
    .name = "virtio-blk",
    .device_id = VIRTIO_ID_BLOCK,
    .config_size = CONFIG_SIZE,
    .init = virtio_blk_init,
    .exit = virtio_blk_exit,
    .features = virtio_blk_features,
    .set_features = virtio_blk_set_features,
    .config_read = virtio_blk_config_read,
    .config_written = virtio_blk_config_written,
    .queue_notified = virtio_blk_notified,
    .status_changed = virtio_blk_status_changed,
    .queue_reset = virtio_blk_queue_reset,
    .reset = virtio_blk_reset,
};

VIRTIO_TYPES(blk, "blk", VirtioBlk, "disk", 0x010000, blk_props, blk_class, &blk_auto_vectors,
             PLAN_BUS_NONE);
VIRTIO_DEVICE_TYPES(blk);

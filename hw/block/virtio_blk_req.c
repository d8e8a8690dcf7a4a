/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk, requests. A chain becomes requests to the block node, one after the other, of at most
 * STEP bytes each. One that failed while the policy says "stop" is kept, with the machine stopped,
 * and issued again when it runs. Requests that are kept, or between two steps, are part of the
 * saved state.
 *
 * What is in flight is bounded in number and bytes: a reset, a stop and the end of the process wait
 * for it.
 */
#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "virtio_blk.h"

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { HEADER = 16, ID_LEN = 20, UNMAP_FLAG = 1, RANGE_LEN = 16 };
enum {
    STEP = 2 << 20,        /* of a transfer: Linux's requests are smaller */
    RANGE_STEP = 32 << 20, /* of a discard or of zeroes */
    MAX_IN_FLIGHT = 512,
    MAX_BYTES_IN_FLIGHT = 32 << 20,
    SUBMIT_UNITS = 4,  /* of a turn, for one request */
    UNIT_BYTES = 4096, /* and for so many bytes one more: the page cache copies at once */
};

struct BlkReq {
    BlockRequest io;
    VirtioBlk *blk;
    VirtqBuf *buf;
    uint32_t type;
    uint64_t offset, len, done; /* on the disk; `done` bytes of len are complete */
    struct iovec *iov, *step;   /* the data part of the chain, and of it the step under way */
    int n_iov;
    size_t in_data; /* bytes written into the chain if all goes well, without the status */
    bool ended;     /* with `status`, which the driver does not have yet */
    uint8_t status;
    struct BlkReq *next; /* in a list */
};

/* --- lists --- */

static void list_push(BlkReqList *list, BlkReq *req)
{
    req->next = NULL;
    if (list->head) {
        list->tail->next = req;
    } else {
        list->head = req;
    }
    list->tail = req;
}

static BlkReq *list_pop(BlkReqList *list)
{
    BlkReq *req = list->head;

    if (req) {
        list->head = req->next;
    }
    return req;
}

/* --- finishing --- */

static void req_free(BlkReq *req)
{
    g_free(req->step);
    g_free(req->iov);
    g_free(req);
}

/* Without DMA the driver cannot be told: it is when a queue is notified again. */
static void req_finish(BlkReq *req, uint8_t status)
{
    VirtQueue *vq = req->buf->vq;

    if (!virtio_can_dma(&req->blk->vpci.virtio)) {
        req->ended = true;
        req->status = status;
        list_push(&req->blk->due, req);
        return;
    }
    virtq_write(req->buf, req->buf->out_len - 1, &status, 1);
    virtq_push(vq, req->buf, req->in_data + 1);
    virtq_notify(vq);
    req_free(req);
}

static const char *operation_name(const BlkReq *req)
{
    return req->io.op == BLOCK_READ ? "read" : "write";
}

static void announce_error(BlkReq *req, const char *action, int error)
{
    VirtioBlk *blk = req->blk;
    struct json_object *data = json_object_new_object();

    json_object_object_add(data, "device", json_object_new_string(block_drive_id(blk->node)));
    json_object_object_add(data, "node-name", json_object_new_string(block_name(blk->node)));
    json_object_object_add(data, "qom-path", json_object_new_string(blk->vpci.pci.dev.path));
    json_object_object_add(data, "operation", json_object_new_string(operation_name(req)));
    json_object_object_add(data, "action", json_object_new_string(action));
    json_object_object_add(data, "nospace", json_object_new_boolean(error == -ENOSPC));
    json_object_object_add(data, "reason", json_object_new_string(g_strerror(-error)));
    machine_event(blk->vpci.pci.dev.machine, "BLOCK_IO_ERROR", data);
}

/* What the device was told to do, or else what the drive says. */
static BlockErrorPolicy policy_for(const BlkReq *req)
{
    bool write = req->io.op != BLOCK_READ;
    uint32_t own = write ? req->blk->werror : req->blk->rerror;

    return own ? (BlockErrorPolicy)(own - 1) : block_on_error(req->blk->node, write);
}

static void req_failed(BlkReq *req, int error)
{
    BlockErrorPolicy policy = policy_for(req);
    bool stop =
        policy == BLOCK_ON_ERROR_STOP || (policy == BLOCK_ON_ERROR_ENOSPC && error == -ENOSPC);

    /* What fails beside it while the machine stops is kept likewise. */
    if (stop) {
        list_push(&req->blk->kept, req);
        block_set_io_status(req->blk->node, error);
        announce_error(req, "stop", error);
        machine_set_state(req->blk->vpci.pci.dev.machine, RUN_IO_ERROR);
    } else if (policy == BLOCK_ON_ERROR_IGNORE) {
        announce_error(req, "ignore", error);
        req_finish(req, S_OK);
    } else {
        announce_error(req, "report", error);
        req->in_data = 0;
        req_finish(req, S_IOERR);
    }
}

static void req_step_done(BlkReq *req, int result)
{
    if (req->blk->vpci.pci.dev.hidden) { /* unplugged: there is no driver to tell */
        virtq_discard(req->buf);
        req_free(req);
        return;
    }
    if (result < 0) {
        req_failed(req, result);
        return;
    }
    req->done += req->io.len;
    if (req->done < req->len) {
        list_push(&req->blk->due, req);
        virtq_later(req->buf->vq);
    } else {
        req_finish(req, S_OK);
    }
}

/* There is room for requests again. */
static void wake_stalled(VirtioBlk *blk)
{
    for (unsigned i = 0; blk->stalled; i++) {
        if (blk->stalled >> i & 1) {
            blk->stalled &= ~(1ull << i);
            virtq_later(virtio_queue(&blk->vpci.virtio, i));
        }
    }
}

static void req_done(BlockRequest *io, int result)
{
    BlkReq *req = io->opaque;
    VirtioBlk *blk = req->blk;
    Device *dev = &blk->vpci.pci.dev;
    /* The guard may already be held: block_drain() is called from a register access or while the
     * machine stops. The completion is handled in the same way. */
    bool entered = !dev->busy && !dev->hidden && device_enter(dev);

    blk->in_flight--;
    blk->bytes_in_flight -= io->len;
    req_step_done(req, result);
    wake_stalled(blk);
    if (entered) {
        device_leave(dev);
    }
    device_unpin_any(dev);
}

/* --- starting --- */

/* The bytes [skip, skip+len) of a run of segments as a run of their own. */
static int slice(const struct iovec *from, int n, size_t skip, size_t len, struct iovec *to)
{
    int count = 0;

    for (int i = 0; i < n && len > 0; i++) {
        size_t part;

        if (skip >= from[i].iov_len) {
            skip -= from[i].iov_len;
            continue;
        }
        part = MIN(from[i].iov_len - skip, len);
        to[count++] = (struct iovec){ (uint8_t *)from[i].iov_base + skip, part };
        len -= part;
        skip = 0;
    }
    return count;
}

/* The next step, of all that is left if that is no more than `most`. */
static void req_submit(BlkReq *req, uint64_t most)
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
        req->io.n_iov = slice(req->iov, req->n_iov, req->done, req->io.len, req->step);
    }
    req->io.done = req_done;
    req->io.opaque = req;
    blk->in_flight++;
    blk->bytes_in_flight += req->io.len;
    virtio_turn_charge(&blk->vpci.virtio, SUBMIT_UNITS + (req->iov ? req->io.len / UNIT_BYTES : 0));
    device_pin_any(&blk->vpci.pci.dev);
    block_submit(blk->node, &req->io);
}

static void req_next_step(BlkReq *req)
{
    if (req->ended) {
        req_finish(req, req->status);
    } else {
        req_submit(req, req->iov ? STEP : RANGE_STEP);
    }
}

static uint8_t start_transfer(BlkReq *req, uint64_t sector)
{
    const VirtqBuf *buf = req->buf;
    bool read = req->type == T_IN;
    size_t len = read ? buf->out_len - 1 : buf->in_len - HEADER;

    if (len % BLOCK_SECTOR || len >= UINT32_MAX || sector > (UINT64_MAX - len) / BLOCK_SECTOR ||
        sector * BLOCK_SECTOR + len > block_size(req->blk->node)) {
        return S_IOERR;
    }
    req->iov = g_new(struct iovec, (read ? buf->n_out : buf->n_in) + 1);
    req->n_iov = read ? slice(buf->out, buf->n_out, 0, len, req->iov)
                      : slice(buf->in, buf->n_in, HEADER, len, req->iov);
    req->io.op = read ? BLOCK_READ : BLOCK_WRITE;
    req->offset = sector * BLOCK_SECTOR;
    req->len = len;
    req->io.fua = !read && !virtio_blk_writeback(req->blk);
    req->in_data = read ? len : 0;
    req->buf->touched = req->in_data;
    req_next_step(req);
    return S_OK;
}

/* One range of discard or write-zeroes (5.2.6); more than one is not offered. */
static uint8_t start_range(BlkReq *req)
{
    struct {
        uint64_t sector;
        uint32_t sectors, flags;
    } range;
    VirtioBlk *blk = req->blk;
    bool zeroes = req->type == T_WRITE_ZEROES;
    uint64_t end = block_size(blk->node) / BLOCK_SECTOR;

    if (req->buf->in_len != HEADER + RANGE_LEN ||
        virtq_read(req->buf, HEADER, &range, RANGE_LEN) != RANGE_LEN) {
        return S_UNSUPP;
    }
    if (range.flags & ~(zeroes ? UNMAP_FLAG : 0u)) {
        return S_UNSUPP;
    }
    if (range.sectors > MAX_RANGE_SECTORS || range.sector > end ||
        range.sectors > end - range.sector) {
        return S_IOERR;
    }
    req->io.op = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD;
    req->offset = range.sector * BLOCK_SECTOR;
    req->len = (uint64_t)range.sectors * BLOCK_SECTOR;
    req->io.may_unmap = range.flags & UNMAP_FLAG;
    req->io.fua = zeroes && !virtio_blk_writeback(blk);
    req_next_step(req);
    return S_OK;
}

static void give_id(BlkReq *req)
{
    char id[ID_LEN] = { 0 };
    size_t len = MIN(sizeof(id), req->buf->out_len - 1);

    if (req->blk->serial) {
        memcpy(id, req->blk->serial, MIN(strlen(req->blk->serial), sizeof(id)));
    }
    req->in_data = virtq_write(req->buf, 0, id, len);
    req_finish(req, S_OK);
}

/* Start a request; anything but S_OK is an answer the caller gives. */
static uint8_t start(BlkReq *req, uint64_t sector)
{
    VirtioDevice *v = &req->blk->vpci.virtio;

    switch (req->type) {
    case T_IN:
        return start_transfer(req, sector);
    case T_OUT:
        return req->blk->read_only == PLAN_ON ? S_IOERR : start_transfer(req, sector);
    case T_FLUSH:
        req->io.op = BLOCK_FLUSH;
        req_next_step(req);
        return S_OK;
    case T_GET_ID:
        give_id(req);
        return S_OK;
    case T_DISCARD:
        return virtio_has(v, F_DISCARD) ? start_range(req) : S_UNSUPP;
    case T_WRITE_ZEROES:
        return virtio_has(v, F_WRITE_ZEROES) ? start_range(req) : S_UNSUPP;
    }
    return S_UNSUPP;
}

static void take(VirtioBlk *blk, VirtqBuf *buf)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    BlkReq *req;
    uint8_t status;

    if (buf->in_len < HEADER || buf->out_len < 1) {
        virtio_broken(&blk->vpci.virtio, "a request without %s",
                      buf->in_len < HEADER ? "its header" : "room for the status");
        virtq_discard(buf);
        return;
    }
    virtq_read(buf, 0, &header, HEADER);
    req = g_new0(BlkReq, 1);
    req->blk = blk;
    req->buf = buf;
    req->type = header.type;
    status = start(req, header.sector);
    if (status != S_OK) {
        req_finish(req, status);
    }
}

/* --- turns --- */

static bool has_room(const VirtioBlk *blk)
{
    return blk->in_flight < MAX_IN_FLIGHT && blk->bytes_in_flight < MAX_BYTES_IN_FLIGHT;
}

/* The turn goes on, and there is room for another request. If not, the queue hears again. */
static bool may_begin(VirtioBlk *blk, VirtQueue *vq)
{
    if (!has_room(blk)) {
        blk->stalled |= 1ull << virtq_index(vq);
        return false;
    }
    if (virtio_turn_left(&blk->vpci.virtio) == 0) {
        virtq_later(vq);
        return false;
    }
    return true;
}

void virtio_blk_forget_loaded(VirtioBlk *blk)
{
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = blk->loaded_at = 0;
}

static void begin_loaded(VirtioBlk *blk)
{
    struct KeptHead *head = &blk->loaded[blk->loaded_at++];
    VirtQueue *vq = virtio_queue(&blk->vpci.virtio, head->queue);
    VirtqBuf *buf = vq ? virtq_refetch(vq, head->slot) : NULL;

    if (buf) {
        take(blk, buf);
    }
    if (blk->loaded_at == blk->n_loaded) {
        virtio_blk_forget_loaded(blk);
    }
}

/* First what was begun here or on the machine that this one was loaded from, then the ring. */
void virtio_blk_notified(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = blk_of(v);
    VirtQueue *vq = virtio_queue(v, queue);
    VirtqBuf *buf;

    while (blk->loaded_at < blk->n_loaded || blk->due.head) {
        if (!may_begin(blk, vq)) {
            return;
        }
        if (blk->loaded_at < blk->n_loaded) {
            begin_loaded(blk);
        } else {
            req_next_step(list_pop(&blk->due));
        }
    }
    while (may_begin(blk, vq) && (buf = virtq_pop(vq))) {
        take(blk, buf);
    }
}

/* --- stopping, running again --- */

void virtio_blk_run_changed(void *opaque, bool running, RunState state)
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
    while ((req = list_pop(&due))) {
        list_push(&blk->due, req);
    }
}

/* Drop the requests of one queue, or of all (-1). */
static void list_drop(BlkReqList *list, int queue)
{
    BlkReqList old = *list;
    BlkReq *req;

    *list = (BlkReqList){ NULL };
    while ((req = list_pop(&old))) {
        if (queue < 0 || virtq_index(req->buf->vq) == (unsigned)queue) {
            virtq_discard(req->buf);
            req_free(req);
        } else {
            list_push(list, req);
        }
    }
}

void virtio_blk_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = blk_of(v);

    if (blk->node && block_in_flight(blk->node)) {
        block_drain(blk->node);
    }
    list_drop(&blk->kept, (int)queue);
    list_drop(&blk->due, (int)queue);
    blk->stalled &= ~(1ull << queue);
}

/* --- saved state --- */

static uint32_t list_save(const BlkReqList *list, ByteWriter *w)
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

static void kept_save(void *field, ByteWriter *w)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));

    put_be32(w, blk->n_loaded - blk->loaded_at + list_save(&blk->kept, NULL) +
                    list_save(&blk->due, NULL));
    for (uint32_t i = blk->loaded_at; i < blk->n_loaded; i++) {
        put_be16(w, blk->loaded[i].queue);
        put_be16(w, blk->loaded[i].slot);
    }
    list_save(&blk->kept, w);
    list_save(&blk->due, w);
}

static bool kept_load(void *field, ByteReader *r, const char *path, GError **err)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));
    uint32_t n = get_be32(r), most = blk->num_queues * VIRTIO_MAX_QUEUE_SIZE;

    list_drop(&blk->kept, -1);
    list_drop(&blk->due, -1);
    virtio_blk_forget_loaded(blk);
    if (!reader_ok(r) || n > most || n > reader_left(r) / 4) {
        g_set_error(err, g_quark_from_static_string("virtio"), 0,
                    "%s: %u requests under way (at most %u)", path, n, most);
        return false;
    }
    blk->loaded = g_new(struct KeptHead, n);
    for (blk->n_loaded = 0; blk->n_loaded < n; blk->n_loaded++) {
        struct KeptHead *h = &blk->loaded[blk->n_loaded];

        h->queue = get_be16(r);
        h->slot = get_be16(r);
        if (h->queue >= blk->num_queues) {
            g_set_error(err, g_quark_from_static_string("virtio"), 0,
                        "%s: a request of queue %u (there are %u)", path, h->queue,
                        blk->num_queues);
            return false;
        }
    }
    return true;
}

const VmOps virtio_blk_kept_ops = { "virtio-blk requests", kept_save, kept_load };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk, requests. Each chain becomes one request to the block node. One that failed while
 * the policy says "stop" is kept, with the machine stopped, and issued again when it runs; kept
 * requests are part of the saved state.
 */
#include <errno.h>
#include <string.h>

#include "util/log.h"
#include "virtio_blk.h"

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { HEADER = 16, ID_LEN = 20, UNMAP_FLAG = 1, RANGE_LEN = 16 };

struct BlkReq {
    BlockRequest io;
    VirtioBlk *blk;
    VirtqBuf *buf;
    uint32_t type;
    struct iovec *iov;   /* the data part of the chain */
    size_t in_data;      /* bytes written into the chain if all goes well, status included */
    struct BlkReq *next; /* kept requests */
};

/* --- finishing --- */

static void req_free(BlkReq *req)
{
    g_free(req->iov);
    g_free(req);
}

static void req_finish(BlkReq *req, uint8_t status)
{
    VirtQueue *vq = req->buf->vq;

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

static void req_keep(BlkReq *req)
{
    VirtioBlk *blk = req->blk;

    req->next = NULL;
    *blk->kept_tail = req;
    blk->kept_tail = &req->next;
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
        req_keep(req);
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

static void req_done(BlockRequest *io, int result)
{
    BlkReq *req = io->opaque;
    Device *dev = &req->blk->vpci.pci.dev;
    /* Inside already: the device waits for its requests, in an access or because the machine
     * stops. Then what a request that ends must do is the same. */
    bool entered = !dev->busy && !dev->hidden && device_enter(dev);

    if (dev->hidden) { /* unplugged: there is no driver to tell */
        virtq_discard(req->buf);
        req_free(req);
    } else if (result < 0) {
        req_failed(req, result);
    } else {
        req_finish(req, S_OK);
    }
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

static void req_submit(BlkReq *req)
{
    req->io.done = req_done;
    req->io.opaque = req;
    device_pin_any(&req->blk->vpci.pci.dev);
    block_submit(req->blk->node, &req->io);
}

static uint8_t start_transfer(BlkReq *req, uint64_t sector)
{
    const VirtqBuf *buf = req->buf;
    bool read = req->type == T_IN;
    size_t len = read ? buf->out_len - 1 : buf->in_len - HEADER;

    if (len % BLOCK_SECTOR || sector > (UINT64_MAX - len) / BLOCK_SECTOR ||
        sector * BLOCK_SECTOR + len > block_size(req->blk->node)) {
        return S_IOERR;
    }
    req->iov = g_new(struct iovec, (read ? buf->n_out : buf->n_in) + 1);
    req->io.n_iov = read ? slice(buf->out, buf->n_out, 0, len, req->iov)
                         : slice(buf->in, buf->n_in, HEADER, len, req->iov);
    req->io.op = read ? BLOCK_READ : BLOCK_WRITE;
    req->io.iov = req->iov;
    req->io.offset = sector * BLOCK_SECTOR;
    req->io.len = len;
    req->io.fua = !read && !req->blk->writeback;
    req->in_data = read ? len : 0;
    req->buf->touched = req->in_data;
    req_submit(req);
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
    req->io.offset = range.sector * BLOCK_SECTOR;
    req->io.len = (uint64_t)range.sectors * BLOCK_SECTOR;
    req->io.may_unmap = range.flags & UNMAP_FLAG;
    req->io.fua = zeroes && !blk->writeback;
    req_submit(req);
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
        req_submit(req);
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

void virtio_blk_notified(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = blk_of(v);
    VirtQueue *vq = virtio_queue(v, queue);
    VirtqBuf *buf;

    if (!machine_running(blk->vpci.pci.dev.machine) && !blk->vpci.pci.dev.machine->qtest) {
        return; /* taken when the machine runs again */
    }
    while ((buf = virtq_pop(vq))) {
        take(blk, buf);
    }
}

/* --- stopping, running again --- */

static void reissue_kept(VirtioBlk *blk)
{
    BlkReq *req = blk->kept;

    blk->kept = NULL;
    blk->kept_tail = &blk->kept;
    while (req) {
        BlkReq *next = req->next;

        req_submit(req);
        req = next;
    }
}

void virtio_blk_forget_loaded(VirtioBlk *blk)
{
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = 0;
}

static void reissue_loaded(VirtioBlk *blk)
{
    for (uint32_t i = 0; i < blk->n_loaded; i++) {
        VirtQueue *vq = virtio_queue(&blk->vpci.virtio, blk->loaded[i].queue);
        VirtqBuf *buf = vq ? virtq_refetch(vq, blk->loaded[i].slot) : NULL;

        if (buf) {
            take(blk, buf);
        }
    }
    virtio_blk_forget_loaded(blk);
}

void virtio_blk_run_changed(void *opaque, bool running, RunState state)
{
    VirtioBlk *blk = opaque;

    if (!running) {
        block_drain(blk->node);
        return;
    }
    block_set_io_status(blk->node, 0);
    reissue_loaded(blk);
    reissue_kept(blk);
    for (unsigned i = 0; i < blk->vpci.virtio.n_queues; i++) {
        virtio_blk_notified(&blk->vpci.virtio, i);
    }
}

static void drop_kept(VirtioBlk *blk, int queue)
{
    BlkReq **link = &blk->kept;

    while (*link) {
        BlkReq *req = *link;

        if (queue < 0 || virtq_index(req->buf->vq) == (unsigned)queue) {
            *link = req->next;
            virtq_discard(req->buf);
            req_free(req);
        } else {
            link = &req->next;
        }
    }
    blk->kept_tail = link;
}

void virtio_blk_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = blk_of(v);

    if (blk->node && block_in_flight(blk->node)) {
        block_drain(blk->node);
    }
    drop_kept(blk, queue);
}

/* --- saved state --- */

static void kept_save(void *field, ByteWriter *w)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));
    uint32_t n = blk->n_loaded;

    for (BlkReq *r = blk->kept; r; r = r->next) {
        n++;
    }
    put_be32(w, n);
    for (uint32_t i = 0; i < blk->n_loaded; i++) {
        put_be16(w, blk->loaded[i].queue);
        put_be16(w, blk->loaded[i].slot);
    }
    for (BlkReq *r = blk->kept; r; r = r->next) {
        put_be16(w, virtq_index(r->buf->vq));
        put_be16(w, r->buf->slot);
    }
}

static bool kept_load(void *field, ByteReader *r, const char *path, GError **err)
{
    VirtioBlk *blk = (VirtioBlk *)((uint8_t *)field - offsetof(VirtioBlk, kept));
    uint32_t n = get_be32(r), most = blk->num_queues * VIRTIO_MAX_QUEUE_SIZE;

    drop_kept(blk, -1);
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

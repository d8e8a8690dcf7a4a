/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a disk (virtio 1.2, 5.2).
 *
 * Each chain becomes one request to the block node. A request that failed while the policy says
 * "stop" is kept, with the machine stopped, and issued again when it runs; kept requests are part
 * of the saved state.
 */
#include <errno.h>
#include <string.h>

#include "block/block.h"
#include "hw/virtio/virtio_pci.h"
#include "util/log.h"

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
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum {
    HEADER = 16,
    ID_LEN = 20,
    CONFIG_SIZE = 60,
    SEG_MAX = 254,
    MAX_RANGE_SECTORS = 1 << 22,
    UNMAP_FLAG = 1,
    RANGE_LEN = 16,
    MAX_QUEUES = 64
};

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkReq {
    BlockRequest io;
    VirtioBlk *blk;
    VirtqBuf *buf;
    uint32_t type;
    struct iovec *iov;   /* the data part of the chain */
    size_t in_data;      /* bytes written into the chain if all goes well, status included */
    struct BlkReq *next; /* kept requests */
} BlkReq;

struct VirtioBlk {
    VirtioPCI vpci;
    char *drive, *serial;
    uint16_t num_queues, queue_size;
    uint32_t logical, physical;
    bool discard, write_zeroes, config_wce;
    uint32_t write_cache;    /* PlanOnOff */
    uint32_t read_only;      /* PlanOnOff, decided in init */
    uint32_t werror, rerror; /* 0: as the drive says; else BlockErrorPolicy + 1 */
    BlockNode *node;
    BlockUser user;
    uint8_t writeback;
    BlkReq *kept, **kept_tail;
    struct KeptHead {
        uint16_t queue, slot;
    } * loaded; /* of a saved machine, until it runs */
    uint32_t n_loaded;
};

static VirtioBlk *blk_of(VirtioDevice *v)
{
    return v->instance;
}

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

static void blk_notified(VirtioDevice *v, unsigned queue)
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

static void reissue_loaded(VirtioBlk *blk)
{
    for (uint32_t i = 0; i < blk->n_loaded; i++) {
        VirtQueue *vq = virtio_queue(&blk->vpci.virtio, blk->loaded[i].queue);
        VirtqBuf *buf = vq ? virtq_refetch(vq, blk->loaded[i].slot) : NULL;

        if (buf) {
            take(blk, buf);
        }
    }
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = 0;
}

static void run_changed(void *opaque, bool running, RunState state)
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
        blk_notified(&blk->vpci.virtio, i);
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

/* Requests in flight finish into stale chains; waiting for them keeps their memory and the
 * order of writes as a driver expects after a reset. */
static void blk_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioBlk *blk = blk_of(v);

    if (blk->node && block_in_flight(blk->node)) {
        block_drain(blk->node);
    }
    drop_kept(blk, queue);
}

static void blk_reset(VirtioDevice *v)
{
    VirtioBlk *blk = blk_of(v);

    blk->writeback = blk->write_cache != PLAN_OFF;
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = 0;
}

/* --- configuration --- */

static uint64_t blk_features(VirtioDevice *v)
{
    VirtioBlk *blk = blk_of(v);
    bool writable = blk->read_only != PLAN_ON;

    return 1ull << F_SEG_MAX | 1ull << F_BLK_SIZE | 1ull << F_FLUSH | 1ull << F_TOPOLOGY |
           (writable ? 0 : 1ull << F_RO) | (blk->num_queues > 1 ? 1ull << F_MQ : 0) |
           (blk->config_wce ? 1ull << F_CONFIG_WCE : 0) |
           (writable && blk->discard ? 1ull << F_DISCARD : 0) |
           (writable && blk->write_zeroes ? 1ull << F_WRITE_ZEROES : 0);
}

static void put_le(uint8_t *config, size_t at, uint64_t v, size_t len)
{
    memcpy(config + at, &v, len); /* little-endian host: reg.c checks */
}

static void blk_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioBlk *blk = blk_of(v);
    unsigned exponent = __builtin_ctz(blk->physical / blk->logical);

    put_le(c, 0, block_size(blk->node) / BLOCK_SECTOR, 8);
    put_le(c, 12, SEG_MAX, 4);
    put_le(c, 20, blk->logical, 4);
    put_le(c, 24, exponent, 1);
    put_le(c, 26, blk->physical / blk->logical, 2); /* smallest good request, in blocks */
    put_le(c, 32, blk->writeback, 1);
    put_le(c, 34, blk->num_queues, 2);
    put_le(c, 36, MAX_RANGE_SECTORS, 4);
    put_le(c, 40, 1, 4);
    put_le(c, 44, blk->physical / BLOCK_SECTOR, 4);
    put_le(c, 48, MAX_RANGE_SECTORS, 4);
    put_le(c, 52, 1, 4);
    put_le(c, 56, 1, 1);
}

static void blk_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (virtio_has(v, F_CONFIG_WCE) && at <= 32 && at + len > 32) {
        blk_of(v)->writeback = c[32] & 1;
    }
}

static void blk_resized(void *opaque, uint64_t size)
{
    virtio_config_changed(&((VirtioBlk *)opaque)->vpci.virtio);
}

static const char *blk_path(void *opaque)
{
    return ((VirtioBlk *)opaque)->vpci.pci.dev.path;
}

/* --- life --- */

static bool power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v >= lo && v <= hi && !(v & (v - 1));
}

static bool check_props(VirtioBlk *blk, GError **err)
{
    const char *name = device_name(&blk->vpci.pci.dev), *what = NULL;

    if (!power_of_two(blk->queue_size, 4, VIRTIO_MAX_QUEUE_SIZE)) {
        what = "queue-size must be a power of two from 4 to 1024";
    } else if (!power_of_two(blk->logical, 512, 32768)) {
        what = "logical_block_size must be a power of two from 512 to 32768";
    } else if (!power_of_two(blk->physical, blk->logical, 2 << 20)) {
        what = "physical_block_size must be a power of two, at least logical_block_size";
    } else if (!blk->drive) {
        what = "it needs a disk: drive=NAME, with -drive if=none,id=NAME,... or -blockdev "
               "node-name=NAME,...";
    }
    if (what) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", name, what);
    }
    return what == NULL;
}

static bool blk_init(void *dev, GError **err)
{
    VirtioBlk *blk = dev;
    Device *device = &blk->vpci.pci.dev;

    if (!check_props(blk, err)) {
        return false;
    }
    blk->node = block_find(device->machine, blk->drive);
    if (!blk->node) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "%s: there is no drive or block node named '%s'", device_name(device),
                    blk->drive);
        return false;
    }
    if (blk->read_only == PLAN_OFF && block_read_only(blk->node)) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_ROFS,
                    "%s: the guest has a disk that it may write (read-only=off), and '%s' is "
                    "read-only",
                    device_name(device), blk->drive);
        blk->node = NULL;
        return false;
    }
    if (blk->read_only == PLAN_AUTO) {
        blk->read_only = block_read_only(blk->node) ? PLAN_ON : PLAN_OFF;
    }
    blk->user = (BlockUser){ .resized = blk_resized, .path = blk_path, .opaque = blk };
    if (!block_attach(blk->node, &blk->user, device_name(device), err)) {
        blk->node = NULL;
        return false;
    }
    for (unsigned i = 0; i < blk->num_queues; i++) {
        virtio_add_queue(&blk->vpci.virtio, blk->queue_size);
    }
    blk->kept_tail = &blk->kept;
    machine_add_run_fn(device->machine, run_changed, blk);
    return true;
}

static void blk_exit(void *dev)
{
    VirtioBlk *blk = dev;

    machine_remove_run_fn(blk->vpci.pci.dev.machine, run_changed, blk);
    block_detach(blk->node);
    blk->node = NULL;
}

static unsigned blk_auto_vectors(const void *dev)
{
    return ((const VirtioBlk *)dev)->num_queues + 1;
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
    g_clear_pointer(&blk->loaded, g_free);
    blk->n_loaded = 0;
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

static const VmOps kept_ops = { "virtio-blk requests", kept_save, kept_load };
static const VmField blk_fields[] = {
    VM_VIRTIO_PCI(VirtioBlk, vpci),
    VM_U8(VirtioBlk, writeback, .mask = 1),
    VM_RECORD(VirtioBlk, kept, BlkReq *, &kept_ops),
};
static const VmState blk_state = { .name = "virtio-blk", .version = 1, .fields = LIST(blk_fields) };

static const char *const policies[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

#define ERROR_PROP(m, text)                                                                        \
    {                                                                                              \
        .name = #m, .kind = PLAN_PROP_ENUM, .field = FIELD(VirtioBlk, m, uint32_t),                \
        .choices = policies, .flags = PLAN_PROP_HOST, .doc = (text)                                \
    }
static const PlanProp blk_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_BACKEND(VirtioBlk, drive, "drive", "block", "the drive or block node behind it"),
    PROP_STR(VirtioBlk, serial, "serial", "serial number, up to 20 bytes"),
    PROP_U16(VirtioBlk, num_queues, "num-queues", 1, 1, MAX_QUEUES, "request queues"),
    PROP_U16(VirtioBlk, queue_size, "queue-size", 256, 4, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of each queue"),
    PROP_U32(VirtioBlk, logical, "logical_block_size", 512, 512, 32768, "smallest unit of I/O"),
    PROP_U32(VirtioBlk, physical, "physical_block_size", 512, 512, 2 << 20,
             "unit the disk works in"),
    PROP_BOOL(VirtioBlk, discard, "discard", true, "offer discard"),
    PROP_BOOL(VirtioBlk, write_zeroes, "write-zeroes", true, "offer writing of zeroes"),
    PROP_BOOL(VirtioBlk, config_wce, "config-wce", true, "let the driver switch the write cache"),
    PROP_ONOFF(VirtioBlk, write_cache, "write-cache", PLAN_AUTO, "write cache at reset"),
    { .name = "read-only",
      .kind = PLAN_PROP_ONOFF,
      .flags = PLAN_PROP_DECIDED,
      .field = FIELD(VirtioBlk, read_only, uint32_t),
      .doc = "the guest may not write (auto: as the drive)" },
    ERROR_PROP(werror, "on a write error (auto: as -drive says, else enospc)"),
    ERROR_PROP(rerror, "on a read error (auto: as -drive says, else report)"),
};
static const VirtioClass blk_class = {
    .name = "virtio-blk",
    .device_id = 2,
    .config_size = CONFIG_SIZE,
    .features = blk_features,
    .config_read = blk_config_read,
    .config_written = blk_config_written,
    .queue_notified = blk_notified,
    .queue_reset = blk_queue_reset,
    .reset = blk_reset,
};

VIRTIO_PCI_TYPES(blk, "blk", VirtioBlk, "disk", 0x010000, blk_props, blk_state, blk_class, blk_init,
                 blk_exit, blk_auto_vectors);
VIRTIO_DEVICE_TYPES(blk);

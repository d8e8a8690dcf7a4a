/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfers of SCSI disks: a command becomes one request to the block node after the other, of at
 * most SCSI_STEP bytes each, so that a reset or a stop never waits long. Failed requests follow the
 * error policy of the device, as those of virtio-blk.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "machine-events.h"
#include "util/iov.h"

enum { CDB_FUA = 1 << 3, CDB_PROTECT = 7 << 5, CDB_BYTCHK = 3 << 1, CDB_UNMAP = 1 << 3 };
enum { UNMAP_HEADER = 8, UNMAP_DESCRIPTOR = 16 };

static void disk_io_next(ScsiDisk *d, SCSIRequest *req);

/* --- errors --- */

static bool disk_io_writes(const SCSIRequest *req)
{
    return req->io.op != BLOCK_READ;
}

static BlockErrorPolicy disk_io_policy(const ScsiDisk *d, bool write)
{
    uint32_t own = write ? d->werror : d->rerror;

    return own ? (BlockErrorPolicy)(own - 1) : block_on_error(d->media.node, write);
}

static void disk_io_announce(const ScsiDisk *d, const SCSIRequest *req, QmpBlockErrorAction action,
                             int error)
{
    event_block_io_error(d->scsi.dev.machine, block_drive_id(d->media.node),
                         block_name(d->media.node), d->scsi.dev.path,
                         disk_io_writes(req) ? QMP_IO_OPERATION_TYPE_WRITE
                                             : QMP_IO_OPERATION_TYPE_READ,
                         action, error == -ENOSPC, g_strerror(-error));
}

static SCSISense disk_io_sense(const SCSIRequest *req, int error)
{
    return error == -ENOSPC      ? SCSI_SPACE_ALLOCATION
           : error == -EPERM     ? SCSI_WRITE_PROTECTED
           : disk_io_writes(req) ? SCSI_WRITE_ERROR
                                 : SCSI_READ_ERROR;
}

static void disk_io_failed(ScsiDisk *d, SCSIRequest *req, int error)
{
    BlockErrorPolicy policy = disk_io_policy(d, disk_io_writes(req));
    bool stop =
        policy == BLOCK_ON_ERROR_STOP || (policy == BLOCK_ON_ERROR_ENOSPC && error == -ENOSPC);

    if (stop) {
        req->bus->ops->keep(req);
        block_set_io_status(d->media.node, error);
        disk_io_announce(d, req, QMP_BLOCK_ERROR_ACTION_STOP, error);
        machine_set_state(d->scsi.dev.machine, RUN_IO_ERROR);
    } else if (policy == BLOCK_ON_ERROR_IGNORE) {
        disk_io_announce(d, req, QMP_BLOCK_ERROR_ACTION_IGNORE, error);
        req->done = req->len;
        disk_io_next(d, req);
    } else {
        disk_io_announce(d, req, QMP_BLOCK_ERROR_ACTION_REPORT, error);
        scsi_fail(req, disk_io_sense(req, error));
    }
}

/* --- steps --- */

/* Compare the bytes that were read with those of the initiator. */
static bool disk_io_same(const SCSIRequest *req)
{
    size_t len = req->io.len;
    g_autofree uint8_t *expected = g_malloc(len);

    return iov_read(req->out, req->n_out, req->done, expected, len) == len &&
           memcmp(expected, req->bounce, len) == 0;
}

/* Continue after a step: with the next one in another turn, with the next range, or not at all. */
static void disk_io_next(ScsiDisk *d, SCSIRequest *req)
{
    if (req->done >= req->len && req->at_range < req->n_ranges) {
        const struct SCSIRange *r = &req->ranges[req->at_range++];

        req->offset = r->offset;
        req->len = r->len;
        req->done = 0;
    }
    if (req->done < req->len) {
        req->bus->ops->later(req);
    } else {
        scsi_end(req);
    }
}

static void disk_io_step_done(ScsiDisk *d, SCSIRequest *req, int result)
{
    if (d->scsi.dev.hidden || req->bus->bus.owner->hidden) {
        scsi_end_as(req, SCSI_GONE);
    } else if (req->cancelled != SCSI_ENDED) {
        scsi_end_as(req, req->cancelled);
    } else if (result < 0) {
        disk_io_failed(d, req, result);
    } else if (req->compare && !disk_io_same(req)) {
        scsi_fail(req, SCSI_COMPARE_FAILED);
    } else {
        req->done += req->io.len;
        disk_io_next(d, req);
    }
}

static void disk_io_done(BlockRequest *io, int result)
{
    SCSIRequest *req = io->opaque;
    ScsiDisk *d = (ScsiDisk *)req->dev;
    SCSIBus *bus = req->bus;
    Device *owner = bus->bus.owner;
    /* The guard may already be held: block_drain() is called from a register access or while the
     * machine stops. The completion is handled in the same way. */
    bool entered = !owner->busy && !owner->hidden && device_enter(owner);

    bus->in_flight--;
    bus->bytes_in_flight -= io->len;
    disk_io_step_done(d, req, result);
    bus->ops->wake(bus);
    if (entered) {
        device_leave(owner);
    }
    device_unpin_any(&d->scsi.dev);
    device_unpin_any(owner);
}

/* Set the memory of the next step. */
static void disk_io_choose_memory(SCSIRequest *req)
{
    const struct iovec *all = req->io.op == BLOCK_READ ? req->in : req->out;
    int n = req->io.op == BLOCK_READ ? req->n_in : req->n_out;

    if (!req->slice) {
        req->slice = g_new(struct iovec, MAX(n, 1));
    }
    if (req->bounce) {
        req->slice[0] = (struct iovec){ req->bounce, req->io.len };
        req->io.n_iov = 1;
    } else {
        req->io.n_iov = iov_slice(all, n, req->done, req->io.len, req->slice);
    }
    req->io.iov = req->slice;
}

void scsi_disk_step(ScsiDisk *d, SCSIRequest *req)
{
    SCSIBus *bus = req->bus;
    bool data = req->io.op == BLOCK_READ || req->io.op == BLOCK_WRITE;

    if (!d->media.node) { /* the medium was removed between two steps */
        scsi_fail(req, SCSI_NO_MEDIUM);
        return;
    }
    req->io.offset = req->offset + req->done;
    req->io.len = MIN(req->len - req->done, req->step);
    if (data) {
        disk_io_choose_memory(req);
    }
    req->io.done = disk_io_done;
    req->io.opaque = req;
    bus->in_flight++;
    bus->bytes_in_flight += req->io.len;
    bus->ops->charge(bus, SCSI_SUBMIT_UNITS + (data ? req->io.len / SCSI_UNIT_BYTES : 0));
    device_pin_any(bus->bus.owner);
    device_pin_any(&d->scsi.dev);
    block_submit(d->media.node, &req->io);
}

/* --- commands --- */

/* The block address and the number of blocks of a command, by the length of its group. */
static void disk_io_decode(const SCSIRequest *req, uint64_t *lba, uint64_t *blocks)
{
    switch (req->cdb[0] >> 5) {
    case 0:
        *lba = scsi_cdb(req, 1, 3) & 0x1fffff;
        *blocks = req->cdb[4] ? req->cdb[4] : 256;
        break;
    case 4:
        *lba = scsi_cdb(req, 2, 8);
        *blocks = scsi_cdb(req, 10, 4);
        break;
    case 5:
        *lba = scsi_cdb(req, 2, 4);
        *blocks = scsi_cdb(req, 6, 4);
        break;
    default:
        *lba = scsi_cdb(req, 2, 4);
        *blocks = scsi_cdb(req, 7, 2);
        break;
    }
}

/* Set the extent of a request; false, and the request has ended, if it is not on the medium. */
static bool disk_io_set_extent(const ScsiDisk *d, SCSIRequest *req, uint64_t lba, uint64_t blocks)
{
    uint64_t total = scsi_disk_blocks(d);

    if (lba > total || blocks > total - lba || (lba == total && total > 0)) {
        scsi_fail(req, SCSI_LBA_OUT_OF_RANGE);
        return false;
    }
    req->offset = lba * d->logical;
    req->len = blocks * d->logical;
    req->step = SCSI_STEP;
    return true;
}

static bool disk_io_may_write(const ScsiDisk *d, SCSIRequest *req)
{
    if (d->read_only == PLAN_ON) {
        scsi_fail(req, SCSI_WRITE_PROTECTED);
    }
    return d->read_only != PLAN_ON;
}

static bool disk_io_is_read(uint8_t op)
{
    return op == OP_READ_6 || op == OP_READ_10 || op == OP_READ_12 || op == OP_READ_16;
}

static bool disk_io_is_write_verify(uint8_t op)
{
    return op == OP_WRITE_VERIFY_10 || op == OP_WRITE_VERIFY_12 || op == OP_WRITE_VERIFY_16;
}

void scsi_disk_read_write(ScsiDisk *d, SCSIRequest *req)
{
    bool read = disk_io_is_read(req->cdb[0]), six = req->cdb[0] >> 5 == 0;
    bool fua = !six && ((req->cdb[1] & CDB_FUA) || disk_io_is_write_verify(req->cdb[0]));
    uint64_t lba, blocks;

    disk_io_decode(req, &lba, &blocks);
    if (!six && (req->cdb[1] & CDB_PROTECT)) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if ((!read && !disk_io_may_write(d, req)) || !disk_io_set_extent(d, req, lba, blocks)) {
        return;
    }
    if (req->len > (read ? req->in_len : req->out_len)) {
        scsi_end_as(req, SCSI_OVERRUN);
        return;
    }
    req->io.op = read ? BLOCK_READ : BLOCK_WRITE;
    req->io.fua = !read && (fua || !d->writeback);
    req->transferred = req->len;
    if (req->len == 0) {
        scsi_end(req);
    } else {
        scsi_disk_step(d, req);
    }
}

/* VERIFY: without BYTCHK the medium is not read; with it the data are compared (SBC-3, 5.20). */
void scsi_disk_verify(ScsiDisk *d, SCSIRequest *req)
{
    unsigned check = (req->cdb[1] & CDB_BYTCHK) >> 1;
    uint64_t lba, blocks;

    disk_io_decode(req, &lba, &blocks);
    if ((req->cdb[1] & CDB_PROTECT) || check > 1) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if (!disk_io_set_extent(d, req, lba, blocks)) {
        return;
    }
    if (check == 0 || req->len == 0) {
        scsi_end(req);
        return;
    }
    if (req->len > req->out_len) {
        scsi_end_as(req, SCSI_OVERRUN);
        return;
    }
    req->io.op = BLOCK_READ;
    req->compare = true;
    req->bounce = g_malloc(MIN(req->len, req->step));
    req->transferred = req->len;
    scsi_disk_step(d, req);
}

void scsi_disk_flush(ScsiDisk *d, SCSIRequest *req)
{
    req->io.op = BLOCK_FLUSH;
    req->io.fua = false;
    req->offset = req->len = req->done = 0;
    scsi_disk_step(d, req);
}

/* Store the descriptors of UNMAP in req->ranges. Return the sense key of the first fault. */
static SCSISense disk_io_read_ranges(const ScsiDisk *d, SCSIRequest *req, const uint8_t *list,
                                     size_t len)
{
    uint64_t total = scsi_disk_blocks(d), sum = 0;
    size_t n = len / UNMAP_DESCRIPTOR;

    if (n > SCSI_MAX_RANGES) {
        return SCSI_INVALID_PARAMETER;
    }
    req->ranges = g_new(struct SCSIRange, n + 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t lba = 0, blocks = 0;

        for (unsigned k = 0; k < 8; k++) {
            lba = lba << 8 | list[UNMAP_DESCRIPTOR * i + k];
            blocks = k < 4 ? blocks << 8 | list[UNMAP_DESCRIPTOR * i + 8 + k] : blocks;
        }
        sum += blocks;
        if (lba > total || blocks > total - lba) {
            return SCSI_LBA_OUT_OF_RANGE;
        }
        if (sum > SCSI_MAX_RANGE) {
            return SCSI_INVALID_PARAMETER;
        }
        if (blocks) {
            req->ranges[req->n_ranges++] =
                (struct SCSIRange){ lba * d->logical, blocks * d->logical };
        }
    }
    return (SCSISense){ 0 };
}

/* UNMAP (SBC-3, 5.28). */
void scsi_disk_unmap(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t list[UNMAP_HEADER + UNMAP_DESCRIPTOR * SCSI_MAX_RANGES];
    size_t len = scsi_cdb(req, 7, 2), described;
    SCSISense fault;

    if (req->cdb[1] & 1) { /* ANCHOR */
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if (!disk_io_may_write(d, req)) {
        return;
    }
    if (len == 0) {
        scsi_end(req);
        return;
    }
    if (len < UNMAP_HEADER || len > sizeof(list)) {
        scsi_fail(req, len < UNMAP_HEADER ? SCSI_PARAMETER_LENGTH : SCSI_INVALID_PARAMETER);
        return;
    }
    if (!scsi_parameters(req, list, len)) {
        return;
    }
    described = (size_t)list[2] << 8 | list[3];
    fault = described % UNMAP_DESCRIPTOR || described > len - UNMAP_HEADER
                ? SCSI_INVALID_PARAMETER
                : disk_io_read_ranges(d, req, list + UNMAP_HEADER, described);
    if (fault.key) {
        scsi_fail(req, fault);
        return;
    }
    req->io.op = BLOCK_DISCARD;
    req->step = SCSI_RANGE_STEP;
    disk_io_next(d, req);
}

/* Return whether the block of WRITE SAME contains only zeroes. */
static bool disk_io_is_zero(const uint8_t *block, size_t len)
{
    return block[0] == 0 && memcmp(block, block + 1, len - 1) == 0;
}

/* Set the data of WRITE SAME: zeroes, or as many copies of the block as a step has. */
static bool disk_io_set_pattern(const ScsiDisk *d, SCSIRequest *req, bool no_data)
{
    size_t bytes = MIN(req->len, (uint64_t)SCSI_STEP);
    g_autofree uint8_t *block = g_malloc0(d->logical);

    if (!no_data && !scsi_parameters(req, block, d->logical)) {
        return false;
    }
    if (disk_io_is_zero(block, d->logical)) {
        req->io.op = BLOCK_WRITE_ZEROES;
        req->step = SCSI_RANGE_STEP;
        return true;
    }
    req->io.op = BLOCK_WRITE;
    req->bounce = g_malloc(bytes);
    for (size_t at = 0; at < bytes; at += d->logical) {
        memcpy(req->bounce + at, block, d->logical);
    }
    return true;
}

/* WRITE SAME (SBC-3, 5.42). WSNZ is set: the number of blocks must not be zero. */
void scsi_disk_write_same(ScsiDisk *d, SCSIRequest *req)
{
    bool sixteen = req->cdb[0] == OP_WRITE_SAME_16, unmap = req->cdb[1] & CDB_UNMAP;
    uint64_t lba, blocks;

    disk_io_decode(req, &lba, &blocks);
    if ((req->cdb[1] & (CDB_PROTECT | 0x16)) || (!sixteen && (req->cdb[1] & 1)) || blocks == 0 ||
        blocks > SCSI_MAX_RANGE) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if (!disk_io_may_write(d, req) || !disk_io_set_extent(d, req, lba, blocks) ||
        !disk_io_set_pattern(d, req, sixteen && (req->cdb[1] & 1))) {
        return;
    }
    req->io.may_unmap = unmap && req->io.op == BLOCK_WRITE_ZEROES;
    req->io.fua = !d->writeback;
    scsi_disk_step(d, req);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the NVM command set (6).
 *
 * A transfer is one request to the block node. Flushes of all namespaces, discards and writes of
 * zeroes are lists of ranges that are processed in steps of at most NVME_RANGE_STEP bytes; after
 * each step the request waits in `due` for a later turn.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "machine-events.h"
#include "util/iov.h"

enum { RW_FUA = 1 << 30, WZ_DEALLOCATE = 1 << 25, DSM_DEALLOCATE = 1 << 2, DSM_RANGES = 256 };

/* --- errors --- */

static void nvme_io_announce(const NvmeRequest *req, QmpBlockErrorAction action, int error)
{
    event_block_io_error(req->n->pci.dev.machine, block_drive_id(req->ns->node),
                         block_name(req->ns->node), req->ns->dev->path,
                         req->io.op == BLOCK_READ ? QMP_IO_OPERATION_TYPE_READ
                                                  : QMP_IO_OPERATION_TYPE_WRITE,
                         action, error == -ENOSPC, g_strerror(-error));
}

static uint16_t nvme_io_status(const NvmeRequest *req, int error)
{
    return error == -ENOSPC           ? NVME_CAPACITY_EXCEEDED
           : error == -EPERM          ? NVME_WRITE_PROTECTED | NVME_DNR
           : req->io.op == BLOCK_READ ? NVME_UNRECOVERED_READ
                                      : NVME_WRITE_FAULT;
}

void nvme_io_failed(NvmeRequest *req, int error)
{
    BlockErrorPolicy policy = block_on_error(req->ns->node, req->io.op != BLOCK_READ);
    bool stop =
        policy == BLOCK_ON_ERROR_STOP || (policy == BLOCK_ON_ERROR_ENOSPC && error == -ENOSPC);

    /* Other requests that fail while the machine stops are kept as well. */
    if (stop) {
        g_queue_push_tail_link(&req->n->kept, &req->link);
        block_set_io_status(req->ns->node, error);
        nvme_io_announce(req, QMP_BLOCK_ERROR_ACTION_STOP, error);
        machine_set_state(req->n->pci.dev.machine, RUN_IO_ERROR);
    } else if (policy == BLOCK_ON_ERROR_IGNORE) {
        nvme_io_announce(req, QMP_BLOCK_ERROR_ACTION_IGNORE, error);
        nvme_io_next(req);
    } else {
        nvme_io_announce(req, QMP_BLOCK_ERROR_ACTION_REPORT, error);
        nvme_log_error(req->n, req, nvme_io_status(req, error));
        nvme_request_end(req, nvme_io_status(req, error));
    }
}

/* --- steps --- */

/* Compare the bytes that were read with those of the driver. */
static bool nvme_io_same(const NvmeRequest *req)
{
    size_t len = req->io.len, at = 0;

    for (unsigned i = 0; i < req->data.n && at < len; i++) {
        if (memcmp(req->data.iov[i].iov_base, req->bounce + at, req->data.iov[i].iov_len) != 0) {
            return false;
        }
        at += req->data.iov[i].iov_len;
    }
    return true;
}

/* Continue after a step. */
void nvme_io_next(NvmeRequest *req)
{
    if (req->bounce && !nvme_io_same(req)) {
        nvme_request_end(req, NVME_COMPARE_FAILURE);
        return;
    }
    if (req->ranges) {
        req->done += req->io.len;
        if (req->done >= req->ranges[req->at_range].len) {
            req->at_range++;
            req->done = 0;
        }
    } else if (req->cmd.opcode == NVME_IO_FLUSH) {
        req->at_range++; /* the identifier of the next namespace */
    }
    if (req->at_range < req->n_ranges) {
        g_queue_push_tail_link(&req->n->due, &req->link);
        nvme_later(req->n);
    } else {
        nvme_request_end(req, NVME_SUCCESS);
    }
}

/* Submit the flush of the next namespace. */
static void nvme_io_flush_step(NvmeRequest *req)
{
    while (req->at_range < req->n_ranges) {
        NvmeNs *ns = nvme_ns_find(req->n, req->at_range);

        if (ns && !ns->read_only) {
            req->ns = ns;
            nvme_request_submit(req, ns->node);
            return;
        }
        req->at_range++;
    }
    nvme_request_end(req, NVME_SUCCESS);
}

void nvme_io_step(NvmeRequest *req)
{
    if (req->cmd.opcode == NVME_IO_FLUSH) {
        nvme_io_flush_step(req);
        return;
    }
    if (req->ranges) {
        const NvmeRange *r = &req->ranges[req->at_range];

        req->io.offset = r->offset + req->done;
        req->io.len = MIN(r->len - req->done, NVME_RANGE_STEP);
    }
    nvme_request_submit(req, req->ns->node);
}

/* --- commands --- */

/* Return a status for the range of a command with SLBA and NLB. */
static uint16_t nvme_io_extent(const NvmeRequest *req, uint64_t *offset, uint64_t *len)
{
    uint64_t lba = req->cmd.cdw10 | (uint64_t)req->cmd.cdw11 << 32;
    uint64_t count = (req->cmd.cdw12 & 0xffff) + 1ull, blocks = nvme_ns_blocks(req->ns);

    if (lba > blocks || count > blocks - lba) {
        return NVME_LBA_OUT_OF_RANGE | NVME_DNR;
    }
    *offset = lba << req->ns->shift;
    *len = count << req->ns->shift;
    return NVME_SUCCESS;
}

/* Begin a transfer. @write: the controller writes the memory. */
static uint16_t nvme_io_transfer(NvmeRequest *req, BlockOp op, bool write)
{
    uint16_t status = nvme_io_extent(req, &req->io.offset, &req->io.len);

    if (status != NVME_SUCCESS) {
        return status;
    }
    if (req->io.len > 4096ull << req->n->mdts) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    status = nvme_data_map(req, req->io.len, write);
    if (status == NVME_SUCCESS) {
        req->io.op = op;
        req->io.iov = req->data.iov;
        req->io.n_iov = (int)req->data.n;
    }
    return status;
}

static uint16_t nvme_io_read(NvmeRequest *req)
{
    uint16_t status = nvme_io_transfer(req, BLOCK_READ, true);

    if (status == NVME_SUCCESS) {
        req->ns->reads++;
        req->ns->read_bytes += req->io.len;
        nvme_io_step(req);
        return NVME_PENDING;
    }
    return status;
}

static uint16_t nvme_io_write(NvmeRequest *req)
{
    uint16_t status = nvme_io_transfer(req, BLOCK_WRITE, false);

    if (status == NVME_SUCCESS) {
        req->ns->writes++;
        req->ns->written_bytes += req->io.len;
        req->io.fua = (req->cmd.cdw12 & RW_FUA) || !nvme_write_cache(req->n);
        nvme_io_step(req);
        return NVME_PENDING;
    }
    return status;
}

static uint16_t nvme_io_compare(NvmeRequest *req)
{
    uint16_t status = nvme_io_transfer(req, BLOCK_READ, false);

    if (status != NVME_SUCCESS) {
        return status;
    }
    req->bounce = g_try_malloc0(req->io.len);
    if (!req->bounce) {
        return NVME_INTERNAL_ERROR;
    }
    /* The block node reads one segment; the segments of the driver are compared later. */
    req->bounce_iov = (struct iovec){ req->bounce, req->io.len };
    req->io.iov = &req->bounce_iov;
    req->io.n_iov = 1;
    nvme_io_step(req);
    return NVME_PENDING;
}

/* Flush one namespace, or all of them, one after the other. */
static uint16_t nvme_io_flush(NvmeRequest *req)
{
    bool all = req->cmd.nsid == NVME_ALL_NAMESPACES;

    req->io.op = BLOCK_FLUSH;
    req->at_range = all ? 1 : req->cmd.nsid;
    req->n_ranges = all ? NVME_NAMESPACES + 1 : req->cmd.nsid + 1;
    nvme_io_step(req);
    return NVME_PENDING;
}

static uint16_t nvme_io_write_zeroes(NvmeRequest *req)
{
    uint64_t offset, len;
    uint16_t status = nvme_io_extent(req, &offset, &len);

    if (status != NVME_SUCCESS) {
        return status;
    }
    req->ranges = g_new(NvmeRange, 1);
    req->ranges[0] = (NvmeRange){ offset, len };
    req->n_ranges = 1;
    req->io.op = BLOCK_WRITE_ZEROES;
    req->io.may_unmap = req->cmd.cdw12 & WZ_DEALLOCATE;
    req->io.fua = (req->cmd.cdw12 & RW_FUA) || !nvme_write_cache(req->n);
    nvme_io_step(req);
    return NVME_PENDING;
}

/* Convert the ranges that the driver describes. Empty ones are left out. */
static uint16_t nvme_dsm_ranges(NvmeRequest *req, unsigned count)
{
    struct {
        uint32_t attributes, blocks;
        uint64_t lba;
    } list[DSM_RANGES];
    uint64_t total = nvme_ns_blocks(req->ns);
    uint16_t status = nvme_data_receive(req, list, count * sizeof(list[0]));

    req->ranges = g_new(NvmeRange, count);
    for (unsigned i = 0; i < count && status == NVME_SUCCESS; i++) {
        if (list[i].lba > total || list[i].blocks > total - list[i].lba) {
            status = NVME_LBA_OUT_OF_RANGE | NVME_DNR;
        } else if (list[i].blocks) {
            req->ranges[req->n_ranges++] =
                (NvmeRange){ list[i].lba << req->ns->shift,
                             (uint64_t)list[i].blocks << req->ns->shift };
        }
    }
    return status;
}

/* Dataset Management: deallocate. The other attributes are hints. */
static uint16_t nvme_io_dsm(NvmeRequest *req)
{
    uint16_t status;

    if (!(req->cmd.cdw11 & DSM_DEALLOCATE)) {
        return NVME_SUCCESS;
    }
    status = nvme_dsm_ranges(req, (req->cmd.cdw10 & 0xff) + 1);
    if (status != NVME_SUCCESS || req->n_ranges == 0) {
        return status;
    }
    req->io.op = BLOCK_DISCARD;
    nvme_io_step(req);
    return NVME_PENDING;
}

/* --- the table --- */

#define NVME_WRITES .writes = true, .effects = NVME_EFFECT_SUPPORTED | NVME_EFFECT_WRITES
const NvmeOp nvme_io_ops[] = {
    { NVME_IO_FLUSH, .any_namespace = true, .effects = NVME_EFFECT_SUPPORTED,
      .run = nvme_io_flush },
    { NVME_IO_WRITE, NVME_WRITES, .run = nvme_io_write },
    { NVME_IO_READ, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_io_read },
    { NVME_IO_COMPARE, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_io_compare },
    { NVME_IO_WRITE_ZEROES, NVME_WRITES, .run = nvme_io_write_zeroes },
    { NVME_IO_DSM, NVME_WRITES, .run = nvme_io_dsm },
};
const size_t n_nvme_io_ops = G_N_ELEMENTS(nvme_io_ops);

static const NvmeOp *nvme_io_op(uint8_t opcode)
{
    for (size_t i = 0; i < n_nvme_io_ops; i++) {
        if (nvme_io_ops[i].opcode == opcode) {
            return &nvme_io_ops[i];
        }
    }
    return NULL;
}

uint16_t nvme_io_start(NvmeRequest *req)
{
    const NvmeOp *op = nvme_io_op(req->cmd.opcode);
    uint32_t nsid = req->cmd.nsid;
    bool all = nsid == NVME_ALL_NAMESPACES;

    if (!op) {
        return NVME_INVALID_OPCODE | NVME_DNR;
    }
    if ((nsid == 0 || nsid > NVME_NAMESPACES) && !(all && op->any_namespace)) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    req->ns = all ? NULL : nvme_ns_find(req->n, nsid);
    if ((!all && !req->ns) || (req->cmd.flags & NVME_PSDT) == NVME_PSDT) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (op->writes && req->ns->read_only) {
        return NVME_WRITE_PROTECTED | NVME_DNR;
    }
    return op->run(req);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests: commands that the controller has fetched and not completed.
 *
 * A request is in flight in a block node, or in one of the lists `due` (between two steps) and
 * `kept` (failed with the error policy "stop"; issued again when the machine runs), or it completes
 * within the turn that began it. Requests of the lists are part of the saved state; they begin
 * again from their command after a load.
 */
#include "internal.h"

void nvme_request_free(NvmeRequest *req, bool written)
{
    nvme_data_unmap(req, written);
    g_free(req->bounce);
    g_free(req->ranges);
    g_free(req);
}

void nvme_request_start(Nvme *n, NvmeSq *sq, const NvmeCommand *cmd)
{
    NvmeRequest *req = g_new0(NvmeRequest, 1);
    uint16_t status;

    req->n = n;
    req->sq = sq;
    req->cmd = *cmd;
    req->link.data = req;
    if (cmd->flags & NVME_FUSE) {
        status = NVME_INVALID_FIELD | NVME_DNR;
    } else {
        status = sq->id == 0 ? nvme_admin_start(req) : nvme_io_start(req);
    }
    if (status != NVME_PENDING) {
        nvme_request_end(req, status);
    }
}

void nvme_request_end(NvmeRequest *req, uint16_t status)
{
    NvmeSq *sq = req->sq;
    NvmeCqe cqe = { .result = req->result,
                    .sq_head = sq->head,
                    .sq_id = sq->id,
                    .cid = req->cmd.cid,
                    .status = status };

    nvme_data_unmap(req, true); /* the data are dirty before the driver learns of them */
    nvme_complete(req->n, sq->cq, cqe);
    nvme_request_free(req, true);
}

/* --- steps --- */

static void nvme_request_step_done(NvmeRequest *req, int result)
{
    Nvme *n = req->n;

    if (n->pci.dev.hidden) { /* unplugged: no driver is left */
        nvme_request_free(req, true);
        return;
    }
    if (result < 0) {
        nvme_io_failed(req, result);
    } else {
        nvme_io_next(req);
    }
}

static void nvme_request_done(BlockRequest *io, int result)
{
    NvmeRequest *req = io->opaque;
    Nvme *n = req->n;
    Device *dev = &n->pci.dev;
    /* The guard may already be held: block_drain() is called from a register access or while the
     * machine stops. The completion is handled in the same way. */
    bool entered = !dev->busy && !dev->hidden && device_enter(dev);

    n->in_flight--;
    n->bytes_in_flight -= io->len;
    nvme_request_step_done(req, result);
    nvme_wake(n);
    if (entered) {
        device_leave(dev);
    }
    device_unpin_any(dev);
}

void nvme_request_submit(NvmeRequest *req, BlockNode *node)
{
    Nvme *n = req->n;
    bool data = req->io.op == BLOCK_READ || req->io.op == BLOCK_WRITE;

    req->io.done = nvme_request_done;
    req->io.opaque = req;
    n->in_flight++;
    n->bytes_in_flight += req->io.len;
    nvme_charge(n, NVME_SUBMIT_UNITS + (data ? req->io.len / NVME_UNIT_BYTES : 0));
    device_pin_any(&n->pci.dev);
    block_submit(node, &req->io);
}

/* --- lists --- */

static void nvme_loaded_clear(Nvme *n)
{
    g_clear_pointer(&n->loaded, g_array_unref);
    n->loaded_at = 0;
}

static void nvme_loaded_start(Nvme *n)
{
    const NvmeLoaded l = g_array_index(n->loaded, NvmeLoaded, n->loaded_at++);
    NvmeSq *sq = n->sqs[l.sq];

    if (n->loaded_at == n->loaded->len) {
        nvme_loaded_clear(n);
    }
    if (sq) {
        nvme_request_start(n, sq, &l.cmd);
    }
}

bool nvme_request_next_due(Nvme *n)
{
    GList *link;

    if (n->loaded) {
        nvme_charge(n, 1);
        nvme_loaded_start(n);
        return true;
    }
    link = g_queue_pop_head_link(&n->due);
    if (link) {
        nvme_io_step(link->data);
    }
    return link != NULL;
}

void nvme_requests_retry(Nvme *n)
{
    GList *link;

    while ((link = g_queue_pop_tail_link(&n->kept))) {
        g_queue_push_head_link(&n->due, link);
    }
}

static void nvme_list_cancel(GQueue *list, const NvmeSq *sq, const NvmeNs *ns, uint16_t status)
{
    GList *next;

    for (GList *l = list->head; l; l = next) {
        NvmeRequest *req = l->data;

        next = l->next;
        if ((!sq || req->sq == sq) && (!ns || req->ns == ns)) {
            g_queue_unlink(list, l);
            nvme_request_end(req, status);
        }
    }
}

void nvme_requests_cancel(Nvme *n, const NvmeSq *sq, const NvmeNs *ns, uint16_t status)
{
    nvme_list_cancel(&n->due, sq, ns, status);
    nvme_list_cancel(&n->kept, sq, ns, status);
}

static void nvme_list_drop(GQueue *list)
{
    GList *link;

    while ((link = g_queue_pop_head_link(list))) {
        nvme_request_free(link->data, true);
    }
}

void nvme_requests_drop(Nvme *n)
{
    nvme_list_drop(&n->due);
    nvme_list_drop(&n->kept);
    nvme_loaded_clear(n);
}

void nvme_drain(Nvme *n)
{
    for (unsigned i = 1; i <= NVME_NAMESPACES && (n->in_flight || n->flushing); i++) {
        NvmeNs *ns = nvme_ns_find(n, i);

        if (ns) {
            nvme_ns_drain(ns);
        }
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admin commands (5): the table, and the commands for queues.
 */
#include "internal.h"

enum { QUEUE_CONTIGUOUS = 1 << 0, CQ_IRQ = 1 << 1 };

/* Return a status for the identifier, the size and the memory of a new queue. */
static uint16_t nvme_admin_check_queue(const NvmeRequest *req, bool in_use)
{
    const NvmeCommand *cmd = &req->cmd;
    uint32_t id = cmd->cdw10 & 0xffff, size = (cmd->cdw10 >> 16) + 1;

    if (id == 0 || id > req->n->max_ioqpairs || in_use) {
        return NVME_INVALID_QUEUE_ID | NVME_DNR;
    }
    if (size < 2 || size > NVME_QUEUE_ENTRIES) {
        return NVME_INVALID_QUEUE_SIZE | NVME_DNR;
    }
    if (cmd->prp1 & (nvme_page_size(req->n) - 1)) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    return cmd->cdw11 & QUEUE_CONTIGUOUS ? NVME_SUCCESS : NVME_INVALID_FIELD | NVME_DNR;
}

/* Return the queues of the identifier in the command. */
static NvmeSq *nvme_admin_sq(const NvmeRequest *req)
{
    uint32_t id = req->cmd.cdw10 & 0xffff;

    return id < NVME_QUEUES ? req->n->sqs[id] : NULL;
}

static NvmeCq *nvme_admin_cq(const NvmeRequest *req, uint32_t id)
{
    return id < NVME_QUEUES ? req->n->cqs[id] : NULL;
}

static uint16_t nvme_create_cq(NvmeRequest *req)
{
    Nvme *n = req->n;
    const NvmeCommand *cmd = &req->cmd;
    uint32_t id = cmd->cdw10 & 0xffff, vector = cmd->cdw11 >> 16;
    uint16_t status = nvme_admin_check_queue(req, nvme_admin_cq(req, id) != NULL);

    if (status != NVME_SUCCESS) {
        return status;
    }
    if (vector >= MAX(msix_vectors(&n->pci), 1) || (vector > 0 && !msix_enabled(&n->pci))) {
        return NVME_INVALID_VECTOR | NVME_DNR;
    }
    nvme_cq_new(n, id, cmd->prp1, (cmd->cdw10 >> 16) + 1, vector, cmd->cdw11 & CQ_IRQ);
    return NVME_SUCCESS;
}

static uint16_t nvme_create_sq(NvmeRequest *req)
{
    const NvmeCommand *cmd = &req->cmd;
    uint32_t id = cmd->cdw10 & 0xffff, cq_id = cmd->cdw11 >> 16;
    NvmeCq *cq = nvme_admin_cq(req, cq_id);
    uint16_t status;

    if (cq_id == 0 || !cq) {
        return NVME_INVALID_CQ | NVME_DNR;
    }
    status = nvme_admin_check_queue(req, nvme_admin_sq(req) != NULL);
    if (status == NVME_SUCCESS) {
        nvme_sq_new(req->n, id, cmd->prp1, (cmd->cdw10 >> 16) + 1, cq);
    }
    return status;
}

/* The requests of the queue complete first (5.6). */
static uint16_t nvme_delete_sq(NvmeRequest *req)
{
    NvmeSq *sq = nvme_admin_sq(req);

    if (!sq || sq->id == 0) {
        return NVME_INVALID_QUEUE_ID | NVME_DNR;
    }
    nvme_drain(req->n);
    nvme_requests_cancel(req->n, sq, NULL, NVME_ABORTED_SQ_DELETION);
    nvme_sq_free(req->n, sq);
    return NVME_SUCCESS;
}

static uint16_t nvme_delete_cq(NvmeRequest *req)
{
    NvmeCq *cq = nvme_admin_cq(req, req->cmd.cdw10 & 0xffff);

    if (!cq || cq->id == 0) {
        return NVME_INVALID_QUEUE_ID | NVME_DNR;
    }
    if (cq->users) {
        return NVME_INVALID_QUEUE_DELETION;
    }
    nvme_cq_free(req->n, cq);
    nvme_update_irq(req->n);
    return NVME_SUCCESS;
}

/* --- abort --- */

static bool nvme_abort_event_request(NvmeRequest *req, uint16_t cid)
{
    Nvme *n = req->n;

    for (unsigned i = 0; i < n->n_aers; i++) {
        if (n->aers[i] == cid) {
            n->aers[i] = n->aers[--n->n_aers];
            nvme_complete(n, n->cqs[0],
                          (NvmeCqe){ .sq_head = n->sqs[0]->head,
                                     .cid = cid,
                                     .status = NVME_ABORT_REQUESTED });
            return true;
        }
    }
    return false;
}

/* Abort an Asynchronous Event Request. Bit 0 of the result: the command was not aborted. Requests
 * of a block node cannot be aborted. */
static uint16_t nvme_abort(NvmeRequest *req)
{
    uint32_t sq = req->cmd.cdw10 & 0xffff;
    uint16_t cid = (uint16_t)(req->cmd.cdw10 >> 16);

    req->result = 1;
    if (sq >= NVME_QUEUES || !req->n->sqs[sq]) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    req->result = sq != 0 || !nvme_abort_event_request(req, cid);
    return NVME_SUCCESS;
}

/* --- the table --- */

const NvmeOp nvme_admin_ops[] = {
    { NVME_ADMIN_DELETE_SQ, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_delete_sq },
    { NVME_ADMIN_CREATE_SQ, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_create_sq },
    { NVME_ADMIN_GET_LOG, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_get_log },
    { NVME_ADMIN_DELETE_CQ, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_delete_cq },
    { NVME_ADMIN_CREATE_CQ, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_create_cq },
    { NVME_ADMIN_IDENTIFY, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_identify },
    { NVME_ADMIN_ABORT, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_abort },
    { NVME_ADMIN_SET_FEATURES, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_set_features },
    { NVME_ADMIN_GET_FEATURES, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_get_features },
    { NVME_ADMIN_ASYNC_EVENT, .effects = NVME_EFFECT_SUPPORTED, .run = nvme_async_event },
};
const size_t n_nvme_admin_ops = G_N_ELEMENTS(nvme_admin_ops);

uint16_t nvme_admin_start(NvmeRequest *req)
{
    if (req->cmd.flags & NVME_PSDT) { /* admin commands use PRPs (4.4) */
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    for (size_t i = 0; i < n_nvme_admin_ops; i++) {
        if (nvme_admin_ops[i].opcode == req->cmd.opcode) {
            return nvme_admin_ops[i].run(req);
        }
    }
    return NVME_INVALID_OPCODE | NVME_DNR;
}

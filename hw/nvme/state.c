/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved state of the controller. The record "queues" contains the queues with their completions
 * that have no room yet, and the commands of requests that are not in flight, which begin again
 * when the machine runs.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"

enum { CQE_BYTES = 12, MAX_PENDING = 4096 };

static Nvme *nvme_state_of(void *field)
{
    return (Nvme *)((uint8_t *)field - offsetof(Nvme, in_queues));
}

/* --- saving --- */

static void nvme_state_put_cq(const NvmeCq *cq, ByteWriter *w)
{
    put_be16(w, cq->id);
    put_be64(w, cq->base);
    put_be16(w, cq->size);
    put_be16(w, cq->head);
    put_be16(w, cq->tail);
    put_be16(w, cq->vector);
    put_u8(w, cq->phase);
    put_u8(w, cq->irq_enabled);
    put_be32(w, cq->pending.length);
    for (const GList *l = cq->pending.head; l; l = l->next) {
        const NvmeCqe *e = l->data;

        put_be32(w, e->result);
        put_be16(w, e->sq_head);
        put_be16(w, e->sq_id);
        put_be16(w, e->cid);
        put_be16(w, e->status);
    }
}

static void nvme_state_put_sq(const NvmeSq *sq, ByteWriter *w)
{
    put_be16(w, sq->id);
    put_be16(w, sq->cq->id);
    put_be64(w, sq->base);
    put_be16(w, sq->size);
    put_be16(w, sq->head);
    put_be16(w, sq->tail);
}

static void nvme_state_put_list(const GQueue *list, ByteWriter *w)
{
    for (const GList *l = list->head; l; l = l->next) {
        const NvmeRequest *req = l->data;

        put_be16(w, req->sq->id);
        put_bytes(w, &req->cmd, sizeof(req->cmd));
    }
}

static void nvme_state_put_requests(const Nvme *n, ByteWriter *w)
{
    guint loaded = n->loaded ? n->loaded->len - n->loaded_at : 0;

    put_be32(w, loaded + n->kept.length + n->due.length);
    for (guint i = 0; i < loaded; i++) {
        const NvmeLoaded *l = &g_array_index(n->loaded, NvmeLoaded, n->loaded_at + i);

        put_be16(w, l->sq);
        put_bytes(w, &l->cmd, sizeof(l->cmd));
    }
    nvme_state_put_list(&n->kept, w);
    nvme_state_put_list(&n->due, w);
}

static void nvme_state_save(void *field, ByteWriter *w)
{
    const Nvme *n = nvme_state_of(field);
    unsigned cqs = 0, sqs = 0;

    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        cqs += n->cqs[i] != NULL;
        sqs += n->sqs[i] != NULL;
    }
    put_be16(w, (uint16_t)cqs);
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->cqs[i]) {
            nvme_state_put_cq(n->cqs[i], w);
        }
    }
    put_be16(w, (uint16_t)sqs);
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->sqs[i]) {
            nvme_state_put_sq(n->sqs[i], w);
        }
    }
    nvme_state_put_requests(n, w);
}

/* --- loading --- */

typedef struct NvmeLoad {
    Nvme *n;
    ByteReader *r;
    const char *path;
    GError **err;
} NvmeLoad;

static bool nvme_state_fault(const NvmeLoad *l, const char *what, unsigned value)
{
    return error_set(l->err, ERROR_GUEST, "%s: %s %u is not possible", l->path, what, value);
}

static bool nvme_state_ring_is_valid(const Nvme *n, unsigned id, unsigned size, unsigned head,
                                     unsigned tail)
{
    unsigned most = id ? NVME_QUEUE_ENTRIES : 4096;

    return id <= n->max_ioqpairs && size >= 2 && size <= most && head < size && tail < size;
}

static bool nvme_state_get_pending(const NvmeLoad *l, NvmeCq *cq)
{
    uint32_t n = get_be32(l->r);

    if (n > MAX_PENDING || n > reader_left(l->r) / CQE_BYTES) {
        return nvme_state_fault(l, "number of pending completions", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        NvmeCqe e = { 0 };

        e.result = get_be32(l->r);
        e.sq_head = get_be16(l->r);
        e.sq_id = get_be16(l->r);
        e.cid = get_be16(l->r);
        e.status = get_be16(l->r) & 0x7fff;
        g_queue_push_tail(&cq->pending, g_memdup2(&e, sizeof(e)));
    }
    return true;
}

static bool nvme_state_get_cq(const NvmeLoad *l)
{
    Nvme *n = l->n;
    unsigned id = get_be16(l->r);
    uint64_t base = get_be64(l->r);
    unsigned size = get_be16(l->r), head = get_be16(l->r), tail = get_be16(l->r);
    unsigned vector = get_be16(l->r), phase = get_u8(l->r), irq = get_u8(l->r);
    NvmeCq *cq;

    if (!reader_ok(l->r) || !nvme_state_ring_is_valid(n, id, size, head, tail) || n->cqs[id] ||
        phase > 1 || irq > 1) {
        return nvme_state_fault(l, "completion queue", id);
    }
    if (vector >= MAX(msix_vectors(&n->pci), 1)) {
        return nvme_state_fault(l, "vector", vector);
    }
    cq = nvme_cq_new(n, id, base, size, vector, irq);
    cq->head = (uint16_t)head;
    cq->tail = (uint16_t)tail;
    cq->phase = (uint8_t)phase;
    return nvme_state_get_pending(l, cq);
}

static bool nvme_state_get_sq(const NvmeLoad *l)
{
    Nvme *n = l->n;
    unsigned id = get_be16(l->r), cq_id = get_be16(l->r);
    uint64_t base = get_be64(l->r);
    unsigned size = get_be16(l->r), head = get_be16(l->r), tail = get_be16(l->r);
    NvmeSq *sq;

    if (!reader_ok(l->r) || !nvme_state_ring_is_valid(n, id, size, head, tail) || n->sqs[id]) {
        return nvme_state_fault(l, "submission queue", id);
    }
    if (cq_id >= NVME_QUEUES || !n->cqs[cq_id] || (id == 0) != (cq_id == 0)) {
        return nvme_state_fault(l, "completion queue of a submission queue", cq_id);
    }
    sq = nvme_sq_new(n, id, base, size, n->cqs[cq_id]);
    sq->head = (uint16_t)head;
    sq->tail = (uint16_t)tail;
    return true;
}

static bool nvme_state_get_requests(const NvmeLoad *l)
{
    uint32_t count = get_be32(l->r);

    if (!reader_ok(l->r) || count > NVME_MAX_REQUESTS + NVME_QUEUE_ENTRIES ||
        count > reader_left(l->r) / (2 + sizeof(NvmeCommand))) {
        return nvme_state_fault(l, "number of requests", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        NvmeLoaded row = { .sq = get_be16(l->r) };

        get_bytes(l->r, &row.cmd, sizeof(row.cmd));
        if (row.sq == 0 || row.sq >= NVME_QUEUES || !l->n->sqs[row.sq]) {
            return nvme_state_fault(l, "submission queue of a request", row.sq);
        }
        if (!l->n->loaded) {
            l->n->loaded = g_array_new(FALSE, FALSE, sizeof(NvmeLoaded));
        }
        g_array_append_val(l->n->loaded, row);
    }
    return true;
}

static bool nvme_state_load(void *field, ByteReader *r, const char *path, GError **err)
{
    NvmeLoad l = { nvme_state_of(field), r, path, err };
    unsigned count;

    nvme_requests_drop(l.n);
    nvme_queues_free(l.n);
    count = get_be16(r);
    for (unsigned i = 0; i < count; i++) {
        if (!nvme_state_get_cq(&l)) {
            return false;
        }
    }
    count = get_be16(r);
    for (unsigned i = 0; i < count; i++) {
        if (!nvme_state_get_sq(&l)) {
            return false;
        }
    }
    return nvme_state_get_requests(&l);
}

static const VmOps nvme_queues_ops = { "nvme queues", nvme_state_save, nvme_state_load };

/* --- the table --- */

static bool nvme_state_check(void *obj, GError **err)
{
    const Nvme *n = obj;
    bool ready = n->csts & NVME_CSTS_RDY;
    bool any = false;

    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        any = any || n->cqs[i] || n->sqs[i];
    }
    if (n->csts & ~(uint32_t)(NVME_CSTS_RDY | NVME_CSTS_CFS | NVME_CSTS_SHST)) {
        return error_set(err, ERROR_GUEST, "csts 0x%x has reserved bits", n->csts);
    }
    if (ready ? !n->sqs[0] || !n->cqs[0] || !(n->cc & NVME_CC_EN) : any) {
        return error_set(err, ERROR_GUEST, "the queues do not agree with csts 0x%x, cc 0x%x",
                         n->csts, n->cc);
    }
    if (n->n_aers > n->aerl + 1u || (n->n_aers && !ready)) {
        return error_set(err, ERROR_GUEST, "%u Asynchronous Event Requests (at most %u)", n->n_aers,
                         ready ? n->aerl + 1u : 0);
    }
    return true;
}

static const VmField nvme_error_fields[] = {
    VM_U64(NvmeError, count), VM_U64(NvmeError, lba), VM_U32(NvmeError, nsid),
    VM_U16(NvmeError, sq),    VM_U16(NvmeError, cid), VM_U16(NvmeError, status),
};
static const VmState nvme_error_state = { .name = "nvme-error",
                                          .version = 1,
                                          .fields = LIST(nvme_error_fields) };
static const VmField nvme_counter_fields[] = {
    VM_U64(NvmeNs, read_bytes),
    VM_U64(NvmeNs, written_bytes),
    VM_U64(NvmeNs, reads),
    VM_U64(NvmeNs, writes),
};
const VmState nvme_counter_state = { .name = "nvme-namespace",
                                     .version = 1,
                                     .fields = LIST(nvme_counter_fields) };
static const VmField nvme_fields[] = {
    VM_PCI(Nvme, pci),
    { .name = "registers", .kind = VM_KIND_BANK, .bank = nvme_regs, .n_bank = NVME_REGS },
    VM_U32(Nvme, irq_mask),
    VM_U32_ARRAY(Nvme, features),
    VM_U32(Nvme, temperature_low),
    VM_U64(Nvme, timestamp),
    VM_I64(Nvme, timestamp_at),
    VM_U8(Nvme, timestamp_origin, .mask = 7),
    VM_U16_ARRAY(Nvme, aers),
    VM_U32(Nvme, n_aers),
    VM_U8(Nvme, events, .mask = (1 << NVME_EVENTS) - 1),
    VM_U8(Nvme, event_masks, .mask = 7),
    VM_U32_ARRAY(Nvme, changed),
    VM_U8(Nvme, critical_warning, .mask = 0x1f),
    VM_U64(Nvme, error_count),
    VM_STRUCT_ARRAY(Nvme, errors, &nvme_error_state),
    VM_STRUCT(Nvme, own, &nvme_counter_state),
    VM_RECORD(Nvme, in_queues, uint8_t, &nvme_queues_ops),
};
const VmState nvme_state = {
    .name = "nvme", .version = 1, .fields = LIST(nvme_fields), .check = nvme_state_check
};

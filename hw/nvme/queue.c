/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues: doorbells, fetching of commands in turns, completions and interrupts.
 *
 * A submission queue is in the list `ready` if it may have commands, in `stalled` if it waits until
 * requests end or until its completion queue has room, and in no list otherwise. Rings must be in
 * RAM; a ring that is not stops the controller (CSTS.CFS).
 */
#include <string.h>

#include "internal.h"
#include "util/log.h"

/* --- life --- */

NvmeCq *nvme_cq_new(Nvme *n, unsigned id, uint64_t base, uint32_t size, unsigned vector, bool irq)
{
    NvmeCq *cq = g_new0(NvmeCq, 1);

    *cq = (NvmeCq){ .base = base,
                    .id = (uint16_t)id,
                    .vector = (uint16_t)vector,
                    .size = (uint16_t)size,
                    .phase = 1,
                    .irq_enabled = irq };
    g_queue_init(&cq->pending);
    n->cqs[id] = cq;
    return cq;
}

NvmeSq *nvme_sq_new(Nvme *n, unsigned id, uint64_t base, uint32_t size, NvmeCq *cq)
{
    NvmeSq *sq = g_new0(NvmeSq, 1);

    *sq = (NvmeSq){ .base = base, .id = (uint16_t)id, .size = (uint16_t)size, .cq = cq };
    sq->link.data = sq;
    cq->users++;
    n->sqs[id] = sq;
    return sq;
}

void nvme_cq_free(Nvme *n, NvmeCq *cq)
{
    n->cqs[cq->id] = NULL;
    g_queue_clear_full(&cq->pending, g_free);
    g_free(cq);
}

/* Move a queue to a list; NULL: to none. */
static void nvme_sq_move(NvmeSq *sq, GQueue *list)
{
    if (sq->in) {
        g_queue_unlink(sq->in, &sq->link);
    }
    sq->in = list;
    if (list) {
        g_queue_push_tail_link(list, &sq->link);
    }
}

void nvme_sq_free(Nvme *n, NvmeSq *sq)
{
    nvme_sq_move(sq, NULL);
    n->sqs[sq->id] = NULL;
    sq->cq->users--;
    g_free(sq);
}

void nvme_queues_free(Nvme *n)
{
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->sqs[i]) {
            nvme_sq_free(n, n->sqs[i]);
        }
    }
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->cqs[i]) {
            nvme_cq_free(n, n->cqs[i]);
        }
    }
}

/* --- completions --- */

static bool nvme_cq_asserts(const Nvme *n, const NvmeCq *cq)
{
    bool masked = cq->vector < 32 && (n->irq_mask >> cq->vector & 1);

    return cq->irq_enabled && cq->head != cq->tail && !masked;
}

/* Without MSI-X, the pin is asserted while a queue has completions that the driver has not
 * consumed. */
void nvme_update_irq(void *nvme)
{
    Nvme *n = nvme;
    bool level = false;

    for (unsigned i = 0; !msix_enabled(&n->pci) && i < NVME_QUEUES && !level; i++) {
        level = n->cqs[i] && nvme_cq_asserts(n, n->cqs[i]);
    }
    pci_irq_set(&n->pci, 0, level);
}

static void nvme_cq_interrupt(Nvme *n, const NvmeCq *cq)
{
    if (!cq->irq_enabled) {
        return;
    }
    if (msix_enabled(&n->pci)) {
        msix_notify(&n->pci, cq->vector);
    } else {
        nvme_update_irq(n);
    }
}

/* Write a completion to the ring. False: there is no room, or DMA is not possible now. */
static bool nvme_cq_post(Nvme *n, NvmeCq *cq, NvmeCqe cqe)
{
    uint16_t next = cq->tail + 1u == cq->size ? 0 : cq->tail + 1u;

    if (next == cq->head || !pci_bus_master(&n->pci)) {
        return false;
    }
    cqe.status = (uint16_t)(cqe.status << 1 | cq->phase);
    if (pci_dma_write_ram(&n->pci, cq->base + (uint64_t)cq->tail * sizeof(cqe), &cqe,
                          sizeof(cqe)) != MEM_OK) {
        nvme_fatal(n, "a completion queue is not in RAM");
    }
    cq->tail = next;
    cq->phase ^= next == 0;
    return true;
}

static void nvme_cq_post_pending(Nvme *n, NvmeCq *cq)
{
    bool any = false;
    NvmeCqe *cqe;

    while (nvme_ready(n) && (cqe = g_queue_peek_head(&cq->pending)) && nvme_cq_post(n, cq, *cqe)) {
        g_free(g_queue_pop_head(&cq->pending));
        any = true;
    }
    if (any) {
        nvme_cq_interrupt(n, cq);
    }
}

void nvme_complete(Nvme *n, NvmeCq *cq, NvmeCqe cqe)
{
    if (!g_queue_is_empty(&cq->pending) || !nvme_cq_post(n, cq, cqe)) {
        g_queue_push_tail(&cq->pending, g_memdup2(&cqe, sizeof(cqe)));
        return;
    }
    nvme_cq_interrupt(n, cq);
}

/* --- turns --- */

static void nvme_turn_begin(Nvme *n)
{
    n->turn_left = NVME_TURN;
    n->turn_round = bottom_half_round(&n->work);
}

void nvme_charge(Nvme *n, uint64_t units)
{
    n->turn_left -= MIN(units, n->turn_left);
}

void nvme_later(Nvme *n)
{
    if (!n->pci.dev.hidden) {
        bottom_half_schedule(&n->work);
    }
}

void nvme_wake(Nvme *n)
{
    NvmeSq *sq;

    while ((sq = g_queue_peek_head(&n->stalled))) {
        nvme_sq_move(sq, &n->ready);
    }
    if (n->ready.head || n->due.head || n->loaded) {
        nvme_later(n);
    }
}

/* Return whether another command of the queue may begin. Admin commands are exempt from the limit
 * of requests, so that the driver can delete queues whose requests wait. */
static bool nvme_sq_may_fetch(const Nvme *n, const NvmeSq *sq)
{
    bool room =
        n->in_flight + n->due.length < NVME_MAX_REQUESTS && n->bytes_in_flight < NVME_MAX_BYTES;

    return (room || sq->id == 0) && g_queue_is_empty(&sq->cq->pending);
}

static bool nvme_sq_fetch(Nvme *n, NvmeSq *sq, NvmeCommand *cmd)
{
    uint64_t at = sq->base + (uint64_t)sq->head * sizeof(*cmd);

    if (pci_dma_read_ram(&n->pci, at, cmd, sizeof(*cmd)) != MEM_OK) {
        nvme_fatal(n, "a submission queue is not in RAM");
        return false;
    }
    sq->head = sq->head + 1u == sq->size ? 0 : sq->head + 1u;
    nvme_charge(n, 1);
    return true;
}

/* Begin commands of a queue that is in no list, until the turn ends. */
static void nvme_sq_run(Nvme *n, NvmeSq *sq)
{
    NvmeCommand cmd;

    while (sq->head != sq->tail) {
        if (!nvme_sq_may_fetch(n, sq)) {
            nvme_sq_move(sq, &n->stalled);
            return;
        }
        if (n->turn_left == 0) {
            nvme_sq_move(sq, &n->ready);
            return;
        }
        if (!nvme_sq_fetch(n, sq, &cmd)) {
            return;
        }
        nvme_request_start(n, sq, &cmd);
        if (!nvme_ready(n)) {
            return;
        }
    }
}

/* Use up the turn: requests that were begun earlier first, then the queues in turn. */
static void nvme_turn_run(Nvme *n)
{
    while (nvme_ready(n) && pci_bus_master(&n->pci) && n->turn_left > 0) {
        NvmeSq *sq;

        if (n->in_flight < NVME_MAX_REQUESTS && n->bytes_in_flight < NVME_MAX_BYTES &&
            nvme_request_next_due(n)) {
            continue;
        }
        sq = g_queue_peek_head(&n->ready);
        if (!sq) {
            return;
        }
        nvme_sq_move(sq, NULL);
        nvme_charge(n, 1);
        nvme_sq_run(n, sq);
    }
    if (n->ready.head || n->due.head || n->loaded) {
        nvme_later(n);
    }
}

void nvme_turn(void *nvme)
{
    Nvme *n = nvme;

    nvme_turn_begin(n);
    if (nvme_ready(n) && pci_bus_master(&n->pci)) {
        nvme_turn_run(n);
    }
}

void nvme_continue_all(Nvme *n)
{
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->cqs[i] && machine_active(n->pci.dev.machine)) {
            nvme_cq_post_pending(n, n->cqs[i]);
        }
    }
    nvme_events_send(n);
    for (unsigned i = 0; i < NVME_QUEUES; i++) {
        if (n->sqs[i] && n->sqs[i]->head != n->sqs[i]->tail) {
            nvme_sq_move(n->sqs[i], &n->ready);
        }
    }
    nvme_later(n);
}

/* --- doorbells --- */

/* Process the queue now, unless others wait for their turn, the machine is stopped, or the write is
 * DMA of another device: one access could otherwise start as many turns as there are queues. */
static void nvme_sq_doorbell(Nvme *n, NvmeSq *sq, uint16_t tail)
{
    Machine *m = n->pci.dev.machine;
    bool now = !n->ready.head && !n->work.scheduled && machine_active(m) && m->entered <= 1;

    sq->tail = tail;
    if (sq->in) {
        return;
    }
    if (!now || !pci_bus_master(&n->pci)) {
        nvme_sq_move(sq, &n->ready);
        nvme_later(n);
        return;
    }
    nvme_turn_begin(n);
    nvme_sq_run(n, sq);
    if (n->ready.head) {
        nvme_later(n);
    }
}

static void nvme_cq_doorbell(Nvme *n, NvmeCq *cq, uint16_t head)
{
    cq->head = head;
    if (!g_queue_is_empty(&cq->pending) && machine_active(n->pci.dev.machine)) {
        nvme_cq_post_pending(n, cq);
        nvme_wake(n);
    }
    if (!msix_enabled(&n->pci)) {
        nvme_update_irq(n);
    }
}

/* The driver wrote a doorbell: an aligned 32-bit write of a queue that exists, with an index in the
 * queue. Anything else is reported with an asynchronous event (4.1.3). */
static void nvme_doorbell_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Nvme *n = opaque;
    uint64_t id = offset / 8;
    bool is_cq = offset & 4;
    NvmeCq *cq = id < NVME_QUEUES && is_cq ? n->cqs[id] : NULL;
    NvmeSq *sq = id < NVME_QUEUES && !is_cq ? n->sqs[id] : NULL;

    if (!nvme_ready(n)) {
        return;
    }
    if (offset % 4 || size != 4 || (!cq && !sq)) {
        guest_error(nvme_name(n), "a write to doorbell 0x%" G_GINT64_MODIFIER "x of no queue",
                    offset);
        nvme_event(n, NVME_EVENT_DOORBELL_REGISTER);
    } else if (value >= (cq ? cq->size : sq->size)) {
        guest_error(nvme_name(n), "value %u of doorbell 0x%" G_GINT64_MODIFIER "x", (unsigned)value,
                    offset);
        nvme_event(n, NVME_EVENT_DOORBELL_VALUE);
    } else if (cq) {
        nvme_cq_doorbell(n, cq, (uint16_t)value);
    } else {
        nvme_sq_doorbell(n, sq, (uint16_t)value);
    }
}

/* Doorbells are write-only (3.1.24). */
static uint64_t nvme_doorbell_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

const MemOps nvme_doorbell_ops = {
    .read = nvme_doorbell_read, .write = nvme_doorbell_write, .impl_min = 1, .impl_max = 4
};

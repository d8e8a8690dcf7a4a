/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests before a driver receives them: checks at the node that the request was submitted to, and
 * the options of every node that the request passes.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static bool request_moves_data(BlockOp op)
{
    return op == BLOCK_READ || op == BLOCK_WRITE;
}

static bool request_in_range(const BlockNode *n, const BlockRequest *req)
{
    uint64_t size = node_size_any(n);

    return req->p.op == BLOCK_FLUSH || (req->len <= size && req->p.at <= size - req->len);
}

static int request_refusal(const BlockNode *n, const BlockRequest *req)
{
    if (!request_in_range(n, req)) {
        return -EIO;
    }
    if (n->read_only && req->p.op != BLOCK_READ && req->p.op != BLOCK_FLUSH) {
        return -EPERM;
    }
    return n->active ? 0 : -EIO;
}

static bool buffer_is_zero(const void *buf, size_t len)
{
    const char *p = buf;

    return len == 0 || (*p == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* detect-zeroes: replace a write of zeroes by BLOCK_WRITE_ZEROES. */
static void request_detect_zeroes(const BlockNode *n, BlockRequest *req)
{
    for (int i = 0; i < req->n_iov; i++) {
        if (!buffer_is_zero(req->iov[i].iov_base, req->iov[i].iov_len)) {
            return;
        }
    }
    req->p.op = BLOCK_WRITE_ZEROES;
    req->p.unmap = n->detect_zeroes == DETECT_UNMAP;
}

void node_forward(BlockNode *n, BlockRequest *req)
{
    int error = request_refusal(n, req);

    req->p.node = n;
    req->p.fua |= n->write_through;
    if (n->detect_zeroes && req->p.op == BLOCK_WRITE) {
        request_detect_zeroes(n, req);
    }
    req->p.unmap &= n->discard;
    if (error) {
        block_complete_any(req, error);
    } else if ((req->p.op == BLOCK_FLUSH && (n->no_flush || n->read_only)) ||
               (req->p.op == BLOCK_DISCARD && !n->discard) ||
               (request_moves_data(req->p.op) && req->len == 0)) {
        block_complete_any(req, 0);
    } else {
        n->drv->submit(n, req);
    }
}

void block_submit(BlockNode *n, BlockRequest *req)
{
    req->p.root = n;
    req->p.at = req->offset;
    req->p.op = req->op;
    req->p.fua = req->fua;
    req->p.unmap = req->may_unmap;
    req->p.pin = NULL;
    stats_begin(req);
    n->in_flight++;
    if (!n->limits || !throttle_hold(n->limits, req)) {
        node_forward(n, req);
    }
}

/* --- in the calling thread, for a parent --- */

static int node_perform(BlockNode *n, BlockOp op, uint64_t at, struct iovec *iov, int n_iov,
                        uint64_t len)
{
    BlockRequest req = { .len = len, .iov = iov, .n_iov = n_iov };

    req.p.at = at;
    req.p.op = op;
    req.p.node = n;
    return n->drv->perform(n, &req);
}

int node_read_any(BlockNode *n, uint64_t at, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return node_readv_any(n, at, &iov, 1, len);
}

int node_readv_any(BlockNode *n, uint64_t at, struct iovec *iov, int n_iov, uint64_t len)
{
    uint64_t size = node_size_any(n), left = at >= size ? 0 : MIN(len, size - at), inside = left;
    int used = 0;

    for (int i = 0; i < n_iov; i++) {
        size_t part = MIN(iov[i].iov_len, left);

        memset((uint8_t *)iov[i].iov_base + part, 0, iov[i].iov_len - part);
        iov[i].iov_len = part;
        left -= part;
        used = part ? i + 1 : used;
    }
    return inside ? node_perform(n, BLOCK_READ, at, iov, used, inside) : 0;
}

int node_write_any(BlockNode *n, uint64_t at, const void *buf, size_t len)
{
    struct iovec iov = { (void *)buf, len };

    return node_writev_any(n, at, &iov, 1, len);
}

int node_writev_any(BlockNode *n, uint64_t at, struct iovec *iov, int n_iov, uint64_t len)
{
    return len ? node_perform(n, BLOCK_WRITE, at, iov, n_iov, len) : 0;
}

int node_discard_any(BlockNode *n, uint64_t at, uint64_t len)
{
    return n->discard ? node_perform(n, BLOCK_DISCARD, at, NULL, 0, len) : 0;
}

int node_flush_any(BlockNode *n)
{
    return n->no_flush || n->read_only ? 0 : node_perform(n, BLOCK_FLUSH, 0, NULL, 0, 0);
}

uint64_t node_size_any(const BlockNode *n)
{
    return __atomic_load_n(&n->size, __ATOMIC_ACQUIRE);
}

int node_grow_any(BlockNode *n, uint64_t size)
{
    g_autoptr(GError) err = NULL;

    size = (size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
    if (size <= node_size_any(n)) {
        return 0;
    }
    if (!n->drv->resize(n, size, &err)) {
        return -ENOSPC;
    }
    __atomic_store_n(&n->size, size, __ATOMIC_RELEASE);
    return 0;
}

unsigned block_in_flight(const BlockNode *n)
{
    return n->in_flight;
}

void block_drain(BlockNode *n)
{
    BlockSet *set = n->set;

    while (n->in_flight > 0) {
        __atomic_add_fetch(&set->draining, 1, __ATOMIC_ACQ_REL);
        throttle_release_all(set);
        block_wait(n->queue);
        __atomic_sub_fetch(&set->draining, 1, __ATOMIC_ACQ_REL);
    }
}

void block_drain_all(Machine *m)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        block_drain(g_ptr_array_index(set->nodes, i));
    }
}

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
    return req->p.op == BLOCK_FLUSH || (req->len <= n->size && req->p.at <= n->size - req->len);
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
    stats_begin(req);
    n->in_flight++;
    node_forward(n, req);
}

int node_read_any(BlockNode *n, uint64_t at, void *buf, size_t len)
{
    size_t inside = at >= n->size ? 0 : MIN(len, n->size - at);
    struct iovec iov = { buf, inside };
    BlockRequest req = { .len = inside, .iov = &iov, .n_iov = 1 };

    memset((uint8_t *)buf + inside, 0, len - inside);
    req.p.at = at;
    req.p.op = BLOCK_READ;
    req.p.node = n;
    return inside ? n->drv->perform(n, &req) : 0;
}

unsigned block_in_flight(const BlockNode *n)
{
    return n->in_flight;
}

void block_drain(BlockNode *n)
{
    while (n->in_flight > 0) {
        block_wait(n->set);
    }
}

void block_drain_all(Machine *m)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        block_drain(g_ptr_array_index(set->nodes, i));
    }
}

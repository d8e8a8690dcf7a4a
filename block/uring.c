/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads, writes and flushes of files through io_uring. Without it (in the build or on the host)
 * every request runs on a thread.
 */
#include "config-host.h"

#include <errno.h>

#include "block_int.h"

#ifdef CONFIG_IO_URING
#include <liburing.h>

enum { RING_ENTRIES = 256 };

struct BlockRing {
    BlockSet *set;
    struct io_uring uring;
    unsigned in_flight;
};

BlockRing *ring_new(BlockSet *set)
{
    BlockRing *ring = g_new0(BlockRing, 1);

    ring->set = set;
    if (io_uring_queue_init(RING_ENTRIES, &ring->uring, 0) < 0) {
        g_free(ring);
        return NULL;
    }
    if (io_uring_register_eventfd(&ring->uring, set->event) < 0) {
        ring_free(ring);
        return NULL;
    }
    return ring;
}

void ring_free(BlockRing *ring)
{
    io_uring_queue_exit(&ring->uring);
    g_free(ring);
}

bool ring_submit(BlockRing *ring, BlockRequest *req, int fd)
{
    struct io_uring_sqe *sqe;

    if (ring->in_flight >= RING_ENTRIES || req->n_iov > 1024) {
        return false;
    }
    sqe = io_uring_get_sqe(&ring->uring);
    if (!sqe) {
        return false;
    }
    if (req->p.op == BLOCK_READ) {
        io_uring_prep_readv(sqe, fd, req->iov, req->n_iov, req->p.at);
    } else if (req->p.op == BLOCK_WRITE) {
        io_uring_prep_writev(sqe, fd, req->iov, req->n_iov, req->p.at);
    } else {
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    }
    io_uring_sqe_set_data(sqe, req);
    ring->in_flight++;
    while (io_uring_submit(&ring->uring) == -EINTR) {
    }
    return true;
}

/* A short transfer, or one the ring would not do, is finished by a thread from the start: the
 * same bytes are moved again, which is harmless while nobody was told that it ended. */
static void finish(BlockRequest *req, int result)
{
    bool whole = req->p.op == BLOCK_FLUSH ? result == 0 : (uint64_t)result == req->len;

    if (result >= 0 && whole) {
        block_complete_any(req, 0);
    } else if (result >= 0 || result == -EINTR || result == -EAGAIN || result == -EINVAL ||
               result == -EOPNOTSUPP) {
        block_run_threaded(req);
    } else {
        block_complete_any(req, result);
    }
}

void ring_poll(BlockRing *ring)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
        BlockRequest *req = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&ring->uring, cqe);
        ring->in_flight--;
        finish(req, result);
    }
}

#else

BlockRing *ring_new(BlockSet *set)
{
    return NULL;
}

void ring_free(BlockRing *ring)
{
}

bool ring_submit(BlockRing *ring, BlockRequest *req, int fd)
{
    return false;
}

void ring_poll(BlockRing *ring)
{
}

#endif

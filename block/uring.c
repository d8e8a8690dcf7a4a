/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio=io_uring: reads, writes and flushes of open files through one io_uring for each event
 * loop. Completions are announced by the eventfd of its BlockQueue.
 */
#include "config-host.h"

#include <errno.h>

#include "internal.h"

#ifdef CONFIG_IO_URING
#include <liburing.h>

enum { URING_ENTRIES = 256 };

typedef struct UringEngine {
    BlockEngine base;
    struct io_uring ring;
    unsigned in_flight;
} UringEngine;

static void uring_free(BlockEngine *e)
{
    UringEngine *u = (UringEngine *)e;

    io_uring_queue_exit(&u->ring);
    g_free(u);
}

static BlockEngine *uring_create(BlockQueue *q, GError **err)
{
    UringEngine *u = g_new0(UringEngine, 1);
    int r = io_uring_queue_init(URING_ENTRIES, &u->ring, 0);

    if (r < 0) {
        error_set_errno(err, -r, "aio=io_uring: io_uring_setup() failed (use aio=threads)");
        g_free(u);
        return NULL;
    }
    r = io_uring_register_eventfd(&u->ring, q->event);
    if (r < 0) {
        error_set_errno(err, -r, "aio=io_uring: no eventfd can be registered (use aio=threads)");
        uring_free(&u->base);
        return NULL;
    }
    return &u->base;
}

/* Pass the queue entries to the kernel. False: the last entry remains in the queue. */
static bool uring_enter(UringEngine *u)
{
    while (io_uring_submit(&u->ring) == -EINTR) {
    }
    return io_uring_sq_ready(&u->ring) == 0;
}

/* The kernel may refuse entries (EAGAIN: no memory). Nothing would submit them again before the
 * next request: the entry becomes a no-operation, and a thread performs the request. */
static bool uring_submit(BlockEngine *e, BlockRequest *req, int fd)
{
    UringEngine *u = (UringEngine *)e;
    struct io_uring_sqe *sqe = NULL;

    if (u->in_flight < URING_ENTRIES) {
        sqe = io_uring_get_sqe(&u->ring);
        if (!sqe) {
            uring_enter(u);
        }
    }
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
    if (!uring_enter(u)) {
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data(sqe, NULL);
        return false;
    }
    u->in_flight++;
    return true;
}

static void uring_poll(BlockEngine *e)
{
    UringEngine *u = (UringEngine *)e;
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
        BlockRequest *req = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&u->ring, cqe);
        if (req) { /* NULL: an entry that uring_submit() withdrew */
            u->in_flight--;
            engine_complete(req, result);
        }
    }
}

#else

static BlockEngine *uring_create(BlockQueue *q, GError **err)
{
    error_set(err, ERROR_USER,
              "aio=io_uring is not available in this build, which lacks liburing; use aio=threads");
    return NULL;
}

#define uring_free   NULL
#define uring_submit NULL
#define uring_poll   NULL

#endif

const BlockEngineOps engine_uring = { uring_create, uring_free, uring_submit, uring_poll };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aio=native: reads, writes and flushes of files opened with O_DIRECT through Linux AIO
 * (io_submit(2)). Completions are announced by the eventfd of the BlockQueue.
 *
 * The system calls are made directly: the C library has no wrappers for them.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

enum { AIO_ENTRIES = 256, AIO_REAP = 32 };

typedef struct AioEngine {
    BlockEngine base;
    aio_context_t context;
    unsigned in_flight;
} AioEngine;

static void aio_free(BlockEngine *e)
{
    AioEngine *a = (AioEngine *)e;

    syscall(SYS_io_destroy, a->context);
    g_free(a);
}

static BlockEngine *aio_create(BlockQueue *q, GError **err)
{
    AioEngine *a = g_new0(AioEngine, 1);

    if (syscall(SYS_io_setup, AIO_ENTRIES, &a->context) < 0) {
        error_set_errno(err, errno, "aio=native: io_setup() failed (use aio=threads)");
        g_free(a);
        return NULL;
    }
    return &a->base;
}

static uint16_t aio_opcode(BlockOp op)
{
    return op == BLOCK_READ    ? IOCB_CMD_PREADV
           : op == BLOCK_WRITE ? IOCB_CMD_PWRITEV
                               : IOCB_CMD_FDSYNC;
}

/* The kernel copies the control block before io_submit() returns. */
static bool aio_submit(BlockEngine *e, BlockRequest *req, int fd)
{
    AioEngine *a = (AioEngine *)e;
    struct iocb cb = {
        .aio_data = (uintptr_t)req,
        .aio_lio_opcode = aio_opcode(req->p.op),
        .aio_fildes = (uint32_t)fd,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = (uint32_t)e->queue->event,
    };
    struct iocb *list[] = { &cb };

    if (a->in_flight >= AIO_ENTRIES) {
        return false;
    }
    if (req->p.op != BLOCK_FLUSH) {
        cb.aio_buf = (uintptr_t)req->iov;
        cb.aio_nbytes = (uint64_t)req->n_iov;
        cb.aio_offset = (int64_t)req->p.at;
    }
    if (syscall(SYS_io_submit, a->context, 1L, list) != 1) {
        return false; /* for example: a file system without IOCB_CMD_FDSYNC */
    }
    a->in_flight++;
    return true;
}

static void aio_poll(BlockEngine *e)
{
    AioEngine *a = (AioEngine *)e;
    struct io_event events[AIO_REAP];
    struct timespec now = { 0 };
    long n = AIO_REAP;

    while (a->in_flight > 0 && n == AIO_REAP) {
        n = syscall(SYS_io_getevents, a->context, 0L, (long)AIO_REAP, events, &now);
        for (long i = 0; i < n; i++) {
            a->in_flight--;
            engine_complete((BlockRequest *)(uintptr_t)events[i].data, (int)events[i].res);
        }
    }
}

const BlockEngineOps engine_aio = { aio_create, aio_free, aio_submit, aio_poll };

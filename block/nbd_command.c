/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests as commands of libnbd. A request larger than a command is performed in parts, one after
 * the other. Only the thread of the link calls these functions.
 *
 * The last sector of an export may be incomplete: the bytes behind its end read as zeroes and
 * cannot be written.
 */
#include <errno.h>
#include <string.h>

#include "nbd_internal.h"
#include "nbd_library_internal.h"
#include "util/iov.h"

enum { NBD_PART_MAX = 2 << 20, NBD_RANGE_MAX = 1 << 30, NBD_ZEROES = 65536 };

/* --- the export --- */

static bool nbd_info_read_sizes(struct nbd_handle *h, NbdInfo *info, GError **err)
{
    int64_t size = nbd_api.get_size(h), block = nbd_api.get_block_size(h, LIBNBD_SIZE_MINIMUM);
    int64_t most = nbd_api.get_block_size(h, LIBNBD_SIZE_MAXIMUM);

    if (size < 0 || size > INT64_MAX - BLOCK_SECTOR) {
        return error_set(err, ERROR_HOST, "the server states no usable size of the export");
    }
    if (block > BLOCK_SECTOR) {
        return error_set(err, ERROR_HOST,
                         "the server requires blocks of %" G_GINT64_FORMAT
                         " bytes; at most %d are possible: change the server, for example with "
                         "nbdkit --filter=blocksize",
                         block, BLOCK_SECTOR);
    }
    info->size = (uint64_t)size;
    info->payload = most >= BLOCK_SECTOR ? (uint32_t)MIN(most, NBD_PART_MAX) : NBD_PART_MAX;
    info->payload -= info->payload % BLOCK_SECTOR;
    return true;
}

bool nbd_info_read(struct nbd_handle *h, NbdInfo *info, GError **err)
{
    *info = (NbdInfo){
        .read_only = nbd_api.is_read_only(h) > 0,
        .flush = nbd_api.can_flush(h) > 0,
        .fua = nbd_api.can_fua(h) > 0,
        .trim = nbd_api.can_trim(h) > 0,
        .zero = nbd_api.can_zero(h) > 0,
    };
    return nbd_info_read_sizes(h, info, err);
}

/* --- memory --- */

/* The segment that contains `part` bytes from job->done on; NULL: they are in several segments. */
static void *nbd_job_segment(const NbdJob *job)
{
    uint64_t skip = job->done;

    for (int i = 0; i < job->req->n_iov; i++) {
        const struct iovec *v = &job->req->iov[i];

        if (skip < v->iov_len) {
            return v->iov_len - skip >= job->part ? (uint8_t *)v->iov_base + skip : NULL;
        }
        skip -= v->iov_len;
    }
    return NULL;
}

/* Return memory for the running command: that of the request, or a copy. NULL: none is left. */
static void *nbd_job_buffer(NbdJob *job)
{
    void *direct = nbd_job_segment(job);

    if (direct) {
        return direct;
    }
    if (job->bounce_size < job->part) {
        g_free(job->bounce);
        job->bounce = g_try_malloc(job->part);
        job->bounce_size = job->bounce ? job->part : 0;
    }
    if (job->bounce && job->req->p.op == BLOCK_WRITE) {
        iov_read(job->req->iov, job->req->n_iov, job->done, job->bounce, job->part);
    }
    return job->bounce;
}

/* Copy `len` bytes to the memory of the request at job->done; src NULL: zeroes. */
static void nbd_job_store(NbdJob *job, const uint8_t *src, uint64_t len)
{
    uint64_t skip = job->done;

    for (int i = 0; i < job->req->n_iov && len > 0; i++) {
        const struct iovec *v = &job->req->iov[i];
        uint64_t part = skip < v->iov_len ? MIN(v->iov_len - skip, len) : 0;

        if (part && src) {
            memcpy((uint8_t *)v->iov_base + skip, src, part);
            src += part;
        } else if (part) {
            memset((uint8_t *)v->iov_base + skip, 0, part);
        }
        len -= part;
        skip = skip < v->iov_len ? 0 : skip - v->iov_len;
    }
}

/* --- commands --- */

/* Called by libnbd in the thread of the link. 1: libnbd drops the command. */
static int nbd_job_on_answer(void *opaque, int *error)
{
    NbdJob *job = opaque;

    job->answered = true;
    job->error = *error;
    return 1;
}

void nbd_job_rewind(NbdJob *job)
{
    job->done = 0;
    job->flushing = job->answered = false;
    job->error = 0;
}

/* Return whether the data of a job must be durable when it ends. */
static bool nbd_job_is_fua(const NbdJob *job)
{
    BlockOp op = job->req->p.op;

    return job->req->p.fua && (op == BLOCK_WRITE || op == BLOCK_WRITE_ZEROES);
}

static uint64_t nbd_job_part(const NbdJob *job, const NbdInfo *info)
{
    uint64_t left = job->len - job->done;

    if (job->req->p.op == BLOCK_DISCARD || (job->req->p.op == BLOCK_WRITE_ZEROES && info->zero)) {
        return MIN(left, NBD_RANGE_MAX);
    }
    return MIN(left, job->req->p.op == BLOCK_WRITE_ZEROES ? NBD_ZEROES : info->payload);
}

static int64_t nbd_job_send_zeroes(NbdJob *job, struct nbd_handle *h, const NbdInfo *info,
                                   uint64_t at, uint32_t flags, nbd_completion_callback answer)
{
    static const uint8_t zeroes[NBD_ZEROES];

    if (info->zero) {
        flags |= job->req->p.unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE;
        return nbd_api.aio_zero(h, job->part, at, answer, flags);
    }
    return nbd_api.aio_pwrite(h, zeroes, job->part, at, answer, flags);
}

/* Send one command. Returns 0 or -errno. */
static int nbd_job_send(NbdJob *job, struct nbd_handle *h, const NbdInfo *info)
{
    nbd_completion_callback answer = { nbd_job_on_answer, job, NULL };
    uint32_t flags = nbd_job_is_fua(job) && info->fua ? LIBNBD_CMD_FLAG_FUA : 0;
    uint64_t at = job->req->p.at + job->done;
    bool moves = job->req->p.op == BLOCK_READ || job->req->p.op == BLOCK_WRITE;
    void *buf = moves && !job->flushing ? nbd_job_buffer(job) : NULL;
    int64_t cookie;

    if (job->flushing || job->req->p.op == BLOCK_FLUSH) {
        cookie = nbd_api.aio_flush(h, answer, 0);
    } else if (moves && !buf) {
        return -ENOMEM;
    } else if (job->req->p.op == BLOCK_READ) {
        cookie = nbd_api.aio_pread(h, buf, job->part, at, answer, 0);
    } else if (job->req->p.op == BLOCK_WRITE) {
        cookie = nbd_api.aio_pwrite(h, buf, job->part, at, answer, flags);
    } else if (job->req->p.op == BLOCK_DISCARD) {
        cookie = nbd_api.aio_trim(h, job->part, at, answer, flags);
    } else {
        cookie = nbd_job_send_zeroes(job, h, info, at, flags, answer);
    }
    return cookie >= 0 ? 0 : -(nbd_api.get_errno() ?: EIO);
}

/* Prepare a job before its first command. Returns false if nothing is left, with *result. */
static bool nbd_job_begin(NbdJob *job, const NbdInfo *info, int *result)
{
    const BlockRequest *req = job->req;
    uint64_t room = req->p.at < info->size ? info->size - req->p.at : 0;

    *result = 0;
    job->len = req->p.op == BLOCK_FLUSH ? 0 : MIN(req->len, room);
    if (req->p.op == BLOCK_FLUSH) {
        return info->flush;
    }
    if (req->p.op == BLOCK_READ && job->len < req->len) {
        job->done = job->len;
        nbd_job_store(job, NULL, req->len - job->len);
        job->done = 0;
    }
    if (req->p.op == BLOCK_DISCARD) {
        return info->trim && job->len > 0;
    }
    *result = req->p.op != BLOCK_READ && job->len < req->len ? -ENOSPC : 0;
    return *result == 0 && job->len > 0;
}

void nbd_job_accept(NbdJob *job)
{
    if (!job->error && job->req->p.op == BLOCK_READ && !nbd_job_segment(job)) {
        nbd_job_store(job, job->bounce, job->part);
    }
    job->done += job->part;
}

NbdStep nbd_job_advance(NbdJob *job, struct nbd_handle *h, const NbdInfo *info, int *result)
{
    bool first = !job->answered, data;

    if (first && !nbd_job_begin(job, info, result)) {
        return NBD_ENDED;
    }
    *result = -job->error;
    data = job->done < job->len || (first && job->req->p.op == BLOCK_FLUSH);
    if (!data && nbd_job_is_fua(job) && !info->fua && info->flush && !job->flushing) {
        job->flushing = data = true;
    }
    if (*result || !data) {
        return NBD_ENDED;
    }
    job->part = job->flushing ? 0 : nbd_job_part(job, info);
    job->answered = false;
    *result = nbd_job_send(job, h, info);
    return *result ? NBD_ENDED : NBD_RUNS;
}

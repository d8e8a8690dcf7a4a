/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: reads in the calling thread.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

int qcow2_slice_iov(const BlockRequest *req, uint64_t skip, uint64_t len, struct iovec *to)
{
    int n = 0;

    for (int i = 0; i < req->n_iov && len > 0; i++) {
        size_t all = req->iov[i].iov_len, part;

        if (skip >= all) {
            skip -= all;
            continue;
        }
        part = MIN(all - skip, len);
        to[n++] = (struct iovec){ (uint8_t *)req->iov[i].iov_base + skip, part };
        len -= part;
        skip = 0;
    }
    return n;
}

static void read_zero_iov(const struct iovec *iov, int n)
{
    for (int i = 0; i < n; i++) {
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    }
}

static int read_deflated(Qcow2 *q, uint64_t at, const Qcow2Extent *e, const struct iovec *iov,
                         int n)
{
    uint64_t skip = at & (q->cluster - 1);
    int r = 0;

    for (int i = 0; i < n && r == 0; i++) {
        r = qcow2_inflate(q, e->entry, skip, iov[i].iov_base, iov[i].iov_len);
        skip += iov[i].iov_len;
    }
    return r;
}

static int read_extent(Qcow2 *q, uint64_t at, const Qcow2Extent *e, struct iovec *iov, int n)
{
    BlockNode *backing = q->node->backing ? q->node->backing->node : NULL;

    switch (e->type) {
    case QCOW2_DATA:
        return node_readv_any(qcow2_file(q), e->host, iov, n, e->len);
    case QCOW2_DEFLATED:
        return read_deflated(q, at, e, iov, n);
    case QCOW2_UNALLOCATED:
        if (backing) {
            return node_readv_any(backing, at, iov, n, e->len);
        }
        break;
    case QCOW2_ZEROES:
    case QCOW2_ZEROES_KEPT:
        break;
    }
    read_zero_iov(iov, n);
    return 0;
}

int qcow2_read_request(Qcow2 *q, const BlockRequest *req)
{
    g_autofree struct iovec *iov = g_new(struct iovec, req->n_iov + 1);
    int r = 0;

    for (uint64_t done = 0; done < req->len && r == 0;) {
        uint64_t at = req->p.at + done;
        Qcow2Extent e;
        unsigned slot;

        r = qcow2_map_pin(q, at, req->len - done, &e, &slot);
        if (r == 0) {
            r = read_extent(q, at, &e, iov, qcow2_slice_iov(req, done, e.len, iov));
            qcow2_unpin(q, slot);
            done += e.len;
        }
    }
    return r;
}

int qcow2_read(Qcow2 *q, uint64_t at, void *buf, uint64_t len)
{
    struct iovec iov = { buf, len };
    BlockRequest req = { .len = len, .iov = &iov, .n_iov = 1 };

    req.p.at = at;
    req.p.op = BLOCK_READ;
    return len ? qcow2_read_request(q, &req) : 0;
}

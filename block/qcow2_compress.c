/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: compressed clusters. A cluster is a raw deflate stream (zlib), or one Zstandard frame. The
 * stored length is a multiple of sectors, so data of another cluster may follow the stream. The
 * last decompressed cluster is kept for sequential reads.
 */
#include "config-host.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "qcow2_internal.h"

#ifdef CONFIG_ZSTD
#include <zstd.h>
#endif

static bool compress_unzlib(const uint8_t *from, uint64_t len, uint8_t *to, uint64_t size)
{
    enum { WINDOW_BITS = 15 };
    z_stream z = {
        .next_in = (uint8_t *)from, .avail_in = (uInt)len, .next_out = to, .avail_out = (uInt)size
    };
    int r;

    if (inflateInit2(&z, -WINDOW_BITS) != Z_OK) {
        return false;
    }
    r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return (r == Z_STREAM_END || r == Z_BUF_ERROR) && z.avail_out == 0;
}

static bool compress_unzstd(const uint8_t *from, uint64_t len, uint8_t *to, uint64_t size)
{
#ifdef CONFIG_ZSTD
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_outBuffer out = { to, size, 0 };
    ZSTD_inBuffer in = { from, len, 0 };
    size_t r = 1, before;

    do {
        before = in.pos + out.pos;
        r = d ? ZSTD_decompressStream(d, &out, &in) : 1;
    } while (d && !ZSTD_isError(r) && r != 0 && out.pos < size && in.pos + out.pos > before);
    ZSTD_freeDCtx(d);
    return d && !ZSTD_isError(r) && out.pos == size;
#else
    return false; /* qcow2_open() rejects such an image */
#endif
}

/* Read and decompress a cluster into q->inflated. q->inflate is held. */
static int compress_load(Qcow2 *q, uint64_t entry)
{
    uint64_t at, len;
    g_autofree uint8_t *stored = NULL;
    int r;
    bool ok;

    if (!q->inflated) {
        q->inflated = g_try_malloc(q->cluster);
    }
    qcow2_compressed_place(q, entry, &at, &len);
    stored = g_try_malloc(len);
    if (!stored || !q->inflated) {
        return -ENOMEM;
    }
    q->inflated_entry = 0;
    r = node_read_any(qcow2_file(q), at, stored, len);
    if (r < 0) {
        return r;
    }
    ok = q->compression ? compress_unzstd(stored, len, q->inflated, q->cluster)
                        : compress_unzlib(stored, len, q->inflated, q->cluster);
    if (!ok) {
        return qcow2_damage_seen(q, "compressed data", at);
    }
    q->inflated_entry = entry;
    return 0;
}

int qcow2_inflate(Qcow2 *q, uint64_t entry, uint64_t skip, void *buf, uint64_t len)
{
    int r = 0;

    g_mutex_lock(&q->inflate);
    if (q->inflated_entry != entry) {
        r = compress_load(q, entry);
    }
    if (r == 0) {
        memcpy(buf, q->inflated + skip, len);
    }
    g_mutex_unlock(&q->inflate);
    return r;
}

void qcow2_inflate_forget(Qcow2 *q)
{
    g_mutex_lock(&q->inflate);
    q->inflated_entry = 0;
    g_mutex_unlock(&q->inflate);
}

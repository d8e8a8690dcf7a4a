/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big-endian byte streams (contract in util/bytestream.h).
 */
#include "util/bytestream.h"

#include <string.h>

static void bytes_put_be(ByteWriter *w, uint64_t v, unsigned bytes)
{
    uint8_t b[8];

    for (unsigned i = 0; i < bytes; i++) {
        b[i] = v >> (8 * (bytes - 1 - i));
    }
    g_byte_array_append(w->out, b, bytes);
}

void put_u8(ByteWriter *w, uint8_t v)
{
    bytes_put_be(w, v, 1);
}

void put_be16(ByteWriter *w, uint16_t v)
{
    bytes_put_be(w, v, 2);
}

void put_be32(ByteWriter *w, uint32_t v)
{
    bytes_put_be(w, v, 4);
}

void put_be64(ByteWriter *w, uint64_t v)
{
    bytes_put_be(w, v, 8);
}

void put_bytes(ByteWriter *w, const void *p, size_t len)
{
    g_assert(len <= G_MAXUINT);
    if (len) {
        g_byte_array_append(w->out, p, len);
    }
}

void patch_be32(ByteWriter *w, size_t at, uint32_t v)
{
    g_assert(at + 4 <= w->out->len);
    for (unsigned i = 0; i < 4; i++) {
        w->out->data[at + i] = v >> (8 * (3 - i));
    }
}

void reader_init(ByteReader *r, const void *p, size_t len)
{
    *r = (ByteReader){ .p = p, .len = len };
}

const uint8_t *get_view(ByteReader *r, size_t len)
{
    const uint8_t *p;

    if (r->failed || len > r->len - r->at) {
        r->failed = true;
        return NULL;
    }
    p = r->p + r->at;
    r->at += len;
    return p;
}

static uint64_t bytes_get_be(ByteReader *r, unsigned bytes)
{
    const uint8_t *p = get_view(r, bytes);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

uint8_t get_u8(ByteReader *r)
{
    return bytes_get_be(r, 1);
}

uint16_t get_be16(ByteReader *r)
{
    return bytes_get_be(r, 2);
}

uint32_t get_be32(ByteReader *r)
{
    return bytes_get_be(r, 4);
}

uint64_t get_be64(ByteReader *r)
{
    return bytes_get_be(r, 8);
}

bool get_bytes(ByteReader *r, void *dst, size_t len)
{
    const uint8_t *p = get_view(r, len);

    if (!p) {
        memset(dst, 0, len);
        return false;
    }
    memcpy(dst, p, len);
    return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big-endian byte streams: a writer that grows a GByteArray and a reader over borrowed bytes.
 *
 * The reader's error is sticky: after running short every read gives zero, so that a decoder may
 * read a whole record and ask reader_ok() once. Neither allocates by a number read from a stream.
 */
#ifndef UTIL_BYTESTREAM_H
#define UTIL_BYTESTREAM_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ByteWriter {
    GByteArray *out; /* borrowed */
} ByteWriter;

void put_u8(ByteWriter *w, uint8_t v);
void put_be16(ByteWriter *w, uint16_t v);
void put_be32(ByteWriter *w, uint32_t v);
void put_be64(ByteWriter *w, uint64_t v);
void put_bytes(ByteWriter *w, const void *p, size_t len);
/* Overwrite 4 bytes at an earlier offset (a length known only afterwards). */
void patch_be32(ByteWriter *w, size_t at, uint32_t v);

typedef struct ByteReader {
    const uint8_t *p;
    size_t len, at;
    bool failed;
} ByteReader;

void reader_init(ByteReader *r, const void *p, size_t len);
uint8_t get_u8(ByteReader *r);
uint16_t get_be16(ByteReader *r);
uint32_t get_be32(ByteReader *r);
uint64_t get_be64(ByteReader *r);
/* Copies len bytes, or zero-fills dst and fails. */
bool get_bytes(ByteReader *r, void *dst, size_t len);
/* A view of the next len bytes inside the reader's buffer, or NULL and failure. */
const uint8_t *get_view(ByteReader *r, size_t len);
static inline size_t reader_left(const ByteReader *r)
{
    return r->failed ? 0 : r->len - r->at;
}
static inline bool reader_ok(const ByteReader *r)
{
    return !r->failed;
}

#endif

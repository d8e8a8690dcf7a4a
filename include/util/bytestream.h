/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Big-endian byte streams: a writer that appends to a GByteArray, and a reader of borrowed bytes.
 *
 * The error of a reader is sticky. After the bytes are exhausted, every read returns zero, so that
 * a decoder may read a record and call reader_ok() once. No function allocates memory of a size
 * that was read from a stream. A writer or reader is used by one thread at a time.
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
/* Overwrite the 4 bytes at offset `at`, for a length that is known only afterwards. */
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
/* Copy len bytes. False if fewer are left; dst is then filled with zeroes. */
bool get_bytes(ByteReader *r, void *dst, size_t len);
/* Get the next len bytes in the buffer of the reader, which owns them. NULL if fewer are left. */
const uint8_t *get_view(ByteReader *r, size_t len);
/* Bytes left; 0 after an error. */
static inline size_t reader_left(const ByteReader *r)
{
    return r->failed ? 0 : r->len - r->at;
}
/* False if a read exceeded the bytes. */
static inline bool reader_ok(const ByteReader *r)
{
    return !r->failed;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container of a golden stream, as far as a program that changes bytes of it requires: the
 * positions of its sections and their records, and of the items of RAM.
 */
#ifndef TESTS_MIGRATION_GOLDEN_H
#define TESTS_MIGRATION_GOLDEN_H

#include <string.h>

#include "migration/stream.h"

typedef struct Part {
    char name[128];
    uint32_t instance, version;
    size_t start, record, len, end; /* the section; its record of len bytes */
} Part;

typedef struct Golden {
    const char *path;
    GByteArray *bytes;
    GArray *parts; /* Part */
    size_t ram, ram_end, text;
} Golden;

static void index_full(Golden *g, ByteReader *r)
{
    Part p = { .start = r->at - 1 };

    get_be32(r);
    get_bytes(r, p.name, get_u8(r));
    p.instance = get_be32(r);
    p.version = get_be32(r);
    p.len = get_be32(r);
    p.record = r->at;
    get_view(r, p.len);
    get_view(r, 5);
    p.end = r->at;
    g_array_append_val(g->parts, p);
}

/* RAM is one contiguous sequence of START, PARTs and END, up to the section "clock". */
static void index_ram(Golden *g, ByteReader *r)
{
    static const uint8_t clock[] = { 5, 'c', 'l', 'o', 'c', 'k' };
    const uint8_t *at = memmem(r->p, r->len, clock, sizeof(clock));

    g_assert_nonnull(at);
    g->ram = r->at - 1 + 64; /* the list of blocks precedes the items */
    r->at = (size_t)(at - r->p) - 5;
    g->ram_end = r->at - 64;
}

static inline Golden *golden_new(const char *path, GByteArray *bytes)
{
    Golden *g = g_new0(Golden, 1);
    ByteReader r;
    uint8_t kind;

    g->path = path;
    g->bytes = bytes;
    g->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    reader_init(&r, g->bytes->data, g->bytes->len);
    get_view(&r, 9);
    get_view(&r, get_be32(&r));
    while ((kind = get_u8(&r)) != STREAM_EOF) {
        if (kind == STREAM_FULL) {
            index_full(g, &r);
        } else {
            index_ram(g, &r);
        }
        g_assert_true(reader_ok(&r));
    }
    g->text = r.at + 5;
    return g;
}

static inline void golden_close(Golden *g)
{
    g_byte_array_unref(g->bytes);
    g_array_unref(g->parts);
    g_free(g);
}

static inline const Part *part_at(const Golden *g, size_t offset)
{
    for (unsigned i = 0; i < g->parts->len; i++) {
        const Part *p = &g_array_index(g->parts, Part, i);

        if (offset >= p->record && offset < p->record + p->len) {
            return p;
        }
    }
    return NULL;
}

#endif

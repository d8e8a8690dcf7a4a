/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sender of RAM (interface: ram_internal.h).
 */
#include <string.h>

#include "hw/core/cpu.h"
#include "migration/ram_internal.h"
#include "migration/ram_hole_internal.h"
#include "util/error.h"

#define LONG_BITS (8 * sizeof(unsigned long))
#define ZERO_COST 512 /* bytes of `room` in ram_send_some() for which a page of zeroes counts */

typedef struct SendBlock {
    RamBlock *ram;
    uint64_t n_pages, next; /* pages below `next` are done in this pass */
    unsigned long *todo;
    RamHole hole;
} SendBlock;

struct RamSend {
    Machine *machine;
    uint32_t id;
    SendBlock *blocks;
    unsigned n_blocks, now; /* now: the block that the pass is at */
    RamStats stats;
};

bool ram_is_zero(const void *p, size_t n)
{
    const uint64_t *v = p, *end = v + n / 8;

    for (; v < end; v += 8) {
        if (v[0] | v[1] | v[2] | v[3] | v[4] | v[5] | v[6] | v[7]) {
            return false;
        }
    }
    return true;
}

/* --- dirty tracking: with every CPU parked --- */

static void ram_send_drop_write_rights(Machine *m)
{
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(m->cpus, i);

        cpu->type->flush_writes(cpu);
    }
}

static void ram_send_track_on(void *opaque)
{
    RamSend *s = opaque;

    for (unsigned i = 0; i < s->n_blocks; i++) {
        ram_dirty_track(s->blocks[i].ram, true);
    }
    ram_send_drop_write_rights(s->machine);
}

static void ram_send_track_off(void *opaque)
{
    RamSend *s = opaque;

    for (unsigned i = 0; i < s->n_blocks; i++) {
        ram_dirty_track(s->blocks[i].ram, false);
    }
}

static void ram_send_fetch(void *opaque)
{
    RamSend *s = opaque;
    uint64_t pages = 0;

    for (unsigned i = 0; i < s->n_blocks; i++) {
        SendBlock *b = &s->blocks[i];

        pages += ram_dirty_fetch(b->ram, 0, b->n_pages, b->todo);
        b->next = 0;
        b->hole = (RamHole){ 0 };
    }
    ram_send_drop_write_rights(s->machine);
    s->stats.pass_pages = pages;
    s->stats.remaining = pages << RAM_PAGE_BITS;
}

RamSend *ram_send_new(Machine *m, uint32_t id, GError **err)
{
    RamSend *s = g_new0(RamSend, 1);

    s->machine = m;
    s->id = id;
    s->blocks = g_new0(SendBlock, m->ram_blocks->len);
    for (unsigned i = 0; i < m->ram_blocks->len; i++) {
        SendBlock *b = &s->blocks[i];

        b->ram = g_ptr_array_index(m->ram_blocks, i);
        b->n_pages = b->ram->size >> RAM_PAGE_BITS;
        b->todo = g_try_malloc0((b->n_pages + LONG_BITS - 1) / LONG_BITS * sizeof(long));
        s->n_blocks++;
        s->stats.total += b->ram->size;
        if (!b->todo) {
            error_set(err, ERROR_HOST, "no memory to track the pages of RAM block %s", b->ram->id);
            ram_send_free(s);
            return NULL;
        }
    }
    s->stats.remaining = s->stats.total;
    cpus_exclusive(m, ram_send_track_on, s);
    return s;
}

void ram_send_free(RamSend *s)
{
    if (!s) {
        return;
    }
    cpus_exclusive(s->machine, ram_send_track_off, s);
    for (unsigned i = 0; i < s->n_blocks; i++) {
        g_free(s->blocks[i].todo);
    }
    g_free(s->blocks);
    g_free(s);
}

const RamStats *ram_send_stats(const RamSend *s)
{
    return &s->stats;
}

/* --- the section --- */

static StreamSection ram_send_section(const RamSend *s, uint8_t kind)
{
    return (StreamSection){ kind, s->id, 0, RAM_SECTION_VERSION, RAM_SECTION };
}

static void ram_send_put_name(ByteWriter *w, const char *id)
{
    put_u8(w, strlen(id));
    put_bytes(w, id, strlen(id));
}

static void ram_send_close_section(const RamSend *s, ByteWriter *w)
{
    put_be64(w, RAM_ITEM_END);
    stream_put_footer(w, s->id);
}

void ram_send_start(RamSend *s, ByteWriter *w)
{
    StreamSection head = ram_send_section(s, STREAM_START);

    stream_begin(w, &head);
    put_be64(w, s->stats.total | RAM_ITEM_BLOCKS);
    for (unsigned i = 0; i < s->n_blocks; i++) {
        ram_send_put_name(w, s->blocks[i].ram->id);
        put_be64(w, s->blocks[i].ram->size);
    }
    ram_send_close_section(s, w);
}

void ram_send_end(RamSend *s, ByteWriter *w)
{
    StreamSection head = ram_send_section(s, STREAM_END);

    stream_begin(w, &head);
    ram_send_close_section(s, w);
}

void ram_send_begin_pass(RamSend *s)
{
    s->now = 0;
    s->stats.passes++;
    cpus_exclusive(s->machine, ram_send_fetch, s);
}

/* Return the first page at or after b->next that is to be sent; n_pages if there is none. */
static uint64_t ram_send_next_page(const SendBlock *b)
{
    uint64_t page = b->next;

    while (page < b->n_pages) {
        unsigned long word = b->todo[page / LONG_BITS] >> page % LONG_BITS;

        if (word) {
            return page + __builtin_ctzl(word);
        }
        page = (page / LONG_BITS + 1) * LONG_BITS;
    }
    return b->n_pages;
}

static void ram_send_page(RamSend *s, SendBlock *b, uint64_t page, bool same, ByteWriter *w)
{
    const uint8_t *p = b->ram->host + (page << RAM_PAGE_BITS);
    /* later passes contain only pages that were written, which the host has allocated */
    bool hole = s->stats.passes == 1 && ram_hole_at(&b->hole, b->ram, page);
    bool zero = hole || ram_is_zero(p, RAM_PAGE_SIZE);
    uint64_t item = zero ? RAM_ITEM_ZERO : RAM_ITEM_PAGE;

    put_be64(w, page << RAM_PAGE_BITS | item | (same ? RAM_ITEM_SAME_BLOCK : 0));
    if (!same) {
        ram_send_put_name(w, b->ram->id);
    }
    if (zero) {
        put_u8(w, 0);
        s->stats.zero++;
    } else {
        put_bytes(w, p, RAM_PAGE_SIZE);
        s->stats.normal++;
    }
    s->stats.remaining -= RAM_PAGE_SIZE;
}

bool ram_send_some(RamSend *s, ByteWriter *w, size_t room)
{
    StreamSection head = ram_send_section(s, STREAM_PART);
    size_t start = w->out->len;
    uint64_t zeroes = s->stats.zero;
    unsigned last = UINT_MAX; /* block of the item before; each part names its first block */
    bool any = false;

    /* A page of zeroes is 9 bytes in the stream, but must be read. Without a limit on such pages, a
     * turn could read all of RAM while the machine lock is held. */
    while (s->now < s->n_blocks &&
           w->out->len - start + (s->stats.zero - zeroes) * ZERO_COST < room) {
        SendBlock *b = &s->blocks[s->now];
        uint64_t page = ram_send_next_page(b);

        if (page >= b->n_pages) {
            s->now++;
            continue;
        }
        if (!any) {
            stream_begin(w, &head);
            any = true;
        }
        ram_send_page(s, b, page, last == s->now, w);
        b->next = page + 1;
        last = s->now;
    }
    if (any) {
        ram_send_close_section(s, w);
    }
    return any;
}

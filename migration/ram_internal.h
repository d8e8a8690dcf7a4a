/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM in a stream: section "ram", version 4.
 *
 * The sender walks the blocks in passes. A pass sends the pages that were written since the pass
 * before it began; the first pass sends all pages. A page is sent with its data or, if it is all
 * zero, as 9 bytes. The receiver checks every item and, at the end, that every page was received at
 * least once.
 *
 * All functions require the machine lock.
 */
#ifndef MIGRATION_RAM_H
#define MIGRATION_RAM_H

#include "hw/core/machine.h"
#include "migration/stream.h"

#define RAM_SECTION         "ram"
#define RAM_SECTION_VERSION 4

/* Low bits of the first word of an item. */
enum {
    RAM_ITEM_ZERO = 0x02,
    RAM_ITEM_BLOCKS = 0x04,
    RAM_ITEM_PAGE = 0x08,
    RAM_ITEM_END = 0x10,
    RAM_ITEM_SAME_BLOCK = 0x20,
};

/* --- sending --- */
typedef struct RamStats {
    uint64_t zero, normal; /* pages sent */
    uint64_t passes;       /* fetches of the dirty bits */
    uint64_t remaining;    /* bytes that this pass has not sent yet */
    uint64_t total;        /* bytes of RAM */
    uint64_t pass_pages;   /* pages to send at the beginning of this pass */
} RamStats;

typedef struct RamSend RamSend;
/* Enable dirty tracking. `id` is the id of the section. Returns NULL with *err set if there is no
 * memory for the bitmaps. */
RamSend *ram_send_new(Machine *m, uint32_t id, GError **err);
/* Disable dirty tracking, and free s. NULL is allowed. */
void ram_send_free(RamSend *s);
/* Append the START section with the list of blocks. */
void ram_send_start(RamSend *s, ByteWriter *w);
/* Begin a pass over the pages that were written since the last call; the first call: all pages. */
void ram_send_begin_pass(RamSend *s);
/* Append a PART with about `room` bytes of this pass, or fewer if many pages are all zero. Returns
 * false if nothing was left; nothing is appended then. */
bool ram_send_some(RamSend *s, ByteWriter *w, size_t room);
/* Append the END section, which is empty. */
void ram_send_end(RamSend *s, ByteWriter *w);
const RamStats *ram_send_stats(const RamSend *s);

/* --- receiving --- */
typedef struct RamReceive RamReceive;
/* Begin to receive the RAM of a machine. Returns NULL with *err set if there is no memory. */
RamReceive *ram_receive_new(Machine *m, GError **err);
void ram_receive_free(RamReceive *r); /* NULL is allowed */
/* Load the items of one START, PART or END section; see StreamHandler.items. */
bool ram_receive_items(RamReceive *r, const StreamSection *s, ByteReader *b, bool *done,
                       GError **err);
/* Return true if the section ended and every page was received; otherwise false with *err set. */
bool ram_receive_finish(const RamReceive *r, GError **err);
/* Return the number of page items received, for the digest. */
uint64_t ram_receive_pages(const RamReceive *r);

/* Return true if n bytes (a multiple of 64, aligned to 8) are all zero. */
bool ram_is_zero(const void *p, size_t n);

#endif

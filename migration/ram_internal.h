/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM in a stream: section "ram", version 4.
 *
 * The sender walks the blocks in passes. A pass takes the pages written since the last one (the
 * first: all), sends each as a normal page or, if it is all zero, as 9 bytes. The receiver
 * checks every item and, at the end, that every page came at least once.
 * Machine lock.
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
    uint64_t remaining;    /* bytes left of this pass */
    uint64_t total;        /* bytes of RAM */
    uint64_t pass_pages;   /* pages that this pass began with */
} RamStats;

typedef struct RamSend RamSend;
/* Turns dirty tracking on. `id` is the section's id. NULL: no memory for the bitmaps. */
RamSend *ram_send_new(Machine *m, uint32_t id, GError **err);
void ram_send_free(RamSend *s); /* turns it off; NULL is allowed */
/* The section's start: the list of blocks. */
void ram_send_start(RamSend *s, ByteWriter *w);
/* Take the pages written since the last pass as the work of the next. */
void ram_send_begin_pass(RamSend *s);
/* Append a PART with at most about `room` bytes of this pass, fewer if pages of zeroes have to be
 * searched for; false when nothing was left. */
bool ram_send_some(RamSend *s, ByteWriter *w, size_t room);
/* The section's (empty) end. */
void ram_send_end(RamSend *s, ByteWriter *w);
const RamStats *ram_send_stats(const RamSend *s);

/* --- receiving --- */
typedef struct RamReceive RamReceive;
RamReceive *ram_receive_new(Machine *m, GError **err);
void ram_receive_free(RamReceive *r);
/* The items of one START, PART or END; see StreamHandler.items. */
bool ram_receive_items(RamReceive *r, const StreamSection *s, ByteReader *b, bool *done,
                       GError **err);
/* False with a sentence unless the section ended and every page came. */
bool ram_receive_finish(const RamReceive *r, GError **err);
/* Pages taken so far, for the digest. */
uint64_t ram_receive_pages(const RamReceive *r);

/* True if n bytes (a multiple of 64, aligned to 8) are all zero. */
bool ram_is_zero(const void *p, size_t n);

#endif

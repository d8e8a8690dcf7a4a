/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages of a block the host never had to provide. Reading such a page of a memfd would
 * make the host allocate it, so a mostly empty guest must not be read to find its zeroes.
 */
#ifndef MIGRATION_RAM_HOLE_H
#define MIGRATION_RAM_HOLE_H

#include <unistd.h>

#include "memory/ram.h"

/* What is known around the last question; zeroed: nothing. */
typedef struct RamHole {
    uint64_t first, end; /* pages [first, end) are a hole, or data */
    bool hole;
} RamHole;

/* True if the page is a hole now. The answer may be outdated by a write at once: the dirty bits
 * tell of that. */
static inline bool ram_hole_at(RamHole *h, const RamBlock *block, uint64_t page)
{
    off_t at = (off_t)(page << RAM_PAGE_BITS), data;

    if (page >= h->first && page < h->end) {
        return h->hole;
    }
    h->first = page;
    if (!block->holes) {
        h->end = block->size >> RAM_PAGE_BITS;
        h->hole = false;
        return false;
    }
    data = lseek(block->fd, at, SEEK_DATA);
    h->hole = data != at;
    if (h->hole) {
        h->end = data < 0 ? block->size >> RAM_PAGE_BITS : (uint64_t)data >> RAM_PAGE_BITS;
    } else {
        off_t end = lseek(block->fd, at, SEEK_HOLE);

        h->end = end < 0 ? page + 1 : ((uint64_t)end + RAM_PAGE_SIZE - 1) >> RAM_PAGE_BITS;
    }
    return h->hole;
}

#endif

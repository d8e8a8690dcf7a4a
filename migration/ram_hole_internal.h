/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection of the pages of a block that the host has never allocated. Reading such a page of a
 * memfd causes the host to allocate it. Therefore the pages of zeroes of a mostly empty guest must
 * be found without reading them.
 */
#ifndef MIGRATION_RAM_HOLE_H
#define MIGRATION_RAM_HOLE_H

#include <unistd.h>

#include "memory/ram.h"

/* Range of the hole that was found last; zeroed: none. */
typedef struct RamHole {
    uint64_t first, end; /* pages [first, end) */
} RamHole;

/* Return true if the page is not allocated. A write can allocate it at any time; dirty tracking
 * reports that. A range of holes costs one system call, and so does each allocated page: the end of
 * a range of allocated pages is not searched for, because SEEK_HOLE visits every page in between,
 * which costs milliseconds. */
static inline bool ram_hole_at(RamHole *h, const RamBlock *block, uint64_t page)
{
    off_t at = (off_t)(page << RAM_PAGE_BITS), data;

    if (page >= h->first && page < h->end) {
        return true;
    }
    if (!block->holes) {
        return false;
    }
    data = lseek(block->fd, at, SEEK_DATA);
    if (data == at) {
        return false;
    }
    h->first = page;
    h->end = data < 0 ? block->size >> RAM_PAGE_BITS : (uint64_t)data >> RAM_PAGE_BITS;
    return true;
}

#endif

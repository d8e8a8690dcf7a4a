/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection of pages that the host has never allocated, in a memfd or in the page table of the
 * process (/proc/PID/pagemap, proc(5)).
 */
#include "migration/ram_hole_internal.h"

#include <string.h>
#include <unistd.h>

#define MAP_PRESENT (UINT64_C(1) << 63)
#define MAP_SWAPPED (UINT64_C(1) << 62)

/* Find the hole at @page. A range of holes costs one system call, and so does each allocated page:
 * the end of a range of allocated pages is not searched for, because SEEK_HOLE visits every page in
 * between, which costs milliseconds. */
static bool ram_hole_seek(RamHole *h, const RamBlock *block, uint64_t page)
{
    off_t at = (off_t)(page << RAM_PAGE_BITS), data = lseek(block->fd, at, SEEK_DATA);

    if (data == at) {
        return false;
    }
    h->first = page;
    h->end = data < 0 ? block->size >> RAM_PAGE_BITS : (uint64_t)data >> RAM_PAGE_BITS;
    h->all = true;
    return true;
}

/* Read the state of the pages around @page. */
static bool ram_hole_read(RamHole *h, const RamBlock *block, uint64_t page)
{
    uint64_t map[RAM_HOLE_WINDOW], n_pages = block->size >> RAM_PAGE_BITS;
    uint64_t first = page / RAM_HOLE_WINDOW * RAM_HOLE_WINDOW;
    uint64_t n = MIN(RAM_HOLE_WINDOW, n_pages - first);
    uint64_t at = ((uintptr_t)block->host >> RAM_PAGE_BITS) + first;

    if (pread(block->pagemap, map, n * sizeof(*map), (off_t)(at * sizeof(*map))) !=
        (ssize_t)(n * sizeof(*map))) {
        return false;
    }
    *h = (RamHole){ .first = first, .end = first + n };
    for (uint64_t i = 0; i < n; i++) {
        if (map[i] & (MAP_PRESENT | MAP_SWAPPED)) {
            h->present[i / 64] |= UINT64_C(1) << i % 64;
        }
    }
    return true;
}

bool ram_hole_at(RamHole *h, const RamBlock *block, uint64_t page)
{
    uint64_t i;

    if (!block->holes) {
        return false;
    }
    if (page < h->first || page >= h->end) {
        if (block->fd >= 0) {
            return ram_hole_seek(h, block, page);
        }
        if (!ram_hole_read(h, block, page)) {
            return false;
        }
    }
    i = page - h->first;
    return h->all || !(h->present[i / 64] >> i % 64 & 1);
}

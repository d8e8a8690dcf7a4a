/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detection of the pages of a block that the host has never allocated. Reading such a page of a
 * memfd causes the host to allocate it, and reading all of a large anonymous block takes long.
 * Therefore the pages of zeroes of a mostly empty guest must be found without reading them.
 */
#ifndef MIGRATION_RAM_HOLE_H
#define MIGRATION_RAM_HOLE_H

#include "memory/ram.h"

enum { RAM_HOLE_WINDOW = 512 }; /* pages whose state is read together */

/* The pages whose state is known; zeroed: none. */
typedef struct RamHole {
    uint64_t first, end;                    /* pages [first, end): */
    uint64_t present[RAM_HOLE_WINDOW / 64]; /* bits of those that are allocated */
    bool all;                               /* no page is allocated; `present` is not used */
} RamHole;

/* Return true if the page was not allocated when its state was read: now, or by an earlier call for
 * a page near it. A write can allocate it at any time; dirty tracking reports that. */
bool ram_hole_at(RamHole *h, const RamBlock *block, uint64_t page);

#endif

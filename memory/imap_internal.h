/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval map of the children of a container: a treap by (addr, seq). Private to memory/.
 *
 * Each node stores the greatest last address, the region with the highest rank, and the presence of
 * RAM in its subtree. These values make the queries below O(log n). Heap priorities come from a
 * counter of the container, so that the shape depends on the order of operations and not on host
 * addresses.
 */
#ifndef MEMORY_IMAP_H
#define MEMORY_IMAP_H

#include "memory/memory.h"

/* Last offset inside a region; undefined for size 0. */
static inline uint64_t region_last(const MemRegion *r)
{
    return r->size == UINT64_MAX ? UINT64_MAX : r->size - 1;
}

/* Last address of a mapped region in its parent, limited to 2^64 - 1. */
static inline uint64_t node_last(const MemRegion *r)
{
    if (!r->size) {
        return r->addr;
    }
    return region_last(r) > UINT64_MAX - r->addr ? UINT64_MAX : r->addr + region_last(r);
}

/* True if a has priority over b at an address that both cover. A total order of siblings. */
static inline bool ranks_before(const MemRegion *a, const MemRegion *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    return a->order != b->order ? a->order < b->order : a->seq < b->seq;
}

/*
 * CPU threads look up RAM without the machine lock (mem_ram_ptr_any()). A thread that changes a map
 * holds this lock during the change, and not while listeners are notified, because they wait for
 * CPU threads. One lock serves all maps of the process; it protects no state of its own.
 */
void map_change_begin(void);
void map_change_end(void);

/* r->parent, addr, priority and order are set. */
void imap_insert(MemRegion *container, MemRegion *r);
void imap_remove(MemRegion *container, MemRegion *r);
/* r->has_ram changed: recompute the nodes above it. */
void imap_refresh(MemRegion *r);

/* Return the child with the highest rank that covers x and ranks after @after (NULL: all). */
MemRegion *imap_best(const MemRegion *container, uint64_t x, const MemRegion *after);
/* Shrink [*first, *last] around x to the range without a child that ranks before @winner (NULL:
 * without any child). Children that cover x are ignored. */
void imap_narrow(const MemRegion *container, uint64_t x, const MemRegion *winner, uint64_t *first,
                 uint64_t *last);
/* True if a child with RAM, other than @except, overlaps [first, last]. */
bool imap_ram_within(const MemRegion *container, uint64_t first, uint64_t last,
                     const MemRegion *except);
/* Iterate in address order. */
MemRegion *imap_first(const MemRegion *container);
MemRegion *imap_next(const MemRegion *r);

/* Notify the listeners of every root whose view of RAM changed after r (not MMIO) was mapped at, or
 * removed from, [first, last] of @container (listen.c). */
void mem_notify(MemRegion *container, uint64_t first, uint64_t last, const MemRegion *r,
                bool mapped);
/* Recompute r->has_ram and pass a change to the windows and parents that show r (region.c). */
void mem_update_ram(MemRegion *r);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval map of a container's children: a treap by (addr, seq). Private to memory/.
 *
 * Each node knows the greatest last address, the best-ranked region and the presence of RAM in
 * its subtree, so that "who wins at x", "how far does that hold" and "is RAM under this range"
 * are answered without visiting what does not matter. Heap priorities come from a counter of
 * the container: the shape depends on the order of operations only, never on host addresses.
 */
#ifndef MEMORY_IMAP_H
#define MEMORY_IMAP_H

#include "memory/memory.h"

/* Last offset inside a region; meaningless for size 0. */
static inline uint64_t region_last(const MemRegion *r)
{
    return r->size == UINT64_MAX ? UINT64_MAX : r->size - 1;
}

/* Last address of a mapped region in its parent, cut at 2^64. */
static inline uint64_t node_last(const MemRegion *r)
{
    if (!r->size) {
        return r->addr;
    }
    return region_last(r) > UINT64_MAX - r->addr ? UINT64_MAX : r->addr + region_last(r);
}

/* Does a win over b where both cover an address? A total order among siblings. */
static inline bool ranks_before(const MemRegion *a, const MemRegion *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    return a->order != b->order ? a->order < b->order : a->seq < b->seq;
}

/*
 * CPU threads look RAM up without the machine lock (mem_ram_ptr_any()). Whoever changes a map holds
 * this lock for the change itself, and not while listeners are notified: they wait for CPU threads.
 * One lock serves all maps of the process; it protects no state of its own.
 */
void map_change_begin(void);
void map_change_end(void);

/* r->parent, addr, priority and order are set. */
void imap_insert(MemRegion *container, MemRegion *r);
void imap_remove(MemRegion *container, MemRegion *r);
/* r->has_ram changed: make the nodes above it right again. */
void imap_refresh(MemRegion *r);

/* The winner among the children that cover x and rank after `after` (NULL: all). */
MemRegion *imap_best(const MemRegion *container, uint64_t x, const MemRegion *after);
/* Shrink [*first, *last] around x to where no child that ranks before `winner` (NULL: no child
 * at all) stands, leaving those that cover x out of account. */
void imap_narrow(const MemRegion *container, uint64_t x, const MemRegion *winner, uint64_t *first,
                 uint64_t *last);
/* Does a child other than `except` with RAM in it reach into [first, last]? */
bool imap_ram_within(const MemRegion *container, uint64_t first, uint64_t last,
                     const MemRegion *except);
/* Walk in address order. */
MemRegion *imap_first(const MemRegion *container);
MemRegion *imap_next(const MemRegion *r);

/* After r (not MMIO) came to be mapped at, or was taken from, [first, last] of `container`: tell
 * the listeners of every root above whose view of RAM changed (listen.c). */
void mem_notify(MemRegion *container, uint64_t first, uint64_t last, const MemRegion *r,
                bool mapped);
/* Recompute r->has_ram and pass a change on to whoever shows r (region.c). */
void mem_update_ram(MemRegion *r);

#endif

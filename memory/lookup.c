/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookup: descent from a root to the leaf at an address.
 *
 * Each level uses offsets of its region and returns the range in which its result holds. The caller
 * converts the range to its offsets and restricts it to its size.
 */
#include "memory/imap_internal.h"

/* Limit of regions visited for one address. A map exceeds it only with cycles or with thousands of
 * empty windows at one address; the lookup then finds nothing. */
#define MAX_STEPS 4096

static MemLookup descend(MemRegion *r, uint64_t off, unsigned depth, unsigned *steps);

static MemLookup nothing(uint64_t first, uint64_t last)
{
    return (MemLookup){ .first = first, .last = last, .background = MEM_TRANSPARENT };
}

static MemLookup descend_window(MemRegion *w, uint64_t off, unsigned depth, unsigned *steps)
{
    MemRegion *t = w->target;
    uint64_t end = region_last(w), room, at;
    MemLookup l;

    if (!t || !t->size || w->target_offset > region_last(t)) {
        return nothing(0, end);
    }
    room = region_last(t) - w->target_offset; /* the last offset that shows something */
    if (off > room) {
        return nothing(room + 1, end);
    }
    at = off + w->target_offset;
    l = descend(t, at, depth + 1, steps);
    l.first = MAX(l.first, w->target_offset) - w->target_offset;
    l.last = MIN(MIN(l.last - w->target_offset, room), end);
    return l;
}

/* Restrict the range of *to, in the parent's addresses, to that of the child's lookup @inner. */
static void intersect(MemLookup *to, const MemLookup *inner, uint64_t base)
{
    uint64_t last = inner->last > UINT64_MAX - base ? UINT64_MAX : inner->last + base;

    to->first = MAX(to->first, inner->first + base);
    to->last = MIN(to->last, last);
}

static MemLookup descend_container(MemRegion *r, uint64_t off, unsigned depth, unsigned *steps)
{
    MemLookup found = nothing(0, region_last(r)), inner;
    MemRegion *child = NULL;

    while ((child = imap_best(r, off, child))) {
        inner = descend(child, off - child->addr, depth + 1, steps);
        intersect(&found, &inner, child->addr);
        if (inner.leaf || inner.background != MEM_TRANSPARENT) {
            found.leaf = inner.leaf;
            found.offset = inner.offset;
            found.background = inner.background;
            break;
        }
    }
    if (!child) {
        found.background = r->background;
    }
    imap_narrow(r, off, child, &found.first, &found.last);
    return found;
}

static MemLookup descend(MemRegion *r, uint64_t off, unsigned depth, unsigned *steps)
{
    if (depth > MEM_MAX_DEPTH || ++*steps > MAX_STEPS) {
        return nothing(off, off);
    }
    switch (r->kind) {
    case MEM_CONTAINER:
        return descend_container(r, off, depth, steps);
    case MEM_WINDOW:
        return descend_window(r, off, depth, steps);
    case MEM_RAM:
    case MEM_MMIO:
        break;
    }
    return (MemLookup){ .leaf = r, .offset = off, .first = 0, .last = region_last(r) };
}

MemLookup mem_lookup(MemRegion *root, uint64_t addr)
{
    unsigned steps = 0;

    if (!root->size) {
        return nothing(0, UINT64_MAX);
    }
    if (addr > region_last(root)) {
        return nothing(root->size, UINT64_MAX);
    }
    return descend(root, addr, 0, &steps);
}

uint8_t *mem_ram_ptr(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                     uint64_t *offset)
{
    MemLookup l = mem_lookup(root, addr);

    if (!l.leaf || l.leaf->kind != MEM_RAM || !len || len - 1 > l.last - addr) {
        return NULL;
    }
    if (block) {
        *block = l.leaf->ram;
    }
    if (offset) {
        *offset = l.leaf->ram_offset + l.offset;
    }
    return l.leaf->ram->host + l.leaf->ram_offset + l.offset;
}

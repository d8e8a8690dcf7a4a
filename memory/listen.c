/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: which roots see a change of RAM, found by climbing from the change. Whatever lies on
 * the way up has its generation counted, which ends the lookups that were remembered there.
 *
 * A range is passed up through parents and through the windows that show it. On the way it is
 * noted whether what was mapped has RAM, and whether a neighbour with RAM reaches into the range
 * (then RAM was hidden or came to light). A root is told only if one of the two is so: mapping
 * a plain register BAR costs nobody a TLB flush.
 */
#include "memory/imap.h"

#define MAX_STEPS 4096 /* ways up; more exist only in maps with cycles */

typedef struct Climb {
    bool own_ram, mapped;
    unsigned steps;
} Climb;

void mem_listen(MemRegion *root, MemListener *listener)
{
    if (!root->listeners) {
        root->listeners = g_ptr_array_new();
    }
    g_ptr_array_add(root->listeners, listener);
}

void mem_unlisten(MemRegion *root, MemListener *listener)
{
    if (root->listeners) {
        g_ptr_array_remove(root->listeners, listener);
    }
}

static void tell(const MemRegion *root, uint64_t first, uint64_t last, bool added)
{
    uint64_t len = last - first == UINT64_MAX ? UINT64_MAX : last - first + 1;

    for (unsigned i = 0; i < root->listeners->len; i++) {
        const MemListener *l = g_ptr_array_index(root->listeners, i);

        l->ram_changed(l->opaque, first, len, added);
    }
}

/* `near`: RAM of a neighbour lies in the range, so that it was hidden or has come to light. */
static void tell_both(const Climb *c, const MemRegion *root, uint64_t first, uint64_t last,
                      bool near)
{
    bool removed = c->mapped ? near : c->own_ram;
    bool added = c->mapped ? c->own_ram : near;

    if (removed) {
        tell(root, first, last, false);
    }
    if (added) {
        tell(root, first, last, true);
    }
}

static void climb(Climb *c, MemRegion *at, uint64_t first, uint64_t last, const MemRegion *from,
                  bool near, unsigned depth)
{
    at->generation++;
    if (depth > MEM_MAX_DEPTH || ++c->steps > MAX_STEPS) {
        return;
    }
    near |= imap_ram_within(at, first, last, from);
    if (at->listeners) {
        tell_both(c, at, first, last, near);
    }
    if (at->parent && first <= UINT64_MAX - at->addr) {
        uint64_t up_last = last > UINT64_MAX - at->addr ? UINT64_MAX : last + at->addr;

        if (first + at->addr <= region_last(at->parent)) {
            climb(c, at->parent, first + at->addr, MIN(up_last, region_last(at->parent)), at, near,
                  depth + 1);
        }
    }
    for (unsigned i = 0; at->viewers && i < at->viewers->len; i++) {
        const MemRegion *w = g_ptr_array_index(at->viewers, i);
        uint64_t lo = MAX(first, w->target_offset) - w->target_offset;
        uint64_t hi;

        if (!w->size || last < w->target_offset || !w->parent || lo > region_last(w)) {
            continue;
        }
        hi = MIN(last - w->target_offset, region_last(w));
        if (lo <= UINT64_MAX - w->addr && lo + w->addr <= region_last(w->parent)) {
            hi = hi > UINT64_MAX - w->addr ? UINT64_MAX : hi + w->addr;
            climb(c, w->parent, lo + w->addr, MIN(hi, region_last(w->parent)), w, near, depth + 1);
        }
    }
}

/* The answer for a map too tangled to climb: every root above hears of everything. */
static void tell_all_above(MemRegion *from)
{
    g_autoptr(GPtrArray) todo = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    g_ptr_array_add(todo, from);
    while (todo->len) {
        MemRegion *at = g_ptr_array_steal_index_fast(todo, todo->len - 1);

        if (!at || !g_hash_table_add(seen, at)) {
            continue;
        }
        at->generation++;
        if (at->listeners && at->size) {
            tell(at, 0, region_last(at), false);
            tell(at, 0, region_last(at), true);
        }
        g_ptr_array_add(todo, at->parent);
        for (unsigned i = 0; at->viewers && i < at->viewers->len; i++) {
            const MemRegion *w = g_ptr_array_index(at->viewers, i);

            g_ptr_array_add(todo, w->parent);
        }
    }
}

void mem_notify(MemRegion *container, uint64_t first, uint64_t last, const MemRegion *r,
                bool mapped)
{
    Climb c = { r->has_ram, mapped, 0 };

    climb(&c, container, first, last, r, false, 0);
    if (c.steps > MAX_STEPS) {
        tell_all_above(container);
    }
}

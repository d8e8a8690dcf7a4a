/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: find the roots in which a change of RAM is visible, by climbing from the changed
 * region.
 *
 * Each region above the change increments its generation, which invalidates cached lookups there
 * (MemMemo). The changed range is passed to parents and to the windows that show it. A root is
 * notified only if the mapped region contains RAM, or if a sibling with RAM overlaps the range and
 * was therefore hidden or uncovered. Mapping a register BAR causes no TLB flush.
 */
#include "memory/imap_internal.h"

#define MAX_STEPS 4096 /* regions visited; only maps with cycles contain more paths */

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

static void listen_report(const MemRegion *root, uint64_t first, uint64_t last, bool added)
{
    uint64_t len = last - first == UINT64_MAX ? UINT64_MAX : last - first + 1;

    for (unsigned i = 0; i < root->listeners->len; i++) {
        const MemListener *l = g_ptr_array_index(root->listeners, i);

        l->ram_changed(l->opaque, first, len, added);
    }
}

/* @near: RAM of a sibling is in the range; the change hid or uncovered it. */
static void listen_report_both(const Climb *c, const MemRegion *root, uint64_t first, uint64_t last,
                               bool near)
{
    bool removed = c->mapped ? near : c->own_ram;
    bool added = c->mapped ? c->own_ram : near;

    if (removed) {
        listen_report(root, first, last, false);
    }
    if (added) {
        listen_report(root, first, last, true);
    }
}

static void listen_climb(Climb *c, MemRegion *at, uint64_t first, uint64_t last,
                         const MemRegion *from, bool near, unsigned depth)
{
    at->generation++;
    if (depth > MEM_MAX_DEPTH || ++c->steps > MAX_STEPS) {
        return;
    }
    near |= imap_ram_within(at, first, last, from);
    if (at->listeners) {
        listen_report_both(c, at, first, last, near);
    }
    if (at->parent && first <= UINT64_MAX - at->addr) {
        uint64_t up_last = last > UINT64_MAX - at->addr ? UINT64_MAX : last + at->addr;

        if (first + at->addr <= region_last(at->parent)) {
            listen_climb(c, at->parent, first + at->addr, MIN(up_last, region_last(at->parent)), at,
                         near, depth + 1);
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
            listen_climb(c, w->parent, lo + w->addr, MIN(hi, region_last(w->parent)), w, near,
                         depth + 1);
        }
    }
}

/* Notify every root above of a change of everything, if the climb exceeded its limit. */
static void listen_report_all(MemRegion *from)
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
            listen_report(at, 0, region_last(at), false);
            listen_report(at, 0, region_last(at), true);
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

    listen_climb(&c, container, first, last, r, false, 0);
    if (c.steps > MAX_STEPS) {
        listen_report_all(container);
    }
}

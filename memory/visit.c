/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traversal of the complete map, for info mtree and for mem_check().
 */
#include "memory/imap_internal.h"

#define MAX_VISITS 1000000 /* bounds the traversal of a map with cycles */

typedef struct Visit {
    MemVisitFn *fn;
    void *opaque;
    unsigned count;
} Visit;

/* Show the children of `r` that reach into [first, last] of it; `shift` turns r's offsets into
 * root addresses (modulo 2^64). */
static void visit_children(Visit *v, const MemRegion *r, uint64_t first, uint64_t last,
                           uint64_t shift, unsigned depth)
{
    if (depth > MEM_MAX_DEPTH) {
        return;
    }
    for (const MemRegion *c = imap_first(r); c; c = imap_next(c)) {
        uint64_t lo = MAX(first, c->addr), hi = MIN(last, node_last(c));

        if (!c->size || lo > hi || ++v->count > MAX_VISITS) {
            continue;
        }
        v->fn(v->opaque, c, lo + shift, depth);
        if (c->kind == MEM_CONTAINER) {
            visit_children(v, c, lo - c->addr, hi - c->addr, c->addr + shift, depth + 1);
        } else if (c->kind == MEM_WINDOW && c->target) {
            uint64_t from = lo - c->addr + c->target_offset, room = UINT64_MAX - from;

            visit_children(v, c->target, from, from + MIN(hi - lo, room),
                           c->addr - c->target_offset + shift, depth + 1);
        }
    }
}

void mem_visit(const MemRegion *root, MemVisitFn *fn, void *opaque)
{
    Visit v = { fn, opaque, 0 };

    if (root->size) {
        visit_children(&v, root, 0, region_last(root), 0, 0);
    }
}

/* --- invariants --- */

static unsigned check_node(const MemRegion *container, const MemRegion *n, const MemRegion *up)
{
    const MemRegion *kids[2];
    uint64_t max_last = node_last(n);
    const MemRegion *best = n;
    bool ram = n->has_ram && n->size;
    unsigned count = 1;

    g_assert(n->parent == container && n->up == up);
    g_assert(!up || n->tree_prio <= up->tree_prio);
    kids[0] = n->left;
    kids[1] = n->right;
    for (int i = 0; i < 2; i++) {
        if (!kids[i]) {
            continue;
        }
        g_assert(i ? kids[i]->addr >= n->addr : kids[i]->addr <= n->addr);
        count += check_node(container, kids[i], n);
        max_last = MAX(max_last, kids[i]->max_last);
        ram |= kids[i]->tree_ram;
        best = ranks_before(kids[i]->best, best) ? kids[i]->best : best;
    }
    g_assert(n->max_last == max_last && n->best == best && n->tree_ram == ram);
    return count;
}

static void check_container(const MemRegion *r, unsigned depth)
{
    unsigned count = r->children ? check_node(r, r->children, NULL) : 0, ram = 0;

    g_assert(count == r->n_children);
    for (const MemRegion *c = imap_first(r); c; c = imap_next(c)) {
        const MemRegion *inside = c->kind == MEM_WINDOW ? c->target : c;

        ram += c->has_ram;
        if (inside && inside->kind == MEM_CONTAINER && depth < 8) {
            check_container(inside, depth + 1);
        }
    }
    g_assert(ram == r->n_ram_children && r->has_ram == (ram > 0));
}

void mem_check(const MemRegion *root)
{
    check_container(root, 0);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interval map: a treap with parent links and three augmentations.
 */
#include "memory/imap_internal.h"

static void augment(MemRegion *n)
{
    MemRegion *kids[2] = { n->left, n->right };

    n->max_last = node_last(n);
    n->best = n;
    n->tree_ram = n->has_ram && n->size;
    for (int i = 0; i < 2; i++) {
        if (!kids[i]) {
            continue;
        }
        n->max_last = MAX(n->max_last, kids[i]->max_last);
        n->tree_ram |= kids[i]->tree_ram;
        if (ranks_before(kids[i]->best, n->best)) {
            n->best = kids[i]->best;
        }
    }
}

void imap_refresh(MemRegion *r)
{
    for (; r; r = r->up) {
        augment(r);
    }
}

/* Return the location of the pointer to n. */
static MemRegion **link_of(MemRegion *container, MemRegion *n)
{
    if (!n->up) {
        return &container->children;
    }
    return n->up->left == n ? &n->up->left : &n->up->right;
}

/* Rotate: n's child c becomes n's parent. */
static void rotate_up(MemRegion *container, MemRegion *n, MemRegion *c)
{
    MemRegion **link = link_of(container, n);
    bool is_left = n->left == c;
    MemRegion *inner = is_left ? c->right : c->left;

    *link = c;
    c->up = n->up;
    n->up = c;
    if (inner) {
        inner->up = n;
    }
    if (is_left) {
        n->left = inner;
        c->right = n;
    } else {
        n->right = inner;
        c->left = n;
    }
    augment(n);
    augment(c);
}

/* A well-mixed number of a counter: neighbours in time must not be neighbours in height. */
static uint32_t imap_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

static bool goes_left(const MemRegion *r, const MemRegion *n)
{
    return r->addr != n->addr ? r->addr < n->addr : r->seq < n->seq;
}

void imap_insert(MemRegion *container, MemRegion *r)
{
    MemRegion **link = &container->children, *up = NULL;

    r->tree_prio = imap_mix(container->next_seq++);
    r->left = r->right = NULL;
    while (*link) {
        up = *link;
        link = goes_left(r, up) ? &up->left : &up->right;
    }
    *link = r;
    r->up = up;
    imap_refresh(r);
    while (r->up && r->up->tree_prio < r->tree_prio) {
        rotate_up(container, r->up, r);
    }
    container->n_children++;
}

void imap_remove(MemRegion *container, MemRegion *r)
{
    MemRegion *up;

    while (r->left || r->right) {
        bool left = !r->right || (r->left && r->left->tree_prio > r->right->tree_prio);

        rotate_up(container, r, left ? r->left : r->right);
    }
    up = r->up;
    *link_of(container, r) = NULL;
    r->up = NULL;
    imap_refresh(up);
    container->n_children--;
}

static void find_best(MemRegion *n, uint64_t x, const MemRegion *after, MemRegion **found)
{
    if (!n || n->max_last < x || (*found && !ranks_before(n->best, *found))) {
        return;
    }
    if (n->addr <= x) {
        if (n->size && node_last(n) >= x && (!after || ranks_before(after, n)) &&
            (!*found || ranks_before(n, *found))) {
            *found = n;
        }
        find_best(n->right, x, after, found);
    }
    find_best(n->left, x, after, found);
}

MemRegion *imap_best(const MemRegion *container, uint64_t x, const MemRegion *after)
{
    MemRegion *found = NULL;

    find_best(container->children, x, after, &found);
    return found;
}

typedef struct Narrow {
    uint64_t x, first, last;
    const MemRegion *winner;
} Narrow;

/* The nearest neighbours are visited first, so that the rest falls outside the bounds. */
static void narrow(const MemRegion *n, Narrow *w)
{
    bool counts;

    if (!n || n->max_last < w->first || (w->winner && !ranks_before(n->best, w->winner))) {
        return;
    }
    counts = n->size && (!w->winner || ranks_before(n, w->winner));
    if (n->addr <= w->x) {
        narrow(n->right, w);
        if (counts && node_last(n) < w->x && node_last(n) >= w->first) {
            w->first = node_last(n) + 1;
        }
        narrow(n->left, w);
        return;
    }
    narrow(n->left, w);
    if (n->addr > w->last) {
        return;
    }
    if (counts) {
        w->last = n->addr - 1;
    } else {
        narrow(n->right, w);
    }
}

void imap_narrow(const MemRegion *container, uint64_t x, const MemRegion *winner, uint64_t *first,
                 uint64_t *last)
{
    Narrow w = { x, *first, *last, winner };

    narrow(container->children, &w);
    *first = w.first;
    *last = w.last;
}

static bool ram_within(const MemRegion *n, uint64_t first, uint64_t last, const MemRegion *except)
{
    if (!n || !n->tree_ram || n->max_last < first) {
        return false;
    }
    if (ram_within(n->left, first, last, except)) {
        return true;
    }
    if (n->addr > last) {
        return false;
    }
    if (n != except && n->has_ram && n->size && node_last(n) >= first) {
        return true;
    }
    return ram_within(n->right, first, last, except);
}

bool imap_ram_within(const MemRegion *container, uint64_t first, uint64_t last,
                     const MemRegion *except)
{
    return ram_within(container->children, first, last, except);
}

MemRegion *imap_first(const MemRegion *container)
{
    MemRegion *n = container->children;

    while (n && n->left) {
        n = n->left;
    }
    return n;
}

MemRegion *imap_next(const MemRegion *r)
{
    MemRegion *n = r->right;

    if (n) {
        while (n->left) {
            n = n->left;
        }
        return n;
    }
    for (n = r->up; n && n->right == r; n = n->up) {
        r = n;
    }
    return n;
}

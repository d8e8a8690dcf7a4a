/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random map and a plain model of it: an array with one entry per address, painted from the
 * region of lowest priority to the highest. Shared by the lookup and the listener test.
 */
#ifndef TEST_MEMORY_MODEL_H
#define TEST_MEMORY_MODEL_H

#include <string.h>

#include "memory/imap_internal.h"

enum { MODEL_SPACE = 256, MODEL_BOXES = 4, MODEL_LEAVES = 14, MODEL_WINDOWS = 8 };

typedef struct Cell {
    MemRegion *leaf;
    uint64_t offset;
    MemBackground background;
} Cell;

/* Windows show only boxes of a higher number than the one that contains them: no cycles. */
typedef struct Model {
    MemRegion box[MODEL_BOXES], leaf[MODEL_LEAVES], window[MODEL_WINDOWS];
    unsigned shows[MODEL_WINDOWS];
    RamBlock ram;
    GRand *rand;
} Model;

static inline int random_below(Model *m, int n)
{
    return g_rand_int_range(m->rand, 0, n);
}

static inline void model_init(Model *m, unsigned seed)
{
    memset(m, 0, sizeof(*m));
    m->rand = g_rand_new_with_seed(seed);
    m->ram.size = MODEL_SPACE;
    for (int i = 0; i < MODEL_BOXES; i++) {
        mem_init_container(&m->box[i], "box", MODEL_SPACE, i % 3);
    }
    for (int i = 0; i < MODEL_LEAVES; i++) {
        if (i % 2) {
            mem_init_mmio(&m->leaf[i], "io", 1 + random_below(m, 60), NULL, NULL);
        } else {
            mem_init_ram(&m->leaf[i], "ram", &m->ram, random_below(m, 100),
                         1 + random_below(m, 60));
        }
    }
    for (int i = 0; i < MODEL_WINDOWS; i++) {
        m->shows[i] = 1 + random_below(m, MODEL_BOXES - 1);
        mem_init_window(&m->window[i], "window", &m->box[m->shows[i]], random_below(m, MODEL_SPACE),
                        random_below(m, MODEL_SPACE));
    }
}

static inline void model_fini(Model *m)
{
    for (int i = 0; i < MODEL_WINDOWS; i++) {
        mem_fini(&m->window[i]);
    }
    for (int i = 0; i < MODEL_BOXES; i++) {
        mem_fini(&m->box[i]);
    }
    g_rand_free(m->rand);
}

static inline void model_step(Model *m)
{
    int k = random_below(m, MODEL_LEAVES + MODEL_WINDOWS), w = k - MODEL_LEAVES;
    MemRegion *r = w < 0 ? &m->leaf[k] : &m->window[w];
    int boxes = w < 0 ? MODEL_BOXES : (int)m->shows[w];

    switch (random_below(m, 4)) {
    case 0:
        mem_unmap(r);
        break;
    case 1:
        if (w >= 0) {
            mem_window_set(r, random_below(m, MODEL_SPACE + 20), random_below(m, MODEL_SPACE));
            break;
        }
        /* fall through */
    default:
        if (r->parent) {
            mem_move(r, random_below(m, MODEL_SPACE + 20));
        } else {
            mem_map(&m->box[random_below(m, boxes)], random_below(m, MODEL_SPACE), r,
                    random_below(m, 3) - 1, random_below(m, 3));
        }
    }
}

static inline gint model_worst_first(gconstpointer a, gconstpointer b)
{
    return ranks_before(*(MemRegion *const *)a, *(MemRegion *const *)b) ? 1 : -1;
}

/* Paint the visible part of r in [from, from + n) into cells. */
static inline void model_paint(MemRegion *r, uint64_t from, Cell *cells, uint64_t n)
{
    g_autoptr(GPtrArray) kids = NULL;

    if (r->kind == MEM_WINDOW) {
        if (r->target && r->target_offset < MODEL_SPACE) {
            model_paint(r->target, from + r->target_offset, cells,
                        MIN(n, MODEL_SPACE - MIN(MODEL_SPACE, from + r->target_offset)));
        }
        return;
    }
    if (r->kind != MEM_CONTAINER || r->background != MEM_TRANSPARENT) {
        for (uint64_t i = 0; i < n; i++) {
            bool leaf = r->kind != MEM_CONTAINER;

            cells[i] = (Cell){ leaf ? r : NULL, leaf ? from + i : 0, r->background };
        }
    }
    if (r->kind != MEM_CONTAINER) {
        return;
    }
    kids = g_ptr_array_new();
    for (MemRegion *c = imap_first(r); c; c = imap_next(c)) {
        g_ptr_array_add(kids, c);
    }
    g_ptr_array_sort(kids, model_worst_first);
    for (unsigned k = 0; k < kids->len; k++) {
        MemRegion *c = g_ptr_array_index(kids, k);
        uint64_t lo = MAX(c->addr, from), hi = MIN(c->addr + c->size, from + n);

        if (lo < hi) {
            model_paint(c, lo - c->addr, cells + (lo - from), hi - lo);
        }
    }
}

#endif

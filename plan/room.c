/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for BARs: what the functions of a bus need of each kind of window, and how large the window
 * in front of the bus is. Largest first, each at its natural alignment, is the tightest packing of
 * powers of two; a bridge adds the smallest window that holds what is behind it.
 */
#include "plan/internal.h"

enum { CAP_ID_MSIX = 0x11, MSIX_BAR_LEAST = 4096 };

/* The steps of a bridge's window: 4 KiB of ports, 1 MiB of memory (PCI bridges 1.2, 3.2.5). */
static const uint64_t window_step[PLAN_RESOURCES] = {
    [PLAN_ROOM_IO] = 1 << 12, [PLAN_ROOM_MEM32] = 1 << 20, [PLAN_ROOM_MEM64] = 1 << 20
};

typedef struct Piece {
    uint64_t size, align;
} Piece;

const char *plan_resource_name(PlanResource r)
{
    static const char *const names[] = { "I/O", "32-bit memory", "64-bit memory" };

    return names[r];
}

/* Everything here saturates: a size is whatever the user wrote. */
static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t round_up(uint64_t n, uint64_t step)
{
    return add(n, step - 1) & ~(step - 1);
}

static PlanResource resource_of(const PlanBar *b)
{
    return b->io ? PLAN_ROOM_IO : b->is64 && b->prefetch ? PLAN_ROOM_MEM64 : PLAN_ROOM_MEM32;
}

uint64_t plan_bar_size(const PlanDevice *d, const PlanBar *b)
{
    const PlanValue *v = b->size_prop ? plan_device_get(d, b->size_prop) : NULL;

    if (v) {
        return v->u;
    }
    return b->size || !plan_has_cap(d, CAP_ID_MSIX) ? b->size : MSIX_BAR_LEAST;
}

static void add_piece(GArray *pieces, uint64_t size, uint64_t align)
{
    Piece piece = { size, align };

    if (size) {
        g_array_append_val(pieces, piece);
    }
}

static int largest_first(const void *a, const void *b)
{
    const Piece *x = a, *y = b;

    return (x->align < y->align) - (x->align > y->align);
}

static Piece pack(GArray *pieces)
{
    Piece all = { 0, 1 };

    g_array_sort(pieces, largest_first);
    for (guint i = 0; i < pieces->len; i++) {
        const Piece *p = &g_array_index(pieces, Piece, i);

        all.align = MAX(all.align, p->align);
        all.size = add(round_up(all.size, p->align), p->size);
    }
    return all;
}

static Piece need_of(const PlanBusNode *node, PlanResource r);

static void add_function(GArray *pieces, const PlanDevice *d, PlanResource r)
{
    const PlanBusNode *below = d->brings;

    for (size_t i = 0; i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];
        uint64_t size = plan_bar_size(d, b);

        if (size && resource_of(b) == r) {
            add_piece(pieces, size, 1ull << (63 - __builtin_clzll(size)));
        }
    }
    if (below && below->rule->addr == PLAN_ADDR_PCI && below->root != below) {
        Piece behind = need_of(below, r);

        add_piece(pieces, round_up(behind.size, window_step[r]), MAX(behind.align, window_step[r]));
    }
}

static Piece need_of(const PlanBusNode *node, PlanResource r)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(Piece));

    for (unsigned slot = 0; slot < G_N_ELEMENTS(node->slot); slot++) {
        for (unsigned fn = 0; node->slot[slot] && fn < 8; fn++) {
            if (node->slot[slot][fn]) {
                add_function(pieces, node->slot[slot][fn], r);
            }
        }
    }
    return pack(pieces);
}

PlanRoom plan_bus_room(const PlanIndex *x, const PlanBusNode *node, PlanResource r)
{
    PlanRoom room = { .need = need_of(node, r).size };

    if (node == x->root) {
        room.window = x->machine->window[r];
    } else if (node->root != node) {
        room.window = round_up(room.need, window_step[r]);
    }
    return room;
}

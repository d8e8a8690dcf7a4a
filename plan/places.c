/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of all PCI buses of a machine as one set of the address allocator: each bus is a
 * pool, and the functions of a slot are a group. A single-function device makes the other functions
 * of its slot unavailable. Policies choose addresses from this set.
 */
#include "plan/alloc.h"
#include "plan/policy_internal.h"

enum { PLACE_BUS, PLACE_SLOT, PLACE_FN, PLACE_DIMS };

static const PlanAddrType place_type = {
    .name = "place",
    .n_dims = PLACE_DIMS,
    .dim = { { "bus", "", PLAN_NOTATION_DECIMAL, 32, 0, 0 },
             { "slot", ":", PLAN_NOTATION_HEX, 5, 2, 0 },
             { "function", ".", PLAN_NOTATION_HEX, 3, 1, 0 } },
    .group_dims = PLACE_FN,
    .group_name = "slot",
};

struct PlanPlaces {
    PlanAlloc *alloc;
};

static uint64_t place_number(const PlanBusNode *node, unsigned slot, unsigned fn)
{
    return (uint64_t)node->serial << 8 | slot << 3 | fn;
}

/* The name of an owner in the set: its address, of which each has one owner. */
static void place_owner(uint64_t place, char name[static 24])
{
    g_snprintf(name, 24, "%" PRIx64, place);
}

void plan_places_add_bus(PlanIndex *x, PlanBusNode *node)
{
    PlanAddrRange range = { .lo = { node->serial }, .hi = { node->serial, 0, 7 } };
    unsigned first, last;

    if (!x->places || node->rule->addr != PLAN_ADDR_PCI) {
        return;
    }
    plan_bus_slots(node, &first, &last);
    range.lo[PLACE_SLOT] = first;
    range.hi[PLACE_SLOT] = last;
    node->places = x->places;
    node->pool = plan_alloc_add_pool(x->places->alloc, &range, PLAN_LIVE, 0, NULL, NULL);
}

/* The bus has no owner any more. Addresses of devices that still hold a reference leave with them.
 */
void plan_places_drop_bus(PlanBusNode *node)
{
    if (node->pool && plan_alloc_remove_pool(node->places->alloc, node->pool, NULL)) {
        node->pool = 0;
    }
}

void plan_places_enter(PlanBusNode *node, const PlanDevice *d)
{
    uint64_t place = place_number(node, d->addr.slot, d->addr.fn);
    PlanRequest r;
    char name[24];

    if (!node->pool) {
        return;
    }
    place_owner(place, name);
    plan_request_init(&r, &place_type);
    plan_request_exactly(&r, &place_type, place);
    r.options = d->addr.fn || plan_device_flag(d, "multifunction", false) ? PLAN_RESERVE_JOIN
                                                                          : PLAN_RESERVE_GROUP;
    if (!plan_alloc_reserve(node->places->alloc, &r, name, NULL, NULL)) {
        r.options = PLAN_RESERVE_JOIN; /* further functions exist, or ARI */
        plan_alloc_reserve(node->places->alloc, &r, name, NULL, NULL);
    }
}

void plan_places_leave(PlanBusNode *node, const PlanDevice *d)
{
    char name[24];

    if (node->pool) {
        place_owner(place_number(node, d->addr.slot, d->addr.fn), name);
        plan_alloc_release(node->places->alloc, name, PLAN_LIVE, NULL, NULL);
    }
    if (node->pool && node->orphan) {
        plan_places_drop_bus(node);
    }
}

void plan_places_free(struct PlanPlaces *p)
{
    if (p) {
        plan_alloc_free(p->alloc);
        g_free(p);
    }
}

static void place_enter_all(PlanBusNode *node)
{
    for (unsigned i = 0; i < 8 * G_N_ELEMENTS(node->slot); i++) {
        PlanDevice *const *fn = node->slot[i / 8];

        if (fn && fn[i % 8]) {
            plan_places_enter(node, fn[i % 8]);
        }
    }
}

PlanAlloc *plan_places_of(PlanIndex *x)
{
    if (x->places) {
        return x->places->alloc;
    }
    x->places = g_new0(struct PlanPlaces, 1);
    x->places->alloc = plan_alloc_new(&place_type, PLAN_LIVE, NULL, 0, NULL);
    for (guint i = 0; i < x->bus_order->len; i++) {
        plan_places_add_bus(x, x->bus_order->pdata[i]);
        place_enter_all(x->bus_order->pdata[i]);
    }
    return x->places->alloc;
}

static void place_to_addr(uint64_t place, PlanPciAddr *addr)
{
    *addr = (PlanPciAddr){ .slot = place >> 3 & 0x1f, .fn = place & 7 };
}

bool plan_places_slot(PlanIndex *x, const PlanBusNode *node, int slot, PlanPciAddr *addr)
{
    const PlanAlloc *a = plan_places_of(x);
    PlanRequest r;
    uint64_t place;

    plan_request_init(&r, &place_type);
    r.range.lo[PLACE_BUS] = r.range.hi[PLACE_BUS] = node->serial;
    r.range.hi[PLACE_FN] = 0;
    if (slot >= 0) {
        r.range.lo[PLACE_SLOT] = r.range.hi[PLACE_SLOT] = (uint64_t)slot;
    }
    r.options = PLAN_RESERVE_GROUP;
    if (!plan_alloc_first(a, &r, &place)) {
        return false;
    }
    place_to_addr(place, addr);
    return true;
}

/* Return whether a further function may be added to a slot whose function 0 is @zero. */
static bool place_joins(const PlanDevice *zero, PlanPciRole role)
{
    return zero && zero->t->role == role && plan_device_flag(zero, "multifunction", false);
}

bool plan_places_shared(PlanIndex *x, const PlanBusNode *node, PlanPciRole role, int slot,
                        PlanPciAddr *addr)
{
    const PlanAlloc *a = plan_places_of(x);
    uint64_t place = place_number(node, slot < 0 ? 0 : (unsigned)slot, 0);
    uint64_t end = slot < 0 ? place_number(node, 31, 7) : place + 7;

    while (plan_alloc_next_free(a, PLAN_LIVE, &place) && place <= end) {
        PlanDevice *const *fn;

        place_to_addr(place, addr);
        fn = node->slot[addr->slot];
        if (fn ? place_joins(fn[0], role) : addr->fn == 0) {
            return true;
        }
        place = (place | 7) + 1;
    }
    return false;
}

unsigned plan_places_empty(const PlanBusNode *node)
{
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    return (unsigned)__builtin_popcountll(((2ull << last) - (1ull << first)) & ~node->used);
}

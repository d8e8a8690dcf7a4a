/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the sources of the address allocator: sorted sets of number ranges, the keys
 * of an order, and the structure of a set.
 */
#ifndef PLAN_ALLOC_INTERNAL_H
#define PLAN_ALLOC_INTERNAL_H

#include <string.h>

#include "plan/alloc.h"
#include "plan/internal.h"

/* --- alloc_tree.c: disjoint ranges of numbers, sorted --- */

typedef struct PlanSpan {
    uint64_t lo, hi; /* inclusive */
    void *data;
} PlanSpan;

/* A B+ tree. Each inner entry has the sum of the lengths and the greatest length below it. */
typedef struct PlanSpanTree {
    struct PlanSpanNode *root; /* NULL: empty */
    size_t n;
} PlanSpanTree;

void plan_span_clear(PlanSpanTree *t);
/* Add a range that overlaps no range of the tree. */
void plan_span_insert(PlanSpanTree *t, uint64_t lo, uint64_t hi, void *data);
/* Remove the range that begins at @lo. No effect if there is none. */
void plan_span_remove(PlanSpanTree *t, uint64_t lo);
/* Change the ends of the range that begins at @lo. It must not pass or overlap another range. */
void plan_span_resize(PlanSpanTree *t, uint64_t lo, uint64_t new_lo, uint64_t new_hi);
/* Set *span to the first range with an end at or behind @key and a length of at least @length.
 * Return false if there is none. */
bool plan_span_next(const PlanSpanTree *t, uint64_t key, uint64_t length, PlanSpan *span);
/* Set *span to the last range that begins at or before @key. */
bool plan_span_prev(const PlanSpanTree *t, uint64_t key, PlanSpan *span);
/* Set *span to the range that contains @key. */
bool plan_span_find(const PlanSpanTree *t, uint64_t key, PlanSpan *span);
/* Return the number of numbers below @key that are in ranges. */
uint64_t plan_span_count_below(const PlanSpanTree *t, uint64_t key);
/* Add the numbers from @lo to @hi, none of which is in the tree. Adjacent ranges with the same data
 * become one. */
void plan_span_add(PlanSpanTree *t, uint64_t lo, uint64_t hi, void *data);
/* Remove the numbers from @lo to @hi where they are in the tree. */
void plan_span_cut(PlanSpanTree *t, uint64_t lo, uint64_t hi);

/* --- alloc_order.c: keys --- */

/* How an address becomes a key of one order: the dimensions at other positions, those in
 * descending order complemented. */
typedef struct PlanKeyOrder {
    unsigned n;                    /* dimensions */
    uint8_t dim[PLAN_ADDR_DIMS];   /* dimension of the type, the most significant first */
    uint8_t shift[PLAN_ADDR_DIMS]; /* position in the key */
    uint8_t from[PLAN_ADDR_DIMS];  /* position in the address */
    uint64_t mask[PLAN_ADDR_DIMS]; /* the greatest value */
    uint64_t flip[PLAN_ADDR_DIMS]; /* mask: descending; 0: ascending */
    uint64_t top;                  /* the greatest key */
    bool plain;                    /* a key is the address */
} PlanKeyOrder;

/* Ranges in the positions of an order. */
typedef struct PlanKeyBox {
    uint64_t lo[PLAN_ADDR_DIMS], hi[PLAN_ADDR_DIMS];
} PlanKeyBox;

/* Prepare an order; @order NULL: the order of the type. False with @err set if it does not contain
 * each dimension once. */
bool plan_key_order_init(PlanKeyOrder *o, const PlanAddrType *type, const PlanAllocOrder *order,
                         GError **err);
uint64_t plan_key_of(const PlanKeyOrder *o, uint64_t addr);
uint64_t plan_key_addr(const PlanKeyOrder *o, uint64_t key);
void plan_key_box(const PlanKeyOrder *o, const PlanAddrRange *range, PlanKeyBox *box);
/* Set *key to the first key at or behind @from inside the box. False if there is none. */
bool plan_key_ceil(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t from, uint64_t *key);
/* Return the number of separate ranges of keys in the box, at most @max + 1. */
uint64_t plan_key_rows(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t max);
/* Set *lo and *hi to the range of keys of the box at or behind @from. False if there is none. */
bool plan_key_row(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t from, uint64_t *lo,
                  uint64_t *hi);

/* --- the structure of a set --- */

enum { ALLOC_VIEWS = 2, ALLOC_JOURNAL_MAX = 1 << 22 };

typedef struct PlanPool {
    uint32_t id;
    unsigned views;
    uint64_t flags;
    void *opaque;
    PlanAddrRange range;
    uint64_t rows; /* in all orders */
} PlanPool;

/* The addresses of one owner. */
typedef struct PlanHolder {
    uint64_t first, count; /* first address in the order of the request; length of the block */
    uint8_t views, order;
    char name[];
} PlanHolder;

struct PlanAlloc {
    const PlanAddrType *type;
    unsigned views, n_orders;
    PlanKeyOrder order[PLAN_ALLOC_ORDERS];
    uint64_t group_mask; /* bits of an address inside its group; 0: no groups */
    GHashTable *pools;   /* number -> PlanPool */
    uint32_t last_pool;
    uint64_t rows;                    /* of all pools */
    GHashTable *holders;              /* name -> PlanHolder */
    PlanSpanTree pool_rows;           /* addresses -> PlanPool */
    PlanSpanTree held[ALLOC_VIEWS];   /* addresses -> PlanHolder */
    PlanSpanTree closed[ALLOC_VIEWS]; /* groups made unavailable */
    /* Addresses that are free in all views of a mask -> PlanPool, in the keys of each order. */
    PlanSpanTree free[PLAN_BOTH + 1][PLAN_ALLOC_ORDERS];
    GArray *journal; /* of an open transaction, or NULL */
};

/* Return the views of a mask of @a. */
static inline bool alloc_views_ok(const PlanAlloc *a, unsigned views)
{
    return views != 0 && (views & ~a->views) == 0;
}

/* alloc.c */
/* Make the trees of free addresses agree with the pools and owners for the addresses from @first to
 * @last, as far as they are in pools. */
void plan_alloc_refresh(PlanAlloc *a, uint64_t first, uint64_t last);
/* Return the owner with this name, created without views if there is none. */
PlanHolder *plan_alloc_hold(PlanAlloc *a, const char *name, uint64_t first, uint64_t count,
                            unsigned order);
/* Enter @holder in more views. Make its group unavailable in the views of @closes. */
void plan_alloc_attach(PlanAlloc *a, PlanHolder *holder, unsigned views, unsigned closes);
/* Take @holder out of views; it is freed if no view is left. Return the views in which its group is
 * not unavailable any more. */
unsigned plan_alloc_detach(PlanAlloc *a, PlanHolder *holder, unsigned views);
/* Return the number of held addresses in the group of an address, in the views of @views. */
uint64_t plan_alloc_group_held(const PlanAlloc *a, uint64_t addr, unsigned views);
/* Return " in the live set", or "" for a set with one view; const. */
const char *plan_alloc_in_views(const PlanAlloc *a, unsigned views);

/* alloc_pool.c */
PlanPool *plan_alloc_pool_at(const PlanAlloc *a, uint64_t addr);
/* Enter a pool, remove it, or change its views. The caller has checked that this is possible. */
void plan_alloc_pool_enter(PlanAlloc *a, PlanPool *pool);
void plan_alloc_pool_leave(PlanAlloc *a, PlanPool *pool);
void plan_alloc_pool_change(PlanAlloc *a, PlanPool *pool, unsigned views);
/* Return false with @err set if a range of values is not one of the type. */
bool plan_range_check(const PlanAddrType *type, const PlanAddrRange *range, GError **err);

/* alloc_journal.c: record a change. No effect without a transaction, except where stated. */
void plan_journal_attached(PlanAlloc *a, const PlanHolder *holder, unsigned views);
/* To be called before plan_alloc_detach(), whose result then completes the entry. */
void plan_journal_detached(PlanAlloc *a, const PlanHolder *holder, unsigned views);
void plan_journal_set_opened(PlanAlloc *a, unsigned opened);
/* Return false with @err set if the journal is full. */
bool plan_journal_room(const PlanAlloc *a, GError **err);
void plan_journal_pool_added(PlanAlloc *a, PlanPool *pool);
/* Takes ownership of the pool. Without a transaction the pool is freed. */
void plan_journal_pool_removed(PlanAlloc *a, PlanPool *pool);
void plan_journal_pool_changed(PlanAlloc *a, PlanPool *pool, unsigned views_before);
/* Free the journal of an open transaction and what it owns. */
void plan_journal_free(PlanAlloc *a);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address allocator: sets of addresses of any type, which address is free, and who owns which.
 *
 * An address type (PlanAddrType) is a table of dimensions. An address is one number: the values of
 * the dimensions, the first dimension in the most significant bits, so that addresses compare in
 * the order of their dimensions. Pools define which addresses exist: each pool is a range of values
 * per dimension. An owner, which is a name, holds one address or one block of consecutive
 * addresses. The allocator contains nothing about PCI; the built-in types are in
 * plan/address_types.h.
 *
 * A set has up to two views: the addresses in use by the running machine (PLAN_LIVE), and those in
 * use by its stored description (PLAN_PERSISTENT). An owner has the same address in both.
 *
 * Each operation either succeeds, or changes nothing and sets its GError (PLAN_ERROR), whose
 * message is one line. Costs are O(log n) in the number of pools, owners and free ranges, except
 * where a comment states otherwise. A set has one owner at a time: no function of this header is
 * thread-safe, and none needs a lock.
 */
#ifndef PLAN_ALLOC_H
#define PLAN_ALLOC_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
    PLAN_ADDR_DIMS = 8,         /* dimensions of a type */
    PLAN_ADDR_BITS = 63,        /* sum of the widths of the dimensions */
    PLAN_ADDR_GROUP_BITS = 8,   /* sum of the widths of the dimensions inside a group */
    PLAN_ALLOC_ORDERS = 4,      /* orders of a set, including the order of its type */
    PLAN_ALLOC_BLOCK = 1 << 16, /* addresses of a block */
    PLAN_ALLOC_ROWS = 1 << 16,  /* separate ranges of addresses of a pool, in each order */
    PLAN_ALLOC_TOTAL = 1 << 20, /* separate ranges of all pools, in all orders */
    PLAN_ALLOC_OWNERS = 1 << 22,
    PLAN_ALLOC_NAME = 255, /* bytes of an owner's name */
};

/* --- address types --- */

typedef enum PlanNotation {
    PLAN_NOTATION_DECIMAL,
    PLAN_NOTATION_HEX,     /* "0x" is accepted and not printed */
    PLAN_NOTATION_LETTERS, /* a to z, aa to zz, aaa ...: 0 to 25, 26 to 701, 702 ... */
} PlanNotation;

enum {
    PLAN_DIM_START_AFTER = 1 << 0, /* text may begin with the next dimension: the value is 0 */
    PLAN_DIM_END_BEFORE = 1 << 1,  /* text may end before this dimension: the value is 0 */
    PLAN_DIM_HIDE_ZERO = 1 << 2,   /* not printed if this value and all later ones are 0 */
};

typedef struct PlanAddrDim {
    const char *name;   /* "slot" */
    const char *before; /* the text in front of the value: ":" */
    PlanNotation notation;
    uint8_t width;  /* bits of the value, 1 to 32 */
    uint8_t digits; /* printed with at least this number of digits, at most 16 */
    uint8_t flags;  /* PLAN_DIM_* */
} PlanAddrDim;

/*
 * An address type. A caller can define its own. The structure must stay valid and unchanged as long
 * as a set of the type exists. Members without a value are 0.
 */
typedef struct PlanAddrType PlanAddrType;
struct PlanAddrType {
    const char *name; /* "pci", for messages */
    unsigned n_dims;
    PlanAddrDim dim[PLAN_ADDR_DIMS];
    /* Addresses with equal values in the first `group_dims` dimensions form a group, for example
     * the functions of a slot; 0: no groups. */
    unsigned group_dims;
    const char *group_name; /* "slot", for messages */
    /* Rule of the type, or NULL: return true if the address is valid; otherwise false, with *err
     * set by g_set_error(). A search examines each free address that the rule rejects, so areas
     * that no device may use are better left out of the pools. */
    bool (*check)(const PlanAddrType *type, uint64_t addr, GError **err);
    void *reserved[4]; /* NULL */
};

/* A range of values per dimension, inclusive. Entries beyond the dimensions of the type are not
 * used. */
typedef struct PlanAddrRange {
    uint64_t lo[PLAN_ADDR_DIMS], hi[PLAN_ADDR_DIMS];
} PlanAddrRange;

/* Return true if the table of a type is valid; false with @err set to the rule that it breaks. */
bool plan_address_type_check(const PlanAddrType *type, GError **err);
/* Set *addr to the address with these values, one per dimension. False with @err set if a value
 * exceeds its width or the rule of the type rejects the address. */
bool plan_address_pack(const PlanAddrType *type, const uint64_t *value, uint64_t *addr,
                       GError **err);
/* Return the value of a dimension; 0 for a dimension that the type lacks. */
uint64_t plan_address_value(const PlanAddrType *type, uint64_t addr, unsigned dim);
/* Parse one address. False with @err set, and *addr unchanged, if the text is not an address of the
 * type; the message names the dimension, the text and the accepted values. */
bool plan_address_parse(const PlanAddrType *type, const char *text, uint64_t *addr, GError **err);
/* Return the text of an address; g_free(). plan_address_parse() of the result returns @addr. */
char *plan_address_format(const PlanAddrType *type, uint64_t addr);
/* Parse ranges: an address in which each value may be {LO..HI} or, for all values of the dimension,
 * *. For example "0000:{0..3}:*.0". False with @err set and *range unchanged on failure. */
bool plan_range_parse(const PlanAddrType *type, const char *text, PlanAddrRange *range,
                      GError **err);
/* Return the text of ranges; g_free(). */
char *plan_range_format(const PlanAddrType *type, const PlanAddrRange *range);
/* Set *range to all values of each dimension. */
void plan_range_all(const PlanAddrType *type, PlanAddrRange *range);

/* --- sets --- */

typedef struct PlanAlloc PlanAlloc;

enum {
    PLAN_LIVE = 1 << 0,
    PLAN_PERSISTENT = 1 << 1,
    PLAN_BOTH = PLAN_LIVE | PLAN_PERSISTENT,
};

/* An order of addresses: the dimensions, the most significant first. */
typedef struct PlanAllocOrder {
    uint8_t dim[PLAN_ADDR_DIMS]; /* each dimension of the type once */
    uint8_t down;                /* 1 << dimension: its values in descending order */
} PlanAllocOrder;

/**
 * plan_alloc_new() - Create an empty set.
 * @type:     the address type; must outlive the set
 * @views:    PLAN_LIVE for a set with one view, PLAN_BOTH for two
 * @orders:   orders 1, 2, ... in which addresses can be requested; order 0 is the order of the type
 * @n_orders: their number, at most PLAN_ALLOC_ORDERS - 1; each order adds to the cost of operations
 * @err:      set on failure
 *
 * Return: the set, freed by plan_alloc_free(); or NULL.
 */
PlanAlloc *plan_alloc_new(const PlanAddrType *type, unsigned views, const PlanAllocOrder *orders,
                          unsigned n_orders, GError **err);
/* Free a set with its pools and owners. NULL is accepted. */
void plan_alloc_free(PlanAlloc *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanAlloc, plan_alloc_free)
const PlanAddrType *plan_alloc_type(const PlanAlloc *a);

/* --- pools --- */

/**
 * plan_alloc_add_pool() - Add addresses to a set.
 * @a:      the set
 * @range:  the addresses; must not overlap another pool
 * @views:  the views in which the addresses exist
 * @flags:  bits of the caller's choice (connection types, hot plug ...), which requests can require
 * @opaque: stored for the caller
 * @err:    set on failure
 *
 * A bus whose range differs from those of the other buses is a pool of its own. The cost is
 * O(log n) for each separate range of addresses: one if all dimensions behind the first one with
 * several values are complete, otherwise one for each combination of values before.
 *
 * Return: the number of the pool, which no other pool of the set ever has; or 0.
 */
uint32_t plan_alloc_add_pool(PlanAlloc *a, const PlanAddrRange *range, unsigned views,
                             uint64_t flags, void *opaque, GError **err);
/* Remove a pool. False with @err set if the set has no such pool, or if an address of the pool is
 * held; the message names the owner. */
bool plan_alloc_remove_pool(PlanAlloc *a, uint32_t pool, GError **err);
/* Change the views of a pool, for example when a controller that was plugged into the running
 * machine becomes part of its description. False with @err set if an address of the pool is held
 * in a view that the pool would lose. */
bool plan_alloc_set_pool_views(PlanAlloc *a, uint32_t pool, unsigned views, GError **err);
/* Set *range, *views, *flags and *opaque, each of which may be NULL. False if there is no such
 * pool. */
bool plan_alloc_get_pool(const PlanAlloc *a, uint32_t pool, PlanAddrRange *range, unsigned *views,
                         uint64_t *flags, void **opaque);
/* Return the pool that contains an address, or 0. */
uint32_t plan_alloc_pool_of(const PlanAlloc *a, uint64_t addr);

/* --- reserving and releasing --- */

enum {
    /* Reserve an address of a group without owners and make the other addresses of the group
     * unavailable, without reserving them, until its last owner is released. */
    PLAN_RESERVE_GROUP = 1 << 0,
    /* An address that PLAN_RESERVE_GROUP has made unavailable may be reserved as well. The group
     * remains unavailable to others. */
    PLAN_RESERVE_JOIN = 1 << 1,
};

/*
 * A request. Initialize it with PLAN_REQUEST_INIT(type); all addresses of the type then match.
 */
typedef struct PlanRequest {
    size_t size;         /* sizeof(PlanRequest) */
    PlanAddrRange range; /* the accepted addresses */
    unsigned views;      /* reserve in these views */
    unsigned order;      /* choose the first free address in this order ... */
    bool has_after;      /* ... behind the address `after`, which need not be in a pool */
    uint64_t after;
    uint64_t count;   /* addresses of a block, consecutive in the last dimension of the order */
    uint64_t align;   /* the first value of the block is a multiple of this */
    unsigned options; /* PLAN_RESERVE_* */
    uint64_t flags;   /* the pool must have all these flags */
    /* Decide about a pool, or NULL. The function must not call the allocator for this set. */
    bool (*filter)(uint32_t pool, uint64_t flags, void *opaque, void *data);
    void *filter_data;
} PlanRequest;

/* Set *request to "any address in the live view". */
void plan_request_init(PlanRequest *request, const PlanAddrType *type);
/* Restrict a request to one address. */
void plan_request_exactly(PlanRequest *request, const PlanAddrType *type, uint64_t addr);

/**
 * plan_alloc_reserve() - Reserve an address or a block.
 * @a:       the set
 * @request: the accepted addresses
 * @owner:   a name of at most PLAN_ALLOC_NAME bytes; copied
 * @addr:    set to the address, or to the first address of the block, on success; may be NULL
 * @err:     set on failure
 *
 * An owner that holds an address in another view receives the same address, or the request fails.
 * A request in one view of two prefers an address that is free in both, so that the owner can
 * receive it in the other view later. A request for one address that is not free fails with the
 * name of the owner and the nearest free addresses.
 *
 * The cost is O(log n) if the accepted addresses are consecutive in the order of the request. For
 * others it grows with the number of free ranges between accepted addresses: declare an order in
 * which the fixed dimensions are first.
 *
 * Return: true; or false.
 */
bool plan_alloc_reserve(PlanAlloc *a, const PlanRequest *request, const char *owner, uint64_t *addr,
                        GError **err);
/**
 * plan_alloc_release() - Release what an owner holds.
 * @a:          the set
 * @owner:      the owner
 * @views:      the views in which it is released; those in which it holds nothing are ignored
 * @group_free: set to true if no owner is left in a group that @owner was in, in any of the views;
 *              may be NULL
 * @err:        set if the owner holds nothing in these views
 *
 * Return: true; or false.
 */
bool plan_alloc_release(PlanAlloc *a, const char *owner, unsigned views, bool *group_free,
                        GError **err);

/* --- transactions --- */

/* Begin a transaction: plan_alloc_rollback() undoes all later changes of owners and pools, in O(1)
 * operations for each of them; plan_alloc_commit() keeps them. False with @err set if one is open.
 */
bool plan_alloc_begin(PlanAlloc *a, GError **err);
/* False with @err set if no transaction is open. */
bool plan_alloc_commit(PlanAlloc *a, GError **err);
bool plan_alloc_rollback(PlanAlloc *a, GError **err);

/* --- queries --- */

/* Return true if the address is in a pool, free and available in all of @views. */
bool plan_alloc_is_free(const PlanAlloc *a, uint64_t addr, unsigned views);
/* Return the owner of an address in one view, borrowed until it is released; NULL if it has none.
 */
const char *plan_alloc_owner(const PlanAlloc *a, uint64_t addr, unsigned view);
/* Return what an owner holds: the first address, the number of addresses and the views, each of
 * which may be NULL. False if it holds nothing. */
bool plan_alloc_find(const PlanAlloc *a, const char *owner, uint64_t *addr, uint64_t *count,
                     unsigned *views);
/* Return the number of addresses that are free in all of @views. */
uint64_t plan_alloc_count_free(const PlanAlloc *a, unsigned views);
/* Return the number of such addresses from @first to @last, in the order of the type. */
uint64_t plan_alloc_count_free_in(const PlanAlloc *a, unsigned views, uint64_t first,
                                  uint64_t last);
/* Return the number of held addresses of one view, from @first to @last. */
uint64_t plan_alloc_count_held(const PlanAlloc *a, unsigned view, uint64_t first, uint64_t last);
/* Find an address as plan_alloc_reserve() would choose it for a new owner, without reserving it.
 * False if no address matches. */
bool plan_alloc_first(const PlanAlloc *a, const PlanRequest *request, uint64_t *addr);
/* Ordered iteration: set *addr to the first address from *addr upwards that is free in all of
 * @views. False if there is none. */
bool plan_alloc_next_free(const PlanAlloc *a, unsigned views, uint64_t *addr);
/* Like plan_alloc_next_free(), but for held addresses of one view. */
bool plan_alloc_next_held(const PlanAlloc *a, unsigned view, uint64_t *addr);

G_END_DECLS

#endif

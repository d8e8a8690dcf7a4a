/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address map: a tree of regions that is searched by descent and never flattened.
 *
 * A region is a container (an interval map of children), a window (a view of part of another
 * region), RAM, or MMIO. A machine has one root for memory and one for port I/O. A PCI bus has one
 * container per space, in which BARs are mapped at bus addresses; windows of host and bridges are
 * views of these containers. Mapping, moving or removing a region changes one interval map, in
 * O(log n) of the number of its siblings.
 *
 * Siblings may overlap. At an address the region with the highest priority is used, then the one
 * with the lowest @order (a number that the owner derives from its place in the machine, so that
 * the result is the same after a migration), then the one that was mapped first. A container or
 * window without a child at an address is transparent, so that the next sibling is used, unless it
 * has a background. The depth is limited to MEM_MAX_DEPTH; a deeper or cyclic map reads as
 * unmapped.
 *
 * Locking: the machine lock protects changes of regions, and MMIO lookups and accesses. CPUs may
 * cache lookups that end in RAM (TLBs). Each change that adds or removes RAM that is visible from a
 * root is reported to the listeners of the root before the change returns; they must have dropped
 * their cached pointers by then.
 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include "memory/ram.h"

#define MEM_MAX_DEPTH 64 /* nested containers and windows at one address */

typedef struct MemRegion MemRegion;

/* Result of an access. A failed read returns the value of the bus as well. */
typedef enum MemResult {
    MEM_OK = 0,
    MEM_UNMAPPED = 1 << 0, /* no region: zeroes, or all ones from a background */
    MEM_REFUSED = 1 << 1,  /* the device rejected the access (size, alignment, re-entrancy) */
} MemResult;

/*
 * Behaviour of an MMIO region. @read and @write get the offset inside the region and a size within
 * [impl_min, impl_max] (powers of two, 1 to 8). Wider accesses are split, low address first.
 * Narrower ones are widened: a narrow write becomes a read-modify-write if @narrow_rmw, otherwise
 * the function gets the narrow value in a wide access with zeroes in the other bytes.
 *
 * valid_min and valid_max limit the sizes that a guest may use. Outside them, or unaligned without
 * @unaligned, a read returns zeroes and MEM_REFUSED, and a write has no effect. The functions for
 * buffers split accesses so that they are within these limits. 0 selects a default: 1 for the
 * minima, 8 for valid_max, 4 for impl_max. Values are little-endian numbers of the guest.
 */
typedef struct MemOps {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    uint8_t valid_min, valid_max, impl_min, impl_max;
    bool unaligned, narrow_rmw;
} MemOps;

typedef enum MemKind { MEM_CONTAINER, MEM_WINDOW, MEM_RAM, MEM_MMIO } MemKind;
typedef enum MemBackground { MEM_TRANSPARENT, MEM_ZEROES, MEM_ONES } MemBackground;

/* The guard of entries into a device (hw/core/device.c implements it): enter() returns false if the
 * owner is already on the call stack. memory/ does not depend on devices, therefore the guard is
 * two function pointers. A region without a guard is always entered. */
typedef struct MemGuard {
    bool (*enter)(void *owner);
    void (*leave)(void *owner);
} MemGuard;

/*
 * A region is embedded in its owner or allocated by it. Fields are private to memory/ except
 * `name`, `size` and `kind`, which may be read. Zeroed memory is a valid uninitialised region.
 * Size 0 is valid and covers nothing; UINT64_MAX covers all 2^64 bytes.
 */
struct MemRegion {
    /* Read by lookups among siblings, 64 bytes: the mapping, and the node of the interval map, a
     * treap by (addr, seq) with the greatest end, the region of the highest rank and the presence
     * of RAM in the subtree. */
    uint64_t size, addr, max_last;
    MemRegion *left, *right, *best;
    int32_t priority;
    uint32_t order, seq;
    MemKind kind;
    /* read at the end of a lookup: MMIO, and stores to RAM with device_stores */
    const MemOps *ops;
    void *opaque;
    const MemGuard *guard;
    void *guard_owner;
    /* windows */
    MemRegion *target;
    uint64_t target_offset;
    /* containers */
    MemRegion *children; /* root of the interval tree */
    MemBackground background;
    bool has_ram; /* RAM, or RAM may be reached through it */
    /* read only by changes of the map */
    bool tree_ram;
    uint32_t tree_prio;
    MemRegion *up, *parent;
    const char *name; /* borrowed for the life of the region */
    unsigned n_children, n_ram_children;
    uint32_t next_seq;
    GPtrArray *viewers;   /* windows that show this region */
    GPtrArray *listeners; /* roots only */
    uint64_t generation;  /* counts changes that may affect a lookup that starts here */
    /* RAM */
    RamBlock *ram;
    uint64_t ram_offset;
};

/* --- initialisation: machine lock; cannot fail; r must not be mapped; undone by mem_fini() --- */

/* A container without children. @name is borrowed for the life of the region, as below. */
void mem_init_container(MemRegion *r, const char *name, uint64_t size, MemBackground background);
/* A view of [target_offset, target_offset + size) of @target, which must exist as long as r. */
void mem_init_window(MemRegion *r, const char *name, MemRegion *target, uint64_t target_offset,
                     uint64_t size);
/* [offset, offset + size) of a RAM block, which must exist as long as r. */
void mem_init_ram(MemRegion *r, const char *name, RamBlock *ram, uint64_t offset, uint64_t size);
/* Like mem_init_ram(), for a block whose stores a device handles (flash memory): loads and fetches
 * are direct, a store calls the write function of @ops. Sets read_only and device_stores of the
 * block, which must not be mapped elsewhere. */
void mem_init_rom_device(MemRegion *r, const char *name, RamBlock *ram, uint64_t offset,
                         uint64_t size, const MemOps *ops, void *opaque);
/* Registers; @opaque is passed to the functions of @ops. */
void mem_init_mmio(MemRegion *r, const char *name, uint64_t size, const MemOps *ops, void *opaque);
/* Set the guard of an MMIO region, or of one of mem_init_rom_device(). @owner is passed to its
 * functions. */
void mem_set_guard(MemRegion *r, const MemGuard *guard, void *owner);

/* Unmap r if it is mapped, detach it from windows, and free its memory (not the structure). */
void mem_fini(MemRegion *r);

/* --- mapping: O(log n) in the number of siblings; machine lock --- */

/**
 * mem_map() - Map a region in a container.
 * @parent:   the container
 * @addr:     address in the container
 * @r:        the region; must not be mapped. It may extend beyond the end of @parent; the part
 *            outside is not accessible
 * @priority: the region with the highest priority is used where siblings overlap
 * @order:    the lowest order is used among equal priorities
 *
 * Undone by mem_unmap().
 */
void mem_map(MemRegion *parent, uint64_t addr, MemRegion *r, int32_t priority, uint32_t order);
/* Unmap r. No effect if r is not mapped. */
void mem_unmap(MemRegion *r);
/* Move a mapped region to another address; priority and order are kept. */
void mem_move(MemRegion *r, uint64_t addr);
/* Change the view of a window, which may be mapped. */
void mem_window_set(MemRegion *r, uint64_t target_offset, uint64_t size);
static inline bool mem_is_mapped(const MemRegion *r)
{
    return r->parent != NULL;
}

/* --- looking up --- */

/* Result of a lookup: the leaf (RAM or MMIO; NULL if none), the offset in it, and the range of root
 * addresses around the address that the same mapping of the leaf covers (never larger than correct;
 * first <= addr <= last). @background determines the value of a read without a leaf. */
typedef struct MemLookup {
    MemRegion *leaf;
    uint64_t offset;
    uint64_t first, last;
    MemBackground background;
} MemLookup;

/* Look up an address. O(depth * log n). Machine lock. */
MemLookup mem_lookup(MemRegion *root, uint64_t addr);

/* A cached lookup, valid until the map changes below its root. Zeroed memory is an empty cache.
 * Repeated accesses to one register need no descent while the cache is valid. Belongs to one root.
 */
typedef struct MemMemo {
    MemLookup found;
    uint64_t generation; /* of the root, plus 1 */
} MemMemo;

/*
 * Return the host address of [addr, addr+len) if one RAM leaf covers it, else NULL. *block and
 * *offset receive the block of the leaf and the offset in it. Machine lock.
 */
uint8_t *mem_ram_ptr(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                     uint64_t *offset);
/*
 * Like mem_ram_ptr(), but any thread may call it without the machine lock, for page table walks and
 * TLB fills of CPU threads. The result is valid until the next change of RAM mappings: register a
 * listener, which is notified of the change and must stop the CPU thread before it returns.
 */
uint8_t *mem_ram_ptr_any(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                         uint64_t *offset);

/* --- accesses: machine lock --- */

/* One access of @size bytes: 1, 2, 4 or 8. */
MemResult mem_read(MemRegion *root, uint64_t addr, unsigned size, uint64_t *value);
MemResult mem_write(MemRegion *root, uint64_t addr, unsigned size, uint64_t value);

/* Like mem_read() and mem_write(), with a cached lookup. */
MemResult mem_read_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                        uint64_t *value);
MemResult mem_write_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                         uint64_t value);

/* Accesses of any length, as a sequence of accesses: memcpy() for RAM; for MMIO the widest
 * naturally aligned pieces that the device accepts, up to 8 bytes. A piece that extends beyond the
 * end of a region is split into bytes, each for the region at its address. A length of 1, 2, 4 or 8
 * on one device is one access of this width if the device accepts it, aligned or not. Returns the
 * union of the results of the pieces; unmapped bytes read as the background. */
MemResult mem_read_buf(MemRegion *root, uint64_t addr, void *buf, uint64_t len);
MemResult mem_write_buf(MemRegion *root, uint64_t addr, const void *buf, uint64_t len);
MemResult mem_set(MemRegion *root, uint64_t addr, uint8_t byte, uint64_t len);

/* --- RAM changes as seen from a root --- */

/* Called with the machine lock held, after the map changed: RAM in [addr, addr+len) of the address
 * space of the root was added or removed. Ranges are conservative. A listener drops its cached
 * entries in the range. */
typedef struct MemListener {
    void (*ram_changed)(void *opaque, uint64_t addr, uint64_t len, bool added);
    void *opaque;
} MemListener;
/* Register a listener, which is borrowed until mem_unlisten(). */
void mem_listen(MemRegion *root, MemListener *listener);
void mem_unlisten(MemRegion *root, MemListener *listener);

/* Call fn for each mapped region below root, depth first in address order, with its depth and the
 * first root address at which it is visible. Regions outside every window are omitted; regions that
 * a sibling hides are not. For `info mtree` and pictures. */
typedef void MemVisitFn(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth);
void mem_visit(const MemRegion *root, MemVisitFn *fn, void *opaque);

/* Check every invariant of the map below @root with assertions. For tests and fuzzers. */
void mem_check(const MemRegion *root);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address map: a tree of regions that is looked up by descent and never flattened.
 *
 * A region is a container (an interval map of children), a window (a view of part of another
 * region), RAM, or MMIO. A machine has one root for memory and one for port I/O; a PCI bus has
 * one container per space, in which BARs stand at bus addresses; host and bridge windows are
 * views of those containers. Mapping, moving or removing one region changes one interval map:
 * O(log n) in the number of siblings, whatever else the machine has.
 *
 * Overlap is legal. Among siblings that cover an address the winner has the highest priority,
 * then the lowest `order` (a number that the owner derives from its place in the machine, so
 * that the winner is the same after a migration), then the one that was mapped first. A container or window with no child at an
 * address is transparent (the next sibling below is asked), unless it has a background.
 * Descent is bounded (MEM_MAX_DEPTH); a deeper or cyclic map reads as nothing there.
 *
 * Locking: regions are changed, and MMIO is looked up and entered, under the machine lock.
 * Lookups that end in RAM may be cached by CPUs (TLBs); every change that adds or removes RAM
 * that is visible from a root is reported to the root's listeners before it returns, and they
 * must have dropped their cached pointers by then.
 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include "memory/ram.h"

#define MEM_MAX_DEPTH 64 /* nested containers and windows on the way to one address */

typedef struct MemRegion MemRegion;

/* What happened to an access. Reads that fail still deliver a value (the bus's own). */
typedef enum MemResult {
    MEM_OK = 0,
    MEM_UNMAPPED = 1 << 0, /* nothing there: zeroes, or all ones from a background */
    MEM_REFUSED = 1 << 1,  /* the device refuses this access (size, alignment, re-entrancy) */
} MemResult;

/*
 * An MMIO region's behaviour. `read` and `write` get the offset inside the region and a size
 * within [impl_min, impl_max] (powers of two, 1 to 8); the map splits wider accesses into
 * several, low address first, and widens narrower ones (a narrow write becomes read-modify-write
 * only if `narrow_rmw`; otherwise the callee gets the narrow value in a wide access with the
 * other bytes zero). valid_min/valid_max bound what a guest may issue at all: outside them, or
 * unaligned without `unaligned`, a read gives all zeroes and MEM_REFUSED, a write nothing (the
 * buffer functions below keep their pieces inside these bounds).
 * 0 means 1 for the minima and 8 for valid_max, 4 for impl_max. Values are little-endian
 * numbers of the guest.
 */
typedef struct MemOps {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    uint8_t valid_min, valid_max, impl_min, impl_max;
    bool unaligned, narrow_rmw;
} MemOps;

typedef enum MemKind { MEM_CONTAINER, MEM_WINDOW, MEM_RAM, MEM_MMIO } MemKind;
typedef enum MemBackground { MEM_TRANSPARENT, MEM_ZEROES, MEM_ONES } MemBackground;

/* The guard around entries into a device (hw/core/guard.h implements it): enter() returns false
 * if the owner is already on the call stack. Kept here as two pointers so that memory/ knows no
 * device. A region without a guard is always entered. */
typedef struct MemGuard {
    bool (*enter)(void *owner);
    void (*leave)(void *owner);
} MemGuard;

/*
 * A region is embedded in its owner or allocated by it. Fields are private to memory/ except
 * `name`, `size` and `kind`, which may be read. Zeroed memory is a valid uninitialised region.
 * Size 0 is legal and covers nothing; UINT64_MAX covers 2^64 bytes ("whole").
 */
struct MemRegion {
    /* What lookups read on their way through the siblings, 64 bytes: where it is mapped, and its
     * node in the interval map, a treap by (addr, seq), augmented with the greatest end, the
     * winner of the subtree and whether RAM stands anywhere below it. */
    uint64_t size, addr, max_last;
    MemRegion *left, *right, *best;
    int32_t priority;
    uint32_t order, seq;
    MemKind kind;
    /* what they read at the end of it: MMIO */
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
    bool has_ram; /* RAM itself, or RAM may be reached through it */
    /* what only changes of the map read */
    bool tree_ram;
    uint32_t tree_prio;
    MemRegion *up, *parent;
    const char *name; /* borrowed; lives as long as the region */
    unsigned n_children, n_ram_children;
    uint32_t next_seq;
    GPtrArray *viewers;   /* windows that show this region */
    GPtrArray *listeners; /* roots only */
    uint64_t generation;  /* counts changes that may alter a lookup which begins here */
    /* RAM */
    RamBlock *ram;
    uint64_t ram_offset;
};

/* --- making regions (machine lock; none can fail; the region must be unmapped) --- */
void mem_init_container(MemRegion *r, const char *name, uint64_t size, MemBackground background);
void mem_init_window(MemRegion *r, const char *name, MemRegion *target, uint64_t target_offset,
                     uint64_t size);
void mem_init_ram(MemRegion *r, const char *name, RamBlock *ram, uint64_t offset, uint64_t size);
void mem_init_mmio(MemRegion *r, const char *name, uint64_t size, const MemOps *ops,
                   void *opaque);
void mem_set_guard(MemRegion *r, const MemGuard *guard, void *owner);

/* Unmap if mapped, detach from windows, free what the region owns (not the region). */
void mem_fini(MemRegion *r);

/* --- placing them: O(log n) in the siblings --- */

/* Map r at addr inside container `parent`. r must be unmapped. It may run over the parent's
 * end; what is outside is not reachable. */
void mem_map(MemRegion *parent, uint64_t addr, MemRegion *r, int32_t priority, uint32_t order);
void mem_unmap(MemRegion *r); /* no-op when not mapped */
/* Move a mapped region, keeping priority and order. */
void mem_move(MemRegion *r, uint64_t addr);
/* Change a window's view; the window may be mapped. */
void mem_window_set(MemRegion *r, uint64_t target_offset, uint64_t size);
static inline bool mem_is_mapped(const MemRegion *r)
{
    return r->parent != NULL;
}

/* --- looking up --- */

/* What stands at an address: the leaf (RAM or MMIO; NULL if nothing), the offset in it, and the
 * range of root addresses around the one asked for which the answer is the same by this leaf's
 * mapping alone (never wider than true; first <= addr <= last). background tells what a read
 * of nothing gives. */
typedef struct MemLookup {
    MemRegion *leaf;
    uint64_t offset;
    uint64_t first, last;
    MemBackground background;
} MemLookup;

/* O(depth * log n). Machine lock. */
MemLookup mem_lookup(MemRegion *root, uint64_t addr);

/* A lookup that is remembered, and good until the map changes anywhere below its root. Zeroed
 * memory is an empty one. For whoever accesses the same register over and over: while the answer
 * holds an access costs no descent. Belongs to one root. */
typedef struct MemMemo {
    MemLookup found;
    uint64_t generation; /* of the root, plus 1 */
} MemMemo;

/*
 * The host address of [addr, addr+len) if all of it is one RAM leaf, else NULL. *block and *offset
 * receive the leaf's block and the offset in it. Machine lock.
 */
uint8_t *mem_ram_ptr(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                     uint64_t *offset);
/*
 * The same from any thread without the machine lock, for page table walks and TLB fills of CPU
 * threads. The result stays valid until the next change of RAM mappings: register a listener, which
 * is notified of the change and must stop the CPU thread before it returns.
 */
uint8_t *mem_ram_ptr_any(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                         uint64_t *offset);

/* --- accessing: one access of 1, 2, 4 or 8 bytes; machine lock --- */
MemResult mem_read(MemRegion *root, uint64_t addr, unsigned size, uint64_t *value);
MemResult mem_write(MemRegion *root, uint64_t addr, unsigned size, uint64_t value);

/* The same; *memo remembers where the address led. */
MemResult mem_read_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                        uint64_t *value);
MemResult mem_write_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                         uint64_t value);

/* Any length, as a run of accesses: RAM by memcpy; MMIO in the widest naturally aligned pieces
 * that the device takes, up to 8 bytes; a piece running over a region's end goes byte-wise, each
 * byte to what stands at its own address. A length of exactly 1, 2, 4 or 8 on one device is one
 * access of that width if the device takes it, aligned or not. The result is the union of the
 * pieces' results; bytes of nothing read as the background. */
MemResult mem_read_buf(MemRegion *root, uint64_t addr, void *buf, uint64_t len);
MemResult mem_write_buf(MemRegion *root, uint64_t addr, const void *buf, uint64_t len);
MemResult mem_set(MemRegion *root, uint64_t addr, uint8_t byte, uint64_t len);

/* --- RAM changes as seen from a root --- */

/* Called with the machine lock held, after the tree changed: RAM in [addr, addr+len) of the
 * root's address space appeared, or went away. Ranges are conservative: a listener drops what
 * it cached there. */
typedef struct MemListener {
    void (*ram_changed)(void *opaque, uint64_t addr, uint64_t len, bool added);
    void *opaque;
} MemListener;
void mem_listen(MemRegion *root, MemListener *listener);   /* borrowed */
void mem_unlisten(MemRegion *root, MemListener *listener);

/* Call fn for each mapped region below root, depth first in address order, with its depth and
 * the address as seen from the root at which it begins to be visible. What stands outside every
 * window is not visited; what is hidden by a sibling is. For `info mtree` and pictures. */
typedef void MemVisitFn(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth);
void mem_visit(const MemRegion *root, MemVisitFn *fn, void *opaque);

/* Check every invariant of the tree below `root`; aborts on our own bug. Tests and fuzzers. */
void mem_check(const MemRegion *root);

#endif

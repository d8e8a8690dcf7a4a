/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Software TLBs: guest virtual page to host address, one array each for reading, writing and
 * fetching, so that a copy between two pages with the same index does not compete for one entry.
 *
 * A tag is the page address with a 12-bit context in its low bits; context 0 never matches. A
 * context stands for one translation regime (the target's two key words), so that switching
 * address spaces or privilege flushes nothing. A full flush discards the keys and continues with
 * new numbers. The arrays are cleared when the numbers are used up.
 *
 * An access finds its entry by its first byte and compares the tag with the page of its last byte:
 * an access inside a page is fast with any alignment, and one that crosses pages uses the slow
 * path. This relies on the index function, which never gives two neighbouring pages the same entry.
 *
 * Only RAM is cached. All functions are for the thread of the CPU, or are called while the CPU is
 * parked.
 */
#ifndef ACCEL_TLB_H
#define ACCEL_TLB_H

#include <stdbool.h>
#include <stdint.h>

#define TLB_PAGE_BITS 12
#define TLB_PAGE_MASK (~(uint64_t)0 << TLB_PAGE_BITS)
#define TLB_BITS      12
#define TLB_SIZE      (1u << TLB_BITS)
#define TLB_CONTEXTS  4096u /* numbers 1 to 4095 */
#define TLB_KEYS      64u
#define TLB_LEVELS    4 /* sizes of leaves above a page that are tracked */

typedef struct TlbEntry {
    uint64_t tag;
    uint64_t addend; /* host address minus guest virtual address */
} TlbEntry;

typedef enum TlbKind { TLB_READ, TLB_WRITE, TLB_EXEC, TLB_KINDS } TlbKind;

typedef struct TlbKey {
    uint64_t space; /* defined by the target: identifies the page tables */
    uint32_t mode;  /* defined by the target: changes access rights; bit 31: a fetching context */
    uint32_t context;
} TlbKey;
#define TLB_MODE_FETCH (1u << 31)

typedef struct Tlb {
    TlbEntry entry[TLB_KINDS][TLB_SIZE];
    TlbKey keys[TLB_KEYS];
    uint32_t next_context;
    uint64_t
        generation; /* incremented when the arrays are cleared and context numbers start again */
    uint64_t epoch; /* incremented when any translation ends; for caches derived from this one */
    uint64_t large[TLB_LEVELS][16]; /* filters: large leaves that pieces were cached from */
    uint64_t fetched[64];           /* filter: pages in the fetch array since the last renewal */
} Tlb;

/* The low bits of the page number: translated code computes them for each access. */
static inline unsigned tlb_index(uint64_t va)
{
    return va >> TLB_PAGE_BITS & (TLB_SIZE - 1);
}

/* The tag of an entry that serves an access to [va, va + size) in `context`. */
static inline uint64_t tlb_tag(uint64_t va, unsigned size, uint32_t context)
{
    return ((va + size - 1) & TLB_PAGE_MASK) | context;
}

static inline const TlbEntry *tlb_at(const Tlb *t, TlbKind kind, uint64_t va)
{
    return &t->entry[kind][tlb_index(va)];
}

void tlb_init(Tlb *t);

/* A value that identifies a context and is never used for another one. */
static inline uint64_t tlb_unique(const Tlb *t, uint32_t context)
{
    return t->generation << 12 | context;
}

/* The context number of a regime; assigns one if the regime has none. May clear the arrays:
 * contexts returned earlier are then invalid and *wrapped is set to true. Otherwise *wrapped is not
 * changed. */
uint32_t tlb_context(Tlb *t, uint64_t space, uint32_t mode, bool *wrapped);

/* Enter a page. `leaf_bits` is log2 of the size of the guest's page-table leaf it is part of. */
void tlb_fill(Tlb *t, TlbKind kind, uint64_t va, uint32_t context, uint64_t host_page,
              unsigned leaf_bits);

/* Discard every translation. Constant time unless the numbers wrap; callers must request their
 * contexts again. */
void tlb_flush(Tlb *t);
/* Discard one address, in all contexts, with every piece of the large leaves that may contain it.
 * Returns true if code may have been fetched through it; the caller must then call
 * tlb_renew_fetch(). */
bool tlb_flush_page(Tlb *t, uint64_t va);
/* Discard all regimes for which match() returns true. */
void tlb_flush_matching(Tlb *t, bool (*match)(uint64_t space, uint64_t arg), uint64_t arg);
/* End all fetching contexts, and with them everything that is keyed by their numbers (links between
 * blocks). */
void tlb_renew_fetch(Tlb *t);
/* Drop all write entries, or those to one host page. */
void tlb_flush_writes(Tlb *t);
void tlb_drop_writes_to(Tlb *t, uint64_t host_page);

#endif

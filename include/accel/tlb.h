/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Software TLBs: guest virtual page to host address, one array each for reading, writing and
 * fetching, so that a copy between two pages with the same index does not fight for one entry.
 *
 * A tag is the page address with a 12-bit context in its low bits; context 0 never matches. A
 * context stands for one translation regime (the target's two key words), so that switching
 * address spaces or privilege flushes nothing. A full flush forgets the keys and goes on with new
 * numbers; when these run out the arrays are cleared.
 *
 * An access looks its entry up by the first byte and compares the tag with the page of the last
 * byte: inside a page any alignment is fast, a crossing goes the slow way. The index function
 * never gives two neighbouring pages the same entry, on which this rests.
 *
 * Only RAM is cached. Everything here is for the CPU's own thread, or while it is parked.
 */
#ifndef ACCEL_TLB_H
#define ACCEL_TLB_H

#include <stdbool.h>
#include <stdint.h>

#define TLB_PAGE_BITS 12
#define TLB_PAGE_MASK (~(uint64_t)0 << TLB_PAGE_BITS)
#define TLB_BITS      10
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
    uint64_t space; /* the target's: what names the page tables */
    uint32_t mode;  /* the target's: what changes rights; bit 31: a fetching context */
    uint32_t context;
} TlbKey;
#define TLB_MODE_FETCH (1u << 31)

typedef struct Tlb {
    TlbEntry entry[TLB_KINDS][TLB_SIZE];
    TlbKey keys[TLB_KEYS];
    uint32_t next_context;
    uint64_t generation; /* counts clearings: context numbers mean something else afterwards */
    uint64_t epoch;      /* counts whatever ends a translation: for caches kept beside this one */
    uint64_t large[TLB_LEVELS][16]; /* filters: large leaves that pieces were cached from */
    uint64_t fetched[64];           /* filter: pages in the fetch array since the last renewal */
} Tlb;

static inline unsigned tlb_index(uint64_t va)
{
    return ((va >> TLB_PAGE_BITS) + (va >> (TLB_PAGE_BITS + TLB_BITS))) & (TLB_SIZE - 1);
}

/* The tag that an access to [va, va + size) in `context` must find. */
static inline uint64_t tlb_tag(uint64_t va, unsigned size, uint32_t context)
{
    return ((va + size - 1) & TLB_PAGE_MASK) | context;
}

static inline const TlbEntry *tlb_at(const Tlb *t, TlbKind kind, uint64_t va)
{
    return &t->entry[kind][tlb_index(va)];
}

void tlb_init(Tlb *t);

/* A name for a context that is never used again for another one. */
static inline uint64_t tlb_unique(const Tlb *t, uint32_t context)
{
    return t->generation << 12 | context;
}

/* The context number of a regime, given one if it has none. May clear everything: contexts got
 * earlier are then dead, and *wrapped becomes true (otherwise it is left alone). */
uint32_t tlb_context(Tlb *t, uint64_t space, uint32_t mode, bool *wrapped);

/* Enter a page. `leaf_bits` is log2 of the size of the guest's page-table leaf it is part of. */
void tlb_fill(Tlb *t, TlbKind kind, uint64_t va, uint32_t context, uint64_t host_page,
              unsigned leaf_bits);

/* Forget every translation. Constant time except on wrap; contexts must be asked for again. */
void tlb_flush(Tlb *t);
/* Forget one address, in all contexts, with every piece of the large leaves it may stand in.
 * True: code may have been fetched through it; the caller must use tlb_renew_fetch(). */
bool tlb_flush_page(Tlb *t, uint64_t va);
/* Forget all regimes for which match() says so. */
void tlb_flush_matching(Tlb *t, bool (*match)(uint64_t space, uint64_t arg), uint64_t arg);
/* All fetching contexts die: what is keyed by their numbers (links between blocks) with them. */
void tlb_renew_fetch(Tlb *t);
/* Drop all write entries, or those to one host page. */
void tlb_flush_writes(Tlb *t);
void tlb_drop_writes_to(Tlb *t, uint64_t host_page);

#endif

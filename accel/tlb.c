/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Software TLBs (contract in tlb.h).
 */
#include "accel/tlb.h"

#include <string.h>

/* Leaf sizes above a page: 64 KiB (Svnapot), 2 MiB, 1 GiB, 512 GiB. */
static const uint8_t level_bits[TLB_LEVELS] = { 16, 21, 30, 39 };

static unsigned tlb_hash(uint64_t v, unsigned bits)
{
    return (v * 0x9e3779b97f4a7c15u) >> (64 - bits);
}

void tlb_init(Tlb *t)
{
    memset(t, 0, sizeof(*t));
    t->next_context = 1;
}

static void clear_all(Tlb *t)
{
    uint64_t generation = t->generation + 1, epoch = t->epoch + 1;

    tlb_init(t);
    t->generation = generation;
    t->epoch = epoch;
}

void tlb_flush(Tlb *t)
{
    t->epoch++;
    memset(t->keys, 0, sizeof(t->keys));
    memset(t->large, 0, sizeof(t->large));
    memset(t->fetched, 0, sizeof(t->fetched));
    /* Wrap early: a running CPU uses only a few contexts. */
    if (t->next_context > TLB_CONTEXTS - TLB_KEYS) {
        clear_all(t);
    }
}

uint32_t tlb_context(Tlb *t, uint64_t space, uint32_t mode, bool *wrapped)
{
    TlbKey *k = &t->keys[tlb_hash(space ^ ((uint64_t)mode << 40) ^ mode, 6)];

    if (k->context != 0 && k->space == space && k->mode == mode) {
        return k->context;
    }
    if (t->next_context >= TLB_CONTEXTS) {
        clear_all(t);
        *wrapped = true;
    }
    *k = (TlbKey){ space, mode, t->next_context++ };
    return k->context;
}

static void filter_set(uint64_t *filter, unsigned h)
{
    filter[h >> 6] |= (uint64_t)1 << (h & 63);
}

static bool filter_has(const uint64_t *filter, unsigned h)
{
    return filter[h >> 6] >> (h & 63) & 1;
}

void tlb_fill(Tlb *t, TlbKind kind, uint64_t va, uint32_t context, uint64_t host_page,
              unsigned leaf_bits)
{
    uint64_t page = va & TLB_PAGE_MASK;

    t->entry[kind][tlb_index(va)] = (TlbEntry){ page | context, host_page - page };
    if (leaf_bits > TLB_PAGE_BITS) {
        for (unsigned i = 0; i < TLB_LEVELS; i++) {
            if (leaf_bits <= level_bits[i]) {
                filter_set(t->large[i], tlb_hash(va >> level_bits[i], 10));
                break;
            }
        }
    }
    if (kind == TLB_EXEC) {
        filter_set(t->fetched, tlb_hash(page, 12));
    }
}

static void tlb_drop(TlbEntry *e, uint64_t va)
{
    if (((e->tag ^ va) & TLB_PAGE_MASK) == 0) {
        e->tag = 0;
    }
}

/* Drop the entries of a large leaf. A scan of the arrays is as fast as a loop over its pages. */
static void drop_range(Tlb *t, uint64_t va, unsigned bits)
{
    for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
        for (unsigned i = 0; i < TLB_SIZE; i++) {
            TlbEntry *e = &t->entry[kind][i];
            if (((e->tag ^ va) >> bits) == 0) {
                e->tag = 0;
            }
        }
    }
}

bool tlb_flush_page(Tlb *t, uint64_t va)
{
    unsigned i = tlb_index(va);
    bool fetched = filter_has(t->fetched, tlb_hash(va & TLB_PAGE_MASK, 12));

    t->epoch++;
    for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
        tlb_drop(&t->entry[kind][i], va);
    }
    for (i = 0; i < TLB_LEVELS; i++) {
        if (filter_has(t->large[i], tlb_hash(va >> level_bits[i], 10))) {
            drop_range(t, va, level_bits[i]);
            fetched = true;
        }
    }
    return fetched;
}

void tlb_flush_matching(Tlb *t, bool (*match)(uint64_t space, uint64_t arg), uint64_t arg)
{
    t->epoch++;
    for (unsigned i = 0; i < TLB_KEYS; i++) {
        if (t->keys[i].context != 0 && match(t->keys[i].space, arg)) {
            t->keys[i] = (TlbKey){ 0 };
        }
    }
}

void tlb_renew_fetch(Tlb *t)
{
    for (unsigned i = 0; i < TLB_KEYS; i++) {
        if (t->keys[i].mode & TLB_MODE_FETCH) {
            t->keys[i] = (TlbKey){ 0 };
        }
    }
    memset(t->fetched, 0, sizeof(t->fetched));
}

void tlb_flush_writes(Tlb *t)
{
    memset(t->entry[TLB_WRITE], 0, sizeof(t->entry[TLB_WRITE]));
}

void tlb_drop_writes_to(Tlb *t, uint64_t host_page)
{
    for (unsigned i = 0; i < TLB_SIZE; i++) {
        TlbEntry *e = &t->entry[TLB_WRITE][i];
        if ((e->tag & TLB_PAGE_MASK) + e->addend == host_page) {
            e->tag = 0;
        }
    }
}

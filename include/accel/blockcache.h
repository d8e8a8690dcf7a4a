/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of decoded guest code, one cache per CPU.
 *
 * The key of a block is the virtual address at which it runs and the host address of its bytes, so
 * the block is valid in every address space that maps the page at that address. Execution leaves
 * a block through links. A near link (same page) is valid until its target is dropped. A far link
 * is valid only in the fetching context in which it was made.
 *
 * A dropped block is never unlinked: its first operation is replaced by one that searches the
 * address again. Its memory is reused when the arena is full and all blocks are dropped.
 *
 * All functions are for the thread of the CPU, or are called while the CPU is parked.
 */
#ifndef ACCEL_BLOCKCACHE_H
#define ACCEL_BLOCKCACHE_H

#include "accel/codepage.h"
#include "accel/tlb.h"

/* An operation: what the interpreter dispatches on. */
typedef struct Op {
    int32_t imm;
    int32_t handler; /* the interpreter's label, relative to its base */
    uint16_t id;
    uint8_t rd, rs1, rs2;
    uint8_t off;  /* half-words from the start of the block */
    uint16_t aux; /* by operation; where a block can be left: instructions retired until there */
} Op;

typedef struct Block Block;
typedef struct Link {
    Block *to;
    uint64_t context; /* tlb_unique() for far links */
} Link;

struct Block {
    uint64_t va;
    uint64_t host;
    Block *hash_next;
    Block *page_next; /* blocks whose bytes are in pages of the same bucket */
    uint16_t n_ops, n_links;
    uint16_t len; /* bytes of guest code */
    uint16_t dead;
    const void *code; /* entry of translated code; BlockCache.cold: none */
    /* n_links Links precede the structure, the last one first */
    Op ops[] __attribute__((aligned(16)));
};

static inline Link *block_link(Block *b, unsigned i)
{
    return (Link *)b - 1 - i;
}

#define BLOCK_MAX_OPS   128
#define BLOCK_MAX_LINKS 66

typedef struct JumpEntry {
    uint64_t va;
    uint32_t block;   /* offset in the arena / 16 */
    uint32_t context; /* low half of tlb_unique() */
} JumpEntry;

#define JUMP_BITS   12
#define BLOCK_BITS  14
#define CPAGE_BITS  12
#define ARENA_BYTES (96u << 20) /* address space; memory only as it fills */

typedef struct BlockCache {
    uint8_t *arena;
    size_t used, reserve;
    uint64_t generation; /* of the TLB's contexts the jump entries are good for */
    Op dead_op;          /* the first operation of a dropped block */
    const void *cold;    /* code for blocks without translated code; NULL: no translator */
    CodePages *pages;
    CodeQueue queue;
    JumpEntry jump[1u << JUMP_BITS];
    Block *hash[1u << BLOCK_BITS];
    Block *page[1u << CPAGE_BITS];
    uint64_t epoch; /* counts drop_all: older Block pointers are dead */
    bool drop_all;  /* requested from outside: before the next lookup */
    uint64_t n_built, n_dropped, n_full;
} BlockCache;

/* False: no address space for the arena, followed by `reserve` bytes that the caller may map. */
bool blockcache_init(BlockCache *c, CodePages *pages, size_t reserve);
void blockcache_fini(BlockCache *c);

static inline unsigned jump_index(uint64_t va)
{
    return ((va >> 1) ^ (va >> (2 + JUMP_BITS))) & ((1u << JUMP_BITS) - 1);
}

/* The block that runs at va in a fetching context, if it was entered lately. */
static inline Block *blockcache_jump(const BlockCache *c, uint64_t va, uint32_t context)
{
    const JumpEntry *e = &c->jump[jump_index(va)];

    if (e->va == va && e->context == context) {
        return (Block *)(c->arena + (size_t)e->block * 16);
    }
    return NULL;
}
void blockcache_jump_set(BlockCache *c, Block *b, uint32_t context);
/* The TLB's context numbers started anew. */
void blockcache_new_generation(BlockCache *c, uint64_t generation);

Block *blockcache_find(BlockCache *c, uint64_t va, uint64_t host);
/* Room for a block; the caller fills ops and calls blockcache_commit(). Drops everything first
 * when the arena is full. */
Block *blockcache_new(BlockCache *c, unsigned n_ops, unsigned n_links);
void blockcache_commit(BlockCache *c, Block *b);

void blockcache_drop_all(BlockCache *c);
/* Drop what was decoded from the written bytes. `sole`: no other CPU has code there, so the
 * page's record may be refined. */
void blockcache_drop_code(BlockCache *c, const CodeWrite *write, bool sole);
/* Drop the blocks that contain the instruction at a virtual address, in every address space. */
void blockcache_drop_va(BlockCache *c, uint64_t va);
/* Carry out the queued drops and requests. */
void blockcache_sync_slow(BlockCache *c, bool sole);
static inline void blockcache_sync(BlockCache *c, bool sole)
{
    if (code_queue_any(&c->queue) || c->drop_all) {
        blockcache_sync_slow(c, sole);
    }
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoded blocks: arena, lookup and dropping (contract in blockcache.h).
 */
#include "accel/blockcache.h"

#include <string.h>
#include <sys/mman.h>

G_STATIC_ASSERT(sizeof(Op) == 16);
G_STATIC_ASSERT(sizeof(Link) == 16);
G_STATIC_ASSERT(sizeof(Block) % 16 == 0);

bool blockcache_init(BlockCache *c, CodePages *pages, size_t reserve)
{
    void *p = mmap(NULL, ARENA_BYTES + reserve, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        return false;
    }
    c->arena = p;
    c->reserve = reserve;
    c->used = 16; /* offset 0 marks an empty jump entry */
    c->pages = pages;
    g_mutex_init(&c->queue.lock);
    codepages_add_queue(pages, &c->queue);
    return true;
}

void blockcache_fini(BlockCache *c)
{
    if (c->arena) {
        codepages_remove_queue(c->pages, &c->queue);
        g_mutex_clear(&c->queue.lock);
        munmap(c->arena, ARENA_BYTES + c->reserve);
        c->arena = NULL;
    }
}

static unsigned blockcache_mix(uint64_t v, unsigned bits)
{
    return (v * 0x9e3779b97f4a7c15u) >> (64 - bits);
}

static Block **hash_slot(BlockCache *c, uint64_t va, uint64_t host)
{
    return &c->hash[blockcache_mix(va ^ (host << 20), BLOCK_BITS)];
}

static Block **page_slot(BlockCache *c, uint64_t host)
{
    return &c->page[blockcache_mix(host >> RAM_PAGE_BITS, CPAGE_BITS)];
}

void blockcache_jump_set(BlockCache *c, Block *b, uint32_t context)
{
    c->jump[jump_index(b->va)] = (JumpEntry){ b->va, ((uint8_t *)b - c->arena) / 16, context };
}

void blockcache_new_generation(BlockCache *c, uint64_t generation)
{
    if (c->generation != generation) {
        memset(c->jump, 0, sizeof(c->jump));
        c->generation = generation;
    }
}

Block *blockcache_find(BlockCache *c, uint64_t va, uint64_t host)
{
    for (Block *b = *hash_slot(c, va, host); b; b = b->hash_next) {
        if (b->va == va && b->host == host) {
            return b;
        }
    }
    return NULL;
}

Block *blockcache_new(BlockCache *c, unsigned n_ops, unsigned n_links)
{
    size_t need = sizeof(Block) + n_ops * sizeof(Op) + n_links * sizeof(Link);

    if (c->used + need > ARENA_BYTES) {
        blockcache_drop_all(c);
        c->n_full++;
    }
    uint8_t *at = c->arena + c->used;
    c->used += need;
    memset(at, 0, n_links * sizeof(Link));
    Block *b = (Block *)(at + n_links * sizeof(Link));
    *b = (Block){ .n_ops = n_ops, .n_links = n_links, .code = c->cold };
    return b;
}

void blockcache_commit(BlockCache *c, Block *b)
{
    Block **slot = hash_slot(c, b->va, b->host), **page = page_slot(c, b->host);

    b->hash_next = *slot;
    *slot = b;
    b->page_next = *page;
    *page = b;
    c->n_built++;
}

void blockcache_drop_all(BlockCache *c)
{
    memset(c->jump, 0, sizeof(c->jump));
    memset(c->hash, 0, sizeof(c->hash));
    memset(c->page, 0, sizeof(c->page));
    c->used = 16;
    c->epoch++;
}

static void kill_block(BlockCache *c, Block *b)
{
    Block **slot = hash_slot(c, b->va, b->host);

    while (*slot && *slot != b) {
        slot = &(*slot)->hash_next;
    }
    if (*slot) {
        *slot = b->hash_next;
    }
    b->ops[0] = c->dead_op;
    b->dead = 1;
    b->code = c->cold;
    c->n_dropped++;
}

void blockcache_drop_code(BlockCache *c, const CodeWrite *write, bool sole)
{
    uint64_t host = (uintptr_t)write->block->host + write->offset, left = 0;
    Block **slot = page_slot(c, host);

    while (*slot) {
        Block *b = *slot;
        bool same_page = ((b->host ^ host) >> RAM_PAGE_BITS) == 0;

        if (same_page && b->host < host + write->len && host < b->host + b->len) {
            *slot = b->page_next;
            kill_block(c, b);
            continue;
        }
        if (same_page) {
            left |= code_granules(b->host, b->len);
        }
        slot = &b->page_next;
    }
    if (sole) {
        codepages_refine(c->pages, write->block, write->offset, left);
    }
}

void blockcache_drop_va(BlockCache *c, uint64_t va)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(c->page); i++) {
        Block **slot = &c->page[i];

        while (*slot) {
            Block *b = *slot;

            if (va - b->va < b->len) {
                *slot = b->page_next;
                kill_block(c, b);
            } else {
                slot = &b->page_next;
            }
        }
    }
}

void blockcache_sync_slow(BlockCache *c, bool sole)
{
    CodeWrite writes[CODE_QUEUE];
    int n = code_queue_take(&c->queue, writes);

    if (n < 0 || c->drop_all) {
        c->drop_all = false;
        blockcache_drop_all(c);
        return;
    }
    for (int i = 0; i < n; i++) {
        blockcache_drop_code(c, &writes[i], sole);
    }
}

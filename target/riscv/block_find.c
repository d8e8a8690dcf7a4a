/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from an address to its block.
 *
 * An instruction that lies across two pages is a block of its own that is never cached by
 * address: its bytes are compared each time. So is one in a page that PMP cuts.
 */
#include "target/riscv/block.h"

#include <string.h>

#include "util/log.h"

static void finish(Builder *b, Block *block)
{
    block->va = b->va;
    block->len = b->off;
    memcpy(block->ops, b->ops, b->n_ops * sizeof(Op));
}

static bool sole(const RiscvCpu *cpu)
{
    return cpu->cpu.machine->cpus->len <= 1;
}

static void drop_writes(void *opaque)
{
    RiscvCpu *cpu = opaque;

    for (unsigned i = 0; i < cpu->cpu.machine->cpus->len; i++) {
        RiscvCpu *other = riscv_cpu(g_ptr_array_index(cpu->cpu.machine->cpus, i));
        tlb_flush_writes(&other->tlb);
    }
}

/* From here on writes to the bytes are seen: mark first, then take the rights, then read. */
static bool protect(RiscvCpu *cpu, RamBlock *ram, uint64_t offset, uint64_t len)
{
    if (!codepages_mark(cpu->blocks.pages, ram, offset, len)) {
        return true;
    }
    if (sole(cpu)) {
        tlb_drop_writes_to(&cpu->tlb,
                           (uintptr_t)ram->host + (offset & ~(uint64_t)(RAM_PAGE_SIZE - 1)));
        return true;
    }
    if (!cpu_lock_machine(&cpu->cpu)) {
        return rv_fail(cpu, CAUSE_ABANDON, 0);
    }
    cpus_exclusive(cpu->cpu.machine, drop_writes, cpu);
    cpu_unlock_machine(&cpu->cpu);
    return true;
}

static Block *build(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
{
    Builder b = { .cpu = cpu, .va = va, .host = host };
    unsigned page_left = RAM_PAGE_SIZE - (va & (RAM_PAGE_SIZE - 1));
    RamBlock *ram;
    uint64_t offset;

    if (!rv_fetch(cpu, va, &ram, &offset) ||
        !protect(cpu, ram, offset, MIN(page_left, BLOCK_MAX_BYTES + 4))) {
        return NULL;
    }
    builder_add_all(&b);
    Block *block = blockcache_new(&cpu->blocks, b.n_ops, b.n_links);
    finish(&b, block);
    block->host = (uintptr_t)host;
    blockcache_commit(&cpu->blocks, block);
    return block;
}

/* --- one instruction, by content --- */

static void clear_edges(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        if (cpu->edge[i]) {
            cpu->edge[i]->va = 1; /* no instruction has an odd address */
        }
    }
    cpu->edge_epoch = cpu->blocks.epoch;
}

static Block *edge_slot(RiscvCpu *cpu, uint64_t va)
{
    unsigned i = (va >> 1 ^ va >> 12) % EDGE_BLOCKS;

    if (!cpu->edge[i]) {
        size_t size = 2 * sizeof(Link) + sizeof(Block) + 8 * sizeof(Op);
        uint8_t *p = g_aligned_alloc0(1, size, 16);
        cpu->edge[i] = (Block *)(p + 2 * sizeof(Link));
        cpu->edge[i]->va = 1;
    }
    return cpu->edge[i];
}

void rv_blocks_free(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        if (cpu->edge[i]) {
            g_aligned_free((uint8_t *)cpu->edge[i] - 2 * sizeof(Link));
            cpu->edge[i] = NULL;
        }
    }
}

static Block *build_once(RiscvCpu *cpu, uint64_t va, uint32_t word)
{
    Block *block = edge_slot(cpu, va);
    Builder b = { .cpu = cpu, .va = va, .once = true };

    if (block->va == va && block->host == word && !log_mask) {
        return block;
    }
    builder_add(&b, word);
    if (!b.done) {
        builder_end(&b);
    }
    memset((Link *)block - 2, 0, 2 * sizeof(Link));
    finish(&b, block);
    block->host = word;
    block->dead = BLOCK_ONCE;
    return block;
}

static uint8_t *fetch(RiscvCpu *cpu, uint64_t va, bool *cached)
{
    const TlbEntry *e = tlb_at(&cpu->tlb, TLB_EXEC, va);
    RamBlock *ram;
    uint64_t offset;
    uint8_t *host;

    *cached = true;
    if (e->tag == tlb_tag(va, 1, cpu->fetch_context)) {
        return (uint8_t *)(uintptr_t)(va + e->addend);
    }
    host = rv_fetch(cpu, va, &ram, &offset);
    *cached = host && e->tag == tlb_tag(va, 1, cpu->fetch_context);
    return host;
}

/* An instruction whose second half may be on another page, or behind a PMP boundary. */
static Block *block_once(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
{
    uint32_t word = word_at(host, 2);
    bool cached;

    if (insn_len(word) == 4) {
        const uint8_t *second = fetch(cpu, va + 2, &cached);
        if (!second) {
            return NULL; /* trap_tval is the second half's address */
        }
        word |= word_at(second, 2) << 16;
    }
    return build_once(cpu, va, word);
}

Block *rv_block(RiscvCpu *cpu)
{
    uint64_t va = cpu->pc;
    uint32_t context = cpu->fetch_unique;
    Block *block = blockcache_jump(&cpu->blocks, va, context);
    bool cached;

    if (block && block->dead == BLOCK_LIVE) {
        return block;
    }
    blockcache_sync(&cpu->blocks, sole(cpu));
    if (cpu->edge_epoch != cpu->blocks.epoch) {
        clear_edges(cpu);
    }
    uint8_t *host = fetch(cpu, va, &cached);
    if (!host) {
        return NULL;
    }
    bool last = (va & (RAM_PAGE_SIZE - 1)) == RAM_PAGE_SIZE - 2;
    if (!cached || (last && len_at(host) == 4)) {
        return block_once(cpu, va, host);
    }
    block = blockcache_find(&cpu->blocks, va, (uintptr_t)host);
    if (!block) {
        block = build(cpu, va, host);
        if (!block) {
            return NULL;
        }
    }
    blockcache_jump_set(&cpu->blocks, block, context);
    return block;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lookup of the block at an address.
 *
 * An instruction that crosses a page boundary is a separate block, which is never cached by
 * address: its bytes are compared each time. The same applies to an instruction in a page in which
 * PMP rights differ.
 */
#include "target/riscv/block_internal.h"

#include <string.h>

#include "util/log.h"

static void finish(Builder *b, Block *block)
{
    block->va = b->va;
    block->len = b->off;
    memcpy(block->ops, b->ops, b->n_ops * sizeof(Op));
}

static bool block_sole(const RiscvCpu *cpu)
{
    return cpu->cpu.machine->cpus->len <= 1;
}

/* A range of RAM that becomes code, or a page that ceases to be code. */
typedef struct CodeRange {
    RiscvCpu *cpu;
    RamBlock *ram;
    uint64_t offset, len;
} CodeRange;

static uint64_t page_host(const CodeRange *r)
{
    return (uintptr_t)r->ram->host + (r->offset & ~(uint64_t)(RAM_PAGE_SIZE - 1));
}

static bool is_code_page(const RamBlock *ram, uint64_t offset)
{
    return __atomic_load_n(&ram->pages[offset / RAM_PAGE_SIZE], __ATOMIC_SEQ_CST) & RAM_PAGE_CODE;
}

/* Make a page a code page. Called while every hart is parked. */
static void start_code_page(void *opaque)
{
    const CodeRange *r = opaque;
    const GPtrArray *cpus = r->cpu->cpu.machine->cpus;

    codepages_mark(r->cpu->blocks.pages, r->ram, r->offset, r->len);
    for (unsigned i = 0; i < cpus->len; i++) {
        tlb_drop_writes_to(&riscv_cpu(g_ptr_array_index(cpus, i))->tlb, page_host(r));
    }
}

/*
 * Make writes to a range of RAM invalidate the code in it. The page is marked before the direct
 * write entries of the TLB are dropped, and the caller reads its bytes afterwards. With several
 * harts, the mark and the entries of all harts change while every hart is parked: if the mark is
 * set, no hart has a direct write entry. Return false with CAUSE_ABANDON if the hart must stop
 * first.
 */
static bool protect(RiscvCpu *cpu, RamBlock *ram, uint64_t offset, uint64_t len)
{
    CodeRange range = { cpu, ram, offset, len };

    if (block_sole(cpu)) {
        if (codepages_mark(cpu->blocks.pages, ram, offset, len)) {
            tlb_drop_writes_to(&cpu->tlb, page_host(&range));
        }
        return true;
    }
    if (is_code_page(ram, offset)) { /* the mark can be removed only while this hart is parked */
        codepages_mark(cpu->blocks.pages, ram, offset, len);
        return true;
    }
    if (!cpu_lock_machine(&cpu->cpu)) {
        return rv_fail(cpu, CAUSE_ABANDON, 0);
    }
    cpus_exclusive(cpu->cpu.machine, start_code_page, &range);
    cpu_unlock_machine(&cpu->cpu);
    return true;
}

/* Make a page a data page again. Called while every hart is parked. */
static void end_code_page(void *opaque)
{
    const CodeRange *r = opaque;
    const GPtrArray *cpus = r->cpu->cpu.machine->cpus;
    CodeWrite whole = { r->ram, r->offset & ~(uint64_t)(RAM_PAGE_SIZE - 1), RAM_PAGE_SIZE };

    for (unsigned i = 0; i < cpus->len; i++) {
        blockcache_drop_code(&riscv_cpu(g_ptr_array_index(cpus, i))->blocks, &whole, false);
    }
    codepages_refine(r->cpu->blocks.pages, r->ram, whole.offset, 0);
}

/*
 * A hart has no information about the blocks that other harts have of a page. After
 * CODE_PAGE_STORES stores in a row the page therefore becomes a data page for all harts. A hart
 * that executes it decodes it again.
 */
void rv_code_page_stored(RiscvCpu *cpu, RamBlock *ram, uint64_t offset)
{
    CodeRange range = { cpu, ram, offset, 0 };

    if (!is_code_page(ram, offset)) {
        return;
    }
    if (cpu->stored_page != page_host(&range)) {
        cpu->stored_page = page_host(&range);
        cpu->stores_to_page = 0;
    }
    if (++cpu->stores_to_page < CODE_PAGE_STORES || !cpu_lock_machine(&cpu->cpu)) {
        return;
    }
    cpu->stores_to_page = 0;
    cpus_exclusive(cpu->cpu.machine, end_code_page, &range);
    cpu_unlock_machine(&cpu->cpu);
}

static Block *block_build(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
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

/* --- blocks of one instruction, compared by content --- */

static void clear_edges(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        if (cpu->edge[i]) {
            cpu->edge[i]->va = 1; /* no instruction has an odd address */
        }
    }
    cpu->edge_epoch = cpu->blocks.epoch;
}

/* Return the block of a slot, which is allocated on first use, with space for one instruction. */
static Block *block_of_slot(Block **slot)
{
    if (!*slot) {
        size_t size = 2 * sizeof(Link) + sizeof(Block) + 8 * sizeof(Op);
        uint8_t *p = g_aligned_alloc0(1, size, 16);
        *slot = (Block *)(p + 2 * sizeof(Link));
        (*slot)->va = 1;
    }
    return *slot;
}

static Block *edge_slot(RiscvCpu *cpu, uint64_t va)
{
    return block_of_slot(&cpu->edge[(va >> 1 ^ va >> 12) % EDGE_BLOCKS]);
}

static void block_free_slot(Block **slot)
{
    if (*slot) {
        g_aligned_free((uint8_t *)*slot - 2 * sizeof(Link));
        *slot = NULL;
    }
}

void rv_blocks_free(RiscvCpu *cpu)
{
    for (unsigned i = 0; i < EDGE_BLOCKS; i++) {
        block_free_slot(&cpu->edge[i]);
    }
    block_free_slot(&cpu->one_block);
}

void rv_blocks_drop_va(RiscvCpu *cpu, uint64_t va)
{
    blockcache_drop_va(&cpu->blocks, va);
    clear_edges(cpu);
}

/* Translate one instruction into a block of a slot. @pass: without breakpoints. */
static void block_build_insn(RiscvCpu *cpu, Block *block, uint64_t va, uint32_t word, bool pass)
{
    Builder b = { .cpu = cpu, .va = va, .once = true, .pass = pass };

    builder_add(&b, word);
    if (!b.done) {
        builder_end(&b);
    }
    memset((Link *)block - 2, 0, 2 * sizeof(Link));
    finish(&b, block);
    block->host = word;
    block->dead = BLOCK_ONCE;
}

static Block *build_once(RiscvCpu *cpu, uint64_t va, uint32_t word)
{
    Block *block = edge_slot(cpu, va);

    if (block->va != va || block->host != word || log_mask) {
        block_build_insn(cpu, block, va, word, false);
    }
    return block;
}

static uint8_t *block_fetch(RiscvCpu *cpu, uint64_t va, bool *cached)
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

/* Fetch an instruction whose second half may be on another page or may have other PMP rights.
 * Return false if fetching the second half trapped; trap_tval is its address. */
static bool block_fetch_word(RiscvCpu *cpu, uint64_t va, const uint8_t *host, uint32_t *word)
{
    bool cached;

    *word = word_at(host, 2);
    if (insn_len(*word) == 4) {
        const uint8_t *second = block_fetch(cpu, va + 2, &cached);
        if (!second) {
            return false;
        }
        *word |= word_at(second, 2) << 16;
    }
    return true;
}

static Block *block_once(RiscvCpu *cpu, uint64_t va, const uint8_t *host)
{
    uint32_t word;

    return block_fetch_word(cpu, va, host, &word) ? build_once(cpu, va, word) : NULL;
}

/* Return a block of the instruction at cpu->pc only, without breakpoints, valid until the next
 * call.
 */
static Block *block_find_one(RiscvCpu *cpu)
{
    Block *block = block_of_slot(&cpu->one_block);
    uint64_t va = cpu->pc;
    bool cached;
    const uint8_t *host = block_fetch(cpu, va, &cached);
    uint32_t word;

    if (!host || !block_fetch_word(cpu, va, host, &word)) {
        return NULL;
    }
    block_build_insn(cpu, block, va, word, true);
    return block;
}

Block *rv_block(RiscvCpu *cpu)
{
    uint64_t va = cpu->pc;
    uint32_t context = cpu->fetch_unique;
    Block *block = blockcache_jump(&cpu->blocks, va, context);
    bool cached;

    if (__builtin_expect(cpu->one, false)) {
        return block_find_one(cpu);
    }
    if (block && block->dead == BLOCK_LIVE) {
        return block;
    }
    blockcache_sync(&cpu->blocks, block_sole(cpu));
    if (cpu->edge_epoch != cpu->blocks.epoch) {
        clear_edges(cpu);
    }
    uint8_t *host = block_fetch(cpu, va, &cached);
    if (!host) {
        return NULL;
    }
    bool last = (va & (RAM_PAGE_SIZE - 1)) == RAM_PAGE_SIZE - 2;
    if (!cached || (last && len_at(host) == 4)) {
        return block_once(cpu, va, host);
    }
    block = blockcache_find(&cpu->blocks, va, (uintptr_t)host);
    if (!block) {
        block = block_build(cpu, va, host);
        if (!block) {
            return NULL;
        }
    }
    blockcache_jump_set(&cpu->blocks, block, context);
    return block;
}

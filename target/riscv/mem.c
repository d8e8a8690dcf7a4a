/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory accesses of a hart that miss the TLB: translation, protection, RAM, and devices through
 * the address map. No other file of the CPU uses the map.
 *
 * RAM is looked up once per 2 MiB of physical address space and cached until the map changes. For a
 * few pages that are not RAM, the translation and the region of the last access are cached, so that
 * register accesses of a driver require neither a page table walk nor a lookup in the map. A device
 * access is made with the machine lock and no other lock held. Cached state of the CPU may be
 * invalid afterwards.
 */
#include <string.h>

#include "target/riscv/hart_internal.h"
#include "util/log.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* --- RAM --- */

static uint8_t *map_ram(RiscvCpu *cpu, uint64_t pa, uint64_t len, RamBlock **block,
                        uint64_t *offset)
{
    return mem_ram_ptr_any(&cpu->cpu.machine->memory, pa, len, block, offset);
}

uint8_t *rv_ram(RiscvCpu *cpu, uint64_t pa, RamBlock **block, uint64_t *offset)
{
    uint64_t number = pa >> CHUNK_BITS, in_chunk = pa & ((UINT64_C(1) << CHUNK_BITS) - 1);
    RamChunk *c = &cpu->chunk[number % RAM_CHUNKS];

    if (c->number != number + 1) {
        uint64_t page = pa & TLB_PAGE_MASK;
        if (map_ram(cpu, pa - in_chunk, UINT64_C(1) << CHUNK_BITS, block, offset) &&
            (*offset & (RAM_PAGE_SIZE - 1)) == 0) {
            *c = (RamChunk){ number + 1, *block, *offset };
        } else if (map_ram(cpu, page, RAM_PAGE_SIZE, block, offset) &&
                   (*offset & (RAM_PAGE_SIZE - 1)) == 0) {
            *offset += pa - page;
            return (*block)->host + *offset;
        } else {
            return NULL;
        }
    }
    *block = c->block;
    *offset = c->offset + in_chunk;
    return c->block->host + *offset;
}

void rv_forget_ram(RiscvCpu *cpu)
{
    memset(cpu->chunk, 0, sizeof(cpu->chunk));
    memset(cpu->device_page, 0, sizeof(cpu->device_page));
    memset(cpu->tlb.entry, 0, sizeof(cpu->tlb.entry));
    cpu->lr_host = 0;
}

static void forget(void *opaque)
{
    RiscvCpu *cpu = opaque;

    rv_forget_ram(cpu);
    cpu->blocks.drop_all = true;
    cpu_raise_any(&cpu->cpu, CPU_PENDING_INTERRUPT);
}

static void ram_changed(void *opaque, uint64_t addr, uint64_t len, bool added)
{
    RiscvCpu *cpu = opaque;

    cpus_exclusive(cpu->cpu.machine, forget, cpu);
}

void rv_mem_attach(RiscvCpu *cpu)
{
    cpu->listener = (MemListener){ ram_changed, cpu };
    mem_listen(&cpu->cpu.machine->memory, &cpu->listener);
    cpu->listening = true;
}

void rv_mem_detach(RiscvCpu *cpu)
{
    if (cpu->listening) {
        mem_unlisten(&cpu->cpu.machine->memory, &cpu->listener);
        cpu->listening = false;
    }
}

/* --- one access that stays inside a page --- */

typedef struct Place {
    uint64_t pa;
    uint8_t *host; /* NULL: not RAM */
    RamBlock *block;
    uint64_t offset;
    bool cached; /* the TLB has an entry for the access */
} Place;

static const uint8_t access_right[] = { PMP_R, PMP_W, PMP_X };
static const TlbKind access_tlb[] = { TLB_READ, TLB_WRITE, TLB_EXEC };

/* --- pages of devices --- */

static DevicePage *device_page(RiscvCpu *cpu, uint64_t va, Access access)
{
    return &cpu->device_page[access == ACCESS_WRITE][(va >> TLB_PAGE_BITS) % DEVICE_PAGES];
}

static void device_page_fill(RiscvCpu *cpu, uint64_t va, uint64_t pa, Access access)
{
    *device_page(cpu, va, access) = (DevicePage){ .tag = tlb_tag(va, 1, cpu->data_context),
                                                  .epoch = cpu->tlb.epoch,
                                                  .pa = pa & TLB_PAGE_MASK };
}

/* Return true, and the physical address, if the translation of va is cached as one that is not RAM.
 */
static bool device_page_find(RiscvCpu *cpu, uint64_t va, Access access, uint64_t *pa)
{
    const DevicePage *d = device_page(cpu, va, access);

    *pa = d->pa | (va & ~TLB_PAGE_MASK);
    return d->tag == tlb_tag(va, 1, cpu->data_context) && d->epoch == cpu->tlb.epoch;
}

/* --- translation --- */

static bool mem_page_watched(const RiscvCpu *cpu, uint64_t va)
{
    const CpuPoints *points = cpu->cpu.machine->points;

    return (cpu->triggering && rv_trigger_page(cpu, va & TLB_PAGE_MASK)) ||
           (points && cpu_point_watch(points, va & TLB_PAGE_MASK, RAM_PAGE_SIZE, true, true));
}

/* Translate va and check the rights. Fills the TLB if the page is RAM that the access may use
 * directly. Return false if the access trapped. */
static bool mem_find(RiscvCpu *cpu, uint64_t va, unsigned size, Access access, Place *p)
{
    unsigned priv = access == ACCESS_FETCH ? cpu->priv : mmu_data_priv(cpu);
    uint8_t right = access_right[access];
    Translation t;
    int cause = mmu_translate(cpu, va, access, priv, &t);

    cpu->tlb_misses[access]++;
    if (UNLIKELY(cpu->pmu_counts_misses)) {
        rv_pmu_missed(cpu);
    }

    if (cause == CAUSE_NONE && !pmp_allows(&cpu->pmp, priv == PRIV_M, t.pa, size, right)) {
        cause = mmu_access_fault(access);
    }
    if (cause != CAUSE_NONE) {
        return rv_fail(cpu, cause, va);
    }
    p->pa = t.pa;
    p->cached = false;
    p->host = rv_ram(cpu, t.pa, &p->block, &p->offset);
    uint64_t page = t.pa & TLB_PAGE_MASK;
    if (!pmp_allows(&cpu->pmp, priv == PRIV_M, page, RAM_PAGE_SIZE, right)) {
        return true;
    }
    mmu_context_used(cpu, &t, access, priv);
    if (!p->host && access != ACCESS_FETCH) {
        device_page_fill(cpu, va, t.pa, access);
    } else if (UNLIKELY(cpu->watching | cpu->triggering) && access != ACCESS_FETCH &&
               mem_page_watched(cpu, va)) {
        return true; /* each access must pass rv_load(), rv_store() or rv_amo() */
    } else if (p->host && (access != ACCESS_WRITE ||
                           ram_page_direct_write_any(p->block, p->offset / RAM_PAGE_SIZE))) {
        uint32_t context = access == ACCESS_FETCH ? cpu->fetch_context : cpu->data_context;
        uint64_t host_page = (uintptr_t)p->host - (t.pa - page);
        tlb_fill(&cpu->tlb, access_tlb[access], va, context, host_page, t.leaf_bits);
        p->cached = true;
    }
    return true;
}

void rv_stored(RiscvCpu *cpu, RamBlock *block, uint64_t offset, uint64_t len)
{
    bool sole = cpu->cpu.machine->cpus->len <= 1;

    ram_written_any(block, offset, len);
    blockcache_sync(&cpu->blocks, sole);
    if (!sole) {
        rv_code_page_stored(cpu, block, offset);
    }
}

/* Process a store to RAM. The first store to a clean page marks the page dirty, so that the next
 * store can use a direct TLB entry. */
static void stored(RiscvCpu *cpu, const Place *p, uint64_t len)
{
    if (!p->cached) {
        rv_stored(cpu, p->block, p->offset, len);
    }
}

/* --- devices --- */

/* Return true unless the result of a device access is an access fault. An unmapped address is one,
 * except in windows that read as ones (PCI). */
static bool mem_answered(RiscvCpu *cpu, uint64_t pa, MemResult result)
{
    if (result == MEM_OK) {
        return true;
    }
    if (result & MEM_UNMAPPED) {
        return mem_lookup(&cpu->cpu.machine->memory, pa).background == MEM_ONES;
    }
    return false;
}

static bool device_access(RiscvCpu *cpu, uint64_t va, uint64_t pa, unsigned size, bool write,
                          uint64_t *value)
{
    MemRegion *root = &cpu->cpu.machine->memory;

    if (!cpu_lock_machine(&cpu->cpu)) {
        return rv_fail(cpu, CAUSE_ABANDON, 0);
    }
    int64_t start = cpu_device_enter(&cpu->cpu);
    MemMemo *memo = &device_page(cpu, va, write ? ACCESS_WRITE : ACCESS_READ)->memo;
    MemResult result = write ? mem_write_memo(root, memo, pa, size, *value)
                             : mem_read_memo(root, memo, pa, size, value);
    bool ok = mem_answered(cpu, pa, result);
    cpu_device_leave(&cpu->cpu, start);
    cpu_unlock_machine(&cpu->cpu);
    if (!ok) {
        if (log_on(LOG_UNIMP)) {
            log_line("hart %u: %s of %u bytes at 0x%" PRIx64 ": no device answers", cpu->cpu.index,
                     write ? "store" : "load", size, pa);
        }
        return rv_fail(cpu, write ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS, va);
    }
    return true;
}

/* --- loads and stores --- */

static bool crosses(uint64_t va, unsigned size)
{
    return (va & (RAM_PAGE_SIZE - 1)) + size > RAM_PAGE_SIZE;
}

/*
 * Load from RAM. An aligned access is one host access, because it must be atomic for other harts;
 * memcpy() with a variable length does not guarantee that.
 */
static uint64_t load_host(const uint8_t *host, unsigned size)
{
    uint64_t value = 0;

    switch ((uintptr_t)host % size ? 0 : size) {
    case 1:
        return *host;
    case 2:
        return __atomic_load_n((const uint16_t *)host, __ATOMIC_RELAXED);
    case 4:
        return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
    case 8:
        return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
    default:
        memcpy(&value, host, size);
        return value;
    }
}

static void store_host(uint8_t *host, unsigned size, uint64_t value)
{
    switch ((uintptr_t)host % size ? 0 : size) {
    case 1:
        *host = (uint8_t)value;
        break;
    case 2:
        __atomic_store_n((uint16_t *)host, (uint16_t)value, __ATOMIC_RELAXED);
        break;
    case 4:
        __atomic_store_n((uint32_t *)host, (uint32_t)value, __ATOMIC_RELAXED);
        break;
    case 8:
        __atomic_store_n((uint64_t *)host, value, __ATOMIC_RELAXED);
        break;
    default:
        memcpy(host, &value, size);
    }
}

static bool load_page(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t *value)
{
    uint64_t pa;
    Place p;

    if (device_page_find(cpu, va, ACCESS_READ, &pa)) {
        return device_access(cpu, va, pa, size, false, value);
    }
    if (!mem_find(cpu, va, size, ACCESS_READ, &p)) {
        return false;
    }
    if (p.host) {
        *value = load_host(p.host, size);
        return true;
    }
    *value = 0;
    return device_access(cpu, va, p.pa, size, false, value);
}

static bool mem_store_page(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t value)
{
    uint64_t pa;
    Place p;

    if (device_page_find(cpu, va, ACCESS_WRITE, &pa)) {
        return device_access(cpu, va, pa, size, true, &value);
    }
    if (!mem_find(cpu, va, size, ACCESS_WRITE, &p)) {
        return false;
    }
    if (!p.host || p.block->device_stores) {
        return device_access(cpu, va, p.pa, size, true, &value);
    }
    if (!p.block->read_only) {
        store_host(p.host, size, value);
        stored(cpu, &p, size);
    }
    return true;
}

bool rv_load(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t *value)
{
    if (UNLIKELY(cpu->watching | cpu->triggering) && rv_debug_watch(cpu, va, size, true, false)) {
        return false;
    }
    if (!crosses(va, size)) {
        return load_page(cpu, va, size, value);
    }
    uint64_t result = 0;
    for (unsigned i = 0; i < size; i++) {
        uint64_t byte;
        if (!load_page(cpu, va + i, 1, &byte)) {
            return false;
        }
        result |= byte << (8 * i);
    }
    *value = result;
    return true;
}

bool rv_store(RiscvCpu *cpu, uint64_t va, unsigned size, uint64_t value)
{
    Place p;

    if (UNLIKELY(cpu->watching | cpu->triggering) && rv_debug_watch(cpu, va, size, false, true)) {
        return false;
    }
    if (!crosses(va, size)) {
        return mem_store_page(cpu, va, size, value);
    }
    /* Check both pages before writing to either. */
    uint64_t second = (va + size - 1) & TLB_PAGE_MASK;
    if (!mem_find(cpu, va, 1, ACCESS_WRITE, &p) || !mem_find(cpu, second, 1, ACCESS_WRITE, &p)) {
        return false;
    }
    for (unsigned i = 0; i < size; i++) {
        if (!mem_store_page(cpu, va + i, 1, value >> (8 * i) & 0xff)) {
            return false;
        }
    }
    return true;
}

void *rv_amo(RiscvCpu *cpu, uint64_t va, unsigned size, AmoAccess how, RamBlock **block,
             uint64_t *offset)
{
    bool read = how & AMO_READ, write = how & AMO_WRITE;
    Place p;

    *block = NULL;
    if (UNLIKELY(cpu->watching | cpu->triggering) && rv_debug_watch(cpu, va, size, read, write)) {
        return NULL;
    }
    if (!mem_find(cpu, va, size, write ? ACCESS_WRITE : ACCESS_READ, &p)) {
        return NULL;
    }
    if (!p.host || (write && p.block->read_only)) {
        rv_fail(cpu, write ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS, va);
        return NULL;
    }
    if (write && !p.cached) {
        *block = p.block;
        *offset = p.offset;
    }
    return p.host;
}

bool rv_zero_block(RiscvCpu *cpu, uint64_t va)
{
    uint64_t at = va & ~(uint64_t)(CBO_BLOCK - 1), zero = 0;
    Place p;

    if (UNLIKELY(cpu->watching | cpu->triggering) &&
        rv_debug_watch(cpu, at, CBO_BLOCK, false, true)) {
        return false;
    }
    if (!mem_find(cpu, at, CBO_BLOCK, ACCESS_WRITE, &p)) {
        cpu->trap_tval = va;
        return false;
    }
    if (p.host && !p.block->read_only) {
        memset(p.host, 0, CBO_BLOCK);
        stored(cpu, &p, CBO_BLOCK);
    }
    for (unsigned i = 0; (!p.host || p.block->device_stores) && i < CBO_BLOCK; i += 8) {
        if (!device_access(cpu, va, p.pa + i, 8, true, &zero)) {
            return false;
        }
    }
    return true;
}

bool rv_manage_block(RiscvCpu *cpu, uint64_t va)
{
    uint64_t at = va & ~(uint64_t)(CBO_BLOCK - 1);
    Place p;

    if (mem_find(cpu, at, CBO_BLOCK, ACCESS_READ, &p) ||
        mem_find(cpu, at, CBO_BLOCK, ACCESS_WRITE, &p)) {
        return true;
    }
    cpu->trap_tval = va;
    return false;
}

uint8_t *rv_fetch(RiscvCpu *cpu, uint64_t va, RamBlock **block, uint64_t *offset)
{
    Place p;

    if (!mem_find(cpu, va, 2, ACCESS_FETCH, &p)) {
        return NULL;
    }
    if (!p.host) {
        rv_fail(cpu, CAUSE_FETCH_ACCESS, va);
        return NULL;
    }
    *block = p.block;
    *offset = p.offset;
    return p.host;
}

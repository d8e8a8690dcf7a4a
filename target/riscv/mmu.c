/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address translation: Sv39 and Sv48 with Svadu, Svpbmt and Svnapot (privileged ISA, chapter
 * "Supervisor-Level ISA"), and the contexts of the TLBs.
 *
 * Page tables are read through host pointers. A table that is not in RAM causes an access fault.
 */
#include "target/riscv/hart_internal.h"
#include "util/log.h"

#define PTE_V    (UINT64_C(1) << 0)
#define PTE_R    (UINT64_C(1) << 1)
#define PTE_W    (UINT64_C(1) << 2)
#define PTE_X    (UINT64_C(1) << 3)
#define PTE_U    (UINT64_C(1) << 4)
#define PTE_G    (UINT64_C(1) << 5)
#define PTE_A    (UINT64_C(1) << 6)
#define PTE_D    (UINT64_C(1) << 7)
#define PTE_PPN  (((UINT64_C(1) << 44) - 1) << 10)
#define PTE_PBMT (UINT64_C(3) << 61)
#define PTE_N    (UINT64_C(1) << 63)
#define PTE_RSVD (UINT64_C(0x7f) << 54)

unsigned mmu_data_priv(const RiscvCpu *cpu)
{
    if (cpu->mstatus & MSTATUS_MPRV) {
        return (cpu->mstatus & MSTATUS_MPP) >> 11;
    }
    return cpu->priv;
}

int mmu_access_fault(Access access)
{
    static const uint8_t cause[] = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS };
    return cause[access];
}

static int page_fault(Access access)
{
    static const uint8_t cause[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE };
    return cause[access];
}

/* Return true if a leaf entry allows an access. The A and D bits are not checked. */
static bool leaf_allows(const RiscvCpu *cpu, uint64_t pte, Access access, unsigned priv)
{
    bool user = pte & PTE_U;

    if (priv == PRIV_U && !user) {
        return false;
    }
    if (priv == PRIV_S && user && (access == ACCESS_FETCH || !(cpu->mstatus & MSTATUS_SUM))) {
        return false;
    }
    switch (access) {
    case ACCESS_READ:
        return (pte & PTE_R) || ((cpu->mstatus & MSTATUS_MXR) && (pte & PTE_X));
    case ACCESS_WRITE:
        return pte & PTE_W;
    default:
        return pte & PTE_X;
    }
}

/* Return true if a valid entry has a reserved encoding. */
static bool pte_reserved(const RiscvCpu *cpu, uint64_t pte, bool leaf, unsigned level)
{
    if ((pte & PTE_RSVD) || (pte & (PTE_R | PTE_W)) == PTE_W) {
        return true;
    }
    if (pte & PTE_PBMT) {
        bool legal = leaf && (cpu->menvcfg & ENVCFG_PBMTE) && (pte & PTE_PBMT) != PTE_PBMT;
        if (!legal) {
            return true;
        }
    }
    if (pte & PTE_N) {
        bool legal = leaf && level == 0 && has_ext(cpu, EXT_SVNAPOT) && (pte >> 10 & 15) == 8;
        if (!legal) {
            return true;
        }
    }
    if (!leaf) {
        return pte & (PTE_A | PTE_D | PTE_U);
    }
    return (pte >> 10) & ((UINT64_C(1) << (9 * level)) - 1); /* misaligned superpage */
}

typedef struct Leaf {
    uint64_t *host; /* host address of the entry */
    RamBlock *block;
    uint64_t offset;
    uint64_t pa, pte;
    unsigned level;
} Leaf;

/* Find the leaf entry. Return CAUSE_NONE, or the cause of an access or page fault. */
static int mmu_walk(RiscvCpu *cpu, uint64_t va, Access access, Leaf *leaf)
{
    unsigned levels = SATP_MODE(cpu->satp) == SATP_SV39 ? 3 : 4;
    unsigned unused = 64 - (12 + 9 * levels);
    uint64_t table = SATP_PPN(cpu->satp) << 12;

    if ((uint64_t)((int64_t)(va << unused) >> unused) != va) {
        return page_fault(access);
    }
    for (int level = levels - 1; level >= 0; level--) {
        uint64_t pa = table + (va >> (12 + 9 * level) & 0x1ff) * 8;
        if (!cpu->in_debug && !pmp_allows(&cpu->pmp, false, pa, 8, PMP_R)) {
            return mmu_access_fault(access);
        }
        leaf->host = (uint64_t *)rv_ram(cpu, pa, &leaf->block, &leaf->offset);
        if (!leaf->host) {
            return mmu_access_fault(access);
        }
        uint64_t pte = __atomic_load_n(leaf->host, __ATOMIC_RELAXED);
        bool is_leaf = pte & (PTE_R | PTE_X);
        if (!(pte & PTE_V) || pte_reserved(cpu, pte, is_leaf, level)) {
            return page_fault(access);
        }
        if (is_leaf) {
            leaf->pte = pte;
            leaf->pa = pa;
            leaf->level = level;
            return CAUSE_NONE;
        }
        table = (pte & PTE_PPN) << 2;
    }
    return page_fault(access);
}

static void mmu_resolve(const Leaf *leaf, uint64_t va, Translation *out)
{
    uint64_t base = (leaf->pte & PTE_PPN) << 2;

    out->leaf_bits = 12 + 9 * leaf->level;
    if (leaf->pte & PTE_N) {
        out->leaf_bits = 16;
        base &= ~UINT64_C(0xffff);
    }
    out->global = leaf->pte & PTE_G;
    uint64_t mask = (UINT64_C(1) << out->leaf_bits) - 1;
    out->pa = (base & ~mask) | (va & mask);
}

/* Set the A and D bits that an access requires. Return 1 if done, 0 if the entry changed and the
 * walk must be repeated, -1 for a page fault, -2 for an access fault. */
static int update_ad(RiscvCpu *cpu, Leaf *leaf, uint64_t want)
{
    if (!(cpu->menvcfg & ENVCFG_ADUE)) {
        return -1;
    }
    if (!pmp_allows(&cpu->pmp, false, leaf->pa, 8, PMP_R | PMP_W) || leaf->block->read_only) {
        return -2;
    }
    uint64_t old = leaf->pte;
    if (!__atomic_compare_exchange_n(leaf->host, &old, old | want, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        return 0;
    }
    ram_written_any(leaf->block, leaf->offset, 8);
    return 1;
}

static int translate_paged(RiscvCpu *cpu, uint64_t va, Access access, unsigned priv,
                           Translation *out)
{
    uint64_t want = PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);

    for (;;) {
        Leaf leaf;
        int cause = mmu_walk(cpu, va, access, &leaf);
        if (cause != CAUSE_NONE) {
            return cause;
        }
        if (!leaf_allows(cpu, leaf.pte, access, priv)) {
            return page_fault(access);
        }
        if ((leaf.pte & want) != want) {
            int done = update_ad(cpu, &leaf, want);
            if (done < 0) {
                return done == -1 ? page_fault(access) : mmu_access_fault(access);
            }
            if (done == 0) {
                continue;
            }
        }
        mmu_resolve(&leaf, va, out);
        return CAUSE_NONE;
    }
}

int mmu_translate(RiscvCpu *cpu, uint64_t va, Access access, unsigned priv, Translation *out)
{
    int cause = CAUSE_NONE;

    if (priv == PRIV_M || SATP_MODE(cpu->satp) == SATP_BARE) {
        *out = (Translation){ va, TLB_PAGE_BITS, true };
        return va >> 56 ? mmu_access_fault(access) : CAUSE_NONE;
    }
    cause = translate_paged(cpu, va, access, priv, out);
    if (log_on(LOG_MMU)) {
        log_line("mmu: va 0x%" PRIx64 " %c priv %u: cause %d pa 0x%" PRIx64, va, "rwx"[access],
                 priv, cause, cause == CAUSE_NONE ? out->pa : 0);
    }
    return cause;
}

bool mmu_debug_translate(RiscvCpu *cpu, uint64_t va, uint64_t *pa)
{
    Translation t = { .pa = va };
    Leaf leaf;

    if (cpu->priv != PRIV_M && SATP_MODE(cpu->satp) != SATP_BARE) {
        cpu->in_debug = true;
        int cause = mmu_walk(cpu, va, ACCESS_READ, &leaf);
        cpu->in_debug = false;
        if (cause != CAUSE_NONE) {
            return false;
        }
        mmu_resolve(&leaf, va, &t);
    }
    *pa = t.pa;
    return true;
}

/* --- all mappings, for debuggers --- */

typedef struct MapWalk {
    RiscvCpu *cpu;
    uint64_t entries_left;
    bool complete;
    bool (*fn)(void *opaque, const CpuMapping *map);
    void *opaque;
} MapWalk;

static bool mmu_report_leaf(const MapWalk *w, uint64_t va, const Leaf *leaf)
{
    static const struct {
        uint64_t pte;
        unsigned right;
    } rights[] = {
        { PTE_R, CPU_MAP_READ },  { PTE_W, CPU_MAP_WRITE },  { PTE_X, CPU_MAP_EXEC },
        { PTE_U, CPU_MAP_USER },  { PTE_G, CPU_MAP_GLOBAL }, { PTE_A, CPU_MAP_ACCESSED },
        { PTE_D, CPU_MAP_DIRTY },
    };
    CpuMapping map = { .va = va, .size = UINT64_C(1) << (12 + 9 * leaf->level) };
    Translation t;

    mmu_resolve(leaf, va, &t);
    map.pa = t.pa;
    for (unsigned i = 0; i < G_N_ELEMENTS(rights); i++) {
        map.rights |= leaf->pte & rights[i].pte ? rights[i].right : 0;
    }
    return w->fn(w->opaque, &map);
}

/* Visit the table at a physical address. Return false to end the walk. */
static bool mmu_walk_table(MapWalk *w, uint64_t table, unsigned level, uint64_t va)
{
    Leaf leaf = { .level = level };

    for (uint64_t i = 0; i < 512; i++) {
        uint64_t at = va | i << (12 + 9 * level);
        unsigned unused = SATP_MODE(w->cpu->satp) == SATP_SV39 ? 25 : 16;

        at = (uint64_t)((int64_t)(at << unused) >> unused);
        leaf.host = (uint64_t *)rv_ram(w->cpu, table + i * 8, &leaf.block, &leaf.offset);
        if (w->entries_left == 0) {
            w->complete = false;
            return false;
        }
        w->entries_left--;
        leaf.pte = leaf.host ? __atomic_load_n(leaf.host, __ATOMIC_RELAXED) : 0;
        bool is_leaf = leaf.pte & (PTE_R | PTE_X);
        if (!(leaf.pte & PTE_V) || pte_reserved(w->cpu, leaf.pte, is_leaf, level)) {
            continue;
        }
        if (is_leaf ? !mmu_report_leaf(w, at, &leaf)
                    : level > 0 && !mmu_walk_table(w, (leaf.pte & PTE_PPN) << 2, level - 1, at)) {
            return false;
        }
    }
    return true;
}

bool mmu_mappings(RiscvCpu *cpu, uint64_t max_entries, bool *complete,
                  bool (*fn)(void *opaque, const CpuMapping *map), void *opaque)
{
    MapWalk w = { cpu, max_entries, true, fn, opaque };

    if (SATP_MODE(cpu->satp) == SATP_BARE) {
        return false;
    }
    mmu_walk_table(&w, SATP_PPN(cpu->satp) << 12, SATP_MODE(cpu->satp) == SATP_SV39 ? 2 : 3, 0);
    *complete = w.complete;
    return true;
}

/* --- contexts --- */

/*
 * The keys of contexts. Without SUM, S-mode can access only the entries of a kernel, which are
 * global as a rule: its contexts are shared by all address spaces of one mode. An entry that is not
 * global ends them when satp changes.
 */
static uint64_t context_space(const RiscvCpu *cpu, unsigned priv, bool sum)
{
    if (priv == PRIV_M) {
        return 0;
    }
    return priv == PRIV_S && !sum ? SATP_MODE(cpu->satp) << 60 : cpu->satp;
}

static bool context_is_shared(uint64_t space, uint64_t arg)
{
    return space != 0 && space == SATP_MODE(space) << 60;
}

static void context_end_shared(RiscvCpu *cpu)
{
    if (cpu->context_private) {
        tlb_flush_matching(&cpu->tlb, context_is_shared, 0);
        cpu->context_private = false;
    }
}

void mmu_context_used(RiscvCpu *cpu, const Translation *t, Access access, unsigned priv)
{
    bool sum = access != ACCESS_FETCH && (cpu->mstatus & MSTATUS_SUM);

    if (!t->global && priv == PRIV_S && !sum) {
        cpu->context_private = true;
    }
}

static void find_contexts(RiscvCpu *cpu, bool *wrapped)
{
    unsigned data = mmu_data_priv(cpu);
    uint32_t rights = data == PRIV_M ? 0 : (cpu->mstatus & (MSTATUS_SUM | MSTATUS_MXR)) >> 16;

    cpu->data_context = tlb_context(&cpu->tlb, context_space(cpu, data, cpu->mstatus & MSTATUS_SUM),
                                    data | rights, wrapped);
    cpu->fetch_context = tlb_context(&cpu->tlb, context_space(cpu, cpu->priv, false),
                                     cpu->priv | TLB_MODE_FETCH, wrapped);
}

void mmu_update_contexts(RiscvCpu *cpu)
{
    bool wrapped = false;

    if (cpu->satp != cpu->context_satp) {
        context_end_shared(cpu);
        cpu->context_satp = cpu->satp;
    }
    find_contexts(cpu, &wrapped);
    if (wrapped) {
        find_contexts(cpu, &wrapped);
    }
    cpu->fetch_unique = tlb_unique(&cpu->tlb, cpu->fetch_context);
    blockcache_new_generation(&cpu->blocks, cpu->tlb.generation);
}

void mmu_flush(RiscvCpu *cpu)
{
    tlb_flush(&cpu->tlb);
    mmu_update_contexts(cpu);
}

static bool same_asid(uint64_t satp, uint64_t asid)
{
    return SATP_ASID(satp) == asid && SATP_MODE(satp) != SATP_BARE;
}

void mmu_sfence(RiscvCpu *cpu, bool by_va, uint64_t va, bool by_asid, uint64_t asid)
{
    if (by_va) {
        if (tlb_flush_page(&cpu->tlb, va)) {
            tlb_renew_fetch(&cpu->tlb);
            mmu_update_contexts(cpu);
        }
    } else if (by_asid) {
        tlb_flush_matching(&cpu->tlb, same_asid, asid & 0xffff);
        context_end_shared(cpu);
        mmu_update_contexts(cpu);
    } else {
        mmu_flush(cpu);
    }
}

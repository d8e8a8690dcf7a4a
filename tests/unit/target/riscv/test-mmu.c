/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation compared with a plain walker over random page tables; fences; A and D; superpages.
 */
#include "harness.h"

#define TABLES   (RAM_BASE + 0x100000)
#define N_TABLES 16

/* Return true if a leaf's bits permit this access. */
static bool allowed(const RiscvCpu *c, uint64_t pte, Access access, unsigned priv)
{
    bool user = pte >> 4 & 1, readable = pte >> 1 & 1, executable = pte >> 3 & 1;

    if (priv == PRIV_U ? !user : user && (access == ACCESS_FETCH || !(c->mstatus & MSTATUS_SUM))) {
        return false;
    }
    return access == ACCESS_FETCH   ? executable
           : access == ACCESS_WRITE ? pte >> 2 & 1
                                    : readable || ((c->mstatus & MSTATUS_MXR) && executable);
}

/* The specification's algorithm, one step per line. Returns the cause or CAUSE_NONE. */
static int reference(Hart *h, uint64_t va, Access access, unsigned priv, uint64_t *pa)
{
    static const uint8_t page[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE };
    static const uint8_t bus[] = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS };
    RiscvCpu *c = h->cpu;
    int levels = SATP_MODE(c->satp) == SATP_SV39 ? 3 : 4;
    uint64_t a = SATP_PPN(c->satp) * 4096, pte = 0;
    int64_t high = (int64_t)va >> (12 + 9 * levels - 1);
    int i;

    if (high != 0 && high != -1) {
        return page[access];
    }
    for (i = levels - 1;; i--) {
        uint64_t at = a + (va >> (12 + 9 * i) & 511) * 8;
        if (at < RAM_BASE || at + 8 > RAM_BASE + RAM_BYTES) {
            return bus[access];
        }
        pte = ram_load(h, at, 8);
        bool r = pte >> 1 & 1, w = pte >> 2 & 1, x = pte >> 3 & 1;
        if (!(pte & 1) || (!r && w) || (pte >> 54 & 0x7f)) {
            return page[access];
        }
        if (r || x) {
            break;
        }
        if (pte >> 61 || (pte & 0xd0) || i == 0) {
            return page[access];
        }
        a = (pte >> 10 & 0xfffffffffff) * 4096;
    }
    unsigned pbmt = pte >> 61 & 3;
    if (pbmt && (pbmt == 3 || !(c->menvcfg & ENVCFG_PBMTE))) {
        return page[access];
    }
    uint64_t ppn = pte >> 10 & 0xfffffffffff;
    if (pte >> 63) {
        if (i != 0 || (ppn & 15) != 8) {
            return page[access];
        }
        ppn = (ppn & ~UINT64_C(15)) | (va >> 12 & 15);
    }
    if (ppn & ((UINT64_C(1) << (9 * i)) - 1)) {
        return page[access];
    }
    if (!allowed(c, pte, access, priv)) {
        return page[access];
    }
    bool ready = (pte & 0x40) && (access != ACCESS_WRITE || (pte & 0x80));
    if (!ready && !(c->menvcfg & ENVCFG_ADUE)) {
        return page[access];
    }
    uint64_t mask = (UINT64_C(1) << (12 + 9 * i)) - 1;
    *pa = ((ppn << 12) & ~mask) | (va & mask);
    return CAUSE_NONE;
}

/* Mostly plausible entries: tables in the test's few pages, leaves with random permissions, some
 * random values. */
static uint64_t random_pte(GRand *rand)
{
    unsigned kind = g_rand_int_range(rand, 0, 10);
    uint64_t table = (TABLES >> 12) + g_rand_int_range(rand, 0, N_TABLES);

    if (kind == 0) {
        return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    }
    if (kind < 5) {
        return table << 10 | 1 | (g_rand_int_range(rand, 0, 20) == 0 ? 0x40 : 0);
    }
    uint64_t pte = ((RAM_BASE >> 12) + g_rand_int_range(rand, 0, 512)) << 10;
    pte |= 1 | (g_rand_int(rand) & 0xfe);
    if (kind == 6) {
        pte &= ~(UINT64_C(0x3ffff) << 10); /* aligned superpage */
        pte |= UINT64_C(0x80000) << 10;
    }
    if (kind == 7) {
        pte |= (uint64_t)g_rand_int_range(rand, 0, 8) << 61;
        pte = (pte & ~(UINT64_C(15) << 10)) | UINT64_C(8) << 10;
    }
    return pte;
}

static uint64_t random_va(GRand *rand, unsigned levels)
{
    uint64_t va = g_rand_int_range(rand, 0, 4096) & ~7;

    for (unsigned i = 0; i < levels; i++) {
        va |= (uint64_t)g_rand_int_range(rand, 0, 8) << (12 + 9 * i);
    }
    if (g_rand_int_range(rand, 0, 16) == 0) {
        va |= (uint64_t)g_rand_int(rand) << 32;
    }
    return va;
}

static void test_random(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(8);

    for (unsigned round = 0; round < 600; round++) {
        unsigned mode = g_rand_boolean(rand) ? SATP_SV39 : SATP_SV48;
        for (unsigned t = 0; t < N_TABLES; t++) {
            for (unsigned k = 0; k < 8; k++) {
                ram_store(h, TABLES + t * 4096 + k * 8, random_pte(rand), 8);
            }
        }
        h->cpu->satp = (uint64_t)mode << 60 | TABLES >> 12;
        h->cpu->menvcfg =
            (g_rand_boolean(rand) ? ENVCFG_ADUE : 0) | (g_rand_boolean(rand) ? ENVCFG_PBMTE : 0);
        h->cpu->mstatus =
            (g_rand_boolean(rand) ? MSTATUS_SUM : 0) | (g_rand_boolean(rand) ? MSTATUS_MXR : 0);
        for (unsigned k = 0; k < 100; k++) {
            uint64_t va = random_va(rand, mode == SATP_SV39 ? 3 : 4), want_pa = 0;
            Access access = g_rand_int_range(rand, 0, 3);
            unsigned priv = g_rand_boolean(rand) ? PRIV_S : PRIV_U;
            Translation t = { 0 };
            int want = reference(h, va, access, priv, &want_pa);
            int got = mmu_translate(h->cpu, va, access, priv, &t);
            g_assert_cmpint(got, ==, want);
            if (want == CAUSE_NONE) {
                g_assert_cmphex(t.pa, ==, want_pa);
            }
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

/* --- a hart in S-mode on tables: 3 levels, va 0 up maps RAM_BASE + va by 4 KiB pages --- */

#define L2    TABLES
#define L1    (TABLES + 0x1000)
#define L0    (TABLES + 0x2000)
#define RWXAD 0xcf

static void map(Hart *h, unsigned page, uint64_t pa, uint64_t bits)
{
    ram_store(h, L0 + page * 8, pa >> 12 << 10 | bits, 8);
}

static void set_up(Hart *h)
{
    hart_reset(h);
    memset(ram_at(h, TABLES), 0, 0x4000);
    ram_store(h, L2, L1 >> 12 << 10 | 1, 8);
    ram_store(h, L1, L0 >> 12 << 10 | 1, 8);
    /* A 1 GiB leaf that maps everything to its physical address, for code and the stop handler. */
    ram_store(h, L2 + 16, RAM_BASE >> 12 << 10 | RWXAD, 8);
    for (unsigned i = 0; i < 512; i++) {
        map(h, i, RAM_BASE + i * 4096, RWXAD);
    }
    h->cpu->satp = UINT64_C(8) << 60 | L2 >> 12;
    h->cpu->menvcfg = 0;
    h->cpu->priv = PRIV_S;
    mmu_flush(h->cpu);
}

static void run_s(Hart *h, uint64_t cause, uint64_t tval)
{
    emit_ebreak(h);
    h->cpu->pc = CODE;
    h->cpu->priv = PRIV_S;
    mmu_update_contexts(h->cpu);
    hart_run(h);
    g_assert_cmphex(h->cpu->mcause, ==, cause);
    if (cause != CAUSE_BREAKPOINT) {
        g_assert_cmphex(h->cpu->mtval, ==, tval);
    }
    h->at = CODE;
}

/* A changed entry is visible after sfence.vma of its address, and not kept by other entries. */
static void test_sfence(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    ram_store(h, DATA, 1, 8);
    ram_store(h, DATA + 0x1000, 2, 8);
    h->cpu->x[5] = 0x20000; /* maps DATA */
    h->cpu->x[6] = L0 + 0x20 * 8;
    h->cpu->x[7] = (DATA + 0x1000) >> 12 << 10 | RWXAD;
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, s_type("sd", 7, 6, 0));
    emit_word(h, match_of("sfence.vma") | 5u << 15);
    emit_word(h, i_type("ld", 11, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 1);
    g_assert_cmpuint(h->cpu->x[11], ==, 2);
    hart_free(h);
}

/* The cached translation of a device's page: sfence.vma ends it, it does not permit stores, and RAM
 * that is mapped there later replaces it. */
static void test_device_page(void)
{
    Hart *h = hart_new(NULL);
    MemRegion over = { 0 };

    set_up(h);
    map(h, 0x20, DEVICE, 0x43 /* V, R, A */);
    ram_store(h, DATA + 0x1000, 2, 8);
    h->device_value = 1;
    h->cpu->x[5] = 0x20000;
    h->cpu->x[6] = L0 + 0x20 * 8;
    h->cpu->x[7] = (DATA + 0x1000) >> 12 << 10 | RWXAD;
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, s_type("sd", 7, 6, 0));
    emit_word(h, match_of("sfence.vma") | 5u << 15);
    emit_word(h, i_type("ld", 11, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 1);
    g_assert_cmpuint(h->cpu->x[11], ==, 2);
    g_assert_cmpuint(h->device_loads, ==, 2);
    map(h, 0x20, DEVICE, 0x43);
    mmu_flush(h->cpu);
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, s_type("sd", 0, 5, 0));
    run_s(h, CAUSE_STORE_PAGE, 0x20000);
    g_assert_cmpuint(h->device_loads, ==, 3);
    machine_lock(h->m);
    mem_init_ram(&over, "over", h->ram, DATA + 0x1000 - RAM_BASE, 0x1000);
    mem_map(&h->m->memory, DEVICE, &over, 1, 0);
    machine_unlock(h->m);
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 2);
    g_assert_cmpuint(h->device_loads, ==, 3);
    g_assert_cmpuint(h->cpu->cpu.device_accesses, >=, 3);
    machine_lock(h->m);
    mem_fini(&over);
    machine_unlock(h->m);
    hart_free(h);
}

/* sfence.vma of any address in a 2 MiB leaf drops every part of it. */
static void test_sfence_superpage(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    ram_store(h, L1 + 8, RAM_BASE >> 12 << 10 | RWXAD, 8); /* va 2 MiB: a leaf at RAM_BASE */
    ram_store(h, DATA, 1, 8);
    ram_store(h, DATA + 0x200000, 2, 8);
    h->cpu->x[5] = 0x200000 + 0x20000;
    h->cpu->x[6] = L1 + 8;
    h->cpu->x[7] = (RAM_BASE + 0x200000) >> 12 << 10 | RWXAD;
    h->cpu->x[8] = 0x3ff000; /* another address of the leaf */
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, s_type("sd", 7, 6, 0));
    emit_word(h, match_of("sfence.vma") | 8u << 15);
    emit_word(h, i_type("ld", 11, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 1);
    g_assert_cmpuint(h->cpu->x[11], ==, 2);
    hart_free(h);
}

/* Code through a remapped page: the fence invalidates links between blocks. */
static void test_sfence_code(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    h->at = DATA;
    emit_word(h, i_type("addi", 10, 10, 1));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = DATA + 0x1000;
    emit_word(h, i_type("addi", 10, 10, 100));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    h->cpu->x[5] = 0x20000;
    h->cpu->x[6] = L0 + 0x20 * 8;
    h->cpu->x[7] = (DATA + 0x1000) >> 12 << 10 | RWXAD;
    h->cpu->x[10] = 0;
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, i_type("jalr", 1, 5, 0));
    emit_word(h, s_type("sd", 7, 6, 0));
    emit_word(h, match_of("sfence.vma") | 5u << 15);
    emit_word(h, i_type("jalr", 1, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 102);
    hart_free(h);
}

/* Address spaces separate their translations without a fence. */
static void test_asid(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    uint64_t other = TABLES + 0x3000; /* a root that maps va 0 by another gigabyte leaf */
    ram_store(h, other, RAM_BASE >> 12 << 10 | RWXAD, 8);
    ram_store(h, other + 16, RAM_BASE >> 12 << 10 | RWXAD, 8);
    map(h, 0x20, DATA + 0x1000, RWXAD);
    ram_store(h, DATA, 1, 8);
    ram_store(h, DATA + 0x1000, 2, 8);
    h->cpu->x[5] = 0x20000;
    h->cpu->x[6] = UINT64_C(8) << 60 | UINT64_C(7) << 44 | other >> 12;
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, csr_type("csrrw", 7, 0x180, 6));
    emit_word(h, i_type("ld", 11, 5, 0));
    emit_word(h, csr_type("csrrw", 0, 0x180, 7));
    emit_word(h, i_type("ld", 12, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmpuint(h->cpu->x[10], ==, 2);
    g_assert_cmpuint(h->cpu->x[11], ==, 1);
    g_assert_cmpuint(h->cpu->x[12], ==, 2);
    hart_free(h);
}

/* Global entries remain cached when satp changes; one that is not global ends those of S-mode. */
static void test_global(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned global = 0; global < 2; global++) {
        set_up(h);
        ram_store(h, L2 + 16, RAM_BASE >> 12 << 10 | RWXAD | 0x20, 8);
        map(h, 0x20, DATA, RWXAD | (global ? 0x20 : 0));
        h->cpu->x[5] = 0x20000;
        emit_word(h, i_type("ld", 10, 5, 0));
        run_s(h, CAUSE_BREAKPOINT, 0);
        h->cpu->priv = PRIV_S;
        mmu_update_contexts(h->cpu);
        uint64_t data = h->cpu->data_context, fetch = h->cpu->fetch_unique;
        h->cpu->satp ^= UINT64_C(7) << 44;
        mmu_update_contexts(h->cpu);
        g_assert_cmpint(h->cpu->data_context == data, ==, global);
        g_assert_cmpint(h->cpu->fetch_unique == fetch, ==, global);
        h->cpu->priv = PRIV_U;
        mmu_update_contexts(h->cpu);
        data = h->cpu->data_context;
        h->cpu->satp ^= UINT64_C(7) << 44;
        mmu_update_contexts(h->cpu);
        g_assert_cmpuint(h->cpu->data_context, !=, data);
    }
    hart_free(h);
}

/* A and D: a fault if software maintains them, set and counted as dirty if hardware does. */
static void test_accessed_dirty(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    map(h, 0x20, DATA, 0x0f);
    h->cpu->x[5] = 0x20000;
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_LOAD_PAGE, 0x20000);
    map(h, 0x20, DATA, 0x4f);
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, s_type("sd", 10, 5, 0));
    run_s(h, CAUSE_STORE_PAGE, 0x20000);
    map(h, 0x20, DATA, 0x0f);
    h->cpu->menvcfg = ENVCFG_ADUE;
    mmu_flush(h->cpu);
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmphex(ram_load(h, L0 + 0x20 * 8, 1), ==, 0x4f);
    emit_word(h, s_type("sd", 10, 5, 0));
    run_s(h, CAUSE_BREAKPOINT, 0);
    g_assert_cmphex(ram_load(h, L0 + 0x20 * 8, 1), ==, 0xcf);
    hart_free(h);
}

/* SUM, MXR and MPRV take effect at the next instruction. */
static void test_rights(void)
{
    Hart *h = hart_new(NULL);
    uint64_t sum = MSTATUS_SUM;

    set_up(h);
    map(h, 0x20, DATA, RWXAD | 0x10);
    h->cpu->x[5] = 0x20000;
    h->cpu->x[6] = sum;
    emit_word(h, csr_type("csrrs", 0, 0x100, 6));
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, csr_type("csrrc", 0, 0x100, 6));
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_LOAD_PAGE, 0x20000);
    g_assert_cmphex(h->cpu->mepc, ==, CODE + 12);
    map(h, 0x21, DATA, 0x49); /* execute only */
    h->cpu->x[5] = 0x21000;
    h->cpu->x[6] = MSTATUS_MXR;
    emit_word(h, csr_type("csrrs", 0, 0x100, 6));
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_word(h, csr_type("csrrc", 0, 0x100, 6));
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_LOAD_PAGE, 0x21000);
    g_assert_cmphex(h->cpu->mepc, ==, CODE + 12);
    /* M-mode with MPRV and MPP = S: data accesses use the tables, instruction fetches do not. */
    hart_reset(h);
    h->cpu->satp = UINT64_C(8) << 60 | L2 >> 12;
    map(h, 0x20, DATA, RWXAD);
    ram_store(h, DATA, 42, 8);
    h->cpu->mstatus = MSTATUS_MPRV | UINT64_C(1) << 11;
    mmu_flush(h->cpu);
    h->cpu->x[5] = 0x20000;
    emit_word(h, i_type("ld", 10, 5, 0));
    emit_ebreak(h);
    h->cpu->pc = CODE;
    /* The trap does not clear MPRV, so the stop handler's store uses the tables, too: add an
     * identity page. */
    ram_store(h, L2 + 0, EXIT >> 30 << 28 | RWXAD, 8);
    ram_store(h, L2 + 0, L1 >> 12 << 10 | 1, 8);
    ram_store(h, L1 + (EXIT >> 21) * 8, EXIT >> 21 << 19 | RWXAD, 8);
    hart_run(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 42);
    hart_free(h);
}

/* A page table outside of RAM is an access fault; a load across two pages faults in the second
 * with the second's address. */
static void test_faults(void)
{
    Hart *h = hart_new(NULL);

    set_up(h);
    ram_store(h, L1 + 8, UINT64_C(0x40000000) >> 12 << 10 | 1, 8);
    h->cpu->x[5] = 0x200000;
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_LOAD_ACCESS, 0x200000);
    map(h, 0x21, 0, 0);
    h->cpu->x[5] = 0x20ffc;
    emit_word(h, i_type("ld", 10, 5, 0));
    run_s(h, CAUSE_LOAD_PAGE, 0x21000);
    ram_store(h, DATA + 0xffc, 0x11111111, 4);
    emit_word(h, s_type("sd", 0, 5, 0));
    run_s(h, CAUSE_STORE_PAGE, 0x21000);
    g_assert_cmphex(ram_load(h, DATA + 0xffc, 4), ==, 0x11111111);
    /* Fetch across a boundary into an unmapped page. */
    ram_store(h, DATA + 0xffe, 0x0013, 2);
    h->cpu->x[5] = 0x20ffe;
    emit_word(h, i_type("jalr", 0, 5, 0));
    run_s(h, CAUSE_FETCH_PAGE, 0x21000);
    g_assert_cmphex(h->cpu->mepc, ==, 0x20ffe);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mmu/random", test_random);
    g_test_add_func("/mmu/sfence", test_sfence);
    g_test_add_func("/mmu/device-page", test_device_page);
    g_test_add_func("/mmu/sfence-superpage", test_sfence_superpage);
    g_test_add_func("/mmu/sfence-code", test_sfence_code);
    g_test_add_func("/mmu/asid", test_asid);
    g_test_add_func("/mmu/global", test_global);
    g_test_add_func("/mmu/accessed-dirty", test_accessed_dirty);
    g_test_add_func("/mmu/rights", test_rights);
    g_test_add_func("/mmu/faults", test_faults);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled PMP compared with a byte-by-byte implementation of the specification; locks; its use by
 * the hart.
 */
#include "harness.h"

/* Return true if entry i covers the byte. */
static bool covers(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], unsigned i, uint64_t pa)
{
    uint8_t c = cfg[i / 8] >> (i % 8 * 8);
    uint64_t low = i ? addr[i - 1] << 2 : 0;
    unsigned ones = 0;

    switch (c >> 3 & 3) {
    case 1:
        return pa >= low && pa < addr[i] << 2;
    case 2:
        return pa >> 2 == addr[i];
    case 3:
        while (ones < 54 && (addr[i] >> ones & 1)) {
            ones++;
        }
        return ones + 3 >= 57 || pa >> (ones + 3) == addr[i] << 2 >> (ones + 3);
    default:
        return false;
    }
}

static bool reference(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], bool machine,
                      uint64_t pa, unsigned len, uint8_t rights)
{
    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        unsigned n = 0;
        for (unsigned k = 0; k < len; k++) {
            n += covers(cfg, addr, i, pa + k);
        }
        if (n) {
            uint8_t c = cfg[i / 8] >> (i % 8 * 8);
            bool binds = !machine || (c & PMP_L);
            return n == len && (!binds || (c & rights) == rights);
        }
    }
    return machine;
}

static void random_registers(GRand *rand, uint64_t cfg[2], uint64_t addr[PMP_ENTRIES])
{
    uint64_t none[2] = { 0, 0 }, value;

    for (unsigned i = 0; i < 2; i++) {
        value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        cfg[i] = pmp_cfg_write(none, i, value);
    }
    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        addr[i] = 0x20000000 + g_rand_int_range(rand, 0, 64);
        if (g_rand_boolean(rand)) {
            addr[i] |= (1u << g_rand_int_range(rand, 0, 6)) - 1;
        }
    }
}

static void test_random(void)
{
    GRand *rand = g_rand_new_with_seed(6);
    uint64_t cfg[2], addr[PMP_ENTRIES];

    for (unsigned round = 0; round < 3000; round++) {
        Pmp pmp;
        random_registers(rand, cfg, addr);
        pmp_compile(&pmp, cfg, addr);
        g_assert_cmphex(pmp.range[0].first, ==, 0);
        g_assert_cmphex(pmp.range[pmp.n - 1].last, ==, UINT64_MAX);
        for (unsigned k = 0; k < 60; k++) {
            unsigned len = 1u << g_rand_int_range(rand, 0, 4);
            uint64_t pa = 0x80000000 + g_rand_int_range(rand, -8, 64) * 4;
            uint8_t rights = 1u << g_rand_int_range(rand, 0, 3);
            bool machine = g_rand_boolean(rand);
            pa &= ~(uint64_t)(len - 1);
            bool want = reference(cfg, addr, machine, pa, len, rights);
            g_assert_cmpint(pmp_allows(&pmp, machine, pa, len, rights), ==, want);
        }
    }
    g_rand_free(rand);
}

/* Extreme values of the address registers can be compiled. */
static void test_wide(void)
{
    uint64_t cfg[2] = { 0x1f1f1f1f1f1f1f1f, 0x0f0f0f0f0f0f0f0f }, addr[PMP_ENTRIES];
    Pmp pmp;

    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        addr[i] = i & 1 ? PMP_ADDR_MASK : PMP_ADDR_MASK >> 1;
    }
    pmp_compile(&pmp, cfg, addr);
    g_assert_true(pmp_allows(&pmp, false, 0, 8, PMP_R | PMP_W | PMP_X));
    g_assert_true(pmp_allows(&pmp, false, (UINT64_C(1) << 56) - 8, 8, PMP_R));
}

static void test_lock(void)
{
    uint64_t cfg[2] = { 0, 0 }, addr[PMP_ENTRIES] = { 0 };

    cfg[0] = pmp_cfg_write(cfg, 0, 0x8f98);
    g_assert_cmphex(cfg[0], ==, 0x8f98);
    g_assert_cmphex(pmp_cfg_write(cfg, 0, 0), ==, 0x8f98);
    g_assert_cmphex(pmp_addr_write(cfg, addr, 0, 5), ==, 0); /* the base of a locked TOR */
    g_assert_cmphex(pmp_addr_write(cfg, addr, 1, 5), ==, 0);
    g_assert_cmphex(pmp_addr_write(cfg, addr, 2, UINT64_MAX), ==, PMP_ADDR_MASK);
    g_assert_cmphex(pmp_cfg_write(cfg, 1, 0x62), ==, 0); /* W without R, reserved bits */
}

/* S-mode: a page with a boundary inside is checked at each access, on both sides of it. */
static void test_cut_page(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->pmpaddr[0] = (DATA + 0x800) >> 2;
    h->cpu->pmpaddr[1] = (DATA + 0x808) >> 2;
    h->cpu->pmpaddr[2] = PMP_ADDR_MASK;
    h->cpu->pmpcfg[0] = 0x1f090f; /* rwx, r, rwx */
    rv_state_changed(h->cpu);
    h->cpu->x[5] = DATA + 0x800;
    emit_word(h, s_type("sd", 0, 5, -8));
    emit_word(h, i_type("ld", 6, 5, 0));
    emit_word(h, s_type("sd", 0, 5, 8));
    emit_word(h, s_type("sd", 0, 5, 0));
    h->cpu->priv = PRIV_S;
    mmu_update_contexts(h->cpu);
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE + 12, DATA + 0x800);
    /* An access that straddles two entries fails. */
    h->cpu->priv = PRIV_S;
    mmu_update_contexts(h->cpu);
    emit_word(h, i_type("ld", 6, 5, -4));
    hart_expect_trap(h, CAUSE_LOAD_ACCESS, CODE, DATA + 0x7fc);
    hart_free(h);
}

/* Code in a page with a boundary inside runs up to the boundary. */
static void test_cut_code(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->pmpaddr[0] = (CODE + 8) >> 2;
    h->cpu->pmpaddr[1] = (CODE + 0x1000) >> 2;
    h->cpu->pmpaddr[2] = PMP_ADDR_MASK;
    h->cpu->pmpcfg[0] = 0x1f0b0f; /* rwx, rw, rwx */
    rv_state_changed(h->cpu);
    emit_word(h, i_type("addi", 6, 0, 1));
    emit_word(h, i_type("addi", 6, 6, 1));
    emit_word(h, i_type("addi", 6, 6, 1));
    h->cpu->priv = PRIV_S;
    mmu_update_contexts(h->cpu);
    hart_expect_trap(h, CAUSE_FETCH_ACCESS, CODE + 8, CODE + 8);
    g_assert_cmpuint(h->cpu->x[6], ==, 2);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pmp/random", test_random);
    g_test_add_func("/pmp/wide", test_wide);
    g_test_add_func("/pmp/lock", test_lock);
    g_test_add_func("/pmp/cut-page", test_cut_page);
    g_test_add_func("/pmp/cut-code", test_cut_code);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time and stimecmp: rate, comparison, access permissions, and the timer interrupt.
 */
#include "harness.h"

static void set_now(Hart *h, int64_t ns)
{
    machine_lock(h->m);
    clocks_set_virtual(h->m->clocks, ns); /* it is stopped: the machine never ran */
    machine_unlock(h->m);
}

static uint64_t get(Hart *h, unsigned n)
{
    uint64_t v;
    g_assert_true(csr_access(h->cpu, n, CSR_OP_SET, true, false, 0, &v));
    return v;
}

static void test_rate(void)
{
    Hart *h = hart_new(NULL);

    set_now(h, 12345);
    g_assert_cmpuint(get(h, 0xc01), ==, 123);
    g_assert_cmpuint(get(h, 0xc00), ==, 12345);
    g_assert_cmpuint(get(h, 0xb00), ==, 12345);
    hart_free(h);
}

static void test_compare(void)
{
    Hart *h = hart_new(NULL);
    uint64_t old;

    h->cpu->menvcfg = ENVCFG_STCE;
    set_now(h, 1000);
    g_assert_true(csr_access(h->cpu, 0x14d, CSR_OP_WRITE, true, true, 11, &old));
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, 0);
    set_now(h, 1099);
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, 0);
    set_now(h, 1100);
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, MIP(STI));
    /* It can be cleared only by moving stimecmp. Very distant deadlines never fire. */
    g_assert_true(csr_access(h->cpu, 0x344, CSR_OP_CLEAR, true, true, MIP(STI), &old));
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, MIP(STI));
    g_assert_true(csr_access(h->cpu, 0x14d, CSR_OP_WRITE, true, true, UINT64_MAX, &old));
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, 0);
    /* Without STCE software controls the bit. */
    g_assert_true(csr_access(h->cpu, 0x30a, CSR_OP_WRITE, true, true, 0, &old));
    g_assert_true(csr_access(h->cpu, 0x344, CSR_OP_SET, true, true, MIP(STI), &old));
    g_assert_cmphex(get(h, 0x344) & MIP(STI), ==, MIP(STI));
    hart_free(h);
}

static void test_access(void)
{
    Hart *h = hart_new(NULL);
    uint64_t v;

    h->cpu->priv = PRIV_S;
    for (unsigned i = 0; i < 4; i++) {
        h->cpu->menvcfg = i & 1 ? ENVCFG_STCE : 0;
        h->cpu->mcounteren = i & 2 ? 2 : 0;
        g_assert_cmpint(csr_access(h->cpu, 0x14d, CSR_OP_SET, true, false, 0, &v), ==, i == 3);
    }
    hart_free(h);
}

/* A due timer interrupts S-mode code. */
static void test_interrupt(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->menvcfg = ENVCFG_STCE;
    h->cpu->stimecmp = 5;
    h->cpu->mie = MIP(STI); /* not delegated: handled in M */
    set_now(h, 500);
    emit_word(h, i_type("addi", 5, 5, 1));
    emit_word(h, j_type("jal", 0, -4));
    h->cpu->priv = PRIV_S;
    mmu_update_contexts(h->cpu);
    hart_run(h);
    g_assert_cmphex(h->cpu->mcause, ==, UINT64_C(1) << 63 | IRQ_STI);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/timer/rate", test_rate);
    g_test_add_func("/timer/compare", test_compare);
    g_test_add_func("/timer/access", test_access);
    g_test_add_func("/timer/interrupt", test_interrupt);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zacas: results, memory and traps; and the rights of the operations of Zicbom.
 */
#include "harness.h"

#define AMOCAS_W 0x2800202f
#define AMOCAS_D 0x2800302f
#define AMOCAS_Q 0x2800402f

static uint32_t cas_word(uint32_t op, unsigned rd, unsigned rs1, unsigned rs2)
{
    return op | rd << 7 | rs1 << 15 | rs2 << 20;
}

static void cas_prepare(Hart *h, uint64_t low, uint64_t high)
{
    ram_store(h, DATA, low, 8);
    ram_store(h, DATA + 8, high, 8);
    h->cpu->x[5] = DATA;
}

/* A word: only the low halves of rd and rs2 count, and the result is sign-extended. */
static void test_word(void)
{
    Hart *h = hart_new(HART_ALL);

    cas_prepare(h, UINT64_C(0x1122334480000001), 0);
    h->cpu->x[6] = UINT64_C(0xdead000080000001);
    h->cpu->x[7] = UINT64_C(0xbeef000012345678);
    emit_word(h, cas_word(AMOCAS_W, 6, 5, 7));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[6], ==, UINT64_C(0xffffffff80000001));
    g_assert_cmphex(ram_load(h, DATA, 8), ==, UINT64_C(0x1122334412345678));
    emit_word(h, cas_word(AMOCAS_W, 6, 5, 5)); /* different: nothing is stored */
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[6], ==, 0x12345678);
    g_assert_cmphex(ram_load(h, DATA, 8), ==, UINT64_C(0x1122334412345678));
    hart_free(h);
}

static void test_double(void)
{
    Hart *h = hart_new(HART_ALL);

    cas_prepare(h, 0, 7);
    h->cpu->x[7] = 99;
    h->cpu->x[X_DUMP] = 5; /* x0 compares with zero */
    emit_word(h, cas_word(AMOCAS_D, 0, 5, 7));
    hart_run_code(h);
    g_assert_cmpuint(ram_load(h, DATA, 8), ==, 99);
    h->cpu->x[6] = 99;
    emit_word(h, cas_word(AMOCAS_D, 6, 5, 6)); /* the operand is read before the result */
    hart_run_code(h);
    g_assert_cmpuint(ram_load(h, DATA, 8), ==, 99);
    emit_word(h, cas_word(AMOCAS_D, 5, 5, 0)); /* rd is rs1 */
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[5], ==, 99);
    g_assert_cmpuint(ram_load(h, DATA, 8), ==, 99);
    hart_free(h);
}

static void test_quad(void)
{
    Hart *h = hart_new(HART_ALL);

    for (unsigned differ = 0; differ < 3; differ++) {
        cas_prepare(h, 1, 2);
        h->cpu->x[10] = differ == 1 ? 3 : 1;
        h->cpu->x[11] = differ == 2 ? 3 : 2;
        h->cpu->x[12] = 10;
        h->cpu->x[13] = 20;
        emit_word(h, cas_word(AMOCAS_Q, 10, 5, 12));
        hart_run_code(h);
        g_assert_cmpuint(h->cpu->x[10], ==, 1);
        g_assert_cmpuint(h->cpu->x[11], ==, 2);
        g_assert_cmpuint(ram_load(h, DATA, 8), ==, differ ? 1 : 10);
        g_assert_cmpuint(ram_load(h, DATA + 8, 8), ==, differ ? 2 : 20);
    }
    /* The pair x0 is zero in both halves, as a source and as a destination. */
    cas_prepare(h, 0, 0);
    h->cpu->x[1] = 55;
    emit_word(h, cas_word(AMOCAS_Q, 0, 5, 12));
    hart_run_code(h);
    g_assert_cmpuint(ram_load(h, DATA + 8, 8), ==, 20);
    g_assert_cmpuint(h->cpu->x[1], ==, 55);
    h->cpu->x[10] = 10;
    h->cpu->x[11] = 20;
    emit_word(h, cas_word(AMOCAS_Q, 10, 5, 0));
    hart_run_code(h);
    g_assert_cmpuint(ram_load(h, DATA, 8), ==, 0);
    g_assert_cmpuint(ram_load(h, DATA + 8, 8), ==, 0);
    hart_free(h);
}

static void test_traps(void)
{
    Hart *h = hart_new(HART_ALL);
    static const struct {
        uint32_t op;
        unsigned offset;
    } misaligned[] = { { AMOCAS_W, 2 }, { AMOCAS_D, 4 }, { AMOCAS_Q, 8 } };
    uint32_t odd[] = { cas_word(AMOCAS_Q, 11, 5, 12), cas_word(AMOCAS_Q, 10, 5, 13) };

    for (unsigned i = 0; i < G_N_ELEMENTS(misaligned); i++) {
        cas_prepare(h, 1, 2);
        h->cpu->x[5] += misaligned[i].offset;
        emit_word(h, cas_word(misaligned[i].op, 10, 5, 12));
        hart_expect_trap(h, CAUSE_STORE_MISALIGNED, CODE, DATA + misaligned[i].offset);
    }
    h->cpu->x[5] = DEVICE; /* no atomics outside RAM, also if nothing would be stored */
    emit_word(h, cas_word(AMOCAS_D, 10, 5, 12));
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE, DEVICE);
    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        emit_word(h, odd[i]);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE, odd[i]);
    }
    hart_free(h);
}

/* --- Zicbom --- */

static uint32_t cbo_word(unsigned number, unsigned rs1)
{
    return 0x200f | number << 20 | rs1 << 15;
}

/* Execute an operation in a mode with the given fields of menvcfg and senvcfg. Return the cause. */
static uint64_t cbo_run(Hart *h, unsigned number, unsigned priv, uint64_t m, uint64_t s)
{
    RiscvCpu *cpu = h->cpu;

    cpu->menvcfg = m;
    cpu->senvcfg = s;
    cpu->x[5] = DATA + 9;
    emit_word(h, cbo_word(number, 5));
    emit_ebreak(h);
    cpu->pc = CODE;
    cpu->priv = priv;
    mmu_update_contexts(cpu);
    hart_run(h);
    h->at = CODE;
    if (cpu->mcause == CAUSE_ILLEGAL) {
        g_assert_cmphex(cpu->mtval, ==, cbo_word(number, 5));
    }
    return cpu->mcause;
}

static void test_cbo_rights(void)
{
    Hart *h = hart_new(HART_ALL);
    static const uint64_t field[] = { ENVCFG_CBIE, ENVCFG_CBCFE, ENVCFG_CBCFE };

    for (unsigned n = 0; n < 3; n++) {
        uint64_t f = field[n];

        g_assert_cmpuint(cbo_run(h, n, PRIV_M, 0, 0), ==, CAUSE_BREAKPOINT);
        g_assert_cmpuint(cbo_run(h, n, PRIV_S, 0, f), ==, CAUSE_ILLEGAL);
        g_assert_cmpuint(cbo_run(h, n, PRIV_S, f, 0), ==, CAUSE_BREAKPOINT);
        g_assert_cmpuint(cbo_run(h, n, PRIV_U, f, 0), ==, CAUSE_ILLEGAL);
        g_assert_cmpuint(cbo_run(h, n, PRIV_U, 0, f), ==, CAUSE_ILLEGAL);
        g_assert_cmpuint(cbo_run(h, n, PRIV_U, f, f), ==, CAUSE_BREAKPOINT);
    }
    hart_free(h);
}

/* The address that does not exist is reported as that of a store, with its low bits. */
static void test_cbo_fault(void)
{
    Hart *h = hart_new(HART_ALL);

    ram_store(h, DATA, 0x1234, 8);
    h->cpu->x[5] = DATA;
    emit_word(h, cbo_word(0, 5));
    hart_run_code(h);
    g_assert_cmphex(ram_load(h, DATA, 8), ==, 0x1234); /* cbo.inval keeps the data */
    h->cpu->x[5] = (UINT64_C(1) << 60) + 5;
    emit_word(h, cbo_word(2, 5));
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE, (UINT64_C(1) << 60) + 5);
    hart_free(h);
}

/* CBIE has a reserved value; without the extension the fields are zero. */
static void test_cbo_csr(void)
{
    Hart *h = hart_new(HART_ALL), *off = hart_new(NULL);
    uint64_t v = UINT64_C(1) << 4;

    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x10a, true, &v));
    v = UINT64_C(2) << 4 | ENVCFG_CBCFE;
    g_assert_true(riscv_cpu_type.csr_access(&h->cpu->cpu, 0x10a, true, &v));
    g_assert_cmphex(h->cpu->senvcfg, ==, UINT64_C(1) << 4 | ENVCFG_CBCFE);
    v = ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE;
    g_assert_true(riscv_cpu_type.csr_access(&off->cpu->cpu, 0x10a, true, &v));
    g_assert_cmphex(off->cpu->senvcfg, ==, ENVCFG_CBZE);
    hart_free(h);
    hart_free(off);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-cas/word", test_word);
    g_test_add_func("/interp-cas/double", test_double);
    g_test_add_func("/interp-cas/quad", test_quad);
    g_test_add_func("/interp-cas/traps", test_traps);
    g_test_add_func("/interp-cas/cbo-rights", test_cbo_rights);
    g_test_add_func("/interp-cas/cbo-fault", test_cbo_fault);
    g_test_add_func("/interp-cas/cbo-csr", test_cbo_csr);
    return g_test_run();
}

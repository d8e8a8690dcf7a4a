/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest: random instructions in every mode over random page tables, CSRs and PMP. Nothing
 * may end the emulator, and a guest in an endless loop of traps can be stopped.
 */
#include "harness.h"
#include "tests/lib/wait.h"

typedef struct Watchdog {
    Cpu *cpu;
    uint32_t quit; /* atomic */
} Watchdog;

static gpointer watch(gpointer opaque)
{
    Watchdog *w = opaque;

    while (!__atomic_load_n(&w->quit, __ATOMIC_SEQ_CST)) {
        wait_elapse(300, "a stop every now and then");
        cpu_raise_any(w->cpu, CPU_PENDING_STOP);
    }
    return NULL;
}

/* Mostly legal instructions, with a higher share of some that are relevant here. */
static uint32_t random_word(GRand *rand)
{
    const IsaRow *row = &isa_rows[g_rand_int_range(rand, 0, isa_n_rows)];
    uint32_t free_bits = g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        return free_bits;
    case 1: { /* a CSR that exists */
        const CsrRow *csr = &csr_rows[g_rand_int_range(rand, 0, csr_n_rows)];
        return (csr->number + free_bits % csr->count) << 20 | (free_bits & 0xf8f80) | 1u << 12 |
               (free_bits & 0x6000) | 0x73;
    }
    default:
        return row->match | (free_bits & ~row->mask);
    }
}

static uint64_t random_pointer(GRand *rand)
{
    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
        return interesting(rand);
    case 1:
        return DEVICE + g_rand_int_range(rand, 0, 0x1000);
    case 2:
        return CODE + g_rand_int_range(rand, 0, 0x800);
    default:
        return DATA + g_rand_int_range(rand, 0, 0x2000);
    }
}

static void random_state(Hart *h, GRand *rand)
{
    RiscvCpu *c = h->cpu;

    for (unsigned i = 1; i < 32; i++) {
        c->x[i] = random_pointer(rand);
        c->f[i] = interesting(rand);
    }
    c->medeleg = g_rand_int(rand) & 0xb3ff;
    c->mideleg = g_rand_int(rand) & MIP_S_ALL;
    c->mie = g_rand_int(rand) & (MIP_S_ALL | MIP_M_ALL);
    c->mtvec = CODE + (g_rand_int(rand) & 0xffc);
    c->stvec = CODE + (g_rand_int(rand) & 0xffd);
    c->mepc = CODE + (g_rand_int(rand) & 0xffe);
    c->sepc = CODE + (g_rand_int(rand) & 0xffe);
    c->mstatus = g_rand_int(rand) & 0x7e79aa;
    if ((c->mstatus & MSTATUS_MPP) >> 11 == 2) {
        c->mstatus &= ~MSTATUS_MPP;
    }
    if (g_rand_boolean(rand)) {
        c->satp = (g_rand_boolean(rand) ? UINT64_C(8) : UINT64_C(9)) << 60 | CODE >> 12;
    }
    c->menvcfg = interesting(rand) & riscv_menvcfg_legal(c);
    if (g_rand_int_range(rand, 0, 4) == 0) {
        c->pmpaddr[1] = (CODE >> 2) + g_rand_int_range(rand, 0, 0x800);
        c->pmpcfg[0] = pmp_cfg_write(c->pmpcfg, 0, g_rand_int(rand));
    }
    c->priv = (uint8_t[]){ PRIV_U, PRIV_S, PRIV_M }[g_rand_int_range(rand, 0, 3)];
    c->pc = CODE + (g_rand_int(rand) & 0x7fe);
    rv_state_changed(c);
}

/* Instructions in a page that is page table, code and data at the same time. */
static void random_memory(Hart *h, GRand *rand)
{
    for (unsigned i = 0; i < 0x1000;) {
        uint32_t word = random_word(rand);
        ram_store(h, CODE + i, word, insn_len(word));
        i += insn_len(word);
    }
    for (unsigned i = 0; i < 40; i++) {
        uint64_t pte = (CODE >> 12 << 10) | (g_rand_int(rand) & 0xff) | 1;
        ram_store(h, CODE + (g_rand_int(rand) & 0xff8), pte, 8);
    }
    ram_store(h, CODE, CODE >> 12 << 10 | 1, 8);                /* va 0: the same table */
    ram_store(h, CODE + 2 * 8, RAM_BASE >> 12 << 10 | 0xcf, 8); /* and everything at its physical
                                                                 * address */
}

static void test_anything(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(10);
    Watchdog w = { &h->cpu->cpu, 0 };
    GThread *t = g_thread_new("watchdog", watch, &w);
    uint64_t retired = 0;
    gint64 begin = g_get_monotonic_time();

    /* wait-ok: an amount of work, not a wait */
    for (unsigned round = 0; round < 3000 && g_get_monotonic_time() - begin < 1500000; round++) {
        hart_reset(h);
        random_memory(h, rand);
        random_state(h, rand);
        rv_set_input_any(&h->cpu->cpu, g_rand_int_range(rand, 0, 12), g_rand_boolean(rand));
        __atomic_store_n(&h->cpu->cpu.pending, 0, __ATOMIC_SEQ_CST);
        rv_run(&h->cpu->cpu);
        g_assert_cmphex(h->cpu->x[0], ==, 0);
        g_assert_true(h->cpu->priv == PRIV_U || h->cpu->priv == PRIV_S || h->cpu->priv == PRIV_M);
        g_assert_cmphex(h->cpu->pc & 1, ==, 0);
        g_assert_cmphex(h->cpu->mstatus & ~UINT64_C(0x7e79aa), ==, 0);
        retired += h->cpu->retired;
    }
    g_assert_cmpuint(retired, >, 1000);
    __atomic_store_n(&w.quit, 1, __ATOMIC_SEQ_CST);
    g_thread_join(t);
    g_rand_free(rand);
    hart_free(h);
}

/* A trap handler that traps: endless fetch faults. It stops on request. A request before the first
 * instruction stops it there. */
static void test_trap_loop(void)
{
    Hart *h = hart_new(NULL);
    Watchdog w = { &h->cpu->cpu, 0 };

    h->cpu->mtvec = 0;
    h->cpu->pc = 0;
    GThread *t = g_thread_new("watchdog", watch, &w);
    WAIT_UNTIL (h->cpu->mcause == CAUSE_FETCH_ACCESS, 20) {
        __atomic_store_n(&h->cpu->cpu.pending, 0, __ATOMIC_SEQ_CST);
        rv_run(&h->cpu->cpu);
    }
    __atomic_store_n(&w.quit, 1, __ATOMIC_SEQ_CST);
    g_thread_join(t);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostile/anything", test_anything);
    g_test_add_func("/hostile/trap-loop", test_trap_loop);
    return g_test_run();
}

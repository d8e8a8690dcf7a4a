/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traps: the resulting CSRs, delegation, priorities and enables of interrupts, returns, and
 * instructions that are illegal below M.
 */
#include <pthread.h>

#include "harness.h"
#include "tests/lib/wait.h"

#define S_HANDLER (RAM_BASE + 0x11000)

/* The S-mode handler calls M, which stops. */
static void s_handler(Hart *h)
{
    uint64_t at = h->at;
    h->at = S_HANDLER;
    for (unsigned i = 0; i < 32; i++) {
        emit_word(h, match_of("ecall"));
    }
    h->at = at;
    h->cpu->stvec = S_HANDLER;
}

static void run_in(Hart *h, unsigned priv)
{
    h->cpu->pc = CODE;
    h->cpu->priv = priv;
    mmu_update_contexts(h->cpu);
    hart_run(h);
    h->at = CODE;
}

static void test_exception_to_m(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned priv = PRIV_U; priv <= PRIV_M; priv += priv ? 2 : 1) {
        h->cpu->mstatus = MSTATUS_MIE;
        emit_word(h, i_type("addi", 5, 0, 1));
        emit_word(h, match_of("ecall"));
        run_in(h, priv);
        g_assert_cmphex(h->cpu->mcause, ==, CAUSE_ECALL_U + priv);
        g_assert_cmphex(h->cpu->mepc, ==, CODE + 4);
        g_assert_cmphex(h->cpu->mtval, ==, 0);
        g_assert_cmphex(h->cpu->mstatus, ==, MSTATUS_MPIE | (uint64_t)priv << 11);
        g_assert_cmpuint(h->cpu->priv, ==, PRIV_M);
    }
    hart_free(h);
}

static void test_delegation(void)
{
    Hart *h = hart_new(NULL);

    s_handler(h);
    h->cpu->medeleg = 1 << CAUSE_BREAKPOINT | 1 << CAUSE_ILLEGAL;
    h->cpu->mstatus = MSTATUS_SIE;
    emit_ebreak(h);
    run_in(h, PRIV_U);
    g_assert_cmphex(h->cpu->scause, ==, CAUSE_BREAKPOINT);
    g_assert_cmphex(h->cpu->sepc, ==, CODE);
    g_assert_cmphex(h->cpu->stval, ==, CODE);
    g_assert_cmphex(h->cpu->mstatus & (MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE), ==, MSTATUS_SPIE);
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_ECALL_U + PRIV_S);
    g_assert_cmphex(h->cpu->mepc, ==, S_HANDLER);
    /* From S it is handled in S with SPP set; from M it stays in M. */
    emit_word(h, 0);
    run_in(h, PRIV_S);
    g_assert_cmphex(h->cpu->scause, ==, CAUSE_ILLEGAL);
    g_assert_cmphex(h->cpu->mstatus & MSTATUS_SPP, ==, MSTATUS_SPP);
    emit_ebreak(h);
    run_in(h, PRIV_M);
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_BREAKPOINT);
    hart_free(h);
}

static void loop(Hart *h)
{
    emit_word(h, i_type("addi", 5, 5, 1));
    emit_word(h, j_type("jal", 0, -4));
}

/* The input is raised before the run: taken before the first instruction. */
static void expect_interrupt(Hart *h, unsigned priv, unsigned input, uint64_t cause, bool to_s)
{
    loop(h);
    rv_set_input_any(&h->cpu->cpu, input, true);
    h->cpu->scause = h->cpu->mcause = 0;
    run_in(h, priv);
    rv_set_input_any(&h->cpu->cpu, input, false);
    uint64_t got = to_s ? h->cpu->scause : h->cpu->mcause;
    g_assert_cmphex(got, ==, UINT64_C(1) << 63 | cause);
    g_assert_cmphex(to_s ? h->cpu->sepc : h->cpu->mepc, ==, CODE);
}

static void test_interrupts(void)
{
    Hart *h = hart_new(NULL);

    s_handler(h);
    h->cpu->mie = MIP_M_ALL | MIP_S_ALL;
    h->cpu->mstatus = MSTATUS_MIE;
    expect_interrupt(h, PRIV_M, IRQ_MTI, IRQ_MTI, false);
    g_assert_cmphex(h->cpu->mstatus, ==, MSTATUS_MPIE | MSTATUS_MPP);
    h->cpu->mstatus = 0; /* below M the global enable does not matter */
    expect_interrupt(h, PRIV_S, IRQ_MSI, IRQ_MSI, false);
    expect_interrupt(h, PRIV_U, IRQ_MEI, IRQ_MEI, false);
    h->cpu->mideleg = MIP_S_ALL;
    h->cpu->mstatus = MSTATUS_SIE;
    expect_interrupt(h, PRIV_S, IRQ_SEI, IRQ_SEI, true);
    h->cpu->mstatus = 0;
    expect_interrupt(h, PRIV_U, IRQ_SEI, IRQ_SEI, true);
    /* A wire without an interrupt is ignored. */
    rv_set_input_any(&h->cpu->cpu, 2, true);
    rv_set_input_any(&h->cpu->cpu, 77, true);
    g_assert_cmphex(h->cpu->mip_in, ==, 0);
    hart_free(h);
}

/* The order of simultaneous interrupts; those for M first. */
static void test_priority(void)
{
    static const unsigned order[] = { IRQ_MEI, IRQ_MSI, IRQ_MTI, IRQ_SEI, IRQ_SSI };
    Hart *h = hart_new(NULL);

    h->cpu->mie = MIP_M_ALL | MIP_S_ALL;
    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        h->cpu->mip_in = 0;
        for (unsigned k = i; k < G_N_ELEMENTS(order); k++) {
            h->cpu->mip_in |= UINT64_C(1) << order[k];
        }
        h->cpu->mstatus = MSTATUS_MIE;
        loop(h);
        run_in(h, PRIV_M);
        g_assert_cmphex(h->cpu->mcause, ==, UINT64_C(1) << 63 | order[i]);
    }
    hart_free(h);
}

/* Vectored mode for interrupts, not for exceptions. */
static void test_vectored(void)
{
    Hart *h = hart_new(NULL);

    s_handler(h);
    h->cpu->stvec = S_HANDLER | 1;
    h->cpu->mideleg = MIP_S_ALL;
    h->cpu->mie = MIP_S_ALL;
    h->cpu->medeleg = 1 << CAUSE_BREAKPOINT;
    expect_interrupt(h, PRIV_U, IRQ_SEI, IRQ_SEI, true);
    g_assert_cmphex(h->cpu->mepc, ==, S_HANDLER + 4 * IRQ_SEI);
    emit_ebreak(h);
    run_in(h, PRIV_U);
    g_assert_cmphex(h->cpu->mepc, ==, S_HANDLER);
    hart_free(h);
}

/* A CSR write that enables a pending interrupt is followed by the interrupt immediately. */
static void test_enable(void)
{
    Hart *h = hart_new(NULL);

    rv_set_input_any(&h->cpu->cpu, IRQ_MTI, true);
    h->cpu->mie = MIP(MTI);
    h->cpu->mstatus = 0;
    emit_word(h, i_type("addi", 6, 0, 1));
    emit_word(h, csr_type("csrrsi", 0, 0x300, 8));
    emit_word(h, i_type("addi", 6, 0, 2));
    run_in(h, PRIV_M);
    g_assert_cmphex(h->cpu->mepc, ==, CODE + 8);
    g_assert_cmpuint(h->cpu->x[6], ==, 1);
    hart_free(h);
}

static void test_returns(void)
{
    Hart *h = hart_new(NULL);
    uint64_t target = CODE + 0x100;

    h->at = target;
    emit_word(h, match_of("ecall"));
    h->at = CODE;
    h->cpu->mepc = target;
    h->cpu->mstatus = MSTATUS_MPIE | UINT64_C(1) << 11 | MSTATUS_MPRV;
    emit_word(h, match_of("mret"));
    run_in(h, PRIV_M);
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_ECALL_U + PRIV_S);
    /* MIE was set from MPIE and was copied back to MPIE by the ecall; MPRV is off. */
    g_assert_cmphex(h->cpu->mstatus, ==, MSTATUS_MPIE | UINT64_C(1) << 11);
    h->cpu->sepc = target;
    h->cpu->mstatus = MSTATUS_SPIE;
    emit_word(h, match_of("sret"));
    run_in(h, PRIV_S);
    g_assert_cmphex(h->cpu->mcause, ==, CAUSE_ECALL_U);
    g_assert_cmphex(h->cpu->mstatus & (MSTATUS_SIE | MSTATUS_SPIE), ==, MSTATUS_SIE | MSTATUS_SPIE);
    hart_free(h);
}

/* Restrictions of each mode. */
static void test_illegal(void)
{
    static const struct {
        const char *text;
        unsigned priv;
        uint64_t mstatus;
        bool illegal;
    } cases[] = {
        { "mret", PRIV_S, 0, true },
        { "mret", PRIV_U, 0, true },
        { "sret", PRIV_U, 0, true },
        { "sret", PRIV_S, MSTATUS_TSR, true },
        { "wfi", PRIV_S, MSTATUS_TW, true },
        { "wfi", PRIV_U, 0, true },
        { "wfi", PRIV_S, 0, false },
        { "wfi", PRIV_M, MSTATUS_TW, false },
        { "sfence.vma", PRIV_S, MSTATUS_TVM, true },
        { "sfence.vma", PRIV_U, 0, true },
        { "sfence.vma", PRIV_S, 0, false },
        { "sinval.vma", PRIV_S, MSTATUS_TVM, true },
        { "sinval.vma", PRIV_S, 0, false },
        { "sfence.w.inval", PRIV_U, 0, true },
        { "sfence.w.inval", PRIV_S, MSTATUS_TVM, false },
        { "sfence.inval.ir", PRIV_S, 0, false },
        { "fence.i", PRIV_U, 0, false },
        { "cbo.zero", PRIV_S, 0, true },
    };
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint32_t word = match_of(cases[i].text);
        h->cpu->mstatus = cases[i].mstatus;
        h->cpu->menvcfg = 0;
        emit_word(h, word);
        emit_ebreak(h);
        run_in(h, cases[i].priv);
        g_assert_cmphex(h->cpu->mcause, ==, cases[i].illegal ? CAUSE_ILLEGAL : CAUSE_BREAKPOINT);
        g_assert_cmphex(h->cpu->mepc, ==, cases[i].illegal ? CODE : CODE + 4);
        g_assert_cmphex(h->cpu->mtval, ==, cases[i].illegal ? word : CODE + 4);
    }
    hart_free(h);
}

/* cbo.zero by mode and envcfg. */
static void test_envcfg(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA;
    for (unsigned i = 0; i < 4; i++) {
        bool m = i & 1, s = i & 2;
        h->cpu->menvcfg = m ? ENVCFG_CBZE : 0;
        h->cpu->senvcfg = s ? ENVCFG_CBZE : 0;
        emit_word(h, match_of("cbo.zero") | 5u << 15);
        emit_ebreak(h);
        run_in(h, PRIV_U);
        g_assert_cmphex(h->cpu->mcause, ==, m && s ? CAUSE_BREAKPOINT : CAUSE_ILLEGAL);
    }
    hart_free(h);
}

typedef struct Raise {
    Cpu *cpu;
    clockid_t clock; /* CPU time of the thread that runs the loop */
    double begin;
} Raise;

/* Interrupts arrive in a loop that never leaves the block cache, from another thread. */
static gpointer raise_later(gpointer opaque)
{
    const Raise *r = opaque;

    WAIT_UNTIL (wait_clock(r->clock) - r->begin > 0.02, 20) { /* the loop is under way */
    }
    rv_set_input_any(r->cpu, IRQ_MEI, true);
    return NULL;
}

static void test_asynchronous(void)
{
    Hart *h = hart_new(NULL);
    Raise r = { .cpu = &h->cpu->cpu };
    GThread *t;

    h->cpu->mie = MIP(MEI);
    h->cpu->mstatus = MSTATUS_MIE;
    loop(h);
    g_assert_cmpint(pthread_getcpuclockid(pthread_self(), &r.clock), ==, 0);
    r.begin = wait_clock(r.clock);
    t = g_thread_new("raise", raise_later, &r);
    run_in(h, PRIV_M);
    g_thread_join(t);
    g_assert_cmphex(h->cpu->mcause, ==, UINT64_C(1) << 63 | IRQ_MEI);
    g_assert_cmpuint(h->cpu->x[5], >, 1000);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trap/exception-to-m", test_exception_to_m);
    g_test_add_func("/trap/delegation", test_delegation);
    g_test_add_func("/trap/interrupts", test_interrupts);
    g_test_add_func("/trap/priority", test_priority);
    g_test_add_func("/trap/vectored", test_vectored);
    g_test_add_func("/trap/enable", test_enable);
    g_test_add_func("/trap/returns", test_returns);
    g_test_add_func("/trap/illegal", test_illegal);
    g_test_add_func("/trap/envcfg", test_envcfg);
    g_test_add_func("/trap/asynchronous", test_asynchronous);
    return g_test_run();
}

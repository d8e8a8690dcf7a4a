/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every CSR number in every mode; legal values; views of shared registers; side effects.
 */
#include "harness.h"

#include "accel/threads_internal.h"
#include "hw/core/icount.h"

static bool rd(Hart *h, unsigned n, uint64_t *v)
{
    return csr_access(h->cpu, n, CSR_OP_SET, true, false, 0, v);
}

static bool wr(Hart *h, unsigned n, uint64_t v)
{
    uint64_t old;
    return csr_access(h->cpu, n, CSR_OP_WRITE, true, true, v, &old);
}

static uint64_t get(Hart *h, unsigned n)
{
    uint64_t v;
    g_assert_true(rd(h, n, &v));
    return v;
}

/* The table is sorted and does not overlap, which csr_find() relies on. */
static void test_table(void)
{
    for (size_t i = 1; i < csr_n_rows; i++) {
        g_assert_cmphex(csr_rows[i].number, >=, csr_rows[i - 1].number + csr_rows[i - 1].count);
    }
    for (unsigned n = 0; n < 4096; n++) {
        const CsrRow *row = NULL;
        for (size_t i = 0; i < csr_n_rows; i++) {
            if (n >= csr_rows[i].number && n < csr_rows[i].number + csr_rows[i].count) {
                row = &csr_rows[i];
            }
        }
        g_assert_true(csr_find(n) == row);
    }
    /* Marked fields are rows of the saved state. */
    for (size_t i = 0; i < csr_n_rows; i++) {
        bool found = false;
        for (size_t k = 0; k < riscv_cpu_vmstate.n_fields; k++) {
            found |= riscv_cpu_vmstate.fields[k].field == csr_rows[i].field;
        }
        g_assert_true(found || !(csr_rows[i].flags & CSR_SAVED));
    }
}

/* All numbers, modes and values: nothing ends the emulator, absent ones are rejected, the value
 * read back is stable, and the privilege and read-only ranges are enforced. */
static void test_every_number(void)
{
    static const uint8_t modes[] = { PRIV_U, PRIV_S, PRIV_M };
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(7);

    for (unsigned m = 0; m < 3; m++) {
        for (unsigned n = 0; n < 4096; n++) {
            hart_reset(h);
            h->cpu->mcounteren = h->cpu->scounteren = 7;
            h->cpu->menvcfg = ENVCFG_STCE;
            h->cpu->miselect = h->cpu->siselect = 0x70;
            h->cpu->priv = modes[m];
            mmu_update_contexts(h->cpu);
            uint64_t v, again;
            bool readable = rd(h, n, &v);
            g_assert_true(csr_find(n) || !readable);
            g_assert_true(modes[m] >= (n >> 8 & 3) || !readable);
            bool written = wr(h, n, interesting(rand));
            g_assert_true(readable || !written);
            g_assert_true(n >> 10 != 3 || !written);
            if (written && h->cpu->priv == modes[m] && rd(h, n, &v)) {
                wr(h, n, v);
                g_assert_true(rd(h, n, &again));
                bool moves = n == 0xb00;
                g_assert_true(moves || v == again);
            }
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

static void test_legal_values(void)
{
    static const struct {
        unsigned n;
        uint64_t legal;
    } rows[] = {
        { 0x302, 0xb3ff },
        { 0x303, 0x222 },
        { 0x304, 0xaaa },
        { 0x306, 0x7ffff }, /* pmu-num=16 */
        { 0x305, ~UINT64_C(2) },
        { 0x341, ~UINT64_C(1) },
        { 0x340, ~UINT64_C(0) },
        { 0x320, 0x7fffd },
        { 0x10a, 0x81 },
        { 0x105, ~UINT64_C(2) },
        { 0x106, 0x7ffff },
        { 0x30a, UINT64_C(0xe000000000000081) },
        { 0x323, 0xfffff },
        { 0x333, 0 },
        { 0xb03, ~UINT64_C(0) },
        { 0xb13, 0 },
        { 0x308, 0 },
        { 0x350, 0x1ff },
        { 0x3b5, PMP_ADDR_MASK },
    };
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_true(wr(h, rows[i].n, UINT64_MAX));
        g_assert_cmphex(get(h, rows[i].n), ==, rows[i].legal);
        g_assert_true(wr(h, rows[i].n, 0));
        g_assert_cmphex(get(h, rows[i].n), ==, 0);
    }
    hart_free(h);
    h = hart_new("svadu=off,svpbmt=off,sstc=off,zicboz=off");
    g_assert_true(wr(h, 0x30a, UINT64_MAX));
    g_assert_cmphex(get(h, 0x30a), ==, 1);
    g_assert_false(wr(h, 0x14d, 0));
    hart_free(h);
}

/* Performance counters: bits and registers of Sscofpmf, and an overflow. */
static void test_performance(void)
{
    Hart *h = hart_new("sscofpmf=on,pmu-num=2");
    uint64_t of = UINT64_C(1) << 63, v;

    g_assert_true(wr(h, 0x303, UINT64_MAX));
    g_assert_cmphex(get(h, 0x303), ==, 0x2222);
    g_assert_true(wr(h, 0x304, UINT64_MAX));
    g_assert_cmphex(get(h, 0x304), ==, 0x2aaa);
    g_assert_true(wr(h, 0x304, 0));
    g_assert_true(wr(h, 0x306, UINT64_MAX));
    g_assert_cmphex(get(h, 0x306), ==, 0x1f);
    g_assert_true(wr(h, 0x323, UINT64_MAX));
    g_assert_cmphex(get(h, 0x323), ==, UINT64_C(0xf0000000000fffff));
    g_assert_true(wr(h, 0x325, 2)); /* absent */
    g_assert_cmphex(get(h, 0x325), ==, 0);
    g_assert_true(wr(h, 0x323, 2));
    g_assert_true(wr(h, 0xb03, UINT64_MAX - 1));
    h->cpu->retired += 3;
    g_assert_cmphex(get(h, 0xb03), ==, 1);
    g_assert_cmphex(get(h, 0x323), ==, of | 2);
    g_assert_cmphex(get(h, 0x344) & 1 << 13, ==, 1 << 13);
    g_assert_cmphex(get(h, 0xda0), ==, 8);
    h->cpu->priv = PRIV_S;
    h->cpu->mcounteren = 7;
    g_assert_cmphex(get(h, 0xda0), ==, 0);
    g_assert_false(rd(h, 0xc03, &v));
    h->cpu->mcounteren = 15;
    g_assert_cmphex(get(h, 0xda0), ==, 8);
    g_assert_true(rd(h, 0xc03, &v));
    g_assert_true(wr(h, 0x144, 0)); /* sip */
    g_assert_cmphex(get(h, 0x144) & 1 << 13, ==, 0);
    hart_free(h);
}

/* A hart whose requests for a wake-up are recorded in `thread`; virtual time is stepped. */
typedef struct Recorded {
    Hart *h;
    IcountConfig icount; /* no timer of the host */
    Accel accel;
    CpuThread thread;
} Recorded;

static Recorded *recorded_new(const char *features)
{
    Recorded *r = g_new0(Recorded, 1);

    r->h = hart_new(features);
    r->h->m->icount = &r->icount;
    r->accel = (Accel){ .machine = r->h->m, .threads = g_ptr_array_new() };
    r->thread = (CpuThread){ .accel = &r->accel, .deadline = CLOCK_NEVER };
    g_mutex_init(&r->accel.lock);
    r->h->cpu->cpu.accel = &r->thread;
    return r;
}

static void recorded_step(Recorded *r, int64_t ns)
{
    machine_lock(r->h->m);
    clocks_step_to(r->h->m->clocks, clock_now_any(r->h->m, CLOCK_KIND_VIRTUAL) + ns);
    machine_unlock(r->h->m);
}

/* The wake-up that was requested occurs, with another reason or at another time. */
static void recorded_wake(Recorded *r)
{
    r->thread.deadline = CLOCK_NEVER;
    rv_update_mip(r->h->cpu);
}

static void recorded_free(Recorded *r)
{
    r->h->cpu->cpu.accel = NULL;
    r->h->m->icount = NULL;
    hart_free(r->h);
    g_ptr_array_unref(r->accel.threads);
    g_mutex_clear(&r->accel.lock);
    g_free(r);
}

static bool has_interrupt(const Hart *h)
{
    return (h->cpu->cpu.pending & CPU_PENDING_INTERRUPT) != 0;
}

/* The wake-up for a counter of instructions is that of its next comparison: reading a register and
 * a TLB miss do not move the comparison alone. */
static void test_wake_ups(void)
{
    Recorded *r = recorded_new("sscofpmf=on,pmu-num=2");
    RiscvCpu *cpu = r->h->cpu;

    g_assert_true(wr(r->h, 0x323, 2));
    g_assert_true(wr(r->h, 0xb03, -UINT64_C(1000000)));
    g_assert_cmpint(cpu->pmu_deadline, ==, 250000);
    g_assert_cmpint(r->thread.deadline, ==, 250000);
    recorded_step(r, 1000);
    get(r->h, 0xda0);
    get(r->h, 0x323);
    rv_pmu_missed(cpu);
    g_assert_cmpint(cpu->pmu_deadline, ==, 250000);
    recorded_step(r, 249000);
    recorded_wake(r);
    g_assert_cmpint(cpu->pmu_deadline, ==, 500000);
    g_assert_cmpint(r->thread.deadline, ==, 500000);
    /* The timer expires first. */
    cpu->menvcfg = ENVCFG_STCE;
    g_assert_true(wr(r->h, 0x14d, 3000));
    g_assert_cmpint(r->thread.deadline, ==, 300000);
    recorded_step(r, 50000);
    recorded_wake(r);
    g_assert_true(cpu->stip);
    g_assert_cmpint(r->thread.deadline, ==, 500000);
    recorded_free(r);
}

/* An interrupt that a read of a register finds is requested, as its wake-up is replaced. */
static void test_found_by_read(void)
{
    static const unsigned numbers[] = { 0x344, 0xda0 };
    uint64_t v;

    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        Recorded *r = recorded_new("sscofpmf=on,smaia=on,pmu-num=2");
        RiscvCpu *cpu = r->h->cpu;

        cpu->mie = MIP(LCOFI);
        cpu->mstatus |= MSTATUS_MIE;
        g_assert_true(wr(r->h, 0x323, 2));
        g_assert_true(wr(r->h, 0xb03, -UINT64_C(100)));
        cpu->retired += 101;
        recorded_step(r, 30000);
        cpu->cpu.pending = 0;
        g_assert_true(rd(r->h, numbers[i], &v));
        g_assert_cmphex(cpu->mip_own, ==, MIP(LCOFI));
        g_assert_true(has_interrupt(r->h));
        g_assert_true(wr(r->h, 0x309, 0)); /* mvip has no LCOFIP */
        g_assert_cmphex(get(r->h, 0x344), ==, MIP(LCOFI));
        recorded_free(r);
    }
    /* That of the timer, at a comparison of the counters. */
    Recorded *r = recorded_new("sscofpmf=on,pmu-num=2");

    r->h->cpu->menvcfg = ENVCFG_STCE;
    r->h->cpu->mie = MIP(STI);
    r->h->cpu->mstatus |= MSTATUS_MIE;
    g_assert_true(wr(r->h, 0x323, 2));
    g_assert_true(wr(r->h, 0xb03, 0));
    g_assert_true(wr(r->h, 0xb03, -UINT64_C(80000)));
    g_assert_true(wr(r->h, 0x14d, 200));
    recorded_step(r, 20000);
    r->h->cpu->cpu.pending = 0;
    g_assert_cmphex(get(r->h, 0x344), ==, MIP(STI));
    g_assert_true(has_interrupt(r->h));
    recorded_free(r);
}

/* wfi retires nothing: a counter of instructions does not wake the hart, unless it overflowed. */
static void test_counters_in_wfi(void)
{
    Recorded *r = recorded_new("sscofpmf=on,pmu-num=2");
    RiscvCpu *cpu = r->h->cpu;

    g_assert_true(wr(r->h, 0x323, 2));
    g_assert_true(wr(r->h, 0xb03, -UINT64_C(1000)));
    rv_wfi(cpu);
    g_assert_cmpint(rv_deadline(cpu), ==, CLOCK_NEVER);
    g_assert_cmpint(r->thread.deadline, ==, CLOCK_NEVER);
    recorded_step(r, 1000000);
    hart_run_code(r->h);
    g_assert_cmpint(cpu->pmu_deadline, ==, 1020000);
    g_assert_cmpint(r->thread.deadline, ==, 1020000);
    r->h->m->icount = NULL; /* the hart continues inside wfi */
    cpu->cpu.accel = NULL;
    rv_wfi(cpu);
    g_assert_cmpint(cpu->pmu_deadline, ==, 1020000);
    g_assert_true(wr(r->h, 0x324, 1)); /* a counter of cycles counts in wfi */
    g_assert_true(wr(r->h, 0xb04, -UINT64_C(5000)));
    rv_pmu_halt(cpu);
    g_assert_cmpint(rv_deadline(cpu), ==, 1005000);
    rv_pmu_resume(cpu);
    cpu->retired += 2000;
    rv_wfi(cpu);
    g_assert_cmphex(cpu->mip_own, ==, MIP(LCOFI));
    recorded_free(r);
}

/* Smstateen: each register is denied to S-mode until M-mode sets its bit. */
static void test_stateen(void)
{
    static const struct {
        unsigned number, bit, select;
    } rows[] = { { 0x10a, 62, 0 },    { 0x150, 60, 0 }, { 0x151, 58, 0x70 },
                 { 0x151, 59, 0x30 }, { 0x15c, 58, 0 }, { 0xdb0, 59, 0 } };
    Hart *h = hart_new("smstateen=on,smaia=on,ssaia=on");
    uint64_t v;

    g_assert_true(wr(h, 0x30c, UINT64_MAX));
    g_assert_cmphex(get(h, 0x30c), ==, UINT64_C(0xdc00000000000000));
    g_assert_true(wr(h, 0x30f, UINT64_MAX));
    g_assert_cmphex(get(h, 0x30f), ==, UINT64_C(1) << 63);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        h->cpu->siselect = rows[i].select;
        h->cpu->mstateen[0] = ~(UINT64_C(1) << rows[i].bit);
        h->cpu->priv = PRIV_S;
        g_assert_false(rd(h, rows[i].number, &v));
        h->cpu->mstateen[0] = UINT64_C(1) << rows[i].bit | UINT64_C(1) << 60;
        g_assert_true(rd(h, rows[i].number, &v));
        h->cpu->mstateen[0] = 0;
        h->cpu->priv = PRIV_M;
        g_assert_true(rd(h, rows[i].number, &v));
    }
    h->cpu->priv = PRIV_S;
    g_assert_false(rd(h, 0x10c, &v)); /* SE0 */
    h->cpu->mstateen[0] = UINT64_C(1) << 63;
    g_assert_true(wr(h, 0x10c, UINT64_MAX));
    g_assert_cmphex(get(h, 0x10c), ==, 0);
    hart_free(h);
    h = hart_new(NULL);
    g_assert_false(rd(h, 0x30c, &v));
    g_assert_false(rd(h, 0xda0, &v));
    hart_free(h);
}

static void test_status(void)
{
    Hart *h = hart_new(NULL);

    g_assert_true(wr(h, 0x300, 0));
    g_assert_cmphex(get(h, 0x300), ==, MSTATUS_UXL | MSTATUS_SXL);
    g_assert_true(wr(h, 0x300, UINT64_MAX));
    g_assert_cmphex(get(h, 0x300), ==, MSTATUS_UXL | MSTATUS_SXL | MSTATUS_SD | 0x7e79aa);
    g_assert_cmphex(get(h, 0x100), ==, MSTATUS_UXL | MSTATUS_SD | 0xc6122);
    g_assert_true(wr(h, 0x100, 0));
    g_assert_cmphex(get(h, 0x300), ==, MSTATUS_UXL | MSTATUS_SXL | 0x721888);
    /* MPP 2 is not legal and keeps the previous value */
    g_assert_true(wr(h, 0x300, UINT64_C(1) << 11));
    g_assert_true(wr(h, 0x300, UINT64_C(2) << 11));
    g_assert_cmphex(get(h, 0x300) & MSTATUS_MPP, ==, UINT64_C(1) << 11);
    g_assert_cmphex(get(h, 0x301), ==, UINT64_C(0x800000000014112d));
    hart_free(h);
}

static void test_satp(void)
{
    Hart *h = hart_new(NULL);
    uint64_t v = UINT64_C(8) << 60 | UINT64_C(0xffff) << 44 | 0x80000;

    g_assert_true(wr(h, 0x180, v));
    g_assert_cmphex(get(h, 0x180), ==, v);
    for (unsigned mode = 0; mode < 16; mode++) {
        uint64_t w = (uint64_t)mode << 60 | 0x80001;
        g_assert_true(wr(h, 0x180, v));
        g_assert_true(wr(h, 0x180, w));
        bool legal = mode == 0 || mode == 8 || mode == 9;
        g_assert_cmphex(get(h, 0x180), ==, legal ? w : v);
    }
    h->cpu->mstatus |= MSTATUS_TVM;
    h->cpu->priv = PRIV_S;
    g_assert_false(rd(h, 0x180, &v));
    g_assert_false(wr(h, 0x180, 0));
    hart_free(h);
    h = hart_new("sv48=off");
    g_assert_true(wr(h, 0x180, UINT64_C(9) << 60));
    g_assert_cmphex(get(h, 0x180), ==, 0);
    hart_free(h);
}

static void test_interrupt_views(void)
{
    Hart *h = hart_new(NULL);

    g_assert_true(wr(h, 0x304, UINT64_MAX));
    g_assert_cmphex(get(h, 0x104), ==, 0);
    g_assert_true(wr(h, 0x303, MIP(SSI) | MIP(STI)));
    g_assert_cmphex(get(h, 0x104), ==, MIP(SSI) | MIP(STI));
    g_assert_true(wr(h, 0x104, 0));
    g_assert_cmphex(get(h, 0x304), ==, 0xaaa & ~(MIP(SSI) | MIP(STI)));
    /* SEIP: the software bit and the wire are OR-ed, and csrrs must not copy the wire. */
    uint64_t old;
    rv_set_input_any(&h->cpu->cpu, IRQ_SEI, true);
    g_assert_true(csr_access(h->cpu, 0x344, CSR_OP_SET, true, true, MIP(SSI), &old));
    rv_set_input_any(&h->cpu->cpu, IRQ_SEI, false);
    g_assert_cmphex(get(h, 0x344), ==, MIP(SSI));
    g_assert_cmphex(get(h, 0x144), ==, MIP(SSI));
    /* sip writes SSIP only, and only when delegated. */
    g_assert_true(wr(h, 0x144, 0));
    g_assert_cmphex(get(h, 0x344), ==, 0);
    g_assert_true(wr(h, 0x144, UINT64_MAX));
    g_assert_cmphex(get(h, 0x344), ==, MIP(SSI));
    hart_free(h);
}

static void test_counters(void)
{
    Hart *h = hart_new(NULL);
    uint64_t v;

    h->cpu->retired = 1000;
    g_assert_true(wr(h, 0xb02, 5));
    h->cpu->retired += 7;
    g_assert_cmpuint(get(h, 0xb02), ==, 12);
    g_assert_true(wr(h, 0x320, 4));
    h->cpu->retired += 7;
    g_assert_cmpuint(get(h, 0xb02), ==, 12);
    g_assert_true(wr(h, 0x320, 0));
    h->cpu->retired += 1;
    g_assert_cmpuint(get(h, 0xb02), ==, 13);
    g_assert_cmpuint(get(h, 0xc02), ==, 13);
    h->cpu->priv = PRIV_S;
    g_assert_false(rd(h, 0xc02, &v));
    h->cpu->mcounteren = 4;
    g_assert_true(rd(h, 0xc02, &v));
    h->cpu->priv = PRIV_U;
    g_assert_false(rd(h, 0xc02, &v));
    h->cpu->scounteren = 4;
    g_assert_true(rd(h, 0xc02, &v));
    g_assert_false(rd(h, 0xc00, &v));
    g_assert_false(rd(h, 0xc03, &v));
    hart_free(h);
}

/* rdinstret inside a block counts the instructions before it. */
static void test_instret_inside(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->retired = 0;
    h->cpu->instret_base = 0;
    emit_word(h, i_type("addi", 5, 0, 1));
    emit_word(h, i_type("addi", 5, 0, 1));
    emit_word(h, csr_type("csrrs", 10, 0xc02, 0));
    emit_word(h, csr_type("csrrs", 11, 0xc02, 0));
    emit_word(h, u_type("lui", 5, 0x1000));
    emit_word(h, i_type("addi", 5, 5, 1));
    emit_word(h, csr_type("csrrs", 12, 0xc02, 0));
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[10], ==, 2);
    g_assert_cmpuint(h->cpu->x[11], ==, 3);
    g_assert_cmpuint(h->cpu->x[12], ==, 6);
    hart_free(h);
}

/* The six instruction forms; csrrs with x0 does not write; writes to read-only numbers trap. */
static void test_forms(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->sscratch = 0xf0;
    h->cpu->x[5] = 0x0f;
    emit_word(h, csr_type("csrrs", 10, 0x140, 5));
    emit_word(h, csr_type("csrrc", 11, 0x140, 5));
    emit_word(h, csr_type("csrrw", 12, 0x140, 5));
    emit_word(h, csr_type("csrrsi", 13, 0x140, 16));
    emit_word(h, csr_type("csrrci", 14, 0x140, 1));
    emit_word(h, csr_type("csrrwi", 15, 0x140, 31));
    emit_word(h, csr_type("csrrs", 16, 0xf14, 0));
    emit_word(h, csr_type("csrrw", 5, 0x140, 5)); /* same register in and out */
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[10], ==, 0xf0);
    g_assert_cmphex(h->cpu->x[11], ==, 0xff);
    g_assert_cmphex(h->cpu->x[12], ==, 0xf0);
    g_assert_cmphex(h->cpu->x[13], ==, 0x0f);
    g_assert_cmphex(h->cpu->x[14], ==, 0x1f);
    g_assert_cmphex(h->cpu->x[15], ==, 0x1e);
    g_assert_cmphex(h->cpu->x[5], ==, 31);
    g_assert_cmphex(h->cpu->sscratch, ==, 0x0f);
    static const uint16_t bad[] = { 0xf14, 0xc01, 0x7a0, 0xda0, 0x30c, 0x34a, 0x3a1, 0x3c0 };
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint32_t word = csr_type("csrrsi", 10, bad[i], 1);
        emit_word(h, i_type("addi", 6, 0, 1));
        emit_word(h, word);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE + 4, word);
    }
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/csr/table", test_table);
    g_test_add_func("/csr/every-number", test_every_number);
    g_test_add_func("/csr/legal-values", test_legal_values);
    g_test_add_func("/csr/performance", test_performance);
    g_test_add_func("/csr/wake-ups", test_wake_ups);
    g_test_add_func("/csr/found-by-read", test_found_by_read);
    g_test_add_func("/csr/counters-in-wfi", test_counters_in_wfi);
    g_test_add_func("/csr/stateen", test_stateen);
    g_test_add_func("/csr/status", test_status);
    g_test_add_func("/csr/satp", test_satp);
    g_test_add_func("/csr/interrupt-views", test_interrupt_views);
    g_test_add_func("/csr/counters", test_counters);
    g_test_add_func("/csr/instret-inside", test_instret_inside);
    g_test_add_func("/csr/forms", test_forms);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Triggers (Sdtrig): legal values, each class of access, and the conditions under which a trigger
 * does not match.
 */
#include "harness.h"

#define TYPE6    (UINT64_C(6) << 60)
#define DISABLED (UINT64_C(15) << 60)
enum { LOAD = 1, STORE = 2, EXECUTE = 4, MODE_U = 8, MODE_M = 64 };
enum { TSELECT = 0x7a0, TDATA1, TDATA2, TDATA3, TINFO };

static bool trig_write(Hart *h, unsigned n, uint64_t v)
{
    uint64_t old;

    return csr_access(h->cpu, n, CSR_OP_WRITE, true, true, v, &old);
}

static uint64_t trig_read(Hart *h, unsigned n)
{
    uint64_t v = 0;

    g_assert_true(csr_access(h->cpu, n, CSR_OP_SET, true, false, 0, &v));
    return v;
}

static void trig_arm(Hart *h, unsigned i, uint64_t control, uint64_t at)
{
    g_assert_true(trig_write(h, TSELECT, i) && trig_write(h, TDATA1, 0) &&
                  trig_write(h, TDATA2, at) && trig_write(h, TDATA1, control));
}

/* Run the code from its start in M-mode, with interrupts enabled. */
static void trig_expect(Hart *h, uint64_t cause, uint64_t epc, uint64_t tval)
{
    h->cpu->mstatus |= MSTATUS_MIE;
    h->cpu->priv = PRIV_M;
    mmu_update_contexts(h->cpu);
    hart_expect_trap(h, cause, epc, tval);
}

static void test_registers(void)
{
    Hart *h = hart_new("sdtrig=on");
    uint64_t v;

    g_assert_cmphex(trig_read(h, TDATA1), ==, DISABLED);
    g_assert_cmphex(trig_read(h, TINFO), ==, 0x1008044);
    for (unsigned type = 0; type < 16; type++) {
        g_assert_true(trig_write(h, TDATA1, (uint64_t)type << 60));
        g_assert_cmphex(trig_read(h, TDATA1) >> 60, ==,
                        trig_read(h, TINFO) >> type & 1 ? type : 15);
    }
    g_assert_true(trig_write(h, TDATA1, DISABLED - 1));
    g_assert_cmphex(trig_read(h, TDATA1), ==, DISABLED);
    g_assert_true(trig_write(h, TDATA1, UINT64_C(2) << 60 | 0x1ff07ff));
    g_assert_cmphex(trig_read(h, TDATA1), ==, UINT64_C(2) << 60 | 1 << 20 | 0x5f);
    g_assert_true(trig_write(h, TSELECT, 2)); /* there are two */
    g_assert_cmphex(trig_read(h, TSELECT), ==, 0);
    g_assert_true(trig_write(h, TDATA3, 1));
    g_assert_cmphex(trig_read(h, TDATA3), ==, 0);
    hart_free(h);
    h = hart_new(NULL);
    g_assert_false(csr_access(h->cpu, TSELECT, CSR_OP_SET, true, false, 0, &v));
    hart_free(h);
}

/* Each class of access, at its address, at another byte of it, and beside it. */
static void test_accesses(void)
{
    static const struct {
        const char *name;
        unsigned form; /* 0: load, 1: store, 2: atomic, 3: cbo.zero */
        unsigned size, access;
    } rows[] = {
        { "ld", 0, 8, LOAD },         { "lbu", 0, 1, LOAD },
        { "fld", 0, 8, LOAD },        { "sd", 1, 8, STORE },
        { "sh", 1, 2, STORE },        { "lr.w", 2, 4, LOAD },
        { "sc.d", 2, 8, STORE },      { "amoadd.d", 2, 8, LOAD | STORE },
        { "cbo.zero", 3, 64, STORE },
    };
    Hart *h = hart_new("sdtrig=on");

    for (unsigned i = 0; i < G_N_ELEMENTS(rows) * 3; i++) {
        unsigned row = i / 3, size = rows[row].size, shift = i % 3 ? size - 2 + i % 3 : 0;
        unsigned form = rows[row].form;
        uint32_t word = form == 0   ? i_type(rows[row].name, 5, 6, 0)
                        : form == 1 ? s_type(rows[row].name, 5, 6, 0)
                        : form == 2 ? r_type(rows[row].name, 5, 6, 0)
                                    : match_of(rows[row].name) | 6 << 15;

        for (unsigned access = LOAD; access <= STORE; access++) {
            bool fires = (access & rows[row].access) && shift < size;

            hart_reset(h);
            trig_arm(h, 1, TYPE6 | access | MODE_M, DATA + 64 + shift);
            h->cpu->x[6] = DATA + 64;
            emit_word(h, word);
            emit_ebreak(h);
            trig_expect(h, CAUSE_BREAKPOINT, fires ? CODE : CODE + 4, fires ? DATA + 64 : CODE + 4);
            g_assert_cmpuint(trig_read(h, TDATA1) >> 22 & 1, ==, fires);
        }
    }
    hart_free(h);
}

/* A store in another page, and one that begins before the page of the trigger. */
static void test_crossing(void)
{
    Hart *h = hart_new("sdtrig=on");

    trig_arm(h, 0, TYPE6 | STORE | MODE_M, DATA + RAM_PAGE_SIZE + 2);
    h->cpu->x[6] = DATA + RAM_PAGE_SIZE - 4;
    emit_word(h, s_type("sw", 0, 6, 0));
    emit_word(h, s_type("sd", 0, 6, 0));
    trig_expect(h, CAUSE_BREAKPOINT, CODE + 4, DATA + RAM_PAGE_SIZE - 4);
    hart_free(h);
}

/* An instruction in the middle of a block, after the block was executed and translated. */
static void test_execution(void)
{
    Hart *h = hart_new("sdtrig=on");

    for (unsigned round = 0; round < 4; round++) {
        hart_reset(h);
        emit_word(h, i_type("addi", 5, 0, 1));
        emit_word(h, i_type("addi", 5, 5, 1));
        emit_word(h, i_type("addi", 5, 5, 1));
        emit_ebreak(h);
        trig_expect(h, CAUSE_BREAKPOINT, CODE + 12, CODE + 12);
        g_assert_cmpuint(h->cpu->x[5], ==, 3);
        uint64_t before = h->cpu->retired; /* with the exit of the harness */
        trig_arm(h, 0, TYPE6 | EXECUTE | MODE_M, CODE + 8);
        trig_expect(h, CAUSE_BREAKPOINT, CODE + 8, CODE + 8);
        g_assert_cmpuint(h->cpu->x[5], ==, 2);
        g_assert_cmpuint(h->cpu->retired, ==, 2 * before - 1);
        trig_arm(h, 0, TYPE6 | EXECUTE | MODE_U, CODE + 8);
        trig_expect(h, CAUSE_BREAKPOINT, CODE + 12, CODE + 12);
        trig_arm(h, 0, TYPE6 | EXECUTE | MODE_M, CODE + 8);
        h->cpu->mstatus &= ~MSTATUS_MIE;
        h->cpu->pc = CODE;
        hart_run(h);
        g_assert_cmphex(h->cpu->mepc, ==, CODE + 12);
    }
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trigger/registers", test_registers);
    g_test_add_func("/trigger/accesses", test_accesses);
    g_test_add_func("/trigger/crossing", test_crossing);
    g_test_add_func("/trigger/execution", test_execution);
    return g_test_run();
}

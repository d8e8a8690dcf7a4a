/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interrupt file: order, threshold, delivery, claims, every register number; and through the
 * hart's CSRs.
 */
#include "harness.h"

static void test_order(void)
{
    ImsicFile f = { 0 };

    g_assert_false(imsic_deliver_any(&f, 0));
    g_assert_false(imsic_deliver_any(&f, 256));
    g_assert_true(imsic_deliver_any(&f, 200));
    g_assert_true(imsic_deliver_any(&f, 65));
    g_assert_cmpuint(imsic_top(&f), ==, 0);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_true(imsic_write(&f, 0xc0 + 2 * i, UINT64_MAX, UINT64_MAX));
    }
    g_assert_cmphex(f.eie[0] & 1, ==, 0);
    g_assert_cmpuint(imsic_top(&f), ==, 65);
    g_assert_false(imsic_signals(&f));
    imsic_write(&f, 0x70, UINT64_MAX, UINT64_MAX);
    g_assert_true(imsic_signals(&f));
    imsic_write(&f, 0x72, 65, UINT64_MAX);
    g_assert_cmpuint(imsic_top(&f), ==, 0);
    imsic_write(&f, 0x72, 66, UINT64_MAX);
    g_assert_cmpuint(imsic_top(&f), ==, 65);
    imsic_claim(&f, 65);
    g_assert_cmpuint(imsic_top(&f), ==, 0);
    imsic_write(&f, 0x72, 0, UINT64_MAX);
    g_assert_cmpuint(imsic_top(&f), ==, 200);
}

static void test_registers(void)
{
    ImsicFile f = { 0 };

    for (unsigned select = 0; select < 0x200; select++) {
        bool array = select >= 0x80 && select <= 0xff;
        bool legal = (select >= 0x70 && select < 0x80) || (array && !(select & 1));
        uint64_t v;
        g_assert_cmpint(imsic_write(&f, select, 0x1234567, UINT64_MAX), ==, legal);
        g_assert_cmpint(imsic_read(&f, select, &v), ==, legal);
    }
    /* Only the bits in the mask change. */
    imsic_write(&f, 0x82, 0xff, UINT64_MAX);
    imsic_write(&f, 0x82, 0x00, 0x0f);
    g_assert_cmphex(f.eip[1], ==, 0xf0);
}

/* A message becomes an external interrupt. stopei reads and claims it. */
static void test_through_csrs(void)
{
    Hart *h = hart_new(NULL);
    RiscvCpu *c = h->cpu;

    rv_deliver_any(&c->cpu, MSI_FILE_S, 33);
    c->x[5] = 0x70;
    c->x[6] = 1;
    c->x[7] = 0xc0;
    c->x[8] = UINT64_MAX;
    emit_word(h, csr_type("csrrw", 0, 0x150, 5));
    emit_word(h, csr_type("csrrw", 0, 0x151, 6));
    emit_word(h, csr_type("csrrw", 0, 0x150, 7));
    emit_word(h, csr_type("csrrw", 0, 0x151, 8));
    emit_word(h, csr_type("csrrs", 10, 0x344, 0));
    emit_word(h, csr_type("csrrs", 11, 0x15c, 0));
    emit_word(h, csr_type("csrrw", 12, 0x15c, 0));
    emit_word(h, csr_type("csrrs", 13, 0x15c, 0));
    emit_word(h, csr_type("csrrs", 14, 0x344, 0));
    hart_run_code(h);
    g_assert_cmphex(c->x[10], ==, MIP(SEI));
    g_assert_cmphex(c->x[11], ==, 33 << 16 | 33);
    g_assert_cmphex(c->x[12], ==, 33 << 16 | 33);
    g_assert_cmphex(c->x[13], ==, 0);
    g_assert_cmphex(c->x[14], ==, 0);
    hart_free(h);
}

/* xtopi, and rejected indirect accesses. */
static void test_topi(void)
{
    Hart *h = hart_new(NULL);
    RiscvCpu *c = h->cpu;

    c->mideleg = MIP_S_ALL;
    c->mie = MIP_S_ALL | MIP_M_ALL;
    rv_set_input_any(&c->cpu, IRQ_MTI, true);
    rv_set_input_any(&c->cpu, IRQ_MSI, true);
    rv_set_input_any(&c->cpu, IRQ_SEI, true);
    emit_word(h, csr_type("csrrs", 10, 0xfb0, 0));
    emit_word(h, csr_type("csrrs", 11, 0xdb0, 0));
    hart_run_code(h);
    g_assert_cmphex(c->x[10], ==, IRQ_MSI << 16 | 1);
    g_assert_cmphex(c->x[11], ==, IRQ_SEI << 16 | 1);
    static const struct {
        unsigned select;
        bool legal;
    } selects[] = { { 0, false },    { 0x2f, false }, { 0x30, true },  { 0x31, false },
                    { 0x3e, true },  { 0x40, false }, { 0x6f, false }, { 0x70, true },
                    { 0x81, false }, { 0xff, false }, { 0x100, false } };
    for (unsigned i = 0; i < G_N_ELEMENTS(selects); i++) {
        uint64_t old;
        c->miselect = selects[i].select;
        g_assert_cmpint(csr_access(c, 0x351, CSR_OP_SET, true, false, 0, &old), ==,
                        selects[i].legal);
        g_assert_cmpint(csr_access(c, 0x351, CSR_OP_WRITE, true, true, 0, &old), ==,
                        selects[i].legal);
    }
    hart_free(h);
}

/* Without the extensions the registers do not exist. */
static void test_absent(void)
{
    static const uint16_t numbers[] = { 0x150, 0x151, 0x15c, 0xdb0, 0x350,
                                        0x351, 0x35c, 0xfb0, 0x308, 0x309 };
    Hart *h = hart_new("smaia=off,ssaia=off");
    uint64_t old;

    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_assert_false(csr_access(h->cpu, numbers[i], CSR_OP_SET, true, false, 0, &old));
    }
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/imsic-file/order", test_order);
    g_test_add_func("/imsic-file/registers", test_registers);
    g_test_add_func("/imsic-file/through-csrs", test_through_csrs);
    g_test_add_func("/imsic-file/topi", test_topi);
    g_test_add_func("/imsic-file/absent", test_absent);
    return g_test_run();
}

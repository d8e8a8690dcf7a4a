/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved state: round trip, bytes equal, hostile values rejected; reset.
 */
#include "harness.h"

static GByteArray *save(Hart *h)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    machine_lock(h->m);
    vm_save(&riscv_cpu_vmstate, h->cpu, &w);
    machine_unlock(h->m);
    return bytes;
}

static bool load(Hart *h, const GByteArray *bytes, GError **err)
{
    ByteReader r;

    reader_init(&r, bytes->data, bytes->len);
    machine_lock(h->m);
    bool ok = vm_load(&riscv_cpu_vmstate, h->cpu, riscv_cpu_vmstate.version, &r, "cpu", err);
    machine_unlock(h->m);
    return ok && reader_left(&r) == 0;
}

/* Values that a guest could have left. */
static void fill(Hart *h)
{
    RiscvCpu *c = h->cpu;

    for (unsigned i = 1; i < 32; i++) {
        c->x[i] = i * UINT64_C(0x0101010101010101);
        c->f[i] = ~c->x[i];
    }
    c->pc = DATA;
    c->priv = PRIV_S;
    c->frm = 3;
    c->fflags = 0x11;
    c->mstatus = MSTATUS_SIE | MSTATUS_FS;
    c->satp = UINT64_C(9) << 60 | 0x80123;
    c->stimecmp = 12345;
    c->menvcfg = ENVCFG_STCE | ENVCFG_CBZE;
    c->pmpaddr[3] = 0x123;
    c->file[MSI_FILE_S].eip[2] = 5;
    c->file[MSI_FILE_S].eie[2] = 4;
    c->file[MSI_FILE_S].eidelivery = 1;
}

static void test_round_trip(void)
{
    Hart *a = hart_new("sscofpmf=on,smstateen=on,sdtrig=on"),
         *b = hart_new("sscofpmf=on,smstateen=on,debug=on");
    GError *err = NULL;

    g_autofree char *bad = vm_table_check(&riscv_cpu_vmstate);
    g_assert_cmpstr(bad, ==, NULL);
    fill(a);
    a->cpu->mcountinhibit = 8;
    a->cpu->hpm_event[0] = UINT64_C(1) << 61 | 2;
    a->cpu->hpm_base[0] = 77;
    a->cpu->mstateen[3] = UINT64_C(1) << 63;
    a->cpu->tselect = 1;
    a->cpu->tdata1[1] = UINT64_C(6) << 60 | 0x41;
    a->cpu->tdata2[1] = 0x1234;
    GByteArray *first = save(a);
    g_assert_true(load(b, first, &err));
    g_assert_no_error(err);
    GByteArray *second = save(b);
    g_assert_cmpmem(first->data, first->len, second->data, second->len);
    g_assert_cmphex(b->cpu->mip_own, ==, MIP(SEI) | (b->cpu->stip ? MIP(STI) : 0));
    g_assert_cmphex(b->cpu->pmp.range[0].last, !=, 0);
    g_assert_true(b->cpu->triggering);
    g_byte_array_unref(first);
    g_byte_array_unref(second);
    hart_free(a);
    hart_free(b);
}

/* For any bytes, a load succeeds with legal values or is rejected, and the hart runs afterwards. */
static void test_hostile(void)
{
    Hart *a = hart_new(NULL), *b = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(9);
    unsigned refused = 0;

    fill(a);
    GByteArray *good = save(a);
    for (unsigned round = 0; round < 2000; round++) {
        GByteArray *bytes = g_byte_array_new();
        GError *err = NULL;
        g_byte_array_append(bytes, good->data, good->len);
        for (unsigned i = g_rand_int_range(rand, 1, 4); i > 0; i--) {
            bytes->data[g_rand_int_range(rand, 0, bytes->len)] = g_rand_int(rand);
        }
        if (load(b, bytes, &err)) {
            g_assert_cmphex(b->cpu->x[0], ==, 0);
            g_assert_true(b->cpu->priv != 2 && b->cpu->priv <= 3);
            g_assert_cmphex(b->cpu->pc & 1, ==, 0);
        } else {
            refused++;
            g_clear_error(&err);
        }
        g_byte_array_unref(bytes);
    }
    g_assert_cmpuint(refused, >, 0);
    g_byte_array_unref(good);
    hart_reset(b);
    emit_word(b, i_type("addi", 5, 0, 1));
    hart_run_code(b);
    g_rand_free(rand);
    hart_free(a);
    hart_free(b);
}

/* Registers of extensions and counters that the hart lacks. */
static void test_absent(void)
{
    static const struct {
        size_t field;
        uint64_t value;
        const char *name;
    } rows[] = {
        { offsetof(RiscvCpu, mcounteren), UINT64_C(1) << 31, "mcounteren is" },
        { offsetof(RiscvCpu, scounteren), UINT64_C(1) << 31, "scounteren is" },
        { offsetof(RiscvCpu, mcountinhibit), UINT64_C(1) << 31, "mcountinhibit is" },
        { offsetof(RiscvCpu, mideleg), MIP(LCOFI), "mideleg is" },
        { offsetof(RiscvCpu, mie), MIP(LCOFI), "mie is" },
        { offsetof(RiscvCpu, mip_soft), MIP(LCOFI), "mip is" },
        { offsetof(RiscvCpu, hpm_event[0]), UINT64_C(1) << 63, "mhpmevent is" },
        { offsetof(RiscvCpu, hpm_event[28]), 1, "mhpmevent is" },
        { offsetof(RiscvCpu, hpm_base[28]), 1, "mhpmcounter is" },
        { offsetof(RiscvCpu, hpm_last[28]), 1, "mhpmcounter is" },
        { offsetof(RiscvCpu, mstateen[0]), 1, "mstateen is" },
        { offsetof(RiscvCpu, tselect), 1, "tselect is" },
        { offsetof(RiscvCpu, tdata1[1]), UINT64_C(6) << 60, "tdata1 is" },
        { offsetof(RiscvCpu, tdata2[0]), 1, "tdata2 is" },
    };
    Hart *a = hart_new(NULL), *b = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t *field = (uint64_t *)((char *)a->cpu + rows[i].field);
        GError *err = NULL;

        *field = rows[i].value;
        GByteArray *bytes = save(a);
        g_assert_false(load(b, bytes, &err));
        if (!strstr(err->message, rows[i].name)) {
            g_error("'%s' is not in: %s", rows[i].name, err->message);
        }
        g_clear_error(&err);
        g_byte_array_unref(bytes);
        *field = 0;
    }
    GByteArray *bytes = save(a);
    g_assert_true(load(b, bytes, NULL));
    g_byte_array_unref(bytes);
    hart_free(a);
    hart_free(b);
}

static void test_refusals(void)
{
    Hart *a = hart_new(NULL), *b = hart_new("sv48=off,sstc=off");
    GError *err = NULL;

    fill(a);
    GByteArray *bytes = save(a);
    g_assert_false(load(b, bytes, &err));
    g_assert_nonnull(strstr(err->message, "satp"));
    g_clear_error(&err);
    a->cpu->satp = 0;
    g_byte_array_unref(bytes);
    bytes = save(a);
    g_assert_false(load(b, bytes, &err));
    g_assert_nonnull(strstr(err->message, "menvcfg"));
    g_clear_error(&err);
    g_byte_array_unref(bytes);
    hart_free(a);
    hart_free(b);
}

/* Reset results in the architecture's state from any other, and does not change the wires. */
static void test_reset(void)
{
    Hart *a = hart_new(NULL);

    fill(a);
    rv_set_input_any(&a->cpu->cpu, IRQ_MTI, true);
    rv_reset(&a->cpu->cpu, 0x1000);
    g_assert_cmphex(a->cpu->pc, ==, 0x1000);
    g_assert_cmpuint(a->cpu->priv, ==, PRIV_M);
    g_assert_cmphex(a->cpu->mstatus, ==, 0);
    g_assert_cmphex(a->cpu->satp, ==, 0);
    g_assert_cmphex(a->cpu->mcause, ==, 0);
    g_assert_cmphex(a->cpu->menvcfg, ==, ENVCFG_ADUE);
    g_assert_cmphex(a->cpu->stimecmp, ==, UINT64_MAX);
    g_assert_cmphex(a->cpu->mip_in, ==, MIP(MTI));
    g_assert_cmphex(a->cpu->file[MSI_FILE_S].eip[2], ==, 0);
    g_assert_cmphex(a->cpu->pmpaddr[3], ==, 0);
    g_assert_false(pmp_allows(&a->cpu->pmp, false, RAM_BASE, 8, PMP_R));
    hart_free(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/state/round-trip", test_round_trip);
    g_test_add_func("/state/hostile", test_hostile);
    g_test_add_func("/state/refusals", test_refusals);
    g_test_add_func("/state/absent", test_absent);
    g_test_add_func("/state/reset", test_reset);
    return g_test_run();
}

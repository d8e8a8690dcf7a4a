/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PLIC: directed cases from the specification's text, then random operations compared with a model
 * that keeps one record per source.
 */
#include "../fixture.h"

enum { BASE = 0xc000000, M = 0, S = 1, SOURCES = 96 };

static uint64_t ctx_reg(unsigned ctx, unsigned reg)
{
    return BASE + 0x200000 + ctx * 0x1000 + reg;
}

static uint64_t enable_reg(unsigned ctx, unsigned source)
{
    return BASE + 0x2000 + ctx * 0x80 + source / 32 * 4;
}

static void set_priority(Machine *m, unsigned source, unsigned priority)
{
    guest_write32(m, BASE + source * 4, priority);
}

static void test_claim_complete(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "riscv.sifive.plic", "num-harts=1", BASE);

    set_priority(m, 10, 1);
    guest_write32(m, enable_reg(S, 10), 1 << 10);
    irq_set(device_irq_in(dev, 10), true);
    g_assert_true(fixture_input(m, 0, 9));
    g_assert_false(fixture_input(m, 0, 11));
    g_assert_cmphex(guest_read32(m, BASE + 0x1000), ==, 1 << 10);
    g_assert_cmpuint(guest_read32(m, ctx_reg(M, 4)), ==, 0); /* not enabled in M */
    g_assert_cmpuint(guest_read32(m, ctx_reg(S, 4)), ==, 10);
    g_assert_false(fixture_input(m, 0, 9));
    g_assert_cmpuint(guest_read32(m, ctx_reg(S, 4)), ==, 0);
    guest_write32(m, ctx_reg(S, 4), 11); /* wrong source: ignored */
    g_assert_false(fixture_input(m, 0, 9));
    guest_write32(m, ctx_reg(S, 4), 10); /* still asserted: a new request */
    g_assert_true(fixture_input(m, 0, 9));
    irq_set(device_irq_in(dev, 10), false); /* not retracted once forwarded */
    g_assert_cmpuint(guest_read32(m, ctx_reg(S, 4)), ==, 10);
    guest_write32(m, ctx_reg(S, 4), 10);
    g_assert_false(fixture_input(m, 0, 9));
    machine_free(m);
}

static void test_priority_and_threshold(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "riscv.sifive.plic", "num-harts=1", BASE);

    for (unsigned n = 1; n <= 3; n++) {
        set_priority(m, n, n == 2 ? 7 : 3);
        irq_set(device_irq_in(dev, n), true);
    }
    guest_write32(m, enable_reg(M, 0), 0xffffffff);
    g_assert_cmphex(guest_read32(m, enable_reg(M, 0)), ==,
                    0xfffffffe); /* source 0 does not exist */
    guest_write32(m, ctx_reg(M, 0), 7);
    g_assert_false(fixture_input(m, 0, 11));
    guest_write32(m, ctx_reg(M, 0), 6);
    g_assert_true(fixture_input(m, 0, 11));
    g_assert_cmpuint(guest_read32(m, ctx_reg(M, 4)), ==, 2);
    g_assert_false(fixture_input(m, 0, 11));
    g_assert_cmpuint(guest_read32(m, ctx_reg(M, 4)), ==,
                     1); /* claims ignore the threshold; ties: lowest */
    g_assert_cmpuint(guest_read32(m, ctx_reg(M, 4)), ==, 3);
    set_priority(m, 5, 0xffffffff);
    g_assert_cmphex(guest_read32(m, BASE + 5 * 4), ==, 7);
    set_priority(m, 0, 7);
    g_assert_cmphex(guest_read32(m, BASE), ==, 0);
    machine_free(m);
}

/* --- the model: one record a source, one line a rule --- */

typedef struct Source {
    unsigned priority;
    bool level, pending, claimed, enable[2];
} Source;

typedef struct Model {
    Source s[SOURCES + 1];
    unsigned threshold[2];
} Model;

static unsigned model_best(const Model *w, unsigned ctx, unsigned above)
{
    unsigned best = 0;

    for (unsigned n = SOURCES; n >= 1; n--) {
        const Source *s = &w->s[n];

        if (s->pending && s->enable[ctx] && s->priority > above && s->priority > 0 &&
            (!best || s->priority >= w->s[best].priority))
            best = n;
    }
    return best;
}

static void model_gateways(Model *w)
{
    for (unsigned n = 1; n <= SOURCES; n++)
        w->s[n].pending |= w->s[n].level && !w->s[n].claimed;
}

static void random_op(Machine *m, Device *dev, Model *w)
{
    unsigned n = g_test_rand_int_range(1, SOURCES + 1), ctx = g_test_rand_int_range(0, 2), v;

    switch (g_test_rand_int_range(0, 6)) {
    case 0:
        w->s[n].level = g_test_rand_bit();
        irq_set(device_irq_in(dev, n), w->s[n].level);
        break;
    case 1:
        w->s[n].priority = g_test_rand_int_range(0, 8);
        set_priority(m, n, w->s[n].priority);
        break;
    case 2:
        w->s[n].enable[ctx] = g_test_rand_bit();
        v = guest_read32(m, enable_reg(ctx, n)) & ~(1u << n % 32);
        guest_write32(m, enable_reg(ctx, n), v | (uint32_t)w->s[n].enable[ctx] << n % 32);
        break;
    case 3:
        w->threshold[ctx] = g_test_rand_int_range(0, 8);
        guest_write32(m, ctx_reg(ctx, 0), w->threshold[ctx]);
        break;
    case 4:
        v = model_best(w, ctx, 0);
        g_assert_cmpuint(guest_read32(m, ctx_reg(ctx, 4)), ==, v);
        if (v) {
            w->s[v].pending = false;
            w->s[v].claimed = true;
        }
        break;
    case 5:
        guest_write32(m, ctx_reg(ctx, 4), n);
        if (w->s[n].enable[ctx])
            w->s[n].claimed = false;
        break;
    }
    model_gateways(w);
}

static void test_model(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "riscv.sifive.plic", "num-harts=1", BASE);
    g_autofree Model *w = g_new0(Model, 1);

    for (unsigned i = 0; i < 60000; i++) {
        random_op(m, dev, w);
        g_assert_cmpint(fixture_input(m, 0, 11), ==, model_best(w, 0, w->threshold[0]) != 0);
        g_assert_cmpint(fixture_input(m, 0, 9), ==, model_best(w, 1, w->threshold[1]) != 0);
    }
    check_state_round_trip(dev);
    for (unsigned n = 1; n <= SOURCES; n++)
        g_assert_cmpint(guest_read32(m, BASE + 0x1000 + n / 32 * 4) >> n % 32 & 1, ==,
                        w->s[n].pending);
    machine_free(m);
}

static void test_hostile(void)
{
    Machine *m = fixture_new(2);
    Device *dev = fixture_device(m, "riscv.sifive.plic", "num-harts=2", BASE);

    random_accesses(m, BASE, 0x2400, 20000);
    random_accesses(m, BASE + 0x200000 - 64, 0x5000, 20000);
    random_accesses(m, BASE + 0x600000 - 16, 32, 0);
    device_reset_tree(dev, RESET_HOT);
    g_assert_cmphex(fixture_cpu(m, 0)->inputs | fixture_cpu(m, 1)->inputs, ==, 0);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plic/claim-complete", test_claim_complete);
    g_test_add_func("/plic/priority-threshold", test_priority_and_threshold);
    g_test_add_func("/plic/model", test_model);
    g_test_add_func("/plic/hostile", test_hostile);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * APLIC: delegation, message and direct delivery, the pending bit in each source mode, and random
 * operations compared with a model that keeps one record per source.
 */
#include "../fixture.h"
#include "hw/intc/aplic.h"

enum { MD = 0xc000000, SD = 0xd000000, MPAGE = 0x24000000, SPAGE = 0x28000000, SOURCES = 96 };
enum {
    DOMAINCFG = 0,
    MMSIADDRCFG = 0x1bc0,
    SMSIADDRCFG = 0x1bc8,
    SETIP = 0x1c00,
    SETIPNUM = 0x1cdc,
    IN_CLRIP = 0x1d00,
    CLRIPNUM = 0x1ddc,
    SETIE = 0x1e00,
    SETIENUM = 0x1edc,
    CLRIENUM = 0x1fdc,
    SETIPNUM_LE = 0x2000,
    SETIPNUM_BE = 0x2004,
    GENMSI = 0x3000,
    IDC = 0x4000,
    IE = 0x100,
    D = 0x400
};
enum { INACTIVE, DETACHED, EDGE1 = 4, EDGE0, LEVEL1, LEVEL0 };

static uint64_t sourcecfg(uint64_t domain, unsigned n)
{
    return domain + 4 * n;
}

static uint64_t target(uint64_t domain, unsigned n)
{
    return domain + 0x3000 + 4 * n;
}

static Device *aplic_new(Machine *m, bool msi)
{
    const char *s = msi ? "num-harts=2,msimode=on" : "num-harts=2";
    g_autofree char *ms = g_strdup_printf("%s,mmode=on", s);
    Device *child = fixture_device(m, "riscv.aplic", s, SD);
    Device *root = fixture_device(m, "riscv.aplic", ms, MD);

    aplic_set_child(root, child);
    fixture_device(m, "riscv.imsic", "num-harts=2,mmode=on", MPAGE);
    fixture_device(m, "riscv.imsic", "num-harts=2", SPAGE);
    if (msi) {
        guest_write32(m, MD + MMSIADDRCFG, MPAGE >> 12);
        guest_write32(m, MD + MMSIADDRCFG + 4, 1 << 12); /* LHXW 1: two harts */
        guest_write32(m, MD + SMSIADDRCFG, SPAGE >> 12);
    }
    return root;
}

static void delegate_all(Machine *m)
{
    for (unsigned n = 1; n <= SOURCES; n++)
        guest_write32(m, sourcecfg(MD, n), D);
    guest_write32(m, SD + DOMAINCFG, IE);
}

static void test_msi_level(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, true);
    FakeCpu *cpu = fixture_cpu(m, 1);

    g_assert_cmphex(guest_read32(m, SD + DOMAINCFG), ==, 0x80000004);
    g_assert_cmphex(guest_read32(m, sourcecfg(SD, 10)), ==, 0);
    delegate_all(m);
    guest_write32(m, sourcecfg(SD, 10), LEVEL1);
    guest_write32(m, target(SD, 10), 1 << 18 | 42);
    guest_write32(m, SD + SETIENUM, 10);
    irq_set(device_irq_in(dev, 10), true);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 1);
    g_assert_cmpuint(cpu->last_id[MSI_FILE_S], ==, 42);
    g_assert_cmphex(guest_read32(m, SD + SETIP), ==, 0); /* forwarded */
    g_assert_cmphex(guest_read32(m, SD + IN_CLRIP), ==, 1 << 10);
    guest_write32(m, SD + SETIPNUM_LE, 10); /* still asserted: sent again */
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 2);
    irq_set(device_irq_in(dev, 10), false);
    guest_write32(m, SD + SETIPNUM_LE, 10); /* not asserted: a driver's retrigger ends here */
    guest_write32(m, SD + SETIP, 1 << 10);
    g_assert_cmphex(guest_read32(m, SD + SETIP), ==, 0);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 2);
    guest_write32(m, SD + CLRIENUM, 10);
    irq_set(device_irq_in(dev, 10), true);
    g_assert_cmphex(guest_read32(m, SD + SETIP), ==, 1 << 10);
    irq_set(device_irq_in(dev, 10), false); /* pending is cleared with the level */
    g_assert_cmphex(guest_read32(m, SD + SETIP), ==, 0);
    g_assert_cmpuint(fixture_cpu(m, 0)->messages[MSI_FILE_S], ==, 0);
    machine_free(m);
}

static void test_msi_edge_and_genmsi(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, true);
    FakeCpu *cpu = fixture_cpu(m, 0);

    delegate_all(m);
    guest_write32(m, sourcecfg(SD, 33), EDGE1);
    guest_write32(m, target(SD, 33), 7);
    guest_write32(m, SD + SETIE + 4, 2);
    irq_set(device_irq_in(dev, 33), true);
    irq_set(device_irq_in(dev, 33), false);
    irq_set(device_irq_in(dev, 33), true);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 2);
    guest_write32(m, SD + SETIPNUM_BE, 33u << 24);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 3);
    guest_write32(m, SD + GENMSI, 99);
    g_assert_cmpuint(cpu->last_id[MSI_FILE_S], ==, 99);
    guest_write32(m, MD + GENMSI, 1 << 18 | 5);
    g_assert_cmpuint(fixture_cpu(m, 1)->last_id[MSI_FILE_M], ==, 5);
    guest_write32(m, SD + DOMAINCFG, 0); /* disabled: pending waits */
    guest_write32(m, SD + SETIPNUM, 33);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 4);
    guest_write32(m, SD + DOMAINCFG, IE);
    g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, 5);
    guest_write32(m, MD + MMSIADDRCFG + 4, 1u << 31 | 1 << 12); /* lock */
    guest_write32(m, MD + MMSIADDRCFG, 0);
    g_assert_cmphex(guest_read32(m, MD + MMSIADDRCFG), ==, MPAGE >> 12);
    g_assert_cmphex(guest_read32(m, SD + MMSIADDRCFG), ==, 0);
    machine_free(m);
}

static void test_direct(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, false);

    g_assert_cmphex(guest_read32(m, SD + DOMAINCFG), ==, 0x80000000);
    delegate_all(m);
    guest_write32(m, sourcecfg(SD, 5), LEVEL1);
    guest_write32(m, sourcecfg(SD, 6), EDGE1);
    g_assert_cmphex(guest_read32(m, target(SD, 5)), ==, 1); /* priority 0 does not exist */
    guest_write32(m, target(SD, 5), 1 << 18 | 3);
    guest_write32(m, target(SD, 6), 1 << 18 | 2);
    guest_write32(m, SD + SETIE, 3 << 5);
    guest_write32(m, SD + IDC + 32, 1);
    irq_set(device_irq_in(dev, 5), true);
    g_assert_true(fixture_input(m, 1, 9));
    g_assert_false(fixture_input(m, 0, 9));
    irq_set(device_irq_in(dev, 6), true);
    g_assert_cmphex(guest_read32(m, SD + IDC + 32 + 0x18), ==, 6 << 16 | 2);
    g_assert_cmphex(guest_read32(m, SD + IDC + 32 + 0x1c), ==, 6 << 16 | 2);
    g_assert_cmphex(guest_read32(m, SD + IDC + 32 + 0x1c), ==, 5 << 16 | 3);
    g_assert_cmphex(guest_read32(m, SD + IDC + 32 + 0x1c), ==, 5 << 16 | 3); /* a level remains */
    guest_write32(m, SD + IDC + 32 + 8, 3); /* threshold: only below 3 */
    g_assert_false(fixture_input(m, 1, 9));
    guest_write32(m, SD + IDC + 32 + 8, 0);
    guest_write32(m, SD + CLRIPNUM, 5);
    g_assert_true(fixture_input(m, 1, 9));
    irq_set(device_irq_in(dev, 5), false);
    g_assert_false(fixture_input(m, 1, 9));
    guest_write32(m, SD + IDC + 32 + 4, 1); /* forced */
    g_assert_true(fixture_input(m, 1, 9));
    g_assert_cmphex(guest_read32(m, SD + IDC + 32 + 0x1c), ==, 0);
    g_assert_false(fixture_input(m, 1, 9));
    machine_free(m);
}

/* Messages to the controller itself, or to an unmapped address, are dropped. */
static void test_self_aimed(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, true);

    delegate_all(m);
    guest_write32(m, MD + SMSIADDRCFG, (SD + 0x2000) >> 12); /* page of setipnum_le */
    guest_write32(m, sourcecfg(SD, 3), DETACHED);
    guest_write32(m, target(SD, 3), 3);
    guest_write32(m, SD + SETIENUM, 3);
    guest_write32(m, SD + SETIPNUM, 3);
    guest_write32(m, sourcecfg(SD, 4), EDGE1);
    guest_write32(m, target(SD, 4), 3);
    guest_write32(m, SD + SETIENUM, 4);
    irq_set(device_irq_in(dev, 4), true);
    guest_write32(m, MD + SMSIADDRCFG, UINT32_MAX);
    guest_write32(m, MD + SMSIADDRCFG + 4, UINT32_MAX);
    guest_write32(m, SD + SETIPNUM, 4);
    machine_free(m);
}

/* --- the model --- */

typedef struct Source {
    unsigned mode;
    bool in, ip, ie;
} Source;

static bool asserted(const Source *s)
{
    return s->mode == EDGE0 || s->mode == LEVEL0 ? !s->in : s->mode >= EDGE1 && s->in;
}

static void model_input(Source *s, bool before)
{
    if (s->mode >= LEVEL1 && !asserted(s))
        s->ip = false;
    else if (asserted(s) && !before)
        s->ip = true;
}

static void random_op(Machine *m, Device *dev, Source *all)
{
    static const unsigned modes[] = { INACTIVE, DETACHED, EDGE1, EDGE0, LEVEL1, LEVEL0 };
    unsigned n = g_test_rand_int_range(1, SOURCES + 1);
    Source *s = &all[n];
    bool before = asserted(s);

    switch (g_test_rand_int_range(0, 5)) {
    case 0:
        s->in = g_test_rand_bit();
        irq_set(device_irq_in(dev, n), s->in);
        model_input(s, before);
        break;
    case 1:
        s->mode = modes[g_test_rand_int_range(0, 6)];
        guest_write32(m, sourcecfg(SD, n), s->mode);
        if (s->mode == INACTIVE)
            s->ip = s->ie = false;
        else if (s->mode >= LEVEL1)
            model_input(s, false);
        guest_write32(m, target(SD, n), n);
        break;
    case 2:
        s->ie = g_test_rand_bit();
        guest_write32(m, SD + (s->ie ? SETIENUM : CLRIENUM), n);
        s->ie = s->ie && s->mode != INACTIVE;
        break;
    case 3:
        guest_write32(m, SD + SETIPNUM, n);
        s->ip |= s->mode == DETACHED || s->mode == EDGE1 || s->mode == EDGE0 || asserted(s);
        break;
    case 4:
        guest_write32(m, SD + CLRIPNUM, n);
        s->ip = false;
        break;
    }
}

static void test_model(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, true);
    FakeCpu *cpu = fixture_cpu(m, 0);
    g_autofree Source *all = g_new0(Source, SOURCES + 1);
    unsigned sent = 0;

    delegate_all(m);
    for (unsigned i = 0; i < 60000; i++) {
        random_op(m, dev, all);
        for (unsigned n = 1; n <= SOURCES; n++) {
            sent += all[n].ip && all[n].ie;
            all[n].ip &= !all[n].ie;
        }
        g_assert_cmpuint(cpu->messages[MSI_FILE_S], ==, sent);
        if (i % 16)
            continue;
        for (unsigned n = 1; n <= SOURCES; n++) {
            g_assert_cmpint(guest_read32(m, SD + SETIP + n / 32 * 4) >> n % 32 & 1, ==, all[n].ip);
            g_assert_cmpint(guest_read32(m, SD + IN_CLRIP + n / 32 * 4) >> n % 32 & 1, ==,
                            asserted(&all[n]));
        }
    }
    check_state_round_trip(dev);
    machine_free(m);
}

static void test_hostile(bool msi)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, msi);

    random_accesses(m, MD, 0x4100, 30000);
    random_accesses(m, SD, 0x4100, 30000);
    random_accesses(m, SD + 0x8000 - 8, 16, 0);
    for (unsigned n = 0; n <= SOURCES; n++)
        irq_set(device_irq_in(dev, n), true);
    check_state_round_trip(dev);
    device_reset_tree(m->root, RESET_HOT);
    g_assert_cmphex(fixture_cpu(m, 0)->inputs | fixture_cpu(m, 1)->inputs, ==, 0);
    machine_free(m);
}

static void test_hostile_msi(void)
{
    test_hostile(true);
}

static void test_hostile_direct(void)
{
    test_hostile(false);
}

/* A stream with state in an inactive source is rejected. */
static void test_bad_state(void)
{
    Machine *m = fixture_new(2);
    Device *dev = aplic_new(m, true);
    g_autoptr(GByteArray) a = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteWriter w = { a };
    ByteReader r;

    vm_save(dev->type->vmstate, dev, &w);
    a->data[8 + 4 * 4 + 128 * 4 + 5 * 4 + 3] = 1; /* target[5] */
    reader_init(&r, a->data, a->len);
    g_assert_false(vm_load(dev->type->vmstate, dev, 1, &r, "aplic", &err));
    g_assert_nonnull(strstr(err->message, "source 5"));
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aplic/msi-level", test_msi_level);
    g_test_add_func("/aplic/msi-edge-genmsi", test_msi_edge_and_genmsi);
    g_test_add_func("/aplic/direct", test_direct);
    g_test_add_func("/aplic/self-aimed", test_self_aimed);
    g_test_add_func("/aplic/model", test_model);
    g_test_add_func("/aplic/hostile-msi", test_hostile_msi);
    g_test_add_func("/aplic/hostile-direct", test_hostile_direct);
    g_test_add_func("/aplic/bad-state", test_bad_state);
    return g_test_run();
}

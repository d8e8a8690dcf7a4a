/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management: every state written from every state, restrictions of D3hot, the reset on
 * return to D0 and No_Soft_Reset, valid loaded records.
 */
#include "pci-fixture.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t reg;
    unsigned resets, enabled;
} Dev;

static void dev_reset(void *dev, ResetKind kind)
{
    ((Dev *)dev)->resets++;
}

static void dev_master_enabled(void *dev)
{
    ((Dev *)dev)->enabled++;
}

static const RegDesc regs[] = { REG32(Dev, reg, 0, .rw = ~0u) };
static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .regs = LIST(regs) },
};
static const PCICapDesc soft_caps[] = { PCI_CAP_PM_D3 };
static const PCICapDesc keep_caps[] = { PCI_CAP_PM_D3_KEEP };
#define TYPE(n, c)                                                                                 \
    static const PCIDeviceType n = {                                                               \
        .base = { .name = #n, .kind = &pci_device_kind, .size = sizeof(Dev), .reset = dev_reset }, \
        .bars = LIST(bars),                                                                        \
        .caps = LIST(c),                                                                           \
        .n_irqs = 1,                                                                               \
        .master_enabled = dev_master_enabled,                                                      \
    }
TYPE(soft, soft_caps);
TYPE(keep, keep_caps);

enum { FN = PCI_DEVFN(1, 0), CSR = 0x40 + PCI_PM_CTRL };

static Dev *start(Fixture *f, const PCIDeviceType *type)
{
    Dev *d;

    fixture_init(f);
    d = (Dev *)plug_function(f, type, "pcie.0", "d", FN, NULL);
    config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, FN, PCI_COMMAND, 2, 6);
    guest_write(f, MMIO, 4, 0x11);
    return d;
}

static void test_states(void)
{
    for (unsigned from = 0; from < 4; from += 3) {
        for (unsigned to = 0; to < 4; to++) {
            Fixture f;
            unsigned want = to == 0 || to == 3 ? to : from;

            start(&f, &keep);
            config_write(&f, FN, CSR, 2, from);
            config_write(&f, FN, CSR, 2, 0xfffc | to);
            g_assert_cmphex(config_read(&f, FN, CSR, 2), ==, PCI_PM_CTRL_NO_SOFT_RESET | want);
            fixture_fini(&f);
        }
    }
}

static void test_d3hot(void)
{
    Fixture f;
    Dev *d = start(&f, &keep);
    uint32_t v;

    pci_irq_set(&d->pci, 0, true);
    g_assert_true(f.line[1]);
    config_write(&f, FN, CSR, 1, 3);
    g_assert_false(f.line[1]);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0xffffffff);
    g_assert_cmpint(pci_dma_read(&d->pci, RAM, &v, 4), ==, MEM_REFUSED);
    g_assert_cmphex(config_read(&f, FN, PCI_COMMAND, 2), ==, 6); /* config cycles are completed */
    config_write(&f, FN, PCI_BASE_ADDRESS_0, 4, MMIO + 0x1000);
    g_assert_cmpuint(d->enabled, ==, 1); /* by start() */
    config_write(&f, FN, CSR, 1, 0);
    g_assert_cmpuint(d->enabled, ==, 2);
    g_assert_true(f.line[1]);
    g_assert_cmphex(guest_read(&f, MMIO + 0x1000, 4), ==, 0x11);
    fixture_fini(&f);
}

static void test_soft_reset(void)
{
    Fixture f;
    Dev *d = start(&f, &soft);
    unsigned resets = d->resets;

    config_write(&f, FN, CSR, 2, 3);
    config_write(&f, FN, CSR, 2, 3);
    g_assert_cmpuint(d->resets, ==, resets);
    config_write(&f, FN, CSR, 2, 0);
    g_assert_cmpuint(d->resets, ==, resets + 1);
    g_assert_cmphex(config_read(&f, FN, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(d->reg, ==, 0);
    config_write(&f, FN, CSR, 2, 3);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmpuint(d->pci.d_state, ==, 0);
    g_assert_cmphex(config_read(&f, FN, CSR, 2), ==, 0);
    fixture_fini(&f);
}

static void test_loaded(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    Dev *d = start(&f, &keep);

    config_write(&f, FN, CSR, 2, 3);
    bytes = save_record(&d->pci);
    machine_reset(f.m, RESET_COLD);
    for (unsigned state = 0; state < 4; state++) {
        bool ok;

        bytes->data[8 + CSR] = PCI_PM_CTRL_NO_SOFT_RESET | state;
        ok = load_record(&d->pci, bytes, &err);
        g_assert_true(ok == (state == 0 || state == 3));
        g_assert_true(ok || strstr(err->message, "D0 and D3hot are accepted"));
        g_assert_true(!ok || pci_bar_addr(&d->pci, 0) == (state ? PCI_BAR_UNMAPPED : MMIO));
        g_clear_error(&err);
    }
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/pm/states", test_states);
    g_test_add_func("/pci/pm/d3hot", test_d3hot);
    g_test_add_func("/pci/pm/soft-reset", test_soft_reset);
    g_test_add_func("/pci/pm/loaded", test_loaded);
    return g_test_run();
}

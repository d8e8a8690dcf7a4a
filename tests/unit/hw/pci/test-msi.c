/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI: the four layouts, message numbers, more messages requested than exist, masks and pending
 * bits compared with a model, valid loaded states.
 */
#include "pci-fixture.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t messages;
} Dev;

static const PlanProp props[] = { PROP_U32(Dev, messages, "messages", 8, 0, UINT32_MAX, "n") };

#define TYPE(n, is64, mask)                                                                        \
    static const PCICapDesc n##_caps[] = {                                                         \
        { .id = PCI_CAP_ID_MSI,                                                                    \
          .prop = "msi",                                                                           \
          .count_prop = "messages",                                                                \
          .msi = { 0, is64, mask } },                                                              \
    };                                                                                             \
    static const PCIDeviceType n = {                                                               \
        .base = { .name = #n,                                                                      \
                  .kind = &pci_device_kind,                                                        \
                  .size = sizeof(Dev),                                                             \
                  .props = LIST(props) },                                                          \
        .caps = LIST(n##_caps),                                                                    \
        .n_irqs = 10,                                                                              \
    }
TYPE(type_32, 0, 0);
TYPE(type_64, 1, 0);
TYPE(type_32_mask, 0, 1);
TYPE(type_64_mask, 1, 1);

/* An invalid number, defined by the type. */
static const PCICapDesc fixed_caps[] = { PCI_CAP_MSI(3, 1, 0) };
static const PCIDeviceType fixed_type = {
    .base = { .name = "fixed", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .caps = LIST(fixed_caps),
};

static const struct {
    const PCIDeviceType *type;
    bool is64, mask;
    unsigned length;
} layouts[] = {
    { &type_32, false, false, 10 },
    { &type_64, true, false, 14 },
    { &type_32_mask, false, true, 20 },
    { &type_64_mask, true, true, 24 },
};

enum { FN = PCI_DEVFN(1, 0) };
#define TO (RAM + 0x400)

static void program(Fixture *f, uint8_t pos, bool is64, unsigned log2)
{
    config_write(f, FN, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    config_write(f, FN, pos + PCI_MSI_ADDRESS_LO, 4, (uint32_t)TO);
    config_write(f, FN, pos + (is64 ? 12 : 8), 2, 0xab00);
    config_write(f, FN, pos + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | log2 << 4);
}

static uint32_t got(Fixture *f)
{
    uint32_t v = guest_read(f, TO, 4);

    guest_write(f, TO, 4, 0);
    return v;
}

static void test_layouts(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++) {
        Fixture f;
        PCIDevice *d;
        uint8_t pos;
        uint16_t flags;

        fixture_init(&f);
        d = plug_function(&f, layouts[i].type, "pcie.0", NULL, FN, NULL);
        pos = pci_find_capability(d, PCI_CAP_ID_MSI);
        g_assert_cmpuint(pci_config_entry_at(&d->config, pos)->size, ==, layouts[i].length);
        flags = 3 << 1 | (layouts[i].is64 ? 0x80 : 0) | (layouts[i].mask ? 0x100 : 0);
        g_assert_cmphex(config_read(&f, FN, pos + 2, 2), ==, flags);
        for (unsigned log2 = 0; log2 < 8; log2++) {
            unsigned granted = MIN(log2, 3);

            program(&f, pos, layouts[i].is64, log2);
            g_assert_cmphex(config_read(&f, FN, pos + 2, 2), ==, flags | 1 | granted << 4);
            for (unsigned n = 0; n < 40; n++) {
                msi_notify(d, n);
                g_assert_cmphex(got(&f), ==, 0xab00 | (n & ((1u << granted) - 1)));
            }
        }
        config_write(&f, FN, PCI_COMMAND, 2, 0); /* not a bus master: no message */
        msi_notify(d, 0);
        g_assert_cmphex(got(&f), ==, 0);
        fixture_fini(&f);
    }
}

static void test_upper_address(void)
{
    Fixture f;
    PCIDevice *d;
    uint8_t pos;
    RamBlock *block;
    MemRegion high = { 0 };

    fixture_init(&f);
    block = machine_ram_new(f.m, "high", 4096, NULL);
    mem_init_ram(&high, "high", block, 0, 4096);
    mem_map(&f.m->memory, 0x7700000000, &high, 0, 0);
    d = plug_function(&f, &type_64, "pcie.0", NULL, FN, NULL);
    pos = pci_find_capability(d, PCI_CAP_ID_MSI);
    program(&f, pos, true, 0);
    config_write(&f, FN, pos + PCI_MSI_ADDRESS_LO, 4, 0x13); /* low bits are reserved */
    config_write(&f, FN, pos + PCI_MSI_ADDRESS_HI, 4, 0x77);
    msi_notify(d, 0);
    g_assert_cmphex(guest_read(&f, 0x7700000010, 4), ==, 0xab00);
    mem_fini(&high);
    fixture_fini(&f);
}

static void test_masks(void)
{
    for (unsigned i = 2; i < G_N_ELEMENTS(layouts); i++) {
        unsigned mask_at = layouts[i].is64 ? 16 : 12;
        uint32_t mask = 0, pending = 0;
        Fixture f;
        PCIDevice *d;
        uint8_t pos;

        fixture_init(&f);
        d = plug_function(&f, layouts[i].type, "pcie.0", NULL, FN, NULL);
        pos = pci_find_capability(d, PCI_CAP_ID_MSI);
        program(&f, pos, layouts[i].is64, 3);
        for (unsigned step = 0; step < 5000; step++) {
            unsigned n = g_test_rand_int_range(0, 8);
            uint32_t due;

            if (g_test_rand_bit()) {
                msi_notify(d, n);
                due = 1u << n | pending;
            } else {
                uint32_t v = g_test_rand_int();

                config_write(&f, FN, pos + mask_at, 4, v);
                config_write(&f, FN, pos + mask_at + 4, 4, v); /* pending bits are read-only */
                mask = v & 0xff;
                due = pending;
            }
            g_assert_true((got(&f) != 0) == ((due & ~mask) != 0));
            pending = due & mask;
            g_assert_cmphex(config_read(&f, FN, pos + mask_at, 4), ==, mask);
            g_assert_cmphex(config_read(&f, FN, pos + mask_at + 4, 4), ==, pending);
        }
        machine_reset(f.m, RESET_HOT);
        g_assert_cmphex(config_read(&f, FN, pos + mask_at + 4, 4), ==, 0);
        fixture_fini(&f);
    }
}

/* A pending bit is cleared with its cause: with the last of the sources that share the message. */
static void test_cause_gone(void)
{
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &type_64_mask, "pcie.0", NULL, FN, NULL);
    pos = pci_find_capability(d, PCI_CAP_ID_MSI);
    program(&f, pos, true, 3);
    config_write(&f, FN, pos + 16, 4, 0x06);
    pci_irq_set(d, 1, true);
    pci_irq_set(d, 9, true); /* message 1 again */
    pci_irq_set(d, 2, true);
    g_assert_cmphex(config_read(&f, FN, pos + 20, 4), ==, 0x06);
    pci_irq_set(d, 1, false);
    pci_irq_set(d, 2, false);
    g_assert_cmphex(config_read(&f, FN, pos + 20, 4), ==, 0x02);
    pci_irq_set(d, 9, false);
    g_assert_cmphex(config_read(&f, FN, pos + 20, 4), ==, 0);
    config_write(&f, FN, pos + 16, 4, 0);
    g_assert_cmphex(got(&f), ==, 0); /* no spurious message */
    config_write(&f, FN, pos + 16, 4, 0x06);
    pci_irq_set(d, 1, true); /* and a later event is pending again */
    config_write(&f, FN, pos + 16, 4, 0);
    g_assert_cmphex(got(&f), ==, 0xab01);
    fixture_fini(&f);
}

static void test_counts(void)
{
    static const char *const wrong[] = { "messages=3", "messages=33", "messages=64",
                                         "messages=4294967295" };
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        refused(&f, &type_64, "pcie.0", "d", FN, wrong[i], "1, 2, 4, 8, 16 or 32");
    }
    refused(&f, &fixed_type, "pcie.0", "d", FN, NULL, "3 MSI messages: 1, 2");
    for (unsigned n = 1; n <= 32; n *= 2) {
        g_autofree char *s = g_strdup_printf("messages=%u", n);
        PCIDevice *d = plug_function(&f, &type_64_mask, "pcie.0", "d", FN, s);

        config_write(&f, FN, pci_find_capability(d, PCI_CAP_ID_MSI) + 16, 4, ~0u);
        g_assert_cmphex(config_read(&f, FN, pci_find_capability(d, PCI_CAP_ID_MSI) + 16, 4), ==,
                        (uint32_t)((1ull << n) - 1));
        device_unplug(&d->dev);
    }
    fixture_fini(&f);
}

static void test_loaded(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = plug_function(&f, &type_64, "pcie.0", "d", FN, NULL);
    pos = pci_find_capability(d, PCI_CAP_ID_MSI);
    bytes = save_record(d);
    bytes->data[8 + pos + 2] |= 7 << 4; /* more messages than the function has */
    g_assert_false(load_record(d, bytes, &err));
    g_assert_nonnull(strstr(err->message, "at most 8"));
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/msi/layouts", test_layouts);
    g_test_add_func("/pci/msi/upper-address", test_upper_address);
    g_test_add_func("/pci/msi/masks", test_masks);
    g_test_add_func("/pci/msi/cause-gone", test_cause_gone);
    g_test_add_func("/pci/msi/counts", test_counts);
    g_test_add_func("/pci/msi/loaded", test_loaded);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a function: what the tables define, hooks of the type, resets by type and phase,
 * undoing each failed step, catalogue data, and the memory of an idle function.
 */
#include <glib/gstdio.h>

#include "pci-fixture.h"

#include "util/trace.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t reg, keep;
    bool fail;
    unsigned resets, exits, reads, writes;
    uint32_t last_addr;
    unsigned last_len;
} Dev;

static int live;

static bool dev_realize(void *dev, GError **err)
{
    Dev *d = dev;

    if (d->fail) {
        g_set_error(err, G_FILE_ERROR, 0, "requested failure");
        return false;
    }
    live++;
    return true;
}

static void dev_unrealize(void *dev)
{
    live--;
}

static void dev_reset(void *dev, ResetKind kind)
{
    ((Dev *)dev)->resets++;
}

static void dev_exit(void *dev)
{
    ((Dev *)dev)->exits++;
}

static void dev_reading(void *dev, uint32_t addr, unsigned len)
{
    Dev *d = dev;

    d->reads++;
    if (addr == 0xf0) {
        pci_set(&d->pci, 0xf0, 4, 0xfeed0000 + d->reads);
    }
}

static void dev_written(void *dev, uint32_t addr, unsigned len)
{
    Dev *d = dev;

    d->writes++;
    d->last_addr = addr;
    d->last_len = len;
}

static const RegDesc regs[] = {
    REG32(Dev, reg, 0, .rw = ~0u, .reset = 0x42),
    REG32(Dev, keep, 4, .rw = ~0u, .sticky = ~0u, .reset = 7),
};
static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .regs = LIST(regs) },
    { .index = 4, .kind = PCI_BAR_MEM64, .prefetch = true, .size = 0x4000 },
};
static const PCICapDesc caps[] = {
    PCI_CAP_PM_D3,
    { .id = PCI_CAP_ID_MSI, .prop = "msi", .off_by_default = true, .msi = { 1, 1, 0 } },
    { .id = PCI_CAP_ID_MSIX, .prop = "msix", .at = 0x90, .msix = { 2, 4 } },
    PCI_CAP_ENDPOINT,
};
static const PlanProp props[] = { PROP_BOOL(Dev, fail, "fail", false, "fail in realize") };
static const PCIDeviceType type = {
    .base = { .name = "dev",
              .kind = &pci_device_kind,
              .size = sizeof(Dev),
              .props = LIST(props),
              .realize = dev_realize,
              .unrealize = dev_unrealize,
              .reset = dev_reset,
              .reset_exit = dev_exit,
              .hotpluggable = true },
    .vendor = 0x1111,
    .device = 0x2222,
    .subsystem_vendor = 0x3333,
    .subsystem = 0x4444,
    .revision = 5,
    .class_code = 0x123456,
    .n_irqs = 1,
    .int_pin = 2,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .bars = LIST(bars),
    .caps = LIST(caps),
    .config_reading = dev_reading,
    .config_written = dev_written,
};
static const PCIBarDesc small_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000 },
};
static const PCIDeviceType small_type = {
    .base = { .name = "small", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .bars = LIST(small_bars),
};

enum { FN = PCI_DEVFN(3, 0) };

static void test_header(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    g_assert_cmphex(config_read(&f, FN, 0x00, 4), ==, 0x22221111);
    g_assert_cmphex(config_read(&f, FN, 0x08, 4), ==, 0x12345605);
    g_assert_cmphex(config_read(&f, FN, 0x2c, 4), ==, 0x44443333);
    g_assert_cmphex(config_read(&f, FN, 0x3c, 2), ==, 0x0200);
    g_assert_cmphex(config_read(&f, FN, 0x20, 4), ==, 0x0000000c);
    g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_MSIX), ==, 0x90); /* its default offset */
    g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_MSI), ==, 0);
    g_assert_cmpstr(d->dev.plan_id, ==, "0000:00:03.0");
    g_assert_true(pci_is_express(d));
    fixture_fini(&f);
}

static void test_buses_decide(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init_kind(&f, PLAN_BUS_PCI_ROOT);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "pm=off");
    g_assert_false(pci_is_express(d));
    g_assert_cmpuint(d->config.size, ==, 256);
    g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_EXP), ==, 0);
    fixture_fini(&f);
}

static void test_hooks(void)
{
    Fixture f;
    Dev *d;

    fixture_init(&f);
    d = (Dev *)plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    g_assert_cmphex(config_read(&f, FN, 0xf0, 4), ==, 0xfeed0001);
    g_assert_cmphex(config_read(&f, FN, 0xf0, 4), ==, 0xfeed0002);
    config_write(&f, FN, 0xf2, 2, 0x55);
    g_assert_cmpuint(d->writes, ==, 1);
    g_assert_cmphex(d->last_addr, ==, 0xf2);
    g_assert_cmpuint(d->last_len, ==, 2);
    d->pci.dev.busy = true; /* on the call stack: bytes may be read, nothing is written */
    config_write(&f, FN, 0xf2, 2, 0x66);
    g_assert_cmphex(config_read(&f, FN, 0, 2), ==, 0x1111);
    g_assert_cmpuint(d->writes, ==, 1);
    g_assert_cmpuint(d->reads, ==, 2);
    d->pci.dev.busy = false;
    fixture_fini(&f);
}

/* The trace events of configuration accesses contain the name of the register. */
static void test_trace(void)
{
    g_autofree char *dir = g_dir_make_tmp("pci-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "trace", NULL), *text = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "msi=on");
    g_assert_true(trace_to_file(file, NULL));
    g_assert_true(trace_set("pci_cfg_*", TRACE_BY_USER, NULL));
    config_write(&f, FN, PCI_COMMAND, 2, 6);
    config_read(&f, FN, d->msi_pos + PCI_MSI_FLAGS, 2);
    config_write(&f, FN, PCI_ROM_ADDRESS + 5, 1, 1);
    trace_clear(TRACE_BY_USER);
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "pci_cfg_write d 0x4 (Command), 2 bytes <- 0x6\n"));
    g_assert_nonnull(strstr(text, " (MSI Message Control), 2 bytes -> 0x"));
    g_assert_nonnull(strstr(text, " (reserved 0x35), 1 bytes <- 0x1\n"));
    g_unlink(file);
    g_rmdir(dir);
    fixture_fini(&f);
}

/* Bytes whose write changes decoding by specification: the power state, and the byte that has
 * Initiate Function Level Reset. */
static bool changes_decoding(const PCIDevice *d, unsigned at)
{
    return at == d->pm_pos + 0u + PCI_PM_CTRL || at == d->exp_pos + 1u + PCI_EXP_DEVCTL;
}

/* A write to a capability evaluates no BAR: counted over every byte of every capability. The test
 * moves the register of BAR 0 without the core, so that an evaluation moves the BAR. Writes to
 * Command, to a BAR and to the power state evaluate BARs. */
static void test_evaluations(void)
{
    unsigned writes = 0, evaluations = 0;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "msi=on");
    config_write(&f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(&f, FN, PCI_COMMAND, 2, 6);
    for (unsigned at = 0x40; at < 0x100; at++) {
        if (!pci_config_entry_at(&d->config, at) || changes_decoding(d, at)) {
            continue;
        }
        for (unsigned k = 0; k < 16; k++) {
            pci_set(d, PCI_BASE_ADDRESS_0, 4, MMIO + 0x1000);
            config_write(&f, FN, at, 1, k < 8 ? 1u << k : k * 17);
            writes++;
            evaluations += pci_bar_addr(d, 0) != MMIO;
        }
    }
    g_assert_cmpuint(writes, >, 16 * 80);
    g_assert_cmpuint(evaluations, ==, 0);
    config_write(&f, FN, PCI_COMMAND, 2, 7);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, MMIO + 0x1000);
    pci_set(d, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(&f, FN, PCI_BASE_ADDRESS_0 + 4 * 4, 4, 0x10000);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, MMIO);
    config_write(&f, FN, d->pm_pos + PCI_PM_CTRL, 2, PCI_D3hot);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, PCI_BAR_UNMAPPED);
    fixture_fini(&f);
}

static void dirty(Fixture *f, uint8_t fn)
{
    config_write(f, fn, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, fn, PCI_COMMAND, 2, 6);
    config_write(f, fn, PCI_CACHE_LINE_SIZE, 1, 0x10);
    guest_write(f, MMIO, 4, 1);
    guest_write(f, MMIO + 4, 4, 2);
}

static void test_resets(void)
{
    static const ResetKind kinds[] = { RESET_COLD, RESET_HOT, RESET_FUNCTION, RESET_D3HOT };
    Fixture f;
    Dev *d;
    g_autofree uint8_t *fresh = NULL;

    fixture_init(&f);
    d = (Dev *)plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    fresh = g_memdup2(d->pci.config.bytes, 4096);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        unsigned resets = d->resets;

        dirty(&f, FN);
        pci_irq_set(&d->pci, 0, true);
        g_assert_cmphex(d->reg, ==, 1);
        pci_device_reset(&d->pci, kinds[i]);
        g_assert_cmpuint(d->resets, ==, resets + 1);
        g_assert_cmpuint(d->exits, ==, resets + 1);
        g_assert_cmphex(d->reg, ==, 0x42);
        g_assert_cmphex(d->keep, ==, kinds[i] == RESET_COLD ? 7 : 2);
        g_assert_cmpmem(d->pci.config.bytes, 4096, fresh, 4096);
        g_assert_cmphex(pci_bar_addr(&d->pci, 0), ==, PCI_BAR_UNMAPPED);
        g_assert_false(f.line[0]);
    }
    config_write(&f, FN, d->pci.exp_pos + 8, 2, 0x8000); /* function-level reset, from the guest */
    g_assert_cmpuint(d->resets, ==, 6);
    d->pci.dev.busy = true;
    pci_device_reset(&d->pci, RESET_FUNCTION);
    g_assert_cmpuint(d->resets, ==, 6);
    d->pci.dev.busy = false;
    fixture_fini(&f);
}

/* A failure at any step leaves nothing behind: the same id and address can be used immediately. */
static void test_undo(void)
{
    static const char *const fails[] = { "fail=on", "msix=0x94,pm=0x90", "msix=3",
                                         "romfile=/does/not/exist", "pm=off" };
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 200; i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(
            try_plug_function(&f, &type, "pcie.0", "d", FN, fails[i % G_N_ELEMENTS(fails)], &err));
        g_assert_nonnull(err);
        g_assert_cmphex(config_read(&f, FN, 0, 4), ==, 0xffffffff);
    }
    g_assert_cmpint(live, ==, 0);
    plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    g_assert_cmpint(live, ==, 1);
    fixture_fini(&f);
    g_assert_cmpint(live, ==, 0);
}

/* A function is at an address of a bus, or on no bus. */
static void test_no_place(void)
{
    g_autoptr(PlanDevice) plan = plan_device_parse("dev,bus=pcie.0", NULL);
    const PlanDevice *const plans[] = { NULL, plan };
    Fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < G_N_ELEMENTS(plans); i++) {
        g_autoptr(GError) err = NULL;
        Device *dev = device_new(f.m, &type.base, plan, &err);

        g_assert_no_error(err);
        g_assert_false(device_realize(dev, plans[i], NULL, &err));
        g_assert_nonnull(strstr(err->message, "requires a bus and an address"));
    }
    fixture_fini(&f);
}

/* A function that was removed from its bus ignores writes, even if references remain. */
static void test_detached(void)
{
    static const PCIDeviceType bridge = {
        .base = { .name = "bridge", .kind = &pci_device_kind, .size = sizeof(PCIBridge) },
        .role = PLAN_PCI_BRIDGE,
    };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &bridge, "pcie.0", "b", FN, NULL);
    device_pin_any(&d->dev);
    device_unplug(&d->dev);
    for (unsigned reg = 0; reg < PCI_HEADER_SIZE; reg += 4) {
        uint32_t was = pci_device_config_read(d, reg, 4);

        pci_device_config_write(d, reg, 4, ~0u);
        g_assert_cmphex(pci_device_config_read(d, reg, 4), ==, was);
    }
    device_unpin_any(&d->dev);
    fixture_fini(&f);
}

static const PlanProp *find(GArray *rows, const char *name)
{
    for (unsigned i = 0; i < rows->len; i++) {
        PlanProp *p = &g_array_index(rows, PlanProp, i);

        if (g_str_equal(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

static void test_catalogue(void)
{
    g_autoptr(GArray) rows = g_array_new(false, false, sizeof(PlanProp));
    PlanType t = { 0 };
    PlanProp row;

    for (size_t i = 0; pci_device_kind.prop(&type.base, i, &row); i++) {
        g_array_append_val(rows, row);
        g_assert_nonnull(row.doc);
    }
    g_assert_cmpuint(rows->len, ==, 4 + 5);
    g_assert_cmpint((int64_t)find(rows, "msi")->def, ==, PLAN_CAP_OFF);
    g_assert_cmpint(find(rows, "msix")->def, ==, 0x90);
    g_assert_cmpint(find(rows, "pm")->kind, ==, PLAN_PROP_CAP);
    pci_device_kind.describe(&type.base, &t);
    g_assert_cmpint(t.role, ==, PLAN_PCI_ENDPOINT);
    g_assert_cmpuint(t.slots, ==, PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS);
    g_assert_cmpuint(t.n_bars, ==, 2);
    g_assert_true(t.bars[1].is64 && t.bars[1].prefetch);
    g_assert_cmpuint(t.n_caps, ==, 4);
    g_assert_cmpuint(t.caps[0].length, ==, 8);
    g_assert_cmpuint(t.caps[2].length, ==, 12);
    g_free((void *)t.bars);
    g_free((void *)t.caps);
}

static void test_footprint(void)
{
    Fixture f;
    PCIDevice *small, *d;

    fixture_init(&f);
    small = plug_function(&f, &small_type, "pcie.0", NULL, PCI_DEVFN(1, 0), NULL);
    d = plug_function(&f, &type, "pcie.0", NULL, FN, NULL);
    g_test_message("one BAR, 256 bytes: %zu bytes; Express with PM, MSI-X, 2 BARs: %zu bytes",
                   sizeof(PCIDevice) + sizeof(PCIBar) + pci_config_footprint(&small->config),
                   sizeof(Dev) + 2 * sizeof(PCIBar) + pci_config_footprint(&d->config));
    g_assert_cmpuint(sizeof(Dev) + 2 * sizeof(PCIBar) + pci_config_footprint(&d->config), <, 8192);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/device/header", test_header);
    g_test_add_func("/pci/device/buses-decide", test_buses_decide);
    g_test_add_func("/pci/device/trace", test_trace);
    g_test_add_func("/pci/device/evaluations", test_evaluations);
    g_test_add_func("/pci/device/hooks", test_hooks);
    g_test_add_func("/pci/device/resets", test_resets);
    g_test_add_func("/pci/device/undo", test_undo);
    g_test_add_func("/pci/device/no-place", test_no_place);
    g_test_add_func("/pci/device/detached", test_detached);
    g_test_add_func("/pci/device/catalogue", test_catalogue);
    g_test_add_func("/pci/device/footprint", test_footprint);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridges: windows of every type are effective immediately, master aborts, bus numbers, Bridge
 * Control with secondary bus reset, forwarding gated by Bus Master Enable.
 */
#include "pci-fixture.h"

typedef struct Port {
    PCIBridge br;
    uint32_t style;
} Port;

typedef struct Leaf {
    PCIDevice pci;
    unsigned resets, exits, enabled;
} Leaf;

static uint64_t leaf_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x11110000 + offset;
}

static void leaf_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static void leaf_reset(void *dev, ResetKind kind)
{
    ((Leaf *)dev)->resets++;
}

static void leaf_exit(void *dev)
{
    Leaf *l = dev;

    l->exits++;
    g_assert_cmpuint(l->exits, ==, l->resets);
}

static void leaf_master_enabled(void *dev)
{
    ((Leaf *)dev)->enabled++;
}

static bool port_realize(void *dev, GError **err)
{
    Port *p = dev;

    if (p->style == 1) {
        pci_bridge_set_io32(&p->br);
    } else if (p->style == 2) {
        pci_bridge_set_pref32(&p->br);
        pci_bridge_no_io(&p->br);
    }
    return true;
}

static const MemOps leaf_ops = { .read = leaf_read, .write = leaf_write };
static const PCIBarDesc leaf_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .ops = &leaf_ops },
    { .index = 1, .kind = PCI_BAR_IO, .size = 16, .ops = &leaf_ops },
    { .index = 2, .kind = PCI_BAR_MEM64, .prefetch = true, .size = 0x1000, .ops = &leaf_ops },
};
static const PCIDeviceType leaf_type = {
    .base = { .name = "leaf",
              .kind = &pci_device_kind,
              .size = sizeof(Leaf),
              .reset = leaf_reset,
              .reset_exit = leaf_exit },
    .bars = LIST(leaf_bars),
    .n_irqs = 1,
    .master_enabled = leaf_master_enabled,
};
static const PlanProp port_props[] = {
    PROP_U32(Port, style, "style", 0, 0, 2, "0: usual, 1: 32-bit I/O, 2: 32-bit prefetch, no I/O"),
};
static const PCICapDesc port_caps[] = { PCI_CAP_PM_D3 };
static const PCIDeviceType port_type = {
    .base = { .name = "br",
              .kind = &pci_device_kind,
              .size = sizeof(Port),
              .props = LIST(port_props),
              .realize = port_realize },
    .role = PLAN_PCI_BRIDGE,
    .caps = LIST(port_caps),
};

enum { FN = PCI_DEVFN(2, 0), LEAF = PCI_DEVFN(1, 0), BAR0 = PCI_BASE_ADDRESS_0 };

typedef struct Rig {
    Fixture f;
    PCIDevice *port;
    Leaf *leaf;
} Rig;

static void set_leaf(Rig *r, uint32_t reg, unsigned size, uint32_t v)
{
    guest_write(&r->f, ecam_address(1, LEAF, reg), size, v);
}

/* Memory window 400xxxxx, prefetchable 4_00100000, I/O 1000h; the leaf decodes inside each. */
static void start(Rig *r, const char *settings)
{
    fixture_init(&r->f);
    r->port = plug_function(&r->f, &port_type, "pcie.0", "br", FN, settings);
    r->leaf = (Leaf *)plug_function(&r->f, &leaf_type, "br", NULL, LEAF, NULL);
    config_write(&r->f, FN, PCI_PRIMARY_BUS, 4, 0x010100);
    config_write(&r->f, FN, PCI_MEMORY_BASE, 4, 0x40004000);
    config_write(&r->f, FN, PCI_PREF_MEMORY_BASE, 4, 0x00100010);
    config_write(&r->f, FN, PCI_PREF_BASE_UPPER32, 4, 4);
    config_write(&r->f, FN, PCI_PREF_LIMIT_UPPER32, 4, 4);
    config_write(&r->f, FN, PCI_IO_BASE, 2, 0x1010);
    config_write(&r->f, FN, PCI_COMMAND, 2, 7);
    set_leaf(r, BAR0, 4, MMIO + 0x3000);
    set_leaf(r, BAR0 + 4, 4, 0x1040);
    set_leaf(r, BAR0 + 8, 4, 0x00105000);
    set_leaf(r, BAR0 + 12, 4, 4);
    set_leaf(r, PCI_COMMAND, 2, 7);
}

#define HIT(r, at)  g_assert_cmphex(guest_read(&(r)->f, at, 4), ==, 0x11110000)
#define MISS(r, at) g_assert_cmphex(guest_read(&(r)->f, at, 4), ==, 0xffffffff)

static void test_windows(void)
{
    Rig r;

    start(&r, NULL);
    HIT(&r, MMIO + 0x3000);
    HIT(&r, MMIO64 + 0x105000);
    HIT(&r, PIO + 0x1040);
    MISS(&r, MMIO + 0x5000); /* inside the window, no function claims it: master abort */
    config_write(&r.f, FN, PCI_COMMAND, 2, PCI_COMMAND_IO);
    MISS(&r, MMIO + 0x3000);
    MISS(&r, MMIO64 + 0x105000);
    HIT(&r, PIO + 0x1040);
    config_write(&r.f, FN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    HIT(&r, MMIO + 0x3000);
    MISS(&r, PIO + 0x1040);
    config_write(&r.f, FN, PCI_COMMAND, 2, 7);
    config_write(&r.f, FN, PCI_MEMORY_BASE, 4, 0x40104010); /* moved away, then limit below base */
    MISS(&r, MMIO + 0x3000);
    set_leaf(&r, BAR0, 4, MMIO + 0x103000);
    HIT(&r, MMIO + 0x103000);
    config_write(&r.f, FN, PCI_MEMORY_BASE, 4, 0x40004010);
    MISS(&r, MMIO + 0x103000);
    config_write(&r.f, FN, PCI_PREF_LIMIT_UPPER32, 4, 3);
    MISS(&r, MMIO64 + 0x105000);
    config_write(&r.f, FN, PCI_PREF_LIMIT_UPPER32, 4, 5);
    HIT(&r, MMIO64 + 0x105000);
    config_write(&r.f, FN, PCI_IO_BASE, 1, 0x20);
    MISS(&r, PIO + 0x1040);
    config_write(&r.f, FN, PCI_IO_BASE, 1, 0x00);
    HIT(&r, PIO + 0x1040);
    mem_check(&r.f.host.root.mem);
    fixture_fini(&r.f);
}

static void test_widest_window(void)
{
    Rig r;

    start(&r, NULL);
    config_write(&r.f, FN, PCI_PREF_MEMORY_BASE, 4, 0xffff0000);
    config_write(&r.f, FN, PCI_PREF_BASE_UPPER32, 4, 0);
    config_write(&r.f, FN, PCI_PREF_LIMIT_UPPER32, 4, 0xffffffff);
    HIT(&r, MMIO64 + 0x105000);
    HIT(&r, MMIO + 0x3000);
    mem_check(&r.f.host.root.mem);
    fixture_fini(&r.f);
}

/* The secondary bus is named like the bridge, or by its path. No two have the same name. */
static void test_names(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &port_type, "pcie.0", "br", FN, NULL);
    g_assert_nonnull(bus_find(f.m, "br"));
    plug_function(&f, &port_type, "br", NULL, LEAF, NULL);
    g_assert_nonnull(bus_find(f.m, "0000:00:02.0:01.0"));
    refused(&f, &port_type, "pcie.0", "pcie.0", PCI_DEVFN(3, 0), NULL, "pcie.0");
    g_assert_null(pci_bus_find(&f.host.root, PCI_DEVFN(3, 0)));
    plug_function(&f, &port_type, "pcie.0", "other", PCI_DEVFN(3, 0), NULL);
    fixture_fini(&f);
}

static void test_styles(void)
{
    Rig r;

    start(&r, "style=1");
    g_assert_cmphex(config_read(&r.f, FN, PCI_IO_BASE, 2), ==, 0x1111);
    config_write(&r.f, FN, PCI_IO_BASE_UPPER16, 4, 0xffff0000);
    HIT(&r, PIO + 0x1040);
    config_write(&r.f, FN, PCI_IO_BASE_UPPER16, 4, 0xffff0001);
    MISS(&r, PIO + 0x1040);
    fixture_fini(&r.f);
    start(&r, "style=2");
    g_assert_cmphex(config_read(&r.f, FN, PCI_IO_BASE, 2), ==, 0);
    g_assert_cmphex(config_read(&r.f, FN, PCI_PREF_BASE_UPPER32, 4), ==, 0);
    MISS(&r, PIO + 0x1040);
    MISS(&r, MMIO64 + 0x105000);
    HIT(&r, MMIO + 0x3000);
    fixture_fini(&r.f);
}

static void test_power(void)
{
    Rig r;
    uint8_t pm;

    start(&r, NULL);
    pm = pci_find_capability(r.port, PCI_CAP_ID_PM);
    config_write(&r.f, FN, pm + PCI_PM_CTRL, 2, PCI_D3hot);
    MISS(&r, MMIO + 0x3000);
    g_assert_false(pci_bus_master(&r.leaf->pci));
    config_write(&r.f, FN, pm + PCI_PM_CTRL, 2, 0);
    MISS(&r, MMIO + 0x3000); /* reset on return to D0 */
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, 0), 4), ==, 0xffffffff);
    fixture_fini(&r.f);
}

static void test_bus_numbers(void)
{
    Rig r;

    start(&r, NULL);
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, PCI_COMMAND), 2), ==, 7);
    config_write(&r.f, FN, PCI_PRIMARY_BUS, 4, 0xff8000);
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, PCI_COMMAND), 2), ==, 0xffff);
    g_assert_cmphex(guest_read(&r.f, ecam_address(0x80, LEAF, PCI_COMMAND), 2), ==, 7);
    g_assert_cmphex(guest_read(&r.f, ecam_address(0x81, LEAF, PCI_COMMAND), 2), ==, 0xffff);
    g_assert_cmphex(pci_requester(&r.leaf->pci), ==, 0x8000 | LEAF);
    config_write(&r.f, FN, PCI_SECONDARY_BUS, 1, 0); /* the root keeps its number */
    g_assert_cmphex(config_read(&r.f, FN, PCI_COMMAND, 2), ==, 7);
    config_write(&r.f, FN, PCI_PRIMARY_BUS, 4, 0x7f8000); /* subordinate below secondary: no bus */
    g_assert_cmphex(guest_read(&r.f, ecam_address(0x80, LEAF, PCI_COMMAND), 2), ==, 0xffff);
    fixture_fini(&r.f);
}

static void test_bus_reset(void)
{
    unsigned resets;
    Rig r;

    start(&r, NULL);
    pci_irq_set(&r.leaf->pci, 0, true);
    resets = r.leaf->resets;
    config_write(&r.f, FN, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_cmpuint(r.leaf->resets, ==, resets + 1);
    g_assert_cmpuint(r.leaf->exits, ==, resets + 1);
    config_write(&r.f, FN, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_cmpuint(r.leaf->resets, ==, resets + 1);
    /* held in reset: no config space, no DMA, no interrupt */
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, 0), 4), ==, 0xffffffff);
    config_write(&r.f, FN, PCI_COMMAND, 2, 7);
    pci_set(&r.leaf->pci, PCI_COMMAND, 2, 7);
    g_assert_false(pci_bus_master(&r.leaf->pci));
    pci_irq_set(&r.leaf->pci, 0, true);
    g_assert_false(r.f.line[0] || r.f.line[1] || r.f.line[2] || r.f.line[3]);
    config_write(&r.f, FN, PCI_BRIDGE_CONTROL, 2, 0);
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, PCI_COMMAND), 2), ==, 0);
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, LEAF, BAR0), 4), ==, 0);
    MISS(&r, MMIO + 0x3000);
    g_assert_cmphex(config_read(&r.f, FN, PCI_MEMORY_BASE, 4), ==,
                    0x40004000); /* not the bridge itself */
    resets = r.leaf->resets;
    r.leaf->pci.dev.busy = true; /* a function that is executing an access is not affected */
    config_write(&r.f, FN, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_cmpuint(r.leaf->resets, ==, resets);
    r.leaf->pci.dev.busy = false;
    fixture_fini(&r.f);
}

static void test_master(void)
{
    Rig r;
    unsigned enabled;

    start(&r, NULL);
    g_assert_true(pci_bus_master(&r.leaf->pci));
    config_write(&r.f, FN, PCI_COMMAND, 2, 3);
    g_assert_false(pci_bus_master(&r.leaf->pci));
    g_assert_cmpint(pci_msi_send(&r.leaf->pci, RAM, 1), ==, MEM_REFUSED);
    enabled = r.leaf->enabled;
    set_leaf(&r, PCI_COMMAND, 2, 3);
    set_leaf(&r, PCI_COMMAND, 2, 7);
    g_assert_cmpuint(r.leaf->enabled, ==, enabled); /* the bridge still blocks it */
    config_write(&r.f, FN, PCI_COMMAND, 2, 7);
    g_assert_cmpuint(r.leaf->enabled, ==, enabled + 1);
    config_write(&r.f, FN, PCI_COMMAND, 2, 7);
    g_assert_cmpuint(r.leaf->enabled, ==, enabled + 1);
    fixture_fini(&r.f);
}

/* A chain of bridges, then random writes to every header: no loop and no abort. */
static void test_noise(void)
{
    static const char *const names[] = { "pcie.0", "b0", "b1", "b2", "b3", "b4", "b5" };
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 6; i++) {
        plug_function(&f, &port_type, names[i], names[i + 1], FN, NULL);
        plug_function(&f, &leaf_type, names[i + 1], NULL, LEAF, NULL);
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t devfn = g_test_rand_bit() ? FN : LEAF;
        uint32_t reg = g_test_rand_int_range(0, 0x40), value = g_test_rand_int();

        if (g_test_rand_int_range(0, 4) == 0) { /* restore the bus numbers from time to time */
            reg = PCI_PRIMARY_BUS;
            value = 0xff0000 | g_test_rand_int_range(0, 8) << 8;
        }
        guest_write(&f, ecam_address(g_test_rand_int_range(0, 8), devfn, reg), 4, value);
        guest_read(&f, MMIO + (uint32_t)g_test_rand_int() % 0x40000000, 4);
        guest_read(&f, ecam_address(g_test_rand_int_range(0, 256), devfn, 0), 4);
    }
    mem_check(&f.m->memory);
    machine_reset(f.m, RESET_HOT);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/bridge/windows", test_windows);
    g_test_add_func("/pci/bridge/widest-window", test_widest_window);
    g_test_add_func("/pci/bridge/names", test_names);
    g_test_add_func("/pci/bridge/styles", test_styles);
    g_test_add_func("/pci/bridge/power", test_power);
    g_test_add_func("/pci/bridge/bus-numbers", test_bus_numbers);
    g_test_add_func("/pci/bridge/bus-reset", test_bus_reset);
    g_test_add_func("/pci/bridge/master", test_master);
    g_test_add_func("/pci/bridge/noise", test_noise);
    return g_test_run();
}

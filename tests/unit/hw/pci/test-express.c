/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Express capability of every port type: register values, link and device registers,
 * function-level reset, ARI forwarding, and types without it.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/port.h"

typedef struct Dev {
    PCIDevice pci;
    unsigned resets;
} Dev;

static void dev_reset(void *dev, ResetKind kind)
{
    ((Dev *)dev)->resets++;
}

static const PCICapDesc caps[] = { PCI_CAP_PM_D3, PCI_CAP_ENDPOINT };
static const PCIDeviceType endpoint = {
    .base = { .name = "endpoint",
              .kind = &pci_device_kind,
              .size = sizeof(Dev),
              .reset = dev_reset },
    .vendor = 0x1234,
    .caps = LIST(caps),
};

enum { RP = PCI_DEVFN(1, 0) };

typedef struct Tree {
    Fixture f;
    PCIDevice *port, *up, *down, *leaf, *integrated, *bridge, *conventional;
} Tree;

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static void numbers(Fixture *f, uint8_t bus, uint8_t devfn, uint8_t secondary)
{
    guest_write(f, ecam_address(bus, devfn, PCI_PRIMARY_BUS), 4, bus | secondary << 8 | 0x0f0000);
    guest_write(f, ecam_address(bus, devfn, PCI_COMMAND), 2, 7);
}

static void grow(Tree *t)
{
    fixture_init(&t->f);
    t->port = plug_function(&t->f, type("pcie-root-port"), "pcie.0", "rp", RP, "port=9,slot=77");
    t->up = plug_function(&t->f, type("x3130-upstream"), "rp", "up", 0, NULL);
    t->down = plug_function(&t->f, type("xio3130-downstream"), "up", "down", 0, "hotplug=off");
    t->leaf = plug_function(&t->f, &endpoint, "down", "leaf", 0, NULL);
    t->integrated = plug_function(&t->f, &endpoint, "pcie.0", "rc", PCI_DEVFN(2, 0), NULL);
    t->bridge =
        plug_function(&t->f, type("pcie-pci-bridge"), "pcie.0", "br", PCI_DEVFN(3, 0), NULL);
    t->conventional = plug_function(&t->f, &endpoint, "br", "conv", PCI_DEVFN(1, 0), NULL);
    numbers(&t->f, 0, RP, 1);
    numbers(&t->f, 1, 0, 2);
    numbers(&t->f, 2, 0, 3);
}

static uint32_t reg(const PCIDevice *d, unsigned at, unsigned len)
{
    return pci_get(d, d->exp_pos + at, len);
}

static unsigned port_type(const PCIDevice *d)
{
    return reg(d, PCI_EXP_FLAGS, 2) >> PCI_EXP_FLAGS_TYPE_SHIFT & 15;
}

static void test_types(void)
{
    Tree t;

    grow(&t);
    g_assert_cmpuint(port_type(t.port), ==, PCI_EXP_TYPE_ROOT_PORT);
    g_assert_cmpuint(port_type(t.up), ==, PCI_EXP_TYPE_UPSTREAM);
    g_assert_cmpuint(port_type(t.down), ==, PCI_EXP_TYPE_DOWNSTREAM);
    g_assert_cmpuint(port_type(t.leaf), ==, PCI_EXP_TYPE_ENDPOINT);
    g_assert_cmpuint(port_type(t.integrated), ==, PCI_EXP_TYPE_RC_END);
    g_assert_cmpuint(port_type(t.bridge), ==, PCI_EXP_TYPE_PCI_BRIDGE);
    g_assert_cmphex(t.conventional->exp_pos, ==, 0);
    g_assert_false(pci_is_express(t.conventional));
    g_assert_true(reg(t.port, PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_SLOT);
    g_assert_false(reg(t.leaf, PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_SLOT);
    g_assert_cmphex(reg(t.integrated, PCI_EXP_LNKCAP, 4), ==, 0); /* it has no link */
    g_assert_cmphex(reg(t.leaf, PCI_EXP_LNKSTA, 2) & 0x3ff, ==, 0x11);
    g_assert_cmpuint(reg(t.port, PCI_EXP_LNKCAP, 4) >> PCI_EXP_LNKCAP_PN_SHIFT, ==, 9);
    g_assert_cmpuint(reg(t.port, PCI_EXP_SLTCAP, 4) >> PCI_EXP_SLTCAP_PSN_SHIFT, ==, 77);
    g_assert_true(reg(t.port, PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_HPC);
    g_assert_false(reg(t.down, PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_HPC);
    fixture_fini(&t.f);
}

static void test_flr(void)
{
    Tree t;
    unsigned resets;
    Dev *leaf;

    grow(&t);
    leaf = (Dev *)t.leaf;
    resets = leaf->resets;
    guest_write(&t.f, ecam_address(3, 0, PCI_CACHE_LINE_SIZE), 1, 8);
    guest_write(&t.f, ecam_address(3, 0, t.leaf->exp_pos + PCI_EXP_DEVCTL), 2,
                PCI_EXP_DEVCTL_BCR_FLR);
    g_assert_cmpuint(leaf->resets, ==, resets + 1);
    g_assert_cmphex(reg(t.leaf, PCI_EXP_DEVCTL, 2), ==, 0); /* reads as zero */
    g_assert_cmphex(pci_get(t.leaf, PCI_CACHE_LINE_SIZE, 1), ==, 0);
    guest_write(&t.f, ecam_address(3, 0, t.leaf->exp_pos + PCI_EXP_DEVCTL + 1), 1,
                0x80); /* by its byte alone */
    g_assert_cmpuint(leaf->resets, ==, resets + 2);
    guest_write(&t.f, ecam_address(0, RP, t.port->exp_pos + PCI_EXP_DEVCTL), 2,
                PCI_EXP_DEVCTL_BCR_FLR); /* ports have none */
    g_assert_cmphex(pci_get(t.port, PCI_SECONDARY_BUS, 1), ==, 1);
    g_assert_cmpuint(leaf->resets, ==, resets + 2);
    fixture_fini(&t.f);
}

static void test_device_registers(void)
{
    Tree t;

    grow(&t);
    guest_write(&t.f, ecam_address(3, 0, t.leaf->exp_pos + PCI_EXP_DEVCTL), 2, 0x7fff);
    g_assert_cmphex(reg(t.leaf, PCI_EXP_DEVCTL, 2), ==, PCI_EXP_DEVCTL_ERRORS);
    pci_set(t.leaf, t.leaf->exp_pos + PCI_EXP_DEVSTA, 2, PCI_EXP_DEVSTA_ERRORS);
    guest_write(&t.f, ecam_address(3, 0, t.leaf->exp_pos + PCI_EXP_DEVSTA), 2, 5);
    g_assert_cmphex(reg(t.leaf, PCI_EXP_DEVSTA, 2), ==, 0xa);
    machine_reset(t.f.m, RESET_HOT);
    g_assert_cmphex(reg(t.leaf, PCI_EXP_DEVSTA, 2), ==, 0);
    fixture_fini(&t.f);
}

/* --- writable bits (PCIe 5.0 7.5) --- */

typedef struct Bits {
    uint16_t at; /* from the capability; HEADER: of the header */
    uint16_t rw; /* bits that a guest can set */
} Bits;
enum { HEADER = 0x8000, MAX_BITS = 10 };

typedef struct BitsRow {
    const char *what;
    Bits strict[MAX_BITS], legacy[MAX_BITS]; /* x-strict-express on and off */
} BitsRow;

#define SAME_DEVCTL                                                                                \
    {                                                                                              \
        PCI_EXP_DEVCTL, 0xf                                                                        \
    }
#define PORT_HEADER(parity, latency)                                                               \
    { HEADER | PCI_COMMAND, 0x0507 | (parity) }, { HEADER | PCI_LATENCY_TIMER, 0 },                \
    {                                                                                              \
        HEADER | (PCI_SEC_LATENCY_TIMER - 1), (latency) << 8 | 0xff                                \
    }

/* Registers that are not listed are not compared. Link Disable and Secondary Bus Reset, which have
 * effects, are excluded from writes. */
static const BitsRow bits_rows[] = {
    { "root port",
      { PORT_HEADER(0x40, 0),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x0ec3 },
        { PCI_EXP_SLTCTL, 0x17ff },
        { PCI_EXP_RTCTL, 0x0f },
        { PCI_EXP_DEVCTL2, 0x8020 },
        { PCI_EXP_LNKCTL2, 0xf } },
      { PORT_HEADER(0, 0xff),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x0fcb },
        { PCI_EXP_SLTCTL, 0x17ff },
        { PCI_EXP_RTCTL, 0x1f },
        { PCI_EXP_DEVCTL2, 0x20 },
        { PCI_EXP_LNKCTL2, 0 } } },
    { "upstream port",
      { PORT_HEADER(0x40, 0),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x00c3 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0x8000 },
        { PCI_EXP_LNKCTL2, 0 } },
      { PORT_HEADER(0, 0xff),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 },
        { PCI_EXP_LNKCTL2, 0 } } },
    { "downstream port",
      { PORT_HEADER(0x40, 0),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x02c3 },
        { PCI_EXP_SLTCTL, 0x1000 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0x8020 },
        { PCI_EXP_LNKCTL2, 0 } },
      { PORT_HEADER(0, 0xff),
        { HEADER | PCI_BRIDGE_CONTROL, 0x1f },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x0fcb },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0x20 },
        { PCI_EXP_LNKCTL2, 0 } } },
    { "endpoint",
      { { HEADER | PCI_COMMAND, 0x0547 },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x00c3 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } },
      { { HEADER | PCI_COMMAND, 0x0507 },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } } },
    { "integrated endpoint",
      { { HEADER | PCI_COMMAND, 0x0507 },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } },
      { { HEADER | PCI_COMMAND, 0x0507 },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } } },
    { "bridge to a conventional bus", /* which has its own latency timer */
      { PORT_HEADER(0x40, 0xff),
        { HEADER | PCI_BRIDGE_CONTROL, 0x0bbf },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0x00c3 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } },
      { PORT_HEADER(0, 0xff),
        { HEADER | PCI_BRIDGE_CONTROL, 0x0bbf },
        SAME_DEVCTL,
        { PCI_EXP_LNKCTL, 0 },
        { PCI_EXP_SLTCTL, 0 },
        { PCI_EXP_RTCTL, 0 },
        { PCI_EXP_DEVCTL2, 0 } } },
};

static uint16_t writable_bits(PCIDevice *d, uint16_t at)
{
    uint16_t reg = at & HEADER ? at & ~HEADER : d->exp_pos + at;
    uint16_t keep = at == PCI_EXP_LNKCTL                  ? PCI_EXP_LNKCTL_LD
                    : at == PCI_EXP_DEVCTL                ? PCI_EXP_DEVCTL_BCR_FLR
                    : at == (HEADER | PCI_BRIDGE_CONTROL) ? PCI_BRIDGE_CTL_BUS_RESET
                                                          : 0;
    uint16_t was = pci_get(d, reg, 2), set;

    pci_device_config_write(d, reg, 2, 0xffff & ~keep);
    set = pci_get(d, reg, 2);
    pci_device_config_write(d, reg, 2, 0);
    set &= ~pci_get(d, reg, 2);
    pci_device_config_write(d, reg, 2, was);
    return set;
}

static void check_bits(const char *settings, bool strict)
{
    g_autofree char *port = g_strconcat("port=9", settings, NULL);
    g_autofree char *down = g_strconcat("hotplug=off", settings, NULL);
    const char *other = *settings ? settings + 1 : NULL;
    PCIDevice *d[G_N_ELEMENTS(bits_rows)];
    Fixture f;

    fixture_init(&f);
    d[0] = plug_function(&f, type("pcie-root-port"), "pcie.0", "rp", RP, port);
    d[1] = plug_function(&f, type("x3130-upstream"), "rp", "up", 0, other);
    d[2] = plug_function(&f, type("xio3130-downstream"), "up", "down", 0, down);
    d[3] = plug_function(&f, &endpoint, "down", "leaf", 0, other);
    d[4] = plug_function(&f, &endpoint, "pcie.0", "rc", PCI_DEVFN(2, 0), other);
    d[5] = plug_function(&f, type("pcie-pci-bridge"), "pcie.0", "br", PCI_DEVFN(3, 0), other);
    for (unsigned i = 0; i < G_N_ELEMENTS(bits_rows); i++) {
        const Bits *want = strict ? bits_rows[i].strict : bits_rows[i].legacy;

        for (unsigned j = 0; j < MAX_BITS && want[j].at; j++) {
            g_test_message("%s, register %x", bits_rows[i].what, want[j].at);
            g_assert_cmphex(writable_bits(d[i], want[j].at), ==, want[j].rw);
        }
    }
    /* FLR is only for endpoints (7.5.3.3) */
    g_assert_cmphex(reg(d[1], PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR, ==,
                    strict ? 0 : PCI_EXP_DEVCAP_FLR);
    pci_device_config_write(d[1], PCI_PRIMARY_BUS, 4, 0x030201);
    pci_device_config_write(d[1], d[1]->exp_pos + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
    g_assert_cmphex(pci_get(d[1], PCI_SECONDARY_BUS, 1), ==, strict ? 2 : 0);
    fixture_fini(&f);
}

static void test_strict_bits(void)
{
    check_bits("", true);
}

static void test_legacy_bits(void)
{
    check_bits(",x-strict-express=off", false);
}

/* Link bandwidth notifications belong to links with several widths or speeds. */
static void test_bandwidth_capability(void)
{
    static const struct {
        const char *settings;
        bool lbnc;
    } rows[] = {
        { "x-speed=2_5,x-width=1", false },
        { "x-speed=2_5,x-width=2", true },
        { "x-speed=5,x-width=1", true },
        { "x-speed=2_5,x-width=2,x-strict-express=off", false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        PCIDevice *d;
        Fixture f;

        fixture_init(&f);
        d = plug_function(&f, type("pcie-root-port"), "pcie.0", "rp", RP, rows[i].settings);
        g_assert_cmphex(!!(reg(d, PCI_EXP_LNKCAP, 4) & PCI_EXP_LNKCAP_LBNC), ==, rows[i].lbnc);
        fixture_fini(&f);
    }
}

/* Target Link Speed is sticky: only a cold reset restores the greatest speed. */
static void test_target_speed(void)
{
    PCIDevice *d;
    Fixture f;

    fixture_init(&f);
    d = plug_function(&f, type("pcie-root-port"), "pcie.0", "rp", RP, NULL);
    pci_device_config_write(d, d->exp_pos + PCI_EXP_LNKCTL2, 2, 1);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmphex(reg(d, PCI_EXP_LNKCTL2, 2), ==, 1);
    machine_reset(f.m, RESET_COLD);
    g_assert_cmphex(reg(d, PCI_EXP_LNKCTL2, 2), ==, 4);
    fixture_fini(&f);
}

static void test_ari_forwarding(void)
{
    Tree t;

    grow(&t);
    g_assert_true(reg(t.port, PCI_EXP_DEVCAP2, 4) & PCI_EXP_DEVCAP2_ARI);
    g_assert_false(reg(t.up, PCI_EXP_DEVCAP2, 4) & PCI_EXP_DEVCAP2_ARI);
    guest_write(&t.f, ecam_address(0, RP, t.port->exp_pos + PCI_EXP_DEVCTL2), 2, 0xffff);
    g_assert_true(((PCIBridge *)t.port)->ari_forwarding);
    machine_reset(t.f.m, RESET_HOT);
    g_assert_false(((PCIBridge *)t.port)->ari_forwarding);
    guest_write(&t.f, ecam_address(1, 0, t.up->exp_pos + PCI_EXP_DEVCTL2), 2, 0xffff);
    g_assert_false(((PCIBridge *)t.up)->ari_forwarding);
    fixture_fini(&t.f);
}

static void test_switched(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    refused(&f, type("pcie-root-port"), "pcie.0", "rp", RP, "express=off", "cannot be off");
    refused(&f, type("pcie-root-port"), "pcie.0", "rp", RP, "aer=0x104,acs=0x100", "is used by");
    refused(&f, type("pcie-root-port"), "pcie.0", "rp", RP, "aer=0xf0", "0x100 to 0xfff");
    d = plug_function(&f, type("pcie-root-port"), "pcie.0", "rp", RP,
                      "aer=off,acs=0x200,express=0x80");
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ACS), ==, 0x200);
    g_assert_cmphex(pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ERR), ==, 0);
    g_assert_cmphex(d->exp_pos, ==, 0x80);
    d = plug_function(&f, &endpoint, "pcie.0", "e", PCI_DEVFN(2, 0), "express=off");
    g_assert_cmpuint(d->config.size, ==, 256);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/express/types", test_types);
    g_test_add_func("/pci/express/flr", test_flr);
    g_test_add_func("/pci/express/device-registers", test_device_registers);
    g_test_add_func("/pci/express/strict-bits", test_strict_bits);
    g_test_add_func("/pci/express/legacy-bits", test_legacy_bits);
    g_test_add_func("/pci/express/bandwidth-capability", test_bandwidth_capability);
    g_test_add_func("/pci/express/target-speed", test_target_speed);
    g_test_add_func("/pci/express/ari-forwarding", test_ari_forwarding);
    g_test_add_func("/pci/express/switched", test_switched);
    return g_test_run();
}

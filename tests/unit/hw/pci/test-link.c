/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link below an Express port: Link Disable, Retrain Link, Secondary Bus Reset, slot power, and
 * their combinations (PCIe 5.0 7.5.3.7, 7.5.3.8, 7.5.1.3.13); the reset line of other bridges.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/port.h"

enum { RP = PCI_DEVFN(1, 0), TICKER_ID = 0x71c41234, NOTHING = 0xffffffff };

/* A running machine: a port with a ticker below, behind `above` levels of buses. */
typedef struct Rig {
    Fixture f;
    PCIDevice *port, *card;
    uint64_t below; /* config space of the device */
} Rig;

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static void number(Fixture *f, uint8_t bus, uint8_t devfn)
{
    guest_write(f, ecam_address(bus, devfn, PCI_PRIMARY_BUS), 4, bus | (bus + 1) << 8 | 0x0f0000);
    guest_write(f, ecam_address(bus, devfn, PCI_COMMAND), 2, 7);
}

static void start(Rig *r, bool in_switch, const char *settings)
{
    Fixture *f = &r->f;

    fixture_init(f);
    f->m->state = RUN_PRELAUNCH;
    r->port =
        plug_function(f, type("pcie-root-port"), "pcie.0", "rp", RP, in_switch ? NULL : settings);
    number(f, 0, RP);
    r->below = ecam_address(1, 0, 0);
    if (in_switch) {
        plug_function(f, type("x3130-upstream"), "rp", "up", 0, NULL);
        r->port = plug_function(f, type("xio3130-downstream"), "up", "dn", 0, settings);
        number(f, 1, 0);
        number(f, 2, 0);
        r->below = ecam_address(3, 0, 0);
    }
    r->card = plug_function(f, type("ticker"), r->port->dev.id, "t", 0, NULL);
    guest_write(f, r->below + PCI_COMMAND, 2, 7);
    f->m->state = RUN_RUNNING;
}

static uint32_t get(const Rig *r, unsigned at)
{
    return pci_get(r->port, r->port->exp_pos + at, 2);
}

static void set(Rig *r, unsigned at, uint32_t value)
{
    pci_device_config_write(r->port, r->port->exp_pos + at, 2, value);
}

static void bridge_control(Rig *r, uint32_t value)
{
    pci_device_config_write(r->port, PCI_BRIDGE_CONTROL, 2, value);
}

static bool active(const Rig *r)
{
    return get(r, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA;
}

static bool changed(Rig *r)
{
    bool was = get(r, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_DLLSC;

    set(r, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_DLLSC);
    return was;
}

/* Nothing is forwarded in either direction. */
static void check_down(Rig *r)
{
    g_assert_false(active(r));
    g_assert_cmphex(guest_read(&r->f, r->below, 4), ==, NOTHING);
    pci_set(r->card, PCI_COMMAND, 2, 7); /* in any state of the function */
    g_assert_false(pci_bus_master(r->card));
    g_assert_cmpint(pci_msi_send(r->card, RAM, 1), ==, MEM_REFUSED);
    pci_irq_set(r->card, 0, true);
    for (unsigned i = 0; i < PCI_NUM_PINS; i++) {
        g_assert_false(r->f.line[i]);
    }
    pci_irq_set(r->card, 0, false);
}

/* Up again, after a reset. */
static void check_up(Rig *r)
{
    g_assert_true(active(r));
    g_assert_cmphex(guest_read(&r->f, r->below, 4), ==, TICKER_ID);
    g_assert_cmphex(guest_read(&r->f, r->below + PCI_COMMAND, 2), ==, 0);
}

static void disable_one(bool in_switch, const char *settings)
{
    Rig r;

    start(&r, in_switch, settings);
    g_assert_true(active(&r));
    g_assert_cmphex(guest_read(&r.f, r.below + PCI_COMMAND, 2), ==, 7);
    g_assert_false(changed(&r));
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    g_assert_cmphex(get(&r, PCI_EXP_LNKCTL), ==, PCI_EXP_LNKCTL_LD);
    g_assert_true(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_CCC); /* not an edge */
    g_assert_false(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, 0);
    g_assert_true(changed(&r));
    check_up(&r);
    fixture_fini(&r.f);
}

static void test_disable(void)
{
    disable_one(false, NULL);
    disable_one(false, "hotplug=off");
    disable_one(true, NULL);
    disable_one(true, "hotplug=off");
}

/* A port of virt-0.1 with hotplug=off does not set the change bit, which a guest could not
 * clear. */
static void test_no_slot(void)
{
    Rig r;

    start(&r, false, "hotplug=off,x-strict-express=off");
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    g_assert_cmphex(get(&r, PCI_EXP_SLTSTA), ==, PCI_EXP_SLTSTA_PDS);
    check_down(&r);
    fixture_fini(&r.f);
}

/* A switch below is reset with everything behind it, and its links are up afterwards. */
static void test_above_switch(void)
{
    PCIDevice *root;
    Rig r;

    start(&r, true, NULL);
    root = pci_bus_find(&r.f.host.root, RP);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    pci_device_config_write(root, root->exp_pos + PCI_EXP_LNKCTL, 2, PCI_EXP_LNKCTL_LD);
    g_assert_cmphex(guest_read(&r.f, ecam_address(1, 0, 0), 4), ==, NOTHING);
    g_assert_false(pci_bus_master(r.card));
    pci_device_config_write(root, root->exp_pos + PCI_EXP_LNKCTL, 2, 0);
    number(&r.f, 1, 0);
    number(&r.f, 2, 0);
    g_assert_cmphex(get(&r, PCI_EXP_LNKCTL), ==, 0);
    check_up(&r);
    fixture_fini(&r.f);
}

/* The change interrupts if enabled. */
static void test_interrupt(void)
{
    uint8_t table;
    Rig r;

    start(&r, false, NULL);
    table = pci_find_capability(r.port, PCI_CAP_ID_MSIX);
    pci_device_config_write(r.port, PCI_BASE_ADDRESS_0, 4, MMIO);
    guest_write(&r.f, MMIO, 4, RAM + 0x40);
    guest_write(&r.f, MMIO + 4, 4, 0);
    guest_write(&r.f, MMIO + 8, 4, 0x5b);
    guest_write(&r.f, MMIO + 12, 4, 0);
    pci_device_config_write(r.port, table + 2, 2, 0x8000);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    g_assert_cmphex(guest_read(&r.f, RAM + 0x40, 4), ==, 0);
    set(&r, PCI_EXP_LNKCTL, 0);
    changed(&r);
    set(&r, PCI_EXP_SLTCTL,
        (get(&r, PCI_EXP_SLTCTL) | PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE));
    guest_write(&r.f, RAM + 0x40, 4, 0);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    g_assert_cmphex(guest_read(&r.f, RAM + 0x40, 4), ==, 0x5b);
    fixture_fini(&r.f);
}

static void test_retrain(void)
{
    Rig r;

    start(&r, false, NULL);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_RL);
    g_assert_cmphex(get(&r, PCI_EXP_LNKCTL), ==, 0); /* reads as zero */
    g_assert_true(active(&r));
    g_assert_cmphex(guest_read(&r.f, r.below + PCI_COMMAND, 2), ==, 7); /* no reset */
    g_assert_true(get(&r, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_LBMS);
    g_assert_cmpuint(r.f.edges, ==, 0);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LBMIE);
    g_assert_cmpuint(r.f.edges, ==, 1);
    set(&r, PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_LBMS);
    g_assert_cmpuint(r.f.edges, ==, 2);
    g_assert_false(get(&r, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_LBMS);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_RL); /* nothing to train */
    g_assert_false(get(&r, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_LBMS);
    fixture_fini(&r.f);
    start(&r, false, "x-speed=2_5,x-width=1"); /* no bandwidth to report */
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_RL);
    g_assert_false(get(&r, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_LBMS);
    fixture_fini(&r.f);
}

static void test_bus_reset(void)
{
    Rig r;

    start(&r, false, NULL);
    bridge_control(&r, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_true(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD); /* two reasons: both must be removed */
    bridge_control(&r, 0);
    check_down(&r);
    bridge_control(&r, PCI_BRIDGE_CTL_BUS_RESET);
    set(&r, PCI_EXP_LNKCTL, 0);
    check_down(&r);
    g_assert_false(changed(&r));
    bridge_control(&r, 0);
    g_assert_true(changed(&r));
    check_up(&r);
    bridge_control(&r, PCI_BRIDGE_CTL_BUS_RESET);
    machine_reset(r.f.m, RESET_HOT);
    number(&r.f, 0, RP);
    check_up(&r);
    fixture_fini(&r.f);
}

enum { OFF = PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PCC };
enum { ON = PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_ATTN_IND_OFF };

/* The link requires both slot power and Link Disable clear. */
static void test_power(void)
{
    Rig r;

    start(&r, false, NULL);
    set(&r, PCI_EXP_SLTCTL, OFF);
    g_assert_true(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_RL);
    bridge_control(&r, PCI_BRIDGE_CTL_BUS_RESET);
    bridge_control(&r, 0);
    g_assert_false(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    set(&r, PCI_EXP_SLTCTL, ON);
    g_assert_false(changed(&r));
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, 0);
    g_assert_true(changed(&r));
    check_up(&r);
    fixture_fini(&r.f);
}

/* A device plugged while the link is disabled is present and cannot be accessed. */
static void test_plug_disabled(void)
{
    Rig r;

    start(&r, false, NULL);
    device_unplug(&r.card->dev);
    set(&r, PCI_EXP_SLTSTA, 0xffff);
    set(&r, PCI_EXP_SLTCTL, ON);
    set(&r, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_LD);
    r.card = plug_function(&r.f, type("ticker"), "rp", "t2", 0, NULL);
    g_assert_true(get(&r, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS);
    check_down(&r);
    set(&r, PCI_EXP_LNKCTL, 0);
    check_up(&r);
    fixture_fini(&r.f);
}

static void reset_line_of(const char *name, const char *settings, uint8_t leaf)
{
    PCIDevice *br, *card;
    Fixture f;

    fixture_init(&f);
    f.m->state = RUN_PRELAUNCH;
    br = plug_function(&f, type(name), "pcie.0", "br", RP, settings);
    card = plug_function(&f, type("edu"), "br", "e", leaf, NULL);
    f.m->state = RUN_RUNNING;
    number(&f, 0, RP);
    guest_write(&f, ecam_address(1, leaf, PCI_COMMAND), 2, 7);
    pci_device_config_write(br, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_cmphex(guest_read(&f, ecam_address(1, leaf, 0), 4), ==, NOTHING);
    g_assert_false(card->present);
    pci_device_config_write(br, PCI_BRIDGE_CONTROL, 2, 0);
    g_assert_cmphex(guest_read(&f, ecam_address(1, leaf, 0), 4), ==, 0x11e81234);
    g_assert_cmphex(guest_read(&f, ecam_address(1, leaf, PCI_COMMAND), 2), ==, 0);
    fixture_fini(&f);
}

static void test_reset_line(void)
{
    reset_line_of("pci-bridge", NULL, PCI_DEVFN(3, 0));
    reset_line_of("pci-bridge", "shpc=off", PCI_DEVFN(0, 0));
    reset_line_of("pcie-pci-bridge", NULL, PCI_DEVFN(3, 0));
}

/* The reset of an upstream port's internal bus affects the downstream ports and everything
 * below. */
static void test_reset_upstream(void)
{
    PCIDevice *up;
    Rig r;

    start(&r, true, NULL);
    up = (PCIDevice *)r.port->bus->bridge;
    pci_device_config_write(up, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
    g_assert_cmphex(guest_read(&r.f, ecam_address(2, 0, 0), 4), ==, NOTHING);
    g_assert_false(pci_bus_master(r.card));
    pci_device_config_write(up, PCI_BRIDGE_CONTROL, 2, 0);
    number(&r.f, 2, 0);
    check_up(&r);
    fixture_fini(&r.f);
}

static void save(PCIDevice *d, GByteArray *out)
{
    ByteWriter w = { out };

    vm_save(d->dev.type->vmstate, d, &w);
}

/* The saved link state holds after a load. A stream with Link Disable set and without effect loads
 * with the link down. */
static void test_load(void)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteReader in;
    Rig r;

    start(&r, false, NULL);
    pci_set(r.port, r.port->exp_pos + PCI_EXP_LNKCTL, 2, PCI_EXP_LNKCTL_LD); /* ignored */
    save(r.port, saved);
    pci_set(r.port, r.port->exp_pos + PCI_EXP_LNKCTL, 2, 0);
    r.f.m->state = RUN_INMIGRATE;
    reader_init(&in, saved->data, saved->len);
    g_assert_true(vm_load(r.port->dev.type->vmstate, r.port, 4, &in, "rp", &err));
    check_down(&r);
    r.f.m->state = RUN_RUNNING;
    set(&r, PCI_EXP_LNKCTL, 0);
    check_up(&r);
    fixture_fini(&r.f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/link/disable", test_disable);
    g_test_add_func("/pci/link/no-slot", test_no_slot);
    g_test_add_func("/pci/link/above-switch", test_above_switch);
    g_test_add_func("/pci/link/interrupt", test_interrupt);
    g_test_add_func("/pci/link/retrain", test_retrain);
    g_test_add_func("/pci/link/bus-reset", test_bus_reset);
    g_test_add_func("/pci/link/power", test_power);
    g_test_add_func("/pci/link/plug-disabled", test_plug_disabled);
    g_test_add_func("/pci/link/reset-line", test_reset_line);
    g_test_add_func("/pci/link/reset-upstream", test_reset_upstream);
    g_test_add_func("/pci/link/load", test_load);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of Express ports: events of plugging and forced removal, commands, power, the interlock,
 * and the interrupt in its three forms. The unplug job is tested by test-slot.c.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include <string.h>

#include "hw/pci/port.h"

enum { PORT = PCI_DEVFN(1, 0), EXP = 0x54 };

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static void settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static PCIPort *start(Fixture *f, const char *settings)
{
    PCIDevice *d;

    fixture_init(f);
    d = plug_function(f, type("pcie-root-port"), "pcie.0", "rp", PORT, settings);
    config_write(f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    config_write(f, PORT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    f->m->state = RUN_RUNNING;
    return (PCIPort *)d;
}

static PCIDevice *insert(Fixture *f)
{
    return plug_function(f, type("ticker"), "rp", "t0", 0, NULL);
}

static uint16_t status(Fixture *f)
{
    return config_read(f, PORT, EXP + PCI_EXP_SLTSTA, 2);
}

static void command(Fixture *f, uint16_t v)
{
    config_write(f, PORT, EXP + PCI_EXP_SLTCTL, 2, v);
}

static void clear(Fixture *f)
{
    config_write(f, PORT, EXP + PCI_EXP_SLTSTA, 2, 0xffff);
}

static uint32_t behind(Fixture *f)
{
    return guest_read(f, ecam_address(1, 0, 0), 4);
}

static bool link_up(Fixture *f)
{
    return config_read(f, PORT, EXP + PCI_EXP_LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA;
}

enum {
    ON = PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_ATTN_IND_OFF,
    HEARS = PCI_EXP_SLTCTL_HPIE,
    BLINK = PCI_EXP_SLTCTL_PWR_IND_BLINK | PCI_EXP_SLTCTL_ATTN_IND_OFF,
    OFF = PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PCC
};

static void test_registers(void)
{
    Fixture f;

    start(&f, "slot=5,port=9,chassis=2");
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_FLAGS, 2), ==, 0x0142);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_LNKCAP, 4), ==, 0x09300604);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCAP, 4), ==, 0x0002007b | 5 << 19);
    g_assert_cmphex(status(&f), ==, 0);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, OFF);
    fixture_fini(&f);
    start(&f, "hotplug=off");
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCAP, 4), ==, 0);
    command(&f, 0xffff); /* the link state can change nevertheless */
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, PCI_EXP_SLTCTL_DLLSCE);
    fixture_fini(&f);
    start(&f, "hotplug=off,x-strict-express=off");
    command(&f, 0xffff);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, 0);
    fixture_fini(&f);
}

/* A device plugged into a slot without power shows presence, no link, and does not respond. */
static void test_plug(void)
{
    Fixture f;

    start(&f, NULL);
    insert(&f);
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_ABP);
    g_assert_false(link_up(&f));
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    clear(&f);
    command(&f, ON);
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC);
    g_assert_true(link_up(&f));
    g_assert_cmphex(behind(&f), ==, 0x71c41234);
    fixture_fini(&f);
}

/* Present at power-on: presence, power, link, and no event. */
static void test_cold_plug(void)
{
    Fixture f;

    start(&f, NULL);
    f.m->state = RUN_PRELAUNCH;
    insert(&f);
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDS);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, ON); /* as after a reset */
    g_assert_true(link_up(&f));
    g_assert_cmphex(behind(&f), ==, 0x71c41234);
    machine_reset(f.m, RESET_HOT);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, ON);
    g_assert_cmphex(behind(&f), ==, 0x71c41234);
    fixture_fini(&f);
}

static void test_power_cycle(void)
{
    Fixture f;

    start(&f, NULL);
    insert(&f);
    command(&f, ON);
    config_write(&f, PORT, PCI_MEMORY_BASE, 4, 0x40004000);
    guest_write(&f, ecam_address(1, 0, PCI_BASE_ADDRESS_0), 4, MMIO);
    guest_write(&f, ecam_address(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0x7469636b);
    command(&f, OFF);
    settle();
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0xffffffff);
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_PDS); /* without a request: the device stays in the
                                                     * slot */
    command(&f, ON);
    g_assert_cmphex(behind(&f), ==, 0x71c41234);
    g_assert_cmphex(guest_read(&f, ecam_address(1, 0, PCI_BASE_ADDRESS_0), 4), ==, 0); /* fresh */
    fixture_fini(&f);
}

/* --- interrupts --- */

static void test_intx(void)
{
    Fixture f;

    start(&f, "msix=off");
    command(&f, OFF | PCI_EXP_SLTCTL_HPIE | 1 << 3);
    g_assert_false(f.line[1]);
    insert(&f);
    g_assert_true(f.line[1]);
    clear(&f);
    g_assert_false(f.line[1]);
    fixture_fini(&f);
}

static void test_msix(void)
{
    Fixture f;
    uint64_t table = MMIO + 0x10000;

    start(&f, NULL);
    config_write(&f, PORT, PCI_BASE_ADDRESS_0, 4, (uint32_t)table);
    guest_write(&f, table, 8, RAM + 0x40);
    guest_write(&f, table + 8, 8, 0x5a);
    config_write(&f, PORT, 0x48 + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    command(&f, OFF | PCI_EXP_SLTCTL_HPIE | 1 << 3 | 1 << 0);
    insert(&f);
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0x5a);
    g_assert_cmpuint(f.edges, ==, 0);
    /* still asserted: another event is not a new edge */
    guest_write(&f, RAM + 0x40, 4, 0);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0);
    fixture_fini(&f);
}

/* --- a complete switch --- */

static PCIDevice *plug_switch(Fixture *f)
{
    plug_function(f, type("x3130-upstream"), "rp", "up", 0, NULL);
    plug_function(f, type("xio3130-downstream"), "up", "dn0", PCI_DEVFN(0, 0),
                  "slot=1,hotplug=off");
    plug_function(f, type("edu"), "dn0", "inside", 0, NULL);
    plug_function(f, type("xio3130-downstream"), "up", "dn1", PCI_DEVFN(1, 0), "slot=2");
    return plug_function(f, type("ticker"), "dn1", "leaf", 0, NULL);
}

/* Functions plugged from the top down while the slot has no power are all visible when it has. */
static void test_whole_switch(void)
{
    PCIDevice *leaf;
    Fixture f;

    start(&f, NULL);
    leaf = plug_switch(&f);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x000f0100);
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    command(&f, ON);
    g_assert_cmphex(behind(&f), ==, 0x8232104c);
    guest_write(&f, ecam_address(1, 0, PCI_PRIMARY_BUS), 4, 0x000f0201);
    guest_write(&f, ecam_address(2, PCI_DEVFN(1, 0), PCI_PRIMARY_BUS), 4, 0x00030302);
    g_assert_cmphex(guest_read(&f, ecam_address(3, 0, 0), 4), ==, 0x71c41234);
    /* present at reset, not inserted: no button, and the power indicator is on */
    g_assert_cmphex(
        pci_get((PCIDevice *)leaf->bus->bridge, leaf->bus->bridge->pci.exp_pos + PCI_EXP_SLTSTA, 2),
        ==, PCI_EXP_SLTSTA_PDS);
    g_assert_cmphex(
        pci_get((PCIDevice *)leaf->bus->bridge, leaf->bus->bridge->pci.exp_pos + PCI_EXP_SLTCTL, 2),
        ==, ON);
    refused(&f, type("xio3130-downstream"), "up", "dn2", PCI_DEVFN(2, 0), NULL,
            "the guest has enumerated bus 'up'");
    guest_write(&f, ecam_address(2, 0, PCI_PRIMARY_BUS), 4,
                0x00040402); /* below a port with hotplug=off */
    g_assert_cmphex(guest_read(&f, ecam_address(4, 0, 0), 4), ==, 0x11e81234);
    refused(&f, type("edu"), "dn0", "e1", 1, NULL, "the guest has enumerated bus 'dn0'");
    fixture_fini(&f);
}

/* In a slot that is already powered, until the guest assigns a bus number to the upstream port. */
static void test_switch_powered(void)
{
    Fixture f;

    start(&f, NULL);
    command(&f, ON);
    plug_switch(&f);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x000f0100);
    g_assert_cmphex(behind(&f), ==, 0x8232104c);
    plug_function(&f, type("xio3130-downstream"), "up", "dn2", PCI_DEVFN(2, 0), "slot=3");
    guest_write(&f, ecam_address(1, 0, PCI_PRIMARY_BUS), 4, 0x000f0201);
    refused(&f, type("xio3130-downstream"), "up", "dn3", PCI_DEVFN(3, 0), NULL,
            "the guest has enumerated bus 'up'");
    fixture_fini(&f);
}

/* No request is made for a slot that the guest cannot see. */
static void test_switch_unplug(void)
{
    PCIDevice *leaf;
    Fixture f;

    start(&f, NULL);
    leaf = plug_switch(&f);
    g_assert_true(pci_unplug_request(leaf, 0, NULL));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_null(device_find_id(f.m, "leaf"));
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "up"), 0, NULL));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_null(device_find_id(f.m, "up"));
    g_assert_null(device_find_id(f.m, "dn1"));
    fixture_fini(&f);
}

/* A conventional function in a slot: edu is used to learn about hot plug. */
static void test_conventional(void)
{
    PCIDevice *d;
    Fixture f;

    start(&f, NULL);
    d = plug_function(&f, type("edu"), "rp", "e", 0, NULL);
    g_assert_false(pci_is_express(d));
    command(&f, ON);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    g_assert_cmphex(behind(&f), ==, 0x11e81234);
    g_assert_cmphex(guest_read(&f, ecam_address(1, 0, 0x100), 4), ==,
                    0xffffffff); /* no extended space */
    g_assert_true(link_up(&f));
    g_assert_true(pci_unplug_request(d, 0, NULL));
    command(&f, OFF);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_null(device_find_id(f.m, "e"));
    fixture_fini(&f);
}

/* A switch's downstream port has MSI. */
static void test_msi(void)
{
    Fixture f;
    uint64_t down = ecam_address(2, PCI_DEVFN(2, 0), 0);
    PCIDevice *d;
    uint8_t msi;

    start(&f, NULL);
    f.m->state = RUN_PRELAUNCH;
    plug_function(&f, type("x3130-upstream"), "rp", "up", 0, NULL);
    d = plug_function(&f, type("xio3130-downstream"), "up", "dn", PCI_DEVFN(2, 0), NULL);
    f.m->state = RUN_RUNNING;
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00030100);
    guest_write(&f, ecam_address(1, 0, PCI_PRIMARY_BUS), 4, 0x00030201);
    guest_write(&f, ecam_address(1, 0, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
    guest_write(&f, down + PCI_PRIMARY_BUS, 4, 0x00030302);
    guest_write(&f, down + PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    msi = pci_find_capability(d, PCI_CAP_ID_MSI);
    guest_write(&f, down + msi + PCI_MSI_ADDRESS_LO, 4, RAM + 0x40);
    guest_write(&f, down + msi + 12, 2, 0x5b);
    guest_write(&f, down + msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
    guest_write(&f, down + d->exp_pos + PCI_EXP_SLTCTL, 2,
                OFF | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTSTA_PDC);
    plug_function(&f, type("ticker"), "dn", "t0", 0, NULL);
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0x5b);
    g_assert_cmpuint(f.edges, ==, 0);
    fixture_fini(&f);
}

/* --- the job --- */

static unsigned failures;

static void on_event(void *opaque, const Event *event)
{
    failures += g_str_equal(event->name, "DEVICE_UNPLUG_GUEST_ERROR");
}

static void rig_note_unplug(void *opaque, const PCIUnplugInfo *info)
{
    g_string_append_printf(opaque, "%s %s %d %s;", info->device, info->port, info->slot,
                           pci_unplug_state_name(info->state));
}

/* "DEVICE PORT SLOT STATE;" for each removal request; g_free. */
static char *unplug_requests(Machine *m)
{
    GString *out = g_string_new(NULL);

    pci_unplug_visit(m, rig_note_unplug, out);
    return g_string_free(out, FALSE);
}

static PCIDevice *slot_with_device(Fixture *f)
{
    PCIDevice *d;

    start(f, NULL);
    failures = 0;
    f->m->hooks.event = on_event;
    d = insert(f);
    command(f, ON);
    clear(f);
    return d;
}

static const char *job(PCIDevice *d)
{
    return pci_unplug_state_name(((PCIPort *)d->bus->bridge)->slot.job);
}

static void test_interlock(void)
{
    Fixture f;

    start(&f, NULL);
    command(&f, OFF | PCI_EXP_SLTCTL_EIC);
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_EIS);
    g_assert_cmphex(config_read(&f, PORT, EXP + PCI_EXP_SLTCTL, 2), ==, OFF);
    command(&f, OFF | PCI_EXP_SLTCTL_EIC);
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_EIS);
    fixture_fini(&f);
}

/* A device whose interlock is engaged stays when power is off, until the guest opens the interlock
 * or the device is removed by force. */
static void test_interlocked_unplug(void)
{
    for (unsigned force = 0; force < 2; force++) {
        Fixture f;
        PCIDevice *d = slot_with_device(&f);

        command(&f, ON | PCI_EXP_SLTCTL_EIC);
        g_assert_true(pci_unplug_request(d, 0, NULL));
        command(&f, OFF);
        settle();
        g_assert_nonnull(device_find_id(f.m, "t0"));
        g_assert_cmphex(behind(&f), ==, 0xffffffff);
        if (force) {
            g_assert_true(pci_unplug_force(d, NULL));
        } else {
            command(&f, OFF | PCI_EXP_SLTCTL_EIC);
            settle();
        }
        g_assert_null(device_find_id(f.m, "t0"));
        fixture_fini(&f);
    }
}

static void test_unplug(void)
{
    Fixture f;
    PCIDevice *d = slot_with_device(&f);
    g_autofree char *jobs = NULL;

    g_assert_true(pci_unplug_request(d, 1000, NULL));
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_ABP);
    g_assert_false(pci_unplug_request(d, 0, NULL));
    g_assert_cmpstr(job(d), ==, "requested");
    clear(&f);
    command(&f, BLINK);
    g_assert_cmpstr(job(d), ==, "accepted");
    clear(&f);
    command(&f, OFF);
    g_assert_nonnull(device_find_id(f.m, "t0")); /* not removed inside the access */
    settle();
    g_assert_null(device_find_id(f.m, "t0"));
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    g_assert_cmpuint(failures, ==, 0);
    jobs = unplug_requests(f.m);
    g_assert_cmpstr(jobs, ==, "t0 rp -1 removed;");
    clock_step_ns(&f, 2000000000);
    g_assert_cmpuint(failures, ==, 0);
    fixture_fini(&f);
}

/* Forced removal: link and presence change together, and the guest is notified afterwards. */
static void test_pulled(void)
{
    Fixture f;
    PCIDevice *d = slot_with_device(&f);

    g_assert_true(pci_unplug_force(d, NULL));
    g_assert_null(device_find_id(f.m, "t0"));
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    g_assert_false(link_up(&f));
    fixture_fini(&f);
}

/* The link event interrupts like the other events of the slot. */
static void test_link_event(void)
{
    Fixture f;

    start(&f, "msix=off");
    command(&f, ON | PCI_EXP_SLTCTL_DLLSCE | PCI_EXP_SLTCTL_HPIE);
    clear(&f);
    g_assert_false(f.line[1]);
    insert(&f);
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_DLLSC);
    g_assert_true(f.line[1]);
    clear(&f);
    g_assert_false(f.line[1]);
    fixture_fini(&f);
}

/* A switch behind the port: three levels, all of which are removed with the device in the port. */
static void test_switch_behind(void)
{
    Fixture f;

    start(&f, NULL);
    f.m->state = RUN_PRELAUNCH;
    plug_function(&f, type("x3130-upstream"), "rp", "up", 0, NULL);
    plug_function(&f, type("xio3130-downstream"), "up", "dn", PCI_DEVFN(2, 0), NULL);
    plug_function(&f, type("ticker"), "dn", "t0", 0, NULL);
    f.m->state = RUN_RUNNING;
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00030100);
    guest_write(&f, ecam_address(1, 0, PCI_PRIMARY_BUS), 4, 0x00030201);
    guest_write(&f, ecam_address(2, PCI_DEVFN(2, 0), PCI_PRIMARY_BUS), 4, 0x00030302);
    g_assert_cmphex(behind(&f), ==, 0x8232104c);
    g_assert_cmphex(guest_read(&f, ecam_address(2, PCI_DEVFN(2, 0), 0), 4), ==, 0x8233104c);
    g_assert_cmphex(guest_read(&f, ecam_address(3, 0, 0), 4), ==, 0x71c41234);
    g_assert_true(pci_unplug_force((PCIDevice *)device_find_id(f.m, "up"), NULL));
    g_assert_null(device_find_id(f.m, "t0"));
    g_assert_null(device_find_id(f.m, "dn"));
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    fixture_fini(&f);
}

/* Return whether plugging a device presses the attention button. */
static bool pressed_by_insert(Fixture *f)
{
    clear(f);
    insert(f);
    return status(f) & PCI_EXP_SLTSTA_ABP;
}

/* Plug a device, which presses the button, and remove it before it is used. */
static void press_and_pull(Fixture *f)
{
    g_assert_true(pressed_by_insert(f));
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f->m, "t0"), 0, NULL));
    settle();
}

/* Replace the device, with the time that a user needs for it. */
static void hands(Fixture *f)
{
    clock_step_ns(f, 500000000);
}

/* A guest that is going to check the slot anyway would interpret the button as a request to power
 * off. This includes a guest that has not finished a removal, and one that is powering on. */
static void test_button_of_plug(void)
{
    Fixture f;
    PCIDevice *d = slot_with_device(&f);

    command(&f, ON | HEARS);
    g_assert_true(pci_unplug_force(d, NULL));
    g_assert_false(pressed_by_insert(&f)); /* it has not noticed yet */
    g_assert_true(link_up(&f));
    g_assert_true(pci_unplug_force((PCIDevice *)device_find_id(f.m, "t0"), NULL));
    command(&f, ON | HEARS | PCI_EXP_SLTCTL_PCC); /* it is powering off, and checks afterwards */
    g_assert_false(pressed_by_insert(&f));
    command(&f, OFF | HEARS);
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC); /* powers on in 5 s */
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    settle();
    g_assert_false(pressed_by_insert(&f));
    command(&f, BLINK | HEARS);
    command(&f, ON | HEARS);
    clear(&f);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    command(&f, BLINK | HEARS);
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC);
    settle();
    hands(&f);
    g_assert_true(pressed_by_insert(&f)); /* requested, so it does not check again */
    fixture_fini(&f);
}

/* Two devices plugged in succession, before the guest has responded to the first button: a second
 * button would power the slot off again. If the guest stopped checking when the slot was empty, it
 * is notified of the second device. */
static void test_button_unanswered(void)
{
    Fixture f;

    start(&f, NULL);
    command(&f, OFF | HEARS);
    press_and_pull(&f);
    g_assert_false(pressed_by_insert(&f));
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC);
    command(&f, BLINK | HEARS);
    command(&f, ON | HEARS); /* it found the second */
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    command(&f, OFF | HEARS);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    settle();
    hands(&f);
    g_assert_true(pressed_by_insert(&f));
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    settle();
    g_assert_false(pressed_by_insert(&f));
    hands(&f); /* it blinks for 5 s */
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    command(&f, OFF | HEARS); /* it had found nothing */
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_ABP);
    clear(&f);
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC);
    command(&f, OFF | HEARS); /* notified once */
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    fixture_fini(&f);
}

/* A device that is removed before the guest has seen its button: the guest does nothing, and is
 * notified of the next one. */
static void test_button_withdrawn(void)
{
    Fixture f;

    start(&f, NULL);
    command(&f, OFF | HEARS);
    press_and_pull(&f);
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    g_assert_false(pressed_by_insert(&f));
    hands(&f);
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_ABP);
    fixture_fini(&f);
}

/* A device plugged immediately after another was removed, when the guest has noticed the removal
 * and not yet checked again. Linux clears the bits first, finds the second device some time later
 * and powers it on; a button in between would power it off. If it does not check, it is
 * notified. */
static void test_button_of_swap(void)
{
    Fixture f;
    PCIDevice *port = &start(&f, NULL)->br.pci;
    g_autoptr(GByteArray) saved = NULL;

    command(&f, OFF | HEARS);
    g_assert_true(pressed_by_insert(&f));
    command(&f, BLINK | HEARS | PCI_EXP_SLTCTL_PCC);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    settle();
    command(&f, OFF | HEARS);
    g_assert_false(pressed_by_insert(&f));
    command(&f, BLINK | HEARS);
    command(&f, ON | HEARS); /* it found the second */
    hands(&f);
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    command(&f, OFF | HEARS);
    g_assert_true(pci_unplug_request((PCIDevice *)device_find_id(f.m, "t0"), 0, NULL));
    settle();
    g_assert_false(pressed_by_insert(&f));
    saved = save_state(port); /* in another transition */
    g_assert_true(load_state(port, saved, NULL));
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_ABP);
    hands(&f);
    g_assert_true(status(&f) & PCI_EXP_SLTSTA_ABP);
    fixture_fini(&f);
}

/* A guest whose driver was unloaded while a device was removed checks nothing when it is loaded
 * again. */
static void test_button_without_driver(void)
{
    Fixture f;
    PCIDevice *d = slot_with_device(&f);

    g_assert_true(pci_unplug_force(d, NULL));
    command(&f, ON | PCI_EXP_SLTCTL_PCC | HEARS);
    hands(&f);
    g_assert_true(pressed_by_insert(&f));
    command(&f, ON | HEARS);
    g_assert_true(pci_unplug_force((PCIDevice *)device_find_id(f.m, "t0"), NULL));
    hands(&f);
    command(&f, ON);
    command(&f, ON | PCI_EXP_SLTCTL_PCC | HEARS);
    g_assert_true(pressed_by_insert(&f));
    fixture_fini(&f);
}

/* Of several functions, function 0 is plugged last, and the guest is notified once. */
static void test_functions(void)
{
    Fixture f;
    PCIDevice *d;

    start(&f, NULL);
    d = plug_function(&f, type("ticker"), "rp", "f1", 1, "multifunction=on");
    g_assert_cmphex(status(&f), ==, 0);
    g_assert_true(pci_unplug_request(d, 0, NULL)); /* the guest never saw it */
    g_assert_null(device_find_id(f.m, "f1"));
    plug_function(&f, type("ticker"), "rp", "f1", 1, "multifunction=on");
    d = plug_function(&f, type("ticker"), "rp", "t0", 0, "multifunction=on");
    g_assert_cmphex(status(&f), ==, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_ABP);
    command(&f, ON);
    g_assert_cmphex(guest_read(&f, ecam_address(1, 1, 0), 4), ==, 0x71c41234);
    g_assert_true(pci_unplug_request(d, 0, NULL));
    command(&f, OFF);
    settle();
    g_assert_null(device_find_id(f.m, "f1"));
    g_assert_false(status(&f) & PCI_EXP_SLTSTA_PDS);
    fixture_fini(&f);
}

/* A stream must not contain an inconsistent slot state, which the next plug would rely on. */
static void test_hostile_presence(void)
{
    for (unsigned there = 0; there < 2; there++) {
        Fixture f;
        PCIPort *p = start(&f, NULL);
        g_autoptr(GError) err = NULL;
        uint8_t *sltsta = p->br.pci.config.bytes + EXP + PCI_EXP_SLTSTA;

        if (there) {
            insert(&f);
        }
        g_assert_true(pci_port_state.check(p, NULL));
        *sltsta ^= PCI_EXP_SLTSTA_PDS;
        g_assert_false(pci_port_state.check(p, &err));
        g_assert_nonnull(strstr(err->message, there ? "contains a device" : "is empty"));
        *sltsta ^= PCI_EXP_SLTSTA_PDS;
        fixture_fini(&f);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hotplug/registers", test_registers);
    g_test_add_func("/hotplug/hostile-presence", test_hostile_presence);
    g_test_add_func("/hotplug/plug", test_plug);
    g_test_add_func("/hotplug/cold-plug", test_cold_plug);
    g_test_add_func("/hotplug/power-cycle", test_power_cycle);
    g_test_add_func("/hotplug/interlock", test_interlock);
    g_test_add_func("/hotplug/interlocked-unplug", test_interlocked_unplug);
    g_test_add_func("/hotplug/intx", test_intx);
    g_test_add_func("/hotplug/msix", test_msix);
    g_test_add_func("/hotplug/msi", test_msi);
    g_test_add_func("/hotplug/whole-switch", test_whole_switch);
    g_test_add_func("/hotplug/switch-powered", test_switch_powered);
    g_test_add_func("/hotplug/switch-unplug", test_switch_unplug);
    g_test_add_func("/hotplug/conventional", test_conventional);
    g_test_add_func("/hotplug/unplug", test_unplug);
    g_test_add_func("/hotplug/pulled", test_pulled);
    g_test_add_func("/hotplug/switch-behind", test_switch_behind);
    g_test_add_func("/hotplug/button-of-plug", test_button_of_plug);
    g_test_add_func("/hotplug/button-unanswered", test_button_unanswered);
    g_test_add_func("/hotplug/button-withdrawn", test_button_withdrawn);
    g_test_add_func("/hotplug/button-of-swap", test_button_of_swap);
    g_test_add_func("/hotplug/button-without-driver", test_button_without_driver);
    g_test_add_func("/hotplug/functions", test_functions);
    g_test_add_func("/hotplug/link-event", test_link_event);
    return g_test_run();
}

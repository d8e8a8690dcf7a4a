/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine with a device in a slot, for each class of hot-plug controller, and the
 * commands of its guest to the slot.
 */
#ifndef TESTS_SLOT_RIG_H
#define TESTS_SLOT_RIG_H

#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/shpc.h"

enum { BRIDGE = PCI_DEVFN(1, 0), EXP = 0x54, SLOT = 3, CARD_ID = 0x71c41234 };

/* Commands of a guest to a slot. */
typedef enum Say { SAY_ON, SAY_BLINK, SAY_OFF, SAY_CLEAR } Say;

typedef struct Controller {
    const char *name, *type;
    uint8_t devfn; /* of the device in the slot */
    void (*say)(Fixture *f, Say what);
    bool (*pressed)(Fixture *f);
} Controller;

static inline const PCIDeviceType *catalog_type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static inline void express_say(Fixture *f, Say what)
{
    static const uint16_t control[] = {
        [SAY_ON] = PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_ATTN_IND_OFF,
        [SAY_BLINK] = PCI_EXP_SLTCTL_PWR_IND_BLINK | PCI_EXP_SLTCTL_ATTN_IND_OFF,
        [SAY_OFF] = PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_PCC,
    };

    if (what == SAY_CLEAR) {
        config_write(f, BRIDGE, EXP + PCI_EXP_SLTSTA, 2, 0xffff);
    } else {
        config_write(f, BRIDGE, EXP + PCI_EXP_SLTCTL, 2, control[what]);
    }
}

static inline bool express_pressed(Fixture *f)
{
    return config_read(f, BRIDGE, EXP + PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_ABP;
}

static inline void shpc_say(Fixture *f, Say what)
{
    static const uint8_t code[] = {
        [SAY_ON] = SHPC_ENABLED | PCI_INDICATOR_ON << 2,
        [SAY_BLINK] = SHPC_NO_CHANGE | PCI_INDICATOR_BLINK << 2,
        [SAY_OFF] = SHPC_DISABLED | PCI_INDICATOR_OFF << 2,
    };

    if (what == SAY_CLEAR) {
        guest_write(f, MMIO + SHPC_SLOT + 4 * (SLOT - 1), 4, SHPC_SLOT_EVENTS);
    } else {
        guest_write(f, MMIO + SHPC_COMMAND, 2, SLOT << 8 | code[what]);
    }
}

static inline bool shpc_pressed(Fixture *f)
{
    return guest_read(f, MMIO + SHPC_SLOT + 4 * (SLOT - 1), 4) & SHPC_SLOT_BUTTON_PRESSED;
}

static const Controller controllers[] = {
    { "express", "pcie-root-port", 0, express_say, express_pressed },
    { "shpc", "pci-bridge", PCI_DEVFN(SLOT, 0), shpc_say, shpc_pressed },
};

/* --- a running machine with a device in the slot --- */

static unsigned failures;

static inline void rig_note_unplug(void *opaque, const PCIUnplugInfo *info)
{
    g_string_append_printf(opaque, "%s %s %d %s;", info->device, info->port, info->slot,
                           pci_unplug_state_name(info->state));
}

/* Return "DEVICE PORT SLOT STATE;" for each removal request. The caller frees it with g_free(). */
static inline char *unplug_requests(Machine *m)
{
    GString *out = g_string_new(NULL);

    pci_unplug_visit(m, rig_note_unplug, out);
    return g_string_free(out, FALSE);
}

static inline void on_event(void *opaque, const Event *event)
{
    failures += g_str_equal(event->name, "DEVICE_UNPLUG_GUEST_ERROR");
}

static inline void run_pending(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static inline PCIDevice *slot_machine_start(const Controller *c, Fixture *f)
{
    PCIDevice *br;

    fixture_init(f);
    br = plug_function(f, catalog_type(c->type), "pcie.0", "br", BRIDGE, NULL);
    config_write(f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00010100);
    config_write(f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    f->m->state = RUN_RUNNING;
    failures = 0;
    f->m->hooks.event = on_event;
    return br;
}

static inline PCIDevice *slot_insert(const Controller *c, Fixture *f)
{
    return plug_function(f, catalog_type("ticker"), "br", "dut", c->devfn, NULL);
}

static inline PCIDevice *slot_with_device(const Controller *c, Fixture *f)
{
    PCIDevice *d;

    slot_machine_start(c, f);
    d = slot_insert(c, f);
    c->say(f, SAY_ON);
    c->say(f, SAY_CLEAR);
    g_assert_cmphex(guest_read(f, ecam_address(1, c->devfn, 0), 4), ==, CARD_ID);
    return d;
}

static inline bool slot_occupied(Fixture *f)
{
    return device_find_id(f->m, "dut") != NULL;
}

static inline const char *unplug_state(PCIDevice *d)
{
    return pci_unplug_state_name(pci_slot_of(d)->job);
}

/* Register a test for a controller. */
static inline void slot_test(const Controller *c, const char *name, GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/slot/%s/%s", c->name, name);

    g_test_add_data_func(path, c, fn);
}

#endif

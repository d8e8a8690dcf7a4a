/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Standard Hot-Plug Controller: its registers through both access paths, each command and each
 * of its errors, events with their masks, the interrupt and SERR#, reset, and saved states that no
 * guest can have created. The unplug job is tested by test-slot.c.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/shpc.h"

enum { BRIDGE = PCI_DEVFN(1, 0), SLOT = 3, CARD = PCI_DEVFN(SLOT, 0), CARD_ID = 0x11e81234 };
enum {
    ENABLE = SHPC_ENABLED | PCI_INDICATOR_ON << 2,
    DISABLE = SHPC_DISABLED | PCI_INDICATOR_OFF << 2,
    PLUGGED = SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED | SHPC_SLOT_BUTTON_PRESSED,
    PULLED = SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED,
    EMPTY_SLOT = 0x7f000d3f, /* disabled, indicators off, latch open, no device, all masked */
};

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static void enable(Fixture *f)
{
    config_write(f, BRIDGE, PCI_PRIMARY_BUS, 4, 0x00010100);
    config_write(f, BRIDGE, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, BRIDGE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static PCIShpcBridge *start(Fixture *f, const char *settings)
{
    PCIDevice *d;

    fixture_init(f);
    d = plug_function(f, type("pci-bridge"), "pcie.0", "br", BRIDGE, settings);
    enable(f);
    f->m->state = RUN_RUNNING;
    return (PCIShpcBridge *)d;
}

static PCIDevice *insert(Fixture *f, const char *id, unsigned slot)
{
    return plug_function(f, type("edu"), "br", id, PCI_DEVFN(slot, 0), NULL);
}

static uint32_t get(Fixture *f, unsigned at)
{
    return guest_read(f, MMIO + at, 4);
}

static void put(Fixture *f, unsigned at, uint32_t value)
{
    guest_write(f, MMIO + at, 4, value);
}

static uint32_t slot(Fixture *f, unsigned n)
{
    return get(f, SHPC_SLOT + 4 * (n - 1));
}

static void set_slot(Fixture *f, unsigned n, uint32_t value)
{
    put(f, SHPC_SLOT + 4 * (n - 1), value);
}

/* Issue a command. Returns its status. */
static uint16_t command(Fixture *f, uint8_t code, uint8_t target)
{
    guest_write(f, MMIO + SHPC_COMMAND, 2, (uint16_t)(target << 8 | code));
    return guest_read(f, MMIO + SHPC_STATUS, 2);
}

static uint32_t behind(Fixture *f)
{
    return guest_read(f, ecam_address(1, CARD, 0), 4);
}

static uint8_t cap(PCIShpcBridge *b)
{
    return pci_find_capability(&b->br.pci, PCI_CAP_ID_SHPC);
}

static uint32_t by_config(Fixture *f, PCIShpcBridge *b, unsigned at)
{
    config_write(f, BRIDGE, cap(b) + SHPC_CAP_SELECT, 1, at / 4);
    return config_read(f, BRIDGE, cap(b) + SHPC_CAP_DATA, 4);
}

/* --- registers --- */

static void test_registers(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, "chassis_nr=3");
    g_autofree char *wrong = reg_table_check(&pci_bar(&b->br.pci, SHPC_BAR)->file);

    g_assert_cmpstr(wrong, ==, NULL);
    insert(&f, "card", SLOT);
    g_assert_cmphex(get(&f, SHPC_BASE_OFFSET), ==, 0);
    g_assert_cmphex(get(&f, SHPC_SLOTS_AVAILABLE_1), ==, 31);
    g_assert_cmphex(get(&f, SHPC_SLOTS_AVAILABLE_2), ==, 0);
    g_assert_cmphex(get(&f, SHPC_SLOT_CONFIG), ==, 0xe001011f);
    g_assert_cmphex(get(&f, SHPC_BUS_CONFIG), ==, 0x01000000);
    g_assert_cmphex(get(&f, SHPC_SERR_INT), ==, 0xf);
    g_assert_cmphex(slot(&f, 1), ==, EMPTY_SLOT);
    g_assert_cmphex(slot(&f, 31), ==, EMPTY_SLOT);
    for (unsigned at = 0; at < SHPC_END; at += 4) { /* the second access path shows the same */
        g_assert_cmphex(by_config(&f, b, at), ==, get(&f, at));
    }
    g_assert_cmphex(by_config(&f, b, SHPC_END), ==, 0);
    g_assert_cmphex(by_config(&f, b, 0x3fc), ==, 0);
    by_config(&f, b, SHPC_TARGET); /* and reflects a register without side effects */
    guest_write(&f, MMIO + SHPC_TARGET, 1, SLOT);
    g_assert_cmphex(config_read(&f, BRIDGE, cap(b) + SHPC_CAP_DATA, 4), ==, SLOT << 8);
    g_assert_cmphex(get(&f, SHPC_END), ==, 0);
    for (unsigned at = 0; at < 4; at++) {
        g_assert_cmphex(guest_read(&f, MMIO + SHPC_SLOT_CONFIG + at, 1), ==,
                        0xe001011f >> 8 * at & 0xff);
    }
    fixture_fini(&f);
}

/* Read-only registers and bits do not change for any write of any size. */
static void test_read_only(void)
{
    static const unsigned fixed[] = {
        SHPC_BASE_OFFSET, SHPC_SLOTS_AVAILABLE_1, SHPC_SLOTS_AVAILABLE_2, SHPC_SLOT_CONFIG,
        SHPC_BUS_CONFIG,  SHPC_INT_LOCATOR,       SHPC_SERR_LOCATOR,
    };
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++) {
        uint32_t was = get(&f, fixed[i]);

        put(&f, fixed[i], ~was);
        config_write(&f, BRIDGE, cap(b) + SHPC_CAP_SELECT, 1, fixed[i] / 4);
        config_write(&f, BRIDGE, cap(b) + SHPC_CAP_DATA, 4, ~was);
        g_assert_cmphex(get(&f, fixed[i]), ==, was);
    }
    guest_write(&f, MMIO + SHPC_STATUS, 2, 0xffff);
    g_assert_cmphex(guest_read(&f, MMIO + SHPC_STATUS, 2), ==, 0);
    put(&f, SHPC_SERR_INT, ~0u);
    g_assert_cmphex(get(&f, SHPC_SERR_INT), ==, 0xf);
    set_slot(&f, 1, 0);
    g_assert_cmphex(slot(&f, 1), ==, EMPTY_SLOT & ~SHPC_SLOT_MASKS);
    set_slot(&f, 1, ~0u);
    g_assert_cmphex(slot(&f, 1), ==, EMPTY_SLOT);
    fixture_fini(&f);
}

/* A write through DWORD Data has the effect of one through the BAR, byte by byte. */
static void test_config_access(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);
    uint8_t pos = cap(b);

    config_write(&f, BRIDGE, PCI_COMMAND, 2, 0); /* the BAR is not required */
    insert(&f, "card", SLOT);
    g_assert_cmphex(by_config(&f, b, SHPC_SLOT + 8) & SHPC_SLOT_EVENTS, ==, PLUGGED);
    config_write(&f, BRIDGE, pos + SHPC_CAP_DATA + 2, 1, SHPC_SLOT_PRESENCE_CHANGED >> 16);
    g_assert_cmphex(by_config(&f, b, SHPC_SLOT + 8) & SHPC_SLOT_EVENTS, ==,
                    PLUGGED & ~SHPC_SLOT_PRESENCE_CHANGED);
    by_config(&f, b, SHPC_COMMAND);
    config_write(&f, BRIDGE, pos + SHPC_CAP_DATA + 1, 1,
                 SLOT); /* the target alone issues nothing */
    g_assert_cmphex(by_config(&f, b, SHPC_SERR_INT), ==, 0xf);
    by_config(&f, b, SHPC_COMMAND);
    config_write(&f, BRIDGE, pos + SHPC_CAP_DATA, 1, ENABLE);
    g_assert_cmphex(by_config(&f, b, SHPC_SERR_INT), ==, 0xf | SHPC_COMMAND_COMPLETE);
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    config_write(&f, BRIDGE, pos + SHPC_CAP_SELECT, 1, 0xff);
    config_write(&f, BRIDGE, pos + SHPC_CAP_DATA, 4, ~0u); /* nothing there */
    g_assert_cmphex(config_read(&f, BRIDGE, pos + SHPC_CAP_DATA, 4), ==, 0);
    fixture_fini(&f);
}

/* shpc=off omits capability, BAR, pin and slots. */
static void test_off(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, "shpc=off");

    g_assert_cmpuint(cap(b), ==, 0);
    g_assert_cmphex(config_read(&f, BRIDGE, PCI_BASE_ADDRESS_0, 4), ==, 0);
    g_assert_cmphex(config_read(&f, BRIDGE, PCI_INTERRUPT_PIN, 1), ==, 0);
    g_assert_null(pci_slot_of(insert(&f, "card", SLOT)));
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    fixture_fini(&f);
    b = start(&f, "shpc=0x80");
    g_assert_cmphex(cap(b), ==, 0x80);
    g_assert_cmphex(config_read(&f, BRIDGE, PCI_INTERRUPT_PIN, 1), ==, 1);
    g_assert_nonnull(pci_slot_of(insert(&f, "card", SLOT)));
    g_assert_null(pci_slot_of(insert(&f, "zero", 0))); /* the controller's own number */
    fixture_fini(&f);
}

/* --- devices --- */

/* Present from the start: enabled, and no event. */
static void test_cold_plug(void)
{
    Fixture f;

    start(&f, NULL);
    f.m->state = RUN_PRELAUNCH;
    insert(&f, "card", SLOT);
    f.m->state = RUN_RUNNING;
    g_assert_cmphex(slot(&f, SLOT), ==, 0x7f000036);
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    command(&f, DISABLE, SLOT);
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    machine_reset(f.m, RESET_HOT); /* a reset powers occupied slots */
    enable(&f);
    g_assert_cmphex(slot(&f, SLOT), ==, 0x7f000036);
    g_assert_cmphex(get(&f, SHPC_SERR_INT), ==, 0xf);
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    fixture_fini(&f);
}

/* A device plugged into a slot without power does not respond until the guest enables it. */
static void test_hot_plug(void)
{
    Fixture f;

    start(&f, NULL);
    insert(&f, "card", SLOT);
    g_assert_cmphex(slot(&f, SLOT), ==,
                    (EMPTY_SLOT & ~(SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY)) | PLUGGED);
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    g_assert_cmphex(command(&f, SHPC_POWER_ONLY, SLOT), ==, 0);
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    g_assert_cmphex(command(&f, ENABLE, SLOT), ==, 0);
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    set_slot(&f, SLOT, SHPC_SLOT_MASKS | SHPC_SLOT_EVENTS);
    g_assert_cmphex(slot(&f, SLOT), ==, 0x7f000036);
    fixture_fini(&f);
}

/* Forced removal: the latch opens, power is switched off, and the next device waits for the
 * guest. */
static void test_pulled(void)
{
    Fixture f;
    PCIDevice *d;

    start(&f, NULL);
    d = insert(&f, "card", SLOT);
    command(&f, ENABLE, SLOT);
    set_slot(&f, SLOT, SHPC_SLOT_MASKS | SHPC_SLOT_EVENTS);
    g_assert_true(pci_unplug_force(d, NULL));
    g_assert_cmphex(slot(&f, SLOT) & SHPC_SLOT_EVENTS, ==, PULLED);
    g_assert_cmphex(slot(&f, SLOT) & SHPC_SLOT_STATE, ==, SHPC_DISABLED);
    g_assert_cmphex(slot(&f, SLOT) & SHPC_SLOT_EMPTY, ==, SHPC_SLOT_EMPTY);
    insert(&f, "next", SLOT);
    g_assert_cmphex(behind(&f), ==, 0xffffffff);
    fixture_fini(&f);
}

/* --- commands --- */

typedef enum From { EMPTY, DISABLED, POWERED, ENABLED } From;

static const struct {
    From from;
    uint8_t code, target;
    uint16_t status;
    uint8_t low; /* state and indicators afterwards */
} commands[] = {
    /* no change, and only the indicators */
    { ENABLED, 0x00, SLOT, 0, 0x36 },
    { ENABLED, 0x08, SLOT, 0, 0x3a },
    { ENABLED, 0x10, SLOT, 0, 0x16 },
    { ENABLED, 0x24, SLOT, 0, 0x26 },
    { EMPTY, 0x14, SLOT, 0, 0x17 },
    /* each state from each other */
    { DISABLED, 0x01, SLOT, 0, 0x3d },
    { DISABLED, 0x06, SLOT, 0, 0x36 },
    { DISABLED, 0x03, SLOT, 0, 0x3f },
    { POWERED, 0x02, SLOT, 0, 0x36 },
    { POWERED, 0x0f, SLOT, 0, 0x3f },
    { POWERED, 0x01, SLOT, 0, 0x35 },
    { ENABLED, 0x3f, SLOT, 0, 0x3f },
    { ENABLED, 0x02, SLOT, 0, 0x36 },
    { ENABLED, 0x01, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0x29, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 }, /* nor its indicators */
    /* power is rejected while the latch is open */
    { EMPTY, 0x01, SLOT, SHPC_STATUS_MRL_OPEN, 0x3f },
    { EMPTY, 0x06, SLOT, SHPC_STATUS_MRL_OPEN, 0x3f },
    { EMPTY, 0x03, SLOT, 0, 0x3f },
    /* invalid slots */
    { ENABLED, 0x03, 0, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0x00, 0, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    /* the bus supports one speed */
    { ENABLED, 0x40, 0, 0, 0x36 },
    { ENABLED, 0x41, 0, SHPC_STATUS_INVALID_SPEED, 0x36 },
    { DISABLED, 0x44, 0, SHPC_STATUS_INVALID_SPEED, 0x3f },
    { DISABLED, 0x47, SLOT, SHPC_STATUS_INVALID_SPEED, 0x3f },
    /* all together */
    { DISABLED, 0x48, 0, 0, 0x35 },
    { DISABLED, 0x49, 0, 0, 0x36 },
    { POWERED, 0x49, 0, 0, 0x36 },
    { EMPTY, 0x49, 0, 0, 0x3f },
    { ENABLED, 0x48, 0, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0x49, 0, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    /* reserved codes */
    { ENABLED, 0x4a, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0x50, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0x80, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 },
    { ENABLED, 0xff, SLOT, SHPC_STATUS_INVALID_COMMAND, 0x36 },
};

static void test_commands(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        static const uint8_t reach[] = { [DISABLED] = 0, [POWERED] = 0x05, [ENABLED] = ENABLE };
        Fixture f;

        start(&f, NULL);
        if (commands[i].from != EMPTY) {
            insert(&f, "card", SLOT);
            command(&f, reach[commands[i].from], SLOT);
        }
        put(&f, SHPC_SERR_INT, 0xf | SHPC_COMMAND_COMPLETE);
        g_assert_cmphex(command(&f, commands[i].code, commands[i].target), ==, commands[i].status);
        g_assert_cmphex(slot(&f, SLOT) & 0x3f, ==, commands[i].low);
        g_assert_cmphex(get(&f, SHPC_SERR_INT), ==, 0xf | SHPC_COMMAND_COMPLETE);
        g_assert_cmphex(slot(&f, 4), ==, EMPTY_SLOT);
        g_assert_true((behind(&f) == CARD_ID) == ((commands[i].low & 3) == SHPC_ENABLED));
        command(&f, 0, SLOT); /* the next one has its own status */
        g_assert_cmphex(guest_read(&f, MMIO + SHPC_STATUS, 2), ==, 0);
        fixture_fini(&f);
    }
}

/* --- events, the interrupt, SERR# --- */

static bool line(Fixture *f)
{
    return f->line[1]; /* slot 1, INTA */
}

/* Each event of a slot with each mask. */
static void test_masks(void)
{
    static const unsigned bits[] = { 16, 18, 19 };

    for (size_t i = 0; i < G_N_ELEMENTS(bits); i++) {
        uint32_t bit = 1u << bits[i];
        Fixture f;

        start(&f, NULL);
        put(&f, SHPC_SERR_INT, 0xe);
        set_slot(&f, SLOT, SHPC_SLOT_MASKS & ~(bit << 8));
        g_assert_cmphex(get(&f, SHPC_INT_LOCATOR), ==, 0);
        insert(&f, "card", SLOT);
        g_assert_cmphex(get(&f, SHPC_INT_LOCATOR), ==, 1u << SLOT);
        g_assert_true(line(&f));
        put(&f, SHPC_SERR_INT, 0xf);
        g_assert_false(line(&f));
        g_assert_cmphex(get(&f, SHPC_INT_LOCATOR), ==, 1u << SLOT);
        put(&f, SHPC_SERR_INT, 0xe);
        g_assert_true(line(&f));
        set_slot(&f, SLOT, (SHPC_SLOT_MASKS & ~(bit << 8)) | (PLUGGED & ~bit)); /* the others */
        g_assert_true(line(&f));
        set_slot(&f, SLOT, (SHPC_SLOT_MASKS & ~(bit << 8)) | bit);
        g_assert_false(line(&f));
        g_assert_cmphex(get(&f, SHPC_INT_LOCATOR), ==, 0);
        g_assert_cmphex(slot(&f, SLOT) & SHPC_SLOT_EVENTS, ==, 0);
        fixture_fini(&f);
    }
}

static void test_command_complete(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);
    uint8_t pending = cap(b) + SHPC_CAP_PENDING;

    put(&f, SHPC_SERR_INT, 0xa);
    command(&f, 0x40, 0);
    g_assert_cmphex(get(&f, SHPC_INT_LOCATOR), ==, 1);
    g_assert_cmphex(config_read(&f, BRIDGE, pending, 1), ==, SHPC_CIP);
    g_assert_true(line(&f));
    g_assert_true(config_read(&f, BRIDGE, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    put(&f, SHPC_SERR_INT, 0xa | SHPC_ARBITER_TIMEOUT); /* not that one */
    g_assert_true(line(&f));
    put(&f, SHPC_SERR_INT, 0xa | SHPC_COMMAND_COMPLETE);
    g_assert_false(line(&f));
    g_assert_cmphex(config_read(&f, BRIDGE, pending, 1), ==, 0);
    fixture_fini(&f);
}

/* MSI: a message when the condition occurs, and again when the global mask is cleared. */
static void test_msi(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);
    uint8_t pos = pci_find_capability(&b->br.pci, PCI_CAP_ID_MSI);

    config_write(&f, BRIDGE, pos + PCI_MSI_ADDRESS_LO, 4, RAM + 0x40);
    config_write(&f, BRIDGE, pos + 12, 2, 0x5a);
    config_write(&f, BRIDGE, pos + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
    put(&f, SHPC_SERR_INT, 0xa);
    set_slot(&f, SLOT, 0);
    insert(&f, "card", SLOT);
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0x5a);
    guest_write(&f, RAM + 0x40, 4, 0);
    command(&f, ENABLE, SLOT); /* asserted already: not a new edge */
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0);
    put(&f, SHPC_SERR_INT, 0xb);
    put(&f, SHPC_SERR_INT, 0xa);
    g_assert_cmphex(guest_read(&f, RAM + 0x40, 4), ==, 0x5a);
    g_assert_cmpuint(f.edges, ==, 0);
    fixture_fini(&f);
}

static void test_serr(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);
    uint8_t pending = cap(b) + SHPC_CAP_PENDING;

    set_slot(&f, SLOT, SHPC_SLOT_MASKS & ~SHPC_SLOT_MRL_SERR_MASK);
    insert(&f, "card", SLOT);
    g_assert_cmphex(get(&f, SHPC_SERR_LOCATOR), ==, 1u << SLOT);
    g_assert_cmphex(config_read(&f, BRIDGE, pending, 1), ==, SHPC_CSP);
    config_write(&f, BRIDGE, PCI_COMMAND, 2,
                 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
    put(&f, SHPC_SERR_INT, 0xf & ~SHPC_GLOBAL_SERR_MASK);
    g_assert_true(config_read(&f, BRIDGE, PCI_STATUS, 2) & PCI_STATUS_SIG_SYSTEM_ERROR);
    config_write(&f, BRIDGE, PCI_STATUS, 2, PCI_STATUS_SIG_SYSTEM_ERROR);
    g_assert_false(config_read(&f, BRIDGE, PCI_STATUS, 2) & PCI_STATUS_SIG_SYSTEM_ERROR);
    command(&f, 0, SLOT); /* asserted all along: signalled once */
    g_assert_cmphex(get(&f, SHPC_SERR_LOCATOR), ==, 1u << SLOT);
    g_assert_false(config_read(&f, BRIDGE, PCI_STATUS, 2) & PCI_STATUS_SIG_SYSTEM_ERROR);
    set_slot(&f, SLOT, (SHPC_SLOT_MASKS & ~SHPC_SLOT_MRL_SERR_MASK) | SHPC_SLOT_MRL_CHANGED);
    g_assert_cmphex(get(&f, SHPC_SERR_LOCATOR), ==, 0);
    g_assert_cmphex(config_read(&f, BRIDGE, pending, 1), ==, 0);
    g_assert_false(line(&f));
    fixture_fini(&f);
}

/* --- saved state --- */

static bool check(PCIShpcBridge *b, const char *says)
{
    g_autoptr(GError) err = NULL;
    bool ok = pci_shpc_state.check(b, &err);

    g_assert_true(ok == !err);
    if (says) {
        g_assert_nonnull(err);
        g_assert_nonnull(strstr(err->message, says));
    }
    return ok;
}

static void test_hostile(void)
{
    static const struct {
        unsigned slot;
        uint32_t value;
        const char *says;
    } rows[] = {
        { SLOT, EMPTY_SLOT, "slot 3: reported empty" },
        { 4, 0x7f00003f, "slot 4: reported to contain a device" },
        { 4, 0x7f00093f, "slot 4: reported to contain a device" },
        { 4, 0x7f000d3e, "slot 4: power on an empty slot" },
        { SLOT, 0x7f000034, "slot 3: a reserved state" },
        { SLOT, 0x7f000032, "slot 3: a reserved state" },
        { SLOT, 0x7f000006, "slot 3: a reserved state" },
    };
    Fixture f;
    PCIShpcBridge *b = start(&f, NULL);

    insert(&f, "card", SLOT);
    command(&f, ENABLE, SLOT);
    g_assert_true(check(b, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint32_t was = b->slot_reg[rows[i].slot - 1];

        b->slot_reg[rows[i].slot - 1] = rows[i].value;
        g_assert_false(check(b, rows[i].says));
        b->slot_reg[rows[i].slot - 1] = was;
    }
    b->serr_int = 0; /* command complete lost its bit, yet would interrupt; and the reverse */
    b->slot_reg[SLOT - 1] &= ~SHPC_SLOT_MASKS;
    g_assert_false(check(b, "does not agree"));
    fixture_fini(&f);
    b = start(&f, "shpc=off");
    g_assert_true(check(b, NULL));
    b->serr_int = 1;
    g_assert_false(check(b, "shpc=off"));
    fixture_fini(&f);
}

/* With shpc=off there is no state to restore, and devices behind the bridge are unchanged. */
static void test_saved_off(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, "shpc=off");
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;

    insert(&f, "card", SLOT);
    bytes = save_state(&b->br.pci);
    g_assert_true(load_state(&b->br.pci, bytes, &err));
    g_assert_no_error(err);
    g_assert_cmphex(behind(&f), ==, CARD_ID);
    g_assert_false(line(&f));
    fixture_fini(&f);
}

/* A stream from before the controller: its fields do not exist. */
static void test_version_1(void)
{
    Fixture f;
    PCIShpcBridge *b = start(&f, "shpc=off");
    const VmState *vm = b->br.pci.dev.type->vmstate;
    g_autoptr(GByteArray) bytes = save_record(&b->br.pci);
    g_autoptr(GError) err = NULL;
    ByteReader r;

    reader_init(&r, bytes->data, bytes->len);
    g_assert_true(vm_load(vm, b, 1, &r, "br", &err));
    g_assert_no_error(err);
    g_assert_cmpuint(r.at, ==, r.len);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shpc/registers", test_registers);
    g_test_add_func("/shpc/read-only", test_read_only);
    g_test_add_func("/shpc/config-access", test_config_access);
    g_test_add_func("/shpc/off", test_off);
    g_test_add_func("/shpc/cold-plug", test_cold_plug);
    g_test_add_func("/shpc/hot-plug", test_hot_plug);
    g_test_add_func("/shpc/pulled", test_pulled);
    g_test_add_func("/shpc/commands", test_commands);
    g_test_add_func("/shpc/masks", test_masks);
    g_test_add_func("/shpc/command-complete", test_command_complete);
    g_test_add_func("/shpc/msi", test_msi);
    g_test_add_func("/shpc/serr", test_serr);
    g_test_add_func("/shpc/hostile", test_hostile);
    g_test_add_func("/shpc/saved-off", test_saved_off);
    g_test_add_func("/shpc/version-1", test_version_1);
    return g_test_run();
}

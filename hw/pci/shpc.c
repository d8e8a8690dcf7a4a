/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Standard Hot-Plug Controller: its capability, the working register set, commands and events
 * (contract in hw/pci/shpc.h). The states of the slots are in slot_table.c.
 *
 * The registers are one table with two interfaces: BAR 0, and the DWORD Select and DWORD Data
 * registers of the capability. shpc_update() keeps the value of DWORD Data in the configuration
 * bytes, so that reading it is an ordinary configuration read.
 *
 * A device that is inserted closes its retention latch (MRL sensor), and the user presses the
 * attention button. A device that is pulled out opens the latch, and an open latch disconnects the
 * slot's power (SHPC 3.5).
 */
#include "hw/pci/shpc.h"

#include "internal.h"
#include "util/error.h"

/* --- logical slots --- */

static unsigned shpc_index(const PCIShpcBridge *b, const PCISlot *s)
{
    return s - b->slots;
}

static ShpcState shpc_slot_power(const PCIShpcBridge *b, unsigned i)
{
    return b->slot_reg[i] & SHPC_SLOT_STATE;
}

static bool shpc_latch_open(const PCIShpcBridge *b, unsigned i)
{
    return b->slot_reg[i] & SHPC_SLOT_MRL_OPEN;
}

/* Events that are not masked. */
static uint32_t shpc_slot_events(const PCIShpcBridge *b, unsigned i)
{
    return b->slot_reg[i] & ~(b->slot_reg[i] >> SHPC_SLOT_INT_MASK_SHIFT) & SHPC_SLOT_EVENTS;
}

/* The MRL sensor is the only source of SERR#: there are no power faults and no arbiter timeouts. */
static bool shpc_slot_serr(const PCIShpcBridge *b, unsigned i)
{
    return (b->slot_reg[i] & SHPC_SLOT_MRL_CHANGED) && !(b->slot_reg[i] & SHPC_SLOT_MRL_SERR_MASK);
}

static void shpc_set_slot(PCIShpcBridge *b, unsigned i, uint32_t clear, uint32_t set)
{
    b->slot_reg[i] = (b->slot_reg[i] & ~clear) | set;
}

/* --- locators, the interrupt and SERR# (SHPC 4.9 to 4.10) --- */

static uint32_t shpc_int_locator(const PCIShpcBridge *b)
{
    uint32_t found =
        (b->serr_int & SHPC_COMMAND_COMPLETE) && !(b->serr_int & SHPC_COMMAND_INT_MASK);

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        found |= shpc_slot_events(b, i) ? 2u << i : 0;
    }
    return found;
}

static uint32_t shpc_serr_locator(const PCIShpcBridge *b)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        found |= shpc_slot_serr(b, i) ? 2u << i : 0;
    }
    return found;
}

static uint64_t shpc_read_int_locator(void *dev, const RegDesc *r)
{
    return shpc_int_locator(dev);
}

static uint64_t shpc_read_serr_locator(void *dev, const RegDesc *r)
{
    return shpc_serr_locator(dev);
}

static bool shpc_interrupts(const PCIShpcBridge *b)
{
    return shpc_int_locator(b) && !(b->serr_int & SHPC_GLOBAL_INT_MASK);
}

static uint32_t shpc_selected(PCIShpcBridge *b);

static bool shpc_serr_asserted(const PCIShpcBridge *b)
{
    return shpc_serr_locator(b) && !(b->serr_int & SHPC_GLOBAL_SERR_MASK);
}

/* Recompute what is derived from the registers: the view of the capability, the interrupt, SERR#.
 */
static void shpc_update(PCIShpcBridge *b)
{
    PCIDevice *d = &b->br.pci;
    bool serr = shpc_serr_asserted(b);

    if (serr && !b->serr && (pci_get(d, PCI_COMMAND, 2) & PCI_COMMAND_SERR)) {
        pci_set(d, PCI_STATUS, 2, pci_get(d, PCI_STATUS, 2) | PCI_STATUS_SIG_SYSTEM_ERROR);
    }
    b->serr = serr;
    pci_set(d, b->shpc_pos + SHPC_CAP_PENDING, 1,
            (shpc_serr_locator(b) ? SHPC_CSP : 0) | (shpc_int_locator(b) ? SHPC_CIP : 0));
    pci_set(d, b->shpc_pos + SHPC_CAP_DATA, 4, shpc_selected(b));
    pci_irq_set(d, 0, shpc_interrupts(b));
}

static void shpc_latch_event(PCIShpcBridge *b, unsigned i, uint32_t bits)
{
    shpc_set_slot(b, i, 0, bits);
    shpc_update(b);
}

/* --- commands (SHPC 3.5) --- */

/* Only an enabled slot is connected to the bus. */
static void shpc_connect(PCIShpcBridge *b, unsigned i, ShpcState to)
{
    ShpcState from = shpc_slot_power(b, i);

    shpc_set_slot(b, i, SHPC_SLOT_STATE, to);
    if ((from == SHPC_ENABLED) != (to == SHPC_ENABLED)) {
        pci_slot_show(&b->slots[i], to == SHPC_ENABLED, RESET_COLD);
    }
}

static void shpc_set_state(PCIShpcBridge *b, unsigned i, ShpcState to)
{
    ShpcState from = shpc_slot_power(b, i);

    if (to == SHPC_NO_CHANGE || to == from) {
        return;
    }
    shpc_connect(b, i, to);
    if (to == SHPC_DISABLED) {
        pci_slot_event(&b->slots[i], PCI_SLOT_EV_POWER_OFF);
    } else if (from == SHPC_DISABLED) {
        pci_slot_event(&b->slots[i], PCI_SLOT_EV_POWER_ON);
    }
}

/* RESERVED in a command means no change. */
static void shpc_set_indicator(PCIShpcBridge *b, unsigned i, unsigned shift, PCIIndicator to)
{
    if (to != PCI_INDICATOR_RESERVED) {
        shpc_set_slot(b, i, 3u << shift, (uint32_t)to << shift);
    }
}

static PCIIndicator shpc_power_indicator(const PCIShpcBridge *b, unsigned i)
{
    return b->slot_reg[i] >> SHPC_SLOT_POWER_SHIFT & 3;
}

/* Slot numbers begin at 1, like the device numbers of the slots. */
static uint16_t shpc_slot_command(PCIShpcBridge *b, uint8_t code, uint8_t target)
{
    unsigned i = target - SHPC_FIRST_DEVICE;
    ShpcState to = code & SHPC_CMD_STATE;
    PCIIndicator was;

    if (target < SHPC_FIRST_DEVICE ||
        (to == SHPC_POWER_ONLY && shpc_slot_power(b, i) == SHPC_ENABLED)) {
        return SHPC_STATUS_INVALID_COMMAND;
    }
    if ((to == SHPC_POWER_ONLY || to == SHPC_ENABLED) && shpc_latch_open(b, i)) {
        return SHPC_STATUS_MRL_OPEN;
    }
    was = shpc_power_indicator(b, i);
    shpc_set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, code >> SHPC_CMD_POWER_SHIFT & 3);
    shpc_set_indicator(b, i, SHPC_SLOT_ATTENTION_SHIFT, code >> SHPC_CMD_ATTENTION_SHIFT & 3);
    pci_slot_indicator(&b->slots[i], was, shpc_power_indicator(b, i));
    shpc_set_state(b, i, to);
    pci_slot_assert(&b->slots[i]);
    return 0;
}

/* Applies to every slot with a closed latch. Fails if a slot is already enabled. */
static uint16_t shpc_all_command(PCIShpcBridge *b, ShpcState to)
{
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (shpc_slot_power(b, i) == SHPC_ENABLED) {
            return SHPC_STATUS_INVALID_COMMAND;
        }
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (!shpc_latch_open(b, i)) {
            shpc_set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, PCI_INDICATOR_ON);
            shpc_set_state(b, i, to);
            pci_slot_assert(&b->slots[i]);
        }
    }
    return 0;
}

static uint16_t shpc_execute(PCIShpcBridge *b, uint8_t code, uint8_t target)
{
    if (code <= SHPC_CMD_SLOT_LAST) {
        return shpc_slot_command(b, code, target);
    }
    if (code <= SHPC_CMD_SPEED_LAST) {
        return code == SHPC_CMD_SPEED_33 ? 0 : SHPC_STATUS_INVALID_SPEED;
    }
    switch (code) {
    case SHPC_CMD_POWER_ONLY_ALL:
        return shpc_all_command(b, SHPC_POWER_ONLY);
    case SHPC_CMD_ENABLE_ALL:
        return shpc_all_command(b, SHPC_ENABLED);
    default:
        return SHPC_STATUS_INVALID_COMMAND;
    }
}

static uint32_t shpc_wrote_command(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    PCIShpcBridge *b = dev;

    b->status = shpc_execute(b, b->command, b->target);
    b->serr_int |= SHPC_COMMAND_COMPLETE;
    shpc_update(b);
    return 0;
}

static uint32_t shpc_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    shpc_update(dev);
    return 0;
}

/* --- the working register set --- */

#define SHPC_SLOT_CONFIG_VALUE                                                                     \
    (SHPC_SLOTS | SHPC_FIRST_DEVICE << SHPC_CONFIG_FIRST_SHIFT | 1 << SHPC_CONFIG_NUMBER_SHIFT |   \
     SHPC_CONFIG_NUMBERS_UP | SHPC_CONFIG_MRL | SHPC_CONFIG_BUTTON)
#define SHPC_INTERFACE_1 (1u << 24) /* Programming Interface 1; bus mode 0: 33 MHz */
#define SHPC_SLOT_RESET                                                                            \
    (SHPC_DISABLED | PCI_INDICATOR_OFF << SHPC_SLOT_POWER_SHIFT |                                  \
     PCI_INDICATOR_OFF << SHPC_SLOT_ATTENTION_SHIFT | SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY |       \
     SHPC_SLOT_MASKS)
enum {
    SHPC_SERR_INT_MASKS = SHPC_GLOBAL_INT_MASK | SHPC_GLOBAL_SERR_MASK | SHPC_COMMAND_INT_MASK |
                          SHPC_ARBITER_SERR_MASK,
    SHPC_SERR_INT_EVENTS = SHPC_COMMAND_COMPLETE | SHPC_ARBITER_TIMEOUT,
};
#define SHPC_ROW(n)                                                                                \
    REG32(PCIShpcBridge, slot_reg[n], SHPC_SLOT + 4 * (n), .reset = SHPC_SLOT_RESET,               \
          .rw = SHPC_SLOT_MASKS, .w1c = SHPC_SLOT_EVENTS, .wrote = shpc_wrote,                     \
          .doc = "Logical Slot: state, indicators, latch and presence; events and their masks")
#define SHPC_ROWS5(n)                                                                              \
    SHPC_ROW(n), SHPC_ROW((n) + 1), SHPC_ROW((n) + 2), SHPC_ROW((n) + 3), SHPC_ROW((n) + 4)

static const RegDesc shpc_regs[] = {
    REG32_CONST("Base Offset", SHPC_BASE_OFFSET, 0, .doc = "offset of the registers in the BAR"),
    REG32_CONST("Slots Available I", SHPC_SLOTS_AVAILABLE_1, SHPC_SLOTS,
                .doc = "slots at 33 MHz conventional"),
    REG32_CONST("Slots Available II", SHPC_SLOTS_AVAILABLE_2, 0, .doc = "slots at other speeds"),
    REG32_CONST("Slot Configuration", SHPC_SLOT_CONFIG, SHPC_SLOT_CONFIG_VALUE,
                .doc = "number of slots, first device and slot number, MRL sensor, button"),
    REG32_CONST("Secondary Bus Configuration", SHPC_BUS_CONFIG, SHPC_INTERFACE_1,
                .doc = "speed and mode of the bus, programming interface"),
    REG8(PCIShpcBridge, command, SHPC_COMMAND, .rw = 0xff, .wrote = shpc_wrote_command,
         .doc = "Command Code: a write carries out the command"),
    REG8(PCIShpcBridge, target, SHPC_TARGET, .rw = 0x1f, .wrote = shpc_wrote,
         .doc = "Target Slot of a command for one slot"),
    REG16(PCIShpcBridge, status, SHPC_STATUS, .doc = "Command Status of the last command"),
    REG_ROW("Interrupt Locator", SHPC_INT_LOCATOR, 4, .read = shpc_read_int_locator,
            .doc = "command completed; slots with an event that is not masked"),
    REG_ROW("SERR Locator", SHPC_SERR_LOCATOR, 4, .read = shpc_read_serr_locator,
            .doc = "slots with a cause of SERR#"),
    REG32(PCIShpcBridge, serr_int, SHPC_SERR_INT, .reset = SHPC_SERR_INT_MASKS,
          .rw = SHPC_SERR_INT_MASKS, .w1c = SHPC_SERR_INT_EVENTS, .wrote = shpc_wrote,
          .doc = "Controller SERR-INT: masks and events of the controller"),
    SHPC_ROWS5(0),
    SHPC_ROWS5(5),
    SHPC_ROWS5(10),
    SHPC_ROWS5(15),
    SHPC_ROWS5(20),
    SHPC_ROWS5(25),
    SHPC_ROW(30),
};
static const RegFile shpc_file = { LIST(shpc_regs), "shpc" };
static const PCIBarDesc shpc_bar = { .index = SHPC_BAR,
                                     .kind = PCI_BAR_MEM64,
                                     .size = SHPC_BAR_SIZE,
                                     .regs = shpc_regs,
                                     .n_regs = G_N_ELEMENTS(shpc_regs) };

/* --- the capability --- */

static unsigned shpc_selected_offset(PCIShpcBridge *b)
{
    return 4 * pci_get(&b->br.pci, b->shpc_pos + SHPC_CAP_SELECT, 1);
}

static uint32_t shpc_selected(PCIShpcBridge *b)
{
    unsigned at = shpc_selected_offset(b);

    return at < SHPC_END ? reg_read(&shpc_file, b, at, 4) : 0;
}

static bool shpc_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    d->pin = 1;
    pci_config_set(&d->config, PCI_INTERRUPT_PIN, 1, d->pin);
    return pci_add_bar(d, &shpc_bar, err);
}

static void shpc_placed(PCIDevice *d, unsigned row)
{
    ((PCIShpcBridge *)d)->shpc_pos = d->cap_pos[row];
}

static uint32_t shpc_select_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    shpc_update(dev);
    return 0;
}

/* The write reaches the selected register with the bytes that it has. */
static uint32_t shpc_data_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    PCIShpcBridge *b = dev;
    uint32_t bits = pci_config_lanes(&b->br.pci.config);
    unsigned at = shpc_selected_offset(b);

    if (at < SHPC_END) {
        unsigned first = (unsigned)__builtin_ctz(bits) / 8;
        unsigned n = (unsigned)__builtin_popcount(bits) / 8;

        reg_write(&shpc_file, b, at + first, (bits & new) >> 8 * first, n);
    }
    shpc_update(b);
    return 0;
}

static const RegDesc shpc_cap_rows[] = {
    REG_ROW("DWORD Select", SHPC_CAP_SELECT, 1, .rw = 0xff, .identity = REG_ALL,
            .wrote = shpc_select_wrote, .doc = "number of the working register in DWORD Data"),
    REG_ROW("Pending", SHPC_CAP_PENDING, 1, .doc = "controller interrupt or SERR# is pending"),
    REG_ROW("DWORD Data", SHPC_CAP_DATA, 4, .rw = UINT32_MAX, .identity = REG_ALL,
            .wrote = shpc_data_wrote, .doc = "the selected working register"),
};
static const PCIRegTable shpc_tables[] = { { .rows = LIST(shpc_cap_rows) } };

static void shpc_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    PCIShpcBridge *b = (PCIShpcBridge *)d;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        pci_slot_loading(&b->slots[i]);
    }
}

const PCICapClass pci_shpc_class = {
    .id = PCI_CAP_ID_SHPC,
    .name = "Hot-Plug Controller",
    .present_bit = -1, /* the type has a BAR, a pin and hot-plug slots only with it */
    .doc = "hot-plug controller: the bus behind can be plugged live, from slot 1 on",
    .bar = &shpc_bar,
    .size = SHPC_CAP_SIZEOF,
    .tables = LIST(shpc_tables),
    .setup = shpc_setup,
    .placed = shpc_placed,
    .loaded = shpc_loaded,
};

/* --- presence --- */

/* A slot that is occupied at reset or before the machine runs has power. */
static void shpc_power_up(PCIShpcBridge *b, unsigned i)
{
    shpc_set_slot(b, i, SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY, 0);
    shpc_set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, PCI_INDICATOR_ON);
    shpc_connect(b, i, SHPC_ENABLED);
}

/* Function 0 was plugged. An empty slot never has power: its latch is open. */
static void shpc_inserted(PCIShpcBridge *b, unsigned i)
{
    if (!pci_slot_live(&b->slots[i])) {
        shpc_power_up(b, i);
        pci_slot_event(&b->slots[i], PCI_SLOT_EV_INSERTED_COLD);
        return;
    }
    shpc_set_slot(b, i, SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY, 0);
    pci_slot_event(&b->slots[i], PCI_SLOT_EV_INSERTED);
    shpc_latch_event(b, i, SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED);
}

/* Function 0 is being removed. A button that was pressed for it does not apply to the next one. */
static void shpc_emptied(PCIShpcBridge *b, unsigned i)
{
    shpc_set_slot(b, i, SHPC_SLOT_STATE | SHPC_SLOT_BUTTON_PRESSED,
                  SHPC_DISABLED | SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY);
    pci_slot_event(&b->slots[i], PCI_SLOT_EV_EMPTIED);
    if (pci_slot_live(&b->slots[i])) {
        shpc_latch_event(b, i, SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED);
    }
}

static void shpc_presence(PCIBridge *br, PCIDevice *d, bool present)
{
    PCIShpcBridge *b = (PCIShpcBridge *)br;
    PCISlot *s = pci_slot_of(d);
    bool function_0 = s && pci_slot_is_function_0(s, d);

    if (s && present && shpc_slot_power(b, shpc_index(b, s)) != SHPC_ENABLED &&
        (pci_slot_live(s) || !function_0)) {
        pci_device_power(d, false, RESET_COLD);
    }
    if (!function_0) {
        return;
    }
    if (present) {
        shpc_inserted(b, shpc_index(b, s));
    } else {
        shpc_emptied(b, shpc_index(b, s));
    }
    pci_slot_assert(s);
}

static void shpc_reset_held(PCIBridge *br)
{
    PCIShpcBridge *b = (PCIShpcBridge *)br;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        pci_slot_show(&b->slots[i], shpc_slot_power(b, i) == SHPC_ENABLED, RESET_HOT);
    }
}

/* --- the slots' operations --- */

static bool shpc_slot_powered(const PCISlot *s)
{
    const PCIShpcBridge *b = (const PCIShpcBridge *)s->br;

    return shpc_slot_power(b, shpc_index(b, s)) != SHPC_DISABLED;
}

static PCIIndicator shpc_slot_indicator(const PCISlot *s)
{
    const PCIShpcBridge *b = (const PCIShpcBridge *)s->br;

    return shpc_power_indicator(b, shpc_index(b, s));
}

/* shpchp does not act on presence: the button is the only way to report an inserted device. */
static void shpc_announce(PCISlot *s)
{
    PCIShpcBridge *b = (PCIShpcBridge *)s->br;

    shpc_set_slot(b, shpc_index(b, s), 0, SHPC_SLOT_BUTTON_PRESSED);
}

static void shpc_press(PCISlot *s)
{
    PCIShpcBridge *b = (PCIShpcBridge *)s->br;

    shpc_latch_event(b, shpc_index(b, s), SHPC_SLOT_BUTTON_PRESSED);
}

static const PCISlotOps shpc_slot_ops = {
    .powered = shpc_slot_powered,
    .indicator = shpc_slot_indicator,
    .announce = shpc_announce,
    .press = shpc_press,
};

/* --- setup and reset --- */

void pci_shpc_init(PCIShpcBridge *b)
{
    b->br.presence = b->shpc_pos ? shpc_presence : NULL;
    b->br.reset_held = b->shpc_pos ? shpc_reset_held : NULL;
    pci_slots_init(&b->br, b->slots, SHPC_SLOTS, SHPC_FIRST_DEVICE, b->shpc_pos != 0,
                   &shpc_slot_ops);
}

void pci_shpc_fini(PCIShpcBridge *b)
{
    pci_slots_fini(&b->br);
}

/* The reset values of the registers, which the core has set, describe empty slots. */
void pci_shpc_reset(PCIShpcBridge *b)
{
    if (!b->shpc_pos) {
        return;
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (pci_slot_occupied(&b->slots[i])) {
            shpc_power_up(b, i);
        }
        pci_slot_event(&b->slots[i], PCI_SLOT_EV_RESET);
        pci_slot_assert(&b->slots[i]);
    }
    shpc_update(b);
}

/* --- saved state --- */

static bool shpc_slot_error(GError **err, unsigned i, const char *why)
{
    return error_set(err, ERROR_GUEST, "slot %u: %s", i + SHPC_FIRST_DEVICE, why);
}

/* The devices in the slots are not part of the stream: the machine has them already. The registers
 * must agree with them and have values that a guest can set. */
static bool shpc_slot_check(const PCIShpcBridge *b, unsigned i, GError **err)
{
    bool occupied = pci_slot_occupied(&b->slots[i]);
    uint32_t r = b->slot_reg[i], sensors = SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY;

    if ((r & sensors) != (occupied ? 0 : sensors)) {
        return shpc_slot_error(err, i,
                               occupied ? "reported empty, but it contains a device"
                                        : "reported to contain a device, but it is empty");
    }
    if (!(r & SHPC_SLOT_STATE) || !(r >> SHPC_SLOT_POWER_SHIFT & 3) ||
        !(r >> SHPC_SLOT_ATTENTION_SHIFT & 3)) {
        return shpc_slot_error(err, i, "a reserved state or indicator");
    }
    if (!occupied && shpc_slot_power(b, i) != SHPC_DISABLED) {
        return shpc_slot_error(err, i, "power on an empty slot");
    }
    return true;
}

static bool shpc_all_zero(const PCIShpcBridge *b)
{
    uint32_t any = b->command | b->target | b->status | b->serr_int;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        any |= b->slot_reg[i];
    }
    return any == 0;
}

static bool shpc_state_check(void *obj, GError **err)
{
    PCIShpcBridge *b = obj;

    if (!b->shpc_pos) {
        return shpc_all_zero(b)
                   ? true
                   : error_set(err, ERROR_GUEST,
                               "registers of a hot-plug controller, but the bridge has shpc=off");
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (!shpc_slot_check(b, i, err)) {
            return false;
        }
    }
    if (shpc_interrupts(b) != (b->br.pci.levels & 1)) {
        return error_set(err, ERROR_GUEST,
                         "the hot-plug interrupt does not agree with its events and masks");
    }
    return true;
}

static bool shpc_post_load(void *obj, GError **err)
{
    PCIShpcBridge *b = obj;

    if (!b->shpc_pos) {
        return true;
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        pci_slot_show(&b->slots[i], shpc_slot_power(b, i) == SHPC_ENABLED, RESET_COLD);
        if (!pci_slot_loaded(&b->slots[i], err)) {
            g_prefix_error(err, "slot %u: ", i + SHPC_FIRST_DEVICE);
            return false;
        }
    }
    b->serr = shpc_serr_asserted(b); /* a load is not an edge of SERR# */
    shpc_update(b);
    return true;
}

#define SHPC_SLOT_SAVED                                                                            \
    (SHPC_SLOT_STATE | 3u << SHPC_SLOT_POWER_SHIFT | 3u << SHPC_SLOT_ATTENTION_SHIFT |             \
     SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY | SHPC_SLOT_PRESENCE_CHANGED |                           \
     SHPC_SLOT_BUTTON_PRESSED | SHPC_SLOT_MRL_CHANGED | SHPC_SLOT_MASKS)

/* The members of shpc_regs in the order of the table, but not as VM_BANK(shpc_regs). The
 * description at the end of a stream has the logical slot registers as one array with the name
 * "slot", not as 31 members, and the bits that a record may contain are fewer than those of the
 * rows: no fault can occur. The format calls the slots "state". */
static const VmField shpc_fields[] = {
    VM_U8(PCIShpcBridge, command),
    VM_U8(PCIShpcBridge, target, .max = 0x1f),
    VM_U16(PCIShpcBridge, status,
           .mask = SHPC_STATUS_MRL_OPEN | SHPC_STATUS_INVALID_COMMAND | SHPC_STATUS_INVALID_SPEED),
    VM_U32(PCIShpcBridge, serr_int, .mask = SHPC_SERR_INT_MASKS | SHPC_COMMAND_COMPLETE),
    { .name = "slot",
      .kind = VM_KIND_U32,
      .field = offsetof(PCIShpcBridge, slot_reg),
      .count = SHPC_SLOTS,
      .mask = SHPC_SLOT_SAVED },
    { .name = "state",
      .kind = VM_KIND_STRUCT,
      .field = offsetof(PCIShpcBridge, slots),
      .sub = &pci_slot_state,
      .count = SHPC_SLOTS,
      .stride = sizeof(PCISlot) },
};
const VmState pci_shpc_state = { .name = "shpc",
                                 .version = 1,
                                 .fields = LIST(shpc_fields),
                                 .check = shpc_state_check,
                                 .post_load = shpc_post_load };

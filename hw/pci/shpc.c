/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Standard Hot-Plug Controller (contract in hw/pci/shpc.h): its capability, the working
 * register set, commands and events. The unplug job is slot.c's.
 *
 * The registers are one table with two ways in: BAR 0, and the DWORD Select and Data registers of
 * the capability. What the second shows is kept up to date in the config bytes (settle()), so
 * that reading it is an ordinary config read.
 *
 * A card that comes closes its latch (the MRL sensor) and its bringer presses the button; one
 * that is pulled opens it, and an open latch takes the slot's power away (SHPC 3.5).
 */
#include "hw/pci/shpc.h"

#include "hw/pci/pci_int.h"

static PCIDevice *pci_of(PCIShpcBridge *b)
{
    return &b->br.pci;
}

/* --- logical slots --- */

static unsigned index_of(const PCIShpcBridge *b, const PCISlot *s)
{
    return s - b->state;
}

static ShpcState state_of(const PCIShpcBridge *b, unsigned i)
{
    return b->slot[i] & SHPC_SLOT_STATE;
}

static bool latch_open(const PCIShpcBridge *b, unsigned i)
{
    return b->slot[i] & SHPC_SLOT_MRL_OPEN;
}

static uint32_t events_of(const PCIShpcBridge *b, unsigned i)
{
    return b->slot[i] & ~(b->slot[i] >> SHPC_SLOT_INT_MASK_SHIFT) & SHPC_SLOT_EVENTS;
}

/* Of the sources of SERR# there is one here: no card has a power fault, and no arbiter hangs. */
static bool slot_serr(const PCIShpcBridge *b, unsigned i)
{
    return (b->slot[i] & SHPC_SLOT_MRL_CHANGED) && !(b->slot[i] & SHPC_SLOT_MRL_SERR_MASK);
}

static void set_slot(PCIShpcBridge *b, unsigned i, uint32_t clear, uint32_t set)
{
    b->slot[i] = (b->slot[i] & ~clear) | set;
}

/* --- locators, the interrupt and SERR# (SHPC 4.9 to 4.10) --- */

static uint32_t int_locator(const PCIShpcBridge *b)
{
    uint32_t found =
        (b->serr_int & SHPC_COMMAND_COMPLETE) && !(b->serr_int & SHPC_COMMAND_INT_MASK);

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        found |= events_of(b, i) ? 2u << i : 0;
    }
    return found;
}

static uint32_t serr_locator(const PCIShpcBridge *b)
{
    uint32_t found = 0;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        found |= slot_serr(b, i) ? 2u << i : 0;
    }
    return found;
}

static uint64_t read_int_locator(void *dev, const RegDesc *r)
{
    return int_locator(dev);
}

static uint64_t read_serr_locator(void *dev, const RegDesc *r)
{
    return serr_locator(dev);
}

static bool interrupts(const PCIShpcBridge *b)
{
    return int_locator(b) && !(b->serr_int & SHPC_GLOBAL_INT_MASK);
}

static uint32_t selected(PCIShpcBridge *b);

static bool serr_asserted(const PCIShpcBridge *b)
{
    return serr_locator(b) && !(b->serr_int & SHPC_GLOBAL_SERR_MASK);
}

/* What follows from the registers: the capability's view of them, the interrupt, SERR#. */
static void settle(PCIShpcBridge *b)
{
    PCIDevice *d = pci_of(b);
    bool serr = serr_asserted(b);

    if (serr && !b->serr && (pci_get(d, PCI_COMMAND, 2) & PCI_COMMAND_SERR)) {
        pci_set(d, PCI_STATUS, 2, pci_get(d, PCI_STATUS, 2) | PCI_STATUS_SIG_SYSTEM_ERROR);
    }
    b->serr = serr;
    pci_set(d, b->shpc_pos + SHPC_CAP_PENDING, 1,
            (serr_locator(b) ? SHPC_CSP : 0) | (int_locator(b) ? SHPC_CIP : 0));
    pci_set(d, b->shpc_pos + SHPC_CAP_DATA, 4, selected(b));
    pci_irq_set(d, 0, interrupts(b));
}

static void event(PCIShpcBridge *b, unsigned i, uint32_t bits)
{
    set_slot(b, i, 0, bits);
    settle(b);
}

/* --- commands (SHPC 3.5) --- */

static void set_state(PCIShpcBridge *b, unsigned i, ShpcState to)
{
    ShpcState from = state_of(b, i);

    if (to == SHPC_NO_CHANGE || to == from) {
        return;
    }
    set_slot(b, i, SHPC_SLOT_STATE, to);
    if ((from == SHPC_ENABLED) != (to == SHPC_ENABLED)) {
        pci_slot_show(&b->state[i], to == SHPC_ENABLED, RESET_COLD);
    }
    if (to == SHPC_DISABLED) {
        pci_slot_powered_off(&b->state[i]);
    }
}

static void set_indicator(PCIShpcBridge *b, unsigned i, unsigned shift, PCIIndicator to)
{
    if (to != PCI_INDICATOR_RESERVED) { /* in a command: no change */
        set_slot(b, i, 3u << shift, (uint32_t)to << shift);
    }
}

static PCIIndicator power_indicator(const PCIShpcBridge *b, unsigned i)
{
    return b->slot[i] >> SHPC_SLOT_POWER_SHIFT & 3;
}

static uint16_t slot_command(PCIShpcBridge *b, uint8_t code, uint8_t target)
{
    unsigned i = target - SHPC_FIRST_DEVICE; /* slots count from 1, as their devices do here */
    ShpcState to = code & SHPC_CMD_STATE;
    PCIIndicator was;

    if (target < SHPC_FIRST_DEVICE || (to == SHPC_POWER_ONLY && state_of(b, i) == SHPC_ENABLED)) {
        return SHPC_STATUS_INVALID_COMMAND;
    }
    if ((to == SHPC_POWER_ONLY || to == SHPC_ENABLED) && latch_open(b, i)) {
        return SHPC_STATUS_MRL_OPEN;
    }
    was = power_indicator(b, i);
    set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, code >> SHPC_CMD_POWER_SHIFT & 3);
    set_indicator(b, i, SHPC_SLOT_ATTENTION_SHIFT, code >> SHPC_CMD_ATTENTION_SHIFT & 3);
    pci_slot_indicator(&b->state[i], was, power_indicator(b, i));
    set_state(b, i, to);
    return 0;
}

/* Every slot with a card and a closed latch, unless one is in use already. */
static uint16_t all_command(PCIShpcBridge *b, ShpcState to)
{
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (state_of(b, i) == SHPC_ENABLED) {
            return SHPC_STATUS_INVALID_COMMAND;
        }
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (!latch_open(b, i)) {
            set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, PCI_INDICATOR_ON);
            set_state(b, i, to);
        }
    }
    return 0;
}

static uint16_t execute(PCIShpcBridge *b, uint8_t code, uint8_t target)
{
    if (code <= SHPC_CMD_SLOT_LAST) {
        return slot_command(b, code, target);
    }
    if (code <= SHPC_CMD_SPEED_LAST) {
        return code == SHPC_CMD_SPEED_33 ? 0 : SHPC_STATUS_INVALID_SPEED;
    }
    switch (code) {
    case SHPC_CMD_POWER_ONLY_ALL:
        return all_command(b, SHPC_POWER_ONLY);
    case SHPC_CMD_ENABLE_ALL:
        return all_command(b, SHPC_ENABLED);
    default:
        return SHPC_STATUS_INVALID_COMMAND;
    }
}

static uint32_t command_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    PCIShpcBridge *b = dev;

    b->status = execute(b, b->command, b->target);
    b->serr_int |= SHPC_COMMAND_COMPLETE;
    settle(b);
    return 0;
}

static uint32_t settles(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    settle(dev);
    return 0;
}

/* --- the working register set --- */

#define SLOT_CONFIG                                                                                \
    (SHPC_SLOTS | SHPC_FIRST_DEVICE << SHPC_CONFIG_FIRST_SHIFT | 1 << SHPC_CONFIG_NUMBER_SHIFT |   \
     SHPC_CONFIG_NUMBERS_UP | SHPC_CONFIG_MRL | SHPC_CONFIG_BUTTON)
#define INTERFACE_1 (1u << 24) /* Programming Interface; the bus mode beside it is 0: 33 MHz */
#define SLOT_RESET                                                                                 \
    (SHPC_DISABLED | PCI_INDICATOR_OFF << SHPC_SLOT_POWER_SHIFT |                                  \
     PCI_INDICATOR_OFF << SHPC_SLOT_ATTENTION_SHIFT | SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY |       \
     SHPC_SLOT_MASKS)
enum {
    SERR_INT_MASKS = SHPC_GLOBAL_INT_MASK | SHPC_GLOBAL_SERR_MASK | SHPC_COMMAND_INT_MASK |
                     SHPC_ARBITER_SERR_MASK,
    SERR_INT_EVENTS = SHPC_COMMAND_COMPLETE | SHPC_ARBITER_TIMEOUT,
};
#define ROW(n)                                                                                     \
    REG32(PCIShpcBridge, slot[n], SHPC_SLOT + 4 * (n), .reset = SLOT_RESET, .rw = SHPC_SLOT_MASKS, \
          .w1c = SHPC_SLOT_EVENTS, .wrote = settles)
#define ROWS5(n) ROW(n), ROW((n) + 1), ROW((n) + 2), ROW((n) + 3), ROW((n) + 4)

static const RegDesc shpc_regs[] = {
    REG32_CONST("base offset", SHPC_BASE_OFFSET, 0),
    REG32_CONST("slots available 1", SHPC_SLOTS_AVAILABLE_1, SHPC_SLOTS),
    REG32_CONST("slots available 2", SHPC_SLOTS_AVAILABLE_2, 0),
    REG32_CONST("slot configuration", SHPC_SLOT_CONFIG, SLOT_CONFIG),
    REG32_CONST("secondary bus configuration", SHPC_BUS_CONFIG, INTERFACE_1),
    REG8(PCIShpcBridge, command, SHPC_COMMAND, .rw = 0xff, .wrote = command_wrote),
    REG8(PCIShpcBridge, target, SHPC_TARGET, .rw = 0x1f, .wrote = settles),
    REG16(PCIShpcBridge, status, SHPC_STATUS, .rw = 0),
    { .offset = SHPC_INT_LOCATOR,
      .width = 4,
      .field = REG_NO_FIELD,
      .name = "interrupt locator",
      .read = read_int_locator },
    { .offset = SHPC_SERR_LOCATOR,
      .width = 4,
      .field = REG_NO_FIELD,
      .name = "SERR locator",
      .read = read_serr_locator },
    REG32(PCIShpcBridge, serr_int, SHPC_SERR_INT, .reset = SERR_INT_MASKS, .rw = SERR_INT_MASKS,
          .w1c = SERR_INT_EVENTS, .wrote = settles),
    ROWS5(0),
    ROWS5(5),
    ROWS5(10),
    ROWS5(15),
    ROWS5(20),
    ROWS5(25),
    ROW(30),
};
static const RegFile shpc_file = { LIST(shpc_regs), "shpc" };
static const PCIBarDesc shpc_bar = { .index = SHPC_BAR,
                                     .kind = PCI_BAR_MEM64,
                                     .size = SHPC_BAR_SIZE,
                                     .regs = shpc_regs,
                                     .n_regs = G_N_ELEMENTS(shpc_regs) };

/* --- the capability --- */

static unsigned selected_offset(PCIShpcBridge *b)
{
    return 4 * pci_get(pci_of(b), b->shpc_pos + SHPC_CAP_SELECT, 1);
}

static uint32_t selected(PCIShpcBridge *b)
{
    unsigned at = selected_offset(b);

    return at < SHPC_END ? reg_read(&shpc_file, b, at, 4) : 0;
}

static uint16_t shpc_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return SHPC_CAP_SIZEOF;
}

static bool shpc_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    PCIConfig *c = &d->config;

    d->pin = 1;
    pci_config_set(c, PCI_INTERRUPT_PIN, 1, d->pin);
    pci_config_mask_set(c, PCI_WMASK, pos + SHPC_CAP_SELECT, 1, 0xff);
    pci_config_mask_set(c, PCI_WMASK, pos + SHPC_CAP_DATA, 4, ~0u);
    pci_config_mask_set(c, PCI_CMASK, pos + SHPC_CAP_PENDING, 1, 0); /* state, not identity */
    return pci_add_bar(d, &shpc_bar, err);
}

static void shpc_placed(PCIDevice *d, unsigned row)
{
    ((PCIShpcBridge *)d)->shpc_pos = d->cap_pos[row];
}

static void shpc_written(PCIDevice *d, unsigned row, const PCIConfigWrite *w)
{
    PCIShpcBridge *b = (PCIShpcBridge *)d;
    uint32_t value, bits = pci_write_bits(w, b->shpc_pos + SHPC_CAP_DATA, 4, &value);
    unsigned at = selected_offset(b);

    if (bits && at < SHPC_END) {
        unsigned first = (unsigned)__builtin_ctz(bits) / 8;
        unsigned n = (unsigned)__builtin_popcount(bits) / 8;

        reg_write(&shpc_file, b, at + first, value >> 8 * first, n);
    }
    settle(b);
}

const PCICapClass pci_shpc_class = {
    .id = PCI_CAP_ID_SHPC,
    .present_bit = -1, /* a BAR, a pin and the bus's slots come with it */
    .doc = "hot-plug controller: the bus behind can be plugged live, from slot 1 on",
    .bar = &shpc_bar,
    .length = shpc_length,
    .setup = shpc_setup,
    .placed = shpc_placed,
    .written = shpc_written,
};

/* --- cards come and go --- */

/* Powered at reset, or from the start, with the card in it. */
static void power_up(PCIShpcBridge *b, unsigned i)
{
    set_indicator(b, i, SHPC_SLOT_POWER_SHIFT, PCI_INDICATOR_ON);
    set_state(b, i, SHPC_ENABLED);
}

static void came(PCIShpcBridge *b, unsigned i)
{
    set_slot(b, i, SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY, 0);
    if (pci_slot_live(&b->state[i])) {
        event(b, i, SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED | SHPC_SLOT_BUTTON_PRESSED);
    } else {
        power_up(b, i);
    }
}

static void went(PCIShpcBridge *b, unsigned i)
{
    /* A button pressed for this card has no meaning for the next one. */
    set_slot(b, i, SHPC_SLOT_STATE | SHPC_SLOT_BUTTON_PRESSED,
             SHPC_DISABLED | SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY);
    pci_slot_emptied(&b->state[i]);
    if (pci_slot_live(&b->state[i])) {
        event(b, i, SHPC_SLOT_PRESENCE_CHANGED | SHPC_SLOT_MRL_CHANGED);
    }
}

static void on_presence(PCIBridge *br, PCIDevice *d, bool present)
{
    PCIShpcBridge *b = (PCIShpcBridge *)br;
    PCISlot *s = pci_slot_of(d);
    bool card = s && pci_slot_is_card(s, d);

    if (s && present && state_of(b, index_of(b, s)) != SHPC_ENABLED &&
        (pci_slot_live(s) || !card)) {
        pci_device_power(d, false, RESET_COLD);
    }
    if (card && present) {
        came(b, index_of(b, s));
    } else if (card) {
        went(b, index_of(b, s));
    }
}

static void on_reset_held(PCIBridge *br)
{
    PCIShpcBridge *b = (PCIShpcBridge *)br;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        pci_slot_show(&b->state[i], state_of(b, i) == SHPC_ENABLED, RESET_HOT);
    }
}

/* --- life --- */

static bool slot_powered(const PCISlot *s)
{
    const PCIShpcBridge *b = (const PCIShpcBridge *)s->br;

    return state_of(b, index_of(b, s)) != SHPC_DISABLED;
}

static void slot_press(PCISlot *s)
{
    PCIShpcBridge *b = (PCIShpcBridge *)s->br;

    event(b, index_of(b, s), SHPC_SLOT_BUTTON_PRESSED);
}

static const PCISlotOps slot_ops = { .powered = slot_powered, .press = slot_press };

void pci_shpc_init(PCIShpcBridge *b)
{
    b->br.presence = b->shpc_pos ? on_presence : NULL;
    b->br.reset_held = b->shpc_pos ? on_reset_held : NULL;
    pci_slots_init(&b->br, b->state, SHPC_SLOTS, SHPC_FIRST_DEVICE, b->shpc_pos != 0, &slot_ops);
}

void pci_shpc_fini(PCIShpcBridge *b)
{
    pci_slots_fini(&b->br);
}

/* The core put the registers to their reset values: as if nothing were plugged. */
void pci_shpc_reset(PCIShpcBridge *b)
{
    if (!b->shpc_pos) {
        return;
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        pci_slot_reset(&b->state[i]);
        if (pci_slot_occupied(&b->state[i])) {
            set_slot(b, i, SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY, 0);
            power_up(b, i);
        }
    }
    settle(b);
}

/* --- saved state --- */

static bool refuse(GError **err, unsigned i, const char *why)
{
    pci_error(err, "slot %u: %s", i + SHPC_FIRST_DEVICE, why);
    return false;
}

/* Who stands in a slot is the machine's business; the rest must be something a guest can do. */
static bool slot_check(const PCIShpcBridge *b, unsigned i, GError **err)
{
    bool there = pci_slot_occupied(&b->state[i]);
    uint32_t r = b->slot[i], sensors = SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY;

    if ((r & sensors) != (there ? 0 : sensors)) {
        return refuse(err, i,
                      there ? "said to be empty, but a device is in it"
                            : "said to have a card, but it is empty");
    }
    if (!(r & SHPC_SLOT_STATE) || !(r >> SHPC_SLOT_POWER_SHIFT & 3) ||
        !(r >> SHPC_SLOT_ATTENTION_SHIFT & 3)) {
        return refuse(err, i, "a reserved state or indicator");
    }
    if (!there && state_of(b, i) != SHPC_DISABLED) {
        return refuse(err, i, "power on an empty slot");
    }
    return true;
}

static bool all_zero(const PCIShpcBridge *b)
{
    uint32_t any = b->command | b->target | b->status | b->serr_int;

    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        any |= b->slot[i];
    }
    return any == 0;
}

static bool shpc_check(void *obj, GError **err)
{
    PCIShpcBridge *b = obj;

    if (!b->shpc_pos) {
        if (!all_zero(b)) {
            pci_error(err, "registers of a hot-plug controller that shpc=off left out");
        }
        return all_zero(b);
    }
    for (unsigned i = 0; i < SHPC_SLOTS; i++) {
        if (!slot_check(b, i, err)) {
            return false;
        }
    }
    if (interrupts(b) != (pci_of(b)->levels & 1)) {
        pci_error(err, "the hot-plug interrupt does not agree with its events and masks");
        return false;
    }
    return true;
}

static bool shpc_post_load(void *obj, GError **err)
{
    PCIShpcBridge *b = obj;

    for (unsigned i = 0; b->shpc_pos && i < SHPC_SLOTS; i++) {
        pci_slot_show(&b->state[i], state_of(b, i) == SHPC_ENABLED, RESET_COLD);
    }
    if (b->shpc_pos) {
        b->serr = serr_asserted(b); /* no edge */
        settle(b);
    }
    return true;
}

static const VmField shpc_fields[] = {
    VM_U8(PCIShpcBridge, command),
    VM_U8(PCIShpcBridge, target, .max = 0x1f),
    VM_U16(PCIShpcBridge, status,
           .mask = SHPC_STATUS_MRL_OPEN | SHPC_STATUS_INVALID_COMMAND | SHPC_STATUS_INVALID_SPEED),
    VM_U32(PCIShpcBridge, serr_int, .mask = SERR_INT_MASKS | SHPC_COMMAND_COMPLETE),
    VM_U32_ARRAY(PCIShpcBridge, slot,
                 .mask = 0x3f | SHPC_SLOT_MRL_OPEN | SHPC_SLOT_EMPTY | SHPC_SLOT_PRESENCE_CHANGED |
                         SHPC_SLOT_BUTTON_PRESSED | SHPC_SLOT_MRL_CHANGED | SHPC_SLOT_MASKS),
    VM_STRUCT_ARRAY(PCIShpcBridge, state, &pci_slot_state),
};
const VmState pci_shpc_state = { .name = "shpc",
                                 .version = 1,
                                 .fields = LIST(shpc_fields),
                                 .check = shpc_check,
                                 .post_load = shpc_post_load };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of Express ports: the registers' behaviour and hot-plug events (PCIe 5.0 6.7 and 7.5.3.10
 * to 7.5.3.11; contract in hw/pci/port.h). The unplug job is slot.c's.
 *
 * Order of a hot plug: presence, then the link if the slot has power, then the two changed bits,
 * then one interrupt. Order of removal: link and presence drop, then the changed bits.
 */
#include "hw/pci/port.h"

#include "hw/pci/exp_regs.h"
#include "hw/pci/pci_int.h"

#define SWAP_NS 500000000 /* between a card that goes and one that comes, for hands */

/* --- registers --- */

static PCIDevice *pci_of(PCIPort *p)
{
    return &p->br.pci;
}

static uint32_t reg(const PCIPort *p, uint16_t at, unsigned len)
{
    return pci_config_get(&p->br.pci.config, p->br.pci.exp_pos + at, len);
}

static void set_reg(PCIPort *p, uint16_t at, unsigned len, uint32_t clear, uint32_t set)
{
    pci_config_set(&p->br.pci.config, p->br.pci.exp_pos + at, len,
                   (reg(p, at, len) & ~clear) | set);
}

static bool has_controller(const PCIPort *p)
{
    return reg(p, EXP_SLTCAP, 4) & EXP_SLTCAP_PCP;
}

bool pci_port_powered(const PCIPort *p)
{
    return !has_controller(p) || !(reg(p, EXP_SLTCTL, 2) & EXP_SLTCTL_PCC);
}

/* --- the interrupt (6.7.3.4) --- */

/* The conditions share vector 0: a message on each rising edge, the pin as their or. */
static void raise_if_new(PCIPort *p, bool *asserted, bool now)
{
    PCIDevice *d = pci_of(p);
    bool messages = msix_enabled(d) || msi_enabled(d);

    if (now && !*asserted && messages) {
        pci_irq_pulse(d, 0);
    }
    *asserted = now;
    pci_irq_set(d, 0, !messages && (p->hp_asserted || p->aer_asserted || p->bw_asserted));
}

/* Link Bandwidth Management and Link Autonomous Bandwidth: status bits and their enables
 * (7.5.3.7, 7.5.3.8). */
static bool bandwidth_changed(const PCIPort *p)
{
    uint16_t control = reg(p, EXP_LNKCTL, 2), status = reg(p, EXP_LNKSTA, 2);

    return ((status & EXP_LNKSTA_LBMS) && (control & EXP_LNKCTL_LBMIE)) ||
           ((status & EXP_LNKSTA_LABS) && (control & EXP_LNKCTL_LABIE));
}

void pci_port_update_irq(PCIPort *p)
{
    uint16_t control, status, events;

    control = reg(p, EXP_SLTCTL, 2);
    status = reg(p, EXP_SLTSTA, 2);
    events = status & control & EXP_SLT_SAME_BITS;
    if ((status & EXP_SLTSTA_DLLSC) && (control & EXP_SLTCTL_DLLSCE)) {
        events |= EXP_SLTSTA_DLLSC;
    }
    raise_if_new(p, &p->hp_asserted, (control & EXP_SLTCTL_HPIE) && events);
    raise_if_new(p, &p->bw_asserted, bandwidth_changed(p));
}

void pci_port_set_error_irq(PCIPort *p, bool asserted)
{
    raise_if_new(p, &p->aer_asserted, asserted);
}

/* Set bits of Slot Status, those that this slot has: a guest can clear no others. */
static void latch(PCIPort *p, uint16_t bits)
{
    const PCIConfig *c = &pci_of(p)->config;
    uint16_t at = pci_of(p)->exp_pos + EXP_SLTSTA;

    bits &= pci_config_mask(c, PCI_W1CMASK, at) | pci_config_mask(c, PCI_W1CMASK, at + 1) << 8;
    set_reg(p, EXP_SLTSTA, 2, 0, bits);
}

static void event(PCIPort *p, uint16_t bits)
{
    latch(p, bits);
    pci_port_update_irq(p);
}

/* --- power and link of what stands in the slot --- */

static bool occupied(const PCIPort *p)
{
    return reg(p, EXP_SLTSTA, 2) & EXP_SLTSTA_PDS;
}

/* A request can get through the port to what is below, if there is anything: the slot has power,
 * and neither Link Disable nor Secondary Bus Reset keeps the link down. */
static bool open_below(const PCIPort *p)
{
    return pci_port_powered(p) && !(reg(p, EXP_LNKCTL, 2) & EXP_LNKCTL_DISABLE) &&
           !pci_bridge_in_reset(&p->br);
}

/* Set Data Link Layer Link Active. True if it changed. */
static bool set_link(PCIPort *p, bool up)
{
    bool was = reg(p, EXP_LNKSTA, 2) & EXP_LNKSTA_DLLLA;

    set_reg(p, EXP_LNKSTA, 2, EXP_LNKSTA_DLLLA, up ? EXP_LNKSTA_DLLLA : 0);
    return was != up;
}

static bool listening(const PCIPort *p)
{
    return reg(p, EXP_SLTCTL, 2) & EXP_SLTCTL_HPIE;
}

/* Bring the link to the state that the registers require. A link that goes down resets what is
 * below it (6.6.1); what appears again comes out of a reset of this kind. */
static void follow_link(PCIPort *p, ResetKind kind)
{
    bool up = open_below(p) && occupied(p);

    if (!up && (reg(p, EXP_LNKSTA, 2) & EXP_LNKSTA_DLLLA)) {
        pci_bus_reset(&p->br.sec, RESET_HOT);
    }
    pci_slot_show(&p->state, open_below(p), kind);
    if (set_link(p, up)) {
        latch(p, EXP_SLTSTA_DLLSC);
    }
}

void pci_port_link_control(PCIPort *p, uint16_t written)
{
    follow_link(p, RESET_HOT);
    /* The link is trained at once; a completed retraining is a bandwidth event (7.5.3.8). */
    if ((written & EXP_LNKCTL_RETRAIN) && (reg(p, EXP_LNKSTA, 2) & EXP_LNKSTA_DLLLA) &&
        (reg(p, EXP_LNKCAP, 4) & EXP_LNKCAP_LBNC)) {
        set_reg(p, EXP_LNKSTA, 2, 0, EXP_LNKSTA_LBMS);
    }
    pci_port_update_irq(p);
}

static void on_reset_held(PCIBridge *br)
{
    PCIPort *p = (PCIPort *)br;

    follow_link(p, RESET_HOT);
    pci_port_update_irq(p);
}

/* The guest is about to see what is in the slot: it has yet to notice that the link dropped, has
 * yet to answer a button, is on its way to switching power on, or was told a moment ago that a card
 * went. A button pressed now would be taken for its opposite. */
static bool guest_will_look(const PCIPort *p)
{
    return listening(p) && (open_below(p) || p->attended || timer_armed(&p->swap));
}

/* Whoever puts a card in presses the button, unless the guest will look anyway: where there is one,
 * Linux enables its interrupt instead of the one for presence. Slot Status bits that this sets. */
static uint16_t button_of_card(PCIPort *p)
{
    if (!(reg(p, EXP_SLTCAP, 4) & EXP_SLTCAP_ABP)) {
        return 0;
    }
    if (guest_will_look(p)) {
        p->unsaid = true;
        return 0;
    }
    p->attended = listening(p) && !pci_port_powered(p);
    return EXP_SLTSTA_ABP;
}

/* A card came that the guest, it turns out, has not found by itself. */
static void say(PCIPort *p)
{
    if (p->unsaid && occupied(p) && !guest_will_look(p)) {
        p->unsaid = false;
        event(p, button_of_card(p));
    }
}

static void swap_over(void *arg)
{
    say(arg);
}

static void on_presence(PCIBridge *br, PCIDevice *d, bool present)
{
    PCIPort *p = (PCIPort *)br;
    bool card = pci_slot_is_card(&p->state, d);
    uint16_t changed = EXP_SLTSTA_PDC;

    if (present && !open_below(p)) {
        if (pci_slot_live(&p->state) || !card) {
            pci_device_power(d, false, RESET_COLD);
        } else {
            /* Powered at reset with the card in it. */
            set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_PCC | EXP_SLTCTL_PIC, EXP_SLTCTL_PIC_ON);
            pci_slot_show(&p->state, true, RESET_COLD);
        }
    }
    if (!card) {
        return;
    }
    if (!present) {
        /* A button pressed for this card has no meaning for the next one. */
        set_reg(p, EXP_SLTSTA, 2, EXP_SLTSTA_ABP, 0);
    }
    if (!present && !pci_slot_live(&p->state) && has_controller(p)) {
        set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_PIC, EXP_SLTCTL_PIC_OFF | EXP_SLTCTL_PCC);
    }
    set_reg(p, EXP_SLTSTA, 2, EXP_SLTSTA_PDS, present ? EXP_SLTSTA_PDS : 0);
    if (present) {
        changed |= button_of_card(p);
    }
    if (set_link(p, present && open_below(p))) {
        changed |= EXP_SLTSTA_DLLSC;
    }
    if (!present) {
        pci_slot_emptied(&p->state);
        timer_arm_ns(&p->swap, SWAP_NS);
    }
    if (pci_slot_live(&p->state)) {
        event(p, changed);
    }
}

/* --- commands --- */

static void power_changed(PCIPort *p, bool on)
{
    p->unsaid = p->unsaid && !on;
    if (on) { /* a power cycle, even while the link stays down */
        pci_bus_reset(&p->br.sec, RESET_COLD);
    }
    follow_link(p, RESET_COLD);
    if (!on) {
        pci_slot_powered_off(&p->state);
    }
}

static bool slot_locked(const PCISlot *s)
{
    return reg((const PCIPort *)s->br, EXP_SLTSTA, 2) & EXP_SLTSTA_EIS;
}

static PCIIndicator indicator(uint16_t control)
{
    return (control & EXP_SLTCTL_PIC) / EXP_SLTCTL_PIC_ON;
}

/* A command, not a setting: it toggles the interlock and reads as zero (7.5.3.10). */
static void toggle_interlock(PCIPort *p)
{
    set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_EIC, 0);
    set_reg(p, EXP_SLTSTA, 2, EXP_SLTSTA_EIS, ~reg(p, EXP_SLTSTA, 2) & EXP_SLTSTA_EIS);
    if (!slot_locked(&p->state)) {
        pci_slot_unlocked(&p->state);
    }
}

/* See guest_will_look(): it goes to power on while it blinks without power. One that stops blinking
 * without it had found the slot empty: of a card that came since then it has to be told. */
static void follow_attention(PCIPort *p, PCIIndicator was, PCIIndicator is)
{
    bool gave_up = was == PCI_INDICATOR_BLINK && is == PCI_INDICATOR_OFF && !pci_port_powered(p);

    if (was != is) {
        p->attended = is == PCI_INDICATOR_BLINK && !pci_port_powered(p);
    }
    p->attended = p->attended && listening(p);
    if (gave_up) {
        say(p);
    }
    p->unsaid = p->unsaid && guest_will_look(p);
}

void pci_port_slot_control(PCIPort *p, uint16_t old)
{
    uint16_t now = reg(p, EXP_SLTCTL, 2);

    if (now & EXP_SLTCTL_EIC) {
        toggle_interlock(p);
        now &= ~EXP_SLTCTL_EIC;
    }
    pci_slot_indicator(&p->state, indicator(old), indicator(now));
    follow_attention(p, indicator(old), indicator(now));
    if (has_controller(p) && ((old ^ now) & EXP_SLTCTL_PCC)) {
        power_changed(p, !(now & EXP_SLTCTL_PCC));
    }
    event(p, EXP_SLTSTA_CC);
}

/* --- life --- */

static bool slot_powered(const PCISlot *s)
{
    return pci_port_powered((const PCIPort *)s->br);
}

static void slot_press(PCISlot *s)
{
    event((PCIPort *)s->br, EXP_SLTSTA_ABP);
}

/* A guest that finds the card gone switches the slot off, and then looks what is there. */
static void slot_pulled(PCISlot *s)
{
    PCIPort *p = (PCIPort *)s->br;

    p->attended = pci_port_powered(p) && listening(p);
}

static const PCISlotOps slot_ops = {
    .powered = slot_powered, .press = slot_press, .locked = slot_locked, .pulled = slot_pulled
};

void pci_port_init(PCIPort *p)
{
    p->br.presence = on_presence;
    p->br.reset_held = on_reset_held;
    timer_setup_plain(&p->swap, pci_of(p)->dev.machine, CLOCK_KIND_VIRTUAL, swap_over, p);
    pci_slots_init(&p->br, &p->state, 1, PCI_SLOT_WHOLE_BUS, p->hotplug_prop, &slot_ops);
}

void pci_port_fini(PCIPort *p)
{
    timer_cancel(&p->swap);
    pci_slots_fini(&p->br);
}

void pci_port_reset(PCIPort *p)
{
    bool there = pci_slot_occupied(&p->state);

    pci_slot_reset(&p->state);
    timer_cancel(&p->swap);
    p->hp_asserted = p->aer_asserted = p->bw_asserted = p->attended = p->unsaid = false;
    set_reg(p, EXP_SLTSTA, 2, 0xffff, there ? EXP_SLTSTA_PDS : 0);
    set_link(p, there);
    /* With power on again after the reset, what the guest had switched off is back. */
    if (there) {
        set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_PCC, 0);
        pci_slot_show(&p->state, true, RESET_COLD);
    }
}

/* How long ago a card went is not saved: who is to be told of another waits from now. */
void pci_port_loaded(PCIPort *p)
{
    timer_cancel(&p->swap);
    if (p->unsaid) {
        timer_arm_ns(&p->swap, SWAP_NS);
    }
    pci_slot_show(&p->state, open_below(p), RESET_COLD);
    /* Streams of builds that ignored Link Disable may say otherwise. */
    set_link(p, open_below(p) && occupied(p));
}

static const VmField port_fields[] = {
    VM_RECORD(PCIPort, br.pci, PCIDevice, &pci_record_ops),
    VM_STRUCT(PCIPort, state, &pci_slot_state),
    VM_BOOL(PCIPort, hp_asserted),
    VM_BOOL(PCIPort, aer_asserted),
    VM_BOOL(PCIPort, attended, .since = 2),
    VM_BOOL(PCIPort, unsaid, .since = 3),
    VM_BOOL(PCIPort, bw_asserted, .since = 4),
};

/* Who stands in the slot is the machine's business. */
static bool port_check(void *obj, GError **err)
{
    const PCIPort *p = obj;
    bool there = pci_slot_occupied(&p->state);

    if (occupied(p) != there) {
        pci_error(err, "Presence Detect State is %u, but the slot %s", occupied(p),
                  there ? "has a card" : "is empty");
        return false;
    }
    return true;
}

static bool port_post_load(void *obj, GError **err)
{
    pci_port_loaded(obj);
    return true;
}

const VmState pci_port_state = { .name = "pcie-port",
                                 .version = 4,
                                 .fields = LIST(port_fields),
                                 .check = port_check,
                                 .post_load = port_post_load };

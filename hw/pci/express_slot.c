/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slot registers of Express ports and the port's interrupt (PCIe 5.0 6.7, 7.5.3.7 to 7.5.3.11;
 * contract in hw/pci/port.h). The states of the slot are in slot_table.c.
 *
 * Order of an insertion: presence, the link if the slot has power, the change bits, one interrupt.
 * Order of a removal: link and presence are cleared, the change bits, one interrupt.
 */
#include "hw/pci/port.h"

#include "internal.h"
#include "util/error.h"

/* Debounce time between a removal and the button press for the next device. */
#define PORT_SWAP_NS 500000000

/* --- registers --- */

static uint32_t port_reg(const PCIPort *p, uint16_t at, unsigned len)
{
    return pci_config_get(&p->br.pci.config, p->br.pci.exp_pos + at, len);
}

static void port_set_reg(PCIPort *p, uint16_t at, unsigned len, uint32_t clear, uint32_t set)
{
    pci_config_set(&p->br.pci.config, p->br.pci.exp_pos + at, len,
                   (port_reg(p, at, len) & ~clear) | set);
}

static bool port_has_power_controller(const PCIPort *p)
{
    return port_reg(p, PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_PCP;
}

bool pci_port_powered(const PCIPort *p)
{
    return !port_has_power_controller(p) || !(port_reg(p, PCI_EXP_SLTCTL, 2) & PCI_EXP_SLTCTL_PCC);
}

/* --- the interrupt (PCIe 6.7.3.4) --- */

/* All conditions share vector 0: a message is sent on the rising edge of each condition, the pin is
 * the OR of them. */
static void port_set_condition(PCIPort *p, bool *asserted, bool now)
{
    PCIDevice *d = &p->br.pci;
    bool messages = msix_enabled(d) || msi_enabled(d);

    if (now && !*asserted && messages) {
        pci_irq_pulse(d, 0);
    }
    *asserted = now;
    pci_irq_set(d, 0, !messages && (p->hp_asserted || p->aer_asserted || p->bw_asserted));
}

/* Link Bandwidth Management and Link Autonomous Bandwidth: status bits and their enables
 * (PCIe 7.5.3.7, 7.5.3.8). */
static bool port_bandwidth_changed(const PCIPort *p)
{
    uint16_t control = port_reg(p, PCI_EXP_LNKCTL, 2), status = port_reg(p, PCI_EXP_LNKSTA, 2);

    return ((status & PCI_EXP_LNKSTA_LBMS) && (control & PCI_EXP_LNKCTL_LBMIE)) ||
           ((status & PCI_EXP_LNKSTA_LABS) && (control & PCI_EXP_LNKCTL_LABIE));
}

void pci_port_update_irq(PCIPort *p)
{
    uint16_t control, status, events;

    control = port_reg(p, PCI_EXP_SLTCTL, 2);
    status = port_reg(p, PCI_EXP_SLTSTA, 2);
    events = status & control & PCI_EXP_SLT_SAME_BITS;
    if ((status & PCI_EXP_SLTSTA_DLLSC) && (control & PCI_EXP_SLTCTL_DLLSCE)) {
        events |= PCI_EXP_SLTSTA_DLLSC;
    }
    port_set_condition(p, &p->hp_asserted, (control & PCI_EXP_SLTCTL_HPIE) && events);
    port_set_condition(p, &p->bw_asserted, port_bandwidth_changed(p));
}

void pci_port_set_error_irq(PCIPort *p, bool asserted)
{
    port_set_condition(p, &p->aer_asserted, asserted);
}

/* Set bits of Slot Status. Bits that this slot does not implement are dropped, because the guest
 * could not clear them. */
static void port_latch(PCIPort *p, uint16_t bits)
{
    const PCIConfig *c = &p->br.pci.config;
    uint16_t at = p->br.pci.exp_pos + PCI_EXP_SLTSTA;

    bits &= pci_config_mask(c, PCI_W1CMASK, at) | pci_config_mask(c, PCI_W1CMASK, at + 1) << 8;
    port_set_reg(p, PCI_EXP_SLTSTA, 2, 0, bits);
}

static void port_latch_event(PCIPort *p, uint16_t bits)
{
    port_latch(p, bits);
    pci_port_update_irq(p);
}

/* --- power and link --- */

/* Presence Detect State. */
static bool port_occupied(const PCIPort *p)
{
    return port_reg(p, PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_PDS;
}

/* The link can be active: the slot has power, and neither Link Disable nor Secondary Bus Reset
 * keeps the link down. */
static bool port_link_enabled(const PCIPort *p)
{
    return pci_port_powered(p) && !(port_reg(p, PCI_EXP_LNKCTL, 2) & PCI_EXP_LNKCTL_LD) &&
           !pci_bridge_in_reset(&p->br);
}

/* Set Data Link Layer Link Active. True if it changed. */
static bool port_set_link(PCIPort *p, bool up)
{
    bool was = port_reg(p, PCI_EXP_LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA;

    port_set_reg(p, PCI_EXP_LNKSTA, 2, PCI_EXP_LNKSTA_DLLLA, up ? PCI_EXP_LNKSTA_DLLLA : 0);
    return was != up;
}

/* Bring the link to the state that the registers require. A link that goes down resets the devices
 * below it (PCIe 6.6.1). Functions that become visible have gone through a reset of class `kind`.
 */
static void port_follow_link(PCIPort *p, ResetKind kind)
{
    bool up = port_link_enabled(p) && port_occupied(p);

    if (!up && (port_reg(p, PCI_EXP_LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA)) {
        pci_bus_reset(&p->br.sec, RESET_HOT);
    }
    pci_slot_show(&p->slot, port_link_enabled(p), kind);
    if (port_set_link(p, up)) {
        port_latch(p, PCI_EXP_SLTSTA_DLLSC);
    }
}

void pci_port_link_control(PCIPort *p, uint16_t written)
{
    port_follow_link(p, RESET_HOT);
    /* The link trains immediately. The end of a retraining is a bandwidth event (PCIe 7.5.3.8). */
    if ((written & PCI_EXP_LNKCTL_RL) && (port_reg(p, PCI_EXP_LNKSTA, 2) & PCI_EXP_LNKSTA_DLLLA) &&
        (port_reg(p, PCI_EXP_LNKCAP, 4) & PCI_EXP_LNKCAP_LBNC)) {
        port_set_reg(p, PCI_EXP_LNKSTA, 2, 0, PCI_EXP_LNKSTA_LBMS);
    }
    pci_port_update_irq(p);
}

static void port_reset_held(PCIBridge *br)
{
    PCIPort *p = (PCIPort *)br;

    port_follow_link(p, RESET_HOT);
    pci_port_update_irq(p);
}

/* --- announcing an inserted device --- */

static bool port_hp_irq_enabled(const PCIPort *p)
{
    return port_reg(p, PCI_EXP_SLTCTL, 2) & PCI_EXP_SLTCTL_HPIE;
}

/* The guest is about to check the slot by itself: it has not yet processed a link change or a
 * button press, it is switching power on, or a removal was reported to it a moment ago. pciehp
 * would take a button press now for the request to remove the device. */
static bool port_guest_will_look(const PCIPort *p)
{
    return port_hp_irq_enabled(p) && (port_link_enabled(p) || p->attended || timer_armed(&p->swap));
}

/* The user who inserts a device presses the button, unless the guest checks the slot anyway. pciehp
 * does not enable the presence interrupt on slots with a button. Returns the Slot Status bit. */
static uint16_t port_insertion_button(PCIPort *p)
{
    if (!(port_reg(p, PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_ABP)) {
        return 0;
    }
    if (port_guest_will_look(p)) {
        p->unsaid = true;
        return 0;
    }
    p->attended = port_hp_irq_enabled(p) && !pci_port_powered(p);
    return PCI_EXP_SLTSTA_ABP;
}

static void port_announce(PCISlot *s)
{
    PCIPort *p = (PCIPort *)s->br;

    port_latch(p, port_insertion_button(p));
}

/* Press the button for a device that the guest was expected to find by itself but did not. */
static void port_announce_unsaid(PCIPort *p)
{
    if (p->unsaid && port_occupied(p) && !port_guest_will_look(p)) {
        p->unsaid = false;
        port_latch_event(p, port_insertion_button(p));
    }
}

static void port_swap_cb(void *arg)
{
    port_announce_unsaid(arg);
}

/* --- presence --- */

static PCIIndicator port_power_indicator(uint16_t control)
{
    return (control & PCI_EXP_SLTCTL_PIC) / PCI_EXP_SLTCTL_PWR_IND_ON;
}

/* Before the guest can watch the slot, a device appears in it as if it had been there at reset:
 * with power. */
static void port_power_up_cold(PCIPort *p)
{
    port_set_reg(p, PCI_EXP_SLTCTL, 2, PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC,
                 PCI_EXP_SLTCTL_PWR_IND_ON);
    pci_slot_show(&p->slot, true, RESET_COLD);
}

static PCISlotEvent port_insertion_event(const PCIPort *p)
{
    if (!pci_slot_live(&p->slot)) {
        return PCI_SLOT_EV_INSERTED_COLD;
    }
    return pci_port_powered(p) ? PCI_SLOT_EV_INSERTED_POWERED : PCI_SLOT_EV_INSERTED;
}

/* Function 0 was plugged. */
static void port_inserted(PCIPort *p)
{
    port_set_reg(p, PCI_EXP_SLTSTA, 2, 0, PCI_EXP_SLTSTA_PDS);
    pci_slot_event(&p->slot, port_insertion_event(p));
}

/* Function 0 is being removed. */
static void port_emptied(PCIPort *p)
{
    /* A button that was pressed for this device does not apply to the next one. A guest that has
     * not seen it does nothing. */
    if ((port_reg(p, PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_ABP) &&
        port_power_indicator(port_reg(p, PCI_EXP_SLTCTL, 2)) != PCI_INDICATOR_BLINK) {
        p->attended = false;
    }
    port_set_reg(p, PCI_EXP_SLTSTA, 2, PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDS, 0);
    if (!pci_slot_live(&p->slot) && port_has_power_controller(p)) {
        port_set_reg(p, PCI_EXP_SLTCTL, 2, PCI_EXP_SLTCTL_PIC,
                     PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PCC);
    }
    pci_slot_event(&p->slot, PCI_SLOT_EV_EMPTIED);
    timer_arm_ns(&p->swap, PORT_SWAP_NS);
}

static void port_presence(PCIBridge *br, PCIDevice *d, bool present)
{
    PCIPort *p = (PCIPort *)br;
    bool function_0 = pci_slot_is_function_0(&p->slot, d);
    uint16_t changed = PCI_EXP_SLTSTA_PDC;

    if (present && !port_link_enabled(p)) {
        if (pci_slot_live(&p->slot) || !function_0) {
            pci_device_power(d, false, RESET_COLD);
        } else {
            port_power_up_cold(p);
        }
    }
    if (!function_0) {
        return;
    }
    if (present) {
        port_inserted(p);
    } else {
        port_emptied(p);
    }
    if (port_set_link(p, present && port_link_enabled(p))) {
        changed |= PCI_EXP_SLTSTA_DLLSC;
    }
    if (pci_slot_live(&p->slot)) {
        port_latch_event(p, changed);
    }
    pci_slot_assert(&p->slot);
}

/* --- commands of the guest --- */

static void port_power_written(PCIPort *p, bool on)
{
    p->unsaid = p->unsaid && !on;
    if (on) { /* a power cycle, even if the link stays down */
        pci_bus_reset(&p->br.sec, RESET_COLD);
    }
    port_follow_link(p, RESET_COLD);
    pci_slot_event(&p->slot, on ? PCI_SLOT_EV_POWER_ON : PCI_SLOT_EV_POWER_OFF);
}

static bool port_locked(const PCISlot *s)
{
    return port_reg((const PCIPort *)s->br, PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_EIS;
}

/* Electromechanical Interlock Control is a command: it toggles the interlock and reads as zero
 * (PCIe 7.5.3.10). */
static void port_toggle_interlock(PCIPort *p)
{
    port_set_reg(p, PCI_EXP_SLTCTL, 2, PCI_EXP_SLTCTL_EIC, 0);
    port_set_reg(p, PCI_EXP_SLTSTA, 2, PCI_EXP_SLTSTA_EIS,
                 ~port_reg(p, PCI_EXP_SLTSTA, 2) & PCI_EXP_SLTSTA_EIS);
    if (!port_locked(&p->slot)) {
        pci_slot_event(&p->slot, PCI_SLOT_EV_RELEASED);
    }
}

/* Track whether the guest will check the slot, see port_guest_will_look(). A guest is switching
 * power on while the indicator blinks without power. An indicator that turns off from there without
 * power means that the guest found the slot empty: announce a device that was inserted since. */
static void port_follow_attention(PCIPort *p, PCIIndicator was, PCIIndicator is)
{
    bool gave_up = was == PCI_INDICATOR_BLINK && is == PCI_INDICATOR_OFF && !pci_port_powered(p);

    if (was != is) {
        p->attended = is == PCI_INDICATOR_BLINK && !pci_port_powered(p);
    }
    p->attended = p->attended && port_hp_irq_enabled(p);
    if (gave_up) {
        port_announce_unsaid(p);
    }
    p->unsaid = p->unsaid && port_guest_will_look(p);
}

void pci_port_slot_control(PCIPort *p, uint16_t old)
{
    uint16_t now = port_reg(p, PCI_EXP_SLTCTL, 2);

    if (now & PCI_EXP_SLTCTL_EIC) {
        port_toggle_interlock(p);
        now &= ~PCI_EXP_SLTCTL_EIC;
    }
    pci_slot_indicator(&p->slot, port_power_indicator(old), port_power_indicator(now));
    port_follow_attention(p, port_power_indicator(old), port_power_indicator(now));
    if (port_has_power_controller(p) && ((old ^ now) & PCI_EXP_SLTCTL_PCC)) {
        port_power_written(p, !(now & PCI_EXP_SLTCTL_PCC));
    }
    port_latch_event(p, PCI_EXP_SLTSTA_CC);
    pci_slot_assert(&p->slot);
}

/* --- the slot's operations --- */

static bool port_slot_powered(const PCISlot *s)
{
    return pci_port_powered((const PCIPort *)s->br);
}

static PCIIndicator port_slot_indicator(const PCISlot *s)
{
    return port_power_indicator(port_reg((const PCIPort *)s->br, PCI_EXP_SLTCTL, 2));
}

static void port_press(PCISlot *s)
{
    port_latch_event((PCIPort *)s->br, PCI_EXP_SLTSTA_ABP);
}

/* A guest that finds the device removed switches the slot off and then checks the slot again. */
static void port_pulled(PCISlot *s)
{
    PCIPort *p = (PCIPort *)s->br;

    p->attended = pci_port_powered(p) && port_hp_irq_enabled(p);
}

static const PCISlotOps port_slot_ops = {
    .powered = port_slot_powered,
    .indicator = port_slot_indicator,
    .announce = port_announce,
    .press = port_press,
    .locked = port_locked,
    .pulled = port_pulled,
};

/* --- setup and reset --- */

void pci_port_init(PCIPort *p)
{
    p->br.presence = port_presence;
    p->br.reset_held = port_reset_held;
    timer_setup_plain(&p->swap, p->br.pci.dev.machine, CLOCK_KIND_VIRTUAL, port_swap_cb, p);
    pci_slots_init(&p->br, &p->slot, 1, PCI_SLOT_WHOLE_BUS, p->hotplug_prop, &port_slot_ops);
}

void pci_port_fini(PCIPort *p)
{
    timer_cancel(&p->swap);
    pci_slots_fini(&p->br);
}

void pci_port_reset(PCIPort *p)
{
    bool occupied = pci_slot_occupied(&p->slot);

    timer_cancel(&p->swap);
    p->hp_asserted = p->aer_asserted = p->bw_asserted = p->attended = p->unsaid = false;
    port_set_reg(p, PCI_EXP_SLTSTA, 2, 0xffff, occupied ? PCI_EXP_SLTSTA_PDS : 0);
    port_set_link(p, occupied);
    if (occupied) { /* devices that the guest had switched off become visible again */
        port_set_reg(p, PCI_EXP_SLTCTL, 2, PCI_EXP_SLTCTL_PCC, 0);
        pci_slot_show(&p->slot, true, RESET_COLD);
    }
    pci_slot_event(&p->slot, PCI_SLOT_EV_RESET);
    pci_slot_assert(&p->slot);
}

/* --- saved state --- */

static const VmField port_fields[] = {
    VM_RECORD(PCIPort, br.pci, PCIDevice, &pci_record_ops),
    /* The format's name of this member. */
    { .name = "state",
      .kind = VM_KIND_STRUCT,
      .field = offsetof(PCIPort, slot),
      .sub = &pci_slot_state },
    VM_BOOL(PCIPort, hp_asserted),
    VM_BOOL(PCIPort, aer_asserted),
    VM_BOOL(PCIPort, attended, .since = 2),
    VM_BOOL(PCIPort, unsaid, .since = 3),
    VM_BOOL(PCIPort, bw_asserted, .since = 4),
};

/* The devices in a slot are not part of the stream: the machine has them already. */
static bool port_state_check(void *obj, GError **err)
{
    const PCIPort *p = obj;
    bool occupied = pci_slot_occupied(&p->slot);

    if (port_occupied(p) != occupied) {
        return error_set(err, ERROR_GUEST, "Presence Detect State is %u, but the slot %s",
                         port_occupied(p), occupied ? "contains a device" : "is empty");
    }
    return true;
}

static bool port_post_load(void *obj, GError **err)
{
    PCIPort *p = obj;

    /* The time of a removal is not saved; the debounce timer restarts after a load. */
    timer_cancel(&p->swap);
    if (p->unsaid) {
        timer_arm_ns(&p->swap, PORT_SWAP_NS);
    }
    pci_slot_show(&p->slot, port_link_enabled(p), RESET_COLD);
    /* Builds that ignored Link Disable saved an active link. */
    port_set_link(p, port_link_enabled(p) && port_occupied(p));
    return pci_slot_loaded(&p->slot, err);
}

const VmState pci_port_state = { .name = "pcie-port",
                                 .version = 4,
                                 .fields = LIST(port_fields),
                                 .check = port_state_check,
                                 .post_load = port_post_load };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of Express ports: the registers' behaviour, hot-plug events, and the unplug job
 * (PCIe 5.0 6.7 and 7.5.3.10 to 7.5.3.11; contract in hw/pci/port.h).
 *
 * Order of a hot plug: presence, then the link if the slot has power, then the two changed bits,
 * then one interrupt. Order of removal: link and presence drop, then the changed bits.
 */
#include "hw/pci/port.h"

#include "hw/pci/exp_regs.h"
#include "hw/pci/pci_int.h"

static const char *const state_names[PCI_UNPLUG_STATES] = {
    "none", "requested", "accepted", "powered-off", "removed", "refused", "timed-out", "cancelled",
};

const char *pci_unplug_state_name(PCIUnplugState s)
{
    return s < PCI_UNPLUG_STATES ? state_names[s] : "none";
}

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

bool pci_port_has_slot(const PCIPort *p)
{
    return p->br.pci.exp_pos && (reg(p, EXP_FLAGS, 2) & EXP_FLAGS_SLOT);
}

static bool has_controller(const PCIPort *p)
{
    return pci_port_has_slot(p) && (reg(p, EXP_SLTCAP, 4) & EXP_SLTCAP_PCP);
}

bool pci_port_powered(const PCIPort *p)
{
    return !has_controller(p) || !(reg(p, EXP_SLTCTL, 2) & EXP_SLTCTL_PCC);
}

PCIPort *pci_port_of(PCIDevice *d)
{
    PCIBridge *br = d->bus ? d->bus->bridge : NULL;

    return br && br->sec.bus.kind == PLAN_BUS_PCIE_PORT ? (PCIPort *)br : NULL;
}

/* --- the interrupt (6.7.3.4) --- */

/* The two conditions share vector 0: a message on each rising edge, the pin as their or. */
static void raise_if_new(PCIPort *p, bool *asserted, bool now)
{
    PCIDevice *d = pci_of(p);
    bool messages = msix_enabled(d) || msi_enabled(d);

    if (now && !*asserted && messages) {
        pci_irq_pulse(d, 0);
    }
    *asserted = now;
    pci_irq_set(d, 0, !messages && (p->state.hp_asserted || p->state.aer_asserted));
}

void pci_port_update_irq(PCIPort *p)
{
    uint16_t control, status, events;

    if (!pci_port_has_slot(p)) {
        return;
    }
    control = reg(p, EXP_SLTCTL, 2);
    status = reg(p, EXP_SLTSTA, 2);
    events = status & control & EXP_SLT_SAME_BITS;
    if ((status & EXP_SLTSTA_DLLSC) && (control & EXP_SLTCTL_DLLSCE)) {
        events |= EXP_SLTSTA_DLLSC;
    }
    raise_if_new(p, &p->state.hp_asserted, (control & EXP_SLTCTL_HPIE) && events);
}

void pci_port_set_error_irq(PCIPort *p, bool asserted)
{
    raise_if_new(p, &p->state.aer_asserted, asserted);
}

static void event(PCIPort *p, uint16_t bits)
{
    set_reg(p, EXP_SLTSTA, 2, 0, bits);
    pci_port_update_irq(p);
}

/* --- power and link of what stands in the slot --- */

static bool occupied(const PCIPort *p)
{
    return reg(p, EXP_SLTSTA, 2) & EXP_SLTSTA_PDS;
}

static void power_members(PCIPort *p, bool on)
{
    GPtrArray *members = p->br.sec.bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        pci_device_power(g_ptr_array_index(members, i), on);
    }
}

/* The link is up when there is something to talk to and it has power. */
static bool set_link(PCIPort *p, bool up)
{
    bool was = reg(p, EXP_LNKSTA, 2) & EXP_LNKSTA_DLLLA;

    set_reg(p, EXP_LNKSTA, 2, EXP_LNKSTA_DLLLA, up ? EXP_LNKSTA_DLLLA : 0);
    return was != up;
}

/* A machine that was never started is being put together: nothing happens, things are there. */
static bool is_live(PCIPort *p)
{
    RunState s = pci_of(p)->dev.machine->state;

    return s != RUN_PRELAUNCH && s != RUN_INMIGRATE;
}

static bool others_present(PCIPort *p, const PCIDevice *but)
{
    GPtrArray *members = p->br.sec.bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        if (g_ptr_array_index(members, i) != but) {
            return true;
        }
    }
    return false;
}

static void job_end(PCIPort *p, PCIUnplugState state);

static void on_presence(PCIBridge *br, PCIDevice *d, bool present)
{
    PCIPort *p = (PCIPort *)br;
    uint16_t changed = 0;

    if (!pci_port_has_slot(p) || (!present && others_present(p, d))) {
        return;
    }
    if (present && !pci_port_powered(p)) {
        if (is_live(p)) {
            pci_device_power(d, false);
        } else {
            /* Powered at reset with the card in it. */
            set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_PCC, 0);
        }
    }
    if (occupied(p) != present) {
        set_reg(p, EXP_SLTSTA, 2, EXP_SLTSTA_PDS, present ? EXP_SLTSTA_PDS : 0);
        changed = EXP_SLTSTA_PDC;
        if (present && (reg(p, EXP_SLTCAP, 4) & EXP_SLTCAP_ABP)) {
            /* Whoever puts a card in presses the button: where there is one, Linux enables its
             * interrupt instead of the one for presence. */
            changed |= EXP_SLTSTA_ABP;
        }
    }
    if (set_link(p, present && pci_port_powered(p))) {
        changed |= EXP_SLTSTA_DLLSC;
    }
    if (!present && p->state.job != PCI_UNPLUG_NONE) {
        job_end(p, PCI_UNPLUG_REMOVED);
    }
    if (is_live(p) && changed) {
        event(p, changed);
    }
}

/* --- the job --- */

static bool job_open(const PCIPort *p)
{
    return p->state.job == PCI_UNPLUG_REQUESTED || p->state.job == PCI_UNPLUG_ACCEPTED ||
           p->state.job == PCI_UNPLUG_POWERED_OFF;
}

static void job_end(PCIPort *p, PCIUnplugState state)
{
    timer_cancel(&p->state.deadline);
    p->state.job = state;
}

static void announce_failure(PCIPort *p)
{
    struct json_object *data = json_object_new_object();
    PCIDevice *d = p->br.sec.bus.members->len ? g_ptr_array_index(p->br.sec.bus.members, 0) : NULL;

    if (d && d->dev.id) {
        json_object_object_add(data, "device", json_object_new_string(d->dev.id));
    }
    json_object_object_add(data, "path", json_object_new_string(d ? d->dev.path : ""));
    machine_event(pci_of(p)->dev.machine, "DEVICE_UNPLUG_GUEST_ERROR", data);
}

static void job_timeout(void *arg)
{
    PCIPort *p = arg;

    if (job_open(p)) {
        job_end(p, PCI_UNPLUG_TIMED_OUT);
        announce_failure(p);
    }
}

/* Unplugging frees devices, so it runs after the access that caused it. */
static gboolean remove_members(gpointer opaque)
{
    PCIPort *p = opaque;
    GPtrArray *members;

    p->state.removal = 0;
    members = p->br.sec.bus.name ? p->br.sec.bus.members : NULL;
    while (members && p->state.job == PCI_UNPLUG_POWERED_OFF && members->len > 0) {
        device_unplug(g_ptr_array_index(members, members->len - 1));
    }
    device_unpin_any(&p->br.pci.dev);
    return G_SOURCE_REMOVE;
}

static void schedule_removal(PCIPort *p)
{
    if (pci_of(p)->dev.machine->migrating || p->state.removal) {
        return; /* pci_unplug_resume(), or under way */
    }
    device_pin_any(&p->br.pci.dev);
    p->state.removal = g_idle_add_full(G_PRIORITY_HIGH, remove_members, p, NULL);
}

/* The power indicator tells what the guest decides: blinking means that it goes ahead, steady on
 * again that it changed its mind (6.7.1.1.2). */
static void follow_indicator(PCIPort *p, uint16_t old, uint16_t now)
{
    uint16_t was = old & EXP_SLTCTL_PIC, is = now & EXP_SLTCTL_PIC;

    if (was == is) {
        return;
    }
    if (is == EXP_SLTCTL_PIC_BLINK && p->state.job == PCI_UNPLUG_REQUESTED) {
        p->state.job = PCI_UNPLUG_ACCEPTED;
    } else if (is == EXP_SLTCTL_PIC_ON && p->state.job == PCI_UNPLUG_ACCEPTED) {
        job_end(p, PCI_UNPLUG_REFUSED);
        announce_failure(p);
    }
}

static void power_changed(PCIPort *p, bool on)
{
    power_members(p, on);
    if (set_link(p, on && occupied(p))) {
        set_reg(p, EXP_SLTSTA, 2, 0, EXP_SLTSTA_DLLSC);
    }
    if (!on && job_open(p)) {
        timer_cancel(&p->state.deadline);
        p->state.job = PCI_UNPLUG_POWERED_OFF;
        schedule_removal(p);
    }
}

void pci_port_slot_control(PCIPort *p, uint16_t old)
{
    uint16_t now = reg(p, EXP_SLTCTL, 2);

    if (!pci_port_has_slot(p)) {
        return;
    }
    if (now & EXP_SLTCTL_EIC) { /* a command, not a setting: toggle the lock (7.5.3.10) */
        set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_EIC, 0);
        set_reg(p, EXP_SLTSTA, 2, EXP_SLTSTA_EIS, ~reg(p, EXP_SLTSTA, 2) & EXP_SLTSTA_EIS);
        now &= ~EXP_SLTCTL_EIC;
    }
    follow_indicator(p, old, now);
    if (has_controller(p) && ((old ^ now) & EXP_SLTCTL_PCC)) {
        power_changed(p, !(now & EXP_SLTCTL_PCC));
    }
    if (reg(p, EXP_SLTCAP, 4) & EXP_SLTCAP_NCCS) {
        pci_port_update_irq(p);
    } else {
        event(p, EXP_SLTSTA_CC);
    }
}

static bool refuse(PCIDevice *d, GError **err, const char *why)
{
    pci_error(err, "device '%s' cannot be unplugged: %s", device_name(&d->dev), why);
    return false;
}

static PCIPort *job_port(PCIDevice *d, GError **err)
{
    PCIPort *p = pci_port_of(d);

    if (d->dev.machine->migrating) {
        refuse(d, err, "a migration is under way; wait for it, or cancel it");
        return NULL;
    }
    if (!p || !pci_port_has_slot(p) || !p->state.hotplug) {
        refuse(d, err,
               p ? "the slot of its port has hotplug=off"
                 : "its bus has no hot-plug controller; a bus below a pcie-root-port or "
                   "xio3130-downstream has one");
        return NULL;
    }
    return p;
}

bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err)
{
    PCIPort *p = job_port(d, err);

    if (!p) {
        return false;
    }
    if (job_open(p)) {
        return refuse(d, err, "it is being unplugged already; wait, cancel it, or force it");
    }
    g_free(p->state.job_device);
    p->state.job_device = g_strdup(d->dev.id ? d->dev.id : d->dev.path);
    if (!pci_port_powered(p)) {
        /* The guest switched it off already: there is nobody to ask. */
        p->state.job = PCI_UNPLUG_POWERED_OFF;
        schedule_removal(p);
        return true;
    }
    p->state.job = PCI_UNPLUG_REQUESTED;
    if (timeout_ms) {
        timer_arm_ns(&p->state.deadline, MIN(timeout_ms, 1ull << 40) * 1000000);
    }
    event(p, EXP_SLTSTA_ABP);
    return true;
}

bool pci_unplug_force(PCIDevice *d, GError **err)
{
    PCIPort *p = job_port(d, err);
    GPtrArray *members;

    if (!p) {
        return false;
    }
    members = p->br.sec.bus.members;
    while (members->len > 0) {
        device_unplug(g_ptr_array_index(members, members->len - 1));
    }
    return true;
}

bool pci_unplug_cancel(PCIDevice *d, GError **err)
{
    PCIPort *p = job_port(d, err);

    if (!p) {
        return false;
    }
    if (p->state.job != PCI_UNPLUG_REQUESTED && p->state.job != PCI_UNPLUG_ACCEPTED) {
        return refuse(d, err, "there is no unplug under way to cancel");
    }
    job_end(p, PCI_UNPLUG_CANCELLED);
    event(p, EXP_SLTSTA_ABP); /* a second press takes the first one back (6.7.1.1.3) */
    return true;
}

static PCIPort *as_port(Device *dev)
{
    PCIDevice *d = (PCIDevice *)dev;
    PCIBridge *br = dev->type->kind == &pci_device_kind ? pci_bridge_of(d) : NULL;

    return br && br->sec.bus.kind == PLAN_BUS_PCIE_PORT ? (PCIPort *)br : NULL;
}

static bool query_one(void *opaque, Device *dev)
{
    PCIPort *p = as_port(dev);
    struct json_object *o;

    if (p && p->state.job != PCI_UNPLUG_NONE) {
        o = json_object_new_object();
        json_object_object_add(
            o, "device", json_object_new_string(p->state.job_device ? p->state.job_device : ""));
        json_object_object_add(o, "port", json_object_new_string(device_name(dev)));
        json_object_object_add(o, "state",
                               json_object_new_string(pci_unplug_state_name(p->state.job)));
        json_object_array_add(opaque, o);
    }
    return true;
}

struct json_object *pci_unplug_query(Machine *m)
{
    struct json_object *list = json_object_new_array();

    device_visit(m->root, query_one, list);
    return list;
}

static bool resume_one(void *opaque, Device *dev)
{
    PCIPort *p = as_port(dev);

    if (p && p->state.job == PCI_UNPLUG_POWERED_OFF) {
        schedule_removal(p);
    }
    return true;
}

void pci_unplug_resume(Machine *m)
{
    device_visit(m->root, resume_one, NULL);
}

/* --- life --- */

static void on_run(void *opaque, bool running, RunState state)
{
    PCIPort *p = opaque;

    if (running && p->state.job == PCI_UNPLUG_POWERED_OFF) {
        schedule_removal(p);
    }
}

void pci_port_init(PCIPort *p)
{
    p->br.presence = on_presence;
    p->state.hotplug = p->hotplug_prop;
    timer_setup(&p->state.deadline, job_timeout, p);
    machine_add_run_fn(pci_of(p)->dev.machine, on_run, p);
}

void pci_port_fini(PCIPort *p)
{
    machine_remove_run_fn(pci_of(p)->dev.machine, on_run, p);
    timer_cancel(&p->state.deadline);
    g_clear_pointer(&p->state.job_device, g_free);
    if (p->state.removal) { /* everything behind the port is gone already */
        g_source_remove(p->state.removal);
        p->state.removal = 0;
        device_unpin_any(&p->br.pci.dev);
    }
}

void pci_port_reset(PCIPort *p)
{
    bool there = p->br.sec.bus.name && p->br.sec.bus.members->len > 0;

    if (!pci_port_has_slot(p)) {
        return;
    }
    timer_cancel(&p->state.deadline);
    p->state.job = PCI_UNPLUG_NONE;
    p->state.hp_asserted = p->state.aer_asserted = false;
    set_reg(p, EXP_SLTSTA, 2, 0xffff, there ? EXP_SLTSTA_PDS : 0);
    set_link(p, there);
    /* With power on again after the reset, what the guest had switched off is back. */
    if (there) {
        set_reg(p, EXP_SLTCTL, 2, EXP_SLTCTL_PCC, 0);
        power_members(p, true);
    }
}

void pci_port_loaded(PCIPort *p)
{
    if (pci_port_has_slot(p)) {
        power_members(p, pci_port_powered(p));
    }
}

static bool state_check(void *obj, GError **err)
{
    PCISlotState *s = obj;

    if (s->deadline.loaded != CLOCK_NEVER && s->job != PCI_UNPLUG_REQUESTED &&
        s->job != PCI_UNPLUG_ACCEPTED) {
        pci_error(err, "a deadline without an unplug under way");
        return false;
    }
    return true;
}

static const VmField slot_fields[] = {
    VM_U32(PCISlotState, job, .max = PCI_UNPLUG_STATES - 1),
    VM_TIMER(PCISlotState, deadline),
    VM_BOOL(PCISlotState, hp_asserted),
    VM_BOOL(PCISlotState, aer_asserted),
};
static const VmState slot_state = {
    .name = "slot", .version = 1, .fields = LIST(slot_fields), .check = state_check
};
static const VmField port_fields[] = {
    VM_RECORD(PCIPort, br.pci, PCIDevice, &pci_record_ops),
    VM_STRUCT(PCIPort, state, &slot_state),
};
static bool port_post_load(void *obj, GError **err)
{
    pci_port_loaded(obj);
    return true;
}

const VmState pci_port_state = {
    .name = "pcie-port", .version = 1, .fields = LIST(port_fields), .post_load = port_post_load
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hot-plug slots: processing of events, removal of devices, and saved state (contract in
 * hw/pci/slot.h; the transition table is slot_table.c).
 */
#include "hw/pci/slot.h"

#include "internal.h"
#include "machine-events.h"
#include "util/error.h"
#include "util/trace.h"

/* --- the functions in a slot --- */

static Machine *slot_machine(const PCISlot *s)
{
    return s->br->pci.dev.machine;
}

static bool slot_contains(const PCISlot *s, const PCIDevice *d)
{
    return s->device == PCI_SLOT_WHOLE_BUS || PCI_SLOT(d->devfn) == s->device;
}

/* The function with the highest number, so that function 0 is removed last; NULL: none. */
static PCIDevice *slot_last_function(const PCISlot *s)
{
    const GPtrArray *members = s->br->sec.bus.members;
    PCIDevice *last = NULL;

    for (unsigned i = 0; i < members->len; i++) {
        PCIDevice *d = g_ptr_array_index(members, i);

        if (slot_contains(s, d) && (!last || d->devfn > last->devfn)) {
            last = d;
        }
    }
    return last;
}

static void slot_remove_functions(PCISlot *s)
{
    PCIDevice *d;

    while ((d = slot_last_function(s)) != NULL) {
        device_unplug(&d->dev);
    }
}

PCISlot *pci_slot_of(const PCIDevice *d)
{
    const PCIBridge *br = d->bus ? d->bus->bridge : NULL;
    unsigned first;

    if (!br || !br->n_slots) {
        return NULL;
    }
    first = br->slots[0].device;
    if (first == PCI_SLOT_WHOLE_BUS) {
        return &br->slots[0];
    }
    return PCI_SLOT(d->devfn) - first < br->n_slots ? &br->slots[PCI_SLOT(d->devfn) - first] : NULL;
}

bool pci_slot_is_function_0(const PCISlot *s, const PCIDevice *d)
{
    return d->devfn == (s->device == PCI_SLOT_WHOLE_BUS ? 0 : PCI_DEVFN(s->device, 0));
}

/* A function that is being detached is still a member of the bus, but hidden. */
bool pci_slot_occupied(const PCISlot *s)
{
    const GPtrArray *members = s->br->sec.bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        const PCIDevice *d = g_ptr_array_index(members, i);

        if (pci_slot_is_function_0(s, d) && !d->dev.hidden) {
            return true;
        }
    }
    return false;
}

bool pci_slot_live(const PCISlot *s)
{
    RunState state = slot_machine(s)->state;

    return s->br->pci.present && state != RUN_PRELAUNCH && state != RUN_INMIGRATE;
}

void pci_slot_show(PCISlot *s, bool on, ResetKind kind)
{
    const GPtrArray *members = s->br->sec.bus.members;

    on = on && s->br->pci.present && !pci_bridge_in_reset(s->br);
    for (unsigned i = 0; i < members->len; i++) {
        PCIDevice *d = g_ptr_array_index(members, i);

        if (slot_contains(s, d)) {
            pci_device_power(d, on, kind);
        }
    }
}

/* --- invariants --- */

static bool slot_asked(PCISlotState state)
{
    return state == PCI_SLOT_REQUESTED || state == PCI_SLOT_ACCEPTED;
}

/* The state that a request status implies; EMPTY: none in particular. */
static PCISlotState slot_state_of_status(uint32_t status)
{
    switch (status) {
    case PCI_UNPLUG_REQUESTED:
        return PCI_SLOT_REQUESTED;
    case PCI_UNPLUG_ACCEPTED:
        return PCI_SLOT_ACCEPTED;
    case PCI_UNPLUG_POWERED_OFF:
        return PCI_SLOT_EJECTING;
    default:
        return PCI_SLOT_EMPTY;
    }
}

/* The state that follows from the request status, the devices and the controller's registers. */
static PCISlotState slot_derived_state(const PCISlot *s)
{
    PCISlotState state = slot_state_of_status(s->job);

    if (state != PCI_SLOT_EMPTY) {
        return state;
    }
    if (!pci_slot_occupied(s)) {
        return PCI_SLOT_EMPTY;
    }
    return s->ops->powered(s) ? PCI_SLOT_ON : PCI_SLOT_OFF;
}

static const char *slot_broken_request(const PCISlot *s, bool deadline)
{
    bool under_way = slot_state_of_status(s->job) != PCI_SLOT_EMPTY;

    if (deadline && s->job != PCI_UNPLUG_REQUESTED && s->job != PCI_UNPLUG_ACCEPTED) {
        return "a deadline without an unplug under way";
    }
    if (s->job != PCI_UNPLUG_NONE && s->br->n_slots == 0) {
        return "an unplug request of a slot that does not support hot plug";
    }
    if (under_way && !pci_slot_occupied(s)) {
        return "an unplug under way in a slot without a device";
    }
    return NULL;
}

const char *pci_slot_broken(const PCISlot *s)
{
    const char *broken = slot_broken_request(s, timer_armed(&s->deadline));

    if (broken) {
        return broken;
    }
    if (slot_asked(s->state) && !s->ops->powered(s)) {
        return "an unplug request to the guest in a slot without power";
    }
    return s->state == slot_derived_state(s) ? NULL : "a state that contradicts the registers";
}

void pci_slot_assert(const PCISlot *s)
{
#ifndef NDEBUG
    if (!s->unverified) {
        const char *broken = pci_slot_broken(s);

        if (broken) {
            g_error("%s: slot: %s", device_name(&s->br->pci.dev), broken);
        }
    }
#endif
}

/* --- actions --- */

/* Record the device for query-unplug. */
static void slot_name_job(PCISlot *s, const PCIDevice *d)
{
    g_free(s->job_device);
    s->job_device = g_strdup(d->dev.id ? d->dev.id : d->dev.path);
}

static void slot_announce_failure(PCISlot *s)
{
    const PCIDevice *d = slot_last_function(s);

    if (d) {
        event_device_unplug_guest_error(slot_machine(s), d->dev.id, d->dev.path);
    }
}

/* The guest stays on this host: it is not being migrated and has not been handed over. */
static bool slot_owns_guest(const Machine *m)
{
    return !m->migrating && m->state != RUN_POSTMIGRATE && m->state != RUN_INMIGRATE;
}

/* Do not remove a device while its interlock is engaged or while it is being migrated. */
static bool slot_removable(const PCISlot *s)
{
    return s->state == PCI_SLOT_EJECTING && slot_owns_guest(slot_machine(s)) &&
           !(s->ops->locked && s->ops->locked(s));
}

/* Unplugging frees devices, so it runs after the access that caused it. */
static gboolean slot_removal_cb(gpointer opaque)
{
    PCISlot *s = opaque;

    s->removal = 0;
    if (slot_removable(s)) {
        slot_remove_functions(s);
    }
    device_unpin_any(&s->br->pci.dev);
    return G_SOURCE_REMOVE;
}

/* A removal that is postponed now is retried by the event RELEASED. */
static void slot_schedule_removal(PCISlot *s)
{
    if (!slot_removable(s) || s->removal) {
        return;
    }
    device_pin_any(&s->br->pci.dev);
    s->removal = g_idle_add_full(G_PRIORITY_HIGH, slot_removal_cb, s, NULL);
}

static void slot_act(PCISlot *s, PCISlotAction action)
{
    switch (action) {
    case PCI_SLOT_ANNOUNCE:
        s->ops->announce(s);
        break;
    case PCI_SLOT_PRESS:
        s->ops->press(s);
        break;
    case PCI_SLOT_FAIL:
        slot_announce_failure(s);
        break;
    case PCI_SLOT_REMOVE:
        slot_schedule_removal(s);
        break;
    default: /* NO_ACTION, and those of the caller */
        break;
    }
}

/* --- events --- */

PCISlotAction pci_slot_event(PCISlot *s, PCISlotEvent event)
{
    const PCISlotTransition *t = pci_slot_transition(s->state, event);

    trace(TRACE_PCI_SLOT, "%s slot %u: %s + %s -> %s %s", device_name(&s->br->pci.dev),
          s->device == PCI_SLOT_WHOLE_BUS ? 0 : s->device, pci_slot_state_name(s->state),
          pci_slot_event_name(event), pci_slot_state_name(t->next),
          pci_slot_action_name(t->action));
    s->state = t->next;
    if (t->status != PCI_UNPLUG_KEEP &&
        !(t->status == PCI_UNPLUG_REMOVED && s->job == PCI_UNPLUG_NONE)) {
        s->job = t->status;
    }
    if (!slot_asked(s->state)) {
        timer_cancel(&s->deadline);
    }
    s->unverified = s->unverified && event != PCI_SLOT_EV_RESET;
    slot_act(s, t->action);
    return t->action;
}

void pci_slot_indicator(PCISlot *s, PCIIndicator was, PCIIndicator is)
{
    if (was == is) {
        return;
    }
    if (is == PCI_INDICATOR_BLINK) {
        pci_slot_event(s, PCI_SLOT_EV_BLINK);
    } else if (is == PCI_INDICATOR_ON) {
        pci_slot_event(s, PCI_SLOT_EV_STEADY);
    }
}

static void slot_deadline_cb(void *arg)
{
    PCISlot *s = arg;

    pci_slot_event(s, PCI_SLOT_EV_DEADLINE);
    pci_slot_assert(s);
}

/* --- requests --- */

static const char *slot_why_none(const PCIDevice *d)
{
    switch (d->bus ? d->bus->bus.kind : PLAN_BUS_NONE) {
    case PLAN_BUS_PCIE_PORT:
        return "the slot of its port has hotplug=off";
    case PLAN_BUS_PCI:
        return "its bridge has shpc=off and therefore no hot-plug controller";
    default:
        return "its bus has no hot-plug controller; the bus below a pcie-root-port or "
               "xio3130-downstream has one, and so has the bus behind a pcie-pci-bridge or "
               "pci-bridge";
    }
}

/* The slot for a user's command; NULL with an error. */
static PCISlot *slot_for_command(const PCIDevice *d, GError **err)
{
    PCISlot *s = pci_slot_of(d);

    if (d->dev.machine->migrating) {
        error_set(err, ERROR_USER,
                  "device '%s' cannot be unplugged: a migration is running; wait for its end or "
                  "cancel it",
                  device_name(&d->dev));
        return NULL;
    }
    if (!s) {
        error_set(err, ERROR_USER, "device '%s' cannot be unplugged: %s", device_name(&d->dev),
                  slot_why_none(d));
    }
    return s;
}

/* A guest that has not blinked the indicator within this time did not see the button. */
static const int64_t slot_retry_ns = 5000000000;

static int64_t slot_now(const PCISlot *s)
{
    return clock_now_any(slot_machine(s), CLOCK_KIND_VIRTUAL);
}

static PCISlotEvent slot_request_event(const PCISlot *s)
{
    if (s->state == PCI_SLOT_REQUESTED && slot_now(s) - s->pressed < slot_retry_ns) {
        return PCI_SLOT_EV_DEL_EARLY;
    }
    if (s->state == PCI_SLOT_EMPTY || !s->ops->powered(s) || !s->br->pci.present) {
        return PCI_SLOT_EV_DEL_UNSEEN;
    }
    if (s->state == PCI_SLOT_ON && s->job == PCI_UNPLUG_TIMED_OUT &&
        s->ops->indicator(s) == PCI_INDICATOR_BLINK) {
        return PCI_SLOT_EV_DEL_LATE;
    }
    return PCI_SLOT_EV_DEL;
}

static void slot_set_deadline(PCISlot *s, uint64_t timeout_ms)
{
    timer_cancel(&s->deadline);
    if (timeout_ms) {
        timer_arm_ns(&s->deadline, MIN(timeout_ms, 1ull << 40) * 1000000);
    }
}

bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err)
{
    PCISlot *s = slot_for_command(d, err);

    if (!s) {
        return false;
    }
    switch (pci_slot_event(s, slot_request_event(s))) {
    case PCI_SLOT_REJECT:
        return error_set(
            err, ERROR_USER,
            "Device %s is already in the process of unplug: wait for DEVICE_DELETED, "
            "cancel the unplug with unplug-cancel, or remove the device immediately with "
            "unplug-force",
            device_name(&d->dev));
    case PCI_SLOT_DISCARD:
        device_unplug(&d->dev);
        return true;
    default:
        break;
    }
    slot_name_job(s, d);
    if (slot_asked(s->state)) {
        slot_set_deadline(s, timeout_ms);
        s->pressed = slot_now(s);
    }
    pci_slot_assert(s);
    return true;
}

bool pci_unplug_force(PCIDevice *d, GError **err)
{
    PCISlot *s = slot_for_command(d, err);

    if (!s) {
        return false;
    }
    if (s->ops->pulled) {
        s->ops->pulled(s);
    }
    slot_remove_functions(s);
    pci_slot_assert(s);
    return true;
}

bool pci_unplug_cancel(PCIDevice *d, GError **err)
{
    PCISlot *s = slot_for_command(d, err);

    if (!s) {
        return false;
    }
    if (pci_slot_event(s, PCI_SLOT_EV_CANCEL) == PCI_SLOT_REJECT) {
        return error_set(err, ERROR_USER,
                         "device '%s': there is no unplug under way that can be cancelled",
                         device_name(&d->dev));
    }
    pci_slot_assert(s);
    return true;
}

/* --- over all slots of a machine --- */

typedef struct SlotVisit {
    void (*fn)(PCISlot *s, void *opaque);
    void *opaque;
} SlotVisit;

static bool slot_visit_bridge(void *opaque, Device *dev)
{
    const SlotVisit *v = opaque;
    PCIBridge *br = dev->type->kind == &pci_device_kind ? pci_bridge_of((PCIDevice *)dev) : NULL;

    for (unsigned i = 0; br && i < br->n_slots; i++) {
        v->fn(&br->slots[i], v->opaque);
    }
    return true;
}

static void slot_visit_all(Machine *m, void (*fn)(PCISlot *s, void *opaque), void *opaque)
{
    SlotVisit v = { fn, opaque };

    device_visit(m->root, slot_visit_bridge, &v);
}

typedef struct SlotUnplugVisit {
    void (*fn)(void *opaque, const PCIUnplugInfo *info);
    void *opaque;
} SlotUnplugVisit;

static void slot_visit_unplug(PCISlot *s, void *opaque)
{
    const PCIDevice *d = slot_last_function(s);
    const SlotUnplugVisit *v = opaque;
    PCIUnplugInfo info;

    if (s->job == PCI_UNPLUG_NONE) {
        return;
    }
    if (!s->job_device && d) { /* a request that was made before a migration */
        slot_name_job(s, d);
    }
    info.device = s->job_device ? s->job_device : "";
    info.port = device_name(&s->br->pci.dev);
    info.slot = s->device == PCI_SLOT_WHOLE_BUS ? -1 : (int)s->device;
    info.state = s->job;
    v->fn(v->opaque, &info);
}

void pci_unplug_visit(Machine *m, void (*fn)(void *opaque, const PCIUnplugInfo *info), void *opaque)
{
    SlotUnplugVisit v = { fn, opaque };

    slot_visit_all(m, slot_visit_unplug, &v);
}

static void slot_resume_one(PCISlot *s, void *opaque)
{
    pci_slot_event(s, PCI_SLOT_EV_RELEASED);
}

void pci_unplug_resume(Machine *m)
{
    slot_visit_all(m, slot_resume_one, NULL);
}

/* --- setup --- */

static void slot_run_state_cb(void *opaque, bool running, RunState state)
{
    PCIBridge *br = opaque;

    for (unsigned i = 0; running && i < br->n_slots; i++) {
        pci_slot_event(&br->slots[i], PCI_SLOT_EV_RELEASED);
    }
}

void pci_slots_init(PCIBridge *br, PCISlot *slots, unsigned n, uint8_t first, bool live,
                    const PCISlotOps *ops)
{
    Machine *m = br->pci.dev.machine;

    for (unsigned i = 0; i < n; i++) {
        slots[i] = (PCISlot){ .ops = ops,
                              .br = br,
                              .device = first == PCI_SLOT_WHOLE_BUS ? first : first + i };
        timer_setup_plain(&slots[i].deadline, m, CLOCK_KIND_VIRTUAL, slot_deadline_cb, &slots[i]);
    }
    if (live) {
        br->slots = slots;
        br->n_slots = n;
        machine_add_run_fn(m, slot_run_state_cb, br);
    }
}

void pci_slots_fini(PCIBridge *br)
{
    for (unsigned i = 0; i < br->n_slots; i++) {
        PCISlot *s = &br->slots[i];

        timer_cancel(&s->deadline);
        g_clear_pointer(&s->job_device, g_free);
        if (s->removal) { /* the devices behind the bridge have been removed already */
            g_source_remove(s->removal);
            s->removal = 0;
            device_unpin_any(&br->pci.dev);
        }
    }
    if (br->n_slots) {
        machine_remove_run_fn(br->pci.dev.machine, slot_run_state_cb, br);
        br->n_slots = 0;
    }
}

/* --- saved state --- */

static bool slot_state_check(void *obj, GError **err)
{
    const PCISlot *s = obj;
    const char *broken = slot_broken_request(s, s->deadline.loaded != CLOCK_NEVER);

    return broken ? error_set(err, ERROR_GUEST, "%s", broken) : true;
}

void pci_slot_loading(PCISlot *s)
{
    s->unverified = true;
}

bool pci_slot_loaded(PCISlot *s, GError **err)
{
    const char *broken;

    s->state = slot_derived_state(s);
    broken = pci_slot_broken(s);
    if (broken) {
        return error_set(err, ERROR_GUEST, "%s", broken);
    }
    s->unverified = false;
    return true;
}

static const VmField slot_fields[] = {
    VM_U32(PCISlot, job, .max = PCI_UNPLUG_STATES - 1),
    VM_TIMER(PCISlot, deadline),
};

const VmState pci_slot_state = {
    .name = "slot", .version = 1, .fields = LIST(slot_fields), .check = slot_state_check
};

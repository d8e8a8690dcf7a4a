/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all hot-plug slots have in common: who stands in them, and the unplug job (contract in
 * hw/pci/slot.h).
 */
#include "hw/pci/slot.h"

#include "hw/pci/pci_int.h"

static const char *const state_names[PCI_UNPLUG_STATES] = {
    "none", "requested", "accepted", "powered-off", "removed", "refused", "timed-out", "cancelled",
};

const char *pci_unplug_state_name(PCIUnplugState s)
{
    return state_names[s];
}

/* --- who stands in it --- */

static Machine *machine_of(const PCISlot *s)
{
    return s->br->pci.dev.machine;
}

static bool stands_in(const PCISlot *s, const PCIDevice *d)
{
    return s->device == PCI_SLOT_WHOLE_BUS || PCI_SLOT(d->devfn) == s->device;
}

/* The highest function in the slot, so that the card itself goes last; NULL: none. */
static PCIDevice *last_of(const PCISlot *s)
{
    const GPtrArray *members = s->br->sec.bus.members;
    PCIDevice *last = NULL;

    for (unsigned i = 0; i < members->len; i++) {
        PCIDevice *d = g_ptr_array_index(members, i);

        if (stands_in(s, d) && (!last || d->devfn > last->devfn)) {
            last = d;
        }
    }
    return last;
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

bool pci_slot_is_card(const PCISlot *s, const PCIDevice *d)
{
    return d->devfn == (s->device == PCI_SLOT_WHOLE_BUS ? 0 : PCI_DEVFN(s->device, 0));
}

bool pci_slot_occupied(const PCISlot *s)
{
    const GPtrArray *members = s->br->sec.bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        if (pci_slot_is_card(s, g_ptr_array_index(members, i))) {
            return true;
        }
    }
    return false;
}

bool pci_slot_live(const PCISlot *s)
{
    RunState state = machine_of(s)->state;

    return s->br->pci.present && state != RUN_PRELAUNCH && state != RUN_INMIGRATE;
}

void pci_slot_show(PCISlot *s, bool on, ResetKind kind)
{
    const GPtrArray *members = s->br->sec.bus.members;

    on = on && s->br->pci.present && !pci_bridge_in_reset(s->br);
    for (unsigned i = 0; i < members->len; i++) {
        PCIDevice *d = g_ptr_array_index(members, i);

        if (stands_in(s, d)) {
            pci_device_power(d, on, kind);
        }
    }
}

/* --- the job --- */

static bool job_open(const PCISlot *s)
{
    return s->job == PCI_UNPLUG_REQUESTED || s->job == PCI_UNPLUG_ACCEPTED ||
           s->job == PCI_UNPLUG_POWERED_OFF;
}

static void job_end(PCISlot *s, PCIUnplugState state)
{
    timer_cancel(&s->deadline);
    s->job = state;
}

static void name_job(PCISlot *s, const PCIDevice *d)
{
    g_free(s->job_device);
    s->job_device = g_strdup(d->dev.id ? d->dev.id : d->dev.path);
}

/* The slot of an open job is occupied, except after a load that was refused half-way. */
static void announce_failure(PCISlot *s)
{
    const PCIDevice *d = last_of(s);
    struct json_object *data;

    if (!d) {
        return;
    }
    data = json_object_new_object();
    if (d->dev.id) {
        json_object_object_add(data, "device", json_object_new_string(d->dev.id));
    }
    json_object_object_add(data, "path", json_object_new_string(d->dev.path));
    machine_event(machine_of(s), "DEVICE_UNPLUG_GUEST_ERROR", data);
}

static void job_timeout(void *arg)
{
    PCISlot *s = arg;

    job_end(s, PCI_UNPLUG_TIMED_OUT);
    announce_failure(s);
}

/* The guest is here to stay: not on its way elsewhere, nor gone. */
static bool owns_guest(const Machine *m)
{
    return !m->migrating && m->state != RUN_POSTMIGRATE && m->state != RUN_INMIGRATE;
}

/* Nobody takes out a card that is held, nor one that a stream is being made of. */
static bool removable(const PCISlot *s)
{
    return s->job == PCI_UNPLUG_POWERED_OFF && owns_guest(machine_of(s)) &&
           !(s->ops->locked && s->ops->locked(s));
}

/* Unplugging frees devices, so it runs after the access that caused it. */
static gboolean remove_members(gpointer opaque)
{
    PCISlot *s = opaque;
    PCIDevice *d;

    s->removal = 0;
    if (removable(s)) {
        while ((d = last_of(s)) != NULL) {
            device_unplug(&d->dev);
        }
        pci_slot_emptied(s); /* said already, unless there was no card */
    }
    device_unpin_any(&s->br->pci.dev);
    return G_SOURCE_REMOVE;
}

static void schedule_removal(PCISlot *s)
{
    if (!removable(s) || s->removal) {
        return; /* later, or under way */
    }
    device_pin_any(&s->br->pci.dev);
    s->removal = g_idle_add_full(G_PRIORITY_HIGH, remove_members, s, NULL);
}

void pci_slot_indicator(PCISlot *s, PCIIndicator was, PCIIndicator is)
{
    s->blinking = is == PCI_INDICATOR_BLINK;
    if (was == is) {
        return;
    }
    if (is == PCI_INDICATOR_BLINK && s->job == PCI_UNPLUG_REQUESTED) {
        s->job = PCI_UNPLUG_ACCEPTED;
    } else if (is == PCI_INDICATOR_ON && s->job == PCI_UNPLUG_ACCEPTED) {
        job_end(s, PCI_UNPLUG_REFUSED);
        announce_failure(s);
    }
}

void pci_slot_powered_off(PCISlot *s)
{
    if (job_open(s)) {
        job_end(s, PCI_UNPLUG_POWERED_OFF);
        schedule_removal(s);
    }
}

void pci_slot_unlocked(PCISlot *s)
{
    schedule_removal(s);
}

void pci_slot_emptied(PCISlot *s)
{
    if (s->job != PCI_UNPLUG_NONE) {
        job_end(s, PCI_UNPLUG_REMOVED);
    }
}

void pci_slot_reset(PCISlot *s)
{
    job_end(s, PCI_UNPLUG_NONE);
    s->blinking = false;
}

/* --- requests --- */

static bool refuse(const PCIDevice *d, GError **err, const char *why)
{
    pci_error(err, "device '%s' cannot be unplugged: %s", device_name(&d->dev), why);
    return false;
}

static const char *why_no_slot(const PCIDevice *d)
{
    switch (d->bus ? d->bus->bus.kind : PLAN_BUS_NONE) {
    case PLAN_BUS_PCIE_PORT:
        return "the slot of its port has hotplug=off";
    case PLAN_BUS_PCI:
        return "its bridge has shpc=off, so no hot-plug controller";
    default:
        return "its bus has no hot-plug controller; a bus below a pcie-root-port or "
               "xio3130-downstream has one, and one behind a pcie-pci-bridge or pci-bridge";
    }
}

static PCISlot *job_slot(const PCIDevice *d, GError **err)
{
    PCISlot *s = pci_slot_of(d);

    if (d->dev.machine->migrating) {
        refuse(d, err, "a migration is under way; wait for it, or cancel it");
        return NULL;
    }
    if (!s) {
        refuse(d, err, why_no_slot(d));
    }
    return s;
}

/* A guest that has not even blinked by then did not see the button: it may be pressed again. */
static const int64_t retry_ns = 5000000000;

static bool may_ask(const PCISlot *s, const PCIDevice *d, GError **err)
{
    bool unseen = s->job == PCI_UNPLUG_REQUESTED &&
                  clock_now_any(machine_of(s), CLOCK_KIND_VIRTUAL) - s->pressed >= retry_ns;

    if (!job_open(s) || unseen) {
        return true;
    }
    pci_error(err,
              "Device %s is already in the process of unplug: wait for DEVICE_DELETED, give it up "
              "with unplug-cancel, or pull it out with unplug-force",
              device_name(&d->dev));
    return false;
}

static void ask(PCISlot *s, uint64_t timeout_ms)
{
    bool underway = s->job == PCI_UNPLUG_TIMED_OUT && s->blinking;

    timer_cancel(&s->deadline);
    if (timeout_ms) {
        timer_arm_ns(&s->deadline, MIN(timeout_ms, 1ull << 40) * 1000000);
    }
    if (underway) { /* an earlier button is being answered late; another would take it back */
        s->job = PCI_UNPLUG_ACCEPTED;
        return;
    }
    s->job = PCI_UNPLUG_REQUESTED;
    s->pressed = clock_now_any(machine_of(s), CLOCK_KIND_VIRTUAL);
    s->ops->press(s);
}

bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err)
{
    PCISlot *s = job_slot(d, err);

    if (!s || !may_ask(s, d, err)) {
        return false;
    }
    if (!pci_slot_occupied(s)) {
        device_unplug(&d->dev); /* without function 0 the guest cannot see it */
        return true;
    }
    name_job(s, d);
    if (!s->ops->powered(s) || !s->br->pci.present) {
        /* The guest switched it off already, or cannot see the slot: there is nobody to ask. */
        s->job = PCI_UNPLUG_POWERED_OFF;
        schedule_removal(s);
        return true;
    }
    ask(s, timeout_ms);
    return true;
}

bool pci_unplug_force(PCIDevice *d, GError **err)
{
    PCISlot *s = job_slot(d, err);

    if (!s) {
        return false;
    }
    if (s->ops->pulled) {
        s->ops->pulled(s);
    }
    while ((d = last_of(s)) != NULL) {
        device_unplug(&d->dev);
    }
    return true;
}

bool pci_unplug_cancel(PCIDevice *d, GError **err)
{
    PCISlot *s = job_slot(d, err);

    if (!s) {
        return false;
    }
    if (s->job != PCI_UNPLUG_REQUESTED && s->job != PCI_UNPLUG_ACCEPTED) {
        return refuse(d, err, "there is no unplug under way to cancel");
    }
    job_end(s, PCI_UNPLUG_CANCELLED);
    s->ops->press(s); /* a second press takes the first one back (PCIe 6.7.1.1.3) */
    return true;
}

/* --- over all slots of a machine --- */

typedef struct Visit {
    void (*fn)(PCISlot *s, void *opaque);
    void *opaque;
} Visit;

static bool visit_bridge(void *opaque, Device *dev)
{
    const Visit *v = opaque;
    PCIBridge *br = dev->type->kind == &pci_device_kind ? pci_bridge_of((PCIDevice *)dev) : NULL;

    for (unsigned i = 0; br && i < br->n_slots; i++) {
        v->fn(&br->slots[i], v->opaque);
    }
    return true;
}

static void visit_slots(Machine *m, void (*fn)(PCISlot *s, void *opaque), void *opaque)
{
    Visit v = { fn, opaque };

    device_visit(m->root, visit_bridge, &v);
}

static void query_one(PCISlot *s, void *list)
{
    struct json_object *o;
    const PCIDevice *d = last_of(s);

    if (s->job == PCI_UNPLUG_NONE) {
        return;
    }
    if (!s->job_device && d) { /* the request came before a migration */
        name_job(s, d);
    }
    o = json_object_new_object();
    json_object_object_add(o, "device", json_object_new_string(s->job_device ? s->job_device : ""));
    json_object_object_add(o, "port", json_object_new_string(device_name(&s->br->pci.dev)));
    if (s->device != PCI_SLOT_WHOLE_BUS) {
        json_object_object_add(o, "slot", json_object_new_int(s->device));
    }
    json_object_object_add(o, "state", json_object_new_string(pci_unplug_state_name(s->job)));
    json_object_array_add(list, o);
}

struct json_object *pci_unplug_query(Machine *m)
{
    struct json_object *list = json_object_new_array();

    visit_slots(m, query_one, list);
    return list;
}

static void resume_one(PCISlot *s, void *opaque)
{
    schedule_removal(s);
}

void pci_unplug_resume(Machine *m)
{
    visit_slots(m, resume_one, NULL);
}

/* --- life --- */

static void on_run(void *opaque, bool running, RunState state)
{
    PCIBridge *br = opaque;

    for (unsigned i = 0; running && i < br->n_slots; i++) {
        resume_one(&br->slots[i], NULL);
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
        timer_setup_plain(&slots[i].deadline, m, CLOCK_KIND_VIRTUAL, job_timeout, &slots[i]);
    }
    if (live) {
        br->slots = slots;
        br->n_slots = n;
        machine_add_run_fn(m, on_run, br);
    }
}

void pci_slots_fini(PCIBridge *br)
{
    for (unsigned i = 0; i < br->n_slots; i++) {
        PCISlot *s = &br->slots[i];

        timer_cancel(&s->deadline);
        g_clear_pointer(&s->job_device, g_free);
        if (s->removal) { /* everything behind the bridge is gone already */
            g_source_remove(s->removal);
            s->removal = 0;
            device_unpin_any(&br->pci.dev);
        }
    }
    if (br->n_slots) {
        machine_remove_run_fn(br->pci.dev.machine, on_run, br);
        br->n_slots = 0;
    }
}

/* --- saved state --- */

static bool slot_check(void *obj, GError **err)
{
    const PCISlot *s = obj;

    if (s->deadline.loaded != CLOCK_NEVER && s->job != PCI_UNPLUG_REQUESTED &&
        s->job != PCI_UNPLUG_ACCEPTED) {
        pci_error(err, "a deadline without an unplug under way");
        return false;
    }
    if (s->job != PCI_UNPLUG_NONE && s->br->n_slots == 0) {
        pci_error(err, "an unplug job of a slot that cannot be unplugged");
        return false;
    }
    if (job_open(s) && !pci_slot_occupied(s)) {
        pci_error(err, "an unplug under way in a slot without a card");
        return false;
    }
    return true;
}

static const VmField slot_fields[] = {
    VM_U32(PCISlot, job, .max = PCI_UNPLUG_STATES - 1),
    VM_TIMER(PCISlot, deadline),
};

const VmState pci_slot_state = {
    .name = "slot", .version = 1, .fields = LIST(slot_fields), .check = slot_check
};

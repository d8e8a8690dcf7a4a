/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places: the bus of a device, its address on the bus, and the conditions that the other functions
 * of the slot and the rules of the bus impose.
 */
#include "plan/internal.h"

bool plan_bus_hotplug(const PlanBusNode *node)
{
    const PlanBusRule *r = node->rule;

    switch (r->hotplug) {
    case PLAN_HOTPLUG_ALWAYS:
        return true;
    case PLAN_HOTPLUG_IF:
        return node->owner && plan_device_flag(node->owner, r->hotplug_prop, false);
    case PLAN_HOTPLUG_UNLESS:
        return !node->owner || plan_device_flag(node->owner, r->hotplug_prop, true);
    default:
        return node->hotplug;
    }
}

void plan_bus_slots(const PlanBusNode *node, unsigned *first, unsigned *last)
{
    bool reserved = node->rule->prop_reserves_slot0 && plan_bus_hotplug(node);

    *first = MAX(node->rule->first_slot, reserved ? 1u : 0u);
    *last = node->rule->last_slot;
}

bool plan_bus_takes(const PlanBusNode *node, const PlanType *t)
{
    if (node->orphan) {
        return false;
    }
    if (t->role == PLAN_PCI_NONE) {
        return node->kind == t->plugs_into && node->kind != PLAN_BUS_NONE;
    }
    if (node->rule->addr != PLAN_ADDR_PCI || !(node->rule->roles >> t->role & 1)) {
        return false;
    }
    if (t->role == PLAN_PCI_EXTRA_ROOT) {
        return node->owner == NULL;
    }
    return t->role != PLAN_PCI_ENDPOINT || (t->slots & node->rule->slots);
}

static uint32_t slot_mask(const PlanBusNode *node)
{
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    return (uint32_t)((2ull << last) - (1ull << first));
}

/* Return whether the bus has a place for one more device of an accepted type. */
static bool has_room(const PlanBusNode *node, const PlanType *t)
{
    if (node->rule->addr == PLAN_ADDR_NUMBER) {
        return plan_numbered_has_room(node, t);
    }
    if (node->rule->addr == PLAN_ADDR_SCSI) {
        return plan_scsi_has_room(node);
    }
    return (slot_mask(node) & ~node->used) != 0;
}

char *plan_free_slots(const PlanBusNode *node)
{
    uint32_t unused = slot_mask(node) & ~node->used;
    GString *out = g_string_new(NULL);

    for (unsigned i = 0; i < 32; i++) {
        unsigned from = i;

        if (!(unused >> i & 1)) {
            continue;
        }
        while (i < 31 && (unused >> (i + 1) & 1)) {
            i++;
        }
        g_string_append_printf(out, "%s%02x", out->len ? ", " : "", from);
        if (i > from) {
            g_string_append_printf(out, "-%02x", i);
        }
    }
    if (!out->len) {
        g_string_append(out, "none");
    }
    return g_string_free(out, FALSE);
}

bool plan_bus_accepts(const PlanIndex *x, const PlanBusNode *node, const PlanType *t)
{
    return plan_bus_takes(node, t) && has_room(node, t) &&
           (!x->running || (t->hotpluggable && plan_bus_hotplug(node)));
}

static PlanFound refused(GError **err, const PlanDevice *d, const PlanIndex *x, const char *why)
{
    g_autofree char *label = plan_device_label(d), *others = plan_advice(x, d, NULL);

    plan_fail(err, "%s: %s: %s", label, why, others);
    return PLAN_REFUSED;
}

/* Find the root bus of a full address. The guest can change the numbers of all other buses. */
static PlanFound find_by_number(PlanIndex *x, const PlanDevice *d, PlanBusNode **node, GError **err)
{
    g_autofree char *label = plan_device_label(d), *addr = plan_addr_format(&d->addr, true);
    GString *roots = g_string_new(NULL);
    g_autofree char *list = NULL;

    for (guint i = 0; i < x->bus_order->len; i++) {
        PlanBusNode *b = x->bus_order->pdata[i];
        bool root = b == x->root || (b->owner && b->owner->t->role == PLAN_PCI_EXTRA_ROOT);

        if (!root) {
            continue;
        }
        if (b->number == d->addr.bus && d->addr.domain == 0) {
            g_string_free(roots, TRUE);
            *node = b;
            if (!d->bus || strcmp(d->bus, b->name) == 0) {
                return PLAN_FOUND;
            }
            plan_fail(err, "%s: address %s is on bus '%s', but bus= names a different bus", label,
                      addr, b->name);
            return PLAN_REFUSED;
        }
        g_string_append_printf(roots, "%s0000:%02x ('%s')", roots->len ? ", " : "", b->number,
                               b->name);
    }
    list = g_string_free(roots, FALSE);
    plan_fail(err,
              "%s: address %s is not on a root bus; the guest chooses the bus numbers below "
              "bridges, so use bus=NAME,addr=SLOT; root buses: %s",
              label, addr, *list ? list : "none");
    return PLAN_REFUSED;
}

static PlanFound place_find_named(PlanIndex *x, const PlanDevice *d, bool last, PlanBusNode **node,
                                  GError **err)
{
    g_autofree char *quoted = NULL, *why = NULL;

    *node = g_hash_table_lookup(x->buses, d->bus);
    if (*node) {
        return PLAN_FOUND;
    }
    if (strchr(d->bus, '/') && !last) {
        return PLAN_NOT_YET;
    }
    quoted = plan_quote(d->bus);
    why = plan_bus_auto(d) ? g_strdup("bus=auto requires a placement policy")
                           : g_strdup_printf("there is no bus %s", quoted);
    return refused(err, d, x, why);
}

/* No bus is named and none is free. The buses of a machine type are limited. */
static PlanFound place_refuse_default(const PlanIndex *x, const PlanDevice *d, GError **err)
{
    g_autofree char *why = NULL;

    if (d->t->plugs_into != PLAN_BUS_VIRTIO_MMIO) {
        return refused(err, d, x, "the device requires a bus");
    }
    why = x->machine->n_mmio_buses
              ? g_strdup_printf("each of the %u virtio-mmio buses of machine %s holds a device",
                                x->machine->n_mmio_buses, x->machine->name)
              : g_strdup_printf("machine %s has no virtio-mmio bus", x->machine->name);
    return refused(err, d, x, why);
}

static PlanFound find_default(PlanIndex *x, const PlanDevice *d, bool last, PlanBusNode **node,
                              GError **err)
{
    if (d->t->role != PLAN_PCI_NONE) {
        g_autofree char *label = x->root ? NULL : plan_device_label(d);

        *node = x->root;
        if (x->root) {
            return PLAN_FOUND;
        }
        plan_fail(err, "%s: machine %s has no PCI bus", label, x->machine->name);
        return PLAN_REFUSED;
    }
    for (guint i = 0; i < x->bus_order->len; i++) {
        PlanBusNode *b = x->bus_order->pdata[i];

        if (plan_bus_takes(b, d->t) && has_room(b, d->t)) {
            *node = b;
            return PLAN_FOUND;
        }
    }
    return last ? place_refuse_default(x, d, err) : PLAN_NOT_YET;
}

PlanFound plan_find_bus(PlanIndex *x, PlanDevice *d, bool last, PlanBusNode **node, GError **err)
{
    PlanFound found;

    *node = NULL;
    if (d->t->role == PLAN_PCI_NONE && d->has_addr) {
        g_autofree char *label = plan_device_label(d);

        plan_fail(err, "%s: the device is not a PCI function and does not accept addr", label);
        return PLAN_REFUSED;
    }
    if (d->t->role == PLAN_PCI_NONE && d->t->plugs_into == PLAN_BUS_OTHER) {
        return PLAN_FOUND; /* the name of the bus is kept */
    }
    if (d->t->role == PLAN_PCI_NONE && d->t->plugs_into <= PLAN_BUS_SYSTEM) {
        if (d->bus) {
            g_autofree char *label = plan_device_label(d);

            plan_fail(err, "%s: devices of this type are on no bus: leave out bus=", label);
            return PLAN_REFUSED;
        }
        return PLAN_FOUND;
    }
    found = d->has_addr && d->full_addr ? find_by_number(x, d, node, err)
            : d->bus                    ? place_find_named(x, d, last, node, err)
                                        : find_default(x, d, last, node, err);
    if (found == PLAN_FOUND && !plan_bus_takes(*node, d->t)) {
        const char *what = d->t->role != PLAN_PCI_ENDPOINT    ? plan_role_name(d->t->role)
                           : d->t->slots == PLAN_SLOT_EXPRESS ? "an Express endpoint"
                                                              : "a conventional endpoint";
        g_autofree char *why =
            d->t->role == PLAN_PCI_NONE
                ? g_strdup_printf("bus '%s' is %s", (*node)->name, (*node)->rule->doc)
                : g_strdup_printf("the device is %s, and bus '%s' (%s) accepts %s", what,
                                  (*node)->name, (*node)->rule->doc,
                                  d->t->role == PLAN_PCI_EXTRA_ROOT && (*node)->owner
                                      ? "none: only the root bus of the machine does"
                                      : (*node)->rule->takes);

        return refused(err, d, x, why);
    }
    return found;
}

/* --- one place on a bus --- */

static PlanDevice *place_holder(const PlanBusNode *node, const PlanPciAddr *addr)
{
    return node->slot[addr->slot] ? node->slot[addr->slot][addr->fn] : NULL;
}

static bool refuse_slot(const PlanIndex *x, const PlanDevice *d, const PlanBusNode *node,
                        const char *why, GError **err)
{
    g_autofree char *label = plan_device_short_label(d), *unused = plan_free_slots(node),
                    *others = NULL;

    if (slot_mask(node) & ~node->used) {
        return plan_fail(err, "%s: %s: free slots there: %s", label, why, unused);
    }
    others = plan_advice(x, d, node);
    return plan_fail(err, "%s: %s: %s", label, why, others);
}

static bool choose_slot(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err)
{
    uint32_t unused = slot_mask(node) & ~node->used;

    if (!unused) {
        const PlanDevice *first = node->slot[0] ? node->slot[0][0] : NULL;
        g_autofree char *label = first ? plan_device_short_label(first) : NULL;
        g_autofree char *why =
            node->rule->last_slot == 0 && label
                ? g_strdup_printf("bus '%s' has one slot, 00, already used by %s", node->name,
                                  label)
                : g_strdup_printf("bus '%s' has no free slot", node->name);

        return refuse_slot(x, d, node, why, err);
    }
    d->addr = (PlanPciAddr){ .slot = (uint8_t)__builtin_ctz(unused) };
    d->has_addr = true;
    return true;
}

static bool check_addr(PlanIndex *x, const PlanDevice *d, const PlanBusNode *node, GError **err)
{
    const PlanDevice *holder = place_holder(node, &d->addr);
    g_autofree char *addr = NULL, *why = NULL, *other = NULL;
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    if (d->addr.slot >= first && d->addr.slot <= last && !holder) {
        return true;
    }
    if (node->rule->ari && d->addr.slot > last && !holder && plan_has_ari(d)) {
        return true;
    }
    addr = plan_addr_format(&d->addr, false);
    if (holder) {
        other = plan_device_short_label(holder);
        why = g_strdup_printf("%s on bus '%s' is already used by %s", addr, node->name, other);
    } else if (d->addr.slot < first) {
        why = g_strdup_printf("slot %02x of bus '%s' belongs to the hot-plug controller",
                              d->addr.slot, node->name);
    } else {
        why = g_strdup_printf("bus '%s' has no slot %02x, only %02x to %02x%s", node->name,
                              d->addr.slot, first, last,
                              node->rule->ari ? " (others require ARI)" : "");
    }
    return refuse_slot(x, d, node, why, err);
}

static bool has_multifunction(const PlanDevice *d)
{
    return plan_device_flag(d, "multifunction", false);
}

/* Check the functions of an ARI device with a function number above 7. They occupy "slots" above 0
 * and require that function 0 has ARI. */
static bool check_ari(const PlanBusNode *node, const PlanDevice *d, GError **err)
{
    const PlanDevice *zero = node->slot[0] ? node->slot[0][0] : NULL;
    g_autofree char *label = NULL, *other = NULL;

    if (!zero || plan_has_ari(zero)) {
        return true;
    }
    label = plan_device_label(d);
    other = plan_device_label(zero);
    return plan_fail(err,
                     "%s: function %u of a device below bus '%s' requires ARI at function 0, %s, "
                     "which does not have it",
                     label, d->addr.slot * 8u + d->addr.fn, node->name, other);
}

bool plan_check_slot(const PlanBusNode *node, unsigned slot, GError **err)
{
    PlanDevice *const *fn = node->slot[slot];
    g_autofree char *label = NULL, *other = NULL, *unused = NULL;

    for (unsigned i = 1; fn && i < 8; i++) {
        const PlanDevice *d = fn[i];

        if (!d || (node->rule->ari && slot > 0)) {
            continue;
        }
        if (fn[0] ? has_multifunction(fn[0]) : has_multifunction(d)) {
            continue;
        }
        label = plan_device_short_label(d);
        if (!fn[0]) {
            return plan_fail(err,
                             "%s: a guest scans function %02x.0 first, and bus '%s' has no device "
                             "there: add a device at %02x.0 with multifunction=on, or set "
                             "multifunction=on here if that device is added later",
                             label, slot, node->name, slot);
        }
        other = plan_device_short_label(fn[0]);
        unused = plan_free_slots(node);
        return plan_fail(err,
                         "%s: %02x.%u on bus '%s' is not possible, because function 0 of the slot, "
                         "%s, is a single-function device%s; free slots there: %s",
                         label, slot, i, node->name, other,
                         fn[0]->implicit ? " of the machine" : ": set multifunction=on for it",
                         unused);
    }
    for (unsigned i = 0; node->rule->ari && slot > 0 && fn && i < 8; i++) {
        if (fn[i] && !check_ari(node, fn[i], err)) {
            return false;
        }
    }
    return true;
}

static void place_enter_slot(PlanBusNode *node, PlanDevice *d)
{
    if (!node->slot[d->addr.slot]) {
        node->slot[d->addr.slot] = g_new0(PlanDevice *, 8);
    }
    node->slot[d->addr.slot][d->addr.fn] = d;
    node->used |= 1u << d->addr.slot;
    plan_places_enter(node, d);
    d->sized = false;
    plan_room_changed(node);
}

/* A bus for one device: its place is slot 0. */
static bool place_put_single(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err)
{
    d->addr = (PlanPciAddr){ 0 };
    if (node->used) {
        g_autofree char *holder = plan_device_short_label(node->slot[0][0]);
        g_autofree char *why =
            g_strdup_printf("bus '%s' is already used by %s", node->name, holder);

        return refused(err, d, x, why) == PLAN_FOUND;
    }
    place_enter_slot(node, d);
    d->place = g_strconcat(node->name, "/0", NULL);
    return true;
}

static bool put_pci(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err)
{
    g_autofree char *addr = NULL;

    if (d->has_addr ? !check_addr(x, d, node, err) : !choose_slot(x, d, node, err)) {
        return false;
    }
    place_enter_slot(node, d);
    d->addr.domain = 0;
    d->addr.bus = 0;
    d->full_addr = false;
    addr = plan_addr_format(&d->addr, false);
    d->place = g_strconcat(node->name, "/", addr, NULL);
    return true;
}

/* Set the place of a board device: its type, and a number except for the first device of a type. */
static void put_board(PlanIndex *x, PlanDevice *d)
{
    d->place = g_strdup_printf("system/%s", d->t->name);
    for (unsigned i = 1; g_hash_table_contains(x->board, d->place); i++) {
        g_free(d->place);
        d->place = g_strdup_printf("system/%s.%u", d->t->name, i);
    }
    g_hash_table_add(x->board, g_strdup(d->place));
}

/* Enter the names of @d and the bus that it provides in the index. The place of @d is set. */
static bool place_enter(PlanIndex *x, PlanDevice *d, GError **err)
{
    const char *name = plan_device_name(d);
    g_autofree char *bus_name = NULL;

    g_hash_table_replace(x->devices, (gpointer)name, d);
    if (d->t->provides == PLAN_BUS_NONE || d->brings) {
        return true;
    }
    bus_name = g_strconcat(name, plan_bus_rule(d->t->provides)->suffix, NULL);
    if (g_hash_table_contains(x->buses, bus_name)) {
        g_autofree char *label = plan_device_label(d);

        return plan_fail(err, "%s: a bus '%s' exists already: choose another id", label, bus_name);
    }
    plan_index_add_bus(x, bus_name, d->t->provides, d);
    return true;
}

static bool place_put_on(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err)
{
    switch (node->rule->addr) {
    case PLAN_ADDR_NUMBER:
        return plan_put_numbered(d, node, err);
    case PLAN_ADDR_SINGLE:
        return place_put_single(x, d, node, err);
    case PLAN_ADDR_SCSI:
        return plan_put_scsi(d, node, err);
    default:
        return put_pci(x, d, node, err);
    }
}

bool plan_place_given(const PlanDevice *d)
{
    return d->has_addr || plan_number_given(d) || plan_scsi_given(d) ||
           (d->bus && plan_bus_rule(d->t->plugs_into)->addr == PLAN_ADDR_SINGLE);
}

bool plan_put(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err)
{
    g_free(d->place);
    d->place = NULL;
    if (!node) {
        put_board(x, d);
        return place_enter(x, d, err);
    }
    d->dynamic |= !plan_place_given(d);
    if (!place_put_on(x, d, node, err)) {
        return false;
    }
    if (g_strcmp0(d->bus, node->name) != 0) {
        g_free(d->bus);
        d->bus = g_strdup(node->name);
    }
    node->n_devices++;
    d->on = node;
    return place_enter(x, d, err);
}

static void leave_slot(PlanBusNode *node, const PlanDevice *d)
{
    PlanDevice **fn = node->slot[d->addr.slot];

    plan_places_leave(node, d);
    plan_room_changed(node);
    fn[d->addr.fn] = NULL;
    for (unsigned i = 0; i < 8; i++) {
        if (fn[i]) {
            return;
        }
    }
    g_free(fn);
    node->slot[d->addr.slot] = NULL;
    node->used &= ~(1u << d->addr.slot);
}

void plan_take_out(PlanIndex *x, PlanDevice *d)
{
    PlanBusNode *node = d->on;

    if (d->brings) {
        plan_index_remove_bus(x, d->brings);
    }
    if (g_hash_table_lookup(x->devices, plan_device_name(d)) == d) {
        g_hash_table_remove(x->devices, plan_device_name(d));
    }
    if (!node && d->place) {
        g_hash_table_remove(x->board, d->place);
    }
    g_free(d->place);
    d->place = NULL;
    d->on = NULL;
    if (!node) {
        return;
    }
    node->n_devices--;
    if (node->scsi) {
        plan_scsi_release(node, d);
    } else if (node->numbers) {
        g_hash_table_remove(node->numbers, GUINT_TO_POINTER((guint)d->number->value.u));
    } else {
        leave_slot(node, d);
    }
    if (node->orphan && node->n_devices == 0) {
        plan_index_remove_bus(x, node);
    }
}

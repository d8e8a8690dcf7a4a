/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which bus a device receives from a policy: each bus is possible or rejected for one reason, and
 * the possible bus that satisfies most preferences is chosen. Buses of equal cost are used in the
 * order of their creation.
 */
#include "plan/policy_internal.h"

enum {
    SEARCH_FAR = 60,        /* distance of devices below different roots */
    SEARCH_NEAR_COST = 256, /* of one step of the distance */
    SEARCH_KIND_COST = 16,
    SEARCH_LINE_COST = 1,
    SEARCH_LINES = 4
};

static const char *const reason_names[PLAN_REASONS] = {
    [PLAN_REASON_NONE] = "possible",
    [PLAN_REASON_ROLE] = "role",
    [PLAN_REASON_LINK] = "link",
    [PLAN_REASON_NO_HOTPLUG] = "no-hotplug",
    [PLAN_REASON_HOTPLUG] = "hotplug",
    [PLAN_REASON_NUMA] = "numa",
    [PLAN_REASON_FULL] = "full",
    [PLAN_REASON_SPARE] = "spare-port",
    [PLAN_REASON_BRIDGE] = "reserved-for-bridge",
    [PLAN_REASON_WINDOW] = "window",
    [PLAN_REASON_UNNUMBERED] = "no-bus-number",
    [PLAN_REASON_FARTHER] = "farther",
    [PLAN_REASON_LATER] = "later",
};

const char *plan_reason_name(PlanReason reason)
{
    return reason_names[reason];
}

static bool search_usable(const PlanBusNode *node)
{
    return node->rule->addr == PLAN_ADDR_PCI && !node->orphan && node->root;
}

static bool search_is_free_port(const PlanBusNode *node)
{
    return node->kind == PLAN_BUS_PCIE_PORT && node->n_devices == 0 && search_usable(node) &&
           plan_bus_hotplug(node);
}

unsigned plan_free_ports(const PlanIndex *x)
{
    unsigned n = 0;

    for (guint i = 0; i < x->bus_order->len; i++) {
        n += search_is_free_port(x->bus_order->pdata[i]);
    }
    return n;
}

/* --- ports of a running guest --- */

/* Return whether the guest has reserved resources behind a free port that are known. */
static bool search_reserved(const PlanSearch *s, const PlanBusNode *node, PlanReserve *r)
{
    return search_is_free_port(node) && plan_guest_reserved(s->guest, node, r);
}

/* Return whether the BARs of the device fit the windows of a port. */
static bool search_fits(const PlanDevice *d, const PlanReserve *r)
{
    uint64_t low = 0, high = 0;

    for (size_t i = 0; i < d->t->n_bars; i++) {
        const PlanBar *b = &d->t->bars[i];
        uint64_t size = b->io ? 0 : plan_bar_size(d, b);
        uint64_t *sum = b->is64 && b->prefetch ? &high : &low;

        *sum = size > UINT64_MAX / 32 ? UINT64_MAX / 2 : *sum + size;
    }
    return low <= r->mem && (high <= r->pref64 || low + high <= r->mem);
}

/* An endpoint does not receive a port that can take a switch: a switch is plugged first. */
static PlanReason search_guest(const PlanSearch *s, const PlanBusNode *node)
{
    bool endpoint = s->d->t->role == PLAN_PCI_ENDPOINT;
    PlanReserve r = { 0 };

    if (!search_reserved(s, node, &r)) {
        return PLAN_REASON_NONE;
    }
    if (!r.buses) {
        return PLAN_REASON_UNNUMBERED;
    }
    if (endpoint && plan_policy_grows(s->policy, PLAN_GROW_SWITCH) &&
        plan_guest_width(s->guest, &r, true)) {
        return PLAN_REASON_SPARE;
    }
    return endpoint && !search_fits(s->d, &r) ? PLAN_REASON_WINDOW : PLAN_REASON_NONE;
}

static unsigned search_count_free(const PlanSearch *s)
{
    unsigned n = 0;

    for (guint i = 0; i < s->x->bus_order->len; i++) {
        const PlanBusNode *node = s->x->bus_order->pdata[i];
        PlanReserve r = { .buses = 1 };

        n += search_is_free_port(node) && (!search_reserved(s, node, &r) || r.buses);
    }
    return n;
}

int plan_root_node(const PlanBusNode *root)
{
    const PlanValue *v = root->owner ? plan_device_get(root->owner, "numa_node") : NULL;

    return !root->owner ? 0 : v && v->u < PREFS_NODES ? (int)v->u : PLAN_NUMA_ANY;
}

/* --- distances and interrupt lines --- */

static const PlanBusNode *search_parent(const PlanBusNode *node)
{
    return node->root == node || !node->owner ? NULL : node->owner->on;
}

/* Return the number of bridges between two buses. */
static unsigned search_distance(const PlanBusNode *a, const PlanBusNode *b)
{
    unsigned steps = 0;

    if (!a || !b || a->root != b->root) {
        return SEARCH_FAR;
    }
    while (a != b && steps < SEARCH_FAR) {
        if (a->depth >= b->depth) {
            a = search_parent(a);
        } else {
            b = search_parent(b);
        }
        if (!a || !b) {
            return SEARCH_FAR;
        }
        steps++;
    }
    return steps;
}

/* Return the interrupt line of the root bus for a pin of a function in a slot of @node. */
static unsigned search_line(const PlanBusNode *node, unsigned slot, unsigned pin)
{
    unsigned line = pin - 1;

    for (;;) {
        line += node->kind == PLAN_BUS_PCIE_PORT ? 0 : slot;
        if (!search_parent(node)) {
            return line % SEARCH_LINES;
        }
        slot = node->owner->addr.slot;
        node = node->owner->on;
    }
}

static void search_count_lines(PlanSearch *s)
{
    for (guint i = 0; i < s->x->bus_order->len; i++) {
        const PlanBusNode *node = s->x->bus_order->pdata[i];

        for (unsigned k = 0; search_usable(node) && k < 8 * G_N_ELEMENTS(node->slot); k++) {
            const PlanDevice *d = node->slot[k / 8] ? node->slot[k / 8][k % 8] : NULL;

            if (d && d != s->d && d->t->pin) {
                s->lines[search_line(node, k / 8, d->t->pin)]++;
            }
        }
    }
}

static bool search_line_free(const PlanSearch *s, const PlanBusNode *node, unsigned slot)
{
    return s->lines[search_line(node, slot, s->d->t->pin)] == 0;
}

/* Return an empty slot with an interrupt line of its own, or -1. */
static int search_line_slot(const PlanSearch *s, const PlanBusNode *node)
{
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    for (unsigned slot = first; slot <= last; slot++) {
        if (!(node->used >> slot & 1) && search_line_free(s, node, slot)) {
            return (int)slot;
        }
    }
    return -1;
}

static bool search_wants_line(const PlanSearch *s)
{
    return s->prefs->own_line == PLAN_WISH_REQUIRED && s->d->t->pin;
}

/* --- a search --- */

static bool search_other(const PlanSearch *s, const char *id, const char *key,
                         const PlanDevice **to, GError **err)
{
    g_autofree char *label = NULL, *quoted = NULL;

    *to = id ? g_hash_table_lookup(s->x->devices, id) : NULL;
    if (!id || *to) {
        return true;
    }
    label = plan_device_label(s->d);
    quoted = plan_quote(id);
    return plan_fail(err, "%s: %s=%s: the machine has no such device", label, key, quoted);
}

bool plan_attach_placed(PlanIndex *x, GError **err)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        PlanBusNode *node = x->bus_order->pdata[i];

        if (!node->root && node->owner && node->owner->on && plan_bus_is_rooted(node->owner->on) &&
            !plan_attach_bus(node, err)) {
            return false;
        }
    }
    return true;
}

bool plan_search_begin(PlanSearch *s, GError **err)
{
    if (!plan_attach_placed(s->x, err)) {
        return false;
    }
    s->free_ports = search_count_free(s);
    if (search_wants_line(s)) {
        search_count_lines(s);
    }
    return search_other(s, s->prefs->near, "near", &s->near, err) &&
           search_other(s, s->prefs->apart, "apart", &s->apart, err);
}

bool plan_search_shares(const PlanSearch *s)
{
    PlanPciRole role = s->d->t->role;

    if (s->running || !plan_prop_of(s->d, "multifunction")) {
        return false;
    }
    return role == PLAN_PCI_ROOT_PORT || role == PLAN_PCI_BRIDGE ||
           ((role == PLAN_PCI_ENDPOINT || role == PLAN_PCI_DOWNSTREAM) &&
            s->prefs->sharing == PLAN_SHARING_SHARED);
}

/* Return the number of slots that are kept for the controllers of growth, and count those that
 * contain some. */
static unsigned search_kept(const PlanSearch *s, const PlanBusNode *node, PlanPciRole *role)
{
    bool express = node->kind == PLAN_BUS_PCIE_ROOT;

    *role = express ? PLAN_PCI_ROOT_PORT : PLAN_PCI_BRIDGE;
    if (express && plan_policy_grows(s->policy, PLAN_GROW_ROOT_PORT)) {
        return s->policy->port_slots;
    }
    return (node->kind == PLAN_BUS_PCI || node->kind == PLAN_BUS_PCI_ROOT) &&
           plan_policy_grows(s->policy, PLAN_GROW_BRIDGE);
}

/* Return whether an endpoint may use another empty slot. */
static bool search_may_open(const PlanSearch *s, const PlanBusNode *node)
{
    PlanPciRole role;
    unsigned kept = search_kept(s, node, &role), empty = plan_places_empty(node), used = 0;

    if (!kept || s->only || s->d->t->role != PLAN_PCI_ENDPOINT || empty > kept) {
        return true;
    }
    for (unsigned slot = 0; slot < G_N_ELEMENTS(node->slot); slot++) {
        used += node->slot[slot] && node->slot[slot][0] && node->slot[slot][0]->t->role == role;
    }
    return empty > kept - MIN(used, kept);
}

static PlanReason search_room(const PlanSearch *s, const PlanBusNode *node)
{
    bool empty = plan_places_empty(node) > 0;
    PlanPciAddr addr = { 0 };

    if (plan_search_shares(s)) {
        empty = plan_places_shared(s->x, node, s->d->t->role, PLAN_SLOT_ANY, &addr);
    }
    if (!empty) {
        return PLAN_REASON_FULL;
    }
    if (addr.fn) {
        return PLAN_REASON_NONE; /* next to other functions */
    }
    if (search_is_free_port(node) && !s->only) {
        PlanReason reason = search_guest(s, node);

        if (reason) {
            return reason;
        }
        if (!s->ignore_spare && s->free_ports <= s->policy->spare_ports) {
            return PLAN_REASON_SPARE;
        }
    }
    return search_may_open(s, node) ? PLAN_REASON_NONE : PLAN_REASON_BRIDGE;
}

static bool search_link(const PlanSearch *s, const PlanBusNode *node)
{
    bool express = plan_bus_is_express(node->kind);

    switch (s->prefs->link) {
    case PLAN_LINK_EXPRESS:
        return express && (s->d->t->slots & PLAN_SLOT_EXPRESS);
    case PLAN_LINK_CONVENTIONAL:
        return !express && (s->d->t->slots & PLAN_SLOT_CONVENTIONAL);
    default:
        return true;
    }
}

/* A PCIe-to-PCI bridge belongs into a port, and a conventional bridge on a conventional bus. */
static bool search_bridge_ok(const PlanSearch *s, const PlanBusNode *node)
{
    switch (s->d->t->role) {
    case PLAN_PCI_PCIE_BRIDGE:
        return node->kind == PLAN_BUS_PCIE_PORT;
    case PLAN_PCI_BRIDGE:
        return !plan_bus_is_express(node->kind);
    default:
        return true;
    }
}

static PlanReason search_conditions(const PlanSearch *s, const PlanBusNode *node)
{
    bool endpoint = s->d->t->role == PLAN_PCI_ENDPOINT, hotplug = plan_bus_hotplug(node);

    if (!search_usable(node) || !plan_bus_takes(node, s->d->t) || (s->only && node != s->only)) {
        return PLAN_REASON_ROLE;
    }
    if (!s->only && !search_bridge_ok(s, node)) {
        return PLAN_REASON_ROLE;
    }
    if (endpoint && !search_link(s, node)) {
        return PLAN_REASON_LINK;
    }
    /* The ports of a unit are plugged together with it: plan_enter_device() checks them. */
    if ((s->running && !hotplug && (endpoint || !s->only)) ||
        (endpoint && s->prefs->hotplug == PLAN_WISH_REQUIRED && !hotplug)) {
        return PLAN_REASON_NO_HOTPLUG;
    }
    if (endpoint && s->prefs->hotplug == PLAN_WISH_AVOID && hotplug) {
        return PLAN_REASON_HOTPLUG;
    }
    if (s->prefs->numa >= 0 && plan_root_node(node->root) != s->prefs->numa) {
        return PLAN_REASON_NUMA;
    }
    return PLAN_REASON_NONE;
}

/* Return the rank of a bus type for the device: 0 is the best. */
static unsigned search_rank(const PlanSearch *s, const PlanBusNode *node)
{
    bool port = node->kind == PLAN_BUS_PCIE_PORT;

    return s->d->t->role != PLAN_PCI_ENDPOINT        ? 0
           : s->prefs->hotplug == PLAN_WISH_REQUIRED ? !port
           : node->root == node                      ? 0
           : port                                    ? 2
                                                     : 1;
}

void plan_search_cost(const PlanSearch *s, const PlanBusNode *node, unsigned *cost)
{
    *cost = search_rank(s, node) * SEARCH_KIND_COST;
    if (s->near) {
        *cost += search_distance(node, s->near->on) * SEARCH_NEAR_COST;
    }
    if (s->apart) {
        *cost += (SEARCH_FAR - search_distance(node, s->apart->on)) * SEARCH_NEAR_COST;
    }
    if (search_wants_line(s) && search_line_slot(s, node) < 0) {
        *cost += SEARCH_LINE_COST;
    }
}

PlanReason plan_search_check(const PlanSearch *s, const PlanBusNode *node, unsigned *cost)
{
    PlanReason reason = search_conditions(s, node);

    *cost = 0;
    reason = reason ? reason : search_room(s, node);
    if (!reason) {
        plan_search_cost(s, node, cost);
    }
    return reason;
}

PlanBusNode *plan_search_bus(PlanSearch *s)
{
    PlanBusNode *best = NULL;
    unsigned best_cost = 0;

    memset(s->count, 0, sizeof(s->count));
    for (guint i = 0; i < s->x->bus_order->len; i++) {
        PlanBusNode *node = s->x->bus_order->pdata[i];
        unsigned cost;
        PlanReason reason;

        /* Full buses of one slot are the most frequent ones: skip them early. */
        if (node->kind == PLAN_BUS_PCIE_PORT && node->used &&
            s->prefs->sharing == PLAN_SHARING_EXCLUSIVE) {
            s->count[PLAN_REASON_FULL]++;
            continue;
        }
        reason = plan_search_check(s, node, &cost);
        s->count[reason]++;
        if (!reason && (!best || cost < best_cost)) {
            best = node;
            best_cost = cost;
            if (!cost) {
                break;
            }
        }
    }
    return best;
}

bool plan_search_addr(const PlanSearch *s, const PlanBusNode *node, PlanPciAddr *addr)
{
    bool shares = plan_search_shares(s);
    int slot = s->prefs->slot;

    if (slot >= 0 && (shares ? plan_places_shared(s->x, node, s->d->t->role, slot, addr)
                             : plan_places_slot(s->x, node, slot, addr))) {
        return true;
    }
    slot = search_wants_line(s) ? search_line_slot(s, node) : -1;
    if (slot >= 0 && plan_places_slot(s->x, node, slot, addr)) {
        return true;
    }
    return shares ? plan_places_shared(s->x, node, s->d->t->role, PLAN_SLOT_ANY, addr)
                  : plan_places_slot(s->x, node, PLAN_SLOT_ANY, addr);
}

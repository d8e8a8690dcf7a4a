/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advice for a device that has no place. Each suggestion is possible at the time of the message.
 * For a machine that is being planned, it is a bus with free slots, a device that provides such a
 * bus, or a free function of a slot. For a running machine it is a bus that accepts a device.
 */
#include "plan/internal.h"

enum { NAMES_MAX = 8, CHAIN_MAX = 3 };

char *plan_name_buses(const PlanIndex *x, const PlanType *t)
{
    GString *out = g_string_new(NULL);
    unsigned n = 0;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (!plan_bus_accepts(x, node, t)) {
            continue;
        }
        if (n++ < NAMES_MAX) {
            g_string_append_printf(out, "%s'%s'", out->len ? ", " : "", node->name);
        }
    }
    if (n > NAMES_MAX) {
        g_string_append_printf(out, " and %u more", n - NAMES_MAX);
    }
    return g_string_free(out, FALSE);
}

/* Return the first bus that accepts the type now; NULL if none does. */
static const PlanBusNode *advice_bus(const PlanIndex *x, const PlanType *t)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        if (plan_bus_accepts(x, x->bus_order->pdata[i], t)) {
            return x->bus_order->pdata[i];
        }
    }
    return NULL;
}

/* Return whether the bus that @carrier provides accepts @t. */
static bool advice_carries(const PlanType *carrier, const PlanType *t)
{
    PlanBusNode bus = { .kind = carrier->provides, .rule = plan_bus_rule(carrier->provides) };
    PlanDevice owner = { .t = carrier };

    bus.owner = &owner;
    return carrier->user_creatable && carrier->provides != PLAN_BUS_NONE && plan_bus_takes(&bus, t);
}

enum { ADVICE_RANKS = 3 };

/* Return the rank of a type in the order of advice: Express ports first, because most devices can
 * be plugged and unplugged below a port; then other PCI functions; then devices of other buses. */
static unsigned advice_rank(const PlanType *t)
{
    return t->role == PLAN_PCI_ROOT_PORT || t->role == PLAN_PCI_DOWNSTREAM ? 0
           : t->role != PLAN_PCI_NONE                                      ? 1
                                                                           : 2;
}

/* Find the shortest chain of types in which the bus of chain[0] accepts @t, the bus of each further
 * type accepts the type before it, and an existing bus accepts the last type now. Ports are
 * preferred. Return its length, at most @max; 0 if there is none. */
static unsigned advice_chain(const PlanIndex *x, const PlanType *t, unsigned max,
                             const PlanType **chain)
{
    const PlanCatalog *c = x->catalog;

    for (unsigned length = 1; length <= max; length++) {
        for (size_t i = 0; i < ADVICE_RANKS * c->n_types; i++) {
            const PlanType *carrier = c->types[i % c->n_types];
            unsigned rest = 0;

            if (advice_rank(carrier) != i / c->n_types || !advice_carries(carrier, t) ||
                (x->running && !carrier->hotpluggable)) {
                continue;
            }
            chain[0] = carrier;
            if (length == 1 ? advice_bus(x, carrier) != NULL
                            : (rest = advice_chain(x, carrier, length - 1, chain + 1)) > 0) {
                return rest + 1;
            }
        }
    }
    return 0;
}

/* Append "add a pcie-root-port and on its bus an x3130-upstream first". Return false if no chain
 * exists. */
static bool advise_chain(const PlanIndex *x, const PlanType *t, GString *out)
{
    const PlanType *chain[CHAIN_MAX];
    unsigned n = advice_chain(x, t, CHAIN_MAX, chain);

    for (unsigned i = n; i > 0; i--) {
        g_string_append_printf(out, "%s %s", i == n ? "add a" : " and on its bus a",
                               chain[i - 1]->name);
    }
    g_string_append(out, n ? " first" : "");
    return n > 0;
}

/* --- functions of a slot --- */

static bool is_multifunction(const PlanDevice *d)
{
    return plan_device_flag(d, "multifunction", false);
}

/* True if function 0 of the slot allows further functions, or would with multifunction=on. */
static bool advice_can_share(const PlanDevice *zero)
{
    return zero &&
           (is_multifunction(zero) || (!zero->implicit && plan_prop_of(zero, "multifunction")));
}

static bool advice_function(const PlanBusNode *node, PlanPciAddr *addr)
{
    bool found = false;

    for (unsigned slot = 0; slot <= node->rule->last_slot; slot++) {
        PlanDevice *const *fn = node->slot[slot];

        for (unsigned i = 1; fn && i < 8 && advice_can_share(fn[0]); i++) {
            bool better =
                !found || (is_multifunction(fn[0]) && !is_multifunction(node->slot[addr->slot][0]));

            if (!fn[i] && better) {
                *addr = (PlanPciAddr){ .slot = (uint8_t)slot, .fn = (uint8_t)i };
                found = true;
            }
        }
    }
    return found;
}

static bool advice_bus_nr_free(const PlanIndex *x, unsigned n)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *root = x->bus_order->pdata[i];

        if (root->root == root && n >= root->number && n < root->number + root->n_buses) {
            return false;
        }
    }
    return true;
}

/* Return a free first bus number for a further root bus: 0x80 if possible, because root buses share
 * the windows in proportion to their bus numbers. */
static unsigned advice_bus_nr(const PlanIndex *x)
{
    unsigned n = 0xff;

    if (advice_bus_nr_free(x, 0x80)) {
        return 0x80;
    }
    while (n > 0 && !advice_bus_nr_free(x, n)) {
        n--;
    }
    return n;
}

/* Name devices that provide a bus which accepts t, at that address of a root bus. */
static void advise_carriers(const PlanIndex *x, const PlanBusNode *node, const PlanType *t,
                            GString *out)
{
    unsigned n = 0, bus_nr = advice_bus_nr(x);

    for (size_t i = 0; i < x->catalog->n_types && n < 2; i++) {
        const PlanType *c = x->catalog->types[i];
        bool root = c->role == PLAN_PCI_EXTRA_ROOT;

        if ((c->role != PLAN_PCI_ROOT_PORT && !root) || (root && !bus_nr) ||
            !plan_bus_takes(node, c) || !advice_carries(c, t)) {
            continue;
        }
        g_string_append_printf(out, "%s '%s'", n++ ? " or a" : "; for more devices, a", c->name);
        if (root) {
            g_string_append_printf(out, " with bus_nr=%u", bus_nr);
        }
    }
    g_string_append(out, n ? " there provides a further bus" : "");
}

/* Suggest a free function of an occupied slot. Function 0 must have an explicit address, because
 * explicit addresses are reserved before other addresses are chosen. */
static bool advise_function(const PlanIndex *x, const PlanBusNode *node, const PlanDevice *d,
                            GString *out)
{
    g_autofree char *at = NULL, *zero = NULL, *label = NULL;
    PlanPciAddr addr;

    if (!node || node->rule->addr != PLAN_ADDR_PCI || !plan_bus_takes(node, d->t) ||
        !advice_function(node, &addr)) {
        return false;
    }
    at = plan_addr_format(&addr, false);
    addr.fn = 0;
    zero = plan_addr_format(&addr, false);
    label = plan_device_short_label(node->slot[addr.slot][0]);
    g_string_append_printf(
        out, "addr=%s on bus '%s' is a free function, next to %s with addr=%s,multifunction=on", at,
        node->name, label, zero);
    if (d->t->role == PLAN_PCI_ENDPOINT) {
        advise_carriers(x, node, d->t, out);
    }
    return true;
}

/* Suggest a switch, which provides further buses below a bus for one device. */
static void advise_switch(const PlanIndex *x, const PlanDevice *d, GString *out)
{
    for (size_t i = 0; i < x->catalog->n_types && d->t->role == PLAN_PCI_ENDPOINT; i++) {
        const PlanType *t = x->catalog->types[i];
        const PlanBusNode *node = t->role == PLAN_PCI_UPSTREAM ? advice_bus(x, t) : NULL;

        if (node) {
            g_string_append_printf(out, "; for more devices, a '%s' on '%s' starts a switch",
                                   t->name, node->name);
            return;
        }
    }
}

/* Name what the command line must contain at the start. */
static void advise_start(const PlanIndex *x, const PlanType *t, GString *out)
{
    size_t n = x->catalog->n_types;

    for (size_t i = 0; i < ADVICE_RANKS * n; i++) {
        const PlanType *c = x->catalog->types[i % n];

        if (advice_rank(c) == i / n && advice_carries(c, t) &&
            plan_bus_rule(c->provides)->hotplug != PLAN_HOTPLUG_NEVER) {
            g_string_append_printf(out, "start the machine with a free '%s'", c->name);
            return;
        }
    }
    g_string_append(out, "add the device when the machine is started");
}

char *plan_advice(const PlanIndex *x, const PlanDevice *d, const PlanBusNode *full)
{
    g_autofree char *names = plan_name_buses(x, d->t);
    GString *out = g_string_new(NULL);

    if (*names) {
        g_string_append_printf(out, "free buses that accept the device%s: %s",
                               x->running ? " now" : "", names);
        if (full && full == x->root && !x->running) {
            advise_switch(x, d, out);
        }
    } else if (x->running) {
        g_string_append(out, "no free bus of the running machine accepts the device, ");
        if (!advise_chain(x, d->t, out)) {
            advise_start(x, d->t, out);
        }
    } else if (!(full && full == x->root && advise_function(x, full, d, out))) {
        g_string_append(out, "no free bus of the machine accepts the device");
        g_string_append(out, ", ");
        if (!advise_chain(x, d->t, out) && !advise_function(x, full ? full : x->root, d, out)) {
            g_string_append(out, "and no device that could be added provides one");
        }
    }
    return g_string_free(out, FALSE);
}

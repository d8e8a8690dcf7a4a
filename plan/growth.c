/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of growth: root ports packed eight to a slot, a switch on a free port, conventional
 * bridges, and an extra root bus. Controllers have the lowest free number of their kind in their
 * id.
 */
#include "plan/policy_internal.h"

enum {
    GROWTH_WIDE = 32,        /* downstream ports that have slots of their own */
    GROWTH_WINDOW = 1 << 20, /* granularity of a memory window */
    GROWTH_BRIDGE_SLOTS = 7, /* slots for bridges of a unit that is plugged */
    GROWTH_SWITCH_LEAST = 2,
};

static const struct {
    const char *prefix;
    PlanPciRole role;
    const char *usual[3]; /* in the order of preference */
} growth_types[POLICY_CONTROLLERS] = {
    [POLICY_ROOT_PORT] = { "rp", PLAN_PCI_ROOT_PORT, { "pcie-root-port" } },
    [POLICY_UPSTREAM] = { "sw", PLAN_PCI_UPSTREAM, { "x3130-upstream" } },
    [POLICY_DOWNSTREAM] = { "dn", PLAN_PCI_DOWNSTREAM, { "xio3130-downstream" } },
    [POLICY_PCIE_BRIDGE] = { "br", PLAN_PCI_PCIE_BRIDGE, { "pcie-pci-bridge" } },
    [POLICY_PCI_BRIDGE] = { "br", PLAN_PCI_BRIDGE, { "pci-bridge" } },
    [POLICY_EXTRA_ROOT] = { "root", PLAN_PCI_EXTRA_ROOT, { "pxb-pcie", "pxb" } },
};

/* Return the type of a controller: that of the policy, a usual one, or the first with the role.
 * NULL with @err set if the catalogue has none. */
static const PlanType *growth_type(const PlanGrower *g, PolicyController i, GError **err)
{
    const PlanType *t = NULL;

    if (g->policy->type[i]) {
        t = g_hash_table_lookup(g->x->types, g->policy->type[i]);
        if (!t || t->role != growth_types[i].role || !t->user_creatable) {
            g_autofree char *quoted = plan_quote(g->policy->type[i]);

            plan_fail(err, "type %s of the policy is not %s of the catalogue", quoted,
                      plan_role_name(growth_types[i].role));
            return NULL;
        }
        return t;
    }
    for (size_t k = 0; !t && k < G_N_ELEMENTS(growth_types[i].usual); k++) {
        t = growth_types[i].usual[k] ? g_hash_table_lookup(g->x->types, growth_types[i].usual[k])
                                     : NULL;
    }
    for (size_t k = 0; !t && k < g->c->n_types; k++) {
        const PlanType *other = g->c->types[k];

        t = other->role == growth_types[i].role && other->user_creatable ? other : NULL;
    }
    if (!t) {
        plan_fail(err, "the catalogue has no type that is %s",
                  plan_role_name(growth_types[i].role));
    }
    return t;
}

static bool growth_has_type(const PlanGrower *g, PolicyController i)
{
    return growth_type(g, i, NULL) != NULL;
}

static bool growth_id_free(const PlanIndex *x, const char *id)
{
    return !g_hash_table_contains(x->devices, id) && !g_hash_table_contains(x->buses, id);
}

static void growth_set_id(const PlanGrower *g, PlanDevice *d, const char *prefix)
{
    for (unsigned n = 1; !d->id || !growth_id_free(g->x, d->id); n++) {
        g_free(d->id);
        d->id = g_strdup_printf("%s%u", prefix, n);
    }
}

/* Return a new controller with an id; NULL with @err set if the catalogue has none. */
static PlanDevice *growth_new_device(PlanGrower *g, PolicyController i, const char *bus,
                                     GError **err)
{
    const PlanType *t = growth_type(g, i, err);
    PlanDevice *d = t ? plan_device_new(t->name) : NULL;

    if (d) {
        d->bus = g_strdup(bus);
        growth_set_id(g, d, growth_types[i].prefix);
    }
    return d;
}

/* Set a property if the type has it. */
static void growth_set(const PlanGrower *g, PlanDevice *d, const char *name, uint64_t value)
{
    const PlanType *t = g_hash_table_lookup(g->x->types, d->type);
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);

    if (value && plan_find_prop(t->props, t->n_props, name)) {
        plan_device_set(d, name, text);
    }
}

bool plan_growth_fixed(const PlanGrower *g)
{
    return plan_reserve_fixed(growth_type(g, POLICY_ROOT_PORT, NULL));
}

/* Return the bus numbers behind each hot-plug port without a device. */
static unsigned growth_port_buses(const PlanGrower *g)
{
    return plan_growth_fixed(g) ? 1 : MAX(g->policy->reserve.buses, 1);
}

/* plan_reserve_ports() completes ports with fixed numbers. */
static void growth_set_reserve(const PlanGrower *g, PlanDevice *d)
{
    const PlanReserve *r = &g->policy->reserve;

    if (plan_growth_fixed(g)) {
        return;
    }
    growth_set(g, d, "bus-reserve", r->buses > 1 ? r->buses - 1 : 0);
    growth_set(g, d, "io-reserve", r->io);
    growth_set(g, d, "mem-reserve", r->mem);
    growth_set(g, d, "pref64-reserve", r->pref64);
}

/* Place and add a controller, which is consumed. */
static bool growth_add(PlanGrower *g, PlanDevice *d, const PlanPrefs *prefs, GError **err)
{
    PlanPrefs own = { .hotplug = PLAN_WISH_ANY,
                      .link = PLAN_LINK_EITHER,
                      .numa = prefs->numa,
                      .sharing = prefs->sharing,
                      .own_line = PLAN_WISH_ANY,
                      .slot = PLAN_SLOT_ANY,
                      .near = prefs->near,
                      .apart = prefs->apart };

    if (!plan_prepare_device(g->m, g->x, d, err) || !plan_grow_place(g, d, &own, err) ||
        !plan_enter_device(g->m, g->x, d, err)) {
        plan_device_free(d);
        return false;
    }
    g_ptr_array_add(g->added, d);
    return plan_check_bus_demand(g->x, g->policy, err);
}

static const PlanPrefs *growth_plain(PlanPrefs *to, const PlanPrefs *from)
{
    plan_prefs_init(to);
    to->numa = from->numa;
    return to;
}

/* --- root ports --- */

static bool growth_one_port(PlanGrower *g, const PlanPrefs *prefs, GError **err)
{
    PlanDevice *d = growth_new_device(g, POLICY_ROOT_PORT, NULL, err);
    PlanPrefs plain;

    if (!d) {
        return false;
    }
    growth_set_reserve(g, d);
    return growth_add(g, d, growth_plain(&plain, prefs), err);
}

/* Add a root port for a device, and as many as have to stay free. */
static bool growth_root_port(PlanGrower *g, const PlanType *t, const PlanPrefs *prefs, GError **err)
{
    bool spare = t && t->role != PLAN_PCI_UPSTREAM;

    do {
        if (!growth_one_port(g, prefs, err)) {
            return false;
        }
    } while (spare && plan_free_ports(g->x) <= g->policy->spare_ports);
    return true;
}

/* --- units below a free port --- */

/* Set *r to what is reserved behind a port. Return false if that is unknown. */
static bool growth_reserved(const PlanGrower *g, const PlanBusNode *port, PlanReserve *r)
{
    if (plan_guest_reserved(g->guest, port, r)) {
        return true;
    }
    *r = g->policy->reserve;
    r->buses = growth_port_buses(g);
    return r->mem || r->pref64;
}

static bool growth_port_ok(const PlanBusNode *node, const PlanPrefs *prefs)
{
    return node->kind == PLAN_BUS_PCIE_PORT && !node->n_devices && node->root && !node->orphan &&
           plan_bus_hotplug(node) && node->depth + 3 < PLAN_DEPTH_MAX &&
           (prefs->numa < 0 || plan_root_node(node->root) == prefs->numa);
}

/* Return the free port for a unit: while the guest runs, the one with most bus numbers; otherwise
 * the first one nearest to the root. NULL if there is none. */
static PlanBusNode *growth_port(const PlanGrower *g, const PlanPrefs *prefs)
{
    PlanBusNode *best = NULL;
    unsigned best_buses = 0;

    for (guint i = 0; i < g->x->bus_order->len; i++) {
        PlanBusNode *node = g->x->bus_order->pdata[i];
        PlanReserve r = { 0 };

        if (!growth_port_ok(node, prefs)) {
            continue;
        }
        growth_reserved(g, node, &r);
        if (!best || (g->guest ? r.buses > best_buses : node->depth < best->depth)) {
            best = node;
            best_buses = r.buses;
        }
    }
    return best;
}

/* Return the free port for a unit; at planning time a root port is added if there is none. NULL
 * with @err set on failure. */
static PlanBusNode *growth_need_port(PlanGrower *g, const PlanPrefs *prefs, GError **err)
{
    PlanBusNode *port = growth_port(g, prefs);

    if (port) {
        return port;
    }
    if (g->guest) {
        plan_fail(err, "the running machine has no free hot-plug port");
        return NULL;
    }
    return growth_root_port(g, NULL, prefs, err) ? growth_port(g, prefs) : NULL;
}

/* Return the number of bus numbers that the tree of a root can still use. */
static unsigned growth_buses_left(const PlanGrower *g, const PlanBusNode *root)
{
    unsigned end = plan_root_end(g->x, root),
             need = plan_bus_demand(g->x, root, growth_port_buses(g));

    return end - root->number > need ? end - root->number - need : 0;
}

unsigned plan_guest_width(const PlanGuest *guest, const PlanReserve *reserved, bool known)
{
    PlanReserve r = *reserved;

    /* With hpbussize=N the first port of a switch receives N numbers, if so many are left. */
    r.buses = r.buses > 2 ? 2 + (r.buses - 2) / MAX(guest->hotplug_buses, 1) : 0;
    r.mem = known ? r.mem : UINT64_MAX;
    return plan_reserve_width(&r, GROWTH_WIDE);
}

/* Return how many ports of a switch below @port can be used. */
static unsigned growth_switch_width(const PlanGrower *g, const PlanBusNode *port)
{
    unsigned width = g->policy->switch_ports, each = growth_port_buses(g), left;
    PlanReserve r = { 0 };
    bool known = growth_reserved(g, port, &r);

    if (g->guest) {
        return plan_guest_width(g->guest, &r, known);
    }
    left = growth_buses_left(g, port->root) + each;
    return MIN(width, left > 2 ? (left - 2) / each : 0);
}

/* Refuse a unit. @buses: the least number of bus numbers behind the port; @windows: windows of 1
 * MiB.
 */
static bool growth_refuse_port(const PlanGrower *g, const PlanBusNode *port, const char *what,
                               unsigned buses, unsigned windows, GError **err)
{
    PlanReserve r = { 0 };

    growth_reserved(g, port, &r);
    if (g->guest) {
        g_autofree char *parameters = plan_kernel_parameters(g->m, g->policy);

        return plan_fail(err,
                         "%s behind port '%s' requires at least %u bus numbers and %uM of memory; "
                         "the guest has reserved %u and %uM: start it with more (Linux: %s)",
                         what, port->name, buses, windows, r.buses,
                         (unsigned)MIN(r.mem >> 20, UINT_MAX),
                         *parameters ? parameters : "pci=hpbussize=N,hpmmiosize=S");
    }
    return plan_fail(err, "%s behind port '%s' requires %u bus numbers; root bus '%s' has %u left",
                     what, port->name, buses, port->root->name, growth_buses_left(g, port->root));
}

static bool growth_downstream(PlanGrower *g, const char *bus, unsigned width, GError **err)
{
    PlanPrefs prefs;

    plan_prefs_init(&prefs);
    prefs.sharing = width > GROWTH_WIDE ? PLAN_SHARING_SHARED : PLAN_SHARING_EXCLUSIVE;
    for (unsigned i = 0; i < width; i++) {
        PlanDevice *d = growth_new_device(g, POLICY_DOWNSTREAM, bus, err);

        if (!d) {
            return false;
        }
        g_free(d->id);
        d->id = g_strdup_printf("%s.%u", bus, i);
        if (!growth_id_free(g->x, d->id)) {
            growth_set_id(g, d, growth_types[POLICY_DOWNSTREAM].prefix);
        }
        growth_set_reserve(g, d);
        if (!growth_add(g, d, &prefs, err)) {
            return false;
        }
    }
    return true;
}

static bool growth_switch(PlanGrower *g, const PlanType *t, const PlanPrefs *prefs, GError **err)
{
    PlanBusNode *port = growth_need_port(g, prefs, err);
    unsigned width = port ? growth_switch_width(g, port) : 0;
    PlanDevice *d;
    PlanPrefs plain;
    g_autofree char *bus = NULL;

    if (!port) {
        return false;
    }
    if (width < GROWTH_SWITCH_LEAST) {
        unsigned each = g->guest ? MAX(g->guest->hotplug_buses, 1) : 1;

        return growth_refuse_port(g, port, "a switch", 2 + GROWTH_SWITCH_LEAST * each,
                                  GROWTH_SWITCH_LEAST + 1, err);
    }
    d = growth_has_type(g, POLICY_DOWNSTREAM)
            ? growth_new_device(g, POLICY_UPSTREAM, port->name, err)
            : (growth_type(g, POLICY_DOWNSTREAM, err), NULL);
    if (!d) {
        return false;
    }
    bus = g_strdup(d->id);
    return growth_add(g, d, growth_plain(&plain, prefs), err) &&
           growth_downstream(g, bus, width, err);
}

/* --- conventional bridges --- */

/* Return whether a conventional bus has a place for one more bridge. */
static bool growth_bridge_fits(const PlanGrower *g, const PlanBusNode *node, const PlanPrefs *prefs)
{
    PlanPciAddr addr;

    return (node->kind == PLAN_BUS_PCI || node->kind == PLAN_BUS_PCI_ROOT) && node->root &&
           !node->orphan && node->depth + 2 < PLAN_DEPTH_MAX &&
           (prefs->numa < 0 || plan_root_node(node->root) == prefs->numa) &&
           plan_places_shared(g->x, node, PLAN_PCI_BRIDGE, PLAN_SLOT_ANY, &addr);
}

static const PlanBusNode *growth_bridge_bus(const PlanGrower *g, const PlanPrefs *prefs)
{
    for (guint i = 0; i < g->x->bus_order->len; i++) {
        if (growth_bridge_fits(g, g->x->bus_order->pdata[i], prefs)) {
            return g->x->bus_order->pdata[i];
        }
    }
    return NULL;
}

static bool growth_pci_bridge(PlanGrower *g, const char *bus, const PlanPrefs *prefs, GError **err)
{
    PlanDevice *d = growth_new_device(g, POLICY_PCI_BRIDGE, bus, err);
    PlanPrefs plain;

    return d && growth_add(g, d, growth_plain(&plain, prefs), err);
}

/* A bridge from a free port, and while the guest runs the bridges behind it: they receive bus
 * numbers only if the guest finds them together with the first one. */
static bool growth_pcie_bridge(PlanGrower *g, const PlanPrefs *prefs, GError **err)
{
    PlanBusNode *port;
    PlanDevice *d;
    PlanPrefs plain;
    PlanReserve r = { 0 };
    g_autofree char *bus = NULL;
    unsigned behind = 0;

    if (!g->guest) {
        d = growth_new_device(g, POLICY_PCIE_BRIDGE, NULL, err);
        return d && growth_add(g, d, growth_plain(&plain, prefs), err);
    }
    port = growth_need_port(g, prefs, err);
    if (!port) {
        return false;
    }
    if ((growth_reserved(g, port, &r) && r.mem < GROWTH_WINDOW) || r.buses < 2) {
        return growth_refuse_port(g, port, "a bridge", 2, 1, err);
    }
    behind = MIN(MIN(g->policy->bridges, r.buses - 2), GROWTH_BRIDGE_SLOTS);
    d = growth_new_device(g, POLICY_PCIE_BRIDGE, port->name, err);
    bus = d ? g_strdup(d->id) : NULL;
    if (!d || !growth_add(g, d, growth_plain(&plain, prefs), err)) {
        return false;
    }
    while (behind > 0 && growth_pci_bridge(g, bus, prefs, err)) {
        behind--;
    }
    return behind == 0;
}

static bool growth_bridge(PlanGrower *g, const PlanType *t, const PlanPrefs *prefs, GError **err)
{
    const PlanBusNode *bus = g->guest ? NULL : growth_bridge_bus(g, prefs);

    if (bus && growth_has_type(g, POLICY_PCI_BRIDGE)) {
        return growth_pci_bridge(g, bus->name, prefs, err);
    }
    return growth_pcie_bridge(g, prefs, err);
}

/* --- extra roots --- */

/* Return the first bus number of a further root: below the lowest extra root. 0 if none is left. */
static unsigned growth_bus_nr(const PlanGrower *g)
{
    unsigned end = plan_root_end(g->x, g->x->root), n = g->policy->root_buses;
    unsigned used = plan_bus_demand(g->x, g->x->root, growth_port_buses(g));

    return end > n && end - n >= g->x->root->number + used ? end - n : 0;
}

static bool growth_extra_root(PlanGrower *g, const PlanType *t, const PlanPrefs *prefs,
                              GError **err)
{
    PlanDevice *d =
        growth_new_device(g, POLICY_EXTRA_ROOT, g->x->root ? g->x->root->name : NULL, err);
    const PlanType *own = d ? g_hash_table_lookup(g->x->types, d->type) : NULL;
    unsigned n = d && g->x->root ? growth_bus_nr(g) : 0;
    PlanPrefs any;

    if (!d) {
        return false;
    }
    if (!n || (prefs->numa >= 0 && !plan_find_prop(own->props, own->n_props, "numa_node"))) {
        plan_fail(err,
                  n ? "type %s has no property numa_node"
                    : "%s: no range of bus numbers is left for an extra root bus",
                  d->type);
        plan_device_free(d);
        return false;
    }
    if (prefs->numa >= (int)g->m->n_nodes && g->x->machine->max_nodes) {
        plan_fail(err, "%s: the machine has no NUMA node %d", d->type, prefs->numa);
        plan_device_free(d);
        return false;
    }
    growth_set(g, d, "bus_nr", n);
    if (prefs->numa >= 0) {
        g_autofree char *node = g_strdup_printf("%d", prefs->numa);

        plan_device_set(d, "numa_node", node);
    }
    plan_prefs_init(&any);
    return growth_add(g, d, &any, err) &&
           (!t || t->role != PLAN_PCI_ENDPOINT || prefs->hotplug != PLAN_WISH_REQUIRED ||
            growth_root_port(g, t, prefs, err));
}

/* --- the table of kinds --- */

static const struct {
    uint16_t roles; /* of the devices that may use the bus */
    bool running;
    bool (*grow)(PlanGrower *g, const PlanType *t, const PlanPrefs *prefs, GError **err);
} growth_kinds[PLAN_GROW_KINDS] = {
    [PLAN_GROW_ROOT_PORT] = { 1 << PLAN_PCI_ENDPOINT | 1 << PLAN_PCI_UPSTREAM |
                                  1 << PLAN_PCI_PCIE_BRIDGE,
                              false, growth_root_port },
    [PLAN_GROW_SWITCH] = { 1 << PLAN_PCI_ENDPOINT | 1 << PLAN_PCI_UPSTREAM |
                               1 << PLAN_PCI_PCIE_BRIDGE | 1 << PLAN_PCI_DOWNSTREAM,
                           true, growth_switch },
    [PLAN_GROW_BRIDGE] = { 1 << PLAN_PCI_ENDPOINT | 1 << PLAN_PCI_BRIDGE, true, growth_bridge },
    [PLAN_GROW_EXTRA_ROOT] = { 1 << PLAN_PCI_ENDPOINT | 1 << PLAN_PCI_ROOT_PORT, false,
                               growth_extra_root },
};

bool plan_growth_helps(const PlanGrower *g, PlanGrowKind kind, const PlanType *t,
                       const PlanPrefs *prefs)
{
    bool endpoint = t->role == PLAN_PCI_ENDPOINT,
         express = g->x->root && plan_bus_is_express(g->x->root->kind);

    if (!(growth_kinds[kind].roles >> t->role & 1) || (g->guest && !growth_kinds[kind].running)) {
        return false;
    }
    switch (kind) {
    case PLAN_GROW_ROOT_PORT:
    case PLAN_GROW_SWITCH:
        return express && (!endpoint || (prefs->link != PLAN_LINK_CONVENTIONAL &&
                                         prefs->hotplug != PLAN_WISH_AVOID));
    case PLAN_GROW_BRIDGE:
        return !endpoint ||
               ((t->slots & PLAN_SLOT_CONVENTIONAL) && prefs->link != PLAN_LINK_EXPRESS);
    default:
        return express && (endpoint ? prefs->link != PLAN_LINK_CONVENTIONAL : prefs->numa >= 0);
    }
}

bool plan_growth_try(PlanGrower *g, PlanGrowKind kind, const PlanType *t, const PlanPrefs *prefs,
                     GError **err)
{
    if (!g->x->root) {
        return plan_fail(err, "machine %s has no PCI bus", g->x->machine->name);
    }
    return growth_kinds[kind].grow(g, t, prefs, err);
}

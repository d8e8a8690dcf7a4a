/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations for growth: the bus numbers and windows of the root ports into which a switch can be
 * plugged later, the width of such a switch, and the parameters that a Linux guest requires.
 *
 * A root port type with the property x-fixed-bus makes Linux reserve bus numbers behind each such
 * port. All numbers that no bus requires are divided equally among these ports. Linux numbers the
 * other buses depth first, in the order of the addresses of their bridges.
 */
#include "plan/policy_internal.h"

enum {
    RESERVE_SWITCH = 2, /* buses of a switch: the one below the port and the internal one */
    RESERVE_STEP = 1 << 20,
    RESERVE_FUNCTIONS = 8 * 32, /* of a bus */
    RESERVE_USUAL = 2 << 20,    /* hpmmiosize and hpmmioprefsize of Linux without parameters */
};

static const struct {
    PlanResource window;
    uint64_t most;
    const char *prop, *parameter;
} reserve_windows[] = {
    { PLAN_ROOM_MEM32, 256ull << 20, "mem-reserve", "hpmmiosize" },
    { PLAN_ROOM_MEM64, 8ull << 30, "pref64-reserve", "hpmmioprefsize" },
};

/* --- the width of a switch --- */

/* Return the steps of a window that each of @n ports of a switch receives: the guest divides what
 * the device that is plugged with the switch leaves. */
static uint64_t reserve_divide(uint64_t steps, unsigned n)
{
    return steps ? (steps - 1) / n : 0;
}

/* Return how many devices can be placed behind a port with @buses bus numbers and a memory window
 * of
 * @steps, if switches with at most @most ports are plugged. */
static unsigned reserve_capacity(unsigned buses, uint64_t steps, unsigned most)
{
    unsigned best = buses >= 1 && steps >= 1;

    for (unsigned n = 2; n <= most && n + RESERVE_SWITCH <= buses && n < steps; n++) {
        best = MAX(best, n * reserve_capacity((buses - RESERVE_SWITCH) / n,
                                              reserve_divide(steps, n), most));
    }
    return best;
}

unsigned plan_reserve_width(const PlanReserve *r, unsigned most)
{
    unsigned best = 0, width = 0;
    uint64_t steps = r->mem / RESERVE_STEP;

    for (unsigned n = 2; n <= most && n + RESERVE_SWITCH <= r->buses && n < steps; n++) {
        unsigned all =
            n * reserve_capacity((r->buses - RESERVE_SWITCH) / n, reserve_divide(steps, n), most);

        if (all >= best) {
            best = all;
            width = n;
        }
    }
    return width;
}

static unsigned reserve_switch_ports(const PlanBusNode *inside)
{
    unsigned n = 0;

    for (unsigned i = 0; i < RESERVE_FUNCTIONS; i++) {
        n += inside->slot[i / 8] && inside->slot[i / 8][i % 8];
    }
    return n;
}

/* Set *r to what a root port reserves in a guest that has not enumerated it yet. */
static bool reserve_planned(const PlanDevice *port, PlanReserve *r)
{
    const PlanValue *first = plan_device_get(port, "x-fixed-bus");
    const PlanValue *more = plan_device_get(port, "bus-reserve");
    const PlanValue *mem = plan_device_get(port, "mem-reserve");
    const PlanValue *pref = plan_device_get(port, "pref64-reserve");

    if (!first || !first->u || !more || more->u > 0xff) {
        return false;
    }
    *r = (PlanReserve){ .buses = (unsigned)more->u + 1,
                        .mem = mem && mem->u != UINT64_MAX ? mem->u : RESERVE_USUAL,
                        .pref64 = pref && pref->u != UINT64_MAX ? pref->u : RESERVE_USUAL };
    return true;
}

bool plan_guest_reserved(const PlanGuest *guest, const PlanBusNode *port, PlanReserve *r)
{
    const PlanBusNode *inside = port->owner ? port->owner->on : NULL, *above;
    unsigned n;

    if (!guest || !guest->reserved || !port->owner) {
        return false;
    }
    if (guest->reserved(plan_device_name(port->owner), r, guest->data)) {
        return true;
    }
    above = inside && inside->kind == PLAN_BUS_PCIE_UPSTREAM && inside->owner ? inside->owner->on
                                                                              : NULL;
    if (!above || !above->owner) {
        return reserve_planned(port->owner, r);
    }
    if (!plan_guest_reserved(guest, above, r)) {
        return false;
    }
    n = MAX(reserve_switch_ports(inside), 1);
    r->buses = r->buses > RESERVE_SWITCH ? (r->buses - RESERVE_SWITCH) / n : 0;
    r->io = 0;
    r->mem = reserve_divide(r->mem / RESERVE_STEP, n) * RESERVE_STEP;
    r->pref64 = reserve_divide(r->pref64 / RESERVE_STEP, n) * RESERVE_STEP;
    return true;
}

/* --- ports --- */

static bool reserve_can_fix(const PlanDevice *d)
{
    return d->dynamic && d->t->role == PLAN_PCI_ROOT_PORT && d->brings &&
           plan_prop_of(d, "x-fixed-bus") && plan_prop_of(d, "bus-reserve") &&
           plan_bus_hotplug(d->brings);
}

/* Return whether a port grows: it is free, or a switch was plugged into it. */
static bool reserve_grows(const PlanDevice *d)
{
    const PlanDevice *below = NULL;

    if (!reserve_can_fix(d)) {
        return false;
    }
    if (d->brings->n_devices == 0) {
        return true;
    }
    below = d->brings->slot[0] ? d->brings->slot[0][0] : NULL;
    return below && below->t->role == PLAN_PCI_UPSTREAM && plan_device_get(d, "x-fixed-bus")->u;
}

static void reserve_set(PlanDevice *d, const char *name, uint64_t value)
{
    PlanSetting *s = plan_setting_find(d->settings, name);
    const PlanProp *p = s ? plan_prop_of(d, name) : NULL;

    if (p) {
        plan_setting_choose(s, p, (PlanValue){ .kind = p->kind, .u = value });
    }
}

/* Return function @i of a bus, or NULL. */
static PlanDevice *reserve_function(const PlanBusNode *node, unsigned i)
{
    return node->slot[i / 8] ? node->slot[i / 8][i % 8] : NULL;
}

/* Return the number of hot-plug ports of the machine. Linux reserves windows behind each of them
 * when it starts. */
static unsigned reserve_count_ports(const PlanIndex *x)
{
    unsigned n = 0;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        n += node->kind == PLAN_BUS_PCIE_PORT && !node->orphan && plan_bus_hotplug(node);
    }
    return n;
}

/* Return the size of a window that each hot-plug port can have: an equal share of seven eighths of
 * what the BARs leave of the window of the root. */
static uint64_t reserve_share(const PlanIndex *x, const PlanBusNode *root, PlanResource window,
                              uint64_t most)
{
    PlanRoom room = plan_bus_room(x, root, window);
    uint64_t usable = room.window / 8 * 7, ports = MAX(reserve_count_ports(x), 1);
    uint64_t share = room.need < usable ? (usable - room.need) / ports : 0;

    return MIN(share, most) & ~(uint64_t)(RESERVE_STEP - 1);
}

static void reserve_set_port(const PlanIndex *x, const PlanBusNode *root, PlanDevice *d,
                             unsigned first, unsigned buses)
{
    reserve_set(d, "x-fixed-bus", first);
    reserve_set(d, "bus-reserve", buses - 1);
    for (size_t i = 0; i < G_N_ELEMENTS(reserve_windows); i++) {
        reserve_set(d, reserve_windows[i].prop,
                    MAX(reserve_share(x, root, reserve_windows[i].window, reserve_windows[i].most),
                        RESERVE_USUAL));
    }
}

/* Restore the defaults of a port that does not grow any more. */
static void reserve_clear_port(PlanDevice *d)
{
    static const char *const names[] = { "x-fixed-bus", "bus-reserve", "mem-reserve",
                                         "pref64-reserve" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const PlanProp *p = plan_prop_of(d, names[i]);

        if (p) {
            reserve_set(d, names[i], p->def);
        }
    }
}

/* Return the bus numbers that a function and the buses behind it require. */
static unsigned reserve_demand(const PlanBusNode *root, const PlanDevice *d)
{
    return d->brings && d->brings->root == root ? d->brings->demand : 0;
}

/* Return whether the numbers of a root are distributed already. */
static bool reserve_is_done(const PlanBusNode *root, unsigned end)
{
    unsigned next = root->number + 1;

    for (unsigned i = 0; i < RESERVE_FUNCTIONS; i++) {
        const PlanDevice *d = reserve_function(root, i);
        uint64_t first = d && reserve_can_fix(d) ? plan_device_get(d, "x-fixed-bus")->u : 0;

        if (!d) {
            continue;
        }
        if (reserve_grows(d)) {
            uint64_t more = plan_device_get(d, "bus-reserve")->u;

            if (first < next || more >= 0x100 || more + 1 < reserve_demand(root, d)) {
                return false;
            }
            next = (unsigned)(first + more + 1);
        } else if (first) {
            return false;
        } else {
            next += reserve_demand(root, d);
        }
    }
    return next <= end;
}

static void reserve_root(PlanIndex *x, const PlanBusNode *root)
{
    unsigned growing = 0, next = root->number + 1, need = plan_bus_demand(x, root, 1);
    unsigned end = plan_root_end(x, root), left = end - root->number, more;

    if (reserve_is_done(root, end)) {
        return;
    }
    for (unsigned i = 0; i < RESERVE_FUNCTIONS; i++) {
        const PlanDevice *d = reserve_function(root, i);

        growing += d && reserve_grows(d);
    }
    more = growing && left > need ? (left - need) / growing : 0;
    for (unsigned i = 0; i < RESERVE_FUNCTIONS; i++) {
        PlanDevice *d = reserve_function(root, i);
        unsigned buses = d ? reserve_demand(root, d) : 0;

        if (d && reserve_grows(d) && more) {
            buses += more;
            reserve_set_port(x, root, d, next, buses);
        } else if (d && reserve_can_fix(d) && plan_device_get(d, "x-fixed-bus")->u) {
            reserve_clear_port(d);
        }
        next += buses;
    }
}

void plan_reserve_ports(PlanIndex *x)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (node->root == node && node->rule->addr == PLAN_ADDR_PCI) {
            reserve_root(x, node);
        }
    }
}

bool plan_reserve_fixed(const PlanType *root_port)
{
    return root_port && plan_find_prop(root_port->props, root_port->n_props, "x-fixed-bus");
}

/* --- parameters of the guest kernel --- */

char *plan_reserve_parameters(const PlanMachine *m)
{
    uint64_t size[G_N_ELEMENTS(reserve_windows)] = { 0 };
    GString *out = g_string_new(NULL);
    bool fixed = false;

    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        if (!reserve_can_fix(d) || !plan_device_get(d, "x-fixed-bus")->u) {
            continue;
        }
        fixed = true;
        for (size_t k = 0; k < G_N_ELEMENTS(size); k++) {
            const PlanValue *v = plan_device_get(d, reserve_windows[k].prop);

            size[k] = MAX(size[k], v && v->u != UINT64_MAX ? v->u : 0);
        }
    }
    if (fixed) {
        g_string_append(out, "pci=hpiosize=0");
    }
    for (size_t k = 0; fixed && k < G_N_ELEMENTS(size); k++) {
        if (size[k] > RESERVE_USUAL) {
            g_string_append_printf(out, ",%s=%" PRIu64 "M", reserve_windows[k].parameter,
                                   size[k] / RESERVE_STEP);
        }
    }
    return g_string_free(out, FALSE);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources of a planned machine: bus numbers, windows and interrupt messages. Each has a need, a
 * limit, and consumers, of which refusals name the largest ones.
 */
#include "plan/policy_internal.h"

enum { SPACE_CONSUMERS = 3 };

typedef enum SpaceResource {
    SPACE_BUSES,
    SPACE_MEM32,
    SPACE_MEM64,
    SPACE_IO,
    SPACE_MSI, /* of the machine, not of a root */
    SPACE_RESOURCES
} SpaceResource;

static const struct {
    const char *name, *what;
    PlanResource window;
    bool bytes;
} space_rows[SPACE_RESOURCES] = {
    [SPACE_BUSES] = { "bus numbers", "bus numbers", PLAN_RESOURCES, false },
    [SPACE_MEM32] = { "32-bit memory", "the 32-bit memory window", PLAN_ROOM_MEM32, true },
    [SPACE_MEM64] = { "64-bit memory", "the 64-bit memory window", PLAN_ROOM_MEM64, true },
    [SPACE_IO] = { "I/O", "the I/O window", PLAN_ROOM_IO, true },
    [SPACE_MSI] = { "MSI vectors", "interrupt messages", PLAN_RESOURCES, false },
};

/* --- bus numbers --- */

/* Set the demand of each bus of the tree: itself, the buses below, and behind a hot-plug port at
 * least @reserve. The demand of a bus is complete when that of all deeper ones is. */
unsigned plan_bus_demand(const PlanIndex *x, const PlanBusNode *root, unsigned reserve)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        ((PlanBusNode *)x->bus_order->pdata[i])->demand = 1;
    }
    for (unsigned depth = PLAN_DEPTH_MAX; depth > 0; depth--) {
        for (guint i = 0; i < x->bus_order->len; i++) {
            PlanBusNode *node = x->bus_order->pdata[i];
            PlanBusNode *above = node->root == root && node->owner ? node->owner->on : NULL;

            if (node->depth != depth || !above || node->rule->addr != PLAN_ADDR_PCI) {
                continue;
            }
            if (node->kind == PLAN_BUS_PCIE_PORT && plan_bus_hotplug(node)) {
                node->demand = MAX(node->demand, reserve);
            }
            above->demand += node->demand;
        }
    }
    return root->demand;
}

/* --- need, limit and use --- */

static uint64_t space_msi_limit(const PlanMachine *m)
{
    const PlanMachineType *t = m->index->machine;
    g_auto(GStrv) parts = t->msi_if ? g_strsplit(t->msi_if, "=", 2) : NULL;
    const PlanSetting *s = parts && parts[0] ? plan_setting_find(m->settings, parts[0]) : NULL;
    const PlanProp *p = s ? plan_find_prop(t->props, t->n_props, s->name) : NULL;
    g_autofree char *text = p && s->resolved ? plan_value_format(p, &s->value) : NULL;

    return t->msi_if && (!text || g_strcmp0(text, parts[1]) != 0)
               ? 0
               : (uint64_t)t->msi_per_cpu * MAX(m->cpus, 1);
}

static uint64_t space_limit(const PlanMachine *m, const PlanBusNode *root, SpaceResource r)
{
    return r == SPACE_BUSES ? plan_root_end(m->index, root) - root->number
           : r == SPACE_MSI ? space_msi_limit(m)
                            : plan_bus_room(m->index, root, space_rows[r].window).window;
}

/* Return what one device uses; for bus numbers, the part of its tree if it is on the root bus. */
static uint64_t space_use(const PlanDevice *d, const PlanBusNode *root, SpaceResource r)
{
    if (!d->on || d->on->rule->addr != PLAN_ADDR_PCI || (r != SPACE_MSI && d->on->root != root)) {
        return 0;
    }
    if (r == SPACE_MSI) {
        return plan_device_vectors(d);
    }
    if (r != SPACE_BUSES) {
        return plan_device_use(d, space_rows[r].window);
    }
    return d->on == root && d->brings && d->brings->root == root ? MAX(d->brings->demand, 1) : 0;
}

static uint64_t space_need(const PlanMachine *m, const PlanBusNode *root, SpaceResource r,
                           const PlanPolicy *p)
{
    uint64_t sum = 0;

    if (r == SPACE_BUSES) {
        return plan_bus_demand(m->index, root, p ? p->reserve.buses : 1);
    }
    if (r != SPACE_MSI) {
        return plan_bus_room(m->index, root, space_rows[r].window).need;
    }
    for (guint i = 0; i < m->devices->len; i++) {
        sum += space_use(m->devices->pdata[i], root, r);
    }
    return sum;
}

/* Set @top to the largest consumers, the largest first. Return their number. */
static unsigned space_consumers(const PlanMachine *m, const PlanBusNode *root, SpaceResource r,
                                const PlanDevice *top[SPACE_CONSUMERS])
{
    unsigned n = 0;

    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];
        uint64_t use = space_use(d, root, r);

        for (unsigned k = 0; use && k < SPACE_CONSUMERS; k++) {
            if (k == n || space_use(top[k], root, r) < use) {
                const PlanDevice *smaller = k < n ? top[k] : NULL;

                n = k == n ? n + 1 : n;
                top[k] = d;
                d = smaller;
                use = d ? space_use(d, root, r) : 0;
            }
        }
    }
    return n;
}

static void space_append(GString *out, SpaceResource r, uint64_t n)
{
    if (space_rows[r].bytes) {
        plan_append_size(out, n);
    } else {
        g_string_append_printf(out, "%" PRIu64, n);
    }
}

static bool space_refuse(const PlanMachine *m, const PlanBusNode *root, SpaceResource r,
                         uint64_t need, uint64_t limit, GError **err)
{
    const PlanDevice *top[SPACE_CONSUMERS] = { NULL };
    unsigned n = space_consumers(m, root, r, top);
    g_autoptr(GString) out = g_string_new(NULL);

    if (r == SPACE_MSI) {
        g_string_append(out, "the devices of the machine require ");
    } else {
        g_string_append_printf(out, "the devices on bus '%s' and below it require ", root->name);
    }
    space_append(out, r, need);
    g_string_append_printf(out, " of %s, which has ", space_rows[r].what);
    space_append(out, r, limit);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *label = plan_device_label(top[i]);

        g_string_append_printf(out, "%s%s with ", i ? ", " : "; the largest users are ", label);
        space_append(out, r, space_use(top[i], root, r));
    }
    return plan_fail(err, "%s", out->str);
}

/* --- checks --- */

static bool space_is_root(const PlanBusNode *node)
{
    return node->root == node && node->rule->addr == PLAN_ADDR_PCI;
}

static bool space_check_one(const PlanMachine *m, const PlanBusNode *root, SpaceResource r,
                            const PlanPolicy *p, GError **err)
{
    uint64_t limit = space_limit(m, root, r), need = limit ? space_need(m, root, r, p) : 0;

    return need <= limit || space_refuse(m, root, r, need, limit, err);
}

bool plan_check_bus_demand(const PlanIndex *x, const PlanPolicy *p, GError **err)
{
    for (guint i = 0; p->reserve.buses > 1 && i < x->bus_order->len; i++) {
        const PlanBusNode *root = x->bus_order->pdata[i];
        unsigned need, limit;

        if (!space_is_root(root)) {
            continue;
        }
        need = plan_bus_demand(x, root, p->reserve.buses);
        limit = plan_root_end(x, root) - root->number;
        if (need > limit) {
            return plan_fail(err,
                             "root bus '%s' has %u bus numbers, too few for the %u that its tree "
                             "requires with %u reserved behind each hot-plug port",
                             root->name, limit, need, p->reserve.buses);
        }
    }
    return true;
}

bool plan_check_strict(const PlanMachine *m, const PlanPolicy *p, GError **err)
{
    const PlanIndex *x = m->index;

    for (guint i = 0; p->strict_io && i < x->bus_order->len; i++) {
        const PlanBusNode *root = x->bus_order->pdata[i];

        if (space_is_root(root) && !space_check_one(m, root, SPACE_IO, p, err)) {
            return false;
        }
    }
    return !p->strict_msi || !x->root || space_check_one(m, x->root, SPACE_MSI, p, err);
}

bool plan_check_space(const PlanMachine *m, const PlanPolicy *p, GError **err)
{
    const PlanIndex *x = m->index;

    if (!x) {
        return plan_fail(err, "the description has not been resolved");
    }
    if (!plan_check_bus_numbers(m->index, err) || !plan_check_room(m, err)) {
        return false;
    }
    if (p) {
        return plan_check_bus_demand(x, p, err) && plan_check_strict(m, p, err);
    }
    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *root = x->bus_order->pdata[i];

        if (space_is_root(root) && !space_check_one(m, root, SPACE_IO, NULL, err)) {
            return false;
        }
    }
    return !x->root || space_check_one(m, x->root, SPACE_MSI, NULL, err);
}

/* --- reports --- */

static struct json_object *space_to_json(const PlanMachine *m, const PlanBusNode *root,
                                         SpaceResource r)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    const PlanDevice *top[SPACE_CONSUMERS] = { NULL };
    uint64_t limit = space_limit(m, root, r), need = space_need(m, root, r, NULL);
    unsigned n = space_consumers(m, root, r, top);

    json_object_object_add(o, "resource", json_object_new_string(space_rows[r].name));
    if (r != SPACE_MSI) {
        json_object_object_add(o, "root", json_object_new_string(root->name));
    }
    json_object_object_add(o, "need", json_object_new_uint64(need));
    if (limit) {
        json_object_object_add(o, "limit", json_object_new_uint64(limit));
    }
    for (unsigned i = 0; i < n; i++) {
        struct json_object *e = json_object_new_object();

        json_object_object_add(e, "device", json_object_new_string(plan_device_name(top[i])));
        json_object_object_add(e, "need", json_object_new_uint64(space_use(top[i], root, r)));
        json_object_array_add(list, e);
    }
    json_object_object_add(o, "consumers", list);
    return o;
}

struct json_object *plan_space_to_json(const PlanMachine *m)
{
    struct json_object *list = json_object_new_array();
    const PlanIndex *x = m->index;

    for (guint i = 0; x && i < x->bus_order->len; i++) {
        const PlanBusNode *root = x->bus_order->pdata[i];

        for (unsigned r = 0; space_is_root(root) && r < SPACE_MSI; r++) {
            json_object_array_add(list, space_to_json(m, root, r));
        }
    }
    if (x && x->root) {
        json_object_array_add(list, space_to_json(m, x->root, SPACE_MSI));
    }
    return list;
}

/* --- parameters of the guest kernel --- */

/* Append "key=value" after a comma if the value exceeds the default of Linux. */
static void space_parameter(GString *out, const char *key, uint64_t value, uint64_t usual)
{
    if (value > usual) {
        g_string_append_printf(out, "%s%s=", out->len ? "," : "pci=", key);
        if (value % 1024) {
            g_string_append_printf(out, "%" PRIu64, value);
        } else if (value % (1 << 20)) {
            g_string_append_printf(out, "%" PRIu64 "K", value >> 10);
        } else {
            g_string_append_printf(out, "%" PRIu64 "M", value >> 20);
        }
    }
}

char *plan_kernel_parameters(const PlanMachine *m, const PlanPolicy *p)
{
    char *fixed = plan_reserve_parameters(m);
    GString *out;

    if (*fixed) {
        return fixed;
    }
    g_free(fixed);
    out = g_string_new(NULL);

    if (m->index && plan_free_ports(m->index)) {
        if (p->reserve.buses > 1) {
            g_string_append_printf(out, "pci=hpbussize=%u", p->reserve.buses);
        }
        space_parameter(out, "hpiosize", p->reserve.io, 256);
        space_parameter(out, "hpmmiosize", p->reserve.mem, 2 << 20);
        space_parameter(out, "hpmmioprefsize", p->reserve.pref64, 2 << 20);
    }
    return g_string_free(out, FALSE);
}

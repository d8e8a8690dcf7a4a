/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completing a description, or one further device.
 */
#include "plan/policy_internal.h"

static const char *machine_name(const void *table, size_t i)
{
    return ((const PlanMachineType *const *)table)[i]->name;
}

const PlanMachineType *plan_choose_machine(const PlanMachine *m, const PlanCatalog *c, GError **err)
{
    const PlanMachineType *t = m->type ? plan_find_machine(c, m->type) : NULL;
    bool any = !m->type || strcmp(m->type, "default") == 0;
    g_autofree char *quoted = NULL, *hint = NULL;

    for (size_t i = 0; !t && any && i < c->n_machines; i++) {
        t = c->machines[i]->is_default ? c->machines[i] : NULL;
    }
    if (t) {
        return t;
    }
    if (any) {
        plan_fail(err, "no machine is given and there is no default: choose one with -M "
                       "(-M help lists them)");
        return NULL;
    }
    quoted = plan_quote(m->type);
    hint = suggest_hint_of(m->type, machine_name, c->machines, c->n_machines);
    plan_fail(err, "there is no machine %s%s: -M help lists the machines", quoted, hint);
    return NULL;
}

static bool resolve_machine_settings(PlanMachine *m, const PlanCatalog *c, const PlanMachineType *t,
                                     GError **err)
{
    g_autoptr(GHashTable) defaults = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < t->n_props; i++) {
        const char *value = plan_compat_value(c, t, NULL, t->props[i].name);

        if (value) {
            g_hash_table_insert(defaults, (gpointer)t->props[i].name, (gpointer)value);
        }
    }
    if (m->complete) {
        plan_settings_imply(m->settings, t->props, t->n_props);
    }
    if (!plan_resolve_settings(&m->settings, t->props, t->n_props, defaults, err)) {
        g_prefix_error(err, "machine %s: ", t->name);
        return false;
    }
    return true;
}

static bool resolve_machine(PlanMachine *m, const PlanCatalog *c, const PlanMachineType *t,
                            GError **err)
{
    if (g_strcmp0(m->type, t->name) != 0) {
        g_free(m->type);
        m->type = g_strdup(t->name);
    }
    if (!resolve_machine_settings(m, c, t, err)) {
        return false;
    }
    if (!m->cpu) {
        m->cpu = g_strdup(t->default_cpu);
    }
    if (m->cpu && c->cpu_model) {
        char *canonical = c->cpu_model(m, err);

        if (!canonical) {
            return false;
        }
        g_free(m->cpu);
        m->cpu = canonical;
    }
    if (!m->cpus) {
        m->cpus = 1;
    }
    if (!m->ram_size) {
        m->ram_size = t->default_ram;
    }
    if (t->max_cpus && m->cpus > t->max_cpus) {
        return plan_fail(err, "machine %s accepts 1 to %u CPUs, not %u", t->name, t->max_cpus,
                         m->cpus);
    }
    return plan_check_nodes(m, t, err);
}

/* Return the device of @m that matches the implicit device `wanted`, or NULL. */
static PlanDevice *find_implicit(const PlanMachine *m, const PlanDevice *wanted)
{
    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        if (d->implicit && !d->sorted && strcmp(d->type, wanted->type) == 0 &&
            g_strcmp0(d->id, wanted->id) == 0 &&
            (!wanted->has_addr ||
             (d->has_addr && plan_addr_compare(&d->addr, &wanted->addr) == 0))) {
            return d;
        }
    }
    return NULL;
}

/* Create the devices of the machine type in front of all others. A description may contain them
 * with settings. */
static bool add_implicit(PlanMachine *m, const PlanMachineType *t, GError **err)
{
    guint n = 0, claimed = 0;

    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        d->sorted = false; /* here: matched with an implicit device of the machine type */
        claimed += d->implicit;
    }
    for (; t->implicit && t->implicit[n]; n++) {
        PlanDevice *wanted = plan_device_parse(t->implicit[n], err), *found;

        if (!wanted) {
            return false;
        }
        wanted->implicit = true;
        found = find_implicit(m, wanted);
        if (found) {
            claimed--;
            found->sorted = true;
            plan_device_free(wanted);
        } else {
            wanted->sorted = true;
            g_ptr_array_insert(m->devices, (gint)n, wanted);
        }
    }
    if (claimed) {
        return plan_fail(err, "%u device%s marked as implicit: machine %s does not create %s",
                         claimed, claimed == 1 ? " is" : "s are", t->name,
                         claimed == 1 ? "it" : "them");
    }
    return true;
}

static void forget_place(PlanDevice *d)
{
    d->on = NULL;
    d->sized = false;
    d->brings = NULL;
    d->number = NULL;
    d->sorted = false;
    g_free(d->place);
    d->place = NULL;
}

/* Check that the id of the device and the name of the bus that it provides are not used. */
static bool claim_names(PlanIndex *x, PlanDevice *d, GError **err)
{
    PlanDevice *other = d->id ? g_hash_table_lookup(x->devices, d->id) : NULL;
    g_autofree char *bus = NULL, *label = NULL;

    if (!d->id) {
        return true;
    }
    if (other) {
        label = plan_device_label(d);
        return plan_fail(err, "%s: the id is already used by a device of type %s", label,
                         other->type);
    }
    g_hash_table_insert(x->devices, d->id, d);
    if (d->t->provides == PLAN_BUS_NONE) {
        return true;
    }
    bus = g_strconcat(d->id, plan_bus_rule(d->t->provides)->suffix, NULL);
    if (g_hash_table_contains(x->buses, bus)) {
        g_hash_table_remove(x->devices, d->id);
        label = plan_device_label(d);
        return plan_fail(err, "%s: a bus '%s' exists already: choose another id", label, bus);
    }
    plan_index_add_bus(x, bus, d->t->provides, d);
    return true;
}

static bool resolve_each(PlanMachine *m, PlanIndex *x, GError **err)
{
    if (m->devices->len > PLAN_DEVICES_MAX) {
        return plan_fail(err, "%u devices are too many: a machine may have at most %d",
                         m->devices->len, PLAN_DEVICES_MAX);
    }
    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        forget_place(d);
        if (!plan_resolve_device(x, d, err) || !claim_names(x, d, err) ||
            !plan_take_number(x, d, err)) {
            return false;
        }
    }
    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        if (!plan_choose_number(x, d, err)) {
            return false;
        }
        if (d->brings && d->t->role == PLAN_PCI_EXTRA_ROOT && !plan_attach_bus(d->brings, err)) {
            return false;
        }
    }
    return true;
}

/* How the devices without an address are placed: with a policy, or as QEMU does. */
typedef struct ResolvePlacing {
    PlanMachine *m;
    PlanIndex *x;
    PlanGrower *grower; /* NULL: no policy */
} ResolvePlacing;

/* Return whether the policy chooses the bus, or only the address on a bus that is named. */
static bool resolve_by_policy(const ResolvePlacing *r, const PlanDevice *d, bool named)
{
    return r->grower && d->t->role != PLAN_PCI_NONE && !plan_place_given(d) &&
           plan_bus_auto(d) != named;
}

/* Place one device whose bus is known. */
static PlanFound resolve_put(ResolvePlacing *r, PlanDevice *d, GError **err)
{
    PlanBusNode *node;
    PlanFound found = plan_find_bus(r->x, d, false, &node, err);

    if (found == PLAN_FOUND && resolve_by_policy(r, d, true)) {
        if (!plan_bus_is_rooted(node)) {
            return PLAN_NOT_YET;
        }
        if (!plan_attach_bus(node, err) || !plan_grow_place(r->grower, d, NULL, err)) {
            return PLAN_REFUSED;
        }
    }
    return found == PLAN_FOUND && !plan_put(r->x, d, node, err) ? PLAN_REFUSED : found;
}

/* Place the devices with (or without) an address whose bus is known. Return the number of devices
 * placed; -1 on failure. */
static int put_ready(ResolvePlacing *r, bool with_addr, GError **err)
{
    int n = 0;

    for (guint i = 0; i < r->m->devices->len; i++) {
        PlanDevice *d = r->m->devices->pdata[i];
        PlanFound found;

        if (d->place || plan_place_given(d) != with_addr || resolve_by_policy(r, d, false)) {
            continue;
        }
        found = resolve_put(r, d, err);
        if (found == PLAN_REFUSED) {
            return -1;
        }
        n += found == PLAN_FOUND;
    }
    return n;
}

/* Place devices, those with an address first. The bus of an anonymous device has a name only
 * after that device has a place. Several rounds are therefore required, at most one for each level
 * of the tree. */
static bool put_rounds(ResolvePlacing *r, GError **err)
{
    int placed, n;

    do {
        placed = 0;
        while ((n = put_ready(r, true, err)) > 0) {
            placed += n;
        }
        if (n < 0 || (n = put_ready(r, false, err)) < 0) {
            return false;
        }
        placed += n;
    } while (placed > 0);
    return true;
}

/* A downstream port without a bus belongs to the switch of the option in front of it. */
static void resolve_name_switch(ResolvePlacing *r, guint i, PlanDevice *d)
{
    while (i-- > 0) {
        const PlanDevice *up = r->m->devices->pdata[i];

        if (up->t->role == PLAN_PCI_UPSTREAM) {
            if (up->brings && (~up->brings->used || up->brings->rule->last_slot < 31)) {
                g_free(d->bus);
                d->bus = g_strdup(up->brings->name);
            }
            return;
        }
    }
}

static bool resolve_put_policy(ResolvePlacing *r, guint i, GError **err)
{
    PlanDevice *d = r->m->devices->pdata[i];
    PlanBusNode *node;

    if (d->t->role == PLAN_PCI_DOWNSTREAM) {
        resolve_name_switch(r, i, d);
    }
    if (!plan_grow_place(r->grower, d, NULL, err) ||
        plan_find_bus(r->x, d, true, &node, err) != PLAN_FOUND || !plan_put(r->x, d, node, err)) {
        return false;
    }
    if (d->t->role == PLAN_PCI_ENDPOINT) { /* as if the devices were added one by one */
        plan_grow_spare(r->grower);
    }
    return true;
}

/* Place the devices without a bus: controllers before the devices that can use them. */
static bool put_policy(ResolvePlacing *r, GError **err)
{
    static const PlanPciRole order[] = { PLAN_PCI_EXTRA_ROOT,  PLAN_PCI_ROOT_PORT,
                                         PLAN_PCI_UPSTREAM,    PLAN_PCI_DOWNSTREAM,
                                         PLAN_PCI_PCIE_BRIDGE, PLAN_PCI_BRIDGE,
                                         PLAN_PCI_ENDPOINT };
    guint n = r->m->devices->len;

    for (size_t k = 0; r->grower && k < G_N_ELEMENTS(order); k++) {
        bool any = false;

        for (guint i = 0; i < n; i++) {
            PlanDevice *d = r->m->devices->pdata[i];

            if (d->place || d->t->role != order[k] || !resolve_by_policy(r, d, false)) {
                continue;
            }
            any = true;
            if (!resolve_put_policy(r, i, err)) {
                return false;
            }
        }
        if (any && !put_rounds(r, err)) {
            return false;
        }
    }
    return true;
}

static bool put_all(ResolvePlacing *r, GError **err)
{
    if (!put_rounds(r, err) || !put_policy(r, err)) {
        return false;
    }
    for (guint i = 0; i < r->m->devices->len; i++) {
        PlanDevice *d = r->m->devices->pdata[i];
        PlanBusNode *node;

        if (!d->place) {
            return plan_find_bus(r->x, d, true, &node, err) == PLAN_FOUND &&
                   plan_attach_bus(node, err) && plan_put(r->x, d, node, err);
        }
    }
    if (r->grower) {
        plan_grow_spare(r->grower);
    }
    return true;
}

static bool check_all(PlanMachine *m, PlanIndex *x, GError **err)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        PlanBusNode *node = x->bus_order->pdata[i];

        if (!plan_attach_bus(node, err)) {
            return false;
        }
        for (unsigned slot = 0; slot < G_N_ELEMENTS(node->slot); slot++) {
            if (node->slot[slot] && !plan_check_slot(node, slot, err)) {
                return false;
            }
        }
    }
    for (guint i = 0; i < m->devices->len; i++) {
        if (!plan_check_capabilities(m->devices->pdata[i], err) ||
            !plan_check_root_node(m, x->machine, m->devices->pdata[i], err)) {
            return false;
        }
    }
    return plan_check_bus_numbers(x, err) && plan_check_room(m, err);
}

/* Append @d after the device that provides its bus. plan_attach_bus() limits the depth of the
 * recursion. */
static void append_sorted(GPtrArray *out, PlanDevice *d)
{
    if (!d->sorted) {
        d->sorted = true;
        if (d->on && d->on->owner) {
            append_sorted(out, d->on->owner);
        }
        g_ptr_array_add(out, d);
    }
}

/* Sort the devices: the order given, except that the device that provides a bus precedes the
 * devices on it. */
static void sort_devices(PlanMachine *m)
{
    GPtrArray *out = g_ptr_array_new_full(m->devices->len, (GDestroyNotify)plan_device_free);

    for (guint i = 0; i < m->devices->len; i++) {
        append_sorted(out, m->devices->pdata[i]);
    }
    g_ptr_array_set_free_func(m->devices, NULL);
    g_ptr_array_unref(m->devices);
    m->devices = out;
}

static bool resolve_put_all(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, GError **err)
{
    g_autoptr(GPtrArray) added = g_ptr_array_new();
    PlanGrower grower = { .m = m, .x = m->index, .c = c, .policy = p, .added = added };
    ResolvePlacing r = { m, m->index, p ? &grower : NULL };

    return put_all(&r, err);
}

static bool resolve_in_place(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                             GError **err)
{
    const PlanMachineType *t = plan_choose_machine(m, c, err);

    if (!t || !resolve_machine(m, c, t, err)) {
        return false;
    }
    m->index = plan_index_new(m, c, t, err);
    if (!m->index || !add_implicit(m, t, err) || !resolve_each(m, m->index, err) ||
        !resolve_put_all(m, c, p, err) || !check_all(m, m->index, err)) {
        return false;
    }
    if (p && (!plan_check_bus_demand(m->index, p, err) || !plan_check_strict(m, p, err))) {
        return false;
    }
    if (p) {
        plan_reserve_ports(m->index);
    }
    sort_devices(m);
    return true;
}

bool plan_resolve_policy(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, GError **err)
{
    PlanMachine *before = plan_machine_copy(m), failed;

    plan_index_free(m->index);
    m->index = NULL;
    if (resolve_in_place(m, c, p, err)) {
        plan_machine_free(before);
        return true;
    }
    failed = *m;
    *m = *before;
    *before = failed;
    plan_machine_free(before);
    return false;
}

bool plan_resolve(PlanMachine *m, const PlanCatalog *c, GError **err)
{
    return plan_resolve_policy(m, c, NULL, err);
}

/* --- one more device --- */

/* Return whether the bus is inside a switch or below one of its ports. These devices are plugged
 * together with the switch. */
static bool part_of_switch(const PlanBusNode *node)
{
    const PlanBusNode *above = node->owner ? node->owner->on : NULL;

    return node->rule->hotplug == PLAN_HOTPLUG_UNSEEN ||
           (above && above->rule->hotplug == PLAN_HOTPLUG_UNSEEN);
}

/* Check that @d can be hot-plugged. Function 0 must be plugged last, because the guest then scans
 * the slot. */
static bool check_hotplug(PlanIndex *x, const PlanDevice *d, const PlanBusNode *node, GError **err)
{
    g_autofree char *label = plan_device_label(d), *others = NULL;
    PlanDevice *const *fn = node && d->has_addr ? node->slot[d->addr.slot] : NULL;

    if (!node || (!part_of_switch(node) && !plan_bus_hotplug(node))) {
        others = plan_advice(x, d, NULL);
        return plan_fail(err, "%s: bus '%s' accepts no device while the guest runs: %s", label,
                         node ? node->name : "system", others);
    }
    if (fn && fn[0] && d->addr.fn > 0) {
        g_autofree char *other = plan_device_label(fn[0]);

        return plan_fail(err,
                         "%s: function 0 of slot %02x on bus '%s', %s, exists already, and a "
                         "running guest does not scan the slot again: plug function 0 last",
                         label, d->addr.slot, node->name, other);
    }
    return true;
}

static bool add_checked(PlanIndex *x, PlanDevice *d, GError **err)
{
    const PlanBusNode *node = d->on && d->on->rule->addr == PLAN_ADDR_PCI ? d->on : NULL;
    uint32_t slots = !node             ? 0
                     : node->rule->ari ? node->used /* function 0 affects all slots */
                                       : 1u << d->addr.slot;

    if (d->brings && !plan_attach_bus(d->brings, err)) {
        return false;
    }
    for (; slots; slots &= slots - 1) {
        if (!plan_check_slot(node, (unsigned)__builtin_ctz(slots), err)) {
            return false;
        }
    }
    return plan_check_capabilities(d, err) && (!d->brings || plan_check_bus_numbers(x, err));
}

static void undo_add(PlanIndex *x, PlanDevice *d)
{
    if (d->brings) {
        plan_detach_bus(d->brings);
    }
    if (d->place) {
        plan_take_out(x, d);
    }
    plan_release_number(x, d);
}

static bool check_hotpluggable(const PlanDevice *d, GError **err)
{
    g_autofree char *label = d->t->hotpluggable ? NULL : plan_device_label(d);

    return d->t->hotpluggable || plan_fail(err,
                                           "%s: devices of this type cannot be plugged while the "
                                           "guest runs: add the device when the machine is started",
                                           label);
}

bool plan_prepare_device(PlanMachine *m, PlanIndex *x, PlanDevice *d, GError **err)
{
    PlanDevice *other;

    forget_place(d);
    if (!plan_resolve_device(x, d, err) || (x->running && !check_hotpluggable(d, err))) {
        return false;
    }
    other = d->id ? g_hash_table_lookup(x->devices, d->id) : NULL;
    if (other) {
        g_autofree char *label = plan_device_label(d);

        return plan_fail(err, "%s: the id is already used by a device of type %s", label,
                         other->type);
    }
    return m->devices->len < PLAN_DEVICES_MAX ||
           plan_fail(err, "the machine already has %u devices, the maximum", m->devices->len);
}

/* Check the windows that the device changes: an extra root bus receives a part of those of the
 * others. */
static bool resolve_check_added(const PlanMachine *m, const PlanDevice *d, const PlanBusNode *node,
                                GError **err)
{
    if (d->t->role == PLAN_PCI_EXTRA_ROOT) {
        return plan_check_room(m, err);
    }
    return !d->t->n_bars || !node || !node->root || plan_check_root_room(m, node->root, err);
}

bool plan_enter_device(PlanMachine *m, PlanIndex *x, PlanDevice *d, GError **err)
{
    PlanBusNode *node;

    if (plan_find_bus(x, d, true, &node, err) != PLAN_FOUND ||
        (x->running && !check_hotplug(x, d, node, err)) || !plan_take_number(x, d, err)) {
        return false;
    }
    if (!plan_choose_number(x, d, err) || !plan_put(x, d, node, err) || !add_checked(x, d, err)) {
        undo_add(x, d);
        return false;
    }
    g_ptr_array_add(m->devices, d);
    if (!resolve_check_added(m, d, node, err)) {
        plan_leave_device(m, d);
        return false;
    }
    return true;
}

/* Take a device out of the list without freeing it. It is usually the last one. */
static void resolve_unlist(PlanMachine *m, PlanDevice *d)
{
    guint at = m->devices->len - 1;

    if (m->devices->pdata[at] == d || g_ptr_array_find(m->devices, d, &at)) {
        g_ptr_array_steal_index(m->devices, at);
    }
}

void plan_leave_device(PlanMachine *m, PlanDevice *d)
{
    resolve_unlist(m, d);
    undo_add(m->index, d);
}

bool plan_add_device(PlanMachine *m, const PlanCatalog *c, PlanDevice *d, bool running,
                     GError **err)
{
    bool ok;

    if (!m->index && !plan_resolve(m, c, err)) {
        return false;
    }
    d->implicit = false;
    m->index->running = running;
    ok = plan_prepare_device(m, m->index, d, err) && plan_enter_device(m, m->index, d, err);
    m->index->running = false;
    return ok;
}

void plan_remove_device(PlanMachine *m, PlanDevice *d)
{
    resolve_unlist(m, d);
    if (m->index) {
        undo_add(m->index, d);
    }
    plan_device_free(d);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placing devices with a policy: a search over all buses, and growth if no bus is possible. All
 * additions of a call are undone if it fails.
 */
#include "plan/policy_internal.h"

enum { GROW_DEPTH = 6 };

void plan_grow_undo(PlanGrower *g, guint n)
{
    while (g->added->len > n) {
        PlanDevice *d = g->added->pdata[g->added->len - 1];

        g_ptr_array_set_size(g->added, (gint)g->added->len - 1);
        plan_remove_device(g->m, d);
    }
}

bool plan_bus_auto(const PlanDevice *d)
{
    return !d->bus || strcmp(d->bus, "auto") == 0;
}

/* --- refusals --- */

/* Append "2 buses are full, 1 does not support hot plug". */
static void grow_list_reasons(GString *out, const PlanSearch *s)
{
    static const struct {
        PlanReason reason;
        const char *one, *many;
    } rows[] = {
        { PLAN_REASON_FULL, "bus is full", "buses are full" },
        { PLAN_REASON_NO_HOTPLUG, "bus does not support hot plug",
          "buses do not support hot plug" },
        { PLAN_REASON_HOTPLUG, "bus supports hot plug", "buses support hot plug" },
        { PLAN_REASON_LINK, "bus has another link type", "buses have another link type" },
        { PLAN_REASON_NUMA, "bus belongs to another NUMA node",
          "buses belong to another NUMA node" },
        { PLAN_REASON_SPARE, "port is kept free for growth", "ports are kept free for growth" },
        { PLAN_REASON_BRIDGE, "bus has slots for bridges only",
          "buses have slots for bridges only" },
        { PLAN_REASON_WINDOW, "port has too small windows", "ports have too small windows" },
        { PLAN_REASON_UNNUMBERED, "port has no bus number", "ports have no bus number" },
    };
    bool any = false;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned n = s->count[rows[i].reason];

        if (n) {
            g_string_append_printf(out, "%s%u %s", any ? ", " : "", n,
                                   n == 1 ? rows[i].one : rows[i].many);
            any = true;
        }
    }
    g_string_append(out, any ? "" : "no bus accepts the type");
}

/* Return the conditions as "hotplug=required,link=express"; g_free(). */
static char *grow_conditions(const PlanPrefs *p)
{
    GString *out = g_string_new(NULL);

    if (p->hotplug > PLAN_WISH_ANY) {
        g_string_append(out,
                        p->hotplug == PLAN_WISH_REQUIRED ? ",hotplug=required" : ",hotplug=avoid");
    }
    if (p->link > PLAN_LINK_EITHER) {
        g_string_append(out, p->link == PLAN_LINK_EXPRESS ? ",link=express" : ",link=conventional");
    }
    if (p->numa >= 0) {
        g_string_append_printf(out, ",numa=%d", p->numa);
    }
    return g_string_free(out, FALSE);
}

static bool grow_refuse_device(const PlanGrower *g, const PlanSearch *s, const char *growth,
                               GError **err)
{
    g_autofree char *label = plan_device_label(s->d), *conditions = grow_conditions(s->prefs);
    g_autoptr(GString) out = g_string_new(NULL);

    g_string_append_printf(out, "%s: no place%s%s%s: ", label,
                           g->guest ? " in the running machine" : "",
                           *conditions ? " satisfies " : "", *conditions ? conditions + 1 : "");
    grow_list_reasons(out, s);
    if (*growth) {
        g_string_append_printf(out, "; growth is not possible: %s", growth);
    } else {
        g_string_append(out, "; the policy permits no growth that provides one");
    }
    if (out->len > PLAN_MESSAGE_MAX) {
        g_string_truncate(out, PLAN_MESSAGE_MAX);
        while (!g_utf8_validate(out->str, -1, NULL)) {
            g_string_truncate(out, out->len - 1);
        }
    }
    return plan_fail(err, "%s", out->str);
}

/* Refuse a controller of growth: the message becomes a part of that for the device. */
static bool grow_refuse_controller(const PlanSearch *s, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);

    grow_list_reasons(out, s);
    return plan_fail(err, "no place for %s: %s", plan_role_name(s->d->t->role), out->str);
}

static bool grow_refuse(const PlanGrower *g, const PlanSearch *s, const char *growth, GError **err)
{
    if (g->depth > 0) {
        return grow_refuse_controller(s, err);
    }
    return grow_refuse_device(g, s, growth, err);
}

/* Refuse preferences that no machine can satisfy. */
static bool grow_check_prefs(const PlanGrower *g, const PlanDevice *d, const PlanPrefs *p,
                             GError **err)
{
    bool endpoint = d->t->role == PLAN_PCI_ENDPOINT;
    g_autofree char *label = NULL;
    const char *why = NULL;

    if (endpoint && p->hotplug == PLAN_WISH_REQUIRED && !d->t->hotpluggable) {
        why = "hotplug=required, but devices of this type cannot be hot-plugged";
    } else if (endpoint && p->link == PLAN_LINK_EXPRESS && !(d->t->slots & PLAN_SLOT_EXPRESS)) {
        why = "link=express, but the device is a conventional one";
    } else if (endpoint && p->link == PLAN_LINK_CONVENTIONAL &&
               !(d->t->slots & PLAN_SLOT_CONVENTIONAL)) {
        why = "link=conventional, but the device is an Express one";
    } else if (g->guest && !d->t->hotpluggable) {
        why = "devices of this type cannot be plugged while the guest runs: add the device when "
              "the machine is started";
    }
    if (!why) {
        return true;
    }
    label = plan_device_label(d);
    return plan_fail(err, "%s: %s", label, why);
}

/* --- choosing --- */

/* A function of a slot with several functions requires multifunction=on. */
static void grow_set_shared(PlanDevice *d)
{
    PlanSetting *s = plan_setting_find(d->settings, "multifunction");
    const PlanProp *p = plan_prop_of(d, "multifunction");

    if (s && p && p->kind == PLAN_PROP_BOOL && !s->given) {
        plan_setting_choose(s, p, (PlanValue){ .kind = PLAN_PROP_BOOL, .b = true });
    }
}

static bool grow_set_place(const PlanSearch *s, PlanDevice *d, const PlanBusNode *node)
{
    PlanPciAddr addr;

    if (!plan_search_addr(s, node, &addr)) {
        return false;
    }
    if (g_strcmp0(d->bus, node->name) != 0) {
        g_free(d->bus);
        d->bus = g_strdup(node->name);
    }
    d->addr = addr;
    d->has_addr = true;
    d->full_addr = false;
    d->dynamic = true;
    if (plan_search_shares(s)) {
        grow_set_shared(d);
    }
    return true;
}

/* Try the types of growth in the order of the policy. Return the bus for the device; or NULL, with
 * the reason of each type appended to @why. */
static PlanBusNode *grow_bus(PlanGrower *g, PlanSearch *s, GString *why)
{
    for (unsigned i = 0; i < g->policy->n_growth && !s->only && g->depth < GROW_DEPTH; i++) {
        guint before = g->added->len;
        g_autoptr(GError) error = NULL;
        PlanBusNode *node = NULL;
        bool ok;

        if (!plan_growth_helps(g, g->policy->growth[i], s->d->t, s->prefs)) {
            continue;
        }
        g->depth++;
        ok = plan_growth_try(g, g->policy->growth[i], s->d->t, s->prefs, &error);
        g->depth--;
        if (ok && plan_search_begin(s, &error)) {
            node = plan_search_bus(s);
        }
        if (ok && !node && g->guest && g->policy->growth[i] == PLAN_GROW_SWITCH) {
            g->depth++; /* the ports of the switch can take switches themselves */
            node = grow_bus(g, s, why);
            g->depth--;
        }
        if (node) {
            return node;
        }
        if (!error) {
            plan_fail(&error, "the bus that a new %s provides does not satisfy the conditions",
                      plan_grow_kind_name(g->policy->growth[i]));
        }
        plan_grow_undo(g, before);
        g_string_append_printf(why, "%s%s: %s", why->len ? "; " : "",
                               plan_grow_kind_name(g->policy->growth[i]), error->message);
    }
    return NULL;
}

static bool grow_only(PlanSearch *s, const PlanDevice *d, GError **err)
{
    s->only = plan_bus_auto(d) ? NULL : g_hash_table_lookup(s->x->buses, d->bus);
    if (!plan_bus_auto(d) && !s->only) {
        g_autofree char *label = plan_device_label(d), *quoted = plan_quote(d->bus);

        return plan_fail(err, "%s: there is no bus %s", label, quoted);
    }
    return true;
}

static bool grow_search(PlanGrower *g, PlanDevice *d, const PlanPrefs *prefs, GError **err)
{
    PlanSearch s = { .x = g->x,
                     .policy = g->policy,
                     .d = d,
                     .prefs = prefs,
                     .running = g->guest != NULL,
                     .guest = g->guest,
                     .ignore_spare = d->t->role == PLAN_PCI_UPSTREAM ||
                                     (g->guest && d->t->role == PLAN_PCI_PCIE_BRIDGE) };
    g_autoptr(GString) growth = g_string_new(NULL);
    PlanBusNode *node;

    if (!grow_only(&s, d, err) || !plan_search_begin(&s, err)) {
        return false;
    }
    node = plan_search_bus(&s);
    if (!node && s.count[PLAN_REASON_FULL] && s.only) {
        return true; /* plan_put() refuses with the holder and other buses */
    }
    if (!node) {
        PlanSearch first = s;

        node = grow_bus(g, &s, growth);
        if (!node) {
            return grow_refuse(g, &first, growth->str, err);
        }
    }
    return grow_set_place(&s, d, node) || grow_refuse(g, &s, "", err);
}

bool plan_grow_place(PlanGrower *g, PlanDevice *d, const PlanPrefs *given, GError **err)
{
    guint before = g->added->len;
    PlanPrefs prefs;
    bool ok;

    if (d->bus && plan_bus_auto(d)) {
        g_clear_pointer(&d->bus, g_free);
    }
    if (d->t->role == PLAN_PCI_NONE || d->has_addr) {
        return true;
    }
    plan_policy_prefs(g->policy, d->t, d->id, given, &prefs);
    ok = grow_check_prefs(g, d, &prefs, err) && grow_search(g, d, &prefs, err);
    if (!ok) {
        plan_grow_undo(g, before);
    }
    plan_prefs_clear(&prefs);
    return ok;
}

/* Return the number of free root ports: with fixed bus numbers only these have numbers for
 * switches.
 */
static unsigned grow_free_roots(const PlanIndex *x)
{
    unsigned n = 0;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        n += node->kind == PLAN_BUS_PCIE_PORT && !node->n_devices && !node->orphan && node->owner &&
             node->owner->on == node->root && plan_bus_hotplug(node);
    }
    return n;
}

/* Add a port by one of the first @n ways to grow. */
static bool grow_spare_one(PlanGrower *g, size_t n)
{
    static const PlanGrowKind kinds[] = { PLAN_GROW_ROOT_PORT, PLAN_GROW_SWITCH };
    PlanPrefs any;

    plan_prefs_init(&any);
    for (size_t i = 0; i < MIN(n, G_N_ELEMENTS(kinds)); i++) {
        guint before = g->added->len;

        if (plan_policy_grows(g->policy, kinds[i]) &&
            plan_growth_try(g, kinds[i], NULL, &any, NULL)) {
            return true;
        }
        plan_grow_undo(g, before);
    }
    return false;
}

void plan_grow_spare(PlanGrower *g)
{
    if (!plan_attach_placed(g->x, NULL) || g->guest || !g->x->root ||
        !plan_bus_is_express(g->x->root->kind)) {
        return;
    }
    while (plan_growth_fixed(g) && grow_free_roots(g->x) < g->policy->spare_ports &&
           grow_spare_one(g, 1)) {
    }
    while (plan_free_ports(g->x) < g->policy->spare_ports && grow_spare_one(g, 2)) {
    }
}

/* --- the interface for one device --- */

struct PlanGrowth {
    GPtrArray *devices; /* PlanDevice, unresolved */
};

void plan_growth_free(PlanGrowth *g)
{
    if (g) {
        g_ptr_array_unref(g->devices);
        g_free(g);
    }
}

unsigned plan_growth_count(const PlanGrowth *g)
{
    return g->devices->len;
}

const PlanDevice *plan_growth_device(const PlanGrowth *g, unsigned i)
{
    return i < g->devices->len ? g->devices->pdata[i] : NULL;
}

/* Return an unresolved copy of a device with the settings that were given or chosen. */
static PlanDevice *growth_device(const PlanDevice *d, const PlanDevice *original)
{
    PlanDevice *copy = plan_device_new(d->type);

    copy->id = g_strdup(d->id);
    copy->bus = g_strdup(d->bus);
    copy->addr = d->addr;
    copy->has_addr = d->has_addr;
    copy->full_addr = d->full_addr;
    copy->dynamic = d->dynamic;
    copy->option = d->option;
    for (guint i = 0; i < d->settings->len; i++) {
        const PlanSetting *s = d->settings->pdata[i];
        const PlanProp *p = d->t ? plan_prop_of(d, s->name) : NULL;
        bool asked = !original || plan_setting_find(original->settings, s->name) ||
                     strcmp(s->name, "multifunction") == 0;

        if (s->given && asked && !(p && p->kind == PLAN_PROP_CAP && !original)) {
            plan_device_set(copy, s->name, s->text);
        }
    }
    return copy;
}

PlanDevice *plan_device_unresolved(const PlanDevice *d)
{
    return growth_device(d, NULL);
}

PlanDevice *plan_growth_copy(const PlanGrowth *g, unsigned i)
{
    return i < g->devices->len ? growth_device(g->devices->pdata[i], NULL) : NULL;
}

static void growth_place_to_json(const PlanDevice *d, struct json_object *o)
{
    g_autofree char *addr = d->has_addr ? plan_addr_format(&d->addr, d->full_addr) : NULL;

    if (d->bus) {
        json_object_object_add(o, "bus", json_object_new_string(d->bus));
    }
    if (addr) {
        json_object_object_add(o, "addr", json_object_new_string(addr));
    }
}

struct json_object *plan_growth_to_json(const PlanGrowth *g)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    const PlanDevice *d = g->devices->pdata[g->devices->len - 1];

    json_object_object_add(o, "type", json_object_new_string(d->type));
    if (d->id) {
        json_object_object_add(o, "id", json_object_new_string(d->id));
    }
    growth_place_to_json(d, o);
    for (guint i = 0; i + 1 < g->devices->len; i++) {
        const PlanDevice *c = g->devices->pdata[i];
        struct json_object *e = json_object_new_object();

        json_object_object_add(e, "type", json_object_new_string(c->type));
        json_object_object_add(e, "id", json_object_new_string(c->id ? c->id : ""));
        growth_place_to_json(c, e);
        json_object_array_add(list, e);
    }
    json_object_object_add(o, "controllers", list);
    return o;
}

static PlanGrowth *growth_new(const PlanGrower *g, const PlanDevice *d, const PlanDevice *original)
{
    PlanGrowth *result = g_new0(PlanGrowth, 1);

    result->devices = g_ptr_array_new_with_free_func((GDestroyNotify)plan_device_free);
    for (guint i = 0; i < g->added->len; i++) {
        g_ptr_array_add(result->devices, growth_device(g->added->pdata[i], NULL));
    }
    g_ptr_array_add(result->devices, growth_device(d, original));
    return result;
}

/* Place and add @d. Return the result, or NULL with nothing changed. */
static bool grow_enter(PlanGrower *g, PlanDevice *d, const PlanPrefs *prefs, GError **err)
{
    if (!plan_prepare_device(g->m, g->x, d, err) || !plan_grow_place(g, d, prefs, err)) {
        return false;
    }
    if (!plan_enter_device(g->m, g->x, d, err)) {
        plan_grow_undo(g, 0);
        return false;
    }
    if (!plan_check_bus_demand(g->x, g->policy, err) || !plan_check_strict(g->m, g->policy, err)) {
        plan_leave_device(g->m, d);
        plan_grow_undo(g, 0);
        return false;
    }
    return true;
}

static void grow_restore(PlanDevice *d, const PlanDevice *original)
{
    g_free(d->bus);
    d->bus = g_strdup(original->bus);
    d->addr = original->addr;
    d->has_addr = original->has_addr;
    d->full_addr = original->full_addr;
    d->dynamic = original->dynamic;
}

static PlanGrowth *grow_run(PlanGrower *g, PlanDevice *d, const PlanPrefs *prefs, GError **err)
{
    g_autoptr(PlanDevice) original = growth_device(d, NULL);

    if (!grow_enter(g, d, prefs, err)) {
        grow_restore(d, original);
        return NULL;
    }
    plan_grow_spare(g);
    return growth_new(g, d, original);
}

static PlanGrowth *grow_one(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                            PlanDevice *d, const PlanPrefs *prefs, const PlanGuest *guest,
                            bool keep, GError **err)
{
    g_autoptr(GPtrArray) added = g_ptr_array_new();
    PlanGrower g = { .m = m, .c = c, .policy = p, .guest = guest, .added = added };
    PlanGrowth *result;

    if (!m->index && !plan_resolve(m, c, err)) {
        return NULL;
    }
    d->implicit = false;
    g.x = m->index;
    g.x->running = guest != NULL;
    result = grow_run(&g, d, prefs, err);
    if (result && keep && !guest) {
        plan_reserve_ports(g.x);
    }
    if (result && !keep) {
        plan_leave_device(m, d);
        plan_grow_undo(&g, 0);
    }
    g.x->running = false;
    return result;
}

PlanGrowth *plan_grow(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                      const PlanDevice *d, const PlanPrefs *prefs, const PlanGuest *guest,
                      GError **err)
{
    g_autoptr(PlanDevice) copy = growth_device(d, NULL);

    return grow_one(m, c, p, copy, prefs, guest, false, err);
}

PlanGrowth *plan_grow_add(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, PlanDevice *d,
                          const PlanPrefs *prefs, const PlanGuest *guest, GError **err)
{
    return grow_one(m, c, p, d, prefs, guest, true, err);
}

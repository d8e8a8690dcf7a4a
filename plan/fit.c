/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions about a description and a policy: which devices still fit, and why a device is where it
 * is.
 */
#include "plan/edit.h"
#include "plan/policy_internal.h"

static void fit_add_text(struct json_object *o, const char *key, const char *text)
{
    if (text) {
        json_object_object_add(o, key, json_object_new_string(text));
    }
}

/* Try one device on the copy @m, and keep it there if it fits. */
static struct json_object *fit_one(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                                   const PlanDevice *wanted, const PlanPrefs *prefs,
                                   const PlanGuest *guest)
{
    g_autoptr(GError) error = NULL;
    PlanDevice *d = plan_device_unresolved(wanted);
    g_autoptr(PlanGrowth) growth = plan_grow_add(m, c, p, d, prefs, guest, &error);
    struct json_object *o = growth ? plan_growth_to_json(growth) : json_object_new_object();

    if (!growth) {
        fit_add_text(o, "type", wanted->type);
        fit_add_text(o, "id", wanted->id);
        plan_device_free(d);
    }
    json_object_object_add(o, "fits", json_object_new_boolean(growth != NULL));
    fit_add_text(o, "reason", growth ? NULL : error->message);
    return o;
}

struct json_object *plan_fit(const PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                             PlanDevice *const *devices, const PlanPrefs *const *prefs, size_t n,
                             const PlanGuest *guest, GError **err)
{
    g_autoptr(PlanMachine) copy = plan_machine_copy(m);
    struct json_object *list;

    if (!plan_resolve(copy, c, err)) {
        return NULL;
    }
    list = json_object_new_array();
    for (size_t i = 0; i < n; i++) {
        json_object_array_add(list,
                              fit_one(copy, c, p, devices[i], prefs ? prefs[i] : NULL, guest));
    }
    return list;
}

/* --- explanations --- */

static void fit_rule(struct json_object *list, const char *rule, const char *wanted, bool satisfied)
{
    struct json_object *o = json_object_new_object();

    fit_add_text(o, "rule", rule);
    fit_add_text(o, "value", wanted);
    json_object_object_add(o, "satisfied", json_object_new_boolean(satisfied));
    json_object_array_add(list, o);
}

static bool fit_alone(const PlanDevice *d)
{
    const PlanBusNode *node = d->on;
    unsigned n = 0;

    for (unsigned fn = 0; fn < 8; fn++) {
        n += node->slot[d->addr.slot][fn] != NULL;
    }
    return n == 1;
}

/* Return whether the device satisfies a preference, in the words of plan_prefs_parse(). */
static bool fit_satisfied(const PlanDevice *d, const PlanPrefs *p, const char *key)
{
    bool hotplug = d->t->hotpluggable && plan_bus_hotplug(d->on);
    bool express = plan_bus_is_express(d->on->kind);

    if (strcmp(key, "hotplug") == 0) {
        return p->hotplug == PLAN_WISH_ANY || hotplug == (p->hotplug == PLAN_WISH_REQUIRED);
    }
    if (strcmp(key, "link") == 0) {
        return p->link == PLAN_LINK_EITHER || express == (p->link == PLAN_LINK_EXPRESS);
    }
    if (strcmp(key, "numa") == 0) {
        return p->numa < 0 || plan_root_node(d->on->root) == p->numa;
    }
    if (strcmp(key, "slot") == 0) {
        return p->sharing == PLAN_SHARING_SHARED || fit_alone(d);
    }
    return strcmp(key, "at") != 0 || p->slot < 0 || d->addr.slot == p->slot;
}

/* Add the preferences that the search has as costs: they hold if no other bus has a lower cost. */
static void fit_rules(struct json_object *list, const PlanDevice *d, const PlanPrefs *p,
                      bool nearest)
{
    struct json_object *all = json_object_new_object();

    plan_prefs_to_json(p, all);
    json_object_object_foreach(all, key, value)
    {
        bool cost = strcmp(key, "near") == 0 || strcmp(key, "apart") == 0 ||
                    (strcmp(key, "interrupt") == 0 && p->own_line == PLAN_WISH_REQUIRED);

        fit_rule(list, key, json_object_get_string(value),
                 cost ? nearest : fit_satisfied(d, p, key));
    }
    json_object_put(all);
}

/* Add each other PCI bus with the reason why it was not chosen. Return whether the bus of the
 * device has the lowest cost. */
static bool fit_rejected(const PlanSearch *s, const PlanDevice *d, struct json_object *list)
{
    unsigned own, cost;
    bool nearest = true;

    plan_search_cost(s, d->on, &own);
    for (guint i = 0; i < s->x->bus_order->len; i++) {
        const PlanBusNode *node = s->x->bus_order->pdata[i];
        struct json_object *o;
        PlanReason reason;

        if (node == d->on || node->rule->addr != PLAN_ADDR_PCI || node->orphan) {
            continue;
        }
        reason = plan_search_check(s, node, &cost);
        nearest = nearest && (reason || cost >= own);
        if (!reason) {
            reason = cost > own ? PLAN_REASON_FARTHER : PLAN_REASON_LATER;
        }
        o = json_object_new_object();
        fit_add_text(o, "bus", node->name);
        fit_add_text(o, "reason", plan_reason_name(reason));
        json_object_array_add(list, o);
    }
    return nearest;
}

static bool fit_explain(const PlanMachine *m, const PlanPolicy *p, const PlanDevice *d,
                        const PlanPrefs *given, struct json_object *o, GError **err)
{
    struct json_object *rules = json_object_new_array(), *rejected = json_object_new_array();
    PlanPrefs prefs;
    PlanSearch s = { .x = m->index, .policy = p, .d = d, .prefs = &prefs };
    bool ok;

    plan_policy_prefs(p, d->t, d->id, given, &prefs);
    ok = plan_search_begin(&s, err);
    if (ok) {
        bool nearest = fit_rejected(&s, d, rejected);

        fit_rules(rules, d, &prefs, nearest);
    }
    json_object_object_add(o, "rules", rules);
    json_object_object_add(o, "rejected", rejected);
    plan_prefs_clear(&prefs);
    return ok;
}

struct json_object *plan_explain_policy(const PlanMachine *m, const PlanCatalog *c,
                                        const PlanPolicy *p, const char *name,
                                        const PlanPrefs *prefs, GError **err)
{
    struct json_object *o = plan_explain(m, name, err);
    const PlanDevice *d = o ? plan_find_device(m, name) : NULL;

    if (d && d->on && d->on->rule->addr == PLAN_ADDR_PCI && !d->implicit &&
        !fit_explain(m, p, d, prefs, o, err)) {
        json_object_put(o);
        return NULL;
    }
    return o;
}

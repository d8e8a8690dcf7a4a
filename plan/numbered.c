/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places that are a number in a property of the device: the ports of a virtio serial bus and of a
 * USB bus. The lowest number is the minimum of the property; the owner of the bus sets the limit.
 */
#include "plan/internal.h"

static PlanDevice *numbered_holder(const PlanBusNode *node, uint64_t n)
{
    return g_hash_table_lookup(node->numbers, GUINT_TO_POINTER((guint)n));
}

/* Return the value of the property with the limit. */
static uint64_t numbered_limit_value(const PlanBusNode *node)
{
    const PlanValue *v = node->owner ? plan_device_get(node->owner, node->rule->limit_prop) : NULL;

    return v ? MIN(v->u, UINT16_MAX) : 0;
}

/* Return the first number that does not exist. */
static uint64_t numbered_limit(const PlanBusNode *node)
{
    return numbered_limit_value(node) + node->rule->limit_is_last;
}

static const PlanProp *number_prop(const PlanType *t, const PlanBusRule *rule)
{
    return rule->number_prop ? plan_find_prop(t->props, t->n_props, rule->number_prop) : NULL;
}

/* Return the lowest free number that is at least @from, or the limit of the bus. */
static uint64_t next_free(const PlanBusNode *node, uint64_t from)
{
    uint64_t limit = numbered_limit(node), n = from;

    while (n < limit && numbered_holder(node, n)) {
        n++;
    }
    return n;
}

bool plan_numbered_has_room(const PlanBusNode *node, const PlanType *t)
{
    const PlanProp *p = number_prop(t, node->rule);

    return p && next_free(node, p->min) < numbered_limit(node);
}

bool plan_number_given(const PlanDevice *d)
{
    const PlanProp *p = number_prop(d->t, plan_bus_rule(d->t->plugs_into));
    const PlanSetting *s = p ? plan_setting_find(d->settings, p->name) : NULL;

    return s && s->given && s->value.u != p->def;
}

/* Return the free numbers as "1-3, 7" or "none"; g_free(). */
static char *free_numbers(const PlanBusNode *node, uint64_t first)
{
    uint64_t limit = numbered_limit(node);
    GString *out = g_string_new(NULL);

    for (uint64_t n = next_free(node, first); n < limit; n = next_free(node, n)) {
        uint64_t from = n;

        while (n < limit && !numbered_holder(node, n)) {
            n++;
        }
        g_string_append_printf(out, "%s%u", out->len ? ", " : "", (unsigned)from);
        if (n > from + 1) {
            g_string_append_printf(out, "-%u", (unsigned)n - 1);
        }
    }
    return g_string_free(g_string_append(out, out->len ? "" : "none"), FALSE);
}

static bool numbered_fail(const PlanBusNode *node, const PlanDevice *d, const PlanProp *p,
                          uint64_t n, GError **err)
{
    g_autofree char *label = plan_device_label(d), *unused = free_numbers(node, p->min);
    const PlanDevice *holder = n < numbered_limit(node) ? numbered_holder(node, n) : NULL;
    g_autofree char *other = holder ? plan_device_label(holder) : NULL;

    if (!plan_number_given(d)) {
        return plan_fail(err, "%s: bus '%s' is full: %s=%u of its owner is reached", label,
                         node->name, node->rule->limit_prop, (unsigned)numbered_limit_value(node));
    }
    if (holder) {
        return plan_fail(err, "%s: %s=%u on bus '%s' is already used by %s: free there: %s", label,
                         p->name, (unsigned)n, node->name, other, unused);
    }
    return plan_fail(err,
                     "%s: %s=%u is beyond the end of bus '%s', whose owner has %s=%u: free "
                     "there: %s",
                     label, p->name, (unsigned)n, node->name, node->rule->limit_prop,
                     (unsigned)numbered_limit_value(node), unused);
}

bool plan_put_numbered(PlanDevice *d, PlanBusNode *node, GError **err)
{
    const PlanProp *p = number_prop(d->t, node->rule);
    PlanSetting *s = p ? plan_setting_find(d->settings, p->name) : NULL;
    uint64_t n;

    if (!s) {
        return plan_fail(err, "type '%s' lacks the property '%s'", d->t->name,
                         node->rule->number_prop);
    }
    n = plan_number_given(d) ? s->value.u : next_free(node, p->min);
    if (n >= numbered_limit(node) || numbered_holder(node, n)) {
        return numbered_fail(node, d, p, n, err);
    }
    plan_setting_choose(s, p, (PlanValue){ .kind = p->kind, .u = n });
    g_hash_table_insert(node->numbers, GUINT_TO_POINTER((guint)n), d);
    d->number = s;
    d->place = g_strdup_printf("%s/%u", node->name, (unsigned)n);
    return true;
}

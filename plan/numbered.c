/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places that are a number in a property of the device: the ports of a virtio serial bus and of a
 * USB bus, and the namespaces of an nvme controller. The lowest number is the minimum of the
 * property. The owner of the bus, or the bus type, sets the limit.
 */
#include "plan/internal.h"

enum { NUMBERED_OWN = 1 }; /* the number that the owner of the bus can use itself */

/* Return whether a property of the owner states that it uses a number itself. */
static bool numbered_owner_uses(const PlanBusNode *node)
{
    const char *prop = node->rule->owner_prop;
    const PlanValue *v = prop && node->owner ? plan_device_get(node->owner, prop) : NULL;

    return v && v->s;
}

static PlanDevice *numbered_holder(const PlanBusNode *node, uint64_t n)
{
    if (n == NUMBERED_OWN && numbered_owner_uses(node)) {
        return node->owner;
    }
    return g_hash_table_lookup(node->numbers, GUINT_TO_POINTER((guint)n));
}

/* Return the limit as the property or the rule states it. */
static uint64_t numbered_limit_value(const PlanBusNode *node)
{
    const char *prop = node->rule->limit_prop;
    const PlanValue *v = node->owner && prop ? plan_device_get(node->owner, prop) : NULL;

    return v ? MIN(v->u, UINT16_MAX) : prop ? 0 : node->rule->last_number;
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

/* Return what limits the numbers of a bus; g_free(). */
static char *numbered_limit_text(const PlanBusNode *node)
{
    const char *prop = node->rule->limit_prop;

    return prop ? g_strdup_printf("%s=%u of its owner", prop, (unsigned)numbered_limit_value(node))
                : g_strdup_printf("number %u", node->rule->last_number);
}

static bool numbered_fail(const PlanBusNode *node, const PlanDevice *d, const PlanProp *p,
                          uint64_t n, GError **err)
{
    g_autofree char *label = plan_device_label(d), *unused = free_numbers(node, p->min);
    const PlanDevice *holder = n < numbered_limit(node) ? numbered_holder(node, n) : NULL;
    g_autofree char *other = holder ? plan_device_label(holder) : NULL;
    g_autofree char *limit = numbered_limit_text(node);

    if (!plan_number_given(d)) {
        return plan_fail(err, "%s: bus '%s' is full: %s is reached", label, node->name, limit);
    }
    if (holder) {
        return plan_fail(err, "%s: %s=%u on bus '%s' is already used by %s: free there: %s", label,
                         p->name, (unsigned)n, node->name, other, unused);
    }
    return plan_fail(err, "%s: %s=%u is beyond the end of bus '%s', %s: free there: %s", label,
                     p->name, (unsigned)n, node->name, limit, unused);
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that must be unique in a machine: the (chassis, slot) pair of hot-plug ports,
 * the chassis number of conventional bridges, the bus number of extra roots.
 */
#include "plan/internal.h"

static const struct NumberRule {
    uint16_t roles;
    const char *major, *minor; /* major may be NULL; minor is chosen if it is not given */
    bool choose;
} number_rules[] = {
    { 1 << PLAN_PCI_ROOT_PORT | 1 << PLAN_PCI_DOWNSTREAM, "chassis", "slot", true },
    { 1 << PLAN_PCI_BRIDGE, NULL, "chassis_nr", true },
    { 1 << PLAN_PCI_EXTRA_ROOT, NULL, "bus_nr", false },
};

static const struct NumberRule *rule_of(const PlanDevice *d)
{
    for (size_t i = 0; i < G_N_ELEMENTS(number_rules); i++) {
        const struct NumberRule *r = &number_rules[i];

        if ((r->roles >> d->t->role & 1) && plan_prop_of(d, r->minor) &&
            (!r->major || plan_prop_of(d, r->major))) {
            return r;
        }
    }
    return NULL;
}

static gpointer numbers_key(const struct NumberRule *r, const PlanDevice *d)
{
    uint64_t major = r->major ? plan_device_get(d, r->major)->u : 0;
    uint64_t minor = plan_device_get(d, r->minor)->u;

    return GSIZE_TO_POINTER((gsize)(r - number_rules + 1) << 26 | (major & 0x3ff) << 16 |
                            (minor & 0xffff));
}

bool plan_take_number(PlanIndex *x, PlanDevice *d, GError **err)
{
    const struct NumberRule *r = rule_of(d);
    PlanDevice *holder;

    if (!r || (r->choose && !plan_setting_find(d->settings, r->minor)->given)) {
        return true;
    }
    holder = g_hash_table_lookup(x->unique, numbers_key(r, d));
    if (holder && holder != d) {
        g_autofree char *label = plan_device_label(d), *other = plan_device_label(holder);
        uint64_t minor = plan_device_get(d, r->minor)->u;

        if (!r->major) {
            return plan_fail(err,
                             "%s: %s=%u is already used by %s: use a different number for each",
                             label, r->minor, (unsigned)minor, other);
        }
        return plan_fail(
            err, "%s: %s=%u,%s=%u is already used by %s: use a different pair for each", label,
            r->major, (unsigned)plan_device_get(d, r->major)->u, r->minor, (unsigned)minor, other);
    }
    g_hash_table_insert(x->unique, numbers_key(r, d), d);
    return true;
}

/* Choose the lowest free number, from the default of the property upwards. */
bool plan_choose_number(PlanIndex *x, PlanDevice *d, GError **err)
{
    const struct NumberRule *r = rule_of(d);
    PlanSetting *s = r && r->choose ? plan_setting_find(d->settings, r->minor) : NULL;
    const PlanProp *p = s && !s->given ? plan_prop_of(d, r->minor) : NULL;
    uint64_t last;

    if (!p) {
        return true;
    }
    last = p->max ? p->max : p->kind == PLAN_PROP_U8 ? UINT8_MAX : 0x1fff;
    for (uint64_t n = MAX(s->value.u, p->min); n <= last; n++) {
        s->value.u = n;
        if (!g_hash_table_contains(x->unique, numbers_key(r, d))) {
            plan_setting_choose(s, p, (PlanValue){ .kind = p->kind, .u = n });
            return plan_take_number(x, d, err);
        }
    }
    {
        g_autofree char *label = plan_device_label(d);

        return plan_fail(err, "%s: no value of '%s' up to %u is free", label, r->minor,
                         (unsigned)last);
    }
}

void plan_release_number(PlanIndex *x, PlanDevice *d)
{
    const struct NumberRule *r = d->t ? rule_of(d) : NULL;

    if (r && g_hash_table_lookup(x->unique, numbers_key(r, d)) == d) {
        g_hash_table_remove(x->unique, numbers_key(r, d));
    }
}

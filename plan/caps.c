/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for capability properties. A capability that the port type requires cannot be off, a
 * capability that depends on Express requires Express, and an offset must leave room for the entry.
 * The PCI core detects overlaps.
 */
#include "plan/internal.h"

enum { CAP_ID_PM = 0x01, CAP_ID_EXP = 0x10, EXT_CAP_ID_ARI = 0x0e };

static const char required_text[] =
    "this type of function must have the capability; use on or an offset";

static PlanSetting *setting_of(const PlanDevice *d, const PlanCapability *cap)
{
    return cap->prop ? plan_setting_find(d->settings, cap->prop) : NULL;
}

static bool capability_is_on(const PlanDevice *d, const PlanCapability *cap)
{
    const PlanSetting *s = setting_of(d, cap);

    return s ? s->value.i != PLAN_CAP_OFF : true;
}

static const PlanCapability *find_cap(const PlanType *t, unsigned id, bool extended)
{
    for (size_t i = 0; i < t->n_caps; i++) {
        if (t->caps[i].id == id && t->caps[i].extended == extended) {
            return &t->caps[i];
        }
    }
    return NULL;
}

static bool has_cap(const PlanDevice *d, unsigned id, bool extended)
{
    const PlanCapability *cap = find_cap(d->t, id, extended);

    return cap && capability_is_on(d, cap);
}

bool plan_has_cap(const PlanDevice *d, unsigned id)
{
    return has_cap(d, id, false);
}

bool plan_has_ari(const PlanDevice *d)
{
    return has_cap(d, EXT_CAP_ID_ARI, true);
}

static void choose(PlanDevice *d, PlanSetting *s, int64_t value)
{
    plan_setting_choose(s, plan_prop_of(d, s->name),
                        (PlanValue){ .kind = PLAN_PROP_CAP, .i = value });
    plan_room_resized(d);
}

static bool capability_fail(const PlanDevice *d, const PlanSetting *s, const char *why,
                            GError **err)
{
    g_autofree char *label = plan_device_label(d);

    return plan_fail(err, "%s: %s=%s is not possible: %s", label, s->name, s->text, why);
}

/* Omit a capability that is not possible here. Fails if the user requested it explicitly. */
static bool leave_out(PlanDevice *d, const PlanCapability *cap, const char *why, GError **err)
{
    PlanSetting *s = setting_of(d, cap);

    if (!s || s->value.i == PLAN_CAP_OFF) {
        return true;
    }
    if (s->given) {
        return capability_fail(d, s, why, err);
    }
    choose(d, s, PLAN_CAP_OFF);
    return true;
}

static bool capability_keep(PlanDevice *d, const PlanCapability *cap, const char *why, GError **err)
{
    PlanSetting *s = setting_of(d, cap);

    if (!s || s->value.i != PLAN_CAP_OFF) {
        return true;
    }
    if (s->given) {
        return capability_fail(d, s, why, err);
    }
    choose(d, s, PLAN_CAP_ANYWHERE);
    return true;
}

static bool check_offset(const PlanDevice *d, const PlanCapability *cap, GError **err)
{
    PlanSetting *s = setting_of(d, cap);
    int64_t first = cap->extended ? 0x100 : 0x40, end = cap->extended ? 0x1000 : 0x100;
    g_autofree char *label = NULL;

    if (!s || s->value.i <= PLAN_CAP_ANYWHERE ||
        (s->value.i >= first && s->value.i + cap->length <= end)) {
        return true;
    }
    label = plan_device_label(d);
    return plan_fail(err,
                     "%s: %s=%s leaves no room for the %u bytes of the capability: use off, on, or "
                     "an offset from 0x%x to 0x%x",
                     label, s->name, s->text, cap->length, (unsigned)first,
                     (unsigned)(end - cap->length) & ~3u);
}

static bool check_one(PlanDevice *d, const PlanCapability *cap, bool express, GError **err)
{
    if (cap->extended && !express) {
        return leave_out(d, cap,
                         "an extended capability requires the Express capability, which this "
                         "function does not have here; use off",
                         err);
    }
    if (cap->required && !capability_keep(d, cap, required_text, err)) {
        return false;
    }
    if (!cap->extended && cap->id == CAP_ID_PM && express &&
        !capability_keep(
            d, cap, "an Express function must have power management; use on or an offset", err)) {
        return false;
    }
    return check_offset(d, cap, err);
}

/* Switch the capability off unless the user or a global has set the property. */
static void default_off(PlanDevice *d, const PlanCapability *cap)
{
    PlanSetting *s = cap ? setting_of(d, cap) : NULL;

    if (s && !s->given && !s->text && s->value.i != PLAN_CAP_OFF) {
        choose(d, s, PLAN_CAP_OFF);
    }
}

/* In QEMU, virtio functions on a root bus do not have the Express capability. */
static void make_plain(PlanDevice *d, const PlanCapability *exp)
{
    if (d->t->plain_prop && plan_device_flag(d, d->t->plain_prop, false) && exp && d->on &&
        d->on->kind == PLAN_BUS_PCIE_ROOT) {
        default_off(d, exp);
        if (!capability_is_on(d, exp)) {
            default_off(d, find_cap(d->t, CAP_ID_PM, false));
        }
    }
}

bool plan_check_capabilities(PlanDevice *d, GError **err)
{
    const PlanCapability *exp = find_cap(d->t, CAP_ID_EXP, false);
    bool express = exp && d->on && plan_bus_is_express(d->on->kind);

    make_plain(d, exp);
    if (exp && !express && !leave_out(d, exp, "the bus is conventional PCI; use off", err)) {
        return false;
    }
    if (express && exp->required && !capability_keep(d, exp, required_text, err)) {
        return false;
    }
    express = express && capability_is_on(d, exp);
    for (size_t i = 0; i < d->t->n_caps; i++) {
        const PlanCapability *cap = &d->t->caps[i];

        if (cap == exp ? !check_offset(d, cap, err) : !check_one(d, cap, express, err)) {
            return false;
        }
    }
    return true;
}

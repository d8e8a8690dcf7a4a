/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Separation of guest and host. A migration stream contains only the guest section of a
 * description, because the sender must not choose files of this host.
 */
#include "plan/internal.h"

bool plan_global_is_host(const PlanGlobal *g, const PlanCatalog *c)
{
    const PlanType *t = c ? plan_find_type(c, g->type) : NULL;
    const PlanProp *p = t ? plan_find_prop(t->props, t->n_props, g->prop) : NULL;

    return p && (p->flags & PLAN_PROP_HOST);
}

static bool guest_fail(const char *what, const char *prop, GError **err)
{
    return plan_fail(err,
                     "%s: property '%s' belongs to the host of the source and is not accepted in "
                     "the description of a guest",
                     what, prop);
}

static bool check_settings(const char *label, const GPtrArray *settings, const PlanProp *props,
                           size_t n, GError **err)
{
    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];
        const PlanProp *p = s->given ? plan_find_prop(props, n, s->name) : NULL;

        if (p && (p->flags & PLAN_PROP_HOST)) {
            return guest_fail(label, p->name, err);
        }
    }
    return true;
}

static bool check_devices(const PlanMachine *m, const PlanCatalog *c, GError **err)
{
    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];
        const PlanType *t = plan_find_type(c, d->type);
        g_autofree char *label = plan_device_label(d);

        if (t && !check_settings(label, d->settings, t->props, t->n_props, err)) {
            return false;
        }
    }
    return true;
}

bool plan_check_guest_only(const PlanMachine *m, const PlanCatalog *c, GError **err)
{
    const PlanMachineType *t = m->type ? plan_find_machine(c, m->type) : NULL;

    if (m->host->len) {
        const PlanHostPart *part = m->host->pdata[0];
        g_autofree char *kind = plan_quote(part->kind), *id = plan_quote(part->id);

        return plan_fail(err,
                         "part %s of type %s belongs to the host of the source and is not accepted "
                         "in the description of a guest",
                         id, kind);
    }
    for (guint i = 0; i < m->boot->len; i++) {
        const PlanBootImage *b = m->boot->pdata[i];

        if (b->path) {
            return guest_fail("boot", b->role, err);
        }
    }
    if (m->node_memory) {
        return guest_fail("the machine", "node-memory", err);
    }
    if (m->serials) {
        return guest_fail("the machine", "serials", err);
    }
    for (guint i = 0; i < m->globals->len; i++) {
        const PlanGlobal *g = m->globals->pdata[i];

        if (plan_global_is_host(g, c)) {
            return guest_fail("-global", g->prop, err);
        }
    }
    return (!t || check_settings(t->name, m->settings, t->props, t->n_props, err)) &&
           check_devices(m, c, err);
}

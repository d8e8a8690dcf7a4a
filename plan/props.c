/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checking settings against a property table: unknown names are rejected, values are checked, and
 * missing settings are created.
 */
#include "plan/internal.h"

static const char *props_prop_name(const void *table, size_t i)
{
    return ((const PlanProp *)table)[i].name;
}

static bool resolve_one(PlanSetting *s, const PlanProp *p, GError **err)
{
    PlanValue v;

    if (!plan_value_parse(p, s->text, &v, err)) {
        return false;
    }
    if (s->resolved) {
        plan_value_clear(&s->value);
    }
    s->value = v;
    s->resolved = true;
    g_free(s->text);
    s->text = plan_value_format(p, &v);
    return true;
}

/* Create the setting of a property that was not given. */
static PlanSetting *props_complete(const PlanProp *p, GHashTable *defaults, GError **err)
{
    const char *text = defaults ? g_hash_table_lookup(defaults, p->name) : NULL;
    PlanSetting *s;

    if (!text && (p->flags & PLAN_PROP_REQUIRED)) {
        g_autofree char *accepts = plan_value_accepts(p);

        plan_fail(err, "property '%s' is required: use %s", p->name, accepts);
        return NULL;
    }
    s = plan_setting_new(p->name, text, false);
    if (!text) {
        plan_value_default(p, &s->value);
        s->resolved = true;
    } else if (!resolve_one(s, p, err)) {
        plan_setting_free(s);
        return NULL;
    }
    return s;
}

/* Return the names as ": known are a, b and 3 more"; g_free(). */
static char *list_names(const PlanProp *props, size_t n)
{
    enum { SHOWN = 12 };
    GString *out = g_string_new(n ? ": known are " : ": the type has none");

    for (size_t i = 0; i < n && i < SHOWN; i++) {
        g_string_append_printf(out, "%s%s", i ? ", " : "", props[i].name);
    }
    if (n > SHOWN) {
        g_string_append_printf(out, " and %zu more", n - SHOWN);
    }
    return g_string_free(out, FALSE);
}

/* Set slots[i] to the given setting of props[i]. The row after the last match is tried first,
 * because a dump lists settings in the order of the table. */
static bool props_match(GPtrArray *settings, const PlanProp *props, size_t n, PlanSetting **slots,
                        GError **err)
{
    size_t next = 0;

    for (guint i = 0; i < settings->len; i++) {
        PlanSetting *s = settings->pdata[i];
        const PlanProp *p = next < n && strcmp(props[next].name, s->name) == 0
                                ? &props[next]
                                : plan_find_prop(props, n, s->name);

        if (!p && s->given) {
            g_autofree char *quoted = plan_quote(s->name);
            g_autofree char *hint = suggest_hint_of(s->name, props_prop_name, props, n);
            g_autofree char *known = *hint ? g_strdup("") : list_names(props, n);

            return plan_fail(err, "there is no property %s%s%s", quoted, hint, known);
        }
        if (p && s->given) {
            slots[p - props] = s;
            next = (size_t)(p - props) + 1;
        }
    }
    return true;
}

bool plan_resolve_settings(GPtrArray **settings, const PlanProp *props, size_t n,
                           GHashTable *defaults, GError **err)
{
    g_autofree PlanSetting **slots = g_new0(PlanSetting *, n + 1);
    g_autoptr(GPtrArray) done = NULL;

    if (!props_match(*settings, props, n, slots, err)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (slots[i] && !resolve_one(slots[i], &props[i], err)) {
            return false;
        }
    }
    done = g_ptr_array_new_full((guint)n, plan_setting_free);
    for (size_t i = 0; i < n; i++) {
        PlanSetting *s = slots[i] ? NULL : props_complete(&props[i], defaults, err);

        if (!s && !slots[i]) {
            return false;
        }
        g_ptr_array_add(done, s);
    }
    for (size_t i = 0; i < n; i++) {
        if (slots[i]) {
            guint at;

            g_ptr_array_find(*settings, slots[i], &at);
            done->pdata[i] = g_ptr_array_steal_index_fast(*settings, at);
        }
    }
    g_ptr_array_unref(*settings);
    *settings = g_steal_pointer(&done);
    return true;
}

void plan_settings_imply(GPtrArray *settings, const PlanProp *props, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (props[i].implied && !plan_setting_find(settings, props[i].name)) {
            plan_settings_set(settings, props[i].name, props[i].implied);
        }
    }
}

void plan_setting_choose(PlanSetting *s, const PlanProp *p, PlanValue v)
{
    plan_value_clear(&s->value);
    s->value = v;
    s->resolved = true;
    s->given = true;
    g_free(s->text);
    s->text = plan_value_format(p, &v);
}

const PlanProp *plan_prop_of(const PlanDevice *d, const char *name)
{
    return plan_find_prop(d->t->props, d->t->n_props, name);
}

bool plan_device_flag(const PlanDevice *d, const char *name, bool otherwise)
{
    const PlanValue *v = plan_device_get(d, name);

    if (!v) {
        return otherwise;
    }
    return v->kind == PLAN_PROP_BOOL    ? v->b
           : v->kind == PLAN_PROP_CAP   ? v->i != PLAN_CAP_OFF
           : v->kind == PLAN_PROP_ONOFF ? v->u == PLAN_ON || (v->u == PLAN_AUTO && otherwise)
                                        : otherwise;
}

/* Check that users may create the type, or that the machine type creates the device. */
static bool check_type(PlanIndex *x, PlanDevice *d, GError **err)
{
    d->t = g_hash_table_lookup(x->types, d->type);
    if (!d->t) {
        plan_expect_type(x->catalog, d->type, err);
        if (d->id) {
            g_autofree char *id = plan_quote(d->id);

            g_prefix_error(err, "device %s: ", id);
        }
        return false;
    }
    if (strcmp(d->type, d->t->name) != 0) {
        g_free(d->type);
        d->type = g_strdup(d->t->name);
    }
    if (!d->implicit && !d->t->user_creatable) {
        g_autofree char *label = plan_device_label(d);

        return plan_fail(
            err, "%s: devices of this type are created by the machine and cannot be added", label);
    }
    return true;
}

bool plan_resolve_device(PlanIndex *x, PlanDevice *d, GError **err)
{
    g_autofree char *label = NULL;

    if (!check_type(x, d, err)) {
        return false;
    }
    if (d->id && !d->implicit && !plan_check_id(d->id, err)) {
        return false;
    }
    if (d->complete) {
        plan_settings_imply(d->settings, d->t->props, d->t->n_props);
    }
    if (!plan_resolve_settings(&d->settings, d->t->props, d->t->n_props,
                               g_hash_table_lookup(x->defaults, d->t->name), err)) {
        label = plan_device_label(d);
        g_prefix_error(err, "%s: ", label);
        return false;
    }
    d->complete = false; /* from now on, a setting that is removed gets its default */
    return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of key=value pairs: checking values against the rows of the option, and storing them.
 */
#include <string.h>

#include "options_internal.h"
#include "util/suggest.h"

size_t option_n_keys(const Option *o)
{
    return o->n_keys_at ? *o->n_keys_at : 0;
}

char *option_keys_help(const Option *o)
{
    g_autofree char *name = g_strdup_printf("-%s", o->name);
    PlanType t = { .name = name, .props = o->keys, .n_props = option_n_keys(o) };

    return plan_help_type(&t);
}

static char *accepted_keys(const Option *o)
{
    GString *list = g_string_new(NULL);

    for (size_t i = 0; i < option_n_keys(o); i++) {
        g_string_append_printf(list, "%s%s", i ? ", " : "", o->keys[i].name);
    }
    return g_string_free(list, FALSE);
}

static const char *key_name(const void *table, size_t i)
{
    return ((const PlanProp *)table)[i].name;
}

static bool unknown_key(const Option *o, const char *arg, const char *key, GError **err)
{
    g_autofree char *list = accepted_keys(o);
    g_autofree char *near = suggest_hint_of(key, key_name, o->keys, option_n_keys(o));

    return error_set(err, ERROR_USER, "-%s %s: key '%s' is unknown%s; the keys are %s", o->name,
                     arg, key, near, list);
}

static void option_key_store(Session *s, const PlanProp *p, const PlanValue *v)
{
    void *at = (char *)s + p->field;

    switch (p->kind) {
    case PLAN_PROP_BOOL:
        *(bool *)at = v->b;
        break;
    case PLAN_PROP_STRING:
        option_set_string(at, v->s);
        break;
    case PLAN_PROP_ENUM:
    case PLAN_PROP_ONOFF:
        *(uint32_t *)at = (uint32_t)v->u;
        break;
    default:
        *(uint64_t *)at = v->u;
        break;
    }
}

static bool option_key_take(Session *s, const Option *o, const PlanProp *p,
                            struct json_object *value, GError **err)
{
    const char *text = value ? json_object_get_string(value) : "";
    PlanValue v = { 0 };

    if (!plan_value_parse(p, text, &v, err)) {
        g_prefix_error(err, "-%s: ", o->name);
        return false;
    }
    if (p->field) {
        option_key_store(s, p, &v);
    }
    plan_value_clear(&v);
    return true;
}

bool option_keys_store(Session *s, const Option *o, const char *arg, GError **err)
{
    struct json_object *values = plan_options_parse(arg, o->implied, err);
    bool ok = values != NULL;

    if (!ok) {
        g_prefix_error(err, "-%s: ", o->name);
        return false;
    }
    json_object_object_foreach(values, key, value)
    {
        const PlanProp *p = plan_find_prop(o->keys, option_n_keys(o), key);

        ok = ok && (p || unknown_key(o, arg, key, err)) && option_key_take(s, o, p, value, err);
    }
    json_object_put(values);
    return ok;
}

void option_keys_free(Session *s, const Option *o)
{
    for (size_t i = 0; i < option_n_keys(o); i++) {
        const PlanProp *p = &o->keys[i];

        if (p->field && p->kind == PLAN_PROP_STRING) {
            g_clear_pointer((char **)(void *)((char *)s + p->field), g_free);
        }
    }
}

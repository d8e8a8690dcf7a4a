/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host objects: the list of a machine, properties and users (contract in hw/core/host_object.h).
 */
#include "hw/core/host_object.h"

#include <string.h>

#include "hw/core/prop.h"
#include "util/error.h"
#include "util/suggest.h"

const HostObjectKind *const host_object_kinds[] = {
    &host_iothread,
    &host_memory_file,
    &host_memory_memfd,
    &host_memory_ram_kind,
    &host_rng_builtin,
    &host_rng_random,
    &host_secret,
    &host_throttle,
    &host_tls_psk,
    &host_tls_x509,
    NULL,
};

static const char *host_object_kind_name(const void *table, size_t i)
{
    return host_object_kinds[i]->name;
}

const HostObjectKind *host_object_find_kind(const char *name, GError **err)
{
    GString *known = g_string_new(NULL);
    g_autofree char *list = NULL, *hint = NULL;

    for (size_t i = 0; host_object_kinds[i]; i++) {
        if (strcmp(host_object_kinds[i]->name, name) == 0) {
            g_string_free(known, TRUE);
            return host_object_kinds[i];
        }
        g_string_append_printf(known, "%s%s", i ? ", " : "", host_object_kinds[i]->name);
    }
    list = g_string_free(known, FALSE);
    hint = suggest_hint_of(name, host_object_kind_name, NULL, G_N_ELEMENTS(host_object_kinds) - 1);
    error_set(err, ERROR_USER, "object type '%s' is unknown%s; use one of %s", name, hint, list);
    return NULL;
}

/* --- the list --- */

static GPtrArray *host_object_list(const Machine *m)
{
    return m->objects;
}

HostObject *host_object_find(const Machine *m, const char *id)
{
    GPtrArray *list = host_object_list(m);

    for (guint i = 0; list && i < list->len; i++) {
        HostObject *o = list->pdata[i];

        if (strcmp(o->id, id) == 0) {
            return o;
        }
    }
    return NULL;
}

void host_object_foreach(const Machine *m, void (*fn)(void *opaque, HostObject *o), void *opaque)
{
    GPtrArray *list = host_object_list(m);

    for (guint i = 0; list && i < list->len; i++) {
        fn(opaque, list->pdata[i]);
    }
}

static void host_object_free(HostObject *o)
{
    o->kind->close(o);
    props_free(o->kind->props, o->kind->n_props, o);
    g_ptr_array_unref(o->users);
    g_free(o->id);
    g_free(o);
}

/* --- creation and deletion --- */

static const char *host_object_prop_name(const void *table, size_t i)
{
    return ((const PlanProp *)table)[i].name;
}

static bool host_object_settings_known(const HostObjectKind *kind, const PlanDevice *options,
                                       GError **err)
{
    for (guint i = 0; i < options->settings->len; i++) {
        const char *key = ((const PlanSetting *)options->settings->pdata[i])->name;

        if (!plan_find_prop(kind->props, kind->n_props, key)) {
            g_autofree char *hint =
                suggest_hint_of(key, host_object_prop_name, kind->props, kind->n_props);

            return error_set(err, ERROR_USER,
                             "%s has no property '%s'%s; -object %s,help lists them", kind->name,
                             key, hint, kind->name);
        }
    }
    return true;
}

static bool host_object_required_given(const HostObjectKind *kind, const PlanDevice *options,
                                       GError **err)
{
    for (size_t i = 0; i < kind->n_props; i++) {
        if ((kind->props[i].flags & PLAN_PROP_REQUIRED) &&
            !props_find_setting(options, kind->props[i].name)) {
            return error_set(err, ERROR_USER, "%s requires %s=", kind->name, kind->props[i].name);
        }
    }
    return true;
}

static HostObject *host_object_make(Machine *m, const HostObjectKind *kind,
                                    const PlanDevice *options, GError **err)
{
    HostObject *o;

    if (!host_object_settings_known(kind, options, err) ||
        !host_object_required_given(kind, options, err)) {
        return NULL;
    }
    o = g_malloc0(kind->size);
    o->kind = kind;
    o->machine = m;
    o->id = g_strdup(options->id);
    o->users = g_ptr_array_new_with_free_func(g_free);
    if (!props_store(kind->props, kind->n_props, o, options, err) || !kind->open(o, err)) {
        host_object_free(o);
        return NULL;
    }
    return o;
}

HostObject *host_object_new(Machine *m, const PlanDevice *options, GError **err)
{
    const HostObjectKind *kind = options->type ? host_object_find_kind(options->type, err) : NULL;
    HostObject *o;

    if (!options->type || (kind && !options->id)) {
        error_set(err, ERROR_USER, "an object requires qom-type and id");
        return NULL;
    }
    if (!kind) {
        return NULL;
    }
    if (host_object_find(m, options->id)) {
        error_set(err, ERROR_USER, "object '%s' exists already", options->id);
        return NULL;
    }
    o = host_object_make(m, kind, options, err);
    if (!o) {
        g_prefix_error(err, "object '%s': ", options->id);
        return NULL;
    }
    if (!m->objects) {
        m->objects = g_ptr_array_new();
    }
    g_ptr_array_add(m->objects, o);
    return o;
}

bool host_object_del(Machine *m, const char *id, GError **err)
{
    HostObject *o = host_object_find(m, id);
    g_autofree char *users = NULL;

    if (!o) {
        return error_set(err, ERROR_USER, "there is no object named '%s'", id);
    }
    if (o->users->len > 0) {
        g_ptr_array_add(o->users, NULL);
        users = g_strjoinv("', '", (char **)o->users->pdata);
        g_ptr_array_set_size(o->users, (gint)o->users->len - 1);
        return error_set(err, ERROR_USER, "object '%s' is in use by '%s'", id, users);
    }
    g_ptr_array_remove(m->objects, o);
    host_object_free(o);
    return true;
}

void host_object_free_all(Machine *m)
{
    GPtrArray *list = host_object_list(m);

    while (list && list->len > 0) {
        host_object_free(g_ptr_array_steal_index(list, list->len - 1));
    }
    if (list) {
        g_ptr_array_unref(list);
    }
    m->objects = NULL;
}

/* --- users --- */

void host_object_use(HostObject *o, const char *user)
{
    g_ptr_array_add(o->users, g_strdup(user));
}

void host_object_unuse(HostObject *o, const char *user)
{
    guint at;

    if (g_ptr_array_find_with_equal_func(o->users, user, g_str_equal, &at)) {
        g_ptr_array_remove_index(o->users, at);
    }
}

/* --- text --- */

char *host_object_prop_text(const HostObject *o, const char *name)
{
    const PlanProp *p = plan_find_prop(o->kind->props, o->kind->n_props, name);
    PlanValue v;

    if (!p) {
        return NULL;
    }
    v = prop_value(p, o);
    return plan_value_format(p, &v);
}

char *host_object_help(void)
{
    GString *out = g_string_new("List of user creatable objects:\n");

    for (size_t i = 0; host_object_kinds[i]; i++) {
        g_string_append_printf(out, "  %-22s %s\n", host_object_kinds[i]->name,
                               host_object_kinds[i]->doc);
    }
    return g_string_free(out, FALSE);
}

char *host_object_kind_help(const char *name, GError **err)
{
    const HostObjectKind *kind = host_object_find_kind(name, err);
    PlanType t = { 0 };

    if (!kind) {
        return NULL;
    }
    t.name = kind->name;
    t.doc = kind->doc;
    t.props = kind->props;
    t.n_props = kind->n_props;
    return plan_help_type(&t);
}

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
    &host_iothread,    &host_memory_file, &host_memory_memfd, &host_memory_ram_kind,
    &host_rng_builtin, &host_rng_random,  &host_secret,       NULL,
};

static const char *host_object_kind_name(const void *table, size_t i)
{
    return host_object_kinds[i]->name;
}

static const HostObjectKind *host_object_find_kind(const char *name, GError **err)
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
    error_set(err, ERROR_USER, "object type '%s' is unknown%s; accepted are %s", name, hint, list);
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

/* Return the options as settings of a description, so that the same rules for values apply. */
static PlanDevice *host_object_settings(const HostObjectKind *kind, struct json_object *options,
                                        GError **err)
{
    PlanDevice *d = plan_device_new(kind->name);

    json_object_object_foreach(options, key, value)
    {
        if (strcmp(key, "qom-type") == 0 || strcmp(key, "id") == 0) {
            continue;
        }
        if (!plan_find_prop(kind->props, kind->n_props, key)) {
            g_autofree char *hint =
                suggest_hint_of(key, host_object_prop_name, kind->props, kind->n_props);

            error_set(err, ERROR_USER, "%s has no property '%s'%s; -object %s,help lists them",
                      kind->name, key, hint, kind->name);
            plan_device_free(d);
            return NULL;
        }
        plan_device_set(d, key, json_object_get_string(value));
    }
    return d;
}

static bool host_object_required_given(const HostObjectKind *kind, struct json_object *options,
                                       GError **err)
{
    for (size_t i = 0; i < kind->n_props; i++) {
        if ((kind->props[i].flags & PLAN_PROP_REQUIRED) &&
            !json_object_object_get_ex(options, kind->props[i].name, NULL)) {
            return error_set(err, ERROR_USER, "%s requires %s=", kind->name, kind->props[i].name);
        }
    }
    return true;
}

static HostObject *host_object_make(Machine *m, const HostObjectKind *kind, const char *id,
                                    struct json_object *options, GError **err)
{
    g_autoptr(PlanDevice) settings = host_object_settings(kind, options, err);
    HostObject *o;

    if (!settings || !host_object_required_given(kind, options, err)) {
        return NULL;
    }
    o = g_malloc0(kind->size);
    o->kind = kind;
    o->machine = m;
    o->id = g_strdup(id);
    o->users = g_ptr_array_new_with_free_func(g_free);
    if (!props_store(kind->props, kind->n_props, o, settings, err) || !kind->open(o, err)) {
        host_object_free(o);
        return NULL;
    }
    return o;
}

static const char *host_object_json_text(struct json_object *options, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(options, key, &v) ? json_object_get_string(v) : NULL;
}

static const char *host_object_json_type(const PlanProp *p)
{
    bool number =
        p->kind == PLAN_PROP_SIZE || (p->kind >= PLAN_PROP_U8 && p->kind <= PLAN_PROP_I32);

    return p->kind == PLAN_PROP_BOOL ? "boolean" : number ? "int" : "string";
}

bool host_object_check_types(struct json_object *options, GError **err)
{
    const char *type = host_object_json_text(options, "qom-type");
    const HostObjectKind *kind = type ? host_object_find_kind(type, NULL) : NULL;

    json_object_object_foreach(options, key, value)
    {
        const PlanProp *p = kind ? plan_find_prop(kind->props, kind->n_props, key) : NULL;
        const char *got = json_type_to_name(json_object_get_type(value));

        if (p && strcmp(host_object_json_type(p), got) != 0) {
            return error_set(err, ERROR_USER,
                             "Invalid parameter type for '%s', expected: %s, got: %s", key,
                             host_object_json_type(p), got);
        }
    }
    return true;
}

HostObject *host_object_new(Machine *m, struct json_object *options, GError **err)
{
    const char *type = host_object_json_text(options, "qom-type"),
               *id = host_object_json_text(options, "id");
    const HostObjectKind *kind = type ? host_object_find_kind(type, err) : NULL;
    HostObject *o;

    if (!kind || !id) {
        if (!type || kind) {
            error_set(err, ERROR_USER, "an object requires qom-type and id");
        }
        return NULL;
    }
    if (host_object_find(m, id)) {
        error_set(err, ERROR_USER, "object '%s' exists already", id);
        return NULL;
    }
    o = host_object_make(m, kind, id, options, err);
    if (!o) {
        g_prefix_error(err, "object '%s': ", id);
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

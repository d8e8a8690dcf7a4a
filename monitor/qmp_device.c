/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_add, device_del, and the properties of device types.
 */
#include "internal.h"

#include <string.h>

static const char *arg_str(struct json_object *args, const char *key)
{
    return json_object_get_string(json_object_object_get(args, key));
}

static Device *add(Machine *m, PlanDevice *d, GError **err)
{
    if (!m->has_guest) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "device '%s' cannot be added: the machine 'none' has no buses", d->type);
        plan_device_free(d);
        return NULL;
    }
    return monitor_host(m)->device_add(m, d, err);
}

static struct json_object *device_add(Machine *m, struct json_object *args, GError **err)
{
    PlanDevice *d = plan_device_from_json_known(args, monitor_host(m)->catalog(m), err);

    if (d) {
        add(m, d, err);
    }
    return NULL;
}

static Device *find_user_device(Machine *m, const char *id, GError **err)
{
    Device *dev = *id == '/' ? device_find_path(m, id) : device_find_id(m, id);

    if (!dev) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    }
    return dev;
}

static struct json_object *device_del(Machine *m, struct json_object *args, GError **err)
{
    Device *dev = find_user_device(m, arg_str(args, "id"), err);

    if (dev) {
        monitor_host(m)->device_del(m, dev, err);
    }
    return NULL;
}

/* --- properties of types --- */

static const char *const prop_types[] = {
    [PLAN_PROP_BOOL] = "bool",       [PLAN_PROP_U8] = "uint8",       [PLAN_PROP_U16] = "uint16",
    [PLAN_PROP_U32] = "uint32",      [PLAN_PROP_U64] = "uint64",     [PLAN_PROP_I32] = "int32",
    [PLAN_PROP_SIZE] = "size",       [PLAN_PROP_STRING] = "str",     [PLAN_PROP_ENUM] = "enum",
    [PLAN_PROP_ONOFF] = "OnOffAuto", [PLAN_PROP_CAP] = "capability", [PLAN_PROP_MAC] = "str",
    [PLAN_PROP_BACKEND] = "str",
};

static struct json_object *describe_prop(const PlanProp *p)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(p->name));
    json_object_object_add(o, "type", json_object_new_string(prop_types[p->kind]));
    if (p->doc) {
        json_object_object_add(o, "description", json_object_new_string(p->doc));
    }
    if (p->kind == PLAN_PROP_BOOL) {
        json_object_object_add(o, "default-value", json_object_new_boolean(p->def != 0));
    } else if (p->kind <= PLAN_PROP_U64 || p->kind == PLAN_PROP_SIZE) {
        json_object_object_add(o, "default-value", json_object_new_uint64(p->def));
    }
    return o;
}

static struct json_object *list_props(Machine *m, struct json_object *args, GError **err)
{
    const char *name = arg_str(args, "typename");
    const PlanType *t = plan_find_type(monitor_host(m)->catalog(m), name);
    struct json_object *list;

    if (!t) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", name);
        return NULL;
    }
    list = json_object_new_array();
    for (size_t i = 0; i < t->n_props; i++) {
        json_object_array_add(list, describe_prop(&t->props[i]));
    }
    return list;
}

static const QmpCommand commands[] = {
    { "device_add", device_add },
    { "device_del", device_del },
    { "device-list-properties", list_props },
    { "qom-list-properties", list_props },
};

/* --- human monitor --- */

static bool device_help(Machine *m, const char *args, GString *out)
{
    const PlanCatalog *c = monitor_host(m)->catalog(m);
    g_auto(GStrv) words = g_strsplit(args, ",", 0);
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;
    const PlanType *t;

    if (!words[0] || strcmp(words[0], "help") == 0 || strcmp(words[0], "?") == 0) {
        text = plan_help_types(c);
        g_string_append(out, text);
        return true;
    }
    if (!g_strv_contains((const char *const *)words, "help") &&
        !g_strv_contains((const char *const *)words, "?")) {
        return false;
    }
    t = plan_expect_type(c, words[0], &err);
    if (t) {
        text = plan_help_type(t);
        g_string_append(out, text);
    } else {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
    return true;
}

static void hmp_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    PlanDevice *d;

    if (device_help(m, args, out)) {
        return;
    }
    d = plan_device_parse_known(args, monitor_host(m)->catalog(m), &err);
    if (!d || !add(m, d, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_del(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    Device *dev = find_user_device(m, args, &err);

    if (!dev || !monitor_host(m)->device_del(m, dev, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "device_add", "TYPE[,prop=value...]", "plug a device, like -device", hmp_add },
    { "device_del", "ID", "unplug a device", hmp_del },
};

const CommandTable device_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                    G_N_ELEMENTS(hmp_commands) };

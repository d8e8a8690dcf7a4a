/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_add and device_del.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

static Device *device_add_planned(Machine *m, PlanDevice *d, GError **err)
{
    if (!m->has_guest) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "device '%s' cannot be added: the machine 'none' has no buses", d->type);
        plan_device_free(d);
        return NULL;
    }
    return monitor_host(m)->device_add(m, d, err);
}

bool qmp_device_add(Machine *m, struct json_object *args, GError **err)
{
    PlanDevice *d = plan_device_from_json_known(args, monitor_host(m)->catalog(m), err);

    return d && device_add_planned(m, d, err);
}

static Device *device_find_named(Machine *m, const char *id, GError **err)
{
    Device *dev = *id == '/' ? device_find_path(m, id) : device_find_id(m, id);

    if (!dev) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    }
    return dev;
}

bool qmp_device_del(Machine *m, const QmpDeviceDelArgs *args, GError **err)
{
    Device *dev = device_find_named(m, args->id, err);

    return dev && monitor_host(m)->device_del(m, dev, err);
}

/* --- human monitor --- */

static bool hmp_device_help(Machine *m, const char *args, GString *out)
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

static void hmp_device_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    PlanDevice *d;

    if (hmp_device_help(m, args, out)) {
        return;
    }
    d = plan_device_parse_known(args, monitor_host(m)->catalog(m), &err);
    if (!d || !device_add_planned(m, d, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_device_del(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    Device *dev = device_find_named(m, args, &err);

    if (!dev || !monitor_host(m)->device_del(m, dev, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "device_add", "TYPE[,prop=value...]", NULL, hmp_device_add },
    { "device_del", "ID", NULL, hmp_device_del },
};

const HmpTable device_table = { LIST(hmp_commands) };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that describe networks: -netdev, -nic and the older -net.
 */
#include <string.h>

#include "net/net.h"
#include "options_internal.h"

#define DEFAULT_MODEL "virtio-net-pci"

/* Return the list of models for -nic and -net nic: the device types with a netdev property. */
static char *models_help(const PlanCatalog *c)
{
    GString *out = g_string_new("Supported NIC models:\n");

    for (size_t i = 0; i < c->n_types; i++) {
        const PlanType *t = c->types[i];

        if (t->user_creatable && plan_find_prop(t->props, t->n_props, "netdev")) {
            g_string_append_printf(out, "%s%s%s%s\n", t->name, t->alias ? " (" : "",
                                   t->alias ? t->alias : "", t->alias ? ")" : "");
        }
    }
    return g_string_free(out, FALSE);
}

static bool is_model(const PlanCatalog *c, const char *name)
{
    const PlanType *t = plan_find_type(c, name);

    return t && plan_find_prop(t->props, t->n_props, "netdev");
}

/* Replace *model by the default model if it is NULL or "virtio", a name in the documentation of
 * QEMU. */
static bool choose_model(Session *s, const char *option, char **model, GError **err)
{
    if (!*model || strcmp(*model, "virtio") == 0) {
        return option_set_string(model, DEFAULT_MODEL);
    }
    return is_model(s->catalog, *model) || error_set(err, ERROR_USER,
                                                     "-%s model=%s: there is no network device of "
                                                     "this name; -%s model=help lists the models",
                                                     option, *model, option);
}

bool opt_netdev(Session *s, const char *arg, GError **err)
{
    if (option_has_help(arg)) {
        return option_print(s, netdev_help());
    }
    return option_host_part(s, "netdev", arg, err);
}

/* Create the back end of -nic or -net. Consumes `o`, which contains the type. */
static bool add_backend(Session *s, struct json_object *o, const char *id, GError **err)
{
    PlanHostPart *part;

    json_object_object_add(o, "id", json_object_new_string(id));
    part = plan_host_part_parse("netdev", json_object_to_json_string(o), err);
    json_object_put(o);
    if (!part || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    return true;
}

/* Add the device of -nic or -net as a JSON object, in which values require no quoting. */
static bool add_nic_device(Session *s, const char *model, const char *netdev, const char *mac,
                           const char *addr, const char *id, GError **err)
{
    const struct {
        const char *key, *value;
    } pairs[] = {
        { "driver", model }, { "id", id }, { "netdev", netdev }, { "mac", mac }, { "addr", addr },
    };
    struct json_object *o = json_object_new_object();
    char *text;

    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        if (pairs[i].value) {
            json_object_object_add(o, pairs[i].key, json_object_new_string(pairs[i].value));
        }
    }
    text = g_strdup(json_object_to_json_string(o));
    json_object_put(o);
    return option_add_device(s, text, err);
}

/* Create the back end and the device of -nic BACKEND,model=TYPE,mac=...,... */
bool opt_nic(Session *s, const char *arg, GError **err)
{
    struct json_object *o;
    g_autofree char *model = NULL, *mac = NULL, *id = NULL, *addr = NULL;

    if (strcmp(arg, "none") == 0) {
        return true;
    }
    o = plan_options_parse(arg, "type", err);
    if (!o) {
        return false;
    }
    model = option_take_key(o, "model");
    mac = option_take_key(o, "mac");
    addr = option_take_key(o, "addr");
    id = option_take_key(o, "id");
    if ((model && option_wants_help(model)) || option_wants_help(arg)) {
        json_object_put(o);
        return option_print(s, models_help(s->catalog));
    }
    if (!choose_model(s, "nic", &model, err)) {
        json_object_put(o);
        return false;
    }
    if (!json_object_object_get_ex(o, "type", NULL)) {
        json_object_object_add(o, "type", json_object_new_string("user"));
    }
    id = id ? id : g_strdup_printf("nic%u", s->n_nics++);
    return add_backend(s, o, id, err) && add_nic_device(s, model, id, mac, addr, NULL, err);
}

/* --- -net: one network device and one back end, connected --- */

static bool second(const char *what, GError **err)
{
    return error_set(err, ERROR_USER,
                     "-net: only one %s is possible; use -netdev and -device, or -nic", what);
}

static bool net_nic(Session *s, struct json_object *o, GError **err)
{
    if (s->net_nic) {
        return second("nic", err);
    }
    s->net_nic = json_object_get(o);
    return true;
}

static bool net_backend(Session *s, struct json_object *o, GError **err)
{
    if (s->net_backend) {
        return second("back end", err);
    }
    s->net_backend = option_take_key(o, "id");
    s->net_backend = s->net_backend ? s->net_backend : g_strdup("net0");
    return add_backend(s, json_object_get(o), s->net_backend, err);
}

bool opt_net(Session *s, const char *arg, GError **err)
{
    struct json_object *o, *v;
    const char *type, *model;
    bool ok;

    if (strcmp(arg, "none") == 0) {
        return true;
    }
    o = plan_options_parse(arg, "type", err);
    if (!o) {
        return false;
    }
    type = json_object_object_get_ex(o, "type", &v) ? json_object_get_string(v) : "";
    model = json_object_object_get_ex(o, "model", &v) ? json_object_get_string(v) : "";
    if (option_wants_help(type) || option_wants_help(model)) {
        ok = option_print(s, option_wants_help(type) ? netdev_help() : models_help(s->catalog));
    } else {
        ok = strcmp(type, "nic") == 0 ? net_nic(s, o, err) : net_backend(s, o, err);
    }
    json_object_put(o);
    return ok;
}

bool options_net_finish(Session *s, GError **err)
{
    struct json_object *o = s->net_nic;
    g_autofree char *model = NULL, *mac = NULL, *netdev = NULL, *addr = NULL, *name = NULL,
                    *type = NULL;

    if (!o) {
        return true;
    }
    type = option_take_key(o, "type");
    model = option_take_key(o, "model");
    mac = option_take_key(o, "macaddr");
    netdev = option_take_key(o, "netdev");
    addr = option_take_key(o, "addr");
    name = option_take_key(o, "name");
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        return error_set(
            err, ERROR_USER,
            "-net nic: key '%s' is unknown; the keys are model, macaddr, netdev, addr and name",
            key);
    }
    return choose_model(s, "net nic", &model, err) &&
           add_nic_device(s, model, netdev ? netdev : s->net_backend, mac, addr, name, err);
}

void options_net_free(Session *s)
{
    g_clear_pointer(&s->net_nic, json_object_put);
    g_clear_pointer(&s->net_backend, g_free);
}

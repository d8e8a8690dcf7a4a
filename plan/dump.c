/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a description as JSON. The order of keys is fixed, so that a description that was read
 * and written again has the same text.
 */
#include "plan/internal.h"

static void dump_add(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add_ex(o, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

static void add_string(struct json_object *o, const char *key, const char *text)
{
    if (text) {
        dump_add(o, key, json_object_new_string(text));
    }
}

struct json_object *plan_value_to_json(const PlanProp *p, const PlanValue *v)
{
    g_autofree char *text = NULL;

    switch (p->kind) {
    case PLAN_PROP_BOOL:
        return json_object_new_boolean(v->b);
    case PLAN_PROP_I32:
        return json_object_new_int64(v->i);
    case PLAN_PROP_U8:
    case PLAN_PROP_U16:
    case PLAN_PROP_U32:
    case PLAN_PROP_U64:
    case PLAN_PROP_SIZE:
        return json_object_new_uint64(v->u);
    default:
        text = plan_value_format(p, v);
        return text ? json_object_new_string(text) : NULL;
    }
}

/* Return an object of the settings that belong to the host (@host) or to the guest; NULL if there
 * are none. */
static struct json_object *dump_settings(const GPtrArray *settings, const PlanProp *props, size_t n,
                                         bool host)
{
    struct json_object *o = NULL;

    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];
        const PlanProp *p = i < n && strcmp(props[i].name, s->name) == 0
                                ? &props[i]
                                : plan_find_prop(props, n, s->name);
        bool is_host = p && (p->flags & PLAN_PROP_HOST);

        if (is_host != host || (host && !s->given)) {
            continue;
        }
        o = o ? o : json_object_new_object();
        json_object_object_add(o, s->name,
                               p && s->resolved ? plan_value_to_json(p, &s->value)
                               : s->text        ? json_object_new_string(s->text)
                                                : NULL);
    }
    return o;
}

static const PlanType *type_of(const PlanDevice *d, const PlanCatalog *c)
{
    return d->t ? d->t : c ? plan_find_type(c, d->type) : NULL;
}

static struct json_object *dump_device_settings(const PlanDevice *d, const PlanCatalog *c,
                                                bool host)
{
    const PlanType *t = type_of(d, c);

    return dump_settings(d->settings, t ? t->props : NULL, t ? t->n_props : 0, host);
}

static struct json_object *dump_device(const PlanDevice *d, const PlanCatalog *c)
{
    struct json_object *o = json_object_new_object(), *settings;

    add_string(o, "type", d->type);
    add_string(o, "id", d->id);
    add_string(o, "bus", d->bus);
    if (d->has_addr) {
        g_autofree char *addr = plan_addr_format(&d->addr, d->full_addr);

        add_string(o, "addr", addr);
    }
    if (d->implicit) {
        dump_add(o, "implicit", json_object_new_boolean(true));
    }
    settings = dump_device_settings(d, c, false);
    if (settings) {
        dump_add(o, "properties", settings);
    }
    return o;
}

/* Return the host parts that the devices of the guest require, by type and id, each once. */
static struct json_object *dump_wanted(const PlanMachine *m)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        for (guint j = 0; d->t && j < d->settings->len && j < d->t->n_props; j++) {
            const PlanSetting *s = d->settings->pdata[j];
            const PlanProp *p = &d->t->props[j];
            struct json_object *part;

            if (p->kind != PLAN_PROP_BACKEND || !s->resolved || !s->value.s ||
                !g_hash_table_add(seen, g_strdup_printf("%s/%s", p->backend, s->value.s))) {
                continue;
            }
            part = json_object_new_object();
            add_string(part, "kind", p->backend);
            add_string(part, "id", s->value.s);
            json_object_array_add(list, part);
        }
    }
    return list;
}

static struct json_object *dump_globals(const PlanMachine *m, const PlanCatalog *c, bool host)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < m->globals->len; i++) {
        const PlanGlobal *g = m->globals->pdata[i];
        struct json_object *o;

        if (plan_global_is_host(g, c) != host) {
            continue;
        }
        o = json_object_new_object();
        add_string(o, "type", g->type);
        add_string(o, "property", g->prop);
        add_string(o, "value", g->value);
        json_object_array_add(list, o);
    }
    return list;
}

static void add_list(struct json_object *o, const char *key, struct json_object *list)
{
    if (json_object_array_length(list)) {
        dump_add(o, key, list);
    } else {
        json_object_put(list);
    }
}

static struct json_object *machine_settings(const PlanMachine *m, const PlanCatalog *c, bool host)
{
    const PlanMachineType *t = m->type && c ? plan_find_machine(c, m->type) : NULL;

    return dump_settings(m->settings, t ? t->props : NULL, t ? t->n_props : 0, host);
}

static struct json_object *dump_guest(const PlanMachine *m, const PlanCatalog *c)
{
    struct json_object *o = json_object_new_object(), *settings, *list;

    add_string(o, "machine", m->type);
    add_string(o, "name", m->name);
    add_string(o, "uuid", m->uuid);
    add_string(o, "rtc", m->rtc);
    settings = machine_settings(m, c, false);
    if (settings) {
        dump_add(o, "properties", settings);
    }
    add_string(o, "cpu", m->cpu);
    if (m->cpus) {
        dump_add(o, "cpus", json_object_new_uint64(m->cpus));
    }
    if (m->ram_size) {
        dump_add(o, "ram", json_object_new_uint64(m->ram_size));
    }
    add_list(o, "globals", dump_globals(m, c, false));
    list = json_object_new_array_ext((int)MAX(m->devices->len, 1));
    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        if (!d->on || !d->on->orphan) { /* unplugged together with its bridge */
            json_object_array_add(list, dump_device(d, c));
        }
    }
    add_list(o, "devices", list);
    add_list(o, "parts", dump_wanted(m));
    return o;
}

static struct json_object *dump_serials(const PlanMachine *m)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < m->serials->len; i++) {
        json_object_array_add(list, json_object_new_string(m->serials->pdata[i]));
    }
    return list;
}

static struct json_object *dump_host(const PlanMachine *m, const PlanCatalog *c)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array(), *settings;

    settings = machine_settings(m, c, true);
    if (settings) {
        dump_add(o, "properties", settings);
    }
    add_list(o, "globals", dump_globals(m, c, true));
    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];
        struct json_object *entry;

        settings = dump_device_settings(d, c, true);
        if (settings) {
            entry = json_object_new_object();
            add_string(entry, "device", plan_device_name(d));
            dump_add(entry, "properties", settings);
            json_object_array_add(list, entry);
        }
    }
    add_list(o, "devices", list);
    list = json_object_new_array();
    for (guint i = 0; i < m->host->len; i++) {
        const PlanHostPart *part = m->host->pdata[i];
        struct json_object *entry = json_object_new_object();

        add_string(entry, "kind", part->kind);
        add_string(entry, "id", part->id);
        dump_add(entry, "options", json_object_get(part->options));
        json_object_array_add(list, entry);
    }
    add_list(o, "parts", list);
    settings = plan_boot_paths_to_json(m);
    if (settings) {
        dump_add(o, "boot", settings);
    }
    if (m->serials) {
        dump_add(o, "serials", dump_serials(m));
    }
    return o;
}

/* Return the devices whose addresses were chosen by the planner. */
static struct json_object *dump_planning(const PlanMachine *m)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();

    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        if (d->dynamic) {
            json_object_array_add(list, json_object_new_string(plan_device_name(d)));
        }
    }
    dump_add(o, "dynamic", list);
    return o;
}

struct json_object *plan_to_json(const PlanMachine *m, const PlanCatalog *c, bool guest_only)
{
    struct json_object *o = json_object_new_object(), *host;

    dump_add(o, "backplane-machine", json_object_new_int(PLAN_FORMAT));
    dump_add(o, "guest", dump_guest(m, c));
    if (m->has_boot) {
        dump_add(o, "boot", plan_boot_to_json(m));
    }
    if (!guest_only) {
        host = dump_host(m, c);
        if (json_object_object_length(host)) {
            dump_add(o, "host", host);
        } else {
            json_object_put(host);
        }
        if (m->planning) {
            dump_add(o, "planning", dump_planning(m));
        }
    }
    return o;
}

char *plan_to_text(const PlanMachine *m, const PlanCatalog *c, bool guest_only)
{
    struct json_object *o = plan_to_json(m, c, guest_only);
    char *text = g_strconcat(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                                   JSON_C_TO_STRING_SPACED |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE),
                             "\n", NULL);

    json_object_put(o);
    return text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a description as JSON. The order of keys is fixed, so that a description that was read
 * and written again has the same text.
 */
#include <json-c/printbuf.h>

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

static bool dump_is_host(const PlanProp *p)
{
    return p && (p->flags & PLAN_PROP_HOST);
}

/* Return the property of setting @i, which usually has the same position. */
static const PlanProp *dump_prop(const PlanSetting *s, const PlanProp *props, size_t n, guint i)
{
    return i < n && strcmp(props[i].name, s->name) == 0 ? &props[i]
                                                        : plan_find_prop(props, n, s->name);
}

/* Return an object of the settings that belong to the host (@host) or to the guest; NULL if there
 * are none. */
static struct json_object *dump_settings(const GPtrArray *settings, const PlanProp *props, size_t n,
                                         bool host)
{
    struct json_object *o = NULL;

    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];
        const PlanProp *p = dump_prop(s, props, n, i);

        if (dump_is_host(p) != host || (host && !s->given)) {
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

/* --- the properties of a device as text --- */

/* A device has many properties. An object for each of them would take most of the time of writing:
 * one value with this serializer stands for all. */
typedef struct DumpText {
    const GPtrArray *settings;
    const PlanProp *props;
    size_t n;
} DumpText;

static void dump_text_string(struct printbuf *out, const char *text, int flags)
{
    const char *c = text;

    while ((unsigned char)*c >= 0x20 && *c != '"' && *c != '\\') {
        c++;
    }
    if (*c) { /* to be escaped */
        struct json_object *o = json_object_new_string(text);
        const char *quoted = json_object_to_json_string_ext(o, flags);

        printbuf_memappend(out, quoted, (int)strlen(quoted));
        json_object_put(o);
        return;
    }
    printbuf_memappend(out, "\"", 1);
    printbuf_memappend(out, text, (int)(c - text));
    printbuf_memappend(out, "\"", 1);
}

static void dump_text_value(struct printbuf *out, const PlanSetting *s, const PlanProp *p,
                            int flags)
{
    g_autofree char *text = NULL;
    char number[32];
    int len;

    if (p && s->resolved && p->kind == PLAN_PROP_BOOL) {
        len = g_snprintf(number, sizeof(number), s->value.b ? "true" : "false");
    } else if (p && s->resolved && p->kind == PLAN_PROP_I32) {
        len = g_snprintf(number, sizeof(number), "%" PRId64, s->value.i);
    } else if (p && s->resolved && (p->kind <= PLAN_PROP_U64 || p->kind == PLAN_PROP_SIZE)) {
        len = g_snprintf(number, sizeof(number), "%" PRIu64, s->value.u);
    } else {
        text = p && s->resolved ? plan_value_format(p, &s->value) : g_strdup(s->text);
        if (text) {
            dump_text_string(out, text, flags);
            return;
        }
        len = g_snprintf(number, sizeof(number), "null");
    }
    printbuf_memappend(out, number, len);
}

static int dump_text_settings(struct json_object *o, struct printbuf *out, int level, int flags)
{
    const DumpText *t = json_object_get_userdata(o);
    bool any = false;

    printbuf_memappend(out, "{", 1);
    for (guint i = 0; i < t->settings->len; i++) {
        const PlanSetting *s = t->settings->pdata[i];
        const PlanProp *p = dump_prop(s, t->props, t->n, i);

        if (dump_is_host(p)) {
            continue;
        }
        printbuf_memappend(out, any ? ",\n" : "\n", any ? 2 : 1);
        printbuf_memset(out, -1, ' ', 2 * (level + 1));
        dump_text_string(out, s->name, flags);
        printbuf_memappend(out, ": ", 2);
        dump_text_value(out, s, p, flags);
        any = true;
    }
    printbuf_memappend(out, "\n", 1);
    printbuf_memset(out, -1, ' ', 2 * level);
    return printbuf_memappend(out, "}", 1);
}

static void dump_text_free(struct json_object *o, void *text)
{
    g_free(text);
}

/* Return a value that is written like the result of dump_settings() for the guest. */
static struct json_object *dump_settings_text(const PlanDevice *d, const PlanCatalog *c)
{
    const PlanType *t = type_of(d, c);
    DumpText text = { d->settings, t ? t->props : NULL, t ? t->n_props : 0 };
    struct json_object *o = NULL;

    for (guint i = 0; !o && i < d->settings->len; i++) {
        if (!dump_is_host(dump_prop(d->settings->pdata[i], text.props, text.n, i))) {
            DumpText *copy = g_new(DumpText, 1);

            *copy = text;
            o = json_object_new_boolean(true);
            json_object_set_serializer(o, dump_text_settings, copy, dump_text_free);
        }
    }
    return o;
}

static struct json_object *dump_device(const PlanDevice *d, const PlanCatalog *c, bool text)
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
    settings = text ? dump_settings_text(d, c) : dump_device_settings(d, c, false);
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

static struct json_object *dump_guest(const PlanMachine *m, const PlanCatalog *c, bool text)
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
    add_list(o, "nodes", plan_nodes_to_json(m));
    add_list(o, "globals", dump_globals(m, c, false));
    list = json_object_new_array_ext((int)MAX(m->devices->len, 1));
    for (guint i = 0; i < m->devices->len; i++) {
        const PlanDevice *d = m->devices->pdata[i];

        if (!d->on || !d->on->orphan) { /* unplugged together with its bridge */
            json_object_array_add(list, dump_device(d, c, text));
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
    add_list(o, "node-memory", plan_node_memory_to_json(m));
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

/* Return the state of planning: what a program needs to continue. */
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
    dump_add(o, "complete", json_object_new_boolean(m->complete));
    add_string(o, "catalog", m->catalog);
    add_string(o, "policy", m->policy);
    return o;
}

/* @text: the result is only written as text, with the flags of plan_to_text(). */
static struct json_object *dump_machine(const PlanMachine *m, const PlanCatalog *c, bool guest_only,
                                        bool text)
{
    struct json_object *o = json_object_new_object(), *host;

    dump_add(o, "backplane-machine", json_object_new_int(PLAN_FORMAT));
    dump_add(o, "guest", dump_guest(m, c, text));
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

struct json_object *plan_to_json(const PlanMachine *m, const PlanCatalog *c, bool guest_only)
{
    return dump_machine(m, c, guest_only, false);
}

char *plan_to_text(const PlanMachine *m, const PlanCatalog *c, bool guest_only)
{
    struct json_object *o = dump_machine(m, c, guest_only, true);
    char *text = g_strconcat(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                                   JSON_C_TO_STRING_SPACED |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE),
                             "\n", NULL);

    json_object_put(o);
    return text;
}

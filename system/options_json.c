/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option table for programs: all options, types, keys and values.
 *
 * [{"name", "arg", "help", "compat", "only", "keys": [KEY], "common": [KEY],
 *   "kinds": [{"name", "keys": [KEY]}]}]
 * where KEY is {"name", "kind", "values", "min", "max", "doc"}; keys without a
 * type have only "name".
 */
#include <string.h>

#include "block/block.h"
#include "chardev/chardev.h"
#include "hw/core/cpu.h"
#include "hw/core/host_object.h"
#include "net/net.h"
#include "options_internal.h"
#include "util/log.h"
#include "util/trace.h"

static void options_json_put(struct json_object *o, const char *key, const char *value)
{
    if (value) {
        json_object_object_add(o, key, json_object_new_string(value));
    }
}

static struct json_object *options_json_named(struct json_object *list, const char *name)
{
    struct json_object *o = json_object_new_object();

    options_json_put(o, "name", name);
    json_object_array_add(list, o);
    return o;
}

/* --- keys --- */

static const char *options_json_kind(PlanPropKind kind)
{
    static const char *const names[] = {
        [PLAN_PROP_BOOL] = "bool",       [PLAN_PROP_U8] = "number",      [PLAN_PROP_U16] = "number",
        [PLAN_PROP_U32] = "number",      [PLAN_PROP_U64] = "number",     [PLAN_PROP_I32] = "number",
        [PLAN_PROP_SIZE] = "size",       [PLAN_PROP_STRING] = "string",  [PLAN_PROP_ENUM] = "enum",
        [PLAN_PROP_ONOFF] = "onoffauto", [PLAN_PROP_CAP] = "capability", [PLAN_PROP_MAC] = "mac",
        [PLAN_PROP_BACKEND] = "backend",
    };

    return names[kind];
}

static void add_key(struct json_object *list, const PlanProp *p)
{
    struct json_object *o = options_json_named(list, p->name), *values;

    options_json_put(o, "kind", options_json_kind(p->kind));
    options_json_put(o, "doc", p->doc);
    options_json_put(o, "backend", p->backend);
    if (p->flags & PLAN_PROP_FIXED) {
        options_json_put(o, "fixed", p->def ? "on" : "off");
    }
    if (p->flags & PLAN_PROP_REQUIRED) {
        json_object_object_add(o, "required", json_object_new_boolean(true));
    }
    if (p->max) {
        json_object_object_add(o, "min", json_object_new_int64((int64_t)p->min));
        json_object_object_add(o, "max", json_object_new_uint64(p->max));
    }
    if (p->choices) {
        values = json_object_new_array();
        for (size_t i = 0; p->choices[i]; i++) {
            json_object_array_add(values, json_object_new_string(p->choices[i]));
        }
        json_object_object_add(o, "values", values);
    }
}

static void add_props(struct json_object *o, const PlanProp *props, size_t n)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++) {
        add_key(list, &props[i]);
    }
    json_object_object_add(o, "keys", list);
}

static void add_names(struct json_object *o, const char *member, const char *const *keys)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; keys && keys[i]; i++) {
        options_json_named(list, keys[i]);
    }
    json_object_object_add(o, member, list);
}

/* --- kinds --- */

static void add_machines(struct json_object *list, const Session *s)
{
    for (size_t i = 0; i < s->catalog->n_machines; i++) {
        const PlanMachineType *t = s->catalog->machines[i];

        add_props(options_json_named(list, t->name), t->props, t->n_props);
    }
}

static void add_devices(struct json_object *list, const Session *s)
{
    for (size_t i = 0; i < s->catalog->n_types; i++) {
        const PlanType *t = s->catalog->types[i];

        if (t->user_creatable) {
            add_props(options_json_named(list, t->name), t->props, t->n_props);
        }
    }
}

static void options_json_cpus(struct json_object *list)
{
    for (const CpuType *const *t = cpu_types; *t; t++) {
        add_props(options_json_named(list, (*t)->name), (*t)->props, (*t)->n_props);
    }
}

static void add_objects(struct json_object *list)
{
    for (size_t i = 0; host_object_kinds[i]; i++) {
        add_props(options_json_named(list, host_object_kinds[i]->name), host_object_kinds[i]->props,
                  host_object_kinds[i]->n_props);
    }
}

typedef bool KindFn(size_t i, const char **name, const char *const **keys);

static void add_kinds(struct json_object *list, KindFn *fn)
{
    const char *name;
    const char *const *keys;

    for (size_t i = 0; fn(i, &name, &keys); i++) {
        add_names(options_json_named(list, name), "keys", keys);
    }
}

/* Return the keys that all types of an option accept, and the keys that are stored as other
 * options. */
static const char *const *common_keys(OptionKinds kinds)
{
    static const char *const machine[] = {
        "type", "accel", "firmware", "kernel",          "initrd",    "append",     "dtb",
        "usb",  "acpi",  "graphics", "dump-guest-core", "mem-merge", "pci-policy", NULL,
    };
    static const char *const chardev[] = { "id", "logfile", "logappend", "mux", NULL };
    static const char *const device[] = { "id", "bus", "addr", NULL };
    static const char *const id[] = { "id", NULL };
    static const char *const nic[] = { "model", "mac", "addr", "id", NULL };
    static const char *const net[] = { "model", "macaddr", "addr", "name", "netdev", NULL };

    switch (kinds) {
    case KINDS_MACHINE:
        return machine;
    case KINDS_CHARDEV:
        return chardev;
    case KINDS_DEVICE:
        return device;
    case KINDS_NETDEV:
    case KINDS_OBJECT:
        return id;
    case KINDS_NIC:
        return nic;
    case KINDS_NET:
        return net;
    default:
        return NULL;
    }
}

static void add_items(struct json_object *list, OptionKinds kinds)
{
    const char *name;

    for (size_t i = 0; kinds == KINDS_LOG && log_item(i, &name); i++) {
        options_json_named(list, name);
    }
    for (size_t i = 0; kinds == KINDS_TRACE && i < TRACE_EVENTS; i++) {
        options_json_named(list, trace_name((TraceEvent)i));
    }
    for (size_t i = 0; kinds == KINDS_SHOW && show_name(i, &name); i++) {
        options_json_named(list, name);
    }
}

static struct json_object *kinds_json(const Session *s, OptionKinds kinds)
{
    struct json_object *list = json_object_new_array();

    switch (kinds) {
    case KINDS_MACHINE:
        add_machines(list, s);
        break;
    case KINDS_CPU:
        options_json_cpus(list);
        break;
    case KINDS_DEVICE:
        add_devices(list, s);
        break;
    case KINDS_OBJECT:
        add_objects(list);
        break;
    case KINDS_CHARDEV:
        add_kinds(list, chardev_kind);
        break;
    case KINDS_NETDEV:
        add_kinds(list, netdev_kind);
        break;
    case KINDS_BLOCKDEV:
        add_kinds(list, block_driver_keys);
        break;
    case KINDS_DRIVE:
        add_names(options_json_named(list, "drive"), "keys", block_drive_keys());
        break;
    default:
        add_items(list, kinds);
        break;
    }
    return list;
}

struct json_object *options_json(const Session *s)
{
    struct json_object *list = json_object_new_array();
    size_t n;
    const Option *table = option_table(&n);

    for (size_t i = 0; i < n; i++) {
        const Option *o = &table[i];
        struct json_object *row = options_json_named(list, o->name);

        options_json_put(row, "arg", o->arg);
        options_json_put(row, "help", o->help);
        options_json_put(row, "only", o->only);
        json_object_object_add(row, "compat", json_object_new_boolean(o->compat));
        if (o->keys) {
            add_props(row, o->keys, option_n_keys(o));
        }
        if (o->kinds != KINDS_NONE) {
            json_object_object_add(row, "kinds", kinds_json(s, o->kinds));
            add_names(row, "common", common_keys(o->kinds));
        }
    }
    return list;
}

/* --- query-command-line-options --- */

/* Return the name of the option in QEMU's QMP. */
static const char *options_qmp_name(const Option *o)
{
    static const char *const names[][2] = {
        { "boot", "boot-opts" },
        { "m", "memory" },
        { "smp", "smp-opts" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i][0], o->name) == 0) {
            return names[i][1];
        }
    }
    return o->name;
}

static const char *options_qmp_type(const char *kind)
{
    static const char *const types[][2] = {
        { "bool", "boolean" },
        { "number", "number" },
        { "size", "size" },
    };

    for (size_t i = 0; kind && i < G_N_ELEMENTS(types); i++) {
        if (strcmp(types[i][0], kind) == 0) {
            return types[i][1];
        }
    }
    return "string";
}

/* Append the rows of @keys, which add_key() has written, that @seen does not contain yet. */
static void options_qmp_add_keys(struct json_object *list, GHashTable *seen,
                                 struct json_object *keys)
{
    for (size_t i = 0; keys && i < json_object_array_length(keys); i++) {
        struct json_object *key = json_object_array_get_idx(keys, i), *o;
        const char *name = json_object_get_string(json_object_object_get(key, "name"));

        if (!g_hash_table_add(seen, g_strdup(name))) {
            continue;
        }
        o = options_json_named(list, name);
        options_json_put(
            o, "type",
            options_qmp_type(json_object_get_string(json_object_object_get(key, "kind"))));
        options_json_put(o, "help", json_object_get_string(json_object_object_get(key, "doc")));
    }
}

/* Return the keys of an option: its own, those of all types, and those of each type of back end. */
static struct json_object *options_qmp_parameters(const Session *s, const Option *o)
{
    struct json_object *list = json_object_new_array(), *row = json_object_new_object(), *kinds;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    add_props(row, o->keys, option_n_keys(o));
    add_names(row, "common", common_keys(o->kinds));
    options_qmp_add_keys(list, seen, json_object_object_get(row, "keys"));
    options_qmp_add_keys(list, seen, json_object_object_get(row, "common"));
    json_object_put(row);
    if (o->kinds == KINDS_DEVICE || o->kinds == KINDS_CPU || o->kinds == KINDS_OBJECT) {
        return list;
    }
    kinds = kinds_json(s, o->kinds);
    for (size_t i = 0; i < json_object_array_length(kinds); i++) {
        options_qmp_add_keys(list, seen,
                             json_object_object_get(json_object_array_get_idx(kinds, i), "keys"));
    }
    json_object_put(kinds);
    return list;
}

struct json_object *options_qmp(const Session *s, const char *option, GError **err)
{
    struct json_object *list = json_object_new_array();
    size_t n;
    const Option *table = option_table(&n);

    for (size_t i = 0; i < n; i++) {
        const char *name = options_qmp_name(&table[i]);
        struct json_object *o;

        if (option && strcmp(option, name) != 0) {
            continue;
        }
        o = json_object_new_object();
        options_json_put(o, "option", name);
        json_object_object_add(o, "parameters", options_qmp_parameters(s, &table[i]));
        json_object_array_add(list, o);
    }
    if (json_object_array_length(list) == 0) {
        json_object_put(list);
        error_set(err, ERROR_USER,
                  "option '%s' does not exist; query-command-line-options without an argument "
                  "returns all options",
                  option);
        return NULL;
    }
    return list;
}

void options_keys_markdown(GString *out)
{
    size_t n;
    const Option *table = option_table(&n);

    g_string_append(out, "\n## Keys of options\n\nThe properties of types and back ends are listed "
                         "by `-device TYPE,help`, `-object TYPE,help`, `-machine TYPE,help`, `-cpu "
                         "TYPE,help`, `-netdev help` and `-chardev help`.\n");
    for (size_t i = 0; i < n; i++) {
        g_autofree char *text = table[i].keys ? option_keys_help(&table[i]) : NULL;
        g_auto(GStrv) lines = text ? g_strsplit(g_strchomp(text), "\n", -1) : NULL;

        for (size_t j = 0; lines && lines[j]; j++) {
            g_string_append_printf(out, "%s    %s\n", j ? "" : "\n", lines[j]);
        }
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-qmp-schema, generated from the command tables: entries of commands, of their argument
 * objects, of events and of the built-in types these refer to.
 */
#include "internal.h"

#include <string.h>

static const struct {
    const char *name, *json_type;
} builtins[] = {
    { "str", "string" },   { "int", "int" },   { "number", "number" },
    { "bool", "boolean" }, { "any", "value" }, { "null", "null" },
};

static const char *const arg_type_names[] = {
    [QMP_STR] = "str",   [QMP_INT] = "int",    [QMP_SIZE] = "int",    [QMP_NUMBER] = "number",
    [QMP_BOOL] = "bool", [QMP_OBJECT] = "any", [QMP_ARRAY] = "[any]", [QMP_ANY] = "any",
};

static const char *const events[] = {
    "DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "RESET", "RESUME", "SHUTDOWN", "STOP",
};

static struct json_object *entry(struct json_object *list, const char *name, const char *meta)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(name));
    json_object_object_add(o, "meta-type", json_object_new_string(meta));
    json_object_array_add(list, o);
    return o;
}

static void put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *object_type(struct json_object *list, const char *name)
{
    struct json_object *o = entry(list, name, "object"), *members = json_object_new_array();

    json_object_object_add(o, "members", members);
    return members;
}

static void add_arguments(struct json_object *list, const char *name, const QmpCommand *c)
{
    struct json_object *members = object_type(list, name);

    for (size_t i = 0; i < c->n_args; i++) {
        struct json_object *m = json_object_new_object();

        put(m, "name", c->args[i].name);
        put(m, "type", arg_type_names[c->args[i].type]);
        if (c->args[i].optional) {
            json_object_object_add(m, "default", NULL); /* null marks an optional member */
        }
        json_object_array_add(members, m);
    }
}

static const char *return_type(const QmpCommand *c)
{
    if (!c->returns || strcmp(c->returns, "null") == 0) {
        return "empty";
    }
    if (strcmp(c->returns, "array") == 0) {
        return "[any]";
    }
    return strcmp(c->returns, "str") == 0 ? "str" : "any";
}

static void add_command(struct json_object *list, const QmpCommand *c)
{
    struct json_object *o = entry(list, c->name, "command");
    g_autofree char *args = g_strdup_printf("%s-arg", c->name);

    put(o, "arg-type", c->n_args ? args : "empty");
    put(o, "ret-type", return_type(c));
    if (c->flags & QMP_OOB) {
        json_object_object_add(o, "allow-oob", json_object_new_boolean(true));
    }
    if (c->n_args) {
        add_arguments(list, args, c);
    }
}

struct json_object *qmp_schema(void)
{
    struct json_object *list = json_object_new_array();

    for (const CommandTable *const *t = command_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_qmp; i++) {
            add_command(list, &(*t)->qmp[i]);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
        put(entry(list, events[i], "event"), "arg-type", "empty");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(builtins); i++) {
        put(entry(list, builtins[i].name, "builtin"), "json-type", builtins[i].json_type);
    }
    object_type(list, "empty");
    put(entry(list, "[any]", "array"), "element-type", "any");
    return list;
}

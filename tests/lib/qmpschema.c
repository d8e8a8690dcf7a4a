/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check QMP responses and events against the result of query-qmp-schema (contract in qmpschema.h).
 * The check does not use the code of monitor/. It uses only data that a client receives.
 */
#include "qmpschema.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

struct QmpSchema {
    struct json_object *entries;
    GHashTable *commands, *events, *types; /* name -> entry */
};

static const char *schema_text(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

QmpSchema *qmpschema_new(struct json_object *entries)
{
    QmpSchema *s = g_new0(QmpSchema, 1);

    s->entries = json_object_get(entries);
    s->commands = g_hash_table_new(g_str_hash, g_str_equal);
    s->events = g_hash_table_new(g_str_hash, g_str_equal);
    s->types = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        struct json_object *e = json_object_array_get_idx(entries, i);
        const char *meta = schema_text(e, "meta-type");
        GHashTable *table = strcmp(meta, "command") == 0 ? s->commands
                            : strcmp(meta, "event") == 0 ? s->events
                                                         : s->types;

        g_hash_table_insert(table, (char *)schema_text(e, "name"), e);
    }
    return s;
}

static char *value_problem(QmpSchema *s, const char *type, struct json_object *value,
                           const char *path);

static bool builtin_matches(const char *kind, struct json_object *value)
{
    static const struct {
        const char *kind;
        enum json_type type;
    } types[] = {
        { "string", json_type_string },   { "int", json_type_int },
        { "boolean", json_type_boolean }, { "object", json_type_object },
        { "array", json_type_array },     { "null", json_type_null },
        { "number", json_type_double },   { "number", json_type_int },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(types[i].kind, kind) == 0 && json_object_is_type(value, types[i].type)) {
            return true;
        }
    }
    return strcmp(kind, "value") == 0;
}

static char *enum_problem(struct json_object *entry, struct json_object *value, const char *path)
{
    struct json_object *values = json_object_object_get(entry, "values");

    for (size_t i = 0; i < json_object_array_length(values); i++) {
        if (json_object_is_type(value, json_type_string) &&
            strcmp(json_object_get_string(json_object_array_get_idx(values, i)),
                   json_object_get_string(value)) == 0) {
            return NULL;
        }
    }
    return g_strdup_printf("%s is %s, which is not in %s", path, json_object_to_json_string(value),
                           schema_text(entry, "name"));
}

static char *array_problem(QmpSchema *s, struct json_object *entry, struct json_object *value,
                           const char *path)
{
    char *problem = NULL;

    if (!json_object_is_type(value, json_type_array)) {
        return g_strdup_printf("%s is not an array", path);
    }
    for (size_t i = 0; i < json_object_array_length(value) && !problem; i++) {
        g_autofree char *inner = g_strdup_printf("%s[%zu]", path, i);

        problem = value_problem(s, schema_text(entry, "element-type"),
                                json_object_array_get_idx(value, i), inner);
    }
    return problem;
}

static char *alternate_problem(QmpSchema *s, struct json_object *entry, struct json_object *value,
                               const char *path)
{
    struct json_object *members = json_object_object_get(entry, "members");

    for (size_t i = 0; i < json_object_array_length(members); i++) {
        g_autofree char *problem = value_problem(
            s, schema_text(json_object_array_get_idx(members, i), "type"), value, path);

        if (!problem) {
            return NULL;
        }
    }
    return g_strdup_printf("%s is not of type %s", path, schema_text(entry, "name"));
}

/* Check the members of a type, and remove their keys from @left. */
static char *members_problem(QmpSchema *s, struct json_object *entry, struct json_object *value,
                             const char *path, GHashTable *left)
{
    struct json_object *members = json_object_object_get(entry, "members");
    char *problem = NULL;

    for (size_t i = 0; i < json_object_array_length(members) && !problem; i++) {
        struct json_object *m = json_object_array_get_idx(members, i), *v;
        const char *name = schema_text(m, "name");
        g_autofree char *inner = g_strdup_printf("%s.%s", path, name);

        if (json_object_object_get_ex(value, name, &v)) {
            g_hash_table_remove(left, name);
            problem = value_problem(s, schema_text(m, "type"), v, inner);
        } else if (!json_object_object_get_ex(m, "default", NULL)) {
            problem = g_strdup_printf("%s is missing", inner);
        }
    }
    return problem;
}

static struct json_object *variant_of(QmpSchema *s, struct json_object *entry,
                                      struct json_object *value)
{
    const char *tag = schema_text(entry, "tag"), *text = tag ? schema_text(value, tag) : NULL;
    struct json_object *variants = json_object_object_get(entry, "variants");

    for (size_t i = 0; text && i < json_object_array_length(variants); i++) {
        struct json_object *v = json_object_array_get_idx(variants, i);

        if (strcmp(schema_text(v, "case"), text) == 0) {
            return g_hash_table_lookup(s->types, schema_text(v, "type"));
        }
    }
    return NULL;
}

static char *object_problem(QmpSchema *s, struct json_object *entry, struct json_object *value,
                            const char *path)
{
    g_autoptr(GHashTable) left = g_hash_table_new(g_str_hash, g_str_equal);
    struct json_object *variant;
    GHashTableIter iter;
    gpointer key;
    char *problem;

    if (!json_object_is_type(value, json_type_object)) {
        return g_strdup_printf("%s is not an object", path);
    }
    json_object_object_foreach(value, name, v)
    {
        (void)v;
        g_hash_table_add(left, name);
    }
    problem = members_problem(s, entry, value, path, left);
    variant = problem ? NULL : variant_of(s, entry, value);
    if (variant) {
        problem = members_problem(s, variant, value, path, left);
    }
    g_hash_table_iter_init(&iter, left);
    if (!problem && g_hash_table_iter_next(&iter, &key, NULL)) {
        problem = g_strdup_printf("%s.%s is not a member of %s", path, (char *)key,
                                  schema_text(entry, "name"));
    }
    return problem;
}

static char *value_problem(QmpSchema *s, const char *type, struct json_object *value,
                           const char *path)
{
    struct json_object *entry = g_hash_table_lookup(s->types, type);
    const char *meta = entry ? schema_text(entry, "meta-type") : "";

    if (!entry) {
        return g_strdup_printf("%s: type %s is not in the schema", path, type);
    }
    if (strcmp(meta, "builtin") == 0) {
        const char *kind = schema_text(entry, "json-type");

        return builtin_matches(kind, value)
                   ? NULL
                   : g_strdup_printf("%s is %s, expected: %s", path,
                                     json_object_to_json_string(value), kind);
    }
    if (strcmp(meta, "enum") == 0) {
        return enum_problem(entry, value, path);
    }
    if (strcmp(meta, "array") == 0) {
        return array_problem(s, entry, value, path);
    }
    return strcmp(meta, "alternate") == 0 ? alternate_problem(s, entry, value, path)
                                          : object_problem(s, entry, value, path);
}

char *qmpschema_result_problem(QmpSchema *s, const char *command, struct json_object *value)
{
    struct json_object *entry = g_hash_table_lookup(s->commands, command);

    return entry ? value_problem(s, schema_text(entry, "ret-type"), value, "return")
                 : g_strdup_printf("command %s is not in the schema", command);
}

char *qmpschema_event_problem(QmpSchema *s, struct json_object *message)
{
    const char *name = schema_text(message, "event");
    struct json_object *entry = g_hash_table_lookup(s->events, name), *data = NULL;
    struct json_object *none = json_object_new_object();
    char *problem;

    json_object_object_get_ex(message, "data", &data);
    problem = !entry ? g_strdup_printf("event %s is not in the schema", name)
              : !json_object_object_get_ex(message, "timestamp", NULL)
                  ? g_strdup_printf("event %s has no timestamp", name)
                  : value_problem(s, schema_text(entry, "arg-type"), data ? data : none, "data");
    json_object_put(none);
    return problem;
}

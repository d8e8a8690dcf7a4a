/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks and unmarshalling of JSON values with the tables of the schema, and query-qmp-schema
 * (contract in monitor/schema.h).
 */
#include "monitor/schema.h"

#include <string.h>

#include "internal.h"

/* --- lookup --- */

const QmpCommand *qmp_find(const char *name)
{
    for (size_t i = 0; i < qmp_n_commands; i++) {
        if (strcmp(qmp_commands[i].name, name) == 0) {
            return &qmp_commands[i];
        }
    }
    return NULL;
}

const char *qmp_enum_name(const char *type, int value)
{
    for (size_t i = 0; i < qmp_n_types; i++) {
        if (strcmp(qmp_types[i]->name, type) == 0) {
            return qmp_types[i]->values[value];
        }
    }
    return NULL;
}

static const QmpMember *schema_find_member(const QmpType *type, const char *name)
{
    for (size_t i = 0; i < type->n_members; i++) {
        if (strcmp(type->members[i].name, name) == 0) {
            return &type->members[i];
        }
    }
    return NULL;
}

/* --- checks --- */

static const char *schema_type_text(const QmpType *type)
{
    static const char *const texts[] = {
        [QMP_STR] = "string",   [QMP_INT] = "integer",   [QMP_UINT] = "integer",
        [QMP_SIZE] = "integer", [QMP_NUMBER] = "number", [QMP_BOOL] = "boolean",
        [QMP_NULL] = "null",    [QMP_ANY] = "any value",
    };

    switch (type->meta) {
    case QMP_META_BUILTIN:
        return texts[type->builtin];
    case QMP_META_ENUM:
        return "string";
    case QMP_META_ARRAY:
        return "array";
    case QMP_META_OBJECT:
        return "object";
    default:
        return type->name;
    }
}

static bool schema_json_type_matches(const QmpType *type, struct json_object *value)
{
    enum json_type json = json_object_get_type(value);

    if (type->meta == QMP_META_ENUM) {
        return json == json_type_string;
    }
    if (type->meta == QMP_META_ARRAY || type->meta == QMP_META_OBJECT) {
        return json == (type->meta == QMP_META_ARRAY ? json_type_array : json_type_object);
    }
    switch (type->builtin) {
    case QMP_STR:
        return json == json_type_string;
    case QMP_BOOL:
        return json == json_type_boolean;
    case QMP_NULL:
        return json == json_type_null;
    case QMP_NUMBER:
        return json == json_type_int || json == json_type_double;
    case QMP_ANY:
        return true;
    default:
        return json == json_type_int;
    }
}

static bool schema_check_range(const QmpType *type, struct json_object *value, const char *path,
                               GError **err)
{
    bool is_signed = type->builtin == QMP_INT;

    if ((is_signed && json_object_get_uint64(value) > INT64_MAX &&
         json_object_get_int64(value) >= 0) ||
        (!is_signed && json_object_get_int64(value) < 0)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Parameter '%s' expects %s, not %s", path,
                      is_signed ? "int64" : "uint64", json_object_to_json_string(value));
        return false;
    }
    return true;
}

static bool schema_check_enum(const QmpType *type, struct json_object *value, const char *path,
                              GError **err)
{
    const char *text = json_object_get_string(value);
    g_autofree char *accepted = NULL;

    if (g_strv_contains(type->values, text)) {
        return true;
    }
    accepted = g_strjoinv(", ", (char **)type->values);
    qmp_set_error(err, QMP_GENERIC_ERROR,
                  "Parameter '%s' does not accept value '%s'; use one of %s", path, text, accepted);
    return false;
}

static bool schema_check_array(const QmpType *type, struct json_object *value, const char *path,
                               GError **err)
{
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        g_autofree char *inner = g_strdup_printf("%s[%zu]", path, i);

        if (!qmp_schema_check(type->element, json_object_array_get_idx(value, i), inner, err)) {
            return false;
        }
    }
    return true;
}

/* Check an alternate by the JSON type of the value, which differs for each of its types. */
static bool schema_check_alternate(const QmpType *type, struct json_object *value, const char *path,
                                   GError **err)
{
    for (size_t i = 0; i < type->n_members; i++) {
        if (schema_json_type_matches(type->members[i].type, value)) {
            return qmp_schema_check(type->members[i].type, value, path, err);
        }
    }
    qmp_set_error(err, QMP_GENERIC_ERROR, "Invalid parameter type for '%s', expected: %s", path,
                  type->name);
    return false;
}

static char *schema_member_path(const char *path, const char *name)
{
    return *path ? g_strdup_printf("%s.%s", path, name) : g_strdup(name);
}

static bool schema_check_members(const QmpType *type, struct json_object *value, const char *path,
                                 GError **err)
{
    for (size_t i = 0; i < type->n_members; i++) {
        const QmpMember *m = &type->members[i];
        g_autofree char *inner = schema_member_path(path, m->name);
        struct json_object *v;

        if (!json_object_object_get_ex(value, m->name, &v)) {
            if (!m->optional) {
                qmp_set_error(err, QMP_GENERIC_ERROR, "Parameter '%s' is missing", inner);
                return false;
            }
        } else if (!qmp_schema_check(m->type, v, inner, err)) {
            return false;
        }
    }
    return true;
}

/* Return the type with the further members of an object; NULL if the type has no variants. */
static const QmpType *schema_variant(const QmpType *type, struct json_object *value)
{
    const char *tag =
        type->tag ? json_object_get_string(json_object_object_get(value, type->tag)) : NULL;

    for (size_t i = 0; tag && i < type->n_variants; i++) {
        if (strcmp(type->variants[i].value, tag) == 0) {
            return type->variants[i].type;
        }
    }
    return NULL;
}

/* Check the members before unexpected keys, because an invalid tag is the more useful message. */
static bool schema_check_object(const QmpType *type, struct json_object *value, const char *path,
                                GError **err)
{
    const QmpType *variant;

    if (!schema_check_members(type, value, path, err)) {
        return false;
    }
    variant = schema_variant(type, value);
    if (variant && !schema_check_members(variant, value, path, err)) {
        return false;
    }
    json_object_object_foreach(value, key, member)
    {
        (void)member;
        if (!type->open && !schema_find_member(type, key) &&
            !(variant && schema_find_member(variant, key))) {
            g_autofree char *inner = schema_member_path(path, key);

            qmp_set_error(err, QMP_GENERIC_ERROR, "Parameter '%s' is unexpected", inner);
            return false;
        }
    }
    return true;
}

bool qmp_schema_check(const QmpType *type, struct json_object *value, const char *path,
                      GError **err)
{
    if (type->meta == QMP_META_ALTERNATE) {
        return schema_check_alternate(type, value, path, err);
    }
    if (!schema_json_type_matches(type, value)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Invalid parameter type for '%s', expected: %s", path,
                      schema_type_text(type));
        return false;
    }
    switch (type->meta) {
    case QMP_META_ENUM:
        return schema_check_enum(type, value, path, err);
    case QMP_META_ARRAY:
        return schema_check_array(type, value, path, err);
    case QMP_META_OBJECT:
        return schema_check_object(type, value, path, err);
    default:
        return json_object_is_type(value, json_type_int) &&
                       (type->builtin == QMP_INT || type->builtin == QMP_UINT ||
                        type->builtin == QMP_SIZE)
                   ? schema_check_range(type, value, path, err)
                   : true;
    }
}

/* --- unmarshalling --- */

static int schema_enum_index(const QmpType *type, const char *text)
{
    int i = 0;

    while (strcmp(type->values[i], text) != 0) {
        i++;
    }
    return i;
}

static void schema_store(const QmpType *type, struct json_object *value, void *field)
{
    if (type->meta == QMP_META_ENUM) {
        *(int *)field = schema_enum_index(type, json_object_get_string(value));
        return;
    }
    if (type->meta != QMP_META_BUILTIN) {
        *(struct json_object **)field = value;
        return;
    }
    switch (type->builtin) {
    case QMP_STR:
        *(const char **)field = json_object_get_string(value);
        break;
    case QMP_INT:
        *(int64_t *)field = json_object_get_int64(value);
        break;
    case QMP_UINT:
    case QMP_SIZE:
        *(uint64_t *)field = json_object_get_uint64(value);
        break;
    case QMP_NUMBER:
        *(double *)field = json_object_get_double(value);
        break;
    case QMP_BOOL:
        *(bool *)field = json_object_get_boolean(value);
        break;
    default:
        *(struct json_object **)field = value;
        break;
    }
}

void qmp_schema_unmarshal(const QmpType *type, struct json_object *args, void *out)
{
    for (size_t i = 0; i < type->n_members; i++) {
        const QmpMember *m = &type->members[i];
        struct json_object *value;

        if (!json_object_object_get_ex(args, m->name, &value)) {
            continue;
        }
        schema_store(m->type, value, (char *)out + m->offset);
        if (m->has_flag) {
            *(bool *)((char *)out + m->has_offset) = true;
        }
    }
}

/* --- marshalling --- */

static struct json_object *schema_load(const QmpType *type, const void *field)
{
    if (type->meta == QMP_META_ENUM ||
        (type->meta == QMP_META_BUILTIN && type->builtin == QMP_STR)) {
        const char *text = *(const char *const *)field;

        return text ? json_object_new_string(text) : NULL;
    }
    if (type->meta != QMP_META_BUILTIN) {
        return *(struct json_object *const *)field;
    }
    switch (type->builtin) {
    case QMP_INT:
        return json_object_new_int64(*(const int64_t *)field);
    case QMP_UINT:
    case QMP_SIZE:
        return json_object_new_uint64(*(const uint64_t *)field);
    case QMP_NUMBER:
        return json_object_new_double(*(const double *)field);
    case QMP_BOOL:
        return json_object_new_boolean(*(const bool *)field);
    default:
        return *(struct json_object *const *)field;
    }
}

static bool schema_is_present(const QmpMember *m, const char *from)
{
    if (m->has_flag) {
        return *(const bool *)(from + m->has_offset);
    }
    if (m->optional && m->type->meta == QMP_META_BUILTIN && m->type->builtin == QMP_BOOL) {
        return *(const bool *)(from + m->offset);
    }
    return true;
}

struct json_object *qmp_schema_marshal(const QmpType *type, const void *from)
{
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; i < type->n_members; i++) {
        const QmpMember *m = &type->members[i];
        struct json_object *value = schema_is_present(m, from)
                                        ? schema_load(m->type, (const char *)from + m->offset)
                                        : NULL;

        g_assert(value || m->optional);
        if (value) {
            json_object_object_add(o, m->name, value);
        }
    }
    return o;
}

/* --- query-qmp-schema --- */

static void schema_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *schema_entry(struct json_object *list, const char *name,
                                        const char *meta)
{
    struct json_object *o = json_object_new_object();

    schema_put(o, "name", name);
    schema_put(o, "meta-type", meta);
    json_object_array_add(list, o);
    return o;
}

static struct json_object *schema_enum_json(struct json_object *list, const QmpType *type)
{
    struct json_object *o = schema_entry(list, type->name, "enum");
    struct json_object *members = json_object_new_array(), *values = json_object_new_array();

    for (const char *const *v = type->values; *v; v++) {
        struct json_object *member = json_object_new_object();

        schema_put(member, "name", *v);
        json_object_array_add(members, member);
        json_object_array_add(values, json_object_new_string(*v));
    }
    json_object_object_add(o, "members", members);
    json_object_object_add(o, "values", values);
    return o;
}

static struct json_object *schema_members_json(const QmpType *type)
{
    struct json_object *members = json_object_new_array();

    for (size_t i = 0; i < type->n_members; i++) {
        const QmpMember *m = &type->members[i];
        struct json_object *o = json_object_new_object();

        if (type->meta == QMP_META_OBJECT) {
            schema_put(o, "name", m->name);
        }
        schema_put(o, "type", m->type->name);
        if (m->optional) {
            json_object_object_add(o, "default", NULL); /* null marks an optional member */
        }
        json_object_array_add(members, o);
    }
    return members;
}

static void schema_object_json(struct json_object *list, const QmpType *type)
{
    bool alternate = type->meta == QMP_META_ALTERNATE;
    struct json_object *o = schema_entry(list, type->name, alternate ? "alternate" : "object");
    struct json_object *variants;

    json_object_object_add(o, "members", schema_members_json(type));
    if (!type->tag) {
        return;
    }
    schema_put(o, "tag", type->tag);
    variants = json_object_new_array();
    for (size_t i = 0; i < type->n_variants; i++) {
        struct json_object *variant = json_object_new_object();

        schema_put(variant, "case", type->variants[i].value);
        schema_put(variant, "type", type->variants[i].type->name);
        json_object_array_add(variants, variant);
    }
    json_object_object_add(o, "variants", variants);
}

static void schema_type_json(struct json_object *list, const QmpType *type)
{
    switch (type->meta) {
    case QMP_META_BUILTIN:
        schema_put(schema_entry(list, type->name, "builtin"), "json-type", type->json_type);
        break;
    case QMP_META_ENUM:
        schema_enum_json(list, type);
        break;
    case QMP_META_ARRAY:
        schema_put(schema_entry(list, type->name, "array"), "element-type", type->element->name);
        break;
    default:
        schema_object_json(list, type);
        break;
    }
}

static void schema_command_json(struct json_object *list, const QmpCommand *c)
{
    struct json_object *o = schema_entry(list, c->name, "command"), *features;

    schema_put(o, "arg-type", c->args->name);
    schema_put(o, "ret-type", c->returns->name);
    if (c->flags & QMP_OOB) {
        json_object_object_add(o, "allow-oob", json_object_new_boolean(true));
    }
    if (c->features) {
        features = json_object_new_array();
        for (const char *const *f = c->features; *f; f++) {
            json_object_array_add(features, json_object_new_string(*f));
        }
        json_object_object_add(o, "features", features);
    }
}

struct json_object *qmp_schema(void)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < qmp_n_commands; i++) {
        schema_command_json(list, &qmp_commands[i]);
    }
    for (size_t i = 0; i < qmp_n_events; i++) {
        schema_put(schema_entry(list, qmp_events[i].name, "event"), "arg-type",
                   qmp_events[i].data->name);
    }
    for (size_t i = 0; i < qmp_n_types; i++) {
        schema_type_json(list, qmp_types[i]);
    }
    return list;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of JSON values on the command line. The user of a value in the key=value form parses its
 * text. A value in the JSON form must have the type that QMP requires, as in QEMU.
 */
#include <string.h>

#include "block/block.h"
#include "hw/core/host_object.h"
#include "net/net.h"
#include "options_internal.h"

/* Keys of back ends that do not hold a string. A key has the same type in each back end and at each
 * level of nesting. */
typedef struct JsonKey {
    const char *part, *key;
    enum json_type type;
} JsonKey;

static const JsonKey json_keys[] = {
    { "netdev", "restrict", json_type_boolean },
    { "netdev", "ipv4", json_type_boolean },
    { "netdev", "ipv6", json_type_boolean },
    { "netdev", "server", json_type_boolean },
    { "netdev", "abstract", json_type_boolean },
    { "netdev", "vhost", json_type_boolean },
    { "netdev", "hubid", json_type_int },
    { "netdev", "reconnect", json_type_int },
    { "netdev", "reconnect-ms", json_type_int },
    { "netdev", "hostfwd", json_type_array },
    { "netdev", "dnssearch", json_type_array },
    { "netdev", "addr", json_type_object },
    { "netdev", "local", json_type_object },
    { "netdev", "remote", json_type_object },
    { "blockdev", "read-only", json_type_boolean },
    { "blockdev", "auto-read-only", json_type_boolean },
    { "blockdev", "force-share", json_type_boolean },
    { "blockdev", "direct", json_type_boolean },
    { "blockdev", "no-flush", json_type_boolean },
    { "blockdev", "read-zeroes", json_type_boolean },
    { "blockdev", "size", json_type_int },
    { "blockdev", "offset", json_type_int },
    { "blockdev", "cache", json_type_object },
    { "blockdev", "lazy-refcounts", json_type_boolean },
    { "blockdev", "l2-cache-size", json_type_int },
    { "blockdev", "cache-size", json_type_int },
    { "blockdev", "refcount-cache-size", json_type_int },
    { "blockdev", "inject-error", json_type_array },
    { "blockdev", "server", json_type_object },
    { "blockdev", "abstract", json_type_boolean },
    { "blockdev", "ipv4", json_type_boolean },
    { "blockdev", "ipv6", json_type_boolean },
    { "blockdev", "open-timeout", json_type_int },
    { "blockdev", "reconnect-delay", json_type_int },
};

static const char *json_type_text(enum json_type type)
{
    return type == json_type_int ? "integer" : json_type_to_name(type);
}

static bool json_type_refuse(GError **err, const char *path, enum json_type expected,
                             struct json_object *value)
{
    return error_set(err, ERROR_USER, "Invalid parameter type for '%s', expected: %s, got: %s",
                     path, json_type_text(expected), json_type_text(json_object_get_type(value)));
}

static enum json_type json_key_type(const char *part, const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(json_keys); i++) {
        if (strcmp(json_keys[i].part, part) == 0 && strcmp(json_keys[i].key, key) == 0) {
            return json_keys[i].type;
        }
    }
    return json_type_string;
}

/* Return whether the value refers to a block node in another form than its name, which is a string:
 * with the options of the node (an object), or, for the backing file, as none (null). */
static bool json_is_child(const char *part, const char *key, struct json_object *value)
{
    static const char *const children[] = { "file", "base", "image", "backing", NULL };

    return strcmp(part, "blockdev") == 0 && g_strv_contains(children, key) &&
           (json_object_is_type(value, json_type_object) ||
            (!value && strcmp(key, "backing") == 0));
}

typedef bool KeysOfKind(size_t i, const char **name, const char *const **keys);

/* Return false for a key that no back end has. The back end reports it with the accepted keys. */
static bool json_key_known(const char *part, const char *key)
{
    static const char *const common[] = { "type", "id", "driver", "node-name", NULL };
    KeysOfKind *list = strcmp(part, "netdev") == 0 ? netdev_kind : block_driver_keys;
    const char *const *keys;
    const char *name;

    for (size_t i = 0; list(i, &name, &keys); i++) {
        if (g_strv_contains(keys, key)) {
            return true;
        }
    }
    return g_strv_contains(common, key);
}

static bool json_check_object(const char *part, const char *prefix, struct json_object *o,
                              GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        g_autofree char *path = g_strconcat(prefix, *prefix ? "." : "", key, NULL);
        enum json_type type = json_key_type(part, key);
        bool object = json_object_is_type(value, json_type_object);

        if (!*prefix && !json_key_known(part, key)) {
            continue;
        }
        if (!json_object_is_type(value, type) && !json_is_child(part, key, value)) {
            return json_type_refuse(err, path, type, value);
        }
        if (object && !json_check_object(part, path, value, err)) {
            return false;
        }
    }
    return true;
}

static bool json_all_numbers(struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_int)) {
            return false;
        }
    }
    return true;
}

/* Return whether the JSON type of @value is accepted for the property. addr= and capability
 * properties accept a number or a string. */
static bool json_fits_prop(const PlanProp *p, struct json_object *value, enum json_type *expected)
{
    enum json_type got = json_object_get_type(value);

    if (p->flags & PLAN_PROP_NUMBERS) {
        *expected = json_type_array;
        return got == json_type_array && json_all_numbers(value);
    }
    if (p->flags & PLAN_PROP_TEXT) {
        *expected = json_type_string;
        return got == json_type_string || got == json_type_int;
    }
    switch (p->kind) {
    case PLAN_PROP_BOOL:
        *expected = json_type_boolean;
        break;
    case PLAN_PROP_U8:
    case PLAN_PROP_U16:
    case PLAN_PROP_U32:
    case PLAN_PROP_U64:
    case PLAN_PROP_I32:
    case PLAN_PROP_SIZE:
        *expected = json_type_int;
        break;
    case PLAN_PROP_CAP:
        *expected = json_type_string;
        return got == json_type_string || got == json_type_int || got == json_type_boolean;
    case PLAN_PROP_ONOFF: /* ioeventfd is a boolean in QEMU */
        *expected = json_type_string;
        return got == json_type_string || got == json_type_boolean;
    default:
        *expected = json_type_string;
        break;
    }
    return got == *expected;
}

static bool json_check_props(const PlanProp *props, size_t n, struct json_object *options,
                             GError **err)
{
    for (size_t i = 0; i < n; i++) {
        enum json_type expected;
        struct json_object *value;

        if (json_object_object_get_ex(options, props[i].name, &value) &&
            !json_fits_prop(&props[i], value, &expected)) {
            return json_type_refuse(err, props[i].name, expected, value);
        }
    }
    return true;
}

/* An unknown class is not an error here; host_object_new() rejects it. */
static bool json_check_host_object(struct json_object *options, GError **err)
{
    struct json_object *type = json_object_object_get(options, "qom-type");
    const HostObjectKind *kind =
        type ? host_object_find_kind(json_object_get_string(type), NULL) : NULL;

    return !kind || json_check_props(kind->props, kind->n_props, options, err);
}

bool option_types_check_part(const PlanHostPart *part, GError **err)
{
    bool ok = true;

    if (strcmp(part->kind, "object") == 0) {
        ok = json_check_host_object(part->options, err);
    } else if (strcmp(part->kind, "netdev") == 0 || strcmp(part->kind, "blockdev") == 0) {
        ok = json_check_object(part->kind, "", part->options, err);
    }
    if (!ok) {
        g_prefix_error(err, "-%s %s '%s': ", part->kind,
                       strcmp(part->kind, "blockdev") == 0 ? "node-name" : "id", part->id);
    }
    return ok;
}

bool option_types_check_device(const PlanCatalog *c, const char *text, GError **err)
{
    struct json_object *o = plan_options_parse(text, NULL, err), *driver;
    const PlanType *t;
    bool ok = o != NULL;

    t = o && json_object_object_get_ex(o, "driver", &driver)
            ? plan_find_type(c, json_object_get_string(driver))
            : NULL;
    if (t && !json_check_props(t->props, t->n_props, o, err)) {
        g_prefix_error(err, "-device %s: ", t->name);
        ok = false;
    }
    json_object_put(o);
    return ok;
}

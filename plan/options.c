/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two forms of an option: key=value,... and a JSON object.
 */
#include "plan/internal.h"

enum { KEY_MAX = 256, NEST_MAX = 16, LIST_MAX = 4096 };

/* Return the text up to the next single comma; g_free(). *text is advanced past the comma, or set
 * to NULL at the end. */
static char *options_take_value(const char **text)
{
    GString *out = g_string_new(NULL);
    const char *c = *text;

    for (; *c; c++) {
        if (*c == ',' && *++c != ',') {
            *text = c;
            return g_string_free(out, FALSE);
        }
        g_string_append_c(out, *c);
    }
    *text = NULL;
    return g_string_free(out, FALSE);
}

/* Words without '=' that switch off the key after "no". */
static const char *const negated_keys[] = { "nowait", "noserver", "nomux", NULL };

bool plan_key_is_list(const char *key)
{
    static const char *const list_keys[] = { "hostfwd", "guestfwd", "dnssearch", "arg", NULL };

    return g_strv_contains(list_keys, key);
}

static void add_option(struct json_object *out, const char *key, const char *value)
{
    struct json_object *old, *list;

    if (!plan_key_is_list(key) || !json_object_object_get_ex(out, key, &old)) {
        json_object_object_del(out, key);
        json_object_object_add(out, key, json_object_new_string(value));
        return;
    }
    if (!json_object_is_type(old, json_type_array)) {
        list = json_object_new_array();
        json_object_array_add(list, json_object_get(old));
        json_object_object_add(out, key, list);
        old = list;
    }
    json_object_array_add(old, json_object_new_string(value));
}

/* Parse one KEY=VALUE, KEY, or VALUE of the implied key, which is accepted only first. */
static bool take_option(const char **text, const char *implied, struct json_object *out,
                        GError **err)
{
    size_t key_len = strcspn(*text, "=,");
    bool has_value = (*text)[key_len] == '=';
    g_autofree char *key = NULL, *value = NULL;

    if (key_len > KEY_MAX || (key_len == 0 && has_value)) {
        g_autofree char *quoted = plan_quote(*text);

        return plan_fail(
            err, "option %s has an invalid name before '=': names are 1 to %d characters long",
            quoted, KEY_MAX);
    }
    if (has_value || !implied) {
        key = g_strndup(*text, key_len);
        *text += key_len + has_value;
    } else {
        key = g_strdup(implied);
    }
    value = options_take_value(text);
    if (!has_value && !implied) { /* "server", and "nowait" for wait=off */
        bool off = g_strv_contains(negated_keys, key);

        g_free(value);
        value = g_strdup(off ? "off" : "on");
        memmove(key, key + (off ? 2 : 0), strlen(key) + 1 - (off ? 2 : 0));
    }
    if (!g_utf8_validate(key, -1, NULL) || !g_utf8_validate(value, -1, NULL)) {
        g_autofree char *name = plan_quote(key), *quoted = plan_quote(value);

        return plan_fail(err, "option %s=%s is not UTF-8", name, quoted);
    }
    if (*key) {
        add_option(out, key, value);
    }
    return true;
}

struct json_object *plan_options_parse(const char *text, const char *implied, GError **err)
{
    struct json_object *out;
    size_t len = strnlen(text, PLAN_OPTION_MAX + 1);

    if (len > PLAN_OPTION_MAX) {
        plan_fail(err, "an option is longer than %d bytes", PLAN_OPTION_MAX);
        return NULL;
    }
    if (text[0] == '{') {
        out = plan_json_parse(text, len, "the option", err);
        g_assert(!out || json_object_is_type(out, json_type_object));
        return out;
    }
    out = json_object_new_object();
    while (text && *text) {
        if (!take_option(&text, implied, out, err)) {
            json_object_put(out);
            return NULL;
        }
        implied = NULL;
    }
    return out;
}

/* Store A.B.KEY=VALUE. Objects for A and B are created if they do not exist. */
static bool nest_one(struct json_object *top, const char *key, struct json_object *value,
                     GError **err)
{
    g_auto(GStrv) parts = g_strsplit(key, ".", -1);
    struct json_object *at = top, *next;
    guint n = g_strv_length(parts);

    if (n > NEST_MAX) {
        return plan_fail(err, "option '%.60s...' is nested %u deep: at most %d levels are accepted",
                         key, n, NEST_MAX);
    }
    for (guint i = 0; i < n; i++) {
        bool last = i + 1 == n;
        bool there = json_object_object_get_ex(at, parts[i], &next);

        if (!*parts[i] || (there && (last || !json_object_is_type(next, json_type_object)))) {
            return plan_fail(err,
                             "option '%s' is given both as a value and as a group, or has an "
                             "empty part",
                             key);
        }
        if (!there) {
            next = last ? json_object_get(value) : json_object_new_object();
            json_object_object_add(at, parts[i], next);
        }
        at = next;
    }
    return true;
}

/* Return whether the keys are 0, 1 ... n-1 in any order. */
static bool is_list(struct json_object *o)
{
    int n = json_object_object_length(o);

    for (int i = 0; i < n; i++) {
        char key[16];

        g_snprintf(key, sizeof(key), "%d", i);
        if (i >= LIST_MAX || !json_object_object_get_ex(o, key, NULL)) {
            return false;
        }
    }
    return n > 0;
}

/* Return a copy of @o in which objects with the keys 0 to n-1 are lists. With @top, @o remains an
 * object. */
static struct json_object *listed(struct json_object *o, bool top)
{
    struct json_object *out;

    if (!json_object_is_type(o, json_type_object)) {
        return json_object_get(o);
    }
    if (!top && is_list(o)) {
        out = json_object_new_array();
        for (int i = 0, n = json_object_object_length(o); i < n; i++) {
            struct json_object *item;
            char key[16];

            g_snprintf(key, sizeof(key), "%d", i);
            json_object_object_get_ex(o, key, &item);
            json_object_array_add(out, listed(item, false));
        }
        return out;
    }
    out = json_object_new_object();
    json_object_object_foreach(o, name, value)
    {
        json_object_object_add(out, name, listed(value, false));
    }
    return out;
}

struct json_object *plan_options_nest(struct json_object *flat, GError **err)
{
    struct json_object *top = json_object_new_object(), *out = NULL;
    bool ok = true;

    json_object_object_foreach(flat, key, value)
    {
        ok = ok && nest_one(top, key, value, err);
    }
    if (ok) {
        out = listed(top, true);
    }
    json_object_put(top);
    return out;
}

/* Differences between the options that create host parts. */
static const struct {
    const char *kind, *implied, *id_key;
} host_kinds[] = {
    { "blockdev", "driver", "node-name" },
    { "drive", NULL, "id" },
    { "netdev", "type", "id" },
    { "chardev", "backend", "id" },
    { "object", "qom-type", "id" },
    { "fw_cfg", "name", "name" },
    { "fsdev", "fsdriver", "id" },
    { "audiodev", "driver", "id" },
};

static struct json_object *host_options(const char *text, const char *implied, GError **err)
{
    struct json_object *flat = plan_options_parse(text, implied, err), *nested;

    if (!flat || text[0] == '{') {
        return flat;
    }
    nested = plan_options_nest(flat, err);
    json_object_put(flat);
    return nested;
}

PlanHostPart *plan_host_part_parse(const char *kind, const char *text, GError **err)
{
    struct json_object *options, *id = NULL;
    const char *implied = NULL, *id_key = "id", *id_text;
    PlanHostPart *part;

    for (size_t i = 0; i < G_N_ELEMENTS(host_kinds); i++) {
        if (strcmp(host_kinds[i].kind, kind) == 0) {
            implied = host_kinds[i].implied;
            id_key = host_kinds[i].id_key;
        }
    }
    options = host_options(text, implied, err);
    if (!options) {
        g_prefix_error(err, "-%s: ", kind);
        return NULL;
    }
    if (!json_object_object_get_ex(options, id_key, &id)) {
        plan_fail(err, "-%s requires %s=NAME", kind, id_key);
    } else if (plan_json_string(id, PLAN_ID_MAX, &id_text, err)) {
        part = g_new0(PlanHostPart, 1);
        part->kind = g_strdup(kind);
        part->id = g_strdup(id_text);
        part->options = options;
        return part;
    } else {
        g_prefix_error(err, "-%s: %s ", kind, id_key);
    }
    json_object_put(options);
    return NULL;
}

/* Add an option. The members of a structure become settings with dots, a list its elements with
 * commas. */
static void options_add_setting(PlanDevice *d, const char *key, struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        g_autoptr(GString) list = g_string_new(NULL);

        for (size_t i = 0; i < json_object_array_length(value); i++) {
            g_string_append_printf(list, "%s%s", i ? "," : "",
                                   json_object_get_string(json_object_array_get_idx(value, i)));
        }
        plan_device_set(d, key, list->str);
        return;
    }
    if (!json_object_is_type(value, json_type_object)) {
        plan_device_set(d, key, json_object_get_string(value));
        return;
    }
    json_object_object_foreach(value, member, inner)
    {
        g_autofree char *path = g_strconcat(key, ".", member, NULL);

        plan_device_set(d, path, json_object_get_string(inner));
    }
}

PlanDevice *plan_object_settings(struct json_object *options)
{
    PlanDevice *d = plan_device_new(NULL);

    json_object_object_foreach(options, key, value)
    {
        if (strcmp(key, "qom-type") == 0) {
            d->type = g_strdup(json_object_get_string(value));
        } else if (strcmp(key, "id") == 0) {
            d->id = g_strdup(json_object_get_string(value));
        } else {
            options_add_setting(d, key, value);
        }
    }
    return d;
}

void plan_host_part_free(PlanHostPart *part)
{
    if (part) {
        g_free(part->kind);
        g_free(part->id);
        json_object_put(part->options);
        g_free(part);
    }
}

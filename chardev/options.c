/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of character back ends: "TYPE,key=value,..." and the short forms of -serial, -qtest, -qmp
 * and -monitor become one flat JSON object.
 */
#include "internal.h"

#include <string.h>

/* The text up to the next single comma, with ",," replaced by ",". *text advances behind it, and is
 * NULL at the end. */
static char *chardev_options_next_part(const char **text)
{
    GString *part = g_string_new(NULL);
    const char *p = *text;

    for (; *p; p++) {
        if (*p == ',' && p[1] != ',') {
            break;
        }
        p += *p == ',';
        g_string_append_c(part, *p);
    }
    *text = *p ? p + 1 : NULL;
    return g_string_free(part, FALSE);
}

static void chardev_options_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* "key=value", or "server" and "nowait" without a value, as in older command lines. */
static bool chardev_options_parse_pair(struct json_object *o, const char *part, GError **err)
{
    const char *eq = strchr(part, '=');

    if (eq == part) {
        return error_set(err, ERROR_USER, "character device option '%s' has no name", part);
    }
    if (eq) {
        g_autofree char *key = g_strndup(part, (size_t)(eq - part));

        chardev_options_put(o, key, eq + 1);
    } else if (g_str_has_prefix(part, "no") && part[2] && strcmp(part, "nodelay") != 0) {
        chardev_options_put(o, part + 2, "off");
    } else {
        chardev_options_put(o, part, "on");
    }
    return true;
}

static bool chardev_options_parse_rest(struct json_object *o, const char *text, GError **err)
{
    while (text) {
        g_autofree char *part = chardev_options_next_part(&text);

        if (*part && !chardev_options_parse_pair(o, part, err)) {
            return false;
        }
    }
    return true;
}

/* "HOST:PORT", "[::1]:PORT", ":PORT" */
static bool chardev_options_put_address(struct json_object *o, const char *where,
                                        const char *host_key, const char *port_key, GError **err)
{
    const char *colon = strrchr(where, ':');
    g_autofree char *host = NULL;

    if (!colon || !colon[1]) {
        return error_set(err, ERROR_USER,
                         "'%s' is not an address; the forms are tcp:HOST:PORT, telnet:HOST:PORT "
                         "and udp:HOST:PORT@LOCALHOST:LOCALPORT",
                         where);
    }
    host = g_strndup(where, (size_t)(colon - where));
    if (host[0] == '[' && g_str_has_suffix(host, "]")) {
        memmove(host, host + 1, strlen(host));
        host[strlen(host) - 1] = '\0';
    }
    chardev_options_put(o, host_key, host);
    chardev_options_put(o, port_key, colon + 1);
    return true;
}

/* "[HOST]:PORT[@[LOCALHOST]:LOCALPORT]" */
static bool chardev_options_put_udp(struct json_object *o, const char *where, GError **err)
{
    const char *at = strchr(where, '@');
    g_autofree char *remote = at ? g_strndup(where, (size_t)(at - where)) : g_strdup(where);

    chardev_options_put(o, "backend", "udp");
    return chardev_options_put_address(o, remote, "host", "port", err) &&
           (!at || chardev_options_put_address(o, at + 1, "localaddr", "localport", err));
}

static bool chardev_options_parse_short(struct json_object *o, const char *first, GError **err)
{
    const char *where = strchr(first, ':') + 1;

    if (g_str_has_prefix(first, "unix:")) {
        chardev_options_put(o, "backend", "socket");
        chardev_options_put(o, "path", where);
    } else if (g_str_has_prefix(first, "tcp:") || g_str_has_prefix(first, "telnet:")) {
        chardev_options_put(o, "backend", "socket");
        if (g_str_has_prefix(first, "telnet:")) {
            chardev_options_put(o, "telnet", "on");
        }
        return chardev_options_put_address(o, where, "host", "port", err);
    } else if (g_str_has_prefix(first, "udp:")) {
        return chardev_options_put_udp(o, where, err);
    } else if (g_str_has_prefix(first, "file:")) {
        chardev_options_put(o, "backend", "file");
        chardev_options_put(o, "path", where);
    } else if (g_str_has_prefix(first, "pipe:")) {
        chardev_options_put(o, "backend", "pipe");
        chardev_options_put(o, "path", where);
    } else if (g_str_has_prefix(first, "vc:")) {
        chardev_options_put(o, "backend", "vc");
    } else if (g_str_has_prefix(first, "websocket:")) {
        return error_set(
            err, ERROR_USER,
            "'%s': this version does not have websocket character devices; use tcp:HOST:PORT",
            first);
    } else {
        return error_set(err, ERROR_USER,
                         "unknown character device '%s'; use null, stdio, pty, file:PATH, "
                         "pipe:PATH, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT or "
                         "udp:HOST:PORT@LOCALHOST:LOCALPORT",
                         first);
    }
    return true;
}

struct json_object *chardev_parse(const char *text, GError **err)
{
    struct json_object *o = json_object_new_object();
    g_autofree char *first = NULL;
    bool ok = true;

    if (g_str_has_prefix(text, "mon:")) {
        chardev_options_put(o, "mux", "on");
        text += 4;
        if (g_str_has_prefix(text, "stdio")) {
            chardev_options_put(o, "signal", "off");
        }
    }
    first = chardev_options_next_part(&text);
    if (strchr(first, ':')) {
        ok = chardev_options_parse_short(o, first, err);
    } else {
        chardev_options_put(o, "backend", first);
    }
    if (!ok || !chardev_options_parse_rest(o, text, err)) {
        json_object_put(o);
        return NULL;
    }
    return o;
}

const char *chardev_opt(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : NULL;
}

bool chardev_opt_bool(struct json_object *o, const char *key, bool def, bool *value, GError **err)
{
    static const char *const yes[] = { "on", "true", "yes", NULL };
    static const char *const no[] = { "off", "false", "no", NULL };
    const char *text = chardev_opt(o, key);

    *value = def;
    if (!text) {
        return true;
    }
    *value = g_strv_contains(yes, text);
    if (!*value && !g_strv_contains(no, text)) {
        return error_set(err, ERROR_USER, "character device option %s=%s: use on or off", key,
                         text);
    }
    return true;
}

bool chardev_port_check(const Chardev *c, const char *port, GError **err)
{
    guint64 number;

    return !port || !*port || port[strspn(port, "0123456789")] ||
           g_ascii_string_to_unsigned(port, 10, 0, UINT16_MAX, &number, NULL) ||
           error_set(err, ERROR_USER, "character device '%s': port %s: accepted is 0 to 65535",
                     c->id, port);
}

bool chardev_opt_check(const ChardevKind *kind, struct json_object *o, GError **err)
{
    static const char *const common[] = { "backend", "id", "mux", "logfile", "logappend", NULL };

    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (!g_strv_contains(common, key) && !(kind->keys && g_strv_contains(kind->keys, key))) {
            g_autofree char *list =
                kind->keys ? g_strjoinv(", ", (char **)kind->keys) : g_strdup("no options");

            return error_set(err, ERROR_USER,
                             "character device type '%s' has no option '%s'; the options are %s",
                             kind->name, key, list);
        }
    }
    return true;
}

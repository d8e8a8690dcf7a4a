/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about character devices.
 */
#include "internal.h"

#include <string.h>

#include "chardev/ringbuf.h"

static const char *arg_str(struct json_object *args, const char *key)
{
    return json_object_get_string(json_object_object_get(args, key));
}

static void describe(void *opaque, Chardev *c)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "label", json_object_new_string(chardev_id(c)));
    json_object_object_add(o, "filename", json_object_new_string(chardev_describe(c)));
    json_object_object_add(o, "frontend-open", json_object_new_boolean(chardev_front_is_open(c)));
    json_object_array_add(opaque, o);
}

static struct json_object *query(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    chardev_foreach(m, describe, list);
    return list;
}

static Chardev *find(Machine *m, struct json_object *args, GError **err)
{
    const char *id = arg_str(args, "device");
    Chardev *c = chardev_find(m, id);

    if (!c) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "character device '%s' does not exist", id);
    }
    return c;
}

static bool base64(struct json_object *args)
{
    const char *format = arg_str(args, "format");

    return format && strcmp(format, "base64") == 0;
}

static struct json_object *ring_read(Machine *m, struct json_object *args, GError **err)
{
    int64_t size = json_object_get_int64(json_object_object_get(args, "size"));
    Chardev *c = find(m, args, err);
    GByteArray *bytes;
    const char *data;
    g_autofree char *text = NULL;

    if (!c) {
        return NULL;
    }
    bytes = size > 0 ? chardev_ringbuf_read(c, (size_t)size) : NULL;
    if (!bytes) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "character device '%s' is no ring buffer or size is not positive",
                      chardev_id(c));
        return NULL;
    }
    data = bytes->len ? (const char *)bytes->data : "";
    text = base64(args) ? g_base64_encode((const guchar *)data, bytes->len)
                        : g_utf8_make_valid(data, bytes->len);
    g_byte_array_unref(bytes);
    return json_object_new_string(text);
}

static struct json_object *ring_write(Machine *m, struct json_object *args, GError **err)
{
    const char *data = arg_str(args, "data");
    Chardev *c = find(m, args, err);
    gsize len = strlen(data);
    g_autofree guchar *raw = NULL;

    if (!c) {
        return NULL;
    }
    if (base64(args)) {
        raw = g_base64_decode(data, &len);
        data = (const char *)raw;
    }
    if (chardev_ringbuf_feed(c, (const uint8_t *)data, len) < len) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "character device '%s' is no ring buffer or its user takes no more",
                      chardev_id(c));
    }
    return NULL;
}

/* --- chardev-add --- */

/* How the members of QMP's back ends are called in an option. */
static const struct Member {
    const char *kind, *member, *option;
} members[] = {
    { "file", "out", "path" },
    { "file", "in", "input-path" },
    { "file", "append", "append" },
    { "pipe", "device", "path" },
    { "stdio", "signal", "signal" },
    { "ringbuf", "size", "size" },
    { "socket", "server", "server" },
    { "socket", "wait", "wait" },
    { "socket", "nodelay", "nodelay" },
    { "inet", "host", "host" },
    { "inet", "port", "port" },
    { "unix", "path", "path" },
    { "unix", "abstract", "abstract" },
    { "fd", "str", "fd" },
    { "socket", "reconnect", "reconnect" },
    { "socket", "reconnect-ms", "reconnect-ms" },
    { NULL, "logfile", "logfile" },
    { NULL, "logappend", "logappend" },
};

static bool take_members(struct json_object *out, const char *kind, struct json_object *data,
                         GError **err);

/* {"type": KIND, "data": {...}}, as back ends and addresses are given. */
static bool take_union(struct json_object *out, struct json_object *o, const char **kind,
                       GError **err)
{
    struct json_object *type = NULL, *data = NULL;

    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "type", &type) ||
        (json_object_object_get_ex(o, "data", &data) &&
         !json_object_is_type(data, json_type_object))) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "a back end and an address are {\"type\": KIND, \"data\": {...}}");
        return false;
    }
    *kind = json_object_get_string(type);
    return !data || take_members(out, *kind, data, err);
}

static bool take_members(struct json_object *out, const char *kind, struct json_object *data,
                         GError **err)
{
    json_object_object_foreach(data, name, value)
    {
        const struct Member *found = NULL;
        const char *address;

        if (strcmp(kind, "socket") == 0 && strcmp(name, "addr") == 0) {
            if (!take_union(out, value, &address, err)) {
                return false;
            }
            continue;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(members) && !found; i++) {
            bool fits = !members[i].kind || strcmp(members[i].kind, kind) == 0;

            found = fits && strcmp(members[i].member, name) == 0 ? &members[i] : NULL;
        }
        if (!found) {
            qmp_set_error(err, QMP_GENERIC_ERROR, "'%s' is no member of back end '%s'", name, kind);
            return false;
        }
        json_object_object_add(out, found->option, json_object_get(value));
    }
    return true;
}

/* A socket of QMP listens unless told otherwise, and waits for nobody. */
static void socket_defaults(struct json_object *o)
{
    struct json_object *server;

    if (!json_object_object_get_ex(o, "server", &server)) {
        server = json_object_new_boolean(true);
        json_object_object_add(o, "server", server);
    }
    if (!json_object_get_boolean(server)) {
        json_object_object_del(o, "wait");
    } else if (!json_object_object_get_ex(o, "wait", NULL)) {
        json_object_object_add(o, "wait", json_object_new_boolean(false));
    }
}

static struct json_object *add(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object(), *answer = NULL;
    const char *kind, *id = arg_str(args, "id"), *about;

    json_object_object_add(o, "id", json_object_new_string(id));
    if (take_union(o, json_object_object_get(args, "backend"), &kind, err)) {
        json_object_object_add(o, "backend", json_object_new_string(kind));
        if (strcmp(kind, "socket") == 0) {
            socket_defaults(o);
        }
        if (monitor_host(m)->host_add(m, "chardev", o, err)) {
            answer = json_object_new_object();
            about = chardev_describe(chardev_find(m, id));
            if (g_str_has_prefix(about, "pty:")) {
                json_object_object_add(answer, "pty", json_object_new_string(about + 4));
            }
        }
    }
    json_object_put(o);
    return answer;
}

static struct json_object *del(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->host_del(m, "chardev", arg_str(args, "id"), err);
    return NULL;
}

static const QmpCommand commands[] = {
    { "query-chardev", query },    { "chardev-add", add },          { "chardev-remove", del },
    { "ringbuf-read", ring_read }, { "ringbuf-write", ring_write },
};

static void hmp_show(void *opaque, Chardev *c)
{
    g_string_append_printf(opaque, "%s: filename=%s\n", chardev_id(c), chardev_describe(c));
}

static void hmp_chardev(Machine *m, const char *args, GString *out)
{
    chardev_foreach(m, hmp_show, out);
}

static void hmp_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(args, "backend", &err);

    if (!o || !monitor_host(m)->host_add(m, "chardev", o, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
    json_object_put(o);
}

static void hmp_remove(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->host_del(m, "chardev", args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "chardev-add", "KIND,id=ID[,...]", "create a character device", hmp_add },
    { "chardev-remove", "ID", "remove a character device nobody uses", hmp_remove },
    { "info chardev", "", "show the character devices", hmp_chardev },
};

const CommandTable chardev_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                     G_N_ELEMENTS(hmp_commands) };

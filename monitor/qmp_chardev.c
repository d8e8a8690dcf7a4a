/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about character devices.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>
#include <unistd.h>

#include "chardev/ringbuf.h"

static void chardev_add_json(void *opaque, Chardev *c)
{
    QmpChardevInfo info = { .label = chardev_id(c),
                            .filename = chardev_describe(c),
                            .frontend_open = chardev_front_is_open(c) };

    json_object_array_add(opaque, qmp_make_chardev_info(&info));
}

struct json_object *qmp_query_chardev(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    chardev_foreach(m, chardev_add_json, list);
    return list;
}

struct json_object *qmp_query_chardev_backends(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();
    const char *const *keys;
    const char *name;

    for (size_t i = 0; chardev_kind(i, &name, &keys); i++) {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "name", json_object_new_string(name));
        json_object_array_add(list, o);
    }
    return list;
}

static Chardev *chardev_find_named(Machine *m, const char *id, GError **err)
{
    Chardev *c = chardev_find(m, id);

    if (!c) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "character device '%s' does not exist", id);
    }
    return c;
}

struct json_object *qmp_ringbuf_read(Machine *m, const QmpRingbufReadArgs *args, GError **err)
{
    int64_t size = args->size;
    Chardev *c = chardev_find_named(m, args->device, err);
    GByteArray *bytes;
    const char *data;
    g_autofree char *text = NULL;

    if (!c) {
        return NULL;
    }
    bytes = size > 0 ? chardev_ringbuf_read(c, (size_t)size) : NULL;
    if (!bytes) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "character device '%s' is not a ring buffer, or size is not positive",
                      chardev_id(c));
        return NULL;
    }
    data = bytes->len ? (const char *)bytes->data : "";
    text = args->format == QMP_DATA_FORMAT_BASE64
               ? g_base64_encode((const guchar *)data, bytes->len)
               : g_utf8_make_valid(data, bytes->len);
    g_byte_array_unref(bytes);
    return json_object_new_string(text);
}

bool qmp_ringbuf_write(Machine *m, const QmpRingbufWriteArgs *args, GError **err)
{
    const char *data = args->data;
    Chardev *c = chardev_find_named(m, args->device, err);
    gsize len = strlen(data);
    g_autofree guchar *raw = NULL;

    if (!c) {
        return false;
    }
    if (args->format == QMP_DATA_FORMAT_BASE64) {
        raw = g_base64_decode(data, &len);
        data = (const char *)raw;
    }
    if (chardev_ringbuf_feed(c, (const uint8_t *)data, len) < len) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "character device '%s' is not a ring buffer, or the device that uses it "
                      "accepts no more input",
                      chardev_id(c));
        return false;
    }
    return true;
}

/* --- chardev-add --- */

/* Members whose name in chardev-add differs from the name in -chardev. */
static const struct ChardevMember {
    const char *kind, *member, *option;
} chardev_members[] = {
    { "file", "out", "path" },
    { "file", "in", "input-path" },
    { "pipe", "device", "path" },
    { "fd", "str", "fd" },
};

static const char *chardev_option_name(const char *kind, const char *member)
{
    for (size_t i = 0; i < G_N_ELEMENTS(chardev_members); i++) {
        if (strcmp(chardev_members[i].kind, kind) == 0 &&
            strcmp(chardev_members[i].member, member) == 0) {
            return chardev_members[i].option;
        }
    }
    return member;
}

/* Copy the address that a udp back end receives at: host as localaddr, port as localport. */
static void chardev_copy_local(struct json_object *out, struct json_object *o)
{
    json_object_object_foreach(json_object_object_get(o, "data"), name, value)
    {
        g_autofree char *key = g_strconcat("local", strcmp(name, "host") ? name : "addr", NULL);

        json_object_object_add(out, key, json_object_get(value));
    }
}

/* Copy the options of {"type": KIND, "data": {...}}, a back end or an address, to @out. Return
 * KIND, borrowed from @o. */
static const char *chardev_copy_union(struct json_object *out, struct json_object *o)
{
    const char *kind = json_object_get_string(json_object_object_get(o, "type"));
    struct json_object *data;

    if (json_object_object_get_ex(o, "data", &data)) {
        json_object_object_foreach(data, name, value)
        {
            if (strcmp(name, "addr") == 0 || strcmp(name, "remote") == 0) {
                chardev_copy_union(out, value);
            } else if (strcmp(name, "local") == 0) {
                chardev_copy_local(out, value);
            } else {
                json_object_object_add(out, chardev_option_name(kind, name),
                                       json_object_get(value));
            }
        }
    }
    return kind;
}

/* In chardev-add, a socket is a server that does not wait for a client, unless given otherwise. */
static void chardev_socket_defaults(struct json_object *o)
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

/* Replace the name of a descriptor that the client passed with getfd by the number of the
 * descriptor. Return the descriptor, which no name refers to any more; -1 if there is none. */
static int chardev_take_named_fd(Machine *m, struct json_object *o)
{
    struct json_object *name;
    int fd = -1;

    if (json_object_object_get_ex(o, "fd", &name)) {
        fd = monitor_take_fd(m, json_object_get_string(name));
    }
    if (fd >= 0) {
        g_autofree char *number = g_strdup_printf("%d", fd);

        json_object_object_add(o, "fd", json_object_new_string(number));
    }
    return fd;
}

struct json_object *qmp_chardev_add(Machine *m, const QmpChardevAddArgs *args, GError **err)
{
    struct json_object *o = json_object_new_object(), *answer = NULL;
    const char *kind, *about;
    int fd;

    json_object_object_add(o, "id", json_object_new_string(args->id));
    kind = chardev_copy_union(o, args->backend);
    json_object_object_add(o, "backend", json_object_new_string(kind));
    if (strcmp(kind, "socket") == 0) {
        chardev_socket_defaults(o);
    }
    fd = chardev_take_named_fd(m, o);
    if (!monitor_host(m)->host_add(m, "chardev", o, err)) {
        if (fd >= 0) {
            close(fd); /* a character device that fails has not adopted it */
        }
    } else {
        answer = json_object_new_object();
        about = chardev_describe(chardev_find(m, args->id));
        if (g_str_has_prefix(about, "pty:")) {
            json_object_object_add(answer, "pty", json_object_new_string(about + 4));
        }
    }
    json_object_put(o);
    return answer;
}

bool qmp_chardev_remove(Machine *m, const QmpChardevRemoveArgs *args, GError **err)
{
    return monitor_host(m)->host_del(m, "chardev", args->id, err);
}

static void hmp_show_chardev(void *opaque, Chardev *c)
{
    g_string_append_printf(opaque, "%s: filename=%s\n", chardev_id(c), chardev_describe(c));
}

static void hmp_info_chardev(Machine *m, const char *args, GString *out)
{
    chardev_foreach(m, hmp_show_chardev, out);
}

static void hmp_chardev_add(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(args, "backend", &err);

    if (!o || !monitor_host(m)->host_add(m, "chardev", o, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
    json_object_put(o);
}

static void hmp_chardev_remove(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->host_del(m, "chardev", args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "chardev-add", "KIND,id=ID[,...]", NULL, hmp_chardev_add },
    { "chardev-remove", "ID", NULL, hmp_chardev_remove },
    { "info chardev", "", NULL, hmp_info_chardev },
};

const HmpTable chardev_table = { LIST(hmp_commands) };

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
    text = base64(args) ? g_base64_encode(bytes->data, bytes->len)
                        : g_utf8_make_valid((const char *)bytes->data, bytes->len);
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

static const QmpArg read_args[] = {
    { "device", QMP_STR, false, "id of the ring buffer" },
    { "size", QMP_INT, false, "bytes at most" },
    { "format", QMP_STR, true, "utf8 or base64" },
};
static const QmpArg write_args[] = {
    { "device", QMP_STR, false, "id of the ring buffer" },
    { "data", QMP_STR, false, "what its user shall read" },
    { "format", QMP_STR, true, "utf8 or base64" },
};

static const QmpCommand commands[] = {
    { "query-chardev", "The character devices", query, .returns = "array" },
    { "ringbuf-read", "Take what was written to a ring buffer", ring_read, LIST(read_args),
      .returns = "str" },
    { "ringbuf-write", "Feed the user of a ring buffer", ring_write, LIST(write_args),
      .returns = "null" },
};

static void hmp_show(void *opaque, Chardev *c)
{
    g_string_append_printf(opaque, "%s: filename=%s\n", chardev_id(c), chardev_describe(c));
}

static void hmp_chardev(Machine *m, const char *args, GString *out)
{
    chardev_foreach(m, hmp_show, out);
}

static const HmpCommand hmp_commands[] = {
    { "info chardev", "", "show the character devices", hmp_chardev },
};

const CommandTable chardev_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                     G_N_ELEMENTS(hmp_commands) };

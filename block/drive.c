/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -drive: the older way to say a block node, translated into node options; and the queries.
 */
#include <errno.h>
#include <string.h>

#include "block_int.h"

static const char *const drive_keys[] = { "if",    "id",       "file",          "format",
                                          "media", "readonly", "read-only",     "cache",
                                          "aio",   "werror",   "rerror",        "discard",
                                          "index", "snapshot", "detect-zeroes", "auto-read-only",
                                          NULL };
static const char *const no_keys[] = { NULL };

/* -drive cache=MODE as the three switches it stands for. */
static const struct CacheMode {
    const char *name;
    bool direct, no_flush, writeback;
} cache_modes[] = {
    { "writeback", false, false, true },     { "none", true, false, true },
    { "writethrough", false, false, false }, { "directsync", true, false, false },
    { "unsafe", false, true, true },
};

static bool add_cache(struct json_object *node, const char *mode, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cache_modes); i++) {
        if (g_str_equal(cache_modes[i].name, mode)) {
            struct json_object *cache = json_object_new_object();

            json_object_object_add(cache, "direct", json_object_new_boolean(cache_modes[i].direct));
            json_object_object_add(cache, "no-flush",
                                   json_object_new_boolean(cache_modes[i].no_flush));
            json_object_object_add(cache, "writeback",
                                   json_object_new_boolean(cache_modes[i].writeback));
            json_object_object_add(node, "cache", cache);
            return true;
        }
    }
    BLOCK_ERROR(err, "cache=%s: accepted are writeback, none, writethrough, directsync and unsafe",
                mode);
    return false;
}

static bool parse_policy(struct json_object *o, const char *key, BlockErrorPolicy def,
                         BlockErrorPolicy *out, GError **err)
{
    static const char *const names[] = { "report", "ignore", "stop", "enospc" };
    const char *text = opt_str(o, key);

    *out = def;
    for (size_t i = 0; text && i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(names[i], text)) {
            *out = (BlockErrorPolicy)i;
            return true;
        }
    }
    if (text) {
        BLOCK_ERROR(err, "%s=%s: accepted are report, ignore, stop and enospc", key, text);
    }
    return text == NULL;
}

static void copy_option(struct json_object *from, const char *key, struct json_object *to,
                        const char *as)
{
    const char *text = opt_str(from, key);

    if (text) {
        json_object_object_add(to, as, json_object_new_string(text));
    }
}

/* "file" in the short form is a path or null-co://; dotted keys made it an object. */
static bool add_file(struct json_object *o, struct json_object *node, GError **err)
{
    struct json_object *file;
    const char *text;

    if (!json_object_object_get_ex(o, "file", &file)) {
        BLOCK_ERROR(err, "it needs a file: file=...");
        return false;
    }
    if (json_object_is_type(file, json_type_object)) {
        json_object_object_foreach(file, key, value)
        {
            json_object_object_add(node, g_str_equal(key, "image") ? "file" : key,
                                   json_object_get(value));
        }
        if (!opt_str(node, "driver")) {
            json_object_object_add(node, "driver", json_object_new_string("file"));
        }
        return true;
    }
    text = json_object_get_string(file);
    if (g_str_has_prefix(text, "null-co://")) {
        json_object_object_add(node, "driver", json_object_new_string("null-co"));
    } else {
        json_object_object_add(node, "driver", json_object_new_string("file"));
        json_object_object_add(node, "filename", json_object_new_string(text));
    }
    return true;
}

static bool check_drive(struct json_object *o, GError **err)
{
    const char *iface = opt_str(o, "if"), *format = opt_str(o, "format"), *id = opt_str(o, "id");

    if (!opt_known(o, drive_keys, no_keys, "drive", err)) {
        return false;
    }
    if (!id) {
        BLOCK_ERROR(err, "it needs a name: id=...");
    } else if (iface && !g_str_equal(iface, "none")) {
        BLOCK_ERROR(err, "if=%s: accepted is none, with a device that names it in drive=", iface);
    } else if (format && !g_str_equal(format, "raw")) {
        BLOCK_ERROR(err, "format=%s: accepted is raw", format);
    } else {
        return true;
    }
    return false;
}

static struct json_object *drive_to_node(struct json_object *o, GError **err)
{
    struct json_object *node = json_object_new_object();
    const char *cache = opt_str(o, "cache");
    g_autofree char *name = NULL;

    if (!check_drive(o, err) || !add_file(o, node, err) ||
        (cache && !add_cache(node, cache, err))) {
        json_object_put(node);
        return NULL;
    }
    name = g_strdup_printf("#block-%s", opt_str(o, "id"));
    json_object_object_add(node, "node-name", json_object_new_string(name));
    copy_option(o, "readonly", node, "read-only");
    copy_option(o, "read-only", node, "read-only");
    copy_option(o, "auto-read-only", node, "auto-read-only");
    copy_option(o, "discard", node, "discard");
    if (!g_str_equal(opt_str(node, "driver"), "null-co")) {
        copy_option(o, "aio", node, "aio");
    }
    return node;
}

BlockNode *block_drive_new(Machine *m, struct json_object *options, bool inactive, GError **err)
{
    const char *id = opt_str(options, "id");
    BlockErrorPolicy on_write, on_read;
    struct json_object *node = NULL;
    BlockNode *n = NULL;

    if (id && block_find(m, id)) {
        BLOCK_ERROR(err, "a drive or node named '%s' exists already", id);
    } else if (parse_policy(options, "werror", BLOCK_ON_ERROR_ENOSPC, &on_write, err) &&
               parse_policy(options, "rerror", BLOCK_ON_ERROR_REPORT, &on_read, err)) {
        node = drive_to_node(options, err);
    }
    if (node) {
        n = block_node_new(m, node, inactive, err);
        json_object_put(node);
    }
    if (!n) {
        g_prefix_error(err, "drive '%s': ", id ? id : "");
        return NULL;
    }
    n->drive = g_strdup(id);
    n->raw = true;
    n->on_write_error = on_write;
    n->on_read_error = on_read;
    return n;
}

/* --- queries --- */

static struct json_object *image_json(const BlockNode *n)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "filename", json_object_new_string(n->drv->filename(n)));
    json_object_object_add(o, "format", json_object_new_string("raw"));
    json_object_object_add(o, "virtual-size", json_object_new_uint64(n->size));
    json_object_object_add(o, "dirty-flag", json_object_new_boolean(false));
    return o;
}

static struct json_object *cache_json(const BlockNode *n)
{
    struct json_object *o = json_object_new_object(), *cache, *direct;
    bool d = json_object_object_get_ex(n->options, "cache", &cache) &&
             json_object_object_get_ex(cache, "direct", &direct) && json_object_get_boolean(direct);

    json_object_object_add(o, "writeback", json_object_new_boolean(!n->write_through));
    json_object_object_add(o, "direct", json_object_new_boolean(d));
    json_object_object_add(o, "no-flush", json_object_new_boolean(n->no_flush));
    return o;
}

static struct json_object *node_json(const BlockNode *n)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "file", json_object_new_string(n->drv->filename(n)));
    json_object_object_add(o, "node-name", json_object_new_string(n->name));
    json_object_object_add(o, "ro", json_object_new_boolean(n->read_only));
    json_object_object_add(o, "drv", json_object_new_string(n->raw ? "raw" : n->drv->name));
    json_object_object_add(o, "active", json_object_new_boolean(n->active));
    json_object_object_add(o, "cache", cache_json(n));
    json_object_object_add(o, "image", image_json(n));
    return o;
}

const char *node_user(const BlockNode *n)
{
    return n->user->path ? n->user->path(n->user->opaque) : n->device;
}

static struct json_object *device_json(const BlockNode *n)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "device", json_object_new_string(block_drive_id(n)));
    if (n->user) {
        json_object_object_add(o, "qdev", json_object_new_string(node_user(n)));
        json_object_object_add(o, "io-status",
                               json_object_new_string(!n->io_error             ? "ok"
                                                      : n->io_error == -ENOSPC ? "nospace"
                                                                               : "failed"));
    } else { /* nothing holds it: it may go */
        json_object_object_add(o, "tray_open", json_object_new_boolean(false));
    }
    json_object_object_add(o, "type", json_object_new_string("unknown"));
    json_object_object_add(o, "removable", json_object_new_boolean(!n->user));
    json_object_object_add(o, "locked", json_object_new_boolean(false));
    json_object_object_add(o, "inserted", node_json(n));
    return o;
}

struct json_object *block_query(Machine *m, bool named_nodes)
{
    struct json_object *list = json_object_new_array();
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        const BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (named_nodes) {
            json_object_array_add(list, node_json(n));
        } else if (n->drive || n->user) {
            json_object_array_add(list, device_json(n));
        }
    }
    return list;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backing file of a format node: the option `backing`, or the name and format in the image.
 *
 * An image may come from someone else. A name in it selects only a file (no other protocol, no
 * options). Without a format in the image, a backing file in a format with a backing file of its
 * own is rejected: a guest that had it as a raw disk could otherwise have selected files of the
 * host.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"
#include "util/log.h"

/* Store the path of a backing file, relative to the image that names it. */
static bool backing_path(const BlockNode *n, const char *name, char **path, GError **err)
{
    const char *rest = g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
    g_autofree char *folder = g_path_get_dirname(node_filename(n->child->node));

    if (!g_utf8_validate(rest, -1, NULL)) {
        return error_set(err, ERROR_GUEST, "the name of the backing file is not valid UTF-8");
    }
    if (rest == name && rest[strcspn(rest, ":/")] == ':') {
        return error_set(err, ERROR_USER,
                         "backing file '%s': only files are opened by a name in an image; use "
                         "backing.driver=...",
                         name);
    }
    *path = g_path_is_absolute(rest) || g_str_equal(folder, ".")
                ? g_strdup(rest)
                : g_build_filename(folder, rest, NULL);
    return true;
}

/* An image that is being opened, with those that it was opened for. */
struct BackingStack {
    const BackingStack *above;
    dev_t dev;
    ino_t ino;
    unsigned depth;
};

static bool backing_push(BlockNode *n, const char *path, BackingStack *own, GError **err)
{
    const BackingStack *above = n->set->opening;
    const char *image = node_filename(n->child->node);
    struct stat st;

    *own = (BackingStack){ .above = above, .depth = above ? above->depth + 1 : 1 };
    if (stat(image, &st) == 0) {
        own->dev = st.st_dev;
        own->ino = st.st_ino;
    }
    if (own->depth >= BLOCK_DEPTH_MAX) {
        return error_set(err, ERROR_USER, "backing file '%s': the chain is longer than %d", path,
                         BLOCK_DEPTH_MAX - 1);
    }
    if (stat(path, &st) < 0) {
        return error_set_errno(err, errno, "Could not open backing file '%s' of '%s'", path, image);
    }
    for (const BackingStack *s = own; s; s = s->above) {
        if (s->dev == st.st_dev && s->ino == st.st_ino) {
            return error_set(err, ERROR_USER, "Backing file '%s' of '%s' creates an infinite loop",
                             path, image);
        }
    }
    n->set->opening = own;
    return true;
}

static void backing_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* Create the node of a format over a file that is open. */
static BlockNode *backing_stack_format(BlockNode *n, struct json_object *o, BlockNode *file,
                                       const char *format, bool probed, GError **err)
{
    struct json_object *given = json_object_new_object(), *all;
    BlockNode *top;

    backing_put(given, "driver", format);
    backing_put(given, "file", file->name);
    json_object_object_add(given, "read-only", json_object_new_boolean(true));
    if (probed && driver_find(format) == &block_qcow2) { /* backing_probe() found no name */
        json_object_object_add(given, "backing", NULL);
    }
    all = node_inline_options(o, given);
    json_object_put(given);
    top = node_new_over(n->set->machine, all, file, !n->active, err);
    json_object_put(all);
    return top;
}

static BlockNode *backing_open_file(BlockNode *n, struct json_object *o, const char *path,
                                    GError **err)
{
    struct json_object *given = block_filename_parse_path(path), *all;
    BlockNode *file;

    json_object_object_add(given, "read-only", json_object_new_boolean(true));
    all = node_inline_options(o, given);
    json_object_put(given);
    file = node_new(n->set->machine, NULL, all, !n->active, err);
    json_object_put(all);
    return file;
}

/* Probe the format of a backing file. NULL with *err: it is not one that may be used. */
static const char *backing_probe(BlockNode *file, GError **err)
{
    const char *format;
    uint8_t head[16];

    if (!probe_node(file, &format, err)) {
        return NULL;
    }
    if (!format) {
        message("WARNING: the format of backing file '%s' is not in the image and probing guessed "
                "raw",
                node_filename(file));
        return "raw";
    }
    if (node_read_any(file, 0, head, sizeof(head)) == 0 && g_str_equal(format, "qcow2") &&
        memcmp(head + 8, (uint8_t[8]){ 0 }, 8) == 0) {
        return format;
    }
    error_set(err, ERROR_USER,
              "backing file '%s': the format is not in the image, and probing found '%s'%s; use "
              "backing.driver=..., or qemu-img rebase -u -F",
              node_filename(file), format,
              g_str_equal(format, "qcow2") ? " with a backing file" : "");
    return NULL;
}

static BlockNode *backing_open_named(BlockNode *n, struct json_object *o, const char *path,
                                     const char *format, GError **err)
{
    BlockNode *file;
    const char *known = format;

    if (format && !driver_find(format)) {
        error_set(err, ERROR_USER, "backing file '%s': Unknown driver '%s'", path, format);
        return NULL;
    }
    file = backing_open_file(n, o, path, err);
    if (file && !known) {
        known = backing_probe(file, err);
        if (!known) {
            node_unref(file);
        }
    }
    if (!file || !known || g_str_equal(known, file->drv->name)) {
        return known ? file : NULL;
    }
    return backing_stack_format(n, o, file, known, !format, err);
}

static BlockNode *backing_from_image(BlockNode *n, struct json_object *o, const BlockBacking *image,
                                     GError **err)
{
    g_autofree char *path = NULL;
    BackingStack own;
    BlockNode *b = NULL;

    if (backing_path(n, image->name, &path, err) && backing_push(n, path, &own, err)) {
        b = backing_open_named(n, o, path, image->format, err);
        n->set->opening = own.above;
    }
    return b;
}

static BlockNode *backing_from_option(BlockNode *n, struct json_object *o,
                                      struct json_object *given, const BlockBacking *image,
                                      GError **err)
{
    BackingStack own;
    struct json_object *all;
    BlockNode *b = NULL;

    if (!json_object_is_type(given, json_type_object)) {
        return node_find_named(n->set->machine, json_object_get_string(given), err);
    }
    if (!json_object_object_get_ex(given, "driver", NULL) && image->name) {
        error_set(err, ERROR_USER, "option 'backing' requires 'driver': backing.driver=...");
        return NULL;
    }
    all = node_inline_options(o, given);
    json_object_object_add(all, "read-only", json_object_new_boolean(true));
    own = (BackingStack){ .above = n->set->opening };
    own.depth = own.above ? own.above->depth + 1 : 1;
    if (own.depth >= BLOCK_DEPTH_MAX) {
        error_set(err, ERROR_USER, "the chain of nodes is longer than %d", BLOCK_DEPTH_MAX - 1);
    } else {
        n->set->opening = &own;
        b = node_new(n->set->machine, NULL, all, !n->active, err);
        n->set->opening = own.above;
    }
    json_object_put(all);
    return b;
}

static bool backing_attach(BlockNode *n, BlockNode *b, GError **err)
{
    if (b->depth >= BLOCK_DEPTH_MAX) {
        error_set(err, ERROR_USER, "the chain of nodes below is longer than %d",
                  BLOCK_DEPTH_MAX - 1);
    } else {
        n->backing = edge_new(b, n, NULL, "backing", BLOCK_PERM_CONSISTENT_READ,
                              BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED, err);
    }
    if (!n->backing) {
        node_unref(b);
        return false;
    }
    n->depth = MAX(n->depth, b->depth + 1);
    return true;
}

bool backing_open(BlockNode *n, struct json_object *o, const BlockBacking *image, GError **err)
{
    struct json_object *given = NULL;
    bool present = json_object_object_get_ex(o, "backing", &given);
    BlockNode *b;

    if (present && given == NULL) { /* null: none */
        return true;
    }
    if (present && json_object_is_type(given, json_type_string) &&
        !*json_object_get_string(given)) {
        return true; /* backing= on a command line */
    }
    if (present) {
        b = backing_from_option(n, o, given, image, err);
    } else if (image->name) {
        b = backing_from_image(n, o, image, err);
    } else {
        return true;
    }
    return b && backing_attach(n, b, err);
}

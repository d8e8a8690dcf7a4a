/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-block and query-named-block-nodes.
 */
#include <errno.h>
#include <sys/stat.h>

#include "block/media.h"
#include "internal.h"

static void query_put_str(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static void query_put_bool(struct json_object *o, const char *key, bool value)
{
    json_object_object_add(o, key, json_object_new_boolean(value));
}

static struct json_object *query_image(const BlockNode *n)
{
    struct json_object *o = json_object_new_object();
    struct stat st;

    query_put_str(o, "filename", node_filename(n));
    query_put_str(o, "format", n->drv->name);
    json_object_object_add(o, "virtual-size", json_object_new_uint64(n->size));
    if (stat(node_filename(n), &st) == 0) {
        json_object_object_add(o, "actual-size", json_object_new_uint64(st.st_blocks * 512ull));
    }
    query_put_bool(o, "dirty-flag", false);
    if (n->drv->info) {
        n->drv->info(n, o);
    }
    if (n->backing) {
        query_put_str(o, "full-backing-filename", node_filename(n->backing->node));
        json_object_object_add(o, "backing-image", query_image(n->backing->node));
    }
    return o;
}

/* The node that provides what n does not contain; NULL: none. */
static const BlockNode *query_backing(const BlockNode *n)
{
    return n->backing ? n->backing->node : overlay_is(n) ? n->child->node : NULL;
}

static unsigned query_backing_depth(const BlockNode *n)
{
    unsigned depth = 0;

    while ((n = query_backing(n))) {
        depth++;
    }
    return depth;
}

static struct json_object *query_cache(const BlockNode *n)
{
    struct json_object *o = json_object_new_object();

    query_put_bool(o, "writeback", !n->write_through);
    query_put_bool(o, "direct", n->direct);
    query_put_bool(o, "no-flush", n->no_flush);
    return o;
}

static struct json_object *query_node(const BlockNode *n)
{
    static const char *const detects[] = { "off", "on", "unmap" };
    struct json_object *o = json_object_new_object();

    query_put_str(o, "file", node_filename(n));
    query_put_str(o, "node-name", n->name);
    query_put_bool(o, "ro", n->read_only);
    query_put_str(o, "drv", n->drv->name);
    query_put_bool(o, "active", n->active);
    query_put_bool(o, "encrypted", false);
    query_put_str(o, "detect_zeroes", detects[n->detect_zeroes]);
    limits_query(n, o);
    json_object_object_add(o, "write_threshold", json_object_new_int(0));
    json_object_object_add(o, "backing_file_depth",
                           json_object_new_int((int)query_backing_depth(n)));
    if (query_backing(n)) {
        query_put_str(o, "backing_file", node_filename(query_backing(n)));
    }
    json_object_object_add(o, "cache", query_cache(n));
    json_object_object_add(o, "image", query_image(n));
    return o;
}

static const char *query_io_status(const BlockNode *n)
{
    return !n->io_error ? "ok" : n->io_error == -ENOSPC ? "nospace" : "failed";
}

/* An entry of query-block for a drive, or for a device on a node. user: NULL without a device. */
static struct json_object *query_device(const BlockNode *n, const BlockEdge *user)
{
    struct json_object *o = json_object_new_object();

    query_put_str(o, "device", block_drive_id(n));
    if (user) {
        query_put_str(o, "qdev", edge_user_name(user));
        query_put_str(o, "io-status", query_io_status(n));
    } else { /* no device uses the drive */
        query_put_bool(o, "tray_open", false);
    }
    query_put_str(o, "type", "unknown");
    query_put_bool(o, "removable", !user);
    query_put_bool(o, "locked", false);
    if (n->drv != &block_empty) {
        json_object_object_add(o, "inserted", query_node(n));
    }
    return o;
}

/* An entry of query-block for a device with removable media. */
static struct json_object *query_media(const BlockMedia *mm)
{
    struct json_object *o = json_object_new_object();

    query_put_str(o, "device", mm->drive ? mm->drive : "");
    query_put_str(o, "qdev", device_id_or_path(mm->device));
    if (mm->node) {
        query_put_str(o, "io-status", query_io_status(mm->node));
    }
    query_put_bool(o, "tray_open", mm->tray_open);
    query_put_str(o, "type", "unknown");
    query_put_bool(o, "removable", true);
    query_put_bool(o, "locked", mm->locked);
    if (mm->node) {
        json_object_object_add(o, "inserted", query_node(mm->node));
    }
    return o;
}

static void query_add_devices(struct json_object *list, const BlockNode *n)
{
    bool any = false;

    for (unsigned i = 0; i < n->parents->len; i++) {
        const BlockEdge *e = n->parents->pdata[i];

        if (e->user && !e->user->removable) {
            json_object_array_add(list, query_device(n, e));
        }
        any |= e->user != NULL;
    }
    if (!any && n->drive && !block_media_of_drive(n->set, n->drive)) {
        json_object_array_add(list, query_device(n, NULL));
    }
}

struct json_object *block_query(Machine *m, bool named_nodes)
{
    struct json_object *list = json_object_new_array();
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        const BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (!named_nodes) {
            query_add_devices(list, n);
        } else if (n->drv != &block_empty) {
            json_object_array_add(list, query_node(n));
        }
    }
    for (unsigned i = 0; !named_nodes && i < set->media->len; i++) {
        json_object_array_add(list, query_media(g_ptr_array_index(set->media, i)));
    }
    return list;
}

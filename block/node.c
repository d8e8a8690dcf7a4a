/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes: creation, lookup and deletion (contract in block/block.h).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* Drivers that users can name. The overlay is used by snapshot=on only. */
static const BlockDriver *const drivers[] = { &block_file,     &block_host_device, &block_null,
                                              &block_null_aio, &block_raw,         &block_qcow2,
                                              &block_blkdebug, &block_throttle,    &block_nbd };

enum { NAME_LEN_MAX = 127 };

bool block_driver_keys(size_t i, const char **name, const char *const **keys)
{
    bool there = i < G_N_ELEMENTS(drivers) && drivers[i] != &block_overlay; /* no more drivers */

    if (there) {
        *name = drivers[i]->name;
        *keys = drivers[i]->keys;
    }
    return there;
}

const BlockDriver *driver_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (g_str_equal(drivers[i]->name, name)) {
            return drivers[i];
        }
    }
    return NULL;
}

char *block_format_names(void)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        g_string_append_printf(out, "%s%s", out->len ? " " : "", drivers[i]->name);
    }
    return g_string_free(out, FALSE);
}

static const BlockDriver *node_need_driver(struct json_object *o, GError **err)
{
    const char *name = opt_str(o, "driver");
    const BlockDriver *drv = name ? driver_find(name) : NULL;
    g_autofree char *all = drv ? NULL : block_format_names();

    if (!name) {
        error_set(err, ERROR_USER, "Parameter 'driver' is missing; use one of %s", all);
    } else if (!drv && probe_knows(name)) {
        error_set(err, ERROR_USER, "format '%s' is not available in this version; use one of %s",
                  name, all);
    } else if (!drv) {
        error_set(err, ERROR_USER, "Unknown driver '%s'; use one of %s", name, all);
    }
    return drv;
}

bool node_check(struct json_object *o, GError **err)
{
    const BlockDriver *drv = node_need_driver(o, err);

    return drv && opt_known(o, drv->keys, drv->name, err);
}

BlockNode *block_find(Machine *m, const char *name)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; name && i < set->nodes->len; i++) {
        BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (g_strcmp0(n->name, name) == 0 || g_strcmp0(n->drive, name) == 0) {
            return n;
        }
    }
    return NULL;
}

const char *node_filename(const BlockNode *n)
{
    while (!n->drv->filename) {
        n = n->child->node;
    }
    return n->drv->filename(n);
}

/* --- options of every node --- */

static bool node_read_cache(BlockNode *n, struct json_object *o, GError **err)
{
    static const char *const keys[] = { "direct", "no-flush", "writeback", NULL };
    struct json_object *cache;
    bool writeback = true;

    if (!json_object_object_get_ex(o, "cache", &cache)) {
        return true;
    }
    if (!json_object_is_type(cache, json_type_object)) {
        return error_set(err, ERROR_USER,
                         "option 'cache' must be an object with direct, no-flush and writeback");
    }
    if (!opt_known(cache, keys, "cache", err) ||
        !opt_bool(cache, "direct", false, &n->direct, err) ||
        !opt_bool(cache, "no-flush", false, &n->no_flush, err) ||
        !opt_bool(cache, "writeback", true, &writeback, err)) {
        return false;
    }
    n->write_through = !writeback;
    return true;
}

static bool node_read_common(BlockNode *n, struct json_object *o, GError **err)
{
    static const char *const discards[] = { "ignore", "off", "unmap", "on", NULL };
    static const char *const detects[] = { "off", "on", "unmap", NULL };
    int discard = 0, detect = DETECT_OFF;

    if (!opt_enum(o, "discard", discards, 0, &discard, err) ||
        !opt_enum(o, "detect-zeroes", detects, DETECT_OFF, &detect, err) ||
        !opt_bool(o, "read-only", false, &n->read_only, err) ||
        !opt_bool(o, "force-share", false, &n->force_share, err) || !node_read_cache(n, o, err)) {
        return false;
    }
    n->discard = discard >= 2;
    n->detect_zeroes = (DetectZeroes)detect;
    if (n->force_share && !n->read_only) {
        return error_set(err, ERROR_USER, "force-share=on can only be used with read-only images");
    }
    if (n->detect_zeroes == DETECT_UNMAP && !n->discard) {
        return error_set(err, ERROR_USER,
                         "setting detect-zeroes to unmap is not allowed without setting discard "
                         "operation to unmap");
    }
    return true;
}

/* --- children --- */

static void node_inherit_option(struct json_object *from, struct json_object *to, const char *key)
{
    struct json_object *v;

    if (!json_object_object_get_ex(to, key, NULL) && json_object_object_get_ex(from, key, &v)) {
        json_object_object_add(to, key, json_object_get(v));
    }
}

struct json_object *node_inline_options(struct json_object *parent, struct json_object *given)
{
    struct json_object *o = json_object_new_object(), *from, *cache;

    json_object_object_foreach(given, key, value)
    {
        json_object_object_add(o, key, json_object_get(value));
    }
    node_inherit_option(parent, o, "read-only");
    node_inherit_option(parent, o, "auto-read-only");
    node_inherit_option(parent, o, "force-share");
    if (json_object_object_get_ex(parent, "cache", &from) &&
        json_object_is_type(from, json_type_object)) {
        struct json_object *own = NULL, *merged = json_object_new_object();

        if (json_object_object_get_ex(o, "cache", &own)) {
            json_object_object_foreach(own, key2, value2)
            {
                json_object_object_add(merged, key2, json_object_get(value2));
            }
        }
        cache = merged;
        node_inherit_option(from, cache, "direct");
        node_inherit_option(from, cache, "no-flush");
        json_object_object_add(o, "cache", cache);
    }
    if (!opt_str(o, "discard")) {
        json_object_object_add(o, "discard", json_object_new_string("unmap"));
    }
    return o;
}

BlockNode *node_find_named(Machine *m, const char *name, GError **err)
{
    BlockNode *n = block_find(m, name);

    if (!n) {
        error_set(err, ERROR_USER, "Cannot find device='%s' nor node-name='%s'", name, name);
    }
    return n;
}

/* Find the child, or create it from inline options. */
static BlockNode *node_find_child(BlockNode *n, struct json_object *o, bool inactive, GError **err)
{
    Machine *m = n->set->machine;
    struct json_object *given, *all;
    BlockNode *child;

    if (!json_object_object_get_ex(o, n->drv->child, &given) || !given) {
        error_set(err, ERROR_USER,
                  "Parameter '%s' is missing: use the name of a node or the options of one "
                  "(%s.driver=...)",
                  n->drv->child, n->drv->child);
        return NULL;
    }
    if (json_object_is_type(given, json_type_object)) {
        all = node_inline_options(o, given);
        child = node_new(m, NULL, all, inactive, err);
        json_object_put(all);
        return child;
    }
    return node_find_named(m, json_object_get_string(given), err);
}

static bool node_open_child(BlockNode *n, struct json_object *o, bool inactive, GError **err)
{
    BlockNode *child;

    if (!n->drv->child) {
        return true;
    }
    child = node_find_child(n, o, inactive, err);
    if (!child) {
        return false;
    }
    if (child->depth >= BLOCK_DEPTH_MAX) {
        error_set(err, ERROR_USER, "the chain of nodes below is longer than %d",
                  BLOCK_DEPTH_MAX - 1);
    } else {
        n->child = edge_new(child, n, NULL, n->drv->child, 0, BLOCK_PERM_ALL, err);
    }
    if (!n->child) {
        node_unref(child);
        return false;
    }
    n->depth = child->depth + 1;
    if (child->read_only && n->drv != &block_overlay && !opt_str(o, "read-only")) {
        n->read_only = true;
    }
    return true;
}

/* --- creation --- */

static bool node_name_usable(const char *name)
{
    bool ok = g_ascii_isalpha(*name) && strlen(name) <= NAME_LEN_MAX;

    for (const char *c = name; ok && *c; c++) {
        ok = g_ascii_isalnum(*c) || strchr("-._", *c);
    }
    return ok;
}

/* Names that begin with '#' are generated, for nodes without a name and for drives. */
static bool node_set_name(BlockNode *n, struct json_object *o, GError **err)
{
    const char *name = opt_str(o, "node-name");

    do {
        g_free(n->name);
        n->name = name ? g_strdup(name) : g_strdup_printf("#block%03u", n->set->n_auto++);
    } while (!name && block_find(n->set->machine, n->name));
    if (name && !node_name_usable(name) && !g_str_has_prefix(name, "#block-")) {
        error_set(err, ERROR_USER,
                  "Invalid node-name: '%.*s': use a letter and up to %d letters, "
                  "digits, '-', '.' and '_'",
                  NAME_LEN_MAX, name, NAME_LEN_MAX - 1);
    } else if (block_find(n->set->machine, n->name)) {
        error_set(err, ERROR_USER, "Duplicate nodes with node-name='%s'", n->name);
    } else {
        return true;
    }
    return false;
}

static void node_release(BlockNode *n)
{
    edge_free(n->backing);
    edge_free(n->child);
    g_ptr_array_free(n->parents, TRUE);
    g_free(n->name);
    g_free(n->drive);
    g_free(n);
}

static bool node_open(BlockNode *n, struct json_object *o, bool inactive, GError **err)
{
    if (!opt_known(o, n->drv->keys, n->drv->name, err) || !node_set_name(n, o, err) ||
        !node_read_common(n, o, err) || !node_open_child(n, o, inactive, err)) {
        return false;
    }
    n->active = !inactive;
    return (!n->child || node_apply(n, err)) && n->drv->open(n, o, err);
}

BlockNode *node_new(Machine *m, const BlockDriver *drv, struct json_object *o, bool inactive,
                    GError **err)
{
    BlockNode *n;

    drv = drv ? drv : node_need_driver(o, err);
    if (!drv) {
        return NULL;
    }
    n = g_new0(BlockNode, 1);
    n->set = block_set(m);
    n->drv = drv;
    n->depth = 1;
    n->parents = g_ptr_array_new();
    n->on_write_error = BLOCK_ON_ERROR_ENOSPC;
    if (!block_set_ready(n->set, err)) {
        node_release(n);
        return NULL;
    }
    n->queue = n->set->queue;
    if (!node_open(n, o, inactive, err)) {
        node_release(n);
        return NULL;
    }
    g_ptr_array_add(n->set->nodes, n);
    return n;
}

BlockNode *node_new_over(Machine *m, struct json_object *o, BlockNode *child, bool inactive,
                         GError **err)
{
    BlockNode *n;

    child->named = true; /* node_new() may fail after it attached the child and detached it */
    n = node_new(m, NULL, o, inactive, err);
    child->named = false;
    if (!n) {
        node_unref(child);
    }
    return n;
}

BlockNode *block_node_new(Machine *m, struct json_object *options, bool inactive, GError **err)
{
    const char *name = opt_str(options, "node-name");
    BlockNode *n = NULL;

    if (!name) {
        error_set(err, ERROR_USER, "property 'node-name' is required: node-name=NAME");
    } else if (!node_name_usable(name)) {
        error_set(err, ERROR_USER, "Invalid node-name: '%.*s'", NAME_LEN_MAX, name);
    } else {
        n = node_new(m, NULL, options, inactive, err);
        if (!n) {
            g_prefix_error(err, "block node '%s': ", name);
        }
    }
    if (n) {
        n->named = true;
    }
    return n;
}

/* --- deletion --- */

static void node_destroy(BlockNode *n)
{
    block_drain(n);
    if (n->limits) {
        throttle_leave(n->limits);
    }
    n->drv->close(n);
    g_ptr_array_remove(n->set->nodes, n);
    node_release(n);
}

void node_unref(BlockNode *n)
{
    if (!n->named && n->parents->len == 0) {
        node_destroy(n);
    }
}

bool block_node_del(Machine *m, const char *name, GError **err)
{
    BlockNode *n = block_find(m, name);

    if (!n) {
        return error_set(err, ERROR_USER, "Failed to find node with node-name='%s'", name);
    }
    for (unsigned i = 0; i < n->parents->len; i++) {
        if (n->parents->pdata[i] != n->drive_ref) {
            g_autofree char *who = edge_describe(n->parents->pdata[i]);

            return error_set(err, ERROR_USER, "Node '%s' is in use by %s", name, who);
        }
    }
    n->named = false;
    if (n->drive_ref) {
        edge_free(g_steal_pointer(&n->drive_ref));
    } else {
        node_unref(n);
    }
    return true;
}

/* --- queries of devices --- */

const char *block_name(const BlockNode *n)
{
    return n->name;
}

const char *block_drive_id(const BlockNode *n)
{
    return n->drive ? n->drive : "";
}

uint64_t block_size(const BlockNode *n)
{
    return n->size;
}

bool block_read_only(const BlockNode *n)
{
    return n->read_only;
}

BlockErrorPolicy block_on_error(const BlockNode *n, bool write)
{
    return write ? n->on_write_error : n->on_read_error;
}

void block_set_io_status(BlockNode *n, int error)
{
    n->io_error = error;
}

/* --- the set --- */

void block_free_all(Machine *m)
{
    BlockSet *set = m->blocks;

    if (!set) {
        return;
    }
    while (set->nodes->len > 0) { /* parents follow their children in the list */
        BlockNode *n = g_ptr_array_index(set->nodes, set->nodes->len - 1);

        while (n->parents->len > 1) {
            edge_free(n->parents->pdata[0]);
        }
        n->named = false;
        if (n->parents->len) {
            edge_free(n->parents->pdata[0]);
        } else {
            node_unref(n);
        }
    }
    if (set->pool) {
        g_thread_pool_free(set->pool, FALSE, TRUE);
    }
    queues_free(set);
    g_ptr_array_free(set->nodes, TRUE);
    g_ptr_array_free(set->media, TRUE);
    if (set->throttle_groups) {
        g_ptr_array_free(set->throttle_groups, TRUE);
    }
    g_free(set);
    m->blocks = NULL;
}

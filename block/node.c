/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block nodes: making, finding and deleting them, and the checks before a driver sees a request
 * (contract in block/block.h).
 */
#include <errno.h>
#include <string.h>

#include "block_int.h"

static const BlockDriver *const drivers[] = { &block_file, &block_host_device, &block_null };
static const char *const common_keys[] = {
    "driver",  "node-name", "read-only", "auto-read-only", "cache",
    "discard", "file",      "filename",  "detect-zeroes",  NULL
};
static const char *const cache_keys[] = { "direct", "no-flush", "writeback", NULL };
static const char *const no_keys[] = { NULL };

static const BlockDriver *find_driver(const char *name, GError **err)
{
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (name && g_str_equal(drivers[i]->name, name)) {
            return drivers[i];
        }
    }
    BLOCK_ERROR(err, "'%s' is not a block driver; accepted are raw, file, host_device and null-co",
                name ? name : "");
    return NULL;
}

BlockNode *block_find(Machine *m, const char *name)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (g_strcmp0(n->name, name) == 0 || g_strcmp0(n->drive, name) == 0) {
            return n;
        }
    }
    return NULL;
}

/* "raw" adds nothing to the node below it: its options move down, and it is the node. */
static struct json_object *see_through_raw(struct json_object *options, GError **err)
{
    struct json_object *child, *merged;
    const char *driver = opt_str(options, "driver");

    if (!driver || !g_str_equal(driver, "raw")) {
        return json_object_get(options);
    }
    if (!json_object_object_get_ex(options, "file", &child) ||
        !json_object_is_type(child, json_type_object)) {
        BLOCK_ERROR(err, "a raw node needs the node below it: file.driver=...,file.filename=...");
        return NULL;
    }
    merged = json_object_new_object();
    json_object_object_foreach(child, key, value)
    {
        json_object_object_add(merged, key, json_object_get(value));
    }
    json_object_object_foreach(options, key2, value2)
    {
        if (!g_str_equal(key2, "driver") && !g_str_equal(key2, "file")) {
            json_object_object_add(merged, key2, json_object_get(value2));
        }
    }
    return merged;
}

static bool read_common(BlockNode *n, struct json_object *o, GError **err)
{
    struct json_object *cache = NULL;
    const char *discard = opt_str(o, "discard");
    bool writeback = true;

    if (discard &&
        !g_strv_contains((const char *const[]){ "ignore", "off", "unmap", "on", NULL }, discard)) {
        BLOCK_ERROR(err, "discard=%s: accepted are ignore and unmap", discard);
        return false;
    }
    n->discard = discard && (g_str_equal(discard, "unmap") || g_str_equal(discard, "on"));
    if (json_object_object_get_ex(o, "cache", &cache)) {
        if (!json_object_is_type(cache, json_type_object)) {
            BLOCK_ERROR(err, "cache is an object with direct, no-flush and writeback");
            return false;
        }
        if (!opt_known(cache, cache_keys, no_keys, "cache", err) ||
            !opt_bool(cache, "no-flush", false, &n->no_flush, err) ||
            !opt_bool(cache, "writeback", true, &writeback, err)) {
            return false;
        }
        n->write_through = !writeback;
    }
    return opt_bool(o, "read-only", false, &n->read_only, err);
}

static void node_free(BlockNode *n)
{
    g_free(n->name);
    g_free(n->drive);
    g_free(n->device);
    if (n->options) {
        json_object_put(n->options);
    }
    g_free(n);
}

static bool node_open(BlockNode *n, struct json_object *o, bool inactive, GError **err)
{
    n->drv = find_driver(opt_str(o, "driver"), err);
    if (!n->drv || !opt_known(o, common_keys, n->drv->keys, n->drv->name, err) ||
        !read_common(n, o, err) || !n->drv->open(n, o, err)) {
        return false;
    }
    if (!inactive && !n->drv->activate(n, err)) {
        n->drv->close(n);
        return false;
    }
    n->active = !inactive;
    return true;
}

BlockNode *block_node_new(Machine *m, struct json_object *options, bool inactive, GError **err)
{
    struct json_object *o = see_through_raw(options, err);
    const char *name = o ? opt_str(o, "node-name") : NULL;
    BlockNode *n;

    if (!o) {
        return NULL;
    }
    if (!name || block_find(m, name)) {
        BLOCK_ERROR(err,
                    name ? "a block node named '%s' exists already"
                         : "a block node needs a name: node-name=...%s",
                    name ? name : "");
        json_object_put(o);
        return NULL;
    }
    n = g_new0(BlockNode, 1);
    n->set = block_set(m);
    n->name = g_strdup(name);
    n->options = o;
    n->raw = o != options;
    if (!node_open(n, o, inactive, err)) {
        g_prefix_error(err, "block node '%s': ", n->name);
        node_free(n);
        return NULL;
    }
    g_ptr_array_add(n->set->nodes, n);
    return n;
}

static void node_destroy(BlockNode *n)
{
    block_drain(n);
    n->drv->close(n);
    g_ptr_array_remove(n->set->nodes, n);
    node_free(n);
}

bool block_node_del(Machine *m, const char *name, GError **err)
{
    BlockNode *n = block_find(m, name);

    if (!n) {
        BLOCK_ERROR(err, "there is no block node named '%s'", name);
        return false;
    }
    if (n->user) {
        BLOCK_ERROR(err, "block node '%s' is in use by %s", name, n->device);
        return false;
    }
    node_destroy(n);
    return true;
}

bool block_attach(BlockNode *n, const BlockUser *user, const char *device, GError **err)
{
    if (n->user) {
        BLOCK_ERROR(err, "%s: block node '%s' is in use by %s", device, n->name, n->device);
        return false;
    }
    n->user = user;
    n->device = g_strdup(device);
    return true;
}

void block_detach(BlockNode *n)
{
    block_drain(n);
    n->user = NULL;
    n->io_error = 0;
    g_clear_pointer(&n->device, g_free);
}

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

bool block_resize(BlockNode *n, uint64_t size, GError **err)
{
    if (size % BLOCK_SECTOR) {
        BLOCK_ERROR(err, "block node '%s': %" G_GUINT64_FORMAT " is not a multiple of %u bytes",
                    n->name, size, BLOCK_SECTOR);
        return false;
    }
    if (n->read_only) {
        BLOCK_ERROR(err, "block node '%s' is read-only", n->name);
        return false;
    }
    block_drain(n);
    if (!n->drv->resize(n, size, err)) {
        return false;
    }
    n->size = size;
    if (n->user && n->user->resized) {
        n->user->resized(n->user->opaque, size);
    }
    return true;
}

/* --- I/O --- */

static bool moves_data(BlockOp op)
{
    return op == BLOCK_READ || op == BLOCK_WRITE;
}

static int refusal(const BlockNode *n, const BlockRequest *req)
{
    if (req->op != BLOCK_FLUSH && (req->len > n->size || req->offset > n->size - req->len)) {
        return -EIO;
    }
    if (n->read_only && req->op != BLOCK_READ && req->op != BLOCK_FLUSH) {
        return -EPERM;
    }
    return n->active ? 0 : -EIO;
}

void block_submit(BlockNode *n, BlockRequest *req)
{
    int error = refusal(n, req);

    req->priv[REQ_NODE] = n;
    stats_begin(req);
    req->fua |= n->write_through;
    req->may_unmap &= n->discard;
    n->in_flight++;
    if (error) {
        block_complete_any(req, error);
    } else if ((req->op == BLOCK_FLUSH && (n->no_flush || n->read_only)) ||
               (req->op == BLOCK_DISCARD && !n->discard) ||
               (moves_data(req->op) && req->len == 0)) {
        block_complete_any(req, 0);
    } else {
        n->drv->submit(n, req);
    }
}

unsigned block_in_flight(const BlockNode *n)
{
    return n->in_flight;
}

void block_drain(BlockNode *n)
{
    while (n->in_flight > 0) {
        block_wait(n->set);
    }
}

void block_drain_all(Machine *m)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        block_drain(g_ptr_array_index(set->nodes, i));
    }
}

/* --- hand-over --- */

bool block_activate_all(Machine *m, GError **err)
{
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (!n->active && !n->drv->activate(n, err)) {
            return false;
        }
        n->active = true;
    }
    return true;
}

bool block_inactivate_all(Machine *m, GError **err)
{
    BlockSet *set = block_set(m);

    block_drain_all(m);
    for (unsigned i = 0; i < set->nodes->len; i++) {
        BlockNode *n = g_ptr_array_index(set->nodes, i);

        if (n->active && !n->drv->inactivate(n, err)) {
            return false;
        }
        n->active = false;
    }
    return true;
}

/* --- the set --- */

void block_free_all(Machine *m)
{
    BlockSet *set = m->blocks;

    if (!set) {
        return;
    }
    while (set->nodes->len > 0) {
        node_destroy(g_ptr_array_index(set->nodes, set->nodes->len - 1));
    }
    if (set->pool) {
        g_thread_pool_free(set->pool, FALSE, TRUE);
    }
    if (set->ring) {
        ring_free(set->ring);
    }
    g_source_remove(set->source);
    close(set->event);
    g_ptr_array_free(set->nodes, TRUE);
    g_mutex_clear(&set->lock);
    g_free(set);
    m->blocks = NULL;
}

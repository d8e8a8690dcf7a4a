/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O limits of drives and devices: options of -drive, block_set_io_throttle and queries.
 */
#include <string.h>

#include "block/media.h"
#include "hw/core/device.h"
#include "internal.h"

/* Older names of the limits, which QMP uses, in the order of IoLimitKind. */
static const char *const limit_old_names[IO_LIMIT_KINDS] = { "bps",  "bps_rd",  "bps_wr",
                                                             "iops", "iops_rd", "iops_wr" };

/* --- options --- */

bool limits_is_option(const char *key)
{
    static const char *const others[] = { "iops_size", "group", "throttling", NULL };

    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        size_t len = strlen(limit_old_names[i]);

        if (strncmp(key, limit_old_names[i], len) == 0 &&
            (!key[len] || g_str_equal(key + len, "_max"))) {
            return true;
        }
    }
    return g_strv_contains(others, key);
}

/* Read an option with a new name in `throttling`, or an old name in the drive. */
static bool limits_read_one(struct json_object *drive, struct json_object *nested, const char *name,
                            const char *old, uint64_t *out, GError **err)
{
    bool has_new = nested && opt_str(nested, name), has_old = old && opt_str(drive, old);

    if (has_new && has_old) {
        return error_set(err, ERROR_USER,
                         "'throttling.%s' and its alias '%s' can't be used at the same time", name,
                         old);
    }
    return has_old ? opt_size(drive, old, 0, out, err)
                   : !has_new || opt_size(nested, name, 0, out, err);
}

static bool limits_read_kind(struct json_object *drive, struct json_object *nested, unsigned kind,
                             struct IoLimit *l, GError **err)
{
    const char *name = io_limit_names[kind], *old = limit_old_names[kind];
    g_autofree char *max = g_strdup_printf("%s-max", name);
    g_autofree char *length = g_strdup_printf("%s-max-length", name);
    g_autofree char *old_max = g_strdup_printf("%s_max", old);

    return limits_read_one(drive, nested, name, old, &l->avg, err) &&
           limits_read_one(drive, nested, max, old_max, &l->max, err) &&
           limits_read_one(drive, nested, length, NULL, &l->max_length, err);
}

static bool limits_check_nested(struct json_object *nested, GError **err)
{
    json_object_object_foreach(nested, key, value)
    {
        bool known = g_str_equal(key, "group") || g_str_equal(key, "iops-size");

        (void)value;
        for (unsigned i = 0; i < IO_LIMIT_KINDS && !known; i++) {
            size_t len = strlen(io_limit_names[i]);

            known = strncmp(key, io_limit_names[i], len) == 0 &&
                    (!key[len] || g_str_equal(key + len, "-max") ||
                     g_str_equal(key + len, "-max-length"));
        }
        if (!known) {
            return error_set(err, ERROR_USER,
                             "option 'throttling.%s' is unknown: use group, iops-size, or one of "
                             "bps-total, bps-read, bps-write, iops-total, iops-read and "
                             "iops-write, also with -max and -max-length",
                             key);
        }
    }
    return true;
}

bool limits_read(struct json_object *drive, IoLimits *limits, const char **group, GError **err)
{
    struct json_object *nested = NULL;

    if (json_object_object_get_ex(drive, "throttling", &nested) &&
        !json_object_is_type(nested, json_type_object)) {
        return error_set(err, ERROR_USER,
                         "throttling: use throttling.iops-total=... or another "
                         "limit");
    }
    *limits = (IoLimits){ 0 };
    *group =
        nested && opt_str(nested, "group") ? opt_str(nested, "group") : opt_str(drive, "group");
    if (nested && !limits_check_nested(nested, err)) {
        return false;
    }
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (!limits_read_kind(drive, nested, i, &limits->of[i], err)) {
            return false;
        }
    }
    return limits_read_one(drive, nested, "iops-size", "iops_size", &limits->op_size, err) &&
           io_limits_check(limits, err);
}

/* --- nodes --- */

void limits_apply(BlockNode *n, const IoLimits *limits, const char *group)
{
    if (n->limits && !g_str_equal(throttle_group_name(n->limits), group)) {
        throttle_leave(g_steal_pointer(&n->limits));
    }
    if (!n->limits) {
        n->limits = throttle_join(n->set, group, n);
    }
    if (io_limits_any(limits)) {
        throttle_set_limits(n->limits, limits);
    }
}

/* Return whether a device, by id, by path, or by the path of its virtio part, uses the node. */
static bool limits_is_user(const BlockEdge *e, const char *id, const char *path)
{
    const char *name = e->user ? edge_user_name(e) : NULL;
    size_t len = path ? strlen(path) : 0;

    return name && (g_str_equal(name, id) ||
                    (path && strncmp(name, path, len) == 0 && (!name[len] || name[len] == '/')));
}

static BlockNode *limits_find_node(Machine *m, const char *drive, const char *id, GError **err)
{
    BlockSet *set = block_set(m);
    const Device *dev = id ? device_find_id(m, id) : NULL;
    const BlockMedia *media = drive ? block_media_of_drive(set, drive) : NULL;
    BlockNode *n = media && media->node ? media->node : NULL;

    if (n) {
        return n; /* the medium may have been changed since the drive was created */
    }
    n = drive ? block_find(m, drive) : NULL;
    if (n && n->drive && g_str_equal(n->drive, drive)) {
        return n;
    }
    for (unsigned i = 0; id && i < set->nodes->len; i++) {
        n = set->nodes->pdata[i];
        for (unsigned k = 0; k < n->parents->len; k++) {
            if (limits_is_user(n->parents->pdata[k], id, dev ? dev->path : NULL)) {
                return n;
            }
        }
    }
    error_set(err, ERROR_USER, "Device '%s' not found", drive ? drive : id ? id : "");
    return NULL;
}

bool block_set_limits(Machine *m, const char *drive, const char *id, const IoLimits *limits,
                      const char *group, GError **err)
{
    BlockNode *n;

    if (!drive == !id) {
        return error_set(err, ERROR_USER, "one of 'device' and 'id' is required");
    }
    n = limits_find_node(m, drive, id, err);
    if (!n || !io_limits_check(limits, err)) {
        return false;
    }
    if (n->drv == &block_empty) {
        return error_set(err, ERROR_USER, "Device '%s' has no medium", drive ? drive : id);
    }
    if (!io_limits_any(limits)) {
        if (n->limits) {
            throttle_leave(g_steal_pointer(&n->limits));
        }
        return true;
    }
    group = group ? group : n->limits ? throttle_group_name(n->limits) : drive ? drive : id;
    limits_apply(n, limits, group);
    return true;
}

/* --- queries --- */

static void limits_put(struct json_object *o, const char *name, const char *suffix, uint64_t value)
{
    g_autofree char *key = g_strconcat(name, suffix, NULL);

    json_object_object_add(o, key, json_object_new_uint64(value));
}

void limits_query(const BlockNode *n, struct json_object *o)
{
    static const IoLimits none;
    const IoLimits *l = n->limits ? throttle_limits(n->limits) : &none;

    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        limits_put(o, limit_old_names[i], "", l->of[i].avg);
    }
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (l->of[i].max) {
            limits_put(o, limit_old_names[i], "_max", l->of[i].max);
            limits_put(o, limit_old_names[i], "_max_length", MAX(l->of[i].max_length, 1));
        }
    }
    if (l->op_size) {
        limits_put(o, "iops", "_size", l->op_size);
    }
    if (n->limits) {
        json_object_object_add(o, "group", json_object_new_string(throttle_group_name(n->limits)));
    }
}

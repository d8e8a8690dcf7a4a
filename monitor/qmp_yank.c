/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-yank and yank: connections to other hosts, and how to break them when a peer hangs.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "migration/migration.h"

static struct json_object *yank_add(struct json_object *list, const char *type)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "type", json_object_new_string(type));
    json_object_array_add(list, o);
    return o;
}

static void yank_add_chardev(void *opaque, Chardev *c)
{
    if (chardev_may_hang_up(c)) {
        json_object_object_add(yank_add(opaque, "chardev"), "id",
                               json_object_new_string(chardev_id(c)));
    }
}

static bool yank_has_migration(Machine *m)
{
    const Migration *mig = migration_of(m);

    return mig && migration_may_hang_up(mig);
}

struct json_object *qmp_query_yank(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    chardev_foreach(m, yank_add_chardev, list);
    if (yank_has_migration(m)) {
        yank_add(list, "migration");
    }
    return list;
}

/* Break the connection of an instance, or only check that it exists. */
static bool yank_instance(Machine *m, struct json_object *o, bool check)
{
    const char *type = json_object_get_string(json_object_object_get(o, "type"));
    const char *id = json_object_get_string(json_object_object_get(o, "id"));
    Chardev *c = id ? chardev_find(m, id) : NULL;

    if (strcmp(type, "migration") == 0) {
        if (!yank_has_migration(m)) {
            return false;
        }
        if (!check) {
            migration_hang_up(migration_of(m));
        }
        return true;
    }
    if (!c || !chardev_may_hang_up(c)) {
        return false;
    }
    if (!check) {
        chardev_hang_up(c);
    }
    return true;
}

bool qmp_yank(Machine *m, const QmpYankArgs *args, GError **err)
{
    size_t n = json_object_array_length(args->instances);

    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_array_get_idx(args->instances, i);

        if (!yank_instance(m, o, true)) {
            qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Instance %s not found",
                          json_object_to_json_string(o));
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        yank_instance(m, json_object_array_get_idx(args->instances, i), false);
    }
    return true;
}

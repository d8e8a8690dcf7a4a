/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory balloon: its size, and the properties for statistics in the device tree.
 */
#include "hw/virtio/balloon.h"

#include <string.h>

#include "internal.h"
#include "qmp-commands.h"

#define BALLOON_STATS_PROP    "guest-stats"
#define BALLOON_INTERVAL_PROP "guest-stats-polling-interval"

static VirtioBalloon *balloon_active(Machine *m, GError **err)
{
    VirtioBalloon *b = virtio_balloon_find(m);

    if (!b) {
        qmp_set_error(err, QMP_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
    }
    return b;
}

static bool balloon_set(Machine *m, int64_t bytes, GError **err)
{
    VirtioBalloon *b = balloon_active(m, err);

    if (b && bytes <= 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Parameter 'target' expects a size");
        return false;
    }
    if (b) {
        virtio_balloon_set_target(b, (uint64_t)bytes);
    }
    return b != NULL;
}

bool qmp_balloon(Machine *m, const QmpBalloonArgs *args, GError **err)
{
    return balloon_set(m, args->value, err);
}

struct json_object *qmp_query_balloon(Machine *m, GError **err)
{
    VirtioBalloon *b = balloon_active(m, err);

    return b ? qmp_make_balloon_info(
                   &(QmpBalloonInfo){ .actual = (int64_t)virtio_balloon_guest_bytes(b) })
             : NULL;
}

/* --- properties --- */

const char *monitor_balloon_prop_type(Device *dev)
{
    return virtio_balloon_of_device(dev) ? "guest statistics" : NULL;
}

struct json_object *monitor_balloon_get(Device *dev, const char *name)
{
    const VirtioBalloon *b = virtio_balloon_of_device(dev);
    struct json_object *result, *stats;

    if (!b || strcmp(name, BALLOON_STATS_PROP) != 0) {
        return NULL;
    }
    result = json_object_new_object();
    stats = json_object_new_object();
    for (unsigned i = 0; i < BALLOON_STATS; i++) {
        json_object_object_add(stats, virtio_balloon_stat_name(i),
                               json_object_new_uint64(virtio_balloon_stat(b, i)));
    }
    json_object_object_add(result, "stats", stats);
    json_object_object_add(result, "last-update",
                           json_object_new_int64(virtio_balloon_stats_time(b)));
    return result;
}

bool monitor_balloon_set(Device *dev, const char *name, struct json_object *value, bool *done,
                         GError **err)
{
    VirtioBalloon *b = virtio_balloon_of_device(dev);
    int64_t seconds = json_object_get_int64(value);

    *done = b && strcmp(name, BALLOON_INTERVAL_PROP) == 0;
    if (!*done) {
        return true;
    }
    if (!json_object_is_type(value, json_type_int) || seconds < 0 || seconds > UINT32_MAX) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Property '%s.%s' is a number of seconds from 0 to %u", dev->type->name, name,
                      UINT32_MAX);
        return false;
    }
    virtio_balloon_set_interval(b, (uint32_t)seconds);
    return true;
}

/* --- human monitor --- */

static void hmp_balloon(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    guint64 mib;

    if (!g_ascii_string_to_unsigned(args, 10, 1, INT64_MAX >> 20, &mib, NULL)) {
        g_string_append_printf(out, "Error: balloon '%s': use a number of MiB from 1\n", args);
    } else if (!balloon_set(m, (int64_t)(mib << 20), &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_info_balloon(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    VirtioBalloon *b = balloon_active(m, &err);

    if (b) {
        g_string_append_printf(out, "balloon: actual=%" G_GUINT64_FORMAT "\n",
                               virtio_balloon_guest_bytes(b) >> 20);
    } else {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "balloon", "MIB", NULL, hmp_balloon },
    { "info balloon", "", NULL, hmp_info_balloon },
};

const HmpTable balloon_table = { LIST(hmp_commands) };

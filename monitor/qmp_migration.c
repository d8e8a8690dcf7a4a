/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about migration.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "migration/migration.h"

/* Return the migration of the machine; NULL with @err set in a process without one (a tool, a
 * test). */
static Migration *migration_find(Machine *m, GError **err)
{
    Migration *mig = migration_of(m);

    if (!mig) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "this process does not support migration");
    }
    return mig;
}

/* --- QMP --- */

bool qmp_migrate(Machine *m, const QmpMigrateArgs *args, GError **err)
{
    const char *absent = args->blk ? "blk" : args->inc ? "inc" : args->resume ? "resume" : NULL;
    Migration *mig = migration_find(m, err);

    if (mig && absent) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "migrate: '%s' is not supported: use false", absent);
        return false;
    }
    return mig && migration_start(mig, args->uri, err);
}

bool qmp_migrate_incoming(Machine *m, const QmpMigrateIncomingArgs *args, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig && migration_incoming(mig, args->uri, true, err);
}

bool qmp_migrate_cancel(Machine *m, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig && migration_cancel(mig, err);
}

bool qmp_migrate_continue(Machine *m, const QmpMigrateContinueArgs *args, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig && migration_continue(mig, qmp_enum_name("MigrationStatus", args->state), err);
}

static void migration_check_done(void *opaque, struct json_object *result, GError *err)
{
    if (opaque) {
        qmp_deferred_finish(opaque, result, err);
    } else {
        json_object_put(result);
        g_clear_error(&err);
    }
}

/* The answer is sent by migration_check_done(). */
static void migration_check_begin(Machine *m, const char *uri, GError **err)
{
    Migration *mig = migration_find(m, err);
    MigrationCheck *check = mig ? migration_check_new(mig, uri, err) : NULL;

    if (check) {
        migration_check_start(check, migration_check_done, qmp_defer(m));
    }
}

struct json_object *qmp_migrate_check(Machine *m, const QmpMigrateCheckArgs *args, GError **err)
{
    migration_check_begin(m, args->uri, err);
    return NULL;
}

bool qmp_migrate_resolve(Machine *m, const QmpMigrateResolveArgs *args, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig &&
           migration_resolve(mig, args->guest == QMP_MIGRATE_RESOLVE_GUEST_HERE, args->force, err);
}

struct json_object *qmp_query_migrate(Machine *m, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig ? migration_query(mig) : NULL;
}

bool qmp_migrate_set_parameters(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig && migration_set_parameters(mig, args, err);
}

struct json_object *qmp_query_migrate_parameters(Machine *m, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig ? migration_query_parameters(mig) : NULL;
}

bool qmp_migrate_set_capabilities(Machine *m, const QmpMigrateSetCapabilitiesArgs *args,
                                  GError **err)
{
    struct json_object *list = args->capabilities;
    Migration *mig = migration_find(m, err);

    for (size_t i = 0; mig && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *name = json_object_get_string(json_object_object_get(o, "capability"));
        bool on = json_object_get_boolean(json_object_object_get(o, "state"));

        if (!migration_set_capability(mig, name, on, err)) {
            return false;
        }
    }
    return mig;
}

struct json_object *qmp_query_migrate_capabilities(Machine *m, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig ? migration_query_capabilities(mig) : NULL;
}

struct json_object *qmp_machine_diff(Machine *m, const QmpMachineDiffArgs *args, GError **err)
{
    Migration *mig = migration_find(m, err);

    return mig ? migration_machine_diff(mig, args->wanted, args->have, err) : NULL;
}

/* --- human monitor --- */

static void hmp_report(GString *out, GError *err)
{
    if (err) {
        g_string_append_printf(out, "Error: %s\n", err->message);
        g_error_free(err);
    }
}

static void hmp_migrate_ended(void *opaque, GError *err)
{
    qmp_deferred_finish(opaque, err ? NULL : json_object_new_object(), err);
}

/* Without -d the monitor executes no further command until the migration ends. A QMP session, which
 * sends events, is not blocked. */
static void hmp_migrate(Machine *m, const char *args, GString *out)
{
    bool detached = g_str_has_prefix(args, "-d ");
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    const Monitor *session = monitor_set(m)->current;

    if (mig && migration_start(mig, args + (detached ? 3 : 0), &err) && !detached) {
        if (session && !session->control) {
            migration_on_end(mig, hmp_migrate_ended, qmp_defer(m));
        } else {
            g_string_append(out, "The migration continues in the background\n");
        }
    }
    hmp_report(out, err);
}

static void hmp_migrate_incoming(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig) {
        migration_incoming(mig, args, true, &err);
    }
    hmp_report(out, err);
}

static void hmp_migrate_cancel(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig) {
        migration_cancel(mig, &err);
    }
    hmp_report(out, err);
}

/* The rows of "info migrate" that clients of QEMU parse. */
static const struct {
    const char *key, *format; /* of query-migrate; of the line, with the value divided by `unit` */
    int64_t unit;
} time_rows[] = {
    { "total-time", "total time: %" G_GINT64_FORMAT " ms", 1 },
    { "downtime", "downtime: %" G_GINT64_FORMAT " ms", 1 },
    { "expected-downtime", "expected downtime: %" G_GINT64_FORMAT " ms", 1 },
    { "setup-time", "setup: %" G_GINT64_FORMAT " ms", 1 },
    { "devices-downtime", "devices downtime: %" G_GINT64_FORMAT " ms", 1 },
    { "cpu-throttle-percentage", "cpu throttle percentage: %" G_GINT64_FORMAT, 1 },
}, ram_rows[] = {
    { "transferred", "transferred ram: %" G_GINT64_FORMAT " kbytes", 1024 },
    { "remaining", "remaining ram: %" G_GINT64_FORMAT " kbytes", 1024 },
    { "total", "total ram: %" G_GINT64_FORMAT " kbytes", 1024 },
    { "duplicate", "duplicate: %" G_GINT64_FORMAT " pages", 1 },
    { "normal", "normal: %" G_GINT64_FORMAT " pages", 1 },
    { "normal-bytes", "normal bytes: %" G_GINT64_FORMAT " kbytes", 1024 },
    { "dirty-sync-count", "dirty sync count: %" G_GINT64_FORMAT, 1 },
    { "page-size", "page size: %" G_GINT64_FORMAT " kbytes", 1024 },
    { "dirty-pages-rate", "dirty pages rate: %" G_GINT64_FORMAT " pages", 1 },
};

static void hmp_put_ram(GString *out, struct json_object *ram)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ram_rows); i++) {
        struct json_object *v = json_object_object_get(ram, ram_rows[i].key);

        g_string_append_printf(out, ram_rows[i].format,
                               json_object_get_int64(v) / ram_rows[i].unit);
        g_string_append_c(out, '\n');
    }
    g_string_append_printf(out, "throughput: %.2f mbps\n",
                           json_object_get_double(json_object_object_get(ram, "mbps")));
}

static void hmp_put_migration(GString *out, struct json_object *o)
{
    static const char *const texts[] = { "error-desc", "deficits", "blocked-reasons", "resolve" };
    struct json_object *v;

    if (json_object_object_get_ex(o, "status", &v)) {
        g_string_append_printf(out, "Migration status: %s\n", json_object_get_string(v));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (json_object_object_get_ex(o, texts[i], &v)) {
            g_string_append_printf(out, "%s: %s\n", texts[i], json_object_get_string(v));
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(time_rows); i++) {
        if (json_object_object_get_ex(o, time_rows[i].key, &v)) {
            g_string_append_printf(out, time_rows[i].format,
                                   json_object_get_int64(v) / time_rows[i].unit);
            g_string_append_c(out, '\n');
        }
    }
    if (json_object_object_get_ex(o, "ram", &v)) {
        hmp_put_ram(out, v);
    }
    if (json_object_object_get_ex(o, "socket-address", &v)) {
        g_string_append_printf(out, "socket address: %s\n", json_object_to_json_string(v));
    }
}

static void hmp_info_migrate(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    struct json_object *o = mig ? migration_query(mig) : NULL;

    if (o) {
        hmp_put_migration(out, o);
        json_object_put(o);
    }
    hmp_report(out, err);
}

static void hmp_info_migrate_parameters(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    struct json_object *o = mig ? migration_query_parameters(mig) : NULL;

    if (!o) {
        hmp_report(out, err);
        return;
    }
    json_object_object_foreach(o, key, value)
    {
        g_string_append_printf(out, "%s: %s%s\n", key, json_object_to_json_string(value),
                               migration_parameter_unit(key));
    }
    json_object_put(o);
}

static void hmp_migrate_set_parameter(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    const char *text = parts[1] ? parts[1] : ""; /* NULL after a value in quotes that is empty */
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    struct json_object *value = mig ? migration_parameter_parse(parts[0], text, &err) : NULL;

    if (value) {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, parts[0], value);
        migration_set_parameters(mig, o, &err);
        json_object_put(o);
    }
    hmp_report(out, err);
}

static void hmp_migrate_set_capability(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig && strcmp(parts[1], "on") != 0 && strcmp(parts[1], "off") != 0) {
        g_string_append_printf(out, "Error: a capability is on or off, not '%s'\n", parts[1]);
        return;
    }
    if (mig) {
        migration_set_capability(mig, parts[0], strcmp(parts[1], "on") == 0, &err);
    }
    hmp_report(out, err);
}

static void hmp_migrate_continue(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig) {
        migration_continue(mig, args, &err);
    }
    hmp_report(out, err);
}

static void hmp_migrate_check(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;

    migration_check_begin(m, args, &err);
    hmp_report(out, err);
}

static void hmp_migrate_resolve(Machine *m, const char *args, GString *out)
{
    bool force = g_str_has_prefix(args, "-f ");
    const char *guest = force ? args + 3 : args;
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig && strcmp(guest, "here") != 0 && strcmp(guest, "there") != 0) {
        g_string_append(out, "Error: use here or there\n");
        return;
    }
    if (mig) {
        migration_resolve(mig, strcmp(guest, "here") == 0, force, &err);
    }
    hmp_report(out, err);
}

static void hmp_info_migrate_capabilities(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    struct json_object *list = mig ? migration_query_capabilities(mig) : NULL;

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        g_string_append_printf(
            out, "%s: %s\n", json_object_get_string(json_object_object_get(o, "capability")),
            json_object_get_boolean(json_object_object_get(o, "state")) ? "on" : "off");
    }
    json_object_put(list);
    hmp_report(out, err);
}

static const HmpCommand hmp_commands[] = {
    { "migrate", "[-d] uri", NULL, hmp_migrate },
    { "migrate_incoming", "uri", NULL, hmp_migrate_incoming },
    { "migrate_cancel", "", NULL, hmp_migrate_cancel },
    { "migrate_continue", "pre-switchover", NULL, hmp_migrate_continue },
    { "migrate_check", "uri", NULL, hmp_migrate_check },
    { "migrate_resolve", "[-f] here|there", NULL, hmp_migrate_resolve },
    { "migrate_set_parameter", "name value", NULL, hmp_migrate_set_parameter },
    { "migrate_set_capability", "name on|off", NULL, hmp_migrate_set_capability },
    { "info migrate", "", NULL, hmp_info_migrate },
    { "info migrate_capabilities", "", NULL, hmp_info_migrate_capabilities },
    { "info migrate_parameters", "", NULL, hmp_info_migrate_parameters },
};

const HmpTable migration_table = { LIST(hmp_commands) };

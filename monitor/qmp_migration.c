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

static void hmp_migrate(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (g_str_has_prefix(args, "-d ")) {
        args += 3;
    }
    if (mig) {
        migration_start(mig, args, &err);
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

static void hmp_info_migrate(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);
    struct json_object *o = mig ? migration_query(mig) : NULL;

    if (!o) {
        hmp_report(out, err);
        return;
    }
    json_object_object_foreach(o, key, value)
    {
        g_string_append_printf(out, "%s: %s\n", key,
                               json_object_is_type(value, json_type_string)
                                   ? json_object_get_string(value)
                                   : json_object_to_json_string(value));
    }
    json_object_put(o);
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
        g_string_append_printf(out, "%s: %s\n", key, json_object_to_json_string(value));
    }
    json_object_put(o);
}

static void hmp_migrate_set_parameter(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    struct json_object *o;
    GError *err = NULL;
    Migration *mig = migration_find(m, &err);

    if (mig && (!parts[0] || !parts[1])) {
        g_string_append(out, "Error: the name and the value of a parameter are required\n");
        return;
    }
    if (mig) {
        struct json_object *value = json_tokener_parse(parts[1]);

        o = json_object_new_object();
        json_object_object_add(o, parts[0], value ? value : json_object_new_string(parts[1]));
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

    if (mig &&
        (!parts[0] || !parts[1] || (strcmp(parts[1], "on") != 0 && strcmp(parts[1], "off") != 0))) {
        g_string_append(out, "Error: the name of a capability and on or off are required\n");
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

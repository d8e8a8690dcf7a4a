/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about migration.
 */
#include "internal.h"

#include <string.h>

#include "migration/migration.h"

static const char *arg_str(struct json_object *args, const char *key)
{
    return json_object_get_string(json_object_object_get(args, key));
}

static bool arg_bool(struct json_object *args, const char *key)
{
    return json_object_get_boolean(json_object_object_get(args, key));
}

/* NULL and a sentence in a process that has none (a tool, a test). */
static Migration *find(Machine *m, GError **err)
{
    Migration *mig = migration_of(m);

    if (!mig) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "this process has no migration");
    }
    return mig;
}

/* --- QMP --- */

static struct json_object *run_migrate(Machine *m, struct json_object *args, GError **err)
{
    static const char *const absent[] = { "blk", "inc", "resume" };
    Migration *mig = find(m, err);

    for (unsigned i = 0; mig && i < G_N_ELEMENTS(absent); i++) {
        if (arg_bool(args, absent[i])) {
            qmp_set_error(err, QMP_GENERIC_ERROR, "migrate: '%s' is not part of this build",
                          absent[i]);
            return NULL;
        }
    }
    if (mig) {
        migration_start(mig, arg_str(args, "uri"), err);
    }
    return NULL;
}

static struct json_object *run_incoming(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    if (mig) {
        migration_incoming(mig, arg_str(args, "uri"), true, err);
    }
    return NULL;
}

static struct json_object *run_cancel(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    if (mig) {
        migration_cancel(mig, err);
    }
    return NULL;
}

static struct json_object *run_continue(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    if (mig) {
        migration_continue(mig, arg_str(args, "state"), err);
    }
    return NULL;
}

static void check_done(void *opaque, struct json_object *result, GError *err)
{
    if (opaque) {
        qmp_deferred_finish(opaque, result, err);
    } else {
        json_object_put(result);
        g_clear_error(&err);
    }
}

/* The answer is sent by check_done(). */
static void check_start(Machine *m, const char *uri, GError **err)
{
    Migration *mig = find(m, err);
    MigrationCheck *check = mig ? migration_check_new(mig, uri, err) : NULL;

    if (check) {
        migration_check_start(check, check_done, qmp_defer(m));
    }
}

static struct json_object *run_check(Machine *m, struct json_object *args, GError **err)
{
    check_start(m, arg_str(args, "uri"), err);
    return NULL;
}

static struct json_object *run_resolve(Machine *m, struct json_object *args, GError **err)
{
    const char *guest = arg_str(args, "guest");
    Migration *mig = find(m, err);

    if (!mig) {
        return NULL;
    }
    if (strcmp(guest, "here") != 0 && strcmp(guest, "there") != 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "migrate-resolve: guest is '%s': here or there are accepted", guest);
        return NULL;
    }
    migration_resolve(mig, strcmp(guest, "here") == 0, arg_bool(args, "force"), err);
    return NULL;
}

static struct json_object *query(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    return mig ? migration_query(mig) : NULL;
}

static struct json_object *set_parameters(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    if (mig) {
        migration_set_parameters(mig, args, err);
    }
    return NULL;
}

static struct json_object *query_parameters(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    return mig ? migration_query_parameters(mig) : NULL;
}

static struct json_object *set_capabilities(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_object_get(args, "capabilities");
    Migration *mig = find(m, err);

    for (size_t i = 0; mig && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *name =
            json_object_is_type(o, json_type_object) ? arg_str(o, "capability") : NULL;

        if (!name || !json_object_is_type(json_object_object_get(o, "state"), json_type_boolean)) {
            qmp_set_error(err, QMP_GENERIC_ERROR,
                          "migrate-set-capabilities: each element is {\"capability\": NAME, "
                          "\"state\": true or false}");
            return NULL;
        }
        if (!migration_set_capability(mig, name, arg_bool(o, "state"), err)) {
            return NULL;
        }
    }
    return NULL;
}

static struct json_object *query_capabilities(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    return mig ? migration_query_capabilities(mig) : NULL;
}

static struct json_object *machine_diff(Machine *m, struct json_object *args, GError **err)
{
    Migration *mig = find(m, err);

    return mig ? migration_machine_diff(mig, json_object_object_get(args, "wanted"),
                                        json_object_object_get(args, "have"), err)
               : NULL;
}

static const QmpCommand commands[] = {
    { "migrate", run_migrate },
    { "migrate-incoming", run_incoming },
    { "migrate_cancel", run_cancel },
    { "migrate-continue", run_continue },
    { "migrate-check", run_check },
    { "migrate-resolve", run_resolve },
    { "query-migrate", query },
    { "migrate-set-parameters", set_parameters },
    { "query-migrate-parameters", query_parameters },
    { "migrate-set-capabilities", set_capabilities },
    { "query-migrate-capabilities", query_capabilities },
    { "machine-diff", machine_diff },
};

/* --- human monitor --- */

static void report(GString *out, GError *err)
{
    if (err) {
        g_string_append_printf(out, "Error: %s\n", err->message);
        g_error_free(err);
    }
}

static void hmp_migrate(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (g_str_has_prefix(args, "-d ")) {
        args += 3;
    }
    if (mig) {
        migration_start(mig, args, &err);
    }
    report(out, err);
}

static void hmp_incoming(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig) {
        migration_incoming(mig, args, true, &err);
    }
    report(out, err);
}

static void hmp_cancel(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig) {
        migration_cancel(mig, &err);
    }
    report(out, err);
}

static void hmp_info(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);
    struct json_object *o = mig ? migration_query(mig) : NULL;

    if (!o) {
        report(out, err);
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

static void hmp_info_parameters(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);
    struct json_object *o = mig ? migration_query_parameters(mig) : NULL;

    if (!o) {
        report(out, err);
        return;
    }
    json_object_object_foreach(o, key, value)
    {
        g_string_append_printf(out, "%s: %s\n", key, json_object_to_json_string(value));
    }
    json_object_put(o);
}

static void hmp_set_parameter(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    struct json_object *o;
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig && (!parts[0] || !parts[1])) {
        g_string_append(out, "Error: a parameter and its value are needed\n");
        return;
    }
    if (mig) {
        struct json_object *value = json_tokener_parse(parts[1]);

        o = json_object_new_object();
        json_object_object_add(o, parts[0], value ? value : json_object_new_string(parts[1]));
        migration_set_parameters(mig, o, &err);
        json_object_put(o);
    }
    report(out, err);
}

static void hmp_set_capability(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(args, " ", 2);
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig &&
        (!parts[0] || !parts[1] || (strcmp(parts[1], "on") != 0 && strcmp(parts[1], "off") != 0))) {
        g_string_append(out, "Error: a capability and on or off are needed\n");
        return;
    }
    if (mig) {
        migration_set_capability(mig, parts[0], strcmp(parts[1], "on") == 0, &err);
    }
    report(out, err);
}

static void hmp_continue(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig) {
        migration_continue(mig, args, &err);
    }
    report(out, err);
}

static void hmp_check(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;

    check_start(m, args, &err);
    report(out, err);
}

static void hmp_resolve(Machine *m, const char *args, GString *out)
{
    bool force = g_str_has_prefix(args, "-f ");
    const char *guest = force ? args + 3 : args;
    GError *err = NULL;
    Migration *mig = find(m, &err);

    if (mig && strcmp(guest, "here") != 0 && strcmp(guest, "there") != 0) {
        g_string_append(out, "Error: here or there is needed\n");
        return;
    }
    if (mig) {
        migration_resolve(mig, strcmp(guest, "here") == 0, force, &err);
    }
    report(out, err);
}

static void hmp_info_capabilities(Machine *m, const char *args, GString *out)
{
    GError *err = NULL;
    Migration *mig = find(m, &err);
    struct json_object *list = mig ? migration_query_capabilities(mig) : NULL;

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        g_string_append_printf(out, "%s: %s\n", arg_str(o, "capability"),
                               arg_bool(o, "state") ? "on" : "off");
    }
    json_object_put(list);
    report(out, err);
}

static const HmpCommand hmp_commands[] = {
    { "migrate", "[-d] uri", "send the guest to another process or into a file", hmp_migrate },
    { "migrate_incoming", "uri", "after -incoming defer: wait for a stream", hmp_incoming },
    { "migrate_cancel", "", "give a migration up; the guest stays", hmp_cancel },
    { "migrate_continue", "pre-switchover", "leave pre-switchover", hmp_continue },
    { "migrate_check", "uri", "ask a target whether it would take the guest", hmp_check },
    { "migrate_resolve", "[-f] here|there", "say where the guest is after an undecided migration",
      hmp_resolve },
    { "migrate_set_parameter", "name value", "change a parameter", hmp_set_parameter },
    { "migrate_set_capability", "name on|off", "switch a capability", hmp_set_capability },
    { "info migrate", "", "show the migration under way or the last one", hmp_info },
    { "info migrate_capabilities", "", "show the capabilities", hmp_info_capabilities },
    { "info migrate_parameters", "", "show the parameters", hmp_info_parameters },
};

const CommandTable migration_table = { LIST(commands), LIST(hmp_commands) };

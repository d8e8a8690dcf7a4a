/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities, parameters, and query-migrate.
 */
#include <string.h>

#include "migration/internal.h"
#include "util/error.h"

#define HANDOVER_FOLDER "handover-folder"
#define UNIT_BANDWIDTH  " bytes/second"

static const char *const cap_names[N_CAPS] = {
    [CAP_EVENTS] = "events",
    [CAP_AUTO_CONVERGE] = "auto-converge",
    [CAP_PAUSE_BEFORE_SWITCHOVER] = "pause-before-switchover",
    [CAP_RETURN_PATH] = "return-path",
};

static const struct {
    const char *name;
    uint64_t min, max;
    const char *unit; /* in the human monitor; a size may have a suffix there and is in MiB */
} params[N_PARAMS] = {
    [PARAM_DOWNTIME_LIMIT] = { "downtime-limit", 0, 2000000, " ms" },
    [PARAM_MAX_BANDWIDTH] = { "max-bandwidth", 0, INT64_MAX, UNIT_BANDWIDTH },
    [PARAM_THROTTLE_INITIAL] = { "cpu-throttle-initial", 1, 99 },
    [PARAM_THROTTLE_INCREMENT] = { "cpu-throttle-increment", 1, 99 },
    [PARAM_THROTTLE_MAX] = { "max-cpu-throttle", 1, 99 },
    [PARAM_THROTTLE_TRIGGER] = { "throttle-trigger-threshold", 1, 100 },
};

static char *query_capability_names(void)
{
    GString *s = g_string_new("");

    for (int i = 0; i < N_CAPS; i++) {
        g_string_append_printf(s, "%s%s", i ? ", " : "", cap_names[i]);
    }
    return g_string_free(s, FALSE);
}

bool migration_set_capability(Migration *mig, const char *name, bool on, GError **err)
{
    g_autofree char *known = NULL;

    if (mig->out || mig->in) {
        return error_set(err, ERROR_USER, "There's a migration process in progress");
    }
    for (int i = 0; i < N_CAPS; i++) {
        if (g_str_equal(name, cap_names[i])) {
            mig->caps[i] = on;
            return true;
        }
    }
    known = query_capability_names();
    return error_set(err, ERROR_USER, "Migration capability '%s' does not exist: use one of %s",
                     name, known);
}

struct json_object *migration_query_capabilities(Migration *mig)
{
    struct json_object *list = json_object_new_array();

    for (int i = 0; i < N_CAPS; i++) {
        struct json_object *o = json_object_new_object();

        json_object_object_add(o, "capability", json_object_new_string(cap_names[i]));
        json_object_object_add(o, "state", json_object_new_boolean(mig->caps[i]));
        json_object_array_add(list, o);
    }
    return list;
}

static int query_find_param(const char *name)
{
    for (int i = 0; i < N_PARAMS; i++) {
        if (g_str_equal(name, params[i].name)) {
            return i;
        }
    }
    return -1;
}

static bool query_check_param(const char *name, struct json_object *value, GError **err)
{
    int i = query_find_param(name);
    int64_t v;

    if (i < 0) {
        return error_set(err, ERROR_USER, "Migration parameter '%s' does not exist", name);
    }
    v = json_object_get_int64(value);
    if (!json_object_is_type(value, json_type_int) || v < 0 || (uint64_t)v < params[i].min ||
        (uint64_t)v > params[i].max) {
        return error_set(err, ERROR_USER,
                         "Migration parameter '%s' is an integer from %" G_GUINT64_FORMAT
                         " to %" G_GUINT64_FORMAT ", not %s",
                         name, params[i].min, params[i].max, json_object_to_json_string(value));
    }
    return true;
}

static bool query_check_folder(struct json_object *value, GError **err)
{
    const char *text = json_object_get_string(value);

    if (json_object_is_type(value, json_type_string) &&
        (!*text || g_file_test(text, G_FILE_TEST_IS_DIR))) {
        return true;
    }
    return error_set(err, ERROR_USER,
                     "Migration parameter '" HANDOVER_FOLDER
                     "' is a folder, or \"\" for none, not %s",
                     json_object_to_json_string(value));
}

bool migration_set_parameters(Migration *mig, struct json_object *args, GError **err)
{
    json_object_object_foreach(args, name, value)
    {
        if (g_str_equal(name, HANDOVER_FOLDER) && (mig->out || mig->in || mig->record[0])) {
            return error_set(err, ERROR_USER, "There's a migration process in progress");
        }
        if (!(g_str_equal(name, HANDOVER_FOLDER) ? query_check_folder(value, err)
                                                 : query_check_param(name, value, err))) {
            return false;
        }
    }
    json_object_object_foreach(args, key, v)
    {
        if (g_str_equal(key, HANDOVER_FOLDER)) {
            g_free(mig->handover);
            mig->handover = *json_object_get_string(v) ? g_strdup(json_object_get_string(v)) : NULL;
        } else {
            mig->params[query_find_param(key)] = json_object_get_int64(v);
        }
    }
    return true;
}

struct json_object *migration_query_parameters(Migration *mig)
{
    struct json_object *o = json_object_new_object();

    for (int i = 0; i < N_PARAMS; i++) {
        json_object_object_add(o, params[i].name, json_object_new_int64(mig->params[i]));
    }
    json_object_object_add(o, HANDOVER_FOLDER,
                           json_object_new_string(mig->handover ? mig->handover : ""));
    return o;
}

/* --- parameters as text --- */

static struct json_object *query_parse_size(const char *name, const char *text, GError **err)
{
    const PlanProp size = { .name = name, .kind = PLAN_PROP_SIZE, .max = INT64_MAX };
    bool digit = *text && g_ascii_isdigit(text[strlen(text) - 1]);
    g_autofree char *full = g_strconcat(text, digit ? "M" : "", NULL);
    PlanValue v;

    if (plan_value_parse(&size, full, &v, NULL)) {
        return json_object_new_int64((int64_t)v.u);
    }
    error_set(err, ERROR_USER, "Migration parameter '%s' is a size such as 100M, not '%s'", name,
              text);
    return NULL;
}

struct json_object *migration_parameter_parse(const char *name, const char *text, GError **err)
{
    int i = query_find_param(name);
    gint64 number;

    if (i < 0) {
        return json_object_new_string(text);
    }
    if (g_strcmp0(params[i].unit, UNIT_BANDWIDTH) == 0) {
        return query_parse_size(name, text, err);
    }
    if (g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &number, NULL)) {
        return json_object_new_int64(number);
    }
    error_set(err, ERROR_USER,
              "Migration parameter '%s' is an integer from %" G_GUINT64_FORMAT
              " to %" G_GUINT64_FORMAT ", not '%s'",
              name, params[i].min, params[i].max, text);
    return NULL;
}

const char *migration_parameter_unit(const char *name)
{
    int i = query_find_param(name);

    return i >= 0 && params[i].unit ? params[i].unit : "";
}

/* --- query-migrate --- */

static void query_put(struct json_object *o, const char *key, uint64_t v)
{
    json_object_object_add(o, key, json_object_new_int64(MIN(v, INT64_MAX)));
}

static struct json_object *query_ram(const MigStats *s)
{
    static const char *const zeroes[] = { "skipped",        "postcopy-requests",
                                          "multifd-bytes",  "downtime-bytes",
                                          "postcopy-bytes", "dirty-sync-missed-zero-copy" };
    struct json_object *o = json_object_new_object();
    int64_t end = s->ended ? s->ended : migration_now();
    double seconds = MAX(1, end - s->started) / 1e9;

    query_put(o, "transferred", s->bytes);
    query_put(o, "remaining", s->ram.remaining);
    query_put(o, "total", s->ram.total);
    query_put(o, "duplicate", s->ram.zero);
    query_put(o, "normal", s->ram.normal);
    query_put(o, "normal-bytes", s->ram.normal * RAM_PAGE_SIZE);
    query_put(o, "dirty-pages-rate", s->dirty_rate);
    json_object_object_add(o, "mbps", json_object_new_double(s->bytes * 8 / seconds / 1e6));
    query_put(o, "dirty-sync-count", s->ram.passes);
    query_put(o, "page-size", RAM_PAGE_SIZE);
    query_put(o, "pages-per-second", (s->ram.zero + s->ram.normal) / seconds);
    query_put(o, "precopy-bytes", s->bytes - s->device_bytes);
    for (unsigned i = 0; i < G_N_ELEMENTS(zeroes); i++) {
        query_put(o, zeroes[i], 0);
    }
    return o;
}

static void query_put_times(struct json_object *o, const Migration *mig)
{
    const MigStats *s = &mig->stats;
    int64_t end = s->ended ? s->ended : migration_now();

    query_put(o, "total-time", (end - s->started) / 1000000);
    if (s->devices.devices) {
        query_put(o, "devices-downtime", (uint64_t)(s->devices.ns / 1000000));
    }
    if (s->setup_done) {
        query_put(o, "setup-time", (s->setup_done - s->started) / 1000000);
    }
    if (mig->status == MIG_COMPLETED && s->stopped) {
        query_put(o, "downtime", (s->ended - s->stopped) / 1000000);
    } else if (s->bandwidth) {
        query_put(o, "expected-downtime",
                  (uint64_t)migration_expected_downtime(s, s->ram.remaining));
    }
    if (s->throttle) {
        query_put(o, "cpu-throttle-percentage", s->throttle);
    }
}

static struct json_object *query_server(const Migration *mig)
{
    const char *text = channel_server_address(mig->server);
    struct json_object *list = json_object_new_array(), *o = json_object_new_object();
    const char *colon = strrchr(text, ':');

    if (g_str_has_prefix(text, "unix:")) {
        json_object_object_add(o, "type", json_object_new_string("unix"));
        json_object_object_add(o, "path", json_object_new_string(text + 5));
    } else {
        json_object_object_add(o, "type", json_object_new_string("inet"));
        json_object_object_add(o, "host", json_object_new_string_len(text + 4, colon - text - 4));
        json_object_object_add(o, "port", json_object_new_string(colon + 1));
    }
    json_object_array_add(list, o);
    return list;
}

struct json_object *migration_query(Migration *mig)
{
    struct json_object *o = json_object_new_object(), *blockers = savevm_blockers(mig->machine);

    if (mig->status != MIG_NONE) {
        json_object_object_add(o, "status", json_object_new_string(migration_status(mig)));
    }
    if (mig->stats.started) {
        query_put_times(o, mig);
        json_object_object_add(o, "ram", query_ram(&mig->stats));
    }
    if (mig->error) {
        json_object_object_add(o, "error-desc", json_object_new_string(mig->error));
    }
    if (mig->deficits) {
        json_object_object_add(o, "deficits", json_object_get(mig->deficits));
    }
    if (mig->server) {
        json_object_object_add(o, "socket-address", query_server(mig));
    }
    if (json_object_array_length(blockers)) {
        json_object_object_add(o, "blocked-reasons", json_object_get(blockers));
    }
    json_object_put(blockers);
    if (mig->status == MIG_UNDECIDED) {
        json_object_object_add(
            o, "resolve",
            json_object_new_string("migrate-resolve with guest=here if the target does not run "
                                   "the guest, guest=there if it does"));
    }
    return o;
}

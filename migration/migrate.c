/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The migration object: status, results, and the functions of migration.h.
 */
#include <signal.h>
#include <string.h>

#include "hw/core/clock.h"
#include "machine-events.h"
#include "migration/internal.h"
#include "util/error.h"
#include "util/sandbox.h"

static const char *const migration_status_names[MIG_STATUSES] = {
    [MIG_NONE] = "none",
    [MIG_SETUP] = "setup",
    [MIG_CANCELLING] = "cancelling",
    [MIG_CANCELLED] = "cancelled",
    [MIG_ACTIVE] = "active",
    [MIG_PRE_SWITCHOVER] = "pre-switchover",
    [MIG_DEVICE] = "device",
    [MIG_COMPLETED] = "completed",
    [MIG_FAILED] = "failed",
    [MIG_UNDECIDED] = "undecided",
};

_Static_assert((int)MIG_NONE == QMP_MIGRATION_STATUS_NONE &&
                   (int)MIG_ACTIVE == QMP_MIGRATION_STATUS_ACTIVE &&
                   (int)MIG_UNDECIDED == QMP_MIGRATION_STATUS_UNDECIDED,
               "MigStatus differs from monitor/schema/migration.qmp");

int64_t migration_now(void)
{
    return g_get_monotonic_time() * 1000;
}

Migration *migration_new(Machine *m, const MigrationHooks *hooks)
{
    static const uint64_t defaults[N_PARAMS] = {
        [PARAM_DOWNTIME_LIMIT] = 300,  [PARAM_MAX_BANDWIDTH] = 134217728,
        [PARAM_THROTTLE_INITIAL] = 20, [PARAM_THROTTLE_INCREMENT] = 10,
        [PARAM_THROTTLE_MAX] = 99,     [PARAM_THROTTLE_TRIGGER] = 50,
    };
    Migration *mig = g_new0(Migration, 1);

    mig->machine = m;
    mig->hooks = *hooks;
    memcpy(mig->params, defaults, sizeof(defaults));
    m->migration = mig;
    /* A command that ends early and a file-size limit must not end this process: writing fails. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return mig;
}

/* Return true if an outgoing migration with this status has ended. */
static bool migration_status_is_end(MigStatus status)
{
    return status == MIG_NONE || status == MIG_CANCELLED || status == MIG_COMPLETED ||
           status == MIG_FAILED || status == MIG_UNDECIDED;
}

/* Consumes err. */
static void migration_call_on_end(Migration *mig, GError *err)
{
    MigrationEndFn *fn = mig->on_end;

    mig->on_end = NULL;
    if (fn) {
        fn(mig->on_end_opaque, err);
    } else {
        g_clear_error(&err);
    }
}

static void migration_report_end(Migration *mig)
{
    GError *err = NULL;

    if (mig->status != MIG_COMPLETED) {
        error_set(&err, ERROR_HOST, "migration %s%s%s", migration_status_names[mig->status],
                  mig->error ? ": " : "", mig->error ? mig->error : "");
    }
    migration_call_on_end(mig, err);
}

void migration_on_end(Migration *mig, MigrationEndFn *fn, void *opaque)
{
    mig->on_end = fn;
    mig->on_end_opaque = opaque;
    if (migration_status_is_end(mig->status)) {
        migration_report_end(mig);
    }
}

void migration_free(Migration *mig)
{
    if (!mig) {
        return;
    }
    migration_check_cancel(mig->check, "the process ends");
    migration_call_on_end(
        mig, g_error_new_literal(BACKPLANE_ERROR, ERROR_USER, "migrate: the process ends"));
    outgoing_free(mig->out);
    mig->hooks.load_failed = NULL; /* the end of the process is not a failure */
    incoming_cancel(mig->in);
    channel_server_free(mig->server);
    migration_clear_result(mig);
    g_free(mig->handover);
    mig->machine->migration = NULL;
    g_free(mig);
}

Migration *migration_of(Machine *m)
{
    return m->migration;
}

const char *migration_status(const Migration *mig)
{
    return migration_status_names[mig->status];
}

void migration_set_status(Migration *mig, MigStatus status)
{
    if (mig->status == status) {
        return;
    }
    mig->status = status;
    if (mig->caps[CAP_EVENTS]) {
        event_migration(mig->machine, (QmpMigrationStatus)status); /* equal values */
    }
    if (migration_status_is_end(status)) {
        migration_report_end(mig);
    }
}

void migration_set_error(Migration *mig, GError *err)
{
    g_free(mig->error);
    mig->error = g_strdup(err->message);
    g_error_free(err);
}

void migration_clear_result(Migration *mig)
{
    g_clear_pointer(&mig->error, g_free);
    g_clear_pointer(&mig->deficits, json_object_put);
    mig->stats = (MigStats){ 0 };
}

/* --- what system/ provides --- */

bool migration_disks_take(Migration *mig, GError **err)
{
    if (mig->hooks.disks_take && !mig->hooks.disks_take(mig->hooks.opaque, err)) {
        return false;
    }
    mig->disks_released = false;
    return true;
}

bool migration_disks_release(Migration *mig, GError **err)
{
    if (mig->hooks.disks_release && !mig->hooks.disks_release(mig->hooks.opaque, err)) {
        return false;
    }
    mig->disks_released = true;
    return true;
}

/* --- the hand-over record --- */

bool migration_record_offer(Migration *mig, GError **err)
{
    bool ok = !mig->handover || handover_offer(mig->handover, mig->record, err);

    if (!ok) {
        mig->record[0] = '\0';
    }
    return ok;
}

bool migration_record_give(Migration *mig, GError **err)
{
    return !mig->record[0] || handover_give(mig->handover, mig->record, err);
}

HandoverClaim migration_record_claim(Migration *mig, GError **err)
{
    return mig->record[0] ? handover_claim(mig->handover, mig->record, false, err)
                          : HANDOVER_UNKNOWN;
}

void migration_record_forget(Migration *mig)
{
    if (mig->record[0]) {
        handover_forget(mig->handover, mig->record);
        mig->record[0] = '\0';
    }
}

ChannelFds migration_fds(Migration *mig)
{
    return (ChannelFds){ mig->hooks.take_fd, mig->hooks.opaque };
}

/* --- entry points --- */

/* Reject exec: under -sandbox spawn=deny, before the migration changes any state. */
static bool migration_may_open(const Migration *mig, const char *uri, GError **err)
{
    if (g_str_has_prefix(uri, "exec:") && sandbox_denies_spawn(mig->machine->sandbox)) {
        return error_set(err, ERROR_USER,
                         "exec: starts a process, which -sandbox spawn=deny forbids: use tcp:, "
                         "unix:, fd: or file:");
    }
    return true;
}

bool migration_may_send(Migration *mig, GError **err)
{
    if (mig->out || mig->in) {
        return error_set(err, ERROR_USER, "There's a migration process in progress");
    }
    if (mig->given_away) {
        return error_set(err, ERROR_USER,
                         "The guest was handed over: there is no guest to migrate");
    }
    if (mig->machine->state == RUN_INMIGRATE) {
        return error_set(err, ERROR_USER, "Guest is waiting for an incoming migration");
    }
    if (!mig->machine->has_guest || !mig->hooks.description(mig->hooks.opaque)) {
        return error_set(err, ERROR_USER, "This machine has no guest to migrate");
    }
    return savevm_possible(mig->machine, err);
}

bool migration_start(Migration *mig, const char *uri, GError **err)
{
    if (!migration_may_send(mig, err) || !migration_may_open(mig, uri, err) ||
        (mig->hooks.may_leave && !mig->hooks.may_leave(mig->hooks.opaque, err))) {
        return false;
    }
    migration_check_cancel(mig->check, "a migration started");
    migration_clear_result(mig);
    return outgoing_start(mig, uri, err);
}

bool migration_cancel(Migration *mig, GError **err)
{
    if (mig->out) {
        if (!outgoing_may_cancel(mig->out)) {
            return error_set(err, ERROR_USER,
                             "The guest was handed over already: the migration cannot be cancelled "
                             "(see query-migrate and migrate-resolve)");
        }
        outgoing_cancel(mig->out);
    }
    migration_check_cancel(mig->check, "migrate_cancel was executed");
    incoming_cancel(mig->in);
    return true;
}

static Channel *migration_channel(const Migration *mig)
{
    return mig->out ? outgoing_channel(mig->out) : mig->in ? incoming_channel(mig->in) : NULL;
}

bool migration_may_hang_up(const Migration *mig)
{
    Channel *c = migration_channel(mig);

    return c && channel_may_hang_up(c);
}

void migration_hang_up(Migration *mig)
{
    Channel *c = migration_channel(mig);

    if (c) {
        channel_hang_up(c);
    }
}

bool migration_continue(Migration *mig, const char *state, GError **err)
{
    if (g_strcmp0(state, "pre-switchover") || mig->status != MIG_PRE_SWITCHOVER) {
        return error_set(err, ERROR_USER,
                         "Migration not in expected state: only pre-switchover is continued");
    }
    outgoing_continue(mig->out);
    return true;
}

bool migration_resolve(Migration *mig, bool here, bool force, GError **err)
{
    if (!mig->given_away) {
        return error_set(err, ERROR_USER,
                         "The guest is here and was not handed over: there is nothing to resolve");
    }
    if (mig->status != MIG_UNDECIDED && here && !force) {
        return error_set(
            err, ERROR_USER,
            "The target acknowledged that it runs the guest; to run it here too, use force=true");
    }
    if (here && !force && migration_record_claim(mig, NULL) == HANDOVER_THEIRS) {
        return error_set(err, ERROR_USER,
                         "The hand-over record states that the target claimed the guest; to run it "
                         "here nevertheless, use force=true");
    }
    if (here && !migration_disks_take(mig, err)) {
        return false;
    }
    outgoing_free(mig->out);
    migration_record_forget(mig);
    if (here) {
        mig->given_away = false;
        machine_set_state(mig->machine, RUN_PAUSED);
    }
    migration_set_status(mig, here ? MIG_FAILED : MIG_COMPLETED);
    return true;
}

bool migration_may_run(Migration *mig, GError **err)
{
    if (mig->given_away) {
        return error_set(err, ERROR_USER, "%s",
                         mig->status == MIG_UNDECIDED
                             ? "The guest was handed over and the target did not acknowledge: find "
                               "out whether the guest runs there, then use migrate-resolve"
                             : "The guest was handed over and runs elsewhere; migrate-resolve with "
                               "guest=here and force=true continues it here");
    }
    if (mig->machine->state == RUN_INMIGRATE) {
        return error_set(err, ERROR_USER, "Guest is waiting for an incoming migration");
    }
    if (mig->machine->state == RUN_FINISH_MIGRATE) {
        return error_set(err, ERROR_USER,
                         "Guest is stopped for the end of a migration; migrate_cancel keeps it");
    }
    return !mig->disks_released || migration_disks_take(mig, err);
}

/* --- the target --- */

static bool migration_read_once(Migration *mig, const char *uri, GError **err)
{
    ChannelFds fds = migration_fds(mig);
    Channel *ch = channel_open_in(uri, &fds, err);

    if (!ch) {
        return false;
    }
    incoming_accept(mig, ch);
    return true;
}

static bool migration_check_incoming(Migration *mig, bool later, GError **err)
{
    bool again = mig->incoming_used && mig->status == MIG_FAILED;

    if (later && !mig->incoming_deferred && !again) {
        return error_set(err, ERROR_USER, "%s",
                         mig->incoming_used ? "The incoming migration has already been started"
                                            : "'-incoming' was not specified on the command line");
    }
    if (mig->out || mig->in || mig->server || (later && mig->machine->state != RUN_INMIGRATE)) {
        return error_set(err, ERROR_USER, "The incoming migration has already been started");
    }
    return true;
}

bool migration_incoming(Migration *mig, const char *uri, bool later, GError **err)
{
    if (!migration_check_incoming(mig, later, err) || !migration_may_open(mig, uri, err)) {
        return false;
    }
    if (mig->machine->dry_run) {
        return g_str_equal(uri, "defer") || channel_check_uri(uri, err);
    }
    machine_set_state(mig->machine, RUN_INMIGRATE);
    if (!later && g_str_equal(uri, "defer")) {
        mig->incoming_deferred = true;
        return true;
    }
    migration_clear_result(mig);
    if (channel_is_server(uri)) {
        mig->server = channel_serve(uri, incoming_accept, mig, err);
        if (!mig->server) {
            return false;
        }
        migration_set_status(mig, MIG_SETUP);
    } else if (!migration_read_once(mig, uri, err)) {
        return false;
    }
    mig->incoming_once = !later && !mig->server;
    mig->incoming_used = true;
    return true;
}

struct json_object *migration_machine_diff(Migration *mig, struct json_object *a,
                                           struct json_object *b, GError **err)
{
    g_autoptr(PlanMachine) wanted = plan_from_json(a, err), have = NULL;
    struct json_object *diff;

    if (!wanted) {
        return NULL;
    }
    have = plan_from_json(b, err);
    if (!have || !plan_resolve(wanted, mig->hooks.catalog, err) ||
        !plan_resolve(have, mig->hooks.catalog, err)) {
        return NULL;
    }
    diff = plan_diff(wanted, have, mig->hooks.catalog);
    plan_diff_boot(diff, wanted, have);
    return diff;
}

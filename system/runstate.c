/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop, continue, reset and shutdown. Any holder of the machine lock can request them. The main
 * loop executes them and sends the events that QMP clients expect.
 */
#include "internal.h"

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "debug/gdb.h"
#include "debug/semihost.h"
#include "machine-events.h"
#include "migration/snapshot.h"
#include "monitor/monitor.h"

/* ShutdownCause and the enum of the schema have the same order. */
_Static_assert((int)SHUTDOWN_HOST_ERROR == QMP_SHUTDOWN_CAUSE_HOST_ERROR &&
                   (int)SHUTDOWN_GUEST_SHUTDOWN == QMP_SHUTDOWN_CAUSE_GUEST_SHUTDOWN &&
                   (int)SHUTDOWN_GUEST_PANIC == QMP_SHUTDOWN_CAUSE_GUEST_PANIC,
               "ShutdownCause differs from monitor/schema/machine.qmp");

static bool cause_is_guest(ShutdownCause cause)
{
    return cause >= SHUTDOWN_GUEST_SHUTDOWN;
}

static void do_reset(void *opaque)
{
    Session *s = opaque;

    machine_reset(s->m, RESET_HOT);
    semihost_reset(s->semihost);
    event_reset(s->m, cause_is_guest(s->reset_cause), (QmpShutdownCause)s->reset_cause);
}

static void carry_out_reset(Session *s)
{
    s->reset_wanted = false;
    if (s->m->state == RUN_INMIGRATE) {
        return; /* before a stream is loaded there is no state to reset */
    }
    if (s->m->state == RUN_FINISH_MIGRATE) {
        s->reset_wanted = true; /* the sent state must stay valid; reset after the migration */
        return;
    }
    if (s->m->qtest || !machine_running(s->m)) {
        do_reset(s);
    } else {
        cpus_exclusive(s->m, do_reset, s);
    }
    if (s->m->state == RUN_SHUTDOWN || s->m->state == RUN_INTERNAL_ERROR ||
        s->m->state == RUN_GUEST_PANICKED || s->m->state == RUN_WATCHDOG) {
        machine_set_state(s->m, RUN_PAUSED);
    }
}

static void carry_out_shutdown(Session *s)
{
    bool by_guest = cause_is_guest(s->shutdown_cause);

    s->shutdown_wanted = false;
    event_shutdown(s->m, by_guest, (QmpShutdownCause)s->shutdown_cause);
    if (s->actions.shutdown_pauses && by_guest) {
        machine_set_state(s->m, RUN_SHUTDOWN);
        return;
    }
    s->quit = true;
}

/* During the end of a migration the sent state must stay valid: the action follows it. */
static void carry_out_actions(Session *s)
{
    if (s->m->state == RUN_FINISH_MIGRATE) {
        return;
    }
    if (s->panicked) {
        s->panicked = false;
        guest_actions_panic(s);
    }
    if (s->watchdog_expired) {
        s->watchdog_expired = false;
        guest_actions_watchdog(s);
    }
}

static gboolean runstate_work(gpointer opaque)
{
    Session *s = opaque;

    carry_out_actions(s); /* its requests are carried out below */
    s->work = 0;
    if (s->shutdown_wanted) {
        carry_out_shutdown(s);
    }
    if (s->reset_wanted && !s->quit) {
        carry_out_reset(s);
    }
    return G_SOURCE_REMOVE;
}

static void schedule(Session *s)
{
    if (!s->work) {
        s->work = g_idle_add_full(G_PRIORITY_HIGH, runstate_work, s, NULL);
    }
}

static void on_request(void *opaque, ShutdownCause cause, int exit_status)
{
    Session *s = opaque;
    bool reset = cause == SHUTDOWN_GUEST_RESET || cause == SHUTDOWN_HOST_QMP_SYSTEM_RESET;

    if (reset && !s->actions.reboot_shuts_down) {
        s->reset_wanted = true;
        s->reset_cause = cause;
    } else if (!s->shutdown_wanted) {
        s->shutdown_wanted = true;
        s->shutdown_cause = cause;
        s->exit_status = exit_status;
    }
    schedule(s);
}

static void on_guest_panicked(void *opaque)
{
    Session *s = opaque;

    s->panicked = true;
    schedule(s);
}

static void on_watchdog_expired(void *opaque)
{
    Session *s = opaque;

    s->watchdog_expired = true;
    schedule(s);
}

/* Send RESUME when guest code starts to run, and STOP when it no longer runs. */
static void on_run_state(void *opaque, RunState from, RunState to)
{
    Session *s = opaque;

    if (from != RUN_RUNNING && to == RUN_RUNNING) {
        event_resume(s->m);
    } else if (from == RUN_RUNNING && to != RUN_RUNNING) {
        event_stop(s->m);
    }
    gdb_run_state_changed(s->m);
    if (from == RUN_FINISH_MIGRATE && (s->reset_wanted || s->panicked || s->watchdog_expired)) {
        schedule(s);
    }
}

static void runstate_on_event(void *opaque, const Event *event)
{
    monitor_event(((Session *)opaque)->m, event);
}

static void on_device_gone(void *opaque, Device *dev)
{
    Session *s = opaque;
    PlanDevice *d = g_hash_table_lookup(s->planned, dev);

    if (d) {
        g_hash_table_remove(s->planned, dev);
        plan_remove_device(s->plan, d);
    }
}

static int on_open_fdset(void *opaque, const char *path, bool write)
{
    return monitor_dup_fdset(((Session *)opaque)->m, path, write);
}

void runstate_fill_hooks(Session *s)
{
    s->m->hooks = (MachineHooks){
        .opaque = s,
        .event = runstate_on_event,
        .request = on_request,
        .guest_panicked = on_guest_panicked,
        .watchdog_expired = on_watchdog_expired,
        .run_state = on_run_state,
        .device_gone = on_device_gone,
        .open_fdset = on_open_fdset,
        .settle = icount_settle,
    };
}

static bool runstate_loadvm(Session *s, GError **err)
{
    SnapshotPlace place;
    bool ok;

    if (!s->loadvm) {
        return true;
    }
    if (s->incoming) {
        return error_set(err, ERROR_USER, "-loadvm and -incoming exclude each other");
    }
    ok = migration_snapshot_place(s->m, s->loadvm, &place, err) &&
         migration_snapshot_load(s->migration, &place, err);
    g_clear_pointer(&place.disks, g_ptr_array_unref);
    if (!ok) {
        g_prefix_error(err, "-loadvm %s: ", s->loadvm);
    }
    return ok;
}

bool runstate_start(Session *s, GError **err)
{
    session_semihosting_start(s);
    if (!s->m->qtest && !accel_start(s->m, err)) {
        return false;
    }
    if (!runstate_loadvm(s, err)) {
        return false;
    }
    if (!s->stopped && !s->incoming && s->m->state == RUN_PRELAUNCH) {
        machine_set_state(s->m, RUN_RUNNING);
    }
    return true;
}

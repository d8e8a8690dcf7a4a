/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop, continue, reset and end: asked for anywhere under the machine lock, carried out from the
 * main loop, with the events QMP clients wait for.
 */
#include "session.h"

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "monitor/monitor.h"

static void put_cause(struct json_object *data, ShutdownCause cause)
{
    bool guest = cause >= SHUTDOWN_GUEST_SHUTDOWN;

    json_object_object_add(data, "guest", json_object_new_boolean(guest));
    json_object_object_add(data, "reason", json_object_new_string(shutdown_cause_name(cause)));
}

static void do_reset(void *opaque)
{
    Session *s = opaque;
    struct json_object *data = json_object_new_object();

    machine_reset(s->m, RESET_HOT);
    put_cause(data, s->reset_cause);
    machine_event(s->m, "RESET", data);
}

static void carry_out_reset(Session *s)
{
    s->reset_wanted = false;
    if (s->m->state == RUN_INMIGRATE) {
        return; /* there is no state to reset before it has come */
    }
    if (s->m->state == RUN_FINISH_MIGRATE) {
        s->reset_wanted = true; /* what was sent must stay true: when it is known whose it is */
        return;
    }
    if (s->m->qtest || !machine_running(s->m)) {
        do_reset(s);
    } else {
        cpus_exclusive(s->m, do_reset, s);
    }
    if (s->m->state == RUN_SHUTDOWN || s->m->state == RUN_INTERNAL_ERROR) {
        machine_set_state(s->m, RUN_PAUSED);
    }
}

static void carry_out_shutdown(Session *s)
{
    bool by_host = s->shutdown_cause < SHUTDOWN_GUEST_SHUTDOWN;
    struct json_object *data = json_object_new_object();

    s->shutdown_wanted = false;
    put_cause(data, s->shutdown_cause);
    machine_event(s->m, "SHUTDOWN", data);
    if (s->no_shutdown && !by_host) {
        machine_set_state(s->m, RUN_SHUTDOWN);
        return;
    }
    s->quit = true;
}

static gboolean work(gpointer opaque)
{
    Session *s = opaque;

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
        s->work = g_idle_add_full(G_PRIORITY_HIGH, work, s, NULL);
    }
}

static void on_request(void *opaque, ShutdownCause cause, int exit_status)
{
    Session *s = opaque;
    bool reset = cause == SHUTDOWN_GUEST_RESET || cause == SHUTDOWN_HOST_QMP_SYSTEM_RESET;

    if (reset && !s->no_reboot) {
        s->reset_wanted = true;
        s->reset_cause = cause;
    } else if (!s->shutdown_wanted) {
        s->shutdown_wanted = true;
        s->shutdown_cause = cause;
        s->exit_status = exit_status;
    }
    schedule(s);
}

/* RESUME and STOP frame the times when guest code runs. */
static void on_run_state(void *opaque, RunState from, RunState to)
{
    Session *s = opaque;

    if ((from == RUN_RUNNING) != (to == RUN_RUNNING)) {
        machine_event(s->m, to == RUN_RUNNING ? "RESUME" : "STOP", NULL);
    }
    if (from == RUN_FINISH_MIGRATE && s->reset_wanted) {
        schedule(s);
    }
}

static void on_event(void *opaque, const char *name, struct json_object *data)
{
    monitor_event(((Session *)opaque)->m, name, data);
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

void runstate_fill_hooks(Session *s)
{
    s->m->hooks = (MachineHooks){
        .opaque = s,
        .event = on_event,
        .request = on_request,
        .run_state = on_run_state,
        .device_gone = on_device_gone,
    };
}

bool runstate_start(Session *s, GError **err)
{
    if (!s->m->qtest && !accel_start(s->m, err)) {
        return false;
    }
    if (!s->stopped && !s->incoming && s->m->state == RUN_PRELAUNCH) {
        machine_set_state(s->m, RUN_RUNNING);
    }
    return true;
    return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands whose response is sent later (contract in include/monitor/command.h).
 *
 * A QmpDeferred belongs to the command that created it. MonitorSet.deferred lists all of them, so
 * that closing the monitors can detach them. Monitor.deferred is the deferred command of a session.
 * The next command of the session is executed after the response to it.
 */
#include "internal.h"

#include <string.h>

struct QmpDeferred {
    MonitorSet *set;
    Monitor *monitor;    /* NULL: the session is closed */
    unsigned generation; /* of the connection that sent the command */
    struct json_object *id;
    bool has_id;
    bool human; /* a line of the human monitor, whose response is text */
};

void monitor_command_begin(MonitorSet *set, Monitor *mon, unsigned generation, bool human)
{
    set->current = mon;
    set->generation = generation;
    set->human = human;
    set->begun = NULL;
}

QmpDeferred *monitor_command_end(MonitorSet *set)
{
    QmpDeferred *d = set->begun;

    set->current = NULL;
    set->human = false;
    set->begun = NULL;
    return d;
}

/* The session thread may detect at any time that the client has disconnected. A later client does
 * not wait for the command. */
QmpDeferred *qmp_defer(Machine *m)
{
    MonitorSet *set = m->monitors;
    QmpDeferred *d;

    if (!set || !set->current) {
        return NULL;
    }
    d = g_new0(QmpDeferred, 1);
    d->set = set;
    d->monitor = set->current;
    d->generation = set->generation;
    d->human = set->human;
    g_mutex_lock(&d->monitor->lock);
    if (d->generation == __atomic_load_n(&d->monitor->generation, __ATOMIC_RELAXED)) {
        d->monitor->deferred = d;
    }
    g_mutex_unlock(&d->monitor->lock);
    g_ptr_array_add(set->deferred, d);
    set->begun = d;
    return d;
}

void monitor_deferred_set_id(QmpDeferred *d, bool has_id, struct json_object *id)
{
    d->has_id = has_id;
    d->id = json_object_get(id);
}

void monitor_deferred_detach_all(MonitorSet *set)
{
    for (guint i = 0; i < set->deferred->len; i++) {
        QmpDeferred *d = g_ptr_array_index(set->deferred, i);

        d->monitor = NULL;
        d->set = NULL;
    }
    g_ptr_array_unref(set->deferred);
}

/* The text that the human monitor prints for a result or an error. */
static char *deferred_text(struct json_object *result, const GError *err)
{
    if (err) {
        return g_strdup_printf("Error: %s\n", err->message);
    }
    if (json_object_is_type(result, json_type_object) && json_object_object_length(result) == 0) {
        return g_strdup(""); /* a command without a result */
    }
    return g_strdup_printf("%s\n", json_object_to_json_string_ext(
                                       result, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
}

static void deferred_answer(QmpDeferred *d, struct json_object *result, GError *err)
{
    if (d->human) {
        g_autofree char *text = deferred_text(result, err);

        json_object_put(result);
        g_clear_error(&err);
        if (!d->monitor->control) {
            monitor_emit_human(d->monitor, text);
            return;
        }
        result = json_object_new_string(text);
    }
    monitor_emit_to(d->monitor, d->generation, qmp_response(result, err, d->has_id, d->id));
}

void qmp_deferred_finish(QmpDeferred *d, struct json_object *result, GError *err)
{
    Monitor *mon = d->monitor;

    if (d->set) {
        g_ptr_array_remove_fast(d->set->deferred, d);
    }
    if (mon && d->generation == __atomic_load_n(&mon->generation, __ATOMIC_RELAXED)) {
        deferred_answer(d, result, err);
        monitor_resume(mon, d);
    } else { /* the client that sent the command has disconnected */
        json_object_put(result);
        g_clear_error(&err);
    }
    json_object_put(d->id);
    g_free(d);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of events to QMP clients. The rate of events that a guest or a network peer can raise
 * without limit is limited. The first `burst` events of an interval are sent immediately. Of the
 * events that follow, only the last one is sent, when the interval ends.
 */
#include "internal.h"

#include <string.h>

#include "hw/core/clock.h"

/* Events with the same group and the same value of `key` share an interval, so that the last event
 * sent is the last event raised. */
static const struct Limit {
    const char *event, *group, *key;
    unsigned ms, burst; /* length of the interval; events sent immediately in it */
    const char *only;   /* limit only events in which this boolean is true; NULL: all */
} limits[] = {
    { "VSERPORT_CHANGE", "VSERPORT_CHANGE", "id", 1000, 1, NULL },
    { "BLOCK_IO_ERROR", "BLOCK_IO_ERROR", "qom-path", 1000, 16, NULL },
    { "NETDEV_STREAM_CONNECTED", "NETDEV_STREAM", "netdev-id", 1000, 16, NULL },
    { "NETDEV_STREAM_DISCONNECTED", "NETDEV_STREAM", "netdev-id", 1000, 16, NULL },
    { "DEVICE_UNPLUG_GUEST_ERROR", "DEVICE_UNPLUG_GUEST_ERROR", "path", 1000, 16, NULL },
    { "BALLOON_CHANGE", "BALLOON_CHANGE", NULL, 1000, 1, NULL },
    { "RESET", "RESET", NULL, 1000, 16, "guest" },
    { "GUEST_PANICKED", "GUEST_PANICKED", NULL, 1000, 16, NULL },
    { "GUEST_CRASHLOADED", "GUEST_CRASHLOADED", NULL, 1000, 16, NULL },
    { "WATCHDOG", "WATCHDOG", NULL, 1000, 16, NULL },
    { "VNC_CONNECTED", "VNC", NULL, 1000, 96, NULL },
    { "VNC_INITIALIZED", "VNC", NULL, 1000, 96, NULL },
    { "VNC_DISCONNECTED", "VNC", NULL, 1000, 96, NULL },
};

/* A running interval of one group and key. Freed when an interval ends without a held event. */
typedef struct Held {
    MonitorSet *set;
    const struct Limit *limit;
    char *name;               /* its key in set->held */
    unsigned left;            /* events that are still sent immediately in this interval */
    struct json_object *last; /* the held event; NULL: none */
    Timer timer;
} Held;

/* Return the subject of an event: its name and the object that it concerns; g_free. For a client
 * that does not read its output, only the last event of each subject is stored. */
static char *event_subject(struct json_object *message)
{
    static const char *const keys[] = { "qom-path",  "path",      "device", "id",
                                        "netdev-id", "node-name", NULL };
    struct json_object *data = json_object_object_get(message, "data"), *v;
    const char *event = json_object_get_string(json_object_object_get(message, "event"));

    for (size_t i = 0; data && keys[i]; i++) {
        if (json_object_object_get_ex(data, keys[i], &v)) {
            return g_strconcat(event, " ", json_object_get_string(v), NULL);
        }
    }
    return g_strdup(event);
}

/* Send the message, which is consumed, to all QMP clients that have completed the handshake. */
static void event_send_all(MonitorSet *set, struct json_object *message)
{
    g_autofree char *subject = event_subject(message);

    for (guint i = 0; i < set->all->len; i++) {
        Monitor *mon = set->all->pdata[i];

        if (mon->control && __atomic_load_n(&mon->negotiated, __ATOMIC_RELAXED)) {
            monitor_emit_event(mon, subject, json_object_get(message));
        }
    }
    json_object_put(message);
}

static struct json_object *event_object_json(const EventObject *object);

static struct json_object *event_value_json(const EventField *f)
{
    switch (f->type) {
    case EVENT_STR:
        return json_object_new_string(f->str);
    case EVENT_INT:
        return json_object_new_int64(f->number);
    case EVENT_BOOL:
        return json_object_new_boolean(f->on);
    default:
        return event_object_json(f->object);
    }
}

static struct json_object *event_object_json(const EventObject *object)
{
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; i < object->n_fields; i++) {
        json_object_object_add(o, object->fields[i].name, event_value_json(&object->fields[i]));
    }
    return o;
}

/* Return the QMP message of an event with the current time. A held event keeps this time. */
static struct json_object *event_message(const Event *event)
{
    gint64 now = g_get_real_time();
    struct json_object *o = json_object_new_object(), *at = json_object_new_object();

    json_object_object_add(at, "seconds", json_object_new_int64(now / G_USEC_PER_SEC));
    json_object_object_add(at, "microseconds", json_object_new_int64(now % G_USEC_PER_SEC));
    json_object_object_add(o, "timestamp", at);
    json_object_object_add(o, "event", json_object_new_string(event->name));
    if (event->data.n_fields) {
        json_object_object_add(o, "data", event_object_json(&event->data));
    }
    return o;
}

/* --- the limit --- */

static const struct Limit *event_find_limit(const Event *event)
{
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        const struct Limit *l = &limits[i];

        if (strcmp(l->event, event->name) == 0) {
            return !l->only || event_on(event, l->only) ? l : NULL;
        }
    }
    return NULL;
}

static void event_held_free(gpointer opaque)
{
    Held *h = opaque;

    timer_cancel(&h->timer);
    json_object_put(h->last);
    g_free(h->name);
    g_free(h);
}

/* Start the timer of the interval. */
static void event_start_timer(Held *h)
{
    timer_arm_ns(&h->timer, h->limit->ms * 1000000ull);
}

static void event_interval_ended(void *opaque)
{
    Held *h = opaque;

    if (!h->last) {
        g_hash_table_remove(h->set->held, h->name);
        return;
    }
    event_send_all(h->set, g_steal_pointer(&h->last));
    h->left = 0;
    event_start_timer(h);
}

/* Start an interval for the event and its key; @name is consumed. Under qtest the interval uses the
 * virtual clock, which the client steps. */
static void event_start_interval(Machine *m, MonitorSet *set, const struct Limit *limit, char *name)
{
    Held *h = g_new0(Held, 1);

    *h = (Held){ .set = set, .limit = limit, .name = name, .left = limit->burst - 1 };
    timer_setup_plain(&h->timer, m, m->qtest ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REALTIME,
                      event_interval_ended, h);
    g_hash_table_insert(set->held, h->name, h);
    event_start_timer(h);
}

/* Return false if the message may be sent immediately; the first one starts an interval. Return
 * true if the message is held, in place of an earlier one; @msg is consumed in this case. */
static bool event_hold(Machine *m, const struct Limit *limit, const Event *event,
                       struct json_object *msg)
{
    MonitorSet *set = m->monitors;
    const char *key = limit->key ? event_str(event, limit->key) : NULL;
    g_autofree char *name = g_strdup_printf("%s %s", limit->group, key ? key : "");
    Held *h;

    if (!set->held) {
        set->held = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, event_held_free);
    }
    h = g_hash_table_lookup(set->held, name);
    if (!h) {
        event_start_interval(m, set, limit, g_steal_pointer(&name));
        return false;
    }
    if (h->left > 0) {
        h->left--;
        return false;
    }
    json_object_put(h->last);
    h->last = msg;
    return true;
}

void monitor_event(Machine *m, const Event *event)
{
    const struct Limit *limit = event_find_limit(event);
    struct json_object *msg;

    if (!m->monitors) {
        return;
    }
    msg = event_message(event);
    if (!limit || !event_hold(m, limit, event, msg)) {
        event_send_all(m->monitors, msg);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events on their way to QMP clients. What a guest can raise at will is held to a rate: the first
 * leaves at once, and of those that follow within the interval the last one leaves at its end.
 */
#include "internal.h"

#include <string.h>

#include "hw/core/clock.h"

/* Events of one name are told apart by what `key` says. */
static const struct Limit {
    const char *event, *key;
    unsigned ms;
} limits[] = {
    { "VSERPORT_CHANGE", "id", 1000 },
};

/* One event and key whose interval runs; gone when an interval ends with nothing held. */
typedef struct Held {
    MonitorSet *set;
    const struct Limit *limit;
    char *name;               /* its key in set->held */
    struct json_object *last; /* the message that waits; NULL: none */
    Timer timer;
} Held;

static void send_all(MonitorSet *set, struct json_object *message)
{
    for (guint i = 0; i < set->all->len; i++) {
        Monitor *mon = set->all->pdata[i];

        if (mon->control && __atomic_load_n(&mon->negotiated, __ATOMIC_RELAXED)) {
            monitor_emit(mon, json_object_get(message));
        }
    }
    json_object_put(message);
}

/* As the event is raised: what is held keeps the time of its event. */
static struct json_object *message(const char *name, struct json_object *data)
{
    gint64 now = g_get_real_time();
    struct json_object *o = json_object_new_object(), *at = json_object_new_object();

    json_object_object_add(at, "seconds", json_object_new_int64(now / G_USEC_PER_SEC));
    json_object_object_add(at, "microseconds", json_object_new_int64(now % G_USEC_PER_SEC));
    json_object_object_add(o, "timestamp", at);
    json_object_object_add(o, "event", json_object_new_string(name));
    if (data) {
        json_object_object_add(o, "data", data);
    }
    return o;
}

/* --- the limit --- */

static const struct Limit *limit_of(const char *event)
{
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        if (strcmp(limits[i].event, event) == 0) {
            return &limits[i];
        }
    }
    return NULL;
}

static void held_free(gpointer opaque)
{
    Held *h = opaque;

    timer_cancel(&h->timer);
    json_object_put(h->last);
    g_free(h->name);
    g_free(h);
}

static void rest(Held *h)
{
    timer_arm_ns(&h->timer, h->limit->ms * 1000000ull);
}

static void interval_ended(void *opaque)
{
    Held *h = opaque;

    if (!h->last) {
        g_hash_table_remove(h->set->held, h->name);
        return;
    }
    send_all(h->set, g_steal_pointer(&h->last));
    rest(h);
}

/* Under qtest time is what the client steps. */
static void start_interval(Machine *m, MonitorSet *set, const struct Limit *limit, char *name)
{
    Held *h = g_new0(Held, 1);

    *h = (Held){ .set = set, .limit = limit, .name = name };
    timer_setup_plain(&h->timer, m, m->qtest ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REALTIME,
                      interval_ended, h);
    g_hash_table_insert(set->held, h->name, h);
    rest(h);
}

/* Keep the message if its interval runs, else start one. True: kept. */
static bool hold(Machine *m, const struct Limit *limit, struct json_object *data,
                 struct json_object *msg)
{
    MonitorSet *set = m->monitors;
    const char *key = json_object_get_string(json_object_object_get(data, limit->key));
    g_autofree char *name = g_strdup_printf("%s %s", limit->event, key ? key : "");
    Held *h;

    if (!set->held) {
        set->held = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, held_free);
    }
    h = g_hash_table_lookup(set->held, name);
    if (!h) {
        start_interval(m, set, limit, g_steal_pointer(&name));
        return false;
    }
    json_object_put(h->last);
    h->last = msg;
    return true;
}

void monitor_event(void *machine, const char *name, struct json_object *data)
{
    Machine *m = machine;
    const struct Limit *limit = limit_of(name);
    struct json_object *msg;

    if (!m->monitors) {
        json_object_put(data);
        return;
    }
    msg = message(name, data);
    if (!limit || !hold(m, limit, data, msg)) {
        send_all(m->monitors, msg);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitor sessions: bytes in and out, batches, and the thread that reads sessions whose
 * clients negotiated out-of-band commands.
 */
#include "internal.h"

#include <string.h>

/* --- output --- */

/* Append one message; outside a batch it leaves at once. Any thread. */
static void emit_text(Monitor *mon, const char *text, size_t len, bool crlf)
{
    g_mutex_lock(&mon->lock);
    g_string_append_len(mon->out, text, (gssize)len);
    if (crlf) {
        g_string_append_len(mon->out, "\r\n", 2);
    }
    if (!mon->busy) {
        chardev_write(mon->chardev, mon->out->str, mon->out->len);
        g_string_truncate(mon->out, 0);
    }
    g_mutex_unlock(&mon->lock);
}

void monitor_emit(Monitor *mon, struct json_object *o)
{
    size_t len;
    const char *text = json_object_to_json_string_length(
        o,
        mon->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE
                    : JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
        &len);

    emit_text(mon, text, len, true);
    json_object_put(o);
}

static void set_busy(Monitor *mon, bool busy)
{
    g_mutex_lock(&mon->lock);
    mon->busy = busy;
    g_mutex_unlock(&mon->lock);
    if (!busy) {
        emit_text(mon, "", 0, false);
    }
}

/* --- QMP requests --- */

static gboolean in_main_loop(gpointer opaque);

static void run_request(Monitor *mon, struct json_object *request, bool in_thread)
{
    unsigned generation = __atomic_load_n(&mon->generation, __ATOMIC_RELAXED);
    struct json_object *response = qmp_answer(mon, request, in_thread);

    json_object_put(request);
    if (generation == __atomic_load_n(&mon->generation, __ATOMIC_RELAXED)) {
        monitor_emit(mon, response);
    } else {
        json_object_put(response); /* the client that asked is gone */
    }
}

/* From the session thread: leave a request to the main loop. */
static void enqueue(Monitor *mon, struct json_object *request)
{
    GSource *source = g_idle_source_new();

    g_mutex_lock(&mon->lock);
    g_queue_push_tail(&mon->queue, request);
    g_mutex_unlock(&mon->lock);
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, in_main_loop, mon, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
}

static gboolean more_input(gpointer opaque)
{
    chardev_accept_input(((Monitor *)opaque)->chardev);
    return G_SOURCE_REMOVE;
}

static gboolean in_main_loop(gpointer opaque)
{
    Monitor *mon = opaque;
    MonitorSet *set = mon->machine->monitors;
    struct json_object *request;
    GSource *source;

    g_mutex_lock(&mon->lock);
    request = g_queue_pop_head(&mon->queue);
    g_mutex_unlock(&mon->lock);
    if (!request) {
        return G_SOURCE_REMOVE; /* the client went away */
    }
    run_request(mon, request, false);
    source = g_idle_source_new();
    g_source_set_callback(source, more_input, mon, NULL);
    g_source_attach(source, set->context);
    g_source_unref(source);
    return G_SOURCE_REMOVE;
}

static gpointer thread_main(gpointer opaque)
{
    MonitorSet *set = opaque;

    g_main_context_push_thread_default(set->context);
    g_main_loop_run(set->loop);
    g_main_context_pop_thread_default(set->context);
    return NULL;
}

/* The client wants out-of-band commands: from now on the session thread reads it. */
static void go_threaded(Monitor *mon)
{
    MonitorSet *set = mon->machine->monitors;

    if (!set->thread) {
        set->context = g_main_context_new();
        set->loop = g_main_loop_new(set->context, FALSE);
        set->thread = g_thread_new("monitor", thread_main, set);
    }
    mon->threaded = chardev_set_context(mon->chardev, set->context);
}

static void handle_message(Monitor *mon, const GString *text)
{
    struct json_tokener *tok = json_tokener_new_ex(FRAME_DEPTH_MAX + 1);
    struct json_object *request = json_tokener_parse_ex(tok, text->str, (int)text->len + 1);
    enum json_tokener_error status = json_tokener_get_error(tok);

    json_tokener_free(tok);
    if (status != json_tokener_success) {
        monitor_emit(mon, qmp_error_response(g_error_new(QMP_ERROR, QMP_GENERIC_ERROR,
                                                         "JSON parse error: %s",
                                                         json_tokener_error_desc(status))));
        json_object_put(request);
    } else if (!mon->threaded) {
        run_request(mon, request, false);
    } else if (mon->oob && qmp_is_oob(request)) {
        run_request(mon, request, true);
    } else {
        enqueue(mon, request);
    }
}

static void qmp_read(Monitor *mon, const char *buf, size_t len)
{
    size_t used;

    while (len > 0) {
        FrameResult r = framer_feed(&mon->framer, buf, len, &used);

        if (r == FRAME_MESSAGE) {
            handle_message(mon, mon->framer.text);
        } else if (r == FRAME_BAD) {
            monitor_emit(
                mon, qmp_error_response(g_error_new(QMP_ERROR, QMP_GENERIC_ERROR,
                                                    "JSON parse error: %s", mon->framer.problem)));
        }
        buf += used;
        len -= used;
    }
}

/* --- the connection --- */

static struct json_object *version(void)
{
    const QmpCommand *c = qmp_find("query-version");
    struct json_object *none = json_object_new_object(), *v = c->run(NULL, none, NULL);

    json_object_put(none);
    return v;
}

static void greet(Monitor *mon)
{
    struct json_object *o = json_object_new_object(), *qmp = json_object_new_object(),
                       *caps = json_object_new_array();

    json_object_array_add(caps, json_object_new_string("oob"));
    json_object_object_add(qmp, "version", version());
    json_object_object_add(qmp, "capabilities", caps);
    json_object_object_add(o, "QMP", qmp);
    monitor_emit(mon, o);
}

static void forget_client(Monitor *mon)
{
    g_mutex_lock(&mon->lock);
    mon->negotiated = mon->oob = false;
    mon->generation++;
    g_string_truncate(mon->out, 0);
    for (struct json_object *r; (r = g_queue_pop_head(&mon->queue));) {
        json_object_put(r);
    }
    g_mutex_unlock(&mon->lock);
    framer_reset(&mon->framer);
}

static size_t on_can_read(void *opaque)
{
    Monitor *mon = opaque;
    bool full;

    if (!mon->threaded) {
        return SIZE_MAX;
    }
    g_mutex_lock(&mon->lock);
    full = mon->queue.length >= QMP_QUEUE_MAX;
    g_mutex_unlock(&mon->lock);
    return full ? 0 : 4096;
}

static void hmp_read(Monitor *mon, const char *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const char *line = hmp_line_feed(&mon->line, buf[i]);

        emit_text(mon, mon->line.echo->str, mon->line.echo->len, false);
        g_string_truncate(mon->line.echo, 0);
        if (line) {
            g_autofree char *answer = hmp_run(mon->machine, line);

            hmp_emit_lines(mon->line.echo, answer);
            g_string_append(mon->line.echo, HMP_PROMPT);
            emit_text(mon, mon->line.echo->str, mon->line.echo->len, false);
            g_string_truncate(mon->line.echo, 0);
        }
    }
}

static void on_read(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;
    bool batch = !mon->threaded;

    if (batch) {
        set_busy(mon, true);
    }
    if (mon->control) {
        qmp_read(mon, (const char *)buf, len);
    } else {
        hmp_read(mon, (const char *)buf, len);
    }
    if (batch) {
        set_busy(mon, false);
        if (mon->oob) {
            go_threaded(mon); /* last: from here on the thread owns the framer */
        }
    }
}

static void on_event(void *opaque, ChardevEvent event)
{
    Monitor *mon = opaque;

    if (event == CHARDEV_BREAK) {
        return;
    }
    if (event == CHARDEV_FOCUSED) {
        if (!mon->control) {
            emit_text(mon, HMP_PROMPT, strlen(HMP_PROMPT), false);
        }
        return;
    }
    if (mon->control) {
        forget_client(mon);
    }
    if (event == CHARDEV_OPENED && mon->control) {
        greet(mon);
    } else if (event == CHARDEV_OPENED) {
        hmp_line_reset(&mon->line);
        emit_text(mon, HMP_BANNER, strlen(HMP_BANNER), false);
    }
}

/* --- the set --- */

static MonitorSet *set_of(Machine *m)
{
    if (!m->monitors) {
        MonitorSet *set = g_new0(MonitorSet, 1);

        set->all = g_ptr_array_new();
        m->monitors = set;
    }
    return m->monitors;
}

static void monitor_free(Monitor *mon)
{
    chardev_detach(mon->chardev, &mon->front);
    forget_client(mon);
    framer_clear(&mon->framer);
    hmp_line_clear(&mon->line);
    g_string_free(mon->out, TRUE);
    g_mutex_clear(&mon->lock);
    g_free(mon);
}

bool monitor_open(Machine *m, Chardev *c, bool control, bool pretty, GError **err)
{
    Monitor *mon = g_new0(Monitor, 1);

    mon->machine = m;
    mon->chardev = c;
    mon->control = control;
    mon->pretty = pretty;
    mon->out = g_string_sized_new(4096);
    g_mutex_init(&mon->lock);
    g_queue_init(&mon->queue);
    framer_init(&mon->framer);
    hmp_line_init(&mon->line);
    mon->front = (ChardevFront){ on_can_read, on_read, on_event, NULL, mon };
    if (!chardev_attach(c, &mon->front, err)) {
        monitor_free(mon);
        return false;
    }
    g_ptr_array_add(set_of(m)->all, mon);
    return true;
}

void monitor_close_all(Machine *m)
{
    MonitorSet *set = m->monitors;

    if (!set) {
        return;
    }
    if (set->thread) {
        g_main_loop_quit(set->loop);
        g_thread_join(set->thread);
    }
    for (guint i = 0; i < set->all->len; i++) {
        Monitor *mon = set->all->pdata[i];

        if (mon->threaded) {
            chardev_set_context(mon->chardev, NULL);
        }
        chardev_flush(mon->chardev, 200);
        monitor_free(mon);
    }
    if (set->loop) {
        g_main_loop_unref(set->loop);
        g_main_context_unref(set->context);
    }
    g_ptr_array_unref(set->all);
    g_clear_pointer(&set->held, g_hash_table_unref);
    g_clear_pointer(&set->fds, g_hash_table_unref);
    g_clear_pointer(&set->fdsets, g_ptr_array_unref);
    g_free(set);
    m->monitors = NULL;
}

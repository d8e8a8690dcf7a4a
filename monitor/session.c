/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitor sessions: input, output, batches of requests, and the thread that reads the sessions
 * whose clients negotiated out-of-band commands.
 */
#include "internal.h"

#include <malloc.h>
#include <string.h>

#include "plan/json.h"
#include "util/host.h"

#define TRIM_AT       (1u << 20) /* bytes of a request from which on malloc_trim() is called */
#define LAST_WORDS_MS 200        /* limit of the final flush, for all clients together */
#define CONTEXT_FDS   2          /* descriptors that a GMainContext may need */

/* --- output --- */

static size_t monitor_waiting_locked(const Monitor *mon)
{
    return mon->out->len - mon->sent;
}

/* Write as much output as the character device accepts; monitor_on_writable() writes more of it
 * later. No-op inside a batch. */
static void monitor_flush_locked(Monitor *mon)
{
    if (mon->busy || monitor_waiting_locked(mon) == 0) {
        return;
    }
    mon->sent +=
        chardev_write_now(mon->chardev, mon->out->str + mon->sent, monitor_waiting_locked(mon));
    if (monitor_waiting_locked(mon) == 0) {
        mon->sent = 0;
        g_string_truncate(mon->out, 0);
        if (mon->out->allocated_len > MONITOR_KEEP) {
            g_string_free(mon->out, TRUE);
            mon->out = g_string_sized_new(4096);
        }
    } else if (mon->sent > mon->out->len / 2) {
        g_string_erase(mon->out, 0, (gssize)mon->sent);
        mon->sent = 0;
    }
}

static void monitor_append_locked(Monitor *mon, const char *text, size_t len, bool crlf)
{
    g_string_append_len(mon->out, text, (gssize)len);
    if (crlf) {
        g_string_append_len(mon->out, "\r\n", 2);
    }
}

/* Append text to the output. Outside a batch it is written immediately. Any thread. */
static void monitor_emit_text(Monitor *mon, const char *text, size_t len, bool crlf)
{
    g_mutex_lock(&mon->lock);
    monitor_append_locked(mon, text, len, crlf);
    monitor_flush_locked(mon);
    g_mutex_unlock(&mon->lock);
}

static const char *monitor_message_text(const Monitor *mon, struct json_object *o, size_t *len)
{
    return json_object_to_json_string_length(
        o,
        mon->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE
                    : JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
        len);
}

void monitor_emit(Monitor *mon, struct json_object *o)
{
    size_t len;
    const char *text = monitor_message_text(mon, o, &len);

    monitor_emit_text(mon, text, len, true);
    json_object_put(o);
}

void monitor_emit_to(Monitor *mon, unsigned generation, struct json_object *o)
{
    size_t len;
    const char *text = monitor_message_text(mon, o, &len);

    g_mutex_lock(&mon->lock);
    if (generation == __atomic_load_n(&mon->generation, __ATOMIC_RELAXED)) {
        monitor_append_locked(mon, text, len, true);
        monitor_flush_locked(mon);
    }
    g_mutex_unlock(&mon->lock);
    json_object_put(o);
}

/* --- events for a client that does not read --- */

static void monitor_late_free(gpointer opaque)
{
    MonitorLate *l = opaque;

    g_free(l->subject);
    json_object_put(l->event);
    g_free(l);
}

static MonitorLate *monitor_pop_late_locked(Monitor *mon)
{
    MonitorLate *l = g_queue_pop_head(&mon->late);

    if (l) {
        g_hash_table_remove(mon->late_of, l->subject);
    }
    return l;
}

/* Store the event, which is consumed, in place of an older one with the same subject. If the queue
 * is full, its oldest event is dropped. */
static void monitor_keep_late_locked(Monitor *mon, const char *subject, struct json_object *event)
{
    GList *old = g_hash_table_lookup(mon->late_of, subject);
    MonitorLate *l = g_new(MonitorLate, 1);

    if (old) {
        g_hash_table_remove(mon->late_of, subject);
        monitor_late_free(old->data);
        g_queue_delete_link(&mon->late, old);
    } else if (mon->late.length >= MONITOR_LATE_MAX) {
        monitor_late_free(monitor_pop_late_locked(mon));
    }
    *l = (MonitorLate){ g_strdup(subject), event };
    g_queue_push_tail(&mon->late, l);
    g_hash_table_insert(mon->late_of, l->subject, mon->late.tail);
}

/* Append the stored events to the output, oldest first, until MONITOR_OUT_MAX bytes are unsent. */
static void monitor_append_late_locked(Monitor *mon)
{
    while (mon->late.length > 0 && monitor_waiting_locked(mon) < MONITOR_OUT_MAX) {
        MonitorLate *l = monitor_pop_late_locked(mon);
        size_t len;
        const char *text = monitor_message_text(mon, l->event, &len);

        monitor_append_locked(mon, text, len, true);
        monitor_late_free(l);
        monitor_flush_locked(mon);
    }
}

void monitor_emit_event(Monitor *mon, const char *subject, struct json_object *event)
{
    g_mutex_lock(&mon->lock);
    if (mon->late.length > 0 || monitor_waiting_locked(mon) >= MONITOR_OUT_MAX) {
        monitor_keep_late_locked(mon, subject, g_steal_pointer(&event));
    }
    g_mutex_unlock(&mon->lock);
    if (event) {
        monitor_emit(mon, event);
    }
}

static void monitor_set_busy(Monitor *mon, bool busy)
{
    g_mutex_lock(&mon->lock);
    mon->busy = busy;
    monitor_flush_locked(mon);
    g_mutex_unlock(&mon->lock);
}

static bool monitor_is_threaded(const Monitor *mon)
{
    return __atomic_load_n(&mon->threaded, __ATOMIC_ACQUIRE);
}

/* Return whether the session may execute its next request: the output and the queue are below their
 * limits, and (without a session thread) no command is deferred. */
static bool monitor_may_take(Monitor *mon)
{
    bool yes;

    g_mutex_lock(&mon->lock);
    yes = monitor_waiting_locked(mon) < MONITOR_OUT_MAX && mon->queue.length < QMP_QUEUE_MAX &&
          (monitor_is_threaded(mon) || !mon->deferred);
    g_mutex_unlock(&mon->lock);
    return yes;
}

/* --- QMP requests --- */

static gboolean monitor_in_main_loop(gpointer opaque);
static void monitor_feed(Monitor *mon);

static unsigned monitor_generation(const Monitor *mon)
{
    return __atomic_load_n(&mon->generation, __ATOMIC_RELAXED);
}

static void monitor_run_request(Monitor *mon, struct json_object *request, unsigned generation,
                                bool in_thread)
{
    struct json_object *response = qmp_answer(mon, request, generation, in_thread);

    json_object_put(request);
    if (response) { /* otherwise qmp_deferred_finish() sends it */
        monitor_emit_to(mon, generation, response);
    }
}

static void monitor_call_in_main_loop(Monitor *mon, GSourceFunc fn)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, fn, mon, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
}

/* Queue a request, which is consumed, for the main loop. Called by the session thread. */
static void monitor_enqueue(Monitor *mon, struct json_object *request)
{
    g_mutex_lock(&mon->lock);
    g_queue_push_tail(&mon->queue, request);
    g_mutex_unlock(&mon->lock);
    monitor_call_in_main_loop(mon, monitor_in_main_loop);
}

static gboolean monitor_more_input(gpointer opaque)
{
    Monitor *mon = opaque;

    monitor_feed(mon);
    chardev_accept_input(mon->chardev);
    return G_SOURCE_REMOVE;
}

static gboolean monitor_in_main_loop(gpointer opaque)
{
    Monitor *mon = opaque;
    MonitorSet *set = mon->machine->monitors;
    struct json_object *request;
    unsigned generation;
    GSource *source;

    g_mutex_lock(&mon->lock);
    generation = monitor_generation(mon);
    request = mon->deferred ? NULL : g_queue_pop_head(&mon->queue);
    g_mutex_unlock(&mon->lock);
    if (!request) {
        return G_SOURCE_REMOVE; /* the client disconnected, or monitor_resume() calls again */
    }
    monitor_run_request(mon, request, generation, false);
    source = g_idle_source_new();
    g_source_set_callback(source, monitor_more_input, mon, NULL);
    g_source_attach(source, set->context);
    g_source_unref(source);
    return G_SOURCE_REMOVE;
}

void monitor_resume(Monitor *mon, QmpDeferred *d)
{
    guint waiting = 0;

    g_mutex_lock(&mon->lock);
    if (mon->deferred == d) {
        mon->deferred = NULL;
        waiting = mon->queue.length;
    }
    g_mutex_unlock(&mon->lock);
    if (!monitor_is_threaded(mon)) {
        monitor_call_in_main_loop(mon, monitor_more_input);
    }
    for (; waiting > 0; waiting--) {
        monitor_call_in_main_loop(mon, monitor_in_main_loop);
    }
}

static gpointer monitor_thread_main(gpointer opaque)
{
    MonitorSet *set = opaque;

    g_main_context_push_thread_default(set->context);
    g_main_loop_run(set->loop);
    g_main_context_pop_thread_default(set->context);
    return NULL;
}

/* Start the session thread if it does not run. Return false if the host lacks the descriptors or
 * the thread that it requires. */
static bool monitor_start_thread(MonitorSet *set)
{
    if (set->thread) {
        return true;
    }
    if (!host_can_open(CONTEXT_FDS)) {
        return false;
    }
    set->context = g_main_context_new();
    set->loop = g_main_loop_new(set->context, FALSE);
    set->thread = g_thread_try_new("monitor", monitor_thread_main, set, NULL);
    if (!set->thread) {
        g_clear_pointer(&set->loop, g_main_loop_unref);
        g_clear_pointer(&set->context, g_main_context_unref);
    }
    return set->thread;
}

/*
 * Move the session to the session thread, which then owns the framer and the input. Called after
 * the client has negotiated out-of-band commands. `threaded` is set before the move, because a
 * request that the thread reads must not be executed there as if on the main loop. If the thread
 * cannot read the session (a mux, or a host without resources), the session remains on the main
 * loop and executes all requests in order.
 */
static void monitor_go_threaded(Monitor *mon)
{
    MonitorSet *set = mon->machine->monitors;

    if (monitor_start_thread(set)) {
        __atomic_store_n(&mon->threaded, true, __ATOMIC_RELEASE);
        if (!chardev_set_context(mon->chardev, set->context)) {
            __atomic_store_n(&mon->threaded, false, __ATOMIC_RELEASE);
        }
    }
}

static void monitor_parse_error(Monitor *mon, const char *problem)
{
    monitor_emit(mon, qmp_error_response(g_error_new(QMP_ERROR, QMP_GENERIC_ERROR,
                                                     "JSON parse error: %s", problem)));
}

static void monitor_handle_message(Monitor *mon, const GString *text)
{
    static const PlanJsonLimits limits = { FRAME_SIZE_MAX, FRAME_VALUES_MAX, FRAME_DEPTH_MAX };
    g_autoptr(GError) err = NULL;
    struct json_object *request =
        plan_json_read(text->str, text->len, "the request", &limits, &err);

    if (!request && !g_str_has_prefix(text->str, "null")) {
        monitor_parse_error(mon, err->message);
    } else if (!monitor_is_threaded(mon)) {
        monitor_run_request(mon, request, monitor_generation(mon), false);
    } else if (__atomic_load_n(&mon->oob, __ATOMIC_RELAXED) && qmp_is_oob(request)) {
        monitor_run_request(mon, request, monitor_generation(mon), true);
    } else {
        monitor_enqueue(mon, request);
    }
}

/* Consume input up to the end of the next message and execute that message. Return the number of
 * bytes consumed. */
static size_t monitor_qmp_take(Monitor *mon, const char *buf, size_t len)
{
    size_t used, size;
    FrameResult r = framer_feed(&mon->framer, buf, len, &used);

    if (r == FRAME_MESSAGE) {
        size = mon->framer.text->len;
        monitor_handle_message(mon, mon->framer.text);
        framer_trim(&mon->framer);
        if (size >= TRIM_AT) {
            malloc_trim(0); /* the parsed request occupied a multiple of its text */
        }
    } else if (r == FRAME_BAD) {
        monitor_parse_error(mon, mon->framer.problem);
    }
    return used;
}

/* --- the connection --- */

static struct json_object *monitor_version(void)
{
    const QmpCommand *c = qmp_find("query-version");
    struct json_object *none = json_object_new_object(), *v = c->run(NULL, none, NULL);

    json_object_put(none);
    return v;
}

static void monitor_greet(Monitor *mon)
{
    struct json_object *o = json_object_new_object(), *qmp = json_object_new_object(),
                       *caps = json_object_new_array();

    json_object_array_add(caps, json_object_new_string("oob"));
    json_object_object_add(qmp, "version", monitor_version());
    json_object_object_add(qmp, "capabilities", caps);
    json_object_object_add(o, "QMP", qmp);
    monitor_emit(mon, o);
}

/* Reset the session for another client: drop all input, output, queued requests and events. */
static void monitor_forget_client(Monitor *mon)
{
    g_mutex_lock(&mon->lock);
    __atomic_store_n(&mon->negotiated, false, __ATOMIC_RELAXED);
    __atomic_store_n(&mon->oob, false, __ATOMIC_RELAXED);
    __atomic_add_fetch(&mon->generation, 1, __ATOMIC_RELAXED);
    mon->deferred = NULL; /* qmp_deferred_finish() drops the response */
    g_string_truncate(mon->out, 0);
    mon->sent = 0;
    g_hash_table_remove_all(mon->late_of);
    g_queue_clear_full(&mon->late, monitor_late_free);
    for (struct json_object *r; (r = g_queue_pop_head(&mon->queue));) {
        json_object_put(r);
    }
    g_mutex_unlock(&mon->lock);
    g_byte_array_set_size(mon->in, 0);
    mon->in_used = 0;
    framer_reset(&mon->framer);
}

static size_t monitor_on_can_read(void *opaque)
{
    Monitor *mon = opaque;

    if (mon->in->len > 0 || !monitor_may_take(mon)) {
        return 0;
    }
    return monitor_is_threaded(mon) ? 4096 : SIZE_MAX;
}

void monitor_emit_human(Monitor *mon, const char *text)
{
    hmp_emit_lines(mon->line.echo, text);
    g_string_append(mon->line.echo, HMP_PROMPT);
    monitor_emit_text(mon, mon->line.echo->str, mon->line.echo->len, false);
    g_string_truncate(mon->line.echo, 0);
}

static void monitor_run_line(Monitor *mon, const char *line)
{
    MonitorSet *set = mon->machine->monitors;
    g_autofree char *answer = NULL;

    monitor_command_begin(set, mon, monitor_generation(mon), true);
    answer = hmp_run(mon->machine, line);
    if (!monitor_command_end(set)) {
        monitor_emit_human(mon, answer);
    }
}

/* Pass one byte to the line editor and execute the line that the byte completes. Return 1. */
static size_t monitor_hmp_take(Monitor *mon, char byte)
{
    const char *line = hmp_line_feed(&mon->line, byte);

    monitor_emit_text(mon, mon->line.echo->str, mon->line.echo->len, false);
    g_string_truncate(mon->line.echo, 0);
    if (line) {
        monitor_run_line(mon, line);
    }
    return 1;
}

/* Execute requests from the input until it is empty or monitor_may_take() is false. A request may
 * run a nested main loop, which can append to the input. If the client disconnects there, the input
 * is emptied and `generation` changes. */
static void monitor_take_input(Monitor *mon)
{
    while (mon->in_used < mon->in->len && monitor_may_take(mon)) {
        unsigned generation = monitor_generation(mon);
        const char *at = (const char *)mon->in->data + mon->in_used;
        size_t used = mon->control ? monitor_qmp_take(mon, at, mon->in->len - mon->in_used)
                                   : monitor_hmp_take(mon, *at);

        if (generation == monitor_generation(mon)) {
            mon->in_used += used;
        }
    }
    if (mon->in_used == mon->in->len) {
        g_byte_array_set_size(mon->in, 0);
        mon->in_used = 0;
    }
}

/* Execute the requests of the input. On the main loop, the responses of one call are written
 * together. No-op in a nested call. */
static void monitor_feed(Monitor *mon)
{
    bool batch = !monitor_is_threaded(mon);

    if (mon->feeding || mon->in->len == 0) {
        return;
    }
    mon->feeding = true;
    do {
        if (batch) {
            monitor_set_busy(mon, true);
        }
        monitor_take_input(mon);
        if (batch) {
            monitor_set_busy(mon, false);
        }
    } while (mon->in->len > 0 && monitor_may_take(mon));
    mon->feeding = false;
    if (batch && mon->in->len == 0 && __atomic_load_n(&mon->oob, __ATOMIC_RELAXED)) {
        monitor_go_threaded(mon); /* last, because the thread then owns the framer */
    }
}

static void monitor_on_read(void *opaque, const uint8_t *buf, size_t len)
{
    Monitor *mon = opaque;

    g_byte_array_append(mon->in, buf, (guint)len);
    monitor_feed(mon);
}

/* The client has read output: write more of it, and execute further requests. */
static void monitor_on_writable(void *opaque)
{
    Monitor *mon = opaque;

    g_mutex_lock(&mon->lock);
    monitor_flush_locked(mon);
    monitor_append_late_locked(mon);
    g_mutex_unlock(&mon->lock);
    monitor_feed(mon);
    chardev_accept_input(mon->chardev);
}

static void monitor_on_event(void *opaque, ChardevEvent event)
{
    Monitor *mon = opaque;

    if (event == CHARDEV_BREAK) {
        return;
    }
    if (event == CHARDEV_FOCUSED) {
        if (!mon->control) {
            monitor_emit_text(mon, HMP_PROMPT, strlen(HMP_PROMPT), false);
        }
        return;
    }
    if (mon->control) {
        monitor_forget_client(mon);
    } else {
        g_mutex_lock(&mon->lock);
        __atomic_add_fetch(&mon->generation, 1, __ATOMIC_RELAXED);
        mon->deferred = NULL;
        g_mutex_unlock(&mon->lock);
    }
    if (event == CHARDEV_OPENED && mon->control) {
        monitor_greet(mon);
    } else if (event == CHARDEV_OPENED) {
        hmp_line_reset(&mon->line);
        monitor_emit_text(mon, HMP_BANNER, strlen(HMP_BANNER), false);
    }
}

/* --- the set --- */

MonitorSet *monitor_set(Machine *m)
{
    if (!m->monitors) {
        MonitorSet *set = g_new0(MonitorSet, 1);

        set->all = g_ptr_array_new();
        set->deferred = g_ptr_array_new();
        m->monitors = set;
    }
    return m->monitors;
}

static void monitor_free_one(Monitor *mon)
{
    chardev_detach(mon->chardev, &mon->front);
    monitor_forget_client(mon);
    framer_clear(&mon->framer);
    hmp_line_clear(&mon->line);
    g_string_free(mon->out, TRUE);
    g_hash_table_unref(mon->late_of);
    g_byte_array_unref(mon->in);
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
    mon->in = g_byte_array_new();
    g_mutex_init(&mon->lock);
    g_queue_init(&mon->queue);
    g_queue_init(&mon->late);
    mon->late_of = g_hash_table_new(g_str_hash, g_str_equal);
    framer_init(&mon->framer);
    hmp_line_init(&mon->line, hmp_complete);
    mon->front = (ChardevFront){ monitor_on_can_read, monitor_on_read, monitor_on_event,
                                 monitor_on_writable, mon };
    if (!chardev_attach(c, &mon->front, err)) {
        monitor_free_one(mon);
        return false;
    }
    g_ptr_array_add(monitor_set(m)->all, mon);
    return true;
}

/* Move the unsent output to the buffer of the character device and flush that for at most @ms
 * milliseconds. */
static void monitor_last_words(Monitor *mon, int ms)
{
    g_mutex_lock(&mon->lock);
    chardev_write(mon->chardev, mon->out->str + mon->sent, monitor_waiting_locked(mon));
    mon->sent = mon->out->len;
    g_mutex_unlock(&mon->lock);
    chardev_flush(mon->chardev, ms);
}

void monitor_close_all(Machine *m)
{
    MonitorSet *set = m->monitors;
    gint64 end = g_get_monotonic_time() + LAST_WORDS_MS * G_TIME_SPAN_MILLISECOND;

    monitor_dump_free(m);
    if (!set) {
        return;
    }
    monitor_screendump_free(m);
    if (set->thread) {
        g_main_loop_quit(set->loop);
        g_thread_join(set->thread);
    }
    monitor_deferred_detach_all(set);
    for (guint i = 0; i < set->all->len; i++) {
        Monitor *mon = set->all->pdata[i];

        if (mon->threaded) {
            chardev_set_context(mon->chardev, NULL);
        }
        monitor_last_words(mon, (int)(MAX(0, end - g_get_monotonic_time()) / 1000));
        monitor_free_one(mon);
    }
    if (set->loop) {
        g_main_loop_unref(set->loop);
        g_main_context_unref(set->context);
    }
    g_ptr_array_unref(set->all);
    g_clear_pointer(&set->held, g_hash_table_unref);
    g_clear_pointer(&set->fds, g_hash_table_unref);
    g_clear_pointer(&set->fdsets, g_ptr_array_unref);
    g_clear_pointer(&set->dirty_rate, monitor_dirty_rate_free);
    g_clear_pointer(&set->jobs, g_ptr_array_unref);
    g_free(set);
    m->monitors = NULL;
}

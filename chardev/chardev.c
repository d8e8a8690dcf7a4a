/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: the set of a machine, the functions for front ends, and the engine that
 * moves bytes between a front end and file descriptors.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/outfile.h"
#include "util/suggest.h"

#define READ_CHUNK (64 * 1024)
#define FLUSH_MS   200 /* for all back ends together, when the process ends */

static const ChardevKind *const kinds[] = {
    &chardev_null,   &chardev_file, &chardev_stdio,   &chardev_pipe, &chardev_pty,
    &chardev_socket, &chardev_udp,  &chardev_ringbuf, &chardev_vc,
};

/* --- watches --- */

GSource *chardev_watch(Chardev *c, int fd, GIOCondition cond, GUnixFDSourceFunc fn)
{
    GSource *s = g_unix_fd_source_new(fd, cond);

    g_source_set_callback(s, G_SOURCE_FUNC(fn), c, NULL);
    g_source_attach(s, c->context);
    return s;
}

void chardev_unwatch(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
    }
}

void chardev_emit(Chardev *c, ChardevEvent event)
{
    if (c->attached && c->front.event) {
        c->front.event(c->front.opaque, event);
    }
}

/* --- input --- */

size_t chardev_front_room(Chardev *c)
{
    if (!c->attached || !c->front.read) {
        return 0;
    }
    return c->front.can_read ? c->front.can_read(c->front.opaque) : SIZE_MAX;
}

void chardev_deliver(Chardev *c, const uint8_t *buf, size_t len)
{
    if (len > 0 && c->attached) {
        c->front.read(c->front.opaque, buf, len);
    }
}

static void chardev_peer_gone(Chardev *c)
{
    chardev_drop_fds(c);
    chardev_emit(c, CHARDEV_CLOSED);
    if (c->kind->hung_up) {
        c->kind->hung_up(c);
    }
}

void chardev_disconnect(Chardev *c)
{
    if (c->is_socket && c->open) {
        chardev_peer_gone(c);
    }
}

bool chardev_may_hang_up(const Chardev *c)
{
    return c->is_socket;
}

void chardev_hang_up(Chardev *c)
{
    g_mutex_lock(&c->out_lock);
    if (c->is_socket && c->fd_in >= 0) {
        shutdown(c->fd_in, SHUT_RDWR); /* the watches report the end */
    }
    g_mutex_unlock(&c->out_lock);
}

static gboolean chardev_on_readable(gint fd, GIOCondition cond, gpointer opaque)
{
    Chardev *c = opaque;
    size_t room = chardev_front_room(c);
    uint8_t buf[READ_CHUNK];
    ssize_t n;

    if (room == 0) {
        chardev_unwatch(&c->in_watch);
        chardev_accept_input(c);
        return G_SOURCE_REMOVE;
    }
    n = chardev_read_input(c, fd, buf, MIN(room, sizeof(buf)));
    if (n > 0) {
        size_t len = c->kind->filter ? c->kind->filter(c, buf, (size_t)n) : (size_t)n;

        chardev_deliver(c, buf, len);
        return G_SOURCE_CONTINUE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    chardev_unwatch(&c->in_watch);
    if (c->is_socket) {
        chardev_peer_gone(c);
    }
    return G_SOURCE_REMOVE; /* end of a file or of a terminal's input; output continues */
}

/* The peer disconnected while the front end accepts no input. If unread bytes are left, the end is
 * handled behind the last one. */
static gboolean chardev_on_hang_up(gint fd, GIOCondition cond, gpointer opaque)
{
    Chardev *c = opaque;
    int unread = 0;

    chardev_unwatch(&c->end_watch);
    if (ioctl(fd, FIONREAD, &unread) < 0 || unread == 0) {
        chardev_peer_gone(c);
    }
    return G_SOURCE_REMOVE;
}

/* Watch for input if the front end accepts any, otherwise for the end of the connection. */
void chardev_accept_input(Chardev *c)
{
    bool up = c->fd_in >= 0 && c->open;

    if (c->kind->accept_input) {
        c->kind->accept_input(c);
    } else if (up && chardev_front_room(c) > 0) {
        chardev_unwatch(&c->end_watch);
        if (!c->in_watch) {
            c->in_watch =
                chardev_watch(c, c->fd_in, G_IO_IN | G_IO_HUP | G_IO_ERR, chardev_on_readable);
            g_source_set_can_recurse(c->in_watch, c->front.nests);
        }
    } else if (up && c->is_socket && !c->in_watch && !c->end_watch) {
        c->end_watch =
            chardev_watch(c, c->fd_in, POLLRDHUP | G_IO_HUP | G_IO_ERR, chardev_on_hang_up);
    }
}

/* --- output --- */

static ssize_t chardev_put_fd(Chardev *c, const uint8_t *buf, size_t len)
{
    ssize_t n;

    do {
        n = c->is_socket ? send(c->fd_out, buf, len, MSG_NOSIGNAL) : write(c->fd_out, buf, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Write buffered bytes. out_lock is held. Errors other than EAGAIN drop all bytes; the reading side
 * detects the end of the connection. */
static void chardev_drain_locked(Chardev *c)
{
    while (c->out->len > c->out_sent) {
        ssize_t n = chardev_put_fd(c, c->out->data + c->out_sent, c->out->len - c->out_sent);

        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            break;
        }
        c->out_sent += (size_t)n;
    }
    g_byte_array_set_size(c->out, 0);
    c->out_sent = 0;
}

static gboolean chardev_on_writable(gint fd, GIOCondition cond, gpointer opaque)
{
    Chardev *c = opaque;
    bool empty, room;

    g_mutex_lock(&c->out_lock);
    chardev_drain_locked(c);
    empty = c->out->len == 0;
    room = c->out->len - c->out_sent < CHARDEV_BUFFER / 2;
    if (empty) {
        chardev_unwatch(&c->out_watch);
    }
    g_mutex_unlock(&c->out_lock);
    if (room && c->attached && c->front.writable) {
        c->front.writable(c->front.opaque);
    }
    return empty ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* Watch until the descriptor accepts more bytes. out_lock is held. */
static void chardev_await_room_locked(Chardev *c)
{
    if (!c->out_watch) {
        c->out_watch =
            chardev_watch(c, c->fd_out, G_IO_OUT | G_IO_HUP | G_IO_ERR, chardev_on_writable);
    }
}

/* Write the bytes that the descriptor accepts without waiting. Errors other than EAGAIN drop all
 * bytes, as in chardev_drain_locked(). */
static size_t chardev_put_now_locked(Chardev *c, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = chardev_put_fd(c, buf + done, len - done);

        if (n < 0 && errno == EAGAIN) {
            chardev_await_room_locked(c);
            return done;
        }
        if (n <= 0) {
            return len;
        }
        done += (size_t)n;
    }
    return done;
}

/* Buffer bytes that the descriptor did not accept. out_lock is held. */
static size_t chardev_keep_locked(Chardev *c, const uint8_t *buf, size_t len)
{
    size_t waiting = c->out->len - c->out_sent;
    size_t take = MIN(len, CHARDEV_BUFFER - MIN(waiting, CHARDEV_BUFFER));

    if (c->out_sent > CHARDEV_BUFFER / 4) {
        g_byte_array_remove_range(c->out, 0, (guint)c->out_sent);
        c->out_sent = 0;
    }
    g_byte_array_append(c->out, buf, (guint)take);
    if (take > 0) {
        chardev_await_room_locked(c);
    }
    return take;
}

/* Append to the log file. A full disk ends the log but not the console. Bytes that a FIFO does not
 * accept are lost. */
static void chardev_write_log(Chardev *c, const uint8_t *p, size_t len)
{
    while (c->log_fd >= 0 && len > 0) {
        ssize_t n = write(c->log_fd, p, len);

        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            return;
        } else if (n == 0 || errno != EINTR) {
            close(c->log_fd);
            c->log_fd = -1;
        }
    }
}

void chardev_log(Chardev *c, const void *buf, size_t len)
{
    if (c->kind->log) {
        c->kind->log(c, buf, len);
    } else {
        chardev_write_log(c, buf, len);
    }
}

size_t chardev_put(Chardev *c, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    g_mutex_lock(&c->out_lock);
    if (c->fd_out < 0) {
        done = len; /* no peer: the bytes are lost */
    } else if (c->out->len == 0) {
        done = chardev_put_now_locked(c, buf, len);
    }
    if (done < len) {
        done += chardev_keep_locked(c, buf + done, len - done);
    }
    g_mutex_unlock(&c->out_lock);
    return done;
}

bool chardev_put_all(Chardev *c, const uint8_t *buf, size_t len)
{
    bool done;

    g_mutex_lock(&c->out_lock);
    done = c->fd_out < 0 || c->out->len - c->out_sent + len <= CHARDEV_BUFFER;
    if (done && c->fd_out >= 0) {
        size_t sent = c->out->len == 0 ? chardev_put_now_locked(c, buf, len) : 0;

        chardev_keep_locked(c, buf + sent, len - sent);
    }
    g_mutex_unlock(&c->out_lock);
    return done;
}

size_t chardev_write(Chardev *c, const void *buf, size_t len)
{
    size_t done = c->kind->write ? c->kind->write(c, buf, len) : chardev_put(c, buf, len);

    chardev_write_log(c, buf, done);
    return done;
}

size_t chardev_write_now(Chardev *c, const void *buf, size_t len)
{
    size_t done = 0;

    if (c->kind->write_now) {
        return c->kind->write_now(c, buf, len);
    }
    if (c->kind->write) {
        return chardev_write(c, buf, len);
    }
    g_mutex_lock(&c->out_lock);
    if (c->fd_out < 0) {
        done = len;
    } else if (c->out->len == 0) {
        done = chardev_put_now_locked(c, buf, len);
    }
    g_mutex_unlock(&c->out_lock);
    chardev_write_log(c, buf, done);
    return done;
}

void chardev_flush(Chardev *c, int timeout_ms)
{
    if (c->kind->flush) {
        c->kind->flush(c, timeout_ms);
        return;
    }
    gint64 end = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;

    g_mutex_lock(&c->out_lock);
    while (c->fd_out >= 0 && c->out->len > 0) {
        struct pollfd p = { .fd = c->fd_out, .events = POLLOUT };
        gint64 left = (end - g_get_monotonic_time()) / 1000;

        if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
            break;
        }
        chardev_drain_locked(c);
    }
    g_mutex_unlock(&c->out_lock);
}

/* --- descriptors --- */

void chardev_set_fds(Chardev *c, int fd_in, int fd_out)
{
    if (fd_in >= 0) {
        g_unix_set_fd_nonblocking(fd_in, TRUE, NULL);
    }
    if (fd_out >= 0 && fd_out != fd_in) {
        g_unix_set_fd_nonblocking(fd_out, TRUE, NULL);
    }
    g_mutex_lock(&c->out_lock);
    c->fd_in = fd_in;
    c->fd_out = fd_out;
    c->open = true;
    g_mutex_unlock(&c->out_lock);
    chardev_emit(c, CHARDEV_OPENED);
    chardev_accept_input(c);
}

void chardev_drop_fds(Chardev *c)
{
    g_mutex_lock(&c->out_lock);
    chardev_unwatch(&c->in_watch);
    chardev_unwatch(&c->end_watch);
    chardev_unwatch(&c->out_watch);
    if (c->fd_in > STDERR_FILENO) {
        close(c->fd_in);
    }
    if (c->fd_out > STDERR_FILENO && c->fd_out != c->fd_in) {
        close(c->fd_out);
    }
    c->fd_in = c->fd_out = -1;
    while (c->n_passed) {
        close(c->passed[--c->n_passed]);
    }
    c->open = false;
    g_byte_array_set_size(c->out, 0);
    c->out_sent = 0;
    g_mutex_unlock(&c->out_lock);
}

static gboolean chardev_watch_in_context(gpointer opaque)
{
    chardev_accept_input(opaque);
    return G_SOURCE_REMOVE;
}

/* Begin to read in the thread of the context, which owns the sources. */
static void chardev_watch_from_context(Chardev *c)
{
    GSource *source = g_idle_source_new();

    g_source_set_callback(source, chardev_watch_in_context, c, NULL);
    g_source_attach(source, c->context);
    g_source_unref(source);
}

bool chardev_set_context(Chardev *c, GMainContext *context)
{
    if (c->kind == &chardev_mux) {
        return false;
    }
    g_mutex_lock(&c->out_lock);
    c->context = context;
    chardev_unwatch(&c->in_watch);
    chardev_unwatch(&c->end_watch);
    if (c->out_watch) {
        chardev_unwatch(&c->out_watch);
        c->out_watch =
            chardev_watch(c, c->fd_out, G_IO_OUT | G_IO_HUP | G_IO_ERR, chardev_on_writable);
    }
    g_mutex_unlock(&c->out_lock);
    if (c->kind->new_context) {
        c->kind->new_context(c);
    }
    if (context) {
        chardev_watch_from_context(c);
    } else {
        chardev_accept_input(c);
    }
    return true;
}

/* --- front ends --- */

bool chardev_attach(Chardev *c, const ChardevFront *front, GError **err)
{
    if (c->kind->attach) {
        return c->kind->attach(c, front, err);
    }
    if (c->attached) {
        return error_set(err, ERROR_USER,
                         "character device '%s' is already in use; mux=on shares it", c->id);
    }
    c->front = *front;
    c->attached = c->front_open = true;
    if (c->open) {
        chardev_emit(c, CHARDEV_OPENED);
    }
    chardev_accept_input(c);
    return true;
}

void chardev_detach(Chardev *c, const ChardevFront *front)
{
    if (c->kind->detach) {
        c->kind->detach(c, front);
    } else if (c->attached && c->front.opaque == front->opaque) {
        c->attached = c->front_open = false;
        memset(&c->front, 0, sizeof(c->front));
        chardev_unwatch(&c->in_watch);
        chardev_accept_input(c);
    }
}

bool chardev_is_open(const Chardev *c)
{
    return c->open;
}

void chardev_set_front_open(Chardev *c, bool open)
{
    c->front_open = open;
}

bool chardev_front_is_open(const Chardev *c)
{
    return c->front_open;
}

const char *chardev_id(const Chardev *c)
{
    return c->id;
}

const char *chardev_describe(const Chardev *c)
{
    return c->about ? c->about : c->kind->name;
}

/* --- the set --- */

static GPtrArray *chardev_set_of(Machine *m)
{
    if (!m->chardevs) {
        m->chardevs = g_ptr_array_new();
    }
    return m->chardevs;
}

Chardev *chardev_find(Machine *m, const char *id)
{
    GPtrArray *set = m->chardevs;

    for (guint i = 0; set && i < set->len; i++) {
        Chardev *c = set->pdata[i];

        if (strcmp(c->id, id) == 0 || g_strcmp0(c->alias, id) == 0) {
            return c;
        }
    }
    return NULL;
}

bool chardev_set_alias(Chardev *c, const char *alias, GError **err)
{
    Chardev *other = chardev_find(c->machine, alias);

    if (other == c) {
        return true;
    }
    if (other || c->alias) {
        return error_set(err, ERROR_USER, "character device '%s' cannot be '%s': %s '%s'", c->id,
                         alias, other ? "that is" : "it is", other ? other->id : c->alias);
    }
    c->alias = g_strdup(alias);
    return true;
}

void chardev_foreach(Machine *m, void (*fn)(void *opaque, Chardev *c), void *opaque)
{
    GPtrArray *set = m->chardevs;

    for (guint i = 0; set && i < set->len; i++) {
        fn(opaque, set->pdata[i]);
    }
}

Chardev *chardev_alloc(Machine *m, const ChardevKind *kind, const char *id)
{
    Chardev *c = g_malloc0(kind->size);

    c->kind = kind;
    c->machine = m;
    c->id = g_strdup(id);
    c->fd_in = c->fd_out = c->log_fd = -1;
    c->out = g_byte_array_new();
    g_mutex_init(&c->out_lock);
    return c;
}

void chardev_register(Chardev *c)
{
    g_ptr_array_add(chardev_set_of(c->machine), c);
}

void chardev_free(Chardev *c)
{
    if (!c) {
        return;
    }
    if (c->machine->chardevs) {
        g_ptr_array_remove(c->machine->chardevs, c);
    }
    c->attached = false;
    if (c->kind->close) {
        c->kind->close(c);
    }
    chardev_drop_fds(c);
    if (c->log_fd >= 0) {
        close(c->log_fd);
    }
    g_byte_array_unref(c->out);
    g_mutex_clear(&c->out_lock);
    g_free(c->id);
    g_free(c->alias);
    g_free(c->about);
    g_free(c);
}

bool chardev_del(Machine *m, const char *id, GError **err)
{
    Chardev *c = chardev_find(m, id);

    if (!c || c->attached || c->front_open) {
        return error_set(err, ERROR_USER, "character device '%s' %s", id,
                         c ? "is in use" : "does not exist");
    }
    chardev_free(c);
    return true;
}

void chardev_free_all(Machine *m)
{
    GPtrArray *set = m->chardevs;
    gint64 end = g_get_monotonic_time() + FLUSH_MS * G_TIME_SPAN_MILLISECOND;

    while (set && set->len > 0) {
        Chardev *c = set->pdata[set->len - 1];

        chardev_flush(c, (int)(MAX(0, end - g_get_monotonic_time()) / 1000));
        chardev_free(c);
    }
    if (set) {
        g_ptr_array_unref(set);
    }
    m->chardevs = NULL;
}

/* --- creation --- */

static const char *chardev_kind_name(const void *table, size_t i)
{
    return kinds[i]->name;
}

static const ChardevKind *chardev_kind_find(const char *name, GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);
    g_autofree char *hint = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
        g_string_append_printf(list, "%s%s", i ? ", " : "", kinds[i]->name);
    }
    hint = suggest_hint_of(name, chardev_kind_name, NULL, G_N_ELEMENTS(kinds));
    error_set(err, ERROR_USER, "unknown character device type '%s'%s; use one of %s", name, hint,
              list->str);
    return NULL;
}

int chardev_open_output(Chardev *c, const char *path, bool append, mode_t mode)
{
    int fd;

    if (!machine_open_fdset(c->machine, path, true, &fd)) {
        return out_log_open(path, append, mode);
    }
    if (fd >= 0) {
        g_unix_set_fd_nonblocking(fd, TRUE, NULL); /* no effect on a regular file */
    }
    return fd;
}

static bool chardev_open_log(Chardev *c, struct json_object *o, GError **err)
{
    const char *path = chardev_opt(o, "logfile");
    bool append;

    if (!chardev_opt_bool(o, "logappend", false, &append, err)) {
        return false;
    }
    if (!path || c->machine->dry_run) {
        return true;
    }
    c->log_fd = chardev_open_output(c, path, append, 0644);
    if (c->log_fd < 0) {
        return error_set_errno(err, errno, "character device '%s': log file '%s' cannot be written",
                               c->id, path);
    }
    return true;
}

/* Create a back end that is not in the set of the machine. */
static Chardev *chardev_open_kind(Machine *m, const ChardevKind *kind, const char *id,
                                  struct json_object *o, GError **err)
{
    Chardev *c = chardev_alloc(m, kind, id);

    if (!chardev_opt_check(kind, o, err) || !chardev_open_log(c, o, err) ||
        !kind->open(c, o, err)) {
        chardev_free(c);
        return NULL;
    }
    return c;
}

Chardev *chardev_new_json(Machine *m, struct json_object *o, GError **err)
{
    const char *id = chardev_opt(o, "id"), *name = chardev_opt(o, "backend");
    const ChardevKind *kind = chardev_kind_find(name ? name : "", err);
    g_autofree char *base_id = NULL;
    bool mux;
    Chardev *c;

    if (!kind || !chardev_opt_bool(o, "mux", false, &mux, err)) {
        return NULL;
    }
    if (!id || !*id) {
        error_set(err, ERROR_USER, "character device '%s': property 'id' is required: id=NAME",
                  name);
        return NULL;
    }
    if (chardev_find(m, id)) {
        error_set(err, ERROR_USER, "character device id '%s' is already used", id);
        return NULL;
    }
    base_id = mux ? g_strdup_printf("%s-base", id) : g_strdup(id);
    c = chardev_open_kind(m, kind, base_id, o, err);
    if (c && mux) {
        c = chardev_mux_new(m, id, c, err);
    }
    if (c) {
        chardev_register(c);
    }
    return c;
}

Chardev *chardev_new(Machine *m, const char *id, const char *options, GError **err)
{
    struct json_object *o = chardev_parse(options, err);
    Chardev *c;

    if (!o) {
        return NULL;
    }
    if (id) {
        json_object_object_add(o, "id", json_object_new_string(id));
    }
    c = chardev_new_json(m, o, err);
    json_object_put(o);
    return c;
}

bool chardev_kind(size_t i, const char **name, const char *const **keys)
{
    if (i < G_N_ELEMENTS(kinds)) {
        *name = kinds[i]->name;
        *keys = kinds[i]->keys;
    }
    return i < G_N_ELEMENTS(kinds);
}

char *chardev_help(void)
{
    g_autoptr(GString) out = g_string_new("Character device kinds:\n");

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_string_append_printf(out, "%-10s %s\n", kinds[i]->name, kinds[i]->doc);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

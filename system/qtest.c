/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest server (contract in system/qtest.h): lines, logging and replies.
 */
#include "qtest_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "util/outfile.h"

#define FLUSH_AT (1u << 20) /* bytes of replies that are sent before the end of a feed */

/* --- replies --- */

bool qtest_flush(Qtest *q, size_t limit)
{
    size_t taken;

    if (q->out->len <= limit) {
        return true;
    }
    taken = q->sink(q->opaque, q->out->str, q->out->len);
    if (taken == q->out->len) {
        g_string_truncate(q->out, 0);
        return true;
    }
    g_string_erase(q->out, 0, (gssize)taken);
    return false;
}

void qtest_reply(Qtest *q, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_string_append_vprintf(q->out, fmt, ap);
    va_end(ap);
    g_string_append_c(q->out, '\n');
}

/* --- lines --- */

static void log_part(Qtest *q, char dir, const char *s, size_t len)
{
    fprintf(q->log, "[%c +%.6f] %.*s%s", dir,
            (double)(g_get_monotonic_time() - q->start) / G_USEC_PER_SEC, (int)len, s,
            dir == 'R' ? "\n" : "");
}

static void run_line(Qtest *q, const char *s, size_t len)
{
    size_t at = q->out->len;
    QtestWords r;
    bool fits;

    if (len > 0 && s[len - 1] == '\r') {
        len--;
    }
    fits = qtest_split(s, len, &r);
    qtest_run_request(q, &r, fits);
    if (q->log) {
        log_part(q, 'R', s, len);
        log_part(q, 'S', q->out->str + at, q->out->len - at);
    }
}

/* Append bytes to the unfinished line, or discard the line if it is too long. */
static void qtest_keep(Qtest *q, const char *s, size_t len)
{
    if (q->skipping || q->line->len + len > QTEST_LINE_MAX) {
        q->skipping = true;
        g_string_truncate(q->line, 0);
        return;
    }
    g_string_append_len(q->line, s, (gssize)len);
}

static void end_line(Qtest *q, const char *s, size_t len)
{
    if (q->line->len == 0 && !q->skipping) {
        run_line(q, s, len);
        return;
    }
    qtest_keep(q, s, len);
    if (q->skipping) {
        qtest_reply(q, "ERR the line is too long: at most %u bytes", QTEST_LINE_MAX);
    } else {
        run_line(q, q->line->str, q->line->len);
    }
    q->skipping = false;
    g_string_truncate(q->line, 0);
}

/* Execute the complete lines of [s, end) and keep an incomplete one. Return the start of the lines
 * that are not executed yet because the client does not read its replies, or @end. */
static const char *run_lines(Qtest *q, const char *s, const char *end)
{
    const char *nl;

    while ((nl = memchr(s, '\n', (size_t)(end - s)))) {
        end_line(q, s, (size_t)(nl - s));
        s = nl + 1;
        if (!qtest_flush(q, FLUSH_AT)) {
            return s;
        }
    }
    if (s < end) {
        qtest_keep(q, s, (size_t)(end - s));
    }
    return end;
}

void qtest_feed(Qtest *q, const void *bytes, size_t len)
{
    const char *end = (const char *)bytes + len, *s = bytes;

    if (q->busy || q->input->len > 0) {
        g_byte_array_append(q->input, bytes, (guint)len);
        return;
    }
    q->busy = true;
    s = run_lines(q, s, end);
    /* a nested main loop may have added input, which follows these lines */
    g_byte_array_prepend(q->input, (const guint8 *)s, (guint)(end - s));
    q->busy = false;
    if (s == end) {
        qtest_writable(q);
    } else {
        qtest_flush(q, 0);
    }
}

void qtest_writable(Qtest *q)
{
    GByteArray *waiting = q->input;

    if (!qtest_flush(q, 0) || waiting->len == 0) {
        return;
    }
    q->input = g_byte_array_new();
    qtest_feed(q, waiting->data, waiting->len);
    g_byte_array_unref(waiting);
}

/* --- creating and connecting --- */

Qtest *qtest_new(Machine *m, QtestSink *sink, void *opaque)
{
    Qtest *q = g_new0(Qtest, 1);

    q->m = m;
    q->sink = sink;
    q->opaque = opaque;
    q->line = g_string_new(NULL);
    q->out = g_string_sized_new(64 * 1024);
    q->input = g_byte_array_new();
    q->start = g_get_monotonic_time();
    return q;
}

void qtest_restart(Qtest *q)
{
    qtest_unwatch(q);
    g_string_truncate(q->line, 0);
    g_string_truncate(q->out, 0);
    g_byte_array_set_size(q->input, 0);
    q->skipping = false;
}

void qtest_free(Qtest *q)
{
    if (!q) {
        return;
    }
    qtest_restart(q);
    if (q->chardev) {
        chardev_detach(q->chardev, &q->front);
    }
    if (q->log) {
        fclose(q->log);
    }
    g_string_free(q->line, TRUE);
    g_string_free(q->out, TRUE);
    g_byte_array_unref(q->input);
    g_free(q);
}

bool qtest_log_to(Qtest *q, const char *path, GError **err)
{
    int fd;

    if (strcmp(path, "none") == 0 || strcmp(path, "/dev/null") == 0) {
        return true;
    }
    fd = out_log_open(path, false, 0666);
    q->log = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!q->log) {
        g_set_error(err, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "qtest log '%s' cannot be written: %s", path, g_strerror(errno));
        return false;
    }
    setvbuf(q->log, NULL, _IOLBF, 0);
    return true;
}

static size_t front_can_read(void *opaque)
{
    Qtest *q = opaque;

    return q->out->len + q->input->len == 0 ? SIZE_MAX : 0;
}

static void front_writable(void *opaque)
{
    Qtest *q = opaque;

    qtest_writable(q);
    chardev_accept_input(q->chardev);
}

static void front_read(void *opaque, const uint8_t *buf, size_t len)
{
    qtest_feed(opaque, buf, len);
}

static void front_event(void *opaque, ChardevEvent event)
{
    if (event == CHARDEV_OPENED) {
        qtest_restart(opaque);
    }
}

static size_t to_chardev(void *opaque, const char *bytes, size_t len)
{
    return chardev_write(((Qtest *)opaque)->chardev, bytes, len);
}

bool qtest_serve(Qtest *q, Chardev *c, GError **err)
{
    q->front = (ChardevFront){ front_can_read, front_read, front_event, front_writable, q, true };
    q->chardev = c;
    q->sink = to_chardev;
    q->opaque = q;
    if (!chardev_attach(c, &q->front, err)) {
        q->chardev = NULL;
        return false;
    }
    return true;
}

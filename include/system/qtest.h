/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest server: a client drives the machine line by line instead of a guest.
 *
 * One request a line, words separated by single spaces, numbers as C literals. Every line gets
 * exactly one reply line: "OK ...", "FAIL text" or "ERR text"; "IRQ raise N" and "IRQ lower N"
 * lines may precede it. Replies to the requests of one feed are sent in one piece. The caller of
 * each function holds the machine lock.
 */
#ifndef SYSTEM_QTEST_H
#define SYSTEM_QTEST_H

#include "hw/core/machine.h"

#define QTEST_LINE_MAX (32u << 20) /* bytes of one request */
#define QTEST_LEN_MAX  (64u << 20) /* bytes that one request may read or write */

typedef struct Qtest Qtest;
/* Receives replies. Returns the number of bytes that it accepted; the rest is passed again by
 * qtest_writable(), and until then no further request is carried out. */
typedef size_t QtestSink(void *opaque, const char *bytes, size_t len);

/* Create a server for @m that sends replies to @sink. Freed by qtest_free(). */
Qtest *qtest_new(Machine *m, QtestSink *sink, void *opaque);
/* Stop serving and free the server. NULL is accepted. */
void qtest_free(Qtest *q);
/* Process bytes from the client, which need not be complete lines. */
void qtest_feed(Qtest *q, const void *bytes, size_t len);
/* Send replies that the sink did not accept, and continue with the requests that wait. */
void qtest_writable(Qtest *q);
/* The client has disconnected: discard an incomplete line and the interrupt watch. */
void qtest_restart(Qtest *q);
/* Write requests and replies to a file (-qtest-log); "none" and /dev/null: no log. Return false
 * with
 * @err set if the file cannot be opened. */
bool qtest_log_to(Qtest *q, const char *path, GError **err);
/* Connect the server to a character device, which must outlive @q. Return false with @err set if
 * the device has a user already. */
struct Chardev;
bool qtest_serve(Qtest *q, struct Chardev *c, GError **err);

#endif

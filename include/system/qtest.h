/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest server: a client drives the machine line by line instead of a guest.
 *
 * One request a line, words separated by single spaces, numbers as C literals. Every line gets
 * exactly one reply line: "OK ...", "FAIL text" or "ERR text"; "IRQ raise N" and "IRQ lower N"
 * lines may stand before it. Replies to the requests of one feed leave in one piece. Machine
 * lock throughout.
 */
#ifndef SYSTEM_QTEST_H
#define SYSTEM_QTEST_H

#include "hw/core/machine.h"

#define QTEST_LINE_MAX (32u << 20) /* bytes of one request */
#define QTEST_LEN_MAX  (64u << 20) /* bytes that one request may read or write */

typedef struct Qtest Qtest;
/* Takes replies; returns how many bytes it took. What it does not take is offered again by
 * qtest_writable(); until then requests wait. */
typedef size_t QtestSink(void *opaque, const char *bytes, size_t len);

/* Replies go to sink. */
Qtest *qtest_new(Machine *m, QtestSink *sink, void *opaque);
void qtest_free(Qtest *q);
/* Bytes from the client, in any pieces. */
void qtest_feed(Qtest *q, const void *bytes, size_t len);
/* The sink may take more. */
void qtest_writable(Qtest *q);
/* The client is gone: forget half a line and the interrupt watch. */
void qtest_restart(Qtest *q);
/* Log requests and replies to a file (-qtest-log); "none" and /dev/null: no log. */
bool qtest_log_to(Qtest *q, const char *path, GError **err);
/* Serve a character device; it must outlive q. */
struct Chardev;
bool qtest_serve(Qtest *q, struct Chardev *c, GError **err);

#endif

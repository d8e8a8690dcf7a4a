/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitors: QMP and HMP sessions on character devices.
 *
 * A QMP session runs commands on the main loop under the machine lock, in order. Once its client
 * has negotiated out-of-band commands it is read by a thread of its own: a command that blocks
 * the main loop does not delay commands marked QMP_OOB, which run in that thread without the
 * lock.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "chardev/chardev.h"
#include "monitor/command.h"
#include "monitor/schema.h"

/* The tables of HMP commands, NULL-terminated. */
extern const HmpTable *const hmp_tables[];
/* The text of a command for help. */
const char *hmp_doc(const HmpCommand *c);

/* Open a monitor on c: QMP if control, else HMP. pretty: indented QMP output. Lock. */
bool monitor_open(Machine *m, Chardev *c, bool control, bool pretty, GError **err);
/* Close all monitors and end their thread. Lock. */
void monitor_close_all(Machine *m);

/**
 * monitor_event() - send an event to every QMP client that has completed the handshake
 * @m: the machine
 * @event: the event
 *
 * The rate of events that a guest or a network peer can cause is limited for each device (the table
 * in monitor/events.c). The last event of a device is always sent, delayed by less than a second.
 *
 * Locking: machine lock.
 */
void monitor_event(Machine *m, const Event *event);

/* The descriptor that a client passed and named with getfd; the caller's. -1: there is none of
 * that name. Lock. */
int monitor_take_fd(Machine *m, const char *name);
/* A new descriptor for "/dev/fdset/N", from the set's member that can be written, or read; the
 * caller's. -1: there is none. Lock. */
int monitor_dup_fdset(Machine *m, const char *path, bool write);

/* One HMP command line, without a session: the answer, g_free. Lock. */
char *hmp_run(Machine *m, const char *line);

/* --- for tests, the schema and the sessions themselves --- */

/* Check args (may be NULL) against the command's table and run it. The value of "return", or
 * NULL with *err. */
struct json_object *qmp_call(Machine *m, const QmpCommand *c, struct json_object *args,
                             GError **err);
#endif

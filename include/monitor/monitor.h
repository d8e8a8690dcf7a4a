/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitors: QMP and HMP sessions on character devices.
 *
 * A QMP session runs commands on the main loop under the machine lock, in order. Once its client
 * has negotiated out-of-band commands, the monitor thread reads the session. A command that blocks
 * the main loop then does not delay commands marked QMP_OOB, which that thread executes without the
 * lock. All such sessions share the thread.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "chardev/chardev.h"
#include "monitor/command.h"
#include "monitor/schema.h"

/* The tables of HMP commands, NULL-terminated. */
extern const HmpTable *const hmp_tables[];
/* Return the description of a command for help, never NULL. Borrowed and constant. Any thread. */
const char *hmp_doc(const HmpCommand *c);

/**
 * monitor_open() - Open a monitor on a character device.
 * @m:       the machine, which owns the monitor until monitor_close_all()
 * @c:       the character device; must exist until monitor_close_all()
 * @control: true for QMP, false for HMP
 * @pretty:  indent QMP responses and events
 * @err:     set if @c already has a front end
 *
 * Locking: machine lock.
 * Return: false with @err set on failure; no monitor is then created.
 */
bool monitor_open(Machine *m, Chardev *c, bool control, bool pretty, GError **err);
/**
 * monitor_close_all() - Close and free all monitors, and end the monitor thread.
 * @m: the machine
 *
 * Unsent output is flushed for at most 200 ms in total. Deferred commands lose their client. No-op
 * without monitors.
 *
 * Locking: machine lock.
 */
void monitor_close_all(Machine *m);

/**
 * monitor_event() - Send an event to all QMP clients that have completed the handshake.
 * @m: the machine
 * @event: the event, borrowed
 *
 * The rate of events that a guest or a network peer can cause is limited for each device (the table
 * in monitor/events.c). The last event of a device is always sent, delayed by less than a second.
 *
 * Locking: machine lock.
 */
void monitor_event(Machine *m, const Event *event);

/*
 * Return the descriptor that a client passed and named with getfd, and delete the name. The caller
 * owns and closes the descriptor. -1 if the name does not exist. Locking: machine lock.
 */
int monitor_take_fd(Machine *m, const char *name);
/*
 * Add a descriptor to set @id for -add-fd. @opaque: a note for query-fdsets, or NULL. Return true,
 * and the set owns @fd; false with @err set if @id is negative or the sets are full. Locking:
 * machine lock.
 */
bool monitor_add_fdset(Machine *m, int64_t id, int fd, const char *opaque, GError **err);
/*
 * Return a duplicate of the descriptor in set N for @path "/dev/fdset/N" whose access mode permits
 * writing (@write) or reading. The caller owns and closes the duplicate. -1 with errno if @path
 * has another form or the set does not exist (ENOENT), no descriptor permits the access (EACCES),
 * or the limit of open files is reached. Locking: machine lock.
 */
int monitor_dup_fdset(Machine *m, const char *path, bool write);

/* Return true while dump-guest-memory is in progress: the machine must not run. Machine lock. */
bool monitor_dump_active(const Machine *m);

/* Execute one HMP command line and return its output; g_free. Errors are part of the output.
 * Locking: machine lock, main loop. */
char *hmp_run(Machine *m, const char *line);

/* --- for tests and sessions --- */

/*
 * Check @args (borrowed; NULL means no arguments) against the schema of the command and execute the
 * command. Return the value of "return", owned by the caller, or NULL with *err set. Locking:
 * machine lock, main loop; for out-of-band requests no lock.
 */
struct json_object *qmp_call(Machine *m, const QmpCommand *c, struct json_object *args,
                             GError **err);
#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gdb server of a machine: one client on a character device, which uses the gdb remote
 * protocol in all-stop mode. CPU n is thread n + 1.
 *
 * A client that connects stops the machine. While the machine runs, Ctrl-C or any packet stops it.
 * When the client disconnects, its break- and watchpoints are removed; the machine does not
 * continue by itself.
 *
 * Locking: machine lock, main loop.
 */
#ifndef DEBUG_GDB_H
#define DEBUG_GDB_H

#include "chardev/chardev.h"

typedef struct GdbServer GdbServer;

/* Functions of upper layers. */
typedef struct GdbHost {
    /* Let the machine run (QMP cont). False with @err set if it cannot. */
    bool (*cont)(Machine *m, GError **err);
    /* Execute a line of the human monitor and return its output; g_free(). */
    char *(*command)(Machine *m, const char *line);
} GdbHost;

/**
 * gdb_start() - Start the gdb server of a machine that has none.
 * @c:    the character device, borrowed until gdb_stop()
 * @host: constant
 * @err:  set if @c has another front end
 *
 * CPUs need not exist yet. gdb_stop() undoes it.
 *
 * Return: false with @err set on failure.
 */
bool gdb_start(Machine *m, Chardev *c, const GdbHost *host, GError **err);
/* Remove all points, report to the client that the program exited with a status, free the server.
 * No-op without a server. */
void gdb_stop(Machine *m, int exit_status);
/* Return true while a packet is being processed: gdb_stop() must not be called. */
bool gdb_is_busy(const Machine *m);
/* The run state changed. No-op without a server. */
void gdb_run_state_changed(Machine *m);

#endif

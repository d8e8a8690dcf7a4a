/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitor commands.
 *
 * QMP commands are declared in monitor/schema/; scripts/gen-qmp generates the prototypes of their
 * functions. Each file of monitor/ with commands (qmp_machine.c, qmp_migration.c and so on) defines
 * the functions of one subject and a table of HMP commands, which monitor/tables.c lists.
 */
#ifndef MONITOR_COMMAND_H
#define MONITOR_COMMAND_H

#include <json-c/json.h>

#include "hw/core/machine.h"

typedef struct Monitor Monitor;

/* QMP error classes: the codes of GError domain QMP_ERROR. An error of another domain is reported
 * as GenericError. */
#define QMP_ERROR g_quark_from_static_string("qmp-error")
typedef enum QmpErrorClass {
    QMP_GENERIC_ERROR,
    QMP_COMMAND_NOT_FOUND,
    QMP_DEVICE_NOT_FOUND,
    QMP_DEVICE_NOT_ACTIVE,
} QmpErrorClass;

typedef struct QmpDeferred QmpDeferred;

/**
 * qmp_defer() - Defer the response to the command that is being executed.
 * @m: the machine
 *
 * Called by the function of a QMP command, which then returns NULL without an error, or by
 * HmpCommand.run, which then appends no text. The main loop continues; the session runs its next
 * command after qmp_deferred_finish(). Other sessions, and commands out of band, are not delayed.
 *
 * Locking: machine lock, main loop.
 * Return: owned by the caller until qmp_deferred_finish(). NULL if no session runs the command
 * (a test, or a tool), because no client receives a response.
 */
QmpDeferred *qmp_defer(Machine *m);

/**
 * qmp_deferred_finish() - Send the response to a deferred command and free @d.
 * @d:      from qmp_defer()
 * @result: the value of "return", consumed; NULL if the command failed
 * @err:    the error if @result is NULL, consumed
 *
 * Sends nothing if the client has disconnected or the monitors are closed.
 *
 * Locking: machine lock, main loop.
 */
void qmp_deferred_finish(QmpDeferred *d, struct json_object *result, GError *err);

typedef struct HmpCommand {
    const char *name;   /* with the group ("info pci") and alternatives ("stop|s") */
    const char *params; /* for help, and for counting: words, optional ones in brackets as in
                         * "[-p] FILE [BEGIN LENGTH]"; a first '/': one expression, not counted */
    const char *doc;    /* for help; NULL: the summary of the corresponding QMP command */
    /* args: the words after the name, as many as @params permits, without quotes and separated by
     * one blank each. Append the output to out, or call qmp_defer(). */
    void (*run)(Machine *m, const char *args, GString *out);
} HmpCommand;

typedef struct HmpTable {
    const HmpCommand *rows;
    size_t n_rows;
} HmpTable;

#endif

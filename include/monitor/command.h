/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitor commands as tables. One file of monitor/ per subject (qmp_machine.c, qmp_block.c,
 * qmp_migration.c ...) exports one QmpTable and one HmpTable; monitor/tables.c lists them all.
 * From the rows come dispatch, argument checks, query-commands, query-qmp-schema, HMP `help`
 * and the reference in docs/.
 */
#ifndef MONITOR_COMMAND_H
#define MONITOR_COMMAND_H

#include <json-c/json.h>

#include "hw/core/machine.h"

typedef struct Monitor Monitor;

/* QMP error classes; the code of a GError in QMP_ERROR. Any other GError is GenericError. */
#define QMP_ERROR g_quark_from_static_string("qmp-error")
typedef enum QmpErrorClass {
    QMP_GENERIC_ERROR,
    QMP_COMMAND_NOT_FOUND,
    QMP_DEVICE_NOT_FOUND,
    QMP_DEVICE_NOT_ACTIVE,
} QmpErrorClass;

typedef struct QmpCommand {
    const char *name;
    /* args: an object that the schema accepts (never NULL). Returns the value of "return" (owned by
     * the caller; NULL means {}), or NULL with *err set, or NULL after qmp_defer(). Machine lock. */
    struct json_object *(*run)(Machine *m, struct json_object *args, GError **err);
} QmpCommand;

typedef struct QmpDeferred QmpDeferred;

/**
 * qmp_defer() - Answer the command that is being run later.
 * @m: the machine
 *
 * Called by QmpCommand.run or HmpCommand.run, which then returns NULL without an error (or appends
 * no text). The main loop continues; the session runs its next command after
 * qmp_deferred_finish(). Other sessions, and commands out of band, are not delayed.
 *
 * Locking: machine lock, main loop.
 * Return: owned by the caller until qmp_deferred_finish(). NULL if no session runs the command
 * (a test, or a tool): nobody can be answered.
 */
QmpDeferred *qmp_defer(Machine *m);

/**
 * qmp_deferred_finish() - Send the answer of a deferred command and free @d.
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
    const char *name;   /* "info pci" for sub-commands */
    const char *params; /* "id" ; for help */
    const char *doc;
    /* args: the rest of the line, trimmed. Append the answer to out, or call qmp_defer(). */
    void (*run)(Machine *m, const char *args, GString *out);
} HmpCommand;

typedef struct CommandTable {
    const QmpCommand *qmp;
    size_t n_qmp;
    const HmpCommand *hmp;
    size_t n_hmp;
} CommandTable;

#endif

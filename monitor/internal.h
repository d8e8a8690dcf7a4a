/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of monitor/ share.
 */
#ifndef MONITOR_INTERNAL_H
#define MONITOR_INTERNAL_H

#include "framing.h"
#include "hmp_line.h"
#include "monitor/host.h"
#include "monitor/monitor.h"

#define QMP_QUEUE_MAX 8 /* requests of a threaded session that wait for the main loop */

struct Monitor {
    Machine *machine;
    Chardev *chardev;
    ChardevFront front;
    bool control, pretty;
    Framer framer;
    HmpLine line;
    GMutex lock; /* what follows is shared with the session thread */
    bool negotiated, oob;
    bool threaded; /* read by the session thread */
    bool busy;     /* inside a batch that ends with one write */
    GString *out;
    GQueue queue;        /* json_object*: requests for the main loop */
    unsigned generation; /* of the connection: answers to an earlier one are dropped */
};

/* m->monitors */
typedef struct MonitorSet {
    GPtrArray *all;    /* Monitor* */
    Monitor *current;  /* whose request the main loop carries out */
    GHashTable *held;  /* events whose interval runs (events.c); NULL until the first */
    GHashTable *fds;   /* name -> descriptor + 1, from getfd; NULL until the first */
    GPtrArray *fdsets; /* members of all sets, from add-fd; NULL until the first */
    GThread *thread;
    GMainContext *context; /* of the thread */
    GMainLoop *loop;
} MonitorSet;

/* Send one message, which it takes. Any thread. */
void monitor_emit(Monitor *mon, struct json_object *o);
/* The object a message is, answered: the response (owned), never NULL. `mon` gives and takes the
 * state of the handshake; in_thread: out of band, without the machine lock. */
struct json_object *qmp_answer(Monitor *mon, struct json_object *request, bool in_thread);
/* {"error": {...}} with the class of err, which it frees. */
struct json_object *qmp_error_response(GError *err);
/* Whether a request wants to run out of band. */
bool qmp_is_oob(struct json_object *request);

void qmp_set_error(GError **err, QmpErrorClass cls, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Rows of other files' tables. */
void hmp_info_block(Machine *m, const char *args, GString *out);
void hmp_info_blockstats(Machine *m, const char *args, GString *out);

extern const CommandTable unplug_table, object_table;
extern const CommandTable qmp_session_table, machine_table, qom_table, device_table, pci_table,
    chardev_table, host_table, info_table, migration_table, fd_table, fdset_table;

#endif

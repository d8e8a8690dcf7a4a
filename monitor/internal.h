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

#define QMP_QUEUE_MAX    8          /* requests of a threaded session that wait for the main loop */
#define MONITOR_OUT_MAX  (1u << 20) /* bytes the client has not read, beyond which requests wait */
#define MONITOR_LATE_MAX 65536      /* events that wait for such a client, one for each subject */
#define MONITOR_KEEP     (64u << 10) /* bytes of an idle buffer that are not given back */

/*
 * Requests are carried out only while less than MONITOR_OUT_MAX bytes of output wait for the
 * client (and, in a threaded session, fewer than QMP_QUEUE_MAX requests wait for the main loop);
 * until then input stays in `in` and then in the socket. Output is never cut: what the character
 * device does not take stays in `out`. Events do not wait for requests; when more than
 * MONITOR_OUT_MAX bytes wait, the last event of each subject is kept in `late` instead.
 */
struct Monitor {
    Machine *machine;
    Chardev *chardev;
    ChardevFront front;
    bool control, pretty;
    /* of the thread that reads: the main loop, or the session thread once `threaded` is set */
    Framer framer;
    HmpLine line;
    GByteArray *in; /* input that waits; the first in_used bytes are done */
    size_t in_used;
    bool feeding; /* a request is being carried out: input that arrives meanwhile is appended */
    /* read and written atomically by both threads */
    bool negotiated, oob;
    bool threaded;         /* read by the session thread */
    unsigned generation;   /* of the connection: answers to an earlier one are dropped */
    GMutex lock;           /* what follows is shared with the session thread */
    bool busy;             /* inside a batch that ends with one write */
    QmpDeferred *deferred; /* the command whose answer comes later; NULL: none. The next command
                            * of this session is run after it. */
    GString *out;          /* output that waits; the first `sent` bytes are gone */
    size_t sent;
    GQueue late;         /* MonitorLate*, oldest first */
    GHashTable *late_of; /* subject -> its link in late */
    GQueue queue;        /* json_object*: requests for the main loop */
};

typedef struct MonitorLate {
    char *subject;
    struct json_object *event;
} MonitorLate;

/* m->monitors */
typedef struct MonitorSet {
    GPtrArray *all;      /* Monitor* */
    Monitor *current;    /* whose request the main loop carries out */
    bool human;          /* the request is a line of the human monitor */
    GPtrArray *deferred; /* QmpDeferred*: every command that is not answered yet */
    GHashTable *held;    /* events whose interval runs (events.c); NULL until the first */
    GHashTable *fds;     /* name -> descriptor + 1, from getfd; NULL until the first */
    GPtrArray *fdsets;   /* members of all sets, from add-fd; NULL until the first */
    GThread *thread;
    GMainContext *context; /* of the thread */
    GMainLoop *loop;
} MonitorSet;

/* Send one message, which it takes. Any thread. */
void monitor_emit(Monitor *mon, struct json_object *o);
/* Send an event, which it takes. If the client reads nothing, only the last one about a subject
 * is kept. Any thread. */
void monitor_emit_event(Monitor *mon, const char *subject, struct json_object *event);
/* The object a message is, answered: the response (owned); NULL if the command deferred its
 * answer. `mon` gives and takes the state of the handshake; in_thread: out of band, without the
 * machine lock. */
struct json_object *qmp_answer(Monitor *mon, struct json_object *request, bool in_thread);
/* {"return": result}, or the error if result is NULL; with the id unless has_id is false. Consumes
 * result and err. */
struct json_object *qmp_response(struct json_object *result, GError *err, bool has_id,
                                 struct json_object *id);
/* Print text and the prompt in a human monitor's session. Main loop. */
void monitor_emit_human(Monitor *mon, const char *text);
/* Continue with the requests that waited for the answer of d. Main loop. */
void monitor_resume(Monitor *mon, QmpDeferred *d);
/* The id of the request that d answers. */
void monitor_deferred_set_id(QmpDeferred *d, bool has_id, struct json_object *id);
/* The monitors are closed: the commands of set->deferred answer nobody. Frees the array. */
void monitor_deferred_detach_all(MonitorSet *set);
/* {"error": {...}} with the class of err, which it frees. */
struct json_object *qmp_error_response(GError *err);
/* Whether a request wants to run out of band. */
bool qmp_is_oob(struct json_object *request);

void qmp_set_error(GError **err, QmpErrorClass cls, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Rows of other files' tables. */
void hmp_info_block(Machine *m, const char *args, GString *out);
void hmp_info_blockstats(Machine *m, const char *args, GString *out);

extern const HmpTable machine_table, qom_table, device_table, pci_table, chardev_table, host_table,
    info_table, migration_table, unplug_table, object_table;

#endif

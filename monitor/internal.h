/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the files of monitor/.
 */
#ifndef MONITOR_INTERNAL_H
#define MONITOR_INTERNAL_H

#include "framing_internal.h"
#include "hmp_line_internal.h"
#include "hw/core/cpu.h"
#include "monitor/host.h"
#include "monitor/monitor.h"

#define QMP_QUEUE_MAX    8           /* queued requests of a threaded session */
#define MONITOR_OUT_MAX  (1u << 20)  /* unsent bytes from which on requests wait */
#define MONITOR_LATE_MAX 65536       /* stored events, one for each subject */
#define MONITOR_KEEP     (64u << 10) /* bytes of an idle buffer that remain allocated */

/*
 * A session. It executes requests only while fewer than MONITOR_OUT_MAX bytes of output are unsent
 * and, in a threaded session, fewer than QMP_QUEUE_MAX requests are queued for the main loop.
 * Otherwise input remains in `in` and in the socket. Output is never truncated: bytes that the
 * character device does not accept remain in `out`. Events are independent of requests. While
 * MONITOR_OUT_MAX bytes or more are unsent, the last event of each subject is stored in `late`.
 */
struct Monitor {
    Machine *machine;
    Chardev *chardev;
    ChardevFront front;
    bool control, pretty;
    /* used only by the thread that reads: the main loop, or the session thread if `threaded` */
    Framer framer;
    HmpLine line;
    GByteArray *in; /* received input; the first in_used bytes are consumed */
    size_t in_used;
    bool feeding; /* feed() executes a request; it executes further input later */
    /* read and written atomically by both threads */
    bool negotiated, oob;
    bool threaded;         /* read by the session thread */
    unsigned generation;   /* number of the connection; responses to an earlier one are dropped */
    GMutex lock;           /* protects the following fields */
    bool busy;             /* inside a batch; its output is written at its end */
    QmpDeferred *deferred; /* the command whose response is sent later; NULL: none. The next
                            * command of this session is executed after it. */
    GString *out;          /* output; the first `sent` bytes are written */
    size_t sent;
    GQueue late;         /* MonitorLate*, oldest first */
    GHashTable *late_of; /* subject -> link in late */
    GQueue queue;        /* json_object*: requests for the main loop */
};

typedef struct DirtyRate DirtyRate;

typedef struct MonitorLate {
    char *subject;
    struct json_object *event;
} MonitorLate;

/* m->monitors */
typedef struct MonitorSet {
    GPtrArray *all;         /* Monitor* */
    Monitor *current;       /* the session whose request the main loop executes */
    unsigned generation;    /* of the connection that sent that request */
    bool human;             /* that request is a line of the human monitor */
    QmpDeferred *begun;     /* the response to that request was deferred; NULL: not */
    GPtrArray *deferred;    /* QmpDeferred*: all commands without a response yet */
    GHashTable *held;       /* running intervals (events.c); NULL until the first */
    GHashTable *fds;        /* name -> descriptor + 1, from getfd; NULL until the first */
    GPtrArray *fdsets;      /* members of all sets, from add-fd; NULL until the first */
    GPtrArray *screendumps; /* files that threads write (qmp_display.c); NULL: none */
    DirtyRate *dirty_rate;  /* the last calc-dirty-rate; NULL until the first */
    GPtrArray *jobs;        /* snapshot jobs (qmp_snapshot.c); NULL until the first */
    GThread *thread;
    GMainContext *context; /* of the thread */
    GMainLoop *loop;
} MonitorSet;

/* Return the monitors of the machine, which are created by the first call. */
MonitorSet *monitor_set(Machine *m);
/* Return the path of a virtual CPU, which is unique; g_free. qom-get accepts it. */
char *monitor_cpu_path(const Cpu *cpu);
/* Send one message, which is consumed. Any thread. */
void monitor_emit(Monitor *mon, struct json_object *o);
/* Send one message, which is consumed, unless the client of the connection @generation has
 * disconnected. Any thread. */
void monitor_emit_to(Monitor *mon, unsigned generation, struct json_object *o);
/* Send an event, which is consumed. If the client does not read its output, only the last event of
 * each subject is stored. Any thread. */
void monitor_emit_event(Monitor *mon, const char *subject, struct json_object *event);
/* Execute a request of the connection @generation. Return the response, owned by the caller; NULL
 * if the command deferred it. Reads and updates the state of the handshake in @mon. @in_thread: the
 * request is out of band and is executed without the machine lock; otherwise main loop, machine
 * lock. */
struct json_object *qmp_answer(Monitor *mon, struct json_object *request, unsigned generation,
                               bool in_thread);
/* Begin and end the execution of a request by the main loop. The latter returns the deferred
 * command if the request deferred its response; NULL if not. Machine lock. */
void monitor_command_begin(MonitorSet *set, Monitor *mon, unsigned generation, bool human);
QmpDeferred *monitor_command_end(MonitorSet *set);
/* Return {"return": result}, or the error response if @result is NULL; owned by the caller. The
 * response contains @id if @has_id. Consumes @result and @err, not @id. Any thread. */
struct json_object *qmp_response(struct json_object *result, GError *err, bool has_id,
                                 struct json_object *id);
/* Print text and the prompt in a human monitor's session. Main loop. */
void monitor_emit_human(Monitor *mon, const char *text);
/* Execute the requests that were waiting for the response of @d. Main loop. */
void monitor_resume(Monitor *mon, QmpDeferred *d);
/* Set the id of the request that @d belongs to. Adds a reference to @id. */
void monitor_deferred_set_id(QmpDeferred *d, bool has_id, struct json_object *id);
/* Detach all deferred commands from their sessions, which are being closed. Their responses are not
 * sent. Frees set->deferred. */
void monitor_deferred_detach_all(MonitorSet *set);
/* Return {"error": {...}} with the class of @err, which is consumed; owned by the caller. */
struct json_object *qmp_error_response(GError *err);
/* Return whether the client requests out-of-band execution ("exec-oob"). */
bool qmp_is_oob(struct json_object *request);

/* End a measurement (qmp_dirty_rate.c). NULL: no effect. */
void monitor_dirty_rate_free(DirtyRate *r);

/* Set *err to a QMP_ERROR of the class @cls. */
void qmp_set_error(GError **err, QmpErrorClass cls, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Commands of the table in qmp_host.c that hmp_block.c defines. */
void hmp_info_block(Machine *m, const char *args, GString *out);
void hmp_info_blockstats(Machine *m, const char *args, GString *out);

/* End a job that writes guest memory, without a result. Called before the monitors are closed. */
void monitor_dump_free(Machine *m);
/* Wait for the files that screendump writes. Called before the monitors are closed. */
void monitor_screendump_free(Machine *m);

extern const HmpTable machine_table, qom_table, device_table, pci_table, chardev_table, host_table,
    debug_table, dump_table, info_table, migration_table, unplug_table, object_table, media_table,
    numa_table, throttle_table, balloon_table, display_table, input_table, vnc_table,
    snapshot_table, usb_table;

/* Properties of a balloon that exist at run time (qmp_balloon.c). _prop_type: the type of the
 * property "guest-stats", or NULL if the device is not a balloon. _get: the value of a property,
 * owned by the caller; NULL if this is not the one. _set: false with an error if the value is not
 * accepted; *done is false if the device has no such property. */
const char *monitor_balloon_prop_type(Device *dev);
struct json_object *monitor_balloon_get(Device *dev, const char *name);
bool monitor_balloon_set(Device *dev, const char *name, struct json_object *value, bool *done,
                         GError **err);

#endif

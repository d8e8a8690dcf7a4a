/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that write guest memory to a file: memsave, pmemsave and dump-guest-memory.
 *
 * Each is a job on the main loop, which writes a part per iteration, so that monitors continue to
 * answer. The response is deferred. At most one job exists. While it exists, no device is plugged
 * or unplugged, because the RAM of the machine must not change.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <inttypes.h>
#include <string.h>

#include "debug/dump.h"
#include "util/log.h"

#define DUMP_WAIT_MS 10

/* The enum DumpStatus of the schema. */
typedef enum DumpStatus {
    DUMP_STATUS_NONE,
    DUMP_STATUS_ACTIVE,
    DUMP_STATUS_COMPLETED,
    DUMP_STATUS_FAILED
} DumpStatus;

static const char *const dump_status_names[] = { "none", "active", "completed", "failed" };

/* m->dump */
struct MonitorDump {
    Machine *m;
    DebugDump *d;          /* NULL: no job; the other fields describe the last one */
    QmpDeferred *deferred; /* NULL: no client waits for a response */
    guint source;
    bool core;    /* dump-guest-memory, which query-dump reports */
    bool detach;  /* DUMP_COMPLETED is emitted */
    bool restart; /* the machine was running */
    struct {
        DumpStatus status;
        uint64_t done, total;
    } last; /* of dump-guest-memory */
};
typedef struct MonitorDump MonitorDump;

static MonitorDump *monitor_dump(Machine *m)
{
    if (!m->dump) {
        m->dump = g_new0(MonitorDump, 1);
        m->dump->m = m;
    }
    return m->dump;
}

bool monitor_dump_active(const Machine *m)
{
    return m->dump && m->dump->d && m->dump->core;
}

/* --- results --- */

static void dump_update(MonitorDump *j, DumpStatus status)
{
    if (j->core) {
        j->last.status = status;
        debug_dump_progress(j->d, &j->last.done, &j->last.total);
    }
}

static void dump_emit(const MonitorDump *j, const GError *err)
{
    const EventField fields[] = {
        { "status", EVENT_STR, { .str = dump_status_names[j->last.status] } },
        { "completed", EVENT_INT, { .number = (int64_t)j->last.done } },
        { "total", EVENT_INT, { .number = (int64_t)j->last.total } },
    };
    const EventObject result = { fields, G_N_ELEMENTS(fields) };

    event_dump_completed(j->m, &result, err ? err->message : NULL);
}

/* End the job. @err is consumed; NULL on success. */
static void dump_end(MonitorDump *j, GError *err)
{
    QmpDeferred *deferred = g_steal_pointer(&j->deferred);
    bool restart = j->core && j->restart && j->m->state == RUN_PAUSED;

    dump_update(j, err ? DUMP_STATUS_FAILED : DUMP_STATUS_COMPLETED);
    g_clear_pointer(&j->d, debug_dump_free);
    j->m->migrating--;
    if (restart && !monitor_host(j->m)->cont(j->m, NULL)) {
        message("dump-guest-memory: the machine remains stopped");
    }
    if (j->core && j->detach) {
        dump_emit(j, err);
    }
    if (deferred) {
        qmp_deferred_finish(deferred, err ? NULL : json_object_new_object(), err);
    } else {
        g_clear_error(&err);
    }
}

static gboolean dump_work(gpointer opaque)
{
    MonitorDump *j = opaque;
    GError *err = NULL;
    DebugDumpStep step = debug_dump_step(j->d, &err);

    j->source = 0;
    dump_update(j, DUMP_STATUS_ACTIVE);
    if (step == DEBUG_DUMP_MORE) {
        j->source = g_idle_add(dump_work, j);
    } else if (step == DEBUG_DUMP_WAIT) {
        j->source = g_timeout_add(DUMP_WAIT_MS, dump_work, j);
    } else {
        dump_end(j, err);
    }
    return G_SOURCE_REMOVE;
}

/* --- starting --- */

/* Return whether a job may start. */
static bool dump_may_start(Machine *m, const char *command, GError **err)
{
    if (m->dump && m->dump->d) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "%s: guest memory is being written to another file",
                      command);
        return false;
    }
    if (m->migrating > 0 || m->state == RUN_INMIGRATE) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "%s: not possible during a migration", command);
        return false;
    }
    return true;
}

/* Start a job with @d, or fail if it is NULL. */
static bool dump_start(Machine *m, DebugDump *d, bool core, bool detach)
{
    MonitorDump *j = monitor_dump(m);

    if (!d) {
        return false;
    }
    j->d = d;
    j->core = core;
    j->detach = detach;
    j->restart = machine_running(m);
    m->migrating++;
    dump_update(j, DUMP_STATUS_ACTIVE);
    j->deferred = detach ? NULL : qmp_defer(m);
    j->source = g_idle_add(dump_work, j);
    return true;
}

void monitor_dump_free(Machine *m)
{
    MonitorDump *j = m->dump;

    if (!j) {
        return;
    }
    if (j->source) {
        g_source_remove(j->source);
    }
    if (j->d) {
        QmpDeferred *deferred = j->deferred;

        debug_dump_free(j->d);
        m->migrating--;
        if (deferred) {
            qmp_deferred_finish(deferred, json_object_new_object(), NULL);
        }
    }
    g_free(j);
    m->dump = NULL;
}

bool qmp_memsave(Machine *m, const QmpMemsaveArgs *args, GError **err)
{
    int64_t index = args->has_cpu_index ? args->cpu_index : 0;

    if (!dump_may_start(m, "memsave", err)) {
        return false;
    }
    if (index < 0 || index >= m->cpus->len) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "memsave: cpu-index is %" PRIi64 "; the machine has %u CPUs", index,
                      m->cpus->len);
        return false;
    }
    return dump_start(m,
                      debug_dump_bytes(m, g_ptr_array_index(m->cpus, index), args->val, args->size,
                                       args->filename, err),
                      false, false);
}

bool qmp_pmemsave(Machine *m, const QmpPmemsaveArgs *args, GError **err)
{
    return dump_may_start(m, "pmemsave", err) &&
           dump_start(m, debug_dump_bytes(m, NULL, args->val, args->size, args->filename, err),
                      false, false);
}

/* Begin the core at "file:PATH" or "fd:NAME". */
static DebugDump *dump_open(Machine *m, const DebugCoreOptions *options, const char *protocol,
                            GError **err)
{
    int fd;

    if (g_str_has_prefix(protocol, "file:") && protocol[5]) {
        return debug_dump_core(m, options, protocol + 5, -1, err);
    }
    if (!g_str_has_prefix(protocol, "fd:")) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "dump-guest-memory: protocol is '%s'; file:PATH and fd:NAME are accepted",
                      protocol);
        return NULL;
    }
    fd = monitor_take_fd(m, protocol + 3);
    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "dump-guest-memory: there is no descriptor '%s'; getfd names one",
                      protocol + 3);
        return NULL;
    }
    return debug_dump_core(m, options, NULL, fd, err);
}

bool qmp_dump_guest_memory(Machine *m, const QmpDumpGuestMemoryArgs *args, GError **err)
{
    DebugCoreOptions options = { args->paging, args->has_begin, args->begin, args->length };
    bool restart = machine_running(m);
    DebugDump *d;

    if (!dump_may_start(m, "dump-guest-memory", err)) {
        return false;
    }
    if (args->has_begin != args->has_length) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "dump-guest-memory: begin and length are accepted only together");
        return false;
    }
    monitor_host(m)->stop(m);
    d = dump_open(m, &options, args->protocol, err);
    if (!dump_start(m, d, true, args->detach)) {
        if (restart) {
            monitor_host(m)->cont(m, NULL);
        }
        return false;
    }
    m->dump->restart = restart;
    return true;
}

struct json_object *qmp_query_dump(Machine *m, GError **err)
{
    const MonitorDump *j = monitor_dump(m);
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "status", json_object_new_string(dump_status_names[j->last.status]));
    json_object_object_add(o, "completed", json_object_new_uint64(j->last.done));
    json_object_object_add(o, "total", json_object_new_uint64(j->last.total));
    return o;
}

struct json_object *qmp_query_dump_guest_memory_capability(Machine *m, GError **err)
{
    struct json_object *o = json_object_new_object(), *formats = json_object_new_array();

    json_object_array_add(formats, json_object_new_string("elf"));
    json_object_object_add(o, "formats", formats);
    return o;
}

/* --- human monitor --- */

static void hmp_dump_result(GString *out, const GError *err)
{
    if (err) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static bool hmp_number_parse(const char *text, uint64_t *value)
{
    char *end;

    *value = g_ascii_strtoull(text, &end, 0);
    return g_ascii_isdigit(*text) && *end == '\0';
}

/* Parse "ADDRESS SIZE FILE". Return the file, g_free(); NULL after a message. */
static char *hmp_save_parse(const char *args, const char *command, uint64_t *addr, uint64_t *size,
                            GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 3);

    if (g_strv_length(words) != 3 || !hmp_number_parse(words[0], addr) ||
        !hmp_number_parse(words[1], size)) {
        g_string_append_printf(out, "Error: %s: use %s ADDRESS SIZE FILE\n", command, command);
        return NULL;
    }
    return g_strdup(words[2]);
}

static void hmp_memsave(Machine *m, const char *args, GString *out)
{
    QmpMemsaveArgs a = { 0 };
    g_autofree char *file = hmp_save_parse(args, "memsave", &a.val, &a.size, out);
    g_autoptr(GError) err = NULL;

    a.filename = file;
    if (file && !qmp_memsave(m, &a, &err)) {
        hmp_dump_result(out, err);
    }
}

static void hmp_pmemsave(Machine *m, const char *args, GString *out)
{
    QmpPmemsaveArgs a = { 0 };
    g_autofree char *file = hmp_save_parse(args, "pmemsave", &a.val, &a.size, out);
    g_autoptr(GError) err = NULL;

    a.filename = file;
    if (file && !qmp_pmemsave(m, &a, &err)) {
        hmp_dump_result(out, err);
    }
}

/* [-p] [-d] FILE [BEGIN LENGTH] */
static bool hmp_dump_args(char **words, QmpDumpGuestMemoryArgs *a, const char **file)
{
    for (; *words && **words == '-'; words++) {
        if (strcmp(*words, "-p") == 0) {
            a->paging = true;
        } else if (strcmp(*words, "-d") == 0) {
            a->detach = true;
        } else {
            return false;
        }
    }
    *file = *words;
    a->has_begin = a->has_length = *file && words[1];
    return *file &&
           (!a->has_begin || (words[2] && !words[3] && hmp_number_parse(words[1], &a->begin) &&
                              hmp_number_parse(words[2], &a->length)));
}

static void hmp_dump_guest_memory(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    QmpDumpGuestMemoryArgs a = { 0 };
    g_autofree char *protocol = NULL;
    g_autoptr(GError) err = NULL;
    const char *file;

    if (!hmp_dump_args(words, &a, &file)) {
        g_string_append(
            out, "Error: dump-guest-memory: use dump-guest-memory [-p] [-d] FILE [BEGIN LENGTH]\n");
        return;
    }
    a.protocol = protocol = g_strdup_printf("file:%s", file);
    if (!qmp_dump_guest_memory(m, &a, &err)) {
        hmp_dump_result(out, err);
    }
}

static const HmpCommand hmp_commands[] = {
    { "memsave", "ADDRESS SIZE FILE", NULL, hmp_memsave },
    { "pmemsave", "ADDRESS SIZE FILE", NULL, hmp_pmemsave },
    { "dump-guest-memory", "[-p] [-d] FILE [BEGIN LENGTH]", NULL, hmp_dump_guest_memory },
};

const HmpTable dump_table = { LIST(hmp_commands) };

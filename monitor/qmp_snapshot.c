/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of the machine: the jobs of QMP, and the commands of the human monitor.
 *
 * A job works in one turn of the main loop after the command that started it was answered, and
 * remains until job-dismiss.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "machine-events.h"
#include "migration/snapshot.h"

enum { SNAPSHOT_JOBS_MAX = 256 };

typedef enum SnapshotJobType {
    SNAPSHOT_JOB_SAVE,
    SNAPSHOT_JOB_LOAD,
    SNAPSHOT_JOB_DELETE
} SnapshotJobType;

typedef struct SnapshotJob {
    Machine *machine;
    char *id, *tag, *error;
    SnapshotJobType type;
    QmpJobStatus status;
    GPtrArray *disks; /* char*: names of nodes */
    char *state;      /* name of a node; NULL: snapshot-delete */
    guint source;     /* GSource id; 0: none */
} SnapshotJob;

static void snapshot_job_free(gpointer data)
{
    SnapshotJob *j = data;

    if (j->source) {
        g_source_remove(j->source);
    }
    g_ptr_array_unref(j->disks);
    g_free(j->state);
    g_free(j->id);
    g_free(j->tag);
    g_free(j->error);
    g_free(j);
}

static void snapshot_job_set(SnapshotJob *j, QmpJobStatus status)
{
    j->status = status;
    event_job_status_change(j->machine, j->id, status);
}

/* Find the nodes again, because they may have been removed since the command. */
static bool snapshot_job_place(const SnapshotJob *j, SnapshotPlace *place, GError **err)
{
    *place = (SnapshotPlace){ .name = j->tag, .disks = g_ptr_array_new() };
    for (guint i = 0; i < j->disks->len; i++) {
        BlockNode *n = block_snapshot_disk(j->machine, j->disks->pdata[i], err);

        if (!n) {
            return false;
        }
        g_ptr_array_add(place->disks, n);
    }
    if (j->state) {
        place->state = block_snapshot_disk(j->machine, j->state, err);
    }
    return !j->state || place->state;
}

static bool snapshot_job_work(const SnapshotJob *j, const SnapshotPlace *place, GError **err)
{
    Migration *mig = migration_of(j->machine);

    switch (j->type) {
    case SNAPSHOT_JOB_SAVE:
        return migration_snapshot_save(mig, place, false, err);
    case SNAPSHOT_JOB_LOAD:
        return migration_snapshot_load(mig, place, err);
    default:
        return migration_snapshot_delete(mig, place, err);
    }
}

static gboolean snapshot_job_run(gpointer opaque)
{
    SnapshotJob *j = opaque;
    g_autoptr(GError) err = NULL;
    SnapshotPlace place;

    j->source = 0;
    snapshot_job_set(j, QMP_JOB_STATUS_RUNNING);
    if (snapshot_job_place(j, &place, &err) && snapshot_job_work(j, &place, &err)) {
        snapshot_job_set(j, QMP_JOB_STATUS_WAITING);
        snapshot_job_set(j, QMP_JOB_STATUS_PENDING);
    } else {
        j->error = g_strdup(err->message);
        snapshot_job_set(j, QMP_JOB_STATUS_ABORTING);
    }
    g_ptr_array_unref(place.disks);
    snapshot_job_set(j, QMP_JOB_STATUS_CONCLUDED);
    return G_SOURCE_REMOVE;
}

static SnapshotJob *snapshot_job_find(Machine *m, const char *id, guint *index)
{
    GPtrArray *jobs = monitor_set(m)->jobs;

    for (*index = 0; jobs && *index < jobs->len; ++*index) {
        SnapshotJob *j = jobs->pdata[*index];

        if (strcmp(j->id, id) == 0) {
            return j;
        }
    }
    return NULL;
}

static bool snapshot_job_check(Machine *m, const char *id, const char *tag, GError **err)
{
    MonitorSet *set = monitor_set(m);
    guint index;

    if (!*id || !*tag) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "the names of a job and of a snapshot are not empty");
    } else if (snapshot_job_find(m, id, &index)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Job ID '%s' already in use", id);
    } else if (set->jobs && set->jobs->len >= SNAPSHOT_JOBS_MAX) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "there are %d jobs: use job-dismiss first",
                      SNAPSHOT_JOBS_MAX);
    } else if (strlen(tag) > UINT8_MAX) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "the name of a snapshot has at most 255 bytes");
    } else {
        return true;
    }
    return false;
}

static bool snapshot_job_new(Machine *m, SnapshotJobType type, const char *id, const char *tag,
                             const char *state, struct json_object *devices, GError **err)
{
    MonitorSet *set = monitor_set(m);
    SnapshotPlace place;
    SnapshotJob *j;
    bool ok;

    if (!snapshot_job_check(m, id, tag, err)) {
        return false;
    }
    j = g_new0(SnapshotJob, 1);
    *j = (SnapshotJob){ .machine = m,
                        .id = g_strdup(id),
                        .tag = g_strdup(tag),
                        .type = type,
                        .disks = g_ptr_array_new_with_free_func(g_free),
                        .state = g_strdup(state) };
    for (size_t i = 0; i < json_object_array_length(devices); i++) {
        struct json_object *name = json_object_array_get_idx(devices, i);

        g_ptr_array_add(j->disks, g_strdup(json_object_get_string(name)));
    }
    ok = snapshot_job_place(j, &place, err);
    g_ptr_array_unref(place.disks);
    if (!ok) {
        snapshot_job_free(j);
        return false;
    }
    set->jobs = set->jobs ? set->jobs : g_ptr_array_new_with_free_func(snapshot_job_free);
    g_ptr_array_add(set->jobs, j);
    snapshot_job_set(j, QMP_JOB_STATUS_CREATED);
    j->source = g_idle_add(snapshot_job_run, j);
    return true;
}

bool qmp_snapshot_save(Machine *m, const QmpSnapshotSaveArgs *args, GError **err)
{
    return snapshot_job_new(m, SNAPSHOT_JOB_SAVE, args->job_id, args->tag, args->vmstate,
                            args->devices, err);
}

bool qmp_snapshot_load(Machine *m, const QmpSnapshotLoadArgs *args, GError **err)
{
    return snapshot_job_new(m, SNAPSHOT_JOB_LOAD, args->job_id, args->tag, args->vmstate,
                            args->devices, err);
}

bool qmp_snapshot_delete(Machine *m, const QmpSnapshotDeleteArgs *args, GError **err)
{
    return snapshot_job_new(m, SNAPSHOT_JOB_DELETE, args->job_id, args->tag, NULL, args->devices,
                            err);
}

struct json_object *qmp_query_jobs(Machine *m, GError **err)
{
    static const char *const types[] = { "snapshot-save", "snapshot-load", "snapshot-delete" };
    /* Jobs in other states do not exist between two turns of the main loop. */
    GPtrArray *jobs = monitor_set(m)->jobs;
    struct json_object *list = json_object_new_array();

    for (guint i = 0; jobs && i < jobs->len; i++) {
        const SnapshotJob *j = jobs->pdata[i];
        bool over = j->status == QMP_JOB_STATUS_CONCLUDED;
        QmpJobInfo info = { .id = j->id,
                            .type = types[j->type],
                            .status = over ? "concluded" : "created",
                            .current_progress = over,
                            .total_progress = 1,
                            .error = j->error };

        json_object_array_add(list, qmp_make_job_info(&info));
    }
    return list;
}

bool qmp_job_dismiss(Machine *m, const QmpJobDismissArgs *args, GError **err)
{
    guint index;
    SnapshotJob *j = snapshot_job_find(m, args->id, &index);

    if (!j) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Job not found: '%s'", args->id);
        return false;
    }
    if (j->status != QMP_JOB_STATUS_CONCLUDED) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Job '%s' has not ended yet; the event JOB_STATUS_CHANGE reports it", j->id);
        return false;
    }
    snapshot_job_set(j, QMP_JOB_STATUS_NULL);
    g_ptr_array_remove_index(monitor_set(m)->jobs, index);
    return true;
}

/* --- human monitor --- */

static void hmp_snapshot(Machine *m, const char *tag, SnapshotJobType type, GString *out)
{
    Migration *mig = migration_of(m);
    g_autoptr(GError) err = NULL;
    SnapshotPlace place;
    bool ok = migration_snapshot_place(m, tag, &place, &err);

    if (ok && type == SNAPSHOT_JOB_SAVE) {
        ok = migration_snapshot_save(mig, &place, true, &err);
    } else if (ok && type == SNAPSHOT_JOB_LOAD) {
        ok = migration_snapshot_load(mig, &place, &err);
    } else if (ok) {
        ok = migration_snapshot_delete(mig, &place, &err);
    }
    g_clear_pointer(&place.disks, g_ptr_array_unref);
    if (!ok) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_savevm(Machine *m, const char *args, GString *out)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *name = g_date_time_format(now, "vm-%Y%m%d%H%M%S");

    if (strlen(args) > UINT8_MAX) {
        g_string_append(out, "Error: the name of a snapshot has at most 255 bytes\n");
        return;
    }
    hmp_snapshot(m, *args ? args : name, SNAPSHOT_JOB_SAVE, out);
}

static void hmp_loadvm(Machine *m, const char *args, GString *out)
{
    hmp_snapshot(m, args, SNAPSHOT_JOB_LOAD, out);
}

static void hmp_delvm(Machine *m, const char *args, GString *out)
{
    hmp_snapshot(m, args, SNAPSHOT_JOB_DELETE, out);
}

static bool hmp_snapshot_everywhere(const GPtrArray *disks, const char *name)
{
    BlockSnapshot s;

    for (guint i = 0; i < disks->len; i++) {
        if (!block_snapshot_find(disks->pdata[i], name, &s)) {
            return false;
        }
    }
    return true;
}

static void hmp_snapshot_row(GString *out, const BlockSnapshot *s)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(s->date_sec);
    g_autofree char *when = date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
    g_autofree char *size = g_format_size_full(s->vm_state_size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *name = g_utf8_make_valid(s->name, -1);
    uint64_t ms = s->vm_clock_ns / 1000000;

    g_string_append_printf(out, "%-10s%-18s%10s%21s   %02u:%02u:%02u.%03u\n", "--", name, size,
                           when, (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60),
                           (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
}

static void hmp_info_snapshots(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    SnapshotPlace place;
    BlockSnapshot s;
    unsigned n = 0;

    if (!migration_snapshot_place(m, "", &place, &err)) {
        g_string_append_printf(out, "%s\n", err->message);
        return;
    }
    for (guint d = 0; d < place.disks->len; d++) {
        for (unsigned i = 0; block_snapshot_get(place.disks->pdata[d], i, &s); i++) {
            if (s.vm_state_size == 0 || !hmp_snapshot_everywhere(place.disks, s.name)) {
                continue;
            }
            if (n++ == 0) {
                g_string_append_printf(out,
                                       "List of snapshots present on all disks:\n"
                                       "%-10s%-18s%10s%21s%15s\n",
                                       "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK");
            }
            hmp_snapshot_row(out, &s);
        }
    }
    if (n == 0) {
        g_string_append(out, "There is no snapshot available.\n");
    }
    g_ptr_array_unref(place.disks);
}

static const HmpCommand hmp_commands[] = {
    { "savevm", "[TAG]", NULL, hmp_savevm },
    { "loadvm", "TAG", NULL, hmp_loadvm },
    { "delvm", "TAG", NULL, hmp_delvm },
    { "info snapshots", "", "List the snapshots with a state of the machine that all disks have.",
      hmp_info_snapshots },
};

const HmpTable snapshot_table = { LIST(hmp_commands) };

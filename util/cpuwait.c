/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for a CPU (contract in util/cpuwait.h), from the files `stat` and `schedstat`
 * of each thread (proc(5)).
 */
#include "util/cpuwait.h"

#include <string.h>

#include "util/infile.h"

enum { CPU_WAIT_FILE_MAX = 4096 };

struct CpuWait {
    char *folder;
    GHashTable *times; /* name of a thread's folder -> CpuWaitTimes */
};

typedef struct CpuWaitTimes {
    guint64 ran, waited; /* ns */
} CpuWaitTimes;

static char *cpu_wait_read(const CpuWait *w, const char *thread, const char *name)
{
    g_autofree char *path = g_build_filename(w->folder, thread, name, NULL);
    char *text;
    gsize len;

    return in_file_read(path, CPU_WAIT_FILE_MAX, &text, &len, NULL) ? text : NULL;
}

/* Read the time on a CPU and the time of ended waits. False: the thread has ended, or the host does
 * not report them. */
static bool cpu_wait_read_times(const CpuWait *w, const char *thread, CpuWaitTimes *t)
{
    g_autofree char *text = cpu_wait_read(w, thread, "schedstat");
    char *end;

    if (!text) {
        return false;
    }
    t->ran = g_ascii_strtoull(text, &end, 10);
    t->waited = g_ascii_strtoull(end, NULL, 10);
    return true;
}

/* Return whether the thread runs or is ready to run. Its name may contain parentheses. */
static bool cpu_wait_is_ready(const CpuWait *w, const char *thread)
{
    g_autofree char *text = cpu_wait_read(w, thread, "stat");
    const char *end = text ? strrchr(text, ')') : NULL;

    return end && g_str_has_prefix(end, ") R");
}

static bool cpu_wait_lacked(const CpuWait *w, const char *thread, const CpuWaitTimes *now,
                            gint64 interval_us)
{
    const CpuWaitTimes *before = g_hash_table_lookup(w->times, thread);

    if (!before) {
        return false;
    }
    if (now->ran == before->ran && now->waited == before->waited) {
        return cpu_wait_is_ready(w, thread);
    }
    return now->waited - before->waited > (guint64)interval_us * 1000 / 2;
}

bool cpu_wait_sample(CpuWait *w, gint64 interval_us)
{
    GHashTable *times = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GDir *dir = g_dir_open(w->folder, 0, NULL);
    const char *thread;
    bool lacked = false;

    while (dir && (thread = g_dir_read_name(dir))) {
        CpuWaitTimes now;

        if (cpu_wait_read_times(w, thread, &now)) {
            lacked |= cpu_wait_lacked(w, thread, &now, interval_us);
            g_hash_table_insert(times, g_strdup(thread), g_memdup2(&now, sizeof(now)));
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_hash_table_unref(w->times);
    w->times = times;
    return lacked;
}

CpuWait *cpu_wait_new(const char *folder)
{
    CpuWait *w = g_new0(CpuWait, 1);

    w->folder = g_strdup(folder);
    w->times = g_hash_table_new(g_str_hash, g_str_equal);
    cpu_wait_sample(w, 0);
    return w;
}

void cpu_wait_free(CpuWait *w)
{
    g_hash_table_unref(w->times);
    g_free(w->folder);
    g_free(w);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait for a CPU: each case in files of the format of the host, and threads that
 * compete for one CPU.
 */
#include "util/cpuwait.h"

#include <glib/gstdio.h>
#include <sched.h>

#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

enum { INTERVAL_US = 50000, MS = 1000000 };

typedef struct Host {
    char *folder;
    CpuWait *wait;
} Host;

static void put(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    ASSERT_OK(g_file_set_contents(path, text, -1, &failure));
}

static char *thread_folder(const Host *h, const char *id)
{
    return g_build_filename(h->folder, id, NULL);
}

/* A thread with an id, "NAME) STATE", and milliseconds on a CPU and of ended waits. */
static void put_thread(const Host *h, const char *id, const char *state, unsigned ran,
                       unsigned waited)
{
    g_autofree char *folder = thread_folder(h, id);
    g_autofree char *stat = g_strdup_printf("%s (%s 1 2 3\n", id, state);
    g_autofree char *times = g_strdup_printf("%llu %llu 7\n", (unsigned long long)ran * MS,
                                             (unsigned long long)waited * MS);

    g_mkdir(folder, 0700);
    put(folder, "stat", stat);
    put(folder, "schedstat", times);
}

static void remove_thread(const Host *h, const char *id)
{
    g_autofree char *folder = thread_folder(h, id);
    g_autofree char *stat = g_build_filename(folder, "stat", NULL);
    g_autofree char *times = g_build_filename(folder, "schedstat", NULL);

    g_unlink(stat);
    g_unlink(times);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_cases(void)
{
    static const struct {
        const char *state;
        unsigned ran, waited;
        bool lacked;
    } cases[] = {
        { "main) S", 100, 10, false },                                /* sleeps */
        { "main) D", 100, 10, false },                                /* waits for a disk */
        { "main) R", 100, 10, true },                                 /* ready, but has not run */
        { "main) R", 140, 10, false },                                /* runs */
        { "main) R", 110, 45, true },                                 /* waited 35 of 50 ms */
        { "main) S", 110, 45, true },  { "main) S", 130, 25, false }, /* waited 15 of 50 ms */
        { "a) R) S", 100, 10, false },
    };
    Host h = { .folder = g_dir_make_tmp("test-cpuwait-XXXXXX", NULL) };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        put_thread(&h, "1", "main) S", 100, 10);
        put_thread(&h, "2", "other) S", 5, 5);
        h.wait = cpu_wait_new(h.folder);
        put_thread(&h, "1", cases[i].state, cases[i].ran, cases[i].waited);
        g_assert_cmpint(cpu_wait_sample(h.wait, INTERVAL_US), ==, cases[i].lacked);
        cpu_wait_free(h.wait);
    }
    remove_thread(&h, "1");
    remove_thread(&h, "2");
    g_rmdir(h.folder);
    g_free(h.folder);
}

/* A thread counts from its second sample on. One that has ended does not count. */
static void test_threads(void)
{
    Host h = { .folder = g_dir_make_tmp("test-cpuwait-XXXXXX", NULL) };

    h.wait = cpu_wait_new(h.folder);
    g_assert_false(cpu_wait_sample(h.wait, INTERVAL_US));
    put_thread(&h, "1", "late) R", 100, 1000);
    g_assert_false(cpu_wait_sample(h.wait, INTERVAL_US));
    g_assert_true(cpu_wait_sample(h.wait, INTERVAL_US));
    remove_thread(&h, "1");
    g_assert_false(cpu_wait_sample(h.wait, INTERVAL_US));
    g_rmdir(h.folder);
    g_assert_false(cpu_wait_sample(h.wait, INTERVAL_US)); /* a host without these files */
    cpu_wait_free(h.wait);
    g_free(h.folder);
}

static gint stop;

static gpointer compete(gpointer cpus)
{
    sched_setaffinity(0, sizeof(cpu_set_t), cpus);
    while (!g_atomic_int_get(&stop)) {
    }
    return NULL;
}

static void test_competition(void)
{
    enum { THREADS = 6 };
    GThread *threads[THREADS];
    cpu_set_t cpus;
    CpuWait *w;
    int cpu = 0;

    if (!g_file_test("/proc/self/schedstat", G_FILE_TEST_EXISTS)) {
        g_test_skip("the host does not report the times that threads wait");
        return;
    }
    g_assert_cmpint(sched_getaffinity(0, sizeof(cpus), &cpus), ==, 0);
    while (!CPU_ISSET(cpu, &cpus)) {
        cpu++;
    }
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("compete", compete, &cpus);
    }
    w = cpu_wait_new(CPU_WAIT_FOLDER);
    WAIT_UNTIL (cpu_wait_sample(w, INTERVAL_US), 20) {
        wait_elapse(INTERVAL_US, "threads compete in this time");
    }
    cpu_wait_free(w);
    g_atomic_int_set(&stop, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/util/cpuwait/cases", test_cases);
    g_test_add_func("/util/cpuwait/threads", test_threads);
    g_test_add_func("/util/cpuwait/competition", test_competition);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O threads: each is a thread of the host with its id as name, and ends with the object.
 */
#include <signal.h>
#include <unistd.h>

#include "host-objects.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

static bool alive(int64_t tid)
{
    g_autofree char *path = g_strdup_printf("/proc/self/task/%" G_GINT64_FORMAT, tid);

    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* A joined thread remains in /proc for a short time. */
static bool gone(int64_t tid)
{
    return WAIT_WHETHER(!alive(tid), 10);
}

static void test_threads(void)
{
    Machine *m = machine_with_lock();
    int64_t one = host_iothread_tid(object(m, "iothread,id=one"));
    int64_t two = host_iothread_tid(object(m, "iothread,id=two"));
    g_autofree char *comm = g_strdup_printf("/proc/self/task/%" G_GINT64_FORMAT "/comm", two);
    g_autofree char *name = NULL;

    g_assert_true(one > 0 && two > 0 && one != two && two != gettid());
    g_assert_true(alive(one) && alive(two));
    ASSERT_OK(g_file_get_contents(comm, &name, NULL, &failure));
    g_assert_cmpstr(name, ==, "IO two\n");
    ASSERT_OK(host_object_del(m, "one", &failure));
    g_assert_true(gone(one));
    g_assert_cmpint(host_iothread_tid(object(m, "secret,id=s,data=x")), ==, 0);
    machine_end(m);
    g_assert_true(gone(two));
}

/* A thread that is stopped before its loop runs must end, too. */
static void test_quick_end(void)
{
    Machine *m = machine_with_lock();

    for (int i = 0; i < 200; i++) {
        object(m, "iothread,id=t");
        ASSERT_OK(host_object_del(m, "t", &failure));
    }
    machine_end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-iothread/threads", test_threads);
    g_test_add_func("/host-iothread/quick-end", test_quick_end);
    return g_test_run();
}

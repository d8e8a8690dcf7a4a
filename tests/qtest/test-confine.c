/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Privileges that the process drops before the guest runs: -run-with user= and chroot=, and the
 * system-call filters of the process and of its CPU threads, as reported by the kernel in /proc.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config-host.h"
#include "libqtest.h"
#include "tests/lib/wait.h"

#define NOBODY "65534"

/* An emulator in the background. Its directory is removed when it ends. */
typedef struct Background {
    char *folder, *pidfile;
    pid_t pid;
} Background;

static Background start(const char *options)
{
    Background b = { g_dir_make_tmp("confine-XXXXXX", NULL), NULL, 0 };
    g_autofree char *args = NULL, *text = NULL, *err = NULL;

    g_assert_nonnull(b.folder);
    b.pidfile = g_build_filename(b.folder, "pid", NULL);
    args = g_strdup_printf("-M virt -bios default -daemonize -pidfile %s -display none "
                           "-serial null -monitor null %s",
                           b.pidfile, options);
    g_assert_cmpint(qtest_run(args, NULL, &err), ==, 0);
    g_assert_cmpstr(err, ==, "");
    g_assert_true(g_file_get_contents(b.pidfile, &text, NULL, NULL));
    b.pid = (pid_t)g_ascii_strtoll(text, NULL, 10);
    g_assert_cmpint(b.pid, >, 1);
    return b;
}

/* A daemon that has ended is a zombie until init collects it, which may last seconds in some
 * containers. */
static bool has_ended(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;

    return !g_file_get_contents(path, &text, NULL, NULL) || strstr(text, ") Z ");
}

static void end(Background *b)
{
    g_assert_cmpint(kill(b->pid, SIGTERM), ==, 0);
    WAIT_UNTIL (has_ended(b->pid), 20) {
    }
    unlink(b->pidfile);
    g_assert_cmpint(rmdir(b->folder), ==, 0);
    g_free(b->folder);
    g_free(b->pidfile);
}

/* Return the rest of the line "NAME:\t..." of a status file, "" if the line does not exist;
 * g_free. */
static char *status_line(const char *path, const char *name)
{
    g_autofree char *text = NULL, *wanted = g_strdup_printf("\n%s:\t", name);
    const char *at;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, wanted);
    return at ? g_strndup(at + strlen(wanted), strcspn(at + strlen(wanted), "\n")) : g_strdup("");
}

static char *process_line(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);

    return status_line(path, name);
}

static bool line_is(pid_t pid, const char *name, const char *value)
{
    g_autofree char *line = process_line(pid, name);

    return strcmp(line, value) == 0;
}

/* Return the number of filters of the thread with that name, -1 if there is no such thread. */
static int thread_filters(pid_t pid, const char *thread)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/task", (int)pid);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *task;
    int filters = -1;

    g_assert_nonnull(dir);
    while ((task = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, task, "status", NULL);
        g_autofree char *text = NULL, *name = NULL, *count = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL)) {
            continue; /* the thread has ended */
        }
        name = g_strndup(text + strlen("Name:\t"), strcspn(text + strlen("Name:\t"), "\n"));
        if (strcmp(name, thread) == 0) {
            count = status_line(path, "Seccomp_filters");
            filters = (int)g_ascii_strtoll(count, NULL, 10);
        }
    }
    return filters;
}

static void check_filters(const char *options, const char *mode, int cpu_filters)
{
    Background b = start(options);

    g_assert_true(line_is(b.pid, "Seccomp", mode));
    /* the thread installs its filter when it first runs, which is after the parent has returned */
    WAIT_UNTIL (thread_filters(b.pid, "CPU 0") == cpu_filters, 20) {
    }
    end(&b);
}

static void test_filters(void)
{
#ifdef CONFIG_SECCOMP
    check_filters("", "2", 2);
    check_filters(
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "2", 2);
    check_filters("-sandbox off", "0", 0);
#else
    g_test_skip("built without libseccomp");
#endif
}

static void test_user(void)
{
    Background b;

    if (geteuid() != 0) {
        g_test_skip("only root can become another user");
        return;
    }
    b = start("-run-with user=" NOBODY ":" NOBODY);
    g_assert_true(line_is(b.pid, "Uid", NOBODY "\t" NOBODY "\t" NOBODY "\t" NOBODY));
    g_assert_true(line_is(b.pid, "Gid", NOBODY "\t" NOBODY "\t" NOBODY "\t" NOBODY));
    g_assert_true(line_is(b.pid, "Groups", NOBODY " "));
    end(&b);
    b = start("-runas root -sandbox on,elevateprivileges=deny");
    g_assert_true(line_is(b.pid, "Uid", "0\t0\t0\t0"));
    g_assert_true(line_is(b.pid, "NoNewPrivs", "1"));
    end(&b);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void check_root(const char *option)
{
    g_autofree char *folder = g_dir_make_tmp("confine-root-XXXXXX", NULL), *link = NULL,
                    *options = g_strdup_printf(option, folder), *root = NULL;
    Background b = start(options);

    link = g_strdup_printf("/proc/%d/root", (int)b.pid);
    root = g_file_read_link(link, NULL);
    g_assert_cmpstr(root, ==, folder);
    end(&b);
    /* a coverage build has written its counters below the new root */
    g_assert_cmpint(nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), ==, 0);
}

static void test_chroot(void)
{
    if (geteuid() != 0) {
        g_test_skip("only root can change the root folder");
        return;
    }
    check_root("-run-with chroot=%s");
    check_root("-chroot %s");
}

/* spawn=deny rejects exec: with a message that names the option, on the command line and in QMP. */
static void test_spawn(void)
{
#ifdef CONFIG_SECCOMP
    g_autofree char *err = NULL, *class = NULL;
    QTest *q;

    g_assert_cmpint(
        qtest_run("-M virt -display none -sandbox on,spawn=deny -incoming exec:true", NULL, &err),
        ==, 1);
    g_assert_nonnull(strstr(err, "spawn=deny"));
    q = qtest_start("-M virt -sandbox on,spawn=deny");
    class = qmp_error_class(q, "{'execute': 'migrate', 'arguments': {'uri': 'exec:true'}}");
    g_assert_cmpstr(class, ==, "GenericError");
    qtest_end(q);
#else
    g_test_skip("built without libseccomp");
#endif
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/confine/filters", test_filters);
    g_test_add_func("/confine/user", test_user);
    g_test_add_func("/confine/chroot", test_chroot);
    g_test_add_func("/confine/spawn", test_spawn);
    return g_test_run();
}

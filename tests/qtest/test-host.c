/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: signals end it in every wait, outputs do not replace protected files, endless
 * inputs are rejected, and a lack of host resources results in an error message.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libqtest.h"
#include "tests/lib/wait.h"

static char *folder;

/* Start the emulator with @args (shell words; %s is the directory of the test). Its output is
 * written to DIRECTORY/out. */
static pid_t start(const char *args)
{
    g_autoptr(GString) command = g_string_new(args);
    pid_t pid = fork();

    if (pid == 0) {
        g_string_replace(command, "%s", folder, 0);
        g_string_prepend(command, " ");
        g_string_prepend(command, g_getenv("BACKPLANE_BINARY"));
        g_string_prepend(command, "exec ");
        g_string_append_printf(command, " >%s/out 2>&1", folder);
        execl("/bin/sh", "sh", "-c", command->str, NULL);
        _exit(127);
    }
    return pid;
}

static char *output(void)
{
    g_autofree char *path = g_strdup_printf("%s/out", folder);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text ? text : g_strdup("");
}

/* Wait for the process to end and return its wait status. */
static int wait_end(pid_t pid)
{
    int status;

    WAIT_UNTIL (waitpid(pid, &status, WNOHANG) == pid, 10) {
    }
    return status;
}

static unsigned threads_of(pid_t pid)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    unsigned n = 0;

    while (dir && g_dir_read_name(dir)) {
        n++;
    }
    g_clear_pointer(&dir, g_dir_close);
    return n;
}

/* Return true if the process has the thread that handles signals, and its first thread sleeps. */
static bool settled(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid), *text = NULL;

    return threads_of(pid) >= 2 && g_file_get_contents(path, &text, NULL, NULL) &&
           strstr(text, "State:\tS");
}

static void test_term_at_start(void)
{
    static const char *const lines[] = {
        "-M none -display none -readconfig %s/fifo -S",
        "-M none -display none -serial unix:%s/wait,server=on",
        "-M none -display none -object secret,id=s,file=%s/fifo",
        "-M none -display none -chardev socket,id=c,path=%s/full",
        "-M none -display none -netdev stream,id=n,addr.type=unix,addr.path=%s/full",
    };
    g_autofree char *fifo = g_strdup_printf("%s/fifo", folder);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), more[8];

    g_snprintf(un.sun_path, sizeof(un.sun_path), "%s/full", folder);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(more); i++) {
        more[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(more[i], (struct sockaddr *)&un, sizeof(un)); /* the last ones are pending */
    }
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        pid_t pid = start(lines[i]);
        int status;

        WAIT_UNTIL (i == 0 || settled(pid), 10) {
        }
        wait_elapse(50000, "it ends by itself, or has reached the wait under test");
        g_assert_cmpint(waitpid(pid, &status, WNOHANG), ==, 0); /* the emulator still waits */
        kill(pid, SIGTERM);
        status = wait_end(pid);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(more); i++) {
        close(more[i]);
    }
    close(listener);
}

/* A symbolic link is followed and its target keeps its mode. A device is written to, not
 * replaced. */
static void test_outputs(void)
{
    g_autofree char *svg = g_strdup_printf("%s/svg", folder);
    g_autofree char *link = g_strdup_printf("%s/link", folder);
    g_autofree char *line = g_strdup_printf("topology %s", link), *answer = NULL, *text = NULL;
    g_autofree char *dump = g_strdup_printf("-M virt,dumpdtb=%s -display none", link);
    g_autofree char *show = g_strdup_printf("-M virt -show topology=%s", link);
    QTest *q = qtest_start("-M virt");
    struct stat st;

    g_assert_true(g_file_set_contents(svg, "old", -1, NULL));
    g_assert_cmpint(chmod(svg, 0640), ==, 0);
    g_assert_cmpint(symlink(svg, link), ==, 0);
    answer = hmp(q, line);
    g_assert_cmpstr(answer, ==, "");
    g_free(answer);
    answer = hmp(q, "topology /dev/null");
    g_assert_cmpstr(answer, ==, "");
    qtest_end(q);
    g_assert_cmpint(lstat("/dev/null", &st), ==, 0);
    g_assert_true(S_ISCHR(st.st_mode));
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_true(g_file_get_contents(svg, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "<svg"));
    g_assert_cmpint(qtest_run(show, NULL, NULL), ==, 0);
    g_assert_cmpint(qtest_run(dump, NULL, NULL), ==, 0);
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_cmpint(stat(svg, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0640);
}

/* At exit, the pid file is removed only if it is a regular file. */
static void test_pidfile(void)
{
    g_autofree char *pid = g_strdup_printf("%s/pid", folder);
    g_autofree char *link = g_strdup_printf("%s/pid-link", folder);
    const char *const names[] = { pid, link, "/dev/null" };
    struct stat st;

    g_assert_cmpint(symlink(pid, link), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *args = g_strdup_printf("-M none -pidfile %s", names[i]);
        QTest *q = qtest_start(args);

        qtest_end(q);
    }
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    g_assert_cmpint(lstat("/dev/null", &st), ==, 0);
    g_assert_true(S_ISCHR(st.st_mode));
    g_unlink(pid);
}

/* A pid file that is locked as QEMU locks it is not replaced. */
static void test_pidfile_lock(void)
{
    g_autofree char *pid = g_strdup_printf("%s/locked", folder), *err = NULL, *text = NULL;
    g_autofree char *args = g_strdup_printf("-M none -pidfile %s", pid);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(pid, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    g_assert_cmpint(write(fd, "1\n", 2), ==, 2);
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
    g_assert_cmpint(qtest_run(args, NULL, &err), ==, 1);
    g_assert_nonnull(strstr(err, "cannot be locked"));
    g_assert_true(g_file_get_contents(pid, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "1\n");
    close(fd);
    g_unlink(pid);
}

/* Signals that arrive while the process ends do not report a blocked main loop. */
static void test_repeated_signals(void)
{
    for (int i = 0; i < 10; i++) {
        g_autofree char *text = NULL;
        pid_t pid = start("-M virt -display none -serial none -bios none -S");

        WAIT_UNTIL (settled(pid), 10) {
        }
        for (int k = 0; k < 20; k++) {
            kill(pid, SIGTERM);
            wait_elapse(200, "the signals arrive in different phases of the end");
        }
        wait_end(pid);
        text = output();
        g_assert_null(strstr(text, "blocked"));
    }
}

static void test_inputs(void)
{
    static const char *const bad[] = {
        "-M none -object secret,id=s,file=/dev/zero",
        "-M none -readconfig /dev/zero",
        "-machine-config /dev/zero",
        "-M virt -device edu,romfile=/dev/zero",
        "-M virt -device '{\"driver\":\"edu\",\"id\":\"a\",\"id\":\"b\"}'",
        "-M virt -bios none -kernel /dev/zero",
        "-M virt -dtb /dev/zero",
    };
    QTest *q = qtest_start("-M virt");

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *err = NULL;

        g_assert_cmpint(qtest_run(bad[i], NULL, &err), ==, 1);
        g_assert_cmpuint(strlen(err), <, 400);
    }
    g_autofree char *cls = qmp_error_class(q, "{'execute':'object-add','arguments':{'qom-type':"
                                              "'secret','id':'s','file':'/dev/zero'}}");

    g_assert_cmpstr(cls, ==, "GenericError");
    qtest_end(q);
}

static pid_t start_with(unsigned descriptors)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit few = { descriptors, descriptors };
        g_autofree char *path = g_strdup_printf("%s/out", folder);
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        for (int fd = 3; fd < 64; fd++) {
            close(fd);
        }
        setrlimit(RLIMIT_NOFILE, &few);
        execl(g_getenv("BACKPLANE_BINARY"), "backplane", "-M", "virt", "-display", "none", "-S",
              "-bios", "none", "-m", "64", "-serial", "null", "-blockdev", "null-co,node-name=d0",
              "-device", "virtio-blk-pci,drive=d0", "-object", "iothread,id=t0", NULL);
        _exit(127);
    }
    return pid;
}

/* Return true once all threads run: the main loop, signals, the CPU, an I/O thread. Otherwise the
 * process has ended with one message. */
static bool starts_with(unsigned descriptors)
{
    pid_t pid = start_with(descriptors), ended = 0;
    g_autofree char *text = NULL;
    int status;

    WAIT_UNTIL ((ended = waitpid(pid, &status, WNOHANG)) == pid || threads_of(pid) >= 4, 20) {
    }
    if (ended != pid) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return true;
    }
    text = output();
    /* with three, the dynamic loader itself fails */
    if (descriptors > 3 && (!WIFEXITED(status) || WEXITSTATUS(status) == 0 || !strchr(text, '\n') ||
                            strstr(text, "ERROR"))) {
        g_error("%u descriptors: status %x: %s", descriptors, status, text);
    }
    return false;
}

static void test_few_descriptors(void)
{
    unsigned n = 3;

    while (!starts_with(n)) {
        g_assert_cmpuint(++n, <, 64);
    }
    g_assert_cmpuint(n, >, 4);
    g_test_message("%u descriptors are enough", n);
}

/* Guest output while no client is connected is written to the log. */
static void test_log(void)
{
    g_autofree char *log = g_strdup_printf("%s/uart-log", folder), *text = NULL;
    g_autofree char *args = g_strdup_printf(
        "-M virt -serial unix:%s/uart,server=on,wait=off,logfile=%s,logappend=on", folder, log);
    QTest *q;

    g_assert_true(g_file_set_contents(log, "before ", -1, NULL));
    q = qtest_start(args);
    for (const char *c = "no client reads this\n"; *c; c++) {
        qtest_write(q, 0x10000000, 1, (uint8_t)*c);
        qtest_clock_step(q, 1000000);
    }
    qtest_clock_step(q, 1000000000);
    qtest_end(q);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "before no client reads this\n");
}

/* A command whose response is pending for seconds does not block the main loop: SIGTERM ends the
 * process normally. */
static void test_pending_command(void)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int silent = socket(AF_UNIX, SOCK_STREAM, 0), qmp = -1, peer, status;
    g_autofree char *check = NULL;
    char greeting[512];
    gint64 begin;
    pid_t pid;

    g_snprintf(un.sun_path, sizeof(un.sun_path), "%s/silent", folder);
    g_assert_cmpint(bind(silent, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    g_assert_cmpint(listen(silent, 8), ==, 0);
    pid = start("-M virt -display none -accel qtest -S -qmp unix:%s/qmp,server=on,wait=off");
    check = g_strdup_printf("{'execute':'qmp_capabilities'}{'execute':'migrate-check',"
                            "'arguments':{'uri':'unix:%s'}}\n",
                            un.sun_path);
    g_snprintf(un.sun_path, sizeof(un.sun_path), "%s/qmp", folder);
    qmp = socket(AF_UNIX, SOCK_STREAM, 0);
    WAIT_UNTIL (connect(qmp, (struct sockaddr *)&un, sizeof(un)) == 0, 10) {
    }
    g_assert_cmpint(recv(qmp, greeting, sizeof(greeting), 0), >, 0);
    g_assert_cmpint(send(qmp, check, strlen(check), 0), ==, (ssize_t)strlen(check));
    begin = g_get_monotonic_time();
    peer = accept(silent, NULL, NULL); /* the response is pending now */
    kill(pid, SIGTERM);
    status = wait_end(pid);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    g_test_message("%d ms", (int)((g_get_monotonic_time() - begin) / 1000));
    close(peer);
    close(qmp);
    close(silent);
}

int main(int argc, char **argv)
{
    g_autofree char *remove = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("bp-host-XXXXXX", NULL);
    g_test_add_func("/host/term-at-start", test_term_at_start);
    g_test_add_func("/host/outputs", test_outputs);
    g_test_add_func("/host/pidfile", test_pidfile);
    g_test_add_func("/host/pidfile-lock", test_pidfile_lock);
    g_test_add_func("/host/repeated-signals", test_repeated_signals);
    g_test_add_func("/host/log", test_log);
    g_test_add_func("/host/pending-command", test_pending_command);
    g_test_add_func("/host/inputs", test_inputs);
    g_test_add_func("/host/few-descriptors", test_few_descriptors);
    status = g_test_run();
    remove = g_strdup_printf("rm -rf '%s'", folder);
    g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL);
    g_free(folder);
    return status;
}

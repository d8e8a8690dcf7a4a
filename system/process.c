/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: into the background, its pid file, and dying with its parent.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool process_error(const char *what, GError **err)
{
    g_set_error(err, SYSTEM_ERROR, "%s: %s", what, g_strerror(errno));
    return false;
}

/* The parent stays until the child is ready (one byte) or has failed (end of file). */
static G_GNUC_NORETURN void wait_for_child(int fd)
{
    char byte;
    ssize_t n;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? 0 : 1);
}

bool process_daemonize(Session *s, GError **err)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        return process_error("cannot go into the background", err);
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(fds[0]);
    }
    close(fds[0]);
    s->ready_fd = fds[1];
    setsid();
    pid = fork();
    if (pid < 0) {
        return process_error("cannot go into the background", err);
    }
    if (pid > 0) {
        _exit(0);
    }
    umask(027);
    return true;
}

void process_ready(Session *s)
{
    int null;

    if (s->ready_fd < 0) {
        return;
    }
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    if (chdir("/") < 0 || write(s->ready_fd, "", 1) < 1) {
        s->exit_status = 1; /* the parent reports failure, too */
    }
    close(s->ready_fd);
    s->ready_fd = -1;
}

bool process_write_pidfile(Session *s, GError **err)
{
    g_autofree char *text = g_strdup_printf("%d\n", getpid());
    int fd = open(s->pidfile, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        g_set_error(err, SYSTEM_ERROR, "pid file '%s' cannot be taken: %s", s->pidfile,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        g_set_error(err, SYSTEM_ERROR, "pid file '%s' cannot be written: %s", s->pidfile,
                    g_strerror(errno));
        close(fd);
        return false;
    }
    return true; /* stays open: the lock says that this process lives */
}

bool process_follow_parent(GError **err)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        return process_error("exit-with-parent=on is not possible", err);
    }
    if (getppid() != parent) {
        g_set_error(err, SYSTEM_ERROR, "exit-with-parent=on: the parent has ended already");
        return false;
    }
    return true;
}

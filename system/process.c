/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process: running in the background, the pid file, ending with the parent process, and
 * giving up privileges.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct ProcessUser {
    const char *name; /* NULL: only the numbers were given */
    uid_t uid;
    gid_t gid;
} ProcessUser;

/* End the parent process when the child is ready (one byte in the pipe) or has failed (end of
 * file). */
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
        return error_set_errno(err, errno, "the process cannot continue in the background");
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
        return error_set_errno(err, errno, "the process cannot continue in the background");
    }
    if (pid > 0) {
        _exit(0);
    }
    umask(027);
    s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* not accessible after -chroot */
    return true;
}

void process_ready(Session *s)
{
    if (s->ready_fd < 0) {
        return;
    }
    if (s->null_fd >= 0) {
        dup2(s->null_fd, STDIN_FILENO);
        dup2(s->null_fd, STDOUT_FILENO);
        dup2(s->null_fd, STDERR_FILENO);
        close(s->null_fd);
        s->null_fd = -1;
    }
    if (chdir("/") < 0 || write(s->ready_fd, "", 1) < 1) {
        s->exit_status = 1; /* the parent reports failure, too */
    }
    close(s->ready_fd);
    s->ready_fd = -1;
}

void process_remove_pidfile(const Session *s)
{
    struct stat st;

    /* do not remove a device, a FIFO or a link in the place of the file */
    if (__atomic_load_n(&s->pidfile_written, __ATOMIC_ACQUIRE) && lstat(s->pidfile, &st) == 0 &&
        S_ISREG(st.st_mode)) {
        unlink(s->pidfile);
    }
}

bool process_write_pidfile(Session *s, GError **err)
{
    g_autofree char *text = g_strdup_printf("%d\n", getpid()), *given = s->pidfile;

    s->pidfile = g_canonicalize_filename(given, NULL); /* -daemonize changes the folder */
    int fd = open(s->pidfile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET }; /* all of it, as QEMU does */
    struct stat st;

    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        error_set_errno(err, errno, "pid file '%s' cannot be locked", s->pidfile);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if ((fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, 0) < 0) ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        error_set_errno(err, errno, "pid file '%s' cannot be written", s->pidfile);
        close(fd);
        return false;
    }
    __atomic_store_n(&s->pidfile_written, true, __ATOMIC_RELEASE);
    return true; /* remains open: the lock shows that this process runs */
}

bool process_follow_parent(GError **err)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
        return error_set_errno(err, errno, "exit-with-parent=on is not possible");
    }
    if (getppid() != parent) {
        return error_set(err, ERROR_USER, "exit-with-parent=on: the parent has ended already");
    }
    return true;
}

/* --- giving up privileges --- */

static bool parse_ids(const char *text, uid_t *uid, gid_t *gid)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 0);
    guint64 u, g;

    if (g_strv_length(parts) != 2 ||
        !g_ascii_string_to_unsigned(parts[0], 10, 0, UINT32_MAX - 1, &u, NULL) ||
        !g_ascii_string_to_unsigned(parts[1], 10, 0, UINT32_MAX - 1, &g, NULL)) {
        return false;
    }
    *uid = (uid_t)u;
    *gid = (gid_t)g;
    return true;
}

/* Look up the user of -runas. Called before -chroot takes effect, because the user database is not
 * accessible after it. */
static bool process_find_user(const char *text, ProcessUser *user, GError **err)
{
    struct passwd entry, *pw = NULL;
    char buffer[4096]; /* the strings of the entry */

    user->name = NULL;
    if (parse_ids(text, &user->uid, &user->gid)) {
        return true;
    }
    if (getpwnam_r(text, &entry, buffer, sizeof(buffer), &pw) != 0 || !pw) {
        return error_set(err, ERROR_USER,
                         "user '%s' does not exist: use the name of a user, or UID:GID in decimal",
                         text);
    }
    *user = (ProcessUser){ .name = text, .uid = pw->pw_uid, .gid = pw->pw_gid };
    return true;
}

static bool process_change_root(const char *folder, GError **err)
{
    if (chroot(folder) < 0 || chdir("/") < 0) {
        return error_set_errno(err, errno, "-run-with chroot=%s is not possible", folder);
    }
    return true;
}

/* Change the groups and then the user, because setuid() drops the privileges that changing groups
 * requires. */
static bool process_become(const ProcessUser *user, const char *text, GError **err)
{
    int groups = user->name ? initgroups(user->name, user->gid) : setgroups(1, &user->gid);

    if (groups < 0 || setgid(user->gid) < 0 || setuid(user->uid) < 0) {
        return error_set_errno(err, errno, "-run-with user=%s is not possible", text);
    }
    if (user->uid != 0 && setuid(0) == 0) {
        return error_set(err, ERROR_USER, "-run-with user=%s: the process can become root again",
                         text);
    }
    return true;
}

bool process_check_confine(const Session *s, GError **err)
{
    ProcessUser user;

    return !s->run_as || process_find_user(s->run_as, &user, err);
}

bool process_confine(Session *s, GError **err)
{
    ProcessUser user;

    if ((s->run_as && !process_find_user(s->run_as, &user, err)) ||
        (s->chroot_dir && !process_change_root(s->chroot_dir, err)) ||
        (s->run_as && !process_become(&user, s->run_as, err)) ||
        !sandbox_confine_process(&s->sandbox, err)) {
        return false;
    }
    s->m->sandbox = &s->sandbox;
    return true;
}

bool process_set_name(const char *name, GError **err)
{
    return prctl(PR_SET_NAME, name) == 0 || error_set_errno(err, errno, "-name process=");
}

bool process_lock_memory(GError **err)
{
    return mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ||
           error_set_errno(err, errno,
                           "-overcommit mem-lock=on: memory cannot be locked (see ulimit -l)");
}

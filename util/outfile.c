/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output files (contract in util/outfile.h).
 */
#include "util/outfile.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READER_MS = 200 };

struct OutFile {
    char *path; /* as given */
    char *target,
        *part; /* `part` is renamed to `target` by the commit; NULL: the file is overwritten */
    int fd;
    bool regular;
};

static bool outfile_fail(const char *path, int e, GError **err)
{
    if (e == ENXIO) {
        return error_set(err, ERROR_USER, "file '%s' cannot be written: no process reads from it",
                         path);
    }
    return error_set_errno(err, e, "file '%s' cannot be written", path);
}

/* The name of the regular file that may be replaced: the target of `path`, or a file that does not
 * exist yet. NULL: the existing file must be overwritten instead. g_free. */
static char *outfile_replaceable(const char *path, struct stat *old)
{
    struct stat named;
    g_autofree char *real = NULL;

    memset(old, 0, sizeof(*old));
    if (lstat(path, &named) < 0) {
        return errno == ENOENT ? g_strdup(path) : NULL;
    }
    if (stat(path, old) < 0 || !S_ISREG(old->st_mode) || old->st_nlink != 1) {
        return NULL;
    }
    if (!S_ISLNK(named.st_mode)) {
        return g_strdup(path);
    }
    real = realpath(path, NULL);
    /* a link in /proc may contain a name that is not that of the file */
    return real && stat(real, &named) == 0 && named.st_dev == old->st_dev &&
                   named.st_ino == old->st_ino
               ? g_strdup(real)
               : NULL;
}

/* Create a file that no other process writes. A file that a killed process left is removed. */
static int outfile_create_part(const char *part)
{
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW };
    int fd = open(part, FLAGS, 0600);

    if (fd < 0 && errno == EEXIST) {
        int old = open(part, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        bool stale = old >= 0 && flock(old, LOCK_EX | LOCK_NB) == 0;

        if (stale) {
            unlink(part);
        }
        if (old >= 0) {
            close(old);
        }
        if (!stale) {
            errno = EBUSY;
            return -1;
        }
        fd = open(part, FLAGS, 0600);
    }
    if (fd >= 0) {
        flock(fd, LOCK_EX | LOCK_NB);
    }
    return fd;
}

/* Copy owner, group and mode of the old file. False: the old file must be overwritten instead. */
static bool outfile_copy_owner(int fd, const struct stat *old, mode_t mode)
{
    struct stat now;

    if (old->st_nlink == 0) {
        mode_t mask = umask(0);

        umask(mask);
        return fchmod(fd, mode & ~mask) == 0;
    }
    return fstat(fd, &now) == 0 &&
           ((now.st_uid == old->st_uid && now.st_gid == old->st_gid) ||
            fchown(fd, old->st_uid, old->st_gid) == 0) &&
           fchmod(fd, old->st_mode & 07777) == 0;
}

/* Begin a new file. False with errno 0: the old file must be overwritten instead. */
static bool outfile_begin_part(OutFile *f, mode_t mode)
{
    struct stat old;
    g_autofree char *target = outfile_replaceable(f->path, &old), *part = NULL;

    errno = 0;
    if (!target) {
        return false;
    }
    if (old.st_nlink && access(target, W_OK) < 0) {
        return false; /* do not replace a write-protected file */
    }
    part = g_strconcat(target, ".part", NULL);
    f->fd = outfile_create_part(part);
    if (f->fd < 0) {
        bool folder = errno == EACCES || errno == EPERM || errno == EROFS || errno == ENAMETOOLONG;

        errno = folder ? 0 : errno;
        return false;
    }
    if (!outfile_copy_owner(f->fd, &old, mode)) {
        unlink(part);
        close(f->fd);
        f->fd = -1;
        errno = 0;
        return false;
    }
    f->regular = true;
    f->target = g_steal_pointer(&target);
    f->part = g_steal_pointer(&part);
    return true;
}

static bool outfile_begin_into(OutFile *f, mode_t mode)
{
    struct stat st;

    f->fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
    if (f->fd < 0 || fstat(f->fd, &st) < 0) {
        return false;
    }
    f->regular = S_ISREG(st.st_mode);
    return !f->regular || ftruncate(f->fd, 0) == 0;
}

OutFile *out_file_begin(const char *path, mode_t mode, GError **err)
{
    OutFile *f = g_new0(OutFile, 1);

    f->path = g_strdup(path);
    f->fd = -1;
    if (!outfile_begin_part(f, mode) && (errno || !outfile_begin_into(f, mode))) {
        outfile_fail(path, errno, err);
        out_file_abort(f);
        return NULL;
    }
    return f;
}

int out_file_fd(const OutFile *f)
{
    return f->fd;
}

void out_file_abort(OutFile *f)
{
    if (!f) {
        return;
    }
    if (f->part) {
        unlink(f->part);
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    g_free(f->part);
    g_free(f->target);
    g_free(f->path);
    g_free(f);
}

static bool outfile_sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool out_file_commit(OutFile *f, bool durable, GError **err)
{
    bool sync = durable && f->regular;
    int e = sync && fsync(f->fd) < 0 ? errno : 0;

    if (durable && !sync && fsync(f->fd) < 0 && errno == EIO) {
        e = errno; /* a block device; pipes and terminals cannot be synchronized */
    }
    if (!e && f->part) {
        e = rename(f->part, f->target) < 0 ? errno : 0;
        if (!e) {
            g_clear_pointer(&f->part, g_free);
        }
        if (!e && sync && !outfile_sync_folder(f->target)) {
            e = errno;
        }
    }
    if (close(f->fd) < 0 && !e) {
        e = errno;
    }
    f->fd = -1;
    if (e) {
        outfile_fail(f->path, e, err);
    }
    out_file_abort(f);
    return !e;
}

/* Returns 0 or an error number. */
static int outfile_write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        struct pollfd room = { .fd = fd, .events = POLLOUT };

        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            if (poll(&room, 1, READER_MS) == 0) {
                return ETIMEDOUT;
            }
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

bool out_file_write(const char *path, const void *data, size_t len, GError **err)
{
    OutFile *f = out_file_begin(path, 0666, err);
    int e;

    if (!f) {
        return false;
    }
    e = outfile_write_all(f->fd, data, len);
    if (e) {
        out_file_abort(f);
        return outfile_fail(path, e, err);
    }
    return out_file_commit(f, false, err);
}

int out_log_open(const char *path, bool append, mode_t mode)
{
    int flags = O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : 0), fd, e;
    struct stat st;
    /* opened for reading as well, so that a FIFO can be opened before its reader */
    bool fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);

    fd = open(path, (fifo ? O_RDWR : O_WRONLY) | flags, mode);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !append && ftruncate(fd, 0) < 0) {
        e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and consoles of semihosting (contract in semihost_internal.h).
 *
 * The kernel resolves each name below the folder of the configuration (openat2, RESOLVE_BENEATH):
 * no "..", absolute name or symbolic link leads out of it. Only regular files are opened.
 */
#include "semihost_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/error.h"

/* ":semihosting-features": SYS_EXIT_EXTENDED, and separate handles of standard output and error. */
static const uint8_t features[] = { 'S', 'H', 'F', 'B', 3 };

int64_t semihost_fail(SemihostFiles *f, int error)
{
    f->error = error;
    return -1;
}

static int64_t files_result(SemihostFiles *f, int64_t result)
{
    return result < 0 ? semihost_fail(f, errno) : result;
}

/* --- consoles --- */

static size_t files_can_read(void *opaque)
{
    const SemihostFiles *f = opaque;

    return SEMIHOST_PIECE - f->input->len;
}

static void files_on_input(void *opaque, const uint8_t *buf, size_t len)
{
    SemihostFiles *f = opaque;

    g_byte_array_append(f->input, buf, (guint)len);
}

static bool files_ready(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    return poll(&p, 1, 0) > 0;
}

static int64_t files_console_write(SemihostFiles *f, int fd, const void *buf, size_t len)
{
    size_t n;

    if (f->console) {
        n = chardev_write(f->console, buf, len);
        return n ? (int64_t)n : SEMIHOST_BUSY;
    }
    if (!files_ready(fd, POLLOUT)) {
        return SEMIHOST_BUSY;
    }
    return files_result(f, write(fd, buf, len));
}

int64_t semihost_console_write(SemihostFiles *f, const void *buf, size_t len)
{
    return files_console_write(f, STDERR_FILENO, buf, len);
}

int64_t semihost_console_read(SemihostFiles *f, void *buf, size_t len)
{
    size_t n;

    if (!f->console) {
        return files_ready(STDIN_FILENO, POLLIN) ? files_result(f, read(STDIN_FILENO, buf, len))
                                                 : SEMIHOST_BUSY;
    }
    n = MIN(len, f->input->len);
    if (!n) {
        return SEMIHOST_BUSY;
    }
    memcpy(buf, f->input->data, n);
    g_byte_array_remove_range(f->input, 0, (guint)n);
    chardev_accept_input(f->console);
    return (int64_t)n;
}

/* --- names --- */

static int files_openat(const SemihostFiles *f, const char *name, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? 0644 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };

    if (f->folder < 0) {
        errno = EACCES;
        return -1;
    }
    return (int)syscall(SYS_openat2, f->folder, name, &how, sizeof(how));
}

/* Open the folder that contains a name, and return the last part of the name in *last. */
static int files_parent(const SemihostFiles *f, const char *name, const char **last)
{
    const char *slash = strrchr(name, '/');
    g_autofree char *folder = slash ? g_strndup(name, (gsize)(slash - name)) : g_strdup(".");

    *last = slash ? slash + 1 : name;
    if (!**last || strcmp(*last, ".") == 0 || strcmp(*last, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    return files_openat(f, folder, O_PATH | O_DIRECTORY);
}

static void files_shut(int fd)
{
    int error = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = error;
}

int64_t semihost_remove(SemihostFiles *f, const char *name)
{
    const char *last;
    int folder = files_parent(f, name, &last);
    int64_t result = folder < 0 ? -1 : unlinkat(folder, last, 0);

    files_shut(folder);
    return files_result(f, result);
}

int64_t semihost_rename(SemihostFiles *f, const char *from, const char *to)
{
    const char *last_from, *last_to;
    int a = files_parent(f, from, &last_from);
    int b = a < 0 ? -1 : files_parent(f, to, &last_to);
    int64_t result = b < 0 ? -1 : renameat(a, last_from, b, last_to);

    files_shut(b);
    files_shut(a);
    return files_result(f, result);
}

static int files_open_regular(const SemihostFiles *f, const char *name, uint64_t mode)
{
    static const int flags[] = { O_RDONLY,
                                 O_RDWR,
                                 O_WRONLY | O_CREAT | O_TRUNC,
                                 O_RDWR | O_CREAT | O_TRUNC,
                                 O_WRONLY | O_CREAT | O_APPEND,
                                 O_RDWR | O_CREAT | O_APPEND };
    int fd = files_openat(f, name, flags[mode / 2] | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EACCES;
        return -1;
    }
    return fd;
}

/* --- handles --- */

SemihostFile *semihost_file(SemihostFiles *f, uint64_t handle)
{
    if (handle < 1 || handle > SEMIHOST_FILES || f->file[handle - 1].kind == SEMIHOST_CLOSED) {
        semihost_fail(f, EBADF);
        return NULL;
    }
    return &f->file[handle - 1];
}

int64_t semihost_open(SemihostFiles *f, const char *name, uint64_t mode)
{
    static const int console[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
    SemihostFile file = { .fd = -1 };
    unsigned i = 0;

    while (i < SEMIHOST_FILES && f->file[i].kind != SEMIHOST_CLOSED) {
        i++;
    }
    if (mode > 11 || i == SEMIHOST_FILES) {
        return semihost_fail(f, mode > 11 ? EINVAL : EMFILE);
    }
    if (strcmp(name, ":tt") == 0) {
        file = (SemihostFile){ .kind = SEMIHOST_CONSOLE, .fd = console[mode / 4] };
    } else if (strcmp(name, ":semihosting-features") == 0) {
        file.kind = SEMIHOST_FEATURES;
        if (mode > 1) {
            return semihost_fail(f, EACCES);
        }
    } else {
        file = (SemihostFile){ .kind = SEMIHOST_FILE, .fd = files_open_regular(f, name, mode) };
        if (file.fd < 0) {
            return semihost_fail(f, errno);
        }
    }
    f->file[i] = file;
    return i + 1;
}

int64_t semihost_close(SemihostFiles *f, SemihostFile *file)
{
    int64_t result = file->kind == SEMIHOST_FILE ? close(file->fd) : 0;

    file->kind = SEMIHOST_CLOSED;
    return files_result(f, result);
}

int64_t semihost_read(SemihostFiles *f, SemihostFile *file, void *buf, size_t len)
{
    size_t n;

    switch (file->kind) {
    case SEMIHOST_CONSOLE:
        return semihost_console_read(f, buf, len);
    case SEMIHOST_FEATURES:
        n = file->at < sizeof(features) ? MIN(len, sizeof(features) - file->at) : 0;
        memcpy(buf, features + MIN(file->at, sizeof(features)), n);
        file->at += n;
        return (int64_t)n;
    default:
        return files_result(f, read(file->fd, buf, len));
    }
}

int64_t semihost_write(SemihostFiles *f, const SemihostFile *file, const void *buf, size_t len)
{
    switch (file->kind) {
    case SEMIHOST_CONSOLE:
        return files_console_write(f, file->fd, buf, len);
    case SEMIHOST_FEATURES:
        return semihost_fail(f, EBADF);
    default:
        return files_result(f, write(file->fd, buf, len));
    }
}

int64_t semihost_seek(SemihostFiles *f, SemihostFile *file, uint64_t at)
{
    if (at > INT64_MAX || file->kind == SEMIHOST_CONSOLE) {
        return semihost_fail(f, at > INT64_MAX ? EINVAL : ESPIPE);
    }
    if (file->kind == SEMIHOST_FEATURES) {
        file->at = at;
        return 0;
    }
    return files_result(f, lseek(file->fd, (off_t)at, SEEK_SET) < 0 ? -1 : 0);
}

int64_t semihost_length(SemihostFiles *f, const SemihostFile *file)
{
    struct stat st;

    switch (file->kind) {
    case SEMIHOST_CONSOLE:
        return semihost_fail(f, ESPIPE);
    case SEMIHOST_FEATURES:
        return sizeof(features);
    default:
        return files_result(f, fstat(file->fd, &st) < 0 ? -1 : st.st_size);
    }
}

/* --- the set --- */

bool semihost_files_init(SemihostFiles *f, const SemihostConfig *config, GError **err)
{
    f->folder = -1;
    f->input = g_byte_array_new();
    if (config->folder) {
        f->folder = open(config->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (f->folder < 0) {
            return error_set_errno(err, errno,
                                   "-semihosting-config folder=%s: an existing folder is required",
                                   config->folder);
        }
    }
    f->front = (ChardevFront){ .can_read = files_can_read, .read = files_on_input, .opaque = f };
    if (config->console && !chardev_attach(config->console, &f->front, err)) {
        return false;
    }
    f->console = config->console;
    return true;
}

void semihost_files_close(SemihostFiles *f)
{
    for (unsigned i = 0; i < SEMIHOST_FILES; i++) {
        semihost_close(f, &f->file[i]);
    }
    f->error = 0;
}

void semihost_files_free(SemihostFiles *f)
{
    semihost_files_close(f);
    if (f->console) {
        chardev_detach(f->console, &f->front);
    }
    files_shut(f->folder);
    g_byte_array_free(f->input, TRUE);
}

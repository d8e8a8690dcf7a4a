/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded reading of files (contract in util/infile.h).
 */
#include "util/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/host.h"
#include "util/error.h"

enum { CHUNK = 64 << 10, WAIT_MS = 200 };

static bool infile_fail(const char *path, const char *why, GError **err)
{
    return error_set(err, ERROR_USER, "file '%s' cannot be read: %s", path, why);
}

/* Append bytes up to the end of the file, or until there are more than max. */
static bool infile_read_all(int fd, bool pipe, GByteArray *out, size_t max, const char **why)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    int wait = host_in_main_loop() ? WAIT_MS : -1;

    for (;;) {
        guint at = out->len;
        ssize_t n;

        if (pipe && poll(&ready, 1, wait) == 0) {
            *why = "the file has no data";
            return false;
        }
        g_byte_array_set_size(out, at + CHUNK);
        n = read(fd, out->data + at, CHUNK);
        g_byte_array_set_size(out, at + (guint)MAX(n, 0));
        if (n == 0 || out->len > max) {
            return true;
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            *why = g_strerror(errno);
            return false;
        }
    }
}

static bool infile_read_fd(int fd, const char *path, size_t max, GByteArray *out, GError **err)
{
    const char *why = NULL;
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return infile_fail(path, g_strerror(errno), err);
    }
    if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)) {
        return infile_fail(path, "the path is a directory or a block device", err);
    }
    if (!infile_read_all(fd, !S_ISREG(st.st_mode), out, max, &why)) {
        return infile_fail(path, why, err);
    }
    if (out->len > max) {
        g_autofree char *limit = g_strdup_printf("the file has more than %zu bytes", max);

        return infile_fail(path, limit, err);
    }
    return true;
}

bool in_file_read(const char *path, size_t max, char **text, gsize *len, GError **err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    GByteArray *out;
    bool ok;

    *text = NULL;
    if (fd < 0) {
        return infile_fail(path, g_strerror(errno), err);
    }
    out = g_byte_array_new();
    ok = infile_read_fd(fd, path, max, out, err);
    close(fd);
    *len = out->len;
    g_byte_array_append(out, (const guint8 *)"", 1);
    *text = (char *)g_byte_array_free(out, !ok);
    return ok;
}

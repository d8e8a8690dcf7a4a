/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over record (interface: handover_internal.h).
 */
#include "migration/handover_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "migration/stream.h"
#include "util/error.h"

static const char *const handover_steps[] = { "offered", "given", "source", "target" };

static char *handover_path(const char *folder, const char *token, const char *step)
{
    return g_strdup_printf("%s/%s.%s", folder, token, step);
}

static bool handover_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;
    bool ok = fd >= 0 && fsync(fd) == 0;

    e = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = e;
    return ok;
}

/* Rename a record and write the folder to the disk. Returns 0 or an errno. */
static int handover_move(const char *folder, const char *token, const char *from, const char *to)
{
    g_autofree char *a = handover_path(folder, token, from), *b = handover_path(folder, token, to);

    return g_rename(a, b) < 0 || !handover_sync(folder) ? errno : 0;
}

static bool handover_exists(const char *folder, const char *token, const char *step)
{
    g_autofree char *path = handover_path(folder, token, step);

    return access(path, F_OK) == 0;
}

bool handover_token_ok(const char *token)
{
    return strlen(token) == HANDOVER_TOKEN && strspn(token, "0123456789abcdef") == HANDOVER_TOKEN;
}

bool handover_offer(const char *folder, char token[HANDOVER_TOKEN + 1], GError **err)
{
    g_autofree char *uuid = g_uuid_string_random(), *path = NULL;
    int fd;

    for (char *p = uuid, *to = token; (*to = *p) != '\0'; p++) {
        to += *p != '-';
    }
    path = handover_path(folder, token, "offered");
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return error_set_errno(
            err, errno, "hand-over folder '%s': no record can be created in the folder", folder);
    }
    close(fd);
    return handover_sync(folder) ||
           error_set_errno(err, errno,
                           "hand-over folder '%s': the record cannot be written to the disk",
                           folder);
}

bool handover_is_offered(const char *folder, const char *token)
{
    return handover_exists(folder, token, "offered");
}

bool handover_give(const char *folder, const char *token, GError **err)
{
    errno = handover_move(folder, token, "offered", "given");
    if (errno) {
        error_set_errno(err, errno, "hand-over folder '%s': the record cannot be changed", folder);
        handover_move(folder, token, "given", "offered");
        return false;
    }
    return true;
}

HandoverClaim handover_claim(const char *folder, const char *token, bool target, GError **err)
{
    const char *own = target ? "target" : "source", *other = target ? "source" : "target";
    int e = handover_move(folder, token, "given", own);

    if (e == 0) {
        return HANDOVER_MINE;
    }
    /* the file system may have renamed the record and reported an error: check the result */
    if (handover_exists(folder, token, own) && handover_sync(folder)) {
        return HANDOVER_MINE;
    }
    if (e == ENOENT && handover_exists(folder, token, other)) {
        return HANDOVER_THEIRS;
    }
    error_set_errno(err, e, "hand-over folder '%s': the record cannot be changed", folder);
    handover_move(folder, token, own, "given"); /* undo a rename that could not be synchronized */
    return HANDOVER_UNKNOWN;
}

void handover_forget(const char *folder, const char *token)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(handover_steps); i++) {
        g_autofree char *path = handover_path(folder, token, handover_steps[i]);

        g_unlink(path);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over record (contract in handover.h).
 */
#include "migration/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "migration/stream.h"

static const char *const steps[] = { "offered", "given", "source", "target" };

static char *record(const char *folder, const char *token, const char *step)
{
    return g_strdup_printf("%s/%s.%s", folder, token, step);
}

static bool fail(GError **err, const char *folder, const char *what)
{
    int e = errno;

    g_set_error(err, MIGRATION_ERROR, 0, "hand-over folder '%s': %s: %s", folder, what,
                g_strerror(e));
    return false;
}

static bool sync_folder(const char *folder)
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

/* 0, or an errno. */
static int move(const char *folder, const char *token, const char *from, const char *to)
{
    g_autofree char *a = record(folder, token, from), *b = record(folder, token, to);

    return g_rename(a, b) < 0 || !sync_folder(folder) ? errno : 0;
}

static bool exists(const char *folder, const char *token, const char *step)
{
    g_autofree char *path = record(folder, token, step);

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
    path = record(folder, token, "offered");
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        return fail(err, folder, "no record can be made there");
    }
    close(fd);
    return sync_folder(folder) || fail(err, folder, "the record cannot be written to the disk");
}

bool handover_is_offered(const char *folder, const char *token)
{
    return exists(folder, token, "offered");
}

bool handover_give(const char *folder, const char *token, GError **err)
{
    errno = move(folder, token, "offered", "given");
    if (errno) {
        fail(err, folder, "the record cannot be changed");
        move(folder, token, "given", "offered");
        return false;
    }
    return true;
}

HandoverClaim handover_claim(const char *folder, const char *token, bool target, GError **err)
{
    const char *own = target ? "target" : "source", *other = target ? "source" : "target";
    int e = move(folder, token, "given", own);

    if (e == 0) {
        return HANDOVER_MINE;
    }
    /* a rename may have been done and not been said so: what is there decides */
    if (exists(folder, token, own) && sync_folder(folder)) {
        return HANDOVER_MINE;
    }
    if (e == ENOENT && exists(folder, token, other)) {
        return HANDOVER_THEIRS;
    }
    errno = e;
    fail(err, folder, "the record cannot be changed");
    move(folder, token, own, "given"); /* not claimed, if that is all that went wrong */
    return HANDOVER_UNKNOWN;
}

void handover_forget(const char *folder, const char *token)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *path = record(folder, token, steps[i]);

        g_unlink(path);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gdb server of -gdb, -s and the monitor command gdbserver.
 */
#include "debug/gdb.h"

#include <string.h>

#include "monitor/monitor.h"
#include "internal.h"

static bool gdb_host_cont(Machine *m, GError **err)
{
    return monitor_host(m)->cont(m, err);
}

static const GdbHost gdb_host = { .cont = gdb_host_cont, .command = hmp_run };

/* A TCP device always listens, and small packets are sent immediately. */
static char *gdb_device_text(const char *device)
{
    return g_str_has_prefix(device, "tcp:")
               ? g_strdup_printf("%s,server=on,wait=off,nodelay=on", device)
               : g_strdup(device);
}

static bool session_gdb_start(Session *s, const char *device, GError **err)
{
    g_autofree char *text = gdb_device_text(device);
    bool created;
    Chardev *c = session_chardev(s, "gdb", text, &created, err);

    if (!c) {
        g_prefix_error(err, "gdb server on '%s': ", device);
        return false;
    }
    if (!s->m->dry_run && !gdb_start(s->m, c, &gdb_host, err)) {
        if (created) {
            chardev_free(c);
        }
        return false;
    }
    s->gdb_chardev = created ? c : NULL;
    return true;
}

bool session_gdb_open(Session *s, GError **err)
{
    if (!s->gdb_device || strcmp(s->gdb_device, "none") == 0) {
        return true;
    }
    return session_gdb_start(s, s->gdb_device, err);
}

bool session_gdb_check(const Session *s, GError **err)
{
    bool wanted = s->gdb_device && strcmp(s->gdb_device, "none") != 0;

    if (wanted && !s->incoming && s->m->cpus->len == 0) {
        return error_set(err, ERROR_USER,
                         "-gdb %s: machine '%s' has no CPU; a machine with a CPU is required",
                         s->gdb_device, s->m->type_name ? s->m->type_name : "none");
    }
    return true;
}

void session_gdb_close(Session *s)
{
    gdb_stop(s->m, s->exit_status);
    if (s->gdb_chardev) {
        chardev_free(s->gdb_chardev);
        s->gdb_chardev = NULL;
    }
}

bool session_gdb_set(Session *s, const char *device, GError **err)
{
    if (gdb_is_busy(s->m)) {
        return error_set(err, ERROR_USER,
                         "gdbserver: a gdb client cannot replace the server that it uses; use "
                         "another monitor");
    }
    if (s->m->cpus->len == 0) {
        return error_set(err, ERROR_USER, "gdbserver: the machine has no CPU");
    }
    session_gdb_close(s);
    return strcmp(device, "none") == 0 || session_gdb_start(s, device, err);
}

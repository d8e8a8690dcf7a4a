/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that a client passes over a unix socket and names: getfd and closefd.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <unistd.h>

static void monitor_close_fd(gpointer p)
{
    close(GPOINTER_TO_INT(p) - 1);
}

bool qmp_getfd(Machine *m, const QmpGetfdArgs *args, GError **err)
{
    MonitorSet *set = m->monitors;
    const char *name = args->fdname;
    int fd = set && set->current ? chardev_take_passed_fd(set->current->chardev) : -1;

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "No file descriptor supplied via SCM_RIGHTS");
        return false;
    }
    if (!*name || g_ascii_isdigit(*name)) {
        close(fd);
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'fdname' expects a name not starting with a digit");
        return false;
    }
    if (!set->fds) {
        set->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, monitor_close_fd);
    }
    g_hash_table_replace(set->fds, g_strdup(name), GINT_TO_POINTER(fd + 1));
    return true;
}

bool qmp_closefd(Machine *m, const QmpClosefdArgs *args, GError **err)
{
    int fd = monitor_take_fd(m, args->fdname);

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "File descriptor named '%s' not found", args->fdname);
        return false;
    }
    close(fd);
    return true;
}

int monitor_take_fd(Machine *m, const char *name)
{
    MonitorSet *set = m->monitors;
    gpointer key, value;

    if (!set || !set->fds || !g_hash_table_steal_extended(set->fds, name, &key, &value)) {
        return -1;
    }
    g_free(key);
    return GPOINTER_TO_INT(value) - 1;
}

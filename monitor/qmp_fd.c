/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that clients pass over a unix socket and name: getfd, closefd.
 */
#include "internal.h"

#include <unistd.h>

static void close_fd(gpointer p)
{
    close(GPOINTER_TO_INT(p) - 1);
}

static const char *name_of(struct json_object *args)
{
    return json_object_get_string(json_object_object_get(args, "fdname"));
}

static struct json_object *run_getfd(Machine *m, struct json_object *args, GError **err)
{
    MonitorSet *set = m->monitors;
    const char *name = name_of(args);
    int fd = set && set->current ? chardev_take_passed_fd(set->current->chardev) : -1;

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (!*name || g_ascii_isdigit(*name)) {
        close(fd);
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'fdname' expects a name not starting with a digit");
        return NULL;
    }
    if (!set->fds) {
        set->fds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
    }
    g_hash_table_replace(set->fds, g_strdup(name), GINT_TO_POINTER(fd + 1));
    return NULL;
}

static struct json_object *run_closefd(Machine *m, struct json_object *args, GError **err)
{
    int fd = monitor_take_fd(m, name_of(args));

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "File descriptor named '%s' not found",
                      name_of(args));
        return NULL;
    }
    close(fd);
    return NULL;
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

static const QmpCommand commands[] = {
    { "getfd", run_getfd },
    { "closefd", run_closefd },
};

const CommandTable fd_table = { LIST(commands), NULL, 0 };

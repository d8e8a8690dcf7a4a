/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of descriptors that the command line or clients over a unix socket pass: -add-fd, add-fd,
 * remove-fd and query-fdsets. The descriptors of a set refer to the same file with different access
 * modes. The path "/dev/fdset/N" denotes the descriptor of set N with the required access mode.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FDSET_MEMBERS_MAX 1024 /* of all sets; close to the usual limit of open files */
#define FDSET_PREFIX      "/dev/fdset/"

typedef struct FdsetMember {
    int64_t set;
    int fd;
    char *opaque; /* the note given to add-fd; NULL: none */
} FdsetMember;

static void fdset_member_free(gpointer p)
{
    FdsetMember *x = p;

    close(x->fd);
    g_free(x->opaque);
    g_free(x);
}

static FdsetMember *fdset_member(const MonitorSet *set, unsigned i)
{
    return g_ptr_array_index(set->fdsets, i);
}

static bool fdset_exists(const MonitorSet *set, int64_t id)
{
    for (unsigned i = 0; set->fdsets && i < set->fdsets->len; i++) {
        if (fdset_member(set, i)->set == id) {
            return true;
        }
    }
    return false;
}

static bool fdset_may_add(const MonitorSet *set, int64_t id, GError **err)
{
    if (id < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'fdset-id' expects a non-negative value, not %" G_GINT64_FORMAT,
                      id);
        return false;
    }
    if (set->fdsets && set->fdsets->len >= FDSET_MEMBERS_MAX) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "the descriptor sets already contain %d descriptors, the maximum",
                      FDSET_MEMBERS_MAX);
        return false;
    }
    return true;
}

bool monitor_add_fdset(Machine *m, int64_t id, int fd, const char *opaque, GError **err)
{
    MonitorSet *set = monitor_set(m);
    FdsetMember *x;

    if (!fdset_may_add(set, id, err)) {
        return false;
    }
    if (!set->fdsets) {
        set->fdsets = g_ptr_array_new_with_free_func(fdset_member_free);
    }
    x = g_new0(FdsetMember, 1);
    *x = (FdsetMember){ id, fd, g_strdup(opaque) };
    g_ptr_array_add(set->fdsets, x);
    return true;
}

struct json_object *qmp_add_fd(Machine *m, const QmpAddFdArgs *args, GError **err)
{
    MonitorSet *set = m->monitors;
    int fd = set && set->current ? chardev_take_passed_fd(set->current->chardev) : -1;
    int64_t id = args->fdset_id;

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (!args->has_fdset_id) {
        while (fdset_exists(set, id)) {
            id++;
        }
    }
    if (!monitor_add_fdset(m, id, fd, args->opaque, err)) {
        close(fd);
        return NULL;
    }
    return qmp_make_addfd_info(&(QmpAddfdInfo){ .fdset_id = id, .fd = fd });
}

bool qmp_remove_fd(Machine *m, const QmpRemoveFdArgs *args, GError **err)
{
    MonitorSet *set = m->monitors;
    int64_t id = args->fdset_id, fd = args->fd;
    bool one = args->has_fd, any = false;

    for (unsigned i = set && set->fdsets ? set->fdsets->len : 0; i-- > 0;) {
        if (fdset_member(set, i)->set == id && (!one || fdset_member(set, i)->fd == fd)) {
            g_ptr_array_remove_index(set->fdsets, i);
            any = true;
        }
    }
    if (!any && one) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "File descriptor named 'fdset-id:%" G_GINT64_FORMAT ", fd:%" G_GINT64_FORMAT
                      "' not found",
                      id, fd);
    } else if (!any) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "File descriptor named 'fdset-id:%" G_GINT64_FORMAT "' not found", id);
    }
    return any;
}

static struct json_object *fdset_json(const MonitorSet *set, int64_t id)
{
    QmpFdsetInfo info = { .fdset_id = id, .fds = json_object_new_array() };

    for (unsigned i = 0; i < set->fdsets->len; i++) {
        const FdsetMember *x = fdset_member(set, i);
        QmpFdsetFdInfo fd = { .fd = x->fd, .opaque = x->opaque };

        if (x->set == id) {
            json_object_array_add(info.fds, qmp_make_fdset_fd_info(&fd));
        }
    }
    return qmp_make_fdset_info(&info);
}

struct json_object *qmp_query_fdsets(Machine *m, GError **err)
{
    MonitorSet *set = m->monitors;
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; set && set->fdsets && i < set->fdsets->len; i++) {
        int64_t id = fdset_member(set, i)->set;
        bool seen = false;

        for (unsigned j = 0; j < i; j++) {
            seen |= fdset_member(set, j)->set == id;
        }
        if (!seen) {
            json_object_array_add(list, fdset_json(set, id));
        }
    }
    return list;
}

static bool fdset_mode_matches(int fd, bool write)
{
    int mode = fcntl(fd, F_GETFL);

    return mode >= 0 &&
           ((mode & O_ACCMODE) == O_RDWR || (mode & O_ACCMODE) == (write ? O_WRONLY : O_RDONLY));
}

int monitor_dup_fdset(Machine *m, const char *path, bool write)
{
    const MonitorSet *set = m->monitors;
    int why = ENOENT;
    guint64 id;

    if (!g_str_has_prefix(path, FDSET_PREFIX) || !set || !set->fdsets ||
        !g_ascii_string_to_unsigned(path + strlen(FDSET_PREFIX), 10, 0, INT64_MAX, &id, NULL)) {
        errno = ENOENT;
        return -1;
    }
    for (unsigned i = 0; i < set->fdsets->len; i++) {
        const FdsetMember *x = fdset_member(set, i);

        if (x->set == (int64_t)id && fdset_mode_matches(x->fd, write)) {
            return fcntl(x->fd, F_DUPFD_CLOEXEC, 0);
        }
        why = x->set == (int64_t)id ? EACCES : why;
    }
    errno = why;
    return -1;
}

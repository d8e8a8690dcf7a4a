/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of descriptors that clients pass over a unix socket: add-fd, remove-fd, query-fdsets. A set
 * holds the same file opened in different ways; "/dev/fdset/N" as a path takes the one that fits.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_MEMBERS 1024 /* of all sets; hosts allow about so many open files */
#define PREFIX      "/dev/fdset/"

typedef struct Member {
    int64_t set;
    int fd;
    char *opaque; /* the client's note; NULL: none */
} Member;

static void member_free(gpointer p)
{
    Member *x = p;

    close(x->fd);
    g_free(x->opaque);
    g_free(x);
}

static Member *member(const MonitorSet *set, unsigned i)
{
    return g_ptr_array_index(set->fdsets, i);
}

static bool has_set(const MonitorSet *set, int64_t id)
{
    for (unsigned i = 0; set->fdsets && i < set->fdsets->len; i++) {
        if (member(set, i)->set == id) {
            return true;
        }
    }
    return false;
}

static bool int_arg(struct json_object *args, const char *key, int64_t *out)
{
    struct json_object *v;
    bool given = json_object_object_get_ex(args, key, &v);

    if (given) {
        *out = json_object_get_int64(v);
    }
    return given;
}

static struct json_object *two_numbers(int64_t set, int fd)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "fdset-id", json_object_new_int64(set));
    json_object_object_add(o, "fd", json_object_new_int(fd));
    return o;
}

static bool add_allowed(MonitorSet *set, int64_t id, GError **err)
{
    if (id < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Parameter 'fdset-id' expects a non-negative value, not %" G_GINT64_FORMAT,
                      id);
        return false;
    }
    if (set->fdsets && set->fdsets->len >= MAX_MEMBERS) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "the sets hold %d descriptors already", MAX_MEMBERS);
        return false;
    }
    return true;
}

static struct json_object *run_add(Machine *m, struct json_object *args, GError **err)
{
    MonitorSet *set = m->monitors;
    int fd = set && set->current ? chardev_take_passed_fd(set->current->chardev) : -1;
    Member *x;
    int64_t id = 0;

    if (fd < 0) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "No file descriptor supplied via SCM_RIGHTS");
        return NULL;
    }
    if (!int_arg(args, "fdset-id", &id)) {
        while (has_set(set, id)) {
            id++;
        }
    }
    if (!add_allowed(set, id, err)) {
        close(fd);
        return NULL;
    }
    if (!set->fdsets) {
        set->fdsets = g_ptr_array_new_with_free_func(member_free);
    }
    x = g_new0(Member, 1);
    *x = (Member){ id, fd,
                   g_strdup(json_object_get_string(json_object_object_get(args, "opaque"))) };
    g_ptr_array_add(set->fdsets, x);
    return two_numbers(id, fd);
}

static struct json_object *run_remove(Machine *m, struct json_object *args, GError **err)
{
    MonitorSet *set = m->monitors;
    int64_t id = -1, fd = -1;
    bool one = int_arg(args, "fd", &fd), any = false;

    int_arg(args, "fdset-id", &id);
    for (unsigned i = set && set->fdsets ? set->fdsets->len : 0; i-- > 0;) {
        if (member(set, i)->set == id && (!one || member(set, i)->fd == fd)) {
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
    return NULL;
}

static struct json_object *describe_set(const MonitorSet *set, int64_t id)
{
    struct json_object *o = json_object_new_object(), *fds = json_object_new_array();

    for (unsigned i = 0; i < set->fdsets->len; i++) {
        const Member *x = member(set, i);
        struct json_object *fd = json_object_new_object();

        if (x->set != id) {
            json_object_put(fd);
            continue;
        }
        json_object_object_add(fd, "fd", json_object_new_int(x->fd));
        if (x->opaque) {
            json_object_object_add(fd, "opaque", json_object_new_string(x->opaque));
        }
        json_object_array_add(fds, fd);
    }
    json_object_object_add(o, "fdset-id", json_object_new_int64(id));
    json_object_object_add(o, "fds", fds);
    return o;
}

static struct json_object *run_query(Machine *m, struct json_object *args, GError **err)
{
    MonitorSet *set = m->monitors;
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; set && set->fdsets && i < set->fdsets->len; i++) {
        int64_t id = member(set, i)->set;
        bool seen = false;

        for (unsigned j = 0; j < i; j++) {
            seen |= member(set, j)->set == id;
        }
        if (!seen) {
            json_object_array_add(list, describe_set(set, id));
        }
    }
    return list;
}

static bool fits(int fd, bool write)
{
    int mode = fcntl(fd, F_GETFL);

    return mode >= 0 &&
           ((mode & O_ACCMODE) == O_RDWR || (mode & O_ACCMODE) == (write ? O_WRONLY : O_RDONLY));
}

int monitor_dup_fdset(Machine *m, const char *path, bool write)
{
    const MonitorSet *set = m->monitors;
    guint64 id;

    if (!g_str_has_prefix(path, PREFIX) || !set || !set->fdsets ||
        !g_ascii_string_to_unsigned(path + strlen(PREFIX), 10, 0, INT64_MAX, &id, NULL)) {
        return -1;
    }
    for (unsigned i = 0; i < set->fdsets->len; i++) {
        const Member *x = member(set, i);

        if (x->set == (int64_t)id && fits(x->fd, write)) {
            return fcntl(x->fd, F_DUPFD_CLOEXEC, 0);
        }
    }
    return -1;
}

static const QmpCommand commands[] = {
    { "add-fd", run_add },
    { "remove-fd", run_remove },
    { "query-fdsets", run_query },
};

const CommandTable fdset_table = { LIST(commands), NULL, 0 };

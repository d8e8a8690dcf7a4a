/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets (contract in util/listener.h).
 */
#include "util/listener.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/log.h"

enum { PAUSE_MIN_MS = 100, PAUSE_MAX_MS = 2000 };

struct Listener {
    int fd;
    GMainContext *context;
    GSource *source; /* for connections or the end of a pause */
    unsigned pause_ms;
    ListenerFn *fn;
    void *opaque;
};

/* --- addresses --- */

static const char *listener_socket_file(const struct sockaddr *sa)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)sa;

    return sa->sa_family == AF_UNIX && un->sun_path[0] ? un->sun_path : NULL;
}

void socket_unlink(const struct sockaddr *sa)
{
    const char *path = listener_socket_file(sa);
    struct stat st;

    if (path && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
}

int socket_bind(int fd, const struct sockaddr *sa, socklen_t len, mode_t mode)
{
    const char *path = listener_socket_file(sa);

    if (!path) {
        return bind(fd, sa, len);
    }
    socket_unlink(sa);
    /* Linux creates the file with the mode of the socket minus the umask */
    if (fchmod(fd, mode) < 0 || bind(fd, sa, len) < 0) {
        return -1;
    }
    return chmod(path, mode);
}

int socket_listen(const struct sockaddr *sa, socklen_t len, mode_t mode, int backlog, bool v6_only)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, saved;

    if (fd < 0) {
        return -1;
    }
    if (sa->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (sa->sa_family == AF_INET6 && v6_only) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (socket_bind(fd, sa, len, mode) < 0 || listen(fd, backlog) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* --- connections --- */

static gboolean listener_on_connection(gint fd, GIOCondition condition, gpointer opaque);

static void listener_drop_source(Listener *l)
{
    if (l->source) {
        g_source_destroy(l->source);
        g_source_unref(l->source);
        l->source = NULL;
    }
}

static void listener_watch(Listener *l)
{
    listener_drop_source(l);
    l->source = g_unix_fd_source_new(l->fd, G_IO_IN);
    g_source_set_callback(l->source, G_SOURCE_FUNC(listener_on_connection), l, NULL);
    g_source_attach(l->source, l->context);
}

static gboolean listener_pause_ended(gpointer opaque)
{
    listener_watch(opaque);
    return G_SOURCE_REMOVE;
}

static void listener_pause(Listener *l, int e)
{
    if (!l->pause_ms) {
        log_line("connections cannot be accepted for now: %s", g_strerror(e));
    }
    l->pause_ms = l->pause_ms ? MIN(l->pause_ms * 2, PAUSE_MAX_MS) : PAUSE_MIN_MS;
    listener_drop_source(l);
    l->source = g_timeout_source_new(l->pause_ms);
    g_source_set_callback(l->source, listener_pause_ended, l, NULL);
    g_source_attach(l->source, l->context);
}

/* The host lacks a resource. Other errors concern one connection. */
static bool listener_is_exhausted(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

static gboolean listener_on_connection(gint fd, GIOCondition condition, gpointer opaque)
{
    Listener *l = opaque;
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    int peer = accept4(fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

    if (peer >= 0) {
        l->pause_ms = 0;
        l->fn(l->opaque, peer, &from, len);
    } else if (listener_is_exhausted(errno)) {
        listener_pause(l, errno);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

Listener *listener_new(int fd, GMainContext *context, ListenerFn *fn, void *opaque)
{
    Listener *l = g_new0(Listener, 1);

    *l = (Listener){ .fd = fd, .context = context, .fn = fn, .opaque = opaque };
    g_unix_set_fd_nonblocking(fd, TRUE, NULL); /* a connection may be closed before accept() */
    listener_watch(l);
    return l;
}

void listener_free(Listener *l)
{
    if (l) {
        listener_drop_source(l);
        g_free(l);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels (contract in channel.h).
 */
#include "migration/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migration/channel_address.h"
#include "migration/stream.h"

struct Channel {
    char *uri;
    int fd;
    bool socket, connecting;
    char *path, *part; /* file: for writing */
    GPid pid;          /* exec: */
    GSource *source;
    ChannelFn *fn;
    void *opaque;
};

struct ChannelServer {
    int fd;
    GSource *source;
    char *path; /* of a unix socket: removed at the end */
    char *address;
    ChannelAcceptFn *fn;
    void *opaque;
};

static bool fail(GError **err, const char *uri, const char *what, int e)
{
    g_set_error(err, MIGRATION_ERROR, 0, "migration channel %s: %s%s%s", uri, what, e ? ": " : "",
                e ? g_strerror(e) : "");
    return false;
}

/* Answers are small and waited for. A host that vanished is noticed within half a minute. What is
 * not tcp refuses these. */
static void tune_socket(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },   { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, 10 }, { IPPROTO_TCP, TCP_KEEPINTVL, 5 },
        { IPPROTO_TCP, TCP_KEEPCNT, 4 },   { IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
    };

    int domain = 0, room = 1 << 20;
    socklen_t len = sizeof(domain);

    for (unsigned i = 0; i < G_N_ELEMENTS(options); i++) {
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    }
    /* tcp finds its own size; the usual one of a unix socket is a fifth of what a turn makes */
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    }
}

static Channel *channel_new(const char *uri, int fd)
{
    Channel *c = g_new0(Channel, 1);
    struct stat st;

    c->uri = g_strdup(uri);
    c->fd = fd;
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    c->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    if (c->socket) {
        tune_socket(fd);
    }
    return c;
}

static void drop_source(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
    }
}

void channel_free(Channel *c)
{
    if (!c) {
        return;
    }
    drop_source(&c->source);
    if (c->fd >= 0) {
        close(c->fd);
    }
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    if (c->part) {
        g_unlink(c->part);
    }
    g_free(c->part);
    g_free(c->path);
    g_free(c->uri);
    g_free(c);
}

/* --- opening --- */

static Channel *open_socket(const char *uri, GError **err)
{
    ChannelAddress a;
    Channel *c;
    int fd;

    if (!channel_address_parse(uri, false, &a, err)) {
        return NULL;
    }
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail(err, uri, "no socket", errno);
        return NULL;
    }
    c = channel_new(uri, fd);
    if (connect(fd, &a.any, a.len) < 0) {
        if (errno != EINPROGRESS) {
            fail(err, uri, "it cannot be connected", errno);
            channel_free(c);
            return NULL;
        }
        c->connecting = true;
    }
    return c;
}

static Channel *open_fd(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    const char *name = uri + strlen("fd:");
    guint64 number;
    int fd = fds && fds->take ? fds->take(fds->opaque, name, out) : -1;

    if (fd < 0 && g_ascii_string_to_unsigned(name, 10, 0, INT_MAX, &number, NULL)) {
        fd = number;
    }
    if (fd < 0 || fcntl(fd, F_GETFD) < 0) {
        fail(err, uri, "there is no such descriptor: a name given with getfd, or a number", 0);
        return NULL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return channel_new(uri, fd);
}

static Channel *open_exec(const char *uri, bool out, GError **err)
{
    char *argv[] = { "/bin/sh", "-c", (char *)uri + strlen("exec:"), NULL };
    g_autoptr(GError) why = NULL;
    Channel *c;
    GPid pid;
    int fd;

    if (!g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                  out ? &fd : NULL, out ? NULL : &fd, NULL, &why)) {
        fail(err, uri, why->message, 0);
        return NULL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    c = channel_new(uri, fd);
    c->pid = pid;
    return c;
}

static Channel *open_fdset(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    int fd = fds && fds->take ? fds->take(fds->opaque, uri + strlen("file:"), out) : -1;

    if (fd < 0) {
        fail(err, uri,
             out ? "that set has no descriptor to write to: add-fd makes sets"
                 : "that set has no descriptor to read from: add-fd makes sets",
             0);
        return NULL;
    }
    return channel_new(uri, fd);
}

static Channel *open_file(const char *uri, bool out, GError **err)
{
    const char *path = uri + strlen("file:");
    g_autofree char *part = g_strdup_printf("%s.part", path);
    Channel *c;
    int fd = out ? open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                 : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fail(err, uri, "the file cannot be opened", errno);
        return NULL;
    }
    c = channel_new(uri, fd);
    if (out) {
        c->path = g_strdup(path);
        c->part = g_steal_pointer(&part);
    }
    return c;
}

bool channel_is_server(const char *uri)
{
    return g_str_has_prefix(uri, "tcp:") || g_str_has_prefix(uri, "unix:");
}

static Channel *open_one_way(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    if (g_str_has_prefix(uri, "fd:")) {
        return open_fd(uri, out, fds, err);
    }
    if (g_str_has_prefix(uri, "exec:") && uri[5]) {
        return open_exec(uri, out, err);
    }
    if (g_str_has_prefix(uri, "file:/dev/fdset/")) {
        return open_fdset(uri, out, fds, err);
    }
    if (g_str_has_prefix(uri, "file:") && uri[5]) {
        return open_file(uri, out, err);
    }
    g_set_error(err, MIGRATION_ERROR, 0,
                "migration URI '%s': tcp:HOST:PORT, unix:PATH, fd:NAME-OR-NUMBER, exec:COMMAND and "
                "file:PATH are accepted",
                uri);
    return NULL;
}

Channel *channel_open_out(const char *uri, const ChannelFds *fds, GError **err)
{
    return channel_is_server(uri) ? open_socket(uri, err) : open_one_way(uri, true, fds, err);
}

Channel *channel_open_in(const char *uri, const ChannelFds *fds, GError **err)
{
    return open_one_way(uri, false, fds, err);
}

bool channel_two_way(const Channel *c)
{
    return c->socket;
}

bool channel_is_file(const Channel *c)
{
    struct stat st;

    return c->path || (c->fd >= 0 && fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode));
}

/* --- readiness --- */

static gboolean ready(gint fd, GIOCondition condition, gpointer opaque)
{
    Channel *c = opaque;

    c->fn(c->opaque);
    return G_SOURCE_CONTINUE;
}

void channel_watch(Channel *c, bool in, bool out, ChannelFn *fn, void *opaque)
{
    GIOCondition what = (in ? G_IO_IN | G_IO_HUP : 0) | (out ? G_IO_OUT : 0) | G_IO_ERR;

    drop_source(&c->source);
    c->fn = fn;
    c->opaque = opaque;
    if (!in && !out) {
        return;
    }
    c->source = g_unix_fd_source_new(c->fd, what);
    g_source_set_callback(c->source, G_SOURCE_FUNC(ready), c, NULL);
    g_source_attach(c->source, NULL);
}

int channel_connected(Channel *c, GError **err)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int), peer_len = sizeof(peer);
    int e = 0;

    if (!c->connecting) {
        return 1;
    }
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (e) {
        fail(err, c->uri, "it cannot be connected", e);
        return -1;
    }
    if (getpeername(c->fd, (struct sockaddr *)&peer, &peer_len) < 0) {
        return 0;
    }
    c->connecting = false;
    return 1;
}

/* --- bytes --- */

static bool try_later(int e)
{
    return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

ssize_t channel_write(Channel *c, const void *buf, size_t len, GError **err)
{
    ssize_t n = c->socket ? send(c->fd, buf, len, MSG_NOSIGNAL) : write(c->fd, buf, len);

    if (n >= 0 || try_later(errno)) {
        return MAX(n, 0);
    }
    fail(err, c->uri, "writing failed", errno);
    return -1;
}

ssize_t channel_read(Channel *c, void *buf, size_t len, bool *eof, GError **err)
{
    ssize_t n = read(c->fd, buf, len);

    *eof = n == 0;
    if (n >= 0 || try_later(errno)) {
        return MAX(n, 0);
    }
    fail(err, c->uri, "reading failed", errno);
    return -1;
}

/* --- the end of one-way channels --- */

static bool sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static int finish_file(Channel *c, GError **err)
{
    int e = fsync(c->fd) < 0 ? errno : 0;

    if (close(c->fd) < 0 && !e) {
        e = errno;
    }
    c->fd = -1;
    if (!e && g_rename(c->part, c->path) < 0) {
        e = errno;
    }
    if (e) {
        fail(err, c->uri, "the file cannot be completed", e);
        return -1;
    }
    g_clear_pointer(&c->part, g_free);
    if (!sync_folder(c->path)) {
        fail(err, c->uri, "the file's folder cannot be written to the disk", errno);
        return -1;
    }
    return 1;
}

static int finish_exec(Channel *c, GError **err)
{
    int status;
    pid_t got;

    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0) {
        return 0;
    }
    c->pid = 0;
    if (got < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
        g_set_error(err, MIGRATION_ERROR, 0, "migration channel %s: the command failed (status %d)",
                    c->uri, got < 0 ? -1 : status);
        return -1;
    }
    return 1;
}

int channel_finish(Channel *c, GError **err)
{
    channel_watch(c, false, false, NULL, NULL);
    if (c->path) {
        return finish_file(c, err);
    }
    if (c->pid) {
        return finish_exec(c, err);
    }
    if (!c->socket && channel_is_file(c) && fsync(c->fd) < 0) {
        fail(err, c->uri, "the file cannot be written to the disk", errno);
        return -1;
    }
    return 1;
}

/* --- listening --- */

static gboolean accept_one(gint fd, GIOCondition condition, gpointer opaque)
{
    ChannelServer *s = opaque;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), room = 1 << 20;

    if (peer >= 0) {
        /* a long list of deficits must fit, since answers are written in one go */
        setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        s->fn(s->opaque, channel_new(s->address, peer));
    }
    return G_SOURCE_CONTINUE;
}

/* A socket that an ended process left behind is in the way of bind(). */
static void remove_stale(const ChannelAddress *a)
{
    struct stat st;

    if (a->any.sa_family == AF_UNIX && stat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        g_unlink(a->un.sun_path);
    }
}

static bool listen_on(int fd, ChannelAddress *a)
{
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    remove_stale(a);
    if (bind(fd, &a->any, a->len) < 0 || listen(fd, 4) < 0) {
        return false;
    }
    if (a->any.sa_family != AF_UNIX) {
        a->len = sizeof(a->storage);
        return getsockname(fd, &a->any, &a->len) == 0;
    }
    return true;
}

ChannelServer *channel_serve(const char *uri, ChannelAcceptFn *fn, void *opaque, GError **err)
{
    ChannelServer *s;
    ChannelAddress a;
    int fd;

    if (!channel_address_parse(uri, true, &a, err)) {
        return NULL;
    }
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !listen_on(fd, &a)) {
        fail(err, uri, "it cannot be listened on", errno);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    s = g_new0(ChannelServer, 1);
    s->fd = fd;
    s->fn = fn;
    s->opaque = opaque;
    s->address = channel_address_text(&a);
    s->path = a.any.sa_family == AF_UNIX ? g_strdup(a.un.sun_path) : NULL;
    s->source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(s->source, G_SOURCE_FUNC(accept_one), s, NULL);
    g_source_attach(s->source, NULL);
    return s;
}

void channel_server_free(ChannelServer *s)
{
    if (!s) {
        return;
    }
    drop_source(&s->source);
    close(s->fd);
    if (s->path) {
        g_unlink(s->path);
    }
    g_free(s->path);
    g_free(s->address);
    g_free(s);
}

const char *channel_server_address(const ChannelServer *s)
{
    return s->address;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Implementation of channels (interface: channel_internal.h).
 */
#include "migration/channel_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migration/channel_address_internal.h"
#include "migration/stream.h"
#include "util/connector.h"
#include "util/error.h"
#include "util/listener.h"
#include "util/outfile.h"

struct Channel {
    char *uri;
    int fd;
    bool socket;
    Connector *connector; /* while the channel is connecting; fd is -1 until then */
    bool started;         /* connector_start() was called */
    GError *why;          /* the error of a connection that failed */
    OutFile *file;        /* file: for writing; owns fd */
    GPid pid;             /* exec: */
    GSource *source;
    GIOCondition what; /* conditions for which fn is called; 0: none */
    ChannelFn *fn;
    void *opaque;
};

struct ChannelServer {
    int fd;
    Listener *listener;
    ChannelAddress at; /* address listened on; a unix socket is removed at the end */
    char *address;
    ChannelAcceptFn *fn;
    void *opaque;
};

/* Send short messages without delay, because the peer waits for answers, and detect a host that
 * disappeared within half a minute. Sockets of other types reject these options; the
 * error is ignored. */
static void channel_tune_socket(int fd)
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
    /* tcp adapts its buffer; the default buffer of a unix socket holds a fifth of LIVE_CHUNK */
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    }
}

static Channel *channel_alloc(const char *uri)
{
    Channel *c = g_new0(Channel, 1);

    c->uri = g_strdup(uri);
    c->fd = -1;
    return c;
}

static void channel_take_fd(Channel *c, int fd)
{
    struct stat st;

    c->fd = fd;
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    c->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    if (c->socket) {
        channel_tune_socket(fd);
    }
}

static Channel *channel_new(const char *uri, int fd)
{
    Channel *c = channel_alloc(uri);

    channel_take_fd(c, fd);
    return c;
}

static void channel_drop_source(GSource **source)
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
    channel_drop_source(&c->source);
    connector_free(c->connector);
    g_clear_error(&c->why);
    if (c->file) {
        out_file_abort(c->file);
    } else if (c->fd >= 0) {
        close(c->fd);
    }
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
    }
    g_free(c->uri);
    g_free(c);
}

/* --- opening --- */

static Channel *channel_open_socket(const char *uri, GError **err)
{
    g_autofree char *host = NULL, *port = NULL;
    ChannelAddress a;
    Channel *c;

    if (g_str_has_prefix(uri, "tcp:")) {
        if (!channel_address_split(uri, false, &host, &port, err)) {
            return NULL;
        }
    } else if (!channel_address_parse(uri, false, &a, err)) {
        return NULL;
    }
    c = channel_alloc(uri);
    c->socket = true;
    c->connector = port ? connector_new_host(host, port, AF_UNSPEC) : connector_new(&a.any, a.len);
    return c;
}

static Channel *channel_open_fd(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    const char *name = uri + strlen("fd:");
    guint64 number;
    int fd = fds && fds->take ? fds->take(fds->opaque, name, out) : -1;

    if (fd < 0 && g_ascii_string_to_unsigned(name, 10, 0, INT_MAX, &number, NULL)) {
        fd = number;
    }
    if (fd < 0 || fcntl(fd, F_GETFD) < 0) {
        error_set(err, ERROR_USER,
                  "migration channel %s: there is no such descriptor: use a name given with getfd, "
                  "or a number",
                  uri);
        return NULL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return channel_new(uri, fd);
}

static Channel *channel_open_exec(const char *uri, bool out, GError **err)
{
    char *argv[] = { "/bin/sh", "-c", (char *)uri + strlen("exec:"), NULL };
    g_autoptr(GError) why = NULL;
    Channel *c;
    GPid pid;
    int fd;

    if (!g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                  out ? &fd : NULL, out ? NULL : &fd, NULL, &why)) {
        error_set(err, ERROR_HOST, "migration channel %s: %s", uri, why->message);
        return NULL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    c = channel_new(uri, fd);
    c->pid = pid;
    return c;
}

static Channel *channel_open_fdset(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    int fd = fds && fds->take ? fds->take(fds->opaque, uri + strlen("file:"), out) : -1;

    if (fd < 0) {
        error_set(err, ERROR_USER,
                  "migration channel %s: that set has no descriptor to %s: add-fd makes sets", uri,
                  out ? "write to" : "read from");
        return NULL;
    }
    return channel_new(uri, fd);
}

static Channel *channel_open_file(const char *uri, bool out, GError **err)
{
    const char *path = uri + strlen("file:");
    g_autoptr(GError) why = NULL;
    OutFile *file = NULL;
    Channel *c;
    int fd;

    if (out) {
        file = out_file_begin(path, 0600, &why);
        if (!file) {
            error_set(err, ERROR_HOST, "migration channel %s: %s", uri, why->message);
            return NULL;
        }
        c = channel_new(uri, out_file_fd(file));
        c->file = file;
        return c;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* do not wait for the writer of a FIFO */
    if (fd < 0) {
        error_set_errno(err, errno, "migration channel %s: the file cannot be opened", uri);
        return NULL;
    }
    return channel_new(uri, fd);
}

bool channel_is_server(const char *uri)
{
    return g_str_has_prefix(uri, "tcp:") || g_str_has_prefix(uri, "unix:");
}

bool channel_check_uri(const char *uri, GError **err)
{
    static const char *const prefixes[] = { "tcp:", "unix:", "fd:", "exec:", "file:" };

    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(uri, prefixes[i]) && uri[strlen(prefixes[i])]) {
            return true;
        }
    }
    return error_set(err, ERROR_USER,
                     "migration URI '%s': use tcp:HOST:PORT, unix:PATH, fd:NAME-OR-NUMBER, "
                     "exec:COMMAND or file:PATH",
                     uri);
}

static Channel *channel_open_one_way(const char *uri, bool out, const ChannelFds *fds, GError **err)
{
    if (g_str_has_prefix(uri, "fd:")) {
        return channel_open_fd(uri, out, fds, err);
    }
    if (g_str_has_prefix(uri, "exec:") && uri[5]) {
        return channel_open_exec(uri, out, err);
    }
    if (g_str_has_prefix(uri, "file:/dev/fdset/")) {
        return channel_open_fdset(uri, out, fds, err);
    }
    if (g_str_has_prefix(uri, "file:") && uri[5]) {
        return channel_open_file(uri, out, err);
    }
    channel_check_uri(uri, err);
    return NULL;
}

Channel *channel_open_out(const char *uri, const ChannelFds *fds, GError **err)
{
    return channel_is_server(uri) ? channel_open_socket(uri, err)
                                  : channel_open_one_way(uri, true, fds, err);
}

Channel *channel_open_in(const char *uri, const ChannelFds *fds, GError **err)
{
    return channel_open_one_way(uri, false, fds, err);
}

bool channel_two_way(const Channel *c)
{
    return c->socket;
}

bool channel_may_hang_up(const Channel *c)
{
    return c->socket && c->fd >= 0;
}

bool channel_hang_up(Channel *c)
{
    return channel_may_hang_up(c) && shutdown(c->fd, SHUT_RDWR) == 0;
}

bool channel_is_file(const Channel *c)
{
    struct stat st;

    return c->file || (c->fd >= 0 && fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode));
}

/* --- readiness --- */

static gboolean channel_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    Channel *c = opaque;

    c->fn(c->opaque);
    return G_SOURCE_CONTINUE;
}

static void channel_watch_fd(Channel *c)
{
    c->source = g_unix_fd_source_new(c->fd, c->what);
    g_source_set_callback(c->source, G_SOURCE_FUNC(channel_ready), c, NULL);
    g_source_attach(c->source, NULL);
}

static void channel_on_connected(void *opaque, int fd, const GError *err)
{
    Channel *c = opaque;

    g_clear_pointer(&c->connector, connector_free);
    if (fd >= 0) {
        channel_take_fd(c, fd);
    } else {
        c->why = g_error_copy(err);
    }
    if (c->what) {
        if (fd >= 0) {
            channel_watch_fd(c);
        }
        c->fn(c->opaque); /* last: it may free c */
    }
}

void channel_watch(Channel *c, bool in, bool out, ChannelFn *fn, void *opaque)
{
    channel_drop_source(&c->source);
    c->what = (in ? G_IO_IN | G_IO_HUP : 0) | (out ? G_IO_OUT : 0);
    c->what |= c->what ? G_IO_ERR : 0;
    c->fn = fn;
    c->opaque = opaque;
    if (c->connector && !c->started) {
        c->started = true;
        connector_start(c->connector, NULL, channel_on_connected, c);
    } else if (c->what && c->fd >= 0) {
        channel_watch_fd(c);
    }
}

/* Check whether the connection is complete, for a caller that does not run the main context. */
static void channel_poll_connector(Channel *c)
{
    int fd, r = connector_wait(c->connector, 0, &fd, &c->why);

    if (r != 0) {
        g_clear_pointer(&c->connector, connector_free);
    }
    if (r > 0) {
        channel_take_fd(c, fd);
    }
}

int channel_connected(Channel *c, GError **err)
{
    if (c->connector && !c->started) {
        channel_poll_connector(c);
    }
    if (c->why) {
        error_set(err, ERROR_HOST, "migration channel %s: cannot connect: %s", c->uri,
                  c->why->message);
        return -1;
    }
    return c->connector ? 0 : 1;
}

/* --- bytes --- */

static bool channel_try_later(int e)
{
    return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

ssize_t channel_write(Channel *c, const void *buf, size_t len, GError **err)
{
    ssize_t n = c->socket ? send(c->fd, buf, len, MSG_NOSIGNAL) : write(c->fd, buf, len);

    if (n >= 0 || channel_try_later(errno)) {
        return MAX(n, 0);
    }
    error_set_errno(err, errno, "migration channel %s: writing failed", c->uri);
    return -1;
}

ssize_t channel_read(Channel *c, void *buf, size_t len, bool *eof, GError **err)
{
    ssize_t n = read(c->fd, buf, len);

    *eof = n == 0;
    if (n >= 0 || channel_try_later(errno)) {
        return MAX(n, 0);
    }
    error_set_errno(err, errno, "migration channel %s: reading failed", c->uri);
    return -1;
}

/* --- the end of one-way channels --- */

static int channel_finish_file(Channel *c, GError **err)
{
    g_autoptr(GError) why = NULL;

    c->fd = -1;
    if (!out_file_commit(g_steal_pointer(&c->file), true, &why)) {
        error_set(err, ERROR_HOST, "migration channel %s: %s", c->uri, why->message);
        return -1;
    }
    return 1;
}

static int channel_finish_exec(Channel *c, GError **err)
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
        error_set(err, ERROR_HOST, "migration channel %s: the command failed (status %d)", c->uri,
                  got < 0 ? -1 : status);
        return -1;
    }
    return 1;
}

int channel_finish(Channel *c, GError **err)
{
    channel_watch(c, false, false, NULL, NULL);
    if (c->file) {
        return channel_finish_file(c, err);
    }
    if (c->pid) {
        return channel_finish_exec(c, err);
    }
    if (!c->socket && channel_is_file(c) && fsync(c->fd) < 0) {
        error_set_errno(err, errno, "migration channel %s: the file cannot be written to the disk",
                        c->uri);
        return -1;
    }
    return 1;
}

/* --- listening --- */

static void channel_on_peer(void *opaque, int fd, const struct sockaddr_storage *from,
                            socklen_t len)
{
    ChannelServer *s = opaque;
    int room = 1 << 20;

    /* answers are written with one call, so the buffer must hold a long list of incompatibilities
     */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    s->fn(s->opaque, channel_new(s->address, fd));
}

/* Return the socket, or -1 with errno. */
static int channel_listen(ChannelAddress *a)
{
    int fd = socket_listen(&a->any, a->len, UNIX_SOCKET_MODE, 4, false), saved;

    if (fd < 0 || a->any.sa_family == AF_UNIX) {
        return fd;
    }
    a->len = sizeof(a->storage);
    if (getsockname(fd, &a->any, &a->len) == 0) {
        return fd;
    }
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

ChannelServer *channel_serve(const char *uri, ChannelAcceptFn *fn, void *opaque, GError **err)
{
    ChannelServer *s;
    ChannelAddress a;
    int fd;

    if (!channel_address_parse(uri, true, &a, err)) {
        return NULL;
    }
    fd = channel_listen(&a);
    if (fd < 0) {
        error_set_errno(err, errno, "migration channel %s: cannot listen on the address", uri);
        return NULL;
    }
    s = g_new0(ChannelServer, 1);
    s->fd = fd;
    s->fn = fn;
    s->opaque = opaque;
    s->address = channel_address_text(&a);
    s->at = a;
    s->listener = listener_new(fd, NULL, channel_on_peer, s);
    return s;
}

void channel_server_free(ChannelServer *s)
{
    if (!s) {
        return;
    }
    listener_free(s->listener);
    close(s->fd);
    socket_unlink(&s->at.any);
    g_free(s->address);
    g_free(s);
}

const char *channel_server_address(const ChannelServer *s)
{
    return s->address;
}

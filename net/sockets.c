/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks over sockets: `stream` (frames preceded by a 4-byte big-endian length, over TCP, a Unix
 * socket or an inherited descriptor), `dgram` (one frame in each datagram), and `socket`, the older
 * form of both.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"
#include "machine-events.h"
#include "util/connector.h"
#include "util/host.h"
#include "util/listener.h"
#include "util/log.h"

/* netdev_add waits for a connection for ADD_WAIT_MS; the client then continues in the background.
 */
enum { OUT_LIMIT = 1 << 20, ADD_WAIT_MS = 20, RECONNECT_MAX = 86400000 /* ms: a day */ };

typedef struct NetSock {
    Netdev *netdev;
    int fd, listen_fd;
    guint in, out;
    Listener *listener;
    Connector *connector;  /* while a client connects */
    guint timer;           /* until the next attempt */
    unsigned reconnect_ms; /* of a client, 0: never */
    bool datagrams;
    GByteArray *rx, *tx; /* stream: bytes of unfinished frames */
    NetAddr local;       /* datagrams: the local address */
    NetAddr to;          /* datagrams: the destination; len 0: the socket is connected */
    NetAddr at;          /* address of a listener, or the destination of a client */
    bool bound;          /* the file of the unix socket was created here */
    char *describe;      /* the connection, as monitors show it */
} NetSock;

static bool sock_fail_errno(GError **err, const char *what)
{
    return error_set_errno(err, errno, "cannot %s", what);
}

/* --- monitors --- */

static void sock_describe(NetSock *s, char *text)
{
    g_free(s->describe);
    s->describe = text;
}

/* Describe a stream without a peer, as QEMU does. */
static void sock_describe_idle(NetSock *s)
{
    bool listening = s->netdev->kind == &net_stream && s->listener;

    sock_describe(s, g_strdup(listening ? "listening" : ""));
}

/* Describe a stream with a peer. The older form of the option has another text. */
static void sock_connected(NetSock *s, const NetAddr *peer, const char *older)
{
    g_autofree char *text = net_addr_text(peer);

    if (s->netdev->kind == &net_stream) {
        sock_describe(s, g_strconcat(peer->sa.ss_family == AF_UNIX ? "unix:" : "tcp:", text, NULL));
        net_addr_event(s->netdev, peer);
    } else {
        sock_describe(s, g_strdup_printf("socket: %s %s", older, text));
    }
}

/* --- frames --- */

static void sock_connect_later(NetSock *s);

static void sock_lost(NetSock *s)
{
    if (s->in) {
        g_source_remove(s->in);
    }
    if (s->out) {
        g_source_remove(s->out);
    }
    s->in = s->out = 0;
    close(s->fd);
    s->fd = -1;
    g_byte_array_set_size(s->rx, 0);
    g_byte_array_set_size(s->tx, 0);
    sock_describe_idle(s);
    net_writable(s->netdev); /* frames for the lost peer are dropped */
}

/* Pass on the complete frames at the front of rx. An invalid length ends the connection. */
static bool sock_take_frames(NetSock *s)
{
    size_t at = 0;

    while (s->rx->len - at >= 4) {
        const uint8_t *p = s->rx->data + at;
        uint32_t len = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];

        if (len > NET_MAX_FRAME) {
            return false;
        }
        if (s->rx->len - at - 4 < len) {
            break;
        }
        if (len > 0) {
            net_input(s->netdev, p + 4, len);
        }
        at += 4 + len;
    }
    g_byte_array_remove_range(s->rx, 0, at);
    return true;
}

static gboolean sock_on_readable(gint fd, GIOCondition condition, gpointer opaque)
{
    NetSock *s = opaque;
    g_autofree uint8_t *buf = g_malloc(NET_MAX_FRAME);
    ssize_t n = recv(fd, buf, NET_MAX_FRAME, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || s->datagrams)) {
        return G_SOURCE_CONTINUE;
    }
    if (s->datagrams) { /* an empty datagram is not the end, and contains no frame */
        if (n > 0) {
            net_input(s->netdev, buf, n);
        }
        return G_SOURCE_CONTINUE;
    }
    if (n > 0) {
        g_byte_array_append(s->rx, buf, n);
    }
    if (n <= 0 || !sock_take_frames(s)) {
        s->in = 0;
        sock_lost(s);
        if (s->netdev->kind == &net_stream) {
            event_netdev_stream_disconnected(s->netdev->machine, s->netdev->id);
        }
        if (s->reconnect_ms) {
            sock_connect_later(s);
        }
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean sock_on_writable(gint fd, GIOCondition condition, gpointer opaque)
{
    NetSock *s = opaque;
    ssize_t n = send(fd, s->tx->data, s->tx->len, MSG_NOSIGNAL);

    if (n > 0) {
        g_byte_array_remove_range(s->tx, 0, n);
    }
    if (s->tx->len > 0 && (n >= 0 || errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    g_byte_array_set_size(s->tx, 0);
    s->out = 0;
    net_writable(s->netdev);
    return G_SOURCE_REMOVE;
}

static void sock_start(NetSock *s, int fd)
{
    s->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    s->in = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, sock_on_readable, s);
}

/* Send the bytes that the socket accepts now. Returns their number. The caller may be a CPU thread:
 * a watch would wake the main loop for each frame. Errors other than EAGAIN drop the frame; the
 * reading side detects the end of the connection. */
static size_t sock_send_now(NetSock *s, uint8_t head[4], const uint8_t *frame, size_t len)
{
    struct iovec iov[2] = { { head, 4 }, { (void *)frame, len } };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
    ssize_t sent = sendmsg(s->fd, &message, MSG_NOSIGNAL);

    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : 4 + len;
    }
    return (size_t)sent;
}

static bool sock_send(Netdev *n, const uint8_t *frame, size_t len)
{
    NetSock *s = n->priv;
    uint8_t head[4] = { len >> 24, len >> 16, len >> 8, len };
    size_t sent;

    if (s->fd < 0) {
        return true; /* no peer: the frame is lost */
    }
    if (s->datagrams) {
        sendto(s->fd, frame, len, MSG_NOSIGNAL, s->to.len ? (struct sockaddr *)&s->to.sa : NULL,
               s->to.len);
        return true;
    }
    if (s->tx->len > OUT_LIMIT) {
        return false;
    }
    sent = s->tx->len ? 0 : sock_send_now(s, head, frame, len);
    if (sent == sizeof(head) + len) {
        return true;
    }
    if (sent < sizeof(head)) {
        g_byte_array_append(s->tx, head + sent, (guint)(sizeof(head) - sent));
        sent = sizeof(head);
    }
    g_byte_array_append(s->tx, frame + (sent - sizeof(head)), (guint)(len + sizeof(head) - sent));
    if (!s->out) {
        s->out = g_unix_fd_add(s->fd, G_IO_OUT, sock_on_writable, s);
    }
    return true;
}

/* --- opening --- */

static NetSock *sock_new(Netdev *n, bool datagrams)
{
    NetSock *s = g_new0(NetSock, 1);

    *s = (NetSock){ .netdev = n, .fd = -1, .listen_fd = -1, .datagrams = datagrams };
    s->rx = g_byte_array_new();
    s->tx = g_byte_array_new();
    n->priv = s;
    return s;
}

static void sock_close(Netdev *n)
{
    NetSock *s = n->priv;

    if (s->fd >= 0) {
        if (s->in) {
            g_source_remove(s->in);
        }
        if (s->out) {
            g_source_remove(s->out);
        }
        close(s->fd);
    }
    listener_free(s->listener);
    connector_free(s->connector);
    if (s->timer) {
        g_source_remove(s->timer);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
    }
    if (s->bound) {
        socket_unlink((struct sockaddr *)(s->datagrams ? &s->local.sa : &s->at.sa));
    }
    g_byte_array_free(s->rx, TRUE);
    g_byte_array_free(s->tx, TRUE);
    g_free(s->describe);
    g_free(s);
}

static void sock_on_peer(void *opaque, int fd, const struct sockaddr_storage *sa, socklen_t len)
{
    NetSock *s = opaque;
    NetAddr from = { *sa, len };

    if (s->fd >= 0) {
        close(fd); /* one peer at a time */
        return;
    }
    sock_start(s, fd);
    sock_connected(s, s->at.sa.ss_family == AF_UNIX ? &s->at : &from, "connection from");
}

static bool sock_listen_on(NetSock *s, GError **err)
{
    int on = 1;

    if (s->netdev->machine->dry_run) {
        return true;
    }
    s->listen_fd = socket(s->at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listen_fd < 0) {
        return sock_fail_errno(err, "make a socket");
    }
    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (socket_bind(s->listen_fd, (const struct sockaddr *)&s->at.sa, s->at.len, s->at.mode) < 0) {
        return sock_fail_errno(err, "bind");
    }
    s->bound = true;
    if (listen(s->listen_fd, 1) < 0) {
        return sock_fail_errno(err, "listen");
    }
    s->listener = listener_new(s->listen_fd, NULL, sock_on_peer, s);
    return true;
}

/* --- clients --- */

static void sock_on_connected(void *opaque, int fd, const GError *err)
{
    NetSock *s = opaque;

    g_clear_pointer(&s->connector, connector_free);
    if (fd >= 0) {
        sock_start(s, fd);
        sock_connected(s, &s->at, "connect to");
    } else if (s->reconnect_ms) {
        sock_connect_later(s);
    } else {
        log_line("netdev '%s': cannot connect: %s", s->netdev->id, err->message);
    }
}

static void sock_connect_now(NetSock *s)
{
    s->connector = connector_new((const struct sockaddr *)&s->at.sa, s->at.len);
    connector_start(s->connector, NULL, sock_on_connected, s);
}

static gboolean sock_on_timer(gpointer opaque)
{
    NetSock *s = opaque;

    s->timer = 0;
    sock_connect_now(s);
    return G_SOURCE_REMOVE;
}

static void sock_connect_later(NetSock *s)
{
    s->timer = g_timeout_add(s->reconnect_ms, sock_on_timer, s);
}

/* Wait for the connection while the process starts, unless reconnect= allows it later. */
static bool sock_connect_to(NetSock *s, GError **err)
{
    g_autoptr(GError) why = NULL;
    int fd, r;

    if (s->netdev->machine->dry_run) {
        return true;
    }
    if (s->reconnect_ms) {
        sock_connect_now(s);
        return true;
    }
    s->connector = connector_new((const struct sockaddr *)&s->at.sa, s->at.len);
    r = connector_wait(s->connector, host_in_main_loop() ? ADD_WAIT_MS : -1, &fd, &why);
    if (r == 0) {
        connector_start(s->connector, NULL, sock_on_connected, s);
        return true;
    }
    g_clear_pointer(&s->connector, connector_free);
    if (r < 0) {
        return error_set(err, ERROR_USER, "cannot connect: %s", why->message);
    }
    sock_start(s, fd);
    sock_connected(s, &s->at, "connect to");
    return true;
}

/* reconnect=SECONDS, reconnect-ms=MILLISECONDS of a client */
static bool sock_read_reconnect(NetSock *s, struct json_object *o, bool server, GError **err)
{
    const char *seconds = net_opt(o, "reconnect"), *ms = net_opt(o, "reconnect-ms");
    guint64 value = 0;

    if ((seconds || ms) && server) {
        return error_set(err, ERROR_USER, "reconnect requires server=off");
    }
    if ((seconds && ms) ||
        (seconds &&
         !g_ascii_string_to_unsigned(seconds, 10, 0, RECONNECT_MAX / 1000, &value, NULL)) ||
        (ms && !g_ascii_string_to_unsigned(ms, 10, 0, RECONNECT_MAX, &value, NULL))) {
        return error_set(err, ERROR_USER,
                         "use only one of reconnect=SECONDS and reconnect-ms=MILLISECONDS, up to a "
                         "day, 0 for never");
    }
    s->reconnect_ms = (unsigned)(seconds ? value * 1000 : value);
    return true;
}

/* Use an open socket by its number. Its type decides between stream and datagrams. */
static bool sock_take_fd(NetSock *s, const char *text, GError **err)
{
    NetAddr local = { .len = sizeof(local.sa) };
    char *end;
    long fd = strtol(text, &end, 10);
    int type = 0;
    socklen_t len = sizeof(type);
    const char *family;

    if (!*text || *end || fd < 0 || fd > INT_MAX ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        getsockname(fd, (struct sockaddr *)&local.sa, &local.len) < 0) {
        return error_set(err, ERROR_USER, "fd=%s is not the number of an open socket", text);
    }
    s->datagrams = type == SOCK_DGRAM;
    if (s->netdev->machine->dry_run) {
        return true;
    }
    sock_start(s, fd);
    family = local.sa.ss_family == AF_UNIX ? " unix" : " inet";
    if (s->netdev->kind == &net_stream) {
        sock_connected(s, &local, "");
    } else {
        sock_describe(s, g_strdup_printf("%sfd=%ld%s",
                                         s->netdev->kind == &net_dgram ? "" : "socket: ", fd,
                                         s->datagrams ? family : ""));
    }
    return true;
}

static bool sock_is_on(const char *text)
{
    return text && g_strv_contains((const char *const[]){ "on", "yes", "true", NULL }, text);
}

static bool sock_finish_open(Netdev *n, bool ok)
{
    NetSock *s = n->priv;

    if (!ok) {
        sock_close(n);
    } else if (!s->describe) {
        sock_describe_idle(s); /* no peer has connected yet */
    }
    return ok;
}

static bool netdev_stream_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *type = net_addr_opt(o, "addr", "type");
    const char *fd = net_addr_opt(o, "addr", "str");
    bool server = sock_is_on(net_opt(o, "server")), ok = sock_read_reconnect(s, o, server, err);

    if (!ok) {
        return sock_finish_open(n, false);
    }
    if (type && g_str_equal(type, "fd")) {
        ok = sock_take_fd(s, fd ? fd : "", err);
    } else if (server) {
        ok = net_addr_parse(o, "addr", false, true, &s->at, err) && sock_listen_on(s, err);
    } else {
        ok = net_addr_parse(o, "addr", false, false, &s->at, err) && sock_connect_to(s, err);
    }
    return sock_finish_open(n, ok);
}

/* Join the multicast group on the interface of `local` (default: any). Other processes of this host
 * may join as well. */
static bool sock_join_group(int fd, const NetAddr *group, const NetAddr *local)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)&group->sa;
    const struct sockaddr_in *from = (const struct sockaddr_in *)&local->sa;
    struct ip_mreq m = { .imr_multiaddr = to->sin_addr };
    int on = 1;

    if (local->len) {
        m.imr_interface = from->sin_addr;
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from->sin_addr, sizeof(from->sin_addr));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof(on)) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) == 0;
}

/* Bind to `local`, or to the multicast group that datagrams are sent to. */
static bool sock_bind_datagrams(NetSock *s, const NetAddr *local, GError **err)
{
    bool group = net_addr_multicast(&s->to);
    const NetAddr *at = group ? &s->to : local;
    int fd = socket(at->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_autofree char *to = net_addr_text(&s->to), *from = net_addr_text(at);

    if (fd < 0 || (group && !sock_join_group(fd, &s->to, local)) ||
        socket_bind(fd, (const struct sockaddr *)&at->sa, at->len, at->mode) < 0) {
        sock_fail_errno(err, group ? "join the group" : "bind");
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    s->local = *at;
    s->bound = true;
    sock_start(s, fd);
    if (group) {
        sock_describe(s, g_strconcat("mcast=", to, NULL));
    } else {
        sock_describe(s,
                      g_strconcat("udp=", from, at->sa.ss_family == AF_UNIX ? ":" : "/", to, NULL));
    }
    return true;
}

static bool netdev_dgram_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, true);
    const char *type = net_addr_opt(o, "local", "type"), *fd = net_addr_opt(o, "local", "str");
    NetAddr local = { .len = 0 };
    bool ok;

    if (type && g_str_equal(type, "fd")) {
        return sock_finish_open(n, sock_take_fd(s, fd ? fd : "", err));
    }
    ok = net_addr_parse(o, "remote", true, false, &s->to, err);
    if (ok && (type || !net_addr_multicast(&s->to))) {
        ok = net_addr_parse(o, "local", true, true, &local, err);
    }
    if (ok && local.len && local.sa.ss_family != s->to.sa.ss_family) {
        error_set(err, ERROR_USER, "local and remote must be addresses of the same type");
        ok = false;
    }
    return sock_finish_open(n, ok && (n->machine->dry_run || sock_bind_datagrams(s, &local, err)));
}

static bool netdev_socket_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *fd = net_opt(o, "fd"), *server = net_opt(o, "listen");
    const char *client = net_opt(o, "connect");
    bool ok = false;

    if (fd) {
        ok = sock_take_fd(s, fd, err);
    } else if (server) {
        ok = net_addr_host_port(server, true, &s->at, err) && sock_listen_on(s, err);
    } else if (client) {
        ok = net_addr_host_port(client, false, &s->at, err) && sock_connect_to(s, err);
    } else {
        error_set(err, ERROR_USER,
                  "one of fd=, listen=HOST:PORT and connect=HOST:PORT is required");
    }
    return sock_finish_open(n, ok);
}

static char *sock_info(const Netdev *n)
{
    return g_strdup(((const NetSock *)n->priv)->describe);
}

static const char *const stream_keys[] = { "addr", "server", "reconnect", "reconnect-ms", NULL };
static const char *const dgram_keys[] = { "local", "remote", NULL };
static const char *const socket_keys[] = { "fd", "listen", "connect", NULL };
const NetKind net_stream = { "stream",   stream_keys, netdev_stream_open,
                             sock_close, sock_send,   sock_info };
const NetKind net_dgram = {
    "dgram", dgram_keys, netdev_dgram_open, sock_close, sock_send, sock_info
};
const NetKind net_socket = { "socket",   socket_keys, netdev_socket_open,
                             sock_close, sock_send,   sock_info };

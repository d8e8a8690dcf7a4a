/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks over sockets: `stream` (frames behind a 4-byte big-endian length, over TCP, a Unix
 * socket or an inherited descriptor), `dgram` (a frame a datagram), and `socket`, the older form
 * of both.
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

#include "net_int.h"

enum { OUT_LIMIT = 1 << 20 };

typedef struct NetSock {
    Netdev *netdev;
    int fd, listener;
    guint in, out, accept;
    bool datagrams;
    GByteArray *rx, *tx; /* stream: bytes of unfinished frames */
    NetAddr to;          /* datagrams: where they go; len 0: the socket knows */
    NetAddr at;          /* where a listener listens */
    char *describe;      /* what monitors show of the connection */
} NetSock;

static bool fail(GError **err, const char *what)
{
    NET_ERROR(err, "cannot %s: %s", what, g_strerror(errno));
    return false;
}

/* --- what monitors see --- */

static void describe(NetSock *s, char *text)
{
    g_free(s->describe);
    s->describe = text;
}

static void tell(NetSock *s, const char *event, struct json_object *addr)
{
    struct json_object *data = json_object_new_object();

    json_object_object_add(data, "netdev-id", json_object_new_string(s->netdev->id));
    if (addr) {
        json_object_object_add(data, "addr", addr);
    }
    machine_event(s->netdev->machine, event, data);
}

/* A stream has a peer: its address, and how the older form of the option words it. */
static void connected(NetSock *s, const NetAddr *peer, const char *older)
{
    g_autofree char *text = net_addr_text(peer);

    if (s->netdev->kind == &net_stream) {
        describe(s, g_strconcat(peer->sa.ss_family == AF_UNIX ? "unix:" : "tcp:", text, NULL));
        tell(s, "NETDEV_STREAM_CONNECTED", net_addr_json(peer));
    } else {
        describe(s, g_strdup_printf("socket: %s %s", older, text));
    }
}

/* --- frames --- */

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
    describe(s, g_strdup(""));
    net_writable(s->netdev); /* what waited for this peer is for nobody now */
}

/* Whole frames at the front of rx; a length no frame has ends the connection. */
static bool take_frames(NetSock *s)
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
        net_input(s->netdev, p + 4, len);
        at += 4 + len;
    }
    g_byte_array_remove_range(s->rx, 0, at);
    return true;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer opaque)
{
    NetSock *s = opaque;
    g_autofree uint8_t *buf = g_malloc(NET_MAX_FRAME);
    ssize_t n = recv(fd, buf, NET_MAX_FRAME, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR || s->datagrams)) {
        return G_SOURCE_CONTINUE;
    }
    if (n > 0 && s->datagrams) {
        net_input(s->netdev, buf, n);
        return G_SOURCE_CONTINUE;
    }
    if (n > 0) {
        g_byte_array_append(s->rx, buf, n);
    }
    if (n <= 0 || !take_frames(s)) {
        s->in = 0;
        sock_lost(s);
        if (s->netdev->kind == &net_stream) {
            tell(s, "NETDEV_STREAM_DISCONNECTED", NULL);
        }
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer opaque)
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
    s->in = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, s);
}

static bool sock_send(Netdev *n, const uint8_t *frame, size_t len)
{
    NetSock *s = n->priv;
    uint8_t head[4] = { len >> 24, len >> 16, len >> 8, len };

    if (s->fd < 0) {
        return true; /* nobody there: as a cable that leads nowhere */
    }
    if (s->datagrams) {
        sendto(s->fd, frame, len, MSG_NOSIGNAL, s->to.len ? (struct sockaddr *)&s->to.sa : NULL,
               s->to.len);
        return true;
    }
    if (s->tx->len > OUT_LIMIT) {
        return false;
    }
    g_byte_array_append(s->tx, head, sizeof(head));
    g_byte_array_append(s->tx, frame, len);
    if (!s->out) {
        s->out = g_unix_fd_add(s->fd, G_IO_OUT, on_writable, s);
    }
    return true;
}

/* --- opening --- */

static NetSock *sock_new(Netdev *n, bool datagrams)
{
    NetSock *s = g_new0(NetSock, 1);

    *s = (NetSock){ .netdev = n, .fd = -1, .listener = -1, .datagrams = datagrams };
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
    if (s->accept) {
        g_source_remove(s->accept);
    }
    if (s->listener >= 0) {
        close(s->listener);
    }
    g_byte_array_free(s->rx, TRUE);
    g_byte_array_free(s->tx, TRUE);
    g_free(s->describe);
    g_free(s);
}

static gboolean on_accept(gint fd, GIOCondition condition, gpointer opaque)
{
    NetSock *s = opaque;
    NetAddr from = { .len = sizeof(from.sa) };
    int peer = accept4(fd, (struct sockaddr *)&from.sa, &from.len, SOCK_CLOEXEC);

    if (peer >= 0 && s->fd < 0) {
        sock_start(s, peer);
        connected(s, s->at.sa.ss_family == AF_UNIX ? &s->at : &from, "connection from");
    } else if (peer >= 0) {
        close(peer); /* one peer at a time */
    }
    return G_SOURCE_CONTINUE;
}

/* A path that is no abstract name stands in the way of the next bind(). */
static void unlink_path(const NetAddr *a)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;

    if (a->sa.ss_family == AF_UNIX && un->sun_path[0]) {
        unlink(un->sun_path);
    }
}

static bool listen_on(NetSock *s, GError **err)
{
    int on = 1;

    s->listener = socket(s->at.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0) {
        return fail(err, "make a socket");
    }
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    unlink_path(&s->at);
    if (bind(s->listener, (const struct sockaddr *)&s->at.sa, s->at.len) < 0 ||
        listen(s->listener, 1) < 0) {
        return fail(err, "listen");
    }
    s->accept = g_unix_fd_add(s->listener, G_IO_IN, on_accept, s);
    return true;
}

static bool connect_to(NetSock *s, const NetAddr *at, GError **err)
{
    int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&at->sa, at->len) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(err, "connect");
    }
    sock_start(s, fd);
    connected(s, at, "connect to");
    return true;
}

/* An open socket by its number, stream or datagrams as it is. */
static bool take_fd(NetSock *s, const char *text, GError **err)
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
        NET_ERROR(err, "fd=%s is not the number of an open socket", text);
        return false;
    }
    s->datagrams = type == SOCK_DGRAM;
    sock_start(s, fd);
    family = local.sa.ss_family == AF_UNIX ? " unix" : " inet";
    if (s->netdev->kind == &net_stream) {
        connected(s, &local, "");
    } else {
        describe(s, g_strdup_printf("%sfd=%ld%s", s->netdev->kind == &net_dgram ? "" : "socket: ",
                                    fd, s->datagrams ? family : ""));
    }
    return true;
}

static bool is_on(const char *text)
{
    return text && g_strv_contains((const char *const[]){ "on", "yes", "true", NULL }, text);
}

static bool finish_open(Netdev *n, bool ok)
{
    NetSock *s = n->priv;

    if (!ok) {
        sock_close(n);
    } else if (!s->describe) {
        describe(s, g_strdup("")); /* nobody came yet */
    }
    return ok;
}

static bool stream_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *type = net_addr_opt(o, "addr", "type");
    const char *fd = net_addr_opt(o, "addr", "str");
    bool server = is_on(net_opt(o, "server")), ok;
    NetAddr at;

    if (type && g_str_equal(type, "fd")) {
        ok = take_fd(s, fd ? fd : "", err);
    } else if (server) {
        ok = net_addr_parse(o, "addr", false, true, &s->at, err) && listen_on(s, err);
    } else {
        ok = net_addr_parse(o, "addr", false, false, &at, err) && connect_to(s, &at, err);
    }
    return finish_open(n, ok);
}

/* Join the group on the interface of `local` (any if it is not given); others on this host may. */
static bool join(int fd, const NetAddr *group, const NetAddr *local)
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

/* Datagrams come to `local`, or to the group they go to. */
static bool bind_datagrams(NetSock *s, const NetAddr *local, GError **err)
{
    bool group = net_addr_multicast(&s->to);
    const NetAddr *at = group ? &s->to : local;
    int fd = socket(at->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    g_autofree char *to = net_addr_text(&s->to), *from = net_addr_text(at);

    unlink_path(at);
    if (fd < 0 || (group && !join(fd, &s->to, local)) ||
        bind(fd, (const struct sockaddr *)&at->sa, at->len) < 0) {
        fail(err, group ? "join the group" : "bind");
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    sock_start(s, fd);
    if (group) {
        describe(s, g_strconcat("mcast=", to, NULL));
    } else {
        describe(s, g_strconcat("udp=", from, at->sa.ss_family == AF_UNIX ? ":" : "/", to, NULL));
    }
    return true;
}

static bool dgram_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, true);
    const char *type = net_addr_opt(o, "local", "type"), *fd = net_addr_opt(o, "local", "str");
    NetAddr local = { .len = 0 };
    bool ok;

    if (type && g_str_equal(type, "fd")) {
        return finish_open(n, take_fd(s, fd ? fd : "", err));
    }
    ok = net_addr_parse(o, "remote", true, false, &s->to, err);
    if (ok && (type || !net_addr_multicast(&s->to))) {
        ok = net_addr_parse(o, "local", true, true, &local, err);
    }
    if (ok && local.len && local.sa.ss_family != s->to.sa.ss_family) {
        NET_ERROR(err, "local and remote must be addresses of one kind");
        ok = false;
    }
    return finish_open(n, ok && bind_datagrams(s, &local, err));
}

static bool socket_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *fd = net_opt(o, "fd"), *server = net_opt(o, "listen");
    const char *client = net_opt(o, "connect");
    NetAddr at;
    bool ok = false;

    if (fd) {
        ok = take_fd(s, fd, err);
    } else if (server) {
        ok = net_addr_host_port(server, true, &s->at, err) && listen_on(s, err);
    } else if (client) {
        ok = net_addr_host_port(client, false, &at, err) && connect_to(s, &at, err);
    } else {
        NET_ERROR(err, "it needs one of fd=, listen=HOST:PORT and connect=HOST:PORT");
    }
    return finish_open(n, ok);
}

static char *sock_info(const Netdev *n)
{
    return g_strdup(((const NetSock *)n->priv)->describe);
}

static const char *const stream_keys[] = { "addr", "server", NULL };
static const char *const dgram_keys[] = { "local", "remote", NULL };
static const char *const socket_keys[] = { "fd", "listen", "connect", NULL };
const NetKind net_stream = { "stream", stream_keys, stream_open, sock_close, sock_send, sock_info };
const NetKind net_dgram = { "dgram", dgram_keys, dgram_open, sock_close, sock_send, sock_info };
const NetKind net_socket = { "socket", socket_keys, socket_open, sock_close, sock_send, sock_info };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks over sockets: `stream` (frames behind a 4-byte big-endian length, over TCP, a Unix
 * socket or an inherited descriptor), `dgram` (a frame a datagram), and `socket`, the older form
 * of both.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netdb.h>
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
    struct sockaddr_storage to;
    socklen_t to_len;
    char *describe;
} NetSock;

static bool fail(GError **err, const char *what)
{
    NET_ERROR(err, "cannot %s: %s", what, g_strerror(errno));
    return false;
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
        sendto(s->fd, frame, len, MSG_NOSIGNAL, s->to_len ? (struct sockaddr *)&s->to : NULL,
               s->to_len);
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

/* --- addresses --- */

static bool resolve(const char *host, const char *port, bool dgram, bool passive,
                    struct sockaddr_storage *out, socklen_t *len, GError **err)
{
    struct addrinfo hints = { .ai_family = AF_INET,
                              .ai_socktype = dgram ? SOCK_DGRAM : SOCK_STREAM,
                              .ai_flags = passive ? AI_PASSIVE : 0 };
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host && *host ? host : NULL, port, &hints, &found);

    if (rc != 0) {
        NET_ERROR(err, "cannot resolve %s:%s: %s", host ? host : "", port ? port : "",
                  gai_strerror(rc));
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool unix_address(const char *path, struct sockaddr_storage *out, socklen_t *len,
                         GError **err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;

    if (strlen(path) >= sizeof(un->sun_path)) {
        NET_ERROR(err, "the socket path '%s' is longer than %zu bytes", path,
                  sizeof(un->sun_path) - 1);
        return false;
    }
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
    *len = sizeof(*un);
    return true;
}

static const char *sub(struct json_object *o, const char *object, const char *key)
{
    struct json_object *inner;

    return json_object_object_get_ex(o, object, &inner) &&
                   json_object_is_type(inner, json_type_object)
               ? net_opt(inner, key)
               : NULL;
}

/* addr.type=inet,addr.host=..,addr.port=.. or addr.type=unix,addr.path=.. */
static bool address(struct json_object *o, const char *name, bool dgram, bool passive,
                    struct sockaddr_storage *out, socklen_t *len, GError **err)
{
    const char *type = sub(o, name, "type"), *path = sub(o, name, "path");

    if (type && g_str_equal(type, "unix") && path) {
        return unix_address(path, out, len, err);
    }
    if (type && g_str_equal(type, "inet") && sub(o, name, "port")) {
        return resolve(sub(o, name, "host"), sub(o, name, "port"), dgram, passive, out, len, err);
    }
    NET_ERROR(err,
              "%s needs %s.type=inet with %s.host and %s.port, %s.type=unix with %s.path, or "
              "%s.type=fd with %s.str",
              name, name, name, name, name, name, name, name);
    return false;
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
        sock_lost(s);
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
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (peer >= 0 && s->fd < 0) {
        sock_start(s, peer);
    } else if (peer >= 0) {
        close(peer); /* one peer at a time */
    }
    return G_SOURCE_CONTINUE;
}

static bool listen_on(NetSock *s, const struct sockaddr_storage *at, socklen_t len, GError **err)
{
    int on = 1;

    s->listener = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0) {
        return fail(err, "make a socket");
    }
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->ss_family == AF_UNIX) {
        unlink(((const struct sockaddr_un *)at)->sun_path);
    }
    if (bind(s->listener, (const struct sockaddr *)at, len) < 0 || listen(s->listener, 1) < 0) {
        return fail(err, "listen");
    }
    s->accept = g_unix_fd_add(s->listener, G_IO_IN, on_accept, s);
    return true;
}

static bool connect_to(NetSock *s, const struct sockaddr_storage *at, socklen_t len, GError **err)
{
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)at, len) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(err, "connect");
    }
    sock_start(s, fd);
    return true;
}

static bool take_fd(NetSock *s, const char *text, GError **err)
{
    char *end;
    long fd = strtol(text, &end, 10);
    int type = 0;
    socklen_t len = sizeof(type);

    if (!*text || *end || fd < 0 || fd > INT_MAX ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
        NET_ERROR(err, "fd=%s is not the number of an open socket", text);
        return false;
    }
    s->datagrams = type == SOCK_DGRAM;
    sock_start(s, fd);
    return true;
}

static bool is_on(const char *text)
{
    return text && g_strv_contains((const char *const[]){ "on", "yes", "true", NULL }, text);
}

static bool finish_open(Netdev *n, bool ok, char *describe)
{
    ((NetSock *)n->priv)->describe = describe;
    if (!ok) {
        sock_close(n);
    }
    return ok;
}

static bool stream_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *type = sub(o, "addr", "type");
    struct sockaddr_storage at;
    socklen_t len;
    bool ok;

    if (type && g_str_equal(type, "fd")) {
        const char *fd = sub(o, "addr", "str");

        ok = take_fd(s, fd ? fd : "", err);
    } else {
        bool server = is_on(net_opt(o, "server"));

        ok = address(o, "addr", false, server, &at, &len, err) &&
             (server ? listen_on(s, &at, len, err) : connect_to(s, &at, len, err));
    }
    return finish_open(n, ok, g_strdup(is_on(net_opt(o, "server")) ? "server" : "client"));
}

static bool bind_datagrams(NetSock *s, const struct sockaddr_storage *local, socklen_t len,
                           GError **err)
{
    int fd = socket(local->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (local->ss_family == AF_UNIX) {
        unlink(((const struct sockaddr_un *)local)->sun_path);
    }
    if (fd < 0 || bind(fd, (const struct sockaddr *)local, len) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return fail(err, "bind");
    }
    sock_start(s, fd);
    return true;
}

static bool dgram_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, true);
    struct sockaddr_storage local;
    socklen_t len;
    const char *type = sub(o, "local", "type");
    bool ok;

    if (type && g_str_equal(type, "fd")) {
        const char *fd = sub(o, "local", "str");

        ok = take_fd(s, fd ? fd : "", err);
    } else {
        ok = address(o, "local", true, true, &local, &len, err) &&
             address(o, "remote", true, false, &s->to, &s->to_len, err) &&
             bind_datagrams(s, &local, len, err);
    }
    return finish_open(n, ok, g_strdup("udp"));
}

/* "HOST:PORT" of the older options. */
static bool host_port(const char *text, bool passive, struct sockaddr_storage *out, socklen_t *len,
                      GError **err)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, colon - text) : NULL;

    if (!colon) {
        NET_ERROR(err, "'%s' is not HOST:PORT", text);
        return false;
    }
    return resolve(host, colon + 1, false, passive, out, len, err);
}

static bool socket_open(Netdev *n, struct json_object *o, GError **err)
{
    NetSock *s = sock_new(n, false);
    const char *fd = net_opt(o, "fd"), *server = net_opt(o, "listen");
    const char *client = net_opt(o, "connect");
    struct sockaddr_storage at;
    socklen_t len;
    bool ok = false;

    if (fd) {
        ok = take_fd(s, fd, err);
    } else if (server) {
        ok = host_port(server, true, &at, &len, err) && listen_on(s, &at, len, err);
    } else if (client) {
        ok = host_port(client, false, &at, &len, err) && connect_to(s, &at, len, err);
    } else {
        NET_ERROR(err, "it needs one of fd=, listen=HOST:PORT and connect=HOST:PORT");
    }
    return finish_open(n, ok, g_strdup(fd ? "fd" : server ? server : client ? client : ""));
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

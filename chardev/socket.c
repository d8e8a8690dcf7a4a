/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets: unix and TCP, client or server, one peer at a time.
 */
#include "chardev_int.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHARDEV_BAD G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE

typedef struct Socket {
    Chardev c;
    int listener; /* -1 for a client */
    char *unlink_path;
    bool nodelay;
    GSource *listen_watch;
} Socket;

static void watch_listener(Socket *s);

static void take_peer(Socket *s, int fd)
{
    int one = 1;

    if (s->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    chardev_unwatch(&s->listen_watch);
    chardev_set_fds(&s->c, fd, fd);
}

static gboolean on_peer(gint fd, GIOCondition cond, gpointer opaque)
{
    Socket *s = opaque;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (peer < 0) {
        return G_SOURCE_CONTINUE;
    }
    take_peer(s, peer);
    return G_SOURCE_REMOVE;
}

static void watch_listener(Socket *s)
{
    if (s->listener >= 0 && !s->c.open && !s->listen_watch) {
        s->listen_watch = chardev_watch(&s->c, s->listener, G_IO_IN, on_peer);
    }
}

static void socket_hung_up(Chardev *c)
{
    watch_listener((Socket *)c);
}

static void socket_new_context(Chardev *c)
{
    Socket *s = (Socket *)c;

    chardev_unwatch(&s->listen_watch);
    watch_listener(s);
}

static bool socket_error(Chardev *c, const char *what, GError **err)
{
    g_set_error(err, CHARDEV_BAD, "character device '%s': cannot %s %s: %s", c->id, what, c->about,
                g_strerror(errno));
    return false;
}

/* --- addresses --- */

static bool unix_address(Chardev *c, const char *path, bool abstract, struct sockaddr_un *un,
                         socklen_t *len, GError **err)
{
    size_t n = strlen(path);

    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    if (n + 1 > sizeof(un->sun_path)) {
        g_set_error(err, CHARDEV_BAD,
                    "character device '%s': socket path '%s' has %zu bytes: at most %zu are "
                    "possible",
                    c->id, path, n, sizeof(un->sun_path) - 1);
        return false;
    }
    memcpy(un->sun_path + (abstract ? 1 : 0), path, n);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return true;
}

/* Bind and listen, or connect: one address. Returns the socket or -1 with errno. */
static int try_address(int family, const struct sockaddr *sa, socklen_t len, bool server)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, r;

    if (fd < 0) {
        return -1;
    }
    if (server) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        r = bind(fd, sa, len) < 0 ? -1 : listen(fd, 1);
    } else {
        do {
            r = connect(fd, sa, len);
        } while (r < 0 && errno == EINTR);
    }
    if (r < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_unix(Socket *s, struct json_object *o, bool server, GError **err)
{
    const char *path = chardev_opt(o, "path");
    struct sockaddr_un un;
    socklen_t len;
    bool abstract;
    int fd;

    s->c.about = g_strdup_printf("unix:%s%s", path, server ? ",server=on" : "");
    if (!chardev_opt_bool(o, "abstract", false, &abstract, err) ||
        !unix_address(&s->c, path, abstract, &un, &len, err)) {
        return -1;
    }
    if (server && !abstract) {
        unlink(path);
    }
    fd = try_address(AF_UNIX, (struct sockaddr *)&un, len, server);
    if (fd < 0) {
        socket_error(&s->c, server ? "listen on" : "connect to", err);
    } else if (server && !abstract) {
        s->unlink_path = g_strdup(path);
    }
    return fd;
}

static int open_tcp(Socket *s, struct json_object *o, bool server, GError **err)
{
    const char *host = chardev_opt(o, "host"), *port = chardev_opt(o, "port");
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = server ? AI_PASSIVE : 0 };
    struct addrinfo *list = NULL;
    int fd = -1, r;

    host = host && *host ? host : NULL;
    s->c.about = g_strdup_printf("tcp:%s:%s%s", host ? host : "", port, server ? ",server=on" : "");
    r = getaddrinfo(host, port, &hints, &list);
    if (r != 0) {
        g_set_error(err, CHARDEV_BAD, "character device '%s': address '%s' cannot be found: %s",
                    s->c.id, s->c.about, gai_strerror(r));
        return -1;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = try_address(a->ai_family, a->ai_addr, a->ai_addrlen, server);
    }
    if (fd < 0) {
        socket_error(&s->c, server ? "listen on" : "connect to", err);
    }
    freeaddrinfo(list);
    return fd;
}

/* A descriptor that the parent passed: fd=N. */
static int open_fd(Socket *s, struct json_object *o, GError **err)
{
    const char *text = chardev_opt(o, "fd");
    guint64 n;
    int type;
    socklen_t len = sizeof(type);

    s->c.about = g_strdup_printf("fd:%s", text);
    if (!g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, &n, NULL) ||
        getsockopt((int)n, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
        g_set_error(err, CHARDEV_BAD,
                    "character device '%s': fd=%s is no open socket: pass the number of an "
                    "inherited one",
                    s->c.id, text);
        return -1;
    }
    return (int)n;
}

static int open_address(Socket *s, struct json_object *o, bool server, GError **err)
{
    if (chardev_opt(o, "fd")) {
        return open_fd(s, o, err);
    }
    if (chardev_opt(o, "path")) {
        return open_unix(s, o, server, err);
    }
    if (chardev_opt(o, "port")) {
        return open_tcp(s, o, server, err);
    }
    g_set_error(
        err, CHARDEV_BAD,
        "character device '%s' of kind socket needs path=, host= and port=, or fd=", s->c.id);
    return -1;
}

/* --- opening --- */

/* server=on,wait=on: nothing starts before a peer is there. Termination signals, which the main
 * loop would take, end the wait. */
static bool wait_for_peer(Socket *s, GError **err)
{
    struct pollfd p = { .fd = s->listener, .events = POLLIN };
    sigset_t none;
    int fd;

    sigemptyset(&none);
    g_printerr("waiting for a connection on %s\n", s->c.about);
    while (ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR) {
    }
    fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return socket_error(&s->c, "accept on", err);
    }
    take_peer(s, fd);
    return true;
}

static bool socket_open(Chardev *c, struct json_object *o, GError **err)
{
    Socket *s = (Socket *)c;
    bool server, wait;
    int fd;

    s->listener = -1;
    c->is_socket = true;
    if (!chardev_opt_bool(o, "server", false, &server, err) ||
        !chardev_opt_bool(o, "wait", true, &wait, err) ||
        !chardev_opt_bool(o, "nodelay", false, &s->nodelay, err)) {
        return false;
    }
    if (!server && chardev_opt(o, "wait")) {
        g_set_error(err, CHARDEV_BAD, "character device '%s': wait= goes with server=on", c->id);
        return false;
    }
    fd = open_address(s, o, server, err);
    if (fd < 0) {
        return false;
    }
    if (!server) {
        take_peer(s, fd);
        return true;
    }
    s->listener = fd;
    if (wait) {
        return wait_for_peer(s, err);
    }
    watch_listener(s);
    return true;
}

static void socket_close(Chardev *c)
{
    Socket *s = (Socket *)c;

    chardev_unwatch(&s->listen_watch);
    if (s->listener >= 0) {
        close(s->listener);
    }
    if (s->unlink_path) {
        unlink(s->unlink_path);
        g_free(s->unlink_path);
    }
}

static const char *const socket_keys[] = { "path", "host",     "port",    "fd", "server",
                                           "wait", "abstract", "nodelay", NULL };
const ChardevKind chardev_socket = {
    .name = "socket",
    .doc = "path= (unix) or host=,port= (TCP); server=on,wait=off to listen",
    .keys = socket_keys,
    .size = sizeof(Socket),
    .open = socket_open,
    .close = socket_close,
    .hung_up = socket_hung_up,
    .new_context = socket_new_context,
};

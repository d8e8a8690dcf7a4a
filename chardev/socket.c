/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets: unix and TCP, client or server, one peer at a time.
 */
#include "internal.h"
#include "telnet_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/connector.h"
#include "util/host.h"
#include "util/listener.h"
#include "util/log.h"

/* chardev-add waits this long for a connection; the client then continues in the background. */
#define ADD_WAIT_MS   20
#define RECONNECT_MAX 86400000 /* ms: a day */

typedef struct Socket {
    Chardev c;
    int listen_fd;              /* -1 for a client */
    struct sockaddr_storage at; /* of a unix socket, client or server */
    socklen_t at_len;
    bool bound;        /* the socket's file was created here */
    char *host, *port; /* of a TCP client */
    bool nodelay;
    Telnet telnet;         /* with telnet=on */
    unsigned reconnect_ms; /* of a client, 0: never */
    Listener *listener;    /* while a server has no peer */
    Connector *connector;  /* while a client connects */
    GSource *timer;        /* until the next attempt */
} Socket;

static const ChardevKind chardev_socket_telnet;

static void socket_watch_listener(Socket *s);
static void socket_connect_later(Socket *s);

static void socket_take_peer(Socket *s, int fd)
{
    int one = 1;

    if (s->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    listener_free(s->listener);
    s->listener = NULL;
    if (s->c.kind == &chardev_socket_telnet) {
        memset(&s->telnet, 0, sizeof(s->telnet));
        if (s->listen_fd >= 0) {
            telnet_greet(fd);
        }
    }
    chardev_set_fds(&s->c, fd, fd);
}

static void socket_on_peer(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len)
{
    socket_take_peer(opaque, fd);
}

static void socket_watch_listener(Socket *s)
{
    if (s->listen_fd >= 0 && !s->c.open && !s->listener) {
        s->listener = listener_new(s->listen_fd, s->c.context, socket_on_peer, s);
    }
}

/* --- clients --- */

static Connector *socket_make_connector(Socket *s)
{
    return s->port ? connector_new_host(s->host, s->port, AF_UNSPEC)
                   : connector_new((struct sockaddr *)&s->at, s->at_len);
}

static void socket_on_connected(void *opaque, int fd, const GError *err)
{
    Socket *s = opaque;

    g_clear_pointer(&s->connector, connector_free);
    if (fd >= 0) {
        socket_take_peer(s, fd);
    } else if (s->reconnect_ms) {
        socket_connect_later(s);
    } else {
        log_line("character device '%s': cannot connect to %s: %s", s->c.id, s->c.about,
                 err->message);
    }
}

static void socket_connect_now(Socket *s)
{
    s->connector = socket_make_connector(s);
    connector_start(s->connector, s->c.context, socket_on_connected, s);
}

static gboolean socket_on_timer(gpointer opaque)
{
    Socket *s = opaque;

    chardev_unwatch(&s->timer);
    socket_connect_now(s);
    return G_SOURCE_REMOVE;
}

static void socket_connect_later(Socket *s)
{
    s->timer = g_timeout_source_new(s->reconnect_ms);
    g_source_set_callback(s->timer, socket_on_timer, s, NULL);
    g_source_attach(s->timer, s->c.context);
}

static void socket_hung_up(Chardev *c)
{
    Socket *s = (Socket *)c;

    socket_watch_listener(s);
    if (s->reconnect_ms) {
        socket_connect_later(s);
    }
}

/* Move the sources that wait for a peer to the new context. */
static void socket_new_context(Chardev *c)
{
    Socket *s = (Socket *)c;
    bool connecting = s->connector || s->timer;

    listener_free(s->listener);
    s->listener = NULL;
    socket_watch_listener(s);
    g_clear_pointer(&s->connector, connector_free);
    chardev_unwatch(&s->timer);
    if (connecting) {
        socket_connect_now(s);
    }
}

static bool socket_error(Chardev *c, const char *what, GError **err)
{
    return error_set_errno(err, errno, "character device '%s': cannot %s %s", c->id, what,
                           c->about);
}

/* --- addresses --- */

static bool socket_unix_address(Socket *s, const char *path, bool abstract, GError **err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&s->at;
    size_t n = strlen(path);

    un->sun_family = AF_UNIX;
    if (n + 1 > sizeof(un->sun_path)) {
        return error_set(err, ERROR_USER,
                         "character device '%s': socket path '%s' has %zu bytes; at most %zu are "
                         "possible",
                         s->c.id, path, n, sizeof(un->sun_path) - 1);
    }
    memcpy(un->sun_path + (abstract ? 1 : 0), path, n);
    s->at_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return true;
}

/* mode=0660: the mode of the socket's file. */
static bool socket_read_mode(Socket *s, struct json_object *o, mode_t *mode, GError **err)
{
    const char *text = chardev_opt(o, "mode");
    char *end;
    unsigned long value;

    *mode = UNIX_SOCKET_MODE;
    if (!text) {
        return true;
    }
    value = strtoul(text, &end, 8);
    if (!g_ascii_isdigit(*text) || *end || value > 0777) {
        return error_set(err, ERROR_USER,
                         "character device '%s': mode=%s: use an octal number up to 0777", s->c.id,
                         text);
    }
    *mode = (mode_t)value;
    return true;
}

static bool socket_open_unix(Socket *s, struct json_object *o, bool server, GError **err)
{
    const char *path = chardev_opt(o, "path");
    bool abstract;
    mode_t mode;

    s->c.about = g_strdup_printf("unix:%s%s", path, server ? ",server=on" : "");
    if (!chardev_opt_bool(o, "abstract", false, &abstract, err) ||
        !socket_read_mode(s, o, &mode, err) || !socket_unix_address(s, path, abstract, err)) {
        return false;
    }
    if (server && !s->c.machine->dry_run) {
        s->listen_fd = socket_listen((struct sockaddr *)&s->at, s->at_len, mode, 1, false);
        s->bound = s->listen_fd >= 0;
    }
    return !server || s->c.machine->dry_run || s->bound || socket_error(&s->c, "listen on", err);
}

static bool socket_listen_tcp(Socket *s, GError **err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *list = NULL;
    int r = resolve_wait(s->host, s->port, &hints, &list);

    if (r != 0) {
        return error_set(err, ERROR_USER,
                         "character device '%s': address '%s' cannot be resolved: %s", s->c.id,
                         s->c.about, gai_strerror(r));
    }
    for (struct addrinfo *a = list; a && s->listen_fd < 0; a = a->ai_next) {
        s->listen_fd = socket_listen(a->ai_addr, a->ai_addrlen, 0, 1, false);
    }
    if (s->listen_fd < 0) {
        socket_error(&s->c, "listen on", err);
    }
    freeaddrinfo(list);
    return s->listen_fd >= 0;
}

static bool socket_open_tcp(Socket *s, struct json_object *o, bool server, GError **err)
{
    const char *host = chardev_opt(o, "host");

    if (!chardev_port_check(&s->c, chardev_opt(o, "port"), err)) {
        return false;
    }

    s->host = host && *host ? g_strdup(host) : NULL;
    s->port = g_strdup(chardev_opt(o, "port"));
    s->c.about =
        g_strdup_printf("%s:%s:%s%s", s->c.kind == &chardev_socket_telnet ? "telnet" : "tcp",
                        s->host ? s->host : "", s->port, server ? ",server=on" : "");
    return !server || s->c.machine->dry_run || socket_listen_tcp(s, err);
}

/* A descriptor that the parent passed: fd=N. */
static int socket_inherited_fd(Socket *s, struct json_object *o, GError **err)
{
    const char *text = chardev_opt(o, "fd");
    guint64 n;
    int type;
    socklen_t len = sizeof(type);

    s->c.about = g_strdup_printf("fd:%s", text);
    if (!g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, &n, NULL) ||
        getsockopt((int)n, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
        error_set(err, ERROR_USER,
                  "character device '%s': fd=%s is not an open socket: use the number of an "
                  "inherited socket",
                  s->c.id, text);
        return -1;
    }
    return (int)n;
}

/* --- opening --- */

/* server=on,wait=on: wait until a peer connects. Termination signals, which the main loop handles
 * later, end the wait. */
static bool socket_wait_for_peer(Socket *s, GError **err)
{
    struct pollfd p = { .fd = s->listen_fd, .events = POLLIN };
    sigset_t none;
    int fd;

    sigemptyset(&none);
    message("waiting for a connection on %s", s->c.about);
    while (ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR) {
    }
    fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return socket_error(&s->c, "accept on", err);
    }
    socket_take_peer(s, fd);
    return true;
}

static bool socket_start_server(Socket *s, bool wait, GError **err)
{
    if (wait) {
        return socket_wait_for_peer(s, err);
    }
    socket_watch_listener(s);
    return true;
}

/* Wait for the connection while the process starts, unless reconnect= allows it later. */
static bool socket_start_client(Socket *s, GError **err)
{
    GError *why = NULL;
    int fd, r;

    if (s->reconnect_ms) {
        socket_connect_now(s);
        return true;
    }
    s->connector = socket_make_connector(s);
    r = connector_wait(s->connector, host_in_main_loop() ? ADD_WAIT_MS : -1, &fd, &why);
    if (r == 0) {
        connector_start(s->connector, s->c.context, socket_on_connected, s);
        return true;
    }
    g_clear_pointer(&s->connector, connector_free);
    if (r < 0) {
        error_set(err, ERROR_USER, "character device '%s': cannot connect to %s: %s", s->c.id,
                  s->c.about, why->message);
        g_error_free(why);
        return false;
    }
    socket_take_peer(s, fd);
    return true;
}

/* reconnect=SECONDS, reconnect-ms=MILLISECONDS */
static bool socket_read_reconnect(Socket *s, struct json_object *o, GError **err)
{
    const char *seconds = chardev_opt(o, "reconnect"), *ms = chardev_opt(o, "reconnect-ms");
    guint64 value = 0;

    if ((seconds && ms) ||
        (seconds &&
         !g_ascii_string_to_unsigned(seconds, 10, 0, RECONNECT_MAX / 1000, &value, NULL)) ||
        (ms && !g_ascii_string_to_unsigned(ms, 10, 0, RECONNECT_MAX, &value, NULL))) {
        return error_set(err, ERROR_USER,
                         "character device '%s': use only one of reconnect=SECONDS and "
                         "reconnect-ms=MILLISECONDS, up to a day, 0 for never",
                         s->c.id);
    }
    s->reconnect_ms = (unsigned)(seconds ? value * 1000 : value);
    return true;
}

/* Check for options that only servers or only clients accept. */
static bool socket_check_role(Socket *s, struct json_object *o, bool server, GError **err)
{
    static const char *const of_client[] = { "reconnect", "reconnect-ms" };
    static const char *const of_server[] = { "wait", "mode" };

    for (size_t i = 0; i < G_N_ELEMENTS(of_client); i++) {
        const char *wrong = server ? of_client[i] : of_server[i];

        if (chardev_opt(o, wrong)) {
            return error_set(err, ERROR_USER, "character device '%s': %s= requires server=%s",
                             s->c.id, wrong, server ? "off" : "on");
        }
    }
    return true;
}

static bool socket_open_address(Socket *s, struct json_object *o, bool server, GError **err)
{
    const char *path = chardev_opt(o, "path");

    if (path && (!*path || chardev_opt(o, "host") || chardev_opt(o, "port"))) {
        return error_set(err, ERROR_USER, "character device '%s': path=%s: %s", s->c.id, path,
                         *path ? "use either path= or host= and port="
                               : "the path of the socket must not be empty");
    }
    if (path) {
        return socket_open_unix(s, o, server, err);
    }
    if (chardev_opt(o, "port")) {
        return socket_open_tcp(s, o, server, err);
    }
    return error_set(
        err, ERROR_USER,
        "character device '%s': type socket requires path=, host= and port=, or fd=", s->c.id);
}

static bool socket_open_inherited(Socket *s, struct json_object *o, bool server, bool wait,
                                  GError **err)
{
    int fd = socket_inherited_fd(s, o, err);

    if (fd < 0 || s->c.machine->dry_run) {
        return fd >= 0;
    }
    if (!server) {
        socket_take_peer(s, fd);
        return true;
    }
    s->listen_fd = fd;
    return socket_start_server(s, wait, err);
}

static bool socket_open(Chardev *c, struct json_object *o, GError **err)
{
    Socket *s = (Socket *)c;
    bool server, wait, telnet, late = host_in_main_loop();

    s->listen_fd = -1;
    c->is_socket = true;
    if (!chardev_opt_bool(o, "server", false, &server, err) ||
        !chardev_opt_bool(o, "wait", !late, &wait, err) ||
        !chardev_opt_bool(o, "nodelay", false, &s->nodelay, err) ||
        !chardev_opt_bool(o, "telnet", false, &telnet, err) ||
        !socket_check_role(s, o, server, err) || !socket_read_reconnect(s, o, err)) {
        return false;
    }
    if (server && wait && late) {
        return error_set(
            err, ERROR_USER,
            "character device '%s': wait=on would block the machine; it is accepted only "
            "when the emulator starts",
            c->id);
    }
    if (telnet) {
        c->kind = &chardev_socket_telnet;
    }
    if (chardev_opt(o, "fd")) {
        return socket_open_inherited(s, o, server, wait, err);
    }
    if (c->machine->dry_run) {
        return socket_open_address(s, o, server, err);
    }
    return socket_open_address(s, o, server, err) &&
           (server ? socket_start_server(s, wait, err) : socket_start_client(s, err));
}

static void socket_close(Chardev *c)
{
    Socket *s = (Socket *)c;

    listener_free(s->listener);
    connector_free(s->connector);
    chardev_unwatch(&s->timer);
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
    }
    if (s->bound) {
        socket_unlink((struct sockaddr *)&s->at);
    }
    g_free(s->host);
    g_free(s->port);
}

static size_t socket_telnet_input(Chardev *c, uint8_t *buf, size_t len)
{
    return telnet_input(&((Socket *)c)->telnet, c, buf, len);
}

#define SOCKET_KIND                                                                                \
    .name = "socket",                                                                              \
    .doc = "path= (unix) or host=,port= (TCP); server=on,wait=off to listen, mode=0660 for the "   \
           "socket's file (default 0600); telnet=on; reconnect=SECONDS for a client",              \
    .keys = socket_keys, .size = sizeof(Socket), .open = socket_open, .close = socket_close,       \
    .hung_up = socket_hung_up, .new_context = socket_new_context

static const char *const socket_keys[] = { "path", "host",         "port",    "fd",        "server",
                                           "wait", "abstract",     "nodelay", "reconnect", "telnet",
                                           "mode", "reconnect-ms", NULL };
const ChardevKind chardev_socket = { SOCKET_KIND };
/* a socket with telnet=on */
static const ChardevKind chardev_socket_telnet = {
    SOCKET_KIND,
    .filter = socket_telnet_input,
    .write = telnet_write,
};

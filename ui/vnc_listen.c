/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of the VNC server.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/connector.h"
#include "util/error.h"
#include "vnc_internal.h"

enum { VNC_BACKLOG = 8 };

void vnc_peer_clear(VncPeer *p)
{
    g_clear_pointer(&p->host, g_free);
    g_clear_pointer(&p->service, g_free);
}

void vnc_peer_set(VncPeer *p, const struct sockaddr *sa, socklen_t len)
{
    char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
    bool is_unix = sa->sa_family == AF_UNIX;
    size_t start = offsetof(struct sockaddr_un, sun_path);

    vnc_peer_clear(p);
    if (is_unix && len > start)
        g_strlcpy(host, (const char *)sa + start, MIN(len - start + 1, sizeof(host)));
    else if (!is_unix)
        getnameinfo(sa, len, host, sizeof(host), service, sizeof(service),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    *p = (VncPeer){ g_utf8_make_valid(host, -1), g_strdup(service),
                    is_unix                     ? "unix"
                    : sa->sa_family == AF_INET6 ? "ipv6"
                                                : "ipv4" };
}

/* Add a listening socket. Return 0 or errno. */
static int vnc_listen_at(VncServer *v, const struct sockaddr *sa, socklen_t len, bool v6_only)
{
    int fd = socket_listen(sa, len, UNIX_SOCKET_MODE, VNC_BACKLOG, v6_only);

    if (fd < 0)
        return errno;
    v->fds[v->n_addresses] = fd;
    vnc_peer_set(&v->addresses[v->n_addresses++], sa, len);
    return 0;
}

void vnc_listen_close(VncServer *v)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    while (v->n_addresses > 0) {
        v->n_addresses--;
        listener_free(v->listeners[v->n_addresses]);
        close(v->fds[v->n_addresses]);
        vnc_peer_clear(&v->addresses[v->n_addresses]);
    }
    if (v->unix_path) {
        g_strlcpy(sa.sun_path, v->unix_path, sizeof(sa.sun_path));
        socket_unlink((const struct sockaddr *)&sa);
        g_clear_pointer(&v->unix_path, g_free);
    }
}

static bool vnc_listen_unix(VncServer *v, const char *path, GError **err)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int failed;

    if (!*path || strlen(path) >= sizeof(sa.sun_path))
        return error_set(err, ERROR_USER, "vnc: the path '%s' has %zu bytes; 1 to %zu are accepted",
                         path, strlen(path), sizeof(sa.sun_path) - 1);
    if (v->m->dry_run)
        return true;
    g_strlcpy(sa.sun_path, path, sizeof(sa.sun_path));
    failed = vnc_listen_at(v, (const struct sockaddr *)&sa, sizeof(sa), false);
    if (failed)
        return error_set_errno(err, failed, "vnc: cannot listen on '%s'", path);
    v->unix_path = g_strdup(path);
    return true;
}

static void vnc_set_port(struct sockaddr *sa, uint16_t port)
{
    if (sa->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)sa)->sin_port = htons(port);
}

/* Listen on all addresses of a host at one port. Return 0 or errno. */
static int vnc_listen_port(VncServer *v, const struct addrinfo *list, uint64_t display, int family)
{
    int failed = EADDRNOTAVAIL;

    for (const struct addrinfo *a = list; a && v->n_addresses < VNC_MAX_ADDRESSES; a = a->ai_next) {
        vnc_set_port(a->ai_addr, (uint16_t)(VNC_BASE_PORT + display));
        failed = vnc_listen_at(v, a->ai_addr, a->ai_addrlen, family == AF_INET6);
        if (failed)
            break;
    }
    if (failed)
        vnc_listen_close(v);
    return failed;
}

/* Listen on a host at the first port that is not in use. */
static bool vnc_listen_host(VncServer *v, const char *host, uint64_t display,
                            const VncOptions *options, GError **err)
{
    const struct addrinfo hints = { .ai_family = options->family,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE };
    struct addrinfo *list;
    int failed = resolve_wait(host, NULL, &hints, &list);

    if (failed)
        return error_set(err, ERROR_HOST, "vnc: host '%s': %s", host, gai_strerror(failed));
    for (uint64_t n = display; n <= MAX(display, options->last); n++) {
        failed = vnc_listen_port(v, list, n, options->family);
        if (failed != EADDRINUSE)
            break;
    }
    freeaddrinfo(list);
    return !failed || error_set_errno(err, failed, "vnc: cannot listen on '%s'", options->address);
}

/* Listen on "[HOST]:N". */
static bool vnc_listen_tcp(VncServer *v, const VncOptions *options, GError **err)
{
    const char *text = options->address, *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    guint64 display;

    if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, VNC_MAX_DISPLAY, &display, NULL))
        return error_set(err, ERROR_USER,
                         "vnc: '%s' is not an address: use [HOST]:N with the number of a display "
                         "(0 to %d), unix:PATH or none",
                         text, VNC_MAX_DISPLAY);
    if (options->last && options->last < display)
        return error_set(err, ERROR_USER,
                         "vnc: to=%" PRIu64 " is below the display number %" PRIu64, options->last,
                         display);
    host = *text == '[' && colon > text + 1 && colon[-1] == ']'
               ? g_strndup(text + 1, (gsize)(colon - text) - 2)
               : g_strndup(text, (gsize)(colon - text));
    if (!*host) {
        g_free(host);
        host = g_strdup(options->family == AF_INET6 ? "::1" : "127.0.0.1");
    }
    return v->m->dry_run || vnc_listen_host(v, host, display, options, err);
}

bool vnc_listen(VncServer *v, const VncOptions *options, GError **err)
{
    if (g_str_has_prefix(options->address, "unix:"))
        return vnc_listen_unix(v, options->address + strlen("unix:"), err);
    return vnc_listen_tcp(v, options, err);
}

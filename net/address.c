/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses of networks: parsing of options, and the text for monitors.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "internal.h"
#include "machine-events.h"
#include "util/connector.h"
#include "util/listener.h"

static bool net_addr_is_on(const char *text)
{
    return text && g_strv_contains((const char *const[]){ "on", "yes", "true", NULL }, text);
}

/* IPv4, unless only IPv6 is requested or the host is an IPv6 address. */
static int net_addr_family(const char *host, const char *ipv4, const char *ipv6)
{
    bool six = ipv6 && net_addr_is_on(ipv6) && !(ipv4 && net_addr_is_on(ipv4));

    return six || (host && strchr(host, ':')) ? AF_INET6 : AF_INET;
}

static bool net_addr_resolve(const char *host, const char *port, int af, bool dgram, bool passive,
                             NetAddr *out, GError **err)
{
    struct addrinfo hints = { .ai_family = af,
                              .ai_socktype = dgram ? SOCK_DGRAM : SOCK_STREAM,
                              .ai_flags = passive ? AI_PASSIVE : 0 };
    struct addrinfo *found = NULL;
    int rc = resolve_wait(host, port, &hints, &found);

    if (rc != 0) {
        return error_set(err, ERROR_USER, "cannot resolve %s:%s: %s", host ? host : "",
                         port ? port : "", gai_strerror(rc));
    }
    memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

/* An abstract name begins with a zero byte, and its length is part of the address. */
static bool net_addr_unix_address(const char *path, bool abstract, NetAddr *out, GError **err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;
    size_t len = strlen(path);

    if (len + 1 > sizeof(un->sun_path)) {
        return error_set(err, ERROR_USER, "the socket path '%s' is longer than %zu bytes", path,
                         sizeof(un->sun_path) - 1);
    }
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path + abstract, path, len);
    out->len = abstract ? offsetof(struct sockaddr_un, sun_path) + 1 + len : sizeof(*un);
    return true;
}

/* The mode of the file of a unix socket. */
static bool net_addr_read_mode(const char *text, NetAddr *out, GError **err)
{
    char *end;
    unsigned long mode = text ? strtoul(text, &end, 8) : UNIX_SOCKET_MODE;

    if (text && (!g_ascii_isdigit(*text) || *end || mode > 0777)) {
        return error_set(err, ERROR_USER, "mode=%s: use an octal number up to 0777", text);
    }
    out->mode = (mode_t)mode;
    return true;
}

const char *net_addr_opt(struct json_object *o, const char *name, const char *key)
{
    struct json_object *inner;

    return json_object_object_get_ex(o, name, &inner) &&
                   json_object_is_type(inner, json_type_object)
               ? net_opt(inner, key)
               : NULL;
}

bool net_addr_parse(struct json_object *o, const char *name, bool dgram, bool passive, NetAddr *out,
                    GError **err)
{
    const char *type = net_addr_opt(o, name, "type"), *path = net_addr_opt(o, name, "path");
    const char *host = net_addr_opt(o, name, "host"), *port = net_addr_opt(o, name, "port");

    if (type && g_str_equal(type, "unix") && path) {
        if (!net_addr_read_mode(net_addr_opt(o, name, "mode"), out, err)) {
            return false;
        }
        return net_addr_unix_address(path, net_addr_is_on(net_addr_opt(o, name, "abstract")), out,
                                     err);
    }
    if (type && g_str_equal(type, "inet") && port) {
        int af =
            net_addr_family(host, net_addr_opt(o, name, "ipv4"), net_addr_opt(o, name, "ipv6"));

        return net_addr_resolve(host, port, af, dgram, passive, out, err);
    }
    return error_set(
        err, ERROR_USER,
        "%s requires %s.type=inet with %s.host and %s.port, %s.type=unix with %s.path, or "
        "%s.type=fd with %s.str",
        name, name, name, name, name, name, name, name);
}

bool net_addr_host_port(const char *text, bool passive, NetAddr *out, GError **err)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, colon - text) : NULL;

    if (!colon) {
        return error_set(err, ERROR_USER, "'%s' is not HOST:PORT", text);
    }
    return net_addr_resolve(host, colon + 1, net_addr_family(host, NULL, NULL), false, passive, out,
                            err);
}

static const char *net_addr_unix_path(const NetAddr *a, bool *abstract)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;
    bool named = a->len > offsetof(struct sockaddr_un, sun_path) + 1;

    *abstract = named && !un->sun_path[0];
    return named ? un->sun_path + *abstract : "";
}

/* The numeric host and port. */
static void net_addr_inet_parts(const NetAddr *a, char *host, size_t room, unsigned *port)
{
    bool six = a->sa.ss_family == AF_INET6;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

    inet_ntop(a->sa.ss_family, six ? (const void *)&in6->sin6_addr : &in->sin_addr, host, room);
    *port = ntohs(six ? in6->sin6_port : in->sin_port);
}

char *net_addr_text(const NetAddr *a)
{
    char host[INET6_ADDRSTRLEN] = "";
    bool abstract;
    unsigned port;

    if (a->sa.ss_family == AF_UNIX) {
        return g_strdup(net_addr_unix_path(a, &abstract));
    }
    net_addr_inet_parts(a, host, sizeof(host), &port);
    return g_strdup_printf("%s:%u", host, port);
}

static EventField net_event_str(const char *name, const char *value)
{
    return (EventField){ name, EVENT_STR, { .str = value } };
}

static EventField net_event_on(const char *name)
{
    return (EventField){ name, EVENT_BOOL, { .on = true } };
}

void net_addr_event(const Netdev *n, const NetAddr *peer)
{
    bool abstract = false, local = peer->sa.ss_family == AF_UNIX;
    char host[INET6_ADDRSTRLEN] = "";
    g_autofree char *service = NULL;
    EventField fields[4];
    EventObject addr = { .fields = fields };
    unsigned port;

    fields[addr.n_fields++] = net_event_str("type", local ? "unix" : "inet");
    if (local) {
        fields[addr.n_fields++] = net_event_str("path", net_addr_unix_path(peer, &abstract));
        if (abstract) {
            fields[addr.n_fields++] = net_event_on("abstract");
        }
    } else {
        net_addr_inet_parts(peer, host, sizeof(host), &port);
        service = g_strdup_printf("%u", port);
        fields[addr.n_fields++] = net_event_str("host", host);
        fields[addr.n_fields++] = net_event_str("port", service);
        fields[addr.n_fields++] = net_event_on(peer->sa.ss_family == AF_INET6 ? "ipv6" : "ipv4");
    }
    event_netdev_stream_connected(n->machine, n->id, &addr);
}

bool net_addr_multicast(const NetAddr *a)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&a->sa;

    return a->sa.ss_family == AF_INET && IN_MULTICAST(ntohl(in->sin_addr.s_addr));
}

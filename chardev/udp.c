/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP: output is sent to one peer as datagrams, and datagrams of this peer are input. Datagrams may
 * be lost, as UDP allows: errors of the network end nothing.
 */
#include "internal.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/connector.h"

#define UDP_SEND_MAX 8192 /* bytes in a datagram that is sent */

typedef struct Udp {
    Chardev c;
    size_t at, len;          /* the bytes of `input` that the front end has not accepted yet */
    uint8_t input[64 << 10]; /* the last datagram received */
} Udp;

static void udp_deliver(Udp *u)
{
    size_t room;

    while (u->at < u->len && (room = chardev_front_room(&u->c)) > 0) {
        size_t n = MIN(room, u->len - u->at), at = u->at;

        u->at += n;
        u->c.front.read(u->c.front.opaque, u->input + at, n);
    }
}

static gboolean udp_on_readable(gint fd, GIOCondition cond, gpointer opaque)
{
    Udp *u = opaque;
    ssize_t n;

    if (u->at == u->len && chardev_front_room(&u->c) > 0) {
        n = recv(fd, u->input, sizeof(u->input), MSG_DONTWAIT);
        u->at = 0;
        u->len = n > 0 ? (size_t)n : 0; /* an error reports a datagram that was not delivered */
        udp_deliver(u);
    }
    if (u->at == u->len && chardev_front_room(&u->c) > 0) {
        return G_SOURCE_CONTINUE;
    }
    chardev_unwatch(&u->c.in_watch);
    return G_SOURCE_REMOVE;
}

static void udp_accept_input(Chardev *c)
{
    Udp *u = (Udp *)c;

    udp_deliver(u);
    if (c->fd_out >= 0 && u->at == u->len && chardev_front_room(c) > 0 && !c->in_watch) {
        c->in_watch = chardev_watch(c, c->fd_out, G_IO_IN | G_IO_ERR, udp_on_readable);
    }
}

static size_t udp_write(Chardev *c, const uint8_t *buf, size_t len)
{
    g_mutex_lock(&c->out_lock);
    for (size_t done = 0; c->fd_out >= 0 && done < len; done += UDP_SEND_MAX) {
        send(c->fd_out, buf + done, MIN(len - done, UDP_SEND_MAX), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    g_mutex_unlock(&c->out_lock);
    return len;
}

/* Resolve an address. Null with *err; the caller frees it with freeaddrinfo(). */
static struct addrinfo *udp_resolve(Chardev *c, const char *host, const char *port, int family,
                                    int flags, GError **err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = family, .ai_flags = flags };
    struct addrinfo *list = NULL;
    int r = resolve_wait(host && *host ? host : NULL, port, &hints, &list);

    if (r != 0) {
        error_set(err, ERROR_USER, "character device '%s': address '%s:%s' cannot be resolved: %s",
                  c->id, host ? host : "", port, gai_strerror(r));
        return NULL;
    }
    return list;
}

static bool udp_error(Chardev *c, int fd, const char *what, const char *host, const char *port,
                      GError **err)
{
    int saved = errno;

    if (fd >= 0) {
        close(fd);
    }
    return error_set_errno(err, saved, "character device '%s': cannot %s udp:%s:%s", c->id, what,
                           host ? host : "", port);
}

static bool udp_connect(Chardev *c, struct json_object *o, const struct addrinfo *peer,
                        GError **err)
{
    const char *host = chardev_opt(o, "localaddr"), *port = chardev_opt(o, "localport");
    struct addrinfo *local =
        udp_resolve(c, host, port && *port ? port : "0", peer->ai_family, AI_PASSIVE, err);
    int fd, one = 1;

    if (!local) {
        return false;
    }
    fd = socket(peer->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (fd < 0 || bind(fd, local->ai_addr, local->ai_addrlen) < 0) {
        freeaddrinfo(local);
        return udp_error(c, fd, "bind", host, port ? port : "0", err);
    }
    freeaddrinfo(local);
    if (connect(fd, peer->ai_addr, peer->ai_addrlen) < 0) {
        return udp_error(c, fd, "connect to", chardev_opt(o, "host"), chardev_opt(o, "port"), err);
    }
    chardev_set_fds(c, -1, fd);
    return true;
}

static bool udp_read_option(struct json_object *o, const char *key, FamilyOption *option,
                            GError **err)
{
    bool on;

    if (!chardev_opt_bool(o, key, false, &on, err)) {
        return false;
    }
    *option = on ? FAMILY_ON : chardev_opt(o, key) ? FAMILY_OFF : FAMILY_AUTO;
    return true;
}

static bool udp_read_family(Chardev *c, struct json_object *o, int *family, GError **err)
{
    FamilyOption ipv4, ipv6;

    if (!udp_read_option(o, "ipv4", &ipv4, err) || !udp_read_option(o, "ipv6", &ipv6, err)) {
        return false;
    }
    *family = resolve_family(ipv4, ipv6);
    return *family >= 0 ||
           error_set(err, ERROR_USER,
                     "character device '%s': ipv4=off and ipv6=off exclude each address", c->id);
}

static bool udp_open(Chardev *c, struct json_object *o, GError **err)
{
    const char *host = chardev_opt(o, "host"), *port = chardev_opt(o, "port");
    const char *local = chardev_opt(o, "localport");
    struct addrinfo *peer;
    int family;
    bool ok;

    if (!port || !*port) {
        return error_set(err, ERROR_USER, "character device '%s': type udp requires port=", c->id);
    }
    if (!chardev_port_check(c, port, err) || !chardev_port_check(c, local, err) ||
        !udp_read_family(c, o, &family, err)) {
        return false;
    }
    c->about = g_strdup_printf("udp:%s:%s@%s:%s", host ? host : "", port,
                               chardev_opt(o, "localaddr") ? chardev_opt(o, "localaddr") : "",
                               local ? local : "0");
    if (c->machine->dry_run) {
        return true;
    }
    peer = udp_resolve(c, host && *host ? host : "localhost", port, family, 0, err);
    ok = peer && udp_connect(c, o, peer, err);
    if (peer) {
        freeaddrinfo(peer);
    }
    return ok;
}

static const char *const udp_keys[] = { "host", "port", "localaddr", "localport",
                                        "ipv4", "ipv6", NULL };
const ChardevKind chardev_udp = {
    .name = "udp",
    .doc = "host=,port= of the peer (default host: localhost); localaddr=,localport= to receive at",
    .keys = udp_keys,
    .size = sizeof(Udp),
    .open = udp_open,
    .write = udp_write,
    .accept_input = udp_accept_input,
};

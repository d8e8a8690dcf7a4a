/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake of a VNC client: version, password, ClientInit.
 *
 * The client's thread collects each message, so that the library processes complete messages only
 * and never waits for the client. Meanwhile the library is connected to a socket pair; it gets the
 * socket of the client when the handshake is complete. This also keeps peers away from the
 * WebSocket and TLS code of the library, which reads the first bytes of its socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "vnc_internal.h"

enum { VNC_MAX_MESSAGE = CHALLENGESIZE };

typedef struct VncHandshake {
    VncClient *c;
    int inner, outer; /* socket pair: the ends of the library and of the thread */
    int64_t deadline; /* monotonic time, us */
} VncHandshake;

/* --- the socket of the client --- */

/* Wait until the client can be read or written. */
static bool vnc_await(VncHandshake *h, short events)
{
    struct pollfd p = { .fd = h->c->fd, .events = events };
    int64_t left = (h->deadline - g_get_monotonic_time()) / 1000;
    int r = left > 0 ? poll(&p, 1, (int)left) : 0;

    return r > 0 || (r < 0 && errno == EINTR);
}

static bool vnc_receive(VncHandshake *h, uint8_t *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t r;

        if (!vnc_await(h, POLLIN))
            return false;
        r = recv(h->c->fd, to + got, n - got, MSG_DONTWAIT);
        if (r == 0 || (r < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        got += r > 0 ? (size_t)r : 0;
    }
    return true;
}

/* Send what the library wrote to the client. */
static bool vnc_forward(VncHandshake *h)
{
    uint8_t bytes[512];
    ssize_t n;

    while ((n = recv(h->outer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        for (ssize_t sent = 0, r; sent < n; sent += r) {
            if (!vnc_await(h, POLLOUT))
                return false;
            r = send(h->c->fd, bytes + sent, (size_t)(n - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (r < 0 && errno != EAGAIN && errno != EINTR)
                return false;
            r = MAX(r, 0);
        }
    }
    return true;
}

/* --- the library --- */

/* Create the client of the library. It compares the first bytes of the socket with those of other
 * protocols. */
static bool vnc_create(VncHandshake *h)
{
    static const char plain[] = { 'R', 'F', 'B', ' ' };
    VncClient *c = h->c;
    VncServer *v = c->v;
    char unread[sizeof(plain)];

    if (send(h->outer, plain, sizeof(plain), MSG_NOSIGNAL) != (ssize_t)sizeof(plain)) {
        close(h->inner);
        return false;
    }
    g_mutex_lock(&v->library);
    c->cl = v->api.new_client(c->screen, h->inner); /* closes the socket if it fails */
    g_mutex_unlock(&v->library);
    return c->cl && recv(h->inner, unread, sizeof(unread), MSG_DONTWAIT) == (ssize_t)sizeof(unread);
}

/* Return the size of the message that the library expects; 0: the handshake is complete. */
static size_t vnc_expected(const rfbClientRec *cl)
{
    switch ((int)cl->state) {
    case RFB_PROTOCOL_VERSION:
        return sz_rfbProtocolVersionMsg;
    case RFB_SECURITY_TYPE:
        return 1;
    case RFB_AUTHENTICATION:
        return CHALLENGESIZE;
    case RFB_INITIALISATION:
        return sz_rfbClientInitMsg;
    default:
        return 0;
    }
}

/* Apply the policy to the flag of ClientInit. This determines the order of clients, because the
 * thread can be delayed after it sent ServerInit. */
static bool vnc_share(VncClient *c, bool shared)
{
    bool exclusive = !shared && c->v->share != VNC_SHARE_IGNORE;

    return !(exclusive && c->v->share == VNC_SHARE_FORCE_SHARED) && vnc_client_begin(c, exclusive);
}

/* Pass one message of the client to the library. */
static bool vnc_step(VncHandshake *h, size_t size)
{
    uint8_t message[VNC_MAX_MESSAGE];
    VncClient *c = h->c;
    VncServer *v = c->v;

    if (!vnc_receive(h, message, size) ||
        (c->cl->state == RFB_INITIALISATION && !vnc_share(c, message[0] != 0)) ||
        send(h->outer, message, size, MSG_NOSIGNAL) != (ssize_t)size)
        return false;
    g_mutex_lock(&v->library);
    v->api.process(c->cl);
    g_mutex_unlock(&v->library);
    return vnc_forward(h) && c->cl->sock != RFB_INVALID_SOCKET;
}

/* Connect the library to the client: its descriptor becomes the socket of the client. */
static bool vnc_connect_library(VncHandshake *h)
{
    int fd = h->c->fd, one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails for a unix socket */
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && dup3(fd, h->inner, O_CLOEXEC) >= 0;
}

static bool vnc_converse(VncHandshake *h)
{
    size_t size;

    if (!vnc_create(h) || !vnc_forward(h))
        return false;
    while ((size = vnc_expected(h->c->cl)) > 0) {
        if (!vnc_step(h, size))
            return false;
    }
    return h->c->cl->state == RFB_NORMAL && vnc_connect_library(h);
}

bool vnc_handshake(VncClient *c)
{
    VncHandshake h = { .c = c };
    int pair[2];
    bool done;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    h.inner = pair[0];
    h.outer = pair[1];
    h.deadline = g_get_monotonic_time() + VNC_HANDSHAKE_MS * INT64_C(1000);
    if (h.inner >= FD_SETSIZE) {
        vnc_log_any(c->v, "the library accepts only descriptors below " G_STRINGIFY(FD_SETSIZE));
        close(h.inner);
        done = false;
    } else {
        done = vnc_converse(&h);
    }
    close(h.outer);
    return done;
}

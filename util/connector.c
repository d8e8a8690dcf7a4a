/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting without blocking (contract in util/connector.h).
 */
#include "util/connector.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/host.h"
#include "util/error.h"

enum { RESOLVE_MS = 250, RETRY_MS = 20 };

/* --- names --- */

/* Shared by the resolving and the requesting thread; the last reference frees it. */
typedef struct Lookup {
    int refs; /* atomic */
    char *host, *port;
    struct addrinfo hints, *list;
    int result;
    int done; /* eventfd */
} Lookup;

static void lookup_unref(Lookup *l)
{
    if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        if (l->list) {
            freeaddrinfo(l->list);
        }
        close(l->done);
        g_free(l->host);
        g_free(l->port);
        g_free(l);
    }
}

static gpointer lookup_thread(gpointer opaque)
{
    Lookup *l = opaque;

    l->result = getaddrinfo(l->host, l->port, &l->hints, &l->list);
    eventfd_write(l->done, 1);
    lookup_unref(l);
    return NULL;
}

/* NULL with errno if the host has no resources. */
static Lookup *lookup_start(const char *host, const char *port, const struct addrinfo *hints)
{
    int done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Lookup *l;
    GThread *thread;

    if (done < 0) {
        return NULL;
    }
    l = g_new0(Lookup, 1);
    *l = (Lookup){ 2, g_strdup(host), g_strdup(port), *hints, NULL, EAI_AGAIN, done };
    thread = g_thread_try_new("resolver", lookup_thread, l, NULL);
    if (!thread) {
        l->refs = 1;
        lookup_unref(l);
        errno = EAGAIN;
        return NULL;
    }
    g_thread_unref(thread);
    return l;
}

/* Return whether the thread has finished. Its results may not be read before. */
static int lookup_answered(Lookup *l)
{
    eventfd_t count;

    return eventfd_read(l->done, &count) == 0;
}

static const char *lookup_host_or_null(const char *host)
{
    return host && *host ? host : NULL;
}

/* Resolve a numeric address without a lookup. */
static int lookup_numeric(const char *host, const char *port, const struct addrinfo *hints,
                          struct addrinfo **list)
{
    struct addrinfo numeric = *hints;

    numeric.ai_flags |= lookup_host_or_null(host) ? AI_NUMERICHOST : 0;
    return getaddrinfo(lookup_host_or_null(host), port, &numeric, list);
}

/* As poll(). While the process starts, termination signals end it immediately. */
static int lookup_poll(struct pollfd *p, int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    sigset_t none;

    sigemptyset(&none);
    return ppoll(p, 1, ms < 0 ? NULL : &t, host_in_main_loop() ? NULL : &none);
}

int resolve_wait(const char *host, const char *port, const struct addrinfo *hints,
                 struct addrinfo **list)
{
    int r = lookup_numeric(host, port, hints, list);
    struct pollfd p = { .events = POLLIN };
    Lookup *l;

    if (r != EAI_NONAME || !lookup_host_or_null(host)) {
        return r;
    }
    l = lookup_start(host, port, hints);
    if (!l) {
        return EAI_SYSTEM;
    }
    p.fd = l->done;
    while ((r = lookup_poll(&p, host_in_main_loop() ? RESOLVE_MS : -1)) < 0 && errno == EINTR) {
    }
    if (r > 0 && lookup_answered(l)) {
        r = l->result;
        *list = l->list;
        l->list = NULL;
    } else {
        r = EAI_AGAIN;
    }
    lookup_unref(l);
    return r;
}

int resolve_family(FamilyOption ipv4, FamilyOption ipv6)
{
    bool v4 = ipv4 == FAMILY_ON || (ipv4 == FAMILY_AUTO && ipv6 != FAMILY_ON);
    bool v6 = ipv6 == FAMILY_ON || (ipv6 == FAMILY_AUTO && ipv4 != FAMILY_ON);

    return v4 && v6 ? AF_UNSPEC : v4 ? AF_INET : v6 ? AF_INET6 : -1;
}

/* --- connecting --- */

struct Connector {
    Lookup *lookup; /* while a name is resolved */
    struct addrinfo *list, *next;
    struct sockaddr_storage only; /* the one address, if there is no list */
    socklen_t only_len;
    bool only_left;
    int fd; /* connecting, connected, or -1 */
    bool connected;
    bool retry; /* a unix socket whose queue is full: try again soon */
    GError *why;
    GMainContext *context;
    GSource *source;
    ConnectorFn *fn;
    void *opaque;
};

static void connector_set_problem(Connector *c, const char *text)
{
    g_clear_error(&c->why);
    error_set(&c->why, ERROR_HOST, "%s", text);
}

static void connector_close_fd(Connector *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}

static bool connector_try_address(Connector *c, const struct sockaddr *sa, socklen_t len)
{
    c->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    c->retry = false;
    if (c->fd < 0) {
        connector_set_problem(c, g_strerror(errno));
        return false;
    }
    if (connect(c->fd, sa, len) == 0) {
        c->connected = true;
        return true;
    }
    if (errno == EINPROGRESS || errno == EINTR) {
        return true;
    }
    c->retry = errno == EAGAIN && sa->sa_family == AF_UNIX;
    connector_set_problem(c, g_strerror(errno));
    connector_close_fd(c);
    return c->retry;
}

/* The next address that might accept. False: none is left. */
static bool connector_next_address(Connector *c)
{
    if (c->only_len) {
        if (!c->only_left) {
            return false;
        }
        c->only_left = false;
        return connector_try_address(c, (struct sockaddr *)&c->only, c->only_len);
    }
    while (c->next) {
        struct addrinfo *a = c->next;

        c->next = a->ai_next;
        if (connector_try_address(c, a->ai_addr, a->ai_addrlen)) {
            return true;
        }
    }
    return false;
}

static bool connector_take_answer(Connector *c)
{
    int result = c->lookup->result;

    c->list = c->next = c->lookup->list;
    c->lookup->list = NULL;
    lookup_unref(c->lookup);
    c->lookup = NULL;
    if (result != 0) {
        connector_set_problem(c, gai_strerror(result));
        return false;
    }
    return connector_next_address(c);
}

/* Continue after an event. False: the connection has failed. */
static bool connector_step(Connector *c)
{
    int e = 0;
    socklen_t len = sizeof(e);

    if (c->lookup) {
        return !lookup_answered(c->lookup) || connector_take_answer(c);
    }
    if (c->retry) {
        c->only_left = true;
        return connector_next_address(c);
    }
    if (c->fd < 0 || c->connected) {
        return c->connected;
    }
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0) {
        e = errno;
    }
    c->connected = e == 0;
    if (e) {
        connector_set_problem(c, g_strerror(e));
        connector_close_fd(c);
        return connector_next_address(c);
    }
    return true;
}

static Connector *connector_begin(Connector *c, bool ok)
{
    if (!ok && !c->why) {
        connector_set_problem(c, g_strerror(errno));
    }
    return c;
}

Connector *connector_new(const struct sockaddr *sa, socklen_t len)
{
    Connector *c = g_new0(Connector, 1);

    c->fd = -1;
    memcpy(&c->only, sa, len);
    c->only_len = len;
    c->only_left = true;
    return connector_begin(c, connector_next_address(c));
}

Connector *connector_new_host(const char *host, const char *port, int family)
{
    Connector *c = g_new0(Connector, 1);
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
    int r = lookup_numeric(host, port, &hints, &c->list);

    c->fd = -1;
    c->next = c->list;
    if (r == 0) {
        return connector_begin(c, connector_next_address(c));
    }
    if (r != EAI_NONAME) {
        connector_set_problem(c, gai_strerror(r));
        return c;
    }
    c->lookup = lookup_start(host, port, &hints);
    return connector_begin(c, c->lookup);
}

static void connector_drop_source(Connector *c)
{
    if (c->source) {
        g_source_destroy(c->source);
        g_source_unref(c->source);
        c->source = NULL;
    }
}

void connector_free(Connector *c)
{
    if (!c) {
        return;
    }
    connector_drop_source(c);
    if (c->lookup) {
        lookup_unref(c->lookup);
    }
    if (c->list) {
        freeaddrinfo(c->list);
    }
    connector_close_fd(c);
    g_clear_error(&c->why);
    g_free(c);
}

static bool connector_failed(const Connector *c)
{
    return !c->lookup && !c->retry && !c->connected && c->fd < 0;
}

/* --- by waiting --- */

int connector_poll(const Connector *c, struct pollfd *p)
{
    *p = (struct pollfd){ c->lookup ? c->lookup->done : c->fd, c->lookup ? POLLIN : POLLOUT, 0 };
    return c->retry ? RETRY_MS : c->connected || connector_failed(c) ? 0 : -1;
}

/* Return the result of a connector that is not connecting any more: 1 or -1; otherwise 0. */
static int connector_result(Connector *c, int *fd, GError **err)
{
    if (c->connected) {
        *fd = c->fd;
        c->fd = -1;
        return 1;
    }
    if (connector_failed(c)) {
        g_propagate_error(err, g_steal_pointer(&c->why));
        return -1;
    }
    return 0;
}

int connector_try(Connector *c, int *fd, GError **err)
{
    struct pollfd p;

    if (!c->connected && !connector_failed(c)) {
        connector_poll(c, &p);
        if (c->retry || poll(&p, 1, 0) > 0) {
            connector_step(c);
        }
    }
    return connector_result(c, fd, err);
}

int connector_wait(Connector *c, int ms, int *fd, GError **err)
{
    gint64 end = g_get_monotonic_time() + ms * (gint64)1000;

    while (!c->connected && !connector_failed(c)) {
        gint64 left = ms < 0 ? -1 : MAX(0, (end - g_get_monotonic_time()) / 1000);
        struct pollfd p;
        int r;

        connector_poll(c, &p);
        r = lookup_poll(&p, c->retry ? RETRY_MS : (int)left);

        if (r > 0 || c->retry) {
            connector_step(c);
        }
        if (!c->connected && !connector_failed(c) && ms >= 0 && g_get_monotonic_time() >= end) {
            return 0;
        }
    }
    return connector_result(c, fd, err);
}

/* --- from a main context --- */

static void connector_watch(Connector *c);

static void connector_advance(Connector *c)
{
    int fd = c->fd;
    g_autoptr(GError) why = NULL;

    connector_drop_source(c);
    if (!c->connected && !connector_failed(c)) {
        connector_watch(c);
        return;
    }
    if (c->connected) {
        c->fd = -1;
        c->connected = false;
        c->fn(c->opaque, fd, NULL);
    } else {
        why = g_steal_pointer(&c->why);
        c->fn(c->opaque, -1, why);
    }
}

static gboolean connector_on_fd(gint fd, GIOCondition condition, gpointer opaque)
{
    connector_step(opaque);
    connector_advance(opaque);
    return G_SOURCE_REMOVE;
}

static gboolean connector_on_time(gpointer opaque)
{
    Connector *c = opaque;

    if (c->retry) {
        connector_step(c);
    }
    connector_advance(c);
    return G_SOURCE_REMOVE;
}

static void connector_watch(Connector *c)
{
    if (c->connected || connector_failed(c) || c->retry) {
        c->source = g_timeout_source_new(c->retry ? RETRY_MS : 0);
        g_source_set_callback(c->source, connector_on_time, c, NULL);
    } else {
        c->source = g_unix_fd_source_new(c->lookup ? c->lookup->done : c->fd,
                                         c->lookup ? G_IO_IN : G_IO_OUT | G_IO_HUP | G_IO_ERR);
        g_source_set_callback(c->source, G_SOURCE_FUNC(connector_on_fd), c, NULL);
    }
    g_source_attach(c->source, c->context);
}

void connector_start(Connector *c, GMainContext *context, ConnectorFn *fn, void *opaque)
{
    c->context = context;
    c->fn = fn;
    c->opaque = opaque;
    connector_watch(c);
}

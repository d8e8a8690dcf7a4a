/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting to other processes without blocking: names are resolved in a thread, and connect()
 * is waited for with poll().
 *
 * A Connector goes through the addresses of its name until one accepts. It is driven in one of two
 * ways: connector_start() from a main context, or connector_wait() by the caller.
 */
#ifndef UTIL_CONNECTOR_H
#define UTIL_CONNECTOR_H

#include <glib.h>
#include <netdb.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * getaddrinfo() that a signal and a deadline end. Numeric hosts need no wait. While the process
 * starts it waits as long as the resolver does, and termination signals end the process; from the
 * main loop it waits at most 250 ms. Returns 0 and *list (freeaddrinfo), or an EAI_ code; EAI_AGAIN
 * if there is no answer in time.
 */
int resolve_wait(const char *host, const char *port, const struct addrinfo *hints,
                 struct addrinfo **list);

typedef struct Connector Connector;

/* For a host and a port, which are resolved first (SOCK_STREAM). */
Connector *connector_new_host(const char *host, const char *port, int family);
/* For one address. */
Connector *connector_new(const struct sockaddr *sa, socklen_t len);
/* Give up; the resolver's thread ends by itself. NULL is allowed; also from inside fn. */
void connector_free(Connector *c);

/* fd: the connected socket, non-blocking and the function's, err NULL; or -1 and why. The function
 * may free c. */
typedef void ConnectorFn(void *opaque, int fd, const GError *err);
/* Call fn from the context (NULL: the default one) once, never before this returns. */
void connector_start(Connector *c, GMainContext *context, ConnectorFn *fn, void *opaque);
/*
 * Wait for the end, at most ms milliseconds (-1: without limit; termination signals end the
 * process while it starts). 1: *fd is the connected socket, non-blocking and the caller's; 0: not
 * yet, connector_start() may go on; -1: failed, *err says why.
 */
int connector_wait(Connector *c, int ms, int *fd, GError **err);

#endif

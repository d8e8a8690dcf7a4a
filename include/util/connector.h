/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting to other processes without blocking. A thread resolves names, and poll() waits for
 * connect().
 *
 * A Connector tries the addresses of a name until one accepts. It is driven either by a main
 * context (connector_start()) or by the caller (connector_wait(), or connector_poll() and
 * connector_try()).
 */
#ifndef UTIL_CONNECTOR_H
#define UTIL_CONNECTOR_H

#include <glib.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

/**
 * resolve_wait() - As getaddrinfo(), with a deadline.
 *
 * Numeric hosts require no wait. While the process starts, this waits as long as the resolver does,
 * and termination signals end the process. On the main loop it waits for at most 250 ms.
 *
 * Return: 0 with *@list set (freeaddrinfo()); an EAI_ code; EAI_AGAIN after the deadline.
 */
int resolve_wait(const char *host, const char *port, const struct addrinfo *hints,
                 struct addrinfo **list);

/* An option that selects addresses of a family, such as ipv4= and ipv6=. */
typedef enum FamilyOption { FAMILY_AUTO, FAMILY_ON, FAMILY_OFF } FamilyOption;

/**
 * resolve_family() - Convert the options ipv4= and ipv6= to a family for getaddrinfo().
 *
 * An option that is on excludes the other family, unless that is on too.
 *
 * Return: AF_UNSPEC, AF_INET or AF_INET6; -1: both are off. Any thread.
 */
int resolve_family(FamilyOption ipv4, FamilyOption ipv6);

typedef struct Connector Connector;

/** connector_new_host() - Create a connector for a host and a port (SOCK_STREAM), which are
 * resolved first. */
Connector *connector_new_host(const char *host, const char *port, int family);

/** connector_new() - Create a connector for one address, which is copied. */
Connector *connector_new(const struct sockaddr *sa, socklen_t len);

/** connector_free() - Cancel and free. @c may be NULL; may be called from the ConnectorFn. */
void connector_free(Connector *c);

/* The result: a connected, non-blocking socket that the function owns, and @err NULL; or -1 and an
 * error. The function may free the connector. */
typedef void ConnectorFn(void *opaque, int fd, const GError *err);

/** connector_start() - Call @fn once from @context (NULL: the default one), never before this
 * function returns. */
void connector_start(Connector *c, GMainContext *context, ConnectorFn *fn, void *opaque);

/** connector_poll() - Set @p to the descriptor and the events that the connector waits for. Returns
 * the milliseconds after which connector_try() is called in any case; -1: none. */
int connector_poll(const Connector *c, struct pollfd *p);

/** connector_try() - As connector_wait(), without waiting and for any thread. */
int connector_try(Connector *c, int *fd, GError **err);

/**
 * connector_wait() - Wait until the connector has finished.
 * @ms: limit in milliseconds; -1: none (termination signals end the process while it starts)
 * @fd: receives a connected, non-blocking socket that the caller owns
 *
 * Return: 1 on success; 0 if the limit was reached, and connector_start() may continue; -1 with
 * @err if no address accepts.
 */
int connector_wait(Connector *c, int ms, int *fd, GError **err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets: making them, and taking connections without spinning when the host runs out
 * of file descriptors or memory.
 */
#ifndef UTIL_LISTENER_H
#define UTIL_LISTENER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

#define UNIX_SOCKET_MODE 0600 /* of a new socket file: its owner alone connects */

/*
 * Bind a new socket to an address. A socket file gets `mode` (nothing can connect with more rights
 * even for a moment), and takes the place of a socket that an ended process left, but of nothing
 * else. Returns 0 or -1 with errno. Any thread.
 */
int socket_bind(int fd, const struct sockaddr *sa, socklen_t len, mode_t mode);
/* Remove the file of a socket that was bound to this address, if it still is a socket. */
void socket_unlink(const struct sockaddr *sa);

typedef struct Listener Listener;
/* A connection, owned by the function; from: who connects. */
typedef void ListenerFn(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len);

/*
 * Call fn on the context (NULL: the default one) for each connection to fd, which stays the
 * caller's. When a connection cannot be accepted because the host is out of file descriptors or
 * memory, the next attempt is 100 ms to 2 s later.
 */
Listener *listener_new(int fd, GMainContext *context, ListenerFn *fn, void *opaque);
/* NULL is allowed; also from inside fn. On the thread of the context, or before it runs. */
void listener_free(Listener *l);

#endif

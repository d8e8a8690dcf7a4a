/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening sockets: binding them, and accepting connections without spinning when the host has no
 * file descriptors or memory left.
 */
#ifndef UTIL_LISTENER_H
#define UTIL_LISTENER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Mode of a new socket file: only its owner can connect. */
#define UNIX_SOCKET_MODE 0600

/**
 * socket_bind() - Bind a new socket to an address.
 * @mode: mode of a unix socket's file, which has no other mode at any time
 *
 * The file replaces a socket that an ended process left, but no other file. Any thread.
 * socket_unlink() removes the file.
 *
 * Return: 0, or -1 with errno.
 */
int socket_bind(int fd, const struct sockaddr *sa, socklen_t len, mode_t mode);

/**
 * socket_listen() - Create a stream socket that listens on an address.
 * @mode:    as for socket_bind()
 * @backlog: number of connections that wait for accept()
 * @v6_only: an IPv6 address for all addresses of the host accepts no IPv4 connections
 *
 * Any thread. The caller owns the socket, which blocks until listener_new() changes it.
 *
 * Return: the socket, or -1 with errno.
 */
int socket_listen(const struct sockaddr *sa, socklen_t len, mode_t mode, int backlog, bool v6_only);

/** socket_unlink() - Remove the file of a unix socket that was bound to this address, if the file
 * is a socket. */
void socket_unlink(const struct sockaddr *sa);

typedef struct Listener Listener;
/* Called for a connection. The function owns @fd; @from is the address of the peer. */
typedef void ListenerFn(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len);

/**
 * listener_new() - Accept connections.
 * @fd:      a listening socket, which remains owned by the caller
 * @context: where @fn is called; NULL: the default context
 *
 * When the host has no file descriptors or memory left, the next connection is accepted after a
 * pause of 100 ms to 2 s.
 *
 * Return: the listener, which listener_free() frees.
 */
Listener *listener_new(int fd, GMainContext *context, ListenerFn *fn, void *opaque);

/** listener_free() - Stop accepting. @l may be NULL; may be called from @fn. Called on the thread
 * of the context, or before the context runs. */
void listener_free(Listener *l);

#endif

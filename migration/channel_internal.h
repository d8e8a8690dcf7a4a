/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels: what a migration stream goes over. Non-blocking; readiness is told from the default
 * main context.
 *
 *   tcp:HOST:PORT   two-way   "[::1]:4444" for IPv6; an empty host is the local one
 *   unix:PATH       two-way
 *   fd:N            two-way if it is a socket
 *   exec:COMMAND    one-way, run by /bin/sh
 *   file:PATH       one-way; written as PATH.part and renamed when it is safely on the disk, or
 *                   into what is there if that is not a regular file (util/outfile.h);
 *                   /dev/fdset/N is a descriptor that somebody else opened, written as it is
 */
#ifndef MIGRATION_CHANNEL_H
#define MIGRATION_CHANNEL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Channel Channel;
typedef struct ChannelServer ChannelServer;
typedef void ChannelFn(void *opaque);

/* How fd: names, and file:/dev/fdset/N, are turned into descriptors; NULL: numbers only. */
typedef struct ChannelFds {
    int (*take)(void *opaque, const char *name, bool write);
    void *opaque;
} ChannelFds;

/* Start connecting, or open for writing; never waits. NULL and a message that names the URI and
 * the forms accepted. */
Channel *channel_open_out(const char *uri, const ChannelFds *fds, GError **err);
/* fd:, exec: and file: for reading. */
Channel *channel_open_in(const char *uri, const ChannelFds *fds, GError **err);
/* Does the URI name something to listen on (tcp:, unix:)? */
bool channel_is_server(const char *uri);
/* True if the URI has a known scheme and something after it; otherwise false with @err set. Opens
 * nothing. */
bool channel_check_uri(const char *uri, GError **err);
/* Close; an unfinished file is removed, an unfinished command ended. NULL is allowed. */
void channel_free(Channel *c);

bool channel_two_way(const Channel *c);
/* Is what was written a copy that the guest may outlive (file:)? */
bool channel_is_file(const Channel *c);

/* Call fn when the channel can be read, or written (also while it is connecting), or has
 * failed. One fn at a time; in and out both false: none. */
void channel_watch(Channel *c, bool in, bool out, ChannelFn *fn, void *opaque);
/* 1: connected; 0: not yet; -1: failed. */
int channel_connected(Channel *c, GError **err);
/* Bytes written; 0 if none can be taken now; -1 and a sentence. */
ssize_t channel_write(Channel *c, const void *buf, size_t len, GError **err);
/* Bytes read; 0 and *eof false if there are none now; 0 and *eof true at the end; -1. */
ssize_t channel_read(Channel *c, void *buf, size_t len, bool *eof, GError **err);
/* All is written: make it durable (file) and wait for the command (exec). 1: done; 0: ask again
 * in a while; -1: failed. */
int channel_finish(Channel *c, GError **err);

/* Listen on tcp: or unix:. fn is called with each connection, which it owns. */
typedef void ChannelAcceptFn(void *opaque, Channel *c);
ChannelServer *channel_serve(const char *uri, ChannelAcceptFn *fn, void *opaque, GError **err);
void channel_server_free(ChannelServer *s); /* NULL is allowed */
/* "tcp:127.0.0.1:4444": the address in fact, with the port that the host chose for 0. */
const char *channel_server_address(const ChannelServer *s);

#endif

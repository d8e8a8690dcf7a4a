/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels: the transports of a migration stream. They are non-blocking and report readiness from
 * the default main context.
 *
 *   tcp:HOST:PORT   two-way   "[::1]:4444" for IPv6; an empty host is the local one
 *   unix:PATH       two-way
 *   fd:N            two-way if it is a socket
 *   exec:COMMAND    one-way, run by /bin/sh
 *   file:PATH       one-way; written as PATH.part and renamed when all data is on the disk. An
 *                   existing file that is not a regular one is written to directly
 *                   (util/outfile.h). /dev/fdset/N is a descriptor that another process opened; it
 *                   is written to directly.
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

/* The function that translates names of fd: and file:/dev/fdset/N to descriptors, which the caller
 * owns; it returns -1 if there is none. NULL: only numbers are supported. */
typedef struct ChannelFds {
    int (*take)(void *opaque, const char *name, bool write);
    void *opaque;
} ChannelFds;

/* Start connecting, or open for writing, without blocking. Returns a channel for channel_free();
 * NULL with *err set, which names the URI and, if it is malformed, the accepted forms. */
Channel *channel_open_out(const char *uri, const ChannelFds *fds, GError **err);
/* Open fd:, exec: or file: for reading. Returns a channel for channel_free(); NULL with *err set.
 */
Channel *channel_open_in(const char *uri, const ChannelFds *fds, GError **err);
/* Return true if the URI is one to listen on (tcp:, unix:). */
bool channel_is_server(const char *uri);
/* Return true if the URI has a known scheme followed by at least one character; otherwise false
 * with *err set. Opens nothing. */
bool channel_check_uri(const char *uri, GError **err);
/* Close the channel. An unfinished file is removed, an unfinished command is killed. NULL is
 * allowed. */
void channel_free(Channel *c);

/* Return true if the target can answer. */
bool channel_two_way(const Channel *c);
/* Disconnect a socket: reading and writing fail from now on, on both sides. Returns false, without
 * effect, if the channel is not a connected socket. */
bool channel_hang_up(Channel *c);
/* Return true if channel_hang_up() has an effect. */
bool channel_may_hang_up(const Channel *c);
/* Return true if the channel writes to a regular file, that is, a copy which the guest may
 * outlive. */
bool channel_is_file(const Channel *c);

/* Call fn when the channel can be read (in), can be written (out), is connected, or has failed. It
 * replaces the function of the call before. If in and out are false, no function is called. */
void channel_watch(Channel *c, bool in, bool out, ChannelFn *fn, void *opaque);
/* Return 1: connected; 0: not yet; -1: failed, *err is set. */
int channel_connected(Channel *c, GError **err);
/* Write up to len bytes. Returns the number of bytes written; 0 if the channel accepts none now;
 * -1 with *err set. */
ssize_t channel_write(Channel *c, const void *buf, size_t len, GError **err);
/* Read up to len bytes. Returns the number of bytes read; 0 with *eof false if none are available
 * now; 0 with *eof true at the end; -1 with *err set. */
ssize_t channel_read(Channel *c, void *buf, size_t len, bool *eof, GError **err);
/* Complete a channel to which everything was written: make the file durable, or check whether the
 * command has ended. Returns 1: done; 0: call again later; -1: failed, *err is set. */
int channel_finish(Channel *c, GError **err);

/* Listen on tcp: or unix:. fn is called with each connection, which fn owns. Returns a server for
 * channel_server_free(); NULL with *err set. Blocks while a host name is resolved. */
typedef void ChannelAcceptFn(void *opaque, Channel *c);
ChannelServer *channel_serve(const char *uri, ChannelAcceptFn *fn, void *opaque, GError **err);
void channel_server_free(ChannelServer *s); /* NULL is allowed */
/* Return the address as a URI, for example "tcp:127.0.0.1:4444", with the port that the host
 * selected for port 0. Borrowed. */
const char *channel_server_address(const ChannelServer *s);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses of tcp: and unix: URIs. Private to the channel files.
 */
#ifndef MIGRATION_CHANNEL_ADDRESS_H
#define MIGRATION_CHANNEL_ADDRESS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct ChannelAddress {
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
        struct sockaddr_un un;
    };
    socklen_t len;
} ChannelAddress;

/* Parse "tcp:..." or "unix:...", and resolve the host name, which may block. An address to listen
 * on may have port 0 and an empty host. Returns false with *err set. */
bool channel_address_parse(const char *uri, bool listening, ChannelAddress *a, GError **err);
/* Return the address as a URI with a numeric host, for g_free(). */
char *channel_address_text(const ChannelAddress *a);

/* Store host and port of tcp:HOST:PORT, each for g_free(), without resolving them. Returns false
 * with *err set, and NULL stored, if the URI is malformed. */
bool channel_address_split(const char *uri, bool listening, char **host, char **port, GError **err);

#endif

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

/* uri: "tcp:..." or "unix:...". */
bool channel_address_parse(const char *uri, bool listening, ChannelAddress *a, GError **err);
/* The other way; g_free. */
char *channel_address_text(const ChannelAddress *a);

/* Host and port of tcp:HOST:PORT, without looking anything up; g_free. */
bool channel_address_split(const char *uri, bool listening, char **host, char **port, GError **err);

#endif

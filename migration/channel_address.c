/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses of migration URIs (interface: channel_address_internal.h).
 */
#include "migration/channel_address_internal.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "migration/stream.h"
#include "util/connector.h"
#include "util/error.h"

static bool channel_address_parse_unix(const char *uri, ChannelAddress *a, GError **err)
{
    const char *path = uri + strlen("unix:");
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(a->un.sun_path)) {
        return error_set(err, ERROR_USER,
                         "migration URI '%s': the path has %zu bytes; use 1 to %zu bytes", uri, len,
                         sizeof(a->un.sun_path) - 1);
    }
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, path, len + 1);
    a->len = sizeof(a->un);
    return true;
}

/* Split "host:port" or "[v6]:port" into two strings, for g_free(). Returns false if the text has
 * neither form. */
static bool channel_address_split_host(const char *text, char **host, char **port)
{
    const char *end;

    if (*text == '[') {
        end = strchr(text, ']');
        if (!end || end[1] != ':') {
            return false;
        }
        *host = g_strndup(text + 1, end - text - 1);
        *port = g_strdup(end + 2);
        return true;
    }
    end = strrchr(text, ':');
    if (!end) {
        return false;
    }
    *host = g_strndup(text, end - text);
    *port = g_strdup(end + 1);
    return true;
}

bool channel_address_split(const char *uri, bool listening, char **host, char **port, GError **err)
{
    guint64 number;

    *host = *port = NULL;
    if (!channel_address_split_host(uri + strlen("tcp:"), host, port) ||
        !g_ascii_string_to_unsigned(*port, 10, listening ? 0 : 1, 65535, &number, NULL)) {
        g_clear_pointer(host, g_free);
        g_clear_pointer(port, g_free);
        return error_set(err, ERROR_USER,
                         "migration URI '%s': use tcp:HOST:PORT with a port up to 65535", uri);
    }
    return true;
}

static bool channel_address_parse_tcp(const char *uri, bool listening, ChannelAddress *a,
                                      GError **err)
{
    g_autofree char *host = NULL, *port = NULL;
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list;
    int e;

    if (!channel_address_split(uri, listening, &host, &port, err)) {
        return false;
    }
    hints.ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0);
    e = resolve_wait(host, port, &hints, &list);
    if (e) {
        return error_set(err, ERROR_HOST, "migration URI '%s': no address for host '%s': %s", uri,
                         host, gai_strerror(e));
    }
    memcpy(&a->storage, list->ai_addr, list->ai_addrlen);
    a->len = list->ai_addrlen;
    freeaddrinfo(list);
    return true;
}

bool channel_address_parse(const char *uri, bool listening, ChannelAddress *a, GError **err)
{
    memset(a, 0, sizeof(*a));
    return g_str_has_prefix(uri, "unix:") ? channel_address_parse_unix(uri, a, err)
                                          : channel_address_parse_tcp(uri, listening, a, err);
}

char *channel_address_text(const ChannelAddress *a)
{
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

    if (a->any.sa_family == AF_UNIX) {
        return g_strdup_printf("unix:%s", a->un.sun_path);
    }
    getnameinfo(&a->any, a->len, host, sizeof(host), port, sizeof(port),
                NI_NUMERICHOST | NI_NUMERICSERV);
    return g_strdup_printf(strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

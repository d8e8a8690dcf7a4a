/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of NBD servers: the options of a node, the forms that -drive file= accepts, and the
 * name for messages.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "nbd_internal.h"

#define NBD_PORT "10809"

/* The protocol transmits strings of at most this length. */
enum { NBD_STRING_MAX = 4096 };

const char *const nbd_keys[] = { "server",       "export",          "tls-creds", "tls-hostname",
                                 "open-timeout", "reconnect-delay", NODE_KEYS,   NULL };

static const char *const nbd_inet_keys[] = { "type", "host", "port", "ipv4", "ipv6", NULL };
static const char *const nbd_unix_keys[] = { "type", "path", "abstract", NULL };

/* --- options --- */

void nbd_server_free(NbdServer *s)
{
    if (s) {
        g_free(s->host);
        g_free(s->port);
        g_free(s->path);
        g_free(s->export);
        g_free(s->tls_dir);
        g_free(s->tls_user);
        g_free(s->tls_hostname);
        g_free(s->name);
        g_free(s);
    }
}

static bool nbd_server_read_inet(NbdServer *s, struct json_object *o, GError **err)
{
    bool four = false, six = false;

    if (!opt_str(o, "host") || !opt_str(o, "port")) {
        return error_set(err, ERROR_USER,
                         "server.type=inet requires server.host and server.port (usual: %s)",
                         NBD_PORT);
    }
    if (!opt_known(o, nbd_inet_keys, "server", err) || !opt_bool(o, "ipv4", false, &four, err) ||
        !opt_bool(o, "ipv6", false, &six, err)) {
        return false;
    }
    s->host = g_strdup(opt_str(o, "host"));
    s->port = g_strdup(opt_str(o, "port"));
    s->family = four == six ? AF_UNSPEC : six ? AF_INET6 : AF_INET;
    return true;
}

static bool nbd_server_read_unix(NbdServer *s, struct json_object *o, GError **err)
{
    const char *path = opt_str(o, "path");

    if (!path || !*path) {
        return error_set(err, ERROR_USER, "server.type=unix requires server.path");
    }
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        return error_set(err, ERROR_USER, "the socket path '%s' is longer than %zu bytes", path,
                         sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
    }
    s->path = g_strdup(path);
    return opt_known(o, nbd_unix_keys, "server", err) &&
           opt_bool(o, "abstract", false, &s->abstract, err);
}

static bool nbd_server_read_address(NbdServer *s, struct json_object *options, GError **err)
{
    static const char *const types[] = { "inet", "unix", NULL };
    struct json_object *o;
    int type;

    if (!json_object_object_get_ex(options, "server", &o) ||
        !json_object_is_type(o, json_type_object) || !opt_str(o, "type")) {
        return error_set(err, ERROR_USER,
                         "property 'server' is required: server.type=inet,server.host=HOST,"
                         "server.port=%s or server.type=unix,server.path=PATH",
                         NBD_PORT);
    }
    if (!opt_enum(o, "type", types, 0, &type, err)) {
        g_prefix_error(err, "server.");
        return false;
    }
    return type ? nbd_server_read_unix(s, o, err) : nbd_server_read_inet(s, o, err);
}

static char *nbd_server_make_name(const NbdServer *s)
{
    g_autofree char *export = g_uri_escape_string(s->export, "/", false);
    g_autofree char *path = s->path ? g_uri_escape_string(s->path, "/", false) : NULL;
    bool six = s->host && strchr(s->host, ':');

    if (s->path) {
        return g_strdup_printf("nbd+unix:///%s?socket=%s%s", export, s->abstract ? "@" : "", path);
    }
    return g_strdup_printf("nbd://%s%s%s:%s%s%s", six ? "[" : "", s->host, six ? "]" : "", s->port,
                           *export ? "/" : "", export);
}

NbdServer *nbd_server_read(struct json_object *options, GError **err)
{
    const char *export = opt_str(options, "export");
    NbdServer *s = g_new0(NbdServer, 1);

    s->export = g_strdup(export ? export : "");
    if (strlen(s->export) > NBD_STRING_MAX) {
        error_set(err, ERROR_USER, "the name in 'export' is longer than %d bytes", NBD_STRING_MAX);
    } else if (nbd_server_read_address(s, options, err)) {
        s->name = nbd_server_make_name(s);
        return s;
    }
    nbd_server_free(s);
    return NULL;
}

bool nbd_server_read_tls(NbdServer *s, struct json_object *options, const HostTls *creds,
                         GError **err)
{
    const char *name = opt_str(options, "tls-hostname");

    if (!creds) {
        return !name || error_set(err, ERROR_USER, "tls-hostname=%s requires tls-creds", name);
    }
    if (creds->psk_user && name) {
        return error_set(err, ERROR_USER, "tls-hostname=%s requires certificates (tls-creds-x509)",
                         name);
    }
    s->tls_dir = g_strdup(creds->dir);
    s->tls_user = g_strdup(creds->psk_user);
    s->tls_hostname = g_strdup(name);
    s->tls_verify = creds->verify_peer;
    return true;
}

/* --- file names --- */

static void nbd_name_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* The node options. host or path is set. */
static struct json_object *nbd_name_options(const char *host, const char *port, const char *path,
                                            const char *export)
{
    struct json_object *o = json_object_new_object(), *server = json_object_new_object();

    nbd_name_put(o, "driver", "nbd");
    nbd_name_put(server, "type", path ? "unix" : "inet");
    if (path) {
        nbd_name_put(server, "path", path);
    } else {
        nbd_name_put(server, "host", host);
        nbd_name_put(server, "port", port);
    }
    json_object_object_add(o, "server", server);
    if (export && *export) {
        nbd_name_put(o, "export", export);
    }
    return o;
}

static struct json_object *nbd_name_refuse(const char *text, GError **err)
{
    error_set(err, ERROR_USER,
              "'%s' is not the address of an NBD server: use nbd://HOST[:PORT]/[EXPORT], "
              "nbd+unix:///[EXPORT]?socket=PATH, nbd:HOST:PORT[:exportname=EXPORT] or "
              "nbd:unix:PATH[:exportname=EXPORT]",
              text);
    return NULL;
}

/* Return the value of the parameter `socket`; NULL if it is absent or another one is given. */
static char *nbd_name_socket(const char *query)
{
    g_autoptr(GHashTable) params =
        query ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;
    const char *path = params ? g_hash_table_lookup(params, "socket") : NULL;

    return path && *path && g_hash_table_size(params) == 1 ? g_strdup(path) : NULL;
}

static struct json_object *nbd_name_parse_url(const char *text, GError **err)
{
    g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_ENCODED_QUERY, NULL);
    const char *path = uri ? g_uri_get_path(uri) : NULL, *host = uri ? g_uri_get_host(uri) : NULL;
    const char *scheme = uri ? g_uri_get_scheme(uri) : "",
               *query = uri ? g_uri_get_query(uri) : NULL;
    g_autofree char *port = NULL, *socket = nbd_name_socket(query);
    bool is_unix = g_str_equal(scheme, "nbd+unix");

    path = path && *path == '/' ? path + 1 : path;
    if (uri && !g_uri_get_fragment(uri) && !g_uri_get_userinfo(uri)) {
        if (is_unix && socket && (!host || !*host)) {
            return nbd_name_options(NULL, NULL, socket, path);
        }
        port = g_uri_get_port(uri) > 0 ? g_strdup_printf("%d", g_uri_get_port(uri))
                                       : g_strdup(NBD_PORT);
        if (!is_unix && host && *host && !query) {
            return nbd_name_options(host, port, NULL, path);
        }
    }
    return nbd_name_refuse(text, err);
}

/* nbd:HOST:PORT and nbd:unix:PATH, with an export at the end. */
static struct json_object *nbd_name_parse_old(const char *text, GError **err)
{
    static const char mark[] = ":exportname=";
    const char *rest = text + strlen("nbd:"), *at = strstr(rest, mark), *colon;
    g_autofree char *address = at ? g_strndup(rest, at - rest) : g_strdup(rest);
    const char *export = at ? at + strlen(mark) : NULL;
    g_autofree char *host = NULL;

    if (g_str_has_prefix(address, "unix:")) {
        return address[5] ? nbd_name_options(NULL, NULL, address + 5, export)
                          : nbd_name_refuse(text, err);
    }
    colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1]) {
        return nbd_name_refuse(text, err);
    }
    host = *address == '[' && colon[-1] == ']' ? g_strndup(address + 1, colon - address - 2)
                                               : g_strndup(address, colon - address);
    return nbd_name_options(host, colon + 1, NULL, export);
}

struct json_object *nbd_filename_parse(const char *text, GError **err)
{
    const char *colon = strchr(text, ':');

    return g_str_has_prefix(colon, "://") ? nbd_name_parse_url(text, err)
                                          : nbd_name_parse_old(text, err);
}

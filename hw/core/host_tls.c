/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls-creds-x509 and tls-creds-psk: the files that authenticate a TLS connection. The library that
 * establishes the connection reads them.
 */
#include <errno.h>
#include <unistd.h>

#include "hw/core/host_object.h"
#include "util/error.h"

enum { ENDPOINT_CLIENT, ENDPOINT_SERVER };

typedef struct HostTlsObject {
    HostObject o;
    char *dir, *username;
    uint32_t endpoint;
    bool verify_peer;
} HostTlsObject;

/* Return whether a file of the folder can be read; false with *err if not. */
static bool host_tls_check_file(const HostTlsObject *t, const char *name, GError **err)
{
    g_autofree char *path = g_build_filename(t->dir, name, NULL);

    return access(path, R_OK) == 0 || error_set_errno(err, errno, "cannot read '%s'", path);
}

static bool host_tls_check(const HostTlsObject *t, GError **err)
{
    if (!t->dir || !*t->dir) {
        return error_set(err, ERROR_USER,
                         "property 'dir' is required: the folder with the credentials");
    }
    if (t->endpoint != ENDPOINT_CLIENT) {
        return error_set(err, ERROR_USER,
                         "endpoint=server is not available in this version: use client");
    }
    return true;
}

/* A client certificate and its key are optional. */
static bool host_tls_open_x509(HostObject *o, GError **err)
{
    const HostTlsObject *t = (HostTlsObject *)o;
    bool certificate, key;

    if (!host_tls_check(t, err)) {
        return false;
    }
    if (o->machine->dry_run) {
        return true;
    }
    certificate = host_tls_check_file(t, "client-cert.pem", NULL);
    key = host_tls_check_file(t, "client-key.pem", NULL);
    if (certificate != key) {
        return host_tls_check_file(t, key ? "client-cert.pem" : "client-key.pem", err);
    }
    return host_tls_check_file(t, "ca-cert.pem", err);
}

static bool host_tls_open_psk(HostObject *o, GError **err)
{
    const HostTlsObject *t = (HostTlsObject *)o;

    return host_tls_check(t, err) &&
           (o->machine->dry_run || host_tls_check_file(t, "keys.psk", err));
}

static void host_tls_close(HostObject *o)
{
}

bool host_tls_read(const HostObject *o, HostTls *out)
{
    const HostTlsObject *t = (const HostTlsObject *)o;

    if (o->kind != &host_tls_x509 && o->kind != &host_tls_psk) {
        return false;
    }
    *out = (HostTls){ .dir = t->dir, .verify_peer = t->verify_peer };
    if (o->kind == &host_tls_psk) {
        out->psk_user = t->username ? t->username : "qemu";
    }
    return true;
}

static const char *const endpoints[] = { "client", "server", NULL };
#define TLS_PROPS                                                                                  \
    PROP_STR(HostTlsObject, dir, "dir", "folder with the credentials"),                            \
        PROP_ENUM(HostTlsObject, endpoint, "endpoint", ENDPOINT_CLIENT, endpoints,                 \
                  "side of the connection; only client is available")

static const PlanProp host_tls_x509_props[] = {
    TLS_PROPS,
    PROP_BOOL(HostTlsObject, verify_peer, "verify-peer", true, "check the certificate of the peer"),
};
static const PlanProp host_tls_psk_props[] = {
    TLS_PROPS,
    PROP_STR(HostTlsObject, username, "username", "name of the key (default: qemu)"),
};
const HostObjectKind host_tls_x509 = {
    .name = "tls-creds-x509",
    .doc = "certificates of a TLS connection",
    .size = sizeof(HostTlsObject),
    .props = LIST(host_tls_x509_props),
    .open = host_tls_open_x509,
    .close = host_tls_close,
};
const HostObjectKind host_tls_psk = {
    .name = "tls-creds-psk",
    .doc = "keys of a TLS connection",
    .size = sizeof(HostTlsObject),
    .props = LIST(host_tls_psk_props),
    .open = host_tls_open_psk,
    .close = host_tls_close,
};

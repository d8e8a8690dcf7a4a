/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server of a machine (RFB 3.3 to 3.8, RFC 6143): shows the first display, and sends keys
 * to the keyboard.
 *
 * libvncserver is loaded when the server starts. Each client has a thread of its own, so that a
 * client that does not read or sends half a message delays only itself. These threads access
 * neither the machine nor guest memory: they copy from a copy of the picture, and their keys wait
 * in a bounded queue for the main loop.
 *
 * Every function requires the machine lock.
 */
#ifndef UI_VNC_H
#define UI_VNC_H

#include "hw/core/machine.h"

enum {
    VNC_MAX_CLIENTS = 32,
    VNC_MAX_PASSWORD = 8, /* bytes */
    VNC_BASE_PORT = 5900,
    VNC_MAX_DISPLAY = UINT16_MAX - VNC_BASE_PORT,
};

/* Reaction to a client that asks for a session of its own. */
typedef enum VncShare {
    VNC_SHARE_ALLOW_EXCLUSIVE, /* the other clients are disconnected */
    VNC_SHARE_FORCE_SHARED,    /* the client is disconnected */
    VNC_SHARE_IGNORE,          /* nothing */
} VncShare;

/* The settings of -vnc. Strings are borrowed by vnc_start() until it returns. */
typedef struct VncOptions {
    const char *address;         /* "[HOST]:N", "unix:PATH"; an empty host is 127.0.0.1 */
    const char *id;              /* name of the server; NULL: "default" */
    const char *password_secret; /* id of a secret with the password; NULL: none */
    bool password;               /* clients need a password, which a monitor sets */
    bool lossy;                  /* compress with losses if the client asks for it */
    int family;                  /* of the addresses of HOST that are used; AF_UNSPEC: all */
    VncShare share;
    uint64_t last;        /* last display number to try if the ports of earlier ones are in use */
    uint64_t connections; /* 1 to VNC_MAX_CLIENTS */
} VncOptions;

/**
 * vnc_start() - Start the server.
 * @err: names the setting, the address or the library
 *
 * A machine with dry_run checks the settings only. vnc_stop() undoes it.
 */
bool vnc_start(Machine *m, const VncOptions *options, GError **err);
/* Disconnect all clients, wait for their threads, and stop listening. No effect without a server.
 */
void vnc_stop(Machine *m);

/* Set the password of the next connections. False with an ERROR_USER if there is no server, or one
 * without a password. */
bool vnc_set_password(Machine *m, const char *password, GError **err);
/* Set the time, in seconds since 1970, from which the password is not accepted; INT64_MAX: never.
 * Errors as vnc_set_password(). */
bool vnc_expire_password(Machine *m, int64_t seconds, GError **err);

typedef struct VncPeer {
    char *host, *service; /* path and "" for a unix socket */
    const char *family;   /* "ipv4", "ipv6" or "unix" */
} VncPeer;

/* The name of the server and whether it requires a password. NULL: there is no server. The string
 * is valid until vnc_stop(). */
const char *vnc_query(Machine *m, bool *password);
/* Call fn for each address that the server listens on, and for each client that has completed the
 * handshake. */
void vnc_foreach_address(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque);
void vnc_foreach_client(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the VNC server: vnc.c (life, passwords, queries), vnc_listen.c (addresses),
 * vnc_clients.c (clients on the main loop), vnc_thread.c (thread of a client), vnc_handshake.c (its
 * first messages), vnc_view.c (the picture), vnc_keys.c (keys), vnc_pointer.c (pointers).
 */
#ifndef UI_VNC_INTERNAL_H
#define UI_VNC_INTERNAL_H

#include <rfb/rfb.h>

#include "hw/core/clock.h"
#include "hw/core/display.h"
#include "hw/core/host_object.h"
#include "ui/vnc.h"
#include "util/listener.h"

enum {
    VNC_MAX_KEYS = 64,
    VNC_MAX_ADDRESSES = 4,
    VNC_BAND = 16, /* rows of the picture that are marked as changed together */
    VNC_MAX_BANDS = DISPLAY_MAX_SIZE / VNC_BAND,
    VNC_MAX_CODE = 256, /* keys of a keyboard have smaller codes */
    VNC_KEY_RETRY_MS = 5,
    VNC_KEY_LIMIT_MS = 1000,    /* a guest that does not receive keys loses presses */
    VNC_RELEASE_RETRY_MS = 100, /* after this limit; releases are not lost */
    VNC_HANDSHAKE_MS = 10000,
    VNC_STALL_MS = 60000, /* a client that neither accepts a byte nor completes a message */
};

/* Functions of libvncserver, loaded by vnc_start(). */
typedef struct VncApi {
    typeof(rfbGetScreen) *get_screen;
    typeof(rfbScreenCleanup) *screen_cleanup;
    typeof(rfbNewClient) *new_client;
    typeof(rfbClientConnectionGone) *client_gone;
    typeof(rfbCloseClient) *close_client;
    typeof(rfbProcessClientMessage) *process;
    typeof(rfbUpdateClient) *update;
    typeof(rfbNewFramebuffer) *new_framebuffer;
    typeof(rfbSetTranslateFunction) *set_translate;
    typeof(rfbMarkRectAsModified) *mark;
    typeof(rfbReadExact) *read;
    typeof(rfbWriteExact) *write;
    typeof(rfbEncryptBytes) *encrypt;
    typeof(rfbLogEnable) *log_enable;
    typeof(rfbRegisterProtocolExtension) *register_extension;
    typeof(rfbUnregisterProtocolExtension) *unregister_extension;
} VncApi;

/* A copy of the picture, in 32-bit pixels of the host's byte order without gaps. Client threads
 * copy from it. */
typedef struct VncView {
    GMutex lock;
    uint32_t width, height; /* lock, as the next members; 0 before the first copy */
    uint8_t *pixels;
    uint64_t seq;                     /* number of the last change */
    uint64_t band_seq[VNC_MAX_BANDS]; /* number of the last change of a band */
    /* machine lock: */
    uint8_t *scratch; /* one band */
    DisplayMode mode; /* that was copied last; ram NULL: blank */
    RamBlock *tracked;
    uint32_t next_band; /* where the next pass begins */
    Timer timer;        /* armed while clients are connected */
} VncView;

typedef struct VncServer VncServer;
/* A client is served from its ClientInit. */
typedef enum VncPhase { VNC_HANDSHAKE, VNC_SERVING, VNC_ENDED } VncPhase;

/* A place for a client. `thread`, `reported`, `peer`, `local`, `pressed`, `pointer_*`: main loop;
 * `phase`: v->lock; `screen` and the members after `cl`: the thread. The sockets are valid while
 * `thread` is. */
typedef struct VncClient {
    VncServer *v;
    rfbScreenInfoPtr screen; /* of this client alone */
    GThread *thread;         /* NULL: the place is free */
    VncPeer peer, local;     /* both ends of the connection */
    VncPhase phase, reported;
    uint8_t pressed[VNC_MAX_CODE / 8]; /* keys that the client holds */
    bool pointer_placed;               /* the position is known: */
    uint16_t pointer_x, pointer_y;
    uint8_t pointer_buttons; /* the button mask of the last message */
    int fd, wake;            /* socket; eventfd */
    bool served;             /* was in phase VNC_SERVING; v->lock */
    rfbClientPtr cl;
    uint8_t *pixels; /* that the library encodes */
    uint32_t width, height;
    uint64_t seen; /* seq of `pixels` */
} VncClient;

/* A key, or a message of the pointer. */
typedef struct VncKey {
    VncClient *c;
    uint16_t code;
    bool down;
    bool pointer; /* the members below are valid */
    uint8_t buttons;
    uint16_t x, y;
    uint32_t width, height; /* of the picture */
} VncKey;

/* m->vnc */
struct VncServer {
    Machine *m;
    VncApi api;
    char *id;
    bool needs_password, lossy;
    VncShare share;
    HostObject *secret; /* in use; NULL: none */
    VncPeer addresses[VNC_MAX_ADDRESSES];
    int fds[VNC_MAX_ADDRESSES];
    Listener *listeners[VNC_MAX_ADDRESSES];
    unsigned n_addresses;
    char *unix_path;
    VncView view;
    GSource *wake;                      /* calls the main loop after a key or a change of a phase */
    Timer keys_timer;                   /* armed while the guest has not received earlier keys */
    unsigned keys_waits;                /* turns of the timer since a key was received */
    uint8_t releases[VNC_MAX_CODE / 8]; /* keys that no client holds, of which the guest has not
                                         * received the release; machine lock */
    VncClient *clients;
    unsigned n_clients;
    /* Serialises the calls of the library that use its process-wide state: new clients and their
     * handshake. They do not wait for the client. */
    GMutex library;
    GMutex lock;    /* the members below, and those of clients */
    int64_t logged; /* time of the last line of vnc_log_any(); us, 0: none */
    GCond keys_taken;
    bool stopping;
    char password[VNC_MAX_PASSWORD + 1];
    bool password_set; /* false: no client can connect */
    int64_t expires;   /* s */
    VncKey keys[VNC_MAX_KEYS];
    unsigned n_keys;
};

/* vnc_listen.c: bind to the address of the options, and describe it. A machine with dry_run checks
 * it only. vnc_listen_close() undoes it. */
bool vnc_listen(VncServer *v, const VncOptions *options, GError **err);
void vnc_listen_close(VncServer *v);
void vnc_peer_clear(VncPeer *p);
/* A unix socket has a path as its host, or "" if it has no name. */
void vnc_peer_set(VncPeer *p, const struct sockaddr *sa, socklen_t len);

/* vnc_clients.c. _init: create the places, before the first connection. _accept: a ListenerFn.
 * _free: disconnect all clients, and free the places. */
bool vnc_clients_init(VncServer *v, unsigned n, GError **err);
void vnc_clients_accept(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len);
void vnc_clients_free(VncServer *v);
/* Report what the threads of clients did. Machine lock. */
void vnc_clients_report(VncServer *v);
/* Log why a client is disconnected, at most once in 10 s. */
void vnc_log_any(VncServer *v, const char *why);
/* Wake the main loop. Any thread. */
void vnc_wake_main_any(VncServer *v);
/* Wake the threads of all clients. Machine lock. */
void vnc_wake_clients(VncServer *v);
/* Begin to serve a client, before ServerInit is sent; `exclusive`: disconnect those that are
 * served. False: the server ends. Thread of the client. */
bool vnc_client_begin(VncClient *c, bool exclusive);
/* The last action of the thread of a client. */
void vnc_client_finish(VncClient *c);

/* vnc_thread.c: the thread of a client. */
gpointer vnc_client_thread(gpointer client);
/* A client accepts the QEMU extended key event. */
extern rfbProtocolExtension vnc_key_extension; /* process-wide state of the library */

/* vnc_handshake.c: everything up to ServerInit. False: the client is not served; c->cl can be NULL.
 */
bool vnc_handshake(VncClient *c);

/* vnc_view.c. _start and _stop begin and end copying. Machine lock. _stop: no client has a thread.
 */
void vnc_view_start(VncServer *v);
void vnc_view_stop(VncServer *v);
/* Copy what changed to the client and mark it for the library. False: no memory. Thread of the
 * client. */
bool vnc_view_copy(VncClient *c);
/* Set the size that ServerInit reports. False: no memory. Thread of the client. */
bool vnc_view_size(VncClient *c);

/* vnc_keys.c. _send: pass a key to the main loop, waiting while too many wait (thread of the
 * client). _report: report the keys that wait; those that the guest cannot receive yet continue to
 * wait. _release: drop the keys of a client that wait, and let the releases of those that it holds
 * wait. _stop: release all keys of all clients, in a RunStateFn. Machine lock. */
void vnc_keys_send(VncClient *c, uint16_t code, bool down);
void vnc_keys_report(VncServer *v);
void vnc_keys_release(VncClient *c);
void vnc_keys_stop(VncServer *v);
/* Pass a message of the pointer to the main loop, as vnc_keys_send(). */
void vnc_pointer_send(VncClient *c, uint8_t buttons, uint16_t x, uint16_t y);
/* vnc_pointer.c: report a message of the pointer; release the buttons of a client. Machine lock. */
void vnc_pointer_report(const VncKey *k);
void vnc_pointer_release(VncClient *c);
/* Return whether keys of a client wait. */
bool vnc_keys_waiting(VncClient *c);
/* The code of a key symbol of X11; 0: none. */
uint16_t vnc_key_code(uint32_t symbol);

#endif

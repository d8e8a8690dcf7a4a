/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside net/: peers, their kinds, and the queue of frames on their way to the NIC.
 */
#ifndef NET_NET_INT_H
#define NET_NET_INT_H

#include <sys/socket.h>

#include "net/net.h"

/* What waits for the NIC in one lane; beyond either, frames are lost, as on wires. */
enum { NET_QUEUE_FRAMES = 256, NET_QUEUE_BYTES = 1 << 20 };

typedef struct NetKind NetKind;
typedef struct NetFrame {
    size_t len;
    uint8_t data[];
} NetFrame;

typedef struct NetLane {
    GQueue waiting; /* NetFrame*, for the NIC */
    size_t bytes;
    uint64_t lost;
} NetLane;

/* m->netdevs */
typedef struct NetSet {
    GPtrArray *netdevs;     /* Netdev* */
    GPtrArray *nics;        /* NetNic*, the cards */
    GHashTable *announcing; /* id -> NetAnnounce* */
} NetSet;
NetSet *net_set(Machine *m);          /* made at the first call */
void net_announce_free(void *opaque); /* NetAnnounce* */

struct Netdev {
    Machine *machine;
    char *id;
    const NetKind *kind;
    void *priv;
    const NetNic *nic; /* NULL: nothing attached; frames are dropped */
    char *device;
    bool link;
    NetLane lanes[NET_LANES];
    unsigned next_lane; /* the one that is offered first */
    bool sending;       /* inside send(): the NIC must not be entered, answers wait */
    guint flush;        /* idle source that delivers what waited for that */
    uint64_t lost;      /* on their way to the network */
};

struct NetKind {
    const char *name;
    const char *const *keys; /* options beside type and id, NULL-terminated */
    bool (*open)(Netdev *n, struct json_object *options, GError **err);
    void (*close)(Netdev *n);
    /* One whole frame; false: not now, net_writable() will be called. */
    bool (*send)(Netdev *n, const uint8_t *frame, size_t len);
    char *(*info)(const Netdev *n); /* g_free */
    /* User networks, else NULL: the connections as a table (g_free), and port forwarding. */
    char *(*connections)(const Netdev *n);
    bool (*forward)(Netdev *n, const char *rule, bool add, GError **err);
};

/* A frame from the network for the NIC: delivered, queued or lost. */
void net_input(Netdev *n, const uint8_t *frame, size_t len);
/* Frames lost so far, either way, over all lanes. */
uint64_t net_lost(const Netdev *n);
/* send() would succeed again. */
void net_writable(Netdev *n);

extern const NetKind net_user, net_stream, net_socket, net_dgram, net_tap, net_hub;

/* --- address.c --- */
typedef struct NetAddr {
    struct sockaddr_storage sa;
    socklen_t len; /* 0: none */
    mode_t mode;   /* of the file of a unix socket that is bound */
} NetAddr;
/* NAME.type=inet with .host, .port, .ipv4, .ipv6, or NAME.type=unix with .path, .abstract and, to
 * listen, .mode (octal, default 0600). */
bool net_addr_parse(struct json_object *o, const char *name, bool dgram, bool passive, NetAddr *out,
                    GError **err);
bool net_addr_host_port(const char *text, bool passive, NetAddr *out, GError **err); /* HOST:PORT */
/* The text of NAME.KEY, NULL if absent. */
const char *net_addr_opt(struct json_object *o, const char *name, const char *key);
char *net_addr_text(const NetAddr *a); /* "HOST:PORT" or the path, g_free */
/* Send NETDEV_STREAM_CONNECTED with the address of the peer. */
void net_addr_event(const Netdev *n, const NetAddr *peer);
bool net_addr_multicast(const NetAddr *a);

/* hubport: the number of its hub. */
int net_hub_id(const Netdev *n);

/* Options as text, whatever scalar they are. NULL: absent. */
const char *net_opt(struct json_object *o, const char *key);
#define NET_ERROR(err, ...) g_set_error(err, g_quark_from_static_string("net"), 0, __VA_ARGS__)

/* offload.c: call fn for each plain frame that `frame` with `meta` stands for, checksums filled in
 * and TCP cut into segments, as far as `part` says (net_send_part()). frame may be changed. False:
 * the metadata fit no frame (dropped). */
typedef bool NetFrameFn(void *opaque, const uint8_t *frame, size_t len);
bool net_finish_part(uint8_t *frame, size_t len, const NetMeta *meta, NetPart *part, NetFrameFn *fn,
                     void *opaque);
/* The Internet checksum of bytes added to `sum`, folded and complemented. */
uint16_t net_checksum(uint32_t sum, const uint8_t *p, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back ends inside net/: their types, and the queues of frames for the user of a back end.
 */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include <json-c/json.h>
#include <sys/socket.h>

#include "net/net.h"
#include "util/error.h"

/* Limits of the frames that wait in one lane. Frames beyond a limit are lost. */
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
    GPtrArray *nics;        /* NetNic* */
    GHashTable *announcing; /* id -> NetAnnounce* */
} NetSet;
NetSet *net_set(Machine *m);          /* created at the first call */
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
    unsigned next_lane; /* the lane that is offered first */
    bool sending;       /* inside NetKind.send: the device must not be entered, and answers wait */
    guint flush;        /* idle source that delivers the answers */
    uint64_t lost;      /* frames of the device that the network did not accept */
};

struct NetKind {
    const char *name;
    const char *const *keys; /* options besides type and id, NULL-terminated */
    bool (*open)(Netdev *n, struct json_object *options, GError **err);
    void (*close)(Netdev *n);
    /* Send a complete frame. False: not now; net_writable() follows. */
    bool (*send)(Netdev *n, const uint8_t *frame, size_t len);
    char *(*info)(const Netdev *n); /* g_free */
    /* User networks only: the connections as a table (g_free), and port forwarding. */
    char *(*connections)(const Netdev *n);
    bool (*forward)(Netdev *n, const char *rule, bool add, GError **err);
};

/* A frame from the network. It is delivered, queued or lost. */
void net_input(Netdev *n, const uint8_t *frame, size_t len);
/* Frames lost so far in both directions. */
uint64_t net_lost(const Netdev *n);
/* NetKind.send would succeed again. */
void net_writable(Netdev *n);

extern const NetKind net_user, net_stream, net_socket, net_dgram, net_tap, net_hub;

/* --- address.c --- */
typedef struct NetAddr {
    struct sockaddr_storage sa;
    socklen_t len; /* 0: none */
    mode_t mode;   /* of the file of a unix socket, when bound */
} NetAddr;
/* Parse an address: NAME.type=inet with .host, .port, .ipv4 and .ipv6, or NAME.type=unix with
 * .path, .abstract and, if passive, .mode (octal, default 0600). */
bool net_addr_parse(struct json_object *o, const char *name, bool dgram, bool passive, NetAddr *out,
                    GError **err);
bool net_addr_host_port(const char *text, bool passive, NetAddr *out, GError **err); /* HOST:PORT */
/* The text of NAME.KEY; NULL if absent. */
const char *net_addr_opt(struct json_object *o, const char *name, const char *key);
char *net_addr_text(const NetAddr *a); /* "HOST:PORT" or the path, g_free */
/* Send NETDEV_STREAM_CONNECTED with the address of the peer. */
void net_addr_event(const Netdev *n, const NetAddr *peer);
bool net_addr_multicast(const NetAddr *a);

/* The number of the hub of a hubport. */
int net_hub_id(const Netdev *n);

/* The text of an option; NULL if absent. */
const char *net_opt(struct json_object *o, const char *key);

/* --- offload.c --- */
typedef bool NetFrameFn(void *opaque, const uint8_t *frame, size_t len);
/* Compute the checksums of a frame with metadata, cut TCP into segments, and call fn for each plain
 * frame, as far as `part` allows (net_send_part()). The frame may be changed. False: the metadata
 * do not match the frame, which is dropped. */
bool net_finish_part(uint8_t *frame, size_t len, const NetMeta *meta, NetPart *part, NetFrameFn *fn,
                     void *opaque);
/* The Internet checksum (RFC 1071) of bytes, added to `sum`, folded and complemented. */
uint16_t net_checksum(uint32_t sum, const uint8_t *p, size_t len);

#endif

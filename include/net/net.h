/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back ends: a peer that frames are exchanged with.
 *
 * A Netdev is made from -netdev / netdev_add options (user, socket, stream, dgram, tap, hubport)
 * and serves one NIC. Frames are whole Ethernet frames, preceded by nothing; offload metadata
 * travels beside them. Main loop, machine lock throughout.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <json-c/json.h>
#include <sys/uio.h>

#include "hw/core/machine.h"

#define NET_MAX_FRAME (65536 + 18)

typedef struct Netdev Netdev;

/* Offload metadata of one frame; all zero: a plain frame. Fields are those of the virtio-net
 * header (virtio 1.2, 5.1.6), host order. */
typedef struct NetMeta {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
} NetMeta;

#define NET_LANES 16

/* The NIC. */
typedef struct NetNic {
    /* A frame from the peer, for a lane; false: no room there now, offer it again after
     * net_nic_ready(). */
    bool (*receive)(void *opaque, unsigned lane, const struct iovec *iov, int n,
                    const NetMeta *meta);
    /* Which way into the card the frame takes, below NET_LANES: what waits in one lane holds up no
     * other. -1: the card does not want it. NULL: all take lane 0. */
    int (*lane)(void *opaque, const struct iovec *iov, int n);
    void (*link)(void *opaque, bool up);
    /* The peer takes frames again after net_send() returned 0. */
    void (*sent)(void *opaque);
    /* Tell the network where the card is. */
    void (*announce)(void *opaque);
    void *opaque;
    const char *model;  /* type of the card, for monitors */
    const uint8_t *mac; /* its address as it is at any time, 6 bytes */
    char *name;         /* private: net_nic_add() gives it */
    Netdev *peer;       /* private; NULL: a card without a cable */
    bool unplugged;     /* private: set_link of such a card */
} NetNic;

Netdev *netdev_new(Machine *m, struct json_object *options, GError **err);
bool netdev_del(Machine *m, const char *id, GError **err);
/* One line for each kind, for -netdev help; g_free. */
char *netdev_help(void);
/* The i-th kind and the keys it accepts beside type and id (NULL-terminated); false at the end. */
bool netdev_kind(size_t i, const char **name, const char *const **keys);
Netdev *netdev_find(Machine *m, const char *id);
void netdev_free_all(Machine *m);

/* A card comes: known to monitors as `id`, or (NULL) as its model and a number, and attached to
 * the netdev of that name, if not NULL. False with a sentence. */
bool net_nic_add(Machine *m, NetNic *nic, const char *netdev, const char *id, GError **err);
void net_nic_remove(Machine *m, NetNic *nic); /* safe on one that was not added */
NetNic *net_nic_find(Machine *m, const char *name);
bool net_nic_link(const NetNic *nic);
/* For peers that are no card of a guest. */
bool netdev_attach(Netdev *n, const NetNic *nic, const char *device, GError **err);
void netdev_detach(Netdev *n);
/* Send one frame: bytes taken (the whole frame or 0: wait for `sent`). Frames while the link is
 * down are dropped. Back ends take plain frames: checksums and segments are made here. */
size_t net_send(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta);
/* How far a frame that is cut into segments got. */
typedef struct NetPart {
    size_t at;       /* in and out: bytes of the payload that were sent before; 0 at first */
    unsigned most;   /* in: segments that may be sent now */
    unsigned frames; /* out: frames that the network was given */
    bool more;       /* out: segments are left: call again with the same frame and `at` */
} NetPart;
/* net_send() of a part of the frame. TCP segments of less than NET_MIN_GSO bytes are refused as
 * Linux refuses such a maximum segment size, so that a frame has no more than 1,366. */
enum { NET_MIN_GSO = 48 };
size_t net_send_part(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta,
                     NetPart *part);
void net_nic_ready(Netdev *n);

bool netdev_set_link(Machine *m, const char *name, bool up, GError **err);
bool netdev_link(const Netdev *n);
/* What `info network` shows: cards, each with its network, and hubs with their ports; g_free. */
char *net_info(Machine *m);

/* The connections of user networks, for `info usernet`; g_free. */
char *net_user_connections(Machine *m);
/* Add (tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT) or remove (tcp|udp:[HOSTADDR]:HOSTPORT) a
 * port forwarding of the user network `id`, NULL: the first one. False and a sentence. */
bool net_forward(Machine *m, const char *id, const char *rule, bool add, GError **err);

/* Let cards announce themselves: now and, `rounds` times in all, after `initial` ms and `step` ms
 * more each time, at most `max`. names: of cards (NULL-terminated; NULL: all). A series of the
 * same id that is under way ends; rounds 0 does no more. Lock. */
enum { NET_ANNOUNCE_MAX_MS = 100000, NET_ANNOUNCE_MAX_ROUNDS = 1000 };
typedef struct NetAnnounceTimes {
    uint64_t initial, max, rounds, step;
} NetAnnounceTimes;
bool net_announce(Machine *m, const char *id, const NetAnnounceTimes *times, char **names,
                  GError **err);
void netdev_foreach(Machine *m, void (*fn)(void *opaque, Netdev *n), void *opaque);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back ends, and the network devices of a guest that use them.
 *
 * A Netdev is created from the options of -netdev or netdev_add (user, socket, stream, dgram, tap,
 * hubport) and serves one NetNic. Frames are complete Ethernet frames without a header in front of
 * them; offload metadata are passed separately.
 *
 * Locking: the machine lock for every function, on the main loop.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <sys/uio.h>

#include "hw/core/machine.h"

enum {
    NET_MAX_FRAME = 65536 + 18, /* bytes */
    NET_LANES = 16,
    NET_MIN_GSO = 48, /* smallest gso_size, in bytes: a frame has at most 1,366 segments */
};

struct json_object; /* <json-c/json.h>: options of back ends */
typedef struct Netdev Netdev;

/* Offload metadata of a frame, in host byte order; all zero for a plain frame. The members are
 * those of the virtio-net header (virtio 1.2, 5.1.6). */
typedef struct NetMeta {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
} NetMeta;

typedef enum NetRxMode { NET_RX_NONE, NET_RX_NORMAL, NET_RX_ALL } NetRxMode;

/* A receive filter, for monitors. The tables remain owned by the device. */
typedef struct NetRxFilter {
    bool promiscuous, broadcast;
    NetRxMode unicast, multicast, vlan;
    bool unicast_overflow, multicast_overflow;
    const uint8_t *unicast_table, *multicast_table; /* 6 bytes for each address */
    unsigned n_unicast, n_multicast;
    const uint8_t *vlans; /* 4096 bits; NULL: no VLAN is filtered */
} NetRxFilter;

/* A network device of the guest. The device owns the structure and fills in the public members
 * before net_nic_add(). Function pointers may be NULL except receive. */
typedef struct NetNic {
    /* A frame from the network for a lane. False: the device has no buffer now; the frame is
     * offered again after net_nic_ready(). */
    bool (*receive)(void *opaque, unsigned lane, const struct iovec *iov, int n,
                    const NetMeta *meta);
    /* The lane of a frame, below NET_LANES. Frames that wait in one lane do not delay others. -1:
     * the device rejects the frame. NULL: lane 0 for every frame. */
    int (*lane)(void *opaque, const struct iovec *iov, int n);
    /* The link state changed. */
    void (*link)(void *opaque, bool up);
    /* The network accepts frames again after net_send() returned 0. */
    void (*sent)(void *opaque);
    /* Announce the location of the device to the network. */
    void (*announce)(void *opaque);
    /* Describe the receive filter. */
    void (*rx_filter)(void *opaque, NetRxFilter *out);
    void *opaque;
    const char *model;  /* device type, for monitors */
    const uint8_t *mac; /* the current address, 6 bytes */
    char *name;         /* private: set by net_nic_add() */
    Netdev *peer;       /* private; NULL: not connected */
    bool unplugged;     /* private: link state of a device that is not connected */
} NetNic;

/* --- back ends --- */

/**
 * netdev_new() - Create a back end.
 * @options: type, id and the options of the type; values may be text or JSON scalars
 * @err:     names the back end, the option and what is accepted
 *
 * netdev_del() removes it.
 *
 * Return: the back end, owned by the machine; NULL on failure.
 */
Netdev *netdev_new(Machine *m, struct json_object *options, GError **err);

/** netdev_del() - Remove a back end. False if it does not exist or a device uses it. */
bool netdev_del(Machine *m, const char *id, GError **err);

/** netdev_free_all() - Remove all back ends when the machine ends. */
void netdev_free_all(Machine *m);

/** netdev_find() - Find a back end by its id; NULL if there is none. */
Netdev *netdev_find(Machine *m, const char *id);

/** netdev_foreach() - Call @fn for each back end. */
void netdev_foreach(Machine *m, void (*fn)(void *opaque, Netdev *n), void *opaque);

/** netdev_help() - Get the help text of -netdev: a line for each type; g_free. */
char *netdev_help(void);

/** netdev_kind() - Get the name of type @i, and the keys that it accepts besides type and id
 * (NULL-terminated). False behind the last type. */
bool netdev_kind(size_t i, const char **name, const char *const **keys);

/**
 * netdev_attach() - Connect a user to a back end.
 * @nic:    the user, which remains owned by the caller; not necessarily a device of the guest
 * @device: its name for messages
 *
 * netdev_detach() undoes it.
 *
 * Return: false with @err set if the back end is already used.
 */
bool netdev_attach(Netdev *n, const NetNic *nic, const char *device, GError **err);
/** netdev_detach() - Disconnect the user. Frames that wait for it are dropped. */
void netdev_detach(Netdev *n);

/**
 * netdev_set_link() - Set the link state (set_link).
 * @name: a back end, or a network device, whose back end's link is then set
 *
 * Return: false with @err set if there is neither.
 */
bool netdev_set_link(Machine *m, const char *name, bool up, GError **err);

/* --- devices --- */

/**
 * net_nic_add() - Register a network device, and connect it.
 * @nic:    remains owned by the caller until net_nic_remove()
 * @netdev: id of the back end; NULL: not connected
 * @id:     name for monitors; NULL: the model and a number
 *
 * Return: false with @err set if the back end does not exist or is used; nothing is registered
 * then.
 */
bool net_nic_add(Machine *m, NetNic *nic, const char *netdev, const char *id, GError **err);
/** net_nic_remove() - Undo net_nic_add(). No effect on a device that is not registered. */
void net_nic_remove(Machine *m, NetNic *nic);
/** net_nic_find() - Find a device by its name; NULL if there is none. */
NetNic *net_nic_find(Machine *m, const char *name);
/** net_nic_link() - Return whether the link of a device is up. */
bool net_nic_link(const NetNic *nic);
/** net_nic_ready() - Offer the frames that wait: the user of the back end may have buffers. */
void net_nic_ready(Netdev *n);
/* Call @fn with the id of each back end that neither a device nor a hub uses. Machine lock. */
void net_visit_unused(const Machine *m, void (*fn)(void *opaque, const char *id), void *opaque);

/**
 * net_send() - Send a frame to the network.
 * @meta: offload metadata; NULL: a plain frame
 *
 * Checksums and segments are computed here, because back ends accept plain frames only. A frame is
 * dropped while the link is down, or if the metadata do not match it.
 *
 * Return: the length of the frame; 0 if the network does not accept it now (NetNic.sent follows).
 */
size_t net_send(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta);

/* Progress of a frame that is sent in segments. */
typedef struct NetPart {
    size_t at;       /* in and out: bytes of the payload that were sent before; 0 at first */
    unsigned most;   /* in: the number of segments that may be sent now */
    unsigned frames; /* out: the number of frames passed to the network */
    bool more;       /* out: segments are left; call again with the same frame and `at` */
} NetPart;

/** net_send_part() - As net_send(), for at most @part->most segments of the frame. */
size_t net_send_part(Netdev *n, const struct iovec *iov, int n_iov, const NetMeta *meta,
                     NetPart *part);

enum { NET_ANNOUNCE_MAX_MS = 100000, NET_ANNOUNCE_MAX_ROUNDS = 1000 };
/* Delays in milliseconds: the second announcement follows after `initial`, and each later one after
 * `step` more than the one before, at most `max`. */
typedef struct NetAnnounceTimes {
    uint64_t initial, max, rounds, step;
} NetAnnounceTimes;

/**
 * net_announce() - Announce network devices to the network (announce-self).
 * @id:    name of the series; a running series of the same name ends
 * @times: the number of announcements and their delays; 0 rounds only end the running series
 * @names: the devices (NULL-terminated); NULL: all
 *
 * Return: false with @err set if a device does not exist or a time is out of range.
 */
bool net_announce(Machine *m, const char *id, const NetAnnounceTimes *times, char **names,
                  GError **err);
/**
 * net_announce_move() - Announce a device of a guest that has moved to this host.
 * @nic: the device
 *
 * Starts a series with the times of QEMU's announcements, because a single frame can be lost. It
 * ends when the guest stops: the guest may then run on another host.
 */
void net_announce_move(Machine *m, const NetNic *nic);
/* The times that QEMU uses after a migration and for HMP announce_self. */
extern const NetAnnounceTimes net_announce_default;

/* --- monitors --- */

/** net_info() - Get the text of `info network`: devices with their networks, and hubs; g_free. */
char *net_info(Machine *m);

/**
 * net_rx_filters() - Get the result of query-rx-filter.
 * @name: a network device; NULL: all that have a filter
 *
 * Return: an array for json_object_put(); NULL with @err set if the device does not exist or has no
 * filter.
 */
struct json_object *net_rx_filters(Machine *m, const char *name, GError **err);

/** net_user_connections() - Get the text of `info usernet`; g_free. */
char *net_user_connections(Machine *m);

/**
 * net_forward() - Add or remove a port forwarding of a user network.
 * @id:   the network; NULL: the first user network
 * @rule: tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT to add, tcp|udp:[HOSTADDR]:HOSTPORT to
 *        remove
 *
 * Return: false with @err set if the network or the rule does not exist, the rule is malformed, or
 * the port is used.
 */
bool net_forward(Machine *m, const char *id, const char *rule, bool add, GError **err);

#endif

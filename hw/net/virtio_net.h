/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside virtio-net (virtio 1.2, 5.1): the card, and the parts its files give each other.
 *
 *   virtio_net.c       life, features, configuration space, saved state
 *   virtio_net_rx.c    which frames the card takes, and into which pair's buffers
 *   virtio_net_tx.c    sending, and telling the network where the card is
 *   virtio_net_ctrl.c  commands of the control queue
 */
#ifndef HW_NET_VIRTIO_NET_H
#define HW_NET_VIRTIO_NET_H

#include "hw/virtio/virtio_pci.h"
#include "net/net.h"

enum {
    F_CSUM = 0,
    F_GUEST_CSUM = 1,
    F_MTU = 3,
    F_MAC = 5,
    F_HOST_TSO4 = 11,
    F_HOST_TSO6 = 12,
    F_MRG_RXBUF = 15,
    F_STATUS = 16,
    F_CTRL_VQ = 17,
    F_CTRL_RX = 18,
    F_CTRL_VLAN = 19,
    F_CTRL_RX_EXTRA = 20,
    F_GUEST_ANNOUNCE = 21,
    F_MQ = 22,
    F_CTRL_MAC_ADDR = 23,
    F_VERSION_1 = 32,
};
enum { STATUS_LINK_UP = 1, STATUS_ANNOUNCE = 2 };
enum {
    MAX_PAIRS = 16,
    MAX_MACS = 64,
    VLANS = 4096,
    FLOWS = 256,
    ETH_LEN = 14,
};

/* struct virtio_net_hdr (5.1.6); num_buffers is there with MRG_RXBUF or VERSION_1. */
typedef struct NetHeader {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} NetHeader;
G_STATIC_ASSERT(sizeof(NetHeader) == 12);
G_STATIC_ASSERT((int)MAX_PAIRS <= NET_LANES);

/* The receive filter: the table holds unicast addresses first. A list that was too long for it
 * counts as holding everything. */
typedef struct NetFilter {
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast, mac_overflow, multi_overflow;
    uint16_t n_uni, n_multi;
    uint8_t table[MAX_MACS * 6];
    uint8_t vlans[VLANS / 8];
} NetFilter;

typedef struct VirtioNet {
    VirtioPCI vpci;
    /* properties */
    char *netdev;
    uint8_t mac_prop[6];
    uint16_t pairs, rx_size, tx_size, mtu;
    bool csum, tso, mrg, ctrl, announce, mq;
    Netdev *peer;
    NetNic nic;
    /* guest-visible state */
    uint8_t mac[6];
    uint16_t status;
    uint16_t active_pairs;
    NetFilter filter;
    uint8_t flows[FLOWS]; /* pair that last sent for a flow, plus 1; 0: none did */
    bool moved;           /* loaded, and did not run here yet */
    uint32_t tx_blocked;  /* bit n: pair n waits for the peer */
    size_t tx_at[MAX_PAIRS]; /* bytes of the next frame of the pair that were sent as segments in
                                earlier turns. Not saved: the frame is sent anew */
} VirtioNet;

static inline Device *net_device(VirtioNet *n)
{
    return &n->vpci.pci.dev;
}

/* Bytes in front of each frame. */
static inline size_t net_header_len(const VirtioNet *n)
{
    const VirtioDevice *v = &n->vpci.virtio;

    return virtio_has(v, F_MRG_RXBUF) || virtio_has(v, F_VERSION_1) ? sizeof(NetHeader) : 10;
}

/* The guest stands still, and so does the card. */
static inline bool net_stopped(VirtioNet *n)
{
    return !machine_active(net_device(n)->machine);
}

/* --- receiving --- */
/* NetNic.receive and .lane: a lane is a pair of queues. */
bool virtio_net_receive(void *opaque, unsigned lane, const struct iovec *iov, int n_iov,
                        const NetMeta *meta);
int virtio_net_lane(void *opaque, const struct iovec *iov, int n_iov);
/* The pair sent this frame: what comes back belongs to its receive queue (5.1.6.5.6). */
void virtio_net_learn(VirtioNet *n, unsigned pair, const struct iovec *iov, int n_iov);

/* --- sending --- */
void virtio_net_send_pair(VirtioNet *n, unsigned pair);
void virtio_net_queue_reset(VirtioDevice *v, unsigned queue);
/* NetNic.sent: the peer takes frames again. */
void virtio_net_sent(void *opaque);
/* A gratuitous reverse ARP: tells switches where the address is now (RFC 903). */
void virtio_net_send_rarp(VirtioNet *n);

/* --- the control queue --- */
void virtio_net_control(VirtioNet *n, VirtQueue *vq);

#endif

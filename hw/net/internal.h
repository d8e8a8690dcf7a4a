/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net inside hw/net (virtio 1.2, 5.1): the device structure, which unit tests use as well,
 * the receive filter and the control queue.
 */
#ifndef HW_NET_INTERNAL_H
#define HW_NET_INTERNAL_H

#include <linux/virtio_net.h>

#include "hw/virtio/virtio_base.h"
#include "net/net.h"

enum {
    MAX_PAIRS = 16,
    MAX_MACS = 64,
    VLANS = 4096,
    FLOWS = 256,
    ETH_LEN = 14,
    HEAD_LEN = 128, /* bytes of a frame that the filter and the flow hash may read */
};

/* struct virtio_net_hdr_v1 (5.1.6). A legacy driver without VIRTIO_NET_F_MRG_RXBUF omits
 * num_buffers. */
typedef struct NetHeader {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} NetHeader;
G_STATIC_ASSERT(sizeof(NetHeader) == sizeof(struct virtio_net_hdr_v1));
G_STATIC_ASSERT((int)MAX_PAIRS <= NET_LANES);

/* The receive filter (5.1.6.5.1 to 5.1.6.5.3). The table contains the unicast addresses first. A
 * list that exceeds the table matches every address. */
typedef struct NetFilter {
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast, mac_overflow, multi_overflow;
    uint16_t n_uni, n_multi;
    uint8_t table[MAX_MACS * 6];
    uint8_t vlans[VLANS / 8];
} NetFilter;

/* The thread that sends frames of a notified transmit queue: the notifying one (AUTO), or that of
 * the event loop (BH). */
typedef enum NetTx { NET_TX_AUTO, NET_TX_BH } NetTx;

typedef struct VirtioNet {
    VirtioBase base;
    /* properties */
    char *netdev;
    int32_t bootindex;
    uint8_t mac_prop[6];
    uint16_t pairs, rx_size, tx_size, mtu;
    uint32_t tx; /* NetTx */
    bool csum, tso, mrg, ctrl, announce, mq;
    Netdev *peer;
    NetNic nic;
    /* guest-visible state */
    uint8_t mac[6];
    uint16_t status;
    uint16_t active_pairs;
    NetFilter filter;
    uint8_t flows[FLOWS]; /* the pair that last transmitted for a flow, plus 1; 0: none */
    bool moved;           /* the state was loaded, and the machine has not run since */
    uint32_t tx_blocked;  /* bit n: pair n waits for the back end */
    /* Bytes of each pair's next frame that earlier turns sent as segments. Not saved: the frame is
     * sent again from its start. */
    size_t tx_at[MAX_PAIRS];
} VirtioNet;

/* --- virtio_net_filter.c --- */

/* Copy the first HEAD_LEN bytes of a frame, followed by zeroes if it is shorter. Returns the number
 * of its bytes in `head`. */
size_t net_frame_head(const struct iovec *iov, int n_iov, uint8_t *head);
/* Return whether the filter accepts a frame for a device with this address. vlan: VLAN filtering
 * was negotiated. */
bool net_filter_accepts(const NetFilter *f, const uint8_t *mac, bool vlan, const uint8_t *head);
/* VIRTIO_NET_CTRL_MAC_TABLE_SET: two lists of addresses, unicast first. False, with nothing
 * changed, if the bytes are not exactly two lists. */
bool net_filter_set_table(NetFilter *f, const uint8_t *p, size_t len);
/* A number that is the same for the frames of a flow in both directions. False: not an IP frame. */
bool net_flow_hash(const uint8_t *head, uint32_t *flow);

/* --- virtio_net_control.c --- */

/* Run the commands of the control queue, up to the work budget of the turn. A malformed command
 * breaks the device. */
void virtio_net_control(VirtioNet *n, VirtQueue *vq);

static inline Device *net_device(VirtioNet *n)
{
    return &n->base.dev;
}

/* Return whether the machine is stopped: queues are not processed. */
static inline bool virtio_net_stopped(VirtioNet *n)
{
    return !machine_active(net_device(n)->machine);
}

/* Bytes of the header in front of each frame. */
static inline size_t net_header_len(const VirtioNet *n)
{
    const VirtioDevice *v = &n->base.virtio;
    bool full = virtio_has(v, VIRTIO_NET_F_MRG_RXBUF) || virtio_has(v, VIRTIO_F_VERSION_1);

    return full ? sizeof(NetHeader) : offsetof(NetHeader, num_buffers);
}

#endif

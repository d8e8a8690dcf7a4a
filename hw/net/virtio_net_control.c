/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: the commands of the control queue (virtio 1.2, 5.1.6.5).
 */
#include <string.h>

#include "internal.h"

/* A command is a class, a command number and at most two lists of 4,096 addresses. */
enum { CTRL_MAX = 2 + 2 * (4 + 6 * 4096) };
/* Bytes of a command for one unit of work of a turn. */
enum { CTRL_UNIT_BYTES = 4096 };

static bool virtio_net_ctrl_rx(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    NetFilter *f = &n->filter;
    bool *const modes[] = { &f->promisc, &f->allmulti, &f->alluni,
                            &f->nomulti, &f->nouni,    &f->nobcast };
    bool extra = virtio_has(&n->base.virtio, VIRTIO_NET_F_CTRL_RX_EXTRA);

    if (cmd >= (extra ? G_N_ELEMENTS(modes) : 2) || len != 1) {
        return false;
    }
    *modes[cmd] = p[0] != 0;
    return true;
}

static bool virtio_net_ctrl_mac(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd == VIRTIO_NET_CTRL_MAC_TABLE_SET) {
        return virtio_has(&n->base.virtio, VIRTIO_NET_F_CTRL_RX) &&
               net_filter_set_table(&n->filter, p, len);
    }
    if (cmd != VIRTIO_NET_CTRL_MAC_ADDR_SET || len != 6 ||
        !virtio_has(&n->base.virtio, VIRTIO_NET_F_CTRL_MAC_ADDR)) {
        return false;
    }
    memcpy(n->mac, p, 6);
    return true;
}

static bool virtio_net_ctrl_vlan(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint8_t *bits;
    uint16_t id;

    if (len != 2 || cmd > VIRTIO_NET_CTRL_VLAN_DEL) {
        return false;
    }
    memcpy(&id, p, 2);
    if (id >= VLANS) {
        return false;
    }
    bits = &n->filter.vlans[id / 8];
    *bits = cmd == VIRTIO_NET_CTRL_VLAN_ADD ? *bits | 1 << (id % 8) : *bits & ~(1 << (id % 8));
    return true;
}

static bool virtio_net_ctrl_announce(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK || len != 0 || !(n->status & VIRTIO_NET_S_ANNOUNCE)) {
        return false;
    }
    n->status &= ~VIRTIO_NET_S_ANNOUNCE;
    return true;
}

static bool virtio_net_ctrl_mq(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint16_t pairs;

    if (cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || len != 2) {
        return false;
    }
    memcpy(&pairs, p, 2);
    if (pairs < 1 || pairs > n->pairs) {
        return false;
    }
    n->active_pairs = pairs;
    return true;
}

static const struct CtrlClass {
    unsigned feature; /* must be negotiated */
    bool (*run)(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len);
} classes[] = {
    [VIRTIO_NET_CTRL_RX] = { VIRTIO_NET_F_CTRL_RX, virtio_net_ctrl_rx },
    [VIRTIO_NET_CTRL_MAC] = { VIRTIO_NET_F_CTRL_VQ, virtio_net_ctrl_mac },
    [VIRTIO_NET_CTRL_VLAN] = { VIRTIO_NET_F_CTRL_VLAN, virtio_net_ctrl_vlan },
    [VIRTIO_NET_CTRL_ANNOUNCE] = { VIRTIO_NET_F_GUEST_ANNOUNCE, virtio_net_ctrl_announce },
    [VIRTIO_NET_CTRL_MQ] = { VIRTIO_NET_F_MQ, virtio_net_ctrl_mq },
};

static uint8_t virtio_net_run_command(VirtioNet *n, VirtqBuf *buf)
{
    size_t len = MIN(buf->in_len, CTRL_MAX);
    g_autofree uint8_t *p = g_malloc(len);
    bool ok;

    virtq_read(buf, 0, p, len);
    virtio_turn_charge(&n->base.virtio, len / CTRL_UNIT_BYTES);
    if (buf->in_len != len || p[0] >= G_N_ELEMENTS(classes) ||
        !virtio_has(&n->base.virtio, classes[p[0]].feature)) {
        return VIRTIO_NET_ERR;
    }
    ok = classes[p[0]].run(n, p[1], p + 2, len - 2);
    return ok ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
}

void virtio_net_control(VirtioNet *n, VirtQueue *vq)
{
    VirtqBuf *buf;

    while (!virtio_net_stopped(n) && (buf = virtq_next(vq))) {
        uint8_t ack;

        if (buf->in_len < 2 || buf->out_len < 1) {
            virtio_broken(&n->base.virtio, "a control command without header or status");
            virtq_discard(buf);
            return;
        }
        ack = virtio_net_run_command(n, buf);
        virtq_write(buf, 0, &ack, 1);
        virtq_push(vq, buf, 1);
    }
    virtq_notify(vq);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, the control queue (virtio 1.2, 5.1.6.5). A command is done whole or refused whole.
 */
#include <string.h>

#include "virtio_net.h"

enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2, CTRL_ANNOUNCE = 3, CTRL_MQ = 4 };
enum { CTRL_OK = 0, CTRL_ERR = 1, CTRL_MAX = 2 + 2 * (4 + 6 * 4096) };
enum { UNIT_BYTES = 4096 }; /* copied for a unit of a turn */

static bool ctrl_rx(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    NetFilter *f = &n->filter;
    bool *const modes[] = { &f->promisc, &f->allmulti, &f->alluni,
                            &f->nomulti, &f->nouni,    &f->nobcast };
    bool extra = virtio_has(&n->vpci.virtio, F_CTRL_RX_EXTRA);

    if (cmd >= (extra ? G_N_ELEMENTS(modes) : 2) || len != 1) {
        return false;
    }
    *modes[cmd] = p[0] != 0;
    return true;
}

/* One list of the MAC table, a count and that many addresses, behind `at` entries; false when the
 * bytes do not fit. */
static bool take_list(NetFilter *f, const uint8_t **p, size_t *len, unsigned at, uint16_t *count,
                      bool *overflow)
{
    uint32_t entries;

    if (*len < 4) {
        return false;
    }
    memcpy(&entries, *p, 4);
    if (entries > (*len - 4) / 6) {
        return false;
    }
    *overflow = entries > MAX_MACS - at;
    *count = *overflow ? 0 : entries;
    memcpy(f->table + at * 6, *p + 4, *count * 6);
    *p += 4 + entries * 6;
    *len -= 4 + entries * 6;
    return true;
}

static bool ctrl_mac_table(VirtioNet *n, const uint8_t *p, size_t len)
{
    NetFilter f = n->filter;

    if (!take_list(&f, &p, &len, 0, &f.n_uni, &f.mac_overflow) ||
        !take_list(&f, &p, &len, f.n_uni, &f.n_multi, &f.multi_overflow) || len != 0) {
        return false;
    }
    n->filter = f;
    return true;
}

static bool ctrl_mac(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd == 0) {
        return virtio_has(&n->vpci.virtio, F_CTRL_RX) && ctrl_mac_table(n, p, len);
    }
    if (cmd != 1 || len != 6 || !virtio_has(&n->vpci.virtio, F_CTRL_MAC_ADDR)) {
        return false;
    }
    memcpy(n->mac, p, 6);
    return true;
}

static bool ctrl_vlan(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint8_t *bits;
    uint16_t id;

    if (len != 2 || cmd > 1) {
        return false;
    }
    memcpy(&id, p, 2);
    if (id >= VLANS) {
        return false;
    }
    bits = &n->filter.vlans[id / 8];
    *bits = cmd == 0 ? *bits | 1 << (id % 8) : *bits & ~(1 << (id % 8));
    return true;
}

static bool ctrl_announce(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd != 0 || len != 0 || !(n->status & STATUS_ANNOUNCE)) {
        return false;
    }
    n->status &= ~STATUS_ANNOUNCE;
    return true;
}

static bool ctrl_mq(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint16_t pairs;

    if (cmd != 0 || len != 2) {
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
    unsigned feature; /* that the driver must have taken */
    bool (*run)(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len);
} classes[] = {
    [CTRL_RX] = { F_CTRL_RX, ctrl_rx },
    [CTRL_MAC] = { F_CTRL_VQ, ctrl_mac },
    [CTRL_VLAN] = { F_CTRL_VLAN, ctrl_vlan },
    [CTRL_ANNOUNCE] = { F_GUEST_ANNOUNCE, ctrl_announce },
    [CTRL_MQ] = { F_MQ, ctrl_mq },
};

static uint8_t run(VirtioNet *n, VirtqBuf *buf)
{
    size_t len = MIN(buf->in_len, CTRL_MAX);
    g_autofree uint8_t *p = g_malloc(len);
    bool ok;

    virtq_read(buf, 0, p, len);
    virtio_turn_charge(&n->vpci.virtio, len / UNIT_BYTES);
    if (buf->in_len != len || p[0] >= G_N_ELEMENTS(classes) ||
        !virtio_has(&n->vpci.virtio, classes[p[0]].feature)) {
        return CTRL_ERR;
    }
    ok = classes[p[0]].run(n, p[1], p + 2, len - 2);
    return ok ? CTRL_OK : CTRL_ERR;
}

void virtio_net_control(VirtioNet *n, VirtQueue *vq)
{
    VirtqBuf *buf;

    while (!net_stopped(n) && (buf = virtq_next(vq))) {
        uint8_t ack;

        if (buf->in_len < 2 || buf->out_len < 1) {
            virtio_broken(&n->vpci.virtio, "a control command without header or status");
            virtq_discard(buf);
            return;
        }
        ack = run(n, buf);
        virtq_write(buf, 0, &ack, 1);
        virtq_push(vq, buf, 1);
    }
    virtq_notify(vq);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: a network card (virtio 1.2, 5.1).
 *
 * Queue 2n receives, 2n+1 sends for pair n, and the last one takes control commands. Frames of a
 * back end that does no offloads are finished in net/ (checksums, segments), so that what the
 * card offers does not depend on what is behind it.
 */
#include <string.h>

#include "hw/virtio/virtio_pci.h"
#include "net/net.h"
#include "util/log.h"

enum {
    F_CSUM = 0,
    F_GUEST_CSUM = 1,
    F_MTU = 3,
    F_MAC = 5,
    F_GUEST_TSO4 = 7,
    F_GUEST_TSO6 = 8,
    F_HOST_TSO4 = 11,
    F_HOST_TSO6 = 12,
    F_MRG_RXBUF = 15,
    F_STATUS = 16,
    F_CTRL_VQ = 17,
    F_CTRL_RX = 18,
    F_CTRL_VLAN = 19,
    F_GUEST_ANNOUNCE = 21,
    F_MQ = 22,
    F_CTRL_MAC_ADDR = 23,
    F_VERSION_1 = 32,
    F_SPEED_DUPLEX = 63,
};
enum { STATUS_LINK_UP = 1, STATUS_ANNOUNCE = 2 };
enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2, CTRL_ANNOUNCE = 3, CTRL_MQ = 4 };
enum { CTRL_OK = 0, CTRL_ERR = 1 };
enum {
    CONFIG_SIZE = 24,
    MAX_PAIRS = 16,
    MAX_MACS = 64,
    VLANS = 4096,
    TX_BURST = 256,
    MIN_MTU = 68,
    MAX_MTU = 65535
};

/* struct virtio_net_hdr (5.1.6); num_buffers is there with MRG_RXBUF or VERSION_1. */
typedef struct NetHeader {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} NetHeader;
G_STATIC_ASSERT(sizeof(NetHeader) == 12);

typedef struct VirtioNet {
    VirtioPCI vpci;
    char *netdev;
    uint8_t mac_prop[6];
    uint16_t pairs, rx_size, tx_size, mtu;
    bool csum, tso, mrg, ctrl, announce;
    Netdev *peer;
    NetNic nic;
    /* guest-visible state */
    uint8_t mac[6];
    uint16_t status;
    uint16_t active_pairs;
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast, mac_overflow, multi_overflow;
    uint16_t n_uni, n_multi; /* filter table: unicast first */
    uint8_t table[MAX_MACS * 6];
    uint8_t vlans[VLANS / 8];
    bool moved;          /* loaded, and did not run here yet */
    uint32_t tx_blocked; /* bit n: pair n waits for the peer */
} VirtioNet;

static VirtioNet *net_of(VirtioDevice *v)
{
    return v->instance;
}

static size_t header_len(const VirtioNet *n)
{
    const VirtioDevice *v = &n->vpci.virtio;

    return virtio_has(v, F_MRG_RXBUF) || virtio_has(v, F_VERSION_1) ? sizeof(NetHeader) : 10;
}

static Device *device_of(VirtioNet *n)
{
    return &n->vpci.pci.dev;
}

/* The last queue, wherever the guest's features put it (5.1.2). */
static unsigned ctrl_queue(const VirtioNet *n)
{
    return virtio_has(&n->vpci.virtio, F_MQ) || n->pairs == 1 ? 2u * n->pairs : 2;
}

static bool stopped(VirtioNet *n)
{
    Machine *m = device_of(n)->machine;

    return !machine_running(m) && !m->qtest;
}

/* --- receiving --- */

static bool in_table(const VirtioNet *n, const uint8_t *mac, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        if (memcmp(n->table + i * 6, mac, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool wants_vlan(const VirtioNet *n, const uint8_t *frame)
{
    unsigned id = (frame[14] << 8 | frame[15]) & (VLANS - 1);

    return !virtio_has(&n->vpci.virtio, F_CTRL_VLAN) || frame[12] != 0x81 || frame[13] != 0x00 ||
           (n->vlans[id / 8] >> (id % 8) & 1);
}

static bool wants(const VirtioNet *n, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (n->promisc) {
        return true;
    }
    if (!wants_vlan(n, frame)) {
        return false;
    }
    if (memcmp(frame, broadcast, 6) == 0) {
        return !n->nobcast;
    }
    if (frame[0] & 1) {
        return !n->nomulti &&
               (n->allmulti || n->multi_overflow || in_table(n, frame, n->n_uni, n->n_multi));
    }
    return !n->nouni && (n->alluni || n->mac_overflow || memcmp(frame, n->mac, 6) == 0 ||
                         in_table(n, frame, 0, n->n_uni));
}

/* A flat copy of a frame's bytes [at, at+len) from the peer's segments into a buffer. */
static size_t fill(VirtqBuf *buf, size_t where, const struct iovec *iov, int n, size_t at)
{
    size_t done = 0;

    for (int i = 0; i < n && where + done < buf->out_len; i++) {
        if (at >= iov[i].iov_len) {
            at -= iov[i].iov_len;
            continue;
        }
        done +=
            virtq_write(buf, where + done, (uint8_t *)iov[i].iov_base + at, iov[i].iov_len - at);
        at = 0;
    }
    return done;
}

/* Take buffers until the frame fits: one, or several with MRG_RXBUF. 0: not enough buffers now;
 * those taken are put back. */
static unsigned take_buffers(VirtioNet *n, VirtQueue *vq, size_t need, VirtqBuf **bufs)
{
    bool merge = virtio_has(&n->vpci.virtio, F_MRG_RXBUF);
    size_t have = 0;
    unsigned count = 0;

    while (have < need && count < VIRTIO_MAX_QUEUE_SIZE && (count == 0 || merge)) {
        bufs[count] = virtq_pop(vq);
        if (!bufs[count]) {
            break;
        }
        have += bufs[count++]->out_len;
    }
    if (have >= need) {
        return count;
    }
    if (count > 0 && !merge) {
        guest_error(device_name(device_of(n)), "receive buffer of %zu bytes for a frame of %zu",
                    have, need);
    }
    while (count > 0) {
        virtq_unpop(vq, bufs[--count]);
    }
    return 0;
}

static NetHeader header_for(const VirtioNet *n, const NetMeta *meta, unsigned buffers)
{
    NetHeader h = { .num_buffers = buffers };

    if (meta && virtio_has(&n->vpci.virtio, F_GUEST_CSUM)) {
        h = (NetHeader){ meta->flags,      meta->gso_type,    meta->hdr_len, meta->gso_size,
                         meta->csum_start, meta->csum_offset, buffers };
    }
    return h;
}

static bool deliver(VirtioNet *n, VirtQueue *vq, const struct iovec *iov, int n_iov, size_t len,
                    const NetMeta *meta)
{
    VirtqBuf *bufs[VIRTIO_MAX_QUEUE_SIZE];
    size_t hlen = header_len(n), at = 0;
    unsigned count = take_buffers(n, vq, len + hlen, bufs);
    NetHeader h = header_for(n, meta, count);

    for (unsigned i = 0; i < count; i++) {
        size_t start = i == 0 ? virtq_write(bufs[0], 0, &h, hlen) : 0;
        size_t part = fill(bufs[i], start, iov, n_iov, at);

        at += part;
        virtq_push(vq, bufs[i], start + part);
    }
    virtq_notify(vq);
    return count > 0;
}

static bool receive(VirtioNet *n, const struct iovec *iov, int n_iov, const NetMeta *meta)
{
    VirtQueue *vq = virtio_queue(&n->vpci.virtio, 0);
    uint8_t head[16] = { 0 };
    size_t len = 0;

    if (stopped(n) || !virtq_ready(vq)) {
        return stopped(n) ? false : true; /* a card that is not set up hears nothing */
    }
    for (int i = 0; i < n_iov; i++) {
        if (len < sizeof(head)) {
            memcpy(head + len, iov[i].iov_base, MIN(iov[i].iov_len, sizeof(head) - len));
        }
        len += iov[i].iov_len;
    }
    if (len < 14 || len > NET_MAX_FRAME || !(n->status & STATUS_LINK_UP) || !wants(n, head)) {
        return true;
    }
    return deliver(n, vq, iov, n_iov, len, meta);
}

/* Frames come from the main loop, or because the card asked for them in a notification: then it
 * is inside its guard already. */
static bool net_receive(void *opaque, const struct iovec *iov, int n_iov, const NetMeta *meta)
{
    VirtioNet *n = opaque;
    Device *dev = device_of(n);
    bool inside = dev->busy, taken;

    if (!inside && !device_enter(dev)) {
        return true; /* unplugged */
    }
    taken = receive(n, iov, n_iov, meta);
    if (!inside) {
        device_leave(dev);
    }
    return taken;
}

/* --- sending --- */

static bool send_one(VirtioNet *n, VirtqBuf *buf)
{
    size_t hlen = header_len(n);
    NetHeader h = { 0 };
    NetMeta meta;
    g_autofree struct iovec *iov = NULL;
    int count = 0;
    size_t skip = hlen;

    if (buf->in_len < hlen + 14 || buf->n_out > 0 || buf->in_len - hlen > NET_MAX_FRAME) {
        guest_error(device_name(device_of(n)), "a frame of %zu bytes with its header: dropped",
                    buf->in_len);
        return true;
    }
    virtq_read(buf, 0, &h, hlen);
    meta = (NetMeta){ h.flags, h.gso_type, h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
    iov = g_new(struct iovec, buf->n_in);
    for (int i = 0; i < buf->n_in; i++) {
        if (skip >= buf->in[i].iov_len) {
            skip -= buf->in[i].iov_len;
            continue;
        }
        iov[count++] =
            (struct iovec){ (uint8_t *)buf->in[i].iov_base + skip, buf->in[i].iov_len - skip };
        skip = 0;
    }
    return !n->peer || net_send(n->peer, iov, count, &meta) > 0;
}

static void send_pair(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = virtio_queue(&n->vpci.virtio, 2 * pair + 1);
    VirtqBuf *buf;

    if (stopped(n) || (n->tx_blocked >> pair & 1)) {
        return;
    }
    while ((buf = virtq_pop(vq))) {
        if (!send_one(n, buf)) {
            virtq_unpop(vq, buf);
            n->tx_blocked |= 1u << pair;
            break;
        }
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
}

static void net_sent(void *opaque)
{
    VirtioNet *n = opaque;
    uint32_t blocked = n->tx_blocked;

    n->tx_blocked = 0;
    for (unsigned pair = 0; pair < n->pairs; pair++) {
        if (blocked >> pair & 1) {
            send_pair(n, pair);
        }
    }
}

/* --- control commands (5.1.6.5) --- */

static bool ctrl_rx(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    bool *const modes[] = { &n->promisc, &n->allmulti, &n->alluni,
                            &n->nomulti, &n->nouni,    &n->nobcast };

    if (cmd >= G_N_ELEMENTS(modes) || len != 1) {
        return false;
    }
    *modes[cmd] = p[0] != 0;
    return true;
}

/* One list of the MAC table: a count and that many addresses; false when the bytes do not fit. */
static bool take_list(VirtioNet *n, const uint8_t **p, size_t *len, unsigned at, uint16_t *count,
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
    memcpy(n->table + at * 6, *p + 4, *count * 6);
    *p += 4 + entries * 6;
    *len -= 4 + entries * 6;
    return true;
}

static bool ctrl_mac(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd == 1) {
        if (len != 6) {
            return false;
        }
        memcpy(n->mac, p, 6);
        return true;
    }
    n->n_uni = n->n_multi = 0;
    return cmd == 0 && take_list(n, &p, &len, 0, &n->n_uni, &n->mac_overflow) &&
           take_list(n, &p, &len, n->n_uni, &n->n_multi, &n->multi_overflow) && len == 0;
}

static bool ctrl_vlan(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint16_t id;

    if (len != 2 || cmd > 1) {
        return false;
    }
    memcpy(&id, p, 2);
    if (id >= VLANS) {
        return false;
    }
    if (cmd == 0) {
        n->vlans[id / 8] |= 1 << (id % 8);
    } else {
        n->vlans[id / 8] &= ~(1 << (id % 8));
    }
    return true;
}

static bool ctrl_announce(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    if (cmd != 0 || !(n->status & STATUS_ANNOUNCE)) {
        return false;
    }
    n->status &= ~STATUS_ANNOUNCE;
    return true;
}

static bool ctrl_mq(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len)
{
    uint16_t pairs;

    if (cmd != 0 || len != 2 || !virtio_has(&n->vpci.virtio, F_MQ)) {
        return false;
    }
    memcpy(&pairs, p, 2);
    if (pairs < 1 || pairs > n->pairs) {
        return false;
    }
    n->active_pairs = pairs;
    return true;
}

typedef bool CtrlFn(VirtioNet *n, uint8_t cmd, const uint8_t *p, size_t len);
static CtrlFn *const ctrl_classes[] = { [CTRL_RX] = ctrl_rx,
                                        [CTRL_MAC] = ctrl_mac,
                                        [CTRL_VLAN] = ctrl_vlan,
                                        [CTRL_ANNOUNCE] = ctrl_announce,
                                        [CTRL_MQ] = ctrl_mq };

static uint8_t ctrl_run(VirtioNet *n, VirtqBuf *buf)
{
    size_t len = MIN(buf->in_len, 2 + 8 + 6 * 4096);
    g_autofree uint8_t *p = g_malloc(len);

    virtq_read(buf, 0, p, len);
    if (buf->in_len != len || p[0] >= G_N_ELEMENTS(ctrl_classes)) {
        return CTRL_ERR;
    }
    return ctrl_classes[p[0]](n, p[1], p + 2, len - 2) ? CTRL_OK : CTRL_ERR;
}

static void ctrl_commands(VirtioNet *n, VirtQueue *vq)
{
    VirtqBuf *buf;

    while ((buf = virtq_pop(vq))) {
        uint8_t ack;

        if (buf->in_len < 2 || buf->out_len < 1) {
            virtio_broken(&n->vpci.virtio, "a control command without header or status");
            virtq_discard(buf);
            return;
        }
        ack = ctrl_run(n, buf);
        virtq_write(buf, 0, &ack, 1);
        virtq_push(vq, buf, 1);
    }
    virtq_notify(vq);
}

/* --- the class --- */

static void net_notified(VirtioDevice *v, unsigned queue)
{
    VirtioNet *n = net_of(v);

    if (virtio_has(v, F_CTRL_VQ) && queue == ctrl_queue(n)) {
        ctrl_commands(n, virtio_queue(v, queue));
    } else if (queue % 2 == 0) {
        if (n->peer) {
            net_nic_ready(n->peer);
        }
    } else {
        send_pair(n, queue / 2);
    }
}

static uint64_t bits(bool on, uint64_t mask)
{
    return on ? mask : 0;
}

static uint64_t net_features(VirtioDevice *v)
{
    VirtioNet *n = net_of(v);

    return 1ull << F_MAC | 1ull << F_STATUS | bits(n->csum, 1ull << F_CSUM | 1ull << F_GUEST_CSUM) |
           bits(n->csum && n->tso, 1ull << F_HOST_TSO4 | 1ull << F_HOST_TSO6) |
           bits(n->mrg, 1ull << F_MRG_RXBUF) | bits(n->mtu != 0, 1ull << F_MTU) |
           bits(n->ctrl, 1ull << F_CTRL_VQ | 1ull << F_CTRL_RX | 1ull << F_CTRL_VLAN |
                             1ull << F_CTRL_MAC_ADDR) |
           bits(n->ctrl && n->announce, 1ull << F_GUEST_ANNOUNCE) |
           bits(n->ctrl && n->pairs > 1, 1ull << F_MQ);
}

static void net_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioNet *n = net_of(v);

    memcpy(c, n->mac, 6);
    memcpy(c + 6, &n->status, 2);
    memcpy(c + 8, &n->pairs, 2);
    memcpy(c + 10, &n->mtu, 2);
}

/* Legacy drivers set the address through config space. */
static void net_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (!virtio_has(v, F_VERSION_1) && at < 6) {
        memcpy(net_of(v)->mac, c, 6);
    }
}

static void net_reset(VirtioDevice *v)
{
    VirtioNet *n = net_of(v);

    memcpy(n->mac, n->mac_prop, 6);
    n->status = n->peer && !netdev_link(n->peer) ? 0 : STATUS_LINK_UP;
    n->active_pairs = 1;
    n->promisc = true; /* until a driver programs the filter (5.1.6.5.1) */
    n->allmulti = n->alluni = n->nomulti = n->nouni = n->nobcast = false;
    n->mac_overflow = n->multi_overflow = false;
    n->n_uni = n->n_multi = 0;
    n->tx_blocked = 0;
    memset(n->table, 0, sizeof(n->table));
    memset(n->vlans, 0, sizeof(n->vlans));
}

static void net_link(void *opaque, bool up)
{
    VirtioNet *n = opaque;

    n->status = (n->status & ~STATUS_LINK_UP) | (up ? STATUS_LINK_UP : 0);
    virtio_config_changed(&n->vpci.virtio);
}

/* A gratuitous reverse ARP: tells switches where the address is now (RFC 903). */
static void send_rarp(VirtioNet *n)
{
    uint8_t f[60] = { 0 };
    struct iovec iov = { f, sizeof(f) };
    static const uint8_t head[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };

    memset(f, 0xff, 6);
    memcpy(f + 6, n->mac, 6);
    memcpy(f + 12, head, sizeof(head));
    memcpy(f + 22, n->mac, 6);
    memcpy(f + 32, n->mac, 6);
    if (n->peer) {
        net_send(n->peer, &iov, 1, NULL);
    }
}

/* After a load the network must learn where the guest is: the guest tells it if it negotiated
 * that, else the card does. */
static void announce_self(VirtioNet *n)
{
    if (virtio_has(&n->vpci.virtio, F_GUEST_ANNOUNCE)) {
        n->status |= STATUS_ANNOUNCE;
        virtio_config_changed(&n->vpci.virtio);
    } else {
        send_rarp(n);
    }
}

static bool net_post_load(void *obj, GError **err)
{
    ((VirtioNet *)obj)->moved = true;
    return true;
}

static void run_changed(void *opaque, bool running, RunState state)
{
    VirtioNet *n = opaque;

    if (running && n->moved) {
        n->moved = false;
        announce_self(n);
    }
    for (unsigned pair = 0; running && pair < n->pairs; pair++) {
        send_pair(n, pair);
    }
    if (running && n->peer) {
        net_nic_ready(n->peer);
    }
}

/* --- life --- */

static bool check_props(VirtioNet *n, GError **err)
{
    const char *what = NULL;

    if ((n->rx_size & (n->rx_size - 1)) || (n->tx_size & (n->tx_size - 1))) {
        what = "rx_queue_size and tx_queue_size must be powers of two";
    } else if (n->mtu && n->mtu < MIN_MTU) {
        what = "host_mtu must be 0 or at least 68";
    } else if (n->mac_prop[0] & 1) {
        what = "mac must not be a multicast address";
    }
    if (what) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", device_name(device_of(n)),
                    what);
    }
    return what == NULL;
}

static bool attach_peer(VirtioNet *n, GError **err)
{
    Device *dev = device_of(n);

    if (!n->netdev) {
        return true;
    }
    n->peer = netdev_find(dev->machine, n->netdev);
    if (!n->peer) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s: there is no netdev named '%s'",
                    device_name(dev), n->netdev);
        return false;
    }
    n->nic = (NetNic){ net_receive, net_link, net_sent, n };
    if (!netdev_attach(n->peer, &n->nic, device_name(dev), err)) {
        n->peer = NULL;
        return false;
    }
    return true;
}

static bool net_init(void *dev, GError **err)
{
    VirtioNet *n = dev;
    static const uint8_t none[6];

    if (!check_props(n, err) || !attach_peer(n, err)) {
        return false;
    }
    if (memcmp(n->mac_prop, none, 6) == 0) {
        /* 52:54:00:12:34:NN by place, so that a description always gives the same address. */
        const uint8_t base[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

        memcpy(n->mac_prop, base, 6);
        n->mac_prop[5] += pci_devfn(&n->vpci.pci);
    }
    for (unsigned pair = 0; pair < n->pairs; pair++) {
        virtio_add_queue(&n->vpci.virtio, n->rx_size);
        virtio_add_queue(&n->vpci.virtio, n->tx_size);
    }
    if (n->ctrl) {
        virtio_add_queue(&n->vpci.virtio, 64);
    }
    machine_add_run_fn(n->vpci.pci.dev.machine, run_changed, n);
    return true;
}

static void net_exit(void *dev)
{
    VirtioNet *n = dev;

    machine_remove_run_fn(n->vpci.pci.dev.machine, run_changed, n);
    if (n->peer) {
        netdev_detach(n->peer);
        n->peer = NULL;
    }
}

static unsigned net_auto_vectors(const void *dev)
{
    const VirtioNet *n = dev;

    return 2u * n->pairs + (n->ctrl ? 2 : 1);
}

static bool net_check(void *obj, GError **err)
{
    VirtioNet *n = obj;

    if (n->active_pairs > n->pairs || n->n_uni + n->n_multi > MAX_MACS) {
        g_set_error(err, g_quark_from_static_string("virtio"), 0,
                    "%u active pairs of %u, %u filter entries of %u", n->active_pairs, n->pairs,
                    n->n_uni + n->n_multi, MAX_MACS);
        return false;
    }
    return true;
}

static const VmField net_fields[] = {
    VM_VIRTIO_PCI(VirtioNet, vpci),
    VM_BYTES(VirtioNet, mac),
    VM_U16(VirtioNet, status, .mask = STATUS_LINK_UP | STATUS_ANNOUNCE),
    VM_U16(VirtioNet, active_pairs, .min = 1, .max = MAX_PAIRS),
    VM_BOOL(VirtioNet, promisc),
    VM_BOOL(VirtioNet, allmulti),
    VM_BOOL(VirtioNet, alluni),
    VM_BOOL(VirtioNet, nomulti),
    VM_BOOL(VirtioNet, nouni),
    VM_BOOL(VirtioNet, nobcast),
    VM_BOOL(VirtioNet, mac_overflow),
    VM_BOOL(VirtioNet, multi_overflow),
    VM_U16(VirtioNet, n_uni, .max = MAX_MACS),
    VM_U16(VirtioNet, n_multi, .max = MAX_MACS),
    VM_BYTES(VirtioNet, table),
    VM_BYTES(VirtioNet, vlans),
};
static const VmState net_state = { .name = "virtio-net",
                                   .version = 1,
                                   .fields = LIST(net_fields),
                                   .check = net_check,
                                   .post_load = net_post_load };

static const PlanProp net_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_BACKEND(VirtioNet, netdev, "netdev", "netdev", "the network it is connected to"),
    PROP_MAC(VirtioNet, mac_prop, "mac", "hardware address (derived from the place if absent)"),
    PROP_U16(VirtioNet, pairs, "queue-pairs", 1, 1, MAX_PAIRS, "pairs of queues"),
    PROP_U16(VirtioNet, rx_size, "rx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a receive queue"),
    PROP_U16(VirtioNet, tx_size, "tx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a send queue"),
    PROP_U16(VirtioNet, mtu, "host_mtu", 0, 0, MAX_MTU, "MTU to offer; 0: none"),
    PROP_BOOL(VirtioNet, csum, "csum", true, "offer checksum offloads"),
    PROP_BOOL(VirtioNet, tso, "host_tso", true, "offer TCP segmentation"),
    PROP_BOOL(VirtioNet, mrg, "mrg_rxbuf", true, "offer mergeable receive buffers"),
    PROP_BOOL(VirtioNet, ctrl, "ctrl_vq", true, "offer the control queue"),
    PROP_BOOL(VirtioNet, announce, "guest_announce", true, "ask the guest to announce itself"),
};
static const VirtioClass net_class = {
    .name = "virtio-net",
    .device_id = 1,
    .config_size = CONFIG_SIZE,
    .features = net_features,
    .config_read = net_config_read,
    .config_written = net_config_written,
    .queue_notified = net_notified,
    .reset = net_reset,
};

VIRTIO_PCI_TYPES(net, "net", VirtioNet, "network card", 0x020000, net_props, net_state, net_class,
                 net_init, net_exit, net_auto_vectors);
VIRTIO_DEVICE_TYPE(net_any);
VIRTIO_DEVICE_TYPE(net_transitional);
VIRTIO_DEVICE_TYPE(net_modern);

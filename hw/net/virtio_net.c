/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: a network device (virtio 1.2, 5.1). virtio_net_control.c has the control queue,
 * virtio_net_filter.c the receive filter.
 *
 * Queue 2n receives and queue 2n + 1 transmits for pair n. The last queue is the control queue.
 * Back ends without offloads get finished frames: net/ computes checksums and cuts segments. The
 * features that the device offers therefore depend only on its properties, not on its back end.
 */
#include <linux/virtio_ids.h>
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/log.h"

enum { CONFIG_SIZE = 24, MIN_MTU = 68, MAX_MTU = 65535, CTRL_QUEUE_SIZE = 64 };
/* Work of a turn: bytes copied for one unit when receiving and when transmitting, and units for
 * each transmitted frame. */
enum { RX_UNIT_BYTES = 4096, TX_UNIT_BYTES = 2048, TX_FRAME_UNITS = 4 };

static VirtioNet *virtio_net_of(VirtioDevice *v)
{
    return v->instance;
}

/* Without VIRTIO_NET_F_MQ there is one pair, directly followed by the control queue (5.1.2). */
static unsigned virtio_net_usable_pairs(const VirtioNet *n)
{
    return virtio_has(&n->base.virtio, VIRTIO_NET_F_MQ) ? n->pairs : 1;
}

/* --- receiving: the queue (5.1.6.5.6) --- */

/* The pair transmitted this frame: frames of its flow are received by the same pair. */
static void virtio_net_learn(VirtioNet *n, unsigned pair, const struct iovec *iov, int n_iov)
{
    uint8_t head[HEAD_LEN];
    uint32_t flow;

    if (n->active_pairs > 1 && net_frame_head(iov, n_iov, head) >= ETH_LEN &&
        net_flow_hash(head, &flow)) {
        n->flows[flow % FLOWS] = pair + 1;
    }
}

/* The pair that last transmitted a frame of the flow. Flows that were only received are spread by
 * their hash. */
static unsigned virtio_net_choose_pair(VirtioNet *n, const uint8_t *head)
{
    unsigned pair = 0;
    uint32_t flow;

    if (n->active_pairs > 1 && net_flow_hash(head, &flow)) {
        pair = n->flows[flow % FLOWS];
        pair = (pair ? pair - 1 : flow / FLOWS) % n->active_pairs;
    }
    return pair;
}

/* The receive queue of a pair chosen earlier. Falls back to pair 0 if that pair is no longer
 * active. */
static VirtQueue *virtio_net_queue_of(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = pair < n->active_pairs ? virtio_queue(&n->base.virtio, 2 * pair) : NULL;

    return vq && virtq_ready(vq) ? vq : virtio_queue(&n->base.virtio, 0);
}

/* --- receiving: buffers --- */

/* Copy the frame's bytes from `at` on into a buffer, from its byte `where` on. */
static size_t virtio_net_fill(VirtqBuf *buf, size_t where, const struct iovec *iov, int n,
                              size_t at)
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

/* RX_WAIT: the frame stays with the back end. RX_DROP: no buffers of this driver can hold it. */
typedef enum RxResult { RX_DONE, RX_WAIT, RX_DROP } RxResult;

/* Decide about a frame that `count` buffers with `have` bytes cannot hold: it waits, unless further
 * buffers cannot help. */
static RxResult virtio_net_no_room(VirtioNet *n, const VirtQueue *vq, unsigned count, size_t have,
                                   size_t need)
{
    bool all = count == virtq_size(vq) || !virtio_has(&n->base.virtio, VIRTIO_NET_F_MRG_RXBUF);

    if (count == 0 || !all) {
        return RX_WAIT;
    }
    guest_error(device_name(net_device(n)),
                "receive buffers of %zu bytes for a frame of %zu: dropped", have, need);
    return RX_DROP;
}

/* Pop buffers for `need` bytes: one, or up to a complete ring with VIRTIO_NET_F_MRG_RXBUF. They are
 * put back unless RX_DONE is returned. */
static RxResult virtio_net_take_buffers(VirtioNet *n, VirtQueue *vq, size_t need, VirtqBuf **bufs,
                                        unsigned *count)
{
    unsigned most = virtio_has(&n->base.virtio, VIRTIO_NET_F_MRG_RXBUF) ? VIRTIO_MAX_QUEUE_SIZE : 1;
    size_t have = 0;
    RxResult v;

    for (*count = 0; have < need && *count < most; ++*count) {
        bufs[*count] = virtq_pop(vq);
        if (!bufs[*count]) {
            break;
        }
        have += bufs[*count]->out_len;
        if (bufs[*count]->n_in > 0 || bufs[*count]->out_len == 0) {
            virtio_broken(&n->base.virtio, "a receive buffer %s",
                          bufs[*count]->n_in ? "that contains a readable part" : "without room");
            ++*count;
            break;
        }
    }
    if (have >= need) {
        return RX_DONE;
    }
    v = virtio_net_no_room(n, vq, *count, have, need);
    while (*count > 0) {
        virtq_unpop(vq, bufs[--*count]);
    }
    return v;
}

static NetHeader virtio_net_header_for(const VirtioNet *n, const NetMeta *meta, unsigned buffers)
{
    NetHeader h = { .num_buffers = buffers };

    if (meta && virtio_has(&n->base.virtio, VIRTIO_NET_F_GUEST_CSUM)) {
        h = (NetHeader){ meta->flags,      meta->gso_type,    meta->hdr_len, meta->gso_size,
                         meta->csum_start, meta->csum_offset, buffers };
    }
    return h;
}

static bool virtio_net_deliver(VirtioNet *n, VirtQueue *vq, const struct iovec *iov, int n_iov,
                               size_t len, const NetMeta *meta)
{
    VirtqBuf *bufs[VIRTIO_MAX_QUEUE_SIZE];
    size_t hlen = net_header_len(n), at = 0;
    unsigned count;
    RxResult v = virtio_net_take_buffers(n, vq, len + hlen, bufs, &count);
    NetHeader h = virtio_net_header_for(n, meta, count);

    for (unsigned i = 0; i < count; i++) {
        size_t start = i == 0 ? virtq_write(bufs[0], 0, &h, hlen) : 0;
        size_t part = virtio_net_fill(bufs[i], start, iov, n_iov, at);

        at += part;
        virtq_push(vq, bufs[i], start + part);
    }
    virtq_notify(vq);
    return v != RX_WAIT;
}

/* Return whether the device receives a frame now. Frames shorter than an Ethernet header are
 * accepted, because tests and tools send them; the filter reads zeroes after their end. */
static bool virtio_net_accepts_frame(VirtioNet *n, const uint8_t *head, size_t len)
{
    return virtq_ready(virtio_queue(&n->base.virtio, 0)) && len > 0 && len <= NET_MAX_FRAME &&
           (n->status & VIRTIO_NET_S_LINK_UP) &&
           net_filter_accepts(&n->filter, n->mac,
                              virtio_has(&n->base.virtio, VIRTIO_NET_F_CTRL_VLAN), head);
}

static size_t virtio_net_length(const struct iovec *iov, int n_iov)
{
    size_t len = 0;

    for (int i = 0; i < n_iov; i++) {
        len += iov[i].iov_len;
    }
    return len;
}

/* NetNic.lane. Drop frames that the filter rejects before they use queue space. While the machine
 * is stopped, accept all frames: an incoming migration may still install another filter. */
static int virtio_net_lane(void *opaque, const struct iovec *iov, int n_iov)
{
    VirtioNet *n = opaque;
    uint8_t head[HEAD_LEN];

    net_frame_head(iov, n_iov, head);
    if (!virtio_net_stopped(n) &&
        !virtio_net_accepts_frame(n, head, virtio_net_length(iov, n_iov))) {
        return -1;
    }
    return (int)virtio_net_choose_pair(n, head);
}

static bool virtio_net_receive_frame(VirtioNet *n, unsigned lane, const struct iovec *iov,
                                     int n_iov, const NetMeta *meta)
{
    uint8_t head[HEAD_LEN];
    size_t len = virtio_net_length(iov, n_iov);

    if (virtio_net_stopped(n)) {
        return false;
    }
    net_frame_head(iov, n_iov, head);
    if (!virtio_net_accepts_frame(n, head, len)) {
        return true;
    }
    if (virtio_turn_left(&n->base.virtio) == 0) {
        virtq_later(virtio_net_queue_of(
            n, lane)); /* virtio_net_notified() continues with the frames that wait */
        return false;
    }
    virtio_turn_charge(&n->base.virtio, len / RX_UNIT_BYTES);
    return virtio_net_deliver(n, virtio_net_queue_of(n, lane), iov, n_iov, len, meta);
}

/* NetNic.receive. Called from the main loop, or within net_nic_ready() while the device handles a
 * notification and therefore holds its guard. */
static bool virtio_net_receive(void *opaque, unsigned lane, const struct iovec *iov, int n_iov,
                               const NetMeta *meta)
{
    VirtioNet *n = opaque;
    Device *dev = net_device(n);
    bool inside = dev->busy, taken;

    if (!inside && !device_enter(dev)) {
        return true; /* unplugged */
    }
    taken = virtio_net_receive_frame(n, lane, iov, n_iov, meta);
    if (!inside) {
        device_leave(dev);
    }
    return taken;
}

/* --- transmitting --- */

/* Store the segments of the frame behind the header in `iov`; return their number. */
static int virtio_net_behind_header(const VirtqBuf *buf, size_t skip, struct iovec *iov)
{
    int count = 0;

    for (int i = 0; i < buf->n_in; i++) {
        if (skip >= buf->in[i].iov_len) {
            skip -= buf->in[i].iov_len;
            continue;
        }
        iov[count++] =
            (struct iovec){ (uint8_t *)buf->in[i].iov_base + skip, buf->in[i].iov_len - skip };
        skip = 0;
    }
    return count;
}

typedef enum TxResult { TX_DONE, TX_PEER_BUSY, TX_TURN_OVER } TxResult;

static bool virtio_net_sendable(VirtioNet *n, const VirtqBuf *buf, size_t hlen)
{
    bool ok = buf->in_len > hlen && buf->n_out == 0 && buf->in_len - hlen <= NET_MAX_FRAME;

    if (!ok) {
        guest_error(device_name(net_device(n)),
                    "a frame of %zu bytes including its header: dropped", buf->in_len);
    }
    return ok;
}

/* Transmit a frame. A frame that is cut into segments may take several turns; n->tx_at is the
 * position to continue at. */
static TxResult virtio_net_send_one(VirtioNet *n, unsigned pair, VirtqBuf *buf)
{
    size_t hlen = net_header_len(n);
    NetHeader h = { 0 };
    NetMeta meta;
    g_autofree struct iovec *iov = NULL;
    NetPart part = { .at = n->tx_at[pair],
                     .most = virtio_turn_left(&n->base.virtio) / TX_FRAME_UNITS + 1 };
    int count;
    bool sent;

    if (!virtio_net_sendable(n, buf, hlen) || !n->peer) {
        return TX_DONE;
    }
    virtq_read(buf, 0, &h, hlen);
    meta = (NetMeta){ h.flags, h.gso_type, h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
    iov = g_new(struct iovec, buf->n_in);
    count = virtio_net_behind_header(buf, hlen, iov);
    if (part.at == 0) {
        virtio_net_learn(n, pair, iov, count);
    }
    sent = net_send_part(n->peer, iov, count, &meta, &part) > 0;
    virtio_turn_charge(&n->base.virtio,
                       part.frames * TX_FRAME_UNITS + (buf->in_len - hlen) / TX_UNIT_BYTES);
    n->tx_at[pair] = part.more ? part.at : 0;
    return part.more ? TX_TURN_OVER : sent ? TX_DONE : TX_PEER_BUSY;
}

static void virtio_net_send_pair(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = virtio_queue(&n->base.virtio, 2 * pair + 1);
    VirtqBuf *buf;

    if (virtio_net_stopped(n) || (n->tx_blocked >> pair & 1)) {
        return;
    }
    while ((buf = virtq_next(vq))) {
        TxResult result = virtio_net_send_one(n, pair, buf);

        if (result != TX_DONE) {
            virtq_unpop(vq, buf);
            if (result == TX_TURN_OVER) {
                virtq_later(vq);
            } else {
                n->tx_blocked |= 1u << pair;
            }
            break;
        }
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
}

static void virtio_net_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioNet *n = v->instance;

    if (queue % 2 && queue / 2 < n->pairs) {
        n->tx_at[queue / 2] = 0;
        n->tx_blocked &= ~(1u << queue / 2);
    }
}

/* NetNic.sent: the back end accepts frames again. */
static void virtio_net_sent(void *opaque)
{
    VirtioNet *n = opaque;

    for (unsigned pair = 0; pair < n->pairs; pair++) {
        if (n->tx_blocked >> pair & 1) {
            virtq_later(virtio_queue(&n->base.virtio, 2 * pair + 1));
        }
    }
    n->tx_blocked = 0;
}

/* Send a gratuitous reverse ARP, from which switches learn the location of the address (RFC 903).
 */
static void virtio_net_send_rarp(VirtioNet *n)
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

/* Describe the receive filter for monitors. */
static void virtio_net_rx_filter(void *opaque, NetRxFilter *out)
{
    const VirtioNet *n = opaque;
    const NetFilter *f = &n->filter;
    bool vlan = virtio_has(&n->base.virtio, VIRTIO_NET_F_CTRL_VLAN);

    *out = (NetRxFilter){
        .promiscuous = f->promisc,
        .broadcast = !f->nobcast,
        .unicast = f->nouni    ? NET_RX_NONE
                   : f->alluni ? NET_RX_ALL
                               : NET_RX_NORMAL,
        .multicast = f->nomulti    ? NET_RX_NONE
                     : f->allmulti ? NET_RX_ALL
                                   : NET_RX_NORMAL,
        .vlan = vlan ? NET_RX_NORMAL : NET_RX_ALL,
        .unicast_overflow = f->mac_overflow,
        .multicast_overflow = f->multi_overflow,
        .unicast_table = f->table,
        .multicast_table = f->table + f->n_uni * 6,
        .n_unicast = f->n_uni,
        .n_multicast = f->n_multi,
        .vlans = vlan ? f->vlans : NULL,
    };
}

/* --- the device --- */

static void virtio_net_notified(VirtioDevice *v, unsigned queue)
{
    VirtioNet *n = virtio_net_of(v);

    if (queue == 2 * virtio_net_usable_pairs(n) && virtio_has(v, VIRTIO_NET_F_CTRL_VQ)) {
        virtio_net_control(n, virtio_queue(v, queue));
    } else if (queue >= 2 * virtio_net_usable_pairs(n)) {
        return;
    } else if (queue % 2) {
        virtio_net_send_pair(n, queue / 2);
    } else if (n->peer) {
        net_nic_ready(n->peer);
    }
}

static uint64_t virtio_net_bits(bool on, uint64_t mask)
{
    return on ? mask : 0;
}

static uint64_t virtio_net_features(VirtioDevice *v)
{
    VirtioNet *n = virtio_net_of(v);

    return 1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS |
           virtio_net_bits(n->csum, 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM) |
           virtio_net_bits(n->csum && n->tso,
                           1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6) |
           virtio_net_bits(n->mrg, 1ull << VIRTIO_NET_F_MRG_RXBUF) |
           virtio_net_bits(n->mtu != 0, 1ull << VIRTIO_NET_F_MTU) |
           virtio_net_bits(n->ctrl, 1ull << VIRTIO_NET_F_CTRL_VQ | 1ull << VIRTIO_NET_F_CTRL_RX |
                                        1ull << VIRTIO_NET_F_CTRL_VLAN |
                                        1ull << VIRTIO_NET_F_CTRL_RX_EXTRA |
                                        1ull << VIRTIO_NET_F_CTRL_MAC_ADDR) |
           virtio_net_bits(n->ctrl && n->announce, 1ull << VIRTIO_NET_F_GUEST_ANNOUNCE) |
           virtio_net_bits(n->mq || n->pairs > 1, 1ull << VIRTIO_NET_F_MQ);
}

/* Feature dependencies (5.1.3.1): each first feature requires the second. */
static bool virtio_net_set_features(VirtioDevice *v, uint64_t features)
{
    static const uint8_t needs[][2] = {
        { VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
        { VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
        { VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ },
        { VIRTIO_NET_F_CTRL_VLAN, VIRTIO_NET_F_CTRL_VQ },
        { VIRTIO_NET_F_CTRL_RX_EXTRA, VIRTIO_NET_F_CTRL_VQ },
        { VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_CTRL_VQ },
        { VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ },
        { VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(needs); i++) {
        if ((features >> needs[i][0] & 1) && !(features >> needs[i][1] & 1)) {
            return false;
        }
    }
    return true;
}

static void virtio_net_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioNet *n = virtio_net_of(v);

    memcpy(c, n->mac, 6);
    memcpy(c + 6, &n->status, 2);
    memcpy(c + 8, &n->pairs, 2);
    memcpy(c + 10, &n->mtu, 2);
}

/* Legacy drivers set the address in configuration space. */
static void virtio_net_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (!virtio_has(v, VIRTIO_F_VERSION_1) && at < 6) {
        memcpy(virtio_net_of(v)->mac, c, 6);
    }
}

static void virtio_net_reset(VirtioDevice *v)
{
    VirtioNet *n = virtio_net_of(v);

    memcpy(n->mac, n->mac_prop, 6);
    n->status = net_nic_link(&n->nic) ? VIRTIO_NET_S_LINK_UP : 0;
    n->active_pairs = 1;
    n->filter = (NetFilter){ .promisc = true }; /* until a driver programs it (5.1.6.5.1) */
    n->tx_blocked = 0;
    memset(n->flows, 0, sizeof(n->flows));
}

static void virtio_net_link(void *opaque, bool up)
{
    VirtioNet *n = opaque;

    n->status = (n->status & ~VIRTIO_NET_S_LINK_UP) | (up ? VIRTIO_NET_S_LINK_UP : 0);
    virtio_config_changed(&n->base.virtio);
}

/* NetNic.announce. Request an announcement of the driver, if VIRTIO_NET_F_GUEST_ANNOUNCE was
 * negotiated. The device announces itself as well, because the driver may not answer. */
static void virtio_net_announce_now(void *opaque)
{
    VirtioNet *n = opaque;

    virtio_net_send_rarp(n);
    if (virtio_has(&n->base.virtio, VIRTIO_NET_F_GUEST_ANNOUNCE)) {
        n->status |= VIRTIO_NET_S_ANNOUNCE;
        virtio_config_changed(&n->base.virtio);
    }
}

static bool virtio_net_post_load(void *obj, GError **err)
{
    ((VirtioNet *)obj)->moved = true;
    return true;
}

static void virtio_net_run_changed(void *opaque, bool running, RunState state)
{
    VirtioNet *n = opaque;

    if (running && n->moved) {
        n->moved = false;
        net_announce_move(net_device(n)->machine, &n->nic);
    }
    if (running && n->peer) {
        net_nic_ready(n->peer); /* drop the frames of a device that is not set up */
    }
}

/* --- life --- */

static bool virtio_net_check_props(VirtioNet *n, GError **err)
{
    const char *what = NULL;

    if ((n->rx_size & (n->rx_size - 1)) || (n->tx_size & (n->tx_size - 1))) {
        what = "rx_queue_size and tx_queue_size must be powers of two";
    } else if (n->mtu && n->mtu < MIN_MTU) {
        what = "host_mtu must be 0 or at least 68";
    } else if (n->mac_prop[0] & 1) {
        what = "mac must not be a multicast address";
    } else if (!n->ctrl && (n->mq || n->pairs > 1)) {
        what = "mq=on and queue-pairs above 1 require ctrl_vq=on";
    }
    if (what) {
        error_set(err, ERROR_USER, "%s: %s", device_name(net_device(n)), what);
    }
    return what == NULL;
}

/* Derive the default address from the location, so that a machine description always results in the
 * same one: 52:54:00:12:34:56 plus slot and function on the first root bus, otherwise 52:54:00 and
 * a hash of the path. */
static void virtio_net_default_mac(VirtioNet *n)
{
    static const uint8_t none[6];
    const char *path = net_device(n)->plan_id;
    uint32_t low = 0x123456, hash = 2166136261u;

    if (memcmp(n->mac_prop, none, 6) != 0) {
        return;
    }
    for (const char *p = path; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 16777619u; /* FNV-1a */
    }
    if (g_str_has_prefix(path, "0000:00:") && !strchr(path + 8, ':')) {
        low = (low & ~0xffu) | (uint8_t)(low + pci_devfn(&n->base.vpci.pci));
    } else {
        low = (hash ^ hash >> 24) & 0xffffff;
    }
    memcpy(n->mac_prop, (const uint8_t[6]){ 0x52, 0x54, 0x00, low >> 16, low >> 8, low }, 6);
}

static bool virtio_net_init(void *dev, GError **err)
{
    VirtioNet *n = dev;

    if (!virtio_net_check_props(n, err)) {
        return false;
    }
    virtio_net_default_mac(n);
    n->nic = (NetNic){ .receive = virtio_net_receive,
                       .lane = virtio_net_lane,
                       .link = virtio_net_link,
                       .sent = virtio_net_sent,
                       .announce = virtio_net_announce_now,
                       .rx_filter = virtio_net_rx_filter,
                       .opaque = n,
                       .model = net_device(n)->type->name,
                       .mac = n->mac };
    if (!net_nic_add(net_device(n)->machine, &n->nic, n->netdev, net_device(n)->id, err)) {
        return false;
    }
    n->peer = n->nic.peer;
    for (unsigned pair = 0; pair < n->pairs; pair++) {
        virtio_add_queue(&n->base.virtio, n->rx_size);
        virtio_add_queue(&n->base.virtio, n->tx_size);
    }
    for (unsigned pair = 0; n->tx == NET_TX_BH && pair < n->pairs; pair++) {
        n->base.virtio.kicks_later |= 1ull << (2 * pair + 1);
    }
    if (n->ctrl) {
        virtio_add_queue(&n->base.virtio, CTRL_QUEUE_SIZE);
    }
    machine_add_run_fn(n->base.dev.machine, virtio_net_run_changed, n);
    return true;
}

static void virtio_net_exit(void *dev)
{
    VirtioNet *n = dev;

    machine_remove_run_fn(n->base.dev.machine, virtio_net_run_changed, n);
    net_nic_remove(n->base.dev.machine, &n->nic);
    n->peer = NULL;
}

static const PlanCount net_auto_vectors = { 1, { "queue-pairs", "ctrl_vq" }, { 2, 1 } };

static bool virtio_net_check(void *obj, GError **err)
{
    VirtioNet *n = obj;
    const NetFilter *f = &n->filter;
    unsigned last = 0;

    for (unsigned i = 0; i < FLOWS; i++) {
        last = MAX(last, n->flows[i]);
    }
    if (n->active_pairs > n->pairs || last > n->pairs || f->n_uni + f->n_multi > MAX_MACS) {
        return error_set(err, ERROR_GUEST,
                         "%u active pairs and flows of pair %u (the device has %u), %u filter "
                         "entries (at most %u)",
                         n->active_pairs, last, n->pairs, f->n_uni + f->n_multi, MAX_MACS);
    }
    return true;
}

static const VmField filter_fields[] = {
    VM_BOOL(NetFilter, promisc),
    VM_BOOL(NetFilter, allmulti),
    VM_BOOL(NetFilter, alluni),
    VM_BOOL(NetFilter, nomulti),
    VM_BOOL(NetFilter, nouni),
    VM_BOOL(NetFilter, nobcast),
    VM_BOOL(NetFilter, mac_overflow),
    VM_BOOL(NetFilter, multi_overflow),
    VM_U16(NetFilter, n_uni, .max = MAX_MACS),
    VM_U16(NetFilter, n_multi, .max = MAX_MACS),
    VM_BYTES(NetFilter, table),
    VM_BYTES(NetFilter, vlans),
};
static const VmState filter_state = { .name = "filter",
                                      .version = 1,
                                      .fields = LIST(filter_fields) };

VIRTIO_STATES(net, "virtio-net", VirtioNet, 1, virtio_net_check, virtio_net_post_load,
              VM_BYTES(VirtioNet, mac),
              VM_U16(VirtioNet, status, .mask = VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE),
              VM_U16(VirtioNet, active_pairs, .min = 1, .max = MAX_PAIRS),
              VM_STRUCT(VirtioNet, filter, &filter_state), VM_BYTES(VirtioNet, flows));

static const char *const net_tx_modes[] = { [NET_TX_AUTO] = "auto", [NET_TX_BH] = "bh", NULL };

static const PlanProp net_props[] = {
    VIRTIO_PROPS,
    PROP_BACKEND(VirtioNet, netdev, "netdev", "netdev",
                 "the netdev that the device is connected to"),
    PROP_BOOTINDEX(VirtioNet, bootindex),
    { .name = "mac",
      .kind = PLAN_PROP_MAC,
      .flags = PLAN_PROP_DECIDED,
      .field = offsetof(VirtioNet, mac_prop),
      .doc = "hardware address (derived from the location if absent)" },
    PROP_U16(VirtioNet, pairs, "queue-pairs", 1, 1, MAX_PAIRS, "pairs of queues"),
    PROP_BOOL(VirtioNet, mq, "mq", false, "offer multi-queue even for a single pair"),
    PROP_U16(VirtioNet, rx_size, "rx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a receive queue"),
    PROP_U16(VirtioNet, tx_size, "tx_queue_size", 256, 64, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of a transmit queue"),
    PROP_ENUM(VirtioNet, tx, "tx", NET_TX_AUTO, net_tx_modes,
              "frames are sent by the thread that notifies (auto), or by the event loop (bh)"),
    PROP_U16(VirtioNet, mtu, "host_mtu", 0, 0, MAX_MTU, "MTU to offer; 0: none"),
    PROP_BOOL(VirtioNet, csum, "csum", true, "offer checksum offloads"),
    PROP_BOOL(VirtioNet, tso, "host_tso", true, "offer TCP segmentation"),
    PROP_BOOL(VirtioNet, mrg, "mrg_rxbuf", true, "offer mergeable receive buffers"),
    PROP_BOOL(VirtioNet, ctrl, "ctrl_vq", true, "offer the control queue"),
    PROP_BOOL(VirtioNet, announce, "guest_announce", true,
              "ask the guest to announce itself after a migration"),
};
static const VirtioClass net_class = {
    .name = "virtio-net",
    .device_id = VIRTIO_ID_NET,
    .config_size = CONFIG_SIZE,
    .init = virtio_net_init,
    .exit = virtio_net_exit,
    .features = virtio_net_features,
    .set_features = virtio_net_set_features,
    .config_read = virtio_net_config_read,
    .config_written = virtio_net_config_written,
    .queue_notified = virtio_net_notified,
    .queue_reset = virtio_net_queue_reset,
    .reset = virtio_net_reset,
};

VIRTIO_TYPES(net, "net", VirtioNet, "network device", 0x020000, net_props, net_class,
             &net_auto_vectors, PLAN_BUS_NONE);
VIRTIO_DEVICE_TYPES(net);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, receiving: the filter, the choice of the queue, and buffers.
 */
#include <string.h>

#include "util/log.h"
#include "virtio_net.h"

enum { HEADERS = 128, TYPE_VLAN = 0x8100, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };
enum { UNIT_BYTES = 4096 }; /* copied for a unit of a turn */
enum { PROTO_TCP = 6, PROTO_UDP = 17 };

/* --- the filter (5.1.6.5.1 to 5.1.6.5.3) --- */

static bool in_table(const NetFilter *f, const uint8_t *mac, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        if (memcmp(f->table + i * 6, mac, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool wants_vlan(const VirtioNet *n, const uint8_t *frame)
{
    unsigned id = (frame[14] << 8 | frame[15]) & (VLANS - 1);

    return !virtio_has(&n->vpci.virtio, F_CTRL_VLAN) || frame[12] != 0x81 || frame[13] != 0x00 ||
           (n->filter.vlans[id / 8] >> (id % 8) & 1);
}

static bool wants(const VirtioNet *n, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    const NetFilter *f = &n->filter;

    if (f->promisc) {
        return true;
    }
    if (!wants_vlan(n, frame)) {
        return false;
    }
    if (memcmp(frame, broadcast, 6) == 0) {
        return !f->nobcast;
    }
    if (frame[0] & 1) {
        return !f->nomulti &&
               (f->allmulti || f->multi_overflow || in_table(f, frame, f->n_uni, f->n_multi));
    }
    return !f->nouni && (f->alluni || f->mac_overflow || memcmp(frame, n->mac, 6) == 0 ||
                         in_table(f, frame, 0, f->n_uni));
}

/* --- the queue (5.1.6.5.6) --- */

/* The first bytes of a frame in one piece, zeroes behind its end; how many there are. */
static size_t peek(const struct iovec *iov, int n_iov, uint8_t *head)
{
    size_t have = 0;

    memset(head, 0, HEADERS);
    for (int i = 0; i < n_iov && have < HEADERS; i++) {
        size_t part = MIN(iov[i].iov_len, HEADERS - have);

        memcpy(head + have, iov[i].iov_base, part);
        have += part;
    }
    return have;
}

static uint32_t mix(uint32_t hash, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 16777619u; /* FNV-1a */
    }
    return hash;
}

/* One end of a flow: address and port. */
static uint32_t end_of(const uint8_t *addr, size_t len, const uint8_t *port)
{
    return mix(port ? mix(2166136261u, port, 2) : 2166136261u, addr, len);
}

/* The same number for a flow's frames of either direction; false if they belong to none: what is
 * not IP. Fragments and other protocols than TCP and UDP are told apart by addresses alone. */
static bool flow_of(const uint8_t *head, uint32_t *flow)
{
    uint16_t type = head[12] << 8 | head[13];
    size_t ip = ETH_LEN, len, at;
    const uint8_t *p, *ports;
    uint8_t proto;

    if (type == TYPE_VLAN) {
        type = head[16] << 8 | head[17];
        ip += 4;
    }
    p = head + ip;
    if (type == TYPE_IPV4 && p[0] >> 4 == 4) {
        bool fragment = (p[6] & 0x3f) || p[7];

        proto = fragment ? 0 : p[9];
        ports = p + (p[0] & 15) * 4;
        at = 12;
        len = 4;
    } else if (type == TYPE_IPV6 && p[0] >> 4 == 6) {
        proto = p[6];
        ports = p + 40;
        at = 8;
        len = 16;
    } else {
        return false;
    }
    if (proto != PROTO_TCP && proto != PROTO_UDP) {
        ports = NULL;
    }
    *flow = end_of(p + at, len, ports) + end_of(p + at + len, len, ports ? ports + 2 : NULL);
    *flow ^= *flow >> 16;
    return true;
}

void virtio_net_learn(VirtioNet *n, unsigned pair, const struct iovec *iov, int n_iov)
{
    uint8_t head[HEADERS];
    uint32_t flow;

    if (n->active_pairs > 1 && peek(iov, n_iov, head) >= ETH_LEN && flow_of(head, &flow)) {
        n->flows[flow % FLOWS] = pair + 1;
    }
}

/* Where the flow was last sent from; one that only comes is spread by its number. */
static unsigned choose_pair(VirtioNet *n, const uint8_t *head)
{
    unsigned pair = 0;
    uint32_t flow;

    if (n->active_pairs > 1 && flow_of(head, &flow)) {
        pair = n->flows[flow % FLOWS];
        pair = (pair ? pair - 1 : flow / FLOWS) % n->active_pairs;
    }
    return pair;
}

/* The queue of a pair that was chosen earlier, maybe: what it is not now goes to the first. */
static VirtQueue *queue_of(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = pair < n->active_pairs ? virtio_queue(&n->vpci.virtio, 2 * pair) : NULL;

    return vq && virtq_ready(vq) ? vq : virtio_queue(&n->vpci.virtio, 0);
}

/* --- buffers --- */

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

/* What becomes of a frame for which there are not enough buffers. */
typedef enum Verdict { TAKEN, WAIT, TOO_LONG } Verdict;

/* It waits, unless what the driver gives is too little however long it waits. */
static Verdict judge(VirtioNet *n, const VirtQueue *vq, unsigned count, size_t have, size_t need)
{
    bool all = count == virtq_size(vq) || !virtio_has(&n->vpci.virtio, F_MRG_RXBUF);

    if (count == 0 || !all) {
        return WAIT;
    }
    guest_error(device_name(net_device(n)),
                "receive buffers of %zu bytes for a frame of %zu: dropped", have, need);
    return TOO_LONG;
}

/* Take buffers until the frame fits: one, or several with MRG_RXBUF; `count` of them. Else those
 * taken are put back. */
static Verdict take_buffers(VirtioNet *n, VirtQueue *vq, size_t need, VirtqBuf **bufs,
                            unsigned *count)
{
    unsigned most = virtio_has(&n->vpci.virtio, F_MRG_RXBUF) ? VIRTIO_MAX_QUEUE_SIZE : 1;
    size_t have = 0;
    Verdict v;

    for (*count = 0; have < need && *count < most; ++*count) {
        bufs[*count] = virtq_pop(vq);
        if (!bufs[*count]) {
            break;
        }
        have += bufs[*count]->out_len;
        if (bufs[*count]->n_in > 0 || bufs[*count]->out_len == 0) {
            virtio_broken(&n->vpci.virtio, "a receive buffer with %s",
                          bufs[*count]->n_in ? "a part that the device may only read" : "no room");
            ++*count;
            break;
        }
    }
    if (have >= need) {
        return TAKEN;
    }
    v = judge(n, vq, *count, have, need);
    while (*count > 0) {
        virtq_unpop(vq, bufs[--*count]);
    }
    return v;
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
    size_t hlen = net_header_len(n), at = 0;
    unsigned count;
    Verdict v = take_buffers(n, vq, len + hlen, bufs, &count);
    NetHeader h = header_for(n, meta, count);

    for (unsigned i = 0; i < count; i++) {
        size_t start = i == 0 ? virtq_write(bufs[0], 0, &h, hlen) : 0;
        size_t part = fill(bufs[i], start, iov, n_iov, at);

        at += part;
        virtq_push(vq, bufs[i], start + part);
    }
    virtq_notify(vq);
    return v != WAIT;
}

/* A device that is not set up receives nothing. A frame may be shorter than an Ethernet header:
 * tests and tools send such, and the filter then sees zeroes behind its end. */
static bool hears(VirtioNet *n, const uint8_t *head, size_t len)
{
    return virtq_ready(virtio_queue(&n->vpci.virtio, 0)) && len > 0 && len <= NET_MAX_FRAME &&
           (n->status & STATUS_LINK_UP) && wants(n, head);
}

static size_t length(const struct iovec *iov, int n_iov)
{
    size_t len = 0;

    for (int i = 0; i < n_iov; i++) {
        len += iov[i].iov_len;
    }
    return len;
}

/* What the card does not want now takes no room from what it does. While it stands still it may
 * be about to be loaded, so it refuses nothing. */
int virtio_net_lane(void *opaque, const struct iovec *iov, int n_iov)
{
    VirtioNet *n = opaque;
    uint8_t head[HEADERS];

    peek(iov, n_iov, head);
    if (!net_stopped(n) && !hears(n, head, length(iov, n_iov))) {
        return -1;
    }
    return (int)choose_pair(n, head);
}

static bool receive(VirtioNet *n, unsigned lane, const struct iovec *iov, int n_iov,
                    const NetMeta *meta)
{
    uint8_t head[HEADERS];
    size_t len = length(iov, n_iov);

    if (net_stopped(n)) {
        return false;
    }
    peek(iov, n_iov, head);
    if (!hears(n, head, len)) {
        return true;
    }
    if (virtio_turn_left(&n->vpci.virtio) == 0) {
        virtq_later(queue_of(n, lane)); /* asks the peer for what waits */
        return false;
    }
    virtio_turn_charge(&n->vpci.virtio, len / UNIT_BYTES);
    return deliver(n, queue_of(n, lane), iov, n_iov, len, meta);
}

/* Frames come from the main loop, or because the card asked for them in a notification: then it
 * is inside its guard already. */
bool virtio_net_receive(void *opaque, unsigned lane, const struct iovec *iov, int n_iov,
                        const NetMeta *meta)
{
    VirtioNet *n = opaque;
    Device *dev = net_device(n);
    bool inside = dev->busy, taken;

    if (!inside && !device_enter(dev)) {
        return true; /* unplugged */
    }
    taken = receive(n, lane, iov, n_iov, meta);
    if (!inside) {
        device_leave(dev);
    }
    return taken;
}

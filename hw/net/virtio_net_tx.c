/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, sending.
 */
#include <string.h>

#include "util/log.h"
#include "virtio_net.h"

/* What a frame costs of a turn, and each so many bytes. */
enum { FRAME_UNITS = 4, UNIT_BYTES = 2048 };

/* The frame behind the header as segments of its own; how many. */
static int behind_header(const VirtqBuf *buf, size_t skip, struct iovec *iov)
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

static bool sendable(VirtioNet *n, const VirtqBuf *buf, size_t hlen)
{
    bool ok = buf->in_len > hlen && buf->n_out == 0 && buf->in_len - hlen <= NET_MAX_FRAME;

    if (!ok) {
        guest_error(device_name(net_device(n)), "a frame of %zu bytes with its header: dropped",
                    buf->in_len);
    }
    return ok;
}

/* A frame that the network wants in segments is sent as far as the turn goes: n->tx_at says where
 * it goes on. */
static TxResult send_one(VirtioNet *n, unsigned pair, VirtqBuf *buf)
{
    size_t hlen = net_header_len(n);
    NetHeader h = { 0 };
    NetMeta meta;
    g_autofree struct iovec *iov = NULL;
    NetPart part = { .at = n->tx_at[pair],
                     .most = virtio_turn_left(&n->vpci.virtio) / FRAME_UNITS + 1 };
    int count;
    bool sent;

    if (!sendable(n, buf, hlen) || !n->peer) {
        return TX_DONE;
    }
    virtq_read(buf, 0, &h, hlen);
    meta = (NetMeta){ h.flags, h.gso_type, h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
    iov = g_new(struct iovec, buf->n_in);
    count = behind_header(buf, hlen, iov);
    if (part.at == 0) {
        virtio_net_learn(n, pair, iov, count);
    }
    sent = net_send_part(n->peer, iov, count, &meta, &part) > 0;
    virtio_turn_charge(&n->vpci.virtio,
                       part.frames * FRAME_UNITS + (buf->in_len - hlen) / UNIT_BYTES);
    n->tx_at[pair] = part.more ? part.at : 0;
    return part.more ? TX_TURN_OVER : sent ? TX_DONE : TX_PEER_BUSY;
}

void virtio_net_send_pair(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = virtio_queue(&n->vpci.virtio, 2 * pair + 1);
    VirtqBuf *buf;

    if (net_stopped(n) || (n->tx_blocked >> pair & 1)) {
        return;
    }
    while ((buf = virtq_next(vq))) {
        TxResult result = send_one(n, pair, buf);

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

void virtio_net_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioNet *n = v->instance;

    if (queue % 2 && queue / 2 < n->pairs) {
        n->tx_at[queue / 2] = 0;
        n->tx_blocked &= ~(1u << queue / 2);
    }
}

void virtio_net_sent(void *opaque)
{
    VirtioNet *n = opaque;

    for (unsigned pair = 0; pair < n->pairs; pair++) {
        if (n->tx_blocked >> pair & 1) {
            virtq_later(virtio_queue(&n->vpci.virtio, 2 * pair + 1));
        }
    }
    n->tx_blocked = 0;
}

void virtio_net_send_rarp(VirtioNet *n)
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

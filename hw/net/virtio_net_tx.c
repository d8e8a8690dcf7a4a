/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net, sending.
 */
#include <string.h>

#include "util/log.h"
#include "virtio_net.h"

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

/* False: the peer takes nothing now. */
static bool send_one(VirtioNet *n, unsigned pair, VirtqBuf *buf)
{
    size_t hlen = net_header_len(n);
    NetHeader h = { 0 };
    NetMeta meta;
    g_autofree struct iovec *iov = NULL;
    int count;

    if (buf->in_len < hlen + ETH_LEN || buf->n_out > 0 || buf->in_len - hlen > NET_MAX_FRAME) {
        guest_error(device_name(net_device(n)), "a frame of %zu bytes with its header: dropped",
                    buf->in_len);
        return true;
    }
    virtq_read(buf, 0, &h, hlen);
    meta = (NetMeta){ h.flags, h.gso_type, h.hdr_len, h.gso_size, h.csum_start, h.csum_offset };
    iov = g_new(struct iovec, buf->n_in);
    count = behind_header(buf, hlen, iov);
    virtio_net_learn(n, pair, iov, count);
    return !n->peer || net_send(n->peer, iov, count, &meta) > 0;
}

void virtio_net_send_pair(VirtioNet *n, unsigned pair)
{
    VirtQueue *vq = virtio_queue(&n->vpci.virtio, 2 * pair + 1);
    VirtqBuf *buf;

    if (net_stopped(n) || (n->tx_blocked >> pair & 1)) {
        return;
    }
    while ((buf = virtq_pop(vq))) {
        if (!send_one(n, pair, buf)) {
            virtq_unpop(vq, buf);
            n->tx_blocked |= 1u << pair;
            break;
        }
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
}

void virtio_net_sent(void *opaque)
{
    VirtioNet *n = opaque;
    uint32_t blocked = n->tx_blocked;

    n->tx_blocked = 0;
    for (unsigned pair = 0; pair < n->pairs; pair++) {
        if (blocked >> pair & 1) {
            virtio_net_send_pair(n, pair);
        }
    }
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offloads for networks that accept plain frames only: the checksum that the guest left partial
 * (virtio 1.2, 5.1.6.2), and TCP segmentation over IPv4 and IPv6.
 *
 * All offsets are written by the guest, and are checked against the frame.
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "internal.h"

enum {
    ETH_LEN = 14,
    VLAN_LEN = 4,
    ETHERTYPE_VLAN = 0x8100,
    IPV6_LEN = 40,
    TCP_MIN = 20,
    PROTO_TCP = 6
};
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

static uint16_t offload_get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static uint32_t offload_get32(const uint8_t *p)
{
    return (uint32_t)offload_get16(p) << 16 | offload_get16(p + 2);
}

static void offload_put16(uint8_t *p, uint16_t v)
{
    p[0] = v >> 8;
    p[1] = v;
}

static void offload_put32(uint8_t *p, uint32_t v)
{
    offload_put16(p, v >> 16);
    offload_put16(p + 2, v);
}

static uint32_t offload_sum16(uint32_t sum, const uint8_t *p, size_t len)
{
    uint64_t total = sum;

    for (; len > 1; len -= 2, p += 2) {
        total += offload_get16(p);
    }
    total += len ? (uint32_t)p[0] << 8 : 0;
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    return total;
}

uint16_t net_checksum(uint32_t sum, const uint8_t *p, size_t len)
{
    return ~offload_sum16(sum, p, len);
}

/* The field contains the sum of the pseudo header. Add the other bytes. */
static bool offload_fill_checksum(uint8_t *frame, size_t len, const NetMeta *meta)
{
    size_t start = meta->csum_start, at = start + meta->csum_offset;
    uint16_t csum;

    if (start >= len || at + 2 > len) {
        return false;
    }
    csum = net_checksum(0, frame + start, len - start);
    offload_put16(frame + at, csum ? csum : 0xffff);
    return true;
}

/* Offsets of the headers of a TCP frame. */
typedef struct TcpFrame {
    size_t ip, tcp, payload;
    bool v6;
} TcpFrame;

static bool offload_find_headers(const uint8_t *f, size_t len, bool v6, TcpFrame *t)
{
    size_t ip = ETH_LEN, tcp;

    if (len >= ETH_LEN && offload_get16(f + 12) == ETHERTYPE_VLAN) {
        ip += VLAN_LEN;
    }
    if (ip + 20 > len || f[ip] >> 4 != (v6 ? 6 : 4)) {
        return false;
    }
    tcp = ip + (v6 ? (size_t)IPV6_LEN : (f[ip] & 0xfu) * 4);
    if (tcp < ip + 20 || tcp + TCP_MIN > len || f[ip + (v6 ? 6 : 9)] != PROTO_TCP) {
        return false;
    }
    *t = (TcpFrame){ ip, tcp, tcp + (f[tcp + 12] >> 4) * 4u, v6 };
    return t->payload >= tcp + TCP_MIN && t->payload <= len;
}

/* Set lengths, identification and checksums of a segment. */
static void offload_fix_headers(uint8_t *f, size_t len, const TcpFrame *t, uint16_t index)
{
    uint8_t *ip = f + t->ip, *tcp = f + t->tcp;
    size_t segment = len - t->tcp;
    uint32_t sum;

    if (t->v6) {
        offload_put16(ip + 4, len - t->ip - IPV6_LEN);
        sum = offload_sum16(segment + PROTO_TCP, ip + 8, 32);
    } else {
        offload_put16(ip + 2, len - t->ip);
        offload_put16(ip + 4, offload_get16(ip + 4) + index);
        offload_put16(ip + 10, 0);
        offload_put16(ip + 10, net_checksum(0, ip, t->tcp - t->ip));
        sum = offload_sum16(segment + PROTO_TCP, ip + 12, 8);
    }
    offload_put16(tcp + 16, 0);
    offload_put16(tcp + 16, net_checksum(sum, tcp, segment));
}

/* Send segments, from byte part->at of the payload on. */
static bool offload_send_segments(const uint8_t *frame, size_t len, const NetMeta *meta,
                                  const TcpFrame *t, NetPart *part, NetFrameFn *fn, void *opaque)
{
    size_t total = len - t->payload, done = MIN(part->at, total);
    g_autofree uint8_t *out = g_malloc(t->payload + meta->gso_size);
    uint32_t seq = offload_get32(frame + t->tcp + 4);
    uint8_t flags = frame[t->tcp + 13];

    do {
        uint16_t index = done / meta->gso_size;
        size_t bytes = MIN(total - done, meta->gso_size);
        bool last = done + bytes == total;

        memcpy(out, frame, t->payload);
        memcpy(out + t->payload, frame + t->payload + done, bytes);
        offload_put32(out + t->tcp + 4, seq + done);
        out[t->tcp + 13] = flags & ~((last ? 0 : TCP_FIN | TCP_PSH) | (index ? TCP_CWR : 0));
        offload_fix_headers(out, t->payload + bytes, t, index);
        fn(opaque, out, t->payload + bytes);
        done += bytes;
    } while (++part->frames < part->most && done < total);
    part->at = done;
    part->more = done < total;
    return true;
}

/* A segment size that no TCP uses would multiply the cost of a frame. A frame of one segment is
 * accepted with any size. */
static bool offload_gso_too_small(const NetMeta *meta, size_t payload)
{
    return meta->gso_size == 0 || (meta->gso_size < NET_MIN_GSO && payload > meta->gso_size);
}

bool net_finish_part(uint8_t *frame, size_t len, const NetMeta *meta, NetPart *part, NetFrameFn *fn,
                     void *opaque)
{
    unsigned gso = meta->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
    TcpFrame t;

    part->frames = 0;
    part->more = false;
    if (gso == VIRTIO_NET_HDR_GSO_NONE) {
        if ((meta->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
            !offload_fill_checksum(frame, len, meta)) {
            return false;
        }
        part->frames = 1;
        return fn(opaque, frame, len);
    }
    if ((gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_TCPV6) ||
        !offload_find_headers(frame, len, gso == VIRTIO_NET_HDR_GSO_TCPV6, &t) ||
        offload_gso_too_small(meta, len - t.payload)) {
        return false;
    }
    return offload_send_segments(frame, len, meta, &t, part, fn, opaque);
}

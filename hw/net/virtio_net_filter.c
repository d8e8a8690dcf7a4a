/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: the receive filter, and the flow hash that receive steering uses.
 */
#include <string.h>

#include "internal.h"

enum { TYPE_VLAN = 0x8100, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };
enum { PROTO_TCP = 6, PROTO_UDP = 17 };

size_t net_frame_head(const struct iovec *iov, int n_iov, uint8_t *head)
{
    size_t have = 0;

    memset(head, 0, HEAD_LEN);
    for (int i = 0; i < n_iov && have < HEAD_LEN; i++) {
        size_t part = MIN(iov[i].iov_len, HEAD_LEN - have);

        memcpy(head + have, iov[i].iov_base, part);
        have += part;
    }
    return have;
}

/* --- the filter --- */

static bool net_filter_in_table(const NetFilter *f, const uint8_t *mac, unsigned first,
                                unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        if (memcmp(f->table + i * 6, mac, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool net_filter_accepts_vlan(const NetFilter *f, const uint8_t *head)
{
    unsigned id = (head[14] << 8 | head[15]) & (VLANS - 1);

    return head[12] != TYPE_VLAN >> 8 || head[13] != (TYPE_VLAN & 0xff) ||
           (f->vlans[id / 8] >> (id % 8) & 1);
}

bool net_filter_accepts(const NetFilter *f, const uint8_t *mac, bool vlan, const uint8_t *head)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (f->promisc) {
        return true;
    }
    if (vlan && !net_filter_accepts_vlan(f, head)) {
        return false;
    }
    if (memcmp(head, broadcast, 6) == 0) {
        return !f->nobcast;
    }
    if (head[0] & 1) {
        return !f->nomulti && (f->allmulti || f->multi_overflow ||
                               net_filter_in_table(f, head, f->n_uni, f->n_multi));
    }
    return !f->nouni && (f->alluni || f->mac_overflow || memcmp(head, mac, 6) == 0 ||
                         net_filter_in_table(f, head, 0, f->n_uni));
}

/* Take one list from *p: a count and that many addresses, stored behind `at` entries of the table.
 * False: the list exceeds the bytes. */
static bool net_filter_take_list(NetFilter *f, const uint8_t **p, size_t *len, unsigned at,
                                 uint16_t *count, bool *overflow)
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

bool net_filter_set_table(NetFilter *f, const uint8_t *p, size_t len)
{
    NetFilter new = *f;

    if (!net_filter_take_list(&new, &p, &len, 0, &new.n_uni, &new.mac_overflow) ||
        !net_filter_take_list(&new, &p, &len, new.n_uni, &new.n_multi, &new.multi_overflow) ||
        len != 0) {
        return false;
    }
    *f = new;
    return true;
}

/* --- flows (5.1.6.5.6) --- */

static uint32_t net_flow_mix(uint32_t hash, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 16777619u; /* FNV-1a */
    }
    return hash;
}

/* One end of a flow: address and port. */
static uint32_t net_flow_end(const uint8_t *addr, size_t len, const uint8_t *port)
{
    return net_flow_mix(port ? net_flow_mix(2166136261u, port, 2) : 2166136261u, addr, len);
}

/* Fragments, and protocols other than TCP and UDP, are distinguished by their addresses only. */
bool net_flow_hash(const uint8_t *head, uint32_t *flow)
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
    *flow = net_flow_end(p + at, len, ports) +
            net_flow_end(p + at + len, len, ports ? ports + 2 : NULL);
    *flow ^= *flow >> 16;
    return true;
}

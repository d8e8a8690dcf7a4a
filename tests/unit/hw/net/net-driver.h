/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of virtio-net, and another client on the same hub.
 */
#ifndef TESTS_NET_DRIVER_H
#define TESTS_NET_DRIVER_H

#include <json-c/json.h>

#include "../../../../hw/net/internal.h"
#include "../virtio/virtio-driver.h"
#include "tests/lib/ok.h"

enum { TX = DRV_DATA, RX = DRV_DATA + 0x10000, CTRL = DRV_DATA + 0x60000, RX_LEN = 2048 };

static const uint8_t mac0[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 + DRV_DEVFN };

/* The other end of the link. */
typedef struct End {
    Netdev *netdev;
    NetNic nic;
    unsigned frames;
    uint8_t last[NET_MAX_FRAME];
    size_t len;
} End;

typedef struct Net {
    Fixture f;
    Drv v;
    End end;
    unsigned ctrl; /* number of the control queue */
} Net;

static inline bool end_receive(void *opaque, unsigned lane, const struct iovec *iov, int n,
                               const NetMeta *meta)
{
    End *e = opaque;

    e->len = 0;
    for (int i = 0; i < n; i++) {
        memcpy(e->last + e->len, iov[i].iov_base, iov[i].iov_len);
        e->len += iov[i].iov_len;
    }
    e->frames++;
    return true;
}

static inline Netdev *add_netdev(Machine *m, const char *json)
{
    struct json_object *o = json_tokener_parse(json);
    Netdev *n = netdev_new(m, o, NULL);

    json_object_put(o);
    return n;
}

static inline Net *start(const char *settings, uint64_t features, unsigned queues, bool legacy)
{
    Net *n = g_new0(Net, 1);

    drv_machine(&n->f, NULL, "{'type':'hubport','id':'n0','hubid':1}");
    n->end.netdev = add_netdev(n->f.m, "{'type':'hubport','id':'far','hubid':1}");
    n->end.nic = (NetNic){ .receive = end_receive, .opaque = &n->end };
    ASSERT_OK(netdev_attach(n->end.netdev, &n->end.nic, "far", &failure));
    drv_plug(&n->v, &n->f, "virtio-net-pci", settings, legacy);
    drv_start(&n->v, features, queues);
    n->ctrl = queues - 1;
    return n;
}

static inline void finish(Net *n)
{
    netdev_detach(n->end.netdev);
    drv_finish(&n->f);
    g_free(n);
}

static inline size_t hlen(const Net *n)
{
    return net_header_len((VirtioNet *)n->v.d);
}

/* Frame i of a test, to or from the device. */
static inline size_t make_frame(uint8_t *p, const uint8_t *to, size_t len, unsigned seed)
{
    memset(p, 0, len);
    memcpy(p, to, 6);
    memcpy(p + 6, (const uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
    p[12] = 0x88;
    p[13] = 0xb5; /* the Ethertype for local experiments */
    for (size_t i = 14; i < len; i++) {
        p[i] = (uint8_t)(i * 3 + seed);
    }
    return len;
}

static inline void from_far(Net *n, const uint8_t *frame, size_t len)
{
    struct iovec iov = { (void *)frame, len };

    g_assert_cmpuint(net_send(n->end.netdev, &iov, 1, NULL), ==, len);
}

static inline void give_buffers(Net *n, unsigned pair, unsigned count, uint32_t len)
{
    for (unsigned i = 0; i < count; i++) {
        DrvSeg s = { RAM + RX + pair * 0x10000 + i * RX_LEN, len, true };

        drv_offer(&n->v, 2 * pair, &s, 1);
    }
    drv_kick(&n->v, 2 * pair);
}

static inline uint8_t *rx(Net *n, unsigned pair, unsigned i)
{
    return drv_ram(&n->v, RX + pair * 0x10000 + i * RX_LEN);
}

static inline void send_frame(Net *n, unsigned pair, const NetHeader *h, const uint8_t *frame,
                              size_t len)
{
    DrvSeg s[] = { { RAM + TX, hlen(n), false }, { RAM + TX + 0x100, len, false } };

    memcpy(drv_ram(&n->v, TX), h, hlen(n));
    memcpy(drv_ram(&n->v, TX + 0x100), frame, len);
    drv_offer(&n->v, 2 * pair + 1, s, 2);
    drv_kick(&n->v, 2 * pair + 1);
    g_assert_cmpint(drv_wait(&n->v, 2 * pair + 1, 2), ==, 0);
}

/* Send a control command. Returns its answer. */
static inline uint8_t control(Net *n, uint8_t class, uint8_t cmd, const void *data, size_t len)
{
    DrvSeg s[] = { { RAM + CTRL, 2, false },
                   { RAM + CTRL + 0x10, len, false },
                   { RAM + CTRL + 8, 1, true } };

    *drv_ram(&n->v, CTRL) = class;
    *drv_ram(&n->v, CTRL + 1) = cmd;
    *drv_ram(&n->v, CTRL + 8) = 0xff;
    if (len) {
        memcpy(drv_ram(&n->v, CTRL + 0x10), data, len);
    } else {
        s[1] = s[2];
    }
    drv_offer(&n->v, n->ctrl, s, len ? 3 : 2);
    drv_kick(&n->v, n->ctrl);
    g_assert_cmpint(drv_wait(&n->v, n->ctrl, len ? 3 : 2), ==, 1);
    return *drv_ram(&n->v, CTRL + 8);
}

#endif

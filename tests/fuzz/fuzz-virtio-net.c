/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net with a peer that sends frames, and a link that is disconnected, depending on the
 * input.
 */
#include <json-c/json.h>

#include "fuzz-virtio.h"

static bool drop(void *opaque, unsigned lane, const struct iovec *iov, int n, const NetMeta *meta)
{
    return true;
}

static const NetNic far_nic = { .receive = drop };

static void prepare(Fixture *f)
{
    struct json_object *o = json_tokener_parse("{'type':'hubport','id':'far','hubid':0}");
    Netdev *n = netdev_new(f->m, o, NULL);

    json_object_put(o);
    g_assert_true(netdev_attach(n, &far_nic, "far", NULL));
}

static void host(Fixture *f, Input *in)
{
    static uint8_t frame[4096]; /* only its first bytes are relevant */
    const NetAnnounceTimes once = { .rounds = 1 };
    uint8_t what = input_take(in, 1);
    struct iovec iov = { frame, 1 + (what & 0x3f) * 60 };

    switch (what >> 6) {
    case 0:
    case 1:
        for (unsigned i = 0; i < 60; i++) {
            frame[i] = input_take(in, 1);
        }
        net_send(netdev_find(f->m, "far"), &iov, 1, NULL);
        break;
    case 2:
        netdev_set_link(f->m, "n0", what & 1, NULL);
        break;
    default:
        net_announce(f->m, "", &once, NULL, NULL);
    }
}

static void finish(Fixture *f)
{
    netdev_detach(netdev_find(f->m, "far"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FuzzVirtio target = {
        .type = "virtio-net-pci",
        .settings = { "netdev=n0", "netdev=n0,queue-pairs=4,packed=on", "netdev=n0,mrg_rxbuf=off",
                      "netdev=n0,vectors=0,packed=on,mq=on" },
        .queues = 9,
        .netdev = "{'type':'hubport','id':'n0','hubid':0}",
        .prepare = prepare,
        .host = host,
        .finish = finish,
    };

    return fuzz_virtio(&target, data, size);
}

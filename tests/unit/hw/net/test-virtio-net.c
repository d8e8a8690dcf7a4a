/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net and its driver: frames in both directions in every header and buffer layout, offloads,
 * features and properties, link and announcements, resets.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "net-driver.h"
#include "tests/lib/ok.h"

/* --- frames --- */

static void check_frames(const char *settings, uint64_t features, bool legacy, size_t header)
{
    Net *n = start(settings, features, 2, legacy);
    uint8_t frame[1500] = { 0 };
    NetHeader none = { 0 };

    g_assert_cmpuint(hlen(n), ==, header);
    for (unsigned i = 0; i < 600; i++) {
        size_t len = make_frame(frame, mac0, 60 + i * 2, i);

        send_frame(n, 0, &none, frame, len);
        g_assert_cmpmem(n->end.last, n->end.len, frame, len);
        give_buffers(n, 0, 1, RX_LEN);
        from_far(n, frame, len);
        g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, len + header);
        g_assert_cmpmem(rx(n, 0, 0) + header, len, frame, len);
        g_assert_cmpuint(rx(n, 0, 0)[10], ==, header == 12 ? 1 : frame[0]);
    }
    g_assert_cmpuint(n->end.frames, ==, 600);
    drv_running(&n->v);
    finish(n);
}

static void test_frames(void)
{
    check_frames("netdev=n0", 0, false, 12);
    check_frames("netdev=n0", F_BIT(VIRTIO_NET_F_MRG_RXBUF) | F_BIT(VIRTIO_RING_F_EVENT_IDX), false,
                 12);
    check_frames("netdev=n0,packed=on",
                 F_BIT(VIRTIO_F_RING_PACKED) | F_BIT(VIRTIO_RING_F_EVENT_IDX), false, 12);
    check_frames("netdev=n0", 0, true, 10);
    check_frames("netdev=n0", F_BIT(VIRTIO_NET_F_MRG_RXBUF), true, 12);
}

/* One frame over several buffers, all or none. */
static void test_merged(void)
{
    Net *n = start("netdev=n0", F_BIT(VIRTIO_NET_F_MRG_RXBUF), 2, false);
    uint8_t frame[1400] = { 0 };
    size_t got = 0, len = make_frame(frame, mac0, sizeof(frame), 9);

    give_buffers(n, 0, 2, 512);
    from_far(n, frame, len);
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    for (unsigned i = 2; i < 4; i++) {
        DrvSeg s = { RAM + RX + i * RX_LEN, 512, true };

        drv_offer(&n->v, 0, &s, 1);
    }
    drv_kick(&n->v, 0); /* now it fits */
    for (unsigned i = 0; i < 3; i++) {
        int64_t used = drv_wait(&n->v, 0, 1);
        size_t skip = i == 0 ? 12 : 0;

        g_assert_cmpint(used, >, 0);
        g_assert_cmpmem(rx(n, 0, i) + skip, used - skip, frame + got, used - skip);
        got += used - skip;
    }
    g_assert_cmpuint(got, ==, len);
    g_assert_cmpuint(rx(n, 0, 0)[10], ==, 3);
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    finish(n);
}

/* Work that a driver offloaded is done before the frame is sent, for any back end. */
static void test_offloads(void)
{
    Net *n = start("netdev=n0", F_BIT(VIRTIO_NET_F_CSUM) | F_BIT(VIRTIO_NET_F_HOST_TSO4), 2, false);
    uint8_t f[14 + 20 + 20 + 3000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0,
                                       0,    0,    0,    0x01, 0x08, 0,    0x45 };
    NetHeader csum = { .flags = 1, .csum_start = 34, .csum_offset = 16 };
    NetHeader tso = { .flags = 1,
                      .gso_type = 1,
                      .hdr_len = 54,
                      .gso_size = 1000,
                      .csum_start = 34,
                      .csum_offset = 16 };

    f[23] = 6;
    f[34 + 12] = 5 << 4;
    f[50] = 0x12; /* the pseudo header's sum, or an arbitrary value instead */
    send_frame(n, 0, &csum, f, 60);
    g_assert_cmpuint(n->end.len, ==, 60);
    g_assert_cmphex(n->end.last[50] << 8 | n->end.last[51], !=, 0x1200);
    n->end.frames = 0;
    send_frame(n, 0, &tso, f, sizeof(f));
    g_assert_cmpuint(n->end.frames, ==, 3);
    g_assert_cmpuint(n->end.len, ==, 54 + 1000);
    g_assert_cmphex(n->end.last[16] << 8 | n->end.last[17], ==, 40 + 1000);
    finish(n);
}

/* Frames shorter than an Ethernet header, or than the minimum on a wire, are transmitted
 * unchanged. */
static void test_short_frames(void)
{
    static const size_t lengths[] = { 1, 5, 13, 14, 20 };
    Net *n = start("netdev=n0", 0, 2, false);
    NetHeader none = { 0 };
    uint8_t frame[20] = { 0 };

    make_frame(frame, mac0, sizeof(frame), 3);
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        size_t len = lengths[i];

        give_buffers(n, 0, 1, RX_LEN);
        from_far(n, frame, len);
        g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, len + 12);
        g_assert_cmpmem(rx(n, 0, 0) + 12, len, frame, len);
        send_frame(n, 0, &none, frame, len);
        g_assert_cmpmem(n->end.last, n->end.len, frame, len);
    }
    finish(n);
}

/* A chain of more than 4 GiB: 1,024 descriptors of one indirect table refer to the same 8 MiB of
 * RAM. Its frame is dropped and its buffer completed, within the work of one turn. */
static void test_huge_chain(void)
{
    Net *n = start("netdev=n0", F_BIT(VIRTIO_RING_F_INDIRECT_DESC), 2, false);
    enum { N = 1024, TABLE = DRV_DATA + 0x20000, LARGE = 8 << 20 };
    const uint64_t large_at = RAM + 0x1000000;
    RamBlock *block = machine_ram_new(n->f.m, "large", LARGE, NULL);
    DrvRing *r = &n->v.ring[1];
    uint8_t frame[64] = { 0 };
    NetHeader none = { 0 };
    MemRegion large = { 0 };

    mem_init_ram(&large, "large", block, 0, LARGE);
    mem_map(&n->f.m->memory, large_at, &large, 0, 0);
    for (unsigned i = 0; i < N; i++) {
        put_desc(&n->v, RAM + TABLE + 16 * i, large_at, LARGE, i + 1 < N ? VRING_DESC_F_NEXT : 0,
                 i + 1);
    }
    for (unsigned i = 0; i < 5; i++) {
        put_desc(&n->v, r->desc, RAM + TABLE, 16 * N, VRING_DESC_F_INDIRECT, 0);
        guest_write(&n->f, r->driver + 4 + 2 * (r->avail % r->size), 2, 0);
        guest_write(&n->f, r->driver + 2, 2, ++r->avail);
        drv_kick(&n->v, 1);
        g_assert_cmpuint(virtio_turn_left(&((VirtioNet *)n->v.d)->base.virtio), >, VIRTIO_TURN / 2);
        g_assert_cmpint(drv_wait(&n->v, 1, 1), ==, 0);
    }
    g_assert_cmpuint(n->end.frames, ==, 0);
    drv_running(&n->v);
    r->next_free = 0;
    send_frame(n, 0, &none, frame, make_frame(frame, mac0, 64, 1));
    g_assert_cmpuint(n->end.frames, ==, 1);
    mem_unmap(&large);
    mem_fini(&large);
    finish(n);
}

/* A segment size below TCP's minimum is rejected, unless the frame is one segment. Segmentation
 * uses as many turns as it needs, and the segments are the same. */
static void test_segment_sizes(void)
{
    static const struct {
        uint16_t size;
        unsigned frames;
    } sizes[] = { { 0, 0 }, { 1, 0 }, { 47, 0 }, { 48, 1250 }, { 60000, 1 } };
    Net *n = start("netdev=n0", F_BIT(VIRTIO_NET_F_CSUM) | F_BIT(VIRTIO_NET_F_HOST_TSO4), 2, false);
    g_autofree uint8_t *f = g_malloc0(54 + 60000);
    static const uint8_t head[15] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0,
                                      0,    0,    0,    0x01, 0x08, 0,    0x45 };

    memcpy(f, head, sizeof(head));
    f[23] = 6;
    f[34 + 12] = 5 << 4;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        NetHeader h = { .flags = 1,
                        .gso_type = 1,
                        .gso_size = sizes[i].size,
                        .csum_start = 34,
                        .csum_offset = 16 };
        DrvSeg s[] = { { RAM + TX, hlen(n), false }, { RAM + TX + 0x100, 54 + 60000, false } };

        n->end.frames = 0;
        memcpy(drv_ram(&n->v, TX), &h, hlen(n));
        memcpy(drv_ram(&n->v, TX + 0x100), f, 54 + 60000);
        drv_offer(&n->v, 1, s, 2);
        drv_kick(&n->v, 1);
        g_assert_cmpuint(n->end.frames, <=, VIRTIO_TURN / 2);
        g_assert_cmpint(drv_wait(&n->v, 1, 2), ==, 0);
        g_assert_cmpuint(n->end.frames, ==, sizes[i].frames);
    }
    drv_running(&n->v);
    finish(n);
}

/* Receive buffers that the device may not write, or that are empty, violate the specification. */
static void test_odd_buffers(void)
{
    Net *n = start("netdev=n0", F_BIT(VIRTIO_NET_F_MRG_RXBUF), 2, false);
    DrvSeg readable = { RAM + RX, 64, false };
    DrvSeg both[] = { { RAM + RX, 64, false }, { RAM + RX + 0x100, 64, true } };
    uint8_t frame[64] = { 0 };

    make_frame(frame, mac0, 64, 1);
    drv_offer(&n->v, 0, &readable, 1);
    drv_kick(&n->v, 0);
    from_far(n, frame, 64);
    g_assert_cmphex(drv_status(&n->v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&n->v, F_BIT(VIRTIO_NET_F_MRG_RXBUF), 2);
    drv_offer(&n->v, 0, both, 2);
    drv_kick(&n->v, 0);
    from_far(n, frame, 64);
    g_assert_cmphex(drv_status(&n->v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    finish(n);
}

/* Without Bus Master Enable no frame is transferred and the device stays operational. */
static void test_bus_master(void)
{
    Net *n = start("netdev=n0", 0, 2, false);
    NetHeader none = { 0 };
    uint8_t frame[64] = { 0 };

    make_frame(frame, mac0, 64, 1);
    give_buffers(n, 0, 1, RX_LEN);
    config_write(&n->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    from_far(n, frame, 64);
    drv_kick(&n->v, 0);
    drv_kick(&n->v, 1);
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    drv_running(&n->v);
    config_write(&n->f, DRV_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    from_far(n, frame, 64);
    g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, 64 + 12);
    send_frame(n, 0, &none, frame, 64);
    g_assert_cmpuint(n->end.frames, ==, 1);
    drv_running(&n->v);
    finish(n);
}

/* Malformed frames, and buffers that are too small. */
static void test_odd_frames(void)
{
    Net *n = start("netdev=n0", 0, 2, false);
    uint8_t frame[64] = { 0 };
    DrvSeg tiny = { RAM + TX, 12, false }, huge[17];
    DrvSeg both[] = { { RAM + TX, 100, false }, { RAM + TX + 0x200, 64, true } };

    drv_offer(&n->v, 1, &tiny, 1);
    drv_kick(&n->v, 1);
    g_assert_cmpint(drv_wait(&n->v, 1, 1), ==, 0);
    drv_offer(&n->v, 1, both, 2);
    drv_kick(&n->v, 1);
    g_assert_cmpint(drv_wait(&n->v, 1, 2), ==, 0);
    for (unsigned i = 0; i < 17; i++) {
        huge[i] = (DrvSeg){ RAM + TX, 0x1000, false };
    }
    drv_offer(&n->v, 1, huge, 17);
    drv_kick(&n->v, 1);
    g_assert_cmpint(drv_wait(&n->v, 1, 17), ==, 0);
    g_assert_cmpuint(n->end.frames, ==, 0);
    give_buffers(n, 0, 1, 16); /* too small for any frame: it waits for larger buffers */
    from_far(n, frame, make_frame(frame, mac0, 64, 1));
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    drv_running(&n->v);
    finish(n);
}

/* --- features --- */

static void test_features(void)
{
    static const char *const kinds[] = { "a socket", "{'type':'hubport','id':'n1','hubid':7}",
                                         "{'type':'user','id':'n1'}", NULL };
    static const uint64_t lacking[] = { F_BIT(VIRTIO_NET_F_HOST_TSO4), F_BIT(VIRTIO_NET_F_MQ),
                                        F_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE),
                                        F_BIT(VIRTIO_NET_F_CTRL_RX),
                                        F_BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) };
    Net *n = start("netdev=n0,queue-pairs=2", 0, 1, false);
    uint64_t offered = drv_offered(&n->v);
    int fds[2];

    for (size_t i = 0; i < G_N_ELEMENTS(lacking); i++) { /* without the required features
                                                          * (5.1.3.1) */
        drv_set_status(&n->v, 0);
        drv_write_features(&n->v, lacking[i] | F_BIT(VIRTIO_F_VERSION_1));
        drv_set_status(&n->v, VIRTIO_CONFIG_S_FEATURES_OK);
        g_assert_cmphex(drv_status(&n->v), ==, 0);
    }
    /* The offered features depend only on the properties, not on the back end. */
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    device_unplug(&n->v.d->dev);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *json = i == 0
                                    ? g_strdup_printf("{'type':'socket','id':'n1','fd':%d}", fds[0])
                                    : g_strdup(kinds[i]);
        Netdev *peer = json ? add_netdev(n->f.m, json) : NULL;

        if (json && !peer) {
            g_test_message("this build has no user networking");
            continue;
        }
        drv_plug(&n->v, &n->f, "virtio-net-pci", json ? "netdev=n1,queue-pairs=2" : "queue-pairs=2",
                 false);
        g_assert_cmphex(drv_offered(&n->v), ==, offered);
        device_unplug(&n->v.d->dev);
        g_assert_true(!json || netdev_del(n->f.m, "n1", NULL));
    }
    close(fds[1]);
    finish(n);
}

static void test_properties(void)
{
    Net *n = start("netdev=n0,host_mtu=9000,mq=on,mac=52:54:00:aa:bb:cc", F_BIT(VIRTIO_NET_F_MTU),
                   3, false);
    const PCIDeviceType *t = drv_type("virtio-net-pci");

    g_assert_cmphex(drv_offered(&n->v) & F_BIT(VIRTIO_NET_F_MQ), !=, 0);
    g_assert_cmphex(drv_config(&n->v, 0, 4), ==, 0xaa005452);
    g_assert_cmphex(drv_config(&n->v, 6, 2), ==, VIRTIO_NET_S_LINK_UP);
    g_assert_cmpuint(drv_config(&n->v, 8, 2), ==, 1);
    g_assert_cmpuint(drv_config(&n->v, 10, 2), ==, 9000);
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "netdev=n0", "already used by dut");
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "netdev=none", "'none'");
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "rx_queue_size=100", "powers of two");
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "host_mtu=60", "at least 68");
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "mac=01:00:00:00:00:00", "multicast");
    refused(&n->f, t, "pcie.0", "b", PCI_DEVFN(4, 0), "ctrl_vq=off,queue-pairs=2", "ctrl_vq=on");
    finish(n);
}

/* Devices in the same slot of different buses have different addresses, which are always the
 * same. */
static void test_addresses(void)
{
    static const char *const buses[] = { "pcie.0", "a", "b" };
    Fixture f;
    uint8_t mac[2][3][6];

    drv_machine(&f, NULL, NULL);
    plug_function(&f, drv_type("pcie-root-port"), "pcie.0", "a", PCI_DEVFN(1, 0), NULL);
    plug_function(&f, drv_type("pcie-root-port"), "pcie.0", "b", PCI_DEVFN(2, 0), NULL);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(buses); i++) {
            PCIDevice *d = plug_function(&f, drv_type("virtio-net-pci"), buses[i], NULL,
                                         i ? 0 : DRV_DEVFN, NULL);

            memcpy(mac[round][i], ((VirtioNet *)d)->mac, 6);
            g_assert_cmpmem(mac[round][i], 3, mac0, 3);
            device_unplug(&d->dev);
        }
    }
    g_assert_cmpmem(mac[0][0], 6, mac0, 6);
    g_assert_cmpmem(mac[0], sizeof(mac[0]), mac[1], sizeof(mac[1]));
    g_assert_cmpint(memcmp(mac[0][0], mac[0][1], 6), !=, 0);
    g_assert_cmpint(memcmp(mac[0][1], mac[0][2], 6), !=, 0);
    drv_finish(&f);
}

/* A frame that fits in no buffer of the driver is dropped, and the next is received; so is one that
 * does not fit in all buffers of the queue together. */
static void check_too_long(uint64_t features, unsigned buffers, uint32_t buffer)
{
    Net *n = start("netdev=n0,rx_queue_size=64", features, 2, false);
    uint8_t frame[1500] = { 0 };

    give_buffers(n, 0, buffers, buffer);
    from_far(n, frame, make_frame(frame, mac0, sizeof(frame), 1));
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    from_far(n, frame, make_frame(frame, mac0, 60, 2));
    g_assert_cmpint(drv_wait(&n->v, 0, 1), >, 0);
    finish(n);
}

static void test_too_long(void)
{
    check_too_long(0, 1, 512);
    check_too_long(F_BIT(VIRTIO_NET_F_MRG_RXBUF), 64, 20);
}

/* --- link, announcements, resets --- */

static void test_link(void)
{
    Net *n = start("netdev=n0", F_BIT(VIRTIO_NET_F_STATUS), 2, false);
    uint8_t frame[60] = { 0 };

    give_buffers(n, 0, 1, RX_LEN);
    ASSERT_OK(netdev_set_link(n->f.m, "n0", false, &failure));
    g_assert_cmpuint(drv_config(&n->v, 6, 2), ==, 0);
    g_assert_true(n->f.line[3]); /* the configuration changed */
    g_assert_cmphex(guest_read(&n->f, n->v.isr, 1), ==, 3);
    from_far(n, frame, make_frame(frame, mac0, 60, 1));
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    drv_start(&n->v, F_BIT(VIRTIO_NET_F_STATUS), 2); /* a reset does not restore the link */
    g_assert_cmpuint(drv_config(&n->v, 6, 2), ==, 0);
    ASSERT_OK(netdev_set_link(n->f.m, "dut", true, &failure));
    g_assert_cmpuint(drv_config(&n->v, 6, 2), ==, VIRTIO_NET_S_LINK_UP);
    finish(n);
}

/* Announce on request of a client: both ways, because the client has no information about the
 * guest.
 */
static void test_announce_on_demand(void)
{
    const NetAnnounceTimes once = { .rounds = 1 };
    char *names[] = { (char *)"dut", NULL };
    Net *n = start("netdev=n0",
                   F_BIT(VIRTIO_NET_F_CTRL_VQ) | F_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |
                       F_BIT(VIRTIO_NET_F_STATUS),
                   3, false);

    ASSERT_OK(net_announce(n->f.m, "", &once, names, &failure));
    g_assert_cmpuint(n->end.frames, ==, 1);
    g_assert_cmpmem(n->end.last + 22, 6, mac0, 6);
    g_assert_cmphex(drv_config(&n->v, 6, 2), ==, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    finish(n);
}

/* A stopped device receives nothing and loses nothing. */
static void test_stopped(void)
{
    Net *n = start("netdev=n0", 0, 2, false);
    uint8_t frame[60] = { 0 };

    give_buffers(n, 0, 2, RX_LEN);
    machine_set_state(n->f.m, RUN_PAUSED);
    from_far(n, frame, make_frame(frame, mac0, 60, 1));
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    machine_set_state(n->f.m, RUN_RUNNING);
    g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, 72);
    finish(n);
}

static void test_resets(void)
{
    Net *n = start("netdev=n0,queue-pairs=2", F_BIT(VIRTIO_F_RING_RESET), 4, false);
    uint8_t frame[60] = { 0 };

    for (unsigned i = 0; i < 50; i++) {
        give_buffers(n, 0, 2, RX_LEN);
        from_far(n, frame, make_frame(frame, mac0, 60, 1));
        if (i % 2) {
            drv_common_write(&n->v, C_SELECT, 2, 0);
            drv_common_write(&n->v, C_RESET, 2, 1);
            from_far(n, frame, 60); /* no receiver */
            drv_queue(&n->v, 0, 0, 1);
        } else {
            drv_start(&n->v, F_BIT(VIRTIO_F_RING_RESET), 4);
        }
        give_buffers(n, 0, 1, RX_LEN);
        from_far(n, frame, 60);
        g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, 72);
        if (i % 2) {
            drv_start(&n->v, F_BIT(VIRTIO_F_RING_RESET), 4);
        }
    }
    finish(n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/frames", test_frames);
    g_test_add_func("/net/merged", test_merged);
    g_test_add_func("/net/offloads", test_offloads);
    g_test_add_func("/net/odd-frames", test_odd_frames);
    g_test_add_func("/net/short-frames", test_short_frames);
    g_test_add_func("/net/huge-chain", test_huge_chain);
    g_test_add_func("/net/segment-sizes", test_segment_sizes);
    g_test_add_func("/net/odd-buffers", test_odd_buffers);
    g_test_add_func("/net/bus-master", test_bus_master);
    g_test_add_func("/net/features", test_features);
    g_test_add_func("/net/properties", test_properties);
    g_test_add_func("/net/addresses", test_addresses);
    g_test_add_func("/net/too-long", test_too_long);
    g_test_add_func("/net/link", test_link);
    g_test_add_func("/net/announce-on-demand", test_announce_on_demand);
    g_test_add_func("/net/stopped", test_stopped);
    g_test_add_func("/net/resets", test_resets);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of virtio-net: the receive filter, receive queues by flow, the acknowledgement
 * of announcements, and the saved state of all of these.
 */
#include "net-driver.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

/* --- the filter --- */

static bool arrives(Net *n, const uint8_t *to, int vlan)
{
    uint8_t frame[64] = { 0 };
    size_t len = make_frame(frame, to, 64, 5);

    if (vlan >= 0) {
        frame[12] = 0x81;
        frame[13] = 0;
        frame[14] = vlan >> 8;
        frame[15] = vlan;
    }
    from_far(n, frame, len);
    if (drv_collect(&n->v, 0, 1) < 0) {
        return false;
    }
    give_buffers(n, 0, 1, RX_LEN);
    return true;
}

static void test_filter(void)
{
    static const uint8_t other[6] = { 0x52, 0x54, 0, 1, 2, 3 }, group[6] = { 1, 0, 0x5e, 0, 0, 1 },
                         all[6] = { 255, 255, 255, 255, 255, 255 };
    uint8_t table[4 + 6 + 4 + 6] = { 1 }, on = 1, off = 0, crowd[4 + 6 * 65 + 4] = { 65 };
    uint16_t vlan = 77;
    Net *n = start("netdev=n0",
                   F_BIT(VIRTIO_NET_F_CTRL_VQ) | F_BIT(VIRTIO_NET_F_CTRL_RX) |
                       F_BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | F_BIT(VIRTIO_NET_F_CTRL_VLAN) |
                       F_BIT(VIRTIO_NET_F_CTRL_MAC_ADDR),
                   3, false);

    give_buffers(n, 0, 4, RX_LEN);
    g_assert_true(arrives(n, other, -1)); /* promiscuous by default */
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_RX, 0, &off, 1), ==, 0);
    g_assert_true(arrives(n, mac0, -1));
    g_assert_true(arrives(n, all, -1));
    g_assert_false(arrives(n, other, -1));
    g_assert_false(arrives(n, group, -1));
    memcpy(table + 4, other, 6);
    table[10] = 1;
    memcpy(table + 14, group, 6);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 0, table, sizeof(table)), ==, 0);
    g_assert_true(arrives(n, other, -1));
    g_assert_true(arrives(n, group, -1));
    /* a table that is truncated, or has a wrong length, changes nothing */
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 0, table, sizeof(table) - 1), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 0, table, 4), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 2, table, sizeof(table)), ==, 1);
    g_assert_true(arrives(n, other, -1));
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_RX, 3, &on, 1), ==,
                     0); /* no multicast, no broadcast */
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_RX, 5, &on, 1), ==, 0);
    g_assert_false(arrives(n, group, -1));
    g_assert_false(arrives(n, all, -1));
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_RX, 6, &on, 1), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 0, crowd, sizeof(crowd)), ==,
                     0); /* too many: accept all */
    g_assert_true(arrives(n, (const uint8_t[6]){ 2, 9, 9, 9, 9, 9 }, -1));
    /* VLANs */
    g_assert_false(arrives(n, mac0, 77));
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_VLAN, 0, &vlan, 2), ==, 0);
    g_assert_true(arrives(n, mac0, 77));
    g_assert_false(arrives(n, mac0, 78));
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_VLAN, 1, &vlan, 2), ==, 0);
    g_assert_false(arrives(n, mac0, 77));
    vlan = 4096;
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_VLAN, 0, &vlan, 2), ==, 1);
    /* the address */
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 0, "\0\0\0\0\0\0\0", 8), ==, 0);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 1, other, 6), ==, 0);
    g_assert_false(arrives(n, mac0, -1));
    g_assert_true(arrives(n, other, -1));
    g_assert_cmpuint(control(n, 200, 0, &on, 1), ==, 1);
    finish(n);
}

/* Commands of features that were not negotiated are rejected. A command without space for an answer
 * breaks the device. */
static void test_control_refused(void)
{
    uint16_t pairs = 2;
    uint8_t on = 1;
    DrvSeg no_ack[] = { { RAM + CTRL, 3, false } };
    Net *n = start("netdev=n0,queue-pairs=2", F_BIT(VIRTIO_NET_F_CTRL_VQ), 3, false);

    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_RX, 0, &on, 1), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MAC, 1, mac0, 6), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_VLAN, 0, &pairs, 2), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, 1);
    drv_kick(&n->v, 4); /* without MQ the other queues are not used */
    drv_offer(&n->v, 2, no_ack, 1);
    drv_kick(&n->v, 2);
    g_assert_cmphex(drv_status(&n->v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    finish(n);
}

/* --- receive queues --- */

static size_t udp_frame(uint8_t *p, const uint8_t *src, const uint8_t *dst, uint16_t sport,
                        uint16_t dport, bool v6)
{
    size_t ip = 14, len = v6 ? 16 : 4, addr = ip + (v6 ? 8 : 12), udp = ip + (v6 ? 40 : 20);

    memset(p, 0, 100);
    memcpy(p, mac0, 6);
    p[12] = v6 ? 0x86 : 0x08;
    p[13] = v6 ? 0xdd : 0;
    p[ip] = v6 ? 0x60 : 0x45;
    p[ip + (v6 ? 6 : 9)] = 17;
    memcpy(p + addr, src, len);
    memcpy(p + addr + len, dst, len);
    p[udp] = sport >> 8;
    p[udp + 1] = sport;
    p[udp + 2] = dport >> 8;
    p[udp + 3] = dport;
    return 100;
}

/* Return the queue that receives a frame from the peer. */
static int lands(Net *n, const uint8_t *frame, size_t len, unsigned pairs)
{
    int found = -1;

    from_far(n, frame, len);
    for (unsigned pair = 0; pair < pairs; pair++) {
        if (drv_collect(&n->v, 2 * pair, 1) >= 0) {
            g_assert_cmpint(found, ==, -1);
            found = (int)pair;
            give_buffers(n, pair, 1, RX_LEN);
        }
    }
    return found;
}

static Net *start_pairs(unsigned pairs)
{
    g_autofree char *settings = g_strdup_printf("netdev=n0,queue-pairs=%u", pairs);
    Net *n =
        start(settings, F_BIT(VIRTIO_NET_F_CTRL_VQ) | F_BIT(VIRTIO_NET_F_MQ), 2 * pairs + 1, false);

    for (unsigned pair = 0; pair < pairs; pair++) {
        give_buffers(n, pair, 2, RX_LEN);
    }
    return n;
}

static void test_steering(void)
{
    enum { PAIRS = 4 };
    static const uint8_t here[16] = { 10, 0, 2, 15, 1 }, there[16] = { 10, 0, 2, 2, 9 };
    Net *n = start_pairs(PAIRS);
    uint16_t four = PAIRS, two = 2, zero = 0, five = 5;
    uint8_t frame[100] = { 0 };
    NetHeader none = { 0 };
    unsigned hit[PAIRS] = { 0 };
    g_autoptr(GByteArray) saved = NULL;

    /* one queue until the driver asks for more (5.1.6.5.6.2) */
    for (unsigned port = 0; port < 64; port++) {
        size_t len = udp_frame(frame, there, here, 53, 1000 + port, false);

        g_assert_cmpint(lands(n, frame, len, PAIRS), ==, 0);
    }
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &zero, 2), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &five, 2), ==, 1);
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &four, 2), ==, 0);
    /* flows that are only received are distributed, each to one queue */
    for (unsigned port = 0; port < 256; port++) {
        size_t len = udp_frame(frame, there, here, 53, 1000 + port, port & 1);
        int queue = lands(n, frame, len, PAIRS);

        g_assert_cmpint(queue, >=, 0);
        g_assert_cmpint(lands(n, frame, len, PAIRS), ==, queue);
        hit[queue]++;
    }
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        g_assert_cmpuint(hit[pair], >, 16);
    }
    /* flows that the driver sends, too, are received by the sending pair */
    for (unsigned i = 0; i < 64; i++) {
        bool v6 = i & 1;
        unsigned pair = i % PAIRS;
        size_t len = udp_frame(frame, here, there, 4000 + i, 53, v6);

        send_frame(n, pair, &none, frame, len);
        len = udp_frame(frame, there, here, 53, 4000 + i, v6);
        g_assert_cmpint(lands(n, frame, len, PAIRS), ==, pair);
    }
    /* frames without a flow are received by the first pair */
    g_assert_cmpint(lands(n, frame, make_frame(frame, mac0, 60, 1), PAIRS), ==, 0);
    /* saved and loaded: the last flow still has its queue */
    udp_frame(frame, here, there, 5000, 53, false);
    send_frame(n, 3, &none, frame, 100);
    saved = save_state(n->v.d);
    drv_set_status(&n->v, 0);
    ASSERT_OK(load_state(n->v.d, saved, &failure));
    udp_frame(frame, there, here, 53, 5000, false);
    g_assert_cmpint(lands(n, frame, 100, PAIRS), ==, 3);
    /* fewer queues: none above the limit is used */
    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &two, 2), ==, 0);
    for (unsigned port = 0; port < 64; port++) {
        size_t len = udp_frame(frame, there, here, 53, 5000 + port, false);

        g_assert_cmpint(lands(n, frame, len, PAIRS), <, 2);
    }
    finish(n);
}

/* A pair without buffers does not block another: its frames wait, up to a limit, and are delivered
 * when it has buffers. */
static void test_full_pair(void)
{
    static const uint8_t here[4] = { 10, 0, 2, 15 }, there[4] = { 10, 0, 2, 2 };
    Net *n = start_pairs(2);
    NetHeader none = { 0 };
    uint16_t two = 2;
    uint8_t frame[2][100] = { { 0 } };

    g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_MQ, 0, &two, 2), ==, 0);
    for (unsigned pair = 0; pair < 2; pair++) {
        udp_frame(frame[pair], here, there, 4000 + pair, 53, false);
        send_frame(n, pair, &none, frame[pair], 100);
        udp_frame(frame[pair], there, here, 53, 4000 + pair, false);
    }
    for (unsigned i = 0; i < 400; i++) { /* the first pair has two buffers and gets no more */
        frame[0][50] = (uint8_t)i;
        from_far(n, frame[0], 100);
        from_far(n, frame[1], 100);
        g_assert_cmpint(drv_wait(&n->v, 2, 1), ==, 112);
        give_buffers(n, 1, 1, RX_LEN);
    }
    for (unsigned i = 0; i < 258; i++) {
        g_assert_cmpint(drv_wait(&n->v, 0, 1), ==, 112);
        g_assert_cmpuint(rx(n, 0, i < 2 ? i : 0)[12 + 50], ==, (uint8_t)i);
        if (i > 0) {
            give_buffers(n, 0, 1, RX_LEN);
        }
    }
    g_assert_cmpint(drv_collect(&n->v, 0, 1), ==, -1);
    finish(n);
}

/* --- announcements and saved state --- */

/* After a load, the device announces itself (RARP), and requests it of a guest that can. A single
 * frame can be lost, therefore a series of five follows. */
static void check_announce(bool guest)
{
    Net *n = start("netdev=n0",
                   guest ? F_BIT(VIRTIO_NET_F_CTRL_VQ) | F_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |
                               F_BIT(VIRTIO_NET_F_STATUS)
                         : 0,
                   3, false);
    g_autoptr(GByteArray) saved = save_state(n->v.d);
    unsigned sent;

    machine_set_state(n->f.m, RUN_PAUSED);
    ASSERT_OK(load_state(n->v.d, saved, &failure));
    n->end.frames = 0;
    machine_set_state(n->f.m, RUN_RUNNING);
    if (guest) {
        g_assert_cmphex(drv_config(&n->v, 6, 2), ==, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
        g_assert_cmphex(guest_read(&n->f, n->v.isr, 1) & 2, ==, 2);
        g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, 0);
        g_assert_cmphex(drv_config(&n->v, 6, 2), ==, VIRTIO_NET_S_LINK_UP);
        g_assert_cmpuint(control(n, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, 1);
    }
    g_assert_cmpuint(n->end.frames, ==, 1);
    g_assert_cmphex(n->end.last[12] << 8 | n->end.last[13], ==, 0x8035);
    g_assert_cmpmem(n->end.last + 6, 6, mac0, 6);
    WAIT_UNTIL (n->end.frames >= 3, 10) {
        clocks_dispatch(n->f.m->clocks);
    }
    machine_set_state(n->f.m, RUN_PAUSED); /* the guest may run on another host now */
    sent = n->end.frames;
    wait_elapse(400000, "the times of the other announcements");
    clocks_dispatch(n->f.m->clocks);
    g_assert_cmpuint(n->end.frames, ==, sent);
    finish(n);
}

static void test_announce(void)
{
    check_announce(true);
    check_announce(false);
}

/* Replace any byte of the record: it is rejected, or the device works. */
static void test_state_noise(void)
{
    Net *n = start_pairs(2);
    g_autoptr(GByteArray) saved = save_state(n->v.d);
    uint8_t frame[100] = { 0 };

    for (unsigned i = 0; i < 3000; i++) {
        unsigned at = g_test_rand_int_range(0, saved->len);
        uint8_t was = saved->data[at];

        saved->data[at] = g_test_rand_int();
        if (load_state(n->v.d, saved, NULL)) {
            from_far(n, frame, make_frame(frame, mac0, 60, 1));
            for (unsigned q = 0; q < 5; q++) {
                drv_kick(&n->v, q);
            }
        }
        saved->data[at] = was;
    }
    finish(n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net-control/filter", test_filter);
    g_test_add_func("/net-control/control-refused", test_control_refused);
    g_test_add_func("/net-control/steering", test_steering);
    g_test_add_func("/net-control/full-pair", test_full_pair);
    g_test_add_func("/net-control/announce", test_announce);
    g_test_add_func("/net-control/state-noise", test_state_noise);
    return g_test_run();
}

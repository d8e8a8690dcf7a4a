/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-serial function: config registers, bytes in both directions with either side slow,
 * bytes in flight during a migration, and hostile drivers.
 */
#include "serial-driver.h"

static void test_registers(void)
{
    Sd s;

    sd_init(&s, "max_ports=4", false);
    g_assert_cmphex(config_read(&s.f, DRV_DEVFN, PCI_DEVICE_ID, 2), ==,
                    0x1003); /* on a root bus: both */
    g_assert_cmphex(config_read(&s.f, DRV_DEVFN, PCI_CLASS_PROG - 1, 4) >> 8, ==, 0x078000);
    g_assert_cmpuint(msix_vectors(s.v.d), ==, 5);
    g_assert_cmphex(drv_offered(&s.v) & 7, ==, 6); /* no size, several ports, emergency write */
    g_assert_cmpuint(drv_common_read(&s.v, C_NUM_QUEUES, 2), ==, 10);
    g_assert_cmpuint(drv_config(&s.v, 4, 4), ==, 4);
    g_assert_cmpuint(drv_config(&s.v, 0, 4), ==, 0);
    sd_fini(&s);
    sd_init(&s, "max_ports=1,emergency-write=off,vectors=0", false);
    g_assert_cmphex(drv_offered(&s.v) & 7, ==, 0);
    g_assert_cmpuint(msix_vectors(s.v.d), ==, 0);
    sd_fini(&s);
    sd_init(&s, NULL, false);
    g_assert_cmpuint(drv_common_read(&s.v, C_NUM_QUEUES, 2), ==, 64);
    g_assert_cmpuint(msix_vectors(s.v.d), ==, 32);
    sd_fini(&s);
}

static void check_run(const GByteArray *bytes, guint len, uint8_t first)
{
    g_assert_cmpuint(bytes->len, ==, len);
    for (guint i = 0; i < len; i++) {
        g_assert_cmphex(bytes->data[i], ==, (uint8_t)(first + i * 7));
    }
}

static void transmit_and_receive(uint64_t features, const char *settings, bool legacy)
{
    Sd s;

    sd_init(&s, settings, legacy);
    sd_port(&s, "virtserialport", 1, "");
    sd_port(&s, "virtconsole", 0, "");
    drv_msix(&s.v, true);
    sd_start(&s, features);
    for (unsigned nr = 0; nr < 2; nr++) {
        g_autoptr(GByteArray) heard = NULL;
        int64_t len;

        drv_interrupted(&s.v, sd_rx(nr) + 2);
        sd_send(&s, nr, 1000, nr);
        g_assert_cmpint(drv_collect(&s.v, sd_rx(nr) + 1, 3), ==, 0);
        heard = sd_heard(&s, nr);
        check_run(heard, 1000, nr);
        g_assert_cmpint(send(s.peer[nr], "hello", 5, 0), ==, 5);
        sd_turn();
        g_assert_cmpint(drv_collect(&s.v, sd_rx(nr), 1), ==, -1); /* no console to write to */
        sd_offer_rx(&s, nr);
        len = drv_collect(&s.v, sd_rx(nr), 1);
        g_assert_cmpint(len, ==, 5);
        g_assert_cmpmem(drv_ram(&s.v, DRV_DATA + 0x2000 + nr * SD_RX_ROOM), 5, "hello", 5);
    }
    drv_running(&s.v);
    sd_fini(&s);
}

static void test_bytes(void)
{
    transmit_and_receive(0, "max_ports=4,vectors=11", false);
    transmit_and_receive(F_BIT(VIRTIO_RING_F_EVENT_IDX) | F_BIT(VIRTIO_RING_F_INDIRECT_DESC),
                         "max_ports=4,vectors=11", false);
    transmit_and_receive(F_BIT(VIRTIO_F_RING_PACKED), "max_ports=4,vectors=11,packed=on", false);
    transmit_and_receive(0, "max_ports=4,vectors=11", true);
}

/* While the peer does not read, chains stay with the device, the first one partly sent. When it
 * reads, each byte arrives once. */
static void test_slow_peer(void)
{
    g_autoptr(GByteArray) heard = g_byte_array_new();
    unsigned sent, used = 0;
    VirtioSerialPort *p;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    p = sd_port(&s, "virtserialport", 1, "");
    sd_start(&s, 0);
    sent = sd_fill(&s, 1, heard);
    while (drv_collect(&s.v, sd_rx(1) + 1, 3) >= 0) {
        used++;
    }
    g_assert_cmpuint(used, ==, sent - 1);
    sd_append_heard(&s, 1, heard);
    g_assert_cmpuint(heard->len, ==, sent * 0x4000);
    for (guint i = 0; i < heard->len; i++) {
        g_assert_cmphex(heard->data[i], ==, (uint8_t)(i % 0x4000 * 7));
    }
    g_assert_cmpuint(p->sent, ==, 0);
    g_assert_cmpint(drv_collect(&s.v, sd_rx(1) + 1, 3), ==, 0);
    sd_fini(&s);
}

/* The guest has few buffers: the rest waits in the socket, and nothing is read while the port is
 * closed. */
static void test_slow_guest(void)
{
    uint8_t bytes[450];
    Sd s;

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i * 3;
    }
    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 2, "");
    sd_start(&s, 0);
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_OPEN, 0);
    sd_offer_rx(&s, 2);
    g_assert_cmpint(send(s.peer[2], bytes, sizeof(bytes), 0), ==, sizeof(bytes));
    sd_turn();
    g_assert_cmpint(drv_collect(&s.v, sd_rx(2), 1), ==, -1);
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_OPEN, 1);
    sd_turn();
    for (unsigned i = 0; i < 5; i++) {
        unsigned part = MIN(SD_RX_ROOM, sizeof(bytes) - i * SD_RX_ROOM);

        g_assert_cmpint(drv_collect(&s.v, sd_rx(2), 1), ==, part);
        g_assert_cmpmem(drv_ram(&s.v, DRV_DATA + 0x2000 + i * SD_RX_ROOM), part,
                        bytes + i * SD_RX_ROOM, part);
        sd_offer_rx(&s, 2);
    }
    g_assert_cmpint(drv_collect(&s.v, sd_rx(2), 1), ==, -1);
    sd_fini(&s);
}

/* --- a machine that moves --- */

static void move_device(Device *from, Device *to)
{
    GByteArray *bytes = save_state((PCIDevice *)from);
    g_autoptr(GError) err = NULL;

    load_state((PCIDevice *)to, bytes, &err);
    g_assert_no_error(err);
    g_byte_array_unref(bytes);
}

/* Stop a, transfer its memory and devices to b (created with the same ports), and let b run. */
static void move(Sd *a, Sd *b)
{
    machine_set_state(a->f.m, RUN_FINISH_MIGRATE);
    machine_set_state(b->f.m, RUN_PAUSED);
    memcpy(drv_ram(&b->v, 0), drv_ram(&a->v, 0), RAM_SIZE);
    memcpy(b->v.ring, a->v.ring, sizeof(a->v.ring));
    b->v.features = a->v.features;
    b->n_messages = a->n_messages;
    b->n_sent = a->n_sent;
    b->n_received = a->n_received;
    move_device(&a->v.d->dev, &b->v.d->dev);
    for (unsigned nr = 0; nr < SD_PORTS; nr++) {
        if (sd_function(a)->ports[nr]) {
            move_device(&sd_function(a)->ports[nr]->dev, &sd_function(b)->ports[nr]->dev);
        }
    }
    machine_set_state(b->f.m, RUN_RUNNING);
}

/* With a full transmit queue, a partly sent chain, and bytes that wait for the guest: the bytes
 * received by the old and the new peer together are what the guest sent. The bytes that the old
 * peer had sent and the guest did not read stay in its socket. */
static void test_move(void)
{
    g_autoptr(GByteArray) first = g_byte_array_new(), rest = NULL;
    unsigned sent;
    Sd a, b;

    sd_init(&a, "max_ports=4", false);
    sd_port(&a, "virtserialport", 1, "");
    sd_start(&a, 0);
    sd_init(&b, "max_ports=4", false);
    sd_port(&b, "virtserialport", 1, "");
    sent = sd_fill(&a, 1, first);
    sd_offer_rx(&a, 1);
    move(&a, &b);
    g_assert_cmpint(send(a.peer[1], "late", 4, 0), ==, 4); /* the guest does not run here any
                                                            * more */
    sd_append_heard(&a, 1, first);
    rest = sd_heard(&b, 1);
    g_assert_cmpuint(rest->len, >, 0);
    g_assert_cmpuint(first->len + rest->len, ==, sent * 0x4000);
    g_byte_array_append(first, rest->data, rest->len);
    for (guint i = 0; i < first->len; i++) {
        g_assert_cmphex(first->data[i], ==, (uint8_t)(i % 0x4000 * 7));
    }
    g_assert_cmpint(drv_collect(&b.v, sd_rx(1), 1), ==, -1);
    g_assert_cmpint(send(b.peer[1], "new", 3, 0), ==, 3);
    sd_turn();
    g_assert_cmpint(drv_collect(&b.v, sd_rx(1), 1), ==, 3);
    sd_expect(&b, "");
    sd_fini(&a);
    sd_fini(&b);
}

/* The peer is absent on the target: the guest is notified once it runs. */
static void test_move_alone(void)
{
    Sd a, b;

    sd_init(&a, "max_ports=4", false);
    sd_port(&a, "virtserialport", 1, "");
    sd_start(&a, 0);
    sd_init(&b, "max_ports=4", false);
    sd_port(&b, "virtserialport", 1, "");
    close(b.peer[1]);
    b.peer[1] = -1;
    sd_turn();
    move(&a, &b);
    sd_expect(&b, "1 OPEN=0");
    g_assert_true(sd_function(&b)->ports[1]->guest_connected);
    g_assert_true(chardev_front_is_open(chardev_find(b.f.m, "c1")));
    sd_fini(&a);
    sd_fini(&b);
}

static void test_saved_checks(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    bytes = save_state(s.v.d);
    g_assert_true(load_state(s.v.d, bytes, &err));
    bytes->data[bytes->len - 1] = 0x10; /* removed[0]: port 4 */
    g_assert_false(load_state(s.v.d, bytes, &err));
    g_assert_nonnull(strstr(err->message, "port 4 of a device with 4"));
    sd_fini(&s);
}

/* --- the rest --- */

/* A single port has no control queue: it is open while the driver runs. */
static void test_lone_port(void)
{
    g_autoptr(GByteArray) heard = NULL;
    Sd s;

    sd_init(&s, "max_ports=1", false);
    sd_port(&s, "virtconsole", 0, "");
    drv_start(&s.v, F_BIT(1), 2);
    g_assert_true(sd_function(&s)->ports[0]->guest_connected);
    sd_offer_rx(&s, 0);
    g_assert_cmpint(send(s.peer[0], "ls\n", 3, 0), ==, 3);
    sd_turn();
    g_assert_cmpint(drv_collect(&s.v, 0, 1), ==, 3);
    sd_send(&s, 0, 30, 5);
    heard = sd_heard(&s, 0);
    check_run(heard, 30, 5);
    drv_set_status(&s.v, 0);
    g_assert_false(sd_function(&s)->ports[0]->guest_connected);
    sd_fini(&s);
}

static void test_emergency_write(void)
{
    g_autoptr(GByteArray) heard = NULL;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    guest_write(&s.f, s.v.config + 8, 4, 'x'); /* no console: discarded */
    sd_port(&s, "virtconsole", 2, "");
    guest_write(&s.f, s.v.config + 8, 4, 'p');
    guest_write(&s.f, s.v.config + 9, 1, 'q'); /* not the low byte */
    guest_write(&s.f, s.v.config + 8, 1, '!');
    heard = sd_heard(&s, 2);
    g_assert_cmpmem(heard->data, heard->len, "p!", 2);
    sd_fini(&s);
    sd_init(&s, "max_ports=4,emergency-write=off", false);
    sd_port(&s, "virtconsole", 2, "");
    guest_write(&s.f, s.v.config + 8, 4, 'p');
    g_byte_array_unref(heard);
    heard = sd_heard(&s, 2);
    g_assert_cmpuint(heard->len, ==, 0);
    sd_fini(&s);
}

/* Without a peer bytes are discarded. A removed port discards what it had not sent. */
static void test_dropped(void)
{
    g_autoptr(GByteArray) heard = g_byte_array_new();
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 1, "");
    sd_start(&s, 0);
    sd_fill(&s, 1, heard);
    close(s.peer[1]);
    s.peer[1] = -1;
    sd_turn();
    g_assert_cmpuint(sd_function(&s)->ports[1]->sent, ==, 0);
    sd_expect(&s, "1 OPEN=0");
    while (drv_collect(&s.v, sd_rx(1) + 1, 3) >= 0) {
    }
    sd_send(&s, 1, 100, 0);
    g_assert_cmpint(drv_collect(&s.v, sd_rx(1) + 1, 3), ==, 0);
    sd_port(&s, "virtserialport", 2, "");
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_READY, 1);
    sd_fill(&s, 2, heard);
    device_unplug(&sd_function(&s)->ports[2]->dev);
    while (drv_collect(&s.v, sd_rx(2) + 1, 3) >= 0) {
    }
    g_assert_cmpuint(s.v.ring[sd_rx(2) + 1].used, ==, s.v.ring[sd_rx(2) + 1].avail);
    drv_running(&s.v);
    sd_fini(&s);
}

/* Buffers with the wrong direction; notifications of queues whose port is absent or that do not
 * exist. */
static void test_hostile(void)
{
    DrvSeg out = { RAM + DRV_DATA + 0x2000, 16, false };
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 1, "");
    sd_start(&s, 0);
    for (unsigned q = 0; q < 70; q++) {
        drv_kick(&s.v, q);
    }
    drv_running(&s.v);
    drv_offer(&s.v, sd_rx(1), &out, 1);
    g_assert_cmpint(send(s.peer[1], "x", 1, 0), ==, 1);
    drv_kick(&s.v, sd_rx(1));
    sd_turn();
    g_assert_cmphex(drv_status(&s.v) & VIRTIO_CONFIG_S_NEEDS_RESET, ==,
                    VIRTIO_CONFIG_S_NEEDS_RESET);
    sd_start(&s, 0); /* a reset recovers it */
    sd_offer_rx(&s, 1);
    g_assert_cmpint(drv_collect(&s.v, sd_rx(1), 1), ==, 1);
    sd_fini(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-serial/registers", test_registers);
    g_test_add_func("/virtio-serial/bytes", test_bytes);
    g_test_add_func("/virtio-serial/slow-peer", test_slow_peer);
    g_test_add_func("/virtio-serial/slow-guest", test_slow_guest);
    g_test_add_func("/virtio-serial/move", test_move);
    g_test_add_func("/virtio-serial/move-alone", test_move_alone);
    g_test_add_func("/virtio-serial/saved-checks", test_saved_checks);
    g_test_add_func("/virtio-serial/lone-port", test_lone_port);
    g_test_add_func("/virtio-serial/emergency-write", test_emergency_write);
    g_test_add_func("/virtio-serial/dropped", test_dropped);
    g_test_add_func("/virtio-serial/hostile", test_hostile);
    return g_test_run();
}

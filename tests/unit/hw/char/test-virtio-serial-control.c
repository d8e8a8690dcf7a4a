/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages: the handshake, ports that are added and removed, a driver that is slow to
 * provide buffers, and hostile messages.
 */
#include "serial-driver.h"

static void start_silent(Sd *s, unsigned buffers)
{
    drv_start(&s->v, F_BIT(1), 2 * (SD_PORTS + 1));
    sd_offer_messages(s, buffers);
}

static void test_handshake(void)
{
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 2, ",name=org.example.0");
    sd_port(&s, "virtconsole", 0, "");
    drv_msix(&s.v, true);
    start_silent(&s, 16);
    sd_expect(&s, ""); /* nothing before the driver is ready */
    drv_interrupted(&s.v, CONTROL_RX + 1);
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    g_assert_true(drv_interrupted(&s.v, CONTROL_RX + 1));
    sd_expect(&s, "0 ADD=1, 2 ADD=1");
    sd_say(&s, 0, VIRTIO_CONSOLE_PORT_READY, 1);
    sd_expect(&s, "0 CONSOLE=1, 0 OPEN=1");
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_READY, 1);
    sd_expect(&s, "2 NAME=1 'org.example.0', 2 OPEN=1");
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_OPEN, 1);
    g_assert_true(sd_function(&s)->ports[2]->guest_connected);
    sd_say(&s, 2, VIRTIO_CONSOLE_PORT_OPEN, 0);
    g_assert_false(sd_function(&s)->ports[2]->guest_connected);
    close(s.peer[2]);
    s.peer[2] = -1;
    sd_turn();
    sd_expect(&s, "2 OPEN=0");
    sd_fini(&s);
}

static void test_failures(void)
{
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 1, "");
    start_silent(&s, 16);
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 0);
    sd_expect(&s, "");
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    sd_expect(&s, "1 ADD=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_READY, 0);
    sd_expect(&s, "");
    g_assert_false(sd_function(&s)->ports[1]->ready);
    sd_fini(&s);
}

static void test_plug(void)
{
    VirtioSerialPort *p;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_start(&s, 0);
    p = sd_port(&s, "virtserialport", 1, ",name=hot");
    sd_expect(&s, "1 ADD=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    sd_expect(&s, "1 NAME=1 'hot', 1 OPEN=1");
    device_unplug(&p->dev);
    sd_expect(&s, "1 REMOVE=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_OPEN, 0); /* Linux closes a port that was removed */
    drv_running(&s.v);
    sd_fini(&s);
}

/* Pending messages are stored as state, not as a list: later changes replace earlier ones. */
static void test_no_buffers(void)
{
    VirtioSerialPort *p;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 1, ",name=one");
    sd_port(&s, "virtserialport", 3, "");
    start_silent(&s, 0);
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    device_unplug(&sd_function(&s)->ports[3]->dev); /* never announced: no message about it */
    p = sd_function(&s)->ports[1];
    sd_offer_messages(&s, 1);
    sd_expect(&s, "1 ADD=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    close(s.peer[1]);
    sd_turn();
    sd_offer_messages(&s, 1);
    sd_expect(&s, "1 NAME=1 'one'");
    sd_offer_messages(&s, 1);
    sd_expect(&s, "1 OPEN=0"); /* it opened and closed: the last state counts */
    device_unplug(&p->dev);
    chardev_free(chardev_find(s.f.m, "c1"));
    sd_port(&s, "virtserialport", 1, ",name=two");
    sd_offer_messages(&s, 4);
    sd_expect(&s, "1 REMOVE=1, 1 ADD=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    sd_expect(&s, "1 NAME=1 'two', 1 OPEN=1");
    sd_fini(&s);
}

/* Messages that are due and were not sent are part of the saved state. */
static void test_saved(void)
{
    g_autoptr(GByteArray) function = NULL, port = NULL;
    g_autoptr(GError) err = NULL;
    VirtioSerialPort *p;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    p = sd_port(&s, "virtserialport", 1, ",name=one");
    sd_port(&s, "virtserialport", 2, "");
    start_silent(&s, 2);
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    sd_expect(&s, "1 ADD=1, 2 ADD=1");
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_READY, 1);
    device_unplug(&sd_function(&s)->ports[2]->dev);
    function = save_state(s.v.d);
    port = save_state((PCIDevice *)&p->dev);
    sd_function(&s)->removed[0] = 0;
    p->pending = 0;
    p->ready = false;
    g_assert_true(load_state(s.v.d, function, &err));
    g_assert_true(load_state((PCIDevice *)&p->dev, port, &err));
    sd_offer_messages(&s, 8);
    sd_expect(&s, "2 REMOVE=1, 1 NAME=1 'one', 1 OPEN=1");
    port->data[3] = 0xff; /* pending: bits that are not events */
    g_assert_false(load_state((PCIDevice *)&p->dev, port, &err));
    g_assert_nonnull(strstr(err->message, "pending"));
    sd_fini(&s);
}

static void test_hostile(void)
{
    DrvSeg small[] = { { RAM + DRV_DATA + 0x1000, 7, false } };
    DrvSeg tiny = { RAM + DRV_DATA, 5, true };
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtserialport", 1, "");
    start_silent(&s, 0);
    sd_say(&s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    for (unsigned event = 0; event < 20; event++) {
        sd_say(&s, 1, event, event);
        sd_say(&s, 3, event, 1);
        sd_say(&s, 4, event, 1);
        sd_say(&s, UINT32_MAX, event, 1);
    }
    drv_offer(&s.v, CONTROL_TX, small, 1);
    drv_kick(&s.v, CONTROL_TX);
    g_assert_cmpint(drv_collect(&s.v, CONTROL_TX, 1), ==, 0);
    drv_running(&s.v);
    drv_offer(&s.v, CONTROL_RX, &tiny, 1);
    drv_kick(&s.v, CONTROL_RX);
    g_assert_cmphex(drv_status(&s.v) & VIRTIO_CONFIG_S_NEEDS_RESET, ==,
                    VIRTIO_CONFIG_S_NEEDS_RESET);
    drv_set_status(&s.v, 0);
    g_assert_false(sd_function(&s)->ready);
    g_assert_cmpuint(sd_function(&s)->ports[1]->pending, ==, 0);
    sd_fini(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-serial-control/handshake", test_handshake);
    g_test_add_func("/virtio-serial-control/failures", test_failures);
    g_test_add_func("/virtio-serial-control/plug", test_plug);
    g_test_add_func("/virtio-serial-control/no-buffers", test_no_buffers);
    g_test_add_func("/virtio-serial-control/saved", test_saved);
    g_test_add_func("/virtio-serial-control/hostile", test_hostile);
    return g_test_run();
}

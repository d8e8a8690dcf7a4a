/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtconsole and virtserialport: their port numbers and rejected settings, events for clients, and
 * their different handling of a slow peer.
 */
#include "serial-driver.h"

static GString *events;

/* Append "NAME key=value key=value" and a newline. The events of this test have no object. */
static void note_event(void *opaque, const Event *event)
{
    g_string_append(events, event->name);
    for (size_t i = 0; i < event->data.n_fields; i++) {
        const EventField *f = &event->data.fields[i];

        g_assert_true(f->type == EVENT_STR || f->type == EVENT_BOOL);
        g_string_append_printf(events, " %s=%s", f->name,
                               f->type == EVENT_STR ? f->str
                               : f->on              ? "true"
                                                    : "false");
    }
    g_string_append_c(events, '\n');
}

static void test_places(void)
{
    g_autoptr(GError) err = NULL;
    Device *dev;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    dev = sd_plug_device(&s, "virtserialport,bus=dut.0,id=a", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(((VirtioSerialPort *)dev)->nr, ==, 1); /* 0 belongs to a console */
    dev = sd_plug_device(&s, "virtconsole,bus=dut.0", &err);
    g_assert_cmpuint(((VirtioSerialPort *)dev)->nr, ==, 0);
    dev = sd_plug_device(&s, "virtconsole,bus=dut.0,name=x", &err);
    g_assert_cmpuint(((VirtioSerialPort *)dev)->nr, ==, 2);
    g_assert_cmpstr(dev->plan_id, ==, "0000:00:03.0/2");
    sd_refused(&s, "virtserialport,bus=dut.0,id=b,nr=2", "port 2 of 'dut.0' is already used");
    sd_refused(&s, "virtserialport,bus=dut.0,nr=4", "port 4 of 'dut.0' does not exist");
    sd_refused(&s, "virtserialport,bus=dut.0,nr=0", "use a number from 1 to 30");
    sd_refused(&s, "virtserialport,bus=dut.0,name=x", "name 'x' is already used by port");
    sd_refused(&s, "virtserialport,bus=pcie.0,id=b", "b: bus 'pcie.0' is not a virtio-serial bus");
    sd_refused(&s, "virtserialport,bus=dut.0,id=b,chardev=none",
               "b: there is no chardev 'none' (chardev= is the id of a -chardev)");
    sd_chardev(&s, "null,id=shared");
    g_assert_nonnull(sd_plug_device(&s, "virtserialport,bus=dut.0,chardev=shared,id=c", &err));
    sd_refused(&s, "virtserialport,bus=dut.0", "does not exist");
    device_unplug(device_find_id(s.f.m, "a"));
    sd_refused(&s, "virtserialport,bus=dut.0,id=b,chardev=shared",
               "b: character device 'shared' is already in use");
    g_assert_nonnull(sd_plug_device(&s, "virtserialport,bus=dut.0,id=b", &err)); /* all undone */
    sd_fini(&s);
}

/* frontend-open follows the guest for a port; a console is always open. */
static void test_open(void)
{
    Chardev *c0, *c1;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    s.f.m->hooks.event = note_event;
    events = g_string_new(NULL);
    sd_port(&s, "virtconsole", 0, "");
    sd_port(&s, "virtserialport", 1, "");
    c0 = chardev_find(s.f.m, "c0");
    c1 = chardev_find(s.f.m, "c1");
    g_assert_true(chardev_front_is_open(c0));
    g_assert_false(chardev_front_is_open(c1));
    sd_start(&s, 0);
    g_assert_true(chardev_front_is_open(c0));
    g_assert_true(chardev_front_is_open(c1));
    g_assert_cmpstr(events->str, ==,
                    "VSERPORT_CHANGE id=p0 open=true\n"
                    "VSERPORT_CHANGE id=p1 open=true\n");
    g_string_truncate(events, 0);
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_OPEN, 1); /* no event */
    sd_say(&s, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
    g_assert_false(chardev_front_is_open(c1));
    g_assert_cmpstr(events->str, ==, "VSERPORT_CHANGE id=p1 open=false\n");
    g_string_truncate(events, 0);
    machine_reset(s.f.m, RESET_HOT);
    g_assert_true(chardev_front_is_open(c0));
    g_assert_cmpstr(events->str, ==, "VSERPORT_CHANGE id=p0 open=false\n");
    g_string_truncate(events, 0);
    device_unplug(device_find_id(s.f.m, "p1"));
    g_assert_cmpstr(events->str, ==, "DEVICE_DELETED device=p1 path=/machine/peripheral/p1\n");
    s.f.m->hooks.event = NULL;
    g_string_free(events, TRUE);
    sd_fini(&s);
}

/* A guest's kernel prints with locks held: a console never delays it, even if no peer reads. */
static void test_patience(void)
{
    g_autoptr(GByteArray) heard = NULL;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_port(&s, "virtconsole", 0, "");
    sd_start(&s, 0);
    for (unsigned i = 0; i < 40; i++) {
        sd_send(&s, 0, 0x4000, 0);
        g_assert_cmpint(drv_collect(&s.v, 1, 3), ==, 0);
    }
    heard = sd_heard(&s, 0);
    g_assert_cmpuint(heard->len, ==, 40 * 0x4000); /* the back end stores them */
    sd_fini(&s);
}

/* A console on a server without a client counts as connected; a port does not. */
static void test_no_peer(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("bp-XXXXXX", NULL);
    g_autofree char *one = g_strdup_printf("socket,id=s1,path=%s/1,server=on,wait=off", dir);
    g_autofree char *two = g_strdup_printf("socket,id=s2,path=%s/2,server=on,wait=off", dir);
    VirtioSerialPort *console, *port;
    Sd s;

    sd_init(&s, "max_ports=4", false);
    sd_chardev(&s, one);
    sd_chardev(&s, two);
    console = (VirtioSerialPort *)sd_plug_device(&s, "virtconsole,bus=dut.0,chardev=s1", &err);
    port = (VirtioSerialPort *)sd_plug_device(&s, "virtserialport,bus=dut.0,chardev=s2", &err);
    g_assert_true(console->host_connected);
    g_assert_false(port->host_connected);
    sd_fini(&s);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-console/places", test_places);
    g_test_add_func("/virtio-console/open", test_open);
    g_test_add_func("/virtio-console/patience", test_patience);
    g_test_add_func("/virtio-console/no-peer", test_no_peer);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest driver of a virtio-serial function and the peers of its ports, for tests. Ports are
 * plugged onto the function's bus with a socket each. Control messages are sent and collected as
 * text.
 */
#ifndef TESTS_SERIAL_DRIVER_H
#define TESTS_SERIAL_DRIVER_H

#include <sys/socket.h>
#include <unistd.h>

#include "../virtio/virtio-driver.h"
#include "hw/char/internal.h"

enum { SD_PORTS = 4, SD_MESSAGE_ROOM = 64, SD_RX_ROOM = 100 };

typedef struct Sd {
    Fixture f;
    Drv v;
    unsigned n_messages;         /* control buffers made available so far */
    unsigned n_received, n_sent; /* of all ports */
    int peer[SD_PORTS];          /* the other end of port n's socket; -1: none */
} Sd;

static inline Device *sd_plug_device(Sd *s, const char *text, GError **err)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev;

    g_assert_nonnull(plan);
    dev = device_new(s->f.m, device_type_find(plan->type), plan, err);
    return dev && device_realize(dev, plan, NULL, err) ? dev : NULL;
}

static inline Chardev *sd_chardev(Sd *s, const char *options)
{
    g_autoptr(GError) err = NULL;
    Chardev *c = chardev_new(s->f.m, NULL, options, &err);

    g_assert_no_error(err);
    return c;
}

/* Create a socket chardev "cN" whose other end is s->peer[n]. */
static inline void sd_peer(Sd *s, unsigned n)
{
    g_autofree char *options = NULL;
    int pair[2], small = 4096; /* so that a write is split */

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), ==, 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    options = g_strdup_printf("socket,id=c%u,fd=%d", n, pair[0]);
    sd_chardev(s, options);
    s->peer[n] = pair[1];
}

/* Plug port n ("pN") of the given type with a socket. */
static inline VirtioSerialPort *sd_port(Sd *s, const char *type, unsigned n, const char *more)
{
    g_autofree char *text =
        g_strdup_printf("%s,id=p%u,bus=dut.0,nr=%u,chardev=c%u%s", type, n, n, n, more);
    g_autoptr(GError) err = NULL;
    Device *dev;

    sd_peer(s, n);
    dev = sd_plug_device(s, text, &err);
    g_assert_no_error(err);
    return (VirtioSerialPort *)dev;
}

static inline void sd_refused(Sd *s, const char *text, const char *words)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(sd_plug_device(s, text, &err));
    if (!strstr(err->message, words)) {
        g_error("'%s' does not contain '%s'", err->message, words);
    }
}

/* The machine with the function "dut" and no ports. */
static inline void sd_init(Sd *s, const char *settings, bool legacy)
{
    drv_machine(&s->f, NULL, NULL);
    for (unsigned i = 0; i < SD_PORTS; i++) {
        s->peer[i] = -1;
    }
    s->n_messages = s->n_received = s->n_sent = 0;
    drv_plug(&s->v, &s->f, legacy ? "virtio-serial-pci-transitional" : "virtio-serial-pci",
             settings, legacy);
}

static inline void sd_fini(Sd *s)
{
    fixture_empty(s->f.m, "peripheral");
    chardev_free_all(s->f.m);
    drv_finish(&s->f);
    for (unsigned i = 0; i < SD_PORTS; i++) {
        if (s->peer[i] >= 0) {
            close(s->peer[i]);
        }
    }
}

static inline void sd_turn(void)
{
    for (int i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

static inline VirtioSerial *sd_function(Sd *s)
{
    return (VirtioSerial *)s->v.d;
}

/* --- control messages --- */

static inline uint64_t sd_message_at(unsigned n)
{
    return DRV_DATA + (n % 64) * SD_MESSAGE_ROOM;
}

static inline void sd_offer_messages(Sd *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        DrvSeg seg = { RAM + sd_message_at(s->n_messages++), SD_MESSAGE_ROOM, true };

        drv_offer(&s->v, CONTROL_RX, &seg, 1);
    }
    drv_kick(&s->v, CONTROL_RX);
}

/* Return the messages since the last call: "1 ADD=1, 1 NAME=1 'x'"; g_free. Buffers are used in
 * order. */
static inline char *sd_messages(Sd *s)
{
    static const char *const names[] = { "READY0",  "ADD",    "REMOVE", "READY",
                                         "CONSOLE", "RESIZE", "OPEN",   "NAME" };
    GString *out = g_string_new(NULL);
    unsigned next = s->v.ring[CONTROL_RX].used;
    int64_t len;

    while ((len = drv_collect(&s->v, CONTROL_RX, 1)) >= 0) {
        const uint8_t *m = drv_ram(&s->v, sd_message_at(next++));

        g_assert_cmpint(len, >=, 8);
        g_assert_cmpuint(m[4], <, G_N_ELEMENTS(names));
        g_string_append_printf(out, "%s%u %s=%u", out->len ? ", " : "", m[0], names[m[4]], m[6]);
        if (len > 8) {
            g_string_append_printf(out, " '%.*s'", (int)len - 8, m + 8);
        }
    }
    return g_string_free(out, FALSE);
}

#define sd_expect(s, text)                                                                         \
    do {                                                                                           \
        g_autofree char *sd_got = sd_messages(s);                                                  \
        g_assert_cmpstr(sd_got, ==, text);                                                         \
    } while (0)

static inline void sd_say(Sd *s, uint32_t nr, uint16_t event, uint16_t value)
{
    uint8_t *m = drv_ram(&s->v, DRV_DATA + 0x1000);
    DrvSeg seg = { RAM + DRV_DATA + 0x1000, 8, false };

    memcpy(m, &nr, 4);
    memcpy(m + 4, &event, 2);
    memcpy(m + 6, &value, 2);
    drv_offer(&s->v, CONTROL_TX, &seg, 1);
    drv_kick(&s->v, CONTROL_TX);
    g_assert_cmpint(drv_collect(&s->v, CONTROL_TX, 1), ==, 0);
}

/* --- bytes --- */

static inline unsigned sd_rx(unsigned nr)
{
    return nr == 0 ? 0 : 2 * nr + 2;
}

/* Make a receive buffer of SD_RX_ROOM bytes available for port nr. */
static inline void sd_offer_rx(Sd *s, unsigned nr)
{
    DrvSeg seg = { RAM + DRV_DATA + 0x2000 + (s->n_received++ % 16) * SD_RX_ROOM, SD_RX_ROOM,
                   true };

    drv_offer(&s->v, sd_rx(nr), &seg, 1);
    drv_kick(&s->v, sd_rx(nr));
    sd_turn();
}

/* Send consecutive bytes that start with `first`, in a chain of three segments. */
static inline void sd_send(Sd *s, unsigned nr, uint32_t len, uint8_t first)
{
    uint64_t at = DRV_DATA + 0x4000 + (s->n_sent++ % 4) * 0x4000;
    uint32_t part = len / 3;
    DrvSeg seg[] = { { RAM + at, part, false },
                     { RAM + at + part, 1, false },
                     { RAM + at + part + 1, len - part - 1, false } };

    g_assert_cmpuint(len, <=, 0x4000);
    for (uint32_t i = 0; i < len; i++) {
        *drv_ram(&s->v, at + i) = first + i * 7;
    }
    drv_offer(&s->v, sd_rx(nr) + 1, seg, 3);
    drv_kick(&s->v, sd_rx(nr) + 1);
}

/* Return what the peer of port nr can read now. */
static inline GByteArray *sd_heard(Sd *s, unsigned nr)
{
    GByteArray *all = g_byte_array_new();
    uint8_t buf[4096];
    ssize_t n;

    for (int idle = 0; idle<3; idle = n> 0 ? 0 : idle + 1) {
        n = recv(s->peer[nr], buf, sizeof(buf), MSG_DONTWAIT);
        if (n > 0) {
            g_byte_array_append(all, buf, (guint)n);
        }
        sd_turn();
    }
    return all;
}

/* Send chains of 0x4000 bytes until the peer of port nr accepts no more and the first remaining
 * chain is partly sent. The peer may have to read a little, into `heard`. Returns the number of
 * chains. */
static inline unsigned sd_fill(Sd *s, unsigned nr, GByteArray *heard)
{
    VirtioSerialPort *p = sd_function(s)->ports[nr];
    VirtQueue *vq = virtio_queue(&sd_function(s)->base.virtio, sd_rx(nr) + 1);
    uint8_t buf[1000];
    unsigned sent = 0;

    while (virtq_empty(vq)) {
        g_assert_cmpuint(sent, <, 40); /* a chain uses three of 128 descriptors */
        sd_send(s, nr, 0x4000, 0);
        sent++;
    }
    while (p->sent == 0) {
        ssize_t n = recv(s->peer[nr], buf, sizeof(buf), MSG_DONTWAIT);

        g_assert_cmpint(n, >, 0);
        g_byte_array_append(heard, buf, (guint)n);
        sd_turn();
    }
    return sent;
}

static inline void sd_append_heard(Sd *s, unsigned nr, GByteArray *heard)
{
    GByteArray *more = sd_heard(s, nr);

    g_byte_array_append(heard, more->data, more->len);
    g_byte_array_unref(more);
}

/* The driver is initialised and has opened the existing ports. */
static inline void sd_start(Sd *s, uint64_t features)
{
    g_autofree char *news = NULL;

    drv_start(&s->v, F_BIT(1) | F_BIT(2) | features, 2 * (SD_PORTS + 1));
    sd_offer_messages(s, 32);
    sd_say(s, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
    for (unsigned nr = 0; nr < SD_PORTS; nr++) {
        if (sd_function(s)->ports[nr]) {
            sd_say(s, nr, VIRTIO_CONSOLE_PORT_READY, 1);
            sd_say(s, nr, VIRTIO_CONSOLE_PORT_OPEN, 1);
        }
    }
    news = sd_messages(s);
}

#endif

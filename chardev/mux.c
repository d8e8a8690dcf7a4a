/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mux: several front ends (a serial console and a monitor) share one back end. Input is passed to
 * the front end in focus. Ctrl-A is the escape key. The front end that was attached last has the
 * focus at first.
 */
#include "internal.h"

#include <string.h>

#define MUX_FRONTS 8
#define MUX_QUEUE  256
#define MUX_ESCAPE 0x01 /* Ctrl-A */

typedef struct MuxFront {
    ChardevFront f;
    uint8_t queue[MUX_QUEUE]; /* input that it has not accepted yet */
    size_t queued;
    bool opened; /* CHARDEV_OPENED was emitted */
} MuxFront;

typedef struct Mux {
    Chardev c;
    Chardev *base;
    MuxFront fronts[MUX_FRONTS];
    unsigned n, focus;
    bool escaped;
    guint hello; /* source that calls mux_notify_focus(), or 0 */
} Mux;

static size_t mux_room_of(const MuxFront *f)
{
    if (!f->f.read) {
        return 0;
    }
    return f->f.can_read ? f->f.can_read(f->f.opaque) : SIZE_MAX;
}

static void mux_deliver_input(MuxFront *f)
{
    while (f->queued > 0) {
        size_t n = MIN(f->queued, mux_room_of(f));

        if (n == 0) {
            return;
        }
        uint8_t now[MUX_QUEUE];

        /* the callee may call this function again: remove the bytes first */
        memcpy(now, f->queue, n);
        f->queued -= n;
        memmove(f->queue, f->queue + n, f->queued);
        f->f.read(f->f.opaque, now, n);
    }
}

static void mux_print(Mux *x, const char *text)
{
    chardev_write(x->base, text, strlen(text));
}

static void mux_print_help(Mux *x)
{
    mux_print(x, "\r\nCtrl-A h  this help\r\n"
                 "Ctrl-A x  quit\r\n"
                 "Ctrl-A c  switch between console and monitor\r\n"
                 "Ctrl-A b  send a break\r\n"
                 "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
}

/* Notify the front end in focus; a monitor then prints its banner or prompt. */
static void mux_notify_focus(Mux *x)
{
    MuxFront *f = &x->fronts[x->focus];
    ChardevEvent event = f->opened ? CHARDEV_FOCUSED : CHARDEV_OPENED;

    if (x->c.open) {
        f->opened = true;
        if (f->f.event) {
            f->f.event(f->f.opaque, event);
        }
    }
}

static void mux_greet_focus(Mux *x)
{
    if (x->n > 0 && !x->fronts[x->focus].opened) {
        mux_notify_focus(x);
    }
}

static gboolean mux_print_banner(gpointer opaque)
{
    Mux *x = opaque;

    x->hello = 0;
    mux_greet_focus(x);
    return G_SOURCE_REMOVE;
}

static void mux_next_focus(Mux *x)
{
    if (x->n > 1) {
        mux_deliver_input(&x->fronts[x->focus]);
        x->focus = (x->focus + 1) % x->n;
        mux_print(x, "\r\n");
        mux_notify_focus(x);
        mux_deliver_input(&x->fronts[x->focus]);
    }
}

static void mux_push_byte(Mux *x, uint8_t byte)
{
    MuxFront *f = &x->fronts[x->focus];

    if (x->n > 0 && f->queued < MUX_QUEUE) {
        f->queue[f->queued++] = byte;
    }
}

static void mux_run_command(Mux *x, uint8_t byte)
{
    switch (byte) {
    case 'x':
        mux_print(x, "\r\nterminated by Ctrl-A x\r\n");
        machine_request(x->c.machine, SHUTDOWN_HOST_UI, 0);
        break;
    case 'c':
        mux_next_focus(x);
        break;
    case 'b':
        if (x->n > 0 && x->fronts[x->focus].f.event) {
            x->fronts[x->focus].f.event(x->fronts[x->focus].f.opaque, CHARDEV_BREAK);
        }
        break;
    case MUX_ESCAPE:
        mux_push_byte(x, byte);
        break;
    default:
        mux_print_help(x);
    }
}

static size_t mux_base_can_read(void *opaque)
{
    Mux *x = opaque;

    return x->n ? MUX_QUEUE - x->fronts[x->focus].queued : 0;
}

static void mux_base_read(void *opaque, const uint8_t *buf, size_t len)
{
    Mux *x = opaque;

    for (size_t i = 0; i < len; i++) {
        if (x->escaped) {
            x->escaped = false;
            mux_run_command(x, buf[i]);
        } else if (buf[i] == MUX_ESCAPE) {
            x->escaped = true;
        } else {
            mux_push_byte(x, buf[i]);
        }
    }
    if (x->n > 0) {
        mux_deliver_input(&x->fronts[x->focus]);
    }
}

static void mux_base_event(void *opaque, ChardevEvent event)
{
    Mux *x = opaque;

    x->c.open = chardev_is_open(x->base);
    if (event == CHARDEV_OPENED) {
        mux_greet_focus(x);
        return;
    }
    for (unsigned i = 0; i < x->n; i++) {
        x->fronts[i].opened = x->fronts[i].opened && event != CHARDEV_CLOSED;
        if (x->fronts[i].f.event) {
            x->fronts[i].f.event(x->fronts[i].f.opaque, event);
        }
    }
}

static void mux_base_writable(void *opaque)
{
    Mux *x = opaque;

    for (unsigned i = 0; i < x->n; i++) {
        if (x->fronts[i].f.writable) {
            x->fronts[i].f.writable(x->fronts[i].f.opaque);
        }
    }
}

static size_t mux_write(Chardev *c, const uint8_t *buf, size_t len)
{
    return chardev_write(((Mux *)c)->base, buf, len);
}

static size_t mux_write_now(Chardev *c, const uint8_t *buf, size_t len)
{
    return chardev_write_now(((Mux *)c)->base, buf, len);
}

static void mux_log(Chardev *c, const uint8_t *buf, size_t len)
{
    chardev_log(((Mux *)c)->base, buf, len);
}

static void mux_flush(Chardev *c, int timeout_ms)
{
    chardev_flush(((Mux *)c)->base, timeout_ms);
}

static bool mux_attach(Chardev *c, const ChardevFront *front, GError **err)
{
    Mux *x = (Mux *)c;

    if (x->n == MUX_FRONTS) {
        return error_set(err, ERROR_USER,
                         "character device '%s' already has %u front ends, which is the maximum",
                         c->id, x->n);
    }
    x->focus = x->n++;
    x->fronts[x->focus] = (MuxFront){ .f = *front };
    c->front_open = true;
    if (x->hello == 0) {
        x->hello = g_idle_add(mux_print_banner, x);
    }
    chardev_accept_input(x->base);
    return true;
}

static void mux_detach(Chardev *c, const ChardevFront *front)
{
    Mux *x = (Mux *)c;

    for (unsigned i = 0; i < x->n; i++) {
        if (x->fronts[i].f.opaque == front->opaque && x->fronts[i].f.read == front->read) {
            memmove(&x->fronts[i], &x->fronts[i + 1], (x->n - i - 1) * sizeof(x->fronts[0]));
            x->n--;
            c->front_open = x->n > 0;
            x->focus = x->focus > i || x->focus >= x->n ? (x->focus ? x->focus - 1 : 0) : x->focus;
            return;
        }
    }
}

static void mux_accept_input(Chardev *c)
{
    Mux *x = (Mux *)c;

    if (x->n > 0) {
        mux_deliver_input(&x->fronts[x->focus]);
    }
    chardev_accept_input(x->base);
}

static void mux_close(Chardev *c)
{
    Mux *x = (Mux *)c;

    x->n = 0;
    g_clear_handle_id(&x->hello, g_source_remove);
    if (x->base) {
        chardev_free(x->base);
    }
}

const ChardevKind chardev_mux = {
    .name = "mux",
    .doc = "several front ends on one back end",
    .size = sizeof(Mux),
    .close = mux_close,
    .write = mux_write,
    .write_now = mux_write_now,
    .log = mux_log,
    .flush = mux_flush,
    .attach = mux_attach,
    .detach = mux_detach,
    .accept_input = mux_accept_input,
};

Chardev *chardev_mux_new(Machine *m, const char *id, Chardev *base, GError **err)
{
    Mux *x = (Mux *)chardev_alloc(m, &chardev_mux, id);
    ChardevFront front = { mux_base_can_read, mux_base_read, mux_base_event, mux_base_writable, x };

    x->base = base;
    x->c.about = g_strdup_printf("mux:%s", chardev_describe(base));
    if (!chardev_attach(base, &front, err)) {
        chardev_free(&x->c);
        return NULL;
    }
    x->c.open = chardev_is_open(base);
    return &x->c;
}

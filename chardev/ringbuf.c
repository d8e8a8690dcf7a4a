/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringbuf: keeps the last bytes written. QMP ringbuf-read reads them, and ringbuf-write passes
 * input to the front end.
 */
#include "internal.h"

#include "chardev/ringbuf.h"

#include <string.h>

#define RING_MAX (64u << 20)

typedef struct Ring {
    Chardev c;
    uint8_t *data;
    size_t size;         /* a power of two */
    uint64_t put, taken; /* bytes ever written and read */
} Ring;

static bool ringbuf_open(Chardev *c, struct json_object *o, GError **err)
{
    Ring *r = (Ring *)c;
    const char *text = chardev_opt(o, "size");
    guint64 size = 64 * 1024;

    if ((text && !g_ascii_string_to_unsigned(text, 10, 1, RING_MAX, &size, NULL)) ||
        (size & (size - 1))) {
        return error_set(err, ERROR_USER,
                         "character device '%s': size=%s: use a power of two up to %u", c->id, text,
                         RING_MAX);
    }
    r->size = size;
    r->data = g_try_malloc0(size);
    if (!r->data) {
        return error_set(err, ERROR_USER, "character device '%s': no memory for size=%s", c->id,
                         text);
    }
    c->open = true;
    return true;
}

static void ringbuf_close(Chardev *c)
{
    g_free(((Ring *)c)->data);
}

static size_t ringbuf_write(Chardev *c, const uint8_t *buf, size_t len)
{
    Ring *r = (Ring *)c;
    size_t drop = len - MIN(len, r->size);

    g_mutex_lock(&c->out_lock);
    r->put += drop; /* the other bytes would overwrite these */
    for (size_t done = drop; done < len;) {
        size_t at = r->put & (r->size - 1), part = MIN(len - done, r->size - at);

        memcpy(r->data + at, buf + done, part);
        r->put += part;
        done += part;
    }
    if (r->put - r->taken > r->size) {
        r->taken = r->put - r->size;
    }
    g_mutex_unlock(&c->out_lock);
    return len;
}

static const char *const ring_keys[] = { "size", NULL };
const ChardevKind chardev_ringbuf = {
    .name = "ringbuf",
    .doc = "keeps the last size= bytes for ringbuf-read",
    .keys = ring_keys,
    .size = sizeof(Ring),
    .open = ringbuf_open,
    .close = ringbuf_close,
    .write = ringbuf_write,
};

GByteArray *chardev_ringbuf_read(Chardev *c, size_t max)
{
    Ring *r = (Ring *)c;
    GByteArray *out;

    if (c->kind != &chardev_ringbuf) {
        return NULL;
    }
    out = g_byte_array_new();
    g_mutex_lock(&c->out_lock);
    while (r->taken < r->put && out->len < max) {
        size_t at = r->taken & (r->size - 1), part = MIN(r->put - r->taken, max - out->len);

        part = MIN(part, r->size - at);
        g_byte_array_append(out, &r->data[at], (guint)part);
        r->taken += part;
    }
    g_mutex_unlock(&c->out_lock);
    return out;
}

size_t chardev_ringbuf_feed(Chardev *c, const uint8_t *buf, size_t len)
{
    size_t n = c->kind == &chardev_ringbuf ? MIN(len, chardev_front_room(c)) : 0;

    if (n > 0) {
        c->front.read(c->front.opaque, buf, n);
    }
    return n;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring buffer back end as its clients (QMP, tests) use it.
 */
#ifndef CHARDEV_RINGBUF_H
#define CHARDEV_RINGBUF_H

#include "chardev/chardev.h"

/* Up to max bytes, oldest first, removed from the ring; NULL if c is no ring buffer. The caller
 * unrefs. Any thread. */
GByteArray *chardev_ringbuf_read(Chardev *c, size_t max);
/* Hand bytes to the front end as input; returns how many it took. Lock. */
size_t chardev_ringbuf_feed(Chardev *c, const uint8_t *buf, size_t len);

#endif

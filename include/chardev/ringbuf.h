/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring buffer back end, for its clients (QMP and tests).
 */
#ifndef CHARDEV_RINGBUF_H
#define CHARDEV_RINGBUF_H

#include "chardev/chardev.h"

/**
 * chardev_ringbuf_read() - Remove at most @max bytes from the ring, oldest first. Any thread.
 *
 * Return: the bytes, which the caller unrefs; NULL if @c is not a ring buffer.
 */
GByteArray *chardev_ringbuf_read(Chardev *c, size_t max);

/** chardev_ringbuf_feed() - Pass bytes to the front end as input. Machine lock. Return: the number
 * of bytes accepted. */
size_t chardev_ringbuf_feed(Chardev *c, const uint8_t *buf, size_t len);

#endif

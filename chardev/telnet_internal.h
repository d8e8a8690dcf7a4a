/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telnet (RFC 854) on the connection of a socket: commands within the input, and the byte 255 in
 * the output.
 */
#ifndef CHARDEV_TELNET_INTERNAL_H
#define CHARDEV_TELNET_INTERNAL_H

#include "internal.h"

/* The state of a connection; all zero for a new one. */
typedef struct Telnet {
    uint8_t state;   /* TelnetState */
    uint8_t command; /* that an option follows: WILL, WONT, DO, DONT */
    bool binary;     /* the peer sends binary data */
    bool after_cr;   /* the last byte was CR */
} Telnet;

/* Offer to echo, and request binary data, on the socket of a new connection. */
void telnet_greet(int fd);
/* Remove commands from `len` bytes at `buf`, and answer them. Bytes before BREAK are delivered
 * before its event. Return the number of bytes left at `buf`, which are not delivered. */
size_t telnet_input(Telnet *t, Chardev *c, uint8_t *buf, size_t len);
/* Write with each byte 255 doubled. Return the number of bytes accepted. Any thread. */
size_t telnet_write(Chardev *c, const uint8_t *buf, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial inside hw/char: the structure of the function, which unit tests use as well.
 */
#ifndef HW_CHAR_INTERNAL_H
#define HW_CHAR_INTERNAL_H

#include "hw/virtio/virtio_serial.h"

enum { REMOVED_WORDS = VIRTIO_SERIAL_MAX_PORTS / 32 + 1 };
enum { CONTROL_RX = 2, CONTROL_TX = 3 }; /* queues: device to driver, driver to device */

struct VirtioSerial {
    VirtioBase base;
    uint32_t max_ports;
    bool emergency_write;
    Bus bus;
    VirtioSerialPort **ports; /* max_ports of them, by number; NULL: no such port */
    /* guest-visible state */
    bool ready;                      /* the driver sent VIRTIO_CONSOLE_DEVICE_READY */
    uint32_t removed[REMOVED_WORDS]; /* bit n: VIRTIO_CONSOLE_PORT_REMOVE for port n is pending */
};

#endif

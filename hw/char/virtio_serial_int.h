/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-serial function inside hw/char: its structure, and what its two files ask of each
 * other.
 */
#ifndef HW_CHAR_VIRTIO_SERIAL_INT_H
#define HW_CHAR_VIRTIO_SERIAL_INT_H

#include "hw/virtio/virtio_serial.h"

enum { REMOVED_WORDS = VIRTIO_SERIAL_MAX_PORTS / 32 + 1 };
enum { CONTROL_IN = 2, CONTROL_OUT = 3 }; /* queues: device to driver, driver to device */

struct VirtioSerial {
    VirtioPCI vpci;
    uint32_t max_ports;
    bool emergency_write;
    Bus bus;
    VirtioSerialPort **ports; /* max_ports of them, by number; NULL: none there */
    /* guest-visible state */
    bool ready;                      /* the driver said DEVICE_READY */
    uint32_t removed[REMOVED_WORDS]; /* bit n: the driver is still to be told that port n went */
};

static inline Device *virtio_serial_device(VirtioSerial *s)
{
    return &s->vpci.pci.dev;
}

/* A stopped machine's memory is not touched: it may be on its way to another process. */
bool virtio_serial_stopped(VirtioSerial *s);
/* The driver opened or closed the port, or the device was reset. */
void virtio_serial_set_guest_connected(VirtioSerialPort *p, bool connected);

/* The driver is to be sent this event about the port. */
void virtio_serial_due(VirtioSerialPort *p, uint8_t event);
/* Send what is due, as far as the driver's buffers go. */
void virtio_serial_tell(VirtioSerial *s);
/* Read what the driver says. */
void virtio_serial_take_control(VirtioSerial *s);

#endif

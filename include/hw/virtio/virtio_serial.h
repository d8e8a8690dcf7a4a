/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: one function with a bus of ports (virtio 1.2, 5.3).
 *
 * The function (hw/char/virtio_serial.c) owns the queues and exchanges control messages about ports
 * with the driver. A port (hw/char/virtio_console.c) is a device on the function's bus and owns a
 * character back end. Function and port exchange bytes and connection states. Neither buffers
 * bytes: bytes that the back end does not accept stay in the guest's queue, and bytes for which the
 * guest has no buffer stay in the back end.
 *
 * Locking: the machine lock for every function.
 */
#ifndef HW_VIRTIO_VIRTIO_SERIAL_H
#define HW_VIRTIO_VIRTIO_SERIAL_H

#include <linux/virtio_console.h>

#include "chardev/chardev.h"
#include "hw/virtio/virtio_base.h"

enum { VIRTIO_SERIAL_MAX_PORTS = VIRTIO_MAX_QUEUES / 2 - 1 };

/* The control events that the device sends about a port (5.3.6.2), as bits of
 * VirtioSerialPort.pending. */
enum {
    VIRTIO_SERIAL_EVENTS = 1 << VIRTIO_CONSOLE_PORT_ADD | 1 << VIRTIO_CONSOLE_CONSOLE_PORT |
                           1 << VIRTIO_CONSOLE_PORT_OPEN | 1 << VIRTIO_CONSOLE_PORT_NAME,
};

typedef struct VirtioSerial VirtioSerial;

typedef struct VirtioSerialPort {
    Device dev;
    /* properties */
    char *chardev, *name;
    uint32_t nr;
    VirtioSerial *serial; /* NULL: not on a bus */
    Chardev *chr;
    ChardevFront front;
    /* guest-visible state */
    bool ready;           /* the driver sent VIRTIO_CONSOLE_PORT_READY and accepts messages */
    bool host_connected;  /* a peer is connected, as reported to the driver */
    bool guest_connected; /* the driver has opened the port */
    uint8_t pending;      /* bit n: control event n is to be sent to the driver */
    uint32_t sent;        /* bytes of the first chain of the transmit queue that the peer has */
} VirtioSerialPort;

typedef struct VirtioSerialPortType {
    DeviceType base;
    bool console;
} VirtioSerialPortType;

#define PORT_DEVICE_TYPE(t)                                                                        \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).base
extern const DeviceKind virtio_serial_port_kind;

static inline bool virtio_serial_is_console(const VirtioSerialPort *p)
{
    return ((const VirtioSerialPortType *)p->dev.type)->console;
}

/* --- the function, for ports --- */

/**
 * virtio_serial_enter() - Add a port to the bus.
 * @s:   the function
 * @p:   the port. p->nr is its number; UINT32_MAX is replaced by the lowest free one
 * @err: names the number and the bus
 *
 * The driver is not notified; virtio_serial_announce() does that. virtio_serial_leave() undoes it.
 *
 * Return: false if the number does not exist, is used, or is reserved for a console, or if another
 * port of the machine has the same name; the bus is then unchanged.
 */
bool virtio_serial_enter(VirtioSerial *s, VirtioSerialPort *p, GError **err);

/** virtio_serial_announce() - Notify the driver of a port that was added. */
void virtio_serial_announce(VirtioSerialPort *p);

/**
 * virtio_serial_leave() - Remove a port from the bus.
 *
 * Bytes in its transmit queue are dropped, and the driver is notified if the port was
 * announced to it.
 */
void virtio_serial_leave(VirtioSerialPort *p);

/**
 * virtio_serial_room() - Get the number of bytes that virtio_serial_receive() accepts.
 *
 * Return: the size of the driver's next receive buffer. 0 if there is none, the machine is stopped
 * or the port is closed; virtio_serial_port_accept() is called when that changes.
 */
size_t virtio_serial_room(VirtioSerialPort *p);

/** virtio_serial_receive() - Pass at most virtio_serial_room() bytes to the driver. */
void virtio_serial_receive(VirtioSerialPort *p, const uint8_t *bytes, size_t len);

/** virtio_serial_flush() - Continue the transmit queue: the back end accepts bytes again. */
void virtio_serial_flush(VirtioSerialPort *p);

/** virtio_serial_set_host_connected() - Report to the driver whether a peer is connected. */
void virtio_serial_set_host_connected(VirtioSerialPort *p, bool connected);

/* --- a port, for the function --- */

/**
 * virtio_serial_port_send() - Pass bytes of the guest to the back end.
 *
 * Return: the number of bytes accepted. All bytes are accepted, and dropped, without a peer.
 */
size_t virtio_serial_port_send(VirtioSerialPort *p, const uint8_t *bytes, size_t len);

/** virtio_serial_port_accept() - Let the back end deliver bytes: the driver may have buffers. */
void virtio_serial_port_accept(VirtioSerialPort *p);

/**
 * virtio_serial_port_set_open() - The driver opened or closed the port.
 *
 * Emits VSERPORT_CHANGE and passes the state to the back end.
 */
void virtio_serial_port_set_open(VirtioSerialPort *p, bool open);

/**
 * virtio_serial_port_resume() - The machine runs again, possibly after a migration.
 *
 * Brings the state of the back end and of the driver into agreement.
 */
void virtio_serial_port_resume(VirtioSerialPort *p);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: one function with a bus of ports (virtio 1.2, 5.3).
 *
 * The function (hw/char/virtio_serial.c) owns the queues and talks to the driver about ports; a
 * port (hw/char/virtio_console.c) is a device on the function's bus and owns a character back
 * end. Between them go bytes and who is connected. Neither keeps bytes: what a back end does not
 * take stays in the guest's queue, what the guest has no buffer for stays in the back end. Machine
 * lock for everything.
 */
#ifndef HW_VIRTIO_VIRTIO_SERIAL_H
#define HW_VIRTIO_VIRTIO_SERIAL_H

#include "chardev/chardev.h"
#include "hw/virtio/virtio_pci.h"

enum { VIRTIO_SERIAL_MAX_PORTS = VIRTIO_MAX_QUEUES / 2 - 1 };

/* Control events (5.3.6.2). */
enum {
    DEVICE_READY = 0,
    PORT_ADD = 1,
    PORT_REMOVE = 2,
    PORT_READY = 3,
    CONSOLE_PORT = 4,
    PORT_OPEN = 6,
    PORT_NAME = 7,
    /* those that the device sends about a port that is there */
    VIRTIO_SERIAL_EVENTS = 1 << PORT_ADD | 1 << CONSOLE_PORT | 1 << PORT_OPEN | 1 << PORT_NAME,
};

typedef struct VirtioSerial VirtioSerial;

typedef struct VirtioSerialPort {
    Device dev;
    /* properties */
    char *chardev, *name;
    uint32_t nr;
    VirtioSerial *serial; /* NULL: in no bus */
    Chardev *chr;
    ChardevFront front;
    /* what the guest can see */
    bool ready;           /* the driver said PORT_READY: it takes messages about the port */
    bool host_connected;  /* a peer is there, as the driver is told */
    bool guest_connected; /* the driver has it open */
    uint8_t pending;      /* bit n: the driver is still to be sent control event n */
    uint32_t sent;        /* bytes of the first chain in the transmit queue that the peer has */
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

/* --- the function, as ports see it --- */

/* Enter the bus as port p->nr (UINT32_MAX: the lowest free one). The driver does not know yet.
 * False with a sentence when the number is taken, beyond the end or a console's. */
bool virtio_serial_enter(VirtioSerial *s, VirtioSerialPort *p, GError **err);
/* Tell the driver that the port is there. */
void virtio_serial_announce(VirtioSerialPort *p);
/* Take the port out: what the guest still had to send is dropped, and the driver is told. */
void virtio_serial_leave(VirtioSerialPort *p);
/* Bytes that the guest takes now in one go; 0: none, virtio_serial_port_accept() follows. */
size_t virtio_serial_room(VirtioSerialPort *p);
/* Hand over at most as many as there is room for. */
void virtio_serial_receive(VirtioSerialPort *p, const uint8_t *bytes, size_t len);
/* The back end takes bytes again. */
void virtio_serial_flush(VirtioSerialPort *p);
/* A peer came or went. */
void virtio_serial_set_host_connected(VirtioSerialPort *p, bool connected);

/* --- a port, as the function sees it --- */

/* Pass bytes from the guest on; returns how many went. All of them when nobody is there. */
size_t virtio_serial_port_send(VirtioSerialPort *p, const uint8_t *bytes, size_t len);
/* There may be room in the guest: offer what waits. */
void virtio_serial_port_accept(VirtioSerialPort *p);
/* The guest opened or closed the port: tells clients (VSERPORT_CHANGE) and the back end. */
void virtio_serial_port_set_open(VirtioSerialPort *p, bool open);
/* The machine runs again, perhaps in another process: agree with the back end that is here. */
void virtio_serial_port_resume(VirtioSerialPort *p);

#endif

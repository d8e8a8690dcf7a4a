/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: what the function and the driver tell each other about ports (virtio 1.2, 5.3.6).
 *
 * A message that the driver has no buffer for is not queued: a bit says that it is due, and it is
 * made from the state of the port when a buffer comes.
 */
#include <string.h>

#include "hw/char/virtio_serial_int.h"
#include "util/log.h"

enum { MESSAGE = 8, MESSAGE_UNITS = 20 }; /* an event for QMP clients may follow from one */

/* --- messages to the driver --- */

/* One message, if the driver has a buffer for it. */
static bool tell(VirtioSerial *s, uint32_t nr, uint16_t event, uint16_t value, const char *name)
{
    VirtQueue *vq = virtio_queue(&s->vpci.virtio, CONTROL_IN);
    VirtqBuf *buf = virtq_pop(vq);
    uint8_t message[MESSAGE];
    size_t len;

    if (!buf) {
        return false;
    }
    memcpy(message, &nr, 4);
    memcpy(message + 4, &event, 2);
    memcpy(message + 6, &value, 2);
    len = virtq_write(buf, 0, message, MESSAGE);
    if (len < MESSAGE) {
        virtio_broken(&s->vpci.virtio, "control queue: a buffer of %zu bytes", len);
    } else if (name) {
        len += virtq_write(buf, MESSAGE, name, strlen(name));
    }
    virtq_push(vq, buf, len);
    return true;
}

/* The events of a port in the order in which a driver wants them. */
static bool tell_port(VirtioSerialPort *p)
{
    static const uint8_t order[] = { PORT_ADD, CONSOLE_PORT, PORT_NAME, PORT_OPEN };

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        uint8_t event = order[i];
        uint16_t value = event == PORT_OPEN ? p->host_connected : 1;

        if (!(p->pending >> event & 1)) {
            continue;
        }
        if (!tell(p->serial, p->nr, event, value, event == PORT_NAME ? p->name : NULL)) {
            return false;
        }
        p->pending &= ~(1u << event);
    }
    return true;
}

static bool tell_removals(VirtioSerial *s)
{
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->removed[nr / 32] >> (nr % 32) & 1) {
            if (!tell(s, nr, PORT_REMOVE, 1, NULL)) {
                return false;
            }
            s->removed[nr / 32] &= ~(1u << (nr % 32));
        }
    }
    return true;
}

/* Send what is due, as far as buffers go. */
void virtio_serial_tell(VirtioSerial *s)
{
    bool more;

    if (virtio_serial_stopped(s) || !s->ready) {
        return;
    }
    more = tell_removals(s);
    for (uint32_t nr = 0; more && nr < s->max_ports; nr++) {
        more = !s->ports[nr] || tell_port(s->ports[nr]);
    }
    virtq_notify(virtio_queue(&s->vpci.virtio, CONTROL_IN));
}

void virtio_serial_due(VirtioSerialPort *p, uint8_t event)
{
    p->pending |= 1u << event;
}

/* --- messages from the driver --- */

static void driver_ready(VirtioSerial *s, bool well)
{
    if (!well) {
        guest_error(device_name(virtio_serial_device(s)), "the driver could not set the device up");
        return;
    }
    s->ready = true;
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            virtio_serial_due(s->ports[nr], PORT_ADD);
        }
    }
}

static void port_ready(VirtioSerialPort *p, bool well)
{
    if (!well) {
        guest_error(device_name(&p->dev), "the driver could not set port %u up", p->nr);
        return;
    }
    p->ready = true;
    if (virtio_serial_is_console(p)) {
        virtio_serial_due(p, CONSOLE_PORT);
    }
    if (p->name && *p->name) {
        virtio_serial_due(p, PORT_NAME);
    }
    if (p->host_connected) {
        virtio_serial_due(p, PORT_OPEN);
    }
}

static void control(VirtioSerial *s, const uint8_t *message)
{
    VirtioSerialPort *p;
    uint16_t event, value;
    uint32_t nr;

    memcpy(&nr, message, 4);
    memcpy(&event, message + 4, 2);
    memcpy(&value, message + 6, 2);
    if (event == DEVICE_READY) {
        driver_ready(s, value != 0);
        return;
    }
    p = nr < s->max_ports ? s->ports[nr] : NULL;
    if (!p) {
        guest_error(device_name(virtio_serial_device(s)),
                    "control event %u about port %u, which is not there", event, nr);
    } else if (event == PORT_READY) {
        port_ready(p, value != 0);
    } else if (event == PORT_OPEN) {
        virtio_serial_set_guest_connected(p, value != 0);
    } else {
        guest_error(device_name(virtio_serial_device(s)), "control event %u about port %u: ignored",
                    event, nr);
    }
}

void virtio_serial_take_control(VirtioSerial *s)
{
    VirtQueue *vq = virtio_queue(&s->vpci.virtio, CONTROL_OUT);
    uint8_t message[MESSAGE];
    VirtqBuf *buf;

    while (!virtio_serial_stopped(s) && (buf = virtq_next(vq))) {
        virtio_turn_charge(&s->vpci.virtio, MESSAGE_UNITS);
        if (virtq_read(buf, 0, message, MESSAGE) == MESSAGE) {
            control(s, message);
        } else {
            guest_error(device_name(virtio_serial_device(s)),
                        "a control message of %zu bytes: ignored", buf->in_len);
        }
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
    virtio_serial_tell(s);
}

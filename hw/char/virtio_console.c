/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtconsole and virtserialport: ports of a virtio serial bus with a character back end.
 *
 * A serial port waits for its back end: bytes stay in the guest until the peer accepts them. A
 * console does not wait, because a guest's kernel prints with locks held and would spin; bytes that
 * the back end cannot buffer are lost. A console is connected whenever it has a back end, a serial
 * port while a peer is connected.
 */
#include "hw/virtio/virtio_serial.h"
#include "util/error.h"

#include "machine-events.h"

static VirtioSerialPort *port_of(Device *dev)
{
    return (VirtioSerialPort *)dev;
}

static bool port_has_peer(const VirtioSerialPort *p)
{
    return p->chr && (virtio_serial_is_console(p) || chardev_is_open(p->chr));
}

/* --- called by the function --- */

size_t virtio_serial_port_send(VirtioSerialPort *p, const uint8_t *bytes, size_t len)
{
    size_t sent = 0;

    if (!p->chr) {
        return len;
    }
    if (p->host_connected && !virtio_serial_is_console(p)) {
        return chardev_write_now(p->chr, bytes, len);
    }
    if (p->host_connected) {
        sent = chardev_write(p->chr, bytes, len);
    }
    chardev_log(p->chr, bytes + sent, len - sent);
    return len;
}

void virtio_serial_port_accept(VirtioSerialPort *p)
{
    if (p->chr) {
        chardev_accept_input(p->chr);
    }
}

static void port_show_open(VirtioSerialPort *p)
{
    if (p->chr && !virtio_serial_is_console(p)) {
        chardev_set_front_open(p->chr, p->guest_connected);
    }
}

void virtio_serial_port_set_open(VirtioSerialPort *p, bool open)
{
    port_show_open(p);
    if (p->dev.id) {
        event_vserport_change(p->dev.machine, p->dev.id, open);
    }
}

void virtio_serial_port_resume(VirtioSerialPort *p)
{
    port_show_open(p);
    virtio_serial_set_host_connected(p, port_has_peer(p));
    virtio_serial_port_accept(p);
}

/* --- called by the back end --- */

static size_t port_front_can_read(void *opaque)
{
    return virtio_serial_room(opaque);
}

static void port_front_read(void *opaque, const uint8_t *buf, size_t len)
{
    virtio_serial_receive(opaque, buf, len);
}

static void port_front_event(void *opaque, ChardevEvent event)
{
    VirtioSerialPort *p = opaque;

    virtio_serial_set_host_connected(p, port_has_peer(p));
}

static void port_front_writable(void *opaque)
{
    virtio_serial_flush(opaque);
}

/* --- the device kind --- */

static bool port_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    VirtioSerialPort *p = port_of(dev);
    Device *owner = dev->bus ? dev->bus->owner : NULL;

    if (!owner || dev->bus->kind != PLAN_BUS_VIRTIO_SERIAL) {
        return error_set(err, ERROR_USER, "%s: bus '%s' is not a virtio-serial bus",
                         device_name(dev), dev->bus ? dev->bus->name : "none");
    }
    if (!virtio_serial_enter((VirtioSerial *)owner, p, err)) {
        return false;
    }
    dev->plan_id = g_strdup_printf("%s/%u", owner->plan_id, p->nr);
    return true;
}

static void port_kind_ready(Device *dev)
{
    virtio_serial_announce(port_of(dev));
}

static void port_detach(Device *dev)
{
    virtio_serial_leave(port_of(dev));
}

static void port_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_VIRTIO_SERIAL;
}

const DeviceKind virtio_serial_port_kind = {
    .name = "virtio-serial-port",
    .attach = port_attach,
    .ready = port_kind_ready,
    .detach = port_detach,
    .describe = port_describe,
};

/* --- the types --- */

#define VIRTIO_SERIAL_PORT_PROPS(first, text)                                                      \
    PROP_U32(VirtioSerialPort, nr, "nr", UINT32_MAX, (first), VIRTIO_SERIAL_MAX_PORTS - 1, text),  \
        PROP_BACKEND(VirtioSerialPort, chardev, "chardev", "chardev", "the character back end"),   \
        PROP_STR(VirtioSerialPort, name, "name",                                                   \
                 "name in the guest: Linux creates /dev/virtio-ports/NAME")

static bool serial_port_realize(void *dev, GError **err)
{
    VirtioSerialPort *p = dev;

    if (!p->chardev) {
        return true;
    }
    p->chr = chardev_find(p->dev.machine, p->chardev);
    if (!p->chr) {
        return error_set(err, ERROR_USER,
                         "%s: there is no chardev '%s' (chardev= is the id of a -chardev)",
                         device_name(&p->dev), p->chardev);
    }
    p->front = (ChardevFront){ port_front_can_read, port_front_read, port_front_event,
                               port_front_writable, p };
    if (!chardev_attach(p->chr, &p->front, err)) {
        g_prefix_error(err, "%s: ", device_name(&p->dev));
        p->chr = NULL;
        return false;
    }
    port_show_open(p);
    return true;
}

static void serial_port_unrealize(void *dev)
{
    VirtioSerialPort *p = dev;

    if (p->chr) {
        chardev_detach(p->chr, &p->front);
    }
    p->chr = NULL;
}

static void serial_port_reset(void *dev, ResetKind kind)
{
    VirtioSerialPort *p = dev;

    p->ready = p->guest_connected = false;
    p->pending = 0;
    p->sent = 0;
    p->host_connected = port_has_peer(p);
    port_show_open(p);
}

static const PlanProp console_props[] = {
    VIRTIO_SERIAL_PORT_PROPS(0, "number on the bus (default: the lowest free one)"),
};
static const PlanProp port_props[] = {
    VIRTIO_SERIAL_PORT_PROPS(1, "number on the bus, from 1 on because 0 is reserved for a console "
                                "(default: the lowest free one)"),
};
static const VmField port_fields[] = {
    VM_BOOL(VirtioSerialPort, ready),
    VM_BOOL(VirtioSerialPort, host_connected),
    VM_BOOL(VirtioSerialPort, guest_connected),
    VM_U8(VirtioSerialPort, pending, .mask = VIRTIO_SERIAL_EVENTS),
    VM_U32(VirtioSerialPort, sent),
};
static const VmState port_state = { .name = "virtio-serial-port",
                                    .version = 1,
                                    .fields = LIST(port_fields) };

#define PORT_TYPE(n, text, props_, console_)                                                       \
    {                                                                                              \
        .base = { .name = (n),                                                                     \
                  .doc = (text),                                                                   \
                  .kind = &virtio_serial_port_kind,                                                \
                  .size = sizeof(VirtioSerialPort),                                                \
                  .props = LIST(props_),                                                           \
                  .vmstate = &port_state,                                                          \
                  .hotpluggable = true,                                                            \
                  .realize = serial_port_realize,                                                  \
                  .reset = serial_port_reset,                                                      \
                  .unrealize = serial_port_unrealize },                                            \
        .console = (console_)                                                                      \
    }
static const VirtioSerialPortType virtconsole =
    PORT_TYPE("virtconsole", "a console (hvc0) of a virtio-serial-pci", console_props, true);
static const VirtioSerialPortType virtserialport =
    PORT_TYPE("virtserialport", "a named port of a virtio-serial-pci", port_props, false);
PORT_DEVICE_TYPE(virtconsole);
PORT_DEVICE_TYPE(virtserialport);

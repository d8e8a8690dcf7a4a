/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: the function with its queues, the bytes that pass through them, and its bus of
 * ports (virtio 1.2, 5.3).
 */
#include "hw/char/virtio_serial_int.h"

#include <string.h>

#include "util/log.h"

enum { F_MULTIPORT = 1, F_EMERG_WRITE = 2 };
enum { S_DRIVER_OK = 4 };
enum { CONFIG_SIZE = 12, EMERG_WR = 8, QUEUE_SIZE = 128, DEFAULT_PORTS = 31 };
/* Bytes that a back end is given at once, and that cost a unit of a turn. */
enum { CHUNK = 16384, UNIT_BYTES = 512 };

static VirtioSerial *serial_of(VirtioDevice *v)
{
    return v->instance;
}

bool virtio_serial_stopped(VirtioSerial *s)
{
    return !machine_active(virtio_serial_device(s)->machine);
}

static bool multiport(const VirtioSerial *s)
{
    return virtio_has(&s->vpci.virtio, F_MULTIPORT);
}

/* Receive queue of a port; the transmit queue is the next. Port 0 has the pair in front of the
 * control queues (5.3.2). */
static unsigned queue_of(const VirtioSerialPort *p)
{
    return p->nr == 0 ? 0 : 2 * p->nr + 2;
}

static VirtQueue *receive_queue(const VirtioSerialPort *p)
{
    return virtio_queue(&p->serial->vpci.virtio, queue_of(p));
}

static VirtQueue *transmit_queue(const VirtioSerialPort *p)
{
    return virtio_queue(&p->serial->vpci.virtio, queue_of(p) + 1);
}

static VirtioSerialPort *port_of_queue(VirtioSerial *s, unsigned queue)
{
    return queue < 2 ? s->ports[0] : s->ports[queue / 2 - 1];
}

/* Back ends call from the main loop, or because the device asked them to. */
static bool enter(VirtioSerial *s, bool *inside)
{
    *inside = virtio_serial_device(s)->busy;
    return *inside || device_enter(virtio_serial_device(s));
}

static void leave(VirtioSerial *s, bool inside)
{
    if (!inside) {
        device_leave(virtio_serial_device(s));
    }
}

/* --- who has a port open --- */

void virtio_serial_set_guest_connected(VirtioSerialPort *p, bool connected)
{
    if (p->guest_connected != connected) {
        p->guest_connected = connected;
        virtio_serial_port_set_open(p, connected);
    }
    if (connected) {
        virtio_serial_port_accept(p);
    }
}

/* --- bytes from the guest --- */

typedef enum SendResult { CHAIN_SENT, PEER_BUSY, TURN_OVER } SendResult;

/* Send a chain from byte p->sent on; p->sent says how far it got. */
static SendResult send_chain(VirtioSerialPort *p, const VirtqBuf *buf)
{
    VirtioDevice *v = &p->serial->vpci.virtio;
    size_t skip = p->sent;

    for (int i = 0; i < buf->n_in; i++) {
        const uint8_t *bytes = buf->in[i].iov_base;
        size_t len = buf->in[i].iov_len;

        while (skip < len) {
            size_t part = MIN(len - skip, CHUNK), went;

            if (virtio_turn_left(v) == 0) {
                return TURN_OVER;
            }
            went = virtio_serial_port_send(p, bytes + skip, part);
            virtio_turn_charge(v, 1 + went / UNIT_BYTES);
            p->sent += went;
            if (went < part) {
                return PEER_BUSY;
            }
            skip += part;
        }
        skip -= len;
    }
    return CHAIN_SENT;
}

/* p->sent, which is saved, counts to 4 GiB: no driver prints that much at once. */
static bool too_long(VirtioSerialPort *p, const VirtqBuf *buf)
{
    if (buf->in_len > UINT32_MAX) {
        guest_error(device_name(virtio_serial_device(p->serial)),
                    "port %u: a buffer of %zu bytes: dropped", p->nr, buf->in_len);
    }
    return buf->in_len > UINT32_MAX;
}

static void transmit(VirtioSerialPort *p)
{
    VirtQueue *vq = transmit_queue(p);
    VirtqBuf *buf;

    while (!virtio_serial_stopped(p->serial) && (buf = virtq_next(vq))) {
        SendResult result = too_long(p, buf) ? CHAIN_SENT : send_chain(p, buf);

        if (result != CHAIN_SENT) {
            virtq_unpop(vq, buf);
            if (result == TURN_OVER) {
                virtq_later(vq);
            }
            break;
        }
        p->sent = 0;
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
}

void virtio_serial_flush(VirtioSerialPort *p)
{
    bool inside;

    if (enter(p->serial, &inside)) {
        transmit(p);
        leave(p->serial, inside);
    }
}

/* --- bytes for the guest --- */

size_t virtio_serial_room(VirtioSerialPort *p)
{
    VirtQueue *vq = receive_queue(p);
    VirtqBuf *buf;
    size_t room;

    if (virtio_serial_stopped(p->serial) || (multiport(p->serial) && !p->guest_connected)) {
        return 0;
    }
    buf = virtq_pop(vq);
    if (!buf) {
        return 0;
    }
    room = buf->out_len;
    virtq_unpop(vq, buf);
    if (room == 0) {
        virtio_broken(&p->serial->vpci.virtio, "port %u: a receive buffer without room", p->nr);
    }
    return room;
}

void virtio_serial_receive(VirtioSerialPort *p, const uint8_t *bytes, size_t len)
{
    VirtQueue *vq = receive_queue(p);
    bool inside;
    VirtqBuf *buf;

    if (!enter(p->serial, &inside)) {
        return;
    }
    while (len > 0 && (buf = virtq_pop(vq))) {
        size_t went = virtq_write(buf, 0, bytes, len);

        virtq_push(vq, buf, went);
        bytes += went;
        len -= went;
    }
    virtq_notify(vq);
    leave(p->serial, inside);
}

void virtio_serial_set_host_connected(VirtioSerialPort *p, bool connected)
{
    bool inside;

    if (p->host_connected == connected || virtio_serial_stopped(p->serial) ||
        !enter(p->serial, &inside)) {
        return;
    }
    p->host_connected = connected;
    if (p->ready) {
        virtio_serial_due(p, PORT_OPEN);
    }
    transmit(p); /* what waited for a peer that went is dropped */
    virtio_serial_tell(p->serial);
    leave(p->serial, inside);
}

/* --- ports come and go --- */

static uint32_t lowest_free(const VirtioSerial *s, const VirtioSerialPort *p)
{
    uint32_t nr = virtio_serial_is_console(p) ? 0 : 1;

    while (nr < s->max_ports && s->ports[nr]) {
        nr++;
    }
    return nr;
}

typedef struct NameSearch {
    const VirtioSerialPort *port, *other;
} NameSearch;

static bool same_name(void *opaque, Device *dev)
{
    NameSearch *search = opaque;

    if (dev->type->kind == &virtio_serial_port_kind && dev != &search->port->dev &&
        g_strcmp0(((VirtioSerialPort *)dev)->name, search->port->name) == 0) {
        search->other = (VirtioSerialPort *)dev;
    }
    return !search->other;
}

/* Guests find ports by name. */
static bool name_is_free(const VirtioSerialPort *p, GError **err)
{
    NameSearch search = { .port = p };

    if (p->name && *p->name) {
        device_visit(p->dev.machine->root, same_name, &search);
    }
    if (search.other) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_EXIST,
                    "%s: the port '%s' is named '%s' already: choose another name=",
                    device_name(&p->dev), device_name(&search.other->dev), p->name);
    }
    return !search.other;
}

bool virtio_serial_enter(VirtioSerial *s, VirtioSerialPort *p, GError **err)
{
    uint32_t nr = p->nr == UINT32_MAX ? lowest_free(s, p) : p->nr;

    if (nr >= s->max_ports || s->ports[nr] || (nr == 0 && !virtio_serial_is_console(p))) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "%s: port %u of '%s' is %s (there are %u, and port 0 is a console's)",
                    device_name(&p->dev), nr, s->bus.name,
                    nr >= s->max_ports ? "beyond its end"
                    : s->ports[nr]     ? "taken"
                                       : "kept for a virtconsole",
                    s->max_ports);
        return false;
    }
    if (!name_is_free(p, err)) {
        return false;
    }
    p->nr = nr;
    p->serial = s;
    s->ports[nr] = p;
    return true;
}

/* A driver that knows one port only cannot say that it opened it. */
static void open_lone_port(VirtioSerial *s)
{
    if ((s->vpci.virtio.status & S_DRIVER_OK) && !multiport(s) && s->ports[0]) {
        virtio_serial_set_guest_connected(s->ports[0], true);
    }
}

void virtio_serial_announce(VirtioSerialPort *p)
{
    VirtioSerial *s = p->serial;
    bool inside;

    if (!enter(s, &inside)) {
        return;
    }
    if (s->ready) {
        virtio_serial_due(p, PORT_ADD);
        virtio_serial_tell(s);
    }
    open_lone_port(s);
    leave(s, inside);
}

void virtio_serial_leave(VirtioSerialPort *p)
{
    VirtioSerial *s = p->serial;
    bool known = s->ready && !(p->pending >> PORT_ADD & 1), inside;

    s->ports[p->nr] = NULL;
    if (known) {
        s->removed[p->nr / 32] |= 1u << (p->nr % 32);
    }
    if (!virtio_serial_device(s)->hidden && enter(s, &inside)) {
        p->host_connected = false;
        transmit(p);
        virtio_serial_tell(s);
        leave(s, inside);
    }
    p->serial = NULL;
}

/* --- the device --- */

static uint64_t serial_features(VirtioDevice *v)
{
    VirtioSerial *s = serial_of(v);

    return (s->max_ports > 1 ? 1u << F_MULTIPORT : 0) |
           (s->emergency_write ? 1u << F_EMERG_WRITE : 0);
}

static void serial_config_read(VirtioDevice *v, uint8_t *config)
{
    memset(config, 0, CONFIG_SIZE);
    memcpy(config + 4, &serial_of(v)->max_ports, 4);
}

/* Works in any state of the device, without queues: a guest that dies may still speak. */
static void serial_config_written(VirtioDevice *v, const uint8_t *config, size_t at, size_t len)
{
    VirtioSerial *s = serial_of(v);

    for (uint32_t nr = 0;
         s->emergency_write && at <= EMERG_WR && at + len > EMERG_WR && nr < s->max_ports; nr++) {
        if (s->ports[nr] && virtio_serial_is_console(s->ports[nr])) {
            virtio_serial_port_send(s->ports[nr], config + EMERG_WR, 1);
            break;
        }
    }
}

static void serial_notified(VirtioDevice *v, unsigned queue)
{
    VirtioSerial *s = serial_of(v);
    VirtioSerialPort *p = port_of_queue(s, queue);

    if (queue == CONTROL_IN) {
        virtio_serial_tell(s);
    } else if (queue == CONTROL_OUT) {
        virtio_serial_take_control(s);
    } else if (p && queue % 2) {
        transmit(p);
    } else if (p) {
        virtio_serial_port_accept(p);
    }
}

static void serial_status_changed(VirtioDevice *v, uint8_t old)
{
    if (v->status & ~old & S_DRIVER_OK) {
        open_lone_port(serial_of(v));
    }
}

static void serial_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioSerialPort *p = port_of_queue(serial_of(v), queue);

    if (p && queue != CONTROL_IN && queue != CONTROL_OUT && queue % 2) {
        p->sent = 0;
    }
}

static void serial_reset(VirtioDevice *v)
{
    VirtioSerial *s = serial_of(v);

    s->ready = false;
    memset(s->removed, 0, sizeof(s->removed));
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        VirtioSerialPort *p = s->ports[nr];

        if (p) {
            p->ready = false;
            p->pending = 0;
            p->sent = 0;
            virtio_serial_set_guest_connected(p, false);
        }
    }
}

static void run_changed(void *opaque, bool running, RunState state)
{
    VirtioSerial *s = opaque;
    bool inside;

    if (!running || !enter(s, &inside)) {
        return;
    }
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            virtio_serial_port_resume(s->ports[nr]);
        }
    }
    virtio_serial_tell(s);
    leave(s, inside);
}

static bool serial_init(void *dev, GError **err)
{
    VirtioSerial *s = dev;
    Device *d = virtio_serial_device(s);
    g_autofree char *name = g_strconcat(d->id      ? d->id
                                        : d->place ? d->place
                                                   : d->plan_id,
                                        ".0", NULL);

    if (!bus_init(&s->bus, d->machine, PLAN_BUS_VIRTIO_SERIAL, name, d, err)) {
        return false;
    }
    d->child_bus = &s->bus;
    s->ports = g_new0(VirtioSerialPort *, s->max_ports);
    for (uint32_t i = 0; i < 2 * (s->max_ports + 1); i++) {
        virtio_add_queue(&s->vpci.virtio, QUEUE_SIZE);
    }
    machine_add_run_fn(d->machine, run_changed, s);
    return true;
}

static void serial_exit(void *dev)
{
    VirtioSerial *s = dev;

    machine_remove_run_fn(virtio_serial_device(s)->machine, run_changed, s);
    virtio_serial_device(s)->child_bus = NULL;
    bus_fini(&s->bus);
    g_clear_pointer(&s->ports, g_free);
}

static const PlanCount serial_auto_vectors = { 1, { "max_ports" }, { 1 } };

static bool serial_check(void *obj, GError **err)
{
    VirtioSerial *s = obj;

    for (uint32_t nr = s->max_ports; nr < REMOVED_WORDS * 32; nr++) {
        if (s->removed[nr / 32] >> (nr % 32) & 1) {
            g_set_error(err, g_quark_from_static_string("virtio"), 0,
                        "removed names port %u of a device with %u", nr, s->max_ports);
            return false;
        }
    }
    return true;
}

static const VirtioClass serial_class = {
    .name = "virtio-serial",
    .device_id = 3,
    .config_size = CONFIG_SIZE,
    .features = serial_features,
    .config_read = serial_config_read,
    .config_written = serial_config_written,
    .queue_notified = serial_notified,
    .status_changed = serial_status_changed,
    .queue_reset = serial_queue_reset,
    .reset = serial_reset,
};
static const PlanProp serial_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_U32(VirtioSerial, max_ports, "max_ports", DEFAULT_PORTS, 1, VIRTIO_SERIAL_MAX_PORTS,
             "places on its bus; one alone is a plain console without names"),
    PROP_BOOL(VirtioSerial, emergency_write, "emergency-write", true,
              "offer the register that writes one character without queues"),
};
static const VmField serial_fields[] = {
    VM_VIRTIO_PCI(VirtioSerial, vpci),
    VM_BOOL(VirtioSerial, ready),
    VM_U32_ARRAY(VirtioSerial, removed),
};
static const VmState serial_state = {
    .name = "virtio-serial", .version = 1, .fields = LIST(serial_fields), .check = serial_check
};

VIRTIO_PCI_TYPES(serial, "serial", VirtioSerial, "serial ports and consoles", 0x078000,
                 serial_props, serial_state, serial_class, serial_init, serial_exit,
                 &serial_auto_vectors, .provides = PLAN_BUS_VIRTIO_SERIAL);
VIRTIO_DEVICE_TYPES(serial);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-serial: a function with a bus of ports, their queues, and the control messages about ports
 * (virtio 1.2, 5.3).
 *
 * A control message for which the driver has no buffer is not queued. A bit records that it is
 * pending, and the message is built from the state of the port when a buffer is available.
 */
#include <linux/virtio_ids.h>
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/log.h"

enum { EMERGENCY_AT = offsetof(struct virtio_console_config, emerg_wr) };
enum { CONFIG_SIZE = 12, QUEUE_SIZE = 128, DEFAULT_PORTS = 31 };
enum { MESSAGE_LEN = 8, MESSAGE_UNITS = 20 }; /* a QMP event may follow from a message */
/* Bytes that a back end is given in one call, and bytes for one unit of a turn. */
enum { CHUNK = 16384, UNIT_BYTES = 512 };

static Device *virtio_serial_device(VirtioSerial *s)
{
    return &s->base.dev;
}

static VirtioSerial *virtio_serial_of(VirtioDevice *v)
{
    return v->instance;
}

static bool virtio_serial_stopped(VirtioSerial *s)
{
    return !machine_active(virtio_serial_device(s)->machine);
}

static bool virtio_serial_is_multiport(const VirtioSerial *s)
{
    return virtio_has(&s->base.virtio, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* The receive queue of a port; the transmit queue follows it. Port 0 has the pair before the
 * control queues (5.3.2). */
static unsigned virtio_serial_queue_of(const VirtioSerialPort *p)
{
    return p->nr == 0 ? 0 : 2 * p->nr + 2;
}

static VirtQueue *virtio_serial_receive_queue(const VirtioSerialPort *p)
{
    return virtio_queue(&p->serial->base.virtio, virtio_serial_queue_of(p));
}

static VirtQueue *virtio_serial_transmit_queue(const VirtioSerialPort *p)
{
    return virtio_queue(&p->serial->base.virtio, virtio_serial_queue_of(p) + 1);
}

static VirtioSerialPort *virtio_serial_port_of_queue(VirtioSerial *s, unsigned queue)
{
    return queue < 2 ? s->ports[0] : s->ports[queue / 2 - 1];
}

/* Enter the re-entrancy guard, unless a back end was called by the device itself (*inside). */
static bool virtio_serial_guard_enter(VirtioSerial *s, bool *inside)
{
    *inside = virtio_serial_device(s)->busy;
    return *inside || device_enter(virtio_serial_device(s));
}

static void virtio_serial_guard_leave(VirtioSerial *s, bool inside)
{
    if (!inside) {
        device_leave(virtio_serial_device(s));
    }
}

/* --- messages to the driver --- */

/* Send one message. False: the driver has no buffer for it. */
static bool virtio_serial_send_message(VirtioSerial *s, uint32_t nr, uint16_t event, uint16_t value,
                                       const char *name)
{
    VirtQueue *vq = virtio_queue(&s->base.virtio, CONTROL_RX);
    VirtqBuf *buf = virtq_pop(vq);
    uint8_t message[MESSAGE_LEN];
    size_t len;

    if (!buf) {
        return false;
    }
    memcpy(message, &nr, 4);
    memcpy(message + 4, &event, 2);
    memcpy(message + 6, &value, 2);
    len = virtq_write(buf, 0, message, MESSAGE_LEN);
    if (len < MESSAGE_LEN) {
        virtio_broken(&s->base.virtio, "control queue: a buffer of %zu bytes", len);
    } else if (name) {
        len += virtq_write(buf, MESSAGE_LEN, name, strlen(name));
    }
    virtq_push(vq, buf, len);
    return true;
}

/* Send a port's pending events, in the order that drivers require. False: no buffer is left. */
static bool virtio_serial_send_port_events(VirtioSerialPort *p)
{
    static const uint8_t order[] = { VIRTIO_CONSOLE_PORT_ADD, VIRTIO_CONSOLE_CONSOLE_PORT,
                                     VIRTIO_CONSOLE_PORT_NAME, VIRTIO_CONSOLE_PORT_OPEN };

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        uint8_t event = order[i];
        uint16_t value = event == VIRTIO_CONSOLE_PORT_OPEN ? p->host_connected : 1;

        if (!(p->pending >> event & 1)) {
            continue;
        }
        if (!virtio_serial_send_message(p->serial, p->nr, event, value,
                                        event == VIRTIO_CONSOLE_PORT_NAME ? p->name : NULL)) {
            return false;
        }
        p->pending &= ~(1u << event);
    }
    return true;
}

static bool virtio_serial_send_removals(VirtioSerial *s)
{
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->removed[nr / 32] >> (nr % 32) & 1) {
            if (!virtio_serial_send_message(s, nr, VIRTIO_CONSOLE_PORT_REMOVE, 1, NULL)) {
                return false;
            }
            s->removed[nr / 32] &= ~(1u << (nr % 32));
        }
    }
    return true;
}

/* Send pending messages while the driver has buffers. */
static void virtio_serial_send_pending(VirtioSerial *s)
{
    bool more;

    if (virtio_serial_stopped(s) || !s->ready) {
        return;
    }
    more = virtio_serial_send_removals(s);
    for (uint32_t nr = 0; more && nr < s->max_ports; nr++) {
        more = !s->ports[nr] || virtio_serial_send_port_events(s->ports[nr]);
    }
    virtq_notify(virtio_queue(&s->base.virtio, CONTROL_RX));
}

static void virtio_serial_set_pending(VirtioSerialPort *p, uint8_t event)
{
    p->pending |= 1u << event;
}

/* --- connections --- */

static void virtio_serial_set_guest_connected(VirtioSerialPort *p, bool connected)
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

typedef enum SendResult { SEND_DONE, SEND_PEER_BUSY, SEND_TURN_OVER } SendResult;

/* Send a chain from byte p->sent on, and advance p->sent. */
static SendResult virtio_serial_send_chain(VirtioSerialPort *p, const VirtqBuf *buf)
{
    VirtioDevice *v = &p->serial->base.virtio;
    size_t skip = p->sent;

    for (int i = 0; i < buf->n_in; i++) {
        const uint8_t *bytes = buf->in[i].iov_base;
        size_t len = buf->in[i].iov_len;

        while (skip < len) {
            size_t part = MIN(len - skip, CHUNK), went;

            if (virtio_turn_left(v) == 0) {
                return SEND_TURN_OVER;
            }
            went = virtio_serial_port_send(p, bytes + skip, part);
            virtio_turn_charge(v, 1 + went / UNIT_BYTES);
            p->sent += went;
            if (went < part) {
                return SEND_PEER_BUSY;
            }
            skip += part;
        }
        skip -= len;
    }
    return SEND_DONE;
}

/* p->sent is saved as 32 bits. No driver sends 4 GiB in one chain. */
static bool virtio_serial_chain_too_long(VirtioSerialPort *p, const VirtqBuf *buf)
{
    if (buf->in_len > UINT32_MAX) {
        guest_error(device_name(virtio_serial_device(p->serial)),
                    "port %u: a buffer of %zu bytes: dropped", p->nr, buf->in_len);
    }
    return buf->in_len > UINT32_MAX;
}

static void virtio_serial_transmit(VirtioSerialPort *p)
{
    VirtQueue *vq = virtio_serial_transmit_queue(p);
    VirtqBuf *buf;

    while (!virtio_serial_stopped(p->serial) && (buf = virtq_next(vq))) {
        SendResult result =
            virtio_serial_chain_too_long(p, buf) ? SEND_DONE : virtio_serial_send_chain(p, buf);

        if (result != SEND_DONE) {
            virtq_unpop(vq, buf);
            if (result == SEND_TURN_OVER) {
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

    if (virtio_serial_guard_enter(p->serial, &inside)) {
        virtio_serial_transmit(p);
        virtio_serial_guard_leave(p->serial, inside);
    }
}

/* --- bytes for the guest --- */

size_t virtio_serial_room(VirtioSerialPort *p)
{
    VirtQueue *vq = virtio_serial_receive_queue(p);
    VirtqBuf *buf;
    size_t room;

    if (virtio_serial_stopped(p->serial) ||
        (virtio_serial_is_multiport(p->serial) && !p->guest_connected)) {
        return 0;
    }
    buf = virtq_pop(vq);
    if (!buf) {
        return 0;
    }
    room = buf->out_len;
    virtq_unpop(vq, buf);
    if (room == 0) {
        virtio_broken(&p->serial->base.virtio, "port %u: a receive buffer without room", p->nr);
    }
    return room;
}

void virtio_serial_receive(VirtioSerialPort *p, const uint8_t *bytes, size_t len)
{
    VirtQueue *vq = virtio_serial_receive_queue(p);
    bool inside;
    VirtqBuf *buf;

    if (!virtio_serial_guard_enter(p->serial, &inside)) {
        return;
    }
    while (len > 0 && (buf = virtq_pop(vq))) {
        size_t went = virtq_write(buf, 0, bytes, len);

        virtq_push(vq, buf, went);
        bytes += went;
        len -= went;
    }
    virtq_notify(vq);
    virtio_serial_guard_leave(p->serial, inside);
}

void virtio_serial_set_host_connected(VirtioSerialPort *p, bool connected)
{
    bool inside;

    if (p->host_connected == connected || virtio_serial_stopped(p->serial) ||
        !virtio_serial_guard_enter(p->serial, &inside)) {
        return;
    }
    p->host_connected = connected;
    if (p->ready) {
        virtio_serial_set_pending(p, VIRTIO_CONSOLE_PORT_OPEN);
    }
    virtio_serial_transmit(p); /* drops the bytes that wait for a peer that disconnected */
    virtio_serial_send_pending(p->serial);
    virtio_serial_guard_leave(p->serial, inside);
}

/* --- adding and removing ports --- */

static uint32_t virtio_serial_lowest_free(const VirtioSerial *s, const VirtioSerialPort *p)
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

static bool virtio_serial_same_name(void *opaque, Device *dev)
{
    NameSearch *search = opaque;

    if (dev->type->kind == &virtio_serial_port_kind && dev != &search->port->dev &&
        g_strcmp0(((VirtioSerialPort *)dev)->name, search->port->name) == 0) {
        search->other = (VirtioSerialPort *)dev;
    }
    return !search->other;
}

/* Guests find ports by name: names are unique in the machine. */
static bool virtio_serial_name_is_free(const VirtioSerialPort *p, GError **err)
{
    NameSearch search = { .port = p };

    if (p->name && *p->name) {
        device_visit(p->dev.machine->root, virtio_serial_same_name, &search);
    }
    if (search.other) {
        error_set(err, ERROR_USER,
                  "%s: name '%s' is already used by port '%s'; choose another name=",
                  device_name(&p->dev), p->name, device_name(&search.other->dev));
    }
    return !search.other;
}

bool virtio_serial_enter(VirtioSerial *s, VirtioSerialPort *p, GError **err)
{
    uint32_t nr = p->nr == UINT32_MAX ? virtio_serial_lowest_free(s, p) : p->nr;

    if (nr >= s->max_ports || s->ports[nr] || (nr == 0 && !virtio_serial_is_console(p))) {
        return error_set(err, ERROR_USER,
                         "%s: port %u of '%s' %s (it has %u ports; port 0 is for a virtconsole)",
                         device_name(&p->dev), nr, s->bus.name,
                         nr >= s->max_ports ? "does not exist"
                         : s->ports[nr]     ? "is already used"
                                            : "is reserved for a virtconsole",
                         s->max_ports);
    }
    if (!virtio_serial_name_is_free(p, err)) {
        return false;
    }
    p->nr = nr;
    p->serial = s;
    s->ports[nr] = p;
    return true;
}

/* A driver without VIRTIO_CONSOLE_F_MULTIPORT sends no VIRTIO_CONSOLE_PORT_OPEN. */
static void virtio_serial_open_lone_port(VirtioSerial *s)
{
    if ((s->base.virtio.status & VIRTIO_CONFIG_S_DRIVER_OK) && !virtio_serial_is_multiport(s) &&
        s->ports[0]) {
        virtio_serial_set_guest_connected(s->ports[0], true);
    }
}

void virtio_serial_announce(VirtioSerialPort *p)
{
    VirtioSerial *s = p->serial;
    bool inside;

    if (!virtio_serial_guard_enter(s, &inside)) {
        return;
    }
    if (s->ready) {
        virtio_serial_set_pending(p, VIRTIO_CONSOLE_PORT_ADD);
        virtio_serial_send_pending(s);
    }
    virtio_serial_open_lone_port(s);
    virtio_serial_guard_leave(s, inside);
}

void virtio_serial_leave(VirtioSerialPort *p)
{
    VirtioSerial *s = p->serial;
    bool known = s->ready && !(p->pending >> VIRTIO_CONSOLE_PORT_ADD & 1), inside;

    s->ports[p->nr] = NULL;
    if (known) {
        s->removed[p->nr / 32] |= 1u << (p->nr % 32);
    }
    if (!virtio_serial_device(s)->hidden && virtio_serial_guard_enter(s, &inside)) {
        p->host_connected = false;
        virtio_serial_transmit(p);
        virtio_serial_send_pending(s);
        virtio_serial_guard_leave(s, inside);
    }
    p->serial = NULL;
}

/* --- messages from the driver --- */

static void virtio_serial_driver_ready(VirtioSerial *s, bool well)
{
    if (!well) {
        guest_error(device_name(virtio_serial_device(s)),
                    "the driver failed to initialize the device");
        return;
    }
    s->ready = true;
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            virtio_serial_set_pending(s->ports[nr], VIRTIO_CONSOLE_PORT_ADD);
        }
    }
}

static void virtio_serial_port_ready(VirtioSerialPort *p, bool well)
{
    if (!well) {
        guest_error(device_name(&p->dev), "the driver failed to initialize port %u", p->nr);
        return;
    }
    p->ready = true;
    if (virtio_serial_is_console(p)) {
        virtio_serial_set_pending(p, VIRTIO_CONSOLE_CONSOLE_PORT);
    }
    if (p->name && *p->name) {
        virtio_serial_set_pending(p, VIRTIO_CONSOLE_PORT_NAME);
    }
    if (p->host_connected) {
        virtio_serial_set_pending(p, VIRTIO_CONSOLE_PORT_OPEN);
    }
}

static void virtio_serial_run_message(VirtioSerial *s, const uint8_t *message)
{
    VirtioSerialPort *p;
    uint16_t event, value;
    uint32_t nr;

    memcpy(&nr, message, 4);
    memcpy(&event, message + 4, 2);
    memcpy(&value, message + 6, 2);
    if (event == VIRTIO_CONSOLE_DEVICE_READY) {
        virtio_serial_driver_ready(s, value != 0);
        return;
    }
    p = nr < s->max_ports ? s->ports[nr] : NULL;
    if (!p) {
        guest_error(device_name(virtio_serial_device(s)),
                    "control event %u for port %u, which does not exist", event, nr);
    } else if (event == VIRTIO_CONSOLE_PORT_READY) {
        virtio_serial_port_ready(p, value != 0);
    } else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
        virtio_serial_set_guest_connected(p, value != 0);
    } else {
        guest_error(device_name(virtio_serial_device(s)), "control event %u for port %u: ignored",
                    event, nr);
    }
}

static void virtio_serial_receive_control(VirtioSerial *s)
{
    VirtQueue *vq = virtio_queue(&s->base.virtio, CONTROL_TX);
    uint8_t message[MESSAGE_LEN];
    VirtqBuf *buf;

    while (!virtio_serial_stopped(s) && (buf = virtq_next(vq))) {
        virtio_turn_charge(&s->base.virtio, MESSAGE_UNITS);
        if (virtq_read(buf, 0, message, MESSAGE_LEN) == MESSAGE_LEN) {
            virtio_serial_run_message(s, message);
        } else {
            guest_error(device_name(virtio_serial_device(s)),
                        "a control message of %zu bytes: ignored", buf->in_len);
        }
        virtq_push(vq, buf, 0);
    }
    virtq_notify(vq);
    virtio_serial_send_pending(s);
}

/* --- the device --- */

static uint64_t virtio_serial_features(VirtioDevice *v)
{
    VirtioSerial *s = virtio_serial_of(v);

    return (s->max_ports > 1 ? 1u << VIRTIO_CONSOLE_F_MULTIPORT : 0) |
           (s->emergency_write ? 1u << VIRTIO_CONSOLE_F_EMERG_WRITE : 0);
}

static void virtio_serial_config_read(VirtioDevice *v, uint8_t *config)
{
    memset(config, 0, CONFIG_SIZE);
    memcpy(config + offsetof(struct virtio_console_config, max_nr_ports),
           &virtio_serial_of(v)->max_ports, 4);
}

/* The emergency write works in any state of the device and without queues. */
static void virtio_serial_config_written(VirtioDevice *v, const uint8_t *config, size_t at,
                                         size_t len)
{
    VirtioSerial *s = virtio_serial_of(v);

    for (uint32_t nr = 0;
         s->emergency_write && at <= EMERGENCY_AT && at + len > EMERGENCY_AT && nr < s->max_ports;
         nr++) {
        if (s->ports[nr] && virtio_serial_is_console(s->ports[nr])) {
            virtio_serial_port_send(s->ports[nr], config + EMERGENCY_AT, 1);
            break;
        }
    }
}

static void virtio_serial_notified(VirtioDevice *v, unsigned queue)
{
    VirtioSerial *s = virtio_serial_of(v);
    VirtioSerialPort *p = virtio_serial_port_of_queue(s, queue);

    if (queue == CONTROL_RX) {
        virtio_serial_send_pending(s);
    } else if (queue == CONTROL_TX) {
        virtio_serial_receive_control(s);
    } else if (p && queue % 2) {
        virtio_serial_transmit(p);
    } else if (p) {
        virtio_serial_port_accept(p);
    }
}

static void virtio_serial_status_changed(VirtioDevice *v, uint8_t old)
{
    if (v->status & ~old & VIRTIO_CONFIG_S_DRIVER_OK) {
        virtio_serial_open_lone_port(virtio_serial_of(v));
    }
}

static void virtio_serial_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioSerialPort *p = virtio_serial_port_of_queue(virtio_serial_of(v), queue);

    if (p && queue != CONTROL_RX && queue != CONTROL_TX && queue % 2) {
        p->sent = 0;
    }
}

static void virtio_serial_reset(VirtioDevice *v)
{
    VirtioSerial *s = virtio_serial_of(v);

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

static void virtio_serial_run_changed(void *opaque, bool running, RunState state)
{
    VirtioSerial *s = opaque;
    bool inside;

    if (!running || !virtio_serial_guard_enter(s, &inside)) {
        return;
    }
    for (uint32_t nr = 0; nr < s->max_ports; nr++) {
        if (s->ports[nr]) {
            virtio_serial_port_resume(s->ports[nr]);
        }
    }
    virtio_serial_send_pending(s);
    virtio_serial_guard_leave(s, inside);
}

static bool virtio_serial_init(void *dev, GError **err)
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
        virtio_add_queue(&s->base.virtio, QUEUE_SIZE);
    }
    machine_add_run_fn(d->machine, virtio_serial_run_changed, s);
    return true;
}

static void virtio_serial_exit(void *dev)
{
    VirtioSerial *s = dev;

    machine_remove_run_fn(virtio_serial_device(s)->machine, virtio_serial_run_changed, s);
    virtio_serial_device(s)->child_bus = NULL;
    bus_fini(&s->bus);
    g_clear_pointer(&s->ports, g_free);
}

static const PlanCount serial_auto_vectors = { 1, { "max_ports" }, { 1 } };

static bool virtio_serial_check(void *obj, GError **err)
{
    VirtioSerial *s = obj;

    for (uint32_t nr = s->max_ports; nr < REMOVED_WORDS * 32; nr++) {
        if (s->removed[nr / 32] >> (nr % 32) & 1) {
            return error_set(err, ERROR_GUEST, "removed names port %u of a device with %u ports",
                             nr, s->max_ports);
        }
    }
    return true;
}

static const VirtioClass serial_class = {
    .name = "virtio-serial",
    .device_id = VIRTIO_ID_CONSOLE,
    .config_size = CONFIG_SIZE,
    .init = virtio_serial_init,
    .exit = virtio_serial_exit,
    .features = virtio_serial_features,
    .config_read = virtio_serial_config_read,
    .config_written = virtio_serial_config_written,
    .queue_notified = virtio_serial_notified,
    .status_changed = virtio_serial_status_changed,
    .queue_reset = virtio_serial_queue_reset,
    .reset = virtio_serial_reset,
};
static const PlanProp serial_props[] = {
    VIRTIO_PROPS,
    PROP_U32(VirtioSerial, max_ports, "max_ports", DEFAULT_PORTS, 1, VIRTIO_SERIAL_MAX_PORTS,
             "ports of its bus; a single one is a console without control messages"),
    PROP_BOOL(VirtioSerial, emergency_write, "emergency-write", true,
              "offer the register that writes a character without queues"),
};
VIRTIO_STATES(serial, "virtio-serial", VirtioSerial, 1, virtio_serial_check, NULL,
              VM_BOOL(VirtioSerial, ready), VM_U32_ARRAY(VirtioSerial, removed));

VIRTIO_TYPES(serial, "serial", VirtioSerial, "serial ports and consoles", 0x078000, serial_props,
             serial_class, &serial_auto_vectors, PLAN_BUS_VIRTIO_SERIAL);
VIRTIO_DEVICE_TYPES(serial);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB buses: ports, packets, the stages of the default pipe, and the class of devices (contract in
 * hw/usb/usb.h).
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"

/* --- the bus --- */

bool usb_bus_init(USBBus *bus, Device *owner, const USBBusOps *ops, unsigned n_ports, GError **err)
{
    const char *own = owner->id ? owner->id : owner->place ? owner->place : owner->plan_id;
    g_autofree char *name = g_strconcat(own, ".0", NULL);

    if (!bus_init(&bus->bus, owner->machine, PLAN_BUS_USB, name, owner, err)) {
        return false;
    }
    bus->ops = ops;
    bus->n_ports = n_ports;
    owner->child_bus = &bus->bus;
    return true;
}

void usb_bus_fini(USBBus *bus)
{
    if (bus->bus.owner) {
        bus->bus.owner->child_bus = NULL;
    }
    bus_fini(&bus->bus);
}

USBDevice *usb_bus_find(USBBus *bus, unsigned port)
{
    for (guint i = 0; bus->bus.members && i < bus->bus.members->len; i++) {
        USBDevice *dev = g_ptr_array_index(bus->bus.members, i);

        if (dev->port == port && !dev->dev.hidden) {
            return dev;
        }
    }
    return NULL;
}

void usb_wakeup(USBDevice *dev, unsigned endpoint)
{
    USBBus *bus = (USBBus *)dev->dev.bus;

    if (dev->dev.realized && !dev->dev.hidden) {
        bus->ops->wakeup(bus, dev, endpoint);
    }
}

enum usb_device_speed usb_device_speed(const USBDevice *dev)
{
    return dev->usb_version == 1 ? USB_SPEED_FULL : USB_SPEED_HIGH;
}

const char *usb_device_name(const USBDevice *dev)
{
    return usb_type(dev)->descriptors->name;
}

void usb_device_reset(USBDevice *dev)
{
    dev->address = dev->configuration = 0;
    dev->remote_wakeup = false;
    dev->halted = 0;
    dev->stage = USB_STAGE_IDLE;
    dev->control_len = dev->control_at = 0;
    memset(dev->setup, 0, sizeof(dev->setup));
    memset(dev->control, 0, sizeof(dev->control));
    usb_type(dev)->bus_reset(dev);
}

/* --- the default pipe (USB 2.0, 8.5.3) --- */

static USBRequest usb_setup_request(const USBDevice *dev)
{
    const uint8_t *s = dev->setup;

    return (USBRequest){ .type = s[0],
                         .request = s[1],
                         .value = (uint16_t)(s[2] | s[3] << 8),
                         .index = (uint16_t)(s[4] | s[5] << 8),
                         .length = (uint16_t)(s[6] | s[7] << 8) };
}

/* A SETUP packet is always acknowledged; the next stage reports a request that is not supported. */
static USBResult usb_setup_stage(USBDevice *dev, USBPacket *p)
{
    USBRequest r;
    int n;

    if (p->len != USB_SETUP_SIZE) {
        return USB_STALL;
    }
    memcpy(dev->setup, p->data, USB_SETUP_SIZE);
    r = usb_setup_request(dev);
    dev->control_len = dev->control_at = 0;
    p->actual = USB_SETUP_SIZE;
    if (!(r.type & USB_DIR_IN) || r.length == 0) {
        dev->stage = r.length > USB_CONTROL_MAX ? USB_STAGE_STALL : USB_STAGE_OUT;
        dev->control_len = dev->stage == USB_STAGE_OUT ? r.length : 0;
        return USB_DONE;
    }
    r.length = MIN(r.length, USB_CONTROL_MAX);
    memset(dev->control, 0, sizeof(dev->control));
    n = usb_request(dev, &r, dev->control);
    dev->stage = n < 0 ? USB_STAGE_STALL : USB_STAGE_IN;
    dev->control_len = (uint16_t)CLAMP(n, 0, r.length);
    return USB_DONE;
}

static USBResult usb_in_stage(USBDevice *dev, USBPacket *p)
{
    USBRequest r = usb_setup_request(dev);

    if (dev->stage == USB_STAGE_IN) {
        p->actual = MIN(p->len, (uint32_t)(dev->control_len - dev->control_at));
        memcpy(p->data, dev->control + dev->control_at, p->actual);
        dev->control_at += (uint16_t)p->actual;
        return USB_DONE;
    }
    /* the status stage of a request with data for the device, or without data */
    if (dev->stage != USB_STAGE_OUT || dev->control_at < dev->control_len ||
        usb_request(dev, &r, dev->control) < 0) {
        dev->stage = USB_STAGE_STALL;
        return USB_STALL;
    }
    dev->stage = USB_STAGE_IDLE;
    return USB_DONE;
}

static USBResult usb_out_stage(USBDevice *dev, USBPacket *p)
{
    if (dev->stage == USB_STAGE_OUT && p->len <= (uint32_t)(dev->control_len - dev->control_at)) {
        memcpy(dev->control + dev->control_at, p->data, p->len);
        dev->control_at += (uint16_t)p->len;
        p->actual = p->len;
        return USB_DONE;
    }
    if (dev->stage == USB_STAGE_IN && p->len == 0) { /* the status stage */
        dev->stage = USB_STAGE_IDLE;
        return USB_DONE;
    }
    dev->stage = USB_STAGE_STALL;
    return USB_STALL;
}

static USBResult usb_control(USBDevice *dev, USBPacket *p)
{
    switch (p->pid) {
    case USB_PID_SETUP:
        return usb_setup_stage(dev, p);
    case USB_PID_IN:
        return usb_in_stage(dev, p);
    default:
        return usb_out_stage(dev, p);
    }
}

USBResult usb_packet(USBDevice *dev, USBPacket *p)
{
    const USBEndpoint *e = &usb_type(dev)->descriptors->endpoint;
    unsigned address = p->endpoint | (p->pid == USB_PID_IN ? USB_DIR_IN : 0);

    p->actual = 0;
    if (p->endpoint == 0) {
        return usb_control(dev, p);
    }
    if (dev->configuration == 0 || address != e->address || p->pid == USB_PID_SETUP ||
        (dev->halted & usb_endpoint_bit(address))) {
        return USB_STALL;
    }
    return usb_type(dev)->transfer(dev, p);
}

/* --- the class of devices --- */

/* The port comes from the description. Machines without one (tests) get the first free port. */
static bool usb_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    USBDevice *d = (USBDevice *)dev;
    USBBus *bus = (USBBus *)dev->bus;
    const USBDevice *other;

    if (!bus || dev->bus->kind != PLAN_BUS_USB) {
        return error_set(err, ERROR_USER, "%s: bus '%s' is not a USB bus", device_name(dev),
                         dev->bus ? dev->bus->name : "none");
    }
    while (d->port == 0 || (!plan && d->port < bus->n_ports && usb_bus_find(bus, d->port))) {
        d->port++;
    }
    other = usb_bus_find(bus, d->port);
    if (d->port > bus->n_ports || other) {
        return error_set(err, ERROR_USER, "%s: port %u of bus '%s' %s; the bus has ports 1 to %u",
                         device_name(dev), d->port, dev->bus->name,
                         other ? "is already in use" : "does not exist", bus->n_ports);
    }
    dev->plan_id = g_strdup_printf("%s/%u", dev->bus->owner->plan_id, d->port);
    return true;
}

static void usb_ready(Device *dev)
{
    USBBus *bus = (USBBus *)dev->bus;

    bus->ops->attached(bus, (USBDevice *)dev);
}

static void usb_detach(Device *dev)
{
    USBBus *bus = (USBBus *)dev->bus;

    if (dev->realized) {
        bus->ops->detached(bus, (USBDevice *)dev);
    }
}

static void usb_kind_reset(Device *dev, ResetKind kind)
{
    usb_device_reset((USBDevice *)dev);
}

static bool usb_kind_prop(const DeviceType *type, size_t i, PlanProp *out)
{
    static const PlanProp rows[] = {
        { .name = "port",
          .kind = PLAN_PROP_U32,
          .flags = PLAN_PROP_TEXT,
          .field = FIELD(USBDevice, port, uint32_t),
          .min = 1,
          .max = USB_MAX_PORTS,
          .doc = "port of the bus (default: the lowest free one)" },
        PROP_U32(USBDevice, usb_version, "usb_version", 2, 1, 2, "1: full speed; 2: high speed"),
        PROP_STR(USBDevice, serial, "serial",
                 "serial number (default: contains the address of the controller and the port)"),
    };

    if (i < G_N_ELEMENTS(rows)) {
        *out = rows[i];
    }
    return i < G_N_ELEMENTS(rows);
}

static void usb_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_USB;
}

const DeviceKind usb_device_kind = {
    .name = "usb-device",
    .attach = usb_attach,
    .ready = usb_ready,
    .detach = usb_detach,
    .reset = usb_kind_reset,
    .prop = usb_kind_prop,
    .describe = usb_describe,
};

/* --- saved state --- */

static bool usb_state_check(void *obj, GError **err)
{
    const USBDevice *d = obj;

    if (d->control_at > d->control_len) {
        return error_set(err, ERROR_GUEST, "%u of %u bytes of a request are transferred",
                         d->control_at, d->control_len);
    }
    return true;
}

static const VmField usb_fields[] = {
    VM_U8(USBDevice, address, .max = 127),
    VM_U8(USBDevice, configuration, .max = 1),
    VM_BOOL(USBDevice, remote_wakeup),
    VM_U32(USBDevice, halted),
    VM_BYTES(USBDevice, setup),
    VM_U8(USBDevice, stage, .max = USB_STAGES - 1),
    VM_U16(USBDevice, control_len, .max = USB_CONTROL_MAX),
    VM_U16(USBDevice, control_at, .max = USB_CONTROL_MAX),
    VM_BYTES(USBDevice, control),
};
const VmState usb_device_state = {
    .name = "usb-device", .version = 1, .fields = LIST(usb_fields), .check = usb_state_check
};

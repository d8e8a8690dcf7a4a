/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports of the root hub (xHCI 4.19, 5.4.8). Power is always on, as HCCPARAMS1.PPC is 0.
 */
#include "xhci_internal.h"

enum { REG_PORTSC = 0 };

static unsigned xhci_port_link(const XhciPort *p)
{
    return (p->sc & XHCI_PORT_PLS) >> XHCI_PORT_PLS_SHIFT;
}

static void xhci_port_set_link(XhciPort *p, unsigned link)
{
    p->sc = (p->sc & ~XHCI_PORT_PLS) | link << XHCI_PORT_PLS_SHIFT;
}

/* Set change bits. An event reports that they were clear before (4.19.2). */
static void xhci_port_changed(Xhci *x, unsigned port, uint32_t bits)
{
    XhciPort *p = &x->ports[port - 1];
    bool first = !(p->sc & XHCI_PORT_CHANGES);
    XhciTrb event = { .parameter = (uint64_t)port << 24,
                      .status = (uint32_t)XHCI_CODE_SUCCESS << 24,
                      .control = XHCI_EVENT_PORT << 10 };

    p->sc |= bits;
    if (first) {
        xhci_status(x, XHCI_STS_PORT);
        if (xhci_running(x)) {
            xhci_event(x, 0, &event, false);
        }
    }
}

/* Set the status of a port after a device was plugged or unplugged. */
static void xhci_port_connect(Xhci *x, unsigned port, const USBDevice *dev)
{
    XhciPort *p = &x->ports[port - 1];
    bool high = dev && usb_device_speed(dev) == USB_SPEED_HIGH;

    p->sc &= ~(uint32_t)(XHCI_PORT_CONNECT | XHCI_PORT_ENABLED | XHCI_PORT_SPEED);
    xhci_port_set_link(p, dev ? XHCI_PLS_POLLING : XHCI_PLS_RX_DETECT);
    if (dev) {
        p->sc |= XHCI_PORT_CONNECT | (high ? XHCI_SPEED_HIGH : XHCI_SPEED_FULL)
                                         << XHCI_PORT_SPEED_SHIFT;
    }
}

static USBDevice *xhci_port_find(Xhci *x, unsigned port)
{
    return port > x->p3 && port <= xhci_n_ports(x) ? usb_bus_find(&x->bus, port - x->p3) : NULL;
}

void xhci_ports_reset(Xhci *x)
{
    for (unsigned port = 1; port <= XHCI_MAX_PORTS; port++) {
        const USBDevice *dev = xhci_port_find(x, port);

        x->ports[port - 1].sc = port <= xhci_n_ports(x) ? XHCI_PORT_POWER : 0;
        if (port <= xhci_n_ports(x)) {
            xhci_port_connect(x, port, dev);
            x->ports[port - 1].sc |= dev ? XHCI_PORT_CSC : 0;
        }
    }
}

USBDevice *xhci_port_device(Xhci *x, unsigned port)
{
    USBDevice *dev = xhci_port_find(x, port);

    return dev && (x->ports[port - 1].sc & XHCI_PORT_ENABLED) ? dev : NULL;
}

bool xhci_port_suspended(const Xhci *x, unsigned port)
{
    return port >= 1 && port <= XHCI_MAX_PORTS && xhci_port_link(&x->ports[port - 1]);
}

/* --- devices --- */

static Xhci *xhci_of_bus(USBBus *bus)
{
    return (Xhci *)((uint8_t *)bus - offsetof(Xhci, bus));
}

static void xhci_attached(USBBus *bus, USBDevice *dev)
{
    Xhci *x = xhci_of_bus(bus);
    unsigned port = xhci_root_port(x, dev->port);

    xhci_port_connect(x, port, dev);
    xhci_port_changed(x, port, XHCI_PORT_CSC);
    xhci_update_irq(x);
}

/* Transfers to the device end with an error in a later turn. */
static void xhci_detached(USBBus *bus, USBDevice *dev)
{
    Xhci *x = xhci_of_bus(bus);
    unsigned port = xhci_root_port(x, dev->port);

    xhci_port_connect(x, port, NULL);
    xhci_port_changed(x, port, XHCI_PORT_CSC);
    xhci_update_irq(x);
    xhci_continue_all(x);
}

static void xhci_wakeup(USBBus *bus, USBDevice *dev, unsigned endpoint)
{
    Xhci *x = xhci_of_bus(bus);
    unsigned port = xhci_root_port(x, dev->port);
    XhciPort *p = &x->ports[port - 1];

    if (xhci_port_link(p) == XHCI_PLS_U3 && dev->remote_wakeup) {
        xhci_port_set_link(p, XHCI_PLS_RESUME);
        xhci_port_changed(x, port, XHCI_PORT_PLC);
        xhci_update_irq(x);
    }
    for (unsigned i = 1; i <= XHCI_SLOTS; i++) {
        XhciEndpoint *ep = x->slots[i].endpoints[2 * endpoint + 1];

        if (x->slots[i].state && x->slots[i].port == port && ep) {
            xhci_endpoint_due(x, ep);
        }
    }
}

const USBBusOps xhci_bus_ops = { xhci_attached, xhci_detached, xhci_wakeup };

/* --- registers --- */

/* Reset a port and its device: the port is enabled immediately (4.19.1.1). */
static void xhci_port_reset(Xhci *x, unsigned port)
{
    XhciPort *p = &x->ports[port - 1];
    USBDevice *dev = xhci_port_find(x, port);

    if (!dev) {
        return;
    }
    usb_device_reset(dev);
    p->sc |= XHCI_PORT_ENABLED;
    xhci_port_set_link(p, XHCI_PLS_U0);
    xhci_port_changed(x, port, XHCI_PORT_PRC);
}

/* Change the link state of an enabled port: suspend and resume (4.15). */
static void xhci_port_write_link(Xhci *x, unsigned port, unsigned link)
{
    XhciPort *p = &x->ports[port - 1];
    unsigned old = xhci_port_link(p);

    if (!(p->sc & XHCI_PORT_ENABLED)) {
        return;
    }
    if ((link == XHCI_PLS_U3 && old == XHCI_PLS_U0) ||
        (link == XHCI_PLS_RESUME && old == XHCI_PLS_U3)) {
        xhci_port_set_link(p, link);
    } else if (link == XHCI_PLS_U0 && old != XHCI_PLS_U0) {
        xhci_port_set_link(p, XHCI_PLS_U0);
        xhci_port_changed(x, port, XHCI_PORT_PLC);
        xhci_continue_all(x);
    }
}

static void xhci_port_write_status(Xhci *x, unsigned port, uint32_t value)
{
    const uint32_t rw = XHCI_PORT_INDICATOR | XHCI_PORT_WAKES;
    XhciPort *p = &x->ports[port - 1];

    p->sc = (p->sc & ~rw & ~(value & XHCI_PORT_CHANGES)) | (value & rw);
    if (value & XHCI_PORT_RESET) {
        xhci_port_reset(x, port);
        return;
    }
    if ((value & XHCI_PORT_ENABLED) && (p->sc & XHCI_PORT_ENABLED)) {
        p->sc &= ~(uint32_t)XHCI_PORT_ENABLED;
        xhci_port_set_link(p, XHCI_PLS_DISABLED);
        return;
    }
    if (value & XHCI_PORT_LINK_STROBE) {
        xhci_port_write_link(x, port, (value & XHCI_PORT_PLS) >> XHCI_PORT_PLS_SHIFT);
    }
}

static uint64_t xhci_port_read(void *opaque, uint64_t offset, unsigned size)
{
    const Xhci *x = opaque;
    bool status = offset % XHCI_PORT_BYTES == REG_PORTSC;

    return status ? x->ports[offset / XHCI_PORT_BYTES].sc : 0;
}

static void xhci_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Xhci *x = opaque;
    unsigned port = (unsigned)(offset / XHCI_PORT_BYTES) + 1;

    if (port <= xhci_n_ports(x) && offset % XHCI_PORT_BYTES == REG_PORTSC) {
        xhci_port_write_status(x, port, (uint32_t)value);
        xhci_update_irq(x);
    }
}

const MemOps xhci_port_ops = { .read = xhci_port_read,
                               .write = xhci_port_write,
                               .valid_min = 4,
                               .valid_max = 8,
                               .impl_min = 4,
                               .impl_max = 4 };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved state of qemu-xhci. The record "rings" contains the slots that are in use with their
 * endpoints, and the events that wait for space. Rings are continued when the machine runs.
 */
#include "util/error.h"
#include "xhci_internal.h"

enum { EVENT_BYTES = 16, MIN_SEGMENT = 16, MAX_SEGMENT = 4096 };

static Xhci *xhci_state_of(void *field)
{
    return (Xhci *)((uint8_t *)field - offsetof(Xhci, in_rings));
}

/* --- saving --- */

static void xhci_state_put_endpoint(const XhciEndpoint *ep, ByteWriter *w)
{
    put_u8(w, ep->dci);
    put_u8(w, ep->state);
    put_u8(w, ep->type);
    put_be16(w, ep->max_packet);
    put_be64(w, ep->ring.at);
    put_u8(w, ep->ring.cycle);
    put_be32(w, ep->done);
}

static void xhci_state_put_slot(const XhciSlot *s, unsigned id, ByteWriter *w)
{
    unsigned n = 0;

    for (unsigned dci = 1; dci < XHCI_DCIS; dci++) {
        n += s->endpoints[dci] != NULL;
    }
    put_u8(w, (uint8_t)id);
    put_u8(w, s->state);
    put_u8(w, s->port);
    put_u8(w, s->address);
    put_be64(w, s->context);
    put_u8(w, (uint8_t)n);
    for (unsigned dci = 1; dci < XHCI_DCIS; dci++) {
        if (s->endpoints[dci]) {
            xhci_state_put_endpoint(s->endpoints[dci], w);
        }
    }
}

static void xhci_state_save(void *field, ByteWriter *w)
{
    const Xhci *x = xhci_state_of(field);
    unsigned n = 0;

    for (unsigned id = 1; id <= XHCI_SLOTS; id++) {
        n += x->slots[id].state != 0;
    }
    put_u8(w, (uint8_t)n);
    for (unsigned id = 1; id <= XHCI_SLOTS; id++) {
        if (x->slots[id].state) {
            xhci_state_put_slot(&x->slots[id], id, w);
        }
    }
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        const GQueue *pending = &x->interrupters[i].pending;

        put_be16(w, (uint16_t)pending->length);
        for (const GList *l = pending->head; l; l = l->next) {
            const XhciTrb *event = l->data;

            put_be64(w, event->parameter);
            put_be32(w, event->status);
            put_be32(w, event->control);
        }
    }
}

/* --- loading --- */

typedef struct XhciLoad {
    Xhci *x;
    ByteReader *r;
    const char *path;
    GError **err;
} XhciLoad;

static bool xhci_state_fault(const XhciLoad *l, const char *what, unsigned value)
{
    return error_set(l->err, ERROR_GUEST, "%s: %s %u is not possible", l->path, what, value);
}

static bool xhci_state_get_endpoint(const XhciLoad *l, unsigned slot)
{
    unsigned dci = get_u8(l->r), state = get_u8(l->r), type = get_u8(l->r);
    unsigned max_packet = get_be16(l->r), cycle;
    XhciEndpoint *ep;

    if (dci == 0 || dci >= XHCI_DCIS || l->x->slots[slot].endpoints[dci]) {
        return xhci_state_fault(l, "endpoint context", dci);
    }
    if (state == XHCI_EP_DISABLED || state >= XHCI_EP_STATES ||
        !xhci_endpoint_is_valid(dci, type, max_packet)) {
        return xhci_state_fault(l, "state, type or packet size of endpoint context", dci);
    }
    ep = xhci_endpoint_new(l->x, slot, dci);
    ep->state = (uint8_t)state;
    ep->type = (uint8_t)type;
    ep->max_packet = (uint16_t)max_packet;
    ep->ring.at = get_be64(l->r);
    cycle = get_u8(l->r);
    ep->ring.cycle = cycle;
    ep->done = get_be32(l->r);
    if (cycle > 1 || (ep->ring.at & 15) || ep->done > XHCI_TD_TRBS * XHCI_TRB_MAX_LEN) {
        return xhci_state_fault(l, "ring of endpoint context", dci);
    }
    return true;
}

static bool xhci_state_get_slot(const XhciLoad *l)
{
    unsigned id = get_u8(l->r), state = get_u8(l->r), port = get_u8(l->r), address = get_u8(l->r);
    uint64_t context = get_be64(l->r);
    unsigned n = get_u8(l->r);
    XhciSlot *s;

    if (id == 0 || id > XHCI_SLOTS || l->x->slots[id].state) {
        return xhci_state_fault(l, "slot", id);
    }
    s = &l->x->slots[id];
    if (state == XHCI_SLOT_DISABLED || state > XHCI_SLOT_CONFIGURED ||
        (port == 0 ? state != XHCI_SLOT_ENABLED : port > xhci_n_ports(l->x)) ||
        address != (state >= XHCI_SLOT_ADDRESSED ? id : 0) || (context & 63)) {
        return xhci_state_fault(l, "state, port or address of slot", id);
    }
    *s = (XhciSlot){ .state = (uint8_t)state,
                     .port = (uint8_t)port,
                     .address = (uint8_t)address,
                     .context = context };
    for (unsigned i = 0; i < n; i++) {
        if (!reader_ok(l->r)) {
            return xhci_state_fault(l, "set of endpoints of slot", id);
        }
        if (!xhci_state_get_endpoint(l, id)) {
            return false;
        }
    }
    if (state == XHCI_SLOT_ENABLED ? n > 0 : !s->endpoints[1]) {
        return xhci_state_fault(l, "set of endpoints of slot", id);
    }
    return true;
}

static bool xhci_state_get_pending(const XhciLoad *l, unsigned interrupter)
{
    unsigned n = get_be16(l->r);

    if (n > XHCI_MAX_PENDING - l->x->n_pending || n > reader_left(l->r) / EVENT_BYTES) {
        return xhci_state_fault(l, "number of events that wait", n);
    }
    for (unsigned i = 0; i < n; i++) {
        XhciTrb event = { .parameter = get_be64(l->r) };

        event.status = get_be32(l->r);
        event.control = get_be32(l->r) & ~(uint32_t)XHCI_TRB_CYCLE;
        g_queue_push_tail(&l->x->interrupters[interrupter].pending,
                          g_memdup2(&event, sizeof(event)));
        l->x->n_pending++;
    }
    return true;
}

static bool xhci_state_load(void *field, ByteReader *r, const char *path, GError **err)
{
    XhciLoad l = { xhci_state_of(field), r, path, err };
    unsigned n = get_u8(r);

    xhci_slots_free(l.x);
    for (unsigned i = 0; i < n; i++) {
        if (!reader_ok(r)) {
            return xhci_state_fault(&l, "number of slots", n);
        }
        if (!xhci_state_get_slot(&l)) {
            return false;
        }
    }
    l.x->n_pending = 0;
    for (unsigned i = 0; i < XHCI_INTERRUPTERS; i++) {
        g_queue_clear_full(&l.x->interrupters[i].pending, g_free);
        if (!xhci_state_get_pending(&l, i)) {
            return false;
        }
    }
    return true;
}

static const VmOps xhci_rings_ops = { "xhci rings", xhci_state_save, xhci_state_load };

/* --- checks --- */

/* The ports agree with the devices of this machine. */
static bool xhci_state_check_port(Xhci *x, unsigned port, GError **err)
{
    uint32_t sc = x->ports[port - 1].sc;
    const USBDevice *dev = port > x->p3 ? usb_bus_find(&x->bus, port - x->p3) : NULL;
    uint32_t speed = (sc & XHCI_PORT_SPEED) >> XHCI_PORT_SPEED_SHIFT;
    uint32_t expected = !dev                                      ? 0
                        : usb_device_speed(dev) == USB_SPEED_HIGH ? XHCI_SPEED_HIGH
                                                                  : XHCI_SPEED_FULL;
    uint32_t legal = XHCI_PORT_CONNECT | XHCI_PORT_ENABLED | XHCI_PORT_PLS | XHCI_PORT_POWER |
                     XHCI_PORT_SPEED | XHCI_PORT_INDICATOR | XHCI_PORT_CHANGES | XHCI_PORT_WAKES;

    if (port > xhci_n_ports(x)) {
        return sc == 0 ||
               error_set(err, ERROR_GUEST, "port %u does not exist, PORTSC is 0x%x", port, sc);
    }
    if ((sc & ~legal) || !(sc & XHCI_PORT_POWER) || ((sc & XHCI_PORT_CONNECT) != 0) != !!dev ||
        ((sc & XHCI_PORT_ENABLED) && !dev) || speed != expected) {
        return error_set(err, ERROR_GUEST,
                         "PORTSC 0x%x of port %u does not agree with the device there (%s)", sc,
                         port, dev ? usb_device_name(dev) : "none");
    }
    return true;
}

static bool xhci_state_check(void *obj, GError **err)
{
    Xhci *x = obj;

    if (xhci_running(x) != ((x->usbcmd & XHCI_CMD_RUN) != 0) ||
        (x->command_running && !xhci_running(x))) {
        return error_set(err, ERROR_GUEST, "usbcmd 0x%x does not agree with usbsts 0x%x", x->usbcmd,
                         x->usbsts);
    }
    for (unsigned n = 0; n < XHCI_INTERRUPTERS; n++) {
        const XhciInterrupter *i = &x->interrupters[n];

        if (i->size ? i->size < MIN_SEGMENT || i->enqueue >= i->size : i->enqueue > 0) {
            return error_set(err, ERROR_GUEST, "interrupter %u: entry %u of an event ring with %u",
                             n, i->enqueue, i->size);
        }
    }
    for (unsigned port = 1; port <= XHCI_MAX_PORTS; port++) {
        if (!xhci_state_check_port(x, port, err)) {
            return false;
        }
    }
    return true;
}

/* --- the table --- */

static const VmField xhci_port_fields[] = { VM_U32(XhciPort, sc) };
static const VmState xhci_port_state = { .name = "xhci-port",
                                         .version = 1,
                                         .fields = LIST(xhci_port_fields) };
static const VmField xhci_interrupter_fields[] = {
    VM_U32(XhciInterrupter, iman, .mask = XHCI_IMAN_IP | XHCI_IMAN_IE),
    VM_U32(XhciInterrupter, imod),
    VM_U32(XhciInterrupter, erstsz, .max = 0xffff),
    VM_U64(XhciInterrupter, erstba),
    VM_U64(XhciInterrupter, erdp),
    VM_U64(XhciInterrupter, base),
    VM_U32(XhciInterrupter, size, .max = MAX_SEGMENT),
    VM_U32(XhciInterrupter, enqueue, .max = MAX_SEGMENT - 1),
    VM_BOOL(XhciInterrupter, cycle),
    VM_BOOL(XhciInterrupter, full),
};
static const VmState xhci_interrupter_state = { .name = "xhci-interrupter",
                                                .version = 1,
                                                .fields = LIST(xhci_interrupter_fields) };
static const VmField xhci_fields[] = {
    VM_PCI(Xhci, pci),
    VM_U32(Xhci, usbcmd, .mask = XHCI_CMD_KEPT),
    VM_U32(Xhci, usbsts,
           .mask = XHCI_STS_HALT | XHCI_STS_FATAL | XHCI_STS_EINT | XHCI_STS_PORT | XHCI_STS_SRE),
    VM_U32(Xhci, dnctrl, .max = 0xffff),
    VM_U64(Xhci, dcbaap, .mask = ~63ull),
    VM_U32(Xhci, config, .max = 0xff),
    VM_BOOL(Xhci, saved),
    VM_BOOL(Xhci, command_running),
    VM_U64(Xhci, command.at, .mask = ~15ull),
    VM_BOOL(Xhci, command.cycle),
    VM_I64(Xhci, mfindex_start),
    VM_U32(Xhci, mfindex, .max = XHCI_MFINDEX_MASK),
    VM_TIMER(Xhci, wrap),
    VM_STRUCT_ARRAY(Xhci, ports, &xhci_port_state),
    VM_STRUCT_ARRAY(Xhci, interrupters, &xhci_interrupter_state),
    VM_RECORD(Xhci, in_rings, uint8_t, &xhci_rings_ops),
};
const VmState xhci_state = {
    .name = "qemu-xhci", .version = 1, .fields = LIST(xhci_fields), .check = xhci_state_check
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and endpoints: their contexts and the commands that change them (xHCI 4.5, 4.6, 6.2).
 *
 * The controller keeps the state of slots and endpoints, and writes it to the Device Context of the
 * driver when it changes. Contexts of the driver are read by commands only.
 */
#include <string.h>

#include "xhci_internal.h"

enum { DROP, ADD, CONTROL_WORDS }; /* words of the Input Control Context */
enum { SLOT_ENTRIES_SHIFT = 27, SLOT_STATE_SHIFT = 27, SLOT_ROUTE = 0xfffff };
static const char context_name[] = "a device or input context";

/* --- life --- */

XhciEndpoint *xhci_endpoint_new(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = g_new0(XhciEndpoint, 1);

    xhci_endpoint_free(x, slot, dci);
    ep->slot = (uint8_t)slot;
    ep->dci = (uint8_t)dci;
    ep->link.data = ep;
    x->slots[slot].endpoints[dci] = ep;
    return ep;
}

void xhci_endpoint_free(Xhci *x, unsigned slot, unsigned dci)
{
    XhciEndpoint *ep = x->slots[slot].endpoints[dci];

    if (ep) {
        xhci_endpoint_not_due(x, ep);
        x->slots[slot].endpoints[dci] = NULL;
        g_free(ep);
    }
}

void xhci_slot_free(Xhci *x, unsigned slot)
{
    for (unsigned dci = 1; dci < XHCI_DCIS; dci++) {
        xhci_endpoint_free(x, slot, dci);
    }
    memset(&x->slots[slot], 0, sizeof(x->slots[slot]));
}

void xhci_slots_free(Xhci *x)
{
    for (unsigned slot = 1; slot <= XHCI_SLOTS; slot++) {
        xhci_slot_free(x, slot);
    }
}

/* --- contexts --- */

static uint64_t xhci_input_at(const XhciTrb *trb, unsigned dci)
{
    return (trb->parameter & ~15ull) + XHCI_CONTEXT_BYTES * (1ull + dci);
}

static bool xhci_read_input(Xhci *x, const XhciTrb *trb, unsigned dci, uint32_t *words)
{
    return xhci_read_words(x, xhci_input_at(trb, dci), words, XHCI_CONTEXT_WORDS, context_name);
}

static bool xhci_read_control(Xhci *x, const XhciTrb *trb, uint32_t *words)
{
    return xhci_read_words(x, trb->parameter & ~15ull, words, CONTROL_WORDS, context_name);
}

static bool xhci_read_output(Xhci *x, unsigned slot, unsigned dci, uint32_t *words)
{
    return xhci_read_words(x, x->slots[slot].context + (uint64_t)XHCI_CONTEXT_BYTES * dci, words,
                           XHCI_CONTEXT_WORDS, context_name);
}

static bool xhci_write_output(Xhci *x, unsigned slot, unsigned dci, const uint32_t *words)
{
    return xhci_write_words(x, x->slots[slot].context + (uint64_t)XHCI_CONTEXT_BYTES * dci, words,
                            XHCI_CONTEXT_WORDS, context_name);
}

/* Set the fields of a Slot Context that the controller owns. */
static void xhci_fill_slot(const XhciSlot *s, uint32_t *words)
{
    unsigned state = s->state == XHCI_SLOT_ENABLED ? 0 : s->state - 1u;

    words[3] = s->address | state << SLOT_STATE_SHIFT;
}

static void xhci_fill_endpoint(const XhciEndpoint *ep, uint32_t *words)
{
    words[0] = (words[0] & ~7u) | ep->state;
    words[2] = (uint32_t)ep->ring.at | ep->ring.cycle;
    words[3] = (uint32_t)(ep->ring.at >> 32);
}

bool xhci_endpoint_set_state(Xhci *x, XhciEndpoint *ep, unsigned state)
{
    uint32_t words[XHCI_CONTEXT_WORDS];

    ep->state = (uint8_t)state;
    if (state != XHCI_EP_RUNNING) {
        xhci_endpoint_not_due(x, ep);
    }
    if (!xhci_read_output(x, ep->slot, ep->dci, words)) {
        return false;
    }
    xhci_fill_endpoint(ep, words);
    return xhci_write_output(x, ep->slot, ep->dci, words);
}

bool xhci_endpoint_is_valid(unsigned dci, unsigned type, unsigned max_packet)
{
    bool in = dci & 1;

    if (max_packet == 0 || max_packet > XHCI_MAX_PACKET) {
        return false;
    }
    if (dci == 1) {
        return type == XHCI_EP_CONTROL;
    }
    return in ? type == XHCI_EP_BULK_IN || type == XHCI_EP_INTERRUPT_IN
              : type == XHCI_EP_BULK_OUT || type == XHCI_EP_INTERRUPT_OUT;
}

/* Create an endpoint from its input context, and write the output context. There are no streams. */
static XhciCode xhci_endpoint_add(Xhci *x, unsigned slot, unsigned dci, const uint32_t *input)
{
    uint32_t words[XHCI_CONTEXT_WORDS];
    unsigned type = input[1] >> 3 & 7, max_packet = input[1] >> 16, streams = input[0] >> 10 & 31;
    XhciEndpoint *ep;

    if (!xhci_endpoint_is_valid(dci, type, max_packet) || streams) {
        return XHCI_CODE_PARAMETER;
    }
    ep = xhci_endpoint_new(x, slot, dci);
    ep->type = (uint8_t)type;
    ep->max_packet = (uint16_t)max_packet;
    ep->ring.at = (input[2] & ~15u) | (uint64_t)input[3] << 32;
    ep->ring.cycle = input[2] & 1;
    ep->state = XHCI_EP_RUNNING;
    memcpy(words, input, sizeof(words));
    xhci_fill_endpoint(ep, words);
    return xhci_write_output(x, slot, dci, words) ? XHCI_CODE_SUCCESS : XHCI_CODE_NONE;
}

static bool xhci_endpoint_drop(Xhci *x, unsigned slot, unsigned dci)
{
    uint32_t words[XHCI_CONTEXT_WORDS];

    xhci_endpoint_free(x, slot, dci);
    if (!xhci_read_output(x, slot, dci, words)) {
        return false;
    }
    words[0] &= ~7u;
    return xhci_write_output(x, slot, dci, words);
}

/* Drop all endpoints but the default one. */
static bool xhci_endpoints_drop(Xhci *x, unsigned slot)
{
    for (unsigned dci = 2; dci < XHCI_DCIS; dci++) {
        if (x->slots[slot].endpoints[dci] && !xhci_endpoint_drop(x, slot, dci)) {
            return false;
        }
    }
    return true;
}

/* --- Address Device (4.6.5) --- */

/* Send SET_ADDRESS to the device, which is at the default address. */
static XhciCode xhci_set_address(Xhci *x, unsigned slot)
{
    XhciSlot *s = &x->slots[slot];
    USBDevice *dev = xhci_port_device(x, s->port);
    uint8_t setup[USB_SETUP_SIZE] = { USB_DIR_OUT, USB_REQ_SET_ADDRESS, (uint8_t)slot };
    USBPacket p = { .pid = USB_PID_SETUP, .data = setup, .len = sizeof(setup) };
    USBPacket status = { .pid = USB_PID_IN, .data = setup };

    if (!dev || dev->address != 0 || xhci_port_suspended(x, s->port)) {
        return XHCI_CODE_TRANSACTION;
    }
    if (usb_packet(dev, &p) != USB_DONE || usb_packet(dev, &status) != USB_DONE) {
        return XHCI_CODE_STALL;
    }
    s->address = (uint8_t)slot;
    return XHCI_CODE_SUCCESS;
}

/* Read the address of the Device Context from the array of the driver. */
static bool xhci_read_context_address(Xhci *x, unsigned slot)
{
    uint32_t words[2];

    if (!xhci_read_words(x, x->dcbaap + 8ull * slot, words, 2,
                         "the device context base address array")) {
        return false;
    }
    x->slots[slot].context = (words[0] & ~63u) | (uint64_t)words[1] << 32;
    return true;
}

XhciCode xhci_address_device(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    uint32_t control[CONTROL_WORDS], in[XHCI_CONTEXT_WORDS], in0[XHCI_CONTEXT_WORDS];
    XhciSlot *s = &x->slots[slot];
    bool bsr = trb->control & XHCI_TRB_BSR;
    unsigned port;
    XhciCode code;

    if (s->state != XHCI_SLOT_ENABLED && (bsr || s->state != XHCI_SLOT_DEFAULT)) {
        return XHCI_CODE_CONTEXT_STATE;
    }
    if (!xhci_read_control(x, trb, control) || !xhci_read_input(x, trb, 0, in) ||
        !xhci_read_input(x, trb, 1, in0) || !xhci_read_context_address(x, slot)) {
        return XHCI_CODE_NONE;
    }
    port = in[1] >> 16 & 0xff;
    if ((control[ADD] & 3) != 3 || port < 1 || port > xhci_n_ports(x) || (in[0] & SLOT_ROUTE) ||
        !xhci_endpoint_is_valid(1, in0[1] >> 3 & 7, in0[1] >> 16)) {
        return XHCI_CODE_PARAMETER;
    }
    s->port = (uint8_t)port;
    code = bsr ? XHCI_CODE_SUCCESS : xhci_set_address(x, slot);
    if (code != XHCI_CODE_SUCCESS) {
        return code;
    }
    s->state = bsr ? XHCI_SLOT_DEFAULT : XHCI_SLOT_ADDRESSED;
    xhci_fill_slot(s, in);
    if (!xhci_write_output(x, slot, 0, in)) {
        return XHCI_CODE_NONE;
    }
    return xhci_endpoint_add(x, slot, 1, in0);
}

/* --- Configure Endpoint (4.6.6) --- */

/* Write the Slot Context after the set of endpoints changed. */
static XhciCode xhci_slot_configured(Xhci *x, unsigned slot)
{
    XhciSlot *s = &x->slots[slot];
    uint32_t words[XHCI_CONTEXT_WORDS];
    unsigned last = 1;

    for (unsigned dci = 2; dci < XHCI_DCIS; dci++) {
        last = s->endpoints[dci] ? dci : last;
    }
    s->state = last > 1 ? XHCI_SLOT_CONFIGURED : XHCI_SLOT_ADDRESSED;
    if (!xhci_read_output(x, slot, 0, words)) {
        return XHCI_CODE_NONE;
    }
    words[0] = (words[0] & ~(31u << SLOT_ENTRIES_SHIFT)) | last << SLOT_ENTRIES_SHIFT;
    xhci_fill_slot(s, words);
    return xhci_write_output(x, slot, 0, words) ? XHCI_CODE_SUCCESS : XHCI_CODE_NONE;
}

/* Check the endpoints to add, before anything changes. */
static XhciCode xhci_check_added(Xhci *x, const XhciTrb *trb, uint32_t add)
{
    uint32_t in[XHCI_CONTEXT_WORDS];

    for (unsigned dci = 2; dci < XHCI_DCIS; dci++) {
        if (!(add >> dci & 1)) {
            continue;
        }
        if (!xhci_read_input(x, trb, dci, in)) {
            return XHCI_CODE_NONE;
        }
        if (!xhci_endpoint_is_valid(dci, in[1] >> 3 & 7, in[1] >> 16) || (in[0] >> 10 & 31)) {
            return XHCI_CODE_PARAMETER;
        }
    }
    return XHCI_CODE_SUCCESS;
}

static XhciCode xhci_change_endpoints(Xhci *x, unsigned slot, const XhciTrb *trb,
                                      const uint32_t *control)
{
    XhciCode code = xhci_check_added(x, trb, control[ADD]);

    for (unsigned dci = 2; dci < XHCI_DCIS && code == XHCI_CODE_SUCCESS; dci++) {
        uint32_t in[XHCI_CONTEXT_WORDS];

        if ((control[DROP] >> dci & 1) && x->slots[slot].endpoints[dci] &&
            !xhci_endpoint_drop(x, slot, dci)) {
            return XHCI_CODE_NONE;
        }
        if (control[ADD] >> dci & 1) {
            code = xhci_read_input(x, trb, dci, in) ? xhci_endpoint_add(x, slot, dci, in)
                                                    : XHCI_CODE_NONE;
        }
    }
    return code;
}

XhciCode xhci_configure_endpoint(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    uint32_t control[CONTROL_WORDS];
    XhciCode code;

    if (x->slots[slot].state < XHCI_SLOT_ADDRESSED) {
        return XHCI_CODE_CONTEXT_STATE;
    }
    if (trb->control & XHCI_TRB_DC) {
        return xhci_endpoints_drop(x, slot) ? xhci_slot_configured(x, slot) : XHCI_CODE_NONE;
    }
    if (!xhci_read_control(x, trb, control)) {
        return XHCI_CODE_NONE;
    }
    if ((control[DROP] & 3) || (control[ADD] & 3) != 1) {
        return XHCI_CODE_TRB;
    }
    code = xhci_change_endpoints(x, slot, trb, control);
    return code == XHCI_CODE_SUCCESS ? xhci_slot_configured(x, slot) : code;
}

/* --- Evaluate Context (4.6.7) --- */

static bool xhci_evaluate_slot(Xhci *x, unsigned slot, const uint32_t *in)
{
    uint32_t out[XHCI_CONTEXT_WORDS];

    if (!xhci_read_output(x, slot, 0, out)) {
        return false;
    }
    out[1] = (out[1] & ~0xffffu) | (in[1] & 0xffff);              /* Max Exit Latency */
    out[2] = (out[2] & ~(0x3ffu << 22)) | (in[2] & 0x3ffu << 22); /* Interrupter Target */
    xhci_fill_slot(&x->slots[slot], out);
    return xhci_write_output(x, slot, 0, out);
}

static bool xhci_evaluate_endpoint(Xhci *x, unsigned slot, const uint32_t *in)
{
    uint32_t out[XHCI_CONTEXT_WORDS];
    XhciEndpoint *ep = x->slots[slot].endpoints[1];

    if (!xhci_read_output(x, slot, 1, out)) {
        return false;
    }
    out[1] = (out[1] & 0xffff) | (in[1] & 0xffff0000); /* Max Packet Size */
    ep->max_packet = (uint16_t)(in[1] >> 16);
    return xhci_write_output(x, slot, 1, out);
}

XhciCode xhci_evaluate_context(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    uint32_t control[CONTROL_WORDS], in[XHCI_CONTEXT_WORDS], in0[XHCI_CONTEXT_WORDS];

    if (x->slots[slot].state < XHCI_SLOT_DEFAULT) {
        return XHCI_CODE_CONTEXT_STATE;
    }
    if (!xhci_read_control(x, trb, control) || !xhci_read_input(x, trb, 0, in) ||
        !xhci_read_input(x, trb, 1, in0)) {
        return XHCI_CODE_NONE;
    }
    if (control[DROP] || (control[ADD] & ~3u)) {
        return XHCI_CODE_TRB;
    }
    if ((control[ADD] & 2) && !xhci_endpoint_is_valid(1, XHCI_EP_CONTROL, in0[1] >> 16)) {
        return XHCI_CODE_PARAMETER;
    }
    if (((control[ADD] & 1) && !xhci_evaluate_slot(x, slot, in)) ||
        ((control[ADD] & 2) && !xhci_evaluate_endpoint(x, slot, in0))) {
        return XHCI_CODE_NONE;
    }
    return XHCI_CODE_SUCCESS;
}

/* --- Reset Device (4.6.11) --- */

XhciCode xhci_reset_device(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    XhciSlot *s = &x->slots[slot];
    uint32_t words[XHCI_CONTEXT_WORDS];

    if (s->state < XHCI_SLOT_ADDRESSED) {
        return XHCI_CODE_CONTEXT_STATE;
    }
    s->state = XHCI_SLOT_DEFAULT;
    s->address = 0;
    if (!xhci_endpoints_drop(x, slot) || !xhci_read_output(x, slot, 0, words)) {
        return XHCI_CODE_NONE;
    }
    words[0] = (words[0] & ~(31u << SLOT_ENTRIES_SHIFT)) | 1u << SLOT_ENTRIES_SHIFT;
    xhci_fill_slot(s, words);
    return xhci_write_output(x, slot, 0, words) ? XHCI_CODE_SUCCESS : XHCI_CODE_NONE;
}

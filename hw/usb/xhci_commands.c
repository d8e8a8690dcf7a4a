/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command ring (xHCI 4.6). A command completes before the next one is read.
 */
#include <string.h>

#include "xhci_internal.h"

enum { BANDWIDTH_PERCENT = 80 }; /* of a port without periodic transfers (USB 2.0, 5.7.4) */

typedef XhciCode XhciCommandFn(Xhci *x, unsigned slot, const XhciTrb *trb);

/* --- slots (4.6.3, 4.6.4) --- */

/* Return the Slot ID; 0: all are in use. */
static unsigned xhci_slot_enable(Xhci *x)
{
    for (unsigned slot = 1; slot <= MIN(x->config, XHCI_SLOTS); slot++) {
        if (!x->slots[slot].state) {
            x->slots[slot].state = XHCI_SLOT_ENABLED;
            return slot;
        }
    }
    return 0;
}

static XhciCode xhci_slot_disable(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    uint32_t words[XHCI_CONTEXT_WORDS] = { 0 };
    uint64_t context = x->slots[slot].context;

    xhci_slot_free(x, slot);
    if (context && !xhci_write_words(x, context, words, XHCI_CONTEXT_WORDS, "a slot context")) {
        return XHCI_CODE_NONE;
    }
    return XHCI_CODE_SUCCESS;
}

/* --- endpoints (4.6.8 to 4.6.10) --- */

static XhciCode xhci_endpoint_command(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    unsigned dci = trb->control >> 16 & 31, type = xhci_trb_type(trb);
    XhciEndpoint *ep = dci ? x->slots[slot].endpoints[dci] : NULL;

    if (dci == 0) {
        return XHCI_CODE_TRB;
    }
    if (!ep) {
        return XHCI_CODE_ENDPOINT_NOT_ENABLED;
    }
    switch (type) {
    case XHCI_TRB_RESET_ENDPOINT:
        if (ep->state != XHCI_EP_HALTED) {
            return XHCI_CODE_CONTEXT_STATE;
        }
        break;
    case XHCI_TRB_STOP_ENDPOINT:
        if (ep->state != XHCI_EP_RUNNING) {
            return XHCI_CODE_CONTEXT_STATE;
        }
        xhci_endpoint_stopped(x, ep);
        break;
    default: /* Set TR Dequeue Pointer */
        if (ep->state != XHCI_EP_STOPPED && ep->state != XHCI_EP_ERROR) {
            return XHCI_CODE_CONTEXT_STATE;
        }
        if (trb->status >> 16) {
            return XHCI_CODE_TRB; /* a Stream ID */
        }
        ep->ring = (XhciRing){ trb->parameter & ~15ull, trb->parameter & 1 };
        ep->done = 0;
    }
    return xhci_endpoint_set_state(x, ep, XHCI_EP_STOPPED) ? XHCI_CODE_SUCCESS : XHCI_CODE_NONE;
}

/* --- Get Port Bandwidth (4.6.15) --- */

static XhciCode xhci_get_bandwidth(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    uint32_t words[XHCI_CONTEXT_WORDS] = { 0 };
    unsigned n = xhci_n_ports(x) / 4 + 1;

    for (unsigned port = 1; port <= xhci_n_ports(x); port++) {
        words[port / 4] |= (uint32_t)BANDWIDTH_PERCENT << 8 * (port % 4);
    }
    return xhci_write_words(x, trb->parameter & ~15ull, words, n, "a port bandwidth context")
               ? XHCI_CODE_SUCCESS
               : XHCI_CODE_NONE;
}

static XhciCode xhci_no_op(Xhci *x, unsigned slot, const XhciTrb *trb)
{
    return XHCI_CODE_SUCCESS;
}

/* --- the ring --- */

static const struct {
    uint8_t type;
    bool slot; /* the command is for a slot that is enabled */
    XhciCommandFn *fn;
} xhci_commands[] = {
    { XHCI_TRB_DISABLE_SLOT, true, xhci_slot_disable },
    { XHCI_TRB_ADDRESS_DEVICE, true, xhci_address_device },
    { XHCI_TRB_CONFIGURE_ENDPOINT, true, xhci_configure_endpoint },
    { XHCI_TRB_EVALUATE_CONTEXT, true, xhci_evaluate_context },
    { XHCI_TRB_RESET_ENDPOINT, true, xhci_endpoint_command },
    { XHCI_TRB_STOP_ENDPOINT, true, xhci_endpoint_command },
    { XHCI_TRB_SET_DEQUEUE, true, xhci_endpoint_command },
    { XHCI_TRB_RESET_DEVICE, true, xhci_reset_device },
    { XHCI_TRB_GET_BANDWIDTH, false, xhci_get_bandwidth },
    { XHCI_TRB_NOOP_COMMAND, false, xhci_no_op },
};

/* Execute a command. *slot: its Slot ID, which Enable Slot sets. */
static XhciCode xhci_command_execute(Xhci *x, const XhciTrb *trb, unsigned *slot)
{
    unsigned type = xhci_trb_type(trb);

    if (type == XHCI_TRB_ENABLE_SLOT) {
        *slot = xhci_slot_enable(x);
        return *slot ? XHCI_CODE_SUCCESS : XHCI_CODE_NO_SLOTS;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(xhci_commands); i++) {
        if (xhci_commands[i].type != type) {
            continue;
        }
        if (xhci_commands[i].slot && (*slot == 0 || *slot > XHCI_SLOTS || !x->slots[*slot].state)) {
            return XHCI_CODE_SLOT_NOT_ENABLED;
        }
        return xhci_commands[i].fn(x, *slot, trb);
    }
    return XHCI_CODE_TRB;
}

static void xhci_command_event(Xhci *x, uint64_t at, XhciCode code, unsigned slot)
{
    XhciTrb event = { .parameter = at,
                      .status = (uint32_t)code << 24,
                      .control = slot << 24 | XHCI_EVENT_COMMAND << 10 };

    xhci_event(x, 0, &event, false);
}

bool xhci_command_next(Xhci *x)
{
    XhciTrb trb;
    uint64_t at;
    unsigned slot;
    XhciCode code;

    if (!x->command_running) {
        return false;
    }
    switch (xhci_ring_next(x, &x->command, &trb, &at)) {
    case XHCI_FETCH_TRB:
        break;
    case XHCI_FETCH_ERROR: /* a loop of Link TRBs: there is no command that could be completed */
        x->command_running = false;
        xhci_command_event(x, x->command.at, XHCI_CODE_TRB, 0);
        return false;
    default:
        return false;
    }
    slot = trb.control >> 24;
    code = xhci_command_execute(x, &trb, &slot);
    if (code != XHCI_CODE_NONE) {
        xhci_command_event(x, at, code, slot);
    }
    return true;
}

void xhci_command_stop(Xhci *x)
{
    x->command_running = x->command_due = false;
    xhci_command_event(x, x->command.at, XHCI_CODE_RING_STOPPED, 0);
}

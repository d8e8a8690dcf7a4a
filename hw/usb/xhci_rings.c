/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command and transfer rings, doorbells, and the turns in which rings are processed (xHCI 4.9).
 *
 * A turn executes commands first, then endpoints one after the other. It ends when its units are
 * used up; the next turn continues. A ring whose Link TRBs form a loop therefore costs a bounded
 * part of the time of the event loop.
 */
#include "util/log.h"
#include "xhci_internal.h"

XhciFetch xhci_ring_next(Xhci *x, XhciRing *ring, XhciTrb *trb, uint64_t *at)
{
    for (unsigned links = 0; links <= XHCI_MAX_LINKS; links++) {
        uint32_t words[4];

        xhci_charge(x, 1);
        if (!xhci_read_words(x, ring->at, words, 4, "a command or transfer ring")) {
            return XHCI_FETCH_FATAL;
        }
        if ((words[3] & XHCI_TRB_CYCLE) != (ring->cycle ? XHCI_TRB_CYCLE : 0)) {
            return XHCI_FETCH_NONE;
        }
        *trb = (XhciTrb){ words[0] | (uint64_t)words[1] << 32, words[2], words[3] };
        *at = ring->at;
        if (xhci_trb_type(trb) != XHCI_TRB_LINK) {
            ring->at += XHCI_TRB_BYTES;
            return XHCI_FETCH_TRB;
        }
        ring->at = trb->parameter & ~15ull;
        ring->cycle ^= (trb->control & XHCI_TRB_TC) != 0;
    }
    return XHCI_FETCH_ERROR;
}

/* --- turns --- */

void xhci_charge(Xhci *x, unsigned units)
{
    x->turn_left -= MIN(units, x->turn_left);
}

void xhci_later(Xhci *x)
{
    if (!x->pci.dev.hidden) {
        bottom_half_schedule(&x->work);
    }
}

void xhci_endpoint_due(Xhci *x, XhciEndpoint *ep)
{
    if (!ep->due && ep->state == XHCI_EP_RUNNING) {
        ep->due = true;
        g_queue_push_tail_link(&x->due, &ep->link);
        xhci_later(x);
    }
}

void xhci_endpoint_not_due(Xhci *x, XhciEndpoint *ep)
{
    if (ep->due) {
        ep->due = false;
        g_queue_unlink(&x->due, &ep->link);
    }
}

/* Rings are processed while the controller runs and all events have space. */
static bool xhci_may_work(const Xhci *x)
{
    return xhci_running(x) && x->n_pending == 0 && pci_bus_master(&x->pci) &&
           machine_active(x->pci.dev.machine);
}

static void xhci_work(Xhci *x)
{
    x->turn_left = XHCI_TURN;
    while (x->turn_left > 0 && xhci_may_work(x)) {
        XhciEndpoint *ep;

        if (x->command_due) {
            x->command_due = xhci_command_next(x);
            continue;
        }
        ep = g_queue_peek_head(&x->due);
        if (!ep) {
            return;
        }
        xhci_endpoint_not_due(x, ep);
        xhci_charge(x, 1);
        xhci_endpoint_run(x, ep);
    }
    if (x->turn_left == 0 && (x->command_due || x->due.head)) {
        xhci_later(x);
    }
}

void xhci_turn(void *xhci)
{
    xhci_work(xhci);
}

void xhci_continue_all(Xhci *x)
{
    x->command_due = x->command_running;
    for (unsigned s = 1; s <= XHCI_SLOTS; s++) {
        for (unsigned dci = 1; x->slots[s].state && dci < XHCI_DCIS; dci++) {
            if (x->slots[s].endpoints[dci]) {
                xhci_endpoint_due(x, x->slots[s].endpoints[dci]);
            }
        }
    }
    xhci_later(x);
}

/* --- doorbells (5.6) --- */

/* Process the rings now, unless others wait for their turn, or the write is DMA of another device:
 * one access could otherwise start any number of turns. */
static void xhci_doorbell_work(Xhci *x, bool idle)
{
    if (idle && x->pci.dev.machine->entered <= 1) {
        xhci_work(x);
    } else {
        xhci_later(x);
    }
}

static void xhci_doorbell_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Xhci *x = opaque;
    unsigned slot = (unsigned)(offset / 4), dci = value & 0xff;
    bool idle = !x->work.scheduled && !x->command_due && !x->due.head;
    XhciEndpoint *ep;

    if (!xhci_running(x)) {
        return;
    }
    if (slot == 0) {
        x->command_running = true;
        x->command_due = true;
        xhci_doorbell_work(x, idle);
        return;
    }
    ep = dci >= 1 && dci < XHCI_DCIS ? x->slots[slot].endpoints[dci] : NULL;
    if (!ep) {
        guest_error(xhci_name(x), "doorbell of slot %u, endpoint context %u, which is not in use",
                    slot, dci);
        return;
    }
    if (ep->state == XHCI_EP_STOPPED && pci_bus_master(&x->pci)) {
        xhci_endpoint_set_state(x, ep, XHCI_EP_RUNNING);
    }
    xhci_endpoint_due(x, ep);
    xhci_doorbell_work(x, idle);
}

/* Doorbells read as zero. */
static uint64_t xhci_doorbell_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

const MemOps xhci_doorbell_ops = { .read = xhci_doorbell_read,
                                   .write = xhci_doorbell_write,
                                   .valid_min = 4,
                                   .valid_max = 8,
                                   .impl_min = 4,
                                   .impl_max = 4 };

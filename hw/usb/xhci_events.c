/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event rings, interrupters and the runtime registers (xHCI 4.9.4, 4.17, 5.5).
 *
 * An event ring has one segment. Its table is read when the first event is written after ERSTBA
 * was. Events without space in their ring wait, and commands and transfers wait with them.
 */
#include <string.h>

#include "util/log.h"
#include "xhci_internal.h"

enum { MIN_ENTRIES = 16, MAX_ENTRIES = 4096 };
enum {
    REG_IMAN = 0x00,
    REG_IMOD = 0x04,
    REG_ERSTSZ = 0x08,
    REG_ERSTBA = 0x10,
    REG_ERDP = 0x18,
    IMOD_RESET = 4000, /* 1 ms */
};

void xhci_interrupters_reset(Xhci *x)
{
    for (unsigned n = 0; n < XHCI_INTERRUPTERS; n++) {
        XhciInterrupter *i = &x->interrupters[n];

        g_queue_clear_full(&i->pending, g_free);
        memset(i, 0, sizeof(*i));
        g_queue_init(&i->pending);
        i->imod = IMOD_RESET;
        i->cycle = true;
    }
    x->n_pending = 0;
}

/* --- interrupts --- */

void xhci_update_irq(void *xhci)
{
    Xhci *x = xhci;
    bool level = false, msix = msix_enabled(&x->pci);

    for (unsigned n = 0; n < XHCI_INTERRUPTERS && (x->usbcmd & XHCI_CMD_EIE); n++) {
        XhciInterrupter *i = &x->interrupters[n];

        if ((i->iman & (XHCI_IMAN_IP | XHCI_IMAN_IE)) != (XHCI_IMAN_IP | XHCI_IMAN_IE)) {
            continue;
        }
        if (msix) { /* the message clears IP (4.17.5) */
            i->iman &= ~(uint32_t)XHCI_IMAN_IP;
            msix_notify(&x->pci, n);
        } else {
            level = true;
        }
    }
    pci_irq_set(&x->pci, 0, level && !msix);
}

static void xhci_interrupt(Xhci *x, XhciInterrupter *i)
{
    if (i->erdp & XHCI_ERDP_EHB) {
        return; /* the driver has not finished with earlier events */
    }
    i->erdp |= XHCI_ERDP_EHB;
    i->iman |= XHCI_IMAN_IP;
    xhci_status(x, XHCI_STS_EINT);
    xhci_update_irq(x);
}

/* --- event rings --- */

/* Read the segment table. False: there is none yet, or it is not valid. */
static bool xhci_event_ring_load(Xhci *x, XhciInterrupter *i)
{
    uint32_t entry[4];

    if (i->size) {
        return true;
    }
    if (i->erstsz == 0 || i->erstba == 0 ||
        !xhci_read_words(x, i->erstba, entry, 4, "an event ring segment table")) {
        return false;
    }
    if (entry[2] < MIN_ENTRIES || entry[2] > MAX_ENTRIES || (entry[0] & 63)) {
        xhci_fatal(x, "an event ring segment with a size or an address that is not valid");
        return false;
    }
    i->base = entry[0] | (uint64_t)entry[1] << 32;
    i->size = entry[2];
    return true;
}

/* Return the entries between the enqueue pointer and the dequeue pointer, less the one that stays
 * free. */
static uint32_t xhci_event_space(const XhciInterrupter *i)
{
    uint64_t offset = (i->erdp & ~15ull) - i->base;
    uint32_t dequeue = (uint32_t)(offset / XHCI_TRB_BYTES);

    if (offset / XHCI_TRB_BYTES >= i->size) {
        return 0; /* the driver has not set the pointer, or it is wrong */
    }
    return (dequeue + i->size - i->enqueue - 1) % i->size;
}

static void xhci_event_put(Xhci *x, XhciInterrupter *i, const XhciTrb *event)
{
    uint64_t at = i->base + (uint64_t)i->enqueue * XHCI_TRB_BYTES;
    uint32_t words[4] = { (uint32_t)event->parameter, (uint32_t)(event->parameter >> 32),
                          event->status, event->control | (i->cycle ? XHCI_TRB_CYCLE : 0) };

    if (!xhci_write_words(x, at, words, 3, "an event ring")) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the cycle bit hands the event over */
    if (xhci_write_words(x, at + 12, words + 3, 1, "an event ring") && ++i->enqueue == i->size) {
        i->enqueue = 0;
        i->cycle = !i->cycle;
    }
}

/* Write an event. False: it has to wait. The last entry reports that the ring is full. */
static bool xhci_event_write(Xhci *x, XhciInterrupter *i, const XhciTrb *event)
{
    static const XhciTrb full = { .status = (uint32_t)XHCI_CODE_RING_FULL << 24,
                                  .control = XHCI_EVENT_HOST << 10 };
    uint32_t space;

    if (!xhci_running(x) || !pci_bus_master(&x->pci) || !machine_active(x->pci.dev.machine) ||
        !xhci_event_ring_load(x, i)) {
        return false;
    }
    space = xhci_event_space(i);
    if (space > 1) {
        i->full = false;
        xhci_event_put(x, i, event);
        return true;
    }
    if (space == 1 && !i->full) {
        i->full = true;
        xhci_event_put(x, i, &full);
        xhci_interrupt(x, i);
    }
    return false;
}

void xhci_event(Xhci *x, unsigned interrupter, const XhciTrb *event, bool block)
{
    XhciInterrupter *i = &x->interrupters[interrupter < XHCI_INTERRUPTERS ? interrupter : 0];

    if (g_queue_is_empty(&i->pending) && xhci_event_write(x, i, event)) {
        if (!block) {
            xhci_interrupt(x, i);
        }
        return;
    }
    if (x->n_pending == XHCI_MAX_PENDING) {
        guest_error(xhci_name(x), "an event is dropped: %u wait for space in event rings",
                    x->n_pending);
        return;
    }
    g_queue_push_tail(&i->pending, g_memdup2(event, sizeof(*event)));
    x->n_pending++;
}

static void xhci_events_flush_ring(Xhci *x, XhciInterrupter *i)
{
    const XhciTrb *event;
    bool any = false;

    while ((event = g_queue_peek_head(&i->pending)) && xhci_event_write(x, i, event)) {
        g_free(g_queue_pop_head(&i->pending));
        x->n_pending--;
        any = true;
    }
    if (any) {
        xhci_interrupt(x, i);
    }
}

void xhci_events_flush(Xhci *x)
{
    for (unsigned n = 0; n < XHCI_INTERRUPTERS && x->n_pending; n++) {
        xhci_events_flush_ring(x, &x->interrupters[n]);
    }
}

/* The driver consumed events: continue what waited for space, and interrupt again if there are more
 * (4.17.2). */
static void xhci_event_ring_consumed(Xhci *x, XhciInterrupter *i)
{
    bool waited = x->n_pending > 0;

    xhci_events_flush_ring(x, i);
    if (i->size && !(i->erdp & XHCI_ERDP_EHB) && xhci_event_space(i) != i->size - 1) {
        xhci_interrupt(x, i);
    }
    if (waited && x->n_pending == 0) {
        xhci_continue_all(x);
    }
}

/* --- MFINDEX --- */

static uint32_t xhci_mfindex(const Xhci *x)
{
    int64_t now = clock_now_any(x->pci.dev.machine, CLOCK_KIND_VIRTUAL);

    return xhci_running(x)
               ? (uint32_t)((now - x->mfindex_start) / XHCI_MFINDEX_NS) & XHCI_MFINDEX_MASK
               : x->mfindex;
}

void xhci_mfindex_run(Xhci *x, bool run)
{
    int64_t now = clock_now_any(x->pci.dev.machine, CLOCK_KIND_VIRTUAL);

    if (run) {
        x->mfindex_start = now - (int64_t)x->mfindex * XHCI_MFINDEX_NS;
        xhci_mfindex_arm(x);
    } else {
        x->mfindex = xhci_mfindex(x);
        timer_cancel(&x->wrap);
    }
}

void xhci_mfindex_arm(Xhci *x)
{
    uint32_t left = XHCI_MFINDEX_MASK + 1 - xhci_mfindex(x);

    timer_cancel(&x->wrap);
    if (xhci_running(x) && (x->usbcmd & XHCI_CMD_EWE)) {
        timer_arm_ns(&x->wrap, (uint64_t)left * XHCI_MFINDEX_NS);
    }
}

void xhci_mfindex_wrap(void *xhci)
{
    static const XhciTrb event = { .status = (uint32_t)XHCI_CODE_SUCCESS << 24,
                                   .control = XHCI_EVENT_MFINDEX_WRAP << 10 };
    Xhci *x = xhci;

    if (x->n_pending == 0) { /* one that waits is sufficient */
        xhci_event(x, 0, &event, false);
    }
    xhci_mfindex_arm(x);
}

/* --- registers --- */

static XhciInterrupter *xhci_interrupter_at(Xhci *x, uint64_t offset)
{
    return &x->interrupters[(offset - XHCI_INTERRUPTER_BYTES) / XHCI_INTERRUPTER_BYTES];
}

static uint64_t xhci_runtime_read(void *opaque, uint64_t offset, unsigned size)
{
    Xhci *x = opaque;
    const XhciInterrupter *i;

    if (offset < XHCI_INTERRUPTER_BYTES) {
        return offset == 0 ? xhci_mfindex(x) : 0;
    }
    i = xhci_interrupter_at(x, offset);
    switch (offset % XHCI_INTERRUPTER_BYTES) {
    case REG_IMAN:
        return i->iman;
    case REG_IMOD:
        return i->imod;
    case REG_ERSTSZ:
        return i->erstsz;
    case REG_ERSTBA:
        return (uint32_t)i->erstba;
    case REG_ERSTBA + 4:
        return i->erstba >> 32;
    case REG_ERDP:
        return (uint32_t)i->erdp;
    case REG_ERDP + 4:
        return i->erdp >> 32;
    default:
        return 0;
    }
}

/* A new segment table starts a new ring. */
static void xhci_erstba_write(XhciInterrupter *i, uint64_t mask, uint64_t value)
{
    i->erstba = (i->erstba & ~mask) | (value & mask & ~63ull);
    i->base = 0;
    i->size = i->enqueue = 0;
    i->cycle = true;
    i->full = false;
}

static void xhci_erdp_write(Xhci *x, XhciInterrupter *i, uint64_t mask, uint64_t value)
{
    uint64_t busy = i->erdp & ~(value & mask) & XHCI_ERDP_EHB;

    i->erdp = (i->erdp & ~mask & ~(uint64_t)XHCI_ERDP_EHB) |
              (value & mask & ~(uint64_t)XHCI_ERDP_EHB) | busy;
    xhci_event_ring_consumed(x, i);
}

static void xhci_runtime_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Xhci *x = opaque;
    XhciInterrupter *i;

    if (offset < XHCI_INTERRUPTER_BYTES) {
        return;
    }
    i = xhci_interrupter_at(x, offset);
    switch (offset % XHCI_INTERRUPTER_BYTES) {
    case REG_IMAN:
        i->iman = (i->iman & ~value & XHCI_IMAN_IP) | (value & XHCI_IMAN_IE);
        break;
    case REG_IMOD:
        i->imod = (uint32_t)value;
        break;
    case REG_ERSTSZ:
        i->erstsz = value & 0xffff;
        break;
    case REG_ERSTBA:
        xhci_erstba_write(i, 0xffffffff, value);
        break;
    case REG_ERSTBA + 4:
        xhci_erstba_write(i, 0xffffffffull << 32, value << 32);
        break;
    case REG_ERDP:
        xhci_erdp_write(x, i, 0xffffffff, value);
        break;
    case REG_ERDP + 4:
        xhci_erdp_write(x, i, 0xffffffffull << 32, value << 32);
        break;
    default:
        return;
    }
    xhci_update_irq(x);
}

const MemOps xhci_runtime_ops = { .read = xhci_runtime_read,
                                  .write = xhci_runtime_write,
                                  .valid_min = 4,
                                  .valid_max = 8,
                                  .impl_min = 4,
                                  .impl_max = 4 };

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfer Descriptors: from the TRBs of a ring to packets, and from the responses to events (xHCI
 * 4.10, 4.11).
 *
 * A TD whose device responds with NAK stays the first one of its ring. It is read again when the
 * device has data; XhciEndpoint.done counts the bytes that earlier packets transferred.
 */
#include <string.h>

#include "util/log.h"
#include "xhci_internal.h"

typedef struct XhciTd {
    XhciTrb trb[XHCI_TD_TRBS];
    uint64_t at[XHCI_TD_TRBS];
    unsigned n;
    XhciRing after;
    uint32_t len; /* bytes of its buffers */
} XhciTd;

/* --- reading --- */

/* Return the bytes of the buffer of a TRB. */
static uint32_t xhci_trb_len(const XhciTrb *trb)
{
    unsigned type = xhci_trb_type(trb);

    return type == XHCI_TRB_NORMAL || type == XHCI_TRB_DATA ? trb->status & XHCI_TRB_LEN : 0;
}

/* Read the first TD of a ring. XHCI_FETCH_NONE: it is not complete. */
static XhciFetch xhci_td_read(Xhci *x, const XhciEndpoint *ep, XhciTd *td)
{
    XhciFetch fetch;

    td->n = 0;
    td->len = 0;
    td->after = ep->ring;
    do {
        if (td->n == XHCI_TD_TRBS) {
            return XHCI_FETCH_ERROR;
        }
        fetch = xhci_ring_next(x, &td->after, &td->trb[td->n], &td->at[td->n]);
        if (fetch != XHCI_FETCH_TRB) {
            return fetch;
        }
        if (xhci_trb_len(&td->trb[td->n]) > XHCI_TRB_MAX_LEN) {
            return XHCI_FETCH_ERROR;
        }
        td->len += xhci_trb_len(&td->trb[td->n]);
    } while (td->trb[td->n++].control & XHCI_TRB_CHAIN);
    return XHCI_FETCH_TRB;
}

/* Copy between the buffers of a TD, from byte `from` on, and memory of the host. */
static bool xhci_td_copy(Xhci *x, const XhciTd *td, uint32_t from, uint8_t *data, uint32_t len,
                         bool write)
{
    uint32_t start = 0;

    for (unsigned i = 0; i < td->n && len > 0; i++) {
        const XhciTrb *trb = &td->trb[i];
        uint32_t size = xhci_trb_len(trb), skip = MIN(from - MIN(from, start), size);
        uint32_t n = MIN(size - skip, len);

        start += size;
        if (n == 0) {
            continue;
        }
        if (trb->control & XHCI_TRB_IDT) {
            uint64_t immediate = GUINT64_TO_LE(trb->parameter);

            if (write || size > sizeof(immediate)) {
                return false;
            }
            memcpy(data, (uint8_t *)&immediate + skip, n);
        } else if ((write ? pci_dma_write_ram(&x->pci, trb->parameter + skip, data, n)
                          : pci_dma_read_ram(&x->pci, trb->parameter + skip, data, n)) != MEM_OK) {
            xhci_fatal(x, "a transfer buffer");
            return false;
        }
        data += n;
        len -= n;
        from += n;
    }
    return true;
}

/* --- events --- */

static void xhci_transfer_event(Xhci *x, const XhciEndpoint *ep, const XhciTrb *trb,
                                uint64_t parameter, uint32_t len, XhciCode code)
{
    bool data = xhci_trb_type(trb) == XHCI_TRB_EVENT_DATA;
    XhciTrb event = { .parameter = parameter,
                      .status = (uint32_t)code << 24 | (len & 0xffffff),
                      .control = (uint32_t)ep->slot << 24 | (uint32_t)ep->dci << 16 |
                                 XHCI_EVENT_TRANSFER << 10 | (data ? XHCI_EVENT_ED : 0) };

    xhci_event(x, trb->status >> 22, &event, trb->control & XHCI_TRB_BEI);
}

/* Report a TD of which `done` bytes were transferred. An error is reported for the TRB at which it
 * occurred, other results for those TRBs that request an event. */
static void xhci_td_report(Xhci *x, const XhciEndpoint *ep, const XhciTd *td, uint32_t done,
                           XhciCode code)
{
    bool failed = code != XHCI_CODE_SUCCESS && code != XHCI_CODE_SHORT_PACKET;
    uint32_t start = 0, sum = 0; /* sum: since the last Event Data TRB */
    bool is_short = false;

    for (unsigned i = 0; i < td->n; i++) {
        const XhciTrb *trb = &td->trb[i];
        uint32_t len = xhci_trb_len(trb), got = MIN(done - MIN(done, start), len);
        bool data = xhci_trb_type(trb) == XHCI_TRB_EVENT_DATA;
        bool first_short = !is_short && code == XHCI_CODE_SHORT_PACKET && got < len;
        XhciCode here = is_short || first_short ? XHCI_CODE_SHORT_PACKET : XHCI_CODE_SUCCESS;

        start += len;
        sum += got;
        if (failed && !data && (done < start || i + 1 == td->n)) {
            xhci_transfer_event(x, ep, trb, td->at[i], len - got, code);
            return;
        }
        is_short |= first_short;
        if ((trb->control & XHCI_TRB_IOC) || (first_short && (trb->control & XHCI_TRB_ISP))) {
            xhci_transfer_event(x, ep, trb, data ? trb->parameter : td->at[i],
                                data ? sum : len - got, here);
        }
        sum = data ? 0 : sum;
    }
}

/* --- packets --- */

static XhciCode xhci_result_code(USBResult result)
{
    static const uint8_t codes[] = { [USB_DONE] = XHCI_CODE_SUCCESS,
                                     [USB_NAK] = XHCI_CODE_NONE,
                                     [USB_STALL] = XHCI_CODE_STALL,
                                     [USB_BABBLE] = XHCI_CODE_BABBLE };

    return codes[result];
}

/* Send one packet with data of the TD. Return XHCI_CODE_NONE to wait for the device or because the
 * controller stopped, XHCI_CODE_SUCCESS if there may be more packets. */
static XhciCode xhci_td_packet(Xhci *x, XhciEndpoint *ep, const XhciTd *td, USBDevice *dev,
                               USBPid pid, uint32_t max)
{
    uint8_t data[USB_CONTROL_MAX];
    USBPacket p = { .pid = pid,
                    .endpoint = ep->dci / 2,
                    .data = data,
                    .len = MIN(td->len - ep->done, MIN(max, sizeof(data))) };
    USBResult result;

    G_STATIC_ASSERT((int)USB_CONTROL_MAX >= (int)XHCI_MAX_PACKET);
    if (pid == USB_PID_OUT && !xhci_td_copy(x, td, ep->done, data, p.len, false)) {
        return xhci_running(x) ? XHCI_CODE_TRB : XHCI_CODE_NONE;
    }
    xhci_charge(x, 2);
    result = usb_packet(dev, &p);
    if (pid == USB_PID_IN && !xhci_td_copy(x, td, ep->done, data, p.actual, true)) {
        return xhci_running(x) ? XHCI_CODE_TRB : XHCI_CODE_NONE;
    }
    ep->done += p.actual;
    if (result == USB_DONE && p.actual < p.len) {
        return XHCI_CODE_SHORT_PACKET;
    }
    return xhci_result_code(result);
}

/* Send the packets of a TD of a bulk or interrupt endpoint. */
static XhciCode xhci_td_data(Xhci *x, XhciEndpoint *ep, const XhciTd *td, USBDevice *dev)
{
    USBPid pid = ep->dci & 1 ? USB_PID_IN : USB_PID_OUT;
    XhciCode code;

    if (xhci_trb_type(&td->trb[0]) != XHCI_TRB_NORMAL) {
        return XHCI_CODE_TRB;
    }
    do {
        code = xhci_td_packet(x, ep, td, dev, pid, ep->max_packet);
        if (code == XHCI_CODE_SUCCESS && ep->done < td->len && x->turn_left == 0) {
            xhci_endpoint_due(x, ep);
            return XHCI_CODE_NONE;
        }
    } while (code == XHCI_CODE_SUCCESS && ep->done < td->len);
    return code;
}

/* A stage of the default pipe (4.11.2.2). */
static XhciCode xhci_td_control(Xhci *x, XhciEndpoint *ep, const XhciTd *td, USBDevice *dev)
{
    const XhciTrb *trb = &td->trb[0];
    USBPid pid = trb->control & XHCI_TRB_DIR ? USB_PID_IN : USB_PID_OUT;
    uint64_t immediate = GUINT64_TO_LE(trb->parameter);
    USBPacket setup = { .pid = USB_PID_SETUP, .data = (uint8_t *)&immediate, .len = 8 };

    switch (xhci_trb_type(trb)) {
    case XHCI_TRB_SETUP:
        if (!(trb->control & XHCI_TRB_IDT) || (trb->status & XHCI_TRB_LEN) != USB_SETUP_SIZE) {
            return XHCI_CODE_TRB;
        }
        return xhci_result_code(usb_packet(dev, &setup));
    case XHCI_TRB_DATA:
        return xhci_td_packet(x, ep, td, dev, pid, USB_CONTROL_MAX);
    case XHCI_TRB_STATUS:
        return xhci_td_packet(x, ep, td, dev, pid, 0);
    default:
        return XHCI_CODE_TRB;
    }
}

static XhciCode xhci_td_transfer(Xhci *x, XhciEndpoint *ep, const XhciTd *td)
{
    const XhciSlot *s = &x->slots[ep->slot];
    USBDevice *dev = xhci_port_device(x, s->port);
    unsigned type = xhci_trb_type(&td->trb[0]);

    if (type == XHCI_TRB_NOOP || type == XHCI_TRB_EVENT_DATA) {
        return XHCI_CODE_SUCCESS;
    }
    if (!dev || dev->address != s->address) {
        return XHCI_CODE_TRANSACTION;
    }
    if (xhci_port_suspended(x, s->port)) {
        return XHCI_CODE_NONE; /* until the port resumes */
    }
    return ep->dci == 1 ? xhci_td_control(x, ep, td, dev) : xhci_td_data(x, ep, td, dev);
}

/* --- endpoints --- */

/* Report a ring that contains no valid TD. */
static void xhci_endpoint_fail(Xhci *x, XhciEndpoint *ep, const XhciTd *td)
{
    XhciTrb first = td->n ? td->trb[0] : (XhciTrb){ 0 };

    guest_error(xhci_name(x), "slot %u, endpoint context %u: a TD with too many or too long TRBs",
                ep->slot, ep->dci);
    xhci_transfer_event(x, ep, &first, ep->ring.at, 0, XHCI_CODE_TRB);
    xhci_endpoint_set_state(x, ep, XHCI_EP_ERROR);
}

/* Process the first TD. False: wait, or the ring is empty. */
static bool xhci_endpoint_next(Xhci *x, XhciEndpoint *ep)
{
    XhciTd td;
    XhciCode code;
    uint32_t done;

    switch (xhci_td_read(x, ep, &td)) {
    case XHCI_FETCH_TRB:
        break;
    case XHCI_FETCH_ERROR:
        xhci_endpoint_fail(x, ep, &td);
        return false;
    default:
        return false;
    }
    ep->done = MIN(ep->done, td.len);
    code = xhci_td_transfer(x, ep, &td);
    if (code == XHCI_CODE_NONE) {
        return false;
    }
    done = ep->done;
    ep->done = 0;
    if (code == XHCI_CODE_SUCCESS || code == XHCI_CODE_SHORT_PACKET) {
        ep->ring = td.after;
        xhci_td_report(x, ep, &td, done, code);
        return true;
    }
    xhci_td_report(x, ep, &td, done, code);
    xhci_endpoint_set_state(x, ep, code == XHCI_CODE_TRB ? XHCI_EP_ERROR : XHCI_EP_HALTED);
    return false;
}

void xhci_endpoint_run(Xhci *x, XhciEndpoint *ep)
{
    while (xhci_running(x) && ep->state == XHCI_EP_RUNNING && xhci_endpoint_next(x, ep)) {
        if (x->turn_left == 0 || x->n_pending) {
            xhci_endpoint_due(x, ep);
            return;
        }
    }
}

void xhci_endpoint_stopped(Xhci *x, XhciEndpoint *ep)
{
    XhciTd td;

    if (xhci_td_read(x, ep, &td) == XHCI_FETCH_TRB) {
        xhci_td_report(x, ep, &td, MIN(ep->done, td.len), XHCI_CODE_STOPPED);
    }
}

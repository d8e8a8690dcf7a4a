/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The USB host controller qemu-xhci inside hw/usb/.
 *
 *   xhci.c           the type, capability and operational registers, run and reset
 *   xhci_ports.c     port registers
 *   xhci_events.c    event rings, interrupters and runtime registers
 *   xhci_rings.c     TRBs of command and transfer rings, turns, doorbells
 *   xhci_commands.c  the command ring and its commands
 *   xhci_contexts.c  slots, endpoints and their contexts
 *   xhci_transfers.c transfer descriptors
 *   xhci_state.c     saved state
 *
 * Commands and transfers are processed in turns of bounded work, as virtio devices do it
 * (docs/architecture.md). Rings, contexts and buffers must be in RAM; one that is not is a Host
 * System Error, which stops the controller until it is reset.
 */
#ifndef HW_USB_XHCI_INTERNAL_H
#define HW_USB_XHCI_INTERNAL_H

#include "hw/core/bottom_half.h"
#include "hw/pci/pci.h"
#include "hw/usb/usb.h"
#include "xhci_spec_internal.h"

enum {
    XHCI_SLOTS = 64,
    XHCI_INTERRUPTERS = 16,
    XHCI_MAX_PORTS = 2 * USB_MAX_PORTS,
    XHCI_DCIS = 32,         /* Device Context Indexes; 0 is the slot */
    XHCI_TURN = 500,        /* units of work, each about one microsecond */
    XHCI_TD_TRBS = 64,      /* TRBs of a Transfer Descriptor; more are a TRB Error */
    XHCI_MAX_LINKS = 16,    /* Link TRBs in a row; more are a TRB Error */
    XHCI_MAX_PACKET = 1024, /* bytes */
    XHCI_MAX_PENDING = 512, /* events that wait for space in their ring */
};

typedef struct XhciTrb {
    uint64_t parameter;
    uint32_t status, control;
} XhciTrb;

/* A position in a command or transfer ring. */
typedef struct XhciRing {
    uint64_t at;
    bool cycle;
} XhciRing;

typedef struct XhciPort {
    uint32_t sc; /* PORTSC */
} XhciPort;

typedef struct XhciInterrupter {
    uint32_t iman, imod, erstsz;
    uint64_t erstba, erdp;
    /* the segment of the event ring, read when ERSTBA was written; size 0: none */
    uint64_t base;
    uint32_t size, enqueue;
    bool cycle, full; /* full: the Event Ring Full Error was written */
    GQueue pending;   /* XhciTrb *: events without space */
} XhciInterrupter;

typedef struct XhciEndpoint {
    uint8_t slot, dci;
    uint8_t state, type;
    uint16_t max_packet;
    XhciRing ring;
    uint32_t done; /* bytes of the first TD that are transferred */
    bool due;      /* in Xhci.due */
    GList link;
} XhciEndpoint;

typedef struct XhciSlot {
    uint8_t state;
    uint8_t port;     /* of the root hub */
    uint8_t address;  /* of the device */
    uint64_t context; /* address of the Device Context */
    XhciEndpoint *endpoints[XHCI_DCIS];
} XhciSlot;

typedef struct Xhci {
    PCIDevice pci;
    USBBus bus;
    BottomHalf work;
    MemRegion port_regs, runtime_regs, doorbell_regs;
    Timer wrap; /* of MFINDEX */
    /* properties */
    uint32_t p2, p3;
    /* guest-visible state */
    uint32_t usbcmd, usbsts, dnctrl, config;
    uint64_t dcbaap;
    bool saved;            /* CSS was set since the last reset */
    bool command_running;  /* CRCR.CRR */
    XhciRing command;      /* the command ring */
    int64_t mfindex_start; /* virtual time at which MFINDEX was 0, while it runs */
    uint32_t mfindex;      /* while it is stopped */
    XhciPort ports[XHCI_MAX_PORTS];
    XhciInterrupter interrupters[XHCI_INTERRUPTERS];
    XhciSlot slots[XHCI_SLOTS + 1]; /* by Slot ID; 0 is not used */
    uint8_t in_rings;               /* anchor of the record of rings in the saved state */
    /* work */
    bool command_due;
    GQueue due; /* XhciEndpoint *: may have TDs */
    unsigned turn_left;
    unsigned n_pending; /* events in all `pending` */
} Xhci;

static inline const char *xhci_name(const Xhci *x)
{
    return device_name(&x->pci.dev);
}
static inline bool xhci_running(const Xhci *x)
{
    return !(x->usbsts & XHCI_STS_HALT);
}
static inline unsigned xhci_n_ports(const Xhci *x)
{
    return x->p2 + x->p3;
}

/* xhci.c */
/* A Host System Error: stop until the driver resets the controller. */
void xhci_fatal(Xhci *x, const char *what);
/* Read or write little-endian words in RAM. False: xhci_fatal() was called. */
bool xhci_read_words(Xhci *x, uint64_t at, uint32_t *words, unsigned n, const char *what);
bool xhci_write_words(Xhci *x, uint64_t at, const uint32_t *words, unsigned n, const char *what);
/* Set a bit of USBSTS and the pin. */
void xhci_status(Xhci *x, uint32_t bits);

/* xhci_ports.c */
extern const MemOps xhci_port_ops;
extern const USBBusOps xhci_bus_ops;
/* Set the registers of all ports to their state after a reset. The devices have been reset. */
void xhci_ports_reset(Xhci *x);
/* Return the device of a port of the root hub that the controller can transfer to; NULL: none. */
USBDevice *xhci_port_device(Xhci *x, unsigned port);
/* Return true if the device of a port is suspended. */
bool xhci_port_suspended(const Xhci *x, unsigned port);
/* Return the number on the root hub of a port of the bus: the USB 2 ports follow the USB 3 ports.
 */
static inline unsigned xhci_root_port(const Xhci *x, unsigned bus_port)
{
    return x->p3 + bus_port;
}

/* xhci_events.c */
extern const MemOps xhci_runtime_ops;
void xhci_interrupters_reset(Xhci *x);
/* Write an event to the ring of an interrupter, or keep it until the ring has space. @block:
 * without an interrupt */
void xhci_event(Xhci *x, unsigned interrupter, const XhciTrb *event, bool block);
/* Write the events that wait. */
void xhci_events_flush(Xhci *x);
/* Set the pin, and send the messages that are due. */
void xhci_update_irq(void *xhci);
/* MFINDEX: start, stop, and the function of the timer. */
void xhci_mfindex_run(Xhci *x, bool run);
void xhci_mfindex_wrap(void *xhci);
void xhci_mfindex_arm(Xhci *x);

/* xhci_rings.c */
extern const MemOps xhci_doorbell_ops;
typedef enum XhciFetch {
    XHCI_FETCH_NONE,  /* the ring is empty */
    XHCI_FETCH_TRB,   /* *trb is set, and the ring is advanced */
    XHCI_FETCH_ERROR, /* too many Link TRBs */
    XHCI_FETCH_FATAL, /* xhci_fatal() was called */
} XhciFetch;
XhciFetch xhci_ring_next(Xhci *x, XhciRing *ring, XhciTrb *trb, uint64_t *at);
static inline unsigned xhci_trb_type(const XhciTrb *trb)
{
    return trb->control >> 10 & 63;
}
void xhci_charge(Xhci *x, unsigned units);
/* Process an endpoint, or the command ring, in a later turn. */
void xhci_endpoint_due(Xhci *x, XhciEndpoint *ep);
void xhci_endpoint_not_due(Xhci *x, XhciEndpoint *ep);
/* Continue all rings. */
void xhci_continue_all(Xhci *x);
void xhci_later(Xhci *x);
void xhci_turn(void *xhci);

/* xhci_commands.c */
/* Execute one command. False: the ring is empty or stopped. */
bool xhci_command_next(Xhci *x);
/* The driver stopped the command ring. */
void xhci_command_stop(Xhci *x);

/* xhci_contexts.c: the commands for slots and endpoints. They return a completion code. */
void xhci_slot_free(Xhci *x, unsigned slot);
void xhci_slots_free(Xhci *x);
XhciEndpoint *xhci_endpoint_new(Xhci *x, unsigned slot, unsigned dci);
void xhci_endpoint_free(Xhci *x, unsigned slot, unsigned dci);
/* Change the state of an endpoint, and write it and the dequeue pointer to its context. */
bool xhci_endpoint_set_state(Xhci *x, XhciEndpoint *ep, unsigned state);
XhciCode xhci_address_device(Xhci *x, unsigned slot, const XhciTrb *trb);
XhciCode xhci_configure_endpoint(Xhci *x, unsigned slot, const XhciTrb *trb);
XhciCode xhci_evaluate_context(Xhci *x, unsigned slot, const XhciTrb *trb);
XhciCode xhci_reset_device(Xhci *x, unsigned slot, const XhciTrb *trb);
/* Return whether a slot, an endpoint and its parameters are possible. */
bool xhci_endpoint_is_valid(unsigned dci, unsigned type, unsigned max_packet);

/* xhci_transfers.c */
/* Process TDs of a running endpoint until its ring is empty, it waits, or the turn ends. */
void xhci_endpoint_run(Xhci *x, XhciEndpoint *ep);
/* Report that the first TD, if it is being transferred, is stopped. */
void xhci_endpoint_stopped(Xhci *x, XhciEndpoint *ep);

/* xhci_state.c */
extern const VmState xhci_state;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hot-plug slots, and the job of taking a device out of one.
 *
 * A bridge whose bus can be plugged live has an array of PCISlot: one for the whole bus below an
 * Express port, one a device number behind a conventional bridge with a hot-plug controller. The
 * controller (hw/pci/hotplug.c, hw/pci/shpc.c) has the registers and answers PCISlotOps; what is
 * the same for all stands here.
 *
 * A slot's power decides whether what stands in it can be seen; plugging powers nothing on that
 * the guest switched off. Taking a device out is a request to the guest (the attention button),
 * which answers by switching the slot's power off; only then the device goes. Each slot has at
 * most one such job. Machine lock.
 */
#ifndef HW_PCI_SLOT_H
#define HW_PCI_SLOT_H

#include "hw/pci/bridge.h"

typedef enum PCIUnplugState {
    PCI_UNPLUG_NONE,
    PCI_UNPLUG_REQUESTED,   /* the button was pressed */
    PCI_UNPLUG_ACCEPTED,    /* the guest blinks the power indicator */
    PCI_UNPLUG_POWERED_OFF, /* power is off; removal follows at once, or when the interlock opens
                               or a migration has ended */
    PCI_UNPLUG_REMOVED,
    PCI_UNPLUG_REFUSED, /* the guest went back to a steady indicator */
    PCI_UNPLUG_TIMED_OUT,
    PCI_UNPLUG_CANCELLED,
    PCI_UNPLUG_STATES
} PCIUnplugState;
const char *pci_unplug_state_name(PCIUnplugState s);

/* Indicators, as both controllers encode them (PCIe 7.5.3.10, SHPC 4.11). */
typedef enum PCIIndicator {
    PCI_INDICATOR_RESERVED,
    PCI_INDICATOR_ON,
    PCI_INDICATOR_BLINK,
    PCI_INDICATOR_OFF,
} PCIIndicator;

/* What a job needs of the controller. */
typedef struct PCISlotOps {
    bool (*powered)(const PCISlot *s); /* power is on, or cannot be switched */
    void (*press)(PCISlot *s);         /* the attention button: latch the event, interrupt */
    bool (*locked)(const PCISlot *s);  /* an interlock holds the card; NULL: there is none */
    void (*pulled)(PCISlot *s);        /* the cards are about to be pulled out; NULL: nothing */
} PCISlotOps;

enum { PCI_SLOT_WHOLE_BUS = 0xff };

struct PCISlot {
    const PCISlotOps *ops;
    PCIBridge *br;
    uint8_t device;   /* device number on br->sec, or PCI_SLOT_WHOLE_BUS */
    uint32_t job;     /* PCIUnplugState of the last job */
    char *job_device; /* id or path of its device, for messages */
    unsigned removal; /* source on the main loop that takes the devices out; 0: none */
    Timer deadline;   /* of the job; realtime is not used: the guest's time counts */
    int64_t pressed;  /* when the button was pressed for the job (virtual clock, not saved) */
    bool blinking;    /* the power indicator (the controller's registers have it; not saved) */
};

/* --- taking a device out --- */

/* Ask the guest to let d's slot go (every function in it). `timeout_ms` of guest time until the
 * job ends as timed out; 0: none. At once where there is nobody to ask: the slot has no power, or
 * no function 0. Refused while a migration runs, where nothing can be unplugged (the sentence
 * says what would do), and while a job is under way; but one that the guest has not answered in
 * 5 s of its time is asked for again: it may have booted since. */
bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err);
/* Take it out now, as a hand pulling a card, interlock or not: the guest is told after. */
bool pci_unplug_force(PCIDevice *d, GError **err);
/* Give up the job of d's slot (presses the button again while the guest has not decided). */
bool pci_unplug_cancel(PCIDevice *d, GError **err);
/* {"device":..,"port":..,"state":..} of each slot that has or had a job, and "slot":.. where the
 * bridge has several; array, owned. */
struct json_object *pci_unplug_query(Machine *m);
/* A migration ended and the guest is still here: carry out what was put off. */
void pci_unplug_resume(Machine *m);

/* --- for controllers --- */

/* Set up `slots` (zeroed, inside the bridge's structure), the first for device number `first`, or
 * the only one for PCI_SLOT_WHOLE_BUS. `live`: they become br's slots, so that what stands in
 * them can be unplugged; else they only have a state to save, in which nothing happens. */
void pci_slots_init(PCIBridge *br, PCISlot *slots, unsigned n, uint8_t first, bool live,
                    const PCISlotOps *ops);
void pci_slots_fini(PCIBridge *br);
/* The slot a function stands in; NULL: none that can be unplugged. */
PCISlot *pci_slot_of(const PCIDevice *d);
/* A card is a device's function 0: a guest looks at it first and finds the others through it, and
 * on a running machine it comes last. So a slot counts as occupied while one stands in it. */
bool pci_slot_is_card(const PCISlot *s, const PCIDevice *d);
bool pci_slot_occupied(const PCISlot *s);
/* False while a machine that was never started is put together, and while the bridge itself cannot
 * be seen (a switch that was just plugged): things are simply there. */
bool pci_slot_live(const PCISlot *s);
/* Show or hide the functions in it; none can be seen while the bridge itself has no power or holds
 * its bus in reset. `kind`: as for pci_device_power(). */
void pci_slot_show(PCISlot *s, bool on, ResetKind kind);
/* The guest set the power indicator: its decision about a request (PCIe 6.7.1.1.2, SHPC 2.5). */
void pci_slot_indicator(PCISlot *s, PCIIndicator was, PCIIndicator is);
/* The guest switched power off: the job's device goes from the main loop. */
void pci_slot_powered_off(PCISlot *s);
/* The guest opened the interlock. */
void pci_slot_unlocked(PCISlot *s);
/* The card left, for whatever reason. */
void pci_slot_emptied(PCISlot *s);
/* A reset ends a job without a word. */
void pci_slot_reset(PCISlot *s);
/* Saved state of one slot's job. */
extern const VmState pci_slot_state;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hot-plug slots: the state machine of a slot and the removal of the device in it.
 *
 * A bridge whose secondary bus supports hot plug has an array of PCISlot: one slot for all of the
 * bus below an Express port, one slot per device number behind a conventional bridge with a
 * Standard Hot-Plug Controller. In hw/pci the word "slot" means only this. The upper five bits of a
 * devfn are the "device number", PCIBus.functions[] contains the functions of a bus, and the number
 * that an Express port reports in Slot Capabilities is the "physical slot number".
 *
 * The controller (hw/pci/express_slot.c, hw/pci/shpc.c) owns the slot's registers, turns register
 * writes into events and implements PCISlotOps. The states, the events and the transition table are
 * in hw/pci/slot_table.c and are the same for both controllers; docs/hotplug.md shows them as a
 * picture. hw/pci/slot.c carries out the actions of the table.
 *
 * References: PCIe = PCI Express Base Specification 5.0, SHPC = PCI Standard Hot-Plug Controller
 * and Subsystem Specification 1.0, pciehp and shpchp = the Linux drivers of the two controllers.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_SLOT_H
#define HW_PCI_SLOT_H

#include "hw/pci/bridge.h"

/* The state of a slot. It is derived from the saved state on load and is not itself saved. */
typedef enum PCISlotState {
    PCI_SLOT_EMPTY,     /* no function 0 in the slot; with or without power */
    PCI_SLOT_OFF,       /* a device is in the slot; the slot has no power */
    PCI_SLOT_ON,        /* a device is in the slot; the slot has power */
    PCI_SLOT_REQUESTED, /* as ON; the guest was asked to release the device */
    PCI_SLOT_ACCEPTED,  /* as ON; the guest blinks the power indicator in response */
    PCI_SLOT_EJECTING,  /* the guest released the device, which is removed as soon as possible */
    PCI_SLOT_STATES
} PCISlotState;

typedef enum PCISlotEvent {
    /* of the bridge */
    PCI_SLOT_EV_RESET, /* the controller's registers were reset; an occupied slot has power */
    /* of the user */
    PCI_SLOT_EV_INSERTED_COLD,    /* function 0 appeared before the guest can watch the slot */
    PCI_SLOT_EV_INSERTED,         /* function 0 was plugged; the slot has no power */
    PCI_SLOT_EV_INSERTED_POWERED, /* function 0 was plugged; the slot has power */
    PCI_SLOT_EV_EMPTIED,          /* function 0 is being removed, for any reason */
    PCI_SLOT_EV_DEL,              /* removal requested; the guest can be asked */
    PCI_SLOT_EV_DEL_EARLY,  /* as DEL, within 5 s of a request that the guest has not answered */
    PCI_SLOT_EV_DEL_LATE,   /* as DEL, while the guest still answers a request that timed out */
    PCI_SLOT_EV_DEL_UNSEEN, /* removal requested; no power or no bridge: the guest sees nothing */
    PCI_SLOT_EV_CANCEL,     /* the user withdraws the request */
    PCI_SLOT_EV_DEADLINE,   /* the deadline of the request passed */
    /* of the guest */
    PCI_SLOT_EV_BLINK,     /* the power indicator starts to blink */
    PCI_SLOT_EV_STEADY,    /* the power indicator becomes steadily on */
    PCI_SLOT_EV_POWER_ON,  /* the guest switches power on */
    PCI_SLOT_EV_POWER_OFF, /* the guest switches power off */
    PCI_SLOT_EV_RELEASED,  /* the interlock opened, a migration ended, or the machine runs again */
    PCI_SLOT_EVENTS
} PCISlotEvent;

typedef enum PCISlotAction {
    PCI_SLOT_NO_ACTION,
    PCI_SLOT_ANNOUNCE, /* the user presses the attention button for an inserted device */
    PCI_SLOT_PRESS,    /* the user presses the attention button for a removal */
    PCI_SLOT_FAIL,     /* emit DEVICE_UNPLUG_GUEST_ERROR */
    PCI_SLOT_REMOVE,   /* remove the device from the main loop, unless something postpones it */
    PCI_SLOT_REJECT,   /* the user's command fails */
    PCI_SLOT_DISCARD,  /* remove the function immediately */
    PCI_SLOT_ACTIONS
} PCISlotAction;

/* The status of the last removal request of a slot. query-unplug reports it and streams contain it,
 * so the values must not change. */
typedef enum PCIUnplugState {
    PCI_UNPLUG_NONE,
    PCI_UNPLUG_REQUESTED,   /* state REQUESTED */
    PCI_UNPLUG_ACCEPTED,    /* state ACCEPTED */
    PCI_UNPLUG_POWERED_OFF, /* state EJECTING */
    PCI_UNPLUG_REMOVED,
    PCI_UNPLUG_REFUSED, /* the guest returned to a steady power indicator */
    PCI_UNPLUG_TIMED_OUT,
    PCI_UNPLUG_CANCELLED,
    PCI_UNPLUG_STATES,
    PCI_UNPLUG_KEEP = PCI_UNPLUG_STATES, /* in a transition: the status does not change */
} PCIUnplugState;

/* One cell of the transition table. */
typedef struct PCISlotTransition {
    PCISlotState next;
    PCISlotAction action;
    PCIUnplugState status; /* afterwards. REMOVED leaves NONE unchanged */
    const char *why;       /* the specification or the driver behaviour that the cell serves */
} PCISlotTransition;

/* Indicators, as both controllers encode them (PCIe 7.5.3.10, SHPC 4.11). */
typedef enum PCIIndicator {
    PCI_INDICATOR_RESERVED,
    PCI_INDICATOR_ON,
    PCI_INDICATOR_BLINK,
    PCI_INDICATOR_OFF,
} PCIIndicator;

/* Operations that the state machine requires of a controller. An entry may be NULL where noted. */
typedef struct PCISlotOps {
    /* The slot has power, or its power cannot be switched. */
    bool (*powered)(const PCISlot *s);
    /* The power indicator, from the controller's registers. */
    PCIIndicator (*indicator)(const PCISlot *s);
    /* Latch the attention button for an inserted device. The caller updates the interrupt. */
    void (*announce)(PCISlot *s);
    /* Latch the attention button and update the interrupt. */
    void (*press)(PCISlot *s);
    /* The electromechanical interlock is engaged. NULL: the slot has no interlock. */
    bool (*locked)(const PCISlot *s);
    /* The devices in the slot are about to be removed without asking. NULL: nothing to do. */
    void (*pulled)(PCISlot *s);
} PCISlotOps;

enum { PCI_SLOT_WHOLE_BUS = 0xff };

struct PCISlot {
    const PCISlotOps *ops;
    PCIBridge *br;
    uint8_t device; /* device number on br->sec, or PCI_SLOT_WHOLE_BUS */
    PCISlotState state;
    uint32_t job;     /* PCIUnplugState of the last removal request; saved */
    char *job_device; /* id or path of the device of that request, for messages; owned */
    unsigned removal; /* id of the main loop source that removes the devices; 0: none */
    Timer deadline;  /* of the request, on the virtual clock: only the guest's time counts; saved */
    bool unverified; /* a load changed registers or fields, and its checks have not passed */
    int64_t pressed; /* virtual clock, ns: when the button was pressed for the request. Not saved */
};

/* --- removal requests --- */

/**
 * pci_unplug_request() - Ask the guest to release the slot of a device.
 * @d:          a function; every function in its slot is removed with it
 * @timeout_ms: guest time in milliseconds after which the request ends as timed out; 0: never
 * @err:        see below
 *
 * Presses the attention button (PCIe 6.7.1.5, SHPC 2.5). The removal happens when the guest has
 * switched the slot's power off, and DEVICE_DELETED reports it. The device is removed without
 * asking if the slot has no power, if the bridge itself is not visible, or if the slot has no
 * function 0. A second request is accepted if the guest has not responded to the first one within
 * 5 s of its time: the guest may have booted since.
 *
 * Return: true if the request is under way or the device was removed. False with an ERROR_USER if
 * a migration is running, if the slot does not support hot plug, or if a request is under way.
 * pci_unplug_cancel() undoes a request.
 */
bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err);

/**
 * pci_unplug_force() - Remove the slot's devices immediately, like a user who pulls them out.
 * @d:   a function; every function in its slot is removed with it
 * @err: see below
 *
 * An engaged interlock does not prevent the removal. The guest is notified afterwards.
 *
 * Return: false with an ERROR_USER if a migration is running or the slot does not support hot plug.
 */
bool pci_unplug_force(PCIDevice *d, GError **err);

/**
 * pci_unplug_cancel() - Withdraw the removal request of a device's slot.
 * @d:   a function in the slot
 * @err: see below
 *
 * Presses the attention button again, which a guest understands as the cancellation within 5 s of
 * the first press (PCIe 6.7.1.5, SHPC 2.5).
 *
 * Return: false with an ERROR_USER if there is no request that could be cancelled: none was made,
 * or the guest has switched the power off.
 */
bool pci_unplug_cancel(PCIDevice *d, GError **err);

/* A removal request: in progress, or the last one of a slot. Valid during the call. */
typedef struct PCIUnplugInfo {
    const char *device; /* id, or path without one; "" if not known */
    const char *port;   /* port or bridge that the slot belongs to */
    int slot;           /* device number, or -1 below an Express port */
    PCIUnplugState state;
} PCIUnplugInfo;

/**
 * pci_unplug_visit() - call a function for each removal request of a machine
 * @m: the machine
 * @fn: function
 * @opaque: its first argument
 *
 * Locking: machine lock.
 */
void pci_unplug_visit(Machine *m, void (*fn)(void *opaque, const PCIUnplugInfo *info),
                      void *opaque);

/**
 * pci_unplug_resume() - Carry out the removals that a migration postponed.
 *
 * Called when a migration has ended and the guest stays on this host.
 */
void pci_unplug_resume(Machine *m);

/* --- the transition table --- */

/* Names for messages, documentation and QMP. */
const char *pci_unplug_state_name(PCIUnplugState s); /* "powered-off", as query-unplug reports it */
const char *pci_slot_state_name(PCISlotState s);
const char *pci_slot_event_name(PCISlotEvent e);
const char *pci_slot_action_name(PCISlotAction a);

/**
 * pci_slot_transition() - Look up what an event does to a slot in a state.
 *
 * Return: the cell of the table; never NULL, because the table is complete.
 */
const PCISlotTransition *pci_slot_transition(PCISlotState state, PCISlotEvent event);

/**
 * pci_slot_broken() - Check the invariants of a slot.
 *
 * The controller's registers, the devices on the bus and the slot's state must agree. They do
 * whenever no access to the controller is being processed. docs/hotplug.md lists the invariants.
 *
 * Return: NULL, or the violated invariant (static text).
 */
const char *pci_slot_broken(const PCISlot *s);

/* --- for controllers --- */

/**
 * pci_slots_init() - Set up the slots of a bridge.
 * @slots: zeroed, inside the bridge's structure
 * @n:     number of slots
 * @first: device number of the first slot, or PCI_SLOT_WHOLE_BUS
 * @live:  the devices in the slots can be unplugged. False: the slots follow presence and power and
 *         have a state to save, but requests for their devices fail
 *
 * Called by the bridge's realize(). pci_slots_fini() undoes it.
 */
void pci_slots_init(PCIBridge *br, PCISlot *slots, unsigned n, uint8_t first, bool live,
                    const PCISlotOps *ops);
void pci_slots_fini(PCIBridge *br);

/**
 * pci_slot_of() - Find the slot of a function.
 *
 * Return: the slot, or NULL if the function is in no slot that supports hot plug.
 */
PCISlot *pci_slot_of(const PCIDevice *d);

/**
 * pci_slot_is_function_0() - Check whether a function is the one that occupies the slot.
 *
 * A guest checks function 0 first and finds the other functions through it, and function 0 is
 * plugged last on a running machine. A slot therefore counts as occupied while it has a function 0.
 */
bool pci_slot_is_function_0(const PCISlot *s, const PCIDevice *d);
bool pci_slot_occupied(const PCISlot *s);

/**
 * pci_slot_live() - Check whether the guest can watch the slot.
 *
 * Return: false while a machine that never ran is being put together, and while the bridge itself
 * is not visible (a switch that was just plugged). Devices are then present without a hot-plug
 * event.
 */
bool pci_slot_live(const PCISlot *s);

/**
 * pci_slot_show() - Make the functions in a slot visible or invisible.
 * @on:   visible. Ignored while the bridge has no power or holds its secondary bus in reset
 * @kind: the reset that functions which become visible have gone through
 */
void pci_slot_show(PCISlot *s, bool on, ResetKind kind);

/**
 * pci_slot_event() - Process an event.
 *
 * The controller updates its registers before it reports an event. Carries out the action of the
 * transition, except for REJECT and DISCARD: the caller
 * carries them out.
 *
 * Return: the action.
 */
PCISlotAction pci_slot_event(PCISlot *s, PCISlotEvent event);

/**
 * pci_slot_indicator() - Report a write of the power indicator.
 * @was: the indicator before the write
 * @is:  the indicator after the write
 *
 * Translates the change into an event: the indicator is the guest's decision about a removal
 * request (PCIe 6.7.1.1.2, SHPC 2.5).
 */
void pci_slot_indicator(PCISlot *s, PCIIndicator was, PCIIndicator is);

/**
 * pci_slot_loading() - Report that a load changes the controller's registers.
 *
 * Called when the record of the controller's function was accepted, before any other field is
 * loaded. Until pci_slot_loaded() or a reset, the state may contradict the registers, also because
 * the load failed, and pci_slot_assert() does nothing.
 */
void pci_slot_loading(PCISlot *s);

/**
 * pci_slot_loaded() - Derive the state after a load.
 * @err: an ERROR_GUEST that names the violated invariant
 *
 * Called by the controller's post_load(), when its registers and pci_slot_state are loaded.
 *
 * Return: false if the stream describes a slot that cannot exist.
 */
bool pci_slot_loaded(PCISlot *s, GError **err);

/**
 * pci_slot_assert() - Assert the invariants at the end of an access to the controller.
 *
 * Compiled out with -Db_ndebug=true. Does nothing between pci_slot_loading() and the end of the
 * load or a reset.
 */
void pci_slot_assert(const PCISlot *s);

/* Saved state of the removal request of one slot. */
extern const VmState pci_slot_state;

#endif

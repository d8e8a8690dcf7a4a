/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Express ports with slots, and the job of taking a device out of one.
 *
 * A root port or switch downstream port starts with PCIPort. Its slot follows PCIe 6.7: presence,
 * attention button, power controller and indicators, interlock, link active, command completed.
 * A slot's power decides whether what stands in it can be seen; plugging powers nothing on that
 * the guest switched off.
 *
 * Taking a device out is a request to the guest (the attention button), which answers by
 * switching the slot's power off; only then the device goes. Each slot has at most one such job.
 * Machine lock.
 */
#ifndef HW_PCI_PORT_H
#define HW_PCI_PORT_H

#include "hw/pci/bridge.h"

typedef enum PCIUnplugState {
    PCI_UNPLUG_NONE,
    PCI_UNPLUG_REQUESTED,   /* the button was pressed */
    PCI_UNPLUG_ACCEPTED,    /* the guest blinks the power indicator */
    PCI_UNPLUG_POWERED_OFF, /* power is off; removal follows at once, or after a migration */
    PCI_UNPLUG_REMOVED,
    PCI_UNPLUG_REFUSED, /* the guest went back to a steady indicator */
    PCI_UNPLUG_TIMED_OUT,
    PCI_UNPLUG_CANCELLED,
    PCI_UNPLUG_STATES
} PCIUnplugState;
const char *pci_unplug_state_name(PCIUnplugState s);

typedef struct PCISlotState {
    bool hotplug;       /* the slot is hot-plug capable (property) */
    uint32_t job;       /* PCIUnplugState of the last job */
    char *job_device;   /* id or path of its device, for messages */
    unsigned removal;   /* source on the main loop that takes the devices out; 0: none */
    Timer deadline;     /* of the job; realtime is not used: the guest's time counts */
    bool hp_asserted;   /* the hot-plug interrupt's condition */
    bool aer_asserted;  /* the root error interrupt's condition */
    uint16_t indicator; /* power indicator before the last command */
} PCISlotState;

typedef struct PCIPort {
    PCIBridge br;
    uint8_t port; /* Port Number of Link Capabilities */
    uint8_t chassis;
    uint16_t slot; /* Physical Slot Number */
    bool hotplug_prop;
    uint32_t speed, width; /* PlanEnum of the link */
    PCISlotState state;
} PCIPort;

/* The port whose slot the function stands in; NULL: none. */
PCIPort *pci_port_of(PCIDevice *d);
bool pci_port_has_slot(const PCIPort *p);
/* Power is on, or the slot has no power controller. */
bool pci_port_powered(const PCIPort *p);

/* --- taking a device out --- */

/* Ask the guest to let d's slot go (every function in it). `timeout_ms` of guest time until the
 * job ends as timed out; 0: none. Refused while a migration runs, while a job is under way, and
 * where nothing can be unplugged: the sentence says what would do. */
bool pci_unplug_request(PCIDevice *d, uint64_t timeout_ms, GError **err);
/* Take it out now, as a hand pulling a card: link and presence drop, the guest is told after. */
bool pci_unplug_force(PCIDevice *d, GError **err);
/* Give up the job of d's slot (presses the button again while the guest has not decided). */
bool pci_unplug_cancel(PCIDevice *d, GError **err);
/* {"device":..,"port":..,"state":..} of each slot that has or had a job; array, owned. */
struct json_object *pci_unplug_query(Machine *m);
/* A migration ended: carry out what was put off. */
void pci_unplug_resume(Machine *m);

/* --- for express.c and the ports' types --- */
void pci_port_init(PCIPort *p);
void pci_port_fini(PCIPort *p);
void pci_port_reset(PCIPort *p);
/* The guest wrote Slot Control (old: before) or cleared Slot Status bits. */
void pci_port_slot_control(PCIPort *p, uint16_t old);
void pci_port_update_irq(PCIPort *p);
/* After a load: recompute what follows from the registers. */
void pci_port_loaded(PCIPort *p);
/* AER's root error condition changed. */
void pci_port_set_error_irq(PCIPort *p, bool asserted);
/* Saved state of the job, for the ports' tables. */
extern const VmState pci_port_state;

#endif

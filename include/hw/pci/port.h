/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Express ports with slots.
 *
 * A root port or switch downstream port starts with PCIPort. Its slot follows PCIe 6.7: presence,
 * attention button, power controller and indicators, interlock, link active, command completed.
 * Machine lock.
 */
#ifndef HW_PCI_PORT_H
#define HW_PCI_PORT_H

#include "hw/pci/slot.h"

typedef struct PCIPort {
    PCIBridge br;
    uint8_t port; /* Port Number of Link Capabilities */
    uint8_t chassis;
    uint16_t slot; /* Physical Slot Number */
    bool hotplug_prop;
    uint32_t speed, width; /* PlanEnum of the link */
    PCISlot state;
    bool hp_asserted;  /* the hot-plug interrupt's condition */
    bool aer_asserted; /* the root error interrupt's condition */
    bool bw_asserted;  /* the link bandwidth interrupt's condition */
    bool attended;     /* the guest will look at the slot without being told of a new card */
    bool unsaid;       /* a card came meanwhile, and nothing told the guest of it */
    Timer swap;        /* armed: a card went so lately that the guest may still be about to look */
} PCIPort;

/* Power is on, or the slot has no power controller. */
bool pci_port_powered(const PCIPort *p);

/* --- for express.c and the ports' types --- */
void pci_port_init(PCIPort *p);
void pci_port_fini(PCIPort *p);
void pci_port_reset(PCIPort *p);
/* The guest wrote Slot Control (old: before) or cleared Slot Status bits. */
void pci_port_slot_control(PCIPort *p, uint16_t old);
/* The guest wrote Link Control; `written` has Retrain Link, which reads as zero. */
void pci_port_link_control(PCIPort *p, uint16_t written);
void pci_port_update_irq(PCIPort *p);
/* After a load: recompute what follows from the registers. */
void pci_port_loaded(PCIPort *p);
/* AER's root error condition changed. */
void pci_port_set_error_irq(PCIPort *p, bool asserted);
/* Saved state of the port, for the ports' types. */
extern const VmState pci_port_state;

#endif

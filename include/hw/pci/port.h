/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Express ports with a slot: root ports and downstream ports of switches.
 *
 * The instance of such a type starts with PCIPort. Its slot implements PCI Express 5.0 6.7:
 * presence detect, attention button, power controller and indicators, electromechanical interlock,
 * Data Link Layer Link Active and command completed. hw/pci/slot.h has the states of the slot.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_PORT_H
#define HW_PCI_PORT_H

#include "hw/pci/slot.h"

typedef struct PCIPort {
    PCIBridge br;
    uint8_t port; /* Port Number of Link Capabilities */
    uint8_t chassis;
    uint16_t physical_slot; /* Physical Slot Number of Slot Capabilities */
    bool hotplug_prop;
    uint32_t bus_reserve; /* of a root port: see hw/pci/reserve.c and ea.c */
    uint64_t io_reserve, mem_reserve, pref32_reserve, pref64_reserve;
    uint8_t fixed_bus;
    uint32_t speed, width; /* PlanEnum of the link */
    PCISlot slot;
    bool hp_asserted;  /* condition of the hot-plug interrupt */
    bool aer_asserted; /* condition of the root error interrupt */
    bool bw_asserted;  /* condition of the link bandwidth interrupt */
    bool attended;     /* the guest will check the slot without a press of the button */
    bool unsaid;       /* a device was inserted meanwhile, and no event reported it to the guest */
    Timer swap;        /* armed: a device was removed so recently that the guest may check again */
} PCIPort;

/**
 * pci_port_powered() - Check the power of a port's slot.
 *
 * Return: true if the slot has power or has no power controller (PCIe 7.5.3.10).
 */
bool pci_port_powered(const PCIPort *p);

/* --- for express.c and the types of the ports --- */

/**
 * pci_port_init() - Set up the slot of a port.
 *
 * Called by realize(). pci_port_fini() undoes it.
 */
void pci_port_init(PCIPort *p);
void pci_port_fini(PCIPort *p);

/* Reset the slot: an occupied slot has power afterwards. Called after the reset of the registers.
 */
void pci_port_reset(PCIPort *p);

/**
 * pci_port_slot_control() - Carry out a write of Slot Control (PCIe 7.5.3.10).
 * @old: value of Slot Control before the write
 *
 * The same write may have cleared bits of Slot Status.
 */
void pci_port_slot_control(PCIPort *p, uint16_t old);

/**
 * pci_port_link_control() - Carry out a write of Link Control (PCIe 7.5.3.7).
 * @written: the value written, which contains Retrain Link; the bit reads as zero
 */
void pci_port_link_control(PCIPort *p, uint16_t written);

/* Recompute the interrupts of the slot and the link after a change of status or enable bits. */
void pci_port_update_irq(PCIPort *p);

/* Report a change of AER's root error condition, which shares the interrupt of the port. */
void pci_port_set_error_irq(PCIPort *p, bool asserted);

/* Saved state of a port, for the types of the ports. */
extern const VmState pci_port_state;

#endif

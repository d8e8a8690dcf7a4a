/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridges: functions with a type 1 header and a bus behind them.
 *
 * A PCIDeviceType whose role is a port or a bridge has instances that start with PCIBridge; the
 * core makes the secondary bus and follows the windows, bus numbers and Bridge Control by
 * itself. References: B = PCI-to-PCI Bridge Architecture 1.2. Machine lock.
 */
#ifndef HW_PCI_BRIDGE_H
#define HW_PCI_BRIDGE_H

#include "hw/pci/bus.h"

typedef struct PCISlot PCISlot;

struct PCIBridge {
    PCIDevice pci;
    PCIBus sec;              /* the bus behind */
    MemRegion io, mem, pref; /* windows: views of sec's containers, mapped in pci.bus's */
    PCIBridge *next;         /* on the same bus */
    bool ari_forwarding;     /* Device Control 2 (PCIe 7.5.3.16); express.c keeps it */
    /* Called when a function on sec became present or went (by plugging); NULL: none. */
    void (*presence)(PCIBridge *br, PCIDevice *d, bool present);
    /* Secondary Bus Reset was set or cleared: show or hide what is behind. NULL: all of it. */
    void (*reset_held)(PCIBridge *br);
    PCISlot *slots; /* hot-plug slots of sec (hw/pci/slot.h); NULL: none */
    unsigned n_slots;
};

/* The bridge of a function with a type 1 header; NULL for an endpoint. */
PCIBridge *pci_bridge_of(PCIDevice *d);

/* Secondary Bus Reset of Bridge Control is set (PCIe 7.5.1.3.13, B 3.2.5.18): the bus behind is
 * held in reset, and nothing on it answers, masters or interrupts. */
bool pci_bridge_in_reset(const PCIBridge *br);

/* True if the I/O window (the prefetchable window's upper halves) is 32-bit (64-bit) capable;
 * the default is 16-bit I/O and 64-bit prefetchable memory. During realize. */
void pci_bridge_set_io32(PCIBridge *br);
void pci_bridge_set_pref32(PCIBridge *br);
/* No I/O window at all: base and limit read as zero (B 3.2.5.6). During realize. */
void pci_bridge_no_io(PCIBridge *br);

#endif

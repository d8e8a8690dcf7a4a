/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bridges: functions with a type 1 header and a secondary bus.
 *
 * The instances of a PCIDeviceType whose role is a port or a bridge start with PCIBridge. The core
 * creates the secondary bus and implements the windows, bus numbers and Bridge Control.
 *
 * References: B = PCI-to-PCI Bridge Architecture Specification 1.2.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_BRIDGE_H
#define HW_PCI_BRIDGE_H

#include "hw/pci/bus.h"

typedef struct PCISlot PCISlot;

struct PCIBridge {
    PCIDevice pci;
    PCIBus sec;              /* the secondary bus */
    MemRegion io, mem, pref; /* windows: views of sec's containers, mapped in those of pci.bus */
    PCIBridge *next;         /* on the same bus */
    bool ari_forwarding;     /* of Device Control 2 (PCIe 7.5.3.16); express.c sets it */
    /* A function was plugged on sec or is being unplugged. NULL: nothing to do. */
    void (*presence)(PCIBridge *br, PCIDevice *d, bool present);
    /* Secondary Bus Reset was set or cleared: make the functions on sec invisible or visible. NULL:
     * the core does so for all functions. */
    void (*reset_held)(PCIBridge *br);
    PCISlot *slots; /* hot-plug slots of sec (hw/pci/slot.h); NULL: none */
    unsigned n_slots;
};

/* The bridge of a function with a type 1 header; NULL for an endpoint. */
PCIBridge *pci_bridge_of(PCIDevice *d);

/**
 * pci_bridge_in_reset() - Check Secondary Bus Reset (PCIe 7.5.1.3.13, B 3.2.5.18).
 *
 * Return: true while the bit is set. Functions on the secondary bus then do not respond, issue
 * requests or interrupt.
 */
bool pci_bridge_in_reset(const PCIBridge *br);

/* Resources that the guest has assigned to a bridge. */
typedef struct PCIBridgeSpace {
    unsigned buses;         /* bus numbers, that of the secondary bus included */
    uint64_t io, mem, pref; /* bytes of the windows; 0: closed */
} PCIBridgeSpace;

/**
 * pci_bridge_space() - Read the bus numbers and windows that the guest has assigned (B 3.2.5).
 * @space: set; zero if the secondary bus has no number, as after a reset
 */
void pci_bridge_space(const PCIBridge *br, PCIBridgeSpace *space);

/* --- for realize() of the bridges' types --- */

/* Make the I/O window 32 bits wide; the default is 16 bits. */
void pci_bridge_set_io32(PCIBridge *br);
/* Make the prefetchable window 32 bits wide; the default is 64 bits. */
void pci_bridge_set_pref32(PCIBridge *br);
/* Remove the I/O window: its base and limit read as zero (B 3.2.5.6). */
void pci_bridge_no_io(PCIBridge *br);

#endif

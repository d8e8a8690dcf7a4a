/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buses and hosts: where functions stand, how config cycles find them, how pins and DMA leave.
 *
 * A PCIBus has one container for memory and one for ports, in which BARs stand at bus addresses;
 * the root's containers are shown to CPUs through the board's windows, those of other buses
 * through their bridge's windows. A PCIHost is one segment: its root bus, any extra roots, and
 * the table from bus number to bus.
 *
 * Machine lock for everything here.
 */
#ifndef HW_PCI_BUS_H
#define HW_PCI_BUS_H

#include "hw/pci/pci.h"

typedef struct PCIHost PCIHost;
typedef struct PCIBridge PCIBridge;

struct PCIBus {
    Bus bus;
    PCIHost *host;
    PCIBridge *bridge;   /* it is behind; NULL for a root */
    uint8_t root_number; /* of a root; other buses are numbered by their bridge's register */
    MemRegion mem, io;   /* bus address spaces */
    PCIDevice **slots;   /* by devfn; 8 of them, or 256 once a devfn above 7 was taken */
    unsigned n_slots;
    PCIBridge *bridges; /* those standing on this bus */
};

/* Translate a DMA address of a requester. Returns the address in machine memory and, in *len,
 * how much of the wanted length is contiguous there (at least 1); false: refused. */
typedef bool PCITranslate(void *opaque, PCIRequester who, uint64_t addr, bool write, uint64_t *out,
                          uint64_t *len);

struct PCIHost {
    Machine *machine;
    uint16_t segment;
    PCIBus root;
    GPtrArray *roots; /* PCIBus*: root first, extra roots after it */
    /* An extra root came, or just left `roots`: the host bridge shows it to CPUs or no more. */
    void (*roots_changed)(void *opaque, PCIBus *bus, bool added);
    void *roots_opaque;
    /* The four lines out: level of line n after aggregation. */
    IrqFn *intx;
    void *intx_opaque;
    uint32_t intx_count[PCI_NUM_PINS];
    PCITranslate *translate; /* NULL: identity */
    void *translate_opaque;
    /* ECAM */
    MemRegion ecam;
    unsigned ecam_buses;
    /* CF8/CFC */
    MemRegion cf8, cfc;
    uint32_t cf8_latch;
    /* bus number -> bus, filled in by lookups, dropped when a bus number changes */
    PCIBus *by_number[256];
    uint8_t known[256 / 8];
};

/* --- hosts, for boards --- */

/* A segment with one root bus, numbered 0 and registered under `name`. Nothing is mapped: show
 * h->root.mem and h->root.io to the machine with mem_init_window(). `owner` may be NULL. */
bool pci_host_init(PCIHost *h, Machine *m, uint16_t segment, PlanBusKind kind, const char *name,
                   Device *owner, GError **err);
/* No functions are left on any of its buses. Safe on a zeroed host. */
void pci_host_fini(PCIHost *h);
/* An extra root bus with a number of its own (pxb-pcie). */
bool pci_root_init(PCIBus *bus, PCIHost *h, PlanBusKind kind, const char *name, uint8_t number,
                   Device *owner, GError **err);
void pci_bus_fini(PCIBus *bus);

/* The ECAM region (PCIe 7.2.2): 1 MiB a bus from bus 0 on; the board maps h->ecam. Any access
 * of 1, 2, 4 or 8 bytes at any offset; what nobody answers reads as all ones. */
void pci_host_init_ecam(PCIHost *h, unsigned buses);
/* Configuration mechanism 1 (PCI 3.2.2.3.2): 4 bytes of address and 4 of data, for ports CF8h
 * and CFCh; the board maps h->cf8 and h->cfc. */
void pci_host_init_cf8(PCIHost *h);

/* --- config cycles --- */
/* What a guest does through a host: address by numbers, `reg` 0 to 4095. len 1, 2 or 4. */
uint32_t pci_host_config_read(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len);
void pci_host_config_write(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len,
                           uint32_t value);
/* The same to a function. */
uint32_t pci_device_config_read(PCIDevice *d, uint32_t reg, unsigned len);
void pci_device_config_write(PCIDevice *d, uint32_t reg, unsigned len, uint32_t value);

/* --- finding and walking --- */
/* The function there, present or not; NULL: none. O(1). */
PCIDevice *pci_bus_find(const PCIBus *bus, uint8_t devfn);
/* True if config cycles reach it now: present, function 0 of its device present too (PCI 3.2.2.3.4,
 * whatever the order of plugging), and above function 7 only with ARI forwarding. */
bool pci_device_visible(const PCIDevice *d);
/* The bus that config cycles for a number reach now; NULL: none. O(1) once asked. */
PCIBus *pci_host_find_bus(PCIHost *h, uint8_t number);
/* The current number of a bus. */
uint8_t pci_bus_number(const PCIBus *bus);
/* Functions of this bus in devfn order, and with `deep` everything behind its bridges, parents
 * first. Stops when fn returns false. fn must not unplug. */
bool pci_bus_walk(PCIBus *bus, bool deep, bool (*fn)(void *opaque, PCIDevice *d), void *opaque);
/* "0000:00:01.0:00.0": the segment, root bus number and slots passed on the way; stays the same
 * whatever the guest programs. g_free. */
char *pci_device_path(const PCIDevice *d);

/* Reset every function on and below the bus: phase one over all, then phase two. */
void pci_bus_reset(PCIBus *bus, ResetKind kind);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI buses and host bridges: location of functions, routing of configuration accesses, and the
 * outputs for pins and DMA.
 *
 * A PCIBus has one container for memory and one for I/O ports. BARs are mapped in them at bus
 * addresses. The board's windows show the containers of the root bus to CPUs; a bridge's windows
 * show those of its secondary bus. A PCIHost is one segment: its root bus, any extra root buses,
 * and the table from bus number to bus.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_BUS_H
#define HW_PCI_BUS_H

#include "hw/pci/pci.h"

typedef struct PCIHost PCIHost;
typedef struct PCIBridge PCIBridge;

struct PCIBus {
    Bus bus;
    PCIHost *host;
    PCIBridge *bridge;   /* its secondary bus is this one; NULL for a root bus */
    uint8_t root_number; /* of a root bus; other buses have the number in their bridge's register */
    MemRegion mem, io;   /* bus address spaces */
    PCIDevice **functions; /* by devfn: 8 entries, or 256 after a devfn above 7 was used */
    unsigned n_functions;  /* entries of functions[] */
    PCIBridge *bridges;    /* bridges on this bus, by devfn */
};

/**
 * typedef PCITranslate - Translate a DMA address of a requester.
 * @opaque: PCIHost.translate_opaque
 * @who:    requester id
 * @addr:   bus address
 * @write:  true for a write access
 * @out:    receives the address in machine memory
 * @len:    in: bytes requested; out: bytes that are contiguous from *@out on, at least 1
 *
 * Return: false if the access is rejected.
 */
typedef bool PCITranslate(void *opaque, PCIRequester who, uint64_t addr, bool write, uint64_t *out,
                          uint64_t *len);

struct PCIHost {
    Machine *machine;
    uint16_t segment;
    PCIBus root;
    GPtrArray *roots; /* PCIBus*: the root bus first, then extra root buses */
    /* An extra root bus was added to or removed from `roots`. The host bridge maps or unmaps its
     * windows. NULL: nothing to do. */
    void (*roots_changed)(void *opaque, PCIBus *bus, bool added);
    void *roots_opaque;
    /* The four interrupt outputs: level of line n, the OR of all functions routed to it. */
    IrqFn *intx;
    void *intx_opaque;
    uint32_t intx_count[PCI_NUM_PINS]; /* functions that assert the line */
    PCITranslate *translate;           /* NULL: addresses are not translated */
    void *translate_opaque;
    /* ECAM */
    MemRegion ecam;
    unsigned ecam_buses;
    /* configuration mechanism 1 */
    MemRegion cf8, cfc;
    uint32_t cf8_latch;
    /* Cache from bus number to bus. Lookups fill it; a change of a bus number clears it. */
    PCIBus *by_number[256];
    uint8_t known[256 / 8];
};

/* --- hosts, for boards --- */

/**
 * pci_host_init() - Create a segment with one root bus.
 * @h:       overwritten
 * @segment: segment number
 * @kind:    class of the root bus
 * @name:    name under which the root bus is registered; its bus number is 0
 * @owner:   the device that provides the bus; may be NULL
 * @err:     see below
 *
 * Nothing is mapped: the board shows @h->root.mem and @h->root.io to the machine with
 * mem_init_window().
 *
 * Return: false with an error if the machine has a bus with that name. pci_host_fini() undoes it.
 */
bool pci_host_init(PCIHost *h, Machine *m, uint16_t segment, PlanBusKind kind, const char *name,
                   Device *owner, GError **err);

/* Free what a host owns. No function may be left on any of its buses. Safe on a zeroed host. */
void pci_host_fini(PCIHost *h);

/**
 * pci_root_init() - Add an extra root bus with its own bus number (pxb-pcie).
 * @bus:    overwritten
 * @number: bus number, 1 to 255
 *
 * The other parameters are those of pci_host_init(). Calls roots_changed().
 *
 * Return: false with an error if the number or the name is in use. pci_bus_fini() undoes it.
 */
bool pci_root_init(PCIBus *bus, PCIHost *h, PlanBusKind kind, const char *name, uint8_t number,
                   Device *owner, GError **err);
void pci_bus_fini(PCIBus *bus);

/**
 * pci_host_init_ecam() - Set up the ECAM region (PCIe 7.2.2).
 * @buses: number of buses, 1 MiB each, from bus 0 on
 *
 * The board maps @h->ecam. Accesses have 1, 2, 4 or 8 bytes at any offset. A read that no function
 * answers returns all ones.
 */
void pci_host_init_ecam(PCIHost *h, unsigned buses);

/**
 * pci_host_init_cf8() - Set up configuration mechanism 1 (PCI 3.2.2.3.2).
 *
 * The board maps @h->cf8 at port CF8h (address) and @h->cfc at port CFCh (data), 4 bytes each.
 */
void pci_host_init_cf8(PCIHost *h);

/* --- configuration accesses --- */

/**
 * pci_host_config_read() - Read configuration space as a guest does, by numbers.
 * @reg: byte offset, 0 to 4095
 * @len: 1, 2 or 4 bytes
 *
 * Return: the value, or all ones if no function answers.
 */
uint32_t pci_host_config_read(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len);
/* Write it. Without a function at the address the write has no effect. */
void pci_host_config_write(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len,
                           uint32_t value);
/* Access the configuration space of a function, whether or not it is visible. */
uint32_t pci_device_config_read(PCIDevice *d, uint32_t reg, unsigned len);
void pci_device_config_write(PCIDevice *d, uint32_t reg, unsigned len, uint32_t value);

/* --- lookup --- */

/* The function with a devfn on a bus, visible or not; NULL: none. O(1). */
PCIDevice *pci_bus_find(const PCIBus *bus, uint8_t devfn);

/**
 * pci_device_visible() - Check whether configuration accesses reach a function.
 *
 * Return: true if the function is present, function 0 of its device is present too (PCI 3.2.2.3.4,
 * in whichever order they were plugged), and a function above 7 is enabled by ARI forwarding.
 */
bool pci_device_visible(const PCIDevice *d);

/* The bus that configuration accesses to a bus number reach; NULL: none. O(1) after the first. */
PCIBus *pci_host_find_bus(PCIHost *h, uint8_t number);

/* The current number of a bus: that of a root bus, or the bridge's Secondary Bus Number. */
uint8_t pci_bus_number(const PCIBus *bus);

/**
 * pci_bus_walk() - Call a function for each function of a bus, in devfn order.
 * @deep: also for everything behind its bridges, parents first
 * @fn:   must not unplug a device; false ends the walk
 *
 * Return: false if @fn returned false.
 */
bool pci_bus_walk(PCIBus *bus, bool deep, bool (*fn)(void *opaque, PCIDevice *d), void *opaque);

/**
 * pci_device_path() - Build the path of a function.
 *
 * Return: "0000:00:01.0:00.0": the segment, the root bus number, and the device and function
 * numbers on the way. Bus numbers that the guest programs do not change it. The caller frees it
 * with g_free().
 */
char *pci_device_path(const PCIDevice *d);

/* Reset every function on a bus and below it: first the state of all, then the outputs of all. */
void pci_bus_reset(PCIBus *bus, ResetKind kind);

#endif

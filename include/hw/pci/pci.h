/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI functions as their authors see them.
 *
 * A function is a const PCIDeviceType: identity, BARs, capabilities, and the tables of the
 * DeviceType it embeds. From these the core gives config space with its masks, BAR sizing and
 * mapping, interrupts through MSI-X, MSI or INTx (whichever the guest enabled), power
 * management, reset, saved state and its checks. An instance's structure starts with PCIDevice.
 *
 * References: PCI = PCI Local Bus 3.0, PCIe = PCI Express Base 5.0.
 * Machine lock for everything here.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/core/device.h"

typedef struct PCIDevice PCIDevice;
typedef struct PCIBus PCIBus;
typedef struct PCIDeviceType PCIDeviceType;

enum {
    PCI_CONFIG_SIZE = 256,
    PCIE_CONFIG_SIZE = 4096,
    PCI_HEADER_SIZE = 0x40,
    PCI_NUM_BARS = 7, /* six BARs and the expansion ROM */
    PCI_ROM_BAR = 6,
    PCI_NUM_PINS = 4,
    MSIX_MAX_VECTORS = 2048,
};

/* A requester: segment, bus, device and function as they are now. */
typedef uint32_t PCIRequester; /* segment << 16 | bus << 8 | devfn */
#define PCI_DEVFN(slot, fn) (((slot) & 0x1f) << 3 | ((fn) & 7))
#define PCI_SLOT(devfn)     ((devfn) >> 3 & 0x1f)
#define PCI_FUNC(devfn)     ((devfn) & 7)

typedef enum PCIBarKind { PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 } PCIBarKind;

/* One BAR. Content: a register table, else MMIO ops, else whatever realize() maps into
 * pci_bar_region(); the MSI-X table and PBA appear by themselves where the capability says. */
typedef struct PCIBarDesc {
    uint8_t index;
    PCIBarKind kind;
    bool prefetch;
    uint64_t size;           /* bytes, a power of two (16 at least for memory, 4 for I/O) */
    const char *size_prop;   /* a SIZE property that replaces `size` */
    const RegDesc *regs;
    size_t n_regs;
    const MemOps *ops;       /* called with the instance as opaque */
} PCIBarDesc;

/* One capability. How it is switched and placed: the CAP property named `prop` ("msix=off",
 * "msix=on", "msix=0x98"), which the core adds to the type's properties. */
typedef struct PCICapDesc {
    uint16_t id;
    bool extended;
    bool required;           /* cannot be off */
    bool off_by_default;
    const char *prop;
    uint32_t arg[4];         /* by capability: see the macros */
    const char *count_prop;  /* MSI-X, MSI: a U32 property that replaces arg[0]; 0: left out */
} PCICapDesc;

#define PCI_CAP_PM_D3 { .id = 0x01, .prop = "pm" }
/* n vectors, table and PBA in BAR b, at offsets t and p in it */
#define PCI_CAP_MSIX(n, b) { .id = 0x11, .prop = "msix", .arg = { (n), (b), 0, 0 } }
#define PCI_CAP_MSIX_AT(n, b, t, p) { .id = 0x11, .prop = "msix", .arg = { (n), (b), (t), (p) } }
/* n messages (power of two), 64-bit address, per-vector masking */
#define PCI_CAP_MSI(n, is64, mask) { .id = 0x05, .prop = "msi", .arg = { (n), (is64), (mask) } }
/* Express endpoint; becomes a root-complex integrated endpoint on a root bus, and is left out
 * on a conventional bus */
#define PCI_CAP_ENDPOINT { .id = 0x10, .prop = "express" }

struct PCIDeviceType {
    DeviceType base;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code; /* 24 bits: class, subclass, interface */
    unsigned slots;      /* PLAN_SLOT_*: what it may be plugged into */
    PlanPciRole role;    /* 0: endpoint */
    const PCIBarDesc *bars;
    size_t n_bars;
    const PCICapDesc *caps;
    size_t n_caps;
    unsigned n_irqs;     /* interrupt sources; >0 without MSI and MSI-X wants an INTx pin */
    uint8_t int_pin;     /* 1-4; 0: pin A if n_irqs > 0 */
    /* Around the core's handling of the guest's config accesses, for registers of the device's own
     * (vendor capabilities): before a read, so that the device can refresh the bytes with
     * pci_set(), and after a write. */
    void (*config_reading)(void *dev, uint32_t addr, unsigned len);
    void (*config_written)(void *dev, uint32_t addr, unsigned len);
};

/* --- interrupts of a function --- */

/* Source n (< n_irqs) asserts or deasserts. With MSI-X or MSI live a rising level sends the
 * message of vector n (MSI: n modulo the messages granted) if unmasked, or sets its pending bit;
 * otherwise the levels of all sources are or-ed onto the INTx pin, gated by Interrupt Disable. */
void pci_irq_set(PCIDevice *d, unsigned n, bool level);
/* An edge: send once. On INTx nothing (use levels). */
void pci_irq_pulse(PCIDevice *d, unsigned n);
bool msix_enabled(const PCIDevice *d);
bool msi_enabled(const PCIDevice *d);
/* Send or pend vector n; ignored when n >= the table's size or MSI-X is off. */
void msix_notify(PCIDevice *d, unsigned n);
void msi_notify(PCIDevice *d, unsigned n);
unsigned msix_vectors(const PCIDevice *d);

/* --- DMA: bus-master gate, the bus's translate hook, then the address map --- */
MemResult pci_dma_read(PCIDevice *d, uint64_t addr, void *buf, uint64_t len);
MemResult pci_dma_write(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len);
/* Host pointer to [addr, addr+len) if it is one run of RAM that the function may reach now, else
 * NULL (use the copying calls). Pins d and the RAM until unmapped. `write` marks the range
 * written at unmap. */
typedef struct PCIDmaMap {
    uint8_t *host;
    uint64_t len;
    RamBlock *block;
    uint64_t offset;
    bool write;
} PCIDmaMap;
bool pci_dma_map(PCIDevice *d, uint64_t addr, uint64_t len, bool write, PCIDmaMap *map);
void pci_dma_unmap(PCIDevice *d, PCIDmaMap *map, uint64_t written);

/* --- capabilities: the four routines (contract in docs/design; see hw/pci/capability.c) --- */

/* Find free space after the header, link the entry at the head of the list, set the Status bit,
 * mark the bytes used and read-only. Returns the offset, or -ENOSPC with nothing changed (also
 * for size < 2). Entries start on 4-byte boundaries (PCI 6.7). */
int pci_add_capability(PCIDevice *d, uint8_t cap_id, uint8_t size);
/* At a wanted offset; overlap, misalignment or no room is an error that names the holder. */
int pci_add_capability_at(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size,
                          GError **err);
/* Unlink the first entry of that id, free its bytes, make them plain writable, clear the Status
 * bit when the list is empty. Absent: 0. Another size than added: -EINVAL, nothing changed. */
int pci_del_capability(PCIDevice *d, uint8_t cap_id, uint8_t size);
/* Mark space at a known offset (after a load). 0, -EINVAL (range, alignment), -EBUSY (overlap). */
int pci_reserve_capability(PCIDevice *d, uint8_t offset, uint8_t size);
/* Offset or 0. Bounded on looped and wild lists. */
uint8_t pci_find_capability(const PCIDevice *d, uint8_t cap_id);
uint8_t pci_find_next_capability(const PCIDevice *d, uint8_t after, uint8_t cap_id);
/* The extended list (PCIe 7.6). Entry 0 (offset 100h) is null when the list is empty. */
int pcie_add_ext_capability(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t size);
int pcie_add_ext_capability_at(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t offset,
                               uint16_t size, GError **err);
int pcie_del_ext_capability(PCIDevice *d, uint16_t cap_id, uint16_t size);
int pcie_reserve_ext_capability(PCIDevice *d, uint16_t offset, uint16_t size);
uint16_t pcie_find_ext_capability(const PCIDevice *d, uint16_t cap_id);
uint16_t pcie_find_next_ext_capability(const PCIDevice *d, uint16_t after, uint16_t cap_id);

/* Values of the config space for devices that own registers in it (vendor capabilities). */
uint32_t pci_get(const PCIDevice *d, uint16_t addr, unsigned len);
void pci_set(PCIDevice *d, uint16_t addr, unsigned len, uint32_t value);
/* Writable and write-1-to-clear bits; compared-on-load is everything else. */
void pci_set_masks(PCIDevice *d, uint16_t addr, unsigned len, uint32_t wmask, uint32_t w1cmask);

/* --- BARs --- */
/* The region behind BAR i: a container the type may map things into. NULL if there is none. */
MemRegion *pci_bar_region(PCIDevice *d, unsigned i);
/* For devices whose BAR size is only known in realize(): declare it there. */
bool pci_add_bar(PCIDevice *d, const PCIBarDesc *desc, GError **err);
#define PCI_BAR_UNMAPPED UINT64_MAX
uint64_t pci_bar_addr(const PCIDevice *d, unsigned i);

/* --- where a function is --- */
PCIBus *pci_bus_of(const PCIDevice *d);
PCIRequester pci_requester(const PCIDevice *d);
uint8_t pci_devfn(const PCIDevice *d);
bool pci_is_express(const PCIDevice *d);
bool pci_bus_master(const PCIDevice *d);

/* The saved record as a row of a device's state table: VM_PCI(Ticker, pci). */
extern const VmOps pci_record_ops;
#define VM_PCI(T, m) VM_RECORD(T, m, PCIDevice, &pci_record_ops)

extern const DeviceKind pci_device_kind;

#endif

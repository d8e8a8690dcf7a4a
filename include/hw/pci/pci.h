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
#include "hw/pci/config.h"

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
    PCI_MAX_CAPS = 16, /* rows of a type's capability table */
    PCI_MAX_IRQS = 64, /* sources of one function (MSI-X vectors are not bounded by it) */
    MSIX_MAX_VECTORS = 2048,
#define PCI_AUTO_COUNT PLAN_AUTO_COUNT
};

/* A requester: segment, bus, device and function as they are now. */
typedef uint32_t PCIRequester; /* segment << 16 | bus << 8 | devfn */
#define PCI_DEVFN(slot, fn) (((slot)&0x1f) << 3 | ((fn)&7))
#define PCI_SLOT(devfn)     ((devfn) >> 3 & 0x1f)
#define PCI_FUNC(devfn)     ((devfn)&7)

typedef enum PCIBarKind { PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 } PCIBarKind;

/* One BAR. Content: a register table, else MMIO ops, else whatever realize() maps into
 * pci_bar_region(); the MSI-X table and PBA appear by themselves where the capability says. */
typedef struct PCIBarDesc {
    uint8_t index;
    PCIBarKind kind;
    bool prefetch;
    uint64_t size;         /* bytes, a power of two (16 at least for memory, 4 for I/O); 0 in a
                              BAR for MSI-X alone: as large as table and PBA need */
    const char *size_prop; /* a SIZE property that replaces `size`; 0: no BAR, if may_lack */
    bool may_lack;
    const RegDesc *regs;
    size_t n_regs;
    const MemOps *ops; /* called with the instance as opaque */
} PCIBarDesc;

/* One capability. How it is switched and placed: the CAP property named `prop` ("msix=off",
 * "msix=on", "msix=0x98"), which the core adds to the type's properties. */
typedef struct PCICapDesc {
    uint16_t id;
    bool extended;
    bool required; /* cannot be off */
    bool off_by_default;
    const char *prop;       /* NULL: always there, where the core puts it */
    uint16_t at;            /* offset it stands at by default; 0: the first that is free */
    const char *count_prop; /* MSI-X, MSI: a U32 property that replaces the number of vectors or
                               messages; 0: no capability */
    union {
        struct {
            bool keep_state; /* No_Soft_Reset: D3hot to D0 does not reset the function */
        } pm;
        struct {
            uint8_t size; /* bytes, with the three of the capability's head */
        } vendor;
        struct {
            uint8_t messages; /* a power of two */
            bool addr64, maskable;
        } msi;
        struct {
            uint16_t vectors;
            uint8_t bar;
            uint32_t table, pba; /* offsets in the BAR; both 0: where the core puts them */
        } msix;
        struct {
            uint16_t vendor, id;
        } ssvid;
        struct {
            uint16_t services; /* bits of the capability register */
        } acs;
        struct {
            const char *serial_prop; /* a U64 property; 0: no capability */
        } dsn;
        struct {
            const char *chassis_prop; /* an unsigned property; 0: no capability */
        } slotid;
    };
} PCICapDesc;

/* D0 and D3hot; D3hot to D0 resets the function, or (No_Soft_Reset) does not */
#define PCI_CAP_PM_D3                                                                              \
    {                                                                                              \
        .id = 0x01, .prop = "pm"                                                                   \
    }
#define PCI_CAP_PM_D3_KEEP                                                                         \
    {                                                                                              \
        .id = 0x01, .prop = "pm", .pm = { 1 }                                                      \
    }
/* n bytes of which the first two are the list's; the device owns the rest */
#define PCI_CAP_VENDOR(n, p)                                                                       \
    {                                                                                              \
        .id = 0x09, .prop = (p), .vendor = {(n) }                                                  \
    }
/* vital product data: the type's doc, and the part and serial number that the user gives with the
 * properties vpd-part and vpd-serial, which come with the row */
#define PCI_CAP_VPD                                                                                \
    {                                                                                              \
        .id = 0x03, .prop = "vpd", .off_by_default = true                                          \
    }
/* n vectors, table and PBA in BAR b: table first, PBA behind it; or at offsets t and p in it */
#define PCI_CAP_MSIX(n, b)                                                                         \
    {                                                                                              \
        .id = 0x11, .prop = "msix", .msix = {(n), (b), 0, 0 }                                      \
    }
#define PCI_CAP_MSIX_AT(n, b, t, p)                                                                \
    {                                                                                              \
        .id = 0x11, .prop = "msix", .msix = {(n), (b), (t), (p) }                                  \
    }
/* n messages (power of two), 64-bit address, per-vector masking */
#define PCI_CAP_MSI(n, is64, mask)                                                                 \
    {                                                                                              \
        .id = 0x05, .prop = "msi", .msi = {(n), (is64), (mask) }                                   \
    }
/* Express endpoint; becomes a root-complex integrated endpoint on a root bus, and is left out
 * on a conventional bus */
#define PCI_CAP_ENDPOINT                                                                           \
    {                                                                                              \
        .id = 0x10, .prop = "express"                                                              \
    }

/* A function. An instance's structure starts with one. The members are the core's: others use
 * the functions below. */
struct PCIDevice {
    Device dev;
    /* what a config cycle reads stands together */
    PCIBus *bus; /* NULL: detached, and inert */
    uint16_t msi_pos, pm_pos, exp_pos;
    uint8_t devfn;
    bool present; /* answers config cycles */
    PCIConfig config;
    struct PCIBar *bars;            /* list, by index; legacy fixed ranges last */
    struct PCIMsix *msix;           /* NULL: no MSI-X */
    uint64_t levels;                /* bit n: source n asserts */
    uint16_t cap_pos[PCI_MAX_CAPS]; /* where row n of the type's capabilities stands; 0: absent */
    void *cap_state[PCI_MAX_CAPS];  /* private to the capability's file */
    uint8_t pin;                    /* 0: none, 1 to 4 */
    uint8_t d_state;                /* 0: D0, 3: D3hot */
    bool express;                   /* has the Express capability, and 4096 bytes of config space */
    bool intx_driven;               /* the level on the wire now */
    /* properties */
    bool multifunction, qemu_layout;
    uint32_t rombar;
    char *romfile;
    char *vpd_part, *vpd_serial;
    bool exp_strict; /* x-strict-express (hw/pci/express.c) */
    int32_t cap_prop[PCI_MAX_CAPS];
};

struct PCIDeviceType {
    DeviceType base;
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint8_t revision;
    uint32_t class_code;  /* 24 bits: class, subclass, interface */
    unsigned slots;       /* PLAN_SLOT_*: what it may be plugged into */
    PlanPciRole role;     /* 0: endpoint */
    PlanBusKind provides; /* the bus that an endpoint brings, in its realize; 0: none */
    const PCIBarDesc *bars;
    size_t n_bars;
    const PCICapDesc *caps;
    size_t n_caps;
    /* Where QEMU has the capability of that row in this place; 0: the first free space. With the
     * property qemu-layout, for rows whose offset nobody gave; NULL: wherever the table says. */
    uint16_t (*qemu_offset)(const PCIDevice *d, unsigned row);
    bool plain_on_root; /* with qemu-layout: not Express, on an Express root bus, by default */
    unsigned n_irqs;    /* interrupt sources; >0 without MSI and MSI-X wants an INTx pin */
    /* Set the interrupt sources from the registers. Called once after an access whose rows returned
     * PCI_EFFECT_IRQ; NULL if no row does. */
    void (*update_irq)(void *dev);
    /* The number of vectors when a count_prop says PCI_AUTO_COUNT: from the other properties. */
    const PlanCount *auto_count;
    /* A BAR that realize() adds under a condition that `bars` cannot say: what the catalogue says
     * of it (all of *out is zero before). False: none. */
    bool (*late_bar)(const PCIDeviceType *type, PlanBar *out);
    uint8_t int_pin; /* 1-4; 0: pin A if n_irqs > 0 */
    /* Around the core's handling of the guest's config accesses, for registers of the device's own
     * (vendor capabilities): before a read, so that the device can refresh the bytes with
     * pci_set(), and after a write. */
    void (*config_reading)(void *dev, uint32_t addr, unsigned len);
    void (*config_written)(void *dev, uint32_t addr, unsigned len);
};

/* --- interrupts of a function --- */

/* Source n (< n_irqs) asserts or deasserts. With MSI-X or MSI live a rising level sends the
 * message of vector n (MSI: n modulo the messages granted) if unmasked, or sets its pending bit,
 * which goes again with the level (of the last source that shares the message); otherwise the
 * levels of all sources are or-ed onto the INTx pin, gated by Interrupt Disable. */
void pci_irq_set(PCIDevice *d, unsigned n, bool level);
/* An edge: send once. On INTx nothing (use levels). */
void pci_irq_pulse(PCIDevice *d, unsigned n);
/* wrote() of a row on which interrupt sources depend and that has no other effect. */
uint32_t pci_irq_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new);
bool msix_enabled(const PCIDevice *d);
bool msi_enabled(const PCIDevice *d);
/* Send or pend vector n; ignored when n >= the table's size or MSI-X is off. */
void msix_notify(PCIDevice *d, unsigned n);
void msi_notify(PCIDevice *d, unsigned n);
unsigned msix_vectors(const PCIDevice *d); /* 0: no MSI-X */

/* What vector n waits to say is not so any more: its pending bit goes (PCI 6.8.3.5). Out of range:
 * no-op. */
void msix_clear_pending(PCIDevice *d, unsigned n);

/* Told of each vector that becomes able to send (its message) or stops being so, so that
 * somebody else can send it (irqfd, vhost). NULL ends it; setting it reports what is live. */
typedef struct MsixNotifier {
    void (*unmasked)(void *opaque, unsigned n, uint64_t addr, uint32_t data);
    void (*masked)(void *opaque, unsigned n);
} MsixNotifier;
void msix_set_notifier(PCIDevice *d, const MsixNotifier *notifier, void *opaque);

/* The one way of every message: bus-master gate, translate hook, address map. MEM_REFUSED when
 * the function may not send. */
MemResult pci_msi_send(PCIDevice *d, uint64_t addr, uint32_t data);

/* --- DMA: bus-master gate, the bus's translate hook, then the address map ---
 * Refused (MEM_REFUSED; a read gives ones) while Bus Master Enable of the function, or of a
 * bridge above it, is off, in D3hot, or when the function is in no bus. The function counts as
 * entered meanwhile: its own registers refuse the access, a sibling's take it. */
MemResult pci_dma_read(PCIDevice *d, uint64_t addr, void *buf, uint64_t len);
MemResult pci_dma_write(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len);
/* The same of RAM only, for rings and other structures that a device reads and writes on its own:
 * MEM_REFUSED, and no other memory accessed, unless each byte is RAM (for writes: not read-only).
 */
MemResult pci_dma_read_ram(PCIDevice *d, uint64_t addr, void *buf, uint64_t len);
MemResult pci_dma_write_ram(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len);
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
int pci_add_capability_at(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size, GError **err);
/* Unlink the first entry of that id, free its bytes, make them plain writable, clear the Status
 * bit when the list is empty. Absent: 0. Another size than added: -EINVAL, nothing changed. */
int pci_del_capability(PCIDevice *d, uint8_t cap_id, uint8_t size);
/* Mark the bytes of an entry at a known offset as used (after a load). Its masks stay what the
 * caller made them. 0, also if exactly this range is reserved or added already; -EINVAL (range,
 * alignment, size < 2) or -EBUSY (overlap with another entry) with nothing changed. */
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

/* A type added entries of its own in realize(): put the list in its order (qemu-layout). */
void pci_caps_relink(PCIDevice *d);

/* Values of the config space for devices that own registers in it (vendor capabilities). */
uint32_t pci_get(const PCIDevice *d, uint16_t addr, unsigned len);
void pci_set(PCIDevice *d, uint16_t addr, unsigned len, uint32_t value);
/* Writable and write-1-to-clear bits; compared-on-load is everything else. */
void pci_set_masks(PCIDevice *d, uint16_t addr, unsigned len, uint32_t wmask, uint32_t w1cmask);

/* --- BARs --- */
/* The region behind BAR i: a container the type may map things into. NULL if there is none. */
MemRegion *pci_bar_region(PCIDevice *d, unsigned i);
/* For devices whose BAR size is only known in realize(): declare it there. desc is only read now.
 */
bool pci_add_bar(PCIDevice *d, const PCIBarDesc *desc, GError **err);
#define PCI_BAR_UNMAPPED UINT64_MAX
/* Where BAR i decodes now, on its bus. */
uint64_t pci_bar_addr(const PCIDevice *d, unsigned i);
/* A range that the function decodes without a BAR (legacy VGA, IDE): `r`, uncovered by the
 * caller's tables, stands at addr of the bus while Memory (or I/O) Space Enable is set. During
 * realize. The caller keeps r until finalize. */
void pci_add_fixed_range(PCIDevice *d, bool io, uint64_t addr, MemRegion *r);

/* Reset this one function, both phases (function-level reset). Refused with a guest_error() if
 * the function is on the call stack, unless the caller is its own config write. */
void pci_device_reset(PCIDevice *d, ResetKind kind);

/* --- where a function is --- */
PCIBus *pci_bus_of(const PCIDevice *d);
PCIRequester pci_requester(const PCIDevice *d);
uint8_t pci_devfn(const PCIDevice *d);
bool pci_is_express(const PCIDevice *d);
bool pci_bus_master(const PCIDevice *d);

/* The saved record (its format: hw/pci/state.c). A load reports every disagreement at once: the
 * register, the bits, both values and the property that decides. What it switched or moved shows
 * in the capability properties of d. */
void pci_device_save(const PCIDevice *d, ByteWriter *w);
bool pci_device_load(PCIDevice *d, ByteReader *r, const char *path, GError **err);
/* The same as a row of a device's state table: VM_PCI(Ticker, pci). */
extern const VmOps pci_record_ops;
#define VM_PCI(T, m) VM_RECORD(T, m, PCIDevice, &pci_record_ops)

extern const DeviceKind pci_device_kind;

#endif

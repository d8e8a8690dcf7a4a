/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI functions: the interface for device models.
 *
 * A type of function is a const PCIDeviceType: identity, BARs, capabilities, and the tables of the
 * DeviceType that it embeds. From these tables the core implements configuration space with its
 * masks, BAR sizing and mapping, interrupts through MSI-X, MSI or INTx (as the guest enabled),
 * power management, reset, and saved state with its checks. An instance's structure starts with
 * PCIDevice.
 *
 * References: PCI = PCI Local Bus 3.0, PCIe = PCI Express Base 5.0, B = PCI-to-PCI Bridge
 * Architecture Specification 1.2.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "hw/core/device.h"
#include "hw/pci/config.h"

typedef struct PCIDevice PCIDevice;
typedef struct PCIBus PCIBus;
typedef struct PCIDeviceType PCIDeviceType;

enum {
    PCI_NUM_BARS = 7, /* six BARs and the expansion ROM */
    PCI_ROM_BAR = 6,
    PCI_NUM_PINS = 4,
    PCI_MAX_CAPS = 16, /* rows of a type's capability table */
    PCI_MAX_IRQS = 64, /* interrupt sources of one function; does not limit MSI-X vectors */
    MSIX_MAX_VECTORS = 2048,
#define PCI_AUTO_COUNT PLAN_AUTO_COUNT
};

/* A requester id: segment, and the current bus, device and function numbers. */
typedef uint32_t PCIRequester; /* segment << 16 | bus << 8 | devfn */
#define PCI_DEVFN(slot, fn) (((slot)&0x1f) << 3 | ((fn)&7))
#define PCI_SLOT(devfn)     ((devfn) >> 3 & 0x1f)
#define PCI_FUNC(devfn)     ((devfn)&7)

typedef enum PCIBarKind { PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 } PCIBarKind;

/* One BAR. It contains the register table `regs`; without one, the MMIO region of `ops`; without
 * both, the regions that realize() maps into pci_bar_region(). The core adds the MSI-X table and
 * PBA at the offsets that the capability describes. */
typedef struct PCIBarDesc {
    uint8_t index;
    PCIBarKind kind;
    bool prefetch;
    uint64_t size;           /* bytes, a power of two of at least 16 (memory) or 4 (I/O). 0: the BAR
                                contains only MSI-X, and the number of vectors determines its size */
    const char *size_prop;   /* a SIZE property that replaces `size`; NULL: none */
    bool may_lack;           /* size 0 means that the function has no such BAR */
    const char *if_prop;     /* the row applies only if this BOOL property is on; NULL: always */
    const char *unless_prop; /* and only if this one is off; NULL: always */
    const RegDesc *regs;
    size_t n_regs;
    const MemOps *ops; /* called with the instance as opaque */
} PCIBarDesc;

/* One capability. The core adds the CAP property named `prop` to the type's properties; the user
 * switches and places the capability with it ("msix=off", "msix=on", "msix=0x98"). */
typedef struct PCICapDesc {
    uint16_t id;
    bool extended;
    bool required; /* cannot be off */
    bool off_by_default;
    const char *prop;       /* NULL: always present, at an offset that the core chooses */
    uint16_t at;            /* default offset; 0: the first free space */
    const char *count_prop; /* MSI-X, MSI: a U32 property that replaces the number of vectors or
                               messages. Its value 0: no capability */
    union {
        struct {
            bool keep_state; /* No_Soft_Reset: the transition from D3hot to D0 does not reset */
        } pm;
        struct {
            uint8_t size; /* bytes, including the id, the next pointer and the length */
            bool reserve; /* resources that firmware reserves (hw/pci/reserve.c) */
        } vendor;
        struct {
            uint8_t messages; /* a power of two */
            bool addr64, maskable;
        } msi;
        struct {
            uint16_t vectors;
            uint8_t bar;
            uint32_t table, pba; /* offsets in the BAR; both 0: the core chooses them */
        } msix;
        struct {
            uint16_t vendor, id;
        } ssvid;
        struct {
            uint16_t services; /* bits of the capability register */
        } acs;
        struct {
            const char *serial_prop; /* a U64 property. Its value 0: no capability */
        } dsn;
        struct {
            const char *chassis_prop; /* an unsigned property. Its value 0: no capability */
        } slotid;
        struct {
            const char *bus_prop;  /* an unsigned property. Its value 0: no capability */
            const char *more_prop; /* a U32 property: number of further buses; UINT32_MAX: 0 */
        } ea;
    };
} PCICapDesc;

/* Power Management with D0 and D3hot. The transition from D3hot to D0 resets the function; with
 * _KEEP (No_Soft_Reset) it does not. */
#define PCI_CAP_PM_D3                                                                              \
    {                                                                                              \
        .id = 0x01, .prop = "pm"                                                                   \
    }
#define PCI_CAP_PM_D3_KEEP                                                                         \
    {                                                                                              \
        .id = 0x01, .prop = "pm", .pm = { 1 }                                                      \
    }
/* Vendor Specific, n bytes: id, next pointer, length, then the device's own registers. */
#define PCI_CAP_VENDOR(n, p)                                                                       \
    {                                                                                              \
        .id = 0x09, .prop = (p), .vendor = {(n) }                                                  \
    }
/* Vital Product Data: the type's doc, and the part and serial numbers of the properties vpd-part
 * and vpd-serial, which this row adds to the type. */
#define PCI_CAP_VPD                                                                                \
    {                                                                                              \
        .id = 0x03, .prop = "vpd", .off_by_default = true                                          \
    }
/* Address Translation Services; PCI Express only. */
#define PCI_CAP_ATS                                                                                \
    {                                                                                              \
        .id = 0x0f, .extended = true, .prop = "ats", .off_by_default = true                        \
    }
/* MSI-X with n vectors. The table and the PBA are in BAR b: the PBA follows the table at offset 0;
 * with _AT they are at offsets t and p. */
#define PCI_CAP_MSIX(n, b)                                                                         \
    {                                                                                              \
        .id = 0x11, .prop = "msix", .msix = {(n), (b), 0, 0 }                                      \
    }
#define PCI_CAP_MSIX_AT(n, b, t, p)                                                                \
    {                                                                                              \
        .id = 0x11, .prop = "msix", .msix = {(n), (b), (t), (p) }                                  \
    }
/* MSI with n messages (a power of two); is64: 64-bit addresses; mask: per-vector masking. */
#define PCI_CAP_MSI(n, is64, mask)                                                                 \
    {                                                                                              \
        .id = 0x05, .prop = "msi", .msi = {(n), (is64), (mask) }                                   \
    }
/* Express endpoint. On a root bus it is a root-complex integrated endpoint; on a conventional bus
 * the capability is absent. */
#define PCI_CAP_ENDPOINT                                                                           \
    {                                                                                              \
        .id = 0x10, .prop = "express"                                                              \
    }

/* A function. An instance's structure starts with one. Only the core accesses the members; device
 * models use the functions below. */
struct PCIDevice {
    Device dev;
    /* Members that a configuration access reads, together for the cache. */
    PCIBus *bus; /* NULL: detached; the function does not respond */
    uint16_t msi_pos, pm_pos, exp_pos;
    uint8_t devfn;
    bool present; /* responds to configuration accesses */
    PCIConfig config;
    struct PCIBar *bars;            /* list in order of index; fixed ranges are last */
    struct PCIMsix *msix;           /* NULL: no MSI-X */
    uint64_t levels;                /* bit n: source n asserts */
    uint16_t cap_pos[PCI_MAX_CAPS]; /* offset of the capability of row n of the type; 0: absent */
    void *cap_state[PCI_MAX_CAPS];  /* private to the class of the capability */
    uint8_t pin;                    /* 0: none, 1 to 4 */
    uint8_t d_state;                /* 0: D0, 3: D3hot */
    bool express;                   /* has the Express capability and 4096 bytes of config space */
    bool intx_driven;               /* current level of the INTx pin */
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
    unsigned slots;       /* PLAN_SLOT_*: classes of bus that accept the type */
    PlanPciRole role;     /* 0: endpoint */
    PlanBusKind provides; /* class of the bus that an endpoint's realize() creates; 0: none */
    const PCIBarDesc *bars;
    size_t n_bars;
    const PCICapDesc *caps;
    size_t n_caps;
    /* Return QEMU's offset of the capability of a row; 0: the first free space. Called with
     * qemu-layout=on for rows whose offset is not set. NULL: no such offsets. */
    uint16_t (*qemu_offset)(const PCIDevice *d, unsigned row);
    bool link_rows; /* with qemu-layout, the list has the order of the rows, not of the offsets */
    bool plain_on_root; /* with qemu-layout: by default not Express on an Express root bus */
    unsigned n_irqs;    /* number of interrupt sources, at most PCI_MAX_IRQS */
    /* Set the interrupt sources from the registers. Called once after an access whose rows returned
     * PCI_EFFECT_IRQ; NULL if no row does. */
    void (*update_irq)(void *dev);
    /* The function may issue requests again: Bus Master Enable was set, here or in a bridge above
     * it, or its power state is D0 again without a reset. Called in the configuration access of
     * that function or bridge: the device schedules its work. NULL: nothing to do. */
    void (*master_enabled)(void *dev);
    /* Computes the number of vectors from other properties if a count_prop is PCI_AUTO_COUNT. */
    const PlanCount *auto_count;
    /* Describe in *out, which is zeroed, the BAR that realize() adds under a condition that `bars`
     * cannot express, for the catalogue. False: there is none. NULL: as false. */
    bool (*late_bar)(const PCIDeviceType *type, PlanBar *out);
    uint8_t int_pin; /* 1-4; 0: pin A if n_irqs > 0 */
    /* For registers that the device owns (vendor-specific capabilities). Called before each read of
     * the configuration space, so that the device can update the bytes with pci_set(), and after
     * each write. NULL: nothing to do. */
    void (*config_reading)(void *dev, uint32_t addr, unsigned len);
    void (*config_written)(void *dev, uint32_t addr, unsigned len);
};

/* --- interrupts of a function --- */

/**
 * pci_irq_set() - Set the level of an interrupt source.
 * @n:     source, below n_irqs of the type; ignored from PCI_MAX_IRQS on
 * @level: true if the source asserts
 *
 * With MSI-X or MSI enabled, a rising level sends the message of vector @n (MSI: @n modulo the
 * number of messages granted), or sets its pending bit if the vector is masked. A falling level
 * clears the pending bit; with MSI only if no other source that shares the message asserts.
 * With neither enabled, the OR of the levels of all sources drives the INTx pin, unless Interrupt
 * Disable is set (PCI 6.2.2, 6.8).
 */
void pci_irq_set(PCIDevice *d, unsigned n, bool level);

/**
 * pci_irq_pulse() - Send the message of an edge-triggered source once.
 * @n: source
 *
 * Without MSI-X or MSI enabled the call has no effect: INTx requires levels (pci_irq_set()).
 */
void pci_irq_pulse(PCIDevice *d, unsigned n);

/* wrote() of a row on which interrupt sources depend and that has no other effect. Returns
 * PCI_EFFECT_IRQ. */
uint32_t pci_irq_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new);

/* Return true if the function has MSI-X (MSI) and the guest enabled it. */
bool msix_enabled(const PCIDevice *d);
bool msi_enabled(const PCIDevice *d);

/**
 * msix_notify() - Send the message of an MSI-X vector, or set its pending bit.
 * @n: vector
 *
 * The pending bit is set if the vector or the function is masked (PCI 6.8.2). No effect if MSI-X is
 * disabled or absent, or if @n is not below msix_vectors().
 */
void msix_notify(PCIDevice *d, unsigned n);

/**
 * msi_notify() - Send an MSI message, or set its pending bit if it is masked (PCI 6.8.1).
 * @n: message; taken modulo the number of messages that the guest granted
 *
 * No effect if MSI is disabled or absent.
 */
void msi_notify(PCIDevice *d, unsigned n);

/* Number of entries of the MSI-X table; 0: no MSI-X. */
unsigned msix_vectors(const PCIDevice *d);

/* Clear vector n's pending bit because the condition that set it no longer holds (PCI 6.8.3.5). No
 * effect if n is out of range. */
void msix_clear_pending(PCIDevice *d, unsigned n);

/* Functions called when an MSI-X vector becomes able or unable to send, so that another component
 * (irqfd, vhost) can send its message. unmasked() is called again if the message of an unmasked
 * vector changes. A load calls neither function. */
typedef struct MsixNotifier {
    void (*unmasked)(void *opaque, unsigned n, uint64_t addr, uint32_t data);
    void (*masked)(void *opaque, unsigned n);
} MsixNotifier;

/**
 * msix_set_notifier() - Set the notifier of a function.
 * @notifier: must stay valid until it is replaced; NULL removes the notifier
 * @opaque:   first argument of its functions
 *
 * Calls unmasked() for each vector that is able to send now. No effect without MSI-X.
 */
void msix_set_notifier(PCIDevice *d, const MsixNotifier *notifier, void *opaque);

/**
 * pci_msi_send() - Write a message. All messages of a function use this path.
 * @addr: bus address
 * @data: message data
 *
 * The message is a DMA write of 4 bytes (pci_dma_write()).
 *
 * Return: MEM_REFUSED if the function may not issue requests; otherwise the result of the write.
 */
MemResult pci_msi_send(PCIDevice *d, uint64_t addr, uint32_t data);

/* --- DMA: bus-master check, translation by the host, then the address map --- */

/**
 * pci_dma_read() - Read memory as the function.
 * @addr: bus address
 * @buf:  receives the bytes; all ones where the access is refused
 * @len:  bytes
 *
 * The function counts as entered during the access: an access to its own registers is refused, an
 * access to those of another function is carried out.
 *
 * Return: MEM_OK, or the OR of the results of the pieces. MEM_REFUSED if Bus Master Enable of the
 * function or of a bridge above it is clear, if the function is in D3hot or not visible, if it is
 * on no bus, or if the host's translation rejects an address (PCI 6.2.2, B 3.2.4.3). Pieces before
 * a rejected address are transferred.
 */
MemResult pci_dma_read(PCIDevice *d, uint64_t addr, void *buf, uint64_t len);
/* Write memory as the function. As pci_dma_read(). */
MemResult pci_dma_write(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len);

/**
 * pci_dma_read_ram() - Read RAM as the function, for rings and other structures that a device
 * accesses on its own.
 *
 * As pci_dma_read(), but accesses RAM only, and leaves the rest of @buf unchanged on failure.
 *
 * Return: MEM_OK, or MEM_REFUSED if the function may not issue requests or if a byte is not RAM.
 * Bytes before that one are transferred.
 */
MemResult pci_dma_read_ram(PCIDevice *d, uint64_t addr, void *buf, uint64_t len);
/* Write RAM as the function. As pci_dma_read_ram(), and read-only RAM is refused. */
MemResult pci_dma_write_ram(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len);

/* A range of RAM that a function has mapped. */
typedef struct PCIDmaMap {
    uint8_t *host;
    uint64_t len;
    RamBlock *block;
    uint64_t offset;
    bool write;
} PCIDmaMap;

/**
 * pci_dma_map() - Map RAM for DMA.
 * @addr:  bus address
 * @len:   bytes, at least 1
 * @write: the device may write the range; read-only RAM is then refused
 * @map:   receives the host pointer and the range
 *
 * Pins the device. pci_dma_unmap() undoes it.
 *
 * Return: false, without a mapping, if the function may not issue requests or if the range is not
 * one contiguous run of RAM. Use the copying functions then.
 */
bool pci_dma_map(PCIDevice *d, uint64_t addr, uint64_t len, bool write, PCIDmaMap *map);

/**
 * pci_dma_unmap() - End a mapping.
 * @map:     cleared
 * @written: bytes that the device wrote, from the start of the range; ignored for a mapping without
 *           @write
 *
 * Marks the written bytes dirty and unpins the device, which may free it.
 */
void pci_dma_unmap(PCIDevice *d, PCIDmaMap *map, uint64_t written);

/* --- the conventional capability list, 40h to FFh (PCI 6.7) --- */

/**
 * pci_add_capability() - Add an entry to the capability list.
 * @cap_id: Capability ID
 * @size:   bytes, at least 2
 *
 * Allocates the first free space after the header at an offset that is a multiple of 4. Links the
 * entry at the head of the list, sets Capabilities List in Status, and zeroes the bytes and makes
 * them read-only. pci_del_capability() undoes it.
 *
 * Return: the offset, or -ENOSPC with nothing changed if there is no space or @size is below 2.
 */
int pci_add_capability(PCIDevice *d, uint8_t cap_id, uint8_t size);

/**
 * pci_add_capability_at() - Add an entry to the capability list at an offset.
 * @offset: multiple of 4, from 40h on
 *
 * As pci_add_capability().
 *
 * Return: the offset, or -EINVAL with an error and nothing changed if the offset is misaligned, the
 * range exceeds 40h to FFh or overlaps another entry, which the message names, or @size is below 2.
 */
int pci_add_capability_at(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size, GError **err);

/**
 * pci_del_capability() - Remove the first entry with an id.
 * @size: bytes, as passed when the entry was added
 *
 * Frees the bytes, which become zero and writable, and clears Capabilities List in Status when the
 * list becomes empty.
 *
 * Return: 0, also if there is no such entry; -EINVAL with nothing changed if the entry has another
 * size.
 */
int pci_del_capability(PCIDevice *d, uint8_t cap_id, uint8_t size);

/**
 * pci_reserve_capability() - Mark the bytes of an entry as allocated, for example after a load.
 * @offset: start of the entry
 * @size:   bytes, at least 2
 *
 * The list and all other masks stay unchanged.
 *
 * Return: 0, also if exactly this range is allocated already. With nothing changed: -EINVAL for a
 * wrong range, alignment or size, -EBUSY if the range overlaps another entry.
 */
int pci_reserve_capability(PCIDevice *d, uint8_t offset, uint8_t size);

/* Return the offset of the first entry with an id, or 0. The walk ends on any list, also on one
 * with a loop. */
uint8_t pci_find_capability(const PCIDevice *d, uint8_t cap_id);
/* Return the offset of the next entry with an id after the entry at offset `after`, or 0. */
uint8_t pci_find_next_capability(const PCIDevice *d, uint8_t after, uint8_t cap_id);

/* --- the extended capability list, from 100h on (PCIe 7.6) --- */

/**
 * pcie_add_ext_capability() - Add an entry to the extended capability list.
 * @cap_id:  PCI Express Extended Capability ID, not 0
 * @version: Capability Version, 0 to 15
 * @size:    bytes, at least 4
 *
 * As pci_add_capability(). Each function of this list works like the one of the conventional list,
 * with these differences: an entry has at least 4 bytes, the list always starts at 100h, and an
 * empty list has a null entry there. A function without PCI Express has no extended list: add and
 * reserve fail, delete returns 0 and find returns 0.
 */
int pcie_add_ext_capability(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t size);
int pcie_add_ext_capability_at(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t offset,
                               uint16_t size, GError **err);
int pcie_del_ext_capability(PCIDevice *d, uint16_t cap_id, uint16_t size);
int pcie_reserve_ext_capability(PCIDevice *d, uint16_t offset, uint16_t size);
uint16_t pcie_find_ext_capability(const PCIDevice *d, uint16_t cap_id);
uint16_t pcie_find_next_ext_capability(const PCIDevice *d, uint16_t after, uint16_t cap_id);

/* Put the conventional list in the order of QEMU. Called by the realize() of a type that added
 * entries there. No effect with qemu-layout=off. */
void pci_caps_relink(PCIDevice *d);

/* --- configuration registers that the device owns (vendor-specific capabilities) --- */

/* Return the value of len (1 to 4) bytes at addr, which must be inside the configuration space. */
uint32_t pci_get(const PCIDevice *d, uint16_t addr, unsigned len);
/* Set the value of len bytes at addr. Masks do not apply and no wrote() is called. */
void pci_set(PCIDevice *d, uint16_t addr, unsigned len, uint32_t value);
/* Set the masks of len bytes at addr: the bits that the guest writes, and the bits that it clears
 * by writing 1, which take precedence. All other bits are compared on load. */
void pci_set_masks(PCIDevice *d, uint16_t addr, unsigned len, uint32_t wmask, uint32_t w1cmask);

/* --- BARs (PCI 6.2.5) --- */

/* Return the region of BAR i, a container in which the type maps its regions; NULL: the function
 * has no such BAR. The function owns the region. */
MemRegion *pci_bar_region(PCIDevice *d, unsigned i);

/**
 * pci_add_bar() - Declare a BAR in realize(), for types whose BAR size is known only there.
 * @desc: description; need not stay valid
 * @err:  see below
 *
 * The BAR is removed with the function.
 *
 * Return: true, also if @desc may_lack and the size is 0. False with an error if the register does
 * not exist in the header or is in use, or if the size is not accepted.
 */
bool pci_add_bar(PCIDevice *d, const PCIBarDesc *desc, GError **err);

#define PCI_BAR_UNMAPPED UINT64_MAX
/* Return the bus address at which BAR i decodes now, or PCI_BAR_UNMAPPED. */
uint64_t pci_bar_addr(const PCIDevice *d, unsigned i);

/**
 * pci_add_fixed_range() - Declare a range that the function decodes without a BAR (legacy VGA,
 * IDE).
 * @io:   in I/O space, otherwise in memory space
 * @addr: bus address
 * @r:    region; the caller owns it and keeps it until finalize()
 *
 * The range is mapped while I/O Space Enable or Memory Space Enable is set. Called by realize().
 */
void pci_add_fixed_range(PCIDevice *d, bool io, uint64_t addr, MemRegion *r);

/**
 * pci_device_reset() - Reset one function, both phases (function-level reset, PCIe 6.6.2).
 *
 * If an access to the function is being processed, the reset is not carried out and guest_error()
 * reports it. A configuration write requests a reset with PCI_EFFECT_RESET_FLR instead.
 */
void pci_device_reset(PCIDevice *d, ResetKind kind);

/* --- location of a function --- */

/* Return the requester id with the current bus number. */
PCIRequester pci_requester(const PCIDevice *d);
uint8_t pci_devfn(const PCIDevice *d);
/* Return true if the function has the Express capability and 4096 bytes of configuration space. */
bool pci_is_express(const PCIDevice *d);
/* Return true if the function may issue requests; pci_dma_read() states the conditions. */
bool pci_bus_master(const PCIDevice *d);

/* --- saved state --- */

/* Write the record of a function; hw/pci/state.c describes its format. */
void pci_device_save(const PCIDevice *d, ByteWriter *w);

/**
 * pci_device_load() - Load the record of a function.
 * @path: name of the function in messages
 * @err:  lists every difference: register, bits, both values and the property that determines them
 *
 * The record takes precedence over the capability properties of the function, which then show the
 * capabilities and offsets of the record.
 *
 * Return: false with an error and nothing changed if the record is refused.
 */
bool pci_device_load(PCIDevice *d, ByteReader *r, const char *path, GError **err);

/* The record as a row of a device's state table: VM_PCI(Ticker, pci). */
extern const VmOps pci_record_ops;
#define VM_PCI(T, m) VM_RECORD(T, m, PCIDevice, &pci_record_ops)

extern const DeviceKind pci_device_kind;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space: bytes, the masks that control access to them, and the register rows from
 * which the masks are compiled.
 *
 * This module depends on neither bus nor memory. A guest's write is processed in the order of
 * hw/core/reg.h and returns effects; the device layer applies them.
 *
 * Registers are described by rows (RegDesc). pci_config_compile() translates rows into byte masks,
 * which are the run-time form: wmask = rw, w1cmask = w1c, sticky, cmask = identity, and `used` for
 * the bytes of a capability. Offsets of rows are relative to the header or to the capability.
 *
 * Masks are kept in blocks of 64 bytes. A block without registers is one of two const blocks:
 * plain (40h to FFh: read-write) or reserved (100h onward: reads as zero). A function therefore
 * needs memory only for the blocks in which it has registers.
 *
 * Invariants: wmask & w1cmask == 0 for every byte. The bytes of an entry are used. The bytes of an
 * added entry are read-only except for bits that its rows or its owner made writable; the owner
 * sets the masks of a reserved entry. Entries are 4-byte aligned and do not overlap.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_CONFIG_H
#define HW_PCI_CONFIG_H

#include "hw/core/reg.h"

struct PCIDevice;
struct PCICapDesc;

enum {
    PCI_HEADER_SIZE = 0x40,
    PCI_CONFIG_SIZE = 256,   /* of a conventional function */
    PCIE_CONFIG_SIZE = 4096, /* of a PCI Express function */
    PCI_MASK_BLOCK = 64,
};

typedef struct PCIMasks {
    uint8_t wmask[PCI_MASK_BLOCK];   /* the guest writes these bits */
    uint8_t w1cmask[PCI_MASK_BLOCK]; /* the guest clears these bits by writing 1 */
    uint8_t cmask[PCI_MASK_BLOCK];   /* must agree when a state is loaded, unless writable */
    uint8_t used[PCI_MASK_BLOCK];    /* FFh: allocated to an entry */
    uint8_t sticky[PCI_MASK_BLOCK];  /* only a cold reset changes these bits */
} PCIMasks;

typedef enum PCIMaskKind {
    PCI_WMASK = offsetof(PCIMasks, wmask),
    PCI_W1CMASK = offsetof(PCIMasks, w1cmask),
    PCI_CMASK = offsetof(PCIMasks, cmask),
    PCI_USED = offsetof(PCIMasks, used),
    PCI_STICKY = offsetof(PCIMasks, sticky),
} PCIMaskKind;

/* Rows of a capability or of the header, sorted by offset, and the functions that have them. */
typedef struct PCIRegTable {
    const RegDesc *rows;
    size_t n;
    /* Return whether a function has the rows. Depends only on the type, its properties and the
     * class of its bus. NULL: every function has them. */
    bool (*applies)(const struct PCIDevice *d, const struct PCICapDesc *desc);
} PCIRegTable;

/* Bits of Command that every function has: I/O, memory and bus-master enables, SERR# enable, INTx
 * disable. */
enum { PCI_COMMAND_RW = 0x0507 };

enum { PCI_MAX_TABLES = 32 }; /* tables of one capability */

/* An allocated entry of one of the two capability lists. */
typedef struct PCICapEntry {
    uint16_t offset, size, id;
    bool extended;
    uint32_t selected;         /* bit t: table t applies to this function */
    const PCIRegTable *tables; /* of the capability's class; NULL: the entry has no rows */
} PCICapEntry;

typedef struct PCIConfig {
    uint8_t *bytes;
    uint16_t size;    /* 256 or 4096 */
    uint8_t type;     /* header type: 0 or 1 */
    PCIMasks **masks; /* one pointer for each block */
    uint64_t own;     /* bit b: block b was allocated here */
    uint16_t n_entries, room;
    uint32_t lanes; /* see pci_config_lanes() */
    PCICapEntry *entries;
} PCIConfig;

/* Effects of a write, as wrote() of a row returns them and pci_apply_effects() applies them. */
enum {
    PCI_EFFECT_DECODE = 1 << 0,       /* I/O or memory decoding changed: BARs and windows */
    PCI_EFFECT_MASTER = 1 << 1,       /* Bus Master Enable or the power state changed */
    PCI_EFFECT_INTX = 1 << 2,         /* the level of the interrupt pin may have changed */
    PCI_EFFECT_BAR = 1 << 3,          /* a Base Address register changed */
    PCI_EFFECT_ROM = 1 << 4,          /* the Expansion ROM Base Address register changed */
    PCI_EFFECT_BUS_NUMBERS = 1 << 5,  /* bus numbers or ARI forwarding of a bridge changed */
    PCI_EFFECT_WINDOWS = 1 << 6,      /* a base or limit of a bridge changed */
    PCI_EFFECT_BUS_RESET = 1 << 7,    /* Bridge Control: Secondary Bus Reset changed */
    PCI_EFFECT_IRQ = 1 << 8,          /* interrupt sources: update_irq() of the type */
    PCI_EFFECT_RESET_FLR = 1 << 9,    /* reset this function: Initiate Function Level Reset */
    PCI_EFFECT_RESET_D3HOT = 1 << 10, /* reset this function: it left D3hot */
};

/**
 * pci_config_init() - Create a configuration space without capabilities.
 * @c:    overwritten
 * @size: 256 or 4096 bytes
 * @type: header type, 0 or 1
 *
 * The bytes are zero except for reset values of the header, and the masks are those of the header
 * type (PCI 6.1, 6.2; PCI-to-PCI Bridge 1.2 3.2). pci_config_fini() undoes it.
 */
void pci_config_init(PCIConfig *c, unsigned size, unsigned type);
void pci_config_fini(PCIConfig *c);
/* Make c a copy of `from` with separate bytes, masks and entries. pci_config_fini() undoes it. */
void pci_config_copy(PCIConfig *c, const PCIConfig *from);

/* Return the value of a guest's read of `len` bytes. Bytes past the end read as ones; a read of a
 * length other than 1, 2 and 4 returns all ones. */
uint32_t pci_config_read(const PCIConfig *c, uint32_t addr, unsigned len);
/**
 * pci_config_write() - Process a guest's write, in the order of hw/core/reg.h.
 * @d:    passed to accept() and wrote() of the rows
 * @addr: byte offset
 * @len:  1, 2 or 4 bytes; another length writes nothing. Bytes past the end are ignored
 *
 * Calls accept() of every row that the access covers, stores the bytes through the masks, and calls
 * wrote() of these rows. A write to the header that changes no byte calls neither.
 *
 * Return: the effects, PCI_EFFECT_*; 0 if a row refused the access.
 */
uint32_t pci_config_write(PCIConfig *c, struct PCIDevice *d, uint32_t addr, unsigned len,
                          uint32_t value);
/* Return the bits of the row that the access covers. Valid during wrote(). */
uint32_t pci_config_lanes(const PCIConfig *c);

/* Access of the device: masks do not apply and no row is called. The bytes must be in range. */
uint32_t pci_config_get(const PCIConfig *c, uint32_t addr, unsigned len);
void pci_config_set(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value);

/* --- the table compiler --- */

/* Return the rows of a header type, 0 or 1. */
PCIRegTable pci_config_header_rows(unsigned type);
/* Return the row of a header type that covers the byte at addr, which is below PCI_HEADER_SIZE;
 * NULL: reserved. O(1). */
const RegDesc *pci_config_header_row(unsigned type, uint32_t addr);
/* Return the rows with which every entry of the conventional or the extended list starts. */
PCIRegTable pci_config_head_rows(bool extended);
/* Set the masks of the bytes that the rows cover. pos is the offset of the header or the entry. */
void pci_config_compile(PCIConfig *c, uint16_t pos, const RegDesc *rows, size_t n);
/* Like pci_config_compile(), and set the bytes to the reset values. */
void pci_config_declare(PCIConfig *c, uint16_t pos, const RegDesc *rows, size_t n);
/* Declare the selected tables (bit t: table t) at the entry at pos. Guest writes to the entry then
 * call accept() and wrote() of their rows. */
void pci_config_declare_entry(PCIConfig *c, uint16_t pos, const PCIRegTable *tables,
                              uint32_t selected);
/* Check rows. Return NULL, or a message about the first malformed row, which the caller frees with
 * g_free(). For the conformance test. */
char *pci_config_check_rows(const RegDesc *rows, size_t n);

/* Return the byte of a mask at addr. */
uint8_t pci_config_mask(const PCIConfig *c, PCIMaskKind kind, uint32_t addr);
/* Set bytes of a mask without a row: len bytes to a value, n bytes to the same value. */
void pci_config_mask_set(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned len,
                         uint32_t value);
void pci_config_mask_fill(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned n, uint8_t value);

/* Return a copy of all masks of n bytes except `used`, for an entry that moves. The caller frees it
 * with g_free(). pci_config_restore_masks() sets the masks of n bytes at another address from it.
 */
uint8_t *pci_config_save_masks(const PCIConfig *c, uint32_t addr, unsigned n);
void pci_config_restore_masks(PCIConfig *c, uint32_t addr, unsigned n, const uint8_t *saved);
/* Set the masks of [addr, addr+n) to those of unallocated space: plain or reserved. */
void pci_config_unclaim(PCIConfig *c, uint32_t addr, unsigned n);

/* Set writable and write-1-to-clear bits to zero, then the bits of every entry that are not part of
 * its identity to the reset value of their row. Sticky bits change only if `cold`. */
void pci_config_reset(PCIConfig *c, bool cold);

/* --- entries --- */

/* Return the entry that contains an offset; NULL: none. Valid until entries are added or removed.
 */
PCICapEntry *pci_config_entry_at(const PCIConfig *c, uint32_t offset);
/* Allocate the bytes of an entry as used and read-only, with the first rows of its list. */
void pci_config_claim(PCIConfig *c, const PCICapEntry *entry);
/* Allocate the bytes of an entry and leave all masks but `used` unchanged. */
void pci_config_reserve(PCIConfig *c, const PCICapEntry *entry);
/* Add an entry to the array of entries, and remove the entry that starts at an offset from it.
 * Bytes and masks do not change. */
void pci_config_entry_add(PCIConfig *c, const PCICapEntry *entry);
void pci_config_entry_drop(PCIConfig *c, uint16_t offset);

/* Remove all entries and unclaim everything past the header (before a load). */
void pci_config_forget(PCIConfig *c);

/* Return the heap bytes in use. For the benchmark. */
size_t pci_config_footprint(const PCIConfig *c);

#endif

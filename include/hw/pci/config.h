/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space: bytes, the masks that govern them, and which of them are allocated.
 *
 * Knows no bus and no memory. A guest's write changes each byte by that byte's own masks and
 * returns what follows from it as a set of effects, which the device layer applies; nothing
 * here calls upwards.
 *
 * Masks are kept in blocks of 64 bytes. A block nobody changed is one of two const ones: plain
 * (40h to FFh: read-write) or reserved (100h onward: reads as zero), so an idle function pays
 * only for the blocks in which it has registers.
 *
 * Invariants: wmask & w1cmask == 0 for every byte; bytes of an entry are used; those of an added
 * entry are read-only unless its owner opened bits, those of a reserved one as its owner set them;
 * entries are 4-byte aligned and do not overlap.
 * Machine lock.
 */
#ifndef HW_PCI_CONFIG_H
#define HW_PCI_CONFIG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { PCI_MASK_BLOCK = 64 };

typedef struct PCIMasks {
    uint8_t wmask[PCI_MASK_BLOCK];   /* a guest may write */
    uint8_t w1cmask[PCI_MASK_BLOCK]; /* writing 1 clears */
    uint8_t cmask[PCI_MASK_BLOCK];   /* must agree when a state is loaded, unless writable */
    uint8_t used[PCI_MASK_BLOCK];    /* FFh: allocated to an entry */
    uint8_t sticky[PCI_MASK_BLOCK];  /* survives every reset but the cold one */
} PCIMasks;

typedef enum PCIMaskKind {
    PCI_WMASK = offsetof(PCIMasks, wmask),
    PCI_W1CMASK = offsetof(PCIMasks, w1cmask),
    PCI_CMASK = offsetof(PCIMasks, cmask),
    PCI_USED = offsetof(PCIMasks, used),
    PCI_STICKY = offsetof(PCIMasks, sticky),
} PCIMaskKind;

/* An allocated entry of one of the two capability lists. */
typedef struct PCICapEntry {
    uint16_t offset, size, id;
    bool extended;
} PCICapEntry;

typedef struct PCIConfig {
    uint8_t *bytes;
    uint16_t size;    /* 256 or 4096 */
    uint8_t type;     /* header type: 0 or 1 */
    PCIMasks **masks; /* one pointer for each block */
    uint64_t own;     /* bit b: block b was allocated here */
    uint16_t n_entries, room;
    PCICapEntry *entries;
} PCIConfig;

/* What a write changed. The bits of the header are set if a value changed; PCI_EFFECT_CAP if a
 * byte of an entry was written at all, since some bits act when written with what they were. */
enum {
    PCI_EFFECT_DECODE = 1 << 0,         /* Command: I/O or Memory Space Enable */
    PCI_EFFECT_MASTER = 1 << 1,         /* Command: Bus Master Enable */
    PCI_EFFECT_INTX = 1 << 2,           /* Command: Interrupt Disable */
    PCI_EFFECT_BAR = 1 << 3,            /* a Base Address register */
    PCI_EFFECT_ROM = 1 << 4,            /* the Expansion ROM Base Address register */
    PCI_EFFECT_BUS_NUMBERS = 1 << 5,    /* Primary, Secondary or Subordinate Bus Number */
    PCI_EFFECT_WINDOWS = 1 << 6,        /* a base or limit of a bridge */
    PCI_EFFECT_BRIDGE_CONTROL = 1 << 7, /* Bridge Control */
    PCI_EFFECT_CAP = 1 << 8,            /* a capability: see the entries the write touches */
    PCI_EFFECT_IRQ = 1 << 9,            /* the interrupt sources: update_irq() of the type */
};

/* Zeroed bytes with the masks every header of that type has (PCI 6.1, 6.2; bridge 3.2). size is
 * 256 or 4096, type 0 or 1. */
void pci_config_init(PCIConfig *c, unsigned size, unsigned type);
void pci_config_fini(PCIConfig *c);
/* Make c a copy of `from` with bytes, masks and entries of its own; ended by pci_config_fini(). */
void pci_config_copy(PCIConfig *c, const PCIConfig *from);

/* A guest's access. Bytes past the end read as ones and swallow writes; a length other than 1, 2
 * and 4 reads as all ones and writes nothing. The write returns PCI_EFFECT_*. */
uint32_t pci_config_read(const PCIConfig *c, uint32_t addr, unsigned len);
uint32_t pci_config_write(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value);

/* The device's own access: no masks. In range by contract. */
uint32_t pci_config_get(const PCIConfig *c, uint32_t addr, unsigned len);
void pci_config_set(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value);

/* One byte of a mask. */
uint8_t pci_config_mask(const PCIConfig *c, PCIMaskKind kind, uint32_t addr);
void pci_config_mask_set(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned len,
                         uint32_t value);
/* The same byte over a range. */
void pci_config_mask_fill(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned n, uint8_t value);

/* Put the masks of [addr, addr+n) back to those of space nobody allocated: plain or reserved. */
void pci_config_unclaim(PCIConfig *c, uint32_t addr, unsigned n);
/* Put every writable and write-1-to-clear bit to zero; sticky ones only if `cold`. */
void pci_config_reset(PCIConfig *c, bool cold);

/* Entries: found by an offset they cover (NULL: none), added and dropped by their first one. */
PCICapEntry *pci_config_entry_at(const PCIConfig *c, uint32_t offset);
void pci_config_entry_add(PCIConfig *c, const PCICapEntry *entry);
void pci_config_entry_drop(PCIConfig *c, uint16_t offset);

/* Forget all entries and unclaim everything past the header (before a load). */
void pci_config_forget(PCIConfig *c);

/* Heap bytes in use. For the benchmark. */
size_t pci_config_footprint(const PCIConfig *c);

#endif

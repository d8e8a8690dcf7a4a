/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two files of the saved record share: state.c reads, writes and accepts it,
 * state_check.c walks its capability lists and compares it with the device.
 */
#ifndef HW_PCI_STATE_H
#define HW_PCI_STATE_H

#include "hw/pci/pci_int.h"

enum {
    PCI_RECORD_CONFIG = 1, /* versions */
    PCI_RECORD_IRQ = 2,
    PCI_RECORD_PRESENT = 3,
    PCI_RECORD_ENTRIES = (PCIE_CONFIG_SIZE - PCI_HEADER_SIZE) / 4, /* at most, in both lists */
};

/* What the record says, before any of it is believed. */
typedef struct PCIRecord {
    PCIDevice *d;
    const char *path;
    uint32_t version, present;
    const uint8_t *config;
    uint8_t *filled; /* config with the zeros that were left out; NULL: it was whole */
    uint32_t irq[PCI_NUM_PINS];
    GString *wrong; /* sentences, joined by "; " */
    unsigned n_wrong;
    /* What becomes the device's when the record is accepted. */
    int32_t cap_prop[PCI_MAX_CAPS];
    const uint8_t *state[PCI_MAX_CAPS];
    uint64_t levels;
    /* What stays the device's if it is refused: d->config and d->cap_pos are a trial meanwhile. */
    PCIConfig own_config;
    uint16_t own_pos[PCI_MAX_CAPS];
} PCIRecord;

/* An entry met on a walk of a list, and the own entry it stands for. */
typedef struct PCIFound {
    uint16_t offset, id;
    bool extended;
    const PCICapEntry *own;
} PCIFound;

/* Note a disagreement; all of them become one message. */
void pci_record_wrong(PCIRecord *r, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The message; false. */
bool pci_record_refuse(const PCIRecord *r, GError **err);

/* The entries of both lists in these bytes, in list order; returns how many. What is malformed is
 * noted and ends the list. found has room for PCI_RECORD_ENTRIES. */
unsigned pci_record_walk(PCIRecord *r, const uint8_t *config, PCIFound *found);
/* Pair the loaded entries with the device's own; every entry without a partner is noted. */
void pci_record_match(PCIRecord *r, PCIFound *found, unsigned n);
/* Note every bit that the guest cannot change and that differs. */
void pci_record_compare(PCIRecord *r, const PCIFound *found, unsigned n);

static inline bool pci_record_is_msix(const PCIFound *f)
{
    return f->id == PCI_CAP_ID_MSIX && !f->extended;
}

#endif

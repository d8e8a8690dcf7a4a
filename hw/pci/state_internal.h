/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interface between the two files of the saved record of a PCI function: state.c reads, writes and
 * applies it, state_check.c walks its capability lists and compares it with the device.
 */
#ifndef HW_PCI_STATE_INTERNAL_H
#define HW_PCI_STATE_INTERNAL_H

#include "internal.h"

enum {
    PCI_RECORD_CONFIG = 1, /* versions */
    PCI_RECORD_IRQ = 2,
    PCI_RECORD_PRESENT = 3,
    PCI_RECORD_ENTRIES = (PCIE_CONFIG_SIZE - PCI_HEADER_SIZE) / 4, /* at most, in both lists */
};

/* The contents of a record while it is checked. */
typedef struct PCIRecord {
    PCIDevice *d;
    const char *path;
    uint32_t version, present;
    const uint8_t *config;
    uint8_t *filled; /* config with the omitted zeros; NULL: none were omitted */
    uint32_t irq[PCI_NUM_PINS];
    GString *wrong; /* differences, joined by "; " */
    unsigned n_wrong;
    /* Assigned to the device when the record is accepted. */
    int32_t cap_prop[PCI_MAX_CAPS];
    const uint8_t *state[PCI_MAX_CAPS];
    uint64_t levels;
    /* Restored if the record is rejected: d->config and d->cap_pos are a trial copy meanwhile. */
    PCIConfig own_config;
    uint16_t own_pos[PCI_MAX_CAPS];
} PCIRecord;

/* An entry of a list in the record, and the matching entry of the device. */
typedef struct PCIFound {
    uint16_t offset, id;
    bool extended;
    const PCICapEntry *own;
} PCIFound;

/* Record a difference. All differences become one message. */
void pci_record_wrong(PCIRecord *r, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Report the recorded differences as an ERROR_GUEST. Returns false. */
bool pci_record_report(const PCIRecord *r, GError **err);

/* Collect the entries of both capability lists in `config`, in list order, and return their number.
 * A malformed entry is recorded as a difference and ends its list. `found` has PCI_RECORD_ENTRIES
 * elements. */
unsigned pci_record_walk(PCIRecord *r, const uint8_t *config, PCIFound *found);
/* Match the loaded entries with the device's. Every entry without a match is a difference. */
void pci_record_match(PCIRecord *r, PCIFound *found, unsigned n);
/* Compare the bits that the guest cannot change. */
void pci_record_compare(PCIRecord *r, const PCIFound *found, unsigned n);

static inline bool pci_record_is_msix(const PCIFound *f)
{
    return f->id == PCI_CAP_ID_MSIX && !f->extended;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Error Reporting: telling that an error happened (PCIe 5.0 6.2 and 7.8.4).
 */
#ifndef HW_PCI_AER_H
#define HW_PCI_AER_H

#include "hw/pci/pci.h"

typedef struct PCIAerError {
    bool correctable;
    uint8_t bit;   /* in the uncorrectable or correctable status register */
    bool advisory; /* an uncorrectable error to be signalled as an advisory one */
    bool has_header;
    uint32_t header[4]; /* of the packet in error */
} PCIAerError;

/* Log the error in d's registers and send the message they ask for up to the root port, whose
 * status and interrupt follow. False, with nothing changed: d has no AER capability or the bit is
 * not one it can report. Machine lock. */
bool pci_aer_report(PCIDevice *d, const PCIAerError *e);
/* The bit of an error by its name ("poison_tlp", "bad_dllp" ...); -1: unknown. */
int pci_aer_bit(const char *name, bool *correctable);

#endif

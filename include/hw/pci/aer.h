/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Error Reporting: report an error of a function (PCIe 5.0 6.2 and 7.8.4).
 *
 * pci_aer_report() requires the machine lock.
 */
#ifndef HW_PCI_AER_H
#define HW_PCI_AER_H

#include "hw/pci/pci.h"

typedef struct PCIAerError {
    bool correctable;
    uint8_t bit;   /* bit of Uncorrectable or Correctable Error Status */
    bool advisory; /* signal the uncorrectable error as an Advisory Non-Fatal Error */
    bool has_header;
    uint32_t header[4]; /* of the packet in error */
} PCIAerError;

/**
 * pci_aer_report() - Report an error of a function.
 *
 * Logs the error in the registers of @d, and sends the message that the registers require to the
 * root port, which updates its status and its interrupt.
 *
 * Return: false with nothing changed if @d has no AER capability or does not implement the bit.
 */
bool pci_aer_report(PCIDevice *d, const PCIAerError *e);
/* Return the status bit of an error by its name ("poison_tlp", "bad_dllp" ...), and in *correctable
 * the register that contains it; -1: unknown name. */
int pci_aer_bit(const char *name, bool *correctable);

#endif

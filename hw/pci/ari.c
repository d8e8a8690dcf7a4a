/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alternative Routing-ID Interpretation (PCIe 5.0 7.8.7): functions 8 to 255 of a device. The
 * number of the next function depends on the functions that are on the bus now. It is therefore
 * computed when it is read (pci_ari_refresh()), and is not compared on load.
 */
#include "internal.h"

static const RegDesc ari_rows[] = {
    REG_ROW("Capability", PCI_ARI_CAP, 2, .identity = 0x00ff,
            .doc = "number of the next function in bits 15:8; 0: the last"),
    REG_ROW("Control", PCI_ARI_CTRL, 2, .identity = REG_ALL, .doc = "zero: no function groups"),
};
static const PCIRegTable ari_tables[] = { { .rows = LIST(ari_rows) } };

void pci_ari_refresh(PCIDevice *d)
{
    uint16_t pos = d->express ? pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ARI) : 0;
    unsigned next = 0;

    if (!pos || !d->bus) {
        return;
    }
    for (unsigned fn = d->devfn + 1u; fn < d->bus->n_functions && !next; fn++) {
        next = pci_bus_find(d->bus, fn) ? fn : 0;
    }
    d->config.bytes[pos + PCI_ARI_CAP_NFN] = next;
}

const PCICapClass pci_ari_class = {
    .id = PCI_EXT_CAP_ID_ARI,
    .extended = true,
    .name = "Alternative Routing-ID",
    .version = 1,
    .present_bit = 8,
    .doc = "Alternative Routing-ID Interpretation",
    .size = PCI_EXT_CAP_ARI_SIZEOF,
    .tables = LIST(ari_tables),
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alternative Routing-ID Interpretation (PCIe 5.0 7.8.7): functions 8 to 255 of a device. The
 * next-function number is what stands on the bus now, so it is filled in when it is read
 * (pci_ari_refresh()), and is not compared on load.
 */
#include "hw/pci/pci_int.h"

enum { ARI_CAP = 4, ARI_NEXT_FUNCTION = 5, ARI_SIZEOF = 8 };

static uint16_t ari_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return ARI_SIZEOF;
}

static bool ari_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    pci_config_mask_set(&d->config, PCI_CMASK, pos + ARI_NEXT_FUNCTION, 1, 0);
    return true;
}

void pci_ari_refresh(PCIDevice *d)
{
    uint16_t pos = d->express ? pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ARI) : 0;
    unsigned next = 0;

    if (!pos || !d->bus) {
        return;
    }
    for (unsigned fn = d->devfn + 1u; fn < d->bus->n_slots && !next; fn++) {
        next = pci_bus_find(d->bus, fn) ? fn : 0;
    }
    d->config.bytes[pos + ARI_NEXT_FUNCTION] = next;
}

const PCICapClass pci_ari_class = {
    .id = PCI_EXT_CAP_ID_ARI,
    .extended = true,
    .version = 1,
    .present_bit = 8,
    .doc = "Alternative Routing-ID Interpretation",
    .length = ari_length,
    .setup = ari_setup,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management: D0 and D3hot (PCI PM 1.2 chapters 3 and 5).
 *
 * In D3hot a function answers config cycles only: nothing decodes, no DMA, no interrupts. The
 * way back resets it, unless it keeps its state (No_Soft_Reset).
 */
#include "hw/pci/pci_int.h"

enum { PMC_VERSION_3 = 3 };

static uint16_t pm_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return PCI_PM_SIZEOF;
}

static bool pm_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    bool keeps = pci_type(d)->caps[row].arg[0];

    pci_config_set(&d->config, pos + PCI_PM_PMC, 2, PMC_VERSION_3);
    pci_config_set(&d->config, pos + PCI_PM_PMCSR, 2, keeps ? PCI_PM_NO_SOFT_RESET : 0);
    pci_config_mask_set(&d->config, PCI_WMASK, pos + PCI_PM_PMCSR, 2, PCI_PM_STATE_MASK);
    return true;
}

static void pm_placed(PCIDevice *d, unsigned row)
{
    d->pm_pos = d->cap_pos[row];
}

static unsigned state_at(const PCIDevice *d, uint16_t pos)
{
    return d->config.bytes[pos + PCI_PM_PMCSR] & PCI_PM_STATE_MASK;
}

static void set_state(PCIDevice *d, unsigned state)
{
    uint8_t *csr = &d->config.bytes[d->pm_pos + PCI_PM_PMCSR];

    *csr = (*csr & ~PCI_PM_STATE_MASK) | state;
}

static void pm_written(PCIDevice *d, unsigned row, const PCIConfigWrite *w)
{
    unsigned old = d->d_state, new = state_at(d, d->pm_pos);
    bool keeps = d->config.bytes[d->pm_pos + PCI_PM_PMCSR] & PCI_PM_NO_SOFT_RESET;

    if (new != 0 && new != PCI_PM_D3HOT) {
        set_state(d, old); /* a write of a state it does not have is discarded (PCI PM 3.2.4) */
        return;
    }
    d->d_state = new;
    if (old == PCI_PM_D3HOT && new == 0 && !keeps) {
        pci_reset_state(d, RESET_D3HOT);
        pci_reset_outputs(d);
    }
}

static void pm_reset(PCIDevice *d, unsigned row, ResetKind kind)
{
    d->d_state = 0;
}

static bool pm_check(const PCIDevice *d, unsigned row, const char *path, GError **err)
{
    unsigned state = state_at(d, d->cap_pos[row]);

    if (state != 0 && state != PCI_PM_D3HOT) {
        pci_error(err,
                  "%s: Power Management Control/Status has power state D%u: D0 and D3hot are "
                  "accepted",
                  path, state);
        return false;
    }
    return true;
}

static void pm_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    d->d_state = state_at(d, d->pm_pos);
}

const PCICapClass pci_pm_class = {
    .id = PCI_CAP_ID_PM,
    .present_bit = 2,
    .doc = "power management",
    .length = pm_length,
    .setup = pm_setup,
    .placed = pm_placed,
    .written = pm_written,
    .reset = pm_reset,
    .check = pm_check,
    .loaded = pm_loaded,
};

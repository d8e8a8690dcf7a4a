/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management: D0 and D3hot (PCI PM 1.2 chapters 3 and 5).
 *
 * In D3hot a function completes configuration accesses only: its BARs do not decode, and it issues
 * neither DMA nor interrupts. The transition to D0 resets it, unless the type keeps its state
 * (No_Soft_Reset).
 */
#include "internal.h"
#include "util/error.h"

enum { PM_VERSION_3 = 3 };

static void pm_placed(PCIDevice *d, unsigned row)
{
    d->pm_pos = d->cap_pos[row];
}

static unsigned pm_state(const PCIDevice *d, uint16_t pos)
{
    return d->config.bytes[pos + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK;
}

/* A write of a state that the function does not have is discarded (PCI PM 3.2.4). */
static bool pm_accept(void *dev, const RegDesc *r, uint64_t value)
{
    unsigned state = value & PCI_PM_CTRL_STATE_MASK;

    return state == 0 || state == PCI_D3hot;
}

static uint32_t pm_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    PCIDevice *d = dev;

    d->d_state = new &PCI_PM_CTRL_STATE_MASK;
    if (old == new) {
        return 0;
    }
    return PCI_EFFECT_DECODE | PCI_EFFECT_INTX | PCI_EFFECT_MASTER |
           (d->d_state == 0 && !(new &PCI_PM_CTRL_NO_SOFT_RESET) ? PCI_EFFECT_RESET_D3HOT : 0);
}

static bool pm_check(const PCIDevice *d, unsigned row, const char *path, GError **err)
{
    unsigned state = pm_state(d, d->cap_pos[row]);

    if (state != 0 && state != PCI_D3hot) {
        return error_set(
            err, ERROR_GUEST,
            "%s: Power Management Control/Status has power state D%u: D0 and D3hot are "
            "accepted",
            path, state);
    }
    return true;
}

static void pm_loaded(PCIDevice *d, unsigned row, const uint8_t *state)
{
    d->d_state = pm_state(d, d->pm_pos);
}

static const RegDesc pm_rows[] = {
    REG_ROW("Capabilities", PCI_PM_PMC, 2, .reset = PM_VERSION_3, .identity = REG_ALL,
            .doc = "version 3; no PME#, no D1 and D2"),
    REG_ROW("Bridge Support", PCI_PM_PPB_EXTENSIONS, 1, .identity = REG_ALL, .doc = "zero"),
    REG_ROW("Data", PCI_PM_DATA_REGISTER, 1, .identity = REG_ALL, .doc = "zero"),
};
static const RegDesc pm_reset_rows[] = {
    REG_ROW("Control/Status", PCI_PM_CTRL, 2, .rw = PCI_PM_CTRL_STATE_MASK, .identity = REG_ALL,
            .accept = pm_accept, .wrote = pm_wrote, .doc = "power state: 0 or 3; 3 to 0 resets"),
};
static const RegDesc pm_keep_rows[] = {
    REG_ROW("Control/Status", PCI_PM_CTRL, 2, .rw = PCI_PM_CTRL_STATE_MASK,
            .reset = PCI_PM_CTRL_NO_SOFT_RESET, .identity = REG_ALL, .accept = pm_accept,
            .wrote = pm_wrote, .doc = "power state: 0 or 3; No_Soft_Reset"),
};

static bool pm_keeps(const PCIDevice *d, const PCICapDesc *desc)
{
    return desc->pm.keep_state;
}

static bool pm_resets(const PCIDevice *d, const PCICapDesc *desc)
{
    return !pm_keeps(d, desc);
}

static const PCIRegTable pm_tables[] = {
    { .rows = LIST(pm_rows) },
    { .rows = LIST(pm_reset_rows), .applies = pm_resets },
    { .rows = LIST(pm_keep_rows), .applies = pm_keeps },
};

const PCICapClass pci_pm_class = {
    .id = PCI_CAP_ID_PM,
    .name = "Power Management",
    .present_bit = 2,
    .doc = "power management",
    .size = PCI_PM_SIZEOF,
    .tables = LIST(pm_tables),
    .placed = pm_placed,
    .check = pm_check,
    .loaded = pm_loaded,
};

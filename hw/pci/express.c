/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI Express capability (PCIe 5.0 7.5.3): endpoints and root-complex integrated endpoints.
 */
#include "hw/pci/pci_int.h"

enum {
    EXP_FLAGS = 0x02,
    EXP_DEVCAP = 0x04,
    EXP_DEVCTL = 0x08,
    EXP_DEVSTA = 0x0a,
    EXP_LNKCAP = 0x0c,
    EXP_LNKSTA = 0x12,
    EXP_SIZEOF = 0x3c,

    FLAGS_VERSION_2 = 2,
    FLAGS_TYPE_SHIFT = 4,
    TYPE_ENDPOINT = 0,
    TYPE_RC_INTEGRATED = 9,
    DEVCAP_ROLE_BASED = 1 << 15,
    DEVCAP_FLR = 1 << 28,
    DEVCTL_RW = 0xf, /* the four error reporting enables */
    DEVCTL_FLR = 1 << 15,
    DEVSTA_W1C = 0xf, /* the four error detected bits */
    LINK_2_5GT_X1 = 1 | 1 << 4,
};

static uint16_t express_length(const PCIDeviceType *type, const PCICapDesc *desc)
{
    return EXP_SIZEOF;
}

static bool express_wanted(const PCIDevice *d, const PCICapDesc *desc)
{
    return d->express;
}

static bool express_setup(PCIDevice *d, unsigned row, uint16_t pos, GError **err)
{
    bool integrated = d->bus->bus.kind == PLAN_BUS_PCIE_ROOT;
    unsigned type = integrated ? TYPE_RC_INTEGRATED : TYPE_ENDPOINT;
    PCIConfig *c = &d->config;

    pci_config_set(c, pos + EXP_FLAGS, 2, FLAGS_VERSION_2 | type << FLAGS_TYPE_SHIFT);
    pci_config_set(c, pos + EXP_DEVCAP, 4, DEVCAP_ROLE_BASED | DEVCAP_FLR);
    pci_config_mask_set(c, PCI_WMASK, pos + EXP_DEVCTL, 2, DEVCTL_RW);
    pci_config_mask_set(c, PCI_W1CMASK, pos + EXP_DEVSTA, 2, DEVSTA_W1C);
    if (!integrated) {
        pci_config_set(c, pos + EXP_LNKCAP, 4, LINK_2_5GT_X1);
        pci_config_set(c, pos + EXP_LNKSTA, 2, LINK_2_5GT_X1);
    }
    return true;
}

static void express_placed(PCIDevice *d, unsigned row)
{
    d->exp_pos = d->cap_pos[row];
}

static void express_written(PCIDevice *d, unsigned row, const PCIConfigWrite *w)
{
    uint32_t value;

    pci_write_bits(w, d->cap_pos[row] + EXP_DEVCTL, 2, &value);
    if (value & DEVCTL_FLR) {
        pci_reset_state(d, RESET_FUNCTION);
        pci_reset_outputs(d);
    }
}

const PCICapClass pci_express_class = {
    .id = PCI_CAP_ID_EXP,
    .present_bit = 3,
    .doc = "PCI Express",
    .length = express_length,
    .wanted = express_wanted,
    .setup = express_setup,
    .placed = express_placed,
    .written = express_written,
};

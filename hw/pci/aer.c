/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Error Reporting (PCIe 5.0 7.8.4): registers, error messages from the function that
 * detects an error to the root port (6.2.4 to 6.2.6), and the root port's status and interrupt.
 */
#include "hw/pci/aer.h"

#include "internal.h"
#include "hw/pci/port.h"

enum {
    AER_SIZEOF = 0x48,
    AER_UNCOR_BITS = 0x03fff030,
    AER_UNCOR_FATAL_BY_DEFAULT = 0x00462030,
    AER_COR_BITS = 0xf1c1,
    AER_COR_MASKED_BY_DEFAULT = 0xe000,
    AER_ECRC_CAPABLE = PCI_ERR_CAP_ECRC_GENC | PCI_ERR_CAP_ECRC_CHKC,
    AER_ECRC_ENABLES = PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE,
    AER_ROOT_COMMAND_RW =
        PCI_ERR_ROOT_CMD_COR_EN | PCI_ERR_ROOT_CMD_NONFATAL_EN | PCI_ERR_ROOT_CMD_FATAL_EN,
    AER_ROOT_STATUS_W1C = 0x7f,
};

typedef enum AerMessage { AER_MESSAGE_COR, AER_MESSAGE_NONFATAL, AER_MESSAGE_FATAL } AerMessage;

static bool aer_is_root_port(const PCIDevice *d)
{
    return pci_type(d)->role == PLAN_PCI_ROOT_PORT;
}

static uint32_t aer_get(const PCIDevice *d, uint16_t at, unsigned len)
{
    return pci_config_get(&d->config, at, len);
}

static void aer_set_bits(PCIDevice *d, uint16_t at, uint32_t bits)
{
    pci_config_set(&d->config, at, 4, aer_get(d, at, 4) | bits);
}

/* --- the root port --- */

static void aer_root_update_irq(PCIDevice *d, uint16_t pos)
{
    uint32_t status = aer_get(d, pos + PCI_ERR_ROOT_STATUS, 4),
             command = aer_get(d, pos + PCI_ERR_ROOT_COMMAND, 4);
    bool on = ((status & PCI_ERR_ROOT_COR_RCV) && (command & PCI_ERR_ROOT_CMD_COR_EN)) ||
              ((status & PCI_ERR_ROOT_NONFATAL_RCV) && (command & PCI_ERR_ROOT_CMD_NONFATAL_EN)) ||
              ((status & PCI_ERR_ROOT_FATAL_RCV) && (command & PCI_ERR_ROOT_CMD_FATAL_EN));

    pci_port_set_error_irq((PCIPort *)d, on);
}

static uint32_t aer_root_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    aer_root_update_irq(dev, pcie_find_ext_capability(dev, PCI_EXT_CAP_ID_ERR));
    return 0;
}

static void aer_root_receive(PCIDevice *d, uint16_t pos, AerMessage message, uint16_t source)
{
    uint32_t status = aer_get(d, pos + PCI_ERR_ROOT_STATUS, 4);

    if (message == AER_MESSAGE_COR) {
        if (!(status & PCI_ERR_ROOT_COR_RCV)) {
            pci_config_set(&d->config, pos + PCI_ERR_ROOT_ERR_SRC, 2, source);
        }
        aer_set_bits(d, pos + PCI_ERR_ROOT_STATUS,
                     status & PCI_ERR_ROOT_COR_RCV ? PCI_ERR_ROOT_MULTI_COR_RCV
                                                   : PCI_ERR_ROOT_COR_RCV);
    } else {
        if (!(status & PCI_ERR_ROOT_UNCOR_RCV)) {
            pci_config_set(&d->config, pos + PCI_ERR_ROOT_ERR_SRC_UNCOR, 2, source);
            aer_set_bits(d, pos + PCI_ERR_ROOT_STATUS,
                         message == AER_MESSAGE_FATAL ? PCI_ERR_ROOT_FIRST_FATAL : 0);
        }
        aer_set_bits(d, pos + PCI_ERR_ROOT_STATUS,
                     (status & PCI_ERR_ROOT_UNCOR_RCV ? PCI_ERR_ROOT_MULTI_UNCOR_RCV
                                                      : PCI_ERR_ROOT_UNCOR_RCV) |
                         (message == AER_MESSAGE_FATAL ? PCI_ERR_ROOT_FATAL_RCV
                                                       : PCI_ERR_ROOT_NONFATAL_RCV));
    }
    aer_root_update_irq(d, pos);
}

/* Send a message to the root port. A port on the path forwards it only if SERR# Enable of its
 * Bridge Control is set (7.5.1.3.13). */
static void aer_send_message(PCIDevice *d, AerMessage message)
{
    uint16_t source = pci_requester(d) & 0xffff;

    while (d && !aer_is_root_port(d)) {
        d = d->bus->bridge ? &d->bus->bridge->pci : NULL;
        if (d && !(pci_config_get(&d->config, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_CTL_SERR)) {
            return;
        }
    }
    if (d && pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ERR)) {
        aer_root_receive(d, pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ERR), message, source);
    }
}

/* --- the function that detects the error (6.2.5, figure 6-2) --- */

static void aer_report_correctable(PCIDevice *d, uint16_t pos, uint32_t bit)
{
    aer_set_bits(d, pos + PCI_ERR_COR_STATUS, bit);
    if (!(aer_get(d, pos + PCI_ERR_COR_MASK, 4) & bit) &&
        (aer_get(d, d->exp_pos + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_CERE)) {
        aer_send_message(d, AER_MESSAGE_COR);
    }
}

static void aer_log_header(PCIDevice *d, uint16_t pos, const PCIAerError *e)
{
    uint32_t cap = aer_get(d, pos + PCI_ERR_CAP, 4);

    pci_config_set(&d->config, pos + PCI_ERR_CAP, 4, (cap & ~(uint32_t)PCI_ERR_CAP_FEP) | e->bit);
    for (unsigned i = 0; e->has_header && i < 4; i++) {
        pci_config_set(&d->config, pos + PCI_ERR_HEADER_LOG + 4 * i, 4, e->header[i]);
    }
}

static void aer_report_uncorrectable(PCIDevice *d, uint16_t pos, const PCIAerError *e)
{
    uint32_t bit = 1u << e->bit, status = aer_get(d, pos + PCI_ERR_UNCOR_STATUS, 4);
    bool fatal = aer_get(d, pos + PCI_ERR_UNCOR_SEVER, 4) & bit;
    uint16_t enables = aer_get(d, d->exp_pos + PCI_EXP_DEVCTL, 2);
    bool serr = pci_config_get(&d->config, PCI_COMMAND, 2) & PCI_COMMAND_SERR;

    aer_set_bits(d, pos + PCI_ERR_UNCOR_STATUS, bit);
    if (aer_get(d, pos + PCI_ERR_UNCOR_MASK, 4) & bit) {
        return;
    }
    if (!(status & ~aer_get(d, pos + PCI_ERR_UNCOR_MASK, 4))) {
        aer_log_header(d, pos, e);
    }
    if (e->advisory && !fatal) {
        aer_report_correctable(d, pos, PCI_ERR_COR_ADV_NFAT);
    } else if (serr || (enables & (fatal ? PCI_EXP_DEVCTL_FERE : PCI_EXP_DEVCTL_NFERE))) {
        aer_send_message(d, fatal ? AER_MESSAGE_FATAL : AER_MESSAGE_NONFATAL);
    }
}

bool pci_aer_report(PCIDevice *d, const PCIAerError *e)
{
    uint16_t pos = d->express ? pcie_find_ext_capability(d, PCI_EXT_CAP_ID_ERR) : 0;
    uint32_t bit;

    if (!pos || !d->bus || e->bit > 31) {
        return false;
    }
    bit = 1u << e->bit;
    if (!(bit & (e->correctable ? AER_COR_BITS : AER_UNCOR_BITS))) {
        return false;
    }
    if (e->correctable) {
        pci_config_set(&d->config, d->exp_pos + PCI_EXP_DEVSTA, 2,
                       aer_get(d, d->exp_pos + PCI_EXP_DEVSTA, 2) | PCI_EXP_DEVSTA_CED);
        aer_report_correctable(d, pos, bit);
    } else {
        bool fatal = aer_get(d, pos + PCI_ERR_UNCOR_SEVER, 4) & bit;

        pci_config_set(&d->config, d->exp_pos + PCI_EXP_DEVSTA, 2,
                       aer_get(d, d->exp_pos + PCI_EXP_DEVSTA, 2) |
                           (fatal ? PCI_EXP_DEVSTA_FED : PCI_EXP_DEVSTA_NFED));
        aer_report_uncorrectable(d, pos, e);
    }
    return true;
}

int pci_aer_bit(const char *name, bool *correctable)
{
    static const struct {
        const char *name;
        uint8_t bit;
        bool correctable;
    } names[] = {
        { "dlp", 4, false },           { "sdn", 5, false },
        { "poison_tlp", 12, false },   { "fcp", 13, false },
        { "comp_time", 14, false },    { "comp_abort", 15, false },
        { "unx_comp", 16, false },     { "rx_over", 17, false },
        { "malf_tlp", 18, false },     { "ecrc", 19, false },
        { "unsup", 20, false },        { "acsv", 21, false },
        { "intn", 22, false },         { "mcbtlp", 23, false },
        { "atop_ebloked", 24, false }, { "tlp_prf_blocked", 25, false },
        { "rcvr", 0, true },           { "bad_tlp", 6, true },
        { "bad_dllp", 7, true },       { "rep_roll", 8, true },
        { "rep_timer", 12, true },     { "adv_non_fatal", 13, true },
        { "internal", 14, true },      { "hl_overflow", 15, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(names[i].name, name)) {
            *correctable = names[i].correctable;
            return names[i].bit;
        }
    }
    return -1;
}

/* --- the capability --- */

/* Only a cold reset clears errors and their logs, so that software can read them after any other
 * reset. The logs are state and are not compared on load. */
static const RegDesc aer_rows[] = {
    REG_ROW("Uncorrectable Error Status", PCI_ERR_UNCOR_STATUS, 4, .w1c = AER_UNCOR_BITS,
            .sticky = UINT32_MAX, .identity = REG_ALL,
            .doc = "uncorrectable errors that were detected"),
    REG_ROW("Uncorrectable Error Mask", PCI_ERR_UNCOR_MASK, 4, .rw = AER_UNCOR_BITS,
            .sticky = UINT32_MAX, .identity = REG_ALL, .doc = "errors that are not reported"),
    REG_ROW("Uncorrectable Error Severity", PCI_ERR_UNCOR_SEVER, 4, .rw = AER_UNCOR_BITS,
            .sticky = UINT32_MAX, .reset = AER_UNCOR_FATAL_BY_DEFAULT, .identity = REG_ALL,
            .doc = "errors that are reported as fatal"),
    REG_ROW("Correctable Error Status", PCI_ERR_COR_STATUS, 4, .w1c = AER_COR_BITS,
            .sticky = UINT32_MAX, .identity = REG_ALL,
            .doc = "correctable errors that were detected"),
    REG_ROW("Correctable Error Mask", PCI_ERR_COR_MASK, 4, .rw = AER_COR_BITS, .sticky = UINT32_MAX,
            .reset = AER_COR_MASKED_BY_DEFAULT, .identity = REG_ALL,
            .doc = "errors that are not reported"),
    REG_ROW("Capabilities and Control", PCI_ERR_CAP, 4, .rw = AER_ECRC_ENABLES,
            .sticky = UINT32_MAX, .reset = AER_ECRC_CAPABLE | PCI_ERR_CAP_MHRC,
            .identity = UINT32_MAX & ~(uint32_t)PCI_ERR_CAP_FEP,
            .doc = "first error pointer, ECRC capabilities and enables"),
    REG_ROW("Header Log", PCI_ERR_HEADER_LOG, 16, .sticky = REG_ALL,
            .doc = "header of the packet of the first error"),
    REG_ROW("TLP Prefix Log", PCI_ERR_PREFIX_LOG, 16, .sticky = REG_ALL,
            .doc = "prefixes of the packet of the first error"),
};
static const RegDesc aer_root_rows[] = {
    REG_ROW("Root Error Command", PCI_ERR_ROOT_COMMAND, 4, .rw = AER_ROOT_COMMAND_RW,
            .identity = REG_ALL, .wrote = aer_root_wrote, .doc = "interrupt enables"),
    REG_ROW("Root Error Status", PCI_ERR_ROOT_STATUS, 4, .w1c = AER_ROOT_STATUS_W1C,
            .identity = REG_ALL, .wrote = aer_root_wrote,
            .doc = "error messages that were received"),
    REG_ROW("Error Source Identification", PCI_ERR_ROOT_ERR_SRC, 4,
            .doc = "requesters of the first correctable and the first uncorrectable error"),
};

static bool aer_is_root(const PCIDevice *d, const PCICapDesc *desc)
{
    return aer_is_root_port(d);
}

static const PCIRegTable aer_tables[] = {
    { .rows = LIST(aer_rows) },
    { .rows = LIST(aer_root_rows), .applies = aer_is_root },
};

const PCICapClass pci_aer_class = {
    .id = PCI_EXT_CAP_ID_ERR,
    .extended = true,
    .name = "Advanced Error Reporting",
    .version = 2,
    .present_bit = 9,
    .doc = "Advanced Error Reporting",
    .size = AER_SIZEOF,
    .tables = LIST(aer_tables),
};

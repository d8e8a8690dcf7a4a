/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the PCI Express capability, as offsets from its start (PCIe 5.0 7.5.3).
 */
#ifndef HW_PCI_EXP_REGS_H
#define HW_PCI_EXP_REGS_H

enum {
    EXP_FLAGS = 0x02,
    EXP_DEVCAP = 0x04,
    EXP_DEVCTL = 0x08,
    EXP_DEVSTA = 0x0a,
    EXP_LNKCAP = 0x0c,
    EXP_LNKCTL = 0x10,
    EXP_LNKSTA = 0x12,
    EXP_SLTCAP = 0x14,
    EXP_SLTCTL = 0x18,
    EXP_SLTSTA = 0x1a,
    EXP_RTCTL = 0x1c,
    EXP_RTCAP = 0x1e,
    EXP_RTSTA = 0x20,
    EXP_DEVCAP2 = 0x24,
    EXP_DEVCTL2 = 0x28,
    EXP_LNKCAP2 = 0x2c,
    EXP_LNKCTL2 = 0x30,
    EXP_LNKSTA2 = 0x32,
    EXP_SIZEOF = 0x3c,
};

enum {
    EXP_FLAGS_VERSION_2 = 2,
    EXP_FLAGS_TYPE_SHIFT = 4,
    EXP_FLAGS_SLOT = 1 << 8,
    EXP_TYPE_ENDPOINT = 0,
    EXP_TYPE_ROOT_PORT = 4,
    EXP_TYPE_UPSTREAM = 5,
    EXP_TYPE_DOWNSTREAM = 6,
    EXP_TYPE_PCIE_BRIDGE = 7,
    EXP_TYPE_RC_INTEGRATED = 9,

    EXP_DEVCAP_ROLE_BASED = 1 << 15,
    EXP_DEVCAP_FLR = 1 << 28,
    EXP_DEVCTL_ERRORS = 0xf,  /* the four error reporting enables */
    EXP_DEVCTL_FLR = 1 << 15, /* also Bridge Configuration Retry Enable, of a bridge */
    EXP_DEVSTA_ERRORS = 0xf,  /* the four error detected bits */

    EXP_LNKCAP_WIDTH_SHIFT = 4,
    EXP_LNKCAP_ASPM_L0S = 1 << 10,
    EXP_LNKCAP_DLLLARC = 1 << 20, /* Data Link Layer Link Active Reporting Capable */
    EXP_LNKCAP_LBNC = 1 << 21,    /* Link Bandwidth Notification Capability */
    EXP_LNKCAP_PORT_SHIFT = 24,
    EXP_LNKCTL_ASPM = 3 << 0,
    EXP_LNKCTL_DISABLE = 1 << 4,
    EXP_LNKCTL_RETRAIN = 1 << 5, /* reads as zero */
    EXP_LNKCTL_COMMON_CLOCK = 1 << 6,
    EXP_LNKCTL_EXTENDED_SYNCH = 1 << 7,
    EXP_LNKCTL_HAWD = 1 << 9,   /* Hardware Autonomous Width Disable */
    EXP_LNKCTL_LBMIE = 1 << 10, /* Link Bandwidth Management Interrupt Enable */
    EXP_LNKCTL_LABIE = 1 << 11, /* Link Autonomous Bandwidth Interrupt Enable */
    EXP_LNKCTL_RW_0_1 = 0x0fdb, /* of ports, before virt-0.2 */
    EXP_LNKSTA_DLLLA = 1 << 13,
    EXP_LNKSTA_LBMS = 1 << 14, /* write 1 to clear, with the next one */
    EXP_LNKSTA_LABS = 1 << 15,

    EXP_SLTCAP_ABP = 1 << 0,
    EXP_SLTCAP_PCP = 1 << 1,
    EXP_SLTCAP_AIP = 1 << 3,
    EXP_SLTCAP_PIP = 1 << 4,
    EXP_SLTCAP_HPS = 1 << 5,
    EXP_SLTCAP_HPC = 1 << 6,
    EXP_SLTCAP_EIP = 1 << 17,
    EXP_SLTCAP_NCCS = 1 << 18,
    EXP_SLTCAP_NUMBER_SHIFT = 19,

    EXP_SLTCTL_HPIE = 1 << 5,
    EXP_SLTCTL_AIC_OFF = 3 << 6,
    EXP_SLTCTL_PIC = 3 << 8,
    EXP_SLTCTL_PIC_ON = 1 << 8,
    EXP_SLTCTL_PIC_BLINK = 2 << 8,
    EXP_SLTCTL_PIC_OFF = 3 << 8,
    EXP_SLTCTL_PCC = 1 << 10,
    EXP_SLTCTL_EIC = 1 << 11,
    EXP_SLTCTL_DLLSCE = 1 << 12,
    EXP_SLTCTL_RW = 0x1fff,

    EXP_SLT_SAME_BITS = 0x1f, /* enables of Slot Control and bits of Slot Status that agree */
    EXP_SLTSTA_ABP = 1 << 0,
    EXP_SLTSTA_PDC = 1 << 3,
    EXP_SLTSTA_CC = 1 << 4,
    EXP_SLTSTA_PDS = 1 << 6,
    EXP_SLTSTA_EIS = 1 << 7,
    EXP_SLTSTA_DLLSC = 1 << 8,
    EXP_SLTSTA_W1C = 0x11f,

    EXP_LNKCTL2_SPEED = 0xf, /* Target Link Speed */

    EXP_RTCTL_RW = 0x0f,
    EXP_RTCTL_RW_0_1 = 0x1f, /* before virt-0.2: CRS Software Visibility Enable, too */
    EXP_RTSTA_PME = 1 << 16,
    EXP_DEVCAP2_ARI = 1 << 5,
    EXP_DEVCAP2_END_END_PREFIX = 3 << 20, /* extended format and prefixes, as ports report them */
    EXP_DEVCTL2_ARI = 1 << 5,
    EXP_DEVCTL2_PREFIX_BLOCKING = 1 << 15,
};

#endif

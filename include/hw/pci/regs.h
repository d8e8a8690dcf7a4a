/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offsets and bits of the two configuration headers and of the capabilities (PCI 3.0 chapter 6,
 * PCI-to-PCI Bridge 1.2 chapter 3, PCI Power Management 1.2 chapter 3, PCIe 5.0 chapter 7).
 *
 * The names are those of the PCI register header in the Linux uapi, so that a search from a driver
 * finds the model. A name that Linux does not have follows the same pattern; a suffix _SHIFT gives
 * the position of the field whose mask has the name without it. Offsets of a capability count from
 * its start.
 */
#ifndef HW_PCI_REGS_H
#define HW_PCI_REGS_H

/* both headers */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_LATENCY_TIMER = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BIST = 0x0f,
    PCI_BASE_ADDRESS_0 = 0x10,
    PCI_BASE_ADDRESS_1 = 0x14,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};
enum {
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_PARITY = 1 << 6,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_INTX_DISABLE = 1 << 10,
    PCI_STATUS_INTERRUPT = 1 << 3,
    PCI_STATUS_CAP_LIST = 1 << 4,
    PCI_STATUS_PARITY = 1 << 8,
    PCI_STATUS_SIG_TARGET_ABORT = 1 << 11,
    PCI_STATUS_REC_TARGET_ABORT = 1 << 12,
    PCI_STATUS_REC_MASTER_ABORT = 1 << 13,
    PCI_STATUS_SIG_SYSTEM_ERROR = 1 << 14,
    PCI_STATUS_DETECTED_PARITY = 1 << 15,
    PCI_HEADER_TYPE_MFD = 1 << 7, /* Multi-Function Device */
};

/* type 0 */
enum {
    PCI_BASE_ADDRESS_2 = 0x18,
    PCI_BASE_ADDRESS_3 = 0x1c,
    PCI_BASE_ADDRESS_4 = 0x20,
    PCI_BASE_ADDRESS_5 = 0x24,
    PCI_CARDBUS_CIS = 0x28,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_MIN_GNT = 0x3e,
    PCI_MAX_LAT = 0x3f,
};
enum {
    PCI_BASE_ADDRESS_SPACE_IO = 1 << 0,
    PCI_BASE_ADDRESS_MEM_TYPE_64 = 1 << 2,
    PCI_BASE_ADDRESS_MEM_PREFETCH = 1 << 3,
    PCI_ROM_ADDRESS_ENABLE = 1 << 0,
};

/* type 1 */
enum {
    PCI_PRIMARY_BUS = 0x18,
    PCI_SECONDARY_BUS = 0x19,
    PCI_SUBORDINATE_BUS = 0x1a,
    PCI_SEC_LATENCY_TIMER = 0x1b,
    PCI_IO_BASE = 0x1c,
    PCI_IO_LIMIT = 0x1d,
    PCI_SEC_STATUS = 0x1e,
    PCI_MEMORY_BASE = 0x20,
    PCI_MEMORY_LIMIT = 0x22,
    PCI_PREF_MEMORY_BASE = 0x24,
    PCI_PREF_MEMORY_LIMIT = 0x26,
    PCI_PREF_BASE_UPPER32 = 0x28,
    PCI_PREF_LIMIT_UPPER32 = 0x2c,
    PCI_IO_BASE_UPPER16 = 0x30,
    PCI_IO_LIMIT_UPPER16 = 0x32,
    PCI_ROM_ADDRESS1 = 0x38,
    PCI_BRIDGE_CONTROL = 0x3e,
};
enum {
    PCI_IO_RANGE_TYPE_MASK = 0x0f,
    PCI_IO_RANGE_TYPE_32 = 0x01,
    PCI_PREF_RANGE_TYPE_MASK = 0x0f,
    PCI_PREF_RANGE_TYPE_64 = 0x01,
    PCI_BRIDGE_CTL_PARITY = 1 << 0,
    PCI_BRIDGE_CTL_SERR = 1 << 1,
    PCI_BRIDGE_CTL_ISA = 1 << 2,
    PCI_BRIDGE_CTL_VGA = 1 << 3,
    PCI_BRIDGE_CTL_VGA_16BIT = 1 << 4,
    PCI_BRIDGE_CTL_MASTER_ABORT = 1 << 5,
    PCI_BRIDGE_CTL_BUS_RESET = 1 << 6,
    PCI_BRIDGE_CTL_FAST_BACK = 1 << 7,
    PCI_BRIDGE_CTL_DISCARD = 1 << 8,
    PCI_BRIDGE_CTL_SEC_DISCARD = 1 << 9,
    PCI_BRIDGE_CTL_DISCARD_STATUS = 1 << 10,
    PCI_BRIDGE_CTL_DISCARD_SERR = 1 << 11,
};

/* the head of an entry, and capability ids (PCI 3.0 appendix H) */
enum {
    PCI_CAP_LIST_ID = 0,
    PCI_CAP_LIST_NEXT = 1,
    PCI_CAP_ID_PM = 0x01,
    PCI_CAP_ID_VPD = 0x03,
    PCI_CAP_ID_SLOTID = 0x04,
    PCI_CAP_ID_MSI = 0x05,
    PCI_CAP_ID_VNDR = 0x09,
    PCI_CAP_ID_SHPC = 0x0c,
    PCI_CAP_ID_SSVID = 0x0d,
    PCI_CAP_ID_EXP = 0x10,
    PCI_CAP_ID_MSIX = 0x11,
    PCI_CAP_ID_EA = 0x14,
};
/* extended capability ids (PCIe 7.9) */
enum {
    PCI_EXT_CAP_ID_ERR = 0x0001,
    PCI_EXT_CAP_ID_DSN = 0x0003,
    PCI_EXT_CAP_ID_ACS = 0x000d,
    PCI_EXT_CAP_ID_ARI = 0x000e,
    PCI_EXT_CAP_ID_ATS = 0x000f,
};
#define PCI_EXT_CAP_BASE 0x100 /* where the extended list starts */

/* Power Management */
enum {
    PCI_PM_PMC = 2,
    PCI_PM_CTRL = 4,
    PCI_PM_PPB_EXTENSIONS = 6,
    PCI_PM_DATA_REGISTER = 7,
    PCI_PM_SIZEOF = 8,
    PCI_PM_CTRL_STATE_MASK = 3,
    PCI_PM_CTRL_NO_SOFT_RESET = 1 << 3,
    PCI_D3hot = 3, /* a value of the state */
};

/* Vital Product Data */
enum {
    PCI_VPD_ADDR = 2,
    PCI_VPD_DATA = 4,
    PCI_CAP_VPD_SIZEOF = 8,
    PCI_VPD_ADDR_F = 1 << 15,
};

/* Enhanced Allocation, of a function with a type 1 header and without entries */
enum {
    PCI_EA_NUM_ENT = 2,
    PCI_EA_FIRST_ENT = 4,
    PCI_EA_SIZEOF_BRIDGE = 8,
};

/* Slot Identification */
enum {
    PCI_SID_ESR = 2,
    PCI_SID_CHASSIS_NR = 3,
    PCI_SID_SIZEOF = 4,
    PCI_SID_ESR_FIC = 1 << 5, /* First In Chassis */
};

/* MSI */
enum {
    PCI_MSI_FLAGS = 2,
    PCI_MSI_ADDRESS_LO = 4,
    PCI_MSI_ADDRESS_HI = 8, /* 64-bit only */
    PCI_MSI_DATA_32 = 8,
    PCI_MSI_MASK_32 = 12,
    PCI_MSI_PENDING_32 = 16,
    PCI_MSI_DATA_64 = 12,
    PCI_MSI_MASK_64 = 16,
    PCI_MSI_PENDING_64 = 20,
    PCI_MSI_FLAGS_ENABLE = 1 << 0,
    PCI_MSI_FLAGS_QMASK_SHIFT = 1, /* Multiple Message Capable */
    PCI_MSI_FLAGS_QSIZE_SHIFT = 4, /* Multiple Message Enable */
    PCI_MSI_FLAGS_QSIZE = 7 << PCI_MSI_FLAGS_QSIZE_SHIFT,
    PCI_MSI_FLAGS_64BIT = 1 << 7,
    PCI_MSI_FLAGS_MASKBIT = 1 << 8,
};

/* MSI-X */
enum {
    PCI_MSIX_FLAGS = 2,
    PCI_MSIX_TABLE = 4,
    PCI_MSIX_PBA = 8,
    PCI_CAP_MSIX_SIZEOF = 12,
    PCI_MSIX_FLAGS_MASKALL = 1 << 14,
    PCI_MSIX_FLAGS_ENABLE = 1 << 15,
    PCI_MSIX_ENTRY_SIZE = 16,
    PCI_MSIX_ENTRY_LOWER_ADDR = 0,
    PCI_MSIX_ENTRY_DATA = 8,
    PCI_MSIX_ENTRY_VECTOR_CTRL = 12,
    PCI_MSIX_ENTRY_CTRL_MASKBIT = 1 << 0,
};

/* Subsystem ID and Subsystem Vendor ID of bridges */
enum {
    PCI_SSVID_VENDOR_ID = 4,
    PCI_SSVID_DEVICE_ID = 6,
    PCI_SSVID_SIZEOF = 8,
};

/* PCI Express (PCIe 7.5.3) */
enum {
    PCI_EXP_FLAGS = 0x02,
    PCI_EXP_DEVCAP = 0x04,
    PCI_EXP_DEVCTL = 0x08,
    PCI_EXP_DEVSTA = 0x0a,
    PCI_EXP_LNKCAP = 0x0c,
    PCI_EXP_LNKCTL = 0x10,
    PCI_EXP_LNKSTA = 0x12,
    PCI_EXP_SLTCAP = 0x14,
    PCI_EXP_SLTCTL = 0x18,
    PCI_EXP_SLTSTA = 0x1a,
    PCI_EXP_RTCTL = 0x1c,
    PCI_EXP_RTCAP = 0x1e,
    PCI_EXP_RTSTA = 0x20,
    PCI_EXP_DEVCAP2 = 0x24,
    PCI_EXP_DEVCTL2 = 0x28,
    PCI_EXP_DEVSTA2 = 0x2a,
    PCI_EXP_LNKCAP2 = 0x2c,
    PCI_EXP_LNKCTL2 = 0x30,
    PCI_EXP_LNKSTA2 = 0x32,
    PCI_EXP_SLTCAP2 = 0x34,
    PCI_EXP_SLTCTL2 = 0x38,
    PCI_EXP_SLTSTA2 = 0x3a,
    PCI_EXP_SIZEOF = 0x3c,
};
enum {
    PCI_EXP_FLAGS_VERS_2 = 2,
    PCI_EXP_FLAGS_TYPE_SHIFT = 4,
    PCI_EXP_FLAGS_SLOT = 1 << 8,
    PCI_EXP_TYPE_ENDPOINT = 0,
    PCI_EXP_TYPE_ROOT_PORT = 4,
    PCI_EXP_TYPE_UPSTREAM = 5,
    PCI_EXP_TYPE_DOWNSTREAM = 6,
    PCI_EXP_TYPE_PCI_BRIDGE = 7,
    PCI_EXP_TYPE_RC_END = 9,

    PCI_EXP_DEVCAP_RBER = 1 << 15, /* Role-Based Error Reporting */
    PCI_EXP_DEVCAP_FLR = 1 << 28,
    PCI_EXP_DEVCTL_CERE = 1 << 0,
    PCI_EXP_DEVCTL_NFERE = 1 << 1,
    PCI_EXP_DEVCTL_FERE = 1 << 2,
    PCI_EXP_DEVCTL_URRE = 1 << 3,
    PCI_EXP_DEVCTL_BCR_FLR = 1 << 15, /* of a bridge: Bridge Configuration Retry Enable */
    PCI_EXP_DEVSTA_CED = 1 << 0,
    PCI_EXP_DEVSTA_NFED = 1 << 1,
    PCI_EXP_DEVSTA_FED = 1 << 2,
    PCI_EXP_DEVSTA_URD = 1 << 3,

    PCI_EXP_LNKCAP_SLS_2_5GB = 1,
    PCI_EXP_LNKCAP_MLW_SHIFT = 4, /* also of the width in Link Status */
    PCI_EXP_LNKCAP_ASPM_L0S = 1 << 10,
    PCI_EXP_LNKCAP_DLLLARC = 1 << 20, /* Data Link Layer Link Active Reporting Capable */
    PCI_EXP_LNKCAP_LBNC = 1 << 21,    /* Link Bandwidth Notification Capability */
    PCI_EXP_LNKCAP_PN_SHIFT = 24,
    PCI_EXP_LNKCTL_ASPMC = 3 << 0,
    PCI_EXP_LNKCTL_LD = 1 << 4, /* Link Disable */
    PCI_EXP_LNKCTL_RL = 1 << 5, /* Retrain Link; reads as zero */
    PCI_EXP_LNKCTL_CCC = 1 << 6,
    PCI_EXP_LNKCTL_ES = 1 << 7,
    PCI_EXP_LNKCTL_HAWD = 1 << 9,   /* Hardware Autonomous Width Disable */
    PCI_EXP_LNKCTL_LBMIE = 1 << 10, /* Link Bandwidth Management Interrupt Enable */
    PCI_EXP_LNKCTL_LABIE = 1 << 11, /* Link Autonomous Bandwidth Interrupt Enable */
    PCI_EXP_LNKSTA_DLLLA = 1 << 13,
    PCI_EXP_LNKSTA_LBMS = 1 << 14, /* write 1 to clear, with the next one */
    PCI_EXP_LNKSTA_LABS = 1 << 15,
    PCI_EXP_LNKCTL2_TLS = 0xf, /* Target Link Speed */

    PCI_EXP_SLTCAP_ABP = 1 << 0,
    PCI_EXP_SLTCAP_PCP = 1 << 1,
    PCI_EXP_SLTCAP_AIP = 1 << 3,
    PCI_EXP_SLTCAP_PIP = 1 << 4,
    PCI_EXP_SLTCAP_HPS = 1 << 5,
    PCI_EXP_SLTCAP_HPC = 1 << 6,
    PCI_EXP_SLTCAP_EIP = 1 << 17,
    PCI_EXP_SLTCAP_NCCS = 1 << 18,
    PCI_EXP_SLTCAP_PSN_SHIFT = 19,
    PCI_EXP_SLTCTL_HPIE = 1 << 5,
    PCI_EXP_SLTCTL_ATTN_IND_OFF = 3 << 6,
    PCI_EXP_SLTCTL_PIC = 3 << 8,
    PCI_EXP_SLTCTL_PWR_IND_ON = 1 << 8,
    PCI_EXP_SLTCTL_PWR_IND_BLINK = 2 << 8,
    PCI_EXP_SLTCTL_PWR_IND_OFF = 3 << 8,
    PCI_EXP_SLTCTL_PCC = 1 << 10,
    PCI_EXP_SLTCTL_EIC = 1 << 11,
    PCI_EXP_SLTCTL_DLLSCE = 1 << 12,
    PCI_EXP_SLTSTA_ABP = 1 << 0,
    PCI_EXP_SLTSTA_PDC = 1 << 3,
    PCI_EXP_SLTSTA_CC = 1 << 4,
    PCI_EXP_SLTSTA_PDS = 1 << 6,
    PCI_EXP_SLTSTA_EIS = 1 << 7,
    PCI_EXP_SLTSTA_DLLSC = 1 << 8,

    PCI_EXP_RTCTL_CRSSVE = 1 << 4, /* CRS Software Visibility Enable */
    PCI_EXP_RTSTA_PME = 1 << 16,
    PCI_EXP_DEVCAP2_ARI = 1 << 5,
    PCI_EXP_DEVCAP2_EXT_FMT = 1 << 20, /* Extended Fmt Field Supported */
    PCI_EXP_DEVCAP2_EE_PREFIX = 1 << 21,
    PCI_EXP_DEVCTL2_ARI = 1 << 5,
    PCI_EXP_DEVCTL2_EE_PREFIX_BLOCK = 1 << 15,
};
/* Groups of bits that the model treats alike. */
enum {
    PCI_EXP_DEVCTL_ERRORS = 0xf,    /* the four error reporting enables */
    PCI_EXP_DEVSTA_ERRORS = 0xf,    /* the four error detected bits */
    PCI_EXP_LNKCTL_RW_0_1 = 0x0fdb, /* of ports, before virt-0.2 */
    PCI_EXP_SLTCTL_RW = 0x1fff,
    PCI_EXP_SLTSTA_W1C = 0x11f,
    PCI_EXP_SLT_SAME_BITS = 0x1f, /* enables of Slot Control and bits of Slot Status that agree */
    PCI_EXP_RTCTL_RW = 0x0f,
    PCI_EXP_RTCTL_RW_0_1 = PCI_EXP_RTCTL_RW | PCI_EXP_RTCTL_CRSSVE, /* before virt-0.2 */
    PCI_EXP_DEVCAP2_PREFIXES = PCI_EXP_DEVCAP2_EXT_FMT | PCI_EXP_DEVCAP2_EE_PREFIX, /* of ports */
};

/* Advanced Error Reporting (PCIe 7.8.4) */
enum {
    PCI_ERR_UNCOR_STATUS = 0x04,
    PCI_ERR_UNCOR_MASK = 0x08,
    PCI_ERR_UNCOR_SEVER = 0x0c,
    PCI_ERR_COR_STATUS = 0x10,
    PCI_ERR_COR_MASK = 0x14,
    PCI_ERR_CAP = 0x18,
    PCI_ERR_HEADER_LOG = 0x1c,
    PCI_ERR_ROOT_COMMAND = 0x2c,
    PCI_ERR_ROOT_STATUS = 0x30,
    PCI_ERR_ROOT_ERR_SRC = 0x34,       /* of the first correctable error, 2 bytes */
    PCI_ERR_ROOT_ERR_SRC_UNCOR = 0x36, /* of the first uncorrectable error, 2 bytes */
    PCI_ERR_PREFIX_LOG = 0x38,
};
enum {
    PCI_ERR_COR_ADV_NFAT = 1 << 13,
    PCI_ERR_CAP_FEP = 0x1f, /* First Error Pointer */
    PCI_ERR_CAP_ECRC_GENC = 1 << 5,
    PCI_ERR_CAP_ECRC_GENE = 1 << 6,
    PCI_ERR_CAP_ECRC_CHKC = 1 << 7,
    PCI_ERR_CAP_ECRC_CHKE = 1 << 8,
    PCI_ERR_CAP_MHRC = 1 << 9, /* Multiple Header Recording Capable */
    PCI_ERR_ROOT_CMD_COR_EN = 1 << 0,
    PCI_ERR_ROOT_CMD_NONFATAL_EN = 1 << 1,
    PCI_ERR_ROOT_CMD_FATAL_EN = 1 << 2,
    PCI_ERR_ROOT_COR_RCV = 1 << 0,
    PCI_ERR_ROOT_MULTI_COR_RCV = 1 << 1,
    PCI_ERR_ROOT_UNCOR_RCV = 1 << 2,
    PCI_ERR_ROOT_MULTI_UNCOR_RCV = 1 << 3,
    PCI_ERR_ROOT_FIRST_FATAL = 1 << 4,
    PCI_ERR_ROOT_NONFATAL_RCV = 1 << 5,
    PCI_ERR_ROOT_FATAL_RCV = 1 << 6,
};

/* Access Control Services, Alternative Routing-ID, Device Serial Number (PCIe 7.7.8, 7.8.7, 7.9.3)
 */
enum {
    PCI_ACS_CAP = 4,
    PCI_ACS_CTRL = 6,
    PCI_EXT_CAP_ACS_SIZEOF = 8,
    PCI_ARI_CAP = 4,
    PCI_ARI_CAP_NFN = 5, /* the byte with Next Function Number */
    PCI_ARI_CTRL = 6,
    PCI_EXT_CAP_ARI_SIZEOF = 8,
    PCI_ATS_CAP = 4,
    PCI_ATS_CAP_PAGE_ALIGNED = 1 << 5,
    PCI_ATS_CTRL = 6,
    PCI_ATS_CTRL_STU_MASK = 0x1f,
    PCI_ATS_CTRL_ENABLE = 1 << 15,
    PCI_EXT_CAP_ATS_SIZEOF = 8,
    PCI_DSN_SERIAL = 4,
    PCI_EXT_CAP_DSN_SIZEOF = 12,
};

#endif

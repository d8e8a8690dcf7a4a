/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offsets and bits of the two configuration headers and of the conventional capabilities, with
 * the names of the specifications (PCI 3.0 chapter 6, PCI-to-PCI Bridge 1.2 chapter 3, PCI Power
 * Management 1.2 chapter 3, PCIe 5.0 chapter 7).
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
    PCI_HEADER_MULTI_FUNCTION = 1 << 7,
};

/* type 0 */
enum {
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_MIN_GNT = 0x3e,
    PCI_MAX_LAT = 0x3f,
};
enum {
    PCI_BAR_SPACE_IO = 1 << 0,
    PCI_BAR_MEM_64 = 1 << 2,
    PCI_BAR_MEM_PREFETCH = 1 << 3,
    PCI_ROM_ENABLE = 1 << 0,
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

/* capability ids (PCI 3.0 appendix H) */
enum {
    PCI_CAP_ID_PM = 0x01,
    PCI_CAP_ID_VPD = 0x03,
    PCI_CAP_ID_SLOTID = 0x04,
    PCI_CAP_ID_MSI = 0x05,
    PCI_CAP_ID_VNDR = 0x09,
    PCI_CAP_ID_SHPC = 0x0c,
    PCI_CAP_ID_SSVID = 0x0d,
    PCI_CAP_ID_EXP = 0x10,
    PCI_CAP_ID_MSIX = 0x11,
};
/* extended capability ids (PCIe 7.9) */
enum {
    PCI_EXT_CAP_ID_AER = 0x0001,
    PCI_EXT_CAP_ID_DSN = 0x0003,
    PCI_EXT_CAP_ID_ACS = 0x000d,
    PCI_EXT_CAP_ID_ARI = 0x000e,
};
#define PCI_EXT_CAP_BASE 0x100 /* where the extended list starts */

/* power management: PMC, PMCSR */
enum {
    PCI_PM_PMC = 2,
    PCI_PM_PMCSR = 4,
    PCI_PM_SIZEOF = 8,
    PCI_PM_STATE_MASK = 3,
    PCI_PM_D3HOT = 3,
    PCI_PM_NO_SOFT_RESET = 1 << 3,
};

/* MSI */
enum {
    PCI_MSI_CONTROL = 2,
    PCI_MSI_ADDRESS_LO = 4,
    PCI_MSI_ADDRESS_HI = 8, /* 64-bit only */
    PCI_MSI_ENABLE = 1 << 0,
    PCI_MSI_MULTIPLE_CAPABLE_SHIFT = 1,
    PCI_MSI_MULTIPLE_ENABLE_SHIFT = 4,
    PCI_MSI_64BIT = 1 << 7,
    PCI_MSI_MASKABLE = 1 << 8,
};

/* MSI-X */
enum {
    PCI_MSIX_CONTROL = 2,
    PCI_MSIX_TABLE = 4,
    PCI_MSIX_PBA = 8,
    PCI_MSIX_SIZEOF = 12,
    PCI_MSIX_FUNCTION_MASK = 1 << 14,
    PCI_MSIX_ENABLE = 1 << 15,
    PCI_MSIX_ENTRY_SIZE = 16,
    PCI_MSIX_ENTRY_DATA = 8,
    PCI_MSIX_ENTRY_CONTROL = 12,
    PCI_MSIX_ENTRY_MASKED = 1 << 0,
};

#endif

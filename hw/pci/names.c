/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of registers and capabilities (contract in hw/pci/names.h).
 */
#include "hw/pci/names.h"

#include "hw/pci/regs.h"

typedef struct RegName {
    uint16_t at, width;
    const char *name;
} RegName;

static const RegName common_names[] = {
    { 0x00, 2, "Vendor ID" },
    { 0x02, 2, "Device ID" },
    { 0x04, 2, "Command" },
    { 0x06, 2, "Status" },
    { 0x08, 1, "Revision ID" },
    { 0x09, 3, "Class Code" },
    { 0x0c, 1, "Cache Line Size" },
    { 0x0d, 1, "Latency Timer" },
    { 0x0e, 1, "Header Type" },
    { 0x0f, 1, "BIST" },
    { 0x10, 4, "Base Address 0" },
    { 0x14, 4, "Base Address 1" },
    { 0x34, 1, "Capabilities Pointer" },
    { 0x3c, 1, "Interrupt Line" },
    { 0x3d, 1, "Interrupt Pin" },
    { 0 },
};
static const RegName endpoint_names[] = {
    { 0x18, 4, "Base Address 2" },
    { 0x1c, 4, "Base Address 3" },
    { 0x20, 4, "Base Address 4" },
    { 0x24, 4, "Base Address 5" },
    { 0x28, 4, "Cardbus CIS Pointer" },
    { 0x2c, 2, "Subsystem Vendor ID" },
    { 0x2e, 2, "Subsystem ID" },
    { 0x30, 4, "Expansion ROM Base Address" },
    { 0x3e, 1, "Min_Gnt" },
    { 0x3f, 1, "Max_Lat" },
    { 0 },
};
static const RegName bridge_names[] = {
    { 0x18, 1, "Primary Bus Number" },
    { 0x19, 1, "Secondary Bus Number" },
    { 0x1a, 1, "Subordinate Bus Number" },
    { 0x1b, 1, "Secondary Latency Timer" },
    { 0x1c, 1, "I/O Base" },
    { 0x1d, 1, "I/O Limit" },
    { 0x1e, 2, "Secondary Status" },
    { 0x20, 2, "Memory Base" },
    { 0x22, 2, "Memory Limit" },
    { 0x24, 2, "Prefetchable Memory Base" },
    { 0x26, 2, "Prefetchable Memory Limit" },
    { 0x28, 4, "Prefetchable Base Upper 32 Bits" },
    { 0x2c, 4, "Prefetchable Limit Upper 32 Bits" },
    { 0x30, 2, "I/O Base Upper 16 Bits" },
    { 0x32, 2, "I/O Limit Upper 16 Bits" },
    { 0x38, 4, "Expansion ROM Base Address" },
    { 0x3e, 2, "Bridge Control" },
    { 0 },
};

/* Registers inside an entry, from its first byte. Every conventional entry starts with an id and
 * a pointer, every extended one with a header of four bytes. */
static const RegName conventional_head[] = {
    { 0, 1, "Capability ID" },
    { 1, 1, "Next Capability Pointer" },
    { 0 },
};
static const RegName extended_head[] = { { 0, 4, "Extended Capability Header" }, { 0 } };

static const RegName pm_names[] = {
    { 2, 2, "Capabilities" },
    { 4, 2, "Control/Status" },
    { 6, 1, "Bridge Support" },
    { 7, 1, "Data" },
    { 0 },
};
static const RegName vpd_names[] = { { 2, 2, "Address" }, { 4, 4, "Data" }, { 0 } };
static const RegName slotid_names[] = { { 2, 1, "Expansion Slot" },
                                        { 3, 1, "Chassis Number" },
                                        { 0 } };
static const RegName shpc_names[] = {
    { 2, 1, "DWORD Select" }, { 3, 1, "Pending" }, { 4, 4, "DWORD Data" }, { 0 }
};
static const RegName ssvid_names[] = { { 4, 2, "Subsystem Vendor ID" },
                                       { 6, 2, "Subsystem ID" },
                                       { 0 } };
static const RegName msi_names[] = {
    { 2, 2, "Message Control" },
    { 4, 4, "Message Address" },
    { 0 },
};
static const RegName msix_names[] = {
    { 2, 2, "Message Control" },
    { 4, 4, "Table Offset/BIR" },
    { 8, 4, "PBA Offset/BIR" },
    { 0 },
};
static const RegName exp_names[] = {
    { 0x02, 2, "Capabilities" },
    { 0x04, 4, "Device Capabilities" },
    { 0x08, 2, "Device Control" },
    { 0x0a, 2, "Device Status" },
    { 0x0c, 4, "Link Capabilities" },
    { 0x10, 2, "Link Control" },
    { 0x12, 2, "Link Status" },
    { 0x14, 4, "Slot Capabilities" },
    { 0x18, 2, "Slot Control" },
    { 0x1a, 2, "Slot Status" },
    { 0x1c, 2, "Root Control" },
    { 0x1e, 2, "Root Capabilities" },
    { 0x20, 4, "Root Status" },
    { 0x24, 4, "Device Capabilities 2" },
    { 0x28, 2, "Device Control 2" },
    { 0x2a, 2, "Device Status 2" },
    { 0x2c, 4, "Link Capabilities 2" },
    { 0x30, 2, "Link Control 2" },
    { 0x32, 2, "Link Status 2" },
    { 0x34, 4, "Slot Capabilities 2" },
    { 0x38, 2, "Slot Control 2" },
    { 0x3a, 2, "Slot Status 2" },
    { 0 },
};
static const RegName aer_names[] = {
    { 0x04, 4, "Uncorrectable Error Status" },
    { 0x08, 4, "Uncorrectable Error Mask" },
    { 0x0c, 4, "Uncorrectable Error Severity" },
    { 0x10, 4, "Correctable Error Status" },
    { 0x14, 4, "Correctable Error Mask" },
    { 0x18, 4, "Capabilities and Control" },
    { 0x1c, 16, "Header Log" },
    { 0x2c, 4, "Root Error Command" },
    { 0x30, 4, "Root Error Status" },
    { 0x34, 4, "Error Source Identification" },
    { 0x38, 16, "TLP Prefix Log" },
    { 0 },
};
static const RegName dsn_names[] = { { 4, 8, "Serial Number" }, { 0 } };
static const RegName acs_names[] = { { 4, 2, "Capability" }, { 6, 2, "Control" }, { 0 } };

typedef struct CapName {
    uint16_t id;
    const char *name;
    const RegName *regs;
} CapName;

static const CapName cap_names[] = {
    { PCI_CAP_ID_PM, "Power Management", pm_names },
    { 0x02, "AGP", NULL },
    { PCI_CAP_ID_VPD, "Vital Product Data", vpd_names },
    { PCI_CAP_ID_SLOTID, "Slot Identification", slotid_names },
    { PCI_CAP_ID_MSI, "MSI", msi_names },
    { 0x06, "CompactPCI Hot Swap", NULL },
    { 0x07, "PCI-X", NULL },
    { 0x08, "HyperTransport", NULL },
    { PCI_CAP_ID_VNDR, "Vendor Specific", NULL },
    { 0x0a, "Debug Port", NULL },
    { PCI_CAP_ID_SHPC, "Hot-Plug Controller", shpc_names },
    { PCI_CAP_ID_SSVID, "Subsystem ID", ssvid_names },
    { PCI_CAP_ID_EXP, "PCI Express", exp_names },
    { PCI_CAP_ID_MSIX, "MSI-X", msix_names },
    { 0x12, "SATA Data/Index", NULL },
    { 0x13, "Advanced Features", NULL },
};
static const CapName ext_cap_names[] = {
    { PCI_EXT_CAP_ID_AER, "Advanced Error Reporting", aer_names },
    { 0x0002, "Virtual Channel", NULL },
    { PCI_EXT_CAP_ID_DSN, "Device Serial Number", dsn_names },
    { 0x000b, "Vendor-Specific Extended", NULL },
    { PCI_EXT_CAP_ID_ACS, "Access Control Services", acs_names },
    { PCI_EXT_CAP_ID_ARI, "Alternative Routing-ID", acs_names },
    { 0x000f, "Address Translation Services", NULL },
    { 0x0010, "Single Root I/O Virtualization", NULL },
};

static const CapName *find_cap(uint16_t id, bool extended)
{
    const CapName *table = extended ? ext_cap_names : cap_names;
    size_t n = extended ? G_N_ELEMENTS(ext_cap_names) : G_N_ELEMENTS(cap_names);

    for (size_t i = 0; i < n; i++) {
        if (table[i].id == id) {
            return &table[i];
        }
    }
    return NULL;
}

const char *pci_cap_name(uint16_t id, bool extended)
{
    const CapName *cap = find_cap(id, extended);

    return cap ? cap->name : "unknown";
}

static const char *lookup(const RegName *regs, unsigned at)
{
    for (; regs && regs->name; regs++) {
        if (at >= regs->at && at < (unsigned)regs->at + regs->width) {
            return regs->name;
        }
    }
    return NULL;
}

static char *entry_register(const PCICapEntry *e, unsigned at)
{
    const CapName *cap = find_cap(e->id, e->extended);
    const char *reg = lookup(e->extended ? extended_head : conventional_head, at);

    if (!reg && cap) {
        reg = lookup(cap->regs, at);
    }
    if (reg) {
        return g_strdup_printf("%s %s", cap ? cap->name : "unknown", reg);
    }
    return g_strdup_printf("%s +0x%x", cap ? cap->name : "unknown", at);
}

char *pci_register_name(const PCIConfig *c, uint32_t addr)
{
    const PCICapEntry *e = pci_config_entry_at(c, addr);
    const char *reg;

    if (e) {
        return entry_register(e, addr - e->offset);
    }
    if (addr < 0x40) {
        reg = lookup(common_names, addr);
        if (!reg) {
            reg = lookup(c->type == 1 ? bridge_names : endpoint_names, addr);
        }
        return reg ? g_strdup(reg) : g_strdup_printf("reserved 0x%x", addr);
    }
    return g_strdup_printf(addr < 0x100 ? "device-specific 0x%x" : "unallocated 0x%x", addr);
}

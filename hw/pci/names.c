/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of registers and capabilities, from the rows of the header and of the capability classes
 * (contract in hw/pci/names.h).
 */
#include "hw/pci/names.h"

#include "internal.h"

/* Capabilities that this build does not have: a loaded or broken list can contain them. */
static const struct {
    uint16_t id;
    bool extended;
    const char *name;
} names_other_caps[] = {
    { 0x02, false, "AGP" },
    { 0x06, false, "CompactPCI Hot Swap" },
    { 0x07, false, "PCI-X" },
    { 0x08, false, "HyperTransport" },
    { 0x0a, false, "Debug Port" },
    { 0x12, false, "SATA Data/Index" },
    { 0x13, false, "Advanced Features" },
    { 0x0002, true, "Virtual Channel" },
    { 0x000b, true, "Vendor-Specific Extended" },
    { 0x000f, true, "Address Translation Services" },
    { 0x0010, true, "Single Root I/O Virtualization" },
};

const char *pci_cap_name(uint16_t id, bool extended)
{
    const PCICapClass *cls = pci_cap_class_find(id, extended);

    for (size_t i = 0; !cls && i < G_N_ELEMENTS(names_other_caps); i++) {
        if (names_other_caps[i].id == id && names_other_caps[i].extended == extended) {
            return names_other_caps[i].name;
        }
    }
    return cls ? cls->name : "unknown";
}

static const RegDesc *names_row_at(PCIRegTable t, unsigned at)
{
    for (const RegDesc *row = t.rows; row < t.rows + t.n; row++) {
        if (at >= row->offset && at < row->offset + row->width) {
            return row;
        }
    }
    return NULL;
}

/* The row of an entry that covers byte `at`: of the tables that apply to the function, or, where
 * none does, of any table of the class. */
static const RegDesc *names_entry_row(const PCICapEntry *e, unsigned at)
{
    const PCICapClass *cls = pci_cap_class_find(e->id, e->extended);
    const RegDesc *row = names_row_at(pci_config_head_rows(e->extended), at);

    for (uint32_t left = e->selected; !row && left; left &= left - 1) {
        row = names_row_at(e->tables[__builtin_ctz(left)], at);
    }
    for (size_t i = 0; !row && cls && i < cls->n_tables; i++) {
        row = names_row_at(cls->tables[i], at);
    }
    return row;
}

static char *names_entry_register(const PCICapEntry *e, unsigned at)
{
    const RegDesc *row = names_entry_row(e, at);
    const char *cap = pci_cap_name(e->id, e->extended);

    return row ? g_strdup_printf("%s %s", cap, row->name) : g_strdup_printf("%s +0x%x", cap, at);
}

char *pci_register_name(const PCIConfig *c, uint32_t addr)
{
    const PCICapEntry *e = pci_config_entry_at(c, addr);

    if (e) {
        return names_entry_register(e, addr - e->offset);
    }
    if (addr < PCI_HEADER_SIZE) {
        const RegDesc *row = pci_config_header_row(c->type, addr);

        return row ? g_strdup(row->name) : g_strdup_printf("reserved 0x%x", addr);
    }
    return g_strdup_printf(addr < PCI_CONFIG_SIZE ? "device-specific 0x%x" : "unallocated 0x%x",
                           addr);
}

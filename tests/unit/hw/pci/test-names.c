/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: each register of both headers, registers inside capabilities, unallocated space.
 */
#include "../core/fake-types.h"

#include "hw/pci/names.h"
#include "hw/pci/regs.h"

typedef struct Case {
    unsigned type, addr;
    const char *name;
} Case;

static const Case cases[] = {
    { 0, 0x00, "Vendor ID" },
    { 0, 0x05, "Command" },
    { 0, 0x0a, "Class Code" },
    { 0, 0x13, "Base Address 0" },
    { 0, 0x27, "Base Address 5" },
    { 1, 0x17, "Base Address 1" },
    { 1, 0x18, "Primary Bus Number" },
    { 1, 0x1d, "I/O Limit" },
    { 1, 0x2f, "Prefetchable Limit Upper 32 Bits" },
    { 1, 0x3f, "Bridge Control" },
    { 0, 0x3f, "Max_Lat" },
    { 0, 0x36, "reserved 0x36" },
    { 0, 0x40, "MSI-X Capability ID" },
    { 0, 0x41, "MSI-X Next Capability Pointer" },
    { 0, 0x43, "MSI-X Message Control" },
    { 0, 0x4b, "MSI-X PBA Offset/BIR" },
    { 0, 0x4c, "device-specific 0x4c" },
    { 0, 0x65, "Vendor Specific +0x5" },
    { 0, 0x74, "unknown +0x4" },
    { 0, 0x103, "Advanced Error Reporting Extended Capability Header" },
    { 0, 0x108, "Advanced Error Reporting Uncorrectable Error Mask" },
    { 0, 0x200, "unallocated 0x200" },
};

static void test_registers(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = NULL;
        PCIConfig c;

        pci_config_init(&c, 4096, cases[i].type);
        pci_config_entry_add(
            &c,
            &(PCICapEntry){ .offset = 0x40, .size = 12, .id = PCI_CAP_ID_MSIX, .extended = false });
        pci_config_entry_add(
            &c,
            &(PCICapEntry){ .offset = 0x60, .size = 16, .id = PCI_CAP_ID_VNDR, .extended = false });
        pci_config_entry_add(
            &c, &(PCICapEntry){ .offset = 0x70, .size = 16, .id = 0x77, .extended = false });
        pci_config_entry_add(
            &c, &(PCICapEntry){
                    .offset = 0x100, .size = 0x48, .id = PCI_EXT_CAP_ID_ERR, .extended = true });
        name = pci_register_name(&c, cases[i].addr);
        g_assert_cmpstr(name, ==, cases[i].name);
        pci_config_fini(&c);
    }
}

/* Every byte of config space has a name, with every id. */
static void test_all(void)
{
    for (unsigned id = 0; id < 256; id++) {
        PCIConfig c;

        g_assert_nonnull(pci_cap_name(id, false));
        g_assert_nonnull(pci_cap_name(id, true));
        pci_config_init(&c, 4096, id & 1);
        pci_config_entry_add(
            &c, &(PCICapEntry){ .offset = 0x40, .size = 0x60, .id = id, .extended = false });
        pci_config_entry_add(
            &c, &(PCICapEntry){ .offset = 0x100, .size = 0x60, .id = id, .extended = true });
        for (unsigned addr = 0; addr < 0x180; addr++) {
            g_autofree char *name = pci_register_name(&c, addr);

            g_assert_true(name && *name);
        }
        pci_config_fini(&c);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/names/registers", test_registers);
    g_test_add_func("/pci/names/all", test_all);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridges to conventional buses: pci-bridge from a conventional bus and pcie-pci-bridge from an
 * Express link. Both have a Standard Hot-Plug Controller unless shpc=off.
 */
#include "hw/pci/shpc.h"

typedef struct ConventionalBridge {
    PCIShpcBridge hp;
    uint8_t chassis_nr;
} ConventionalBridge;

static bool bridge_realize(void *dev, GError **err)
{
    pci_bridge_set_io32(dev);
    pci_shpc_init(dev);
    return true;
}

static void bridge_unrealize(void *dev)
{
    pci_shpc_fini(dev);
}

static void bridge_reset(void *dev, ResetKind kind)
{
    pci_shpc_reset(dev);
}

static const PlanProp bridge_props[] = {
    PROP_U8(ConventionalBridge, chassis_nr, "chassis_nr", 1, 1, 255,
            "number of the chassis behind the bridge"),
};
static const PCICapDesc bridge_caps[] = {
    PCI_CAP_SHPC,
    { .id = 0x04, .prop = "slotid", .slotid.chassis_prop = "chassis_nr" },
    { .id = 0x05, .prop = "msi", .msi = { 1, true, true } },
    { .id = 0x0d, .prop = "ssvid", .off_by_default = true, .ssvid = { 0x1b36, 0 } },
};
static const VmField bridge_fields[] = {
    VM_RECORD(ConventionalBridge, hp.br.pci, PCIDevice, &pci_record_ops),
    { .name = "shpc",
      .kind = VM_KIND_STRUCT,
      .field = offsetof(ConventionalBridge, hp),
      .sub = &pci_shpc_state,
      .since = 2 },
};
static const VmState bridge_state = { .name = "pci-bridge",
                                      .version = 2,
                                      .fields = LIST(bridge_fields) };

static const PCIDeviceType pci_bridge = {
    .base = { .name = "pci-bridge",
              .doc = "bridge between two conventional buses",
              .kind = &pci_device_kind,
              .size = sizeof(ConventionalBridge),
              .props = LIST(bridge_props),
              .vmstate = &bridge_state,
              .hotpluggable = true,
              .realize = bridge_realize,
              .reset = bridge_reset,
              .unrealize = bridge_unrealize },
    .vendor = 0x1b36,
    .device = 0x0001,
    .class_code = 0x060400,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .role = PLAN_PCI_BRIDGE,
    .caps = LIST(bridge_caps),
};
PCI_DEVICE_TYPE(pci_bridge);

static const PCICapDesc pcie_bridge_caps[] = {
    PCI_CAP_SHPC,
    { .id = 0x10, .prop = "express", .required = true },
    PCI_CAP_PM_D3_KEEP,
    { .id = 0x05, .prop = "msi", .msi = { 1, true, true } },
    { .id = 0x01, .extended = true, .prop = "aer" },
};
static const PCIDeviceType pcie_pci_bridge = {
    .base = { .name = "pcie-pci-bridge",
              .doc = "bridge from a PCI Express link to a conventional bus",
              .kind = &pci_device_kind,
              .size = sizeof(ConventionalBridge),
              .vmstate = &bridge_state,
              .hotpluggable = true,
              .realize = bridge_realize,
              .reset = bridge_reset,
              .unrealize = bridge_unrealize },
    .vendor = 0x1b36,
    .device = 0x000e,
    .class_code = 0x060400,
    .slots = PLAN_SLOT_EXPRESS,
    .role = PLAN_PCI_PCIE_BRIDGE,
    .caps = LIST(pcie_bridge_caps),
};
PCI_DEVICE_TYPE(pcie_pci_bridge);

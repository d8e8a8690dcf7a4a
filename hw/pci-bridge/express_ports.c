/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Express ports: pcie-root-port, and the upstream and downstream ports of a switch, x3130-upstream
 * and xio3130-downstream.
 */
#include "hw/pci/port.h"

static const char *const speed_names[] = { "2_5", "5", "8", "16", "32", NULL };
static const char *const width_names[] = { "1", "2", "4", "8", "12", "16", "32", NULL };
enum { SPEED_2_5 = 0, SPEED_16 = 3, WIDTH_1 = 0, WIDTH_32 = 6 };

/* Properties of every port with a slot. */
#define PORT_PROPS(def_speed, def_width)                                                           \
    PROP_U8(PCIPort, port, "port", 0, 0, 255, "port number"),                                      \
        PROP_U8(PCIPort, chassis, "chassis", 0, 0, 255, "chassis number of the slot"),             \
        PROP_U16(PCIPort, physical_slot, "slot", 0, 0, 8191, "physical slot number"),              \
        PROP_BOOL(PCIPort, hotplug_prop, "hotplug", true, "the slot supports hot plug"),           \
        PROP_ENUM(PCIPort, speed, "x-speed", (def_speed), speed_names,                             \
                  "maximum link speed, GT/s"),                                                     \
        PROP_ENUM(PCIPort, width, "x-width", (def_width), width_names, "maximum link width")

static bool express_port_realize(void *dev, GError **err)
{
    pci_port_init(dev);
    return true;
}

static void express_port_unrealize(void *dev)
{
    pci_port_fini(dev);
}

static bool upstream_realize(void *dev, GError **err)
{
    pci_bridge_set_io32(dev);
    return true;
}

static bool downstream_realize(void *dev, GError **err)
{
    pci_bridge_set_io32(dev);
    return express_port_realize(dev, err);
}

/* --- pcie-root-port --- */

static const PCIBarDesc root_port_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0 }, /* MSI-X */
};
static const PCICapDesc root_port_caps[] = {
    { .id = 0x10, .prop = "express", .required = true, .at = 0x54 },
    { .id = 0x11, .prop = "msix", .at = 0x48, .msix = { 1, 0, 0, 0 } },
    { .id = 0x0d, .prop = "ssvid", .at = 0x40, .ssvid = { 0x1b36, 0 } },
    { .id = 0x09, .vendor = { 0x20, .reserve = true } },
    { .id = 0x14, .ea = { "x-fixed-bus", "bus-reserve" } },
    { .id = 0x01, .extended = true, .prop = "aer", .at = 0x100 },
    { .id = 0x0d, .extended = true, .prop = "acs", .at = 0x148, .acs = { 0x5f } },
};
#define RESERVE_SIZE(m, n, text)                                                                   \
    PROP_SIZE(PCIPort, m, n, UINT64_MAX, 0, UINT64_MAX, text ", for firmware (" MAX_64 ": none)")
#define MAX_64 "18446744073709551615"
static const PlanProp root_port_props[] = {
    PORT_PROPS(SPEED_16, WIDTH_32),
    PROP_U32(PCIPort, bus_reserve, "bus-reserve", UINT32_MAX, 0, UINT32_MAX,
             "bus numbers to reserve behind the port, for firmware and for x-fixed-bus "
             "(4294967295: none)"),
    RESERVE_SIZE(io_reserve, "io-reserve", "I/O space to reserve behind the port"),
    RESERVE_SIZE(mem_reserve, "mem-reserve", "memory to reserve behind the port"),
    RESERVE_SIZE(pref32_reserve, "pref32-reserve",
                 "prefetchable memory below 4 GiB to reserve behind the port"),
    RESERVE_SIZE(pref64_reserve, "pref64-reserve",
                 "prefetchable memory to reserve behind the port"),
    PROP_U8(PCIPort, fixed_bus, "x-fixed-bus", 0, 0, 255,
            "first bus number behind the port, which a guest must use together with the "
            "bus-reserve numbers that follow (0: the guest chooses)"),
};

static const PCIDeviceType root_port = {
    .base = { .name = "pcie-root-port",
              .doc = "PCI Express root port with a hot-plug slot",
              .kind = &pci_device_kind,
              .size = sizeof(PCIPort),
              .props = LIST(root_port_props),
              .vmstate = &pci_port_state,
              .realize = express_port_realize,
              .unrealize = express_port_unrealize },
    .vendor = 0x1b36,
    .device = 0x000c,
    .class_code = 0x060400,
    .slots = PLAN_SLOT_EXPRESS,
    .role = PLAN_PCI_ROOT_PORT,
    .bars = LIST(root_port_bars),
    .caps = LIST(root_port_caps),
    .n_irqs = 1,
};
PCI_DEVICE_TYPE(root_port);

/* --- the switch --- */

static const PCICapDesc switch_caps[] = {
    { .id = 0x10, .prop = "express", .required = true, .at = 0x90 },
    { .id = 0x0d, .prop = "ssvid", .at = 0x80, .ssvid = { 0, 0 } },
    { .id = 0x05, .prop = "msi", .at = 0x70, .msi = { 1, true, false } },
    { .id = 0x01, .extended = true, .prop = "aer", .at = 0x100 },
};
static const PlanProp downstream_props[] = { PORT_PROPS(SPEED_2_5, WIDTH_1) };
static const VmField upstream_fields[] = { VM_RECORD(PCIBridge, pci, PCIDevice, &pci_record_ops) };
static const VmState upstream_state = { .name = "switch-upstream",
                                        .version = 1,
                                        .fields = LIST(upstream_fields) };

static const PCIDeviceType upstream = {
    .base = { .name = "x3130-upstream",
              .doc = "upstream port of a PCI Express switch",
              .kind = &pci_device_kind,
              .size = sizeof(PCIBridge),
              .vmstate = &upstream_state,
              .hotpluggable = true,
              .realize = upstream_realize },
    .vendor = 0x104c,
    .device = 0x8232,
    .revision = 2,
    .class_code = 0x060400,
    .slots = PLAN_SLOT_EXPRESS,
    .role = PLAN_PCI_UPSTREAM,
    .caps = LIST(switch_caps),
};
PCI_DEVICE_TYPE(upstream);

static const PCIDeviceType downstream = {
    .base = { .name = "xio3130-downstream",
              .doc = "downstream port of a PCI Express switch with a hot-plug slot",
              .kind = &pci_device_kind,
              .size = sizeof(PCIPort),
              .hotpluggable = true, /* with its switch: see pci_take_address() */
              .props = LIST(downstream_props),
              .vmstate = &pci_port_state,
              .realize = downstream_realize,
              .unrealize = express_port_unrealize },
    .vendor = 0x104c,
    .device = 0x8233,
    .revision = 1,
    .class_code = 0x060400,
    .slots = PLAN_SLOT_EXPRESS,
    .role = PLAN_PCI_DOWNSTREAM,
    .caps = LIST(switch_caps),
    .n_irqs = 1,
};
PCI_DEVICE_TYPE(downstream);

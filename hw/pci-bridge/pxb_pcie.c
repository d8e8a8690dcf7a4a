/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pxb-pcie: an extra root bus with its own bus number in the same segment.
 *
 * The function on the first root bus only represents the extra bus. The host bridge shows the bus
 * through slices of its windows. On a device-tree machine the bus has its own host node, which
 * states the NUMA node.
 */
#include "hw/pci/bus.h"

typedef struct Pxb {
    PCIDevice pci;
    PCIBus bus;
    uint8_t bus_nr;
    uint16_t numa_node; /* the board describes it; PLAN_NODE_NONE: none */
} Pxb;

static bool pxb_realize(void *dev, GError **err)
{
    Pxb *p = dev;
    const char *name = p->pci.dev.id      ? p->pci.dev.id
                       : p->pci.dev.place ? p->pci.dev.place
                                          : p->pci.dev.plan_id;

    if (!pci_root_init(&p->bus, p->pci.bus->host, PLAN_BUS_PCIE_ROOT, name, p->bus_nr, &p->pci.dev,
                       err)) {
        return false;
    }
    p->pci.dev.child_bus = &p->bus.bus;
    return true;
}

static void pxb_unrealize(void *dev)
{
    Pxb *p = dev;

    p->pci.dev.child_bus = NULL;
    pci_bus_fini(&p->bus);
}

static const PlanProp pxb_props[] = {
    { .name = "bus_nr",
      .kind = PLAN_PROP_U8,
      .flags = PLAN_PROP_REQUIRED,
      .field = FIELD(Pxb, bus_nr, uint8_t),
      .min = 1,
      .max = 255,
      .doc = "number of the bus" },
    { .name = "numa_node",
      .kind = PLAN_PROP_U16,
      .field = FIELD(Pxb, numa_node, uint16_t),
      .def = PLAN_NODE_NONE,
      .max = PLAN_NODE_NONE,
      .doc = "NUMA node of the bus; 65535: none" },
};
static const VmField pxb_fields[] = { VM_PCI(Pxb, pci) };
static const VmState pxb_state = { .name = "pxb-pcie", .version = 1, .fields = LIST(pxb_fields) };

static const PCIDeviceType pxb_pcie = {
    .base = { .name = "pxb-pcie",
              .doc = "extra PCI Express root bus",
              .kind = &pci_device_kind,
              .size = sizeof(Pxb),
              .props = LIST(pxb_props),
              .vmstate = &pxb_state,
              .realize = pxb_realize,
              .unrealize = pxb_unrealize },
    .vendor = 0x1b36,
    .device = 0x000b,
    .class_code = 0x060000,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .role = PLAN_PCI_EXTRA_ROOT,
};
PCI_DEVICE_TYPE(pxb_pcie);

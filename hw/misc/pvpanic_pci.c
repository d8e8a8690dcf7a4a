/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic-pci: the guest reports a panic, or that it loads a crash kernel (registers:
 * docs/specs/pvpanic-pci.md).
 */
#include "hw/pci/pci.h"
#include "machine-events.h"

enum { PVPANIC_PANICKED = 1 << 0, PVPANIC_CRASHLOADED = 1 << 1 };

typedef struct Pvpanic {
    PCIDevice pci;
    uint32_t events;
} Pvpanic;

static uint64_t pvpanic_read(void *dev, const RegDesc *r)
{
    return ((Pvpanic *)dev)->events;
}

/* A panic takes precedence. Both are accepted whether or not the property announces them. */
static uint32_t pvpanic_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Machine *m = ((Pvpanic *)dev)->pci.dev.machine;

    if (new &PVPANIC_PANICKED) {
        machine_guest_panicked(m);
    } else if (new &PVPANIC_CRASHLOADED) {
        event_guest_crashloaded(m, QMP_GUEST_PANIC_ACTION_RUN);
    }
    return 0;
}

static const RegDesc pvpanic_regs[] = {
    REG_ROW("events", 0, 1, .read = pvpanic_read, .wrote = pvpanic_wrote,
            .doc = "read: events the driver may report; write: 1 panic, 2 crash kernel loaded"),
};
static const PCIBarDesc pvpanic_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 16, .regs = LIST(pvpanic_regs) },
};
static const PlanProp pvpanic_props[] = {
    PROP_U32(Pvpanic, events, "events", PVPANIC_PANICKED | PVPANIC_CRASHLOADED, 0,
             PVPANIC_PANICKED | PVPANIC_CRASHLOADED,
             "events that the register announces: 1 panic, 2 crash kernel loaded"),
};
static const VmField pvpanic_fields[] = { VM_PCI(Pvpanic, pci) };
static const VmState pvpanic_state = { "pvpanic-pci", .version = 1,
                                       .fields = LIST(pvpanic_fields) };

static const PCIDeviceType pvpanic_pci = {
    .base = { .name = "pvpanic-pci",
              .doc = "reports panics of the guest",
              .kind = &pci_device_kind,
              .size = sizeof(Pvpanic),
              .props = LIST(pvpanic_props),
              .vmstate = &pvpanic_state,
              .hotpluggable = true },
    .vendor = 0x1b36,
    .device = 0x0011,
    .revision = 1,
    .class_code = 0x088000,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = LIST(pvpanic_bars),
};
PCI_DEVICE_TYPE(pvpanic_pci);

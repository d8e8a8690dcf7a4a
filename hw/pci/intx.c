/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins: from the sources of a function to the four lines of the host
 * (PCI 2.2.6, 6.2.2, 6.2.3; swizzle: B 9.1).
 */
#include "internal.h"

static bool intx_messages_on(const PCIDevice *d)
{
    return msix_enabled(d) || msi_enabled(d);
}

bool pci_intx_asserted(const PCIDevice *d)
{
    return d->levels != 0 && d->pin != 0;
}

unsigned pci_swizzle(const PCIDevice *d, unsigned pin)
{
    /* All functions below a port belong to device 0: with ARI, devfn is a function number. */
    unsigned slot = d->bus->bus.kind == PLAN_BUS_PCIE_PORT ? 0 : PCI_SLOT(d->devfn);

    return (slot + pin) % PCI_NUM_PINS;
}

static void intx_host_line(PCIHost *h, unsigned line, bool level)
{
    uint32_t before = h->intx_count[line];

    h->intx_count[line] += level ? 1 : -1;
    if (h->intx && (before == 0) != (h->intx_count[line] == 0)) {
        h->intx(h->intx_opaque, line, level);
    }
}

static void intx_drive(const PCIDevice *d, bool level)
{
    unsigned pin = pci_swizzle(d, d->pin - 1);

    while (d->bus->bridge) {
        d = &d->bus->bridge->pci;
        pin = pci_swizzle(d, pin);
    }
    intx_host_line(d->bus->host, pin, level);
}

void pci_intx_update(PCIDevice *d)
{
    bool asserted = pci_intx_asserted(d) && !intx_messages_on(d);
    uint16_t command = pci_config_get(&d->config, PCI_COMMAND, 2);
    bool level =
        asserted && d->bus && d->present && pci_in_d0(d) && !(command & PCI_COMMAND_INTX_DISABLE);

    if (asserted) {
        d->config.bytes[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    } else {
        d->config.bytes[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
    }
    if (level != d->intx_driven) {
        d->intx_driven = level;
        intx_drive(d, level);
    }
}

static void intx_send_message(PCIDevice *d, unsigned n)
{
    if (msix_enabled(d)) {
        msix_notify(d, n);
    } else if (msi_enabled(d)) {
        msi_notify(d, n);
    }
}

void pci_irq_set(PCIDevice *d, unsigned n, bool level)
{
    bool was;

    if (n >= PCI_MAX_IRQS) {
        return;
    }
    was = d->levels >> n & 1;
    if (was == level) {
        return;
    }
    d->levels ^= 1ull << n;
    if (level) {
        intx_send_message(d, n);
    } else {
        msix_clear_pending(d, n);
        msi_clear_pending(d, n);
    }
    pci_intx_update(d);
}

uint32_t pci_irq_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return PCI_EFFECT_IRQ;
}

void pci_irq_pulse(PCIDevice *d, unsigned n)
{
    intx_send_message(d, n);
}

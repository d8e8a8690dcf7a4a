/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI buses: addresses, lookup, walks, paths and reset (contract in hw/pci/bus.h).
 */
#include "internal.h"
#include "util/error.h"
#include "util/log.h"

enum { BUS_DEVICE_FUNCTIONS = 8, BUS_ALL_FUNCTIONS = 256 };

uint8_t pci_devfn(const PCIDevice *d)
{
    return d->devfn;
}

uint8_t pci_bus_number(const PCIBus *bus)
{
    return bus->bridge ? bus->bridge->pci.config.bytes[PCI_SECONDARY_BUS] : bus->root_number;
}

PCIRequester pci_requester(const PCIDevice *d)
{
    if (!d->bus) {
        return d->devfn;
    }
    return (uint32_t)d->bus->host->segment << 16 | (uint32_t)pci_bus_number(d->bus) << 8 | d->devfn;
}

PCIDevice *pci_bus_find(const PCIBus *bus, uint8_t devfn)
{
    return devfn < bus->n_functions ? bus->functions[devfn] : NULL;
}

/* --- addresses --- */

static void bus_grow(PCIBus *bus, uint8_t devfn)
{
    unsigned n = devfn < BUS_DEVICE_FUNCTIONS ? BUS_DEVICE_FUNCTIONS : BUS_ALL_FUNCTIONS;

    if (bus->n_functions < n) {
        bus->functions = g_renew(PCIDevice *, bus->functions, n);
        for (unsigned i = bus->n_functions; i < n; i++) {
            bus->functions[i] = NULL;
        }
        bus->n_functions = n;
    }
}

/* Below a port there is one device, whose functions ARI numbers from 0 to 255 (PCIe 6.13). */
static uint8_t bus_function_0_of(const PCIBus *bus, uint8_t devfn)
{
    return bus->bus.kind == PLAN_BUS_PCIE_PORT ? 0 : devfn & ~7;
}

bool pci_bus_take(PCIBus *bus, PCIDevice *d, GError **err)
{
    const PCIDevice *holder = pci_bus_find(bus, d->devfn);
    const PCIDevice *first = pci_bus_find(bus, bus_function_0_of(bus, d->devfn));

    if (holder) {
        return error_set(err, ERROR_USER, "%s: address %02x.%x on bus '%s' is already used by %s",
                         device_name(&d->dev), PCI_SLOT(d->devfn), PCI_FUNC(d->devfn),
                         bus->bus.name, device_name(&holder->dev));
    }
    if (first && !first->multifunction) {
        return error_set(err, ERROR_USER,
                         "%s: address %02x.%x on bus '%s' cannot be used: %s at function 0 has "
                         "multifunction=off",
                         device_name(&d->dev), PCI_SLOT(d->devfn), PCI_FUNC(d->devfn),
                         bus->bus.name, device_name(&first->dev));
    }
    bus_grow(bus, d->devfn);
    bus->functions[d->devfn] = d;
    d->bus = bus;
    return true;
}

void pci_bus_leave(PCIDevice *d)
{
    d->bus->functions[d->devfn] = NULL;
    d->bus = NULL;
}

bool pci_device_visible(const PCIDevice *d)
{
    const PCIBus *bus = d->bus;
    const PCIDevice *first;

    if (!d->present) {
        return false;
    }
    if (bus->bus.kind == PLAN_BUS_PCIE_PORT && d->devfn >= BUS_DEVICE_FUNCTIONS &&
        !bus->bridge->ari_forwarding) {
        return false;
    }
    first = pci_bus_find(bus, bus_function_0_of(bus, d->devfn));
    return first && first->present;
}

void pci_bus_fini(PCIBus *bus)
{
    if (!bus->bus.name) {
        return;
    }
    if (!bus->bridge) {
        g_ptr_array_remove(bus->host->roots, bus);
        pci_host_numbers_changed(bus->host);
        if (bus->host->roots_changed && bus != &bus->host->root) {
            bus->host->roots_changed(bus->host->roots_opaque, bus, false);
        }
    }
    mem_fini(&bus->mem);
    mem_fini(&bus->io);
    g_free(bus->functions);
    bus_fini(&bus->bus);
    *bus = (PCIBus){ 0 };
}

/* --- walks --- */

bool pci_bus_walk(PCIBus *bus, bool deep, bool (*fn)(void *opaque, PCIDevice *d), void *opaque)
{
    for (unsigned i = 0; i < bus->n_functions; i++) {
        PCIDevice *d = bus->functions[i];
        PCIBridge *br = d && deep ? pci_bridge_of(d) : NULL;

        if (d && !fn(opaque, d)) {
            return false;
        }
        if (br && br->sec.bus.name && !pci_bus_walk(&br->sec, true, fn, opaque)) {
            return false;
        }
    }
    return true;
}

static bool bus_reset_state_one(void *opaque, PCIDevice *d)
{
    if (d->dev.busy) {
        guest_error(device_name(&d->dev),
                    "a reset of the device during an access to it is ignored");
    } else {
        pci_reset_state(d, *(ResetKind *)opaque);
    }
    return true;
}

static bool bus_reset_outputs_one(void *opaque, PCIDevice *d)
{
    if (!d->dev.busy) {
        pci_reset_outputs(d);
    }
    return true;
}

void pci_bus_reset(PCIBus *bus, ResetKind kind)
{
    pci_bus_walk(bus, true, bus_reset_state_one, &kind);
    pci_bus_walk(bus, true, bus_reset_outputs_one, NULL);
}

static void bus_append_path(GString *path, const PCIDevice *d)
{
    if (d->bus->bridge) {
        bus_append_path(path, &d->bus->bridge->pci);
        g_string_append_printf(path, ":%02x.%x", PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));
        return;
    }
    g_string_append_printf(path, "%04x:%02x:%02x.%x", d->bus->host->segment, d->bus->root_number,
                           PCI_SLOT(d->devfn), PCI_FUNC(d->devfn));
}

char *pci_device_path(const PCIDevice *d)
{
    GString *path = g_string_new(NULL);

    bus_append_path(path, d);
    return g_string_free(path, FALSE);
}

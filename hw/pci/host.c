/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts: a segment, its root buses, the table of bus numbers, and the two ways in which software
 * reaches config space (ECAM: PCIe 7.2.2; CF8h/CFCh: PCI 3.2.2.3.2).
 */
#include <string.h>

#include "hw/pci/pci_int.h"

/* --- life --- */

static bool init_bus(PCIBus *bus, PCIHost *h, PlanBusKind kind, const char *name, Device *owner,
                     GError **err)
{
    if (!bus_init(&bus->bus, h->machine, kind, name, owner, err)) {
        return false;
    }
    bus->host = h;
    mem_init_container(&bus->mem, bus->bus.name, UINT64_MAX, MEM_ONES);
    mem_init_container(&bus->io, bus->bus.name, UINT32_MAX, MEM_ONES);
    g_ptr_array_add(h->roots, bus);
    return true;
}

bool pci_host_init(PCIHost *h, Machine *m, uint16_t segment, PlanBusKind kind, const char *name,
                   Device *owner, GError **err)
{
    *h = (PCIHost){ .machine = m, .segment = segment };
    h->roots = g_ptr_array_new();
    if (!init_bus(&h->root, h, kind, name, owner, err)) {
        pci_host_fini(h);
        return false;
    }
    return true;
}

bool pci_root_init(PCIBus *bus, PCIHost *h, PlanBusKind kind, const char *name, uint8_t number,
                   Device *owner, GError **err)
{
    for (unsigned i = 0; i < h->roots->len; i++) {
        const PCIBus *other = g_ptr_array_index(h->roots, i);

        if (other->root_number == number) {
            pci_error(err, "bus '%s': bus number %u is that of '%s' already", name, number,
                      other->bus.name);
            return false;
        }
    }
    *bus = (PCIBus){ .root_number = number };
    if (!init_bus(bus, h, kind, name, owner, err)) {
        return false;
    }
    pci_host_numbers_changed(h);
    if (h->roots_changed) {
        h->roots_changed(h->roots_opaque, bus, true);
    }
    return true;
}

void pci_host_fini(PCIHost *h)
{
    mem_fini(&h->ecam);
    mem_fini(&h->cf8);
    mem_fini(&h->cfc);
    pci_bus_fini(&h->root);
    if (h->roots) {
        g_ptr_array_free(h->roots, TRUE);
    }
    *h = (PCIHost){ 0 };
}

/* --- bus numbers --- */

void pci_host_numbers_changed(PCIHost *h)
{
    memset(h->known, 0, sizeof(h->known));
}

/* The bus to which a config cycle for `number` gets from `bus`: each bridge claims the range from
 * its secondary to its subordinate number; the first in devfn order wins. */
static PCIBus *descend(PCIBus *bus, uint8_t number)
{
    for (PCIBridge *br = bus->bridges; br; br = br->next) {
        const uint8_t *config = br->pci.config.bytes;

        if (!pci_device_visible(&br->pci) || number < config[PCI_SECONDARY_BUS] ||
            number > config[PCI_SUBORDINATE_BUS]) {
            continue;
        }
        return number == config[PCI_SECONDARY_BUS] ? &br->sec : descend(&br->sec, number);
    }
    return NULL;
}

static PCIBus *search(PCIHost *h, uint8_t number)
{
    PCIBus *found = NULL;

    for (unsigned i = 0; i < h->roots->len; i++) {
        PCIBus *root = g_ptr_array_index(h->roots, i);

        if (root->root_number == number) {
            return root;
        }
    }
    for (unsigned i = 0; !found && i < h->roots->len; i++) {
        found = descend(g_ptr_array_index(h->roots, i), number);
    }
    return found;
}

PCIBus *pci_host_find_bus(PCIHost *h, uint8_t number)
{
    if (!(h->known[number / 8] >> number % 8 & 1)) {
        h->by_number[number] = search(h, number);
        h->known[number / 8] |= 1 << number % 8;
    }
    return h->by_number[number];
}

/* --- config cycles --- */

static PCIDevice *target(PCIHost *h, uint8_t number, uint8_t devfn)
{
    PCIBus *bus = pci_host_find_bus(h, number);
    PCIDevice *d = bus ? pci_bus_find(bus, devfn) : NULL;

    return d && pci_device_visible(d) ? d : NULL;
}

uint32_t pci_host_config_read(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len)
{
    PCIDevice *d = target(h, bus, devfn);

    if (!d) {
        return len == 1 ? UINT8_MAX : len == 2 ? UINT16_MAX : UINT32_MAX;
    }
    return pci_device_config_read(d, reg, len);
}

void pci_host_config_write(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len,
                           uint32_t value)
{
    PCIDevice *d = target(h, bus, devfn);

    if (d) {
        pci_device_config_write(d, reg, len, value);
    }
}

/* --- ECAM --- */

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    return pci_host_config_read(opaque, offset >> 20, offset >> 12, offset & 0xfff, size);
}

static void ecam_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    pci_host_config_write(opaque, offset >> 20, offset >> 12, offset & 0xfff, size, value);
}

static const MemOps ecam_ops = {
    .read = ecam_read, .write = ecam_write, .impl_min = 1, .impl_max = 4, .unaligned = true
};

void pci_host_init_ecam(PCIHost *h, unsigned buses)
{
    h->ecam_buses = MIN(buses, 256);
    mem_init_mmio(&h->ecam, "pcie-ecam", (uint64_t)h->ecam_buses << 20, &ecam_ops, h);
}

/* --- configuration mechanism 1 --- */

enum { CF8_ENABLE = 1u << 31, CF8_ADDRESS = 0x00fffffc };

static uint64_t cf8_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((PCIHost *)opaque)->cf8_latch;
}

static void cf8_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((PCIHost *)opaque)->cf8_latch = value & (CF8_ENABLE | CF8_ADDRESS);
}

static uint64_t cfc_read(void *opaque, uint64_t offset, unsigned size)
{
    PCIHost *h = opaque;

    if (!(h->cf8_latch & CF8_ENABLE)) {
        return UINT32_MAX;
    }
    return pci_host_config_read(h, h->cf8_latch >> 16, h->cf8_latch >> 8,
                                (h->cf8_latch & 0xfc) | (offset & 3), size);
}

static void cfc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PCIHost *h = opaque;

    if (h->cf8_latch & CF8_ENABLE) {
        pci_host_config_write(h, h->cf8_latch >> 16, h->cf8_latch >> 8,
                              (h->cf8_latch & 0xfc) | (offset & 3), size, value);
    }
}

/* The latch takes whole dwords only; anything else is an ordinary port access. */
static const MemOps cf8_ops = {
    .read = cf8_read, .write = cf8_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};
static const MemOps cfc_ops = {
    .read = cfc_read, .write = cfc_write, .valid_max = 4, .impl_min = 1, .unaligned = true
};

void pci_host_init_cf8(PCIHost *h)
{
    mem_init_mmio(&h->cf8, "pci-conf-idx", 4, &cf8_ops, h);
    mem_init_mmio(&h->cfc, "pci-conf-data", 4, &cfc_ops, h);
}

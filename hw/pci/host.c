/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI host bridges: a segment, its root buses, the table of bus numbers, and the two mechanisms
 * through which software reaches configuration space (ECAM: PCIe 7.2.2; ports CF8h and CFCh: PCI
 * 3.2.2.3.2; contract in hw/pci/bus.h).
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"

/* --- setup --- */

static bool host_init_bus(PCIBus *bus, PCIHost *h, PlanBusKind kind, const char *name,
                          Device *owner, GError **err)
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
    if (!host_init_bus(&h->root, h, kind, name, owner, err)) {
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
            return error_set(err, ERROR_USER, "bus '%s': bus number %u is already used by '%s'",
                             name, number, other->bus.name);
        }
    }
    *bus = (PCIBus){ .root_number = number };
    if (!host_init_bus(bus, h, kind, name, owner, err)) {
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

/* The bus that a configuration access for `number` reaches from `bus`. Each bridge claims the range
 * from its secondary to its subordinate bus number; the first bridge in devfn order has priority.
 */
static PCIBus *host_descend(PCIBus *bus, uint8_t number)
{
    for (PCIBridge *br = bus->bridges; br; br = br->next) {
        const uint8_t *config = br->pci.config.bytes;

        if (!pci_device_visible(&br->pci) || number < config[PCI_SECONDARY_BUS] ||
            number > config[PCI_SUBORDINATE_BUS]) {
            continue;
        }
        return number == config[PCI_SECONDARY_BUS] ? &br->sec : host_descend(&br->sec, number);
    }
    return NULL;
}

static PCIBus *host_search_bus(PCIHost *h, uint8_t number)
{
    PCIBus *found = NULL;

    for (unsigned i = 0; i < h->roots->len; i++) {
        PCIBus *root = g_ptr_array_index(h->roots, i);

        if (root->root_number == number) {
            return root;
        }
    }
    for (unsigned i = 0; !found && i < h->roots->len; i++) {
        found = host_descend(g_ptr_array_index(h->roots, i), number);
    }
    return found;
}

PCIBus *pci_host_find_bus(PCIHost *h, uint8_t number)
{
    if (!(h->known[number / 8] >> number % 8 & 1)) {
        h->by_number[number] = host_search_bus(h, number);
        h->known[number / 8] |= 1 << number % 8;
    }
    return h->by_number[number];
}

/* --- configuration accesses --- */

static PCIDevice *host_find_function(PCIHost *h, uint8_t number, uint8_t devfn)
{
    PCIBus *bus = pci_host_find_bus(h, number);
    PCIDevice *d = bus ? pci_bus_find(bus, devfn) : NULL;

    return d && pci_device_visible(d) ? d : NULL;
}

uint32_t pci_host_config_read(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len)
{
    PCIDevice *d = host_find_function(h, bus, devfn);

    if (!d) {
        return len == 1 ? UINT8_MAX : len == 2 ? UINT16_MAX : UINT32_MAX;
    }
    return pci_device_config_read(d, reg, len);
}

void pci_host_config_write(PCIHost *h, uint8_t bus, uint8_t devfn, uint32_t reg, unsigned len,
                           uint32_t value)
{
    PCIDevice *d = host_find_function(h, bus, devfn);

    if (d) {
        pci_device_config_write(d, reg, len, value);
    }
}

/* --- ECAM --- */

static uint64_t host_ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    return pci_host_config_read(opaque, offset >> 20, offset >> 12, offset & 0xfff, size);
}

static void host_ecam_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    pci_host_config_write(opaque, offset >> 20, offset >> 12, offset & 0xfff, size, value);
}

static const MemOps host_ecam_ops = { .read = host_ecam_read,
                                      .write = host_ecam_write,
                                      .impl_min = 1,
                                      .impl_max = 4,
                                      .unaligned = true };

void pci_host_init_ecam(PCIHost *h, unsigned buses)
{
    h->ecam_buses = MIN(buses, 256);
    mem_init_mmio(&h->ecam, "pcie-ecam", (uint64_t)h->ecam_buses << 20, &host_ecam_ops, h);
}

/* --- configuration mechanism 1 --- */

enum { CF8_ENABLE = 1u << 31, CF8_ADDRESS = 0x00fffffc };

static uint64_t host_cf8_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((PCIHost *)opaque)->cf8_latch;
}

static void host_cf8_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((PCIHost *)opaque)->cf8_latch = value & (CF8_ENABLE | CF8_ADDRESS);
}

static uint64_t host_cfc_read(void *opaque, uint64_t offset, unsigned size)
{
    PCIHost *h = opaque;

    if (!(h->cf8_latch & CF8_ENABLE)) {
        return UINT32_MAX;
    }
    return pci_host_config_read(h, h->cf8_latch >> 16, h->cf8_latch >> 8,
                                (h->cf8_latch & 0xfc) | (offset & 3), size);
}

static void host_cfc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PCIHost *h = opaque;

    if (h->cf8_latch & CF8_ENABLE) {
        pci_host_config_write(h, h->cf8_latch >> 16, h->cf8_latch >> 8,
                              (h->cf8_latch & 0xfc) | (offset & 3), size, value);
    }
}

/* Only an access of 4 bytes reaches the latch; other accesses are ordinary port accesses. */
static const MemOps host_cf8_ops = {
    .read = host_cf8_read, .write = host_cf8_write, .valid_min = 4, .valid_max = 4, .impl_min = 4
};
static const MemOps host_cfc_ops = {
    .read = host_cfc_read, .write = host_cfc_write, .valid_max = 4, .impl_min = 1, .unaligned = true
};

void pci_host_init_cf8(PCIHost *h)
{
    mem_init_mmio(&h->cf8, "pci-conf-idx", 4, &host_cf8_ops, h);
    mem_init_mmio(&h->cfc, "pci-conf-data", 4, &host_cfc_ops, h);
}

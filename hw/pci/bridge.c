/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bridges: the type 1 header, its windows, bus numbers and Bridge Control, and the secondary
 * bus (PCI-to-PCI Bridge 1.2 chapter 3; contract in hw/pci/bridge.h).
 *
 * A window is a view of the secondary bus's container, mapped in the primary bus's container at the
 * same address. Reprogramming one register moves one region.
 */
#include "internal.h"

enum { BRIDGE_WINDOW_ORDER = 7 /* after the function's own BARs */ };

/* Class of the secondary bus of a role; PLAN_BUS_NONE: no secondary bus. */
static const PlanBusKind bridge_role_buses[] = {
    [PLAN_PCI_NONE] = PLAN_BUS_NONE,
    [PLAN_PCI_ENDPOINT] = PLAN_BUS_NONE,
    [PLAN_PCI_ROOT_PORT] = PLAN_BUS_PCIE_PORT,
    [PLAN_PCI_UPSTREAM] = PLAN_BUS_PCIE_UPSTREAM,
    [PLAN_PCI_DOWNSTREAM] = PLAN_BUS_PCIE_PORT,
    [PLAN_PCI_PCIE_BRIDGE] = PLAN_BUS_PCI,
    [PLAN_PCI_BRIDGE] = PLAN_BUS_PCI,
    [PLAN_PCI_EXTRA_ROOT] = PLAN_BUS_PCIE_ROOT,
    [PLAN_PCI_HOST] = PLAN_BUS_NONE,
};

PlanBusKind pci_role_bus(PlanPciRole role)
{
    return bridge_role_buses[role];
}

/* The function of an extra root bus is not a bridge: the root bus is not behind it. */
bool pci_role_is_bridge(PlanPciRole role)
{
    return bridge_role_buses[role] != PLAN_BUS_NONE &&
           bridge_role_buses[role] != PLAN_BUS_PCIE_ROOT;
}

PCIBridge *pci_bridge_of(PCIDevice *d)
{
    return pci_role_is_bridge(pci_type(d)->role) ? (PCIBridge *)d : NULL;
}

/* --- setup --- */

static void bridge_link(PCIBridge *br)
{
    PCIBridge **at = &br->pci.bus->bridges;

    while (*at && (*at)->pci.devfn < br->pci.devfn) {
        at = &(*at)->next;
    }
    br->next = *at;
    *at = br;
}

static void bridge_unlink(PCIBridge *br)
{
    PCIBridge **at = &br->pci.bus->bridges;

    while (*at != br) {
        at = &(*at)->next;
    }
    *at = br->next;
}

bool pci_bridge_init(PCIBridge *br, GError **err)
{
    PCIDevice *d = &br->pci;
    const char *name = d->dev.id ? d->dev.id : d->dev.place ? d->dev.place : d->dev.plan_id;
    PCIBus *sec = &br->sec;

    if (!bus_init(&sec->bus, d->dev.machine, pci_role_bus(pci_type(d)->role), name, &d->dev, err)) {
        return false;
    }
    sec->host = d->bus->host;
    sec->bridge = br;
    mem_init_container(&sec->mem, sec->bus.name, UINT64_MAX, MEM_TRANSPARENT);
    mem_init_container(&sec->io, sec->bus.name, UINT32_MAX, MEM_TRANSPARENT);
    mem_init_window(&br->io, "bridge-io", &sec->io, 0, 0);
    mem_init_window(&br->mem, "bridge-mem", &sec->mem, 0, 0);
    mem_init_window(&br->pref, "bridge-pref", &sec->mem, 0, 0);
    pci_config_set(&d->config, PCI_PREF_MEMORY_BASE, 2, PCI_PREF_RANGE_TYPE_64);
    pci_config_set(&d->config, PCI_PREF_MEMORY_LIMIT, 2, PCI_PREF_RANGE_TYPE_64);
    d->dev.child_bus = &sec->bus;
    bridge_link(br);
    pci_host_numbers_changed(sec->host);
    return true;
}

void pci_bridge_fini(PCIBridge *br)
{
    if (!br->sec.bus.name) {
        return;
    }
    bridge_unlink(br);
    pci_host_numbers_changed(br->sec.host);
    mem_fini(&br->io);
    mem_fini(&br->mem);
    mem_fini(&br->pref);
    br->pci.dev.child_bus = NULL;
    pci_bus_fini(&br->sec);
}

/* Rows of the header that replace those of the common table, for bridges with other windows. */
#define BRIDGE_WINDOW_ROW(off, w, n, mask, type)                                                   \
    REG_ROW(n, off, w, .rw = (mask), .reset = (type), .identity = REG_ALL)

void pci_bridge_set_io32(PCIBridge *br)
{
    static const RegDesc rows[] = {
        BRIDGE_WINDOW_ROW(PCI_IO_BASE, 1, "I/O Base", 0xf0, PCI_IO_RANGE_TYPE_32),
        BRIDGE_WINDOW_ROW(PCI_IO_LIMIT, 1, "I/O Limit", 0xf0, PCI_IO_RANGE_TYPE_32),
        BRIDGE_WINDOW_ROW(PCI_IO_BASE_UPPER16, 2, "I/O Base Upper 16 Bits", 0xffff, 0),
        BRIDGE_WINDOW_ROW(PCI_IO_LIMIT_UPPER16, 2, "I/O Limit Upper 16 Bits", 0xffff, 0),
    };

    pci_config_declare(&br->pci.config, 0, LIST(rows));
}

void pci_bridge_set_pref32(PCIBridge *br)
{
    static const RegDesc rows[] = {
        BRIDGE_WINDOW_ROW(PCI_PREF_MEMORY_BASE, 2, "Prefetchable Memory Base", 0xfff0, 0),
        BRIDGE_WINDOW_ROW(PCI_PREF_MEMORY_LIMIT, 2, "Prefetchable Memory Limit", 0xfff0, 0),
        BRIDGE_WINDOW_ROW(PCI_PREF_BASE_UPPER32, 4, "Prefetchable Base Upper 32 Bits", 0, 0),
        BRIDGE_WINDOW_ROW(PCI_PREF_LIMIT_UPPER32, 4, "Prefetchable Limit Upper 32 Bits", 0, 0),
    };

    pci_config_declare(&br->pci.config, 0, LIST(rows));
}

void pci_bridge_no_io(PCIBridge *br)
{
    static const RegDesc rows[] = {
        BRIDGE_WINDOW_ROW(PCI_IO_BASE, 1, "I/O Base", 0, 0),
        BRIDGE_WINDOW_ROW(PCI_IO_LIMIT, 1, "I/O Limit", 0, 0),
    };

    pci_config_declare(&br->pci.config, 0, LIST(rows));
}

/* --- windows --- */

typedef struct BridgeRange {
    uint64_t base, limit;
} BridgeRange;

static BridgeRange bridge_io_range(const PCIConfig *c)
{
    BridgeRange r = { (c->bytes[PCI_IO_BASE] & 0xf0u) << 8,
                      (c->bytes[PCI_IO_LIMIT] & 0xf0u) << 8 | 0xfff };

    if ((c->bytes[PCI_IO_BASE] & PCI_IO_RANGE_TYPE_MASK) == PCI_IO_RANGE_TYPE_32) {
        r.base |= (uint64_t)pci_config_get(c, PCI_IO_BASE_UPPER16, 2) << 16;
        r.limit |= (uint64_t)pci_config_get(c, PCI_IO_LIMIT_UPPER16, 2) << 16;
    }
    return r;
}

static BridgeRange bridge_mem_range(const PCIConfig *c)
{
    return (BridgeRange){ (uint64_t)(pci_config_get(c, PCI_MEMORY_BASE, 2) & 0xfff0) << 16,
                          (uint64_t)(pci_config_get(c, PCI_MEMORY_LIMIT, 2) & 0xfff0) << 16 |
                              0xfffff };
}

static BridgeRange bridge_pref_range(const PCIConfig *c)
{
    uint16_t base = pci_config_get(c, PCI_PREF_MEMORY_BASE, 2);
    uint16_t limit = pci_config_get(c, PCI_PREF_MEMORY_LIMIT, 2);
    BridgeRange r = { (uint64_t)(base & 0xfff0) << 16, (uint64_t)(limit & 0xfff0) << 16 | 0xfffff };

    if ((base & PCI_PREF_RANGE_TYPE_MASK) == PCI_PREF_RANGE_TYPE_64) {
        r.base |= (uint64_t)pci_config_get(c, PCI_PREF_BASE_UPPER32, 4) << 32;
        r.limit |= (uint64_t)pci_config_get(c, PCI_PREF_LIMIT_UPPER32, 4) << 32;
    }
    return r;
}

static bool bridge_has_io(const PCIConfig *c)
{
    return pci_config_mask(c, PCI_WMASK, PCI_IO_BASE) != 0;
}

static void bridge_set_window(PCIBridge *br, MemRegion *w, MemRegion *space, bool on, BridgeRange r)
{
    /* A size of UINT64_MAX means 2^64 bytes, which only a window of all 64 bits has. */
    uint64_t size = r.limit - r.base == UINT64_MAX ? UINT64_MAX : r.limit - r.base + 1;

    on = on && r.base <= r.limit;
    if (!on) {
        mem_unmap(w);
        return;
    }
    if (mem_is_mapped(w) && w->addr == r.base && w->size == size) {
        return;
    }
    mem_unmap(w);
    mem_window_set(w, r.base, size);
    mem_map(space, r.base, w, 0, (uint32_t)br->pci.devfn << 3 | BRIDGE_WINDOW_ORDER);
}

void pci_bridge_update_windows(PCIBridge *br)
{
    const PCIDevice *d = &br->pci;
    const PCIConfig *c = &d->config;
    uint8_t command = c->bytes[PCI_COMMAND];
    bool up = d->present && pci_in_d0(d);
    bool memory = up && (command & PCI_COMMAND_MEMORY);

    bridge_set_window(br, &br->io, &d->bus->io,
                      up && (command & PCI_COMMAND_IO) && bridge_has_io(c), bridge_io_range(c));
    bridge_set_window(br, &br->mem, &d->bus->mem, memory, bridge_mem_range(c));
    bridge_set_window(br, &br->pref, &d->bus->mem, memory, bridge_pref_range(c));
}

static uint64_t bridge_range_size(BridgeRange r)
{
    return r.base <= r.limit ? r.limit - r.base + 1 : 0;
}

void pci_bridge_space(const PCIBridge *br, PCIBridgeSpace *space)
{
    const PCIConfig *c = &br->pci.config;
    unsigned first = c->bytes[PCI_SECONDARY_BUS], last = c->bytes[PCI_SUBORDINATE_BUS];

    *space = (PCIBridgeSpace){ 0 };
    if (first == 0) {
        return;
    }
    space->buses = last >= first ? last - first + 1 : 0;
    space->io = bridge_has_io(c) ? bridge_range_size(bridge_io_range(c)) : 0;
    space->mem = bridge_range_size(bridge_mem_range(c));
    space->pref = bridge_range_size(bridge_pref_range(c));
}

/* --- Bridge Control --- */

bool pci_bridge_in_reset(const PCIBridge *br)
{
    return pci_config_get(&br->pci.config, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_CTL_BUS_RESET;
}

void pci_bridge_follow_reset(PCIBridge *br)
{
    if (br->reset_held) {
        br->reset_held(br);
    } else {
        pci_bus_power(&br->sec, br->pci.present && !pci_bridge_in_reset(br), RESET_HOT);
    }
}

void pci_bridge_reset_changed(PCIBridge *br)
{
    if (pci_bridge_in_reset(br)) {
        pci_bus_reset(&br->sec, RESET_HOT);
    }
    pci_bridge_follow_reset(br);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base Address registers, the expansion ROM and legacy fixed ranges: their declaration, and their
 * mapping in the bus at the addresses in the registers (PCI 6.2.5).
 *
 * Where ranges overlap, the function with the lowest devfn has priority, then the lowest BAR.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/infile.h"
#include "util/trace.h"

enum {
    BAR_MIN_MEM = 16,
    BAR_MIN_IO = 4,
    BAR_MAX_IO = 256,
    BAR_MIN_ROM = 2048,
    BAR_MAX_ROM = 16 << 20
};
enum { BAR_ROM_LOW_BITS = 0x7ff }; /* enable bit and reserved bits of the ROM register */

PCIBar *pci_bar(const PCIDevice *d, unsigned index)
{
    for (PCIBar *bar = d->bars; bar; bar = bar->next) {
        if (bar->index == index) {
            return bar;
        }
    }
    return NULL;
}

MemRegion *pci_bar_region(PCIDevice *d, unsigned i)
{
    PCIBar *bar = pci_bar(d, i);

    return bar ? &bar->region : NULL;
}

uint64_t pci_bar_addr(const PCIDevice *d, unsigned i)
{
    const PCIBar *bar = pci_bar(d, i);

    return bar ? bar->addr : PCI_BAR_UNMAPPED;
}

uint32_t pci_bar_register(const PCIDevice *d, unsigned index)
{
    if (index == PCI_ROM_BAR) {
        return d->config.type == 1 ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
    }
    return PCI_BASE_ADDRESS_0 + 4 * index;
}

/* --- contents of a BAR --- */

static uint64_t bar_regs_read(void *opaque, uint64_t offset, unsigned size)
{
    PCIBar *bar = opaque;

    return reg_read(&bar->file, bar->pci, offset, size);
}

static void bar_regs_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PCIBar *bar = opaque;

    uint32_t effects = reg_write(&bar->file, bar->pci, offset, value, size);

    if (effects) {
        pci_apply_effects(bar->pci, effects);
    }
}

static const MemOps bar_regs_ops = {
    .read = bar_regs_read,
    .write = bar_regs_write,
    .impl_min = 1,
    .impl_max = 8,
    .unaligned = true,
};

static void bar_init_content(PCIBar *bar, const PCIBarDesc *desc)
{
    const char *name = bar->pci->dev.type->name;

    if (desc->n_regs) {
        bar->file = (RegFile){ desc->regs, desc->n_regs, name };
        mem_init_mmio(&bar->content, name, bar->size, &bar_regs_ops, bar);
    } else if (desc->ops) {
        mem_init_mmio(&bar->content, name, bar->size, desc->ops, bar->pci);
    } else {
        return;
    }
    mem_set_guard(&bar->content, &device_guard, &bar->pci->dev);
    mem_map(&bar->region, 0, &bar->content, 0, 0);
}

/* --- declaration --- */

static void bar_append(PCIDevice *d, PCIBar *bar)
{
    PCIBar **at = &d->bars;

    while (*at && (*at)->index <= bar->index) {
        at = &(*at)->next;
    }
    bar->next = *at;
    *at = bar;
}

static bool bar_check_place(const PCIDevice *d, const PCIBarDesc *desc, GError **err)
{
    unsigned limit = d->config.type == 1 ? 2 : PCI_ROM_BAR;
    unsigned index = desc->index, last = index + (desc->kind == PCI_BAR_MEM64 ? 1 : 0);

    if (last >= limit) {
        return error_set(err, ERROR_USER,
                         "%s: BAR %u does not exist in a type %u header: BARs 0 to %u are accepted",
                         device_name(&d->dev), last, d->config.type, limit - 1);
    }
    for (const PCIBar *bar = d->bars; bar; bar = bar->next) {
        if (bar->index <= last && bar->index + (bar->is64 ? 1u : 0u) >= index) {
            return error_set(err, ERROR_USER, "%s: BAR %u is already used by BAR %u%s",
                             device_name(&d->dev), index, bar->index,
                             bar->is64 ? ", which is 64-bit" : "");
        }
    }
    return true;
}

static bool bar_check_size(const PCIDevice *d, const PCIBarDesc *desc, uint64_t size, GError **err)
{
    uint64_t min = desc->kind == PCI_BAR_IO ? BAR_MIN_IO : BAR_MIN_MEM;
    uint64_t max = desc->kind == PCI_BAR_IO      ? BAR_MAX_IO
                   : desc->kind == PCI_BAR_MEM32 ? 1ull << 31
                                                 : 1ull << 62;

    if (size < min || size > max || (size & (size - 1))) {
        return error_set(err, ERROR_USER,
                         "%s: BAR %u cannot be 0x%" PRIx64
                         " bytes%s%s: a power of two from %" PRIu64 " to 0x%" PRIx64 " is accepted",
                         device_name(&d->dev), desc->index, size,
                         desc->size_prop ? " as set by " : "",
                         desc->size_prop ? desc->size_prop : "", min, max);
    }
    return true;
}

/* The number of vectors determines the size of a BAR that contains only MSI-X. Return that size, or
 * 0 if no MSI-X capability uses the BAR. */
static uint64_t bar_msix_only_size(const PCIDevice *d, const PCIBarDesc *desc)
{
    const PCIDeviceType *type = pci_type(d);

    for (size_t i = 0; i < type->n_caps; i++) {
        const PCICapDesc *cap = &type->caps[i];

        if (pci_cap_class(cap->id, cap->extended) == &pci_msix_class &&
            cap->msix.bar == desc->index) {
            uint64_t n = pci_cap_count(d, cap);

            return msix_bar_size(MIN(n, MSIX_MAX_VECTORS));
        }
    }
    return 0;
}

/* Set the masks and the value of the register. Its row in the header table has no writable bits,
 * because the size determines them. */
static void bar_declare(PCIDevice *d, PCIBar *bar)
{
    const RegDesc row =
        REG_ROW("", pci_bar_register(d, bar->index), bar->is64 ? 8 : 4, .rw = ~(bar->size - 1),
                .reset = (bar->io ? PCI_BASE_ADDRESS_SPACE_IO : 0) |
                         (bar->is64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
                         (bar->prefetch ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0),
                .identity = REG_ALL);

    pci_config_declare(&d->config, 0, &row, 1);
}

static bool bar_row_applies(const PCIDevice *d, const PCIBarDesc *desc)
{
    return (!desc->if_prop || pci_prop_u64(d, desc->if_prop)) &&
           (!desc->unless_prop || !pci_prop_u64(d, desc->unless_prop));
}

/* The property that the user changes for another size; NULL: none. */
static const char *bar_size_cause(const PCIBarDesc *desc)
{
    return desc->size_prop ? desc->size_prop : desc->if_prop ? desc->if_prop : desc->unless_prop;
}

bool pci_add_bar(PCIDevice *d, const PCIBarDesc *desc, GError **err)
{
    uint64_t size = desc->size_prop ? pci_prop_u64(d, desc->size_prop) : desc->size;
    PCIBar *bar;

    if ((!size && desc->may_lack) || !bar_row_applies(d, desc)) {
        return true;
    }
    if (!size && !desc->size_prop) {
        size = bar_msix_only_size(d, desc);
    }
    if (!bar_check_place(d, desc, err) || !bar_check_size(d, desc, size, err)) {
        return false;
    }
    bar = g_new0(PCIBar, 1);
    *bar = (PCIBar){ .pci = d,
                     .size_prop = bar_size_cause(desc),
                     .index = desc->index,
                     .io = desc->kind == PCI_BAR_IO,
                     .is64 = desc->kind == PCI_BAR_MEM64,
                     .prefetch = desc->prefetch,
                     .size = size,
                     .addr = PCI_BAR_UNMAPPED };
    mem_init_container(&bar->region, d->dev.type->name, size, MEM_ONES);
    bar_init_content(bar, desc);
    bar_declare(d, bar);
    bar_append(d, bar);
    return true;
}

void pci_add_fixed_range(PCIDevice *d, bool io, uint64_t addr, MemRegion *r)
{
    PCIBar *bar = g_new0(PCIBar, 1);

    *bar = (PCIBar){ .pci = d,
                     .index = PCI_FIXED_RANGE,
                     .io = io,
                     .size = r->size,
                     .fixed = r,
                     .fixed_addr = addr,
                     .addr = PCI_BAR_UNMAPPED };
    bar_append(d, bar);
}

/* --- the expansion ROM --- */

static uint64_t bar_rom_size(gsize bytes)
{
    uint64_t size = BAR_MIN_ROM;

    while (size < bytes) {
        size <<= 1;
    }
    return size;
}

static void bar_add_rom(PCIDevice *d, RamBlock *block, uint64_t size)
{
    const RegDesc row =
        REG_ROW("", pci_bar_register(d, PCI_ROM_BAR), 4,
                .rw = (~(uint32_t)(size - 1) & ~BAR_ROM_LOW_BITS) | PCI_ROM_ADDRESS_ENABLE,
                .identity = REG_ALL);
    PCIBar *bar = g_new0(PCIBar, 1);

    *bar = (PCIBar){
        .pci = d, .index = PCI_ROM_BAR, .size = size, .rom = block, .addr = PCI_BAR_UNMAPPED
    };
    mem_init_ram(&bar->region, "rom", block, 0, size);
    pci_config_declare(&d->config, 0, &row, 1);
    bar_append(d, bar);
}

static bool bar_init_rom(PCIDevice *d, GError **err)
{
    g_autofree char *bytes = NULL, *id = NULL;
    gsize len;
    RamBlock *block;

    if (!d->romfile || !*d->romfile || !d->rombar) {
        return true;
    }
    if (!in_file_read(d->romfile, BAR_MAX_ROM + 1, &bytes, &len, err)) {
        g_prefix_error(err, "%s: romfile: ", device_name(&d->dev));
        return false;
    }
    if (len == 0 || len > BAR_MAX_ROM) {
        return error_set(err, ERROR_USER,
                         "%s: romfile '%s' has %" G_GSIZE_FORMAT
                         " bytes: 1 byte to %d MiB are accepted",
                         device_name(&d->dev), d->romfile, len, BAR_MAX_ROM >> 20);
    }
    id = g_strdup_printf("%s/rom", d->dev.plan_id);
    block = machine_ram_new(d->dev.machine, id, bar_rom_size(len), err);
    if (!block) {
        return false;
    }
    memcpy(block->host, bytes, len);
    block->read_only = true;
    bar_add_rom(d, block, bar_rom_size(len));
    return true;
}

bool pci_bars_init(PCIDevice *d, GError **err)
{
    const PCIDeviceType *type = pci_type(d);

    for (size_t i = 0; i < type->n_bars; i++) {
        if (!pci_add_bar(d, &type->bars[i], err)) {
            return false;
        }
    }
    return bar_init_rom(d, err);
}

void pci_bars_fini(PCIDevice *d)
{
    while (d->bars) {
        PCIBar *bar = d->bars;

        d->bars = bar->next;
        mem_fini(&bar->content);
        mem_fini(&bar->region);
        if (bar->rom) {
            machine_ram_free(d->dev.machine, bar->rom);
        }
        g_free(bar);
    }
}

/* --- mapping --- */

static bool bar_rom_enabled(const PCIDevice *d)
{
    return pci_config_get(&d->config, pci_bar_register(d, PCI_ROM_BAR), 4) & PCI_ROM_ADDRESS_ENABLE;
}

/* Return the address in the register, or PCI_BAR_UNMAPPED if the range ends at 2^64. */
static uint64_t bar_register_addr(const PCIDevice *d, const PCIBar *bar)
{
    uint32_t at = pci_bar_register(d, bar->index);
    uint64_t addr = pci_config_get(&d->config, at, 4);

    if (bar->is64) {
        addr |= (uint64_t)pci_config_get(&d->config, at + 4, 4) << 32;
    }
    addr &= ~(bar->size - 1);
    /* The sizing of a BAR leaves all ones in the register, which is not an address. */
    return addr + (bar->size - 1) == UINT64_MAX ? PCI_BAR_UNMAPPED : addr;
}

/* Return the address at which the BAR must decode now, or PCI_BAR_UNMAPPED. */
static uint64_t bar_wanted_addr(const PCIDevice *d, const PCIBar *bar)
{
    uint16_t command = pci_config_get(&d->config, PCI_COMMAND, 2);
    uint16_t enable = bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

    if (!d->present || !pci_in_d0(d) || !(command & enable) ||
        (bar->index == PCI_ROM_BAR && !bar_rom_enabled(d))) {
        return PCI_BAR_UNMAPPED;
    }
    return bar->index == PCI_FIXED_RANGE ? bar->fixed_addr : bar_register_addr(d, bar);
}

static void bar_move(PCIDevice *d, PCIBar *bar, uint64_t addr)
{
    MemRegion *r = bar->fixed ? bar->fixed : &bar->region;

    if (addr == PCI_BAR_UNMAPPED) {
        mem_unmap(r);
    } else if (bar->addr == PCI_BAR_UNMAPPED) {
        MemRegion *space = bar->io ? &d->bus->io : &d->bus->mem;

        mem_map(space, addr, r, 0, (uint32_t)d->devfn << 3 | bar->index);
    } else {
        mem_move(r, addr);
    }
    trace(TRACE_PCI_BAR, "%s bar %u %" PRIx64 " -> %" PRIx64, device_name(&d->dev), bar->index,
          bar->addr, addr);
    bar->addr = addr;
}

void pci_bars_update(PCIDevice *d)
{
    for (PCIBar *bar = d->bars; bar; bar = bar->next) {
        uint64_t addr = bar_wanted_addr(d, bar);

        if (addr != bar->addr) {
            bar_move(d, bar, addr);
        }
    }
}

void pci_bars_reset(PCIDevice *d, ResetKind kind)
{
    for (PCIBar *bar = d->bars; bar; bar = bar->next) {
        if (bar->file.n) {
            reg_reset(&bar->file, d, kind);
        }
    }
}

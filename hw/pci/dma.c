/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA and messages of all functions: bus-master check, translation by the host, then the address
 * map (PCI 6.2.2; contract in hw/pci/pci.h).
 */
#include <string.h>

#include "internal.h"
#include "util/trace.h"

static bool dma_master_enabled(const PCIDevice *d)
{
    return d->present && pci_in_d0(d) && (d->config.bytes[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

/* A bridge forwards requests upstream only while its own Bus Master Enable is set (B 3.2.4.3). */
bool pci_bus_master(const PCIDevice *d)
{
    const PCIDevice *at = d;

    for (;;) {
        if (!at->bus || !dma_master_enabled(at)) {
            return false;
        }
        if (!at->bus->bridge) {
            return true;
        }
        at = &at->bus->bridge->pci;
    }
}

static bool dma_report_enabled(void *opaque, PCIDevice *d)
{
    const PCIDeviceType *type = pci_type(d);

    if (type->master_enabled && pci_bus_master(d)) {
        type->master_enabled(d);
    }
    return true;
}

void pci_master_changed(PCIDevice *d)
{
    PCIBridge *br = pci_bridge_of(d);

    dma_report_enabled(NULL, d);
    if (br && br->sec.bus.name && pci_bus_master(d)) {
        pci_bus_walk(&br->sec, true, dma_report_enabled, NULL);
    }
}

/* Translate the start of a range to machine memory. *len receives the contiguous bytes. Return
 * false if the access is rejected. */
static bool dma_translate(const PCIDevice *d, uint64_t addr, bool write, uint64_t *out,
                          uint64_t *len)
{
    const PCIHost *h = d->bus->host;

    if (!h->translate) {
        *out = addr;
        return true;
    }
    return h->translate(h->translate_opaque, pci_requester(d), addr, write, out, len) && *len > 0;
}

static MemResult dma_move_piece(PCIDevice *d, uint64_t addr, uint8_t *buf, uint64_t len, bool write)
{
    MemRegion *root = &d->dev.machine->memory;

    return write ? mem_write_buf(root, addr, buf, len) : mem_read_buf(root, addr, buf, len);
}

static MemResult dma_move(PCIDevice *d, uint64_t addr, uint8_t *buf, uint64_t len, bool write)
{
    MemResult result = MEM_OK;

    while (len > 0) {
        uint64_t out, piece = len;

        if (!dma_translate(d, addr, write, &out, &piece)) {
            if (!write) {
                memset(buf, 0xff, len);
            }
            return result | MEM_REFUSED;
        }
        piece = MIN(piece, len);
        result |= dma_move_piece(d, out, buf, piece, write);
        addr += piece;
        buf += piece;
        len -= piece;
    }
    return result;
}

static MemResult dma_transfer(PCIDevice *d, uint64_t addr, void *buf, uint64_t len, bool write)
{
    bool busy = d->dev.busy;
    MemResult result;

    if (!pci_bus_master(d)) {
        if (!write) {
            memset(buf, 0xff, len);
        }
        return MEM_REFUSED;
    }
    d->dev.busy = true; /* refuse accesses to the function's own registers */
    result = dma_move(d, addr, buf, len, write);
    d->dev.busy = busy;
    return result;
}

MemResult pci_dma_read(PCIDevice *d, uint64_t addr, void *buf, uint64_t len)
{
    return dma_transfer(d, addr, buf, len, false);
}

MemResult pci_dma_write(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len)
{
    return dma_transfer(d, addr, (void *)buf, len, true);
}

/* Return the host address of the start of [addr, addr + *len), and reduce *len to the bytes that
 * are contiguous. NULL: the start is not RAM, is read-only and `write` is set, or the translation
 * rejects it. */
static uint8_t *dma_ram_piece(PCIDevice *d, uint64_t addr, uint64_t *len, bool write,
                              RamBlock **block, uint64_t *offset)
{
    uint64_t out, piece = *len;
    MemLookup l;

    if (!dma_translate(d, addr, write, &out, &piece)) {
        return NULL;
    }
    l = mem_lookup(&d->dev.machine->memory, out);
    if (!l.leaf || l.leaf->kind != MEM_RAM || (write && l.leaf->ram->read_only)) {
        return NULL;
    }
    *len = MIN(MIN(piece, *len) - 1, l.last - out) + 1;
    *block = l.leaf->ram;
    *offset = l.leaf->ram_offset + l.offset;
    return l.leaf->ram->host + *offset;
}

static MemResult dma_transfer_ram(PCIDevice *d, uint64_t addr, uint8_t *buf, uint64_t len,
                                  bool write)
{
    if (!pci_bus_master(d)) {
        return MEM_REFUSED;
    }
    while (len > 0) {
        uint64_t piece = len, offset;
        RamBlock *block;
        uint8_t *host = dma_ram_piece(d, addr, &piece, write, &block, &offset);

        if (!host) {
            return MEM_REFUSED;
        }
        if (write) {
            memcpy(host, buf, piece);
            ram_device_written(block, offset, piece);
        } else {
            memcpy(buf, host, piece);
        }
        addr += piece;
        buf += piece;
        len -= piece;
    }
    return MEM_OK;
}

MemResult pci_dma_read_ram(PCIDevice *d, uint64_t addr, void *buf, uint64_t len)
{
    return dma_transfer_ram(d, addr, buf, len, false);
}

MemResult pci_dma_write_ram(PCIDevice *d, uint64_t addr, const void *buf, uint64_t len)
{
    return dma_transfer_ram(d, addr, (void *)buf, len, true);
}

MemResult pci_msi_send(PCIDevice *d, uint64_t addr, uint32_t data)
{
    uint32_t le = GUINT32_TO_LE(data);
    MemResult result = dma_transfer(d, addr, &le, sizeof(le), true);

    trace(TRACE_PCI_MSI, "%s %" PRIx64 " <- %x%s", device_name(&d->dev), addr, data,
          !pci_bus_master(d)       ? ": dropped, Bus Master Enable is clear"
          : result == MEM_UNMAPPED ? ": dropped, nothing is mapped at the address"
          : result != MEM_OK       ? ": dropped, the target rejected it"
                                   : "");
    return result;
}

bool pci_dma_map(PCIDevice *d, uint64_t addr, uint64_t len, bool write, PCIDmaMap *map)
{
    uint64_t out, piece = len;
    RamBlock *block;
    uint64_t offset;
    uint8_t *host;

    if (len == 0 || !pci_bus_master(d) || !dma_translate(d, addr, write, &out, &piece) ||
        piece < len) {
        return false;
    }
    host = mem_ram_ptr(&d->dev.machine->memory, out, len, &block, &offset);
    if (!host || (write && block->read_only)) {
        return false;
    }
    *map =
        (PCIDmaMap){ .host = host, .len = len, .block = block, .offset = offset, .write = write };
    ram_block_ref_any(block);
    device_pin_any(&d->dev);
    return true;
}

void pci_dma_unmap(PCIDevice *d, PCIDmaMap *map, uint64_t written)
{
    if (map->write && written > 0) {
        ram_device_written(map->block, map->offset, MIN(written, map->len));
    }
    ram_block_unref_any(map->block);
    *map = (PCIDmaMap){ 0 };
    device_unpin_any(&d->dev);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space: bytes, masks, entries (contract in hw/pci/config.h).
 */
#include "hw/pci/config.h"

#include <string.h>

#include "hw/pci/regs.h"

enum { HEADER = 0x40, CONVENTIONAL = 0x100 };

/* Space nobody allocated. Written to only after a copy was made (own_block). */
static const PCIMasks plain_block = { .wmask = { [0 ... PCI_MASK_BLOCK - 1] = 0xff } };
static const PCIMasks reserved_block = { .cmask = { [0 ... PCI_MASK_BLOCK - 1] = 0xff } };

/* One register of the header: what a guest may do to it, and what a change of it means. */
typedef struct HeaderReg {
    uint8_t at, width;
    uint32_t wmask, w1cmask;
} HeaderReg;

#define STATUS_W1C                                                                                 \
    (PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |               \
     PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)
#define COMMAND_RW                                                                                 \
    (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR |                 \
     PCI_COMMAND_INTX_DISABLE)

static const HeaderReg common_regs[] = {
    { PCI_COMMAND, 2, COMMAND_RW, 0 },
    { PCI_STATUS, 2, 0, STATUS_W1C },
    { PCI_CACHE_LINE_SIZE, 1, 0xff, 0 },
    { PCI_INTERRUPT_LINE, 1, 0xff, 0 },
};
static const HeaderReg bridge_regs[] = {
    { PCI_PRIMARY_BUS, 4, 0xffffffff, 0 }, /* and secondary, subordinate, secondary latency */
    { PCI_IO_BASE, 1, 0xf0, 0 },
    { PCI_IO_LIMIT, 1, 0xf0, 0 },
    { PCI_SEC_STATUS, 2, 0, STATUS_W1C },
    { PCI_MEMORY_BASE, 2, 0xfff0, 0 },
    { PCI_MEMORY_LIMIT, 2, 0xfff0, 0 },
    { PCI_PREF_MEMORY_BASE, 2, 0xfff0, 0 },
    { PCI_PREF_MEMORY_LIMIT, 2, 0xfff0, 0 },
    { PCI_PREF_BASE_UPPER32, 4, 0xffffffff, 0 },
    { PCI_PREF_LIMIT_UPPER32, 4, 0xffffffff, 0 },
    { PCI_BRIDGE_CONTROL, 2,
      PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA | PCI_BRIDGE_CTL_VGA |
          PCI_BRIDGE_CTL_VGA_16BIT | PCI_BRIDGE_CTL_MASTER_ABORT | PCI_BRIDGE_CTL_BUS_RESET |
          PCI_BRIDGE_CTL_FAST_BACK | PCI_BRIDGE_CTL_DISCARD | PCI_BRIDGE_CTL_SEC_DISCARD |
          PCI_BRIDGE_CTL_DISCARD_SERR,
      PCI_BRIDGE_CTL_DISCARD_STATUS },
};

typedef struct EffectRange {
    uint8_t first, last;
    uint32_t bits, effect; /* bits: of the first byte's value, when one byte is meant */
} EffectRange;

static const EffectRange common_effects[] = {
    { PCI_COMMAND, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, PCI_EFFECT_DECODE },
    { PCI_COMMAND, PCI_COMMAND, PCI_COMMAND_MASTER, PCI_EFFECT_MASTER },
    { PCI_COMMAND + 1, PCI_COMMAND + 1, PCI_COMMAND_INTX_DISABLE >> 8, PCI_EFFECT_INTX },
    { PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_0 + 7, 0xff, PCI_EFFECT_BAR },
};
static const EffectRange endpoint_effects[] = {
    { PCI_BASE_ADDRESS_0 + 8, PCI_BASE_ADDRESS_0 + 23, 0xff, PCI_EFFECT_BAR },
    { PCI_ROM_ADDRESS, PCI_ROM_ADDRESS + 3, 0xff, PCI_EFFECT_ROM },
};
static const EffectRange bridge_effects[] = {
    { PCI_PRIMARY_BUS, PCI_SUBORDINATE_BUS, 0xff, PCI_EFFECT_BUS_NUMBERS },
    { PCI_IO_BASE, PCI_IO_LIMIT, 0xff, PCI_EFFECT_WINDOWS },
    { PCI_MEMORY_BASE, PCI_IO_LIMIT_UPPER16 + 1, 0xff, PCI_EFFECT_WINDOWS },
    { PCI_ROM_ADDRESS1, PCI_ROM_ADDRESS1 + 3, 0xff, PCI_EFFECT_ROM },
    { PCI_BRIDGE_CONTROL, PCI_BRIDGE_CONTROL + 1, 0xff, PCI_EFFECT_BRIDGE_CONTROL },
};

/* --- masks --- */

static PCIMasks *shared_block(unsigned block)
{
    const PCIMasks *b = block < CONVENTIONAL / PCI_MASK_BLOCK ? &plain_block : &reserved_block;

    return (PCIMasks *)b;
}

static PCIMasks *own_block(PCIConfig *c, unsigned block)
{
    if (!(c->own >> block & 1)) {
        c->masks[block] = g_memdup2(c->masks[block], sizeof(PCIMasks));
        c->own |= 1ull << block;
    }
    return c->masks[block];
}

uint8_t pci_config_mask(const PCIConfig *c, PCIMaskKind kind, uint32_t addr)
{
    const uint8_t *block = (const uint8_t *)c->masks[addr / PCI_MASK_BLOCK];

    return block[kind + addr % PCI_MASK_BLOCK];
}

static void mask_put(PCIConfig *c, PCIMaskKind kind, uint32_t addr, uint8_t value)
{
    if (pci_config_mask(c, kind, addr) != value) {
        uint8_t *block = (uint8_t *)own_block(c, addr / PCI_MASK_BLOCK);

        block[kind + addr % PCI_MASK_BLOCK] = value;
    }
}

void pci_config_mask_set(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned len,
                         uint32_t value)
{
    for (unsigned i = 0; i < len; i++) {
        mask_put(c, kind, addr + i, value >> 8 * i);
    }
}

void pci_config_mask_fill(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned n, uint8_t value)
{
    for (unsigned i = 0; i < n; i++) {
        mask_put(c, kind, addr + i, value);
    }
}

void pci_config_unclaim(PCIConfig *c, uint32_t addr, unsigned n)
{
    static const PCIMaskKind kinds[] = { PCI_WMASK, PCI_W1CMASK, PCI_CMASK, PCI_USED, PCI_STICKY };

    for (unsigned i = 0; i < n; i++, addr++) {
        const uint8_t *fresh = (const uint8_t *)shared_block(addr / PCI_MASK_BLOCK);

        for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
            mask_put(c, kinds[k], addr, fresh[kinds[k] + addr % PCI_MASK_BLOCK]);
        }
    }
}

/* --- life --- */

static void declare(PCIConfig *c, const HeaderReg *regs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pci_config_mask_set(c, PCI_WMASK, regs[i].at, regs[i].width, regs[i].wmask);
        pci_config_mask_set(c, PCI_W1CMASK, regs[i].at, regs[i].width, regs[i].w1cmask);
    }
}

void pci_config_init(PCIConfig *c, unsigned size, unsigned type)
{
    unsigned blocks = size / PCI_MASK_BLOCK;

    *c = (PCIConfig){ .size = size, .type = type };
    c->bytes = g_malloc0(size);
    c->masks = g_new(PCIMasks *, blocks);
    for (unsigned b = 0; b < blocks; b++) {
        c->masks[b] = shared_block(b);
    }
    memset(own_block(c, 0), 0, sizeof(PCIMasks));
    pci_config_mask_fill(c, PCI_CMASK, 0, HEADER, 0xff);
    /* The list may stand elsewhere, and the interrupt is compared with its level. */
    pci_config_mask_set(c, PCI_CMASK, PCI_CAPABILITY_LIST, 1, 0);
    pci_config_mask_set(c, PCI_CMASK, PCI_STATUS, 1,
                        0xff & ~(PCI_STATUS_INTERRUPT | PCI_STATUS_CAP_LIST));
    pci_config_mask_fill(c, PCI_USED, 0, HEADER, 0xff);
    declare(c, common_regs, G_N_ELEMENTS(common_regs));
    if (type == 1) {
        declare(c, bridge_regs, G_N_ELEMENTS(bridge_regs));
    }
    c->bytes[PCI_HEADER_TYPE] = type;
}

void pci_config_fini(PCIConfig *c)
{
    for (unsigned b = 0; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->own >> b & 1) {
            g_free(c->masks[b]);
        }
    }
    g_free(c->masks);
    g_free(c->bytes);
    g_free(c->entries);
    *c = (PCIConfig){ 0 };
}

void pci_config_copy(PCIConfig *c, const PCIConfig *from)
{
    unsigned blocks = from->size / PCI_MASK_BLOCK;

    *c = *from;
    c->bytes = g_memdup2(from->bytes, from->size);
    c->masks = g_memdup2(from->masks, blocks * sizeof(PCIMasks *));
    c->entries = g_memdup2(from->entries, from->room * sizeof(PCICapEntry));
    for (unsigned b = 0; b < blocks; b++) {
        if (from->own >> b & 1) {
            c->masks[b] = g_memdup2(from->masks[b], sizeof(PCIMasks));
        }
    }
}

size_t pci_config_footprint(const PCIConfig *c)
{
    return c->size + c->size / PCI_MASK_BLOCK * sizeof(PCIMasks *) +
           __builtin_popcountll(c->own) * sizeof(PCIMasks) + c->room * sizeof(PCICapEntry);
}

/* --- a guest's accesses --- */

static bool access_len_ok(unsigned len)
{
    return len == 1 || len == 2 || len == 4;
}

uint32_t pci_config_read(const PCIConfig *c, uint32_t addr, unsigned len)
{
    uint32_t value = 0;

    if (!access_len_ok(len)) {
        return UINT32_MAX;
    }
    for (unsigned i = 0; i < len; i++) {
        uint32_t at = addr + i;

        value |= (uint32_t)(at >= addr && at < c->size ? c->bytes[at] : 0xff) << 8 * i;
    }
    return value;
}

static uint32_t effects_in(const EffectRange *ranges, size_t n, uint32_t addr, uint8_t changed)
{
    uint32_t effects = 0;

    for (size_t i = 0; i < n; i++) {
        if (addr >= ranges[i].first && addr <= ranges[i].last && (changed & ranges[i].bits)) {
            effects |= ranges[i].effect;
        }
    }
    return effects;
}

static uint32_t effects_of(const PCIConfig *c, uint32_t addr, uint8_t changed)
{
    uint32_t effects;

    if (addr >= HEADER) {
        return pci_config_mask(c, PCI_USED, addr) ? PCI_EFFECT_CAP : 0;
    }
    effects = effects_in(common_effects, G_N_ELEMENTS(common_effects), addr, changed);
    if (c->type == 1) {
        return effects | effects_in(bridge_effects, G_N_ELEMENTS(bridge_effects), addr, changed);
    }
    return effects | effects_in(endpoint_effects, G_N_ELEMENTS(endpoint_effects), addr, changed);
}

static uint32_t write_byte(PCIConfig *c, uint32_t addr, uint8_t value)
{
    uint8_t w = pci_config_mask(c, PCI_WMASK, addr);
    uint8_t w1c = pci_config_mask(c, PCI_W1CMASK, addr);
    uint8_t old = c->bytes[addr];

    c->bytes[addr] = ((old & ~w) | (value & w)) & ~(value & w1c);
    return effects_of(c, addr, old ^ c->bytes[addr]);
}

uint32_t pci_config_write(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value)
{
    uint32_t effects = 0;

    if (!access_len_ok(len)) {
        return 0;
    }
    for (unsigned i = 0; i < len; i++) {
        uint32_t at = addr + i;

        if (at >= addr && at < c->size) {
            effects |= write_byte(c, at, value >> 8 * i);
        }
    }
    return effects;
}

/* --- the device's own accesses --- */

uint32_t pci_config_get(const PCIConfig *c, uint32_t addr, unsigned len)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < len; i++) {
        value |= (uint32_t)c->bytes[addr + i] << 8 * i;
    }
    return value;
}

void pci_config_set(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value)
{
    for (unsigned i = 0; i < len; i++) {
        c->bytes[addr + i] = value >> 8 * i;
    }
}

static void reset_block(PCIConfig *c, unsigned block, bool cold)
{
    const PCIMasks *m = c->masks[block];
    uint8_t *bytes = c->bytes + block * PCI_MASK_BLOCK;

    for (unsigned i = 0; i < PCI_MASK_BLOCK; i++) {
        uint8_t clear = m->wmask[i] | m->w1cmask[i];

        bytes[i] &= ~(cold ? clear : clear & ~m->sticky[i]);
    }
}

void pci_config_reset(PCIConfig *c, bool cold)
{
    for (unsigned b = 0; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->masks[b] != &reserved_block) { /* nothing writable there */
            reset_block(c, b, cold);
        }
    }
}

/* --- entries --- */

PCICapEntry *pci_config_entry_at(const PCIConfig *c, uint32_t offset)
{
    for (unsigned i = 0; i < c->n_entries; i++) {
        PCICapEntry *e = &c->entries[i];

        if (offset >= e->offset && offset < (uint32_t)e->offset + e->size) {
            return e;
        }
    }
    return NULL;
}

void pci_config_entry_add(PCIConfig *c, const PCICapEntry *entry)
{
    if (c->n_entries == c->room) {
        c->room += 4;
        c->entries = g_renew(PCICapEntry, c->entries, c->room);
    }
    c->entries[c->n_entries++] = *entry;
}

void pci_config_entry_drop(PCIConfig *c, uint16_t offset)
{
    unsigned i = 0;

    while (c->entries[i].offset != offset) {
        i++;
        g_assert(i < c->n_entries);
    }
    memmove(&c->entries[i], &c->entries[i + 1], (c->n_entries - i - 1) * sizeof(PCICapEntry));
    c->n_entries--;
}

void pci_config_forget(PCIConfig *c)
{
    for (unsigned b = 1; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->own >> b & 1) {
            g_free(c->masks[b]);
        }
        c->masks[b] = shared_block(b);
    }
    c->own &= 1;
    c->n_entries = 0;
}

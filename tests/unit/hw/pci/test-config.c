/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Config space compared with a reference that writes bit by bit: every length at every offset of
 * every size and type, effects, sharing of masks, reset.
 */
#include <string.h>

#include "../core/fake-types.h"

#include "hw/pci/config.h"
#include "hw/pci/regs.h"

typedef struct Shape {
    unsigned size, type;
} Shape;

static const Shape shapes[] = { { 256, 0 }, { 256, 1 }, { 4096, 0 }, { 4096, 1 } };
static const PCIMaskKind kinds[] = { PCI_WMASK, PCI_W1CMASK, PCI_CMASK, PCI_USED, PCI_STICKY };

/* The value of one byte after a write, computed bit by bit. */
static uint8_t expected(const PCIConfig *c, unsigned addr, uint8_t old, uint8_t written)
{
    uint8_t now = 0;

    for (unsigned bit = 0; bit < 8; bit++) {
        bool w = pci_config_mask(c, PCI_WMASK, addr) >> bit & 1;
        bool w1c = pci_config_mask(c, PCI_W1CMASK, addr) >> bit & 1;
        bool value = old >> bit & 1, given = written >> bit & 1;

        g_assert_false(w && w1c);
        now |= (w ? given : w1c && given ? false : value) << bit;
    }
    return now;
}

static void scatter_masks(PCIConfig *c)
{
    for (unsigned i = 0; i < 200; i++) {
        unsigned addr = g_test_rand_int_range(0x40, c->size);
        uint8_t w = g_test_rand_int(), w1c = g_test_rand_int() & ~w;

        pci_config_mask_set(c, PCI_WMASK, addr, 1, w);
        pci_config_mask_set(c, PCI_W1CMASK, addr, 1, w1c);
    }
    for (unsigned addr = 0; addr < c->size; addr++) {
        c->bytes[addr] = g_test_rand_int();
    }
}

static void check_write(PCIConfig *c, uint8_t *model, unsigned addr, unsigned len)
{
    uint32_t value = g_test_rand_int();
    bool legal = len == 1 || len == 2 || len == 4;

    for (unsigned i = 0; legal && i < len; i++) {
        if (addr + i < c->size) {
            model[addr + i] = expected(c, addr + i, model[addr + i], value >> 8 * i);
        }
    }
    pci_config_write(c, NULL, addr, len, value);
    g_assert_cmpmem(c->bytes, c->size, model, c->size);
}

static void check_read(const PCIConfig *c, unsigned addr, unsigned len)
{
    uint32_t want = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint8_t byte = addr + i < c->size ? c->bytes[addr + i] : 0xff;

        want |= i < len ? (uint32_t)byte << 8 * i : 0;
    }
    if (len != 1 && len != 2 && len != 4) {
        want = UINT32_MAX;
    }
    g_assert_cmphex(pci_config_read(c, addr, len), ==, want);
}

static void test_exhaustive(void)
{
    for (unsigned s = 0; s < G_N_ELEMENTS(shapes); s++) {
        g_autofree uint8_t *model = NULL;
        PCIConfig c;

        pci_config_init(&c, shapes[s].size, shapes[s].type);
        scatter_masks(&c);
        model = g_memdup2(c.bytes, c.size);
        for (unsigned addr = 0; addr <= 4100; addr++) {
            for (unsigned len = 0; len <= 8; len++) {
                check_write(&c, model, addr, len);
                check_read(&c, addr, len);
            }
        }
        pci_config_fini(&c);
    }
}

static void test_wild_addresses(void)
{
    static const uint32_t wild[] = {
        0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
    };
    PCIConfig c;

    pci_config_init(&c, 4096, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(wild); i++) {
        pci_config_write(&c, NULL, wild[i], 4, 0xffffffff);
        g_assert_cmphex(pci_config_read(&c, wild[i], 4) >> 8, ==, 0xffffff);
    }
    g_assert_cmphex(c.bytes[0], ==, 0); /* nothing wrapped around to the start */
    g_assert_cmphex(c.bytes[PCI_COMMAND], ==, 0);
    pci_config_fini(&c);
}

typedef struct EffectCase {
    unsigned type, addr, len;
    uint32_t value, effects;
} EffectCase;

static const EffectCase effect_cases[] = {
    { 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY, PCI_EFFECT_DECODE },
    { 0, PCI_COMMAND, 1, PCI_COMMAND_IO, PCI_EFFECT_DECODE },
    { 0, PCI_COMMAND, 2, PCI_COMMAND_MASTER, PCI_EFFECT_MASTER },
    { 0, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE, PCI_EFFECT_INTX },
    { 0, PCI_COMMAND, 4, 0x407, PCI_EFFECT_DECODE | PCI_EFFECT_MASTER | PCI_EFFECT_INTX },
    { 0, PCI_COMMAND, 2, PCI_COMMAND_SERR, 0 },
    { 0, PCI_INTERRUPT_LINE, 1, 5, 0 },
    { 0, PCI_BASE_ADDRESS_0, 4, 0, 0 },        /* nothing changes */
    { 0, PCI_BASE_ADDRESS_0 + 20, 4, ~0u, 0 }, /* not a BAR: read-only */
    { 0, PCI_ROM_ADDRESS, 4, ~0u, 0 },
    { 0, PCI_VENDOR_ID, 4, ~0u, 0 },
    { 0, 0x40, 4, ~0u, 0 }, /* unallocated: plain bytes */
    { 1, PCI_PRIMARY_BUS, 4, 0x010100, PCI_EFFECT_BUS_NUMBERS },
    { 1, PCI_SEC_LATENCY_TIMER, 1, 7, 0 },
    { 1, PCI_IO_BASE, 2, 0x2010, PCI_EFFECT_WINDOWS },
    { 1, PCI_MEMORY_BASE, 2, 0x10, PCI_EFFECT_WINDOWS },
    { 1, PCI_PREF_MEMORY_BASE, 4, 0x100010, PCI_EFFECT_WINDOWS },
    { 1, PCI_PREF_LIMIT_UPPER32, 4, 1, PCI_EFFECT_WINDOWS },
    { 1, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET, PCI_EFFECT_BUS_RESET },
    { 1, PCI_BRIDGE_CONTROL - 2, 4, PCI_BRIDGE_CTL_BUS_RESET << 16, PCI_EFFECT_BUS_RESET },
    { 1, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_SERR, 0 },
};

static void test_effects(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(effect_cases); i++) {
        const EffectCase *e = &effect_cases[i];
        PCIConfig c;

        pci_config_init(&c, 256, e->type);
        g_assert_cmphex(pci_config_write(&c, NULL, e->addr, e->len, e->value), ==, e->effects);
        g_assert_cmphex(pci_config_write(&c, NULL, e->addr, e->len, e->value), ==,
                        0); /* no change */
        pci_config_fini(&c);
    }
}

/* --- rows of an entry --- */

static unsigned calls;
static uint64_t last_old, last_new;
static uint32_t last_lanes;
static PCIConfig *entry_config;

static bool row_accept(void *dev, const RegDesc *r, uint64_t value)
{
    return (value & 0xff) != 0x66;
}

static uint32_t row_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    calls++;
    last_old = old;
    last_new = new;
    last_lanes = pci_config_lanes(entry_config);
    return r->offset == 4 ? PCI_EFFECT_INTX : PCI_EFFECT_IRQ;
}

static const RegDesc entry_rows[] = {
    REG_ROW("constant", 2, 2, .reset = 0x1234, .identity = REG_ALL),
    REG_ROW("first", 4, 2, .rw = 0x00ff, .trigger = 0x8000, .reset = 5, .wrote = row_wrote),
    REG_ROW("second", 6, 2, .rw = 0x00ff, .w1c = 0xf000, .accept = row_accept, .wrote = row_wrote),
};
static const RegDesc kept_rows[] = {
    REG_ROW("kept", 8, 4, .rw = 0xff, .sticky = 0xff, .reset = 0x30000007, .identity = 0xff000000),
    REG_ROW("log", 12, 16, .sticky = REG_ALL),
};
static const RegDesc unused_rows[] = { REG_ROW("unused", 8, 4, .rw = UINT32_MAX) };
static const PCIRegTable entry_tables[] = { { .rows = LIST(entry_rows) },
                                            { .rows = LIST(unused_rows) },
                                            { .rows = LIST(kept_rows) } };

static void entry_init(PCIConfig *c)
{
    pci_config_init(c, 4096, 0);
    pci_config_claim(c, &(PCICapEntry){ .offset = 0x50, .size = 28, .id = 9 });
    pci_config_declare_entry(c, 0x50, entry_tables, 5);
    entry_config = c;
    calls = 0;
}

static void test_entry_write(void)
{
    PCIConfig c;

    entry_init(&c);
    g_assert_cmphex(pci_config_get(&c, 0x52, 2), ==, 0x1234);
    g_assert_cmphex(pci_config_get(&c, 0x58, 4), ==, 0x30000007);
    /* both registers of one access: effects are OR-ed, the trigger bit is reported alone */
    g_assert_cmphex(pci_config_write(&c, NULL, 0x54, 4, 0x0065ffff), ==,
                    PCI_EFFECT_INTX | PCI_EFFECT_IRQ);
    g_assert_cmpuint(calls, ==, 2);
    g_assert_cmphex(pci_config_get(&c, 0x54, 4), ==, 0x006500ff);
    g_assert_cmphex(pci_config_write(&c, NULL, 0x54, 2, 0x8001), ==, PCI_EFFECT_INTX);
    g_assert_cmphex(last_old, ==, 0x00ff);
    g_assert_cmphex(last_new, ==, 0x8001);
    g_assert_cmphex(pci_config_get(&c, 0x54, 2), ==, 0x0001);
    /* an access that covers a part, and one that begins before the entry */
    g_assert_cmphex(pci_config_write(&c, NULL, 0x55, 1, 0x80), ==, PCI_EFFECT_INTX);
    g_assert_cmphex(last_lanes, ==, 0xff00);
    g_assert_cmphex(last_new, ==, 0x8001);
    g_assert_cmphex(pci_config_write(&c, NULL, 0x4e, 4, ~0u), ==, 0);
    g_assert_cmphex(pci_config_write(&c, NULL, 0x6b, 4, ~0u), ==, 0);
    pci_config_fini(&c);
}

/* One refusal leaves every register of the access unchanged. */
static void test_entry_refusal(void)
{
    PCIConfig c;

    entry_init(&c);
    g_assert_cmphex(pci_config_write(&c, NULL, 0x54, 4, 0x00660001), ==, 0);
    g_assert_cmphex(pci_config_get(&c, 0x54, 4), ==, 0x00000005);
    g_assert_cmphex(pci_config_write(&c, NULL, 0x56, 1, 0x66), ==, 0);
    g_assert_cmpuint(calls, ==, 0);
    pci_config_fini(&c);
}

static void test_entry_reset(void)
{
    PCIConfig c;

    entry_init(&c);
    pci_config_set(&c, 0x52, 2, 0x4321); /* identity: the class set it for this instance */
    pci_config_set(&c, 0x54, 4, ~0u);
    pci_config_set(&c, 0x58, 4, 0x4122339f);
    pci_config_set(&c, 0x5c, 4, 0xabcdef01);
    pci_config_reset(&c, false);
    g_assert_cmphex(pci_config_get(&c, 0x52, 2), ==, 0x4321);
    g_assert_cmphex(pci_config_get(&c, 0x54, 4), ==, 0x00000005);
    g_assert_cmphex(pci_config_get(&c, 0x58, 4), ==, 0x4100009f);
    g_assert_cmphex(pci_config_get(&c, 0x5c, 4), ==, 0xabcdef01);
    pci_config_reset(&c, true);
    g_assert_cmphex(pci_config_get(&c, 0x58, 4), ==, 0x41000007);
    g_assert_cmphex(pci_config_get(&c, 0x5c, 4), ==, 0);
    pci_config_fini(&c);
}

static void test_check_rows(void)
{
    static const RegDesc overlap[] = { REG_ROW("a", 0, 4), REG_ROW("b", 2, 2) };
    static const RegDesc both[] = { REG_ROW("a", 0, 4, .rw = 1, .trigger = 1) };
    static const RegDesc wide[] = { REG_ROW("a", 0, 2, .rw = 0x10000) };
    static const RegDesc array[] = { REG_ROW("a", 0, 16, .wrote = row_wrote) };
    static const RegDesc nameless[] = { REG_ROW("", 0, 2) };
    static const RegDesc *const bad[] = { overlap, both, wide, array, nameless };
    g_autofree char *fine = pci_config_check_rows(LIST(entry_rows));

    g_assert_null(fine);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *why = pci_config_check_rows(bad[i], bad[i] == overlap ? 2 : 1);

        g_assert_nonnull(why);
    }
    for (unsigned type = 0; type < 2; type++) {
        PCIRegTable header = pci_config_header_rows(type);
        g_autofree char *why = pci_config_check_rows(header.rows, header.n);

        g_assert_cmpstr(why, ==, NULL);
    }
}

static uint32_t mask_get(const PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned len)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < len; i++) {
        value |= (uint32_t)pci_config_mask(c, kind, addr + i) << 8 * i;
    }
    return value;
}

static void test_fresh_masks(void)
{
    for (unsigned s = 0; s < G_N_ELEMENTS(shapes); s++) {
        PCIConfig c;

        pci_config_init(&c, shapes[s].size, shapes[s].type);
        for (unsigned addr = 0; addr < c.size; addr++) {
            bool plain = addr >= 0x40 && addr < 0x100;

            g_assert_cmphex(pci_config_mask(&c, PCI_USED, addr), ==, addr < 0x40 ? 0xff : 0);
            if (addr >= 0x40) {
                g_assert_cmphex(pci_config_mask(&c, PCI_WMASK, addr), ==, plain ? 0xff : 0);
                g_assert_cmphex(pci_config_mask(&c, PCI_CMASK, addr), ==, plain ? 0 : 0xff);
            }
        }
        g_assert_cmphex(mask_get(&c, PCI_WMASK, PCI_COMMAND, 2), ==, 0x0507);
        g_assert_cmphex(c.bytes[PCI_HEADER_TYPE], ==, shapes[s].type);
        pci_config_fini(&c);
    }
}

/* Two functions share what neither changed. A change of one does not affect the other. */
static void test_sharing(void)
{
    PCIConfig a, b;

    pci_config_init(&a, 4096, 0);
    pci_config_init(&b, 4096, 0);
    g_assert_true(a.masks[1] == b.masks[1] && a.masks[4] == b.masks[63]);
    g_assert_cmpuint(pci_config_footprint(&a), <, 6 * 1024);
    pci_config_mask_set(&a, PCI_WMASK, 0x200, 4, 0x12345678);
    pci_config_mask_set(&a, PCI_WMASK, 0x204, 4, 0); /* the present value: no copy */
    g_assert_cmphex(mask_get(&a, PCI_WMASK, 0x200, 4), ==, 0x12345678);
    g_assert_cmphex(mask_get(&b, PCI_WMASK, 0x200, 4), ==, 0);
    pci_config_unclaim(&a, 0x200, 4);
    for (unsigned addr = 0x40; addr < 4096; addr++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
            g_assert_cmphex(pci_config_mask(&a, kinds[k], addr), ==,
                            pci_config_mask(&b, kinds[k], addr));
        }
    }
    pci_config_fini(&a);
    pci_config_fini(&b);
}

static void test_reset(void)
{
    PCIConfig c;

    pci_config_init(&c, 4096, 1);
    pci_config_set(&c, PCI_VENDOR_ID, 4, 0x12345678);
    pci_config_mask_set(&c, PCI_WMASK, 0x104, 4, 0x0000ffff);
    pci_config_mask_set(&c, PCI_W1CMASK, 0x104, 4, 0x00ff0000);
    pci_config_mask_set(&c, PCI_STICKY, 0x104, 4, 0x00f000f0);
    pci_config_set(&c, 0x104, 4, 0xffffffff);
    pci_config_write(&c, NULL, PCI_PRIMARY_BUS, 4, 0xffffffff);
    pci_config_write(&c, NULL, 0x80, 4, 0xffffffff);
    pci_config_reset(&c, false);
    g_assert_cmphex(pci_config_get(&c, 0x104, 4), ==, 0xfff000f0);
    g_assert_cmphex(pci_config_get(&c, PCI_PRIMARY_BUS, 4), ==, 0);
    g_assert_cmphex(pci_config_get(&c, 0x80, 4), ==, 0);
    g_assert_cmphex(pci_config_get(&c, PCI_VENDOR_ID, 4), ==, 0x12345678);
    pci_config_reset(&c, true);
    g_assert_cmphex(pci_config_get(&c, 0x104, 4), ==, 0xff000000);
    pci_config_fini(&c);
}

/* The row of each byte of both headers is the one that a search finds. */
static void test_header_rows(void)
{
    for (unsigned type = 0; type < 2; type++) {
        PCIRegTable t = pci_config_header_rows(type);

        for (uint32_t addr = 0; addr < PCI_HEADER_SIZE; addr++) {
            const RegDesc *found = NULL;

            for (size_t i = 0; i < t.n; i++) {
                if (addr >= t.rows[i].offset && addr < t.rows[i].offset + t.rows[i].width) {
                    found = &t.rows[i];
                }
            }
            g_assert_true(pci_config_header_row(type, addr) == found);
        }
    }
}

static void test_entries(void)
{
    PCIConfig c;

    pci_config_init(&c, 4096, 0);
    for (unsigned i = 0; i < 400; i++) {
        pci_config_entry_add(&c, &(PCICapEntry){ .offset = 0x100 + 4 * i, .size = 4, .id = i });
    }
    g_assert_cmpuint(pci_config_entry_at(&c, 0x103)->id, ==, 0);
    g_assert_cmpuint(pci_config_entry_at(&c, 0x100 + 399 * 4)->id, ==, 399);
    g_assert_null(pci_config_entry_at(&c, 0x100 + 400 * 4));
    pci_config_entry_drop(&c, 0x104);
    g_assert_null(pci_config_entry_at(&c, 0x104));
    g_assert_cmpuint(pci_config_entry_at(&c, 0x108)->id, ==, 2);
    pci_config_forget(&c);
    g_assert_cmpuint(c.n_entries, ==, 0);
    pci_config_fini(&c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/config/exhaustive", test_exhaustive);
    g_test_add_func("/pci/config/wild-addresses", test_wild_addresses);
    g_test_add_func("/pci/config/effects", test_effects);
    g_test_add_func("/pci/config/entry-write", test_entry_write);
    g_test_add_func("/pci/config/entry-refusal", test_entry_refusal);
    g_test_add_func("/pci/config/entry-reset", test_entry_reset);
    g_test_add_func("/pci/config/check-rows", test_check_rows);
    g_test_add_func("/pci/config/fresh-masks", test_fresh_masks);
    g_test_add_func("/pci/config/sharing", test_sharing);
    g_test_add_func("/pci/config/reset", test_reset);
    g_test_add_func("/pci/config/header-rows", test_header_rows);
    g_test_add_func("/pci/config/entries", test_entries);
    return g_test_run();
}

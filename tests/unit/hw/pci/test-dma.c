/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA and messages: gates, the translate hook, registers of the own and of other functions, mapping
 * and pins.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "pci-fixture.h"

#include "util/log.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t src_lo, go, value, depth;
} Dev;

/* A write to `go` copies 4 bytes from src to this device's `value`. It may read registers of any
 * device, including its own. */
static uint32_t go(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Dev *d = dev;
    uint32_t le;

    d->depth++;
    g_assert_cmpuint(d->depth, ==, 1); /* never entered twice */
    d->value = pci_dma_read(&d->pci, d->src_lo, &le, 4) & MEM_REFUSED ? 0xdead : le;
    if (d->go == 2) {
        d->value = pci_dma_write(&d->pci, d->src_lo, &le, 4);
    }
    d->depth--;
    return 0;
}

static const RegDesc regs[] = {
    REG32(Dev, src_lo, 0, .rw = 0xffffffff),
    REG32(Dev, go, 4, .rw = 3, .wrote = go),
    REG32_RO(Dev, value, 8),
};
static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .regs = LIST(regs) },
    { .index = 1, .kind = PCI_BAR_MEM32 },
};
static const PCICapDesc caps[] = { PCI_CAP_MSIX(1, 1) };
static const PCIDeviceType type = {
    .base = { .name = "dma", .kind = &pci_device_kind, .size = sizeof(Dev) },
    .bars = LIST(bars),
    .caps = LIST(caps),
};

enum { A = PCI_DEVFN(1, 0), B = PCI_DEVFN(2, 0) };
#define REGS(n) (MMIO + 0x10000 * (n))

static PCIDevice *add(Fixture *f, uint8_t devfn)
{
    PCIDevice *d = plug_function(f, &type, "pcie.0", NULL, devfn, NULL);

    config_write(f, devfn, PCI_BASE_ADDRESS_0, 4, REGS(PCI_SLOT(devfn)));
    config_write(f, devfn, PCI_BASE_ADDRESS_0 + 4, 4, REGS(PCI_SLOT(devfn)) + 0x1000);
    config_write(f, devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return d;
}

static void test_gate(void)
{
    uint32_t v = 0;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = add(&f, A);
    guest_write(&f, RAM, 4, 0x1234);
    g_assert_cmpint(pci_dma_read(d, RAM, &v, 4), ==, MEM_OK);
    g_assert_cmphex(v, ==, 0x1234);
    config_write(&f, A, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmpint(pci_dma_read(d, RAM, &v, 4), ==, MEM_REFUSED);
    g_assert_cmphex(v, ==, 0xffffffff);
    g_assert_cmpint(pci_dma_write(d, RAM, &v, 4), ==, MEM_REFUSED);
    g_assert_cmphex(guest_read(&f, RAM, 4), ==, 0x1234);
    g_assert_false(pci_dma_map(d, RAM, 4, false, &(PCIDmaMap){ 0 }));
    fixture_fini(&f);
}

/* Access to own registers is refused, to those of a sibling permitted; from a register write and
 * from outside. */
static void test_own_and_sibling(void)
{
    Fixture f;
    PCIDevice *d;
    uint32_t v = 0;

    fixture_init(&f);
    d = add(&f, A);
    add(&f, B);
    guest_write(&f, REGS(2), 4, 0x77);
    guest_write(&f, REGS(1), 4, REGS(2));
    guest_write(&f, REGS(1) + 4, 4, 1);
    g_assert_cmphex(guest_read(&f, REGS(1) + 8, 4), ==, 0x77);
    for (unsigned at = 0; at < 0x2000; at += 4) { /* registers, table and PBA */
        guest_write(&f, REGS(1), 4, REGS(1) + at);
        guest_write(&f, REGS(1) + 4, 4, 1);
        guest_write(&f, REGS(1) + 4, 4, 2);
    }
    g_assert_true(pci_dma_read(d, REGS(1), &v, 4) & MEM_REFUSED);
    g_assert_false(d->dev.busy);
    g_assert_cmphex(guest_read(&f, REGS(1) + 0x100c, 4), ==, 1);  /* its table is unchanged */
    guest_write(&f, REGS(1), 4, ecam_address(0, A, PCI_COMMAND)); /* its own config space: it reads,
                                                                   * and cannot write */
    guest_write(&f, REGS(1) + 4, 4, 2);
    g_assert_cmphex(config_read(&f, A, PCI_COMMAND, 2), ==,
                    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    fixture_fini(&f);
}

/* A message to the sender's own table, or to a sibling whose DMA targets the sender. */
static void test_message_to_self(void)
{
    Fixture f;
    PCIDevice *d;
    uint8_t pos;

    fixture_init(&f);
    d = add(&f, A);
    pos = pci_find_capability(d, PCI_CAP_ID_MSIX);
    guest_write(&f, REGS(1) + 0x1000, 8, REGS(1) + 0x1000);
    guest_write(&f, REGS(1) + 0x1008, 8, 0x55);
    config_write(&f, A, pos + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    msix_notify(d, 0);
    g_assert_cmphex(guest_read(&f, REGS(1) + 0x1000, 4), ==, REGS(1) + 0x1000);
    add(&f, B);
    guest_write(&f, REGS(2), 4, REGS(1) + 8);
    guest_write(&f, REGS(1) + 0x1000, 8, REGS(2) + 4); /* the message starts B, which reads A */
    guest_write(&f, REGS(1) + 0x1008, 4, 1);
    msix_notify(d, 0);
    g_assert_cmphex(guest_read(&f, REGS(2) + 8, 4), ==, 0xdead); /* A was on the call stack */
    fixture_fini(&f);
}

typedef struct Unit {
    PCIRequester who;
    unsigned calls;
} Unit;

/* Pages of 256 bytes, swapped in pairs. Addresses above 64 KiB are rejected. */
static bool swap_pages(void *opaque, PCIRequester who, uint64_t addr, bool write, uint64_t *out,
                       uint64_t *len)
{
    Unit *u = opaque;

    u->who = who;
    u->calls++;
    if (addr >= 0x10000) {
        return false;
    }
    *out = RAM + (addr ^ 0x100);
    *len = MIN(*len, 0x100 - (addr & 0xff));
    return true;
}

static void test_translate(void)
{
    uint8_t buf[0x400], back[0x400];
    Unit u = { 0 };
    PCIDmaMap map;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = add(&f, A);
    f.host.translate = swap_pages;
    f.host.translate_opaque = &u;
    for (unsigned i = 0; i < sizeof(buf); i++) {
        buf[i] = i / 256 + 1;
    }
    g_assert_cmpint(pci_dma_write(d, 0x80, buf, sizeof(buf)), ==, MEM_OK);
    g_assert_cmpuint(u.calls, ==, 5);
    g_assert_cmphex(u.who, ==, A);
    g_assert_cmphex(guest_read(&f, RAM + 0x180, 1), ==, 1);
    g_assert_cmphex(guest_read(&f, RAM + 0x0, 1), ==, 1); /* 0x100 was translated to page 0 */
    g_assert_cmpint(pci_dma_read(d, 0x80, back, sizeof(back)), ==, MEM_OK);
    g_assert_cmpmem(buf, sizeof(buf), back, sizeof(back));
    g_assert_cmpint(pci_dma_read(d, 0xfff0, back, 0x20), ==, MEM_REFUSED);
    g_assert_cmphex(back[0x1f], ==, 0xff);
    g_assert_false(pci_dma_map(d, 0x80, 0x100, true, &map)); /* two pieces */
    g_assert_true(pci_dma_map(d, 0x80, 0x80, true, &map));
    g_assert_true(map.host == map.block->host + 0x180);
    pci_dma_unmap(d, &map, 0x80);
    g_assert_cmpint(pci_msi_send(d, 0x20000, 1), ==, MEM_REFUSED);
    fixture_fini(&f);
}

static bool to_nowhere(void *opaque, PCIRequester who, uint64_t addr, bool write, uint64_t *out,
                       uint64_t *len)
{
    *out = RAM;
    *len = 0;
    return true;
}

/* A translation of zero length is an error, and is not repeated endlessly. A function cannot map
 * what it cannot access, including ROM for writing. */
static void test_nothing_to_map(void)
{
    uint8_t buf[4];
    PCIDmaMap map;
    MemRegion rom = { 0 };
    RamBlock *block;
    Unit u = { 0 };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = add(&f, A);
    block = machine_ram_new(f.m, "rom", 0x1000, NULL);
    block->read_only = true;
    mem_init_ram(&rom, "rom", block, 0, 0x1000);
    mem_map(&f.m->memory, RAM + RAM_SIZE, &rom, 0, 0);
    g_assert_false(pci_dma_map(d, RAM + RAM_SIZE, 16, true, &map));
    g_assert_true(pci_dma_map(d, RAM + RAM_SIZE, 16, false, &map));
    pci_dma_unmap(d, &map, 0);
    g_assert_false(pci_dma_map(d, RAM, 0, true, &map));
    f.host.translate = to_nowhere;
    g_assert_cmpint(pci_dma_read(d, 0, buf, 4), ==, MEM_REFUSED);
    g_assert_false(pci_dma_map(d, 0, 4, false, &map));
    f.host.translate = swap_pages;
    f.host.translate_opaque = &u;
    g_assert_false(pci_dma_map(d, 0x10000, 4, false, &map));
    mem_fini(&rom);
    fixture_fini(&f);
}

/* -d trace logs each message, and the new address of a BAR. */
static void test_traced(void)
{
    g_autofree char *path = NULL, *text = NULL;
    int fd = g_file_open_tmp("trace-XXXXXX", &path, NULL);
    Fixture f;
    PCIDevice *d;

    close(fd);
    fixture_init(&f);
    g_assert_true(log_to_file(path, NULL));
    g_assert_true(log_set("trace", NULL));
    d = add(&f, A);
    pci_msi_send(d, RAM + 0x40, 0x77);
    log_mask = 0;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "pci_bar"));
    g_assert_nonnull(strstr(text, "bar 0 ffffffffffffffff -> 40010000"));
    g_assert_nonnull(strstr(text, "80000040 <- 77"));
    fixture_fini(&f);
    g_unlink(path);
}

/* A mapping keeps the function's memory after the function was unplugged. */
static void test_map_outlives_unplug(void)
{
    PCIDmaMap map;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = add(&f, A);
    g_assert_true(pci_dma_map(d, RAM + 0x10, 0x20, true, &map));
    g_assert_false(pci_dma_map(d, RAM + RAM_SIZE - 8, 16, true, &(PCIDmaMap){ 0 }));
    g_assert_false(pci_dma_map(d, REGS(1), 4, false, &(PCIDmaMap){ 0 }));
    g_assert_false(pci_dma_map(d, RAM, 0, false, &(PCIDmaMap){ 0 }));
    g_assert_false(pci_dma_map(d, UINT64_MAX - 1, 4, false, &(PCIDmaMap){ 0 }));
    device_unplug(&d->dev);
    g_assert_cmphex(guest_read(&f, REGS(1), 4), ==, 0xffffffff);
    memset(map.host, 0x5a, map.len);
    pci_dma_unmap(d, &map, map.len);
    g_assert_cmphex(guest_read(&f, RAM + 0x10, 4), ==, 0x5a5a5a5a);
    fixture_fini(&f);
}

/* Only RAM: a sibling's registers, an unclaimed address, the end of RAM and a function without bus
 * mastering are rejected, and nothing is accessed. */
static void test_ram_only(void)
{
    static const uint64_t wild[] = { RAM + RAM_SIZE - 4, RAM - 4, REGS(2), UINT64_MAX - 3 };
    uint8_t buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, back[8] = { 0 };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = add(&f, A);
    add(&f, B);
    g_assert_cmpint(pci_dma_write_ram(d, RAM + 3, buf, 8), ==, MEM_OK);
    g_assert_cmpint(pci_dma_read_ram(d, RAM + 3, back, 8), ==, MEM_OK);
    g_assert_cmpmem(back, 8, buf, 8);
    for (size_t i = 0; i < G_N_ELEMENTS(wild); i++) {
        g_assert_cmpint(pci_dma_write_ram(d, wild[i], buf, 8), ==, MEM_REFUSED);
        g_assert_cmpint(pci_dma_read_ram(d, wild[i], back, 8), ==, MEM_REFUSED);
    }
    g_assert_cmphex(guest_read(&f, REGS(2), 4), ==, 0);
    machine_ram_find(f.m, "ram")->read_only = true;
    g_assert_cmpint(pci_dma_write_ram(d, RAM, buf, 8), ==, MEM_REFUSED);
    g_assert_cmpint(pci_dma_read_ram(d, RAM, buf, 8), ==, MEM_OK);
    config_write(&f, A, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmpint(pci_dma_read_ram(d, RAM, buf, 8), ==, MEM_REFUSED);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/dma/gate", test_gate);
    g_test_add_func("/pci/dma/own-and-sibling", test_own_and_sibling);
    g_test_add_func("/pci/dma/message-to-self", test_message_to_self);
    g_test_add_func("/pci/dma/translate", test_translate);
    g_test_add_func("/pci/dma/nothing-to-map", test_nothing_to_map);
    g_test_add_func("/pci/dma/traced", test_traced);
    g_test_add_func("/pci/dma/ram-only", test_ram_only);
    g_test_add_func("/pci/dma/map-outlives-unplug", test_map_outlives_unplug);
    return g_test_run();
}

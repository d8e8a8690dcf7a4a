/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BARs: sizing, decode enables, moving while enabled, above 4 GiB, I/O, ROM, fixed ranges, overlap
 * with a defined winner, rejected layouts, and a cost that does not grow with the number of BARs.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "pci-fixture.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t mark;
    uint64_t size;
    MemRegion vga;
} Dev;

static uint64_t mark_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Dev *)opaque)->mark + offset;
}

static void mark_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Dev *)opaque)->mark = value;
}

static const MemOps mark_ops = { .read = mark_read, .write = mark_write, .unaligned = true };

static bool dev_realize(void *dev, GError **err)
{
    Dev *d = dev;

    d->mark = 0xd0000000 | (uint32_t)d->pci.devfn << 16;
    mem_init_mmio(&d->vga, "vga", 0x20000, &mark_ops, d);
    pci_add_fixed_range(&d->pci, false, 0xa0000, &d->vga);
    return true;
}

static void dev_finalize(void *dev)
{
    mem_fini(&((Dev *)dev)->vga);
}

static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .ops = &mark_ops },
    { .index = 1, .kind = PCI_BAR_IO, .size = 32, .ops = &mark_ops },
    { .index = 2, .kind = PCI_BAR_MEM64, .prefetch = true, .size_prop = "size", .ops = &mark_ops },
    { .index = 4, .kind = PCI_BAR_MEM32, .size = 16, .ops = &mark_ops },
};
static const PlanProp props[] = {
    PROP_SIZE(Dev, size, "size", 0x1000, 0, 0, "size of BAR 2"),
};
static const PCIDeviceType type = {
    .base = { .name = "barred",
              .kind = &pci_device_kind,
              .size = sizeof(Dev),
              .props = LIST(props),
              .realize = dev_realize,
              .finalize = dev_finalize },
    .bars = LIST(bars),
};

enum { DEVFN = PCI_DEVFN(1, 0), BAR0 = PCI_BASE_ADDRESS_0, ALL = 0x7 };
#define MARK(devfn) (0xd0000000u | (uint32_t)(devfn) << 16)

static uint32_t size_of(Fixture *f, uint32_t reg)
{
    config_write(f, DEVFN, reg, 4, 0xffffffff);
    return config_read(f, DEVFN, reg, 4);
}

static void test_sizing(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, DEVFN, "size=4G");
    for (unsigned command = 0; command <= ALL; command++) { /* with and without decoding */
        config_write(&f, DEVFN, PCI_COMMAND, 2, command);
        g_assert_cmphex(size_of(&f, BAR0), ==, 0xfffff000);
        g_assert_cmphex(size_of(&f, BAR0 + 4), ==, 0xffffffe1);
        g_assert_cmphex(size_of(&f, BAR0 + 8), ==, 0x0000000c); /* 4 GiB, 64-bit, prefetchable */
        g_assert_cmphex(size_of(&f, BAR0 + 12), ==, 0xffffffff);
        g_assert_cmphex(size_of(&f, BAR0 + 16), ==, 0xfffffff0);
        g_assert_cmphex(size_of(&f, BAR0 + 20), ==, 0);
        g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS), ==, 0);
        mem_check(&f.m->memory);
    }
    fixture_fini(&f);
}

static void test_decode(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, DEVFN, NULL);
    config_write(&f, DEVFN, BAR0, 4, MMIO);
    config_write(&f, DEVFN, BAR0 + 4, 4, 0x100);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, PCI_BAR_UNMAPPED);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0xffffffff);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, MMIO);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, MARK(DEVFN));
    g_assert_cmphex(guest_read(&f, PIO + 0x100, 4), ==, 0xffffffff);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_IO);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0xffffffff);
    g_assert_cmphex(guest_read(&f, PIO + 0x100, 4), ==, MARK(DEVFN));
    config_write(&f, DEVFN, BAR0 + 4, 4, 0); /* ports from 0 are legal */
    g_assert_cmphex(guest_read(&f, PIO, 4), ==, MARK(DEVFN));
    g_assert_cmphex(pci_bar_addr(d, 5), ==, PCI_BAR_UNMAPPED);
    fixture_fini(&f);
}

static void test_moving(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, DEVFN, NULL);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < 100; i++) {
        config_write(&f, DEVFN, BAR0, 4, MMIO + 0x1000 * i);
        g_assert_cmphex(guest_read(&f, MMIO + 0x1000 * i + 0x10, 4), ==, MARK(DEVFN) + 0x10);
        g_assert_cmphex(guest_read(&f, MMIO + 0x1000 * (i + 1), 4), ==, 0xffffffff);
    }
    /* byte by byte, as an unusual guest would */
    config_write(&f, DEVFN, BAR0 + 1, 1, 0x50);
    config_write(&f, DEVFN, BAR0 + 2, 1, 0x34);
    g_assert_cmphex(guest_read(&f, 0x40345000, 4), ==, MARK(DEVFN));
    fixture_fini(&f);
}

static void test_above_4g(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, DEVFN, "size=4G");
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_write(&f, DEVFN, BAR0 + 8, 4, 0);
    config_write(&f, DEVFN, BAR0 + 12, 4, MMIO64 >> 32);
    g_assert_cmphex(guest_read(&f, MMIO64 + 0xfffffff0, 4), ==,
                    (uint32_t)(MARK(DEVFN) + 0xfffffff0));
    g_assert_cmphex(pci_bar_addr(d, 2), ==, MMIO64);
    config_write(&f, DEVFN, BAR0 + 12, 4,
                 0xffffffff); /* the value that sizing leaves: not decoded */
    g_assert_cmphex(pci_bar_addr(d, 2), ==, PCI_BAR_UNMAPPED);
    g_assert_cmphex(guest_read(&f, MMIO64, 4), ==, 0xffffffff);
    fixture_fini(&f);
}

/* The lowest devfn wins, then the lowest BAR, in any order of programming. */
static void test_overlap(void)
{
    Fixture f;
    uint8_t low = PCI_DEVFN(1, 0), high = PCI_DEVFN(2, 0);

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, high, NULL);
    plug_function(&f, &type, "pcie.0", NULL, low, NULL);
    for (unsigned order = 0; order < 2; order++) {
        uint8_t first = order ? low : high, second = order ? high : low;

        config_write(&f, first, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        config_write(&f, first, BAR0, 4, MMIO);
        config_write(&f, second, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        config_write(&f, second, BAR0, 4, MMIO);
        g_assert_cmphex(guest_read(&f, MMIO, 4), ==, MARK(low));
        config_write(&f, low, BAR0 + 16, 4, MMIO + 0x20);
        g_assert_cmphex(guest_read(&f, MMIO + 0x20, 4), ==,
                        MARK(low) + 0x20); /* BAR 0, not BAR 4 */
        config_write(&f, low, PCI_COMMAND, 2, 0);
        g_assert_cmphex(guest_read(&f, MMIO, 4), ==, MARK(high)); /* the region that it covered is
                                                                   * visible again */
        config_write(&f, high, PCI_COMMAND, 2, 0);
    }
    fixture_fini(&f);
}

static void test_fixed_range(void)
{
    uint64_t v = 0;
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, DEVFN, NULL);
    mem_read(&f.host.root.mem, 0xa0010, 4, &v);
    g_assert_cmphex(v, ==, 0xffffffff);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    mem_read(&f.host.root.mem, 0xa0010, 4, &v);
    g_assert_cmphex(v, ==, MARK(DEVFN) + 0x10);
    fixture_fini(&f);
}

static void test_rom(void)
{
    g_autofree char *path = NULL, *settings = NULL, *bytes = g_malloc(3000);
    g_autoptr(GError) err = NULL;
    int fd = g_file_open_tmp("rom-XXXXXX", &path, &err);
    Fixture f;

    g_assert_no_error(err);
    close(fd);
    memset(bytes, 0x5a, 3000);
    g_assert_true(g_file_set_contents(path, bytes, 3000, &err));
    settings = g_strdup_printf("romfile=%s", path);
    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, DEVFN, settings);
    g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS), ==, 0xfffff001); /* 4 KiB */
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_write(&f, DEVFN, PCI_ROM_ADDRESS, 4, MMIO + 0x8000);
    g_assert_cmphex(guest_read(&f, MMIO + 0x8000, 4), ==, 0xffffffff); /* not enabled */
    config_write(&f, DEVFN, PCI_ROM_ADDRESS, 4, MMIO + 0x8001);
    g_assert_cmphex(guest_read(&f, MMIO + 0x8000, 4), ==, 0x5a5a5a5a);
    g_assert_cmphex(guest_read(&f, MMIO + 0x8000 + 2998, 4), ==, 0x00005a5a);
    guest_write(&f, MMIO + 0x8000, 4, 0);
    g_assert_cmphex(guest_read(&f, MMIO + 0x8000, 4), ==, 0x5a5a5a5a);
    refused(&f, &type, "pcie.0", NULL, PCI_DEVFN(2, 0), "romfile=/does/not/exist", "romfile");
    g_assert_true(g_file_set_contents(path, "", 0, &err));
    refused(&f, &type, "pcie.0", NULL, PCI_DEVFN(2, 0), settings, "are accepted");
    g_assert_cmpint(truncate(path, (16 << 20) + 1), ==, 0);
    refused(&f, &type, "pcie.0", NULL, PCI_DEVFN(2, 0), settings, "to 16 MiB are accepted");
    fixture_fini(&f);
    g_unlink(path);
}

/* A bridge has its ROM register at another offset. rombar=0 and an empty name omit it. */
static void test_rom_places(void)
{
    static const PCIDeviceType bridge = {
        .base = { .name = "bridge", .kind = &pci_device_kind, .size = sizeof(PCIBridge) },
        .role = PLAN_PCI_BRIDGE,
    };
    g_autofree char *path = NULL, *settings = NULL, *hidden = NULL;
    int fd = g_file_open_tmp("rom-XXXXXX", &path, NULL);
    Fixture f;

    close(fd);
    g_assert_true(g_file_set_contents(path, "rom!", 4, NULL));
    settings = g_strdup_printf("romfile=%s", path);
    hidden = g_strdup_printf("romfile=%s,rombar=0", path);
    fixture_init(&f);
    plug_function(&f, &bridge, "pcie.0", "b", DEVFN, settings);
    g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS), ==, 0); /* of a bridge: prefetch limit */
    g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS1), ==, 0xfffff801);
    config_write(&f, DEVFN, PCI_ROM_ADDRESS1, 4, MMIO + 1);
    config_write(&f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    g_assert_cmphex(guest_read(&f, MMIO, 4), ==, 0x216d6f72);
    device_unplug(&pci_bus_find(&f.host.root, DEVFN)->dev);
    plug_function(&f, &type, "pcie.0", "hidden", DEVFN, hidden);
    g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS), ==, 0);
    device_unplug(&pci_bus_find(&f.host.root, DEVFN)->dev);
    plug_function(&f, &type, "pcie.0", "none", DEVFN, "romfile=");
    g_assert_cmphex(size_of(&f, PCI_ROM_ADDRESS), ==, 0);
    fixture_fini(&f);
    g_unlink(path);
}

static void test_refusals(void)
{
    static const PCIBarDesc wrong[] = {
        { .index = 5, .kind = PCI_BAR_MEM64, .size = 0x1000 },
        { .index = 3, .kind = PCI_BAR_MEM32, .size = 0x1000 }, /* upper half of BAR 2 */
        { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000 },
        { .index = 5, .kind = PCI_BAR_IO, .size = 512 },
        { .index = 5, .kind = PCI_BAR_MEM32, .size = 24 },
        { .index = 5, .kind = PCI_BAR_MEM32, .size = 0 },
    };
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    refused(&f, &type, "pcie.0", NULL, DEVFN, "size=0", "as set by size");
    refused(&f, &type, "pcie.0", NULL, DEVFN, "size=9223372036854775808", "as set by size");
    d = plug_function(&f, &type, "pcie.0", NULL, DEVFN, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(pci_add_bar(d, &wrong[i], &err));
        g_assert_nonnull(err);
    }
    g_assert_true(
        pci_add_bar(d, &(PCIBarDesc){ .index = 5, .kind = PCI_BAR_MEM32, .size = 32 }, NULL));
    g_assert_nonnull(pci_bar_region(d, 5));
    g_assert_null(pci_bar_region(d, 3));
    fixture_fini(&f);
}

/* Random writes to the complete header together with all other operations: invariants hold. */
static void test_noise(void)
{
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 4; i++) {
        plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(1 + i, 0), NULL);
    }
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t devfn = PCI_DEVFN(g_test_rand_int_range(1, 5), 0);

        config_write(&f, devfn, g_test_rand_int_range(0, 0x40), 1u << g_test_rand_int_range(0, 3),
                     g_test_rand_bit() ? (uint32_t)g_test_rand_int() : 0x40000000);
        guest_read(&f, MMIO + (uint32_t)g_test_rand_int() % 0x40000000, 4);
    }
    mem_check(&f.m->memory);
    mem_check(&f.host.root.mem);
    fixture_fini(&f);
}

static double toggle_ns(Fixture *f, unsigned rounds)
{
    gint64 start = g_get_monotonic_time();

    for (unsigned i = 0; i < rounds; i++) {
        config_write(f, PCI_DEVFN(0, 1), PCI_COMMAND, 2, i & 1 ? PCI_COMMAND_MEMORY : 0);
    }
    return (g_get_monotonic_time() - start) * 1000.0 / rounds;
}

/* Print the cost of a toggle among many functions. Does not fail. */
static void test_cost(void)
{
    Fixture f;
    double alone = 0;

    fixture_init(&f);
    for (unsigned i = 0; i < 256; i++) {
        plug_function(&f, &type, "pcie.0", NULL, i, "multifunction=on");
        if (i == 1) {
            alone = toggle_ns(&f, 1000);
        } else if (i > 1) {
            config_write(&f, i, BAR0, 4, MMIO + 0x1000 * i);
            config_write(&f, i, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
        }
    }
    g_test_message("decode toggle: %.0f ns alone, %.0f ns among 256", alone, toggle_ns(&f, 1000));
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/bar/sizing", test_sizing);
    g_test_add_func("/pci/bar/decode", test_decode);
    g_test_add_func("/pci/bar/moving", test_moving);
    g_test_add_func("/pci/bar/above-4g", test_above_4g);
    g_test_add_func("/pci/bar/overlap", test_overlap);
    g_test_add_func("/pci/bar/fixed-range", test_fixed_range);
    g_test_add_func("/pci/bar/rom", test_rom);
    g_test_add_func("/pci/bar/rom-places", test_rom_places);
    g_test_add_func("/pci/bar/refusals", test_refusals);
    g_test_add_func("/pci/bar/noise", test_noise);
    g_test_add_func("/pci/bar/cost", test_cost);
    return g_test_run();
}

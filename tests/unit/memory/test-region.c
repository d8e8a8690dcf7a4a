/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating, placing, moving and removing regions; the RAM flags through containers, windows and
 * cycles.
 */
#include "memory/imap_internal.h"

static void test_ram_flags(void)
{
    g_autofree RamBlock *ram = g_new0(RamBlock, 1);
    MemRegion root = { 0 }, bus = { 0 }, window = { 0 }, leaf = { 0 };

    ram->size = 0x1000;
    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    mem_init_container(&bus, "bus", UINT64_MAX, MEM_ONES);
    mem_init_window(&window, "window", &bus, 0, 0x10000);
    mem_init_ram(&leaf, "leaf", ram, 0, 0x1000);
    mem_map(&root, 0x100000, &window, 0, 0);
    g_assert_false(root.has_ram);
    mem_map(&bus, 0, &leaf, 0, 0);
    g_assert_true(bus.has_ram && window.has_ram && root.has_ram);
    mem_check(&root);
    mem_fini(&window); /* the root no longer shows the bus */
    g_assert_true(bus.has_ram && !root.has_ram);
    mem_unmap(&leaf);
    g_assert_false(bus.has_ram);
    mem_fini(&bus);
    mem_fini(&root);
}

static void test_fini_detaches(void)
{
    MemRegion root = { 0 }, bus = { 0 }, window = { 0 }, io = { 0 };

    mem_init_container(&root, "root", 0x1000, MEM_ZEROES);
    mem_init_container(&bus, "bus", 0x1000, MEM_ONES);
    mem_init_mmio(&io, "io", 4, NULL, NULL);
    mem_init_window(&window, "window", &bus, 0, 0x1000);
    mem_map(&root, 0, &window, 0, 0);
    mem_map(&bus, 0x10, &io, 0, 0);
    g_assert_true(mem_lookup(&root, 0x10).leaf == &io);
    mem_fini(&bus); /* children unmapped, windows show nothing */
    g_assert_false(mem_is_mapped(&io));
    g_assert_null(mem_lookup(&root, 0x10).leaf);
    g_assert_cmpint(mem_lookup(&root, 0x10).background, ==, MEM_ZEROES);
    mem_fini(&root);
    g_assert_false(mem_is_mapped(&window));
    mem_fini(&window);
}

static void test_move_and_resize(void)
{
    MemRegion root = { 0 }, bus = { 0 }, window = { 0 }, io = { 0 };

    mem_init_container(&root, "root", 0x10000, MEM_ZEROES);
    mem_init_container(&bus, "bus", 0x10000, MEM_ONES);
    mem_init_mmio(&io, "io", 0x10, NULL, NULL);
    mem_init_window(&window, "window", &bus, 0x4000, 0x1000);
    mem_map(&bus, 0x4800, &io, 0, 0);
    mem_map(&root, 0x1000, &window, 0, 0);
    g_assert_true(mem_lookup(&root, 0x1800).leaf == &io);
    mem_move(&window, 0x2000);
    g_assert_null(mem_lookup(&root, 0x1800).leaf);
    g_assert_true(mem_lookup(&root, 0x2808).leaf == &io);
    g_assert_cmphex(mem_lookup(&root, 0x2808).offset, ==, 8);
    mem_window_set(&window, 0x4800, 0x8);
    g_assert_true(mem_lookup(&root, 0x2000).leaf == &io);
    g_assert_null(mem_lookup(&root, 0x2008).leaf);
    mem_window_set(&window, 0x4800, 0);
    g_assert_null(mem_lookup(&root, 0x2000).leaf);
    mem_move(&io, 0x4900);
    mem_window_set(&window, 0x4900, 1);
    g_assert_true(mem_lookup(&root, 0x2000).leaf == &io);
    mem_unmap(&io);
    mem_unmap(&io); /* a no-op */
    mem_check(&root);
    mem_fini(&bus);
    mem_fini(&window);
    mem_fini(&root);
}

static void test_cycle(void)
{
    g_autofree RamBlock *ram = g_new0(RamBlock, 1);
    MemRegion a = { 0 }, b = { 0 }, wa = { 0 }, wb = { 0 }, wc = { 0 }, leaf = { 0 };

    ram->size = 0x1000;
    mem_init_container(&a, "a", UINT64_MAX, MEM_TRANSPARENT);
    mem_init_container(&b, "b", UINT64_MAX, MEM_TRANSPARENT);
    mem_init_window(&wa, "wa", &a, 0, UINT64_MAX);
    mem_init_window(&wb, "wb", &b, 0, UINT64_MAX);
    mem_init_window(&wc, "wc", &b, 0, UINT64_MAX);
    mem_map(&a, 0, &wb, 0, 0);
    mem_map(&a, 0, &wc, 0, 1); /* two ways on each turn: 2^32 paths without a bound */
    mem_map(&b, 0, &wa, 0, 0);
    g_assert_null(mem_lookup(&a, 0x5000).leaf);
    mem_init_ram(&leaf, "leaf", ram, 0, 0x1000);
    mem_map(&b, 0x5000, &leaf, 1, 0);
    g_assert_true(mem_lookup(&a, 0x5000).leaf == &leaf);
    g_assert_null(mem_lookup(&a, 0x6000).leaf);
    mem_unmap(&leaf);
    mem_fini(&wa);
    mem_fini(&wb);
    mem_fini(&wc);
    mem_fini(&a);
    mem_fini(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/region/ram-flags", test_ram_flags);
    g_test_add_func("/memory/region/fini-detaches", test_fini_detaches);
    g_test_add_func("/memory/region/move-and-resize", test_move_and_resize);
    g_test_add_func("/memory/region/cycle", test_cycle);
    return g_test_run();
}

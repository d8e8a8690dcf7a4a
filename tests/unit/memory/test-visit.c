/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over a map: order, depth, addresses through windows, and termination in cycles.
 */
#include "memory/memory.h"

static void show(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth)
{
    g_string_append_printf(opaque, "%u:%s@%" G_GINT64_MODIFIER "x ", depth, r->name, addr);
}

static void test_walk(void)
{
    MemRegion root = { 0 }, bus = { 0 }, window = { 0 }, a = { 0 }, b = { 0 }, c = { 0 };
    g_autoptr(GString) out = g_string_new("");

    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    mem_init_container(&bus, "bus", UINT64_MAX, MEM_ONES);
    mem_init_window(&window, "window", &bus, 0x1000, 0x1000);
    mem_init_mmio(&a, "a", 0x10, NULL, NULL);
    mem_init_mmio(&b, "b", 0x10, NULL, NULL);
    mem_init_mmio(&c, "c", 0x10, NULL, NULL);
    mem_map(&root, 0x40000, &window, 0, 0);
    mem_map(&root, 0x100, &a, 0, 1);
    mem_map(&bus, 0x1200, &b, 0, 0);
    mem_map(&bus, 0x2000, &c, 0, 0); /* outside the window */
    mem_visit(&root, show, out);
    g_assert_cmpstr(out->str, ==, "0:a@100 0:window@40000 1:b@40200 ");
    mem_fini(&window);
    mem_fini(&bus);
    mem_fini(&root);
}

static void count(void *opaque, const MemRegion *r, uint64_t addr, unsigned depth)
{
    ++*(unsigned *)opaque;
}

static void test_cycle(void)
{
    MemRegion root = { 0 }, w[2] = { 0 };
    unsigned n = 0;

    mem_init_container(&root, "root", UINT64_MAX, MEM_ZEROES);
    for (int i = 0; i < 2; i++) {
        mem_init_window(&w[i], "self", &root, 0, UINT64_MAX);
        mem_map(&root, 0, &w[i], 0, i);
    }
    mem_visit(&root, count, &n);
    g_assert_cmpuint(n, <=, 1000000);
    mem_fini(&root);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/visit/walk", test_walk);
    g_test_add_func("/memory/visit/cycle", test_cycle);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listeners: every change of a root's view of RAM is reported; other changes are not.
 */
#include "model.h"

typedef struct Watch {
    bool removed[MODEL_SPACE], added[MODEL_SPACE];
    unsigned calls;
} Watch;

static void changed(void *opaque, uint64_t addr, uint64_t len, bool added)
{
    Watch *w = opaque;

    w->calls++;
    g_assert_cmpuint(addr, <, MODEL_SPACE);
    g_assert_cmpuint(len, <=, MODEL_SPACE - addr);
    for (uint64_t x = addr; x < addr + len; x++) {
        (added ? w->added : w->removed)[x] = true;
    }
}

static bool ram_at(const Cell *c)
{
    return c->leaf && c->leaf->kind == MEM_RAM;
}

static void compare(const Watch *w, const Cell *before, const Cell *after)
{
    for (int x = 0; x < MODEL_SPACE; x++) {
        bool moved = before[x].leaf != after[x].leaf || before[x].offset != after[x].offset;

        if (!moved) {
            continue;
        }
        g_assert_true(!ram_at(&before[x]) || w->removed[x]);
        g_assert_true(!ram_at(&after[x]) || w->added[x]);
    }
}

static void test_model(void)
{
    Model m;
    Watch w;
    Cell now[MODEL_SPACE] = { 0 }, before[MODEL_SPACE];
    MemListener l = { changed, &w };

    model_init(&m, 11);
    mem_listen(&m.box[0], &l);
    model_paint(&m.box[0], 0, now, MODEL_SPACE);
    for (int step = 0; step < 100000; step += 10) {
        memset(&w, 0, sizeof(w));
        memcpy(before, now, sizeof(now));
        memset(now, 0, sizeof(now));
        for (int i = 0; i < 10 - 9 * (step < 50000); i++) {
            model_step(&m);
        }
        model_paint(&m.box[0], 0, now, MODEL_SPACE);
        compare(&w, before, now);
    }
    mem_unlisten(&m.box[0], &l);
    model_fini(&m);
}

static void test_silence(void)
{
    MemRegion root = { 0 }, bus = { 0 }, window = { 0 }, ram = { 0 }, bar = { 0 };
    RamBlock block = { .size = 64 };
    Watch w = { 0 };
    MemListener l = { changed, &w };

    mem_init_container(&root, "root", MODEL_SPACE, MEM_ZEROES);
    mem_init_container(&bus, "bus", UINT64_MAX, MEM_ONES);
    mem_init_window(&window, "window", &bus, 0x1000, 64);
    mem_init_ram(&ram, "ram", &block, 0, 64);
    mem_init_mmio(&bar, "bar", 16, NULL, NULL);
    mem_listen(&root, &l);
    mem_map(&root, 0, &window, 0, 0);
    mem_map(&bus, 0x1000, &bar, 0, 0);
    g_assert_cmpuint(w.calls, ==, 0); /* registers only */
    mem_map(&root, 128, &ram, 0, 0);
    g_assert_cmpuint(w.calls, ==, 1);
    g_assert_true(w.added[128] && w.added[191] && !w.added[192] && !w.removed[128]);
    mem_move(&bar, 0x1010);
    mem_window_set(&window, 0x1010, 64);
    g_assert_cmpuint(w.calls, ==, 1);
    mem_move(&window, 100); /* over a part of the RAM, which it may hide */
    g_assert_true(w.removed[128] && w.removed[163] && !w.removed[164]);
    mem_unmap(&window);
    mem_unmap(&ram);
    mem_fini(&bus);
    mem_fini(&window);
    mem_fini(&root);
}

static void count(void *opaque, uint64_t addr, uint64_t len, bool added)
{
    unsigned *calls = opaque;

    g_assert_true(addr == 0 || len > 0);
    ++*calls;
}

static void test_tangle(void)
{
    MemRegion a = { 0 }, b = { 0 }, w[4] = { 0 }, leaf = { 0 };
    RamBlock block = { .size = 64 };
    unsigned calls = 0;
    MemListener l = { count, &calls };

    mem_init_container(&a, "a", UINT64_MAX, MEM_TRANSPARENT);
    mem_init_container(&b, "b", UINT64_MAX, MEM_TRANSPARENT);
    for (int i = 0; i < 4; i++) {
        mem_init_window(&w[i], "w", i < 2 ? &a : &b, 0, UINT64_MAX);
        mem_map(i < 2 ? &b : &a, 0, &w[i], 0, i);
    }
    mem_listen(&a, &l);
    mem_init_ram(&leaf, "leaf", &block, 0, 64);
    mem_map(&b, 0, &leaf, 0, 9);
    g_assert_cmpuint(calls, >, 0);
    mem_fini(&leaf);
    for (int i = 0; i < 4; i++) {
        mem_fini(&w[i]);
    }
    mem_fini(&a);
    mem_fini(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/listen/model", test_model);
    g_test_add_func("/memory/listen/silence", test_silence);
    g_test_add_func("/memory/listen/tangle", test_tangle);
    return g_test_run();
}

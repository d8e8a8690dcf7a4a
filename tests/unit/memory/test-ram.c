/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM blocks: rounding, rejected sizes, dirty and code page states.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/discard.h"
#include "memory/ram.h"

enum { PAGES = 100 };

static void test_make(void)
{
    g_autoptr(GError) err = NULL;
    RamBlock *b = ram_block_new("a.ram", 5000, &(RamSource){ 0 }, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(b->size, ==, 8192);
    g_assert_cmpuint(b->host[8191], ==, 0);
    ram_block_free(b);
    ram_block_free(NULL);
}

static void test_too_much(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(ram_block_new("big.ram", UINT64_MAX, &(RamSource){ 0 }, &err));
    g_assert_nonnull(strstr(err->message, "big.ram"));
    g_assert_nonnull(strstr(err->message, "18446744073709551615"));
}

static void test_dirty(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, &(RamSource){ 0 }, NULL);
    unsigned long map[4];

    ram_written_any(b, 0, 1); /* not tracked: nothing is recorded */
    ram_dirty_track(b, true);
    g_assert_cmpuint(ram_dirty_fetch(b, 0, PAGES, map), ==, PAGES);
    g_assert_cmpuint(ram_dirty_fetch(b, 0, PAGES, map), ==, 0);
    ram_written_any(b, 0x3fff, 2);
    ram_written_any(b, 99 << RAM_PAGE_BITS, 1);
    ram_written_any(b, 5, 0);
    g_assert_cmpuint(ram_dirty_fetch(b, 3, 1, map), ==, 1);
    g_assert_cmpuint(map[0], ==, 1);
    g_assert_cmpuint(ram_dirty_fetch(b, 0, PAGES, map), ==, 2);
    g_assert_true(map[0] == 1ul << 4 && map[1] == 1ul << 35);
    ram_dirty_track(b, false);
    ram_block_free(b);
}

static void ram_count_written(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    g_assert_cmpuint(len, ==, 2);
    *(uint64_t *)opaque += offset;
}

static void test_device_written(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, &(RamSource){ 0 }, NULL);
    unsigned long map[4];
    uint64_t sum = 0;

    ram_dirty_track(b, true);
    ram_dirty_fetch(b, 0, PAGES, map);
    ram_device_written(b, 0x3000, 2); /* not watched */
    b->device_written = ram_count_written;
    b->device_opaque = &sum;
    ram_written_any(b, 0x5000, 2); /* not a device */
    ram_device_written(b, 0x7000, 0);
    ram_device_written(b, 0x4fff, 2);
    g_assert_cmpuint(sum, ==, 0x4fff);
    g_assert_cmpuint(ram_dirty_fetch(b, 0, PAGES, map), ==, 3);
    g_assert_cmpuint(map[0], ==, 1ul << 3 | 1ul << 4 | 1ul << 5);
    ram_block_free(b);
}

/* Any range of any pattern, compared with a plain list. Other bits of the states do not change. */
static void test_dirty_ranges(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, &(RamSource){ 0 }, NULL);
    bool dirty[PAGES] = { false };
    unsigned long map[4];

    for (unsigned i = 0; i < PAGES; i += 3) {
        b->pages[i] |= RAM_PAGE_CODE;
    }
    ram_dirty_track(b, true);
    ram_dirty_fetch(b, 0, PAGES, map);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned first = g_test_rand_int_range(0, PAGES);
        unsigned n = g_test_rand_int_range(1, PAGES - first + 1), count = 0;

        for (unsigned i = 0; i < 10; i++) {
            unsigned page = g_test_rand_int_range(0, PAGES);

            ram_written_any(b, (uint64_t)page << RAM_PAGE_BITS, 1);
            dirty[page] = true;
        }
        if (round % 3 == 0) {
            first = first / 8 * 8;
        }
        for (unsigned i = first; i < first + n; i++) {
            count += dirty[i];
        }
        g_assert_cmpuint(ram_dirty_fetch(b, first, n, map), ==, count);
        for (unsigned i = 0; i < n; i++) {
            g_assert_cmpint(map[i / 64] >> i % 64 & 1, ==, dirty[first + i]);
            dirty[first + i] = false;
        }
    }
    for (unsigned i = 0; i < PAGES; i++) {
        g_assert_cmpint(b->pages[i] & RAM_PAGE_CODE, ==, i % 3 ? 0 : RAM_PAGE_CODE);
    }
    ram_block_free(b);
}

static void test_direct_write(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, &(RamSource){ 0 }, NULL);
    unsigned long map[4];

    g_assert_true(ram_page_direct_write_any(b, 1));
    ram_dirty_track(b, true);
    g_assert_true(ram_page_direct_write_any(b, 1)); /* dirty already */
    ram_dirty_fetch(b, 0, PAGES, map);
    g_assert_false(ram_page_direct_write_any(b, 1));
    ram_written_any(b, 0x1000, 8);
    g_assert_true(ram_page_direct_write_any(b, 1));
    b->pages[1] |= RAM_PAGE_CODE;
    g_assert_false(ram_page_direct_write_any(b, 1));
    ram_dirty_track(b, false);
    g_assert_true(ram_page_direct_write_any(b, 2));
    b->read_only = true;
    g_assert_false(ram_page_direct_write_any(b, 2));
    ram_block_free(b);
}

static uint64_t code_offset, code_len;

static void code_written(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    code_offset = offset;
    code_len = len;
}

static void test_code(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, &(RamSource){ 0 }, NULL);

    b->code_written = code_written;
    b->pages[7] |= RAM_PAGE_CODE;
    ram_written_any(b, 0x6000, 0x1000);
    g_assert_cmpuint(code_len, ==, 0);
    ram_written_any(b, 0x6fff, 2);
    g_assert_cmphex(code_offset, ==, 0x6fff);
    g_assert_cmphex(code_len, ==, 2);
    ram_block_free(b);
}

/* The memory exists until its last user releases it. */
static void test_refs(void)
{
    RamBlock *b = ram_block_new("a", 4096, &(RamSource){ 0 }, NULL);

    ram_block_ref_any(b);
    ram_block_ref_any(b);
    ram_block_free(b);
    b->host[0] = 1;
    ram_block_unref_any(b);
    b->host[4095] = 1;
    ram_block_unref_any(b);
}

/* Sealed, preallocated, or from an invalid NUMA node. */
static void test_source(void)
{
    g_autoptr(GError) err = NULL;
    RamBlock *b = ram_block_new("s", 1 << 20, &(RamSource){ .seal = true }, &err);

    g_assert_no_error(err);
    g_assert_cmpint(ftruncate(b->fd, 4096), <, 0);
    g_assert_true(b->holes);
    ram_block_free(b);
    b = ram_block_new("s", 1 << 20,
                      &(RamSource){ .memfd = true, .prealloc = true, .no_dump = true }, &err);
    g_assert_no_error(err);
    g_assert_cmpint(lseek(b->fd, 0, SEEK_HOLE), ==, 1 << 20); /* none inside */
    ram_block_free(b);
    g_assert_null(ram_block_new("s", 4096, &(RamSource){ .path = "/nowhere/x" }, &err));
    g_assert_nonnull(strstr(err->message, "RAM block s of 4096 bytes: /nowhere/x: No such file"));
}

/* Memory without a file is private, aligned for huge pages, and zero again when it was discarded.
 */
static void test_anonymous(void)
{
    g_autoptr(GError) err = NULL;
    RamBlock *b = ram_block_new("s", 5 << 20, &(RamSource){ .prealloc = true }, &err);
    unsigned char in_core[(5 << 20) / RAM_PAGE_SIZE];

    g_assert_no_error(err);
    g_assert_true(b->anonymous);
    g_assert_cmpint(b->fd, ==, -1);
    g_assert_cmpuint((uintptr_t)b->host % (2 << 20), ==, 0);
    g_assert_cmpint(mincore(b->host, b->size, in_core), ==, 0);
    g_assert_null(memchr(in_core, 0, sizeof(in_core)));
    b->host[0x123456] = 1;
    g_assert_true(ram_discard(b, 0x123000, RAM_PAGE_SIZE));
    g_assert_cmpint(mincore(b->host + 0x123000, RAM_PAGE_SIZE, in_core), ==, 0);
    g_assert_cmpuint(in_core[0] & 1, ==, 0);
    g_assert_cmpuint(b->host[0x123456], ==, 0);
    ram_block_free(b);
}

/* Parts without files share a memfd; other parts have their own. */
static void test_parts(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "test-ram-parts", NULL);
    const RamSource plain = { .prealloc = true }, sealed = { .seal = true },
                    file = { .path = path }, nowhere = { .path = "/nowhere/x" };
    const RamPart same[] = { { 1 << 20, &sealed }, { 2 << 20, &plain } };
    const RamPart different[] = { { 1 << 20, &plain }, { 8192, &file }, { 1 << 20, &sealed } };
    const RamPart bad[] = { { 1 << 20, &plain }, { 4096, &nowhere } };
    RamBlock *b = ram_block_new_parts("p", same, 2, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(b->size, ==, 3 << 20);
    g_assert_cmpint(ftruncate(b->fd, 4096), <, 0);
    g_assert_cmpint(lseek(b->fd, 0, SEEK_DATA), ==, 1 << 20); /* the first part is a hole */
    ram_block_free(b);
    g_unlink(path);
    b = ram_block_new_parts("p", different, 3, &err);
    g_assert_no_error(err);
    g_assert_cmpint(b->fd, ==, -1);
    g_assert_cmpuint(b->size, ==, (2 << 20) + 8192);
    memset(b->host, 0x5a, b->size);
    g_assert_true(ram_discard(b, (1 << 20) - 4096, 8192)); /* across the boundary */
    g_assert_cmphex(b->host[(1 << 20) - 4097], ==, 0x5a);
    g_assert_cmphex(b->host[1 << 20], ==, 0);
    g_assert_cmphex(b->host[(1 << 20) + 4096], ==, 0x5a);
    ram_block_free(b);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_null(ram_block_new_parts("p", bad, 2, &err));
    g_assert_nonnull(strstr(err->message, "RAM block p of 4096 bytes: /nowhere/x: No such file"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/ram/make", test_make);
    g_test_add_func("/memory/ram/too-much", test_too_much);
    g_test_add_func("/memory/ram/dirty", test_dirty);
    g_test_add_func("/memory/ram/device-written", test_device_written);
    g_test_add_func("/memory/ram/dirty-ranges", test_dirty_ranges);
    g_test_add_func("/memory/ram/direct-write", test_direct_write);
    g_test_add_func("/memory/ram/code", test_code);
    g_test_add_func("/memory/ram/refs", test_refs);
    g_test_add_func("/memory/ram/source", test_source);
    g_test_add_func("/memory/ram/anonymous", test_anonymous);
    g_test_add_func("/memory/ram/parts", test_parts);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM blocks: rounding, refusals, dirty and code page states.
 */
#include <string.h>

#include "memory/ram.h"

enum { PAGES = 100 };

static void test_make(void)
{
    g_autoptr(GError) err = NULL;
    RamBlock *b = ram_block_new("a.ram", 5000, &err);

    g_assert_no_error(err);
    g_assert_cmpuint(b->size, ==, 8192);
    g_assert_cmpuint(b->host[8191], ==, 0);
    g_assert_cmpint(b->fd, >=, 0);
    ram_block_free(b);
    ram_block_free(NULL);
}

static void test_too_much(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(ram_block_new("big.ram", UINT64_MAX, &err));
    g_assert_nonnull(strstr(err->message, "big.ram"));
    g_assert_nonnull(strstr(err->message, "18446744073709551615"));
}

static void test_dirty(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, NULL);
    unsigned long map[4];

    ram_written_any(b, 0, 1); /* not tracked: nothing remembered */
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

static void test_direct_write(void)
{
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, NULL);
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
    RamBlock *b = ram_block_new("a", PAGES << RAM_PAGE_BITS, NULL);

    b->code_written = code_written;
    b->pages[7] |= RAM_PAGE_CODE;
    ram_written_any(b, 0x6000, 0x1000);
    g_assert_cmpuint(code_len, ==, 0);
    ram_written_any(b, 0x6fff, 2);
    g_assert_cmphex(code_offset, ==, 0x6fff);
    g_assert_cmphex(code_len, ==, 2);
    ram_block_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/ram/make", test_make);
    g_test_add_func("/memory/ram/too-much", test_too_much);
    g_test_add_func("/memory/ram/dirty", test_dirty);
    g_test_add_func("/memory/ram/direct-write", test_direct_write);
    g_test_add_func("/memory/ram/code", test_code);
    return g_test_run();
}

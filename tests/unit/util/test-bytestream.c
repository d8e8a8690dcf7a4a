/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte streams: written data reads back. A reader past the end stays failed and returns zero.
 */
#include "util/bytestream.h"

static void test_round_trip(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    ByteReader r;

    put_u8(&w, 0x12);
    put_be16(&w, 0x3456);
    put_be32(&w, 0x789abcde);
    put_be64(&w, 0xf0e1d2c3b4a59687);
    put_bytes(&w, "xyz", 3);
    patch_be32(&w, 3, 0x11223344);
    g_assert_cmpuint(out->len, ==, 18);
    g_assert_cmphex(out->data[1], ==, 0x34);
    reader_init(&r, out->data, out->len);
    g_assert_cmphex(get_u8(&r), ==, 0x12);
    g_assert_cmphex(get_be16(&r), ==, 0x3456);
    g_assert_cmphex(get_be32(&r), ==, 0x11223344);
    g_assert_cmphex(get_be64(&r), ==, 0xf0e1d2c3b4a59687);
    g_assert_cmpmem(get_view(&r, 3), 3, "xyz", 3);
    g_assert_true(reader_ok(&r));
    g_assert_cmpuint(reader_left(&r), ==, 0);
}

static void test_short(void)
{
    uint8_t four[4] = { 1, 2, 3, 4 }, dst[3] = { 9, 9, 9 };
    ByteReader r;

    reader_init(&r, four, sizeof(four));
    g_assert_cmphex(get_be64(&r), ==, 0);
    g_assert_false(reader_ok(&r));
    g_assert_cmphex(get_u8(&r), ==, 0);
    g_assert_false(get_bytes(&r, dst, 3));
    g_assert_cmpmem(dst, 3, "\0\0\0", 3);
    g_assert_null(get_view(&r, 0));
    g_assert_cmpuint(reader_left(&r), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bytestream/round-trip", test_round_trip);
    g_test_add_func("/bytestream/short", test_short);
    return g_test_run();
}

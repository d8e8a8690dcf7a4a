/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container as it is written: exact bytes, and the text that scripts search for at the end.
 */
#include <string.h>

#include "migration/stream.h"

static void test_bytes(void)
{
    static const uint8_t want[] = "QEVM\0\0\0\3\7\0\0\0\4virt"
                                  "\4\0\0\0\1\2ab\0\0\0\2\0\0\0\3"
                                  "\0\0\0\2xy\x7e\0\0\0\1"
                                  "\10\0\1\0\0";
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    StreamSection s = { STREAM_FULL, 1, 2, 3, "ab" };
    size_t at;

    stream_put_header(&w, "virt");
    at = stream_begin_full(&w, &s);
    put_bytes(&w, "xy", 2);
    stream_end_full(&w, &s, at);
    stream_put_command(&w, STREAM_CMD_OPEN_RETURN_PATH, NULL, 0);
    g_assert_cmpmem(out->data, out->len, want, sizeof(want) - 1);
}

static void test_iterative(void)
{
    static const uint8_t want[] = "\1\0\0\0\5\3ram\0\0\0\0\0\0\0\4\2\0\0\0\5\x7e\0\0\0\5";
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    StreamSection s = { STREAM_START, 5, 0, 4, "ram" };

    stream_begin(&w, &s);
    s.kind = STREAM_PART;
    stream_begin(&w, &s);
    stream_put_footer(&w, 5);
    g_assert_cmpmem(out->data, out->len, want, sizeof(want) - 1);
}

/* No byte of the length may be a brace: readers search for the first one. */
static void test_description(void)
{
    for (unsigned n = 0; n < 300; n++) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        g_autofree char *fill = g_strnfill(n, 'x');
        struct json_object *o = json_object_new_object();
        ByteWriter w = { out };

        json_object_object_add(o, "a", json_object_new_string(fill));
        stream_put_end(&w, o);
        json_object_put(o);
        g_assert_cmpuint(out->data[0], ==, STREAM_EOF);
        g_assert_cmpuint(out->data[1], ==, STREAM_VMDESC);
        g_assert_null(memchr(out->data + 2, '{', 4));
        g_assert_cmpuint(out->data[6], ==, '{');
        g_assert_null(memchr(out->data + 6, 0, out->len - 6));
        g_assert_cmpuint(out->len - 6, ==, (unsigned)out->data[4] << 8 | out->data[5]);
    }
}

static void test_names(void)
{
    g_assert_true(stream_name_ok("0000:00:01.0/edu"));
    g_assert_false(stream_name_ok(""));
    g_assert_false(stream_name_ok("a b"));
    g_assert_false(stream_name_ok("\xc3\xa4"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/stream/bytes", test_bytes);
    g_test_add_func("/migration/stream/iterative", test_iterative);
    g_test_add_func("/migration/stream/description", test_description);
    g_test_add_func("/migration/stream/names", test_names);
    return g_test_run();
}

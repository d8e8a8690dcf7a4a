/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the container: in pieces of every size, cut anywhere, with every bit wrong.
 */
#include <string.h>

#include "migration/stream.h"

static GString *log_text;

static bool on_configuration(void *opaque, const char *machine, GError **err)
{
    g_string_append_printf(log_text, "config %s;", machine);
    return true;
}

static bool on_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err)
{
    g_string_append_printf(log_text, "full %s %u %u %zu;", s->name, s->instance, s->version, len);
    return true;
}

/* Items of one byte, 0xff ends. */
static bool on_items(void *opaque, const StreamSection *s, ByteReader *r, bool *done, GError **err)
{
    while (!*done && reader_left(r)) {
        uint8_t v = get_u8(r);

        *done = v == 0xff;
        if (!*done) {
            g_string_append_printf(log_text, "item%u %u;", s->kind, v);
        }
    }
    return true;
}

static bool on_command(void *opaque, uint16_t command, const uint8_t *data, size_t len,
                       GError **err)
{
    g_string_append_printf(log_text, "command %u %zu;", command, len);
    return true;
}

static bool on_end(void *opaque, GError **err)
{
    g_string_append(log_text, "end;");
    return true;
}

static const StreamHandler handler = { on_configuration, on_full, on_items, on_command, on_end };

static GByteArray *example(void)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };
    StreamSection full = { STREAM_FULL, 1, 0, 1, "dev" }, ram = { STREAM_START, 2, 0, 4, "ram" };
    struct json_object *o = json_object_new_object();
    size_t at;

    stream_put_header(&w, "box-1");
    stream_begin(&w, &ram);
    put_bytes(&w, "\1\2\xff", 3);
    stream_put_footer(&w, 2);
    ram.kind = STREAM_PART;
    stream_begin(&w, &ram);
    put_bytes(&w, "\3\xff", 2);
    stream_put_footer(&w, 2);
    at = stream_begin_full(&w, &full);
    put_bytes(&w, "hello", 5);
    stream_end_full(&w, &full, at);
    ram.kind = STREAM_END;
    stream_begin(&w, &ram);
    put_u8(&w, 0xff);
    stream_put_footer(&w, 2);
    stream_put_command(&w, 9, "abc", 3);
    stream_put_end(&w, o);
    json_object_put(o);
    return out;
}

static const char *const expected = "config box-1;item1 1;item1 2;item2 3;full dev 0 1 5;"
                                    "command 9 3;end;";

static bool load(const uint8_t *p, size_t len, size_t piece, GError **err)
{
    StreamReader *r = stream_reader_new(&handler, NULL);
    bool ok = true;

    g_string_truncate(log_text, 0);
    for (size_t at = 0; ok && at < len; at += piece) {
        ok = stream_reader_feed(r, p + at, MIN(piece, len - at), err);
    }
    ok = ok && stream_reader_finish(r, err);
    stream_reader_free(r);
    return ok;
}

static void test_pieces(void)
{
    g_autoptr(GByteArray) s = example();

    for (size_t piece = 1; piece <= s->len; piece++) {
        g_autoptr(GError) err = NULL;

        load(s->data, s->len, piece, &err);
        g_assert_no_error(err);
        g_assert_cmpstr(log_text->str, ==, expected);
    }
}

static void test_truncation(void)
{
    g_autoptr(GByteArray) s = example();

    for (size_t len = 0; len < s->len; len++) {
        g_autoptr(GError) err = NULL;
        bool ok = load(s->data, len, 7, &err);

        /* the description may be missing as a whole: it says nothing needed */
        g_assert_true(ok == (len == s->len - 7));
        g_assert_true(ok || strstr(err->message, "byte"));
    }
}

static void test_bit_flips(void)
{
    g_autoptr(GByteArray) s = example();

    for (size_t bit = 0; bit < s->len * 8; bit++) {
        g_autoptr(GError) err = NULL;

        s->data[bit / 8] ^= 1 << bit % 8;
        if (!load(s->data, s->len, 64, &err)) {
            g_assert_nonnull(err);
        }
        s->data[bit / 8] ^= 1 << bit % 8;
    }
}

static void refused(const char *bytes, size_t len, const char *why)
{
    g_autoptr(GByteArray) s = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    ByteWriter w = { s };

    stream_put_header(&w, "box-1");
    put_bytes(&w, bytes, len);
    g_assert_false(load(s->data, s->len, s->len, &err));
    g_assert_nonnull(strstr(err->message, why));
}

#define REFUSED(bytes, why) refused(bytes, sizeof(bytes) - 1, why)

static void test_refusals(void)
{
    static const char huge[] = "QEVM\0\0\0\3\7\xff\xff\xff\xff";
    g_autoptr(GError) err = NULL;

    REFUSED("\x2a", "no element of type 0x2a");
    REFUSED("\4\0\0\0\1\0", "0 bytes");
    REFUSED("\4\0\0\0\1\x80", "128 bytes");
    REFUSED("\4\0\0\0\1\2a\n\0\0\0\0\0\0\0\1", "not printable");
    REFUSED("\4\0\0\0\1\2a\0\0\0\0\0\0\0\0\1", "not printable");
    REFUSED("\4\0\0\0\1\1a\0\0\0\0\0\0\0\1\xff\0\0\0", "at most");
    REFUSED("\4\0\0\0\1\1a\0\0\0\0\0\0\0\1\0\0\0\0\x7e\0\0\0\2", "footer");
    REFUSED("\2\0\0\0\1", "never started");
    REFUSED("\1\0\0\0\1\1a\0\0\0\0\0\0\0\1\xff\x7e\0\0\0\1\1\0\0\0\1\1a\0\0\0\0\0\0\0\1",
            "is open");
    REFUSED("\1\0\0\0\1\1a\0\0\0\0\0\0\0\1\xff\x7e\0\0\0\1\0", "inside section a");
    REFUSED("\0\7", "cut off");
    REFUSED("\0\7\0\0\0\1", "no description");
    REFUSED("\0\6\0\0\0\1{!", "bytes follow");
    g_assert_false(load((const uint8_t *)huge, sizeof(huge) - 1, 99, &err));
    g_assert_nonnull(strstr(err->message, "4294967295 bytes"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    log_text = g_string_new("");
    g_test_add_func("/migration/stream-read/pieces", test_pieces);
    g_test_add_func("/migration/stream-read/truncation", test_truncation);
    g_test_add_func("/migration/stream-read/bit-flips", test_bit_flips);
    g_test_add_func("/migration/stream-read/refusals", test_refusals);
    return g_test_run();
}

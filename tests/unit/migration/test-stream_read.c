/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the container: in parts of every size, truncated anywhere, with every bit inverted.
 */
#include <string.h>

#include "migration/stream.h"
#include "util/error.h"
#include "tests/lib/ok.h"

static GString *log_text;
static const char *refuse; /* the callback that rejects its data; NULL: none */

static bool takes(const char *callback, GError **err)
{
    if (g_strcmp0(refuse, callback) == 0) {
        g_set_error(err, BACKPLANE_ERROR, ERROR_HOST, "%s refuses", callback);
        return false;
    }
    return true;
}

static bool on_configuration(void *opaque, const char *machine, GError **err)
{
    g_string_append_printf(log_text, "config %s;", machine);
    return takes("configuration", err);
}

static bool on_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err)
{
    g_string_append_printf(log_text, "full %s %u %u %zu;", s->name, s->instance, s->version, len);
    return takes("full", err);
}

/* Items of one byte; 0xff is the end. */
static bool on_items(void *opaque, const StreamSection *s, ByteReader *r, bool *done, GError **err)
{
    while (!*done && reader_left(r)) {
        uint8_t v = get_u8(r);

        *done = v == 0xff;
        if (!*done) {
            g_string_append_printf(log_text, "item%u %u;", s->kind, v);
        }
    }
    return takes("items", err);
}

static bool on_command(void *opaque, uint16_t command, const uint8_t *data, size_t len,
                       GError **err)
{
    g_string_append_printf(log_text, "command %u %zu;", command, len);
    return takes("command", err);
}

static bool on_end(void *opaque, GError **err)
{
    g_string_append(log_text, "end;");
    return takes("end", err);
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

        /* the description may be absent altogether, since it contains nothing that is required */
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
    StreamReader *nothing = stream_reader_new(&handler, NULL);
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
    REFUSED("\4\0\0\0\1\1a\0\0\0\0\0\0\0\1\0\0\0\0\x7d\0\0\0\1", "footer");
    REFUSED("\0\7", "cut off");
    REFUSED("\0\6\4\0\0\1", "not a description");
    REFUSED("\0\7\0\0\0\1", "not a description");
    REFUSED("\0\6\0\0\0\1{!", "bytes follow");
    g_assert_true(stream_reader_feed(nothing, NULL, 0, &err)); /* an iteration without a byte */
    g_assert_false(stream_reader_finish(nothing, NULL));
    stream_reader_free(nothing);
    g_assert_false(load((const uint8_t *)huge, sizeof(huge) - 1, 99, &err));
    g_assert_nonnull(strstr(err->message, "4294967295 bytes"));
}

/* A callback that rejects its data ends the stream with its message, and no callback is called
 * again. */
static void test_callbacks(void)
{
    static const struct {
        const char *name, *last;
    } callbacks[] = { { "configuration", "config box-1;" },
                      { "items", "config box-1;item1 1;item1 2;" },
                      { "full", "full dev 0 1 5;" },
                      { "command", "command 9 3;" },
                      { "end", "end;" } };
    g_autoptr(GByteArray) s = example();

    for (unsigned i = 0; i < G_N_ELEMENTS(callbacks); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *says = g_strdup_printf("%s refuses", callbacks[i].name);

        refuse = callbacks[i].name;
        g_assert_false(load(s->data, s->len, s->len, &err));
        g_assert_cmpstr(err->message, ==, says);
        g_assert_true(g_str_has_suffix(log_text->str, callbacks[i].last));
        refuse = NULL;
    }
    ASSERT_OK(load(s->data, s->len, s->len, &failure));
}

/* Before the first element. */
static void test_beginnings(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } rows[] = {
        { "QEVN\0\0\0\3", 8, "byte 0: the stream does not begin with QEVM" },
        { "QEVM\0\0\0\4", 8, "byte 0: file version 4 is not 3" },
        { "QEVM\0\0\0\3\4\0\0\0\1", 13, "byte 8: element 0x04 is not the configuration" },
        { "QEVM\0\0\0\3\7\0\0\0\0", 13, "the machine name has 0 bytes" },
        { "QEVM\0\0\0\3\7\0\0\0\x80", 13, "the machine name has 128 bytes" },
        { "QEVM\0\0\0\3\7\0\0\0\3a b", 16, "the machine name is not printable" },
        { "QEVM\0\0\0\3\7\0\0\0\3a\0b", 16, "the machine name is not printable" },
        { "QEVM\0\0\0\3\7\0\0\0\3ab", 15, "byte 8: the stream is cut off" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(load((const uint8_t *)rows[i].bytes, rows[i].len, 5, &err));
        g_assert_nonnull(strstr(err->message, rows[i].why));
    }
}

/* As many sections of RAM's type as are accepted, and one more. */
static void test_open_sections(void)
{
    for (unsigned n = 8; n <= 9; n++) {
        g_autoptr(GByteArray) s = g_byte_array_new();
        g_autoptr(GError) err = NULL;
        ByteWriter w = { s };
        StreamSection ram = { STREAM_START, 0, 0, 4, "ram" };

        stream_put_header(&w, "box-1");
        for (unsigned kind = STREAM_START; kind <= STREAM_END; kind += 2) {
            for (ram.kind = kind, ram.id = 1; ram.id <= n; ram.id++) {
                stream_begin(&w, &ram);
                put_u8(&w, 0xff);
                stream_put_footer(&w, ram.id);
            }
        }
        stream_put_end(&w, NULL);
        g_assert_true(load(s->data, s->len, s->len, &err) == (n == 8));
        g_assert_true(n == 8 || strstr(err->message, "the 9th that starts, 8 are accepted"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    log_text = g_string_new("");
    g_test_add_func("/migration/stream-read/pieces", test_pieces);
    g_test_add_func("/migration/stream-read/truncation", test_truncation);
    g_test_add_func("/migration/stream-read/bit-flips", test_bit_flips);
    g_test_add_func("/migration/stream-read/refusals", test_refusals);
    g_test_add_func("/migration/stream-read/callbacks", test_callbacks);
    g_test_add_func("/migration/stream-read/beginnings", test_beginnings);
    g_test_add_func("/migration/stream-read/open-sections", test_open_sections);
    return g_test_run();
}

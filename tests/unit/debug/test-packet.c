/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the gdb remote protocol: framing, escapes, checksums, hexadecimal digits and bounds.
 */
#include <string.h>

#include "debug/packet.h"

/* Feed text and return the result of its last byte. All earlier bytes must be part of a packet. */
static GdbInput feed(GdbParser *p, const char *text)
{
    GdbInput r = GDB_INPUT_MORE;

    for (; *text; text++) {
        g_assert_cmpint(r, ==, GDB_INPUT_MORE);
        r = gdb_parser_feed(p, (uint8_t)*text);
    }
    return r;
}

static void check_packet(GdbParser *p, const char *text, const char *data, size_t len)
{
    g_assert_cmpint(feed(p, text), ==, GDB_INPUT_PACKET);
    g_assert_cmpmem(p->data, p->len, data, len);
    g_assert_true(p->data[p->len] == '\0');
}

static void test_packets(void)
{
    g_autofree GdbParser *p = g_new0(GdbParser, 1);

    check_packet(p, "$#00", "", 0);
    check_packet(p, "$g#67", "g", 1);
    check_packet(p, "$m80000000,4#55", "m80000000,4", 11);
    check_packet(p, "$OK#9A", "OK", 2);
    check_packet(p, "$half$g#67", "g", 1); /* "$" starts again */
    check_packet(p, "$X}\x03}\x04}]#33", "X#$}", 4);
}

static void test_outside(void)
{
    g_autofree GdbParser *p = g_new0(GdbParser, 1);

    g_assert_cmpint(feed(p, "+"), ==, GDB_INPUT_ACK);
    g_assert_cmpint(feed(p, "-"), ==, GDB_INPUT_NACK);
    g_assert_cmpint(feed(p, "\x03"), ==, GDB_INPUT_BREAK);
    g_assert_cmpint(feed(p, "P"), ==, GDB_INPUT_INVALID);
    g_assert_cmpint(gdb_parser_feed(p, 0), ==, GDB_INPUT_INVALID);
    check_packet(p, "$\x03#03", "\x03", 1); /* data inside a packet */
}

static void test_bad_sum(void)
{
    g_autofree GdbParser *p = g_new0(GdbParser, 1);

    g_assert_cmpint(feed(p, "$g#68"), ==, GDB_INPUT_BAD_SUM);
    g_assert_cmpint(feed(p, "$g#x"), ==, GDB_INPUT_BAD_SUM);
    g_assert_cmpint(feed(p, "$g#6-"), ==, GDB_INPUT_BAD_SUM);
    check_packet(p, "$g#67", "g", 1);
}

static void test_limit(void)
{
    g_autofree GdbParser *p = g_new0(GdbParser, 1);

    for (int round = 0; round < 2; round++) {
        g_assert_cmpint(gdb_parser_feed(p, '$'), ==, GDB_INPUT_MORE);
        for (int i = 0; i < GDB_PACKET_MAX; i++) {
            g_assert_cmpint(gdb_parser_feed(p, 'a'), ==, GDB_INPUT_MORE);
        }
        g_assert_cmpint(gdb_parser_feed(p, 'a'), ==, GDB_INPUT_INVALID);
    }
    check_packet(p, "$g#67", "g", 1);
}

/* The text of gdb_packet_new() is parsed to the same data, for every byte. */
static void test_round_trip(void)
{
    g_autofree GdbParser *p = g_new0(GdbParser, 1);
    char data[256];

    for (int i = 0; i < 256; i++) {
        data[i] = (char)i;
    }
    for (size_t len = 0; len <= sizeof(data); len += 32) {
        GString *text = gdb_packet_new(data, len);
        GdbInput r = GDB_INPUT_MORE;

        for (gsize i = 0; i < text->len; i++) {
            g_assert_cmpint(r, ==, GDB_INPUT_MORE);
            r = gdb_parser_feed(p, (uint8_t)text->str[i]);
        }
        g_assert_cmpint(r, ==, GDB_INPUT_PACKET);
        g_assert_cmpmem(p->data, p->len, data, len);
        g_string_free(text, TRUE);
    }
}

static void test_hex(void)
{
    g_autoptr(GString) out = g_string_new(NULL);
    uint8_t bytes[4];
    uint64_t value;
    const char *at = "80001fff,4", *zero = "", *large = "10000000000000000";
    const char *most = "ffffffffffffffff";

    gdb_hex_append(out, "\x00\x7f\xff", 3);
    g_assert_cmpstr(out->str, ==, "007fff");
    g_assert_true(gdb_hex_decode("0a1B2c3D", 8, bytes, 4));
    g_assert_cmpmem(bytes, 4, "\x0a\x1b\x2c\x3d", 4);
    g_assert_false(gdb_hex_decode("0a1b2c3", 7, bytes, 4));
    g_assert_false(gdb_hex_decode("0a1b2cxx", 8, bytes, 4));
    g_assert_true(gdb_hex_number(&at, &value));
    g_assert_cmphex(value, ==, 0x80001fff);
    g_assert_cmpstr(at, ==, ",4");
    g_assert_true(gdb_hex_number(&most, &value));
    g_assert_cmphex(value, ==, UINT64_MAX);
    g_assert_false(gdb_hex_number(&zero, &value));
    g_assert_false(gdb_hex_number(&large, &value));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gdb-packet/packets", test_packets);
    g_test_add_func("/gdb-packet/outside", test_outside);
    g_test_add_func("/gdb-packet/bad-sum", test_bad_sum);
    g_test_add_func("/gdb-packet/limit", test_limit);
    g_test_add_func("/gdb-packet/round-trip", test_round_trip);
    g_test_add_func("/gdb-packet/hex", test_hex);
    return g_test_run();
}

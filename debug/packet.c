/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the gdb remote protocol (contract in debug/packet.h).
 */
#include "debug/packet.h"

#define GDB_ESCAPE     '}'
#define GDB_ESCAPE_XOR 0x20
#define GDB_CTRL_C     3

static GdbInput gdb_parser_end(GdbParser *p, GdbInput result)
{
    p->state = GDB_PARSER_IDLE;
    return result;
}

static GdbInput gdb_parser_start(GdbParser *p)
{
    p->state = GDB_PARSER_DATA;
    p->len = 0;
    p->sum = 0;
    return GDB_INPUT_MORE;
}

static GdbInput gdb_parser_idle(GdbParser *p, uint8_t byte)
{
    switch (byte) {
    case '$':
        return gdb_parser_start(p);
    case '+':
        return GDB_INPUT_ACK;
    case '-':
        return GDB_INPUT_NACK;
    case GDB_CTRL_C:
        return GDB_INPUT_BREAK;
    default:
        return GDB_INPUT_INVALID;
    }
}

static GdbInput gdb_parser_store(GdbParser *p, uint8_t byte)
{
    if (p->len == GDB_PACKET_MAX) {
        return gdb_parser_end(p, GDB_INPUT_INVALID);
    }
    p->data[p->len++] = (char)byte;
    p->state = GDB_PARSER_DATA;
    return GDB_INPUT_MORE;
}

/* A byte of the data. "$" and "#" are escaped inside data, so "$" starts the packet again. */
static GdbInput gdb_parser_data(GdbParser *p, uint8_t byte)
{
    if (byte == '$') {
        return gdb_parser_start(p);
    }
    if (byte == '#' && p->state == GDB_PARSER_DATA) {
        p->state = GDB_PARSER_SUM1;
        return GDB_INPUT_MORE;
    }
    p->sum += byte;
    if (p->state == GDB_PARSER_ESCAPE) {
        return gdb_parser_store(p, byte ^ GDB_ESCAPE_XOR);
    }
    if (byte == GDB_ESCAPE) {
        p->state = GDB_PARSER_ESCAPE;
        return GDB_INPUT_MORE;
    }
    return gdb_parser_store(p, byte);
}

static GdbInput gdb_parser_sum(GdbParser *p, uint8_t byte)
{
    int digit = g_ascii_xdigit_value((char)byte);

    if (digit < 0) {
        return gdb_parser_end(p, GDB_INPUT_BAD_SUM);
    }
    if (p->state == GDB_PARSER_SUM1) {
        p->expected = (uint8_t)(digit << 4);
        p->state = GDB_PARSER_SUM2;
        return GDB_INPUT_MORE;
    }
    p->data[p->len] = '\0';
    return gdb_parser_end(p,
                          (p->expected | digit) == p->sum ? GDB_INPUT_PACKET : GDB_INPUT_BAD_SUM);
}

GdbInput gdb_parser_feed(GdbParser *p, uint8_t byte)
{
    switch (p->state) {
    case GDB_PARSER_IDLE:
        return gdb_parser_idle(p, byte);
    case GDB_PARSER_DATA:
    case GDB_PARSER_ESCAPE:
        return gdb_parser_data(p, byte);
    default:
        return gdb_parser_sum(p, byte);
    }
}

/* --- output --- */

GString *gdb_packet_new(const char *data, size_t len)
{
    GString *out = g_string_sized_new(len + 4);
    uint8_t sum = 0;

    g_string_append_c(out, '$');
    for (size_t i = 0; i < len; i++) {
        char c = data[i];

        if (c == '$' || c == '#' || c == '*' || c == GDB_ESCAPE) {
            g_string_append_c(out, GDB_ESCAPE);
            c ^= GDB_ESCAPE_XOR;
        }
        g_string_append_c(out, c);
    }
    for (gsize i = 1; i < out->len; i++) {
        sum += (uint8_t)out->str[i];
    }
    g_string_append_printf(out, "#%02x", sum);
    return out;
}

/* --- hexadecimal --- */

void gdb_hex_append(GString *out, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (size_t i = 0; i < len; i++) {
        g_string_append_c(out, digits[p[i] >> 4]);
        g_string_append_c(out, digits[p[i] & 15]);
    }
}

bool gdb_hex_decode(const char *text, size_t text_len, uint8_t *bytes, size_t len)
{
    if (text_len / 2 < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]), low = g_ascii_xdigit_value(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool gdb_hex_number(const char **text, uint64_t *value)
{
    const char *p = *text;

    *value = 0;
    for (int digit; (digit = g_ascii_xdigit_value(*p)) >= 0; p++) {
        if (*value >> 60) {
            return false;
        }
        *value = *value << 4 | (uint64_t)digit;
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    return true;
}

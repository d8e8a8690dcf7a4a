/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the gdb remote protocol: "$DATA#SUM" (gdb manual, "Remote Protocol", "Overview").
 *
 * The functions use no state but their arguments, and bound all memory by GDB_PACKET_MAX.
 */
#ifndef DEBUG_PACKET_H
#define DEBUG_PACKET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define GDB_PACKET_MAX 16384 /* bytes of a packet's data, in both directions */

typedef enum GdbInput {
    GDB_INPUT_MORE,    /* the byte is part of a packet that is not complete */
    GDB_INPUT_PACKET,  /* a packet is complete: GdbParser.data and len */
    GDB_INPUT_ACK,     /* "+" */
    GDB_INPUT_NACK,    /* "-": the last packet is requested again */
    GDB_INPUT_BREAK,   /* Ctrl-C */
    GDB_INPUT_BAD_SUM, /* a packet with a wrong checksum ended */
    GDB_INPUT_INVALID, /* the byte is not part of the protocol, or the packet is too long */
} GdbInput;

/* Zeroed memory is a parser at the start of a connection. */
typedef struct GdbParser {
    enum {
        GDB_PARSER_IDLE,
        GDB_PARSER_DATA,
        GDB_PARSER_ESCAPE,
        GDB_PARSER_SUM1,
        GDB_PARSER_SUM2
    } state;
    uint8_t sum, expected;
    size_t len;
    char data[GDB_PACKET_MAX + 1]; /* after GDB_INPUT_PACKET: `len` bytes, then a NUL */
} GdbParser;

/* Process one byte. After GDB_INPUT_INVALID the parser waits for the start of a packet. */
GdbInput gdb_parser_feed(GdbParser *p, uint8_t byte);

/* Return a packet with the data, which are escaped where required; g_string_free(). */
GString *gdb_packet_new(const char *data, size_t len);

/* Append @len bytes as hexadecimal digits. */
void gdb_hex_append(GString *out, const void *bytes, size_t len);
/* Decode 2 * @len digits. Return false if there are fewer digits, or another character. */
bool gdb_hex_decode(const char *text, size_t text_len, uint8_t *bytes, size_t len);
/* Parse a hexadecimal number of at most 64 bits and advance *text behind it. Return false if there
 * is no digit, or the number is larger. */
bool gdb_hex_number(const char **text, uint64_t *value);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a qtest request line and their values. The functions have no side effects and
 * allocate nothing; the words are views of the line. Any thread.
 */
#ifndef SYSTEM_QTEST_WORDS_INTERNAL_H
#define SYSTEM_QTEST_WORDS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QTEST_MAX_WORDS 6

typedef struct QtestWord {
    const char *s;
    size_t len;
} QtestWord;

typedef struct QtestWords {
    QtestWord w[QTEST_MAX_WORDS]; /* w[0] is the command */
    unsigned n;
} QtestWords;

/* Split a line at single spaces. Two adjacent spaces enclose an empty word. Return false if the
 * line has more than QTEST_MAX_WORDS words; *r then contains the first ones. */
bool qtest_split(const char *s, size_t len, QtestWords *r);
bool qtest_word_is(QtestWord w, const char *text);
/* Parse a C literal of at most 64 bits with an optional sign, as strtoull() accepts it. Return
 * false for any other text. */
bool qtest_number(QtestWord w, uint64_t *value);
/* Store the bytes of "0x0123..." in @p, at most @len; further bytes of @p are unchanged. Return
 * false for a character that is not a hexadecimal digit. @w must start with "0x". */
bool qtest_hex_bytes(QtestWord w, uint8_t *p, uint64_t len);

#endif

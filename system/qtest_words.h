/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a qtest request line and their values. The functions have no side effects and
 * allocate nothing; the words are views of the line. Any thread.
 */
#ifndef SYSTEM_QTEST_WORDS_H
#define SYSTEM_QTEST_WORDS_H

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

/* The words of a line, which single spaces separate: two spaces make an empty word. False when
 * there are more than any request has; the first ones are in *r then. */
bool qtest_split(const char *s, size_t len, QtestWords *r);
bool qtest_word_is(QtestWord w, const char *text);
/* A C literal of at most 64 bits, with a sign as strtoull takes it; false on anything else. */
bool qtest_number(QtestWord w, uint64_t *value);
/* The bytes of "0x0123..." into p, at most len; the rest of p is left alone. False on a character
 * that is no hexadecimal digit. w has its "0x". */
bool qtest_hex_bytes(QtestWord w, uint8_t *p, uint64_t len);

#endif

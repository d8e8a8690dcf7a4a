/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a qtest request line (contract in qtest_words_internal.h), scanned without library
 * functions because clients pipeline a million lines a second.
 */
#include "qtest_words_internal.h"

#include <glib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool qtest_number(QtestWord w, uint64_t *value)
{
    const char *p = w.s, *end = w.s + w.len;
    unsigned base = 10;
    bool minus = false;
    uint64_t v = 0;

    if (p < end && (*p == '-' || *p == '+')) {
        minus = *p++ == '-';
    }
    if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        base = 16;
        p += 2;
    } else if (end - p > 1 && p[0] == '0') {
        base = 8;
        p++;
    }
    if (p == end) {
        return false;
    }
    for (; p < end; p++) {
        int d = hex_value(*p);

        if (d < 0 || d >= (int)base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v)) {
            return false;
        }
    }
    *value = minus ? -v : v;
    return true;
}

bool qtest_hex_bytes(QtestWord w, uint8_t *p, uint64_t len)
{
    size_t have = (w.len - 2) / 2;

    for (size_t i = 0; i < MIN(have, len); i++) {
        int hi = hex_value(w.s[2 + 2 * i]), lo = hex_value(w.s[3 + 2 * i]);

        if (hi < 0 || lo < 0) {
            return false;
        }
        p[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

bool qtest_split(const char *s, size_t len, QtestWords *r)
{
    const char *end = s + len;

    r->n = 0;
    for (;;) {
        const char *space = memchr(s, ' ', (size_t)(end - s));

        if (r->n == QTEST_MAX_WORDS) {
            return false;
        }
        r->w[r->n++] = (QtestWord){ s, (size_t)((space ? space : end) - s) };
        if (!space) {
            return true;
        }
        s = space + 1;
    }
}

bool qtest_word_is(QtestWord w, const char *text)
{
    return w.len == strlen(text) && memcmp(w.s, text, w.len) == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of a qtest line: splitting, numbers at the limits of 64 bits, hex data.
 */
#include <glib.h>
#include <string.h>

#include "system/qtest_words_internal.h"

static QtestWord word(const char *s)
{
    return (QtestWord){ s, strlen(s) };
}

static void test_split(void)
{
    QtestWords r;

    g_assert_true(qtest_split("", 0, &r));
    g_assert_cmpuint(r.n, ==, 1);
    g_assert_cmpuint(r.w[0].len, ==, 0);
    g_assert_true(qtest_split("readl 0x10 rest", 10, &r)); /* by length, not by NUL */
    g_assert_cmpuint(r.n, ==, 2);
    g_assert_true(qtest_word_is(r.w[0], "readl"));
    g_assert_true(qtest_word_is(r.w[1], "0x10"));
    g_assert_false(qtest_word_is(r.w[1], "0x1"));
    g_assert_false(qtest_word_is(r.w[1], "0x100"));
    g_assert_true(qtest_split("a  b ", 5, &r));
    g_assert_cmpuint(r.n, ==, 4);
    g_assert_true(qtest_word_is(r.w[1], ""));
    g_assert_true(qtest_word_is(r.w[2], "b"));
    g_assert_true(qtest_split("1 2 3 4 5 6", 11, &r));
    g_assert_false(qtest_split("1 2 3 4 5 6 7", 13, &r));
    g_assert_cmpuint(r.n, ==, QTEST_MAX_WORDS);
    g_assert_true(qtest_word_is(r.w[5], "6"));
}

static void test_number(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        { "0", 0 },
        { "10", 10 },
        { "010", 8 },
        { "0x10", 16 },
        { "0XfF", 255 },
        { "+7", 7 },
        { "-1", UINT64_MAX },
        { "-0x10", -(uint64_t)16 },
        { "18446744073709551615", UINT64_MAX },
        { "0xffffffffffffffff", UINT64_MAX },
        { "01777777777777777777777", UINT64_MAX },
    };
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "0x",
        "x",
        "08",
        "1a",
        "0xg",
        "1 ",
        "--1",
        "18446744073709551616",
        "0x10000000000000000",
        "02000000000000000000000",
    };
    uint64_t v;

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(qtest_number(word(good[i].text), &v));
        g_assert_cmphex(v, ==, good[i].value);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("'%s'", bad[i]);
        g_assert_false(qtest_number(word(bad[i]), &v));
    }
}

static void test_hex(void)
{
    uint8_t p[4] = { 1, 2, 3, 4 };

    g_assert_true(qtest_hex_bytes(word("0x"), p, 4));
    g_assert_cmphex(p[0], ==, 1);
    g_assert_true(qtest_hex_bytes(word("0xaBcD0"), p, 4)); /* half a byte is ignored */
    g_assert_cmphex(p[0], ==, 0xab);
    g_assert_cmphex(p[1], ==, 0xcd);
    g_assert_cmphex(p[2], ==, 3);
    g_assert_true(qtest_hex_bytes(word("0x0102030405"), p, 2));
    g_assert_cmphex(p[1], ==, 2);
    g_assert_cmphex(p[2], ==, 3);
    g_assert_false(qtest_hex_bytes(word("0x0g"), p, 4));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qtest-words/split", test_split);
    g_test_add_func("/qtest-words/number", test_number);
    g_test_add_func("/qtest-words/hex", test_hex);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON framing: messages are found for any division of the input, malformed ones are rejected once
 * per line, and a valid message after a malformed one is found.
 */
#include <string.h>

#include "monitor/framing_internal.h"

/* Feed text in pieces. Return "M" for each message and "B" for each rejection; g_free. */
static char *run(Framer *f, const char *text, size_t len, size_t piece, GPtrArray *messages)
{
    GString *out = g_string_new(NULL);

    while (len > 0) {
        size_t n = MIN(piece, len), used;

        for (size_t at = 0; at < n; at += used) {
            FrameResult r = framer_feed(f, text + at, n - at, &used);

            if (r == FRAME_MESSAGE && messages) {
                g_ptr_array_add(messages, g_strdup(f->text->str));
            }
            if (r != FRAME_MORE) {
                g_string_append_c(out, r == FRAME_MESSAGE ? 'M' : 'B');
            }
            g_assert_true(r != FRAME_BAD || f->problem);
        }
        text += n;
        len -= n;
    }
    return g_string_free(out, FALSE);
}

static const struct {
    const char *text, *result;
} cases[] = {
    { "{}", "M" },
    { "{}\n{}{} {}\r\n", "MMMM" },
    { "{\"execute\":\"x\", \"id\": [1, -2.5e3, null, {\"a\": true}]}\n", "M" },
    { "{'execute': 'x', 'a': 'it\\'s', 'b': \"it's\"}\n", "M" },
    { "{'a': 'gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80'}", "M" },
    { "{'a': 18446744073709551615, 'b': -9223372036854775808}", "M" },
    { "null\n", "M" },
    { "\"text\"\n", "M" },
    { "[1]", "M" },
    { "{]\n", "B" },
    { "{\xff", "B" },
    { "{\x01", "B" },
    { "{'a \xff'}\n", "B" },
    { "{'a\n", "B" },
    { "{'a': tru}\n", "B" },
    { "{'a': 01}\n", "B" },
    { "{'a': 1.}\n", "B" },
    { "{'a': 18446744073709551616}\n", "B" },
    { "{'a': -9223372036854775809}\n", "B" },
    { "{'a': 99999999999999999999999999999999999999}\n", "B" },
    { "{'a' 1}\n", "B" },
    { "{'a': 1,}\n", "B" },
    { "{,}\n", "B" },
    { "{'a': [1 2]}\n", "B" },
    { "}\n", "B" },
    { "{'a': \xc0\xaf}\n", "B" },
    { "{'a': '\xed\xa0\x80'}\n", "B" }, /* a surrogate is not valid UTF-8 */
    { "{'a': '\xc3'}\n", "B" },
    { "%p\n", "B" },
    { "garbage garbage } ] {{{ : garbage\n{}\n", "BM" },
    { "{\xff{'execute': 'x'}\n", "BM" },
    { "{bad\n{}\n", "BM" },
    { "bad\nbad\nbad\n{}\n", "BBBM" },
    { "noise {\n{'execute': 'x'}\n", "BBM" }, /* an unclosed brace does not affect the next line */
    { "{{}\n", "BM" },
};

static void test_cases(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t piece = 1; piece < 100; piece += 33) {
            Framer f;
            g_autofree char *got = NULL;

            framer_init(&f);
            got = run(&f, cases[i].text, strlen(cases[i].text), piece, NULL);
            if (strcmp(got, cases[i].result) != 0) {
                g_error("case %zu '%s' gave %s", i, cases[i].text, got);
            }
            framer_clear(&f);
        }
    }
}

static void test_text(void)
{
    const char *text = " {'a':1}\n\n  {\"b\" : [ ] }\n";
    g_autoptr(GPtrArray) messages = g_ptr_array_new_with_free_func(g_free);
    Framer f;
    g_autofree char *got = NULL;

    framer_init(&f);
    got = run(&f, text, strlen(text), 3, messages);
    g_assert_cmpstr(got, ==, "MM");
    g_assert_cmpstr(messages->pdata[0], ==, "{'a':1}");
    g_assert_cmpstr(messages->pdata[1], ==, "{\"b\" : [ ] }");
    framer_clear(&f);
}

static void test_limits(void)
{
    g_autoptr(GString) deep = g_string_new(NULL);
    g_autofree char *chunk = g_strnfill(1 << 20, 'a'), *got = NULL;
    Framer f;

    framer_init(&f);
    for (unsigned i = 0; i < FRAME_DEPTH_MAX; i++) {
        g_string_append_c(deep, '[');
    }
    got = run(&f, deep->str, deep->len, 1000, NULL);
    g_assert_cmpstr(got, ==, "");
    g_free(got);
    got = run(&f, "[\n", 2, 2, NULL);
    g_assert_cmpstr(got, ==, "B");
    g_free(got);
    got = run(&f, "{'a':'", 6, 6, NULL);
    for (unsigned i = 0; i < FRAME_SIZE_MAX >> 20; i++) {
        g_free(got);
        got = run(&f, chunk, 1 << 20, 1 << 20, NULL);
    }
    g_assert_cmpstr(got, ==, "B");
    g_assert_cmpuint(f.text->len, ==, 0); /* and the rest is not kept */
    g_free(got);
    got = run(&f, "\n{}", 3, 3, NULL);
    g_assert_cmpstr(got, ==, "M");
    framer_clear(&f);
}

/* 1 MiB of random input: at most one response per line. */
static void test_noise(void)
{
    g_autofree char *noise = g_malloc(1 << 20), *got = NULL, *after = NULL;
    size_t lines = 1, bad = 0;
    Framer f;

    for (unsigned i = 0; i < 1 << 20; i++) {
        noise[i] = (char)g_test_rand_int_range(0, 256);
        lines += noise[i] == '\n';
    }
    framer_init(&f);
    got = run(&f, noise, 1 << 20, 4096, NULL);
    for (const char *s = got; *s; s++) {
        bad += *s == 'B';
        lines += *s == 'M'; /* data after a message is a separate text */
    }
    g_assert_cmpuint(bad, <=, lines);
    g_assert_cmpuint(bad, >, lines / 2);
    after = run(&f, "\n\xff\n{'x':1}\n", 11, 100, NULL);
    g_assert_true(g_str_has_suffix(after, "M"));
    framer_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/framing/cases", test_cases);
    g_test_add_func("/framing/text", test_text);
    g_test_add_func("/framing/limits", test_limits);
    g_test_add_func("/framing/noise", test_noise);
    return g_test_run();
}

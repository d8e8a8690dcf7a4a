/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict JSON: the grammar, keys given twice, and the limits.
 */
#include <string.h>

#include "plan/json.h"

static const PlanJsonLimits limits = { 1 << 20, 1000, 8 };

/* Return NULL if the text is accepted, otherwise the message. */
static char *problem(const char *text, size_t len)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_json_read(text, len, "it", &limits, &err);

    g_assert_true(!o == !!err);
    json_object_put(o);
    return err ? g_strdup(err->message) : NULL;
}

static void test_accepted(void)
{
    static const char *const good[] = {
        "{}",
        " [ ] \n",
        "\"x\"",
        "0",
        "-0",
        "1.5e+3",
        "true",
        "18446744073709551615",
        "-9223372036854775808",
        "{'a': \"it's\", \"b\": [null, {\"a\": 1}, {'a': 2}]}",
        "[\"\\u00e9\\ud83d\\ude00\\\\\\/\\b\\f\\n\\r\\t\\\"\"]",
        "[[[[[[[[1]]]]]]]]",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *why = problem(good[i], strlen(good[i]));

        g_assert_cmpstr(why, ==, NULL);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "", "ends too early" },
        { "{", "key is expected" },
        { "[1", "ends too early" },
        { "[1,]", "value is expected" },
        { "{'a':1,}", "key is expected" },
        { "{'a' 1}", "':' is expected" },
        { "{a:1}", "key is expected" },
        { "[1 2]", "closing bracket" },
        { "[1]]", "follows the end" },
        { "nul", "not a JSON value" },
        { "null", "null" },
        { "NaN", "not a JSON value" },
        { "-Infinity", "not a JSON value" },
        { "01", "not a JSON value" },
        { "1.", "not a JSON value" },
        { "+1", "not a JSON value" },
        { "[/*x*/1]", "value is expected" },
        { "18446744073709551616", "64 bits" },
        { "\"\n\"", "control character" },
        { "\"\xff\"", "UTF-8" },
        { "\"\\x\"", "escape" },
        { "\"\\u12g4\"", "hexadecimal" },
        { "\"abc", "inside a string" },
        { "[[[[[[[[[1]]]]]]]]]", "nested too deeply" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *why = problem(bad[i].text, strlen(bad[i].text));

        if (!why || !strstr(why, bad[i].why)) {
            g_error("'%s': %s", bad[i].text, why ? why : "accepted");
        }
    }
    g_autofree char *nul = problem("[\0]", 3);

    g_assert_nonnull(nul);
}

static void test_twice(void)
{
    static const char *const bad[] = {
        "{'execute': 'a', 'execute': 'b'}",
        "{\"x\": [{\"execute\": 1, \"b\": 2, \"execute\": 1}]}",
        "{\"execute\": {}, 'execute': {}}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *why = problem(bad[i], strlen(bad[i]));

        g_assert_cmpstr(why, ==, "it has 'execute' twice in one object");
    }
    /* written differently, or equal as a C string */
    const char *escaped = "{'a': 1, '\\u0061': 2}", *nul = "{'a': 1, 'a\\u0000b': 2}";
    g_autofree char *one = problem(escaped, strlen(escaped)), *two = problem(nul, strlen(nul));

    g_assert_cmpstr(one, ==, "it has a key twice in one object");
    g_assert_cmpstr(two, ==, "it has a key twice in one object");
}

static void test_limits(void)
{
    g_autoptr(GString) many = g_string_new("[1");
    g_autofree char *digits = g_strnfill(PLAN_JSON_NUMBER_MAX + 1, '1'), *why = NULL;
    g_autofree char *big = g_strnfill((1 << 20) + 1, ' ');

    for (unsigned i = 0; i < 998; i++) {
        g_string_append(many, ",1");
    }
    g_string_append(many, "]");
    why = problem(many->str, many->len);
    g_assert_cmpstr(why, ==, NULL);
    g_string_insert(many, 1, "1,");
    why = problem(many->str, many->len);
    g_assert_nonnull(strstr(why, "too many values"));
    g_free(why);
    why = problem(digits, strlen(digits));
    g_assert_nonnull(strstr(why, "a number is too long"));
    g_free(why);
    why = problem(big, strlen(big));
    g_assert_nonnull(strstr(why, "at most 1048576"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/accepted", test_accepted);
    g_test_add_func("/json/refused", test_refused);
    g_test_add_func("/json/twice", test_twice);
    g_test_add_func("/json/limits", test_limits);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values written as text: json-c reads the same values.
 */
#include "monitor/json_text_internal.h"

static struct json_object *sample(void)
{
    JsonText j;

    json_text_begin(&j, '[');
    json_text_open(&j, NULL, '{');
    json_text_uint(&j, "zero", 0);
    json_text_uint(&j, "most", UINT64_MAX);
    json_text_int(&j, "least", INT64_MIN);
    json_text_int(&j, "minus", -1);
    json_text_bool(&j, "yes", true);
    json_text_bool(&j, "no", false);
    json_text_str(&j, "plain", "a/b");
    json_text_str(&j, "awkward", "\"\\\n\x01\xc3\xa4");
    json_text_open(&j, "empty", '[');
    json_text_close(&j, ']');
    json_text_open(&j, "list", '[');
    json_text_uint(&j, NULL, 1);
    json_text_uint(&j, NULL, 23);
    json_text_close(&j, ']');
    json_text_close(&j, '}');
    json_text_open(&j, NULL, '{');
    json_text_close(&j, '}');
    return json_text_end(&j, ']');
}

static const char expected[] =
    "[{\"zero\":0,\"most\":18446744073709551615,\"least\":-9223372036854775808,\"minus\":-1,"
    "\"yes\":true,\"no\":false,\"plain\":\"a/b\",\"awkward\":\"\\\"\\\\\\n\\u0001\xc3\xa4\","
    "\"empty\":[],\"list\":[1,23]},{}]";

static void test_text(void)
{
    struct json_object *o = sample();

    g_assert_cmpstr(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        ==, expected);
    json_object_put(o);
}

/* The value is unchanged inside a response and with indentation, as with -mon pretty=on. */
static void test_indented(void)
{
    struct json_object *answer = json_object_new_object(), *again;
    const char *text;

    json_object_object_add(answer, "return", sample());
    text = json_object_to_json_string_ext(answer,
                                          JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    g_assert_nonnull(strstr(text, "\n"));
    again = json_tokener_parse(text);
    g_assert_cmpstr(
        json_object_to_json_string_ext(json_object_object_get(again, "return"),
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        ==, expected);
    json_object_put(again);
    json_object_put(answer);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json_text/text", test_text);
    g_test_add_func("/json_text/indented", test_indented);
    return g_test_run();
}

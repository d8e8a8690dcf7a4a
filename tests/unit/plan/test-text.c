/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quoting, suggestions and JSON: boundary cases.
 */
#include <string.h>

#include "plan/internal.h"
#include "tests/unit/plan/test-catalog.h"

static void test_quote(void)
{
    static const struct {
        const char *text, *quoted;
    } rows[] = {
        { "a", "'a'" },
        { "", "''" },
        { "a\nb", "'a\\x0ab'" },
        { "\xff", "'\\xff'" },
        { "\xc3\xa4", "'\xc3\xa4'" },
        { "\xc3", "'\\xc3'" },
        { "\xe2\x80\xae", "'\\x202e'" },
    };
    g_autofree char *big = g_strnfill(65536, 'x'), *cut = plan_quote(big);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *quoted = plan_quote(rows[i].text);

        g_assert_cmpstr(quoted, ==, rows[i].quoted);
    }
    g_assert_cmpuint(strlen(cut), <, 100);
    g_assert_true(g_str_has_suffix(cut, "x...'"));
}

static void test_label(void)
{
    g_autoptr(PlanDevice) d = plan_device_new("nic");
    g_autofree char *plain = plan_device_label(d), *placed = NULL, *named = NULL;

    d->has_addr = true;
    d->addr.slot = 5;
    placed = plan_device_label(d);
    d->id = g_strdup("a\n");
    named = plan_device_label(d);
    g_assert_cmpstr(plain, ==, "device 'nic'");
    g_assert_cmpstr(placed, ==, "device 'nic' at 05.0");
    g_assert_cmpstr(named, ==, "device 'a\\x0a' (nic)");
}

static void test_json(void)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_json_parse("{\"a\": 18446744073709551615, \"s\": \"a\\u0000\"}",
                                            43, "it", &err),
                       *v;
    g_autofree char *text = NULL, *nul = NULL;

    g_assert_no_error(err);
    json_object_object_get_ex(o, "a", &v);
    g_assert_true(plan_json_scalar(v, &text, &err));
    g_assert_cmpstr(text, ==, "18446744073709551615");
    json_object_object_get_ex(o, "s", &v);
    g_assert_false(plan_json_scalar(v, &nul, &err));
    tc_sentence(err);
    json_object_put(o);
    for (size_t len = 0; len < 8; len++) {
        g_clear_error(&err);
        g_assert_null(plan_json_parse("[1, [2]]", len, "it", &err));
        tc_sentence(err);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/quote", test_quote);
    g_test_add_func("/text/label", test_label);
    g_test_add_func("/text/json", test_json);
    return g_test_run();
}

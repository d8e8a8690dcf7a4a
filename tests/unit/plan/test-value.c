/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Property values: each type accepts valid values, rejects others and lists the accepted ones.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static const char *const choices[] = { "none", "aplic", NULL };

static const PlanProp props[] = {
    [PLAN_PROP_BOOL] = { .name = "p", .kind = PLAN_PROP_BOOL },
    [PLAN_PROP_U8] = { .name = "p", .kind = PLAN_PROP_U8 },
    [PLAN_PROP_U16] = { .name = "p", .kind = PLAN_PROP_U16, .def = 9999, .min = 2, .max = 100 },
    [PLAN_PROP_U32] = { .name = "p", .kind = PLAN_PROP_U32 },
    [PLAN_PROP_U64] = { .name = "p", .kind = PLAN_PROP_U64 },
    [PLAN_PROP_I32] = { .name = "p", .kind = PLAN_PROP_I32 },
    [PLAN_PROP_SIZE] = { .name = "p", .kind = PLAN_PROP_SIZE },
    [PLAN_PROP_STRING] = { .name = "p", .kind = PLAN_PROP_STRING },
    [PLAN_PROP_ENUM] = { .name = "p", .kind = PLAN_PROP_ENUM, .choices = choices },
    [PLAN_PROP_ONOFF] = { .name = "p", .kind = PLAN_PROP_ONOFF },
    [PLAN_PROP_CAP] = { .name = "p", .kind = PLAN_PROP_CAP },
    [PLAN_PROP_MAC] = { .name = "p", .kind = PLAN_PROP_MAC },
    [PLAN_PROP_BACKEND] = { .name = "p", .kind = PLAN_PROP_BACKEND, .backend = "drive" },
};

static const struct {
    PlanPropKind kind;
    const char *text, *canonical; /* NULL: rejected */
} rows[] = {
    { PLAN_PROP_BOOL, "on", "on" },
    { PLAN_PROP_BOOL, "yes", "on" },
    { PLAN_PROP_BOOL, "True", "on" },
    { PLAN_PROP_BOOL, "no", "off" },
    { PLAN_PROP_BOOL, "n", "off" },
    { PLAN_PROP_BOOL, "false", "off" },
    { PLAN_PROP_BOOL, "1", NULL },
    { PLAN_PROP_BOOL, "", NULL },
    { PLAN_PROP_U8, "0", "0" },
    { PLAN_PROP_U8, "07", "7" },
    { PLAN_PROP_U8, "010", NULL },
    { PLAN_PROP_U8, "0xff", "255" },
    { PLAN_PROP_U8, "256", NULL },
    { PLAN_PROP_U8, "-1", NULL },
    { PLAN_PROP_U8, "1 ", NULL },
    { PLAN_PROP_U8, " 1", NULL },
    { PLAN_PROP_U8, "0x", NULL },
    { PLAN_PROP_U8, "", NULL },
    { PLAN_PROP_U16, "2", "2" },
    { PLAN_PROP_U16, "1", NULL },
    { PLAN_PROP_U16, "101", NULL },
    { PLAN_PROP_U16, "9999", "9999" }, /* the default is always accepted */
    { PLAN_PROP_U32, "4294967295", "4294967295" },
    { PLAN_PROP_U32, "4294967296", NULL },
    { PLAN_PROP_U32, "99999999999999999999999999", NULL },
    { PLAN_PROP_U64, "0xffffffffffffffff", "18446744073709551615" },
    { PLAN_PROP_U64, "18446744073709551616", NULL },
    { PLAN_PROP_U64, "1e3", NULL },
    { PLAN_PROP_I32, "-2147483648", "-2147483648" },
    { PLAN_PROP_I32, "-2147483649", NULL },
    { PLAN_PROP_I32, "2147483648", NULL },
    { PLAN_PROP_I32, "--1", NULL },
    { PLAN_PROP_I32, "-9223372036854775808", NULL },
    { PLAN_PROP_SIZE, "4k", "4096" },
    { PLAN_PROP_SIZE, "1.5G", "1610612736" },
    { PLAN_PROP_SIZE, "16", "16" },
    { PLAN_PROP_SIZE, "16B", "16" },
    { PLAN_PROP_SIZE, "15E", "17293822569102704640" },
    { PLAN_PROP_SIZE, "16E", NULL },
    { PLAN_PROP_SIZE, "1.", NULL },
    { PLAN_PROP_SIZE, "1.5", NULL },
    { PLAN_PROP_SIZE, "1kk", NULL },
    { PLAN_PROP_SIZE, "k", NULL },
    { PLAN_PROP_SIZE, "-1k", NULL },
    { PLAN_PROP_STRING, "", "" },
    { PLAN_PROP_STRING, "a,b=\xc3\xa4", "a,b=\xc3\xa4" },
    { PLAN_PROP_STRING, "\xff", NULL },
    { PLAN_PROP_BACKEND, "d0", "d0" },
    { PLAN_PROP_ENUM, "aplic", "aplic" },
    { PLAN_PROP_ENUM, "APLIC", NULL },
    { PLAN_PROP_ENUM, "", NULL },
    { PLAN_PROP_ONOFF, "auto", "auto" },
    { PLAN_PROP_ONOFF, "on", "on" },
    { PLAN_PROP_ONOFF, "no", "off" },
    { PLAN_PROP_ONOFF, "maybe", NULL },
    { PLAN_PROP_CAP, "on", "on" },
    { PLAN_PROP_CAP, "off", "off" },
    { PLAN_PROP_CAP, "0x98", "0x98" },
    { PLAN_PROP_CAP, "64", "0x40" },
    { PLAN_PROP_CAP, "0x3c", NULL },
    { PLAN_PROP_CAP, "0x99", NULL },
    { PLAN_PROP_CAP, "0x9a", NULL },
    { PLAN_PROP_CAP, "0x1000", NULL },
    { PLAN_PROP_CAP, "0", NULL },
    { PLAN_PROP_MAC, "52:54:00:Aa:bB:ff", "52:54:00:aa:bb:ff" },
    { PLAN_PROP_MAC, "52-54-00-12-34-56", "52:54:00:12:34:56" },
    { PLAN_PROP_MAC, "52:54:00:12:34", NULL },
    { PLAN_PROP_MAC, "52:54:00:12:34:5g", NULL },
    { PLAN_PROP_MAC, "52:54-00:12:34:56", NULL },
    { PLAN_PROP_MAC, "52:54:00:12:34:567", NULL },
};

static void test_rows(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const PlanProp *p = &props[rows[i].kind];
        g_autoptr(GError) err = NULL;
        g_autofree char *text = NULL;
        PlanValue v, again;

        if (!plan_value_parse(p, rows[i].text, &v, &err)) {
            tc_sentence(err);
            g_assert_nonnull(strstr(err->message, "'p'"));
            if (rows[i].canonical) {
                g_error("'%s': %s", rows[i].text, err->message);
            }
            continue;
        }
        text = plan_value_format(p, &v);
        g_assert_cmpstr(text, ==, rows[i].canonical);
        g_assert_true(plan_value_parse(p, text, &again, NULL));
        g_assert_true(plan_value_equal(&v, &again));
        plan_value_clear(&v);
        plan_value_clear(&again);
    }
}

/* null is accepted only for strings. Each default can be formatted and parsed. */
static void test_null_and_default(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(props); i++) {
        bool string = i == PLAN_PROP_STRING || i == PLAN_PROP_BACKEND;
        g_autofree char *text = NULL, *accepts = plan_value_accepts(&props[i]);
        PlanValue v, again;

        g_assert_true(plan_value_parse(&props[i], NULL, &v, NULL) == string);
        plan_value_clear(&v);
        g_assert_cmpuint(strlen(accepts), >, 3);
        plan_value_default(&props[i], &v);
        text = plan_value_format(&props[i], &v);
        g_assert_true(plan_value_parse(&props[i], text, &again, NULL));
        g_assert_true(plan_value_equal(&v, &again));
        plan_value_clear(&v);
        plan_value_clear(&again);
    }
}

static void test_hostile(void)
{
    g_autofree char *big = g_strnfill(65536, '9');

    for (size_t i = 0; i < G_N_ELEMENTS(props); i++) {
        g_autoptr(GError) err = NULL;
        PlanValue v;

        if (i == PLAN_PROP_STRING || i == PLAN_PROP_BACKEND) {
            continue;
        }
        g_assert_false(plan_value_parse(&props[i], big, &v, &err));
        tc_sentence(err);
        g_clear_error(&err);
        g_assert_false(plan_value_parse(&props[i], "a\nb\x1b[2J\xfe", &v, &err));
        tc_sentence(err);
        g_assert_nonnull(strstr(err->message, "'a\\x0ab\\x1b[2J\\xfe'"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/value/rows", test_rows);
    g_test_add_func("/value/null-and-default", test_null_and_default);
    g_test_add_func("/value/hostile", test_hostile);
    return g_test_run();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nearest known name: misspelt, abbreviated, distant, empty and oversized names.
 */
#include "util/suggest.h"

#include <glib.h>
#include <string.h>

static const char *const words[] = {
    "virt",          "virt-0.1",       "kernel",          "vectors",        "id",
    "multifunction", "pcie-root-port", "pcie-pci-bridge", "x3130-upstream", NULL
};

static const char *list_name(const void *table, size_t i)
{
    return ((const char *const *)table)[i];
}

static const char *nearest(const char *given, const char *const *list)
{
    return suggest_nearest_of(given, list_name, list, g_strv_length((char **)list));
}

static void test_nearest(void)
{
    static const struct {
        const char *given, *nearest;
    } rows[] = {
        { "virt", "virt" },
        { "vrit", "virt" }, /* two letters swapped */
        { "Virt", "virt" },
        { "kernal", "kernel" }, /* one changed */
        { "vector", "vectors" },
        { "kkernell", "kernel" },
        { "mutlifunctoin", "multifunction" },
        { "di", "id" },
        { "kmlmal", NULL },
        { "xx", NULL }, /* two changes match any two letters */
        { "zzz", NULL },
        { "", NULL },
        { "x3130", "x3130-upstream" }, /* the only one with this prefix */
        { "pcie", NULL },              /* two have it */
        { "mu", NULL },                /* too short for a suggestion */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpstr(nearest(rows[i].given, words), ==, rows[i].nearest);
    }
}

static void test_oversized(void)
{
    g_autofree char *big = g_strnfill(1 << 20, 'v');
    const char *const list[] = { big, "vv", NULL };

    g_assert_null(nearest(big, words));
    g_assert_cmpstr(nearest("vv", list), ==, "vv");
    g_assert_null(nearest("\xff\xfe\x01", words));
}

static const char *every_other(const void *table, size_t i)
{
    return i % 2 ? NULL : ((const char *const *)table)[i];
}

static void test_left_out(void)
{
    g_assert_cmpstr(suggest_nearest_of("kernal", every_other, words, 9), ==, "kernel");
    g_assert_null(suggest_nearest_of("vector", every_other, words, 9));
}

static void test_hint(void)
{
    g_autofree char *hint = suggest_hint_of("vrit", list_name, words, 9),
                    *none = suggest_hint_of("zzz", list_name, words, 9);

    g_assert_cmpstr(hint, ==, " (did you mean 'virt'?)");
    g_assert_cmpstr(none, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suggest/nearest", test_nearest);
    g_test_add_func("/suggest/oversized", test_oversized);
    g_test_add_func("/suggest/left-out", test_left_out);
    g_test_add_func("/suggest/hint", test_hint);
    return g_test_run();
}

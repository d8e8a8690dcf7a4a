/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture is well-formed, contains each name once, stays inside its frame, and escapes text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-catalog.h"

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

static unsigned number_after(const char *text, const char *what)
{
    const char *at = strstr(text, what);

    g_assert_nonnull(at);
    return g_ascii_strtoull(at + strlen(what), NULL, 10);
}

/* Every box is inside the picture. */
static void check_boxes(const char *svg)
{
    unsigned width = number_after(svg, "width=\""), height = number_after(svg, "height=\"");
    const char *at = svg;

    while ((at = strstr(at, "<rect x="))) {
        unsigned x = number_after(at, " x=\""), y = number_after(at, " y=\"");

        g_assert_cmpuint(x + number_after(at, " width=\""), <, width);
        g_assert_cmpuint(y + number_after(at, " height=\""), <=, height);
        at++;
    }
}

static void test_topology(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=port0", "upstream,id=up,bus=port0",
                                           "downstream,id=dn,bus=up", "nic,id=end,bus=dn");
    g_autofree char *svg = plan_topology_svg(m, &tc_catalog);

    g_assert_true(g_str_has_prefix(svg, "<svg "));
    g_assert_true(g_str_has_suffix(svg, "</svg>\n"));
    g_assert_cmpuint(count(svg, ">bus "), ==, 4);
    g_assert_cmpuint(count(svg, ">bus dn "), ==, 1);
    g_assert_cmpuint(count(svg, "upstream  up"), ==, 1);
    g_assert_cmpuint(count(svg, "BAR0 4K 64-bit, BAR2 4K"), ==, 1);
    g_assert_cmpuint(count(svg, "MSI-X, INTA on line"), ==, 1);
    /* A gauge for each window of the root, and two each for the buses above the device. */
    g_assert_cmpuint(count(svg, "class=\"room\""), ==, 3 + 3 * 2);
    g_assert_cmpuint(count(svg, "64-bit memory: 4K of 1M<"), ==, 1);
    g_assert_cmpuint(count(svg, "64-bit memory: 1M of 16G<"), ==, 1);
    g_assert_cmpuint(count(svg, "<text"), ==, count(svg, "</text>"));
    check_boxes(svg);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/topology/picture", test_topology);
    return g_test_run();
}

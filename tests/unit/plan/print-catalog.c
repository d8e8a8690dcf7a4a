/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Print the tests' catalogue as C, for test-catalog-c to link.
 */
#include <stdio.h>

#include "tests/unit/plan/test-catalog.h"

int main(void)
{
    g_autofree char *text = plan_catalog_to_c(&tc_catalog);

    fputs(text, stdout);
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Print the catalogue of the tests as C source, with which test-catalog-c is linked.
 */
#include <stdio.h>

#include "tests/unit/plan/test-catalog.h"

int main(void)
{
    g_autofree char *text = plan_catalog_to_c(&tc_catalog);

    fputs(text, stdout);
    return 0;
}

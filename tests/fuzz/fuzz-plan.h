/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared parts of the fuzz targets of plan/: the tests' catalogue, and the invariants of everything
 * that was accepted.
 */
#ifndef FUZZ_PLAN_H
#define FUZZ_PLAN_H

#include <string.h>

#include "tests/unit/plan/test-catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A rejection is one sentence. A resolved description can be dumped, read back and resolved to the
 * same. */
static inline void fuzz_check_resolve(PlanMachine *m)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *first = NULL, *second = NULL, *slots = NULL;
    g_autoptr(PlanMachine) again = NULL;

    if (!plan_resolve(m, &tc_catalog, &err)) {
        tc_sentence(err);
        return;
    }
    first = plan_to_text(m, &tc_catalog, false);
    slots = plan_slots_to_text(m, &tc_catalog);
    again = plan_from_text(first, strlen(first), &err);
    g_assert_no_error(err);
    plan_resolve(again, &tc_catalog, &err);
    g_assert_no_error(err);
    second = plan_to_text(again, &tc_catalog, false);
    g_assert_cmpstr(first, ==, second);
}

#endif

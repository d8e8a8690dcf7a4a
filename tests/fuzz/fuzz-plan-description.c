/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine descriptions as text, as received in a stream or read from a file.
 */
#include "tests/fuzz/fuzz-plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) m = plan_from_text((const char *)data, size, &err);

    if (m) {
        fuzz_check_resolve(m);
    } else {
        tc_sentence(err);
    }
    return 0;
}

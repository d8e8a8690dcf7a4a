/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -device options, one per line: all together for a new machine, and one by one for a running one.
 */
#include "tests/fuzz/fuzz-plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 32);
    g_autoptr(PlanMachine) together = plan_machine_new();
    g_autoptr(PlanMachine) one_by_one = TC_RESOLVED("root-port,id=rp", "bridge,id=b,shpc=on");

    for (guint i = 0; lines[i]; i++) {
        g_autoptr(GError) err = NULL;
        PlanDevice *d = plan_device_parse_known(lines[i], &tc_catalog, &err);

        if (!d) {
            tc_sentence(err);
            continue;
        }
        g_ptr_array_add(together->devices, d);
        d = plan_device_parse(lines[i], NULL);
        if (!plan_add_device(one_by_one, &tc_catalog, d, i % 2, &err)) {
            tc_sentence(err);
            plan_device_free(d);
        } else if (i % 5 == 4 && !d->brings) {
            plan_remove_device(one_by_one, d);
        }
    }
    fuzz_check_resolve(together);
    fuzz_check_resolve(one_by_one);
    return 0;
}

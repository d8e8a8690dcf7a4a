/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU types by name (contract in hw/core/cpu.h; running CPUs is accel/'s).
 */
#include "hw/core/cpu.h"

#include <string.h>

const CpuType *cpu_type_find(const char *name)
{
    for (unsigned i = 0; cpu_types[i]; i++) {
        if (g_str_equal(cpu_types[i]->name, name)) {
            return cpu_types[i];
        }
    }
    return NULL;
}

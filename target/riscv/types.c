/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU types of this build.
 */
#include "target/riscv/hart_internal.h"

const CpuType *const cpu_types[] = { &riscv_cpu_type,     &riscv_cpu_max, &riscv_cpu_rva22u64,
                                     &riscv_cpu_rva22s64, &riscv_cpu_u54, NULL };

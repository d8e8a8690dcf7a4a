/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU types of this build.
 */
#include "hw/core/cpu.h"

const CpuType *const cpu_types[] = { NULL };

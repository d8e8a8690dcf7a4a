/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine without any hardware, for clients that only query types.
 */
#include "hw/riscv/virt.h"

static bool none_build(Machine *m, const PlanMachine *plan, GError **err)
{
    m->has_guest = false;
    return true;
}

const BoardType none_board = {
    .plan = {
        .name = "none",
        .doc = "empty machine",
        .max_cpus = 1,
        .root_kind = PLAN_BUS_NONE,
    },
    .build = none_build,
};

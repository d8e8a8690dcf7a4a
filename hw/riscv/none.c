/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine without anything, for clients that only want to ask about types.
 */
#include "hw/riscv/virt.h"

static bool none_build(Machine *m, const PlanMachine *plan, GError **err)
{
    m->has_guest = false;
    return true;
}

static bool none_boot(Machine *m, const BoardBoot *boot, GError **err)
{
    if (!boot->kernel && !boot->initrd && !boot->append && !boot->dtb && !boot->dumpdtb)
        return true;
    g_set_error(err, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "machine 'none' has no CPU and no memory: it takes no -kernel, -initrd, -append, "
                "-dtb or dumpdtb=");
    return false;
}

const BoardType none_board = {
    .plan = {
        .name = "none",
        .doc = "empty machine",
        .max_cpus = 1,
        .root_kind = PLAN_BUS_NONE,
    },
    .build = none_build,
    .boot = none_boot,
};

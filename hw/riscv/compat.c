/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What older versions of `virt` have in place of today's defaults
 * (docs/devel/machine-versions.md explains how to add a row).
 */
#include "hw/riscv/virt.h"

const PlanCompat board_compats[] = {
    /* The PLIC became the default, as in QEMU. */
    { "virt-0.1", NULL, "aia", "aplic-imsic" },
    /* Read-only bits of Express functions, and FLR for endpoints alone. */
    { "virt-0.1", "*", "x-strict-express", "off" },
};
const size_t n_board_compats = G_N_ELEMENTS(board_compats);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boards of this build.
 */
#include "hw/riscv/virt.h"

const BoardType *const board_types[] = { &virt_board, &virt_0_2_board, &virt_0_1_board, &none_board,
                                         NULL };

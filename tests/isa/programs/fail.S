/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second test fails: the runner must report it. */
#include "program.inc"
START
test_1_fine:
    li gp, 1
test_2_wrong:
    li gp, 2
    j fail

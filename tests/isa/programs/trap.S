/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions of each class, with cause, address and value. */
#include "program.inc"

.macro EXPECT number, cause, instruction:vararg
test_\number\()_cause_\cause\():
    li gp, \number
    la t0, 1f
    csrw mtvec, t0
    li a0, 0x10
    la s0, 0f
    .option push
    .option norvc
0:  \instruction
    .option pop
    j fail
    .balign 4
1:  csrr t1, mcause
    li t2, \cause
    beq t1, t2, 2f
    j fail
2:  csrr t1, mepc
    beq t1, s0, 3f
    j fail
3:
.endm

START
    EXPECT 1, 2, .word 0
    EXPECT 2, 3, ebreak
    EXPECT 3, 5, lw a1, (a0)
    EXPECT 4, 7, sw a1, (a0)
    EXPECT 5, 11, ecall
    EXPECT 6, 2, csrw 0xc00, a0
    EXPECT 7, 2, csrr a1, 0x7ff
    j pass

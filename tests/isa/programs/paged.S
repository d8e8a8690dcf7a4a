/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * S-mode with Sv39: the result is stored through another mapping of RAM, at -2 GiB, so that the
 * virtual address of `tohost` is not its physical address.
 */
#include "program.inc"

#define ALIAS (-0x80000000)
#define LEAF  0xcf /* V, R, W, X, A, D */

START
    li gp, 1
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    la t0, table
    li t1, (0x80000000 >> 2) | LEAF
    sd t1, 2 * 8(t0)
    li t2, 510 * 8
    add t2, t2, t0
    sd t1, (t2)
    srli t0, t0, 12
    li t1, 8 << 60
    or t0, t0, t1
    csrw satp, t0
    sfence.vma
    li t0, 0x1800
    csrc mstatus, t0
    li t0, 0x800
    csrs mstatus, t0
    la t0, 1f
    csrw mepc, t0
    mret
1:  li gp, 2
    la t0, data
    li t1, ALIAS - 0x80000000
    add t1, t1, t0
    li a0, 0x1234
    sd a0, (t0)
    ld a1, (t1)
    beq a0, a1, 2f
    j fail
2:  la t0, tohost
    li t1, ALIAS - 0x80000000
    add t0, t0, t1
    li gp, 1
    sd gp, (t0)
3:  j 3b

    .data
    .balign 4096
table:
    .zero 4096

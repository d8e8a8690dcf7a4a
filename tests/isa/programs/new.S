/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints, cache block operations, fences and may-be-operations: what they must not change, and the
 * zeroes of cbo.zero. */
#include "program.inc"

.macro NOTHING number, name, instruction:vararg
test_\number\()_\name:
    li gp, \number
    la a0, block
    li a1, 0x5a
    sd a1, 8(a0)
    \instruction
    ld a2, 8(a0)
    beq a1, a2, 1f
    j fail
1:
.endm

START
    NOTHING 1, ntl_p1, add zero, zero, x2
    NOTHING 2, ntl_pall, add zero, zero, x3
    NOTHING 3, ntl_s1, add zero, zero, x4
    NOTHING 4, ntl_all, add zero, zero, x5
    NOTHING 5, prefetch_i, .word 0x00006013 | 10 << 15
    NOTHING 6, prefetch_r, .word 0x00106013 | 10 << 15
    NOTHING 7, prefetch_w, .word 0x00306013 | 10 << 15
    NOTHING 8, cbo_clean, .word 0x0010200f | 10 << 15
    NOTHING 9, cbo_flush, .word 0x0020200f | 10 << 15
    NOTHING 10, cbo_inval, .word 0x0000200f | 10 << 15
    NOTHING 11, pause, .word 0x0100000f
    NOTHING 12, c_mop_1, .2byte 0x6081
    NOTHING 13, c_mop_15, .2byte 0x6781
    NOTHING 14, sinval_vma, .word 0x16000073
    NOTHING 15, sfence_w_inval, .word 0x18000073
    NOTHING 16, sfence_inval_ir, .word 0x18100073
    NOTHING 17, wrs_sto, .word 0x01d00073
    NOTHING 18, wrs_nto, .word 0x00d00073
    NOTHING 19, fence_i, fence.i
test_20_cbo_zero:
    li gp, 20
    la a0, block
    li a1, -1
    sd a1, -8(a0)
    sd a1, 0(a0)
    sd a1, 56(a0)
    sd a1, 64(a0)
    addi a2, a0, 17
    .word 0x0040200f | 12 << 15
    ld a3, -8(a0)
    ld a4, 64(a0)
    and a3, a3, a4
    ld a4, 0(a0)
    ld a5, 56(a0)
    or a4, a4, a5
    bnez a4, 1f
    bne a3, a1, 1f
    j 2f
1:  j fail
2:
test_21_amocas_q:
    li gp, 21
    li a1, 3
    sd a1, 0(a0)
    li a1, 4
    sd a1, 8(a0)
    li a2, 3
    li a3, 4
    li a4, 5
    li a5, 6
    .insn r 0x2f, 4, 0x14, a2, a0, a4
    ld a6, 0(a0)
    ld a7, 8(a0)
    li t0, 0x03040506
    slli a2, a2, 24
    slli a3, a3, 16
    slli a6, a6, 8
    or a2, a2, a3
    or a6, a6, a7
    or a2, a2, a6
    beq a2, t0, 3f
    j fail
3:
test_22_wfi:
    li gp, 22
    li t0, 8
    csrs mie, t0
    li t1, 0x2000000
    li t2, 1
    sw t2, (t1)
    wfi
    csrr t3, mip
    andi t3, t3, 8
    bnez t3, pass
    j fail

    .data
    .balign 64
    .dword 0, 0, 0, 0, 0, 0, 0, 0
block:
    .dword 0, 0, 0, 0, 0, 0, 0, 0, 0

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run one instruction with chosen registers. enter() loads all registers and leaves by mret. The
 * trap that ends the case stores all registers and returns from enter().
 */
#include "encodings.h"

    .macro for_x op, base
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, \
            26, 27, 28, 29, 30, 31
    \op x\n, 8 * (\base + \n)(sp)
    .endr
    .endm

    .macro for_f op, base
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
            24, 25, 26, 27, 28, 29, 30, 31
    \op f\n, 8 * (\base + \n)(sp)
    .endr
    .endm

    .macro for_callee_saved op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \op s\n, (8 * \n)(sp)
    .endr
    \op ra, 96(sp)
    \op gp, 104(sp)
    .endm

    .option norelax
    .text

/* void enter(u64 *context, u64 pc) */
    .globl enter
enter:
    addi sp, sp, -112
    for_callee_saved sd
    sd sp, 8 * CALLER(a0)
    addi t0, a0, 8 * UNRESERVED
    sc.d t0, t0, (t0) /* a reservation must not survive a case */
    csrw mscratch, a0
    csrw mepc, a1
    addi a1, a1, 256
    csrw sepc, a1
    la t0, leave
    csrw mtvec, t0
    mv sp, a0
    for_f fld, IN_F
    ld t0, 8 * IN_X(sp)
    fscsr t0
    ld t0, 8 * IN_MSTATUS(sp)
    csrw mstatus, t0
    for_x ld, IN_X
    ld sp, 8 * (IN_X + 2)(sp)
    mret

    .balign 4
leave:
    csrrw sp, mscratch, sp
    for_x sd, OUT_X
    csrr t0, mscratch
    sd t0, 8 * (OUT_X + 2)(sp)
    csrr t0, mcause
    sd t0, 8 * OUT_CAUSE(sp)
    csrr t0, mepc
    sd t0, 8 * OUT_EPC(sp)
    csrr t0, mtval
    sd t0, 8 * OUT_TVAL(sp)
    csrr t0, mstatus
    sd t0, 8 * OUT_STATUS(sp)
    li t0, 0x6000
    csrs mstatus, t0
    for_f fsd, OUT_F
    frcsr t0
    sd t0, 8 * OUT_X(sp)
    ld sp, 8 * CALLER(sp)
    for_callee_saved ld
    addi sp, sp, 112
    ret

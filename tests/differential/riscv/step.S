/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between two random sequences: store all registers, let record() process them and choose the next
 * sequence, load all registers.
 */
#include "layout.h"

    .macro for_x op
    .irp n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, \
            26, 27, 28, 29, 30, 31
    \op x\n, (SAVED_X + 8 * \n)(sp)
    .endr
    .endm

    .macro for_f op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
            24, 25, 26, 27, 28, 29, 30, 31
    \op f\n, (SAVED_F + 8 * \n)(sp)
    .endr
    .endm

    .macro for_callee_saved op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    \op s\n, (8 * \n)(sp)
    .endr
    \op ra, 96(sp)
    .endm

    .option norelax
    .text

/* void run_sequences(void): run all sequences once. */
    .globl run_sequences
run_sequences:
    addi sp, sp, -112
    for_callee_saved sd
    la t0, c_stack
    sd sp, (t0)
    la sp, scratch
    call load_first
    la t0, sequences
    jr t0

/* The last sequence jumps to this label. */
    .globl sequences_done
sequences_done:
    la t0, c_stack
    ld sp, (t0)
    for_callee_saved ld
    addi sp, sp, 112
    ret

/* Called by each sequence at its end, with ra already stored. Returns to the next sequence. */
    .globl step
step:
    sd ra, SAVED_LINK(sp)
    for_x sd
    for_f fsd
    frcsr t0
    sd t0, SAVED_X(sp)
    sd sp, (SAVED_X + 16)(sp)
    li a0, 1
    j 1f
load_first:
    sd ra, SAVED_LINK(sp)
    li a0, 0
1:
    la t0, c_stack
    ld sp, (t0)
    call record
    la sp, scratch
    la t0, unreserved
    sc.d t0, t0, (t0) /* a reservation must not survive a sequence */
    ld t0, SAVED_X(sp)
    fscsr t0
    for_f fld
    for_x ld
    ld ra, SAVED_LINK(sp)
    ret

    .section .state, "aw", @nobits
    .balign 8192
    .globl scratch, saved_x, saved_f
    .set saved_x, scratch + SAVED_X
    .set saved_f, scratch + SAVED_F
    .space 4096 - SCRATCH_SIZE / 2
scratch:
    .space 4096
c_stack:
    .space 8
unreserved:
    .space 8

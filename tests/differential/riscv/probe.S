/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One memory access with another privilege mode. The access numbers are those of pagetables.c: 0 to
 * 6 loads, 7 to 10 stores, 11 amoadd.w, 12 lr.d and sc.d, 13 an instruction fetch.
 */
    .option norelax
    .text

/*
 * void probe(u64 *result, u64 va, u64 value, u64 kind, u64 status)
 * status: bits of mstatus to set, MPRV and MPP among them. result: mcause (or -1), mtval, mepc of
 * a fetch, and the value read.
 */
    .globl probe
probe:
    la t0, trapped
    csrw mtvec, t0
    li t1, 0x000e1800
    csrc mstatus, t1
    csrs mstatus, a4
    slli t0, a3, 4
    la t2, kinds
    add t2, t2, t0
    li t3, -1
    li t4, 0
    li t5, 0
    jr t2

    .balign 16
kinds:
    .macro kind insn:vararg
    .balign 16
    \insn
    j finished
    .endm
    kind lb a2, (a1)
    kind lbu a2, (a1)
    kind lh a2, (a1)
    kind lhu a2, (a1)
    kind lw a2, (a1)
    kind lwu a2, (a1)
    kind ld a2, (a1)
    kind sb a2, (a1)
    kind sh a2, (a1)
    kind sw a2, (a1)
    kind sd a2, (a1)
    kind amoadd.w a2, a2, (a1)
    .balign 16
    lr.d t6, (a1)
    sc.d a2, a2, (a1)
    j finished
    .balign 16
    csrw mepc, a1
    mret

    .balign 4
trapped:
    csrr t3, mcause
    csrr t4, mtval
    csrr t5, mepc
    li t0, 13
    beq a3, t0, finished
    li t5, 0
finished:
    csrc mstatus, t1
    sd t3, 0(a0)
    sd t4, 8(a0)
    sd t5, 16(a0)
    sd a2, 24(a0)
    ret

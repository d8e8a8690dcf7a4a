# SPDX-License-Identifier: GPL-2.0-or-later
# The guest of hart.gz: supervisor mode under Sv39 with timer interrupts, floating point, atomics
# and traps to machine mode and back, in an endless loop. ../recipes.py contains its first 448 bytes.
# Assemble with riscv64-linux-gnu-as -march=rv64gc, and link to 0x80000000 with --no-relax.
    .option norvc
    .globl _start
_start:
    la t0, mtrap
    csrw mtvec, t0
    la t0, strap
    csrw stvec, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
    li t0, 0xb1ff
    csrw medeleg, t0
    li t0, 0x222
    csrw mideleg, t0
    li t0, 1
    slli t0, t0, 63
    csrw 0x30a, t0          # menvcfg.STCE
    li t0, 7
    csrw mcounteren, t0
    csrw scounteren, t0
    la t1, table
    li t0, 0xcf             # identity mapping of 0 to 1 GiB and 2 to 3 GiB
    sd t0, 0(t1)
    li t0, 0x200000cf
    sd t0, 16(t1)
    srli t1, t1, 12
    li t0, 8
    slli t0, t0, 60
    or t0, t0, t1
    csrw satp, t0
    li t0, 0x2800           # FS initial, MPP supervisor
    csrs mstatus, t0
    li t0, 0x1000
    csrc mstatus, t0
    la t0, smode
    csrw mepc, t0
    mret
smode:
    sfence.vma
    la s0, counters
    csrw sscratch, s0
    li t0, 0x20
    csrw sie, t0
    csrsi sstatus, 2
    rdtime t0
    addi t0, t0, 500
    csrw 0x14d, t0          # stimecmp
    li s1, 3
    fcvt.d.l fa0, s1
    fcvt.d.l fa1, s1
    .option rvc
loop:
    fmadd.d fa1, fa0, fa1, fa0
    fdiv.s fa2, fa1, fa0
    mul s2, s1, s1
    addi s1, s1, 1
    amoadd.d t1, s1, (s0)
again:
    lr.d t2, (s0)
    addi t2, t2, 1
    sc.d t3, t2, (s0)
    sd s1, 24(s0)
    ld t4, 24(s0)
    c.nop
    andi t0, s1, 0x7ff
    bnez t0, loop
    ecall                   # to machine mode
    ebreak                  # to strap
    j loop
    .option norvc
    .align 4
strap:
    csrrw s0, sscratch, s0
    sd t0, 64(s0)
    sd t1, 72(s0)
    csrr t0, scause
    bltz t0, tick
    csrr t0, sepc
    addi t0, t0, 2
    csrw sepc, t0
    j out
tick:
    ld t0, 32(s0)
    addi t0, t0, 1
    sd t0, 32(s0)
    rdtime t0
    addi t0, t0, 500
    csrw 0x14d, t0
out:
    ld t1, 72(s0)
    ld t0, 64(s0)
    csrrw s0, sscratch, s0
    sret
    .align 4
mtrap:
    csrw mscratch, t0
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    csrr t0, mscratch
    mret
    .align 8
counters:
    .fill 256
    .align 12
table:

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The side of a machine: M-mode from reset, 16550 UART, power off through the test device. */
#include "runtime.h"

#define UART_THR ((volatile unsigned char *)0x10000000)
#define UART_LSR ((volatile unsigned char *)0x10000005)
#define LSR_THRE 0x20
#define TEST     ((volatile u32 *)0x100000)
#define POWEROFF 0x5555

void put_text(const char *text)
{
    for (; *text; text++) {
        while (!(*UART_LSR & LSR_THRE)) {
        }
        *UART_THR = (unsigned char)*text;
    }
}

void flush_text(void)
{
}

void power_off(void);
void power_off(void)
{
    *TEST = POWEROFF;
    for (;;) {
    }
}

/* Nothing here may trap: say what did, and where. */
void report_trap(u64 cause, u64 epc, u64 tval);
void report_trap(u64 cause, u64 epc, u64 tval)
{
    put_text("trap ");
    put_word(cause, ' ');
    put_word(epc, ' ');
    put_word(tval, '\n');
    power_off();
}

__asm__(".section .reset, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "    csrr t0, mhartid\n"
        "0:  beqz t0, 1f\n"
        "    wfi\n"
        "    j 0b\n"
        "1:\n"
        "    la t0, on_trap\n"
        "    csrw mtvec, t0\n"
        "    li t0, 0x6000\n"
        "    csrs mstatus, t0\n" /* FS dirty */
        "    la sp, bare_stack + 16384\n"
        "    la t0, __bss_start\n"
        "    la t1, __bss_end\n"
        "1:  bgeu t0, t1, 2f\n"
        "    sd zero, (t0)\n"
        "    addi t0, t0, 8\n"
        "    j 1b\n"
        "2:  call test_main\n"
        "    call power_off\n"
        "    .balign 4\n"
        "on_trap:\n"
        "    la sp, bare_stack + 16384\n"
        "    csrr a0, mcause\n"
        "    csrr a1, mepc\n"
        "    csrr a2, mtval\n"
        "    call report_trap\n"
        "    .text\n");

char bare_stack[16384] __attribute__((aligned(16)));

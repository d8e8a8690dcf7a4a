/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bare-metal variant: M-mode from reset, 16550 UART, power-off through the test device. With
 * PAGED, the program runs in U-mode on Sv39 tables. These are an identity mapping except for the
 * two pages of the scratch memory, which are mapped elsewhere in reverse order.
 */
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

/* No trap is expected here: report the trap and its address. */
void report_trap(u64 cause, u64 epc, u64 tval);
void report_trap(u64 cause, u64 epc, u64 tval)
{
    put_text("trap ");
    put_word(cause, ' ');
    put_word(epc, ' ');
    put_word(tval, '\n');
    power_off();
}

void run(void);

#ifdef PAGED
#define PTE_RWXAD_U 0xdful
#define PTE_POINTER 1ul
#define GIB         (1ul << 30)
#define MIB_2       (2ul << 20)
#define RAM         0x80000000ul
#define ELSEWHERE   0x80700000ul

extern u64 scratch[];

static u64 tables[3][512] __attribute__((aligned(4096)));

static u64 leaf(u64 pa)
{
    return pa >> 12 << 10 | PTE_RWXAD_U;
}

static void make_tables(void)
{
    u64 page = ((u64)scratch - RAM) >> 12;

    tables[0][0] = leaf(0);
    tables[0][RAM / GIB] = (u64)tables[1] >> 12 << 10 | PTE_POINTER;
    tables[1][0] = (u64)tables[2] >> 12 << 10 | PTE_POINTER;
    for (u64 i = 1; i < 512; i++) {
        tables[1][i] = leaf(RAM + i * MIB_2);
    }
    for (u64 i = 0; i < 512; i++) {
        tables[2][i] = leaf(RAM + i * 4096);
    }
    tables[2][page] = leaf(ELSEWHERE + 4096);
    tables[2][page + 1] = leaf(ELSEWHERE);
}

static void run_and_stop(void)
{
    test_main();
    power_off();
}

void run(void)
{
    make_tables();
    __asm__ volatile("csrw pmpaddr0, %0; csrw pmpcfg0, %1" ::"r"(-1ul), "r"(0x1ful));
    __asm__ volatile("csrw satp, %0; sfence.vma" ::"r"(8ul << 60 | (u64)tables >> 12) : "memory");
    __asm__ volatile("csrc mstatus, %0; csrw mepc, %1; mret" ::"r"(0x1800), "r"(run_and_stop));
}
#else
void run(void)
{
    test_main();
}
#endif

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
        "2:  call run\n"
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program in machine mode, as written for QEMU's `virt`: addresses are built in, and
 * no device tree is read. It handles the UART's interrupt through the PLIC and answers each
 * character with the interrupt source number and the character in upper case. "q" powers off.
 */
#include <stdint.h>

enum { UART_SOURCE = 10 };

static volatile uint8_t *const uart = (uint8_t *)0x10000000;
enum {
    UART_DATA = 0,
    UART_IER = 1,
    UART_LSR = 5,
    UART_IER_RX = 1,
    UART_LSR_RX = 1,
    UART_LSR_TX = 0x20
};

#define PLIC(offset)          (*(volatile uint32_t *)(0x0c000000ul + (offset)))
#define PLIC_PRIORITY(source) PLIC(4 * (source))
#define PLIC_ENABLE           PLIC(0x2000) /* context 0: hart 0, machine mode; sources 0 to 31 */
#define PLIC_THRESHOLD        PLIC(0x200000)
#define PLIC_CLAIM            PLIC(0x200004)

static volatile uint32_t *const finisher = (uint32_t *)0x100000;
enum { POWER_OFF = 0x5555 };

enum { MSTATUS_MIE = 1 << 3, MIE_MEIE = 1 << 11, MCAUSE_EXTERNAL = 11 };

static void put(char c)
{
    while (!(uart[UART_LSR] & UART_LSR_TX)) {
    }
    uart[UART_DATA] = c;
}

static void print(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

static void answer(char c)
{
    if (c == 'q') {
        print("bye\n");
        *finisher = POWER_OFF;
    }
    print("source 10 says ");
    put(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    put('\n');
}

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    uintptr_t cause;
    uint32_t source;

    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (cause != (1ul << 63 | MCAUSE_EXTERNAL)) {
        print("unexpected trap\n");
        *finisher = POWER_OFF;
    }
    while ((source = PLIC_CLAIM) != 0) {
        if (source != UART_SOURCE) {
            print("unexpected source\n");
        }
        while (uart[UART_LSR] & UART_LSR_RX) {
            answer(uart[UART_DATA]);
        }
        PLIC_CLAIM = source;
    }
}

__attribute__((noreturn, used)) static void run(void)
{
    PLIC_PRIORITY(UART_SOURCE) = 1;
    PLIC_ENABLE = 1 << UART_SOURCE;
    PLIC_THRESHOLD = 0;
    uart[UART_IER] = UART_IER_RX;
    __asm__ volatile("csrw mtvec, %0" ::"r"(trap));
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_MEIE));
    __asm__ volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE));
    print("PLIC ready\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* The stack. */
__asm__(".section .bss\n"
        ".balign 16\n"
        ".space 4096\n"
        "stack_end:\n"
        ".text\n");

__attribute__((naked, noreturn, section(".text.start"))) void _start(void)
{
    __asm__ volatile("lla sp, stack_end\n"
                     "j run");
}
